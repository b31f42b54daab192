/* Inside the player: its state, and what its files share. */
#ifndef NOVA_CONVERSATION_PLAY_H
#define NOVA_CONVERSATION_PLAY_H

#include "codec/line.h"
#include "codec/message.h"
#include "conversation/player.h"
#include "conversation/wanted.h"
#include "peer/broker.h"
#include "peer/mqtt_client.h"

/* How long after a late bound an event is still waited for, so that a finding
 * can say how late it came. */
#define NOVA_PLAY_GRACE (250 * NOVA_MS)

/* Lines that nobody asked for are kept this far, the oldest go first. */
#define NOVA_PLAY_INBOX_ITEMS 1024
#define NOVA_PLAY_INBOX_BYTES (1u << 20)

#define NOVA_PLAY_NESTING 6
#define NOVA_PLAY_REPEATS 4
#define NOVA_PLAY_NAMES   64

/* Connections that a device opened and no step has taken; more than these at
 * once are reset. */
#define NOVA_PLAY_VISITORS 16
#define NOVA_PLAY_CONNS    (NOVA_CONNECTIONS + NOVA_PLAY_VISITORS)

/* Pongs of one connection that wait until a line in pieces is out. */
#define NOVA_PLAY_PONGS 4096

/* Commands whose answers are still told apart, and connections whose times are
 * kept for `attempts`. */
#define NOVA_PLAY_ORDERS   64
#define NOVA_PLAY_ACCEPTED 256

/* When something happened: from |since| at the earliest, by |t| it was over. */
struct nova__moment {
  nova_ts since, t;
};

/* A line of the subject that no step has taken yet. */
struct nova__item {
  const struct nova_mem *mem;
  struct nova__item *next;
  nova_ts t;
  size_t entry; /* in the transcript */
  bool bad;     /* no JSON object: TCP-FRAME-01 was charged */
  bool empty;
  bool huge;                  /* of MQTT: only its type is kept */
  enum nova_msg_kind kind;    /* inferred where the type is unclear */
  unsigned flawed;            /* bit per field of the table, bit 31: the type */
  enum nova_mqtt_type packet; /* of MQTT; NONE: a line */
  enum nova_payload_kind says; /* of a PUBLISH */
  unsigned flawed_packet;      /* bit per member of the packet (play_mqtt.c) */
  enum nova_msg_kind like; /* of an unknown type: what its members look like */
  const char *answers;     /* a command_response: the id of the command that it
                              answers, as JSON, whatever it says; may be NULL */
  size_t n;
  char text[];
};

/* The object of a packet that is an item: it was made as one. */
static inline struct nova_json_value
nova__packet_value(const struct nova__item *item) {
  return (struct nova_json_value){NOVA_JSON_OBJECT, {item->text, item->n}};
}

enum nova__link {
  NOVA__LINK_NONE,
  NOVA__LINK_CONNECTING,
  NOVA__LINK_OPEN,
  NOVA__LINK_EOF,   /* the subject closed */
  NOVA__LINK_RESET, /* the subject reset */
  NOVA__LINK_CLOSED /* the harness closed or reset */
};

enum nova__secured { NOVA__PLAIN, NOVA__SECURED, NOVA__INSECURE };

struct nova__conn {
  unsigned number; /* as events and the transcript call it; 0: none yet */
  enum nova__link link;
  bool refused;
  struct nova_line line;
  bool framing; /* |line| is set up */
  struct nova__item *inbox, **tail;
  size_t items, item_bytes;
  struct nova__moment moment; /* of the last step that did or took something */
  nova_ts asked;    /* since when an answer counts: before the last send */
  nova_ts lost;     /* when the subject ended it, NONE */
  nova_ts last_out; /* when something was last sent, for pings */
  nova_ts partial;  /* when the bytes of an unfinished line began to wait */
  nova_ts heard;    /* when bytes came last */
  bool overlong;    /* the unfinished line was found too long already */
  size_t lost_entry;
  bool authenticated;
  const char *auth_id; /* the device_id of its auth as JSON, NULL */
  bool as_other;       /* its last auth named the other device */
  bool half_closed;
  unsigned unsent; /* sends that were not reported back yet */
  /* of a device under test */
  nova_ts accepted;
  bool again;   /* not the device's first connection */
  bool met;     /* its first message was looked at, or need not be */
  bool spoke;   /* a line has come */
  bool closing; /* to be closed when what was sent is out */
  unsigned pongs_due;
  /* of MQTT */
  bool mqtt;
  struct nova_mqtt_client *client; /* a harness that is the device */
  struct nova_mqtt_stream packets; /* a harness that is the server */
  bool streaming;                  /* |packets| is set up */
  struct nova_buf due;             /* answers that nobody has to ask for */
  uint16_t keep_alive;             /* in seconds, of the subject's CONNECT */
  nova_ts packet_at;               /* when a packet came last, NONE */
  bool in_session;   /* a CONNECT of the subject, or a CONNACK 0 of it, came */
  bool disconnected; /* a DISCONNECT of the subject came */
  /* of TLS */
  enum nova__secured secured;
  nova_ts secured_at;
  const char *handshake; /* what SECURED or INSECURE told */
  size_t handshake_entry;
};

