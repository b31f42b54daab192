/* Who may do what over MQTT (guide 1.2, 2.3 to 2.6), what is kept of it, and
 * commands. The broker asks; it cannot be called from here but through
 * nova__mqtt_publish(). */
#include "peer/server_state.h"

#include "codec/payload.h"

#include <inttypes.h>

/* What a login of the platform may subscribe to begins with. */
#define PLATFORM_PREFIX "novacloud/"

/* M_COMMAND_BY_PREFIX: so many characters of an id are compared. */
#define ID_FIELD 8

static bool begins(struct nova_view v, const char *with) {
  size_t n = strlen(with);
  return v.n >= n && memcmp(v.p, with, n) == 0;
}

/* Memory ran out: the connection at hand pays for it. */
static void fail(struct nova_server *s, struct nova__mqtt *m) {
  s->error = NOVA_ERR_NO_MEMORY;
  m->closes = m->resets = s->mqtt_busy = true;
}

static void close_soon(struct nova_server *s, struct nova__mqtt *m) {
  m->closes = s->mqtt_busy = true;
}

/* --- CONNECT: guide 2.3 ----------------------------------------------------
 */

enum verdict { GOOD, ABSENT, UNKNOWN, WRONG_KEY, NOT_ACTIVE };

/* Whether |sent| is the key |stored|. */
static bool key_matches(const struct nova_server *s, struct nova_view stored,
                        struct nova_view sent) {
  if (NOVA__HAS(s, M_KEY_NOT_CHECKED) ||
      (NOVA__HAS(s, M_KEY_EMPTY) && sent.n == 0))
    return true;
  if (NOVA__HAS(s, M_KEY_BY_PREFIX) && sent.n < stored.n)
    stored.n = sent.n;
  if (NOVA__HAS(s, M_KEY_LAST_IGNORED) && sent.n == stored.n && sent.n > 0)
    stored.n = sent.n = sent.n - 1;
  return NOVA__HAS(s, M_KEY_CASE) ? nova__same_but_case(stored, sent)
                                  : nova_view_eq(stored, sent);
}

static const struct nova__account *find(const struct nova_server *s,
                                        struct nova_view id) {
  const struct nova__account *a = nova__account_exact(s, id);
  if (a == NULL && NOVA__HAS(s, M_ID_CASE)) {
    a = s->accounts;
    while (a != NULL && !nova__same_but_case(a->id, id))
      a = a->next;
  }
  return a;
}

/* Whether an id can be one level of a topic and of a filter. */
static bool is_level(struct nova_view id) {
  for (size_t i = 0; i < id.n; i++)
    if (id.p[i] == '/' || id.p[i] == '+' || id.p[i] == '#')
      return false;
  return id.n > 0 && id.n <= NOVA_DEVICE_ID_MAX;
}

static bool is_platform(const struct nova_server *s,
                        const struct nova_mqtt_connect *c) {
  const struct nova_credential *p = &s->options.platform;
  return p->id.n > 0 && nova_view_eq(p->id, c->user_name) &&
         nova_view_eq(p->key, c->password);
}

/* A device that nobody registered is one all the same: M_UNKNOWN_ACCEPTED. */
static enum verdict register_unknown(struct nova_server *s,
                                     struct nova__mqtt *m,
                                     struct nova_view id) {
  if (!NOVA__HAS(s, M_UNKNOWN_ACCEPTED) || !is_level(id))
    return UNKNOWN;
  m->own_id = nova_mem_alloc(s->mem, id.n);
  if (m->own_id == NULL) {
    fail(s, m);
    return UNKNOWN;
  }
  memcpy(m->own_id, id.p, id.n);
  m->id = (struct nova_view){m->own_id, id.n};
  return GOOD;
}

/* |m|: its |id| is set where the device is known. */
static enum verdict judge(struct nova_server *s, struct nova__mqtt *m,
                          const struct nova_mqtt_connect *c) {
  if (c->user_name.p == NULL)
    return ABSENT;
  const struct nova__account *a = find(s, c->user_name);
  if (c->password.p == NULL &&
      !(NOVA__HAS(s, M_USER_IS_ENOUGH) && a != NULL && a->active))
    return ABSENT;
  if (a == NULL)
    return register_unknown(s, m, c->user_name);
  struct nova_view key = {a->key, a->key_n};
  if (c->password.p != NULL && !key_matches(s, key, c->password))
    return WRONG_KEY;
  if (!a->active || !is_level(a->id))
    return NOT_ACTIVE;
  m->id = a->id;
  return GOOD;
}

