/* The reference device over MQTT: packets. Guide 2.1, 2.3 to 2.6. */
#include "peer/device_state.h"

#include "codec/payload.h"

#include <stdio.h>

void nova__device_mqtt_flush(struct nova_device *d, nova_ts late) {
  struct nova_view v;
  bool any = false;
  while (nova__device_is_open(d->state) &&
         nova_mqtt_client_next_output(d->mqtt, &v)) {
    nova__device_post(d, v.p, v.n, late);
    any = true;
  }
  if (any)
    nova__device_mqtt_sent(d);
}

/* Sends a packet that is right. */
static void give(struct nova_device *d, struct nova_mqtt *m, nova_ts late) {
  if (!nova__device_is_open(d->state))
    return;
  int err = nova_mqtt_client_send(d->mqtt, m, NOVA_MQTT_STRICT, d->now);
  /* No id is free, no memory, or a topic that is too long. */
  if (err != 0)
    nova__device_give_up(d);
  else
    nova__device_mqtt_flush(d, late);
}

void nova__device_mqtt_bare(struct nova_device *d, enum nova_mqtt_type type) {
  struct nova_mqtt m = {.type = type};
  give(d, &m, 0);
}

void nova__device_mqtt_puback(struct nova_device *d, uint16_t id,
                              nova_ts late) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PUBACK, .u.ack = {id}};
  give(d, &m, late);
}

/* --- packets that are wrong ------------------------------------------------
 */

/* Encodes a packet into |packet|, wrong or not; its header is read to |h|.
 * False without memory. */
static bool encode(struct nova_device *d, const struct nova_mqtt *m,
                   struct nova_mqtt_header *h) {
  size_t size = 0, n = 0;
  nova_buf_clear(&d->packet);
  if (nova_mqtt_size(m, NOVA_MQTT_ANYWAY, &size) != 0)
    return false;
  char *room = nova_buf_reserve(&d->packet, size);
  if (room == NULL ||
      nova_mqtt_encode(m, NOVA_MQTT_ANYWAY, room, size, &n) != 0)
    return false;
  nova_buf_commit(&d->packet, n);
  return nova_mqtt_header_read(room, n, h) == NOVA_MQTT_PACKET;
}

static char *packet_at(struct nova_device *d, size_t offset) {
  return d->packet.data + d->packet.head + offset;
}

/* Sends |packet|, past the client. */
static void send_packet(struct nova_device *d) {
  struct nova_view v = nova_buf_view(&d->packet);
  nova__device_post(d, v.p, v.n, 0);
  if (!nova__device_is_open(d->state))
    return;
  nova_mqtt_client_wrote(d->mqtt, v.p, v.n, d->now);
  nova__device_mqtt_sent(d);
}

/* Puts another header before what follows that of |packet|. */
static bool change_header(struct nova_device *d,
                          const struct nova_mqtt_header *h, uint32_t remaining,
                          unsigned width) {
  char header[NOVA_MQTT_HEADER_MAX];
  size_t n = nova_mqtt_put_header(h->first, remaining, width, header);
  struct nova_buf *b = &d->packet;
  if (n < h->size && n > 0) {
    nova_buf_consume(b, h->size - n);
  } else if (n > h->size) {
    size_t more = n - h->size, old = b->len;
    if (nova_buf_append(b, header, more) != 0)
      return false;
    char *p = packet_at(d, 0);
    memmove(p + n, p + h->size, old - h->size);
  }
  memcpy(packet_at(d, 0), header, n);
  return n > 0;
}

/* --- CONNECT ---------------------------------------------------------------
 */

/* DM_LEVEL_5: an empty list of properties behind the keep-alive, and another
 * before the topic of the will. */
static bool add_properties(struct nova_device *d,
                           const struct nova_mqtt_header *h,
                           size_t client_id_size) {
  struct nova_buf *b = &d->packet;
  size_t first = h->size + 10, second = first + 2 + client_id_size + 1;
  if (nova_buf_append(b, "\0", 2) != 0)
    return false;
  char *p = packet_at(d, 0);
  memmove(p + first + 1, p + first, b->len - 1 - first);
  p[first] = 0;
  memmove(p + second + 1, p + second, b->len - 1 - second);
  p[second] = 0;
  return change_header(d, h, h->remaining + 2, 0);
}

/* CONNECT as it is and as no library would send it. */
static void send_odd_connect(struct nova_device *d, const struct nova_mqtt *m) {
  struct nova_mqtt_header h;
  bool good = encode(d, m, &h);
  if (good && NOVA__DEVICE_HAS(d, DM_CONNECT_RESERVED))
    *packet_at(d, h.size + 7) |= 1;
  if (good && NOVA__DEVICE_HAS(d, DM_CONNECT_LENGTH)) {
    size_t n = m->u.connect.password.n + 1;
    char *p = packet_at(d, d->packet.len - m->u.connect.password.n - 2);
    p[0] = (char)(n >> 8);
    p[1] = (char)n;
  }
  if (good && NOVA__DEVICE_HAS(d, DM_LEVEL_5))
    good = add_properties(d, &h, m->u.connect.client_id.n);
  if (good)
    send_packet(d);
  else
    nova__device_give_up(d);
}

