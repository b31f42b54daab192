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

/* The first byte of q[0..end) that is not plain, or |end|. */
static inline const char *nova__json_skip_plain_bytes(const char *q,
                                                      const char *end) {
  while (q < end && nova__json_plain(*q))
    q++;
  return q;
}

/* The same, eight bytes at once. The top bit is set of every byte that is not
 * plain; a borrow out of such a byte can set that of the byte above it too, so
 * the word that stops the loop is looked at byte by byte. */
static inline const char *nova__json_skip_plain_words(const char *q,
                                                      const char *end) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  while (end - q >= 8) {
    uint64_t w;
    memcpy(&w, q, 8);
    uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
    uint64_t bad = w | (w - ones * 0x20) | (quote - ones) | (slash - ones);
    if ((bad & ones * 0x80) != 0)
      break;
    q += 8;
  }
  return nova__json_skip_plain_bytes(q, end);
}

static inline const char *nova__json_skip_plain(const char *q,
                                                const char *end) {
#if NOVA__SSE2
  while (end - q >= 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)q);
    __m128i bad = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    /* Compared as signed bytes, those from 0x80 are below the space too. */
    bad = _mm_or_si128(bad, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));
    unsigned mask = (unsigned)_mm_movemask_epi8(bad);
    if (mask != 0)
      return q + __builtin_ctz(mask);
    q += 16;
  }
#endif
  return nova__json_skip_plain_words(q, end);
}

/* Passes over a number without exponent that ends, with the byte behind it,
 * within 16 bytes. NULL where it is another one, a wrong one, or too near to
 * |end|: the caller then looks byte by byte. */
static inline const char *nova__json_short_number(const char *q,
                                                  const char *end) {
#if NOVA__SSE2
  if (end - q < 16)
    return NULL;
  __m128i v = _mm_loadu_si128((const __m128i *)(const void *)q);
  v = _mm_subs_epu8(_mm_sub_epi8(v, _mm_set1_epi8('0')), _mm_set1_epi8(9));
  unsigned digits =
      (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128()));
  /* Bit 16 stands for "not a digit", so that every count is defined. */
  unsigned other = ~digits;
  unsigned minus = *q == '-';
  unsigned whole = (unsigned)__builtin_ctz(other >> minus);
  unsigned at = minus + whole;
  if (whole == 0 || at >= 16 || (q[minus] == '0' && whole > 1))
    return NULL;
  if (q[at] == '.') {
    unsigned fraction = (unsigned)__builtin_ctz(other >> (at + 1));
    at += 1 + fraction;
    if (fraction == 0 || at >= 16)
      return NULL;
  }
  if (q[at] == 'e' || q[at] == 'E')
    return NULL;
  return q + at;
#else
  (void)q;
  (void)end;
  return NULL;
#endif
}

#endif
