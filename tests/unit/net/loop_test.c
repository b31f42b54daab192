/* What only the real network has: addresses, names, the kernel's clock, and
 * peers that are nothing but a socket. */
#include "unit/net/world.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOP_TEST(name)                                                        \
  static void name(struct world *w);                                           \
  Test(loop, name) {                                                           \
    struct world w;                                                            \
    world_open_loop(&w);                                                       \
    name(&w);                                                                  \
    world_free(&w);                                                            \
  }                                                                            \
  static void name(struct world *w)

static struct sockaddr_in local(uint16_t port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

/* A socket that nobody's loop looks after, connected to |port|. */
static int raw_connect(uint16_t port) {
  struct sockaddr_in a = local(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  cr_assert_geq(fd, 0);
  cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0, "%s",
               strerror(errno));
  return fd;
}

static nova_ts clock_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (nova_ts)ts.tv_sec * NOVA_SEC + (nova_ts)ts.tv_nsec;
}

/* The time that this process has spent computing. */
static nova_ts cpu_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (nova_ts)ts.tv_sec * NOVA_SEC + (nova_ts)ts.tv_nsec;
}

/* Nothing happens for a while: the loop must sleep and not spin. */
static void expect_rest(struct world *w, const char *when) {
  nova_ts begun = cpu_ns();
  world_run(w, 200 * NOVA_MS);
  nova_ts spent = cpu_ns() - begun;
  cr_assert_lt(spent, 60 * NOVA_MS, "%s: the loop spins, %llu ms of 200", when,
               (unsigned long long)(spent / NOVA_MS));
}

static int try_listen(struct party *p, uint64_t id, const char *host,
                      uint16_t port, uint16_t *bound, const char **why) {
  *why = NULL;
  return p->t->ops->listen(p->t, id, host, port, bound, why);
}

static void talk(struct world *w, const char *host, uint16_t port,
                 uint64_t id) {
  size_t before = w->a.bytes.len;
  cr_assert_eq(net_connect(&w->b, id, host, port, 5 * NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_CONNECTED, id, 1);
  cr_assert_eq(net_send(&w->b, id, "hello", 5), 0);
  world_await_bytes(w, &w->a, before + 5);
}

LOOP_TEST(both_kinds_of_addresses) {
  uint16_t port;
  const char *why;
  talk(w, "127.0.0.1", net_listen(&w->a, 1, "127.0.0.1", 0), 1);
  if (try_listen(&w->a, 2, "::1", 0, &port, &why) != 0) {
    cr_log_warn("no IPv6 here, only IPv4 was checked: %s", why);
    return;
  }
  talk(w, "::1", port, 2);
  talk(w, "[::1]", port, 3);
  /* "::" takes both kinds. */
  port = net_listen(&w->a, 4, "::", 0);
  talk(w, "::1", port, 4);
  talk(w, "127.0.0.1", port, 5);
  /* A sentence with an address of colons has brackets. */
  w->a.t->ops->unlisten(w->a.t, 2);
  cr_assert_eq(try_listen(&w->a, 6, "::", port, &port, &why),
               NOVA_ERR_ARGUMENT);
  cr_assert_not_null(strstr(why, "[::]:"), "%s", why);
}

typedef int lookup_fn(const char *, const char *, const struct addrinfo *,
                      struct addrinfo **);

/* Stands before the system's: names with several addresses, which no machine
 * has for certain. "two.test" is 127.0.0.2 and 127.0.0.1, "same.test" 127.0.0.1
 * twice. */
int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints,
                struct addrinfo **restrict list) {
  lookup_fn *real;
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  bool two = name != NULL && strcmp(name, "two.test") == 0;
  bool same = name != NULL && strcmp(name, "same.test") == 0;
  if ((!two && !same) ||
      (hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0))
    return real(name, service, hints, list);
  int err = real(two ? "127.0.0.2" : "127.0.0.1", service, hints, list);
  return err != 0 ? err : real("127.0.0.1", service, hints, &(*list)->ai_next);
}

