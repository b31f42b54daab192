#include "mqtt_support.h"
#include "support.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Judges an exact copy. */
static struct nova_fault_at judge(bool (*valid)(struct nova_view,
                                                struct nova_fault_at *),
                                  struct nova_view s) {
  char *copy = exact_copy(s);
  struct nova_fault_at at = {1, 99};
  bool ok = valid((struct nova_view){copy, s.n}, &at);
  cr_assert_eq(ok, at.code == 0);
  cr_assert_eq(ok, valid((struct nova_view){copy, s.n}, NULL));
  free(copy);
  return at;
}

struct row {
  const char *text; /* in the notation of bytes_of() */
  int topic;        /* the error as a topic name */
  size_t topic_at;
  int filter; /* the error as a topic filter */
  size_t filter_at;
};

#define E(name) NOVA_ERR_MQTT_##name

/* clang-format off */
static const struct row rows[] = {
    {"'a'",             0, 0,                   0, 0},
    {"'/'",             0, 0,                   0, 0},
    {"'//a//'",         0, 0,                   0, 0},
    {"' '",             0, 0,                   0, 0},
    {"'$SYS/x'",        0, 0,                   0, 0},
    {"e6b8a9 '/' c3a9", 0, 0,                   0, 0},
    {"efbbbf",          0, 0,                   0, 0},
    {"01 7f c280",      0, 0,                   0, 0},
    {"''",              E(TOPIC_EMPTY), 0,      E(TOPIC_EMPTY), 0},
    {"'#'",             E(TOPIC_WILDCARD), 0,   0, 0},
    {"'+'",             E(TOPIC_WILDCARD), 0,   0, 0},
    {"'+/+'",           E(TOPIC_WILDCARD), 0,   0, 0},
    {"'/+'",            E(TOPIC_WILDCARD), 1,   0, 0},
    {"'+/'",            E(TOPIC_WILDCARD), 0,   0, 0},
    {"'a/+/b/#'",       E(TOPIC_WILDCARD), 2,   0, 0},
    {"'a/#'",           E(TOPIC_WILDCARD), 2,   0, 0},
    {"'a#'",            E(TOPIC_WILDCARD), 1,   E(FILTER_HASH), 1},
    {"'a/#b'",          E(TOPIC_WILDCARD), 2,   E(FILTER_HASH), 2},
    {"'a/#/b'",         E(TOPIC_WILDCARD), 2,   E(FILTER_HASH), 2},
    {"'#/'",            E(TOPIC_WILDCARD), 0,   E(FILTER_HASH), 0},
    {"'##'",            E(TOPIC_WILDCARD), 0,   E(FILTER_HASH), 0},
    {"'+#'",            E(TOPIC_WILDCARD), 0,   E(FILTER_PLUS), 0},
    {"'a+'",            E(TOPIC_WILDCARD), 1,   E(FILTER_PLUS), 1},
    {"'+a'",            E(TOPIC_WILDCARD), 0,   E(FILTER_PLUS), 0},
    {"'a/b+/c'",        E(TOPIC_WILDCARD), 3,   E(FILTER_PLUS), 3},
    {"'a/++'",          E(TOPIC_WILDCARD), 2,   E(FILTER_PLUS), 2},
    {"'ab' 00",         E(NUL), 2,              E(NUL), 2},
    {"'ab' ff",         E(UTF8), 2,             E(UTF8), 2},
    {"'ab' c080",       E(UTF8), 2,             E(UTF8), 2},
    {"'a/' e6b8",       E(UTF8), 2,             E(UTF8), 2},
    {"'a/' eda080",     E(SURROGATE), 2,        E(SURROGATE), 2},
    {"'a/' edbfbf",     E(SURROGATE), 2,        E(SURROGATE), 2},
    {"'a/' eda0",       E(UTF8), 2,             E(UTF8), 2},
    {"'a/' eda0c0",     E(UTF8), 2,             E(UTF8), 2},
    {"'a/' eda07f",     E(UTF8), 2,             E(UTF8), 2},
    {"'a/' edc080",     E(UTF8), 2,             E(UTF8), 2},
    {"'a/' f4908080",   E(UTF8), 2,             E(UTF8), 2},
};

