/* Internal to codec/: what the files of the MQTT codec share. */
#ifndef NOVA_CODEC_MQTT_INTERNAL_H
#define NOVA_CODEC_MQTT_INTERNAL_H

#include "codec/mqtt.h"

/* What a string of a packet is there for. */
enum nova__mqtt_kind {
  NOVA__MQTT_STRING,
  NOVA__MQTT_TOPIC,  /* a topic name: not empty, no wildcard */
  NOVA__MQTT_FILTER, /* a topic filter: not empty, wildcards in their places */
};

/* Judges the bytes of a string. Adds to |saw| what is to be observed.
 * Returns 0, or the error whose place comes first, with its offset in |*where|
 * (0 for an empty topic or filter). */
int nova__mqtt_text(struct nova_view s, enum nova__mqtt_kind kind,
                    unsigned *saw, size_t *where);

/* The flags that the fixed header of a type has; PUBLISH has none of its own
 * here. |error|: what others are. */
uint8_t nova__mqtt_flags(enum nova_mqtt_type type, int *error);

/* What an acknowledgement of id 0 breaks. */
static inline int nova__mqtt_ack_error(enum nova_mqtt_type type) {
  return type == NOVA_MQTT_UNSUBACK ? NOVA_ERR_MQTT_SUBACK_ID
                                    : NOVA_ERR_MQTT_ACK_ID;
}

/* The codes that a SUBACK may have (3.9.3). */
static inline bool nova__mqtt_suback_code(uint8_t code) {
  return code <= 2 || code == NOVA_MQTT_SUBACK_FAILURE;
}

static inline uint16_t nova__mqtt_get16(const char *p) {
  const unsigned char *s = (const unsigned char *)p;
  return (uint16_t)(s[0] << 8 | s[1]);
}

#endif
