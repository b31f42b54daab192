/* YAML text as a plain tree with positions; the only file that knows libfyaml.
 * Anchors, aliases, tags and several documents are refused: none of our files
 * has a use for them, and an alias can make a small file huge. */
#ifndef NOVA_CONVERSATION_YAML_H
#define NOVA_CONVERSATION_YAML_H

#include "base/arena.h"
#include "conversation/diag.h"

enum nova_node_kind { NOVA_NODE_SCALAR, NOVA_NODE_LIST, NOVA_NODE_MAP };

struct nova_node {
  enum nova_node_kind kind;
  const char *text; /* SCALAR: NUL-terminated; never NULL */
  size_t len;
  bool plain; /* SCALAR: not quoted, so "1" and "true" are no strings */
  unsigned line, column;   /* from 1 */
  struct nova_node *key;   /* in a MAP: this child's key, a SCALAR */
  struct nova_node *child; /* first element or member's value */
  struct nova_node *next;
  size_t count;
};

/* Reads one document.
 * |file|: its name for messages, kept as a pointer.
 * |arena|: holds the tree.
 * Returns the root, or NULL with at least one message in |diag|: bad syntax, a
 * duplicate or non-scalar key, an anchor, alias or tag, deeper than 32, no
 * memory. */
struct nova_node *nova_yaml_read(const char *file, const char *text, size_t n,
                                 struct nova_arena *arena,
                                 struct nova_diag *diag);

/* The member |name| of a map, or NULL. */
struct nova_node *nova_node_get(const struct nova_node *map, const char *name);

#endif
