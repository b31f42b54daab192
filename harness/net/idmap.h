/* From a number that the user or the transport chose to what it stands for:
 * connections and jobs by id. */
#ifndef NOVA_NET_IDMAP_H
#define NOVA_NET_IDMAP_H

#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

struct nova__idmap_slot {
  uint64_t id;
  void *value; /* NULL: free */
};

/* Open addressing with linear probing, at most half full. */
struct nova__idmap {
  const struct nova_mem *mem;
  struct nova__idmap_slot *slot;
  size_t n, cap; /* cap: 0 or a power of two */
};

void nova__idmap_init(struct nova__idmap *m, const struct nova_mem *mem);
void nova__idmap_free(struct nova__idmap *m);

/* |value|: not NULL. |id| is not in the map.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__idmap_add(struct nova__idmap *m, uint64_t id, void *value);

/* The value, or NULL. */
void *nova__idmap_get(const struct nova__idmap *m, uint64_t id);

/* Takes |id| out, if it is in. */
void nova__idmap_remove(struct nova__idmap *m, uint64_t id);

/* Any one value that is in the map, NULL for an empty one: for taking all of
 * them down. */
void *nova__idmap_any(const struct nova__idmap *m);

#endif
