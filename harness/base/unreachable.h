/* For the end of an enum switch that has no default, so that the compiler
 * names a missing case. Reaching it is a defect of this program. */
#ifndef NOVA_BASE_UNREACHABLE_H
#define NOVA_BASE_UNREACHABLE_H

#include <stdlib.h>

static inline _Noreturn void nova_unreachable(void) {
  abort();
}

#endif
