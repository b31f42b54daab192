/* A recorded run of devices judged again: check by check the same. */
#include "run/replay.h"

#include "unit/run/round_trip.h"

#include <criterion/criterion.h>

Test(replay, a_device_that_is_started) {
  struct simrun_options o = {
      .catalog = simrun_catalog(), .device = true, .seed = 3};
  round_trip("started", &o);
}

Test(replay, devices_operated_by_hand) {
  for (unsigned n = 1; n <= 3; n++) {
    struct simrun_options o = {.catalog = simrun_catalog(),
                               .device = true,
                               .by_hand = true,
                               .devices = n,
                               .seed = n};
    round_trip("by hand", &o);
  }
}

Test(replay, a_rough_network) {
  for (uint64_t seed = 1; seed <= 6; seed++) {
    struct simrun_options o = {.catalog = simrun_catalog(),
                               .device = true,
                               .by_hand = seed % 2 == 0,
                               .devices = (unsigned)seed / 2,
                               .seed = seed,
                               .net = {.seed = seed,
                                       .latency_min = seed * 7 * NOVA_MS,
                                       .latency_max = seed * 19 * NOVA_MS,
                                       .cut = NOVA_SIM_MIXED,
                                       .late_max = 3 * NOVA_MS,
                                       .job_delay = 100 * NOVA_MS}};
    round_trip("rough network", &o);
  }
}

static void faults(bool by_hand, unsigned part, unsigned parts) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    const struct nova_fault_info *i = nova_fault_info((enum nova_fault)f);
    if (i->side != NOVA_SIDE_DEVICE || f % parts != part ||
        nova_fault_is_mqtt((enum nova_fault)f))
      continue;
    struct simrun_options o = {.catalog = simrun_catalog(),
                               .device = true,
                               .by_hand = by_hand,
                               .devices = 1 + f % 3,
                               .seed = 1};
    nova_fault_add(&o.faults, (enum nova_fault)f);
    round_trip(i->name, &o);
  }
}

Test(replay, every_fault_of_one_that_is_started_1) {
  faults(false, 0, 2);
}

Test(replay, every_fault_of_one_that_is_started_2) {
  faults(false, 1, 2);
}

Test(replay, every_fault_by_hand_1) {
  faults(true, 0, 2);
}

Test(replay, every_fault_by_hand_2) {
  faults(true, 1, 2);
}