/* A command of the harness. */
struct nova__order {
  const char *json; /* its command_id as JSON, in the arena */
  bool answered;
};

/* An awaited `repeat`: what is listened to. */
struct nova__beat {
  const struct nova_step *step; /* NULL: none */
  nova_ts last;                 /* when it was last heard */
  nova_ts gap;                  /* the first one that was too long, NONE */
  size_t entry;
};

struct nova__named {
  const char *name;
  struct nova__moment moment;
  const char *json; /* the message that was sent or taken, a hook's output */
};

struct nova__repeat {
  const struct nova_step *step;
  nova_ts next, until;
  size_t at; /* the next byte of raw */
};

/* Bytes on their way out in segments. */
struct nova__sending {
  struct nova_buf bytes;
  size_t at;
  size_t cut[16];
  size_t cuts, cut_next;
  bool by_byte;
  nova_ts pause, next;
  bool active, waiting; /* waiting: for SENT of the last piece */
  nova_ts give_up;      /* waiting: until then; the subject does not read */
  struct nova__moment moment;
};

struct nova__rule_count {
  size_t judged, failed;
};

struct nova__queued {
  struct nova__queued *next;
  struct nova_action action;
  size_t n;
  char bytes[];
};

/* What was found when an awaited step was looked at last: without another item
 * nothing is to be found again. */
struct nova__looked {
  unsigned epoch; /* when it began; 0: it was not looked at */
  uint64_t items;
  nova_ts since;
};

struct nova_player {
  struct nova_player_options o;
  struct nova_arena arena;
  enum nova_role subject;
  struct nova_login device, other; /* copies; keys in force */
  const char *old_key;
  const char *new_key, *new_key_device;
  const char *unknown_id;
  struct nova_rng rng;
  struct nova_json *json;
  nova_ts now;

  const struct nova_step *step; /* NULL: all steps are over */
  const struct nova_step *back[NOVA_PLAY_NESTING]; /* after the branches */
  size_t depth;
  bool begun;                  /* the present step was started */
  unsigned epoch;              /* counts the steps that were started */
  uint64_t items;              /* that have come, on all connections */
  struct nova__looked *looked; /* by the step's number */
  nova_ts begun_at;
  bool job_pending;
  nova_ts job_keep; /* next ping while a hook runs */
  struct nova__moment job_moment;

  /* Those of the script's connections, then visitors. */
  struct nova__conn conn[NOVA_PLAY_CONNS];
  nova_ts accepted[NOVA_PLAY_ACCEPTED];
  size_t accepted_n; /* all of them */
  bool bound_once;   /* a connection was taken by a step */
  struct nova__order order[NOVA_PLAY_ORDERS];
  size_t orders;
  const struct nova__conn *judging; /* whose message is looked at */
  struct nova__beat beat;
  const struct nova_step *refusing; /* NULL: connections are kept */
  const struct nova_step *presents; /* NULL: the good certificate */
  struct nova_json *payloads; /* for MQTT payloads: what stands in an item may
                                 nest as deep as that allows, and its object */
  struct nova_broker *broker; /* a harness that is the server, of MQTT */
  const char *client_id[3];   /* device, other, platform; NULL: not yet */
  const struct nova_actuator *actuator;
  const struct nova_pattern *value;
  bool again_wanted; /* what stays open may come out another time */
  bool exited;       /* the subject's process is gone */
  int exit_code;
  struct nova__sending sending;
  struct nova__repeat repeat[NOVA_PLAY_REPEATS];
  size_t repeats;
  struct nova__named named[NOVA_PLAY_NAMES];
  size_t names;

  struct nova__queued *queue, **queue_tail;
  struct nova__queued *handed; /* given out, freed by the next call */
  const char *env[8];

  struct nova_transcript transcript;
  struct nova_check *check;
  size_t checks, check_cap;
  struct nova__rule_count *rule; /* by the rule's place in the list */

