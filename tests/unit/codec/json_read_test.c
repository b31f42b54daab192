#include "support.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct nova_json_value value(const char *s) {
  return value_of_text(quoted(s));
}

Test(json_read, walks_over_members_and_elements) {
  struct nova_json_iter it;
  struct nova_json_value k, v;
  nova_json_iter_init(&it, value("{ 'a' : 1 , '\\n' : [ {'b':2} , '}' ] }"));
  cr_assert(nova_json_next(&it, &k, &v));
  cr_assert(nova_view_is(k.text, "\"a\""));
  cr_assert_eq(k.type, NOVA_JSON_STRING);
  cr_assert(nova_view_is(v.text, "1"));
  cr_assert(nova_json_next(&it, &k, &v));
  cr_assert(nova_view_is(k.text, "\"\\n\""));
  cr_assert(nova_view_is(v.text, "[ {\"b\":2} , \"}\" ]"));
  cr_assert_not(nova_json_next(&it, &k, &v));
  cr_assert_not(nova_json_next(&it, &k, &v));

  nova_json_iter_init(&it, v);
  cr_assert(nova_json_next(&it, &k, &v));
  cr_assert_eq(k.type, NOVA_JSON_NONE);
  cr_assert(nova_view_is(v.text, "{\"b\":2}"));
  cr_assert(nova_json_next(&it, NULL, NULL));
  cr_assert_not(nova_json_next(&it, NULL, NULL));

  static const char *const none[] = {"{}", "[]", "[ ]", "1", "'ab'", "null"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    nova_json_iter_init(&it, value(none[i]));
    cr_assert_not(nova_json_next(&it, &k, &v), "%s", none[i]);
  }
}

Test(json_read, tells_the_type_of_every_value) {
  static const enum nova_json_type types[] = {
      NOVA_JSON_NULL,   NOVA_JSON_FALSE,  NOVA_JSON_TRUE,  NOVA_JSON_NUMBER,
      NOVA_JSON_NUMBER, NOVA_JSON_STRING, NOVA_JSON_ARRAY, NOVA_JSON_OBJECT};
  struct nova_json_iter it;
  struct nova_json_value v;
  nova_json_iter_init(&it, value("[null,false,true,-1,0,'',[],{}]"));
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    cr_assert(nova_json_next(&it, NULL, &v));
    cr_assert_eq(v.type, types[i], "%zu", i);
  }
}

Test(json_read, gets_a_member) {
  struct nova_json_value v =
      value("{'a':1,'b':{'c':2},'t\\u0079pe':3,'':4,'x\\u0000':5}");
  cr_assert(nova_view_is(nova_json_get(v, nova_view_of("a")).text, "1"));
  cr_assert(nova_view_is(nova_json_get(v, nova_view_of("type")).text, "3"));
  cr_assert(nova_view_is(nova_json_get(v, nova_view_of("")).text, "4"));
  struct nova_view nul = {"x\0", 2};
  cr_assert(nova_view_is(nova_json_get(v, nul).text, "5"));
  cr_assert_eq(nova_json_get(v, nova_view_of("x")).type, NOVA_JSON_NONE);
  cr_assert_eq(nova_json_get(v, nova_view_of("c")).type, NOVA_JSON_NONE);
  cr_assert_eq(nova_json_get(v, nova_view_of("A")).type, NOVA_JSON_NONE);
  cr_assert_eq(nova_json_get(value("['a',1]"), nova_view_of("a")).type,
               NOVA_JSON_NONE);
  cr_assert_eq(
      nova_json_get((struct nova_json_value){0}, nova_view_of("a")).type,
      NOVA_JSON_NONE);
}

