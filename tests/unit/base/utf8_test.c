#include "base/rng.h"
#include "base/utf8.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Exact copies, so that a byte too many is seen. */
static size_t char_of(const char *bytes, size_t n, uint32_t *cp) {
  char *p = malloc(n);
  if (n != 0)
    memcpy(p, bytes, n);
  size_t k = nova_utf8_char(p, n, cp);
  free(p);
  return k;
}

static size_t check(const char *bytes, size_t n) {
  char *p = malloc(n);
  if (n != 0)
    memcpy(p, bytes, n);
  size_t k = nova_utf8_check(p, n);
  free(p);
  return k;
}

Test(utf8, every_character_comes_back) {
  for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
    if (cp >= 0xd800 && cp <= 0xdfff)
      continue;
    char s[4];
    size_t n = nova_utf8_put(cp, s);
    uint32_t back = UINT32_MAX;
    cr_assert_eq(nova_utf8_char(s, n, &back), n, "U+%04X", cp);
    cr_assert_eq(back, cp, "U+%04X", cp);
    cr_assert_eq(n, cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4);
  }
}

/* All sequences of up to three bytes: as many good ones as there are
 * characters. */
Test(utf8, nothing_else_is_a_character) {
  size_t good[4] = {0};
  for (uint32_t i = 0; i < 1u << 24; i++) {
    char s[3] = {(char)(i >> 16), (char)(i >> 8), (char)i};
    size_t k = nova_utf8_char(s, 3, NULL);
    cr_assert_leq(k, 3);
    good[k]++;
  }
  cr_assert_eq(good[1], 128 << 16);
  cr_assert_eq(good[2], (0x800 - 0x80) << 8);
  cr_assert_eq(good[3], 0x10000 - 0x800 - 0x800);
  /* Of four bytes: those around each border. */
  static const struct {
    const char *bytes;
    size_t n;
  } four[] = {{"\xf0\x8f\xbf\xbf", 0}, {"\xf0\x90\x80\x80", 4},
              {"\xf3\xbf\xbf\xbf", 4}, {"\xf4\x8f\xbf\xbf", 4},
              {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0},
              {"\xf0\x90\x80\xc0", 0}, {"\xf0\x90\x80\x7f", 0},
              {"\xf0\x90\xc0\x80", 0}, {"\xff\xbf\xbf\xbf", 0}};
  for (size_t i = 0; i < sizeof four / sizeof *four; i++)
    cr_assert_eq(nova_utf8_char(four[i].bytes, 4, NULL), four[i].n, "%zu", i);
}

Test(utf8, a_character_cut_off_is_none) {
  static const char *const whole[] = {"\xc3\xa9", "\xe6\xb8\xa9",
                                      "\xf0\x9f\x98\x80"};
  for (size_t i = 0; i < 3; i++)
    for (size_t n = 0; n <= strlen(whole[i]); n++)
      cr_assert_eq(char_of(whole[i], n, NULL), n < strlen(whole[i]) ? 0 : n);
}

Test(utf8, check_tells_the_first_wrong_byte) {
  cr_assert_eq(check("", 0), 0);
  cr_assert_eq(check("plain", 5), 5);
  cr_assert_eq(check("\xe6\xb8\xa9\xc3\xa9", 5), 5);
  cr_assert_eq(check("ab\xff", 3), 2);
  cr_assert_eq(check("ab\xe6\xb8", 4), 2);
  cr_assert_eq(check("\xed\xa0\x80", 3), 0);
  cr_assert_eq(check("a\xc0\x80", 3), 1);
  cr_assert_eq(check("a\0b\x80", 4), 3);
}
