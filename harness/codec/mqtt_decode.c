#include "codec/mqtt_internal.h"

/* The packet as it is read: p[at] is the next byte, p[end] the first one that
 * is not part of it. */
struct input {
  const char *p;
  size_t at, end;
  struct nova_mqtt *m;
  struct nova_fault_at fault;
};

/* Ends the reading; for `return bad(...)`. */
static bool bad(struct input *in, int code, size_t offset) {
  in->fault = (struct nova_fault_at){code, offset};
  return false;
}

static bool take8(struct input *in, uint8_t *v) {
  if (in->at == in->end)
    return bad(in, NOVA_ERR_MQTT_SHORT, in->at);
  *v = (uint8_t)in->p[in->at++];
  return true;
}

/* |missing|: what it is where it is not there as a whole. */
static bool take16(struct input *in, int missing, uint16_t *v) {
  if (in->end - in->at < 2)
    return bad(in, missing, in->at);
  *v = nova__mqtt_get16(in->p + in->at);
  in->at += 2;
  return true;
}

/* |zero|: what an id of 0 is. */
static bool take_id(struct input *in, int missing, int zero, uint16_t *id) {
  if (!take16(in, missing, id))
    return false;
  return *id != 0 || bad(in, zero, in->at - 2);
}

/* A length and as many bytes. |missing|: what it is where nothing of it is
 * there. */
static bool take_bytes(struct input *in, int missing, struct nova_view *v) {
  size_t start = in->at, n;
  if (start == in->end)
    return bad(in, missing, start);
  if (in->end - start < 2)
    return bad(in, NOVA_ERR_MQTT_SHORT, start);
  n = nova__mqtt_get16(in->p + start);
  if (n > in->end - start - 2)
    return bad(in, NOVA_ERR_MQTT_SHORT, start);
  *v = (struct nova_view){in->p + start + 2, n};
  in->at = start + 2 + n;
  return true;
}

static bool take_text(struct input *in, enum nova__mqtt_kind kind, int missing,
                      struct nova_view *v) {
  size_t start = in->at, where;
  if (!take_bytes(in, missing, v))
    return false;
  int error = nova__mqtt_text(*v, kind, &in->m->saw, &where);
  if (error == 0)
    return true;
  /* What is empty has no byte of its own. */
  return bad(in, error, v->n == 0 ? start : start + 2 + where);
}

/* Protocol name and level (3.1.2.1, 3.1.2.2). Of another protocol nothing is
 * known but these. */
static bool take_protocol(struct input *in, struct nova_mqtt_connect *c) {
  size_t start = in->at;
  if (!take_bytes(in, NOVA_ERR_MQTT_SHORT, &c->protocol))
    return false;
  if (nova_view_is(c->protocol, "MQIsdp")) {
    if (in->at < in->end)
      c->level = (uint8_t)in->p[in->at];
    return bad(in, NOVA_ERR_MQTT_PROTOCOL_31, start);
  }
  if (!nova_view_is(c->protocol, "MQTT"))
    return bad(in, NOVA_ERR_MQTT_PROTOCOL_NAME, start);
  if (!take8(in, &c->level))
    return false;
  return c->level == 4 || bad(in, NOVA_ERR_MQTT_PROTOCOL_LEVEL, in->at - 1);
}

/* 3.1.2.3 to 3.1.2.9. |flags|: as they stand. */
static bool take_connect_flags(struct input *in, struct nova_mqtt_connect *c,
                               uint8_t *flags) {
  size_t start = in->at;
  if (!take8(in, flags))
    return false;
  bool will = (*flags & 0x04) != 0;
  c->clean_session = (*flags & 0x02) != 0;
  c->will_qos = *flags >> 3 & 3;
  c->will_retain = (*flags & 0x20) != 0;
  if ((*flags & 0x01) != 0)
    return bad(in, NOVA_ERR_MQTT_CONNECT_RESERVED, start);
  if (!will && c->will_qos != 0)
    return bad(in, NOVA_ERR_MQTT_WILL_QOS_STRAY, start);
  if (c->will_qos == 3)
    return bad(in, NOVA_ERR_MQTT_WILL_QOS, start);
  if (!will && c->will_retain)
    return bad(in, NOVA_ERR_MQTT_WILL_RETAIN_STRAY, start);
  if ((*flags & 0xc0) == 0x40)
    return bad(in, NOVA_ERR_MQTT_PASSWORD_STRAY, start);
  return true;
}

