/* Patterns: from a script's nodes to a tree. */
#include "conversation/pattern.h"

#include "base/error.h"
#include "base/utf8.h"

#include <stdio.h>

/* Parentheses inside parentheses of one expression. */
#define DEPTH 8

static const char *const kinds[] = {
    "string",          "integer", "number",    "boolean", "object",
    "array",           "any",     "unix_time", "absent",  "declared_values",
    "declared_members"};

/* Functions and how many arguments they take. */
static const struct {
  const char *name;
  size_t least, most;
} calls[] = {
    {"not", 1, 1},          {"one_of", 1, 16},    {"prefix", 1, 1},
    {"last_changed", 1, 1}, {"other_case", 1, 1}, {"with", 2, 2},
    {"string", 1, 1},       {"like", 1, 1},       {"has", 1, 1},
    {"join", 1, 8},         {"verbatim", 1, 1},   {"starts_with", 1, 1},
    {"covers", 1, 1},
};

struct source {
  const char *file;
  const struct nova_node *node;
  struct nova_arena *arena;
  struct nova_diag *diag;
  const char *text;
  size_t at, n;
};

static void complain(struct source *s, size_t at, const char *message,
                     const char *detail) {
  /* The column counts bytes from the node's first, which stands behind the
   * quotation mark of a quoted scalar. */
  unsigned column = s->node->column + (unsigned)at;
  nova_diag_add(s->diag, s->file, s->node->line, column, "%s%s", message,
                detail);
}

static struct nova_pattern *make(struct source *s,
                                 enum nova_pattern_kind kind) {
  struct nova_pattern *p = NOVA_NEW(s->arena, struct nova_pattern);
  if (p == NULL) {
    nova_diag_add(s->diag, s->file, 0, 0, "out of memory");
    return NULL;
  }
  p->kind = kind;
  p->line = s->node->line;
  p->column = s->node->column;
  return p;
}

int nova_json_quote(struct nova_buf *out, const char *p, size_t n) {
  int err = nova_buf_append(out, "\"", 1);
  size_t from = 0;
  for (size_t i = 0; i < n && err == 0; i++) {
    unsigned char c = (unsigned char)p[i];
    if (c >= 0x20 && c != '"' && c != '\\')
      continue;
    err = nova_buf_append(out, p + from, i - from);
    from = i + 1;
    if (err != 0)
      break;
    if (c == '"' || c == '\\')
      err = nova_buf_printf(out, "\\%c", c);
    else if (c == '\n')
      err = nova_buf_puts(out, "\\n");
    else
      err = nova_buf_printf(out, "\\u%04x", c);
  }
  if (err == 0)
    err = nova_buf_append(out, p + from, n - from);
  return err != 0 ? err : nova_buf_append(out, "\"", 1);
}

static struct nova_pattern *literal(struct source *s, const char *text,
                                    size_t n, bool string) {
  struct nova_pattern *p = make(s, NOVA_PATTERN_LITERAL);
  if (p == NULL)
    return NULL;
  if (!string) {
    p->json.p = nova_arena_copy(s->arena, text, n);
    p->json.n = n;
    return p->json.p != NULL ? p : NULL;
  }
  if (nova_utf8_check(text, n) != n) {
    complain(s, nova_utf8_check(text, n), "invalid UTF-8", "");
    return NULL;
  }
  struct nova_buf quoted;
  nova_buf_init(&quoted, s->arena->mem, 6 * n + 2);
  if (nova_json_quote(&quoted, text, n) == 0) {
    p->json.p =
        nova_arena_copy(s->arena, quoted.data + quoted.head, quoted.len);
    p->json.n = quoted.len;
  }
  nova_buf_free(&quoted);
  return p->json.p != NULL ? p : NULL;
}

/* JSON's number grammar; what YAML reads as other numbers (0x10, 1_000) is a
 * string here, as it is on the wire. */
static bool is_number(const char *t, size_t n) {
  size_t i = 0;
  if (i < n && t[i] == '-')
    i++;
  if (i == n || t[i] < '0' || t[i] > '9')
    return false;
  if (t[i] == '0')
    i++;
  else
    while (i < n && t[i] >= '0' && t[i] <= '9')
      i++;
  if (i < n && t[i] == '.') {
    size_t first = ++i;
    while (i < n && t[i] >= '0' && t[i] <= '9')
      i++;
    if (i == first)
      return false;
  }
  if (i < n && (t[i] == 'e' || t[i] == 'E')) {
    i++;
    if (i < n && (t[i] == '+' || t[i] == '-'))
      i++;
    size_t first = i;
    while (i < n && t[i] >= '0' && t[i] <= '9')
      i++;
    if (i == first)
      return false;
  }
  return i == n;
}

