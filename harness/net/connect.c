/* Connecting: looking the name up, trying its addresses one after the other,
 * and saying plainly why none of them worked. */
#include "net/loop_world.h"

#include "base/error.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ADDRESSES = 8 /* of a name that are tried */ };

#define CONTAINER(p, type, member)                                             \
  ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* A lookup in libuv's thread; it may outlive the attempt. */
struct lookup {
  uv_getaddrinfo_t request;
  struct nova_loop *loop;
  struct nova__attempt *attempt; /* NULL: nobody wants the answer */
};

enum outcome { TRYING, TIMED_OUT, FAILED };

struct nova__attempt {
  struct nova__conn *conn;
  struct lookup *lookup;   /* while it goes on */
  struct nova__sock *sock; /* of the address that is tried */
  struct nova__alarm *alarm;
  struct nova__later later; /* the outcome is to be told */
  enum outcome outcome;
  struct sockaddr_storage address[ADDRESSES];
  socklen_t length[ADDRESSES];
  size_t n, next;
  nova_ts begun, since, deadline; /* since: of the address that is tried */
  int error, lookup_error;        /* errno; UV_EAI_... */
  uint16_t port;
  char host[256];
};

static void drop_lookup(struct nova__attempt *a) {
  if (a->lookup == NULL)
    return;
  a->lookup->attempt = NULL;
  (void)uv_cancel((uv_req_t *)&a->lookup->request);
  a->lookup = NULL;
}

void nova__attempt_drop(struct nova__conn *conn) {
  struct nova__attempt *a = conn->attempt;
  if (a == NULL)
    return;
  conn->attempt = NULL;
  drop_lookup(a);
  nova__sock_close(a->sock);
  nova__alarm_free(a->alarm);
  nova__later_cancel(&a->later);
  nova_mem_free(conn->loop->mem, a);
}

static int code_of(int error) {
  switch (error) {
  case ECONNREFUSED: return NOVA_CODE_REFUSED;
  case ENETUNREACH:
  case EHOSTUNREACH:
  case EADDRNOTAVAIL:
  case EAFNOSUPPORT: return NOVA_CODE_UNREACHABLE;
  case ETIMEDOUT: return NOVA_CODE_TIMEOUT;
  default: return NOVA_CODE_OTHER;
  }
}

/* Of several addresses the error is told that says most: there is a machine
 * and it refused, or it does not answer, or there is none. */
static void note_error(struct nova__attempt *a, int error) {
  static const int weight[] = {[-NOVA_CODE_REFUSED] = 3,
                               [-NOVA_CODE_TIMEOUT] = 2,
                               [-NOVA_CODE_OTHER] = 1,
                               [-NOVA_CODE_UNREACHABLE] = 0};
  if (a->error == 0 || weight[-code_of(error)] > weight[-code_of(a->error)])
    a->error = error;
}

/* The last event: it did not work. */
static void tell_refused(struct nova__attempt *a) {
  struct nova__conn *conn = a->conn;
  struct nova_loop *loop = conn->loop;
  struct nova__user *user = conn->user;
  struct nova_event event = {.kind = NOVA_EVENT_REFUSED,
                             .id = conn->id,
                             .t = uv_hrtime(),
                             .since = a->begun,
                             .code = code_of(a->error)};
  char where[300];
  nova__address(where, sizeof where, a->host, a->port);
  if (a->lookup_error != 0) {
    event.code = NOVA_CODE_UNREACHABLE;
    snprintf(loop->why, sizeof loop->why, "the name %s is not found: %s",
             a->host, uv_strerror(a->lookup_error));
  } else if (a->lookup != NULL) {
    event.code = NOVA_CODE_TIMEOUT;
    snprintf(loop->why, sizeof loop->why,
             "looking up the name %s took too long", a->host);
  } else if (event.code == NOVA_CODE_REFUSED) {
    snprintf(loop->why, sizeof loop->why, "nobody listens on %s", where);
  } else if (event.code == NOVA_CODE_TIMEOUT) {
    snprintf(loop->why, sizeof loop->why, "%s does not answer", where);
  } else {
    snprintf(loop->why, sizeof loop->why, "%s cannot be reached: %s", where,
             strerror(a->error));
  }
  event.bytes = nova_view_of(loop->why);
  nova__conn_close(conn, false);
  nova__tell(user, &event);
}

