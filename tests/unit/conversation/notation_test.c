/* What patterns and raw bytes of a script come to. */
#include "conversation/catalog.h"
#include "conversation/pattern.h"
#include "conversation/span.h"

#include "base/error.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct nova_arena arena;
static struct nova_diag diag;

static void setup(void) {
  nova_arena_init(&arena, NULL, 1 << 20);
  nova_diag_init(&diag, NULL);
}

static void teardown(void) {
  nova_arena_free(&arena);
  nova_diag_free(&diag);
}

static struct nova_pattern *compile(const char *yaml) {
  struct nova_node *root =
      nova_yaml_read("x.yaml", yaml, strlen(yaml), &arena, &diag);
  cr_assert_not_null(root, "%s", nova_buf_cstr(&diag.text));
  return nova_pattern_compile(root, "x.yaml", &arena, &diag);
}

static bool lookup(void *user, const char *name, struct nova_buf *out) {
  (void)user;
  return strcmp(name, "device.key") == 0 && nova_buf_puts(out, "\"kEy\"") == 0;
}

static const char *value_keys;

static bool keys(void *user, const char *name, struct nova_buf *out) {
  (void)user;
  return strcmp(name, "value_keys") == 0 && value_keys != NULL &&
         nova_buf_puts(out, value_keys) == 0;
}

static struct nova_scope scope = {.lookup = lookup};

static const char *written(const char *yaml) {
  static struct nova_buf out, why;
  nova_buf_free(&out);
  nova_buf_free(&why);
  nova_buf_init(&out, NULL, 4096);
  nova_buf_init(&why, NULL, 4096);
  struct nova_pattern *p = compile(yaml);
  cr_assert_not_null(p, "%s", nova_buf_cstr(&diag.text));
  cr_assert_eq(nova_pattern_write(p, &scope, &out, &why), 0);
  return nova_buf_cstr(&out);
}

Test(notation, escapes_in_arguments, .init = setup, .fini = teardown) {
  cr_expect_str_eq(written("'$with($device.key, \"\\u0000\")'"),
                   "\"kEy\\u0000\"");
  cr_expect_str_eq(written("'$with($device.key, \"\\\"\\\\\\n\\r\\t\")'"),
                   "\"kEy\\\"\\\\\\n\\u000d\\u0009\"");
  cr_expect_str_eq(written("'$with($device.key, \"\\u00e9\\u4E2d\")'"),
                   "\"kEy\xc3\xa9\xe4\xb8\xad\"");
}

Test(notation, bad_escapes_have_a_place, .init = setup, .fini = teardown) {
  static const char *const bad[] = {"'$with($device.key, \"\\x\")'",
                                    "'$with($device.key, \"\\u12\")'",
                                    "'$with($device.key, \"\\ud800\")'"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    nova_buf_clear(&diag.text);
    cr_expect_null(compile(bad[i]));
    cr_expect_eq(strncmp(nova_buf_cstr(&diag.text),
                         "x.yaml:1:22: expected \\\", \\\\,", 27),
                 0, "%s", nova_buf_cstr(&diag.text));
  }
}

static bool matches(const char *yaml, const char *json) {
  struct nova_pattern *p = compile(yaml);
  cr_assert_not_null(p, "%s", nova_buf_cstr(&diag.text));
  struct nova_json *scanner = nova_json_new(NULL, 4096, 32);
  struct nova_json_value v;
  cr_assert_eq(nova_json_check(scanner, json, strlen(json), &v, NULL), 0);
  bool same = nova_pattern_match(p, v, &scope, NULL);
  nova_json_free(scanner);
  return same;
}

Test(notation, exactly_allows_no_member_more, .init = setup, .fini = teardown) {
  cr_expect(matches("{a: {b: 1}}", "{\"a\":{\"b\":1,\"c\":2}}"));
  cr_expect_not(
      matches("{a: {$exactly: {b: 1}}}", "{\"a\":{\"b\":1,\"c\":2}}"));
  cr_expect(matches("{a: {$exactly: {b: 1, d: [x]}}}",
                    "{\"a\":{\"d\":[\"x\"],\"b\":1.0},\"e\":0}"));
  cr_expect_str_eq(written("{a: {$exactly: {b: 1}}}"), "{\"a\":{\"b\":1}}");
}

