/* Anything in any order over both transports, under any set of faults, and
 * with no memory: the server stays sane. */
#include "mqtt_server_rig.h"

#include "base/error.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNS 8

struct soak {
  struct nova_server *s;
  struct nova_rng rng;
  nova_ts now;
  bool open[CONNS], tcp[CONNS];
};

static size_t pick(struct soak *k, size_t n) {
  return (size_t)nova_rng_below(&k->rng, n);
}

static const struct nova_credential devices[] = {
    {{ID_A, sizeof ID_A - 1}, {KEY_A, sizeof KEY_A - 1}},
    {{ID_B, sizeof ID_B - 1}, {KEY_B, sizeof KEY_B - 1}},
};

static void take(struct soak *k) {
  struct nova_server_out out;
  while (nova_server_next_output(k->s, &out)) {
    cr_assert(out.conn < CONNS && k->open[out.conn],
              "an output for a connection that is not open");
    if (out.kind != NOVA_SERVER_SEND)
      k->open[out.conn] = false;
    else if (pick(k, 8) != 0)
      nova_server_sent(k->s, out.conn);
  }
}

static const char *const users[] = {ID_A, ID_B, PLATFORM, "dev-000001", "x"};
static const char *const keys[] = {KEY_A, KEY_B, PLATFORM_KEY, "", "wrong"};
static const char *const topics[] = {
    TOPIC(ID_A, "data"),    TOPIC(ID_A, "status"),  TOPIC(ID_B, "data"),
    TOPIC(ID_A, "command"), TOPIC(ID_B, "command"), "x",
};
static const char *const filters[] = {
    TOPIC(ID_A, "command"), TOPIC(ID_B, "#"),      "#",
    "novacloud/#",          TOPIC("+", "command"),
};
static const char *const payloads[] = {
    "",
    "{}",
    "not JSON",
    "{\"timestamp\":1,\"device_id\":\"" ID_A "\",\"t\": 1}",
    "{\"timestamp\":1,\"device_id\":\"" ID_B "\",\"status\":\"on\"}",
    "{\"timestamp\":0,\"device_id\":\"" ID_A "\",\"status\":\"offline\"}",
};
#define ANY(k, list) list[pick(k, sizeof list / sizeof *list)]

static struct nova_mqtt_connect connect_of(struct soak *k) {
  struct nova_mqtt_connect c = {.clean_session = pick(k, 2) == 0,
                                .keep_alive = (uint16_t)pick(k, 20),
                                .client_id = nova_view_of(ANY(k, users))};
  size_t who = pick(k, 5);
  if (pick(k, 10) != 0)
    c.user_name = nova_view_of(users[who]);
  if (c.user_name.p != NULL && pick(k, 10) != 0)
    c.password = nova_view_of(pick(k, 4) != 0 ? keys[who] : keys[pick(k, 5)]);
  if (pick(k, 2) == 0) {
    c.will_topic = nova_view_of(ANY(k, topics));
    c.will_message = nova_view_of(ANY(k, payloads));
    c.will_qos = (uint8_t)pick(k, 3);
    c.will_retain = pick(k, 4) == 0;
  }
  return c;
}

