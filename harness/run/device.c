/* A device under test: its port, its process and its credential, or the one
 * port that a device comes to which is operated by hand. */
#include "run/state.h"

#include "base/error.h"
#include "run/command.h"

#include <stdio.h>

/* Of its output, from the start; the rest is read and dropped. */
#define OUTPUT_KEPT ((size_t)64 << 10)
/* Ports tried from the profile's upwards. */
#define PORTS_TRIED 2000
/* A process needs some time to start, however short the timers are. */
#define OPERATOR_LEAST (30 * NOVA_SEC)
#define PATIENCE_LEAST (20 * NOVA_SEC)

/* --- before it begins
 * ----------------------------------------------------------
 */

/* One credential for each conversation, of the run's seed. */
static int make_up_logins(struct nova_run *r) {
  for (size_t i = 0; i < r->planned; i++) {
    struct nova_rng rng;
    nova_rng_init(&rng, nova_rng_derive(r->o.seed, r->plan[i].script->id));
    struct nova_login *l = &r->profile.device[i];
    l->id = nova_arena_printf(&r->arena, "DEV-%06u", (unsigned)i + 1);
    l->key = nova_arena_printf(&r->arena, "%016llx%016llx",
                               (unsigned long long)nova_rng_next(&rng),
                               (unsigned long long)nova_rng_next(&rng));
    if (l->id == NULL || l->key == NULL)
      return NOVA_ERR_NO_MEMORY;
  }
  r->profile.devices = r->planned;
  return 0;
}

int nova__device_prepare(struct nova_run *r) {
  struct nova_timers *t = &r->profile.timers;
  r->by_hand = r->o.spawn == NULL;
  nova_ts again = t->span[NOVA_TIMER_reconnect_timeout];
  /* Whoever scales the timers down does not want to wait for ten minutes. */
  nova_ts *by_hand = &t->span[NOVA_TIMER_operator_timeout];
  if (!t->set[NOVA_TIMER_operator_timeout] && again < NOVA_TS_NONE / 10)
    *by_hand = 10 * again > OPERATOR_LEAST ? 10 * again : OPERATOR_LEAST;
  r->patience = r->by_hand               ? t->span[NOVA_TIMER_operator_timeout]
                : again > PATIENCE_LEAST ? again
                                         : PATIENCE_LEAST;
  /* A first data or status message is awaited for the length of the run. */
  nova_ts longest = 0;
  for (size_t i = 0; i < r->planned; i++)
    if (r->plan[i].timers == 0 && r->plan[i].estimate > longest)
      longest = r->plan[i].estimate;
  if (longest == 0)
    longest = t->span[NOVA_TIMER_idle_timeout];
  static const enum nova_timer awaited[] = {NOVA_TIMER_data_interval,
                                            NOVA_TIMER_report_interval};
  for (size_t i = 0; i < 2; i++)
    if (!t->set[awaited[i]])
      t->span[awaited[i]] = longest;
  return !r->by_hand && r->profile.devices == 0 ? make_up_logins(r) : 0;
}

const char *nova__device_exempt(const struct nova_run *r,
                                const struct nova__planned *p) {
  const struct nova_profile *profile = &r->profile;
  if ((p->timers & NOVA__WAITS_DATA) != 0 &&
      profile->timers.span[NOVA_TIMER_data_interval] == NOVA_TS_NONE)
    return "data_interval is never: the device sends no data";
  if ((p->timers & NOVA__WAITS_STATUS) != 0 &&
      profile->timers.span[NOVA_TIMER_report_interval] == NOVA_TS_NONE)
    return "report_interval is never: the device sends no status";
  if ((p->script->needs & NOVA_NEED_ACTUATORS) != 0 &&
      profile->actuators == NULL)
    return "actuators are not declared";
  return NULL;
}

/* --- its port and its process
 * -------------------------------------------------- */

/* A port for a conversation: any free one, or the next one from the profile's
 * upwards. 0 with |why|. */
static uint16_t open_port(struct nova_run *r, size_t planned,
                          enum nova_link_kind over, const char **why) {
  const struct nova_address *a = nova__address_at(&r->profile, over);
  struct nova_transport *t = r->o.transport;
  uint16_t bound = 0;
  unsigned tries = a->port == 0 ? 1 : PORTS_TRIED;
  for (unsigned i = 0; i < tries && a->port + i <= UINT16_MAX; i++)
    if (t->ops->listen(t, nova__listener(planned, over), a->host,
                       (uint16_t)(a->port + i), &bound, why) == 0)
      return bound;
  return 0;
}

static void close_ports(struct nova_run *r, struct nova__planned *p) {
  struct nova_transport *t = r->o.transport;
  size_t planned = (size_t)(p - r->plan);
  for (unsigned k = 0; p->listener != 0 && k < NOVA__DOORS; k++)
    t->ops->unlisten(t, nova__listener(planned, (enum nova_link_kind)k));
  p->listener = 0;
}

