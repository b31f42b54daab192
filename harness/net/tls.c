/* TLS over a transport: connections. What the inner transport brings goes into
 * OpenSSL by memory, what OpenSSL makes is handed to the inner transport; no
 * event is told from inside a call. */
#include "net/tls_internal.h"

#include "net/idmap.h"

#include "base/error.h"

#include <openssl/err.h>
#include <string.h>

enum {
  PIECE = 65536, /* plaintext that is sealed at once: one inner send() */
  TAKE = 65536,  /* plaintext of one BYTES at most */
  RETRY_MS = 1   /* until memory is asked for again */
};

#define WINDOW     ((size_t)512 << 10) /* sealed bytes that the inner holds */
#define PIECES_MAX ((size_t)64 << 20)  /* bytes of notes about inner sends */

/* One inner send(), in order: what its SENT means. */
struct piece {
  size_t plain;     /* bytes of a user's send() */
  size_t sealed;    /* bytes on the wire */
  bool first, last; /* of a user's send(); neither: nobody asked for it */
};

/* A user's send() that has to wait; its bytes from |done| on. */
struct write {
  struct write *next;
  size_t n, done;
  char data[];
};

enum phase {
  SHAKING, /* the handshake is under way */
  OPEN,    /* SECURED was told, or is about to be */
  FAILED,  /* nothing goes in or out any more */
};

struct conn {
  struct wrap *wrap;
  uint64_t id;
  SSL *ssl;      /* with two memory BIOs: */
  BIO *in, *out; /* what came, what is to go */
  enum phase phase;
  struct nova__tls_seen seen;
  struct nova_buf pieces; /* of struct piece */
  struct write *head, **tail;
  size_t queued;      /* plaintext bytes that were not SENT yet */
  size_t outstanding; /* sealed bytes that the inner has */
  nova_ts since;      /* of the user's send() that is being SENT */
  nova_ts arrived;    /* when the last bytes came */
  struct piece stuck_piece;
  struct conn *prev_later, *next_later;
  unsigned pins;
  bool stuck;       /* |out| holds what the inner had no memory for */
  bool touched;     /* a byte of the other end came */
  bool paused;      /* by the user */
  bool held;        /* the inner is paused too */
  bool half_closed; /* by the user */
  bool notified;    /* our close_notify is in |out| or sent */
  bool fin;         /* the inner was half-closed */
  bool eof;         /* EOF was told */
  bool eof_due;     /* close_notify came, EOF is to be told */
  bool failed_due;  /* INSECURE is to be told: |text| */
  bool gone;        /* the inner has forgotten the id, and it is not told */
  bool closed;      /* by the user: freed when the last pin goes */
  bool later;       /* in the wrap's list, since this */
  unsigned turn;
  char text[NOVA__TLS_TEXT];
};

struct wrap {
  struct nova_transport base; /* first: a transport is cast to its wrap */
  const struct nova_mem *mem;
  struct nova_transport *inner;
  struct nova__idmap conns;
  struct nova__idmap fresh; /* connections without a byte: could be secured */
  struct nova__tls_contexts contexts;
  struct conn *later;     /* a ring of those that have something to do */
  nova_ts wake, later_at; /* the user's, ours */
  unsigned turn;          /* counts calls of expire() */
  nova_ts last;           /* the latest time that the user was told */
  unsigned depth;         /* handlers under way */
  bool dead;              /* unwrapped from inside one */
  char plain[TAKE];
};

static struct wrap *wrap_of(struct nova_transport *t) {
  return (struct wrap *)t;
}

static void tell(struct wrap *w, struct nova_event *event) {
  if (w->dead)
    return;
  if (event->t < w->last)
    event->t = w->last;
  w->last = event->t;
  if (event->since > event->t)
    event->since = event->t;
  if (w->base.handler.event != NULL)
    w->base.handler.event(w->base.handler.user, event);
}

