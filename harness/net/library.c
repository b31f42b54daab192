/* libmosquitto as a transport: its sockets on the loop, and the ends. */
#include "net/library_internal.h"

#include "base/error.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONTAINER(p, type, member)                                             \
  ((type *)(void *)((char *)(p)-offsetof(type, member)))

#define TOLD_MAX                                                               \
  ((size_t)64 << 20) /* bytes of packets that wait for a user                  \
                      */
#define SENT_MAX   ((size_t)64 << 20)
#define PEM_MAX    ((size_t)1 << 20)
#define MISC       (500 * NOVA_MS) /* between looks at the keep-alive */
#define STREAM_MAX ((size_t)NOVA_SEND_QUEUE_MAX)

enum { READS = 64, DISCARD_MAX = 64 };

static struct nova__library *library_of(struct nova_transport *t) {
  return (struct nova__library *)t;
}

static struct nova__library_client *find(struct nova_transport *t,
                                         uint64_t id) {
  return nova__idmap_get(&library_of(t)->clients, id);
}

static void tell(struct nova__library *l, struct nova_event *event) {
  if (event->t < l->last)
    event->t = l->last;
  l->last = event->t;
  if (event->since > event->t)
    event->since = event->t;
  if (l->base.handler.event != NULL)
    l->base.handler.event(l->base.handler.user, event);
}

static void tell_of(struct nova__library_client *c, enum nova_event_kind kind,
                    struct nova_view bytes) {
  nova_ts t = nova__loop_polled(c->library->loop);
  tell(c->library,
       &(struct nova_event){
           .kind = kind, .id = c->id, .t = t, .since = t, .bytes = bytes});
}

/* Clients. */

static void unpin(struct nova__library_client *c) {
  const struct nova_mem *mem = c->library->mem;
  if (--c->pins != 0)
    return;
  nova_mqtt_stream_free(&c->stream);
  nova_buf_free(&c->told);
  nova_buf_free(&c->sent);
  for (size_t i = 0; i < 3; i++) {
    if (c->pem[i].data != NULL)
      OPENSSL_cleanse(c->pem[i].data, c->pem[i].cap);
    nova_buf_free(&c->pem[i]);
  }
  nova__library_forget(c);
  nova_mem_free(mem, c);
}

/* Ends it without an event. The library's socket is closed with it, without a
 * DISCONNECT; ours is another descriptor of the same connection. */
static void leave(struct nova__library_client *c, bool rst) {
  struct nova_loop *loop = c->library->loop;
  if (c->closed)
    return;
  c->closed = true;
  nova__idmap_remove(&c->library->clients, c->id);
  nova__later_cancel(&c->later);
  nova__alarm_free(c->alarm);
  int fd = c->sock != NULL ? c->sock->fd : -1;
  if (fd >= 0 && rst) {
    struct linger linger = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  }
  mosquitto_destroy(c->mosq);
  c->mosq = NULL;
  if (fd >= 0 && !rst) {
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < DISCARD_MAX; i++)
      if (recv(fd, loop->buffer, sizeof loop->buffer, MSG_DONTWAIT) <= 0)
        break;
  }
  nova__sock_close(c->sock);
  c->sock = NULL;
  unpin(c);
}

static bool over(const struct nova__library_client *c) {
  return c->lost != 0 || c->eof_due || c->eof || c->overflow;
}

static void watch(struct nova__library_client *c) {
  int want = 0;
  if (c->closed || c->sock == NULL)
    return;
  if (!over(c)) {
    if (!c->paused)
      want |= UV_READABLE;
    /* The first time that it can be written to is when it is connected. */
    if (!c->writable || mosquitto_want_write(c->mosq))
      want |= UV_WRITABLE;
    else
      c->unsent = 0;
  }
  nova__sock_want(c->sock, want);
}

