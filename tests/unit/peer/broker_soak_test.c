/* A broker under random load beside a model that is as simple as it can be, and
 * what must hold whatever comes: bytes that are none, memory that ends. */
#include "broker_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* --- beside a model --------------------------------------------------------
 * Each client subscribes to filters of a few and publishes to topics of a few,
 * comes and goes, acknowledges when it wants. The model keeps for each client
 * the list of numbers that it is to get of each publisher and QoS; what it gets
 * must be that list, in order, QoS 2 once, QoS 1 once but for DUP. */

#define CLIENTS 6
#define NUMBERS 4000
#define FILTERS 9

static const char *const filters[FILTERS] = {
    "a", "a/#", "+/x", "a/b/c", "#", "b/+", "b/x", "+/+/#", "a/b/+"};
static const char *const topics[] = {"a", "a/x", "a/b/c", "b/x", "b", "c/y/z"};
#define TOPICS (sizeof topics / sizeof *topics)

struct model {
  bool open, kept;  /* connected; it has a session that is kept */
  int qos[FILTERS]; /* -1: not subscribed */
  uint16_t ids;     /* of its own packets */
  unsigned want[NUMBERS], want_n, got_n; /* what it is to get with QoS 1, 2 */
  uint16_t unacked[200];
  uint8_t unacked_type[200]; /* what it would answer */
  unsigned unacked_n;
  bool released[65536]; /* QoS 2: PUBREC was sent, PUBREL did not come */
};

struct soak {
  struct br r;
  struct nova_rng rng, cuts;
  struct model m[CLIENTS];
  int conn_of[CLIENTS]; /* numbers of connections, taken in turn */
  struct nova_buf in[CLIENTS];
  unsigned number; /* of the last message */
};

static unsigned dice(struct soak *s, unsigned n) {
  return (unsigned)nova_rng_below(&s->rng, n);
}

/* The highest QoS of the filters of |m| that match, -1 for none. */
static int granted(const struct model *m, const char *topic) {
  int best = -1;
  for (int f = 0; f < FILTERS; f++)
    if (m->qos[f] > best &&
        nova_mqtt_match(nova_view_of(filters[f]), nova_view_of(topic)))
      best = m->qos[f];
  return best;
}

static void forget(struct model *m) {
  for (int f = 0; f < FILTERS; f++)
    m->qos[f] = -1;
  m->want_n = m->got_n = m->unacked_n = 0;
  m->kept = false;
  memset(m->released, 0, sizeof m->released);
}

/* A message of QoS 1 or 2 with a number comes in. */
static void comes(struct soak *s, int c, const struct nova_mqtt_publish *u) {
  struct model *m = &s->m[c];
  unsigned number = (unsigned)strtoul(u->payload.p, NULL, 10);
  if (u->qos == 0)
    return;
  bool again = u->qos == 2 && m->released[u->packet_id];
  for (unsigned i = 0; i < m->unacked_n; i++)
    again = again || m->unacked[i] == u->packet_id;
  /* Behind a resumption the same ones come once more. */
  cr_assert(!again || u->dup, "%u comes again without DUP", number);
  if (!u->dup) {
    cr_assert_lt(m->got_n, m->want_n, "client %d gets %u too much", c, number);
    cr_assert_eq(m->want[m->got_n], number, "client %d gets %u, not %u", c,
                 number, m->want[m->got_n]);
    m->got_n++;
  } else if (!again) {
    /* It was lost with the connection: it is the next one all the same. */
    unsigned i = 0;
    while (i < m->got_n && m->want[i] != number)
      i++;
    if (i == m->got_n) {
      cr_assert_eq(m->want[m->got_n], number);
      m->got_n++;
    }
  }
  if (again)
    return;
  cr_assert_lt(m->unacked_n, 200);
  m->unacked[m->unacked_n] = u->packet_id;
  m->unacked_type[m->unacked_n++] =
      u->qos == 1 ? NOVA_MQTT_PUBACK : NOVA_MQTT_PUBREC;
}

