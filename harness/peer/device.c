/* The reference device: events, timers, output. */
#include "peer/device_state.h"

#include "base/unreachable.h"
#include "base/utf8.h"
#include "peer/server.h"

/* --- output ----------------------------------------------------------------
 */

static void push(struct nova__device_posts *q, struct nova__device_post *post) {
  post->next = NULL;
  *(q->tail != NULL ? &q->tail->next : &q->head) = post;
  q->tail = post;
}

static struct nova__device_post *pop(struct nova__device_posts *q) {
  struct nova__device_post *post = q->head;
  if (post != NULL && (q->head = post->next) == NULL)
    q->tail = NULL;
  return post;
}

static void drop_all(struct nova_device *d, struct nova__device_posts *q) {
  struct nova__device_post *post;
  while ((post = pop(q)) != NULL)
    if (post != &d->end && post != &d->connect)
      nova_mem_free(d->mem, post);
}

/* Into the list of late ones, behind those of the same time. */
static void push_late(struct nova_device *d, struct nova__device_post *post) {
  struct nova__device_post **at = &d->late.head;
  while (*at != NULL && (*at)->when <= post->when)
    at = &(*at)->next;
  post->next = *at;
  if (*at == NULL)
    d->late.tail = post;
  *at = post;
  d->timer[NOVA__DEVICE_LATE] = d->late.head->when;
}

static void deliver_late(struct nova_device *d) {
  struct nova__device_post *post = pop(&d->late);
  push(&d->queue, post);
  if (d->late.head != NULL)
    d->timer[NOVA__DEVICE_LATE] = d->late.head->when;
}

void nova__device_post(struct nova_device *d, const char *p, size_t n,
                       const struct nova__device_how *how) {
  if (!nova__device_is_open(d->state))
    return;
  struct nova__device_post *post =
      n <= NOVA_DEVICE_UNSENT_MAX - d->unsent
          ? nova_mem_alloc(d->mem, sizeof *post + n)
          : NULL;
  if (post == NULL) {
    nova__device_leave(d, NOVA_DEVICE_RESET, NOVA__DEVICE_LEFT);
    return;
  }
  *post = (struct nova__device_post){
      .kind = NOVA_DEVICE_SEND, .n = n, .bytes = (char *)(post + 1)};
  memcpy(post->bytes, p, n);
  d->unsent += n;
  if (how->late > 0) {
    post->when = nova_ts_add(d->now, how->late);
    push_late(d, post);
  } else {
    push(&d->queue, post);
  }
}

/* --- states ----------------------------------------------------------------
 */

static void set(struct nova_device *d, enum nova__device_timer t,
                nova_ts span) {
  d->timer[t] = nova_ts_add(d->now, span);
}

static void stop_timers(struct nova_device *d) {
  for (size_t i = 0; i < NOVA__DEVICE_TIMERS; i++)
    d->timer[i] = NOVA_TS_NONE;
}

void nova__device_start_idle(struct nova_device *d) {
  set(d, NOVA__DEVICE_IDLE, d->options.idle_timeout);
}

static void enter_served(struct nova_device *d) {
  d->served_since = d->now;
  nova__device_start_idle(d);
  set(d, NOVA__DEVICE_PING, d->options.heartbeat);
  if (d->options.report_interval != NOVA_TS_NONE)
    set(d, NOVA__DEVICE_STATUS, d->options.first_status);
  if (d->options.data_interval != NOVA_TS_NONE)
    set(d, NOVA__DEVICE_DATA, d->options.first_data);
}

void nova__device_enter(struct nova_device *d, enum nova__device_state state) {
  d->state = state;
  stop_timers(d);
  switch (state) {
  case NOVA__DEVICE_OFF:
  case NOVA__DEVICE_PAUSED: /* the caller sets the wait */
  case NOVA__DEVICE_REFUSED:
  case NOVA__DEVICE_GONE: return;
  case NOVA__DEVICE_CONNECTING:
    d->connect = (struct nova__device_post){.kind = NOVA_DEVICE_CONNECT};
    push(&d->queue, &d->connect);
    return;
  case NOVA__DEVICE_WAITING: set(d, NOVA__DEVICE_AUTH, 0); return;
  case NOVA__DEVICE_SERVED: enter_served(d); return;
  }
  nova_unreachable();
}

