/* The reference device under random input, and without memory. */
#include "device_rig.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* --- random input ----------------------------------------------------------
 */

static const char *const lines[] = {
    DEV_SUCCESS,
    DEV_SUCCESS,
    DEV_SUCCESS,
    DEV_FAILED,
    DEV_PONG,
    DEV_SET("a", "{\"relay1\":\"ON\"}"),
    DEV_SET("\\u00e9\\\"\xe6\xb8\xa9 b",
            "{\"led_brightness\":80.5,\"relay1\":\"\"}"),
    DEV_SET("abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdef"
            "ghij",
            "{\"nonsuch\":1}"),
    DEV_COMMAND("x", "unheard_of", "{}"),
    "{\"type\":\"command\",\"command_id\":\"y\"}\n",
    "{\"type\":\"unheard_of\",\"x\":[{}]}\n",
    "{\"type\":\"pong\",\"timestamp\":1,\"more\":1}\n",
    "\n",
    "[1]\n",
    "{nonsense\n",
    "\xff\n",
    "{\"type\":\"pong\"",
};

/* One segment: a line, a piece of one, or noise. */
static void say_something(struct dev_rig *r, struct nova_rng *rng) {
  const char *line = lines[nova_rng_below(rng, sizeof lines / sizeof *lines)];
  size_t n = strlen(line), cut = nova_rng_below(rng, n + 1);
  if (nova_rng_below(rng, 4) != 0) {
    dev_feed(r, line, n);
  } else if (nova_rng_below(rng, 2) != 0) {
    dev_feed(r, line, cut);
    dev_feed(r, line + cut, n - cut);
  } else {
    char noise[16];
    for (size_t i = 0; i < sizeof noise; i++)
      noise[i] = (char)nova_rng_below(rng, 256);
    dev_feed(r, noise, 1 + nova_rng_below(rng, sizeof noise));
  }
}

static void step(struct dev_rig *r, struct nova_rng *rng) {
  switch (nova_rng_below(rng, 16)) {
  case 0: dev_fin(r); return;
  case 1: dev_rst(r); return;
  case 2: (void)dev_accept(r, nova_rng_below(rng, 60) * NOVA_SEC); return;
  case 3: dev_wait(r, nova_rng_below(rng, 200) * NOVA_SEC); return;
  case 4:
  case 5: dev_wait(r, nova_rng_below(rng, 300) * NOVA_MS); return;
  case 6:
    if (r->asks && nova_rng_below(rng, 2) != 0) {
      r->asks = false;
      nova_device_refused(r->d, r->now);
    }
    return;
  case 7: nova_buf_clear(&r->in); return;
  default:
    if (!r->open)
      (void)dev_accept(r, NOVA_SEC);
    say_something(r, rng);
    return;
  }
}

/* The rig asserts what has to hold always. */
static void soak(uint64_t seed, const struct nova_fault_set *faults,
                 unsigned steps) {
  struct nova_rng rng;
  struct dev_rig r;
  nova_rng_init(&rng, nova_rng_derive(seed, "soak"));
  dev_start_with(&r, &(struct nova_device_options){.faults = faults});
  nova_device_start(r.d, 0);
  dev_wait(&r, 0);
  struct nova_device_out out;
  if (nova_device_next_output(r.d, &out))
    r.asks = true;
  for (unsigned i = 0; i < steps && !r.exited; i++)
    step(&r, &rng);
  dev_stop(&r);
}

Test(device_soak, no_fault) {
  for (uint64_t seed = 0; seed < 20; seed++)
    soak(seed, NULL, 3000);
}

static bool of_device(unsigned f) {
  return nova_fault_info((enum nova_fault)f)->side == NOVA_SIDE_DEVICE &&
         !nova_fault_is_mqtt((enum nova_fault)f);
}

Test(device_soak, each_fault) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    struct nova_fault_set set = {{0}};
    nova_fault_add(&set, (enum nova_fault)f);
    for (uint64_t seed = 0; seed < 4 && of_device(f); seed++)
      soak(seed, &set, 300);
  }
}

Test(device_soak, any_faults_together) {
  struct nova_rng rng;
  nova_rng_init(&rng, 7);
  for (uint64_t seed = 0; seed < 300; seed++) {
    struct nova_fault_set set = {{0}};
    for (uint64_t n = 2 + nova_rng_below(&rng, 12); n > 0;) {
      unsigned f = (unsigned)nova_rng_below(&rng, NOVA_FAULTS);
      /* A log of 200 KB 20 times a second, byte by byte, only takes time. */
      if (!of_device(f) || f == NOVA_FAULT_V_D_CHATTY ||
          f == NOVA_FAULT_V_D_BYTES)
        continue;
      nova_fault_add(&set, (enum nova_fault)f);
      n--;
    }
    soak(seed, &set, 300);
  }
}