/* Reads what came for |c|. */
static void reads(struct soak *s, int c) {
  struct br_client *client = &s->r.client[s->conn_of[c]];
  struct nova_mqtt_stream stream;
  struct nova_mqtt_out out;
  struct nova_mqtt p;
  nova_mqtt_stream_init(&stream, NULL, 1 << 20);
  struct nova_view v = nova_buf_view(&client->in);
  for (size_t at = 0, used; at < v.n; at += used) {
    cr_assert_eq(
        nova_mqtt_stream_feed(&stream, v.p + at, v.n - at, &used, &out),
        NOVA_MQTT_PACKET);
    cr_assert_eq(nova_mqtt_decode(out.packet.p, out.packet.n, &p, NULL), 0);
    if (p.type == NOVA_MQTT_PUBLISH) {
      comes(s, c, &p.u.publish);
    } else if (p.type == NOVA_MQTT_PUBREL) {
      cr_assert(s->m[c].released[p.u.ack.packet_id]);
      s->m[c].released[p.u.ack.packet_id] = false;
      br_ack(&s->r, s->conn_of[c], NOVA_MQTT_PUBCOMP, p.u.ack.packet_id);
      nova_mqtt_stream_free(&stream);
      /* The answer may have brought more: begin anew behind this packet. */
      nova_buf_consume(&client->in, at + used);
      reads(s, c);
      return;
    } else if (p.type == NOVA_MQTT_PUBREC) {
      br_ack(&s->r, s->conn_of[c], NOVA_MQTT_PUBREL, p.u.ack.packet_id);
      nova_mqtt_stream_free(&stream);
      nova_buf_consume(&client->in, at + used);
      reads(s, c);
      return;
    }
  }
  nova_mqtt_stream_free(&stream);
  nova_buf_clear(&client->in);
}

static void act(struct soak *s, int c) {
  struct model *m = &s->m[c];
  struct br *r = &s->r;
  char id[8], text[16];
  if (!m->open) {
    bool clean = dice(s, 3) == 0;
    if (clean || !m->kept)
      forget(m);
    bool had = m->kept;
    m->kept = !clean;
    m->open = true;
    m->unacked_n = 0; /* Only what comes again counts. */
    s->conn_of[c] = c;
    snprintf(id, sizeof id, "c%d", c);
    struct nova_mqtt_connect connect = {.client_id = nova_view_of(id),
                                        .clean_session = clean};
    br_connect_with(r, c, &connect);
    struct nova_broker_client info;
    cr_assert(nova_broker_client(r->b, (uint64_t)c, &info) && info.connected);
    cr_assert_eq(info.resumed, had && !clean);
    return;
  }
  unsigned what = dice(s, 100);
  if (what < 3) {
    if (what == 0)
      br_eof(r, c);
    else if (what == 1)
      br_lost(r, c);
    else
      br_say(r, c, NOVA_MQTT_DISCONNECT);
    nova_buf_clear(&r->client[c].in);
    m->open = false;
  } else if (what < 15) {
    unsigned f = dice(s, FILTERS), qos = dice(s, 3);
    m->qos[f] = (int)qos;
    br_subscribe(r, c, filters[f], (uint8_t)qos);
  } else if (what < 20) {
    unsigned f = dice(s, FILTERS);
    m->qos[f] = -1;
    br_unsubscribe(r, c, filters[f]);
  } else if (what < 60) {
    const char *topic = topics[dice(s, TOPICS)];
    uint8_t qos = (uint8_t)dice(s, 3);
    uint16_t packet = ++m->ids == 0 ? ++m->ids : m->ids;
    snprintf(text, sizeof text, "%u ", ++s->number);
    for (int k = 0; k < CLIENTS; k++) {
      int g = granted(&s->m[k], topic);
      if ((s->m[k].open || s->m[k].kept) && (g < qos ? g : qos) > 0 &&
          s->m[k].want_n < NUMBERS)
        s->m[k].want[s->m[k].want_n++] = s->number;
    }
    br_publish(r, c, topic, text, qos, packet);
  } else {
    reads(s, c);
    while (m->unacked_n != 0 && dice(s, 5) != 0) {
      uint16_t packet = m->unacked[0];
      enum nova_mqtt_type type = (enum nova_mqtt_type)m->unacked_type[0];
      m->unacked_n--;
      memmove(m->unacked, m->unacked + 1, m->unacked_n * sizeof *m->unacked);
      memmove(m->unacked_type, m->unacked_type + 1, m->unacked_n);
      if (type == NOVA_MQTT_PUBREC)
        m->released[packet] = true;
      br_ack(r, c, type, packet);
    }
  }
}

