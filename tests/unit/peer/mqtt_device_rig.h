/* A reference device over MQTT, driven by hand: the broker is the test, and the
 * clock a variable. The broker does what a broker does for one client (CONNACK,
 * SUBACK, acknowledgements, PINGRESP) unless it is told not to, ends the
 * connection at what is malformed, and hands every packet to a judge. */
#ifndef TESTS_UNIT_PEER_MQTT_DEVICE_RIG_H
#define TESTS_UNIT_PEER_MQTT_DEVICE_RIG_H

#include "device_rig.h"

#include "codec/mqtt.h"

struct mqtt_rig;

/* One packet of the device, good or not. */
typedef void mqtt_watch(struct mqtt_rig *r, const struct nova_mqtt *m, int err,
                        struct nova_view bytes);

struct mqtt_rig {
  struct nova_device *d;
  nova_ts now;
  struct nova_mqtt_stream in;
  bool open;
  bool closed, reset, exited; /* how the device ended the last connection */
  int code;
  unsigned connects; /* CONNECT, so far: of connections, not packets */
  nova_ts asked;     /* when the last of them came */
  bool asks;
  bool served; /* CONNACK 0 was sent on this connection */
  nova_ts served_at, opened_at, ended_at;
  nova_ts last;            /* when the device sent last on this connection */
  size_t writes;           /* so far */
  uint64_t wire;           /* a hash of all that it did, and when */
  struct nova_buf filters; /* of this connection, each with a NUL */
  int granted;             /* QoS of its last subscription; -1: none */
  uint16_t last_id;        /* of the broker's PUBLISH */
  /* What the broker does not do. */
  bool no_connack, no_pingresp, no_puback, no_pubrel;
  int connack; /* its code */
  bool suback_fails;
  bool refuses; /* connections end as soon as they are accepted */
  mqtt_watch *watch;
  void *user;
};

void mqtt_rig_start(struct mqtt_rig *r, const struct nova_device_options *o,
                    enum nova_fault fault);
void mqtt_rig_stop(struct mqtt_rig *r);

/* Moves the clock on by |span|; accepts every connection at once. */
void mqtt_rig_run(struct mqtt_rig *r, nova_ts span);

/* Runs until |served|, at most |span|. */
bool mqtt_rig_serve(struct mqtt_rig *r, nova_ts span);

void mqtt_rig_feed(struct mqtt_rig *r, const char *p, size_t n);
void mqtt_rig_send(struct mqtt_rig *r, const struct nova_mqtt *m);

/* Publishes to the device if it is subscribed; with |qos| or less. Returns the
 * packet id, 0 for QoS 0, -1 where it is not subscribed. */
int mqtt_rig_publish(struct mqtt_rig *r, const char *topic,
                     struct nova_view payload, uint8_t qos);

/* The same on its command topic, with QoS 1. */
int mqtt_rig_command(struct mqtt_rig *r, const char *payload);

void mqtt_rig_fin(struct mqtt_rig *r);
void mqtt_rig_rst(struct mqtt_rig *r);

#define MQTT_TOPIC(end) "novacloud/devices/" DEV_ID "/" end

#endif
