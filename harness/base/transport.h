/* The line between engines and the world. Whoever drives engines (a run, a
 * reference peer) speaks to this interface; net/ implements it twice, with
 * libuv and real time, and as a simulated network with a virtual clock. */
#ifndef NOVA_BASE_TRANSPORT_H
#define NOVA_BASE_TRANSPORT_H

#include "base/time.h"
#include "base/tls.h"
#include "base/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nova_event_kind {
  NOVA_EVENT_CONNECTED, /* a connect() succeeded */
  NOVA_EVENT_REFUSED,   /* a connect() failed: |code|, |bytes| says why */
  NOVA_EVENT_ACCEPTED,  /* a new connection on the listener |listener|; |id| was
                           chosen by the transport, from 2^32 upwards */
  NOVA_EVENT_BYTES,     /* |bytes| arrived */
  NOVA_EVENT_SENT,      /* one send() is out: handed to the system whole */
  NOVA_EVENT_EOF,       /* the other end closed its sending side (FIN) */
  NOVA_EVENT_RESET,     /* the connection is gone (RST or another error) */
  NOVA_EVENT_JOB,       /* a job ended: |code| is its exit status */
  NOVA_EVENT_SECURED,   /* secure(): the handshake is over and good; |bytes| is
                           a JSON object about it (base/tls.h) */
  NOVA_EVENT_INSECURE,  /* secure(): it failed; |bytes| likewise. What the other
                           end does next (EOF, RESET) is still told, and the
                           caller closes */
};

/* Codes of REFUSED and of a JOB that did not end by itself. */
enum nova_event_code {
  NOVA_CODE_REFUSED = -1,     /* nobody listens */
  NOVA_CODE_UNREACHABLE = -2, /* name or route not found */
  NOVA_CODE_TIMEOUT = -3, /* job: ended after its time; connect: no answer */
  NOVA_CODE_NOT_STARTED = -4, /* job: the program could not be started */
  NOVA_CODE_SIGNAL = -5,      /* job: ended by a signal */
  NOVA_CODE_LIMIT = -6, /* job: its output passed the limit; it was ended */
  NOVA_CODE_OTHER = -7,
};

struct nova_event {
  enum nova_event_kind kind;
  uint64_t id;       /* connection or job, as given to connect() or run() */
  uint64_t listener; /* ACCEPTED */
  nova_ts t;         /* when it happened, not when the loop came to it as far as
                        the system can tell; SENT, CONNECTED: completed */
  nova_ts since;     /* SENT: just before the first byte was handed over;
                        CONNECTED, REFUSED: just before connecting began; JOB:
                        when it was started; else = t */
  struct nova_view bytes;  /* BYTES; JOB: its standard output; REFUSED: a plain
                              sentence. Valid during the call only. */
  struct nova_view errors; /* JOB: the end of its standard error */
  int code;
};

/* A program to run: a hook, or a peer under test. */
struct nova_job {
  const char *const *argv; /* NULL-terminated, already split; no shell */
  const char *const *env;  /* NULL-terminated "NAME=value", added to the
                              environment */
  const char *cwd;         /* NULL: where the program was started */
  nova_ts timeout;         /* after it SIGTERM, 2 s later SIGKILL, to the whole
                              process group; NOVA_TS_NONE: until stop() */
  size_t output_limit;     /* bytes of standard output that are kept; more ends
                              the job with NOVA_CODE_LIMIT, unless drain */
  bool drain;              /* keep the first output_limit bytes, read and drop
                              the rest */
  bool whole_group;        /* it lasts as long as anybody is left of its process
                              group: a program may go on in the background */
};

/* Whoever uses a transport. Calls come from the transport's loop only, never
 * from inside a call into the transport. */
struct nova_handler {
  void (*event)(void *user, const struct nova_event *event);
  void (*expire)(void *user, nova_ts now); /* the time of wake_at() came */
  void *user;
};

struct nova_transport;

/* The most bytes of one connection that wait to be sent, NOVA_ERR_LIMIT beyond:
 * a peer that does not read makes no memory grow without bound. */
