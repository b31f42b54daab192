/* Devices that are operated by hand, and connect when they like. */
#include "unit/run/run_rig.h"

#include "run/replay.h"
#include "verdict/verdict.h"

#include <stdio.h>

#define AUTH(id)                                                               \
  "{\"type\":\"auth\",\"device_id\":\"" id "\",\"device_key\":\"k\"}\n"
#define PING "{\"type\":\"ping\"}\n"

#define LOBBY_TEST(name)                                                       \
  Test(lobby, name, .init = rig_setup, .fini = rig_teardown)

static void by_hand(unsigned devices, unsigned conversations) {
  static const char *const ids[] = {"DEV-1", "DEV-2", "DEV-3"};
  for (unsigned i = 0; i < devices; i++)
    rig_credential(ids[i], "k");
  for (unsigned i = 0; i < conversations; i++) {
    char id[] = "tcp-a";
    id[4] = (char)('a' + (int)i);
    rig_conversation(id, "$device.id");
  }
  const char *why = NULL;
  cr_assert(rig_start(false, &why), "%s", why);
  cr_assert_eq(nova_run_port(rig_run, NOVA_OVER_TCP), RIG_PORT);
  nova_sim_run(rig_sim, NOVA_MS);
}

static void expect(const char *id, enum nova_verdict v) {
  cr_expect_eq(rig_result(id)->verdict, v, "%s: %s: %s", id,
               nova_verdict_names[rig_result(id)->verdict],
               rig_result(id)->reason != NULL ? rig_result(id)->reason : "");
}

LOBBY_TEST(one_device_is_known_without_a_word) {
  by_hand(1, 1);
  struct nova_run_wait w;
  cr_assert_eq(nova_run_waits(rig_run, false, &w, 1), 1);
  cr_expect(w.act, "somebody has to help");
  cr_expect_str_eq(w.device, "DEV-1");
  rig_connect(1, RIG_PORT, NULL);
  rig_pass(NOVA_SEC);
  nova_run_waits(rig_run, false, &w, 1);
  cr_expect_not(w.act);
  rig_say(1, AUTH("DEV-1") PING);
  rig_to_the_end();
  expect("tcp-a", NOVA_VERDICT_PASS);
  rig_connect(2, RIG_PORT, NULL);
  nova_sim_run(rig_sim, nova_sim_now(rig_sim) + NOVA_SEC);
  cr_expect_eq(rig_state(2), 'X', "the door is shut behind the run");
}

/* It comes again at once, before the next conversation has begun. */
LOBBY_TEST(one_that_comes_between_two_conversations) {
  by_hand(1, 3);
  for (unsigned i = 1; i <= 3; i++) {
    rig_connect(i, RIG_PORT, AUTH("DEV-1") PING);
    rig_pass(10 * NOVA_MS);
    if (i == 2)
      cr_expect_not(rig_let_in(i), "the credential rests");
    rig_pass((i - 1) * 100 * NOVA_MS);
    cr_expect(rig_let_in(i), "%u", i);
  }
  rig_to_the_end();
  expect("tcp-a", NOVA_VERDICT_PASS);
  expect("tcp-b", NOVA_VERDICT_PASS);
  expect("tcp-c", NOVA_VERDICT_PASS);
  cr_expect_not(rig_result("tcp-a")->again && rig_result("tcp-b")->again);
  cr_expect(rig_result("tcp-c")->again);
}

LOBBY_TEST(three_are_told_apart_by_their_ids) {
  by_hand(3, 3);
  rig_connect(1, RIG_PORT, AUTH("DEV-3") PING);
  rig_connect(2, RIG_PORT, NULL);
  rig_connect(3, RIG_PORT, AUTH("DEV-2") PING);
  rig_pass(NOVA_SEC);
  cr_expect(rig_let_in(1) && rig_let_in(3));
  rig_say(2, "{\"type\":\"auth\",\"device_id\":\"D");
  rig_pass(NOVA_SEC);
  cr_expect_not(rig_let_in(2));
  rig_say(2, "EV-1\",\"device_key\":\"k\"}\n" PING);
  rig_to_the_end();
  static const char *const id[] = {"tcp-a", "tcp-b", "tcp-c"};
  for (size_t i = 0; i < 3; i++) {
    expect(id[i], NOVA_VERDICT_PASS);
    /* Each conversation heard its own device. */
    const struct nova_conversation_result *c = rig_result(id[i]);
    bool own = false;
    for (size_t k = 0; k < c->transcript.n; k++) {
      struct nova_view b = c->transcript.entry[k].bytes;
      own |= b.n != 0 && memmem(b.p, b.n, c->device + 1, 4) != NULL;
    }
    cr_expect(own, "%s: %s", c->id, c->device);
  }
}

