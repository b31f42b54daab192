/* A player that is the server: what its rules charge, and what answers what. */
#include "unit/conversation/serve_rig.h"

#include "codec/line.h"

#include <stdio.h>

#define STAY "- {device: open, for: 30s, verifies: ONE}\n"

/* --- answers
 * ------------------------------------------------------------------ */

static void come_in(void) {
  rig_connects(0, 1);
  rig_says(0, 1, AUTH);
}

#define TWO_COMMANDS                                                           \
  LET_IN COMMAND("a", "cmd-a") COMMAND("b", "cmd-b") AWAIT_ANSWER("a", "ONE")  \
      AWAIT_ANSWER("b", "TWO")

SERVE_TEST(answer, each_its_command) {
  rig_begin(TWO_COMMANDS);
  come_in();
  rig_says(NOVA_SEC, 1, ANSWER("\"cmd-b\""));
  rig_says(2 * NOVA_SEC, 1, ANSWER("\"cmd-a\""));
  VERDICT("ONE", "pass");
  VERDICT("TWO", "pass");
  VERDICT("ANSWERS", "pass");
}

/* One that is unknown answers the oldest; only the rule is charged. */
SERVE_TEST(answer, by_an_unknown_id) {
  rig_begin(TWO_COMMANDS);
  come_in();
  rig_says(NOVA_SEC, 1, ANSWER("\"CMD-A\""));
  rig_says(2 * NOVA_SEC, 1, ANSWER("\"cmd-b\""));
  VERDICT("ONE", "pass");
  VERDICT("TWO", "pass");
  VERDICT("ANSWERS", "fail");
}

SERVE_TEST(answer, by_no_string) {
  rig_begin(TWO_COMMANDS);
  come_in();
  rig_says(NOVA_SEC, 1, ANSWER("17"));
  rig_says(2 * NOVA_SEC, 1, ANSWER("null"));
  VERDICT("ONE", "pass");
  VERDICT("TWO", "pass");
  VERDICT("ANSWERS", "-");
}

/* An id twice, and one from before, are known ids: nobody is charged. */
SERVE_TEST(answer, twice_and_stale) {
  rig_begin(TWO_COMMANDS);
  come_in();
  rig_says(NOVA_SEC, 1, ANSWER("\"cmd-a\"") ANSWER("\"cmd-a\""));
  rig_says(2 * NOVA_SEC, 1, ANSWER("\"cmd-a\""));
  cr_expect_not(nova_player_done(rig_player), "the second is open still");
  rig_says(3 * NOVA_SEC, 1, ANSWER("\"cmd-b\""));
  VERDICT("TWO", "pass");
  VERDICT("ANSWERS", "pass");
}

SERVE_TEST(answer, never_comes) {
  rig_begin(TWO_COMMANDS);
  come_in();
  rig_says(NOVA_SEC, 1, ANSWER("\"cmd-a\""));
  rig_end();
  VERDICT("ONE", "pass");
  VERDICT("TWO", "fail");
}

/* Escapes are only another way to write the same id. */
SERVE_TEST(answer, is_compared_as_a_string) {
  rig_begin(LET_IN COMMAND("a", "k/\xc3\xa9") AWAIT_ANSWER("a", "ONE"));
  come_in();
  rig_says(NOVA_SEC, 1, ANSWER("\"\\u006B\\/\\u00e9\""));
  VERDICT("ONE", "pass");
  VERDICT("ANSWERS", "pass");
}

SERVE_TEST(answer, to_nothing_in_this_conversation) {
  rig_begin(LET_IN STAY);
  come_in();
  rig_says(NOVA_SEC, 1, ANSWER("\"old\""));
  rig_end();
  VERDICT("ANSWERS", "-");
}

/* --- the first message of a connection
 * ----------------------------------------- */

SERVE_TEST(opening, by_an_auth_in_time) {
  rig_begin(LET_IN STAY);
  rig_connects(0, 1);
  rig_says(4 * NOVA_SEC, 1, AUTH);
  rig_end();
  VERDICT("INTIME", "pass");
  VERDICT("FIRST", "pass");
  VERDICT("AGAIN", "-");
}

/* 10 s and a second of tolerance. */
SERVE_TEST(opening, by_a_late_auth) {
  rig_begin("- device: connect\n" STAY);
  rig_connects(0, 1);
  rig_says(11 * NOVA_SEC, 1, AUTH);
  rig_end();
  VERDICT("INTIME", "pass");
  rig_begin("- device: connect\n" STAY);
  rig_connects(0, 1);
  rig_says(11 * NOVA_SEC + 1, 1, AUTH);
  rig_end();
  VERDICT("INTIME", "fail");
  VERDICT("FIRST", "pass");
}

SERVE_TEST(opening, by_something_else) {
  rig_begin("- device: connect\n" STAY);
  rig_connects(0, 1);
  rig_says(NOVA_SEC, 1, PING);
  rig_says(2 * NOVA_SEC, 1, AUTH);
  rig_end();
  VERDICT("FIRST", "fail");
  VERDICT("INTIME", "-");
}

