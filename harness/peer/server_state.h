/* The reference server inside: shared by server.c (events, timers, output),
 * intake.c (bytes to lines), session.c (what a line does), accounts.c (devices
 * and credentials), reply.c (messages to bytes), control.c, and for MQTT by
 * server_mqtt.c (connections and the broker) and server_rules.c (who may do
 * what). */
#ifndef NOVA_PEER_SERVER_STATE_H
#define NOVA_PEER_SERVER_STATE_H

#include "base/rng.h"
#include "codec/message.h"
#include "peer/broker.h"
#include "peer/connmap.h"
#include "peer/restyle.h"
#include "peer/server.h"

/* One point in time in a list that is ordered by time. All timers of one list
 * have the same span, so that a new one goes to the end: O(1). */
struct nova__timer {
  struct nova__timer *prev, *next;
  struct nova__timers *list; /* NULL: not set */
  nova_ts when;
  void *owner;
};

struct nova__timers {
  struct nova__timer *head, *tail;
};

enum nova__post_kind {
  NOVA__POST_SEND,
  NOVA__POST_CLOSE,
  NOVA__POST_RESET,
  NOVA__POST_GONE, /* the session ended without an output: only to free it */
  NOVA__POST_CRASH,
};

/* One output on its way: in the queue, in the list of late ones, or sent and
 * waiting to be reported as such. */
struct nova__post {
  struct nova__post *next;
  struct nova__session *owner; /* NULL: CRASH */
  enum nova__post_kind kind;
  struct nova__timer timer; /* late ones */
  bool last;                /* late: the session ends with it */
  bool resumes;             /* late: the session goes on reading after it */
  size_t n;
  char *bytes; /* behind the struct */
};

struct nova__posts {
  struct nova__post *head, *tail;
};

enum nova__session_state {
  NOVA__WAITING, /* not authenticated; the auth timer runs */
  NOVA__SERVED,  /* authenticated; the idle timer runs */
  NOVA__REFUSED, /* refused, but a fault keeps it open */
  NOVA__ENDED,   /* its last output is in the queue and frees it */
};

struct nova__session {
  uint64_t conn;
  enum nova__session_state state;
  struct nova__session *prev, *next;   /* of the server */
  struct nova__account *account;       /* SERVED: not NULL, but for faults */
  struct nova__session *older, *newer; /* of the account */
  struct nova__timer auth, idle;
  struct nova_line line;
  struct nova__posts in_flight; /* handed out, not reported as sent */
  size_t late;                  /* its posts in the list of late ones */
  size_t unsent;                /* bytes queued, late or in flight */
  struct nova__post end;        /* embedded: ending needs no memory */

  /* State of faults. */
  struct nova_buf backlog; /* bytes that wait until the session reads again */
  bool blocked; /* AUTH_SLOW: reads nothing until a late post is out */
  bool eof;     /* came while blocked */
  bool began;   /* something was sent */
  bool owes_line_feed;
  unsigned pings, reports;

  /* State of variants. */
  struct nova__timer chat;   /* when it says something unasked for */
  unsigned said;             /* of that */
  struct nova__timer gather; /* V_BATCHED: when |gathered| goes out */
  struct nova_buf gathered;
  bool gathered_last; /* the session ends with it */
};

enum nova__mqtt_state {
  NOVA__MQTT_WAITING,  /* no CONNECT yet */
  NOVA__MQTT_DEVICE,   /* |id| is its device's */
  NOVA__MQTT_PLATFORM, /* the login of the platform */
  NOVA__MQTT_NOBODY,   /* M_ANONYMOUS: accepted, and nobody */
  NOVA__MQTT_REFUSED,
};

/* A connection that speaks MQTT; its packets are the broker's business. */
struct nova__mqtt {
  uint64_t conn;
  enum nova__mqtt_state state;
  struct nova__mqtt *prev, *next; /* of the server, the newest first */
  struct nova_view id;            /* DEVICE: of the account or |own_id| */
  char *own_id;                   /* M_UNKNOWN_ACCEPTED */
  bool over;   /* it was accepted and has ended; its last output is to come */
  bool closes; /* as soon as the broker can be called again */
  bool resets; /* ... with RST: there was no memory */

  /* State of faults and variants. */
  bool mute;  /* nothing is sent */
  bool held;  /* the broker closed it, and the server does not yet */
  bool freed; /* ... but now: in the list of |held_next| */
  struct nova__timer close;
  struct nova__mqtt *held_next;
};

/* A message that goes to the broker as soon as it can be called again. */
struct nova__mqtt_message {
  struct nova__mqtt_message *next;
  struct nova_broker_message m; /* its bytes are behind the struct */
};

