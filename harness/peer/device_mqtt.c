/* The reference device over MQTT: connections, timers, and the packets that
 * come in. Guide 2.1, 2.3, 2.5 and 2.6. */
#include "peer/device_state.h"

#include "base/unreachable.h"
#include "codec/payload.h"

/* --- spans -----------------------------------------------------------------
 */

static nova_ts part(nova_ts span, unsigned percent) {
  return span / 100 * percent;
}

uint16_t nova__device_mqtt_keep_alive(const struct nova_device *d) {
  const struct nova_device_options *o = &d->options;
  nova_ts quiet =
      nova_ts_min(nova_ts_min(o->status_interval, o->data_interval) / 4,
                  o->keep_alive * NOVA_SEC) /
      NOVA_SEC;
  if (NOVA__DEVICE_HAS(d, V_DM_KEEP_ALIVE_0))
    return 0;
  if (NOVA__DEVICE_HAS(d, V_DM_KEEP_ALIVE_LONG))
    return UINT16_MAX;
  /* What it publishes shall not hide that it does not ping. */
  if (NOVA__DEVICE_HAS(d, DM_NO_PING) || NOVA__DEVICE_HAS(d, DM_PING_LATE))
    return quiet > 0 ? (uint16_t)quiet : 1;
  return o->keep_alive;
}

static nova_ts keep_span(const struct nova_device *d) {
  nova_ts span = nova__device_mqtt_keep_alive(d) * NOVA_SEC;
  if (span == 0 || NOVA__DEVICE_HAS(d, DM_NO_PING))
    return NOVA_TS_NONE;
  if (NOVA__DEVICE_HAS(d, DM_PING_LATE))
    return 2 * span;
  return NOVA__DEVICE_HAS(d, V_DM_SLOW) ? part(span, 90) : span / 2;
}

static nova_ts subscribe_wait(const struct nova_device *d) {
  nova_ts span = d->options.response_timeout;
  if (NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_LATE))
    return 2 * span;
  if (NOVA__DEVICE_HAS(d, V_DM_STATUS_FIRST) ||
      NOVA__DEVICE_HAS(d, V_DM_DATA_FIRST))
    return d->options.first_status;
  return NOVA__DEVICE_HAS(d, V_DM_SLOW) ? part(span, 90) : 0;
}

static nova_ts status_span(const struct nova_device *d) {
  nova_ts span = d->options.status_interval;
  if (NOVA__DEVICE_HAS(d, DM_STATUS_ONCE))
    return NOVA_TS_NONE;
  if (NOVA__DEVICE_HAS(d, DM_STATUS_RARE))
    return 3 * span;
  if (NOVA__DEVICE_HAS(d, V_DM_CHATTY))
    return NOVA__DEVICE_CHATS_EVERY;
  return NOVA__DEVICE_HAS(d, V_DM_SLOW)
             ? nova_ts_add(span, part(nova__device_tolerance(d, span), 90))
             : span;
}

static nova_ts first_status(const struct nova_device *d) {
  const struct nova_device_options *o = &d->options;
  if (NOVA__DEVICE_HAS(d, DM_STATUS_LATE))
    return 3 * o->status_interval;
  if (NOVA__DEVICE_HAS(d, V_DM_STATUS_FIRST))
    return 0;
  if (NOVA__DEVICE_HAS(d, V_DM_DATA_FIRST))
    return o->first_data;
  return NOVA__DEVICE_HAS(d, V_DM_SLOW) ? part(o->status_interval, 90)
                                        : o->first_status;
}

static nova_ts data_span(const struct nova_device *d) {
  return NOVA__DEVICE_HAS(d, V_DM_CHATTY) ? NOVA__DEVICE_CHATS_EVERY
                                          : d->options.data_interval;
}

/* --- connections -----------------------------------------------------------
 */

/* V_DM_EAGER: what others say after CONNACK. */
static void say_at_once(struct nova_device *d) {
  nova__device_mqtt_subscribe(d);
  if (d->options.status_interval != NOVA_TS_NONE)
    nova__device_mqtt_status(d);
  if (d->options.data_interval != NOVA_TS_NONE)
    nova__device_mqtt_data(d);
}

