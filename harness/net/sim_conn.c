/* Connections of the simulated network: the handshake, cutting writes into
 * pieces, the window, the order of arrivals, FIN and RST. */
#include "net/sim_world.h"

#include "base/error.h"
#include "base/unreachable.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
  PIECE_MAX = 65536, /* as much as the real loop reads at once */
  BYTE_PIECES = 2048 /* at either end of a long write in one-byte mode */
};

#define CONN_NODES 5 /* of the heap: two arrivals, two SENT, one fate */

static struct nova__sim_side *other(struct nova__sim_side *side) {
  struct nova__sim_conn *conn = side->conn;
  return side == &conn->side[0] ? &conn->side[1] : &conn->side[0];
}

static struct nova__sim_side *side_of(struct nova__sim_dir *dir) {
  return (struct nova__sim_side *)((char *)dir -
                                   offsetof(struct nova__sim_side, out));
}

static void tell(struct nova__sim_party *party,
                 const struct nova_event *event) {
  if (party->base.handler.event != NULL)
    party->base.handler.event(party->base.handler.user, event);
}

/* Writes and their queues. */

static void queue_init(struct nova__sim_queue *q) {
  q->head = NULL;
  q->tail = &q->head;
}

static void queue_push(struct nova__sim_queue *q, struct nova__sim_write *w) {
  w->next = NULL;
  *q->tail = w;
  q->tail = &w->next;
}

static struct nova__sim_write *queue_pop(struct nova__sim_queue *q) {
  struct nova__sim_write *w = q->head;
  if (w != NULL && (q->head = w->next) == NULL)
    q->tail = &q->head;
  return w;
}

static void unref(struct nova_sim *sim, struct nova__sim_write *w) {
  if (--w->refs == 0)
    nova_mem_free(sim->mem, w);
}

static void queue_drop(struct nova_sim *sim, struct nova__sim_queue *q) {
  for (struct nova__sim_write *w; (w = queue_pop(q)) != NULL;)
    unref(sim, w);
}

/* Adds the piece of |w| from |from| to |to|, itself in pieces where it is too
 * long for one event. */
static void add_piece(struct nova__sim_write *w, size_t from, size_t to) {
  while (from < to) {
    size_t n = to - from < PIECE_MAX ? to - from : PIECE_MAX;
    w->seg[w->segs++] = (struct nova__sim_seg){.write = w,
                                               .offset = (uint32_t)from,
                                               .n = (uint32_t)n,
                                               .kind = NOVA__SEG_DATA};
    from += n;
  }
}

/* Up to 8 pieces. The cut before the last byte is drawn more often than chance
 * would: it parts a line from its end. */
static void cut_randomly(struct nova__sim_write *w, struct nova_rng *rng) {
  size_t cut[8], cuts = 0;
  size_t want = (size_t)nova_rng_below(rng, 8);
  while (cuts < want)
    cut[cuts++] = 1 + (size_t)nova_rng_below(rng, w->n - 1);
  if (cuts != 0 && nova_rng_below(rng, 4) == 0)
    cut[0] = w->n - 1;
  for (size_t i = 1; i < cuts; i++)
    for (size_t k = i; k > 0 && cut[k - 1] > cut[k]; k--) {
      size_t swap = cut[k];
      cut[k] = cut[k - 1];
      cut[k - 1] = swap;
    }
  size_t from = 0;
  for (size_t i = 0; i < cuts; i++) {
    add_piece(w, from, cut[i]);
    from = cut[i];
  }
  add_piece(w, from, w->n);
}

static void cut_to_bytes(struct nova__sim_write *w) {
  size_t head = w->n <= 2 * BYTE_PIECES ? w->n : BYTE_PIECES;
  size_t tail = w->n <= 2 * BYTE_PIECES ? w->n : w->n - BYTE_PIECES;
  for (size_t i = 0; i < head; i++)
    add_piece(w, i, i + 1);
  add_piece(w, head, tail);
  for (size_t i = tail; i < w->n; i++)
    add_piece(w, i, i + 1);
}

/* A write of its own memory, cut, with the reference of the queue that it is
 * going into. NULL without memory. */