LOOP_TEST(a_name_of_several_addresses) {
  const char *why;
  uint16_t port = net_listen(&w->a, 1, "two.test", 0), other;
  talk(w, "127.0.0.1", port, 1);
  talk(w, "127.0.0.2", port, 2);
  /* Each is tried. */
  port = net_listen(&w->a, 2, "127.0.0.1", 0);
  talk(w, "two.test", port, 3);
  port = net_listen(&w->a, 3, "127.0.0.2", 0);
  talk(w, "two.test", port, 4);
  /* One that is taken is not left out in silence. */
  cr_assert_eq(try_listen(&w->a, 4, "two.test", port, &other, &why),
               NOVA_ERR_ARGUMENT);
  cr_assert_not_null(strstr(why, "in use"), "%s", why);
  port = net_listen(&w->a, 5, "same.test", 0);
  talk(w, "127.0.0.1", port, 5);
  cr_assert_eq(net_connect(&w->b, 6, "two.test", 1, NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_REFUSED, 6, 1);
  cr_assert_str_eq(nova_buf_cstr(&w->b.text), "nobody listens on two.test:1");
}

LOOP_TEST(names) {
  /* A name of several addresses is listened on at each, at one port. */
  uint16_t port = net_listen(&w->a, 1, "localhost", 0);
  talk(w, "localhost", port, 1);
  talk(w, "127.0.0.1", port, 2);
  /* And each of them is tried. */
  port = net_listen(&w->a, 2, "127.0.0.1", 0);
  talk(w, "localhost", port, 3);
  /* Given up while it is looked up: nothing comes. */
  cr_assert_eq(net_connect(&w->b, 9, "localhost", port, NOVA_SEC), 0);
  net_close(&w->b, 9, false);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_CONNECTED, 9), 0);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_REFUSED, 9), 0);
}

LOOP_TEST(a_refusal_of_every_address_is_told_once) {
  uint16_t port = net_listen(&w->a, 1, "localhost", 0);
  w->a.t->ops->unlisten(w->a.t, 1);
  cr_assert_eq(net_connect(&w->b, 1, "localhost", port, 5 * NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_REFUSED, 1, 1);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_REFUSED, 1), 1);
  cr_assert_eq(party_last(&w->b, NOVA_EVENT_REFUSED, 1)->code,
               NOVA_CODE_REFUSED);
}

LOOP_TEST(where_one_cannot_listen) {
  uint16_t port;
  const char *why;
  cr_assert_eq(try_listen(&w->a, 1, "192.0.2.1", 0, &port, &why),
               NOVA_ERR_ARGUMENT);
  cr_assert_str_eq(why, "192.0.2.1 is not an address of this machine");
  cr_assert_eq(try_listen(&w->a, 1, "nowhere.invalid", 0, &port, &why),
               NOVA_ERR_ARGUMENT);
  cr_assert_not_null(strstr(why, "the name nowhere.invalid is not found"));
  cr_assert_eq(try_listen(&w->a, 1, "", 0, &port, &why), NOVA_ERR_ARGUMENT);
  cr_assert_not_null(why);
  char host[300];
  memset(host, 'x', sizeof host - 1);
  host[sizeof host - 1] = '\0';
  cr_assert_eq(try_listen(&w->a, 1, host, 0, &port, &why), NOVA_ERR_ARGUMENT);
  cr_assert_eq(net_connect(&w->a, 1, host, 1, NOVA_SEC), NOVA_ERR_ARGUMENT);
}

