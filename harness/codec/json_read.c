#include "codec/json.h"

#include "codec/json_internal.h"
#include "codec/json_scan.h"

#include <stdio.h>
#include <stdlib.h>

/* --- walking ----------------------------------------------------------------
 */

static const char *skip_space(const char *q, const char *end) {
  while (q < end && nova__json_space(*q))
    q++;
  return q;
}

const char *nova__json_close(const char *q, const char *end) {
  for (;;) {
    q = nova__json_skip_plain(q, end);
    if (*q == '"')
      return q;
    q += *q == '\\' ? 2 : 1;
    while ((unsigned char)*q >= 0x80)
      q++;
  }
}

/* Behind the value that begins at |q|. */
static const char *skip_value(const char *q, const char *end) {
  size_t depth = 0;
  do {
    switch (*q) {
    case '"': q = nova__json_close(q + 1, end) + 1; break;
    case '{':
    case '[':
      depth++;
      q++;
      break;
    case '}':
    case ']':
      depth--;
      q++;
      break;
    case ',':
    case ':':
    case ' ':
    case '\n':
    case '\r':
    case '\t': q++; break;
    default: /* a number or a literal */
      while (q < end && *q != ',' && *q != '}' && *q != ']' &&
             !nova__json_space(*q))
        q++;
    }
  } while (depth != 0);
  return q;
}

static struct nova_json_value value_of(const char *start, const char *end) {
  static const struct {
    char first;
    enum nova_json_type type;
  } types[] = {{'"', NOVA_JSON_STRING}, {'{', NOVA_JSON_OBJECT},
               {'[', NOVA_JSON_ARRAY},  {'t', NOVA_JSON_TRUE},
               {'f', NOVA_JSON_FALSE},  {'n', NOVA_JSON_NULL}};
  enum nova_json_type type = NOVA_JSON_NUMBER;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (*start == types[i].first)
      type = types[i].type;
  return (struct nova_json_value){type, {start, (size_t)(end - start)}};
}

static const struct nova_json_value none = {NOVA_JSON_NONE, {NULL, 0}};

void nova_json_iter_init(struct nova_json_iter *it, struct nova_json_value v) {
  *it = (struct nova_json_iter){.object = v.type == NOVA_JSON_OBJECT};
  if (it->object || v.type == NOVA_JSON_ARRAY) {
    it->p = v.text.p + 1;
    it->end = v.text.p + v.text.n - 1;
  }
}

bool nova_json_next(struct nova_json_iter *it, struct nova_json_value *key,
                    struct nova_json_value *value) {
  const char *q = skip_space(it->p, it->end);
  if (q == it->end) {
    it->p = q;
    return false;
  }
  if (*q == ',')
    q = skip_space(q + 1, it->end);
  struct nova_json_value k = none;
  if (it->object) {
    const char *end = nova__json_close(q + 1, it->end) + 1;
    k = (struct nova_json_value){NOVA_JSON_STRING, {q, (size_t)(end - q)}};
    q = skip_space(end, it->end);
    q = skip_space(q + 1, it->end); /* behind the colon */
  }
  it->p = skip_value(q, it->end);
  if (key != NULL)
    *key = k;
  if (value != NULL)
    *value = value_of(q, it->p);
  return true;
}

struct nova_json_value nova_json_get(struct nova_json_value v,
                                     struct nova_view key) {
  struct nova_json_iter it;
  struct nova_json_value k, value;
  if (v.type != NOVA_JSON_OBJECT)
    return none;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, &k, &value))
    if (nova_json_string_is(k, key))
      return value;
  return none;
}

/* --- strings ----------------------------------------------------------------
 */

size_t nova__json_text_copy(struct nova_view s, char *out, size_t cap) {
  const char *end = s.p + s.n;
  size_t n = 0;
  char c[4];
  for (const char *q = s.p; q < end;)
    n += nova__json_char(&q, c);
  if (out == NULL || n > cap)
    return n;
  size_t at = 0;
  for (const char *q = s.p; q < end;) {
    size_t k = nova__json_char(&q, c);
    memcpy(out + at, c, k);
    at += k;
  }
  return n;
}