static void begin(struct nova_device *d) {
  nova__device_set(d, NOVA__DEVICE_RESULT, d->options.auth_timeout);
  if (NOVA__DEVICE_HAS(d, DM_PUBLISH_FIRST))
    nova__device_mqtt_status(d);
  nova__device_mqtt_connect(d);
  if (NOVA__DEVICE_HAS(d, V_DM_EAGER))
    say_at_once(d);
}

void nova__device_mqtt_open(struct nova_device *d) {
  bool own = NOVA__DEVICE_HAS(d, DM_NO_PUBACK) ||
             NOVA__DEVICE_HAS(d, DM_PUBACK_SWAPPED) ||
             NOVA__DEVICE_HAS(d, DM_PUBACK_LATE);
  d->statuses = 0;
  d->subscribed = false;
  nova_mqtt_client_free(d->mqtt);
  /* It pings by itself: a fault is about when. */
  d->mqtt = nova_mqtt_client_new(&(struct nova_mqtt_client_options){
      .mem = d->mem, .withhold = own ? 1u << NOVA_MQTT_PUBACK : 0});
  if (d->mqtt == NULL)
    nova__device_give_up(d);
  else
    nova__device_set(d, NOVA__DEVICE_AUTH,
                     NOVA__DEVICE_HAS(d, V_DM_SLOW) ? 900 * NOVA_MS : 0);
}

/* Only on the first connection, or not at all, or long ago already. */
static bool subscribes(const struct nova_device *d) {
  return !d->subscribed && !NOVA__DEVICE_HAS(d, DM_NO_SUBSCRIBE) &&
         !(NOVA__DEVICE_HAS(d, DM_SUBSCRIBE_ONCE) && d->connections > 1);
}

void nova__device_mqtt_serve(struct nova_device *d) {
  const struct nova_device_options *o = &d->options;
  bool said = NOVA__DEVICE_HAS(d, V_DM_EAGER);
  nova__device_mqtt_sent(d);
  if (subscribes(d))
    nova__device_set(d, NOVA__DEVICE_SUBSCRIBE, subscribe_wait(d));
  if (o->status_interval != NOVA_TS_NONE && !NOVA__DEVICE_HAS(d, DM_NO_STATUS))
    nova__device_set(d, NOVA__DEVICE_STATUS,
                     said ? status_span(d) : first_status(d));
  if (o->data_interval != NOVA_TS_NONE)
    nova__device_set(d, NOVA__DEVICE_DATA,
                     said                                   ? data_span(d)
                     : NOVA__DEVICE_HAS(d, V_DM_DATA_FIRST) ? 0
                                                            : o->first_data);
  if (NOVA__DEVICE_HAS(d, DM_CONNECT_TWICE))
    nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_AGAIN_AFTER);
  if (NOVA__DEVICE_HAS(d, V_DM_PINGS))
    nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_PINGS_EVERY);
}

/* --- the keep-alive --------------------------------------------------------
 */

void nova__device_mqtt_heard(struct nova_device *d) {
  nova_ts since = nova_mqtt_client_unanswered(d->mqtt);
  nova_ts span = nova__device_mqtt_keep_alive(d) * NOVA_SEC;
  if (nova__device_is_open(d->state))
    d->timer[NOVA__DEVICE_PINGRESP] =
        span != 0 ? nova_ts_add(since, span) : NOVA_TS_NONE;
}

void nova__device_mqtt_sent(struct nova_device *d) {
  if (!nova__device_is_open(d->state))
    return;
  nova__device_set(d, NOVA__DEVICE_KEEP, keep_span(d));
  nova__device_mqtt_heard(d);
}

/* --- timers ----------------------------------------------------------------
 */

