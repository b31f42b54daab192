/* The packet codec against libmosquitto: what the library writes is decoded to
 * the values that were given to its API and encoded to the same bytes again,
 * and what the encoder writes is taken by the library as what was meant.
 *
 *     mqtt_wire [SEED]
 *
 * One thread plays both sides over the loopback interface. Prints nothing but
 * what is wrong; exits with 1 then. */
#include "base/rng.h"
#include "codec/mqtt.h"
#include "codec/mqtt_json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BIG 131072

#define CHECK(condition, ...)                                                  \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "mqtt_wire.c:%d: %s: ", __LINE__, #condition);           \
      fprintf(stderr, __VA_ARGS__);                                            \
      fputc('\n', stderr);                                                     \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

/* A client of the library, the other end of its connection, and what its
 * callbacks told. */
struct wire {
  struct mosquitto *lib;
  int listener, fd;
  struct nova_mqtt_stream stream;
  char segment[65536];
  size_t from, to;          /* of |segment|, not fed yet */
  char packet[BIG + 65536]; /* the last one, and its size */
  size_t size;
  struct nova_mqtt m;

  size_t connects, publishes, subscribes, unsubscribes, messages, pongs;
  int code, flags; /* of the last CONNACK */
  int mid;         /* of the last of them */
  int granted[32], granted_count;
  char topic[4096], *payload;
  int payload_size, qos;
  bool retain, dup;
};

/* --- callbacks ------------------------------------------------------------ */

static void on_connect(struct mosquitto *lib, void *user, int code, int flags) {
  struct wire *w = user;
  (void)lib;
  w->connects++;
  w->code = code;
  w->flags = flags;
}

static void on_publish(struct mosquitto *lib, void *user, int mid) {
  struct wire *w = user;
  (void)lib;
  w->publishes++;
  w->mid = mid;
}

static void on_subscribe(struct mosquitto *lib, void *user, int mid, int n,
                         const int *granted) {
  struct wire *w = user;
  (void)lib;
  w->subscribes++;
  w->mid = mid;
  w->granted_count = n;
  for (int i = 0; i < n && i < 32; i++)
    w->granted[i] = granted[i];
}

static void on_unsubscribe(struct mosquitto *lib, void *user, int mid) {
  struct wire *w = user;
  (void)lib;
  w->unsubscribes++;
  w->mid = mid;
}

static void on_message(struct mosquitto *lib, void *user,
                       const struct mosquitto_message *m) {
  struct wire *w = user;
  (void)lib;
  w->messages++;
  snprintf(w->topic, sizeof w->topic, "%s", m->topic);
  CHECK(m->payloadlen >= 0 && m->payloadlen <= BIG, "%d bytes", m->payloadlen);
  if (m->payloadlen != 0)
    memcpy(w->payload, m->payload, (size_t)m->payloadlen);
  w->payload_size = m->payloadlen;
  w->qos = m->qos;
  w->retain = m->retain;
}

static void on_log(struct mosquitto *lib, void *user, int level,
                   const char *text) {
  struct wire *w = user;
  (void)lib;
  (void)level;
  w->pongs += strstr(text, "received PINGRESP") != NULL;
}

/* --- the two sides -------------------------------------------------------- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The library reads and writes what it can. */
static void turn(struct wire *w) {
  mosquitto_loop(w->lib, 1, 1);
}

/* Waits until a counter of the callbacks passes |was|. */
static void await(struct wire *w, const size_t *counter, size_t was,
                  const char *what) {
  double end = now() + 10;
  while (*counter == was) {
    CHECK(now() < end, "the library does not tell of a %s", what);
    turn(w);
  }
  CHECK(*counter == was + 1, "the library tells of a %s twice", what);
}

