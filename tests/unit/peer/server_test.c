#include "rig.h"

#include "base/error.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define FAILED(message)                                                        \
  "{\"type\":\"auth_result\",\"result\":\"failed\",\"message\":\"" message     \
  "\",\"timestamp\":1700000000}\n"
#define REFUSED       FAILED("unknown device or wrong key")
#define AUTH_REQUIRED FAILED("a valid auth message is required")
#define SUCCESS                                                                \
  "{\"type\":\"auth_result\",\"result\":\"success\","                          \
  "\"message\":\"Authenticated\",\"timestamp\":1700000000}\n"
#define PONG "{\"type\":\"pong\",\"timestamp\":1700000000}\n"

/* A connection that has authenticated as device A. */
static size_t login(struct rig *r) {
  size_t c = rig_accept(r);
  rig_say(r, c, AUTH(ID_A, KEY_A));
  cr_assert_str_eq(rig_take(r, c), SUCCESS);
  return c;
}

Test(server, answers_a_valid_auth_and_keeps_the_connection) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r);
  cr_assert_not(r.conn[c].closed);
  rig_say(&r, c, PING(ID_A));
  cr_assert_str_eq(rig_take(&r, c), PONG);
  rig_stop(&r);
}

Test(server, writes_what_the_codec_would_write) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r);
  rig_run(&r, 7 * NOVA_SEC);
  (void)rig_control(&r, "{\"do\":\"command\",\"device_id\":\"" ID_A
                        "\",\"command\":\"set \\\"x\\\"\","
                        "\"params\":{\"a\": [1, 2.50]}}");
  const char *sent = rig_take(&r, c);
  struct nova_msg m;
  cr_assert_eq(nova_msg_decode(r.json, sent, strlen(sent) - 1, &m), 0);
  cr_assert_eq(m.kind, NOVA_MSG_COMMAND);
  cr_assert_eq(m.u.command.timestamp, RIG_UNIX + 7);
  char again[512];
  size_t n = 0;
  cr_assert_eq(nova_msg_encode(&m, again, sizeof again, &n), 0);
  cr_assert_eq(n, strlen(sent));
  cr_assert_arr_eq(again, sent, n);
  rig_stop(&r);
}

/* Everything that is no valid auth: answered, closed, nothing after it read. */
Test(server, refuses_and_closes) {
  static const struct {
    const char *say, *answer;
  } bad[] = {
      {AUTH(ID_A, "wrong"), REFUSED},
      {AUTH(ID_A, ""), REFUSED},
      {AUTH(ID_A, KEY_B), REFUSED},
      {AUTH(ID_A, "kEy-one-012345678"), REFUSED},
      {AUTH(ID_A, KEY_A "x"), REFUSED},
      {AUTH(ID_A, "KEY-ONE-0123456789"), REFUSED},
      {AUTH(ID_A, KEY_A "\\u0000"), REFUSED},
      {AUTH("DEV-999999", KEY_A), REFUSED},
      {AUTH("dev-000001", KEY_A), REFUSED},
      {AUTH("", ""), REFUSED},
      {"{\"type\":\"auth\",\"device_id\":\"" ID_A "\"}\n", AUTH_REQUIRED},
      {"{\"type\":\"auth\",\"device_key\":\"" KEY_A "\"}\n", AUTH_REQUIRED},
      {"{\"type\":\"auth\",\"device_id\":\"" ID_A "\",\"device_key\":null}\n",
       AUTH_REQUIRED},
      {PING(ID_A), AUTH_REQUIRED},
      {DATA(ID_A, "{}"), AUTH_REQUIRED},
      {"{\"type\":\"hello\"}\n", AUTH_REQUIRED},
      {"[]\n", AUTH_REQUIRED},
      {"{\n", AUTH_REQUIRED},
      {"\n", AUTH_REQUIRED},
      {"\xff\n", AUTH_REQUIRED},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct rig r;
    rig_start(&r, NOVA_FAULTS);
    size_t c = rig_accept(&r);
    char both[1024];
    snprintf(both, sizeof both, "%s%s%s", bad[i].say, AUTH(ID_A, KEY_A),
             PING(ID_A));
    rig_say(&r, c, both);
    cr_assert_str_eq(rig_take(&r, c), bad[i].answer, "%s", bad[i].say);
    cr_assert(r.conn[c].closed && !r.conn[c].reset, "%s", bad[i].say);
    cr_assert_eq(nova_server_connections(r.s), 0);
    rig_stop(&r);
  }
}