static void on_status_time(struct nova_device *d, nova_ts when) {
  nova__device_again(d, NOVA__DEVICE_STATUS, when, status_span(d));
  if (NOVA__DEVICE_HAS(d, V_DM_SUBSCRIBES_AGAIN) && d->statuses > 0) {
    nova__device_mqtt_unsubscribe(d);
    nova__device_mqtt_subscribe(d);
  }
  nova__device_mqtt_status(d);
}

static void on_extra_time(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, DM_CONNECT_TWICE))
    nova__device_mqtt_connect(d);
  if (!NOVA__DEVICE_HAS(d, V_DM_PINGS))
    return;
  nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_PINGS_EVERY);
  nova__device_mqtt_bare(d, NOVA_MQTT_PINGREQ);
}

bool nova__device_mqtt_fire(struct nova_device *d, enum nova__device_timer t,
                            nova_ts when) {
  switch (t) {
  case NOVA__DEVICE_AUTH: begin(d); return true;
  case NOVA__DEVICE_SUBSCRIBE: nova__device_mqtt_subscribe(d); return true;
  case NOVA__DEVICE_STATUS: on_status_time(d, when); return true;
  case NOVA__DEVICE_DATA:
    nova__device_again(d, t, when, data_span(d));
    nova__device_mqtt_data(d);
    return true;
  case NOVA__DEVICE_KEEP:
    nova__device_mqtt_bare(d, NOVA_MQTT_PINGREQ);
    return true;
  case NOVA__DEVICE_PINGRESP:
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_SILENT);
    return true;
  case NOVA__DEVICE_EXTRA: on_extra_time(d); return true;
  case NOVA__DEVICE_CONNECT_AGAIN:
  case NOVA__DEVICE_RESULT:
  case NOVA__DEVICE_IDLE:
  case NOVA__DEVICE_LATE:
  case NOVA__DEVICE_PING:
  case NOVA__DEVICE_LEAVE:
  case NOVA__DEVICE_HELD:
  case NOVA__DEVICE_GATHER: return false;
  case NOVA__DEVICE_TIMERS: break;
  }
  nova_unreachable();
}

/* --- what comes in ---------------------------------------------------------
 */

static void on_connack(struct nova_device *d, const struct nova_mqtt *m) {
  if (d->state != NOVA__DEVICE_WAITING)
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
  else if (m->u.connack.code == NOVA_MQTT_CODE_ACCEPTED)
    nova__device_enter(d, NOVA__DEVICE_SERVED);
  else
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_FAILED);
}

static void on_suback(struct nova_device *d, const struct nova_mqtt *m) {
  struct nova_mqtt_each each;
  struct nova_mqtt_entry entry;
  nova_mqtt_each_init(&each, m);
  if (nova_mqtt_each_next(&each, &entry) &&
      entry.code == NOVA_MQTT_SUBACK_FAILURE)
    nova__device_set(d, NOVA__DEVICE_SUBSCRIBE, d->options.refused_wait);
}

static void acknowledge(struct nova_device *d, uint16_t id) {
  if (NOVA__DEVICE_HAS(d, DM_PUBACK_SWAPPED))
    nova__device_mqtt_puback(d, (uint16_t)(id >> 8 | id << 8), 0);
  if (NOVA__DEVICE_HAS(d, DM_PUBACK_LATE))
    nova__device_mqtt_puback(d, id, 2 * d->options.response_timeout);
}

static bool is_command_topic(const struct nova_device *d,
                             struct nova_view topic) {
  struct nova_view id;
  return nova_topic_read(topic, &id) == NOVA_CHANNEL_COMMAND &&
         nova_view_eq(id, d->options.id);
}

static void on_publish(struct nova_device *d,
                       const struct nova_mqtt_news *news) {
  const struct nova_mqtt_publish *p = &news->packet.u.publish;
  if (p->qos == 1)
    acknowledge(d, p->packet_id);
  if (!nova__device_is_open(d->state) || news->again || d->deaf ||
      !is_command_topic(d, p->topic))
    return;
  nova__device_mqtt_command(d, p->payload);
}

