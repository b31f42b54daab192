/* A player that is the server: pongs, refusals, attempts and heartbeats. */
#include "unit/conversation/serve_rig.h"

#include <stdio.h>

/* --- pongs
 * -------------------------------------------------------------------- */

#define STAY     "- {device: open, for: 20s, verifies: ONE}\n"
#define PONGS(n) rig_sent_count(n, "\"pong\"")

static void come_in(void) {
  rig_connects(0, 1);
  rig_says(0, 1, AUTH);
}

SERVE_TEST(pong, answers_by_itself_once_the_device_is_in) {
  rig_begin("- {device: connect}\n- {wait: 2s}\n"
            "- {server: send, message: {type: auth_result, result: success}}\n"
            "- {device: open, for: 20s, verifies: ONE}\n");
  rig_connects(0, 1);
  rig_says(NOVA_SEC, 1, PING);
  cr_expect_eq(PONGS(1), 0, "not before it is let in");
  rig_says(5 * NOVA_SEC, 1, PING);
  cr_expect_eq(PONGS(1), 1);
  rig_says(6 * NOVA_SEC, 1, PING PING);
  cr_expect_eq(PONGS(1), 3);
  cr_expect_not_null(strstr(rig_sent(1), "\"timestamp\":1800000006"),
                     "the time of the pong: %s", rig_sent(1));
}

SERVE_TEST(pong, not_where_the_script_awaits_the_ping) {
  rig_begin(LET_IN "- {device: send, message: {type: ping}, verifies: ONE}\n"
                   "- {server: send, message: {type: pong, mine: 1}}\n" STAY);
  come_in();
  rig_says(NOVA_SEC, 1, PING);
  cr_expect_eq(PONGS(1), 1);
  cr_expect_not_null(strstr(rig_sent(1), "mine"));
  rig_says(2 * NOVA_SEC, 1, PING);
  cr_expect_eq(PONGS(1), 2);
}

SERVE_TEST(pong, not_where_a_branch_awaits_the_ping) {
  rig_begin(LET_IN
            "- any_of:\n"
            "  - - {device: send, message: {type: ping}, verifies: ONE}\n"
            "  - - {device: close, within: 9s, verifies: ONE}\n"
            "  verifies: ONE\n"
            "- {wait: 3s}\n");
  come_in();
  rig_says(NOVA_SEC, 1, PING);
  cr_expect_eq(PONGS(1), 0);
  VERDICT("ONE", "pass");
}

SERVE_TEST(pong, not_on_its_own_where_the_script_says_so) {
  rig_begin_with("pongs: false\n", LET_IN STAY);
  come_in();
  rig_says(NOVA_SEC, 1, PING);
  rig_end();
  cr_expect_eq(PONGS(1), 0);
}

SERVE_TEST(pong, never_inside_a_line_in_pieces) {
  rig_begin(LET_IN "- {server: send, message: {type: note}, segments: [3], "
                   "pause: 2s}\n" STAY);
  come_in();
  rig_says(NOVA_SEC, 1, PING PING);
  cr_expect_eq(PONGS(1), 0);
  rig_until(3 * NOVA_SEC);
  cr_expect_eq(PONGS(1), 2, "they are made up for");
  const char *note = strstr(rig_sent(1), "{\"type\":\"note\"}\n");
  cr_assert_not_null(note, "it was cut: %s", rig_sent(1));
  cr_expect_lt(note, strstr(rig_sent(1), "pong"));
}

/* A flood while a line is on its way is not kept without bound. */
SERVE_TEST(pong, a_flood_is_bounded) {
  rig_begin(LET_IN "- {server: send, message: {type: note}, segments: [3], "
                   "pause: 4s}\n" STAY);
  come_in();
  for (unsigned i = 0; i < 20000; i++)
    rig_says(NOVA_SEC, 1, PING);
  rig_end();
  cr_expect_lt(PONGS(1), 5000);
  VERDICT("ONE", "pass");
}

/* --- refusing
 * ----------------------------------------------------------------- */

