/* What the scanner accepts, cJSON reads with the same values, but for a short
 * list of named differences. Its leniency does not matter here: what the
 * scanner refuses is not compared. */
#include "support.h"

#include "base/rng.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Where cJSON 1.7.15 differs. */
enum difference {
  CUT_AT_NUL, /* a string ends at \u0000 for it */
  DIFFERENCES
};

static size_t seen[DIFFERENCES];

static bool same_string(struct nova_json_value v, const char *theirs) {
  static char ours[131072];
  size_t n = nova_json_string(v, ours, sizeof ours);
  cr_assert_leq(n, sizeof ours);
  if (memchr(ours, '\0', n) != NULL) {
    seen[CUT_AT_NUL]++;
    return strcmp(ours, theirs) == 0;
  }
  return n == strlen(theirs) && memcmp(ours, theirs, n) == 0;
}

static bool same(struct nova_json_value v, const cJSON *c) {
  double d;
  struct nova_json_iter it;
  struct nova_json_value key, value;
  switch (v.type) {
  case NOVA_JSON_NONE: return false;
  case NOVA_JSON_NULL: return cJSON_IsNull(c);
  case NOVA_JSON_FALSE: return cJSON_IsFalse(c);
  case NOVA_JSON_TRUE: return cJSON_IsTrue(c);
  case NOVA_JSON_STRING:
    return cJSON_IsString(c) && same_string(v, c->valuestring);
  case NOVA_JSON_NUMBER:
    if (!cJSON_IsNumber(c) || !nova_json_double(v, &d))
      return false;
    return memcmp(&d, &c->valuedouble, sizeof d) == 0;
  case NOVA_JSON_ARRAY:
  case NOVA_JSON_OBJECT:
    if (v.type == NOVA_JSON_ARRAY ? !cJSON_IsArray(c) : !cJSON_IsObject(c))
      return false;
    nova_json_iter_init(&it, v);
    for (c = c->child; c != NULL; c = c->next) {
      if (!nova_json_next(&it, &key, &value) || !same(value, c))
        return false;
      if (v.type == NOVA_JSON_OBJECT && !same_string(key, c->string))
        return false;
    }
    return !nova_json_next(&it, NULL, NULL);
  }
  return false;
}

/* A document from the grammar, and some things beside it. */
struct made {
  char text[8192];
  size_t n;
  struct nova_rng r;
};

static uint64_t below(struct made *m, uint64_t n) {
  return nova_rng_below(&m->r, n);
}

static void put(struct made *m, const char *s) {
  size_t n = strlen(s);
  if (m->n + n < sizeof m->text) {
    memcpy(m->text + m->n, s, n);
    m->n += n;
  }
}

static void put_space(struct made *m) {
  static const char *const spaces[] = {"", "", "", " ", "\n", "\t \r\n"};
  put(m, spaces[below(m, 6)]);
}

static void put_string(struct made *m) {
  static const char *const pieces[] = {"a",
                                       "key",
                                       "value",
                                       " ",
                                       "/",
                                       "\\n",
                                       "\\\"",
                                       "\\\\",
                                       "\\/",
                                       "\\u00e9",
                                       "\\ud83d\\ude00",
                                       "\xc3\xa9",
                                       "\xe6\xb8\xa9",
                                       "\xf0\x9f\x98\x80",
                                       "\\u0041",
                                       "temperature",
                                       "a string of more than sixteen bytes",
                                       "\x7f",
                                       "{}[]:,",
                                       "\\b\\f\\r\\t",
                                       "\\uFFFF"};
  put(m, "\"");
  for (uint64_t k = below(m, 5); k > 0; k--)
    put(m, pieces[below(m, sizeof pieces / sizeof *pieces)]);
  if (below(m, 300) == 0)
    put(m, "\\u0000tail");
  /* Mostly different, as keys have to be. */
  char s[24];
  snprintf(s, sizeof s, "%u", (unsigned)below(m, 100000));
  if (below(m, 4) != 0)
    put(m, s);
  put(m, "\"");
}

