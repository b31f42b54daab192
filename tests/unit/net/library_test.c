/* libmosquitto as a transport, against a real mosquitto. */
#include "unit/net/world.h"

#include "codec/mqtt.h"
#include "net/certs.h"
#include "net/library.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PACKETS = 64 };

/* One packet as it was told, in words. */
struct rig {
  struct world w; /* a: the library, b: the loop itself */
  struct nova_transport *plain;
  pid_t broker;
  char folder[64];
  struct nova_certs *certs;
  uint16_t port, tls_port;
  struct nova_mqtt_stream stream[4]; /* by id */
  size_t packets[4];
  struct nova_buf seen[4][PACKETS];
  char said[1024]; /* the last SECURED or INSECURE */
};

static struct rig *rig;

static void put(const char *folder, const char *name, struct nova_view text) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "w");
  cr_assert_not_null(f);
  cr_assert_eq(fwrite(text.p, 1, text.n, f), text.n);
  fclose(f);
  cr_assert_eq(chmod(path, 0644), 0);
}

static uint16_t free_port(struct rig *r) {
  uint16_t port = net_listen(&r->w.b, 99, "127.0.0.1", 0);
  r->w.b.t->ops->unlisten(r->w.b.t, 99);
  return port;
}

/* Where Debian's package puts it, on nobody's PATH but root's. */
static const char *broker_program(void) {
  static const char *const path[] = {
      "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"};
  for (size_t i = 0; i < sizeof path / sizeof *path; i++)
    if (access(path[i], X_OK) == 0)
      return path[i];
  return NULL;
}

static void write_config(struct rig *r) {
  static const char *const names[] = {"127.0.0.1", "localhost"};
  char text[1024], password[64];
  const char *why = NULL;
  r->certs = nova_certs_new(names, 2, (int64_t)time(NULL), &why);
  cr_assert_not_null(r->certs, "%s", why);
  const struct nova_certificates *list = nova_certs_get(r->certs);
  put(r->folder, "cert.pem", list->server[NOVA_CERTIFICATE_GOOD].cert);
  put(r->folder, "key.pem", list->server[NOVA_CERTIFICATE_GOOD].key);
  put(r->folder, "ca.pem", list->client_ca);
  /* "right", as mosquitto_passwd would have written it (PBKDF2 of one turn). */
  snprintf(password, sizeof password, "device:right\n");
  put(r->folder, "passwords", nova_view_of(password));
  snprintf(text, sizeof text, "mosquitto_passwd -U %s/passwords", r->folder);
  cr_assert_eq(system(text), 0);
  r->port = free_port(r);
  do
    r->tls_port = free_port(r);
  while (r->tls_port == r->port);
  snprintf(text, sizeof text,
           "per_listener_settings false\n"
           "allow_anonymous false\n"
           "password_file %s/passwords\n"
           "user root\n"
           "listener %u 127.0.0.1\n"
           "listener %u 127.0.0.1\n"
           "certfile %s/cert.pem\nkeyfile %s/key.pem\n"
           "log_dest none\n",
           r->folder, r->port, r->tls_port, r->folder, r->folder);
  put(r->folder, "conf", nova_view_of(text));
}

static void start_broker(struct rig *r) {
  char path[128];
  const char *program = broker_program();
  snprintf(path, sizeof path, "%s/conf", r->folder);
  r->broker = fork();
  cr_assert_geq(r->broker, 0);
  if (r->broker == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "w", stderr) == NULL)
      _exit(127);
    execl(program, program, "-c", path, (char *)NULL);
    _exit(127);
  }
  /* It is there when it accepts. */
  for (uint64_t id = 100; id < 400; id++) {
    size_t refused = party_count(&r->w.b, NOVA_EVENT_REFUSED, 0);
    cr_assert_eq(net_connect(&r->w.b, id, "127.0.0.1", r->tls_port, NOVA_SEC),
                 0);
    world_run(&r->w, 20 * NOVA_MS);
    net_close(&r->w.b, id, false);
    if (party_count(&r->w.b, NOVA_EVENT_REFUSED, 0) == refused)
      return;
  }
  cr_assert_fail("mosquitto does not start");
}

