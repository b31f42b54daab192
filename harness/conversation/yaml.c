#include "conversation/yaml.h"

#include <libfyaml.h>
#include <stdlib.h>

#define DEPTH 32

struct reader {
  const char *file;
  struct nova_arena *arena;
  struct nova_diag *diag;
  struct nova_node *stack[DEPTH]; /* open lists and maps */
  struct nova_node *last[DEPTH];  /* the last child of each */
  struct nova_node *key[DEPTH];   /* a map's key that waits for its value */
  size_t depth;
  struct nova_node *root;
};

/* Syntax errors: the parser tells them to a diag object, which is read out. */
static void report_syntax(struct reader *r, struct fy_diag *fyd) {
  void *prev = NULL;
  struct fy_diag_error *e;
  while ((e = fy_diag_errors_iterate(fyd, &prev)) != NULL)
    nova_diag_add(r->diag, r->file, e->line > 0 ? (unsigned)e->line : 1,
                  e->column > 0 ? (unsigned)e->column : 1, "%s", e->msg);
  if (r->diag->errors == 0)
    nova_diag_add(r->diag, r->file, 1, 1, "this is no YAML");
}

static struct nova_node *node_at(struct reader *r, struct fy_event *event,
                                 enum nova_node_kind kind) {
  struct nova_node *n = NOVA_NEW(r->arena, struct nova_node);
  if (n == NULL) {
    nova_diag_add(r->diag, r->file, 0, 0, "out of memory");
    return NULL;
  }
  const struct fy_mark *mark = fy_event_start_mark(event);
  n->kind = kind;
  n->text = "";
  n->line = mark != NULL ? (unsigned)mark->line + 1 : 1;
  n->column = mark != NULL ? (unsigned)mark->column + 1 : 1;
  return n;
}

/* Hangs a finished or just opened node under the innermost open one. */
static bool place(struct reader *r, struct nova_node *n) {
  if (r->depth == 0) {
    r->root = n;
    return true;
  }
  size_t d = r->depth - 1;
  struct nova_node *parent = r->stack[d];
  if (parent->kind == NOVA_NODE_MAP) {
    if (r->key[d] == NULL) {
      if (n->kind != NOVA_NODE_SCALAR) {
        nova_diag_add(r->diag, r->file, n->line, n->column,
                      "a key has to be a plain word");
        return false;
      }
      if (nova_node_get(parent, n->text) != NULL) {
        nova_diag_add(r->diag, r->file, n->line, n->column,
                      "the key \"%s\" stands here twice", n->text);
        return false;
      }
      r->key[d] = n;
      return true;
    }
    n->key = r->key[d];
    r->key[d] = NULL;
  }
  if (r->last[d] == NULL)
    parent->child = n;
  else
    r->last[d]->next = n;
  r->last[d] = n;
  parent->count++;
  return true;
}

static bool open_node(struct reader *r, struct fy_event *event,
                      enum nova_node_kind kind) {
  struct nova_node *n = node_at(r, event, kind);
  if (n == NULL || !place(r, n))
    return false;
  if (r->depth == DEPTH) {
    nova_diag_add(r->diag, r->file, n->line, n->column, "nested deeper than %d",
                  DEPTH);
    return false;
  }
  r->stack[r->depth] = n;
  r->last[r->depth] = NULL;
  r->key[r->depth] = NULL;
  r->depth++;
  return true;
}

static bool scalar(struct reader *r, struct fy_event *event) {
  struct nova_node *n = node_at(r, event, NOVA_NODE_SCALAR);
  if (n == NULL)
    return false;
  struct fy_token *token = event->scalar.value;
  if (event->scalar.tag != NULL || event->scalar.anchor != NULL) {
    nova_diag_add(r->diag, r->file, n->line, n->column,
                  "anchors and tags are not used in these files");
    return false;
  }
  size_t len = 0;
  const char *text = token != NULL ? fy_token_get_text(token, &len) : "";
  n->text = nova_arena_copy(r->arena, text != NULL ? text : "", len);
  n->len = len;
  n->plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN;
  if (n->text == NULL) {
    nova_diag_add(r->diag, r->file, 0, 0, "out of memory");
    return false;
  }
  return place(r, n);
}