/* What is to be told of a client id (3.1.3.1). */
static unsigned observe_id(const struct nova_mqtt_connect *c) {
  unsigned saw = 0;
  if (c->client_id.n == 0 && !c->clean_session)
    saw |= NOVA_MQTT_SAW_EMPTY_ID;
  if (c->client_id.n > 23)
    saw |= NOVA_MQTT_SAW_LONG_ID;
  for (size_t i = 0; i < c->client_id.n; i++) {
    char b = c->client_id.p[i];
    if ((b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z'))
      return saw | NOVA_MQTT_SAW_ODD_ID;
  }
  return saw;
}

static bool read_connect(struct input *in) {
  struct nova_mqtt_connect *c = &in->m->u.connect;
  uint8_t flags;
  if (!take_protocol(in, c) || !take_connect_flags(in, c, &flags) ||
      !take16(in, NOVA_ERR_MQTT_SHORT, &c->keep_alive) ||
      !take_text(in, NOVA__MQTT_STRING, NOVA_ERR_MQTT_CLIENT_ID_MISSING,
                 &c->client_id))
    return false;
  in->m->saw |= observe_id(c);
  if ((flags & 0x04) != 0 &&
      (!take_text(in, NOVA__MQTT_TOPIC, NOVA_ERR_MQTT_WILL_MISSING,
                  &c->will_topic) ||
       !take_bytes(in, NOVA_ERR_MQTT_WILL_MISSING, &c->will_message)))
    return false;
  if ((flags & 0x80) != 0 &&
      !take_text(in, NOVA__MQTT_STRING, NOVA_ERR_MQTT_USER_NAME_MISSING,
                 &c->user_name))
    return false;
  return (flags & 0x40) == 0 ||
         take_bytes(in, NOVA_ERR_MQTT_PASSWORD_MISSING, &c->password);
}

static bool read_connack(struct input *in) {
  struct nova_mqtt_connack *c = &in->m->u.connack;
  size_t start = in->at;
  uint8_t flags;
  if (!take8(in, &flags))
    return false;
  if ((flags & 0xfe) != 0)
    return bad(in, NOVA_ERR_MQTT_CONNACK_RESERVED, start);
  if (!take8(in, &c->code))
    return false;
  c->session_present = flags != 0;
  if (c->code > NOVA_MQTT_CODE_AUTHORIZED)
    return bad(in, NOVA_ERR_MQTT_CONNACK_CODE, start + 1);
  if (c->session_present && c->code != 0)
    return bad(in, NOVA_ERR_MQTT_SESSION_PRESENT, start);
  return true;
}

static bool read_publish(struct input *in) {
  struct nova_mqtt_publish *b = &in->m->u.publish;
  uint8_t first = (uint8_t)in->p[0];
  b->dup = (first & 0x08) != 0;
  b->qos = first >> 1 & 3;
  b->retain = (first & 0x01) != 0;
  if (b->qos == 3)
    return bad(in, NOVA_ERR_MQTT_QOS, 0);
  if (b->dup && b->qos == 0)
    return bad(in, NOVA_ERR_MQTT_DUP, 0);
  if (!take_text(in, NOVA__MQTT_TOPIC, NOVA_ERR_MQTT_TOPIC_MISSING,
                 &b->topic)) {
    if (in->fault.code == NOVA_ERR_MQTT_TOPIC_WILDCARD)
      in->fault.code = NOVA_ERR_MQTT_PUBLISH_WILDCARD;
    return false;
  }
  if (b->qos != 0 && !take_id(in, NOVA_ERR_MQTT_PACKET_ID_MISSING,
                              NOVA_ERR_MQTT_PACKET_ID, &b->packet_id))
    return false;
  b->payload = (struct nova_view){in->p + in->at, in->end - in->at};
  in->at = in->end;
  return true;
}

static bool read_ack(struct input *in) {
  return take_id(in, NOVA_ERR_MQTT_SHORT, nova__mqtt_ack_error(in->m->type),
                 &in->m->u.ack.packet_id);
}

static bool read_suback(struct input *in) {
  struct nova_mqtt_list *l = &in->m->u.list;
  if (!take_id(in, NOVA_ERR_MQTT_SHORT, NOVA_ERR_MQTT_SUBACK_ID, &l->packet_id))
    return false;
  if (in->at == in->end)
    return bad(in, NOVA_ERR_MQTT_SUBACK_EMPTY, in->at);
  l->raw = (struct nova_view){in->p + in->at, in->end - in->at};
  for (; in->at < in->end; in->at++, l->count++)
    if (!nova__mqtt_suback_code((uint8_t)in->p[in->at]))
      return bad(in, NOVA_ERR_MQTT_SUBACK_CODE, in->at);
  return true;
}

/* SUBSCRIBE and UNSUBSCRIBE. |empty|: what no entry is. */
static bool read_filters(struct input *in, bool with_qos, int empty) {
  struct nova_mqtt_list *l = &in->m->u.list;
  if (!take_id(in, NOVA_ERR_MQTT_PACKET_ID_MISSING, NOVA_ERR_MQTT_PACKET_ID,
               &l->packet_id))
    return false;
  if (in->at == in->end)
    return bad(in, empty, in->at);
  l->raw = (struct nova_view){in->p + in->at, in->end - in->at};
  for (; in->at < in->end; l->count++) {
    struct nova_view filter;
    uint8_t qos = 0;
    if (!take_text(in, NOVA__MQTT_FILTER, NOVA_ERR_MQTT_SHORT, &filter) ||
        (with_qos && !take8(in, &qos)))
      return false;
    if (qos > 2)
      return bad(in, NOVA_ERR_MQTT_SUBSCRIBE_QOS, in->at - 1);
  }
  return true;
}

static bool read_body(struct input *in) {
  switch (in->m->type) {
  case NOVA_MQTT_CONNECT: return read_connect(in);
  case NOVA_MQTT_CONNACK: return read_connack(in);
  case NOVA_MQTT_PUBLISH: return read_publish(in);
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK: return read_ack(in);
  case NOVA_MQTT_SUBSCRIBE:
    return read_filters(in, true, NOVA_ERR_MQTT_SUBSCRIBE_EMPTY);
  case NOVA_MQTT_SUBACK: return read_suback(in);
  case NOVA_MQTT_UNSUBSCRIBE:
    return read_filters(in, false, NOVA_ERR_MQTT_UNSUBSCRIBE_EMPTY);
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT: return true;
  case NOVA_MQTT_NONE: break;
  }
  return bad(in, NOVA_ERR_MQTT_TYPE, 0);
}

/* The packet from its first byte to its last. */
static bool read_packet(struct input *in, size_t n) {
  struct nova_mqtt *m = in->m;
  struct nova_mqtt_header h;
  if (n != 0) {
    unsigned type = (uint8_t)in->p[0] >> 4;
    m->type = type <= NOVA_MQTT_DISCONNECT ? (enum nova_mqtt_type)type
                                           : NOVA_MQTT_NONE;
  }
  int event = nova_mqtt_header_read(in->p, n, &h);
  if (event == NOVA_MQTT_MORE)
    return bad(in, NOVA_ERR_MQTT_UNFINISHED, n);
  if (event < 0)
    return bad(in, event, 4);
  m->header_size = h.size;
  if (h.longer)
    m->saw |= NOVA_MQTT_SAW_LONG_LENGTH;
  if (n - h.size < h.remaining)
    return bad(in, NOVA_ERR_MQTT_UNFINISHED, n);
  if (n - h.size > h.remaining)
    return bad(in, NOVA_ERR_MQTT_TRAILING, h.size + h.remaining);
  if (m->type != NOVA_MQTT_NONE && m->type != NOVA_MQTT_PUBLISH) {
    int error;
    if ((h.first & 0x0f) != nova__mqtt_flags(m->type, &error))
      return bad(in, error, 0);
  }
  in->at = h.size;
  in->end = n;
  if (!read_body(in))
    return false;
  return in->at == in->end || bad(in, NOVA_ERR_MQTT_LEFTOVER, in->at);
}

int nova_mqtt_header_read(const char *p, size_t n, struct nova_mqtt_header *h) {
  uint32_t remaining = 0;
  for (size_t i = 1; i <= 4; i++) {
    if (i >= n)
      return NOVA_MQTT_MORE;
    uint8_t b = (uint8_t)p[i];
    remaining |= (uint32_t)(b & 0x7f) << 7 * (i - 1);
    if ((b & 0x80) != 0)
      continue;
    *h = (struct nova_mqtt_header){.first = (uint8_t)p[0],
                                   .remaining = remaining,
                                   .size = i + 1,
                                   .longer = i > 1 && b == 0};
    return NOVA_MQTT_PACKET;
  }
  return NOVA_ERR_MQTT_LENGTH;
}

int nova_mqtt_decode(const char *p, size_t n, struct nova_mqtt *m,
                     struct nova_fault_at *at) {
  *m = (struct nova_mqtt){.type = NOVA_MQTT_NONE};
  struct input in = {.p = p, .m = m};
  read_packet(&in, n);
  if (at != NULL)
    *at = in.fault;
  return in.fault.code;
}

void nova_mqtt_each_init(struct nova_mqtt_each *e, const struct nova_mqtt *m) {
  *e = (struct nova_mqtt_each){.list = &m->u.list, .type = m->type};
}

bool nova_mqtt_each_next(struct nova_mqtt_each *e,
                         struct nova_mqtt_entry *entry) {
  bool with_filter = e->type != NOVA_MQTT_SUBACK;
  bool with_code = e->type != NOVA_MQTT_UNSUBSCRIBE;
  if (e->type != NOVA_MQTT_SUBSCRIBE && with_filter && with_code)
    return false;
  const struct nova_mqtt_list *l = e->list;
  if (l->entry != NULL) {
    if (e->index == l->count)
      return false;
    *entry = l->entry[e->index++];
    return true;
  }
  size_t left = l->raw.n - e->at, n = 0;
  if (left == 0)
    return false;
  *entry = (struct nova_mqtt_entry){.code = 0};
  if (with_filter) {
    if (left < 2)
      return false;
    const char *p = l->raw.p + e->at;
    size_t length = nova__mqtt_get16(p);
    n = 2 + length;
    if (left < n + with_code)
      return false;
    entry->filter = (struct nova_view){p + 2, length};
  }
  if (with_code)
    entry->code = (uint8_t)l->raw.p[e->at + n];
  e->at += n + with_code;
  e->index++;
  return true;
}
