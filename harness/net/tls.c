/* TLS over a transport: which connections are secured, what is told to the user
 * and when. No event is told from inside a call. */
#include "net/tls_internal.h"

#include "net/idmap.h"

#include "base/error.h"

#include <openssl/crypto.h>
#include <string.h>

static struct nova__tls_wrap *wrap_of(struct nova_transport *t) {
  return (struct nova__tls_wrap *)t;
}

void nova__tls_tell(struct nova__tls_wrap *w, struct nova_event *event) {
  if (w->dead)
    return;
  if (event->t < w->last)
    event->t = w->last;
  w->last = event->t;
  if (event->since > event->t)
    event->since = event->t;
  if (w->base.handler.event != NULL)
    w->base.handler.event(w->base.handler.user, event);
}

/* What cannot be told or done at once. */

static void arm(struct nova__tls_wrap *w) {
  nova_ts when = w->wake;
  if (w->later != NULL)
    when = nova_ts_min(when, w->later_at);
  w->inner->ops->wake_at(w->inner, when);
}

static void not_later(struct nova__tls_conn *c) {
  struct nova__tls_wrap *w = c->wrap;
  if (!c->later)
    return;
  c->later = false;
  c->prev_later->next_later = c->next_later;
  c->next_later->prev_later = c->prev_later;
  if (w->later == c)
    w->later = c->next_later != c ? c->next_later : NULL;
}

/* Something is to be done for |c| in |ms| milliseconds, 0: as soon as can be.
 */
void nova__tls_later(struct nova__tls_conn *c, unsigned ms) {
  struct nova__tls_wrap *w = c->wrap;
  nova_ts now = w->inner->ops->now(w->inner);
  /* The loop's timers count whole milliseconds: the one that has begun is the
   * one that does not wait. */
  nova_ts when = ms == 0 ? now - now % NOVA_MS : now + ms * NOVA_MS;
  if (!c->later) {
    c->later = true;
    if (w->later == NULL) {
      c->prev_later = c->next_later = c;
      w->later = c;
      w->later_at = when;
    } else {
      c->next_later = w->later;
      c->prev_later = w->later->prev_later;
      c->prev_later->next_later = c->next_later->prev_later = c;
    }
  }
  c->turn = w->turn;
  w->later_at = nova_ts_min(w->later_at, when);
  arm(w);
}

/* Nothing is heard of it from now on, and its id is free. */
void nova__tls_leave(struct nova__tls_conn *c) {
  if (c->closed)
    return;
  c->closed = true;
  not_later(c);
  nova__idmap_remove(&c->wrap->conns, c->id);
  nova__tls_unpin(c);
}

static struct nova__tls_conn *find(struct nova_transport *t, uint64_t id) {
  return nova__idmap_get(&wrap_of(t)->conns, id);
}

/* The inner's handler. */

static void enter(struct nova__tls_wrap *w) {
  w->depth++;
}

static void wrap_free(struct nova__tls_wrap *w) {
  nova__idmap_free(&w->conns);
  nova__idmap_free(&w->fresh);
  nova__tls_contexts_free(&w->contexts);
  OPENSSL_cleanse(w->plain, sizeof w->plain);
  nova_mem_free(w->mem, w);
}

static void exit_from(struct nova__tls_wrap *w) {
  if (--w->depth == 0 && w->dead)
    wrap_free(w);
}

/* A connection that nobody has secured. */
static void pass_on(struct nova__tls_wrap *w, const struct nova_event *e) {
  struct nova_event event = *e;
  switch (e->kind) {
  case NOVA_EVENT_CONNECTED:
  case NOVA_EVENT_ACCEPTED:
    /* Without memory for it secure() fails. A party that crashed may have left
     * the id behind. */
    nova__idmap_remove(&w->fresh, e->id);
    (void)nova__idmap_add(&w->fresh, e->id, w);
    break;
  case NOVA_EVENT_BYTES:
  case NOVA_EVENT_EOF:
  case NOVA_EVENT_RESET: nova__idmap_remove(&w->fresh, e->id); break;
  case NOVA_EVENT_REFUSED:
  case NOVA_EVENT_SENT:
  case NOVA_EVENT_JOB:
  case NOVA_EVENT_SECURED:
  case NOVA_EVENT_INSECURE: break;
  }
  nova__tls_tell(w, &event);
}