static void tell_of(struct conn *c, enum nova_event_kind kind, nova_ts t,
                    struct nova_view bytes) {
  tell(c->wrap,
       &(struct nova_event){
           .kind = kind, .id = c->id, .t = t, .since = t, .bytes = bytes});
}

/* What cannot be told or done at once. */

static void arm(struct wrap *w) {
  nova_ts when = w->wake;
  if (w->later != NULL)
    when = nova_ts_min(when, w->later_at);
  w->inner->ops->wake_at(w->inner, when);
}

static void not_later(struct conn *c) {
  struct wrap *w = c->wrap;
  if (!c->later)
    return;
  c->later = false;
  c->prev_later->next_later = c->next_later;
  c->next_later->prev_later = c->prev_later;
  if (w->later == c)
    w->later = c->next_later != c ? c->next_later : NULL;
}

/* Something is to be done for |c| in |ms| milliseconds, 0: as soon as can be.
 */
static void do_later(struct conn *c, unsigned ms) {
  struct wrap *w = c->wrap;
  nova_ts now = w->inner->ops->now(w->inner);
  /* The loop's timers count whole milliseconds: the one that has begun is the
   * one that does not wait. */
  nova_ts when = ms == 0 ? now - now % NOVA_MS : now + ms * NOVA_MS;
  if (!c->later) {
    c->later = true;
    if (w->later == NULL) {
      c->prev_later = c->next_later = c;
      w->later = c;
      w->later_at = when;
    } else {
      c->next_later = w->later;
      c->prev_later = w->later->prev_later;
      c->prev_later->next_later = c->next_later->prev_later = c;
    }
  }
  c->turn = w->turn;
  w->later_at = nova_ts_min(w->later_at, when);
  arm(w);
}

/* Connections. */

static void writes_drop(struct conn *c) {
  struct write *next;
  for (struct write *x = c->head; x != NULL; x = next) {
    next = x->next;
    nova_mem_free(c->wrap->mem, x);
  }
  c->head = NULL;
  c->tail = &c->head;
}

static void unpin(struct conn *c) {
  if (--c->pins != 0)
    return;
  writes_drop(c);
  nova_buf_free(&c->pieces);
  SSL_free(c->ssl);
  nova_mem_free(c->wrap->mem, c);
}

/* Nothing is heard of it from now on, and its id is free. */
static void leave(struct conn *c) {
  if (c->closed)
    return;
  c->closed = true;
  not_later(c);
  nova__idmap_remove(&c->wrap->conns, c->id);
  unpin(c);
}

static struct conn *find(struct nova_transport *t, uint64_t id) {
  return nova__idmap_get(&wrap_of(t)->conns, id);
}

/* The end of everything inside TLS; INSECURE is told by say_more(). */
static void fail(struct conn *c, enum nova__tls_by by, const char *why) {
  if (c->phase == FAILED)
    return;
  nova__tls_failed(c->text, c->ssl, &c->seen, by, why);
  c->phase = FAILED;
  c->failed_due = true;
  writes_drop(c);
}

/* Sending. */

static void fin_if_due(struct conn *c) {
  struct nova_transport *inner = c->wrap->inner;
  if (!c->half_closed || c->fin || c->stuck || c->gone)
    return;
  if (c->phase == OPEN && !c->notified)
    return;
  c->fin = true;
  (void)inner->ops->half_close(inner, c->id);
}

/* Hands what OpenSSL made to the inner transport. |note|: what it is. Returns 0
 * (perhaps stuck) or NOVA_ERR_STATE where the connection is lost. */
