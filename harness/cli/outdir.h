/* The folder that a run writes its reports to. */
#ifndef NOVA_CLI_OUTDIR_H
#define NOVA_CLI_OUTDIR_H

#include "cli/files.h"
#include "report/mask.h"
#include "verdict/results.h"

struct nova_outdir {
  char path[NOVA_PATH_MOST];
  bool linked; /* one of the default names: reports/latest is to point to it */
};

/* Makes DIR and DIR/transcripts and tries that both can be written; what a run
 * before left there under the names of ours is removed.
 * |dir|: NULL for reports/<UTC time>-<subject>/. |unix_s|: the present time.
 * Returns 0 or an exit status, with a line said. */
int nova_outdir_open(struct nova_outdir *d, const char *dir,
                     const char *subject, uint64_t unix_s);

/* The folder of a run that is taken up again: as above, but what stands there
 * stays. */
int nova_outdir_again(struct nova_outdir *d, const char *dir);

/* reports/latest; what goes wrong there is no matter of the run. */
void nova_outdir_link(const struct nova_outdir *d);

/* "DIR/name". */
void nova_outdir_path(const struct nova_outdir *d, const char *name,
                      char out[NOVA_PATH_MOST]);

/* The transcript of conversation |index| to DIR/transcripts/<id>.json. 0, or
 * the errno (ENOMEM without memory). */
int nova_outdir_transcript(const struct nova_outdir *d,
                           const struct nova_results *r, size_t index,
                           const struct nova_mask *m);

/* The name of that file below DIR. */
void nova_outdir_transcript_name(const char *id, char out[512]);

/* A report, written by |fn|. Same results. */
int nova_outdir_write(const struct nova_outdir *d, const char *name,
                      int (*fn)(const struct nova_sink *sink, void *user),
                      void *user);

#endif
