#include "peer/server_state.h"

#include "base/unreachable.h"

#include <assert.h>

/* --- timers ----------------------------------------------------------------
 */

void nova__timer_stop(struct nova__timer *t) {
  struct nova__timers *list = t->list;
  if (list == NULL)
    return;
  *(t->prev != NULL ? &t->prev->next : &list->head) = t->next;
  *(t->next != NULL ? &t->next->prev : &list->tail) = t->prev;
  t->list = NULL;
}

void nova__timer_set(struct nova__timers *list, struct nova__timer *t,
                     nova_ts when) {
  nova__timer_stop(t);
  /* All spans of a list are alike, so this stops at once; only the list of late
   * posts, which faults fill, has to search. */
  struct nova__timer *after = list->tail;
  while (after != NULL && after->when > when)
    after = after->prev;
  t->list = list;
  t->when = when;
  t->prev = after;
  t->next = after != NULL ? after->next : list->head;
  *(t->prev != NULL ? &t->prev->next : &list->head) = t;
  *(t->next != NULL ? &t->next->prev : &list->tail) = t;
}

static nova_ts head_of(const struct nova__timers *list) {
  return list->head != NULL ? list->head->when : NOVA_TS_NONE;
}

/* --- output ----------------------------------------------------------------
 */

static void push(struct nova__posts *q, struct nova__post *post) {
  post->next = NULL;
  *(q->tail != NULL ? &q->tail->next : &q->head) = post;
  q->tail = post;
}

static struct nova__post *pop(struct nova__posts *q) {
  struct nova__post *post = q->head;
  if (post != NULL && (q->head = post->next) == NULL)
    q->tail = NULL;
  return post;
}

static void post(struct nova_server *s, struct nova__session *c, const char *p,
                 size_t n, const struct nova__how *how) {
  if (c->state == NOVA__ENDED)
    return;
  if (n > s->options.unsent_limit - c->unsent) {
    nova__end(s, c, NOVA__POST_RESET);
    return;
  }
  if (n > 0 || how->late > 0) {
    struct nova__post *post = nova_mem_alloc(s->mem, sizeof *post + n);
    if (post == NULL) {
      s->error = NOVA_ERR_NO_MEMORY;
      nova__end(s, c, NOVA__POST_RESET);
      return;
    }
    *post = (struct nova__post){.owner = c,
                                .kind = NOVA__POST_SEND,
                                .last = how->last,
                                .resumes = how->resumes,
                                .n = n,
                                .bytes = (char *)(post + 1)};
    post->timer.owner = post;
    if (n > 0)
      memcpy(post->bytes, p, n);
    c->unsent += n;
    if (how->late > 0) {
      nova__timer_set(&s->late, &post->timer, nova_ts_add(s->now, how->late));
      c->late++;
      c->blocked = c->blocked || how->resumes;
      return;
    }
    push(&s->queue, post);
  }
  if (how->last)
    nova__end(s, c, NOVA__POST_CLOSE);
}

/* V_BATCHED: what was gathered goes out, and the session goes on or ends. */
static void let_out(struct nova_server *s, struct nova__session *c, bool last) {
  struct nova_buf all = c->gathered;
  nova_buf_init(&c->gathered, s->mem, s->options.unsent_limit);
  nova__timer_stop(&c->gather);
  post(s, c, all.len > 0 ? all.data + all.head : NULL, all.len,
       &(struct nova__how){.last = last});
  nova_buf_free(&all);
}

static void gathered(struct nova_server *s, struct nova__session *c) {
  let_out(s, c, c->gathered_last);
}

static void gather(struct nova_server *s, struct nova__session *c,
                   const char *p, size_t n, bool last) {
  if (n > 0 && nova_buf_append(&c->gathered, p, n) != 0) {
    s->error = NOVA_ERR_NO_MEMORY;
    nova__end(s, c, NOVA__POST_RESET);
    return;
  }
  c->gathered_last = c->gathered_last || last;
  if (c->gather.list == NULL)
    nova__timer_set(&s->gather, &c->gather,
                    nova_ts_add(s->now, NOVA_VARIANT_GATHERS_FOR));
}

void nova__post(struct nova_server *s, struct nova__session *c, const char *p,
                size_t n, const struct nova__how *how) {
  struct nova__how mine = *how;
  if (c->state == NOVA__ENDED)
    return;
  if (NOVA__HAS(s, V_SLOW) && mine.late == 0)
    mine.late = NOVA_VARIANT_SLOW_BY;
  if (NOVA__HAS(s, V_BATCHED) && mine.late == 0) {
    gather(s, c, p, n, mine.last);
    return;
  }
  while (NOVA__HAS(s, V_BYTES) && mine.late == 0 && n > 1) {
    post(s, c, p++, 1, &(struct nova__how){0});
    n--;
  }
  post(s, c, p, n, &mine);
}

