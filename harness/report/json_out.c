#include "report/json_out.h"

#include "base/utf8.h"
#include "report/text_safe.h"

#include <stdio.h>

/* The longest text that is masked in one piece: reasons, names and the like. */
#define TEXT_MAX ((size_t)16 << 20)

void nova_jo_init(struct nova_json_out *o, const struct nova_sink *sink,
                  const struct nova_mask *mask, const struct nova_mem *mem) {
  o->sink = sink;
  o->mask = mask;
  nova_buf_init(&o->scratch, mem, TEXT_MAX);
  o->err = 0;
  o->depth = o->inline_from = 0;
  o->comma = o->named = false;
  o->n = 0;
}

static void flush(struct nova_json_out *o) {
  if (o->err == 0 && o->n != 0)
    o->err = o->sink->write(o->sink->user, o->out, o->n);
  o->n = 0;
}

static void put(struct nova_json_out *o, const char *p, size_t n) {
  while (n != 0 && o->err == 0) {
    if (o->n == sizeof o->out)
      flush(o);
    size_t room = sizeof o->out - o->n;
    size_t take = n < room ? n : room;
    memcpy(o->out + o->n, p, take);
    o->n += take;
    p += take;
    n -= take;
  }
}

static void put_char(struct nova_json_out *o, char c) {
  put(o, &c, 1);
}

int nova_jo_end(struct nova_json_out *o) {
  put_char(o, '\n');
  flush(o);
  nova_buf_free(&o->scratch);
  return o->err;
}

static void line(struct nova_json_out *o) {
  static const char blanks[] = "                                ";
  if (o->inline_from != 0)
    return;
  put_char(o, '\n');
  size_t n = 2u * o->depth;
  put(o, blanks, n < sizeof blanks - 1 ? n : sizeof blanks - 1);
}

/* What stands before a value: nothing behind its name, else a comma and a line.
 */
static void before(struct nova_json_out *o) {
  if (o->named) {
    o->named = false;
    return;
  }
  if (o->comma)
    put(o, ", ", o->inline_from != 0 ? 2 : 1);
  if (o->depth != 0)
    line(o);
}

void nova_jo_open(struct nova_json_out *o, char open, bool one_line) {
  before(o);
  put_char(o, open);
  o->depth++;
  if (one_line && o->inline_from == 0)
    o->inline_from = o->depth;
  o->comma = false;
}

void nova_jo_close(struct nova_json_out *o, char close) {
  bool was_inline = o->inline_from != 0;
  if (o->inline_from == o->depth)
    o->inline_from = 0;
  o->depth--;
  if (o->comma && !was_inline)
    line(o);
  put_char(o, close);
  o->comma = true;
}

void nova_jo_key(struct nova_json_out *o, const char *key) {
  nova_jo_string(o, key);
  put(o, ": ", 2);
  o->named = true;
}

void nova_jo_string_begin(struct nova_json_out *o) {
  before(o);
  put_char(o, '"');
}

static void put_escaped(struct nova_json_out *o, uint32_t cp) {
  char text[16];
  int n = cp > 0xffff ? snprintf(text, sizeof text, "\\u%04x\\u%04x",
                                 0xd800 + ((cp - 0x10000) >> 10),
                                 0xdc00 + ((cp - 0x10000) & 0x3ff))
                      : snprintf(text, sizeof text, "\\u%04x", cp);
  put(o, text, (size_t)n);
}

void nova_jo_string_piece(struct nova_json_out *o, struct nova_view v) {
  size_t i = 0;
  while (i < v.n && o->err == 0) {
    uint32_t cp;
    size_t n = nova_utf8_char(v.p + i, v.n - i, &cp);
    if (n == 0) {
      char text[8];
      snprintf(text, sizeof text, "\\\\x%02x", (unsigned char)v.p[i]);
      put(o, text, 5);
      i++;
      continue;
    }
    switch (cp) {
    case '"': put(o, "\\\"", 2); break;
    case '\\': put(o, "\\\\", 2); break;
    case '\n': put(o, "\\n", 2); break;
    case '\r': put(o, "\\r", 2); break;
    case '\t': put(o, "\\t", 2); break;
    default:
      /* Nothing in the file does something to the terminal that shows it. */
      if (nova_text_is_unsafe(cp))
        put_escaped(o, cp);
      else
        put(o, v.p + i, n);
    }
    i += n;
  }
}

void nova_jo_string_hex(struct nova_json_out *o, struct nova_view v) {
  for (size_t i = 0; i < v.n; i++) {
    unsigned char c = (unsigned char)v.p[i];
    char text[2] = {"0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
    put(o, text, 2);
  }
}

void nova_jo_string_end(struct nova_json_out *o) {
  put_char(o, '"');
  o->comma = true;
}

void nova_jo_view(struct nova_json_out *o, struct nova_view v) {
  nova_jo_string_begin(o);
  nova_jo_string_piece(o, v);
  nova_jo_string_end(o);
}

void nova_jo_raw(struct nova_json_out *o, struct nova_view json) {
  before(o);
  put(o, json.p, json.n);
  o->comma = true;
}

void nova_jo_string(struct nova_json_out *o, const char *s) {
  if (s == NULL)
    nova_jo_raw(o, nova_view_of("null"));
  else
    nova_jo_view(o, nova_view_of(s));
}

void nova_jo_text(struct nova_json_out *o, const char *s) {
  if (s == NULL || o->mask == NULL) {
    nova_jo_string(o, s);
    return;
  }
  nova_buf_clear(&o->scratch);
  int err = nova_mask_text(o->mask, nova_view_of(s), &o->scratch);
  if (err != 0 && o->err == 0)
    o->err = err;
  nova_jo_view(o, nova_buf_view(&o->scratch));
}

void nova_jo_uint(struct nova_json_out *o, uint64_t v) {
  char text[32];
  int n = snprintf(text, sizeof text, "%llu", (unsigned long long)v);
  nova_jo_raw(o, (struct nova_view){text, (size_t)n});
}

void nova_jo_int(struct nova_json_out *o, int64_t v) {
  char text[32];
  int n = snprintf(text, sizeof text, "%lld", (long long)v);
  nova_jo_raw(o, (struct nova_view){text, (size_t)n});
}

void nova_jo_bool(struct nova_json_out *o, bool v) {
  nova_jo_raw(o, nova_view_of(v ? "true" : "false"));
}

void nova_jo_seconds(struct nova_json_out *o, nova_ts t) {
  if (t == NOVA_TS_NONE) {
    nova_jo_raw(o, nova_view_of("null"));
    return;
  }
  char text[40];
  int n = snprintf(text, sizeof text, "%llu.%09llu",
                   (unsigned long long)(t / NOVA_SEC),
                   (unsigned long long)(t % NOVA_SEC));
  for (int k = 0; k < 3 && text[n - 1] == '0'; k++)
    n--;
  nova_jo_raw(o, (struct nova_view){text, (size_t)n});
}
