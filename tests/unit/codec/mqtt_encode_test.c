#include "mqtt_support.h"
#include "support.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define E(name) NOVA_ERR_MQTT_##name

static struct nova_view v(const char *s) {
  return nova_view_of(s);
}

/* The bytes that each sample has come back from what it is decoded to. */
Test(mqtt_encode, samples_are_written_as_they_were) {
  for (const char *const *s = mqtt_samples; *s != NULL; s++) {
    struct nova_view bytes = bytes_of(*s);
    struct nova_mqtt m;
    cr_assert_eq(nova_mqtt_decode(bytes.p, bytes.n, &m, NULL), 0, "%s", *s);
    cr_assert(nova_view_eq(encoded(&m, NOVA_MQTT_STRICT), bytes), "%s", *s);
    cr_assert(nova_view_eq(encoded(&m, NOVA_MQTT_ANYWAY), bytes), "%s", *s);
  }
}

Test(mqtt_encode, a_packet_from_its_fields) {
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNECT};
  m.u.connect.clean_session = true;
  m.u.connect.keep_alive = 60;
  m.u.connect.client_id = v("a");
  cr_assert(nova_view_eq(encoded(&m, NOVA_MQTT_STRICT),
                         bytes_of("10 0d 0004 'MQTT' 04 02 003c 0001 'a'")));
  static const struct nova_mqtt_entry entry[] = {{{"a/b", 3}, 2},
                                                 {{"#", 1}, 0}};
  m = (struct nova_mqtt){.type = NOVA_MQTT_SUBSCRIBE};
  m.u.list =
      (struct nova_mqtt_list){.packet_id = 0x102, .count = 2, .entry = entry};
  cr_assert(nova_view_eq(encoded(&m, NOVA_MQTT_STRICT),
                         bytes_of("82 0c 0102 0003 'a/b' 02 0001 '#' 00")));
  m.type = NOVA_MQTT_UNSUBSCRIBE;
  cr_assert(nova_view_eq(encoded(&m, NOVA_MQTT_STRICT),
                         bytes_of("a2 0a 0102 0003 'a/b' 0001 '#'")));
  m.type = NOVA_MQTT_SUBACK;
  cr_assert(nova_view_eq(encoded(&m, NOVA_MQTT_STRICT),
                         bytes_of("90 04 0102 02 00")));
  m = (struct nova_mqtt){.type = NOVA_MQTT_PUBLISH};
  m.u.publish.topic = v("t");
  cr_assert(
      nova_view_eq(encoded(&m, NOVA_MQTT_STRICT), bytes_of("30 03 0001 't'")));
}

Test(mqtt_encode, random_packets_come_back) {
  struct nova_rng r;
  nova_rng_init(&r, 5);
  unsigned types = 0;
  for (int round = 0; round < 20000; round++) {
    struct nova_mqtt m = random_packet(&r), back;
    struct nova_view bytes = encoded(&m, NOVA_MQTT_STRICT);
    struct nova_fault_at at;
    int error = nova_mqtt_decode(bytes.p, bytes.n, &back, &at);
    cr_assert_eq(error, 0, "round %d: %s at %zu", round, nova_error_name(error),
                 at.offset);
    cr_assert(same_packet(&m, &back), "round %d, %s", round,
              nova_mqtt_type_name(m.type));
    types |= 1U << m.type;
  }
  cr_assert_eq(types, 0x7ffe);
}

/* Sizes around each length of the remaining length, 128 KB among them. */
Test(mqtt_encode, payloads_of_each_length_of_length) {
  static const struct {
    size_t remaining, header;
  } sizes[] = {{127, 2},    {128, 3},     {16383, 3},  {16384, 4},
               {131072, 4}, {2097151, 4}, {2097152, 5}};
  char *payload = malloc(2097152);
  cr_assert_not_null(payload);
  memset(payload, 0xfe, 2097152);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH}, back;
    m.u.publish.topic = v("a");
    m.u.publish.payload = (struct nova_view){payload, sizes[i].remaining - 3};
    struct nova_view bytes = encoded(&m, NOVA_MQTT_STRICT);
    cr_assert_eq(bytes.n, sizes[i].header + sizes[i].remaining);
    cr_assert_eq(nova_mqtt_decode(bytes.p, bytes.n, &back, NULL), 0);
    cr_assert_eq(back.header_size, sizes[i].header);
    cr_assert(same_packet(&m, &back));
  }
  free(payload);
}

