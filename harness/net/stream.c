/* Open connections on real sockets: reading, writing, closing. The sockets are
 * read and written here and only watched by libuv, so that a write is one write
 * and its times are known, and an RST is seen after the other end's FIN too. */
#include "net/loop_world.h"

#include "base/error.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { DISCARD_MAX = 64 /* reads of what nobody wants, before closing */ };

#define CONTAINER(p, type, member)                                             \
  ((type *)(void *)((char *)(p)-offsetof(type, member)))

static void writes_init(struct nova__writes *q) {
  q->head = NULL;
  q->tail = &q->head;
}

static void writes_push(struct nova__writes *q, struct nova__write *w) {
  w->next = NULL;
  *q->tail = w;
  q->tail = &w->next;
}

static struct nova__write *writes_pop(struct nova__writes *q) {
  struct nova__write *w = q->head;
  if (w != NULL && (q->head = w->next) == NULL)
    q->tail = &q->head;
  return w;
}

static void writes_drop(struct nova_loop *loop, struct nova__writes *q) {
  for (struct nova__write *w; (w = writes_pop(q)) != NULL;)
    nova_mem_free(loop->mem, w);
}

void nova__conn_pin(struct nova__conn *conn) {
  conn->pins++;
}

void nova__conn_unpin(struct nova__conn *conn) {
  if (--conn->pins == 0 && conn->user == NULL)
    nova_mem_free(conn->loop->mem, conn);
}

/* What the socket is to be watched for, from the connection's state. */
static void watch(struct nova__conn *conn) {
  if (conn->user == NULL || conn->sock == NULL || conn->attempt != NULL)
    return;
  int want = 0;
  if (!conn->paused && !conn->eof)
    want |= UV_READABLE;
  if (conn->queue.head != NULL)
    want |= UV_WRITABLE;
  /* After the other end's FIN only an RST can come. Urgent data is what one may
   * ask for without being woken by the FIN all the time; errors come with it.
   * When our FIN is out too, the end of the connection would wake the loop all
   * the time, and nothing can come that matters. */
  if (conn->eof && !conn->fin_sent && want == 0)
    want = UV_PRIORITIZED;
  if (conn->write_error != 0)
    want = 0; /* the end is being told already */
  nova__sock_want(conn->sock, want);
}

void nova__conn_watch(struct nova__conn *conn) {
  watch(conn);
}

void nova__conn_close(struct nova__conn *conn, bool rst) {
  struct nova_loop *loop = conn->loop;
  bool open = conn->attempt == NULL;
  nova__conn_pin(conn);
  nova__idmap_remove(&conn->user->conns, conn->id);
  conn->user = NULL;
  nova__later_cancel(&conn->later);
  nova__attempt_drop(conn);
  writes_drop(loop, &conn->queue);
  writes_drop(loop, &conn->sent);
  if (conn->sock != NULL && open) {
    int fd = conn->sock->fd;
    if (rst) {
      struct linger linger = {.l_onoff = 1};
      (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    } else {
      /* Closing a socket with unread bytes sends RST: FIN first, and the bytes
       * are taken off. */
      (void)shutdown(fd, SHUT_WR);
      for (int i = 0; i < DISCARD_MAX; i++)
        if (recv(fd, loop->buffer, sizeof loop->buffer, MSG_DONTWAIT) <= 0)
          break;
    }
  }
  nova__sock_close(conn->sock);
  conn->sock = NULL;
  nova__conn_unpin(conn);
}

/* The connection is lost: the last event, the id is free. */
static void reset(struct nova__conn *conn, nova_ts t) {
  struct nova__user *user = conn->user;
  struct nova_event event = {
      .kind = NOVA_EVENT_RESET, .id = conn->id, .t = t, .since = t};
  nova__conn_close(conn, true);
  nova__tell(user, &event);
}

/* Reading. */

/* When the bytes of |msg| came: the kernel's stamp if there is one that can be
 * relied on, else when the loop woke up. */
static nova_ts arrival(struct nova_loop *loop, struct msghdr *msg) {
  nova_ts polled = nova__loop_polled(loop);
  if (!loop->real_steady)
    return polled;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
       c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS ||
        c->cmsg_len < CMSG_LEN(sizeof(struct timespec)))
      continue;
    struct timespec ts;
    memcpy(&ts, CMSG_DATA(c), sizeof ts);
    if (ts.tv_sec == 0)
      break;
    int64_t t = (int64_t)ts.tv_sec * (int64_t)NOVA_SEC + ts.tv_nsec -
                loop->real_minus_mono;
    if (t <= 0)
      break;
    /* Bytes can come while the loop is on its way here. */
    nova_ts now = (nova_ts)t > polled ? uv_hrtime() : polled;
    return (nova_ts)t > now ? now : (nova_ts)t;
  }
  return polled;
}

