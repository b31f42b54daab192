#include "codec/mqtt_json.h"

/* --- members --------------------------------------------------------------
 */

/* Every member of every object. */
#define MEMBERS                                                                \
  ROW(packet)                                                                  \
  ROW(wire)                                                                    \
  ROW(packet_id)                                                               \
  ROW(protocol)                                                                \
  ROW(level)                                                                   \
  ROW(clean_session)                                                           \
  ROW(keep_alive)                                                              \
  ROW(client_id)                                                               \
  ROW(username)                                                                \
  ROW(password)                                                                \
  ROW(password_hex)                                                            \
  ROW(will)                                                                    \
  ROW(session_present)                                                         \
  ROW(code)                                                                    \
  ROW(says)                                                                    \
  ROW(device_id)                                                               \
  ROW(dup)                                                                     \
  ROW(qos)                                                                     \
  ROW(retain)                                                                  \
  ROW(topic)                                                                   \
  ROW(payload)                                                                 \
  ROW(payload_text)                                                            \
  ROW(payload_hex)                                                             \
  ROW(payload_size)                                                            \
  ROW(filters)                                                                 \
  ROW(filter)                                                                  \
  ROW(codes)                                                                   \
  ROW(flags)                                                                   \
  ROW(reserved)                                                                \
  ROW(width)                                                                   \
  ROW(topic_tail)                                                              \
  ROW(cut)                                                                     \
  ROW(tail)

enum member {
#define ROW(name) M_##name,
  MEMBERS
#undef ROW
      M_COUNT
};

/* Sets of members. */
#define SET(name) (UINT64_C(1) << M_##name)
#define ANY       (SET(packet) | SET(wire))
#define ID        (ANY | SET(packet_id))
#define BYTES     (SET(payload) | SET(payload_text) | SET(payload_hex))
#define SENT      (SET(topic) | SET(qos) | SET(retain) | BYTES)
_Static_assert(M_COUNT <= 64, "a set has 64 members at most");

static uint64_t members_of(enum nova_mqtt_type type) {
  switch (type) {
  case NOVA_MQTT_CONNECT:
    return ANY | SET(protocol) | SET(level) | SET(clean_session) |
           SET(keep_alive) | SET(client_id) | SET(username) | SET(password) |
           SET(password_hex) | SET(will);
  case NOVA_MQTT_CONNACK: return ANY | SET(session_present) | SET(code);
  case NOVA_MQTT_PUBLISH:
    return ID | SENT | SET(dup) | SET(says) | SET(device_id) |
           SET(payload_size);
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK: return ID;
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_UNSUBSCRIBE: return ID | SET(filters);
  case NOVA_MQTT_SUBACK: return ID | SET(codes);
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT:
  case NOVA_MQTT_NONE: break;
  }
  return ANY;
}

/* Which of the objects one reads. */
enum place { TOP, WILL, ENTRY, WIRE };

static const char *const names[][M_COUNT] = {
#define ROW(name) #name,
    {MEMBERS},
#undef ROW
#define ROW(name) "will." #name,
    {MEMBERS},
#undef ROW
#define ROW(name) "filters." #name,
    {MEMBERS},
#undef ROW
#define ROW(name) "wire." #name,
    {MEMBERS},
#undef ROW
};

/* --- reading --------------------------------------------------------------
 */

/* What is read from an object, the packet, and room for what does not stand in
 * the object as it is to be sent. */
struct input {
  struct nova_json_value object;
  enum place place;
  struct nova_json_value value[M_COUNT]; /* of the object at |place| */
  struct nova_json_value wire;
  struct nova_mqtt m;
  const struct nova_mem *mem;
  char *store;
  size_t used, room;
  int error;
  struct nova_mqtt_json_fault fault;
};

static bool refuse(struct input *in, const char *member, const char *why) {
  in->error = NOVA_ERR_ARGUMENT;
  in->fault.member = member;
  in->fault.why = why;
  return false;
}

static bool bad(struct input *in, enum member member, const char *why) {
  return refuse(in, names[in->place][member], why);
}

/* Room for |n| bytes; NULL without memory. All that is ever taken was in the
 * object in no fewer bytes, and twice at most. */
static char *take(struct input *in, size_t n) {
  if (in->store == NULL) {
    in->store = nova_mem_alloc(in->mem, in->room);
    if (in->store == NULL) {
      in->error = NOVA_ERR_NO_MEMORY;
      return NULL;
    }
  }
  char *p = in->store + in->used;
  in->used += n;
  return p;
}

