/* The built-in reference device on real sockets, for `mock device`. */
#ifndef NOVA_CLI_REFDEVICE_H
#define NOVA_CLI_REFDEVICE_H

#include "cli/options.h"
#include "conversation/profile.h"
#include "net/loop.h"
#include "peer/drive.h"

struct nova_refdevice {
  struct nova_transport *transport;
  struct nova_transport *tls;     /* over |transport|; NULL: none is needed */
  struct nova_transport *library; /* libmosquitto; NULL: it is not used */
  struct nova_device *device;
  struct nova_drive *drive;
};

/* The faults of --fault. 0 or an exit status, with a line said. */
int nova_refdevice_faults(const struct nova_options *o,
                          struct nova_fault_set *out);

struct nova_refdevice_options {
  struct nova_loop *loop;
  const struct nova_profile *profile; /* the first device, the timers, the
                                         actuators and the value_keys */
  struct nova_address at;             /* the server */
  enum nova_device_protocol protocol;
  const struct nova_tls *tls; /* NULL: in the clear */
  struct nova_fault_set faults;
  uint64_t seed;
  void (*exited)(void *user, int code); /* as in nova_drive_options */
  void (*news)(void *user, enum nova_drive_news what, struct nova_view text);
  void *user;
};

/* Begins to connect. 0 or an exit status, with a line said;
 * nova_refdevice_stop() it in either case. */
int nova_refdevice_start(struct nova_refdevice *r,
                         const struct nova_refdevice_options *o);
void nova_refdevice_stop(struct nova_refdevice *r);

#endif
