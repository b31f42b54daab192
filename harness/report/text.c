#include "report/text.h"

#include "base/unreachable.h"
#include "base/utf8.h"
#include "report/text_safe.h"

#include <stdio.h>

static const struct {
  const char *name, *in[2];
} phrases[] = {
#define NOVA_TEXT(name, en, zh) {#name, {en, zh}},
#include "report/text.def"
#undef NOVA_TEXT
};

const char *nova_phrase(enum nova_lang lang, enum nova_phrase p) {
  return phrases[p].in[lang];
}

const char *nova_phrase_name(enum nova_phrase p) {
  return phrases[p].name;
}

enum nova_phrase nova_phrase_verdict(enum nova_verdict v) {
  switch (v) {
  case NOVA_VERDICT_PASS: return NOVA_TEXT_PASS;
  case NOVA_VERDICT_FAIL: return NOVA_TEXT_FAIL;
  case NOVA_VERDICT_INCONCLUSIVE: return NOVA_TEXT_INCONCLUSIVE;
  case NOVA_VERDICT_NOT_TESTED: return NOVA_TEXT_NOT_TESTED;
  case NOVA_VERDICT_NOT_APPLICABLE: return NOVA_TEXT_NOT_APPLICABLE;
  }
  nova_unreachable();
}

enum nova_phrase nova_phrase_mark(enum nova_verdict v) {
  switch (v) {
  case NOVA_VERDICT_PASS: return NOVA_TEXT_MARK_PASS;
  case NOVA_VERDICT_FAIL: return NOVA_TEXT_MARK_FAIL;
  case NOVA_VERDICT_INCONCLUSIVE: return NOVA_TEXT_MARK_INCONCLUSIVE;
  case NOVA_VERDICT_NOT_TESTED: return NOVA_TEXT_MARK_NOT_TESTED;
  case NOVA_VERDICT_NOT_APPLICABLE: return NOVA_TEXT_MARK_NOT_APPLICABLE;
  }
  nova_unreachable();
}

enum nova_phrase nova_phrase_level(enum nova_level l) {
  switch (l) {
  case NOVA_LEVEL_MUST: return NOVA_TEXT_MUST;
  case NOVA_LEVEL_SHOULD: return NOVA_TEXT_SHOULD;
  case NOVA_LEVEL_MAY: return NOVA_TEXT_MAY;
  }
  nova_unreachable();
}

enum nova_phrase nova_phrase_outcome(enum nova_outcome o) {
  switch (o) {
  case NOVA_OUTCOME_CONFORMANT: return NOVA_TEXT_CONFORMANT;
  case NOVA_OUTCOME_NOT_CONFORMANT: return NOVA_TEXT_NOT_CONFORMANT;
  case NOVA_OUTCOME_INCOMPLETE: return NOVA_TEXT_INCOMPLETE;
  }
  nova_unreachable();
}

enum nova_phrase nova_phrase_role(enum nova_role r) {
  return r == NOVA_ROLE_SERVER ? NOVA_TEXT_SERVER : NOVA_TEXT_DEVICE;
}

const char *nova_text_in(enum nova_lang lang, const struct nova_text *t) {
  const char *wanted = lang == NOVA_LANG_ZH ? t->zh : t->en;
  const char *rest = lang == NOVA_LANG_ZH ? t->en : t->zh;
  return wanted != NULL ? wanted : rest != NULL ? rest : "";
}

int nova_phrase_put(struct nova_buf *b, enum nova_lang lang, enum nova_phrase p,
                    const char *const *arg, size_t args) {
  const char *s = nova_phrase(lang, p);
  int err = 0;
  while (*s != '\0' && err == 0) {
    size_t k = s[0] == '{' && s[1] >= '1' && s[1] <= '4' && s[2] == '}'
                   ? (size_t)(s[1] - '0')
                   : 0;
    if (k != 0) {
      if (k <= args)
        err = nova_safe_put(b, nova_view_of(arg[k - 1]), 0);
      s += 3;
      continue;
    }
    size_t n = 1 + strcspn(s + 1, "{");
    err = nova_buf_append(b, s, n);
    s += n;
  }
  return err;
}

