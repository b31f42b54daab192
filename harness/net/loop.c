/* The loop: its users, what is told to them and when, clocks, timers, signals.
 */
#include "net/loop_world.h"

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TICK       (50 * NOVA_MS)
#define LAG_BUCKET (5 * NOVA_SEC)
#define FREE_WAIT  (5 * NOVA_SEC)
#define FILES_WANT 65536
#define STEADY_STEP                                                            \
  1000000 /* ns that the two clocks may drift between looks                    \
           */

#define CONTAINER(p, type, member)                                             \
  ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Telling later. */

void nova__later_init(struct nova__later *later,
                      void (*fn)(struct nova__later *)) {
  nova__link_init(&later->link);
  later->fn = fn;
}

static void on_idle(uv_idle_t *idle) {
  (void)idle; /* that it is active keeps the loop from waiting */
}

void nova__later_ask(struct nova_loop *loop, struct nova__later *later) {
  if (!nova__link_alone(&later->link))
    return;
  nova__link_in(&loop->later, &later->link);
  uv_idle_start(&loop->idle, on_idle);
}

void nova__later_cancel(struct nova__later *later) {
  nova__link_out(&later->link);
}

/* Tells what is to be told by now; what comes up meanwhile waits for the next
 * turn, so that users who answer at once do not keep the sockets waiting. */
static void on_check(uv_check_t *check) {
  struct nova_loop *loop = check->data;
  struct nova__link now;
  if (nova__link_alone(&loop->later)) {
    uv_idle_stop(&loop->idle);
    return;
  }
  now = loop->later;
  now.prev->next = now.next->prev = &now;
  nova__link_init(&loop->later);
  while (!nova__link_alone(&now)) {
    struct nova__later *later = CONTAINER(now.next, struct nova__later, link);
    nova__link_out(&later->link);
    later->fn(later);
  }
  if (nova__link_alone(&loop->later))
    uv_idle_stop(&loop->idle);
}

void nova__tell(struct nova__user *user, struct nova_event *event) {
  if (event->t < user->last)
    event->t = user->last;
  user->last = event->t;
  if (event->since > event->t)
    event->since = event->t;
  if (user->base.handler.event != NULL)
    user->base.handler.event(user->base.handler.user, event);
}

/* Alarms and watched descriptors. */

static void free_alarm(uv_handle_t *handle) {
  struct nova__alarm *alarm = handle->data;
  nova_mem_free(alarm->loop->mem, alarm);
}

struct nova__alarm *nova__alarm_new(struct nova_loop *loop,
                                    void (*fn)(void *owner), void *owner) {
  struct nova__alarm *alarm = nova_mem_zalloc(loop->mem, sizeof *alarm);
  if (alarm == NULL)
    return NULL;
  alarm->loop = loop;
  alarm->fn = fn;
  alarm->owner = owner;
  uv_timer_init(&loop->uv, &alarm->timer);
  alarm->timer.data = alarm;
  return alarm;
}

static void on_timer(uv_timer_t *timer) {
  struct nova__alarm *alarm = timer->data;
  alarm->fn(alarm->owner);
}

void nova__alarm_set(struct nova__alarm *alarm, nova_ts when) {
  if (when == NOVA_TS_NONE) {
    uv_timer_stop(&alarm->timer);
    return;
  }
  /* libuv adds the span to the time that it noted last, both in whole
   * milliseconds; the sum is the first millisecond not before |when|. */
  uint64_t ms = when / NOVA_MS + (when % NOVA_MS != 0);
  uint64_t now = uv_now(&alarm->loop->uv);
  uv_timer_start(&alarm->timer, on_timer, ms > now ? ms - now : 0, 0);
}

void nova__alarm_free(struct nova__alarm *alarm) {
  if (alarm != NULL)
    uv_close((uv_handle_t *)&alarm->timer, free_alarm);
}

static void free_sock(uv_handle_t *handle) {
  struct nova__sock *sock = handle->data;
  nova_mem_free(sock->loop->mem, sock);
}

