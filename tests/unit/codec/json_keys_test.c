/* Duplicate keys in large objects, in many objects, and against keys that are
 * made to meet. */
#include "support.h"

#include "codec/json_keys.h"
#include "codec/message.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static char text[1 << 20];
static size_t n;

#define ADD(...)                                                               \
  do {                                                                         \
    n += (size_t)snprintf(text + n, sizeof text - n, __VA_ARGS__);             \
    cr_assert_lt(n, sizeof text);                                              \
  } while (0)

static struct nova_fault_at check(struct nova_json *j) {
  struct nova_fault_at at;
  check_copy(j, (struct nova_view){text, n}, &at);
  return at;
}

static double seconds(clock_t since) {
  return (double)(clock() - since) / CLOCKS_PER_SEC;
}

Test(json_keys, twenty_thousand_in_one_object) {
  struct nova_json *j = nova_json_new(NULL, sizeof text, 64);
  n = 0;
  ADD("{");
  for (int i = 0; i < 20000; i++)
    ADD("\"%d\":0,", i);
  size_t place = n;
  ADD("\"x\":0}");
  clock_t start = clock();
  cr_assert_eq(check(j).code, 0);
  cr_assert_lt(seconds(start), 1.0, "not linear");
  for (int i = 0; i < 20000; i += 777) {
    n = place;
    ADD("\"%d\":0}", i);
    struct nova_fault_at at = check(j);
    cr_assert_eq(at.code, NOVA_ERR_JSON_DUPLICATE_KEY, "%d", i);
    cr_assert_eq(at.offset, place);
  }
  nova_json_free(j);
}

/* A beginning without keys, and then many: more than it let expect. */
Test(json_keys, many_behind_a_long_string) {
  n = 0;
  ADD("{\"type\":\"data\",\"device_id\":\"D\",\"timestamp\":1,\"values\":{"
      "\"text\":\"");
  memset(text + n, 'x', 5000);
  n += 5000;
  ADD("\"");
  for (int i = 0; i < 10000; i++)
    ADD(",\"%d\":0", i);
  cr_assert_lt(n, 131000);
  size_t end = n;
  ADD("}}");
  cr_assert_eq(check(scanner()).code, 0);
  struct nova_msg m;
  cr_assert_eq(nova_msg_decode(scanner(), text, n, &m), 0);
  cr_assert(m.u.data.values.p + m.u.data.values.n == text + n - 1);
  n = end;
  ADD(",\"9876\":0}}");
  struct nova_fault_at at = check(scanner());
  cr_assert_eq(at.code, NOVA_ERR_JSON_DUPLICATE_KEY);
  cr_assert_eq(at.offset, end + 1);
  cr_assert_eq(nova_msg_decode(scanner(), text, n, &m),
               NOVA_ERR_JSON_DUPLICATE_KEY);
  cr_assert_eq(m.defect[0].offset, end + 1);
}

/* The same on the outermost level: the members are recorded once only. */
Test(json_keys, many_members_behind_a_long_string) {
  n = 0;
  ADD("{\"text\":\"");
  memset(text + n, 'x', 5000);
  n += 5000;
  ADD("\"");
  for (int i = 0; i < 10000; i++)
    ADD(",\"%d\":0", i);
  ADD(",\"timestamp\":5,\"type\":\"pong\"}");
  struct nova_msg m;
  cr_assert_eq(nova_msg_decode(scanner(), text, n, &m), 0);
  cr_assert_eq(m.kind, NOVA_MSG_PONG);
  cr_assert_eq(m.u.pong.timestamp, 5);
  cr_assert_eq(m.unknown, 10001);
}

/* The same keys in thousands of objects are no duplicates, nested or not. */
Test(json_keys, the_same_in_many_objects) {
  struct nova_json *j = nova_json_new(NULL, sizeof text, 3001);
  n = 0;
  ADD("[");
  for (int i = 0; i < 10000; i++)
    ADD("%s{\"a\":1,\"b\":2,\"\":3}", i != 0 ? "," : "");
  ADD("]");
  cr_assert_eq(check(j).code, 0);
  n = 0;
  for (int i = 0; i < 2999; i++)
    ADD("{\"b\":1,\"a\":");
  ADD("{\"a\":1");
  for (int i = 0; i < 3000; i++)
    ADD(",\"c\":[]}");
  cr_assert_eq(check(j).code, 0);
  /* After the inner objects the outer one still knows its keys. */
  n--;
  size_t place = n + 1;
  ADD(",\"a\":1}");
  struct nova_fault_at at = check(j);
  cr_assert_eq(at.code, NOVA_ERR_JSON_DUPLICATE_KEY);
  cr_assert_eq(at.offset, place);
  nova_json_free(j);
}

