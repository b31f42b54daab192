/* TLS inside: shared by tls.c (connections), tls_context.c (what one end is to
 * do, as OpenSSL has it) and tls_words.c (what came of it, as text). */
#ifndef NOVA_NET_TLS_INTERNAL_H
#define NOVA_NET_TLS_INTERNAL_H

#include "base/buf.h"
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

#endif
