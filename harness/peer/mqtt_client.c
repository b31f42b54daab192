#include "peer/mqtt_client.h"

#include "base/error.h"

#include <assert.h>

/* The most that waits to be taken out: what one event makes is far below. */
#define OUTPUT_MAX ((size_t)16 << 20)

#define IDS 65536u

struct ids {
  uint64_t word[IDS / 64];
};

struct nova_mqtt_client {
  const struct nova_mem *mem;
  unsigned withhold;
  bool pings;
  bool dead;                    /* nothing more can be read */
  bool connected, disconnected; /* CONNECT, DISCONNECT was sent */
  bool handed_out;              /* |out| is to be cleared */
  int code;
  uint16_t last_id;
  nova_ts keep_alive;  /* 0: none */
  nova_ts sent;        /* when something was sent last */
  nova_ts pinged;      /* the PINGREQ that waits the longest */
  nova_ts pinged_last; /* the last one */
  uint64_t waiting;    /* PINGREQs without PINGRESP */
  struct nova_mqtt_stream stream;
  struct nova_buf out;
  struct ids *incoming; /* QoS 2, to be completed; allocated with the first */
  struct ids used;
};

/* --- packet ids ------------------------------------------------------------
 */

static bool ids_have(const struct ids *s, uint16_t id) {
  return (s->word[id / 64] >> id % 64 & 1) != 0;
}

static void ids_add(struct ids *s, uint16_t id) {
  s->word[id / 64] |= UINT64_C(1) << id % 64;
}

static void ids_remove(struct ids *s, uint16_t id) {
  s->word[id / 64] &= ~(UINT64_C(1) << id % 64);
}

uint16_t nova_mqtt_client_take_id(struct nova_mqtt_client *c) {
  for (unsigned i = 1; i < IDS; i++) {
    uint16_t id = (uint16_t)((c->last_id + i - 1) % (IDS - 1) + 1);
    if (ids_have(&c->used, id))
      continue;
    ids_add(&c->used, id);
    c->last_id = id;
    return id;
  }
  return 0;
}

/* Where a packet has its id, if it is one that waits for an acknowledgement. */
static uint16_t *own_id(struct nova_mqtt *m) {
  if (m->type == NOVA_MQTT_PUBLISH)
    return m->u.publish.qos != 0 ? &m->u.publish.packet_id : NULL;
  if (m->type == NOVA_MQTT_SUBSCRIBE || m->type == NOVA_MQTT_UNSUBSCRIBE)
    return &m->u.list.packet_id;
  return NULL;
}

/* --- what is sent ----------------------------------------------------------
 */

static void wrote_packet(struct nova_mqtt_client *c, struct nova_mqtt *m,
                         nova_ts now) {
  uint16_t *id = own_id(m);
  if (id != NULL && *id != 0)
    ids_add(&c->used, *id);
  if (m->type == NOVA_MQTT_CONNECT) {
    c->connected = true;
    c->keep_alive = m->u.connect.keep_alive * NOVA_SEC;
  } else if (m->type == NOVA_MQTT_DISCONNECT) {
    c->disconnected = true;
  } else if (m->type == NOVA_MQTT_PINGREQ) {
    if (c->waiting++ == 0)
      c->pinged = now;
    c->pinged_last = now;
  }
}

/* Drops what was taken out, for there is something new. */
static void clear_old(struct nova_mqtt_client *c) {
  if (c->handed_out)
    nova_buf_clear(&c->out);
  c->handed_out = false;
}

static int put(struct nova_mqtt_client *c, struct nova_mqtt *m,
               enum nova_mqtt_how how, nova_ts now) {
  size_t size = 0, n = 0;
  int err = nova_mqtt_size(m, how, &size);
  if (err != 0)
    return err;
  clear_old(c);
  char *room = nova_buf_reserve(&c->out, size);
  if (room == NULL)
    return size > c->out.max - c->out.len ? NOVA_ERR_LIMIT : NOVA_ERR_NO_MEMORY;
  err = nova_mqtt_encode(m, how, room, size, &n);
  if (err != 0)
    return err;
  assert(n == size);
  nova_buf_commit(&c->out, n);
  c->sent = now;
  wrote_packet(c, m, now);
  return 0;
}

