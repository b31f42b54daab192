#include "cli/options.h"

#include "base/error.h"
#include "cli/near.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define SOME                                                                   \
  (NOVA_OPT_BIT(TCP) | NOVA_OPT_BIT(DEVICE) | NOVA_OPT_BIT(PROFILE) |          \
   NOVA_OPT_BIT(QUIET) | NOVA_OPT_BIT(VERBOSE) |                               \
   NOVA_OPT_BIT(ALLOW_INCOMPLETE))

static struct nova_options o;
static char why[256];

static int parse(int n, const char *const *word) {
  return nova_options_read(&o, n, (char *const *)(uintptr_t)word, SOME, why,
                           sizeof why);
}

#define READ(...)                                                              \
  parse(sizeof(const char *[]){__VA_ARGS__} / sizeof(const char *),            \
        (const char *const[]){__VA_ARGS__})

static void let_go(void) {
  nova_options_free(&o);
}

TestSuite(options, .fini = let_go);

Test(options, value_behind_or_with_equals) {
  cr_assert_eq(READ("--tcp", "a:1", "--device=x:y", "--device", "z:="), 0);
  cr_expect_str_eq(nova_options_last(&o, NOVA_OPT_TCP), "a:1");
  cr_expect_eq(o.opt[NOVA_OPT_DEVICE].n, 2);
  cr_expect_str_eq(o.opt[NOVA_OPT_DEVICE].value[0], "x:y");
  cr_expect_str_eq(o.opt[NOVA_OPT_DEVICE].value[1], "z:=");
  cr_expect_null(o.opt[NOVA_OPT_DEVICE].value[2]);
}

Test(options, an_empty_value_is_a_value) {
  cr_assert_eq(READ("--tcp="), 0);
  cr_expect_str_eq(nova_options_last(&o, NOVA_OPT_TCP), "");
}

Test(options, the_last_one_counts) {
  cr_assert_eq(READ("--tcp", "a:1", "--tcp", "b:2"), 0);
  cr_expect_str_eq(nova_options_last(&o, NOVA_OPT_TCP), "b:2");
}

Test(options, letters_together_and_with_a_value) {
  cr_assert_eq(READ("-qvv", "-pfile", "-p", "other"), 0);
  cr_expect_eq(o.opt[NOVA_OPT_QUIET].n, 1);
  cr_expect_eq(o.opt[NOVA_OPT_VERBOSE].n, 2);
  cr_expect_str_eq(o.opt[NOVA_OPT_PROFILE].value[0], "file");
  cr_expect_str_eq(o.opt[NOVA_OPT_PROFILE].value[1], "other");
}

Test(options, arguments_between_and_behind) {
  cr_assert_eq(READ("one", "-q", "-", "--", "--tcp"), 0);
  cr_expect_eq(o.args, 3);
  cr_expect_str_eq(o.arg[0], "one");
  cr_expect_str_eq(o.arg[1], "-");
  cr_expect_str_eq(o.arg[2], "--tcp");
  cr_expect_null(o.arg[3]);
  cr_expect_eq(o.opt[NOVA_OPT_TCP].n, 0);
}

Test(options, an_unknown_one_names_the_nearest) {
  cr_assert_eq(READ("--tpc", "a:1"), NOVA_ERR_ARGUMENT);
  cr_expect_str_eq(why, "unknown option --tpc; did you mean --tcp?");
}

Test(options, the_nearest_is_one_that_the_command_takes) {
  cr_assert_eq(READ("--spawm=x"), NOVA_ERR_ARGUMENT);
  cr_expect_str_eq(why, "unknown option --spawm");
}

Test(options, one_of_another_command_is_unknown) {
  cr_assert_eq(READ("--json"), NOVA_ERR_ARGUMENT);
  cr_expect_str_eq(why, "unknown option --json");
}

Test(options, values_where_there_are_none) {
  cr_assert_eq(READ("--tcp"), NOVA_ERR_ARGUMENT);
  cr_expect_str_eq(why, "--tcp needs a value: --tcp HOST:PORT");
  let_go();
  cr_assert_eq(READ("-p"), NOVA_ERR_ARGUMENT);
  cr_expect_str_eq(why, "-p needs a value: -p FILE");
  let_go();
  cr_assert_eq(READ("--quiet=yes"), NOVA_ERR_ARGUMENT);
  cr_expect_str_eq(why, "--quiet takes no value");
  let_go();
  cr_assert_eq(READ("-x"), NOVA_ERR_ARGUMENT);
  cr_expect_str_eq(why, "unknown option -x");
}

Test(options, every_option_has_a_name_of_its_own) {
  for (unsigned i = 0; i < NOVA_OPTS; i++)
    for (unsigned k = 0; k < i; k++) {
      cr_expect_str_neq(nova_option_table[i].name, nova_option_table[k].name);
      cr_expect(nova_option_table[i].letter == 0 ||
                nova_option_table[i].letter != nova_option_table[k].letter);
    }
}

/* --- the nearest ------------------------------------------------------------
 */

static const char *nearest(const char *word) {
  static const char *const names[] = {"server", "device",  "demo",
                                      "report", "version", "list"};
  struct nova_near near;
  nova_near_init(&near, word, strlen(word));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    nova_near_try(&near, names[i]);
  const char *best = nova_near_best(&near);
  return best != NULL ? best : "";
}

Test(near, what_was_meant) {
  cr_expect_str_eq(nearest("sevrer"), "server");
  cr_expect_str_eq(nearest("devcie"), "device");
  cr_expect_str_eq(nearest("repotr"), "report");
  cr_expect_str_eq(nearest("vers"), "version");
  cr_expect_str_eq(nearest("lists"), "list");
  cr_expect_str_eq(nearest("serverr"), "server");
}

Test(near, nothing_is_near_to_anything) {
  cr_expect_str_eq(nearest("banana"), "");
  cr_expect_str_eq(nearest(""), "");
  char much[500];
  memset(much, 'a', sizeof much - 1);
  much[sizeof much - 1] = '\0';
  cr_expect_str_eq(nearest(much), "");
}
