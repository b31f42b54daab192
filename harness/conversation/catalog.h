/* Everything under specs/, loaded and checked against each other. */
#ifndef NOVA_CONVERSATION_CATALOG_H
#define NOVA_CONVERSATION_CATALOG_H

#include "conversation/script.h"

/* A file of specs/ as it stands. */
struct nova_spec_file {
  const char *path; /* "conversations/tcp/auth.yaml" */
  const char *text;
  size_t n;
};

struct nova_fragment;

struct nova_catalog {
  struct nova_arena arena; /* holds everything below */
  struct nova_requirement *requirements;
  size_t requirement_count;
  struct nova_fragment *fragments;
  struct nova_script *scripts; /* every case one script */
  size_t script_count;
  struct nova_rule *rules;
  size_t rule_count;
};

void nova_catalog_init(struct nova_catalog *c, const struct nova_mem *mem);
void nova_catalog_free(struct nova_catalog *c);

/* Adds one file; what it is says its first key (requirements, conversation,
 * fragment, rules). Requirements and fragments have to be added before what
 * uses them. The text is copied where it is needed later. Returns 0, or
 * NOVA_ERR_ARGUMENT with at least one message in |diag|. */
int nova_catalog_add(struct nova_catalog *c, const struct nova_spec_file *file,
                     struct nova_diag *diag);

/* Adds a set of files in the right order and checks the whole: no id twice, no
 * unknown id, every requirement of |transport| (NULL: all) that is stated to
 * bind a side checked by at least one conversation or rule. Returns 0 or
 * NOVA_ERR_ARGUMENT. */
int nova_catalog_load(struct nova_catalog *c,
                      const struct nova_spec_file *files, size_t n,
                      struct nova_diag *diag);

/* What the requirements lack, computed from the checks: adds a message for each
 * that no conversation and no rule verifies. */
void nova_catalog_check_coverage(const struct nova_catalog *c,
                                 struct nova_diag *diag);

const struct nova_requirement *
nova_catalog_requirement(const struct nova_catalog *c, const char *id);
const struct nova_script *nova_catalog_script(const struct nova_catalog *c,
                                              const char *id);

/* Whether |id| is among |ids|. */
bool nova_ids_have(const struct nova_ids *ids, const char *id);

#endif
