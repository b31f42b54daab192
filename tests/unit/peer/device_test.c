/* What the reference device says and does: guide 3.1 to 3.3. */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* --- connecting and auth: guide 3.2 ----------------------------------------
 */

Test(device, connects_and_authenticates) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert_eq(r.connects, 1);
  nova_device_start(r.d, r.now); /* a second call does nothing */
  struct nova_device_out out;
  cr_assert_not(nova_device_next_output(r.d, &out));
  cr_assert(dev_accept(&r, 0));
  cr_assert_eq(r.sends, 1, "auth is one write");
  cr_assert_eq(dev_await(&r, 0), DEV_LINE);
  cr_assert_eq(r.msg.kind, NOVA_MSG_AUTH);
  cr_assert_eq(r.err, 0);
  cr_assert_str_eq(dev_member(&r, "device_id"), DEV_ID);
  cr_assert_str_eq(dev_member(&r, "device_key"), DEV_KEY);
  cr_assert_not(nova_device_is_served(r.d));
  cr_assert_eq(dev_await(&r, 9 * NOVA_SEC), DEV_NOTHING);
  dev_say(&r, DEV_SUCCESS);
  cr_assert(nova_device_is_served(r.d));
  dev_stop(&r);
}

Test(device, does_nothing_before_it_is_started) {
  struct dev_rig r;
  dev_start_with(&r, &(struct nova_device_options){.seed = 1});
  nova_device_connected(r.d, 0);
  nova_device_feed(r.d, DEV_SUCCESS, sizeof DEV_SUCCESS - 1, 0);
  nova_device_eof(r.d, 0);
  nova_device_reset(r.d, 0);
  nova_device_refused(r.d, 0);
  nova_device_sent(r.d);
  nova_device_expire(r.d, NOVA_SEC);
  struct nova_device_out out;
  cr_assert_not(nova_device_next_output(r.d, &out));
  cr_assert_eq(nova_device_next_deadline(r.d), NOVA_TS_NONE);
  dev_stop(&r);
  nova_device_free(NULL);
}

/* Only a result that is a string decides. */
Test(device, an_auth_result_without_a_result_is_skipped) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_accept(&r, 0));
  dev_say(&r, "{\"type\":\"auth_result\",\"message\":\"x\"}\n"
              "{\"type\":\"auth_result\",\"result\":true}\n"
              "{\"type\":\"pong\",\"timestamp\":1}\n" DEV_SET("c", "{}"));
  cr_assert(r.open);
  cr_assert_not(nova_device_is_served(r.d));
  cr_assert_eq(r.sends, 1, "a command before auth_result is not answered");
  dev_say(&r, "{\"type\":\"auth_result\",\"result\":\"success\"}\n");
  cr_assert(nova_device_is_served(r.d));
  dev_stop(&r);
}

static void fails_auth(const char *line) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_accept(&r, 0));
  cr_assert_eq(dev_await(&r, 0), DEV_LINE);
  dev_say(&r, line);
  cr_assert(r.closed, "it closes, with FIN");
  cr_assert_eq(dev_await(&r, 0), DEV_ENDED);
  nova_ts closed = r.now;
  cr_assert(dev_accept(&r, 60 * NOVA_SEC));
  cr_assert_geq(r.asked - closed, 10 * NOVA_SEC);
  dev_stop(&r);
}

Test(device, a_failed_auth_closes_and_waits) {
  fails_auth(DEV_FAILED);
  fails_auth("{\"type\":\"auth_result\",\"result\":\"ok\"}\n");
  fails_auth(DEV_SUCCESS DEV_FAILED);
  /* What follows in the same segment is not read. */
  fails_auth(DEV_FAILED DEV_SUCCESS DEV_SET("c", "{}"));
}

/* --- messages: guide 3.2 to 3.4 --------------------------------------------
 */

