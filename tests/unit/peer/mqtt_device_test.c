/* The reference device over MQTT: what the guide asks for, packet by packet. */
#include "mqtt_device_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Every packet of the device, copied. */
struct log_row {
  enum nova_mqtt_type type;
  nova_ts at;
  int err;
  uint8_t qos;
  uint16_t id;
  char topic[200], text[4096];
  size_t n;
};

struct log {
  struct log_row row[400];
  size_t n;
};

static void copy(char *to, size_t cap, struct nova_view v) {
  size_t n = v.n < cap ? v.n : cap - 1;
  if (n > 0)
    memcpy(to, v.p, n);
  to[n] = '\0';
}

static void record(struct mqtt_rig *r, const struct nova_mqtt *m, int err,
                   struct nova_view bytes) {
  struct log *l = r->user;
  cr_assert_lt(l->n, sizeof l->row / sizeof *l->row);
  struct log_row *row = &l->row[l->n++];
  *row = (struct log_row){.type = m->type, .at = r->now, .err = err};
  row->n = bytes.n;
  if (err != 0)
    return;
  if (m->type == NOVA_MQTT_PUBLISH) {
    row->qos = m->u.publish.qos;
    row->id = m->u.publish.packet_id;
    copy(row->topic, sizeof row->topic, m->u.publish.topic);
    copy(row->text, sizeof row->text, m->u.publish.payload);
  } else if (m->type == NOVA_MQTT_PUBACK || m->type == NOVA_MQTT_PUBREC ||
             m->type == NOVA_MQTT_PUBCOMP) {
    row->id = m->u.ack.packet_id;
  } else if (m->type == NOVA_MQTT_CONNECT) {
    const struct nova_mqtt_connect *c = &m->u.connect;
    copy(row->topic, sizeof row->topic, c->will_topic);
    int n = snprintf(row->text, sizeof row->text,
                     "%.*s|%.*s|%.*s|clean %d|keep %u|will %u %d|%.*s",
                     (int)c->client_id.n, c->client_id.p, (int)c->user_name.n,
                     c->user_name.p, (int)c->password.n, c->password.p,
                     c->clean_session, (unsigned)c->keep_alive,
                     (unsigned)c->will_qos, c->will_retain,
                     (int)c->will_message.n, c->will_message.p);
    cr_assert_lt((size_t)n, sizeof row->text);
  } else if (m->type == NOVA_MQTT_SUBSCRIBE) {
    struct nova_mqtt_each each;
    struct nova_mqtt_entry e;
    nova_mqtt_each_init(&each, m);
    cr_assert(nova_mqtt_each_next(&each, &e));
    copy(row->topic, sizeof row->topic, e.filter);
    row->qos = e.code;
    cr_assert_not(nova_mqtt_each_next(&each, &e));
  }
}

struct scene {
  struct mqtt_rig r;
  struct log l;
};

static void start_with(struct scene *s, const struct nova_device_options *o) {
  s->l.n = 0;
  s->r = (struct mqtt_rig){.watch = record, .user = &s->l};
  mqtt_rig_start(&s->r, o, NOVA_FAULTS);
}

static void start(struct scene *s) {
  start_with(s, NULL);
}

/* The |k|-th packet of |type| so far, 0-based; NULL. */
static const struct log_row *nth(const struct scene *s,
                                 enum nova_mqtt_type type, size_t k) {
  for (size_t i = 0; i < s->l.n; i++)
    if (s->l.row[i].type == type && k-- == 0)
      return &s->l.row[i];
  return NULL;
}

static size_t count(const struct scene *s, enum nova_mqtt_type type) {
  size_t n = 0;
  for (size_t i = 0; i < s->l.n; i++)
    n += s->l.row[i].type == type;
  return n;
}

static struct scene *make(void) {
  struct scene *s = calloc(1, sizeof *s);
  cr_assert_not_null(s);
  return s;
}

static void end(struct scene *s) {
  mqtt_rig_stop(&s->r);
  free(s);
}

