#include "codec/payload.h"

#include "codec/json_internal.h"
#include "codec/message_internal.h"
#include "codec/payload_internal.h"

#include "base/unreachable.h"

/* --- topics --------------------------------------------------------------- */

/* The last level of a channel's topics, with its slash. */
static struct nova_view ending(enum nova_channel channel) {
  switch (channel) {
  case NOVA_CHANNEL_DATA: return nova_view_of("/data");
  case NOVA_CHANNEL_COMMAND: return nova_view_of("/command");
  case NOVA_CHANNEL_STATUS: return nova_view_of("/status");
  case NOVA_CHANNEL_NONE: break;
  }
  return (struct nova_view){NULL, 0};
}

enum nova_channel nova_topic_read(struct nova_view topic,
                                  struct nova_view *id) {
  const size_t prefix = sizeof NOVA_TOPIC_PREFIX - 1;
  if (id != NULL)
    *id = (struct nova_view){NULL, 0};
  if (topic.n <= prefix || memcmp(topic.p, NOVA_TOPIC_PREFIX, prefix) != 0)
    return NOVA_CHANNEL_NONE;
  struct nova_view rest = {topic.p + prefix, topic.n - prefix};
  const char *slash = memchr(rest.p, '/', rest.n);
  if (slash == NULL || slash == rest.p)
    return NOVA_CHANNEL_NONE;
  size_t n = (size_t)(slash - rest.p);
  for (int c = NOVA_CHANNEL_DATA; c <= NOVA_CHANNEL_STATUS; c++) {
    struct nova_view tail = {slash, rest.n - n};
    if (!nova_view_eq(tail, ending((enum nova_channel)c)))
      continue;
    if (id != NULL)
      *id = (struct nova_view){rest.p, n};
    return (enum nova_channel)c;
  }
  return NOVA_CHANNEL_NONE;
}

size_t nova_topic_write(enum nova_channel channel, struct nova_view id,
                        char *out, size_t cap) {
  const size_t prefix = sizeof NOVA_TOPIC_PREFIX - 1;
  struct nova_view tail = ending(channel);
  if (tail.n == 0 || id.n >= cap || cap - id.n <= prefix + tail.n)
    return 0;
  memcpy(out, NOVA_TOPIC_PREFIX, prefix);
  if (id.n != 0)
    memcpy(out + prefix, id.p, id.n);
  memcpy(out + prefix + id.n, tail.p, tail.n);
  out[prefix + id.n + tail.n] = '\0';
  return prefix + id.n + tail.n;
}

/* --- the table --------------------------------------------------------------
 */

/* One char a field: the size, less one, is the number of fields. See message.c
 * for how the rows make structures. */
struct payload_none {
  char none;
#define NOVA_PAYLOAD(KIND, name, channel, sender, section)                     \
  }                                                                            \
  ;                                                                            \
  struct payload_##name {                                                      \
    char kind;
#define NOVA_PAYLOAD_FIELD(KIND, name, field, type, presence, section)         \
  char field;
#include "codec/message.def"
};