static void on_connecting(void *owner, int status, int events);

/* Gives the next address its part of the time that is left. */
static void set_alarm(struct nova__attempt *a) {
  nova_ts now = uv_hrtime(), when = a->deadline;
  if (when != NOVA_TS_NONE && a->n > a->next && when > now)
    when = now + (when - now) / (a->n - a->next + 1);
  nova__alarm_set(a->alarm, when);
}

/* Begins with the next address; after the last one it has failed. */
static void try_next(struct nova__attempt *a) {
  struct nova_loop *loop = a->conn->loop;
  while (a->next < a->n) {
    const struct sockaddr *address =
        (const struct sockaddr *)&a->address[a->next];
    socklen_t length = a->length[a->next++];
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      note_error(a, errno);
      continue;
    }
    nova__tune(fd);
    a->since = uv_hrtime();
    if (connect(fd, address, length) != 0 && errno != EINPROGRESS) {
      note_error(a, errno);
      close(fd);
      continue;
    }
    a->sock = nova__sock_new(loop, fd, on_connecting, a);
    if (a->sock == NULL) {
      note_error(a, ENOMEM);
      continue;
    }
    nova__sock_want(a->sock, UV_WRITABLE);
    set_alarm(a);
    return;
  }
  a->outcome = FAILED;
  nova__later_ask(loop, &a->later);
}

/* Whether the socket is connected to itself: a connect() to a free port of this
 * machine meets itself when the system happens to give it that very port. */
static bool met_itself(int fd) {
  struct sockaddr_storage here, there;
  socklen_t n = sizeof here, m = sizeof there;
  memset(&here, 0, sizeof here);
  memset(&there, 0, sizeof there);
  return getsockname(fd, (struct sockaddr *)&here, &n) == 0 &&
         getpeername(fd, (struct sockaddr *)&there, &m) == 0 && n == m &&
         memcmp(&here, &there, n) == 0;
}