static int hand_over(struct conn *c, struct piece note) {
  struct nova_transport *inner = c->wrap->inner;
  char *p = NULL;
  long n = BIO_get_mem_data(c->out, &p);
  bool asked = note.first || note.last;
  if (c->stuck && asked)
    c->stuck_piece = note; /* it goes out with what nobody asked for */
  if (c->stuck || (n <= 0 && !asked))
    return 0;
  note.sealed = n > 0 ? (size_t)n : 0;
  int err = NOVA_ERR_NO_MEMORY;
  if (nova_buf_reserve(&c->pieces, sizeof note) != NULL)
    err = inner->ops->send(inner, c->id, p, note.sealed);
  if (err == NOVA_ERR_NO_MEMORY || err == NOVA_ERR_LIMIT) {
    c->stuck = true;
    c->stuck_piece = note;
    do_later(c, RETRY_MS);
    return 0;
  }
  (void)BIO_reset(c->out);
  if (err != 0)
    return NOVA_ERR_STATE;
  c->outstanding += note.sealed;
  (void)nova_buf_append(&c->pieces, &note, sizeof note);
  return 0;
}

/* What OpenSSL made by itself: its part of the handshake, alerts. */
static void flush(struct conn *c) {
  (void)hand_over(c, (struct piece){.plain = 0});
}

/* Seals |n| bytes, at most PIECE, and hands them over. */
static int seal(struct conn *c, const char *p, struct piece note) {
  size_t done;
  flush(c);
  ERR_clear_error();
  if (note.plain != 0 &&
      (SSL_write_ex(c->ssl, p, note.plain, &done) != 1 || done != note.plain)) {
    fail(c, NOVA__TLS_US, NULL);
    do_later(c, 0);
    return NOVA_ERR_STATE;
  }
  return hand_over(c, note);
}

/* Seals what waits, as far as the window allows, then close_notify and FIN. */
static void pump(struct conn *c) {
  struct write *x;
  if (c->phase == OPEN) {
    while ((x = c->head) != NULL && !c->stuck && c->outstanding < WINDOW) {
      size_t rest = x->n - x->done, n = rest < PIECE ? rest : PIECE;
      struct piece note = {
          .plain = n, .first = x->done == 0, .last = n == rest};
      if (seal(c, x->data + x->done, note) != 0)
        return;
      x->done += n;
      if (!note.last)
        continue;
      if ((c->head = x->next) == NULL)
        c->tail = &c->head;
      nova_mem_free(c->wrap->mem, x);
    }
    if (c->half_closed && c->head == NULL && !c->stuck && !c->notified) {
      c->notified = true;
      ERR_clear_error();
      (void)SSL_shutdown(c->ssl);
      flush(c);
    }
  }
  fin_if_due(c);
}

static void retry(struct conn *c) {
  if (!c->stuck)
    return;
  c->stuck = false;
  if (hand_over(c, c->stuck_piece) == 0 && !c->stuck)
    pump(c);
}

/* An inner send() is out. */
static void on_sent(struct conn *c, const struct nova_event *e) {
  struct piece note;
  struct nova_view notes = nova_buf_view(&c->pieces);
  if (notes.n < sizeof note)
    return;
  memcpy(&note, notes.p, sizeof note);
  nova_buf_consume(&c->pieces, sizeof note);
  c->outstanding -= note.sealed;
  c->queued -= note.plain;
  if (note.first)
    c->since = e->since;
  pump(c);
  if (note.last) {
    struct nova_event event = *e;
    event.since = c->since;
    tell(c->wrap, &event);
  }
}

/* Receiving. */

/* Takes the handshake further. */
static void shake(struct conn *c) {
  ERR_clear_error();
  int result = SSL_do_handshake(c->ssl);
  int error = SSL_get_error(c->ssl, result);
  flush(c);
  if (result == 1) {
    c->phase = OPEN;
    nova__tls_secured(c->text, c->ssl, &c->seen);
    tell_of(c, NOVA_EVENT_SECURED, c->arrived, nova_view_of(c->text));
  } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    fail(c, c->seen.alert_in >= 0 ? NOVA__TLS_PEER : NOVA__TLS_US, NULL);
  }
}

