/* The reference server behind TLS, on the simulated network: logins, versions,
 * certificates, and the faults that sit there. */
#include "codec/mqtt.h"
#include "net/certs.h"
#include "net/sim.h"
#include "net/tls.h"
#include "peer/serve.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#define HOST "127.0.0.1"

struct scene {
  struct nova_certs *certs;
  const struct nova_certificates *all;
  struct nova_sim *sim;
  struct nova_transport *inner[2], *st, *ct; /* server's and client's */
  struct nova_server *server;
  struct nova_serve *serve;

  /* The client's connection. */
  const char *password;
  const struct nova_tls *how; /* NULL: in the clear */
  bool secured, insecure, ended, quiet;
  size_t received;
  int code; /* of the CONNACK, -1: none */
};

/* --- a client --------------------------------------------------------------
 */

static void log_in(struct scene *x, uint64_t id) {
  char bytes[200];
  size_t n = 0;
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNECT,
                        .u.connect = {.clean_session = true,
                                      .client_id = nova_view_of("c"),
                                      .user_name = nova_view_of("DEV-1"),
                                      .password = nova_view_of(x->password)}};
  cr_assert_eq(nova_mqtt_encode(&m, NOVA_MQTT_STRICT, bytes, sizeof bytes, &n),
               0);
  cr_assert_eq(x->ct->ops->send(x->ct, id, bytes, n), 0);
}

static void on_event(void *user, const struct nova_event *e) {
  struct scene *x = user;
  if (e->kind == NOVA_EVENT_CONNECTED && x->how != NULL)
    cr_assert_eq(x->ct->ops->secure(x->ct, e->id, x->how), 0);
  else if ((e->kind == NOVA_EVENT_CONNECTED && !x->quiet) ||
           e->kind == NOVA_EVENT_SECURED)
    log_in(x, e->id);
  x->secured = x->secured || e->kind == NOVA_EVENT_SECURED;
  x->insecure = x->insecure || e->kind == NOVA_EVENT_INSECURE;
  x->ended = x->ended || e->kind == NOVA_EVENT_EOF ||
             e->kind == NOVA_EVENT_RESET || e->kind == NOVA_EVENT_REFUSED;
  for (size_t i = 0; e->kind == NOVA_EVENT_BYTES && i < e->bytes.n; i++)
    if (++x->received == 4) /* CONNACK's last byte */
      x->code = (unsigned char)e->bytes.p[i];
}

static void on_expire(void *user, nova_ts now) {
  (void)user;
  (void)now;
}

/* The code of the CONNACK that a client gets at |port| within |span|, -1 for
 * none. It has closed then. */
static int attempt_for(struct scene *x, uint16_t port,
                       const struct nova_tls *how, nova_ts span) {
  static uint64_t id = 1;
  x->how = how;
  x->secured = x->insecure = x->ended = false;
  x->received = 0;
  x->code = -1;
  cr_assert_eq(x->ct->ops->connect(x->ct, ++id, HOST, port, NOVA_SEC), 0);
  nova_ts until = nova_sim_now(x->sim) + span;
  cr_assert_neq(nova_sim_run(x->sim, until), NOVA_SIM_STUCK);
  x->ct->ops->close(x->ct, id, false);
  x->how = NULL;
  return x->code;
}

static int attempt(struct scene *x, const struct nova_tls *how) {
  return attempt_for(x, nova_serve_mqtts_port(x->serve), how, 2 * NOVA_SEC);
}

/* A client that trusts the CA and allows these versions. */
static struct nova_tls client(const struct scene *x,
                              enum nova_tls_version lowest,
                              enum nova_tls_version highest) {
  return (struct nova_tls){.lowest = lowest,
                           .highest = highest,
                           .ca = x->all->ca,
                           .name = nova_view_of(HOST)};
}

/* --- the server ------------------------------------------------------------
 */

