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
 * - A payload (of a PUBLISH or a will) stands as `payload`, the value itself as
 *   it was written, line feeds within it included, where it is RFC 8259 JSON
 *   without duplicate keys; white space around the value is left out, which
 *   `payload_size` counts. Else it stands as `payload_text`, a string, where it
 *   is UTF-8 and the escapes of its control characters do not make it longer
 *   than digits would be; else as `payload_hex`. An empty one has none of them.
 * - `says` is what the guide calls the payload: "data", "answer", "command",
 *   "status", or "other" for a topic that is none of a device's; `device_id` is
 *   the one that its topic names, absent for "other". A will has neither.
 * - username, password, will: absent where the packet has none.
 * - A password that is no UTF-8 stands as `password_hex`; other strings always
 *   are UTF-8 when decoded. Of those that are not, each byte that is none is
 *   U+FFFD.
 * - packet_id is absent for QoS 0. */
#ifndef NOVA_CODEC_MQTT_JSON_H
#define NOVA_CODEC_MQTT_JSON_H

#include "base/buf.h"
#include "codec/json.h"
#include "codec/mqtt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most bytes of the object of a packet of |n| bytes. What grows most are
 * filters of one control character, and a topic of them that is a device's. */
#define NOVA_MQTT_JSON_MAX(n)                                                  \
  (7 * (size_t)(n) + 6 * (size_t)NOVA_MQTT_STRING_MAX + 256)

/* Appends the object of a packet that was decoded, or that is to be encoded.
 * It always is one valid object: a scanner takes it that allows
 * NOVA_MQTT_JSON_MAX() bytes and two levels more than |j|. One that could not
 * be decoded has those members right that nova_mqtt_decode() says.
 * |j|: the scanner, for payloads; what is longer or deeper than it takes is no
 *   JSON to it.
 * Returns 0 or the buffer's errors; |out| is as before then. */
int nova_mqtt_to_json(const struct nova_mqtt *m, struct nova_json *j,
                      struct nova_buf *out);

/* Why an object is no packet. */
struct nova_mqtt_json_fault {
  const char *member;    /* static, "qos", "will.qos"; "" for the whole */
  const char *why;       /* static, "is no string": to stand behind |member| */
  struct nova_view name; /* of a member that the packet does not have, as it
                            stands in the object with its quotation marks;
                            else empty */
};

/* Appends the packet that an object says, right or wrong (NOVA_MQTT_ANYWAY).
 * Members that are left out: protocol "MQTT", level 4, clean_session true,
 * keep_alive 60, client_id "", no username, password and will; qos 0, flags
 * false, no payload; will: qos 0, retain false; session_present false, code 0.
 * Never left out are packet, topic (of a will too), filters, filter and codes.
 * A member that the packet does not have is refused, so that a misspelt one is
 * not taken for one left out. `says`, `device_id` and `payload_size` are not
 * read. Of payload, payload_text and payload_hex one may be given, as of
 * password and password_hex; `payload` is written as the text of the value
 * stands in |object|. packet_id where the packet has one: |packet_id| where it
 * is left out; with QoS 0 it is not read.
 *
 * `wire` is an object for what no right packet has:
 *   flags      the low four bits of the first byte
 *   reserved   true: the reserved bit of a CONNECT's flags is set; of a
 *              CONNECT only
 *   width      1 to 5: bytes of the remaining length (5: the form that every
 *              receiver has to refuse)
 *   topic_tail hexadecimal digits: bytes at the end of the topic, whose length
 *              counts them, for a topic that is no UTF-8; of a PUBLISH only
 *   tail       hexadecimal digits: bytes behind the packet's end that the
 *              remaining length counts
 *   cut        this many bytes are left out at the end of the packet, and of
 *              its tail; the remaining length says what would have stood
 *              there. One byte at least is left
 *
 * |object|: a validated JSON object. |packet_id|: 0 leaves 0.
 * |pad_payload|: of a PUBLISH; blanks are put before the payload's last byte if
 *   that is a closing bracket, else behind it, until the payload has so many
 *   bytes: JSON stays the same value.
 * |fault|: why it was refused, empty otherwise; may be NULL.
 * Returns 0, NOVA_ERR_ARGUMENT with |fault|, or the buffer's errors; |out| is
 * as before then. */
int nova_mqtt_from_json(struct nova_json_value object, uint16_t packet_id,
                        size_t pad_payload, struct nova_buf *out,
                        struct nova_mqtt_json_fault *fault);

#ifdef __cplusplus
}
#endif

#endif
