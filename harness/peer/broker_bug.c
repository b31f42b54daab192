#include "peer/broker_state.h"

/* --- what is put off -------------------------------------------------------
 */

void nova__bug_init(struct nova_broker *b) {
  const struct nova_fault_set *faults = b->options.faults;
  nova_buf_init(&b->patched, b->mem, b->options.packet_limit + 5);
  b->options.faults = NULL;
  if (faults == NULL)
    return;
  b->faults = *faults;
  for (size_t i = 0; i < sizeof faults->word / sizeof *faults->word; i++)
    b->faulty = b->faulty || faults->word[i] != 0;
  if (NOVA__BHAS(b, B_LIMIT_64_KB) && b->options.packet_limit > 65536)
    b->options.packet_limit = 65536;
}

static void free_later(struct nova_broker *b, struct nova__blater *l) {
  nova__broker_msg_unref(b, l->msg);
  nova_mem_free(b->mem, l);
}

static void free_list(struct nova_broker *b, struct nova__blater *l) {
  for (struct nova__blater *next; l != NULL; l = next) {
    next = l->next;
    free_later(b, l);
  }
}

void nova__bug_free(struct nova_broker *b) {
  free_list(b, b->later);
  free_list(b, b->stack);
  nova_buf_free(&b->patched);
}

static void put_off(struct nova_broker *b, struct nova__blater *l) {
  struct nova__blater **place = &b->later;
  while (*place != NULL && (*place)->when <= l->when)
    place = &(*place)->next;
  l->next = *place;
  *place = l;
}

/* Puts something off for |span|; NULL without memory, for which |c| pays. */
static struct nova__blater *later(struct nova_broker *b, struct nova__bconn *c,
                                  enum nova__bthen then, nova_ts span,
                                  size_t n) {
  struct nova__blater *l = nova_mem_zalloc(b->mem, sizeof *l + n);
  if (l == NULL) {
    if (c != NULL)
      nova__broker_no_memory(b, c);
    return NULL;
  }
  l->when = nova_ts_add(b->now, span);
  l->c = c;
  l->then = then;
  l->n = n;
  put_off(b, l);
  return l;
}

static void packet_later(struct nova_broker *b, struct nova__bconn *c,
                         const struct nova_mqtt *m, nova_ts span) {
  size_t n;
  if (nova_mqtt_size(m, NOVA_MQTT_ANYWAY, &n) != 0)
    return;
  struct nova__blater *l = later(b, c, NOVA__B_THEN_PUT, span, n);
  if (l != NULL)
    (void)nova_mqtt_encode(m, NOVA_MQTT_ANYWAY, l->bytes, n, &n);
}

/* Takes over the reference to |msg|. */
static int route_later(struct nova_broker *b, struct nova__bmsg *msg, bool will,
                       nova_ts span) {
  struct nova__blater *l = later(b, NULL, NOVA__B_THEN_ROUTE, span, 0);
  if (l == NULL) {
    nova__broker_msg_unref(b, msg);
    return NOVA_ERR_NO_MEMORY;
  }
  l->msg = msg;
  l->will = will;
  return 0;
}

void nova__bug_drop(struct nova_broker *b, const struct nova__bconn *c) {
  struct nova__blater **place = &b->later, *l;
  while ((l = *place) != NULL) {
    if (l->c != c) {
      place = &l->next;
      continue;
    }
    *place = l->next;
    free_later(b, l);
  }
}

nova_ts nova__bug_deadline(const struct nova_broker *b) {
  return b->later != NULL ? b->later->when : NOVA_TS_NONE;
}

static void route(struct nova_broker *b, const struct nova__blater *l) {
  struct nova__bpass p = {.m = {.topic = nova__bmsg_topic(l->msg),
                                .payload = nova__bmsg_payload(l->msg),
                                .qos = l->msg->qos,
                                .retain = l->msg->retain},
                          .kept = l->msg,
                          .will = l->will,
                          .client = !l->will};
  (void)nova__broker_route(b, &p);
}

