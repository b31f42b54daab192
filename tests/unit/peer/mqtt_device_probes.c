#include "mqtt_device_probes.h"

#include "codec/payload.h"

#include <criterion/criterion.h>

#define TOLERANCE (6 * NOVA_SEC)

/* What is known of one device. */
struct judge {
  struct tally *t;
  struct nova_json *json;
  bool connect_seen; /* on this connection */
  bool malformed;    /* a packet was */
  unsigned connection;
  uint16_t keep_alive;
  bool clean;
  nova_ts packet_at;
  nova_ts subscribed_at, status_at;
  unsigned answers; /* so far */
  bool state_new;   /* the last answer's data are as they should be */
  unsigned acks;
  int acked; /* the last PUBACK's id */
  nova_ts acked_at;
};

static void fail(struct judge *j, const char *id) {
  if (tally_has(j->t, nova_view_of(id)))
    return;
  cr_assert_lt(j->t->n, sizeof j->t->failed / sizeof *j->t->failed);
  j->t->failed[j->t->n++] = id;
}

static void demand(struct judge *j, bool good, const char *id) {
  if (!good)
    fail(j, id);
}

static struct nova_json_value get(struct nova_json_value v, const char *name) {
  return nova_json_get(v, nova_view_of(name));
}

static bool is_text(struct nova_json_value v, const char *text) {
  return nova_json_string_is(v, nova_view_of(text));
}

/* --- payloads --------------------------------------------------------------
 */

static bool is_now(struct mqtt_rig *r, struct nova_json_value v) {
  long long t = 0;
  char text[32];
  if (v.type != NOVA_JSON_NUMBER || v.text.n >= sizeof text)
    return false;
  memcpy(text, v.text.p, v.text.n);
  text[v.text.n] = '\0';
  char *tail = NULL;
  t = strtoll(text, &tail, 10);
  long long here = (long long)(DEV_UNIX + r->now / NOVA_SEC);
  return *tail == '\0' && t >= here - 300 && t <= here + 300;
}

static bool is_value_key(struct nova_json_value key) {
  return is_text(key, "timestamp") || is_text(key, "device_id") ||
         is_text(key, "temperature") || is_text(key, "humidity") ||
         is_text(key, "light");
}

static void judge_answer(struct mqtt_rig *r, struct nova_json_value v) {
  struct judge *j = r->user;
  struct nova_json_value success = get(v, "success"), data = get(v, "data");
  bool set = is_text(get(v, "command"), "set_actuator");
  j->answers++;
  demand(
      j,
      get(v, "response").type == NOVA_JSON_STRING &&
          get(v, "command").type == NOVA_JSON_STRING &&
          is_now(r, get(v, "timestamp")) &&
          is_text(get(v, "device_id"), DEV_ID) &&
          (success.type == NOVA_JSON_TRUE || success.type == NOVA_JSON_FALSE) &&
          data.type == NOVA_JSON_OBJECT,
      "MQ-CMD-04");
  if (set || success.type == NOVA_JSON_TRUE)
    demand(j, set && is_text(get(v, "response"), "actuator_set"), "MQ-CMD-05");
  j->state_new = is_text(get(data, "relay1"), "ON") &&
                 get(data, "led_brightness").type == NOVA_JSON_NUMBER &&
                 nova_view_is(get(data, "led_brightness").text, "80");
}

static void judge_data(struct mqtt_rig *r, struct nova_json_value v) {
  struct judge *j = r->user;
  struct nova_json_iter it;
  struct nova_json_value key, value;
  bool answer = get(v, "response").type != NOVA_JSON_NONE ||
                get(v, "command").type != NOVA_JSON_NONE;
  demand(j,
         v.type == NOVA_JSON_OBJECT && is_now(r, get(v, "timestamp")) &&
             is_text(get(v, "device_id"), DEV_ID),
         "MQ-DATA-02");
  if (v.type != NOVA_JSON_OBJECT)
    return;
  if (answer) {
    judge_answer(r, v);
    return;
  }
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, &key, &value))
    demand(j, is_value_key(key), "MQ-DATA-05");
}

