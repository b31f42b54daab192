/* Connects a reference device to a server over a transport: on real sockets and
 * on the simulated network alike. Events go to the device, its outputs to the
 * transport, its deadlines to wake_at(). Over TLS the device is told that it is
 * connected when the connection is secured; one that cannot be within the time
 * to connect counts as refused.
 *
 * A connection that the device closes gets FIN behind what was sent and is
 * read, to no effect, until the server closes too or NOVA_DRIVE_LINGER is over:
 * to close at once could answer bytes that are still coming in with RST. The
 * next connection does not wait for that. */
#ifndef NOVA_PEER_DRIVE_H
#define NOVA_PEER_DRIVE_H

#include "base/transport.h"
#include "peer/device.h"

#define NOVA_DRIVE_LINGER (2 * NOVA_SEC)

/* Connections that may be closing at a time; one more drops the oldest. */
#define NOVA_DRIVE_CLOSING 4

enum nova_drive_news {
  NOVA_DRIVE_CONNECTED, /* |text|: over TLS what SECURED says, else empty */
  NOVA_DRIVE_REFUSED,   /* |text| says why: a sentence, or what INSECURE says */
  NOVA_DRIVE_ENDED,     /* the connection is over, whoever ended it */
};

struct nova_drive_options {
  const struct nova_mem *mem; /* NULL: the C library's */
  const char *host;           /* the server; stays the caller's */
  uint16_t port;
  const struct nova_tls *tls; /* how it is secured; stays the caller's, as its
                                 views do. NULL: it is not */
  nova_ts connect_timeout;    /* to connect, and to be secured; 0: 10 s */
  /* The device's process ends by itself, as only its faults do: its connections
   * have been closed already, and nothing happens any more. It must not free
   * the nova_drive. May be NULL. */
  void (*exited)(void *user, int code);
  /* For a log. May be NULL. It must not free the nova_drive. */
  void (*news)(void *user, enum nova_drive_news what, struct nova_view text);
  void *user;
};

struct nova_drive;

/* Makes itself the transport's handler and starts the device.
 * |transport|, |device|: stay the caller's and outlive the result. The device's
 * time is the transport's, so its unix_base is unix_ns() - now().
 * |options|: copied.
 * Returns NULL without memory. */
struct nova_drive *nova_drive_new(struct nova_transport *transport,
                                  struct nova_device *device,
                                  const struct nova_drive_options *options);

/* Closes every connection, at once; the transport must not run on with the
 * handler of a nova_drive that is gone. Not from inside a handler. NULL is
 * ignored. */
void nova_drive_free(struct nova_drive *v);

/* For a program that shares the transport: its own handler passes on what
 * concerns the device, whose connections have the ids from 1 upwards. */
void nova_drive_event(struct nova_drive *v, const struct nova_event *event);
void nova_drive_expire(struct nova_drive *v, nova_ts now);

#endif
