/* The reference server: the platform, as the guide says it (sections 1.2, 2, 3
 * and 5), over TCP and over MQTT, as a sans-I/O state machine for thousands of
 * connections. It does nothing by itself: bytes, ends of streams and the time
 * go in, and what is to be sent or closed comes out. A connection speaks the
 * protocol that it was accepted with; everything else is the same for both.
 *
 * Over TCP:
 *
 *   accept -> [ WAITING ] -- valid auth --> [ SERVED ] <-- valid auth
 *                 |  auth_timeout              |  idle_timeout
 *                 |  anything else             |  failed auth
 *                 '----------> [ ENDED ] <-----'
 *
 * Where the guide is silent the server does this:
 * - Before auth everything but a valid auth is answered with auth_result failed
 *   and a close, malformed and oversized lines included: 1.2 has every
 *   connection authenticate first, and 3.2 closes where that failed.
 * - What follows a failed auth on its connection is dropped unread.
 * - After auth a malformed or oversized line is skipped and an unknown type
 *   ignored, and the connection stays: 3 names no error message, and closing
 *   would turn a small defect of a device into an outage.
 * - A known message that lacks a member, or has one of the wrong type, is
 *   skipped too.
 * - A message that names another device is ignored: neither stored nor
 * answered, and no sign of life of its sender (3.3 has each message name its
 * device).
 * - The idle timer counts from the last complete line that is one JSON object
 *   and names no other device. Unknown types count, for 3.4 says "any message";
 *   bytes without a line feed and lines that are no object are no message.
 * - auth on an authenticated connection is a new auth: the guide binds a
 *   connection to no device for good, and a failed auth closes (3.2).
 * - One device on several connections: all stay. A device that lost its network
 *   comes back before its old connection is noticed as dead, and 3.2 knows no
 *   reason to refuse a valid auth. A command goes to the connection that
 *   authenticated last, the likeliest to be alive.
 * - A key reset and a deactivation bind new auths; open connections stay.
 *   "Authenticate again" (1.2) is the device's step.
 * - A device that ends its sending side is answered what is due and closed: it
 *   can send no ping any more.
 * - Each message is one SEND: the guide's own client takes what one recv()
 *   returns for one message.
 *
 * Over MQTT a broker (broker.h) stands inside, and the platform's rules are
 * these (1.2, 2.3 to 2.6):
 * - CONNECT needs the device's id as username and its key as password:
 *   otherwise CONNACK 4 and a close; CONNACK 5 where one of them is missing, or
 *   the device is not active, or its id cannot be a level of a topic. The
 *   client id is free.
 * - A device publishes on its own data and status topics only, and subscribes
 *   to nothing but what lies below novacloud/devices/{device_id}/. Other
 *   publishes are acknowledged and dropped, other subscriptions get SUBACK
 *   0x80, a will on another topic is dropped. Nothing of another device's is
 *   delivered to it, not even from a session that another one left behind under
 *   its client id.
 * - A login of the platform, where there is one, may publish on command topics
 *   and subscribe to what is below novacloud/.
 * - The last good data and status are kept, as those over TCP are; a will is a
 *   status.
 * - What else a payload says is nobody's business: it is delivered as it came.
 * - Nothing of this depends on what the device does over TCP. */
#ifndef NOVA_PEER_SERVER_H
#define NOVA_PEER_SERVER_H

#include "base/buf.h"
#include "base/time.h"
#include "codec/line.h"
#include "peer/fault.h"

struct nova_server;

/* One device that is registered. */
struct nova_credential {
  struct nova_view id;  /* 1 to NOVA_DEVICE_ID_MAX bytes */
  struct nova_view key; /* 1 to NOVA_DEVICE_KEY_MAX bytes */
};

#define NOVA_DEVICE_ID_MAX  255
#define NOVA_DEVICE_KEY_MAX 1023

/* 0 in a field with a default means the default. */
struct nova_server_options {
  const struct nova_mem *mem; /* NULL: the C library's */
  size_t line_limit;          /* bytes before the line feed, up to 2^24;
                                 default NOVA_LINE_LIMIT */
  nova_ts auth_timeout;       /* span from accept; default 10 s. Over MQTT
                                 that to CONNECT */
  nova_ts idle_timeout;       /* span from the last message; default 180 s */
  uint64_t unix_base;         /* Unix time in ns at time 0 */
  uint64_t seed;              /* of command ids and new keys; not secret */
  size_t max_connections;     /* default 100000 */
  size_t unsent_limit;        /* bytes that may wait for one connection to read
                                 them; one more and it is reset. Default
                                 1 MiB */
  const struct nova_credential *devices; /* copied */
  size_t device_count;
  struct nova_credential platform;     /* a login over MQTT that is no device's:
                                          username and password, copied; an empty
                                          id: there is none */
  const struct nova_fault_set *faults; /* copied; NULL: none */
  nova_ts late; /* what a fault called late or slow waits; default 6 s, which
                   is more than the default response_timeout */
};

