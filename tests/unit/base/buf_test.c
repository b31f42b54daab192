#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* An allocator that knows what is out, and fails when told. */
struct meter {
  struct nova_mem mem;
  size_t most;
  int live, fail;
};

static void *meter_realloc(void *p, size_t n, void *user) {
  struct meter *m = user;
  if (m->fail)
    return NULL;
  if (n > m->most)
    m->most = n;
  m->live += p == NULL;
  return realloc(p, n);
}

static void meter_free(void *p, void *user) {
  struct meter *m = user;
  m->live -= p != NULL;
  free(p);
}

static void meter_init(struct meter *m) {
  *m = (struct meter){{meter_realloc, meter_free, m}, 0, 0, 0};
}

Test(buf, keeps_what_is_appended) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 100);
  cr_assert_eq(nova_buf_view(&b).n, 0);
  cr_assert_eq(nova_buf_append(&b, "ab", 2), 0);
  cr_assert_eq(nova_buf_append(&b, NULL, 0), 0);
  cr_assert_eq(nova_buf_puts(&b, "cd"), 0);
  cr_assert_eq(nova_buf_printf(&b, "-%d-%s", 42, "x"), 0);
  cr_assert(nova_view_is(nova_buf_view(&b), "abcd-42-x"));
  nova_buf_consume(&b, 3);
  cr_assert(nova_view_is(nova_buf_view(&b), "d-42-x"));
  cr_assert_str_eq(nova_buf_cstr(&b), "d-42-x");
  cr_assert_eq(nova_buf_view(&b).n, 6);
  nova_buf_clear(&b);
  cr_assert_eq(nova_buf_view(&b).n, 0);
  nova_buf_free(&b);
}

Test(buf, never_holds_more_than_its_maximum) {
  char bytes[1200];
  memset(bytes, 'x', sizeof bytes);
  for (size_t max = 1; max < 1100; max += max < 70 ? 1 : 103) {
    struct meter m;
    meter_init(&m);
    struct nova_buf b;
    nova_buf_init(&b, &m.mem, max);
    cr_assert_eq(nova_buf_append(&b, bytes, max + 1), NOVA_ERR_LIMIT);
    cr_assert_eq(b.len, 0);
    cr_assert_eq(nova_buf_append(&b, bytes, max - 1), 0);
    cr_assert_eq(nova_buf_append(&b, bytes, 2), NOVA_ERR_LIMIT);
    cr_assert_eq(b.len, max - 1);
    cr_assert_eq(nova_buf_append(&b, bytes, 1), 0);
    cr_assert_eq(nova_buf_append(&b, bytes, 1), NOVA_ERR_LIMIT);
    cr_assert_eq(b.len, max);
    cr_assert_leq(m.most, max, "%zu bytes for at most %zu", m.most, max);
    /* There is room again for what was dropped. */
    nova_buf_consume(&b, 1);
    cr_assert_eq(nova_buf_append(&b, "y", 1), 0);
    cr_assert_eq(nova_buf_view(&b).p[max - 1], 'y');
    nova_buf_free(&b);
    cr_assert_eq(m.live, 0);
  }
}

Test(buf, text_of_just_the_maximum_fits) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 5);
  cr_assert_eq(nova_buf_printf(&b, "%d", 12345), 0);
  cr_assert(nova_view_is(nova_buf_view(&b), "12345"));
  cr_assert_eq(nova_buf_printf(&b, "%d", 6), NOVA_ERR_LIMIT);
  cr_assert_null(nova_buf_cstr(&b), "there is no room for the NUL");
  nova_buf_free(&b);
}

Test(buf, without_memory_it_stays_as_it_was) {
  struct meter m;
  meter_init(&m);
  struct nova_buf b;
  nova_buf_init(&b, &m.mem, 1000);
  m.fail = 1;
  cr_assert_eq(nova_buf_append(&b, "a", 1), NOVA_ERR_NO_MEMORY);
  cr_assert_null(nova_buf_reserve(&b, 1));
  m.fail = 0;
  cr_assert_eq(nova_buf_puts(&b, "abc"), 0);
  m.fail = 1;
  char big[500] = {0};
  cr_assert_eq(nova_buf_append(&b, big, sizeof big), NOVA_ERR_NO_MEMORY);
  cr_assert(nova_view_is(nova_buf_view(&b), "abc"));
  nova_buf_free(&b);
  cr_assert_eq(m.live, 0);
}

/* Beside a plain array, at random. */
Test(buf, behaves_as_a_queue_of_bytes) {
  struct nova_rng r;
  nova_rng_init(&r, 1);
  struct nova_buf b;
  nova_buf_init(&b, NULL, 300);
  char model[300];
  size_t n = 0;
  for (int i = 0; i < 100000; i++) {
    char bytes[64];
    size_t k = nova_rng_below(&r, sizeof bytes);
    for (size_t c = 0; c < k; c++)
      bytes[c] = (char)nova_rng_next(&r);
    switch (nova_rng_below(&r, 5)) {
    case 0:
    case 1:
      cr_assert_eq(nova_buf_append(&b, bytes, k),
                   n + k > sizeof model ? NOVA_ERR_LIMIT : 0);
      if (n + k <= sizeof model) {
        memcpy(model + n, bytes, k);
        n += k;
      }
      break;
    case 2: {
      char *p = nova_buf_reserve(&b, k);
      cr_assert_eq(p != NULL, n + k <= sizeof model && b.data != NULL);
      if (p != NULL) {
        memcpy(p, bytes, k);
        nova_buf_commit(&b, k / 2);
        memcpy(model + n, bytes, k / 2);
        n += k / 2;
      }
      break;
    }
    case 3:
      k = k < n ? k : n;
      nova_buf_consume(&b, k);
      memmove(model, model + k, n - k);
      n -= k;
      break;
    default:
      if (nova_rng_below(&r, 50) == 0) {
        nova_buf_clear(&b);
        n = 0;
      }
    }
    cr_assert(nova_view_eq(nova_buf_view(&b), (struct nova_view){model, n}));
  }
  nova_buf_free(&b);
}
