/* The heap of times and the map of ids, against the plainest thing that does
 * the same. */
#include "base/rng.h"
#include "net/heap.h"
#include "net/idmap.h"

#include <criterion/criterion.h>

#include <string.h>

enum { N = 200 };

Test(heap, wakes_in_order_of_time_then_of_setting) {
  struct nova__heap h;
  struct nova__heap_node node[N];
  nova_ts when[N];
  uint64_t set[N], sets = 0;
  bool in[N];
  struct nova_rng rng;
  nova_rng_init(&rng, 7);
  nova__heap_init(&h, NULL);
  memset(node, 0, sizeof node);
  memset(in, 0, sizeof in);
  cr_assert_eq(nova__heap_promise(&h, N), 0);
  for (int step = 0; step < 20000; step++) {
    size_t i = nova_rng_below(&rng, N);
    switch (nova_rng_below(&rng, 4)) {
    case 0:
    case 1:
      when[i] = nova_rng_below(&rng, 50);
      set[i] = sets++;
      in[i] = true;
      nova__heap_set(&h, &node[i], when[i]);
      break;
    case 2:
      in[i] = false;
      nova__heap_remove(&h, &node[i]);
      break;
    default: {
      nova_ts until = nova_rng_below(&rng, 60), t = 0;
      size_t first = N;
      for (size_t k = 0; k < N; k++)
        if (in[k] && when[k] <= until &&
            (first == N || when[k] < when[first] ||
             (when[k] == when[first] && set[k] < set[first])))
          first = k;
      struct nova__heap_node *got = nova__heap_pop(&h, until, &t);
      cr_assert_eq(got, first == N ? NULL : &node[first], "step %d", step);
      if (first != N) {
        cr_assert_eq(t, when[first]);
        in[first] = false;
      }
    }
    }
  }
  nova__heap_free(&h);
}

Test(idmap, finds_what_is_in_and_nothing_else) {
  struct nova__idmap m;
  struct nova_rng rng;
  int thing[N];
  bool in[N];
  memset(in, 0, sizeof in);
  nova_rng_init(&rng, 8);
  nova__idmap_init(&m, NULL);
  cr_assert_null(nova__idmap_get(&m, 1));
  nova__idmap_remove(&m, 1);
  for (int step = 0; step < 50000; step++) {
    size_t i = nova_rng_below(&rng, N);
    /* Ids near each other, and such that differ in the high bits only. */
    uint64_t id = i % 2 == 0 ? i : (uint64_t)i << 32;
    if (in[i]) {
      cr_assert_eq(nova__idmap_get(&m, id), &thing[i], "step %d", step);
      nova__idmap_remove(&m, id);
    } else {
      cr_assert_null(nova__idmap_get(&m, id), "step %d", step);
      cr_assert_eq(nova__idmap_add(&m, id, &thing[i]), 0);
    }
    in[i] = !in[i];
  }
  size_t n = 0;
  for (size_t i = 0; i < N; i++)
    n += in[i];
  cr_assert_eq(m.n, n);
  for (; n > 0; n--) {
    int *any = nova__idmap_any(&m);
    cr_assert_not_null(any);
    size_t i = (size_t)(any - thing);
    nova__idmap_remove(&m, i % 2 == 0 ? i : (uint64_t)i << 32);
  }
  cr_assert_null(nova__idmap_any(&m));
  nova__idmap_free(&m);
}
