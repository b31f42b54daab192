/* The broker inside: shared by broker.c (events, timers), broker_output.c (what
 * goes out), broker_packet.c (what a packet does), broker_connect.c (CONNECT),
 * broker_session.c (sessions and the flows of QoS 1 and 2), broker_tree.c
 * (subscriptions), broker_retained.c, broker_route.c (a message to all who
 * want it, wills) and broker_bug.c (faults). */
#ifndef NOVA_PEER_BROKER_STATE_H
#define NOVA_PEER_BROKER_STATE_H

#include "peer/broker.h"
#include "peer/connmap.h"

/* --- messages --------------------------------------------------------------
 */

/* A message that is kept: once, however many wait for it. */
struct nova__bmsg {
  uint32_t refs;
  uint32_t payload_n;
  uint16_t topic_n;
  uint8_t qos;
  bool retain;
  char bytes[]; /* the topic, the payload */
};

/* A message on its way to its subscribers. |kept| is made when the first one
 * has to wait for it, and is the maker's to give back. */
struct nova__bpass {
  struct nova_broker_message m;
  struct nova__bmsg *kept;
  bool will, client; /* whose it is; neither: the owner's */
};

static inline struct nova_view nova__bmsg_topic(const struct nova__bmsg *m) {
  return (struct nova_view){m->bytes, m->topic_n};
}

static inline struct nova_view nova__bmsg_payload(const struct nova__bmsg *m) {
  return (struct nova_view){m->bytes + m->topic_n, m->payload_n};
}

/* --- sessions --------------------------------------------------------------
 */

/* Where a message to a client stands (4.3). */
enum nova__bstep {
  NOVA__B_WAITS,    /* was never sent */
  NOVA__B_SENT,     /* PUBLISH; PUBACK or PUBREC is awaited */
  NOVA__B_RELEASED, /* PUBREL; PUBCOMP is awaited */
  NOVA__B_DONE,     /* an empty place among those that were sent */
};

struct nova__bitem {
  struct nova__bmsg *msg; /* SENT, WAITS */
  uint16_t id;
  uint8_t step;
  uint8_t qos;
  bool retain; /* as the client sees it */
  bool asked;  /* the owner allowed it */
  bool again;  /* it is to be sent once more: the session was taken up */
};

/* A queue: items item[head], item[head + 1], ... modulo |cap|, which is 0 or a
 * power of two. */
struct nova__bring {
  struct nova__bitem *item;
  uint32_t cap, head, n;
};

struct nova__bnode;

/* A subscription: in the lists of its session and of its node. */
struct nova__bsub {
  struct nova__bsub *next, **link;           /* of the session */
  struct nova__bsub *node_next, **node_link; /* of the node */
  struct nova__bsession *session;
  struct nova__bnode *node;
  uint8_t qos;
};

#define NOVA__B_FEW 8

/* The ids of PUBLISHes of QoS 2 that were taken and not released. */
struct nova__bids {
  uint8_t *map; /* one bit each; NULL while they are few */
  uint32_t n;   /* of them */
  uint16_t few[NOVA__B_FEW];
};

/* What is known of a client id, with a connection or without. */
struct nova__bsession {
  struct nova__bsession *same_bucket;
  struct nova__bsession *older, *newer; /* of those without connection */
  struct nova__bconn *conn;
  struct nova__bsub *subs;
  uint32_t sub_n;
  uint32_t hash;
  struct nova__bring sent; /* all but WAITS */
  struct nova__bring waiting;
  uint32_t again;    /* of |sent|: those that are to be sent once more */
  uint32_t inflight; /* of |sent|: those that are not DONE */
  uint16_t last_id;  /* the packet id that was given last */
  uint16_t free_ids; /* as many behind it are known to be free */
  struct nova__bids taken;
  struct nova__bsession *hit_next; /* of the message that is being routed */
  uint64_t hit;                    /* the last message that matched */
  uint8_t hit_qos;
  bool clean;
  bool kept; /* in the list of those without connection */
  uint16_t id_n;
  char id[];
};

/* --- subscriptions ---------------------------------------------------------
 */

/* A level of topic filters. Children are found by hash, through the table of
 * the tree; those called "+" and "#" also directly. */
struct nova__bnode {
  struct nova__bnode *same_bucket;
  struct nova__bnode *parent;
  struct nova__bnode *plus, *pound;
  struct nova__bsub *subs;
  uint32_t hash;
  uint32_t children, sub_n;
  uint32_t salt; /* what the hashes of its children start from */
  uint16_t depth;
  uint16_t level_n;
  char level[];
};

/* A place in the tree that a topic leads to. */
struct nova__bplace {
  const struct nova__bnode *node;
  size_t at; /* in the topic */
};

