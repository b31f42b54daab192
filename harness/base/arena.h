/* Many small things with one lifetime: allocated one by one, freed at once. */
#ifndef NOVA_BASE_ARENA_H
#define NOVA_BASE_ARENA_H

#include "base/mem.h"
#include "base/view.h"

#include <stdbool.h>

struct nova_arena_block;

/* Fields are private but for |failed|: set for good once an allocation was
 * refused, so that a builder may check once at its end. */
struct nova_arena {
  const struct nova_mem *mem;
  struct nova_arena_block *blocks;
  size_t used, max;
  bool failed;
};

/* |max|: the most bytes that it hands out in all. Allocates nothing yet. */
void nova_arena_init(struct nova_arena *a, const struct nova_mem *mem,
                     size_t max);
void nova_arena_free(struct nova_arena *a);

/* Zeroed memory for |n| bytes, aligned for any type; NULL without memory or
 * past the maximum (|failed| is set). Valid until nova_arena_free(). */
void *nova_arena_alloc(struct nova_arena *a, size_t n);

/* A copy with a NUL behind it. */
char *nova_arena_copy(struct nova_arena *a, const char *p, size_t n);
char *nova_arena_printf(struct nova_arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define NOVA_NEW(arena, type) ((type *)nova_arena_alloc((arena), sizeof(type)))
#define NOVA_NEW_ARRAY(arena, type, n)                                         \
  ((type *)nova_arena_alloc((arena), sizeof(type) * (n)))

#endif
