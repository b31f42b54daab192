#include "codec/timestamp.h"

#include <criterion/criterion.h>

Test(timestamp, tells_the_unit) {
  static const struct {
    int64_t t;
    enum nova_time_unit unit;
  } cases[] = {
      {1651234567, NOVA_TIME_SECONDS},
      {1651234567000, NOVA_TIME_MILLISECONDS},
      {1651234567000000, NOVA_TIME_MICROSECONDS},
      {1651234567000000000, NOVA_TIME_NANOSECONDS},
      {946684799, NOVA_TIME_ODD},
      {946684800, NOVA_TIME_SECONDS},
      {4102444799, NOVA_TIME_SECONDS},
      {4102444800, NOVA_TIME_ODD},
      {946684799999, NOVA_TIME_ODD},
      {946684800000, NOVA_TIME_MILLISECONDS},
      {4102444799999, NOVA_TIME_MILLISECONDS},
      {4102444800000, NOVA_TIME_ODD},
      {0, NOVA_TIME_ODD},
      {-1651234567, NOVA_TIME_ODD},
      {INT64_MAX, NOVA_TIME_ODD},
      {INT64_MIN, NOVA_TIME_ODD},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cr_assert_eq(nova_time_unit(cases[i].t), cases[i].unit, "%lld",
                 (long long)cases[i].t);
    cr_assert_eq(nova_time_plausible(cases[i].t),
                 cases[i].unit == NOVA_TIME_SECONDS);
  }
  cr_assert_str_eq(nova_time_unit_name(NOVA_TIME_MILLISECONDS), "milliseconds");
  cr_assert_null(nova_time_unit_name(NOVA_TIME_ODD));
}

Test(timestamp, measures_any_distance) {
  cr_assert_eq(nova_time_distance(5, 8), 3);
  cr_assert_eq(nova_time_distance(8, 5), 3);
  cr_assert_eq(nova_time_distance(INT64_MIN, INT64_MAX), UINT64_MAX);
  cr_assert(nova_time_near(100, 160, 60));
  cr_assert(nova_time_near(160, 100, 60));
  cr_assert_not(nova_time_near(100, 161, 60));
  cr_assert_not(nova_time_near(161, 100, 60));
}