Test(server, refuses_ids_and_keys_that_are_too_long) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  char line[4096], text[1200];
  for (size_t n = 250; n <= 1100; n++) {
    memset(text, 'x', n);
    text[n] = '\0';
    for (int which = 0; which < 2; which++) {
      r.conns = 0;
      r.conn[0] = (struct rig_conn){.sends = 0};
      size_t c = rig_accept(&r);
      snprintf(line, sizeof line,
               "{\"type\":\"auth\",\"device_id\":\"%s\",\"device_key\":\"%s\"}"
               "\n",
               which ? text : ID_A, which ? KEY_A : text);
      rig_say(&r, c, line);
      cr_assert_str_eq(rig_take(&r, c), REFUSED);
      cr_assert(r.conn[c].closed);
      nova_buf_free(&r.conn[c].in);
    }
  }
  rig_stop(&r);
}

Test(server, closes_without_auth_exactly_at_the_timeout) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  rig_run(&r, 3 * NOVA_SEC);
  size_t c = rig_accept(&r);
  cr_assert_eq(nova_server_next_deadline(r.s), 13 * NOVA_SEC);
  nova_server_expire(r.s, 13 * NOVA_SEC - 1);
  rig_pump(&r);
  cr_assert_not(r.conn[c].closed);
  nova_server_expire(r.s, 13 * NOVA_SEC);
  rig_pump(&r);
  cr_assert(r.conn[c].closed && !r.conn[c].reset);
  cr_assert_str_empty(rig_take(&r, c));
  cr_assert_eq(nova_server_next_deadline(r.s), NOVA_TS_NONE);
  rig_stop(&r);
}

Test(server, leaves_the_whole_time_to_authenticate) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t in_time = rig_accept(&r), late = rig_accept(&r);
  r.now = 10 * NOVA_SEC - 1;
  rig_say(&r, in_time, AUTH(ID_A, KEY_A));
  /* No expire() in between: the time alone decides. */
  r.now = 10 * NOVA_SEC;
  cr_assert_eq(nova_server_feed(r.s, late, AUTH(ID_A, KEY_A),
                                strlen(AUTH(ID_A, KEY_A)), r.now),
               0);
  rig_pump(&r);
  cr_assert_not(r.conn[in_time].closed);
  cr_assert_neq(r.conn[in_time].in.len, 0);
  cr_assert(r.conn[late].closed);
  cr_assert_eq(r.conn[late].in.len, 0);
  rig_stop(&r);
}

Test(server, unfinished_lines_do_not_extend_the_time) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = rig_accept(&r);
  for (nova_ts t = 1; t < 10; t++) {
    rig_run(&r, t * NOVA_SEC);
    rig_say(&r, c, "{");
    cr_assert_not(r.conn[c].closed);
  }
  rig_run(&r, 10 * NOVA_SEC);
  cr_assert(r.conn[c].closed);
  cr_assert_eq(r.conn[c].ended, 10 * NOVA_SEC);
  rig_stop(&r);
}

Test(server, auth_stops_the_auth_timer) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r);
  cr_assert_eq(nova_server_next_deadline(r.s), 180 * NOVA_SEC);
  rig_run(&r, 11 * NOVA_SEC);
  cr_assert_not(r.conn[c].closed);
  rig_stop(&r);
}

