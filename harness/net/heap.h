/* A binary heap of points in time, for the simulated clock. The nodes live in
 * what they wake; equal times keep the order in which they were set, so that a
 * run is repeatable. */
#ifndef NOVA_NET_HEAP_H
#define NOVA_NET_HEAP_H

#include "base/mem.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is woken. |kind| tells the user of the heap which struct the node is
 * part of. Zeroed = not in a heap. */
struct nova__heap_node {
  size_t at; /* index + 1; 0: not in the heap */
  unsigned kind;
};

struct nova__heap_entry {
  nova_ts t;
  uint64_t seq;
  struct nova__heap_node *node;
};

struct nova__heap {
  const struct nova_mem *mem;
  struct nova__heap_entry *entry;
  size_t n, cap, promised;
  uint64_t seq;
};

void nova__heap_init(struct nova__heap *h, const struct nova_mem *mem);
void nova__heap_free(struct nova__heap *h);

/* Promises room for |n| more nodes, so that setting one of them cannot fail.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__heap_promise(struct nova__heap *h, size_t n);

/* Takes the promise for |n| nodes back. */
void nova__heap_release(struct nova__heap *h, size_t n);

/* Sets |node| to wake at |t|, behind all that were set for |t| before; a node
 * that is in the heap already is moved. */
void nova__heap_set(struct nova__heap *h, struct nova__heap_node *node,
                    nova_ts t);

/* Takes |node| out, if it is in. */
void nova__heap_remove(struct nova__heap *h, struct nova__heap_node *node);

/* Takes the earliest node out if its time is not after |until|.
 * Returns it and its time in |t|, or NULL. */
struct nova__heap_node *nova__heap_pop(struct nova__heap *h, nova_ts until,
                                       nova_ts *t);

#endif
