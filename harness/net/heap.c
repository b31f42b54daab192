#include "net/heap.h"

#include "base/error.h"

#include <assert.h>

void nova__heap_init(struct nova__heap *h, const struct nova_mem *mem) {
  *h = (struct nova__heap){.mem = mem};
}

void nova__heap_free(struct nova__heap *h) {
  nova_mem_free(h->mem, h->entry);
  nova__heap_init(h, h->mem);
}

int nova__heap_promise(struct nova__heap *h, size_t n) {
  if (h->promised + n > h->cap) {
    size_t cap = h->cap == 0 ? 64 : h->cap;
    while (cap < h->promised + n)
      cap *= 2;
    void *p = nova_mem_realloc(h->mem, h->entry, cap * sizeof *h->entry);
    if (p == NULL)
      return NOVA_ERR_NO_MEMORY;
    h->entry = p;
    h->cap = cap;
  }
  h->promised += n;
  return 0;
}

void nova__heap_release(struct nova__heap *h, size_t n) {
  assert(n <= h->promised);
  h->promised -= n;
}

static bool before(const struct nova__heap_entry *a,
                   const struct nova__heap_entry *b) {
  return a->t != b->t ? a->t < b->t : a->seq < b->seq;
}

static void put(struct nova__heap *h, size_t i, struct nova__heap_entry e) {
  h->entry[i] = e;
  e.node->at = i + 1;
}

static void up(struct nova__heap *h, size_t i, struct nova__heap_entry e) {
  while (i > 0) {
    size_t parent = (i - 1) / 2;
    if (!before(&e, &h->entry[parent]))
      break;
    put(h, i, h->entry[parent]);
    i = parent;
  }
  put(h, i, e);
}

static void down(struct nova__heap *h, size_t i, struct nova__heap_entry e) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= h->n)
      break;
    if (child + 1 < h->n && before(&h->entry[child + 1], &h->entry[child]))
      child++;
    if (!before(&h->entry[child], &e))
      break;
    put(h, i, h->entry[child]);
    i = child;
  }
  put(h, i, e);
}

/* Puts |e| at the free place |i|, wherever it belongs from there. */
static void settle(struct nova__heap *h, size_t i, struct nova__heap_entry e) {
  if (i > 0 && before(&e, &h->entry[(i - 1) / 2]))
    up(h, i, e);
  else
    down(h, i, e);
}

void nova__heap_set(struct nova__heap *h, struct nova__heap_node *node,
                    nova_ts t) {
  struct nova__heap_entry e = {t, h->seq++, node};
  if (node->at != 0) {
    settle(h, node->at - 1, e);
    return;
  }
  assert(h->n < h->promised);
  up(h, h->n++, e);
}

void nova__heap_remove(struct nova__heap *h, struct nova__heap_node *node) {
  if (node->at == 0)
    return;
  size_t i = node->at - 1;
  node->at = 0;
  h->n--;
  if (i != h->n)
    settle(h, i, h->entry[h->n]);
}

struct nova__heap_node *nova__heap_pop(struct nova__heap *h, nova_ts until,
                                       nova_ts *t) {
  if (h->n == 0 || h->entry[0].t > until)
    return NULL;
  struct nova__heap_node *node = h->entry[0].node;
  *t = h->entry[0].t;
  nova__heap_remove(h, node);
  return node;
}
