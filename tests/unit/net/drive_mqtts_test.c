/* The reference device over MQTT on a simulated network, in the clear and over
 * TLS: whom it trusts, and what its faults of TLS make of that. */
#include "net/certs.h"
#include "net/sim.h"
#include "net/tls.h"
#include "peer/drive.h"
#include "peer/serve.h"

#include <criterion/criterion.h>
#include <time.h>

#define HOST "127.0.0.1"
#define PORT 8883

struct mqtts_world {
  struct nova_sim *sim;
  struct nova_transport *st, *dt; /* of the sim */
  struct nova_transport *stls, *dtls;
  struct nova_server *server;
  struct nova_serve *serve;
  struct nova_device *device;
  struct nova_drive *drive;
  struct nova_tls how; /* the device's */
  unsigned connected, refused, ended;
  char why[400];
};

/* Made once for all tests of a process: they take a while. */
static const struct nova_certificates *certificates(void) {
  static struct nova_certs *made;
  static const char *const names[] = {HOST, "localhost"};
  const char *why = NULL;
  if (made == NULL)
    made = nova_certs_new(names, 2, (int64_t)time(NULL), &why);
  cr_assert_not_null(made, "%s", why);
  return nova_certs_get(made);
}

static void on_news(void *user, enum nova_drive_news what,
                    struct nova_view text) {
  struct mqtts_world *w = user;
  w->connected += what == NOVA_DRIVE_CONNECTED;
  w->refused += what == NOVA_DRIVE_REFUSED;
  w->ended += what == NOVA_DRIVE_ENDED;
  if (what != NOVA_DRIVE_REFUSED)
    return;
  cr_assert_gt(text.n, 0);
  size_t n = text.n < sizeof w->why ? text.n : sizeof w->why - 1;
  memcpy(w->why, text.p, n);
  w->why[n] = '\0';
}

static void open_net(struct mqtts_world *w) {
  *w = (struct mqtts_world){
      .sim = nova_sim_new(NULL,
                          &(struct nova_sim_options){
                              .seed = 5,
                              .unix_start_ns = UINT64_C(1700000000) * NOVA_SEC,
                              .latency_min = 2 * NOVA_MS,
                              .latency_max = 9 * NOVA_MS,
                              .cut = NOVA_SIM_MIXED})};
  w->st = nova_sim_attach(w->sim);
  w->dt = nova_sim_attach(w->sim);
  w->stls = nova_tls_wrap(NULL, w->st);
  w->dtls = nova_tls_wrap(NULL, w->dt);
  cr_assert(w->stls != NULL && w->dtls != NULL);
}

/* |how|: NULL: in the clear. */
static void open_server(struct mqtts_world *w, const struct nova_tls *how) {
  static const struct nova_credential one = {{"DEV-1", 5}, {"key", 3}};
  const char *why = NULL;
  w->server = nova_server_new(
      &(struct nova_server_options){.devices = &one, .device_count = 1});
  struct nova_serve_options o = {.tls = how};
  if (how != NULL) {
    o.mqtts_host = HOST;
    o.mqtts_port = PORT;
  } else {
    o.mqtt_host = HOST;
    o.mqtt_port = PORT;
  }
  w->serve = nova_serve_new(w->stls, w->server, &o, &why);
  cr_assert_not_null(w->serve, "%s", why);
}

static void close_server(struct mqtts_world *w) {
  nova_serve_free(w->serve);
  nova_server_free(w->server);
  w->serve = NULL;
  w->server = NULL;
}

/* |how|: NULL: in the clear. */
static void open_device_on(struct mqtts_world *w, struct nova_transport *t,
                           const struct nova_tls *how, enum nova_fault fault) {
  struct nova_fault_set set = {{0}};
  if (fault < NOVA_FAULTS)
    nova_fault_add(&set, fault);
  w->device = nova_device_new(&(struct nova_device_options){
      .protocol = NOVA_DEVICE_MQTT,
      .id = nova_view_of("DEV-1"),
      .key = nova_view_of("key"),
      .unix_base = t->ops->unix_ns(t) - t->ops->now(t),
      .faults = &set});
  cr_assert_not_null(w->device);
  if (how != NULL)
    w->how = *how;
  w->drive = nova_drive_new(
      t, w->device,
      &(struct nova_drive_options){.host = HOST,
                                   .port = PORT,
                                   .tls = how != NULL ? &w->how : NULL,
                                   .news = on_news,
                                   .user = w});
  cr_assert_not_null(w->drive);
}

static void run(struct mqtts_world *w, nova_ts to) {
  cr_assert_neq(nova_sim_run(w->sim, to), NOVA_SIM_STUCK);
}

static void close_all(struct mqtts_world *w) {
  nova_drive_free(w->drive);
  nova_device_free(w->device);
  close_server(w);
  nova_tls_unwrap(w->stls);
  nova_tls_unwrap(w->dtls);
  nova_sim_free(w->sim);
}

static struct nova_tls trusting(void) {
  return (struct nova_tls){.ca = certificates()->ca,
                           .name = nova_view_of(HOST)};
}

