#include "peer/serve.h"

#include "peer/connmap.h"
#include "peer/control.h"
#include "peer/server_state.h"

/* Answers that wait for a control connection to read them. */
#define CONTROL_PENDING 100

/* What a connection is now. */
enum role {
  DEVICE, /* the server knows it */
  CONTROL,
  SECURING, /* TLS is not established; the server does not know it yet */
  CLOSING,  /* FIN is on its way; what comes in is dropped */
};

struct conn;

/* Connections that have a time to be dropped at, in the order of it. */
struct waiting {
  struct conn *first, *last;
};

struct conn {
  struct conn *prev, *next; /* of all */
  uint64_t id;
  enum role role;
  bool control;          /* it is, or was before it was CLOSING */
  size_t pending;        /* sends that are not out */
  bool eof;              /* the other side sends no more */
  nova_ts give_up;       /* SECURING, CLOSING: when it is dropped */
  struct waiting *waits; /* likewise: where it stands */
  struct conn *waiting_prev, *waiting_next;
  struct nova_line line; /* control only */
};

struct nova_serve {
  struct nova_transport *t;
  struct nova_server *server;
  struct nova_serve_options options;
  struct nova__connmap map;
  struct conn *all;
  struct waiting closing, securing;
  size_t controls;
  struct nova_tls tls;
  uint16_t port, mqtt_port, mqtts_port, control_port;
  bool dead;
};

/* --- connections -----------------------------------------------------------
 */

static void wait_for(struct waiting *w, struct conn *c, nova_ts when) {
  c->give_up = when;
  c->waits = w;
  c->waiting_prev = w->last;
  c->waiting_next = NULL;
  *(w->last != NULL ? &w->last->waiting_next : &w->first) = c;
  w->last = c;
}

static void wait_no_more(struct conn *c) {
  struct waiting *w = c->waits;
  if (w == NULL)
    return;
  *(c->waiting_prev != NULL ? &c->waiting_prev->waiting_next : &w->first) =
      c->waiting_next;
  *(c->waiting_next != NULL ? &c->waiting_next->waiting_prev : &w->last) =
      c->waiting_prev;
  c->waits = NULL;
}

static struct conn *add(struct nova_serve *v, uint64_t id, enum role role) {
  bool control = role == CONTROL;
  if (v->map.n >= NOVA_SERVE_CONNECTIONS ||
      (control && v->controls >= NOVA_SERVE_CONTROLS))
    return NULL;
  struct conn *c = nova_mem_zalloc(v->options.mem, sizeof *c);
  if (c == NULL || nova__connmap_add(&v->map, id, c) != 0) {
    nova_mem_free(v->options.mem, c);
    return NULL;
  }
  c->id = id;
  c->role = role;
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
  wait_no_more(c);
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
  if (c->role == CLOSING && c->eof && c->pending == 0)
    drop(v, c, false);
}

static void begin_close(struct nova_serve *v, struct conn *c, nova_ts now) {
  if (c->role == CLOSING)
    return;
  (void)v->t->ops->half_close(v->t, c->id);
  wait_no_more(c);
  c->role = CLOSING;
  wait_for(&v->closing, c, nova_ts_add(now, NOVA_SERVE_LINGER));
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
  if (c->role == DEVICE)
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
  if (v->closing.first != NULL)
    when = nova_ts_min(when, v->closing.first->give_up);
  if (v->securing.first != NULL)
    when = nova_ts_min(when, v->securing.first->give_up);
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

#define HAS(v, FAULT) NOVA__HAS((v)->server, FAULT)

/* The server hears of a connection that speaks MQTT. */
static void begin_mqtt(struct nova_serve *v, struct conn *c, nova_ts now) {
  wait_no_more(c);
  c->role = DEVICE;
  if (nova_server_accept_mqtt(v->server, c->id, now) != 0)
    drop(v, c, true);
}

static void on_accepted(struct nova_serve *v, const struct nova_event *e) {
  bool mqtts = e->listener == NOVA_SERVE_MQTTS && !HAS(v, M_TLS_PLAIN);
  struct conn *c = v->dead ? NULL
                           : add(v, e->id,
                                 mqtts                               ? SECURING
                                 : e->listener == NOVA_SERVE_CONTROL ? CONTROL
                                                                     : DEVICE);
  if (c == NULL) {
    v->t->ops->close(v->t, e->id, true);
  } else if (mqtts) {
    wait_for(&v->securing, c, nova_ts_add(e->t, NOVA_SERVE_HANDSHAKE));
    if (v->t->ops->secure(v->t, e->id, &v->tls) != 0)
      drop(v, c, true);
  } else if (e->listener == NOVA_SERVE_MQTT ||
             e->listener == NOVA_SERVE_MQTTS) {
    begin_mqtt(v, c, e->t);
  } else if (c->role == DEVICE &&
             nova_server_accept(v->server, e->id, e->t) != 0) {
    drop(v, c, true);
  }
}

static void on_secured(struct nova_serve *v, struct conn *c,
                       const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_SECURED && c->role == SECURING &&
      !HAS(v, M_TLS_NO_BACKEND)) {
    begin_mqtt(v, c, e->t);
    return;
  }
  /* TLS can fail later, too: nothing goes in or out any more then. */
  if (c->role == DEVICE)
    nova_server_reset(v->server, c->id, e->t);
  begin_close(v, c, e->t); /* not at once: an alert may be on its way */
}

static void on_bytes(struct nova_serve *v, struct conn *c,
                     const struct nova_event *e) {
  if (c->role == CONTROL)
    on_control(v, c, e->bytes, e->t);
  else if (c->role == DEVICE)
    (void)nova_server_feed(v->server, c->id, e->bytes.p, e->bytes.n, e->t);
}

