/* A simulated network with a virtual clock: the transport of base/transport.h
 * for any number of parties in one process, without a socket or a wait. Time
 * jumps from event to event, so that a timer of 180 s costs what a byte costs.
 * The same seed and the same calls give the same events, in the same order, at
 * the same times.
 *
 * What it has of TCP: three-way handshake, order within a connection, a window
 * (a sender is stopped by a receiver that does not read), FIN behind the data,
 * half-close, RST in answer to data for an end that is closed. What it has not:
 * lost segments that are sent again (they would be a longer latency), and the
 * cost of sending: SENT comes at the time of send() while the window is open.
 */
#ifndef NOVA_NET_SIM_H
#define NOVA_NET_SIM_H

#include "base/buf.h"
#include "base/mem.h"
#include "base/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nova_sim;

/* How the bytes of a write are cut into BYTES events. A piece never has more
 * than 64 KiB. */
enum nova_sim_cut {
  NOVA_SIM_WHOLE,  /* one write, one event */
  NOVA_SIM_RANDOM, /* up to 8 pieces, cut anywhere; often the last byte stands
                      alone */
  NOVA_SIM_BYTES,  /* one byte an event. Beyond 4096 bytes the first 2048 and
                      the last 2048 are cut so and the middle is one piece: a
                      write never costs more than some 4096 events */
  NOVA_SIM_JOIN,   /* a write that is made while an earlier one is on its way
                      arrives with it, in one event */
  NOVA_SIM_MIXED,  /* each write draws one of the four */
};

/* A connection that is lost: both ends get RESET. */
struct nova_sim_loss {
  uint64_t connection; /* the n-th connect() of the sim, from 0 */
  nova_ts t;           /* when; before it is established: as soon as it is */
};

/* Zeroed = no latency, whole writes, nothing lost, nothing late. */
struct nova_sim_options {
  uint64_t seed;
  uint64_t unix_start_ns; /* Unix time at the virtual time 0 */
  nova_ts latency_min; /* one way, drawn for each segment; the order within */
  nova_ts latency_max; /* a direction of a connection is kept all the same */
  enum nova_sim_cut cut;
  size_t window;      /* bytes on their way or unread that a direction holds
                         before SENT waits; 0: 256 KiB */
  uint32_t loss_ppm;  /* of a million connections so many are lost, ... */
  nova_ts loss_after; /* ... at a time up to this after connect() */
  const struct nova_sim_loss *loss; /* kept by the caller; may be NULL */
  size_t losses;
  nova_ts late_max; /* expire() is called up to this after wake_at()'s time */
  nova_ts
      job_delay; /* from run() to JOB, unless the job's function says else */
};

/* Makes a network at the virtual time 0.
 * |mem|: the allocator, NULL for the C library's.
 * |options|: copied (the list of losses is not); NULL for zeroed ones.
 * Returns NULL without memory. */
struct nova_sim *nova_sim_new(const struct nova_mem *mem,
                              const struct nova_sim_options *options);

/* Frees the network and every transport of it. Not from inside a handler. NULL
 * is ignored. */
void nova_sim_free(struct nova_sim *sim);

/* A transport for one more party, with ids of its own; its handler is to be set
 * before the next nova_sim_run(). NULL without memory.
 *
 * A host is any name. A connect() reaches the listener on the same name (case
 * does not matter) and port, else one on "0.0.0.0", "::" or "*" and that port,
 * whichever party it is of. Where nobody listens it is refused. Two kinds of
 * names never answer: those that end in ".invalid" are not found
 * (NOVA_CODE_UNREACHABLE), those that begin with "192.0.2." keep silent until
 * connect()'s time is over (NOVA_CODE_TIMEOUT). */
struct nova_transport *nova_sim_attach(struct nova_sim *sim);

/* Closes what the party has (connections with FIN, listeners, jobs) and frees
 * its transport, without an event; also from inside its own handler. */
void nova_sim_detach(struct nova_transport *transport);

/* The party's process dies: its connections (RST to the peers, behind what is
 * on its way), listeners, jobs and wake_at() vanish, without an event to its
 * own handler. Until it is revived its calls return NOVA_ERR_STATE, or do
 * nothing. */
void nova_sim_crash(struct nova_sim *sim, struct nova_transport *transport);

/* The party is back, with nothing: it listens and connects anew. */
void nova_sim_revive(struct nova_sim *sim, struct nova_transport *transport);

/* What a job of the simulated world comes to. */
struct nova_sim_result {
  int exit_code;    /* 0 beforehand; or a code of enum nova_event_code */
  nova_ts duration; /* nova_sim_options.job_delay beforehand; NOVA_TS_NONE:
                       until stop() or the job's timeout */
  struct nova_buf *output, *errors; /* to be filled; the job's limits are
                                       applied afterwards */
  struct nova_transport *party; /* who started it, and under which id: for */
  uint64_t id;                  /* nova_sim_exit() */
};

/* A job without an end ends by itself, now. Unknown ids are ignored. */
void nova_sim_exit(struct nova_transport *t, uint64_t id, int code);

/* |fn| answers every run(), from inside it, and JOB follows after the result's
 * duration. A job whose timeout is shorter ends then, with NOVA_CODE_TIMEOUT;
 * one that is stopped ends at once, with NOVA_CODE_SIGNAL. Without a function
 * jobs end with NOVA_CODE_NOT_STARTED. */
void nova_sim_set_job(struct nova_sim *sim,
                      void (*fn)(void *user, const struct nova_job *job,
                                 struct nova_sim_result *result),
                      void *user);

enum nova_sim_end {
  NOVA_SIM_IDLE,    /* nothing is scheduled any more */
  NOVA_SIM_UNTIL,   /* |until| was reached */
  NOVA_SIM_STOPPED, /* nova_sim_stop() */
  NOVA_SIM_STUCK,   /* 10 million events without time moving on: parties that
                       keep each other busy with no latency */
};

/* Runs what is scheduled up to and including |until|, a point in virtual time;
 * NOVA_TS_NONE: to the end. With IDLE and UNTIL the time is |until| afterwards
 * (with NOVA_TS_NONE: that of the last event). */
enum nova_sim_end nova_sim_run(struct nova_sim *sim, nova_ts until);

/* From inside a handler: nova_sim_run() returns after this event. */
void nova_sim_stop(struct nova_sim *sim);

nova_ts nova_sim_now(const struct nova_sim *sim);

/* How many events were processed so far. */
uint64_t nova_sim_events(const struct nova_sim *sim);

/* How many connections exist: not yet closed at both ends, or with bytes still
 * on their way. */
size_t nova_sim_connections(const struct nova_sim *sim);

#endif