static void start(struct scene *x, enum nova_fault fault, bool certificates) {
  static const struct nova_credential one = {{"DEV-1", 5}, {"key", 3}};
  static const char *const names[] = {HOST};
  struct nova_fault_set set = {{0}};
  const char *why = NULL;
  *x = (struct scene){.password = "key"};
  if (fault < NOVA_FAULTS)
    nova_fault_add(&set, fault);
  x->certs = nova_certs_new(names, 1, (int64_t)time(NULL), &why);
  cr_assert_not_null(x->certs, "%s", why);
  x->all = nova_certs_get(x->certs);
  x->sim =
      nova_sim_new(NULL, &(struct nova_sim_options){.seed = 5,
                                                    .latency_min = NOVA_MS,
                                                    .latency_max = 5 * NOVA_MS,
                                                    .cut = NOVA_SIM_MIXED});
  for (size_t i = 0; i < 2; i++)
    x->inner[i] = nova_sim_attach(x->sim);
  x->st = nova_tls_wrap(NULL, x->inner[0]);
  x->ct = nova_tls_wrap(NULL, x->inner[1]);
  x->ct->handler = (struct nova_handler){on_event, on_expire, x};
  x->server = nova_server_new(&(struct nova_server_options){
      .devices = &one, .device_count = 1, .faults = &set});
  struct nova_tls tls = {.own = x->all->server[NOVA_CERTIFICATE_GOOD]};
  if (certificates) {
    tls.ca = x->all->client_ca;
    tls.required = true;
  }
  x->serve = nova_serve_new(x->st, x->server,
                            &(struct nova_serve_options){
                                .host = HOST,
                                .mqtt_host = HOST,
                                .mqtts_host = HOST,
                                .tls = &tls,
                                .certificates = x->all,
                            },
                            &why);
  cr_assert_not_null(x->serve, "%s", why);
}

static void stop(struct scene *x) {
  nova_serve_free(x->serve);
  nova_server_free(x->server);
  nova_tls_unwrap(x->st);
  nova_tls_unwrap(x->ct);
  nova_sim_free(x->sim);
  nova_certs_free(x->certs);
}

/* --- the requirements ------------------------------------------------------
 */

/* A login with this version only. */
static bool serves(struct scene *x, enum nova_tls_version version,
                   const struct nova_pem *own) {
  struct nova_tls how = client(x, version, version);
  if (own != NULL)
    how.own = *own;
  return attempt(x, &how) == NOVA_MQTT_CODE_ACCEPTED;
}

static bool serves_either(struct scene *x, const struct nova_pem *own) {
  return serves(x, NOVA_TLS_1_2, own) || serves(x, NOVA_TLS_1_3, own);
}

static bool tls_01(enum nova_fault fault) {
  struct scene x;
  start(&x, fault, false);
  bool good = serves_either(&x, NULL);
  stop(&x);
  return good;
}

/* Whether handshakes with TLS 1.0 and 1.1 fail; |anyone|: what else is wrong
 * with the server does not count. */
static bool tls_02(enum nova_fault fault) {
  struct scene x;
  bool good = true;
  start(&x, fault, false);
  for (int v = NOVA_TLS_1_0; v <= NOVA_TLS_1_1; v++) {
    struct nova_tls how =
        client(&x, (enum nova_tls_version)v, (enum nova_tls_version)v);
    how.anyone = true;
    (void)attempt(&x, &how);
    good = good && !x.secured;
  }
  stop(&x);
  return good;
}

static bool tls_06(enum nova_fault fault) {
  struct scene x;
  start(&x, fault, true);
  bool good = !serves_either(&x, NULL) && serves_either(&x, &x.all->client);
  stop(&x);
  return good;
}

static const struct {
  const char *id;
  bool (*holds)(enum nova_fault fault);
} requirements[] = {{"TLS-01", tls_01}, {"TLS-02", tls_02}, {"TLS-06", tls_06}};

static bool named(const struct nova_fault_info *f, const char *id) {
  return f != NULL && strstr(f->breaks, id) != NULL;
}

/* Every requirement that is broken is named, and the first that is named is
 * broken. */