static uint8_t refuse(struct nova_server *s, struct nova__mqtt *m,
                      enum verdict v) {
  m->state = NOVA__MQTT_REFUSED;
  m->mute = NOVA__HAS(s, M_V_NO_CONNACK);
  if (v == WRONG_KEY && NOVA__HAS(s, M_ACCEPTS_THEN_CLOSES)) {
    close_soon(s, m);
    return NOVA_MQTT_CODE_ACCEPTED;
  }
  bool credentials = v == UNKNOWN || v == WRONG_KEY;
  return credentials && !NOVA__HAS(s, M_V_CODE_5) ? NOVA_MQTT_CODE_CREDENTIALS
                                                  : NOVA_MQTT_CODE_AUTHORIZED;
}

static uint8_t on_connect(void *user, uint64_t conn,
                          const struct nova_mqtt_connect *c) {
  struct nova_server *s = user;
  struct nova__mqtt *m = nova__mqtt_find(s, conn);
  if (m == NULL)
    return NOVA_MQTT_CODE_AUTHORIZED;
  enum verdict v = GOOD;
  if (c->user_name.p == NULL && NOVA__HAS(s, M_ANONYMOUS)) {
    m->state = NOVA__MQTT_NOBODY;
  } else if (is_platform(s, c)) {
    m->state = NOVA__MQTT_PLATFORM;
  } else {
    v = judge(s, m, c);
    m->state = NOVA__MQTT_DEVICE;
  }
  return v == GOOD ? NOVA_MQTT_CODE_ACCEPTED : refuse(s, m, v);
}

static void on_ended(void *user, uint64_t conn, enum nova_broker_end how,
                     int code) {
  struct nova__mqtt *m = nova__mqtt_find(user, conn);
  (void)how;
  (void)code;
  if (m != NULL && m->state != NOVA__MQTT_REFUSED)
    m->over = true;
}

/* --- SUBSCRIBE and what is delivered for it --------------------------------
 */

/* Whether |v|, a topic or a filter, lies below the device's own level. */
static bool is_own(const struct nova__mqtt *m, struct nova_view v) {
  const size_t prefix = sizeof NOVA_TOPIC_PREFIX - 1;
  return m->id.n > 0 && begins(v, NOVA_TOPIC_PREFIX) &&
         v.n > prefix + m->id.n + 1 && v.p[prefix + m->id.n] == '/' &&
         memcmp(v.p + prefix, m->id.p, m->id.n) == 0;
}

static bool may_subscribe(const struct nova_server *s,
                          const struct nova__mqtt *m, struct nova_view filter) {
  struct nova_view id;
  switch (m->state) {
  case NOVA__MQTT_PLATFORM: return begins(filter, PLATFORM_PREFIX);
  case NOVA__MQTT_DEVICE: break;
  case NOVA__MQTT_WAITING:
  case NOVA__MQTT_NOBODY:
  case NOVA__MQTT_REFUSED: return false;
  }
  if (is_own(m, filter))
    return true;
  if (NOVA__HAS(s, M_HASH_FOR_ALL) && nova_view_is(filter, "#"))
    return true;
  if (NOVA__HAS(s, M_PLUS_FOR_ALL) && begins(filter, NOVA_TOPIC_PREFIX "+/"))
    return true;
  return NOVA__HAS(s, M_READS_OTHERS) &&
         nova_topic_read(filter, &id) != NOVA_CHANNEL_NONE && is_level(id);
}

static uint8_t on_subscribe(void *user, uint64_t conn, struct nova_view filter,
                            uint8_t qos) {
  struct nova_server *s = user;
  struct nova__mqtt *m = nova__mqtt_find(s, conn);
  if (m == NULL)
    return NOVA_MQTT_SUBACK_FAILURE;
  if (may_subscribe(s, m, filter))
    return qos;
  if (NOVA__HAS(s, M_V_SUBSCRIBE_CLOSES))
    close_soon(s, m);
  return NOVA__HAS(s, M_V_SUBSCRIBE_SILENT) ? qos : NOVA_MQTT_SUBACK_FAILURE;
}

/* A subscription may be older than the connection, and have been another
 * device's: of this one nothing but the client id is known. */