int nova_mqtt_client_send(struct nova_mqtt_client *c, struct nova_mqtt *m,
                          enum nova_mqtt_how how, nova_ts now) {
  uint16_t *id = own_id(m);
  bool fresh = id != NULL && *id == 0;
  if (fresh && (*id = nova_mqtt_client_take_id(c)) == 0)
    return NOVA_ERR_LIMIT;
  int err = put(c, m, how, now);
  if (err != 0 && fresh) {
    ids_remove(&c->used, *id);
    *id = 0;
  }
  return err;
}

void nova_mqtt_client_wrote(struct nova_mqtt_client *c, const char *p, size_t n,
                            nova_ts now) {
  struct nova_mqtt_header h;
  struct nova_mqtt m;
  if (n > 0)
    c->sent = now;
  while (n > 0 && nova_mqtt_header_read(p, n, &h) == NOVA_MQTT_PACKET &&
         h.remaining <= n - h.size) {
    size_t whole = h.size + h.remaining;
    if (nova_mqtt_decode(p, whole, &m, NULL) == 0)
      wrote_packet(c, &m, now);
    p += whole;
    n -= whole;
  }
}

bool nova_mqtt_client_next_output(struct nova_mqtt_client *c,
                                  struct nova_view *bytes) {
  clear_old(c);
  if (c->out.len == 0)
    return false;
  *bytes = nova_buf_view(&c->out);
  c->handed_out = true;
  return true;
}

/* --- what comes in ---------------------------------------------------------
 */

static int answer(struct nova_mqtt_client *c, enum nova_mqtt_type type,
                  uint16_t id, nova_ts now) {
  struct nova_mqtt m = {.type = type, .u.ack = {id}};
  if ((c->withhold >> type & 1) != 0)
    return 0;
  int err = put(c, &m, NOVA_MQTT_STRICT, now);
  /* The output is full only where nobody takes it. */
  return err == NOVA_ERR_LIMIT ? NOVA_ERR_NO_MEMORY : err;
}

static int on_publish(struct nova_mqtt_client *c,
                      const struct nova_mqtt_publish *p, nova_ts now,
                      bool *again) {
  if (p->qos == 0)
    return 0;
  if (p->qos == 1)
    return answer(c, NOVA_MQTT_PUBACK, p->packet_id, now);
  if (c->incoming == NULL &&
      (c->incoming = nova_mem_zalloc(c->mem, sizeof *c->incoming)) == NULL)
    return NOVA_ERR_NO_MEMORY;
  *again = ids_have(c->incoming, p->packet_id);
  ids_add(c->incoming, p->packet_id);
  return answer(c, NOVA_MQTT_PUBREC, p->packet_id, now);
}

static void on_pingresp(struct nova_mqtt_client *c) {
  if (c->waiting == 0)
    return;
  c->pinged = --c->waiting > 0 ? c->pinged_last : NOVA_TS_NONE;
}

static int on_packet(struct nova_mqtt_client *c, const struct nova_mqtt *m,
                     nova_ts now, bool *again) {
  switch (m->type) {
  case NOVA_MQTT_CONNACK:
    if (c->code < 0)
      c->code = m->u.connack.code;
    return 0;
  case NOVA_MQTT_PUBLISH: return on_publish(c, &m->u.publish, now, again);
  case NOVA_MQTT_PUBREC:
    return answer(c, NOVA_MQTT_PUBREL, m->u.ack.packet_id, now);
  case NOVA_MQTT_PUBREL:
    if (c->incoming != NULL)
      ids_remove(c->incoming, m->u.ack.packet_id);
    return answer(c, NOVA_MQTT_PUBCOMP, m->u.ack.packet_id, now);
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK: ids_remove(&c->used, m->u.ack.packet_id); return 0;
  case NOVA_MQTT_SUBACK: ids_remove(&c->used, m->u.list.packet_id); return 0;
  case NOVA_MQTT_PINGRESP: on_pingresp(c); return 0;
  /* A server sends none of these. */
  case NOVA_MQTT_NONE:
  case NOVA_MQTT_CONNECT:
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_UNSUBSCRIBE:
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_DISCONNECT: return 0;
  }
  return 0;
}

static int on_whole(struct nova_mqtt_client *c, const struct nova_mqtt_out *out,
                    nova_ts now, struct nova_mqtt_news *news) {
  news->bytes = out->packet;
  news->length = out->length;
  news->kind = NOVA_MQTT_NEWS_PACKET;
  if (nova_mqtt_decode(out->packet.p, out->packet.n, &news->packet,
                       &news->at) != 0) {
    news->kind = NOVA_MQTT_NEWS_MALFORMED;
    return 1;
  }
  int err = on_packet(c, &news->packet, now, &news->again);
  return err != 0 ? err : 1;
}

