#include "codec/message.h"

#include "codec/message_internal.h"

#include "base/unreachable.h"
#include "base/utf8.h"

#include <stdio.h>

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

/* A line feed would end the line. */
static bool has_line_feed(struct nova_view v) {
  return v.n != 0 && memchr(v.p, '\n', v.n) != NULL;
}

static int put_string(struct writer *w, struct nova_string s) {
  if (nova_utf8_check(s.raw.p, s.raw.n) != s.raw.n)
    return NOVA_ERR_JSON_UTF8;
  if (s.escaped && has_line_feed(s.raw))
    return NOVA_ERR_ARGUMENT;
  put(w, "\"", 1);
  if (s.escaped) {
    put(w, s.raw.p, s.raw.n);
  } else if (s.raw.n != 0) {
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
    if (has_line_feed(span))
      return NOVA_ERR_ARGUMENT;
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
    int err =
        put_field(&w, info->field[i].type,
                  (const char *)&msg->u + nova__msg_rows[msg->kind][i].place);
    if (err != 0)
      return err;
  }
  put_text(&w, "}\n");
  *len = w.n;
  return w.n <= cap ? 0 : NOVA_ERR_NO_SPACE;
}