/* Opens what came, up to TAKE bytes, and tells it. */
static void open_some(struct conn *c) {
  struct wrap *w = c->wrap;
  size_t n = 0, got;
  int error = SSL_ERROR_NONE;
  ERR_clear_error();
  while (n < sizeof w->plain && error == SSL_ERROR_NONE) {
    if (SSL_read_ex(c->ssl, w->plain + n, sizeof w->plain - n, &got) == 1)
      n += got;
    else
      error = SSL_get_error(c->ssl, 0);
  }
  flush(c); /* an answer to a key update, an alert */
  if (error == SSL_ERROR_ZERO_RETURN)
    c->eof_due = true;
  else if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL)
    fail(c, c->seen.alert_in > 0 ? NOVA__TLS_PEER : NOVA__TLS_US, NULL);
  if (n != 0)
    tell_of(c, NOVA_EVENT_BYTES, c->arrived, (struct nova_view){w->plain, n});
}

/* Whether something of what came is still to be told. */
static bool more(const struct conn *c) {
  if (c->closed || c->eof)
    return false;
  if (c->failed_due)
    return true;
  if (c->phase != OPEN || c->paused)
    return false;
  return c->eof_due || BIO_pending(c->in) > 0 || SSL_pending(c->ssl) > 0;
}

/* Tells what came, as far as the user lets it. The caller has it pinned. */
static void say_more(struct conn *c) {
  if (!c->closed && c->phase == SHAKING)
    shake(c);
  while (more(c)) {
    if (c->failed_due) {
      c->failed_due = false;
      tell_of(c, NOVA_EVENT_INSECURE, c->arrived, nova_view_of(c->text));
    } else if (c->eof_due) {
      c->eof_due = false;
      c->eof = true;
      tell_of(c, NOVA_EVENT_EOF, c->arrived, (struct nova_view){0});
    } else {
      open_some(c);
    }
  }
}

/* The inner is paused as the user wants it, once everything that came was told.
 */
static void settle_pause(struct conn *c) {
  struct nova_transport *inner = c->wrap->inner;
  bool want = c->paused && c->phase == OPEN;
  if (c->closed || c->gone || want == c->held)
    return;
  c->held = want;
  inner->ops->pause(inner, c->id, want);
}

static void on_bytes(struct conn *c, const struct nova_event *e) {
  if (c->phase == FAILED || c->eof || c->eof_due || e->bytes.n == 0)
    return;
  c->arrived = e->t;
  if (!c->touched) {
    char why[128];
    c->touched = true;
    if (nova__tls_stranger(why, (unsigned char)e->bytes.p[0], c->seen.server) !=
        NULL)
      fail(c, NOVA__TLS_US, why);
  }
  if (c->phase != FAILED &&
      BIO_write(c->in, e->bytes.p, (int)e->bytes.n) != (int)e->bytes.n)
    fail(c, NOVA__TLS_US, "out of memory");
  say_more(c);
  if (!c->closed)
    settle_pause(c);
}

/* The other end went away, in words or without. */
static void on_end(struct conn *c, const struct nova_event *e) {
  bool reset = e->kind == NOVA_EVENT_RESET;
  if (reset) {
    c->gone = true;
    not_later(c);
  }
  if (c->phase == SHAKING && c->touched) {
    fail(c, NOVA__TLS_END,
         reset ? "the connection was reset during the handshake" : NULL);
    c->failed_due = false;
    tell_of(c, NOVA_EVENT_INSECURE, e->t, nova_view_of(c->text));
  } else if (c->phase == SHAKING) {
    c->phase = FAILED;
  }
  if (c->closed || (!reset && c->eof))
    return;
  if (!reset) {
    c->eof = true;
    tell(c->wrap, &(struct nova_event){.kind = NOVA_EVENT_EOF,
                                       .id = c->id,
                                       .t = e->t,
                                       .since = e->since});
    return;
  }
  /* After the end in both directions nothing more is heard. */
  if (c->eof && c->half_closed)
    return;
  struct nova_event event = *e;
  struct wrap *w = c->wrap;
  leave(c);
  tell(w, &event);
}