#define NOVA_SEND_QUEUE_MAX ((size_t)8 << 20)

struct nova_transport_ops {
  /* The present time, and Unix time at that moment in nanoseconds. */
  nova_ts (*now)(struct nova_transport *t);
  uint64_t (*unix_ns)(struct nova_transport *t);

  /* Connects; ends in CONNECTED or REFUSED under the caller's |id| (below
   * 2^32, not in use). |timeout|: a span. Returns 0 or an error of error.def.
   */
  int (*connect)(struct nova_transport *t, uint64_t id, const char *host,
                 uint16_t port, nova_ts timeout);

  /* Listens; |port| 0 takes a free one. |bound| gets the port. Returns 0 or
   * NOVA_ERR_ARGUMENT with |why| (static or valid until the next call). */
  int (*listen)(struct nova_transport *t, uint64_t listener, const char *host,
                uint16_t port, uint16_t *bound, const char **why);

  /* Sends the bytes as one write (they are copied) and reports SENT. Sends of
   * one connection keep their order; each starts when the one before is out,
   * and Nagle's algorithm is off, so that each tends to be a segment of its
   * own. Returns 0, NOVA_ERR_STATE (no such open connection, or half-closed),
   * NOVA_ERR_LIMIT (with this one more than NOVA_SEND_QUEUE_MAX bytes would
   * wait; nothing of it is sent) or NOVA_ERR_NO_MEMORY. */
  int (*send)(struct nova_transport *t, uint64_t id, const char *p, size_t n);

  /* After everything that was sent: FIN, reading goes on. Returns 0 or
   * NOVA_ERR_STATE (no such open connection, or half-closed already). */
  int (*half_close)(struct nova_transport *t, uint64_t id);

  /* Drops what was not sent yet; |rst|: ends with RST, otherwise with FIN. No
   * more events of this id, which is free again. Unknown ids are ignored.
   * REFUSED and RESET are an id's last events and free it without close().
   * After EOF and half_close() together nothing more is heard, but the id stays
   * in use. */
  void (*close)(struct nova_transport *t, uint64_t id, bool rst);

  /* Stops and resumes reading, for back-pressure. */
  void (*pause)(struct nova_transport *t, uint64_t id, bool paused);

  /* Starts a job; ends in JOB. |id|: the caller's, not in use by another job.
   */
  int (*run)(struct nova_transport *t, uint64_t id, const struct nova_job *job);
  /* Ends a job early: SIGTERM, after 2 s SIGKILL, to its process group. JOB
   * follows. */
  void (*stop)(struct nova_transport *t, uint64_t id);

  /* Calls expire() at |when| or as soon after as the loop can; one time point
   * per transport, the last call counts, NOVA_TS_NONE takes it away. */
  void (*wake_at)(struct nova_transport *t, nova_ts when);

  /* Stops listening; connections that were accepted stay. Unknown ids are
   * ignored. Listeners that nobody stops last as long as the transport. */
  void (*unlisten)(struct nova_transport *t, uint64_t listener);

  /* Begins TLS on a connection that is open, before a byte was sent or
   * received: right from inside CONNECTED or ACCEPTED. Ends in SECURED or
   * INSECURE, or in EOF or RESET where the other end went away without a word
   * of TLS. From then on send() and BYTES are what is inside of TLS; before
   * SECURED send() returns NOVA_ERR_STATE. EOF is the other end's close_notify
   * or FIN, whichever comes first.
   * |how|: copied as far as it is needed.
   * Returns 0, NOVA_ERR_STATE (no such connection, bytes were exchanged, or a
   * transport without TLS: net/tls.h adds it), NOVA_ERR_ARGUMENT (a certificate
   * or key that cannot be read, versions that the library does not have) or
   * NOVA_ERR_NO_MEMORY. NULL where a transport has no TLS. */
  int (*secure)(struct nova_transport *t, uint64_t id,
                const struct nova_tls *how);
};

struct nova_transport {
  const struct nova_transport_ops *ops;
  struct nova_handler handler; /* set by the user before the loop runs */
};

#endif
