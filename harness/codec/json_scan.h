/* Internal to codec/: looks at 8 or 16 bytes at once. SSE2 belongs to every
 * x86-64; other machines, and the tests, take the portable forms. */
#ifndef NOVA_CODEC_JSON_SCAN_H
#define NOVA_CODEC_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __SSE2__ && !defined NOVA_PORTABLE
#define NOVA__SSE2 1
#include <emmintrin.h>
#else
#define NOVA__SSE2 0
#endif

/* A character of a string that stands for itself in one byte. */
static inline bool nova__json_plain(char c) {
  unsigned char u = (unsigned char)c;
  return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

static inline bool nova__json_digit(char c) {
  return (unsigned char)(c - '0') <= 9;
}

static inline bool nova__json_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Whether all eight bytes of a word are plain. The top bit is set of every byte
 * that is not; a borrow out of such a byte may set others too. */
static inline bool nova__json_plain_word(uint64_t w) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
  uint64_t bad = w | (w - ones * 0x20) | (quote - ones) | (slash - ones);
  return (bad & ones * 0x80) == 0;
}

#if NOVA__SSE2
/* One bit for each byte that is not plain. */
static inline unsigned nova__json_not_plain(__m128i v) {
  __m128i bad = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
  bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
  /* Compared as signed bytes, those from 0x80 are below the space too. */
  bad = _mm_or_si128(bad, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));
  return (unsigned)_mm_movemask_epi8(bad);
}
#endif

/* The first byte of q[0..end) that is not plain, or |end|. */
static inline const char *nova__json_skip_plain(const char *q,
                                                const char *end) {
#if NOVA__SSE2
  for (; end - q >= 16; q += 16) {
    unsigned bad =
        nova__json_not_plain(_mm_loadu_si128((const __m128i *)(const void *)q));
    if (bad != 0)
      return q + __builtin_ctz(bad);
  }
#else
  for (uint64_t w; end - q >= 8; q += 8) {
    memcpy(&w, q, 8);
    if (!nova__json_plain_word(w))
      break;
  }
#endif
  while (q < end && nova__json_plain(*q))
    q++;
  return q;
}

#if NOVA__SSE2
/* One bit for each of 16 bytes that is a digit. */
static inline unsigned nova__json_digits(const char *p) {
  __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
  v = _mm_subs_epu8(_mm_sub_epi8(v, _mm_set1_epi8('0')), _mm_set1_epi8(9));
  return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128()));
}
#endif

/* The length of the number at text[i] if it has no exponent and ends within 16
 * bytes. 0 where it is another one, or a wrong one: the caller then looks byte
 * by byte. |n|: of the text, at least 16; a byte that is no digit stands at its
 * end. */
static inline size_t nova__json_short_number(const char *text, size_t i,
                                             size_t n) {
#if NOVA__SSE2
  /* Near the end of the text the 16 bytes begin before the number. */
  size_t from = i < n - 16 ? i : n - 16;
  const char *q = text + i;
  /* One bit for each byte that is no digit; those above make every count
   * defined. */
  unsigned other = ~nova__json_digits(text + from) >> (i - from);
  unsigned minus = *q == '-';
  other &= ~minus;
  unsigned at = (unsigned)__builtin_ctz(other);
  /* Whether there is a fraction is as good as random: no branch on it. */
  unsigned point = 0u - (q[at] == '.');
  unsigned end = (unsigned)__builtin_ctz(other & (other - 1));
  end = at + ((end - at) & point);
  unsigned zero = (unsigned)(q[minus] == '0') & (unsigned)(at != minus + 1);
  if (at == minus || end == at + 1 || end >= 16 || zero != 0 ||
      (q[end] | 0x20) == 'e')
    return 0;
  return end;
#else
  (void)text;
  (void)i;
  (void)n;
  return 0;
#endif
}

/* The same for a number of up to 32 bytes, with an exponent of up to two
 * digits; with so few digits it is in the range of a double. |n|: at least 32.
 */
static inline size_t nova__json_medium_number(const char *text, size_t i,
                                              size_t n) {
#if NOVA__SSE2
  size_t from = i < n - 32 ? i : n - 32;
  const char *q = text + i;
  uint64_t other = ~((uint64_t)nova__json_digits(text + from) |
                     (uint64_t)nova__json_digits(text + from + 16) << 16);
  other >>= i - from;
  unsigned at = *q == '-';
  unsigned count = (unsigned)__builtin_ctzll(other >> at);
  if (count == 0 || (count > 1 && q[at] == '0'))
    return 0;
  at += count;
  if (at < 32 && q[at] == '.') {
    at++;
    count = (unsigned)__builtin_ctzll(other >> at);
    if (count == 0)
      return 0;
    at += count;
  }
  if (at < 32 && (q[at] | 0x20) == 'e') {
    at++;
    at += at < 32 && (q[at] == '+' || q[at] == '-');
    count = (unsigned)__builtin_ctzll(other >> at);
    if (count == 0 || count > 2)
      return 0;
    at += count;
  }
  /* It ends before the window does: a digit more would be in it. */
  return at + (i - from) < 32 ? at : 0;
#else
  (void)text;
  (void)i;
  (void)n;
  return 0;
#endif
}

/* Eight digits at |p| as a number; false where they are not all digits. */
static inline bool nova__json_eight_digits(const char *p, uint32_t *out) {
  uint64_t w;
  memcpy(&w, p, 8);
  const uint64_t high = UINT64_C(0xf0f0f0f0f0f0f0f0);
  if (((w & high) | ((w + UINT64_C(0x0606060606060606)) & high) >> 4) !=
      UINT64_C(0x3333333333333333))
    return false;
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  /* Pairs of digits, then pairs of pairs, then those. */
  w = (w & UINT64_C(0x0f0f0f0f0f0f0f0f)) * 2561 >> 8;
  w = (w & UINT64_C(0x00ff00ff00ff00ff)) * 6553601 >> 16;
  *out = (uint32_t)((w & UINT64_C(0x0000ffff0000ffff)) *
                        UINT64_C(42949672960001) >>
                    32);
#else
  *out = 0;
  for (int i = 0; i < 8; i++)
    *out = *out * 10 + (uint32_t)(p[i] - '0');
#endif
  return true;
}

#endif
