/* The built-in reference server on real sockets, for `mock server` and `demo`.
 */
#ifndef NOVA_CLI_REFSERVER_H
#define NOVA_CLI_REFSERVER_H

#include "cli/options.h"
#include "conversation/profile.h"
#include "net/loop.h"
#include "peer/serve.h"

struct nova_refserver {
  struct nova_transport *transport;
  struct nova_server *server;
  struct nova_serve *serve;
};

/* The faults of --fault, which have to be of one of |sides| (a set: 1 << enum
 * nova_side). 0 or an exit status, with a line said. */
int nova_ref_faults(const struct nova_options *o, unsigned sides,
                    struct nova_fault_set *out);

/* Those of the server. */
int nova_refserver_faults(const struct nova_options *o,
                          struct nova_fault_set *out);

struct nova_refserver_options {
  struct nova_loop *loop;
  const struct nova_profile *profile; /* devices and timers */
  struct nova_address at, control;    /* control.host NULL: none */
  struct nova_fault_set faults;
  uint64_t seed;
  void (*crashed)(void *user);
  void *user;
};

/* Listens. 0 or an exit status, with a line said; nova_refserver_stop() it in
 * either case. */
int nova_refserver_start(struct nova_refserver *r,
                         const struct nova_refserver_options *o);
void nova_refserver_stop(struct nova_refserver *r);

#endif
