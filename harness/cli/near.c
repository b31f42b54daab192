#include "cli/near.h"

#include <string.h>

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Optimal string alignment; three rows of the table are enough. */
static size_t distance(const char *a, size_t n, const char *b, size_t m) {
  size_t row[3][NOVA_NEAR_LENGTH + 1];
  for (size_t j = 0; j <= m; j++)
    row[0][j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t *now = row[i % 3], *before = row[(i + 2) % 3];
    const size_t *two = row[(i + 1) % 3];
    now[0] = i;
    for (size_t j = 1; j <= m; j++) {
      size_t change = before[j - 1] + (a[i - 1] != b[j - 1]);
      now[j] = least(change, least(before[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = least(now[j], two[j - 2] + 1);
    }
  }
  return row[n % 3][m];
}

void nova_near_init(struct nova_near *s, const char *word, size_t n) {
  *s = (struct nova_near){.distance = (size_t)-1};
  s->n = n < NOVA_NEAR_LENGTH ? n : NOVA_NEAR_LENGTH;
  memcpy(s->word, word, s->n);
}

void nova_near_try(struct nova_near *s, const char *name) {
  size_t n = strlen(name);
  if (n > NOVA_NEAR_LENGTH)
    return;
  size_t d = distance(s->word, s->n, name, n);
  size_t longer = n > s->n ? n : s->n, shorter = n > s->n ? s->n : n;
  bool begins = shorter >= 3 && memcmp(s->word, name, shorter) == 0;
  if (begins && d > 1)
    d = 1; /* a name that was not written to its end */
  if (d * 3 > longer && !begins)
    return;
  if (d < s->distance) {
    s->distance = d;
    s->best = name;
  }
}

const char *nova_near_best(const struct nova_near *s) {
  return s->best;
}
