/* The broker of harness/peer beside mosquitto: QoS 1 messages that go through
 * each on one core, from the same clients, in turns within one run.
 *
 * The brokers are pinned to one core and the clients to another. Both rates are
 * printed: by the clock, and by the processor time that the broker used, which
 * says what a core could do and does not depend on how fast the clients are or
 * what else the machine does. */
#include "codec/mqtt.h"
#include "net/loop.h"
#include "peer/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 16
#define ROUNDS  7
#define TARGET  1.0

static const char payload[] =
    "{\"timestamp\":1651234567,\"device_id\":\"DEV-123456\","
    "\"temperature\":25.5,\"humidity\":60.0,\"light\":500,"
    "\"switch_status\":\"on\"}";

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void pin(int core) {
  cpu_set_t set;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  CPU_ZERO(&set);
  CPU_SET((size_t)core % (size_t)(cores > 0 ? cores : 1), &set);
  (void)sched_setaffinity(0, sizeof set, &set);
}

/* Ours: nothing between the loop and the broker. */

struct ours {
  struct nova_transport *t;
  struct nova_broker *b;
};

static void carry_out(struct ours *o) {
  struct nova_broker_out out;
  while (nova_broker_next_output(o->b, &out)) {
    if (out.kind == NOVA_BROKER_SEND) {
      if (o->t->ops->send(o->t, out.conn, out.bytes.p, out.bytes.n) != 0) {
        o->t->ops->close(o->t, out.conn, true);
        nova_broker_reset(o->b, out.conn, o->t->ops->now(o->t));
      }
    } else if (out.kind == NOVA_BROKER_CLOSE) {
      (void)o->t->ops->half_close(o->t, out.conn);
    } else {
      o->t->ops->close(o->t, out.conn, true);
    }
  }
  o->t->ops->wake_at(o->t, nova_broker_next_deadline(o->b));
}

static void on_event(void *user, const struct nova_event *e) {
  struct ours *o = user;
  if (e->kind == NOVA_EVENT_ACCEPTED)
    (void)nova_broker_accept(o->b, e->id, e->t);
  else if (e->kind == NOVA_EVENT_BYTES)
    (void)nova_broker_feed(o->b, e->id, e->bytes.p, e->bytes.n, e->t);
  else if (e->kind == NOVA_EVENT_SENT)
    nova_broker_sent(o->b, e->id);
  else if (e->kind == NOVA_EVENT_RESET)
    nova_broker_reset(o->b, e->id, e->t);
  else if (e->kind == NOVA_EVENT_EOF) {
    nova_broker_eof(o->b, e->id, e->t);
    carry_out(o);
    o->t->ops->close(o->t, e->id, false);
  }
  carry_out(o);
}

static void on_expire(void *user, nova_ts now) {
  struct ours *o = user;
  nova_broker_expire(o->b, now);
  carry_out(o);
}

static void serve_ours(uint16_t port) {
  struct nova_broker_options options = {.queued_most = 1000000,
                                        .inflight_most = 1000};
  struct ours o;
  struct nova_loop *loop = nova_loop_new(NULL);
  const char *why = "";
  if (loop == NULL || (o.b = nova_broker_new(&options)) == NULL)
    die("broker");
  o.t = nova_loop_transport(loop);
  o.t->handler = (struct nova_handler){on_event, on_expire, &o};
  if (o.t->ops->listen(o.t, 1, "127.0.0.1", port, &port, &why) != 0)
    die(why);
  nova_loop_run(loop);
}

/* mosquitto: as it comes, with its limits lifted to ours. */

static const char *mosquitto_program(void) {
  static const char *const path[] = {
      "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"};
  for (size_t i = 0; i < sizeof path / sizeof *path; i++)
    if (access(path[i], X_OK) == 0)
      return path[i];
  return NULL;
}

static void serve_mosquitto(uint16_t port) {
  char path[] = "/tmp/nova-bench-XXXXXX", text[512];
  int fd = mkstemp(path);
  int n = snprintf(text, sizeof text,
                   "listener %u 127.0.0.1\nallow_anonymous true\n"
                   "log_dest none\nmax_inflight_messages 1000\n"
                   "max_queued_messages 0\nset_tcp_nodelay true\n",
                   (unsigned)port);
  if (fd < 0 || write(fd, text, (size_t)n) != n)
    die(path);
  close(fd);
  if (fork() == 0) { /* removes the file when it has been read */
    sleep(2);
    unlink(path);
    _exit(0);
  }
  if (freopen("/dev/null", "w", stderr) == NULL)
    _exit(127);
  execl(mosquitto_program(), "mosquitto", "-c", path, (char *)NULL);
  _exit(127);
}

/* Clients. */

