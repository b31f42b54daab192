/* MQTT 3.1.1 packets: bytes to packets and back, as OASIS MQTT 3.1.1 has them.
 * Strict, without allocation (but for the stream's one buffer) and without
 * recursion: what is decoded are views of the packet's bytes.
 *
 *     struct nova_mqtt_stream s;
 *     struct nova_mqtt_out out;
 *     struct nova_mqtt m;
 *     nova_mqtt_stream_init(&s, NULL, NOVA_MQTT_LIMIT);
 *     ... n bytes came in at p:
 *     for (size_t at = 0, used; at < n; at += used) {
 *       int event = nova_mqtt_stream_feed(&s, p + at, n - at, &used, &out);
 *       if (event < 0)
 *         break; // nothing can follow: close the connection
 *       if (event == NOVA_MQTT_PACKET &&
 *           nova_mqtt_decode(out.packet.p, out.packet.n, &m, NULL) == 0 &&
 *           m.type == NOVA_MQTT_PUBLISH)
 *         handle(m.u.publish.topic, m.u.publish.payload);
 *     }
 *     m = (struct nova_mqtt){.type = NOVA_MQTT_PUBACK, .u.ack = {id}};
 *     nova_mqtt_encode(&m, NOVA_MQTT_STRICT, text, sizeof text, &length);
 *
 * Every error is one of NOVA_ERR_MQTT_* and has its sentence
 * (nova_error_text()), the statement of the standard that is broken
 * (nova_mqtt_statement()) and a byte offset in the packet, which counts from
 * the first byte of the fixed header. What the standard allows, or leaves to
 * the receiver, and what is yet worth telling, is a bit of |saw|. */
#ifndef NOVA_CODEC_MQTT_H
#define NOVA_CODEC_MQTT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/view.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The packet types, by their numbers (2.2.1). */
enum nova_mqtt_type {
  NOVA_MQTT_NONE = 0, /* a forbidden type: 0 or 15 */
#define NOVA_MQTT_TYPE(NAME, number, flags, error) NOVA_MQTT_##NAME = (number),
#include "codec/mqtt.def"
};

/* The return codes of a CONNACK (3.2.2.3): NOVA_MQTT_CODE_ACCEPTED, ... */
enum nova_mqtt_code {
#define NOVA_MQTT_CODE(NAME, number, text) NOVA_MQTT_CODE_##NAME = (number),
#include "codec/mqtt.def"
};

/* Bits of nova_mqtt.saw: NOVA_MQTT_SAW_LONG_LENGTH, ... */
enum nova_mqtt_saw {
#define NOVA_MQTT_SAW(NAME, bit, text, statement)                              \
  NOVA_MQTT_SAW_##NAME = 1 << (bit),
#include "codec/mqtt.def"
};

/* The return code of a SUBACK for a subscription that failed (3.9.3). */
#define NOVA_MQTT_SUBACK_FAILURE 0x80

/* The most that a remaining length can say (2.2.3), and the most bytes that a
 * string has (1.5.3). */
#define NOVA_MQTT_REMAINING_MAX 268435455
#define NOVA_MQTT_STRING_MAX    65535

/* A usual limit for nova_mqtt_stream_init(). */
#define NOVA_MQTT_LIMIT 262144

/* Room for any header that nova_mqtt_put_header() writes. */
#define NOVA_MQTT_HEADER_MAX 6

/* A CONNECT (3.1). Absent, and no flag set for it, is what has p == NULL; a
 * will is there where |will_topic| or |will_message| is. */
struct nova_mqtt_connect {
  struct nova_view protocol; /* "MQTT"; to encode, NULL means it with level 4,
                                whatever |level| says */
  uint8_t level;
  bool clean_session;
  uint8_t will_qos; /* 0 to 3 */
  bool will_retain;
  uint16_t keep_alive; /* in seconds; 0: none */
  struct nova_view client_id, will_topic, will_message, user_name, password;
};

/* A CONNACK (3.2). */
struct nova_mqtt_connack {
  bool session_present;
  uint8_t code; /* enum nova_mqtt_code, or a number that is none */
};