static const struct {
  const char *filter, *topic;
  bool match;
} pairs[] = {
    {"a",       "a",        true},
    {"a",       "A",        false},
    {"a",       "a/",       false},
    {"a/",      "a",        false},
    {"a",       "/a",       false},
    {"a/b",     "a/b",      true},
    {"a/b",     "a/bc",     false},
    {"a/bc",    "a/b",      false},
    {"#",       "a",        true},
    {"#",       "a/b/c",    true},
    {"#",       "/",        true},
    {"a/#",     "a",        true},
    {"a/#",     "a/",       true},
    {"a/#",     "a/b/c",    true},
    {"a/#",     "ab",       false},
    {"a/#",     "b",        false},
    {"a/b/#",   "a",        false},
    {"a/b/#",   "a/b",      true},
    {"+",       "a",        true},
    {"+",       "a/b",      false},
    {"+",       "/a",       false},
    {"/+",      "/a",       true},
    {"+/+",     "/a",       true},
    {"+/+",     "a",        false},
    {"a/+",     "a",        false},
    {"a/+",     "a/",       true},
    {"a/+",     "a/b",      true},
    {"a/+",     "a/b/c",    false},
    {"a/+/c",   "a/b/c",    true},
    {"a/+/c",   "a//c",     true},
    {"a/+/c",   "a/b/d",    false},
    {"a/+/#",   "a/b",      true},
    {"a/+/#",   "a",        false},
    {"+/b/#",   "a/b/c/d",  true},
    {"#",       "$SYS/x",   false},
    {"+/x",     "$SYS/x",   false},
    {"+/#",     "$SYS",     false},
    {"$SYS/#",  "$SYS/x",   true},
    {"$SYS/#",  "$SYS",     true},
    {"$SYS/+",  "$SYS/x",   true},
    {"a/+",     "a/$x",     true},
    {"a/#",     "a/$x",     true},
};
/* clang-format on */

Test(mqtt_topic, names_and_filters) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const struct row *row = &rows[i];
    struct nova_fault_at at = judge(nova_mqtt_topic_valid, bytes_of(row->text));
    cr_assert(at.code == row->topic && at.offset == row->topic_at,
              "%s as a topic: %s at %zu", row->text, nova_error_name(at.code),
              at.offset);
    at = judge(nova_mqtt_filter_valid, bytes_of(row->text));
    cr_assert(at.code == row->filter && at.offset == row->filter_at,
              "%s as a filter: %s at %zu", row->text, nova_error_name(at.code),
              at.offset);
  }
}

Test(mqtt_topic, the_length_has_a_limit) {
  static char text[65537];
  memset(text, 'x', sizeof text);
  for (size_t n = 65534; n <= 65536; n++) {
    struct nova_view s = {text, n};
    struct nova_fault_at a = judge(nova_mqtt_topic_valid, s);
    struct nova_fault_at b = judge(nova_mqtt_filter_valid, s);
    cr_assert_eq(a.code, n > 65535 ? E(TOPIC_LONG) : 0);
    cr_assert_eq(a.offset, n > 65535 ? 65535 : 0);
    cr_assert_eq(b.code, a.code);
  }
}

Test(mqtt_topic, filters_match_topics) {
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    struct nova_view f = nova_view_of(pairs[i].filter);
    struct nova_view t = nova_view_of(pairs[i].topic);
    cr_assert(nova_mqtt_filter_valid(f, NULL) &&
              nova_mqtt_topic_valid(t, NULL));
    char *filter = exact_copy(f), *topic = exact_copy(t);
    cr_assert_eq(nova_mqtt_match((struct nova_view){filter, f.n},
                                 (struct nova_view){topic, t.n}),
                 pairs[i].match, "%s and %s", f.p, t.p);
    free(filter);
    free(topic);
  }
}

/* 4.7 once more, by levels that were cut out before: the topic of |t| levels
 * and the filter of |f|. */
static bool plain_match(const char *const *f, size_t nf, const char *const *t,
                        size_t nt) {
  if (t[0][0] == '$' && (f[0][0] == '+' || f[0][0] == '#'))
    return false;
  for (size_t i = 0; i < nf; i++) {
    if (f[i][0] == '#')
      return nt >= i;
    if (i >= nt || (f[i][0] != '+' && strcmp(f[i], t[i]) != 0))
      return false;
  }
  return nf == nt;
}

