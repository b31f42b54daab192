#include "peer/broker_state.h"

/* --- timers ----------------------------------------------------------------
 * A binary heap of connections by |due|. A packet does not move its
 * connection: when |due| has come it is looked whether there was one since. */

static bool earlier(const struct nova_broker *b, size_t i, size_t k) {
  return b->timer[i - 1]->due < b->timer[k - 1]->due;
}

static void swap(struct nova_broker *b, size_t i, size_t k) {
  struct nova__bconn *c = b->timer[i - 1];
  b->timer[i - 1] = b->timer[k - 1];
  b->timer[k - 1] = c;
  b->timer[i - 1]->timer = i;
  b->timer[k - 1]->timer = k;
}

static void settle_timer(struct nova_broker *b, size_t i) {
  while (i > 1 && earlier(b, i, i / 2)) {
    swap(b, i, i / 2);
    i /= 2;
  }
  for (size_t k; (k = 2 * i) <= b->timer_n; i = k) {
    if (k < b->timer_n && earlier(b, k + 1, k))
      k++;
    if (!earlier(b, k, i))
      return;
    swap(b, i, k);
  }
}

/* A place for each connection is there from its beginning. */
static bool reserve_timer(struct nova_broker *b) {
  if (b->map.n <= b->timer_cap)
    return true;
  size_t cap = b->timer_cap != 0 ? b->timer_cap * 2 : 16;
  struct nova__bconn **bigger =
      nova_mem_realloc(b->mem, b->timer, cap * sizeof(struct nova__bconn *));
  if (bigger == NULL)
    return false;
  b->timer = bigger;
  b->timer_cap = cap;
  return true;
}

static void stop_timer(struct nova_broker *b, struct nova__bconn *c) {
  size_t i = c->timer;
  if (i == 0)
    return;
  if (i != b->timer_n)
    swap(b, i, b->timer_n);
  b->timer_n--;
  c->timer = 0;
  if (i <= b->timer_n)
    settle_timer(b, i);
}

static void set_timer(struct nova_broker *b, struct nova__bconn *c,
                      nova_ts due) {
  c->due = due;
  if (c->timer == 0) {
    b->timer[b->timer_n++] = c;
    c->timer = b->timer_n;
  }
  settle_timer(b, c->timer);
}

/* --- the end of connections ------------------------------------------------
 */

void nova__broker_end(struct nova_broker *b, struct nova__bconn *c,
                      enum nova_broker_end how, int code,
                      enum nova__bfinal final) {
  if (c->state == NOVA__B_ENDED)
    return;
  c->state = NOVA__B_ENDED;
  c->how = (uint8_t)how;
  c->final = (uint8_t) final;
  c->code = code;
  nova__connmap_remove(&b->map, c->conn);
  stop_timer(b, c);
  if (final != NOVA__B_FINAL_CLOSE)
    nova__broker_drop_output(b, c);
  else if (NOVA__BHAS(b, V_B_RST))
    c->final = NOVA__B_FINAL_RESET;
  if (b->faulty)
    nova__bug_drop(b, c);
  if (c->session != NULL)
    c->session->conn = NULL;
  c->ended_next = NULL;
  *(b->ended != NULL ? &b->ended_last->ended_next : &b->ended) = c;
  b->ended_last = c;
  nova__broker_ready(b, c);
}

void nova__broker_no_memory(struct nova_broker *b, struct nova__bconn *c) {
  b->error = NOVA_ERR_NO_MEMORY;
  nova__broker_end(b, c, NOVA_BROKER_LOST, 0, NOVA__B_FINAL_RESET);
}

void nova__broker_bury(struct nova_broker *b) {
  const struct nova_broker_owner *o = &b->options.owner;
  struct nova__bconn *c;
  /* A will may end others, who come behind. */
  while ((c = b->ended) != NULL) {
    b->ended = c->ended_next;
    struct nova__bmsg *will = c->will;
    struct nova__bsession *s = c->session;
    c->will = NULL;
    c->session = NULL;
    if (will != NULL && b->faulty)
      will = nova__bug_will(b, c, will);
    if (will != NULL)
      nova__broker_will(b, c->conn, will);
    if (s != NULL)
      nova__broker_leave(b, s);
    nova_mqtt_stream_free(&c->stream);
    if (o->ended != NULL)
      o->ended(o->user, c->conn, (enum nova_broker_end)c->how, c->code);
  }
}