static bool word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_';
}

static void blanks(struct source *s) {
  while (s->at < s->n && s->text[s->at] == ' ')
    s->at++;
}

static struct nova_pattern *expression(struct source *s, unsigned depth);

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The escape at s->at, a backslash, as UTF-8 in |out|. Returns the bytes there,
 * 0 with a message. */
static size_t escape(struct source *s, char out[4]) {
  static const char names[] = "\"\\nrt", means[] = "\"\\\n\r\t";
  const char *t = s->text + s->at;
  size_t left = s->n - s->at;
  const char *simple = left > 1 && t[1] != '\0' ? strchr(names, t[1]) : NULL;
  if (simple != NULL) {
    out[0] = means[simple - names];
    s->at += 2;
    return 1;
  }
  uint32_t cp = 0;
  size_t digits = 0;
  while (left > 1 && t[1] == 'u' && digits < 4 && digits + 2 < left &&
         hex_digit(t[2 + digits]) >= 0)
    cp = cp << 4 | (uint32_t)hex_digit(t[2 + digits++]);
  if (digits == 4 && (cp < 0xd800 || cp > 0xdfff)) {
    s->at += 6;
    return nova_utf8_put(cp, out);
  }
  complain(s, s->at,
           "expected \\\", \\\\, \\n, \\r, \\t or \\u and four hexadecimal "
           "digits (no surrogate)",
           "");
  return 0;
}

/* A string in quotation marks with JSON's escapes; s->at is at the opening
 * mark. */
static struct nova_pattern *quoted(struct source *s) {
  size_t first = s->at++, n = 0;
  char *text = nova_arena_alloc(s->arena, s->n - s->at + 1);
  if (text == NULL)
    return NULL;
  while (s->at < s->n && s->text[s->at] != '"') {
    if (s->text[s->at] != '\\') {
      text[n++] = s->text[s->at++];
      continue;
    }
    /* No escape is shorter than what it stands for. */
    char utf8[4];
    size_t bytes = escape(s, utf8);
    if (bytes == 0)
      return NULL;
    memcpy(text + n, utf8, bytes);
    n += bytes;
  }
  if (s->at == s->n) {
    complain(s, first, "the quotation mark is not closed", "");
    return NULL;
  }
  s->at++;
  return literal(s, text, n, true);
}

/* An argument: another expression, a quoted string, a number, true, false,
 * null. */
static struct nova_pattern *argument(struct source *s, unsigned depth) {
  blanks(s);
  if (s->at < s->n && s->text[s->at] == '$')
    return expression(s, depth + 1);
  if (s->at < s->n && s->text[s->at] == '"')
    return quoted(s);
  size_t first = s->at;
  while (s->at < s->n && s->text[s->at] != ',' && s->text[s->at] != ')' &&
         s->text[s->at] != ' ')
    s->at++;
  struct nova_view w = {s->text + first, s->at - first};
  if (is_number(w.p, w.n) || nova_view_is(w, "true") ||
      nova_view_is(w, "false") || nova_view_is(w, "null"))
    return literal(s, w.p, w.n, false);
  complain(s, first,
           "expected $something, a \"string\", a number, true, false or null",
           "");
  return NULL;
}

static struct nova_pattern *call(struct source *s, struct nova_view name,
                                 size_t start, unsigned depth) {
  size_t k = 0;
  while (k < sizeof calls / sizeof *calls && !nova_view_is(name, calls[k].name))
    k++;
  if (k == sizeof calls / sizeof *calls) {
    complain(s, start, "no such function; known are $not, $one_of, $prefix, ",
             "$last_changed, $other_case, $with, $string, $like, $has, $join, "
             "$verbatim, $starts_with, $covers");
    return NULL;
  }
  struct nova_pattern *p = make(s, NOVA_PATTERN_CALL);
  if (p == NULL)
    return NULL;
  p->name = calls[k].name;
  struct nova_pattern **link = &p->child;
  size_t count = 0;
  do {
    s->at++; /* the opening parenthesis or the comma */
    *link = argument(s, depth);
    if (*link == NULL)
      return NULL;
    link = &(*link)->next;
    count++;
    blanks(s);
  } while (s->at < s->n && s->text[s->at] == ',');
  if (s->at == s->n || s->text[s->at] != ')') {
    complain(s, s->at, "expected \",\" or \")\"", "");
    return NULL;
  }
  s->at++;
  if (count < calls[k].least || count > calls[k].most) {
    complain(s, start, "a wrong number of arguments for $", calls[k].name);
    return NULL;
  }
  /* Nothing else could ever match. */
  if (strcmp(p->name, "like") == 0 &&
      (p->child->kind != NOVA_PATTERN_LITERAL || p->child->json.p[0] != '"')) {
    complain(s, start, "expected a \"string\" as the argument of $", p->name);
    return NULL;
  }
  return p;
}

