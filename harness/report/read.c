#include "report/read.h"

#include "base/error.h"

#include <stdio.h>

void nova__read_enter(struct nova__reader *r, const char *name, size_t index) {
  if (r->depth < NOVA__READ_DEPTH) {
    r->path[r->depth].name = name;
    r->path[r->depth].index = index;
  }
  r->depth++;
}

void nova__read_leave(struct nova__reader *r) {
  r->depth--;
}

void nova__read_fail(struct nova__reader *r, const char *name,
                     const char *expected) {
  if (r->err != 0)
    return;
  r->err = NOVA_ERR_ARGUMENT;
  if (r->error == NULL)
    return;
  char *out = r->error->text;
  size_t cap = sizeof r->error->text, n = 0;
  out[0] = '\0';
  for (size_t i = 0; i < r->depth && i < NOVA__READ_DEPTH && n < cap; i++) {
    n += (size_t)snprintf(out + n, cap - n, "%s%s", i != 0 ? "." : "",
                          r->path[i].name);
    if (r->path[i].index != SIZE_MAX && n < cap)
      n += (size_t)snprintf(out + n, cap - n, "[%zu]", r->path[i].index);
  }
  if (name != NULL && n < cap)
    n += (size_t)snprintf(out + n, cap - n, "%s%s", n != 0 ? "." : "", name);
  if (n < cap)
    snprintf(out + n, cap - n, "%sexpected %s", n != 0 ? ": " : "", expected);
}

bool nova__read_memory(struct nova__reader *r, const void *p) {
  if (p != NULL)
    return r->err == 0;
  if (r->err == 0) {
    r->err = NOVA_ERR_NO_MEMORY;
    if (r->error != NULL)
      snprintf(r->error->text, sizeof r->error->text, "%s",
               nova_error_text(r->err));
  }
  return false;
}

void nova__read_members(struct nova_json_value v, const char *const *names,
                        struct nova_json_value *out) {
  for (size_t i = 0; names[i] != NULL; i++)
    out[i] = (struct nova_json_value){.type = NOVA_JSON_NONE};
  struct nova_json_iter it;
  struct nova_json_value key, value;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, &key, &value))
    for (size_t i = 0; names[i] != NULL; i++)
      if (nova_json_string_is(key, nova_view_of(names[i]))) {
        out[i] = value;
        break;
      }
}

bool nova__read_object(struct nova__reader *r, struct nova_json_value v,
                       const char *const *names, struct nova_json_value *out) {
  for (size_t i = 0; names[i] != NULL; i++)
    out[i] = (struct nova_json_value){.type = NOVA_JSON_NONE};
  if (r->err != 0)
    return false;
  if (v.type != NOVA_JSON_OBJECT) {
    nova__read_fail(r, NULL, "an object");
    return false;
  }
  nova__read_members(v, names, out);
  return true;
}

/* Whether there is a value to read. */
static bool there(struct nova__reader *r, struct nova_json_value v,
                  const char *name, bool required, const char *expected) {
  if (r->err != 0)
    return false;
  if (v.type == NOVA_JSON_NONE && required)
    nova__read_fail(r, name, expected);
  return v.type != NOVA_JSON_NONE && r->err == 0;
}

size_t nova__read_count(struct nova__reader *r, struct nova_json_value v,
                        const char *name, bool required) {
  if (!there(r, v, name, required, "an array"))
    return 0;
  if (v.type != NOVA_JSON_ARRAY) {
    nova__read_fail(r, name, "an array");
    return 0;
  }
  struct nova_json_iter it;
  struct nova_json_value one;
  size_t n = 0;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &one))
    n++;
  return n;
}

const char *nova__read_text(struct nova__reader *r, struct nova_json_value v,
                            const char *name, bool required) {
  if (!there(r, v, name, required, "a string"))
    return NULL;
  if (v.type != NOVA_JSON_STRING) {
    nova__read_fail(r, name, "a string");
    return NULL;
  }
  size_t n = nova_json_string(v, NULL, 0);
  char *text = nova_arena_alloc(r->arena, n + 1);
  if (!nova__read_memory(r, text))
    return NULL;
  nova_json_string(v, text, n);
  if (memchr(text, '\0', n) != NULL) {
    nova__read_fail(r, name, "a string without U+0000");
    return NULL;
  }
  return text;
}

/* The digits of |t| from |i| on as a number; false past 2^64 - 1. */
static bool digits(struct nova_view t, size_t *i, uint64_t *out) {
  uint64_t v = 0;
  size_t from = *i;
  for (; *i < t.n && t.p[*i] >= '0' && t.p[*i] <= '9'; ++*i) {
    uint64_t d = (uint64_t)(t.p[*i] - '0');
    if (v > (UINT64_MAX - d) / 10)
      return false;
    v = v * 10 + d;
  }
  *out = v;
  return *i != from;
}

uint64_t nova__read_uint(struct nova__reader *r, struct nova_json_value v,
                         const char *name, bool required, uint64_t most) {
  static const char expected[] = "a whole number in its range";
  if (!there(r, v, name, required, expected))
    return 0;
  uint64_t out = 0;
  size_t i = 0;
  if (v.type != NOVA_JSON_NUMBER || !digits(v.text, &i, &out) ||
      i != v.text.n || out > most) {
    nova__read_fail(r, name, expected);
    return 0;
  }
  return out;
}