void nova__bug_expire(struct nova_broker *b) {
  struct nova__blater *l = b->later, *stack;
  b->later = l->next;
  switch (l->then) {
  case NOVA__B_THEN_PUT: nova__broker_put_bytes(b, l->c, l->bytes, l->n); break;
  case NOVA__B_THEN_END:
    nova__broker_end(b, l->c, NOVA_BROKER_MALFORMED, l->code,
                     NOVA__B_FINAL_CLOSE);
    break;
  case NOVA__B_THEN_READY:
    l->c->pending = false;
    nova__broker_ready(b, l->c);
    break;
  case NOVA__B_THEN_PUBACK: {
    char packet[] = {NOVA_MQTT_PUBACK << 4, 2, (char)(l->c->last_puback >> 8),
                     (char)l->c->last_puback};
    l->c->pending = false;
    nova__broker_put_bytes(b, l->c, packet, sizeof packet);
    break;
  }
  case NOVA__B_THEN_ROUTE: route(b, l); break;
  case NOVA__B_THEN_UNSTACK:
    while ((stack = b->stack) != NULL) {
      b->stack = stack->next;
      route(b, stack);
      free_later(b, stack);
    }
    break;
  }
  free_later(b, l);
}

/* --- what is sent ----------------------------------------------------------
 */

static bool bug_puback(struct nova_broker *b, struct nova__bconn *c,
                       uint16_t id) {
  char packet[] = {NOVA_MQTT_PUBACK << 4, 2, (char)(id >> 8), (char)id};
  if (NOVA__BHAS(b, B_PUBACK_MISSING))
    return true;
  if (NOVA__BHAS(b, B_PUBACK_TENTH_MISSING))
    return ++c->pubacks % 10 == 0;
  if (NOVA__BHAS(b, B_PUBACK_SWAPPED)) {
    packet[2] = (char)id;
    packet[3] = (char)(id >> 8);
  } else if (NOVA__BHAS(b, B_PUBACK_TWICE)) {
    nova__broker_put_bytes(b, c, packet, sizeof packet);
  } else if (NOVA__BHAS(b, B_PUBACK_AS_PUBREC)) {
    packet[0] = (char)(NOVA_MQTT_PUBREC << 4);
  } else if (NOVA__BHAS(b, B_PUBACK_LAST_ONLY)) {
    c->last_puback = id;
    if (!c->pending)
      c->pending = later(b, c, NOVA__B_THEN_PUBACK, NOVA_BROKER_REMEMBERS_FOR,
                         0) != NULL;
    return true;
  } else {
    return false;
  }
  nova__broker_put_bytes(b, c, packet, sizeof packet);
  return true;
}

bool nova__bug_put(struct nova_broker *b, struct nova__bconn *c,
                   const struct nova_mqtt *m) {
  bool ack = m->type != NOVA_MQTT_PUBLISH && m->type != NOVA_MQTT_PUBREL;
  if (m->type == NOVA_MQTT_CONNACK && NOVA__BHAS(b, B_CONNACK_MISSING))
    return true;
  if (m->type == NOVA_MQTT_CONNACK && NOVA__BHAS(b, B_CONNACK_OF_5)) {
    char packet[] = {NOVA_MQTT_CONNACK << 4, 3,
                     (char)m->u.connack.session_present,
                     (char)m->u.connack.code, 0};
    nova__broker_put_bytes(b, c, packet, sizeof packet);
    return true;
  }
  if (m->type == NOVA_MQTT_PINGRESP && NOVA__BHAS(b, B_PINGRESP_MISSING))
    return true;
  if (m->type == NOVA_MQTT_PINGRESP && NOVA__BHAS(b, B_PINGRESP_ONCE) &&
      c->pings++ != 0)
    return true;
  if (m->type == NOVA_MQTT_PUBACK && bug_puback(b, c, m->u.ack.packet_id))
    return true;
  bool late = (m->type == NOVA_MQTT_CONNACK && NOVA__BHAS(b, B_CONNACK_LATE)) ||
              (m->type == NOVA_MQTT_PUBACK && NOVA__BHAS(b, B_PUBACK_LATE));
  if (!late && !(ack && NOVA__BHAS(b, V_B_ACKS_SLOW)))
    return false;
  packet_later(b, c, m, late ? b->options.late : NOVA_BROKER_SLOW_BY);
  return true;
}

