/* junit.xml for CI servers: a suite of the requirements and one of the
 * conversations, a test case each, named by their ids.
 *
 *   pass            a test case with nothing in it
 *   fail            <failure>, type "must", "should" or "may"
 *   known failure   <skipped> with its reason
 *   inconclusive    <error>
 *   not_tested      <skipped> with what it needs
 *   not_applicable  <skipped>
 *
 * So what was not judged is never shown as passed. */
#ifndef NOVA_REPORT_JUNIT_H
#define NOVA_REPORT_JUNIT_H

#include "report/mask.h"
#include "report/sink.h"
#include "report/text.h"

/* Writes the document, in UTF-8. What XML 1.0 cannot hold stands as \x1b or
 * \ufffe.
 * |m|: as for nova_results_write_json().
 * |lang|: of the requirements' text; all else is English.
 * Returns 0, the sink's error, or NOVA_ERR_NO_MEMORY. */
int nova_junit_write(const struct nova_results *r, const struct nova_mask *m,
                     enum nova_lang lang, const struct nova_mem *mem,
                     const struct nova_sink *sink);

#endif