/* A late post's time has come. */
static void deliver_late(struct nova_server *s, struct nova__post *post) {
  struct nova__session *c = post->owner;
  bool last = post->last, resumes = post->resumes;
  nova__timer_stop(&post->timer);
  c->late--;
  if (post->n > 0)
    push(&s->queue, post);
  else
    nova_mem_free(s->mem, post);
  if (last) {
    nova__end(s, c, NOVA__POST_CLOSE);
  } else if (resumes) {
    c->blocked = false;
    nova__intake_resume(s, c);
  }
}

static void drop_late(struct nova_server *s, struct nova__session *c) {
  struct nova__timer *t = s->late.head;
  while (t != NULL && c->late > 0) {
    struct nova__post *post = t->owner;
    t = t->next;
    if (post->owner == c) {
      nova__timer_stop(&post->timer);
      nova_mem_free(s->mem, post);
      c->late--;
    }
  }
}

/* --- sessions --------------------------------------------------------------
 */

static nova_ts auth_span(const struct nova_server *s) {
  nova_ts span = s->options.auth_timeout;
  if (NOVA__HAS(s, NO_AUTH_TIMEOUT))
    return NOVA_TS_NONE;
  if (NOVA__HAS(s, AUTH_TIMEOUT_SHORT))
    return span / 2;
  if (NOVA__HAS(s, V_AUTH_900_MS_LATE))
    return nova_ts_add(span, 900 * NOVA_MS);
  return NOVA__HAS(s, AUTH_TIMEOUT_LATE) ? nova_ts_add(span, span) : span;
}

static nova_ts idle_span(const struct nova_server *s) {
  nova_ts span = s->options.idle_timeout;
  if (NOVA__HAS(s, NO_IDLE_TIMEOUT))
    return NOVA_TS_NONE;
  if (NOVA__HAS(s, IDLE_EARLY))
    return span - span / 3;
  if (NOVA__HAS(s, V_IDLE_17_S_LATE)) /* where it is 180 s */
    return nova_ts_add(span, span / 180 * 17);
  return NOVA__HAS(s, IDLE_LATE) ? nova_ts_add(span, span / 2) : span;
}

/* Starts |t| anew; a server that stands still takes notice when it goes on. */
static void start(struct nova_server *s, struct nova__timers *list,
                  struct nova__timer *t, nova_ts span) {
  nova_ts from = s->hung_until != NOVA_TS_NONE ? s->hung_until : s->now;
  nova__timer_stop(t);
  if (span != NOVA_TS_NONE)
    nova__timer_set(list, t, nova_ts_add(from, span));
}

void nova__start_auth(struct nova_server *s, struct nova__session *c) {
  start(s, &s->auth, &c->auth, auth_span(s));
}

void nova__start_idle(struct nova_server *s, struct nova__session *c) {
  start(s, &s->idle, &c->idle, idle_span(s));
}

void nova__enter(struct nova_server *s, struct nova__session *c,
                 enum nova__session_state state) {
  assert(c->state != NOVA__ENDED);
  c->state = state;
  switch (state) {
  case NOVA__WAITING:
    nova__timer_stop(&c->idle);
    nova__timer_stop(&c->chat);
    nova__start_auth(s, c);
    return;
  case NOVA__SERVED:
    if (!NOVA__HAS(s, AUTH_TIMER_RUNS_ON))
      nova__timer_stop(&c->auth);
    nova__start_idle(s, c);
    return;
  case NOVA__REFUSED:
  case NOVA__ENDED:
    nova__timer_stop(&c->auth);
    nova__timer_stop(&c->idle);
    nova__timer_stop(&c->chat);
    return;
  }
  nova_unreachable();
}

void nova__bind_account(struct nova_server *s, struct nova__session *c,
                        struct nova__account *a) {
  if (c->account != NULL) {
    *(c->newer != NULL ? &c->newer->older : &c->account->newest) = c->older;
    if (c->older != NULL)
      c->older->newer = c->newer;
  }
  c->account = a;
  c->newer = NULL;
  c->older = a != NULL ? a->newest : NULL;
  if (a != NULL) {
    if (a->newest != NULL)
      a->newest->newer = c;
    a->newest = c;
    s->latest = c;
  }
}