LOBBY_TEST(an_unknown_id_goes_where_it_was_waited_for_the_longest) {
  by_hand(2, 2);
  rig_connect(1, RIG_PORT, AUTH("dev-1") PING);
  rig_pass(NOVA_SEC);
  cr_expect(rig_let_in(1));
  rig_connect(2, RIG_PORT, "no json\n" PING);
  rig_pass(NOVA_SEC);
  cr_expect_not(rig_let_in(2));
  rig_to_the_end();
}

/* A guest is told of when its line is whole, with the time at which it came:
 * the record tells both, so that it is judged in the same order again. */
LOBBY_TEST(one_that_is_known_late) {
  rig_credential("DEV-1", "k");
  rig_credential("DEV-2", "k");
  rig_load("x.yaml",
           "conversation: tcp-a\ntitle: {en: a, zh: b}\ntransport: tcp\n"
           "steps:\n- device: connect\n"
           "- {device: send, message: {type: auth, device_id: $device.id}, "
           "relies_on: R-1}\n"
           "- {server: close, as: closed}\n"
           "- {device: attempts, at_most: 0, for: 2s, from: closed, verifies: "
           "R-3}\n"
           "- {device: connect, within: 20s}\n"
           "- {device: send, message: {type: ping}, within: 20s, verifies: "
           "R-2}\n");
  const char *why = NULL;
  cr_assert(rig_start(false, &why));
  nova_sim_run(rig_sim, NOVA_MS);
  rig_connect(1, RIG_PORT, AUTH("DEV-1"));
  rig_pass(NOVA_SEC);
  rig_connect(2, RIG_PORT, NULL);
  rig_pass(3 * NOVA_SEC);
  rig_say(2, AUTH("DEV-1") PING);
  rig_to_the_end();
  expect("tcp-a", NOVA_VERDICT_PASS);
  struct nova_results *r = nova_run_results(rig_run, NULL);
  struct nova_replay *v = nova_replay_run(NULL, &rig_catalog, r, NULL);
  cr_assert_not_null(v);
  cr_expect_eq(r->conversation[0].verdict, NOVA_VERDICT_PASS, "%s",
               r->conversation[0].reason);
  nova_replay_free(v);
}

/* Whoever says nothing is handed over when an auth would have been due. */
LOBBY_TEST(silent_ones) {
  by_hand(2, 2);
  rig_connect(1, RIG_PORT, NULL);
  rig_pass(10 * NOVA_SEC);
  struct nova_run_wait w[2];
  nova_run_waits(rig_run, false, w, 2);
  cr_expect(w[0].act && w[1].act, "nobody has it yet");
  rig_pass(2 * NOVA_SEC);
  nova_run_waits(rig_run, false, w, 2);
  cr_expect(w[0].act != w[1].act, "one has it now");
  rig_to_the_end();
}

/* Looking whether a port is open takes nothing from those who come. */
LOBBY_TEST(that_only_look_at_the_port) {
  by_hand(2, 2);
  for (unsigned i = 10; i < 60; i++) {
    rig_connect(i, RIG_PORT, NULL);
    rig_pass(NOVA_MS);
    rig_close(i, i % 2 == 0);
  }
  rig_pass(20 * NOVA_SEC);
  struct nova_run_wait w[2];
  nova_run_waits(rig_run, false, w, 2);
  cr_expect(w[0].act && w[1].act, "nobody was there");
  rig_connect(1, RIG_PORT, AUTH("DEV-1") PING);
  rig_connect(2, RIG_PORT, AUTH("DEV-2") PING);
  rig_to_the_end();
  expect("tcp-a", NOVA_VERDICT_PASS);
  expect("tcp-b", NOVA_VERDICT_PASS);
}

