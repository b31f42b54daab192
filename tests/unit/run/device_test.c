/* Devices that are started: ports, credentials, processes, and what is said of
 * what does not apply. */
#include "unit/run/run_rig.h"

#include "run/replay.h"
#include "support/simrun.h"
#include "verdict/verdict.h"

#include <stdio.h>

#define AUTH "{\"type\":\"auth\",\"device_id\":\"DEV-000001\"}\n"
#define PING "{\"type\":\"ping\"}\n"

#define DEVICE_TEST(name)                                                      \
  Test(device, name, .init = rig_setup, .fini = rig_teardown)

static void conversations(unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    char id[] = "tcp-a";
    id[4] = (char)('a' + (int)i);
    rig_conversation(id, "$device.id");
  }
}

static const char *begin(unsigned n) {
  const char *why = NULL;
  conversations(n);
  cr_assert(rig_start(true, &why), "%s", why);
  nova_sim_run(rig_sim, NOVA_MS);
  return why;
}

/* --- credentials
 * -------------------------------------------------------------- */

static struct rig_job first[4];

static void made_up(uint64_t seed) {
  rig_setup();
  rig_options.seed = seed;
  begin(4);
  cr_assert_eq(rig_jobs, 4, "each conversation has its process");
}

Test(device, made_up_credentials_come_again) {
  made_up(7);
  memcpy(first, rig_job, sizeof first);
  rig_teardown();
  for (size_t i = 0; i < 4; i++)
    for (size_t k = 0; k < i; k++) {
      cr_expect_str_neq(first[i].id, first[k].id);
      cr_expect_str_neq(first[i].key, first[k].key);
    }
  made_up(7);
  for (size_t i = 0; i < 4; i++) {
    cr_expect_str_eq(rig_job[i].id, first[i].id);
    cr_expect_str_eq(rig_job[i].key, first[i].key);
  }
  rig_teardown();
  made_up(8);
  for (size_t i = 0; i < 4; i++)
    cr_expect_str_neq(rig_job[i].key, first[i].key);
  rig_teardown();
}

/* Those of the profile are leased: one process at a time has each. */
DEVICE_TEST(given_credentials_are_leased) {
  rig_credential("DEV-7", "k7");
  rig_credential("DEV-8", "k8");
  begin(3);
  cr_assert_eq(rig_jobs, 2);
  cr_expect_str_eq(rig_job[0].id, "DEV-7");
  cr_expect_str_eq(rig_job[0].key, "k7");
  cr_expect_str_eq(rig_job[1].id, "DEV-8");
  nova_sim_exit(rig_job[1].party, rig_job[1].job, 0);
  rig_pass(200 * NOVA_MS);
  cr_assert_eq(rig_jobs, 3);
  cr_expect_str_eq(rig_job[2].id, "DEV-8");
}

/* --- ports
 * -------------------------------------------------------------------- */

DEVICE_TEST(ports_rise_from_the_profiles) {
  uint16_t bound;
  const char *why;
  rig_device->ops->listen(rig_device, 1, "server", RIG_PORT + 1, &bound, &why);
  begin(3);
  cr_assert_eq(rig_jobs, 3);
  cr_expect_eq(rig_job[0].port, RIG_PORT);
  cr_expect_eq(rig_job[1].port, RIG_PORT + 2, "the next one is taken");
  cr_expect_eq(rig_job[2].port, RIG_PORT + 3);
}

DEVICE_TEST(any_port_is_another_for_each) {
  rig_profile.tcp.port = 0;
  begin(3);
  cr_assert_eq(rig_jobs, 3);
  cr_expect_neq(rig_job[0].port, 0);
  cr_expect_neq(rig_job[0].port, rig_job[1].port);
  cr_expect_neq(rig_job[1].port, rig_job[2].port);
}

DEVICE_TEST(no_port_is_to_be_had) {
  uint16_t bound;
  const char *why;
  rig_profile.tcp.port = 65535;
  rig_device->ops->listen(rig_device, 1, "server", 65535, &bound, &why);
  begin(2);
  cr_expect(nova_run_over(rig_run));
  cr_expect_eq(rig_jobs, 0);
  const struct nova_conversation_result *c = rig_result("tcp-a");
  cr_expect_eq(c->verdict, NOVA_VERDICT_INCONCLUSIVE);
  cr_expect_not_null(strstr(c->reason, "nothing can be listened on"));
}

