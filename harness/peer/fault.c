#include "peer/fault.h"

static const struct nova_fault_info fault_rows[NOVA_FAULTS] = {
#define NOVA_FAULT(ID, fault_name, fault_side, fault_what, fault_breaks,       \
                   fault_needs)                                                \
  [NOVA_FAULT_##ID] = {.name = fault_name,                                     \
                       .side = NOVA_SIDE_##fault_side,                         \
                       .what = fault_what,                                     \
                       .breaks = fault_breaks,                                 \
                       .needs = fault_needs},
#include "peer/faults.def"
#undef NOVA_FAULT
};

const struct nova_fault_info *nova_fault_info(enum nova_fault f) {
  return (unsigned)f < NOVA_FAULTS ? &fault_rows[f] : NULL;
}

/* The tables' names begin with what they are about. */
bool nova_fault_is_mqtt(enum nova_fault f) {
  static const char *const id[NOVA_FAULTS] = {
#define NOVA_FAULT(ID, name, side, what, breaks, needs) [NOVA_FAULT_##ID] = #ID,
#include "peer/faults.def"
#undef NOVA_FAULT
  };
  if ((unsigned)f >= NOVA_FAULTS)
    return false;
  const char *p = id[f];
  if (strncmp(p, "V_", 2) == 0)
    p += 2;
  return strncmp(p, "B_", 2) == 0 || strncmp(p, "M_", 2) == 0 ||
         strncmp(p, "DM_", 3) == 0;
}

enum nova_fault nova_fault_find(struct nova_view name) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++)
    if (nova_view_is(name, fault_rows[f].name))
      return (enum nova_fault)f;
  return NOVA_FAULTS;
}