Test(mqtt_device, connects_as_the_guide_says) {
  struct scene *s = make();
  start(s);
  const struct log_row *c = nth(s, NOVA_MQTT_CONNECT, 0);
  cr_assert(c != NULL && s->l.n == 2);
  cr_assert_eq(c->at, 0);
  cr_assert_str_eq(c->topic, MQTT_TOPIC("status"));
  char id[64];
  cr_assert_eq(sscanf(c->text, "device_" DEV_ID "_%8[a-z0-9]|", id), 1);
  cr_assert_eq(strlen(id), 8);
  cr_assert_str_eq(c->text + sizeof "device_" DEV_ID "_" - 1 + 8,
                   "|" DEV_ID "|" DEV_KEY "|clean 1|keep 60|will 1 0|"
                   "{\"status\": \"offline\", \"timestamp\": 0, "
                   "\"device_id\": \"" DEV_ID "\"}");
  const struct log_row *u = nth(s, NOVA_MQTT_SUBSCRIBE, 0);
  cr_assert_str_eq(u->topic, MQTT_TOPIC("command"));
  cr_assert_eq(u->qos, 1);
  cr_assert(nova_device_is_served(s->r.d));
  end(s);
}

Test(mqtt_device, client_ids_differ_by_seed_and_stay) {
  struct scene *s = make(), *t = make();
  start(s);
  start_with(t, &(struct nova_device_options){.seed = 2});
  mqtt_rig_rst(&s->r);
  mqtt_rig_run(&s->r, 5 * NOVA_SEC);
  cr_assert_str_eq(nth(s, NOVA_MQTT_CONNECT, 0)->text,
                   nth(s, NOVA_MQTT_CONNECT, 1)->text);
  cr_assert_str_neq(nth(s, NOVA_MQTT_CONNECT, 0)->text,
                    nth(t, NOVA_MQTT_CONNECT, 0)->text);
  cr_assert_eq(count(s, NOVA_MQTT_SUBSCRIBE), 2, "it subscribes again");
  end(s);
  end(t);
}

Test(mqtt_device, publishes_status_and_data) {
  struct scene *s = make();
  start(s);
  mqtt_rig_run(&s->r, 121 * NOVA_SEC);
  const struct log_row *p = nth(s, NOVA_MQTT_PUBLISH, 0);
  cr_assert_eq(p->at, 100 * NOVA_MS);
  cr_assert_str_eq(p->topic, MQTT_TOPIC("status"));
  cr_assert_str_eq(p->text,
                   "{\"status\":\"online\",\"timestamp\":1700000000,"
                   "\"device_id\":\"" DEV_ID "\",\"info\":{\"version\":"
                   "\"1.0.3\",\"rssi\":-65}}");
  cr_assert_eq(p->qos, 1);
  p = nth(s, NOVA_MQTT_PUBLISH, 1);
  cr_assert_eq(p->at, 300 * NOVA_MS);
  cr_assert_str_eq(p->topic, MQTT_TOPIC("data"));
  double a, b;
  unsigned light;
  cr_assert_eq(sscanf(p->text,
                      "{\"timestamp\":1700000000,\"device_id\":\"" DEV_ID
                      "\",\"temperature\":%lf,\"humidity\":%lf,\"light\":%u}",
                      &a, &b, &light),
               3, "%s", p->text);
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), 6);
  cr_assert_eq(nth(s, NOVA_MQTT_PUBLISH, 2)->at, 60 * NOVA_SEC + 100 * NOVA_MS);
  cr_assert_eq(nth(s, NOVA_MQTT_PUBLISH, 4)->at,
               120 * NOVA_SEC + 100 * NOVA_MS);
  for (size_t i = 0; i < 6; i++)
    cr_assert_eq(nth(s, NOVA_MQTT_PUBLISH, i)->id, i + 2, "SUBSCRIBE has 1");
  end(s);
}