/* Bytes of the library, one packet of them. */
static void receive(struct wire *w, double seconds) {
  double end = now() + seconds;
  for (;;) {
    if (w->from == w->to) {
      ssize_t n = recv(w->fd, w->segment, sizeof w->segment, MSG_DONTWAIT);
      CHECK(n != 0, "the library closed the connection");
      CHECK(n > 0 || errno == EAGAIN, "recv: %s", strerror(errno));
      if (n < 0) {
        CHECK(now() < end, "no packet comes");
        turn(w);
        continue;
      }
      w->from = 0;
      w->to = (size_t)n;
    }
    size_t used;
    struct nova_mqtt_out out;
    int event = nova_mqtt_stream_feed(&w->stream, w->segment + w->from,
                                      w->to - w->from, &used, &out);
    w->from += used;
    CHECK(event >= 0 && event != NOVA_MQTT_OVERSIZED, "event %d", event);
    if (event != NOVA_MQTT_PACKET)
      continue;
    CHECK(out.packet.n <= sizeof w->packet, "%zu bytes", out.packet.n);
    memcpy(w->packet, out.packet.p, out.packet.n);
    w->size = out.packet.n;
    return;
  }
}

/* The packet that |m| is encoded to, or what its object says. */
static void same_bytes(const struct wire *w, const char *p, size_t n,
                       const char *how) {
  const char *name = nova_mqtt_type_name(w->m.type);
  CHECK(n == w->size, "%s %s: %zu bytes for %zu", name, how, n, w->size);
  for (size_t i = 0; i < n; i++)
    CHECK(p[i] == w->packet[i], "%s %s: byte %zu", name, how, i);
}

/* The next packet of the library, in w->m: of that type, without an error,
 * and the same when it is encoded again or goes through its object. */
static void expect(struct wire *w, enum nova_mqtt_type type, double seconds) {
  static char again[sizeof w->packet];
  static struct nova_json *j, *wide;
  struct nova_fault_at at;
  struct nova_json_value object;
  struct nova_buf text, back;
  size_t length = 0;
  receive(w, seconds);
  int error = nova_mqtt_decode(w->packet, w->size, &w->m, &at);
  CHECK(error == 0, "%s at %zu of a %s", nova_error_name(error), at.offset,
        nova_mqtt_type_name(w->m.type));
  CHECK(w->m.type == type, "%s, and not %s", nova_mqtt_type_name(w->m.type),
        nova_mqtt_type_name(type));
  CHECK((w->m.saw &
         ~(unsigned)(NOVA_MQTT_SAW_ODD_ID | NOVA_MQTT_SAW_LONG_ID)) == 0,
        "saw %#x", w->m.saw);
  error =
      nova_mqtt_encode(&w->m, NOVA_MQTT_STRICT, again, sizeof again, &length);
  CHECK(error == 0, "%s", nova_error_name(error));
  same_bytes(w, again, length, "encoded again");
  if (j == NULL) {
    j = nova_json_new(NULL, 2 * BIG, NOVA_JSON_DEPTH);
    wide = nova_json_new(NULL, NOVA_MQTT_JSON_MAX(sizeof w->packet), 80);
  }
  nova_buf_init(&text, NULL, NOVA_MQTT_JSON_MAX(sizeof w->packet));
  nova_buf_init(&back, NULL, sizeof w->packet);
  CHECK(nova_mqtt_to_json(&w->m, j, &text) == 0, "no object");
  CHECK(nova_json_check(wide, nova_buf_view(&text).p, text.len, &object, &at) ==
            0,
        "%s at %zu", nova_error_name(at.code), at.offset);
  error = nova_mqtt_from_json(object, 0, 0, &back, NULL);
  CHECK(error == 0, "%s: %.*s", nova_error_name(error), (int)text.len,
        nova_buf_view(&text).p);
  same_bytes(w, nova_buf_view(&back).p, back.len, "as JSON");
  nova_buf_free(&text);
  nova_buf_free(&back);
}