static struct nova_mqtt packet_of(struct soak *k,
                                  struct nova_mqtt_entry *entry) {
  struct nova_mqtt m = {.type = (enum nova_mqtt_type)(1 + pick(k, 14))};
  size_t what = pick(k, 10);
  if (what < 3) {
    m.type = NOVA_MQTT_CONNECT;
    m.u.connect = connect_of(k);
  } else if (what < 7) {
    m.type = NOVA_MQTT_PUBLISH;
    m.u.publish =
        (struct nova_mqtt_publish){.qos = (uint8_t)pick(k, 3),
                                   .retain = pick(k, 8) == 0,
                                   .topic = nova_view_of(ANY(k, topics)),
                                   .payload = nova_view_of(ANY(k, payloads))};
    if (m.u.publish.qos > 0)
      m.u.publish.packet_id = (uint16_t)(1 + pick(k, 5));
  } else if (what < 9) {
    m.type = NOVA_MQTT_SUBSCRIBE;
    *entry = (struct nova_mqtt_entry){nova_view_of(ANY(k, filters)),
                                      (uint8_t)pick(k, 3)};
    m.u.list = (struct nova_mqtt_list){
        (uint16_t)(1 + pick(k, 5)), 1, entry, {NULL, 0}};
  } else if (m.type == NOVA_MQTT_PUBACK || m.type == NOVA_MQTT_PUBREC ||
             m.type == NOVA_MQTT_PUBREL || m.type == NOVA_MQTT_PUBCOMP) {
    m.u.ack.packet_id = (uint16_t)(1 + pick(k, 5));
  } else {
    m.type = pick(k, 2) == 0 ? NOVA_MQTT_PINGREQ : NOVA_MQTT_DISCONNECT;
  }
  return m;
}

static void feed(struct soak *k, size_t c, const char *p, size_t n) {
  size_t cut = pick(k, n + 1);
  int err = nova_server_feed(k->s, c, p, cut, k->now);
  cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
  err = nova_server_feed(k->s, c, p + cut, n - cut, k->now);
  cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
}

static void say(struct soak *k, size_t c) {
  char bytes[4096];
  size_t n = 0;
  struct nova_mqtt_entry entry;
  struct nova_mqtt m = packet_of(k, &entry);
  cr_assert_eq(nova_mqtt_encode(&m, NOVA_MQTT_ANYWAY, bytes, sizeof bytes, &n),
               0);
  if (pick(k, 30) == 0)
    bytes[pick(k, n)] ^= (char)(1 << pick(k, 8));
  feed(k, c, bytes, n);
}

static void control(struct soak *k) {
  static const char *const requests[] = {
      "{\"do\":\"command\",\"device_id\":\"" ID_A "\",\"command\":\"c\"}",
      "{\"do\":\"command\",\"device_id\":\"" ID_B
      "\",\"command\":\"c\",\"transport\":\"mqtt\"}",
      "{\"do\":\"data\",\"device_id\":\"" ID_A "\"}",
      "{\"do\":\"connections\"}",
      "{\"do\":\"deactivate\",\"device_id\":\"" ID_B "\"}",
      "{\"do\":\"activate\",\"device_id\":\"" ID_B "\"}",
  };
  const char *p = ANY(k, requests);
  struct nova_buf out;
  nova_buf_init(&out, NULL, 100000);
  int err = nova_server_control(k->s, p, strlen(p), k->now, &out);
  cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
  nova_buf_free(&out);
}

static void step(struct soak *k) {
  size_t c = pick(k, CONNS), what = pick(k, 100);
  k->now += pick(k, 4) == 0 ? pick(k, 4 * NOVA_SEC) : 0;
  if (!k->open[c]) {
    k->tcp[c] = pick(k, 5) == 0;
    int err = k->tcp[c] ? nova_server_accept(k->s, c, k->now)
                        : nova_server_accept_mqtt(k->s, c, k->now);
    k->open[c] = err == 0;
  } else if (what < 80) {
    if (k->tcp[c])
      feed(k, c, AUTH(ID_A, KEY_A) DATA(ID_A, "{\"t\":1}"),
           sizeof AUTH(ID_A, KEY_A) DATA(ID_A, "{\"t\":1}") - 1);
    else
      say(k, c);
  } else if (what < 84) {
    nova_server_eof(k->s, c, k->now);
  } else if (what < 87) {
    nova_server_reset(k->s, c, k->now);
    k->open[c] = false;
  } else if (what < 93) {
    control(k);
  } else {
    nova_server_expire(k->s, k->now);
    cr_assert_gt(nova_server_next_deadline(k->s), k->now);
  }
  take(k);
}