/* --- between connections ---------------------------------------------------
 */

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

static nova_ts wait_after(struct nova_device *d, enum nova__device_end why) {
  nova_ts wait = back_off(d);
  if (why == NOVA__DEVICE_FAILED && wait < d->options.refused_wait)
    return d->options.refused_wait;
  return wait;
}

/* The connection is over: what was its is dropped, and the next is planned. */
static void lose(struct nova_device *d, enum nova__device_end why) {
  if (d->state == NOVA__DEVICE_SERVED &&
      d->now - d->served_since >= d->options.heartbeat)
    d->attempts = 0;
  drop_all(d, &d->late);
  drop_all(d, &d->in_flight);
  d->unsent = 0;
  nova__device_enter(d, NOVA__DEVICE_PAUSED);
  set(d, NOVA__DEVICE_CONNECT_AGAIN, wait_after(d, why));
}

void nova__device_leave(struct nova_device *d, enum nova_device_out_kind kind,
                        enum nova__device_end why) {
  if (!nova__device_is_open(d->state))
    return;
  lose(d, why);
  d->end = (struct nova__device_post){.kind = kind};
  push(&d->queue, &d->end);
}

void nova__device_exit(struct nova_device *d, int code) {
  nova__device_enter(d, NOVA__DEVICE_GONE);
  drop_all(d, &d->queue);
  drop_all(d, &d->late);
  d->end = (struct nova__device_post){.kind = NOVA_DEVICE_EXIT, .code = code};
  push(&d->queue, &d->end);
}

void nova__device_accepted(struct nova_device *d) {
  nova__device_enter(d, NOVA__DEVICE_SERVED);
}

void nova__device_failed(struct nova_device *d) {
  nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_FAILED);
}

/* --- timers ----------------------------------------------------------------
 */

/* Sets a timer that came at |when| for its next time: no drift, and no burst
 * after a device was held up. */
static void again(struct nova_device *d, enum nova__device_timer t,
                  nova_ts when, nova_ts span) {
  nova_ts next = nova_ts_add(when, span);
  d->timer[t] = next > d->now ? next : nova_ts_add(d->now, span);
}

static void on_auth_time(struct nova_device *d) {
  set(d, NOVA__DEVICE_RESULT, d->options.auth_timeout);
  nova__device_say_auth(d);
}

static void fire(struct nova_device *d, enum nova__device_timer t) {
  nova_ts when = d->timer[t];
  d->timer[t] = NOVA_TS_NONE;
  switch (t) {
  case NOVA__DEVICE_CONNECT_AGAIN:
    nova__device_enter(d, NOVA__DEVICE_CONNECTING);
    return;
  case NOVA__DEVICE_AUTH: on_auth_time(d); return;
  case NOVA__DEVICE_RESULT:
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_NO_RESULT);
    return;
  case NOVA__DEVICE_IDLE:
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_SILENT);
    return;
  case NOVA__DEVICE_LATE: deliver_late(d); return;
  case NOVA__DEVICE_PING:
    again(d, t, when, d->options.heartbeat);
    nova__device_say_ping(d);
    return;
  case NOVA__DEVICE_STATUS:
    again(d, t, when, d->options.report_interval);
    nova__device_say_status(d);
    return;
  case NOVA__DEVICE_DATA:
    again(d, t, when, d->options.data_interval);
    nova__device_say_data(d);
    return;
  case NOVA__DEVICE_EXTRA: return;
  case NOVA__DEVICE_LEAVE:
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
    return;
  case NOVA__DEVICE_TIMERS: break;
  }
  nova_unreachable();
}

