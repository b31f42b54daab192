/* The messages of the guide's TCP protocol (sections 3.2 to 3.4): frames to
 * typed messages and back, all from message.def. */
#ifndef NOVA_CODEC_MESSAGE_H
#define NOVA_CODEC_MESSAGE_H

#include "codec/json.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A string field: the characters between the quotation marks as they stand in
 * the frame. |escaped|: they hold a backslash and are to be read with
 * nova_string_copy(); otherwise |raw| is the string itself. */
struct nova_string {
  struct nova_view raw;
  bool escaped;
};

enum nova_msg_kind {
  NOVA_MSG_UNKNOWN, /* no JSON object, no type, or a type that is not listed */
#define NOVA_MSG(KIND, name, sender, section) NOVA_MSG_##KIND,
#define NOVA_FIELD(KIND, name, field, type, presence, section)
#include "codec/message.def"
  NOVA_MSG_KINDS
};

enum nova_sender { NOVA_SENDER_DEVICE, NOVA_SENDER_SERVER };

enum nova_field_type {
  NOVA_FIELD_STRING,
  NOVA_FIELD_RESULT,
  NOVA_FIELD_TIME,
  NOVA_FIELD_OBJECT,
};

/* The most fields that a message has, "type" not counted. */
#define NOVA_MSG_FIELDS 5

struct nova_field_info {
  const char *name;
  enum nova_field_type type;
  bool required;
  const char *section;
};

struct nova_msg_info {
  const char *name; /* the value of "type" */
  enum nova_sender sender;
  const char *section;
  size_t fields;
  struct nova_field_info field[NOVA_MSG_FIELDS];
};

/* The row of a kind; NULL for UNKNOWN. Static. */
const struct nova_msg_info *nova_msg_info(enum nova_msg_kind kind);

/* The kind whose "type" is |type|, UNKNOWN where there is none. */
enum nova_msg_kind nova_msg_kind_of(struct nova_view type);

/* The C type of each field type. */
#define NOVA_C_STRING struct nova_string
#define NOVA_C_RESULT struct nova_string
#define NOVA_C_TIME   int64_t
#define NOVA_C_OBJECT struct nova_view /* braces included */

/* struct nova_msg_auth { struct nova_string device_id, device_key; }; ...
 * (see message.c for why the rows expand in two passes) */
struct nova_msg_auth {
  NOVA_C_STRING device_id, device_key;
};
struct nova_msg_auth_result {
  NOVA_C_RESULT result;
  NOVA_C_STRING message;
  NOVA_C_TIME timestamp;
};
struct nova_msg_data {
  NOVA_C_STRING device_id;
  NOVA_C_TIME timestamp;
  NOVA_C_OBJECT values;
};
struct nova_msg_status {
  NOVA_C_STRING device_id;
  NOVA_C_TIME timestamp;
  NOVA_C_STRING status;
  NOVA_C_OBJECT info; /* p == NULL where absent */
};
struct nova_msg_command {
  NOVA_C_STRING command_id, device_id;
  NOVA_C_TIME timestamp;
  NOVA_C_STRING command;
  NOVA_C_OBJECT params;
};
struct nova_msg_command_response {
  NOVA_C_STRING command_id, device_id;
  NOVA_C_TIME timestamp;
  NOVA_C_STRING result;
  NOVA_C_OBJECT data;
};
struct nova_msg_ping {
  NOVA_C_STRING device_id;
  NOVA_C_TIME timestamp;
};
struct nova_msg_pong {
  NOVA_C_TIME timestamp;
};

/* One thing that is wrong with a message. */
struct nova_defect {
  int code;      /* NOVA_ERR_JSON_* or NOVA_ERR_MSG_* */
  size_t offset; /* in the frame; for a missing field: of the object's end */
  int field; /* index into nova_msg_info()->field, -1: "type" or the whole */
};

struct nova_msg {
  enum nova_msg_kind kind;
  unsigned present; /* bit i: field i stands there with the right type and
                       range, and its member below is set */
  union {
#define NOVA_MSG(KIND, name, sender, section) struct nova_msg_##name name;
#define NOVA_FIELD(KIND, name, field, type, presence, section)
#include "codec/message.def"
  } u;
  struct nova_json_value whole; /* NONE where the JSON is bad */
  struct nova_json_value type;  /* the member "type", NONE where absent */
  struct nova_json_value value[NOVA_MSG_FIELDS]; /* each field as it stands,
                                 whatever its type; NONE where absent */
  size_t unknown;    /* members that the table does not list */
  const char *frame; /* its first byte */
  size_t defects;    /* how many of |defect| are set */
  struct nova_defect defect[NOVA_MSG_FIELDS + 1];
};

