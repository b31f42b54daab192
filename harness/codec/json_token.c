#include "codec/json_internal.h"
#include "codec/json_scan.h"

#include "base/utf8.h"

/* --- strings ---------------------------------------------------------------
 */

static const char *fail(struct nova_fault_at *at, int code, const char *text,
                        const char *where) {
  *at = (struct nova_fault_at){code, (size_t)(where - text)};
  return NULL;
}

/* Whether some bytes behind |q[0..n)|, n < 4, could make it a character. The
 * second byte is the only one with a range of its own, which always has one of
 * its ends in common with the general one. */
static bool begins_character(const char *q, size_t n) {
  char low[4] = {'\x80', '\x80', '\x80', '\x80'};
  char high[4] = {'\xbf', '\xbf', '\xbf', '\xbf'};
  memcpy(low, q, n);
  memcpy(high, q, n);
  return nova_utf8_char(low, 4, NULL) > n || nova_utf8_char(high, 4, NULL) > n;
}

static int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* Four hexadecimal digits of a validated text. */
static uint32_t hex4(const char *q) {
  uint32_t u = 0;
  for (int i = 0; i < 4; i++)
    u = u << 4 | (uint32_t)hex(q[i]);
  return u;
}

enum escape { ESCAPE_GOOD, ESCAPE_BAD, ESCAPE_CUT };

/* Looks at the \uXXXX whose backslash is at |q|. */
static enum escape unicode_escape(const char *q, const char *end,
                                  uint32_t *unit) {
  for (size_t i = 2; i < 6; i++) {
    if (end - q <= (ptrdiff_t)i)
      return ESCAPE_CUT;
    if (hex(q[i]) < 0)
      return ESCAPE_BAD;
  }
  *unit = hex4(q + 2);
  return ESCAPE_GOOD;
}

/* Whether the text ends at |end| in what could still become \uDC00 to
 * \uDFFF. */
static bool cut_low_surrogate(const char *q, const char *end) {
  static const char *const allowed[] = {"\\", "u", "dD", "cdefCDEF"};
  for (size_t i = 0; q + i < end; i++) {
    if (i < 4 ? strchr(allowed[i], q[i]) == NULL || q[i] == '\0'
              : i > 5 || hex(q[i]) < 0)
      return false;
  }
  return end - q < 6;
}

/* Passes over the escape at |q|. */
static const char *escape(const char *text, const char *q, const char *end,
                          struct nova_fault_at *at) {
  if (end - q < 2)
    return fail(at, NOVA_ERR_JSON_TRUNCATED, text, end);
  if (q[1] != 'u') {
    if (q[1] == '\0' || strchr("\"\\/bfnrt", q[1]) == NULL)
      return fail(at, NOVA_ERR_JSON_ESCAPE, text, q);
    return q + 2;
  }
  uint32_t unit = 0;
  switch (unicode_escape(q, end, &unit)) {
  case ESCAPE_CUT: return fail(at, NOVA_ERR_JSON_TRUNCATED, text, end);
  case ESCAPE_BAD: return fail(at, NOVA_ERR_JSON_ESCAPE, text, q);
  case ESCAPE_GOOD: break;
  }
  if (unit < 0xd800 || unit > 0xdfff)
    return q + 6;
  if (unit > 0xdbff)
    return fail(at, NOVA_ERR_JSON_SURROGATE, text, q);
  if (cut_low_surrogate(q + 6, end))
    return fail(at, NOVA_ERR_JSON_TRUNCATED, text, end);
  if (end - q < 12 || q[6] != '\\' || q[7] != 'u' ||
      unicode_escape(q + 6, end, &unit) != ESCAPE_GOOD || unit < 0xdc00 ||
      unit > 0xdfff)
    return fail(at, NOVA_ERR_JSON_SURROGATE, text, q);
  return q + 12;
}

const char *nova__json_string(const char *text, const char *q, const char *end,
                              bool *escaped, struct nova_fault_at *at) {
  for (;;) {
    q = nova__json_skip_plain(q, end);
    if (q == end)
      return fail(at, NOVA_ERR_JSON_TRUNCATED, text, end);
    if (*q == '"')
      return q;
    if (*q == '\\') {
      *escaped = true;
      q = escape(text, q, end, at);
      if (q == NULL)
        return NULL;
    } else if ((unsigned char)*q < 0x20) {
      return fail(at, NOVA_ERR_JSON_STRING_CONTROL, text, q);
    } else {
      /* Other scripts come in runs; stay here while they last. */
      while (q < end && (unsigned char)*q >= 0x80) {
        size_t rest = (size_t)(end - q);
        size_t k = nova_utf8_char(q, rest, NULL);
        if (k == 0 && rest < 4 && begins_character(q, rest))
          return fail(at, NOVA_ERR_JSON_TRUNCATED, text, end);
        if (k == 0)
          return fail(at, NOVA_ERR_JSON_UTF8, text, q);
        q += k;
      }
    }
  }
}

