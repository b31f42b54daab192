#include "support.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

Test(json_check, accepts_what_the_grammar_has) {
  /* ' stands for ". */
  static const char *const good[] = {
      "0",
      "-0",
      "1",
      "-1",
      "12.5",
      "0.0",
      "1e5",
      "1E+5",
      "1e-5",
      "-1.5e05",
      "9007199254740991",
      "9007199254740992",
      "9007199254740993",
      "9223372036854775807",
      "9223372036854775808",
      "-9223372036854775809",
      "1e-999",
      "0e999999999999999999999999",
      "0.000e+400",
      "100000000000000000000000000000e-400",
      "null",
      "true",
      "false",
      "''",
      "'abc'",
      "'\x7f'",
      "'\\'\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uFfFf'",
      "'\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80'",
      "'\xf0\x90\x80\x80\xf4\x8f\xbf\xbf'",
      "'\\ud83d\\ude00\\uDBFF\\uDFFF'",
      "[]",
      "{}",
      "[[]]",
      "[{},{}]",
      "{'a':{}}",
      " \t\r\n[ 1 ,\t2\r,\n3 ] \t\r\n",
      "{ 'a' : 1 , 'b' : [ ] }",
      "{'a':1,'A':2,'aa':3,'':4,' a':5}",
      "{'a':{'a':{'a':1}},'b':{'a':1}}",
      "{'\xef\xbb\xbf':1}",
      "{}\r",
      "{'padding':'padding','n':0.1234567890123456789012345,'m':1e5}"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    struct nova_fault_at at;
    check_copy(scanner(), quoted(good[i]), &at);
    cr_expect_eq(at.code, 0, "%s at %zu: %s", nova_error_name(at.code),
                 at.offset, good[i]);
  }
}

Test(json_check, gives_the_value_without_the_space_around) {
  struct nova_json_value v;
  cr_assert_eq(nova_json_check(scanner(), " \n[1] \r", 7, &v, NULL), 0);
  cr_assert_eq(v.type, NOVA_JSON_ARRAY);
  cr_assert(nova_view_is(v.text, "[1]"));
  cr_assert_eq(nova_json_check(scanner(), " -12 ", 5, &v, NULL), 0);
  cr_assert_eq(v.type, NOVA_JSON_NUMBER);
  cr_assert(nova_view_is(v.text, "-12"));
  cr_assert_eq(nova_json_check(scanner(), "\"x\"", 3, &v, NULL), 0);
  cr_assert_eq(v.type, NOVA_JSON_STRING);
  cr_assert(nova_view_is(v.text, "\"x\""));
  cr_assert_eq(nova_json_check(scanner(), "null", 4, NULL, NULL), 0);
}

/* Decided by correct rounding: up to, not including, the middle between
 * DBL_MAX and 2^1024 a number still is one. */