/* What no packet can say; the bytes are never looked at. */
Test(mqtt_encode, what_cannot_be_said_is_refused) {
  static char text[65536];
  memset(text, 'x', sizeof text);
  struct nova_view longest = {text, 65535}, longer = {text, 65536};
  size_t size;
  for (int how = NOVA_MQTT_STRICT; how <= NOVA_MQTT_ANYWAY; how++) {
    enum nova_mqtt_how h = (enum nova_mqtt_how)how;
    struct nova_mqtt m = {.type = NOVA_MQTT_NONE};
    cr_assert_eq(nova_mqtt_size(&m, h, &size), NOVA_ERR_ARGUMENT);
    m.type = NOVA_MQTT_PUBLISH;
    m.u.publish.topic = longest;
    cr_assert_eq(nova_mqtt_size(&m, h, &size), 0);
    m.u.publish.topic = longer;
    cr_assert_eq(nova_mqtt_size(&m, h, &size), NOVA_ERR_ARGUMENT);
    m.u.publish.topic = v("a");
    m.u.publish.qos = 4;
    cr_assert_eq(nova_mqtt_size(&m, h, &size), NOVA_ERR_ARGUMENT);
    m.u.publish.qos = 0;
    m.u.publish.payload = (struct nova_view){text, NOVA_MQTT_REMAINING_MAX - 3};
    cr_assert_eq(nova_mqtt_size(&m, h, &size), 0);
    cr_assert_eq(size, 5 + (size_t)NOVA_MQTT_REMAINING_MAX);
    m.u.publish.payload.n++;
    cr_assert_eq(nova_mqtt_size(&m, h, &size), NOVA_ERR_ARGUMENT);
    m.u.publish.payload.n = SIZE_MAX - 2;
    cr_assert_eq(nova_mqtt_size(&m, h, &size), NOVA_ERR_ARGUMENT);
    m = (struct nova_mqtt){.type = NOVA_MQTT_CONNECT};
    m.u.connect.clean_session = true;
    m.u.connect.user_name = v("");
    m.u.connect.password = longer;
    cr_assert_eq(nova_mqtt_size(&m, h, &size), NOVA_ERR_ARGUMENT);
    m.u.connect.password = longest;
    cr_assert_eq(nova_mqtt_size(&m, h, &size), 0);
    m.u.connect.will_qos = 4;
    cr_assert_eq(nova_mqtt_size(&m, h, &size), NOVA_ERR_ARGUMENT);
  }
}

/* A packet with one thing wrong: STRICT refuses it for that, ANYWAY writes it,
 * and the decoder refuses what was written for the same. */
static void check_refused(const struct nova_mqtt *m, int code) {
  size_t size = 99;
  cr_assert_eq(nova_mqtt_size(m, NOVA_MQTT_STRICT, &size), code, "%s: %s",
               nova_error_name(code),
               nova_error_name(nova_mqtt_size(m, NOVA_MQTT_STRICT, &size)));
  char room[256];
  size_t length = 99;
  memset(room, 'r', sizeof room);
  cr_assert_eq(
      nova_mqtt_encode(m, NOVA_MQTT_STRICT, room, sizeof room, &length), code);
  cr_assert(length == 99 && size == 99 && room[0] == 'r');
  struct nova_view bytes = encoded(m, NOVA_MQTT_ANYWAY);
  struct nova_mqtt back;
  int error = nova_mqtt_decode(bytes.p, bytes.n, &back, NULL);
  /* A receiver cannot see an id that does not belong there. */
  cr_assert_eq(error, code == E(PACKET_ID_STRAY) ? 0 : code, "%s: %s",
               nova_error_name(code), nova_error_name(error));
}

Test(mqtt_encode, a_wrong_connect_is_refused) {
  static const struct {
    struct nova_mqtt_connect c;
    int code;
  } wrong[] = {
      {{.protocol = {"MQTTT", 5}, .level = 4}, E(PROTOCOL_NAME)},
      {{.protocol = {"", 0}, .level = 4}, E(PROTOCOL_NAME)},
      {{.protocol = {"MQIsdp", 6}, .level = 3}, E(PROTOCOL_31)},
      {{.protocol = {"MQTT", 4}, .level = 0}, E(PROTOCOL_LEVEL)},
      {{.will_qos = 1}, E(WILL_QOS_STRAY)},
      {{.will_qos = 3, .will_topic = {"a", 1}}, E(WILL_QOS)},
      {{.will_retain = true}, E(WILL_RETAIN_STRAY)},
      {{.password = {"a", 1}}, E(PASSWORD_STRAY)},
      {{.client_id = {"\0", 1}}, E(NUL)},
      {{.will_message = {"a", 1}}, E(TOPIC_EMPTY)},
      {{.will_topic = {"a/+", 3}}, E(TOPIC_WILDCARD)},
      {{.user_name = {"\xff", 1}}, E(UTF8)},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct nova_mqtt m = {.type = NOVA_MQTT_CONNECT, .u.connect = wrong[i].c};
    check_refused(&m, wrong[i].code);
  }
}

