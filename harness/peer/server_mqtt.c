/* Connections that speak MQTT: between the server's events and its broker's.
 * What the platform allows is in server_rules.c. */
#include "peer/server_state.h"

int nova__mqtt_init(struct nova_server *s) {
  struct nova_credential *p = &s->options.platform;
  if (p->id.n == 0)
    return 0;
  s->platform = nova_mem_alloc(s->mem, p->id.n + p->key.n);
  if (s->platform == NULL)
    return NOVA_ERR_NO_MEMORY;
  memcpy(s->platform, p->id.p, p->id.n);
  if (p->key.n > 0)
    memcpy(s->platform + p->id.n, p->key.p, p->key.n);
  p->id.p = s->platform;
  p->key.p = s->platform + p->id.n;
  return 0;
}

struct nova__mqtt *nova__mqtt_find(const struct nova_server *s, uint64_t conn) {
  return nova__connmap_get(&s->mqtt_map, conn);
}

/* --- connections -----------------------------------------------------------
 */

/* Who never speaks MQTT pays nothing for it. */
static bool have_broker(struct nova_server *s) {
  if (s->broker != NULL)
    return true;
  struct nova_broker_options o = {
      .mem = s->mem,
      .owner = nova__mqtt_rules,
      .connect_timeout = s->options.auth_timeout,
      .max_connections = s->options.max_connections,
      .unsent_limit = s->options.unsent_limit,
      .faults = &s->faults,
      .late = s->options.late,
  };
  o.owner.user = s;
  s->broker = nova_broker_new(&o);
  return s->broker != NULL;
}

int nova__mqtt_accept(struct nova_server *s, uint64_t conn) {
  struct nova__mqtt *m =
      have_broker(s) ? nova_mem_zalloc(s->mem, sizeof *m) : NULL;
  if (m == NULL)
    return NOVA_ERR_NO_MEMORY;
  m->conn = conn;
  m->close.owner = m;
  if (nova__connmap_add(&s->mqtt_map, conn, m) != 0) {
    nova_mem_free(s->mem, m);
    return NOVA_ERR_NO_MEMORY;
  }
  int err = nova_broker_accept(s->broker, conn, s->now);
  if (err != 0) {
    nova__connmap_remove(&s->mqtt_map, conn);
    nova_mem_free(s->mem, m);
    return err;
  }
  m->next = s->mqtt;
  if (m->next != NULL)
    m->next->prev = m;
  s->mqtt = m;
  nova__mqtt_flush(s);
  return 0;
}

static void forget(struct nova_server *s, struct nova__mqtt *m) {
  nova__timer_stop(&m->close);
  nova__connmap_remove(&s->mqtt_map, m->conn);
  *(m->prev != NULL ? &m->prev->next : &s->mqtt) = m->next;
  if (m->next != NULL)
    m->next->prev = m->prev;
  struct nova__mqtt **at = &s->mqtt_freed;
  while (m->freed && *at != m)
    at = &(*at)->held_next;
  if (m->freed)
    *at = m->held_next;
  nova_mem_free(s->mem, m->own_id);
  nova_mem_free(s->mem, m);
}

/* A connection that was held open is closed now. */
static void let_go(struct nova_server *s, struct nova__mqtt *m) {
  nova__timer_stop(&m->close);
  if (m->freed)
    return;
  m->freed = true;
  m->held_next = s->mqtt_freed;
  s->mqtt_freed = m;
}

/* --- what the rules want done ----------------------------------------------
 */

int nova__mqtt_publish(struct nova_server *s,
                       const struct nova_broker_message *m) {
  struct nova__mqtt_message *copy =
      nova_mem_alloc(s->mem, sizeof *copy + m->topic.n + m->payload.n);
  if (copy == NULL)
    return NOVA_ERR_NO_MEMORY;
  char *bytes = (char *)(copy + 1);
  memcpy(bytes, m->topic.p, m->topic.n);
  if (m->payload.n > 0)
    memcpy(bytes + m->topic.n, m->payload.p, m->payload.n);
  *copy = (struct nova__mqtt_message){.m = *m};
  copy->m.topic.p = bytes;
  copy->m.payload.p = bytes + m->topic.n;
  *s->messages_end = copy;
  s->messages_end = &copy->next;
  return 0;
}

/* Takes the first message out; NULL where there is none. */
static struct nova__mqtt_message *next_message(struct nova_server *s) {
  struct nova__mqtt_message *first = s->messages;
  if (first != NULL && (s->messages = first->next) == NULL)
    s->messages_end = &s->messages;
  return first;
}

