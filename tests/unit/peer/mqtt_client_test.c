#include "peer/mqtt_client.h"

#include "base/error.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MAKE(...)                                                              \
  nova_mqtt_client_new(&(struct nova_mqtt_client_options){__VA_ARGS__})

/* Encodes a packet of the server behind what is in |b|. */
static void add(struct nova_buf *b, struct nova_mqtt m) {
  size_t size = 0, n = 0;
  cr_assert_eq(nova_mqtt_size(&m, NOVA_MQTT_ANYWAY, &size), 0);
  char *room = nova_buf_reserve(b, size);
  cr_assert_eq(nova_mqtt_encode(&m, NOVA_MQTT_ANYWAY, room, size, &n), 0);
  nova_buf_commit(b, n);
}

static struct nova_mqtt ack(enum nova_mqtt_type type, uint16_t id) {
  return (struct nova_mqtt){.type = type, .u.ack = {id}};
}

static struct nova_mqtt publish(uint8_t qos, uint16_t id, size_t n) {
  static const char payload[70000];
  return (struct nova_mqtt){.type = NOVA_MQTT_PUBLISH,
                            .u.publish = {.qos = qos,
                                          .packet_id = id,
                                          .topic = {"t", 1},
                                          .payload = {payload, n}}};
}

/* Sends a good packet and takes it out. */
static uint16_t send(struct nova_mqtt_client *c, struct nova_mqtt m,
                     nova_ts now) {
  struct nova_view v;
  struct nova_mqtt back;
  cr_assert_eq(nova_mqtt_client_send(c, &m, NOVA_MQTT_STRICT, now), 0);
  cr_assert(nova_mqtt_client_next_output(c, &v));
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &back, NULL), 0);
  cr_assert_eq(back.type, m.type);
  cr_assert_not(nova_mqtt_client_next_output(c, &v));
  if (m.type == NOVA_MQTT_PUBLISH)
    return m.u.publish.packet_id;
  return m.type == NOVA_MQTT_SUBSCRIBE ? m.u.list.packet_id : 0;
}

/* Feeds one packet; the news of it. */
static struct nova_mqtt_news feed(struct nova_mqtt_client *c,
                                  struct nova_mqtt m) {
  static struct nova_buf b;
  struct nova_mqtt_news news;
  size_t used = 0;
  nova_buf_free(&b);
  nova_buf_init(&b, NULL, 1 << 20);
  add(&b, m);
  struct nova_view v = nova_buf_view(&b);
  cr_assert_eq(nova_mqtt_client_feed(c, v.p, v.n, 0, &used, &news), 1);
  if (news.kind == NOVA_MQTT_NEWS_OVERSIZED) {
    struct nova_mqtt_news none;
    size_t rest = v.n - used;
    cr_assert_eq(nova_mqtt_client_feed(c, v.p + used, rest, 0, &used, &none),
                 0);
    cr_assert_eq(used, rest);
  } else {
    cr_assert_eq(used, v.n);
  }
  return news;
}

/* What it has to say: one packet, of that type and id; NONE: nothing. */
static void expect(struct nova_mqtt_client *c, enum nova_mqtt_type type,
                   uint16_t id) {
  struct nova_view v;
  struct nova_mqtt m;
  if (type == NOVA_MQTT_NONE) {
    cr_assert_not(nova_mqtt_client_next_output(c, &v));
    return;
  }
  cr_assert(nova_mqtt_client_next_output(c, &v));
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  cr_assert_eq(m.type, type);
  if (id != 0)
    cr_assert_eq(m.u.ack.packet_id, id);
  cr_assert_not(nova_mqtt_client_next_output(c, &v));
}

static struct nova_mqtt hello(uint16_t keep_alive) {
  return (struct nova_mqtt){.type = NOVA_MQTT_CONNECT,
                            .u.connect = {.clean_session = true,
                                          .keep_alive = keep_alive,
                                          .client_id = {"c", 1}}};
}

