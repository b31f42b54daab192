/* Which error, and where. In these tables ' stands for ". */
#include "support.h"

#include "codec/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* clang-format off */
static const struct {
  int code;
  const char *text;
  const char *caret; /* below the first offending byte; below the end for what is
                        cut off */
} marked[] = {
  {NOVA_ERR_JSON_EMPTY,          "",
                                 "^"},
  {NOVA_ERR_JSON_EMPTY,          "  ",
                                 "  ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "{",
                                 " ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "[1,",
                                 "   ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "[1 ",
                                 "   ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "{'a'",
                                 "    ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "{'a':",
                                 "     ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "{'a':1,",
                                 "       ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "'abc",
                                 "    ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "tru",
                                 "   ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "-",
                                 " ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "1.",
                                 "  ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "1e",
                                 "  ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "1e+",
                                 "   ^"},
  /* Long ones, whose last byte is a bracket. */
  {NOVA_ERR_JSON_TRUNCATED,      "[{'key':'a value of some length'}",
                                 "                                 ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "{'key':'a value of some length, ]",
                                 "                                 ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "[['padding','padding','padding'], [] ",
                                 "                                     ^"},
  {NOVA_ERR_JSON_TRAILING,       "1 2",
                                 "  ^"},
  {NOVA_ERR_JSON_TRAILING,       "{} }",
                                 "   ^"},
  {NOVA_ERR_JSON_TRAILING,       "[]]",
                                 "  ^"},
  {NOVA_ERR_JSON_TRAILING,       "''x",
                                 "  ^"},
  {NOVA_ERR_JSON_TRAILING,       "{'padding':'padding padding'} {}",
                                 "                              ^"},
  {NOVA_ERR_JSON_TRAILING,       "{'padding':'padding padding padding'}}",
                                 "                                     ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "[1,]",
                                 "   ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "[,1]",
                                 " ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "[1 2]",
                                 "   ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "[1}",
                                 "  ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{'a':1]",
                                 "      ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{'a' 1}",
                                 "     ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{'a'::1}",
                                 "     ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{'a':}",
                                 "     ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{'a':1,}",
                                 "       ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{,}",
                                 " ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{'a':1 'b':2}",
                                 "       ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{'padding':12345678,'a':1'b':'padding'}",
                                 "                         ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "{'padding':'padding','a':'1''b':'padding'}",
                                 "                            ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "]",
                                 "^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "*",
                                 "^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "[1/**/]",
                                 "  ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "[\f1]",
                                 " ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "[\v1]",
                                 " ^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "\xc2\xa0" "1",
                                 "^"},
  {NOVA_ERR_JSON_TRAILING,       "1\f",
                                 " ^"},
  {NOVA_ERR_JSON_LITERAL,        "NaN",
                                 "^"},
  {NOVA_ERR_JSON_LITERAL,        "[Infinity]",
                                 " ^"},
  {NOVA_ERR_JSON_LITERAL,        "[True]",
                                 " ^"},
  {NOVA_ERR_JSON_LITERAL,        "[nul]",
                                 "    ^"},
  {NOVA_ERR_JSON_LITERAL,        "[fals3]",
                                 "     ^"},
  {NOVA_ERR_JSON_LITERAL,        "nullx",
                                 "    ^"},
  {NOVA_ERR_JSON_LITERAL,        "[truefalse]",
                                 "     ^"},
  {NOVA_ERR_JSON_NUMBER,         "01",
                                 " ^"},
  {NOVA_ERR_JSON_NUMBER,         "-01",
                                 "  ^"},
  {NOVA_ERR_JSON_NUMBER,         "[00]",
                                 "  ^"},
  {NOVA_ERR_JSON_NUMBER,         "[1.]",
                                 "   ^"},
  {NOVA_ERR_JSON_NUMBER,         "[.5]",
                                 " ^"},
  {NOVA_ERR_JSON_NUMBER,         "[+1]",
                                 " ^"},
  {NOVA_ERR_JSON_NUMBER,         "[-]",
                                 "  ^"},
  {NOVA_ERR_JSON_NUMBER,         "[-a]",
                                 "  ^"},
  {NOVA_ERR_JSON_NUMBER,         "[--1]",
                                 "  ^"},
  {NOVA_ERR_JSON_NUMBER,         "[-Infinity]",
                                 "  ^"},
  {NOVA_ERR_JSON_NUMBER,         "[1e]",
                                 "   ^"},
  {NOVA_ERR_JSON_NUMBER,         "[1e+]",
                                 "    ^"},
  {NOVA_ERR_JSON_NUMBER,         "[1.e1]",
                                 "   ^"},
  {NOVA_ERR_JSON_NUMBER,         "[1.5.2]",
                                 "    ^"},
  {NOVA_ERR_JSON_NUMBER,         "[0x1F]",
                                 "  ^"},
  {NOVA_ERR_JSON_NUMBER,         "[1+2]",
                                 "  ^"},
  {NOVA_ERR_JSON_NUMBER,         "[12abc]",
                                 "   ^"},
  {NOVA_ERR_JSON_NUMBER,         "[1e5.3]",
                                 "    ^"},
  {NOVA_ERR_JSON_NUMBER,         "{'padding':'padding padding','a':01}",
                                 "                                  ^"},
  {NOVA_ERR_JSON_NUMBER,         "{'padding':'padding padding','a':1.}",
                                 "                                   ^"},
  {NOVA_ERR_JSON_NUMBER_RANGE,   "1e999",
                                 "^"},
  {NOVA_ERR_JSON_NUMBER_RANGE,   "[-1e999]",
                                 " ^"},
  {NOVA_ERR_JSON_NUMBER_RANGE,   "{'a':1e309}",
                                 "     ^"},
  {NOVA_ERR_JSON_STRING_CONTROL, "'a\tb'",
                                 "  ^"},
  {NOVA_ERR_JSON_STRING_CONTROL, "['line\nfeed']",
                                 "      ^"},
  {NOVA_ERR_JSON_STRING_CONTROL, "{'\x1f':1}",
                                 "  ^"},
  {NOVA_ERR_JSON_DUPLICATE_KEY,  "{'a':1,'a':1}",
                                 "       ^"},
  {NOVA_ERR_JSON_DUPLICATE_KEY,  "{'':1,'':1}",
                                 "      ^"},
  {NOVA_ERR_JSON_DUPLICATE_KEY,  "{'a':1,'b':2,'b':3,'a':4}",
                                 "             ^"},
  {NOVA_ERR_JSON_DUPLICATE_KEY,  "{'a':{'b':1,'b':1},'a':1}",
                                 "            ^"},
  {NOVA_ERR_JSON_DUPLICATE_KEY,  "{'a':{'a':[{'a':1}]},'a':1}",
                                 "                     ^"},
  {NOVA_ERR_JSON_DUPLICATE_KEY,  "{'one':1,'two':2,'padding':'x','one':3}",
                                 "                               ^"},
  {NOVA_ERR_JSON_DUPLICATE_KEY,  "{'a':1,'a':nonsense",
                                 "       ^"},
  {NOVA_ERR_JSON_KEY,            "{1:2}",
                                 " ^"},
  {NOVA_ERR_JSON_KEY,            "{a:1}",
                                 " ^"},
  {NOVA_ERR_JSON_KEY,            "{null:1}",
                                 " ^"},
  {NOVA_ERR_JSON_KEY,            "{'a':1,[]:2}",
                                 "       ^"},
  {NOVA_ERR_JSON_KEY,            "{-1:1}",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'\xff'",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'a\xc0\x80'",
                                 "  ^"},
  {NOVA_ERR_JSON_UTF8,           "'\xed\xa0\x80'",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'\xed\xa0\xbd\xed\xb8\x80'",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'\xf4\x90\x80\x80'",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'\xe0\x9f\xbf'",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'\xe6\xb8'",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'\x80'",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "[\xff]",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "{'a':1,\xe5}",
                                 "       ^"},
  {NOVA_ERR_JSON_BOM,            "\xef\xbb\xbf{}",
                                 "^"},
  {NOVA_ERR_JSON_BOM,            " \xef\xbb\xbf{}",
                                 " ^"},
  {NOVA_ERR_JSON_BOM,            "\xef\xbb\xbf",
                                 "^"},
  {NOVA_ERR_JSON_UNEXPECTED,     "[\xef\xbb\xbf]",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "\xef\xbb{}",
                                 "^"},
  /* Cut off inside a character: more bytes could have made it good. */
  {NOVA_ERR_JSON_TRUNCATED,      "'\xe6",
                                 "  ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "'\xe6\xb8",
                                 "   ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "'\xed",
                                 "  ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "'\xe0",
                                 "  ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "'\xf0\x9f\x98",
                                 "    ^"},
  {NOVA_ERR_JSON_TRUNCATED,      "'\xf4",
                                 "  ^"},
  /* ... and where none could. */
  {NOVA_ERR_JSON_UTF8,           "'\xed\xa0",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'\xf5",
                                 " ^"},
  {NOVA_ERR_JSON_UTF8,           "'\xc1",
                                 " ^"},
};

/* Where backslashes would shift the mark. */
static const struct {
  int code;
  size_t offset;
  const char *text;
} counted[] = {
  {NOVA_ERR_JSON_ESCAPE,    1, "'\\x41'"},
  {NOVA_ERR_JSON_ESCAPE,    3, "'ab\\a'"},
  {NOVA_ERR_JSON_ESCAPE,    1, "'\\u12g4'"},
  {NOVA_ERR_JSON_ESCAPE,    1, "'\\u12'"},
  {NOVA_ERR_JSON_ESCAPE,    1, "'\\U0041'"},
  {NOVA_ERR_JSON_ESCAPE,    1, "'\\\n'"},
  {NOVA_ERR_JSON_TRUNCATED, 2, "'\\"},
  {NOVA_ERR_JSON_TRUNCATED, 3, "'\\u"},
  {NOVA_ERR_JSON_TRUNCATED, 6, "'\\u004"},
  {NOVA_ERR_JSON_TRUNCATED, 3, "'\\'"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\ud800'"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\udc00'"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\udfff\\ud800'"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\ud800\\ud800'"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\ud800\\n'"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\ud800\\u0041'"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\ud800abc'"},
  {NOVA_ERR_JSON_SURROGATE, 13, "'\\ud83d\\ude00\\ud83d'"},
  {NOVA_ERR_JSON_SURROGATE, 2, "{'\\udead':1}"},
  {NOVA_ERR_JSON_TRUNCATED, 7, "'\\ud800"},
  {NOVA_ERR_JSON_TRUNCATED, 8, "'\\ud800\\"},
  {NOVA_ERR_JSON_TRUNCATED, 9, "'\\ud800\\u"},
  {NOVA_ERR_JSON_TRUNCATED, 11, "'\\ud800\\udc"},
  {NOVA_ERR_JSON_TRUNCATED, 12, "'\\ud800\\udc0"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\ud800\\u0"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\ud800\\ud8"},
  {NOVA_ERR_JSON_SURROGATE, 1, "'\\ud800\\n"},
  /* The same key once as it is and once escaped. */
  {NOVA_ERR_JSON_DUPLICATE_KEY, 10, "{'type':1,'\\u0074ype':2}"},
  {NOVA_ERR_JSON_DUPLICATE_KEY, 15, "{'\\u0074ype':1,'type':2}"},
  {NOVA_ERR_JSON_DUPLICATE_KEY, 9, "{'\\/':1, '\\u002f':2}"},
  {NOVA_ERR_JSON_DUPLICATE_KEY, 18, "{'\\ud83d\\ude00':1,'\xf0\x9f\x98\x80':2}"},
  {NOVA_ERR_JSON_DUPLICATE_KEY, 37,
   "{'a key of more than 32 bytes, \xc3\xa9':1,'\\u0061 key of more than 32 bytes, \\u00E9':2}"},
};
/* clang-format on */

static void expect(struct nova_view text, int code, size_t offset) {
  struct nova_fault_at at;
  check_copy(scanner(), text, &at);
  cr_expect(at.code == code && at.offset == offset,
            "%s at %zu instead of %s at %zu: %.*s", nova_error_name(at.code),
            at.offset, nova_error_name(code), offset, (int)text.n, text.p);
}

Test(json_error, has_its_code_and_offset) {
  for (size_t i = 0; i < sizeof marked / sizeof *marked; i++)
    expect(quoted(marked[i].text), marked[i].code, strlen(marked[i].caret) - 1);
}

Test(json_error, has_its_code_and_offset_with_escapes) {
  for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
    expect(quoted(counted[i].text), counted[i].code, counted[i].offset);
}

/* The same behind a long beginning and in front of a long rest: other ways
 * through the scanner, the same answer. */
Test(json_error, does_not_depend_on_what_is_around) {
  static char text[8192];
  for (size_t lead = 0; lead <= 3000; lead += lead < 40 ? 1 : 331) {
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
      struct nova_view t = quoted(counted[i].text);
      if (counted[i].code == NOVA_ERR_JSON_TRUNCATED || t.p[t.n - 1] == '0' ||
          t.p[t.n - 1] == 'n' || t.p[t.n - 1] == '8')
        continue; /* they have to stand at the end */
      size_t n = 0;
      memcpy(text, "[\"", 2);
      memset(text + 2, 'x', lead);
      n = 2 + lead;
      memcpy(text + n, "\",", 2);
      n += 2;
      memcpy(text + n, t.p, t.n);
      size_t end = n + t.n;
      memcpy(text + end, ",{\"and\":\"so on\"}]", 17);
      expect((struct nova_view){text, end + 17}, counted[i].code,
             n + counted[i].offset);
    }
  }
}

Test(json_error, tells_a_nul_byte) {
  static const struct {
    const char *text;
    size_t n;
    int code;
    size_t offset;
  } cases[] = {
      {"\0", 1, NOVA_ERR_JSON_NUL, 0},
      {"{}\0", 3, NOVA_ERR_JSON_NUL, 2},
      {"[\0]", 3, NOVA_ERR_JSON_NUL, 1},
      {"[1\0]", 4, NOVA_ERR_JSON_NUL, 2},
      {"[-\0]", 4, NOVA_ERR_JSON_NUL, 2},
      {"[nu\0l]", 6, NOVA_ERR_JSON_NUL, 3},
      {"{\0}", 3, NOVA_ERR_JSON_NUL, 1},
      {"{\"a\"\0:1}", 8, NOVA_ERR_JSON_NUL, 4},
      {"\"a\0b\"", 5, NOVA_ERR_JSON_STRING_CONTROL, 2},
      {"\"\\\0\"", 4, NOVA_ERR_JSON_ESCAPE, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    expect((struct nova_view){cases[i].text, cases[i].n}, cases[i].code,
           cases[i].offset);
}

Test(json_error, comes_from_every_truncation) {
  struct nova_view t = quoted(
      "{'type':'data','k\\u00e9y \xe6\xb8\xa9':[1,-2.5e+3,true,false,null,"
      "'\\ud83d\\ude00 \xf0\x9f\x98\x80'],'o':{'p':{},'q':[]}}");
  cr_assert_eq(check_copy(scanner(), t, NULL), 0);
  for (size_t n = 0; n < t.n; n++)
    expect((struct nova_view){t.p, n},
           n == 0 ? NOVA_ERR_JSON_EMPTY : NOVA_ERR_JSON_TRUNCATED, n);
}

Test(json_error, of_depth_is_at_the_bracket) {
  for (unsigned max = 1; max <= 64; max += 63) {
    struct nova_json *j = nova_json_new(NULL, 1000, max);
    for (unsigned depth = max - 1; depth <= max + 1; depth++) {
      for (int object = 0; object <= 1; object++) {
        char text[1000];
        size_t n = 0, last = 0;
        for (unsigned i = 0; i < depth; i++) {
          last = n;
          memcpy(text + n, object ? "{\"a\":" : "[", object ? 5 : 1);
          n += object ? 5 : 1;
        }
        text[n++] = '1';
        for (unsigned i = 0; i < depth; i++)
          text[n++] = object ? '}' : ']';
        struct nova_fault_at at;
        check_copy(j, (struct nova_view){text, n}, &at);
        cr_expect_eq(at.code, depth > max ? NOVA_ERR_JSON_DEPTH : 0,
                     "depth %u of %u", depth, max);
        if (depth > max)
          cr_expect_eq(at.offset, last);
      }
    }
    nova_json_free(j);
  }
}

Test(json_error, of_length_is_told_before_anything_else) {
  struct nova_json *j = nova_json_new(NULL, 10, 64);
  struct nova_fault_at at;
  cr_assert_eq(check_copy(j, nova_view_of("[1,2,3,4]"), &at), 0);
  cr_assert_eq(check_copy(j, nova_view_of("[1,2,3,45]"), &at), 0);
  cr_assert_eq(check_copy(j, nova_view_of("[1,2,3,456]"), &at), NOVA_ERR_LIMIT);
  nova_json_free(j);
}

Test(json_error, leaves_no_value) {
  struct nova_json_value v = {NOVA_JSON_TRUE, {"x", 1}};
  cr_assert_neq(nova_json_check(scanner(), "[1,2", 4, &v, NULL), 0);
  cr_assert_eq(v.type, NOVA_JSON_NONE);
}