/* A listener whose queue is full does not answer at all. */
LOOP_TEST(no_answer_in_time) {
  struct sockaddr_in a = local(0);
  socklen_t n = sizeof a;
  int door = socket(AF_INET, SOCK_STREAM, 0), filler[4];
  cr_assert_eq(bind(door, (struct sockaddr *)&a, sizeof a), 0);
  cr_assert_eq(listen(door, 0), 0);
  cr_assert_eq(getsockname(door, (struct sockaddr *)&a, &n), 0);
  for (int i = 0; i < 4; i++) {
    filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)connect(filler[i], (struct sockaddr *)&a, sizeof a);
  }
  uint16_t port = ntohs(a.sin_port);
  cr_assert_eq(net_connect(&w->b, 1, "127.0.0.1", port, 300 * NOVA_MS), 0);
  cr_assert_eq(net_connect(&w->b, 2, "127.0.0.1", port, 0), 0);
  world_await(w, &w->b, NOVA_EVENT_REFUSED, 1, 1);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_REFUSED, 2), 1);
  const struct seen *e = party_last(&w->b, NOVA_EVENT_REFUSED, 1);
  cr_assert_eq(e->code, NOVA_CODE_TIMEOUT);
  cr_assert_geq(e->t - e->since, 300 * NOVA_MS);
  cr_assert_lt(e->t - e->since, NOVA_SEC);
  cr_assert_not_null(strstr(nova_buf_cstr(&w->b.text), "does not answer"));
  for (int i = 0; i < 4; i++)
    close(filler[i]);
  close(door);
}

/* The time of bytes is that of their arrival, although the loop was busy. */
LOOP_TEST(bytes_carry_the_time_of_their_arrival) {
  uint16_t port = net_listen(&w->a, 1, "127.0.0.1", 0);
  int fd = raw_connect(port);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, 1);
  for (int i = 0; i < 3; i++) {
    world_run(w, 20 * NOVA_MS);
    nova_ts before = clock_ns();
    cr_assert_eq(write(fd, "x", 1), 1);
    nova_ts after = clock_ns();
    usleep(80000);
    world_await_bytes(w, &w->a, (size_t)i + 1);
    nova_ts t = party_last(&w->a, NOVA_EVENT_BYTES, 0)->t;
    /* The conversion from the kernel's Unix time costs some microseconds. */
    cr_assert_geq(t + NOVA_MS / 5, before, "before it was sent");
    cr_assert_leq(t, after + 20 * NOVA_MS, "late by %llu us",
                  (unsigned long long)(t - after) / 1000);
  }
  close(fd);
}

/* What came before the deadline is told before it, although the loop came to
 * both after it. */
LOOP_TEST(bytes_in_time_come_before_the_deadline) {
  uint16_t port = net_listen(&w->a, 1, "127.0.0.1", 0);
  int fd = raw_connect(port);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, 1);
  world_run(w, 50 * NOVA_MS); /* until the kernel gives its stamps */
  for (size_t i = 1; i <= 10; i++) {
    nova_ts when = net_now(&w->a) + 5 * NOVA_MS;
    net_wake_at(&w->a, when);
    cr_assert_eq(write(fd, "x", 1), 1);
    usleep(8000);
    size_t n = w->a.n;
    world_run(w, 10 * NOVA_MS);
    cr_assert_eq(w->a.expired, i);
    cr_assert_eq(w->a.n, n + 1);
    cr_assert_lt(w->a.seen[n].t, when);
    cr_assert_geq(w->a.expired_at, when);
  }
  close(fd);
}

static struct party *watched;
static nova_ts told;

static void time_goes_forward(struct party *p, const struct nova_event *e) {
  cr_assert_geq(e->t, told, "time runs backwards");
  told = e->t;
  if (e->kind == NOVA_EVENT_BYTES) {
    usleep(1000);
    told = net_now(p);
  }
}

/* Bytes that came to several sockets while the loop was busy are told in some
 * order; their user's time does not run backwards. */
LOOP_TEST(time_never_runs_backwards) {
  enum { N = 20 };
  int fd[N];
  uint16_t port = net_listen(&w->a, 1, "127.0.0.1", 0);
  watched = &w->a;
  told = 0;
  w->a.on_event = time_goes_forward;
  for (int i = 0; i < N; i++)
    fd[i] = raw_connect(port);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, N);
  for (int round = 0; round < 5; round++) {
    for (int i = N - 1; i >= 0; i--) {
      cr_assert_eq(write(fd[i], "x", 1), 1);
      usleep(200);
    }
    world_await_bytes(w, &w->a, (size_t)(round + 1) * N);
  }
  for (int i = 0; i < N; i++)
    close(fd[i]);
}

/* What was sent is told before the answer to it, although both come up in the
 * same turn of the loop. */