/* --- the broker ------------------------------------------------------------
 */

static void take_options(struct nova_broker_options *o) {
  if (o->packet_limit == 0)
    o->packet_limit = NOVA_MQTT_LIMIT;
  if (o->connect_timeout == 0)
    o->connect_timeout = 10 * NOVA_SEC;
  if (o->max_connections == 0)
    o->max_connections = 100000;
  if (o->max_sessions == 0)
    o->max_sessions = 10000;
  if (o->queued_most == 0)
    o->queued_most = 1000;
  if (o->inflight_most == 0)
    o->inflight_most = 100;
  if (o->unsent_limit == 0)
    o->unsent_limit = 1024 * 1024;
  if (o->retained_most == 0)
    o->retained_most = 10000;
  if (o->subscriptions_most == 0)
    o->subscriptions_most = 1000;
  if (o->late == 0)
    o->late = 6 * NOVA_SEC;
}

struct nova_broker *nova_broker_new(const struct nova_broker_options *options) {
  struct nova_broker_options o = *options;
  take_options(&o);
  /* Packet ids are 16 bits, and one is always to be free; sizes and counts are
   * kept in 32 bits. */
  if (o.packet_limit > NOVA_MQTT_REMAINING_MAX || o.inflight_most > 65000 ||
      o.queued_most > UINT32_MAX / 4 || o.unsent_limit > UINT32_MAX / 4)
    return NULL;
  struct nova_broker *b = nova_mem_zalloc(o.mem, sizeof *b);
  if (b == NULL)
    return NULL;
  b->mem = o.mem;
  b->options = o;
  nova__connmap_init(&b->map, b->mem);
  nova_buf_init(&b->codes, b->mem, o.packet_limit + 1);
  nova__bug_init(b);
  if (nova__btree_init(&b->tree, b->mem) != 0) {
    nova_broker_free(b);
    return NULL;
  }
  return b;
}

void nova_broker_free(struct nova_broker *b) {
  if (b == NULL)
    return;
  /* Nobody is told of anything any more. */
  b->options.owner = (struct nova_broker_owner){.connect = NULL};
  nova__broker_release(b);
  for (size_t i = 0; i < b->map.cap; i++)
    if (b->map.slot[i].value != NULL)
      nova__broker_free_conn(b, b->map.slot[i].value);
  for (struct nova__bconn *c = b->ready, *next; c != NULL; c = next) {
    next = c->ready_next;
    if (c->state == NOVA__B_ENDED)
      nova__broker_free_conn(b, c);
  }
  for (size_t i = 0; i < b->session_bucket_n; i++)
    while (b->session[i] != NULL)
      nova__broker_forget(b, b->session[i]);
  nova__bug_free(b);
  nova__broker_free_retained(b);
  nova__broker_free_blocks(b);
  nova__btree_free(&b->tree);
  nova__connmap_free(&b->map);
  nova_buf_free(&b->codes);
  nova_mem_free(b->mem, b->session);
  nova_mem_free(b->mem, b->timer);
  nova_mem_free(b->mem, b);
}

/* --- time ------------------------------------------------------------------
 */

static nova_ts keep_alive_span(const struct nova_broker *b,
                               const struct nova__bconn *c) {
  if (b->faulty)
    return nova__bug_keep_alive(b, c);
  return c->keep_alive * 1500 * NOVA_MS; /* 3.1.2-24 */
}

void nova__broker_start_keep_alive(struct nova_broker *b,
                                   struct nova__bconn *c) {
  nova_ts span = b->options.no_keep_alive ? 0 : keep_alive_span(b, c);
  if (span == 0)
    stop_timer(b, c);
  else
    set_timer(b, c, nova_ts_add(b->now, span));
}

nova_ts nova_broker_next_deadline(const struct nova_broker *b) {
  nova_ts due = b->timer_n != 0 ? b->timer[0]->due : NOVA_TS_NONE;
  return b->faulty ? nova_ts_min(due, nova__bug_deadline(b)) : due;
}

