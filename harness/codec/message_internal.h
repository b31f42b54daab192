/* Internal to codec/: what the files of the message codec share. */
#ifndef NOVA_CODEC_MESSAGE_INTERNAL_H
#define NOVA_CODEC_MESSAGE_INTERNAL_H

#include "codec/message.h"

/* A row of message.def for the codec itself. */
struct nova__msg_row {
  const char *name;
  const char *member; /* the name, its quotation marks and the colon */
  size_t n;
  enum nova_field_type type;
  bool required;
  size_t place; /* in the union */
};

extern const struct nova__msg_row nova__msg_rows[NOVA_MSG_KINDS]
                                                [NOVA_MSG_FIELDS];

/* The highest whole number that every reader of JSON numbers keeps exactly. */
#define NOVA__TIME_MAX (INT64_C(1) << 53)

static inline bool nova__msg_is_result(struct nova_string s) {
  return nova_string_is(s, (struct nova_view){"success", 7}) ||
         nova_string_is(s, (struct nova_view){"failed", 6});
}

/* Compares |n| bytes that mostly are equal, and few. */
static inline bool nova__msg_same(const char *a, const char *b, size_t n) {
  uint64_t a8, b8, c8, d8;
  uint32_t a4, b4, c4, d4;
  if (n >= 8 && n <= 16) {
    memcpy(&a8, a, 8);
    memcpy(&b8, b, 8);
    memcpy(&c8, a + n - 8, 8);
    memcpy(&d8, b + n - 8, 8);
    return ((a8 ^ b8) | (c8 ^ d8)) == 0;
  }
  if (n >= 4 && n < 8) {
    memcpy(&a4, a, 4);
    memcpy(&b4, b, 4);
    memcpy(&c4, a + n - 4, 4);
    memcpy(&d4, b + n - 4, 4);
    return ((a4 ^ b4) | (c4 ^ d4)) == 0;
  }
  return memcmp(a, b, n) == 0;
}

/* Decodes a frame that is written as the guide writes it; false where
 * it is not, and |msg| then is of no meaning. */
bool nova__msg_decode_quick(struct nova_json *j, const char *p, size_t n,
                            struct nova_msg *msg);

#endif
