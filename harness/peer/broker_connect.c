#include "peer/broker_state.h"

#include <stdio.h>

static void refuse(struct nova_broker *b, struct nova__bconn *c, uint8_t code) {
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNACK, .u.connack = {false, code}};
  nova__broker_put(b, c, &m);
  nova__broker_end(b, c, NOVA_BROKER_REFUSED, code, NOVA__B_FINAL_CLOSE);
}

/* What the CONNACK says. */
static uint8_t judge(const struct nova_broker *b, const struct nova__bconn *c,
                     const struct nova_mqtt_connect *connect) {
  const struct nova_broker_owner *o = &b->options.owner;
  if (connect->client_id.n == 0 && !connect->clean_session)
    return NOVA_MQTT_CODE_CLIENT_ID; /* 3.1.3-8 */
  return o->connect != NULL ? o->connect(o->user, c->conn, connect)
                            : (uint8_t)NOVA_MQTT_CODE_ACCEPTED;
}

/* The client's session (3.1.2-4, 3.1.2-6); NULL without memory. */
static struct nova__bsession *
session_of(struct nova_broker *b, const struct nova_mqtt_connect *connect,
           bool *resumed) {
  char made_up[32];
  struct nova_view id = connect->client_id;
  struct nova__bsession *s = NULL;
  while (id.n == 0) {
    int n = snprintf(made_up, sizeof made_up, "nova%016llx",
                     (unsigned long long)++b->made_up);
    if (nova__broker_find(b, (struct nova_view){made_up, (size_t)n}) == NULL)
      id = (struct nova_view){made_up, (size_t)n};
  }
  s = nova__broker_find(b, id);
  if (s != NULL && s->conn != NULL) { /* 3.1.4-2 */
    nova__broker_end(b, s->conn, NOVA_BROKER_TAKEN_OVER, 0,
                     NOVA__B_FINAL_CLOSE);
    nova__broker_bury(b);
    s = nova__broker_find(b, id);
  }
  *resumed = s != NULL && !connect->clean_session;
  if (s != NULL && connect->clean_session) {
    nova__broker_forget(b, s);
    s = NULL;
  }
  return s != NULL ? s : nova__broker_session(b, id);
}

/* Keeps what is needed of the CONNECT; false without memory. */
static bool remember(struct nova_broker *b, struct nova__bconn *c,
                     const struct nova_mqtt_connect *connect) {
  if (connect->user_name.p != NULL) {
    c->user_name = nova_mem_alloc(b->mem, connect->user_name.n + 1);
    if (c->user_name == NULL)
      return false;
    memcpy(c->user_name, connect->user_name.p, connect->user_name.n);
    c->user_name_n = connect->user_name.n;
  }
  c->keep_alive = connect->keep_alive;
  if (connect->will_topic.p == NULL)
    return true;
  struct nova_broker_message will = {.topic = connect->will_topic,
                                     .payload = connect->will_message,
                                     .qos = connect->will_qos,
                                     .retain = connect->will_retain};
  c->will = nova__broker_msg(b, &will);
  return c->will != NULL;
}

void nova__broker_admit(struct nova_broker *b, struct nova__bconn *c,
                        const struct nova_mqtt_connect *connect) {
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNACK};
  if (!remember(b, c, connect)) {
    /* The CONNECT was not accepted: there is no will yet. */
    nova__broker_msg_unref(b, c->will);
    c->will = NULL;
    nova__broker_no_memory(b, c);
    return;
  }
  struct nova__bsession *s = session_of(b, connect, &c->resumed);
  if (s == NULL) {
    nova__broker_msg_unref(b, c->will);
    c->will = NULL;
    nova__broker_no_memory(b, c);
    return;
  }
  nova__broker_take_up(b, s);
  s->clean = connect->clean_session;
  s->conn = c;
  c->session = s;
  c->state = NOVA__B_CONNECTED;
  nova__broker_start_keep_alive(b, c);
  m.u.connack.session_present = c->resumed;
  nova__broker_put(b, c, &m);
  nova__broker_resume(b, s);
}

void nova__broker_connect(struct nova_broker *b, struct nova__bconn *c,
                          const struct nova_mqtt *m, int error) {
  if (error == NOVA_ERR_MQTT_PROTOCOL_31 ||
      error == NOVA_ERR_MQTT_PROTOCOL_LEVEL) {
    if (NOVA__BHAS(b, V_B_LEVEL_CLOSED))
      c->withheld |= 1u << NOVA_MQTT_CONNACK;
    refuse(b, c, NOVA_MQTT_CODE_LEVEL); /* 3.1.2-2 */
    return;
  }
  if (error != 0) {
    nova__broker_malformed(b, c, error);
    return;
  }
  if (NOVA__BHAS(b, B_LEVEL_5_ONLY)) {
    refuse(b, c, NOVA_MQTT_CODE_LEVEL);
    return;
  }
  uint8_t code = judge(b, c, &m->u.connect);
  if (code != NOVA_MQTT_CODE_ACCEPTED)
    refuse(b, c, code);
  else
    nova__broker_admit(b, c, &m->u.connect);
}