struct nova__sock *
nova__sock_new(struct nova_loop *loop, int fd,
               void (*fn)(void *owner, int status, int events), void *owner) {
  struct nova__sock *sock = nova_mem_zalloc(loop->mem, sizeof *sock);
  if (sock == NULL || uv_poll_init(&loop->uv, &sock->poll, fd) != 0) {
    nova_mem_free(loop->mem, sock);
    close(fd);
    return NULL;
  }
  sock->poll.data = sock;
  sock->loop = loop;
  sock->fd = fd;
  sock->fn = fn;
  sock->owner = owner;
  return sock;
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct nova__sock *sock = poll->data;
  if (status < 0)
    sock->wanted = 0; /* libuv has stopped watching */
  nova__loop_polled(sock->loop);
  sock->fn(sock->owner, status, events);
}

void nova__sock_want(struct nova__sock *sock, int events) {
  if (events == sock->wanted)
    return;
  sock->wanted = events;
  if (events == 0)
    uv_poll_stop(&sock->poll);
  else
    uv_poll_start(&sock->poll, events, on_poll);
}

void nova__sock_close(struct nova__sock *sock) {
  if (sock == NULL)
    return;
  uv_close((uv_handle_t *)&sock->poll, free_sock);
  close(sock->fd);
}

/* Clocks. */

static void on_prepare(uv_prepare_t *prepare) {
  struct nova_loop *loop = prepare->data;
  loop->polled = 0;
}

static uint64_t unix_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return (uint64_t)ts.tv_sec * NOVA_SEC + (uint64_t)ts.tv_nsec;
}

nova_ts nova__loop_polled(struct nova_loop *loop) {
  if (loop->polled == 0) {
    loop->polled = uv_hrtime();
    int64_t offset = (int64_t)(unix_ns() - loop->polled);
    int64_t step = offset - loop->real_minus_mono;
    loop->real_steady = step < STEADY_STEP && step > -STEADY_STEP;
    loop->real_minus_mono = offset;
  }
  return loop->polled;
}

static nova_ts op_now(struct nova_transport *t) {
  struct nova__user *user = nova__user(t);
  nova_ts now = uv_hrtime();
  if (now > user->last)
    user->last = now;
  return user->last;
}

static uint64_t op_unix_ns(struct nova_transport *t) {
  (void)t;
  return unix_ns();
}

static void note_lag(struct nova_loop *loop, nova_ts asked) {
  nova_ts now = uv_hrtime();
  /* What was asked for before the run began could not be in time. */
  if (asked < loop->began)
    asked = loop->began;
  nova_ts lag = now > asked ? now - asked : 0;
  if (now - loop->bucket_began >= LAG_BUCKET) {
    bool long_ago = now - loop->bucket_began >= 2 * LAG_BUCKET;
    loop->lag_bucket[1] = long_ago ? 0 : loop->lag_bucket[0];
    loop->lag_bucket[0] = 0;
    loop->bucket_began = now;
  }
  if (lag > loop->lag_bucket[0])
    loop->lag_bucket[0] = lag;
  if (lag > loop->lag_largest)
    loop->lag_largest = lag;
}

struct nova_lag nova_loop_lag(const struct nova_loop *loop) {
  const nova_ts *b = loop->lag_bucket;
  return (struct nova_lag){loop->lag_largest, b[0] > b[1] ? b[0] : b[1]};
}

static void set_tick(struct nova_loop *loop) {
  loop->tick_due = uv_hrtime() + TICK;
  nova__alarm_set(loop->tick, loop->tick_due);
}

static void on_tick(void *owner) {
  struct nova_loop *loop = owner;
  note_lag(loop, loop->tick_due);
  set_tick(loop);
}

/* wake_at(). The alarm only asks for expire() to be called: the sockets are
 * looked at first. */
static void on_alarm(void *owner) {
  struct nova__user *user = owner;
  nova__later_ask(user->loop, &user->due);
}

static void on_due(struct nova__later *later) {
  struct nova__user *user = CONTAINER(later, struct nova__user, due);
  if (uv_hrtime() < user->wake) {
    nova__alarm_set(user->alarm, user->wake);
    return;
  }
  note_lag(user->loop, user->wake);
  user->wake = NOVA_TS_NONE;
  nova_ts now = op_now(&user->base);
  if (user->base.handler.expire != NULL)
    user->base.handler.expire(user->base.handler.user, now);
}

