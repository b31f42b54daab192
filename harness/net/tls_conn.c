/* TLS over a transport: one connection. What the inner transport brings goes
 * into OpenSSL by memory, what OpenSSL makes is handed to the inner transport.
 */
#include "net/tls_internal.h"

#include "base/error.h"

#include <openssl/err.h>
#include <string.h>

enum {
  PIECE = 65536, /* plaintext that is sealed at once: one inner send() */
  RETRY_MS = 1   /* until memory is asked for again */
};

#define WINDOW     ((size_t)512 << 10) /* sealed bytes that the inner holds */
#define PIECES_MAX ((size_t)64 << 20)  /* bytes of notes about inner sends */

static void tell_of(struct nova__tls_conn *c, enum nova_event_kind kind,
                    nova_ts t, struct nova_view bytes) {
  nova__tls_tell(
      c->wrap,
      &(struct nova_event){
          .kind = kind, .id = c->id, .t = t, .since = t, .bytes = bytes});
}

/* Connections. */

static void writes_drop(struct nova__tls_conn *c) {
  struct nova__tls_write *next;
  for (struct nova__tls_write *x = c->head; x != NULL; x = next) {
    next = x->next;
    nova_mem_free(c->wrap->mem, x);
  }
  c->head = NULL;
  c->tail = &c->head;
}

void nova__tls_unpin(struct nova__tls_conn *c) {
  if (--c->pins != 0)
    return;
  writes_drop(c);
  nova_buf_free(&c->pieces);
  SSL_free(c->ssl);
  nova_mem_free(c->wrap->mem, c);
}

/* The end of everything inside TLS; INSECURE is told by nova__tls_say(). */
static void fail(struct nova__tls_conn *c, enum nova__tls_by by,
                 const char *why) {
  if (c->phase == NOVA__TLS_FAILED)
    return;
  nova__tls_failed(c->text, c->ssl, &c->seen, by, why);
  c->phase = NOVA__TLS_FAILED;
  c->failed_due = true;
  writes_drop(c);
}

/* Sending. */

static void fin_if_due(struct nova__tls_conn *c) {
  struct nova_transport *inner = c->wrap->inner;
  if (!c->half_closed || c->fin || c->stuck || c->gone)
    return;
  if (c->phase == NOVA__TLS_OPEN && !c->notified)
    return;
  c->fin = true;
  (void)inner->ops->half_close(inner, c->id);
}

/* Hands what OpenSSL made to the inner transport. |note|: what it is. Returns 0
 * (perhaps stuck) or NOVA_ERR_STATE where the connection is lost. */