/* Faults of servers are none of a device. */
Test(device_soak, faults_of_servers_do_nothing) {
  struct nova_fault_set set = {{0}};
  struct dev_rig a, b;
  for (unsigned f = 0; f < NOVA_FAULTS; f++)
    if (!of_device(f))
      nova_fault_add(&set, (enum nova_fault)f);
  dev_start(&a, NOVA_FAULTS);
  dev_start_with(&b, &(struct nova_device_options){.faults = &set});
  nova_device_start(b.d, 0);
  struct nova_device_out out;
  cr_assert(nova_device_next_output(b.d, &out));
  b.asks = true;
  struct dev_rig *both[] = {&a, &b};
  for (size_t i = 0; i < 2; i++) {
    cr_assert(dev_serve(both[i]));
    dev_say(both[i], DEV_SET("x", "{\"relay1\":\"ON\"}") "[]\n" DEV_PONG);
    dev_wait(both[i], 170 * NOVA_SEC);
  }
  cr_assert_gt(a.in.len, 500);
  cr_assert(nova_view_eq(nova_buf_view(&a.in), nova_buf_view(&b.in)));
  dev_stop(&a);
  dev_stop(&b);
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

/* Takes what comes out; answers CONNECT and auth. */
static bool take_out(struct nova_device *d, nova_ts now) {
  struct nova_device_out out;
  bool connect = false;
  while (nova_device_next_output(d, &out)) {
    connect |= out.kind == NOVA_DEVICE_CONNECT;
    if (out.kind == NOVA_DEVICE_SEND)
      nova_device_sent(d);
  }
  if (!connect)
    return false;
  nova_device_connected(d, now);
  return true;
}

static void say(struct nova_device *d, const char *text, nova_ts now) {
  nova_device_feed(d, text, strlen(text), now);
  (void)take_out(d, now);
}

/* Two connections with everything on them; whether the second was served in the
 * end. */
static bool live(struct failing *f, const struct nova_fault_set *faults) {
  struct nova_device *d = nova_device_new(
      &(struct nova_device_options){.mem = &f->mem,
                                    .id = nova_view_of(DEV_ID),
                                    .key = nova_view_of(DEV_KEY),
                                    .faults = faults});
  if (d == NULL)
    return true;
  nova_ts now = 0;
  nova_device_start(d, now);
  for (int i = 0; i < 70; i++) {
    now += NOVA_SEC;
    if (take_out(d, now))
      say(d, DEV_SUCCESS, now);
    if (i == 5 || i == 64) {
      say(d, "{\"type\":\"comm", now);
      say(d,
          "and\",\"command_id\":\"\\u00e9 x\",\"command\":\"set_actuator\","
          "\"params\":{\"relay1\":\"ON\"}}\n" DEV_SET("2", "{}"),
          now);
      say(d, "nonsense\n", now);
    }
    if (i == 10) {
      nova_device_reset(d, now);
      (void)take_out(d, now);
    }
    nova_device_expire(d, now);
  }
  if (!nova_device_is_served(d)) {
    /* A connection that memory has cost is tried again. */
    now += 60 * NOVA_SEC;
    nova_device_expire(d, now);
    if (take_out(d, now))
      say(d, DEV_SUCCESS, now);
  }
  bool served = nova_device_is_served(d);
  nova_device_free(d);
  return served;
}

static void fail_each(const struct nova_fault_set *faults, bool recovers) {
  struct failing f = {.mem = {fail_realloc, fail_free, &f}};
  (void)live(&f, faults);
  cr_assert_eq(f.live, 0);
  size_t total = f.calls;
  for (size_t n = 1; n <= total; n++) {
    f.calls = 0;
    f.fail_at = n;
    bool served = live(&f, faults);
    cr_assert_eq(f.live, 0, "allocation %zu of %zu leaked", n, total);
    cr_assert(served || !recovers, "allocation %zu of %zu", n, total);
  }
}

Test(device_soak, every_allocation_may_fail) {
  fail_each(NULL, true);
}

Test(device_soak, every_allocation_may_fail_under_faults) {
  static const enum nova_fault some[] = {NOVA_FAULT_D_TWO_OBJECTS,
                                         NOVA_FAULT_D_SECOND_LINE_WAITS,
                                         NOVA_FAULT_D_LAST_ONLY,
                                         NOVA_FAULT_D_ID_31,
                                         NOVA_FAULT_D_ID_ESCAPES_KEPT,
                                         NOVA_FAULT_D_ID_STALE,
                                         NOVA_FAULT_V_D_GATHERED,
                                         NOVA_FAULT_V_D_REVERSED,
                                         NOVA_FAULT_V_D_SLOW,
                                         NOVA_FAULT_V_D_MEMBERS_ADDED,
                                         NOVA_FAULT_V_D_LETTERS_ESCAPED,
                                         NOVA_FAULT_D_PRETTY_PRINTED};
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
    struct nova_fault_set set = {{0}};
    nova_fault_add(&set, some[i]);
    fail_each(&set, false);
  }
}
