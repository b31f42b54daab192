/* The guide's own form.
 *
 * Most messages are written as the guide writes them: members in its order, no
 * white space but perhaps a blank behind colons and commas, no escapes, nothing
 * more. Such a frame is compared with what is
 * expected instead of being searched, which is several times as fast. It is the
 * same grammar: names that are all expected ones are no duplicates, and an
 * object is scanned as ever. At the first byte that is not as expected the
 * frame is left to the general way, which also finds what is wrong with a bad
 * one. */
#include "codec/json_internal.h"
#include "codec/json_scan.h"
#include "codec/message_internal.h"

static const struct nova_json_value none = {NOVA_JSON_NONE, {NULL, 0}};

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
  if (q == start || (*start == '0' && q - start > 1) || t > NOVA__TIME_MAX)
    return NULL;
  return q;
}

/* Reads the value of a field at |q|. Returns the byte behind it, or NULL. */
static inline const char *quick_value(struct nova_json *j, struct nova_msg *msg,
                                      const char *q, const char *end,
                                      const struct nova__msg_row *row,
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
    if (row->type == NOVA_FIELD_RESULT && !nova__msg_is_result(s))
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
static void leave_out(struct nova_msg *msg, size_t i,
                      const struct nova__msg_row *row) {
  static const size_t sizes[] = {
      [NOVA_FIELD_STRING] = sizeof(NOVA_C_STRING),
      [NOVA_FIELD_RESULT] = sizeof(NOVA_C_RESULT),
      [NOVA_FIELD_TIME] = sizeof(NOVA_C_TIME),
      [NOVA_FIELD_OBJECT] = sizeof(NOVA_C_OBJECT),
  };
  memset((char *)&msg->u + row->place, 0, sizes[row->type]);
  msg->value[i] = none;
}

/* As the last byte is a closing brace, and no step goes over one, the end of
 * the frame need not be looked for at every step. */
bool nova__msg_decode_quick(struct nova_json *j, const char *p, size_t n,
                            struct nova_msg *msg) {
  static const char begin[] = "{\"type\":";
  const char *end = p + n, *q = p + sizeof begin - 1;
  if (n < 32 || !nova__json_fits(j, n) || p[n - 1] != '}' ||
      memcmp(p, begin, sizeof begin - 1) != 0)
    return false;
  q += *q == ' ';
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
  size_t fields = nova_msg_info(kind)->fields;
  for (size_t i = 0; i < fields; i++) {
    const struct nova__msg_row *row = &nova__msg_rows[kind][i];
    /* The name, its quotation marks and the colon. */
    const char *name = q + 1;
    name += *q == ',' && *name == ' ';
    size_t name_n = row->n + 3;
    if (*q == ',' && (size_t)(end - name) > name_n &&
        nova__msg_same(name, row->member, name_n)) {
      q = name + name_n;
      q += *q == ' ';
      q = quick_value(j, msg, q, end, row, &msg->value[i]);
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
