/* Patterns: a tree writes values and checks them. */
#include "conversation/pattern.h"

#include "base/error.h"
#include "base/utf8.h"
#include "codec/mqtt.h"

#include <stdio.h>

/* The longest value that a pattern makes: the largest message and the escapes
 * of all its characters. */
#define MOST_BYTES (1 << 20)

/* A value that this program wrote itself, or that was validated. */
static struct nova_json_value value_of(struct nova_view t) {
  struct nova_json_value v = {NOVA_JSON_NONE, t};
  if (t.n == 0)
    return v;
  switch (t.p[0]) {
  case '{': v.type = NOVA_JSON_OBJECT; break;
  case '[': v.type = NOVA_JSON_ARRAY; break;
  case '"': v.type = NOVA_JSON_STRING; break;
  case 't': v.type = NOVA_JSON_TRUE; break;
  case 'f': v.type = NOVA_JSON_FALSE; break;
  case 'n': v.type = NOVA_JSON_NULL; break;
  default: v.type = NOVA_JSON_NUMBER; break;
  }
  return v;
}

/* --- writing
 * ------------------------------------------------------------------
 */

/* Characters that break careless code: escapes, two, three and four bytes,
 * right-to-left, a combining mark, the last code points before the surrogates
 * and of the planes. */
static const uint32_t awkward[] = {
    'a',    'Z',   '0',   ' ',    '"',    '\\',    '/',     '\'',
    '<',    '&',   '%',   0x09,   0x7f,   0xe9,    0x2028,  0x4e2d,
    0x6587, 0x5d0, 0x301, 0xd7ff, 0xfffd, 0x1f600, 0x10ffff};

static int write_string(struct nova_scope *scope, size_t chars,
                        struct nova_buf *out) {
  struct nova_buf text;
  nova_buf_init(&text, scope->mem, 4 * chars + 1);
  int err = 0;
  for (size_t i = 0; i < chars && err == 0; i++) {
    char utf8[4];
    uint32_t cp =
        awkward[nova_rng_below(scope->rng, sizeof awkward / sizeof *awkward)];
    err = nova_buf_append(&text, utf8, nova_utf8_put(cp, utf8));
  }
  if (err == 0)
    err = nova_json_quote(out, text.data != NULL ? text.data + text.head : "",
                          text.len);
  nova_buf_free(&text);
  return err;
}

static int write_kind(const struct nova_pattern *p, struct nova_scope *scope,
                      struct nova_buf *out, struct nova_buf *why) {
  const char *k = p->name;
  struct nova_rng *rng = scope->rng;
  if (strcmp(k, "string") == 0)
    return write_string(scope, 1 + nova_rng_below(rng, 24), out);
  if (strcmp(k, "unix_time") == 0)
    return nova_buf_printf(out, "%llu",
                           (unsigned long long)(scope->unix_ns / NOVA_SEC));
  if (strcmp(k, "integer") == 0)
    return nova_buf_printf(out, "%llu",
                           (unsigned long long)nova_rng_below(rng, 1000000));
  if (strcmp(k, "number") == 0)
    return nova_buf_printf(out, "%llu.%llu",
                           (unsigned long long)nova_rng_below(rng, 1000),
                           (unsigned long long)(1 + nova_rng_below(rng, 9)));
  if (strcmp(k, "boolean") == 0)
    return nova_buf_puts(out, nova_rng_below(rng, 2) != 0 ? "true" : "false");
  if (strcmp(k, "object") == 0)
    return nova_buf_puts(out, "{}");
  if (strcmp(k, "array") == 0)
    return nova_buf_puts(out, "[]");
  nova_buf_printf(why, "$%s only checks, it makes no value", k);
  return NOVA_ERR_ARGUMENT;
}

/* A string value's characters in |out|. */
static int characters(struct nova_json_value v, struct nova_buf *out,
                      struct nova_buf *why) {
  if (v.type != NOVA_JSON_STRING) {
    nova_buf_puts(why, "expected a string");
    return NOVA_ERR_ARGUMENT;
  }
  size_t n = nova_json_string(v, NULL, 0);
  char *room = nova_buf_reserve(out, n + 1);
  if (room == NULL)
    return NOVA_ERR_NO_MEMORY;
  nova_buf_commit(out, nova_json_string(v, room, n));
  return 0;
}

