/* A small judge of devices, one probe a requirement of requirements.yaml,
 * driven by hand. It is there to show what each named fault breaks, and what
 * not; the conversations in specs/ are judged by other means. */
#ifndef TESTS_UNIT_PEER_DEVICE_PROBES_H
#define TESTS_UNIT_PEER_DEVICE_PROBES_H

#include "device_rig.h"
#include "probes.h"

/* Runs every probe against devices with |fault|. */
void device_probe_all(enum nova_fault fault, struct tally *t);

#endif