static struct nova__sim_write *write_new(struct nova__sim_conn *conn,
                                         const char *p, size_t n) {
  struct nova_sim *sim = conn->sim;
  enum nova_sim_cut cut = sim->options.cut;
  if (cut == NOVA_SIM_MIXED)
    cut = (enum nova_sim_cut)nova_rng_below(&conn->rng, NOVA_SIM_MIXED);
  size_t room = n / PIECE_MAX + 1;
  if (cut == NOVA_SIM_RANDOM)
    room += 8;
  else if (cut == NOVA_SIM_BYTES)
    room += n < 2 * BYTE_PIECES ? n : 2 * BYTE_PIECES;
  struct nova__sim_write *w = nova_mem_alloc(
      sim->mem, sizeof *w + room * sizeof(struct nova__sim_seg) + n);
  if (w == NULL)
    return NULL;
  *w = (struct nova__sim_write){.refs = 1, .n = n};
  w->data = (char *)(w->seg + room);
  w->join = cut == NOVA_SIM_JOIN;
  if (n != 0)
    memcpy(w->data, p, n);
  if (cut == NOVA_SIM_RANDOM && n > 1)
    cut_randomly(w, &conn->rng);
  else if (cut == NOVA_SIM_BYTES)
    cut_to_bytes(w);
  else
    add_piece(w, 0, n);
  return w;
}

/* Directions: what is on its way. */

static nova_ts latency(struct nova__sim_conn *conn) {
  const struct nova_sim_options *o = &conn->sim->options;
  return o->latency_max <= o->latency_min
             ? o->latency_min
             : o->latency_min +
                   nova_rng_below(&conn->rng,
                                  o->latency_max - o->latency_min + 1);
}

static void schedule(struct nova_sim *sim, struct nova__sim_dir *dir) {
  if (dir->head == NULL) {
    nova__heap_remove(&sim->heap, &dir->node);
    return;
  }
  nova_ts t = dir->head->arrival;
  nova__heap_set(&sim->heap, &dir->node, t > sim->now ? t : sim->now);
}

/* Puts |seg| on its way, to arrive at |t| or with the one before it. */
static void push_at(struct nova_sim *sim, struct nova__sim_dir *dir,
                    struct nova__sim_seg *seg, nova_ts t) {
  if (t < dir->last)
    t = dir->last;
  dir->last = seg->arrival = t;
  seg->next = NULL;
  *dir->tail = seg;
  dir->tail = &seg->next;
  if (dir->head == seg)
    schedule(sim, dir);
}

static void push(struct nova__sim_side *from, struct nova__sim_seg *seg) {
  struct nova_sim *sim = from->conn->sim;
  push_at(sim, &from->out, seg, nova_ts_add(sim->now, latency(from->conn)));
}

static void push_handshake(struct nova__sim_side *from,
                           enum nova__sim_seg_kind kind) {
  from->out.handshake.kind = kind;
  push(from, &from->out.handshake);
}

static void push_fin(struct nova__sim_side *from) {
  if (from->out.fin_pushed || from->out.rst_pushed)
    return;
  from->out.fin_pushed = true;
  from->out.fin.kind = NOVA__SEG_FIN;
  push(from, &from->out.fin);
}

static void push_rst(struct nova__sim_side *from) {
  if (from->out.rst_pushed)
    return;
  from->out.rst_pushed = true;
  from->out.rst.kind = NOVA__SEG_RST;
  push(from, &from->out.rst);
}

/* Takes the first segment off; the reference of a write goes to the caller. */
static struct nova__sim_seg *shift(struct nova__sim_dir *dir) {
  struct nova__sim_seg *seg = dir->head;
  if ((dir->head = seg->next) == NULL)
    dir->tail = &dir->head;
  if (seg->kind == NOVA__SEG_DATA)
    dir->in_flight -= seg->n;
  return seg;
}

static void drop_first(struct nova_sim *sim, struct nova__sim_dir *dir) {
  struct nova__sim_seg *seg = shift(dir);
  if (seg->kind == NOVA__SEG_DATA)
    unref(sim, seg->write);
}

