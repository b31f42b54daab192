/* The reference device, how long it takes and waits: guide 3.2, 3.4 and 5. */
#include "peer/device_state.h"

/* |percent| of |span|. */
static nova_ts part(nova_ts span, unsigned percent) {
  return span / 100 * percent;
}

nova_ts nova__device_tolerance(const struct nova_device *d, nova_ts span) {
  if (d->options.late_tolerance != 0)
    return d->options.late_tolerance;
  return span / 10 > NOVA_SEC ? span / 10 : NOVA_SEC;
}

static bool is_slow(const struct nova_device *d) {
  return NOVA__DEVICE_HAS(d, V_D_SLOW) || NOVA__DEVICE_HAS(d, V_DM_SLOW);
}

nova_ts nova__device_auth_wait(const struct nova_device *d) {
  nova_ts span = d->options.auth_timeout;
  if (NOVA__DEVICE_HAS(d, D_AUTH_WAITS))
    return NOVA_TS_NONE;
  if (NOVA__DEVICE_HAS(d, D_AUTH_LATE) ||
      (NOVA__DEVICE_HAS(d, D_AUTH_LATE_AGAIN) && d->connections > 1))
    return nova_ts_add(span, part(span, 50) + nova__device_tolerance(d, span));
  return NOVA__DEVICE_HAS(d, V_D_SLOW) ? part(span, 90) : 0;
}

nova_ts nova__device_idle_span(const struct nova_device *d) {
  nova_ts span = d->options.idle_timeout;
  if (NOVA__DEVICE_HAS(d, D_IDLE_NEVER))
    return NOVA_TS_NONE;
  if (NOVA__DEVICE_HAS(d, D_IDLE_EARLY))
    return span - span / 3;
  if (NOVA__DEVICE_HAS(d, D_IDLE_LATE))
    return nova_ts_add(span, part(span, 50) + nova__device_tolerance(d, span));
  return NOVA__DEVICE_HAS(d, V_D_SLOW)
             ? nova_ts_add(span, part(nova__device_tolerance(d, span), 90))
             : span;
}

nova_ts nova__device_ping_span(const struct nova_device *d) {
  nova_ts span = d->options.heartbeat, late = nova__device_tolerance(d, span);
  if (NOVA__DEVICE_HAS(d, D_NO_PING) ||
      (NOVA__DEVICE_HAS(d, D_PING_STOPS) && d->pings >= 2))
    return NOVA_TS_NONE;
  if (NOVA__DEVICE_HAS(d, D_FIRST_PING_LATE) && d->pings == 0)
    return nova_ts_add(2 * span + part(span, 50), late);
  if (NOVA__DEVICE_HAS(d, D_PING_90))
    return nova_ts_add(span, part(span, 50) + late);
  if (NOVA__DEVICE_HAS(d, D_PING_DRIFTS))
    return nova_ts_add(span, late + late / 2);
  if (NOVA__DEVICE_HAS(d, V_D_PINGS_OFTEN))
    return d->pings == 0 ? 0 : span / 2;
  return NOVA__DEVICE_HAS(d, V_D_SLOW) ? nova_ts_add(span, part(late, 90))
                                       : span;
}

nova_ts nova__device_data_span(const struct nova_device *d) {
  nova_ts span = d->options.data_interval;
  if (NOVA__DEVICE_HAS(d, D_PING_WHEN_QUIET))
    return d->options.heartbeat / 2;
  return span;
}

nova_ts nova__device_answer_wait(const struct nova_device *d) {
  nova_ts span = d->options.response_timeout;
  if (NOVA__DEVICE_HAS(d, D_RESPONSE_SLOW) ||
      NOVA__DEVICE_HAS(d, DM_ANSWER_LATE))
    return nova_ts_add(span, span);
  if (NOVA__DEVICE_HAS(d, D_ONE_AT_A_TIME) ||
      NOVA__DEVICE_HAS(d, D_QUEUE_OF_FOUR) ||
      NOVA__DEVICE_HAS(d, DM_ONE_AT_A_TIME))
    return NOVA__DEVICE_BUSY_FOR;
  return is_slow(d) ? part(span, 90) : 0;
}

/* 1 s, 2 s, 4 s ... 30 s, each up to a quarter longer. */
static nova_ts back_off(struct nova_device *d) {
  const struct nova_device_options *o = &d->options;
  nova_ts wait = o->backoff_first;
  for (unsigned i = 0; i < d->attempts && wait < o->backoff_most; i++)
    wait = nova_ts_add(wait, wait);
  d->attempts++;
  wait = nova_ts_min(wait, o->backoff_most);
  return nova_ts_add(wait, nova_rng_below(&d->rng, wait / 4 + 1));
}

static nova_ts wait_after_failed(struct nova_device *d) {
  nova_ts wait = back_off(d);
  if (NOVA__DEVICE_HAS(d, D_REFUSED_AT_ONCE))
    return 10 * NOVA_MS;
  if (NOVA__DEVICE_HAS(d, D_REFUSED_EVERY_SECOND))
    return NOVA_SEC;
  if (NOVA__DEVICE_HAS(d, V_D_REFUSED_BACKS_OFF))
    return wait;
  return wait > d->options.refused_wait ? wait : d->options.refused_wait;
}

nova_ts nova__device_reconnect_wait(struct nova_device *d,
                                    enum nova__device_end why,
                                    bool was_served) {
  nova_ts span = d->options.reconnect_timeout;
  if (why == NOVA__DEVICE_FAILED)
    return wait_after_failed(d);
  if (NOVA__DEVICE_HAS(d, D_STORM) || NOVA__DEVICE_HAS(d, DM_STORM) ||
      (NOVA__DEVICE_HAS(d, V_D_AT_ONCE_AFTER_AUTH) && was_served))
    return 10 * NOVA_MS;
  if (NOVA__DEVICE_HAS(d, D_HALF_SECOND) || NOVA__DEVICE_HAS(d, DM_HALF_SECOND))
    return 500 * NOVA_MS;
  if (NOVA__DEVICE_HAS(d, D_BACKOFF_RESET) && why != NOVA__DEVICE_NOT_CONNECTED)
    return 200 * NOVA_MS;
  if (NOVA__DEVICE_HAS(d, D_RECONNECT_SLOW) ||
      NOVA__DEVICE_HAS(d, DM_RECONNECT_SLOW))
    return nova_ts_add(span, span);
  if (is_slow(d))
    return part(span, 90);
  if (NOVA__DEVICE_HAS(d, V_D_RECONNECT_LATE))
    return span / 6 * 5;
  if ((NOVA__DEVICE_HAS(d, V_D_AT_ONCE) || NOVA__DEVICE_HAS(d, V_DM_AT_ONCE)) &&
      d->attempts == 0) {
    d->attempts++;
    return 0;
  }
  return back_off(d);
}
