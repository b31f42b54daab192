#include "unit/net/world.h"

#include "net/loop.h"
#include "net/sim.h"

#include <stdlib.h>
#include <unistd.h>

static void see(void *user, const struct nova_event *e) {
  struct party *p = user;
  struct world *w = p->world;
  cr_assert(!w->inside, "an event came from inside a call");
  cr_assert(e->since <= e->t, "the event ended before it began");
  if (w->filter != NULL && (e = w->filter(p, e)) == NULL)
    return;
  if (p->n == p->cap) {
    p->cap = p->cap == 0 ? 64 : p->cap * 2;
    p->seen = realloc(p->seen, p->cap * sizeof *p->seen);
    cr_assert_not_null(p->seen);
  }
  p->seen[p->n++] = (struct seen){e->kind,  e->id,      e->listener, e->t,
                                  e->since, e->bytes.n, e->code};
  if (e->kind == NOVA_EVENT_BYTES) {
    cr_assert_eq(nova_buf_append(&p->bytes, e->bytes.p, e->bytes.n), 0);
  } else {
    nova_buf_clear(&p->text);
    nova_buf_clear(&p->errors);
    cr_assert_eq(nova_buf_append(&p->text, e->bytes.p, e->bytes.n), 0);
    cr_assert_eq(nova_buf_append(&p->errors, e->errors.p, e->errors.n), 0);
  }
  if (p->on_event != NULL)
    p->on_event(p, e);
  if (w->done != NULL && w->done(w))
    w->stop(w);
}

static void expire(void *user, nova_ts now) {
  struct party *p = user;
  cr_assert(!p->world->inside, "expire came from inside a call");
  p->expired++;
  p->expired_at = now;
  if (p->world->done != NULL && p->world->done(p->world))
    p->world->stop(p->world);
}

void party_open(struct world *w, struct party *p) {
  *p = (struct party){.world = w};
  p->t = w->attach(w);
  cr_assert_not_null(p->t);
  p->t->handler = (struct nova_handler){see, expire, p};
  nova_buf_init(&p->bytes, NULL, (size_t)64 << 20);
  nova_buf_init(&p->text, NULL, (size_t)16 << 20);
  nova_buf_init(&p->errors, NULL, (size_t)1 << 20);
}

void party_free(struct party *p) {
  free(p->seen);
  nova_buf_free(&p->bytes);
  nova_buf_free(&p->text);
  nova_buf_free(&p->errors);
}

static void sim_run(struct world *w, nova_ts span) {
  nova_sim_run(w->net, nova_ts_add(nova_sim_now(w->net), span));
}

static void sim_stop(struct world *w) {
  nova_sim_stop(w->net);
}

static struct nova_transport *sim_attach(struct world *w) {
  return nova_sim_attach(w->net);
}

static void sim_free(struct world *w) {
  nova_sim_free(w->net);
}

static void world_open(struct world *w) {
  w->host = "127.0.0.1";
  party_open(w, &w->a);
  party_open(w, &w->b);
}

void world_open_sim(struct world *w, const struct nova_sim_options *options) {
  *w = (struct world){.run = sim_run,
                      .stop = sim_stop,
                      .attach = sim_attach,
                      .detach = nova_sim_detach,
                      .free = sim_free};
  w->net = nova_sim_new(NULL, options);
  cr_assert_not_null(w->net);
  world_open(w);
}

void world_free(struct world *w) {
  w->free(w);
  party_free(&w->a);
  party_free(&w->b);
}

void world_run(struct world *w, nova_ts span) {
  w->run(w, span);
}

size_t party_count(const struct party *p, enum nova_event_kind kind,
                   uint64_t id) {
  size_t n = 0;
  for (size_t i = 0; i < p->n; i++)
    n += p->seen[i].kind == kind && (id == 0 || p->seen[i].id == id);
  return n;
}

const struct seen *party_last(const struct party *p, enum nova_event_kind kind,
                              uint64_t id) {
  for (size_t i = p->n; i-- > 0;)
    if (p->seen[i].kind == kind && (id == 0 || p->seen[i].id == id))
      return &p->seen[i];
  return NULL;
}

/* What world_await() waits for. */
static struct {
  struct party *p;
  enum nova_event_kind kind;
  uint64_t id;
  size_t count, bytes;
} awaited;

