/* The player, fed by hand: what it charges, to whom, and when. */
#include "conversation/catalog.h"
#include "conversation/player.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define REQ(id, role)                                                          \
  "- {id: " id ", section: '1', binds: " role ", level: must, basis: stated, " \
  "en: a, zh: b, judge: c}\n"

static const char requirements[] = "requirements:\n" REQ("AUTH", "server")
    REQ("PONG", "server") REQ("LATE", "server") REQ("EARLY", "server")
        REQ("FRAME", "server") REQ("FIELDS", "server") REQ("ALIVE", "server");

static const char rules[] =
    "rules:\n"
    "- {rule: lines, of: server, every: line, verifies: FRAME}\n"
    "- {rule: rest, of: server, every: stream, verifies: FRAME}\n"
    "- rule: pongs\n"
    "  of: server\n"
    "  every: message\n"
    "  type: pong\n"
    "  message: {type: pong, timestamp: $unix_time}\n"
    "  verifies: FIELDS\n"
    "- rule: results\n"
    "  of: server\n"
    "  every: message\n"
    "  type: auth_result\n"
    "  message: {type: auth_result, result: '$one_of(\"success\", "
    "\"failed\")', message: $string}\n"
    "  verifies: FIELDS\n";

#define CONVERSATION                                                           \
  "conversation: tcp-x\n"                                                      \
  "title: {en: a, zh: b}\n"                                                    \
  "transport: tcp\n"                                                           \
  "steps:\n"                                                                   \
  "- device: connect\n"                                                        \
  "- device: send\n"                                                           \
  "  as: ping\n"                                                               \
  "  message: {type: ping}\n"

/* What the subject does: at a time after the start, on connection 1. */
struct deed {
  nova_ts t;
  enum nova_event_kind kind;
  const char *bytes;
};

#define PONG "{\"type\":\"pong\",\"timestamp\":1800000000}\n"

static struct nova_catalog catalog;
static struct nova_profile profile;
static struct nova_arena arena;
static struct nova_player *player;
static nova_ts error;

static void load(const char *path, const char *text) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  struct nova_spec_file f = {path, text, strlen(text)};
  cr_assert_eq(nova_catalog_add(&catalog, &f, &diag), 0, "%s",
               nova_buf_cstr(&diag.text));
  nova_diag_free(&diag);
}

static void setup(void) {
  nova_catalog_init(&catalog, NULL);
  nova_arena_init(&arena, NULL, 1 << 20);
  nova_profile_init(&profile, &arena);
  profile.subject = NOVA_ROLE_SERVER;
  load("requirements.yaml", requirements);
  load("rules.yaml", rules);
  error = 0;
}

static void teardown(void) {
  nova_player_free(player);
  nova_catalog_free(&catalog);
  nova_arena_free(&arena);
}

/* Connecting takes no time, every write is out 1 ms after it was asked for. */
static void drain(nova_ts now) {
  struct nova_action a;
  while (nova_player_next_action(player, now, &a)) {
    struct nova_event e = {.id = a.connection, .t = now, .since = now};
    if (a.kind == NOVA_ACTION_CONNECT)
      e.kind = NOVA_EVENT_CONNECTED;
    else if (a.kind == NOVA_ACTION_SEND)
      e.kind = NOVA_EVENT_SENT;
    else
      continue;
    nova_player_feed(player, &e);
  }
}

static void play(const char *script, const struct deed *deeds, size_t n) {
  static const struct nova_login login = {"DEV-000001", "k1"};
  load("x.yaml", script);
  const struct nova_script *s = nova_catalog_script(&catalog, "tcp-x");
  player = nova_player_new(
      &(struct nova_player_options){.script = s,
                                    .rules = catalog.rules,
                                    .profile = &profile,
                                    .harness = NOVA_ROLE_DEVICE,
                                    .device = &login,
                                    .other = &login,
                                    .unix_ns = UINT64_C(1800000000) * NOVA_SEC,
                                    .timing_error = error});
  drain(0);
  for (size_t i = 0; i < n && !nova_player_done(player); i++) {
    struct nova_event e = {.kind = deeds[i].kind,
                           .id = 1,
                           .t = deeds[i].t,
                           .since = deeds[i].t,
                           .bytes = nova_view_of(deeds[i].bytes)};
    nova_ts d;
    while (!nova_player_done(player) &&
           (d = nova_player_next_deadline(player)) < e.t) {
      nova_player_expire(player, d);
      drain(d);
    }
    nova_player_feed(player, &e);
    drain(e.t);
  }
  for (int guard = 0; !nova_player_done(player); guard++) {
    cr_assert_lt(guard, 100, "it never ends");
    nova_ts d = nova_player_next_deadline(player);
    cr_assert_neq(d, NOVA_TS_NONE, "it waits without a bound");
    nova_player_expire(player, d);
    drain(d);
  }
}

