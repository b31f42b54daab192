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
    if (post != &d->end && post != &d->connect && post != &d->exit)
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

static struct nova__device_post *new_post(struct nova_device *d, const char *p,
                                          size_t n) {
  struct nova__device_post *post =
      n <= NOVA_DEVICE_UNSENT_MAX - d->unsent
          ? nova_mem_alloc(d->mem, sizeof *post + n)
          : NULL;
  if (post == NULL) {
    nova__device_give_up(d);
    return NULL;
  }
  *post = (struct nova__device_post){
      .kind = NOVA_DEVICE_SEND, .n = n, .bytes = (char *)(post + 1)};
  memcpy(post->bytes, p, n);
  d->unsent += n;
  return post;
}

static void post(struct nova_device *d, const char *p, size_t n, nova_ts late) {
  struct nova__device_post *new = new_post(d, p, n);
  if (new == NULL)
    return;
  if (late > 0) {
    new->when = nova_ts_add(d->now, late);
    push_late(d, new);
  } else {
    push(&d->queue, new);
  }
}

/* D_LAST_ONLY, V_D_REVERSED: an answer waits for those that may follow. */
static void hold(struct nova_device *d, const char *p, size_t n) {
  struct nova__device_post *new = new_post(d, p, n);
  if (new == NULL)
    return;
  if (NOVA__DEVICE_HAS(d, D_LAST_ONLY) || NOVA__DEVICE_HAS(d, DM_LAST_ONLY))
    drop_all(d, &d->held);
  new->next = d->held.head;
  d->held.head = new;
  if (d->held.tail == NULL)
    d->held.tail = new;
  if (d->timer[NOVA__DEVICE_HELD] == NOVA_TS_NONE)
    nova__device_set(d, NOVA__DEVICE_HELD, NOVA__DEVICE_EXTRA_AFTER);
}

static void let_go(struct nova_device *d) {
  struct nova__device_post *held;
  while ((held = pop(&d->held)) != NULL)
    push(&d->queue, held);
}

/* V_D_GATHERED */
static void let_out(struct nova_device *d) {
  struct nova_view v = nova_buf_view(&d->gathered);
  if (v.n > 0)
    post(d, v.p, v.n, 0);
  nova_buf_clear(&d->gathered);
}

static void gather(struct nova_device *d, const char *p, size_t n) {
  if (nova_buf_append(&d->gathered, p, n) != 0)
    nova__device_give_up(d);
  else if (d->timer[NOVA__DEVICE_GATHER] == NOVA_TS_NONE)
    nova__device_set(d, NOVA__DEVICE_GATHER, NOVA__DEVICE_GATHERS_FOR);
}

static void on_own_message(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, D_IDLE_OWN_SENDS))
    nova__device_set(d, NOVA__DEVICE_IDLE, nova__device_idle_span(d));
  if (NOVA__DEVICE_HAS(d, D_PING_WHEN_QUIET) && d->kind != NOVA_MSG_PING)
    nova__device_set(d, NOVA__DEVICE_PING, nova__device_ping_span(d));
}

void nova__device_post(struct nova_device *d, const char *p, size_t n,
                       nova_ts late) {
  unsigned connection = d->connections;
  bool answers = d->kind == NOVA_MSG_COMMAND_RESPONSE;
  if (!nova__device_is_open(d->state))
    return;
  if (d->state == NOVA__DEVICE_SERVED)
    on_own_message(d);
  if (answers &&
      (NOVA__DEVICE_HAS(d, D_LAST_ONLY) || NOVA__DEVICE_HAS(d, DM_LAST_ONLY) ||
       NOVA__DEVICE_HAS(d, V_D_REVERSED))) {
    hold(d, p, n);
    return;
  }
  if ((NOVA__DEVICE_HAS(d, V_D_GATHERED) ||
       NOVA__DEVICE_HAS(d, V_DM_GATHERED)) &&
      d->state == NOVA__DEVICE_SERVED) {
    gather(d, p, n);
    return;
  }
  bool bytes =
      NOVA__DEVICE_HAS(d, V_D_BYTES) || NOVA__DEVICE_HAS(d, V_DM_BYTES);
  while (bytes && n > 1 && nova__device_is_open(d->state) &&
         d->connections == connection) {
    post(d, p++, 1, late);
    n--;
  }
  if (nova__device_is_open(d->state))
    post(d, p, n, late);
}

/* --- states ----------------------------------------------------------------
 */

void nova__device_set(struct nova_device *d, enum nova__device_timer t,
                      nova_ts span) {
  d->timer[t] = nova_ts_add(d->now, span);
}

static void stop_timers(struct nova_device *d) {
  for (size_t i = 0; i < NOVA__DEVICE_TIMERS; i++)
    d->timer[i] = NOVA_TS_NONE;
}

