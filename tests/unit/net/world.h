/* Two parties on a network, real or simulated, and what they saw: the same test
 * runs on both, so that the simulated one is true to the real one. */
#ifndef NOVA_TEST_NET_WORLD_H
#define NOVA_TEST_NET_WORLD_H

#include "base/buf.h"
#include "base/error.h"
#include "base/transport.h"
#include "net/loop.h"
#include "net/sim.h"

#include <criterion/criterion.h>

/* One event as it was reported, its bytes apart. */
struct seen {
  enum nova_event_kind kind;
  uint64_t id, listener;
  nova_ts t, since;
  size_t n; /* how many bytes came with it */
  int code;
};

struct party {
  struct world *world;
  struct nova_transport *t;
  struct seen *seen;
  size_t n, cap;
  struct nova_buf bytes;  /* of all BYTES events, one behind the other */
  struct nova_buf text;   /* bytes of the last event that is not BYTES */
  struct nova_buf errors; /* of the last JOB */
  size_t expired;         /* calls of expire(), */
  nova_ts expired_at;     /* and the time of the last */
  /* What the test does on an event, from inside the handler; may be NULL. */
  void (*on_event)(struct party *p, const struct nova_event *e);
};

struct world {
  struct party a, b;
  const char *host;
  bool inside;  /* a call into a transport is under way */
  nova_ts last; /* the latest time that was reported */
  void *net;
  bool (*done)(struct world *w); /* ends world_run() early; may be NULL */
  /* What a party sees of an event, NULL: nothing. May be NULL: all of it. */
  const struct nova_event *(*filter)(struct party *p,
                                     const struct nova_event *e);
  /* The kind of network. */
  void (*run)(struct world *w, nova_ts span);
  void (*stop)(struct world *w);
  struct nova_transport *(*attach)(struct world *w);
  void (*detach)(struct nova_transport *t);
  void (*free)(struct world *w);
};

void world_open_sim(struct world *w, const struct nova_sim_options *options);
void world_open_loop(struct world *w);
void world_free(struct world *w);

/* Adds a party of its own to the world's network. */
void party_open(struct world *w, struct party *p);
void party_free(struct party *p);

/* Lets |span| pass, or less if the world's done() says so. */
void world_run(struct world *w, nova_ts span);

/* Runs until |p| has seen |count| events of |kind| under |id| (0: any id), at
 * most 10 s. Fails the test otherwise. */
void world_await(struct world *w, struct party *p, enum nova_event_kind kind,
                 uint64_t id, size_t count);

/* Runs until |p| has |n| bytes, at most 30 s. Fails the test otherwise. */
void world_await_bytes(struct world *w, struct party *p, size_t n);

size_t party_count(const struct party *p, enum nova_event_kind kind,
                   uint64_t id);

/* The last event of that kind and id (0: any), NULL for none. */
const struct seen *party_last(const struct party *p, enum nova_event_kind kind,
                              uint64_t id);

/* The calls of the interface, watched: none may call the handler. */
int net_connect(struct party *p, uint64_t id, const char *host, uint16_t port,
                nova_ts timeout);
uint16_t net_listen(struct party *p, uint64_t listener, const char *host,
                    uint16_t port);
int net_send(struct party *p, uint64_t id, const char *bytes, size_t n);
int net_half_close(struct party *p, uint64_t id);
void net_close(struct party *p, uint64_t id, bool rst);
void net_pause(struct party *p, uint64_t id, bool paused);
void net_wake_at(struct party *p, nova_ts when);
nova_ts net_now(struct party *p);

/* b connects to a under id 1; returns the id that a got. */
uint64_t world_join(struct world *w);

/* |n| bytes that are different at every place where bytes can get lost. */
void fill(char *p, size_t n, uint32_t salt);

#endif
