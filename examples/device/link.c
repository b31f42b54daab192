#define _POSIX_C_SOURCE 200809L

#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Guide 5 asks for a mechanism to reconnect and gives no times. The delay
 * doubles with each attempt that fails, and up to half of it is added by
 * chance: 1 s to 30 s in all. Without the chance, all devices of a site would
 * come back at the same moment after a failure of the server, and again and
 * again. */
#define DELAY_FIRST (1 * NOVA_SEC)
#define DELAY_LAST  (20 * NOVA_SEC)

/* The operating system's own patience would be minutes. */
#define CONNECT_TIMEOUT (10 * NOVA_SEC)

nova_ts link_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (nova_ts)t.tv_sec * NOVA_SEC + (nova_ts)t.tv_nsec;
}

void link_init(struct link *l, const char *host, const char *port,
               uint64_t seed) {
  *l = (struct link){.fd = -1,
                     .host = host,
                     .port = port,
                     .delay = DELAY_FIRST,
                     .useful = NOVA_TS_NONE};
  nova_rng_init(&l->rng, seed);
}

/* Closes the socket, not the attempt: there may be another address. */
static void drop(struct link *l) {
  if (l->fd >= 0)
    close(l->fd);
  l->fd = -1;
}

void link_close(struct link *l, nova_ts at_least) {
  nova_ts now = link_clock();
  /* Not every connection that stood begins the back-off anew: a server that
   * takes each device in and throws it out again would be called every second.
   * It has to have lasted longer than the delay. */
  if (l->useful != NOVA_TS_NONE && now - l->useful > l->delay)
    l->delay = DELAY_FIRST;
  nova_ts wait = l->delay > at_least ? l->delay : at_least;
  drop(l);
  l->state = LINK_DOWN;
  l->useful = NOVA_TS_NONE;
  l->deadline = now + wait + nova_rng_below(&l->rng, wait / 2);
  l->delay = nova_ts_min(2 * l->delay, DELAY_LAST);
}

/* Asks for the addresses before each attempt, as they may have changed. The one
 * call that can block, for as long as the resolver's time limit, and that takes
 * memory, which is given back at once. A name that is an address needs neither.
 */
static void resolve(struct link *l) {
  /* IPv4 and IPv6, in the order that the system prefers. */
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  l->addresses = l->next = 0;
  if (getaddrinfo(l->host, l->port, &hints, &list) != 0)
    return;
  for (struct addrinfo *i = list; i != NULL && l->addresses < LINK_ADDRESSES;
       i = i->ai_next)
    if (i->ai_addrlen <= sizeof l->address[0].address) {
      memcpy(&l->address[l->addresses].address, i->ai_addr, i->ai_addrlen);
      l->address[l->addresses++].n = i->ai_addrlen;
    }
  freeaddrinfo(list);
}

static int connected(struct link *l) {
  l->state = LINK_UP;
  l->deadline = NOVA_TS_NONE;
  return 1;
}

/* The next address that does not fail at once. */
static int try_next(struct link *l) {
  while (l->next < l->addresses) {
    const struct sockaddr *a =
        (const struct sockaddr *)&l->address[l->next].address;
    socklen_t n = l->address[l->next++].n;
    drop(l);
    l->fd = socket(a->sa_family, SOCK_STREAM, 0);
    int flags = l->fd >= 0 ? fcntl(l->fd, F_GETFL) : -1;
    if (flags < 0 || fcntl(l->fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(l->fd, F_SETFD, FD_CLOEXEC) != 0)
      continue;
    /* A message is written in one piece and somebody waits for it: not to be
     * held back until the one before it is acknowledged. */
    (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(l->fd, a, n) == 0)
      return connected(l);
    if (errno == EINPROGRESS || errno == EINTR) {
      l->state = LINK_CONNECTING;
      l->deadline = link_clock() + CONNECT_TIMEOUT;
      return 0;
    }
  }
  link_close(l, 0);
  return -1;
}

int link_advance(struct link *l, bool reported) {
  bool late = link_clock() >= l->deadline;
  switch (l->state) {
  case LINK_DOWN:
    if (!late)
      return 0;
    resolve(l);
    return try_next(l);
  case LINK_CONNECTING:
    if (reported) {
      int error = 0;
      socklen_t n = sizeof error;
      if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 &&
          error == 0)
        return connected(l);
    }
    return reported || late ? try_next(l) : 0;
  case LINK_UP: break;
  }
  return 0;
}

void link_is_useful(struct link *l) {
  if (l->useful == NOVA_TS_NONE)
    l->useful = link_clock();
}

/* What a failed read or write means. */
static ssize_t failed(void) {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

ssize_t link_read(struct link *l, char *p, size_t n) {
  ssize_t got = recv(l->fd, p, n, 0);
  if (got == 0)
    return -1;
  return got > 0 ? got : failed();
}

ssize_t link_write(struct link *l, const char *p, size_t n) {
  ssize_t sent = send(l->fd, p, n, 0);
  return sent >= 0 ? sent : failed();
}
