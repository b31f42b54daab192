/* From a connection's number to what is kept about it. */
#ifndef NOVA_PEER_CONNMAP_H
#define NOVA_PEER_CONNMAP_H

#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

struct nova__connmap_slot {
  uint64_t conn;
  void *value; /* NULL: free */
};

/* Open addressing with linear probing, at most half full. */
struct nova__connmap {
  const struct nova_mem *mem;
  struct nova__connmap_slot *slot;
  size_t n, cap; /* cap: 0 or a power of two */
};

void nova__connmap_init(struct nova__connmap *m, const struct nova_mem *mem);
void nova__connmap_free(struct nova__connmap *m);

/* |value|: not NULL; |conn| is not in the map. Returns 0 or
 * NOVA_ERR_NO_MEMORY. */
int nova__connmap_add(struct nova__connmap *m, uint64_t conn, void *value);

/* The value, or NULL. */
void *nova__connmap_get(const struct nova__connmap *m, uint64_t conn);

/* Takes |conn| out, if it is in. */
void nova__connmap_remove(struct nova__connmap *m, uint64_t conn);

#endif
