#include "codec/message.h"

#include "codec/json_write.h"
#include "codec/message_internal.h"

#include "base/unreachable.h"
#include "base/utf8.h"

/* A line feed would end the line. */
static bool has_line_feed(struct nova_view v) {
  return v.n != 0 && memchr(v.p, '\n', v.n) != NULL;
}

static int put_string(struct nova__json_writer *w, struct nova_string s) {
  if (nova_utf8_check(s.raw.p, s.raw.n) != s.raw.n)
    return NOVA_ERR_JSON_UTF8;
  if (s.escaped && has_line_feed(s.raw))
    return NOVA_ERR_ARGUMENT;
  if (!s.escaped) {
    nova__json_put_string(w, s.raw);
    return 0;
  }
  nova__json_put(w, "\"", 1);
  nova__json_put(w, s.raw.p, s.raw.n);
  nova__json_put(w, "\"", 1);
  return 0;
}

static int put_field(struct nova__json_writer *w, enum nova_field_type type,
                     const void *place) {
  struct nova_string s;
  struct nova_view span;
  int64_t t;
  switch (type) {
  case NOVA_FIELD_STRING:
  case NOVA_FIELD_RESULT: memcpy(&s, place, sizeof s); return put_string(w, s);
  case NOVA_FIELD_TIME:
    memcpy(&t, place, sizeof t);
    nova__json_put_number(w, t);
    return 0;
  case NOVA_FIELD_OBJECT:
    memcpy(&span, place, sizeof span);
    if (has_line_feed(span))
      return NOVA_ERR_ARGUMENT;
    nova__json_put(w, span.p, span.n);
    return 0;
  }
  nova_unreachable();
}

int nova_msg_encode(const struct nova_msg *msg, char *out, size_t cap,
                    size_t *len) {
  const struct nova_msg_info *info = nova_msg_info(msg->kind);
  if (info == NULL)
    return NOVA_ERR_ARGUMENT;
  struct nova__json_writer w = {out, cap, 0};
  nova__json_put_text(&w, "{\"type\":\"");
  nova__json_put_text(&w, info->name);
  nova__json_put_text(&w, "\"");
  for (size_t i = 0; i < info->fields; i++) {
    if ((msg->present >> i & 1) == 0) {
      if (info->field[i].required)
        return NOVA_ERR_ARGUMENT;
      continue;
    }
    nova__json_put_text(&w, ",\"");
    nova__json_put_text(&w, info->field[i].name);
    nova__json_put_text(&w, "\":");
    int err =
        put_field(&w, info->field[i].type,
                  (const char *)&msg->u + nova__msg_rows[msg->kind][i].place);
    if (err != 0)
      return err;
  }
  nova__json_put_text(&w, "}\n");
  *len = w.n;
  return w.n <= cap ? 0 : NOVA_ERR_NO_SPACE;
}