SERVE_TEST(refuse, at_once) {
  rig_begin(LET_IN "- server: refuse\n" STAY);
  come_in();
  rig_connects(NOVA_SEC, 2);
  cr_expect_eq(rig_ended(2), 'F');
  cr_expect_eq(rig_ended(1), '-', "what was taken is not touched");
  rig_connects(NOVA_SEC, 3);
  rig_says(NOVA_SEC, 3, AUTH);
  cr_expect_eq(rig_ended(3), 'F');
  rig_end();
  VERDICT("ONE", "pass");
  VERDICT("INTIME", "pass");
  VERDICT("AGAIN", "-");
}

SERVE_TEST(refuse, after_the_auth_with_a_message) {
  rig_begin(LET_IN "- {server: refuse, after: auth, message: {type: "
                   "auth_result, result: failed}}\n" STAY);
  come_in();
  rig_connects(NOVA_SEC, 2);
  cr_expect_eq(rig_ended(2), '-');
  rig_says(2 * NOVA_SEC, 2, AUTH);
  cr_expect_eq(rig_ended(2), 'F');
  cr_expect_str_eq(rig_sent(2),
                   "{\"type\":\"auth_result\",\"result\":\"failed\"}\n");
  VERDICT("AGAIN", "-");
  rig_end();
  VERDICT("AGAIN", "pass");
}

SERVE_TEST(refuse, only_when_the_last_words_are_out) {
  rig_begin(LET_IN "- {server: refuse, message: {type: bye}}\n" STAY);
  come_in();
  rig_holds = true;
  rig_connects(NOVA_SEC, 2);
  cr_expect_eq(rig_sent_count(2, "bye"), 1);
  cr_expect_eq(rig_ended(2), '-');
  rig_connects(NOVA_SEC, 3);
  cr_expect_eq(rig_sent_count(2, "bye"), 1, "said once");
  rig_out(2 * NOVA_SEC);
  cr_expect_eq(rig_ended(2), 'F');
  cr_expect_eq(rig_ended(3), 'F');
}

SERVE_TEST(refuse, those_that_wait_already) {
  rig_begin(LET_IN "- {wait: 3s}\n- server: refuse\n" STAY);
  come_in();
  rig_connects(NOVA_SEC, 2);
  rig_connects(2 * NOVA_SEC, 3);
  cr_expect_eq(rig_ended(2), '-');
  rig_until(4 * NOVA_SEC);
  cr_expect_eq(rig_ended(2), 'F');
  cr_expect_eq(rig_ended(3), 'F');
  rig_begin(LET_IN "- {wait: 3s}\n- {server: refuse, after: auth}\n" STAY);
  come_in();
  rig_connects(NOVA_SEC, 2);
  rig_says(NOVA_SEC, 2, AUTH);
  rig_connects(2 * NOVA_SEC, 3);
  rig_until(4 * NOVA_SEC);
  cr_expect_eq(rig_ended(2), 'F');
  cr_expect_eq(rig_ended(3), '-', "it has said nothing yet");
}

/* --- attempts
 * ----------------------------------------------------------------- */

#define COUNTED                                                                \
  "- device: connect\n"                                                        \
  "- server: refuse\n"                                                         \
  "- {server: close, as: closed}\n"                                            \
  "- {device: attempts, at_most: 3, for: 5s, from: closed, verifies: ONE}\n"

static void attempts(unsigned n, nova_ts first, nova_ts step) {
  rig_begin(COUNTED);
  rig_connects(NOVA_SEC, 1);
  for (unsigned i = 0; i < n; i++)
    rig_connects(NOVA_SEC + first + i * step, i + 2);
  rig_end();
}

SERVE_TEST(attempts, as_many_as_allowed_and_one_more) {
  attempts(0, 0, 0);
  VERDICT("ONE", "pass");
  attempts(3, NOVA_SEC, NOVA_SEC);
  VERDICT("ONE", "pass");
  attempts(4, NOVA_SEC, NOVA_SEC);
  VERDICT("ONE", "fail");
  cr_expect(rig_reason("it opened 4"));
}

SERVE_TEST(attempts, at_the_edges_of_the_span) {
  attempts(4, 0, 0);
  VERDICT("ONE", "pass");
  attempts(4, 1, 0);
  VERDICT("ONE", "fail");
  attempts(4, 2 * NOVA_SEC, NOVA_SEC);
  VERDICT("ONE", "fail");
  attempts(4, 2 * NOVA_SEC + 1, NOVA_SEC);
  VERDICT("ONE", "pass");
}