static void judge(enum nova_fault fault) {
  const struct nova_fault_info *f = nova_fault_info(fault);
  bool first = false;
  for (size_t i = 0; i < 3; i++)
    if (!requirements[i].holds(fault)) {
      cr_expect(named(f, requirements[i].id), "%s breaks %s",
                f != NULL ? f->name : "a sound server", requirements[i].id);
      first = first || (f != NULL && strncmp(f->breaks, requirements[i].id,
                                             strlen(requirements[i].id)) == 0);
    }
  cr_expect(f == NULL || nova_fault_is_variant(f) || first, "%s does not show",
            f != NULL ? f->name : "");
}

Test(mqtts, a_sound_server_breaks_nothing) {
  cr_assert(nova_tls_can(NOVA_TLS_1_0), "or TLS-02 cannot be tried");
  judge(NOVA_FAULTS);
}

Test(mqtts, each_fault_breaks_what_it_says) {
  static const enum nova_fault rows[] = {
#define NOVA_FAULT(ID, name, side, what, breaks, needs) NOVA_FAULT_##ID,
#include "peer/mqtt_faults.def"
#undef NOVA_FAULT
  };
  size_t n = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const struct nova_fault_info *f = nova_fault_info(rows[i]);
    bool of_tls = strncmp(f->breaks, "TLS-", 4) == 0;
    if (of_tls || nova_fault_is_variant(f))
      judge(rows[i]);
    n += of_tls;
  }
  cr_assert_geq(n, 10);
}

Test(mqtts, variants_show) {
  struct scene x;
  start(&x, NOVA_FAULTS, false);
  cr_assert(serves(&x, NOVA_TLS_1_2, NULL));
  cr_assert(serves(&x, NOVA_TLS_1_3, NULL));
  stop(&x);
  start(&x, NOVA_FAULT_M_V_TLS_1_2_ONLY, false);
  cr_assert(serves(&x, NOVA_TLS_1_2, NULL));
  cr_assert_not(serves(&x, NOVA_TLS_1_3, NULL));
  stop(&x);
  start(&x, NOVA_FAULT_M_V_TLS_1_3_ONLY, false);
  cr_assert_not(serves(&x, NOVA_TLS_1_2, NULL));
  cr_assert(serves(&x, NOVA_TLS_1_3, NULL));
  stop(&x);
}

/* --- the rest --------------------------------------------------------------
 */

Test(mqtts, logins_are_judged_behind_tls_as_in_front_of_it) {
  struct scene x;
  start(&x, NOVA_FAULTS, false);
  struct nova_tls how = client(&x, NOVA_TLS_ANY, NOVA_TLS_ANY);
  cr_assert_eq(attempt(&x, &how), NOVA_MQTT_CODE_ACCEPTED);
  cr_assert_eq(nova_server_connections(x.server), 1);
  x.password = "wrong";
  cr_assert_eq(attempt(&x, &how), NOVA_MQTT_CODE_CREDENTIALS);
  cr_assert(x.ended);
  uint16_t plain = nova_serve_mqtt_port(x.serve);
  cr_assert_eq(attempt_for(&x, plain, NULL, NOVA_SEC),
               NOVA_MQTT_CODE_CREDENTIALS);
  x.password = "key";
  cr_assert_eq(attempt_for(&x, plain, NULL, NOVA_SEC), NOVA_MQTT_CODE_ACCEPTED);
  /* TLS where there is none is no MQTT. */
  cr_assert_eq(attempt_for(&x, plain, &how, NOVA_SEC), -1);
  cr_assert(x.ended);
  nova_sim_run(x.sim, nova_sim_now(x.sim) + NOVA_SEC);
  cr_assert_eq(nova_server_connections(x.server), 0);
  stop(&x);
}

Test(mqtts, who_speaks_no_tls_is_closed) {
  struct scene x;
  start(&x, NOVA_FAULTS, false);
  uint16_t port = nova_serve_mqtts_port(x.serve);
  cr_assert_eq(attempt_for(&x, port, NULL, NOVA_SEC), -1);
  cr_assert(x.ended);
  /* Silence has the time of a handshake. */
  x.quiet = true;
  (void)attempt_for(&x, port, NULL, NOVA_SERVE_HANDSHAKE - 100 * NOVA_MS);
  cr_assert_not(x.ended);
  (void)attempt_for(&x, port, NULL, NOVA_SERVE_HANDSHAKE + 100 * NOVA_MS);
  cr_assert(x.ended);
  cr_assert_eq(nova_server_connections(x.server), 0);
  stop(&x);
}