/* $kind, $call(...), $name.field */
static struct nova_pattern *expression(struct source *s, unsigned depth) {
  size_t start = s->at++;
  if (depth > DEPTH) {
    complain(s, start, "nested too deep", "");
    return NULL;
  }
  size_t first = s->at;
  while (s->at < s->n && word_char(s->text[s->at]))
    s->at++;
  struct nova_view head = {s->text + first, s->at - first};
  if (head.n == 0) {
    complain(s, start,
             "expected a name after \"$\"; \"$$\" stands for the "
             "character itself",
             "");
    return NULL;
  }
  if (s->at < s->n && s->text[s->at] == '(')
    return call(s, head, start, depth);
  while (s->at < s->n && (word_char(s->text[s->at]) || s->text[s->at] == '.'))
    s->at++;
  struct nova_view name = {s->text + first, s->at - first};
  struct nova_pattern *p = make(s, NOVA_PATTERN_REF);
  if (p == NULL)
    return NULL;
  p->name = nova_arena_copy(s->arena, name.p, name.n);
  p->column += (unsigned)start;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    if (nova_view_is(name, kinds[k])) {
      p->kind = NOVA_PATTERN_KIND;
      p->name = kinds[k];
    }
  return p->name != NULL ? p : NULL;
}

static struct nova_pattern *scalar(struct source *s) {
  const struct nova_node *node = s->node;
  struct nova_view t = {node->text, node->len};
  if (t.n >= 2 && t.p[0] == '$' && t.p[1] == '$')
    return literal(s, t.p + 1, t.n - 1, true);
  if (t.n != 0 && t.p[0] == '$') {
    s->text = t.p;
    s->n = t.n;
    s->at = 0;
    struct nova_pattern *p = expression(s, 0);
    if (p != NULL && s->at != s->n) {
      complain(s, s->at, "something follows the expression", "");
      return NULL;
    }
    return p;
  }
  if (!node->plain)
    return literal(s, t.p, t.n, true);
  if (t.n == 0 || nova_view_is(t, "~"))
    return literal(s, "null", 4, false);
  bool bare = is_number(t.p, t.n) || nova_view_is(t, "true") ||
              nova_view_is(t, "false") || nova_view_is(t, "null");
  return literal(s, t.p, t.n, !bare);
}

/* Recursion is bounded by the depth that the YAML reader allows. */
struct nova_pattern *nova_pattern_compile(const struct nova_node *node,
                                          const char *file,
                                          struct nova_arena *arena,
                                          struct nova_diag *diag) {
  struct source s = {.file = file, .node = node, .arena = arena, .diag = diag};
  if (node->kind == NOVA_NODE_SCALAR)
    return scalar(&s);
  struct nova_pattern *p =
      make(&s, node->kind == NOVA_NODE_MAP ? NOVA_PATTERN_OBJECT
                                           : NOVA_PATTERN_LIST);
  if (p == NULL)
    return NULL;
  static const char *const wraps[] = {"$exactly", "$contains"};
  for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++) {
    if (node->kind != NOVA_NODE_MAP || node->count != 1 ||
        strcmp(node->child->key->text, wraps[i]) != 0)
      continue;
    p->kind = NOVA_PATTERN_CALL;
    p->name = wraps[i] + 1;
    p->child = nova_pattern_compile(node->child, file, arena, diag);
    return p->child != NULL ? p : NULL;
  }
  struct nova_pattern **link = &p->child;
  for (const struct nova_node *c = node->child; c != NULL; c = c->next) {
    *link = nova_pattern_compile(c, file, arena, diag);
    if (*link == NULL)
      return NULL;
    if (c->key != NULL)
      (*link)->member = c->key->text;
    link = &(*link)->next;
  }
  return p;
}

void nova_pattern_refs(const struct nova_pattern *p,
                       void (*fn)(void *user, const struct nova_pattern *ref),
                       void *user) {
  if (p->kind == NOVA_PATTERN_REF)
    fn(user, p);
  for (const struct nova_pattern *c = p->child; c != NULL; c = c->next)
    nova_pattern_refs(c, fn, user);
}