bool nova__bug_gathers(struct nova_broker *b, struct nova__bconn *c) {
  if (!NOVA__BHAS(b, V_B_GATHERED))
    return false;
  if (!c->pending)
    c->pending =
        later(b, c, NOVA__B_THEN_READY, NOVA_BROKER_GATHERS_FOR, 0) != NULL;
  return true;
}

/* --- what comes ------------------------------------------------------------
 */

bool nova__bug_spares(struct nova_broker *b, struct nova__bconn *c, int code) {
  bool late = NOVA__BHAS(b, B_MALFORMED_LATE);
  bool length = code == NOVA_ERR_MQTT_LENGTH;
  if (late || NOVA__BHAS(b, V_B_CLOSES_LATER)) {
    nova_ts span = late ? b->options.late : NOVA_BROKER_CLOSES_LATER_BY;
    struct nova__blater *l = later(b, c, NOVA__B_THEN_END, span, 0);
    if (l != NULL)
      l->code = code;
    c->deaf = true;
    return true;
  }
  if (NOVA__BHAS(b, B_MALFORMED_SKIPPED) ||
      (length && NOVA__BHAS(b, B_LENGTH_OF_5))) {
    c->deaf = length; /* Nothing can be found in what follows. */
    return true;
  }
  return false;
}

/* Makes the topic of a PUBLISH such that it can be read. */
static void tame_topic(char *p, size_t n, size_t header) {
  if (n < header + 2)
    return;
  size_t length =
      (size_t)((unsigned char)p[header] << 8) | (unsigned char)p[header + 1];
  for (size_t i = header + 2; i < n && i < header + 2 + length; i++)
    if (p[i] <= 0 || p[i] == 0x7f || p[i] == '#' || p[i] == '+')
      p[i] = 'x';
}

int nova__bug_decode(struct nova_broker *b, struct nova_view packet,
                     struct nova_mqtt *m, int error) {
  enum nova_mqtt_type type = m->type;
  size_t h = m->header_size;
  b->mute = false;
  nova_buf_clear(&b->patched);
  if (error == 0 || error == NOVA_ERR_MQTT_UNFINISHED ||
      nova_buf_append(&b->patched, packet.p, packet.n) != 0)
    return error;
  char *p = b->patched.data + b->patched.head;
  bool text = error == NOVA_ERR_MQTT_UTF8 || error == NOVA_ERR_MQTT_NUL ||
              error == NOVA_ERR_MQTT_SURROGATE;
  if (error == NOVA_ERR_MQTT_PROTOCOL_LEVEL && packet.n > h + 6 &&
      NOVA__BHAS(b, B_LEVEL_IGNORED)) {
    p[h + 6] = 4;
  } else if (error == NOVA_ERR_MQTT_CONNECT_RESERVED &&
             NOVA__BHAS(b, B_CONNECT_RESERVED)) {
    p[h + 7] = (char)(p[h + 7] & 0xfe);
  } else if (error == NOVA_ERR_MQTT_SUBSCRIBE_FLAGS &&
             NOVA__BHAS(b, B_SUBSCRIBE_FLAGS)) {
    p[0] = (char)(NOVA_MQTT_SUBSCRIBE << 4 | 2);
  } else if (error == NOVA_ERR_MQTT_QOS && NOVA__BHAS(b, B_QOS_3)) {
    p[0] = (char)(p[0] & 0xfb);
  } else if (type == NOVA_MQTT_PUBLISH &&
             ((error == NOVA_ERR_MQTT_PUBLISH_WILDCARD &&
               NOVA__BHAS(b, B_TOPIC_WILDCARD)) ||
              (text && NOVA__BHAS(b, B_TOPIC_BYTES)))) {
    tame_topic(p, packet.n, h);
    b->mute = true;
  } else if (type == NOVA_MQTT_PINGREQ && error == NOVA_ERR_MQTT_FLAGS &&
             NOVA__BHAS(b, V_B_PING_FLAGS)) {
    p[0] = (char)(NOVA_MQTT_PINGREQ << 4);
  } else {
    return error;
  }
  return nova_mqtt_decode(p, packet.n, m, NULL);
}