static void on_packet(struct nova_device *d,
                      const struct nova_mqtt_news *news) {
  const struct nova_mqtt *m = &news->packet;
  if (m->type != NOVA_MQTT_CONNACK && d->state != NOVA__DEVICE_SERVED) {
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
    return;
  }
  switch (m->type) {
  case NOVA_MQTT_CONNACK: on_connack(d, m); return;
  case NOVA_MQTT_PUBLISH: on_publish(d, news); return;
  case NOVA_MQTT_SUBACK: on_suback(d, m); return;
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK:
  case NOVA_MQTT_PINGRESP: return; /* the client knows */
  case NOVA_MQTT_NONE:
  case NOVA_MQTT_CONNECT:
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_UNSUBSCRIBE:
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_DISCONNECT:
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
    return;
  }
  nova_unreachable();
}

void nova__device_mqtt_intake(struct nova_device *d, const char *p, size_t n) {
  unsigned connection = d->connections;
  while (n > 0 && nova__device_is_open(d->state) &&
         d->connections == connection) {
    struct nova_mqtt_news news;
    size_t used = 0;
    int r = nova_mqtt_client_feed(d->mqtt, p, n, d->now, &used, &news);
    p += used;
    n -= used;
    if (r < 0) {
      nova__device_give_up(d);
      return;
    }
    /* What the client answered goes before what the device says to it. */
    nova__device_mqtt_flush(d, 0);
    if (r == 0)
      continue;
    nova__device_mqtt_heard(d);
    if (news.kind == NOVA_MQTT_NEWS_MALFORMED)
      nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
    else if (news.kind == NOVA_MQTT_NEWS_PACKET)
      on_packet(d, &news);
  }
}

/* --- the whole -------------------------------------------------------------
 */

/* The client id: "device_", the id, and 8 characters that make it unlike that
 * of the same device elsewhere. */
static int make_client_id(struct nova_device *d) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  struct nova_rng rng;
  struct nova_buf b;
  nova_buf_init(&b, d->mem, 300);
  nova_rng_init(&rng, nova_rng_derive(d->options.seed ^ d->options.unix_base,
                                      "client id"));
  bool library = NOVA__DEVICE_HAS(d, DM_CLIENT_ID_LIBRARY);
  int err = nova_buf_puts(&b, library ? "mqttjs_" : "device_");
  if (err == 0 && !library)
    err = nova_buf_append(&b, d->options.id.p, d->options.id.n);
  if (err == 0 && !library && !NOVA__DEVICE_HAS(d, DM_CLIENT_ID_FIXED))
    err = nova_buf_puts(&b, "_");
  for (int i = 0;
       i < 8 && err == 0 && !NOVA__DEVICE_HAS(d, DM_CLIENT_ID_FIXED) &&
       !NOVA__DEVICE_HAS(d, DM_CLIENT_ID_NO_RANDOM);
       i++)
    err = nova_buf_append(
        &b, &letters[nova_rng_below(&rng, sizeof letters - 1)], 1);
  struct nova_view v = nova_buf_view(&b);
  char *p = err == 0 ? nova_mem_alloc(d->mem, v.n) : NULL;
  if (p != NULL) {
    memcpy(p, v.p, v.n);
    d->client_id = (struct nova_view){p, v.n};
  }
  nova_buf_free(&b);
  return p != NULL ? 0 : NOVA_ERR_NO_MEMORY;
}

/* A slash, or what no topic may hold, cannot be in an id over MQTT. */
static bool fits_a_topic(struct nova_view id) {
  for (size_t i = 0; i < id.n; i++)
    if (strchr("/+#", id.p[i]) != NULL)
      return false;
  return true;
}

int nova__device_mqtt_init(struct nova_device *d) {
  return fits_a_topic(d->options.id) ? make_client_id(d) : NOVA_ERR_ARGUMENT;
}

void nova__device_mqtt_free(struct nova_device *d) {
  nova_mqtt_client_free(d->mqtt);
  nova_mem_free(d->mem, (void *)(uintptr_t)d->client_id.p);
  nova_buf_free(&d->payload);
  nova_buf_free(&d->packet);
}
