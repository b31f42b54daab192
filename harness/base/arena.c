#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>

#define BLOCK 8192

struct nova_arena_block {
  struct nova_arena_block *next;
  size_t used, size;
  alignas(max_align_t) char data[];
};

void nova_arena_init(struct nova_arena *a, const struct nova_mem *mem,
                     size_t max) {
  *a = (struct nova_arena){.mem = mem, .max = max};
}

void nova_arena_free(struct nova_arena *a) {
  struct nova_arena_block *b = a->blocks;
  while (b != NULL) {
    struct nova_arena_block *next = b->next;
    nova_mem_free(a->mem, b);
    b = next;
  }
  nova_arena_init(a, a->mem, a->max);
}

void *nova_arena_alloc(struct nova_arena *a, size_t n) {
  const size_t align = alignof(max_align_t);
  if (n > a->max || a->used > a->max - n) {
    a->failed = true;
    return NULL;
  }
  size_t need = (n + align - 1) / align * align;
  struct nova_arena_block *b = a->blocks;
  if (b == NULL || b->size - b->used < need) {
    size_t size = need > BLOCK ? need : BLOCK;
    b = nova_mem_zalloc(a->mem, sizeof *b + size);
    if (b == NULL) {
      a->failed = true;
      return NULL;
    }
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
  }
  void *p = b->data + b->used;
  b->used += need;
  a->used += n;
  return p;
}

char *nova_arena_copy(struct nova_arena *a, const char *p, size_t n) {
  char *copy = nova_arena_alloc(a, n + 1);
  if (copy != NULL && n != 0)
    memcpy(copy, p, n);
  return copy;
}

char *nova_arena_printf(struct nova_arena *a, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(NULL, 0, format, ap);
  va_end(ap);
  if (n < 0)
    return NULL;
  char *s = nova_arena_alloc(a, (size_t)n + 1);
  if (s == NULL)
    return NULL;
  va_start(ap, format);
  vsnprintf(s, (size_t)n + 1, format, ap);
  va_end(ap);
  return s;
}