/* Takes the members of an object apart; those of |set| may be there. */
static bool open_object(struct input *in, enum place place,
                        struct nova_json_value object, uint64_t set) {
  struct nova_json_iter it;
  struct nova_json_value key, value;
  in->place = place;
  memset(in->value, 0, sizeof in->value);
  nova_json_iter_init(&it, object);
  while (nova_json_next(&it, &key, &value)) {
    int i = 0;
    while (i < M_COUNT &&
           ((set >> i & 1) == 0 ||
            !nova_json_string_is(key, nova_view_of(names[TOP][i]))))
      i++;
    if (i == M_COUNT) {
      in->fault.name = key.text;
      return refuse(in,
                    place == TOP     ? ""
                    : place == WILL  ? "will"
                    : place == ENTRY ? "filters"
                                     : "wire",
                    "has a member that does not belong there");
    }
    in->value[i] = value;
  }
  return true;
}

static bool has(const struct input *in, enum member member) {
  return in->value[member].type != NOVA_JSON_NONE;
}

/* A range and what a value outside it is told. */
#define WHOLE(from, to) from, to, "is no whole number from " #from " to " #to

static bool in_range(struct nova_json_value v, uint32_t from, uint32_t to,
                     uint32_t *out) {
  int64_t number;
  if (!nova_json_is_integer(v) || !nova_json_int64(v, &number) ||
      number < (int64_t)from || number > (int64_t)to)
    return false;
  *out = (uint32_t)number;
  return true;
}

/* The members below are left as they are where they are absent. */

static bool get_number(struct input *in, enum member member, uint32_t from,
                       uint32_t to, const char *why, uint32_t *out) {
  return !has(in, member) || in_range(in->value[member], from, to, out) ||
         bad(in, member, why);
}

static bool get_byte(struct input *in, enum member member, uint32_t from,
                     uint32_t to, const char *why, uint8_t *out) {
  uint32_t number = *out;
  bool good = get_number(in, member, from, to, why, &number);
  *out = (uint8_t)number;
  return good;
}

static bool get_16(struct input *in, enum member member, uint16_t *out) {
  uint32_t number = *out;
  bool good = get_number(in, member, WHOLE(0, 65535), &number);
  *out = (uint16_t)number;
  return good;
}

static bool get_boolean(struct input *in, enum member member, bool *out) {
  enum nova_json_type type = in->value[member].type;
  if (type == NOVA_JSON_TRUE || type == NOVA_JSON_FALSE)
    *out = type == NOVA_JSON_TRUE;
  else if (type != NOVA_JSON_NONE)
    return bad(in, member, "is neither true nor false");
  return true;
}

/* A string of any length; out->p is not NULL then. */
static bool get_text(struct input *in, enum member member,
                     struct nova_view *out) {
  struct nova_json_value v = in->value[member];
  if (v.type == NOVA_JSON_NONE)
    return true;
  if (v.type != NOVA_JSON_STRING)
    return bad(in, member, "is no string");
  *out = (struct nova_view){v.text.p + 1, v.text.n - 2};
  if (out->n == 0 || memchr(out->p, '\\', out->n) == NULL)
    return true;
  size_t n = nova_json_string(v, NULL, 0);
  char *p = take(in, n);
  if (p == NULL)
    return false;
  nova_json_string(v, p, n);
  *out = (struct nova_view){p, n};
  return true;
}

static bool fits(struct input *in, enum member member, struct nova_view v) {
  return v.n <= NOVA_MQTT_STRING_MAX ||
         bad(in, member, "is longer than 65535 bytes");
}

/* A string that a packet holds with its length. */
static bool get_string(struct input *in, enum member member,
                       struct nova_view *out) {
  return get_text(in, member, out) && fits(in, member, *out);
}

static int digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_hex(struct input *in, enum member member,
                    struct nova_view *out) {
  struct nova_view digits = {NULL, 0};
  if (!get_text(in, member, &digits))
    return false;
  if (!has(in, member))
    return true;
  char *p = take(in, digits.n / 2);
  if (p == NULL)
    return false;
  bool good = digits.n % 2 == 0;
  for (size_t i = 0; good && i < digits.n; i += 2) {
    int high = digit(digits.p[i]), low = digit(digits.p[i + 1]);
    good = high >= 0 && low >= 0;
    p[i / 2] = (char)(high * 16 + low);
  }
  *out = (struct nova_view){p, digits.n / 2};
  return good || bad(in, member, "is not pairs of hexadecimal digits");
}

