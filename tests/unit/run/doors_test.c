/* Devices that are operated by hand and come by one transport or another, and
 * those that are started and take the wrong one of their ports. */
#include "unit/run/run_rig.h"

#include "net/tls.h"
#include "run/command.h"
#include "run/replay.h"
#include "support/simrun.h"
#include "verdict/verdict.h"

#include <stdio.h>

#define MQTT_PORT 1883
#define AUTH(id)                                                               \
  "{\"type\":\"auth\",\"device_id\":\"" id "\",\"device_key\":\"k\"}\n"
#define PING "{\"type\":\"ping\"}\n"
/* A CONNECT with that user name of five characters, and a PINGREQ. */
#define HELLO(id)                                                              \
  "\x10\x14\0\x04MQTT\x04\x82\0\x3c\0\x01"                                     \
  "c\0\x05" id "\xc0\0"

#define DOORS_TEST(name)                                                       \
  Test(doors, name, .init = rig_setup, .fini = rig_teardown)

static void mqtt_conversation(const char *id) {
  char text[512];
  snprintf(text, sizeof text,
           "conversation: %s\ntitle: {en: a, zh: b}\ntransport: mqtt\nsteps:\n"
           "- device: connect\n"
           "- {device: send, message: {packet: CONNECT}, within: 20s, "
           "relies_on: R-1}\n"
           "- {device: send, message: {packet: PINGREQ}, verifies: R-2}\n",
           id);
  rig_load("x.yaml", text);
}

static void by_hand(unsigned devices, unsigned tcp, unsigned mqtt) {
  static const char *const ids[] = {"DEV-1", "DEV-2", "DEV-3"};
  rig_profile.mqtt = (struct nova_address){"server", MQTT_PORT};
  for (unsigned i = 0; i < devices; i++)
    rig_credential(ids[i], "k");
  for (unsigned i = 0; i < tcp; i++) {
    char id[] = "tcp-a";
    id[4] = (char)('a' + (int)i);
    rig_conversation(id, "$device.id");
  }
  for (unsigned i = 0; i < mqtt; i++) {
    char id[] = "mqtt-a";
    id[5] = (char)('a' + (int)i);
    mqtt_conversation(id);
  }
  const char *why = NULL;
  cr_assert(rig_start(false, &why), "%s", why);
  nova_sim_run(rig_sim, NOVA_MS);
}

static void hello(unsigned n, const char *bytes, size_t size) {
  rig_connect(n, MQTT_PORT, NULL);
  rig_pass(NOVA_MS);
  rig_device->ops->send(rig_device, n, bytes, size);
}
#define SAYS_HELLO(n, id) hello(n, HELLO(id), sizeof HELLO(id) - 1)

static void expect(const char *id, enum nova_verdict v) {
  cr_expect_eq(rig_result(id)->verdict, v, "%s: %s: %s", id,
               nova_verdict_names[rig_result(id)->verdict],
               rig_result(id)->reason != NULL ? rig_result(id)->reason : "");
}

/* What waits for it at the other door goes first. */
DOORS_TEST(that_are_not_the_ones_that_are_watched) {
  by_hand(1, 2, 2);
  SAYS_HELLO(1, "DEV-1");
  rig_pass(200 * NOVA_MS);
  SAYS_HELLO(2, "DEV-1");
  rig_pass(200 * NOVA_MS);
  cr_expect_eq(rig_times[NOVA_RUN_ENDED], 2);
  rig_to_the_end();
  expect("mqtt-a", NOVA_VERDICT_PASS);
  expect("mqtt-b", NOVA_VERDICT_PASS);
  expect("tcp-a", NOVA_VERDICT_NOT_TESTED);
  expect("tcp-b", NOVA_VERDICT_NOT_TESTED);
  cr_expect_leq(nova_sim_now(rig_sim), 620 * NOVA_SEC);
}

/* One device at both doors, before anything of it can be played. */
DOORS_TEST(both_at_once) {
  by_hand(1, 2, 2);
  rig_connect(1, RIG_PORT, AUTH("DEV-1") PING);
  rig_pass(10 * NOVA_MS); /* played; the credential rests */
  rig_connect(2, RIG_PORT, AUTH("DEV-1") PING);
  SAYS_HELLO(3, "DEV-1");
  rig_pass(NOVA_SEC);
  SAYS_HELLO(4, "DEV-1");
  rig_pass(NOVA_SEC);
  rig_to_the_end();
  expect("tcp-a", NOVA_VERDICT_PASS);
  expect("tcp-b", NOVA_VERDICT_PASS);
  expect("mqtt-a", NOVA_VERDICT_PASS);
  expect("mqtt-b", NOVA_VERDICT_PASS);
}

