#include "mqtt_support.h"
#include "support.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* A statement of the standard, a packet that keeps it, and one that breaks it
 * by a byte. |offset|: where in the broken one. */
struct row {
  const char *statement;
  const char *keeps;
  const char *breaks;
  int code;
  size_t offset;
};

#define E(name) NOVA_ERR_MQTT_##name

/* clang-format off */
static const struct row rows[] = {
    /* Strings, in each place that has one (with 3.1.3-4, 3.1.3-10, 3.1.3-11, 3.3.2-1, 3.8.3-1 and 3.10.3-1). */
    {"MQTT-1.5.3-1", "30 04 0002 c3a9", "30 04 0002 c329", E(UTF8), 4},
    {"MQTT-1.5.3-1", "30 04 0002 c280", "30 04 0002 c080", E(UTF8), 4},
    {"MQTT-1.5.3-1", "30 05 0003 e0a080", "30 05 0003 e09f80", E(UTF8), 4},
    {"MQTT-1.5.3-1", "30 05 0003 ed9fbf", "30 05 0003 edbfbf", E(SURROGATE), 4},
    {"MQTT-1.5.3-1", "30 05 0003 ed9f80", "30 05 0003 eda080", E(SURROGATE), 4},
    {"MQTT-1.5.3-1", "30 06 0004 f48fbfbf", "30 06 0004 f490bfbf", E(UTF8), 4},
    {"MQTT-1.5.3-1", "30 06 0004 f0908080", "30 06 0004 f08f8080", E(UTF8), 4},
    {"MQTT-1.5.3-1", "30 05 0003 'ab' 63", "30 05 0003 'ab' c3", E(UTF8), 6},
    {"MQTT-1.5.3-1", "30 05 0003 'ab' 63", "30 05 0003 'ab' 80", E(UTF8), 6},
    {"MQTT-1.5.3-1", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 02 003c 0001 ff", E(UTF8), 14},
    {"MQTT-1.5.3-1", "10 12 0004 'MQTT' 04 06 003c 0000 0001 'w' 0001 ff", "10 12 0004 'MQTT' 04 06 003c 0000 0001 ff 0001 ff", E(UTF8), 16},
    {"MQTT-1.5.3-1", "10 0f 0004 'MQTT' 04 82 003c 0000 0001 'u'", "10 0f 0004 'MQTT' 04 82 003c 0000 0001 ff", E(UTF8), 16},
    {"MQTT-1.5.3-1", "82 06 0001 0001 'a' 00", "82 06 0001 0001 ff 00", E(UTF8), 6},
    {"MQTT-1.5.3-1", "a2 05 0001 0001 'a'", "a2 05 0001 0001 ff", E(UTF8), 6},
    {"MQTT-1.5.3-2", "30 04 0002 'a' 01", "30 04 0002 'a' 00", E(NUL), 5},
    {"MQTT-1.5.3-2", "10 0d 0004 'MQTT' 04 02 003c 0001 01", "10 0d 0004 'MQTT' 04 02 003c 0001 00", E(NUL), 14},

    /* The fixed header; test flags_of_each_type has the rest. */
    {"MQTT-2.2.2-1", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "11 0d 0004 'MQTT' 04 02 003c 0001 'a'", E(FLAGS), 0},
    {"MQTT-2.2.2-1", "c0 00", "c8 00", E(FLAGS), 0},
    {"", "e0 00", "f0 00", E(TYPE), 0},
    {"", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "00 0d 0004 'MQTT' 04 02 003c 0001 'a'", E(TYPE), 0},
    {"", "c0 80 80 00", "c0 80 80 80 80 00", E(LENGTH), 4},
    {"", "c0 80 80 80 00", "c0 80 80 80 80", E(LENGTH), 4},
    {"", "c0 80 00", "c0 80 80", E(UNFINISHED), 3},
    {"", "c0 00", "c0", E(UNFINISHED), 1},
    {"", "c0 00", "", E(UNFINISHED), 0},
    {"", "40 02 0001", "40 03 0001", E(UNFINISHED), 4},
    {"", "c0 00", "c0 00 00", E(TRAILING), 2},
    {"", "40 02 0001", "40 01 0001", E(TRAILING), 3},

    /* Packet ids. */
    {"MQTT-2.3.1-1", "32 05 0001 'a' 0001", "32 05 0001 'a' 0000", E(PACKET_ID), 5},
    {"MQTT-2.3.1-1", "34 05 0001 'a' 0100", "34 05 0001 'a' 0000", E(PACKET_ID), 5},
    {"MQTT-2.3.1-1", "82 06 0001 0001 'a' 00", "82 06 0000 0001 'a' 00", E(PACKET_ID), 2},
    {"MQTT-2.3.1-1", "a2 05 0001 0001 'a'", "a2 05 0000 0001 'a'", E(PACKET_ID), 2},
    {"MQTT-2.3.1-1", "30 03 0001 'a'", "32 03 0001 'a'", E(PACKET_ID_MISSING), 5},
    {"MQTT-2.3.1-1", "30 04 0001 'a' 01", "32 04 0001 'a' 01", E(PACKET_ID_MISSING), 5},
    {"MQTT-2.3.1-1", "82 06 0001 0001 'a' 00", "82 00", E(PACKET_ID_MISSING), 2},
    {"MQTT-2.3.1-1", "a2 05 0001 0001 'a'", "a2 01 00", E(PACKET_ID_MISSING), 2},
    {"MQTT-2.3.1-6", "40 02 0001", "40 02 0000", E(ACK_ID), 2},
    {"MQTT-2.3.1-6", "50 02 0001", "50 02 0000", E(ACK_ID), 2},
    {"MQTT-2.3.1-6", "62 02 0001", "62 02 0000", E(ACK_ID), 2},
    {"MQTT-2.3.1-6", "70 02 0001", "70 02 0000", E(ACK_ID), 2},
    {"MQTT-2.3.1-7", "90 03 0001 00", "90 03 0000 00", E(SUBACK_ID), 2},
    {"MQTT-2.3.1-7", "b0 02 0001", "b0 02 0000", E(SUBACK_ID), 2},

    /* CONNECT. */
    {"MQTT-3.1.2-1", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTt' 04 02 003c 0001 'a'", E(PROTOCOL_NAME), 2},
    {"MQTT-3.1.2-1", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0003 'MQTT' 04 02 003c 0001 'a'", E(PROTOCOL_NAME), 2},
    {"MQTT-3.1.2-1", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0f 0006 'MQIsdp' 03 02 003c 0001 'a'", E(PROTOCOL_31), 2},
    {"MQTT-3.1.2-1", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0f 0006 'MQIsdq' 03 02 003c 0001 'a'", E(PROTOCOL_NAME), 2},
    {"MQTT-3.1.2-2", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 05 02 003c 0001 'a'", E(PROTOCOL_LEVEL), 8},
    {"MQTT-3.1.2-2", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 84 02 003c 0001 'a'", E(PROTOCOL_LEVEL), 8},
    {"MQTT-3.1.2-3", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 03 003c 0001 'a'", E(CONNECT_RESERVED), 9},
    {"MQTT-3.1.2-9", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 06 003c 0001 'a'", E(WILL_MISSING), 15},
    {"MQTT-3.1.2-9", "10 12 0004 'MQTT' 04 06 003c 0000 0001 'w' 0001 'm'", "10 0f 0004 'MQTT' 04 06 003c 0000 0001 'w'", E(WILL_MISSING), 17},
    {"", "10 11 0004 'MQTT' 04 06 003c 0000 0001 'w' 0000", "10 11 0004 'MQTT' 04 02 003c 0000 0001 'w' 0000", E(LEFTOVER), 14},
    {"MQTT-3.1.2-13", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 0a 003c 0001 'a'", E(WILL_QOS_STRAY), 9},
    {"MQTT-3.1.2-13", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 12 003c 0001 'a'", E(WILL_QOS_STRAY), 9},
    {"MQTT-3.1.2-14", "10 11 0004 'MQTT' 04 16 003c 0000 0001 'w' 0000", "10 11 0004 'MQTT' 04 1e 003c 0000 0001 'w' 0000", E(WILL_QOS), 9},
    {"MQTT-3.1.2-15", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 22 003c 0001 'a'", E(WILL_RETAIN_STRAY), 9},
    {"", "10 0e 0004 'MQTT' 04 82 003c 0000 0000", "10 0e 0004 'MQTT' 04 02 003c 0000 0000", E(LEFTOVER), 14},
    {"MQTT-3.1.2-19", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 82 003c 0001 'a'", E(USER_NAME_MISSING), 15},
    {"", "10 10 0004 'MQTT' 04 c2 003c 0000 0000 0000", "10 10 0004 'MQTT' 04 82 003c 0000 0000 0000", E(LEFTOVER), 16},
    {"MQTT-3.1.2-21", "10 0f 0004 'MQTT' 04 82 003c 0000 0001 'u'", "10 0f 0004 'MQTT' 04 c2 003c 0000 0001 'u'", E(PASSWORD_MISSING), 17},
    {"MQTT-3.1.2-22", "10 10 0004 'MQTT' 04 c2 003c 0000 0000 0000", "10 10 0004 'MQTT' 04 42 003c 0000 0000 0000", E(PASSWORD_STRAY), 9},
    {"MQTT-3.1.3-3", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 0a 0004 'MQTT' 04 02 003c", E(CLIENT_ID_MISSING), 12},
    {"MQTT-4.7.1-1", "10 11 0004 'MQTT' 04 06 003c 0000 0001 'w' 0000", "10 11 0004 'MQTT' 04 06 003c 0000 0001 '+' 0000", E(TOPIC_WILDCARD), 16},
    {"MQTT-4.7.3-1", "10 11 0004 'MQTT' 04 06 003c 0000 0001 'w' 0000", "10 10 0004 'MQTT' 04 06 003c 0000 0000 0000", E(TOPIC_EMPTY), 14},

    /* CONNACK. */
    {"", "20 02 01 00", "20 02 03 00", E(CONNACK_RESERVED), 2},
    {"", "20 02 00 00", "20 02 80 00", E(CONNACK_RESERVED), 2},
    {"MQTT-3.2.2-4", "20 02 00 05", "20 02 01 05", E(SESSION_PRESENT), 2},
    {"MQTT-3.2.2-4", "20 02 01 00", "20 02 01 01", E(SESSION_PRESENT), 2},
    {"MQTT-3.2.2-6", "20 02 00 05", "20 02 00 06", E(CONNACK_CODE), 3},
    {"MQTT-3.2.2-6", "20 02 00 00", "20 02 00 80", E(CONNACK_CODE), 3},

    /* PUBLISH and PUBREL. */
    {"MQTT-3.3.1-2", "3a 05 0001 'a' 0001", "38 05 0001 'a' 0001", E(DUP), 0},
    {"MQTT-3.3.1-4", "34 05 0001 'a' 0001", "36 05 0001 'a' 0001", E(QOS), 0},
    {"MQTT-3.3.1-4", "3a 05 0001 'a' 0001", "3e 05 0001 'a' 0001", E(QOS), 0},
    {"MQTT-3.3.2-1", "30 03 0001 'a'", "30 00", E(TOPIC_MISSING), 2},
    {"MQTT-3.3.2-2", "30 05 0003 'a/b'", "30 05 0003 'a/+'", E(PUBLISH_WILDCARD), 6},
    {"MQTT-3.3.2-2", "30 05 0003 'a/b'", "30 05 0003 '#/b'", E(PUBLISH_WILDCARD), 4},
    {"MQTT-4.7.3-1", "30 03 0001 'a'", "30 02 0000", E(TOPIC_EMPTY), 2},
    {"MQTT-3.6.1-1", "62 02 0001", "60 02 0001", E(PUBREL_FLAGS), 0},

    /* SUBSCRIBE, SUBACK, UNSUBSCRIBE, DISCONNECT. */
    {"MQTT-3.8.1-1", "82 06 0001 0001 'a' 00", "80 06 0001 0001 'a' 00", E(SUBSCRIBE_FLAGS), 0},
    {"MQTT-3.8.3-3", "82 06 0001 0001 'a' 00", "82 02 0001", E(SUBSCRIBE_EMPTY), 4},
    {"MQTT-3-8.3-4", "82 06 0001 0001 'a' 02", "82 06 0001 0001 'a' 03", E(SUBSCRIBE_QOS), 7},
    {"MQTT-3-8.3-4", "82 06 0001 0001 'a' 00", "82 06 0001 0001 'a' 04", E(SUBSCRIBE_QOS), 7},
    {"MQTT-3-8.3-4", "82 0a 0001 0001 'a' 00 0001 'b' 00", "82 0a 0001 0001 'a' 00 0001 'b' 80", E(SUBSCRIBE_QOS), 11},
    {"MQTT-3.8.4-5", "90 03 0001 00", "90 02 0001", E(SUBACK_EMPTY), 4},
    {"MQTT-3.9.3-2", "90 04 0001 00 02", "90 04 0001 00 03", E(SUBACK_CODE), 5},
    {"MQTT-3.9.3-2", "90 03 0001 80", "90 03 0001 81", E(SUBACK_CODE), 4},
    {"MQTT-3.10.1-1", "a2 05 0001 0001 'a'", "a0 05 0001 0001 'a'", E(UNSUBSCRIBE_FLAGS), 0},
    {"MQTT-3.10.3-2", "a2 05 0001 0001 'a'", "a2 02 0001", E(UNSUBSCRIBE_EMPTY), 4},
    {"MQTT-3.14.1-1", "e0 00", "e1 00", E(DISCONNECT_FLAGS), 0},
    {"MQTT-4.7.1-2", "82 08 0001 0003 'a/#' 00", "82 08 0001 0003 'ab#' 00", E(FILTER_HASH), 8},
    {"MQTT-4.7.1-2", "a2 07 0001 0003 '+/#'", "a2 07 0001 0003 '#/#'", E(FILTER_HASH), 6},
    {"MQTT-4.7.1-3", "82 08 0001 0003 '+/b' 00", "82 08 0001 0003 '+ab' 00", E(FILTER_PLUS), 6},
    {"MQTT-4.7.1-3", "a2 07 0001 0003 'a/+'", "a2 07 0001 0003 'ab+'", E(FILTER_PLUS), 8},
    {"MQTT-4.7.3-1", "82 06 0001 0001 'a' 00", "82 05 0001 0000 00", E(TOPIC_EMPTY), 4},
    {"MQTT-4.7.3-1", "a2 05 0001 0001 'a'", "a2 04 0001 0000", E(TOPIC_EMPTY), 4},

    /* Lengths that do not add up. */
    {"", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 00", E(SHORT), 2},
    {"", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 01 00", E(SHORT), 2},
    {"", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 05 0004 'MQT'", E(SHORT), 2},
    {"", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 06 0004 'MQTT'", E(SHORT), 8},
    {"", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 07 0004 'MQTT' 04", E(SHORT), 9},
    {"", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 08 0004 'MQTT' 04 02", E(SHORT), 10},
    {"", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 09 0004 'MQTT' 04 02 00", E(SHORT), 10},
    {"", "10 0c 0004 'MQTT' 04 02 003c 0000", "10 0b 0004 'MQTT' 04 02 003c 00", E(SHORT), 12},
    {"", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 02 003c 0002 'a'", E(SHORT), 12},
    {"", "10 0d 0004 'MQTT' 04 02 003c 0001 'a'", "10 0d 0004 'MQTT' 04 02 003c 0000 'a'", E(LEFTOVER), 14},
    {"", "10 12 0004 'MQTT' 04 06 003c 0000 0001 'w' 0001 'm'", "10 12 0004 'MQTT' 04 06 003c 0000 0001 'w' 0101 'm'", E(SHORT), 17},
    {"", "20 02 0000", "20 00", E(SHORT), 2},
    {"", "20 02 0000", "20 01 00", E(SHORT), 3},
    {"", "20 02 0000", "20 03 0000 00", E(LEFTOVER), 4},
    {"", "30 03 0001 'a'", "30 03 0002 'a'", E(SHORT), 2},
    {"", "30 03 0001 'a'", "30 01 00", E(SHORT), 2},
    {"", "40 02 0001", "40 00", E(SHORT), 2},
    {"", "b0 02 0001", "b0 01 00", E(SHORT), 2},
    {"", "40 02 0001", "40 03 0001 00", E(LEFTOVER), 4},
    {"", "82 06 0001 0001 'a' 00", "82 05 0001 0001 'a'", E(SHORT), 7},
    {"", "82 06 0001 0001 'a' 00", "82 06 0001 0003 'a' 00", E(SHORT), 4},
    {"", "82 06 0001 0001 'a' 00", "82 07 0001 0001 'a' 00 00", E(SHORT), 8},
    {"", "a2 05 0001 0001 'a'", "a2 05 0001 0002 'a'", E(SHORT), 4},
    {"", "90 03 0001 00", "90 01 00", E(SHORT), 2},
    {"", "c0 00", "c0 01 00", E(LEFTOVER), 2},
    {"", "d0 00", "d0 01 00", E(LEFTOVER), 2},
    {"", "e0 00", "e0 01 00", E(LEFTOVER), 2},
};
/* clang-format on */

Test(mqtt_decode, each_statement_kept_and_broken) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const struct row *row = &rows[i];
    struct nova_view good = bytes_of(row->keeps), bad = bytes_of(row->breaks);
    struct nova_mqtt m;
    struct nova_fault_at at = {1, 99};
    int error = decode_copy(good, &m, &at);
    cr_assert(error == 0 && at.offset == 0, "%s: %s at %zu", row->keeps,
              nova_error_name(error), at.offset);
    error = decode_copy(bad, &m, &at);
    cr_assert(error == row->code && at.offset == row->offset, "%s: %s at %zu",
              row->breaks, nova_error_name(error), at.offset);
    cr_assert_str_eq(nova_mqtt_statement(error), row->statement, "%s",
                     row->breaks);
    /* The two are alike but for the one byte. */
    size_t differ = 0;
    for (size_t k = 0; good.n == bad.n && k < good.n; k++)
      differ += good.p[k] != bad.p[k];
    cr_assert(good.n != bad.n || differ == 1, "%s", row->breaks);
    cr_assert_eq(nova_mqtt_decode(bad.p, bad.n, &m, NULL), error);
  }
}

/* No row of error.def is without a packet that meets it. */
Test(mqtt_decode, every_error_has_a_packet) {
  static const int codes[] = {
#define NOVA_E(name, number, klass, text)
#define NOVA_E_MQTT(name, number, text, statement, section) E(name),
#include "base/error.def"
#undef NOVA_E
      /* What only the stream, the encoder and the topics meet. */
      E(OVERSIZED), E(PACKET_ID_STRAY), E(TOPIC_LONG)};
  size_t n = sizeof codes / sizeof *codes;
  for (size_t i = 0; i < n; i++) {
    bool met = codes[i] == codes[n - 1] || codes[i] == codes[n - 2] ||
               codes[i] == codes[n - 3];
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
      met = met || rows[k].code == codes[i];
    cr_assert(met, "%s", nova_error_name(codes[i]));
    cr_assert_eq(nova_error_class(codes[i]), NOVA_CLASS_PEER);
    cr_assert_str_neq(nova_mqtt_section(codes[i]), "");
    const char *s = nova_mqtt_statement(codes[i]);
    cr_assert(s[0] == '\0' || strncmp(s, "MQTT-", 5) == 0);
  }
  static const int others[] = {0, 1, NOVA_ERR_NO_MEMORY, NOVA_ERR_JSON_UTF8};
  for (size_t i = 0; i < 4; i++) {
    cr_assert_str_eq(nova_mqtt_statement(others[i]), "");
    cr_assert_str_eq(nova_mqtt_section(others[i]), "");
  }
}

/* All flags of all types: 2.2.2. */
Test(mqtt_decode, flags_of_each_type) {
  static const unsigned right[16] = {[6] = 2, [8] = 2, [10] = 2};
  for (const char *const *s = mqtt_samples; *s != NULL; s++)
    for (unsigned flags = 0; flags < 16; flags++) {
      char copy[64];
      struct nova_view v = bytes_of(*s);
      memcpy(copy, v.p, v.n);
      unsigned type = (unsigned char)copy[0] >> 4;
      copy[0] = (char)(type << 4 | flags);
      struct nova_mqtt m;
      struct nova_fault_at at;
      int error = decode_copy((struct nova_view){copy, v.n}, &m, &at);
      cr_assert_eq(m.type, type);
      if (type == NOVA_MQTT_PUBLISH)
        continue;
      cr_assert_eq(error == 0, flags == right[type], "%s with %u", *s, flags);
      if (error != 0)
        cr_assert_eq(at.offset, 0);
    }
}

Test(mqtt_decode, connect_is_read_in_full) {
  struct nova_view v = bytes_of("10 1d 0004 'MQTT' 04 f4 1234 0001 'a' 0003 "
                                "'w/t' 0001 'm' 0002 'us' 0002 'pw'");
  struct nova_mqtt m;
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  const struct nova_mqtt_connect *c = &m.u.connect;
  cr_assert_eq(m.type, NOVA_MQTT_CONNECT);
  cr_assert_eq(m.header_size, 2);
  cr_assert_eq(m.saw, 0);
  cr_assert(nova_view_is(c->protocol, "MQTT"));
  cr_assert_eq(c->level, 4);
  cr_assert_not(c->clean_session);
  cr_assert_eq(c->will_qos, 2);
  cr_assert(c->will_retain);
  cr_assert_eq(c->keep_alive, 0x1234);
  cr_assert(nova_view_is(c->client_id, "a"));
  cr_assert(nova_view_is(c->will_topic, "w/t"));
  cr_assert(nova_view_is(c->will_message, "m"));
  cr_assert(nova_view_is(c->user_name, "us"));
  cr_assert(nova_view_is(c->password, "pw"));
  v = bytes_of("10 0d 0004 'MQTT' 04 02 003c 0001 'a'");
  nova_mqtt_decode(v.p, v.n, &m, NULL);
  cr_assert(m.u.connect.clean_session);
  cr_assert_null(m.u.connect.will_topic.p);
  cr_assert_null(m.u.connect.will_message.p);
  cr_assert_null(m.u.connect.user_name.p);
  cr_assert_null(m.u.connect.password.p);
  /* What is empty is there. */
  v = bytes_of("10 15 0004 'MQTT' 04 c6 003c 0000 0001 'w' 0000 0000 0000");
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  cr_assert_not_null(m.u.connect.will_message.p);
  cr_assert_not_null(m.u.connect.user_name.p);
  cr_assert_not_null(m.u.connect.password.p);
}

/* A server has to know the level that it refuses (3.1.2-2). */
Test(mqtt_decode, another_protocol_is_told_apart) {
  struct nova_mqtt m;
  struct nova_view v = bytes_of("10 0e 0004 'MQTT' 05 02 003c 00 0001 'a'");
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), E(PROTOCOL_LEVEL));
  cr_assert_eq(m.type, NOVA_MQTT_CONNECT);
  cr_assert_eq(m.u.connect.level, 5);
  v = bytes_of("10 0f 0006 'MQIsdp' 03 02 003c 0001 'a'");
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), E(PROTOCOL_31));
  cr_assert(nova_view_is(m.u.connect.protocol, "MQIsdp"));
  cr_assert_eq(m.u.connect.level, 3);
  v = bytes_of("10 08 0006 'MQIsdp'");
  cr_assert_eq(decode_copy(v, &m, NULL), E(PROTOCOL_31));
  cr_assert_eq(m.u.connect.level, 0);
}

Test(mqtt_decode, publish_is_read_in_full) {
  struct nova_view v = bytes_of("3d 0a 0003 'a/b' 1234 'xyz'");
  struct nova_mqtt m;
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  cr_assert_eq(m.type, NOVA_MQTT_PUBLISH);
  cr_assert(m.u.publish.dup && m.u.publish.retain);
  cr_assert_eq(m.u.publish.qos, 2);
  cr_assert_eq(m.u.publish.packet_id, 0x1234);
  cr_assert(nova_view_is(m.u.publish.topic, "a/b"));
  cr_assert(nova_view_is(m.u.publish.payload, "xyz"));
  cr_assert_eq(m.u.publish.payload.p, v.p + 9, "the payload was moved");
  /* At QoS 0 there is no id: what stands there is payload (2.3.1-5). */
  v = bytes_of("30 07 0003 'a/b' 0001");
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  cr_assert_eq(m.u.publish.packet_id, 0);
  cr_assert_eq(m.u.publish.payload.n, 2);
}

/* U+FEFF stands for itself wherever it is (1.5.3-3). */
Test(mqtt_decode, a_byte_order_mark_is_a_character) {
  struct nova_view v = bytes_of("30 06 0004 efbbbf 'a'");
  struct nova_mqtt m;
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  cr_assert_eq(m.u.publish.topic.n, 4);
  cr_assert_not(nova_mqtt_match(nova_view_of("a"), m.u.publish.topic));
}

Test(mqtt_decode, entries_come_one_by_one) {
  struct nova_mqtt m;
  struct nova_mqtt_each each;
  struct nova_mqtt_entry e;
  struct nova_view v = bytes_of("82 0e 0002 0003 'a/b' 02 0003 '+/#' 01");
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  cr_assert_eq(m.u.list.packet_id, 2);
  cr_assert_eq(m.u.list.count, 2);
  nova_mqtt_each_init(&each, &m);
  cr_assert(nova_mqtt_each_next(&each, &e));
  cr_assert(nova_view_is(e.filter, "a/b") && e.code == 2);
  cr_assert(nova_mqtt_each_next(&each, &e));
  cr_assert(nova_view_is(e.filter, "+/#") && e.code == 1);
  cr_assert_not(nova_mqtt_each_next(&each, &e));
  cr_assert_not(nova_mqtt_each_next(&each, &e));
  v = bytes_of("90 06 0002 00 01 02 80");
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  cr_assert_eq(m.u.list.count, 4);
  nova_mqtt_each_init(&each, &m);
  static const uint8_t codes[] = {0, 1, 2, 0x80};
  for (size_t i = 0; i < 4; i++) {
    cr_assert(nova_mqtt_each_next(&each, &e));
    cr_assert(e.code == codes[i] && e.filter.p == NULL);
  }
  cr_assert_not(nova_mqtt_each_next(&each, &e));
  v = bytes_of("a2 09 0003 0001 '#' 0002 '/+'");
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  nova_mqtt_each_init(&each, &m);
  cr_assert(nova_mqtt_each_next(&each, &e) && nova_view_is(e.filter, "#"));
  cr_assert(nova_mqtt_each_next(&each, &e) && nova_view_is(e.filter, "/+"));
  cr_assert_not(nova_mqtt_each_next(&each, &e));
  v = bytes_of("30 03 0001 'a'");
  nova_mqtt_decode(v.p, v.n, &m, NULL);
  nova_mqtt_each_init(&each, &m);
  cr_assert_not(nova_mqtt_each_next(&each, &e), "a PUBLISH has no entries");
}

Test(mqtt_decode, what_is_odd_is_observed) {
  static const struct {
    const char *bytes;
    unsigned saw;
  } odd[] = {
      {"c0 80 00", NOVA_MQTT_SAW_LONG_LENGTH},
      {"c0 80 80 80 00", NOVA_MQTT_SAW_LONG_LENGTH},
      {"40 82 00 0001", NOVA_MQTT_SAW_LONG_LENGTH},
      {"30 03 0001 1f", NOVA_MQTT_SAW_CONTROL},
      {"30 03 0001 20", 0},
      {"30 03 0001 7e", 0},
      {"30 03 0001 7f", NOVA_MQTT_SAW_CONTROL},
      {"30 04 0002 c29f", NOVA_MQTT_SAW_CONTROL},
      {"30 04 0002 c2a0", 0},
      {"30 05 0003 efb78f", 0},
      {"30 05 0003 efb790", NOVA_MQTT_SAW_NONCHARACTER},
      {"30 05 0003 efb7af", NOVA_MQTT_SAW_NONCHARACTER},
      {"30 05 0003 efb7b0", 0},
      {"30 05 0003 efbfbd", 0},
      {"30 05 0003 efbfbe", NOVA_MQTT_SAW_NONCHARACTER},
      {"30 05 0003 efbfbf", NOVA_MQTT_SAW_NONCHARACTER},
      {"30 06 0004 f09fbfbe", NOVA_MQTT_SAW_NONCHARACTER},
      {"30 06 0004 f48fbfbf", NOVA_MQTT_SAW_NONCHARACTER},
      {"82 06 0001 0001 09 00", NOVA_MQTT_SAW_CONTROL},
      /* Payloads are nobody's strings. */
      {"30 06 0001 'a' 01 00 ff", 0},
      {"10 0c 0004 'MQTT' 04 02 0000 0000", 0},
      {"10 0c 0004 'MQTT' 04 00 0000 0000", NOVA_MQTT_SAW_EMPTY_ID},
      {"10 0f 0004 'MQTT' 04 02 0000 0003 'a-Z'", NOVA_MQTT_SAW_ODD_ID},
      {"10 10 0004 'MQTT' 04 02 0000 0004 'azAZ'", 0},
      {"10 0e 0004 'MQTT' 04 02 0000 0002 '09'", 0},
      {"10 23 0004 'MQTT' 04 02 0000 0017 'abcdefghijklmnopqrstuvw'", 0},
      {"10 24 0004 'MQTT' 04 02 0000 0018 'abcdefghijklmnopqrstuvwx'",
       NOVA_MQTT_SAW_LONG_ID},
  };
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    struct nova_mqtt m;
    int error = decode_copy(bytes_of(odd[i].bytes), &m, NULL);
    cr_assert_eq(error, 0, "%s: %s", odd[i].bytes, nova_error_name(error));
    cr_assert_eq(m.saw, odd[i].saw, "%s: %x", odd[i].bytes, m.saw);
  }
}

Test(mqtt_decode, names_are_there) {
  cr_assert_str_eq(nova_mqtt_type_name(NOVA_MQTT_CONNECT), "CONNECT");
  cr_assert_str_eq(nova_mqtt_type_name(NOVA_MQTT_UNSUBACK), "UNSUBACK");
  cr_assert_str_eq(nova_mqtt_type_name(NOVA_MQTT_NONE), "forbidden type");
  cr_assert_str_eq(nova_mqtt_code_text(NOVA_MQTT_CODE_CREDENTIALS),
                   "bad user name or password");
  cr_assert_str_eq(nova_mqtt_code_text(6), "a reserved return code");
  cr_assert_str_eq(nova_mqtt_saw_statement(NOVA_MQTT_SAW_EMPTY_ID),
                   "MQTT-3.1.3-7");
  cr_assert_str_eq(nova_mqtt_saw_text(NOVA_MQTT_SAW_CONTROL),
                   "a control character in a string");
  cr_assert_str_eq(nova_mqtt_saw_text(3), "");
  cr_assert_str_eq(nova_mqtt_saw_statement(0), "");
  cr_assert_str_eq(nova_mqtt_section(E(CONNECT_RESERVED)), "3.1.2.3");
}

/* Each sample cut everywhere is unfinished, and nothing else. */
Test(mqtt_decode, every_truncation_is_unfinished) {
  for (const char *const *s = mqtt_samples; *s != NULL; s++) {
    struct nova_view v = bytes_of(*s);
    struct nova_mqtt m;
    struct nova_fault_at at;
    cr_assert_eq(decode_copy(v, &m, &at), 0, "%s: %s at %zu", *s,
                 nova_error_name(at.code), at.offset);
    for (size_t n = 0; n < v.n; n++) {
      int error = decode_copy((struct nova_view){v.p, n}, &m, &at);
      cr_assert_eq(error, E(UNFINISHED), "%s cut at %zu: %s", *s, n,
                   nova_error_name(error));
      cr_assert_eq(at.offset, n);
    }
  }
}

/* Whatever it is: an error that is defined, within the packet, or a packet that
 * is written as it was read. */
static void check_any(struct nova_view v) {
  struct nova_mqtt m;
  struct nova_fault_at at;
  char *copy = exact_copy(v);
  int error = nova_mqtt_decode(copy, v.n, &m, &at);
  cr_assert_leq(at.offset, v.n);
  if (error != 0) {
    cr_assert_str_neq(nova_mqtt_section(error), "", "error %d", error);
  } else {
    /* What was read can be written, and is the same but for the length. */
    size_t size;
    cr_assert_eq(nova_mqtt_size(&m, NOVA_MQTT_STRICT, &size), 0);
    cr_assert_leq(size, v.n);
    struct nova_view again = encoded(&m, NOVA_MQTT_STRICT);
    size_t body = v.n - m.header_size;
    cr_assert(nova_view_eq((struct nova_view){copy + m.header_size, body},
                           (struct nova_view){again.p + again.n - body, body}));
    cr_assert_eq(copy[0], again.p[0]);
  }
  free(copy);
}

/* The length made to fit what is left. */
Test(mqtt_decode, every_body_that_is_cut_short) {
  for (const char *const *s = mqtt_samples; *s != NULL; s++) {
    struct nova_view v = bytes_of(*s);
    char copy[64];
    memcpy(copy, v.p, v.n);
    for (size_t n = 2; n < v.n; n++) {
      copy[1] = (char)(n - 2);
      check_any((struct nova_view){copy, n});
    }
  }
}

Test(mqtt_decode, every_bit_that_is_flipped) {
  for (const char *const *s = mqtt_samples; *s != NULL; s++) {
    struct nova_view v = bytes_of(*s);
    char copy[64];
    memcpy(copy, v.p, v.n);
    for (size_t bit = 0; bit < 8 * v.n; bit++) {
      copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
      check_any((struct nova_view){copy, v.n});
      copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    }
  }
}

/* Random bytes behind a header that fits. */
Test(mqtt_decode, random_bytes_do_no_harm) {
  struct nova_rng r;
  nova_rng_init(&r, 3);
  for (int round = 0; round < 200000; round++) {
    char text[42];
    size_t n = nova_rng_below(&r, 40);
    for (size_t i = 2; i < n + 2; i++)
      text[i] = (char)(nova_rng_below(&r, 3) == 0 ? nova_rng_next(&r)
                                                  : nova_rng_below(&r, 5));
    text[0] = (char)nova_rng_next(&r);
    text[1] = (char)n;
    if (nova_rng_below(&r, 20) == 0)
      text[1] = (char)nova_rng_next(&r);
    check_any((struct nova_view){text, n + 2});
  }
}