struct nova__btree {
  const struct nova_mem *mem;
  struct nova__bnode *root;
  struct nova__bnode **bucket;
  size_t bucket_n, node_n;
  struct nova__bplace *stack; /* room for the deepest filter that ever was */
  size_t stack_n;
  uint32_t salt;
};

/* --- retained messages -----------------------------------------------------
 */

struct nova__bretained {
  struct nova__bretained *same_bucket;
  struct nova__bretained *prev, *next; /* in the order of their coming */
  struct nova__bmsg *msg;
  uint32_t hash;
};

/* --- connections -----------------------------------------------------------
 */

enum nova__bstate {
  NOVA__B_NEW,       /* CONNECT is awaited */
  NOVA__B_CONNECTED, /* it was accepted */
  NOVA__B_ENDED,     /* its last output frees it */
};

enum nova__bfinal {
  NOVA__B_FINAL_CLOSE,
  NOVA__B_FINAL_RESET,
  NOVA__B_FINAL_GONE, /* the network ended it: no output */
};

/* Writes that were handed out: their bytes, and how many are not reported.
 * Where there is no room for one more, the last two count as one, so that their
 * bytes are given back together. */
#define NOVA__B_WRITES 4
struct nova__bwrites {
  uint32_t bytes[NOVA__B_WRITES], count[NOVA__B_WRITES];
  uint8_t n;
};

struct nova__bconn {
  uint64_t conn;
  struct nova_mqtt_stream stream;
  struct nova__bsession *session; /* CONNECTED, and ENDED until it is buried */
  struct nova__bmsg *will;
  char *user_name; /* NULL: none */
  size_t user_name_n;
  struct nova__bconn *ready_next, *ended_next;
  nova_ts due;  /* in the heap of timers; may be too early, never too late */
  nova_ts last; /* when the last packet came */
  size_t timer; /* its place there, from 1 on; 0: none */
  char *out;    /* what is to be sent */
  uint32_t out_n, out_cap;
  uint32_t out_at; /* V_B_BYTES: as many of them are out */
  size_t unsent;   /* those and the handed-out ones */
  struct nova__bwrites writes;
  int code; /* ENDED, by MALFORMED or REFUSED */
  uint16_t keep_alive;
  uint16_t withheld;
  uint16_t pubacks, publishes, pings; /* faults: so far */
  uint16_t last_puback;               /* B_PUBACK_LAST_ONLY */
  uint8_t state;                      /* enum nova__bstate */
  uint8_t how;                        /* enum nova_broker_end */
  uint8_t final;                      /* enum nova__bfinal */
  bool ready;                         /* in the list of those with an output */
  bool resumed;
  bool deaf;    /* faults: what comes is not read any more */
  bool pending; /* V_B_GATHERED, B_PUBACK_LAST_ONLY: a timer runs */
};

/* What faults and variants put off. */
enum nova__bthen {
  NOVA__B_THEN_PUT,    /* |bytes| are sent */
  NOVA__B_THEN_END,    /* the connection is ended: it was malformed */
  NOVA__B_THEN_READY,  /* what was gathered goes out */
  NOVA__B_THEN_PUBACK, /* of the last id */
  NOVA__B_THEN_ROUTE,  /* |msg| goes to its subscribers */
  NOVA__B_THEN_UNSTACK,
};

struct nova__blater {
  struct nova__blater *next;
  nova_ts when;
  struct nova__bconn *c; /* goes with it; NULL: goes with none */
  struct nova__bmsg *msg;
  enum nova__bthen then;
  int code;
  bool will;
  size_t n;
  char bytes[];
};

/* A block of memory for output that nobody uses. Those of each size, which is a
 * power of two, have a list. */
#define NOVA__B_BLOCKS 12
struct nova__bblock {
  struct nova__bblock *next;
};

struct nova_broker {
  const struct nova_mem *mem;
  struct nova_broker_options options;
  nova_ts now;
  int error; /* of the present call */
  struct nova__connmap map;
  struct nova__bconn **timer; /* a binary heap */
  size_t timer_n, timer_cap;
  struct nova__bconn *ready, *ready_last;
  struct nova__bconn *ended, *ended_last; /* to be buried */
  struct nova__bconn *handed_out;         /* freed by the next call */
  char *handed_bytes;                     /* likewise */
  size_t handed_cap;
  struct nova__bblock *block[NOVA__B_BLOCKS];
  size_t block_bytes;

  struct nova__bsession **session; /* buckets */
  size_t session_bucket_n, session_n;
  struct nova__bsession *oldest, *newest; /* of those without connection */
  size_t kept_n;
  uint64_t made_up; /* client ids so far */

  struct nova__btree tree;
  uint64_t hits; /* messages that were routed */

  struct nova__bretained **retained;
  size_t retained_bucket_n, retained_n;
  struct nova__bretained *retained_first, *retained_last;

