#include "peer/broker_state.h"

#include "base/unreachable.h"

void nova__broker_malformed(struct nova_broker *b, struct nova__bconn *c,
                            int code) {
  if (!b->faulty || !nova__bug_spares(b, c, code))
    nova__broker_end(b, c, NOVA_BROKER_MALFORMED, code, NOVA__B_FINAL_CLOSE);
}

static void on_publish(struct nova_broker *b, struct nova__bconn *c,
                       const struct nova_mqtt_publish *u) {
  const struct nova_broker_owner *o = &b->options.owner;
  struct nova__bpass p = {.m = {.topic = u->topic,
                                .payload = u->payload,
                                .qos = u->qos,
                                .retain = u->retain},
                          .client = true};
  /* Once however often it comes, until PUBREL (4.3.3). */
  int fresh = u->qos == 2 ? nova__broker_take(b, c->session, u->packet_id) : 1;
  int error = fresh < 0 ? fresh : 0;
  if (fresh > 0 &&
      (o->publish == NULL || o->publish(o->user, c->conn, false, &p.m)))
    error = b->faulty ? nova__bug_route(b, c, &p) : nova__broker_route(b, &p);
  nova__broker_msg_unref(b, p.kept);
  if (error != 0)
    nova__broker_no_memory(b, c);
  else if (u->qos != 0)
    nova__broker_put_ack(
        b, c, u->qos == 1 ? NOVA_MQTT_PUBACK : NOVA_MQTT_PUBREC, u->packet_id);
}

static void on_subscribe(struct nova_broker *b, struct nova__bconn *c,
                         const struct nova_mqtt *m) {
  const struct nova_broker_owner *o = &b->options.owner;
  struct nova_mqtt_each each;
  struct nova_mqtt_entry e;
  nova_buf_clear(&b->codes);
  nova_mqtt_each_init(&each, m);
  while (nova_mqtt_each_next(&each, &e)) {
    uint8_t code = e.code;
    int error = 0;
    if (o->subscribe != NULL)
      code = o->subscribe(o->user, c->conn, e.filter, e.code);
    if (code <= 2)
      error = nova__btree_add(&b->tree, c->session, e.filter, code,
                              b->options.subscriptions_most);
    if (error == NOVA_ERR_LIMIT)
      code = NOVA_MQTT_SUBACK_FAILURE;
    if (error == NOVA_ERR_NO_MEMORY ||
        nova_buf_append(&b->codes, &code, 1) != 0) {
      nova__broker_no_memory(b, c);
      return;
    }
  }
  struct nova_mqtt answer = {.type = NOVA_MQTT_SUBACK,
                             .u.list = {.packet_id = m->u.list.packet_id,
                                        .raw = nova_buf_view(&b->codes)}};
  nova__broker_put(b, c, &answer);
  /* What is retained comes behind (3.3.1-6). */
  struct nova_view codes = nova_buf_view(&b->codes);
  nova_mqtt_each_init(&each, m);
  for (size_t i = 0;
       c->state != NOVA__B_ENDED && nova_mqtt_each_next(&each, &e); i++)
    if ((uint8_t)codes.p[i] <= 2)
      nova__broker_send_retained(b, c->session, e.filter, (uint8_t)codes.p[i]);
}

static void on_unsubscribe(struct nova_broker *b, struct nova__bconn *c,
                           const struct nova_mqtt *m) {
  struct nova_mqtt_each each;
  struct nova_mqtt_entry e;
  nova_mqtt_each_init(&each, m);
  while (nova_mqtt_each_next(&each, &e))
    nova__btree_remove(&b->tree, c->session, e.filter);
  nova__broker_put_ack(b, c, NOVA_MQTT_UNSUBACK, m->u.list.packet_id);
}

static void on_disconnect(struct nova_broker *b, struct nova__bconn *c) {
  if (!NOVA__BHAS(b, B_WILL_AFTER_DISCONNECT)) {
    nova__broker_msg_unref(b, c->will); /* 3.14.4-3 */
    c->will = NULL;
  }
  if (NOVA__BHAS(b, V_B_DISCONNECT_STAYS)) {
    c->deaf = true;
    return;
  }
  nova__broker_end(b, c, NOVA_BROKER_DISCONNECTED, 0, NOVA__B_FINAL_CLOSE);
}

/* A packet of who is not connected; true where it is to be handled all the
 * same. */
static bool first_packet(struct nova_broker *b, struct nova__bconn *c,
                         const struct nova_mqtt *m, int error) {
  static const struct nova_mqtt_connect anonymous = {.clean_session = true};
  if (m->type == NOVA_MQTT_CONNECT) {
    nova__broker_connect(b, c, m, error);
    return false;
  }
  if (NOVA__BHAS(b, B_FIRST_SKIPPED))
    return false;
  if (error != 0 || !NOVA__BHAS(b, B_FIRST_SERVED)) { /* 3.1.0-1 */
    nova__broker_malformed(b, c, error != 0 ? error : NOVA_ERR_STATE);
    return false;
  }
  c->withheld |= 1u << NOVA_MQTT_CONNACK;
  nova__broker_admit(b, c, &anonymous);
  return c->state == NOVA__B_CONNECTED;
}

/* What only a server says, or what was said before. */
static void out_of_place(struct nova_broker *b, struct nova__bconn *c,
                         enum nova_mqtt_type type) {
  struct nova_mqtt accepted = {.type = NOVA_MQTT_CONNACK};
  if (type == NOVA_MQTT_CONNECT && NOVA__BHAS(b, B_SECOND_CONNECT))
    nova__broker_put(b, c, &accepted);
  else
    nova__broker_malformed(b, c, NOVA_ERR_STATE);
}

void nova__broker_packet(struct nova_broker *b, struct nova__bconn *c,
                         const struct nova_mqtt_out *out) {
  struct nova_mqtt m;
  int error = nova_mqtt_decode(out->packet.p, out->packet.n, &m, NULL);
  if (b->faulty)
    error = nova__bug_decode(b, out->packet, &m, error);
  if (!b->faulty || nova__bug_counts(b, m.type))
    c->last = b->now;
  if (c->state == NOVA__B_NEW && !first_packet(b, c, &m, error))
    return;
  if (error != 0) {
    nova__broker_malformed(b, c, error);
    return;
  }
  switch (m.type) {
  case NOVA_MQTT_PUBLISH: on_publish(b, c, &m.u.publish); return;
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBCOMP:
    nova__broker_acked(b, c, m.type, m.u.ack.packet_id);
    return;
  case NOVA_MQTT_PUBREL:
    nova__broker_untake(b, c->session, m.u.ack.packet_id);
    nova__broker_put_ack(b, c, NOVA_MQTT_PUBCOMP, m.u.ack.packet_id);
    return;
  case NOVA_MQTT_SUBSCRIBE: on_subscribe(b, c, &m); return;
  case NOVA_MQTT_UNSUBSCRIBE: on_unsubscribe(b, c, &m); return;
  case NOVA_MQTT_PINGREQ: {
    struct nova_mqtt answer = {.type = NOVA_MQTT_PINGRESP};
    nova__broker_put(b, c, &answer);
    return;
  }
  case NOVA_MQTT_DISCONNECT: on_disconnect(b, c); return;
  case NOVA_MQTT_CONNECT: /* 3.1.0-2 */
  case NOVA_MQTT_CONNACK:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBACK:
  case NOVA_MQTT_PINGRESP: out_of_place(b, c, m.type); return;
  case NOVA_MQTT_NONE: break;
  }
  nova_unreachable();
}
