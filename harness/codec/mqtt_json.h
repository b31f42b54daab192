/* MQTT packets as JSON objects and back: what scripts say, what evidence shows,
 * and what a structure-aware mutator changes.
 *
 *   {"packet":"CONNECT","protocol":"MQTT","level":4,"clean_session":true,
 *    "keep_alive":60,"client_id":"...","username":"...","password":"...",
 *    "will":{"topic":"...","qos":1,"retain":false,"payload":...}}
 *   {"packet":"CONNACK","session_present":false,"code":0}
 *   {"packet":"PUBLISH","says":"data","device_id":"DEV-1","dup":false,"qos":1,
 *    "retain":false,"packet_id":7,"topic":"...","payload":...,
 *    "payload_size":121}
 *   {"packet":"PUBACK","packet_id":7}    and PUBREC, PUBREL, PUBCOMP, UNSUBACK
 *   {"packet":"SUBSCRIBE","packet_id":1,
 *    "filters":[{"filter":"...","qos":1}]}
 *   {"packet":"SUBACK","packet_id":1,"codes":[1]}
 *   {"packet":"UNSUBSCRIBE","packet_id":1,"filters":["..."]}
 *   {"packet":"PINGREQ"}    and PINGRESP, DISCONNECT
 *
 * - A payload (of a PUBLISH or a will) stands as `payload`, the value itself,
 *   where it is RFC 8259 JSON without duplicate keys; else as `payload_text`, a
 *   string, where it is UTF-8; else as `payload_hex`. An empty one has none of
 *   them.
 * - `says` is what the guide calls the payload: "data", "answer", "command",
 *   "status", or "other" for a topic that is none of a device's; `device_id` is
 *   the one that its topic names, absent for "other". A will has neither.
 * - username, password, will: absent where the packet has none.
 * - A password that is no UTF-8 stands as `password_hex`; other strings always
 *   are UTF-8 when decoded.
 * - packet_id is absent for QoS 0. */
#ifndef NOVA_CODEC_MQTT_JSON_H
#define NOVA_CODEC_MQTT_JSON_H

#include "base/buf.h"
#include "codec/json.h"
#include "codec/mqtt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends the object of a decoded packet.
 * |j|: the scanner, for payloads; what is longer than it takes is no JSON to
 * it. Returns 0 or the buffer's errors; |out| is as before then. */
int nova_mqtt_to_json(const struct nova_mqtt *m, struct nova_json *j,
                      struct nova_buf *out);

/* Why an object is no packet. */
struct nova_mqtt_json_fault {
  const char *member; /* static; "" for the whole */
  const char *why;    /* static */
};

/* Appends the packet that an object says, right or wrong (NOVA_MQTT_ANYWAY).
 * Members that are left out: protocol "MQTT", level 4, clean_session true,
 * keep_alive 60, client_id "", no username, password and will; qos 0, flags
 * false, no payload; will: qos 0, retain false; session_present false, code 0.
 * `says`, `device_id` and `payload_size` are not read. Of payload, payload_text
 * and payload_hex one may be given; `payload` is written as the text of the
 * value stands in |object|. packet_id where the packet has one: |packet_id|
 * where it is left out.
 *
 * `wire` is an object for what no right packet has:
 *   flags      the low four bits of the first byte
 *   reserved   true: the reserved bit of a CONNECT's flags is set
 *   width      1 to 5: bytes of the remaining length (5: the form that every
 *              receiver has to refuse)
 *   topic_tail hexadecimal digits: bytes put behind a PUBLISH's topic
 *   cut        this many bytes are left out at the end of the packet; the
 *              remaining length says what would have stood there
 *   tail       hexadecimal digits: bytes behind the packet's end that the
 *              remaining length counts
 *
 * |object|: a validated JSON object. |packet_id|: 0 leaves 0.
 * |pad_payload|: not 0: blanks are put before the payload's last byte until the
 *   payload has so many bytes (of one that is JSON it stays the same value).
 * |fault|: may be NULL.
 * Returns 0, NOVA_ERR_ARGUMENT with |fault|, or the buffer's errors; |out| is
 * as before then. */
int nova_mqtt_from_json(struct nova_json_value object, uint16_t packet_id,
                        size_t pad_payload, struct nova_buf *out,
                        struct nova_mqtt_json_fault *fault);

#ifdef __cplusplus
}
#endif

#endif
