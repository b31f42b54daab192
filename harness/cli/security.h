/* What a run has of TLS: the transport with secure(), certificates that were
 * made or read, and the files that a spawned device is given. */
#ifndef NOVA_CLI_SECURITY_H
#define NOVA_CLI_SECURITY_H

#include "base/buf.h"
#include "cli/files.h"
#include "conversation/profile.h"
#include "net/certs.h"
#include "run/run.h"

struct nova_security {
  struct nova_transport *tls;        /* NULL: no address with TLS */
  struct nova_certs *made;           /* of a harness that is the server */
  struct nova_buf ca, cert, key;     /* the profile's, of a server under test */
  char folder[NOVA_PATH_MOST];       /* of the files below; "" for none */
  char file[3][NOVA_PATH_MOST + 16]; /* CA, client's certificate, its key */
};

/* Sets the TLS of |o| as |profile| wants it: o->transport is wrapped where the
 * profile has an address with TLS; for a server under test the profile's files
 * are read; for a device certificates are made, and written to a folder of the
 * system's for temporary files, which only this user can read.
 * |p|: gets the files' names (tls.ca_file, ...) of a device's run.
 * Returns 0 or an exit status, with a line said; nova_security_free() it in
 * either case, after the run. */
int nova_security_begin(struct nova_security *k, struct nova_profile *p,
                        struct nova_run_options *o);

/* Removes the files. */
void nova_security_free(struct nova_security *k);

#endif
