/* The player: plays one side of a conversation and judges the other. Sans-I/O:
 * it is fed what happened and asked what to do.
 *
 *     nova_player_new
 *     loop:  while nova_player_next_action: do it on the network
 *            wait for an event or nova_player_next_deadline
 *            nova_player_feed(event)  or  nova_player_expire(now)
 *     until  nova_player_done
 *     nova_player_checks, nova_player_transcript
 *
 * What it finds depends on the events and their times alone: before an event at
 * time t is looked at, all deadlines before t are dealt with at their own
 * times, however late the caller came to feed it. So a recorded run judges the
 * same as a live one. All times count from the conversation's start. */
#ifndef NOVA_CONVERSATION_PLAYER_H
#define NOVA_CONVERSATION_PLAYER_H

#include "base/transport.h"
#include "conversation/check.h"
#include "conversation/profile.h"
#include "conversation/transcript.h"

struct nova_player;

struct nova_player_options {
  const struct nova_mem *mem;         /* NULL: the C library's */
  const struct nova_script *script;   /* outlives the player */
  const struct nova_rule *rules;      /* likewise; the whole list */
  const struct nova_profile *profile; /* likewise */
  enum nova_role harness;             /* the side that it plays */
  /* The leased credentials; |other| may be the same as |device| where the
   * script prefers another one and there is none; NULL where the script has
   * none. Keys are the ones in force now. */
  const struct nova_login *device, *other;
  uint64_t seed;        /* of this conversation */
  uint64_t unix_ns;     /* Unix time at the conversation's start */
  nova_ts timing_error; /* the run's measured error so far, ns */
  uint32_t hooks;       /* bit 1 << enum nova_hook: it can be run */
  nova_ts patience;     /* a device under test: how long its first connection is
                           waited for; NONE: for ever */
  bool again; /* a device under test: it had connected in this run before,
                 so that its first connection here is none */
  bool tls; /* a script of `transport: mqtt` is played over TLS: its connections
               count from when they are secured */
  struct nova_json *json, *payloads; /* scanners that several players share,
                                        nova_player_scanners(); NULL: it makes
                                        its own */
  size_t evidence; /* the most bytes of evidence that it keeps; 0: 2 MiB */
};

/* What the player asks for. */
enum nova_action_kind {
  NOVA_ACTION_CONNECT,
  NOVA_ACTION_SEND,
  NOVA_ACTION_CLOSE, /* |code| 0: FIN, 1: RST */
  NOVA_ACTION_HALF_CLOSE,
  NOVA_ACTION_HOOK,   /* run |hook| with |env|; ends in NOVA_EVENT_JOB, id 0 */
  NOVA_ACTION_SECURE, /* begin TLS, on the harness's side as |tls| says */
};

struct nova_action {
  enum nova_action_kind kind;
  unsigned connection;    /* from 1 */
  struct nova_view bytes; /* SEND; valid until the next call */
  int code;
  bool hazard; /* SEND: may crash a careless subject */
  enum nova_hook hook;
  const char *const *env;   /* HOOK: "NAME=value" list, NULL-terminated; valid
                               until the next call */
  struct nova_tls_wish tls; /* SECURE */
  bool platform;            /* CONNECT: of the platform's client */
};

/* Makes the scanners that players of one thread can share: each takes some
 * megabytes. |json|, |payloads|: NULL without memory; nova_json_free() them
 * behind the last player. */
void nova_player_scanners(const struct nova_mem *mem, struct nova_json **json,
                          struct nova_json **payloads);

/* Returns NULL without memory. */
struct nova_player *nova_player_new(const struct nova_player_options *o);
void nova_player_free(struct nova_player *p);

/* What to do next; false where there is nothing now. |now|: the clock is moved
 * on to it first, as by nova_player_expire(); 0 leaves it where the last event
 * set it, for a caller that may have events waiting which are older than now.
 * SEND is reported back as NOVA_EVENT_SENT, CONNECT as CONNECTED or REFUSED,
 * with the connection as id. A CLOSE of a connection that is gone already is to
 * be ignored. */
bool nova_player_next_action(struct nova_player *p, nova_ts now,
                             struct nova_action *out);

/* Feeds an event; |e->id| is the connection's number (a harness that is the
 * server gives new ones, from 1), 0 for a hook. |e->t| and |e->since| count
 * from the conversation's start. To a harness that is the server JOB says that
 * the process of the device has ended, with all that it had started: taken as
 * evidence even when the player is done. */
void nova_player_feed(struct nova_player *p, const struct nova_event *e);

/* The run's measured timing error of this moment, ns. Only a larger one than
 * before counts, rounded up to a millisecond, and stands in the transcript. */
void nova_player_set_timing_error(struct nova_player *p, nova_ts error);

/* The time came; deals with every deadline before |now|. */
void nova_player_expire(struct nova_player *p, nova_ts now);

/* When it wants to be called at the latest; NOVA_TS_NONE for never. */
nova_ts nova_player_next_deadline(const struct nova_player *p);

bool nova_player_done(const struct nova_player *p);

/* Ends it now: what is open is inconclusive for |reason| (copied). */
void nova_player_abort(struct nova_player *p, const char *reason);

/* The checks so far, in the order in which they were made; final once done.
 * Valid until the player is freed. */
const struct nova_check *nova_player_checks(const struct nova_player *p,
                                            size_t *n);
const struct nova_transcript *
nova_player_transcript(const struct nova_player *p);

/* The conversation's own verdict: the worst of its checks; NOT_TESTED where
 * nothing could be tried, with |reason|. */
enum nova_verdict nova_player_verdict(const struct nova_player *p,
                                      const char **reason);

/* When the subject ended a connection that it should have kept, or refused one:
 * the conversation may have been the victim of another. NONE where it did not.
 */
nova_ts nova_player_lost_at(const struct nova_player *p);

/* The peer was never reached: every connect of the conversation was refused. */
bool nova_player_unreached(const struct nova_player *p);

/* When it last sent what may crash a careless subject; NONE for never. */
nova_ts nova_player_hazard_at(const struct nova_player *p);

/* A new key that a reset_key hook printed for |device| ("device" or "other");
 * NULL for none. Used from then on. */
const char *nova_player_new_key(const struct nova_player *p,
                                const char **device_id);

/* What it does or waits for now, for a person, and until when (NONE: no bound).
 * |out|: takes the sentence, cut at |cap| - 1. Returns |out|. */
char *nova_player_waits_for(const struct nova_player *p, bool chinese,
                            char *out, size_t cap, nova_ts *until);

/* The device under test has connected in this conversation. */
bool nova_player_met(const struct nova_player *p);

#endif
