#include "broker_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

void br_start(struct br *r, const struct nova_broker_options *o) {
  memset(r, 0, sizeof *r);
  r->now = NOVA_SEC;
  if (o != NULL)
    r->options = *o;
  nova_buf_init(&r->text, NULL, 1 << 24);
  for (int i = 0; i < BR_CLIENTS; i++)
    nova_buf_init(&r->client[i].in, NULL, 1 << 26);
  r->b = nova_broker_new(&r->options);
  cr_assert_not_null(r->b);
}

void br_start_faulty(struct br *r, enum nova_fault fault) {
  struct nova_fault_set set = {{0}};
  if (fault < NOVA_FAULTS)
    nova_fault_add(&set, fault);
  br_start(r, &(struct nova_broker_options){.faults = &set});
  r->faulty = true;
}

void br_stop(struct br *r) {
  nova_broker_free(r->b);
  for (int i = 0; i < BR_CLIENTS; i++)
    nova_buf_free(&r->client[i].in);
  nova_buf_free(&r->text);
}

/* --- the owner -------------------------------------------------------------
 */

static void note(struct br *r, const char *what, uint64_t conn,
                 struct nova_view v) {
  size_t n = strlen(r->log);
  snprintf(r->log + n, sizeof r->log - n, "%s%s(%d,%.*s)", n != 0 ? " " : "",
           what, (int)conn, (int)v.n, v.p);
}

static bool forbidden(struct nova_view v) {
  return v.n >= 9 && memcmp(v.p, "forbidden", 9) == 0;
}

static uint8_t on_connect(void *user, uint64_t conn,
                          const struct nova_mqtt_connect *c) {
  note(user, "connect", conn, c->client_id);
  return nova_view_is(c->user_name, "wrong") ? NOVA_MQTT_CODE_CREDENTIALS
                                             : NOVA_MQTT_CODE_ACCEPTED;
}

static bool on_publish(void *user, uint64_t conn, bool will,
                       const struct nova_broker_message *m) {
  note(user, will ? "will" : "publish", conn, m->topic);
  return !forbidden(m->topic);
}

static uint8_t on_subscribe(void *user, uint64_t conn, struct nova_view filter,
                            uint8_t qos) {
  note(user, "subscribe", conn, filter);
  return forbidden(filter) ? NOVA_MQTT_SUBACK_FAILURE : qos;
}

static bool on_deliver(void *user, uint64_t conn,
                       const struct nova_broker_message *m) {
  note(user, "deliver", conn, m->topic);
  return !nova_view_is(m->payload, "secret");
}

static void on_ended(void *user, uint64_t conn, enum nova_broker_end how,
                     int code) {
  struct br *r = user;
  note(r, "ended", conn, (struct nova_view){"", 0});
  if (conn < BR_CLIENTS) {
    r->client[conn].told = true;
    r->client[conn].how = how;
    r->client[conn].code = code;
  }
}

struct nova_broker_owner br_owner(struct br *r) {
  return (struct nova_broker_owner){.connect = on_connect,
                                    .publish = on_publish,
                                    .subscribe = on_subscribe,
                                    .deliver = on_deliver,
                                    .ended = on_ended,
                                    .user = r};
}

/* --- events ----------------------------------------------------------------
 */

void br_pump(struct br *r) {
  struct nova_broker_out out;
  while (nova_broker_next_output(r->b, &out)) {
    cr_assert_lt(out.conn, BR_CLIENTS);
    struct br_client *c = &r->client[out.conn];
    cr_assert(!c->closed && !c->reset, "output behind the end");
    switch (out.kind) {
    case NOVA_BROKER_SEND:
      cr_assert_neq(out.bytes.n, 0);
      cr_assert_eq(nova_buf_append(&c->in, out.bytes.p, out.bytes.n), 0);
      c->writes++;
      if (!r->held)
        nova_broker_sent(r->b, out.conn);
      break;
    case NOVA_BROKER_CLOSE:
      c->closed = true;
      c->ended = r->now;
      break;
    case NOVA_BROKER_RESET:
      c->reset = true;
      c->ended = r->now;
      break;
    }
  }
}

