/* A whole run on the simulated network: the harness against a reference peer
 * with any faults, in virtual time; the peer is the server, or devices, one of
 * which is started for each conversation or which connect as they like. */
#ifndef TESTS_SUPPORT_SIMRUN_H
#define TESTS_SUPPORT_SIMRUN_H

#include "conversation/catalog.h"
#include "conversation/profile.h"
#include "net/sim.h"
#include "peer/fault.h"
#include "run/run.h"

struct simrun_options {
  const struct nova_catalog *catalog;
  bool device;   /* the subject is the device, not the server */
  bool by_hand;  /* ... and connects when it likes: |devices| of them */
  unsigned over; /* the transports of the run, bits 1 << enum nova_link_kind; a
                    device that is the subject has one. 0: TCP */
  struct nova_sim_options net;
  struct nova_fault_set faults;
  bool client_certificates; /* the profile declares them, and the server that is
                               the subject wants them */
  unsigned devices;         /* credentials, default 8 */
  uint32_t hooks;           /* bits of enum nova_hook; default all */
  bool no_hooks;
  const char *const *only;
  uint64_t seed;
  nova_ts late_tolerance; /* NONE: the default rule */
  void (*news)(void *user, const struct nova_run_news *news);
  void *user;
};

struct simrun;

/* Runs to the end. NULL without memory. */
struct simrun *simrun_new(const struct simrun_options *o);
void simrun_free(struct simrun *s);
const struct nova_results *simrun_results(const struct simrun *s);
/* How long it took in virtual time. */
nova_ts simrun_virtual_time(const struct simrun *s);

/* The catalog of the source tree, loaded from specs/; exits the test program
 * with the messages where it does not load. */
const struct nova_catalog *simrun_catalog(void);

#endif