/* The timer that comes first; NOVA__DEVICE_TIMERS where none is set. */
static enum nova__device_timer first_timer(const struct nova_device *d) {
  enum nova__device_timer first = NOVA__DEVICE_TIMERS;
  nova_ts when = NOVA_TS_NONE;
  for (unsigned i = 0; i < NOVA__DEVICE_TIMERS; i++)
    if (d->timer[i] < when) {
      first = (enum nova__device_timer)i;
      when = d->timer[i];
    }
  return first;
}

nova_ts nova_device_next_deadline(const struct nova_device *d) {
  enum nova__device_timer first = first_timer(d);
  return first != NOVA__DEVICE_TIMERS ? d->timer[first] : NOVA_TS_NONE;
}

/* --- events ----------------------------------------------------------------
 */

static void release(struct nova_device *d) {
  struct nova__device_post *post = d->handed_out;
  d->handed_out = NULL;
  if (post == NULL || post->kind != NOVA_DEVICE_SEND)
    return;
  if (nova__device_is_open(d->state))
    push(&d->in_flight, post);
  else
    nova_mem_free(d->mem, post);
}

/* What every event begins with: the output that was handed out is done with,
 * and what is due by |now| happens. */
static void settle(struct nova_device *d, nova_ts now) {
  release(d);
  if (now > d->now)
    d->now = now;
  enum nova__device_timer first;
  while ((first = first_timer(d)) != NOVA__DEVICE_TIMERS &&
         d->timer[first] <= d->now)
    fire(d, first);
}

void nova_device_start(struct nova_device *d, nova_ts now) {
  settle(d, now);
  if (d->state == NOVA__DEVICE_OFF)
    nova__device_enter(d, NOVA__DEVICE_CONNECTING);
}

void nova_device_connected(struct nova_device *d, nova_ts now) {
  settle(d, now);
  if (d->state != NOVA__DEVICE_CONNECTING)
    return;
  nova_line_free(&d->line);
  (void)nova_line_init(&d->line, d->mem, d->frame_limit);
  d->connections++;
  nova__device_enter(d, NOVA__DEVICE_WAITING);
  settle(d, now);
}

void nova_device_refused(struct nova_device *d, nova_ts now) {
  settle(d, now);
  if (d->state == NOVA__DEVICE_CONNECTING)
    lose(d, NOVA__DEVICE_NOT_CONNECTED);
}

void nova_device_feed(struct nova_device *d, const char *p, size_t n,
                      nova_ts now) {
  settle(d, now);
  if (nova__device_is_open(d->state) && n > 0)
    nova__device_intake(d, p, n);
}

void nova_device_eof(struct nova_device *d, nova_ts now) {
  settle(d, now);
  nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LOST_FIN);
}

void nova_device_reset(struct nova_device *d, nova_ts now) {
  release(d);
  /* Before anything that is due could use a connection that is gone. */
  if (now > d->now)
    d->now = now;
  if (nova__device_is_open(d->state))
    lose(d, NOVA__DEVICE_LOST_RST);
  settle(d, now);
}

void nova_device_sent(struct nova_device *d) {
  release(d);
  struct nova__device_post *post = pop(&d->in_flight);
  if (post == NULL)
    return;
  d->unsent -= post->n;
  nova_mem_free(d->mem, post);
}

void nova_device_expire(struct nova_device *d, nova_ts now) {
  settle(d, now);
}

bool nova_device_next_output(struct nova_device *d,
                             struct nova_device_out *out) {
  release(d);
  struct nova__device_post *post = pop(&d->queue);
  if (post == NULL)
    return false;
  *out = (struct nova_device_out){
      .kind = post->kind, .bytes = {post->bytes, post->n}, .code = post->code};
  d->handed_out = post;
  return true;
}

bool nova_device_is_served(const struct nova_device *d) {
  return d->state == NOVA__DEVICE_SERVED;
}

/* --- the whole -------------------------------------------------------------
 */

static void or_default(nova_ts *span, nova_ts value) {
  if (*span == 0)
    *span = value;
}