static void answer(struct wire *w, const struct nova_mqtt *m) {
  static char bytes[sizeof w->packet];
  size_t n;
  int error = nova_mqtt_encode(m, NOVA_MQTT_STRICT, bytes, sizeof bytes, &n);
  CHECK(error == 0, "%s", nova_error_name(error));
  for (size_t sent = 0; sent < n;) {
    ssize_t k = send(w->fd, bytes + sent, n - sent, MSG_DONTWAIT);
    CHECK(k > 0 || errno == EAGAIN, "send: %s", strerror(errno));
    if (k > 0)
      sent += (size_t)k;
    else
      turn(w);
  }
}

static void answer_id(struct wire *w, enum nova_mqtt_type type, uint16_t id) {
  answer(w, &(struct nova_mqtt){.type = type, .u.ack = {id}});
}

static void same_text(struct nova_view is, const char *expected) {
  CHECK(nova_view_is(is, expected), "%.*s, and not %s", (int)is.n, is.p,
        expected);
  CHECK((is.p == NULL) == (expected == NULL), "%s is there or not",
        expected != NULL ? expected : "something");
}

static void same_payload(struct nova_view is, const char *p, size_t n) {
  CHECK(is.n == n, "%zu bytes for %zu", is.n, n);
  CHECK(n == 0 || memcmp(is.p, p, n) == 0, "other bytes");
}

/* --- connections ---------------------------------------------------------- */

/* What mosquitto_connect() and those before it are given. */
struct settings {
  const char *id, *username, *password;
  const char *will_topic, *will_payload;
  size_t will_size;
  int will_qos, keep_alive;
  bool clean, will_retain;
};

/* Opens a connection and looks at its CONNECT. Freed by close_wire(). */
static struct wire *open_wire(const struct settings *s) {
  struct wire *w = calloc(1, sizeof *w);
  CHECK(w != NULL, "out of memory");
  w->payload = malloc(BIG);
  CHECK(w->payload != NULL, "out of memory");
  nova_mqtt_stream_init(&w->stream, NULL, sizeof w->packet - 5);

  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t n = sizeof a;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  w->listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(w->listener >= 0 &&
            bind(w->listener, (struct sockaddr *)&a, sizeof a) == 0 &&
            listen(w->listener, 1) == 0 &&
            getsockname(w->listener, (struct sockaddr *)&a, &n) == 0,
        "%s", strerror(errno));

  w->lib = mosquitto_new(s->id, s->clean, w);
  CHECK(w->lib != NULL, "mosquitto_new");
  mosquitto_int_option(w->lib, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
  mosquitto_connect_with_flags_callback_set(w->lib, on_connect);
  mosquitto_publish_callback_set(w->lib, on_publish);
  mosquitto_subscribe_callback_set(w->lib, on_subscribe);
  mosquitto_unsubscribe_callback_set(w->lib, on_unsubscribe);
  mosquitto_message_callback_set(w->lib, on_message);
  mosquitto_log_callback_set(w->lib, on_log);
  if (s->username != NULL)
    CHECK(mosquitto_username_pw_set(w->lib, s->username, s->password) == 0,
          "mosquitto_username_pw_set");
  if (s->will_topic != NULL)
    CHECK(mosquitto_will_set(w->lib, s->will_topic, (int)s->will_size,
                             s->will_payload, s->will_qos, s->will_retain) == 0,
          "mosquitto_will_set");
  int error =
      mosquitto_connect(w->lib, "127.0.0.1", ntohs(a.sin_port), s->keep_alive);
  CHECK(error == 0, "%s", mosquitto_strerror(error));
  w->fd = accept(w->listener, NULL, NULL);
  CHECK(w->fd >= 0, "accept: %s", strerror(errno));

  expect(w, NOVA_MQTT_CONNECT, 10);
  const struct nova_mqtt_connect *c = &w->m.u.connect;
  same_text(c->protocol, "MQTT");
  same_text(c->client_id, s->id);
  same_text(c->user_name, s->username);
  same_text(c->password, s->password);
  same_text(c->will_topic, s->will_topic);
  CHECK(c->clean_session == s->clean, "%d", c->clean_session);
  CHECK(c->keep_alive == s->keep_alive, "%u", c->keep_alive);
  if (s->will_topic != NULL) {
    same_payload(c->will_message, s->will_payload, s->will_size);
    CHECK(c->will_qos == s->will_qos, "%u", c->will_qos);
    CHECK(c->will_retain == s->will_retain, "%d", c->will_retain);
  }
  return w;
}

static void close_wire(struct wire *w) {
  mosquitto_destroy(w->lib);
  close(w->fd);
  close(w->listener);
  nova_mqtt_stream_free(&w->stream);
  free(w->payload);
  free(w);
}

static void connack(struct wire *w, bool session_present, uint8_t code) {
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNACK};
  m.u.connack.session_present = session_present;
  m.u.connack.code = code;
  size_t was = w->connects;
  answer(w, &m);
  await(w, &w->connects, was, "CONNACK");
  CHECK(w->code == code, "code %d for %u", w->code, code);
  CHECK((w->flags & 1) == session_present, "flags %d", w->flags);
}

