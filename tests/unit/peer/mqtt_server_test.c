/* The platform over MQTT: who is let in, who may do what, what is kept, and
 * commands. */
#include "mqtt_server_rig.h"

#include "base/error.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define DATA_A   TOPIC(ID_A, "data")
#define STATUS_A TOPIC(ID_A, "status")
#define ASK_A    TOPIC(ID_A, "command")
#define DATA_B   TOPIC(ID_B, "data")
#define STATUS_B TOPIC(ID_B, "status")
#define ASK_B    TOPIC(ID_B, "command")

/* --- CONNECT: guide 2.3 ----------------------------------------------------
 */

Test(mqtt_server, a_device_needs_its_id_and_its_key) {
  static const struct {
    const char *user, *password;
    uint8_t code;
  } logins[] = {
      {ID_A, KEY_A, NOVA_MQTT_CODE_ACCEPTED},
      {ID_B, KEY_B, NOVA_MQTT_CODE_ACCEPTED},
      {PLATFORM, PLATFORM_KEY, NOVA_MQTT_CODE_ACCEPTED},
      {ID_A, KEY_B, NOVA_MQTT_CODE_CREDENTIALS},
      {ID_A, "", NOVA_MQTT_CODE_CREDENTIALS},
      {ID_A, "kEy-one-012345678", NOVA_MQTT_CODE_CREDENTIALS},
      {ID_A, "kEy-one-0123456780", NOVA_MQTT_CODE_CREDENTIALS},
      {ID_A, KEY_A "0", NOVA_MQTT_CODE_CREDENTIALS},
      {ID_A, "key-one-0123456789", NOVA_MQTT_CODE_CREDENTIALS},
      {"dev-000001", KEY_A, NOVA_MQTT_CODE_CREDENTIALS},
      {"DEV-9", KEY_A, NOVA_MQTT_CODE_CREDENTIALS},
      {"", KEY_A, NOVA_MQTT_CODE_CREDENTIALS},
      {"", "", NOVA_MQTT_CODE_CREDENTIALS},
      {PLATFORM, "", NOVA_MQTT_CODE_CREDENTIALS},
      {PLATFORM, KEY_A, NOVA_MQTT_CODE_CREDENTIALS},
      {ID_A, PLATFORM_KEY, NOVA_MQTT_CODE_CREDENTIALS},
      {ID_A, NULL, NOVA_MQTT_CODE_AUTHORIZED},
      {PLATFORM, NULL, NOVA_MQTT_CODE_AUTHORIZED},
      {NULL, NULL, NOVA_MQTT_CODE_AUTHORIZED},
  };
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  for (size_t i = 0; i < sizeof logins / sizeof *logins; i++) {
    size_t c = mrig_open(&m);
    cr_expect_eq(mrig_connect(&m, c, logins[i].user, logins[i].password),
                 logins[i].code, "login %zu", i);
    cr_expect_eq(m.r.conn[c].closed, logins[i].code != NOVA_MQTT_CODE_ACCEPTED,
                 "login %zu", i);
    cr_expect_not(m.r.conn[c].reset);
  }
  mrig_stop(&m);
}

Test(mqtt_server, without_a_platform_nobody_is_it) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  struct mrig m = {.r = r};
  nova_buf_init(&m.bytes, NULL, 1000);
  size_t c = mrig_open(&m);
  cr_assert_eq(mrig_connect(&m, c, "", ""), NOVA_MQTT_CODE_CREDENTIALS);
  mrig_stop(&m);
}

Test(mqtt_server, a_device_that_is_not_active_is_refused) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  size_t open = mrig_login(&m, ID_A, KEY_A);
  (void)mrig_control(&m, "{\"do\":\"deactivate\",\"device_id\":\"" ID_A "\"}");
  size_t c = mrig_open(&m);
  cr_assert_eq(mrig_connect(&m, c, ID_A, KEY_A), NOVA_MQTT_CODE_AUTHORIZED);
  cr_assert(m.r.conn[c].closed);
  cr_assert(mrig_say(&m, open, DATA_A, "{}"));
  (void)mrig_control(&m, "{\"do\":\"activate\",\"device_id\":\"" ID_A "\"}");
  (void)mrig_login(&m, ID_A, KEY_A);
  mrig_stop(&m);
}