#define NOVA_PAYLOAD(KIND, name, channel, sender, section)                     \
  _Static_assert(sizeof(struct payload_##name) - 1 <= NOVA_PAYLOAD_FIELDS,     \
                 #name " has more than NOVA_PAYLOAD_FIELDS fields");
#define NOVA_PAYLOAD_FIELD(KIND, name, field, type, presence, section)
#include "codec/message.def"

#define REQUIRED true
#define OPTIONAL false

/* clang-format off */
static const struct nova_payload_info infos[NOVA_PAYLOAD_KINDS] = {
    [NOVA_PAYLOAD_UNKNOWN] = {.field = {{0},
#define NOVA_PAYLOAD(KIND, name, channel, sender, section)                     \
    }}, [NOVA_PAYLOAD_##KIND] = {#name, NOVA_CHANNEL_##channel,                \
                                 NOVA_SENDER_##sender, section,                \
                                 sizeof(struct payload_##name) - 1, {
#define NOVA_PAYLOAD_FIELD(KIND, name, field, type, presence, section)         \
        {#field, NOVA_PAYLOAD_TYPE_##type, presence, section},
#include "codec/message.def"
    }},
};
/* clang-format on */

/* No more names than that are wanted; each counts as often as it is listed. */
enum {
  ROWS = 0
#define NOVA_PAYLOAD(KIND, name, channel, sender, section)
#define NOVA_PAYLOAD_FIELD(KIND, name, field, type, presence, section) +1
#include "codec/message.def"
};
_Static_assert(ROWS <= NOVA__JSON_WANTED, "NOVA__JSON_WANTED is too small");

const struct nova_payload_info *nova_payload_info(enum nova_payload_kind kind) {
  if (kind <= NOVA_PAYLOAD_UNKNOWN || kind >= NOVA_PAYLOAD_KINDS)
    return NULL;
  return &infos[kind];
}

enum nova_payload_kind nova_payload_find(struct nova_view name) {
  for (int k = NOVA_PAYLOAD_UNKNOWN + 1; k < NOVA_PAYLOAD_KINDS; k++)
    if (nova_view_is(name, infos[k].name))
      return (enum nova_payload_kind)k;
  return NOVA_PAYLOAD_UNKNOWN;
}

/* --- payloads ---------------------------------------------------------------
 */

enum nova_payload_kind nova__payload_kind(enum nova_channel channel,
                                          struct nova_json_value whole) {
  struct nova_json_value key, value;
  struct nova_json_iter it;
  switch (channel) {
  case NOVA_CHANNEL_DATA:
    if (whole.type != NOVA_JSON_OBJECT)
      return NOVA_PAYLOAD_DATA;
    nova_json_iter_init(&it, whole);
    while (nova_json_next(&it, &key, &value))
      if (nova_json_string_is(key, nova_view_of("response")) ||
          nova_json_string_is(key, nova_view_of("command")))
        return NOVA_PAYLOAD_ANSWER;
    return NOVA_PAYLOAD_DATA;
  case NOVA_CHANNEL_COMMAND: return NOVA_PAYLOAD_COMMAND;
  case NOVA_CHANNEL_STATUS: return NOVA_PAYLOAD_STATUS;
  case NOVA_CHANNEL_NONE: break;
  }
  return NOVA_PAYLOAD_UNKNOWN;
}

enum nova_payload_kind nova_payload_kind_of(struct nova_json *j,
                                            enum nova_channel channel,
                                            struct nova_view payload) {
  struct nova_json_value whole = {NOVA_JSON_NONE, {NULL, 0}};
  if (channel == NOVA_CHANNEL_DATA)
    nova_json_check(j, payload.p, payload.n, &whole, NULL);
  return nova__payload_kind(channel, whole);
}

static bool key_is(const struct nova__json_member *m, const char *name) {
  return nova__json_text_is((struct nova_view){m->key, m->key_n},
                            m->key_escaped, nova_view_of(name));
}

/* Whether any payload has a member of this name. */
static bool wanted(const char *key, size_t n, bool escaped) {
  struct nova__json_member m = {.key = key, .key_n = n, .key_escaped = escaped};
#define NOVA_PAYLOAD(KIND, name, channel, sender, section)
#define NOVA_PAYLOAD_FIELD(KIND, name, field, type, presence, section)         \
  if ((escaped || n == sizeof #field - 1) && key_is(&m, #field))               \
    return true;
#include "codec/message.def"
  return false;
}

static const struct nova__json_member *
member(const struct nova__json_members *members, const char *name) {
  for (size_t i = 0; i < members->kept; i++)
    if (key_is(&members->m[i], name))
      return &members->m[i];
  return NULL;
}

/* Returns 0 or what is wrong with a field's value. */
static int judge(enum nova_payload_type type, struct nova_json_value v) {
  int64_t t;
  bool good = true, in_range = true;
  switch (type) {
  case NOVA_PAYLOAD_TYPE_STRING: good = v.type == NOVA_JSON_STRING; break;
  case NOVA_PAYLOAD_TYPE_TIME:
    good = nova_json_is_integer(v);
    in_range = nova_json_int64(v, &t) && t >= 0 && t <= NOVA__TIME_MAX;
    break;
  case NOVA_PAYLOAD_TYPE_OBJECT: good = v.type == NOVA_JSON_OBJECT; break;
  case NOVA_PAYLOAD_TYPE_BOOLEAN:
    good = v.type == NOVA_JSON_TRUE || v.type == NOVA_JSON_FALSE;
    break;
  case NOVA_PAYLOAD_TYPE_OFFLINE:
    good = v.type == NOVA_JSON_STRING;
    in_range = nova_json_string_is(v, nova_view_of("offline"));
    break;
  case NOVA_PAYLOAD_TYPE_ZERO:
    good = nova_json_is_integer(v);
    in_range = nova_json_int64(v, &t) && t == 0;
    break;
  }
  if (!good)
    return NOVA_ERR_MSG_FIELD_TYPE;
  return in_range ? 0 : NOVA_ERR_MSG_FIELD_RANGE;
}

static int defect(struct nova_payload *out, int code, size_t offset,
                  int field) {
  out->defect[out->defects++] = (struct nova_defect){code, offset, field};
  return code;
}

int nova_payload_decode(struct nova_json *j, enum nova_payload_kind kind,
                        struct nova_view payload, struct nova_payload *out) {
  const struct nova_payload_info *info = nova_payload_info(kind);
  struct nova__json_members members;
  struct nova_fault_at at;
  *out =
      (struct nova_payload){.kind = info != NULL ? kind : NOVA_PAYLOAD_UNKNOWN};
  members.wanted = wanted;
  if (nova__json_scan(j, payload.p, payload.n, &out->whole, &at, &members) != 0)
    return defect(out, at.code, at.offset, -1);
  const char *start = out->whole.text.p;
  if (out->whole.type != NOVA_JSON_OBJECT)
    return defect(out, NOVA_ERR_MSG_NOT_OBJECT, (size_t)(start - payload.p),
                  -1);
  size_t end = (size_t)(start - payload.p) + out->whole.text.n - 1, known = 0;
  for (size_t i = 0; info != NULL && i < info->fields; i++) {
    const struct nova_payload_field *f = &info->field[i];
    const struct nova__json_member *m = member(&members, f->name);
    if (m == NULL) {
      if (f->required)
        defect(out, NOVA_ERR_MSG_FIELD_MISSING, end, (int)i);
      continue;
    }
    known++;
    out->value[i] = m->value;
    int err = judge(f->type, m->value);
    if (err != 0)
      defect(out, err, (size_t)(m->value.text.p - payload.p), (int)i);
    else
      out->present |= 1u << i;
  }
  out->unknown = members.total - known;
  return out->defects != 0 ? out->defect[0].code : 0;
}