/* As many keys as a text can hold, whole and cut off inside the last one. */
Test(json_keys, as_many_as_fit) {
  for (size_t size = 1; size < 700; size++) {
    struct nova_json *j = nova_json_new(NULL, size, 65535);
    for (int arrays = 0; arrays <= 1; arrays++) {
      n = 0;
      while (n < size)
        ADD(arrays ? "{\"\":[" : "{\"\":");
      n = size;
      cr_assert_eq(check(j).code, NOVA_ERR_JSON_TRUNCATED);
    }
    nova_json_free(j);
  }
}

/* The table is shared by the texts, and numbers of objects run on: after many
 * texts, none remembers another's keys. */
Test(json_keys, texts_do_not_see_each_other) {
  struct nova_json *j = nova_json_new(NULL, 1000, 64);
  static const char *const texts[] = {"{\"a\":1,\"b\":{\"a\":2}}",
                                      "[{\"a\":1},{\"a\":1},{\"a\":1}]",
                                      "{\"b\":1,\"a\":1}"};
  for (int i = 0; i < 30000; i++)
    cr_assert_eq(check_copy(j, nova_view_of(texts[i % 3]), NULL), 0, "text %d",
                 i);
  nova_json_free(j);
}

/* When the numbers of objects run out, the table is cleared and they begin
 * anew. */
Test(json_keys, numbers_of_objects_wrap) {
  struct nova__key slot[32] = {{0}};
  struct nova__keys k;
  nova__keys_init(&k, slot, 32);
  k.last = UINT32_MAX - 20;
  for (int round = 0; round < 40; round++) {
    static const char t[] = "aabbccdd";
    nova__keys_begin(&k, t, sizeof t - 1, SIZE_MAX);
    uint32_t outer = nova__keys_object(&k), inner = nova__keys_object(&k);
    cr_assert_neq(outer, 0);
    cr_assert_neq(inner, 0);
    cr_assert(nova__keys_add(&k, outer, t, 0, 2, false), "round %d", round);
    cr_assert(nova__keys_add(&k, inner, t, 0, 2, false));
    cr_assert(nova__keys_add(&k, outer, t, 2, 2, false));
  }
  cr_assert_lt(k.last, 200);
}

/* Keys that fall into eight neighbouring slots of a table of 4096, in the first
 * object of the first text of a scanner, which has number 2. */
static void add_meeting_keys(size_t count) {
  for (uint64_t i = 0; count > 0; i++) {
    char key[32];
    int length = snprintf(key, sizeof key, "%llx", (unsigned long long)i);
    if (nova__keys_hash(2, key, (size_t)length) >> (64 - 12) < 8) {
      ADD("\"%s\":0,", key);
      count--;
    }
  }
}

/* Enough of them to use the budget up: the keys are sorted, and the answers are
 * the same. */
Test(json_keys, that_are_made_to_meet) {
  static const struct {
    const char *end;
    int code;
    size_t offset;
  } cases[] = {
      {"\"x\":0}", 0, 0},
      {"\"x\":0,\"x\":0}", NOVA_ERR_JSON_DUPLICATE_KEY, 6},
      {"\"x\":0,\"y\":[{\"x\":0}],\"y\":0}", NOVA_ERR_JSON_DUPLICATE_KEY, 20},
      {"\"x\":{\"a\":1,\"b\":2,\"a\":3}}", NOVA_ERR_JSON_DUPLICATE_KEY, 17},
      {"\"x\":0,\"\\u0078\":0}", NOVA_ERR_JSON_DUPLICATE_KEY, 6},
      {"\"x\":0,\"x\":0,\"x\":?", NOVA_ERR_JSON_DUPLICATE_KEY, 6},
      {"\"x\":0,\"X\":?", NOVA_ERR_JSON_UNEXPECTED, 10},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_json *j = nova_json_new(NULL, 10000, 64);
    n = 0;
    ADD("{");
    add_meeting_keys(600);
    size_t end = n;
    ADD("%s", cases[i].end);
    cr_assert(n > 4096 && n <= 8192, "the table has another size: %zu", n);
    struct nova_fault_at at = check(j);
    cr_expect_eq(at.code, cases[i].code, "%zu: %s", i,
                 nova_error_name(at.code));
    if (cases[i].code != 0)
      cr_expect_eq(at.offset, end + cases[i].offset, "%zu: %zu", i,
                   at.offset - end);
    /* and what comes after is not disturbed */
    cr_expect_eq(check_copy(j, nova_view_of("{\"x\":0,\"y\":0}"), NULL), 0);
    nova_json_free(j);
  }
}

