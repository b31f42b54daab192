#include "codec/message.h"

#include "codec/json_internal.h"
#include "codec/json_scan.h"

#include "base/unreachable.h"
#include "base/utf8.h"

#include <stdio.h>

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
#undef NOVA_MSG
#undef NOVA_FIELD
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
#undef NOVA_MSG
#undef NOVA_FIELD
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
#undef NOVA_MSG
#undef NOVA_FIELD

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
#undef NOVA_MSG
#undef NOVA_FIELD
    }},
};

/* The same for the decoder, with the length of the name and the place in the
 * union. */
struct row {
  const char *name;
  const char *member; /* how a member of that name begins */
  size_t n;
  enum nova_field_type type;
  bool required;
  size_t place;
};

static const struct row rows[NOVA_MSG_KINDS][NOVA_MSG_FIELDS] = {
    [NOVA_MSG_UNKNOWN] = {{0},
#define NOVA_MSG(KIND, name, sender, section)                                  \
    }, [NOVA_MSG_##KIND] = {
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
        {#field, ",\"" #field "\":", sizeof #field - 1, NOVA_FIELD_##type,      \
         presence,                                                              \
         offsetof(struct nova_msg_##name, field)},
#include "codec/message.def"
#undef NOVA_MSG
#undef NOVA_FIELD
    },
};
/* clang-format on */

const struct nova_msg_info *nova_msg_info(enum nova_msg_kind kind) {
  if (kind <= NOVA_MSG_UNKNOWN || kind >= NOVA_MSG_KINDS)
    return NULL;
  return &infos[kind];
}

enum nova_msg_kind nova_msg_kind_of(struct nova_view s) {
#define NOVA_MSG(KIND, name, sender, section)                                  \
  if (s.n == sizeof #name - 1 && memcmp(s.p, #name, sizeof #name - 1) == 0)    \
    return NOVA_MSG_##KIND;
#define NOVA_FIELD(KIND, name, field, type, presence, section)
#include "codec/message.def"
#undef NOVA_MSG
#undef NOVA_FIELD
  return NOVA_MSG_UNKNOWN;
}

/* --- decoding ---------------------------------------------------------------
 */

/* The rows and "type": no more names than that are wanted. */
enum {
  ROWS = 1
#define NOVA_MSG(KIND, name, sender, section)
#define NOVA_FIELD(KIND, name, field, type, presence, section) +1
#include "codec/message.def"
#undef NOVA_MSG
#undef NOVA_FIELD
};
_Static_assert(ROWS <= NOVA__JSON_WANTED, "NOVA__JSON_WANTED is too small");

/* The lengths of the names, one bit each: most others are told by it. */
static const uint64_t lengths = UINT64_C(1) << 4
#define NOVA_MSG(KIND, name, sender, section)
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  | UINT64_C(1) << (sizeof #field - 1)
#include "codec/message.def"
#undef NOVA_MSG
#undef NOVA_FIELD
    ;

/* Compares |n| bytes that mostly are equal, and few. */
static inline bool same(const char *a, const char *b, size_t n) {
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

static inline bool key_is(const struct nova__json_member *m, const char *name,
                          size_t n) {
  if (!m->key_escaped)
    return m->key_n == n && same(m->key, name, n);
  return nova__json_text_is((struct nova_view){m->key, m->key_n}, true,
                            (struct nova_view){name, n});
}

/* Whether any message has a member of this name. */
static bool wanted(const struct nova__json_member *m) {
  if (!m->key_escaped && (m->key_n > 63 || (lengths >> m->key_n & 1) == 0))
    return false;
#define NOVA_MSG(KIND, name, sender, section)
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  if (key_is(m, #field, sizeof #field - 1))                                    \
    return true;
#include "codec/message.def"
#undef NOVA_MSG
#undef NOVA_FIELD
  return key_is(m, "type", 4);
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

/* The highest whole number that every reader of JSON numbers keeps exactly. */
#define TIME_MAX (INT64_C(1) << 53)

static bool is_result(struct nova_string s) {
  return nova_string_is(s, (struct nova_view){"success", 7}) ||
         nova_string_is(s, (struct nova_view){"failed", 6});
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
    if (type == NOVA_FIELD_RESULT && !is_result(s))
      return NOVA_ERR_MSG_FIELD_RANGE;
    memcpy(place, &s, sizeof s);
    return 0;
  case NOVA_FIELD_TIME:
    if (!nova_json_int64(*v, &t))
      return nova_json_is_integer(*v) ? NOVA_ERR_MSG_FIELD_RANGE
                                      : NOVA_ERR_MSG_FIELD_TYPE;
    if (t < 0 || t > TIME_MAX)
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
  if (likely < members->kept && key_is(&members->m[likely], name, n))
    return &members->m[likely];
  for (size_t i = 0; i < members->kept; i++)
    if (key_is(&members->m[i], name, n))
      return &members->m[i];
  return NULL;
}

/* Reads the members as those of a message of |kind|. */
static void read_fields(struct nova_msg *msg, enum nova_msg_kind kind,
                        const struct nova__json_members *members) {
  size_t known = msg->type.type != NOVA_JSON_NONE;
  msg->kind = kind;
  for (size_t i = 0; i < infos[kind].fields; i++) {
    const struct row *row = &rows[kind][i];
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

/* --- the guide's own form ---------------------------------------------------
 *
 * Most messages are written as the guide writes them: members in its order, no
 * white space, no escapes, nothing more. Such a frame is compared with what is
 * expected instead of being searched, which is several times as fast. It is the
 * same grammar: names that are all expected ones are no duplicates, and an
 * object is scanned as ever. At the first byte that is not as expected the
 * frame is left to the general way, which also finds what is wrong with a bad
 * one. */

/* The closing quotation mark of the plain string that begins at |q|, or NULL.
 */
static inline const char *plain_string(const char *q, const char *end) {
  if (*q != '"')
    return NULL;
  q = nova__json_skip_plain(q + 1, end);
  return q < end && *q == '"' ? q : NULL;
}

/* The byte behind the digits of a time that begins at |q|, or NULL. */
static inline const char *plain_time(const char *q, const char *end,
                                     int64_t *out) {
  const char *start = q;
  int64_t t = 0;
  uint32_t eight;
  /* Today's times have ten digits. */
  if (end - q > 8 && nova__json_eight_digits(q, &eight)) {
    t = eight;
    q += 8;
  }
  for (; nova__json_digit(*q) && q - start < 16; q++)
    t = t * 10 + (*q - '0');
  *out = t;
  if (q == start || (*start == '0' && q - start > 1) || t > TIME_MAX)
    return NULL;
  return q;
}

/* Reads the value of a field at |q|. Returns the byte behind it, or NULL. */
static inline const char *quick_value(struct nova_json *j, struct nova_msg *msg,
                                      const char *q, const char *end,
                                      const struct row *row,
                                      struct nova_json_value *v) {
  char *place = (char *)&msg->u + row->place;
  const char *start = q;
  struct nova_string s;
  struct nova_view span;
  int64_t t;
  size_t behind;
  switch (row->type) {
  case NOVA_FIELD_STRING:
  case NOVA_FIELD_RESULT:
    q = plain_string(q, end);
    if (q == NULL)
      return NULL;
    s = (struct nova_string){{start + 1, (size_t)(q - start) - 1}, false};
    if (row->type == NOVA_FIELD_RESULT && !is_result(s))
      return NULL;
    memcpy(place, &s, sizeof s);
    q++;
    v->type = NOVA_JSON_STRING;
    break;
  case NOVA_FIELD_TIME:
    q = plain_time(q, end, &t);
    if (q == NULL)
      return NULL;
    memcpy(place, &t, sizeof t);
    v->type = NOVA_JSON_NUMBER;
    break;
  case NOVA_FIELD_OBJECT:
    if (*q != '{')
      return NULL;
    behind = nova__json_object(j, msg->frame, (size_t)(end - msg->frame),
                               (size_t)(q - msg->frame));
    if (behind == 0)
      return NULL;
    q = msg->frame + behind;
    span = (struct nova_view){start, (size_t)(q - start)};
    memcpy(place, &span, sizeof span);
    v->type = NOVA_JSON_OBJECT;
    break;
  }
  v->text = (struct nova_view){start, (size_t)(q - start)};
  return q;
}

/* An optional member that is not there. */
static void leave_out(struct nova_msg *msg, size_t i, const struct row *row) {
  static const size_t sizes[] = {
      [NOVA_FIELD_STRING] = sizeof(NOVA_C_STRING),
      [NOVA_FIELD_RESULT] = sizeof(NOVA_C_RESULT),
      [NOVA_FIELD_TIME] = sizeof(NOVA_C_TIME),
      [NOVA_FIELD_OBJECT] = sizeof(NOVA_C_OBJECT),
  };
  memset((char *)&msg->u + row->place, 0, sizes[row->type]);
  msg->value[i] = none;
}

/* Decodes a frame in that form; false where it is in another one, and |msg|
 * then is of no meaning. As the last byte is a closing brace, and no step goes
 * over one, the end of the frame need not be looked for at every step. */
static bool decode_quick(struct nova_json *j, const char *p, size_t n,
                         struct nova_msg *msg) {
  static const char begin[] = "{\"type\":\"";
  const char *end = p + n, *q = p + sizeof begin - 2;
  if (n < 32 || !nova__json_fits(j, n) || p[n - 1] != '}' ||
      memcmp(p, begin, sizeof begin - 1) != 0)
    return false;
  const char *close = plain_string(q, end);
  if (close == NULL)
    return false;
  enum nova_msg_kind kind =
      nova_msg_kind_of((struct nova_view){q + 1, (size_t)(close - q) - 1});
  if (kind == NOVA_MSG_UNKNOWN)
    return false;
  msg->kind = kind;
  msg->whole = (struct nova_json_value){NOVA_JSON_OBJECT, {p, n}};
  msg->type =
      (struct nova_json_value){NOVA_JSON_STRING, {q, (size_t)(close - q) + 1}};
  msg->unknown = msg->defects = 0;
  msg->frame = p;
  q = close + 1;
  unsigned present = 0;
  size_t fields = infos[kind].fields;
  for (size_t i = 0; i < fields; i++) {
    const struct row *row = &rows[kind][i];
    size_t member_n = row->n + 4;
    if ((size_t)(end - q) > member_n && same(q, row->member, member_n)) {
      q = quick_value(j, msg, q + member_n, end, row, &msg->value[i]);
      if (q == NULL)
        return false;
      present |= 1u << i;
    } else if (row->required) {
      return false;
    } else {
      leave_out(msg, i, row);
    }
  }
  for (size_t i = fields; i < NOVA_MSG_FIELDS; i++)
    msg->value[i] = none;
  msg->present = present;
  return q == end - 1;
}

int nova_msg_decode(struct nova_json *j, const char *p, size_t n,
                    struct nova_msg *msg) {
  struct nova__json_members members;
  struct nova_fault_at at;
  if (decode_quick(j, p, n, msg))
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

/* --- encoding ---------------------------------------------------------------
 */

/* Writes as far as there is room and counts on. */
struct writer {
  char *out;
  size_t cap, n;
};

static void put(struct writer *w, const char *p, size_t n) {
  if (n != 0 && w->n <= w->cap && n <= w->cap - w->n)
    memcpy(w->out + w->n, p, n);
  w->n += n;
}

static void put_text(struct writer *w, const char *s) {
  put(w, s, strlen(s));
}

static void put_escaped(struct writer *w, unsigned char c) {
  static const char digits[] = "0123456789abcdef";
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *f = memchr(from, c, sizeof from - 1);
  if (f != NULL) {
    put(w, (char[]){'\\', to[f - from]}, 2);
  } else {
    put_text(w, "\\u00");
    put(w, (char[]){digits[c >> 4], digits[c & 15]}, 2);
  }
}

static int put_string(struct writer *w, struct nova_string s) {
  if (nova_utf8_check(s.raw.p, s.raw.n) != s.raw.n)
    return NOVA_ERR_JSON_UTF8;
  put(w, "\"", 1);
  if (s.escaped) {
    put(w, s.raw.p, s.raw.n);
  } else {
    size_t from = 0;
    for (size_t i = 0; i < s.raw.n; i++) {
      unsigned char c = (unsigned char)s.raw.p[i];
      if (c >= 0x20 && c != '"' && c != '\\')
        continue;
      put(w, s.raw.p + from, i - from);
      put_escaped(w, c);
      from = i + 1;
    }
    put(w, s.raw.p + from, s.raw.n - from);
  }
  put(w, "\"", 1);
  return 0;
}

static int put_field(struct writer *w, enum nova_field_type type,
                     const void *place) {
  struct nova_string s;
  struct nova_view span;
  int64_t t;
  char number[24];
  switch (type) {
  case NOVA_FIELD_STRING:
  case NOVA_FIELD_RESULT: memcpy(&s, place, sizeof s); return put_string(w, s);
  case NOVA_FIELD_TIME:
    memcpy(&t, place, sizeof t);
    snprintf(number, sizeof number, "%lld", (long long)t);
    put_text(w, number);
    return 0;
  case NOVA_FIELD_OBJECT:
    memcpy(&span, place, sizeof span);
    put(w, span.p, span.n);
    return 0;
  }
  nova_unreachable();
}

int nova_msg_encode(const struct nova_msg *msg, char *out, size_t cap,
                    size_t *len) {
  const struct nova_msg_info *info = nova_msg_info(msg->kind);
  if (info == NULL)
    return NOVA_ERR_ARGUMENT;
  struct writer w = {out, cap, 0};
  put_text(&w, "{\"type\":\"");
  put_text(&w, info->name);
  put_text(&w, "\"");
  for (size_t i = 0; i < info->fields; i++) {
    if ((msg->present >> i & 1) == 0) {
      if (info->field[i].required)
        return NOVA_ERR_ARGUMENT;
      continue;
    }
    put_text(&w, ",\"");
    put_text(&w, info->field[i].name);
    put_text(&w, "\":");
    int err = put_field(&w, info->field[i].type,
                        (const char *)&msg->u + rows[msg->kind][i].place);
    if (err != 0)
      return err;
  }
  put_text(&w, "}\n");
  *len = w.n;
  return w.n <= cap ? 0 : NOVA_ERR_NO_SPACE;
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
