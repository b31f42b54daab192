/* The known name nearest to a mistyped one. */
#ifndef NOVA_CLI_NEAR_H
#define NOVA_CLI_NEAR_H

#include <stdbool.h>
#include <stddef.h>

#define NOVA_NEAR_LENGTH 64

struct nova_near {
  char word[NOVA_NEAR_LENGTH + 1];
  size_t n, distance;
  const char *best;
};

/* |word|, |n|: the mistyped name. */
void nova_near_init(struct nova_near *s, const char *word, size_t n);

/* Considers |name|, which outlives |s|. */
void nova_near_try(struct nova_near *s, const char *name);

/* The nearest of all that were tried: fewest insertions, removals, changes and
 * swaps of two neighbours. NULL where none is near enough to be meant: more
 * than a third of the longer name's letters differ, and one is no beginning of
 * the other. */
const char *nova_near_best(const struct nova_near *s);

#endif