/* What restarts the idle timer: every complete JSON object of the device. */
Test(server, idle_timer_restarts_with_messages_only) {
  static const struct {
    const char *say;
    bool restarts;
  } rows[] = {
      {PING(ID_A), true},
      {DATA(ID_A, "{\"t\":1}"), true},
      {STATUS(ID_A, ""), true},
      {STATUS(ID_A, ",\"info\":{}"), true},
      {RESPONSE(ID_A), true},
      {AUTH(ID_A, KEY_A), true},
      {"{\"type\":\"hello\"}\n", true},
      {"{\"type\":\"ping\"}\n", true},
      {"{}\n", true},
      {PING(ID_B), false},
      {DATA(ID_B, "{}"), false},
      {"[]\n", false},
      {"{\n", false},
      {"\n", false},
      {"\xff\xfe\n", false},
      {"{\"type\":\"ping\"", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct rig r;
    rig_start(&r, NOVA_FAULTS);
    size_t c = login(&r);
    rig_run(&r, 100 * NOVA_SEC);
    rig_say(&r, c, rows[i].say);
    nova_ts end = (rows[i].restarts ? 280 : 180) * NOVA_SEC;
    rig_run(&r, end - 1);
    cr_assert_not(r.conn[c].closed, "%s", rows[i].say);
    rig_run(&r, end);
    cr_assert(r.conn[c].closed && !r.conn[c].reset, "%s", rows[i].say);
    rig_stop(&r);
  }
}

Test(server, timers_are_options) {
  struct rig r;
  rig_start_with(&r,
                 &(struct nova_server_options){.auth_timeout = NOVA_SEC,
                                               .idle_timeout = 3 * NOVA_SEC});
  size_t silent = rig_accept(&r), served = login(&r);
  rig_run(&r, 100 * NOVA_SEC);
  cr_assert_eq(r.conn[silent].ended, NOVA_SEC);
  cr_assert_eq(r.conn[served].ended, 3 * NOVA_SEC);
  rig_stop(&r);
}

Test(server, framing_does_not_depend_on_segments) {
  static const char text[] =
      AUTH(ID_A, KEY_A) PING(ID_A) "{\"x\":\"\xc3\xa9\xe2\x82\xac\"}\n" PING(
          ID_A) "\r\n" DATA(ID_A, "{\"t\": 2}") PING(ID_A);
  size_t n = sizeof text - 1;
  for (size_t piece = 1; piece <= n; piece++) {
    struct rig r;
    rig_start(&r, NOVA_FAULTS);
    size_t c = rig_accept(&r);
    for (size_t at = 0; at < n; at += piece)
      rig_feed(&r, c, text + at, n - at < piece ? n - at : piece);
    cr_assert_str_eq(rig_take(&r, c), SUCCESS PONG PONG PONG, "pieces of %zu",
                     piece);
    rig_stop(&r);
  }
}

Test(server, each_message_is_one_write) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = rig_accept(&r);
  rig_say(&r, c, AUTH(ID_A, KEY_A) PING(ID_A) PING(ID_A));
  cr_assert_eq(r.conn[c].sends, 3);
  rig_stop(&r);
}

/* A ping of |n| bytes before its line feed; |where|: 0 white space before, 1
 * inside, 2 after. */
static void say_padded(struct rig *r, size_t c, size_t n, int where) {
  static const char head[] = "{\"type\":\"ping\",";
  static const char rest[] =
      "\"device_id\":\"" ID_A "\",\"timestamp\":1700000000}";
  size_t pad = n - (sizeof head - 1) - (sizeof rest - 1);
  char *line = malloc(n + 1), *p = line;
  cr_assert_not_null(line);
  memset(line, ' ', n);
  p += where == 0 ? pad : 0;
  memcpy(p, head, sizeof head - 1);
  p += sizeof head - 1 + (where == 1 ? pad : 0);
  memcpy(p, rest, sizeof rest - 1);
  line[n] = '\n';
  for (size_t at = 0; at <= n; at += 65536)
    rig_feed(r, c, line + at, n + 1 - at < 65536 ? n + 1 - at : 65536);
  free(line);
}

