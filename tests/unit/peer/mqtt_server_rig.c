#include "mqtt_server_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

void mrig_start_with(struct mrig *m,
                     const struct nova_server_options *options) {
  struct nova_server_options o = *options;
  o.platform = (struct nova_credential){nova_view_of(PLATFORM),
                                        nova_view_of(PLATFORM_KEY)};
  *m = (struct mrig){.id = 0};
  rig_start_with(&m->r, &o);
  nova_buf_init(&m->bytes, NULL, (size_t)1 << 20);
}

void mrig_start(struct mrig *m, enum nova_fault fault) {
  struct nova_fault_set faults = {{0}};
  if (fault < NOVA_FAULTS)
    nova_fault_add(&faults, fault);
  mrig_start_with(m, &(struct nova_server_options){.faults = &faults});
}

void mrig_stop(struct mrig *m) {
  rig_stop(&m->r);
  nova_buf_free(&m->bytes);
}

size_t mrig_open(struct mrig *m) {
  struct rig *r = &m->r;
  cr_assert_lt(r->conns, RIG_CONNS);
  size_t conn = r->conns++;
  nova_buf_init(&r->conn[conn].in, NULL, (size_t)1 << 24);
  cr_assert_eq(nova_server_accept_mqtt(r->s, conn, r->now), 0);
  rig_pump(r);
  return conn;
}

void mrig_send(struct mrig *m, size_t conn, const struct nova_mqtt *packet) {
  size_t size = 0, n = 0;
  cr_assert_eq(nova_mqtt_size(packet, NOVA_MQTT_ANYWAY, &size), 0);
  char *p = malloc(size);
  cr_assert_not_null(p);
  cr_assert_eq(nova_mqtt_encode(packet, NOVA_MQTT_ANYWAY, p, size, &n), 0);
  rig_feed(&m->r, conn, p, n);
  free(p);
}

bool mrig_next(struct mrig *m, size_t conn) {
  struct nova_buf *in = &m->r.conn[conn].in;
  struct nova_view v = nova_buf_view(in);
  struct nova_mqtt_header h;
  if (v.n == 0)
    return false;
  cr_assert_eq(nova_mqtt_header_read(v.p, v.n, &h), NOVA_MQTT_PACKET);
  size_t n = h.size + h.remaining;
  cr_assert_leq(n, v.n, "the server sends whole packets");
  nova_buf_clear(&m->bytes);
  cr_assert_eq(nova_buf_append(&m->bytes, v.p, n), 0);
  nova_buf_consume(in, n);
  v = nova_buf_view(&m->bytes);
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m->packet, NULL), 0);
  return true;
}

uint8_t mrig_connect_with(struct mrig *m, size_t conn,
                          struct nova_mqtt_connect c) {
  char id[32];
  snprintf(id, sizeof id, "client-%zu", conn);
  if (c.client_id.p == NULL) {
    c.client_id = nova_view_of(id);
    c.clean_session = true;
  }
  mrig_send(m, conn,
            &(struct nova_mqtt){.type = NOVA_MQTT_CONNECT, .u.connect = c});
  return mrig_next(m, conn) && m->packet.type == NOVA_MQTT_CONNACK
             ? m->packet.u.connack.code
             : NO_CONNACK;
}

uint8_t mrig_connect(struct mrig *m, size_t conn, const char *user,
                     const char *password) {
  return mrig_connect_with(
      m, conn,
      (struct nova_mqtt_connect){.user_name = nova_view_of(user),
                                 .password = nova_view_of(password)});
}

size_t mrig_login(struct mrig *m, const char *user, const char *password) {
  size_t conn = mrig_open(m);
  cr_assert_eq(mrig_connect(m, conn, user, password), NOVA_MQTT_CODE_ACCEPTED);
  return conn;
}

uint8_t mrig_subscribe(struct mrig *m, size_t conn, const char *filter,
                       uint8_t qos) {
  struct nova_mqtt_entry entry = {nova_view_of(filter), qos}, said;
  struct nova_mqtt_each each;
  mrig_send(m, conn,
            &(struct nova_mqtt){.type = NOVA_MQTT_SUBSCRIBE,
                                .u.list = {++m->id, 1, &entry, {NULL, 0}}});
  if (!mrig_next(m, conn) || m->packet.type != NOVA_MQTT_SUBACK)
    return 0xff;
  cr_assert_eq(m->packet.u.list.packet_id, m->id);
  nova_mqtt_each_init(&each, &m->packet);
  cr_assert(nova_mqtt_each_next(&each, &said));
  return said.code;
}

bool mrig_publish(struct mrig *m, size_t conn, const char *topic,
                  struct nova_view payload) {
  mrig_send(m, conn,
            &(struct nova_mqtt){.type = NOVA_MQTT_PUBLISH,
                                .u.publish = {.qos = 1,
                                              .packet_id = ++m->id,
                                              .topic = nova_view_of(topic),
                                              .payload = payload}});
  return mrig_next(m, conn) && m->packet.type == NOVA_MQTT_PUBACK &&
         m->packet.u.ack.packet_id == m->id;
}

bool mrig_say(struct mrig *m, size_t conn, const char *topic,
              const char *payload) {
  return mrig_publish(m, conn, topic, nova_view_of(payload));
}

const char *mrig_got(struct mrig *m, size_t conn) {
  if (!mrig_next(m, conn))
    return "";
  cr_assert_eq(m->packet.type, NOVA_MQTT_PUBLISH, "%s came",
               nova_mqtt_type_name(m->packet.type));
  struct nova_mqtt_publish p = m->packet.u.publish;
  snprintf(m->text, sizeof m->text, "%d %.*s %.*s", p.qos, (int)p.topic.n,
           p.topic.p, p.payload.n < 100 ? (int)p.payload.n : 100,
           p.payload.n > 0 ? p.payload.p : "");
  if (p.qos == 1)
    mrig_send(
        m, conn,
        &(struct nova_mqtt){.type = NOVA_MQTT_PUBACK, .u.ack = {p.packet_id}});
  return m->text;
}