/* One event of the parser; false ends the reading. */
static bool take(struct reader *r, struct fy_event *event, size_t *documents) {
  const struct fy_mark *mark = fy_event_start_mark(event);
  unsigned line = mark != NULL ? (unsigned)mark->line + 1 : 1;
  unsigned column = mark != NULL ? (unsigned)mark->column + 1 : 1;
  switch (event->type) {
  case FYET_NONE:
  case FYET_STREAM_START:
  case FYET_STREAM_END:
  case FYET_DOCUMENT_END: return true;
  case FYET_DOCUMENT_START:
    if (++*documents > 1) {
      nova_diag_add(r->diag, r->file, line, column,
                    "a second document: one file holds one");
      return false;
    }
    return true;
  case FYET_MAPPING_START:
    if (event->mapping_start.anchor != NULL ||
        event->mapping_start.tag != NULL) {
      nova_diag_add(r->diag, r->file, line, column,
                    "anchors and tags are not used in these files");
      return false;
    }
    return open_node(r, event, NOVA_NODE_MAP);
  case FYET_SEQUENCE_START:
    if (event->sequence_start.anchor != NULL ||
        event->sequence_start.tag != NULL) {
      nova_diag_add(r->diag, r->file, line, column,
                    "anchors and tags are not used in these files");
      return false;
    }
    return open_node(r, event, NOVA_NODE_LIST);
  case FYET_MAPPING_END:
  case FYET_SEQUENCE_END: r->depth--; return true;
  case FYET_SCALAR: return scalar(r, event);
  case FYET_ALIAS:
    nova_diag_add(r->diag, r->file, line, column,
                  "aliases are not used in these files");
    return false;
  }
  return true;
}

struct nova_node *nova_yaml_read(const char *file, const char *text, size_t n,
                                 struct nova_arena *arena,
                                 struct nova_diag *diag) {
  struct reader r = {.file = file, .arena = arena, .diag = diag};
  size_t before = diag->errors;
  /* libfyaml takes a NUL in the middle for the end of the text. */
  const char *nul = n != 0 ? memchr(text, 0, n) : NULL;
  if (nul != NULL) {
    unsigned line = 1, column = 1;
    for (const char *c = text; c < nul; c++, column++)
      if (*c == '\n') {
        line++;
        column = 0;
      }
    nova_diag_add(diag, file, line, column, "a NUL byte");
    return NULL;
  }
  struct fy_diag_cfg diag_cfg;
  fy_diag_cfg_default(&diag_cfg);
  diag_cfg.fp = NULL;
  struct fy_diag *fyd = fy_diag_create(&diag_cfg);
  if (fyd == NULL) {
    nova_diag_add(diag, file, 0, 0, "out of memory");
    return NULL;
  }
  fy_diag_set_collect_errors(fyd, true);
  struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG,
                             .diag = fyd};
  struct fy_parser *parser = fy_parser_create(&cfg);
  if (parser == NULL || fy_parser_set_string(parser, text, n) != 0) {
    nova_diag_add(diag, file, 0, 0, "out of memory");
  } else {
    size_t documents = 0;
    bool more = true;
    while (more) {
      struct fy_event *event = fy_parser_parse(parser);
      if (event == NULL)
        break;
      more = take(&r, event, &documents);
      fy_parser_event_free(parser, event);
    }
    if (more && fy_parser_get_stream_error(parser))
      report_syntax(&r, fyd);
    else if (r.root == NULL && diag->errors == before)
      nova_diag_add(diag, file, 1, 1, "the file is empty");
  }
  if (parser != NULL)
    fy_parser_destroy(parser);
  fy_diag_destroy(fyd);
  return diag->errors == before ? r.root : NULL;
}

struct nova_node *nova_node_get(const struct nova_node *map, const char *name) {
  if (map == NULL || map->kind != NOVA_NODE_MAP)
    return NULL;
  for (struct nova_node *c = map->child; c != NULL; c = c->next)
    if (strcmp(c->key->text, name) == 0)
      return c;
  return NULL;
}