LOBBY_TEST(a_hundred_guests) {
  by_hand(2, 2);
  for (unsigned i = 1; i <= 100; i++) {
    rig_connect(i, RIG_PORT, NULL);
    rig_pass(NOVA_MS);
  }
  unsigned reset = 0;
  for (unsigned i = 1; i <= 100; i++)
    reset += rig_state(i) == 'R';
  cr_expect_eq(reset, 36, "64 wait, the oldest went: %u", reset);
  cr_expect_eq(rig_state(1), 'R');
  cr_expect_eq(rig_state(100), 'C');
  rig_connect(200, RIG_PORT, AUTH("DEV-2") PING);
  rig_connect(201, RIG_PORT, AUTH("DEV-1") PING);
  rig_pass(NOVA_SEC);
  cr_expect(rig_let_in(200));
  cr_expect(rig_let_in(201));
  rig_to_the_end();
  expect("tcp-a", NOVA_VERDICT_PASS);
  expect("tcp-b", NOVA_VERDICT_PASS);
  for (unsigned i = 1; i <= 100; i++)
    cr_expect_neq(rig_state(i), 'C', "%u was left", i);
}

/* One that belongs to nobody is sent away, and what it says is bounded. */
LOBBY_TEST(guests_without_an_end) {
  by_hand(2, 1);
  rig_connect(1, RIG_PORT, NULL);
  rig_pass(NOVA_MS);
  char text[4097];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  /* Its conversation goes to the other one; that one belongs to DEV-2. */
  rig_connect(2, RIG_PORT, AUTH("DEV-2"));
  for (unsigned i = 0; i < 1000 && rig_state(2) == 'C'; i++)
    rig_say(2, text);
  rig_pass(29 * NOVA_SEC);
  cr_expect_eq(rig_state(2), 'C');
  rig_pass(2 * NOVA_SEC);
  cr_expect_eq(rig_state(2), 'R');
  rig_to_the_end();
}

/* Byte by byte, by as many as there is room for: looked at when a line ends. */
LOBBY_TEST(lines_that_trickle) {
  static const char text[] = AUTH("DEV-2") PING;
  by_hand(2, 2);
  for (unsigned i = 1; i <= 60; i++)
    rig_connect(i, RIG_PORT, NULL);
  rig_pass(NOVA_MS);
  for (unsigned k = 0; k < 3000; k++)
    for (unsigned i = 2; i <= 60; i++)
      rig_say(i, "x");
  for (size_t k = 0; k < sizeof text - 1; k++) {
    char one[2] = {text[k], '\0'};
    rig_say(1, one);
    rig_pass(NOVA_MS);
  }
  cr_expect(rig_let_in(1));
  rig_to_the_end();
  bool passed = rig_result("tcp-a")->verdict == NOVA_VERDICT_PASS ||
                rig_result("tcp-b")->verdict == NOVA_VERDICT_PASS;
  cr_expect(passed);
}

LOBBY_TEST(nobody_comes) {
  by_hand(1, 3);
  rig_to_the_end();
  cr_expect_leq(nova_sim_now(rig_sim), 1300 * NOVA_SEC,
                "one that is not there is not waited for again");
  expect("tcp-a", NOVA_VERDICT_NOT_TESTED);
  expect("tcp-c", NOVA_VERDICT_NOT_TESTED);
  cr_expect_str_eq(rig_result("tcp-c")->reason, "the device never connected");
}

/* What waits when the run is interrupted is let go. */
LOBBY_TEST(an_interrupt) {
  by_hand(2, 2);
  rig_connect(1, RIG_PORT, NULL);
  rig_connect(2, RIG_PORT, AUTH("DEV-1"));
  rig_pass(NOVA_SEC);
  nova_run_interrupt(rig_run, "somebody pressed Ctrl-C");
  cr_expect(nova_run_over(rig_run));
  nova_sim_run(rig_sim, nova_sim_now(rig_sim) + NOVA_SEC);
  cr_expect_eq(rig_state(1), 'R');
  cr_expect_eq(rig_state(2), 'F');
  unsigned open = 0;
  static const char *const id[] = {"tcp-a", "tcp-b"};
  for (size_t i = 0; i < 2; i++)
    open += rig_result(id[i])->verdict == NOVA_VERDICT_INCONCLUSIVE;
  cr_expect_eq(open, 2);
}

/* The harness has no credential: nothing is waited for. */
LOBBY_TEST(no_credential) {
  by_hand(0, 1);
  cr_expect(nova_run_over(rig_run));
  expect("tcp-a", NOVA_VERDICT_NOT_TESTED);
}

LOBBY_TEST(no_credential_that_is_looked_at) {
  rig_conversation("tcp-a", "1");
  const char *why = NULL;
  cr_assert(rig_start(false, &why), "%s", why);
  cr_expect(nova_run_over(rig_run));
}
