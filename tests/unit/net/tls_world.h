/* A world whose parties speak TLS without knowing it: connections are secured
 * as they come up, and only then is the test told of them. */
#ifndef NOVA_TEST_NET_TLS_WORLD_H
#define NOVA_TEST_NET_TLS_WORLD_H

#include "unit/net/world.h"

struct nova_certs;

enum { TLS_WORLD_PARTIES = 8, TLS_WORLD_CONNECTIONS = 8192 };

struct tls_world {
  struct world w; /* first */
  struct nova_certs *certs;
  struct {
    struct nova_transport *outer, *inner;
  } pair[TLS_WORLD_PARTIES];
  size_t pairs;
  struct nova_transport *(*attach)(struct world *w);
  void (*detach)(struct nova_transport *t);
  void (*free)(struct world *w);
  /* What was told of connections that are not secured yet. */
  struct {
    struct party *party;
    struct nova_event event;
  } pending[TLS_WORLD_CONNECTIONS];
  size_t pendings;
  struct nova_event now;
};

void tls_world_open_sim(struct tls_world *w,
                        const struct nova_sim_options *options);
void tls_world_open_loop(struct tls_world *w);
void tls_world_free(struct tls_world *w);

#endif