/* Hands writes to the network as far as the window allows, then FIN. */
static void pump(struct nova__sim_side *side) {
  struct nova_sim *sim = side->conn->sim;
  struct nova__sim_dir *dir = &side->out;
  struct nova__sim_write *w;
  while ((w = side->waiting.head) != NULL) {
    if (w->pushed == 0)
      w->since = sim->now;
    for (; w->pushed < w->segs; w->pushed++) {
      struct nova__sim_seg *seg = &w->seg[w->pushed];
      if (dir->in_flight != 0 && dir->in_flight + seg->n > sim->options.window)
        return;
      w->refs++;
      side->queued -= seg->n;
      bool rides = w->join && dir->head != NULL;
      dir->in_flight += seg->n;
      if (rides)
        push_at(sim, dir, seg, sim->now);
      else
        push(side, seg);
    }
    queue_push(&side->sent, queue_pop(&side->waiting));
    if (side->sent_node.at == 0)
      nova__heap_set(&sim->heap, &side->sent_node, sim->now);
  }
  if (side->half_closed)
    push_fin(side);
}

/* Sides and connections. */

void nova__sim_conn_free(struct nova__sim_conn *conn) {
  struct nova_sim *sim = conn->sim;
  for (int i = 0; i < 2; i++) {
    struct nova__sim_side *side = &conn->side[i];
    while (side->out.head != NULL)
      drop_first(sim, &side->out);
    queue_drop(sim, &side->waiting);
    queue_drop(sim, &side->sent);
    nova__heap_remove(&sim->heap, &side->out.node);
    nova__heap_remove(&sim->heap, &side->sent_node);
  }
  nova__heap_remove(&sim->heap, &conn->fate);
  nova__heap_release(&sim->heap, CONN_NODES);
  *(conn->prev != NULL ? &conn->prev->next : &sim->conns) = conn->next;
  if (conn->next != NULL)
    conn->next->prev = conn->prev;
  sim->conn_count--;
  nova_mem_free(sim->mem, conn);
}

/* Frees the connection if nothing can happen to it any more. */
static void settle(struct nova__sim_conn *conn) {
  const struct nova__sim_side *s = conn->side;
  if (conn->pins == 0 && s[0].party == NULL && s[1].party == NULL &&
      s[0].out.head == NULL && s[1].out.head == NULL)
    nova__sim_conn_free(conn);
}

static void unpin(struct nova__sim_conn *conn) {
  conn->pins--;
  settle(conn);
}

/* Nobody hears of the side any more; its id is free. What it has put on its way
 * still arrives. */
static void gone(struct nova__sim_side *side) {
  struct nova__sim_conn *conn = side->conn;
  struct nova_sim *sim = conn->sim;
  nova__idmap_remove(&side->party->sides, side->id);
  side->party = NULL;
  side->open = false;
  queue_drop(sim, &side->waiting);
  queue_drop(sim, &side->sent);
  nova__heap_remove(&sim->heap, &side->sent_node);
  /* What had arrived and was not read is dropped with the socket; what arrives
   * from now on is answered with RST. */
  struct nova__sim_dir *in = &other(side)->out;
  if (side->paused) {
    while (in->head != NULL && in->head->arrival <= sim->now)
      drop_first(sim, in);
    side->paused = false;
    schedule(sim, in);
  }
  if (conn->side[0].party == NULL && conn->side[1].party == NULL)
    nova__heap_remove(&sim->heap, &conn->fate);
}

void nova__sim_leave(struct nova__sim_side *side, bool rst) {
  struct nova__sim_conn *conn = side->conn;
  bool was_open = side->open;
  conn->pins++;
  gone(side);
  if (was_open && rst)
    push_rst(side);
  else if (was_open)
    push_fin(side);
  unpin(conn);
}

static struct nova__sim_conn *conn_new(struct nova_sim *sim, const char *host) {
  size_t n = strlen(host) + 1;
  struct nova__sim_conn *conn = nova_mem_zalloc(sim->mem, sizeof *conn + n);
  if (conn == NULL)
    return NULL;
  if (nova__heap_promise(&sim->heap, CONN_NODES) != 0) {
    nova_mem_free(sim->mem, conn);
    return NULL;
  }
  memcpy(conn->host, host, n);
  conn->sim = sim;
  conn->fate.kind = NOVA__SIM_FATE;
  for (int i = 0; i < 2; i++) {
    struct nova__sim_side *side = &conn->side[i];
    side->conn = conn;
    side->out.node.kind = NOVA__SIM_ARRIVAL;
    side->out.tail = &side->out.head;
    side->sent_node.kind = NOVA__SIM_SENT;
    queue_init(&side->waiting);
    queue_init(&side->sent);
  }
  conn->next = sim->conns;
  if (conn->next != NULL)
    conn->next->prev = conn;
  sim->conns = conn;
  sim->conn_count++;
  return conn;
}

