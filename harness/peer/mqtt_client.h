/* An MQTT 3.1.1 client of one connection, as a sans-I/O state machine on the
 * packet codec. It frames and decodes what comes in, acknowledges what is to be
 * acknowledged, keeps packet ids and, if wanted, the keep-alive; everything
 * else, right or wrong, its user says. The reference device and the harness
 * that plays a device both speak through it.
 *
 * It judges nothing: a packet that breaks the standard, or that a server has no
 * business to send, is handed out as such. */
#ifndef NOVA_PEER_MQTT_CLIENT_H
#define NOVA_PEER_MQTT_CLIENT_H

#include "base/time.h"
#include "codec/mqtt.h"

struct nova_mqtt_client;

struct nova_mqtt_client_options {
  const struct nova_mem *mem; /* NULL: the C library's */
  size_t limit; /* remaining length of what is received; 0: NOVA_MQTT_LIMIT */
  unsigned withhold; /* answers that it does not give by itself: bits 1 << enum
                        nova_mqtt_type of PUBACK, PUBREC, PUBREL, PUBCOMP */
  bool pings; /* it sends PINGREQ when half of the keep-alive (of the CONNECT
                 that was sent) passed without sending */
};

/* NULL without memory. A new connection takes a new client: kept sessions are
 * their user's. */
struct nova_mqtt_client *
nova_mqtt_client_new(const struct nova_mqtt_client_options *o);
void nova_mqtt_client_free(struct nova_mqtt_client *c); /* NULL is ignored */

enum nova_mqtt_news_kind {
  NOVA_MQTT_NEWS_PACKET,    /* |packet| is good */
  NOVA_MQTT_NEWS_MALFORMED, /* |at| says what is wrong; packet.type as far as it
                               was read. After NOVA_ERR_MQTT_LENGTH nothing
                               more can be read on the connection */
  NOVA_MQTT_NEWS_OVERSIZED, /* |length| bytes, which are skipped */
};

struct nova_mqtt_news {
  enum nova_mqtt_news_kind kind;
  struct nova_mqtt packet;
  struct nova_view bytes; /* the whole packet; not OVERSIZED */
  struct nova_fault_at at;
  uint64_t length, offset; /* of the packet, in the stream */
  bool again; /* a PUBLISH of QoS 2 whose packet id is being completed: it was
                 handed out before */
};

/* Takes bytes up to the end of the next packet, or all of them, and writes the
 * answer that the packet asks for into the output.
 * |used|: how many bytes were taken; the caller goes on with the rest.
 * |news|: set where the result is 1; views are valid until the next call.
 * Returns 1 with news, 0 without, or NOVA_ERR_NO_MEMORY. */
int nova_mqtt_client_feed(struct nova_mqtt_client *c, const char *p, size_t n,
                          nova_ts now, size_t *used,
                          struct nova_mqtt_news *news);

/* Bytes of a packet that has not ended. */
uint64_t nova_mqtt_client_pending(const struct nova_mqtt_client *c);

/* A packet id that is not in use: 1 to 65535, in turn. It is in use until its
 * acknowledgement came (PUBACK, PUBCOMP, SUBACK, UNSUBACK). 0 where all are. */
uint16_t nova_mqtt_client_take_id(struct nova_mqtt_client *c);

/* Encodes a packet and puts it into the output; a packet_id of 0 of a packet
 * that has one is replaced by a fresh one.
 * Returns 0 or the encoder's error; NOVA_ERR_LIMIT where no id is free. */
int nova_mqtt_client_send(struct nova_mqtt_client *c, struct nova_mqtt *m,
                          enum nova_mqtt_how how, nova_ts now);

/* Something was sent that did not go through the output: whole packets are
 * understood (a CONNECT's keep-alive, ids), anything else only counts for the
 * keep-alive. */
void nova_mqtt_client_wrote(struct nova_mqtt_client *c, const char *p, size_t n,
                            nova_ts now);

/* What is to be sent as one write; false where there is nothing. The bytes are
 * valid until the next call. */
bool nova_mqtt_client_next_output(struct nova_mqtt_client *c,
                                  struct nova_view *bytes);

/* PINGREQ. |unanswered|: since when a PINGREQ waits for its PINGRESP, NONE. */
nova_ts nova_mqtt_client_next_deadline(const struct nova_mqtt_client *c);
void nova_mqtt_client_expire(struct nova_mqtt_client *c, nova_ts now);
nova_ts nova_mqtt_client_unanswered(const struct nova_mqtt_client *c);

/* The CONNACK that came; -1: none yet. */
int nova_mqtt_client_code(const struct nova_mqtt_client *c);

#endif
