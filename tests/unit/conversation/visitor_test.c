/* A player that is the server: the connections that a device opens. */
#include "unit/conversation/serve_rig.h"

#include <stdio.h>

#define CONNECT_AND_PING                                                       \
  "- {device: connect, within: 5s, verifies: ONE}\n"                           \
  "- device: send\n"                                                           \
  "  message: {type: ping}\n"                                                  \
  "  within: 5s\n"                                                             \
  "  verifies: TWO\n"

SERVE_TEST(visitor, is_taken_by_the_first_connect) {
  rig_begin(CONNECT_AND_PING);
  rig_connects(NOVA_SEC, 1);
  rig_says(2 * NOVA_SEC, 1, PING);
  cr_expect(nova_player_done(rig_player));
  VERDICT("ONE", "pass");
  VERDICT("TWO", "pass");
  cr_expect(nova_player_met(rig_player));
  cr_expect_eq(rig_ended(1), 'F', "it is closed at the end");
}

SERVE_TEST(visitor, comes_late) {
  rig_begin(CONNECT_AND_PING);
  rig_connects(5 * NOVA_SEC, 1);
  rig_says(6 * NOVA_SEC, 1, PING);
  VERDICT("ONE", "pass");
  rig_begin(CONNECT_AND_PING);
  rig_connects(5 * NOVA_SEC + 1, 1);
  VERDICT("ONE", "fail");
  cr_expect_not(nova_player_done(rig_player), "what follows can be tried");
}

/* They are taken in the order in which they came, with what they have said. */
SERVE_TEST(visitor, waits_until_a_step_takes_it) {
  rig_begin("- {wait: 10s}\n"
            "- {device: connect, on: a}\n"
            "- {device: send, on: a, message: {type: ping, n: 1}, verifies: "
            "ONE}\n"
            "- {device: connect, on: b}\n"
            "- {device: send, on: b, message: {type: ping, n: 2}, verifies: "
            "TWO}\n"
            "- {server: close, on: a}\n"
            "- {device: connect, on: a}\n"
            "- {device: send, on: a, message: {type: ping, n: 3}, verifies: "
            "THREE}\n");
  for (unsigned i = 1; i <= 3; i++) {
    char line[64];
    snprintf(line, sizeof line, "{\"type\":\"ping\",\"n\":%u}\n", i);
    rig_connects(i * NOVA_SEC, i);
    rig_says(i * NOVA_SEC + NOVA_MS, i, line);
  }
  rig_end();
  VERDICT("ONE", "pass");
  VERDICT("TWO", "pass");
  VERDICT("THREE", "pass");
}

/* Whoever looks whether a port is open is no device. */
SERVE_TEST(visitor, that_closed_without_a_word_is_none) {
  rig_begin("- {wait: 5s}\n" CONNECT_AND_PING);
  rig_connects(NOVA_SEC, 1);
  rig_closes(NOVA_SEC, 1);
  rig_connects(NOVA_SEC, 2);
  rig_resets(NOVA_SEC, 2);
  rig_connects(2 * NOVA_SEC, 3);
  rig_says(6 * NOVA_SEC, 3, PING);
  VERDICT("TWO", "pass");
  VERDICT("INTIME", "-");
  rig_end();
}

SERVE_TEST(visitor, that_spoke_and_closed_is_one) {
  rig_begin("- {wait: 5s}\n" CONNECT_AND_PING);
  rig_connects(NOVA_SEC, 1);
  rig_says(NOVA_SEC, 1, PING);
  rig_closes(NOVA_SEC, 1);
  rig_end();
  VERDICT("ONE", "pass");
  VERDICT("TWO", "pass");
}

SERVE_TEST(visitor, is_reset_when_there_are_too_many) {
  rig_begin("- {wait: 5s}\n" CONNECT_AND_PING);
  for (unsigned i = 1; i <= 18; i++)
    rig_connects(NOVA_SEC, i);
  cr_expect_eq(rig_ended(16), '-');
  cr_expect_eq(rig_ended(17), 'R');
  cr_expect_eq(rig_ended(18), 'R');
  rig_says(6 * NOVA_SEC, 1, PING);
  VERDICT("TWO", "pass");
  const struct nova_transcript *t = nova_player_transcript(rig_player);
  size_t accepted = 0;
  for (size_t i = 0; i < t->n; i++)
    accepted += t->entry[i].kind == NOVA_ENTRY_ACCEPTED;
  cr_expect_eq(accepted, 18, "all of them show");
}

/* Thousands, one behind the other: each place is used again, and what the
 * device has ended is ended by the harness too, or descriptors run out. */