static void op_wake_at(struct nova_transport *t, nova_ts when) {
  struct nova__user *user = nova__user(t);
  user->wake = when;
  nova__later_cancel(&user->due);
  nova__alarm_set(user->alarm, when);
}

/* Users. */

static const struct nova_transport_ops ops = {
    .now = op_now,
    .unix_ns = op_unix_ns,
    .connect = nova__loop_connect,
    .listen = nova__loop_listen,
    .send = nova__loop_send,
    .half_close = nova__loop_half_close,
    .close = nova__loop_close,
    .pause = nova__loop_pause,
    .run = nova__loop_run,
    .stop = nova__loop_stop_job,
    .wake_at = op_wake_at,
    .unlisten = nova__loop_unlisten,
};

struct nova_transport *nova_loop_attach(struct nova_loop *loop) {
  struct nova__user *user = nova_mem_zalloc(loop->mem, sizeof *user);
  if (user == NULL)
    return NULL;
  user->alarm = nova__alarm_new(loop, on_alarm, user);
  if (user->alarm == NULL) {
    nova_mem_free(loop->mem, user);
    return NULL;
  }
  user->base.ops = &ops;
  user->loop = loop;
  user->wake = NOVA_TS_NONE;
  user->next_id = UINT64_C(1) << 32;
  nova__idmap_init(&user->conns, loop->mem);
  nova__idmap_init(&user->jobs, loop->mem);
  nova__link_init(&user->listeners);
  nova__later_init(&user->due, on_due);
  nova__link_init(&user->link);
  nova__link_in(&loop->users, &user->link);
  return &user->base;
}

void nova_loop_detach(struct nova_transport *transport) {
  struct nova__user *user = nova__user(transport);
  struct nova_loop *loop = user->loop;
  void *p;
  while ((p = nova__idmap_any(&user->conns)) != NULL)
    nova__conn_close(p, false);
  while ((p = nova__idmap_any(&user->jobs)) != NULL)
    nova__job_drop(p);
  nova__unlisten_all(user);
  nova__later_cancel(&user->due);
  nova__alarm_free(user->alarm);
  nova__idmap_free(&user->conns);
  nova__idmap_free(&user->jobs);
  nova__link_out(&user->link);
  if (loop->first == user)
    loop->first = NULL;
  nova_mem_free(loop->mem, user);
}

struct nova_transport *nova_loop_transport(struct nova_loop *loop) {
  return loop->first != NULL ? &loop->first->base : NULL;
}

/* Signals. */

static void on_uv_signal(uv_signal_t *handle, int number) {
  struct nova_loop *loop = handle->data;
  if (loop->on_signal != NULL)
    loop->on_signal(loop->signal_user, number);
}

int nova_loop_on_signal(struct nova_loop *loop,
                        void (*fn)(void *user, int signal), void *user) {
  loop->on_signal = fn;
  loop->signal_user = user;
  if (fn == NULL) {
    uv_signal_stop(&loop->sigint);
    uv_signal_stop(&loop->sigterm);
    return 0;
  }
  if (uv_signal_start(&loop->sigint, on_uv_signal, SIGINT) != 0 ||
      uv_signal_start(&loop->sigterm, on_uv_signal, SIGTERM) != 0)
    return NOVA_ERR_NO_MEMORY;
  return 0;
}

/* The run. */

void nova_loop_stop(struct nova_loop *loop) {
  loop->stopped = true;
  uv_stop(&loop->uv);
}

static void on_bound(void *owner) {
  struct nova_loop *loop = owner;
  loop->bounded = true;
  uv_stop(&loop->uv);
}

bool nova_loop_run_for(struct nova_loop *loop, nova_ts span) {
  loop->stopped = loop->bounded = false;
  uv_update_time(&loop->uv);
  loop->began = uv_hrtime();
  set_tick(loop);
  nova__alarm_set(loop->bound, nova_ts_add(loop->began, span));
  while (!loop->stopped && !loop->bounded)
    uv_run(&loop->uv, UV_RUN_DEFAULT);
  nova__alarm_set(loop->bound, NOVA_TS_NONE);
  nova__alarm_set(loop->tick, NOVA_TS_NONE);
  return loop->stopped;
}