/* A PUBLISH (3.3). */
struct nova_mqtt_publish {
  bool dup, retain;
  uint8_t qos;        /* 0 to 3 */
  uint16_t packet_id; /* 0 where |qos| is 0 */
  struct nova_view topic, payload;
};

/* PUBACK, PUBREC, PUBREL, PUBCOMP (3.4 to 3.7), UNSUBACK (3.11). */
struct nova_mqtt_ack {
  uint16_t packet_id;
};

/* An entry of a SUBSCRIBE (filter and requested QoS), a SUBACK (return code) or
 * an UNSUBSCRIBE (filter). */
struct nova_mqtt_entry {
  struct nova_view filter;
  uint8_t code;
};

/* SUBSCRIBE (3.8), SUBACK (3.9), UNSUBSCRIBE (3.10). What was decoded has |raw|
 * and no |entry|, and is read with nova_mqtt_each_next(). To encode, |entry| is
 * the caller's array of |count|; where it is NULL, |raw| is taken as it is. */
struct nova_mqtt_list {
  uint16_t packet_id;
  size_t count;
  const struct nova_mqtt_entry *entry;
  struct nova_view raw; /* the payload */
};

/* A packet. Its views are those of the bytes that were decoded, and last as
 * long as these do. */
struct nova_mqtt {
  enum nova_mqtt_type type;
  unsigned saw;       /* bits of enum nova_mqtt_saw; not read by the encoder */
  size_t header_size; /* of the fixed header, 2 to 5; not read likewise */
  union {
    struct nova_mqtt_connect connect;
    struct nova_mqtt_connack connack;
    struct nova_mqtt_publish publish;
    struct nova_mqtt_ack ack;   /* PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK */
    struct nova_mqtt_list list; /* SUBSCRIBE, SUBACK, UNSUBSCRIBE */
  } u;                          /* nothing: PINGREQ, PINGRESP, DISCONNECT */
};

/* A fixed header (2.2). */
struct nova_mqtt_header {
  uint8_t first;      /* type and flags as they stand */
  uint32_t remaining; /* bytes behind the header */
  size_t size;        /* bytes of the header, 2 to 5 */
  bool longer;        /* the remaining length has more bytes than it needs */
};

/* What nova_mqtt_header_read() and nova_mqtt_stream_feed() find. */
enum nova_mqtt_event {
  NOVA_MQTT_MORE,      /* all bytes are taken, nothing is complete */
  NOVA_MQTT_PACKET,    /* |packet| is a whole packet, its header included */
  NOVA_MQTT_OVERSIZED, /* a packet of |length| bytes begins, which is over the
                          limit: it is skipped, and not told again */
};

/* Reads a fixed header.
 * |p|, |n|: the beginning of a packet, as far as it is there.
 * |h|: set where the header is complete.
 * Returns NOVA_MQTT_PACKET where it is, NOVA_MQTT_MORE where it is not, or
 * NOVA_ERR_MQTT_LENGTH: the length goes on behind its fourth byte, at offset 4
 * of the packet (2.2.3). Judges neither the type nor its flags. */
int nova_mqtt_header_read(const char *p, size_t n, struct nova_mqtt_header *h);

/* Decodes one packet.
 * |p|, |n|: the whole packet and nothing else, 1 byte or more. Payloads and
 * passwords are not read.
 * |m|: the packet. After an error |type|, |saw| and |header_size| are good as
 * far as they were read; after PROTOCOL_31 and PROTOCOL_LEVEL so are |protocol|
 * and |level| (0 where it was missing) of the CONNECT, so that a server can
 * answer with CONNACK 1 (3.1.2.2). Nothing else is.
 * |at|: the error and where it is, {0, 0} without one; may be NULL. A field
 * that does not fit, or is missing, is told at its first byte.
 * Returns 0 or an error:
 *   NOVA_ERR_MQTT_UNFINISHED  n is less than the header says
 *   NOVA_ERR_MQTT_TRAILING    n is more
 *   NOVA_ERR_MQTT_LENGTH, ... the other rows of error.def: the packet breaks
 *                             the standard */