SERVE_TEST(visitor, comes_and_goes_thousands_of_times) {
  rig_begin("- {wait: 50s}\n" CONNECT_AND_PING);
  for (unsigned i = 1; i <= 4000; i++) {
    nova_ts t = i * 10 * NOVA_MS;
    rig_connects(t, i);
    cr_assert_eq(rig_ended(i), '-', "%u had no place", i);
    if (i % 3 == 0)
      rig_says(t, i, "{\"half\"");
    if (i % 2 == 0)
      rig_closes(t, i);
    else
      rig_resets(t, i);
  }
  size_t open = 0;
  for (unsigned i = 2; i <= 4000; i += 2)
    open += rig_ended(i) == '-';
  cr_expect_leq(open, 16, "%zu were never closed", open);
  rig_connects(50 * NOVA_SEC, 4001);
  rig_says(51 * NOVA_SEC, 4001, PING);
  VERDICT("TWO", "pass");
}

/* --- the first connection that never comes
 * ------------------------------------- */

static const char never[] = "- device: connect\n"
                            "- {device: send, message: {type: ping}, verifies: "
                            "ONE}\n";

SERVE_TEST(never, nobody_connects) {
  rig_begin(never);
  rig_until(30 * NOVA_SEC);
  cr_expect_not(nova_player_done(rig_player));
  rig_end();
  VERDICT("ONE", "not_tested");
  cr_expect(rig_reason("the device never connected, within"));
  cr_expect_not(nova_player_met(rig_player));
}

SERVE_TEST(never, its_process_has_ended) {
  static const struct {
    int code;
    const char *text;
  } ways[] = {{0, "had ended with exit status 0"},
              {7, "had ended with exit status 7"},
              {NOVA_CODE_SIGNAL, "had been ended by a signal"},
              {NOVA_CODE_NOT_STARTED, "could not be started"}};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    rig_begin(never);
    rig_exits(2 * NOVA_SEC, ways[i].code);
    cr_expect(nova_player_done(rig_player), "nothing is to be waited for");
    VERDICT("ONE", "not_tested");
    cr_expect(rig_reason(ways[i].text), "%s", ways[i].text);
  }
}

/* It ended, but what it did before counts. */
SERVE_TEST(never, its_process_ended_behind_its_words) {
  rig_begin("- {wait: 5s}\n- device: connect\n"
            "- {device: send, message: {type: ping}, verifies: ONE}\n");
  rig_connects(NOVA_SEC, 1);
  rig_says(NOVA_SEC, 1, PING);
  rig_closes(NOVA_SEC, 1);
  rig_exits(NOVA_SEC, 0);
  rig_end();
  VERDICT("ONE", "pass");
}

SERVE_TEST(never, it_does_not_come_back) {
  rig_begin("- device: connect\n"
            "- {server: close, as: closed}\n"
            "- {device: connect, from: closed, within: 20s, verifies: ONE}\n");
  rig_connects(NOVA_SEC, 1);
  rig_exits(3 * NOVA_SEC, NOVA_CODE_SIGNAL);
  cr_expect(nova_player_done(rig_player));
  VERDICT("ONE", "fail");
  cr_expect(rig_reason("ended by a signal"));
}

SERVE_TEST(never, how_it_ended_is_evidence_behind_the_end_too) {
  rig_begin(never);
  rig_end();
  size_t n = nova_player_transcript(rig_player)->n;
  struct nova_event e = {.kind = NOVA_EVENT_JOB,
                         .t = 40 * NOVA_SEC,
                         .bytes = nova_view_of("bye"),
                         .code = 3};
  nova_player_feed(rig_player, &e);
  const struct nova_transcript *t = nova_player_transcript(rig_player);
  cr_assert_eq(t->n, n + 1);
  cr_expect_eq(t->entry[n].kind, NOVA_ENTRY_EXITED);
  cr_expect_eq(t->entry[n].code, 3);
  cr_expect(nova_view_is(t->entry[n].bytes, "bye"));
}

/* A connection that a step held is another one now: nothing of the old one
 * reaches it, and nothing that repeated on it. */
SERVE_TEST(visitor, takes_the_name_of_the_one_before) {
  rig_begin("- device: connect\n"
            "- {server: repeat, message: {type: note}, every: 1s}\n"
            "- {wait: 2500ms}\n"
            "- device: connect\n"
            "- {wait: 3s}\n"
            "- {device: send, message: {type: ping}, within: 9s, verifies: "
            "ONE}\n");
  rig_connects(0, 1);
  rig_until(2 * NOVA_SEC);
  cr_expect_geq(rig_sent_count(1, "note"), 1);
  rig_connects(3 * NOVA_SEC, 2);
  cr_expect_eq(rig_ended(1), 'F');
  rig_says(4 * NOVA_SEC, 1, PING);
  rig_until(9 * NOVA_SEC);
  cr_expect_eq(rig_sent_count(2, "note"), 0, "%s", rig_sent(2));
  cr_expect_not(nova_player_done(rig_player), "the old one is not heard");
  rig_says(9 * NOVA_SEC, 2, PING);
  VERDICT("ONE", "pass");
}