/* What it writes is what the codec writes. */
Test(device, messages_are_those_of_the_codec) {
  struct dev_rig r;
  unsigned kinds = 0;
  static char encoded[4096];
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_accept(&r, 0));
  while (dev_await(&r, 61 * NOVA_SEC) == DEV_LINE) {
    size_t n = 0;
    cr_assert_eq(r.err, 0);
    cr_assert_eq(r.msg.unknown, 0);
    cr_assert_eq(nova_msg_encode(&r.msg, encoded, sizeof encoded, &n), 0);
    struct nova_view v = nova_buf_view(&r.line);
    cr_assert_eq(n, v.n + 1);
    cr_assert_eq(memcmp(encoded, v.p, v.n), 0);
    kinds |= 1u << r.msg.kind;
    if (r.msg.kind == NOVA_MSG_AUTH)
      dev_say(&r, DEV_SUCCESS DEV_SET("c\\u00e9\\\\", "{\"relay1\":\"ON\"}"));
    if (r.msg.kind == NOVA_MSG_PING)
      break;
  }
  cr_assert_eq(kinds, 1u << NOVA_MSG_AUTH | 1u << NOVA_MSG_STATUS |
                          1u << NOVA_MSG_DATA | 1u << NOVA_MSG_PING |
                          1u << NOVA_MSG_COMMAND_RESPONSE);
  dev_stop(&r);
}

Test(device, names_itself_and_the_time) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  dev_say(&r, DEV_SET("c", "{}"));
  while (r.now < 400 * NOVA_SEC && dev_await(&r, 100 * NOVA_SEC) == DEV_LINE) {
    char time[32];
    snprintf(time, sizeof time, "%llu",
             (unsigned long long)(DEV_UNIX + r.now / NOVA_SEC));
    cr_assert_str_eq(dev_member(&r, "timestamp"), time);
    cr_assert_str_eq(dev_member(&r, "device_id"), DEV_ID);
    dev_say(&r, DEV_PONG);
  }
  cr_assert_geq(r.now, 400 * NOVA_SEC);
  dev_stop(&r);
}

Test(device, sends_the_values_that_are_declared) {
  static const struct nova_view keys[] = {{"p\xc3\xb6", 3}, {"a\"b", 3}};
  struct dev_rig r;
  dev_start_with(&r, &(struct nova_device_options){.value_keys = keys,
                                                   .value_key_count = 2});
  nova_device_start(r.d, 0);
  r.asks = true;
  struct nova_device_out out;
  cr_assert(nova_device_next_output(r.d, &out));
  cr_assert(dev_serve(&r));
  cr_assert(dev_await_kind(&r, NOVA_MSG_DATA, NOVA_SEC));
  struct nova_json_value v = nova_json_get(r.msg.whole, nova_view_of("values"));
  cr_assert_eq(nova_json_get(v, keys[0]).type, NOVA_JSON_NUMBER);
  cr_assert_eq(nova_json_get(v, keys[1]).type, NOVA_JSON_NUMBER);
  cr_assert_eq(nova_json_get(v, nova_view_of("light")).type, NOVA_JSON_NONE);
  dev_stop(&r);
}

/* --- commands: guide 3.3 ---------------------------------------------------
 */

static void expect_answer(struct dev_rig *r, const char *line,
                          const char *result, const char *data) {
  dev_say(r, line);
  cr_assert(dev_await_kind(r, NOVA_MSG_COMMAND_RESPONSE, 0), "%s", line);
  cr_assert_eq(r->err, 0);
  cr_assert_str_eq(dev_member(r, "result"), result, "%s", line);
  cr_assert_str_eq(dev_member(r, "data"), data, "%s", line);
}

Test(device, sets_its_actuators) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  expect_answer(&r, DEV_SET("1", "{\"relay1\":\"ON\"}"), "success",
                "{\"relay1\":\"ON\",\"led_brightness\":0}");
  expect_answer(&r, DEV_SET("2", "{\"led_brightness\":80,\"relay1\":\"x\"}"),
                "success", "{\"relay1\":\"x\",\"led_brightness\":80}");
  expect_answer(&r, DEV_SET("3", "{}"), "success",
                "{\"relay1\":\"x\",\"led_brightness\":80}");
  /* The same again: answered again. */
  expect_answer(&r, DEV_SET("3", "{}"), "success",
                "{\"relay1\":\"x\",\"led_brightness\":80}");
  /* All or nothing. */
  expect_answer(&r, DEV_SET("4", "{\"relay1\":\"ON\",\"nonsuch\":1}"), "failed",
                "{\"relay1\":\"x\",\"led_brightness\":80}");
  expect_answer(&r,
                DEV_SET("5", "{\"relay1\":\"ON\",\"led_brightness\":\"1\"}"),
                "failed", "{\"relay1\":\"x\",\"led_brightness\":80}");
  expect_answer(&r, DEV_SET("6", "{\"led_brightness\":true}"), "failed",
                "{\"relay1\":\"x\",\"led_brightness\":80}");
  expect_answer(&r, DEV_SET("7", "[]"), "failed",
                "{\"relay1\":\"x\",\"led_brightness\":80}");
  /* It keeps its state when the connection is lost. */
  dev_rst(&r);
  cr_assert(dev_serve(&r));
  expect_answer(&r, DEV_SET("8", "{\"led_brightness\":-1.5e1}"), "success",
                "{\"relay1\":\"x\",\"led_brightness\":-1.5e1}");
  dev_stop(&r);
}