LOOP_TEST(sent_comes_before_the_answer) {
  char c;
  uint16_t port = net_listen(&w->a, 1, "127.0.0.1", 0);
  int fd = raw_connect(port);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, 1);
  uint64_t id = party_last(&w->a, NOVA_EVENT_ACCEPTED, 0)->id;
  cr_assert_eq(net_send(&w->a, id, "?", 1), 0);
  cr_assert_eq(read(fd, &c, 1), 1);
  cr_assert_eq(write(fd, "!", 1), 1);
  world_await_bytes(w, &w->a, 1);
  cr_assert_eq(w->a.n, 3);
  cr_assert_eq(w->a.seen[1].kind, NOVA_EVENT_SENT);
  cr_assert_eq(w->a.seen[2].kind, NOVA_EVENT_BYTES);
  cr_assert_leq(w->a.seen[1].t, w->a.seen[2].t);
  close(fd);
}

/* A peer says why, and is gone; we find out by a write that fails. */
static void say_and_go(struct world *w, bool rst) {
  uint16_t port = net_listen(&w->a, rst ? 1 : 2, "127.0.0.1", 0);
  size_t before = party_count(&w->a, NOVA_EVENT_ACCEPTED, 0);
  int fd = raw_connect(port);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, before + 1);
  uint64_t id = party_last(&w->a, NOVA_EVENT_ACCEPTED, 0)->id;
  nova_buf_clear(&w->a.bytes);
  cr_assert_eq(write(fd, "the reason", 10), 10);
  struct linger linger = {.l_onoff = rst};
  cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger),
               0);
  close(fd);
  usleep(5000);
  int err = 0;
  for (int i = 0; i < 10 && err == 0; i++) {
    err = net_send(&w->a, id, "x", 1);
    usleep(1000);
  }
  cr_assert_eq(err, NOVA_ERR_STATE, "no write failed");
  world_await(w, &w->a, NOVA_EVENT_RESET, id, 1);
  cr_assert(nova_view_is(nova_buf_view(&w->a.bytes), "the reason"));
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_EOF, id), rst ? 0 : 1);
}

LOOP_TEST(what_a_peer_said_before_it_went_is_not_lost) {
  say_and_go(w, true);
  say_and_go(w, false);
}

/* The times of SENT enclose the write, and the peer's bytes come after it. */
LOOP_TEST(a_send_that_waits_begins_when_it_begins) {
  uint16_t port = net_listen(&w->a, 1, "127.0.0.1", 0);
  int fd = raw_connect(port);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, 1);
  uint64_t id = party_last(&w->a, NOVA_EVENT_ACCEPTED, 0)->id;
  size_t n = (size_t)1 << 20, sends = 0;
  char *p = calloc(1, n);
  /* Until one does not go out. */
  while (sends < 30 && party_count(&w->a, NOVA_EVENT_SENT, id) == sends) {
    cr_assert_eq(net_send(&w->a, id, p, n), 0);
    sends++;
    world_run(w, 10 * NOVA_MS);
  }
  cr_assert_lt(party_count(&w->a, NOVA_EVENT_SENT, id), sends);
  cr_assert_eq(net_send(&w->a, id, "last", 4), 0);
  usleep(50000);
  nova_ts resumed = clock_ns();
  size_t got = 0;
  while (got < sends * n + 4) {
    ssize_t r = recv(fd, p, n, MSG_DONTWAIT);
    if (r > 0)
      got += (size_t)r;
    else
      world_run(w, NOVA_MS);
  }
  world_await(w, &w->a, NOVA_EVENT_SENT, id, sends + 1);
  const struct seen *last = party_last(&w->a, NOVA_EVENT_SENT, id);
  cr_assert_geq(last->since, resumed, "it had begun while the other waited");
  free(p);
  close(fd);
}

