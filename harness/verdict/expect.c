#include "verdict/expect.h"

#include "base/error.h"

#include <stdio.h>

static bool is_date(const char *s, size_t n) {
  if (n != 10)
    return false;
  for (size_t i = 0; i < n; i++)
    if (i == 4 || i == 7 ? s[i] != '-' : s[i] < '0' || s[i] > '9')
      return false;
  int month = (s[5] - '0') * 10 + s[6] - '0';
  int day = (s[8] - '0') * 10 + s[9] - '0';
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

static struct nova_view trim(struct nova_view v) {
  while (v.n != 0 && blank(v.p[0])) {
    v.p++;
    v.n--;
  }
  while (v.n != 0 && blank(v.p[v.n - 1]))
    v.n--;
  return v;
}

static int one_line(struct nova_expect *e, struct nova_arena *arena,
                    const struct nova_catalog *c, const char *file,
                    unsigned number, struct nova_view line,
                    struct nova_diag *diag) {
  struct nova_view v = trim(line);
  if (v.n == 0 || v.p[0] == '#')
    return 0;
  size_t n = 0;
  while (n < v.n && !blank(v.p[n]))
    n++;
  struct nova_expected *x = NOVA_NEW(arena, struct nova_expected);
  if (x == NULL)
    return NOVA_ERR_NO_MEMORY;
  x->id = nova_arena_copy(arena, v.p, n);
  x->line = number;
  struct nova_view rest = trim((struct nova_view){v.p + n, v.n - n});
  static const char key[] = "until ";
  size_t tail = sizeof key - 1 + 10;
  if (rest.n >= tail && is_date(rest.p + rest.n - 10, 10) &&
      memcmp(rest.p + rest.n - tail, key, sizeof key - 1) == 0) {
    x->until = nova_arena_copy(arena, rest.p + rest.n - 10, 10);
    rest = trim((struct nova_view){rest.p, rest.n - tail});
  }
  x->reason = nova_arena_copy(arena, rest.p, rest.n);
  unsigned column = (unsigned)(v.p - line.p) + 1;
  if (x->id == NULL || x->reason == NULL)
    return NOVA_ERR_NO_MEMORY;
  if (nova_catalog_requirement(c, x->id) == NULL)
    nova_diag_add(diag, file, number, column, "there is no requirement \"%s\"",
                  x->id);
  else if (nova_expect_find(e, x->id) != NULL)
    nova_diag_add(diag, file, number, column, "%s stands here twice", x->id);
  else if (rest.n == 0)
    nova_diag_add(diag, file, number, column + (unsigned)n,
                  "why? expected a reason after %s", x->id);
  x->next = e->first;
  e->first = x;
  return 0;
}

int nova_expect_read(struct nova_expect *e, struct nova_arena *arena,
                     const struct nova_catalog *c, const char *file,
                     const char *text, size_t n, struct nova_diag *diag) {
  size_t before = diag->errors, at = 0;
  unsigned number = 1;
  e->first = NULL;
  while (at < n) {
    const char *lf = memchr(text + at, '\n', n - at);
    size_t len = lf != NULL ? (size_t)(lf - text) - at : n - at;
    int err = one_line(e, arena, c, file, number,
                       (struct nova_view){text + at, len}, diag);
    if (err != 0) {
      nova_diag_add(diag, file, number, 1, "out of memory");
      break;
    }
    at += len + 1;
    number++;
  }
  return diag->errors == before ? 0 : NOVA_ERR_ARGUMENT;
}

const struct nova_expected *nova_expect_find(const struct nova_expect *e,
                                             const char *id) {
  for (const struct nova_expected *x = e != NULL ? e->first : NULL; x != NULL;
       x = x->next)
    if (strcmp(x->id, id) == 0)
      return x;
  return NULL;
}

bool nova_expected_expired(const struct nova_expected *e, const char *today) {
  return e->until != NULL && strcmp(today, e->until) > 0;
}