nova_ts nova__read_seconds(struct nova__reader *r, struct nova_json_value v,
                           const char *name, bool required, nova_ts otherwise) {
  static const char expected[] = "seconds with at most 9 decimals";
  if (!there(r, v, name, required, expected))
    return otherwise;
  uint64_t whole = 0, fraction = 0;
  size_t i = 0, decimals = 0;
  bool good = v.type == NOVA_JSON_NUMBER && digits(v.text, &i, &whole) &&
              whole < NOVA_TS_NONE / NOVA_SEC;
  if (good && i < v.text.n && v.text.p[i] == '.') {
    size_t from = ++i;
    good = digits(v.text, &i, &fraction);
    decimals = i - from;
  }
  if (!good || i != v.text.n || decimals > 9) {
    nova__read_fail(r, name, expected);
    return otherwise;
  }
  for (; decimals < 9; decimals++)
    fraction *= 10;
  return whole * NOVA_SEC + fraction;
}

bool nova__read_bool(struct nova__reader *r, struct nova_json_value v,
                     const char *name) {
  if (!there(r, v, name, false, ""))
    return false;
  if (v.type != NOVA_JSON_TRUE && v.type != NOVA_JSON_FALSE)
    nova__read_fail(r, name, "true or false");
  return v.type == NOVA_JSON_TRUE;
}

unsigned nova__read_pick(struct nova__reader *r, struct nova_json_value v,
                         const char *name, const char *const *names,
                         unsigned n) {
  if (r->err != 0)
    return 0;
  for (unsigned i = 0; i < n; i++)
    if (nova_json_string_is(v, nova_view_of(names[i])))
      return i;
  char expected[128] = "one of";
  for (unsigned i = 0; i < n; i++) {
    size_t used = strlen(expected);
    snprintf(expected + used, sizeof expected - used, "%s %s",
             i != 0 ? "," : "", names[i]);
  }
  nova__read_fail(r, name, expected);
  return 0;
}

struct nova_ids nova__read_ids(struct nova__reader *r, struct nova_json_value v,
                               const char *name) {
  struct nova_ids out = {0};
  size_t n = nova__read_count(r, v, name, false);
  if (n == 0)
    return out;
  out.id = NOVA_NEW_ARRAY(r->arena, const char *, n);
  if (!nova__read_memory(r, out.id))
    return out;
  struct nova_json_iter it;
  struct nova_json_value one;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &one) && r->err == 0) {
    nova__read_enter(r, name, out.n);
    out.id[out.n++] = nova__read_text(r, one, NULL, true);
    nova__read_leave(r);
  }
  return out;
}

struct nova_text nova__read_both(struct nova__reader *r,
                                 struct nova_json_value v, const char *name) {
  static const char *const names[] = {"en", "zh", NULL};
  struct nova_json_value m[2];
  struct nova_text out = {NULL, NULL};
  if (v.type == NOVA_JSON_NONE || r->err != 0)
    return out;
  nova__read_enter(r, name, SIZE_MAX);
  if (nova__read_object(r, v, names, m)) {
    out.en = nova__read_text(r, m[0], "en", false);
    out.zh = nova__read_text(r, m[1], "zh", false);
  }
  nova__read_leave(r);
  return out;
}

uint64_t nova__read_time(struct nova__reader *r, struct nova_json_value v,
                         const char *name) {
  static const char shape[] = "0000-00-00T00:00:00Z";
  char text[sizeof shape];
  unsigned at[] = {0, 5, 8, 11, 14, 17}, field[6] = {0};
  bool good = nova_json_string(v, NULL, 0) == sizeof shape - 1;
  if (good)
    nova_json_string(v, text, sizeof shape - 1);
  for (size_t i = 0; good && i < sizeof shape - 1; i++)
    good = shape[i] == '0' ? text[i] >= '0' && text[i] <= '9'
                           : text[i] == shape[i];
  for (size_t f = 0; good && f < 6; f++)
    for (size_t i = at[f]; text[i] >= '0' && text[i] <= '9'; i++)
      field[f] = field[f] * 10 + (unsigned)(text[i] - '0');
  static const unsigned days[] = {31, 29, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};
  good = good && field[0] >= 1970 && field[0] < 2500 && field[1] >= 1 &&
         field[1] <= 12 && field[2] >= 1 && field[2] <= days[field[1] - 1] &&
         field[3] < 24 && field[4] < 60 && field[5] < 60;
  if (!good) {
    nova__read_fail(r, name, "a time in UTC, YYYY-MM-DDThh:mm:ssZ");
    return 0;
  }
  /* Days from a civil date, the inverse of nova__rfc3339(). */
  uint64_t y = field[0] - (field[1] <= 2 ? 1 : 0);
  uint64_t era = y / 400, yoe = y % 400;
  uint64_t mp = (field[1] + 9) % 12;
  uint64_t doe =
      yoe * 365 + yoe / 4 - yoe / 100 + (153 * mp + 2) / 5 + field[2] - 1;
  uint64_t day = era * 146097 + doe - 719468;
  return (day * 86400 + field[3] * 3600 + field[4] * 60 + field[5]) * NOVA_SEC;
}

const char *nova__read_placeholder(struct nova__reader *r, const char *of,
                                   unsigned generation, size_t n) {
  char *out = nova_arena_alloc(r->arena, n + 1);
  if (nova__read_memory(r, out))
    nova_mask_placeholder(of, generation, n, out);
  return out;
}
