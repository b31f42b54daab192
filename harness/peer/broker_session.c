#include "peer/broker_state.h"

/* --- queues ----------------------------------------------------------------
 */

/* What an idle session may keep for its next messages. */
#define KEPT_ITEMS 32

static struct nova__bitem *at(const struct nova__bring *r, uint32_t i) {
  return &r->item[(r->head + i) & (r->cap - 1)];
}

/* A new place at the end; NULL without memory. */
static struct nova__bitem *push(const struct nova_broker *b,
                                struct nova__bring *r) {
  if (r->n == r->cap) {
    uint32_t cap = r->cap != 0 ? r->cap * 2 : 4;
    struct nova__bitem *item = nova_mem_alloc(b->mem, cap * sizeof *item);
    if (item == NULL)
      return NULL;
    for (uint32_t i = 0; i < r->n; i++)
      item[i] = *at(r, i);
    nova_mem_free(b->mem, r->item);
    r->item = item;
    r->cap = cap;
    r->head = 0;
  }
  return at(r, r->n++);
}

static void pop(const struct nova_broker *b, struct nova__bring *r) {
  r->head = (r->head + 1) & (r->cap - 1);
  if (--r->n == 0 && r->cap > KEPT_ITEMS) {
    nova_mem_free(b->mem, r->item);
    *r = (struct nova__bring){.item = NULL};
  }
}

static void clear(const struct nova_broker *b, struct nova__bring *r) {
  for (uint32_t i = 0; i < r->n; i++)
    nova__broker_msg_unref(b, at(r, i)->msg);
  nova_mem_free(b->mem, r->item);
  *r = (struct nova__bring){.item = NULL};
}

/* --- packet ids that came --------------------------------------------------
 */

#define ID_MAP_BYTES (65536 / 8)

static bool few_has(const struct nova__bids *ids, uint16_t id, uint32_t *i) {
  for (*i = 0; *i < ids->n; ++*i)
    if (ids->few[*i] == id)
      return true;
  return false;
}

int nova__broker_take(struct nova_broker *b, struct nova__bsession *s,
                      uint16_t id) {
  struct nova__bids *ids = &s->taken;
  uint8_t bit = (uint8_t)(1 << id % 8);
  uint32_t i;
  if (ids->map == NULL && few_has(ids, id, &i))
    return 0;
  if (ids->map == NULL && ids->n < NOVA__B_FEW) {
    ids->few[ids->n++] = id;
    return 1;
  }
  if (ids->map == NULL) {
    ids->map = nova_mem_zalloc(b->mem, ID_MAP_BYTES);
    if (ids->map == NULL)
      return NOVA_ERR_NO_MEMORY;
    for (i = 0; i < ids->n; i++)
      ids->map[ids->few[i] / 8] |= (uint8_t)(1 << ids->few[i] % 8);
  }
  if ((ids->map[id / 8] & bit) != 0)
    return 0;
  ids->map[id / 8] |= bit;
  ids->n++;
  return 1;
}

void nova__broker_untake(struct nova_broker *b, struct nova__bsession *s,
                         uint16_t id) {
  struct nova__bids *ids = &s->taken;
  uint8_t bit = (uint8_t)(1 << id % 8);
  uint32_t i;
  if (ids->map == NULL) {
    if (few_has(ids, id, &i))
      ids->few[i] = ids->few[--ids->n];
    return;
  }
  if ((ids->map[id / 8] & bit) == 0)
    return;
  ids->map[id / 8] &= (uint8_t)~bit;
  if (--ids->n == 0) {
    nova_mem_free(b->mem, ids->map);
    ids->map = NULL;
  }
}

/* --- sessions --------------------------------------------------------------
 */

static struct nova__bsession **bucket_of(const struct nova_broker *b,
                                         uint32_t hash) {
  return &b->session[hash & (b->session_bucket_n - 1)];
}

struct nova__bsession *nova__broker_find(const struct nova_broker *b,
                                         struct nova_view client_id) {
  if (b->session_bucket_n == 0)
    return NULL;
  uint32_t hash = nova__bhash(client_id.p, client_id.n, 0);
  struct nova__bsession *s = *bucket_of(b, hash);
  while (s != NULL &&
         (s->hash != hash ||
          !nova_view_eq((struct nova_view){s->id, s->id_n}, client_id)))
    s = s->same_bucket;
  return s;
}

/* Room for one more; longer chains do where there is no memory. */
static bool grow(struct nova_broker *b) {
  if (b->session_n < b->session_bucket_n)
    return true;
  size_t old_n = b->session_bucket_n, n = old_n != 0 ? old_n * 2 : 64;
  struct nova__bsession **old = b->session;
  struct nova__bsession **bigger =
      nova_mem_zalloc(b->mem, n * sizeof(struct nova__bsession *));
  if (bigger == NULL)
    return old_n != 0;
  b->session = bigger;
  b->session_bucket_n = n;
  for (size_t i = 0; i < old_n; i++)
    for (struct nova__bsession *s = old[i], *next; s != NULL; s = next) {
      struct nova__bsession **place = bucket_of(b, s->hash);
      next = s->same_bucket;
      s->same_bucket = *place;
      *place = s;
    }
  nova_mem_free(b->mem, old);
  return true;
}