static enum nova_mqtt_type type_of(char first) {
  unsigned type = (unsigned char)first >> 4;
  return type == 15 ? NOVA_MQTT_NONE : (enum nova_mqtt_type)type;
}

/* The header has no end: nothing behind it can be told apart. */
static int on_endless(struct nova_mqtt_client *c, struct nova_view rest,
                      struct nova_mqtt_news *news) {
  struct nova_view held = nova_mqtt_stream_held(&c->stream);
  c->dead = true;
  news->kind = NOVA_MQTT_NEWS_MALFORMED;
  news->bytes = held.n > 0 ? held : rest;
  news->at = (struct nova_fault_at){.code = NOVA_ERR_MQTT_LENGTH, .offset = 4};
  news->packet.type = type_of(news->bytes.p[0]);
  return 1;
}

int nova_mqtt_client_feed(struct nova_mqtt_client *c, const char *p, size_t n,
                          nova_ts now, size_t *used,
                          struct nova_mqtt_news *news) {
  struct nova_mqtt_out out = {.length = 0};
  *used = n;
  if (c->dead || n == 0)
    return 0;
  int event = nova_mqtt_stream_feed(&c->stream, p, n, used, &out);
  if (event == NOVA_MQTT_MORE)
    return 0;
  if (event < 0 && event != NOVA_ERR_MQTT_LENGTH)
    return event;
  *news = (struct nova_mqtt_news){.offset = out.offset};
  if (event == NOVA_ERR_MQTT_LENGTH) {
    struct nova_view rest = {p + *used, n - *used};
    *used = n;
    return on_endless(c, rest, news);
  }
  if (event == NOVA_MQTT_PACKET)
    return on_whole(c, &out, now, news);
  news->kind = NOVA_MQTT_NEWS_OVERSIZED;
  news->length = out.length;
  news->packet.type = type_of((char)out.first);
  return 1;
}

uint64_t nova_mqtt_client_pending(const struct nova_mqtt_client *c) {
  return nova_mqtt_stream_pending(&c->stream);
}

/* --- keep-alive ------------------------------------------------------------
 */

nova_ts nova_mqtt_client_next_deadline(const struct nova_mqtt_client *c) {
  if (!c->pings || !c->connected || c->disconnected || c->keep_alive == 0)
    return NOVA_TS_NONE;
  return nova_ts_add(c->sent, c->keep_alive / 2);
}

void nova_mqtt_client_expire(struct nova_mqtt_client *c, nova_ts now) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PINGREQ};
  nova_ts when = nova_mqtt_client_next_deadline(c);
  if (when == NOVA_TS_NONE || now < when)
    return;
  /* Without memory it goes on at the next time. */
  if (put(c, &m, NOVA_MQTT_STRICT, now) != 0)
    c->sent = now;
}

nova_ts nova_mqtt_client_unanswered(const struct nova_mqtt_client *c) {
  return c->pinged;
}

int nova_mqtt_client_code(const struct nova_mqtt_client *c) {
  return c->code;
}

/* --- the whole -------------------------------------------------------------
 */

struct nova_mqtt_client *
nova_mqtt_client_new(const struct nova_mqtt_client_options *o) {
  struct nova_mqtt_client *c = nova_mem_zalloc(o->mem, sizeof *c);
  if (c == NULL)
    return NULL;
  c->mem = o->mem;
  c->withhold = o->withhold;
  c->pings = o->pings;
  c->code = -1;
  c->pinged = NOVA_TS_NONE;
  nova_buf_init(&c->out, o->mem, OUTPUT_MAX);
  if (nova_mqtt_stream_init(&c->stream, o->mem,
                            o->limit != 0 ? o->limit : NOVA_MQTT_LIMIT) != 0) {
    nova_mem_free(c->mem, c);
    return NULL;
  }
  return c;
}

void nova_mqtt_client_free(struct nova_mqtt_client *c) {
  if (c == NULL)
    return;
  nova_mqtt_stream_free(&c->stream);
  nova_buf_free(&c->out);
  nova_mem_free(c->mem, c->incoming);
  nova_mem_free(c->mem, c);
}
