/* Time is an argument: nobody below net/ reads a clock. */
#ifndef NOVA_BASE_TIME_H
#define NOVA_BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A point in time or a span, in nanoseconds. A point counts from an origin
 * that the caller chose (the start of the run); it never runs backwards. */
typedef uint64_t nova_ts;

/* "No such time": no deadline is set, the event has not happened. */
#define NOVA_TS_NONE UINT64_MAX

#define NOVA_MS  UINT64_C(1000000)
#define NOVA_SEC UINT64_C(1000000000)

/* The later point; saturates just below NOVA_TS_NONE instead of wrapping, so
 * that "far away" never becomes "long ago". NONE plus anything is NONE. */
static inline nova_ts nova_ts_add(nova_ts t, nova_ts span) {
  if (t == NOVA_TS_NONE || span == NOVA_TS_NONE)
    return NOVA_TS_NONE;
  return span >= NOVA_TS_NONE - 1 - t ? NOVA_TS_NONE - 1 : t + span;
}

static inline nova_ts nova_ts_min(nova_ts a, nova_ts b) {
  return a < b ? a : b;
}

/* Reads a duration as the profile writes it: a decimal number, with or without
 * a fraction, and a unit: ns, us, ms, s, min, h. "never" gives NOVA_TS_NONE.
 *
 * |s|, |n|: the text, not NUL-terminated.
 * |out|: set on success only.
 *
 * Returns 0, or NOVA_ERR_ARGUMENT: no number, no unit, an unknown unit, a sign,
 * something behind the unit, or more than 10 years. */
int nova_duration_parse(const char *s, size_t n, nova_ts *out);

/* Writes |t| for a person: "250 ms", "10 s", "180.2 s", "never" for NONE.
 * |buf| takes at least 32 bytes and is always NUL-terminated. Returns |buf|. */
char *nova_duration_print(nova_ts t, char buf[32]);

#ifdef __cplusplus
}
#endif

#endif