Test(mqtt_device, options_set_its_pace) {
  struct scene *s = make();
  start_with(s, &(struct nova_device_options){.status_interval = 2 * NOVA_SEC,
                                              .data_interval = NOVA_TS_NONE,
                                              .keep_alive = 1});
  mqtt_rig_run(&s->r, 10 * NOVA_SEC);
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), 5);
  cr_assert(strstr(nth(s, NOVA_MQTT_CONNECT, 0)->text, "|keep 1|") != NULL);
  for (size_t i = 1; i < s->l.n; i++)
    cr_assert_leq(s->l.row[i].at - s->l.row[i - 1].at, NOVA_SEC / 2);
  cr_assert_gt(count(s, NOVA_MQTT_PINGREQ), 10);
  end(s);
  s = make();
  start_with(s, &(struct nova_device_options){.status_interval = NOVA_TS_NONE});
  mqtt_rig_run(&s->r, 100 * NOVA_SEC);
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), 2);
  cr_assert_str_eq(nth(s, NOVA_MQTT_PUBLISH, 0)->topic, MQTT_TOPIC("data"));
  end(s);
}

/* Half of the keep-alive after the last packet; without PINGRESP it leaves
 * after a whole one. */
Test(mqtt_device, keeps_the_connection_and_gives_it_up) {
  struct scene *s = make();
  start(s);
  mqtt_rig_run(&s->r, 35 * NOVA_SEC);
  cr_assert_eq(count(s, NOVA_MQTT_PINGREQ), 1);
  cr_assert_eq(nth(s, NOVA_MQTT_PINGREQ, 0)->at, 30 * NOVA_SEC + 300 * NOVA_MS);
  s->r.no_pingresp = true;
  mqtt_rig_run(&s->r, 115 * NOVA_SEC);
  cr_assert(s->r.open);
  nova_ts asked = nth(s, NOVA_MQTT_PINGREQ, 1)->at;
  mqtt_rig_run(&s->r, asked + 60 * NOVA_SEC - s->r.now);
  cr_assert(s->r.closed);
  cr_assert_eq(s->r.ended_at, asked + 60 * NOVA_SEC);
  mqtt_rig_run(&s->r, 2 * NOVA_SEC);
  cr_assert_eq(s->r.connects, 2);
  end(s);
}

#define SET(params)                                                            \
  "{\"command\":\"set_actuator\",\"timestamp\":1700000000,\"params\":" params  \
  "}"

/* The answers so far, the last one; "" where it did not answer since |before|.
 */
static const char *answer_to(struct scene *s, const char *payload) {
  size_t before = count(s, NOVA_MQTT_PUBLISH);
  (void)mqtt_rig_command(&s->r, payload);
  const struct log_row *p = nth(s, NOVA_MQTT_PUBLISH, before);
  if (p == NULL)
    return "";
  cr_assert_str_eq(p->topic, MQTT_TOPIC("data"));
  cr_assert_eq(p->qos, 1);
  return p->text;
}

#define ANSWER(response, command, success, data)                               \
  "{\"response\":\"" response "\",\"command\":" command                        \
  ",\"timestamp\":1700000001,\"device_id\":\"" DEV_ID                          \
  "\",\"success\":" success ",\"data\":" data "}"

Test(mqtt_device, commands_are_answered) {
  struct scene *s = make();
  start(s);
  mqtt_rig_run(&s->r, NOVA_SEC);
  cr_assert_str_eq(answer_to(s, SET("{\"relay1\":\"ON\"}")),
                   ANSWER("actuator_set", "\"set_actuator\"", "true",
                          "{\"relay1\":\"ON\",\"led_brightness\":0}"));
  cr_assert_eq(nth(s, NOVA_MQTT_PUBACK, 0)->id, 1);
  /* All or none. */
  cr_assert_str_eq(answer_to(s, SET("{\"led_brightness\":7,\"relay1\":5}")),
                   ANSWER("actuator_set", "\"set_actuator\"", "false",
                          "{\"relay1\":\"ON\",\"led_brightness\":0}"));
  cr_assert_str_eq(answer_to(s, SET("{\"led_brightness\":7,\"nonsuch\":1}")),
                   ANSWER("actuator_set", "\"set_actuator\"", "false",
                          "{\"relay1\":\"ON\",\"led_brightness\":0}"));
  cr_assert_str_eq(
      answer_to(s, SET("{\"led_brightness\":80,\"relay1\":\"OFF\"}")),
      ANSWER("actuator_set", "\"set_actuator\"", "true",
             "{\"relay1\":\"OFF\",\"led_brightness\":80}"));
  cr_assert_str_eq(answer_to(s, "{\"command\":\"re\\u0062oot\"}"),
                   ANSWER("command_result", "\"re\\u0062oot\"", "false", "{}"));
  cr_assert_eq(count(s, NOVA_MQTT_PUBACK), 5);
  end(s);
}

