#include "base/rng.h"

#include <criterion/criterion.h>

/* The first values of SplitMix64 from the seed 0, as its authors publish them:
 * what is recorded with a seed repeats on every machine. */
Test(rng, gives_the_published_sequence) {
  struct nova_rng r;
  nova_rng_init(&r, 0);
  cr_assert_eq(nova_rng_next(&r), UINT64_C(0xe220a8397b1dcdaf));
  cr_assert_eq(nova_rng_next(&r), UINT64_C(0x6e789e6aa1b965f4));
  cr_assert_eq(nova_rng_next(&r), UINT64_C(0x06c45d188009454f));
}

Test(rng, below_stays_below_and_reaches_everything) {
  struct nova_rng r;
  nova_rng_init(&r, 9);
  cr_assert_eq(nova_rng_below(&r, 0), 0);
  cr_assert_eq(nova_rng_below(&r, 1), 0);
  unsigned seen[10] = {0};
  for (int i = 0; i < 10000; i++) {
    uint64_t k = nova_rng_below(&r, 10);
    cr_assert_lt(k, 10);
    seen[k]++;
  }
  for (int i = 0; i < 10; i++)
    cr_assert(seen[i] > 800 && seen[i] < 1200, "%d: %u", i, seen[i]);
}

Test(rng, derived_seeds_differ_by_name_and_by_seed) {
  cr_assert_eq(nova_rng_derive(1, "a"), nova_rng_derive(1, "a"));
  cr_assert_neq(nova_rng_derive(1, "a"), nova_rng_derive(1, "b"));
  cr_assert_neq(nova_rng_derive(1, "a"), nova_rng_derive(2, "a"));
  cr_assert_neq(nova_rng_derive(1, ""), nova_rng_derive(1, "a"));
}