/* Returns false where there was no memory to begin with. */
static bool soak(uint64_t seed, const struct nova_fault_set *faults,
                 const struct nova_mem *mem, int steps) {
  struct soak k = {.s = nova_server_new(&(struct nova_server_options){
                       .mem = mem,
                       .devices = devices,
                       .device_count = 2,
                       .platform = {{PLATFORM, sizeof PLATFORM - 1},
                                    {PLATFORM_KEY, sizeof PLATFORM_KEY - 1}},
                       .unsent_limit = 5000,
                       .faults = faults})};
  if (k.s == NULL)
    return false;
  nova_rng_init(&k.rng, seed);
  for (int i = 0; i < steps; i++)
    step(&k);
  take(&k);
  size_t open = 0;
  for (size_t c = 0; c < CONNS; c++)
    open += k.open[c];
  cr_assert_eq(nova_server_connections(k.s), open);
  nova_server_free(k.s);
  return true;
}

Test(mqtt_server_soak, without_faults) {
  for (uint64_t seed = 0; seed < 20; seed++)
    cr_assert(soak(seed, NULL, NULL, 3000));
}

static bool is_ours(enum nova_fault f) {
  return nova_fault_info(f)->side == NOVA_SIDE_SERVER && nova_fault_is_mqtt(f);
}

Test(mqtt_server_soak, each_fault) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    struct nova_fault_set set = {{0}};
    if (!is_ours((enum nova_fault)f))
      continue;
    nova_fault_add(&set, (enum nova_fault)f);
    cr_assert(soak(f, &set, NULL, 1500));
  }
}

Test(mqtt_server_soak, any_faults_together) {
  struct nova_rng rng;
  nova_rng_init(&rng, 11);
  for (uint64_t seed = 0; seed < 100; seed++) {
    struct nova_fault_set set = {{0}};
    for (uint64_t n = 2 + nova_rng_below(&rng, 10); n > 0;) {
      enum nova_fault f = (enum nova_fault)nova_rng_below(&rng, NOVA_FAULTS);
      if (!is_ours(f))
        continue;
      nova_fault_add(&set, f);
      n--;
    }
    cr_assert(soak(seed, &set, NULL, 1500));
  }
}

/* --- no memory -------------------------------------------------------------
 */

struct failing {
  struct nova_mem mem;
  size_t calls, fail_at; /* 0: never */
  size_t every;          /* from then on each so-many-th fails; 0: one only */
  long live;
};

static void *fail_realloc(void *p, size_t n, void *user) {
  struct failing *f = user;
  f->calls++;
  if (f->fail_at != 0 &&
      (f->calls == f->fail_at || (f->every != 0 && f->calls > f->fail_at &&
                                  (f->calls - f->fail_at) % f->every == 0)))
    return NULL;
  f->live += p == NULL;
  return realloc(p, n);
}

static void fail_free(void *p, void *user) {
  struct failing *f = user;
  f->live -= p != NULL;
  free(p);
}

static void run_out(const struct nova_fault_set *faults) {
  for (size_t n = 1; n <= 300; n++)
    for (size_t every = 0; every < 8; every += 7) {
      struct failing f = {{fail_realloc, fail_free, &f}, 0, n, every, 0};
      (void)soak(n, faults, &f.mem, 150);
      cr_assert_eq(f.live, 0, "allocation %zu: %ld leaked", n, f.live);
    }
}

Test(mqtt_server_soak, any_allocation_may_fail) {
  run_out(NULL);
}

Test(mqtt_server_soak, any_allocation_may_fail_under_faults) {
  static const enum nova_fault some[] = {
      NOVA_FAULT_M_UNKNOWN_ACCEPTED, NOVA_FAULT_M_DATA_RESERIALISED,
      NOVA_FAULT_M_COMMAND_TO_ALL,   NOVA_FAULT_M_V_CLOSES_LATER,
      NOVA_FAULT_M_REFUSED_STAYS,
  };
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
    struct nova_fault_set set = {{0}};
    nova_fault_add(&set, some[i]);
    run_out(&set);
  }
}
