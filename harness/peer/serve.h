/* Serves a reference server over a transport: on real sockets and on the
 * simulated network alike. Events go to the server, its outputs to the
 * transport, its deadlines to wake_at().
 *
 * Devices connect over TCP, over MQTT, and over MQTT inside of TLS; of the last
 * the server hears when TLS is established, for which there are
 * NOVA_SERVE_HANDSHAKE.
 *
 * A connection that the server closes gets FIN behind what was sent and is
 * read, to no effect, until the device closes too or NOVA_SERVE_LINGER is over.
 * To close at once could answer bytes that are still coming in with RST, and
 * RST takes away what the device has not read yet, the auth_result first of
 * all. */
#ifndef NOVA_PEER_SERVE_H
#define NOVA_PEER_SERVE_H

#include "base/transport.h"
#include "peer/server.h"

#define NOVA_SERVE_LINGER (2 * NOVA_SEC)

/* The longest that a TLS handshake may take. */
#define NOVA_SERVE_HANDSHAKE (10 * NOVA_SEC)

/* Connections at a time, those of the control address and those that are being
 * closed included. */
#define NOVA_SERVE_CONNECTIONS 200000

/* Control connections at a time. */
#define NOVA_SERVE_CONTROLS 64

/* The listeners that it opens, as the transport's events name them. */
enum {
  NOVA_SERVE_DEVICES = 1,
  NOVA_SERVE_CONTROL = 2,
  NOVA_SERVE_MQTT = 3,
  NOVA_SERVE_MQTTS = 4,
};

struct nova_serve_options {
  const struct nova_mem *mem; /* NULL: the C library's */
  const char *host;           /* where devices connect over TCP; NULL: nowhere,
                                 where another address is given */
  uint16_t port;              /* 0: a free one; so for the others */
  const char *mqtt_host;      /* over MQTT; NULL: nowhere */
  uint16_t mqtt_port;
  const char *mqtts_host; /* over MQTT and TLS; NULL: nowhere. The transport
                             has secure() then */
  uint16_t mqtts_port;
  const struct nova_tls *tls; /* mqtts: the server's end, with a certificate;
                                 copied, its views outlive the nova_serve.
                                 Without a |lowest| it is TLS 1.2 */
  /* What the server's faults of TLS take in place of |tls|'s; NULL: those that
   * need them have no effect. Outlives the nova_serve. */
  const struct nova_certificates *certificates;
  const char *control_host; /* control.h; NULL: none */
  uint16_t control_port;
  /* The server crashed: its connections have been reset already. The callback
   * ends the process or has the simulated network do it; without one, new
   * connections are reset as they come. It must not free the nova_serve. */
  void (*crashed)(void *user);
  void *user;
};

struct nova_serve;

/* Listens and makes itself the transport's handler.
 * |transport|, |server|: stay the caller's and outlive the result. The server's
 * time is the transport's, so its unix_base is unix_ns() - now().
 * |why|: on failure the reason in plain words, valid until the next call into
 *        the transport.
 * Returns NULL where no address is given, one cannot be listened on, mqtts has
 * no certificate or the transport no TLS, or memory ran out. */
struct nova_serve *nova_serve_new(struct nova_transport *transport,
                                  struct nova_server *server,
                                  const struct nova_serve_options *options,
                                  const char **why);

/* Closes every connection; the transport must not run on with the handler of a
 * nova_serve that is gone. NULL is ignored. */
void nova_serve_free(struct nova_serve *v);

/* The ports that were bound; 0 where no address was given. */
uint16_t nova_serve_port(const struct nova_serve *v);
uint16_t nova_serve_mqtt_port(const struct nova_serve *v);
uint16_t nova_serve_mqtts_port(const struct nova_serve *v);
uint16_t nova_serve_control_port(const struct nova_serve *v);

/* For a program that shares the transport: its own handler passes on what
 * concerns the server. */
void nova_serve_event(struct nova_serve *v, const struct nova_event *event);
void nova_serve_expire(struct nova_serve *v, nova_ts now);

#endif