Test(mqtt_server, a_new_key_binds_at_once) {
  struct mrig m;
  char key[64];
  mrig_start(&m, NOVA_FAULTS);
  const char *answer =
      mrig_control(&m, "{\"do\":\"reset\",\"device_id\":\"" ID_A "\"}");
  cr_assert_eq(sscanf(answer, "{\"ok\":true,\"key\":\"%32[0-9a-f]\"}", key), 1);
  size_t c = mrig_open(&m);
  cr_assert_eq(mrig_connect(&m, c, ID_A, KEY_A), NOVA_MQTT_CODE_CREDENTIALS);
  (void)mrig_login(&m, ID_A, key);
  mrig_stop(&m);
}

/* Its topics would be another's, or every device's. */
Test(mqtt_server, an_id_that_is_no_level_of_a_topic_is_refused) {
  static const char *const ids[] = {"+", "#", "DEV-1/data", "DEV+", "/"};
  struct nova_credential list[5];
  struct mrig m;
  for (size_t i = 0; i < 5; i++)
    list[i] = (struct nova_credential){nova_view_of(ids[i]), {"k", 1}};
  mrig_start_with(
      &m, &(struct nova_server_options){.devices = list, .device_count = 5});
  for (size_t i = 0; i < 5; i++)
    cr_expect_eq(mrig_connect(&m, mrig_open(&m), ids[i], "k"),
                 NOVA_MQTT_CODE_AUTHORIZED, "%s", ids[i]);
  mrig_stop(&m);
}

Test(mqtt_server, a_silent_connection_has_the_time_of_auth) {
  struct mrig m;
  mrig_start_with(&m,
                  &(struct nova_server_options){.auth_timeout = 3 * NOVA_SEC});
  size_t c = mrig_open(&m);
  rig_run(&m.r, 3 * NOVA_SEC - 1);
  cr_assert_not(m.r.conn[c].closed);
  rig_run(&m.r, 3 * NOVA_SEC);
  cr_assert(m.r.conn[c].closed);
  mrig_stop(&m);
}

/* --- topics: guide 2.4 to 2.6 ----------------------------------------------
 */

Test(mqtt_server, a_device_publishes_on_its_own_topics_only) {
  static const struct {
    const char *topic;
    bool passes;
  } topics[] = {
      {DATA_A, true},
      {STATUS_A, true},
      {ASK_A, false},
      {DATA_B, false},
      {STATUS_B, false},
      {ASK_B, false},
      {TOPIC(ID_A, "log"), false},
      {TOPIC(ID_A "0", "data"), false},
      {TOPIC(ID_A, "data/x"), false},
      {"novacloud/devices/" ID_A, false},
      {"novacloud/devices//data", false},
      {"Novacloud/devices/" ID_A "/data", false},
      {"data", false},
  };
  struct mrig m;
  char want[200];
  mrig_start(&m, NOVA_FAULTS);
  size_t a = mrig_login(&m, ID_A, KEY_A);
  size_t all = mrig_login(&m, PLATFORM, PLATFORM_KEY);
  cr_assert_eq(mrig_subscribe(&m, all, "novacloud/#", 1), 1);
  for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
    cr_expect(mrig_say(&m, a, topics[i].topic, "{\"t\":1}"),
              "%s is acknowledged", topics[i].topic);
    snprintf(want, sizeof want, "1 %s {\"t\":1}", topics[i].topic);
    cr_expect_str_eq(mrig_got(&m, all), topics[i].passes ? want : "");
  }
  mrig_stop(&m);
}