/* With TLS 1.3 a client is done before the server has read its certificate. */
Test(mqtts, a_client_of_another_ca_is_refused) {
  struct scene x;
  start(&x, NOVA_FAULTS, true);
  cr_assert_not(serves(&x, NOVA_TLS_1_2, &x.all->client_of_another));
  cr_assert_not(serves(&x, NOVA_TLS_1_3, &x.all->client_of_another));
  cr_assert(x.ended);
  cr_assert(serves(&x, NOVA_TLS_1_3, &x.all->client));
  stop(&x);
}

Test(mqtts, a_certificate_that_nobody_can_read_serves_nobody) {
  struct scene x;
  const char *why = NULL;
  start(&x, NOVA_FAULTS, false);
  struct nova_tls tls = {.own = {nova_view_of("no PEM"), nova_view_of("none")}};
  struct nova_tls how = client(&x, NOVA_TLS_ANY, NOVA_TLS_ANY);
  nova_serve_free(x.serve);
  x.st->ops->unlisten(x.st, NOVA_SERVE_MQTTS);
  x.serve =
      nova_serve_new(x.st, x.server,
                     &(struct nova_serve_options){
                         .mqtts_host = HOST, .mqtts_port = 8884, .tls = &tls},
                     &why);
  cr_assert_not_null(x.serve, "%s", why);
  cr_assert_eq(nova_serve_mqtts_port(x.serve), 8884);
  cr_assert_eq(nova_serve_mqtt_port(x.serve), 0);
  cr_assert_eq(attempt(&x, &how), -1);
  cr_assert(x.ended);
  cr_assert_eq(nova_server_connections(x.server), 0);
  stop(&x);
}

/* A record that is none, in the middle of a connection. */
Test(mqtts, tls_that_breaks_later_ends_the_connection) {
  static const char garbage[] = "\x17\x03\x03\x00\x10 no record at all";
  struct scene x;
  start(&x, NOVA_FAULTS, false);
  struct nova_tls how = client(&x, NOVA_TLS_ANY, NOVA_TLS_ANY);
  x.how = &how;
  x.code = -1;
  uint16_t port = nova_serve_mqtts_port(x.serve);
  cr_assert_eq(x.ct->ops->connect(x.ct, 77, HOST, port, NOVA_SEC), 0);
  nova_sim_run(x.sim, NOVA_SEC);
  cr_assert_eq(x.code, NOVA_MQTT_CODE_ACCEPTED);
  cr_assert_eq(nova_server_connections(x.server), 1);
  cr_assert_eq(
      x.inner[1]->ops->send(x.inner[1], 77, garbage, sizeof garbage - 1), 0);
  nova_sim_run(x.sim, 2 * NOVA_SEC);
  cr_assert_eq(nova_server_connections(x.server), 0);
  cr_assert(x.ended || x.insecure);
  stop(&x);
}

Test(mqtts, options_have_to_fit) {
  struct scene x;
  const char *why = NULL;
  start(&x, NOVA_FAULTS, false);
  struct nova_tls tls = {.own = x.all->server[NOVA_CERTIFICATE_GOOD]},
                  none = {0};
  cr_assert_null(
      nova_serve_new(x.st, x.server,
                     &(struct nova_serve_options){.control_host = HOST}, &why));
  cr_assert_str_eq(why, "no address for devices is given");
  struct nova_serve_options o = {.mqtts_host = HOST};
  cr_assert_null(nova_serve_new(x.st, x.server, &o, &why));
  cr_assert_str_eq(why, "MQTT over TLS needs a certificate");
  o.tls = &none;
  cr_assert_null(nova_serve_new(x.st, x.server, &o, &why));
  cr_assert_str_eq(why, "MQTT over TLS needs a certificate");
  o.tls = &tls;
  cr_assert_null(nova_serve_new(x.inner[1], x.server, &o, &why));
  cr_assert_str_eq(why, "the transport has no TLS");
  stop(&x);
}
