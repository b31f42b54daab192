/* TLS inside: shared by tls.c (the transport), tls_conn.c (a connection),
 * tls_context.c (what one end is to do, as OpenSSL has it) and tls_words.c
 * (what came of it, as text). */
#ifndef NOVA_NET_TLS_INTERNAL_H
#define NOVA_NET_TLS_INTERNAL_H

#include "base/buf.h"
#include "net/idmap.h"
#include "net/tls.h"

#include <openssl/ssl.h>

/* tls_context.c */

/* Contexts cost much more than connections, and most connections of a run are
 * alike: the last ones are kept. */
enum { NOVA__TLS_KEPT = 8 };

struct nova__tls_kept {
  SSL_CTX *context;
  struct nova_buf about; /* what it was made of, byte for byte */
};

struct nova__tls_contexts {
  struct nova__tls_kept kept[NOVA__TLS_KEPT];
  size_t next; /* the one that goes first */
};

void nova__tls_contexts_init(struct nova__tls_contexts *c,
                             const struct nova_mem *mem);
void nova__tls_contexts_free(struct nova__tls_contexts *c);

/* An SSL of the side that |how| says, with its name to compare, without BIOs.
 * Returns 0, NOVA_ERR_ARGUMENT or NOVA_ERR_NO_MEMORY. */
int nova__tls_new(struct nova__tls_contexts *c, const struct nova_tls *how,
                  SSL **out);

/* tls_words.c */

/* What came up during a handshake. */
struct nova__tls_seen {
  bool server;
  bool asked;     /* the other end's certificate was asked for */
  int verify;     /* X509_V_OK or the first reason against it */
  int offered;    /* the ClientHello's newest version, 0: none came */
  int alert_in;   /* the last fatal alert's number, -1: none */
  int alert_out;  /* likewise */
  char name[256]; /* that was compared, "" for none */
};

enum { NOVA__TLS_TEXT = 768 };

/* Who ended a handshake. */
enum nova__tls_by { NOVA__TLS_PEER, NOVA__TLS_US, NOVA__TLS_END };

/* The JSON objects of base/tls.h. |ssl|: may be NULL in a failure. |why|: NULL:
 * taken from |seen| and OpenSSL's queue of errors, which is empty then.
 * Return |out|. */
char *nova__tls_secured(char out[NOVA__TLS_TEXT], SSL *ssl,
                        const struct nova__tls_seen *seen);
char *nova__tls_failed(char out[NOVA__TLS_TEXT], SSL *ssl,
                       const struct nova__tls_seen *seen, enum nova__tls_by by,
                       const char *why);

/* Whether a connection may begin with |first|; if not, a sentence about it that
 * lasts until the next call with the same |out|. */
const char *nova__tls_stranger(char out[128], unsigned char first, bool server);

/* Connections. */

enum { NOVA__TLS_TAKE = 65536 /* plaintext of one BYTES at most */ };

/* One inner send(), in order: what its SENT means. */
struct nova__tls_piece {
  size_t plain;     /* bytes of a user's send() */
  size_t sealed;    /* bytes on the wire */
  bool first, last; /* of a user's send(); neither: nobody asked for it */
};

/* A user's send() that has to wait; its bytes from |done| on. */
struct nova__tls_write {
  struct nova__tls_write *next;
  size_t n, done;
  char data[];
};

enum nova__tls_phase {
  NOVA__TLS_SHAKING, /* the handshake is under way */
  NOVA__TLS_OPEN,    /* SECURED was told, or is about to be */
  NOVA__TLS_FAILED,  /* nothing goes in or out any more */
};

struct nova__tls_conn {
  struct nova__tls_wrap *wrap;
  uint64_t id;
  SSL *ssl;      /* with two memory BIOs: */
  BIO *in, *out; /* what came, what is to go */
  enum nova__tls_phase phase;
  struct nova__tls_seen seen;
  struct nova_buf pieces; /* of struct nova__tls_piece */
  struct nova__tls_write *head, **tail;
  size_t queued;      /* plaintext bytes that were not SENT yet */
  size_t outstanding; /* sealed bytes that the inner has */
  nova_ts since;      /* of the user's send() that is being SENT */
  nova_ts arrived;    /* when the last bytes came */
  struct nova__tls_piece stuck_piece;
  struct nova__tls_conn *prev_later, *next_later;
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

struct nova__tls_wrap {
  struct nova_transport base; /* first: a transport is cast to its wrap */
  const struct nova_mem *mem;
  struct nova_transport *inner;
  struct nova__idmap conns;
  struct nova__idmap fresh; /* connections without a byte: could be secured */
  struct nova__tls_contexts contexts;
  struct nova__tls_conn *later; /* a ring of those that have something to do */
  nova_ts wake, later_at;       /* the user's, ours */
  unsigned turn;                /* counts calls of expire() */
  nova_ts last;                 /* the latest time that the user was told */
  unsigned depth;               /* handlers under way */
  bool dead;                    /* unwrapped from inside one */
  char plain[NOVA__TLS_TAKE];
};

/* tls.c */

/* Tells the user, its times put in order with what was told before. */
void nova__tls_tell(struct nova__tls_wrap *w, struct nova_event *event);

/* nova__tls_say() and nova__tls_retry() are called for |c| in |ms|
 * milliseconds, 0: as soon as can be. */
void nova__tls_later(struct nova__tls_conn *c, unsigned ms);

/* Nothing is heard of it from now on, and its id is free. */
void nova__tls_leave(struct nova__tls_conn *c);

/* tls_conn.c. Events: the caller has it pinned. */

void nova__tls_sent(struct nova__tls_conn *c, const struct nova_event *e);
void nova__tls_bytes(struct nova__tls_conn *c, const struct nova_event *e);
void nova__tls_end(struct nova__tls_conn *c, const struct nova_event *e);
void nova__tls_unpin(struct nova__tls_conn *c);

/* Whether something of what came is still to be told, and telling it as far as
 * the user lets it. */
bool nova__tls_more(const struct nova__tls_conn *c);
void nova__tls_say(struct nova__tls_conn *c);

/* Hands over what there was no memory for. */
void nova__tls_retry(struct nova__tls_conn *c);

/* The inner is paused as the user wants it, once everything that came was told.
 */
void nova__tls_settle(struct nova__tls_conn *c);

/* Calls, as of base/transport.h. */
int nova__tls_begin(struct nova__tls_wrap *w, uint64_t id,
                    const struct nova_tls *how);
int nova__tls_send(struct nova__tls_conn *c, const char *p, size_t n);
int nova__tls_half_close(struct nova__tls_conn *c);
void nova__tls_bye(struct nova__tls_conn *c);

#endif