static void put_number(struct made *m) {
  static const char *const special[] = {
      "0",         "-0",     "0.0",
      "1e5",       "1E-5",   "9007199254740993",
      "-1.5e+300", "1e-400", "123456789012345678901234567890",
      "0.1",       "2.5e-1", "1.7976931348623157e308",
      "5e-324"};
  char s[64];
  switch (below(m, 5)) {
  case 0: put(m, special[below(m, sizeof special / sizeof *special)]); return;
  case 1: snprintf(s, sizeof s, "%d", (int)below(m, 2000000) - 1000000); break;
  case 2:
    snprintf(s, sizeof s, "%.*f", (int)below(m, 6),
             (double)below(m, 1000000) / 777);
    break;
  case 3:
    snprintf(s, sizeof s, "%.17g", (double)nova_rng_next(&m->r) / 1e9);
    break;
  default:
    /* Long: 64 bytes and more at times. */
    for (uint64_t k = 1 + below(m, 30); k > 0; k--)
      put(m, &"123"[below(m, 3)]);
    if (below(m, 2) != 0)
      put(m, ".125");
    return;
  }
  put(m, s);
}

static void put_value(struct made *m, unsigned depth) {
  put_space(m);
  switch (below(m, depth < 6 ? 9 : 6)) {
  case 0:
  case 1: put_number(m); break;
  case 2:
  case 3: put_string(m); break;
  case 4: put(m, below(m, 2) != 0 ? "true" : "false"); break;
  case 5: put(m, "null"); break;
  case 6:
    put(m, "[");
    for (uint64_t k = below(m, 5); k > 0; k--) {
      put_value(m, depth + 1);
      put(m, k > 1 ? "," : "");
    }
    put_space(m);
    put(m, "]");
    break;
  default:
    put(m, "{");
    for (uint64_t k = below(m, 8); k > 0; k--) {
      put_space(m);
      put_string(m);
      put_space(m);
      put(m, ":");
      put_value(m, depth + 1);
      put(m, k > 1 ? "," : "");
    }
    put_space(m);
    put(m, "}");
  }
  put_space(m);
}

Test(json_cjson, reads_the_same_values) {
  static struct made m;
  nova_rng_init(&m.r, 20);
  size_t accepted = 0, refused = 0;
  for (int round = 0; round < 20000; round++) {
    m.n = 0;
    put_value(&m, 0);
    /* Some are damaged: many of those the scanner refuses. */
    if (below(&m, 3) == 0 && m.n > 0)
      m.text[below(&m, m.n)] = "\"\\{}[]:,0.e-1 "[below(&m, 14)];
    char *copy = exact_copy((struct nova_view){m.text, m.n});
    struct nova_json_value v;
    if (nova_json_check(scanner(), copy, m.n, &v, NULL) != 0) {
      refused++;
      free(copy);
      continue;
    }
    accepted++;
    cJSON *c = cJSON_ParseWithLength(copy, m.n);
    cr_assert_not_null(c, "cJSON refuses %.*s", (int)m.n, m.text);
    cr_assert(same(v, c), "%.*s", (int)m.n, m.text);
    cr_assert(nova_json_equal(v, v));
    cJSON_Delete(c);
    free(copy);
  }
  cr_assert(accepted > 5000 && refused > 500, "%zu accepted, %zu refused",
            accepted, refused);
  /* The list holds nothing that is no longer so. */
  for (int i = 0; i < DIFFERENCES; i++)
    cr_assert_gt(seen[i], 0, "difference %d was not met", i);
}

/* What cJSON prints, the scanner accepts. */
Test(json_cjson, accepts_what_cjson_prints) {
  static struct made m;
  nova_rng_init(&m.r, 21);
  for (int round = 0; round < 5000; round++) {
    m.n = 0;
    put_value(&m, 0);
    /* Strings that it cuts may become equal keys. */
    if (memmem(m.text, m.n, "\\u0000", 6) != NULL)
      continue;
    cJSON *c = cJSON_ParseWithLength(m.text, m.n);
    if (c == NULL ||
        check_copy(scanner(), (struct nova_view){m.text, m.n}, NULL) != 0) {
      cJSON_Delete(c);
      continue;
    }
    char *printed = round % 2 != 0 ? cJSON_Print(c) : cJSON_PrintUnformatted(c);
    struct nova_fault_at at;
    check_copy(scanner(), nova_view_of(printed), &at);
    /* It prints DBL_MAX with 15 digits, which is more than DBL_MAX. */
    bool rounded_up = strstr(printed, "1.79769313486232e+308") != NULL;
    cr_assert_eq(at.code, rounded_up ? NOVA_ERR_JSON_NUMBER_RANGE : 0,
                 "%s at %zu: %s", nova_error_name(at.code), at.offset, printed);
    cJSON_free(printed);
    cJSON_Delete(c);
  }
}