Test(mqtt_device, malformed_commands_are_skipped) {
  static const char *const bad[] = {
      "",
      "nonsense",
      "{\"command\":\"set_actuator\",\"params\":{\"relay1\":\"\xff\"}}",
      "[]",
      "7",
      "{}",
      "{\"command\":7,\"params\":{}}",
      "{\"command\":\"set_actuator\"}",
      "{\"command\":\"set_actuator\",\"params\":[]}",
      "{\"command\":\"set_actuator\",\"params\":null}"};
  struct scene *s = make();
  start(s);
  mqtt_rig_run(&s->r, NOVA_SEC);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    cr_assert_str_eq(answer_to(s, bad[i]), "", "%s", bad[i]);
    cr_assert_eq(count(s, NOVA_MQTT_PUBACK), i + 1, "it acknowledges all");
  }
  cr_assert(s->r.open);
  cr_assert_neq(answer_to(s, SET("{}"))[0], '\0');
  cr_assert_eq(s->r.connects, 1);
  end(s);
}

/* 131072 bytes and more are read; 300 KB are passed over. */
Test(mqtt_device, long_commands) {
  static char text[300001];
  struct scene *s = make();
  start(s);
  memset(text, ' ', sizeof text - 1);
  memcpy(text, SET("{}"), sizeof SET("{}") - 1);
  for (size_t n = 300000; n > 65536; n = n == 300000 ? 131072 : n / 2) {
    text[n] = '\0';
    if (n > 131072)
      cr_assert_str_eq(answer_to(s, text), "");
    else
      cr_assert_neq(answer_to(s, text)[0], '\0', "%zu", n);
  }
  cr_assert_eq(s->r.connects, 1);
  end(s);
}

/* Only its command topic counts, and a QoS 2 command once. */
Test(mqtt_device, what_is_no_command_is_ignored) {
  struct scene *s = make();
  start(s);
  mqtt_rig_run(&s->r, NOVA_SEC);
  static const char *const topics[] = {
      MQTT_TOPIC("data"), MQTT_TOPIC("commands"), MQTT_TOPIC("command/x"),
      "novacloud/devices/DEV-000043/command"};
  size_t before = count(s, NOVA_MQTT_PUBLISH);
  struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH};
  for (size_t i = 0; i < 4; i++) {
    m.u.publish = (struct nova_mqtt_publish){
        .topic = nova_view_of(topics[i]), .payload = nova_view_of(SET("{}"))};
    mqtt_rig_send(&s->r, &m);
  }
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), before);
  m.u.publish =
      (struct nova_mqtt_publish){.topic = nova_view_of(MQTT_TOPIC("command")),
                                 .payload = nova_view_of(SET("{}")),
                                 .qos = 2,
                                 .packet_id = 9};
  s->r.no_pubrel = true;
  mqtt_rig_send(&s->r, &m);
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), before + 1);
  m.u.publish.dup = true;
  s->r.no_pubrel = false;
  mqtt_rig_send(&s->r, &m);
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), before + 1);
  cr_assert_eq(count(s, NOVA_MQTT_PUBREC), 2);
  cr_assert_eq(count(s, NOVA_MQTT_PUBCOMP), 1);
  cr_assert_eq(nth(s, NOVA_MQTT_PUBCOMP, 0)->id, 9);
  end(s);
}