static int hand_over(struct nova__tls_conn *c, struct nova__tls_piece note) {
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
    nova__tls_later(c, RETRY_MS);
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
static void flush(struct nova__tls_conn *c) {
  (void)hand_over(c, (struct nova__tls_piece){.plain = 0});
}

/* Seals |n| bytes, at most PIECE, and hands them over. */
static int seal(struct nova__tls_conn *c, const char *p,
                struct nova__tls_piece note) {
  size_t done;
  flush(c);
  ERR_clear_error();
  if (note.plain != 0 &&
      (SSL_write_ex(c->ssl, p, note.plain, &done) != 1 || done != note.plain)) {
    fail(c, NOVA__TLS_US, NULL);
    nova__tls_later(c, 0);
    return NOVA_ERR_STATE;
  }
  return hand_over(c, note);
}

/* Seals what waits, as far as the window allows, then close_notify and FIN. */
static void pump(struct nova__tls_conn *c) {
  struct nova__tls_write *x;
  if (c->phase == NOVA__TLS_OPEN) {
    while ((x = c->head) != NULL && !c->stuck && c->outstanding < WINDOW) {
      size_t rest = x->n - x->done, n = rest < PIECE ? rest : PIECE;
      struct nova__tls_piece note = {
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

void nova__tls_retry(struct nova__tls_conn *c) {
  if (!c->stuck)
    return;
  c->stuck = false;
  if (hand_over(c, c->stuck_piece) == 0 && !c->stuck)
    pump(c);
}

/* An inner send() is out. */
void nova__tls_sent(struct nova__tls_conn *c, const struct nova_event *e) {
  struct nova__tls_piece note;
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
    nova__tls_tell(c->wrap, &event);
  }
}

/* Receiving. */

/* Takes the handshake further. */
static void shake(struct nova__tls_conn *c) {
  ERR_clear_error();
  int result = SSL_do_handshake(c->ssl);
  int error = SSL_get_error(c->ssl, result);
  flush(c);
  if (result == 1) {
    c->phase = NOVA__TLS_OPEN;
    nova__tls_secured(c->text, c->ssl, &c->seen);
    tell_of(c, NOVA_EVENT_SECURED, c->arrived, nova_view_of(c->text));
  } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    fail(c, c->seen.alert_in >= 0 ? NOVA__TLS_PEER : NOVA__TLS_US, NULL);
  }
}

/* Opens what came, up to TAKE bytes, and tells it. */
static void open_some(struct nova__tls_conn *c) {
  struct nova__tls_wrap *w = c->wrap;
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
bool nova__tls_more(const struct nova__tls_conn *c) {
  if (c->closed || c->eof)
    return false;
  if (c->failed_due)
    return true;
  if (c->phase != NOVA__TLS_OPEN || c->paused)
    return false;
  return c->eof_due || BIO_pending(c->in) > 0 || SSL_pending(c->ssl) > 0;
}

/* Tells what came, as far as the user lets it. The caller has it pinned. */
void nova__tls_say(struct nova__tls_conn *c) {
  if (!c->closed && c->phase == NOVA__TLS_SHAKING)
    shake(c);
  while (nova__tls_more(c)) {
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
void nova__tls_settle(struct nova__tls_conn *c) {
  struct nova_transport *inner = c->wrap->inner;
  bool want = c->paused && c->phase == NOVA__TLS_OPEN;
  if (c->closed || c->gone || want == c->held)
    return;
  c->held = want;
  inner->ops->pause(inner, c->id, want);
}

void nova__tls_bytes(struct nova__tls_conn *c, const struct nova_event *e) {
  if (c->phase == NOVA__TLS_FAILED || c->eof || c->eof_due || e->bytes.n == 0)
    return;
  c->arrived = e->t;
  if (!c->touched) {
    char why[128];
    c->touched = true;
    if (nova__tls_stranger(why, (unsigned char)e->bytes.p[0], c->seen.server) !=
        NULL)
      fail(c, NOVA__TLS_US, why);
  }
  if (c->phase != NOVA__TLS_FAILED &&
      BIO_write(c->in, e->bytes.p, (int)e->bytes.n) != (int)e->bytes.n)
    fail(c, NOVA__TLS_US, "out of memory");
  nova__tls_say(c);
  if (!c->closed)
    nova__tls_settle(c);
}

/* The other end went away, in words or without. */
void nova__tls_end(struct nova__tls_conn *c, const struct nova_event *e) {
  bool reset = e->kind == NOVA_EVENT_RESET;
  if (reset)
    c->gone = true;
  if (c->phase == NOVA__TLS_SHAKING && c->touched) {
    fail(c, NOVA__TLS_END,
         reset ? "the connection was reset during the handshake" : NULL);
    c->failed_due = false;
    tell_of(c, NOVA_EVENT_INSECURE, e->t, nova_view_of(c->text));
  } else if (c->phase == NOVA__TLS_SHAKING) {
    c->phase = NOVA__TLS_FAILED;
  }
  if (c->closed || (!reset && c->eof))
    return;
  if (!reset) {
    c->eof = true;
    nova__tls_tell(c->wrap, &(struct nova_event){.kind = NOVA_EVENT_EOF,
                                                 .id = c->id,
                                                 .t = e->t,
                                                 .since = e->since});
    return;
  }
  /* After the end in both directions nothing more is heard. */
  if (c->eof && c->half_closed)
    return;
  struct nova_event event = *e;
  struct nova__tls_wrap *w = c->wrap;
  nova__tls_leave(c);
  nova__tls_tell(w, &event);
}

/* The calls. */

int nova__tls_send(struct nova__tls_conn *c, const char *p, size_t n) {
  if (c->phase != NOVA__TLS_OPEN || c->half_closed || c->gone)
    return NOVA_ERR_STATE;
  if (n > NOVA_SEND_QUEUE_MAX - c->queued)
    return NOVA_ERR_LIMIT;
  if (c->head == NULL && !c->stuck && c->outstanding < WINDOW && n <= PIECE) {
    struct nova__tls_piece note = {.plain = n, .first = true, .last = true};
    if (nova_buf_reserve(&c->pieces, sizeof note) == NULL)
      return NOVA_ERR_NO_MEMORY;
    c->queued += n;
    int err = seal(c, p, note);
    if (err != 0)
      c->queued -= n;
    return err;
  }
  struct nova__tls_write *x = nova_mem_alloc(c->wrap->mem, sizeof *x + n);
  if (x == NULL)
    return NOVA_ERR_NO_MEMORY;
  *x = (struct nova__tls_write){.n = n};
  if (n != 0)
    memcpy(x->data, p, n);
  *c->tail = x;
  c->tail = &x->next;
  c->queued += n;
  pump(c);
  return 0;
}

int nova__tls_half_close(struct nova__tls_conn *c) {
  if (c->half_closed || c->gone)
    return NOVA_ERR_STATE;
  c->half_closed = true;
  /* Nothing can come of a handshake that is not to go on. */
  if (c->phase == NOVA__TLS_SHAKING)
    c->phase = NOVA__TLS_FAILED;
  pump(c);
  return 0;
}

/* close_notify behind everything that was sent, and not behind a part of it. */
void nova__tls_bye(struct nova__tls_conn *c) {
  if (c->phase != NOVA__TLS_OPEN || c->notified || c->head != NULL ||
      c->stuck || c->gone)
    return;
  ERR_clear_error();
  (void)SSL_shutdown(c->ssl);
  flush(c);
}

/* An SSL with its two BIOs, that knows what it is part of. */
static int make_ssl(struct nova__tls_conn *c, const struct nova_tls *how) {
  int err = nova__tls_new(&c->wrap->contexts, how, &c->ssl);
  if (err != 0)
    return err;
  c->in = BIO_new(BIO_s_mem());
  c->out = BIO_new(BIO_s_mem());
  if (c->in == NULL || c->out == NULL) {
    BIO_free(c->in);
    BIO_free(c->out);
    return NOVA_ERR_NO_MEMORY;
  }
  BIO_set_mem_eof_return(c->in, -1);
  SSL_set_bio(c->ssl, c->in, c->out);
  SSL_set_app_data(c->ssl, &c->seen);
  return 0;
}

int nova__tls_begin(struct nova__tls_wrap *w, uint64_t id,
                    const struct nova_tls *how) {
  struct nova__tls_conn *c = nova_mem_zalloc(w->mem, sizeof *c);
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
  int err = make_ssl(c, how);
  if (err == 0)
    err = nova__idmap_add(&w->conns, id, c);
  if (err != 0) {
    nova__tls_unpin(c);
    return err;
  }
  /* A client begins; what it says can only be that it waits for more. */
  ERR_clear_error();
  int result = SSL_do_handshake(c->ssl);
  if (SSL_get_error(c->ssl, result) != SSL_ERROR_WANT_READ) {
    ERR_clear_error();
    nova__tls_leave(c);
    return NOVA_ERR_ARGUMENT;
  }
  flush(c);
  return 0;
}