Test(mqtt_server, a_device_subscribes_to_its_own_topics_only) {
  static const struct {
    const char *filter;
    uint8_t qos, says;
  } filters[] = {
      {ASK_A, 1, 1},
      {ASK_A, 0, 0},
      {ASK_A, 2, 2},
      {DATA_A, 1, 1},
      {TOPIC(ID_A, "#"), 1, 1},
      {TOPIC(ID_A, "+"), 1, 1},
      {ASK_B, 1, 0x80},
      {TOPIC(ID_B, "#"), 1, 0x80},
      {"#", 1, 0x80},
      {"+/devices/" ID_A "/command", 1, 0x80},
      {"novacloud/#", 1, 0x80},
      {"novacloud/devices/#", 1, 0x80},
      {TOPIC("+", "command"), 1, 0x80},
      {TOPIC(ID_A "0", "command"), 1, 0x80},
      {"novacloud/devices/" ID_A, 1, 0x80},
      {"$SYS/#", 1, 0x80},
  };
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  size_t a = mrig_login(&m, ID_A, KEY_A);
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
    cr_expect_eq(mrig_subscribe(&m, a, filters[i].filter, filters[i].qos),
                 filters[i].says, "%s", filters[i].filter);
  cr_assert_not(m.r.conn[a].closed);
  mrig_stop(&m);
}

Test(mqtt_server, the_platform_commands_and_watches) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  size_t a = mrig_login(&m, ID_A, KEY_A), b = mrig_login(&m, ID_B, KEY_B);
  size_t all = mrig_login(&m, PLATFORM, PLATFORM_KEY);
  cr_assert_eq(mrig_subscribe(&m, a, TOPIC(ID_A, "#"), 1), 1);
  cr_assert_eq(mrig_subscribe(&m, b, ASK_B, 1), 1);
  cr_assert_eq(mrig_subscribe(&m, all, TOPIC("+", "data"), 1), 1);
  cr_assert_eq(mrig_subscribe(&m, all, "#", 1), 0x80);
  cr_assert_eq(mrig_subscribe(&m, all, "$SYS/#", 1), 0x80);
  cr_assert(mrig_say(&m, all, ASK_A, "{\"command\":\"c\"}"));
  cr_assert_str_eq(mrig_got(&m, a), "1 " ASK_A " {\"command\":\"c\"}");
  cr_assert_str_eq(mrig_got(&m, b), "");
  cr_assert(mrig_say(&m, all, DATA_A, "{}"));
  cr_assert_str_eq(mrig_got(&m, a), "", "the platform has no data");
  cr_assert(mrig_say(&m, b, DATA_B, "{\"t\":2}"));
  cr_assert_str_eq(mrig_got(&m, all), "1 " DATA_B " {\"t\":2}");
  cr_assert_str_eq(mrig_got(&m, a), "");
  mrig_stop(&m);
}

/* A session is kept under its client id, which is free: who takes it up may be
 * another device. */
Test(mqtt_server, a_session_of_another_device_delivers_nothing) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  struct nova_mqtt_connect c = {.client_id = nova_view_of("shared"),
                                .user_name = nova_view_of(ID_A),
                                .password = nova_view_of(KEY_A)};
  size_t a = mrig_open(&m);
  cr_assert_eq(mrig_connect_with(&m, a, c), 0);
  cr_assert_eq(mrig_subscribe(&m, a, ASK_A, 1), 1);
  mrig_send(&m, a, &(struct nova_mqtt){.type = NOVA_MQTT_DISCONNECT});
  size_t all = mrig_login(&m, PLATFORM, PLATFORM_KEY);
  cr_assert(mrig_say(&m, all, ASK_A, "{\"n\":1}"));
  c.user_name = nova_view_of(ID_B);
  c.password = nova_view_of(KEY_B);
  size_t b = mrig_open(&m);
  cr_assert_eq(mrig_connect_with(&m, b, c), 0);
  cr_assert_str_eq(mrig_got(&m, b), "");
  cr_assert(mrig_say(&m, all, ASK_A, "{\"n\":2}"));
  cr_assert_str_eq(mrig_got(&m, b), "");
  mrig_stop(&m);
}