static void judge_status(struct mqtt_rig *r, struct nova_json_value v) {
  struct judge *j = r->user;
  struct nova_json_value info = get(v, "info");
  demand(j,
         v.type == NOVA_JSON_OBJECT &&
             get(v, "status").type == NOVA_JSON_STRING &&
             is_now(r, get(v, "timestamp")) &&
             is_text(get(v, "device_id"), DEV_ID) &&
             (info.type == NOVA_JSON_NONE || info.type == NOVA_JSON_OBJECT),
         "MQ-STATUS-01");
  if (j->status_at != NOVA_TS_NONE)
    demand(j, r->now - j->status_at <= 60 * NOVA_SEC + TOLERANCE,
           "MQ-STATUS-02");
  j->status_at = r->now;
}

/* --- packets ---------------------------------------------------------------
 */

static void judge_publish(struct mqtt_rig *r, const struct nova_mqtt *m) {
  struct judge *j = r->user;
  const struct nova_mqtt_publish *p = &m->u.publish;
  struct nova_view id;
  struct nova_json_value v = {.type = NOVA_JSON_NONE};
  enum nova_channel channel = nova_topic_read(p->topic, &id);
  bool own = channel != NOVA_CHANNEL_NONE && nova_view_is(id, DEV_ID);
  if (!own || channel == NOVA_CHANNEL_COMMAND) {
    fail(j, "MQ-DATA-01");
    return;
  }
  demand(j, p->qos == 1, "MQ-DATA-03");
  demand(j, !p->retain, "MQ-DATA-04");
  if (nova_json_check(j->json, p->payload.p, p->payload.n, &v, NULL) != 0)
    v.type = NOVA_JSON_NONE;
  if (channel == NOVA_CHANNEL_DATA)
    judge_data(r, v);
  else
    judge_status(r, v);
}

static void judge_will(struct judge *j, const struct nova_mqtt_connect *c) {
  struct nova_json_value v = {.type = NOVA_JSON_NONE};
  if (c->will_topic.p == NULL) {
    fail(j, "MQ-LWT-01");
    return;
  }
  demand(j, nova_view_is(c->will_topic, MQTT_TOPIC("status")), "MQ-LWT-02");
  if (nova_json_check(j->json, c->will_message.p, c->will_message.n, &v,
                      NULL) != 0)
    v.type = NOVA_JSON_NONE;
  struct nova_json_value zero = {NOVA_JSON_NUMBER, {"0", 1}};
  demand(j,
         v.type == NOVA_JSON_OBJECT && is_text(get(v, "status"), "offline") &&
             nova_json_equal(get(v, "timestamp"), zero) &&
             is_text(get(v, "device_id"), DEV_ID),
         "MQ-LWT-03");
  demand(j, c->will_qos == 1, "MQ-LWT-04");
  demand(j, !c->will_retain, "MQ-LWT-05");
}

static void judge_connect(struct mqtt_rig *r, const struct nova_mqtt *m) {
  static const char prefix[] = "device_" DEV_ID "_";
  struct judge *j = r->user;
  const struct nova_mqtt_connect *c = &m->u.connect;
  size_t n = sizeof prefix - 1;
  demand(j, !j->connect_seen, "MQ-CONN-13");
  j->connect_seen = true;
  j->keep_alive = c->keep_alive;
  j->clean = c->clean_session;
  demand(j, nova_view_is(c->user_name, DEV_ID), "MQ-CONN-03");
  demand(j, nova_view_is(c->password, DEV_KEY), "MQ-CONN-04");
  demand(j, c->client_id.n > n && memcmp(c->client_id.p, prefix, n) == 0,
         "MQ-CONN-05");
  judge_will(j, c);
}

static void judge_subscribe(struct mqtt_rig *r, const struct nova_mqtt *m) {
  static const char own[] = "novacloud/devices/" DEV_ID "/";
  struct judge *j = r->user;
  struct nova_mqtt_each each;
  struct nova_mqtt_entry e;
  nova_mqtt_each_init(&each, m);
  while (nova_mqtt_each_next(&each, &e)) {
    if (e.filter.n < sizeof own - 1 ||
        memcmp(e.filter.p, own, sizeof own - 1) != 0) {
      fail(j, "MQ-CMD-01");
      continue;
    }
    demand(j, e.code == 1, "MQ-CMD-02");
    if (nova_mqtt_match(e.filter, nova_view_of(MQTT_TOPIC("command"))) &&
        j->subscribed_at == NOVA_TS_NONE)
      j->subscribed_at = r->now;
  }
}

