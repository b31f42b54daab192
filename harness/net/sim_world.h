/* The simulated network inside: shared by sim.c (the world, its clock, parties,
 * listeners, jobs) and sim_conn.c (connections). */
#ifndef NOVA_NET_SIM_WORLD_H
#define NOVA_NET_SIM_WORLD_H

#include "net/heap.h"
#include "net/idmap.h"
#include "net/sim.h"

#include "base/rng.h"

/* What a heap node is part of. */
enum nova__sim_node {
  NOVA__SIM_ARRIVAL, /* nova__sim_dir: its first segment arrives */
  NOVA__SIM_SENT,    /* nova__sim_side: SENT is to be reported */
  NOVA__SIM_FATE,    /* nova__sim_conn: connecting took too long, or the loss */
  NOVA__SIM_WAKE,    /* nova__sim_party: wake_at() */
  NOVA__SIM_JOB,     /* nova__sim_job: it ends */
};

enum nova__sim_seg_kind {
  NOVA__SEG_SYN,     /* client to server: is there a listener? */
  NOVA__SEG_SYN_ACK, /* back: yes */
  NOVA__SEG_REFUSE,  /* back: no */
  NOVA__SEG_ACK,     /* client to server: established, accept */
  NOVA__SEG_DATA,
  NOVA__SEG_FIN,
  NOVA__SEG_RST,
};

/* One thing on its way. Those of data are part of their write, the others of
 * the direction, so that sending one needs no memory. */
struct nova__sim_seg {
  struct nova__sim_seg *next;
  struct nova__sim_write *write; /* DATA only */
  nova_ts arrival;
  uint32_t offset, n;
  enum nova__sim_seg_kind kind;
};

/* One send(): its bytes and their pieces. |refs| counts the pieces on their way
 * and the queue that it is in. */
struct nova__sim_write {
  struct nova__sim_write *next;
  size_t refs, n, segs, pushed; /* pushed: pieces on their way or arrived */
  nova_ts since;
  char *data;
  bool join;
  struct nova__sim_seg seg[];
};

struct nova__sim_queue {
  struct nova__sim_write *head, **tail;
};

/* One direction of a connection: what is on its way, in order. */
struct nova__sim_dir {
  struct nova__heap_node node;
  struct nova__sim_seg *head, **tail;
  nova_ts last;     /* the arrival of the last one */
  size_t in_flight; /* bytes of DATA on their way or held */
  struct nova__sim_seg handshake, fin, rst;
  bool fin_pushed, rst_pushed;
  bool forced; /* RST is delivered to a paused reader too */
};

/* One end of a connection. It is gone when nobody hears of it any more. */
struct nova__sim_side {
  struct nova__sim_conn *conn;
  struct nova__sim_party *party; /* NULL: gone, or not accepted yet */
  uint64_t id;
  bool open; /* CONNECTED or ACCEPTED was reported */
  bool paused, half_closed, eof;
  struct nova__sim_dir out;       /* to the other end */
  struct nova__sim_queue waiting; /* for the window; the head may be begun */
  size_t queued;                  /* bytes of those */
  struct nova__sim_queue sent;    /* to be reported */
  struct nova__heap_node sent_node;
};

struct nova__sim_conn {
  struct nova_sim *sim;
  struct nova__sim_conn *prev, *next;
  struct nova__sim_side side[2]; /* the client's, the server's */
  struct nova__heap_node fate;
  struct nova_rng rng;
  nova_ts begun, lost_at;
  unsigned pins; /* > 0: in use further up the stack, not to be freed */
  uint16_t port;
  char host[];
};

struct nova__sim_listener {
  struct nova__sim_listener *next;
  struct nova__sim_party *party;
  uint64_t id;
  uint16_t port;
  char host[];
};

struct nova__sim_party {
  struct nova_transport base; /* first: a transport is cast to its party */
  struct nova_sim *sim;
  struct nova__sim_party *prev, *next;
  struct nova__idmap sides, jobs;
  struct nova__heap_node wake;
  struct nova_rng rng;
  uint64_t next_id;
  bool crashed;
};

struct nova__sim_job {
  struct nova__heap_node node;
  struct nova__sim_party *party;
  uint64_t id;
  nova_ts begun;
  int code;
  struct nova_buf output, errors;
};

struct nova_sim {
  const struct nova_mem *mem;
  struct nova_sim_options options;
  struct nova__heap heap;
  nova_ts now;
  uint64_t events, same_time; /* same_time: events since the clock moved */
  bool stopped;
  struct nova__sim_party *parties;
  struct nova__sim_listener *listeners;
  struct nova__sim_conn *conns;
  size_t conn_count;
  uint64_t connects, party_count;
  void (*job_fn)(void *, const struct nova_job *, struct nova_sim_result *);
  void *job_user;
  char why[512];      /* sentences of REFUSED and listen() */
  char joined[65536]; /* where JOIN puts pieces together */
};

static inline struct nova__sim_party *
nova__sim_party(struct nova_transport *transport) {
  return (struct nova__sim_party *)transport;
}

/* The listener that |host|:|port| reaches, or NULL. */
struct nova__sim_listener *
nova__sim_find_listener(struct nova_sim *sim, const char *host, uint16_t port);

/* A node of the heap came up. */
void nova__sim_arrive(struct nova__sim_dir *dir);
void nova__sim_report_sent(struct nova__sim_side *side);
void nova__sim_meet_fate(struct nova__sim_conn *conn);

/* The operations on connections; see base/transport.h. */
int nova__sim_connect(struct nova_transport *t, uint64_t id, const char *host,
                      uint16_t port, nova_ts timeout);
int nova__sim_send(struct nova_transport *t, uint64_t id, const char *p,
                   size_t n);
int nova__sim_half_close(struct nova_transport *t, uint64_t id);
void nova__sim_close(struct nova_transport *t, uint64_t id, bool rst);
void nova__sim_pause(struct nova_transport *t, uint64_t id, bool paused);

/* The side leaves: by FIN or RST, without an event. */
void nova__sim_leave(struct nova__sim_side *side, bool rst);

/* Frees the connection whatever its state; for nova_sim_free(). */
void nova__sim_conn_free(struct nova__sim_conn *conn);

#endif