static void bye(struct wire *w) {
  CHECK(mosquitto_disconnect(w->lib) == 0, "mosquitto_disconnect");
  expect(w, NOVA_MQTT_DISCONNECT, 10);
  close_wire(w);
}

/* --- what is tried -------------------------------------------------------- */

static const struct settings plain = {
    .id = "a", .clean = true, .keep_alive = 60};

static void connections(void) {
  static const struct settings all[] = {
      {.id = "device_DEV-123456_abc123",
       .username = "DEV-123456",
       .password = "4f1c\"\\key",
       .will_topic = "novacloud/devices/DEV-123456/status",
       .will_payload = "{\"status\": \"offline\", \"timestamp\": 0, "
                       "\"device_id\": \"DEV-123456\"}",
       .will_size = 65,
       .will_qos = 1,
       .keep_alive = 60,
       .clean = true},
      {.id = "\xe6\xb8\xa9\xe5\xba\xa6",
       .username = "",
       .will_topic = "/\xf0\x9f\x8c\xa1",
       .will_payload = "\x00\xff\xfe\n",
       .will_size = 4,
       .will_qos = 2,
       .will_retain = true,
       .keep_alive = 65535},
      {.id = "b", .will_topic = "w", .keep_alive = 5, .clean = true},
      {.id = "c", .username = "u", .password = "", .clean = true},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    struct wire *w = open_wire(&all[i]);
    connack(w, !all[i].clean, 0);
    bye(w);
  }
  for (uint8_t code = 1; code <= 5; code++) {
    struct wire *w = open_wire(&plain);
    connack(w, false, code);
    close_wire(w);
  }
}

/* Text of 1 to 12 parts. */
static void random_text(struct nova_rng *r, const char *const *parts, size_t n,
                        char out[128]) {
  size_t used = 0;
  for (uint64_t k = 1 + nova_rng_below(r, 12); k > 0; k--) {
    const char *part = parts[nova_rng_below(r, n)];
    memcpy(out + used, part, strlen(part));
    used += strlen(part);
  }
  out[used] = '\0';
}

static void random_topic(struct nova_rng *r, char out[128]) {
  static const char *const parts[] = {"a",
                                      "DEV-1",
                                      "/",
                                      "/",
                                      "$",
                                      " ",
                                      "\xc3\xa9",
                                      "\xe6\xb8\xa9",
                                      "\xf0\x9f\x8c\xa1"};
  random_text(r, parts, sizeof parts / sizeof *parts, out);
}

static void random_filter(struct nova_rng *r, char out[128]) {
  static const char *const parts[] = {"a/", "/", "+/", "\xe6\xb8\xa9/", "$x/"};
  random_text(r, parts, sizeof parts / sizeof *parts, out);
  strcat(out, (const char *[]){"#", "+", "b", ""}[nova_rng_below(r, 4)]);
}

/* None, a few, what takes another byte of length, or all. */
static size_t random_payload(struct nova_rng *r, char *p) {
  static const size_t most[] = {1, 121, 200, 20000, BIG};
  size_t n = nova_rng_below(r, most[nova_rng_below(r, 5)] + 1);
  for (size_t i = 0; i < n; i++)
    p[i] = (char)nova_rng_next(r);
  return n;
}