Test(device, answers_what_it_cannot_do) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  expect_answer(&r, DEV_COMMAND("1", "reboot", "{}"), "failed", "{}");
  expect_answer(&r, DEV_COMMAND("2", "SET_ACTUATOR", "{}"), "failed", "{}");
  expect_answer(&r, "{\"type\":\"command\",\"command_id\":\"3\"}\n", "failed",
                "{}");
  expect_answer(&r,
                "{\"type\":\"command\",\"command_id\":\"4\",\"command\":7}\n",
                "failed", "{}");
  expect_answer(&r,
                "{\"type\":\"command\",\"command_id\":\"5\","
                "\"command\":\"set_actuator\"}\n",
                "failed", "{\"relay1\":\"OFF\",\"led_brightness\":0}");
  size_t sends = r.sends;
  dev_say(&r, "{\"type\":\"command\",\"command\":\"set_actuator\"}\n"
              "{\"type\":\"command\",\"command_id\":6,\"params\":{}}\n"
              "{\"type\":\"command\",\"command_id\":\"7\",\"device_id\":"
              "\"DEV-000041\",\"command\":\"set_actuator\",\"params\":{}}\n");
  cr_assert_eq(r.sends, sends, "these cannot be answered, or are not for it");
  dev_stop(&r);
}

Test(device, has_actuators_of_every_type) {
  static const struct nova_device_actuator list[] = {
      {{"b", 1}, {"true", 4}},
      {{"n", 1}, {"null", 4}},
      {{"o", 1}, {"{\"x\":1}", 7}},
      {{"a", 1}, {"[]", 2}}};
  struct dev_rig r;
  dev_start_with(&r, &(struct nova_device_options){.actuators = list,
                                                   .actuator_count = 4});
  nova_device_start(r.d, 0);
  r.asks = true;
  struct nova_device_out out;
  cr_assert(nova_device_next_output(r.d, &out));
  cr_assert(dev_serve(&r));
  expect_answer(&r, DEV_SET("1", "{\"b\":false,\"o\":{ \"y\" : [1] }}"),
                "success",
                "{\"b\":false,\"n\":null,\"o\":{ \"y\" : [1] },\"a\":[]}");
  expect_answer(&r, DEV_SET("2", "{\"n\":\"now a text\"}"), "success",
                "{\"b\":false,\"n\":\"now a text\",\"o\":{ \"y\" : [1] },"
                "\"a\":[]}");
  expect_answer(&r, DEV_SET("3", "{\"n\":1}"), "failed",
                "{\"b\":false,\"n\":\"now a text\",\"o\":{ \"y\" : [1] },"
                "\"a\":[]}");
  expect_answer(&r, DEV_SET("4", "{\"relay1\":\"ON\"}"), "failed",
                "{\"b\":false,\"n\":\"now a text\",\"o\":{ \"y\" : [1] },"
                "\"a\":[]}");
  dev_stop(&r);
}

Test(device, a_value_has_its_limit) {
  struct dev_rig r;
  char value[1100], line[1400];
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  for (size_t n = NOVA_DEVICE_VALUE_MAX - 1; n <= NOVA_DEVICE_VALUE_MAX + 1;
       n++) {
    memset(value, 'v', sizeof value);
    value[n - 2] = '\0'; /* with its quotation marks n bytes */
    snprintf(line, sizeof line, DEV_SET("v", "{\"relay1\":\"%s\"}"), value);
    dev_say(&r, line);
    cr_assert(dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, 0));
    cr_assert_str_eq(dev_member(&r, "result"),
                     n <= NOVA_DEVICE_VALUE_MAX ? "success" : "failed");
  }
  dev_stop(&r);
}

