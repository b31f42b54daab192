/* The reference device over a transport: simulated and real. */
#include "net/loop.h"
#include "net/sim.h"
#include "peer/drive.h"
#include "peer/serve.h"

#include <criterion/criterion.h>

#define HOST "127.0.0.1"

struct devices_world {
  struct nova_sim *sim;
  struct nova_transport *st, *dt;
  struct nova_server *server;
  struct nova_serve *serve;
  struct nova_device *device;
  struct nova_drive *drive;
  uint16_t port;
  unsigned connected, refused, ended;
  bool exited;
  int code;
  struct nova_loop *loop; /* NULL: sim */
  unsigned enough;        /* connections after which the loop stops */
};

static void on_news(void *user, enum nova_drive_news what,
                    struct nova_view text) {
  struct devices_world *w = user;
  w->connected += what == NOVA_DRIVE_CONNECTED;
  w->refused += what == NOVA_DRIVE_REFUSED;
  w->ended += what == NOVA_DRIVE_ENDED;
  cr_assert(what != NOVA_DRIVE_REFUSED || text.n > 0);
  if (w->loop != NULL && w->ended == w->enough)
    nova_loop_stop(w->loop);
}

static void on_exit_of(void *user, int code) {
  struct devices_world *w = user;
  cr_assert_not(w->exited);
  w->exited = true;
  w->code = code;
}

static struct nova_fault_set set_of(enum nova_fault fault) {
  struct nova_fault_set set = {{0}};
  if (fault < NOVA_FAULTS)
    nova_fault_add(&set, fault);
  return set;
}

static void open_server(struct devices_world *w, struct nova_transport *t,
                        enum nova_fault fault, nova_ts idle) {
  static const struct nova_credential one = {{"DEV-1", 5}, {"key", 3}};
  struct nova_fault_set set = set_of(fault);
  const char *why = NULL;
  w->st = t;
  w->server =
      nova_server_new(&(struct nova_server_options){.devices = &one,
                                                    .device_count = 1,
                                                    .faults = &set,
                                                    .idle_timeout = idle});
  cr_assert_not_null(w->server);
  w->serve = nova_serve_new(
      t, w->server, &(struct nova_serve_options){.host = HOST, .port = w->port},
      &why);
  cr_assert_not_null(w->serve, "%s", why);
  w->port = nova_serve_port(w->serve);
}

static void open_device(struct devices_world *w, struct nova_transport *t,
                        struct nova_device_options o, enum nova_fault fault) {
  struct nova_fault_set set = set_of(fault);
  w->dt = t;
  o.id = nova_view_of("DEV-1");
  if (o.key.p == NULL)
    o.key = nova_view_of("key");
  o.unix_base = t->ops->unix_ns(t) - t->ops->now(t);
  o.faults = &set;
  w->device = nova_device_new(&o);
  cr_assert_not_null(w->device);
  w->drive = nova_drive_new(t, w->device,
                            &(struct nova_drive_options){.host = HOST,
                                                         .port = w->port,
                                                         .exited = on_exit_of,
                                                         .news = on_news,
                                                         .user = w});
  cr_assert_not_null(w->drive);
}

static void close_device(struct devices_world *w) {
  nova_drive_free(w->drive);
  nova_device_free(w->device);
  w->drive = NULL;
  w->device = NULL;
}

static void open_sim(struct devices_world *w, nova_ts latency) {
  *w = (struct devices_world){.port = 9000};
  w->sim =
      nova_sim_new(NULL, &(struct nova_sim_options){
                             .seed = 3,
                             .unix_start_ns = UINT64_C(1700000000) * NOVA_SEC,
                             .latency_min = latency,
                             .latency_max = latency * 2,
                             .cut = NOVA_SIM_MIXED});
  cr_assert_not_null(w->sim);
}

static void run(struct devices_world *w, nova_ts to) {
  cr_assert_neq(nova_sim_run(w->sim, to), NOVA_SIM_STUCK);
}

static void close_sim(struct devices_world *w) {
  close_device(w);
  nova_serve_free(w->serve);
  nova_server_free(w->server);
  nova_sim_free(w->sim);
}