/* Changes |text| in place as the function |name| says. */
static int transform(const char *name, struct nova_buf *text,
                     struct nova_buf *why) {
  char *s = text->data + text->head;
  if (strcmp(name, "prefix") == 0) {
    if (text->len < 2) {
      nova_buf_puts(why, "the value is too short to have a prefix");
      return NOVA_ERR_ARGUMENT;
    }
    size_t n = text->len - 1;
    while (n > 1 && ((unsigned char)s[n] & 0xc0) == 0x80)
      n--; /* not inside a character */
    text->len = n;
    return 0;
  }
  if (strcmp(name, "last_changed") == 0) {
    if (text->len == 0 || (unsigned char)s[text->len - 1] >= 0x80) {
      nova_buf_puts(why, "the value does not end with an ASCII character");
      return NOVA_ERR_ARGUMENT;
    }
    char *last = &s[text->len - 1];
    *last = *last == '7' ? '3' : '7';
    return 0;
  }
  bool changed = false;
  for (size_t i = 0; i < text->len; i++)
    if ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z')) {
      s[i] = (char)(s[i] ^ 0x20);
      changed = true;
    }
  if (!changed) {
    nova_buf_puts(why, "the value has no letters");
    return NOVA_ERR_ARGUMENT;
  }
  return 0;
}

static int write_call(const struct nova_pattern *p, struct nova_scope *scope,
                      struct nova_buf *out, struct nova_buf *why) {
  if (strcmp(p->name, "not") == 0 || strcmp(p->name, "one_of") == 0) {
    /* The first alternative is the plain one; $not() has nothing to offer. */
    if (p->name[0] == 'o')
      return nova_pattern_write(p->child, scope, out, why);
    nova_buf_puts(why, "$not() only checks, it makes no value");
    return NOVA_ERR_ARGUMENT;
  }
  if (strcmp(p->name, "exactly") == 0 || strcmp(p->name, "has") == 0 ||
      strcmp(p->name, "verbatim") == 0)
    return nova_pattern_write(p->child, scope, out, why);
  if (strcmp(p->name, "like") == 0 || strcmp(p->name, "starts_with") == 0 ||
      strcmp(p->name, "covers") == 0 || strcmp(p->name, "contains") == 0) {
    nova_buf_printf(why, "$%s() only checks, it makes no value", p->name);
    return NOVA_ERR_ARGUMENT;
  }
  struct nova_buf json, text;
  nova_buf_init(&json, scope->mem, MOST_BYTES);
  nova_buf_init(&text, scope->mem, MOST_BYTES);
  int err = nova_pattern_write(p->child, scope, &json, why);
  if (err == 0 && strcmp(p->name, "string") == 0) {
    int64_t n = 0;
    if (!nova_json_int64(value_of(nova_buf_view(&json)), &n) || n < 0 ||
        n > NOVA_CLOCK_TOLERANCE * 1000) {
      nova_buf_puts(why, "$string(n) needs a length of 0 to 300000");
      err = NOVA_ERR_ARGUMENT;
    } else {
      err = write_string(scope, (size_t)n, out);
    }
  } else if (err == 0) {
    err = characters(value_of(nova_buf_view(&json)), &text, why);
    bool joins = strcmp(p->name, "with") == 0 || strcmp(p->name, "join") == 0;
    for (const struct nova_pattern *c = joins ? p->child->next : NULL;
         c != NULL && err == 0; c = c->next) {
      nova_buf_clear(&json);
      err = nova_pattern_write(c, scope, &json, why);
      if (err == 0)
        err = characters(value_of(nova_buf_view(&json)), &text, why);
    }
    if (err == 0 && !joins)
      err = transform(p->name, &text, why);
    if (err == 0)
      err = nova_json_quote(out, text.data != NULL ? text.data + text.head : "",
                            text.len);
  }
  nova_buf_free(&json);
  nova_buf_free(&text);
  return err;
}

