/* The variants of the output layer: the same message in other bytes. Each takes
 * the text of one JSON object as reply.c writes it, with no white space outside
 * of strings, and appends what another serializer would have made of it. */
#include "peer/restyle.h"

#include "peer/server_state.h"

#include "base/unreachable.h"

#include <inttypes.h>

int nova__put_string(struct nova_buf *b, struct nova_view v) {
  int err = nova_buf_puts(b, "\"");
  size_t done = 0; /* bytes up to here are written */
  for (size_t i = 0; i < v.n && err == 0; i++) {
    unsigned char ch = (unsigned char)v.p[i];
    if (ch >= 0x20 && ch != '"' && ch != '\\')
      continue;
    err = nova_buf_append(b, v.p + done, i - done);
    if (err == 0)
      err = ch < 0x20 ? nova_buf_printf(b, "\\u%04x", ch)
                      : nova_buf_printf(b, "\\%c", ch);
    done = i + 1;
  }
  if (err == 0)
    err = nova_buf_append(b, v.p + done, v.n - done);
  return err != 0 ? err : nova_buf_puts(b, "\"");
}

/* The length of the string that starts at |i|, its quotation marks included. */
static size_t string_at(struct nova_view v, size_t i) {
  size_t end = i + 1;
  while (end < v.n && v.p[end] != '"')
    end += v.p[end] == '\\' ? 2 : 1;
  return (end < v.n ? end + 1 : v.n) - i;
}

/* V_WHITE_SPACE */
static int spread(struct nova_buf *b, struct nova_view v) {
  int err = nova_buf_puts(b, " \t");
  for (size_t i = 0; i < v.n && err == 0;) {
    size_t n = v.p[i] == '"' ? string_at(v, i) : 1;
    bool mark = n == 1 && strchr("{}[],:", v.p[i]) != NULL;
    if (mark)
      err = nova_buf_puts(b, " ");
    if (err == 0)
      err = nova_buf_append(b, v.p + i, n);
    if (mark && err == 0)
      err = nova_buf_puts(b, "\t ");
    i += n;
  }
  return err;
}

static int escape(struct nova_buf *b, uint32_t code) {
  if (code < 0x10000)
    return nova_buf_printf(b, "\\u%04" PRIx32, code);
  code -= 0x10000;
  return nova_buf_printf(b, "\\u%04" PRIX32 "\\u%04" PRIX32,
                         UINT32_C(0xd800) + (code >> 10),
                         UINT32_C(0xdc00) + (code & 0x3ff));
}

/* One character of UTF-8 that is known to be valid. */
static uint32_t character(const char *p, size_t left, size_t *n) {
  unsigned char first = (unsigned char)p[0];
  *n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (*n > left)
    *n = left;
  uint32_t code = *n == 1 ? first : first & (0x7fu >> *n);
  for (size_t i = 1; i < *n; i++)
    code = code << 6 | ((unsigned char)p[i] & 0x3f);
  return code;
}

static bool is_letter(char ch) {
  return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* V_ASCII_ONLY, V_LETTERS_ESCAPED: the inside of one string. */
static int escape_string(struct nova_buf *b, struct nova_view v, bool letters) {
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0;) {
    size_t n = 1;
    if (v.p[i] == '\\') {
      n = i + 1 < v.n && v.p[i + 1] == 'u' ? 6 : 2;
      if (n > v.n - i)
        n = v.n - i;
      err = nova_buf_append(b, v.p + i, n);
    } else if (letters) {
      err = is_letter(v.p[i]) ? escape(b, (unsigned char)v.p[i])
                              : nova_buf_append(b, v.p + i, 1);
    } else if (v.p[i] == '/') {
      err = nova_buf_puts(b, "\\/");
    } else if ((unsigned char)v.p[i] < 0x80) {
      err = nova_buf_append(b, v.p + i, 1);
    } else {
      uint32_t code = character(v.p + i, v.n - i, &n);
      err = escape(b, code);
    }
    i += n;
  }
  return err;
}

static int escape_strings(struct nova_buf *b, struct nova_view v,
                          bool letters) {
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0;) {
    size_t n = v.p[i] == '"' ? string_at(v, i) : 1;
    if (n < 2) {
      err = nova_buf_append(b, v.p + i, n);
    } else {
      err = nova_buf_puts(b, "\"");
      if (err == 0)
        err = escape_string(b, (struct nova_view){v.p + i + 1, n - 2}, letters);
      if (err == 0)
        err = nova_buf_puts(b, "\"");
    }
    i += n;
  }
  return err;
}