struct client {
  int fd;
  bool publisher;
  char out[65536]; /* [at, n) is to be written */
  size_t at, n;
  struct nova_mqtt_stream stream;
  size_t published, acked, received;
  uint16_t packet_id;
};

struct load {
  const char *name;
  size_t publishers, subscribers;
  bool all;      /* every subscriber gets everything; else one publisher's */
  size_t each;   /* messages of a publisher */
  size_t window; /* of a publisher, without an acknowledgement */
};

static void put(struct client *c, const struct nova_mqtt *m) {
  size_t length = 0;
  if (nova_mqtt_encode(m, NOVA_MQTT_STRICT, c->out + c->n, sizeof c->out - c->n,
                       &length) != 0)
    die("encode");
  c->n += length;
}

static void write_out(struct client *c) {
  while (c->at < c->n) {
    ssize_t n =
        send(c->fd, c->out + c->at, c->n - c->at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (n < 0)
      die("send");
    c->at += (size_t)n;
  }
  c->at = c->n = 0;
}

/* Reads what is there, and answers it. */
static void read_in(struct client *c) {
  static char buffer[65536];
  ssize_t n = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    die("a broker hung up");
  struct nova_mqtt_out out;
  struct nova_mqtt m;
  for (size_t at = 0, used; at < (size_t)n; at += used) {
    if (nova_mqtt_stream_feed(&c->stream, buffer + at, (size_t)n - at, &used,
                              &out) != NOVA_MQTT_PACKET)
      continue;
    if (nova_mqtt_decode(out.packet.p, out.packet.n, &m, NULL) != 0)
      die("decode");
    if (m.type == NOVA_MQTT_PUBACK) {
      c->acked++;
    } else if (m.type == NOVA_MQTT_PUBLISH) {
      c->received++;
      struct nova_mqtt ack = {.type = NOVA_MQTT_PUBACK,
                              .u.ack = {m.u.publish.packet_id}};
      put(c, &ack);
    }
  }
}

static void read_until(struct client *c, enum nova_mqtt_type type) {
  char p[64];
  size_t n = 0;
  struct nova_mqtt m;
  write_out(c);
  for (;;) {
    if (recv(c->fd, p + n, 1, 0) != 1)
      die("no answer");
    n++;
    if (nova_mqtt_decode(p, n, &m, NULL) == 0 && m.type == type)
      return;
  }
}

static int dial(uint16_t port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  int one = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < 300; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
      (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      return fd;
    }
    close(fd);
    usleep(10000);
  }
  die("connect");
  return -1;
}

static void topic_of(size_t i, char out[32]) {
  snprintf(out, 32, "bench/devices/%zu/data", i);
}

static void join(struct client *c, uint16_t port, const struct load *l,
                 size_t i) {
  char id[32], filter[32] = "bench/devices/+/data";
  *c = (struct client){.fd = dial(port), .publisher = i < l->publishers};
  (void)nova_mqtt_stream_init(&c->stream, NULL, NOVA_MQTT_LIMIT);
  snprintf(id, sizeof id, "client-%zu", i);
  put(c, &(struct nova_mqtt){.type = NOVA_MQTT_CONNECT,
                             .u.connect = {.clean_session = true,
                                           .client_id = nova_view_of(id)}});
  read_until(c, NOVA_MQTT_CONNACK);
  if (c->publisher)
    return;
  if (!l->all)
    topic_of(i - l->publishers, filter);
  struct nova_mqtt_entry entry = {nova_view_of(filter), 1};
  put(c, &(struct nova_mqtt){.type = NOVA_MQTT_SUBSCRIBE,
                             .u.list = {1, 1, &entry, {0}}});
  read_until(c, NOVA_MQTT_SUBACK);
}

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void publish(struct client *c, size_t i, const struct load *l) {
  char topic[32];
  topic_of(i, topic);
  while (c->published < l->each && c->published - c->acked < l->window) {
    struct nova_mqtt m = {
        .type = NOVA_MQTT_PUBLISH,
        .u.publish = {.qos = 1,
                      .packet_id = ++c->packet_id,
                      .topic = nova_view_of(topic),
                      .payload = {payload, sizeof payload - 1}}};
    if (c->packet_id == 0)
      m.u.publish.packet_id = c->packet_id = 1;
    if (sizeof c->out - c->n < 256)
      break;
    put(c, &m);
    c->published++;
  }
}

/* One round: messages taken and handed out in a second, by the clock and by the
 * broker's processor time. */