/* The inner's handler. */

static void enter(struct wrap *w) {
  w->depth++;
}

static void wrap_free(struct wrap *w) {
  nova__idmap_free(&w->conns);
  nova__idmap_free(&w->fresh);
  nova__tls_contexts_free(&w->contexts);
  OPENSSL_cleanse(w->plain, sizeof w->plain);
  nova_mem_free(w->mem, w);
}

static void exit_from(struct wrap *w) {
  if (--w->depth == 0 && w->dead)
    wrap_free(w);
}

/* A connection that nobody has secured. */
static void pass_on(struct wrap *w, const struct nova_event *e) {
  struct nova_event event = *e;
  switch (e->kind) {
  case NOVA_EVENT_CONNECTED:
  case NOVA_EVENT_ACCEPTED:
    /* Without memory for it secure() fails. */
    (void)nova__idmap_add(&w->fresh, e->id, w);
    break;
  case NOVA_EVENT_BYTES:
  case NOVA_EVENT_EOF:
  case NOVA_EVENT_RESET: nova__idmap_remove(&w->fresh, e->id); break;
  case NOVA_EVENT_REFUSED:
  case NOVA_EVENT_SENT:
  case NOVA_EVENT_JOB:
  case NOVA_EVENT_SECURED:
  case NOVA_EVENT_INSECURE: break;
  }
  tell(w, &event);
}

static void on_event(void *user, const struct nova_event *e) {
  struct wrap *w = user;
  struct conn *c =
      e->kind != NOVA_EVENT_JOB ? nova__idmap_get(&w->conns, e->id) : NULL;
  enter(w);
  if (c == NULL) {
    pass_on(w, e);
  } else {
    c->pins++;
    if (e->kind == NOVA_EVENT_BYTES)
      on_bytes(c, e);
    else if (e->kind == NOVA_EVENT_SENT)
      on_sent(c, e);
    else if (e->kind == NOVA_EVENT_EOF || e->kind == NOVA_EVENT_RESET)
      on_end(c, e);
    unpin(c);
  }
  exit_from(w);
}

/* What was put off: the rest of what came, INSECURE after a call, memory. */
static void catch_up(struct conn *c) {
  c->pins++;
  retry(c);
  if (!c->closed && c->phase != SHAKING) {
    nova_ts now = c->wrap->inner->ops->now(c->wrap->inner);
    if (c->failed_due && c->arrived < now)
      c->arrived = now;
    say_more(c);
  }
  if (!c->closed)
    settle_pause(c);
  unpin(c);
}

static void on_expire(void *user, nova_ts now) {
  struct wrap *w = user;
  enter(w);
  if (w->later != NULL && w->later_at <= now) {
    /* Those that come up meanwhile wait for the next turn. */
    struct conn *c;
    w->later_at = NOVA_TS_NONE;
    w->turn++;
    while ((c = w->later) != NULL && c->turn != w->turn) {
      not_later(c);
      catch_up(c);
    }
  }
  if (!w->dead && w->wake <= now) {
    w->wake = NOVA_TS_NONE;
    if (now > w->last)
      w->last = now;
    if (w->base.handler.expire != NULL)
      w->base.handler.expire(w->base.handler.user, now);
  }
  if (!w->dead)
    arm(w);
  exit_from(w);
}

/* The calls. */

static nova_ts op_now(struct nova_transport *t) {
  struct wrap *w = wrap_of(t);
  nova_ts now = w->inner->ops->now(w->inner);
  if (now > w->last)
    w->last = now;
  return w->last;
}

static uint64_t op_unix_ns(struct nova_transport *t) {
  struct nova_transport *inner = wrap_of(t)->inner;
  return inner->ops->unix_ns(inner);
}

