/* The command line, read against a table: --name VALUE, --name=VALUE, -n VALUE,
 * -nVALUE, -- before arguments that begin with a dash. */
#ifndef NOVA_CLI_OPTIONS_H
#define NOVA_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nova_option {
#define NOVA_OPTION(ID, name, letter, argument, many, help) NOVA_OPT_##ID,
#include "cli/options.def"
#undef NOVA_OPTION
  NOVA_OPTS
};

#define NOVA_OPT_BIT(ID) (UINT64_C(1) << NOVA_OPT_##ID)

struct nova_option_info {
  const char *name;
  char letter;
  const char *argument; /* NULL: it takes none */
  bool many;
  const char *help;
};

extern const struct nova_option_info nova_option_table[NOVA_OPTS];

struct nova_options {
  /* By option: how often it was given, and its values, NULL behind the last. */
  struct {
    size_t n;
    const char **value;
  } opt[NOVA_OPTS];
  const char **arg; /* what is no option, NULL behind the last */
  size_t args;
};

/* Reads |argc| words.
 * |allowed|: NOVA_OPT_BIT() of each option that the command takes.
 * |o|: to be freed with nova_options_free(), after an error too; the strings
 * stay the caller's.
 * |why|: on an error one sentence, at most |cap| bytes with its NUL.
 * Returns 0, NOVA_ERR_ARGUMENT or NOVA_ERR_NO_MEMORY. */
int nova_options_read(struct nova_options *o, int argc, char *const *argv,
                      uint64_t allowed, char *why, size_t cap);
void nova_options_free(struct nova_options *o);

/* The last value that was given, or NULL. */
const char *nova_options_last(const struct nova_options *o,
                              enum nova_option id);

#endif