/* Ends the connections that are to be; a will of theirs may end others. */
static void close_some(struct nova_server *s) {
  s->mqtt_busy = false;
  for (struct nova__mqtt *m = s->mqtt; m != NULL; m = m->next)
    if (m->closes) {
      m->closes = false;
      nova_broker_close(s->broker, m->conn, s->now);
    }
}

void nova__mqtt_flush(struct nova_server *s) {
  while (s->messages != NULL || s->mqtt_busy) {
    struct nova__mqtt_message *first = next_message(s);
    if (first != NULL &&
        nova_broker_publish(s->broker, &first->m, s->now) ==
            NOVA_ERR_NO_MEMORY &&
        s->error == 0)
      s->error = NOVA_ERR_NO_MEMORY;
    nova_mem_free(s->mem, first);
    if (s->mqtt_busy)
      close_some(s);
  }
}

/* --- events ----------------------------------------------------------------
 */

void nova__mqtt_feed(struct nova_server *s, struct nova__mqtt *m, const char *p,
                     size_t n) {
  if (m->held)
    return;
  int err = nova_broker_feed(s->broker, m->conn, p, n, s->now);
  if (err == NOVA_ERR_NO_MEMORY && s->error == 0)
    s->error = err;
  nova__mqtt_flush(s);
}

void nova__mqtt_eof(struct nova_server *s, struct nova__mqtt *m) {
  if (m->held) {
    let_go(s, m);
    return;
  }
  nova_broker_eof(s->broker, m->conn, s->now);
  nova__mqtt_flush(s);
}

void nova__mqtt_reset(struct nova_server *s, struct nova__mqtt *m) {
  nova_broker_reset(s->broker, m->conn, s->now);
  forget(s, m);
  nova__mqtt_flush(s);
}

void nova__mqtt_expire(struct nova_server *s) {
  if (s->broker == NULL)
    return;
  nova_broker_expire(s->broker, s->now);
  while (s->mqtt_close.head != NULL && s->mqtt_close.head->when <= s->now)
    let_go(s, s->mqtt_close.head->owner);
  nova__mqtt_flush(s);
}

nova_ts nova__mqtt_deadline(const struct nova_server *s) {
  if (s->broker == NULL)
    return NOVA_TS_NONE;
  nova_ts when = nova_broker_next_deadline(s->broker);
  return s->mqtt_close.head != NULL
             ? nova_ts_min(when, s->mqtt_close.head->when)
             : when;
}

/* Whether the end of a connection waits: the broker has let go of it. */
static bool holds(struct nova_server *s, struct nova__mqtt *m) {
  if (m->state != NOVA__MQTT_REFUSED)
    return false;
  if (NOVA__HAS(s, M_V_CLOSES_LATER))
    nova__timer_set(&s->mqtt_close, &m->close,
                    nova_ts_add(s->now, NOVA_VARIANT_REFUSES_LATER_BY));
  else if (!NOVA__HAS(s, M_REFUSED_STAYS))
    return false;
  m->held = true;
  return true;
}

bool nova__mqtt_output(struct nova_server *s, struct nova_server_out *out) {
  struct nova_broker_out o;
  if (s->broker == NULL || s->dead)
    return false;
  if (s->mqtt_freed != NULL) {
    *out = (struct nova_server_out){.kind = NOVA_SERVER_CLOSE,
                                    .conn = s->mqtt_freed->conn};
    forget(s, s->mqtt_freed);
    return true;
  }
  while (nova_broker_next_output(s->broker, &o)) {
    struct nova__mqtt *m = nova__mqtt_find(s, o.conn);
    if (m == NULL) /* reset by its device, while it was being ended */
      continue;
    *out = (struct nova_server_out){.conn = o.conn, .bytes = o.bytes};
    switch (o.kind) {
    case NOVA_BROKER_SEND:
      if (m->mute) {
        nova_broker_sent(s->broker, o.conn);
        continue;
      }
      out->kind = NOVA_SERVER_SEND;
      return true;
    case NOVA_BROKER_CLOSE: out->kind = NOVA_SERVER_CLOSE; break;
    case NOVA_BROKER_RESET: out->kind = NOVA_SERVER_RESET; break;
    }
    if (m->resets)
      out->kind = NOVA_SERVER_RESET;
    if (out->kind == NOVA_SERVER_CLOSE && holds(s, m))
      continue;
    forget(s, m);
    return true;
  }
  return false;
}

void nova__mqtt_free(struct nova_server *s) {
  nova_broker_free(s->broker);
  struct nova__mqtt_message *first;
  while ((first = next_message(s)) != NULL)
    nova_mem_free(s->mem, first);
  while (s->mqtt != NULL)
    forget(s, s->mqtt);
  nova__connmap_free(&s->mqtt_map);
  nova_mem_free(s->mem, s->platform);
}
