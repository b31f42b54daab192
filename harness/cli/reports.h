/* All reports of one result into its folder. */
#ifndef NOVA_CLI_REPORTS_H
#define NOVA_CLI_REPORTS_H

#include "cli/outdir.h"
#include "report/text.h"

/* Writes the transcripts and every report. What cannot be written is passed
 * over, the rest is written.
 * |m|: as in report/results_json.h. |what|: the first file that failed.
 * Returns 0 or the errno of that one. */
int nova_reports_write(const struct nova_outdir *d,
                       const struct nova_results *r, const struct nova_mask *m,
                       enum nova_lang lang, const char **what);

#endif