/* Everybody connects, reads and acknowledges all: nothing may be missing. */
static void finish(struct soak *s) {
  for (int c = 0; c < CLIENTS; c++)
    while (!s->m[c].open)
      act(s, c);
  for (int round = 0; round < 300; round++)
    for (int c = 0; c < CLIENTS; c++) {
      struct model *m = &s->m[c];
      reads(s, c);
      for (unsigned i = 0; i < m->unacked_n; i++) {
        if (m->unacked_type[i] == NOVA_MQTT_PUBREC)
          m->released[m->unacked[i]] = true;
        br_ack(&s->r, c, (enum nova_mqtt_type)m->unacked_type[i],
               m->unacked[i]);
      }
      m->unacked_n = 0;
    }
  for (int c = 0; c < CLIENTS; c++) {
    struct nova_broker_client info;
    cr_assert_eq(s->m[c].got_n, s->m[c].want_n, "client %d misses %u", c,
                 s->m[c].want_n - s->m[c].got_n);
    nova_broker_client(s->r.b, (uint64_t)c, &info);
    cr_assert_eq(info.inflight, 0);
  }
}

Test(broker_soak, as_the_model_says, .timeout = 120) {
  struct soak *s = calloc(1, sizeof *s);
  for (uint64_t seed = 0; seed < 24; seed++) {
    memset(s, 0, sizeof *s);
    nova_rng_init(&s->rng, seed);
    nova_rng_init(&s->cuts, seed + 1000);
    br_start(&s->r, &(struct nova_broker_options){
                        .inflight_most = 1 + seed % 20, .queued_most = 100000});
    if (seed % 2 != 0)
      s->r.cuts = &s->cuts;
    for (int c = 0; c < CLIENTS; c++)
      forget(&s->m[c]);
    for (int i = 0; i < 2500; i++)
      act(s, (int)dice(s, CLIENTS));
    finish(s);
    br_stop(&s->r);
  }
  free(s);
}

/* --- bytes that are none ---------------------------------------------------
 */

static const char good[] = "\x10\x1a\0\4MQTT\4\x2e\0\2\0\1a\0\5w/w/w\0\4will"
                           "\x82\x0c\0\1\0\3a/+\1\0\1#\2"
                           "\x32\6\0\1t\0\1x"
                           "\x35\7\0\1t\0\2xy"
                           "\x62\2\0\2"
                           "\x40\2\0\1"
                           "\x50\2\0\2"
                           "\x70\2\0\2"
                           "\xa2\5\0\3\0\1#"
                           "\xc0\0"
                           "\x30\4\0\1tx"
                           "\xe0\0";

static void hostile(uint64_t seed, enum nova_fault fault) {
  struct br r;
  struct nova_rng rng;
  struct nova_fault_set set = {{0}};
  nova_rng_init(&rng, seed);
  if (fault < NOVA_FAULTS)
    nova_fault_add(&set, fault);
  br_start(&r, &(struct nova_broker_options){
                   .faults = &set, .packet_limit = 1000, .unsent_limit = 5000});
  nova_broker_free(r.b);
  r.options.owner = br_owner(&r);
  r.options.owner.connect = NULL;
  r.b = nova_broker_new(&r.options);
  r.faulty = true;
  for (int i = 0; i < 60; i++) {
    int c = (int)nova_rng_below(&rng, 8);
    struct br_client *client = &r.client[c];
    struct nova_broker_client info;
    char bytes[sizeof good];
    size_t n = 1 + (size_t)nova_rng_below(&rng, sizeof good - 1);
    memcpy(bytes, good, sizeof good);
    for (uint64_t k = nova_rng_below(&rng, 4); k != 0; k--)
      bytes[nova_rng_below(&rng, sizeof good)] = (char)nova_rng_next(&rng);
    if (!nova_broker_client(r.b, (uint64_t)c, &info))
      br_accept(&r, c);
    r.held = nova_rng_below(&rng, 2) == 0;
    br_raw(&r, c, bytes, n);
    r.log[0] = '\0';
    if (nova_rng_below(&rng, 4) == 0)
      br_run(&r, r.now + nova_rng_below(&rng, 8 * NOVA_SEC));
    if (nova_rng_below(&rng, 8) == 0 && !client->closed && !client->reset) {
      if (nova_rng_below(&rng, 2) == 0)
        br_eof(&r, c);
      else
        br_lost(&r, c);
    }
    nova_buf_clear(&client->in);
  }
  br_stop(&r);
}