Test(mqtt_device, several_commands_in_one_segment) {
  struct scene *s = make();
  char bytes[1000];
  size_t n = 0, used;
  start(s);
  mqtt_rig_run(&s->r, NOVA_SEC);
  size_t before = count(s, NOVA_MQTT_PUBLISH);
  for (uint16_t id = 1; id <= 5; id++) {
    struct nova_mqtt m = {
        .type = NOVA_MQTT_PUBLISH,
        .u.publish = {.qos = 1,
                      .packet_id = id,
                      .topic = nova_view_of(MQTT_TOPIC("command")),
                      .payload = nova_view_of(SET("{}"))}};
    cr_assert_eq(nova_mqtt_encode(&m, NOVA_MQTT_STRICT, bytes + n,
                                  sizeof bytes - n, &used),
                 0);
    n += used;
  }
  mqtt_rig_feed(&s->r, bytes, n);
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), before + 5);
  for (size_t i = 0; i < 5; i++)
    cr_assert_eq(nth(s, NOVA_MQTT_PUBACK, i)->id, i + 1);
  for (size_t i = 0; i < n; i++)
    mqtt_rig_feed(&s->r, bytes + i, 1);
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), before + 10);
  end(s);
}

/* --- when it is not served -------------------------------------------------
 */

Test(mqtt_device, a_refused_login_waits) {
  struct scene *s = make();
  s->r.connack = 0;
  start(s);
  s->r.connack = 4;
  mqtt_rig_rst(&s->r);
  mqtt_rig_run(&s->r, 2 * NOVA_SEC);
  cr_assert_eq(s->r.connects, 2);
  cr_assert(s->r.closed);
  nova_ts refused = s->r.ended_at;
  mqtt_rig_run(&s->r, refused + 10 * NOVA_SEC - 1 - s->r.now);
  cr_assert_eq(s->r.connects, 2);
  mqtt_rig_run(&s->r, 3 * NOVA_SEC);
  cr_assert_eq(s->r.connects, 3);
  cr_assert_not(nova_device_is_served(s->r.d));
  end(s);
}

Test(mqtt_device, no_connack_no_service) {
  struct scene *s = make();
  start(s);
  s->r.no_connack = true;
  mqtt_rig_rst(&s->r);
  (void)mqtt_rig_serve(&s->r, 2 * NOVA_SEC);
  size_t before = s->l.n;
  cr_assert(s->r.open);
  mqtt_rig_run(&s->r, 9 * NOVA_SEC - NOVA_MS);
  cr_assert_eq(s->l.n, before, "it says nothing before CONNACK");
  mqtt_rig_run(&s->r, 2 * NOVA_SEC);
  cr_assert(s->r.closed);
  mqtt_rig_run(&s->r, 30 * NOVA_SEC);
  cr_assert_gt(s->r.connects, 3);
  end(s);
}

/* What no broker sends ends the connection, and another follows. */
Test(mqtt_device, a_broken_server_is_left) {
  static const struct {
    const char *p;
    size_t n;
  } bad[] = {{"\xd0\x01\x00", 3},         /* PINGRESP with a body */
             {"\x00\x00", 2},             /* type 0 */
             {"\xc0\x00", 2},             /* PINGREQ */
             {"\x20\x02\x00\x00", 4},     /* a second CONNACK */
             {"\xe0\x00", 2},             /* DISCONNECT */
             {"\xd0\xff\xff\xff\xff", 5}, /* a length without end */
             {"\x36\x05\x00\x01t\x00\x01", 7}};
  struct scene *s = make();
  start(s);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    (void)mqtt_rig_serve(&s->r, 60 * NOVA_SEC);
    mqtt_rig_run(&s->r, NOVA_SEC);
    cr_assert(s->r.served);
    mqtt_rig_feed(&s->r, bad[i].p, bad[i].n);
    cr_assert(s->r.closed, "%zu", i);
  }
  end(s);
}

Test(mqtt_device, nothing_is_said_before_connack_to_it_either) {
  struct scene *s = make();
  start(s);
  s->r.no_connack = true;
  mqtt_rig_rst(&s->r);
  mqtt_rig_run(&s->r, 2 * NOVA_SEC);
  cr_assert(s->r.open);
  mqtt_rig_feed(&s->r, "\xd0\x00", 2);
  cr_assert(s->r.closed);
  end(s);
}