/* payload, payload_text or payload_hex; |member|: which one it was. */
static bool get_payload(struct input *in, struct nova_view *out,
                        enum member *member) {
  *member = has(in, M_payload_text)  ? M_payload_text
            : has(in, M_payload_hex) ? M_payload_hex
                                     : M_payload;
  if (has(in, M_payload) + has(in, M_payload_text) + has(in, M_payload_hex) > 1)
    return bad(in, M_payload, "is given in more than one form");
  *out = (struct nova_view){"", 0};
  if (has(in, M_payload))
    *out = in->value[M_payload].text;
  return get_text(in, M_payload_text, out) && get_hex(in, M_payload_hex, out);
}

/* --- packets --------------------------------------------------------------
 */

static bool read_will(struct input *in, struct nova_mqtt_connect *c,
                      struct nova_json_value will) {
  enum member member;
  if (will.type == NOVA_JSON_NONE)
    return true;
  if (will.type != NOVA_JSON_OBJECT)
    return bad(in, M_will, "is no object");
  if (!open_object(in, WILL, will, SENT))
    return false;
  if (!has(in, M_topic))
    return bad(in, M_topic, "is missing");
  return get_string(in, M_topic, &c->will_topic) &&
         get_byte(in, M_qos, WHOLE(0, 3), &c->will_qos) &&
         get_boolean(in, M_retain, &c->will_retain) &&
         get_payload(in, &c->will_message, &member) &&
         fits(in, member, c->will_message);
}

static bool read_connect(struct input *in) {
  struct nova_mqtt_connect *c = &in->m.u.connect;
  c->protocol = nova_view_of("MQTT");
  c->level = 4;
  c->clean_session = true;
  c->keep_alive = 60;
  c->client_id = nova_view_of("");
  if (has(in, M_password) && has(in, M_password_hex))
    return bad(in, M_password, "is given in more than one form");
  return get_string(in, M_protocol, &c->protocol) &&
         get_byte(in, M_level, WHOLE(0, 255), &c->level) &&
         get_boolean(in, M_clean_session, &c->clean_session) &&
         get_16(in, M_keep_alive, &c->keep_alive) &&
         get_string(in, M_client_id, &c->client_id) &&
         get_string(in, M_username, &c->user_name) &&
         get_string(in, M_password, &c->password) &&
         get_hex(in, M_password_hex, &c->password) &&
         fits(in, M_password_hex, c->password) &&
         read_will(in, c, in->value[M_will]);
}

/* Puts blanks before the last byte where they do not count: in an object or
 * an array, whether it is good or not. Behind anything else. */
static bool pad(struct input *in, struct nova_view *payload, size_t size) {
  if (payload->n >= size)
    return true;
  char *p = take(in, size);
  if (p == NULL)
    return false;
  char last = payload->n != 0 ? payload->p[payload->n - 1] : ' ';
  size_t kept = payload->n - (last == '}' || last == ']');
  memset(p, ' ', size);
  memcpy(p, payload->p, kept);
  if (kept != payload->n)
    p[size - 1] = last;
  *payload = (struct nova_view){p, size};
  return true;
}

static bool read_publish(struct input *in, size_t pad_payload) {
  struct nova_mqtt_publish *b = &in->m.u.publish;
  enum member member;
  if (!has(in, M_topic))
    return bad(in, M_topic, "is missing");
  return get_boolean(in, M_dup, &b->dup) &&
         get_byte(in, M_qos, WHOLE(0, 3), &b->qos) &&
         get_boolean(in, M_retain, &b->retain) &&
         get_16(in, M_packet_id, &b->packet_id) &&
         get_string(in, M_topic, &b->topic) &&
         get_payload(in, &b->payload, &member) &&
         pad(in, &b->payload, pad_payload);
}

