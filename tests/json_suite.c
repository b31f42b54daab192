/* The scanner against the JSONTestSuite of Nicolas Seriot, fetched by
 * tools/fetch-json-suite: every y_ is accepted but for the two with duplicate
 * keys, every n_ refused, and what becomes of each i_, which a parser may take
 * either way, is written down here.
 *
 *   json_suite DIRECTORY
 *
 * Exit status: 0 all is as it should be, 1 something is not, 77 the cases are
 * not there (those below were tried nevertheless). */
#include "base/error.h"
#include "codec/json.h"
#include "codec/message.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* What is decided for each i_, and for the two y_ on which the scanner is
 * stricter than the grammar: names should be unique (RFC 8259, section 4), and
 * where they are not, readers differ on what was said. */
static struct {
  const char *name;
  int code;
  bool met;
} decided[] = {
    {"i_number_double_huge_neg_exp.json", 0, false},
    {"i_number_huge_exp.json", NOVA_ERR_JSON_NUMBER_RANGE, false},
    {"i_number_neg_int_huge_exp.json", NOVA_ERR_JSON_NUMBER_RANGE, false},
    {"i_number_pos_double_huge_exp.json", NOVA_ERR_JSON_NUMBER_RANGE, false},
    {"i_number_real_neg_overflow.json", NOVA_ERR_JSON_NUMBER_RANGE, false},
    {"i_number_real_pos_overflow.json", NOVA_ERR_JSON_NUMBER_RANGE, false},
    {"i_number_real_underflow.json", 0, false},
    {"i_number_too_big_neg_int.json", 0, false},
    {"i_number_too_big_pos_int.json", 0, false},
    {"i_number_very_big_negative_int.json", 0, false},
    {"i_object_key_lone_2nd_surrogate.json", NOVA_ERR_JSON_SURROGATE, false},
    {"i_string_1st_surrogate_but_2nd_missing.json", NOVA_ERR_JSON_SURROGATE,
     false},
    {"i_string_1st_valid_surrogate_2nd_invalid.json", NOVA_ERR_JSON_SURROGATE,
     false},
    {"i_string_incomplete_surrogate_and_escape_valid.json",
     NOVA_ERR_JSON_SURROGATE, false},
    {"i_string_incomplete_surrogate_pair.json", NOVA_ERR_JSON_SURROGATE, false},
    {"i_string_incomplete_surrogates_escape_valid.json",
     NOVA_ERR_JSON_SURROGATE, false},
    {"i_string_invalid_lonely_surrogate.json", NOVA_ERR_JSON_SURROGATE, false},
    {"i_string_invalid_surrogate.json", NOVA_ERR_JSON_SURROGATE, false},
    {"i_string_inverted_surrogates_U+1D11E.json", NOVA_ERR_JSON_SURROGATE,
     false},
    {"i_string_lone_second_surrogate.json", NOVA_ERR_JSON_SURROGATE, false},
    {"y_object_duplicated_key.json", NOVA_ERR_JSON_DUPLICATE_KEY, false},
    {"y_object_duplicated_key_and_value.json", NOVA_ERR_JSON_DUPLICATE_KEY,
     false},
    {"i_structure_500_nested_arrays.json", NOVA_ERR_JSON_DEPTH, false},
    {"i_structure_UTF-8_BOM_empty_object.json", NOVA_ERR_JSON_BOM, false},
};

/* Cases of ours for those that have lost their bytes in the package: the same
 * kinds of wrong bytes at the same kinds of places. */
