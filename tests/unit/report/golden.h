/* Comparing with a file of tests/unit/report/golden/. With NOVA_GOLDEN=write in
 * the environment the files are written instead; look at the difference then.
 */
#ifndef TESTS_REPORT_GOLDEN_H
#define TESTS_REPORT_GOLDEN_H

#include "base/view.h"

void golden_compare(const char *name, struct nova_view got);

#endif