/* The time of the first timer has come. */
static void time_out(struct nova_broker *b) {
  struct nova__bconn *c = b->timer[0];
  nova_ts due = c->due;
  if (c->state == NOVA__B_CONNECTED)
    due = nova_ts_add(c->last, keep_alive_span(b, c));
  if (due > b->now)
    set_timer(b, c, due);
  else
    nova__broker_end(b, c, NOVA_BROKER_KEEP_ALIVE, 0, NOVA__B_FINAL_CLOSE);
}

static void expire(struct nova_broker *b) {
  nova_ts due;
  while ((due = nova_broker_next_deadline(b)) <= b->now) {
    if (b->faulty && nova__bug_deadline(b) == due)
      nova__bug_expire(b);
    else
      time_out(b);
    nova__broker_bury(b);
  }
}

/* What every event begins with. */
static void settle(struct nova_broker *b, nova_ts now) {
  nova__broker_release(b);
  if (now > b->now)
    b->now = now;
  expire(b);
  b->error = 0; /* What failed there was another connection's. */
}

void nova_broker_expire(struct nova_broker *b, nova_ts now) {
  settle(b, now);
}

/* --- events ----------------------------------------------------------------
 */

int nova_broker_accept(struct nova_broker *b, uint64_t conn, nova_ts now) {
  settle(b, now);
  if (nova__connmap_get(&b->map, conn) != NULL)
    return NOVA_ERR_STATE;
  if (b->map.n >= b->options.max_connections)
    return NOVA_ERR_LIMIT;
  struct nova__bconn *c = nova_mem_zalloc(b->mem, sizeof *c);
  if (c == NULL)
    return NOVA_ERR_NO_MEMORY;
  if (nova__connmap_add(&b->map, conn, c) != 0) {
    nova_mem_free(b->mem, c);
    return NOVA_ERR_NO_MEMORY;
  }
  if (!reserve_timer(b)) {
    nova__connmap_remove(&b->map, conn);
    nova_mem_free(b->mem, c);
    return NOVA_ERR_NO_MEMORY;
  }
  c->conn = conn;
  c->state = NOVA__B_NEW;
  c->last = b->now;
  (void)nova_mqtt_stream_init(&c->stream, b->mem, b->options.packet_limit);
  if (b->options.connect_timeout != NOVA_TS_NONE)
    set_timer(b, c, nova_ts_add(b->now, b->options.connect_timeout));
  return 0;
}

/* What came of the bytes of |c|. */
static void intake(struct nova_broker *b, struct nova__bconn *c,
                   const struct nova_mqtt_out *out, int event) {
  if (event == NOVA_MQTT_PACKET)
    nova__broker_packet(b, c, out);
  else if (event == NOVA_MQTT_OVERSIZED)
    nova__broker_malformed(b, c, NOVA_ERR_MQTT_OVERSIZED);
  else if (event == NOVA_ERR_NO_MEMORY)
    nova__broker_no_memory(b, c);
  else
    nova__broker_malformed(b, c, event);
}

int nova_broker_feed(struct nova_broker *b, uint64_t conn, const char *p,
                     size_t n, nova_ts now) {
  settle(b, now);
  struct nova__bconn *c = nova__connmap_get(&b->map, conn);
  if (c == NULL)
    return 0;
  for (size_t at = 0, used; at < n && c->state != NOVA__B_ENDED && !c->deaf;
       at += used) {
    struct nova_mqtt_out out;
    int event = nova_mqtt_stream_feed(&c->stream, p + at, n - at, &used, &out);
    if (event == NOVA_MQTT_MORE)
      break;
    intake(b, c, &out, event);
    nova__broker_bury(b);
  }
  /* Between packets a connection holds no memory for the next one. */
  if (nova_mqtt_stream_pending(&c->stream) == 0)
    nova_mqtt_stream_free(&c->stream);
  return b->error;
}

static void end_event(struct nova_broker *b, uint64_t conn,
                      enum nova_broker_end how, enum nova__bfinal final) {
  struct nova__bconn *c = nova__connmap_get(&b->map, conn);
  if (c == NULL)
    return;
  nova__broker_end(b, c, how, 0, final);
  nova__broker_bury(b);
}

void nova_broker_eof(struct nova_broker *b, uint64_t conn, nova_ts now) {
  settle(b, now);
  end_event(b, conn, NOVA_BROKER_EOF, NOVA__B_FINAL_CLOSE);
}

