/* Many connections, and no memory. */
#include "rig.h"

#include "base/error.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define MANY 5000

static size_t count_outputs(struct nova_server *s, size_t by_kind[4],
                            uint64_t *last) {
  struct nova_server_out out;
  size_t n = 0;
  while (nova_server_next_output(s, &out)) {
    by_kind[out.kind]++;
    *last = out.conn;
    n++;
    if (out.kind == NOVA_SERVER_SEND)
      nova_server_sent(s, out.conn);
  }
  return n;
}

static uint64_t number_of(size_t i) {
  return (UINT64_C(1) << 32) + i * 3;
}

/* Each has its own device, its own times and its own end. */
Test(load, five_thousand_connections) {
  static char text[MANY][2][16];
  static struct nova_credential devices[MANY];
  for (size_t i = 0; i < MANY; i++) {
    snprintf(text[i][0], 16, "DEV-%06zu", i);
    snprintf(text[i][1], 16, "key%zu", i);
    devices[i].id = nova_view_of(text[i][0]);
    devices[i].key = nova_view_of(text[i][1]);
  }
  struct nova_server *s = nova_server_new(
      &(struct nova_server_options){.devices = devices, .device_count = MANY});
  cr_assert_not_null(s);
  size_t kinds[4] = {0};
  uint64_t last = 0;
  char line[256];
  for (size_t i = 0; i < MANY; i++)
    cr_assert_eq(nova_server_accept(s, number_of(i), i * NOVA_MS), 0);
  cr_assert_eq(nova_server_connections(s), MANY);
  /* Half of them authenticate, each in its own millisecond. */
  for (size_t i = 0; i < MANY; i += 2) {
    int n = snprintf(line, sizeof line,
                     "{\"type\":\"auth\",\"device_id\":\"DEV-%06zu\","
                     "\"device_key\":\"key%zu\"}\n",
                     i, i);
    cr_assert_eq(nova_server_feed(s, number_of(i), line, (size_t)n,
                                  5 * NOVA_SEC + i * NOVA_MS),
                 0);
    cr_assert_eq(count_outputs(s, kinds, &last), 1);
    cr_assert_eq(last, number_of(i));
  }
  cr_assert_eq(kinds[NOVA_SERVER_SEND], MANY / 2);
  cr_assert_eq(kinds[NOVA_SERVER_CLOSE], 0);
  /* The others go one by one, in their milliseconds. */
  for (size_t i = 1; i < MANY; i += 2) {
    nova_ts when = 10 * NOVA_SEC + i * NOVA_MS;
    cr_assert_eq(nova_server_next_deadline(s), when, "%zu", i);
    nova_server_expire(s, when);
    cr_assert_eq(count_outputs(s, kinds, &last), 1);
    cr_assert_eq(last, number_of(i));
  }
  cr_assert_eq(nova_server_connections(s), MANY / 2);
  /* A ping moves a connection to the end of the line. */
  int n = snprintf(line, sizeof line, "%s", PING("DEV-000000"));
  cr_assert_eq(
      nova_server_feed(s, number_of(0), line, (size_t)n, 100 * NOVA_SEC), 0);
  cr_assert_eq(count_outputs(s, kinds, &last), 1);
  for (size_t i = 2; i < MANY; i += 2) {
    nova_server_expire(s, 185 * NOVA_SEC + i * NOVA_MS);
    cr_assert_eq(count_outputs(s, kinds, &last), 1);
    cr_assert_eq(last, number_of(i));
  }
  cr_assert_eq(nova_server_next_deadline(s), 280 * NOVA_SEC);
  cr_assert_eq(nova_server_connections(s), 1);
  nova_server_free(s);
}

/* Connections come and go in any order; the numbers must never be mixed up. */
Test(load, connections_come_and_go) {
  enum { SLOTS = 300 };
  bool open[SLOTS] = {false};
  size_t count = 0;
  struct nova_server *s = nova_server_new(&(struct nova_server_options){0});
  struct nova_rng rng;
  nova_rng_init(&rng, 1);
  for (int step = 0; step < 50000; step++) {
    size_t i = (size_t)nova_rng_below(&rng, SLOTS);
    /* Numbers far apart and close together. */
    uint64_t conn = i % 2 == 0 ? i : (uint64_t)i << 33;
    if (open[i]) {
      nova_server_reset(s, conn, 0);
      count--;
    } else {
      cr_assert_eq(nova_server_accept(s, conn, 0), 0);
      count++;
    }
    open[i] = !open[i];
    cr_assert_eq(nova_server_connections(s), count);
    if (open[i])
      cr_assert_eq(nova_server_accept(s, conn, 0), NOVA_ERR_STATE);
  }
  nova_server_free(s);
}

/* --- memory ----------------------------------------------------------------
 */

struct failing {
  struct nova_mem mem;
  size_t calls, fail_at; /* fail_at 0: never */
  bool forever;          /* all calls from fail_at on fail */
  long live;
};

static void *fail_realloc(void *p, size_t n, void *user) {
  struct failing *f = user;
  f->calls++;
  if (f->fail_at != 0 &&
      (f->calls == f->fail_at || (f->forever && f->calls > f->fail_at)))
    return NULL;
  f->live += p == NULL;
  return realloc(p, n);
}

static void fail_free(void *p, void *user) {
  struct failing *f = user;
  f->live -= p != NULL;
  free(p);
}