static void watch(struct mqtt_rig *r, const struct nova_mqtt *m, int err,
                  struct nova_view bytes) {
  struct judge *j = r->user;
  (void)bytes;
  if (j->connection != r->connects) {
    j->connection = r->connects;
    j->connect_seen = false;
    j->keep_alive = 0;
    j->packet_at = r->now;
    j->subscribed_at = j->status_at = NOVA_TS_NONE;
  }
  if (j->keep_alive != 0)
    demand(j, r->now - j->packet_at <= j->keep_alive * NOVA_SEC * 3 / 2,
           "MQ-CONN-13");
  j->packet_at = r->now;
  if (err != 0) {
    fail(j, "MQ-CONN-13");
    j->malformed = true;
    if (err == NOVA_ERR_MQTT_PROTOCOL_LEVEL || err == NOVA_ERR_MQTT_PROTOCOL_31)
      fail(j, "MQ-CONN-01");
    return;
  }
  demand(j, m->type == NOVA_MQTT_CONNECT || j->connect_seen, "MQ-CONN-13");
  if (m->type == NOVA_MQTT_CONNECT) {
    judge_connect(r, m);
  } else if (m->type == NOVA_MQTT_PUBLISH) {
    judge_publish(r, m);
  } else if (m->type == NOVA_MQTT_SUBSCRIBE) {
    judge_subscribe(r, m);
  } else if (m->type == NOVA_MQTT_PUBACK) {
    j->acks++;
    j->acked = m->u.ack.packet_id;
    j->acked_at = r->now;
  }
}

/* --- probes ----------------------------------------------------------------
 */

#define GOOD                                                                   \
  "{\"command\":\"set_actuator\",\"timestamp\":1700000000,\"params\":"         \
  "{\"relay1\":\"ON\",\"led_brightness\":80}}"

struct probe {
  struct mqtt_rig r;
  struct judge j;
};

static void begin(struct probe *p, enum nova_fault fault, struct tally *t,
                  uint64_t wire) {
  p->j = (struct judge){.t = t,
                        .json = nova_json_new(NULL, 1 << 20, NOVA_JSON_DEPTH),
                        .packet_at = 0,
                        .subscribed_at = NOVA_TS_NONE,
                        .status_at = NOVA_TS_NONE};
  p->r = (struct mqtt_rig){.watch = watch, .user = &p->j, .wire = wire};
  mqtt_rig_start(&p->r, NULL, fault);
}

static uint64_t finish(struct probe *p) {
  uint64_t wire = p->r.wire;
  mqtt_rig_stop(&p->r);
  nova_json_free(p->j.json);
  return wire;
}

/* Whether |n| commands are answered in time. |judged|: so are their PUBACKs. */
static bool is_answered(struct probe *p, const char *command, unsigned n,
                        bool judged) {
  unsigned before = p->j.answers;
  nova_ts at = p->r.now;
  int id = -1;
  p->j.acks = 0;
  for (unsigned i = 0; i < n; i++)
    id = mqtt_rig_command(&p->r, command);
  if (id < 0)
    return true;
  mqtt_rig_run(&p->r, 5 * NOVA_SEC);
  if (id > 0 && judged)
    demand(&p->j,
           p->j.acks == n && p->j.acked == id &&
               p->j.acked_at <= at + 5 * NOVA_SEC,
           "MQ-CMD-08");
  return p->j.answers >= before + n;
}

/* Subscribed in time, on a connection that stays. */
static void probe_subscription(struct probe *p) {
  unsigned connection = p->r.connects;
  nova_ts since = p->r.served_at;
  if (!p->r.served)
    return;
  mqtt_rig_run(&p->r, 20 * NOVA_SEC);
  if (p->r.connects == connection && p->r.open)
    demand(&p->j,
           p->j.subscribed_at != NOVA_TS_NONE &&
               p->j.subscribed_at <= since + 5 * NOVA_SEC,
           "MQ-CMD-01");
}

static void probe_commands(struct probe *p) {
  p->j.state_new = true;
  if (!is_answered(p, GOOD, 1, true))
    fail(&p->j, "MQ-CMD-03");
  else
    demand(&p->j, p->j.state_new, "MQ-CMD-06");
  mqtt_rig_run(&p->r, 10 * NOVA_SEC);
  if (!is_answered(p, GOOD, 5, true))
    fail(&p->j, "MQ-CMD-09");
}

