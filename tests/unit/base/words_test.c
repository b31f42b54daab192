#include "base/words.h"
#include "base/error.h"
#include "base/rng.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text in a block of exactly its size, so that reading beyond is seen. */
static int split(const char *s, size_t n, char ***argv, size_t *argc,
                 size_t *offset) {
  char *copy = malloc(n != 0 ? n : 1);
  if (n != 0)
    memcpy(copy, s, n);
  int err = nova_words_split(NULL, copy, n, argv, argc, offset);
  free(copy);
  return err;
}

Test(words, splits_as_a_shell_does) {
  static const struct {
    const char *text;
    const char *word[6];
  } cases[] = {
      {"", {NULL}},
      {" \t\n ", {NULL}},
      {"a", {"a"}},
      {"./ctl command", {"./ctl", "command"}},
      {"  a\tb\nc  ", {"a", "b", "c"}},
      {"'a b' c", {"a b", "c"}},
      {"\"a b\"c", {"a bc"}},
      {"a''b", {"ab"}},
      {"'' \"\" x", {"", "", "x"}},
      {"a\\ b", {"a b"}},
      {"\\'x\\\"", {"'x\""}},
      {"'a\\n\"$`'", {"a\\n\"$`"}},
      {"\"\\$\\`\\\"\\\\\\n\"", {"$`\"\\\\n"}},
      {"a\\\nb", {"ab"}},
      {"a \\\n b", {"a", "b"}},
      {"\"a\\\nb\"", {"ab"}},
      {"'a\\\nb'", {"a\\\nb"}},
      {"echo a|b & c;d>e", {"echo", "a|b", "&", "c;d>e"}},
      {"$HOME `x` * ~", {"$HOME", "`x`", "*", "~"}},
      {"a #b (c)", {"a", "#b", "(c)"}},
      {"\"it's\" 'say \"x\"'", {"it's", "say \"x\""}},
      {"\xc3\xa4 \"\xe4\xb8\xad \xe6\x96\x87\"",
       {"\xc3\xa4", "\xe4\xb8\xad \xe6\x96\x87"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char **argv = NULL;
    size_t argc = 99, k = 0;
    const char *text = cases[i].text;
    cr_assert_eq(split(text, strlen(text), &argv, &argc, NULL), 0, "%s", text);
    for (; cases[i].word[k] != NULL; k++) {
      cr_assert_lt(k, argc, "%s: only %zu words", text, argc);
      cr_assert_str_eq(argv[k], cases[i].word[k], "%s: word %zu", text, k);
    }
    cr_assert_eq(argc, k, "%s: %zu words", text, argc);
    cr_assert_null(argv[argc]);
    nova_words_free(NULL, argv);
  }
}

Test(words, says_where_it_is_wrong) {
  static const struct {
    const char *text;
    size_t n, offset;
  } cases[] = {
      {"a 'b", 4, 2},        {"a \"b", 4, 2},     {"'", 1, 0},
      {"a\\", 2, 1},         {"\"a\\\"", 4, 0},   {"'a' 'b", 6, 4},
      {"ab\0c", 4, 2},       {"'x' \"y' ", 8, 4}, {"\"a\\", 3, 0},
      {"'it''s' 'n", 10, 8},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char **argv = NULL;
    size_t offset = 99;
    cr_assert_eq(split(cases[i].text, cases[i].n, &argv, NULL, &offset),
                 NOVA_ERR_ARGUMENT, "%s", cases[i].text);
    cr_assert_eq(offset, cases[i].offset, "%s: %zu", cases[i].text, offset);
    cr_assert_null(argv, "%s: set by an error", cases[i].text);
  }
}

Test(words, has_limits) {
  char *s = malloc(NOVA_WORDS_BYTES_MAX + 1);
  char **argv = NULL;
  size_t argc = 0, offset = 0;
  memset(s, 'x', NOVA_WORDS_BYTES_MAX + 1);
  cr_assert_eq(split(s, NOVA_WORDS_BYTES_MAX, &argv, &argc, NULL), 0);
  cr_assert_eq(argc, 1);
  cr_assert_eq(strlen(argv[0]), NOVA_WORDS_BYTES_MAX);
  nova_words_free(NULL, argv);
  cr_assert_eq(split(s, NOVA_WORDS_BYTES_MAX + 1, &argv, &argc, &offset),
               NOVA_ERR_LIMIT);
  cr_assert_eq(offset, NOVA_WORDS_BYTES_MAX);
  for (size_t i = 0; i <= 2 * NOVA_WORDS_MAX; i++)
    s[i] = i % 2 == 0 ? 'w' : ' ';
  cr_assert_eq(split(s, 2 * NOVA_WORDS_MAX, &argv, &argc, NULL), 0);
  cr_assert_eq(argc, NOVA_WORDS_MAX);
  nova_words_free(NULL, argv);
  cr_assert_eq(split(s, 2 * NOVA_WORDS_MAX + 1, &argv, &argc, &offset),
               NOVA_ERR_LIMIT);
  cr_assert_eq(offset, 2 * NOVA_WORDS_MAX);
  free(s);
}

/* Compares with what /bin/sh makes of |text|. */
static void ask_the_shell(const char *path, const char *text, char **argv,
                          size_t argc) {
  char command[64], out[256];
  FILE *f = fopen(path, "w");
  cr_assert_not_null(f);
  fprintf(f, "set -- %s\nfor w in \"$@\"; do printf '%%s\\0' \"$w\"; done\n",
          text);
  fclose(f);
  snprintf(command, sizeof command, "/bin/sh %s", path);
  f = popen(command, "r");
  cr_assert_not_null(f);
  size_t got = fread(out, 1, sizeof out, f), at = 0;
  cr_assert_eq(pclose(f), 0, "[%s]", text);
  for (size_t i = 0; i < argc; i++) {
    cr_assert(at + strlen(argv[i]) < got && strcmp(out + at, argv[i]) == 0,
              "[%s]: word %zu is [%s], the shell has [%s]", text, i, argv[i],
              at < got ? out + at : "none");
    at += strlen(argv[i]) + 1;
  }
  cr_assert_eq(at, got, "[%s]: the shell has more words", text);
}

/* Random texts of what both split alike: a newline would end the command for
 * the shell, and it has operators. */
Test(words, agrees_with_the_shell) {
  static const char alphabet[] = "ab \t\\'\"'\" ";
  char path[] = "/tmp/nova_words_XXXXXX";
  int fd = mkstemp(path), compared = 0;
  cr_assert_geq(fd, 0);
  close(fd);
  struct nova_rng rng;
  nova_rng_init(&rng, 1);
  for (int round = 0; round < 300; round++) {
    char text[16], **argv;
    size_t n = 1 + nova_rng_below(&rng, 14), argc;
    for (size_t i = 0; i < n; i++)
      text[i] = alphabet[nova_rng_below(&rng, sizeof alphabet - 1)];
    text[n] = '\0';
    if (split(text, n, &argv, &argc, NULL) != 0)
      continue;
    ask_the_shell(path, text, argv, argc);
    nova_words_free(NULL, argv);
    compared++;
  }
  remove(path);
  cr_assert_gt(compared, 50, "only %d texts were well formed", compared);
}

/* Fails the n-th allocation. */
static void *failing(void *p, size_t n, void *user) {
  int *left = user;
  return (*left)-- > 0 ? realloc(p, n) : NULL;
}

static void freeing(void *p, void *user) {
  (void)user;
  free(p);
}

Test(words, survives_without_memory) {
  int left = 0;
  struct nova_mem mem = {failing, freeing, &left};
  char **argv = NULL;
  cr_assert_eq(nova_words_split(&mem, "a b", 3, &argv, NULL, NULL),
               NOVA_ERR_NO_MEMORY);
  left = 1;
  cr_assert_eq(nova_words_split(&mem, "a b", 3, &argv, NULL, NULL), 0);
  nova_words_free(&mem, argv);
}
