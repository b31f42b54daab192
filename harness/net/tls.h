/* TLS over any transport, with OpenSSL through memory BIOs: what net/loop and
 * net/sim carry is sealed here, so that the same code runs on real sockets and
 * on the virtual clock. */
#ifndef NOVA_NET_TLS_H
#define NOVA_NET_TLS_H

#include "base/mem.h"
#include "base/transport.h"

/* A transport with secure(): everything else is passed through to |inner|,
 * whose handler it becomes. Connections that nobody secures are as they were.
 * |inner|: stays the caller's, is used through the result only, and outlives
 * it. NULL without memory. */
struct nova_transport *nova_tls_wrap(const struct nova_mem *mem,
                                     struct nova_transport *inner);

/* Frees what the wrapping holds; connections are the inner transport's. NULL is
 * ignored. */
void nova_tls_unwrap(struct nova_transport *t);

/* Whether the library can speak |version| at all, as this machine has it. */
bool nova_tls_can(enum nova_tls_version version);

#endif
