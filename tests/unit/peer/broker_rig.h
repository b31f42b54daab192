/* A broker driven by hand: clients that are plain byte queues, a clock that is
 * a variable. What a client receives is read as text. */
#ifndef TESTS_UNIT_PEER_BROKER_RIG_H
#define TESTS_UNIT_PEER_BROKER_RIG_H

#include "base/buf.h"
#include "base/rng.h"
#include "peer/broker.h"
#include "peer/fault.h"

#define BR_CLIENTS 40

struct br_client {
  struct nova_buf in; /* what came and was not taken by br_got() */
  size_t writes;      /* that it came in */
  bool closed, reset;
  nova_ts ended;
  bool told; /* |how| and |code| are set */
  enum nova_broker_end how;
  int code;
};

struct br {
  struct nova_broker *b;
  nova_ts now;
  bool held;             /* writes are not reported as sent */
  bool faulty;           /* what the broker sends may be none */
  struct nova_rng *cuts; /* not NULL: what is said comes in random pieces */
  struct nova_broker_options options;
  struct br_client client[BR_CLIENTS];
  struct nova_buf text;
  char log[4096]; /* what the owner was asked, if it is the rig's */
};

/* NULL: no options. */
void br_start(struct br *r, const struct nova_broker_options *o);
void br_start_faulty(struct br *r, enum nova_fault fault);
void br_stop(struct br *r);

/* An owner who allows everything, and logs what it is asked and told, but:
 * user name "wrong": CONNACK 4; topic or filter "forbidden/...": no. */
struct nova_broker_owner br_owner(struct br *r);

void br_accept(struct br *r, int c);
void br_raw(struct br *r, int c, const void *p, size_t n);
#define BR_RAW(r, c, text) br_raw((r), (c), "" text, sizeof text - 1)
void br_send(struct br *r, int c, const struct nova_mqtt *m);
void br_eof(struct br *r, int c);
void br_lost(struct br *r, int c);

/* On a new connection. */
void br_connect_with(struct br *r, int c, const struct nova_mqtt_connect *m);
void br_connect(struct br *r, int c, const char *id); /* clean */
void br_keep(struct br *r, int c, const char *id);    /* a kept session */

void br_subscribe(struct br *r, int c, const char *filter, uint8_t qos);
void br_unsubscribe(struct br *r, int c, const char *filter);
void br_publish(struct br *r, int c, const char *topic, const char *payload,
                uint8_t qos, uint16_t id);
void br_retained(struct br *r, int c, const char *topic, const char *payload,
                 uint8_t qos, uint16_t id);
void br_ack(struct br *r, int c, enum nova_mqtt_type type, uint16_t id);
void br_say(struct br *r, int c, enum nova_mqtt_type type);

/* Moves the clock on to |to|, from deadline to deadline. */
void br_run(struct br *r, nova_ts to);
void br_pump(struct br *r);

/* What came to |c| since the last call, packets apart by " ":
 *     CONNACK(code,session present) PUBACK(id) PINGRESP SUBACK(id,code,code)
 *     PUBLISH(topic=payload,q1,#id,dup,retain)
 * ?PUBACK for one that is malformed, and CLOSED or RESET, and "..." for a part
 * of a packet. */
const char *br_got(struct br *r, int c);

#define BR_GOT(r, c, want)                                                     \
  do {                                                                         \
    const char *br_is = br_got((r), (c));                                      \
    cr_assert_str_eq(br_is, (want), "client %d got \"%s\", not \"%s\"", (c),   \
                     br_is, (want));                                           \
  } while (0)

#endif