/* A registered device. */
struct nova__account {
  struct nova__account *bucket_next, *next;
  struct nova_view id;
  size_t key_n, old_key_n; /* old_key_n 0: never reset */
  char key[NOVA_DEVICE_KEY_MAX], old_key[NOVA_DEVICE_KEY_MAX];
  bool active;
  struct nova__session *newest; /* of its sessions */
  struct nova_buf values;       /* of the last data; empty: none yet */
  struct nova_buf status;       /* of the last status, a JSON string */
  char id_bytes[];
};

struct nova_server {
  const struct nova_mem *mem;
  struct nova_server_options options;
  struct nova_fault_set faults;
  struct nova_json *json;
  size_t frame_limit; /* what framer and scanner allow: the line limit, but for
                         faults */
  nova_ts now;
  struct nova__connmap map;
  struct nova__session *sessions;
  struct nova__account *accounts, **buckets;
  size_t account_count, bucket_count;
  struct nova__timers auth, idle, late;
  struct nova__timers chat, gather; /* of variants */
  struct nova__posts queue;
  struct nova__post *handed_out; /* freed by the next call */
  struct nova_buf text;          /* the message that is being written */
  uint64_t commands;             /* so far */
  struct nova_rng rng;
  /* MQTT. */
  struct nova_broker *broker; /* NULL: nobody has spoken it yet */
  struct nova__connmap mqtt_map;
  struct nova__mqtt *mqtt; /* of all connections, the newest first */
  struct nova__mqtt_message *messages, **messages_end;
  struct nova__timers mqtt_close; /* M_V_CLOSES_LATER */
  struct nova__mqtt *mqtt_freed;
  char *platform; /* the bytes of the platform's login */
  bool mqtt_busy; /* some connection |closes| */

  int error; /* of the present call */
  bool dead; /* crashed */
  struct nova__post crash;

  /* State of faults. */
  nova_ts hung_until;
  bool deaf;                    /* STOPS_ACCEPTING */
  bool anybody;                 /* GLOBAL_FLAG: somebody has authenticated */
  struct nova__session *latest; /* the one that authenticated last */
  struct nova_buf joined;       /* TWO_OBJECTS_PER_LINE: pongs of the segment */
};

#define NOVA__HAS(s, FAULT) nova_fault_has(&(s)->faults, NOVA_FAULT_##FAULT)

/* --- server.c */

/* Sets |t| to |when| in |list|, wherever it was. */
void nova__timer_set(struct nova__timers *list, struct nova__timer *t,
                     nova_ts when);
void nova__timer_stop(struct nova__timer *t);

/* The only way to change a session's state; starts and stops its timers. */
void nova__enter(struct nova_server *s, struct nova__session *c,
                 enum nova__session_state state);

/* Start a session's timers anew, from now. */
void nova__start_auth(struct nova_server *s, struct nova__session *c);
void nova__start_idle(struct nova_server *s, struct nova__session *c);

/* Binds a session to an account (or to none) as its newest. */
void nova__bind_account(struct nova_server *s, struct nova__session *c,
                        struct nova__account *a);

/* What every event begins with: the output that was handed out is done with,
 * and what is due by |now| happens. False where the server is dead. */
bool nova__settle(struct nova_server *s, nova_ts now);

/* Ends a session that has not ended; it is not to be used afterwards but for
 * asking its state, until the present call into the server is over. */
void nova__end(struct nova_server *s, struct nova__session *c,
               enum nova__post_kind kind);

/* Ends every session, all of them alike. */
void nova__end_all(struct nova_server *s, enum nova__post_kind kind);

/* The process dies. */
void nova__crash(struct nova_server *s);

/* How a message goes out. Zeroed: at once, and nothing else. */
struct nova__how {
  nova_ts late; /* a span */
  bool last;    /* the session ends with it, by CLOSE */
  bool resumes; /* the session is blocked until it is out */
};

/* Sends |n| bytes, n > 0 unless |how->last|. Resets the session where there is
 * no memory or too much is unsent. */
void nova__post(struct nova_server *s, struct nova__session *c, const char *p,
                size_t n, const struct nova__how *how);

/* --- intake.c */

/* The frame limit under the server's faults. */
size_t nova__frame_limit(const struct nova_server *s);

/* Takes the bytes of one segment. */
void nova__intake(struct nova_server *s, struct nova__session *c, const char *p,
                  size_t n);

/* Goes on with what was held back. */
void nova__intake_resume(struct nova_server *s, struct nova__session *c);

/* --- session.c */

/* Handles one line; not of an ended session. */
void nova__line(struct nova_server *s, struct nova__session *c,
                struct nova_view frame);

/* A line is too long already, and has not ended. */
void nova__line_passes_limit(struct nova_server *s, struct nova__session *c);