Test(mqtt_client, answers_what_is_to_be_answered) {
  struct nova_mqtt_client *c = MAKE(.mem = NULL);
  cr_assert_eq(nova_mqtt_client_code(c), -1);
  struct nova_mqtt_news n =
      feed(c, (struct nova_mqtt){.type = NOVA_MQTT_CONNACK,
                                 .u.connack = {.code = 5}});
  cr_assert_eq(n.kind, NOVA_MQTT_NEWS_PACKET);
  cr_assert_eq(n.packet.type, NOVA_MQTT_CONNACK);
  cr_assert_eq(n.length, 4);
  cr_assert_eq(n.bytes.n, 4);
  cr_assert_eq(nova_mqtt_client_code(c), 5);
  expect(c, NOVA_MQTT_NONE, 0);
  n = feed(c, publish(0, 0, 3));
  cr_assert_eq(n.offset, 4);
  expect(c, NOVA_MQTT_NONE, 0);
  (void)feed(c, publish(1, 700, 3));
  expect(c, NOVA_MQTT_PUBACK, 700);
  (void)feed(c, ack(NOVA_MQTT_PUBREC, 9));
  expect(c, NOVA_MQTT_PUBREL, 9);
  (void)feed(c, ack(NOVA_MQTT_PUBACK, 9));
  expect(c, NOVA_MQTT_NONE, 0);
  (void)feed(c, (struct nova_mqtt){.type = NOVA_MQTT_PINGREQ});
  expect(c, NOVA_MQTT_NONE, 0);
  nova_mqtt_client_free(c);
}

/* A PUBLISH that comes again before its PUBREL is told as such; after PUBCOMP
 * the id begins anew. */
Test(mqtt_client, qos_2_is_handed_out_once) {
  struct nova_mqtt_client *c = MAKE(.mem = NULL);
  cr_assert_not(feed(c, publish(2, 7, 1)).again);
  expect(c, NOVA_MQTT_PUBREC, 7);
  cr_assert(feed(c, publish(2, 7, 1)).again);
  expect(c, NOVA_MQTT_PUBREC, 7);
  cr_assert_not(feed(c, publish(2, 8, 1)).again);
  expect(c, NOVA_MQTT_PUBREC, 8);
  (void)feed(c, ack(NOVA_MQTT_PUBREL, 7));
  expect(c, NOVA_MQTT_PUBCOMP, 7);
  cr_assert_not(feed(c, publish(2, 7, 1)).again);
  expect(c, NOVA_MQTT_PUBREC, 7);
  cr_assert(feed(c, publish(2, 8, 1)).again);
  nova_mqtt_client_free(c);
}

Test(mqtt_client, what_is_withheld_is_not_said) {
  static const struct {
    enum nova_mqtt_type cause, answer;
    uint8_t qos;
  } row[] = {{NOVA_MQTT_PUBLISH, NOVA_MQTT_PUBACK, 1},
             {NOVA_MQTT_PUBLISH, NOVA_MQTT_PUBREC, 2},
             {NOVA_MQTT_PUBREC, NOVA_MQTT_PUBREL, 0},
             {NOVA_MQTT_PUBREL, NOVA_MQTT_PUBCOMP, 0}};
  for (size_t hidden = 0; hidden < 4; hidden++) {
    struct nova_mqtt_client *c = MAKE(.withhold = 1u << row[hidden].answer);
    for (size_t i = 0; i < 4; i++) {
      (void)feed(c, row[i].qos != 0 ? publish(row[i].qos, 5, 1)
                                    : ack(row[i].cause, 5));
      expect(c, i == hidden ? NOVA_MQTT_NONE : row[i].answer, 5);
    }
    nova_mqtt_client_free(c);
  }
}

