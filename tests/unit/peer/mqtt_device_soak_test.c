/* The reference device over MQTT under random input, and without memory. */
#include "mqtt_device_rig.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const char *const payloads[] = {
    "{\"command\":\"set_actuator\",\"params\":{\"relay1\":\"ON\"}}",
    "{\"command\":\"set_actuator\",\"params\":{\"nonsuch\":1}}",
    "{\"command\":\"set_actuator\",\"params\":7}",
    "{\"command\":\"set_actuator\"}",
    "{\"command\":\"unheard_of\",\"params\":{}}",
    "{nonsense",
    "\xff",
    "[]",
    "",
};

static void say_packet(struct mqtt_rig *r, struct nova_rng *rng) {
  static const enum nova_mqtt_type ack[] = {
      NOVA_MQTT_PUBACK,  NOVA_MQTT_PUBREC,   NOVA_MQTT_PUBREL,
      NOVA_MQTT_PUBCOMP, NOVA_MQTT_UNSUBACK, NOVA_MQTT_PINGRESP};
  struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH};
  if (nova_rng_below(rng, 4) == 0) {
    m.type = ack[nova_rng_below(rng, 6)];
    m.u.ack.packet_id = (uint16_t)(1 + nova_rng_below(rng, 20));
  } else {
    m.u.publish.topic =
        nova_view_of(nova_rng_below(rng, 8) != 0 ? MQTT_TOPIC("command")
                                                 : MQTT_TOPIC("data"));
    m.u.publish.payload = nova_view_of(
        payloads[nova_rng_below(rng, sizeof payloads / sizeof *payloads)]);
    m.u.publish.qos = (uint8_t)nova_rng_below(rng, 3);
    if (m.u.publish.qos > 0)
      m.u.publish.packet_id = (uint16_t)(1 + nova_rng_below(rng, 20));
  }
  mqtt_rig_send(r, &m);
}

static void step(struct mqtt_rig *r, struct nova_rng *rng) {
  char noise[12];
  switch (nova_rng_below(rng, 40)) {
  case 0: mqtt_rig_fin(r); return;
  case 1: mqtt_rig_rst(r); return;
  case 2: mqtt_rig_run(r, nova_rng_below(rng, 100) * NOVA_SEC); return;
  case 3: r->no_pingresp = nova_rng_below(rng, 2) != 0; return;
  case 4: r->no_connack = nova_rng_below(rng, 4) == 0; return;
  case 5: r->connack = nova_rng_below(rng, 4) == 0 ? 5 : 0; return;
  case 6: r->suback_fails = nova_rng_below(rng, 2) != 0; return;
  case 7: r->no_puback = nova_rng_below(rng, 2) != 0; return;
  case 8: r->refuses = nova_rng_below(rng, 4) == 0; return;
  case 9:
    for (size_t i = 0; i < sizeof noise; i++)
      noise[i] = (char)nova_rng_below(rng, 256);
    mqtt_rig_feed(r, noise, 1 + nova_rng_below(rng, sizeof noise));
    return;
  case 10:
  case 11:
  case 12:
  case 13: mqtt_rig_run(r, nova_rng_below(rng, 400) * NOVA_MS); return;
  default: say_packet(r, rng); return;
  }
}

/* The rig asserts what has to hold always. */
static void soak(uint64_t seed, const struct nova_fault_set *faults,
                 unsigned steps) {
  struct nova_rng rng;
  struct mqtt_rig r = {.watch = NULL};
  nova_rng_init(&rng, nova_rng_derive(seed, "mqtt soak"));
  mqtt_rig_start(&r,
                 &(struct nova_device_options){.seed = seed, .faults = faults},
                 NOVA_FAULTS);
  for (unsigned i = 0; i < steps && !r.exited; i++)
    step(&r, &rng);
  mqtt_rig_stop(&r);
}

static bool of_device(unsigned f) {
  return nova_fault_info((enum nova_fault)f)->side == NOVA_SIDE_DEVICE &&
         nova_fault_is_mqtt((enum nova_fault)f);
}

Test(mqtt_device_soak, no_fault) {
  for (uint64_t seed = 0; seed < 20; seed++)
    soak(seed, NULL, 3000);
}

