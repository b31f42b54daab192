#include "unit/net/tls_rig.h"

#include <string.h>
#include <time.h>

static struct tls_end *end_of(struct party *p) {
  struct tls_rig *r = (struct tls_rig *)p->world;
  return p == &r->w.a ? &r->a : &r->b;
}

static void on_event(struct party *p, const struct nova_event *e) {
  struct tls_rig *r = (struct tls_rig *)p->world;
  struct tls_end *end = end_of(p);
  bool begins =
      e->kind == NOVA_EVENT_CONNECTED || e->kind == NOVA_EVENT_ACCEPTED;
  if (e->kind == NOVA_EVENT_ACCEPTED)
    r->id = e->id;
  if (begins && !end->plain) {
    p->world->inside = true;
    end->err = p->t->ops->secure(p->t, e->id, &end->how);
    p->world->inside = false;
  }
  if (e->kind == NOVA_EVENT_SECURED || e->kind == NOVA_EVENT_INSECURE) {
    cr_assert_lt(e->bytes.n, sizeof end->said);
    memcpy(end->said, e->bytes.p, e->bytes.n);
    end->said[e->bytes.n] = '\0';
    ++*(e->kind == NOVA_EVENT_SECURED ? &end->secured : &end->insecure);
  }
  if (end->on_event != NULL)
    end->on_event(p, e);
}

static struct nova_transport *wrap(struct party *p,
                                   const struct nova_mem *mem) {
  struct nova_transport *inner = p->t;
  struct nova_handler handler = inner->handler;
  p->t = nova_tls_wrap(mem, inner);
  cr_assert_not_null(p->t);
  p->t->handler = handler;
  p->on_event = on_event;
  return inner;
}

static void open_rig(struct tls_rig *r, const struct nova_mem *mem) {
  static const char *const names[] = {"localhost", "device.example",
                                      "127.0.0.1"};
  const char *why = NULL;
  r->inner_a = wrap(&r->w.a, mem);
  r->inner_b = wrap(&r->w.b, mem);
  r->certs = nova_certs_new(names, 3, (int64_t)time(NULL), &why);
  cr_assert_not_null(r->certs, "%s", why);
  r->list = nova_certs_get(r->certs);
  r->a.how = (struct nova_tls){.server = true,
                               .own = r->list->server[NOVA_CERTIFICATE_GOOD]};
  r->b.how =
      (struct nova_tls){.ca = r->list->ca, .name = nova_view_of("localhost")};
  r->port = net_listen(&r->w.a, 7, r->w.host, 0);
}

void tls_open_sim(struct tls_rig *r, const struct nova_mem *mem,
                  const struct nova_sim_options *options) {
  *r = (struct tls_rig){.port = 0};
  world_open_sim(&r->w, options);
  open_rig(r, mem);
}

void tls_open_loop(struct tls_rig *r, const struct nova_mem *mem) {
  *r = (struct tls_rig){.port = 0};
  world_open_loop(&r->w);
  open_rig(r, mem);
}

void tls_free(struct tls_rig *r) {
  nova_tls_unwrap(r->w.a.t);
  nova_tls_unwrap(r->w.b.t);
  world_free(&r->w);
  nova_certs_free(r->certs);
}

static size_t outcomes(const struct party *p) {
  return party_count(p, NOVA_EVENT_SECURED, 0) +
         party_count(p, NOVA_EVENT_INSECURE, 0) +
         party_count(p, NOVA_EVENT_RESET, 0) +
         party_count(p, NOVA_EVENT_EOF, 0);
}

/* How many there were when tls_join() began. */
static size_t had_a, had_b;

static bool both_over(struct world *w) {
  return outcomes(&w->a) > had_a && outcomes(&w->b) > had_b;
}

void tls_join(struct tls_rig *r, uint64_t id) {
  cr_assert_eq(net_connect(&r->w.b, id, r->w.host, r->port, 5 * NOVA_SEC), 0);
  had_a = outcomes(&r->w.a);
  had_b = outcomes(&r->w.b);
  r->w.done = both_over;
  world_run(&r->w, 5 * NOVA_SEC);
  r->w.done = NULL;
  cr_assert_eq(r->a.err, 0);
  cr_assert_eq(r->b.err, 0);
}

void tls_join_well(struct tls_rig *r, uint64_t id) {
  tls_join(r, id);
  cr_assert_eq(r->a.secured, 1, "%s", r->a.said);
  cr_assert_eq(r->b.secured, 1, "%s", r->b.said);
}

bool tls_said(const struct tls_end *end, const char *text) {
  return strstr(end->said, text) != NULL;
}