static int op_connect(struct nova_transport *t, uint64_t id, const char *host,
                      uint16_t port, nova_ts timeout) {
  struct nova_transport *inner = wrap_of(t)->inner;
  struct conn *c = find(t, id);
  if (c != NULL && c->gone)
    return NOVA_ERR_ARGUMENT;
  int err = inner->ops->connect(inner, id, host, port, timeout);
  /* The inner may have lost it without a word, as a crashed party does. */
  if (err == 0 && c != NULL)
    leave(c);
  return err;
}

static int op_listen(struct nova_transport *t, uint64_t listener,
                     const char *host, uint16_t port, uint16_t *bound,
                     const char **why) {
  struct nova_transport *inner = wrap_of(t)->inner;
  return inner->ops->listen(inner, listener, host, port, bound, why);
}

static void op_unlisten(struct nova_transport *t, uint64_t listener) {
  struct nova_transport *inner = wrap_of(t)->inner;
  inner->ops->unlisten(inner, listener);
}

static int op_run(struct nova_transport *t, uint64_t id,
                  const struct nova_job *job) {
  struct nova_transport *inner = wrap_of(t)->inner;
  return inner->ops->run(inner, id, job);
}

static void op_stop(struct nova_transport *t, uint64_t id) {
  struct nova_transport *inner = wrap_of(t)->inner;
  inner->ops->stop(inner, id);
}

static void op_wake_at(struct nova_transport *t, nova_ts when) {
  wrap_of(t)->wake = when;
  arm(wrap_of(t));
}

static int op_send(struct nova_transport *t, uint64_t id, const char *p,
                   size_t n) {
  struct wrap *w = wrap_of(t);
  struct conn *c = find(t, id);
  if (c == NULL) {
    nova__idmap_remove(&w->fresh, id);
    return w->inner->ops->send(w->inner, id, p, n);
  }
  if (c->phase != OPEN || c->half_closed || c->gone)
    return NOVA_ERR_STATE;
  if (n > NOVA_SEND_QUEUE_MAX - c->queued)
    return NOVA_ERR_LIMIT;
  if (c->head == NULL && !c->stuck && c->outstanding < WINDOW && n <= PIECE) {
    struct piece note = {.plain = n, .first = true, .last = true};
    if (nova_buf_reserve(&c->pieces, sizeof note) == NULL)
      return NOVA_ERR_NO_MEMORY;
    c->queued += n;
    int err = seal(c, p, note);
    if (err != 0)
      c->queued -= n;
    return err;
  }
  struct write *x = nova_mem_alloc(w->mem, sizeof *x + n);
  if (x == NULL)
    return NOVA_ERR_NO_MEMORY;
  *x = (struct write){.n = n};
  if (n != 0)
    memcpy(x->data, p, n);
  *c->tail = x;
  c->tail = &x->next;
  c->queued += n;
  pump(c);
  return 0;
}

static int op_half_close(struct nova_transport *t, uint64_t id) {
  struct wrap *w = wrap_of(t);
  struct conn *c = find(t, id);
  if (c == NULL) {
    nova__idmap_remove(&w->fresh, id);
    return w->inner->ops->half_close(w->inner, id);
  }
  if (c->half_closed || c->gone)
    return NOVA_ERR_STATE;
  c->half_closed = true;
  /* Nothing can come of a handshake that is not to go on. */
  if (c->phase == SHAKING)
    c->phase = FAILED;
  pump(c);
  return 0;
}

static void op_close(struct nova_transport *t, uint64_t id, bool rst) {
  struct wrap *w = wrap_of(t);
  struct conn *c = find(t, id);
  nova__idmap_remove(&w->fresh, id);
  if (c == NULL) {
    w->inner->ops->close(w->inner, id, rst);
    return;
  }
  /* Behind everything that was sent, and not behind a part of it. */
  if (!rst && c->phase == OPEN && !c->notified && c->head == NULL &&
      !c->stuck && !c->gone) {
    ERR_clear_error();
    (void)SSL_shutdown(c->ssl);
    flush(c);
  }
  if (!c->gone)
    w->inner->ops->close(w->inner, id, rst);
  leave(c);
}