static void enter_waiting(struct nova_device *d) {
  if (nova__device_is_mqtt(d)) {
    nova__device_mqtt_open(d);
    return;
  }
  d->pings = 0;
  d->began = d->owes_line_feed = d->loses_next = false;
  nova_buf_clear(&d->backlog);
  nova_buf_clear(&d->status_text);
  nova__device_set(d, NOVA__DEVICE_AUTH, nova__device_auth_wait(d));
  if (NOVA__DEVICE_HAS(d, D_PING_BEFORE_RESULT) ||
      (NOVA__DEVICE_HAS(d, D_DATA_TIMER_RUNS_ON) && d->connections > 1))
    nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_EXTRA_AFTER);
  if (NOVA__DEVICE_HAS(d, D_AUTH_TWICE))
    nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_AGAIN_AFTER);
}

static void enter_served(struct nova_device *d) {
  const struct nova_device_options *o = &d->options;
  bool history = NOVA__DEVICE_HAS(d, D_HISTORY_140000) ||
                 NOVA__DEVICE_HAS(d, D_HISTORY_131073) ||
                 NOVA__DEVICE_HAS(d, V_D_HISTORY);
  d->served_since = d->now;
  d->authenticated = true;
  if (nova__device_is_mqtt(d)) {
    nova__device_mqtt_serve(d);
    return;
  }
  nova__device_set(d, NOVA__DEVICE_IDLE, nova__device_idle_span(d));
  nova__device_set(d, NOVA__DEVICE_PING, nova__device_ping_span(d));
  if (o->report_interval != NOVA_TS_NONE && !NOVA__DEVICE_HAS(d, V_D_NO_STATUS))
    nova__device_set(d, NOVA__DEVICE_STATUS, o->first_status);
  if (o->data_interval != NOVA_TS_NONE && !NOVA__DEVICE_HAS(d, V_D_NO_DATA))
    nova__device_set(d, NOVA__DEVICE_DATA, o->first_data);
  if (history)
    nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_HISTORY_AFTER);
  if (NOVA__DEVICE_HAS(d, V_D_HELLO) || NOVA__DEVICE_HAS(d, V_D_CHATTY))
    nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_CHATS_EVERY);
}

static void enter_refused(struct nova_device *d) {
  if (!NOVA__DEVICE_HAS(d, V_D_FAILED_STAYS))
    nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_FAILED_AFTER);
  nova__device_set(d, NOVA__DEVICE_LEAVE, NOVA__DEVICE_STAYS_FOR);
}

void nova__device_enter(struct nova_device *d, enum nova__device_state state) {
  d->state = state;
  stop_timers(d);
  switch (state) {
  case NOVA__DEVICE_OFF:
  case NOVA__DEVICE_PAUSED: /* the caller sets the wait */
  case NOVA__DEVICE_GONE: return;
  case NOVA__DEVICE_REFUSED: enter_refused(d); return;
  case NOVA__DEVICE_CONNECTING:
    d->connect = (struct nova__device_post){.kind = NOVA_DEVICE_CONNECT};
    push(&d->queue, &d->connect);
    return;
  case NOVA__DEVICE_WAITING: enter_waiting(d); return;
  case NOVA__DEVICE_SERVED: enter_served(d); return;
  }
  nova_unreachable();
}

/* --- between connections ---------------------------------------------------
 */

/* A fault lets it end here. Exits where it is the process that ends. */
static bool ends_here(struct nova_device *d, enum nova__device_end why) {
  bool silent = why == NOVA__DEVICE_SILENT, fin = why == NOVA__DEVICE_LOST_FIN;
  if ((silent && NOVA__DEVICE_HAS(d, D_SILENT_EXITS)) ||
      (fin && NOVA__DEVICE_HAS(d, D_FIN_EXITS))) {
    nova__device_exit(d, 0);
    return true;
  }
  if (why == NOVA__DEVICE_FAILED && NOVA__DEVICE_HAS(d, V_D_FAILED_EXITS)) {
    nova__device_exit(d, 1);
    return true;
  }
  if (!(silent && NOVA__DEVICE_HAS(d, D_SILENT_GONE)) &&
      !(fin && (NOVA__DEVICE_HAS(d, D_FIN_GONE) ||
                NOVA__DEVICE_HAS(d, DM_FIN_GONE))) &&
      !(why == NOVA__DEVICE_LOST_RST &&
        (NOVA__DEVICE_HAS(d, D_RST_GONE) || NOVA__DEVICE_HAS(d, DM_RST_GONE))))
    return false;
  nova__device_enter(d, NOVA__DEVICE_GONE);
  return true;
}