static void drain(struct nova_server *s) {
  struct nova_server_out out;
  while (nova_server_next_output(s, &out))
    if (out.kind == NOVA_SERVER_SEND && out.conn == 1)
      nova_server_sent(s, out.conn);
}

static void feed(struct nova_server *s, uint64_t conn, const char *text,
                 nova_ts now) {
  int err = nova_server_feed(s, conn, text, strlen(text), now);
  cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
  drain(s);
}

/* A bit of everything that takes memory; returns whether it came to its end. */
static bool live_a_little(struct failing *f,
                          const struct nova_fault_set *faults) {
  static const struct nova_credential device = {{ID_A, sizeof ID_A - 1},
                                                {KEY_A, sizeof KEY_A - 1}};
  struct nova_server *s = nova_server_new(&(struct nova_server_options){
      .mem = &f->mem, .devices = &device, .device_count = 1, .faults = faults});
  if (s == NULL)
    return false;
  struct nova_buf out;
  nova_buf_init(&out, NULL, 100000);
  for (uint64_t conn = 1; conn <= 3; conn++) {
    int err = nova_server_accept(s, conn, 0);
    cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
    feed(s, conn, "{\"type\":\"auth\",\"device_id\":\"" ID_A "\",", NOVA_SEC);
    feed(s, conn, "\"device_key\":\"" KEY_A "\"}\n" PING(ID_A), NOVA_SEC);
    feed(s, conn, DATA(ID_A, "{\"t\":1}") STATUS(ID_A, "") PING(ID_A),
         NOVA_SEC);
  }
  static const char *const requests[] = {
      "{\"do\":\"command\",\"device_id\":\"" ID_A "\",\"command\":\"c\"}",
      "{\"do\":\"data\",\"device_id\":\"" ID_A "\"}",
      "{\"do\":\"connections\"}",
      "{\"do\":\"reset\",\"device_id\":\"" ID_A "\"}",
      "nonsense",
  };
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    size_t before = out.len;
    int err = nova_server_control(s, requests[i], strlen(requests[i]),
                                  2 * NOVA_SEC, &out);
    cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
    cr_assert(err == 0 ? out.len > before : out.len == before);
    drain(s);
  }
  (void)nova_server_accept(s, 4, 3 * NOVA_SEC);
  feed(s, 4, AUTH(ID_A, "wrong") "x", 3 * NOVA_SEC);
  nova_server_eof(s, 2, 4 * NOVA_SEC);
  nova_server_expire(s, 20 * NOVA_SEC);
  drain(s);
  nova_server_expire(s, 400 * NOVA_SEC);
  bool ended = nova_server_connections(s) == 0;
  drain(s);
  nova_server_free(s);
  nova_buf_free(&out);
  return ended;
}

static void run_out_of_memory(const struct nova_fault_set *faults) {
  struct failing f = {.mem = {fail_realloc, fail_free, &f}};
  cr_assert(live_a_little(&f, faults));
  cr_assert_eq(f.live, 0);
  size_t total = f.calls;
  cr_assert_gt(total, 20);
  for (int forever = 0; forever < 2; forever++) {
    for (size_t n = 1; n <= total; n++) {
      f.calls = 0;
      f.fail_at = n;
      f.forever = forever != 0;
      (void)live_a_little(&f, faults);
      cr_assert_eq(f.live, 0, "allocation %zu of %zu: %ld leaked", n, total,
                   f.live);
    }
  }
}

Test(load, every_allocation_may_fail) {
  run_out_of_memory(NULL);
}

Test(load, every_allocation_may_fail_under_faults) {
  static const enum nova_fault some[] = {
      NOVA_FAULT_SECOND_MESSAGE_WAITS,
      NOVA_FAULT_SEGMENT_LAST_FIRST,
      NOVA_FAULT_TWO_OBJECTS_PER_LINE,
      NOVA_FAULT_PRETTY_PRINTED,
      NOVA_FAULT_AUTH_SLOW,
      NOVA_FAULT_PONG_LATE,
      NOVA_FAULT_CLOSE_LATE,
      NOVA_FAULT_UNKNOWN_ACCEPTED,
      NOVA_FAULT_DATA_AS_STRINGS,
      NOVA_FAULT_COMMAND_TO_ALL,
  };
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
    struct nova_fault_set faults = {{0}};
    nova_fault_add(&faults, some[i]);
    run_out_of_memory(&faults);
  }
}

/* The connection at hand is reset; the one beside it does not notice. */
Test(load, no_memory_costs_one_connection) {
  struct failing f = {.mem = {fail_realloc, fail_free, &f}};
  struct rig r;
  rig_start_with(&r, &(struct nova_server_options){.mem = &f.mem});
  size_t a = rig_accept(&r), b = rig_accept(&r);
  rig_say(&r, a, AUTH(ID_A, KEY_A));
  rig_say(&r, b, AUTH(ID_A, KEY_A));
  f.fail_at = f.calls + 1;
  cr_assert_eq(nova_server_feed(r.s, a, PING(ID_A), strlen(PING(ID_A)), 0),
               NOVA_ERR_NO_MEMORY);
  rig_pump(&r);
  cr_assert(r.conn[a].reset);
  (void)rig_take(&r, b);
  rig_say(&r, b, PING(ID_A));
  cr_assert_neq(r.conn[b].in.len, 0);
  rig_stop(&r);
}
