/* The connection: a non-blocking socket, and how long to wait before the next
 * one. All that the operating system has to do with the protocol is in link.c,
 * its clocks included; for another network stack only that file changes.
 *
 *   [ DOWN ] --time to try--> [ CONNECTING ] --connected--> [ UP ]
 *      ^                        |  next address ^             |
 *      '---- none is left ------+--- no answer -'             |
 *      '------------------------------------- link_close -----' */
#ifndef LINK_H
#define LINK_H

#include <base/rng.h>
#include <base/time.h>

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* A name with more addresses than this has enough of them. */
#define LINK_ADDRESSES 8

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_UP };

/* |state|, |fd| and |deadline| may be read, the rest is private. */
struct link {
  enum link_state state;
  int fd;           /* -1 where DOWN */
  nova_ts deadline; /* DOWN: the next attempt; CONNECTING: the end of this one;
                       UP: NOVA_TS_NONE */
  const char *host, *port;
  nova_ts delay;  /* before the next attempt */
  nova_ts useful; /* since when the connection is of use, or NONE */
  struct nova_rng rng;
  size_t addresses, next;
  struct {
    struct sockaddr_storage address;
    socklen_t n;
  } address[LINK_ADDRESSES];
};

/* Connects to nothing yet; the first attempt is due at once.
 * |host|, |port|: a name, an IPv4 or an IPv6 address; kept.
 * |seed|: of the jitter, different from device to device. */
void link_init(struct link *l, const char *host, const char *port,
               uint64_t seed);

/* Goes on with connecting, where the state is not UP: to be called at the
 * deadline and when poll() reported something for |fd|.
 * |reported|: the latter.
 * Returns 1 when the connection stands, 0 while that is open, -1 when no
 * address answered: the state is DOWN and the deadline that of the next
 * attempt. */
int link_advance(struct link *l, bool reported);

/* Closes, from any state. The next attempt comes after the back-off, or after
 * |at_least| where that is longer, jitter added to either. */
void link_close(struct link *l, nova_ts at_least);

/* The connection serves its purpose now; may be called again. */
void link_is_useful(struct link *l);

/* What came in: more than 0 bytes; 0: nothing at present; -1: the connection is
 * lost, or the server closed it. */
ssize_t link_read(struct link *l, char *p, size_t n);

/* How many bytes went out, 0 where the network takes none at present; -1: the
 * connection is lost. */
ssize_t link_write(struct link *l, const char *p, size_t n);

/* The clock that only runs forward. */
nova_ts link_clock(void);

#endif
