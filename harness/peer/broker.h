/* A broker: the server's side of MQTT 3.1.1, as a sans-I/O state machine for
 * many connections. Small, strict and complete for what this project is for:
 * QoS 0, 1 and 2 both ways, filters with wildcards, retained messages, wills,
 * keep-alive, clean and kept sessions, take-over. Bytes, ends of streams and
 * the time go in; what is to be sent or closed comes out. It knows nothing of
 * NovaCloud: who may do what is asked of its owner.
 *
 * It is used three times: inside the reference server, as what answers a device
 * under test while the harness plays the server, and by itself in bench/.
 *
 * Where the standard leaves a choice:
 * - Of a second CONNECT, a first packet that is none, and any malformed packet
 *   the network connection is closed, without a word (4.8.0-1), and the will is
 *   published.
 * - A CONNECT that is refused is answered with its code and closed behind it
 *   (3.2.2-5); an unknown protocol level gets CONNACK 1.
 * - A message goes to a subscriber once, with the highest QoS of the filters
 *   that match, at most the publisher's (3.3.5-1).
 * - What is sent to a client with QoS 1 and 2 keeps its order (4.6.0); what was
 *   not acknowledged is sent again when the session is taken up (4.4.0-1), and
 *   never before.
 * - A PUBLISH that its owner forbids is acknowledged and dropped (3.3.5-2), a
 *   subscription that it forbids gets 0x80.
 * - A client that does not read is reset when |unsent_limit| bytes wait. Before
 *   that, from half of it on, messages of QoS 1 and 2 wait in its session.
 * - What no client has to say (CONNACK, a second CONNECT, ...) is malformed,
 * with the code NOVA_ERR_STATE; so is what comes in place of CONNECT. */
#ifndef NOVA_PEER_BROKER_H
#define NOVA_PEER_BROKER_H

#include "base/buf.h"
#include "base/time.h"
#include "codec/mqtt.h"
#include "peer/fault.h"

struct nova_broker;

/* How a connection ended, for a will and for whoever is told. */
enum nova_broker_end {
  NOVA_BROKER_DISCONNECTED, /* DISCONNECT: no will */
  NOVA_BROKER_EOF,          /* the client closed without one */
  NOVA_BROKER_LOST,         /* reset, or it does not read */
  NOVA_BROKER_KEEP_ALIVE,   /* silent for one and a half times its keep-alive,
                               or no CONNECT in time */
  NOVA_BROKER_MALFORMED,    /* it broke the standard; |code| says how */
  NOVA_BROKER_TAKEN_OVER,   /* its client id connected again */
  NOVA_BROKER_REFUSED,      /* its CONNECT was: it has no will */
  NOVA_BROKER_CLOSED,       /* nova_broker_close() */
};

/* A message on its way. */
struct nova_broker_message {
  struct nova_view topic, payload;
  uint8_t qos;
  bool retain;
};

/* What the owner is asked and told. Each may be NULL: then everything is
 * allowed and nothing is told. Views last for the call. They must not call back
 * into the broker but where it says so. */
struct nova_broker_owner {
  /* A CONNECT: returns the code of its CONNACK, enum nova_mqtt_code. */
  uint8_t (*connect)(void *user, uint64_t conn,
                     const struct nova_mqtt_connect *c);
  /* A PUBLISH of a client, or the will of one that is gone (|conn| may be
   * closed by then): whether it is delivered. */
  bool (*publish)(void *user, uint64_t conn, bool will,
                  const struct nova_broker_message *m);
  /* A SUBSCRIBE's entry: returns what SUBACK says, 0, 1, 2 or 0x80. */
  uint8_t (*subscribe)(void *user, uint64_t conn, struct nova_view filter,
                       uint8_t qos);
  /* Before a message goes to a subscriber, whatever its filter was. */
  bool (*deliver)(void *user, uint64_t conn,
                  const struct nova_broker_message *m);
  /* A connection of nova_broker_accept() is over; its will was asked for
   * before. |code|: the error of MALFORMED, the CONNACK's of REFUSED. */
  void (*ended)(void *user, uint64_t conn, enum nova_broker_end how, int code);
  void *user;
};

/* Spans of faults and variants, the rows of broker_faults.def. */
#define NOVA_BROKER_CLOSES_LATER_BY (1500 * NOVA_MS) /* V_B_CLOSES_LATER */
#define NOVA_BROKER_SLOW_BY         (4 * NOVA_SEC) /* V_B_ACKS_SLOW, _WILL_SLOW */
#define NOVA_BROKER_GATHERS_FOR     (200 * NOVA_MS) /* V_B_GATHERED */
#define NOVA_BROKER_LOOKS_EVERY     (2 * NOVA_SEC)  /* V_B_KEEP_ALIVE_LATE */
#define NOVA_BROKER_STACKS_FOR      (100 * NOVA_MS) /* B_ORDER_REVERSED */
#define NOVA_BROKER_REMEMBERS_FOR   (50 * NOVA_MS)  /* B_PUBACK_LAST_ONLY */