struct nova__bsession *nova__broker_session(struct nova_broker *b,
                                            struct nova_view client_id) {
  struct nova__bsession *s =
      grow(b) ? nova_mem_zalloc(b->mem, sizeof *s + client_id.n) : NULL;
  if (s == NULL)
    return NULL;
  s->hash = nova__bhash(client_id.p, client_id.n, 0);
  s->id_n = (uint16_t)client_id.n;
  if (client_id.n != 0)
    memcpy(s->id, client_id.p, client_id.n);
  struct nova__bsession **place = bucket_of(b, s->hash);
  s->same_bucket = *place;
  *place = s;
  b->session_n++;
  return s;
}

void nova__broker_take_up(struct nova_broker *b, struct nova__bsession *s) {
  if (!s->kept)
    return;
  *(s->older != NULL ? &s->older->newer : &b->oldest) = s->newer;
  *(s->newer != NULL ? &s->newer->older : &b->newest) = s->older;
  s->older = s->newer = NULL;
  s->kept = false;
  b->kept_n--;
}

void nova__broker_forget(struct nova_broker *b, struct nova__bsession *s) {
  struct nova__bsession **place = bucket_of(b, s->hash);
  nova__broker_take_up(b, s);
  while (*place != s)
    place = &(*place)->same_bucket;
  *place = s->same_bucket;
  b->session_n--;
  nova__btree_remove_all(&b->tree, s);
  clear(b, &s->sent);
  clear(b, &s->waiting);
  nova_mem_free(b->mem, s->taken.map);
  nova_mem_free(b->mem, s);
}

void nova__broker_leave(struct nova_broker *b, struct nova__bsession *s) {
  if (s->clean) {
    nova__broker_forget(b, s);
    return;
  }
  s->kept = true;
  s->older = b->newest;
  *(s->older != NULL ? &s->older->newer : &b->oldest) = s;
  b->newest = s;
  if (++b->kept_n > b->options.max_sessions)
    nova__broker_forget(b, b->oldest);
}

/* --- messages to a client --------------------------------------------------
 */

/* V_B_IDS_DOWN: ids count from the other end. */
static uint16_t turned(const struct nova_broker *b, uint16_t id) {
  return NOVA__BHAS(b, V_B_IDS_DOWN) ? (uint16_t)(65536 - id) : id;
}

/* A packet id that no message has which is not acknowledged. There is one: at
 * most 65534 are in flight. How far it is to the next one in use is counted
 * once and then used up, so that ids cost no search. */
static uint16_t next_id(const struct nova_broker *b, struct nova__bsession *s) {
  uint16_t id = s->last_id;
  while (s->free_ids == 0) {
    /* The next one may be in use itself: then go on behind it. */
    uint32_t least = 65535;
    for (uint32_t i = 0; i < s->sent.n; i++) {
      const struct nova__bitem *it = at(&s->sent, i);
      uint32_t ahead = (uint32_t)(turned(b, it->id) + 65535 - id - 1) % 65535;
      if (it->step != NOVA__B_DONE && ahead < least)
        least = ahead;
    }
    s->free_ids = (uint16_t)least;
    if (least == 0)
      id = id == 65535 ? 1 : (uint16_t)(id + 1);
  }
  s->free_ids--;
  s->last_id = id == 65535 ? 1 : (uint16_t)(id + 1);
  return turned(b, s->last_id);
}

static void send_publish(struct nova_broker *b, struct nova__bconn *c,
                         const struct nova_broker_message *m, uint16_t id,
                         bool dup) {
  struct nova_mqtt packet = {.type = NOVA_MQTT_PUBLISH,
                             .u.publish = {.dup = dup,
                                           .retain = m->retain,
                                           .qos = m->qos,
                                           .packet_id = id,
                                           .topic = m->topic,
                                           .payload = m->payload}};
  nova__broker_put(b, c, &packet);
  if (m->qos == 1 && !dup && NOVA__BHAS(b, V_B_SENT_AGAIN)) {
    packet.u.publish.dup = true;
    nova__broker_put(b, c, &packet);
  }
}

static struct nova_broker_message as_sent(const struct nova__bitem *it) {
  return (struct nova_broker_message){.topic = nova__bmsg_topic(it->msg),
                                      .payload = nova__bmsg_payload(it->msg),
                                      .qos = it->qos,
                                      .retain = it->retain};
}

