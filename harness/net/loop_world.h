/* The event loop inside: shared by loop.c (the loop, its users, clocks),
 * stream.c (open connections), connect.c, listen.c and job.c. */
#ifndef NOVA_NET_LOOP_WORLD_H
#define NOVA_NET_LOOP_WORLD_H

#include "net/idmap.h"
#include "net/loop.h"

#include "base/buf.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

/* A ring of things, by a link inside each. */
struct nova__link {
  struct nova__link *prev, *next;
};

static inline void nova__link_init(struct nova__link *l) {
  l->prev = l->next = l;
}

static inline bool nova__link_alone(const struct nova__link *l) {
  return l->next == l;
}

static inline void nova__link_out(struct nova__link *l) {
  l->prev->next = l->next;
  l->next->prev = l->prev;
  nova__link_init(l);
}

/* Puts |l| at the end of the ring of |head|. */
static inline void nova__link_in(struct nova__link *head,
                                 struct nova__link *l) {
  l->prev = head->prev;
  l->next = head;
  head->prev->next = l;
  head->prev = l;
}

/* Something that is to be told to a user, but not from where it came up: the
 * loop calls |fn| when no call into the transport is under way. */
struct nova__later {
  struct nova__link link; /* first */
  void (*fn)(struct nova__later *later);
};

/* A timer that may be freed at any time, as its owner may. */
struct nova__alarm {
  uv_timer_t timer;
  struct nova_loop *loop;
  void (*fn)(void *owner);
  void *owner;
};

/* A descriptor that is watched, likewise. */
struct nova__sock {
  uv_poll_t poll;
  struct nova_loop *loop;
  int fd, wanted; /* wanted: UV_READABLE, ... */
  void (*fn)(void *owner, int status, int events);
  void *owner;
};

struct nova__user {
  struct nova_transport base; /* first: a transport is cast to its user */
  struct nova_loop *loop;
  struct nova__link link; /* in the loop's users */
  struct nova__idmap conns, jobs;
  struct nova__link listeners;
  struct nova__alarm *alarm;
  struct nova__later due; /* expire() is to be called */
  nova_ts wake, last;     /* last: the latest time that the user was told */
  uint64_t next_id;
};

struct nova_loop {
  const struct nova_mem *mem;
  uv_loop_t uv;
  uv_prepare_t prepare;
  uv_check_t check;
  uv_idle_t idle; /* active while something is to be told: no waiting then */
  uv_signal_t sigint, sigterm;
  void (*on_signal)(void *, int);
  void *signal_user;
  struct nova__alarm *tick, *bound;
  struct nova__link users, later;
  struct nova__user *first;
  bool stopped, bounded;
  size_t lookups, processes; /* what nova_loop_free() waits for */
  int spare_fd;              /* given up to refuse a connection politely */
  int stamp_fd;              /* keeps the kernel stamping what arrives */
  nova_ts began;             /* of the present run */
  nova_ts polled;            /* when the loop woke up, 0: not asked yet */
  int64_t real_minus_mono; /* Unix time less our time; and whether the system's
                              clock kept still since the last look */
  bool real_steady;
  nova_ts tick_due, lag_largest, lag_bucket[2], bucket_began;
  char why[512];
  char buffer[65536]; /* what one read takes */
};

static inline struct nova__user *nova__user(struct nova_transport *t) {
  return (struct nova__user *)t;
}

/* loop.c */

void nova__later_init(struct nova__later *later,
                      void (*fn)(struct nova__later *));
/* Calls |later|'s fn once, soon; asking twice is asking once. */
void nova__later_ask(struct nova_loop *loop, struct nova__later *later);
void nova__later_cancel(struct nova__later *later);

/* NULL without memory. The alarm calls fn(owner). */
struct nova__alarm *nova__alarm_new(struct nova_loop *loop,
                                    void (*fn)(void *owner), void *owner);