Test(broker_soak, good_bytes) {
  struct br r;
  br_start(&r, NULL);
  nova_broker_free(r.b);
  r.options.owner = br_owner(&r);
  r.b = nova_broker_new(&r.options);
  br_accept(&r, 0);
  br_raw(&r, 0, good, sizeof good - 1);
  cr_assert_eq(r.client[0].how, NOVA_BROKER_DISCONNECTED);
  BR_GOT(&r, 0,
         "CONNACK(0,0) SUBACK(1,1,2) PUBLISH(t=x,q1,#1) PUBACK(1) "
         "PUBLISH(t=xy,q2,#2) PUBREC(2) PUBCOMP(2) PUBREL(2) UNSUBACK(3) "
         "PINGRESP CLOSED");
  br_stop(&r);
}

Test(broker_soak, hostile_bytes, .timeout = 120) {
  for (uint64_t seed = 0; seed < 3000; seed++)
    hostile(seed, NOVA_FAULTS);
}

Test(broker_soak, hostile_bytes_under_faults, .timeout = 120) {
  for (unsigned f = NOVA_FAULT_B_CONNACK_MISSING;
       f <= NOVA_FAULT_V_B_PING_FLAGS; f++)
    for (uint64_t seed = 0; seed < 30; seed++)
      hostile(seed + f, (enum nova_fault)f);
}

/* Many levels, many filters: no recursion, no blow-up. */
Test(broker_soak, deep_topics) {
  static char deep[60001];
  struct br r;
  for (size_t i = 0; i < sizeof deep - 1; i++)
    deep[i] = i % 2 != 0 ? '/' : '+';
  br_start(&r, NULL);
  br_connect(&r, 0, "a");
  br_subscribe(&r, 0, deep, 0);
  deep[1001] = '\0';
  for (size_t i = 0; i < 501; i++) {
    deep[2 * i] = 'a';
    br_subscribe(&r, 0, deep, 0);
  }
  nova_buf_clear(&r.client[0].in);
  br_publish(&r, 0, deep, "x", 0, 0);
  cr_assert_gt(r.client[0].in.len, 1000);
  br_stop(&r);
}

/* --- memory that ends ------------------------------------------------------
 */

struct purse {
  size_t left, live;
};

static void *take(void *p, size_t n, void *user) {
  struct purse *u = user;
  if (u->left == 0)
    return NULL;
  u->left--;
  void *q = realloc(p, n);
  u->live += p == NULL;
  return q;
}

static void give(void *p, void *user) {
  struct purse *u = user;
  u->live -= p != NULL;
  free(p);
}