/* When the connection is to be lost, by the list or by chance. */
static nova_ts draw_loss(struct nova__sim_conn *conn, uint64_t number) {
  const struct nova_sim_options *o = &conn->sim->options;
  nova_ts t = NOVA_TS_NONE;
  if (o->loss_ppm != 0 && nova_rng_below(&conn->rng, 1000000) < o->loss_ppm)
    t = nova_ts_add(conn->sim->now,
                    nova_rng_below(&conn->rng, nova_ts_add(o->loss_after, 1)));
  for (size_t i = 0; i < o->losses; i++)
    if (o->loss[i].connection == number)
      t = nova_ts_min(t, o->loss[i].t);
  return t;
}

static bool ends_with(const char *s, const char *tail) {
  size_t n = strlen(s), m = strlen(tail);
  return n >= m && strcasecmp(s + n - m, tail) == 0;
}

int nova__sim_connect(struct nova_transport *t, uint64_t id, const char *host,
                      uint16_t port, nova_ts timeout) {
  struct nova__sim_party *party = nova__sim_party(t);
  struct nova_sim *sim = party->sim;
  if (party->crashed)
    return NOVA_ERR_STATE;
  if (host == NULL || strlen(host) > 255 || id > UINT32_MAX ||
      nova__idmap_get(&party->sides, id) != NULL)
    return NOVA_ERR_ARGUMENT;
  struct nova__sim_conn *conn = conn_new(sim, host);
  if (conn == NULL)
    return NOVA_ERR_NO_MEMORY;
  struct nova__sim_side *client = &conn->side[0];
  if (nova__idmap_add(&party->sides, id, client) != 0) {
    nova__sim_conn_free(conn);
    return NOVA_ERR_NO_MEMORY;
  }
  client->party = party;
  client->id = id;
  conn->port = port;
  conn->begun = sim->now;
  /* A stream of its own for each connection: what happens on one does not
   * change what is drawn for another. */
  uint64_t number = sim->connects++;
  nova_rng_init(&conn->rng, sim->options.seed ^
                                (number + 1) * UINT64_C(0xd1342543de82ef95));
  nova_rng_init(&conn->rng, nova_rng_next(&conn->rng));
  conn->lost_at = draw_loss(conn, number);
  if (timeout != NOVA_TS_NONE)
    nova__heap_set(&sim->heap, &conn->fate, nova_ts_add(sim->now, timeout));
  if (ends_with(host, ".invalid"))
    nova__heap_set(&sim->heap, &conn->fate, sim->now);
  else if (strncmp(host, "192.0.2.", 8) != 0)
    push_handshake(client, NOVA__SEG_SYN);
  return 0;
}

/* The client's connect() failed; the sentence is "<before> HOST:PORT <after>".
 */
static void refuse(struct nova__sim_conn *conn, int code, const char *before,
                   const char *after) {
  struct nova_sim *sim = conn->sim;
  struct nova__sim_side *client = &conn->side[0];
  struct nova__sim_party *party = client->party;
  struct nova_event event = {.kind = NOVA_EVENT_REFUSED,
                             .id = client->id,
                             .t = sim->now,
                             .since = conn->begun,
                             .code = code};
  snprintf(sim->why, sizeof sim->why, "%s%s:%u%s", before, conn->host,
           (unsigned)conn->port, after);
  event.bytes = nova_view_of(sim->why);
  gone(client);
  tell(party, &event);
}