Test(notation, like_is_a_string_with_digits, .init = setup, .fini = teardown) {
  cr_expect(matches("'$like(\"DEV-#\")'", "\"DEV-0\""));
  cr_expect(matches("'$like(\"DEV-#\")'", "\"DEV-000001\""));
  cr_expect(matches("'$like(\"#.#\")'", "\"10.25\""));
  static const char *const others[] = {
      "\"DEV-\"",   "\"dev-1\"", "\"DEV-1a\"", "\"xDEV-1\"", "\"DEV-1\\u0000\"",
      "\"DEV--1\"", "1",         "[]",         "null",       "\"\""};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    cr_expect_not(matches("'$like(\"DEV-#\")'", others[i]), "%s", others[i]);
  cr_expect_not(matches("{a: '$like(\"DEV-#\")'}", "{}"));
}

Test(notation, has_asks_for_some_members, .init = setup, .fini = teardown) {
  cr_expect(matches("'$has($one)'", "{\"a\":1,\"b\":2}") == false);
  scope.lookup = keys;
  value_keys = "{\"a\":{\"x\":1},\"b\":\"s\"}";
  static const char has[] = "'$has($value_keys)'";
  cr_expect(matches(has, "{\"b\":\"s\",\"a\":{\"x\":1.0},\"c\":0}"));
  cr_expect_not(matches(has, "{\"b\":\"s\"}"));
  cr_expect_not(matches(has, "{\"b\":\"s\",\"a\":{\"x\":2}}"));
  cr_expect_not(matches(has, "{\"b\":\"s\",\"a\":{\"x\":1,\"y\":1}}"));
  cr_expect_not(matches(has, "{\"B\":\"s\",\"a\":{\"x\":1}}"));
  cr_expect_not(matches(has, "[1]"));
  cr_expect_not(matches(has, "\"s\""));
  value_keys = "{}";
  cr_expect(matches(has, "{}"));
  cr_expect_not(matches(has, "[]"));
  value_keys = "[1]";
  cr_expect_not(matches(has, "[1]"), "only of objects");
}

Test(notation, declared_values, .init = setup, .fini = teardown) {
  scope.lookup = keys;
  static const char what[] = "$declared_values";
  value_keys = "[\"temp\",\"l\\u00e9ger\"]";
  cr_expect(matches(what, "{}"));
  cr_expect(matches(what, "{\"temp\":1}"));
  cr_expect(matches(what, "{\"l\xc3\xa9ger\":1,\"temp\":null}"));
  cr_expect_not(matches(what, "{\"temp\":1,\"Temp\":1}"));
  cr_expect_not(matches(what, "{\"tem\":1}"));
  cr_expect_not(matches(what, "[\"temp\"]"));
  value_keys = "[]";
  cr_expect_not(matches(what, "{\"temp\":1}"));
  value_keys = NULL;
  cr_expect(matches(what, "{\"temp\":1}"), "nothing was declared");
}

/* --- spans
 * -------------------------------------------------------------------- */

static struct nova_timers timers;

static struct nova_span *span(const char *text) {
  size_t offset = 0;
  const char *why = NULL;
  struct nova_span *s =
      nova_span_read(&arena, nova_view_of(text), &offset, &why);
  cr_assert_not_null(s, "%s: %s at %zu", text, why, offset);
  return s;
}

static nova_ts value(const char *text) {
  return nova_span_value(span(text), &timers);
}

Test(notation, least_is_the_smaller_one, .init = setup, .fini = teardown) {
  nova_timers_default(&timers);
  cr_expect_eq(value("$least(2s, 3s)"), 2 * NOVA_SEC);
  cr_expect_eq(value("$least(3s,2s)"), 2 * NOVA_SEC);
  cr_expect_eq(value("$least(2 * $heartbeat, $idle_timeout)"), 120 * NOVA_SEC);
  cr_expect_eq(value("$least(4 * $heartbeat, $idle_timeout)"), 180 * NOVA_SEC);
  cr_expect_eq(value("1s + $least(2s, 3s) + $least(5s, 4s) + $least(1s, 2s)"),
               8 * NOVA_SEC);
  /* One that never comes is no bound, two are. */
  cr_expect_eq(value("$least($data_interval, 7s)"), 7 * NOVA_SEC);
  cr_expect_eq(value("$least($data_interval, $report_interval)"), NOVA_TS_NONE);
  cr_expect(nova_span_uses(span("$least(7s, $data_interval)"),
                           NOVA_TIMER_data_interval));
  cr_expect(nova_span_uses(span("$least($data_interval, 7s)"),
                           NOVA_TIMER_data_interval));
  cr_expect_not(
      nova_span_uses(span("$least(6s, 7s)"), NOVA_TIMER_data_interval));
  cr_expect_eq(nova_span_slack(span("$least(6s, 7s) + $late(20s)"), &timers),
               2 * NOVA_SEC);
}