Test(mqtt_device, a_subscription_that_failed_is_tried_again) {
  struct scene *s = make();
  start(s);
  s->r.suback_fails = true;
  mqtt_rig_rst(&s->r);
  mqtt_rig_run(&s->r, 3 * NOVA_SEC);
  cr_assert_eq(count(s, NOVA_MQTT_SUBSCRIBE), 2);
  s->r.suback_fails = false;
  mqtt_rig_run(&s->r, 10 * NOVA_SEC);
  cr_assert_eq(count(s, NOVA_MQTT_SUBSCRIBE), 3);
  mqtt_rig_run(&s->r, 40 * NOVA_SEC);
  cr_assert_eq(count(s, NOVA_MQTT_SUBSCRIBE), 3);
  end(s);
}

/* Without a PUBACK nothing is repeated, and nothing ends. */
Test(mqtt_device, what_is_not_acknowledged_is_not_repeated) {
  struct scene *s = make();
  start(s);
  s->r.no_puback = true;
  mqtt_rig_run(&s->r, 125 * NOVA_SEC);
  cr_assert_eq(count(s, NOVA_MQTT_PUBLISH), 6);
  cr_assert_eq(s->r.connects, 1);
  end(s);
}

/* 1 s, 2 s, 4 s ..., and a quarter at random. */
Test(mqtt_device, backs_off) {
  struct scene *s = make();
  start(s);
  s->r.refuses = true;
  mqtt_rig_rst(&s->r);
  nova_ts wait = NOVA_SEC;
  for (unsigned i = 2; i < 9; i++) {
    nova_ts ended = s->r.ended_at;
    while (s->r.connects < i)
      mqtt_rig_run(&s->r, 10 * NOVA_MS);
    cr_assert_geq(s->r.asked - ended, wait);
    cr_assert_leq(s->r.asked - ended, wait + wait / 4 + 10 * NOVA_MS);
    wait = wait * 2 < 30 * NOVA_SEC ? wait * 2 : 30 * NOVA_SEC;
  }
  end(s);
}

Test(mqtt_device, ids_that_fit_no_topic_are_refused) {
  static const char *const bad[] = {"a/b", "a+", "#"};
  for (size_t i = 0; i < 3; i++) {
    struct nova_device_options o = {.protocol = NOVA_DEVICE_MQTT,
                                    .id = nova_view_of(bad[i]),
                                    .key = nova_view_of("k")};
    cr_assert_null(nova_device_new(&o));
    o.protocol = NOVA_DEVICE_TCP;
    struct nova_device *d = nova_device_new(&o);
    cr_assert_not_null(d);
    nova_device_free(d);
  }
  char id[256];
  memset(id, 'x', 255);
  struct scene *s = make();
  start_with(s, &(struct nova_device_options){.id = {id, 255}});
  mqtt_rig_run(&s->r, NOVA_SEC);
  cr_assert(s->r.served);
  cr_assert_eq(s->l.n, 4);
  end(s);
}

/* Faults of the other protocol do nothing. */
Test(mqtt_device, faults_of_tcp_do_nothing) {
  struct nova_fault_set set = {{0}};
  uint64_t wire[2];
  for (unsigned f = 0; f < NOVA_FAULTS; f++)
    if (!nova_fault_is_mqtt((enum nova_fault)f))
      nova_fault_add(&set, (enum nova_fault)f);
  for (int i = 0; i < 2; i++) {
    struct scene *s = make();
    start_with(s, &(struct nova_device_options){
                      .seed = 1, .faults = i == 1 ? &set : NULL});
    mqtt_rig_run(&s->r, 20 * NOVA_SEC);
    (void)mqtt_rig_command(&s->r, SET("{\"relay1\":\"ON\"}"));
    (void)mqtt_rig_command(&s->r, "nonsense");
    mqtt_rig_fin(&s->r);
    mqtt_rig_run(&s->r, 100 * NOVA_SEC);
    wire[i] = s->r.wire;
    end(s);
  }
  cr_assert_eq(wire[0], wire[1]);
}