Test(json_read, unescapes_strings) {
  static const struct {
    const char *text, *utf8;
    size_t n;
  } cases[] = {
      {"''", "", 0},
      {"'plain'", "plain", 5},
      {"'\\'\\\\\\/\\b\\f\\n\\r\\t'", "\"\\/\b\f\n\r\t", 8},
      {"'a\\u0000b'", "a\0b", 3},
      {"'\\u0041\\u00e9\\u6E29'", "A\xc3\xa9\xe6\xb8\xa9", 6},
      {"'\\ud83d\\ude00'", "\xf0\x9f\x98\x80", 4},
      {"'\\uDBFF\\uDFFF'", "\xf4\x8f\xbf\xbf", 4},
      {"'\xe6\xb8\xa9\\n\xf0\x9f\x98\x80'", "\xe6\xb8\xa9\n\xf0\x9f\x98\x80",
       8},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_json_value v = value(cases[i].text);
    struct nova_view want = {cases[i].utf8, cases[i].n};
    cr_assert_eq(nova_json_string(v, NULL, 0), want.n, "%s", cases[i].text);
    cr_assert_leq(want.n, v.text.n - 2);
    char out[32];
    memset(out, '#', sizeof out);
    cr_assert_eq(nova_json_string(v, out + 4, want.n), want.n);
    cr_assert(nova_view_eq((struct nova_view){out + 4, want.n}, want));
    for (size_t g = 0; g < 4; g++)
      cr_assert(out[g] == '#' && out[4 + want.n + g] == '#',
                "wrote beyond the buffer");
    if (want.n > 0) {
      memset(out, '#', sizeof out);
      cr_assert_eq(nova_json_string(v, out, want.n - 1), want.n);
      for (size_t g = 0; g < sizeof out; g++)
        cr_assert_eq(out[g], '#', "wrote though it does not fit");
    }
    cr_assert(nova_json_string_is(v, want));
    cr_assert_not(nova_json_string_is(v, (struct nova_view){"plaim", 5}));
    cr_assert_not(
        nova_json_string_is(v, (struct nova_view){cases[i].utf8, want.n + 1}));
    if (want.n > 0)
      cr_assert_not(nova_json_string_is(
          v, (struct nova_view){cases[i].utf8, want.n - 1}));
  }
  cr_assert_eq(nova_json_string(value("12"), NULL, 0), 0);
  cr_assert_not(nova_json_string_is(value("12"), nova_view_of("12")));
}

