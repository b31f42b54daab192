/* A small judge of servers, one probe a requirement of requirements.yaml,
 * driven by hand. It is there to show what each named fault breaks, and what
 * not; the conversations in specs/ are judged by other means. */
#ifndef TESTS_UNIT_PEER_PROBES_H
#define TESTS_UNIT_PEER_PROBES_H

#include "rig.h"

/* Requirements that were failed, each once. */
struct tally {
  const char *failed[40];
  size_t n;
};

bool tally_has(const struct tally *t, struct nova_view id);

/* Runs every probe against servers with |fault|. */
void probe_all(enum nova_fault fault, struct tally *t);

#endif