Test(mqtt_server, a_session_of_its_own_delivers_what_came) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  struct nova_mqtt_connect c = {.client_id = nova_view_of("mine"),
                                .user_name = nova_view_of(ID_A),
                                .password = nova_view_of(KEY_A)};
  size_t a = mrig_open(&m);
  cr_assert_eq(mrig_connect_with(&m, a, c), 0);
  cr_assert_eq(mrig_subscribe(&m, a, ASK_A, 1), 1);
  mrig_send(&m, a, &(struct nova_mqtt){.type = NOVA_MQTT_DISCONNECT});
  size_t all = mrig_login(&m, PLATFORM, PLATFORM_KEY);
  cr_assert(mrig_say(&m, all, ASK_A, "{\"n\":1}"));
  size_t again = mrig_open(&m);
  cr_assert_eq(mrig_connect_with(&m, again, c), 0);
  cr_assert(m.packet.u.connack.session_present);
  cr_assert_str_eq(mrig_got(&m, again), "1 " ASK_A " {\"n\":1}");
  mrig_stop(&m);
}

/* --- wills: guide 2.6 ------------------------------------------------------
 */

#define WILL_A                                                                 \
  "{\"status\":\"offline\",\"timestamp\":0,\"device_id\":\"" ID_A "\"}"

static size_t login_with_will(struct mrig *m, const char *topic) {
  size_t c = mrig_open(m);
  cr_assert_eq(mrig_connect_with(m, c,
                                 (struct nova_mqtt_connect){
                                     .user_name = nova_view_of(ID_A),
                                     .password = nova_view_of(KEY_A),
                                     .will_topic = nova_view_of(topic),
                                     .will_message = nova_view_of(WILL_A),
                                     .will_qos = 1}),
               0);
  return c;
}

Test(mqtt_server, a_will_is_published_and_kept_as_the_status) {
  static const char ask[] = "{\"do\":\"data\",\"device_id\":\"" ID_A "\"}";
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  size_t all = mrig_login(&m, PLATFORM, PLATFORM_KEY);
  cr_assert_eq(mrig_subscribe(&m, all, TOPIC("+", "status"), 1), 1);
  size_t a = login_with_will(&m, STATUS_A);
  nova_server_reset(m.r.s, a, m.r.now);
  rig_pump(&m.r);
  cr_assert_str_eq(mrig_got(&m, all), "1 " STATUS_A " " WILL_A);
  cr_assert_not_null(strstr(mrig_control(&m, ask), "\"status\":\"offline\""));
  a = login_with_will(&m, STATUS_A);
  nova_server_eof(m.r.s, a, m.r.now);
  rig_pump(&m.r);
  cr_assert_str_eq(mrig_got(&m, all), "1 " STATUS_A " " WILL_A);
  cr_assert(m.r.conn[a].closed);
  a = login_with_will(&m, STATUS_A);
  mrig_send(&m, a, &(struct nova_mqtt){.type = NOVA_MQTT_DISCONNECT});
  cr_assert_str_eq(mrig_got(&m, all), "");
  mrig_stop(&m);
}

Test(mqtt_server, a_will_elsewhere_is_dropped) {
  static const char *const topics[] = {STATUS_B, ASK_A, ASK_B, "novacloud/x"};
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  size_t all = mrig_login(&m, PLATFORM, PLATFORM_KEY);
  cr_assert_eq(mrig_subscribe(&m, all, "novacloud/#", 1), 1);
  for (size_t i = 0; i < 4; i++) {
    size_t a = login_with_will(&m, topics[i]);
    nova_server_reset(m.r.s, a, m.r.now);
    rig_pump(&m.r);
    cr_expect_str_eq(mrig_got(&m, all), "", "%s", topics[i]);
  }
  mrig_stop(&m);
}