Test(mqtt_client, ids_are_free_after_their_acknowledgement) {
  static struct nova_mqtt_entry entry = {{"t", 1}, 1};
  struct nova_mqtt_client *c = MAKE(.mem = NULL);
  struct nova_mqtt subscribe = {.type = NOVA_MQTT_SUBSCRIBE,
                                .u.list = {.count = 1, .entry = &entry}};
  cr_assert_eq(send(c, publish(1, 0, 0), 0), 1);
  cr_assert_eq(send(c, subscribe, 0), 2);
  cr_assert_eq(send(c, publish(2, 0, 0), 0), 3);
  cr_assert_eq(send(c, publish(0, 0, 0), 0), 0);
  cr_assert_eq(send(c, publish(1, 5, 0), 0), 5); /* the user's own */
  cr_assert_eq(nova_mqtt_client_take_id(c), 4);
  cr_assert_eq(nova_mqtt_client_take_id(c), 6);
  for (unsigned i = 7; i <= 65535; i++)
    cr_assert_eq(nova_mqtt_client_take_id(c), i);
  cr_assert_eq(nova_mqtt_client_take_id(c), 0);
  struct nova_mqtt m = publish(1, 0, 0);
  cr_assert_eq(nova_mqtt_client_send(c, &m, NOVA_MQTT_STRICT, 0),
               NOVA_ERR_LIMIT);
  expect(c, NOVA_MQTT_NONE, 0);
  (void)feed(c, ack(NOVA_MQTT_PUBREC, 3)); /* not the end of it */
  expect(c, NOVA_MQTT_PUBREL, 3);
  cr_assert_eq(nova_mqtt_client_take_id(c), 0);
  (void)feed(c, ack(NOVA_MQTT_PUBCOMP, 3));
  cr_assert_eq(nova_mqtt_client_take_id(c), 3);
  static struct nova_mqtt_entry code = {{NULL, 0}, 1};
  (void)feed(c, (struct nova_mqtt){
                    .type = NOVA_MQTT_SUBACK,
                    .u.list = {.packet_id = 2, .count = 1, .entry = &code}});
  cr_assert_eq(nova_mqtt_client_take_id(c), 2);
  (void)feed(c, ack(NOVA_MQTT_PUBACK, 1));
  cr_assert_eq(send(c, publish(1, 0, 0), 0), 1);
  (void)feed(c, ack(NOVA_MQTT_UNSUBACK, 60000));
  cr_assert_eq(nova_mqtt_client_take_id(c), 60000);
  nova_mqtt_client_free(c);
}

/* A packet that the encoder refuses uses up no id. */
Test(mqtt_client, what_cannot_be_sent_changes_nothing) {
  struct nova_mqtt_client *c = MAKE(.pings = true);
  struct nova_mqtt bad = publish(1, 0, 0);
  bad.u.publish.topic = (struct nova_view){"a/#", 3};
  cr_assert_eq(nova_mqtt_client_send(c, &bad, NOVA_MQTT_STRICT, 0),
               NOVA_ERR_MQTT_PUBLISH_WILDCARD);
  cr_assert_eq(bad.u.publish.packet_id, 0);
  expect(c, NOVA_MQTT_NONE, 0);
  cr_assert_eq(nova_mqtt_client_send(c, &bad, NOVA_MQTT_ANYWAY, 0), 0);
  cr_assert_eq(bad.u.publish.packet_id, 2);
  nova_mqtt_client_free(c);
}

/* Two packets before the output is taken are one write; what was taken does not
 * come again. */
Test(mqtt_client, output_is_joined) {
  struct nova_mqtt_client *c = MAKE(.mem = NULL);
  struct nova_mqtt a = publish(0, 0, 3), b = publish(0, 0, 4);
  struct nova_view v;
  cr_assert_eq(nova_mqtt_client_send(c, &a, NOVA_MQTT_STRICT, 0), 0);
  cr_assert_eq(nova_mqtt_client_send(c, &b, NOVA_MQTT_STRICT, 0), 0);
  cr_assert(nova_mqtt_client_next_output(c, &v));
  cr_assert_eq(v.n, 8 + 9);
  cr_assert_eq(nova_mqtt_client_send(c, &a, NOVA_MQTT_STRICT, 0), 0);
  cr_assert(nova_mqtt_client_next_output(c, &v));
  cr_assert_eq(v.n, 8);
  expect(c, NOVA_MQTT_NONE, 0);
  nova_mqtt_client_free(c);
}