Test(json_check, number_range_is_exact) {
#define MIDDLE                                                                 \
  "17976931348623158079372897140530341507993413271003782693617377898044496829" \
  "27647509466490179775872070963302864166928879109465555478519404026306574886" \
  "71505820681908902000708383676273854845817711531764475730270069855571366959" \
  "62284291481986083493647529271907416844436551070434271155969950809304288017" \
  "7904174497792"
  static const struct {
    const char *text;
    bool good;
  } cases[] = {
      {"1.7976931348623157e308", true},
      {"1.7976931348623158e308", true},
      {"1.7976931348623159e308", false},
      {"-1.7976931348623158e308", true},
      {"-1.7976931348623159e308", false},
      {"17976931348623158e292", true},
      {"17976931348623159e292", false},
      {"0.00017976931348623158e312", true},
      {"0.00017976931348623159e312", false},
      {"1797693134862315800000e287", true},
      {"1797693134862315900000e287", false},
      {"9.99e307", true},
      {"1e308", true},
      {"1e309", false},
      {"1e000000000000000000000000000308", true},
      {"1e+000000000000000000000000000309", false},
      {"1e99999999999999999999999999999", false},
      {"1e-99999999999999999999999999999", true},
      {"0e99999999999999999999999999999", true},
      {"0.0e309", true},
      {MIDDLE, false},
      {MIDDLE ".0", false},
      {MIDDLE "0e-1", false},
      {"0." MIDDLE "e309", false},
      {"0." MIDDLE "e308", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    cr_expect_eq(check_copy(scanner(), nova_view_of(cases[i].text), NULL),
                 cases[i].good ? 0 : NOVA_ERR_JSON_NUMBER_RANGE, "%s",
                 cases[i].text);
  /* One less, in the last digit and far behind it. */
  char below[400] = MIDDLE;
  below[308]--;
  cr_expect_eq(check_copy(scanner(), nova_view_of(below), NULL), 0);
  strcat(below, ".99999999999999999999");
  cr_expect_eq(check_copy(scanner(), nova_view_of(below), NULL), 0);
  /* The digits of it, cut: less than it. */
  for (size_t n = 1; n < 309; n++) {
    char cut[400];
    snprintf(cut, sizeof cut, "%.*se%zu", (int)n, MIDDLE, 309 - n);
    /* A zero that is cut off changes nothing. */
    bool less = strspn(&MIDDLE[n], "0") != 309 - n;
    cr_expect_eq(check_copy(scanner(), nova_view_of(cut), NULL),
                 less ? 0 : NOVA_ERR_JSON_NUMBER_RANGE, "%s", cut);
  }
  /* 100 KB of digits. */
  static char digits[100000];
  memset(digits, '9', sizeof digits);
  cr_expect_eq(
      check_copy(scanner(), (struct nova_view){digits, sizeof digits}, NULL),
      NOVA_ERR_JSON_NUMBER_RANGE);
  memcpy(digits, "0.", 2);
  cr_expect_eq(
      check_copy(scanner(), (struct nova_view){digits, sizeof digits}, NULL),
      0);
}

/* Numbers of every length, with every kind of end, at every distance from the
 * end of the text: none is longer than it is. */
Test(json_check, numbers_of_every_length_and_place) {
  static const struct {
    const char *before, *behind;
  } shapes[] = {{"", ""},   {"-", ""},     {"0.", ""},
                {"", "e1"}, {"1.", "E-2"}, {"", ".5"}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int length = 1; length < 40; length++)
      for (int pad = 0; pad < 40; pad++) {
        char number[80], text[200];
        snprintf(number, sizeof number, "%s%.*s%s", shapes[s].before, length,
                 "1234567890123456789012345678901234567890", shapes[s].behind);
        snprintf(text, sizeof text, "{\"key\":%s,\"padding\":\"%.*s\"}", number,
                 pad, "........................................");
        struct nova_json_value v = value_of_text(nova_view_of(text));
        struct nova_json_value key = nova_json_get(v, nova_view_of("key"));
        cr_assert(nova_view_is(key.text, number), "%s", text);
        /* and one byte that does not belong there */
        *strchr(text, ',') = 'x';
        cr_assert_neq(check_copy(scanner(), nova_view_of(text), NULL), 0);
      }
}

/* A string of every length up to a few chunks of the scanner, plain and with
 * something special in its middle, at every distance from the list's ends. */
Test(json_check, strings_of_every_length) {
  static char text[10000];
  static const char *const middle[] = {"", "\\n", "\xe6\xb8\xa9",
                                       "\\ud83d\\ude00"};
  for (size_t n = 0; n < 4300; n += n < 200 || n % 2048 > 1990 ? 1 : 97)
    for (size_t m = 0; m < sizeof middle / sizeof *middle; m++) {
      size_t at = 0, k = strlen(middle[m]);
      text[at++] = '[';
      text[at++] = '"';
      memset(text + at, 'x', n);
      at += n;
      memcpy(text + at, middle[m], k);
      at += k;
      memcpy(text + at, "\",\"", 3);
      at += 3;
      memset(text + at, 'y', n / 2);
      at += n / 2;
      text[at++] = '"';
      text[at++] = ']';
      struct nova_view t = {text, at};
      struct nova_fault_at f;
      cr_assert_eq(check_copy(scanner(), t, &f), 0, "%zu/%zu: %s at %zu", n, m,
                   nova_error_name(f.code), f.offset);
      text[at - 2] = 'y';
      cr_assert_eq(check_copy(scanner(), t, &f), NOVA_ERR_JSON_TRUNCATED);
      cr_assert_eq(f.offset, at);
    }
}

/* White space and strings with line feeds around, so that the scanner's list is
 * behind. */
Test(json_check, indented_text) {
  static char text[60000];
  size_t n = (size_t)snprintf(text, sizeof text, "{\n");
  for (int i = 0; i < 1000; i++)
    n += (size_t)snprintf(text + n, sizeof text - n,
                          "%s\t\"key %d\" : [\r\n  \"\\u00e9\", %d ]\n",
                          i != 0 ? "," : "", i, i);
  n += (size_t)snprintf(text + n, sizeof text - n, "}\n");
  struct nova_json_value v = value_of_text((struct nova_view){text, n});
  v = nova_json_get(v, nova_view_of("key 999"));
  cr_assert_eq(v.type, NOVA_JSON_ARRAY);
  /* The last key again. */
  memcpy(strstr(text, "key 998"), "key 999", 7);
  cr_assert_eq(check_copy(scanner(), (struct nova_view){text, n}, NULL),
               NOVA_ERR_JSON_DUPLICATE_KEY);
}

Test(json_new, refuses_arguments_out_of_range) {
  cr_assert_null(nova_json_new(NULL, 0, 64));
  cr_assert_null(nova_json_new(NULL, ((size_t)1 << 30) + 1, 64));
  cr_assert_null(nova_json_new(NULL, 100, 0));
  cr_assert_null(nova_json_new(NULL, 100, 65536));
  struct nova_json *j = nova_json_new(NULL, 1, 65535);
  cr_assert_not_null(j);
  cr_assert_eq(nova_json_check(j, "1", 1, NULL, NULL), 0);
  cr_assert_eq(nova_json_check(j, NULL, 0, NULL, NULL), NOVA_ERR_JSON_EMPTY);
  nova_json_free(j);
  nova_json_free(NULL);
}

Test(json_new, gives_everything_back_whichever_allocation_fails) {
  struct counting_mem c;
  counting_mem_init(&c);
  struct nova_json *j = nova_json_new(&c.mem, 1000, 64);
  size_t calls = c.calls;
  cr_assert_gt(calls, 0);
  nova_json_free(j);
  cr_assert_eq(c.live, 0);
  for (size_t i = 1; i <= calls; i++) {
    counting_mem_init(&c);
    c.fail_at = i;
    cr_assert_null(nova_json_new(&c.mem, 1000, 64));
    cr_assert_eq(c.live, 0, "allocation %zu", i);
  }
}

Test(json_check, allocates_nothing) {
  struct counting_mem c;
  counting_mem_init(&c);
  struct nova_json *j = nova_json_new(&c.mem, 131072, 64);
  size_t calls = c.calls;
  static char text[131072];
  size_t n = 0;
  text[n++] = '{';
  for (int i = 0; n < sizeof text - 40; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "%s\"k\\u0065y%d\":[{}]",
                          i != 0 ? "," : "", i);
  text[n++] = '}';
  cr_assert_eq(nova_json_check(j, text, n, NULL, NULL), 0);
  cr_assert_eq(nova_json_check(j, text, n - 1, NULL, NULL),
               NOVA_ERR_JSON_TRUNCATED);
  cr_assert_eq(c.calls, calls);
  nova_json_free(j);
}

/* Changed bytes in a good text: no crash, an error inside the text, and the
 * same answer for a text that stands elsewhere. */
Test(json_check, random_damage) {
  struct nova_view t = quoted(
      "{'type':'data','device_id':'DEV-1','n':[1,-2.5e+3,0.125,true,null],"
      "'s':'\\u00e9\\ud83d\\ude00 \xe6\xb8\xa9','o':{'a':{'a':1},'b':{}}}");
  struct nova_rng r;
  nova_rng_init(&r, 3);
  for (int round = 0; round < 200000; round++) {
    char text[256];
    memcpy(text, t.p, t.n);
    size_t n = t.n;
    for (uint64_t k = 1 + nova_rng_below(&r, 3); k > 0; k--) {
      static const char likely[] = "\"\\{}[]:,0123456789.eE+-u\xe6\xff \n\0n";
      text[nova_rng_below(&r, n)] =
          nova_rng_below(&r, 2) != 0
              ? likely[nova_rng_below(&r, sizeof likely - 1)]
              : (char)nova_rng_next(&r);
    }
    if (nova_rng_below(&r, 4) == 0)
      n = nova_rng_below(&r, n) + 1;
    struct nova_fault_at a, b;
    check_copy(scanner(), (struct nova_view){text, n}, &a);
    /* With white space behind it takes other ways. */
    char padded[300];
    memcpy(padded, text, n);
    memset(padded + n, ' ', 40);
    check_copy(scanner(), (struct nova_view){padded, n + 40}, &b);
    cr_assert_leq(a.offset, n);
    if (a.code == NOVA_ERR_JSON_TRUNCATED || a.code == NOVA_ERR_JSON_EMPTY ||
        a.offset == n)
      continue;
    cr_assert(a.code == b.code && a.offset == b.offset, "%s %zu %s %zu: %.*s",
              nova_error_name(a.code), a.offset, nova_error_name(b.code),
              b.offset, (int)n, text);
  }
}