bool nova__json_text_is(struct nova_view s, bool escaped,
                        struct nova_view utf8) {
  if (!escaped)
    return nova_view_eq(s, utf8);
  const char *end = s.p + s.n;
  size_t at = 0;
  char c[4];
  for (const char *q = s.p; q < end;) {
    size_t k = nova__json_char(&q, c);
    if (k > utf8.n - at || memcmp(c, utf8.p + at, k) != 0)
      return false;
    at += k;
  }
  return at == utf8.n;
}

static struct nova_view inside(struct nova_json_value v) {
  return (struct nova_view){v.text.p + 1, v.text.n - 2};
}

size_t nova_json_string(struct nova_json_value v, char *out, size_t cap) {
  return v.type == NOVA_JSON_STRING ? nova__json_text_copy(inside(v), out, cap)
                                    : 0;
}

bool nova_json_string_is(struct nova_json_value v, struct nova_view utf8) {
  return v.type == NOVA_JSON_STRING && v.text.n >= 2 &&
         nova__json_text_is(
             inside(v), memchr(v.text.p + 1, '\\', v.text.n - 2) != NULL, utf8);
}

/* --- numbers ----------------------------------------------------------------
 */

bool nova_json_is_integer(struct nova_json_value v) {
  if (v.type != NOVA_JSON_NUMBER)
    return false;
  for (size_t i = 0; i < v.text.n; i++)
    if (v.text.p[i] != '-' && !nova__json_digit(v.text.p[i]))
      return false;
  return true;
}

bool nova_json_int64(struct nova_json_value v, int64_t *out) {
  if (v.type != NOVA_JSON_NUMBER)
    return false;
  const char *q = v.text.p, *end = v.text.p + v.text.n;
  bool minus = *q == '-';
  if (minus)
    q++;
  /* No zeros stand in front, so that 20 digits are too many; 19 fit in 64
   * bits. */
  if (end - q > 19)
    return false;
  uint64_t sum = 0;
  for (; q < end; q++) {
    if (!nova__json_digit(*q))
      return false;
    sum = sum * 10 + (uint64_t)(*q - '0');
  }
  if (sum > (uint64_t)INT64_MAX + minus)
    return false;
  *out = minus ? (int64_t)(0 - sum) : (int64_t)sum;
  return true;
}

/* A number taken apart: 0.d1d2d3... times ten to the power of |whole| + the
 * exponent, d1 not 0. */
struct decimal {
  const char *first, *end; /* the digits, perhaps with a point among them; both
                              the same for 0 */
  const char *exponent;    /* its digits, without zeros in front */
  size_t exponent_n;
  int64_t whole;
  bool minus, exponent_minus;
};

static struct decimal take_apart(struct nova_view text) {
  const char *q = text.p, *end = text.p + text.n;
  struct decimal d = {.minus = *q == '-'};
  if (d.minus)
    q++;
  const char *e = q;
  while (e < end && *e != 'e' && *e != 'E')
    e++;
  d.end = e;
  if (e < end) {
    const char *x = e + 1;
    d.exponent_minus = *x == '-';
    if (*x == '-' || *x == '+')
      x++;
    while (x < end && *x == '0')
      x++;
    d.exponent = x;
    d.exponent_n = (size_t)(end - x);
  }
  const char *point = q;
  while (point < e && *point != '.')
    point++;
  d.first = q;
  while (d.first < e && (*d.first == '0' || *d.first == '.'))
    d.first++;
  d.whole = point - d.first + (d.first > point ? 1 : 0);
  return d;
}

/* The exponent of a number, cut to a size beyond which it makes no
 * difference to a double. */
static int64_t small_exponent(const struct decimal *d) {
  int64_t e = 0;
  for (size_t i = 0; i < d->exponent_n && e < INT64_C(1) << 40; i++)
    e = e * 10 + (d->exponent[i] - '0');
  return d->exponent_minus ? -e : e;
}