Test(mqtt_device_soak, each_fault) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    struct nova_fault_set set = {{0}};
    nova_fault_add(&set, (enum nova_fault)f);
    for (uint64_t seed = 0; seed < 3 && of_device(f); seed++)
      soak(seed, &set, 300);
  }
}

Test(mqtt_device_soak, any_faults_together) {
  struct nova_rng rng;
  nova_rng_init(&rng, 7);
  for (uint64_t seed = 0; seed < 200; seed++) {
    struct nova_fault_set set = {{0}};
    for (uint64_t n = 2 + nova_rng_below(&rng, 12); n > 0;) {
      unsigned f = (unsigned)nova_rng_below(&rng, NOVA_FAULTS);
      if (!of_device(f))
        continue;
      nova_fault_add(&set, (enum nova_fault)f);
      n--;
    }
    soak(seed, &set, 200);
  }
}

/* --- without memory --------------------------------------------------------
 */

struct failing {
  struct nova_mem mem;
  size_t calls, fail_at;
  long live;
};

static void *fail_realloc(void *p, size_t n, void *user) {
  struct failing *f = user;
  if (++f->calls == f->fail_at)
    return NULL;
  f->live += p == NULL;
  return realloc(p, n);
}

static void fail_free(void *p, void *user) {
  ((struct failing *)user)->live -= p != NULL;
  free(p);
}

static struct failing failing_at(size_t at) {
  return (struct failing){.mem = {fail_realloc, fail_free, NULL},
                          .fail_at = at};
}

static struct nova_device *make(struct failing *f) {
  return nova_device_new(
      &(struct nova_device_options){.mem = &f->mem,
                                    .protocol = NOVA_DEVICE_MQTT,
                                    .id = nova_view_of(DEV_ID),
                                    .key = nova_view_of(DEV_KEY)});
}

/* How many allocations it takes to make one. */
static size_t cost(void) {
  struct failing f = failing_at(SIZE_MAX);
  f.mem.user = &f;
  struct nova_device *d = make(&f);
  cr_assert_not_null(d);
  nova_device_free(d);
  cr_assert_eq(f.live, 0);
  return f.calls;
}

Test(mqtt_device_soak, none_is_made_without_memory) {
  for (size_t at = 1, n = cost(); at <= n; at++) {
    struct failing f = failing_at(at);
    f.mem.user = &f;
    cr_assert_null(make(&f));
    cr_assert_eq(f.live, 0);
  }
}

/* The life of a device; whether it is served in the end. */
static bool live(struct failing *f, enum nova_fault fault) {
  struct mqtt_rig r = {.watch = NULL};
  mqtt_rig_start(&r, &(struct nova_device_options){.mem = &f->mem}, fault);
  mqtt_rig_run(&r, 2 * NOVA_SEC);
  for (size_t i = 0; i < 3; i++)
    (void)mqtt_rig_command(&r, payloads[i]);
  (void)mqtt_rig_publish(&r, MQTT_TOPIC("command"), nova_view_of(payloads[0]),
                         2);
  mqtt_rig_run(&r, 70 * NOVA_SEC);
  bool served = r.exited || nova_device_is_served(r.d);
  mqtt_rig_stop(&r);
  return served;
}

/* Wherever memory runs out once, it is served again in the end. */
Test(mqtt_device_soak, memory_runs_out) {
  bool over = false;
  for (size_t at = cost() + 1; !over; at++) {
    struct failing f = failing_at(at);
    f.mem.user = &f;
    cr_assert(live(&f, NOVA_FAULTS), "%zu", at);
    cr_assert_eq(f.live, 0);
    over = f.calls < at;
  }
}

/* Under faults it only has to leak nothing and to go on. */
Test(mqtt_device_soak, memory_runs_out_under_faults) {
  for (unsigned k = 0; k < NOVA_FAULTS; k++)
    for (size_t at = cost() + 1; of_device(k) && at < cost() + 40; at += 3) {
      struct failing f = failing_at(at);
      f.mem.user = &f;
      (void)live(&f, (enum nova_fault)k);
      cr_assert_eq(f.live, 0);
    }
}
