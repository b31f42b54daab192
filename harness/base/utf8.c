#include "base/utf8.h"

#include <stdbool.h>

static bool tail(unsigned char c) {
  return (c & 0xc0) == 0x80;
}

/* The table 3-7 of the Unicode standard, row by row: what may follow a lead
 * byte. */
size_t nova_utf8_char(const char *p, size_t n, uint32_t *cp) {
  const unsigned char *s = (const unsigned char *)p;
  uint32_t dummy;
  if (cp == NULL)
    cp = &dummy;
  if (n == 0)
    return 0;
  if (s[0] < 0x80) {
    *cp = s[0];
    return 1;
  }
  if (s[0] < 0xc2 || s[0] > 0xf4 || n < 2)
    return 0;
  if (s[0] < 0xe0) {
    if (!tail(s[1]))
      return 0;
    *cp = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
    return 2;
  }
  unsigned char low = 0x80, high = 0xbf;
  if (s[0] == 0xe0)
    low = 0xa0; /* below: overlong */
  else if (s[0] == 0xed)
    high = 0x9f; /* above: surrogates */
  else if (s[0] == 0xf0)
    low = 0x90; /* below: overlong */
  else if (s[0] == 0xf4)
    high = 0x8f; /* above: beyond U+10FFFF */
  if (s[1] < low || s[1] > high || n < 3 || !tail(s[2]))
    return 0;
  if (s[0] < 0xf0) {
    *cp = (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 |
          (s[2] & 0x3f);
    return 3;
  }
  if (n < 4 || !tail(s[3]))
    return 0;
  *cp = (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
        (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
  return 4;
}

size_t nova_utf8_check(const char *p, size_t n) {
  size_t i = 0;
  while (i < n) {
    size_t k = nova_utf8_char(p + i, n - i, NULL);
    if (k == 0)
      return i;
    i += k;
  }
  return n;
}

size_t nova_utf8_put(uint32_t cp, char out[4]) {
  if (cp < 0x80) {
    out[0] = (char)cp;
    return 1;
  }
  if (cp < 0x800) {
    out[0] = (char)(0xc0 | cp >> 6);
    out[1] = (char)(0x80 | (cp & 0x3f));
    return 2;
  }
  if (cp < 0x10000) {
    out[0] = (char)(0xe0 | cp >> 12);
    out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[2] = (char)(0x80 | (cp & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | cp >> 18);
  out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
  out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
  out[3] = (char)(0x80 | (cp & 0x3f));
  return 4;
}