static bool on_deliver(void *user, uint64_t conn,
                       const struct nova_broker_message *m) {
  const struct nova_server *s = user;
  const struct nova__mqtt *to = nova__mqtt_find(s, conn);
  if (to == NULL)
    return true;
  switch (to->state) {
  case NOVA__MQTT_PLATFORM: return begins(m->topic, PLATFORM_PREFIX);
  case NOVA__MQTT_DEVICE:
    return is_own(to, m->topic) || NOVA__HAS(s, M_HASH_FOR_ALL) ||
           NOVA__HAS(s, M_PLUS_FOR_ALL) || NOVA__HAS(s, M_READS_OTHERS);
  case NOVA__MQTT_WAITING:
  case NOVA__MQTT_NOBODY:
  case NOVA__MQTT_REFUSED: break;
  }
  return false;
}

/* --- what is kept: guide 2.4, 2.6 ------------------------------------------
 */

/* Keeps |v| in place of what |kept| held; all or nothing. */
static void keep(struct nova_server *s, struct nova__mqtt *m,
                 struct nova_buf *kept, struct nova_view v) {
  struct nova_buf b;
  nova_buf_init(&b, s->mem, NOVA_MQTT_LIMIT);
  if (nova_buf_append(&b, v.p, v.n) != 0) {
    nova_buf_free(&b);
    fail(s, m);
    return;
  }
  nova_buf_free(kept);
  *kept = b;
}

/* Of data the measured values: every member that is not about the message. */
static void keep_values(struct nova_server *s, struct nova__mqtt *m,
                        struct nova__account *a, struct nova_json_value whole) {
  struct nova_json_iter it;
  struct nova_json_value key, value;
  nova_buf_clear(&s->text);
  int err = nova_buf_puts(&s->text, "{");
  nova_json_iter_init(&it, whole);
  while (err == 0 && nova_json_next(&it, &key, &value)) {
    if (nova_json_string_is(key, nova_view_of("timestamp")) ||
        nova_json_string_is(key, nova_view_of("device_id")))
      continue;
    if (s->text.len > 1)
      err = nova_buf_puts(&s->text, ",");
    if (err == 0)
      err = nova_buf_append(&s->text, key.text.p, key.text.n);
    if (err == 0)
      err = nova_buf_puts(&s->text, ":");
    if (err == 0)
      err = nova_buf_append(&s->text, value.text.p, value.text.n);
  }
  if (err == 0)
    err = nova_buf_puts(&s->text, "}");
  if (err == 0)
    keep(s, m, &a->values, nova_buf_view(&s->text));
  else
    fail(s, m);
}

/* Whether |payload| is a good one of |kind| that names the device |id|. */
static bool is_good(struct nova_server *s, enum nova_payload_kind kind,
                    struct nova_view payload, struct nova_view id,
                    struct nova_payload *out) {
  return nova_payload_decode(s->json, kind, payload, out) == 0 &&
         nova_json_string_is(
             nova_json_get(out->whole, nova_view_of("device_id")), id);
}

static void store(struct nova_server *s, struct nova__mqtt *m,
                  enum nova_channel channel, bool will, struct nova_view id,
                  struct nova_view payload) {
  struct nova_payload p;
  struct nova__account *a = nova__account_exact(s, id);
  if (a == NULL)
    return;
  enum nova_payload_kind kind = nova_payload_kind_of(s->json, channel, payload);
  if (kind == NOVA_PAYLOAD_STATUS && will)
    kind = NOVA_PAYLOAD_WILL;
  if (kind == NOVA_PAYLOAD_ANSWER || !is_good(s, kind, payload, id, &p))
    return;
  if (kind == NOVA_PAYLOAD_DATA)
    keep_values(s, m, a, p.whole);
  else
    keep(s, m, &a->status, nova_json_get(p.whole, nova_view_of("status")).text);
}

/* --- what passes on its way to the platform: faults ------------------------
 */

/* JSON as another serializer writes it: white space is dropped, and put where
 * its own taste is. */
