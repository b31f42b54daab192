#include "peer/serve.h"

#include "peer/connmap.h"
#include "peer/control.h"

/* Answers that wait for a control connection to read them. */
#define CONTROL_PENDING 100

struct conn {
  struct conn *prev, *next; /* of all */
  uint64_t id;
  bool control;
  size_t pending;  /* sends that are not out */
  bool eof;        /* the other side sends no more */
  bool closing;    /* FIN is on its way; what comes in is dropped */
  nova_ts give_up; /* closing: when the rest is dropped */
  struct conn *closing_prev, *closing_next;
  struct nova_line line; /* control only */
};

struct nova_serve {
  struct nova_transport *t;
  struct nova_server *server;
  struct nova_serve_options options;
  struct nova__connmap map;
  struct conn *all;
  struct conn *closing, *closing_last; /* in the order of give_up */
  size_t controls;
  uint16_t port, control_port;
  bool dead;
};

/* --- connections -----------------------------------------------------------
 */

static struct conn *add(struct nova_serve *v, uint64_t id, bool control) {
  if (v->map.n >= NOVA_SERVE_CONNECTIONS ||
      (control && v->controls >= NOVA_SERVE_CONTROLS))
    return NULL;
  struct conn *c = nova_mem_zalloc(v->options.mem, sizeof *c);
  if (c == NULL || nova__connmap_add(&v->map, id, c) != 0) {
    nova_mem_free(v->options.mem, c);
    return NULL;
  }
  c->id = id;
  c->control = control;
  v->controls += control;
  (void)nova_line_init(&c->line, v->options.mem, NOVA_LINE_LIMIT);
  c->next = v->all;
  if (c->next != NULL)
    c->next->prev = c;
  v->all = c;
  return c;
}

static void forget(struct nova_serve *v, struct conn *c) {
  nova__connmap_remove(&v->map, c->id);
  *(c->prev != NULL ? &c->prev->next : &v->all) = c->next;
  if (c->next != NULL)
    c->next->prev = c->prev;
  if (c->closing) {
    *(c->closing_prev != NULL ? &c->closing_prev->closing_next : &v->closing) =
        c->closing_next;
    *(c->closing_next != NULL ? &c->closing_next->closing_prev
                              : &v->closing_last) = c->closing_prev;
  }
  v->controls -= c->control;
  nova_line_free(&c->line);
  nova_mem_free(v->options.mem, c);
}

/* The connection ends here and now. */
static void drop(struct nova_serve *v, struct conn *c, bool rst) {
  v->t->ops->close(v->t, c->id, rst);
  forget(v, c);
}

/* Both sides are done: nothing that could be lost is left. */
static void drop_if_done(struct nova_serve *v, struct conn *c) {
  if (c->closing && c->eof && c->pending == 0)
    drop(v, c, false);
}

static void begin_close(struct nova_serve *v, struct conn *c, nova_ts now) {
  if (c->closing)
    return;
  (void)v->t->ops->half_close(v->t, c->id);
  c->closing = true;
  c->give_up = nova_ts_add(now, NOVA_SERVE_LINGER);
  c->closing_prev = v->closing_last;
  *(v->closing_last != NULL ? &v->closing_last->closing_next : &v->closing) = c;
  v->closing_last = c;
  drop_if_done(v, c);
}

/* Returns false where the connection was lost with it. */
static bool transmit(struct nova_serve *v, struct conn *c,
                     struct nova_view bytes, nova_ts now) {
  int err = v->t->ops->send(v->t, c->id, bytes.p, bytes.n);
  if (err == 0) {
    c->pending++;
    return true;
  }
  if (!c->control)
    nova_server_reset(v->server, c->id, now);
  drop(v, c, true);
  return false;
}

/* --- the server's outputs --------------------------------------------------
 */

static void crash(struct nova_serve *v) {
  v->dead = true;
  while (v->all != NULL)
    drop(v, v->all, true);
  if (v->options.crashed != NULL)
    v->options.crashed(v->options.user);
}

/* Carries out what the server wants and sets the clock for what it will. */
static void pump(struct nova_serve *v, nova_ts now) {
  struct nova_server_out out;
  while (!v->dead && nova_server_next_output(v->server, &out)) {
    if (out.kind == NOVA_SERVER_CRASH) {
      crash(v);
      break;
    }
    struct conn *c = nova__connmap_get(&v->map, out.conn);
    if (c == NULL)
      continue;
    if (out.kind == NOVA_SERVER_SEND)
      (void)transmit(v, c, out.bytes, now);
    else if (out.kind == NOVA_SERVER_CLOSE)
      begin_close(v, c, now);
    else
      drop(v, c, true);
  }
  if (v->dead)
    return;
  nova_ts when = nova_server_next_deadline(v->server);
  if (v->closing != NULL)
    when = nova_ts_min(when, v->closing->give_up);
  v->t->ops->wake_at(v->t, when);
}

/* --- control ---------------------------------------------------------------
 */