void br_accept(struct br *r, int c) {
  struct br_client *client = &r->client[c];
  nova_buf_clear(&client->in);
  client->closed = client->reset = client->told = false;
  client->writes = 0;
  cr_assert_eq(nova_broker_accept(r->b, (uint64_t)c, r->now), 0);
  br_pump(r);
}

void br_raw(struct br *r, int c, const void *p, size_t n) {
  const char *s = p;
  while (n != 0) {
    size_t k = n;
    if (r->cuts != NULL)
      k = 1 + (size_t)nova_rng_below(r->cuts, n < 20 ? n : 20);
    /* Bytes that nobody may touch afterwards. */
    char *copy = malloc(k);
    memcpy(copy, s, k);
    (void)nova_broker_feed(r->b, (uint64_t)c, copy, k, r->now);
    free(copy);
    br_pump(r);
    s += k;
    n -= k;
  }
}

void br_send(struct br *r, int c, const struct nova_mqtt *m) {
  size_t n;
  cr_assert_eq(nova_mqtt_size(m, NOVA_MQTT_ANYWAY, &n), 0);
  char *p = malloc(n);
  cr_assert_eq(nova_mqtt_encode(m, NOVA_MQTT_ANYWAY, p, n, &n), 0);
  br_raw(r, c, p, n);
  free(p);
}

void br_eof(struct br *r, int c) {
  nova_broker_eof(r->b, (uint64_t)c, r->now);
  br_pump(r);
}

void br_lost(struct br *r, int c) {
  nova_broker_reset(r->b, (uint64_t)c, r->now);
  br_pump(r);
}

void br_connect_with(struct br *r, int c, const struct nova_mqtt_connect *m) {
  struct nova_mqtt packet = {.type = NOVA_MQTT_CONNECT, .u.connect = *m};
  br_accept(r, c);
  br_send(r, c, &packet);
}

void br_connect(struct br *r, int c, const char *id) {
  br_connect_with(r, c,
                  &(struct nova_mqtt_connect){.client_id = nova_view_of(id),
                                              .clean_session = true});
}

void br_keep(struct br *r, int c, const char *id) {
  br_connect_with(r, c,
                  &(struct nova_mqtt_connect){.client_id = nova_view_of(id)});
}

static void send_list(struct br *r, int c, enum nova_mqtt_type type,
                      const char *filter, uint8_t qos) {
  struct nova_mqtt_entry e = {nova_view_of(filter), qos};
  br_send(
      r, c,
      &(struct nova_mqtt){.type = type,
                          .u.list = {.packet_id = 7, .count = 1, .entry = &e}});
}

void br_subscribe(struct br *r, int c, const char *filter, uint8_t qos) {
  send_list(r, c, NOVA_MQTT_SUBSCRIBE, filter, qos);
}

void br_unsubscribe(struct br *r, int c, const char *filter) {
  send_list(r, c, NOVA_MQTT_UNSUBSCRIBE, filter, 0);
}

static void publish(struct br *r, int c, const char *topic, const char *payload,
                    uint8_t qos, uint16_t id, bool retain) {
  br_send(r, c,
          &(struct nova_mqtt){.type = NOVA_MQTT_PUBLISH,
                              .u.publish = {.qos = qos,
                                            .packet_id = id,
                                            .retain = retain,
                                            .topic = nova_view_of(topic),
                                            .payload = nova_view_of(payload)}});
}

void br_publish(struct br *r, int c, const char *topic, const char *payload,
                uint8_t qos, uint16_t id) {
  publish(r, c, topic, payload, qos, id, false);
}

void br_retained(struct br *r, int c, const char *topic, const char *payload,
                 uint8_t qos, uint16_t id) {
  publish(r, c, topic, payload, qos, id, true);
}

