/* Anything in any order, under any set of faults: the server must stay sane.
 * The sanitizers see the rest. */
#include "peer/control.h"
#include "rig.h"

#include "base/rng.h"

#include <criterion/criterion.h>

#define CONNS 12

static const char *const scraps[] = {
    AUTH(ID_A, KEY_A),
    AUTH(ID_B, KEY_B),
    AUTH(ID_A, "wrong"),
    AUTH("DEV-123", "k"),
    PING(ID_A),
    PING(ID_B),
    PING(ID_A) PING(ID_A) PING(ID_A),
    DATA(ID_A, "{\"t\":-1.5e3,\"on\":true,\"s\":\"1\\\"2\"}"),
    DATA(ID_B, "{}"),
    STATUS(ID_A, ""),
    STATUS(ID_A, ",\"info\":{\"a\":1}"),
    RESPONSE(ID_A),
    "{\"type\":\"auth\",\"device_id\":\"" ID_A "\",\"device_key\":1}\n",
    "{\"type\":\"auth\",\"device_id\":1,\"device_key\":\"" KEY_A "\"}\n",
    "{\"type\":\"auth\"}\n",
    "{\"type\":\"hello\"}\n",
    "\n",
    "{",
    "[[[[",
    "\xc3",
    "\xa9\n",
    "]\n",
};

static const char *const requests[] = {
    "{\"do\":\"command\",\"device_id\":\"" ID_A
    "\",\"command\":\"c\",\"params\":{\"a\":1.5e2,\"b\":\"\xc3\xa9\\\"\"}}",
    "{\"do\":\"reset\",\"device_id\":\"" ID_B "\"}",
    "{\"do\":\"deactivate\",\"device_id\":\"" ID_B "\"}",
    "{\"do\":\"activate\",\"device_id\":\"" ID_B "\"}",
    "{\"do\":\"data\",\"device_id\":\"" ID_A "\"}",
    "{\"do\":\"connections\"}",
    "{",
};

struct soak {
  struct nova_server *s;
  struct nova_rng rng;
  nova_ts now;
  bool open[CONNS]; /* as the glue sees it */
  bool dead;
};

static size_t pick(struct soak *k, size_t n) {
  return (size_t)nova_rng_below(&k->rng, n);
}

static void take(struct soak *k) {
  struct nova_server_out out;
  while (nova_server_next_output(k->s, &out)) {
    if (out.kind == NOVA_SERVER_CRASH) {
      k->dead = true;
      continue;
    }
    cr_assert(out.conn < CONNS && k->open[out.conn] && !k->dead,
              "an output for a connection that is not open");
    if (out.kind != NOVA_SERVER_SEND)
      k->open[out.conn] = false;
    else if (pick(k, 8) != 0)
      nova_server_sent(k->s, out.conn);
  }
}

static void step(struct soak *k) {
  static char big[60000];
  size_t c = pick(k, CONNS), what = pick(k, 100);
  k->now += pick(k, 4) == 0 ? pick(k, 8 * NOVA_SEC) : 0;
  if (!k->open[c]) {
    if (nova_server_accept(k->s, c, k->now) == 0)
      k->open[c] = true;
  } else if (what < 80) {
    const char *p = scraps[pick(k, sizeof scraps / sizeof *scraps)];
    size_t n = strlen(p), cut = pick(k, n + 1);
    (void)nova_server_feed(k->s, c, p, cut, k->now);
    (void)nova_server_feed(k->s, c, p + cut, n - cut, k->now);
  } else if (what < 83) {
    memset(big, pick(k, 2) == 0 ? ' ' : '[', sizeof big);
    big[pick(k, sizeof big)] = '\n';
    for (size_t i = pick(k, 12); i > 0; i--)
      (void)nova_server_feed(k->s, c, big, sizeof big - (i & 1), k->now);
  } else if (what < 86) {
    nova_server_eof(k->s, c, k->now);
  } else if (what < 88) {
    nova_server_reset(k->s, c, k->now);
    k->open[c] = false;
  } else if (what < 94) {
    struct nova_buf out;
    const char *p = requests[pick(k, sizeof requests / sizeof *requests)];
    nova_buf_init(&out, NULL, 100000);
    cr_assert_eq(nova_server_control(k->s, p, strlen(p), k->now, &out), 0);
    cr_assert(out.len > 2 && out.data[out.len - 1] == '\n');
    nova_buf_free(&out);
  } else {
    nova_server_expire(k->s, k->now);
    cr_assert_gt(nova_server_next_deadline(k->s), k->now);
  }
  take(k);
}

static void soak(uint64_t seed, const struct nova_fault_set *faults,
                 int steps) {
  static const struct nova_credential devices[] = {
      {{ID_A, sizeof ID_A - 1}, {KEY_A, sizeof KEY_A - 1}},
      {{ID_B, sizeof ID_B - 1}, {KEY_B, sizeof KEY_B - 1}},
  };
  struct soak k = {
      .s = nova_server_new(&(struct nova_server_options){.devices = devices,
                                                         .device_count = 2,
                                                         .line_limit = 20000,
                                                         .unsent_limit = 5000,
                                                         .faults = faults})};
  cr_assert_not_null(k.s);
  nova_rng_init(&k.rng, seed);
  for (int i = 0; i < steps && !k.dead; i++)
    step(&k);
  take(&k);
  size_t open = 0;
  for (size_t c = 0; c < CONNS; c++)
    open += k.open[c];
  /* A server that has stopped accepting does not know all that are open. */
  cr_assert_leq(nova_server_connections(k.s), open);
  if (faults == NULL)
    cr_assert_eq(nova_server_connections(k.s), open);
  nova_server_free(k.s);
}

Test(soak, without_faults) {
  for (uint64_t seed = 0; seed < 10; seed++)
    soak(seed, NULL, 5000);
}

Test(soak, each_fault) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    struct nova_fault_set set = {{0}};
    if (nova_fault_info((enum nova_fault)f)->side != NOVA_SIDE_SERVER)
      continue;
    nova_fault_add(&set, (enum nova_fault)f);
    soak(f, &set, 2000);
  }
}

Test(soak, any_faults_together) {
  struct nova_rng rng;
  nova_rng_init(&rng, 7);
  for (uint64_t seed = 0; seed < 150; seed++) {
    struct nova_fault_set set = {{0}};
    for (uint64_t n = 2 + nova_rng_below(&rng, 12); n > 0;) {
      enum nova_fault f = (enum nova_fault)nova_rng_below(&rng, NOVA_FAULTS);
      if (nova_fault_info(f)->side != NOVA_SIDE_SERVER)
        continue;
      nova_fault_add(&set, f);
      n--;
    }
    soak(seed, &set, 2000);
  }
}