/* Recursion is bounded: a pattern is as deep as its script. */
int nova_pattern_write(const struct nova_pattern *p, struct nova_scope *scope,
                       struct nova_buf *out, struct nova_buf *why) {
  switch (p->kind) {
  case NOVA_PATTERN_LITERAL: return nova_buf_append(out, p->json.p, p->json.n);
  case NOVA_PATTERN_KIND: return write_kind(p, scope, out, why);
  case NOVA_PATTERN_CALL: return write_call(p, scope, out, why);
  case NOVA_PATTERN_REF:
    if (scope->lookup(scope->user, p->name, out))
      return 0;
    nova_buf_printf(why, "$%s has no value here", p->name);
    return NOVA_ERR_ARGUMENT;
  case NOVA_PATTERN_OBJECT:
  case NOVA_PATTERN_LIST: break;
  }
  bool object = p->kind == NOVA_PATTERN_OBJECT;
  int err = nova_buf_puts(out, object ? "{" : "[");
  bool first = true;
  for (const struct nova_pattern *c = p->child; c != NULL && err == 0;
       c = c->next) {
    if (c->kind == NOVA_PATTERN_KIND && strcmp(c->name, "absent") == 0)
      continue;
    if (!first)
      err = nova_buf_puts(out, ",");
    first = false;
    if (err == 0 && object) {
      err = nova_json_quote(out, c->member, strlen(c->member));
      if (err == 0)
        err = nova_buf_puts(out, ":");
    }
    if (err == 0)
      err = nova_pattern_write(c, scope, out, why);
  }
  return err != 0 ? err : nova_buf_puts(out, object ? "}" : "]");
}

bool nova_pattern_makes(const struct nova_pattern *p) {
  static const char *const checks[] = {
      "not",      "like", "starts_with",     "covers", "declared_values",
      "contains", "any",  "declared_members"};
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if ((p->kind == NOVA_PATTERN_CALL || p->kind == NOVA_PATTERN_KIND) &&
        strcmp(p->name, checks[i]) == 0)
      return false;
  /* Of alternatives the first is made. */
  bool first = p->kind == NOVA_PATTERN_CALL && strcmp(p->name, "one_of") == 0;
  for (const struct nova_pattern *c = p->child; c != NULL; c = c->next) {
    if (!nova_pattern_makes(c)) /* as deep as the script */
      return false;
    if (first)
      break;
  }
  return true;
}

/* --- checking
 * -----------------------------------------------------------------
 */

/* Copies what fits; cuts between characters and says that it did. */
static void shorten(char *out, size_t cap, struct nova_view t) {
  if (t.n < cap) {
    if (t.n != 0)
      memcpy(out, t.p, t.n);
    out[t.n] = '\0';
    return;
  }
  size_t n = cap - 4;
  while (n > 0 && ((unsigned char)t.p[n] & 0xc0) == 0x80)
    n--;
  memcpy(out, t.p, n);
  memcpy(out + n, "...", 4);
}

static bool differ(struct nova_mismatch *m, const struct nova_pattern *p,
                   struct nova_scope *scope, struct nova_json_value v) {
  if (m == NULL)
    return false;
  nova_pattern_print(p, scope, m->expected, sizeof m->expected);
  m->kind = p->kind == NOVA_PATTERN_KIND;
  if (v.type == NOVA_JSON_NONE)
    snprintf(m->observed, sizeof m->observed, "nothing");
  else
    shorten(m->observed, sizeof m->observed, v.text);
  return false;
}

/* Whether every member of |v| is named in the array of strings that the scope
 * calls value_keys; true where there is none. |data|: it is the data of MQTT,
 * whose own members stand beside the values. */
static bool declared(struct nova_json_value v, bool data,
                     struct nova_scope *scope) {
  if (v.type != NOVA_JSON_OBJECT)
    return false;
  struct nova_buf keys;
  nova_buf_init(&keys, scope->mem, MOST_BYTES);
  bool good = true;
  if (scope->lookup(scope->user, "value_keys", &keys)) {
    struct nova_json_iter it, known;
    struct nova_json_value key, value, one;
    nova_json_iter_init(&it, v);
    while (good && nova_json_next(&it, &key, &value)) {
      good = data && (nova_json_string_is(key, nova_view_of("timestamp")) ||
                      nova_json_string_is(key, nova_view_of("device_id")));
      nova_json_iter_init(&known, value_of(nova_buf_view(&keys)));
      while (!good && nova_json_next(&known, NULL, &one))
        good = nova_json_equal(key, one);
    }
  }
  nova_buf_free(&keys);
  return good;
}

static bool digit(char c) {
  return c >= '0' && c <= '9';
}

/* $like: each # of the pattern is one or more digits. */
static bool match_like(const struct nova_pattern *p, struct nova_json_value v,
                       struct nova_scope *scope) {
  struct nova_buf text, like, why;
  nova_buf_init(&text, scope->mem, MOST_BYTES);
  nova_buf_init(&like, scope->mem, MOST_BYTES);
  nova_buf_init(&why, scope->mem, 256);
  bool good = characters(v, &text, &why) == 0 &&
              characters(value_of(p->child->json), &like, &why) == 0;
  if (good) {
    const char *t = nova_buf_cstr(&text), *l = nova_buf_cstr(&like);
    good = t != NULL && l != NULL && strlen(t) == text.len;
    while (good && *l != '\0') {
      if (*l == '#') {
        good = digit(*t);
        while (digit(*t))
          t++;
      } else {
        good = *l == *t;
        t += good;
      }
      l++;
    }
    good = good && *t == '\0';
  }
  nova_buf_free(&text);
  nova_buf_free(&like);
  nova_buf_free(&why);
  return good;
}

