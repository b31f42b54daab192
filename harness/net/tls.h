/* TLS over any transport, with OpenSSL through memory BIOs: what net/loop and
 * net/sim carry is sealed here, so that the same code runs on real sockets and
 * on the virtual clock.
 *
 * A failure after SECURED is INSECURE too (a client certificate that a server
 * refuses with TLS 1.3, where the client is done before; a record that was
 * changed): nothing goes in or out any more, and the other end's EOF or RESET
 * is still told. pause() holds what is inside of TLS, not the handshake.
 * close() without |rst| sends close_notify first, unless something of what was
 * sent is dropped. Certificates are judged by the system's clock, on the
 * virtual one too. A handshake has no time limit of its own. */
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