bool nova__bug_counts(const struct nova_broker *b, enum nova_mqtt_type type) {
  if (type == NOVA_MQTT_CONNECT)
    return true;
  if (NOVA__BHAS(b, B_KEEP_ALIVE_FROM_CONNECT))
    return false;
  if (type == NOVA_MQTT_PINGREQ)
    return !NOVA__BHAS(b, B_KEEP_ALIVE_NOT_PING);
  return !NOVA__BHAS(b, B_KEEP_ALIVE_PING_ONLY);
}

nova_ts nova__bug_keep_alive(const struct nova_broker *b,
                             const struct nova__bconn *c) {
  nova_ts whole = c->keep_alive * NOVA_SEC;
  if (whole == 0 || NOVA__BHAS(b, B_KEEP_ALIVE_NEVER))
    return 0;
  if (NOVA__BHAS(b, B_KEEP_ALIVE_EXACT))
    return whole;
  if (NOVA__BHAS(b, B_KEEP_ALIVE_TENFOLD))
    return 10 * whole;
  if (NOVA__BHAS(b, V_B_KEEP_ALIVE_LATE))
    return whole + whole / 2 + NOVA_BROKER_LOOKS_EVERY;
  return whole + whole / 2;
}

/* --- messages --------------------------------------------------------------
 */

static int stack_up(struct nova_broker *b, struct nova__bmsg *msg) {
  struct nova__blater *l = nova_mem_zalloc(b->mem, sizeof *l);
  if (l == NULL ||
      (b->stack == NULL && later(b, NULL, NOVA__B_THEN_UNSTACK,
                                 NOVA_BROKER_STACKS_FOR, 0) == NULL)) {
    nova_mem_free(b->mem, l);
    nova__broker_msg_unref(b, msg);
    return NOVA_ERR_NO_MEMORY;
  }
  l->msg = msg;
  l->next = b->stack;
  b->stack = l;
  return 0;
}

/* The payload and a NUL. */
static int add_nul(struct nova_broker *b, struct nova__bpass *p) {
  struct nova_broker_message longer = p->m;
  struct nova_buf text;
  nova_buf_init(&text, b->mem, p->m.payload.n + 1);
  int error = nova_buf_append(&text, p->m.payload.p, p->m.payload.n);
  if (error == 0)
    error = nova_buf_append(&text, "", 1);
  longer.payload = nova_buf_view(&text);
  if (error == 0 && (p->kept = nova__broker_msg(b, &longer)) == NULL)
    error = NOVA_ERR_NO_MEMORY;
  nova_buf_free(&text);
  if (error == 0)
    p->m.payload = nova__bmsg_payload(p->kept);
  return error;
}

int nova__bug_route(struct nova_broker *b, struct nova__bconn *c,
                    struct nova__bpass *p) {
  bool reversed = NOVA__BHAS(b, B_ORDER_REVERSED);
  int error = 0;
  c->publishes++;
  if (b->mute || (p->m.payload.n > 65536 && NOVA__BHAS(b, B_PAYLOAD_DROPPED)) ||
      (c->publishes % 2 == 0 && NOVA__BHAS(b, B_SECOND_LOST)))
    return 0;
  if (p->m.payload.n > 65535 && NOVA__BHAS(b, B_PAYLOAD_CUT))
    p->m.payload.n = 65535;
  if (reversed || NOVA__BHAS(b, B_DELIVERY_LATE)) {
    struct nova__bmsg *msg = nova__broker_keep(b, p);
    if (msg == NULL)
      return NOVA_ERR_NO_MEMORY;
    return reversed ? stack_up(b, msg)
                    : route_later(b, msg, false, b->options.late);
  }
  if (NOVA__BHAS(b, B_PAYLOAD_NUL))
    error = add_nul(b, p);
  if (error == 0)
    error = nova__broker_route(b, p);
  if (error == 0 && NOVA__BHAS(b, B_DELIVERED_TWICE))
    error = nova__broker_route(b, p);
  return error;
}