int nova_mqtt_decode(const char *p, size_t n, struct nova_mqtt *m,
                     struct nova_fault_at *at);

/* Goes through the entries of a SUBSCRIBE, SUBACK or UNSUBSCRIBE; any other
 * packet has none. Fields are private. */
struct nova_mqtt_each {
  const struct nova_mqtt_list *list;
  enum nova_mqtt_type type;
  size_t index, at;
};

/* |m|: stays where it is for as long as entries are read. */
void nova_mqtt_each_init(struct nova_mqtt_each *e, const struct nova_mqtt *m);

/* The next entry; false behind the last one, and where |raw| was not decoded
 * and is malformed. |entry|: a member that the type does not have is empty. */
bool nova_mqtt_each_next(struct nova_mqtt_each *e,
                         struct nova_mqtt_entry *entry);

/* How strict the encoder is. */
enum nova_mqtt_how {
  NOVA_MQTT_STRICT, /* refuses what the decoder would refuse */
  NOVA_MQTT_ANYWAY, /* writes it: QoS 3, an id of 0, U+0000, no entries, ... */
};

/* The size of a packet, its fixed header included.
 * Returns 0 or an error:
 *   NOVA_ERR_ARGUMENT  no type; a string of more than 65535 bytes, a QoS of
 *                      more than 3, or all of it more than a remaining length
 *                      can say, which no way of writing can express
 *   NOVA_ERR_MQTT_...  STRICT: what the decoder would say of the packet; also
 *                      PACKET_ID_STRAY, which no receiver could see
 * An empty client id without clean session is no error, as it is none for the
 * decoder: the server answers it (3.1.3-8). */
int nova_mqtt_size(const struct nova_mqtt *m, enum nova_mqtt_how how,
                   size_t *size);

/* Encodes a packet, with the shortest form of the remaining length.
 * |p|, |n|: room for it. |length|: how many bytes were written.
 * Returns 0, an error of nova_mqtt_size(), or NOVA_ERR_NO_SPACE; nothing is
 * written then. */
int nova_mqtt_encode(const struct nova_mqtt *m, enum nova_mqtt_how how, char *p,
                     size_t n, size_t *length);

/* Writes a fixed header by itself, right or wrong, for what the caller sends
 * behind it.
 * |first|: type and flags. |remaining|: what the length says, true or not.
 * |width|: bytes of the length: 0 for as few as it takes, 1 to 4 for that many,
 * 5 for the form that every receiver has to refuse.
 * Returns how many bytes were written, 0 where |remaining| has no room in
 * |width| or |width| is out of its range. */
size_t nova_mqtt_put_header(uint8_t first, uint32_t remaining, unsigned width,
                            char out[NOVA_MQTT_HEADER_MAX]);

/* A stream of packets. Fields are private.
 *
 *         feed, no end              remaining length over the limit: OVERSIZED
 *      .---> [ COLLECTING ] <----------------------------> [ SKIPPING ]
 *      |        | whole: PACKET         its last byte
 *      '--------'
 *               | a fifth byte of length
 *               v
 *           [ BROKEN ]
 *
 * Packets do not depend on how the bytes were cut into segments. One that lies
 * whole inside a segment is handed out as a view of it, without a copy; one
 * that spans segments is collected in the one buffer. */
struct nova_mqtt_stream {
  struct nova_buf held;
  size_t limit;
  uint64_t offset; /* in the stream, of the present packet's first byte */
  uint64_t length; /* of the packet that is skipped */
  uint64_t skip;   /* bytes of it that are still to come */
  bool handed_out; /* |held| was handed out and is to be cleared */
  bool broken;
};

/* What one call found. */
struct nova_mqtt_out {
  struct nova_view packet; /* PACKET only; valid until the next call */
  uint64_t length; /* PACKET, OVERSIZED: of the packet with its header */
  uint64_t offset; /* PACKET, OVERSIZED, LENGTH: where the packet starts
                      in the stream, 0-based */
  uint8_t first;   /* PACKET, OVERSIZED: its first byte, type and flags */
};