Test(json_read, reads_integers_exactly) {
  static const struct {
    const char *text;
    bool integer, fits;
    int64_t n;
  } cases[] = {
      {"0", true, true, 0},
      {"-0", true, true, 0},
      {"42", true, true, 42},
      {"-1", true, true, -1},
      {"9007199254740991", true, true, 9007199254740991},
      {"9007199254740992", true, true, 9007199254740992},
      {"9007199254740993", true, true, 9007199254740993},
      {"9223372036854775806", true, true, INT64_MAX - 1},
      {"9223372036854775807", true, true, INT64_MAX},
      {"9223372036854775808", true, false, 0},
      {"-9223372036854775808", true, true, INT64_MIN},
      {"-9223372036854775809", true, false, 0},
      {"9999999999999999999", true, false, 0},
      {"18446744073709551616", true, false, 0},
      {"18446744073709551617", true, false, 0},
      {"100000000000000000000", true, false, 0},
      {"1.0", false, false, 0},
      {"1e3", false, false, 0},
      {"1E3", false, false, 0},
      {"'1'", false, false, 0},
      {"null", false, false, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_json_value v = value(cases[i].text);
    int64_t n = 77;
    cr_expect_eq(nova_json_is_integer(v), cases[i].integer, "%s",
                 cases[i].text);
    cr_expect_eq(nova_json_int64(v, &n), cases[i].fits, "%s", cases[i].text);
    cr_expect_eq(n, cases[i].fits ? cases[i].n : 77, "%s", cases[i].text);
  }
}

static double number(const char *s) {
  double d = NAN;
  cr_assert(nova_json_double(value(s), &d), "%s", s);
  return d;
}

Test(json_read, reads_doubles_correctly_rounded) {
  cr_expect_eq(number("0"), 0);
  cr_expect(signbit(number("-0")) && signbit(number("-0.0e5")));
  cr_expect_eq(number("25.5"), 25.5);
  cr_expect_eq(number("60.0"), 60);
  cr_expect_eq(number("-1.5e3"), -1500);
  cr_expect_eq(number("0.1"), 0.1);
  cr_expect_eq(number("1e22"), 1e22);
  cr_expect_eq(number("1e23"), 1e23);
  cr_expect_eq(number("123456789012345678"), 123456789012345678.0);
  cr_expect_eq(number("9007199254740993"), 9007199254740992.0);
  cr_expect_eq(number("9007199254740995"), 9007199254740996.0);
  cr_expect_eq(number("1.7976931348623158e308"), DBL_MAX);
  cr_expect_eq(number("2.2250738585072014e-308"), DBL_MIN);
  cr_expect_eq(number("5e-324"), 5e-324);
  cr_expect_eq(number("2.4703282292062327e-324"), 0);
  cr_expect_eq(number("2.4703282292062328e-324"), 5e-324);
  cr_expect_eq(number("1e-999"), 0);
  cr_expect_eq(number("1e-99999999999999999999999"), 0);
  cr_expect_eq(number("0.000000000000000000000000000001e30"), 1);
  double d;
  cr_expect_not(nova_json_double(value("'1'"), &d));
}

/* The middle between two doubles to its last digit, and one more far behind. */
Test(json_read, rounds_the_middle_and_what_is_just_beside_it) {
  /* 2^-1074 / 2 has 751 significant digits; glibc prints it exactly. */
  static char text[2000];
  for (int e = -1074; e <= -1000; e += 37) {
    double low = ldexp(1, e), high = ldexp(1, e) + ldexp(1, -1074);
    /* Their middle as a decimal: low + 2^-1075, printed from a sum of long
     * double, which has the bits. */
    long double middle = (long double)low + ldexpl(1, -1075);
    snprintf(text, sizeof text, "%.1100Lf", middle);
    double even = e > -1074 ? low : high;
    cr_expect_eq(number(text), even, "2^%d: the tie", e);
    strcat(text, "0000000001");
    cr_expect_eq(number(text), high, "2^%d: above the tie", e);
  }
}

Test(json_read, agrees_with_strtod_on_random_numbers) {
  struct nova_rng r;
  nova_rng_init(&r, 11);
  for (int round = 0; round < 100000; round++) {
    char s[64];
    int digits = 1 + (int)nova_rng_below(&r, 20);
    size_t n = 0;
    if (nova_rng_below(&r, 2) != 0)
      s[n++] = '-';
    s[n++] = (char)('1' + nova_rng_below(&r, 9));
    for (int i = 1; i < digits; i++)
      s[n++] = (char)('0' + nova_rng_below(&r, 10));
    if (nova_rng_below(&r, 2) != 0) {
      s[n++] = '.';
      for (uint64_t i = 1 + nova_rng_below(&r, 20); i > 0; i--)
        s[n++] = (char)('0' + nova_rng_below(&r, 10));
    }
    s[n] = '\0';
    if (nova_rng_below(&r, 2) != 0)
      snprintf(s + n, sizeof s - n, "e%d", (int)nova_rng_below(&r, 600) - 320);
    double want = strtod(s, NULL), got;
    if (isinf(want)) {
      cr_assert_eq(check_copy(scanner(), nova_view_of(s), NULL),
                   NOVA_ERR_JSON_NUMBER_RANGE, "%s", s);
      continue;
    }
    struct nova_json_value v;
    cr_assert_eq(nova_json_check(scanner(), s, strlen(s), &v, NULL), 0, "%s",
                 s);
    cr_assert(nova_json_double(v, &got));
    cr_assert_eq(memcmp(&want, &got, sizeof want), 0, "%s: %a, not %a", s, got,
                 want);
  }
}

Test(json_read, does_not_care_about_the_locale) {
  if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL &&
      setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL)
    cr_skip_test("no locale with a decimal comma");
  cr_assert_eq(number("0.12345678901234567890123"), 12345678901234567e-17);
}

static bool equal(const char *a, const char *b) {
  struct nova_json_value x = value(a), y = value(b);
  bool e = nova_json_equal(x, y);
  cr_assert_eq(nova_json_equal(y, x), e, "not symmetric: %s %s", a, b);
  cr_assert(nova_json_equal(x, x));
  return e;
}