void nova__sim_meet_fate(struct nova__sim_conn *conn) {
  struct nova_sim *sim = conn->sim;
  conn->pins++;
  if (conn->side[0].party != NULL && !conn->side[0].open) {
    if (ends_with(conn->host, ".invalid"))
      refuse(conn, NOVA_CODE_UNREACHABLE, "", ": the name is not found");
    else
      refuse(conn, NOVA_CODE_TIMEOUT, "", " does not answer");
  } else {
    for (int i = 0; i < 2; i++) {
      struct nova__sim_dir *dir = &conn->side[i].out;
      while (dir->head != NULL)
        drop_first(sim, dir);
      dir->last = sim->now;
      dir->rst_pushed = true;
      dir->rst.kind = NOVA__SEG_RST;
      push_at(sim, dir, &dir->rst, sim->now);
    }
  }
  unpin(conn);
}

static void connected(struct nova__sim_conn *conn) {
  struct nova_sim *sim = conn->sim;
  struct nova__sim_side *client = &conn->side[0];
  if (client->party == NULL)
    return;
  client->open = true;
  nova__heap_remove(&sim->heap, &conn->fate);
  if (conn->lost_at != NOVA_TS_NONE)
    nova__heap_set(&sim->heap, &conn->fate,
                   conn->lost_at > sim->now ? conn->lost_at : sim->now);
  push_handshake(client, NOVA__SEG_ACK);
  tell(client->party, &(struct nova_event){.kind = NOVA_EVENT_CONNECTED,
                                           .id = client->id,
                                           .t = sim->now,
                                           .since = conn->begun});
}

static void accepted(struct nova__sim_conn *conn) {
  struct nova_sim *sim = conn->sim;
  struct nova__sim_side *server = &conn->side[1];
  struct nova__sim_listener *l =
      nova__sim_find_listener(sim, conn->host, conn->port);
  /* The listener may have gone since, as a real one with a full queue. */
  if (l == NULL ||
      nova__idmap_add(&l->party->sides, l->party->next_id, server) != 0) {
    push_rst(server);
    return;
  }
  server->party = l->party;
  server->id = l->party->next_id++;
  server->open = true;
  tell(server->party, &(struct nova_event){.kind = NOVA_EVENT_ACCEPTED,
                                           .id = server->id,
                                           .listener = l->id,
                                           .t = sim->now,
                                           .since = sim->now});
}

/* Data for a side that reads. Joins what arrived together. */
static void deliver(struct nova__sim_dir *dir, struct nova__sim_side *to,
                    struct nova__sim_seg *seg) {
  struct nova_sim *sim = to->conn->sim;
  struct nova__sim_write *w = seg->write;
  struct nova_event event = {.kind = NOVA_EVENT_BYTES,
                             .id = to->id,
                             .t = sim->now,
                             .since = sim->now,
                             .bytes = {w->data + seg->offset, seg->n}};
  struct nova__sim_seg *next = dir->head;
  if (w->join && next != NULL && next->kind == NOVA__SEG_DATA &&
      next->arrival <= sim->now && next->write->join) {
    size_t n = seg->n;
    memcpy(sim->joined, event.bytes.p, n);
    while ((next = dir->head) != NULL && next->kind == NOVA__SEG_DATA &&
           next->arrival <= sim->now && next->write->join &&
           n + next->n <= sizeof sim->joined) {
      memcpy(sim->joined + n, next->write->data + next->offset, next->n);
      n += next->n;
      drop_first(sim, dir);
    }
    event.bytes = (struct nova_view){sim->joined, n};
  }
  tell(to->party, &event);
  unref(sim, w);
}

static void end_of(struct nova__sim_side *to, enum nova_event_kind kind) {
  struct nova__sim_party *party = to->party;
  nova_ts now = to->conn->sim->now;
  struct nova_event event = {
      .kind = kind, .id = to->id, .t = now, .since = now};
  if (kind == NOVA_EVENT_RESET)
    gone(to);
  else
    to->eof = true;
  tell(party, &event);
}

