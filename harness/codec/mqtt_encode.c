#include "codec/mqtt_internal.h"

/* The bytes of a body, counted or written: p is NULL while they are counted. */
struct output {
  char *p;
  size_t n;        /* at most NOVA_MQTT_REMAINING_MAX */
  bool impossible; /* there is something that no length can say */
};

static void put(struct output *o, const char *p, size_t n) {
  if (n > NOVA_MQTT_REMAINING_MAX - o->n) {
    o->impossible = true;
    return;
  }
  if (o->p != NULL && n != 0)
    memcpy(o->p + o->n, p, n);
  o->n += n;
}

static void put8(struct output *o, uint8_t v) {
  char b = (char)v;
  put(o, &b, 1);
}

static void put16(struct output *o, uint16_t v) {
  char b[2] = {(char)(v >> 8), (char)v};
  put(o, b, 2);
}

static void put_string(struct output *o, struct nova_view s) {
  if (s.n > NOVA_MQTT_STRING_MAX) {
    o->impossible = true;
    return;
  }
  put16(o, (uint16_t)s.n);
  put(o, s.p, s.n);
}

static bool has_will(const struct nova_mqtt_connect *c) {
  return c->will_topic.p != NULL || c->will_message.p != NULL;
}

static void write_connect(struct output *o, const struct nova_mqtt_connect *c) {
  bool own = c->protocol.p == NULL;
  unsigned user = c->user_name.p != NULL, password = c->password.p != NULL;
  unsigned flags = user << 7 | password << 6 | (unsigned)c->will_retain << 5 |
                   (unsigned)(c->will_qos & 3) << 3 |
                   (unsigned)has_will(c) << 2 | (unsigned)c->clean_session << 1;
  put_string(o, own ? nova_view_of("MQTT") : c->protocol);
  put8(o, own ? 4 : c->level);
  put8(o, (uint8_t)flags);
  put16(o, c->keep_alive);
  put_string(o, c->client_id);
  if (has_will(c)) {
    put_string(o, c->will_topic);
    put_string(o, c->will_message);
  }
  if (user)
    put_string(o, c->user_name);
  if (password)
    put_string(o, c->password);
  if (c->will_qos > 3)
    o->impossible = true;
}

static void write_publish(struct output *o, const struct nova_mqtt_publish *b) {
  put_string(o, b->topic);
  if (b->qos != 0)
    put16(o, b->packet_id);
  put(o, b->payload.p, b->payload.n);
  if (b->qos > 3)
    o->impossible = true;
}

static void write_list(struct output *o, const struct nova_mqtt *m) {
  const struct nova_mqtt_list *l = &m->u.list;
  put16(o, l->packet_id);
  if (l->entry == NULL) {
    put(o, l->raw.p, l->raw.n);
    return;
  }
  for (size_t i = 0; i < l->count && !o->impossible; i++) {
    if (m->type != NOVA_MQTT_SUBACK)
      put_string(o, l->entry[i].filter);
    if (m->type != NOVA_MQTT_UNSUBSCRIBE)
      put8(o, l->entry[i].code);
  }
}

/* All behind the fixed header. */
static void write_body(struct output *o, const struct nova_mqtt *m) {
  switch (m->type) {
  case NOVA_MQTT_CONNECT: write_connect(o, &m->u.connect); return;
  case NOVA_MQTT_CONNACK:
    put8(o, m->u.connack.session_present);
    put8(o, m->u.connack.code);
    return;
  case NOVA_MQTT_PUBLISH: write_publish(o, &m->u.publish); return;
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK: put16(o, m->u.ack.packet_id); return;
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBSCRIBE: write_list(o, m); return;
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT: return;
  case NOVA_MQTT_NONE: break;
  }
  o->impossible = true;
}

static uint8_t first_byte(const struct nova_mqtt *m) {
  unsigned flags;
  int error;
  if (m->type == NOVA_MQTT_PUBLISH)
    flags = (unsigned)m->u.publish.dup << 3 |
            (unsigned)(m->u.publish.qos & 3) << 1 | m->u.publish.retain;
  else
    flags = nova__mqtt_flags(m->type, &error);
  return (uint8_t)((unsigned)m->type << 4 | flags);
}

/* What the decoder would say, in the order in which it would. */

static int check_text(struct nova_view s, enum nova__mqtt_kind kind) {
  unsigned saw = 0;
  size_t where;
  return nova__mqtt_text(s, kind, &saw, &where);
}

static int check_connect(const struct nova_mqtt_connect *c) {
  if (c->protocol.p != NULL && nova_view_is(c->protocol, "MQIsdp"))
    return NOVA_ERR_MQTT_PROTOCOL_31;
  if (c->protocol.p != NULL && !nova_view_is(c->protocol, "MQTT"))
    return NOVA_ERR_MQTT_PROTOCOL_NAME;
  if (c->protocol.p != NULL && c->level != 4)
    return NOVA_ERR_MQTT_PROTOCOL_LEVEL;
  if (!has_will(c) && c->will_qos != 0)
    return NOVA_ERR_MQTT_WILL_QOS_STRAY;
  if (c->will_qos == 3)
    return NOVA_ERR_MQTT_WILL_QOS;
  if (!has_will(c) && c->will_retain)
    return NOVA_ERR_MQTT_WILL_RETAIN_STRAY;
  if (c->user_name.p == NULL && c->password.p != NULL)
    return NOVA_ERR_MQTT_PASSWORD_STRAY;
  int error = check_text(c->client_id, NOVA__MQTT_STRING);
  if (error == 0 && has_will(c))
    error = check_text(c->will_topic, NOVA__MQTT_TOPIC);
  if (error == 0)
    error = check_text(c->user_name, NOVA__MQTT_STRING);
  return error;
}

