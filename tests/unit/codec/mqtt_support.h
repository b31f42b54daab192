/* What the tests of MQTT packets share. */
#ifndef NOVA_TESTS_CODEC_MQTT_SUPPORT_H
#define NOVA_TESTS_CODEC_MQTT_SUPPORT_H

#include "base/rng.h"
#include "codec/mqtt.h"

/* Bytes in the notation of these tests: pairs of hexadecimal digits, and text
 * between single quotation marks. Static storage, good until the eighth call
 * from now. */
struct nova_view bytes_of(const char *notation);

/* Decodes an exact copy, which is freed: only numbers of |m| can be used. */
int decode_copy(struct nova_view packet, struct nova_mqtt *m,
                struct nova_fault_at *at);

/* Whether two packets say the same, down to their last field. */
bool same_packet(const struct nova_mqtt *a, const struct nova_mqtt *b);

/* A packet of any type with random fields, all of it right. Its bytes are good
 * until the next call. */
struct nova_mqtt random_packet(struct nova_rng *r);

/* A packet that was encoded into static storage, good until the next call. */
struct nova_view encoded(const struct nova_mqtt *m, enum nova_mqtt_how how);

/* One right packet of each shape, in the notation; ends with NULL. */
extern const char *const mqtt_samples[];

#endif
