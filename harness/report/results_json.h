/* results.json and transcripts/<conversation>.json, written and read back
 * (specs/schemas/results.schema.json, transcript.schema.json). */
#ifndef NOVA_REPORT_RESULTS_JSON_H
#define NOVA_REPORT_RESULTS_JSON_H

#include "report/mask.h"
#include "report/sink.h"
#include "verdict/results.h"

#define NOVA_RESULTS_FORMAT    "novaprobe-results"
#define NOVA_TRANSCRIPT_FORMAT "novaprobe-transcript"
#define NOVA_RESULTS_VERSION   1

/* The most bytes of a payload that stand in results.json. */
#define NOVA_RESULTS_PAYLOAD 4096

/* Writes results.json.
 * |r|: complete; r->profile may be NULL.
 * |m|: after nova_mask_results(); NULL only for results that were read back,
 * which hold no secret. |mem|: NULL for the C library's; used for one
 * conversation at a time. Returns 0, the sink's error, or NOVA_ERR_NO_MEMORY.
 */
int nova_results_write_json(const struct nova_results *r,
                            const struct nova_mask *m,
                            const struct nova_mem *mem,
                            const struct nova_sink *sink);

/* Writes the whole transcript of conversation |index|, which is below
 * r->conversations. Otherwise as above. */
int nova_transcript_write_json(const struct nova_results *r, size_t index,
                               const struct nova_mask *m,
                               const struct nova_mem *mem,
                               const struct nova_sink *sink);

/* The most bytes of a file that are read, and the most memory that its results
 * take. */
#define NOVA_RESULTS_FILE_MAX ((size_t)512 << 20)

/* Why a file was not read: "conversations[3].transcript[0].t: expected a number
 * of seconds", or "invalid UTF-8 at byte 37". */
struct nova_read_error {
  char text[256];
};

/* Reads results.json. Members that are not known are skipped; one that is
 * missing or has the wrong type or value is an error.
 *
 * Where a secret was masked stands its placeholder (report/mask.h), in the
 * profile's keys too, so that a judge compares as if it were the secret.
 *
 * |arena|: holds all of |out|, which keeps nothing of |p|; its maximum bounds
 * what a file can make it take. |error|: set on failure; may be NULL. Returns
 * 0, NOVA_ERR_ARGUMENT (no results.json of this version, with a reason), one of
 * NOVA_ERR_JSON_*, NOVA_ERR_LIMIT or NOVA_ERR_NO_MEMORY. */
int nova_results_read_json(const char *p, size_t n, struct nova_arena *arena,
                           struct nova_results *out,
                           struct nova_read_error *error);

/* Reads a transcript file and puts it in the place of the shortened one of the
 * conversation of that id in |r|. Same arguments and errors; a conversation
 * that |r| does not have, or other numbers of events than it has there, is
 * NOVA_ERR_ARGUMENT. */
int nova_transcript_read_json(const char *p, size_t n, struct nova_arena *arena,
                              struct nova_results *r,
                              struct nova_read_error *error);

#endif