/* $has: every member of what is written, whatever else there is. */
static bool match_has(const struct nova_pattern *p, struct nova_json_value v,
                      struct nova_scope *scope, struct nova_mismatch *m) {
  struct nova_buf json, why;
  nova_buf_init(&json, scope->mem, MOST_BYTES);
  nova_buf_init(&why, scope->mem, 256);
  struct nova_json_value wanted = {NOVA_JSON_NONE, {NULL, 0}};
  if (nova_pattern_write(p->child, scope, &json, &why) == 0)
    wanted = value_of(nova_buf_view(&json));
  bool good = wanted.type == NOVA_JSON_OBJECT && v.type == NOVA_JSON_OBJECT;
  struct nova_json_iter it;
  struct nova_json_value key, value;
  if (good)
    nova_json_iter_init(&it, wanted);
  while (good && nova_json_next(&it, &key, &value)) {
    char name[256] = "";
    size_t n = nova_json_string(key, NULL, 0);
    good = n < sizeof name;
    if (good)
      nova_json_string(key, name, n);
    struct nova_json_value is =
        good ? nova_json_get(v, (struct nova_view){name, n}) : wanted;
    good = good && is.type != NOVA_JSON_NONE && nova_json_equal(value, is);
  }
  nova_buf_free(&json);
  nova_buf_free(&why);
  return good || differ(m, p, scope, v);
}

static bool match_kind(const struct nova_pattern *p, struct nova_json_value v,
                       struct nova_scope *scope) {
  const char *k = p->name;
  if (strcmp(k, "absent") == 0)
    return v.type == NOVA_JSON_NONE;
  if (strcmp(k, "any") == 0)
    return v.type != NOVA_JSON_NONE;
  if (strcmp(k, "string") == 0)
    return v.type == NOVA_JSON_STRING;
  if (strcmp(k, "number") == 0)
    return v.type == NOVA_JSON_NUMBER;
  if (strcmp(k, "integer") == 0)
    return v.type == NOVA_JSON_NUMBER && nova_json_is_integer(v);
  if (strcmp(k, "boolean") == 0)
    return v.type == NOVA_JSON_TRUE || v.type == NOVA_JSON_FALSE;
  if (strcmp(k, "object") == 0)
    return v.type == NOVA_JSON_OBJECT;
  if (strcmp(k, "array") == 0)
    return v.type == NOVA_JSON_ARRAY;
  if (strcmp(k, "declared_values") == 0)
    return declared(v, false, scope);
  if (strcmp(k, "declared_members") == 0)
    return declared(v, true, scope);
  int64_t t = 0;
  if (!nova_json_is_integer(v) || !nova_json_int64(v, &t))
    return false;
  int64_t now = (int64_t)(scope->unix_ns / NOVA_SEC);
  return t >= now - NOVA_CLOCK_TOLERANCE && t <= now + NOVA_CLOCK_TOLERANCE;
}

/* A value that has to be equal to what the pattern writes. */
static bool match_written(const struct nova_pattern *p,
                          struct nova_json_value v, struct nova_scope *scope) {
  struct nova_buf json, why;
  nova_buf_init(&json, scope->mem, MOST_BYTES);
  nova_buf_init(&why, scope->mem, 256);
  bool same = nova_pattern_write(p, scope, &json, &why) == 0 &&
              nova_json_equal(value_of(nova_buf_view(&json)), v);
  nova_buf_free(&json);
  nova_buf_free(&why);
  return same;
}

