/* A results.json that was written before, read back. */
#ifndef NOVA_CLI_LOADED_H
#define NOVA_CLI_LOADED_H

#include "cli/files.h"
#include "report/results_json.h"

struct nova_loaded {
  char path[NOVA_PATH_MOST]; /* of the file */
  struct nova_arena arena;
  struct nova_results results;
};

/* |path|: the file, or the folder that it is in. Returns 0 or an exit status,
 * with a line said; nova_loaded_free() it in either case. */
int nova_loaded_read(struct nova_loaded *l, const char *path);
void nova_loaded_free(struct nova_loaded *l);

/* Puts the whole transcripts beside it in place; one that is missing is passed
 * over. Same results. */
int nova_loaded_transcripts(struct nova_loaded *l);

#endif