static void round_of(uint16_t port, pid_t broker, const struct load *l,
                     double *by_clock, double *by_processor) {
  static struct client client[CLIENTS];
  size_t n = l->publishers + l->subscribers;
  size_t goal = l->publishers * l->each * (l->all ? l->subscribers : 1);
  size_t received, acked;
  struct pollfd poll_on[CLIENTS];
  clockid_t processor;
  if (clock_getcpuclockid(broker, &processor) != 0)
    die("the broker's clock");
  for (size_t i = 0; i < n; i++)
    join(&client[i], port, l, i);
  usleep(10000);
  double start = seconds(CLOCK_MONOTONIC), used = seconds(processor);
  do {
    received = acked = 0;
    for (size_t i = 0; i < n; i++) {
      struct client *c = &client[i];
      if (c->publisher)
        publish(c, i, l);
      write_out(c);
      poll_on[i] = (struct pollfd){
          c->fd, (short)(POLLIN | (c->n != 0 ? POLLOUT : 0)), 0};
    }
    if (poll(poll_on, n, 10000) == 0) {
      fprintf(stderr, "a broker stands still\n");
      exit(1);
    }
    for (size_t i = 0; i < n; i++) {
      if (poll_on[i].revents != 0 && client[i].n < sizeof client[i].out / 2)
        read_in(&client[i]);
      received += client[i].received;
      acked += client[i].acked;
    }
  } while (received < goal || acked < l->publishers * l->each);
  *by_clock = (double)goal / (seconds(CLOCK_MONOTONIC) - start);
  /* The time of a process that runs is known to a tick of the system's, that of
   * one that waits exactly. */
  usleep(10000);
  *by_processor = (double)goal / (seconds(processor) - used);
  for (size_t i = 0; i < n; i++) {
    close(client[i].fd);
    nova_mqtt_stream_free(&client[i].stream);
  }
}

static pid_t start(void (*serve)(uint16_t port), uint16_t port) {
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(0);
    serve(port);
    _exit(0);
  }
  if (child < 0)
    die("fork");
  return child;
}

static uint16_t free_port(void) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t n = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
      getsockname(fd, (struct sockaddr *)&at, &n) != 0)
    die("bind");
  close(fd);
  return ntohs(at.sin_port);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(const double *x) {
  double sorted[ROUNDS];
  memcpy(sorted, x, sizeof sorted);
  qsort(sorted, ROUNDS, sizeof *sorted, ascending);
  return sorted[ROUNDS / 2];
}

static bool compare(const struct load *l) {
  static void (*const serve[2])(uint16_t) = {serve_ours, serve_mosquitto};
  static const char *const name[2] = {"novaprobe", "mosquitto"};
  double clock[2][ROUNDS], processor[2][ROUNDS], ratio[2][ROUNDS];
  uint16_t port[2];
  pid_t child[2];
  for (size_t i = 0; i < 2; i++) {
    port[i] = free_port();
    child[i] = start(serve[i], port[i]);
  }
  for (size_t i = 0; i < 2; i++) /* warms up */
    round_of(port[i], child[i], l, &clock[i][0], &processor[i][0]);
  for (size_t r = 0; r < ROUNDS; r++) {
    for (size_t i = 0; i < 2; i++)
      round_of(port[i], child[i], l, &clock[i][r], &processor[i][r]);
    ratio[0][r] = clock[0][r] / clock[1][r];
    ratio[1][r] = processor[0][r] / processor[1][r];
  }
  for (size_t i = 0; i < 2; i++) {
    kill(child[i], SIGTERM);
    waitpid(child[i], NULL, 0);
  }
  printf("%s, QoS 1, %zu bytes\n", l->name, sizeof payload - 1);
  for (size_t i = 0; i < 2; i++)
    printf("  %-12s %9.0f messages/s %9.0f messages/s of processor time\n",
           name[i], median(clock[i]), median(processor[i]));
  bool good = median(ratio[1]) >= TARGET;
  printf("  novaprobe against mosquitto: %.2f by the clock, %.2f by processor "
         "time, at least %.2f asked: %s\n\n",
         median(ratio[0]), median(ratio[1]), TARGET,
         good ? "reached" : "MISSED");
  return good;
}

int main(void) {
  static const struct load loads[] = {
      {"Four publishers, a subscriber each", 4, 4, false, 4000, 50},
      {"Two publishers, eight subscribers of both", 2, 8, true, 1500, 20},
      {"One message at a time", 1, 1, false, 1500, 1},
  };
  bool good = true;
  if (mosquitto_program() == NULL) {
    printf("mosquitto is not here: nothing to compare the broker with\n");
    return 0;
  }
  signal(SIGPIPE, SIG_IGN);
  pin(1);
  printf("Medians of %d rounds in turns; a broker on one core, its clients on "
         "another.\n\n",
         ROUNDS);
  for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
    good = compare(&loads[i]) && good;
  return good ? 0 : 1;
}
