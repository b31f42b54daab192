#include "base/error.h"
#include "base/time.h"

#include <criterion/criterion.h>

static int parse(const char *s, nova_ts *t) {
  return nova_duration_parse(s, strlen(s), t);
}

Test(duration, reads_every_unit) {
  static const struct {
    const char *text;
    nova_ts ns;
  } good[] = {
      {"250ms", 250 * NOVA_MS},
      {"10s", 10 * NOVA_SEC},
      {"3min", 180 * NOVA_SEC},
      {"1.5s", 1500 * NOVA_MS},
      {"0s", 0},
      {"1h", 3600 * NOVA_SEC},
      {"2.5h", 9000 * NOVA_SEC},
      {"7us", 7000},
      {"9ns", 9},
      {"never", NOVA_TS_NONE},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    nova_ts t = 1;
    cr_assert_eq(parse(good[i].text, &t), 0, "%s", good[i].text);
    cr_assert_eq(t, good[i].ns, "%s: %llu", good[i].text,
                 (unsigned long long)t);
  }
}

Test(duration, refuses_all_else) {
  static const char *const bad[] = {"",    "10",   "s",        "-1s", "+1s",
                                    "1 s", "10sx", "1.s",      ".5s", "1e3s",
                                    "1m",  "11y",  "99999999h"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    nova_ts t = 7;
    cr_assert_eq(parse(bad[i], &t), NOVA_ERR_ARGUMENT, "%s", bad[i]);
    cr_assert_eq(t, 7, "%s changed the output", bad[i]);
  }
}

Test(duration, addition_saturates) {
  cr_assert_eq(nova_ts_add(5, NOVA_TS_NONE), NOVA_TS_NONE);
  cr_assert_eq(nova_ts_add(NOVA_TS_NONE - 3, 10), NOVA_TS_NONE - 1);
  cr_assert_eq(nova_ts_add(5, 6), 11);
}
