/* Spans of time as scripts write them: 2s, $idle_timeout, 0.6 * $idle_timeout,
 * $late($auth_timeout), 1s + $response_timeout. */
#ifndef NOVA_CONVERSATION_SPAN_H
#define NOVA_CONVERSATION_SPAN_H

#include "base/arena.h"
#include "base/time.h"

enum nova_timer {
#define NOVA_TIMER(name, span, what) NOVA_TIMER_##name,
#include "conversation/timers.def"
#undef NOVA_TIMER
  NOVA_TIMERS
};

/* The timers in force, in ns. */
struct nova_timers {
  nova_ts span[NOVA_TIMERS];
  bool set[NOVA_TIMERS]; /* given by the profile or the command line */
};

void nova_timers_default(struct nova_timers *t);

/* The timer of that name, or NOVA_TIMERS. */
enum nova_timer nova_timer_find(struct nova_view name);
const char *nova_timer_name(enum nova_timer t);
const char *nova_timer_what(enum nova_timer t);

/* What is added to a late bound of |span|: late_tolerance where it was set,
 * else the larger of 1 s and 10 %. */
nova_ts nova_timers_tolerance(const struct nova_timers *t, nova_ts span);

struct nova_span;

/* Reads a span.
 * |arena|: holds it.
 * |offset|: on failure where in the text, 0-based; |why|: static text.
 * Returns NULL on failure. */
struct nova_span *nova_span_read(struct nova_arena *arena,
                                 struct nova_view text, size_t *offset,
                                 const char **why);

/* Its value with these timers; NOVA_TS_NONE where a timer in it is "never". */
nova_ts nova_span_value(const struct nova_span *s, const struct nova_timers *t);

/* Whether |timer| is part of it. */
bool nova_span_uses(const struct nova_span *s, enum nova_timer timer);

/* The part of the value that $late() added. */
nova_ts nova_span_slack(const struct nova_span *s, const struct nova_timers *t);

#endif