static void on_event(void *user, const struct nova_event *e) {
  struct nova__tls_wrap *w = user;
  struct nova__tls_conn *c =
      e->kind != NOVA_EVENT_JOB ? nova__idmap_get(&w->conns, e->id) : NULL;
  enter(w);
  if (c == NULL) {
    pass_on(w, e);
  } else {
    c->pins++;
    if (e->kind == NOVA_EVENT_BYTES)
      nova__tls_bytes(c, e);
    else if (e->kind == NOVA_EVENT_SENT)
      nova__tls_sent(c, e);
    else if (e->kind == NOVA_EVENT_EOF || e->kind == NOVA_EVENT_RESET)
      nova__tls_end(c, e);
    nova__tls_unpin(c);
  }
  exit_from(w);
}

/* What was put off: the rest of what came, INSECURE after a call, memory. */
static void catch_up(struct nova__tls_conn *c) {
  if (c->gone)
    return;
  c->pins++;
  nova__tls_retry(c);
  if (!c->closed && c->phase != NOVA__TLS_SHAKING) {
    nova_ts now = c->wrap->inner->ops->now(c->wrap->inner);
    if (c->failed_due && c->arrived < now)
      c->arrived = now;
    nova__tls_say(c);
  }
  if (!c->closed)
    nova__tls_settle(c);
  nova__tls_unpin(c);
}

static void on_expire(void *user, nova_ts now) {
  struct nova__tls_wrap *w = user;
  enter(w);
  if (w->later != NULL && w->later_at <= now) {
    /* Those that come up meanwhile wait for the next turn. */
    struct nova__tls_conn *c;
    w->later_at = NOVA_TS_NONE;
    w->turn++;
    while ((c = w->later) != NULL && c->turn != w->turn) {
      not_later(c);
      catch_up(c);
    }
  }
  if (!w->dead && w->wake <= now) {
    w->wake = NOVA_TS_NONE;
    if (now > w->last)
      w->last = now;
    if (w->base.handler.expire != NULL)
      w->base.handler.expire(w->base.handler.user, now);
  }
  if (!w->dead)
    arm(w);
  exit_from(w);
}

/* The calls. */

static nova_ts op_now(struct nova_transport *t) {
  struct nova__tls_wrap *w = wrap_of(t);
  nova_ts now = w->inner->ops->now(w->inner);
  if (now > w->last)
    w->last = now;
  return w->last;
}

static uint64_t op_unix_ns(struct nova_transport *t) {
  struct nova_transport *inner = wrap_of(t)->inner;
  return inner->ops->unix_ns(inner);
}

static int op_connect(struct nova_transport *t, uint64_t id, const char *host,
                      uint16_t port, nova_ts timeout) {
  struct nova_transport *inner = wrap_of(t)->inner;
  struct nova__tls_conn *c = find(t, id);
  if (c != NULL && c->gone)
    return NOVA_ERR_ARGUMENT;
  int err = inner->ops->connect(inner, id, host, port, timeout);
  /* The inner may have lost it without a word, as a crashed party does. */
  if (err == 0 && c != NULL)
    nova__tls_leave(c);
  return err;
}

static int op_listen(struct nova_transport *t, uint64_t listener,
                     const char *host, uint16_t port, uint16_t *bound,
                     const char **why) {
  struct nova_transport *inner = wrap_of(t)->inner;
  return inner->ops->listen(inner, listener, host, port, bound, why);
}

static void op_unlisten(struct nova_transport *t, uint64_t listener) {
  struct nova_transport *inner = wrap_of(t)->inner;
  inner->ops->unlisten(inner, listener);
}

static int op_run(struct nova_transport *t, uint64_t id,
                  const struct nova_job *job) {
  struct nova_transport *inner = wrap_of(t)->inner;
  return inner->ops->run(inner, id, job);
}

