/* The player over MQTT: what it answers by itself, what it judges, and what a
 * hostile subject does to it. */
#include "unit/conversation/mqtt_rig.h"

#include <stdio.h>
#include <string.h>

#define OVER "transport: mqtt"
#define COMES                                                                  \
  "- {device: connect}\n"                                                      \
  "- {device: send, message: {packet: CONNECT}, relies_on: D-0}\n"
#define KEEP_ALIVE "- {rule: k, of: device, every: keep_alive, verifies: D-1}\n"

static void serve(const char *steps) {
  mq_begin(NOVA_ROLE_SERVER, OVER, steps);
}

/* --- keep-alive
 * ---------------------------------------------------------------- */

MQTT_TEST(keep_alive, in_time_and_late) {
  mq_rules(KEEP_ALIVE);
  serve(COMES "- {device: open, for: 60s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says(0, 1, WITH_KEEP_ALIVE("10"));
  mq_says(16 * NOVA_SEC, 1, PINGREQ); /* 15 s and the tolerance of 1.5 s */
  mq_says(32 * NOVA_SEC, 1, PINGREQ);
  IS("D-1", "-");
  mq_says(49 * NOVA_SEC, 1, PINGREQ);
  IS("D-1", "fail");
}

/* A gap ends where a packet begins, however slowly it comes. */
MQTT_TEST(keep_alive, of_a_packet_that_trickles) {
  mq_rules(KEEP_ALIVE);
  serve(COMES "- {device: open, for: 100s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says(0, 1, WITH_KEEP_ALIVE("10"));
  for (unsigned i = 0; i < 8; i++)
    mq_says_part((nova_ts)i * 9 * NOVA_SEC, 1, DATA("\"payload\":{\"n\":1}"),
                 (size_t)i * 6, i == 7 ? 400 : 6);
  mq_says(70 * NOVA_SEC, 1, PINGREQ);
  mq_end();
  IS("D-1", "fail"); /* of the 30 s up to the end */
  const struct nova_check *c = mq_check("D-1", NOVA_VERDICT_FAIL);
  cr_assert_not_null(c);
  cr_expect_eq(c->t, 100 * NOVA_SEC, "%llu", (unsigned long long)c->t);
}

/* It was still sending when the harness ended. */
MQTT_TEST(keep_alive, of_a_packet_that_is_cut_off) {
  mq_rules(KEEP_ALIVE);
  serve(COMES "- {device: open, for: 100s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says(0, 1, WITH_KEEP_ALIVE("10"));
  mq_says_part(9 * NOVA_SEC, 1, DATA("\"payload\":{\"n\":1}"), 0, 6);
  mq_end();
  IS("D-1", "pass");
}

MQTT_TEST(keep_alive, none) {
  mq_rules(KEEP_ALIVE);
  serve(COMES "- {device: open, for: 1000s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says(0, 1, WITH_KEEP_ALIVE("0"));
  mq_end();
  IS("D-1", "-");
}

/* Up to its end, by the device or by the harness. */
MQTT_TEST(keep_alive, up_to_the_end) {
  mq_rules(KEEP_ALIVE);
  serve(COMES "- {device: close, within: 100s, verifies: D-2}\n");
  mq_connects(0, 1);
  mq_says(0, 1, WITH_KEEP_ALIVE("10"));
  mq_closes(40 * NOVA_SEC, 1);
  IS("D-1", "fail");
  IS("D-2", "pass");
}

MQTT_TEST(keep_alive, that_the_harness_cut_short) {
  mq_rules(KEEP_ALIVE);
  serve(COMES "- {wait: 15s}\n- {server: close}\n- {wait: 60s}\n");
  mq_connects(0, 1);
  mq_says(0, 1, WITH_KEEP_ALIVE("10"));
  mq_end();
  IS("D-1", "pass");
}

MQTT_TEST(keep_alive, of_a_late_harness) {
  mq_rules(KEEP_ALIVE);
  serve(COMES "- {device: open, for: 60s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says(0, 1, WITH_KEEP_ALIVE("10"));
  nova_player_set_timing_error(mq_player, 3 * NOVA_SEC);
  mq_says(19 * NOVA_SEC, 1, PINGREQ);
  IS("D-1", "-");
}

/* --- what it answers by itself
 * -------------------------------------------------- */

MQTT_TEST(answers, of_the_broker) {
  serve(COMES "- {device: open, for: 10s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says_all(0, 1,
              (const char *const[]){
                  CONNECT, SUBSCRIBE, PINGREQ,
                  DATA("\"qos\":1,\"packet_id\":7,\"payload\":{\"n\":1}"),
                  NULL});
  cr_expect_eq(mq_sent(1, "CONNACK"), 1);
  cr_expect_eq(mq_sent(1, "SUBACK"), 1);
  cr_expect_eq(mq_sent(1, "PINGRESP"), 1);
  cr_expect_eq(mq_sent(1, "PUBACK"), 1);
}

/* Nothing stands inside a packet that goes out byte by byte. */
MQTT_TEST(answers, behind_a_packet_in_pieces) {
  serve(COMES
        "- {device: send, message: {packet: SUBSCRIBE}, relies_on: D-0}\n"
        "- {server: send, segments: bytes, pause: 50ms, message: {packet: "
        "PUBLISH, topic: $device.command_topic, payload: {a: 1}}}\n"
        "- {device: open, for: 1s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says_all(0, 1, (const char *const[]){CONNECT, SUBSCRIBE, NULL});
  mq_says(NOVA_SEC, 1, PINGREQ);
  cr_expect_eq(mq_sent(1, "PINGRESP"), 0, "%s", mq_said(1));
  mq_end();
  cr_expect_eq(mq_sent(1, "PINGRESP"), 1, "%s", mq_said(1));
}

/* DISCONNECT ends the connection behind what was to be answered before. */
MQTT_TEST(answers, before_the_brokers_end) {
  serve(COMES
        "- {device: send, message: {packet: SUBSCRIBE}, relies_on: D-0}\n"
        "- {server: send, segments: [4, 8], pause: 500ms, message: {packet: "
        "PUBLISH, topic: $device.command_topic, payload: {a: 1}}}\n"
        "- {wait: 1s}\n");
  mq_connects(0, 1);
  mq_says_all(0, 1, (const char *const[]){CONNECT, SUBSCRIBE, NULL});
  mq_says_all(250 * NOVA_MS, 1,
              (const char *const[]){
                  DATA("\"qos\":1,\"packet_id\":7,\"payload\":{\"n\":1}"),
                  "{\"packet\":\"DISCONNECT\"}", NULL});
  mq_end();
  cr_expect_eq(mq_sent(1, "PUBACK"), 1, "%s", mq_said(1));
  cr_expect_eq(mq_ended(1), 'F');
}

MQTT_TEST(answers, that_are_never_out) {
  mq_holds = true;
  serve(COMES "- {device: open, for: 10s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says(0, 1, CONNECT);
  mq_says_bytes(NOVA_SEC, 1, "\xf0\0", 2); /* no packet of the standard */
  cr_expect_eq(mq_ended(1), '-', "CONNACK is still under way");
  mq_out(2 * NOVA_SEC);
  cr_expect_eq(mq_ended(1), 'F');
  mq_end();
}

MQTT_TEST(answers, withheld) {
  mq_begin(NOVA_ROLE_SERVER, OVER "\nwithholds: [CONNACK, PINGRESP]",
           COMES "- {device: open, for: 10s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says_all(0, 1, (const char *const[]){CONNECT, PINGREQ, SUBSCRIBE, NULL});
  cr_expect_eq(mq_sent(1, "CONNACK"), 0);
  cr_expect_eq(mq_sent(1, "PINGRESP"), 0);
  cr_expect_eq(mq_sent(1, "SUBACK"), 1);
}

/* What a visitor is owed it gets, whoever takes it meanwhile. */
MQTT_TEST(answers, of_a_visitor) {
  mq_holds = true;
  serve(COMES "- {wait: 1s}\n- {device: connect, on: second, relies_on: D-0}\n"
              "- {device: open, on: second, for: 2s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says(0, 1, CONNECT);
  mq_connects(NOVA_MS, 2);
  mq_says(NOVA_MS, 2, WITH_KEEP_ALIVE("0"));
  mq_out(2 * NOVA_MS);
  mq_says_part(3 * NOVA_MS, 2, DATA("\"qos\":1,\"packet_id\":9"), 0, 9);
  mq_says_part(1500 * NOVA_MS, 2, DATA("\"qos\":1,\"packet_id\":9"), 9, 999);
  mq_out(1600 * NOVA_MS);
  mq_end();
  cr_expect_eq(mq_sent(2, "CONNACK"), 1, "%s", mq_said(2));
  cr_expect_eq(mq_sent(2, "PUBACK"), 1, "%s", mq_said(2));
}

/* --- commands
 * ------------------------------------------------------------------ */

#define COMMAND                                                                \
  "- {server: send, message: {packet: PUBLISH, topic: $device.command_topic, " \
  "qos: 1, payload: {command: x}}}\n"
#define ANSWERED                                                               \
  "- {device: send, message: {packet: PUBLISH, says: answer}, verifies: "      \
  "D-2}\n"

MQTT_TEST(command, to_one_that_has_not_subscribed) {
  serve(COMES "- {wait: 1s}\n" COMMAND ANSWERED);
  mq_connects(0, 1);
  mq_says(0, 1, CONNECT);
  mq_end();
  IS("D-2", "inconclusive");
  cr_expect(mq_reason("has not subscribed"));
}

/* It ended the connection by itself: that is what it is charged with. */
MQTT_TEST(command, to_one_that_has_gone) {
  serve(COMES "- {device: send, message: {packet: SUBSCRIBE}, relies_on: "
              "D-0}\n- {wait: 1s}\n" COMMAND ANSWERED);
  mq_connects(0, 1);
  mq_says_all(0, 1, (const char *const[]){CONNECT, SUBSCRIBE, NULL});
  mq_closes(500 * NOVA_MS, 1);
  mq_end();
  IS("D-2", "fail");
  cr_expect(mq_reason("closed the connection"));
}

/* --- rules and steps
 * ------------------------------------------------------------ */

#define STATUS_RULE                                                            \
  "- {rule: s, of: device, every: message, transport: mqtt, type: status, "    \
  "message: {status: $string, timestamp: $integer}, verifies: D-1}\n"

static void status(const char *pattern, const char *packet) {
  char steps[1024];
  snprintf(steps, sizeof steps,
           COMES "- {device: send, message: {packet: PUBLISH, says: status, "
                 "%s}, verifies: D-2}\n",
           pattern);
  mq_rules(STATUS_RULE);
  serve(steps);
  mq_connects(0, 1);
  mq_says_all(0, 1, (const char *const[]){CONNECT, packet, NULL});
  mq_end();
}

MQTT_TEST(flawed, a_payload_that_is_none) {
  status("payload: {status: online, n: 1}", STATUS("\"payload_text\":\"up\""));
  IS("D-1", "fail");
  IS("D-2", "inconclusive");
}

MQTT_TEST(flawed, a_payload_that_is_no_object) {
  status("payload: $object", STATUS("\"payload\":[1]"));
  IS("D-1", "fail");
  cr_expect_str_neq(mq_verdict("D-2"), "fail");
}

MQTT_TEST(flawed, an_empty_payload) {
  status("payload: {more: true}", STATUS("\"qos\":0"));
  IS("D-1", "fail");
  IS("D-2", "inconclusive");
}

MQTT_TEST(flawed, one_member) {
  status("payload: {status: online}",
         STATUS("\"payload\":{\"status\":7,\"timestamp\":1}"));
  IS("D-1", "fail");
  IS("D-2", "inconclusive");
}

/* What no rule has charged is the step's. */
MQTT_TEST(flawed, another_member) {
  status("payload: {status: online, more: true}",
         STATUS("\"payload\":{\"status\":\"online\",\"timestamp\":1}"));
  IS("D-1", "pass");
  IS("D-2", "fail");
}

MQTT_TEST(flawed, a_member_of_the_packet) {
  mq_rules("- {rule: q, of: device, every: message, transport: mqtt, type: "
           "PUBLISH, when: {says: data}, message: {qos: 1}, verifies: D-1}\n");
  serve(COMES "- {device: send, message: {packet: PUBLISH, says: data, qos: "
              "1}, verifies: D-2}\n");
  mq_connects(0, 1);
  mq_says_all(0, 1,
              (const char *const[]){CONNECT, DATA("\"payload\":{}"), NULL});
  mq_end();
  IS("D-1", "fail");
  IS("D-2", "inconclusive");
}

MQTT_TEST(when, tells_of_which_packets) {
  mq_rules("- {rule: q, of: device, every: message, transport: mqtt, type: "
           "PUBLISH, when: {topic: $device.data_topic}, message: {qos: 1}, "
           "verifies: D-1}\n");
  serve(COMES "- {device: open, for: 1s, relies_on: D-0}\n");
  mq_connects(0, 1);
  mq_says_all(0, 1,
              (const char *const[]){CONNECT, STATUS("\"payload\":{}"), NULL});
  IS("D-1", "-");
  mq_says(1, 1, DATA("\"payload\":{}"));
  mq_end();
  IS("D-1", "fail");
}

MQTT_TEST(given, leaves_a_step_out) {
  mq_begin(NOVA_ROLE_SERVER, OVER,
           COMES "- {device: send, as: sent, message: {packet: PUBLISH}, "
                 "relies_on: D-0}\n"
                 "- {device: send, given: $sent.packet_id, message: {packet: "
                 "PUBREL}, verifies: D-1}\n"
                 "- {device: open, for: 1s, verifies: D-2}\n");
  mq_connects(0, 1);
  mq_says_all(0, 1,
              (const char *const[]){CONNECT, DATA("\"payload\":{}"), NULL});
  mq_end();
  IS("D-1", "not_tested");
  IS("D-2", "pass");
}

/* --- floods and nonsense
 * -------------------------------------------------------- */

MQTT_TEST(flood, of_packets_in_one_segment) {
  static char bytes[2 * 30000];
  for (size_t i = 0; i < sizeof bytes; i += 2)
    memcpy(bytes + i, "\xc0\0", 2);
  serve(COMES "- {device: open, for: 1s, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_says(0, 1, CONNECT);
  mq_says_bytes(1, 1, bytes, sizeof bytes);
  cr_expect_eq(mq_sent(1, "PINGRESP"), 30000);
  mq_end();
  IS("D-1", "pass");
}

/* Only its header comes. */
MQTT_TEST(flood, of_256_megabytes) {
  serve(COMES "- {device: close, within: 5s, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_says(0, 1, CONNECT);
  mq_says_bytes(1, 1, "\x30\xff\xff\xff\x7f", 5);
  cr_expect_eq(mq_ended(1), 'F');
  mq_end();
  cr_expect_str_neq(mq_verdict("D-1"), "pass");
  cr_expect_not(mq_reason("memory"));
}

/* Escapes make six characters of one: nothing is the harness's fault. */
MQTT_TEST(flood, of_control_characters) {
  enum { N = 290 << 10 };
  static char bytes[N + 8];
  serve(COMES "- {device: open, for: 1s, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_says(0, 1, CONNECT);
  /* Filters of one character each. */
  size_t n = 4;
  bytes[n++] = 0;
  bytes[n++] = 1;
  for (; n + 4 <= N; n += 4)
    memcpy(bytes + n, "\0\1\1\1", 4);
  bytes[0] = (char)0x82;
  for (size_t i = 0, left = n - 4; i < 3; i++, left >>= 7)
    bytes[1 + i] = (char)((left & 127) | (i < 2 ? 128 : 0));
  mq_says_bytes(1, 1, bytes, n);
  /* A topic and a payload of them. */
  memset(bytes, 1, sizeof bytes);
  size_t left = N - 4;
  bytes[0] = 0x30;
  for (size_t i = 0; i < 3; i++, left >>= 7)
    bytes[1 + i] = (char)((left & 127) | (i < 2 ? 128 : 0));
  bytes[4] = (char)0xff;
  bytes[5] = (char)0xff;
  mq_says_bytes(2, 1, bytes, N);
  mq_end();
  IS("D-1", "pass");
}

MQTT_TEST(flood, of_a_large_payload) {
  enum { N = 290 << 10 };
  static char bytes[N + 64];
  mq_rules("- {rule: s, of: device, every: message, transport: mqtt, type: "
           "data, message: {n: $string}, verifies: D-1}\n");
  serve(COMES "- {device: open, for: 1s, verifies: D-2}\n");
  mq_connects(0, 1);
  mq_says(0, 1, CONNECT);
  static const char topic[] = "novacloud/devices/DEV-000001/data";
  size_t left = N - 4, n = 4;
  bytes[0] = 0x30;
  for (size_t i = 0; i < 3; i++, left >>= 7)
    bytes[1 + i] = (char)((left & 127) | (i < 2 ? 128 : 0));
  bytes[n++] = 0;
  bytes[n++] = sizeof topic - 1;
  memcpy(bytes + n, topic, sizeof topic - 1);
  n += sizeof topic - 1;
  memcpy(bytes + n, "{\"n\":\"", 6);
  memset(bytes + n + 6, 'x', N - n - 8);
  memcpy(bytes + N - 2, "\"}", 2);
  mq_says_bytes(1, 1, bytes, N);
  mq_end();
  IS("D-1", "pass");
  IS("D-2", "pass");
}

/* Acknowledgements of nothing, flows that are half done, ids without an end. */
MQTT_TEST(flood, of_flows) {
  serve(COMES "- {device: open, for: 1s, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_says(0, 1, CONNECT);
  for (unsigned i = 0; i < 66000; i++) {
    char packet[6] = {0x40, 2, (char)(i >> 8), (char)i};
    static const char types[] = {0x40, 0x50, 0x62, 0x70};
    packet[0] = types[i % 4];
    if ((i & 0xffff) == 0)
      continue;
    mq_says_bytes(1, 1, packet, 4);
  }
  for (unsigned i = 1; i <= 3000; i++) {
    char packet[] = {0x34, 5, 0, 1, 'a', (char)(i >> 8), (char)i};
    mq_says_bytes(2, 1, packet, sizeof packet);
  }
  mq_end();
  cr_expect(mq_sent(1, "PUBREC") > 0);
  cr_expect_not(mq_reason("memory"));
}

/* A server that sends nothing right: the device's side. */
MQTT_TEST(flood, of_a_server) {
  static const char junk[] = "\x20\x02\0\0\x20\x02\0\0\x40\x02\0\0\x40\x02\0\1"
                             "\x62\x02\0\1\xd0\0\xd0\0\x34\x05\0\1a\0\1";
  mq_begin(NOVA_ROLE_DEVICE, OVER,
           "- {device: connect}\n"
           "- {device: send, message: {packet: CONNECT, client_id: a}}\n"
           "- {server: send, message: {packet: CONNACK, code: 0}, relies_on: "
           "S-0}\n"
           "- {server: open, for: 1s, verifies: S-1}\n");
  mq_is_in(0, 1);
  for (unsigned i = 0; i < 1000; i++)
    mq_says_bytes(1, 1, junk, sizeof junk - 1);
  mq_end();
  IS("S-1", "pass");
}

/* --- ids of a device
 * ------------------------------------------------------------ */

MQTT_TEST(ids, come_again_behind_65535) {
  mq_begin(NOVA_ROLE_DEVICE, OVER,
           "- {device: connect}\n"
           "- {device: send, message: {packet: CONNECT, client_id: a}}\n"
           "- {device: repeat, every: 1ms, message: {packet: PUBLISH, topic: "
           "a, qos: 1}}\n"
           "- {server: open, for: 70s, verifies: S-1}\n");
  mq_is_in(0, 1);
  for (unsigned i = 1; i <= 66000; i++) {
    char ack[4] = {0x40, 2, (char)(((i - 1) % 65535 + 1) >> 8),
                   (char)((i - 1) % 65535 + 1)};
    mq_says_bytes((nova_ts)i * NOVA_MS + NOVA_MS / 2, 1, ack, 4);
  }
  cr_expect_eq(mq_sent(1, "\"packet_id\":0,"), 0);
  cr_expect_eq(mq_sent(1, "\"packet_id\":65535,"), 1);
  cr_expect_eq(mq_sent(1, "\"packet_id\":2,"), 2, "it goes round");
  mq_end();
  IS("S-1", "pass");
}

/* --- what it waits for
 * ---------------------------------------------------------- */

static bool has_chinese(const char *text) {
  for (; *text != '\0'; text++)
    if ((unsigned char)*text >= 0xe4)
      return true;
  return false;
}

MQTT_TEST(waits_for, is_told_in_both_languages) {
  static const struct {
    const char *step, *en;
  } all[] = {
      {"- {device: send, message: {packet: SUBSCRIBE}, verifies: D-1}\n",
       "waiting for a message (SUBSCRIBE)"},
      {"- {device: send, message: {packet: PUBLISH, says: answer}, verifies: "
       "D-1}\n",
       "waiting for a message (answer)"},
      {"- {device: close, within: 5s, verifies: D-1}\n", "close"},
      {"- {device: silent, for: 5s, verifies: D-1}\n", "nothing comes"},
      {"- {device: silent, on: every, message: {packet: PINGREQ}, for: 5s, "
       "verifies: D-1}\n",
       "nothing comes"},
      {"- {device: open, for: 5s, verifies: D-1}\n", "stays open"},
      {"- {device: connect, on: b, verifies: D-1}\n", "connect again"},
      {"- {device: repeat, message: {packet: PINGREQ}, every: 1s, for: 5s, "
       "verifies: D-1}\n",
       "heartbeat"},
      {"- {device: attempts, at_most: 3, for: 5s, from: a, verifies: D-1}\n",
       "connects again"},
      {"- any_of:\n  - - {device: close, verifies: D-1}\n  - - {device: "
       "connect, on: b, verifies: D-1}\n",
       "reaction"},
      {"- {server: silent, for: 5s, relies_on: D-0}\n", "keeping silent"},
      {"- {wait: 5s}\n", "letting time pass"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    char steps[1024], text[160];
    nova_ts until;
    mq_teardown();
    mq_setup();
    snprintf(steps, sizeof steps,
             "- {device: connect, as: a}\n%s"
             "- {device: open, for: 1s, relies_on: D-0}\n",
             all[i].step);
    serve(steps);
    mq_connects(0, 1);
    nova_player_waits_for(mq_player, false, text, sizeof text, &until);
    cr_expect_not_null(strstr(text, all[i].en), "%s: %s", all[i].step, text);
    cr_expect_neq(until, NOVA_TS_NONE, "%s", all[i].step);
    nova_player_waits_for(mq_player, true, text, sizeof text, &until);
    cr_expect(has_chinese(text), "%s: %s", all[i].step, text);
  }
}
