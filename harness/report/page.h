/* Internal: the files of reports/page/, embedded when the program is built. */
#ifndef NOVA_REPORT_PAGE_H
#define NOVA_REPORT_PAGE_H

#include "base/view.h"

extern const struct nova_view nova__page_template, nova__page_style,
    nova__page_script;

#endif