/* Takes apart what came. */
static void on_event(struct party *p, const struct nova_event *e) {
  struct rig *r = (struct rig *)p->world;
  struct nova_mqtt_out out;
  if (p != &r->w.a || e->id >= 4)
    return;
  if (e->kind == NOVA_EVENT_SECURED || e->kind == NOVA_EVENT_INSECURE) {
    cr_assert_lt(e->bytes.n, sizeof r->said);
    memcpy(r->said, e->bytes.p, e->bytes.n);
    r->said[e->bytes.n] = '\0';
  }
  if (e->kind != NOVA_EVENT_BYTES)
    return;
  for (size_t at = 0, used; at < e->bytes.n; at += used)
    if (nova_mqtt_stream_feed(&r->stream[e->id], e->bytes.p + at,
                              e->bytes.n - at, &used,
                              &out) == NOVA_MQTT_PACKET) {
      cr_assert_lt(r->packets[e->id], PACKETS);
      struct nova_buf *b = &r->seen[e->id][r->packets[e->id]++];
      cr_assert_eq(nova_buf_append(b, out.packet.p, out.packet.n), 0);
    }
}

static bool open_rig(struct rig *r) {
  memset(r, 0, sizeof *r);
  rig = r;
  world_open_loop(&r->w);
  r->plain = r->w.a.t;
  struct nova_handler handler = r->plain->handler;
  r->w.a.t = nova_library_new(NULL, r->w.net);
  cr_assert_not_null(r->w.a.t);
  r->w.a.t->handler = handler;
  r->w.a.on_event = on_event;
  for (size_t i = 0; i < 4; i++) {
    cr_assert_eq(nova_mqtt_stream_init(&r->stream[i], NULL, NOVA_MQTT_LIMIT),
                 0);
    for (size_t k = 0; k < PACKETS; k++)
      nova_buf_init(&r->seen[i][k], NULL, (size_t)1 << 20);
  }
  if (broker_program() == NULL) {
    cr_log_warn("no mosquitto here");
    return false;
  }
  strcpy(r->folder, "/tmp/nova-library-XXXXXX");
  cr_assert_not_null(mkdtemp(r->folder));
  cr_assert_eq(chmod(r->folder, 0755), 0);
  write_config(r);
  start_broker(r);
  return true;
}

static void close_rig(struct rig *r) {
  static const char *const names[] = {"cert.pem", "key.pem", "ca.pem",
                                      "passwords", "conf"};
  char path[128];
  if (r->broker > 0) {
    kill(r->broker, SIGTERM);
    waitpid(r->broker, NULL, 0);
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", r->folder, names[i]);
    unlink(path);
  }
  rmdir(r->folder);
  for (size_t i = 0; i < 4; i++) {
    nova_mqtt_stream_free(&r->stream[i]);
    for (size_t k = 0; k < PACKETS; k++)
      nova_buf_free(&r->seen[i][k]);
  }
  nova_library_free(r->w.a.t);
  nova_certs_free(r->certs);
  world_free(&r->w);
}

#define LIBRARY(name)                                                          \
  static void name##_(struct rig *r);                                          \
  Test(library, name) {                                                        \
    static struct rig r;                                                       \
    if (open_rig(&r))                                                          \
      name##_(&r);                                                             \
    close_rig(&r);                                                             \
  }                                                                            \
  static void name##_(struct rig *r)

/* Saying and hearing. */

static int say(struct rig *r, uint64_t id, const struct nova_mqtt *m) {
  static char p[300000];
  size_t n;
  cr_assert_eq(nova_mqtt_encode(m, NOVA_MQTT_STRICT, p, sizeof p, &n), 0);
  return net_send(&r->w.a, id, p, n);
}

static struct {
  uint64_t id;
  size_t n;
} wanted;

static bool have_packets(struct world *w) {
  (void)w;
  return rig->packets[wanted.id] >= wanted.n;
}

/* The |i|-th packet of |id|, from 0. */
static struct nova_mqtt hear(struct rig *r, uint64_t id, size_t i) {
  struct nova_mqtt m;
  wanted.id = id;
  wanted.n = i + 1;
  if (!have_packets(&r->w)) {
    r->w.done = have_packets;
    world_run(&r->w, 10 * NOVA_SEC);
    r->w.done = NULL;
  }
  cr_assert(have_packets(&r->w), "packet %zu of %d did not come", i, (int)id);
  struct nova_view v = nova_buf_view(&r->seen[id][i]);
  cr_assert_eq(nova_mqtt_decode(v.p, v.n, &m, NULL), 0);
  return m;
}

static void open_connection(struct rig *r, uint64_t id, uint16_t port) {
  cr_assert_eq(net_connect(&r->w.a, id, "127.0.0.1", port, 5 * NOVA_SEC), 0);
  world_await(&r->w, &r->w.a, NOVA_EVENT_CONNECTED, id, 1);
}