/* Among those sent, one more; its message is |msg|, whose reference it takes.
 * NULL without memory. */
static struct nova__bitem *add_sent(const struct nova_broker *b,
                                    struct nova__bsession *s,
                                    struct nova__bmsg *msg, uint8_t qos,
                                    bool retain) {
  struct nova__bitem *it = push(b, &s->sent);
  if (it == NULL)
    return NULL;
  /* While next_id() looks, the new place is none of those in use. */
  *it = (struct nova__bitem){.step = NOVA__B_DONE};
  *it = (struct nova__bitem){.msg = msg,
                             .id = next_id(b, s),
                             .step = NOVA__B_SENT,
                             .qos = qos,
                             .retain = retain};
  s->inflight++;
  return it;
}

/* Whether one more of QoS 1 or 2 may be sent now: not while too many are not
 * acknowledged, nor while its client has not read what was sent. */
static bool may_send(const struct nova_broker *b,
                     const struct nova__bsession *s) {
  return s->inflight < b->options.inflight_most &&
         s->conn->unsent <= b->options.unsent_limit / 2;
}

/* Goes on with what is sent again, in the order of the first time (4.6.0-1). */
static void send_again(struct nova_broker *b, struct nova__bsession *s) {
  for (uint32_t i = 0; i < s->sent.n && s->again != 0; i++) {
    struct nova__bitem *it = at(&s->sent, i);
    if (!it->again)
      continue;
    if (s->conn == NULL || s->conn->unsent > b->options.unsent_limit / 2)
      return;
    it->again = false;
    s->again--;
    if (it->step == NOVA__B_RELEASED) {
      nova__broker_put_ack(b, s->conn, NOVA_MQTT_PUBREL, it->id);
    } else {
      struct nova_broker_message m = as_sent(it);
      send_publish(b, s->conn, &m, it->id, true);
    }
  }
}

void nova__broker_pump(struct nova_broker *b, struct nova__bsession *s) {
  const struct nova_broker_owner *o = &b->options.owner;
  send_again(b, s);
  if (s->again != 0)
    return;
  while (s->conn != NULL && s->waiting.n != 0) {
    struct nova__bitem it = *at(&s->waiting, 0);
    if (it.qos != 0 && !may_send(b, s))
      return;
    struct nova_broker_message m = as_sent(&it);
    bool wanted = it.asked || o->deliver == NULL ||
                  o->deliver(o->user, s->conn->conn, &m);
    if (wanted && it.qos != 0) {
      struct nova__bitem *sent = add_sent(b, s, it.msg, it.qos, it.retain);
      if (sent == NULL) { /* it goes on waiting */
        nova__broker_no_memory(b, s->conn);
        return;
      }
      pop(b, &s->waiting);
      send_publish(b, s->conn, &m, sent->id, false);
      continue;
    }
    pop(b, &s->waiting);
    if (wanted)
      send_publish(b, s->conn, &m, 0, false);
    nova__broker_msg_unref(b, it.msg);
  }
}

/* A message waits; where too many do, one goes. */
static int wait(struct nova_broker *b, struct nova__bsession *s,
                struct nova__bpass *p, uint8_t qos, bool retain) {
  if (s->waiting.n >= b->options.queued_most) {
    if (qos == 0)
      return 0;
    nova__broker_msg_unref(b, at(&s->waiting, 0)->msg);
    pop(b, &s->waiting);
  }
  struct nova__bmsg *msg = nova__broker_keep(b, p);
  struct nova__bitem *it = msg != NULL ? push(b, &s->waiting) : NULL;
  if (it == NULL) {
    nova__broker_msg_unref(b, msg);
    return NOVA_ERR_NO_MEMORY;
  }
  *it = (struct nova__bitem){.msg = msg,
                             .step = NOVA__B_WAITS,
                             .qos = qos,
                             .retain = retain,
                             .asked = s->conn != NULL};
  return 0;
}

int nova__broker_deliver(struct nova_broker *b, struct nova__bsession *s,
                         struct nova__bpass *p, uint8_t qos, bool retain) {
  const struct nova_broker_owner *o = &b->options.owner;
  struct nova__bconn *c = s->conn;
  struct nova_broker_message m = p->m;
  m.retain = retain;
  m.qos = qos < m.qos ? qos : m.qos;
  if (!p->will && NOVA__BHAS(b, B_QOS_DOWNGRADED))
    m.qos = 0;
  if (c == NULL)
    return s->clean || m.qos == 0 ? 0 : wait(b, s, p, m.qos, retain);
  if (o->deliver != NULL && !NOVA__BHAS(b, B_BROADCAST) &&
      !o->deliver(o->user, c->conn, &m))
    return 0;
  if (s->waiting.n != 0 || s->again != 0 || (m.qos != 0 && !may_send(b, s)))
    return wait(b, s, p, m.qos, retain);
  if (m.qos == 0) {
    send_publish(b, c, &m, 0, false);
    return 0;
  }
  struct nova__bmsg *msg = nova__broker_keep(b, p);
  struct nova__bitem *it =
      msg != NULL ? add_sent(b, s, msg, m.qos, retain) : NULL;
  if (it == NULL) {
    nova__broker_msg_unref(b, msg);
    return NOVA_ERR_NO_MEMORY;
  }
  send_publish(b, c, &m, it->id, false);
  return 0;
}