/* --- what is kept: guide 2.4, 2.6 ------------------------------------------
 */

Test(mqtt_server, the_last_good_data_is_kept) {
  static const char ask[] = "{\"do\":\"data\",\"device_id\":\"" ID_A "\"}";
  static const char kept[] =
      "{\"ok\":true,\"values\":{\"temperature\":25.50,\"on\":[ 1 ]},"
      "\"status\":\"busy\"}\n";
  static const char *const others[] = {
      "",
      "{}",
      "[]",
      "not JSON",
      "{\"timestamp\":1,\"t\":1}",
      "{\"device_id\":\"" ID_A "\",\"t\":1}",
      "{\"timestamp\":1,\"device_id\":\"" ID_B "\",\"t\":1}",
      "{\"timestamp\":\"1\",\"device_id\":\"" ID_A "\",\"t\":1}",
      "{\"timestamp\":1,\"device_id\":\"" ID_A
      "\",\"response\":\"actuator_set\",\"command\":\"set_actuator\","
      "\"success\":true,\"data\":{}}"};
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  size_t a = mrig_login(&m, ID_A, KEY_A);
  cr_assert(mrig_say(&m, a, DATA_A,
                     "{\"timestamp\":1,\"device_id\":\"" ID_A "\",\"old\":1}"));
  cr_assert(mrig_say(&m, a, DATA_A,
                     "{\"timestamp\":1, \"temperature\" : 25.50,"
                     "\"device_id\":\"" ID_A "\",\"on\":[ 1 ]}"));
  cr_assert(mrig_say(&m, a, STATUS_A,
                     "{\"status\":\"busy\",\"timestamp\":1,"
                     "\"device_id\":\"" ID_A "\"}"));
  cr_assert_str_eq(mrig_control(&m, ask), kept);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    cr_assert(mrig_say(&m, a, DATA_A, others[i]));
    cr_assert(mrig_say(&m, a, STATUS_A, others[i]));
    cr_expect_str_eq(mrig_control(&m, ask), kept, "after %s", others[i]);
  }
  /* Data without a value is data all the same. */
  cr_assert(
      mrig_say(&m, a, DATA_A, "{\"timestamp\":1,\"device_id\":\"" ID_A "\"}"));
  cr_assert_not_null(strstr(mrig_control(&m, ask), "\"values\":{},"));
  mrig_stop(&m);
}

/* Whatever it is, it comes to the platform as it was sent. */
Test(mqtt_server, payloads_are_delivered_as_they_came) {
  static char big[131072];
  static const struct nova_view payloads[] = {{"", 0},
                                              {"\0\xff\x80", 3},
                                              {"{}", 2},
                                              {" {\"a\" : 1}\n", 11},
                                              {big, sizeof big}};
  struct mrig m;
  memset(big, ' ', sizeof big);
  big[0] = '{';
  big[sizeof big - 1] = '}';
  mrig_start(&m, NOVA_FAULTS);
  size_t a = mrig_login(&m, ID_A, KEY_A);
  size_t all = mrig_login(&m, PLATFORM, PLATFORM_KEY);
  cr_assert_eq(mrig_subscribe(&m, all, "novacloud/#", 1), 1);
  for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
    cr_assert(mrig_publish(&m, a, DATA_A, payloads[i]));
    cr_assert(mrig_next(&m, all));
    cr_assert(nova_view_eq(m.packet.u.publish.payload, payloads[i]));
    mrig_send(&m, all,
              &(struct nova_mqtt){.type = NOVA_MQTT_PUBACK,
                                  .u.ack = {m.packet.u.publish.packet_id}});
  }
  mrig_stop(&m);
}

/* --- commands: guide 2.5 ---------------------------------------------------
 */

