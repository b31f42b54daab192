#include "unit/net/tls_world.h"

#include "net/certs.h"
#include "net/tls.h"

#include <string.h>
#include <time.h>

/* There is one world at a time: detach() is told of a transport alone. */
static struct tls_world *present;

static struct tls_world *tls_of(struct world *w) {
  return (struct tls_world *)w;
}

static struct nova_transport *attach(struct world *w) {
  struct tls_world *tls = tls_of(w);
  cr_assert_lt(tls->pairs, TLS_WORLD_PARTIES);
  struct nova_transport *inner = tls->attach(w);
  cr_assert_not_null(inner);
  struct nova_transport *outer = nova_tls_wrap(NULL, inner);
  cr_assert_not_null(outer);
  tls->pair[tls->pairs].inner = inner;
  tls->pair[tls->pairs++].outer = outer;
  return outer;
}

static void detach(struct nova_transport *t) {
  struct tls_world *tls = present;
  for (size_t i = 0; i < tls->pairs; i++) {
    if (tls->pair[i].outer != t)
      continue;
    nova_tls_unwrap(t);
    tls->detach(tls->pair[i].inner);
    tls->pair[i].outer = NULL;
    return;
  }
  cr_assert_fail("an unknown transport");
}

static void free_net(struct world *w) {
  struct tls_world *tls = tls_of(w);
  for (size_t i = 0; i < tls->pairs; i++)
    nova_tls_unwrap(tls->pair[i].outer);
  tls->free(w);
}

static const struct nova_event *secured(struct tls_world *tls, struct party *p,
                                        const struct nova_event *e) {
  for (size_t i = tls->pendings; i-- > 0;) {
    if (tls->pending[i].party != p || tls->pending[i].event.id != e->id)
      continue;
    tls->now = tls->pending[i].event;
    tls->now.t = e->t;
    if (tls->now.kind == NOVA_EVENT_ACCEPTED)
      tls->now.since = e->t;
    tls->pending[i] = tls->pending[--tls->pendings];
    return &tls->now;
  }
  return NULL;
}

static const struct nova_event *filter(struct party *p,
                                       const struct nova_event *e) {
  struct tls_world *tls = tls_of(p->world);
  const struct nova_certificates *list = nova_certs_get(tls->certs);
  if (e->kind == NOVA_EVENT_SECURED)
    return secured(tls, p, e);
  if (e->kind == NOVA_EVENT_INSECURE)
    return NULL;
  if (e->kind != NOVA_EVENT_CONNECTED && e->kind != NOVA_EVENT_ACCEPTED)
    return e;
  struct nova_tls how = {.server = e->kind == NOVA_EVENT_ACCEPTED,
                         .ca = list->ca,
                         .name = nova_view_of("localhost")};
  if (how.server) {
    how.ca = (struct nova_view){0};
    how.own = list->server[NOVA_CERTIFICATE_GOOD];
  }
  p->world->inside = true;
  cr_assert_eq(p->t->ops->secure(p->t, e->id, &how), 0);
  p->world->inside = false;
  cr_assert_lt(tls->pendings, TLS_WORLD_CONNECTIONS);
  tls->pending[tls->pendings].party = p;
  tls->pending[tls->pendings++].event = *e;
  return NULL;
}

/* The parties that the world was opened with are opened again, with TLS. */
static void open_world(struct tls_world *tls) {
  static const char *const names[] = {"localhost"};
  struct world *w = &tls->w;
  const char *why = NULL;
  present = tls;
  tls->certs = nova_certs_new(names, 1, (int64_t)time(NULL), &why);
  cr_assert_not_null(tls->certs, "%s", why);
  tls->attach = w->attach;
  tls->detach = w->detach;
  tls->free = w->free;
  w->detach(w->a.t);
  w->detach(w->b.t);
  party_free(&w->a);
  party_free(&w->b);
  w->attach = attach;
  w->detach = detach;
  w->free = free_net;
  w->filter = filter;
  party_open(w, &w->a);
  party_open(w, &w->b);
}

void tls_world_open_sim(struct tls_world *tls,
                        const struct nova_sim_options *options) {
  memset(tls, 0, sizeof *tls);
  world_open_sim(&tls->w, options);
  open_world(tls);
}

void tls_world_open_loop(struct tls_world *tls) {
  memset(tls, 0, sizeof *tls);
  world_open_loop(&tls->w);
  open_world(tls);
}

void tls_world_free(struct tls_world *tls) {
  world_free(&tls->w);
  nova_certs_free(tls->certs);
}