SERVE_TEST(attempts, thousands) {
  attempts(4000, 1, NOVA_MS);
  VERDICT("ONE", "fail");
}

/* Those that there is no place for are attempts too. */
SERVE_TEST(attempts, that_are_kept_open) {
  rig_begin("- device: connect\n"
            "- {server: close, as: closed}\n"
            "- {device: attempts, at_most: 20, for: 5s, from: closed, "
            "verifies: ONE}\n");
  rig_connects(0, 1);
  for (unsigned i = 2; i < 23; i++)
    rig_connects(NOVA_SEC, i);
  rig_end();
  VERDICT("ONE", "fail");
}

/* --- a beat
 * ------------------------------------------------------------------- */

/* 10 s and the tolerance of a second, for half a minute. */
#define BEAT                                                                   \
  LET_IN                                                                       \
  "- {device: repeat, message: {type: ping}, every: 10s, for: 30s, from: "     \
  "accepted, verifies: ONE}\n"
#define EVERY (11 * NOVA_SEC)

static void beat(nova_ts a, nova_ts b, nova_ts c) {
  rig_begin(BEAT);
  come_in();
  const nova_ts all[] = {a, b, c};
  for (size_t i = 0; i < 3; i++)
    if (all[i] != 0)
      rig_says(all[i], 1, PING);
  rig_end();
}

SERVE_TEST(beat, in_time) {
  beat(EVERY, 2 * EVERY, 0);
  VERDICT("ONE", "pass");
  beat(5 * NOVA_SEC, 10 * NOVA_SEC, 20 * NOVA_SEC);
  VERDICT("ONE", "pass");
}

SERVE_TEST(beat, late_at_the_start_in_the_middle_at_the_end) {
  beat(EVERY + 1, 20 * NOVA_SEC, 25 * NOVA_SEC);
  VERDICT("ONE", "fail");
  const struct nova_check *c = rig_check("ONE", NOVA_VERDICT_FAIL);
  cr_expect_eq(c->measured, EVERY + 1);
  beat(5 * NOVA_SEC, 5 * NOVA_SEC + EVERY + 1, 25 * NOVA_SEC);
  VERDICT("ONE", "fail");
  beat(5 * NOVA_SEC, 10 * NOVA_SEC, 30 * NOVA_SEC - EVERY - 1);
  VERDICT("ONE", "fail");
  beat(5 * NOVA_SEC, 10 * NOVA_SEC, 30 * NOVA_SEC - EVERY);
  VERDICT("ONE", "pass");
}

/* Lateness below the harness's own is tried again; silence never is. */
SERVE_TEST(beat, missed_by_less_than_the_timing_error) {
  rig_error = 2 * NOVA_MS;
  beat(EVERY + 2 * NOVA_MS, 20 * NOVA_SEC, 25 * NOVA_SEC);
  VERDICT("ONE", "inconclusive");
  cr_expect(rig_check("ONE", NOVA_VERDICT_INCONCLUSIVE)->retry);
  beat(EVERY + 2 * NOVA_MS + 1, 20 * NOVA_SEC, 25 * NOVA_SEC);
  VERDICT("ONE", "fail");
  beat(0, 0, 0);
  VERDICT("ONE", "fail");
  beat(5 * NOVA_SEC, 0, 0);
  VERDICT("ONE", "fail");
  rig_error = 500 * NOVA_MS;
  beat(0, 0, 0);
  VERDICT("ONE", "fail");
}

SERVE_TEST(beat, ends_with_the_connection) {
  rig_begin(BEAT);
  come_in();
  rig_says(5 * NOVA_SEC, 1, PING);
  rig_closes(8 * NOVA_SEC, 1);
  cr_expect(nova_player_done(rig_player));
  VERDICT("ONE", "fail");
  cr_expect(rig_reason("closed the connection"));
}

/* --- what never comes, and what looks like it
 * ---------------------------------- */

#define AWAITED                                                                \
  LET_IN                                                                       \
  "- {device: send, message: {type: data}, within: 9s, awaits: ONE, "          \
  "relies_on: TWO}\n"
#define DATA(type)                                                             \
  "{\"type\":\"" type "\",\"device_id\":\"DEV-000001\",\"timestamp\":1,"       \
  "\"values\":{\"a\":1}}\n"