DEVICE_TEST(the_one_port_of_devices_by_hand_is_taken) {
  uint16_t bound;
  const char *why;
  rig_device->ops->listen(rig_device, 1, "server", RIG_PORT, &bound, &why);
  rig_credential("DEV-1", "k");
  conversations(1);
  why = NULL;
  cr_expect_not(rig_start(false, &why));
  cr_expect_not_null(why);
}

/* Nobody is left to listen when a conversation is over. */
DEVICE_TEST(ports_are_given_back) {
  begin(1);
  rig_connect(1, RIG_PORT, AUTH PING);
  rig_to_the_end();
  cr_expect_eq(rig_result("tcp-a")->verdict, NOVA_VERDICT_PASS);
  cr_expect_eq(rig_state(1), 'F');
  rig_connect(2, RIG_PORT, NULL);
  nova_sim_run(rig_sim, nova_sim_now(rig_sim) + NOVA_SEC);
  cr_expect_eq(rig_state(2), 'X');
}

/* A device that floods its port cannot make it deaf: what it ended is let go,
 * and the one that means it is served. */
DEVICE_TEST(a_thousand_connections) {
  begin(1);
  for (unsigned i = 1; i <= 1000; i++) {
    rig_connect(i, RIG_PORT, NULL);
    rig_pass(NOVA_MS);
    rig_close(i, i % 2 == 0);
    rig_pass(NOVA_MS);
  }
  rig_connect(1001, RIG_PORT, AUTH PING);
  rig_pass(NOVA_SEC);
  cr_expect(nova_run_over(rig_run));
  /* The first was taken while it was open. */
  cr_expect_eq(rig_result("tcp-a")->verdict, NOVA_VERDICT_INCONCLUSIVE);
}

static const char counted[] =
    "conversation: tcp-a\ntitle: {en: a, zh: b}\ntransport: tcp\nsteps:\n"
    "- device: connect\n"
    "- {server: close, as: closed}\n"
    "- {device: attempts, at_most: 100, for: 30s, from: closed, verifies: "
    "R-3}\n";

/* Each of them counts, however it ended. */
DEVICE_TEST(attempts_that_close_at_once_are_counted) {
  rig_load("x.yaml", counted);
  const char *why = NULL;
  cr_assert(rig_start(true, &why));
  nova_sim_run(rig_sim, NOVA_MS);
  for (unsigned i = 1; i <= 102; i++) {
    rig_connect(i, RIG_PORT, NULL);
    rig_pass(NOVA_MS);
    rig_device->ops->half_close(rig_device, i);
    rig_pass(NOVA_MS);
  }
  rig_to_the_end();
  cr_expect_eq(rig_result("tcp-a")->verdict, NOVA_VERDICT_FAIL);
}

/* --- processes
 * ---------------------------------------------------------------- */

DEVICE_TEST(a_process_that_ends_early) {
  begin(2);
  nova_sim_exit(rig_job[0].party, rig_job[0].job, 7);
  nova_sim_exit(rig_job[1].party, rig_job[1].job, NOVA_CODE_NOT_STARTED);
  rig_to_the_end();
  const struct nova_conversation_result *c = rig_result("tcp-a");
  cr_expect_eq(c->verdict, NOVA_VERDICT_NOT_TESTED);
  cr_expect_not_null(strstr(c->reason, "exit status 7"), "%s", c->reason);
  cr_expect_not_null(
      strstr(rig_result("tcp-b")->reason, "could not be started"));
}

static struct nova_transport_ops slow_ops;
static unsigned stops;

static void slow_stop(struct nova_transport *t, uint64_t id) {
  (void)t;
  (void)id;
  stops++;
}

/* Processes take their time to end. */
static void slow(void) {
  slow_ops = *rig_harness->ops;
  slow_ops.stop = slow_stop;
  rig_harness->ops = &slow_ops;
  stops = 0;
}

