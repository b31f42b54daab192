/* What a run is made from: specs, profile and options, read and checked before
 * anything is sent. */
#ifndef NOVA_CLI_SETUP_H
#define NOVA_CLI_SETUP_H

#include "cli/options.h"
#include "cli/specs.h"
#include "conversation/profile.h"
#include "report/text.h"
#include "verdict/expect.h"

struct nova_setup {
  const struct nova_options *o;
  struct nova_arena arena;
  struct nova_specs specs;
  struct nova_catalog catalog;
  struct nova_profile profile;
  const char *profile_file; /* NULL: none */
  struct nova_expect expect;
  bool expecting;
  char **hook[NOVA_HOOKS]; /* words, NULL where not given */
  const char *hook_folder; /* NULL: where the program was started */
  char **spawn;            /* words, NULL where not given */
  const char *out; /* the reports' folder in place of --out; NULL: as it says */
  unsigned jobs;
  uint64_t seed;
  enum nova_lang lang;
};

/* Reads --specs, the profile and the options over it, for |subject|.
 * Returns 0 or an exit status, with the messages said. nova_setup_free() it in
 * either case. */
int nova_setup_read(struct nova_setup *s, const struct nova_options *o,
                    enum nova_role subject);
void nova_setup_free(struct nova_setup *s);

/* Only the profile and the options that stand in it (--tcp, --mqtt, --mqtts,
 * --device, --timer); the catalog stays empty. |lowest|: the lowest port. */
int nova_setup_read_profile(struct nova_setup *s, const struct nova_options *o,
                            enum nova_role subject, unsigned lowest);

/* The language that --lang or the locale asks for. */
enum nova_lang nova_setup_lang(const struct nova_options *o);

/* A whole number of decimal digits, |most| at most. */
bool nova_setup_number(const char *text, uint64_t most, uint64_t *out);

/* Whether --lang and --color have a value that exists. 0 or an exit status,
 * with a line said. */
int nova_setup_choices(const struct nova_options *o);

/* Reads a file of known failures. Same results; |expecting|: whether it was
 * read. */
int nova_setup_expect(struct nova_expect *e, struct nova_arena *arena,
                      const struct nova_catalog *c, const char *file,
                      bool *expecting);

/* A profile's text over |p|. |file|: its name for messages. */
int nova_setup_profile_text(struct nova_profile *p, const char *file,
                            const char *text, size_t n, struct nova_diag *diag);

#endif