void nova__end(struct nova_server *s, struct nova__session *c,
               enum nova__post_kind kind) {
  if (kind == NOVA__POST_CLOSE && c->gathered.len > 0) {
    let_out(s, c, false);
    if (c->state == NOVA__ENDED)
      return;
  }
  if (kind == NOVA__POST_CLOSE && NOVA__HAS(s, V_RST))
    kind = NOVA__POST_RESET;
  nova__timer_stop(&c->gather);
  nova__enter(s, c, NOVA__ENDED);
  nova__bind_account(s, c, NULL);
  if (s->latest == c)
    s->latest = NULL;
  nova__connmap_remove(&s->map, c->conn);
  /* |next| stays, for loops over all sessions that end some of them. */
  *(c->prev != NULL ? &c->prev->next : &s->sessions) = c->next;
  if (c->next != NULL)
    c->next->prev = c->prev;
  drop_late(s, c);
  c->end = (struct nova__post){.owner = c, .kind = kind};
  push(&s->queue, &c->end);
}

void nova__end_all(struct nova_server *s, enum nova__post_kind kind) {
  while (s->sessions != NULL)
    nova__end(s, s->sessions, kind);
}

void nova__crash(struct nova_server *s) {
  nova__end_all(s, NOVA__POST_GONE);
  s->dead = true;
  s->crash = (struct nova__post){.kind = NOVA__POST_CRASH};
  push(&s->queue, &s->crash);
}

static void free_session(struct nova_server *s, struct nova__session *c) {
  struct nova__post *post;
  while ((post = pop(&c->in_flight)) != NULL)
    nova_mem_free(s->mem, post);
  nova_line_free(&c->line);
  nova_buf_free(&c->backlog);
  nova_buf_free(&c->gathered);
  nova_mem_free(s->mem, c);
}

/* --- the server ------------------------------------------------------------
 */

static bool take_options(struct nova_server *s,
                         const struct nova_server_options *options) {
  s->options = *options;
  struct nova_server_options *o = &s->options;
  if (o->line_limit == 0)
    o->line_limit = NOVA_LINE_LIMIT;
  if (o->auth_timeout == 0)
    o->auth_timeout = 10 * NOVA_SEC;
  if (o->idle_timeout == 0)
    o->idle_timeout = 180 * NOVA_SEC;
  if (o->max_connections == 0)
    o->max_connections = 100000;
  if (o->unsent_limit == 0)
    o->unsent_limit = 1024 * 1024;
  if (o->late == 0)
    o->late = 6 * NOVA_SEC;
  if (o->faults != NULL)
    s->faults = *o->faults;
  o->faults = NULL;
  return o->line_limit <= (size_t)1 << 24;
}

struct nova_server *nova_server_new(const struct nova_server_options *options) {
  struct nova_server *s = nova_mem_zalloc(options->mem, sizeof *s);
  if (s == NULL)
    return NULL;
  s->mem = options->mem;
  s->hung_until = NOVA_TS_NONE;
  nova__connmap_init(&s->map, s->mem);
  nova__connmap_init(&s->mqtt_map, s->mem);
  s->messages_end = &s->messages;
  bool ok = take_options(s, options);
  s->frame_limit = nova__frame_limit(s);
  /* A message of the server's is at most as long as the guide allows, or as
   * a fault makes it: a pretty-printed command is a multiple of its length. */
  nova_buf_init(&s->text, s->mem, (size_t)16 * NOVA_LINE_LIMIT);
  nova_buf_init(&s->joined, s->mem, s->options.unsent_limit);
  nova_rng_init(&s->rng, nova_rng_derive(s->options.seed, "server"));
  if (ok)
    s->json = nova_json_new(s->mem, s->frame_limit, NOVA_JSON_DEPTH);
  if (s->json == NULL || nova__accounts_init(s) != 0 ||
      nova__mqtt_init(s) != 0) {
    nova_server_free(s);
    return NULL;
  }
  s->options.devices = NULL;
  return s;
}

/* The output that was handed out is done with. */
static void release(struct nova_server *s) {
  struct nova__post *post = s->handed_out;
  s->handed_out = NULL;
  if (post != NULL && post->owner != NULL)
    free_session(s, post->owner);
}