/* --- in the clear ----------------------------------------------------------
 */

Test(drive_mqtt, a_device_is_served_for_an_hour) {
  struct mqtts_world w;
  open_net(&w);
  open_server(&w, NULL);
  open_device_on(&w, w.dt, NULL, NOVA_FAULTS);
  run(&w, 3600 * NOVA_SEC);
  cr_assert(nova_device_is_served(w.device));
  cr_assert_eq(w.connected, 1);
  cr_assert_eq(w.ended, 0);
  close_all(&w);
}

/* --- over TLS --------------------------------------------------------------
 */

/* Servers that a device meets. */
enum whom { GOOD, SELF_SIGNED, UNKNOWN_CA, EXPIRED, WRONG_NAME, OLD, WHOM };

static struct nova_tls server_of(enum whom whom) {
  static const enum nova_certificate kind[WHOM] = {
      NOVA_CERTIFICATE_GOOD,       NOVA_CERTIFICATE_SELF_SIGNED,
      NOVA_CERTIFICATE_UNKNOWN_CA, NOVA_CERTIFICATE_EXPIRED,
      NOVA_CERTIFICATE_WRONG_NAME, NOVA_CERTIFICATE_GOOD};
  struct nova_tls t = {.server = true,
                       .own = certificates()->server[kind[whom]]};
  if (whom == OLD) {
    t.lowest = NOVA_TLS_1_0;
    t.highest = NOVA_TLS_1_1;
  }
  return t;
}

static void meet(enum nova_fault fault, enum whom whom, bool served) {
  const char *name =
      fault < NOVA_FAULTS ? nova_fault_info(fault)->name : "the reference";
  struct nova_tls server = server_of(whom), how = trusting();
  struct mqtts_world w;
  open_net(&w);
  open_server(&w, &server);
  open_device_on(&w, w.dtls, &how, fault);
  run(&w, 20 * NOVA_SEC);
  cr_expect_eq(nova_device_is_served(w.device), served, "%s, server %d: %s",
               name, (int)whom, w.why);
  cr_expect_eq(w.connected > 0, served, "%s, server %d", name, (int)whom);
  cr_expect(served || w.refused > 1, "%s does not try again", name);
  close_all(&w);
}

Test(drive_mqtts, whom_it_trusts) {
  static const struct {
    enum nova_fault fault;
    bool served[WHOM];
  } row[] = {
      {NOVA_FAULTS, {1, 0, 0, 0, 0, 0}},
      {NOVA_FAULT_DM_TLS_ANYONE, {1, 1, 1, 1, 1, 0}},
      {NOVA_FAULT_DM_TLS_NO_NAME, {1, 0, 0, 0, 1, 0}},
      {NOVA_FAULT_DM_TLS_ANY_TIME, {1, 0, 0, 1, 0, 0}},
      {NOVA_FAULT_DM_TLS_SELF_SIGNED, {1, 1, 0, 0, 0, 0}},
      {NOVA_FAULT_DM_TLS_FIRST_ONLY, {1, 0, 0, 0, 0, 0}},
      {NOVA_FAULT_DM_TLS_1_1, {0, 0, 0, 0, 0, 1}},
      {NOVA_FAULT_DM_TLS_OLD_TOO, {1, 0, 0, 0, 0, 1}},
      {NOVA_FAULT_V_DM_TLS_1_2, {1, 0, 0, 0, 0, 0}},
      {NOVA_FAULT_V_DM_TLS_1_3, {1, 0, 0, 0, 0, 0}},
  };
  bool old = nova_tls_can(NOVA_TLS_1_1);
  for (size_t i = 0; i < sizeof row / sizeof *row; i++)
    for (unsigned k = 0; k < WHOM; k++)
      if (old || (k != OLD && row[i].fault != NOVA_FAULT_DM_TLS_1_1))
        meet(row[i].fault, (enum whom)k, row[i].served[k]);
}

/* DM_TLS_FIRST_ONLY: what it lets pass after it was connected well. */
static void meet_again(enum nova_fault fault, bool served) {
  struct nova_tls good = server_of(GOOD), bad = server_of(UNKNOWN_CA);
  struct nova_tls how = trusting();
  struct mqtts_world w;
  open_net(&w);
  open_server(&w, &good);
  open_device_on(&w, w.dtls, &how, fault);
  run(&w, 5 * NOVA_SEC);
  cr_assert(nova_device_is_served(w.device), "%s", w.why);
  w.st->ops->unlisten(w.st, NOVA_SERVE_MQTTS);
  close_server(&w);
  nova_tls_unwrap(w.stls);
  w.st = nova_sim_attach(w.sim);
  w.stls = nova_tls_wrap(NULL, w.st);
  open_server(&w, &bad);
  run(&w, 60 * NOVA_SEC);
  cr_expect_eq(nova_device_is_served(w.device), served);
  close_all(&w);
}

Test(drive_mqtts, it_verifies_each_time) {
  meet_again(NOVA_FAULTS, false);
  meet_again(NOVA_FAULT_DM_TLS_FIRST_ONLY, true);
}