DEVICE_TEST(the_end_of_its_process_is_waited_for) {
  slow();
  begin(1);
  rig_connect(1, RIG_PORT, AUTH PING);
  rig_pass(NOVA_SEC);
  cr_expect_eq(stops, 1);
  cr_expect_not(nova_run_over(rig_run));
  cr_expect_eq(rig_times[NOVA_RUN_ENDED], 0);
  rig_pass(4 * NOVA_SEC);
  nova_sim_exit(rig_job[0].party, rig_job[0].job, 0);
  rig_to_the_end();
  const struct nova_conversation_result *c = rig_result("tcp-a");
  cr_expect_eq(c->verdict, NOVA_VERDICT_PASS);
  cr_expect_lt(c->duration, NOVA_SEC, "that is no part of it");
  const struct nova_transcript *t = &c->transcript;
  cr_expect_eq(t->entry[t->n - 1].kind, NOVA_ENTRY_EXITED);
}

/* One conversation waits for its process, one is played, one has not begun. */
DEVICE_TEST(an_interrupt_while_processes_end) {
  slow();
  rig_options.jobs = 2;
  begin(3);
  cr_assert_eq(rig_jobs, 2);
  rig_connect(1, rig_job[0].port, AUTH PING);
  rig_connect(2, rig_job[1].port, AUTH);
  rig_pass(NOVA_SEC);
  nova_run_interrupt(rig_run, "interrupted");
  nova_run_interrupt(rig_run, "interrupted again");
  cr_expect_eq(stops, 2);
  cr_expect_not(nova_run_over(rig_run));
  /* Long enough for every bound of what was being played. */
  rig_pass(60 * NOVA_SEC);
  nova_sim_exit(rig_job[0].party, rig_job[0].job, 0);
  nova_sim_exit(rig_job[1].party, rig_job[1].job, NOVA_CODE_SIGNAL);
  rig_to_the_end();
  cr_expect_eq(rig_jobs, 2);
  cr_expect_eq(rig_result("tcp-a")->verdict, NOVA_VERDICT_PASS);
  cr_expect_eq(rig_result("tcp-b")->verdict, NOVA_VERDICT_INCONCLUSIVE);
  cr_expect_eq(rig_result("tcp-c")->verdict, NOVA_VERDICT_NOT_TESTED);
  /* Judged again it is no worse: nobody waited for what did not come. */
  struct nova_results *r = nova_run_results(rig_run, NULL);
  struct nova_replay *v = nova_replay_run(NULL, &rig_catalog, r, NULL);
  cr_assert_not_null(v);
  for (size_t i = 0; i < r->conversations; i++)
    if (strcmp(r->conversation[i].id, "tcp-b") == 0)
      cr_expect_eq(r->conversation[i].verdict, NOVA_VERDICT_INCONCLUSIVE);
  for (size_t i = 0; i < r->conversations; i++)
    for (size_t k = 0; k < r->conversation[i].checks; k++)
      cr_expect_neq(r->conversation[i].check[k].verdict, NOVA_VERDICT_FAIL);
  nova_replay_free(v);
}

/* --- what is known beforehand
 * ------------------------------------------------- */

DEVICE_TEST(kept_results_stand_and_are_not_played) {
  static struct nova_conversation_result kept = {.id = "tcp-b",
                                                 .verdict =
                                                     NOVA_VERDICT_INCONCLUSIVE,
                                                 .reason = "of before"};
  rig_options.kept = &kept;
  rig_options.kept_n = 1;
  begin(3);
  cr_expect_eq(rig_jobs, 2);
  cr_expect_eq(rig_times[NOVA_RUN_KEPT], 1);
  for (size_t i = 0; i < 2; i++)
    nova_sim_exit(rig_job[i].party, rig_job[i].job, 0);
  rig_to_the_end();
  cr_expect_eq(rig_times[NOVA_RUN_ENDED], 2);
  cr_expect_eq(rig_result("tcp-b")->verdict, NOVA_VERDICT_INCONCLUSIVE);
  cr_expect_str_eq(rig_result("tcp-b")->reason, "of before");
}