/* Where a process of this machine connects to. */
static const char *reachable(const char *host) {
  if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0 || host[0] == '\0')
    return "127.0.0.1";
  return strcmp(host, "::") == 0 ? "::1" : host;
}

const char *nova__device_begin(struct nova_run *r, struct nova__planned *p) {
  if (r->by_hand)
    return NULL;
  const char *why = "no port is free";
  struct nova_profile own = r->profile;
  size_t planned = (size_t)(p - r->plan);
  p->listener = nova__listener(planned, p->over);
  /* A device may speak on all of them; it is judged by what it does on the
   * conversation's own, and served on the others. */
  for (unsigned k = 0; k < NOVA__DOORS; k++) {
    struct nova_address *a = nova__address_at(&own, (enum nova_link_kind)k);
    if (a->host == NULL)
      continue;
    uint16_t port = open_port(r, planned, (enum nova_link_kind)k, &why);
    if (port == 0) {
      close_ports(r, p);
      return nova_arena_printf(&r->arena, "nothing can be listened on: %s",
                               why);
    }
    *a = (struct nova_address){reachable(a->host), port};
  }
  own.tls.ca_file = r->o.ca_file;
  own.tls.cert_file = r->o.client_cert_file;
  own.tls.key_file = r->o.client_key_file;
  own.device = &r->profile.device[p->device];
  own.devices = 1;
  size_t n = 0;
  while (r->o.spawn[n] != NULL)
    n++;
  const char **argv = NOVA_NEW_ARRAY(&r->arena, const char *, n + 1);
  const char **env = nova_command_env(&r->arena, &own, p->over);
  why = NULL;
  for (size_t i = 0; argv != NULL && i < n && why == NULL; i++)
    argv[i] = nova_command_word(&r->arena, &own, p->over, r->o.spawn[i], &why);
  struct nova_job job = {.argv = argv,
                         .env = env,
                         .timeout = NOVA_TS_NONE,
                         .output_limit = OUTPUT_KEPT,
                         .drain = true,
                         .whole_group = true};
  p->job = r->next_id++;
  if (why == NULL &&
      (argv == NULL || env == NULL || (n != 0 && argv[n - 1] == NULL) ||
       r->o.transport->ops->run(r->o.transport, p->job, &job) != 0))
    why = "the harness ran out of memory";
  if (why == NULL)
    return NULL;
  p->job = 0;
  close_ports(r, p);
  return why;
}

bool nova__device_end(struct nova_run *r, struct nova__planned *p) {
  struct nova_transport *t = r->o.transport;
  /* It finds nobody any more when it comes again. */
  close_ports(r, p);
  for (size_t i = 0; i < NOVA__LINKS; i++)
    if (p->link[i].id != 0) {
      t->ops->close(t, p->link[i].id, false);
      p->link[i].id = 0;
    }
  if (p->job == 0)
    return false;
  t->ops->stop(t, p->job);
  return true;
}

void nova__device_gone(struct nova_run *r, struct nova__planned *p,
                       const struct nova_event *e) {
  static const char between[] = "\n--- the end of its standard error ---\n";
  p->job = 0;
  struct nova_buf text;
  nova_buf_init(&text, r->o.mem, OUTPUT_KEPT + ((size_t)16 << 10));
  int err = nova_buf_append(&text, e->bytes.p, e->bytes.n);
  if (err == 0 && e->errors.n != 0 && e->bytes.n != 0)
    err = nova_buf_puts(&text, between);
  if (err == 0)
    (void)nova_buf_append(&text, e->errors.p, e->errors.n);
  struct nova_event event = *e;
  event.bytes = nova_buf_view(&text);
  nova__feed(p, event, 0);
  nova_buf_free(&text);
  if (p->state == NOVA__LEAVING)
    nova__conclude(r, p);
  else
    nova__drain(r, p);
}

void nova__device_accept(struct nova_run *r, const struct nova_event *e) {
  if (e->listener < NOVA__DOOR + NOVA__DOORS) {
    nova__lobby_enter(r, e);
    nova__lobby_sort(r);
    return;
  }
  size_t planned =
      (size_t)(e->listener - nova__listener(0, NOVA_OVER_TCP)) / NOVA__DOORS;
  struct nova__planned *p =
      planned < r->planned && r->plan[planned].state == NOVA__ACTIVE
          ? &r->plan[planned]
          : NULL;
  if (p != NULL && nova__listener_over(e->listener) != p->over) {
    nova__aside_enter(r, e);
    return;
  }
  struct nova__link *link = p != NULL ? nova__link_free(p) : NULL;
  if (link == NULL) {
    r->o.transport->ops->close(r->o.transport, e->id, true);
    return;
  }
  *link = (struct nova__link){r->o.transport, e->id, ++p->accepted, false};
  nova__feed(p, *e, link->number);
  nova__drain(r, p);
}