/* Random keys of few letters, some escaped, in three objects, with every
 * budget: the same first duplicate as by comparing each with each. */
Test(json_keys, the_same_answer_with_every_budget) {
  struct nova_rng r;
  nova_rng_init(&r, 5);
  size_t sorted = 0, duplicates = 0;
  for (int round = 0; round < 20000; round++) {
    struct {
      size_t at, n;
      unsigned object;
      bool escaped;
      char plain[8];
    } key[40];
    static struct nova__key slot[1024];
    struct nova__keys k;
    size_t count = 1 + nova_rng_below(&r, 40), first = SIZE_MAX;
    uint64_t letters = 1 + nova_rng_below(&r, 5);
    n = 0;
    for (size_t i = 0; i < count; i++) {
      size_t length = nova_rng_below(&r, 7);
      key[i].at = n;
      key[i].object = (unsigned)nova_rng_below(&r, 3);
      key[i].escaped = false;
      for (size_t c = 0; c < length; c++) {
        key[i].plain[c] = (char)('a' + nova_rng_below(&r, letters));
        if (nova_rng_below(&r, 10) == 0) {
          ADD("\\u%04x", (unsigned)key[i].plain[c]);
          key[i].escaped = true;
        } else {
          ADD("%c", key[i].plain[c]);
        }
      }
      key[i].plain[length] = '\0';
      key[i].n = n - key[i].at;
      ADD("\"");
      for (size_t e = 0; e < i; e++)
        if (key[e].object == key[i].object &&
            strcmp(key[e].plain, key[i].plain) == 0 && first == SIZE_MAX)
          first = key[i].at;
    }
    /* Twice the keys, so that the table is as full as it can get. */
    memset(slot, 0, sizeof slot);
    nova__keys_init(&k, slot, nova__keys_slots(4 * count));
    nova__keys_begin(&k, text, 4 * count, SIZE_MAX);
    k.n = n;
    k.budget = nova_rng_below(&r, 12);
    uint32_t object[3];
    for (size_t o = 0; o < 3; o++)
      object[o] = nova__keys_object(&k);
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < count && found == SIZE_MAX; i++)
      if (!nova__keys_add(&k, object[key[i].object], text, key[i].at, key[i].n,
                          key[i].escaped))
        found = key[i].at;
    if (k.sorting) {
      sorted++;
      size_t offset;
      if (nova__keys_finish(&k, &offset))
        found = offset;
    }
    duplicates += found != SIZE_MAX;
    cr_assert_eq(found, first, "round %d: %zu, not %zu: %.*s", round, found,
                 first, (int)n, text);
  }
  cr_assert(sorted > 1000 && duplicates > 1000 && duplicates < 19000,
            "%zu sorted, %zu duplicates", sorted, duplicates);
}

/* A key hashes alike with and without escapes, whatever its length. */
Test(json_keys, hash_of_an_escaped_key) {
  char plain[200], escaped[1300];
  for (size_t length = 0; length < sizeof plain; length++) {
    for (size_t every = 1; every <= 3; every++) {
      size_t e = 0;
      for (size_t i = 0; i < length; i++) {
        plain[i] = (char)('a' + i % 26);
        if (i % every == 0)
          e += (size_t)snprintf(escaped + e, sizeof escaped - e, "\\u%04x",
                                (unsigned)plain[i]);
        else
          escaped[e++] = plain[i];
      }
      escaped[e] = '"';
      cr_assert_eq(nova__keys_hash(7, plain, length),
                   nova__keys_hash_escaped(7, escaped), "%zu", length);
    }
  }
}