  char span[8][32]; /* what nova__span_text() said last */
  unsigned span_at;
  nova_ts noted; /* the present that was noted for the record last */
  bool done, no_memory;
  bool connected_ever, refused_ever;
  nova_ts lost_at, hazard_at;
  const char *broken; /* why the rest is inconclusive; NULL while all is well */
  enum nova_verdict broken_as;
};

/* player.c */
struct nova_check *nova__check(struct nova_player *p, const char *requirement,
                               enum nova_verdict verdict);
/* Ends the conversation: what was not checked yet is |as|. */
void nova__break(struct nova_player *p, enum nova_verdict as,
                 const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Returns the entry's index; that of none where the evidence is full. */
size_t nova__note(struct nova_player *p, enum nova_entry_kind kind,
                  unsigned connection, const char *bytes, size_t n);
void nova__name(struct nova_player *p, const struct nova_step *s,
                struct nova__moment moment, const char *json);
const struct nova__named *nova__find(const struct nova_player *p,
                                     const char *name);
struct nova_scope nova__scope(struct nova_player *p);
/* The connection that events call |number|, or NULL. */
struct nova__conn *nova__conn(struct nova_player *p, unsigned number);
bool nova__by_harness(const struct nova_player *p, const struct nova_step *s);
/* Valid until the eighth call from now: an awaited step is looked at again and
 * again, and says so each time. */
const char *nova__span_text(struct nova_player *p, nova_ts t);

/* play_mqtt.c */
bool nova__play_mqtt_new(struct nova_player *p);
void nova__play_mqtt_free(struct nova_player *p);
/* The connection is open, or is to be forgotten. */
void nova__play_mqtt_begin(struct nova_player *p, struct nova__conn *c);
void nova__play_mqtt_drop(struct nova__conn *c);
void nova__play_mqtt_received(struct nova_player *p, struct nova__conn *c,
                              const struct nova_event *e, size_t entry);
/* Its end, for the broker. */
void nova__play_mqtt_over(struct nova_player *p, struct nova__conn *c,
                          bool eof);
/* Sends the automatic answers that are due and not in the way. */
void nova__play_mqtt_answers(struct nova_player *p);
void nova__play_mqtt_ping(struct nova_player *p, struct nova__conn *c);
void nova__judge_keep_alive(struct nova_player *p, struct nova__conn *c,
                            nova_ts t, size_t entry);
/* Appends the packet of a script's object. |target|: bytes of the payload, 0:
 * as it is. |kept|: its JSON, where the step has a name. |why|: of an error
 * that says that it cannot be sent. */
int nova__play_mqtt_compose(struct nova_player *p, const struct nova_step *s,
                            struct nova_view json, size_t target,
                            struct nova_buf *out, const char **kept,
                            const char **why);

/* Whether a message is as it is wanted: FLAWED where it differs only in what a
 * rule has charged already. */
enum nova__fit { NOVA__FIT, NOVA__FLAWED, NOVA__MISFIT };
enum nova__fit nova__play_mqtt_fits(struct nova_player *p,
                                    const struct nova_pattern *message,
                                    const struct nova__item *item,
                                    struct nova_mismatch *m);

/* play_do.c: what the harness does. True once the step is over. */
bool nova__do(struct nova_player *p, const struct nova_step *s);
void nova__sent(struct nova_player *p, struct nova__conn *c,
                const struct nova_event *e);
void nova__job_done(struct nova_player *p, const struct nova_event *e);
nova_ts nova__do_deadline(const struct nova_player *p);
void nova__do_expire(struct nova_player *p, nova_ts now);
void nova__close_all(struct nova_player *p);
/* |code|: 0 FIN, 1 RST, 2 only the sending side. */
void nova__close(struct nova_player *p, struct nova__conn *c, int code);
void nova__send(struct nova_player *p, struct nova__conn *c, const char *bytes,
                size_t n, bool hazard);
/* Asks for TLS on it; NULL: as usual. */
void nova__secure(struct nova_player *p, struct nova__conn *c,
                  const struct nova_tls_wish *wish);
/* Until when the handshake of a connection that is played over TLS, whatever
 * its script says, has to be over; NONE where none is waited for. */
nova_ts nova__handshake_due(const struct nova_player *p,
                            const struct nova__conn *c);
/* What repeats on a connection ends with it. */
void nova__stop_repeats(struct nova_player *p, size_t slot);

/* play_serve.c: what a harness that is the server does besides. */
/* A connection was opened: where it is kept, NULL where there is no room. */
struct nova__conn *nova__accept(struct nova_player *p, unsigned number,
                                const struct nova_event *e);
/* A line came on |c|: pongs, refusals. */
void nova__serve_line(struct nova_player *p, struct nova__conn *c,
                      const struct nova__item *item);
/* Sends the pongs that are due and not in the way. */
void nova__pongs(struct nova_player *p);
/* The refusal begins: of those that wait already, too. */
void nova__refuse(struct nova_player *p, const struct nova_step *s);
/* Its message is out: it may be closed. */
void nova__served(struct nova_player *p, struct nova__conn *c);
/* The visitor that an awaited connect would take; NULL for none. */
struct nova__conn *nova__visitor(struct nova_player *p);
/* Makes |visitor| the connection of the step's name. */
void nova__take_visitor(struct nova_player *p, const struct nova_step *s,
                        struct nova__conn *visitor);
/* Remembers a command that is about to be sent. */
void nova__ordered(struct nova_player *p, struct nova_view json);
/* The next round of `each`: true where there is one. */
bool nova__round(struct nova_player *p, const struct nova_step *s);
/* $actuators, $actuator.last, value_keys, ...; false for other names. */
bool nova__declared(struct nova_player *p, const char *name,
                    struct nova_buf *out);

/* play_await.c: what the subject is waited for. */
enum nova__state { NOVA__PENDING, NOVA__DONE, NOVA__FAILED };

struct nova__await {
  enum nova__state state;
  nova_ts t;        /* DONE: when it happened; PENDING: the next deadline */
  nova_ts began;    /* the reference of the late bound */
  nova_ts measured; /* from the reference, NONE where it never came */
  struct nova__item *item; /* DONE: the message that was taken */
  size_t entry;
  bool none;             /* FAILED: nothing of the kind came at all */
  bool alike;            /* FAILED: one came that had it all but the type */
  bool late;             /* FAILED: by |measured|, which is a timing */
  bool fatal;            /* FAILED: no other branch can mend it */
  bool lost;             /* FAILED: because the connection ended */
  bool unfinished;       /* FAILED: while an unfinished line was waiting */
  const char *explained; /* FAILED: by this defect, already charged elsewhere */
  char expected[512], observed[512];
};

/* Whether the harness was so late that a device may have had reason to end its
 * connection: its timers went on meanwhile. */
bool nova__harness_late(const struct nova_player *p);

void nova__eval(struct nova_player *p, const struct nova_step *s,
                struct nova__await *out);
/* The present step is awaited: evaluates and settles it. True once over. */
bool nova__await(struct nova_player *p, const struct nova_step *s);
nova_ts nova__await_deadline(struct nova_player *p, const struct nova_step *s);
/* The moment from which a step's bounds count. */
struct nova__moment nova__reference(const struct nova_player *p,
                                    const struct nova_step *s);
/* Whether the item is of the kind that is wanted, whatever it says; anything
 * is where none is named. */
bool nova__of_kind(const struct nova_wanted *wanted,
                   const struct nova__item *item);
/* A message came while a `repeat` is listened to. */
void nova__hear(struct nova_player *p, const struct nova__conn *c,
                const struct nova__item *item);

/* play_rules.c */
/* A rule of this kind on the subject that can be judged with this profile. */
bool nova__counts(const struct nova_player *p, const struct nova_rule *r,
                  enum nova_rule_every every);
/* It was judged once more. */
void nova__judged(struct nova_player *p, const struct nova_rule *r);
/* It was broken. */
void nova__found(struct nova_player *p, const struct nova_rule *rule,
                 size_t entry, const char *expected, const char *observed);
/* " (these are milliseconds)" of a timestamp that is, else "". */
const char *nova__unit_hint(struct nova_json_value v);
/* Puts an item into the inbox; the oldest go where it is full. */
void nova__keep(struct nova_player *p, struct nova__conn *c,
                struct nova__item *item);
/* Bytes of the subject: frames them, judges every line, fills the inbox. */
void nova__received(struct nova_player *p, struct nova__conn *c,
                    const struct nova_event *e, size_t entry);
void nova__stream_ended(struct nova_player *p, struct nova__conn *c,
                        size_t entry);
/* The connection is over, or the conversation is: judges what should have come
 * on it by now. */
void nova__connection_over(struct nova_player *p, struct nova__conn *c);
/* A line without its line feed is waiting, and nothing more of it comes, so
 * that it may keep a step from its message; judged once that step has failed.
 */
bool nova__unfinished(const struct nova_player *p, const struct nova__conn *c);
void nova__judge_unfinished(struct nova_player *p, struct nova__conn *c,
                            size_t entry);
void nova__rules_end(struct nova_player *p);
void nova__take(struct nova__conn *c, struct nova__item *item);
void nova__drop_inbox(struct nova__conn *c);
/* Drops what can only answer something that was sent before. */
void nova__drop_answers(struct nova__conn *c);

#endif
