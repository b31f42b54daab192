/* libmosquitto as a transport, for a second opinion: what the harness's own
 * MQTT client would send is said to a client that its authors did not write,
 * and comes out of it as that one understands the protocol.
 *
 * It is a transport of its own on the loop: listen(), run(), timers and the
 * connections that are accepted are the loop's. Only connect() is different:
 * each is one client of the library. To its user it is a byte stream of MQTT
 * 3.1.1: what send() takes is decoded and done through the library's API, and
 * what the library reports is encoded and told as BYTES, with the user's own
 * packet ids:
 *
 * - CONNECTED is told at once. The library connects when the CONNECT is sent;
 *   where it cannot, or not in connect()'s time, RESET follows. A name is
 *   looked up by the library, which holds up the loop: an address does not.
 * - Of QoS 2 the user sees each step, but the library has taken all of them
 *   when the first is told: a PUBREC once the PUBCOMP came, a PUBLISH once it
 *   was released. Acknowledgements of the user are taken and not sent, as the
 *   library sends its own. A PINGREQ is answered here; the library pings by its
 *   own keep-alive.
 * - After a DISCONNECT the library closes: EOF.
 * - SENT is when the library took it.
 * - secure() is told as SECURED, "unverified", at once, since the library's
 *   handshake comes with the CONNECT; where that fails it is INSECURE, and
 *   RESET. The server's name is the host of connect().
 * - send() returns NOVA_ERR_ARGUMENT for what the library cannot say: packets
 *   that are malformed, of a server, or out of order (no CONNECT first), a DUP,
 *   a keep-alive of 1 to 4 s, a password with a NUL byte. secure() returns it
 *   for |anyone|, |any_time|, a name that is not the host, and bounds of the
 *   versions but 1.2 alone, 1.3 alone and the two together. */
#ifndef NOVA_NET_LIBRARY_H
#define NOVA_NET_LIBRARY_H

#include "base/mem.h"
#include "base/transport.h"
#include "net/loop.h"

/* |mem|: NULL for the C library's (libmosquitto uses that anyway).
 * |loop|: outlives the result. NULL without memory. */
struct nova_transport *nova_library_new(const struct nova_mem *mem,
                                        struct nova_loop *loop);

/* Closes what it has, without an event. Not from inside a handler. NULL is
 * ignored. */
void nova_library_free(struct nova_transport *t);

#endif