/* $starts_with, $covers: the strings of the value and of the argument. */
static bool match_text(const struct nova_pattern *p, struct nova_json_value v,
                       struct nova_scope *scope) {
  struct nova_buf json, text, wanted, why;
  nova_buf_init(&json, scope->mem, MOST_BYTES);
  nova_buf_init(&text, scope->mem, MOST_BYTES);
  nova_buf_init(&wanted, scope->mem, MOST_BYTES);
  nova_buf_init(&why, scope->mem, 256);
  bool good = nova_pattern_write(p->child, scope, &json, &why) == 0 &&
              characters(v, &text, &why) == 0 &&
              characters(value_of(nova_buf_view(&json)), &wanted, &why) == 0;
  struct nova_view is = nova_buf_view(&text), begin = nova_buf_view(&wanted);
  if (good && p->name[0] == 'c') {
    /* The device's own topics are those beside the one that is given. */
    good = nova_mqtt_filter_valid(is, NULL) && nova_mqtt_match(is, begin);
    while (begin.n != 0 && begin.p[begin.n - 1] != '/')
      begin.n--;
  }
  good = good && is.n > begin.n && begin.n != 0 &&
         memcmp(is.p, begin.p, begin.n) == 0;
  nova_buf_free(&json);
  nova_buf_free(&text);
  nova_buf_free(&wanted);
  nova_buf_free(&why);
  return good;
}

/* $verbatim: the text itself. */
static bool match_verbatim(const struct nova_pattern *p,
                           struct nova_json_value v, struct nova_scope *scope) {
  struct nova_buf json, why;
  nova_buf_init(&json, scope->mem, MOST_BYTES);
  nova_buf_init(&why, scope->mem, 256);
  bool same = nova_pattern_write(p->child, scope, &json, &why) == 0 &&
              json.len == v.text.n && v.text.n != 0 &&
              memcmp(json.data + json.head, v.text.p, v.text.n) == 0;
  nova_buf_free(&json);
  nova_buf_free(&why);
  return same;
}

/* {$contains: VALUE}; the recursion is as deep as the script. */
static bool match_contains(const struct nova_pattern *p,
                           struct nova_json_value v, struct nova_scope *scope) {
  if (v.type != NOVA_JSON_ARRAY)
    return false;
  struct nova_json_iter it;
  struct nova_json_value element;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &element))
    if (nova_pattern_match(p->child, element, scope, NULL))
      return true;
  return false;
}

static void put_path(struct nova_mismatch *m, size_t len, const char *name) {
  if (m == NULL)
    return;
  snprintf(m->path + len, sizeof m->path - len, "%s%s", len != 0 ? "." : "",
           name);
  if (len == 0)
    snprintf(m->field, sizeof m->field, "%s", name);
}

bool nova_pattern_match(const struct nova_pattern *p, struct nova_json_value v,
                        struct nova_scope *scope, struct nova_mismatch *m) {
  switch (p->kind) {
  case NOVA_PATTERN_KIND:
    return match_kind(p, v, scope) ? true : differ(m, p, scope, v);
  case NOVA_PATTERN_LITERAL:
    return v.type != NOVA_JSON_NONE && nova_json_equal(value_of(p->json), v)
               ? true
               : differ(m, p, scope, v);
  case NOVA_PATTERN_REF:
    return v.type != NOVA_JSON_NONE && match_written(p, v, scope)
               ? true
               : differ(m, p, scope, v);
  case NOVA_PATTERN_CALL:
    if (strcmp(p->name, "one_of") == 0) {
      for (const struct nova_pattern *c = p->child; c != NULL; c = c->next)
        if (nova_pattern_match(c, v, scope, NULL))
          return true;
      return differ(m, p, scope, v);
    }
    if (strcmp(p->name, "not") == 0)
      return v.type != NOVA_JSON_NONE &&
                     !nova_pattern_match(p->child, v, scope, NULL)
                 ? true
                 : differ(m, p, scope, v);
    if (strcmp(p->name, "has") == 0)
      return match_has(p, v, scope, m);
    if (strcmp(p->name, "like") == 0)
      return match_like(p, v, scope) ? true : differ(m, p, scope, v);
    if (strcmp(p->name, "starts_with") == 0 || strcmp(p->name, "covers") == 0)
      return match_text(p, v, scope) ? true : differ(m, p, scope, v);
    if (strcmp(p->name, "verbatim") == 0)
      return match_verbatim(p, v, scope) ? true : differ(m, p, scope, v);
    if (strcmp(p->name, "contains") == 0)
      return match_contains(p, v, scope) ? true : differ(m, p, scope, v);
    return v.type != NOVA_JSON_NONE && match_written(p, v, scope)
               ? true
               : differ(m, p, scope, v);
  case NOVA_PATTERN_OBJECT: break;
  case NOVA_PATTERN_LIST: {
    if (v.type != NOVA_JSON_ARRAY)
      return differ(m, p, scope, v);
    struct nova_json_iter it;
    nova_json_iter_init(&it, v);
    struct nova_json_value element;
    const struct nova_pattern *c = p->child;
    for (; c != NULL && nova_json_next(&it, NULL, &element); c = c->next)
      if (!nova_pattern_match(c, element, scope, m))
        return false;
    return c == NULL && !nova_json_next(&it, NULL, &element)
               ? true
               : differ(m, p, scope, v);
  }
  }
  if (v.type != NOVA_JSON_OBJECT)
    return differ(m, p, scope, v);
  size_t len = m != NULL ? strlen(m->path) : 0;
  for (const struct nova_pattern *c = p->child; c != NULL; c = c->next) {
    put_path(m, len, c->member);
    if (!nova_pattern_match(c, nova_json_get(v, nova_view_of(c->member)), scope,
                            m))
      return false;
  }
  if (m != NULL) {
    m->path[len] = '\0';
    if (len == 0)
      m->field[0] = '\0';
  }
  return true;
}