Test(drive, a_device_is_served) {
  struct devices_world w;
  open_sim(&w, 10 * NOVA_MS);
  open_server(&w, nova_sim_attach(w.sim), NOVA_FAULTS, 0);
  open_device(&w, nova_sim_attach(w.sim), (struct nova_device_options){0},
              NOVA_FAULTS);
  run(&w, 3600 * NOVA_SEC);
  cr_assert(nova_device_is_served(w.device));
  cr_assert_eq(w.connected, 1, "one connection for an hour");
  cr_assert_eq(w.ended, 0);
  cr_assert_eq(nova_server_connections(w.server), 1);
  close_sim(&w);
}

/* A server that never answers a ping: the device closes on time, and the old
 * connection does not stay. */
Test(drive, closes_for_silence_and_returns) {
  struct devices_world w;
  open_sim(&w, 10 * NOVA_MS);
  open_server(&w, nova_sim_attach(w.sim), NOVA_FAULT_NO_PONG, 0);
  open_device(&w, nova_sim_attach(w.sim), (struct nova_device_options){0},
              NOVA_FAULTS);
  run(&w, 179 * NOVA_SEC);
  cr_assert_eq(w.ended, 0);
  run(&w, 185 * NOVA_SEC);
  cr_assert_eq(w.ended, 1);
  cr_assert_eq(w.connected, 2);
  cr_assert_eq(nova_sim_connections(w.sim), 1);
  run(&w, 3600 * NOVA_SEC);
  cr_assert_geq(w.connected, 18);
  close_sim(&w);
}

/* A server that does not close its side: the device lets go after a while. */
struct mute {
  struct nova_transport *t;
  unsigned accepted, eofs, resets;
};

static void mute_event(void *user, const struct nova_event *e) {
  struct mute *m = user;
  m->accepted += e->kind == NOVA_EVENT_ACCEPTED;
  m->eofs += e->kind == NOVA_EVENT_EOF;
  m->resets += e->kind == NOVA_EVENT_RESET;
}

static void mute_expire(void *user, nova_ts now) {
  (void)user;
  (void)now;
}

Test(drive, lets_go_of_a_server_that_does_not_close) {
  struct devices_world w;
  struct mute m = {0};
  uint16_t bound = 0;
  const char *why = NULL;
  open_sim(&w, NOVA_MS);
  m.t = nova_sim_attach(w.sim);
  m.t->handler = (struct nova_handler){mute_event, mute_expire, &m};
  cr_assert_eq(m.t->ops->listen(m.t, 1, HOST, w.port, &bound, &why), 0);
  open_device(&w, nova_sim_attach(w.sim), (struct nova_device_options){0},
              NOVA_FAULTS);
  run(&w, 10 * NOVA_SEC + 100 * NOVA_MS);
  cr_assert_eq(m.eofs, 1, "no auth_result for 10 s");
  /* Many of them: no more than a few are kept at a time, and nothing breaks. */
  run(&w, 3600 * NOVA_SEC);
  cr_assert_geq(m.accepted, 80);
  cr_assert_geq(m.eofs, m.accepted - 1);
  cr_assert_eq(m.resets, 0, "FIN, not RST");
  close_sim(&w);
}

Test(drive, tries_again_where_nobody_listens) {
  struct devices_world w;
  open_sim(&w, NOVA_MS);
  open_device(&w, nova_sim_attach(w.sim), (struct nova_device_options){0},
              NOVA_FAULTS);
  run(&w, 20 * NOVA_SEC);
  cr_assert_geq(w.refused, 4);
  cr_assert_leq(w.refused, 6);
  cr_assert_eq(w.connected, 0);
  open_server(&w, nova_sim_attach(w.sim), NOVA_FAULTS, 0);
  run(&w, 60 * NOVA_SEC);
  cr_assert(nova_device_is_served(w.device));
  /* The server dies: the device notices, and comes back when it does. */
  nova_sim_crash(w.sim, w.st);
  run(&w, 61 * NOVA_SEC);
  cr_assert_not(nova_device_is_served(w.device));
  cr_assert_eq(w.ended, 1);
  nova_serve_free(w.serve);
  nova_server_free(w.server);
  nova_sim_revive(w.sim, w.st);
  open_server(&w, w.st, NOVA_FAULTS, 0);
  run(&w, 120 * NOVA_SEC);
  cr_assert(nova_device_is_served(w.device));
  close_sim(&w);
}

