#include "mqtt_support.h"
#include "support.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>

const char *const mqtt_samples[] = {
    "10 0d 0004 'MQTT' 04 02 003c 0001 'a'",
    "10 0c 0004 'MQTT' 04 02 0000 0000",
    "10 1d 0004 'MQTT' 04 f6 003c 0001 'a' 0003 'w/t' 0001 'm' 0002 'us' 0002 "
    "'pw'",
    "20 02 01 00",
    "20 02 00 05",
    "30 08 0003 'a/b' 'xyz'",
    "30 07 0003 'a/b' 0000",
    "33 0a 0003 'a/b' 1234 'xyz'",
    "3c 07 0003 'a/b' ffff",
    "40 02 0001",
    "50 02 8000",
    "62 02 0100",
    "70 02 ffff",
    "82 0e 0002 0003 'a/b' 02 0003 '+/#' 00",
    "90 06 0002 00 01 02 80",
    "a2 09 0003 0001 '#' 0002 '/+'",
    "b0 02 0001",
    "c0 00",
    "d0 00",
    "e0 00",
    NULL,
};

static unsigned digit(char c) {
  cr_assert(isxdigit((unsigned char)c), "'%c' is no digit", c);
  return (unsigned)(isdigit((unsigned char)c) ? c - '0'
                                              : tolower(c) - 'a' + 10);
}

struct nova_view bytes_of(const char *notation) {
  static char store[8][256];
  static size_t next;
  char *to = store[next++ % 8];
  size_t n = 0;
  bool text = false;
  for (const char *p = notation; *p != '\0'; p++) {
    cr_assert_lt(n, sizeof store[0]);
    if (*p == '\'')
      text = !text;
    else if (text)
      to[n++] = *p;
    else if (*p != ' ') {
      to[n++] = (char)(digit(p[0]) << 4 | digit(p[1]));
      p++;
    }
  }
  return (struct nova_view){to, n};
}

int decode_copy(struct nova_view packet, struct nova_mqtt *m,
                struct nova_fault_at *at) {
  char *copy = exact_copy(packet);
  int error = nova_mqtt_decode(copy, packet.n, m, at);
  if (at != NULL)
    cr_assert_eq(at->code, error);
  free(copy);
  return error;
}

static bool same_presence(struct nova_view a, struct nova_view b) {
  return (a.p == NULL) == (b.p == NULL) && nova_view_eq(a, b);
}

static bool same_connect(const struct nova_mqtt_connect *a,
                         const struct nova_mqtt_connect *b) {
  return nova_view_eq(a->protocol, b->protocol) && a->level == b->level &&
         a->clean_session == b->clean_session && a->will_qos == b->will_qos &&
         a->will_retain == b->will_retain && a->keep_alive == b->keep_alive &&
         nova_view_eq(a->client_id, b->client_id) &&
         same_presence(a->will_topic, b->will_topic) &&
         same_presence(a->will_message, b->will_message) &&
         same_presence(a->user_name, b->user_name) &&
         same_presence(a->password, b->password);
}

static bool same_list(const struct nova_mqtt *a, const struct nova_mqtt *b) {
  if (a->u.list.packet_id != b->u.list.packet_id ||
      a->u.list.count != b->u.list.count)
    return false;
  struct nova_mqtt_each i, k;
  nova_mqtt_each_init(&i, a);
  nova_mqtt_each_init(&k, b);
  struct nova_mqtt_entry x, y;
  for (size_t n = 0; n < a->u.list.count; n++)
    if (!nova_mqtt_each_next(&i, &x) || !nova_mqtt_each_next(&k, &y) ||
        !nova_view_eq(x.filter, y.filter) || x.code != y.code)
      return false;
  return !nova_mqtt_each_next(&i, &x) && !nova_mqtt_each_next(&k, &y);
}

bool same_packet(const struct nova_mqtt *a, const struct nova_mqtt *b) {
  if (a->type != b->type)
    return false;
  const struct nova_mqtt_publish *x = &a->u.publish, *y = &b->u.publish;
  switch (a->type) {
  case NOVA_MQTT_CONNECT: return same_connect(&a->u.connect, &b->u.connect);
  case NOVA_MQTT_CONNACK:
    return a->u.connack.session_present == b->u.connack.session_present &&
           a->u.connack.code == b->u.connack.code;
  case NOVA_MQTT_PUBLISH:
    return x->dup == y->dup && x->retain == y->retain && x->qos == y->qos &&
           x->packet_id == y->packet_id && nova_view_eq(x->topic, y->topic) &&
           nova_view_eq(x->payload, y->payload);
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK: return a->u.ack.packet_id == b->u.ack.packet_id;
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBSCRIBE: return same_list(a, b);
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT:
  case NOVA_MQTT_NONE: break;
  }
  return true;
}

/* Bytes of the packet that is made. */
static char pool[65536];
static size_t pool_used;

static struct nova_view random_text(struct nova_rng *r, size_t least,
                                    const char *const *parts, size_t n) {
  struct nova_view v = {pool + pool_used, 0};
  size_t count = least + nova_rng_below(r, 12);
  for (size_t i = 0; i < count; i++) {
    const char *part = parts[nova_rng_below(r, n)];
    size_t length = strlen(part);
    memcpy(pool + pool_used, part, length);
    pool_used += length;
    v.n += length;
  }
  return v;
}