/* One read, and its event: BYTES or EOF. An error of the socket is left to the
 * caller. Returns as recv() does; the connection may be closed afterwards. */
static ssize_t read_once(struct nova__conn *conn, nova_ts *t) {
  struct nova_loop *loop = conn->loop;
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(struct timespec)) + 64];
  } control;
  struct iovec iov = {loop->buffer, sizeof loop->buffer};
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
  ssize_t n;
  do
    n = recvmsg(conn->sock->fd, &msg, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n > 0) {
    *t = arrival(loop, &msg);
    nova__tell(conn->user,
               &(struct nova_event){.kind = NOVA_EVENT_BYTES,
                                    .id = conn->id,
                                    .t = *t,
                                    .since = *t,
                                    .bytes = {loop->buffer, (size_t)n}});
  } else {
    *t = nova__loop_polled(loop);
  }
  return n;
}

static void tell_eof(struct nova__conn *conn, nova_ts t) {
  conn->eof = true;
  nova__tell(conn->user,
             &(struct nova_event){
                 .kind = NOVA_EVENT_EOF, .id = conn->id, .t = t, .since = t});
}

static void on_readable(struct nova__conn *conn) {
  nova_ts t;
  ssize_t n = read_once(conn, &t);
  if (n == 0)
    tell_eof(conn, t);
  else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
    reset(conn, t);
}

/* A write has failed: the connection is gone, but what came before may still be
 * waiting to be read, such as the other end's reason to hang up. */
static void end_after_write_error(struct nova__conn *conn) {
  nova_ts t = nova__loop_polled(conn->loop);
  while (conn->user != NULL && !conn->paused && !conn->eof) {
    ssize_t n = read_once(conn, &t);
    if (n > 0)
      continue;
    /* An RST reads as an end of file once the write has had the error. EPIPE is
     * what a write gets where a FIN had come before the RST. */
    if (n == 0 && conn->write_error == EPIPE)
      tell_eof(conn, t);
    break;
  }
  if (conn->user != NULL)
    reset(conn, t);
}

/* Writing. */

void nova__conn_lost(struct nova__conn *conn, int error) {
  if (conn->user == NULL)
    return;
  conn->write_error = error;
  writes_drop(conn->loop, &conn->queue);
  nova__later_ask(conn->loop, &conn->later);
  watch(conn);
}

/* Writes as much as the system takes. Tells nothing by itself. */
static void write_some(struct nova__conn *conn) {
  struct nova_loop *loop = conn->loop;
  struct nova__write *w;
  while ((w = conn->queue.head) != NULL) {
    while (w->done < w->n) {
      if (w->done == 0)
        w->since = uv_hrtime();
      ssize_t n = send(conn->sock->fd, w->data + w->done, w->n - w->done,
                       MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        watch(conn);
        return;
      }
      if (n < 0) {
        nova__conn_lost(conn, errno);
        return;
      }
      w->done += (size_t)n;
      conn->queued -= (size_t)n;
    }
    w->t = uv_hrtime();
    if (w->n == 0)
      w->since = w->t;
    writes_push(&conn->sent, writes_pop(&conn->queue));
    nova__later_ask(loop, &conn->later);
  }
  if (conn->half_closed && !conn->fin_sent) {
    conn->fin_sent = true;
    (void)shutdown(conn->sock->fd, SHUT_WR);
  }
  watch(conn);
}