static void on_eof(struct nova_serve *v, struct conn *c,
                   const struct nova_event *e) {
  c->eof = true;
  if (c->role == CLOSING)
    drop_if_done(v, c);
  else if (c->role != DEVICE)
    begin_close(v, c, e->t);
  else
    nova_server_eof(v->server, c->id, e->t);
}

static void on_reset(struct nova_serve *v, struct conn *c,
                     const struct nova_event *e) {
  if (c->role == DEVICE)
    nova_server_reset(v->server, c->id, e->t);
  /* The transport has let go of it already; to close an unknown id is harmless,
   * and right where it has not. */
  drop(v, c, true);
}

static void on_sent(struct nova_serve *v, struct conn *c) {
  if (c->pending > 0)
    c->pending--;
  if (c->role == DEVICE)
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
  else if (e->kind == NOVA_EVENT_SECURED || e->kind == NOVA_EVENT_INSECURE)
    on_secured(v, c, e);
  pump(v, e->t);
}

void nova_serve_expire(struct nova_serve *v, nova_ts now) {
  if (v->dead)
    return;
  nova_server_expire(v->server, now);
  while (v->closing.first != NULL && v->closing.first->give_up <= now)
    drop(v, v->closing.first, false);
  while (v->securing.first != NULL && v->securing.first->give_up <= now)
    drop(v, v->securing.first, false);
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

/* The certificate that a fault serves; GOOD: |tls|'s own. */
static enum nova_certificate certificate(const struct nova_serve *v) {
  if (HAS(v, M_TLS_SELF_SIGNED))
    return NOVA_CERTIFICATE_SELF_SIGNED;
  if (HAS(v, M_TLS_UNKNOWN_CA))
    return NOVA_CERTIFICATE_UNKNOWN_CA;
  if (HAS(v, M_TLS_EXPIRED))
    return NOVA_CERTIFICATE_EXPIRED;
  if (HAS(v, M_TLS_NOT_YET_VALID))
    return NOVA_CERTIFICATE_NOT_YET_VALID;
  return HAS(v, M_TLS_WRONG_NAME) ? NOVA_CERTIFICATE_WRONG_NAME
                                  : NOVA_CERTIFICATE_GOOD;
}

/* TLS as it was asked for, and as faults and variants have it. */
static void take_tls(struct nova_serve *v) {
  struct nova_tls *tls = &v->tls;
  const struct nova_certificates *all = v->options.certificates;
  *tls = *v->options.tls;
  tls->server = true;
  if (tls->lowest == NOVA_TLS_ANY)
    tls->lowest = NOVA_TLS_1_2;
  if (HAS(v, M_TLS_1_0) || HAS(v, M_TLS_1_1_MOST))
    tls->lowest = NOVA_TLS_1_0;
  if (HAS(v, M_TLS_1_1_MOST))
    tls->highest = NOVA_TLS_1_1;
  if (HAS(v, M_V_TLS_1_2_ONLY))
    tls->highest = NOVA_TLS_1_2;
  if (HAS(v, M_V_TLS_1_3_ONLY))
    tls->lowest = NOVA_TLS_1_3;
  if (HAS(v, M_TLS_CLIENT_OPTIONAL))
    tls->required = false;
  if (all != NULL && certificate(v) != NOVA_CERTIFICATE_GOOD)
    tls->own = all->server[certificate(v)];
  if (all != NULL && tls->ca.n > 0 && HAS(v, M_TLS_CLIENT_WRONG_CA))
    tls->ca = all->ca;
}

/* Listens where |host| says. Returns whether it does, or is not to. */
static bool listen_at(struct nova_serve *v, uint64_t listener, const char *host,
                      uint16_t port, uint16_t *bound, const char **why) {
  return host == NULL ||
         v->t->ops->listen(v->t, listener, host, port, bound, why) == 0;
}

/* Whether the options go together. */
static bool options_fit(const struct nova_serve *v, const char **why) {
  const struct nova_serve_options *o = &v->options;
  if (o->host == NULL && o->mqtt_host == NULL && o->mqtts_host == NULL)
    *why = "no address for devices is given";
  else if (o->mqtts_host != NULL && (o->tls == NULL || o->tls->own.cert.n == 0))
    *why = "MQTT over TLS needs a certificate";
  else if (o->mqtts_host != NULL && v->t->ops->secure == NULL)
    *why = "the transport has no TLS";
  else
    return true;
  return false;
}

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
  const struct nova_serve_options *o = &v->options;
  if (!options_fit(v, why) ||
      !listen_at(v, NOVA_SERVE_DEVICES, o->host, o->port, &v->port, why) ||
      !listen_at(v, NOVA_SERVE_MQTT, o->mqtt_host, o->mqtt_port, &v->mqtt_port,
                 why) ||
      !listen_at(v, NOVA_SERVE_MQTTS, o->mqtts_host, o->mqtts_port,
                 &v->mqtts_port, why) ||
      !listen_at(v, NOVA_SERVE_CONTROL, o->control_host, o->control_port,
                 &v->control_port, why)) {
    nova_serve_free(v);
    return NULL;
  }
  if (o->mqtts_host != NULL)
    take_tls(v);
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

uint16_t nova_serve_mqtt_port(const struct nova_serve *v) {
  return v->mqtt_port;
}

uint16_t nova_serve_mqtts_port(const struct nova_serve *v) {
  return v->mqtts_port;
}

uint16_t nova_serve_control_port(const struct nova_serve *v) {
  return v->control_port;
}
