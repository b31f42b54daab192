/* Helpers for TIME fields: Unix time in whole seconds (guide 3.3). What they
 * tell goes into the wording of a finding; the range of the type is checked by
 * the decoder. */
#ifndef NOVA_CODEC_TIMESTAMP_H
#define NOVA_CODEC_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A time is plausible from 2000-01-01 up to, not including, 2100-01-01 UTC. */
#define NOVA_TIME_FIRST INT64_C(946684800)
#define NOVA_TIME_END   INT64_C(4102444800)

enum nova_time_unit {
  NOVA_TIME_ODD, /* a plausible time in no unit */
  NOVA_TIME_SECONDS,
  NOVA_TIME_MILLISECONDS,
  NOVA_TIME_MICROSECONDS,
  NOVA_TIME_NANOSECONDS,
};

/* The unit in which |t| is a plausible time. The ranges of the units lie apart
 * by a factor of more than 200, so that there is never more than one. */
static inline enum nova_time_unit nova_time_unit(int64_t t) {
  int64_t scale = 1;
  for (int u = NOVA_TIME_SECONDS; u <= NOVA_TIME_NANOSECONDS; u++) {
    if (t / scale >= NOVA_TIME_FIRST && t / scale < NOVA_TIME_END)
      return (enum nova_time_unit)u;
    scale *= 1000;
  }
  return NOVA_TIME_ODD;
}

/* Whether |t| is plausible as Unix time in seconds. */
static inline bool nova_time_plausible(int64_t t) {
  return nova_time_unit(t) == NOVA_TIME_SECONDS;
}

/* The unit's name ("milliseconds"), static; NULL for ODD. */
static inline const char *nova_time_unit_name(enum nova_time_unit unit) {
  switch (unit) {
  case NOVA_TIME_SECONDS: return "seconds";
  case NOVA_TIME_MILLISECONDS: return "milliseconds";
  case NOVA_TIME_MICROSECONDS: return "microseconds";
  case NOVA_TIME_NANOSECONDS: return "nanoseconds";
  case NOVA_TIME_ODD: break;
  }
  return (const char *)0;
}

/* How far apart two times are, in seconds; any two of them. */
static inline uint64_t nova_time_distance(int64_t a, int64_t b) {
  return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

/* Whether |t| is at most |tolerance| seconds before or after |now|. */
static inline bool nova_time_near(int64_t t, int64_t now, uint64_t tolerance) {
  return nova_time_distance(t, now) <= tolerance;
}

#ifdef __cplusplus
}
#endif

#endif