/* --- keep-alive ------------------------------------------------------------
 */

Test(mqtt_client, pings_at_half_of_the_keep_alive) {
  struct nova_mqtt_client *c = MAKE(.pings = true);
  cr_assert_eq(nova_mqtt_client_next_deadline(c), NOVA_TS_NONE);
  (void)send(c, hello(10), 1 * NOVA_SEC);
  cr_assert_eq(nova_mqtt_client_next_deadline(c), 6 * NOVA_SEC);
  (void)send(c, publish(0, 0, 0), 3 * NOVA_SEC);
  cr_assert_eq(nova_mqtt_client_next_deadline(c), 8 * NOVA_SEC);
  nova_mqtt_client_expire(c, 8 * NOVA_SEC - 1);
  expect(c, NOVA_MQTT_NONE, 0);
  cr_assert_eq(nova_mqtt_client_unanswered(c), NOVA_TS_NONE);
  nova_mqtt_client_expire(c, 8 * NOVA_SEC);
  expect(c, NOVA_MQTT_PINGREQ, 0);
  cr_assert_eq(nova_mqtt_client_unanswered(c), 8 * NOVA_SEC);
  nova_mqtt_client_expire(c, 13 * NOVA_SEC);
  expect(c, NOVA_MQTT_PINGREQ, 0);
  cr_assert_eq(nova_mqtt_client_unanswered(c), 8 * NOVA_SEC);
  (void)feed(c, (struct nova_mqtt){.type = NOVA_MQTT_PINGRESP});
  cr_assert_eq(nova_mqtt_client_unanswered(c), 13 * NOVA_SEC);
  (void)feed(c, (struct nova_mqtt){.type = NOVA_MQTT_PINGRESP});
  (void)feed(c, (struct nova_mqtt){.type = NOVA_MQTT_PINGRESP});
  cr_assert_eq(nova_mqtt_client_unanswered(c), NOVA_TS_NONE);
  (void)send(c, (struct nova_mqtt){.type = NOVA_MQTT_DISCONNECT},
             14 * NOVA_SEC);
  cr_assert_eq(nova_mqtt_client_next_deadline(c), NOVA_TS_NONE);
  nova_mqtt_client_free(c);
}

Test(mqtt_client, does_not_ping_unasked) {
  struct nova_mqtt_client *c = MAKE(.pings = true), *d = MAKE(.pings = false);
  (void)send(c, hello(0), 0);
  (void)send(d, hello(10), 0);
  cr_assert_eq(nova_mqtt_client_next_deadline(c), NOVA_TS_NONE);
  cr_assert_eq(nova_mqtt_client_next_deadline(d), NOVA_TS_NONE);
  nova_mqtt_client_expire(c, 100 * NOVA_SEC);
  nova_mqtt_client_expire(d, 100 * NOVA_SEC);
  expect(c, NOVA_MQTT_NONE, 0);
  expect(d, NOVA_MQTT_NONE, 0);
  nova_mqtt_client_free(c);
  nova_mqtt_client_free(d);
}