static void op_pause(struct nova_transport *t, uint64_t id, bool paused) {
  struct wrap *w = wrap_of(t);
  struct conn *c = find(t, id);
  if (c == NULL) {
    w->inner->ops->pause(w->inner, id, paused);
    return;
  }
  if (c->paused == paused)
    return;
  c->paused = paused;
  /* What came before is told first, and not from here. */
  if (!paused && more(c))
    do_later(c, 0);
  else
    settle_pause(c);
}

static int op_secure(struct nova_transport *t, uint64_t id,
                     const struct nova_tls *how) {
  struct wrap *w = wrap_of(t);
  if (nova__idmap_get(&w->fresh, id) == NULL)
    return NOVA_ERR_STATE;
  struct conn *c = nova_mem_zalloc(w->mem, sizeof *c);
  if (c == NULL)
    return NOVA_ERR_NO_MEMORY;
  c->wrap = w;
  c->id = id;
  c->pins = 1;
  c->tail = &c->head;
  c->seen = (struct nova__tls_seen){
      .server = how->server, .alert_in = -1, .alert_out = -1};
  if (how->name.n < sizeof c->seen.name && how->name.n != 0)
    memcpy(c->seen.name, how->name.p, how->name.n);
  nova_buf_init(&c->pieces, w->mem, PIECES_MAX);
  int err = nova__tls_new(&w->contexts, how, &c->ssl);
  if (err != 0) {
    unpin(c);
    return err;
  }
  c->in = BIO_new(BIO_s_mem());
  c->out = BIO_new(BIO_s_mem());
  if (c->in == NULL || c->out == NULL ||
      nova__idmap_add(&w->conns, id, c) != 0) {
    BIO_free(c->in);
    BIO_free(c->out);
    unpin(c);
    return NOVA_ERR_NO_MEMORY;
  }
  BIO_set_mem_eof_return(c->in, -1);
  SSL_set_bio(c->ssl, c->in, c->out);
  SSL_set_app_data(c->ssl, &c->seen);
  nova__idmap_remove(&w->fresh, id);
  /* A client begins; what it says can only be that it waits for more. */
  ERR_clear_error();
  int result = SSL_do_handshake(c->ssl);
  if (SSL_get_error(c->ssl, result) != SSL_ERROR_WANT_READ) {
    ERR_clear_error();
    leave(c);
    return NOVA_ERR_ARGUMENT;
  }
  flush(c);
  return 0;
}

static const struct nova_transport_ops ops = {
    .now = op_now,
    .unix_ns = op_unix_ns,
    .connect = op_connect,
    .listen = op_listen,
    .send = op_send,
    .half_close = op_half_close,
    .close = op_close,
    .pause = op_pause,
    .run = op_run,
    .stop = op_stop,
    .wake_at = op_wake_at,
    .unlisten = op_unlisten,
    .secure = op_secure,
};

struct nova_transport *nova_tls_wrap(const struct nova_mem *mem,
                                     struct nova_transport *inner) {
  struct wrap *w = nova_mem_zalloc(mem, sizeof *w);
  if (w == NULL)
    return NULL;
  w->base.ops = &ops;
  w->mem = mem;
  w->inner = inner;
  w->wake = NOVA_TS_NONE;
  nova__idmap_init(&w->conns, mem);
  nova__idmap_init(&w->fresh, mem);
  nova__tls_contexts_init(&w->contexts, mem);
  inner->handler = (struct nova_handler){on_event, on_expire, w};
  return &w->base;
}

void nova_tls_unwrap(struct nova_transport *t) {
  struct wrap *w = (struct wrap *)t;
  void *p;
  if (w == NULL)
    return;
  while ((p = nova__idmap_any(&w->conns)) != NULL)
    leave(p);
  w->dead = true;
  w->inner->handler = (struct nova_handler){0};
  if (w->depth == 0)
    wrap_free(w);
}