void br_ack(struct br *r, int c, enum nova_mqtt_type type, uint16_t id) {
  br_send(r, c, &(struct nova_mqtt){.type = type, .u.ack = {id}});
}

void br_say(struct br *r, int c, enum nova_mqtt_type type) {
  br_send(r, c, &(struct nova_mqtt){.type = type});
}

void br_run(struct br *r, nova_ts to) {
  nova_ts due;
  while ((due = nova_broker_next_deadline(r->b)) <= to) {
    r->now = due > r->now ? due : r->now;
    nova_broker_expire(r->b, r->now);
    br_pump(r);
    cr_assert(nova_broker_next_deadline(r->b) > r->now, "a deadline stays");
  }
  r->now = to;
}

/* --- what came -------------------------------------------------------------
 */

static void word(struct br *r, const struct nova_mqtt *m) {
  struct nova_buf *t = &r->text;
  const char *name = nova_mqtt_type_name(m->type);
  if (t->len != 0)
    nova_buf_puts(t, " ");
  if (m->type == NOVA_MQTT_CONNACK) {
    nova_buf_printf(t, "%s(%u,%d)", name, m->u.connack.code,
                    m->u.connack.session_present);
  } else if (m->type == NOVA_MQTT_PUBLISH) {
    const struct nova_mqtt_publish *u = &m->u.publish;
    nova_buf_printf(t, "%s(%.*s=", name, (int)u->topic.n, u->topic.p);
    nova_buf_append(t, u->payload.p, u->payload.n);
    nova_buf_printf(t, ",q%u", u->qos);
    if (u->qos != 0)
      nova_buf_printf(t, ",#%u", u->packet_id);
    nova_buf_printf(t, "%s%s)", u->dup ? ",dup" : "",
                    u->retain ? ",retain" : "");
  } else if (m->type == NOVA_MQTT_SUBACK) {
    struct nova_mqtt_each each;
    struct nova_mqtt_entry e;
    nova_buf_printf(t, "%s(%u", name, m->u.list.packet_id);
    nova_mqtt_each_init(&each, m);
    while (nova_mqtt_each_next(&each, &e))
      nova_buf_printf(t, ",%u", e.code);
    nova_buf_puts(t, ")");
  } else if (m->type == NOVA_MQTT_PINGRESP) {
    nova_buf_puts(t, name);
  } else {
    nova_buf_printf(t, "%s(%u)", name, m->u.ack.packet_id);
  }
}

const char *br_got(struct br *r, int c) {
  struct br_client *client = &r->client[c];
  struct nova_mqtt_stream s;
  struct nova_mqtt_out out;
  struct nova_mqtt m;
  nova_buf_clear(&r->text);
  nova_mqtt_stream_init(&s, NULL, 1 << 24);
  struct nova_view v = nova_buf_view(&client->in);
  for (size_t at = 0, used; at < v.n; at += used) {
    int event = nova_mqtt_stream_feed(&s, v.p + at, v.n - at, &used, &out);
    cr_assert_geq(event, 0);
    if (event != NOVA_MQTT_PACKET)
      break;
    struct nova_fault_at fault;
    int error = nova_mqtt_decode(out.packet.p, out.packet.n, &m, &fault);
    cr_assert(error == 0 || r->faulty, "the broker sent what is none: %s",
              nova_error_text(error));
    if (error == 0)
      word(r, &m);
    else
      nova_buf_printf(&r->text, "%s?%s", r->text.len != 0 ? " " : "",
                      nova_mqtt_type_name(m.type));
  }
  if (nova_mqtt_stream_pending(&s) != 0)
    nova_buf_puts(&r->text, "...");
  nova_mqtt_stream_free(&s);
  nova_buf_clear(&client->in);
  client->writes = 0;
  const char *end = client->closed ? "CLOSED" : client->reset ? "RESET" : "";
  if (r->text.len != 0 && *end != '\0')
    nova_buf_puts(&r->text, " ");
  nova_buf_puts(&r->text, end);
  return nova_buf_cstr(&r->text);
}
