/* Inside the loader: what its files share. */
#ifndef NOVA_CONVERSATION_LOAD_H
#define NOVA_CONVERSATION_LOAD_H

#include "conversation/catalog.h"

struct nova_fragment {
  const char *name;
  const char *file;
  const struct nova_node *arguments; /* LIST of names, or NULL */
  const struct nova_node *steps;
  unsigned line;
  struct nova_fragment *next;
};

struct nova_loader {
  const char *file;
  struct nova_catalog *catalog;
  struct nova_arena *arena;
  struct nova_diag *diag;
  unsigned rounds; /* bit 1 << enum nova_each: inside a round of it */
};

void nova__complain(struct nova_loader *l, const struct nova_node *at,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The scalar's text, or NULL with a message that says what |what| should be. */
const char *nova__scalar(struct nova_loader *l, const struct nova_node *n,
                         const char *what);
/* {en: ..., zh: ...} or plain text. */
bool nova__text(struct nova_loader *l, const struct nova_node *n,
                struct nova_text *out);
/* A list of requirement ids, or one; each has to exist. */
bool nova__ids(struct nova_loader *l, const struct nova_node *n,
               struct nova_ids *out);
bool nova__flag(struct nova_loader *l, const struct nova_node *n, bool *out);
/* The scalar of a member that has to be there, or NULL with a message. */
const char *nova__word(struct nova_loader *l, const struct nova_node *map,
                       const char *key);
/* The place of a word among |names|, or -1 with a message. */
int nova__pick(struct nova_loader *l, const struct nova_node *map,
               const char *key, const char *const *names, size_t n);
struct nova_span *nova__span(struct nova_loader *l, const struct nova_node *n);
/* A list of needs as a set of bits. */
bool nova__needs(struct nova_loader *l, const struct nova_node *n,
                 uint32_t *out);
/* Complains of every key that is not in |known| (NULL-terminated). */
bool nova__known_keys(struct nova_loader *l, const struct nova_node *map,
                      const char *const *known);

int nova__load_requirements(struct nova_loader *l,
                            const struct nova_node *root);
int nova__load_rules(struct nova_loader *l, const struct nova_node *root);
int nova__load_fragment(struct nova_loader *l, const struct nova_node *root);
int nova__load_conversation(struct nova_loader *l, const struct nova_node *root,
                            const char *source);

/* A copy of |n| in which $case.NAME and $arg.NAME are replaced by the members
 * of |values| (a MAP; |prefix| is "$case." or "$arg."). NULL with a message. */
struct nova_node *nova__substitute(struct nova_loader *l,
                                   const struct nova_node *n,
                                   const char *prefix,
                                   const struct nova_node *values);

/* Reads the list of steps into |first|, numbering on from *number. */
bool nova__steps(struct nova_loader *l, const struct nova_node *list,
                 struct nova_script *script, struct nova_step **first,
                 unsigned *number, unsigned depth);

#endif
