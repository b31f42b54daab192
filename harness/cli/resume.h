/* --resume: what an earlier part of a run left in its folder. */
#ifndef NOVA_CLI_RESUME_H
#define NOVA_CLI_RESUME_H

#include "cli/outdir.h"
#include "cli/setup.h"

struct nova_resume {
  struct nova_arena arena;
  struct nova_results run; /* the head and the profile of run.json */
  struct nova_conversation_result *kept;
  size_t n;
  nova_ts spent; /* how long the earlier parts lasted, as far as is known */
  nova_ts timing_error;
};

/* Reads DIR/run.json and compares it with the options of now; sets the setup's
 * seed to that of the run; then reads what was judged. A file that cannot be
 * used is told on standard error, and its conversation is played again.
 * |u|: after nova_setup_read(), its profile complete.
 * Returns 0 or an exit status, with a line said. nova_resume_free() it in
 * either case. */
int nova_resume_read(struct nova_resume *r, struct nova_setup *u,
                     const char *dir);
void nova_resume_free(struct nova_resume *r);

/* Writes DIR/run.json. |mask|: knows the profile's secrets. 0 or an errno. */
int nova_resume_note(const struct nova_outdir *d, const struct nova_setup *u,
                     uint64_t started_unix_ns, const struct nova_mask *mask);

/* What differs between two profiles so that they are not of one run, one thing
 * after the other, "idle_timeout was 3s and is 5s; ..."; nothing where they are
 * the same. |out|: appended to. Returns 0 or the buffer's errors. */
int nova_resume_differences(const struct nova_profile *was,
                            const struct nova_profile *is,
                            struct nova_buf *out);

#endif
