#include "codec/mqtt_internal.h"

#include "base/utf8.h"

/* A wildcard at s.p[i]. */
static int wildcard(struct nova_view s, size_t i, enum nova__mqtt_kind kind) {
  if (kind == NOVA__MQTT_STRING)
    return 0;
  if (kind == NOVA__MQTT_TOPIC)
    return NOVA_ERR_MQTT_TOPIC_WILDCARD;
  bool first = i == 0 || s.p[i - 1] == '/';
  bool last = i + 1 == s.n;
  if (s.p[i] == '#')
    return first && last ? 0 : NOVA_ERR_MQTT_FILTER_HASH;
  return first && (last || s.p[i + 1] == '/') ? 0 : NOVA_ERR_MQTT_FILTER_PLUS;
}

/* U+FDD0 to U+FDEF, and the last two of each plane. */
static bool noncharacter(uint32_t cp) {
  return (cp >= 0xfdd0 && cp <= 0xfdef) || (cp & 0xfffe) == 0xfffe;
}

/* The character at p[0], which is none of the printable ones of ASCII. */
static int other(const char *p, size_t n, unsigned *saw, size_t *length) {
  uint32_t cp;
  *length = nova_utf8_char(p, n, &cp);
  if (*length == 0) {
    const unsigned char *s = (const unsigned char *)p;
    bool surrogate = n >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf &&
                     s[2] >= 0x80 && s[2] <= 0xbf;
    return surrogate ? NOVA_ERR_MQTT_SURROGATE : NOVA_ERR_MQTT_UTF8;
  }
  if (cp == 0)
    return NOVA_ERR_MQTT_NUL;
  if (cp < 0xa0)
    *saw |= NOVA_MQTT_SAW_CONTROL;
  else if (noncharacter(cp))
    *saw |= NOVA_MQTT_SAW_NONCHARACTER;
  return 0;
}

/* Whether all eight bytes at |p| are printable ones of ASCII without "#" and
 * "+". The top bit is set of every byte that is none; a borrow out of such a
 * byte may set others too. */
static bool plain_word(const char *p) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t w;
  memcpy(&w, p, 8);
  uint64_t hash = w ^ ones * '#', plus = w ^ ones * '+';
  uint64_t bad =
      w | (w - ones * 0x20) | (w + ones) | (hash - ones) | (plus - ones);
  return (bad & ones * 0x80) == 0;
}

/* How many of the bytes from |i| on are plain, as far as words tell. */
static size_t plain(struct nova_view s, size_t i) {
  size_t start = i;
  while (s.n - i >= 8 && plain_word(s.p + i))
    i += 8;
  /* The last word begins before the last bytes. */
  if (s.n - i < 8 && s.n >= 8 && plain_word(s.p + s.n - 8))
    i = s.n;
  return i - start;
}

int nova__mqtt_text(struct nova_view s, enum nova__mqtt_kind kind,
                    unsigned *saw, size_t *where) {
  *where = 0;
  if (s.n == 0)
    return kind == NOVA__MQTT_STRING ? 0 : NOVA_ERR_MQTT_TOPIC_EMPTY;
  size_t i = plain(s, 0);
  while (i < s.n) {
    char c = s.p[i];
    size_t length = 1;
    int error = 0;
    if (c == '#' || c == '+')
      error = wildcard(s, i, kind);
    else if (c < 0x20 || c > 0x7e)
      error = other(s.p + i, s.n - i, saw, &length);
    if (error != 0) {
      *where = i;
      return error;
    }
    i += length;
  }
  return 0;
}

static bool valid(struct nova_view s, enum nova__mqtt_kind kind,
                  struct nova_fault_at *at) {
  unsigned saw = 0;
  size_t where = NOVA_MQTT_STRING_MAX;
  int error = NOVA_ERR_MQTT_TOPIC_LONG;
  if (s.n <= NOVA_MQTT_STRING_MAX)
    error = nova__mqtt_text(s, kind, &saw, &where);
  if (at != NULL)
    *at = (struct nova_fault_at){error, error != 0 ? where : 0};
  return error == 0;
}

bool nova_mqtt_topic_valid(struct nova_view topic, struct nova_fault_at *at) {
  return valid(topic, NOVA__MQTT_TOPIC, at);
}

bool nova_mqtt_filter_valid(struct nova_view filter, struct nova_fault_at *at) {
  return valid(filter, NOVA__MQTT_FILTER, at);
}

/* The rest of |s| from |from| up to the next "/". */
static struct nova_view level(struct nova_view s, size_t from) {
  const char *end = from < s.n ? memchr(s.p + from, '/', s.n - from) : NULL;
  size_t n = end != NULL ? (size_t)(end - s.p) - from : s.n - from;
  return (struct nova_view){s.p + from, n};
}

bool nova_mqtt_match(struct nova_view filter, struct nova_view topic) {
  if (filter.n == 0 || topic.n == 0)
    return false;
  if (topic.p[0] == '$' && (filter.p[0] == '+' || filter.p[0] == '#'))
    return false;
  for (size_t f = 0, t = 0;; f++, t++) {
    struct nova_view want = level(filter, f), is = level(topic, t);
    f += want.n;
    t += is.n;
    if (f == filter.n && nova_view_is(want, "#"))
      return true;
    if (!nova_view_is(want, "+") && !nova_view_eq(want, is))
      return false;
    if (t == topic.n) /* "a/#" includes the level above it. */
      return f == filter.n || (filter.n - f == 2 && filter.p[f + 1] == '#');
    if (f == filter.n)
      return false;
  }
}