#define BYTES(s) s, sizeof s - 1
static const struct {
  const char *name;
  const char *text;
  size_t n;
  int code;
  size_t offset;
} ours[] = {
    {"UTF-16, little-endian, BOM", BYTES("\xff\xfe[\0\"\0\xe9\0\"\0]\0"),
     NOVA_ERR_JSON_UTF8, 0},
    {"UTF-16, big-endian", BYTES("\0[\0\"\0\xe9\0\"\0]"), NOVA_ERR_JSON_NUL, 0},
    {"UTF-16, little-endian", BYTES("[\0\"\0\xe9\0\"\0]\0"), NOVA_ERR_JSON_NUL,
     1},
    {"a wrong byte behind good ones", BYTES("[\"\xe6\x97\xa5\xd1\x88\xfa\"]"),
     NOVA_ERR_JSON_UTF8, 7},
    {"a surrogate", BYTES("[\"\xed\xa0\x80\"]"), NOVA_ERR_JSON_UTF8, 2},
    {"the byte FF", BYTES("[\"\xff\"]"), NOVA_ERR_JSON_UTF8, 2},
    {"Latin-1", BYTES("[\"\xe9\"]"), NOVA_ERR_JSON_UTF8, 2},
    {"a lone continuation", BYTES("[\"\x81\"]"), NOVA_ERR_JSON_UTF8, 2},
    {"above U+10FFFF", BYTES("[\"\xf4\xbf\xbf\xbf\"]"), NOVA_ERR_JSON_UTF8, 2},
    {"two bytes, overlong", BYTES("[\"\xc0\xaf\"]"), NOVA_ERR_JSON_UTF8, 2},
    {"six bytes", BYTES("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"), NOVA_ERR_JSON_UTF8,
     2},
    {"six bytes for NUL", BYTES("[\"\xfc\x80\x80\x80\x80\x80\"]"),
     NOVA_ERR_JSON_UTF8, 2},
    {"a character cut off", BYTES("[\"\xe0\xff\"]"), NOVA_ERR_JSON_UTF8, 2},
    {"behind a letter", BYTES("[a\xe5]"), NOVA_ERR_JSON_LITERAL, 1},
    {"as a value", BYTES("[\xff]"), NOVA_ERR_JSON_UTF8, 1},
    {"behind digits", BYTES("[123\xe5]"), NOVA_ERR_JSON_UTF8, 4},
    {"behind an exponent", BYTES("[1e1\xe5]"), NOVA_ERR_JSON_UTF8, 4},
    {"behind a nought", BYTES("[0\xe5]\n"), NOVA_ERR_JSON_UTF8, 2},
    {"as an exponent", BYTES("[1e\xe5]"), NOVA_ERR_JSON_NUMBER, 3},
    {"in a key", BYTES("{\"\xb9\":\"0\",}"), NOVA_ERR_JSON_UTF8, 2},
    {"in a \\u escape", BYTES("[\"\\u\xe5\"]"), NOVA_ERR_JSON_ESCAPE, 2},
    {"behind a backslash", BYTES("[\"\\\xe5\"]"), NOVA_ERR_JSON_ESCAPE, 2},
    {"half a BOM", BYTES("\xef\xbb{}"), NOVA_ERR_JSON_UTF8, 0},
    {"by itself", BYTES("\xe5"), NOVA_ERR_JSON_UTF8, 0},
    {"Latin-1 by itself", BYTES("\xe9"), NOVA_ERR_JSON_UTF8, 0},
};

static struct nova_json *scanner;
static int wrong;

/* An exact copy, so that reading one byte too many is seen. */
static struct nova_fault_at check(const char *text, size_t n) {
  struct nova_fault_at at = {0, 0};
  struct nova_msg message;
  char *copy = malloc(n);
  if (copy == NULL && n != 0) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
  if (n != 0)
    memcpy(copy, text, n);
  at.code = nova_json_check(scanner, copy, n, NULL, &at);
  if (nova_msg_decode(scanner, copy, n, &message) == 0 && at.code != 0) {
    printf("decoded what is no JSON\n");
    wrong++;
  }
  free(copy);
  return at;
}

static void judge(const char *name, const char *text, size_t n) {
  struct nova_fault_at at = check(text, n);
  bool good = name[0] == 'y' ? at.code == 0 : name[0] == 'n' && at.code != 0;
  for (size_t i = 0; i < sizeof decided / sizeof *decided; i++)
    if (strcmp(decided[i].name, name) == 0) {
      decided[i].met = true;
      good = at.code == decided[i].code;
    }
  if (!good) {
    printf("%s: %s at %zu\n", name, nova_error_name(at.code), at.offset);
    wrong++;
  }
}

static void judge_file(const char *folder, const char *name) {
  static char text[1 << 20];
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "rb");
  if (f == NULL) {
    printf("%s cannot be read\n", path);
    wrong++;
    return;
  }
  size_t n = fread(text, 1, sizeof text, f);
  fclose(f);
  judge(name, text, n);
}

static void judge_ours(void) {
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
    struct nova_fault_at at = check(ours[i].text, ours[i].n);
    if (at.code == ours[i].code && at.offset == ours[i].offset)
      continue;
    printf("%s: %s at %zu\n", ours[i].name, nova_error_name(at.code),
           at.offset);
    wrong++;
  }
}

/* How many there are of each kind in the package, less those above. */
static void expect(const char *kind, size_t found, size_t expected) {
  if (found == expected)
    return;
  printf("%zu cases of %s instead of %zu\n", found, kind, expected);
  wrong++;
}

int main(int argc, char **argv) {
  scanner = nova_json_new(NULL, 1 << 20, NOVA_JSON_DEPTH);
  if (argc != 2 || scanner == NULL)
    return 2;
  judge_ours();
  DIR *folder = opendir(argv[1]);
  if (folder == NULL) {
    nova_json_free(scanner);
    puts("the cases are not there: see tools/fetch-json-suite");
    return wrong != 0 ? 1 : 77;
  }
  size_t y = 0, n = 0, i = 0;
  for (struct dirent *e; (e = readdir(folder)) != NULL;) {
    if (e->d_name[0] == '.')
      continue;
    y += e->d_name[0] == 'y';
    n += e->d_name[0] == 'n';
    i += e->d_name[0] == 'i';
    judge_file(argv[1], e->d_name);
  }
  closedir(folder);
  nova_json_free(scanner);
  expect("y_", y, 95);
  expect("n_", n, 188 - 12);
  expect("i_", i, 35 - 13);
  for (size_t d = 0; d < sizeof decided / sizeof *decided; d++)
    if (!decided[d].met) {
      printf("%s was not there\n", decided[d].name);
      wrong++;
    }
  printf("%zu cases and %zu of ours, %d wrong\n", y + n + i,
         sizeof ours / sizeof *ours, wrong);
  return wrong != 0 ? 1 : 0;
}