/* Three devices, each knows another transport; both come again and again. */
DOORS_TEST(of_devices_with_one_transport_each) {
  by_hand(3, 3, 3);
  for (unsigned i = 0; i < 3 * 100 && !nova_run_over(rig_run); i += 3) {
    rig_connect(10 + i, RIG_PORT, AUTH("DEV-1") PING);
    SAYS_HELLO(11 + i, "DEV-2");
    SAYS_HELLO(12 + i, "DEV-3");
    rig_pass(20 * NOVA_SEC);
  }
  rig_to_the_end();
  static const char *const id[] = {"tcp-a",  "tcp-b",  "tcp-c",
                                   "mqtt-a", "mqtt-b", "mqtt-c"};
  for (size_t i = 0; i < 6; i++)
    expect(id[i], NOVA_VERDICT_PASS);
}

/* Guests in the middle of a conversation, at every door: nothing goes round. */
DOORS_TEST(of_devices_that_are_busy) {
  by_hand(3, 4, 4);
  rig_connect(1, RIG_PORT, AUTH("DEV-1"));
  rig_connect(2, RIG_PORT, AUTH("DEV-2"));
  rig_pass(NOVA_SEC);
  for (unsigned i = 10; i < 20; i += 2) {
    SAYS_HELLO(i, "DEV-1");
    SAYS_HELLO(i + 1, "DEV-2");
    rig_connect(30 + i, RIG_PORT, NULL);
  }
  rig_pass(NOVA_SEC);
  rig_to_the_end();
}

/* The first that is asked is not there; another one is. */
DOORS_TEST(of_another_device) {
  by_hand(3, 2, 0);
  rig_pass(300 * NOVA_SEC);
  for (unsigned i = 1; i <= 8; i++) {
    rig_connect(i, RIG_PORT, AUTH("DEV-3") PING);
    rig_pass(100 * NOVA_SEC);
  }
  rig_to_the_end();
  expect("tcp-a", NOVA_VERDICT_PASS);
  expect("tcp-b", NOVA_VERDICT_PASS);
}

/* --- a process with several ports
 * ----------------------------------------------- */

static uint16_t wrong_port;

static void takes_the_wrong_port(const struct rig_job *job) {
  /* What is to be said stays the caller's. */
  static char auth[256];
  snprintf(
      auth, sizeof auth,
      "{\"type\":\"auth\",\"device_id\":\"%s\",\"device_key\":\"%s\"}\n" PING,
      job->id, job->key);
  wrong_port = job->port; /* NOVA_TCP_PORT */
  rig_connect(1, job->port, auth);
}

DOORS_TEST(the_wrong_one_of_a_process) {
  rig_profile.mqtt = (struct nova_address){"server", 0};
  rig_profile.tcp.port = 0;
  mqtt_conversation("mqtt-a");
  rig_on_job = takes_the_wrong_port;
  const char *why = NULL;
  cr_assert(rig_start(true, &why), "%s", why);
  rig_pass(NOVA_SEC);
  cr_expect_eq(rig_state(1), 'C', "it may want both");
  cr_expect(rig_let_in(1), "it is served there");
  /* Many of them take nothing from anybody, and a wrong one is refused. */
  for (unsigned i = 2; i < 200; i++)
    rig_connect(i, wrong_port, AUTH("DEV-000001"));
  rig_pass(70 * NOVA_SEC);
  cr_expect_eq(rig_state(1), 'C');
  for (unsigned i = 2; i < 200; i++)
    cr_expect(rig_state(i) == 'F' && !rig_let_in(i), "%u", i);
  nova_sim_exit(rig_job[0].party, rig_job[0].job, 0);
  rig_to_the_end();
  expect("mqtt-a", NOVA_VERDICT_NOT_TESTED);
  rig_connect(300, wrong_port, NULL);
  nova_sim_run(rig_sim, nova_sim_now(rig_sim) + NOVA_SEC);
  cr_expect_eq(rig_state(300), 'X', "its ports are gone");
}

/* --- what a process is told
 * ----------------------------------------------------- */

DOORS_TEST(placeholders) {
  struct nova_arena arena;
  nova_arena_init(&arena, NULL, 1 << 20);
  struct nova_profile p = {.arena = &arena};
  p.tcp = (struct nova_address){"10.0.0.1", 9000};
  p.mqtts = (struct nova_address){"10.0.0.3", 8883};
  static const struct {
    enum nova_link_kind over;
    const char *text;
  } all[] = {{NOVA_OVER_TCP, "tcp 10.0.0.1:9000/9000,8883"},
             {NOVA_OVER_MQTTS, "mqtts 10.0.0.3:8883/9000,8883"}};
  const char *why;
  for (size_t i = 0; i < 2; i++) {
    const char *text = nova_command_word(
        &arena, &p, all[i].over,
        "{transport} {host}:{port}/{tcp_port},{mqtts_port}", &why);
    cr_assert_not_null(text, "%s", why);
    cr_expect_str_eq(text, all[i].text);
  }
  cr_expect_null(
      nova_command_word(&arena, &p, NOVA_OVER_TCP, "{mqtt_port}", &why));
  cr_expect_str_eq(why, "nothing was given for {mqtt_port}");
  const char **env = nova_command_env(&arena, &p, NOVA_OVER_MQTTS);
  unsigned found = 0;
  for (; *env != NULL; env++)
    found += strcmp(*env, "NOVA_TRANSPORT=mqtts") == 0 ||
             strcmp(*env, "NOVA_PORT=8883") == 0 ||
             strcmp(*env, "NOVA_HOST=10.0.0.3") == 0;
  cr_expect_eq(found, 3);
  nova_arena_free(&arena);
}

