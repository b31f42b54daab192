/* What is wrong with the files that people write: FILE:LINE:COLUMN: message. */
#ifndef NOVA_CONVERSATION_DIAG_H
#define NOVA_CONVERSATION_DIAG_H

#include "base/buf.h"

/* The messages, one a line, in the order in which they were found. */
struct nova_diag {
  struct nova_buf text;
  size_t errors;
};

void nova_diag_init(struct nova_diag *d, const struct nova_mem *mem);
void nova_diag_free(struct nova_diag *d);

/* Adds one error. |line|, |column|: from 1; 0 where there is none. */
void nova_diag_add(struct nova_diag *d, const char *file, unsigned line,
                   unsigned column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
