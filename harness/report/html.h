/* report.html: one file that shows results.json, from file:// too, with nothing
 * to load and nothing of a subject in its markup. */
#ifndef NOVA_REPORT_HTML_H
#define NOVA_REPORT_HTML_H

#include "report/mask.h"
#include "report/sink.h"
#include "report/text.h"

/* Writes the page.
 * |m|, |mem|: as for nova_results_write_json().
 * |lang|: the language that it starts in; a reader can switch.
 * Returns 0, the sink's error, or NOVA_ERR_NO_MEMORY. */
int nova_html_write(const struct nova_results *r, const struct nova_mask *m,
                    enum nova_lang lang, const struct nova_mem *mem,
                    const struct nova_sink *sink);

#endif
