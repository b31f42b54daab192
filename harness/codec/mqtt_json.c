#include "codec/mqtt_json.h"

#include "codec/json_write.h"
#include "codec/payload_internal.h"

#include "base/utf8.h"

/* The form in which bytes stand in the object. */
enum form { ABSENT, VALUE, TEXT, HEX };

/* The payload of a PUBLISH or a will, which is looked at once. */
struct content {
  enum form form;
  struct nova_view bytes;
  struct nova_json_value value; /* NONE where |form| is not VALUE */
};

/* The object is counted and then written, so that nothing is appended where it
 * has no room. */
struct output {
  struct nova__json_writer w;
  const struct nova_mqtt *m;
  struct content content;
};

/* Control characters take six bytes in a string. Where there are so many that
 * digits are shorter, it is no text to anybody, and what a packet grows to
 * stays bounded. */
static bool is_text(struct nova_view v) {
  if (nova_utf8_check(v.p, v.n) != v.n)
    return false;
  struct nova__json_writer count = {NULL, 0, 0};
  nova__json_put_string(&count, v);
  return count.n <= 2 * v.n + 2;
}

static struct content content_of(struct nova_json *j, struct nova_view bytes) {
  struct content c = {.bytes = bytes};
  if (bytes.n == 0)
    return c;
  if (nova_json_check(j, bytes.p, bytes.n, &c.value, NULL) == 0)
    c.form = VALUE;
  else
    c.form = is_text(bytes) ? TEXT : HEX;
  return c;
}

/* --- members --------------------------------------------------------------
 */

static void put_name(struct output *o, const char *name, const char *ending) {
  nova__json_put(&o->w, ",\"", 2);
  nova__json_put_text(&o->w, name);
  nova__json_put_text(&o->w, ending);
  nova__json_put(&o->w, "\":", 2);
}

static void put_number(struct output *o, const char *name, size_t number) {
  put_name(o, name, "");
  nova__json_put_number(&o->w, (int64_t)number);
}

static void put_boolean(struct output *o, const char *name, bool value) {
  put_name(o, name, "");
  nova__json_put_text(&o->w, value ? "true" : "false");
}

static void put_string(struct output *o, const char *name,
                       struct nova_view text) {
  put_name(o, name, "");
  nova__json_put_string(&o->w, text);
}

static void put_hex(struct nova__json_writer *w, struct nova_view bytes) {
  static const char digits[] = "0123456789abcdef";
  char some[256];
  nova__json_put(w, "\"", 1);
  for (size_t i = 0; i < bytes.n;) {
    size_t n = 0;
    for (; i < bytes.n && n < sizeof some; i++) {
      unsigned char c = (unsigned char)bytes.p[i];
      some[n++] = digits[c >> 4];
      some[n++] = digits[c & 15];
    }
    nova__json_put(w, some, n);
  }
  nova__json_put(w, "\"", 1);
}

static void put_bytes(struct output *o, const char *name,
                      const struct content *c) {
  switch (c->form) {
  case ABSENT: return;
  case VALUE:
    put_name(o, name, "");
    nova__json_put(&o->w, c->value.text.p, c->value.text.n);
    return;
  case TEXT:
    put_name(o, name, "_text");
    nova__json_put_string(&o->w, c->bytes);
    return;
  case HEX:
    put_name(o, name, "_hex");
    put_hex(&o->w, c->bytes);
    return;
  }
}

/* --- packets --------------------------------------------------------------
 */

static void put_connect(struct output *o) {
  const struct nova_mqtt_connect *c = &o->m->u.connect;
  bool own = c->protocol.p == NULL; /* as for the encoder */
  put_string(o, "protocol", own ? nova_view_of("MQTT") : c->protocol);
  put_number(o, "level", own ? 4 : c->level);
  put_boolean(o, "clean_session", c->clean_session);
  put_number(o, "keep_alive", c->keep_alive);
  put_string(o, "client_id", c->client_id);
  if (c->user_name.p != NULL)
    put_string(o, "username", c->user_name);
  if (c->password.p != NULL &&
      nova_utf8_check(c->password.p, c->password.n) == c->password.n)
    put_string(o, "password", c->password);
  else if (c->password.p != NULL)
    put_bytes(o, "password",
              &(struct content){.form = HEX, .bytes = c->password});
  if (c->will_topic.p == NULL && c->will_message.p == NULL)
    return;
  put_name(o, "will", "");
  nova__json_put_text(&o->w, "{\"topic\":");
  nova__json_put_string(&o->w, c->will_topic);
  put_number(o, "qos", c->will_qos);
  put_boolean(o, "retain", c->will_retain);
  put_bytes(o, "payload", &o->content);
  nova__json_put(&o->w, "}", 1);
}