#define PLAY(script, ...)                                                      \
  do {                                                                         \
    struct deed deeds_[] = {__VA_ARGS__};                                      \
    play(CONVERSATION script, deeds_, sizeof deeds_ / sizeof *deeds_);         \
  } while (0)

/* "PASS", ... of a requirement: its worst check; "-" where it has none. */
static const char *verdict(const char *id) {
  size_t n;
  const struct nova_check *c = nova_player_checks(player, &n);
  const char *worst = "-";
  for (size_t i = 0; i < n; i++) {
    if (strcmp(c[i].requirement, id) != 0)
      continue;
    if (c[i].verdict == NOVA_VERDICT_FAIL) {
      cr_expect_not_null(c[i].expected, "a failure without expectation");
      cr_expect_not_null(c[i].observed, "a failure without observation");
      return "fail";
    }
    if (strcmp(worst, "inconclusive") != 0)
      worst = nova_verdict_names[c[i].verdict];
  }
  return worst;
}

#define VERDICT(id, what) cr_expect_str_eq(verdict(id), what, id)

#define AWAIT_PONG "- server: send\n  message: {type: pong}\n  verifies: PONG\n"

Test(player, an_answer_in_time, .init = setup, .fini = teardown) {
  PLAY(AWAIT_PONG, {NOVA_SEC, NOVA_EVENT_BYTES, PONG});
  VERDICT("PONG", "pass");
  VERDICT("FRAME", "pass");
  VERDICT("FIELDS", "pass");
}

Test(player, no_answer, .init = setup, .fini = teardown) {
  PLAY(AWAIT_PONG, {0, NOVA_EVENT_SENT, ""});
  VERDICT("PONG", "fail");
  VERDICT("FIELDS", "-");
}

Test(player, an_answer_at_the_bound_and_one_after_it, .init = setup,
     .fini = teardown) {
  PLAY(AWAIT_PONG, {5 * NOVA_SEC, NOVA_EVENT_BYTES, PONG});
  VERDICT("PONG", "pass");
  nova_player_free(player);
  catalog.scripts = NULL;
  PLAY(AWAIT_PONG, {5 * NOVA_SEC + 1, NOVA_EVENT_BYTES, PONG});
  VERDICT("PONG", "fail");
  nova_player_free(player);
  catalog.scripts = NULL;
  error = NOVA_MS;
  PLAY(AWAIT_PONG, {5 * NOVA_SEC + NOVA_MS, NOVA_EVENT_BYTES, PONG});
  VERDICT("PONG", "inconclusive");
  nova_player_free(player);
  catalog.scripts = NULL;
  PLAY(AWAIT_PONG, {5 * NOVA_SEC + NOVA_MS + 1, NOVA_EVENT_BYTES, PONG});
  VERDICT("PONG", "fail");
}

Test(player, an_answer_from_before_the_question_is_none, .init = setup,
     .fini = teardown) {
  PLAY("- wait: 1s\n"
       "- device: send\n  message: {type: ping}\n" AWAIT_PONG,
       {NOVA_MS, NOVA_EVENT_BYTES, PONG});
  VERDICT("PONG", "fail");
}

Test(player, closing_instead_of_answering, .init = setup, .fini = teardown) {
  PLAY(AWAIT_PONG, {NOVA_SEC, NOVA_EVENT_EOF, ""});
  VERDICT("PONG", "fail");
  cr_expect_eq(nova_player_lost_at(player), NOVA_SEC);
}

Test(player, a_flaw_is_charged_once, .init = setup, .fini = teardown) {
  PLAY("- server: send\n  message: {type: pong, timestamp: $unix_time}\n"
       "  verifies: PONG\n",
       {NOVA_SEC, NOVA_EVENT_BYTES,
        "{\"type\":\"pong\",\"timestamp\":\"1800000000\"}\n"});
  VERDICT("FIELDS", "fail");
  VERDICT("PONG", "pass");
}

Test(player, a_flawed_literal_proves_nothing, .init = setup, .fini = teardown) {
  PLAY("- server: send\n  message: {type: auth_result, result: success}\n"
       "  verifies: AUTH\n",
       {NOVA_SEC, NOVA_EVENT_BYTES,
        "{\"type\":\"auth_result\",\"result\":\"ok\",\"message\":\"\"}\n"});
  VERDICT("FIELDS", "fail");
  VERDICT("AUTH", "inconclusive");
}