/* Tells what came up in calls: what was sent, and the end of it. */
static void tell_pending(struct nova__conn *conn) {
  struct nova__write *w;
  nova__conn_pin(conn);
  nova__later_cancel(&conn->later);
  while (conn->user != NULL && (w = writes_pop(&conn->sent)) != NULL) {
    struct nova_event event = {
        .kind = NOVA_EVENT_SENT, .id = conn->id, .t = w->t, .since = w->since};
    nova_mem_free(conn->loop->mem, w);
    nova__tell(conn->user, &event);
  }
  if (conn->user != NULL && conn->write_error != 0)
    end_after_write_error(conn);
  nova__conn_unpin(conn);
}

static void on_later(struct nova__later *later) {
  tell_pending(CONTAINER(later, struct nova__conn, later));
}

static void on_socket(void *owner, int status, int events) {
  struct nova__conn *conn = owner;
  nova__conn_pin(conn);
  if (conn->queue.head != NULL && (status < 0 || (events & UV_WRITABLE) != 0))
    write_some(conn);
  /* What was sent is told before what is answered to it. */
  tell_pending(conn);
  if (conn->user != NULL && conn->eof && !conn->fin_sent &&
      (status < 0 || (events & UV_PRIORITIZED) != 0))
    reset(conn, nova__loop_polled(conn->loop));
  if (conn->user != NULL && !conn->eof && !conn->paused &&
      (status < 0 || (events & UV_READABLE) != 0))
    on_readable(conn);
  watch(conn);
  nova__conn_unpin(conn);
}

/* Connections. */

struct nova__conn *nova__conn_new(struct nova__user *user, uint64_t id) {
  struct nova_loop *loop = user->loop;
  struct nova__conn *conn = nova_mem_zalloc(loop->mem, sizeof *conn);
  if (conn == NULL)
    return NULL;
  if (nova__idmap_add(&user->conns, id, conn) != 0) {
    nova_mem_free(loop->mem, conn);
    return NULL;
  }
  conn->loop = loop;
  conn->user = user;
  conn->id = id;
  writes_init(&conn->queue);
  writes_init(&conn->sent);
  nova__later_init(&conn->later, on_later);
  return conn;
}

void nova__tune(int fd) {
  int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

void nova__conn_open(struct nova__conn *conn, struct nova__sock *sock) {
  sock->fn = on_socket;
  sock->owner = conn;
  conn->sock = sock;
}

/* The open connection with this id, or NULL. */
static struct nova__conn *find_open(struct nova_transport *t, uint64_t id) {
  struct nova__conn *conn = nova__idmap_get(&nova__user(t)->conns, id);
  return conn != NULL && conn->attempt == NULL && conn->write_error == 0 ? conn
                                                                         : NULL;
}

int nova__loop_send(struct nova_transport *t, uint64_t id, const char *p,
                    size_t n) {
  struct nova__conn *conn = find_open(t, id);
  if (conn == NULL || conn->half_closed)
    return NOVA_ERR_STATE;
  if (n > NOVA_SEND_QUEUE_MAX - conn->queued)
    return NOVA_ERR_LIMIT;
  struct nova__write *w = nova_mem_alloc(conn->loop->mem, sizeof *w + n);
  if (w == NULL)
    return NOVA_ERR_NO_MEMORY;
  *w = (struct nova__write){.n = n};
  if (n != 0)
    memcpy(w->data, p, n);
  bool first = conn->queue.head == NULL;
  writes_push(&conn->queue, w);
  conn->queued += n;
  if (first)
    write_some(conn);
  return 0;
}

int nova__loop_half_close(struct nova_transport *t, uint64_t id) {
  struct nova__conn *conn = find_open(t, id);
  if (conn == NULL || conn->half_closed)
    return NOVA_ERR_STATE;
  conn->half_closed = true;
  if (conn->queue.head == NULL)
    write_some(conn);
  return 0;
}

void nova__loop_close(struct nova_transport *t, uint64_t id, bool rst) {
  struct nova__conn *conn = nova__idmap_get(&nova__user(t)->conns, id);
  if (conn != NULL)
    nova__conn_close(conn, rst);
}

void nova__loop_pause(struct nova_transport *t, uint64_t id, bool paused) {
  struct nova__conn *conn = find_open(t, id);
  if (conn == NULL || conn->paused == paused)
    return;
  conn->paused = paused;
  watch(conn);
}