static void set_protocol(const struct nova_device *d,
                         struct nova_mqtt_connect *c) {
  if (NOVA__DEVICE_HAS(d, DM_LEVEL_3)) {
    c->protocol = nova_view_of("MQTT");
    c->level = 3;
  } else if (NOVA__DEVICE_HAS(d, DM_MQISDP)) {
    c->protocol = nova_view_of("MQIsdp");
    c->level = 3;
  } else if (NOVA__DEVICE_HAS(d, DM_LEVEL_5)) {
    c->protocol = nova_view_of("MQTT");
    c->level = 5;
  }
}

/* What is there though it is empty. */
static struct nova_view empty(void) {
  return (struct nova_view){"", 0};
}

static void set_login(const struct nova_device *d,
                      struct nova_mqtt_connect *c) {
  const struct nova_view none = {NULL, 0};
  struct nova_view key = d->options.key;
  c->user_name = d->shown_id; /* in lower case under DM_USERNAME_LOWER */
  c->password = key;
  if (NOVA__DEVICE_HAS(d, DM_LOGIN_SWAPPED)) {
    c->password = c->user_name;
    c->user_name = key;
  }
  if (NOVA__DEVICE_HAS(d, DM_NO_LOGIN))
    c->user_name = c->password = none;
  if (NOVA__DEVICE_HAS(d, DM_USERNAME_CLIENT_ID))
    c->user_name = d->client_id;
  if (NOVA__DEVICE_HAS(d, DM_PASSWORD_EMPTY))
    c->password = empty();
  if (NOVA__DEVICE_HAS(d, DM_PASSWORD_MISSING))
    c->password = none;
  if (NOVA__DEVICE_HAS(d, DM_PASSWORD_EXAMPLE))
    c->password = nova_view_of("your_device_key_here");
  if (NOVA__DEVICE_HAS(d, DM_PASSWORD_CUT))
    c->password.n--;
}

static size_t will_topic(const struct nova_device *d, char *topic, size_t cap) {
  if (NOVA__DEVICE_HAS(d, DM_WILL_ON_CLIENT))
    return nova_topic_write(NOVA_CHANNEL_STATUS, d->client_id, topic, cap);
  return nova_topic_write(NOVA__DEVICE_HAS(d, DM_WILL_ON_DATA)
                              ? NOVA_CHANNEL_DATA
                              : NOVA_CHANNEL_STATUS,
                          d->options.id, topic, cap);
}

/* |topic|: room for it. False without memory. */
static bool set_will(struct nova_device *d, struct nova_mqtt_connect *c,
                     char *topic, size_t cap) {
  if (NOVA__DEVICE_HAS(d, DM_NO_WILL) ||
      (NOVA__DEVICE_HAS(d, DM_WILL_ONCE) && d->connections > 1))
    return true;
  if (nova__device_mqtt_will(d) != 0)
    return false;
  c->will_topic = (struct nova_view){topic, will_topic(d, topic, cap)};
  c->will_message = nova_buf_view(&d->payload);
  c->will_qos = 1;
  if (NOVA__DEVICE_HAS(d, DM_WILL_QOS_0))
    c->will_qos = 0;
  if (NOVA__DEVICE_HAS(d, DM_WILL_QOS_2))
    c->will_qos = 2;
  c->will_retain = NOVA__DEVICE_HAS(d, DM_WILL_RETAINED);
  return true;
}

void nova__device_mqtt_connect(struct nova_device *d) {
  char topic[NOVA_TOPIC_MAX + 300]; /* one fault's has the client id */
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNECT};
  struct nova_mqtt_connect *c = &m.u.connect;
  c->clean_session = !NOVA__DEVICE_HAS(d, V_DM_KEPT_SESSION);
  c->keep_alive = nova__device_mqtt_keep_alive(d);
  c->client_id =
      NOVA__DEVICE_HAS(d, DM_CLIENT_ID_EMPTY) ? empty() : d->client_id;
  set_protocol(d, c);
  set_login(d, c);
  if (!set_will(d, c, topic, sizeof topic))
    nova__device_give_up(d);
  else if (c->protocol.p != NULL || NOVA__DEVICE_HAS(d, DM_CONNECT_RESERVED) ||
           NOVA__DEVICE_HAS(d, DM_CONNECT_LENGTH))
    send_odd_connect(d, &m);
  else
    give(d, &m, 0);
}

/* --- SUBSCRIBE -------------------------------------------------------------
 */

/* The guide's device, or another if it is that. */
static const char *example_id(const struct nova_device *d) {
  return nova_view_is(d->options.id, "DEV-123456") ? "DEV-654321"
                                                   : "DEV-123456";
}