/* What its user writes past it counts as if it had gone through it. */
Test(mqtt_client, knows_what_others_wrote) {
  struct nova_mqtt_client *c = MAKE(.pings = true);
  struct nova_buf b;
  nova_buf_init(&b, NULL, 1000);
  add(&b, hello(4));
  add(&b, publish(1, 1, 2));
  add(&b, (struct nova_mqtt){.type = NOVA_MQTT_PINGREQ});
  nova_mqtt_client_wrote(c, b.data, b.len, NOVA_SEC);
  cr_assert_eq(nova_mqtt_client_next_deadline(c), 3 * NOVA_SEC);
  cr_assert_eq(nova_mqtt_client_unanswered(c), NOVA_SEC);
  cr_assert_eq(nova_mqtt_client_take_id(c), 2);
  nova_mqtt_client_wrote(c, "\xff\xff\xff\xff\xff", 5, 2 * NOVA_SEC);
  cr_assert_eq(nova_mqtt_client_next_deadline(c), 4 * NOVA_SEC);
  nova_mqtt_client_wrote(c, b.data, 5, 3 * NOVA_SEC);
  cr_assert_eq(nova_mqtt_client_next_deadline(c), 5 * NOVA_SEC);
  nova_buf_free(&b);
  nova_mqtt_client_free(c);
}

/* --- what is wrong ---------------------------------------------------------
 */

Test(mqtt_client, malformed_packets_are_handed_out) {
  struct nova_mqtt_client *c = MAKE(.limit = 100);
  struct nova_mqtt_news n = feed(c, publish(3, 1, 2));
  cr_assert_eq(n.kind, NOVA_MQTT_NEWS_MALFORMED);
  cr_assert_eq(n.at.code, NOVA_ERR_MQTT_QOS);
  cr_assert_eq(n.packet.type, NOVA_MQTT_PUBLISH);
  cr_assert_eq(n.bytes.n, 9);
  expect(c, NOVA_MQTT_NONE, 0);
  n = feed(c, publish(1, 1, 200));
  cr_assert_eq(n.kind, NOVA_MQTT_NEWS_OVERSIZED);
  cr_assert_eq(n.offset, 9);
  cr_assert_eq(n.length, 208);
  cr_assert_eq(n.packet.type, NOVA_MQTT_PUBLISH);
  expect(c, NOVA_MQTT_NONE, 0);
  n = feed(c, publish(1, 2, 2));
  cr_assert_eq(n.offset, 9 + 208);
  expect(c, NOVA_MQTT_PUBACK, 2);
  nova_mqtt_client_free(c);
}

/* Behind a length of five bytes nothing is read, wherever it is cut. */
Test(mqtt_client, a_length_without_an_end_is_the_end) {
  static const char bytes[] = "\xd0\x00\xf0\xff\xff\xff\xff\x01\xd0\x00";
  for (size_t cut = 0; cut <= 7; cut++) {
    struct nova_mqtt_client *c = MAKE(.mem = NULL);
    unsigned good = 0, bad = 0;
    for (size_t at = 0, end = cut, used; at < 10; at += used) {
      struct nova_mqtt_news n;
      if (at >= end)
        end = 10;
      int r = nova_mqtt_client_feed(c, bytes + at, end - at, 0, &used, &n);
      cr_assert_geq(r, 0);
      if (r == 0)
        continue;
      good += n.kind == NOVA_MQTT_NEWS_PACKET;
      if (n.kind == NOVA_MQTT_NEWS_PACKET)
        continue;
      bad++;
      cr_assert_eq(n.at.code, NOVA_ERR_MQTT_LENGTH);
      cr_assert_eq(n.at.offset, 4);
      cr_assert_eq(n.offset, 2);
      cr_assert_eq(n.packet.type, NOVA_MQTT_NONE);
      cr_assert_eq(used, end - at);
    }
    cr_assert_eq(good, 1);
    cr_assert_eq(bad, 1);
    nova_mqtt_client_free(c);
  }
}