/* --- wills -----------------------------------------------------------------
 */

static bool lost(const struct nova_broker *b, enum nova_broker_end how) {
  return NOVA__BHAS(b, B_WILL_NEVER) ||
         (how == NOVA_BROKER_EOF && NOVA__BHAS(b, B_WILL_NOT_ON_EOF)) ||
         (how == NOVA_BROKER_LOST && NOVA__BHAS(b, B_WILL_NOT_ON_RESET)) ||
         (how == NOVA_BROKER_KEEP_ALIVE &&
          NOVA__BHAS(b, B_WILL_NOT_ON_KEEP_ALIVE));
}

/* The JSON text |v| with a blank behind each colon and comma; other text with
 * them too. */
static int respace(struct nova_buf *out, struct nova_view v) {
  bool string = false;
  for (size_t i = 0; i < v.n; i++) {
    size_t n = string && v.p[i] == '\\' && i + 1 < v.n ? 2 : 1;
    int error = nova_buf_append(out, v.p + i, n);
    if (v.p[i] == '"')
      string = !string;
    if (error == 0 && !string && (v.p[i] == ':' || v.p[i] == ','))
      error = nova_buf_append(out, " ", 1);
    if (error != 0)
      return error;
    i += n - 1;
  }
  return 0;
}

/* A will as it should not be; |will| is given back. */
static struct nova__bmsg *respaced(struct nova_broker *b,
                                   struct nova__bmsg *will) {
  struct nova_buf text;
  nova_buf_init(&text, b->mem, 2 * (size_t)will->payload_n + 1);
  struct nova__bmsg *other = NULL;
  if (respace(&text, nova__bmsg_payload(will)) == 0) {
    struct nova_broker_message m = {.topic = nova__bmsg_topic(will),
                                    .payload = nova_buf_view(&text),
                                    .qos = will->qos,
                                    .retain = will->retain};
    other = nova__broker_msg(b, &m);
  }
  nova_buf_free(&text);
  nova__broker_msg_unref(b, will);
  return other;
}

struct nova__bmsg *nova__bug_will(struct nova_broker *b, struct nova__bconn *c,
                                  struct nova__bmsg *will) {
  const struct nova_broker_owner *o = &b->options.owner;
  bool late = NOVA__BHAS(b, B_WILL_LATE);
  if (lost(b, (enum nova_broker_end)c->how)) {
    nova__broker_msg_unref(b, will);
    return NULL;
  }
  if (NOVA__BHAS(b, B_WILL_RETAINED))
    will->retain = true;
  if (NOVA__BHAS(b, B_WILL_QOS_0))
    will->qos = 0;
  if (NOVA__BHAS(b, B_WILL_EMPTY))
    will->payload_n = 0;
  if (NOVA__BHAS(b, B_WILL_RESERIALISED))
    will = respaced(b, will);
  if (will != NULL && NOVA__BHAS(b, B_WILL_TWICE)) {
    will->refs++;
    nova__broker_will(b, c->conn, will);
  }
  if (will == NULL || !(late || NOVA__BHAS(b, V_B_WILL_SLOW)))
    return will;
  struct nova_broker_message m = {.topic = nova__bmsg_topic(will),
                                  .payload = nova__bmsg_payload(will),
                                  .qos = will->qos,
                                  .retain = will->retain};
  if (o->publish == NULL || o->publish(o->user, c->conn, true, &m))
    (void)route_later(b, will, true,
                      late ? b->options.late : NOVA_BROKER_SLOW_BY);
  else
    nova__broker_msg_unref(b, will);
  return NULL;
}