static void reported(const char *timers) {
  char profile[256];
  snprintf(profile, sizeof profile, "novaprobe: 1\nsubject: device\n%s",
           timers);
  rig_profile_read(profile);
  rig_load("d.yaml",
           "conversation: tcp-data\ntitle: {en: a, zh: b}\ntransport: tcp\n"
           "steps:\n- device: connect\n"
           "- {device: send, message: {type: data}, within: $data_interval, "
           "awaits: R-3}\n");
  rig_load("w.yaml",
           "conversation: tcp-wait\ntitle: {en: a, zh: b}\ntransport: tcp\n"
           "steps:\n- device: connect\n"
           "- {device: open, for: 90s, verifies: R-4}\n");
  const char *why = NULL;
  cr_assert(rig_start(true, &why), "%s", why);
  nova_sim_run(rig_sim, NOVA_MS);
  for (size_t i = 0; i < rig_jobs; i++)
    rig_connect(1 + (unsigned)i, rig_job[i].port, NULL);
}

DEVICE_TEST(data_that_never_comes_does_not_apply) {
  reported("timers: {data_interval: never}\n");
  cr_expect_eq(rig_jobs, 1);
  rig_to_the_end();
  const struct nova_conversation_result *c = rig_result("tcp-data");
  cr_expect_eq(c->verdict, NOVA_VERDICT_NOT_APPLICABLE);
  cr_expect_not_null(strstr(c->reason, "data_interval is never"));
}

DEVICE_TEST(data_without_an_interval_has_as_long_as_the_run) {
  reported("");
  rig_pass(89 * NOVA_SEC);
  rig_say(1, "{\"type\":\"data\"}\n");
  rig_say(2, "{\"type\":\"data\"}\n");
  rig_to_the_end();
  cr_expect_eq(rig_result("tcp-data")->verdict, NOVA_VERDICT_PASS);
}

DEVICE_TEST(data_with_an_interval_has_that) {
  reported("timers: {data_interval: 20s}\n");
  rig_pass(30 * NOVA_SEC);
  rig_say(1, "{\"type\":\"data\"}\n");
  rig_say(2, "{\"type\":\"data\"}\n");
  rig_to_the_end();
  cr_expect_eq(rig_result("tcp-data")->verdict, NOVA_VERDICT_NOT_TESTED);
}

DEVICE_TEST(a_device_without_tcp) {
  rig_profile_read("novaprobe: 1\nsubject: device\n"
                   "declares: {transports: [mqtt]}\n");
  begin(1);
  /* Nothing of it is even planned. */
  cr_expect(nova_run_over(rig_run));
  cr_expect_eq(nova_run_results(rig_run, NULL)->conversations, 0);
}

/* --- how long, and how many
 * ----------------------------------------------------- */

DEVICE_TEST(a_few_at_a_time) {
  begin(20);
  cr_expect_eq(rig_jobs, 8);
  rig_pass(49 * NOVA_MS);
  cr_expect_eq(rig_jobs, 9);
  rig_pass(500 * NOVA_MS);
  cr_expect_eq(rig_jobs, 19);
  rig_pass(50 * NOVA_MS);
  cr_expect_eq(rig_jobs, 20);
}

static nova_ts nobody_comes(const char *profile) {
  rig_setup();
  rig_profile_read(profile);
  rig_credential("DEV-000001", "k1");
  conversations(1);
  const char *why = NULL;
  cr_assert(rig_start(false, &why), "%s", why);
  rig_to_the_end();
  nova_ts took = rig_result("tcp-a")->duration;
  rig_teardown();
  return took / NOVA_SEC;
}

Test(device, the_operators_time_scales_with_the_devices) {
  static const char head[] = "novaprobe: 1\nsubject: device\n";
  cr_expect_eq(nobody_comes(head), 600);
  cr_expect_eq(nobody_comes("novaprobe: 1\nsubject: device\n"
                            "timers: {reconnect_timeout: 5s}\n"),
               50);
  cr_expect_eq(nobody_comes("novaprobe: 1\nsubject: device\n"
                            "timers: {reconnect_timeout: 1s}\n"),
               30);
  cr_expect_eq(nobody_comes("novaprobe: 1\nsubject: device\n"
                            "timers: {reconnect_timeout: 1s, "
                            "operator_timeout: 7s}\n"),
               7);
}