#define COMMAND(more)                                                          \
  "{\"do\":\"command\",\"device_id\":\"" ID_A                                  \
  "\",\"command\":\"set_actuator\",\"params\":{\"relay1\": \"ON\"}" more "}"
#define OVER_MQTT ",\"transport\":\"mqtt\""
#define OVER_TCP  ",\"transport\":\"tcp\""
#define OK        "{\"ok\":true}\n"

Test(mqtt_server, a_command_is_published_on_the_devices_topic) {
  struct mrig m;
  char want[200];
  mrig_start(&m, NOVA_FAULTS);
  snprintf(want, sizeof want,
           "1 " ASK_A " {\"command\":\"set_actuator\",\"timestamp\":%u,"
           "\"params\":{\"relay1\": \"ON\"}}",
           RIG_UNIX + 7);
  size_t a = mrig_login(&m, ID_A, KEY_A);
  size_t b = mrig_login(&m, ID_B, KEY_B);
  cr_assert_eq(mrig_subscribe(&m, b, ASK_B, 1), 1);
  cr_assert_not_null(
      strstr(mrig_control(&m, COMMAND(OVER_MQTT)), "\"ok\":false"));
  cr_assert_eq(mrig_subscribe(&m, a, TOPIC(ID_A, "+"), 1), 1);
  rig_run(&m.r, 7 * NOVA_SEC);
  cr_assert_str_eq(mrig_control(&m, COMMAND(OVER_MQTT)), OK);
  cr_assert_str_eq(mrig_got(&m, a), want);
  cr_assert_str_eq(mrig_got(&m, b), "");
  cr_assert_str_eq(mrig_control(&m, COMMAND("")), OK);
  cr_assert_str_eq(mrig_got(&m, a), want);
  nova_server_eof(m.r.s, a, m.r.now);
  rig_pump(&m.r);
  cr_assert_not_null(
      strstr(mrig_control(&m, COMMAND(OVER_MQTT)), "not connec"));
  cr_assert_not_null(strstr(mrig_control(&m, COMMAND("")), "not connected\""));
  mrig_stop(&m);
}

Test(mqtt_server, a_command_takes_the_transport_that_it_is_told) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  size_t a = mrig_login(&m, ID_A, KEY_A);
  cr_assert_eq(mrig_subscribe(&m, a, ASK_A, 1), 1);
  cr_assert_not_null(strstr(mrig_control(&m, COMMAND(OVER_TCP)), "not connec"));
  cr_assert_not_null(
      strstr(mrig_control(&m, COMMAND(",\"transport\":\"http\"")),
             "transport is to be tcp or mqtt"));
  cr_assert_not_null(strstr(mrig_control(&m, COMMAND(",\"transport\":null")),
                            "transport is to be tcp or mqtt"));
  size_t tcp = rig_accept(&m.r);
  rig_say(&m.r, tcp, AUTH(ID_A, KEY_A));
  (void)rig_take(&m.r, tcp);
  cr_assert_not_null(strstr(mrig_control(&m, COMMAND("")), "command_id"));
  cr_assert_not_null(strstr(rig_take(&m.r, tcp), "\"type\":\"command\""));
  cr_assert_str_eq(mrig_got(&m, a), "");
  cr_assert_str_eq(mrig_control(&m, COMMAND(OVER_MQTT)), OK);
  cr_assert_str_eq(rig_take(&m.r, tcp), "");
  cr_assert_str_neq(mrig_got(&m, a), "");
  mrig_stop(&m);
}

/* The request is longer than the command that it asks for, so that the limit of
 * lines is set higher. */