Test(server, limits_lines_to_128_kb) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r);
  for (int where = 0; where < 3; where++) {
    say_padded(&r, c, 131071, where);
    say_padded(&r, c, 131072, where);
    cr_assert_str_eq(rig_take(&r, c), PONG PONG);
    say_padded(&r, c, 131073, where);
    say_padded(&r, c, 262144, where);
    cr_assert_str_empty(rig_take(&r, c));
  }
  rig_say(&r, c, PING(ID_A));
  cr_assert_str_eq(rig_take(&r, c), PONG);
  /* Before auth an oversized line is as bad as any other. */
  size_t d = rig_accept(&r);
  say_padded(&r, d, 131073, 0);
  cr_assert_str_eq(rig_take(&r, d), AUTH_REQUIRED);
  cr_assert(r.conn[d].closed);
  rig_stop(&r);
}

Test(server, skips_what_it_does_not_understand) {
  static const char *const lines[] = {
      "\n",
      "{\n",
      "[1]\n",
      "\xff\n",
      "nonsense\n",
      "{\"type\":\"hello\"}\n",
      "{\"type\":7}\n",
      "{\"type\":\"pong\",\"timestamp\":1}\n",
      "{\"type\":\"ping\",\"device_id\":\"" ID_A "\"}\n",
      "{\"type\":\"ping\",\"device_id\":7,\"timestamp\":1}\n",
      "{\"type\":\"data\",\"device_id\":\"" ID_A "\",\"timestamp\":1}\n",
      PING(ID_B),
  };
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    rig_say(&r, c, lines[i]);
    cr_assert_str_empty(rig_take(&r, c), "%s", lines[i]);
    rig_say(&r, c, PING(ID_A));
    cr_assert_str_eq(rig_take(&r, c), PONG, "%s", lines[i]);
  }
  rig_stop(&r);
}

Test(server, survives_a_long_line_and_deep_nesting) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r), other = login(&r);
  char block[65536];
  memset(block, '[', sizeof block);
  for (int i = 0; i < 32; i++)
    rig_feed(&r, c, block, sizeof block);
  rig_say(&r, c, "\n");
  rig_feed(&r, c, block, 100000 % sizeof block);
  rig_say(&r, c, "\n" PING(ID_A));
  rig_feed(&r, c, "\0\0\n", 3);
  rig_say(&r, other, PING(ID_A));
  cr_assert_str_eq(rig_take(&r, c), PONG);
  cr_assert_str_eq(rig_take(&r, other), PONG);
  rig_stop(&r);
}

Test(server, a_second_auth_counts_anew) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r);
  rig_say(&r, c, AUTH(ID_B, KEY_B) PING(ID_A) PING(ID_B));
  cr_assert_str_eq(rig_take(&r, c), SUCCESS PONG);
  rig_say(&r, c, AUTH(ID_A, "wrong") PING(ID_B));
  cr_assert_str_eq(rig_take(&r, c), REFUSED);
  cr_assert(r.conn[c].closed);
  rig_stop(&r);
}

Test(server, end_of_stream_closes_after_the_answers) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r);
  rig_say(&r, c, PING(ID_A) "{\"type\":");
  nova_server_eof(r.s, c, r.now);
  rig_pump(&r);
  cr_assert_str_eq(rig_take(&r, c), PONG);
  cr_assert(r.conn[c].closed && !r.conn[c].reset);
  rig_stop(&r);
}

