/* The conversations, rules and requirements: those in the program, or a folder
 * of the same form (--specs DIR), which takes their place as a whole. */
#ifndef NOVA_CLI_SPECS_H
#define NOVA_CLI_SPECS_H

#include "conversation/catalog.h"

struct nova_specs {
  struct nova_arena arena;
  const struct nova_spec_file *file;
  size_t n;
  char before[4098]; /* "DIR/", or "" for those in the program */
};

/* |dir|: NULL for those in the program. Returns 0 or an exit status, with a
 * line said. nova_specs_free() it in either case. */
int nova_specs_open(struct nova_specs *s, const char *dir);
void nova_specs_free(struct nova_specs *s);

/* All of them as a catalog, which is freed by the caller in either case.
 * Returns 0 or an exit status, with the messages said. */
int nova_specs_load(const struct nova_specs *s, struct nova_catalog *c);

#endif
