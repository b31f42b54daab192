/* The reference server driven by hand over MQTT, packet by packet. */
#ifndef TESTS_UNIT_PEER_MQTT_SERVER_RIG_H
#define TESTS_UNIT_PEER_MQTT_SERVER_RIG_H

#include "codec/mqtt.h"
#include "rig.h"

#define PLATFORM     "console"
#define PLATFORM_KEY "kEy-of-the-platform"

#define TOPIC(id, what) "novacloud/devices/" id "/" what

/* What stands in place of a CONNACK's code where none came. */
#define NO_CONNACK 0xff

struct mrig {
  struct rig r;
  uint16_t id;           /* the last packet id */
  struct nova_buf bytes; /* of |packet| */
  struct nova_mqtt packet;
  char text[200]; /* mrig_got() */
};

/* A server with the rig's devices, the platform's login and, where |fault| <
 * NOVA_FAULTS, that fault. */
void mrig_start(struct mrig *m, enum nova_fault fault);
void mrig_start_with(struct mrig *m, const struct nova_server_options *options);
void mrig_stop(struct mrig *m);

/* A new connection; its number. */
size_t mrig_open(struct mrig *m);

/* One packet, right or wrong. */
void mrig_send(struct mrig *m, size_t conn, const struct nova_mqtt *packet);

/* The next packet that |conn| received, in m->packet; false where there is
 * none. */
bool mrig_next(struct mrig *m, size_t conn);

/* CONNECT with a client id of its own; NULL: the member is absent. The code of
 * its CONNACK or NO_CONNACK. */
uint8_t mrig_connect(struct mrig *m, size_t conn, const char *user,
                     const char *password);
/* The same with all members; those that are NULL or 0 in |c| get defaults but
 * for user_name and password. */
uint8_t mrig_connect_with(struct mrig *m, size_t conn,
                          struct nova_mqtt_connect c);

/* A connection that was accepted. */
size_t mrig_login(struct mrig *m, const char *user, const char *password);

/* What SUBACK says; 0xff where none came. */
uint8_t mrig_subscribe(struct mrig *m, size_t conn, const char *filter,
                       uint8_t qos);

/* PUBLISH with QoS 1; whether it was acknowledged. */
bool mrig_publish(struct mrig *m, size_t conn, const char *topic,
                  struct nova_view payload);
bool mrig_say(struct mrig *m, size_t conn, const char *topic,
              const char *payload);

/* The next message that |conn| received, "QOS TOPIC PAYLOAD", the payload cut
 * at 100 characters; it is acknowledged. "" where there is none. */
const char *mrig_got(struct mrig *m, size_t conn);

#define mrig_control(m, line) rig_control(&(m)->r, (line))

#endif