/* More significant digits than the 767 that a number can need to be told from
 * the middle between two doubles. */
#define DIGITS 780

/* Correctly rounded by strtod(), in a form that has no decimal point, so that
 * the locale's one does not matter. */
static double rounded(const struct decimal *d, int64_t exponent) {
  char s[DIGITS + 32];
  size_t n = 0;
  bool more = false;
  for (const char *q = d->first; q < d->end; q++) {
    if (*q == '.')
      continue;
    if (n < DIGITS)
      s[n++] = *q;
    else
      more |= *q != '0';
  }
  exponent -= (int64_t)n;
  if (more) {
    /* Some digit that is not 0 follows: enough to leave the middle. */
    s[n++] = '1';
    exponent--;
  }
  if (exponent < -100000)
    exponent = -100000;
  snprintf(s + n, sizeof s - n, "e%lld", (long long)exponent);
  return strtod(s, NULL);
}

bool nova_json_double(struct nova_json_value v, double *out) {
  /* Powers of ten that are exact as doubles. */
  static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (v.type != NOVA_JSON_NUMBER)
    return false;
  struct decimal d = take_apart(v.text);
  double x = 0;
  if (d.first != d.end) {
    int64_t exponent = d.whole + small_exponent(&d);
    uint64_t digits = 0;
    int n = 0;
    for (const char *q = d.first; q < d.end && n < 20; q++)
      if (*q != '.' && n++ < 19)
        digits = digits * 10 + (uint64_t)(*q - '0');
    int64_t scale = exponent - n;
    /* Both factors exact: one operation rounds once (Clinger 1990). */
    if (n <= 19 && digits <= UINT64_C(1) << 53 && scale >= -22 && scale <= 22)
      x = scale < 0 ? (double)digits / ten[-scale]
                    : (double)digits * ten[scale];
    else
      x = rounded(&d, exponent);
  }
  *out = d.minus ? -x : x;
  return true;
}

/* Whether a + shift == b, for whole numbers in decimal digits without zeros in
 * front; of any length. */
static bool differ_by(const char *a, size_t na, const char *b, size_t nb,
                      int64_t shift) {
  for (size_t i = 0; i < na || i < nb; i++) {
    shift += i < na ? a[na - 1 - i] - '0' : 0;
    int64_t digit = (shift % 10 + 10) % 10;
    if (digit != (i < nb ? b[nb - 1 - i] - '0' : 0))
      return false;
    shift = (shift - digit) / 10;
  }
  return shift == 0;
}

/* The digit at |*q|, 0 behind the end; skips the point. */
static char next_digit(const char **q, const char *end) {
  if (*q < end && **q == '.')
    ++*q;
  return *q < end ? *(*q)++ : '0';
}

bool nova__json_same_number(struct nova_view a, struct nova_view b) {
  struct decimal x = take_apart(a), y = take_apart(b);
  if (x.first == x.end || y.first == y.end)
    return (x.first == x.end) == (y.first == y.end);
  if (x.minus != y.minus)
    return false;
  for (const char *p = x.first, *q = y.first; p < x.end || q < y.end;)
    if (next_digit(&p, x.end) != next_digit(&q, y.end))
      return false;
  /* x.exponent + x.whole == y.exponent + y.whole, whatever their length. */
  int64_t shift = x.whole - y.whole;
  if (x.exponent_n == 0)
    x.exponent_minus = y.exponent_minus;
  if (y.exponent_n == 0)
    y.exponent_minus = x.exponent_minus;
  if (x.exponent_minus == y.exponent_minus)
    return differ_by(x.exponent, x.exponent_n, y.exponent, y.exponent_n,
                     x.exponent_minus ? -shift : shift);
  /* Of opposite signs: small ones, or too far apart for any text. */
  return x.exponent_n <= 12 && y.exponent_n <= 12 &&
         small_exponent(&x) + shift == small_exponent(&y);
}