/* Spans of faults that have no option. */
#define NOVA_FAULT_CLOSE_LATE_BY (5 * NOVA_SEC) /* CLOSE_LATE */
#define NOVA_FAULT_SERVES_FOR    NOVA_SEC       /* SERVES_AFTER_FAILED */
#define NOVA_VARIANT_CLOSES_LATER_BY                                           \
  (1500 * NOVA_MS) /* V_FAILED_CLOSES_LATER */
#define NOVA_VARIANT_SLOW_BY          (4500 * NOVA_MS) /* V_SLOW */
#define NOVA_VARIANT_GATHERS_FOR      (200 * NOVA_MS)  /* V_BATCHED */
#define NOVA_FAULT_HANGS_FOR          (120 * NOVA_SEC) /* HANGS_LONG_LINE */
#define NOVA_VARIANT_REFUSES_LATER_BY (1500 * NOVA_MS) /* M_V_CLOSES_LATER */
#define NOVA_FAULT_LONG_LINE                                                   \
  524288 /* bytes: HANGS_LONG_LINE, CRASH_LONG_LINE */

/* Makes a server. NULL without memory, or where an option is out of its range
 * or two devices have one id. */
struct nova_server *nova_server_new(const struct nova_server_options *options);

/* NULL is ignored. */
void nova_server_free(struct nova_server *s);

/* --- events. |now|: the time of the event; where it lies before that of an
 * earlier call it is taken for the same time. What is due by |now| happens
 * first, so that a message at exactly the end of a timer comes too late.
 * Connections that the server does not know (any more) are ignored. Where
 * memory runs out the connection at hand is reset (RESET comes out), and
 * nothing else is lost. */

/* A new connection; |conn|: any number that no open connection has.
 * Returns 0, NOVA_ERR_NO_MEMORY, NOVA_ERR_LIMIT (max_connections) or
 * NOVA_ERR_STATE (the number is in use). After an error the server does not
 * know the connection, and nothing comes out for it: the glue resets it. */
int nova_server_accept(struct nova_server *s, uint64_t conn, nova_ts now);

/* Likewise a new connection that speaks MQTT; one over TLS when that is
 * established. */
int nova_server_accept_mqtt(struct nova_server *s, uint64_t conn, nova_ts now);

/* Bytes; not kept. Returns 0, or NOVA_ERR_NO_MEMORY where it cost the
 * connection. */
int nova_server_feed(struct nova_server *s, uint64_t conn, const char *p,
                     size_t n, nova_ts now);

/* The device closed its sending side. */
void nova_server_eof(struct nova_server *s, uint64_t conn, nova_ts now);

/* The connection is gone; nothing comes out for it any more. */
void nova_server_reset(struct nova_server *s, uint64_t conn, nova_ts now);

/* The oldest SEND of |conn| that was not reported yet is out. A glue that does
 * not report it lets the connection run into unsent_limit. */
void nova_server_sent(struct nova_server *s, uint64_t conn);

/* The time at which nova_server_expire() has something to do; NOVA_TS_NONE. */
nova_ts nova_server_next_deadline(const struct nova_server *s);

/* Does what is due at |now|; a call too early is harmless. */
void nova_server_expire(struct nova_server *s, nova_ts now);

/* --- results: to be taken after every call above until there is none, lest
 * they meet a later connection of the same number. */

enum nova_server_out_kind {
  NOVA_SERVER_SEND,  /* |bytes| are to be sent as one write */
  NOVA_SERVER_CLOSE, /* FIN after everything that was sent; the number is free
                        once the glue has closed it */
  NOVA_SERVER_RESET, /* RST */
  NOVA_SERVER_CRASH, /* the process is dead: every connection is reset, nobody
                        listens. The server ignores all events from now on */
};

struct nova_server_out {
  enum nova_server_out_kind kind;
  uint64_t conn;          /* not CRASH */
  struct nova_view bytes; /* SEND; valid until the next call of any function */
};

/* False where there is nothing. */
bool nova_server_next_output(struct nova_server *s,
                             struct nova_server_out *out);

/* Connections that are open. */
size_t nova_server_connections(const struct nova_server *s);

#endif