static void play(struct br *r, const struct nova_broker_options *o) {
  static const char connect[] = "\x10\x1c\0\4MQTT\4\xac\0\2\0\1a\0\1w\0\4will"
                                "\0\4name";
  r->b = nova_broker_new(o);
  if (r->b == NULL)
    return;
  for (int c = 0; c < 3; c++) {
    char mine[sizeof connect];
    memcpy(mine, connect, sizeof connect);
    mine[14] = (char)('a' + c);
    struct br_client *client = &r->client[c];
    client->closed = client->reset = false;
    if (nova_broker_accept(r->b, (uint64_t)c, r->now) != 0)
      continue;
    br_raw(r, c, mine, 9);
    br_raw(r, c, mine + 9, sizeof mine - 1 - 9);
    BR_RAW(r, c, "\x82\x0d\0\1\0\1t\1\0\4u/+/\2");
    BR_RAW(r, c, "\x33\6\0\1t\0\1x\x35\x0b\0\5u/1/2\0\2yz");
    BR_RAW(r, c, "\x62\2\0\2\x50\2\0\2\x40\2\0\1");
    for (char i = 1; i <= 12; i++) {
      char publish[] = "\x34\6\0\1t\0\0x";
      publish[6] = i;
      br_raw(r, c, publish, sizeof publish - 1);
    }
    struct nova_buf out;
    struct nova_broker_message m = {{"t", 1}, {"x", 1}, 1, true};
    uint8_t qos;
    uint16_t id;
    nova_buf_init(&out, o->mem, 100);
    (void)nova_broker_compose(r->b, (uint64_t)c, &m, &out, &qos, &id, r->now);
    (void)nova_broker_publish(r->b, &m, r->now);
    nova_buf_free(&out);
    br_pump(r);
    nova_buf_clear(&client->in);
    /* Where all is well nothing but the end ends it. */
    client->told = !client->closed && !client->reset;
    if (client->told && c != 1)
      br_eof(r, c);
  }
  br_run(r, r->now + 100 * NOVA_SEC);
  nova_broker_free(r->b);
  r->b = NULL;
}

static size_t end_of_memory(const struct nova_fault_set *faults) {
  struct purse purse = {.left = SIZE_MAX};
  struct nova_mem mem = {take, give, &purse};
  struct nova_broker_options o = {
      .mem = &mem, .faults = faults, .inflight_most = 3, .max_sessions = 1};
  struct br r;
  memset(&r, 0, sizeof r);
  r.faulty = true;
  for (int i = 0; i < BR_CLIENTS; i++)
    nova_buf_init(&r.client[i].in, NULL, 1 << 20);
  play(&r, &o);
  size_t all = SIZE_MAX - purse.left;
  cr_assert_eq(purse.live, 0);
  cr_assert(faults != NULL || r.client[1].told);
  for (size_t n = 0; n < all; n++) {
    purse.left = n;
    play(&r, &o);
    cr_assert_eq(purse.live, 0, "after %zu allocations", n);
  }
  for (int i = 0; i < BR_CLIENTS; i++)
    nova_buf_free(&r.client[i].in);
  return all;
}

/* The n-th allocation and all behind it fail, for every n: nothing is lost but
 * connections, nothing leaks. */
Test(broker_soak, memory_ends_anywhere, .timeout = 120) {
  cr_assert_gt(end_of_memory(NULL), 100);
}

Test(broker_soak, memory_ends_under_faults, .timeout = 120) {
  for (unsigned f = NOVA_FAULT_B_CONNACK_MISSING;
       f <= NOVA_FAULT_V_B_PING_FLAGS; f++) {
    struct nova_fault_set set = {{0}};
    nova_fault_add(&set, (enum nova_fault)f);
    (void)end_of_memory(&set);
  }
}

/* One allocation fails and the next ones do not: who is still connected is
 * served. */
static void *miss(void *p, size_t n, void *user) {
  struct purse *u = user;
  if (u->left-- == 0)
    return NULL;
  void *q = realloc(p, n);
  u->live += p == NULL;
  return q;
}

Test(broker_soak, one_allocation_fails, .timeout = 120) {
  struct purse purse = {.left = SIZE_MAX};
  struct nova_mem mem = {miss, give, &purse};
  struct nova_broker_options o = {.mem = &mem, .inflight_most = 3};
  struct br r;
  memset(&r, 0, sizeof r);
  for (int i = 0; i < BR_CLIENTS; i++)
    nova_buf_init(&r.client[i].in, NULL, 1 << 20);
  play(&r, &o);
  size_t all = SIZE_MAX - purse.left;
  for (size_t n = 0; n < all; n++) {
    purse.left = n;
    r.b = NULL;
    play(&r, &o);
    cr_assert_eq(purse.live, 0);
  }
  for (int i = 0; i < BR_CLIENTS; i++)
    nova_buf_free(&r.client[i].in);
}