/* --- command ids -----------------------------------------------------------
 */

static void repeats(struct dev_rig *r, const char *id) {
  static char line[200000], text[200000];
  snprintf(line, sizeof line, DEV_SET("%s", "{}"), id);
  snprintf(text, sizeof text, "\"%s\"", id);
  dev_say(r, line);
  cr_assert(dev_await_kind(r, NOVA_MSG_COMMAND_RESPONSE, 0));
  struct nova_json_value have, want;
  have = nova_json_get(r->msg.whole, nova_view_of("command_id"));
  cr_assert_eq(nova_json_check(r->json, text, strlen(text), &want, NULL), 0);
  cr_assert(nova_json_equal(have, want), "%.80s", id);
}

Test(device, repeats_any_command_id) {
  static const char *const ids[] = {
      "",
      "a",
      "AbC-0_9.: x",
      "\\\"\\\\\\/\\b\\f\\n\\r\\t",
      "\\u0000\\u001f\\u00e9\\ud83d\\ude00",
      "\xe6\xb8\xa9\xe5\xba\xa6 \xf0\x9f\x98\x80 \xc2\x80",
      "{\\\"type\\\":\\\"pong\\\"}",
      "   ",
  };
  static char id[130000];
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
    repeats(&r, ids[i]);
  static const size_t lengths[] = {31,  32,  33,   63,    64,    65,
                                   127, 128, 129,  254,   255,   256,
                                   257, 511, 1023, 65536, 129999};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    memset(id, 'K', sizeof id);
    id[lengths[i]] = '\0';
    repeats(&r, id);
  }
  dev_stop(&r);
}

/* An answer longer than 128 KB is not sent; nothing else is lost by it. */
Test(device, an_id_that_no_answer_can_hold) {
  static char line[NOVA_LINE_LIMIT + 2];
  static const char head[] = "{\"type\":\"command\",\"command_id\":\"";
  static const char tail[] = "\",\"command\":\"x\",\"params\":{}}\n";
  struct dev_rig r;
  memset(line, 'i', sizeof line);
  memcpy(line, head, sizeof head - 1);
  memcpy(line + NOVA_LINE_LIMIT + 2 - sizeof tail, tail, sizeof tail);
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  size_t sends = r.sends;
  dev_feed(&r, line, NOVA_LINE_LIMIT + 1);
  cr_assert_eq(r.sends, sends);
  cr_assert(r.open);
  repeats(&r, "next");
  dev_stop(&r);
}

/* --- framing and malformed input: guide 3.1 --------------------------------
 */

Test(device, takes_lines_however_they_are_cut) {
  static const char two[] =
      DEV_COMMAND("\xe6\xb8\xa9", "x", "{}") DEV_COMMAND("b", "x", "{}");
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  for (size_t cut = 0; cut < sizeof two; cut++) {
    dev_feed(&r, two, cut);
    dev_feed(&r, two + cut, sizeof two - 1 - cut);
    cr_assert(dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, 0), "%zu", cut);
    cr_assert_str_eq(dev_member(&r, "command_id"), "\xe6\xb8\xa9");
    cr_assert(dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, 0), "%zu", cut);
    cr_assert_str_eq(dev_member(&r, "command_id"), "b");
  }
  /* What was begun on one connection is not gone on with on the next. */
  dev_feed(&r, two, 20);
  dev_rst(&r);
  cr_assert(dev_serve(&r));
  dev_feed(&r, two + 20, sizeof two - 1 - 20);
  cr_assert(dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, 0));
  cr_assert_str_eq(dev_member(&r, "command_id"), "b");
  dev_stop(&r);
}

Test(device, takes_128_kb_and_skips_more) {
  static char line[NOVA_LINE_LIMIT + 2];
  static const char plain[] = DEV_SET("long", "{}");
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  for (size_t n = NOVA_LINE_LIMIT - 1; n <= NOVA_LINE_LIMIT + 1; n++) {
    memset(line, ' ', sizeof line);
    memcpy(line, plain, sizeof plain - 2);
    line[n] = '\n';
    dev_feed(&r, line, n + 1);
    cr_assert_eq(dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, 0),
                 n <= NOVA_LINE_LIMIT, "%zu", n);
    repeats(&r, "after");
  }
  dev_stop(&r);
}

