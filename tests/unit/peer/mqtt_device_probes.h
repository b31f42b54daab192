/* A small judge of devices over MQTT, after requirements.yaml, as probes.h is
 * one of servers. */
#ifndef TESTS_UNIT_PEER_MQTT_DEVICE_PROBES_H
#define TESTS_UNIT_PEER_MQTT_DEVICE_PROBES_H

#include "mqtt_device_rig.h"
#include "probes.h"

/* Runs every probe against devices with |fault|. Returns a hash of all that
 * they did. */
uint64_t mqtt_device_probe_all(enum nova_fault fault, struct tally *t);

#endif
