/* The patterns that came with MQTT, on what fits them and on odd values. */
#include "conversation/pattern.h"

#include <criterion/criterion.h>
#include <string.h>

static struct nova_arena arena;
static struct nova_diag diag;
static struct nova_json *json;

static void setup(void) {
  nova_arena_init(&arena, NULL, 4 << 20);
  nova_diag_init(&diag, NULL);
  json = nova_json_new(NULL, 1 << 20, 64);
}

static void teardown(void) {
  nova_json_free(json);
  nova_arena_free(&arena);
  nova_diag_free(&diag);
}

static bool lookup(void *user, const char *name, struct nova_buf *out) {
  (void)user;
  static const struct {
    const char *name, *json;
  } all[] = {
      {"topic", "\"novacloud/devices/DEV-1/command\""},
      {"plain", "\"command\""},
      {"dollar", "\"$SYS/devices/DEV-1/command\""},
      {"seven", "7"},
      {"empty", "\"\""},
      {"text", "{ \"a\" : 1.50 }"},
      {"value_keys", "[\"temperature\",\"timestamps\"]"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (strcmp(name, all[i].name) == 0)
      return nova_buf_puts(out, all[i].json) == 0;
  return false;
}

static struct nova_scope scope = {.lookup = lookup};

static struct nova_pattern *compile(const char *yaml) {
  struct nova_node *root =
      nova_yaml_read("x.yaml", yaml, strlen(yaml), &arena, &diag);
  cr_assert_not_null(root, "%s", nova_buf_cstr(&diag.text));
  struct nova_pattern *p = nova_pattern_compile(root, "x.yaml", &arena, &diag);
  cr_assert_not_null(p, "%s: %s", yaml, nova_buf_cstr(&diag.text));
  return p;
}

/* |value|: JSON, NULL: there is none. */
static void match(const char *yaml, const char *value, bool expected) {
  struct nova_json_value v = {.type = NOVA_JSON_NONE};
  struct nova_mismatch m = {0};
  if (value != NULL)
    cr_assert_eq(nova_json_check(json, value, strlen(value), &v, NULL), 0, "%s",
                 value);
  cr_expect_eq(nova_pattern_match(compile(yaml), v, &scope, &m), expected,
               "%s against %s", value != NULL ? value : "nothing", yaml);
  if (!expected) {
    cr_expect_str_neq(m.expected, "", "%s", yaml);
    cr_expect_str_neq(m.observed, "", "%s", yaml);
  }
}

static void none_of_a_kind(const char *yaml) {
  static const char *const odd[] = {NULL,     "null", "true",        "0",
                                    "-1.5e4", "\"\"", "\"\\u0000\"", "[]",
                                    "{}",     "[[]]"};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    match(yaml, odd[i], false);
}

#define PATTERN_TEST(name)                                                     \
  Test(pattern_mqtt, name, .init = setup, .fini = teardown)

PATTERN_TEST(starts_with) {
  static const char p[] = "'$starts_with($join(\"device_\", $plain, \"_\"))'";
  match(p, "\"device_command_1\"", true);
  match(p, "\"device_command_\"", false);
  match(p, "\"device_command\"", false);
  match(p, "\"xdevice_command_1\"", false);
  match(p, "\"\\u0064evice_command_\\u0000\"", true);
  none_of_a_kind(p);
  match("'$starts_with($seven)'", "\"77\"", false);
  match("'$starts_with($unheard)'", "\"a\"", false);
  match("'$starts_with($empty)'", "\"a\"", false);
}

PATTERN_TEST(covers) {
  static const char p[] = "$covers($topic)";
  match(p, "\"novacloud/devices/DEV-1/command\"", true);
  match(p, "\"novacloud/devices/DEV-1/+\"", true);
  match(p, "\"novacloud/devices/DEV-1/#\"", true);
  match(p, "\"novacloud/devices/+/command\"", false);
  match(p, "\"novacloud/#\"", false);
  match(p, "\"#\"", false);
  match(p, "\"novacloud/devices/DEV-1/data\"", false);
  match(p, "\"novacloud/devices/DEV-10/command\"", false);
  match(p, "\"novacloud/devices/DEV-1/comm#\"", false);
  match(p, "\"novacloud/devices/DEV-1/#/command\"", false);
  match(p, "\"novacloud/devices/DEV-1/command/#\"", true);
  none_of_a_kind(p);
  match("$covers($seven)", "\"7\"", false);
  match("$covers($plain)", "\"command\"", false); /* it has no topics beside */
  match("$covers($dollar)", "\"+/devices/DEV-1/command\"", false);
}

PATTERN_TEST(contains) {
  static const char p[] = "{$contains: {filter: $covers($topic), qos: 1}}";
  match(p, "[{\"filter\":\"novacloud/devices/DEV-1/#\",\"qos\":1,\"x\":0}]",
        true);
  match(p,
        "[1,{\"filter\":\"a\",\"qos\":1},"
        "{\"filter\":\"novacloud/devices/DEV-1/#\",\"qos\":1}]",
        true);
  match(p,
        "[{\"filter\":\"a\",\"qos\":1},"
        "{\"filter\":\"novacloud/devices/DEV-1/#\",\"qos\":0}]",
        false);
  none_of_a_kind(p);
  match("{$contains: {$contains: 1}}", "[[2],[3,1]]", true);
  match("{$contains: {$contains: 1}}", "[1]", false);
}

PATTERN_TEST(verbatim) {
  match("$verbatim($text)", "{ \"a\" : 1.50 }", true);
  match("$verbatim($text)", "{\"a\":1.5}", false);
  match("$verbatim($text)", "{ \"a\" : 1.5 }", false);
  none_of_a_kind("$verbatim($text)");
  match("$verbatim($unheard)", "1", false);
  match("$verbatim($seven)", "7", true);
  match("$verbatim($seven)", "7.0", false);
}

PATTERN_TEST(declared_members) {
  static const char p[] = "$declared_members";
  match(p, "{\"temperature\":1,\"timestamp\":0,\"device_id\":null}", true);
  match(p, "{}", true);
  match(p, "{\"timestamps\":1}", true);
  match(p, "{\"device_ids\":1}", false);
  match(p, "{\"humidity\":1}", false);
  match(p, "{\"\":1}", false);
  match(p, "{\"\\u0074imestamp\":1}", true);
  match(p, "[]", false);
  match(p, "\"temperature\"", false);
  match(p, NULL, false);
  match("$declared_values", "{\"timestamp\":0}", false);
}

PATTERN_TEST(join) {
  match("'$join(\"a\", $plain, \"b\")'", "\"acommandb\"", true);
  match("'$join(\"a\", $plain, \"b\")'", "\"acommand\"", false);
  match("'$join(\"a\", $seven)'", "\"a7\"", false);
  none_of_a_kind("'$join(\"a\", $unheard)'");
  match("'$join($empty)'", "\"\"", true);
}

/* What only checks makes no value. */
PATTERN_TEST(nothing_is_made_of_them) {
  static const char *const all[] = {"$starts_with($plain)", "$covers($topic)",
                                    "{$contains: 1}",
                                    "{a: [{b: $covers($topic)}]}"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    struct nova_buf out, why;
    nova_buf_init(&out, NULL, 1024);
    nova_buf_init(&why, NULL, 1024);
    cr_expect_not(nova_pattern_makes(compile(all[i])), "%s", all[i]);
    cr_expect_neq(nova_pattern_write(compile(all[i]), &scope, &out, &why), 0);
    cr_expect_not_null(strstr(nova_buf_cstr(&why), "makes no value"), "%s",
                       nova_buf_cstr(&why));
    nova_buf_free(&out);
    nova_buf_free(&why);
  }
}
