#include "base/words.h"

#include "base/error.h"

#include <stdbool.h>
#include <string.h>

/* The words are written one behind the other; |to| is where the next character
 * goes. */
struct splitter {
  const char *s;
  size_t n, i;
  char **argv, *to;
  size_t argc;
  bool in_word;
};

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

/* What a backslash between double quotes keeps from its meaning. */
static bool is_kept_in_quotes(char c) {
  return c == '$' || c == '`' || c == '"' || c == '\\' || c == '\n';
}

static int begin_word(struct splitter *p) {
  if (p->in_word)
    return 0;
  if (p->argc == NOVA_WORDS_MAX)
    return NOVA_ERR_LIMIT;
  p->in_word = true;
  p->argv[p->argc++] = p->to;
  return 0;
}

static void end_word(struct splitter *p) {
  if (p->in_word)
    *p->to++ = '\0';
  p->in_word = false;
}

/* From the quote at |i| to behind its partner. */
static int quoted(struct splitter *p) {
  size_t begin = p->i;
  char quote = p->s[p->i++];
  for (; p->i < p->n; p->i++) {
    char c = p->s[p->i];
    if (c == quote) {
      p->i++;
      return 0;
    }
    if (quote == '"' && c == '\\' && p->i + 1 < p->n &&
        is_kept_in_quotes(p->s[p->i + 1])) {
      c = p->s[++p->i];
      if (c == '\n')
        continue;
    }
    *p->to++ = c;
  }
  p->i = begin;
  return NOVA_ERR_ARGUMENT;
}

/* The backslash at |i| and what it keeps. */
static int escaped(struct splitter *p) {
  if (p->i + 1 == p->n)
    return NOVA_ERR_ARGUMENT;
  char c = p->s[p->i + 1];
  if (c != '\n') {
    int err = begin_word(p);
    if (err != 0)
      return err;
    *p->to++ = c;
  }
  p->i += 2;
  return 0;
}

static int split(struct splitter *p) {
  while (p->i < p->n) {
    char c = p->s[p->i];
    int err;
    if (is_blank(c)) {
      end_word(p);
      p->i++;
      continue;
    }
    if (c == '\\') {
      err = escaped(p);
    } else if ((err = begin_word(p)) == 0) {
      if (c == '\'' || c == '"')
        err = quoted(p);
      else
        *p->to++ = p->s[p->i++];
    }
    if (err != 0)
      return err;
  }
  end_word(p);
  return 0;
}

static int fail(int err, size_t at, size_t *offset) {
  if (offset != NULL)
    *offset = at;
  return err;
}

int nova_words_split(const struct nova_mem *mem, const char *s, size_t n,
                     char ***argv, size_t *argc, size_t *offset) {
  if (n > NOVA_WORDS_BYTES_MAX)
    return fail(NOVA_ERR_LIMIT, NOVA_WORDS_BYTES_MAX, offset);
  const char *nul = n != 0 ? memchr(s, '\0', n) : NULL;
  if (nul != NULL)
    return fail(NOVA_ERR_ARGUMENT, (size_t)(nul - s), offset);
  /* One block for the pointers and the text. A word and its end are never
   * longer than what they came from, but the last, which nothing ends. */
  size_t most = n / 2 + 1 < NOVA_WORDS_MAX ? n / 2 + 1 : NOVA_WORDS_MAX;
  struct splitter p = {.s = s, .n = n};
  p.argv = nova_mem_alloc(mem, (most + 1) * sizeof *p.argv + n + 1);
  if (p.argv == NULL)
    return fail(NOVA_ERR_NO_MEMORY, 0, offset);
  p.to = (char *)(p.argv + most + 1);
  int err = split(&p);
  if (err != 0) {
    nova_mem_free(mem, p.argv);
    return fail(err, p.i, offset);
  }
  p.argv[p.argc] = NULL;
  *argv = p.argv;
  if (argc != NULL)
    *argc = p.argc;
  return 0;
}

void nova_words_free(const struct nova_mem *mem, char **argv) {
  nova_mem_free(mem, argv);
}
