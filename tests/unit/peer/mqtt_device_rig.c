#include "mqtt_device_rig.h"

#include <criterion/criterion.h>

static void hash(struct mqtt_rig *r, const void *p, size_t n) {
  const unsigned char *c = p;
  for (size_t i = 0; i < n; i++)
    r->wire = (r->wire ^ c[i]) * UINT64_C(1099511628211);
}

static void hash_event(struct mqtt_rig *r, unsigned kind) {
  hash(r, &kind, sizeof kind);
  hash(r, &r->now, sizeof r->now);
}

void mqtt_rig_start(struct mqtt_rig *r, const struct nova_device_options *o,
                    enum nova_fault fault) {
  struct nova_device_options options = {.seed = 1};
  struct nova_fault_set faults = {{0}};
  if (o != NULL)
    options = *o;
  options.protocol = NOVA_DEVICE_MQTT;
  if (options.id.n == 0)
    options.id = nova_view_of(DEV_ID);
  options.key = nova_view_of(DEV_KEY);
  options.unix_base = DEV_UNIX * NOVA_SEC;
  if (fault < NOVA_FAULTS) {
    nova_fault_add(&faults, fault);
    options.faults = &faults;
  }
  uint64_t wire = r->wire;
  mqtt_watch *watch = r->watch;
  void *user = r->user;
  *r = (struct mqtt_rig){.d = nova_device_new(&options),
                         .granted = -1,
                         .wire = wire,
                         .watch = watch,
                         .user = user};
  cr_assert_not_null(r->d);
  nova_buf_init(&r->filters, NULL, 1 << 16);
  cr_assert_eq(nova_mqtt_stream_init(&r->in, NULL, 1 << 20), 0);
  nova_device_start(r->d, 0);
  mqtt_rig_run(r, 0);
}

void mqtt_rig_stop(struct mqtt_rig *r) {
  nova_device_free(r->d);
  nova_mqtt_stream_free(&r->in);
  nova_buf_free(&r->filters);
}

/* --- the broker ------------------------------------------------------------
 */

static void pump(struct mqtt_rig *r);

void mqtt_rig_feed(struct mqtt_rig *r, const char *p, size_t n) {
  if (!r->open)
    return;
  nova_device_feed(r->d, p, n, r->now);
  pump(r);
}

void mqtt_rig_send(struct mqtt_rig *r, const struct nova_mqtt *m) {
  static char room[1 << 20];
  size_t n = 0;
  cr_assert_eq(nova_mqtt_encode(m, NOVA_MQTT_ANYWAY, room, sizeof room, &n), 0);
  mqtt_rig_feed(r, room, n);
}

static void end(struct mqtt_rig *r) {
  r->open = r->served = false;
  r->ended_at = r->now;
  r->granted = -1;
}

void mqtt_rig_fin(struct mqtt_rig *r) {
  if (!r->open)
    return;
  nova_device_eof(r->d, r->now);
  pump(r);
}

void mqtt_rig_rst(struct mqtt_rig *r) {
  if (!r->open)
    return;
  end(r);
  nova_device_reset(r->d, r->now);
  pump(r);
}

static void answer(struct mqtt_rig *r, enum nova_mqtt_type type, uint16_t id) {
  struct nova_mqtt m = {.type = type, .u.ack = {id}};
  mqtt_rig_send(r, &m);
}

static void on_subscribe(struct mqtt_rig *r, const struct nova_mqtt *m) {
  struct nova_mqtt_entry code[8], entry;
  struct nova_mqtt_each each;
  size_t n = 0;
  nova_mqtt_each_init(&each, m);
  while (n < 8 && nova_mqtt_each_next(&each, &entry)) {
    code[n++].code = r->suback_fails ? NOVA_MQTT_SUBACK_FAILURE : entry.code;
    if (r->suback_fails)
      continue;
    r->granted = entry.code;
    cr_assert_eq(nova_buf_append(&r->filters, entry.filter.p, entry.filter.n),
                 0);
    cr_assert_eq(nova_buf_append(&r->filters, "", 1), 0);
  }
  struct nova_mqtt ack = {
      .type = NOVA_MQTT_SUBACK,
      .u.list = {.packet_id = m->u.list.packet_id, .count = n, .entry = code}};
  mqtt_rig_send(r, &ack);
}

