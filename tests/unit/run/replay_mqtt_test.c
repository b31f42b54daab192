/* Recorded conversations of MQTT and TLS judged again: check by check the
 * same, of both sides, for whatever fault and variant. */
#include "run/replay.h"

#include "support/simrun.h"
#include "unit/run/round_trip.h"

#include <criterion/criterion.h>

#define OVER_MQTT  (1u << NOVA_OVER_MQTT)
#define OVER_MQTTS (1u << NOVA_OVER_MQTTS)

Test(replay_mqtt, a_device_that_is_started) {
  for (unsigned tls = 0; tls < 2; tls++) {
    struct simrun_options o = {.catalog = simrun_catalog(),
                               .device = true,
                               .over = tls ? OVER_MQTTS : OVER_MQTT,
                               .seed = 3};
    round_trip(tls ? "started, mqtts" : "started, mqtt", &o);
  }
}

Test(replay_mqtt, devices_operated_by_hand) {
  for (unsigned n = 1; n <= 3; n++)
    for (unsigned tls = 0; tls < 2; tls++) {
      struct simrun_options o = {.catalog = simrun_catalog(),
                                 .device = true,
                                 .by_hand = true,
                                 .devices = n,
                                 .over = tls ? OVER_MQTTS : OVER_MQTT,
                                 .seed = n};
      round_trip("by hand", &o);
    }
}

Test(replay_mqtt, a_server) {
  struct simrun_options o = {.catalog = simrun_catalog(),
                             .client_certificates = true,
                             .over = OVER_MQTT | OVER_MQTTS,
                             .seed = 5};
  round_trip("server", &o);
  o.over = OVER_MQTTS;
  round_trip("server over TLS alone", &o);
}

Test(replay_mqtt, a_rough_network) {
  for (uint64_t seed = 1; seed <= 4; seed++) {
    struct simrun_options o = {.catalog = simrun_catalog(),
                               .device = seed % 2 == 0,
                               .by_hand = seed % 4 == 0,
                               .devices =
                                   seed % 2 == 0 ? (unsigned)seed / 2 : 8,
                               .over = seed < 3 ? OVER_MQTT : OVER_MQTTS,
                               .seed = seed,
                               .net = {.seed = seed,
                                       .latency_min = seed * 5 * NOVA_MS,
                                       .latency_max = seed * 11 * NOVA_MS,
                                       .cut = NOVA_SIM_MIXED,
                                       .late_max = 3 * NOVA_MS,
                                       .job_delay = 100 * NOVA_MS}};
    round_trip("rough network", &o);
  }
}

static void faults(enum nova_side side, unsigned part, unsigned parts) {
  unsigned nth = 0;
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    const struct nova_fault_info *i = nova_fault_info((enum nova_fault)f);
    if (i->side != side || !nova_fault_is_mqtt((enum nova_fault)f) ||
        nth++ % parts != part)
      continue;
    bool device = side == NOVA_SIDE_DEVICE;
    struct simrun_options o = {.catalog = simrun_catalog(),
                               .device = device,
                               .by_hand = device && f % 3 == 0,
                               .devices = device ? 1 + f % 2 : 8,
                               .client_certificates = true,
                               .over = f % 2 == 0 ? OVER_MQTTS
                                       : device   ? OVER_MQTT
                                                  : OVER_MQTT | OVER_MQTTS,
                               .seed = 1};
    nova_fault_add(&o.faults, (enum nova_fault)f);
    round_trip(i->name, &o);
  }
}

#define PARTS(n)                                                               \
  Test(replay_mqtt, every_fault_of_a_device_##n) {                             \
    faults(NOVA_SIDE_DEVICE, n, 4);                                            \
  }                                                                            \
  Test(replay_mqtt, every_fault_of_a_server_##n) {                             \
    faults(NOVA_SIDE_SERVER, n, 4);                                            \
  }
PARTS(0)
PARTS(1)
PARTS(2)
PARTS(3)