static void on_connecting(void *owner, int status, int events) {
  struct nova__attempt *a = owner;
  struct nova__conn *conn = a->conn;
  (void)status; /* the socket knows better */
  (void)events;
  int error = 0;
  socklen_t n = sizeof error;
  if (getsockopt(a->sock->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
    error = errno;
  if (error == 0 && met_itself(a->sock->fd))
    error = ECONNREFUSED;
  /* A connection that was there and was reset before we came to it: somebody
   * took it, which is another thing than refusing it. */
  bool lost = error == ECONNRESET || error == EPIPE;
  if (error != 0 && !lost) {
    note_error(a, error);
    nova__sock_close(a->sock);
    a->sock = NULL;
    try_next(a);
    return;
  }
  struct nova_event event = {.kind = NOVA_EVENT_CONNECTED,
                             .id = conn->id,
                             .t = nova__loop_polled(conn->loop),
                             .since = a->since};
  nova__conn_open(conn, a->sock);
  a->sock = NULL;
  nova__attempt_drop(conn);
  nova__conn_pin(conn);
  nova__tell(conn->user, &event);
  if (lost)
    nova__conn_lost(conn, error);
  nova__conn_watch(conn);
  nova__conn_unpin(conn);
}

/* The time is over. What the sockets have is looked at first, and may end the
 * attempt before its later comes. */
static void on_alarm(void *owner) {
  struct nova__attempt *a = owner;
  a->outcome = TIMED_OUT;
  nova__later_ask(a->conn->loop, &a->later);
}

static void on_outcome(struct nova__later *later) {
  struct nova__attempt *a = CONTAINER(later, struct nova__attempt, later);
  if (a->outcome == TIMED_OUT && a->lookup == NULL) {
    note_error(a, ETIMEDOUT);
    if (a->next < a->n) {
      nova__sock_close(a->sock);
      a->sock = NULL;
      a->outcome = TRYING;
      try_next(a);
      return;
    }
  }
  tell_refused(a);
}

static void take_addresses(struct nova__attempt *a,
                           const struct addrinfo *list) {
  for (; list != NULL && a->n < ADDRESSES; list = list->ai_next) {
    if (list->ai_addrlen > sizeof a->address[0])
      continue;
    struct sockaddr_storage *to = &a->address[a->n];
    memcpy(to, list->ai_addr, list->ai_addrlen);
    if (to->ss_family == AF_INET)
      ((struct sockaddr_in *)to)->sin_port = htons(a->port);
    else if (to->ss_family == AF_INET6)
      ((struct sockaddr_in6 *)to)->sin6_port = htons(a->port);
    else
      continue;
    a->length[a->n++] = list->ai_addrlen;
  }
}

static void on_lookup(uv_getaddrinfo_t *request, int status,
                      struct addrinfo *list) {
  struct lookup *lookup = request->data;
  struct nova__attempt *a = lookup->attempt;
  struct nova_loop *loop = lookup->loop;
  loop->lookups--;
  nova_mem_free(loop->mem, lookup);
  if (a != NULL) {
    a->lookup = NULL;
    a->lookup_error = status;
    if (status == 0)
      take_addresses(a, list);
    if (status == 0 && a->n == 0)
      a->lookup_error = UV_EAI_NODATA;
    try_next(a);
  }
  uv_freeaddrinfo(list);
}

/* Looks the name up. Returns 0 or NOVA_ERR_NO_MEMORY. */
static int look_up(struct nova__attempt *a) {
  struct nova_loop *loop = a->conn->loop;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_NUMERICHOST};
  struct addrinfo *list = NULL;
  if (getaddrinfo(a->host, NULL, &hints, &list) == 0) {
    take_addresses(a, list);
    freeaddrinfo(list);
    try_next(a);
    return 0;
  }
  hints.ai_flags = 0;
  struct lookup *lookup = nova_mem_zalloc(loop->mem, sizeof *lookup);
  if (lookup == NULL)
    return NOVA_ERR_NO_MEMORY;
  lookup->loop = loop;
  lookup->attempt = a;
  lookup->request.data = lookup;
  int err = uv_getaddrinfo(&loop->uv, &lookup->request, on_lookup, a->host,
                           NULL, &hints);
  if (err != 0) {
    nova_mem_free(loop->mem, lookup);
    if (err == UV_ENOMEM)
      return NOVA_ERR_NO_MEMORY;
    a->lookup_error = err; /* a name that cannot be one */
    try_next(a);
    return 0;
  }
  a->lookup = lookup;
  loop->lookups++;
  nova__alarm_set(a->alarm, a->deadline);
  return 0;
}

int nova__loop_connect(struct nova_transport *t, uint64_t id, const char *host,
                       uint16_t port, nova_ts timeout) {
  struct nova__user *user = nova__user(t);
  struct nova_loop *loop = user->loop;
  char bare[256];
  if (nova__bare_host(bare, host) == NULL || id > UINT32_MAX ||
      nova__idmap_get(&user->conns, id) != NULL)
    return NOVA_ERR_ARGUMENT;
  struct nova__conn *conn = nova__conn_new(user, id);
  if (conn == NULL)
    return NOVA_ERR_NO_MEMORY;
  struct nova__attempt *a = nova_mem_zalloc(loop->mem, sizeof *a);
  if (a == NULL) {
    nova__conn_close(conn, false);
    return NOVA_ERR_NO_MEMORY;
  }
  a->conn = conn;
  a->port = port;
  a->begun = a->since = uv_hrtime();
  a->deadline = nova_ts_add(a->begun, timeout);
  memcpy(a->host, bare, sizeof bare);
  nova__later_init(&a->later, on_outcome);
  a->alarm = nova__alarm_new(loop, on_alarm, a);
  conn->attempt = a;
  if (a->alarm == NULL || look_up(a) != 0) {
    nova__conn_close(conn, false);
    return NOVA_ERR_NO_MEMORY;
  }
  return 0;
}