static size_t join(char *out, const char *const *levels, size_t n) {
  size_t length = 0;
  for (size_t i = 0; i < n; i++) {
    if (i != 0)
      out[length++] = '/';
    memcpy(out + length, levels[i], strlen(levels[i]));
    length += strlen(levels[i]);
  }
  return length;
}

Test(mqtt_topic, matching_is_what_levels_say) {
  static const char *const names[] = {"a", "b", "", "$a", "+", "#"};
  struct nova_rng r;
  nova_rng_init(&r, 11);
  size_t matches = 0;
  for (int round = 0; round < 100000; round++) {
    const char *f[4], *t[4];
    size_t nf = 1 + nova_rng_below(&r, 4), nt = 1 + nova_rng_below(&r, 4);
    for (size_t i = 0; i < nf; i++)
      f[i] = names[nova_rng_below(&r, i + 1 == nf ? 6 : 5)];
    for (size_t i = 0; i < nt; i++)
      t[i] = names[nova_rng_below(&r, 4)];
    char filter[32], topic[32];
    struct nova_view fv = {filter, join(filter, f, nf)};
    struct nova_view tv = {topic, join(topic, t, nt)};
    if (fv.n == 0 || tv.n == 0)
      continue;
    bool want = plain_match(f, nf, t, nt);
    matches += want;
    cr_assert_eq(nova_mqtt_match(fv, tv), want, "%.*s and %.*s", (int)fv.n,
                 filter, (int)tv.n, topic);
  }
  cr_assert_gt(matches, 3000, "only %zu match", matches);
}

/* What is not valid has no meaning, and no consequence either. */
Test(mqtt_topic, nothing_is_too_odd_to_be_compared) {
  static const char alphabet[] = "/+#$a";
  struct nova_rng r;
  nova_rng_init(&r, 12);
  for (int round = 0; round < 20000; round++) {
    char text[2][8];
    struct nova_view v[2];
    for (int k = 0; k < 2; k++) {
      v[k] = (struct nova_view){text[k], nova_rng_below(&r, 8)};
      for (size_t i = 0; i < v[k].n; i++)
        text[k][i] = alphabet[nova_rng_below(&r, 6)];
    }
    char *a = exact_copy(v[0]), *b = exact_copy(v[1]);
    nova_mqtt_match((struct nova_view){a, v[0].n},
                    (struct nova_view){b, v[1].n});
    free(a);
    free(b);
  }
  cr_assert_not(
      nova_mqtt_match((struct nova_view){NULL, 0}, nova_view_of("a")));
  cr_assert_not(
      nova_mqtt_match(nova_view_of("#"), (struct nova_view){NULL, 0}));
}

/* Strings are looked at eight bytes at a time: every byte at every place. */
Test(mqtt_topic, every_byte_at_every_place) {
  for (size_t n = 1; n <= 20; n++)
    for (size_t at = 0; at < n; at++)
      for (unsigned c = 0; c < 256; c++) {
        char *packet = malloc(4 + n);
        cr_assert_not_null(packet);
        memcpy(packet, (char[]){0x30, (char)(2 + n), 0, (char)n}, 4);
        memset(packet + 4, 'a', n);
        packet[4 + at] = (char)c;
        struct nova_mqtt m;
        struct nova_fault_at fault;
        int expected = c == 0                 ? NOVA_ERR_MQTT_NUL
                       : c == '#' || c == '+' ? NOVA_ERR_MQTT_PUBLISH_WILDCARD
                       : c >= 0x80            ? NOVA_ERR_MQTT_UTF8
                                              : 0;
        cr_assert_eq(nova_mqtt_decode(packet, 4 + n, &m, &fault), expected,
                     "%02x at %zu of %zu", c, at, n);
        cr_assert_eq(fault.offset, expected != 0 ? 4 + at : 0);
        if (expected == 0)
          cr_assert_eq(m.saw != 0, c < 0x20 || c == 0x7f);
        free(packet);
      }
}