/* --- a server that hangs up before its handshake
 * ---------------------------- */

static void hangs_up(void *user, const struct nova_event *e) {
  (void)user;
  if (e->kind == NOVA_EVENT_ACCEPTED)
    rig_device->ops->close(rig_device, e->id, false);
}

static void does_nothing(void *user, const struct nova_event *e) {
  (void)user;
  (void)e;
}

static void ignores(void *user, nova_ts now) {
  (void)user;
  (void)now;
}

/* The record has no word of TLS, and is judged the same. */
static void server(void (*event)(void *, const struct nova_event *),
                   const char *observed) {
  uint16_t bound;
  const char *why;
  rig_load("s.yaml",
           "requirements:\n- {id: S-1, section: '1', binds: server, level: "
           "must, basis: stated, en: a, zh: b, judge: c}\n");
  rig_load("x.yaml",
           "conversation: mqtt-a\ntitle: {en: a, zh: b}\ntransport: mqtt\n"
           "steps:\n- {device: connect, verifies: S-1}\n"
           "- {device: send, message: {packet: CONNECT, client_id: a}}\n"
           "- {server: send, message: {packet: CONNACK}, verifies: S-1}\n");
  rig_credential("DEV-1", "k");
  rig_profile.subject = NOVA_ROLE_SERVER;
  rig_profile.tcp.host = NULL;
  rig_profile.mqtts = (struct nova_address){"server", 8883};
  rig_device->handler =
      (struct nova_handler){.event = event, .expire = ignores};
  rig_device->ops->listen(rig_device, 1, "server", 8883, &bound, &why);
  struct nova_transport *tls = nova_tls_wrap(NULL, rig_harness);
  rig_options.transport = tls;
  cr_assert(rig_start(false, &why), "%s", why);
  rig_to_the_end();
  expect("mqtt-a", NOVA_VERDICT_FAIL);
  cr_expect_not_null(strstr(rig_result("mqtt-a")->reason, observed), "%s",
                     rig_result("mqtt-a")->reason);
  struct nova_results *r = nova_run_results(rig_run, NULL);
  size_t checks = r->conversation[0].checks;
  struct nova_replay *v = nova_replay_run(NULL, &rig_catalog, r, NULL);
  cr_assert_not_null(v);
  cr_expect_eq(r->conversation[0].verdict, NOVA_VERDICT_FAIL);
  cr_expect_eq(r->conversation[0].checks, checks);
  cr_expect_not_null(strstr(r->conversation[0].reason, observed), "%s",
                     r->conversation[0].reason);
  nova_replay_free(v);
  nova_run_free(rig_run);
  rig_run = NULL;
  nova_tls_unwrap(tls);
}

DOORS_TEST(of_a_server_that_hangs_up) {
  server(hangs_up, "TLS was not completed");
}

DOORS_TEST(of_a_server_that_says_nothing) {
  server(does_nothing, "TLS was not completed");
}

/* --- whole runs: the reference device has one transport, the profile all three
 * --- */

static void whole_run(unsigned over, const char *own, unsigned devices) {
  struct simrun *s =
      simrun_new(&(struct simrun_options){.catalog = simrun_catalog(),
                                          .device = true,
                                          .by_hand = true,
                                          .devices = devices,
                                          .over = over,
                                          .seed = devices});
  cr_assert_not_null(s);
  const struct nova_results *r = simrun_results(s);
  unsigned tested = 0;
  for (size_t i = 0; i < r->conversations; i++) {
    const struct nova_conversation_result *c = &r->conversation[i];
    bool its = strcmp(c->transport, own) == 0 ||
               (strcmp(own, "mqtts") == 0 && strcmp(c->transport, "mqtt") == 0);
    tested += its && c->verdict != NOVA_VERDICT_NOT_TESTED;
    cr_expect_neq(c->verdict, NOVA_VERDICT_FAIL, "%s: %s", c->id, c->reason);
    if (!its)
      cr_expect_eq(c->verdict, NOVA_VERDICT_NOT_TESTED, "%s: %s", c->id,
                   c->reason != NULL ? c->reason : "pass");
  }
  cr_expect_gt(tested, 2, "%u", tested);
  simrun_free(s);
}

Test(doors, one_that_knows_mqtt_alone) {
  whole_run(1u << NOVA_OVER_TCP | 1u << NOVA_OVER_MQTT, "mqtt", 1);
}

Test(doors, three_that_know_mqtt_alone) {
  whole_run(1u << NOVA_OVER_TCP | 1u << NOVA_OVER_MQTT, "mqtt", 3);
}

Test(doors, one_that_knows_tls_alone) {
  whole_run(1u << NOVA_OVER_TCP | 1u << NOVA_OVER_MQTTS, "mqtts", 1);
}

Test(doors, three_that_know_tls_alone) {
  whole_run(1u << NOVA_OVER_TCP | 1u << NOVA_OVER_MQTTS, "mqtts", 3);
}