void nova_broker_reset(struct nova_broker *b, uint64_t conn, nova_ts now) {
  settle(b, now);
  end_event(b, conn, NOVA_BROKER_LOST, NOVA__B_FINAL_GONE);
}

void nova_broker_close(struct nova_broker *b, uint64_t conn, nova_ts now) {
  settle(b, now);
  end_event(b, conn, NOVA_BROKER_CLOSED, NOVA__B_FINAL_CLOSE);
}

/* --- what the owner does ---------------------------------------------------
 */

static bool sound(const struct nova_broker_message *m) {
  return m->qos <= 2 && m->topic.n != 0 && m->topic.n <= NOVA_MQTT_STRING_MAX &&
         m->payload.n <= NOVA_MQTT_REMAINING_MAX - NOVA_MQTT_STRING_MAX - 4;
}

int nova_broker_publish(struct nova_broker *b,
                        const struct nova_broker_message *m, nova_ts now) {
  settle(b, now);
  if (!sound(m))
    return NOVA_ERR_ARGUMENT;
  struct nova__bpass p = {.m = *m};
  int error = nova__broker_route(b, &p);
  nova__broker_msg_unref(b, p.kept);
  nova__broker_bury(b);
  return error;
}

/* What one session has that matches. */
struct match {
  const struct nova__bsession *session;
  bool found;
  uint8_t qos;
};

static void look(void *user, const struct nova__bnode *n) {
  struct match *m = user;
  for (const struct nova__bsub *sub = n->subs; sub != NULL;
       sub = sub->node_next)
    if (sub->session == m->session) {
      m->qos = m->found && m->qos > sub->qos ? m->qos : sub->qos;
      m->found = true;
    }
}

bool nova_broker_subscribed(const struct nova_broker *b, uint64_t conn,
                            struct nova_view topic, uint8_t *qos) {
  const struct nova__bconn *c = nova__connmap_get(&b->map, conn);
  if (c == NULL || c->session == NULL)
    return false;
  struct match m = {.session = c->session};
  nova__btree_match(&b->tree, topic, look, &m);
  *qos = m.qos;
  return m.found;
}

int nova_broker_compose(struct nova_broker *b, uint64_t conn,
                        const struct nova_broker_message *m,
                        struct nova_buf *out, uint8_t *qos, uint16_t *packet_id,
                        nova_ts now) {
  uint8_t granted;
  settle(b, now);
  if (!sound(m))
    return NOVA_ERR_ARGUMENT;
  struct nova__bconn *c = nova__connmap_get(&b->map, conn);
  if (c == NULL || c->state != NOVA__B_CONNECTED ||
      !nova_broker_subscribed(b, conn, m->topic, &granted))
    return NOVA_ERR_STATE;
  struct nova__bpass p = {.m = *m};
  p.m.qos = granted < m->qos ? granted : m->qos;
  p.m.retain = false;
  int error = nova__broker_compose(b, c->session, &p, out, packet_id);
  nova__broker_msg_unref(b, p.kept);
  *qos = p.m.qos;
  return error;
}

void nova_broker_withhold(struct nova_broker *b, uint64_t conn,
                          unsigned types) {
  struct nova__bconn *c = nova__connmap_get(&b->map, conn);
  if (c != NULL)
    c->withheld = (uint16_t)(types & ~(1u << NOVA_MQTT_PUBLISH));
}

bool nova_broker_client(const struct nova_broker *b, uint64_t conn,
                        struct nova_broker_client *out) {
  const struct nova__bconn *c = nova__connmap_get(&b->map, conn);
  if (c == NULL)
    return false;
  *out =
      (struct nova_broker_client){.connected = c->state == NOVA__B_CONNECTED};
  if (!out->connected)
    return true;
  const struct nova__bsession *s = c->session;
  out->clean = s->clean;
  out->resumed = c->resumed;
  out->client_id = (struct nova_view){s->id, s->id_n};
  out->user_name = (struct nova_view){c->user_name, c->user_name_n};
  out->keep_alive = c->keep_alive;
  out->subscriptions = s->sub_n;
  out->inflight = s->inflight;
  return true;
}