/* Any segmentation gives the same news and the same answers. */
Test(mqtt_client, segments_do_not_matter) {
  struct nova_buf in, whole, pieces;
  struct nova_rng rng;
  nova_rng_init(&rng, 5);
  nova_buf_init(&in, NULL, 1 << 22);
  for (int i = 0; i < 200; i++) {
    uint16_t id = (uint16_t)(1 + nova_rng_below(&rng, 20));
    switch (nova_rng_below(&rng, 5)) {
    case 0: add(&in, publish(0, 0, nova_rng_below(&rng, 300))); break;
    case 1: add(&in, publish(1, id, nova_rng_below(&rng, 3000))); break;
    case 2: add(&in, publish(2, id, nova_rng_below(&rng, 70000))); break;
    case 3: add(&in, ack(NOVA_MQTT_PUBREL, id)); break;
    default: add(&in, ack(NOVA_MQTT_PUBREC, id)); break;
    }
  }
  nova_buf_init(&whole, NULL, 1 << 22);
  for (int round = 0; round < 20; round++) {
    struct nova_mqtt_client *c = MAKE(.limit = 50000);
    struct nova_buf *to = round == 0 ? &whole : &pieces;
    struct nova_view v;
    if (round > 0)
      nova_buf_init(to, NULL, 1 << 22);
    for (size_t at = 0, end = 0, used; at < in.len; at += used) {
      struct nova_mqtt_news n;
      if (at >= end)
        end = at + 1 + nova_rng_below(&rng, round % 4 == 3 ? 7 : 9000);
      if (round == 0 || end > in.len)
        end = in.len;
      if (nova_mqtt_client_feed(c, in.data + at, end - at, 0, &used, &n) == 1)
        cr_assert_eq(nova_buf_printf(to, "%d %d %d %zu %zu %d\n", (int)n.kind,
                                     (int)n.packet.type, n.again,
                                     (size_t)n.offset, (size_t)n.length,
                                     n.at.code),
                     0);
      cr_assert_leq(nova_mqtt_client_pending(c), 70010);
    }
    cr_assert_eq(nova_mqtt_client_pending(c), 0);
    cr_assert(nova_mqtt_client_next_output(c, &v));
    (void)nova_buf_append(to, v.p, v.n);
    cr_assert_eq(to->len, whole.len, "round %d", round);
    cr_assert_eq(memcmp(to->data, whole.data, whole.len), 0);
    if (round > 0)
      nova_buf_free(to);
    nova_mqtt_client_free(c);
  }
  nova_buf_free(&whole);
  nova_buf_free(&in);
}

struct scarce {
  size_t left;
};

static void *scarce_realloc(void *p, size_t n, void *user) {
  struct scarce *s = user;
  if (s->left == 0)
    return NULL;
  s->left--;
  return realloc(p, n);
}

static void scarce_free(void *p, void *user) {
  (void)user;
  free(p);
}

/* Without memory it says so, loses nothing that it has, and leaks nothing. */
Test(mqtt_client, memory_runs_out) {
  bool all = false;
  for (size_t left = 0; left < 50 && !all; left++) {
    struct scarce s = {left};
    struct nova_mem mem = {scarce_realloc, scarce_free, &s};
    struct nova_mqtt_client *c = MAKE(.mem = &mem);
    if (c == NULL)
      continue;
    struct nova_buf b;
    nova_buf_init(&b, NULL, 1 << 20);
    for (uint16_t id = 1; id < 200; id++) {
      add(&b, publish(1 + id % 2, id, 100));
      add(&b, ack(NOVA_MQTT_PUBREL, id));
    }
    all = true;
    for (size_t at = 0, used; at < b.len && all; at += used) {
      struct nova_mqtt_news n;
      size_t piece = b.len - at < 33 ? b.len - at : 33;
      int r = nova_mqtt_client_feed(c, b.data + at, piece, 0, &used, &n);
      cr_assert(r >= 0 || r == NOVA_ERR_NO_MEMORY);
      all = r >= 0;
    }
    struct nova_mqtt m = publish(1, 0, 60000);
    int err = nova_mqtt_client_send(c, &m, NOVA_MQTT_STRICT, 0);
    cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
    all = all && err == 0;
    nova_buf_free(&b);
    nova_mqtt_client_free(c);
  }
  cr_assert(all);
}
