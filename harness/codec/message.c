#include "codec/message.h"

#include "codec/json_internal.h"
#include "codec/message_internal.h"

/* --- the table --------------------------------------------------------------
 */

/* Structures are made of rows by letting each NOVA_MSG row end the structure of
 * the message before it and begin its own, which is why a first one without a
 * use stands in front.
 *
 * One char a field: the size, less one, is the number of fields. */
struct fields_none {
  char none;
#define NOVA_MSG(KIND, name, sender, section)                                  \
  }                                                                            \
  ;                                                                            \
  struct fields_##name {                                                       \
    char type;
#define NOVA_FIELD(KIND, name, field, type, presence, section) char field;
#include "codec/message.def"
};

/* The structures of message.h as the table would write them. */
struct layout_none {
  char none;
#define NOVA_MSG(KIND, name, sender, section)                                  \
  }                                                                            \
  ;                                                                            \
  struct layout_##name {
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  NOVA_C_##type field;
#include "codec/message.def"
};

/* They agree: same members, same types, same places, and none besides. */
#define NOVA_MSG(KIND, name, sender, section)                                  \
  _Static_assert(sizeof(struct layout_##name) ==                               \
                     sizeof(struct nova_msg_##name),                           \
                 "message.def and struct nova_msg_" #name " differ");          \
  _Static_assert(sizeof(struct fields_##name) - 1 <= NOVA_MSG_FIELDS,          \
                 #name " has more than NOVA_MSG_FIELDS fields");
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  _Static_assert(offsetof(struct layout_##name, field) ==                      \
                         offsetof(struct nova_msg_##name, field) &&            \
                     _Generic(((struct nova_msg_##name *)NULL)->field,         \
                              NOVA_C_##type : 1, default : 0),                 \
                 "message.def and nova_msg_" #name "." #field " differ");
#include "codec/message.def"

#define REQUIRED true
#define OPTIONAL false

/* clang-format off */
static const struct nova_msg_info infos[NOVA_MSG_KINDS] = {
    [NOVA_MSG_UNKNOWN] = {.field = {{0},
#define NOVA_MSG(KIND, name, sender, section)                                  \
    }}, [NOVA_MSG_##KIND] = {#name, NOVA_SENDER_##sender, section,             \
                             sizeof(struct fields_##name) - 1, {
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
        {#field, NOVA_FIELD_##type, presence, section},
#include "codec/message.def"
    }},
};

const struct nova__msg_row nova__msg_rows[NOVA_MSG_KINDS][NOVA_MSG_FIELDS] = {
    [NOVA_MSG_UNKNOWN] = {{0},
#define NOVA_MSG(KIND, name, sender, section)                                  \
    }, [NOVA_MSG_##KIND] = {
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
        {#field, "\"" #field "\":",   sizeof #field - 1, NOVA_FIELD_##type,      \
         presence,                                                              \
         offsetof(struct nova_msg_##name, field)},
#include "codec/message.def"
    },
};
/* clang-format on */

const struct nova_msg_info *nova_msg_info(enum nova_msg_kind kind) {
  if (kind <= NOVA_MSG_UNKNOWN || kind >= NOVA_MSG_KINDS)
    return NULL;
  return &infos[kind];
}

enum nova_msg_kind nova_msg_kind_of(struct nova_view type) {
#define NOVA_MSG(KIND, name, sender, section)                                  \
  if (type.n == sizeof #name - 1 &&                                            \
      memcmp(type.p, #name, sizeof #name - 1) == 0)                            \
    return NOVA_MSG_##KIND;
#define NOVA_FIELD(KIND, name, field, type, presence, section)
#include "codec/message.def"
  return NOVA_MSG_UNKNOWN;
}

/* --- strings ----------------------------------------------------------------
 */

size_t nova_string_copy(struct nova_string s, char *out, size_t cap) {
  if (s.escaped)
    return nova__json_text_copy(s.raw, out, cap);
  if (out != NULL && s.raw.n != 0 && s.raw.n <= cap)
    memcpy(out, s.raw.p, s.raw.n);
  return s.raw.n;
}

bool nova_string_is(struct nova_string s, struct nova_view utf8) {
  return nova__json_text_is(s.raw, s.escaped, utf8);
}