Test(mqtt_encode, a_wrong_publish_is_refused) {
  static const struct {
    struct nova_mqtt_publish b;
    int code;
  } wrong[] = {
      {{.topic = {"a", 1}, .qos = 3, .packet_id = 1}, E(QOS)},
      {{.topic = {"a", 1}, .dup = true}, E(DUP)},
      {{.topic = {"", 0}}, E(TOPIC_EMPTY)},
      {{.topic = {"a/#", 3}}, E(PUBLISH_WILDCARD)},
      {{.topic = {"\xed\xa0\x80", 3}}, E(SURROGATE)},
      {{.topic = {"a", 1}, .qos = 1}, E(PACKET_ID)},
      {{.topic = {"a", 1}, .packet_id = 1}, E(PACKET_ID_STRAY)},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH, .u.publish = wrong[i].b};
    check_refused(&m, wrong[i].code);
  }
}

Test(mqtt_encode, a_wrong_answer_is_refused) {
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNACK};
  m.u.connack.code = 6;
  check_refused(&m, E(CONNACK_CODE));
  m.u.connack = (struct nova_mqtt_connack){.session_present = true, .code = 1};
  check_refused(&m, E(SESSION_PRESENT));
  static const enum nova_mqtt_type acks[] = {
      NOVA_MQTT_PUBACK, NOVA_MQTT_PUBREC, NOVA_MQTT_PUBREL, NOVA_MQTT_PUBCOMP};
  for (size_t i = 0; i < 4; i++) {
    m = (struct nova_mqtt){.type = acks[i]};
    check_refused(&m, E(ACK_ID));
  }
  m = (struct nova_mqtt){.type = NOVA_MQTT_UNSUBACK};
  check_refused(&m, E(SUBACK_ID));
}

Test(mqtt_encode, a_wrong_list_is_refused) {
  static const struct {
    enum nova_mqtt_type type;
    uint16_t id;
    size_t count;
    struct nova_mqtt_entry entry;
    int code;
  } wrong[] = {
      {NOVA_MQTT_SUBSCRIBE, 0, 1, {{"a", 1}, 0}, E(PACKET_ID)},
      {NOVA_MQTT_UNSUBSCRIBE, 0, 1, {{"a", 1}, 0}, E(PACKET_ID)},
      {NOVA_MQTT_SUBACK, 0, 1, {{"a", 1}, 0}, E(SUBACK_ID)},
      {NOVA_MQTT_SUBSCRIBE, 1, 0, {{"a", 1}, 0}, E(SUBSCRIBE_EMPTY)},
      {NOVA_MQTT_UNSUBSCRIBE, 1, 0, {{"a", 1}, 0}, E(UNSUBSCRIBE_EMPTY)},
      {NOVA_MQTT_SUBACK, 1, 0, {{"a", 1}, 0}, E(SUBACK_EMPTY)},
      {NOVA_MQTT_SUBSCRIBE, 1, 1, {{"a", 1}, 3}, E(SUBSCRIBE_QOS)},
      {NOVA_MQTT_SUBSCRIBE, 1, 1, {{"", 0}, 0}, E(TOPIC_EMPTY)},
      {NOVA_MQTT_UNSUBSCRIBE, 1, 1, {{"a#", 2}, 0}, E(FILTER_HASH)},
      {NOVA_MQTT_SUBSCRIBE, 1, 1, {{"a+", 2}, 0}, E(FILTER_PLUS)},
      {NOVA_MQTT_SUBACK, 1, 1, {{NULL, 0}, 3}, E(SUBACK_CODE)},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct nova_mqtt m = {.type = wrong[i].type};
    m.u.list = (struct nova_mqtt_list){.packet_id = wrong[i].id,
                                       .count = wrong[i].count,
                                       .entry = &wrong[i].entry};
    check_refused(&m, wrong[i].code);
  }
  /* Entries as bytes. */
  struct nova_mqtt m = {.type = NOVA_MQTT_SUBSCRIBE};
  m.u.list.packet_id = 1;
  check_refused(&m, E(SUBSCRIBE_EMPTY));
  m.u.list.raw = bytes_of("0001 'a' 00 0002 'a'");
  check_refused(&m, E(SHORT));
  m.type = NOVA_MQTT_UNSUBSCRIBE;
  m.u.list.raw = bytes_of("0001 'a' 0000");
  check_refused(&m, E(TOPIC_EMPTY));
}

/* Random packets with random damage: STRICT refuses what the decoder refuses,
 * for the same. */
