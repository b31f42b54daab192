/* What a run leaves on disk while it goes on, so that it can be taken up again:
 * run.json, which tells what run it is, and transcripts/<conversation>.json,
 * which hold the conversation's result too (specs/schemas/run.schema.json,
 * transcript.schema.json). */
#ifndef NOVA_REPORT_KEPT_JSON_H
#define NOVA_REPORT_KEPT_JSON_H

#include "report/results_json.h"

#define NOVA_RUN_FORMAT "novaprobe-run"

/* Writes run.json.
 * |r|: its head (tool, subject, name, address, seed, started) and profile; no
 *      conversations are needed.
 * |specs|: a digest of the conversations and rules in force; any text.
 * Otherwise as nova_results_write_json(). */
int nova_run_write_json(const struct nova_results *r, const char *specs,
                        const struct nova_mask *m, const struct nova_mem *mem,
                        const struct nova_sink *sink);

/* Reads it into the head and profile of |out|; |specs|: as it was given.
 * Otherwise as nova_results_read_json(). */
int nova_run_read_json(const char *p, size_t n, struct nova_arena *arena,
                       struct nova_results *out, const char **specs,
                       struct nova_read_error *error);

/* Reads a transcript file with the result in it.
 * |head|: set to the head of the file that it belongs to.
 * |out|: the conversation with its whole transcript; its |kept| is set.
 * Otherwise as nova_results_read_json(); a file without a result is
 * NOVA_ERR_ARGUMENT. */
int nova_kept_read_json(const char *p, size_t n, struct nova_arena *arena,
                        struct nova_results *head,
                        struct nova_conversation_result *out,
                        struct nova_read_error *error);

#endif
