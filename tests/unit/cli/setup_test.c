#include "cli/setup.h"

#include "cli/files.h"
#include "cli/say.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

static struct nova_options o;
static struct nova_setup s;

static int parse(int n, const char *const *word) {
  char why[256];
  cr_assert_eq(nova_options_read(&o, n, (char *const *)(uintptr_t)word,
                                 UINT64_MAX, why, sizeof why),
               0, "%s", why);
  return nova_setup_read(&s, &o, NOVA_ROLE_SERVER);
}

#define READ(...)                                                              \
  parse(sizeof(const char *[]){__VA_ARGS__} / sizeof(const char *),            \
        (const char *const[]){__VA_ARGS__})

static char root[] = "/tmp/nova-setup-XXXXXX";

static void write_profile(const char *text) {
  cr_assert_not_null(mkdtemp(root));
  cr_assert_eq(chdir(root), 0);
  cr_assert_eq(nova_file_write("p.yaml", text, strlen(text)), 0);
}

static void let_go(void) {
  nova_setup_free(&s);
  nova_options_free(&o);
  if (strstr(root, "XXXXXX") != NULL)
    return;
  unlink("p.yaml");
  unlink("k.txt");
  rmdir(root);
}

TestSuite(setup, .fini = let_go);

Test(setup, options_override_the_profile) {
  write_profile("novaprobe: 1\nname: x\ntcp: 10.0.0.1:1\n"
                "devices: [{id: A, key: old}, {id: B, key: b}]\n"
                "timers: {idle_timeout: 9s, heartbeat: 2s}\n");
  cr_assert_eq(READ("-p", "p.yaml", "--tcp", "[::1]:5", "--device", "A:new:x",
                    "--device", "C:c", "--timer", "idle_timeout=4s"),
               0);
  cr_expect_str_eq(s.profile.tcp.host, "::1");
  cr_expect_eq(s.profile.tcp.port, 5);
  cr_assert_eq(s.profile.devices, 3);
  cr_expect_str_eq(s.profile.device[0].key, "new:x");
  cr_expect_str_eq(s.profile.device[1].key, "b");
  cr_expect_str_eq(s.profile.device[2].id, "C");
  cr_expect_eq(s.profile.timers.span[NOVA_TIMER_idle_timeout], 4 * NOVA_SEC);
  cr_expect_eq(s.profile.timers.span[NOVA_TIMER_heartbeat], 2 * NOVA_SEC);
  cr_expect_eq(s.profile.timers.span[NOVA_TIMER_auth_timeout], 10 * NOVA_SEC);
}

Test(setup, a_heartbeat_goes_with_the_idle_timeout) {
  cr_assert_eq(READ("--tcp", "h:1", "--timer", "idle_timeout=3s"), 0);
  cr_expect_eq(s.profile.timers.span[NOVA_TIMER_heartbeat], NOVA_SEC);
  let_go();
  cr_assert_eq(READ("--tcp", "h:1", "--timer", "heartbeat=1s"), 0);
  cr_expect_eq(s.profile.timers.span[NOVA_TIMER_idle_timeout], 180 * NOVA_SEC);
  let_go();
  cr_assert_eq(READ("--tcp", "h:1", "--timer", "heartbeat=3s", "--timer",
                    "idle_timeout=3s"),
               NOVA_EXIT_WRONG);
}

Test(setup, variables_and_files_of_a_profile) {
  write_profile("novaprobe: 1\n"
                "devices: [{id: A, key: \"${NOVA_TEST_KEY}\"}, {id: B, "
                "key_file: k.txt}]\n");
  cr_assert_eq(nova_file_write("k.txt", "from file\n", 10), 0);
  cr_assert_eq(setenv("NOVA_TEST_KEY", "from env", 1), 0);
  cr_assert_eq(READ("--profile=p.yaml", "--tcp", "h:1"), 0);
  cr_assert_eq(s.profile.devices, 2);
  cr_expect_str_eq(s.profile.device[0].key, "from env");
  cr_expect_str_eq(s.profile.device[1].key, "from file");
}

Test(setup, hooks_are_words_and_start_in_the_profiles_folder) {
  write_profile("novaprobe: 1\nhooks: {reset_key: \"./ctl 'a b' c\"}\n");
  cr_assert_eq(READ("-p", "p.yaml", "--tcp", "h:1"), 0);
  cr_assert_not_null(s.hook[NOVA_HOOK_RESET_KEY]);
  cr_expect_str_eq(s.hook[NOVA_HOOK_RESET_KEY][0], "./ctl");
  cr_expect_str_eq(s.hook[NOVA_HOOK_RESET_KEY][1], "a b");
  cr_expect_null(s.hook[NOVA_HOOK_RESET_KEY][3]);
  cr_expect_null(s.hook[NOVA_HOOK_ACTIVATE]);
  cr_expect_str_eq(s.hook_folder, ".");
}

Test(setup, a_seed_is_random_unless_given) {
  cr_assert_eq(READ("--tcp", "h:1", "--seed", "18446744073709551615"), 0);
  cr_expect_eq(s.seed, UINT64_MAX);
  let_go();
  cr_assert_eq(READ("--tcp", "h:1"), 0);
  uint64_t one = s.seed;
  let_go();
  cr_assert_eq(READ("--tcp", "h:1"), 0);
  uint64_t two = s.seed;
  let_go();
  cr_assert_eq(READ("--tcp", "h:1"), 0);
  cr_expect(one != two || two != s.seed);
}

Test(setup, the_language_is_the_locales) {
  cr_assert_eq(setenv("LC_ALL", "", 1), 0);
  cr_assert_eq(setenv("LC_MESSAGES", "zh_CN.UTF-8", 1), 0);
  cr_assert_eq(READ("--tcp", "h:1"), 0);
  cr_expect_eq(s.lang, NOVA_LANG_ZH);
  let_go();
  cr_assert_eq(READ("--tcp", "h:1", "--lang", "en"), 0);
  cr_expect_eq(s.lang, NOVA_LANG_EN);
  let_go();
  cr_assert_eq(setenv("LC_ALL", "C", 1), 0);
  cr_assert_eq(READ("--tcp", "h:1"), 0);
  cr_expect_eq(s.lang, NOVA_LANG_EN);
}

Test(setup, numbers) {
  uint64_t v = 0;
  cr_expect(nova_setup_number("0", 10, &v) && v == 0);
  cr_expect(nova_setup_number("10", 10, &v) && v == 10);
  cr_expect(!nova_setup_number("11", 10, &v));
  cr_expect(!nova_setup_number("", 10, &v));
  cr_expect(!nova_setup_number("-1", 10, &v));
  cr_expect(!nova_setup_number("1x", 10, &v));
  cr_expect(nova_setup_number("18446744073709551615", UINT64_MAX, &v));
  cr_expect(!nova_setup_number("18446744073709551616", UINT64_MAX, &v));
  o = (struct nova_options){0};
  s = (struct nova_setup){0};
}