static int reserialise(struct nova_buf *b, struct nova_view v) {
  bool string = false;
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0; i++) {
    char ch = v.p[i];
    if (!string && (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n'))
      continue;
    err = nova_buf_append(b, &ch, 1);
    if (string && ch == '\\' && i + 1 < v.n && err == 0)
      err = nova_buf_append(b, &v.p[++i], 1);
    else if (ch == '"')
      string = !string;
    else if (!string && (ch == ',' || ch == ':' || ch == '{') && err == 0)
      err = nova_buf_puts(b, ch == ':' ? " " : "\n");
  }
  return err;
}

/* With a member of the platform's own. */
static int stamp(struct nova_buf *b, struct nova_json_value whole) {
  struct nova_view v = whole.text;
  bool empty = v.n < 3;
  int err = nova_buf_append(b, v.p, v.n - 1);
  return err != 0 ? err
                  : nova_buf_printf(b, "%s\"received_by\":\"gateway-1\"}",
                                    empty ? "" : ",");
}

/* Passes data on as a fault changes it. Returns false where it has: the message
 * itself is not delivered then. */
static bool passes(struct nova_server *s, struct nova__mqtt *m,
                   const struct nova_broker_message *message,
                   struct nova_view id) {
  struct nova_json_value whole;
  struct nova_payload p;
  bool rewrites = NOVA__HAS(s, M_DATA_RESERIALISED);
  bool stamps = NOVA__HAS(s, M_DATA_STAMPED);
  if (NOVA__HAS(s, M_DATA_SCHEMA) &&
      !is_good(
          s, nova_payload_kind_of(s->json, NOVA_CHANNEL_DATA, message->payload),
          message->payload, id, &p))
    return false;
  if ((!rewrites && !stamps) ||
      nova_json_check(s->json, message->payload.p, message->payload.n, &whole,
                      NULL) != 0 ||
      whole.type != NOVA_JSON_OBJECT)
    return true;
  struct nova_broker_message other = *message;
  nova_buf_clear(&s->text);
  int err =
      rewrites ? reserialise(&s->text, whole.text) : stamp(&s->text, whole);
  other.payload = nova_buf_view(&s->text);
  if (err != 0 || nova__mqtt_publish(s, &other) != 0)
    fail(s, m);
  return false;
}

/* --- commands: guide 2.5 ---------------------------------------------------
 */

/* The command |message| for the device |id| also goes, or goes instead, to
 * others. Returns false where the device does not get it. */
static bool reroute(struct nova_server *s, struct nova_view id,
                    const struct nova_broker_message *message, int *err) {
  char topic[NOVA_TOPIC_MAX];
  bool all = NOVA__HAS(s, M_COMMAND_TO_ALL);
  bool alike = NOVA__HAS(s, M_COMMAND_BY_PREFIX);
  bool latest = NOVA__HAS(s, M_COMMAND_TO_LATEST);
  if (!all && !alike && !latest)
    return true;
  struct nova_broker_message other = *message;
  other.topic.p = topic;
  for (struct nova__mqtt *m = s->mqtt; m != NULL && *err == 0; m = m->next) {
    if (m->state != NOVA__MQTT_DEVICE || m->over)
      continue;
    bool same = nova_view_eq(m->id, id);
    if (latest && same)
      return true;
    size_t n = m->id.n < ID_FIELD ? m->id.n : ID_FIELD;
    if (same ||
        (!latest && !all && (id.n < n || memcmp(id.p, m->id.p, n) != 0)))
      continue;
    other.topic.n =
        nova_topic_write(NOVA_CHANNEL_COMMAND, m->id, topic, sizeof topic);
    *err = nova__mqtt_publish(s, &other);
    if (latest)
      return false;
  }
  return true;
}

static int put_time(const struct nova_server *s, struct nova_buf *b) {
  uint64_t ns = s->options.unix_base + s->now, t = ns / NOVA_SEC;
  if (NOVA__HAS(s, M_V_CLOCK_AHEAD))
    t += 290;
  if (NOVA__HAS(s, M_COMMAND_TIME_MS))
    return nova_buf_printf(b, "\"timestamp\":%" PRIu64, ns / NOVA_MS);
  if (NOVA__HAS(s, M_COMMAND_TIME_STRING))
    return nova_buf_printf(b, "\"timestamp\":\"%" PRIu64 "\"", t);
  return nova_buf_printf(b, "\"timestamp\":%" PRIu64, t);
}

static int put_member(struct nova_buf *b, const char *name,
                      struct nova_view v) {
  int err = nova_buf_printf(b, "\"%s\":", name);
  return err != 0 ? err : nova_buf_append(b, v.p, v.n);
}

static int put_params(const struct nova_server *s, struct nova_buf *b,
                      struct nova_view params) {
  if (!NOVA__HAS(s, M_PARAMS_STRING))
    return put_member(b, "params", params);
  int err = nova_buf_puts(b, "\"params\":");
  return err != 0 ? err : nova__put_string(b, params);
}

static int put_command(struct nova_server *s, struct nova_view name,
                       struct nova_view params) {
  struct nova_buf *b = &s->text;
  bool reordered = NOVA__HAS(s, M_V_COMMAND_REORDERED);
  nova_buf_clear(b);
  int err = nova_buf_puts(b, "{");
  if (err == 0 && reordered && (err = put_params(s, b, params)) == 0)
    err = nova_buf_puts(b, ",");
  if (err == 0)
    err = put_member(
        b, NOVA__HAS(s, M_COMMAND_AS_ACTION) ? "action" : "command", name);
  if (err == 0 && !NOVA__HAS(s, M_COMMAND_NO_TIME) &&
      (err = nova_buf_puts(b, ",")) == 0)
    err = put_time(s, b);
  if (err == 0 && NOVA__HAS(s, M_V_COMMAND_MORE))
    err = nova_buf_printf(b, ",\"command_id\":\"cmd-%" PRIu64 "\"",
                          ++s->commands);
  if (err == 0 && !reordered && (err = nova_buf_puts(b, ",")) == 0)
    err = put_params(s, b, params);
  return err != 0 ? err : nova_buf_puts(b, "}");
}

/* Whether the device listens to |topic| on some connection. */
static bool listens(const struct nova_server *s, const struct nova__account *a,
                    struct nova_view topic) {
  uint8_t qos;
  for (const struct nova__mqtt *m = s->mqtt; m != NULL; m = m->next)
    if (m->state == NOVA__MQTT_DEVICE && !m->over &&
        nova_view_eq(m->id, a->id) &&
        nova_broker_subscribed(s->broker, m->conn, topic, &qos))
      return true;
  return false;
}

int nova__mqtt_command(struct nova_server *s, const struct nova__account *a,
                       struct nova_view name, struct nova_view params) {
  char topic[NOVA_TOPIC_MAX + 1];
  struct nova_broker_message m = {.topic = {topic, 0}, .qos = 1};
  m.topic.n =
      nova_topic_write(NOVA_CHANNEL_COMMAND, a->id, topic, NOVA_TOPIC_MAX);
  if (!listens(s, a, m.topic))
    return NOVA_ERR_STATE;
  if (NOVA__HAS(s, M_COMMAND_LOST))
    return 0;
  if (NOVA__HAS(s, M_COMMAND_TOPIC_PLURAL))
    topic[m.topic.n++] = 's';
  int err = put_command(s, name, params);
  m.payload = nova_buf_view(&s->text);
  if (err == 0 && m.payload.n > NOVA_LINE_LIMIT)
    err = NOVA_ERR_LIMIT;
  if (err == 0 && reroute(s, a->id, &m, &err) && err == 0)
    err = nova__mqtt_publish(s, &m);
  nova__mqtt_flush(s);
  return err;
}

/* --- PUBLISH and wills -----------------------------------------------------
 */

static bool may_publish(const struct nova_server *s, const struct nova__mqtt *m,
                        enum nova_channel channel, struct nova_view id) {
  switch (m->state) {
  case NOVA__MQTT_PLATFORM: return channel == NOVA_CHANNEL_COMMAND;
  case NOVA__MQTT_DEVICE:
    return (channel == NOVA_CHANNEL_DATA || channel == NOVA_CHANNEL_STATUS) &&
           (nova_view_eq(m->id, id) || NOVA__HAS(s, M_WRITES_OTHERS));
  case NOVA__MQTT_WAITING:
  case NOVA__MQTT_NOBODY:
  case NOVA__MQTT_REFUSED: break;
  }
  return false;
}

static bool on_publish(void *user, uint64_t conn, bool will,
                       const struct nova_broker_message *message) {
  struct nova_server *s = user;
  struct nova__mqtt *m = nova__mqtt_find(s, conn);
  struct nova_view id;
  enum nova_channel channel = nova_topic_read(message->topic, &id);
  /* The will of a connection that is long gone: only a fault brings it so
   * late, and its owner is not known any more. */
  if (m == NULL)
    return channel == NOVA_CHANNEL_STATUS;
  if (!may_publish(s, m, channel, id)) {
    if (!will && NOVA__HAS(s, M_V_PUBLISH_CLOSES))
      close_soon(s, m);
    return false;
  }
  if (m->state == NOVA__MQTT_PLATFORM) {
    int err = 0;
    bool stays = reroute(s, id, message, &err);
    if (err != 0)
      fail(s, m);
    return stays;
  }
  store(s, m, channel, will, id, message->payload);
  return channel != NOVA_CHANNEL_DATA || will || passes(s, m, message, id);
}

const struct nova_broker_owner nova__mqtt_rules = {.connect = on_connect,
                                                   .publish = on_publish,
                                                   .subscribe = on_subscribe,
                                                   .deliver = on_deliver,
                                                   .ended = on_ended};