Test(drive, a_refused_device_is_not_served) {
  struct devices_world w;
  open_sim(&w, NOVA_MS);
  open_server(&w, nova_sim_attach(w.sim), NOVA_FAULTS, 0);
  open_device(&w, nova_sim_attach(w.sim),
              (struct nova_device_options){.key = {"wrong", 5}}, NOVA_FAULTS);
  run(&w, 9 * NOVA_SEC);
  cr_assert_eq(w.connected, 1);
  cr_assert_eq(w.ended, 1);
  run(&w, 600 * NOVA_SEC);
  cr_assert_geq(w.connected, 15);
  cr_assert_leq(nova_sim_connections(w.sim), 1);
  close_sim(&w);
}

Test(drive, an_exit_closes_everything) {
  struct devices_world w;
  open_sim(&w, NOVA_MS);
  open_server(&w, nova_sim_attach(w.sim), NOVA_FAULTS, 0);
  open_device(&w, nova_sim_attach(w.sim),
              (struct nova_device_options){.key = {"wrong", 5}},
              NOVA_FAULT_V_D_FAILED_EXITS);
  run(&w, 60 * NOVA_SEC);
  cr_assert(w.exited);
  cr_assert_eq(w.code, 1);
  cr_assert_eq(w.connected, 1);
  cr_assert_eq(nova_sim_connections(w.sim), 0);
  close_sim(&w);
}

/* All of it may go at any moment between two events. */
Test(drive, may_be_freed_at_any_time) {
  for (unsigned k = 0; k < 300; k++) {
    struct devices_world w;
    enum nova_fault fault = k % 3 == 0 ? NOVA_FAULTS
                                       : (k % 3 == 1 ? NOVA_FAULT_V_D_RST
                                                     : NOVA_FAULT_V_D_GATHERED);
    open_sim(&w, 10 * NOVA_MS);
    open_server(&w, nova_sim_attach(w.sim), NOVA_FAULT_NO_PONG, 0);
    open_device(&w, nova_sim_attach(w.sim),
                (struct nova_device_options){.heartbeat = 100 * NOVA_MS,
                                             .idle_timeout = 300 * NOVA_MS,
                                             .backoff_first = 50 * NOVA_MS},
                fault);
    run(&w, k * 7 * NOVA_MS);
    struct nova_transport *t = w.dt;
    close_device(&w);
    nova_sim_detach(t);
    run(&w, k * 7 * NOVA_MS + 10 * NOVA_SEC);
    cr_assert_eq(nova_sim_connections(w.sim), 0, "%u", k);
    cr_assert_eq(nova_server_connections(w.server), 0, "%u", k);
    close_sim(&w);
  }
}

/* --- real sockets ----------------------------------------------------------
 */

Test(drive, works_on_real_sockets) {
  struct devices_world w = {.enough = 2};
  w.loop = nova_loop_new(NULL);
  cr_assert_not_null(w.loop);
  open_server(&w, nova_loop_attach(w.loop), NOVA_FAULT_NO_PONG, 0);
  open_device(&w, nova_loop_attach(w.loop),
              (struct nova_device_options){.heartbeat = 50 * NOVA_MS,
                                           .idle_timeout = 150 * NOVA_MS,
                                           .first_data = 20 * NOVA_MS,
                                           .backoff_first = 50 * NOVA_MS},
              NOVA_FAULTS);
  cr_assert(nova_loop_run_for(w.loop, 20 * NOVA_SEC));
  cr_assert_eq(w.connected, 2);
  cr_assert_eq(w.ended, 2);
  close_device(&w);
  nova_loop_detach(w.dt);
  nova_serve_free(w.serve);
  nova_server_free(w.server);
  nova_loop_free(w.loop);
}

Test(drive, a_refusal_on_real_sockets) {
  struct devices_world w = {.port = 1, .enough = 1};
  w.loop = nova_loop_new(NULL);
  cr_assert_not_null(w.loop);
  open_device(&w, nova_loop_attach(w.loop),
              (struct nova_device_options){.backoff_first = 20 * NOVA_MS},
              NOVA_FAULTS);
  (void)nova_loop_run_for(w.loop, 200 * NOVA_MS);
  cr_assert_geq(w.refused, 2);
  cr_assert_eq(w.connected, 0);
  close_device(&w);
  nova_loop_free(w.loop);
}
