#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct meter {
  struct nova_mem mem;
  int live, left; /* allocations that still succeed, -1: all */
};

static void *meter_realloc(void *p, size_t n, void *user) {
  struct meter *m = user;
  if (m->left == 0)
    return NULL;
  if (m->left > 0)
    m->left--;
  m->live += p == NULL;
  p = realloc(p, n);
  if (p != NULL)
    memset(p, 0xa5, n);
  return p;
}

static void meter_free(void *p, void *user) {
  struct meter *m = user;
  m->live -= p != NULL;
  free(p);
}

Test(arena, hands_out_zeroed_aligned_memory_that_stays) {
  struct meter m = {{meter_realloc, meter_free, &m}, 0, -1};
  struct nova_arena a;
  nova_arena_init(&a, &m.mem, 1 << 20);
  unsigned char *kept[500];
  for (size_t i = 0; i < 500; i++) {
    unsigned char *p = kept[i] = nova_arena_alloc(&a, i);
    cr_assert_not_null(p);
    cr_assert_eq((uintptr_t)p % alignof(max_align_t), 0);
    for (size_t c = 0; c < i; c++)
      cr_assert_eq(p[c], 0);
    memset(p, (int)i, i);
  }
  for (size_t i = 0; i < 500; i++)
    for (size_t c = 0; c < i; c++)
      cr_assert_eq(kept[i][c], (unsigned char)i);
  cr_assert_not(a.failed);
  nova_arena_free(&a);
  cr_assert_eq(m.live, 0);
}

Test(arena, copies_end_with_a_nul) {
  struct nova_arena a;
  nova_arena_init(&a, NULL, 1000);
  cr_assert_str_eq(nova_arena_copy(&a, "abcdef", 3), "abc");
  cr_assert_str_eq(nova_arena_copy(&a, "", 0), "");
  cr_assert_str_eq(nova_arena_printf(&a, "%s-%d", "x", 7), "x-7");
  nova_arena_free(&a);
}

Test(arena, refuses_past_its_maximum_for_good) {
  struct nova_arena a;
  nova_arena_init(&a, NULL, 1000);
  cr_assert_not_null(nova_arena_alloc(&a, 500));
  cr_assert_not(a.failed);
  cr_assert_null(nova_arena_alloc(&a, 501));
  cr_assert(a.failed);
  cr_assert_null(nova_arena_alloc(&a, SIZE_MAX));
  cr_assert_null(nova_arena_alloc(&a, SIZE_MAX - 20));
  nova_arena_free(&a);
}

Test(arena, gives_everything_back_without_memory) {
  for (int left = 0; left < 6; left++) {
    struct meter m = {{meter_realloc, meter_free, &m}, 0, left};
    struct nova_arena a;
    nova_arena_init(&a, &m.mem, 1 << 30);
    bool refused = false;
    for (int i = 0; i < 50; i++)
      refused |= nova_arena_alloc(&a, 100000) == NULL;
    cr_assert(refused);
    cr_assert(a.failed);
    nova_arena_free(&a);
    cr_assert_eq(m.live, 0);
  }
}