SERVE_TEST(awaits, comes) {
  rig_begin(AWAITED);
  come_in();
  rig_says(NOVA_SEC, 1, DATA("data"));
  rig_end();
  VERDICT("ONE", "pass");
}

SERVE_TEST(awaits, never_comes) {
  rig_begin(AWAITED);
  come_in();
  rig_end();
  VERDICT("ONE", "not_tested");
}

SERVE_TEST(awaits, came_under_another_name) {
  rig_begin(AWAITED);
  come_in();
  rig_says(NOVA_SEC, 1, DATA("telemetry"));
  rig_end();
  VERDICT("ONE", "fail");
  cr_expect(rig_reason("telemetry"));
  rig_begin(AWAITED);
  come_in();
  rig_says(NOVA_SEC, 1, DATA("telemetry"));
  rig_says(2 * NOVA_SEC, 1, DATA("data"));
  rig_end();
  VERDICT("ONE", "pass");
}

#define MISSING                                                                \
  LET_IN                                                                       \
  "- {device: send, message: {type: status, status: online}, within: 9s, "     \
  "missing: ONE, verifies: TWO}\n"

SERVE_TEST(missing, is_charged_for_nothing_at_all) {
  rig_begin(MISSING);
  come_in();
  rig_end();
  VERDICT("ONE", "fail");
  VERDICT("TWO", "inconclusive");
}

SERVE_TEST(missing, passes_where_a_wrong_one_came) {
  rig_begin(MISSING);
  come_in();
  rig_says(NOVA_SEC, 1,
           "{\"type\":\"status\",\"device_id\":\"DEV-000001\",\"timestamp\":1,"
           "\"status\":\"away\"}\n");
  rig_end();
  VERDICT("ONE", "pass");
  VERDICT("TWO", "fail");
}

/* --- a harness that is late
 * --------------------------------------------------- */

/* A quarter of the shortest timer that a device runs itself: auth, 10 s. */
#define LATE (2500 * NOVA_MS)

static void ends_while(nova_ts error, const char *steps) {
  char all[1024];
  snprintf(all, sizeof all, "%s%s", LET_IN, steps);
  rig_error = error;
  rig_begin(all);
  come_in();
  rig_closes(NOVA_SEC, 1);
  rig_end();
}

static void excused_only_when_late(const char *steps) {
  ends_while(0, steps);
  VERDICT("ONE", "fail");
  ends_while(LATE, steps);
  VERDICT("ONE", "fail");
  ends_while(LATE + NOVA_MS, steps);
  VERDICT("ONE", "inconclusive");
  cr_expect(rig_check("ONE", NOVA_VERDICT_INCONCLUSIVE)->retry);
}

SERVE_TEST(lateness, excuses_a_device_that_ends) {
  excused_only_when_late(STAY);
}

SERVE_TEST(lateness, excuses_it_where_there_was_a_choice) {
  excused_only_when_late(
      "- any_of:\n"
      "  - [{device: send, message: {type: ping}, verifies: ONE}]\n"
      "  - [{device: send, message: {type: status}, verifies: ONE}]\n"
      "  verifies: ONE\n");
}

SERVE_TEST(lateness, is_no_excuse_for_what_never_comes) {
  rig_error = LATE + NOVA_MS;
  rig_begin(LET_IN
            "- {device: send, message: {type: status}, verifies: ONE}\n");
  come_in();
  rig_end();
  VERDICT("ONE", "fail");
}

SERVE_TEST(lateness, of_what_the_harness_sends_is_tried_again) {
  for (int late = 0; late < 2; late++) {
    rig_begin(LET_IN "- {wait: 500ms}\n"
                     "- {server: send, message: {type: pong}, not_after: 1s}\n"
                     "- {device: send, message: {type: status}, verifies: ONE}"
                     "\n");
    come_in();
    rig_holds = true;
    rig_until(600 * NOVA_MS);
    rig_out(1500 * NOVA_MS + (nova_ts)late * NOVA_MS);
    rig_says(3 * NOVA_SEC, 1, "{\"type\":\"status\"}\n");
    rig_holds = false;
    rig_end();
    VERDICT("ONE", late != 0 ? "inconclusive" : "pass");
    if (late != 0)
      cr_expect(rig_check("ONE", NOVA_VERDICT_INCONCLUSIVE)->retry);
  }
}
