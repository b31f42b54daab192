/* The guide's topics and MQTT payloads (sections 2.4 to 2.6), from message.def:
 * which topic is whose, what a payload says, and what is wrong with it. */
#ifndef NOVA_CODEC_PAYLOAD_H
#define NOVA_CODEC_PAYLOAD_H

#include "codec/message.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A device's topics: novacloud/devices/{device_id}/... */
enum nova_channel {
  NOVA_CHANNEL_NONE, /* a topic that is none of them */
  NOVA_CHANNEL_DATA,
  NOVA_CHANNEL_COMMAND,
  NOVA_CHANNEL_STATUS,
};

#define NOVA_TOPIC_PREFIX "novacloud/devices/"

/* Room for any topic of an id of 255 bytes, NUL included. */
#define NOVA_TOPIC_MAX (18 + 255 + 8 + 1)

/* Reads a topic name. |id|: the device's id, a view of |topic|; may be NULL.
 * An empty id, or one with a slash, is NONE. */
enum nova_channel nova_topic_read(struct nova_view topic, struct nova_view *id);

/* Writes a topic, NUL-terminated. |id|: taken as it is. |cap|: NOVA_TOPIC_MAX
 * is always enough for an id of up to 255 bytes. Returns its length, 0 where it
 * does not fit or the channel is NONE. */
size_t nova_topic_write(enum nova_channel channel, struct nova_view id,
                        char *out, size_t cap);

/* What a payload says: NOVA_PAYLOAD_DATA, COMMAND, ANSWER, STATUS, WILL. */
enum nova_payload_kind {
  NOVA_PAYLOAD_UNKNOWN,
#define NOVA_PAYLOAD(KIND, name, channel, sender, section) NOVA_PAYLOAD_##KIND,
#define NOVA_PAYLOAD_FIELD(KIND, name, field, type, presence, section)
#include "codec/message.def"
  NOVA_PAYLOAD_KINDS
};

#define NOVA_PAYLOAD_FIELDS 6

/* What a field has to be; see message.def. */
enum nova_payload_type {
  NOVA_PAYLOAD_TYPE_STRING,
  NOVA_PAYLOAD_TYPE_TIME,
  NOVA_PAYLOAD_TYPE_OBJECT,
  NOVA_PAYLOAD_TYPE_BOOLEAN,
  NOVA_PAYLOAD_TYPE_OFFLINE,
  NOVA_PAYLOAD_TYPE_ZERO,
};

struct nova_payload_field {
  const char *name;
  enum nova_payload_type type;
  bool required;
  const char *section;
};

struct nova_payload_info {
  const char *name; /* "data", "command", "answer", "status", "will" */
  enum nova_channel channel;
  enum nova_sender sender;
  const char *section;
  size_t fields;
  struct nova_payload_field field[NOVA_PAYLOAD_FIELDS];
};

/* The row of a kind, static; NULL for UNKNOWN. */
const struct nova_payload_info *nova_payload_info(enum nova_payload_kind kind);
enum nova_payload_kind nova_payload_find(struct nova_view name);

/* What a payload on a channel is: the channel's message; on DATA one that is a
 * JSON object with `response` or `command` is an answer. UNKNOWN for NONE.
 * Whether it is good is another question. */
enum nova_payload_kind nova_payload_kind_of(struct nova_json *j,
                                            enum nova_channel channel,
                                            struct nova_view payload);

/* A payload, decoded: every field as it stands. */
struct nova_payload {
  enum nova_payload_kind kind;
  unsigned present; /* bit i: field i is there, of the right type and range */
  struct nova_json_value whole; /* NONE where the JSON is bad */
  struct nova_json_value value[NOVA_PAYLOAD_FIELDS]; /* NONE where absent */
  size_t unknown; /* members that the table does not list; in data these are
                     the measured values */
  size_t defects;
  struct nova_defect defect[NOVA_PAYLOAD_FIELDS + 1];
};

/* Decodes a payload as |kind|, strictly, without allocation. Every defect is
 * listed; further members are allowed.
 * |j|: the scanner. |kind|: UNKNOWN has no fields: it only has to be an object.
 * |out|: always set; valid as long as the bytes stand.
 * Returns 0 or the code of the first defect: NOVA_ERR_JSON_* (an empty payload
 * is JSON_EMPTY), NOVA_ERR_LIMIT (longer than the scanner takes),
 * NOVA_ERR_MSG_NOT_OBJECT, MSG_FIELD_MISSING, MSG_FIELD_TYPE, MSG_FIELD_RANGE
 * (a time below 0 or over 2^53; OFFLINE or ZERO that is another string or
 * another whole number). */
int nova_payload_decode(struct nova_json *j, enum nova_payload_kind kind,
                        struct nova_view payload, struct nova_payload *out);

/* Index of a field: NOVA_PAYLOAD_INDEX(ANSWER, success). A constant. */
enum nova__payload_row {
#define NOVA_PAYLOAD(KIND, name, channel, sender, section) NOVA__PAYLOAD_##KIND,
#define NOVA_PAYLOAD_FIELD(KIND, name, field, type, presence, section)         \
  NOVA__PAYLOAD_##KIND##_##field,
#include "codec/message.def"
  NOVA__PAYLOAD_ROWS
};
#define NOVA_PAYLOAD_INDEX(KIND, field)                                        \
  (NOVA__PAYLOAD_##KIND##_##field - NOVA__PAYLOAD_##KIND - 1)

#ifdef __cplusplus
}
#endif

#endif