Test(player, the_wrong_answer_fails_at_once, .init = setup, .fini = teardown) {
  PLAY("- server: send\n  message: {type: auth_result, result: success}\n"
       "  verifies: AUTH\n",
       {NOVA_SEC, NOVA_EVENT_BYTES,
        "{\"type\":\"auth_result\",\"result\":\"failed\",\"message\":\"\"}\n"});
  VERDICT("FIELDS", "pass");
  VERDICT("AUTH", "fail");
}

Test(player, a_type_in_capitals_is_still_a_pong, .init = setup,
     .fini = teardown) {
  PLAY(AWAIT_PONG, {NOVA_SEC, NOVA_EVENT_BYTES,
                    "{\"type\":\"PONG\",\"timestamp\":1800000000}\n"});
  VERDICT("FIELDS", "fail");
  VERDICT("PONG", "pass");
}

Test(player, a_broken_line_is_framing_alone, .init = setup, .fini = teardown) {
  PLAY(AWAIT_PONG, {NOVA_SEC, NOVA_EVENT_BYTES, "{'type':'pong'}\n"});
  VERDICT("FRAME", "fail");
  VERDICT("PONG", "inconclusive");
}

Test(player, a_duplicate_key_blames_nobody, .init = setup, .fini = teardown) {
  PLAY(AWAIT_PONG,
       {NOVA_SEC, NOVA_EVENT_BYTES,
        "{\"type\":\"pong\",\"timestamp\":1,\"timestamp\":1800000000}\n"});
  VERDICT("FRAME", "pass");
  VERDICT("FIELDS", "-");
  VERDICT("PONG", "inconclusive");
}

Test(player, a_missing_line_feed_is_framing_alone, .init = setup,
     .fini = teardown) {
  PLAY(AWAIT_PONG, {NOVA_SEC, NOVA_EVENT_BYTES, "{\"type\":\"pong\"}"});
  VERDICT("FRAME", "fail");
  VERDICT("PONG", "inconclusive");
}

Test(player, bytes_left_at_the_end, .init = setup, .fini = teardown) {
  PLAY(AWAIT_PONG "- server: close\n  within: 3s\n  verifies: LATE\n",
       {NOVA_SEC, NOVA_EVENT_BYTES, PONG "{"},
       {2 * NOVA_SEC, NOVA_EVENT_EOF, ""});
  VERDICT("FRAME", "fail");
  VERDICT("LATE", "pass");
}

#define AWAIT_CLOSE                                                            \
  "- server: close\n"                                                          \
  "  from: ping\n"                                                             \
  "  not_before: $idle_timeout\n"                                              \
  "  early: EARLY\n"                                                           \
  "  within: $late($idle_timeout)\n"                                           \
  "  verifies: LATE\n"

static void close_at(nova_ts t) {
  if (player != NULL)
    nova_player_free(player);
  catalog.scripts = NULL;
  PLAY(AWAIT_CLOSE, {t, NOVA_EVENT_EOF, ""});
}

Test(player, both_bounds_of_a_close, .init = setup, .fini = teardown) {
  close_at(180 * NOVA_SEC);
  VERDICT("EARLY", "pass");
  VERDICT("LATE", "pass");
  close_at(180 * NOVA_SEC - 1);
  VERDICT("EARLY", "fail");
  VERDICT("LATE", "inconclusive");
  close_at(198 * NOVA_SEC); /* 10 % later is the default tolerance */
  VERDICT("LATE", "pass");
  close_at(198 * NOVA_SEC + 1);
  VERDICT("LATE", "fail");
  VERDICT("EARLY", "pass");
  close_at(400 * NOVA_SEC);
  VERDICT("LATE", "fail");
  error = NOVA_MS;
  close_at(180 * NOVA_SEC - NOVA_MS);
  VERDICT("EARLY", "inconclusive");
}

Test(player, silence_and_what_breaks_it, .init = setup, .fini = teardown) {
  PLAY("- server: silent\n  for: 2s\n  message: {type: pong}\n"
       "  verifies: PONG\n",
       {NOVA_SEC, NOVA_EVENT_BYTES, PONG});
  VERDICT("PONG", "fail");
  nova_player_free(player);
  catalog.scripts = NULL;
  PLAY("- server: silent\n  for: 2s\n  message: {type: pong}\n"
       "  verifies: PONG\n",
       {NOVA_SEC, NOVA_EVENT_BYTES, "{\"type\":\"other\"}\n"},
       {2 * NOVA_SEC + 1, NOVA_EVENT_BYTES, PONG});
  VERDICT("PONG", "pass");
}