size_t nova__json_char(const char **q, char out[4]) {
  const char *p = *q;
  if (*p != '\\') {
    /* The text is valid, so the lead byte tells the length. */
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    memcpy(out, p, n);
    *q = p + n;
    return n;
  }
  if (p[1] != 'u') {
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *f = strchr(from, p[1]);
    out[0] = f != NULL ? to[f - from] : p[1];
    *q = p + 2;
    return 1;
  }
  uint32_t cp = hex4(p + 2);
  *q = p + 6;
  if (cp >= 0xd800 && cp <= 0xdbff) {
    cp = 0x10000 + ((cp - 0xd800) << 10) + (hex4(p + 8) - 0xdc00);
    *q = p + 12;
  }
  return nova_utf8_put(cp, out);
}

int nova__json_compare(const char *a, const char *b) {
  char ca[4], cb[4];
  size_t na = 0, nb = 0, ia = 0, ib = 0;
  for (;;) {
    /* The usual bytes need no decoding. */
    while (ia == na && ib == nb && *a == *b && nova__json_plain(*a)) {
      a++;
      b++;
    }
    bool ends_a = ia == na && *a == '"', ends_b = ib == nb && *b == '"';
    if (ends_a || ends_b)
      return (int)ends_b - (int)ends_a;
    if (ia == na) {
      na = nova__json_char(&a, ca);
      ia = 0;
    }
    if (ib == nb) {
      nb = nova__json_char(&b, cb);
      ib = 0;
    }
    if (ca[ia] != cb[ib])
      return (int)(unsigned char)ca[ia] - (int)(unsigned char)cb[ib];
    ia++;
    ib++;
  }
}

/* --- numbers ---------------------------------------------------------------
 */

/* The least whole number that does not round to a double: half a unit in the
 * last place above DBL_MAX, 2^1024 - 2^970, all of its 309 digits. The tie goes
 * to the even side, which is infinity. */
static const char too_large[] =
    "179769313486231580793728971405303415079934132710037826936173778980444968"
    "292764750946649017977587207096330286416692887910946555547851940402630657"
    "488671505820681908902000708383676273854845817711531764475730270069855571"
    "366959622842914819860834936475292719074168444365510704342711559699508093"
    "042880177904174497792";

/* A checked number from |q| to |end|: digits before and behind the point and
 * the exponent. Whether it rounds to infinity. */
static bool out_of_range(const char *q, const char *end) {
  if (*q == '-')
    q++;
  const char *e = q;
  while (e < end && *e != 'e' && *e != 'E')
    e++;
  int64_t exponent = 0;
  if (e < end) {
    const char *x = e + 1;
    bool minus = *x == '-';
    if (*x == '-' || *x == '+')
      x++;
    /* No text is long enough to make up for an exponent of 2^40. */
    for (; x < end && exponent < INT64_C(1) << 40; x++)
      exponent = exponent * 10 + (*x - '0');
    if (minus)
      exponent = -exponent;
  }
  /* Where the point stands, counted from the first digit that is not 0. */
  const char *point = q;
  while (point < e && *point != '.')
    point++;
  const char *first = q;
  while (first < e && (*first == '0' || *first == '.'))
    first++;
  if (first == e)
    return false;
  int64_t whole = point - first + (first > point ? 1 : 0) + exponent;
  if (whole != (int64_t)sizeof too_large - 1)
    return whole > (int64_t)sizeof too_large - 1;
  size_t i = 0;
  for (const char *d = first; d < e && i < sizeof too_large - 1; d++) {
    if (*d == '.')
      continue;
    if (*d != too_large[i])
      return *d > too_large[i];
    i++;
  }
  /* Equal so far. What the number lacks is zeros, and only a nought of the
   * limit's own can equal it. */
  for (; i < sizeof too_large - 1; i++)
    if (too_large[i] != '0')
      return false;
  return true;
}

static const char *digits(const char *q, const char *end) {
  while (q < end && nova__json_digit(*q))
    q++;
  return q;
}

/* One digit or more from |q| on. */
static const char *some_digits(const char *text, const char *q, const char *end,
                               struct nova_fault_at *at) {
  if (q == end)
    return fail(at, NOVA_ERR_JSON_TRUNCATED, text, end);
  if (*q == '\0')
    return fail(at, NOVA_ERR_JSON_NUL, text, q);
  if (!nova__json_digit(*q))
    return fail(at, NOVA_ERR_JSON_NUMBER, text, q);
  return digits(q, end);
}

const char *nova__json_number(const char *text, const char *q, const char *end,
                              struct nova_fault_at *at) {
  const char *start = q;
  if (*q == '-')
    q++;
  const char *whole = q;
  q = some_digits(text, q, end, at);
  if (q == NULL)
    return NULL;
  if (*whole == '0' && q - whole > 1)
    return fail(at, NOVA_ERR_JSON_NUMBER, text, whole + 1);
  bool large = q - whole > 308;
  if (q < end && *q == '.') {
    q = some_digits(text, q + 1, end, at);
    if (q == NULL)
      return NULL;
  }
  if (q < end && (*q == 'e' || *q == 'E')) {
    large = true;
    q++;
    if (q < end && (*q == '+' || *q == '-'))
      q++;
    q = some_digits(text, q, end, at);
    if (q == NULL)
      return NULL;
  }
  if (large && out_of_range(start, q))
    return fail(at, NOVA_ERR_JSON_NUMBER_RANGE, text, start);
  return q;
}