/* V_MEMBERS_REORDERED: the last member first. */
static int reverse(struct nova_buf *b, struct nova_view v) {
  size_t start[32], n = 0, depth = 0;
  for (size_t i = 0; i < v.n;) {
    char ch = v.p[i];
    depth += ch == '{' || ch == '[';
    if (depth == 1 && (ch == '{' || ch == ',') && n < 31)
      start[n++] = i + 1;
    depth -= (ch == '}' || ch == ']') && depth > 0;
    i += ch == '"' ? string_at(v, i) : 1;
  }
  if (n == 0)
    return nova_buf_append(b, v.p, v.n);
  start[n] = v.n; /* behind the bracket, as the others are behind a comma */
  int err = nova_buf_puts(b, "{");
  for (size_t i = n; i-- > 0 && err == 0;) {
    err = nova_buf_append(b, v.p + start[i], start[i + 1] - 1 - start[i]);
    if (err == 0)
      err = nova_buf_puts(b, i > 0 ? "," : "}");
  }
  return err;
}

int nova__add_members(struct nova_buf *b, struct nova_view v,
                      const char *members) {
  int err = nova_buf_append(b, v.p, v.n > 0 ? v.n - 1 : 0);
  if (err == 0)
    err = nova_buf_puts(b, members);
  return err != 0 ? err : nova_buf_puts(b, "}");
}

/* V_NUMBERS_REWRITTEN */
int nova__put_exponents(struct nova_buf *b, struct nova_view v) {
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0;) {
    size_t n = v.p[i] == '"' ? string_at(v, i) : 1;
    bool number = v.p[i] == '-' || (v.p[i] >= '0' && v.p[i] <= '9');
    bool exponent = false;
    while (number && i + n < v.n && v.p[i + n] != '\0' &&
           strchr("0123456789+-.eE", v.p[i + n]) != NULL) {
      exponent |= v.p[i + n] == 'e' || v.p[i + n] == 'E';
      n++;
    }
    err = nova_buf_append(b, v.p + i, n);
    if (number && !exponent && err == 0)
      err = nova_buf_puts(b, "e0");
    i += n;
  }
  return err;
}

int nova__put_indented(struct nova_buf *b, struct nova_view v) {
  bool string = false;
  int depth = 0, err = 0;
  for (size_t i = 0; i < v.n && err == 0; i++) {
    char ch = v.p[i];
    if (!string && ch == '}') {
      depth--;
      err = nova_buf_printf(b, "\n%*s", depth * 2, "");
    }
    if (err == 0)
      err = nova_buf_append(b, &ch, 1);
    if (string && ch == '\\' && i + 1 < v.n && err == 0) {
      err = nova_buf_append(b, &v.p[++i], 1);
    } else if (ch == '"') {
      string = !string;
    } else if (!string && (ch == '{' || ch == ',')) {
      depth += ch == '{';
      if (err == 0)
        err = nova_buf_printf(b, "\n%*s", depth * 2, "");
    }
  }
  return err;
}

int nova__restyle_as(enum nova__style style, struct nova_buf *b,
                     struct nova_view v) {
  switch (style) {
  case NOVA__STYLE_PLAIN: return nova_buf_append(b, v.p, v.n);
  case NOVA__STYLE_WHITE_SPACE: return spread(b, v);
  case NOVA__STYLE_ASCII_ONLY: return escape_strings(b, v, false);
  case NOVA__STYLE_LETTERS_ESCAPED: return escape_strings(b, v, true);
  case NOVA__STYLE_REORDERED: return reverse(b, v);
  }
  nova_unreachable();
}

int nova__restyle(const struct nova_server *s, struct nova_buf *b,
                  struct nova_view v) {
  /* V_MEMBERS_ADDED: one of them holds names that the guide gives a meaning,
   * but not there. */
  if (NOVA__HAS(s, V_MEMBERS_ADDED))
    return nova__add_members(b, v,
                             ",\"server\":{\"type\":\"auth_result\","
                             "\"result\":\"failed\",\"timestamp\":0},"
                             "\"load\":[0.5,1e-3,null,true,false],"
                             "\"\":\"\",\"sequence\":12345678901");
  enum nova__style style = NOVA__STYLE_PLAIN;
  if (NOVA__HAS(s, V_WHITE_SPACE))
    style = NOVA__STYLE_WHITE_SPACE;
  else if (NOVA__HAS(s, V_ASCII_ONLY))
    style = NOVA__STYLE_ASCII_ONLY;
  else if (NOVA__HAS(s, V_LETTERS_ESCAPED))
    style = NOVA__STYLE_LETTERS_ESCAPED;
  else if (NOVA__HAS(s, V_MEMBERS_REORDERED))
    style = NOVA__STYLE_REORDERED;
  return nova__restyle_as(style, b, v);
}