/* What the side |to| makes of |seg|. */
static void take(struct nova__sim_dir *dir, struct nova__sim_side *to,
                 struct nova__sim_seg *seg) {
  struct nova__sim_conn *conn = to->conn;
  switch (seg->kind) {
  case NOVA__SEG_SYN:
    push_handshake(
        to, nova__sim_find_listener(conn->sim, conn->host, conn->port) != NULL
                ? NOVA__SEG_SYN_ACK
                : NOVA__SEG_REFUSE);
    return;
  case NOVA__SEG_SYN_ACK: connected(conn); return;
  case NOVA__SEG_REFUSE:
    if (to->party != NULL)
      refuse(conn, NOVA_CODE_REFUSED, "nobody listens on ", "");
    return;
  case NOVA__SEG_ACK: accepted(conn); return;
  case NOVA__SEG_DATA:
    if (to->party != NULL) {
      deliver(dir, to, seg);
    } else {
      unref(conn->sim, seg->write);
      push_rst(to);
    }
    return;
  case NOVA__SEG_FIN:
    if (to->party != NULL)
      end_of(to, NOVA_EVENT_EOF);
    return;
  case NOVA__SEG_RST:
    /* At an end in both directions nobody looks at the socket any more. */
    if (to->party != NULL && !(to->eof && to->out.fin_pushed))
      end_of(to, NOVA_EVENT_RESET);
    return;
  }
  nova_unreachable();
}

void nova__sim_arrive(struct nova__sim_dir *dir) {
  struct nova__sim_side *from = side_of(dir), *to = other(from);
  struct nova__sim_conn *conn = from->conn;
  if (to->paused && !dir->forced)
    return; /* pause() sets the node again */
  conn->pins++;
  take(dir, to, shift(dir));
  pump(from);
  schedule(conn->sim, dir);
  unpin(conn);
}

void nova__sim_report_sent(struct nova__sim_side *side) {
  struct nova__sim_conn *conn = side->conn;
  struct nova_sim *sim = conn->sim;
  struct nova__sim_write *w = queue_pop(&side->sent);
  struct nova_event event = {.kind = NOVA_EVENT_SENT,
                             .id = side->id,
                             .t = sim->now,
                             .since = w->since};
  unref(sim, w);
  conn->pins++;
  if (side->sent.head != NULL)
    nova__heap_set(&sim->heap, &side->sent_node, sim->now);
  tell(side->party, &event);
  unpin(conn);
}

/* The open side with this id, or NULL. */
static struct nova__sim_side *find_open(struct nova_transport *t, uint64_t id) {
  struct nova__sim_side *s = nova__idmap_get(&nova__sim_party(t)->sides, id);
  return s != NULL && s->open ? s : NULL;
}

/* A reader that is paused learns of an RST that has come when it sends, as the
 * system's error from the write. */
static void notice_rst(struct nova__sim_side *side) {
  struct nova_sim *sim = side->conn->sim;
  struct nova__sim_dir *in = &other(side)->out;
  if (!side->paused || !in->rst_pushed || in->head == NULL ||
      in->rst.arrival > sim->now)
    return;
  while (in->head != &in->rst)
    drop_first(sim, in);
  in->forced = true;
  schedule(sim, in);
}

int nova__sim_send(struct nova_transport *t, uint64_t id, const char *p,
                   size_t n) {
  struct nova__sim_side *side = find_open(t, id);
  if (side == NULL || side->half_closed)
    return NOVA_ERR_STATE;
  if (n > NOVA_SEND_QUEUE_MAX - side->queued)
    return NOVA_ERR_LIMIT;
  struct nova__sim_write *w = write_new(side->conn, p, n);
  if (w == NULL)
    return NOVA_ERR_NO_MEMORY;
  side->queued += n;
  queue_push(&side->waiting, w);
  notice_rst(side);
  pump(side);
  return 0;
}

int nova__sim_half_close(struct nova_transport *t, uint64_t id) {
  struct nova__sim_side *side = find_open(t, id);
  if (side == NULL || side->half_closed)
    return NOVA_ERR_STATE;
  side->half_closed = true;
  pump(side);
  return 0;
}

void nova__sim_close(struct nova_transport *t, uint64_t id, bool rst) {
  struct nova__sim_side *side = nova__idmap_get(&nova__sim_party(t)->sides, id);
  if (side != NULL)
    nova__sim_leave(side, rst);
}

void nova__sim_pause(struct nova_transport *t, uint64_t id, bool paused) {
  struct nova__sim_side *side = find_open(t, id);
  if (side == NULL || side->paused == paused)
    return;
  side->paused = paused;
  if (!paused)
    schedule(side->conn->sim, &other(side)->out);
}
