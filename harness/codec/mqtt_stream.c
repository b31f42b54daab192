#include "codec/mqtt.h"

int nova_mqtt_stream_init(struct nova_mqtt_stream *s,
                          const struct nova_mem *mem, size_t limit) {
  *s = (struct nova_mqtt_stream){.limit = limit};
  if (limit > NOVA_MQTT_REMAINING_MAX)
    return NOVA_ERR_ARGUMENT;
  nova_buf_init(&s->held, mem, limit + 5);
  return 0;
}

void nova_mqtt_stream_free(struct nova_mqtt_stream *s) {
  nova_buf_free(&s->held);
}

/* Reads the header of the present packet, a part of which may be held. */
static int read_header(const struct nova_mqtt_stream *s, const char *p,
                       size_t n, struct nova_mqtt_header *h) {
  char head[5];
  struct nova_view held = nova_buf_view(&s->held);
  if (held.n == 0)
    return nova_mqtt_header_read(p, n, h);
  size_t old = held.n < sizeof head ? held.n : sizeof head;
  size_t new = n < sizeof head - old ? n : sizeof head - old;
  memcpy(head, held.p, old);
  if (new != 0)
    memcpy(head + old, p, new);
  return nova_mqtt_header_read(head, old + new, h);
}

/* The present packet is over the limit: what is held of it goes, and of |n|
 * bytes its header is taken. */
static int begin_skip(struct nova_mqtt_stream *s,
                      const struct nova_mqtt_header *h, size_t *used,
                      struct nova_mqtt_out *out) {
  out->first = h->first;
  out->offset = s->offset;
  out->length = h->size + (uint64_t)h->remaining;
  /* Whatever is held is less than a header: with it, the packet would have
   * been over the limit before. */
  *used = h->size - s->held.len;
  nova_buf_clear(&s->held);
  s->length = out->length;
  s->skip = h->remaining;
  return NOVA_MQTT_OVERSIZED;
}

/* Takes what is to be skipped; true where the packet's end is passed. */
static bool skip(struct nova_mqtt_stream *s, size_t n, size_t *used) {
  *used = n < s->skip ? n : (size_t)s->skip;
  s->skip -= *used;
  if (s->skip != 0)
    return false;
  s->offset += s->length;
  s->length = 0;
  return true;
}

/* The packet in |held| or at |p|, |length| bytes of it. */
static int hand_out(struct nova_mqtt_stream *s, const char *p, size_t length,
                    struct nova_mqtt_out *out) {
  out->packet = (struct nova_view){p, length};
  out->length = length;
  out->offset = s->offset;
  out->first = (uint8_t)p[0];
  s->offset += length;
  return NOVA_MQTT_PACKET;
}

int nova_mqtt_stream_feed(struct nova_mqtt_stream *s, const char *p, size_t n,
                          size_t *used, struct nova_mqtt_out *out) {
  size_t skipped = 0;
  *used = 0;
  if (s->handed_out) {
    nova_buf_clear(&s->held);
    s->handed_out = false;
  }
  if (s->length != 0 && !skip(s, n, &skipped)) {
    *used = skipped;
    return NOVA_MQTT_MORE;
  }
  if (skipped != 0) {
    p += skipped;
    n -= skipped;
  }
  struct nova_mqtt_header h;
  int event = s->broken ? NOVA_ERR_MQTT_LENGTH : read_header(s, p, n, &h);
  if (event < 0) {
    s->broken = true;
    *used = skipped;
    out->offset = s->offset;
    return event;
  }
  if (event == NOVA_MQTT_PACKET && h.remaining > s->limit) {
    event = begin_skip(s, &h, used, out);
    *used += skipped;
    return event;
  }
  size_t held = s->held.len, take = n;
  if (event == NOVA_MQTT_PACKET && n >= h.size + h.remaining - held)
    take = h.size + h.remaining - held;
  else
    event = NOVA_MQTT_MORE;
  if (event == NOVA_MQTT_PACKET && held == 0) {
    *used = skipped + take;
    return hand_out(s, p, take, out);
  }
  if (nova_buf_append(&s->held, p, take) != 0) {
    *used = skipped;
    return NOVA_ERR_NO_MEMORY;
  }
  *used = skipped + take;
  if (event == NOVA_MQTT_MORE)
    return event;
  s->handed_out = true;
  return hand_out(s, nova_buf_view(&s->held).p, held + take, out);
}

uint64_t nova_mqtt_stream_pending(const struct nova_mqtt_stream *s) {
  if (s->length != 0)
    return s->length - s->skip;
  return s->handed_out ? 0 : s->held.len;
}

struct nova_view nova_mqtt_stream_held(const struct nova_mqtt_stream *s) {
  if (s->handed_out)
    return (struct nova_view){NULL, 0};
  return nova_buf_view(&s->held);
}