/* Starts at the beginning of a stream; allocates nothing.
 * |mem|: NULL for the C library's; outlives the stream.
 * |limit|: the highest remaining length that is handed out, 0 to
 * NOVA_MQTT_REMAINING_MAX; the buffer holds 5 bytes more at most.
 * Returns 0 or NOVA_ERR_ARGUMENT. */
int nova_mqtt_stream_init(struct nova_mqtt_stream *s,
                          const struct nova_mem *mem, size_t limit);

void nova_mqtt_stream_free(struct nova_mqtt_stream *s);

/* Takes bytes up to the end of the next packet, or all of them.
 * |p|, |n|: the segment; has to stay for as long as the packet is used.
 * |used|: how many bytes were taken; the caller goes on with the rest.
 * |out|: set for PACKET, OVERSIZED and the error LENGTH.
 * Returns an enum nova_mqtt_event or an error; what |used| says, the end of a
 * packet that is skipped, was taken all the same:
 *   NOVA_ERR_NO_MEMORY    the rest can be fed again
 *   NOVA_ERR_MQTT_LENGTH  no packet can be found in what follows: every later
 *                         call says the same */
int nova_mqtt_stream_feed(struct nova_mqtt_stream *s, const char *p, size_t n,
                          size_t *used, struct nova_mqtt_out *out);

/* Bytes of a packet that has not ended yet: 0 between packets. At the end of
 * the stream anything but 0 is NOVA_ERR_MQTT_UNFINISHED, which the caller
 * judges. */
uint64_t nova_mqtt_stream_pending(const struct nova_mqtt_stream *s);

/* The unfinished packet as far as it is kept (empty while one is skipped).
 * Valid until the next call. */
struct nova_view nova_mqtt_stream_held(const struct nova_mqtt_stream *s);

/* Whether |topic| can be published to (4.7): well-formed UTF-8 without U+0000,
 * 1 to 65535 bytes, no wildcard. |at|: the error and its offset in |topic|,
 * {0, 0} without one; may be NULL. */
bool nova_mqtt_topic_valid(struct nova_view topic, struct nova_fault_at *at);

/* Whether |filter| can be subscribed to (4.7): the same, but "+" may be a
 * level, and "#" the last one. */
bool nova_mqtt_filter_valid(struct nova_view filter, struct nova_fault_at *at);

/* Whether a message to |topic| goes to subscribers of |filter| (4.7). A filter
 * that begins with a wildcard matches no topic that begins with "$" (4.7.2-1);
 * "a/#" matches "a" too. Bytes are compared as they are (4.7.3-4). Both are to
 * be valid: of others the result means nothing. */
bool nova_mqtt_match(struct nova_view filter, struct nova_view topic);

/* "CONNECT", ..., static; "forbidden type" for NONE and what is no type. */
const char *nova_mqtt_type_name(enum nova_mqtt_type type);

/* What a CONNACK's return code says, static; never NULL. */
const char *nova_mqtt_code_text(unsigned code);

/* What a bit of nova_mqtt.saw says, and the statement that it goes back to (""
 * where the standard numbers none); static, never NULL, "" for what is not one
 * bit of them. */
const char *nova_mqtt_saw_text(unsigned bit);
const char *nova_mqtt_saw_statement(unsigned bit);

/* The normative statement that an error breaks ("MQTT-3.1.2-3"), "" where the
 * standard numbers none or the error is none of MQTT; static, never NULL. A
 * statement that merely says of a field that it is a UTF-8 string (3.1.3-4,
 * 3.1.3-10, 3.1.3-11, 3.3.2-1, 3.8.3-1, 3.10.3-1) is told as the one that says
 * what such a string is: 1.5.3-1. */
const char *nova_mqtt_statement(int code);

/* The standard's section about it ("3.1.2.3"), "" where the error is none of
 * MQTT; static, never NULL. */
const char *nova_mqtt_section(int code);

#ifdef __cplusplus
}
#endif

#endif