Test(notation, least_has_a_place_for_its_errors, .init = setup,
     .fini = teardown) {
  static const struct {
    const char *text;
    size_t offset;
    const char *why;
  } bad[] = {
      {"$least", 6, "expected $least("},
      {"$least(2s)", 9, "expected $least("},
      {"$least(2s, 3s", 13, "expected $least("},
      {"$least(2s, 3s, 4s)", 13, "expected $least("},
      {"$least(, 3s)", 7, "expected a span"},
      {"$least(2s, )", 11, "expected a span"},
      {"$least(2s, $idel)", 11, "no such timer"},
      {"2 * $least(2s, 3s)", 10, "expected $least("},
      {"$late($least(2s, 3s))", 12, "expected $least("},
      {"$least($late(2s), 3s)", 20, "expected $least("},
      {"$least($least(1s, 2s), 3s)", 25, "expected $least("},
      {"$least(1s, $least($least(1s, 2s), 3s))", 18, "no such timer"},
      {"$least(2s, 3s) x", 15, "something follows"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    size_t offset = 99;
    const char *why = "";
    cr_expect_null(
        nova_span_read(&arena, nova_view_of(bad[i].text), &offset, &why), "%s",
        bad[i].text);
    cr_expect_eq(offset, bad[i].offset, "%s: %zu", bad[i].text, offset);
    cr_expect_eq(strncmp(why, bad[i].why, strlen(bad[i].why)), 0, "%s: %s",
                 bad[i].text, why);
  }
}

#define REQUIREMENTS                                                           \
  "requirements:\n"                                                            \
  "- {id: S-1, section: '1', binds: server, level: must, basis: stated, en: "  \
  "a, zh: b, judge: c}\n"

#define HEAD                                                                   \
  "conversation: tcp-x\n"                                                      \
  "title: a\n"                                                                 \
  "transport: tcp\n"                                                           \
  "steps:\n"

static const struct nova_script *load(struct nova_catalog *c,
                                      const char *steps) {
  static char text[2048];
  snprintf(text, sizeof text, HEAD "%s", steps);
  struct nova_spec_file files[] = {
      {"requirements.yaml", REQUIREMENTS, strlen(REQUIREMENTS)},
      {"x.yaml", text, strlen(text)}};
  nova_catalog_init(c, NULL);
  nova_catalog_load(c, files, 2, &diag);
  cr_assert_eq(diag.errors, 0, "%s", nova_buf_cstr(&diag.text));
  return c->scripts;
}

/* A new connection that is accepted is the server's doing; a harness that is
 * the server cannot judge it. */
Test(notation, a_connect_may_charge_the_server, .init = setup,
     .fini = teardown) {
  struct nova_catalog c;
  const struct nova_script *s =
      load(&c, "- {device: connect, verifies: [S-1], probe: true}\n");
  cr_expect(s->harness[NOVA_ROLE_DEVICE]);
  cr_expect_not(s->harness[NOVA_ROLE_SERVER]);
  cr_expect(nova_ids_have(&s->verifies, "S-1"));
  nova_catalog_free(&c);
}

Test(notation, raw_pieces_and_stand_ins, .init = setup, .fini = teardown) {
  struct nova_catalog c;
  const struct nova_script *s =
      load(&c, "- device: connect\n"
               "- device: send\n"
               "  raw: ['{\"id\":', {json: $device.id}, {hex: 7d 0a}]\n"
               "  unless: [hook:send_command]\n");
  const struct nova_step *send = s->steps->next;
  cr_assert_not_null(send->raw->next->json);
  cr_expect_str_eq(send->raw->next->json->name, "device.id");
  cr_expect_eq(send->raw->next->next->bytes.n, 2);
  cr_expect_eq(send->unless, 1u << NOVA_HOOK_SEND_COMMAND);
  cr_expect_eq(s->devices, 1);
  nova_catalog_free(&c);
}
