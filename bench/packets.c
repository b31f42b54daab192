/* PUBLISH packets of QoS 1, decoded and encoded, beside a copy of the same
 * bytes. */
#include "bench.h"

#include "codec/mqtt.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST 2048

/* The packets of a document as the decoder has them, and room for one. */
static struct nova_mqtt packets[MOST];
static size_t count;
static char *room;
static size_t room_size;

/* Copies are made, and results are used, whatever the compiler thinks. */
static void keep(const void *p) {
  __asm__ volatile("" : : "r"(p) : "memory");
}

/* |n| packets with a payload of |size| bytes each; freed by the caller. */
static struct nova_view prepare(size_t n, size_t size) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH};
  char *payload = malloc(size), *doc = NULL;
  size_t at = 0, length = 0;
  room = malloc(size + 64);
  room_size = size + 64;
  doc = malloc(n * room_size);
  if (payload == NULL || room == NULL || doc == NULL) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
  memset(payload, ' ', size);
  memset(room, 0, room_size);
  payload[0] = '{';
  payload[size - 1] = '}';
  count = n;
  for (size_t i = 0; i < n; i++) {
    m.u.publish.qos = 1;
    m.u.publish.packet_id = (uint16_t)(i + 1);
    m.u.publish.topic = nova_view_of("novacloud/devices/DEV-123456/data");
    m.u.publish.payload = (struct nova_view){payload, size};
    if (nova_mqtt_encode(&m, NOVA_MQTT_STRICT, doc + at, room_size, &length) !=
            0 ||
        nova_mqtt_decode(doc + at, length, &packets[i], NULL) != 0)
      exit(1);
    at += length;
  }
  free(payload);
  return (struct nova_view){doc, at};
}

static void *decode_run(struct nova_view doc) {
  struct nova_mqtt m;
  size_t n = doc.n / count;
  for (size_t i = 0; i < count; i++) {
    if (nova_mqtt_decode(doc.p + i * n, n, &m, NULL) != 0)
      return NULL;
    keep(&m);
  }
  return room;
}

static void *stream_run(struct nova_view doc) {
  struct nova_mqtt_stream s;
  struct nova_mqtt_out out;
  struct nova_mqtt m;
  size_t used;
  nova_mqtt_stream_init(&s, NULL, NOVA_MQTT_LIMIT);
  for (; doc.n != 0; doc.p += used, doc.n -= used) {
    if (nova_mqtt_stream_feed(&s, doc.p, doc.n, &used, &out) !=
            NOVA_MQTT_PACKET ||
        nova_mqtt_decode(out.packet.p, out.packet.n, &m, NULL) != 0)
      return NULL;
    keep(&m);
  }
  nova_mqtt_stream_free(&s);
  return room;
}

static void *encode_run(struct nova_view doc) {
  size_t length;
  for (size_t i = 0; i < count; i++) {
    if (nova_mqtt_encode(&packets[i], NOVA_MQTT_STRICT, room, room_size,
                         &length) != 0 ||
        length != doc.n / count)
      return NULL;
    keep(room);
  }
  return room;
}

static void *memcpy_run(struct nova_view doc) {
  size_t n = doc.n / count;
  for (size_t i = 0; i < count; i++) {
    memcpy(room, doc.p + i * n, n);
    keep(room);
  }
  return room;
}

static bool bench_size(size_t n, size_t size, double decode, double encode) {
  static const struct contender decoders[] = {
      {"decode", "every check of the standard; views", NULL, decode_run, NULL,
       NULL},
      {"memcpy", "a copy of the packet", NULL, memcpy_run, NULL, NULL},
      {"stream", "cut out of the stream and decoded", NULL, stream_run, NULL,
       NULL},
  };
  static const struct contender encoders[] = {
      {"encode", "every check of the standard", NULL, encode_run, NULL, NULL},
      {"memcpy", "a copy of the packet", NULL, memcpy_run, NULL, NULL},
  };
  char title[64];
  struct nova_view doc = prepare(n, size);
  snprintf(title, sizeof title, "%zu PUBLISH of QoS 1, payload of %zu bytes", n,
           size);
  bool a = bench_items(title, doc, n, decode, decoders, 3);
  bool b = bench_items(title, doc, n, encode, encoders, 2);
  free((void *)(size_t)doc.p);
  free(room);
  return a && b;
}

bool bench_packets(void) {
  bool a = bench_size(MOST, 121, 0.02, 0.02);
  bool b = bench_size(8, 131072, 20, 0.8);
  return a && b;
}