static void serve(struct mqtt_rig *r, const struct nova_mqtt *m) {
  const struct nova_mqtt_publish *p = &m->u.publish;
  struct nova_mqtt reply = {.type = NOVA_MQTT_PINGRESP};
  switch (m->type) {
  case NOVA_MQTT_CONNECT:
    if (r->served) {
      mqtt_rig_fin(r);
      return;
    }
    if (r->no_connack)
      return;
    r->served = r->connack == 0;
    r->served_at = r->now;
    reply.type = NOVA_MQTT_CONNACK;
    reply.u.connack = (struct nova_mqtt_connack){.code = (uint8_t)r->connack};
    mqtt_rig_send(r, &reply);
    return;
  case NOVA_MQTT_SUBSCRIBE: on_subscribe(r, m); return;
  case NOVA_MQTT_UNSUBSCRIBE:
    nova_buf_clear(&r->filters);
    r->granted = -1;
    answer(r, NOVA_MQTT_UNSUBACK, m->u.list.packet_id);
    return;
  case NOVA_MQTT_PUBLISH:
    if (p->qos == 1 && !r->no_puback)
      answer(r, NOVA_MQTT_PUBACK, p->packet_id);
    else if (p->qos == 2)
      answer(r, NOVA_MQTT_PUBREC, p->packet_id);
    return;
  case NOVA_MQTT_PUBREL:
    answer(r, NOVA_MQTT_PUBCOMP, m->u.ack.packet_id);
    return;
  case NOVA_MQTT_PINGREQ:
    if (!r->no_pingresp)
      mqtt_rig_send(r, &reply);
    return;
  case NOVA_MQTT_PUBREC:
    if (!r->no_pubrel)
      answer(r, NOVA_MQTT_PUBREL, m->u.ack.packet_id);
    return;
  case NOVA_MQTT_NONE:
  case NOVA_MQTT_CONNACK:
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBACK:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT: return;
  }
}

/* The device's bytes. Stops at what ends the connection. */
static void read_bytes(struct mqtt_rig *r, struct nova_view v) {
  char *copy = malloc(v.n);
  unsigned connection = r->connects;
  cr_assert_not_null(copy);
  memcpy(copy, v.p, v.n);
  for (size_t at = 0, used; at < v.n && r->open && r->connects == connection;
       at += used) {
    struct nova_mqtt_out out;
    struct nova_mqtt m = {.type = NOVA_MQTT_NONE};
    int event = nova_mqtt_stream_feed(&r->in, copy + at, v.n - at, &used, &out);
    cr_assert_neq(event, NOVA_ERR_NO_MEMORY);
    if (event == NOVA_MQTT_MORE)
      continue;
    int err = event == NOVA_MQTT_PACKET
                  ? nova_mqtt_decode(out.packet.p, out.packet.n, &m, NULL)
                  : NOVA_ERR_MQTT_LENGTH;
    if (r->watch != NULL)
      r->watch(r, &m, err, out.packet);
    if (err == 0)
      serve(r, &m);
    else
      mqtt_rig_fin(r);
    if (event < 0)
      break;
  }
  free(copy);
}

/* --- the device ------------------------------------------------------------
 */