/* Handles a line that was too long. */
void nova__line_oversized(struct nova_server *s, struct nova__session *c);

/* --- accounts.c */

enum nova__credentials {
  NOVA__GOOD,
  NOVA__UNKNOWN_DEVICE,
  NOVA__WRONG_KEY,
  NOVA__NOT_ACTIVE,
  NOVA__IN_USE, /* V_SECOND_REFUSED */
  NOVA__MALFORMED,
};

/* Builds the registry from the options; what it made is freed by
 * nova__accounts_free() also after an error. */
int nova__accounts_init(struct nova_server *s);
void nova__accounts_free(struct nova_server *s);

/* NULL where there is none. */
struct nova__account *nova__account_find(struct nova_server *s,
                                         struct nova_view id);

/* The same without a fault of TCP. */
struct nova__account *nova__account_exact(const struct nova_server *s,
                                          struct nova_view id);

/* Whether two texts differ in the case of ASCII letters at most. */
bool nova__same_but_case(struct nova_view a, struct nova_view b);

/* Judges an auth message, malformed ones too. |account|: set with GOOD; may
 * still be NULL then, under a fault. */
enum nova__credentials nova__credentials_check(struct nova_server *s,
                                               const struct nova_msg *auth,
                                               struct nova__account **account);

/* Gives the account a new key. */
void nova__account_reset(struct nova_server *s, struct nova__account *a);

/* --- reply.c */

void nova__say_auth_result(struct nova_server *s, struct nova__session *c,
                           bool success, const char *message,
                           const struct nova__how *how);
void nova__say_pong(struct nova_server *s, struct nova__session *c);

/* A command for the control connection: |name| is a JSON string with its
 * quotation marks, |params| an object. |command_id|: at least 64 bytes, gets
 * the id's characters. Returns 0, NOVA_ERR_STATE (the device is not connected),
 * NOVA_ERR_LIMIT (longer than the guide's 128 KB) or NOVA_ERR_NO_MEMORY. */
int nova__say_command(struct nova_server *s, struct nova__account *a,
                      struct nova_view name, struct nova_view params,
                      char *command_id);

/* A message of a |type| that the guide does not name; only variants send it. */
void nova__say_other(struct nova_server *s, struct nova__session *c,
                     const char *type, const char *message,
                     const struct nova__how *how);

/* What a variant says to an authenticated device unasked for, and when it will
 * speak again. Nothing without a variant. */
void nova__chat(struct nova_server *s, struct nova__session *c);

/* The pongs that were held back to be joined. */
void nova__flush_joined(struct nova_server *s, struct nova__session *c);

/* --- server_mqtt.c */

/* Copies the platform's login. Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__mqtt_init(struct nova_server *s);

/* The connection, or NULL. */
struct nova__mqtt *nova__mqtt_find(const struct nova_server *s, uint64_t conn);

/* Events of a connection that speaks MQTT; they come after nova__settle(). */
int nova__mqtt_accept(struct nova_server *s, uint64_t conn);
void nova__mqtt_feed(struct nova_server *s, struct nova__mqtt *m, const char *p,
                     size_t n);
void nova__mqtt_eof(struct nova_server *s, struct nova__mqtt *m);
void nova__mqtt_reset(struct nova_server *s, struct nova__mqtt *m);

/* For nova__settle(), nova_server_next_deadline() and the like. */
void nova__mqtt_expire(struct nova_server *s);
nova_ts nova__mqtt_deadline(const struct nova_server *s);
bool nova__mqtt_output(struct nova_server *s, struct nova_server_out *out);
void nova__mqtt_free(struct nova_server *s);

/* Has a message published as soon as no callback of the broker's is running.
 * Errors as nova_mem_alloc(): NOVA_ERR_NO_MEMORY. */
int nova__mqtt_publish(struct nova_server *s,
                       const struct nova_broker_message *m);

/* Hands what waits to the broker. Not from inside its callbacks. */
void nova__mqtt_flush(struct nova_server *s);

/* --- server_rules.c */

/* What the broker asks; |user| is the server. */
extern const struct nova_broker_owner nova__mqtt_rules;

/* A command for the control connection, published on the device's topic.
 * |name|, |params|: as in nova__say_command(). Returns 0, NOVA_ERR_STATE (the
 * device is not connected, or did not subscribe), NOVA_ERR_LIMIT (longer than
 * 128 KB) or NOVA_ERR_NO_MEMORY. */
int nova__mqtt_command(struct nova_server *s, const struct nova__account *a,
                       struct nova_view name, struct nova_view params);

/* --- restyle.c */

/* Appends the message |v| in the style of the server's variant. Errors as
 * nova_buf_append(). */
int nova__restyle(const struct nova_server *s, struct nova_buf *b,
                  struct nova_view v);

#endif