/* The connection is over: what was its is dropped, and the next is planned. */
static void lose(struct nova_device *d, enum nova__device_end why) {
  bool was_served = d->state == NOVA__DEVICE_SERVED;
  if (d->state == NOVA__DEVICE_REFUSED)
    why = NOVA__DEVICE_FAILED;
  if (was_served && d->now - d->served_since >= d->options.heartbeat)
    d->attempts = 0;
  drop_all(d, &d->late);
  drop_all(d, &d->held);
  drop_all(d, &d->in_flight);
  nova_buf_clear(&d->gathered);
  d->unsent = 0;
  if (ends_here(d, why))
    return;
  nova__device_enter(d, NOVA__DEVICE_PAUSED);
  nova__device_set(d, NOVA__DEVICE_CONNECT_AGAIN,
                   nova__device_reconnect_wait(d, why, was_served));
}

/* What it says before it closes. */
static void take_leave(struct nova_device *d, enum nova__device_end why) {
  static const char half[] = "{\"type\":\"status\",\"device_id\":\"";
  if (d->state != NOVA__DEVICE_SERVED)
    return;
  if (NOVA__DEVICE_HAS(d, V_D_OFFLINE))
    nova__device_say_status(d, "offline");
  if (NOVA__DEVICE_HAS(d, D_CUT_AT_CLOSE) && why == NOVA__DEVICE_SILENT)
    post(d, half, sizeof half - 1, 0);
  let_out(d);
}

void nova__device_leave(struct nova_device *d, enum nova_device_out_kind kind,
                        enum nova__device_end why) {
  if (!nova__device_is_open(d->state))
    return;
  if (kind == NOVA_DEVICE_CLOSE) {
    take_leave(d, why);
    if (!nova__device_is_open(d->state))
      return;
    if (NOVA__DEVICE_HAS(d, V_D_RST))
      kind = NOVA_DEVICE_RESET;
  }
  d->end = (struct nova__device_post){.kind = kind};
  push(&d->queue, &d->end);
  lose(d, why);
}

void nova__device_give_up(struct nova_device *d) {
  nova__device_leave(d, NOVA_DEVICE_RESET, NOVA__DEVICE_LEFT);
}

void nova__device_exit(struct nova_device *d, int code) {
  nova__device_enter(d, NOVA__DEVICE_GONE);
  drop_all(d, &d->late);
  drop_all(d, &d->held);
  d->exit = (struct nova__device_post){.kind = NOVA_DEVICE_EXIT, .code = code};
  push(&d->queue, &d->exit);
}

void nova__device_hang(struct nova_device *d) {
  nova__device_enter(d, NOVA__DEVICE_GONE);
}

/* --- timers ----------------------------------------------------------------
 */

void nova__device_again(struct nova_device *d, enum nova__device_timer t,
                        nova_ts when, nova_ts span) {
  nova_ts next = nova_ts_add(when, span);
  d->timer[t] = next > d->now ? next : nova_ts_add(d->now, span);
}

static void on_auth_time(struct nova_device *d) {
  nova__device_set(d, NOVA__DEVICE_RESULT, d->options.auth_timeout);
  if (NOVA__DEVICE_HAS(d, D_STATUS_BEFORE_AUTH))
    nova__device_say_status(d, "online");
  if (NOVA__DEVICE_HAS(d, D_RESUME_FIRST) && d->connections > 1)
    nova__device_say_other(d, "resume");
  nova__device_say_auth(d);
  if (NOVA__DEVICE_HAS(d, D_DATA_WITH_AUTH))
    nova__device_say_data(d);
}

static void on_idle_time(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, D_IDLE_QUIET))
    nova__device_hang(d);
  else
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_SILENT);
}

static void on_ping_time(struct nova_device *d, nova_ts when) {
  d->pings++;
  nova__device_again(d, NOVA__DEVICE_PING, when, nova__device_ping_span(d));
  nova__device_say_ping(d);
}

static void fire(struct nova_device *d, enum nova__device_timer t) {
  nova_ts when = d->timer[t];
  d->timer[t] = NOVA_TS_NONE;
  if (nova__device_is_mqtt(d) && nova__device_mqtt_fire(d, t, when))
    return;
  switch (t) {
  case NOVA__DEVICE_CONNECT_AGAIN:
    nova__device_enter(d, NOVA__DEVICE_CONNECTING);
    return;
  case NOVA__DEVICE_AUTH: on_auth_time(d); return;
  case NOVA__DEVICE_RESULT:
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_NO_RESULT);
    return;
  case NOVA__DEVICE_IDLE: on_idle_time(d); return;
  case NOVA__DEVICE_LATE: deliver_late(d); return;
  case NOVA__DEVICE_PING: on_ping_time(d, when); return;
  case NOVA__DEVICE_STATUS:
    nova__device_again(d, t, when, d->options.report_interval);
    nova__device_say_status(d, "online");
    return;
  case NOVA__DEVICE_DATA:
    nova__device_again(d, t, when, nova__device_data_span(d));
    nova__device_say_data(d);
    return;
  case NOVA__DEVICE_EXTRA: nova__device_extra(d); return;
  case NOVA__DEVICE_LEAVE:
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_FAILED);
    return;
  case NOVA__DEVICE_HELD: let_go(d); return;
  case NOVA__DEVICE_GATHER: let_out(d); return;
  case NOVA__DEVICE_SUBSCRIBE: /* over MQTT only */
  case NOVA__DEVICE_KEEP:
  case NOVA__DEVICE_PINGRESP:
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
  if (NOVA__DEVICE_HAS(d, D_AUTH_ONCE) && d->authenticated)
    nova__device_enter(d, NOVA__DEVICE_SERVED);
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
  if (!nova__device_is_open(d->state) || n == 0)
    return;
  if (!nova__device_is_mqtt(d)) {
    nova__device_intake(d, p, n);
    return;
  }
  nova__device_mqtt_intake(d, p, n);
  settle(d, now); /* it subscribes right behind CONNACK */
}