Test(device, passes_over_what_is_malformed) {
  static const char *const bad[] = {
      "\n",
      " \r\n",
      "nonsense\n",
      "{\"type\":\"command\",\"command_id\":\"x\"\n",
      "[{\"type\":\"pong\"}]\n",
      "7\n",
      "{}\n",
      "{\"type\":7}\n",
      "{\"type\":\"\xff\"}\n",
      "{\"type\":\"pong\",\"type\":\"pong\"}\n",
      "{\"type\":\"unheard_of\",\"command_id\":\"x\"}\n",
      "{\"type\":\"auth\",\"device_id\":\"a\",\"device_key\":\"b\"}\n",
      "{\"type\":\"pong\"}\n",
      "\xef\xbb\xbf{\"type\":\"pong\"}\n"};
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    size_t sends = r.sends;
    dev_say(&r, bad[i]);
    cr_assert(r.open, "%s", bad[i]);
    cr_assert_eq(r.sends, sends, "%s", bad[i]);
    repeats(&r, "after");
  }
  /* And what is not: white space, CR, members in any order, escapes. */
  dev_say(&r, " { \"params\" : { } , \"command\" : \"\\u0078\" ,"
              "\"comm\\u0061nd_id\":\"w\",\"type\":\"comman\\u0064\" } \r\n");
  cr_assert(dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, 0));
  cr_assert_str_eq(dev_member(&r, "command_id"), "w");
  dev_stop(&r);
}

Test(device, survives_deep_nesting) {
  static char line[130000];
  struct dev_rig r;
  memset(line, '[', sizeof line);
  line[sizeof line - 1] = '\n';
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  dev_feed(&r, line, sizeof line);
  repeats(&r, "after");
  dev_stop(&r);
}

/* --- options ---------------------------------------------------------------
 */

static bool accepts(struct nova_device_options o) {
  if (o.id.p == NULL)
    o.id = nova_view_of(DEV_ID);
  if (o.key.p == NULL)
    o.key = nova_view_of(DEV_KEY);
  struct nova_device *d = nova_device_new(&o);
  nova_device_free(d);
  return d != NULL;
}

static bool accepts_value(const char *name, const char *value) {
  struct nova_device_actuator a = {nova_view_of(name), nova_view_of(value)};
  return accepts(
      (struct nova_device_options){.actuators = &a, .actuator_count = 1});
}

Test(device, refuses_options_out_of_range) {
  static char text[1200];
  static struct nova_device_actuator many[65];
  static struct nova_view keys[65];
  memset(text, 'x', sizeof text);
  cr_assert(accepts((struct nova_device_options){.seed = 0}));
  cr_assert(accepts((struct nova_device_options){.id = {text, 255}}));
  cr_assert_not(accepts((struct nova_device_options){.id = {text, 256}}));
  cr_assert_not(accepts((struct nova_device_options){.id = {text, 0}}));
  cr_assert_not(accepts((struct nova_device_options){.id = {"\xff", 1}}));
  cr_assert(accepts((struct nova_device_options){.key = {text, 1023}}));
  cr_assert_not(accepts((struct nova_device_options){.key = {text, 1024}}));
  cr_assert(accepts_value("a", "1"));
  cr_assert_not(accepts_value("", "1"));
  cr_assert_not(accepts_value("\xff", "1"));
  cr_assert_not(accepts_value("a", ""));
  cr_assert_not(accepts_value("a", "ON"));
  cr_assert_not(accepts_value("a", "[1,\n2]"));
  memset(text, '1', sizeof text);
  text[0] = text[1024] = '"';
  text[1025] = '\0';
  cr_assert_not(accepts_value("a", text));
  static char names[65];
  for (size_t i = 0; i < 65; i++) {
    names[i] = (char)('!' + i);
    keys[i] = (struct nova_view){&names[i], 1};
    many[i] = (struct nova_device_actuator){keys[i], {"1", 1}};
  }
  cr_assert(accepts(
      (struct nova_device_options){.actuators = many, .actuator_count = 64}));
  cr_assert_not(accepts(
      (struct nova_device_options){.actuators = many, .actuator_count = 65}));
  cr_assert(accepts(
      (struct nova_device_options){.value_keys = keys, .value_key_count = 64}));
  cr_assert_not(accepts(
      (struct nova_device_options){.value_keys = keys, .value_key_count = 65}));
}