/* The versions that the variants are about: a server that has no other. */
Test(drive_mqtts, variants_speak_one_version) {
  static const struct {
    enum nova_fault fault;
    enum nova_tls_version only;
    bool served;
  } row[] = {{NOVA_FAULT_V_DM_TLS_1_2, NOVA_TLS_1_2, true},
             {NOVA_FAULT_V_DM_TLS_1_2, NOVA_TLS_1_3, false},
             {NOVA_FAULT_V_DM_TLS_1_3, NOVA_TLS_1_3, true},
             {NOVA_FAULT_V_DM_TLS_1_3, NOVA_TLS_1_2, false}};
  for (size_t i = 0; i < 4; i++) {
    struct nova_tls server = server_of(GOOD), how = trusting();
    struct mqtts_world w;
    server.lowest = server.highest = row[i].only;
    open_net(&w);
    open_server(&w, &server);
    open_device_on(&w, w.dtls, &how, row[i].fault);
    run(&w, 20 * NOVA_SEC);
    cr_expect_eq(nova_device_is_served(w.device), row[i].served, "%zu", i);
    close_all(&w);
  }
}

Test(drive_mqtts, a_client_certificate_is_shown) {
  for (int i = 0; i < 3; i++) {
    struct nova_tls server = server_of(GOOD), how = trusting();
    struct mqtts_world w;
    server.ca = certificates()->client_ca;
    server.required = true;
    if (i > 0)
      how.own = certificates()->client;
    open_net(&w);
    open_server(&w, &server);
    open_device_on(&w, w.dtls, &how,
                   i == 2 ? NOVA_FAULT_DM_TLS_NO_CERTIFICATE : NOVA_FAULTS);
    run(&w, 20 * NOVA_SEC);
    cr_expect_eq(nova_device_is_served(w.device), i == 1, "%d: %s", i, w.why);
    close_all(&w);
  }
}

/* --- what is no TLS --------------------------------------------------------
 */

Test(drive_mqtts, a_server_in_the_clear_is_refused) {
  struct nova_tls how = trusting();
  struct mqtts_world w;
  open_net(&w);
  open_server(&w, NULL);
  open_device_on(&w, w.dtls, &how, NOVA_FAULTS);
  run(&w, 60 * NOVA_SEC);
  cr_assert_eq(w.connected, 0);
  cr_assert_gt(w.refused, 1);
  close_all(&w);
}

static void ignore(void *user, const struct nova_event *event) {
  (void)user;
  (void)event;
}

static void ignore_time(void *user, nova_ts now) {
  (void)user;
  (void)now;
}

/* A server that accepts and says nothing does not hold the device for ever. */
Test(drive_mqtts, a_handshake_has_an_end) {
  struct nova_tls how = trusting();
  struct mqtts_world w;
  uint16_t bound = 0;
  const char *why = NULL;
  open_net(&w);
  w.st->handler = (struct nova_handler){ignore, ignore_time, NULL};
  cr_assert_eq(w.st->ops->listen(w.st, 1, HOST, PORT, &bound, &why), 0);
  open_device_on(&w, w.dtls, &how, NOVA_FAULTS);
  run(&w, 9 * NOVA_SEC);
  cr_assert_eq(w.refused, 0);
  run(&w, 11 * NOVA_SEC);
  cr_assert_eq(w.refused, 1);
  run(&w, 60 * NOVA_SEC);
  cr_assert_gt(w.refused, 2);
  cr_assert_eq(w.connected, 0);
  close_all(&w);
}

/* Over a transport that has no TLS the device learns that it has no server. */
Test(drive_mqtts, a_transport_without_tls) {
  struct nova_tls server = server_of(GOOD), how = trusting();
  struct mqtts_world w;
  open_net(&w);
  open_server(&w, &server);
  open_device_on(&w, w.dt, &how, NOVA_FAULTS);
  run(&w, 20 * NOVA_SEC);
  cr_assert_eq(w.connected, 0);
  cr_assert_gt(w.refused, 1);
  close_all(&w);
}

/* A server that resets, or closes, in the middle of it. */
static void hang_up(void *user, const struct nova_event *e) {
  struct mqtts_world *w = user;
  if (e->kind == NOVA_EVENT_BYTES)
    w->st->ops->close(w->st, e->id, w->why[0] == 'r');
}

Test(drive_mqtts, a_handshake_that_is_cut_off) {
  for (int rst = 0; rst < 2; rst++) {
    struct nova_tls how = trusting();
    struct mqtts_world w;
    struct mqtts_world peer = {.why = ""};
    uint16_t bound = 0;
    const char *why = NULL;
    open_net(&w);
    peer.st = w.st;
    peer.why[0] = rst ? 'r' : 'f';
    w.st->handler = (struct nova_handler){hang_up, ignore_time, &peer};
    cr_assert_eq(w.st->ops->listen(w.st, 1, HOST, PORT, &bound, &why), 0);
    open_device_on(&w, w.dtls, &how, NOVA_FAULTS);
    run(&w, 20 * NOVA_SEC);
    cr_assert_eq(w.connected, 0);
    cr_assert_gt(w.refused, 2);
    close_all(&w);
  }
}