/* The library publishes. */
static void publish(struct wire *w, const char *topic, const char *payload,
                    size_t size, int qos, bool retain) {
  int mid = 0;
  size_t was = w->publishes;
  CHECK(mosquitto_publish(w->lib, &mid, topic, (int)size, payload, qos,
                          retain) == 0,
        "mosquitto_publish");
  expect(w, NOVA_MQTT_PUBLISH, 10);
  const struct nova_mqtt_publish *b = &w->m.u.publish;
  uint16_t id = b->packet_id;
  same_text(b->topic, topic);
  same_payload(b->payload, payload, size);
  CHECK(b->qos == qos && b->retain == retain && !b->dup, "%d%d%d", b->qos,
        b->retain, b->dup);
  CHECK(id == (qos != 0 ? mid : 0), "%u for %d", id, mid);
  if (qos == 1)
    answer_id(w, NOVA_MQTT_PUBACK, id);
  if (qos == 2) {
    answer_id(w, NOVA_MQTT_PUBREC, id);
    expect(w, NOVA_MQTT_PUBREL, 10);
    CHECK(w->m.u.ack.packet_id == id, "%u", w->m.u.ack.packet_id);
    CHECK(w->publishes == was, "done before PUBCOMP");
    answer_id(w, NOVA_MQTT_PUBCOMP, id);
  }
  if (w->publishes == was)
    await(w, &w->publishes, was, "PUBACK, PUBCOMP or a PUBLISH that is out");
  CHECK(w->mid == mid, "%d for %d", w->mid, mid);
}

/* The library is published to. */
static void deliver(struct wire *w, const struct nova_mqtt_publish *b) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH, .u.publish = *b};
  size_t was = w->messages;
  answer(w, &m);
  if (b->qos == 1)
    expect(w, NOVA_MQTT_PUBACK, 10);
  if (b->qos == 2) {
    expect(w, NOVA_MQTT_PUBREC, 10);
    CHECK(w->m.u.ack.packet_id == b->packet_id, "%u", w->m.u.ack.packet_id);
    CHECK(w->messages == was, "told before PUBREL");
    answer_id(w, NOVA_MQTT_PUBREL, b->packet_id);
    expect(w, NOVA_MQTT_PUBCOMP, 10);
  }
  if (b->qos != 0)
    CHECK(w->m.u.ack.packet_id == b->packet_id, "%u", w->m.u.ack.packet_id);
  if (w->messages == was)
    await(w, &w->messages, was, "PUBLISH");
  CHECK(w->messages == was + 1, "told twice");
  CHECK(nova_view_is(b->topic, w->topic), "%s", w->topic);
  same_payload(b->payload, w->payload, (size_t)w->payload_size);
  CHECK(w->qos == b->qos && w->retain == b->retain, "%d%d", w->qos, w->retain);
}

static void messages(struct wire *w, struct nova_rng *r) {
  static char payload[BIG];
  char topic[128];
  for (int i = 0; i < 60; i++) {
    random_topic(r, topic);
    size_t n = random_payload(r, payload);
    publish(w, topic, payload, n, i % 3, nova_rng_below(r, 2) != 0);
    struct nova_mqtt_publish b = {.qos = (uint8_t)(i % 3)};
    random_topic(r, topic);
    b.topic = nova_view_of(topic);
    b.payload = (struct nova_view){payload, random_payload(r, payload)};
    b.retain = nova_rng_below(r, 2) != 0;
    b.dup = b.qos != 0 && nova_rng_below(r, 2) != 0;
    b.packet_id = (uint16_t)(b.qos != 0 ? 1 + nova_rng_below(r, 65535) : 0);
    deliver(w, &b);
  }
}