/* --- for a person
 * -------------------------------------------------------------
 */

static void print(const struct nova_pattern *p, struct nova_scope *scope,
                  struct nova_buf *out) {
  switch (p->kind) {
  case NOVA_PATTERN_LITERAL: nova_buf_append(out, p->json.p, p->json.n); return;
  case NOVA_PATTERN_KIND:
    if (strcmp(p->name, "unix_time") == 0)
      nova_buf_puts(out, "the present Unix time in whole seconds");
    else if (strcmp(p->name, "absent") == 0)
      nova_buf_puts(out, "nothing");
    else if (strcmp(p->name, "declared_members") == 0)
      nova_buf_puts(out, "an object whose members but timestamp and device_id "
                         "are declared value keys");
    else if (strcmp(p->name, "declared_values") == 0)
      nova_buf_puts(out, "an object whose members are declared value keys");
    else
      nova_buf_printf(out, "<%s>", p->name);
    return;
  case NOVA_PATTERN_REF: {
    /* A key is named, never shown. */
    size_t n = strlen(p->name);
    if (n > 4 && strcmp(p->name + n - 4, ".key") == 0)
      nova_buf_puts(out, "<the device key>");
    else if (strcmp(p->name, "platform.password") == 0)
      nova_buf_puts(out, "<the platform's password>");
    else if (!scope->lookup(scope->user, p->name, out))
      nova_buf_printf(out, "$%s", p->name);
    return;
  }
  case NOVA_PATTERN_CALL:
    if (strcmp(p->name, "not") == 0)
      nova_buf_puts(out, "anything but ");
    else if (strcmp(p->name, "exactly") == 0)
      nova_buf_puts(out, "exactly ");
    else if (strcmp(p->name, "has") == 0)
      nova_buf_puts(out, "an object with ");
    else if (strcmp(p->name, "like") == 0)
      nova_buf_puts(out, "a string like (# for digits) ");
    else if (strcmp(p->name, "starts_with") == 0)
      nova_buf_puts(out, "a string that is longer than and begins with ");
    else if (strcmp(p->name, "covers") == 0)
      nova_buf_puts(out, "a filter among the device's own topics that covers ");
    else if (strcmp(p->name, "verbatim") == 0)
      nova_buf_puts(out, "byte for byte ");
    else if (strcmp(p->name, "contains") == 0)
      nova_buf_puts(out, "a list with ");
    else if (strcmp(p->name, "one_of") != 0)
      nova_buf_printf(out, "%s of ", p->name);
    for (const struct nova_pattern *c = p->child; c != NULL; c = c->next) {
      print(c, scope, out);
      if (c->next != NULL)
        nova_buf_puts(out, c->next->next != NULL ? ", " : " or ");
    }
    return;
  case NOVA_PATTERN_OBJECT:
  case NOVA_PATTERN_LIST: break;
  }
  bool object = p->kind == NOVA_PATTERN_OBJECT;
  nova_buf_puts(out, object ? "{" : "[");
  for (const struct nova_pattern *c = p->child; c != NULL; c = c->next) {
    if (object)
      nova_buf_printf(out, "\"%s\": ", c->member);
    print(c, scope, out);
    if (c->next != NULL)
      nova_buf_puts(out, ", ");
  }
  nova_buf_puts(out, object ? "}" : "]");
}

char *nova_pattern_print(const struct nova_pattern *p, struct nova_scope *scope,
                         char *out, size_t cap) {
  struct nova_buf text;
  nova_buf_init(&text, scope->mem, MOST_BYTES);
  print(p, scope, &text);
  shorten(out, cap, nova_buf_view(&text));
  nova_buf_free(&text);
  return out;
}
