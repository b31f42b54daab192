/* Inside the run: its state, and what its files share. */
#ifndef NOVA_RUN_STATE_H
#define NOVA_RUN_STATE_H

#include "run/plan.h"

struct nova__guest; /* lobby.c */
struct nova__aside; /* aside.c */

/* The listeners of a run whose device is operated by hand, one for each
 * transport; those of conversations follow, by their place in the plan. */
#define NOVA__DOOR  UINT64_C(1)
#define NOVA__DOORS 3

/* A listener of a conversation. */
static inline uint64_t nova__listener(size_t planned,
                                      enum nova_link_kind over) {
  return NOVA__DOOR + NOVA__DOORS + planned * NOVA__DOORS + over;
}

/* The transport of a listener, whoever's it is. */
static inline enum nova_link_kind nova__listener_over(uint64_t listener) {
  return (enum nova_link_kind)((listener - NOVA__DOOR) % NOVA__DOORS);
}

struct nova_run {
  struct nova_run_options o;
  struct nova_arena arena;
  struct nova_json *json, *payloads; /* the players' scanners */
  struct nova_results results;
  struct nova_profile profile; /* keys change with reset_key */
  bool *leased, *dead;         /* by credential */
  nova_ts *rests_until;        /* by credential; 0: does not rest */
  struct nova__planned *plan;
  size_t planned, active;
  unsigned connections; /* reserved by the active */
  uint64_t next_id;
  nova_ts started, ended;
  uint64_t started_unix;
  nova_ts worst_error;
  unsigned unreached; /* in a row */
  bool reached;       /* a connection was made at least once */
  bool over, interrupted, pumping;
  bool replan;     /* something ended since it was last tried to start more */
  bool by_hand;    /* a device that connects when it likes */
  bool *met;       /* by credential: it connected once */
  uint8_t *absent; /* by credential: bits 1 << enum nova_link_kind: it never
                      came that way */
  nova_ts next_start;         /* when a process of a device would be
                                 started if they came at an even pace */
  nova_ts patience;           /* for its first connection */
  uint16_t port[NOVA__DOORS]; /* that are listened on; 0: none, or one a
                                 conversation */
  bool favoured[NOVA__DOORS]; /* a device came to this door while conversations
                                 of another one waited for it */
  struct nova__aside *aside;  /* NULL: nobody came there */
  struct nova__guest *guest, **guest_tail; /* whose conversation is not known */
  size_t guests;
};

static inline nova_ts nova__now(const struct nova_run *r) {
  return r->o.transport->ops->now(r->o.transport);
}

/* Devices are tested one by one, each by itself. */
static inline bool nova__alone(const struct nova_run *r) {
  return r->profile.subject == NOVA_ROLE_DEVICE;
}

/* victim.c */
/* Whether what ended this conversation may have been another one's doing: its
 * connection was lost about when the other sent something hard, or it failed
 * while or after another one's probe found the subject dead or deaf. */
bool nova__victim(const struct nova_run *r, const struct nova__planned *p);
/* It cannot be tried again: what it found proves nothing. */
void nova__excuse_all(struct nova_run *r, struct nova__planned *p);
/* Whether a bound was missed by less than the timing error. */
bool nova__wants_retry(const struct nova__planned *p);

/* run.c */
/* Feeds an event of the transport, as the player's connection |number|. */
void nova__feed(struct nova__planned *p, struct nova_event e, unsigned number);
/* Lets a player say all that it wants now; settles it when it is done. */
void nova__drain(struct nova_run *r, struct nova__planned *p);
void nova__conclude(struct nova_run *r, struct nova__planned *p);
/* The link of that transport's or player's connection, or NULL. */
struct nova__link *nova__link_of(struct nova__planned *p, uint64_t id);
struct nova__link *nova__link_number(struct nova__planned *p, unsigned number);
/* Begins TLS on a connection, as the player wishes. */
void nova__begin_tls(struct nova_run *r, struct nova__planned *p,
                     const struct nova_action *a);
/* Begins TLS on a connection of a device, as it is where no script says
 * otherwise. Returns 0 or an error of secure(). */
int nova__begin_tls_at(struct nova_run *r, uint64_t id);
/* It has not met its device: it waits again, as if it had not begun. */
void nova__put_back(struct nova_run *r, struct nova__planned *p);
/* A free link, NULL for none. */
struct nova__link *nova__link_free(struct nova__planned *p);

/* device.c: a device under test. */
/* Gives it what its conversation needs: a port, a process. Returns NULL, or why
 * it cannot be: |arena| of the run holds it. */
const char *nova__device_begin(struct nova_run *r, struct nova__planned *p);
/* Its conversation is played. True where its process is still to be waited for.
 */
bool nova__device_end(struct nova_run *r, struct nova__planned *p);
/* Its process has ended. */
void nova__device_gone(struct nova_run *r, struct nova__planned *p,
                       const struct nova_event *e);
/* Makes up credentials where the profile has none, and the times of data and
 * status. Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__device_prepare(struct nova_run *r);
/* Why a conversation says nothing of a device with this profile; NULL. */
const char *nova__device_exempt(const struct nova_run *r,
                                const struct nova__planned *p);
/* A connection on a listener of a conversation, or of the run. */
void nova__device_accept(struct nova_run *r, const struct nova_event *e);

/* aside.c: what a spawned device does on the ports of other transports than its
 * conversation's. */
void nova__aside_enter(struct nova_run *r, const struct nova_event *e);
/* False where it is no connection of these. */
bool nova__aside_event(struct nova_run *r, const struct nova_event *e);
nova_ts nova__aside_deadline(const struct nova_run *r);
void nova__aside_expire(struct nova_run *r, nova_ts now);
/* Closes what is left; the run is over. */
void nova__aside_close(struct nova_run *r);
void nova__aside_free(struct nova_run *r);

/* lobby.c: connections of devices that are operated by hand, until it is known
 * whose they are. */
void nova__lobby_enter(struct nova_run *r, const struct nova_event *e);
/* An event of one that waits there; false where it is none of them. */
bool nova__lobby_event(struct nova_run *r, const struct nova_event *e);
/* Hands over what belongs to conversations under way. */
void nova__lobby_sort(struct nova_run *r);
/* When somebody there has waited long enough; NONE. */
nova_ts nova__lobby_deadline(const struct nova_run *r);
void nova__lobby_free(struct nova_run *r);

#endif