  struct nova_buf codes; /* of the SUBACK that is being made */

  /* Faults. */
  struct nova_fault_set faults;
  bool faulty;                /* there are any */
  bool mute;                  /* the present PUBLISH goes to nobody */
  struct nova__blater *later; /* by time */
  struct nova__blater *stack; /* B_ORDER_REVERSED: the last one first */
  struct nova_buf patched;    /* the present packet as a fault reads it */
};

#define NOVA__BHAS(b, FAULT)                                                   \
  ((b)->faulty && nova_fault_has(&(b)->faults, NOVA_FAULT_##FAULT))

/* A hash of |n| bytes that starts from |seed|. */
static inline uint32_t nova__bhash(const char *p, size_t n, uint32_t seed) {
  uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < n; i++)
    h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
  return (uint32_t)(h ^ h >> 32);
}

/* --- broker.c */

/* Ends a connection that has not ended; what is to be told and published of it
 * happens in nova__broker_bury(). */
void nova__broker_end(struct nova_broker *b, struct nova__bconn *c,
                      enum nova_broker_end how, int code,
                      enum nova__bfinal final);

/* Memory ran out for |c|. */
void nova__broker_no_memory(struct nova_broker *b, struct nova__bconn *c);

/* Publishes the wills of those who ended, and lets their sessions go. Not while
 * a message is being routed. */
void nova__broker_bury(struct nova_broker *b);

/* Starts the keep-alive of a client, from now. */
void nova__broker_start_keep_alive(struct nova_broker *b,
                                   struct nova__bconn *c);

/* --- broker_output.c */

/* Appends a packet to what is to be sent. Ends the connection where it must. */
void nova__broker_put(struct nova_broker *b, struct nova__bconn *c,
                      const struct nova_mqtt *m);
void nova__broker_put_ack(struct nova_broker *b, struct nova__bconn *c,
                          enum nova_mqtt_type type, uint16_t id);

/* Bytes of packets that a fault makes up. */
void nova__broker_put_bytes(struct nova_broker *b, struct nova__bconn *c,
                            const char *p, size_t n);

/* Something is to be handed out for |c|. */
void nova__broker_ready(struct nova_broker *b, struct nova__bconn *c);

/* What was handed out by the last call is done with. */
void nova__broker_release(struct nova_broker *b);

/* Drops what is to be sent. */
void nova__broker_drop_output(struct nova_broker *b, struct nova__bconn *c);

void nova__broker_free_conn(struct nova_broker *b, struct nova__bconn *c);
void nova__broker_free_blocks(struct nova_broker *b);

/* --- broker_packet.c */

/* Does what a packet asks for. */
void nova__broker_packet(struct nova_broker *b, struct nova__bconn *c,
                         const struct nova_mqtt_out *out);

/* Ends a connection that broke the standard. */
void nova__broker_malformed(struct nova_broker *b, struct nova__bconn *c,
                            int code);

/* --- broker_connect.c */

/* Answers a CONNECT; |error|: of its decoding. */
void nova__broker_connect(struct nova_broker *b, struct nova__bconn *c,
                          const struct nova_mqtt *m, int error);

/* Lets a client in, and says so. */
void nova__broker_admit(struct nova_broker *b, struct nova__bconn *c,
                        const struct nova_mqtt_connect *connect);

/* --- broker_session.c */

struct nova__bsession *nova__broker_find(const struct nova_broker *b,
                                         struct nova_view client_id);

/* A new session, without connection; NULL without memory. */
struct nova__bsession *nova__broker_session(struct nova_broker *b,
                                            struct nova_view client_id);

/* Its client is gone: it is kept or forgotten. */
void nova__broker_leave(struct nova_broker *b, struct nova__bsession *s);

/* It gets a connection: no longer one of those without. */
void nova__broker_take_up(struct nova_broker *b, struct nova__bsession *s);

void nova__broker_forget(struct nova_broker *b, struct nova__bsession *s);

/* A message to one session, with |qos| at most, at once or later. Returns 0 or
 * NOVA_ERR_NO_MEMORY, where the message could not be kept. */
int nova__broker_deliver(struct nova_broker *b, struct nova__bsession *s,
                         struct nova__bpass *p, uint8_t qos, bool retain);

/* What was not acknowledged is sent again (4.4.0-1), then what waits. */
void nova__broker_resume(struct nova_broker *b, struct nova__bsession *s);

/* Sends what is to be sent again and what waits, as far as it may. */
void nova__broker_pump(struct nova_broker *b, struct nova__bsession *s);

/* The packet of a message as nova__broker_deliver() would send it, into |out|;
 * errors of nova_broker_compose(). */
int nova__broker_compose(struct nova_broker *b, struct nova__bsession *s,
                         struct nova__bpass *p, struct nova_buf *out,
                         uint16_t *id);

/* PUBACK, PUBREC, PUBCOMP of a client. */
void nova__broker_acked(struct nova_broker *b, struct nova__bconn *c,
                        enum nova_mqtt_type type, uint16_t id);

/* Whether |id| of a PUBLISH of QoS 2 is new: 1 or 0, or NOVA_ERR_NO_MEMORY. It
 * is taken then. */
int nova__broker_take(struct nova_broker *b, struct nova__bsession *s,
                      uint16_t id);
void nova__broker_untake(struct nova_broker *b, struct nova__bsession *s,
                         uint16_t id);

/* --- broker_tree.c */

int nova__btree_init(struct nova__btree *t, const struct nova_mem *mem);
void nova__btree_free(struct nova__btree *t); /* without subscriptions */

/* Adds a subscription or changes its QoS. Returns 0, NOVA_ERR_LIMIT (it is new
 * and the session has |most| of them) or NOVA_ERR_NO_MEMORY. */
int nova__btree_add(struct nova__btree *t, struct nova__bsession *s,
                    struct nova_view filter, uint8_t qos, size_t most);
void nova__btree_remove(struct nova__btree *t, struct nova__bsession *s,
                        struct nova_view filter);
void nova__btree_remove_all(struct nova__btree *t, struct nova__bsession *s);

/* Calls |visit| for each node whose filter matches |topic|. */
void nova__btree_match(const struct nova__btree *t, struct nova_view topic,
                       void (*visit)(void *user, const struct nova__bnode *n),
                       void *user);

/* --- broker_retained.c */

/* Keeps the message as its topic's retained one, or drops that one where the
 * payload is empty. Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__broker_retain(struct nova_broker *b, struct nova__bpass *p);

/* The retained messages that |filter| matches, to |s|. */
void nova__broker_send_retained(struct nova_broker *b, struct nova__bsession *s,
                                struct nova_view filter, uint8_t qos);
void nova__broker_free_retained(struct nova_broker *b);

/* --- broker_route.c */

/* NULL without memory. */
struct nova__bmsg *nova__broker_msg(const struct nova_broker *b,
                                    const struct nova_broker_message *m);
void nova__broker_msg_unref(const struct nova_broker *b, struct nova__bmsg *m);

/* The message as one that is kept, with a reference of its own for the caller;
 * NULL without memory. */
struct nova__bmsg *nova__broker_keep(const struct nova_broker *b,
                                     struct nova__bpass *p);

/* A message to all who subscribed, and among the retained ones if it is to be.
 * Returns 0 or NOVA_ERR_NO_MEMORY: somebody did not get it. */
int nova__broker_route(struct nova_broker *b, struct nova__bpass *p);

/* Publishes a will and gives it back. */
void nova__broker_will(struct nova_broker *b, uint64_t conn,
                       struct nova__bmsg *will);

/* --- broker_bug.c: faults and variants; all of them only where b->faulty. What
 * returns bool has done it all where it is true. */

void nova__bug_init(struct nova_broker *b);
void nova__bug_free(struct nova_broker *b);

/* A packet is about to be sent. */
bool nova__bug_put(struct nova_broker *b, struct nova__bconn *c,
                   const struct nova_mqtt *m);

/* Bytes wait to be handed out. */
bool nova__bug_gathers(struct nova_broker *b, struct nova__bconn *c);

/* A connection broke the standard. */
bool nova__bug_spares(struct nova_broker *b, struct nova__bconn *c, int code);

/* Decodes a packet that was refused with |error| as a fault reads it. Returns
 * what is wrong with it then. */
int nova__bug_decode(struct nova_broker *b, struct nova_view packet,
                     struct nova_mqtt *m, int error);

/* Whether a packet starts the keep-alive anew. */
bool nova__bug_counts(const struct nova_broker *b, enum nova_mqtt_type type);

/* 0: there is none. */
nova_ts nova__bug_keep_alive(const struct nova_broker *b,
                             const struct nova__bconn *c);

/* A client's PUBLISH to its subscribers. Errors as nova__broker_route(). */
int nova__bug_route(struct nova_broker *b, struct nova__bconn *c,
                    struct nova__bpass *p);

/* The will of |c|, which has ended: what is to be published of it now, NULL for
 * nothing. */
struct nova__bmsg *nova__bug_will(struct nova_broker *b, struct nova__bconn *c,
                                  struct nova__bmsg *will);

/* Drops what was put off for |c|. */
void nova__bug_drop(struct nova_broker *b, const struct nova__bconn *c);

/* When the next thing is due that was put off, and does it. */
nova_ts nova__bug_deadline(const struct nova_broker *b);
void nova__bug_expire(struct nova_broker *b);

#endif
