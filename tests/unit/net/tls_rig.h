/* Two parties that speak TLS: a is the server, b the client, on a network of
 * either kind. What each is to do stands in |how| before they join. */
#ifndef NOVA_TEST_NET_TLS_RIG_H
#define NOVA_TEST_NET_TLS_RIG_H

#include "net/certs.h"
#include "net/tls.h"
#include "unit/net/world.h"

struct tls_end {
  struct nova_tls how;
  bool plain;      /* does not secure what it opens */
  int err;         /* of secure() */
  char said[1024]; /* the last SECURED or INSECURE, NUL-terminated */
  size_t secured, insecure;
  void (*on_event)(struct party *p, const struct nova_event *e);
};

struct tls_rig {
  struct world w; /* first */
  struct nova_transport *inner_a, *inner_b;
  struct tls_end a, b;
  struct nova_certs *certs;
  const struct nova_certificates *list;
  uint16_t port;
  uint64_t id; /* of the last connection at a */
};

/* Certificates are for "localhost", "device.example" and "127.0.0.1". |mem|: of
 * the TLS part, NULL for the C library's. */
void tls_open_sim(struct tls_rig *r, const struct nova_mem *mem,
                  const struct nova_sim_options *options);
void tls_open_loop(struct tls_rig *r, const struct nova_mem *mem);
void tls_free(struct tls_rig *r);

/* b connects to a (under |id|) and both secure; runs until each has SECURED or
 * INSECURE or RESET or EOF, 5 s at most. */
void tls_join(struct tls_rig *r, uint64_t id);

/* As tls_join(), and both are SECURED. */
void tls_join_well(struct tls_rig *r, uint64_t id);

/* Whether |end| said |text| somewhere in its last SECURED or INSECURE. */
bool tls_said(const struct tls_end *end, const char *text);

#define TLS_ON_BOTH(name)                                                      \
  static void name##_(struct tls_rig *r);                                      \
  Test(tls_sim, name) {                                                        \
    struct tls_rig r;                                                          \
    tls_open_sim(&r, NULL, NULL);                                              \
    name##_(&r);                                                               \
    tls_free(&r);                                                              \
  }                                                                            \
  Test(tls_loop, name) {                                                       \
    struct tls_rig r;                                                          \
    tls_open_loop(&r, NULL);                                                   \
    name##_(&r);                                                               \
    tls_free(&r);                                                              \
  }                                                                            \
  static void name##_(struct tls_rig *r)

#endif