Test(mqtt_encode, the_encoder_is_as_strict_as_the_decoder) {
  static const char *const texts[] = {"",   "a",    "+",   "a/#",
                                      "#/", "\xff", "\x01"};
  struct nova_rng r;
  nova_rng_init(&r, 17);
  int refused = 0;
  for (int round = 0; round < 50000; round++) {
    struct nova_mqtt m = {
        .type = (enum nova_mqtt_type)(1 + nova_rng_below(&r, 14))};
    struct nova_view t[4];
    for (int i = 0; i < 4; i++)
      t[i] = nova_rng_below(&r, 3) == 0
                 ? (struct nova_view){NULL, 0}
                 : v(texts[nova_rng_below(&r, sizeof texts / sizeof *texts)]);
    struct nova_mqtt_entry entry[2] = {
        {t[0], (uint8_t)nova_rng_below(&r, 4)},
        {t[1], (uint8_t)(nova_rng_below(&r, 3) * 0x40)}};
    uint16_t id = (uint16_t)nova_rng_below(&r, 3);
    uint8_t qos = (uint8_t)nova_rng_below(&r, 4);
    bool flag = nova_rng_below(&r, 2) != 0;
    if (m.type == NOVA_MQTT_CONNECT)
      m.u.connect = (struct nova_mqtt_connect){.will_qos = qos,
                                               .will_retain = flag,
                                               .client_id = t[0],
                                               .will_topic = t[1],
                                               .user_name = t[2],
                                               .password = t[3]};
    else if (m.type == NOVA_MQTT_CONNACK)
      m.u.connack = (struct nova_mqtt_connack){flag, (uint8_t)(2 * qos)};
    else if (m.type == NOVA_MQTT_PUBLISH)
      m.u.publish = (struct nova_mqtt_publish){.dup = flag,
                                               .qos = qos,
                                               .packet_id = qos != 0 ? id : 0,
                                               .topic = t[0],
                                               .payload = t[1]};
    else if (m.type == NOVA_MQTT_SUBSCRIBE || m.type == NOVA_MQTT_SUBACK ||
             m.type == NOVA_MQTT_UNSUBSCRIBE)
      m.u.list = (struct nova_mqtt_list){.packet_id = id,
                                         .count = (size_t)nova_rng_below(&r, 3),
                                         .entry = entry};
    else
      m.u.ack.packet_id = id;
    size_t size;
    int error = nova_mqtt_size(&m, NOVA_MQTT_STRICT, &size);
    struct nova_view bytes = encoded(&m, NOVA_MQTT_ANYWAY);
    struct nova_mqtt back;
    int other = nova_mqtt_decode(bytes.p, bytes.n, &back, NULL);
    cr_assert_eq(error, other, "round %d, %s: %s and %s", round,
                 nova_mqtt_type_name(m.type), nova_error_name(error),
                 nova_error_name(other));
    refused += error != 0;
  }
  cr_assert(refused > 10000 && refused < 45000, "%d", refused);
}

Test(mqtt_encode, headers_right_and_wrong) {
  static const struct {
    uint32_t remaining;
    unsigned width;
    const char *bytes; /* NULL: there is none */
  } headers[] = {
      {0, 0, "c0 00"},
      {127, 0, "c0 7f"},
      {128, 0, "c0 8001"},
      {16383, 0, "c0 ff7f"},
      {16384, 0, "c0 808001"},
      {2097151, 0, "c0 ffff7f"},
      {2097152, 0, "c0 80808001"},
      {268435455, 0, "c0 ffffff7f"},
      {268435456, 0, NULL},
      {268435456, 4, NULL},
      {268435456, 5, "c0 8080808001"},
      {UINT32_MAX, 5, "c0 ffffffff0f"},
      {2, 1, "c0 02"},
      {2, 2, "c0 8200"},
      {2, 3, "c0 828000"},
      {2, 4, "c0 82808000"},
      {2, 5, "c0 8280808000"},
      {2, 6, NULL},
      {128, 1, NULL},
      {16384, 2, NULL},
      {2097152, 3, NULL},
  };
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    char out[NOVA_MQTT_HEADER_MAX];
    size_t n =
        nova_mqtt_put_header(0xc0, headers[i].remaining, headers[i].width, out);
    if (headers[i].bytes == NULL) {
      cr_assert_eq(n, 0, "row %zu", i);
      continue;
    }
    cr_assert(
        nova_view_eq((struct nova_view){out, n}, bytes_of(headers[i].bytes)),
        "row %zu", i);
    struct nova_mqtt_header h;
    int event = nova_mqtt_header_read(out, n, &h);
    if (n == NOVA_MQTT_HEADER_MAX) {
      cr_assert_eq(event, E(LENGTH));
      continue;
    }
    cr_assert_eq(event, NOVA_MQTT_PACKET);
    cr_assert(h.first == 0xc0 && h.size == n);
    cr_assert_eq(h.remaining, headers[i].remaining);
    cr_assert_eq(h.longer, headers[i].width > 1);
    for (size_t k = 0; k < n; k++)
      cr_assert_eq(nova_mqtt_header_read(out, k, &h), NOVA_MQTT_MORE);
  }
}
