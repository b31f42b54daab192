#include "codec/message.h"

#include "codec/json_internal.h"
#include "codec/message_internal.h"

#include "base/unreachable.h"

/* The rows and "type": no more names than that are wanted. */
enum {
  ROWS = 1
#define NOVA_MSG(KIND, name, sender, section)
#define NOVA_FIELD(KIND, name, field, type, presence, section) +1
#include "codec/message.def"
};
_Static_assert(ROWS <= NOVA__JSON_WANTED, "NOVA__JSON_WANTED is too small");

/* The lengths of the names, one bit each. None is 0. */
static const uint64_t lengths = UINT64_C(1) << 4
#define NOVA_MSG(KIND, name, sender, section)
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  | UINT64_C(1) << (sizeof #field - 1)
#include "codec/message.def"
    ;

static inline bool key_is(const char *key, size_t key_n, bool escaped,
                          const char *name, size_t n) {
  if (!escaped)
    return key_n == n && nova__msg_same(key, name, n);
  return nova__json_text_is((struct nova_view){key, key_n}, true,
                            (struct nova_view){name, n});
}

/* Whether any message has a member of this name. Most others are told by their
 * length and first letter. */
static bool wanted(const char *key, size_t n, bool escaped) {
  const uint32_t letters = UINT32_C(1) << ('t' & 31)
#define NOVA_MSG(KIND, name, sender, section)
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  | UINT32_C(1) << (#field[0] & 31)
#include "codec/message.def"
      ;
  if (!escaped && (n > 63 || (lengths >> n & 1) == 0 ||
                   (letters >> (key[0] & 31) & 1) == 0))
    return false;
#define NOVA_MSG(KIND, name, sender, section)
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  if (key_is(key, n, escaped, #field, sizeof #field - 1))                      \
    return true;
#include "codec/message.def"
  return key_is(key, n, escaped, "type", 4);
}

static const struct nova_json_value none = {NOVA_JSON_NONE, {NULL, 0}};

static void defect(struct nova_msg *msg, int code, size_t offset, int field) {
  msg->defect[msg->defects++] = (struct nova_defect){code, offset, field};
}

static size_t offset_of(const struct nova_msg *msg, const char *where) {
  return (size_t)(where - msg->frame);
}

/* The closing brace. */
static size_t end_of(const struct nova_msg *msg) {
  return offset_of(msg, msg->whole.text.p + msg->whole.text.n - 1);
}

/* Reads one member into its place. Returns 0 or what is wrong with it. */
static int read_field(const struct nova__json_member *m,
                      enum nova_field_type type, void *place) {
  const struct nova_json_value *v = &m->value;
  struct nova_string s;
  int64_t t;
  switch (type) {
  case NOVA_FIELD_STRING:
  case NOVA_FIELD_RESULT:
    if (v->type != NOVA_JSON_STRING)
      return NOVA_ERR_MSG_FIELD_TYPE;
    s = (struct nova_string){{v->text.p + 1, v->text.n - 2}, m->value_escaped};
    if (type == NOVA_FIELD_RESULT && !nova__msg_is_result(s))
      return NOVA_ERR_MSG_FIELD_RANGE;
    memcpy(place, &s, sizeof s);
    return 0;
  case NOVA_FIELD_TIME:
    if (!nova_json_int64(*v, &t))
      return nova_json_is_integer(*v) ? NOVA_ERR_MSG_FIELD_RANGE
                                      : NOVA_ERR_MSG_FIELD_TYPE;
    if (t < 0 || t > NOVA__TIME_MAX)
      return NOVA_ERR_MSG_FIELD_RANGE;
    memcpy(place, &t, sizeof t);
    return 0;
  case NOVA_FIELD_OBJECT:
    if (v->type != NOVA_JSON_OBJECT)
      return NOVA_ERR_MSG_FIELD_TYPE;
    memcpy(place, &v->text, sizeof v->text);
    return 0;
  }
  nova_unreachable();
}

/* The kept member of that name; NULL where there is none. |likely|: where it
 * stands if the sender keeps to the guide's order. */
static inline const struct nova__json_member *
member(const struct nova__json_members *members, const char *name, size_t n,
       size_t likely) {
  const struct nova__json_member *m = &members->m[likely];
  if (likely < members->kept &&
      key_is(m->key, m->key_n, m->key_escaped, name, n))
    return m;
  m = members->m;
  for (size_t i = 0; i < members->kept; i++, m++)
    if (key_is(m->key, m->key_n, m->key_escaped, name, n))
      return m;
  return NULL;
}

/* Reads the members as those of a message of |kind|. */
static void read_fields(struct nova_msg *msg, enum nova_msg_kind kind,
                        const struct nova__json_members *members) {
  const struct nova_msg_info *info = nova_msg_info(kind);
  size_t fields = info != NULL ? info->fields : 0;
  size_t known = msg->type.type != NOVA_JSON_NONE;
  msg->kind = kind;
  for (size_t i = 0; i < fields; i++) {
    const struct nova__msg_row *row = &nova__msg_rows[kind][i];
    const struct nova__json_member *m =
        member(members, row->name, row->n, i + 1);
    if (m == NULL) {
      if (row->required)
        defect(msg, NOVA_ERR_MSG_FIELD_MISSING, end_of(msg), (int)i);
      continue;
    }
    known++;
    msg->value[i] = m->value;
    int err = read_field(m, row->type, (char *)&msg->u + row->place);
    if (err != 0)
      defect(msg, err, offset_of(msg, m->value.text.p), (int)i);
    else
      msg->present |= 1u << i;
  }
  msg->unknown = members->total - known;
}

/* Sets |type| and, where it is wrong, its defect. Returns the kind. */
static enum nova_msg_kind read_type(struct nova_msg *msg,
                                    const struct nova__json_members *members) {
  const struct nova__json_member *m = member(members, "type", 4, 0);
  if (m == NULL) {
    defect(msg, NOVA_ERR_MSG_NO_TYPE, end_of(msg), -1);
    return NOVA_MSG_UNKNOWN;
  }
  msg->type = m->value;
  size_t offset = offset_of(msg, m->value.text.p);
  if (m->value.type != NOVA_JSON_STRING) {
    defect(msg, NOVA_ERR_MSG_NO_TYPE, offset, -1);
    return NOVA_MSG_UNKNOWN;
  }
  struct nova_view name = {m->value.text.p + 1, m->value.text.n - 2};
  char plain[32];
  if (m->value_escaped) {
    size_t n = nova__json_text_copy(name, plain, sizeof plain);
    name = (struct nova_view){plain, n <= sizeof plain ? n : 0};
  }
  enum nova_msg_kind kind = nova_msg_kind_of(name);
  if (kind == NOVA_MSG_UNKNOWN)
    defect(msg, NOVA_ERR_MSG_UNKNOWN_TYPE, offset, -1);
  return kind;
}

/* Records the members of an object that was scanned before. */
static void again(struct nova_json_value whole,
                  struct nova__json_members *members) {
  struct nova_json_iter it;
  struct nova_json_value key;
  struct nova__json_member *m = members->m;
  members->wanted = wanted;
  members->kept = members->total = 0;
  nova_json_iter_init(&it, whole);
  while (nova_json_next(&it, &key, &m->value)) {
    m->key = key.text.p + 1;
    m->key_n = key.text.n - 2;
    m->key_escaped = memchr(m->key, '\\', m->key_n) != NULL;
    m->value_escaped = memchr(m->value.text.p, '\\', m->value.text.n) != NULL;
    m = nova__json_record(members, m);
  }
}

/* Everything but the defects, which |defects| counts. */
static void clear(struct nova_msg *msg, const char *frame) {
  msg->kind = NOVA_MSG_UNKNOWN;
  msg->present = 0;
  memset(&msg->u, 0, sizeof msg->u);
  msg->whole = msg->type = none;
  memset(msg->value, 0, sizeof msg->value);
  msg->unknown = 0;
  msg->defects = 0;
  msg->frame = frame;
}

int nova_msg_decode(struct nova_json *j, const char *p, size_t n,
                    struct nova_msg *msg) {
  struct nova__json_members members;
  struct nova_fault_at at;
  if (nova__msg_decode_quick(j, p, n, msg))
    return 0;
  members.wanted = wanted;
  clear(msg, p);
  if (nova__json_scan(j, p, n, &msg->whole, &at, &members) != 0) {
    if (at.code == NOVA_ERR_JSON_EMPTY)
      at.code = NOVA_ERR_LINE_EMPTY;
    defect(msg, at.code, at.offset, -1);
    return at.code;
  }
  if (msg->whole.type != NOVA_JSON_OBJECT) {
    defect(msg, NOVA_ERR_MSG_NOT_OBJECT, offset_of(msg, msg->whole.text.p), -1);
    return NOVA_ERR_MSG_NOT_OBJECT;
  }
  enum nova_msg_kind kind = read_type(msg, &members);
  read_fields(msg, kind, &members);
  return msg->defects != 0 ? msg->defect[0].code : 0;
}

int nova_msg_survey(const struct nova_msg *in, enum nova_msg_kind as,
                    struct nova_msg *out) {
  if (out != in)
    *out = *in;
  if (in->whole.type == NOVA_JSON_OBJECT && nova_msg_info(as) != NULL) {
    struct nova__json_members members;
    struct nova_json_value whole = in->whole;
    again(whole, &members);
    clear(out, in->frame);
    out->whole = whole;
    enum nova_msg_kind kind = read_type(out, &members);
    if (kind != NOVA_MSG_UNKNOWN && kind != as)
      defect(out, NOVA_ERR_MSG_UNKNOWN_TYPE, offset_of(out, out->type.text.p),
             -1);
    read_fields(out, as, &members);
  }
  return out->defects != 0 ? out->defect[0].code : 0;
}