Test(mqtt_server, a_command_has_the_guides_limit) {
  static const char rest[] = "{\"command\":\"c\",\"timestamp\":1700000000,"
                             "\"params\":{\"p\":\"\"}}";
  static char line[140000];
  struct mrig m;
  mrig_start_with(&m, &(struct nova_server_options){.line_limit = 200000});
  size_t a = mrig_login(&m, ID_A, KEY_A);
  cr_assert_eq(mrig_subscribe(&m, a, ASK_A, 1), 1);
  for (int over = 0; over < 2; over++) {
    int n = snprintf(line, sizeof line,
                     "{\"do\":\"command\",\"device_id\":\"" ID_A
                     "\",\"command\":\"c\",\"transport\":\"mqtt\","
                     "\"params\":{\"p\":\"%0*d\"}}",
                     131072 - (int)(sizeof rest - 1) + over, 0);
    cr_assert_lt(n, (int)sizeof line);
    const char *answer = mrig_control(&m, line);
    cr_assert_eq(strcmp(answer, OK) == 0, over == 0, "%s", answer);
    cr_assert_eq(mrig_next(&m, a), over == 0);
    if (over == 0)
      cr_assert_eq(m.packet.u.publish.payload.n, 131072);
  }
  mrig_stop(&m);
}

/* --- connections -----------------------------------------------------------
 */

Test(mqtt_server, connections_are_listed) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULTS);
  (void)mrig_login(&m, ID_A, KEY_A);
  (void)rig_accept(&m.r);
  (void)mrig_open(&m);
  (void)mrig_login(&m, PLATFORM, PLATFORM_KEY);
  cr_assert_str_eq(
      mrig_control(&m, "{\"do\":\"connections\"}"),
      "{\"ok\":true,\"count\":4,\"connections\":["
      "{\"connection\":1,\"device_id\":null,\"transport\":\"tcp\"},"
      "{\"connection\":3,\"device_id\":null,\"transport\":\"mqtt\"},"
      "{\"connection\":2,\"device_id\":null,\"transport\":\"mqtt\"},"
      "{\"connection\":0,\"device_id\":\"" ID_A
      "\",\"transport\":\"mqtt\"}]}\n");
  mrig_stop(&m);
}

Test(mqtt_server, numbers_and_limits_are_those_of_all_connections) {
  struct mrig m;
  mrig_start_with(&m, &(struct nova_server_options){.max_connections = 3});
  size_t tcp = rig_accept(&m.r), mqtt = mrig_open(&m);
  cr_assert_eq(nova_server_accept_mqtt(m.r.s, tcp, 0), NOVA_ERR_STATE);
  cr_assert_eq(nova_server_accept(m.r.s, mqtt, 0), NOVA_ERR_STATE);
  cr_assert_eq(nova_server_accept_mqtt(m.r.s, mqtt, 0), NOVA_ERR_STATE);
  (void)mrig_open(&m);
  cr_assert_eq(nova_server_accept_mqtt(m.r.s, 9, 0), NOVA_ERR_LIMIT);
  cr_assert_eq(nova_server_accept(m.r.s, 9, 0), NOVA_ERR_LIMIT);
  nova_server_reset(m.r.s, mqtt, 0);
  cr_assert_eq(nova_server_connections(m.r.s), 2);
  cr_assert_eq(nova_server_accept_mqtt(m.r.s, 9, 0), 0);
  nova_server_reset(m.r.s, 9, 0);
  /* A number is free again. */
  cr_assert_eq(nova_server_accept(m.r.s, mqtt, 0), 0);
  mrig_stop(&m);
}

Test(mqtt_server, nothing_of_a_crashed_server_is_heard) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULT_CRASH_EMPTY_LINE);
  size_t a = mrig_login(&m, ID_A, KEY_A), tcp = rig_accept(&m.r);
  rig_say(&m.r, tcp, AUTH(ID_A, KEY_A) "\n");
  cr_assert(m.r.crashed);
  cr_assert_eq(nova_server_feed(m.r.s, a, "\xc0\0", 2, 0), 0);
  rig_pump(&m.r);
  cr_assert_eq(nova_server_next_deadline(m.r.s), NOVA_TS_NONE);
  mrig_stop(&m);
}