static struct nova_mqtt connect_of(const char *client_id,
                                   const char *password) {
  return (struct nova_mqtt){.type = NOVA_MQTT_CONNECT,
                            .u.connect = {.clean_session = true,
                                          .keep_alive = 60,
                                          .client_id = nova_view_of(client_id),
                                          .user_name = nova_view_of("device"),
                                          .password = nova_view_of(password)}};
}

static void login(struct rig *r, uint64_t id, const char *client_id) {
  struct nova_mqtt m = connect_of(client_id, "right");
  open_connection(r, id, r->port);
  cr_assert_eq(say(r, id, &m), 0);
  m = hear(r, id, 0);
  cr_assert_eq(m.type, NOVA_MQTT_CONNACK);
  cr_assert_eq(m.u.connack.code, 0);
}

static struct nova_mqtt subscribe_of(const struct nova_mqtt_entry *entry,
                                     size_t n, uint16_t packet_id) {
  return (struct nova_mqtt){
      .type = NOVA_MQTT_SUBSCRIBE,
      .u.list = {.packet_id = packet_id, .count = n, .entry = entry}};
}

static struct nova_mqtt publish_of(const char *topic, struct nova_view payload,
                                   uint8_t qos, uint16_t packet_id) {
  return (struct nova_mqtt){.type = NOVA_MQTT_PUBLISH,
                            .u.publish = {.qos = qos,
                                          .packet_id = packet_id,
                                          .topic = nova_view_of(topic),
                                          .payload = payload}};
}

static struct nova_mqtt ack_of(enum nova_mqtt_type type, uint16_t packet_id) {
  return (struct nova_mqtt){.type = type, .u.ack = {packet_id}};
}

LIBRARY(a_login) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PINGREQ};
  login(r, 1, "one");
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_SENT, 1), 1);
  cr_assert_eq(say(r, 1, &m), 0);
  cr_assert_eq(hear(r, 1, 1).type, NOVA_MQTT_PINGRESP);
  m.type = NOVA_MQTT_DISCONNECT;
  cr_assert_eq(say(r, 1, &m), 0);
  world_await(&r->w, &r->w.a, NOVA_EVENT_EOF, 1, 1);
  cr_assert_eq(say(r, 1, &m), NOVA_ERR_STATE);
  net_close(&r->w.a, 1, false);
}

LIBRARY(a_login_that_is_refused) {
  struct nova_mqtt m = connect_of("one", "wrong");
  open_connection(r, 1, r->port);
  cr_assert_eq(say(r, 1, &m), 0);
  m = hear(r, 1, 0);
  cr_assert_eq(m.type, NOVA_MQTT_CONNACK);
  cr_assert_eq(m.u.connack.code, 5);
  world_await(&r->w, &r->w.a, NOVA_EVENT_EOF, 1, 1);
  net_close(&r->w.a, 1, false);
}

LIBRARY(nobody_is_there) {
  struct nova_mqtt m = connect_of("one", "right");
  open_connection(r, 1, free_port(r));
  cr_assert_eq(say(r, 1, &m), 0);
  world_await(&r->w, &r->w.a, NOVA_EVENT_RESET, 1, 1);
  cr_assert_eq(say(r, 1, &m), NOVA_ERR_STATE);
  cr_assert_eq(r->packets[1], 0);
}