LOOP_TEST(the_loop_rests) {
  uint64_t id = world_join(w);
  expect_rest(w, "an open connection");
  /* The other end has sent its FIN. */
  cr_assert_eq(net_half_close(&w->b, 1), 0);
  world_await(w, &w->a, NOVA_EVENT_EOF, id, 1);
  expect_rest(w, "after EOF");
  /* Both have. */
  cr_assert_eq(net_half_close(&w->a, id), 0);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  expect_rest(w, "after EOF both ways");
  /* A peer that is gone, and nobody reads. */
  cr_assert_eq(net_connect(&w->b, 2, w->host, net_listen(&w->a, 9, w->host, 0),
                           NOVA_SEC),
               0);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, 2);
  world_await(w, &w->b, NOVA_EVENT_CONNECTED, 2, 1);
  net_pause(&w->b, 2, true);
  net_close(&w->a, party_last(&w->a, NOVA_EVENT_ACCEPTED, 0)->id, true);
  expect_rest(w, "paused, behind a reset");
}

/* Without descriptors left, who knocks is turned away and not left at the door,
 * and the loop goes on. */
LOOP_TEST(no_descriptor_is_left) {
  enum { N = 30 };
  int fd[N];
  uint16_t port = net_listen(&w->a, 1, "127.0.0.1", 0);
  for (int i = 0; i < N; i++)
    fd[i] = raw_connect(port);
  struct rlimit limit;
  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = (rlim_t)fd[N - 1] + 6;
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  world_run(w, 50 * NOVA_MS);
  expect_rest(w, "without descriptors");
  size_t accepted = party_count(&w->a, NOVA_EVENT_ACCEPTED, 0), reset = 0;
  cr_assert(accepted >= 1 && accepted <= 6, "%zu accepted", accepted);
  for (int i = 0; i < N; i++) {
    char c;
    reset += recv(fd[i], &c, 1, MSG_DONTWAIT) < 0 && errno == ECONNRESET;
  }
  cr_assert_eq(reset, N - accepted);
  /* No socket for a connection of our own either: told, not hung. */
  cr_assert_eq(net_connect(&w->b, 1, "127.0.0.1", port, NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_REFUSED, 1, 1);
  cr_assert_eq(party_last(&w->b, NOVA_EVENT_REFUSED, 1)->code, NOVA_CODE_OTHER);
  limit.rlim_cur = before;
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  for (int i = 0; i < N; i++)
    close(fd[i]);
}

static void oversleep(void *user, nova_ts now) {
  (void)user;
  (void)now;
  usleep(60000);
}

LOOP_TEST(lateness_is_measured) {
  world_run(w, 200 * NOVA_MS);
  struct nova_lag calm = nova_loop_lag(w->net);
  cr_assert_gt(calm.largest, 0, "nothing was measured");
  cr_assert_lt(calm.largest, 40 * NOVA_MS);
  w->a.t->handler.expire = oversleep;
  net_wake_at(&w->a, net_now(&w->a) + 5 * NOVA_MS);
  net_wake_at(&w->b, net_now(&w->a) + 10 * NOVA_MS);
  world_run(w, 100 * NOVA_MS);
  struct nova_lag busy = nova_loop_lag(w->net);
  cr_assert_geq(busy.largest, 50 * NOVA_MS);
  cr_assert_eq(busy.recent, busy.largest);
  cr_assert_eq(w->b.expired, 1);
}

/* Not being run is no lateness. */
LOOP_TEST(lateness_counts_from_the_run_on) {
  net_wake_at(&w->a, net_now(&w->a) + NOVA_MS);
  usleep(80000);
  world_run(w, 20 * NOVA_MS);
  cr_assert_eq(w->a.expired, 1);
  cr_assert_lt(nova_loop_lag(w->net).largest, 40 * NOVA_MS);
}

static int caught;

static void on_signal(void *user, int number) {
  caught = number;
  nova_loop_stop(user);
}

LOOP_TEST(signals_come_through_the_loop) {
  cr_assert_eq(nova_loop_on_signal(w->net, on_signal, w->net), 0);
  raise(SIGTERM);
  cr_assert(nova_loop_run_for(w->net, 5 * NOVA_SEC), "it was not stopped");
  cr_assert_eq(caught, SIGTERM);
  raise(SIGINT);
  nova_loop_run(w->net);
  cr_assert_eq(caught, SIGINT);
  cr_assert(!nova_loop_run_for(w->net, 10 * NOVA_MS), "nobody stopped it");
  cr_assert_eq(nova_loop_on_signal(w->net, NULL, NULL), 0);
}

Test(loop, the_first_transport_is_there) {
  struct nova_loop *loop = nova_loop_new(NULL);
  struct nova_transport *t = nova_loop_transport(loop);
  cr_assert_not_null(t);
  cr_assert_gt(t->ops->now(t), 0);
  nova_loop_detach(t);
  cr_assert_null(nova_loop_transport(loop));
  nova_loop_free(loop);
  nova_loop_free(NULL);
}

/* Freed with everything under way: a lookup, a connection that is being made,
 * bytes on their way, a program. */
Test(loop, is_freed_in_the_middle) {
  struct world w;
  world_open_loop(&w);
  uint64_t id = world_join(&w);
  static char big[1 << 20];
  for (int i = 0; i < 8; i++)
    cr_assert_eq(net_send(&w.a, id, big, sizeof big), 0);
  cr_assert_eq(net_connect(&w.b, 2, "localhost", 9, NOVA_SEC), 0);
  cr_assert_eq(net_connect(&w.b, 3, "127.0.0.1", 9, NOVA_SEC), 0);
  const char *const argv[] = {"sleep", "100", NULL};
  struct nova_job job = {.argv = argv, .timeout = NOVA_TS_NONE};
  cr_assert_eq(w.a.t->ops->run(w.a.t, 1, &job), 0);
  const char *const nothing[] = {"/no/such/program", NULL};
  job.argv = nothing;
  cr_assert_eq(w.a.t->ops->run(w.a.t, 2, &job), 0);
  nova_ts begun = clock_ns();
  world_free(&w);
  cr_assert_lt(clock_ns() - begun, 3 * NOVA_SEC);
}

/* Every allocation of the loop's own fails once. */

static int allocations_left;

static void *scarce(void *p, size_t n, void *user) {
  (void)user;
  return allocations_left-- == 0 ? NULL : realloc(p, n);
}

static void give_back(void *p, void *user) {
  (void)user;
  free(p);
}

static int conversations;

static void scarce_event(void *user, const struct nova_event *e) {
  struct nova_transport *t = user;
  if (e->kind == NOVA_EVENT_CONNECTED)
    (void)t->ops->send(t, e->id, "0123456789", 10);
  if (e->kind == NOVA_EVENT_BYTES)
    t->ops->close(t, e->id, false);
  conversations += e->kind == NOVA_EVENT_JOB;
}

Test(loop, survives_without_memory) {
  alarm(60);
  static const struct nova_mem mem = {scarce, give_back, NULL};
  bool whole = false;
  for (int n = 0; !whole; n++) {
    cr_assert_lt(n, 200);
    allocations_left = n;
    struct nova_loop *loop = nova_loop_new(&mem);
    struct nova_transport *a = loop != NULL ? nova_loop_attach(loop) : NULL;
    struct nova_transport *b = a != NULL ? nova_loop_transport(loop) : NULL;
    if (b != NULL) {
      uint16_t port = 0;
      const char *why = NULL;
      a->handler = (struct nova_handler){scarce_event, NULL, a};
      b->handler = (struct nova_handler){scarce_event, NULL, b};
      int err = a->ops->listen(a, 1, "127.0.0.1", 0, &port, &why);
      cr_assert(err == 0 || (err == NOVA_ERR_NO_MEMORY && why != NULL));
      err = b->ops->connect(b, 1, "127.0.0.1", port, NOVA_SEC);
      cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
      err = b->ops->connect(b, 2, "localhost", port, NOVA_SEC);
      cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
      const char *const argv[] = {"echo", "x", NULL};
      struct nova_job job = {
          .argv = argv, .timeout = NOVA_SEC, .output_limit = 10};
      err = b->ops->run(b, 1, &job);
      cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
      nova_loop_run_for(loop, 30 * NOVA_MS);
    }
    nova_loop_free(loop);
    whole = allocations_left > 0;
  }
  cr_assert_gt(conversations, 0);
}