static struct nova_view random_string(struct nova_rng *r, size_t least) {
  static const char *const parts[] = {"a",
                                      "Z",
                                      "7",
                                      "/",
                                      "$",
                                      " ",
                                      "\xc3\xa9",
                                      "\xe6\xb8\xa9",
                                      "\x01",
                                      "\t",
                                      "\xef\xbb\xbf",
                                      "\xef\xbf\xbe",
                                      "\xf0\x9f\x8c\xa1"};
  return random_text(r, least, parts, sizeof parts / sizeof *parts);
}

static struct nova_view random_bytes(struct nova_rng *r) {
  struct nova_view v = {pool + pool_used, nova_rng_below(r, 300)};
  for (size_t i = 0; i < v.n; i++)
    pool[pool_used++] = (char)nova_rng_next(r);
  return v;
}

static struct nova_view random_filter(struct nova_rng *r) {
  static const char *const parts[] = {"+/", "a/", "/", "\xe6\xb8\xa9/", "$x/"};
  struct nova_view v = random_text(r, 0, parts, 5);
  static const char *const ends[] = {"#", "+", "b", "/"};
  const char *end = ends[nova_rng_below(r, 4)];
  pool[pool_used++] = *end;
  v.n++;
  return v;
}

static uint16_t random_id(struct nova_rng *r) {
  return (uint16_t)(1 + nova_rng_below(r, 65535));
}

static void random_connect(struct nova_rng *r, struct nova_mqtt_connect *c) {
  *c = (struct nova_mqtt_connect){
      .protocol = nova_view_of("MQTT"),
      .level = 4,
      .clean_session = nova_rng_below(r, 2) != 0,
      .keep_alive = (uint16_t)nova_rng_next(r),
  };
  c->client_id = random_string(r, 0);
  if (nova_rng_below(r, 2) != 0) {
    c->will_topic = random_string(r, 1);
    c->will_message = random_bytes(r);
    c->will_qos = (uint8_t)nova_rng_below(r, 3);
    c->will_retain = nova_rng_below(r, 2) != 0;
  }
  if (nova_rng_below(r, 2) != 0) {
    c->user_name = random_string(r, 0);
    if (nova_rng_below(r, 2) != 0)
      c->password = random_bytes(r);
  }
}

static void random_list(struct nova_rng *r, struct nova_mqtt *m) {
  static struct nova_mqtt_entry entry[20];
  static const uint8_t codes[] = {0, 1, 2, 0x80};
  struct nova_mqtt_list *l = &m->u.list;
  l->packet_id = random_id(r);
  l->count = 1 + nova_rng_below(r, 20);
  l->entry = entry;
  for (size_t i = 0; i < l->count; i++) {
    entry[i] = (struct nova_mqtt_entry){.code = 0};
    if (m->type != NOVA_MQTT_SUBACK)
      entry[i].filter = random_filter(r);
    if (m->type == NOVA_MQTT_SUBSCRIBE)
      entry[i].code = (uint8_t)nova_rng_below(r, 3);
    if (m->type == NOVA_MQTT_SUBACK)
      entry[i].code = codes[nova_rng_below(r, 4)];
  }
}

struct nova_mqtt random_packet(struct nova_rng *r) {
  struct nova_mqtt m = {.type =
                            (enum nova_mqtt_type)(1 + nova_rng_below(r, 14))};
  pool_used = 0;
  switch (m.type) {
  case NOVA_MQTT_CONNECT: random_connect(r, &m.u.connect); break;
  case NOVA_MQTT_CONNACK:
    m.u.connack.code = (uint8_t)nova_rng_below(r, 6);
    m.u.connack.session_present =
        m.u.connack.code == 0 && nova_rng_below(r, 2) != 0;
    break;
  case NOVA_MQTT_PUBLISH:
    m.u.publish.qos = (uint8_t)nova_rng_below(r, 3);
    m.u.publish.dup = m.u.publish.qos != 0 && nova_rng_below(r, 2) != 0;
    m.u.publish.retain = nova_rng_below(r, 2) != 0;
    m.u.publish.packet_id = m.u.publish.qos != 0 ? random_id(r) : 0;
    m.u.publish.topic = random_string(r, 1);
    m.u.publish.payload = random_bytes(r);
    break;
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK: m.u.ack.packet_id = random_id(r); break;
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBSCRIBE: random_list(r, &m); break;
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT:
  case NOVA_MQTT_NONE: break;
  }
  return m;
}

struct nova_view encoded(const struct nova_mqtt *m, enum nova_mqtt_how how) {
  static char *store;
  size_t size, length;
  int error = nova_mqtt_size(m, how, &size);
  cr_assert_eq(error, 0, "%s", nova_error_name(error));
  free(store);
  store = malloc(size);
  cr_assert_not_null(store);
  /* The size is exact: one byte less does not do. */
  cr_assert_eq(nova_mqtt_encode(m, how, store, size - 1, &length),
               NOVA_ERR_NO_SPACE);
  cr_assert_eq(nova_mqtt_encode(m, how, store, size, &length), 0);
  cr_assert_eq(length, size);
  return (struct nova_view){store, size};
}