/* A message of each QoS, with the user's packet ids all along. */
LIBRARY(messages_of_every_qos) {
  const struct nova_mqtt_entry filters[] = {{nova_view_of("a/+"), 2},
                                            {nova_view_of("b/#"), 1},
                                            {nova_view_of("c"), 1}};
  struct nova_mqtt m = subscribe_of(filters, 3, 77), got;
  struct nova_mqtt_each each;
  struct nova_mqtt_entry entry;
  size_t in = 1, out = 1;
  login(r, 1, "subscriber");
  login(r, 2, "publisher");
  cr_assert_eq(say(r, 1, &m), 0);
  m = hear(r, 1, in++);
  cr_assert_eq(m.type, NOVA_MQTT_SUBACK);
  cr_assert_eq(m.u.list.packet_id, 77);
  cr_assert_eq(m.u.list.count, 3);
  nova_mqtt_each_init(&each, &m);
  for (size_t i = 0; i < 3; i++) {
    cr_assert(nova_mqtt_each_next(&each, &entry));
    cr_assert_eq(entry.code, filters[i].code);
  }
  for (uint8_t qos = 0; qos < 3; qos++) {
    uint16_t id = qos != 0 ? (uint16_t)(4000 + qos) : 0;
    m = publish_of("a/x", nova_view_of("{\"n\":1}"), qos, id);
    cr_assert_eq(say(r, 2, &m), 0);
    got = hear(r, 1, in++);
    cr_assert_eq(got.type, NOVA_MQTT_PUBLISH);
    cr_assert_eq(got.u.publish.qos, qos);
    cr_assert(nova_view_is(got.u.publish.topic, "a/x"));
    cr_assert(nova_view_is(got.u.publish.payload, "{\"n\":1}"));
    cr_assert_eq(got.u.publish.packet_id != 0, qos != 0);
    uint16_t theirs = got.u.publish.packet_id;
    if (qos == 0)
      continue;
    got = hear(r, 2, out++);
    cr_assert_eq(got.type, qos == 1 ? NOVA_MQTT_PUBACK : NOVA_MQTT_PUBREC);
    cr_assert_eq(got.u.ack.packet_id, id);
    m = ack_of(qos == 1 ? NOVA_MQTT_PUBACK : NOVA_MQTT_PUBREC, theirs);
    cr_assert_eq(say(r, 1, &m), 0);
    if (qos == 1)
      continue;
    got = hear(r, 1, in++);
    cr_assert_eq(got.type, NOVA_MQTT_PUBREL);
    cr_assert_eq(got.u.ack.packet_id, theirs);
    m = ack_of(NOVA_MQTT_PUBREL, id);
    cr_assert_eq(say(r, 2, &m), 0);
    got = hear(r, 2, out++);
    cr_assert_eq(got.type, NOVA_MQTT_PUBCOMP);
    cr_assert_eq(got.u.ack.packet_id, id);
  }
  /* And no more once it was unsubscribed. */
  m = subscribe_of(filters, 1, 9);
  m.type = NOVA_MQTT_UNSUBSCRIBE;
  cr_assert_eq(say(r, 1, &m), 0);
  got = hear(r, 1, in++);
  cr_assert_eq(got.type, NOVA_MQTT_UNSUBACK);
  cr_assert_eq(got.u.ack.packet_id, 9);
  m = publish_of("a/x", nova_view_of("unheard"), 1, 5);
  cr_assert_eq(say(r, 2, &m), 0);
  cr_assert_eq(hear(r, 2, out++).type, NOVA_MQTT_PUBACK);
  world_run(&r->w, 50 * NOVA_MS);
  cr_assert_eq(r->packets[1], in);
}

LIBRARY(a_payload_of_131072_bytes) {
  const struct nova_mqtt_entry filter = {nova_view_of("big"), 1};
  char *p = malloc(131072);
  fill(p, 131072, 1);
  struct nova_mqtt m = subscribe_of(&filter, 1, 1);
  login(r, 1, "both");
  cr_assert_eq(say(r, 1, &m), 0);
  cr_assert_eq(hear(r, 1, 1).type, NOVA_MQTT_SUBACK);
  m = publish_of("big", (struct nova_view){p, 131072}, 1, 2);
  cr_assert_eq(say(r, 1, &m), 0);
  for (size_t i = 2; i < 4; i++) {
    m = hear(r, 1, i);
    if (m.type == NOVA_MQTT_PUBACK)
      continue;
    cr_assert_eq(m.type, NOVA_MQTT_PUBLISH);
    cr_assert_eq(m.u.publish.payload.n, 131072);
    cr_assert_eq(memcmp(m.u.publish.payload.p, p, 131072), 0);
  }
  free(p);
}

/* The will comes when the connection is cut, and not after a DISCONNECT. */
LIBRARY(a_will) {
  const struct nova_mqtt_entry filter = {nova_view_of("will/+"), 1};
  struct nova_mqtt m = subscribe_of(&filter, 1, 1);
  login(r, 1, "watcher");
  cr_assert_eq(say(r, 1, &m), 0);
  cr_assert_eq(hear(r, 1, 1).type, NOVA_MQTT_SUBACK);
  for (int how = 0; how < 3; how++) {
    size_t before = r->packets[1];
    char id[16];
    snprintf(id, sizeof id, "dying-%d", how);
    m = connect_of(id, "right");
    m.u.connect.will_topic = nova_view_of("will/x");
    m.u.connect.will_message = nova_view_of("{\"status\":\"offline\"}");
    m.u.connect.will_qos = 1;
    size_t packets = r->packets[2];
    cr_assert_eq(net_connect(&r->w.a, 2, "127.0.0.1", r->port, NOVA_SEC), 0);
    world_await(&r->w, &r->w.a, NOVA_EVENT_CONNECTED, 2, (size_t)how + 1);
    cr_assert_eq(say(r, 2, &m), 0);
    cr_assert_eq(hear(r, 2, packets).type, NOVA_MQTT_CONNACK);
    if (how == 2) {
      m.type = NOVA_MQTT_DISCONNECT;
      cr_assert_eq(say(r, 2, &m), 0);
      world_await(&r->w, &r->w.a, NOVA_EVENT_EOF, 2, 1);
    }
    net_close(&r->w.a, 2, how == 0);
    if (how == 2) {
      world_run(&r->w, 100 * NOVA_MS);
      cr_assert_eq(r->packets[1], before);
    } else {
      m = hear(r, 1, before);
      cr_assert_eq(m.type, NOVA_MQTT_PUBLISH);
      cr_assert_eq(m.u.publish.qos, 1);
      cr_assert(nova_view_is(m.u.publish.payload, "{\"status\":\"offline\"}"));
    }
  }
}