int nova__broker_compose(struct nova_broker *b, struct nova__bsession *s,
                         struct nova__bpass *p, struct nova_buf *out,
                         uint16_t *id) {
  struct nova_mqtt packet = {.type = NOVA_MQTT_PUBLISH,
                             .u.publish = {.qos = p->m.qos,
                                           .packet_id = 1,
                                           .topic = p->m.topic,
                                           .payload = p->m.payload}};
  size_t n;
  int error = nova_mqtt_size(&packet, NOVA_MQTT_ANYWAY, &n);
  if (error != 0)
    return error;
  if (p->m.qos != 0 && (s->waiting.n != 0 || s->again != 0 ||
                        s->inflight >= b->options.inflight_most))
    return NOVA_ERR_LIMIT;
  char *place = nova_buf_reserve(out, n);
  if (place == NULL)
    return NOVA_ERR_NO_MEMORY;
  if (p->m.qos != 0) {
    struct nova__bmsg *msg = nova__broker_keep(b, p);
    struct nova__bitem *it =
        msg != NULL ? add_sent(b, s, msg, p->m.qos, false) : NULL;
    if (it == NULL) {
      nova__broker_msg_unref(b, msg);
      return NOVA_ERR_NO_MEMORY;
    }
    packet.u.publish.packet_id = it->id;
  }
  *id = p->m.qos != 0 ? packet.u.publish.packet_id : 0;
  (void)nova_mqtt_encode(&packet, NOVA_MQTT_ANYWAY, place, n, &n);
  nova_buf_commit(out, n);
  return 0;
}

void nova__broker_resume(struct nova_broker *b, struct nova__bsession *s) {
  s->again = 0;
  for (uint32_t i = 0; i < s->sent.n; i++) {
    struct nova__bitem *it = at(&s->sent, i);
    it->again = it->step != NOVA__B_DONE;
    s->again += it->again;
  }
  nova__broker_pump(b, s);
}

/* The place of |id| among those sent, sent.n where it has none. Who
 * acknowledges in order, as it ought to (4.6.0), names the first one. */
static uint32_t find_sent(const struct nova__bsession *s, uint16_t id) {
  uint32_t i = 0;
  while (i < s->sent.n &&
         (at(&s->sent, i)->id != id || at(&s->sent, i)->step == NOVA__B_DONE))
    i++;
  return i;
}

/* One of those sent is done with. Empty places at the front go at once; where
 * most places are empty, the others close up. */
static void done(struct nova_broker *b, struct nova__bsession *s,
                 struct nova__bitem *it) {
  nova__broker_msg_unref(b, it->msg);
  s->again -= it->again;
  *it = (struct nova__bitem){.step = NOVA__B_DONE};
  s->inflight--;
  while (s->sent.n != 0 && at(&s->sent, 0)->step == NOVA__B_DONE)
    pop(b, &s->sent);
  if (s->sent.n <= 2 * (s->inflight + 4))
    return;
  uint32_t n = 0;
  for (uint32_t i = 0; i < s->sent.n; i++)
    if (at(&s->sent, i)->step != NOVA__B_DONE)
      *at(&s->sent, n++) = *at(&s->sent, i);
  s->sent.n = n;
}

void nova__broker_acked(struct nova_broker *b, struct nova__bconn *c,
                        enum nova_mqtt_type type, uint16_t id) {
  struct nova__bsession *s = c->session;
  uint32_t i = find_sent(s, id);
  struct nova__bitem *it = i < s->sent.n ? at(&s->sent, i) : NULL;
  if (type == NOVA_MQTT_PUBREC) {
    /* PUBREL answers also the PUBREC of a message that is forgotten: the
     * client could not go on without. */
    if (it != NULL && it->qos == 2 && it->step == NOVA__B_SENT) {
      nova__broker_msg_unref(b, it->msg);
      it->msg = NULL;
      it->step = NOVA__B_RELEASED;
      s->again -= it->again;
      it->again = false;
    }
    if (it == NULL || it->qos == 2)
      nova__broker_put_ack(b, c, NOVA_MQTT_PUBREL, id);
    return;
  }
  bool fits =
      it != NULL &&
      (type == NOVA_MQTT_PUBACK ? it->qos == 1 : it->step == NOVA__B_RELEASED);
  if (!fits)
    return;
  done(b, s, it);
  nova__broker_pump(b, s);
}