void nova_loop_run(struct nova_loop *loop) {
  (void)nova_loop_run_for(loop, NOVA_TS_NONE);
}

static void raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  rlim_t want = limit.rlim_max < FILES_WANT ? limit.rlim_max : FILES_WANT;
  if (limit.rlim_cur < want) {
    limit.rlim_cur = want;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

struct nova_loop *nova_loop_new(const struct nova_mem *mem) {
  struct nova_loop *loop = nova_mem_zalloc(mem, sizeof *loop);
  if (loop == NULL)
    return NULL;
  loop->mem = mem;
  if (uv_loop_init(&loop->uv) != 0) {
    nova_mem_free(mem, loop);
    return NULL;
  }
  (void)signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  nova__link_init(&loop->users);
  nova__link_init(&loop->later);
  uv_prepare_init(&loop->uv, &loop->prepare);
  uv_check_init(&loop->uv, &loop->check);
  uv_idle_init(&loop->uv, &loop->idle);
  uv_signal_init(&loop->uv, &loop->sigint);
  uv_signal_init(&loop->uv, &loop->sigterm);
  loop->prepare.data = loop->check.data = loop->idle.data = loop;
  loop->sigint.data = loop->sigterm.data = loop;
  uv_prepare_start(&loop->prepare, on_prepare);
  uv_check_start(&loop->check, on_check);
  loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  /* The kernel begins to stamp some time after the first socket asked for it,
   * and ends with the last: this one asks all along. */
  loop->stamp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (loop->stamp_fd >= 0)
    nova__tune(loop->stamp_fd);
  loop->bucket_began = nova__loop_polled(loop);
  loop->tick = nova__alarm_new(loop, on_tick, loop);
  loop->bound = nova__alarm_new(loop, on_bound, loop);
  struct nova_transport *first = NULL;
  if (loop->tick != NULL && loop->bound != NULL)
    first = nova_loop_attach(loop);
  if (first == NULL) {
    nova_loop_free(loop);
    return NULL;
  }
  loop->first = nova__user(first);
  return loop;
}

/* Closes what is left: processes that do not end. */
static void close_rest(uv_handle_t *handle, void *user) {
  (void)user;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

void nova_loop_free(struct nova_loop *loop) {
  if (loop == NULL)
    return;
  while (!nova__link_alone(&loop->users))
    nova_loop_detach(
        &CONTAINER(loop->users.next, struct nova__user, link)->base);
  /* Killed processes are reaped and lookups come back in this time. */
  nova_ts until = uv_hrtime() + FREE_WAIT;
  while ((loop->lookups != 0 || loop->processes != 0) && uv_hrtime() < until) {
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    if (loop->lookups != 0 || loop->processes != 0)
      uv_sleep(1);
  }
  if (loop->lookups != 0 || loop->processes != 0)
    return;
  nova__alarm_free(loop->tick);
  nova__alarm_free(loop->bound);
  uv_close((uv_handle_t *)&loop->prepare, NULL);
  uv_close((uv_handle_t *)&loop->check, NULL);
  uv_close((uv_handle_t *)&loop->idle, NULL);
  uv_close((uv_handle_t *)&loop->sigint, NULL);
  uv_close((uv_handle_t *)&loop->sigterm, NULL);
  uv_walk(&loop->uv, close_rest, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  int err = uv_loop_close(&loop->uv);
  assert(err == 0);
  (void)err;
  if (loop->spare_fd >= 0)
    close(loop->spare_fd);
  if (loop->stamp_fd >= 0)
    close(loop->stamp_fd);
  nova_mem_free(loop->mem, loop);
}

/* Names. */

char *nova__address(char *out, size_t n, const char *host, uint16_t port) {
  bool colons = strchr(host, ':') != NULL;
  snprintf(out, n, colons ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
  return out;
}

char *nova__bare_host(char out[256], const char *host) {
  if (host == NULL)
    return NULL;
  size_t n = strlen(host);
  if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
    host++;
    n -= 2;
  }
  if (n == 0 || n > 255)
    return NULL;
  memcpy(out, host, n);
  out[n] = '\0';
  return out;
}