LIBRARY(what_the_library_cannot_say) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PINGREQ};
  open_connection(r, 1, r->port);
  cr_assert_eq(say(r, 1, &m), NOVA_ERR_ARGUMENT, "no CONNECT first");
  net_close(&r->w.a, 1, false);
  login(r, 2, "one");
  m = connect_of("one", "right");
  cr_assert_eq(say(r, 2, &m), NOVA_ERR_ARGUMENT, "a second CONNECT");
  cr_assert_eq(net_send(&r->w.a, 2, "\x36\x05\0\x01xyz", 7), NOVA_ERR_ARGUMENT,
               "QoS 3");
  cr_assert_eq(net_send(&r->w.a, 2, "\xd0\0", 2), NOVA_ERR_ARGUMENT,
               "a server's packet");
  m = publish_of("x", nova_view_of(""), 1, 3);
  m.u.publish.dup = true;
  cr_assert_eq(say(r, 2, &m), NOVA_ERR_ARGUMENT);
  open_connection(r, 3, r->port);
  m = connect_of("three", "right");
  m.u.connect.keep_alive = 2;
  cr_assert_eq(say(r, 3, &m), NOVA_ERR_ARGUMENT);
  m.u.connect.keep_alive = 5;
  cr_assert_eq(say(r, 3, &m), 0);
  cr_assert_eq(hear(r, 3, 0).type, NOVA_MQTT_CONNACK);
}

/* TLS: the library's own judgement of certificates. */
LIBRARY(a_server_over_tls) {
  const struct nova_certificates *list = nova_certs_get(r->certs);
  struct nova_tls how = {.ca = list->ca, .name = nova_view_of("127.0.0.1")};
  struct nova_mqtt m = connect_of("one", "right");
  open_connection(r, 1, r->tls_port);
  cr_assert_eq(r->w.a.t->ops->secure(r->w.a.t, 1, &how), 0);
  cr_assert_eq(say(r, 1, &m), NOVA_ERR_STATE);
  world_await(&r->w, &r->w.a, NOVA_EVENT_SECURED, 1, 1);
  cr_assert_eq(say(r, 1, &m), 0);
  cr_assert_eq(hear(r, 1, 0).u.connack.code, 0);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_INSECURE, 0), 0);
  char *p = malloc(131072);
  fill(p, 131072, 1);
  const struct nova_mqtt_entry filter = {nova_view_of("big"), 0};
  m = subscribe_of(&filter, 1, 1);
  cr_assert_eq(say(r, 1, &m), 0);
  cr_assert_eq(hear(r, 1, 1).type, NOVA_MQTT_SUBACK);
  m = publish_of("big", (struct nova_view){p, 131072}, 0, 0);
  cr_assert_eq(say(r, 1, &m), 0);
  cr_assert_eq(hear(r, 1, 2).u.publish.payload.n, 131072);
  free(p);
}

LIBRARY(a_server_of_an_unknown_authority) {
  const struct nova_certificates *list = nova_certs_get(r->certs);
  struct nova_tls how = {.ca = list->client_ca,
                         .name = nova_view_of("127.0.0.1")};
  struct nova_mqtt m = connect_of("one", "right");
  open_connection(r, 1, r->tls_port);
  cr_assert_eq(r->w.a.t->ops->secure(r->w.a.t, 1, &how), 0);
  world_await(&r->w, &r->w.a, NOVA_EVENT_SECURED, 1, 1);
  cr_assert_eq(say(r, 1, &m), 0);
  world_await(&r->w, &r->w.a, NOVA_EVENT_RESET, 1, 1);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_INSECURE, 1), 1);
  cr_assert_not_null(strstr(r->said, "certificate verify failed"), "%s",
                     r->said);
  cr_assert_eq(r->packets[1], 0);
}