/* Writes one entry behind those in |raw|. */
static bool read_entry(struct input *in, struct nova_json_value v,
                       struct nova_view *raw) {
  enum nova_mqtt_type type = in->m.type;
  bool subscribe = type == NOVA_MQTT_SUBSCRIBE;
  uint32_t code = 0;
  in->place = TOP;
  if (type == NOVA_MQTT_SUBACK && !in_range(v, 0, 255, &code))
    return bad(in, M_codes,
               "has an entry that is no whole number from 0 to 255");
  if (subscribe) {
    if (v.type != NOVA_JSON_OBJECT)
      return bad(in, M_filters, "has an entry that is no object");
    if (!open_object(in, ENTRY, v, SET(filter) | SET(qos)) ||
        !get_number(in, M_qos, WHOLE(0, 255), &code))
      return false;
    if (!has(in, M_filter))
      return bad(in, M_filter, "is missing");
    v = in->value[M_filter];
  }
  size_t text = 0, n = 1;
  if (type != NOVA_MQTT_SUBACK) {
    enum member member = subscribe ? M_filter : M_filters;
    if (v.type != NOVA_JSON_STRING)
      return bad(in, member,
                 subscribe ? "is no string" : "has an entry that is no string");
    text = nova_json_string(v, NULL, 0);
    if (text > NOVA_MQTT_STRING_MAX)
      return bad(in, member,
                 subscribe ? "is longer than 65535 bytes"
                           : "has an entry of more than 65535 bytes");
    n = 2 + text + subscribe;
  }
  char *p = take(in, n);
  if (p == NULL)
    return false;
  if (type != NOVA_MQTT_SUBACK) {
    p[0] = (char)(text >> 8);
    p[1] = (char)text;
    nova_json_string(v, p + 2, text);
  }
  if (type != NOVA_MQTT_UNSUBSCRIBE)
    p[n - 1] = (char)code;
  if (raw->p == NULL)
    raw->p = p;
  raw->n += n;
  return true;
}

static bool read_list(struct input *in, enum member member) {
  struct nova_mqtt_list *l = &in->m.u.list;
  struct nova_json_value list = in->value[member], v;
  struct nova_json_iter it;
  if (list.type != NOVA_JSON_ARRAY)
    return bad(in, member,
               list.type == NOVA_JSON_NONE ? "is missing" : "is no array");
  if (!get_16(in, M_packet_id, &l->packet_id))
    return false;
  nova_json_iter_init(&it, list);
  while (nova_json_next(&it, NULL, &v))
    if (!read_entry(in, v, &l->raw))
      return false;
  return true;
}

/* Sets in->m and in->wire. */
static bool read_packet(struct input *in, uint16_t packet_id,
                        size_t pad_payload) {
  struct nova_json_value name =
      nova_json_get(in->object, nova_view_of("packet"));
  int type = NOVA_MQTT_CONNECT;
  while (type <= NOVA_MQTT_DISCONNECT &&
         !nova_json_string_is(name, nova_view_of(nova_mqtt_type_name(
                                        (enum nova_mqtt_type)type))))
    type++;
  if (in->object.type != NOVA_JSON_OBJECT)
    return refuse(in, "", "is no object");
  if (type > NOVA_MQTT_DISCONNECT)
    return bad(in, M_packet,
               name.type == NOVA_JSON_NONE ? "is missing" : "names no packet");
  in->m.type = (enum nova_mqtt_type)type;
  if (!open_object(in, TOP, in->object, members_of(in->m.type)))
    return false;
  in->wire = in->value[M_wire];
  switch (in->m.type) {
  case NOVA_MQTT_CONNECT: return read_connect(in);
  case NOVA_MQTT_CONNACK:
    return get_boolean(in, M_session_present,
                       &in->m.u.connack.session_present) &&
           get_byte(in, M_code, WHOLE(0, 255), &in->m.u.connack.code);
  case NOVA_MQTT_PUBLISH:
    in->m.u.publish.packet_id = packet_id;
    return read_publish(in, pad_payload);
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK:
    in->m.u.ack.packet_id = packet_id;
    return get_16(in, M_packet_id, &in->m.u.ack.packet_id);
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_UNSUBSCRIBE:
    in->m.u.list.packet_id = packet_id;
    return read_list(in, M_filters);
  case NOVA_MQTT_SUBACK:
    in->m.u.list.packet_id = packet_id;
    return read_list(in, M_codes);
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT:
  case NOVA_MQTT_NONE: break;
  }
  return true;
}

/* --- bytes ----------------------------------------------------------------
 */

/* What `wire` asks for. */
struct wire {
  uint8_t flags; /* over 15: those of the packet */
  bool reserved;
  uint32_t width, cut; /* width 0: as few as it takes */
  struct nova_view tail;
};