/* The rows of message.def, a message before its fields. */
enum nova__row {
#define NOVA_MSG(KIND, name, sender, section) NOVA__ROW_##KIND,
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  NOVA__ROW_##KIND##_##field,
#include "codec/message.def"
  NOVA__ROWS
};

/* The index of a field, as in nova_msg_info()->field and nova_msg.value:
 * NOVA_INDEX(COMMAND, params) is 4. A constant. */
#define NOVA_INDEX(KIND, field)                                                \
  (NOVA__ROW_##KIND##_##field - NOVA__ROW_##KIND - 1)

/* Its bit in nova_msg.present. */
#define NOVA_PRESENT(KIND, field) (1U << NOVA_INDEX(KIND, field))

/* nova_msg.present of a message that is encoded with all its fields. */
#define NOVA_PRESENT_ALL ((1U << NOVA_MSG_FIELDS) - 1U)

/* Decodes one frame (a line without its line feed), strictly, in one pass and
 * without allocation. Every defect is listed, so that a caller can charge each
 * to its own requirement; unknown members are counted and otherwise ignored.
 *
 * |j|: the scanner; has to allow frames of this size.
 * |p|, |n|: the frame; the message holds views of it and is valid as long as it
 *           stands. White space around the object is allowed, and so a CR at
 * the end. |msg|: always set, as far as the frame could be read.
 *
 * Returns 0, or the code of the first defect: NOVA_ERR_LINE_EMPTY (no byte but
 * white space), NOVA_ERR_JSON_*, NOVA_ERR_MSG_*. */
int nova_msg_decode(struct nova_json *j, const char *p, size_t n,
                    struct nova_msg *msg);

/* What an object evidently is whose "type" is missing, no string, unknown or
 * one of the other side's, so that a finding can say "meant as a pong" and the
 * rest of it can be judged.
 *
 * First by the type's text: a kind of that sender whose name it is but for the
 * case of ASCII letters, white space at the ends, or '-' for '_'. Else by the
 * members: every kind of that sender gets a point for each of its fields that
 * is there, and loses one for each required field that is not and for each
 * member that it does not have. The best kind is the answer if it is the only
 * best one, at least half of its required fields are there, and either a field
 * is among them that no other kind of that sender has, or the members that it
 * does not have are no more than those that it has.
 *
 * |msg|: a decoded message; its frame still stands.
 * Returns its kind if that is known and of that sender; UNKNOWN where it is no
 * object, or not clear. */
enum nova_msg_kind nova_msg_infer(const struct nova_msg *msg,
                                  enum nova_sender sender);

/* The same by the type's text alone: a message whose type is a text of its own
 * may be one that the guide does not name, whatever its members. */
enum nova_msg_kind nova_msg_infer_name(const struct nova_msg *msg,
                                       enum nova_sender sender);

/* Reads a decoded object again as if it were of another kind: |out| is what
 * nova_msg_decode() gives for an object of kind |as|, its defects included. If
 * "type" is not the name of that kind, the first of them is about it: NO_TYPE
 * or UNKNOWN_TYPE, field -1.
 *
 * |in|: its frame still stands; |out| may be |in| itself.
 * Returns the code of the first defect or 0. Where |in| is no object or |as| is
 * UNKNOWN, |out| is |in|. */
int nova_msg_survey(const struct nova_msg *in, enum nova_msg_kind as,
                    struct nova_msg *out);

/* Encodes a message as one line, the line feed included, members in the order
 * of the guide.
 * |msg|: kind, u and present are read; a string that is not |escaped| is any
 *        UTF-8 and is escaped as needed; an |escaped| one is copied. Spans are
 *        copied as they stand.
 * |out|, |cap|: the caller's buffer.
 * |len|: the length of the line; set on success, and to the length that is
 *        needed with NO_SPACE.
 * Returns 0, NOVA_ERR_NO_SPACE, NOVA_ERR_ARGUMENT (kind UNKNOWN, a required
 * field not present, a line feed in a span or an escaped string, which would
 * end the line), NOVA_ERR_JSON_UTF8 (a string that is no UTF-8). */
int nova_msg_encode(const struct nova_msg *msg, char *out, size_t cap,
                    size_t *len);

/* The string's characters, unescaped; as nova_json_string(). */
size_t nova_string_copy(struct nova_string s, char *out, size_t cap);
bool nova_string_is(struct nova_string s, struct nova_view utf8);

/* A string field made of plain UTF-8. */
static inline struct nova_string nova_string_of(const char *s) {
  struct nova_string string = {nova_view_of(s), false};
  return string;
}

#ifdef __cplusplus
}
#endif

#endif