void nova_server_free(struct nova_server *s) {
  if (s == NULL)
    return;
  nova__end_all(s, NOVA__POST_GONE);
  release(s);
  struct nova__post *post;
  while ((post = pop(&s->queue)) != NULL) {
    if (post->kind == NOVA__POST_SEND)
      nova_mem_free(s->mem, post);
    else if (post->owner != NULL)
      free_session(s, post->owner);
  }
  nova__mqtt_free(s);
  nova__accounts_free(s);
  nova__connmap_free(&s->map);
  nova_buf_free(&s->text);
  nova_buf_free(&s->joined);
  nova_json_free(s->json);
  nova_mem_free(s->mem, s);
}

/* The hang is over: everybody who waited is served, in no particular order. */
static void wake_up(struct nova_server *s) {
  s->hung_until = NOVA_TS_NONE;
  for (struct nova__session *c = s->sessions; c != NULL; c = c->next)
    if (c->state != NOVA__ENDED)
      nova__intake_resume(s, c);
}

/* A session's time is over. */
static void time_out(struct nova_server *s, struct nova__session *c) {
  static const struct nova__how last = {.last = true};
  bool word = c->state == NOVA__WAITING && NOVA__HAS(s, V_LAST_WORD_FAILED);
  if (!word && !NOVA__HAS(s, V_LAST_WORD_ERROR)) {
    nova__end(s, c, NOVA__POST_CLOSE);
    return;
  }
  nova__enter(s, c, NOVA__REFUSED);
  s->error = 0;
  if (word)
    nova__say_auth_result(s, c, false, "no auth in time", &last);
  else
    nova__say_other(s, c, "error", "timeout", &last);
}

static void expire(struct nova_server *s) {
  if (s->hung_until != NOVA_TS_NONE) {
    if (s->now < s->hung_until)
      return;
    wake_up(s);
  }
  for (;;) {
    nova_ts auth = head_of(&s->auth), idle = head_of(&s->idle);
    nova_ts late = head_of(&s->late);
    nova_ts chat = head_of(&s->chat), out = head_of(&s->gather);
    nova_ts first = nova_ts_min(late, nova_ts_min(auth, idle));
    first = nova_ts_min(first, nova_ts_min(chat, out));
    if (first > s->now || s->hung_until != NOVA_TS_NONE || s->dead)
      return;
    if (late == first)
      deliver_late(s, s->late.head->owner);
    else if (chat == first)
      nova__chat(s, s->chat.head->owner);
    else if (out == first)
      gathered(s, s->gather.head->owner);
    else
      time_out(s, (auth == first ? s->auth.head : s->idle.head)->owner);
  }
}

bool nova__settle(struct nova_server *s, nova_ts now) {
  release(s);
  if (s->dead)
    return false;
  if (now > s->now)
    s->now = now;
  expire(s);
  if (!s->dead)
    nova__mqtt_expire(s);
  /* What failed there was another connection's, and was reset for it. */
  s->error = 0;
  return !s->dead;
}

static int may_accept(const struct nova_server *s, uint64_t conn) {
  if (nova__connmap_get(&s->map, conn) != NULL ||
      nova__mqtt_find(s, conn) != NULL)
    return NOVA_ERR_STATE;
  return s->map.n + s->mqtt_map.n >= s->options.max_connections ? NOVA_ERR_LIMIT
                                                                : 0;
}

int nova_server_accept_mqtt(struct nova_server *s, uint64_t conn, nova_ts now) {
  if (!nova__settle(s, now))
    return 0;
  int err = may_accept(s, conn);
  return err != 0 ? err : nova__mqtt_accept(s, conn);
}

int nova_server_accept(struct nova_server *s, uint64_t conn, nova_ts now) {
  if (!nova__settle(s, now) || s->deaf)
    return 0;
  int err = may_accept(s, conn);
  if (err != 0)
    return err;
  struct nova__session *c = nova_mem_zalloc(s->mem, sizeof *c);
  if (c == NULL)
    return NOVA_ERR_NO_MEMORY;
  if (nova_line_init(&c->line, s->mem, s->frame_limit) != 0 ||
      nova__connmap_add(&s->map, conn, c) != 0) {
    nova_mem_free(s->mem, c);
    return NOVA_ERR_NO_MEMORY;
  }
  /* Faults leave bytes for later; a client that sends more than this meanwhile
   * is reset. */
  nova_buf_init(&c->backlog, s->mem, (size_t)4 * 1024 * 1024);
  c->conn = conn;
  nova_buf_init(&c->gathered, s->mem, s->options.unsent_limit);
  c->auth.owner = c->idle.owner = c->chat.owner = c->gather.owner = c;
  c->next = s->sessions;
  if (c->next != NULL)
    c->next->prev = c;
  s->sessions = c;
  nova__enter(s, c, NOVA__WAITING);
  if (NOVA__HAS(s, V_GREETS))
    nova__say_other(s, c, "welcome", "NovaCloud", &(struct nova__how){0});
  return 0;
}

