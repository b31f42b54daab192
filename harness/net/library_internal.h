/* libmosquitto as a transport, inside: shared by library.c (the transport,
 * sockets and ends) and library_say.c (packets into calls, and reports into
 * packets). */
#ifndef NOVA_NET_LIBRARY_INTERNAL_H
#define NOVA_NET_LIBRARY_INTERNAL_H

#include "net/library.h"
#include "net/loop_world.h"

#include "codec/mqtt.h"

#include <mosquitto.h>

/* A packet of the user that the library has not reported on yet. */
struct nova__library_wait {
  struct nova__library_wait *next;
  enum nova_mqtt_type type; /* PUBLISH, SUBSCRIBE, UNSUBSCRIBE */
  uint16_t packet_id;       /* the user's */
  uint8_t qos;
  size_t left; /* reports to come */
  size_t
      count; /* entries: the library's message id and SUBACK's code of each */
  struct {
    int mid;
    uint8_t code;
  } entry[];
};

struct nova__library;

/* One connect(). */
struct nova__library_client {
  struct nova__library *library;
  uint64_t id;
  struct mosquitto *mosq; /* NULL: the CONNECT has not been sent yet */
  struct nova__sock *sock;
  struct nova__alarm *alarm;
  struct nova__later later;
  struct nova_mqtt_stream stream; /* what the user sends */
  struct nova__library_wait *waits;
  struct nova_buf told;   /* packets for the user */
  struct nova_buf sent;   /* pairs of times, for SENT */
  struct nova_buf pem[3]; /* of secure(): authorities, certificate, key */
  const char *versions;
  nova_ts timeout, since, deadline;
  size_t unsent;
  unsigned pins;
  char host[256];
  char error[256]; /* the library's last complaint */
  int lost;        /* MOSQ_ERR_...: it is over */
  uint16_t port, keep_alive;
  bool closed, connected_told, secure, secured_due, connacked, writable, paused,
      half_closed, eof_due, eof, disconnecting, overflow;
};

struct nova__library {
  struct nova_transport base; /* first: a transport is cast to its library */
  const struct nova_mem *mem;
  struct nova_loop *loop;
  struct nova_transport *inner;
  struct nova__idmap clients;
  nova_ts last; /* the latest time that the user was told */
};

/* library_say.c */

/* Does what the bytes say. Returns 0, NOVA_ERR_ARGUMENT or NOVA_ERR_NO_MEMORY;
 * a connection that the library finds lost has |lost| set. */
int nova__library_say(struct nova__library_client *c, const char *p, size_t n);

void nova__library_forget(struct nova__library_client *c);

/* library.c */

/* Watches the socket as the library wants it; called after each call into the
 * library. |rc|: what that returned. */
void nova__library_look(struct nova__library_client *c, int rc);

#endif
