#include "cli/spawn.h"

#include "run/command.h"

#include <criterion/criterion.h>

static struct nova_arena arena;
static struct nova_profile profile;
static const char *why;

static void setup(void) {
  const char *ignored;
  nova_arena_init(&arena, NULL, 1 << 20);
  nova_profile_init(&profile, &arena);
  profile.tcp = (struct nova_address){"127.0.0.1", 9000};
  nova_profile_add_device(&profile, nova_view_of("D 1"), nova_view_of("k'{\""),
                          &ignored);
}

static void teardown(void) {
  nova_arena_free(&arena);
}

TestSuite(spawn, .init = setup, .fini = teardown);

static const char *word(const char *text) {
  return nova_command_word(&arena, &profile, NOVA_OVER_TCP, text, &why);
}

Test(spawn, placeholders_are_replaced_inside_a_word) {
  cr_expect_str_eq(word("{host}:{tcp_port}"), "127.0.0.1:9000");
  cr_expect_str_eq(word("--{transport} {port}"), "--tcp 9000");
  cr_expect_str_eq(word("--id={device_id}"), "--id=D 1");
  cr_expect_str_eq(word("plain"), "plain");
  cr_expect_str_eq(word(""), "");
}

Test(spawn, a_value_is_not_looked_at_again) {
  profile.device[0].key = "{device_id}";
  cr_expect_str_eq(word("{device_key}"), "{device_id}");
}

Test(spawn, other_braces_stay) {
  cr_expect_str_eq(word("{HOST} {} {tcp_port {x}"), "{HOST} {} {tcp_port {x}");
}

Test(spawn, what_was_not_given_is_told) {
  cr_expect_null(word("{mqtt_port}"));
  cr_expect_str_eq(why, "nothing was given for {mqtt_port}");
  cr_expect_null(word("a{ca_file}"));
  cr_expect_str_eq(why, "nothing was given for {ca_file}");
}