static void op_stop(struct nova_transport *t, uint64_t id) {
  struct nova_transport *inner = wrap_of(t)->inner;
  inner->ops->stop(inner, id);
}

static void op_wake_at(struct nova_transport *t, nova_ts when) {
  wrap_of(t)->wake = when;
  arm(wrap_of(t));
}

static int op_send(struct nova_transport *t, uint64_t id, const char *p,
                   size_t n) {
  struct nova__tls_wrap *w = wrap_of(t);
  struct nova__tls_conn *c = find(t, id);
  if (c == NULL) {
    nova__idmap_remove(&w->fresh, id);
    return w->inner->ops->send(w->inner, id, p, n);
  }
  return nova__tls_send(c, p, n);
}

static int op_half_close(struct nova_transport *t, uint64_t id) {
  struct nova__tls_wrap *w = wrap_of(t);
  struct nova__tls_conn *c = find(t, id);
  if (c == NULL) {
    nova__idmap_remove(&w->fresh, id);
    return w->inner->ops->half_close(w->inner, id);
  }
  return nova__tls_half_close(c);
}

static void op_close(struct nova_transport *t, uint64_t id, bool rst) {
  struct nova__tls_wrap *w = wrap_of(t);
  struct nova__tls_conn *c = find(t, id);
  nova__idmap_remove(&w->fresh, id);
  if (c == NULL) {
    w->inner->ops->close(w->inner, id, rst);
    return;
  }
  if (!rst)
    nova__tls_bye(c);
  if (!c->gone)
    w->inner->ops->close(w->inner, id, rst);
  nova__tls_leave(c);
}

static void op_pause(struct nova_transport *t, uint64_t id, bool paused) {
  struct nova__tls_wrap *w = wrap_of(t);
  struct nova__tls_conn *c = find(t, id);
  if (c == NULL) {
    w->inner->ops->pause(w->inner, id, paused);
    return;
  }
  if (c->paused == paused)
    return;
  c->paused = paused;
  /* What came before is told first, and not from here. */
  if (!paused && nova__tls_more(c))
    nova__tls_later(c, 0);
  else
    nova__tls_settle(c);
}

static int op_secure(struct nova_transport *t, uint64_t id,
                     const struct nova_tls *how) {
  struct nova__tls_wrap *w = wrap_of(t);
  if (nova__idmap_get(&w->fresh, id) == NULL)
    return NOVA_ERR_STATE;
  int err = nova__tls_begin(w, id, how);
  if (err == 0)
    nova__idmap_remove(&w->fresh, id);
  return err;
}

static const struct nova_transport_ops ops = {
    .now = op_now,
    .unix_ns = op_unix_ns,
    .connect = op_connect,
    .listen = op_listen,
    .send = op_send,
    .half_close = op_half_close,
    .close = op_close,
    .pause = op_pause,
    .run = op_run,
    .stop = op_stop,
    .wake_at = op_wake_at,
    .unlisten = op_unlisten,
    .secure = op_secure,
};

struct nova_transport *nova_tls_wrap(const struct nova_mem *mem,
                                     struct nova_transport *inner) {
  struct nova__tls_wrap *w = nova_mem_zalloc(mem, sizeof *w);
  if (w == NULL)
    return NULL;
  w->base.ops = &ops;
  w->mem = mem;
  w->inner = inner;
  w->wake = NOVA_TS_NONE;
  nova__idmap_init(&w->conns, mem);
  nova__idmap_init(&w->fresh, mem);
  nova__tls_contexts_init(&w->contexts, mem);
  inner->handler = (struct nova_handler){on_event, on_expire, w};
  return &w->base;
}

void nova_tls_unwrap(struct nova_transport *t) {
  struct nova__tls_wrap *w = (struct nova__tls_wrap *)t;
  void *p;
  if (w == NULL)
    return;
  while ((p = nova__idmap_any(&w->conns)) != NULL)
    nova__tls_leave(p);
  w->dead = true;
  w->inner->handler = (struct nova_handler){0};
  if (w->depth == 0)
    wrap_free(w);
}
