/* The built-in reference server on real sockets, for `mock server` and `demo`.
 */
#ifndef NOVA_CLI_REFSERVER_H
#define NOVA_CLI_REFSERVER_H

#include "cli/options.h"
#include "conversation/profile.h"
#include "net/certs.h"
#include "net/loop.h"
#include "peer/serve.h"

struct nova_refserver {
  struct nova_transport *transport;
  struct nova_transport *tls; /* over |transport|; NULL: no address for TLS */
  struct nova_certs *made;    /* NULL: they were given */
  const struct nova_certificates *certificates; /* with |tls| */
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
  const struct nova_profile *profile; /* devices, platform and timers */
  /* host NULL: none. One of |at| (TCP), |mqtt| and |mqtts| is given. */
  struct nova_address at, mqtt, mqtts, control;
  const struct nova_certificates *certificates; /* for mqtts; NULL: made anew,
                                                   for its host and for names
                                                   of this machine */
  bool client_certificates; /* mqtts: a client has to have one of theirs */
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