int nova_server_feed(struct nova_server *s, uint64_t conn, const char *p,
                     size_t n, nova_ts now) {
  if (!nova__settle(s, now) || n == 0)
    return s->error;
  struct nova__session *c = nova__connmap_get(&s->map, conn);
  struct nova__mqtt *m = c == NULL ? nova__mqtt_find(s, conn) : NULL;
  if (c != NULL)
    nova__intake(s, c, p, n);
  else if (m != NULL)
    nova__mqtt_feed(s, m, p, n);
  return s->error;
}

void nova_server_eof(struct nova_server *s, uint64_t conn, nova_ts now) {
  if (!nova__settle(s, now))
    return;
  struct nova__session *c = nova__connmap_get(&s->map, conn);
  struct nova__mqtt *m = c == NULL ? nova__mqtt_find(s, conn) : NULL;
  if (m != NULL)
    nova__mqtt_eof(s, m);
  if (c != NULL) {
    if (c->blocked || s->hung_until != NOVA_TS_NONE)
      c->eof = true;
    else
      nova__end(s, c, NOVA__POST_CLOSE);
  }
}

void nova_server_reset(struct nova_server *s, uint64_t conn, nova_ts now) {
  release(s);
  /* Before anything that is due could close a connection that is gone. */
  struct nova__session *c = s->dead ? NULL : nova__connmap_get(&s->map, conn);
  if (c != NULL)
    nova__end(s, c, NOVA__POST_GONE);
  struct nova__mqtt *m = s->dead ? NULL : nova__mqtt_find(s, conn);
  if (m != NULL) {
    s->now = now > s->now ? now : s->now;
    nova__mqtt_reset(s, m);
  }
  (void)nova__settle(s, now);
}

void nova_server_sent(struct nova_server *s, uint64_t conn) {
  release(s);
  struct nova__session *c = nova__connmap_get(&s->map, conn);
  struct nova__post *post = c != NULL ? pop(&c->in_flight) : NULL;
  if (post != NULL) {
    c->unsent -= post->n;
    nova_mem_free(s->mem, post);
  } else if (c == NULL && nova__mqtt_find(s, conn) != NULL) {
    nova_broker_sent(s->broker, conn);
  }
}

nova_ts nova_server_next_deadline(const struct nova_server *s) {
  if (s->dead)
    return NOVA_TS_NONE;
  nova_ts extra = nova__mqtt_deadline(s);
  if (s->hung_until != NOVA_TS_NONE)
    return nova_ts_min(s->hung_until, extra);
  extra =
      nova_ts_min(extra, nova_ts_min(head_of(&s->chat), head_of(&s->gather)));
  return nova_ts_min(nova_ts_min(head_of(&s->late), extra),
                     nova_ts_min(head_of(&s->auth), head_of(&s->idle)));
}

void nova_server_expire(struct nova_server *s, nova_ts now) {
  nova__settle(s, now);
}

bool nova_server_next_output(struct nova_server *s,
                             struct nova_server_out *out) {
  release(s);
  struct nova__post *post;
  while ((post = pop(&s->queue)) != NULL) {
    struct nova__session *c = post->owner;
    *out = (struct nova_server_out){.conn = c != NULL ? c->conn : 0};
    switch (post->kind) {
    case NOVA__POST_SEND:
      if (c->state == NOVA__ENDED && c->end.kind == NOVA__POST_GONE) {
        nova_mem_free(s->mem, post);
        continue;
      }
      out->kind = NOVA_SERVER_SEND;
      out->bytes = (struct nova_view){post->bytes, post->n};
      push(&c->in_flight, post);
      return true;
    case NOVA__POST_GONE: free_session(s, c); continue;
    case NOVA__POST_CLOSE: out->kind = NOVA_SERVER_CLOSE; break;
    case NOVA__POST_RESET: out->kind = NOVA_SERVER_RESET; break;
    case NOVA__POST_CRASH: out->kind = NOVA_SERVER_CRASH; break;
    }
    s->handed_out = post;
    return true;
  }
  return nova__mqtt_output(s, out);
}

size_t nova_server_connections(const struct nova_server *s) {
  return s->map.n + s->mqtt_map.n;
}