static bool read_wire(struct input *in, struct wire *w) {
  struct nova_json_value object = in->wire;
  struct nova_mqtt_publish *b = &in->m.u.publish;
  struct nova_view behind = {NULL, 0};
  uint64_t set = SET(flags) | SET(width) | SET(cut) | SET(tail);
  *w = (struct wire){.flags = 16};
  if (object.type == NOVA_JSON_NONE)
    return true;
  in->place = TOP;
  if (object.type != NOVA_JSON_OBJECT)
    return bad(in, M_wire, "is no object");
  if (in->m.type == NOVA_MQTT_CONNECT)
    set |= SET(reserved);
  if (in->m.type == NOVA_MQTT_PUBLISH)
    set |= SET(topic_tail);
  if (!open_object(in, WIRE, object, set) ||
      !get_byte(in, M_flags, WHOLE(0, 15), &w->flags) ||
      !get_boolean(in, M_reserved, &w->reserved) ||
      !get_number(in, M_width, WHOLE(1, 5), &w->width) ||
      !get_number(in, M_cut, WHOLE(0, 268435455), &w->cut) ||
      !get_hex(in, M_topic_tail, &behind) || !get_hex(in, M_tail, &w->tail))
    return false;
  if (behind.n == 0)
    return true;
  char *p = take(in, b->topic.n + behind.n);
  if (p == NULL)
    return false;
  memcpy(p, b->topic.p, b->topic.n);
  memcpy(p + b->topic.n, behind.p, behind.n);
  b->topic = (struct nova_view){p, b->topic.n + behind.n};
  return fits(in, M_topic_tail, b->topic);
}

/* The size of the shortest header of a packet of |size| bytes. */
static size_t header_size(size_t size) {
  char header[NOVA_MQTT_HEADER_MAX];
  size_t n = 2;
  while (nova_mqtt_put_header(0, (uint32_t)(size - n), 0, header) != n)
    n++;
  return n;
}

/* Appends the packet, its header changed as |w| says. */
static bool write_packet(struct input *in, const struct wire *w,
                         struct nova_buf *out) {
  char header[NOVA_MQTT_HEADER_MAX];
  size_t size, length;
  in->place = WIRE;
  if (nova_mqtt_size(&in->m, NOVA_MQTT_ANYWAY, &size) != 0)
    return refuse(in, "", "is longer than a packet can be");
  size_t natural = header_size(size), body = size - natural;
  if (w->tail.n > NOVA_MQTT_REMAINING_MAX - body)
    return bad(in, M_tail, "makes the packet longer than it can be");
  uint32_t remaining = (uint32_t)(body + w->tail.n);
  size_t n = nova_mqtt_put_header(0, remaining, w->width, header);
  if (n == 0)
    return bad(in, M_width, "has no room for the packet's length");
  size_t whole = n + body + w->tail.n;
  if (w->cut >= whole)
    return bad(in, M_cut, "leaves nothing of the packet");
  char *p = nova_buf_reserve(out, whole);
  if (p == NULL) {
    in->error =
        whole > out->max - out->len ? NOVA_ERR_LIMIT : NOVA_ERR_NO_MEMORY;
    return false;
  }
  /* No header is shorter than the packet's own, which is written so that the
   * body is in its place, and then written over. */
  char *at = p + n - natural;
  nova_mqtt_encode(&in->m, NOVA_MQTT_ANYWAY, at, size, &length);
  uint8_t first = (uint8_t)*at;
  if (w->flags <= 15)
    first = (uint8_t)((first & 0xf0) | w->flags);
  nova_mqtt_put_header(first, remaining, w->width, p);
  if (w->reserved) /* behind the protocol's name and its level */
    p[n + 2 + in->m.u.connect.protocol.n + 1] |= 1;
  if (w->tail.n != 0)
    memcpy(p + n + body, w->tail.p, w->tail.n);
  nova_buf_commit(out, whole - w->cut);
  return true;
}

int nova_mqtt_from_json(struct nova_json_value object, uint16_t packet_id,
                        size_t pad_payload, struct nova_buf *out,
                        struct nova_mqtt_json_fault *fault) {
  struct input in = {.object = object, .mem = out->mem};
  struct wire w;
  in.fault = (struct nova_mqtt_json_fault){"", "", {NULL, 0}};
  if (pad_payload > NOVA_MQTT_REMAINING_MAX) {
    refuse(&in, "payload", "is longer than a packet can be");
  } else {
    in.room = 2 * object.text.n + pad_payload + 1;
    if (read_packet(&in, packet_id, pad_payload) && read_wire(&in, &w))
      write_packet(&in, &w, out);
  }
  nova_mem_free(out->mem, in.store);
  if (fault != NULL)
    *fault = in.fault;
  return in.error;
}