/* --- characters ---------------------------------------------------------- */

struct range {
  uint32_t from, to;
};

static bool within(const struct range *r, size_t n, uint32_t cp) {
  for (size_t i = 0; i < n; i++)
    if (cp >= r[i].from && cp <= r[i].to)
      return true;
  return false;
}

/* East Asian wide and full-width characters and emoji (UAX #11), by block. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x2329, 0x232a},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

/* Combining marks, joiners and variation selectors. */
static const struct range narrow[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},
    {0x0e34, 0x0e3a}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},
    {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
};

static size_t columns_of(uint32_t cp) {
  if (cp < 0x300)
    return 1;
  if (within(narrow, sizeof narrow / sizeof *narrow, cp))
    return 0;
  return within(wide, sizeof wide / sizeof *wide, cp) ? 2 : 1;
}

/* The safe form of the character at v[i].
 * |out|: takes 16 bytes. |columns|: of the form. |used|: bytes of |v|. */
static size_t safe_char(struct nova_view v, size_t i, char out[16],
                        size_t *columns, size_t *used) {
  uint32_t cp;
  size_t n = nova_utf8_char(v.p + i, v.n - i, &cp);
  *used = n == 0 ? 1 : n;
  if (n != 0 && !nova_text_is_unsafe(cp)) {
    memcpy(out, v.p + i, n);
    *columns = columns_of(cp);
    return n;
  }
  int k;
  if (n == 0)
    k = snprintf(out, 16, "\\x%02x", (unsigned char)v.p[i]);
  else if (cp == '\n' || cp == '\r' || cp == '\t')
    k = snprintf(out, 16, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
  else
    k = snprintf(out, 16, cp < 0x80 ? "\\x%02x" : "\\u%04x", cp);
  *columns = (size_t)k;
  return (size_t)k;
}

size_t nova_columns(struct nova_view v) {
  size_t sum = 0, columns, used;
  char form[16];
  for (size_t i = 0; i < v.n; i += used) {
    safe_char(v, i, form, &columns, &used);
    sum += columns;
  }
  return sum;
}

int nova_safe_put(struct nova_buf *b, struct nova_view v, size_t columns) {
  bool cut = columns != 0 && nova_columns(v) > columns;
  size_t room = !cut ? SIZE_MAX : columns > 3 ? columns - 3 : 0;
  size_t width, used;
  char form[16];
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0; i += used) {
    size_t n = safe_char(v, i, form, &width, &used);
    if (width > room)
      break;
    room -= width;
    err = nova_buf_append(b, form, n);
  }
  if (cut && err == 0)
    err = nova_buf_append(b, "...", columns < 3 ? columns : 3);
  return err;
}

/* --- times --------------------------------------------------------------- */

int nova_span_put(struct nova_buf *b, enum nova_lang lang, nova_ts t) {
  char minutes[24], seconds[24];
  uint64_t s = t / NOVA_SEC + (t % NOVA_SEC != 0 ? 1 : 0);
  snprintf(minutes, sizeof minutes, "%llu", (unsigned long long)(s / 60));
  snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)(s % 60));
  const char *both[] = {minutes, seconds};
  return s < 60 ? nova_phrase_put(b, lang, NOVA_TEXT_SECONDS, both + 1, 1)
                : nova_phrase_put(b, lang, NOVA_TEXT_MINUTES, both, 2);
}

char *nova_seconds(nova_ts t, char out[40]) {
  uint64_t fraction = t % NOVA_SEC;
  unsigned digits = 3;
  if (t < NOVA_SEC)
    for (uint64_t f = fraction; f != 0 && f < 100 * NOVA_MS && digits < 9;
         f *= 10)
      digits++;
  for (unsigned k = digits; k < 9; k++)
    fraction /= 10;
  snprintf(out, 40, "%llu.%0*llu s", (unsigned long long)(t / NOVA_SEC),
           (int)digits, (unsigned long long)fraction);
  return out;
}