static void take(struct mqtt_rig *r, const struct nova_device_out *out) {
  cr_assert_not(r->exited, "something follows its end");
  hash_event(r, (unsigned)out->kind);
  switch (out->kind) {
  case NOVA_DEVICE_CONNECT:
    cr_assert_not(r->open, "it connects while it is connected");
    r->connects++;
    r->asks = true;
    r->asked = r->now;
    return;
  case NOVA_DEVICE_SEND:
    cr_assert(r->open, "it sends without a connection");
    cr_assert_gt(out->bytes.n, 0);
    hash(r, out->bytes.p, out->bytes.n);
    r->writes++;
    r->last = r->now;
    read_bytes(r, out->bytes);
    return;
  case NOVA_DEVICE_CLOSE:
  case NOVA_DEVICE_RESET:
    cr_assert(r->open);
    end(r);
    r->closed = out->kind == NOVA_DEVICE_CLOSE;
    r->reset = !r->closed;
    return;
  case NOVA_DEVICE_EXIT:
    r->exited = true;
    r->code = out->code;
    if (r->open)
      end(r);
    return;
  }
}

/* What the broker says in return makes more output: each is taken with a copy
 * of its own, in order. */
static void pump(struct mqtt_rig *r) {
  struct nova_device_out out;
  static int depth;
  if (depth > 0)
    return;
  depth++;
  while (nova_device_next_output(r->d, &out)) {
    struct nova_device_out copy = out;
    char *p = malloc(out.bytes.n + 1);
    cr_assert_not_null(p);
    if (out.bytes.n > 0)
      memcpy(p, out.bytes.p, out.bytes.n);
    copy.bytes.p = p;
    if (out.kind == NOVA_DEVICE_SEND)
      nova_device_sent(r->d);
    take(r, &copy);
    free(p);
  }
  depth--;
}

static void accept_it(struct mqtt_rig *r) {
  r->asks = false;
  r->open = true;
  r->closed = r->reset = r->served = false;
  r->opened_at = r->last = r->now;
  r->granted = -1;
  nova_buf_clear(&r->filters);
  nova_mqtt_stream_free(&r->in);
  cr_assert_eq(nova_mqtt_stream_init(&r->in, NULL, 1 << 20), 0);
  nova_device_connected(r->d, r->now);
  if (r->refuses)
    nova_device_eof(r->d, r->now);
  pump(r);
}

void mqtt_rig_run(struct mqtt_rig *r, nova_ts span) {
  nova_ts to = r->now + span;
  unsigned idle = 0;
  pump(r);
  for (;;) {
    if (r->asks)
      accept_it(r);
    nova_ts when = nova_device_next_deadline(r->d);
    if (r->asks)
      continue;
    if (when > to)
      break;
    r->now = when > r->now ? when : r->now;
    nova_device_expire(r->d, r->now);
    pump(r);
    /* What is due must be done, or a loop would spin; what the broker answers
     * can make something more due. */
    idle = nova_device_next_deadline(r->d) > r->now ? 0 : idle + 1;
    cr_assert_lt(idle, 10);
  }
  r->now = to > r->now ? to : r->now;
}

bool mqtt_rig_serve(struct mqtt_rig *r, nova_ts span) {
  nova_ts until = r->now + span;
  while (!r->served && r->now < until) {
    nova_ts when = nova_device_next_deadline(r->d);
    mqtt_rig_run(r, when < until ? (when > r->now ? when - r->now : 0)
                                 : until - r->now);
  }
  return r->served;
}

int mqtt_rig_publish(struct mqtt_rig *r, const char *topic,
                     struct nova_view payload, uint8_t qos) {
  bool covered = false;
  for (size_t at = 0; r->open && at < r->filters.len;) {
    struct nova_view f = nova_view_of(r->filters.data + r->filters.head + at);
    covered |= nova_mqtt_match(f, nova_view_of(topic));
    at += f.n + 1;
  }
  if (!covered)
    return -1;
  if (r->granted < qos)
    qos = (uint8_t)r->granted;
  uint16_t id = qos > 0 ? ++r->last_id : 0;
  struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH,
                        .u.publish = {.qos = qos,
                                      .packet_id = id,
                                      .topic = nova_view_of(topic),
                                      .payload = payload}};
  mqtt_rig_send(r, &m);
  return id;
}

int mqtt_rig_command(struct mqtt_rig *r, const char *payload) {
  return mqtt_rig_publish(r, MQTT_TOPIC("command"), nova_view_of(payload), 1);
}