static void subscriptions(struct wire *w, struct nova_rng *r) {
  static const uint8_t codes[] = {0, 1, 2, NOVA_MQTT_SUBACK_FAILURE};
  for (int i = 0; i < 60; i++) {
    char text[16][128], *filters[16];
    struct nova_mqtt_entry entry, granted[16];
    struct nova_mqtt_each each;
    int n = (int)(1 + nova_rng_below(r, 16)), mid = 0, seen = 0;
    int qos = (int)nova_rng_below(r, 3);
    for (int k = 0; k < n; k++) {
      random_filter(r, text[k]);
      filters[k] = text[k];
      granted[k] =
          (struct nova_mqtt_entry){.code = codes[nova_rng_below(r, 4)]};
    }
    int error = n == 1 ? mosquitto_subscribe(w->lib, &mid, filters[0], qos)
                       : mosquitto_subscribe_multiple(w->lib, &mid, n, filters,
                                                      qos, 0, NULL);
    CHECK(error == 0, "%s", mosquitto_strerror(error));
    expect(w, NOVA_MQTT_SUBSCRIBE, 10);
    CHECK(w->m.u.list.packet_id == mid, "%u", w->m.u.list.packet_id);
    CHECK(w->m.u.list.count == (size_t)n, "%zu", w->m.u.list.count);
    nova_mqtt_each_init(&each, &w->m);
    for (; nova_mqtt_each_next(&each, &entry); seen++) {
      CHECK(seen < n, "more than %d filters", n);
      same_text(entry.filter, filters[seen]);
      CHECK(entry.code == qos, "%u", entry.code);
    }
    CHECK(seen == n, "%d", seen);

    struct nova_mqtt m = {.type = NOVA_MQTT_SUBACK};
    m.u.list.packet_id = (uint16_t)mid;
    m.u.list.count = (size_t)n;
    m.u.list.entry = granted;
    size_t was = w->subscribes;
    answer(w, &m);
    await(w, &w->subscribes, was, "SUBACK");
    CHECK(w->mid == mid && w->granted_count == n, "%d, %d", w->mid,
          w->granted_count);
    for (int k = 0; k < n; k++)
      CHECK(w->granted[k] == granted[k].code, "%d", w->granted[k]);

    error =
        n == 1 ? mosquitto_unsubscribe(w->lib, &mid, filters[0])
               : mosquitto_unsubscribe_multiple(w->lib, &mid, n, filters, NULL);
    CHECK(error == 0, "%s", mosquitto_strerror(error));
    expect(w, NOVA_MQTT_UNSUBSCRIBE, 10);
    CHECK(w->m.u.list.packet_id == mid, "%u", w->m.u.list.packet_id);
    nova_mqtt_each_init(&each, &w->m);
    for (seen = 0; nova_mqtt_each_next(&each, &entry); seen++) {
      CHECK(seen < n, "more than %d filters", n);
      same_text(entry.filter, filters[seen]);
    }
    CHECK(seen == n, "%d", seen);
    was = w->unsubscribes;
    answer_id(w, NOVA_MQTT_UNSUBACK, (uint16_t)mid);
    await(w, &w->unsubscribes, was, "UNSUBACK");
    CHECK(w->mid == mid, "%d", w->mid);
  }
}

int main(int argc, char **argv) {
  struct nova_rng r;
  nova_rng_init(&r, argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
  mosquitto_lib_init();
  /* 5 s is the least that the library pings after: it is silent meanwhile. */
  struct settings silent = plain;
  silent.keep_alive = 5;
  struct wire *pinging = open_wire(&silent);
  connack(pinging, false, 0);

  connections();
  struct wire *w = open_wire(&plain);
  connack(w, false, 0);
  messages(w, &r);
  subscriptions(w, &r);
  bye(w);

  expect(pinging, NOVA_MQTT_PINGREQ, 20);
  answer(pinging, &(struct nova_mqtt){.type = NOVA_MQTT_PINGRESP});
  await(pinging, &pinging->pongs, 0, "PINGRESP");
  bye(pinging);
  mosquitto_lib_cleanup();
  return 0;
}