static bool have_events(struct world *w) {
  (void)w;
  return party_count(awaited.p, awaited.kind, awaited.id) >= awaited.count;
}

static bool have_bytes(struct world *w) {
  (void)w;
  return awaited.p->bytes.len >= awaited.bytes;
}

void world_await(struct world *w, struct party *p, enum nova_event_kind kind,
                 uint64_t id, size_t count) {
  awaited.p = p;
  awaited.kind = kind;
  awaited.id = id;
  awaited.count = count;
  if (!have_events(w)) {
    w->done = have_events;
    w->run(w, 10 * NOVA_SEC);
    w->done = NULL;
  }
  cr_assert(have_events(w), "%c: %zu of %zu events of kind %d",
            p == &w->a ? 'a' : 'b', party_count(p, kind, id), count, (int)kind);
}

void world_await_bytes(struct world *w, struct party *p, size_t n) {
  awaited.p = p;
  awaited.bytes = n;
  if (!have_bytes(w)) {
    w->done = have_bytes;
    w->run(w, 30 * NOVA_SEC);
    w->done = NULL;
  }
  cr_assert(have_bytes(w), "%zu of %zu bytes", p->bytes.len, n);
}

int net_connect(struct party *p, uint64_t id, const char *host, uint16_t port,
                nova_ts timeout) {
  p->world->inside = true;
  int err = p->t->ops->connect(p->t, id, host, port, timeout);
  p->world->inside = false;
  return err;
}

uint16_t net_listen(struct party *p, uint64_t listener, const char *host,
                    uint16_t port) {
  uint16_t bound = 0;
  const char *why = NULL;
  p->world->inside = true;
  int err = p->t->ops->listen(p->t, listener, host, port, &bound, &why);
  p->world->inside = false;
  cr_assert_eq(err, 0, "%s", why != NULL ? why : "no reason");
  cr_assert_neq(bound, 0);
  return bound;
}

int net_send(struct party *p, uint64_t id, const char *bytes, size_t n) {
  p->world->inside = true;
  int err = p->t->ops->send(p->t, id, bytes, n);
  p->world->inside = false;
  return err;
}

int net_half_close(struct party *p, uint64_t id) {
  p->world->inside = true;
  int err = p->t->ops->half_close(p->t, id);
  p->world->inside = false;
  return err;
}

void net_close(struct party *p, uint64_t id, bool rst) {
  p->world->inside = true;
  p->t->ops->close(p->t, id, rst);
  p->world->inside = false;
}

void net_pause(struct party *p, uint64_t id, bool paused) {
  p->world->inside = true;
  p->t->ops->pause(p->t, id, paused);
  p->world->inside = false;
}

void net_wake_at(struct party *p, nova_ts when) {
  p->world->inside = true;
  p->t->ops->wake_at(p->t, when);
  p->world->inside = false;
}

nova_ts net_now(struct party *p) {
  return p->t->ops->now(p->t);
}

uint64_t world_join(struct world *w) {
  uint16_t port = net_listen(&w->a, 7, w->host, 0);
  cr_assert_eq(net_connect(&w->b, 1, w->host, port, 5 * NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_CONNECTED, 1, 1);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, 1);
  return party_last(&w->a, NOVA_EVENT_ACCEPTED, 0)->id;
}

void fill(char *p, size_t n, uint32_t salt) {
  for (size_t i = 0; i < n; i++) {
    uint32_t x = ((uint32_t)i + salt) * UINT32_C(2654435761);
    p[i] = (char)(x >> 24);
  }
}

static void loop_run(struct world *w, nova_ts span) {
  nova_loop_run_for(w->net, span);
}

static void loop_stop(struct world *w) {
  nova_loop_stop(w->net);
}

static struct nova_transport *loop_attach(struct world *w) {
  return nova_loop_attach(w->net);
}

static void loop_free(struct world *w) {
  nova_loop_free(w->net);
}

void world_open_loop(struct world *w) {
  /* A test that hangs is ended. (Criterion's own time limit leaks memory in its
   * runner, which the leak checker then reports.) */
  alarm(60);
  *w = (struct world){.run = loop_run,
                      .stop = loop_stop,
                      .attach = loop_attach,
                      .detach = nova_loop_detach,
                      .free = loop_free};
  w->net = nova_loop_new(NULL);
  cr_assert_not_null(w->net);
  world_open(w);
}
