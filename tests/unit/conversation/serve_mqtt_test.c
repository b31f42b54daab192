/* A player that is the server over MQTT: packets that are wrong by when they
 * come, and a CONNECT of another version. */
#include "unit/conversation/serve_rig.h"

#include <string.h>

static void add(const char *path, const char *text) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  struct nova_spec_file f = {path, text, strlen(text)};
  cr_assert_eq(nova_catalog_add(&rig_catalog, &f, &diag), 0, "%s",
               nova_buf_cstr(&diag.text));
  nova_diag_free(&diag);
}

/* ONE: CONNECT's protocol; TWO: packets; THREE: its user name; FIELDS: the
 * members of a status. */
static void begin(void) {
  static const struct nova_login login = {"DEV-000001", "k1"};
  add("mqtt.yaml",
      "rules:\n"
      "- {rule: protocol, of: device, every: message, transport: mqtt, type: "
      "CONNECT, message: {protocol: MQTT, level: 4}, verifies: ONE}\n"
      "- {rule: packets, of: device, every: packet, verifies: TWO}\n"
      "- {rule: name, of: device, every: message, transport: mqtt, type: "
      "CONNECT, message: {username: $device.id}, verifies: THREE}\n"
      "- {rule: status, of: device, every: message, transport: mqtt, type: "
      "status, message: {status: $string}, verifies: FIELDS}\n");
  add("x.yaml", "conversation: mqtt-x\ntitle: {en: a, zh: b}\n"
                "transport: mqtt\nsteps:\n"
                "- {device: connect}\n"
                "- {device: open, for: 30s, relies_on: PREPARED}\n");
  rig_player = nova_player_new(&(struct nova_player_options){
      .script = nova_catalog_script(&rig_catalog, "mqtt-x"),
      .rules = rig_catalog.rules,
      .profile = &rig_profile,
      .harness = NOVA_ROLE_SERVER,
      .device = &login,
      .other = &login,
      .seed = 1,
      .unix_ns = UINT64_C(1800000000) * NOVA_SEC,
      .patience = rig_patience});
  rig_connects(0, 1);
}

#define SAYS(t, bytes) rig_says_bytes(t, 1, bytes, sizeof bytes - 1)

/* Client id "d", user name DEV-000001, password "k1". */
#define REST                                                                   \
  "\xc2\0\x3c\0\x01"                                                           \
  "d\0\x0a"                                                                    \
  "DEV-000001\0\x02k1"
#define CONNECT "\x10\x1d\0\x04MQTT\x04" REST
#define STATUS                                                                 \
  "\x30\x05\0\x03"                                                             \
  "a/b"
#define PINGREQ "\xc0\0"
#define SUBSCRIBE                                                              \
  "\x82\x06\0\x01\0\x01"                                                       \
  "a\x01"

SERVE_TEST(mqtt, good_packets_in_their_order) {
  begin();
  SAYS(0, CONNECT STATUS SUBSCRIBE);
  SAYS(NOVA_SEC, PINGREQ "\xe0\0");
  rig_end();
  VERDICT("ONE", "pass");
  VERDICT("TWO", "pass");
  VERDICT("THREE", "pass");
}

/* It is judged by what was read, and nothing is said of the rest. */
SERVE_TEST(mqtt, level_3) {
  begin();
  SAYS(0, "\x10\x1d\0\x04MQTT\x03" REST);
  rig_end();
  VERDICT("ONE", "fail");
  VERDICT("TWO", "fail");
  VERDICT("THREE", "-");
}

SERVE_TEST(mqtt, name_of_mqtt_3_1) {
  begin();
  SAYS(0, "\x10\x1f\0\x06MQIsdp\x03" REST);
  rig_end();
  VERDICT("ONE", "fail");
  VERDICT("THREE", "-");
}

SERVE_TEST(mqtt, name_of_nothing) {
  begin();
  SAYS(0, "\x10\x1d\0\x04mqtt\x04" REST);
  rig_end();
  VERDICT("ONE", "fail");
  VERDICT("THREE", "-");
}

/* Another defect of a CONNECT is not one of its protocol. */
SERVE_TEST(mqtt, connect_with_its_reserved_flag) {
  begin();
  SAYS(0, "\x10\x1d\0\x04MQTT\x04\xc3\0\x3c\0\x01"
          "d\0\x0a"
          "DEV-000001\0\x02k1");
  rig_end();
  VERDICT("ONE", "-");
  VERDICT("TWO", "fail");
}

static void wrong(const char *statement) {
  const struct nova_check *c;
  rig_end();
  VERDICT("TWO", "fail");
  c = rig_check("TWO", NOVA_VERDICT_FAIL);
  cr_assert_not_null(c);
  cr_expect_not_null(strstr(c->expected, statement), "%s", c->expected);
}

SERVE_TEST(mqtt, first_packet_is_no_connect) {
  begin();
  SAYS(0, STATUS CONNECT);
  wrong("MQTT-3.1.0-1");
}

SERVE_TEST(mqtt, second_connect) {
  begin();
  SAYS(0, CONNECT);
  SAYS(NOVA_SEC, CONNECT);
  wrong("MQTT-3.1.0-2");
}

/* On each connection there is a first one. */
SERVE_TEST(mqtt, connect_on_the_next_connection) {
  begin();
  SAYS(0, CONNECT);
  rig_connects(NOVA_SEC, 2);
  rig_says_bytes(NOVA_SEC, 2, CONNECT, sizeof CONNECT - 1);
  rig_end();
  VERDICT("TWO", "pass");
}

SERVE_TEST(mqtt, something_behind_disconnect) {
  begin();
  SAYS(0, CONNECT "\xe0\0" PINGREQ);
  wrong("MQTT-3.14.4-2");
}

SERVE_TEST(mqtt, packet_of_a_server) {
  begin();
  SAYS(0, CONNECT);
  SAYS(NOVA_SEC, "\xd0\0");
  wrong("table 2.1");
}

/* --- payloads
 * ----------------------------------------------------------------- */

/* Behind the topic, of 37 bytes with its length. */
#define ON_STATUS(length) "\x30" length "\0#novacloud/devices/DEV-000001/status"

SERVE_TEST(mqtt, status_that_is_right) {
  begin();
  SAYS(0, CONNECT ON_STATUS("\x33") "{\"status\":\"a\"}");
  rig_end();
  VERDICT("FIELDS", "pass");
}

SERVE_TEST(mqtt, status_that_is_no_json) {
  begin();
  SAYS(0, CONNECT ON_STATUS("\x2b") "online");
  rig_end();
  VERDICT("FIELDS", "fail");
}

/* Nobody is blamed, and it is no pass. */
SERVE_TEST(mqtt, status_with_a_name_twice) {
  begin();
  SAYS(0, CONNECT ON_STATUS("\x3e") "{\"status\":\"a\",\"status\":1}");
  rig_end();
  VERDICT("FIELDS", "-");
}
