/* Listeners on real sockets. */
#include "net/loop_world.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
  DOORS = 8,         /* addresses of one name that are listened on */
  BACKLOG = 4096,    /* the system caps it (net.core.somaxconn) */
  ACCEPTS = 64,      /* connections that are taken in before others' turn */
  PORT_ATTEMPTS = 16 /* free ports tried until one is free on each address */
};

#define CONTAINER(p, type, member)                                             \
  ((type *)(void *)((char *)(p)-offsetof(type, member)))

struct door {
  struct listener *listener;
  struct nova__sock *sock;
};

/* One listener: a door for each address of its name. */
struct listener {
  struct nova__link link; /* in the user's listeners */
  struct nova__user *user;
  uint64_t id;
  struct door door[DOORS];
  size_t doors;
  bool dead, busy; /* busy: in use further up the stack */
};

static void free_listener(struct listener *l, struct nova_loop *loop) {
  if (l->dead && !l->busy)
    nova_mem_free(loop->mem, l);
}

static void shut(struct listener *l) {
  struct nova_loop *loop = l->user->loop;
  for (size_t i = 0; i < l->doors; i++)
    nova__sock_close(l->door[i].sock);
  nova__link_out(&l->link);
  l->dead = true;
  free_listener(l, loop);
}

static void close_with_rst(int fd) {
  struct linger linger = {.l_onoff = 1};
  (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

/* Without a descriptor left the connection would stay in the queue and wake the
 * loop for ever: the spare one is given up to take it and end it. */
static bool turn_away(struct nova_loop *loop, int door) {
  if (loop->spare_fd < 0)
    return false;
  close(loop->spare_fd);
  int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
  if (fd >= 0)
    close_with_rst(fd);
  loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

static void take_in(struct listener *l, int fd) {
  struct nova__user *user = l->user;
  struct nova__sock *sock = nova__sock_new(user->loop, fd, NULL, NULL);
  if (sock == NULL)
    return;
  struct nova__conn *conn = nova__conn_new(user, user->next_id);
  if (conn == NULL) {
    nova__sock_close(sock);
    return;
  }
  user->next_id++;
  nova__tune(fd);
  nova__conn_open(conn, sock);
  nova_ts t = nova__loop_polled(user->loop);
  nova__conn_pin(conn);
  nova__tell(user, &(struct nova_event){.kind = NOVA_EVENT_ACCEPTED,
                                        .id = conn->id,
                                        .listener = l->id,
                                        .t = t,
                                        .since = t});
  nova__conn_watch(conn);
  nova__conn_unpin(conn);
}

static void on_door(void *owner, int status, int events) {
  const struct door *door = owner;
  struct listener *l = door->listener;
  struct nova_loop *loop = l->user->loop;
  int listening = door->sock->fd;
  (void)events;
  if (status < 0)
    nova__sock_want(door->sock, UV_READABLE);
  l->busy = true;
  for (int i = 0; i < ACCEPTS && !l->dead; i++) {
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      take_in(l, fd);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) {
      if (!turn_away(loop, listening))
        break;
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ||
        errno == ENOMEM)
      break;
    /* The rest are errors of the one connection, or EINTR: the next one. */
  }
  l->busy = false;
  free_listener(l, loop);
}

/* Binds one address. Returns the descriptor, or -errno. |port|: in, the one
 * wanted, out, the one bound. */
static int bind_one(const struct addrinfo *address, bool alone,
                    uint16_t *port) {
  struct sockaddr_storage a;
  socklen_t n = address->ai_addrlen;
  if (n > sizeof a)
    return -EINVAL;
  memcpy(&a, address->ai_addr, n);
  if (a.ss_family == AF_INET)
    ((struct sockaddr_in *)&a)->sin_port = htons(*port);
  else if (a.ss_family == AF_INET6)
    ((struct sockaddr_in6 *)&a)->sin6_port = htons(*port);
  else
    return -EAFNOSUPPORT;
  int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  /* "::" alone takes IPv4 too, as people expect; beside another address it must
   * not, or the two would be in each other's way. */
  if (a.ss_family == AF_INET6 && !alone)
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  nova__tune(fd); /* what it accepts inherits that */
  if (bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, BACKLOG) != 0 ||
      getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
    int err = -errno;
    close(fd);
    return err;
  }
  *port = ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                        : ((struct sockaddr_in *)&a)->sin_port);
  return fd;
}

static bool same_address(const struct addrinfo *a, const struct addrinfo *b) {
  return a->ai_addrlen == b->ai_addrlen &&
         memcmp(a->ai_addr, b->ai_addr, a->ai_addrlen) == 0;
}

static bool seen_before(const struct addrinfo *list, const struct addrinfo *a) {
  for (; list != a; list = list->ai_next)
    if (same_address(list, a))
      return true;
  return false;
}

