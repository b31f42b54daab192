#include "support.h"

#include <criterion/criterion.h>
#include <stdlib.h>

char *exact_copy(struct nova_view v) {
  char *p = malloc(v.n);
  cr_assert(p != NULL || v.n == 0);
  if (v.n != 0)
    memcpy(p, v.p, v.n);
  return p;
}

struct nova_view quoted(const char *s) {
  static char text[8][4096];
  static size_t next;
  char *t = text[next++ % 8];
  size_t n = strlen(s);
  cr_assert_lt(n, sizeof text[0]);
  for (size_t i = 0; i < n; i++)
    t[i] = s[i] == '\'' ? '"' : s[i];
  return (struct nova_view){t, n};
}

struct nova_json *scanner(void) {
  static struct nova_json *j;
  if (j == NULL)
    j = nova_json_new(NULL, 131072, NOVA_JSON_DEPTH);
  cr_assert_not_null(j);
  return j;
}

int check_copy(struct nova_json *j, struct nova_view text,
               struct nova_fault_at *at) {
  char *p = exact_copy(text);
  struct nova_fault_at f = {0, 0};
  int err = nova_json_check(j, p, text.n, NULL, &f);
  cr_assert_eq(err, f.code);
  free(p);
  if (at != NULL)
    *at = f;
  return err;
}

struct nova_json_value value_of_text(struct nova_view text) {
  struct nova_json_value v;
  struct nova_fault_at at;
  /* In a list, so that nothing is lost. */
  static struct kept {
    struct kept *next;
    char bytes[];
  } * all;
  struct kept *k = malloc(sizeof *k + text.n);
  cr_assert_not_null(k);
  k->next = all;
  all = k;
  memcpy(k->bytes, text.p, text.n);
  int err = nova_json_check(scanner(), k->bytes, text.n, &v, &at);
  cr_assert_eq(err, 0, "%s at %zu: %.*s", nova_error_name(err), at.offset,
               (int)text.n, text.p);
  return v;
}

/* Every block has its size in front. */
static void *counting_realloc(void *p, size_t n, void *user) {
  struct counting_mem *c = user;
  c->calls++;
  if (c->fail_at != 0 && c->calls >= c->fail_at)
    return NULL;
  size_t *block = p != NULL ? (size_t *)p - 2 : NULL;
  size_t old = block != NULL ? *block : 0;
  block = realloc(block, n + 2 * sizeof *block);
  if (block == NULL)
    return NULL;
  *block = n;
  c->live += p == NULL;
  c->bytes += n - old;
  if (c->bytes > c->most_bytes)
    c->most_bytes = c->bytes;
  return block + 2;
}

static void counting_free(void *p, void *user) {
  struct counting_mem *c = user;
  if (p == NULL)
    return;
  size_t *block = (size_t *)p - 2;
  c->live--;
  c->bytes -= *block;
  free(block);
}

void counting_mem_init(struct counting_mem *c) {
  *c = (struct counting_mem){0};
  c->mem = (struct nova_mem){counting_realloc, counting_free, c};
}