SERVE_TEST(opening, of_a_later_connection) {
  rig_begin(LET_IN STAY);
  come_in();
  rig_connects(NOVA_SEC, 2);
  rig_says(NOVA_SEC, 2, PING);
  rig_end();
  VERDICT("FIRST", "pass");
  VERDICT("AGAIN", "fail");
  rig_again = true;
  rig_begin("- device: connect\n" STAY);
  rig_connects(0, 1);
  rig_says(NOVA_SEC, 1, PING);
  rig_end();
  VERDICT("FIRST", "-");
  VERDICT("AGAIN", "fail");
}

SERVE_TEST(opening, by_nothing_at_all) {
  rig_begin("- device: connect\n" STAY);
  rig_connects(0, 1);
  rig_end();
  VERDICT("INTIME", "fail");
  cr_expect_not_null(
      strstr(rig_check("INTIME", NOVA_VERDICT_FAIL)->observed, "nothing came"));
  /* Later connections that stay silent are another's matter. */
  rig_begin(LET_IN STAY);
  come_in();
  rig_connects(NOVA_SEC, 2);
  rig_end();
  VERDICT("INTIME", "pass");
  VERDICT("AGAIN", "fail");
}

SERVE_TEST(opening, that_was_cut_short_proves_nothing) {
  rig_begin("- device: connect\n- {device: open, for: 8s, verifies: ONE}\n");
  rig_connects(0, 1);
  rig_end();
  VERDICT("INTIME", "-");
  rig_begin(LET_IN STAY);
  come_in();
  rig_connects(NOVA_SEC, 2);
  rig_closes(11 * NOVA_SEC, 2);
  rig_end();
  VERDICT("AGAIN", "-");
}

SERVE_TEST(opening, by_an_unfinished_line) {
  rig_begin("- device: connect\n" STAY);
  rig_connects(0, 1);
  rig_says(NOVA_SEC, 1, "{\"type\":\"auth\"");
  rig_end();
  VERDICT("FRAME", "fail");
  VERDICT("INTIME", "-");
}

/* One that still comes when the harness ends it is no bug of framing, but the
 * auth is not there. */
SERVE_TEST(opening, by_a_line_that_trickles) {
  rig_begin("- device: connect\n" STAY);
  rig_connects(0, 1);
  for (unsigned i = 0; i < 29; i++)
    rig_says((i + 1) * NOVA_SEC, 1, i == 0 ? "{" : " ");
  rig_end();
  VERDICT("FRAME", "-");
  VERDICT("INTIME", "fail");
  cr_expect_not_null(
      strstr(rig_check("INTIME", NOVA_VERDICT_FAIL)->observed, "whole"));
}

/* --- lines
 * -------------------------------------------------------------------- */

SERVE_TEST(line, that_trickles_is_whole_in_the_end) {
  static const char text[] = PING;
  rig_begin(LET_IN "- {device: send, message: {type: ping}, within: 3s, "
                   "verifies: TWO}\n");
  come_in();
  for (size_t i = 0; i < sizeof text - 1; i++)
    rig_says_bytes(NOVA_SEC + i * 20 * NOVA_MS, 1, &text[i], 1);
  VERDICT("TWO", "pass");
  VERDICT("FRAME", "pass");
}

/* The end of a conversation in the middle of a slow line blames nobody. */
SERVE_TEST(line, that_trickles_at_the_end) {
  rig_begin(LET_IN STAY);
  come_in();
  for (unsigned i = 0; i < 60; i++)
    rig_says(NOVA_SEC + i * 480 * NOVA_MS, 1, i == 0 ? "{" : " ");
  rig_end();
  VERDICT("FRAME", "pass");
  VERDICT("ONE", "pass");
}

SERVE_TEST(line, that_stays_unfinished) {
  rig_begin(LET_IN STAY);
  come_in();
  rig_says(NOVA_SEC, 1, "{\"type\":\"ping\"}");
  rig_end();
  VERDICT("FRAME", "fail");
  rig_begin(LET_IN STAY);
  come_in();
  rig_says(20 * NOVA_SEC, 1, "{\"type\":\"ping\"}");
  rig_end();
  VERDICT("FRAME", "pass");
}

SERVE_TEST(line, unfinished_in_the_place_of_what_is_awaited) {
  rig_begin(LET_IN "- {device: send, message: {type: ping}, within: 3s, "
                   "verifies: TWO}\n");
  come_in();
  rig_says(NOVA_SEC, 1, "{\"type\":\"ping\"}");
  rig_end();
  VERDICT("FRAME", "fail");
  VERDICT("TWO", "inconclusive");
}

static char big[NOVA_LINE_LIMIT + 16];

/* An object of |n| bytes and its line feed. */
static void big_line(size_t n) {
  memset(big, ' ', sizeof big);
  memcpy(big, "{\"type\":\"x\"", 11);
  big[n - 1] = '}';
  big[n] = '\n';
}

