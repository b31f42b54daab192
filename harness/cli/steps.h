/* The steps of a conversation in plain words. */
#ifndef NOVA_CLI_STEPS_H
#define NOVA_CLI_STEPS_H

#include "conversation/script.h"
#include "report/text.h"

/* Appends one line a step, branches indented. Timers have the guide's values.
 * Returns 0 or the buffer's errors. */
int nova_steps_put(struct nova_buf *out, enum nova_lang lang,
                   const struct nova_script *s);

#endif
