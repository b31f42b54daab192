#include "report/streams.h"

#include "base/error.h"

#include <stdlib.h>

static int in_order(const void *a, const void *b) {
  const struct nova__piece *x = a, *y = b;
  if (x->connection != y->connection)
    return x->connection < y->connection ? -1 : 1;
  if (x->received != y->received)
    return x->received ? 1 : -1;
  return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static bool begins(const struct nova_entry *e) {
  return e->kind == NOVA_ENTRY_CONNECTING || e->kind == NOVA_ENTRY_CONNECTED ||
         e->kind == NOVA_ENTRY_ACCEPTED;
}

int nova__streams_of(const struct nova_transcript *t,
                     const struct nova_mem *mem, struct nova__piece **out,
                     size_t *n) {
  /* A connect goes to both streams of its connection, and out again. */
  struct nova__piece *all = nova_mem_alloc(mem, (2 * t->n + 1) * sizeof *all);
  size_t have = 0, kept = 0;
  *out = all;
  *n = 0;
  if (all == NULL)
    return NOVA_ERR_NO_MEMORY;
  for (size_t i = 0; i < t->n; i++) {
    const struct nova_entry *e = &t->entry[i];
    bool sent = e->kind == NOVA_ENTRY_SENT;
    bool received = e->kind == NOVA_ENTRY_RECEIVED;
    if (begins(e)) {
      all[have++] = (struct nova__piece){e->connection, false, true, i};
      all[have++] = (struct nova__piece){e->connection, true, true, i};
    } else if ((sent || received) && e->size != 0) {
      all[have++] = (struct nova__piece){e->connection, received, false, i};
    }
  }
  if (have > 1)
    qsort(all, have, sizeof *all, in_order);
  bool first = true;
  for (size_t i = 0; i < have; i++) {
    struct nova__piece p = all[i];
    first |= i == 0 || p.connection != all[i - 1].connection ||
             p.received != all[i - 1].received;
    if (begins(&t->entry[p.entry])) {
      first = true;
      continue;
    }
    p.first = first;
    first = false;
    all[kept++] = p;
  }
  *n = kept;
  return 0;
}