SERVE_TEST(line, at_the_limit_and_above) {
  rig_begin(LET_IN STAY);
  come_in();
  big_line(NOVA_LINE_LIMIT);
  rig_says_bytes(NOVA_SEC, 1, big, NOVA_LINE_LIMIT + 1);
  VERDICT("LENGTH", "-");
  big_line(NOVA_LINE_LIMIT + 1);
  rig_says_bytes(NOVA_SEC, 1, big, NOVA_LINE_LIMIT + 2);
  VERDICT("LENGTH", "fail");
  VERDICT("FRAME", "-");
  rig_says(2 * NOVA_SEC, 1, PING);
  cr_expect_eq(rig_sent_count(1, "pong"), 1, "what follows is heard");
  rig_end();
  VERDICT("FRAME", "pass");
  cr_expect_not_null(
      strstr(rig_check("LENGTH", NOVA_VERDICT_FAIL)->observed, "131073"));
}

SERVE_TEST(line, without_an_end) {
  rig_begin(LET_IN STAY);
  come_in();
  memset(big, 'x', sizeof big);
  for (unsigned i = 0; i < 100; i++)
    rig_says_bytes(NOVA_SEC + i * 200 * NOVA_MS, 1, big, NOVA_LINE_LIMIT / 2);
  VERDICT("LENGTH", "fail");
  rig_end();
  size_t n, found = 0;
  const struct nova_check *c = nova_player_checks(rig_player, &n);
  for (size_t i = 0; i < n; i++)
    found += strcmp(c[i].requirement, "LENGTH") == 0;
  cr_expect_eq(found, 1, "one line, one finding: %zu", found);
  VERDICT("ONE", "pass");
}

/* A hundred thousand of them: in bounded time and memory, and what is awaited
 * behind them is found. */
SERVE_TEST(line, a_hundred_thousand) {
  rig_begin(LET_IN "- {device: send, message: {type: status, status: online}, "
                   "within: 60s, verifies: TWO}\n");
  come_in();
  static char text[65536];
  size_t n = 0, lines = 0;
  static const char one[] = "{\"type\":\"status\",\"status\":\"no\"}\n";
  for (; n + sizeof one < sizeof text; n += sizeof one - 1, lines++)
    memcpy(text + n, one, sizeof one);
  for (size_t k = 0; k * lines < 100000; k++)
    rig_says_bytes((k + 1) * 100 * NOVA_MS, 1, text, n);
  rig_says(40 * NOVA_SEC, 1, "{\"type\":\"status\",\"status\":\"online\"}\n");
  VERDICT("TWO", "pass");
  const struct nova_transcript *t = nova_player_transcript(rig_player);
  cr_expect(t->cut);
  cr_expect_leq(t->kept, t->max);
}

/* --- ids
 * ---------------------------------------------------------------------- */

#define PING_OF(id)                                                            \
  "{\"type\":\"ping\",\"device_id\":\"" id "\",\"timestamp\":1800000000}\n"

SERVE_TEST(ids, are_held_against_the_one_that_authenticated) {
  rig_begin(LET_IN STAY);
  rig_connects(0, 1);
  rig_says(0, 1,
           "{\"type\":\"auth\",\"device_id\":\"dev-1\",\"device_key\":\"k\"}"
           "\n");
  rig_says(NOVA_SEC, 1, PING_OF("dev-1"));
  rig_end();
  VERDICT("IDS", "pass");
  rig_begin(LET_IN STAY);
  come_in();
  rig_says(NOVA_SEC, 1, PING_OF("dev-1"));
  rig_end();
  VERDICT("IDS", "fail");
  /* Each connection by its own. */
  rig_begin(LET_IN STAY);
  come_in();
  rig_connects(NOVA_SEC, 2);
  rig_says(NOVA_SEC, 2,
           "{\"type\":\"auth\",\"device_id\":\"dev-2\",\"device_key\":\"k\"}"
           "\n");
  rig_says(2 * NOVA_SEC, 1, PING_OF("DEV-000001"));
  rig_says(2 * NOVA_SEC, 2, PING_OF("dev-2"));
  rig_end();
  VERDICT("IDS", "pass");
}

/* A step means the connection that it is about, not the one that spoke last. */
SERVE_TEST(ids, of_the_steps_own_connection) {
  rig_begin("- {wait: 2s}\n- device: connect\n"
            "- {device: send, message: {type: ping, device_id: "
            "$authenticated_id}, verifies: TWO}\n");
  rig_connects(0, 1);
  rig_says(0, 1,
           "{\"type\":\"auth\",\"device_id\":\"dev-1\",\"device_key\":\"k\"}"
           "\n" PING_OF("dev-1"));
  rig_connects(NOVA_SEC, 2);
  rig_says(NOVA_SEC, 2, AUTH);
  rig_end();
  VERDICT("TWO", "pass");
}