/* 0 in a field with a default means the default. */
struct nova_broker_options {
  const struct nova_mem *mem; /* NULL: the C library's */
  struct nova_broker_owner owner;
  size_t packet_limit;     /* remaining length; default NOVA_MQTT_LIMIT */
  nova_ts connect_timeout; /* from accept to CONNECT; default 10 s */
  bool no_keep_alive;      /* silent clients stay */
  size_t max_connections;  /* default 100000 */
  size_t max_sessions;     /* that are kept without a connection; the
                              oldest goes first; default 10000 */
  size_t queued_most;      /* messages that wait for one session; a further
                              one of QoS 0 is dropped, of QoS 1 or 2 the
                              oldest is; default 1000 */
  size_t inflight_most;    /* QoS 1 and 2 messages that wait for their
                              acknowledgement; default 100 */
  size_t unsent_limit;     /* default 1 MiB */
  size_t retained_most;    /* topics with a retained message; the oldest goes
                              first; default 10000 */
  const struct nova_fault_set *faults; /* NULL: none; copied. Those of
                                          broker_faults.def act */
  nova_ts late; /* what a fault called late waits; default 6 s, which is longer
                   than any wait of the guide */
  size_t subscriptions_most; /* of one session; a further one gets 0x80; default
                                1000 */
};

/* NULL without memory or where an option is out of its range. */
struct nova_broker *nova_broker_new(const struct nova_broker_options *o);
void nova_broker_free(struct nova_broker *b); /* NULL is ignored */

/* --- events, as of nova_server: what is due by |now| happens first, times that
 * go back are taken for the last one, unknown connections are ignored, memory
 * that runs out costs the connection at hand. */

/* |conn|: any number that no open connection has. Returns 0,
 * NOVA_ERR_NO_MEMORY, NOVA_ERR_LIMIT or NOVA_ERR_STATE. */
int nova_broker_accept(struct nova_broker *b, uint64_t conn, nova_ts now);
int nova_broker_feed(struct nova_broker *b, uint64_t conn, const char *p,
                     size_t n, nova_ts now);
void nova_broker_eof(struct nova_broker *b, uint64_t conn, nova_ts now);
void nova_broker_reset(struct nova_broker *b, uint64_t conn, nova_ts now);
/* The oldest SEND of |conn| that was not reported yet is out. */
void nova_broker_sent(struct nova_broker *b, uint64_t conn);
nova_ts nova_broker_next_deadline(const struct nova_broker *b);
void nova_broker_expire(struct nova_broker *b, nova_ts now);

/* --- what the owner does. */

/* Publishes a message of its own to all who subscribed.
 * Returns 0, NOVA_ERR_ARGUMENT (no topic, QoS over 2) or NOVA_ERR_NO_MEMORY. */
int nova_broker_publish(struct nova_broker *b,
                        const struct nova_broker_message *m, nova_ts now);

/* The PUBLISH of such a message for one connection, as it would be delivered to
 * it now: the caller sends the bytes itself and the broker waits for the
 * acknowledgement as for its own.
 * owner.deliver() is not asked: the caller is the owner.
 * |out|: the packet is appended. |qos|, |packet_id|: of the packet.
 * Returns 0, NOVA_ERR_STATE (not connected, or no subscription matches),
 * NOVA_ERR_LIMIT (too many in flight, or others wait), NOVA_ERR_ARGUMENT,
 * NOVA_ERR_NO_MEMORY.
 */
int nova_broker_compose(struct nova_broker *b, uint64_t conn,
                        const struct nova_broker_message *m,
                        struct nova_buf *out, uint8_t *qos, uint16_t *packet_id,
                        nova_ts now);

/* Packets that the broker does not send by itself on |conn|: bits 1 << enum
 * nova_mqtt_type of CONNACK, SUBACK, UNSUBACK, PUBACK, PUBREC, PUBREL, PUBCOMP,
 * PINGRESP. All else goes on as if they had been sent. 0 gives none back: what
 * was held is not sent later. */
void nova_broker_withhold(struct nova_broker *b, uint64_t conn, unsigned types);

/* Ends a connection as if the network had: the will is published. */
void nova_broker_close(struct nova_broker *b, uint64_t conn, nova_ts now);

/* What is known of a connection. False where there is none. */
struct nova_broker_client {
  bool connected;      /* its CONNECT was accepted */
  bool clean, resumed; /* resumed: a kept session was taken up */
  struct nova_view client_id, user_name;
  uint16_t keep_alive;
  size_t subscriptions;
  size_t inflight; /* sent with QoS 1 or 2 and not acknowledged */
};
bool nova_broker_client(const struct nova_broker *b, uint64_t conn,
                        struct nova_broker_client *out);

/* Whether a subscription of |conn| matches |topic|; |qos|: the highest one. */
bool nova_broker_subscribed(const struct nova_broker *b, uint64_t conn,
                            struct nova_view topic, uint8_t *qos);

/* --- results: to be taken after every call above until there is none. */

enum nova_broker_out_kind {
  NOVA_BROKER_SEND,  /* |bytes| as one write: one or more whole packets */
  NOVA_BROKER_CLOSE, /* FIN after everything that was sent */
  NOVA_BROKER_RESET, /* RST */
};

struct nova_broker_out {
  enum nova_broker_out_kind kind;
  uint64_t conn;
  struct nova_view bytes; /* SEND; valid until the next call of any function */
};

bool nova_broker_next_output(struct nova_broker *b,
                             struct nova_broker_out *out);

#endif