static int check_connack(const struct nova_mqtt_connack *c) {
  if (c->code > NOVA_MQTT_CODE_AUTHORIZED)
    return NOVA_ERR_MQTT_CONNACK_CODE;
  return c->session_present && c->code != 0 ? NOVA_ERR_MQTT_SESSION_PRESENT : 0;
}

static int check_publish(const struct nova_mqtt_publish *b) {
  if (b->qos == 3)
    return NOVA_ERR_MQTT_QOS;
  if (b->dup && b->qos == 0)
    return NOVA_ERR_MQTT_DUP;
  int error = check_text(b->topic, NOVA__MQTT_TOPIC);
  if (error != 0)
    return error == NOVA_ERR_MQTT_TOPIC_WILDCARD
               ? NOVA_ERR_MQTT_PUBLISH_WILDCARD
               : error;
  if (b->qos == 0)
    return b->packet_id != 0 ? NOVA_ERR_MQTT_PACKET_ID_STRAY : 0;
  return b->packet_id == 0 ? NOVA_ERR_MQTT_PACKET_ID : 0;
}

static int check_list(const struct nova_mqtt *m) {
  bool suback = m->type == NOVA_MQTT_SUBACK;
  if (m->u.list.packet_id == 0)
    return suback ? NOVA_ERR_MQTT_SUBACK_ID : NOVA_ERR_MQTT_PACKET_ID;
  struct nova_mqtt_each each;
  struct nova_mqtt_entry e;
  nova_mqtt_each_init(&each, m);
  while (nova_mqtt_each_next(&each, &e)) {
    int error = suback ? 0 : check_text(e.filter, NOVA__MQTT_FILTER);
    if (error != 0)
      return error;
    if (suback && !nova__mqtt_suback_code(e.code))
      return NOVA_ERR_MQTT_SUBACK_CODE;
    if (m->type == NOVA_MQTT_SUBSCRIBE && e.code > 2)
      return NOVA_ERR_MQTT_SUBSCRIBE_QOS;
  }
  if (m->u.list.entry == NULL && each.at != m->u.list.raw.n)
    return NOVA_ERR_MQTT_SHORT;
  if (each.index != 0)
    return 0;
  if (suback)
    return NOVA_ERR_MQTT_SUBACK_EMPTY;
  return m->type == NOVA_MQTT_SUBSCRIBE ? NOVA_ERR_MQTT_SUBSCRIBE_EMPTY
                                        : NOVA_ERR_MQTT_UNSUBSCRIBE_EMPTY;
}

static int check(const struct nova_mqtt *m) {
  switch (m->type) {
  case NOVA_MQTT_CONNECT: return check_connect(&m->u.connect);
  case NOVA_MQTT_CONNACK: return check_connack(&m->u.connack);
  case NOVA_MQTT_PUBLISH: return check_publish(&m->u.publish);
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK:
    return m->u.ack.packet_id == 0 ? nova__mqtt_ack_error(m->type) : 0;
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBSCRIBE: return check_list(m);
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT: return 0;
  case NOVA_MQTT_NONE: break;
  }
  return NOVA_ERR_ARGUMENT;
}

/* The fixed header and how much stands behind it. */
static int header(const struct nova_mqtt *m, enum nova_mqtt_how how,
                  char out[NOVA_MQTT_HEADER_MAX], size_t *n, size_t *rest) {
  struct output count = {.p = NULL};
  write_body(&count, m);
  if (count.impossible)
    return NOVA_ERR_ARGUMENT;
  int error = how == NOVA_MQTT_STRICT ? check(m) : 0;
  if (error != 0)
    return error;
  *rest = count.n;
  *n = nova_mqtt_put_header(first_byte(m), (uint32_t)count.n, 0, out);
  return 0;
}

int nova_mqtt_size(const struct nova_mqtt *m, enum nova_mqtt_how how,
                   size_t *size) {
  char head[NOVA_MQTT_HEADER_MAX];
  size_t n, rest;
  int error = header(m, how, head, &n, &rest);
  if (error == 0)
    *size = n + rest;
  return error;
}

int nova_mqtt_encode(const struct nova_mqtt *m, enum nova_mqtt_how how, char *p,
                     size_t n, size_t *length) {
  char head[NOVA_MQTT_HEADER_MAX];
  size_t size, rest;
  int error = header(m, how, head, &size, &rest);
  if (error != 0)
    return error;
  if (n < size + rest)
    return NOVA_ERR_NO_SPACE;
  memcpy(p, head, size);
  struct output o = {.p = p + size};
  write_body(&o, m);
  *length = size + rest;
  return 0;
}

size_t nova_mqtt_put_header(uint8_t first, uint32_t remaining, unsigned width,
                            char out[NOVA_MQTT_HEADER_MAX]) {
  unsigned least = 1;
  while (least < 5 && remaining >> 7 * least != 0)
    least++;
  if (width == 0)
    width = least < 5 ? least : 0;
  if (width < least || width > 5)
    return 0;
  out[0] = (char)first;
  for (unsigned i = 0; i < width; i++) {
    unsigned more = i + 1 < width ? 0x80 : 0;
    /* A shift by 28 is the most: 32 bits have no room for more. */
    out[1 + i] = (char)((remaining >> 7 * i & 0x7f) | more);
  }
  return 1 + width;
}
