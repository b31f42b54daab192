#ifndef TESTS_UNIT_RUN_ROUND_TRIP_H
#define TESTS_UNIT_RUN_ROUND_TRIP_H

#include "support/simrun.h"

/* Plays a run, judges its record again, and expects the same of every check,
 * conversation and requirement. |what|: for messages. */
void round_trip(const char *what, const struct simrun_options *o);

#endif
