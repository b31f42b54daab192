/* Named faults of the reference peers: what a harness is worth is how many of
 * them it catches. One list, faults.def. */
#ifndef NOVA_PEER_FAULT_H
#define NOVA_PEER_FAULT_H

#include "base/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nova_side { NOVA_SIDE_SERVER, NOVA_SIDE_DEVICE };

enum nova_fault {
#define NOVA_FAULT(ID, name, side, what, breaks, needs) NOVA_FAULT_##ID,
#include "peer/faults.def"
#undef NOVA_FAULT
  NOVA_FAULTS
};

struct nova_fault_info {
  const char *name;
  enum nova_side side;
  const char *what;   /* one sentence, with its full stop */
  const char *breaks; /* requirement ids, apart by one space; see faults.def */
  const char
      *needs; /* as in requirements.yaml, apart by one space; may be "" */
};

/* Whether the row breaks nothing: no fault but a peer that is right and other
 * than the reference; see faults.def. */
static inline bool nova_fault_is_variant(const struct nova_fault_info *f) {
  return f->breaks[0] == '\0';
}

/* The row of a fault, static; NULL for a number that is none. */
const struct nova_fault_info *nova_fault_info(enum nova_fault f);

/* Whether it is one of MQTT or TLS; the others are of the TCP protocol. A peer
 * that speaks the one protocol does not know the faults of the other. */
bool nova_fault_is_mqtt(enum nova_fault f);

/* The fault called |name|, NOVA_FAULTS where there is none. */
enum nova_fault nova_fault_find(struct nova_view name);

/* Any number of faults; zeroed: none. */
struct nova_fault_set {
  uint64_t word[(NOVA_FAULTS + 63) / 64];
};

static inline void nova_fault_add(struct nova_fault_set *set,
                                  enum nova_fault f) {
  set->word[(unsigned)f / 64] |= UINT64_C(1) << (unsigned)f % 64;
}

static inline bool nova_fault_has(const struct nova_fault_set *set,
                                  enum nova_fault f) {
  return (set->word[(unsigned)f / 64] >> (unsigned)f % 64 & 1) != 0;
}

#endif