/* Rings once, at |when| or later; NOVA_TS_NONE: not at all. */
void nova__alarm_set(struct nova__alarm *alarm, nova_ts when);
void nova__alarm_free(struct nova__alarm *alarm); /* NULL is ignored */

/* Watches |fd|, which is the sock's from then on. NULL without memory: then it
 * is closed. */
struct nova__sock *
nova__sock_new(struct nova_loop *loop, int fd,
               void (*fn)(void *owner, int status, int events), void *owner);
void nova__sock_want(struct nova__sock *sock, int events);
void nova__sock_close(struct nova__sock *sock); /* NULL is ignored */

/* When the loop woke up this time. */
nova_ts nova__loop_polled(struct nova_loop *loop);

/* Tells the user of |event|, its times put in order with what it was told
 * before. */
void nova__tell(struct nova__user *user, struct nova_event *event);

/* What every socket of ours has, set as early as it can be. */
void nova__tune(int fd);

/* "HOST:PORT", with brackets around an address with colons. Returns |out|. */
char *nova__address(char *out, size_t n, const char *host, uint16_t port);

/* |host| without the brackets of "[::1]". Returns |out|, NULL if it is too long
 * or NULL. */
char *nova__bare_host(char out[256], const char *host);

/* stream.c */

struct nova__write {
  struct nova__write *next;
  nova_ts since, t;
  size_t n, done;
  char data[];
};

struct nova__writes {
  struct nova__write *head, **tail;
};

struct nova__conn {
  struct nova_loop *loop;
  struct nova__user *user; /* NULL: closed, freed when the last pin goes */
  uint64_t id;
  struct nova__sock *sock;
  struct nova__attempt *attempt; /* connecting; NULL: open */
  struct nova__writes queue, sent;
  size_t queued; /* bytes of |queue| */
  struct nova__later later;
  unsigned pins;
  int write_error; /* what the socket gave; told as RESET */
  bool paused, half_closed, fin_sent, eof;
};

/* A connection under |id| that is not open yet. NULL without memory. */
struct nova__conn *nova__conn_new(struct nova__user *user, uint64_t id);

/* |sock| is connected and the connection's from now on, which is open. Nothing
 * is read before nova__conn_watch(). */
void nova__conn_open(struct nova__conn *conn, struct nova__sock *sock);

/* The socket gave |error|: RESET is told soon, behind what is still to be read.
 */
void nova__conn_lost(struct nova__conn *conn, int error);

/* Starts reading. */
void nova__conn_watch(struct nova__conn *conn);

/* Ends it without an event. */
void nova__conn_close(struct nova__conn *conn, bool rst);

void nova__conn_pin(struct nova__conn *conn);
void nova__conn_unpin(struct nova__conn *conn);

int nova__loop_send(struct nova_transport *t, uint64_t id, const char *p,
                    size_t n);
int nova__loop_half_close(struct nova_transport *t, uint64_t id);
void nova__loop_close(struct nova_transport *t, uint64_t id, bool rst);
void nova__loop_pause(struct nova_transport *t, uint64_t id, bool paused);

/* connect.c */
int nova__loop_connect(struct nova_transport *t, uint64_t id, const char *host,
                       uint16_t port, nova_ts timeout);
/* Gives up what |conn| tries; it may be freed then. */
void nova__attempt_drop(struct nova__conn *conn);

/* listen.c */
int nova__loop_listen(struct nova_transport *t, uint64_t listener,
                      const char *host, uint16_t port, uint16_t *bound,
                      const char **why);
void nova__loop_unlisten(struct nova_transport *t, uint64_t listener);
void nova__unlisten_all(struct nova__user *user);

/* job.c */
int nova__loop_run(struct nova_transport *t, uint64_t id,
                   const struct nova_job *spec);
void nova__loop_stop_job(struct nova_transport *t, uint64_t id);
/* Kills it; no event. |job|: a value of the user's jobs. */
void nova__job_drop(void *job);

#endif
