/* Certificates of one run, made when it starts and never kept: a CA, server
 * certificates that are good or bad in one way each, client certificates. */
#ifndef NOVA_NET_CERTS_H
#define NOVA_NET_CERTS_H

#include "base/tls.h"

#include <stddef.h>
#include <stdint.h>

struct nova_certs;

/* |names|: the DNS names and IP addresses that the good server certificate
 *   carries, |n| of them, 1 or more; the bad ones but WRONG_NAME carry them
 * too. |unix_seconds|: the present. |why|: on failure the library's reason,
 * static or valid until the next call. Returns NULL on failure. */
struct nova_certs *nova_certs_new(const char *const *names, size_t n,
                                  int64_t unix_seconds, const char **why);
void nova_certs_free(struct nova_certs *c); /* NULL is ignored */

/* Valid until they are freed. */
const struct nova_certificates *nova_certs_get(const struct nova_certs *c);

#endif