/* The filter, into |packet|, which is room for it. */
static int put_filter(struct nova_device *d) {
  struct nova_view id = d->options.id;
  const char *end = "/command";
  nova_buf_clear(&d->packet);
  if (NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_ALL))
    return nova_buf_puts(&d->packet, "#");
  if (NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_EXAMPLE))
    id = nova_view_of(example_id(d));
  if (NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_DEVICES))
    id = nova_view_of("+");
  if (NOVA__DEVICE_HAS(d, V_DM_FILTER_PLUS))
    end = "/+";
  if (NOVA__DEVICE_HAS(d, V_DM_FILTER_HASH))
    end = "/#";
  int err = nova_buf_puts(&d->packet, NOVA_TOPIC_PREFIX);
  if (err == 0)
    err = nova_buf_append(&d->packet, id.p, id.n);
  return err != 0 ? err : nova_buf_puts(&d->packet, end);
}

static uint8_t wanted_qos(const struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_QOS_0))
    return 0;
  return NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_QOS_2) ? 2 : 1;
}

/* DM_SUBSCRIBE_FLAGS, DM_SUBSCRIBE_LATIN1 */
static void subscribe_wrongly(struct nova_device *d, struct nova_mqtt *m) {
  struct nova_mqtt_header h;
  m->u.list.packet_id = nova_mqtt_client_take_id(d->mqtt);
  if (!encode(d, m, &h)) {
    nova__device_give_up(d);
    return;
  }
  if (NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_FLAGS))
    *packet_at(d, 0) &= (char)0xf0;
  send_packet(d);
}

void nova__device_mqtt_subscribe(struct nova_device *d) {
  char filter[NOVA_TOPIC_MAX + 40], more[NOVA_TOPIC_MAX + 40];
  struct nova_view id = d->options.id;
  bool two = NOVA__DEVICE_HAS(d, V_DM_TWO_FILTERS);
  bool latin1 = NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_LATIN1);
  if (put_filter(d) != 0) {
    nova__device_give_up(d);
    return;
  }
  struct nova_view v = nova_buf_view(&d->packet);
  memcpy(filter, v.p, v.n);
  int n = snprintf(more, sizeof more, NOVA_TOPIC_PREFIX "%.*s/%s", (int)id.n,
                   id.p, latin1 ? "M\xfcnchen" : "update");
  struct nova_mqtt_entry entry[2] = {{{filter, v.n}, wanted_qos(d)},
                                     {{more, (size_t)n}, 1}};
  struct nova_mqtt m = {.type = NOVA_MQTT_SUBSCRIBE,
                        .u.list = {.count = two ? 2 : 1, .entry = entry}};
  d->subscribed = true;
  if (NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_FLAGS)) {
    subscribe_wrongly(d, &m);
    return;
  }
  give(d, &m, 0);
  if (!latin1 || !nova__device_is_open(d->state))
    return;
  m.u.list = (struct nova_mqtt_list){.count = 1, .entry = &entry[1]};
  subscribe_wrongly(d, &m);
}

void nova__device_mqtt_unsubscribe(struct nova_device *d) {
  char topic[NOVA_TOPIC_MAX];
  size_t n = nova_topic_write(NOVA_CHANNEL_COMMAND, d->options.id, topic,
                              sizeof topic);
  struct nova_mqtt_entry entry = {{topic, n}, 0};
  struct nova_mqtt m = {.type = NOVA_MQTT_UNSUBSCRIBE,
                        .u.list = {.count = 1, .entry = &entry}};
  give(d, &m, 0);
}

/* --- PUBLISH ---------------------------------------------------------------
 */

/* DM_PACKET_ID_0, DM_LENGTH_5 */
static void publish_wrongly(struct nova_device *d, struct nova_mqtt *m) {
  struct nova_mqtt_header h;
  bool length = NOVA__DEVICE_HAS(d, DM_LENGTH_5);
  if (length)
    m->u.publish.packet_id = nova_mqtt_client_take_id(d->mqtt);
  if (encode(d, m, &h) && (!length || change_header(d, &h, h.remaining, 5)))
    send_packet(d);
  else
    nova__device_give_up(d);
}

void nova__device_mqtt_publish(struct nova_device *d,
                               const struct nova__device_publish *p,
                               struct nova_view payload) {
  char topic[NOVA_TOPIC_MAX + 300];
  int n = snprintf(topic, sizeof topic, "%s%.*s/%s",
                   p->prefix != NULL ? p->prefix : NOVA_TOPIC_PREFIX,
                   (int)p->id.n, p->id.p, p->name);
  struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH,
                        .u.publish = {.qos = p->qos,
                                      .retain = p->retain,
                                      .topic = {topic, (size_t)n},
                                      .payload = payload}};
  if (p->of_data &&
      (NOVA__DEVICE_HAS(d, DM_PACKET_ID_0) || NOVA__DEVICE_HAS(d, DM_LENGTH_5)))
    publish_wrongly(d, &m);
  else
    give(d, &m, p->late);
}