/* Each in its own conversation. */
static uint64_t probe_malformed(enum nova_fault fault, struct tally *t,
                                uint64_t wire) {
  static char padded[131073];
  const char *const bad[] = {"{\"command\":",
                             "{\"command\":\"set_actuator\",\"x\":\"\xff\"}",
                             "[1,2]",
                             "{\"command\":\"set_actuator\"}",
                             "{\"command\":\"set_actuator\",\"params\":[1]}",
                             "{\"command\":\"set_actuator\",\"params\":7}",
                             padded};
  memset(padded, ' ', sizeof padded - 1);
  memcpy(padded, GOOD, sizeof GOOD - 1);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct probe p;
    begin(&p, fault, t, wire);
    (void)mqtt_rig_serve(&p.r, 30 * NOVA_SEC);
    mqtt_rig_run(&p.r, 6 * NOVA_SEC);
    bool deaf = mqtt_rig_command(&p.r, bad[i]) < 0;
    mqtt_rig_run(&p.r, 10 * NOVA_SEC);
    if (!deaf && !p.r.served) {
      (void)mqtt_rig_serve(&p.r, 60 * NOVA_SEC);
      mqtt_rig_run(&p.r, 6 * NOVA_SEC);
    }
    if (!deaf)
      demand(&p.j, p.r.served && is_answered(&p, GOOD, 1, false), "MQ-CMD-07");
    wire = finish(&p);
  }
  return wire;
}

static uint64_t probe_life(enum nova_fault fault, struct tally *t,
                           uint64_t wire) {
  struct probe p;
  begin(&p, fault, t, wire);
  (void)mqtt_rig_serve(&p.r, 30 * NOVA_SEC);
  nova_ts since = p.r.served_at;
  probe_subscription(&p);
  probe_commands(&p);
  mqtt_rig_run(&p.r, 250 * NOVA_SEC);
  if (p.r.connects == 1 && p.r.open) {
    demand(&p.j, p.j.status_at != NOVA_TS_NONE, "MQ-STATUS-01");
    demand(&p.j,
           p.j.status_at == NOVA_TS_NONE ||
               p.r.now - p.j.status_at <= 60 * NOVA_SEC + TOLERANCE,
           "MQ-STATUS-02");
    (void)since;
  }
  for (int i = 0; i < 2 && !p.j.malformed; i++) {
    unsigned before = p.r.connects;
    if (i == 0)
      mqtt_rig_fin(&p.r);
    else
      mqtt_rig_rst(&p.r);
    mqtt_rig_run(&p.r, 60 * NOVA_SEC);
    demand(&p.j, p.r.connects > before, "MQ-CONN-12");
    if (p.r.connects == before)
      break;
    (void)mqtt_rig_serve(&p.r, 30 * NOVA_SEC);
    probe_subscription(&p);
  }
  return finish(&p);
}

/* The first status comes within its interval. */
static uint64_t probe_first_status(enum nova_fault fault, struct tally *t,
                                   uint64_t wire) {
  struct probe p;
  begin(&p, fault, t, wire);
  if (mqtt_rig_serve(&p.r, 30 * NOVA_SEC)) {
    unsigned connection = p.r.connects;
    mqtt_rig_run(&p.r, 60 * NOVA_SEC + TOLERANCE);
    if (p.r.connects == connection && p.r.open)
      demand(&p.j, p.j.status_at != NOVA_TS_NONE, "MQ-STATUS-01");
  }
  return finish(&p);
}

/* At most 5 further connections in the 5 s after the first close. */
static uint64_t probe_storm(enum nova_fault fault, struct tally *t,
                            uint64_t wire) {
  for (int pass = 0; pass < 2; pass++) {
    struct probe p;
    begin(&p, fault, t, wire);
    mqtt_rig_run(&p.r, NOVA_SEC);
    p.r.refuses = pass == 0;
    p.r.no_connack = pass == 1;
    mqtt_rig_fin(&p.r);
    unsigned before = p.r.connects;
    nova_ts until = p.r.now + 5 * NOVA_SEC;
    while (p.r.now < until) {
      mqtt_rig_run(&p.r, 5 * NOVA_MS);
      if (pass == 1)
        mqtt_rig_fin(&p.r);
    }
    if (!p.j.malformed)
      demand(&p.j, p.r.connects <= before + 5, "MQ-CONN-14");
    wire = finish(&p);
  }
  return wire;
}

uint64_t mqtt_device_probe_all(enum nova_fault fault, struct tally *t) {
  uint64_t wire = UINT64_C(14695981039346656037);
  wire = probe_life(fault, t, wire);
  wire = probe_first_status(fault, t, wire);
  wire = probe_malformed(fault, t, wire);
  return probe_storm(fault, t, wire);
}