Test(json_equal, numbers_by_decimal_value) {
  static const char *const same[][2] = {
      {"1", "1.0"},
      {"1", "10e-1"},
      {"1", "0.1e1"},
      {"100", "1e2"},
      {"1E2", "1e+02"},
      {"0", "-0"},
      {"0", "0.000e99"},
      {"0e5", "0e-5"},
      {"-1.50", "-1.5"},
      {"1200", "12e2"},
      {"0.001", "1e-3"},
      {"0.0120", "12e-3"},
      {"123.456", "123456e-3"},
      {"1e-99999999999999999999", "10e-100000000000000000000"},
      {"0.1e-99999999999999999999", "1e-100000000000000000000"},
      {"1e-99999999999999999999", "1.0e-099999999999999999999"},
      {"9007199254740993", "9007199254740993.0"}};
  static const char *const other[][2] = {
      {"9007199254740992", "9007199254740993"},
      {"1", "-1"},
      {"1", "1.1"},
      {"1", "10"},
      {"0.1", "0.10000000000000000001"},
      {"0", "1e-999"},
      {"1e-99999999999999999999", "1e-99999999999999999998"},
      {"1e-99999999999999999999", "1e-9"},
      {"1e5", "1e-5"},
      {"1e-5", "1e-50"},
      {"12", "123"},
      {"1", "'1'"},
      {"0", "false"},
      {"1e20", "1e-99999999999999999999"}};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++)
    cr_expect(equal(same[i][0], same[i][1]), "%s %s", same[i][0], same[i][1]);
  for (size_t i = 0; i < sizeof other / sizeof *other; i++)
    cr_expect_not(equal(other[i][0], other[i][1]), "%s %s", other[i][0],
                  other[i][1]);
}

Test(json_equal, structures) {
  static const char *const same[][2] = {
      {"'a\\u0041'", "'aA'"},
      {"'\\u00e9'", "'\xc3\xa9'"},
      {"''", "''"},
      {"[]", "[ ]"},
      {"{}", "{ }"},
      {"[1,[2,{'a':3}]]", "[1.0,[2,{'a':3e0}]]"},
      {"{'a':1,'b':2}", "{'b':2,'a':1}"},
      {"{'a':{'x':[1]},'b':{},'c':3}", "{'c':3,'b':{},'\\u0061':{'x':[1]}}"},
      {"[null,true,false]", "[null,true,false]"}};
  static const char *const other[][2] = {
      {"'a'", "'A'"},
      {"'a'", "'aa'"},
      {"''", "'\\u0000'"},
      {"[]", "{}"},
      {"[1]", "[]"},
      {"[1,2]", "[2,1]"},
      {"[1,2]", "[1]"},
      {"{'a':1}", "{}"},
      {"{'a':1}", "{'b':1}"},
      {"{'a':1}", "{'a':2}"},
      {"{'a':1,'b':2}", "{'a':1,'c':2}"},
      {"{'a':1,'b':2}", "{'a':1}"},
      {"[[1],[2]]", "[[1],[3]]"},
      {"[[[]]]", "[[[[]]]]"},
      {"null", "false"},
      {"true", "false"},
      {"{'a':[{'b':1}],'c':2}", "{'a':[{'b':1}],'c':3}"},
      {"{'a':[{'b':1}],'c':2}", "{'c':2,'a':[{'b':2}]}"}};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++)
    cr_expect(equal(same[i][0], same[i][1]), "%s %s", same[i][0], same[i][1]);
  for (size_t i = 0; i < sizeof other / sizeof *other; i++)
    cr_expect_not(equal(other[i][0], other[i][1]), "%s %s", other[i][0],
                  other[i][1]);
}

/* |depth| objects or arrays, with |core| inside. */
static struct nova_json_value nested(struct nova_json *j, unsigned depth,
                                     bool object, const char *core) {
  size_t n = 0, size = depth * 12 + 20;
  char *p = malloc(size);
  for (unsigned i = 0; i < depth; i++)
    n += (size_t)snprintf(p + n, size - n, object ? "{\"a\":" : "[1,");
  n += (size_t)snprintf(p + n, size - n, "%s", core);
  for (unsigned i = 0; i < depth; i++)
    n += (size_t)snprintf(p + n, size - n, object ? ",\"b\":2}" : "]");
  struct nova_json_value v;
  cr_assert_eq(nova_json_check(j, p, n, &v, NULL), 0);
  return v;
}

