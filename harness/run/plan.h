/* Inside the run: which conversations there are, and in which order. */
#ifndef NOVA_RUN_PLAN_H
#define NOVA_RUN_PLAN_H

#include "run/run.h"

enum nova__plan_state {
  NOVA__WAITING,
  NOVA__ACTIVE,
  NOVA__LEAVING, /* played; the process of its device is being ended */
  NOVA__ENDED,
};

/* Connections of a conversation at once: those of its script, and what a device
 * under test opens besides. */
#define NOVA__LINKS 32

struct nova__link {
  struct nova_transport *via; /* the run's, or that of libmosquitto */
  uint64_t id;                /* the transport's, 0: free */
  unsigned number;            /* the player's */
  bool shaken;                /* its TLS was begun already */
};

/* It waits for a first data or status message. */
#define NOVA__WAITS_DATA   1u
#define NOVA__WAITS_STATUS 2u

struct nova__planned {
  const struct nova_script *script;
  nova_ts estimate;
  unsigned timers;          /* NOVA__WAITS_* */
  enum nova_link_kind over; /* the address that it is played at: a script of
                               MQTT takes the one with TLS where there is no
                               other */
  enum nova__plan_state state;
  bool quiet;     /* a second try: nothing hazardous beside it */
  bool disturbed; /* its last try may have failed by another one's doing */
  unsigned tries;
  struct nova_player *player; /* of the last try; kept for its evidence */
  struct nova_conversation_result result;
  /* while ACTIVE */
  nova_ts t0;
  size_t device, other; /* leased credentials, SIZE_MAX: none */
  struct nova__link link[NOVA__LINKS];
  unsigned accepted;          /* connections of a device so far */
  uint64_t listener;          /* 0: none of its own */
  uint64_t job;               /* a hook, or the device's process; 0: none */
  nova_ts hazard_at, lost_at; /* of the last try, in the run's time */
};

/* The profile's address for a script, and which of them; NULL where there is
 * none, or where the profile declares that there is no such transport. */
const struct nova_address *nova__address_for(const struct nova_profile *p,
                                             enum nova_link_kind wanted,
                                             enum nova_link_kind *over);

/* The address of that kind, as it is. */
static inline struct nova_address *nova__address_at(struct nova_profile *p,
                                                    enum nova_link_kind over) {
  struct nova_address *all[] = {&p->tcp, &p->mqtt, &p->mqtts};
  return all[over];
}

/* The conversations that the options select, in the order in which they are to
 * start. |n|: how many. NULL without memory; freed by the caller. */
struct nova__planned *nova__plan(const struct nova_run_options *o, size_t *n);

/* How the reason of an excused check begins: the subject may have suffered from
 * another conversation. */
#define NOVA__EXCUSE                                                           \
  "the subject had been tested hard by another conversation, and this could "  \
  "not be tried again: "

/* Makes the failed checks of a conversation's steps inconclusive for that
 * reason; |arena| holds it. */
void nova__excuse(struct nova_arena *arena, struct nova_check *check, size_t n);

/* The first check that failed, or NULL. */
const struct nova_check *nova__first_failure(const struct nova_check *check,
                                             size_t n);

#endif