void nova_device_eof(struct nova_device *d, nova_ts now) {
  settle(d, now);
  if (!NOVA__DEVICE_HAS(d, D_FIN_UNNOTICED))
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

bool nova_device_has(const struct nova_device *d, enum nova_fault f) {
  return nova_fault_has(&d->faults, f);
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
  or_default(&o->data_interval, 60 * NOVA_SEC);
  or_default(&o->report_interval, 300 * NOVA_SEC);
  or_default(&o->status_interval, 60 * NOVA_SEC);
  if (o->keep_alive == 0)
    o->keep_alive = 60;
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

/* The faults of the protocol that it speaks. */
static void set_faults(struct nova_device *d,
                       const struct nova_fault_set *faults) {
  for (unsigned f = 0; faults != NULL && f < NOVA_FAULTS; f++)
    if (nova_fault_has(faults, (enum nova_fault)f) &&
        nova_fault_is_mqtt((enum nova_fault)f) == nova__device_is_mqtt(d))
      nova_fault_add(&d->faults, (enum nova_fault)f);
}

struct nova_device *nova_device_new(const struct nova_device_options *options) {
  struct nova_device *d = nova_mem_zalloc(options->mem, sizeof *d);
  if (d == NULL)
    return NULL;
  d->mem = options->mem;
  d->options = *options;
  set_faults(d, options->faults);
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
  nova_buf_init(&d->id_before, d->mem, (size_t)8 * NOVA_LINE_LIMIT);
  nova_buf_init(&d->state_text, d->mem, (size_t)8 * NOVA_LINE_LIMIT);
  nova_buf_init(&d->status_text, d->mem, (size_t)16 * NOVA_LINE_LIMIT);
  nova_buf_init(&d->gathered, d->mem, NOVA_DEVICE_UNSENT_MAX);
  nova_buf_init(&d->backlog, d->mem, NOVA_DEVICE_UNSENT_MAX);
  nova_buf_init(&d->payload, d->mem, (size_t)16 * NOVA_LINE_LIMIT);
  nova_buf_init(&d->packet, d->mem, (size_t)17 * NOVA_LINE_LIMIT);
  nova_rng_init(&d->rng, nova_rng_derive(options->seed, "device"));
  d->json = nova_json_new(d->mem, d->frame_limit, NOVA_JSON_DEPTH);
  /* Both, so that neither is left pointing at what is the caller's. */
  bool id = copy_text(d, &d->options.id, NOVA_DEVICE_ID_MAX);
  bool key = copy_text(d, &d->options.key, NOVA_DEVICE_KEY_MAX);
  if (id)
    d->shown_id.p = nova__device_shown_id(d, &d->shown_id.n);
  if (!id || !key || d->shown_id.p == NULL || d->json == NULL ||
      nova__device_actuators_init(d, options) != 0 ||
      (nova__device_is_mqtt(d) && nova__device_mqtt_init(d) != 0)) {
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
  drop_all(d, &d->held);
  drop_all(d, &d->in_flight);
  nova__device_actuators_free(d);
  nova__device_mqtt_free(d);
  nova_line_free(&d->line);
  nova_buf_free(&d->text);
  nova_buf_free(&d->id_text);
  nova_buf_free(&d->id_before);
  nova_buf_free(&d->state_text);
  nova_buf_free(&d->status_text);
  nova_buf_free(&d->gathered);
  nova_buf_free(&d->backlog);
  nova_json_free(d->json);
  nova_mem_free(d->mem, (void *)(uintptr_t)d->options.id.p);
  nova_mem_free(d->mem, (void *)(uintptr_t)d->options.key.p);
  nova_mem_free(d->mem, (void *)(uintptr_t)d->shown_id.p);
  nova_mem_free(d->mem, d);
}