static void put_publish(struct output *o) {
  const struct nova_mqtt_publish *b = &o->m->u.publish;
  struct nova_view id;
  enum nova_channel channel = nova_topic_read(b->topic, &id);
  const struct nova_payload_info *info =
      nova_payload_info(nova__payload_kind(channel, o->content.value));
  put_string(o, "says", nova_view_of(info != NULL ? info->name : "other"));
  if (info != NULL)
    put_string(o, "device_id", id);
  put_boolean(o, "dup", b->dup);
  put_number(o, "qos", b->qos);
  put_boolean(o, "retain", b->retain);
  if (b->qos != 0)
    put_number(o, "packet_id", b->packet_id);
  put_string(o, "topic", b->topic);
  put_bytes(o, "payload", &o->content);
  put_number(o, "payload_size", b->payload.n);
}

static void put_list(struct output *o) {
  struct nova_mqtt_each each;
  struct nova_mqtt_entry entry;
  enum nova_mqtt_type type = o->m->type;
  put_number(o, "packet_id", o->m->u.list.packet_id);
  put_name(o, type == NOVA_MQTT_SUBACK ? "codes" : "filters", "");
  const char *before = "[";
  nova_mqtt_each_init(&each, o->m);
  while (nova_mqtt_each_next(&each, &entry)) {
    nova__json_put(&o->w, before, 1);
    before = ",";
    if (type == NOVA_MQTT_SUBSCRIBE)
      nova__json_put_text(&o->w, "{\"filter\":");
    if (type != NOVA_MQTT_SUBACK)
      nova__json_put_string(&o->w, entry.filter);
    if (type == NOVA_MQTT_SUBSCRIBE)
      nova__json_put_text(&o->w, ",\"qos\":");
    if (type != NOVA_MQTT_UNSUBSCRIBE)
      nova__json_put_number(&o->w, entry.code);
    if (type == NOVA_MQTT_SUBSCRIBE)
      nova__json_put(&o->w, "}", 1);
  }
  nova__json_put_text(&o->w, *before == '[' ? "[]" : "]");
}

static void put_packet(struct output *o) {
  nova__json_put_text(&o->w, "{\"packet\":");
  nova__json_put_string(&o->w, nova_view_of(nova_mqtt_type_name(o->m->type)));
  switch (o->m->type) {
  case NOVA_MQTT_CONNECT: put_connect(o); break;
  case NOVA_MQTT_CONNACK:
    put_boolean(o, "session_present", o->m->u.connack.session_present);
    put_number(o, "code", o->m->u.connack.code);
    break;
  case NOVA_MQTT_PUBLISH: put_publish(o); break;
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK:
    put_number(o, "packet_id", o->m->u.ack.packet_id);
    break;
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBSCRIBE: put_list(o); break;
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT:
  case NOVA_MQTT_NONE: break;
  }
  nova__json_put(&o->w, "}", 1);
}

int nova_mqtt_to_json(const struct nova_mqtt *m, struct nova_json *j,
                      struct nova_buf *out) {
  struct output o = {.m = m};
  if (m->type == NOVA_MQTT_PUBLISH)
    o.content = content_of(j, m->u.publish.payload);
  else if (m->type == NOVA_MQTT_CONNECT)
    o.content = content_of(j, m->u.connect.will_message);
  put_packet(&o);
  size_t n = o.w.n;
  char *room = nova_buf_reserve(out, n);
  if (room == NULL)
    return n > out->max - out->len ? NOVA_ERR_LIMIT : NOVA_ERR_NO_MEMORY;
  o.w = (struct nova__json_writer){room, n, 0};
  put_packet(&o);
  nova_buf_commit(out, n);
  return 0;
}
