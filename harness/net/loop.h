/* The event loop on real sockets, clocks and processes: the transport of
 * base/transport.h on libuv. One thread runs it; only lookups of names use
 * another.
 *
 * Times are CLOCK_MONOTONIC in nanoseconds and never run backwards for a user:
 * neither now() nor the |t| of its events. BYTES carry the time at which the
 * last of them reached the machine, as the kernel stamped it; where it gives
 * none (also in the first milliseconds of the first loop), and for everything
 * else, it is the time at which the loop woke up. A stamp older than what the
 * user was told before is moved up to that. SENT is when the kernel had taken
 * the last byte, not when it left the machine.
 *
 * Timers have the resolution of a millisecond and are late, never early.
 * Sockets that are ready are read before expire() is called: bytes that came in
 * time are reported in time, even if the loop was held up. */
#ifndef NOVA_NET_LOOP_H
#define NOVA_NET_LOOP_H

#include "base/mem.h"
#include "base/transport.h"

#include <stdbool.h>

struct nova_loop;

/* Makes a loop with one user, nova_loop_transport(). Also ignores SIGPIPE and
 * raises this process's limit of open files to its hard limit, at most 65536:
 * both hold for the whole process.
 * |mem|: the allocator of what the loop holds (libuv uses the C library's);
 * NULL for the C library's. Returns NULL without memory or descriptors. */
struct nova_loop *nova_loop_new(const struct nova_mem *mem);

/* Closes everything, kills the process groups of jobs that run, and frees the
 * loop and its transports, without an event. Not from inside a handler. Waits
 * for killed processes and unfinished lookups of names, 5 s at most; what does
 * not end by then is left as it is, memory included. NULL is ignored. */
void nova_loop_free(struct nova_loop *loop);

/* The first user's transport. */
struct nova_transport *nova_loop_transport(struct nova_loop *loop);

/* One more user on the loop: a transport with a handler, ids and a wake_at() of
 * its own. NULL without memory. */
struct nova_transport *nova_loop_attach(struct nova_loop *loop);

/* Closes what the user has (connections with FIN, listeners, jobs by SIGKILL)
 * and frees its transport, without an event; also from inside its own handler.
 */
void nova_loop_detach(struct nova_transport *transport);

/* Runs until nova_loop_stop(). */
void nova_loop_run(struct nova_loop *loop);

/* Runs until nova_loop_stop(), at most for |span|. Returns whether it was
 * stopped. */
bool nova_loop_run_for(struct nova_loop *loop, nova_ts span);

/* Ends nova_loop_run() after the events that are at hand. From a handler or a
 * signal's callback. */
void nova_loop_stop(struct nova_loop *loop);

/* |fn| is called from the loop for SIGINT and SIGTERM, which end the process no
 * more; NULL gives them back. Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova_loop_on_signal(struct nova_loop *loop,
                        void (*fn)(void *user, int signal), void *user);

/* How late timers were: expire() called minus the time asked for, and the same
 * of a timer of the loop's own, every 50 ms. The resolution is part of it. */
struct nova_lag {
  nova_ts largest; /* since the loop was made */
  nova_ts recent;  /* the largest of the last 5 to 10 s */
};
struct nova_lag nova_loop_lag(const struct nova_loop *loop);

#endif
