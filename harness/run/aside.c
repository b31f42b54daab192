/* What a spawned device does beside its conversation: one that speaks on all of
 * its ports at once is served on the others by the reference server, so that
 * it is not held up there. Nothing of it is judged or recorded. */
#include "run/state.h"

#include "base/error.h"
#include "peer/server.h"

/* Connections at once; more are reset. */
#define ASIDE_MOST 512

struct aside_conn {
  uint64_t id;
  enum nova_link_kind over;
  bool served; /* the server knows it; over TLS it waits for the handshake */
};

struct nova__aside {
  struct nova_server *server;
  struct aside_conn conn[ASIDE_MOST];
  size_t n;
};

static struct aside_conn *find(const struct nova_run *r, uint64_t id) {
  for (size_t i = 0; r->aside != NULL && i < r->aside->n; i++)
    if (r->aside->conn[i].id == id)
      return &r->aside->conn[i];
  return NULL;
}

static void forget(struct nova_run *r, struct aside_conn *c) {
  *c = r->aside->conn[--r->aside->n];
}

/* The server is made when somebody comes for the first time. NULL without
 * memory. */
static struct nova__aside *aside(struct nova_run *r) {
  if (r->aside != NULL)
    return r->aside;
  const struct nova_profile *p = &r->profile;
  struct nova__aside *a = nova_mem_zalloc(r->o.mem, sizeof *a);
  struct nova_credential *list =
      NOVA_NEW_ARRAY(&r->arena, struct nova_credential, p->devices + 1);
  if (a == NULL || list == NULL) {
    nova_mem_free(r->o.mem, a);
    return NULL;
  }
  for (size_t i = 0; i < p->devices; i++)
    list[i] = (struct nova_credential){nova_view_of(p->device[i].id),
                                       nova_view_of(p->device[i].key)};
  const struct nova_transport_ops *ops = r->o.transport->ops;
  a->server = nova_server_new(&(struct nova_server_options){
      .mem = r->o.mem,
      .auth_timeout = p->timers.span[NOVA_TIMER_auth_timeout],
      .idle_timeout = p->timers.span[NOVA_TIMER_idle_timeout],
      .unix_base = ops->unix_ns(r->o.transport) - nova__now(r),
      .seed = r->o.seed,
      .devices = list,
      .device_count = p->devices});
  if (a->server == NULL) {
    nova_mem_free(r->o.mem, a);
    return NULL;
  }
  r->aside = a;
  return a;
}

static void take_outputs(struct nova_run *r) {
  struct nova_transport *t = r->o.transport;
  struct nova_server_out out;
  while (r->aside != NULL && nova_server_next_output(r->aside->server, &out)) {
    struct aside_conn *c = find(r, out.conn);
    if (c == NULL)
      continue;
    if (out.kind != NOVA_SERVER_SEND) {
      t->ops->close(t, c->id, out.kind == NOVA_SERVER_RESET);
      forget(r, c);
    } else if (t->ops->send(t, c->id, out.bytes.p, out.bytes.n) != 0) {
      nova_server_sent(r->aside->server, out.conn);
    }
  }
}

/* A connection that can be talked on. */
static void serve(struct nova_run *r, struct aside_conn *c) {
  struct nova_server *s = r->aside->server;
  nova_ts now = nova__now(r);
  int err = c->over == NOVA_OVER_TCP ? nova_server_accept(s, c->id, now)
                                     : nova_server_accept_mqtt(s, c->id, now);
  c->served = err == 0;
  if (err == 0)
    return;
  r->o.transport->ops->close(r->o.transport, c->id, true);
  forget(r, c);
}

void nova__aside_enter(struct nova_run *r, const struct nova_event *e) {
  struct nova_transport *t = r->o.transport;
  struct nova__aside *a = aside(r);
  if (a == NULL || a->n == ASIDE_MOST) {
    t->ops->close(t, e->id, true);
    return;
  }
  struct aside_conn *c = &a->conn[a->n++];
  *c = (struct aside_conn){e->id, nova__listener_over(e->listener), false};
  if (c->over != NOVA_OVER_MQTTS) {
    serve(r, c);
  } else if (nova__begin_tls_at(r, c->id) != 0) {
    t->ops->close(t, c->id, true);
    forget(r, c);
  }
  take_outputs(r);
}

bool nova__aside_event(struct nova_run *r, const struct nova_event *e) {
  struct aside_conn *c = e->kind != NOVA_EVENT_JOB ? find(r, e->id) : NULL;
  if (c == NULL)
    return false;
  struct nova_transport *t = r->o.transport;
  struct nova_server *s = r->aside->server;
  bool over = false;
  switch (e->kind) {
  case NOVA_EVENT_SECURED: serve(r, c); break;
  case NOVA_EVENT_BYTES:
    if (c->served)
      nova_server_feed(s, c->id, e->bytes.p, e->bytes.n, e->t);
    break;
  case NOVA_EVENT_SENT: nova_server_sent(s, c->id); break;
  case NOVA_EVENT_EOF:
    over = !c->served;
    if (c->served)
      nova_server_eof(s, c->id, e->t);
    break;
  case NOVA_EVENT_INSECURE: over = true; break;
  case NOVA_EVENT_RESET:
    if (c->served)
      nova_server_reset(s, c->id, e->t);
    forget(r, c);
    break;
  case NOVA_EVENT_CONNECTED:
  case NOVA_EVENT_REFUSED:
  case NOVA_EVENT_ACCEPTED:
  case NOVA_EVENT_JOB: break;
  }
  if (over) {
    if (c->served)
      nova_server_reset(s, c->id, e->t);
    t->ops->close(t, c->id, false);
    forget(r, c);
  }
  take_outputs(r);
  return true;
}

nova_ts nova__aside_deadline(const struct nova_run *r) {
  return r->aside != NULL && r->aside->n != 0
             ? nova_server_next_deadline(r->aside->server)
             : NOVA_TS_NONE;
}

void nova__aside_expire(struct nova_run *r, nova_ts now) {
  if (r->aside == NULL)
    return;
  nova_server_expire(r->aside->server, now);
  take_outputs(r);
}

void nova__aside_close(struct nova_run *r) {
  while (r->aside != NULL && r->aside->n != 0) {
    struct aside_conn *c = &r->aside->conn[r->aside->n - 1];
    r->o.transport->ops->close(r->o.transport, c->id, false);
    forget(r, c);
  }
}

void nova__aside_free(struct nova_run *r) {
  if (r->aside == NULL)
    return;
  nova_server_free(r->aside->server);
  nova_mem_free(r->o.mem, r->aside);
  r->aside = NULL;
}
