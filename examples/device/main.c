/* nova-device: a small device for the NovaCloud platform, over TCP.
 *
 * Options, signals and the loop. One thread, one socket, one poll(); the
 * protocol is in device.c, the socket in link.c, the hardware in actuators.c.
 */
#define _POSIX_C_SOURCE 200809L

#include "device.h"
#include "link.h"

#include <base/error.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Guide 3.2: an auth that failed will fail again until somebody changes the key
 * on one side. */
#define REFUSED_WAIT (10 * NOVA_SEC)

/* Both are the whole memory of the program beside the codec's. */
static struct device device;
static struct {
  size_t at, n;
  char bytes[16384];
} input;

/* A signal handler may do little; it writes a byte here, and poll() sees it. */
static int stop_pipe[2];

static void on_signal(int number) {
  int saved = errno;
  (void)!write(stop_pipe[1], "", 1);
  errno = saved;
  (void)number;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("nova-device: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
}

static struct device_time clocks(void) {
  return (struct device_time){link_clock(), (int64_t)time(NULL)};
}

/* --- the loop --------------------------------------------------------------
 */

static void say_when(const struct link *l, const char *why) {
  say("%s; the next attempt is in %.1f s", why,
      (double)(l->deadline - link_clock()) / (double)NOVA_SEC);
}

static void hang_up(struct link *l, const char *why, nova_ts at_least) {
  link_close(l, at_least);
  /* |why| is one of the device's texts, which are static. */
  device_disconnected(&device);
  input.n = 0;
  say_when(l, why);
}

/* Moves bytes between the connection and the device, as far as they go. */
static void exchange(struct link *l) {
  bool lost = false;
  enum device_state before = device.state;
  if (input.n == 0) {
    ssize_t n = link_read(l, input.bytes, sizeof input.bytes);
    lost = n < 0;
    input.at = 0;
    input.n = n > 0 ? (size_t)n : 0;
  }
  struct device_time t = clocks();
  /* First what came in, then what is due: a message that arrived in time counts
   * also if this process got to it late. */
  size_t taken = device_receive(&device, input.bytes + input.at, input.n, t);
  input.at += taken;
  input.n -= taken;
  device_tick(&device, t);
  struct nova_view out = device_output(&device);
  if (out.n != 0 && !lost) {
    ssize_t sent = link_write(l, out.p, out.n);
    lost = sent < 0;
    device_sent(&device, sent > 0 ? (size_t)sent : 0);
  }
  if (device.state == DEVICE_ONLINE) {
    link_is_useful(l);
    if (before != DEVICE_ONLINE)
      say("authenticated");
  }
  if (device.state == DEVICE_REFUSED)
    hang_up(l, device.why, REFUSED_WAIT);
  else if (device.state == DEVICE_GIVING_UP)
    hang_up(l, device.why, 0);
  else if (lost)
    hang_up(l, "the connection is lost", 0);
}

/* What to wait for at the socket. */
static short wanted(const struct link *l) {
  if (l->state == LINK_CONNECTING)
    return POLLOUT;
  /* The device left something in |input| since its output is full, or was: once
   * there is room in the socket it goes on, and no more is read until then. */
  if (input.n != 0)
    return POLLOUT;
  return device_output(&device).n != 0 ? POLLIN | POLLOUT : POLLIN;
}

/* Milliseconds for poll(), rounded up: one that wakes before its time finds
 * nothing due and spins. */
static int until(nova_ts deadline) {
  nova_ts now = link_clock();
  if (deadline == NOVA_TS_NONE)
    return -1;
  if (deadline <= now)
    return 0;
  nova_ts ms = (deadline - now + NOVA_MS - 1) / NOVA_MS;
  return ms < INT_MAX ? (int)ms : INT_MAX;
}

static void run(struct link *l) {
  bool reported = false;
  for (;;) {
    int outcome = l->state == LINK_UP ? 1 : link_advance(l, reported);
    if (outcome < 0)
      say_when(l, "the server is not reached");
    if (outcome > 0) {
      if (device.state == DEVICE_OFFLINE)
        device_connected(&device, clocks());
      exchange(l);
    }
    /* poll() leaves out a negative descriptor. */
    struct pollfd p[2] = {{.fd = stop_pipe[0], .events = POLLIN},
                          {.fd = l->fd, .events = wanted(l)}};
    nova_ts deadline = nova_ts_min(l->deadline, device_deadline(&device));
    int n = poll(p, 2, until(deadline));
    if (n > 0 && p[0].revents != 0)
      return;
    reported = n > 0 && p[1].revents != 0;
  }
}

/* --- options ---------------------------------------------------------------
 */

struct option {
  const char *name, *variable, *help, *otherwise;
  nova_ts *span;     /* NULL: a text */
  const char *value; /* what is given, or |otherwise| */
};

static void usage(FILE *to, const struct option *o, size_t n) {
  fputs("usage: nova-device OPTION...\n", to);
  for (; n != 0; n--, o++)
    fprintf(to, "  %-18s %s%s%s%s%s\n", o->name, o->help,
            o->otherwise != NULL ? ", default " : "",
            o->otherwise != NULL ? o->otherwise : "",
            o->variable != NULL ? "; or " : "",
            o->variable != NULL ? o->variable : "");
}

/* A span in seconds, with a fraction or without. */
static bool read_span(const char *text, nova_ts *span) {
  char *end;
  double s = strtod(text, &end);
  /* 1 ms to 10 years; what is no number is not within. */
  if (end == text || *end != '\0' || !(s >= 0.001 && s <= 315360000.0))
    return false;
  *span = (nova_ts)(s * 1e9);
  return true;
}

/* --name VALUE for each option, as often as wanted, the last one counts. */
static bool read_options(struct option *o, size_t n, int argc, char **argv) {
  for (size_t i = 0; i < n; i++) {
    const char *v = o[i].variable != NULL ? getenv(o[i].variable) : NULL;
    o[i].value = v != NULL && *v != '\0' ? v : o[i].otherwise;
  }
  for (int a = 1; a < argc; a += 2) {
    size_t i = 0;
    while (i < n && strcmp(argv[a], o[i].name) != 0)
      i++;
    if (i == n || a + 1 == argc) {
      say("%s: %s", argv[a], i == n ? "unknown option" : "needs a value");
      return false;
    }
    o[i].value = argv[a + 1];
  }
  for (size_t i = 0; i < n; i++) {
    if (o[i].value == NULL || *o[i].value == '\0') {
      say("%s is missing", o[i].name);
      return false;
    }
    if (o[i].span != NULL && !read_span(o[i].value, o[i].span)) {
      say("%s %s: expected seconds, 0.001 or more", o[i].name, o[i].value);
      return false;
    }
  }
  return true;
}

/* Signals and the pipe behind them. */
static bool prepare(void) {
  struct sigaction stop = {.sa_handler = on_signal},
                   ignore = {.sa_handler = SIG_IGN};
  sigemptyset(&stop.sa_mask);
  sigemptyset(&ignore.sa_mask);
  if (pipe(stop_pipe) != 0)
    return false;
  for (int i = 0; i < 2; i++)
    if (fcntl(stop_pipe[i], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(stop_pipe[i], F_SETFD, FD_CLOEXEC) != 0)
      return false;
  /* A server that goes away while something is written is an error of that
   * write and not the end of the program. */
  return sigaction(SIGPIPE, &ignore, NULL) == 0 &&
         sigaction(SIGTERM, &stop, NULL) == 0 &&
         sigaction(SIGINT, &stop, NULL) == 0;
}

int main(int argc, char **argv) {
  struct device_config c;
  enum { HOST, PORT, ID, KEY };
  struct option option[] = {
      {.name = "--host",
       .variable = "NOVA_HOST",
       .help = "the server's name or address"},
      {.name = "--port",
       .variable = "NOVA_TCP_PORT",
       .help = "its port",
       .otherwise = "9000"},
      {.name = "--id",
       .variable = "NOVA_DEVICE_ID",
       .help = "the device id, DEV-123456"},
      /* Others see an option in the list of processes. */
      {.name = "--key",
       .variable = "NOVA_DEVICE_KEY",
       .help = "its key, better not as an option"},
      /* Guide 3.4 and 3.2; 2.6 for the status. */
      {.name = "--heartbeat",
       .help = "seconds from ping to ping",
       .otherwise = "60",
       .span = &c.heartbeat},
      {.name = "--idle-timeout",
       .help = "seconds of silence before reconnecting",
       .otherwise = "180",
       .span = &c.idle_timeout},
      {.name = "--auth-timeout",
       .help = "seconds to wait for auth_result",
       .otherwise = "10",
       .span = &c.auth_timeout},
      {.name = "--data-interval",
       .help = "seconds from data to data",
       .otherwise = "30",
       .span = &c.data_interval},
      {.name = "--status-interval",
       .help = "seconds from status to status",
       .otherwise = "60",
       .span = &c.status_interval},
  };
  size_t options = sizeof option / sizeof option[0];
  if (argc == 2 && strcmp(argv[1], "--help") == 0) {
    usage(stdout, option, options);
    return 0;
  }
  if (!read_options(option, options, argc, argv)) {
    usage(stderr, option, options);
    return 2;
  }
  c.id = option[ID].value;
  c.key = option[KEY].value;
  int err = device_init(&device, &c);
  if (err == NOVA_ERR_NO_MEMORY || !prepare()) {
    say("no memory or no file descriptors");
    device_free(&device);
    return 1;
  }
  if (err != 0) {
    say("--id or --key: %s", nova_error_text(err));
    return 2;
  }
  /* No two devices may have the same jitter, also where they have the same
   * clock and start at the same moment. */
  static struct link server;
  link_init(&server, option[HOST].value, option[PORT].value,
            nova_rng_derive(link_clock() ^ (uint64_t)time(NULL), c.id));
  run(&server);
  link_close(&server, 0);
  device_free(&device);
  say("ended after %lu commands", device.commands);
  return 0;
}