/* Whether the other end has closed its side as one should. */
static bool fin_came(const struct nova__library_client *c) {
  struct tcp_info info;
  socklen_t n = sizeof info;
  if (c->sock == NULL ||
      getsockopt(c->sock->fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0)
    return false;
  return info.tcpi_state != TCP_CLOSE;
}

/* A handshake that failed. */
static void tell_insecure(struct nova__library_client *c) {
  char text[512];
  snprintf(text, sizeof text,
           "{\"result\":\"failed\",\"by\":\"us\",\"why\":\"%s\"}",
           c->error[0] != '\0' ? c->error : mosquitto_strerror(c->lost));
  tell_of(c, NOVA_EVENT_INSECURE, nova_view_of(text));
}

static void tell_sent(struct nova__library_client *c) {
  nova_ts times[2];
  while (!c->closed && c->sent.len >= sizeof times) {
    memcpy(times, nova_buf_view(&c->sent).p, sizeof times);
    nova_buf_consume(&c->sent, sizeof times);
    tell(c->library, &(struct nova_event){.kind = NOVA_EVENT_SENT,
                                          .id = c->id,
                                          .t = times[1],
                                          .since = times[0]});
  }
}

static void tell_bytes(struct nova__library_client *c) {
  if (c->closed || c->paused || c->told.len == 0)
    return;
  struct nova_buf taken = c->told; /* what comes up meanwhile comes next */
  nova_buf_init(&c->told, taken.mem, TOLD_MAX);
  tell_of(c, NOVA_EVENT_BYTES, nova_buf_view(&taken));
  nova_buf_free(&taken);
}

static void tell_end(struct nova__library_client *c) {
  bool reset = c->overflow || (c->lost != 0 && !fin_came(c));
  if (c->closed || !over(c) || (c->told.len != 0 && !reset))
    return;
  if (c->secure && !c->connacked && c->lost != 0) {
    tell_insecure(c);
    reset = true;
  }
  if (c->lost == MOSQ_ERR_PROTOCOL || c->lost == MOSQ_ERR_MALFORMED_PACKET)
    reset = true;
  if (c->closed)
    return;
  if (!reset) {
    if (!c->eof) {
      c->eof = true;
      tell_of(c, NOVA_EVENT_EOF, (struct nova_view){0});
    }
    return;
  }
  /* After the end in both directions nothing more is heard. */
  if (c->eof && c->half_closed)
    return;
  struct nova__library *l = c->library;
  nova_ts t = nova__loop_polled(l->loop);
  struct nova_event event = {
      .kind = NOVA_EVENT_RESET, .id = c->id, .t = t, .since = t};
  leave(c, true);
  tell(l, &event);
}

/* Tells what came up. */
static void tell_all(struct nova__library_client *c) {
  c->pins++;
  nova__later_cancel(&c->later);
  if (!c->connected_told) {
    nova_ts t = nova__loop_polled(c->library->loop);
    c->connected_told = true;
    tell(c->library, &(struct nova_event){.kind = NOVA_EVENT_CONNECTED,
                                          .id = c->id,
                                          .t = t,
                                          .since = c->since});
  }
  if (!c->closed && c->secured_due) {
    c->secured_due = false;
    tell_of(c, NOVA_EVENT_SECURED,
            nova_view_of("{\"result\":\"secured\",\"certificate\":"
                         "\"unverified\",\"why\":\"libmosquitto makes the "
                         "handshake with the CONNECT\"}"));
  }
  tell_sent(c);
  tell_bytes(c);
  tell_end(c);
  watch(c);
  unpin(c);
}

static void on_later(struct nova__later *later) {
  tell_all(CONTAINER(later, struct nova__library_client, later));
}

/* Sockets. */

static void note(struct nova__library_client *c, int rc) {
  if (rc != MOSQ_ERR_SUCCESS && c->lost == 0 && !c->eof_due)
    c->lost = rc;
}

static void on_socket(void *owner, int status, int events) {
  struct nova__library_client *c = owner;
  c->pins++;
  if (status < 0)
    events = UV_READABLE | UV_WRITABLE;
  if ((events & UV_WRITABLE) != 0) {
    c->writable = true;
    if (!over(c))
      note(c, mosquitto_loop_write(c->mosq, 1));
  }
  if ((events & UV_READABLE) != 0) {
    SSL *ssl;
    for (int i = 0; i < READS && !over(c); i++) {
      note(c, mosquitto_loop_read(c->mosq, 1));
      ssl = mosquitto_ssl_get(c->mosq);
      if (ssl == NULL || over(c) || SSL_pending(ssl) == 0)
        break;
    }
  }
  tell_all(c);
  unpin(c);
}

static void on_alarm(void *owner) {
  struct nova__library_client *c = owner;
  nova_ts now = uv_hrtime();
  c->pins++;
  if (c->mosq != NULL && !over(c)) {
    note(c, mosquitto_loop_misc(c->mosq));
    if (!c->writable && now >= c->deadline && c->lost == 0)
      c->lost = MOSQ_ERR_TIMEOUT;
  }
  nova__alarm_set(c->alarm, nova_ts_add(now, MISC));
  tell_all(c);
  unpin(c);
}

void nova__library_look(struct nova__library_client *c, int rc) {
  struct nova_loop *loop = c->library->loop;
  int fd = mosquitto_socket(c->mosq);
  (void)rc;
  if (c->sock == NULL && fd >= 0) {
    fd = dup(fd);
    if (fd >= 0)
      c->sock = nova__sock_new(loop, fd, on_socket, c);
    if (c->sock == NULL)
      c->lost = MOSQ_ERR_NOMEM;
    c->deadline = nova_ts_add(uv_hrtime(), c->timeout);
    nova__alarm_set(c->alarm, nova_ts_add(uv_hrtime(), MISC));
    if (c->timeout < MISC)
      nova__alarm_set(c->alarm, c->deadline);
  }
  nova__later_ask(loop, &c->later);
}

/* The calls. */

static nova_ts op_now(struct nova_transport *t) {
  struct nova__library *l = library_of(t);
  nova_ts now = l->inner->ops->now(l->inner);
  if (now > l->last)
    l->last = now;
  return l->last;
}

static uint64_t op_unix_ns(struct nova_transport *t) {
  struct nova_transport *inner = library_of(t)->inner;
  return inner->ops->unix_ns(inner);
}

static int op_connect(struct nova_transport *t, uint64_t id, const char *host,
                      uint16_t port, nova_ts timeout) {
  struct nova__library *l = library_of(t);
  char bare[256];
  if (nova__bare_host(bare, host) == NULL || id > UINT32_MAX || port == 0 ||
      find(t, id) != NULL)
    return NOVA_ERR_ARGUMENT;
  struct nova__library_client *c = nova_mem_zalloc(l->mem, sizeof *c);
  if (c == NULL)
    return NOVA_ERR_NO_MEMORY;
  c->library = l;
  c->id = id;
  c->port = port;
  c->timeout = timeout;
  c->pins = 1;
  c->since = uv_hrtime();
  memcpy(c->host, bare, sizeof bare);
  (void)nova_mqtt_stream_init(&c->stream, l->mem, STREAM_MAX);
  nova_buf_init(&c->told, l->mem, TOLD_MAX);
  nova_buf_init(&c->sent, l->mem, SENT_MAX);
  for (size_t i = 0; i < 3; i++)
    nova_buf_init(&c->pem[i], l->mem, PEM_MAX);
  nova__later_init(&c->later, on_later);
  c->alarm = nova__alarm_new(l->loop, on_alarm, c);
  if (c->alarm == NULL || nova__idmap_add(&l->clients, id, c) != 0) {
    nova__alarm_free(c->alarm);
    unpin(c);
    return NOVA_ERR_NO_MEMORY;
  }
  nova__later_ask(l->loop, &c->later);
  return 0;
}

static int op_listen(struct nova_transport *t, uint64_t listener,
                     const char *host, uint16_t port, uint16_t *bound,
                     const char **why) {
  struct nova_transport *inner = library_of(t)->inner;
  return inner->ops->listen(inner, listener, host, port, bound, why);
}

static void op_unlisten(struct nova_transport *t, uint64_t listener) {
  struct nova_transport *inner = library_of(t)->inner;
  inner->ops->unlisten(inner, listener);
}

static int op_run(struct nova_transport *t, uint64_t id,
                  const struct nova_job *job) {
  struct nova_transport *inner = library_of(t)->inner;
  return inner->ops->run(inner, id, job);
}

static void op_stop(struct nova_transport *t, uint64_t id) {
  struct nova_transport *inner = library_of(t)->inner;
  inner->ops->stop(inner, id);
}

static void op_wake_at(struct nova_transport *t, nova_ts when) {
  struct nova_transport *inner = library_of(t)->inner;
  inner->ops->wake_at(inner, when);
}

static int op_send(struct nova_transport *t, uint64_t id, const char *p,
                   size_t n) {
  struct nova__library *l = library_of(t);
  struct nova__library_client *c = find(t, id);
  nova_ts times[2];
  if (c == NULL)
    return l->inner->ops->send(l->inner, id, p, n);
  if (!c->connected_told || c->half_closed || over(c) || c->secured_due)
    return NOVA_ERR_STATE;
  if (n > NOVA_SEND_QUEUE_MAX - c->unsent)
    return NOVA_ERR_LIMIT;
  if (nova_buf_reserve(&c->sent, sizeof times) == NULL)
    return NOVA_ERR_NO_MEMORY;
  times[0] = uv_hrtime();
  int err = nova__library_say(c, p, n);
  nova__later_ask(l->loop, &c->later);
  if (err != 0)
    return err;
  times[1] = uv_hrtime();
  (void)nova_buf_append(&c->sent, times, sizeof times);
  c->unsent += n;
  watch(c);
  return 0;
}

static int op_half_close(struct nova_transport *t, uint64_t id) {
  struct nova__library *l = library_of(t);
  struct nova__library_client *c = find(t, id);
  if (c == NULL)
    return l->inner->ops->half_close(l->inner, id);
  if (!c->connected_told || c->half_closed || c->lost != 0)
    return NOVA_ERR_STATE;
  c->half_closed = true;
  if (c->sock != NULL)
    (void)shutdown(c->sock->fd, SHUT_WR);
  else
    c->eof_due = true; /* nobody is there to end it */
  nova__later_ask(l->loop, &c->later);
  return 0;
}

static void op_close(struct nova_transport *t, uint64_t id, bool rst) {
  struct nova__library *l = library_of(t);
  struct nova__library_client *c = find(t, id);
  if (c == NULL)
    l->inner->ops->close(l->inner, id, rst);
  else
    leave(c, rst);
}

static void op_pause(struct nova_transport *t, uint64_t id, bool paused) {
  struct nova__library *l = library_of(t);
  struct nova__library_client *c = find(t, id);
  if (c == NULL) {
    l->inner->ops->pause(l->inner, id, paused);
    return;
  }
  c->paused = paused;
  nova__later_ask(l->loop, &c->later);
}

/* The library's word for the versions; false where it has none. */
static bool versions_of(const struct nova_tls *how, const char **out) {
  *out = NULL;
  if (how->highest == NOVA_TLS_1_2 &&
      (how->lowest == NOVA_TLS_1_2 || how->lowest == NOVA_TLS_ANY))
    *out = "tlsv1.2";
  else if (how->lowest == NOVA_TLS_1_3 &&
           (how->highest == NOVA_TLS_1_3 || how->highest == NOVA_TLS_ANY))
    *out = "tlsv1.3";
  else
    return (how->lowest == NOVA_TLS_ANY || how->lowest == NOVA_TLS_1_2) &&
           (how->highest == NOVA_TLS_ANY || how->highest == NOVA_TLS_1_3);
  return true;
}

static int op_secure(struct nova_transport *t, uint64_t id,
                     const struct nova_tls *how) {
  struct nova__library_client *c = find(t, id);
  if (c == NULL || !c->connected_told || c->mosq != NULL || c->secure ||
      c->stream.offset != 0 || nova_mqtt_stream_pending(&c->stream) != 0)
    return NOVA_ERR_STATE;
  if (how->server || how->anyone || how->any_time ||
      !nova_view_is(how->name, c->host) || !versions_of(how, &c->versions))
    return NOVA_ERR_ARGUMENT;
  const struct nova_view *pem[] = {&how->ca, &how->own.cert, &how->own.key};
  for (size_t i = 0; i < 3; i++)
    if (nova_buf_append(&c->pem[i], pem[i]->p, pem[i]->n) != 0)
      return NOVA_ERR_NO_MEMORY;
  c->secure = c->secured_due = true;
  nova__later_ask(c->library->loop, &c->later);
  return 0;
}

static const struct nova_transport_ops ops = {
    .now = op_now,
    .unix_ns = op_unix_ns,
    .connect = op_connect,
    .listen = op_listen,
    .send = op_send,
    .half_close = op_half_close,
    .close = op_close,
    .pause = op_pause,
    .run = op_run,
    .stop = op_stop,
    .wake_at = op_wake_at,
    .unlisten = op_unlisten,
    .secure = op_secure,
};

/* What is the loop's own. */

static void on_event(void *user, const struct nova_event *e) {
  struct nova_event event = *e;
  tell(user, &event);
}

static void on_expire(void *user, nova_ts now) {
  struct nova__library *l = user;
  if (now > l->last)
    l->last = now;
  if (l->base.handler.expire != NULL)
    l->base.handler.expire(l->base.handler.user, l->last);
}

struct nova_transport *nova_library_new(const struct nova_mem *mem,
                                        struct nova_loop *loop) {
  struct nova__library *l = nova_mem_zalloc(mem, sizeof *l);
  if (l == NULL)
    return NULL;
  l->inner = nova_loop_attach(loop);
  if (l->inner == NULL || mosquitto_lib_init() != MOSQ_ERR_SUCCESS) {
    if (l->inner != NULL)
      nova_loop_detach(l->inner);
    nova_mem_free(mem, l);
    return NULL;
  }
  l->base.ops = &ops;
  l->mem = mem;
  l->loop = loop;
  l->inner->handler = (struct nova_handler){on_event, on_expire, l};
  nova__idmap_init(&l->clients, mem);
  return &l->base;
}

void nova_library_free(struct nova_transport *t) {
  struct nova__library *l = (struct nova__library *)t;
  void *p;
  if (l == NULL)
    return;
  while ((p = nova__idmap_any(&l->clients)) != NULL)
    leave(p, false);
  nova__idmap_free(&l->clients);
  nova_loop_detach(l->inner);
  mosquitto_lib_cleanup();
  nova_mem_free(l->mem, l);
}