static void set_spans(struct nova_device_options *o) {
  or_default(&o->auth_timeout, 10 * NOVA_SEC);
  or_default(&o->heartbeat, 60 * NOVA_SEC);
  or_default(&o->idle_timeout, 180 * NOVA_SEC);
  or_default(&o->response_timeout, 5 * NOVA_SEC);
  or_default(&o->reconnect_timeout, 60 * NOVA_SEC);
  or_default(&o->late_tolerance,
             o->heartbeat / 10 > NOVA_SEC ? o->heartbeat / 10 : NOVA_SEC);
  or_default(&o->data_interval, 60 * NOVA_SEC);
  or_default(&o->report_interval, 300 * NOVA_SEC);
  or_default(&o->first_status, 100 * NOVA_MS);
  or_default(&o->first_data, 300 * NOVA_MS);
  or_default(&o->backoff_first, NOVA_SEC);
  or_default(&o->backoff_most,
             nova_ts_min(30 * NOVA_SEC, o->reconnect_timeout / 2));
  if (o->backoff_most < o->backoff_first)
    o->backoff_most = o->backoff_first;
  or_default(&o->refused_wait, 10 * NOVA_SEC);
}

/* Copies |v| into memory of the device's. False where it is empty, too long or
 * no UTF-8, or without memory. */
static bool copy_text(struct nova_device *d, struct nova_view *v, size_t most) {
  struct nova_view from = *v;
  *v = (struct nova_view){NULL, 0};
  if (from.n == 0 || from.n > most || nova_utf8_check(from.p, from.n) != from.n)
    return false;
  char *p = nova_mem_alloc(d->mem, from.n);
  if (p == NULL)
    return false;
  memcpy(p, from.p, from.n);
  *v = (struct nova_view){p, from.n};
  return true;
}

struct nova_device *nova_device_new(const struct nova_device_options *options) {
  struct nova_device *d = nova_mem_zalloc(options->mem, sizeof *d);
  if (d == NULL)
    return NULL;
  d->mem = options->mem;
  d->options = *options;
  if (options->faults != NULL)
    d->faults = *options->faults;
  d->options.faults = NULL;
  d->options.actuators = NULL;
  d->options.value_keys = NULL;
  set_spans(&d->options);
  stop_timers(d);
  d->frame_limit = nova__device_frame_limit(d);
  (void)nova_line_init(&d->line, d->mem, d->frame_limit);
  /* Faults write messages that are longer than the guide allows. */
  nova_buf_init(&d->text, d->mem, (size_t)16 * NOVA_LINE_LIMIT);
  nova_buf_init(&d->id_text, d->mem, (size_t)8 * NOVA_LINE_LIMIT);
  nova_rng_init(&d->rng, nova_rng_derive(options->seed, "device"));
  d->json = nova_json_new(d->mem, d->frame_limit, NOVA_JSON_DEPTH);
  /* Both, so that neither is left pointing at what is the caller's. */
  bool id = copy_text(d, &d->options.id, NOVA_DEVICE_ID_MAX);
  bool key = copy_text(d, &d->options.key, NOVA_DEVICE_KEY_MAX);
  if (!id || !key || d->json == NULL ||
      nova__device_actuators_init(d, options) != 0) {
    nova_device_free(d);
    return NULL;
  }
  return d;
}

void nova_device_free(struct nova_device *d) {
  if (d == NULL)
    return;
  if (d->handed_out != NULL && d->handed_out->kind == NOVA_DEVICE_SEND)
    nova_mem_free(d->mem, d->handed_out);
  drop_all(d, &d->queue);
  drop_all(d, &d->late);
  drop_all(d, &d->in_flight);
  nova__device_actuators_free(d);
  nova_line_free(&d->line);
  nova_buf_free(&d->text);
  nova_buf_free(&d->id_text);
  nova_json_free(d->json);
  nova_mem_free(d->mem, (void *)(uintptr_t)d->options.id.p);
  nova_mem_free(d->mem, (void *)(uintptr_t)d->options.key.p);
  nova_mem_free(d->mem, d);
}