Test(player, staying_open, .init = setup, .fini = teardown) {
  PLAY("- server: open\n  for: 3s\n  verifies: LATE\n",
       {2 * NOVA_SEC, NOVA_EVENT_RESET, ""});
  VERDICT("LATE", "fail");
  nova_player_free(player);
  catalog.scripts = NULL;
  PLAY("- server: open\n  for: 3s\n  verifies: LATE\n",
       {3 * NOVA_SEC, NOVA_EVENT_RESET, ""});
  VERDICT("LATE", "pass");
}

#define REFUSED                                                                \
  "- any_of:\n"                                                                \
  "  - - server: send\n"                                                       \
  "      message: {type: auth_result, result: failed}\n"                       \
  "      relies_on: AUTH\n"                                                    \
  "    - server: close\n"                                                      \
  "      within: 2s\n"                                                         \
  "      verifies: AUTH\n"                                                     \
  "  - - server: close\n"                                                      \
  "      within: 10s\n"                                                        \
  "      verifies: AUTH\n"                                                     \
  "  verifies: AUTH\n"

#define RESULT(what)                                                           \
  "{\"type\":\"auth_result\",\"result\":\"" what "\",\"message\":\"\"}\n"

static void refuse(nova_ts t1, enum nova_event_kind k1, const char *b1,
                   nova_ts t2) {
  if (player != NULL)
    nova_player_free(player);
  catalog.scripts = NULL;
  PLAY(REFUSED, {t1, k1, b1}, {t2, NOVA_EVENT_EOF, ""});
}

Test(player, one_of_several_reactions, .init = setup, .fini = teardown) {
  refuse(NOVA_SEC, NOVA_EVENT_BYTES, RESULT("failed"), 2 * NOVA_SEC);
  VERDICT("AUTH", "pass");
  refuse(NOVA_SEC, NOVA_EVENT_BYTES, RESULT("failed"), 4 * NOVA_SEC);
  VERDICT("AUTH", "fail");
  refuse(0, NOVA_EVENT_SENT, "", 9 * NOVA_SEC);
  VERDICT("AUTH", "pass");
  refuse(0, NOVA_EVENT_SENT, "", 11 * NOVA_SEC);
  VERDICT("AUTH", "fail");
  /* Success and a close after it must not pass for the close. */
  refuse(NOVA_SEC, NOVA_EVENT_BYTES, RESULT("success"), NOVA_SEC);
  VERDICT("AUTH", "fail");
}

Test(player, a_precondition_is_nobodys_failure, .init = setup,
     .fini = teardown) {
  PLAY("- server: send\n  message: {type: pong}\n  relies_on: PONG\n"
       "- server: close\n  verifies: LATE\n",
       {NOVA_SEC, NOVA_EVENT_EOF, ""});
  VERDICT("PONG", "-");
  VERDICT("LATE", "inconclusive");
}

Test(player, a_probe_takes_passes_back, .init = setup, .fini = teardown) {
  PLAY(AWAIT_PONG "- device: send\n  message: {type: ping}\n"
                  "- server: send\n  message: {type: pong}\n"
                  "  verifies: ALIVE\n  probe: true\n",
       {NOVA_SEC, NOVA_EVENT_BYTES, PONG},
       {2 * NOVA_SEC, NOVA_EVENT_RESET, ""});
  VERDICT("PONG", "inconclusive");
  VERDICT("ALIVE", "fail");
}

Test(player, what_is_observed_never_fails, .init = setup, .fini = teardown) {
  PLAY("- server: send\n  message: {type: pong}\n  observes: EARLY\n"
       "- server: close\n  within: 20s\n  verifies: LATE\n",
       {7 * NOVA_SEC, NOVA_EVENT_EOF, ""});
  VERDICT("EARLY", "pass");
  VERDICT("LATE", "pass");
}

Test(player, a_hook_that_is_not_given, .init = setup, .fini = teardown) {
  PLAY("- platform: read_data\n  device: $device\n  output: {a: 1}\n"
       "  verifies: LATE\n" AWAIT_PONG,
       {NOVA_SEC, NOVA_EVENT_BYTES, PONG});
  VERDICT("LATE", "not_tested");
  VERDICT("PONG", "pass");
}

/* However the bytes are cut, the checks are the same. */
Test(player, segmentation_changes_nothing, .init = setup, .fini = teardown) {
  static const char text[] = RESULT("success") PONG;
  struct deed deeds[sizeof text];
  char bytes[sizeof text][2];
  for (size_t i = 0; i < sizeof text - 1; i++) {
    bytes[i][0] = text[i];
    bytes[i][1] = '\0';
    deeds[i] = (struct deed){NOVA_SEC + i, NOVA_EVENT_BYTES, bytes[i]};
  }
  play(CONVERSATION AWAIT_PONG, deeds, sizeof text - 1);
  VERDICT("PONG", "pass");
  VERDICT("FRAME", "pass");
  VERDICT("FIELDS", "pass");
}