/* Handles one request. Returns false where the connection was lost. */
static bool answer(struct nova_serve *v, struct conn *c, int event,
                   struct nova_view frame, nova_ts now) {
  static const char too_long[] =
      "{\"ok\":false,\"error\":\"the request is too long\"}\n";
  struct nova_buf out;
  nova_buf_init(&out, v->options.mem, (size_t)8 * 1024 * 1024);
  int err = event == NOVA_LINE_FRAME
                ? nova_server_control(v->server, frame.p, frame.n, now, &out)
                : nova_buf_puts(&out, too_long);
  bool alive = err == 0 && c->pending < CONTROL_PENDING;
  if (!alive)
    drop(v, c, true);
  else
    alive = transmit(v, c, nova_buf_view(&out), now);
  nova_buf_free(&out);
  return alive;
}

static void on_control(struct nova_serve *v, struct conn *c,
                       struct nova_view bytes, nova_ts now) {
  while (bytes.n > 0) {
    size_t used = 0;
    struct nova_line_out line;
    int event = nova_line_feed(&c->line, bytes.p, bytes.n, &used, &line);
    if (event < 0) {
      drop(v, c, true);
      return;
    }
    bytes.p += used;
    bytes.n -= used;
    if (event != NOVA_LINE_MORE && !answer(v, c, event, line.frame, now))
      return;
  }
}

/* --- events ----------------------------------------------------------------
 */

static void on_accepted(struct nova_serve *v, const struct nova_event *e) {
  bool control = e->listener == NOVA_SERVE_CONTROL;
  struct conn *c = v->dead ? NULL : add(v, e->id, control);
  if (c == NULL)
    v->t->ops->close(v->t, e->id, true);
  else if (!control && nova_server_accept(v->server, e->id, e->t) != 0)
    drop(v, c, true);
}

static void on_bytes(struct nova_serve *v, struct conn *c,
                     const struct nova_event *e) {
  if (c->closing)
    return;
  if (c->control)
    on_control(v, c, e->bytes, e->t);
  else
    (void)nova_server_feed(v->server, c->id, e->bytes.p, e->bytes.n, e->t);
}

static void on_eof(struct nova_serve *v, struct conn *c,
                   const struct nova_event *e) {
  c->eof = true;
  if (c->closing)
    drop_if_done(v, c);
  else if (c->control)
    begin_close(v, c, e->t);
  else
    nova_server_eof(v->server, c->id, e->t);
}

static void on_reset(struct nova_serve *v, struct conn *c,
                     const struct nova_event *e) {
  if (!c->control)
    nova_server_reset(v->server, c->id, e->t);
  /* The transport has let go of it already; to close an unknown id is harmless,
   * and right where it has not. */
  drop(v, c, true);
}

static void on_sent(struct nova_serve *v, struct conn *c) {
  if (c->pending > 0)
    c->pending--;
  if (!c->control)
    nova_server_sent(v->server, c->id);
  drop_if_done(v, c);
}

void nova_serve_event(struct nova_serve *v, const struct nova_event *e) {
  struct conn *c = nova__connmap_get(&v->map, e->id);
  if (e->kind == NOVA_EVENT_ACCEPTED)
    on_accepted(v, e);
  else if (c == NULL)
    return;
  else if (e->kind == NOVA_EVENT_BYTES)
    on_bytes(v, c, e);
  else if (e->kind == NOVA_EVENT_EOF)
    on_eof(v, c, e);
  else if (e->kind == NOVA_EVENT_RESET)
    on_reset(v, c, e);
  else if (e->kind == NOVA_EVENT_SENT)
    on_sent(v, c);
  pump(v, e->t);
}

void nova_serve_expire(struct nova_serve *v, nova_ts now) {
  if (v->dead)
    return;
  nova_server_expire(v->server, now);
  while (v->closing != NULL && v->closing->give_up <= now)
    drop(v, v->closing, false);
  pump(v, now);
}

static void handle_event(void *user, const struct nova_event *event) {
  nova_serve_event(user, event);
}

static void handle_expire(void *user, nova_ts now) {
  nova_serve_expire(user, now);
}

/* --- the whole -------------------------------------------------------------
 */

struct nova_serve *nova_serve_new(struct nova_transport *transport,
                                  struct nova_server *server,
                                  const struct nova_serve_options *options,
                                  const char **why) {
  struct nova_serve *v = nova_mem_zalloc(options->mem, sizeof *v);
  *why = "out of memory";
  if (v == NULL)
    return NULL;
  v->t = transport;
  v->server = server;
  v->options = *options;
  nova__connmap_init(&v->map, options->mem);
  const struct nova_transport_ops *ops = transport->ops;
  if (ops->listen(transport, NOVA_SERVE_DEVICES, options->host, options->port,
                  &v->port, why) != 0 ||
      (options->control_host != NULL &&
       ops->listen(transport, NOVA_SERVE_CONTROL, options->control_host,
                   options->control_port, &v->control_port, why) != 0)) {
    nova_serve_free(v);
    return NULL;
  }
  transport->handler = (struct nova_handler){handle_event, handle_expire, v};
  return v;
}

void nova_serve_free(struct nova_serve *v) {
  if (v == NULL)
    return;
  while (v->all != NULL)
    drop(v, v->all, false);
  nova__connmap_free(&v->map);
  nova_mem_free(v->options.mem, v);
}

uint16_t nova_serve_port(const struct nova_serve *v) {
  return v->port;
}

uint16_t nova_serve_control_port(const struct nova_serve *v) {
  return v->control_port;
}