Test(server, nothing_comes_out_for_a_connection_that_is_gone) {
  struct rig r;
  struct nova_server_out out;
  rig_start(&r, NOVA_FAULTS);
  size_t c = rig_accept(&r);
  cr_assert_eq(
      nova_server_feed(r.s, c, AUTH(ID_A, KEY_A), strlen(AUTH(ID_A, KEY_A)), 0),
      0);
  nova_server_reset(r.s, c, 0);
  cr_assert_not(nova_server_next_output(r.s, &out));
  cr_assert_eq(nova_server_next_deadline(r.s), NOVA_TS_NONE);
  /* Its number is free, others are ignored. */
  cr_assert_eq(nova_server_accept(r.s, c, 0), 0);
  cr_assert_eq(nova_server_accept(r.s, c, 0), NOVA_ERR_STATE);
  cr_assert_eq(nova_server_feed(r.s, 77, "x\n", 2, 0), 0);
  nova_server_eof(r.s, 77, 0);
  nova_server_reset(r.s, 77, 0);
  nova_server_sent(r.s, 77);
  cr_assert_not(nova_server_next_output(r.s, &out));
  rig_stop(&r);
}

Test(server, resets_a_device_that_does_not_read) {
  struct rig r;
  rig_start_with(&r, &(struct nova_server_options){.unsent_limit = 1000});
  size_t c = login(&r), d = login(&r);
  const size_t pong = sizeof PONG - 1;
  /* Reported as sent: there is no end to it. */
  for (size_t i = 0; i < 100; i++)
    rig_say(&r, c, PING(ID_A));
  cr_assert_not(r.conn[c].closed);
  r.held = true;
  for (size_t i = 0; i < 1000 / pong; i++)
    rig_say(&r, d, PING(ID_A));
  cr_assert_not(r.conn[d].closed, "at the limit");
  rig_say(&r, d, PING(ID_A));
  cr_assert(r.conn[d].reset, "beyond the limit");
  cr_assert_not(r.conn[c].closed);
  rig_stop(&r);
}

Test(server, limits_connections) {
  struct rig r;
  rig_start_with(&r, &(struct nova_server_options){.max_connections = 2});
  (void)rig_accept(&r);
  (void)rig_accept(&r);
  cr_assert_eq(nova_server_accept(r.s, 9, 0), NOVA_ERR_LIMIT);
  nova_server_reset(r.s, 0, 0);
  cr_assert_eq(nova_server_accept(r.s, 9, 0), 0);
  rig_stop(&r);
}

Test(server, time_never_runs_backwards) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  rig_run(&r, 5 * NOVA_SEC);
  nova_server_expire(r.s, r.now);
  size_t c = r.conns++;
  nova_buf_init(&r.conn[c].in, NULL, 1000);
  cr_assert_eq(nova_server_accept(r.s, c, NOVA_SEC), 0);
  cr_assert_eq(nova_server_next_deadline(r.s), 15 * NOVA_SEC);
  rig_stop(&r);
}

Test(server, refuses_bad_options) {
  static const struct nova_credential twice[] = {
      {{"a", 1}, {"k", 1}}, {{"b", 1}, {"k", 1}}, {{"a", 1}, {"l", 1}}};
  static char text[2000];
  memset(text, 'x', sizeof text);
  struct nova_credential d = {{"a", 1}, {"k", 1}};
  struct nova_server_options o = {.devices = twice, .device_count = 3};
  cr_assert_null(nova_server_new(&o));
  o.devices = &d;
  o.device_count = 1;
  d.id = (struct nova_view){text, NOVA_DEVICE_ID_MAX + 1};
  cr_assert_null(nova_server_new(&o));
  d.id.n = 0;
  cr_assert_null(nova_server_new(&o));
  d.id.n = NOVA_DEVICE_ID_MAX;
  d.key = (struct nova_view){text, NOVA_DEVICE_KEY_MAX + 1};
  cr_assert_null(nova_server_new(&o));
  d.key.n = NOVA_DEVICE_KEY_MAX;
  struct nova_server *s = nova_server_new(&o);
  cr_assert_not_null(s);
  nova_server_free(s);
  o.line_limit = ((size_t)1 << 24) + 1;
  cr_assert_null(nova_server_new(&o));
  nova_server_free(NULL);
}