Test(json_equal, deep_nesting) {
  struct nova_json *j = nova_json_new(NULL, 1 << 20, 5000);
  static const unsigned depths[] = {1, 63, 64, 65, 127, 128, 129, 1000, 5000};
  for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
    for (int object = 0; object <= 1; object++) {
      struct nova_json_value a = nested(j, depths[i], object, "0");
      struct nova_json_value b = nested(j, depths[i], object, "0.0");
      struct nova_json_value c = nested(j, depths[i], object, "1");
      cr_expect(nova_json_equal(a, b), "%u", depths[i]);
      cr_expect_not(nova_json_equal(a, c), "%u", depths[i]);
      free((char *)a.text.p);
      free((char *)b.text.p);
      free((char *)c.text.p);
    }
  nova_json_free(j);
}

/* Two orders of the same members, more than fit in one window, with objects
 * inside that use the window too. */
static struct nova_json_value shuffled(struct nova_json *j, unsigned count,
                                       unsigned step, unsigned inner) {
  size_t n = 0, size = (size_t)count * (30 + inner * 10) + 20;
  char *p = malloc(size);
  p[n++] = '{';
  for (unsigned k = 0; k < count; k++) {
    unsigned key = (unsigned)((uint64_t)k * step % count);
    n +=
        (size_t)snprintf(p + n, size - n, "%s\"%u\":{", k != 0 ? "," : "", key);
    for (unsigned i = 0; i < inner; i++) {
      unsigned name = (unsigned)((uint64_t)i * step % inner);
      n += (size_t)snprintf(p + n, size - n, "%s\"%u\":%u", i != 0 ? "," : "",
                            name, (key + name) % 10);
    }
    n += (size_t)snprintf(p + n, size - n, "}");
  }
  p[n++] = '}';
  struct nova_json_value v;
  cr_assert_eq(nova_json_check(j, p, n, &v, NULL), 0);
  return v;
}

Test(json_equal, large_objects_in_another_order) {
  static const struct {
    unsigned count, inner;
  } sizes[] = {{2, 0},    {7, 3},    {1023, 1}, {1024, 0}, {1025, 2},
               {2048, 0}, {2500, 0}, {300, 40}, {5, 1500}};
  struct nova_json *j = nova_json_new(NULL, 1 << 20, 64);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    /* 1237 has no divisor in common with any of the sizes */
    struct nova_json_value a = shuffled(j, sizes[i].count, 1, sizes[i].inner);
    struct nova_json_value b =
        shuffled(j, sizes[i].count, 1237, sizes[i].inner);
    cr_expect(nova_json_equal(a, b), "%u", sizes[i].count);
    cr_expect(nova_json_equal(b, a), "%u", sizes[i].count);
    /* Another key, at several places of b. */
    char *p = (char *)b.text.p;
    for (size_t at = 1; at < b.text.n; at += b.text.n / 7 + 1) {
      while (at < b.text.n &&
             !(p[at - 1] == '"' && p[at] >= '0' && p[at] <= '9'))
        at++;
      if (at == b.text.n)
        break;
      char was = p[at];
      p[at] = 'x';
      cr_expect_not(nova_json_equal(a, b), "%u, %zu", sizes[i].count, at);
      cr_expect_not(nova_json_equal(b, a), "%u, %zu", sizes[i].count, at);
      p[at] = was;
    }
    free(p);
    free((char *)a.text.p);
  }
  nova_json_free(j);
}

/* 128 KB of members in the worst order is a matter of milliseconds. */
Test(json_equal, another_order_is_not_quadratic) {
  struct nova_json *j = nova_json_new(NULL, 1 << 20, 64);
  struct nova_json_value a = shuffled(j, 10007, 1, 0);
  struct nova_json_value b = shuffled(j, 10007, 4999, 0);
  clock_t start = clock();
  cr_expect(nova_json_equal(a, b));
  cr_expect_lt((double)(clock() - start) / CLOCKS_PER_SEC, 1.5);
  free((char *)a.text.p);
  free((char *)b.text.p);
  nova_json_free(j);
}