/* Binds every address of |list| to one port. Addresses that this machine does
 * not have (a name may stand for ::1 where there is no IPv6) are left out while
 * there is another. Returns how many, or -errno. */
static int bind_all(const struct addrinfo *list, uint16_t *port,
                    int fd[DOORS]) {
  int n = 0, err = -EADDRNOTAVAIL;
  for (const struct addrinfo *a = list; a != NULL && n < DOORS;
       a = a->ai_next) {
    if (seen_before(list, a))
      continue;
    int got = bind_one(a, list->ai_next == NULL, port);
    if (got >= 0) {
      fd[n++] = got;
      continue;
    }
    err = got;
    if (err != -EADDRNOTAVAIL && err != -EAFNOSUPPORT) {
      while (n > 0)
        close(fd[--n]);
      return err;
    }
  }
  return n > 0 ? n : err;
}

/* Words for a failure, in the loop's buffer. */
static const char *explain(struct nova_loop *loop, int error, const char *host,
                           uint16_t port) {
  char where[300];
  nova__address(where, sizeof where, host, port);
  if (error == -EADDRINUSE)
    snprintf(loop->why, sizeof loop->why, "%s is already in use", where);
  else if (error == -EADDRNOTAVAIL)
    snprintf(loop->why, sizeof loop->why,
             "%s is not an address of this machine", host);
  else if (error == -EACCES)
    snprintf(loop->why, sizeof loop->why,
             "listening on %s needs rights that this process does not have",
             where);
  else
    snprintf(loop->why, sizeof loop->why, "cannot listen on %s: %s", where,
             strerror(-error));
  return loop->why;
}

/* Opens the doors. Returns 0 or NOVA_ERR_ARGUMENT with |why|. */
static int bind_name(struct listener *l, const char *host, uint16_t port,
                     uint16_t *bound, const char **why) {
  struct nova_loop *loop = l->user->loop;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  struct addrinfo *list = NULL;
  int err = getaddrinfo(host, NULL, &hints, &list);
  if (err != 0) {
    snprintf(loop->why, sizeof loop->why, "the name %s is not found: %s", host,
             gai_strerror(err));
    *why = loop->why;
    return NOVA_ERR_ARGUMENT;
  }
  int fd[DOORS], n = -EADDRINUSE;
  for (int i = 0; i < PORT_ATTEMPTS && n == -EADDRINUSE; i++) {
    *bound = port;
    n = bind_all(list, bound, fd);
    if (port != 0)
      break;
  }
  freeaddrinfo(list);
  if (n < 0) {
    *why = explain(loop, n, host, port);
    return NOVA_ERR_ARGUMENT;
  }
  *why = "out of memory";
  for (int i = 0; i < n; i++) {
    struct door *door = &l->door[l->doors];
    door->listener = l;
    door->sock = nova__sock_new(loop, fd[i], on_door, door);
    if (door->sock == NULL) {
      while (++i < n)
        close(fd[i]);
      return NOVA_ERR_NO_MEMORY;
    }
    l->doors++;
    nova__sock_want(door->sock, UV_READABLE);
  }
  *why = NULL;
  return 0;
}

static struct listener *find(struct nova__user *user, uint64_t id) {
  for (struct nova__link *i = user->listeners.next; i != &user->listeners;
       i = i->next) {
    struct listener *l = CONTAINER(i, struct listener, link);
    if (l->id == id)
      return l;
  }
  return NULL;
}

int nova__loop_listen(struct nova_transport *t, uint64_t listener,
                      const char *host, uint16_t port, uint16_t *bound,
                      const char **why) {
  struct nova__user *user = nova__user(t);
  char bare[256];
  if (nova__bare_host(bare, host) == NULL) {
    *why = "a host to listen on is a name of 1 to 255 bytes";
    return NOVA_ERR_ARGUMENT;
  }
  if (find(user, listener) != NULL) {
    *why = "the listener's id is in use";
    return NOVA_ERR_ARGUMENT;
  }
  struct listener *l = nova_mem_zalloc(user->loop->mem, sizeof *l);
  if (l == NULL) {
    *why = "out of memory";
    return NOVA_ERR_NO_MEMORY;
  }
  l->user = user;
  l->id = listener;
  nova__link_init(&l->link);
  nova__link_in(&user->listeners, &l->link);
  int err = bind_name(l, bare, port, bound, why);
  if (err != 0)
    shut(l);
  return err;
}

void nova__loop_unlisten(struct nova_transport *t, uint64_t listener) {
  struct listener *l = find(nova__user(t), listener);
  if (l != NULL)
    shut(l);
}

void nova__unlisten_all(struct nova__user *user) {
  while (!nova__link_alone(&user->listeners))
    shut(CONTAINER(user->listeners.next, struct listener, link));
}
