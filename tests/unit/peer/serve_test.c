/* The glue, over a transport that only writes down what it is asked for. */
#include "rig.h"

#include "base/error.h"
#include "peer/serve.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct fake {
  struct nova_transport base; /* first */
  char log[8192];
  nova_ts wake;
  int send_error;
  uint16_t refuse_port;
};

static void note(struct fake *f, const char *what, uint64_t id) {
  size_t n = strlen(f->log);
  snprintf(f->log + n, sizeof f->log - n, "%s %llu\n", what,
           (unsigned long long)id);
}

static nova_ts fake_now(struct nova_transport *t) {
  (void)t;
  return 0;
}

static uint64_t fake_unix(struct nova_transport *t) {
  (void)t;
  return 0;
}

static int fake_listen(struct nova_transport *t, uint64_t listener,
                       const char *host, uint16_t port, uint16_t *bound,
                       const char **why) {
  struct fake *f = (struct fake *)t;
  cr_assert_str_eq(host, "localhost");
  if (port == f->refuse_port) {
    *why = "the address is in use";
    return NOVA_ERR_ARGUMENT;
  }
  *bound = port == 0 ? (uint16_t)(40000 + listener) : port;
  return 0;
}

static int fake_send(struct nova_transport *t, uint64_t id, const char *p,
                     size_t n) {
  struct fake *f = (struct fake *)t;
  if (f->send_error != 0)
    return f->send_error;
  char text[64];
  int shown = (int)(n < 40 ? n - 1 : 40);
  snprintf(text, sizeof text, "send %.*s", shown, p);
  note(f, text, id);
  return 0;
}

static int fake_half_close(struct nova_transport *t, uint64_t id) {
  note((struct fake *)t, "fin", id);
  return 0;
}

static void fake_close(struct nova_transport *t, uint64_t id, bool rst) {
  note((struct fake *)t, rst ? "rst" : "close", id);
}

static void fake_wake_at(struct nova_transport *t, nova_ts when) {
  ((struct fake *)t)->wake = when;
}

static const struct nova_transport_ops fake_ops = {
    .now = fake_now,
    .unix_ns = fake_unix,
    .listen = fake_listen,
    .send = fake_send,
    .half_close = fake_half_close,
    .close = fake_close,
    .wake_at = fake_wake_at,
};

struct scene {
  struct fake t;
  struct nova_server *s;
  struct nova_serve *v;
  int crashes;
};

static void on_crash(void *user) {
  ((struct scene *)user)->crashes++;
}

static void scene_start(struct scene *x, enum nova_fault fault) {
  static const struct nova_credential device = {{ID_A, sizeof ID_A - 1},
                                                {KEY_A, sizeof KEY_A - 1}};
  struct nova_fault_set faults = {{0}};
  if (fault < NOVA_FAULTS)
    nova_fault_add(&faults, fault);
  const char *why = NULL;
  *x = (struct scene){.t.base.ops = &fake_ops, .t.refuse_port = 1};
  x->s = nova_server_new(&(struct nova_server_options){.devices = &device,
                                                       .device_count = 1,
                                                       .faults = &faults,
                                                       .unsent_limit = 1000});
  x->v =
      nova_serve_new(&x->t.base, x->s,
                     &(struct nova_serve_options){.host = "localhost",
                                                  .port = 9000,
                                                  .control_host = "localhost",
                                                  .crashed = on_crash,
                                                  .user = x},
                     &why);
  cr_assert_not_null(x->v);
}

static void scene_stop(struct scene *x) {
  nova_serve_free(x->v);
  nova_server_free(x->s);
}

static void event(struct scene *x, enum nova_event_kind kind, uint64_t id,
                  nova_ts t, const char *bytes) {
  struct nova_event e = {.kind = kind,
                         .id = id,
                         .listener = id >= 100 ? 2 : 1,
                         .t = t,
                         .since = t,
                         .bytes = nova_view_of(bytes)};
  x->t.base.handler.event(x->t.base.handler.user, &e);
}

/* What was asked for since the last call. */
static const char *asked(struct scene *x) {
  static char text[8192];
  memcpy(text, x->t.log, sizeof text);
  x->t.log[0] = '\0';
  return text;
}

#define SENT_SUCCESS "send {\"type\":\"auth_result\",\"result\":\"success\""
#define SENT_FAILED  "send {\"type\":\"auth_result\",\"result\":\"failed\","
#define SENT_PONG    "send {\"type\":\"pong\",\"timestamp\":0}"

static void login(struct scene *x, uint64_t id) {
  event(x, NOVA_EVENT_ACCEPTED, id, 0, NULL);
  event(x, NOVA_EVENT_BYTES, id, 0, AUTH(ID_A, KEY_A));
  event(x, NOVA_EVENT_SENT, id, 0, NULL);
  cr_assert(strncmp(asked(x), SENT_SUCCESS, sizeof SENT_SUCCESS - 1) == 0);
}

Test(serve, listens_where_it_is_told) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  cr_assert_eq(nova_serve_port(x.v), 9000);
  cr_assert_eq(nova_serve_control_port(x.v), 40002);
  const char *why = NULL;
  struct nova_serve_options o = {.host = "localhost", .port = 1};
  cr_assert_null(nova_serve_new(&x.t.base, x.s, &o, &why));
  cr_assert_str_eq(why, "the address is in use");
  scene_stop(&x);
}

Test(serve, passes_bytes_and_answers) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  event(&x, NOVA_EVENT_ACCEPTED, 5, 0, NULL);
  cr_assert_eq(x.t.wake, 10 * NOVA_SEC);
  event(&x, NOVA_EVENT_BYTES, 5, 1, AUTH(ID_A, KEY_A) "{\"type\":\"ping\",");
  cr_assert_eq(x.t.wake, 1 + 180 * NOVA_SEC);
  event(&x, NOVA_EVENT_BYTES, 5, 2,
        "\"device_id\":\"" ID_A "\",\"timestamp\":1}\n");
  cr_assert_eq(x.t.wake, 2 + 180 * NOVA_SEC);
  cr_assert_str_eq(asked(&x), SENT_SUCCESS " 5\n" SENT_PONG " 5\n");
  scene_stop(&x);
}

/* FIN behind auth_result; closed only when both have no more to say. */
Test(serve, closes_without_losing_what_was_sent) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  event(&x, NOVA_EVENT_ACCEPTED, 5, 0, NULL);
  event(&x, NOVA_EVENT_BYTES, 5, 7, AUTH(ID_A, "wrong") PING(ID_A));
  cr_assert_str_eq(asked(&x), SENT_FAILED " 5\nfin 5\n");
  cr_assert_eq(x.t.wake, 7 + NOVA_SERVE_LINGER);
  event(&x, NOVA_EVENT_BYTES, 5, 8, AUTH(ID_A, KEY_A));
  event(&x, NOVA_EVENT_EOF, 5, 9, NULL);
  cr_assert_str_empty(asked(&x), "not before it is sent");
  event(&x, NOVA_EVENT_SENT, 5, 10, NULL);
  cr_assert_str_eq(asked(&x), "close 5\n");
  cr_assert_eq(x.t.wake, NOVA_TS_NONE);
  scene_stop(&x);
}

Test(serve, gives_up_on_a_device_that_does_not_close) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  for (uint64_t id = 5; id < 8; id++) {
    event(&x, NOVA_EVENT_ACCEPTED, id, 0, NULL);
    event(&x, NOVA_EVENT_BYTES, id, id, "\n");
    event(&x, NOVA_EVENT_SENT, id, id, NULL);
  }
  (void)asked(&x);
  /* The middle one leaves by itself. */
  event(&x, NOVA_EVENT_RESET, 6, 9, NULL);
  (void)asked(&x);
  cr_assert_eq(x.t.wake, 5 + NOVA_SERVE_LINGER);
  nova_serve_expire(x.v, 5 + NOVA_SERVE_LINGER - 1);
  cr_assert_str_empty(asked(&x));
  nova_serve_expire(x.v, 5 + NOVA_SERVE_LINGER);
  cr_assert_str_eq(asked(&x), "close 5\n");
  cr_assert_eq(x.t.wake, 7 + NOVA_SERVE_LINGER);
  nova_serve_expire(x.v, 7 + NOVA_SERVE_LINGER);
  cr_assert_str_eq(asked(&x), "close 7\n");
  scene_stop(&x);
}

Test(serve, ends_idle_connections_on_time) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  login(&x, 5);
  nova_serve_expire(x.v, 180 * NOVA_SEC - 1);
  cr_assert_str_empty(asked(&x));
  nova_serve_expire(x.v, 180 * NOVA_SEC);
  cr_assert_str_eq(asked(&x), "fin 5\n");
  event(&x, NOVA_EVENT_EOF, 5, 181 * NOVA_SEC, NULL);
  cr_assert_str_eq(asked(&x), "close 5\n");
  scene_stop(&x);
}

Test(serve, answers_the_end_of_a_stream) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  login(&x, 5);
  event(&x, NOVA_EVENT_EOF, 5, 1, NULL);
  cr_assert_str_eq(asked(&x), "fin 5\nclose 5\n");
  cr_assert_eq(nova_server_connections(x.s), 0);
  scene_stop(&x);
}

Test(serve, forgets_a_reset_connection) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  login(&x, 5);
  event(&x, NOVA_EVENT_RESET, 5, 1, NULL);
  cr_assert_eq(nova_server_connections(x.s), 0);
  (void)asked(&x);
  /* Its number is free again. */
  login(&x, 5);
  scene_stop(&x);
}

/* unsent_limit is 1000 bytes here, some 25 pongs. */
Test(serve, reports_what_was_sent) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  login(&x, 5);
  login(&x, 6);
  for (int i = 0; i < 60; i++) {
    event(&x, NOVA_EVENT_BYTES, 5, 1, PING(ID_A));
    event(&x, NOVA_EVENT_SENT, 5, 1, NULL);
  }
  cr_assert_null(strstr(asked(&x), "rst"));
  for (int i = 0; i < 60; i++)
    event(&x, NOVA_EVENT_BYTES, 6, 1, PING(ID_A));
  const char *log = asked(&x);
  cr_assert_not_null(strstr(log, "rst 6\n"));
  cr_assert_eq(nova_server_connections(x.s), 1);
  scene_stop(&x);
}

Test(serve, a_send_that_fails_costs_the_connection) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  login(&x, 5);
  x.t.send_error = NOVA_ERR_NO_MEMORY;
  event(&x, NOVA_EVENT_BYTES, 5, 1, PING(ID_A) PING(ID_A));
  cr_assert_str_eq(asked(&x), "rst 5\n");
  cr_assert_eq(nova_server_connections(x.s), 0);
  scene_stop(&x);
}

Test(serve, a_crash_resets_everything) {
  struct scene x;
  scene_start(&x, NOVA_FAULT_CRASH_EMPTY_LINE);
  login(&x, 5);
  login(&x, 6);
  event(&x, NOVA_EVENT_ACCEPTED, 100, 0, NULL);
  event(&x, NOVA_EVENT_BYTES, 5, 1, PING(ID_A) "\n");
  cr_assert_eq(x.crashes, 1);
  const char *log = asked(&x);
  cr_assert(strstr(log, "rst 5\n") && strstr(log, "rst 6\n") &&
            strstr(log, "rst 100\n"));
  event(&x, NOVA_EVENT_ACCEPTED, 7, 2, NULL);
  cr_assert_str_eq(asked(&x), "rst 7\n");
  event(&x, NOVA_EVENT_BYTES, 6, 2, PING(ID_A));
  nova_serve_expire(x.v, 500 * NOVA_SEC);
  cr_assert_str_empty(asked(&x));
  cr_assert_eq(x.crashes, 1);
  scene_stop(&x);
}

/* The accept loop is dead: connections are made and nobody answers. */
Test(serve, a_deaf_server_leaves_connections_open) {
  struct scene x;
  scene_start(&x, NOVA_FAULT_STOPS_ACCEPTING);
  login(&x, 5);
  event(&x, NOVA_EVENT_BYTES, 5, 1, "{\n");
  event(&x, NOVA_EVENT_ACCEPTED, 6, 2, NULL);
  event(&x, NOVA_EVENT_BYTES, 6, 3, AUTH(ID_A, KEY_A));
  nova_serve_expire(x.v, 100 * NOVA_SEC);
  cr_assert_str_empty(asked(&x));
  event(&x, NOVA_EVENT_BYTES, 5, 100 * NOVA_SEC, PING(ID_A));
  cr_assert_not_null(strstr(asked(&x), "pong"));
  scene_stop(&x);
}

Test(serve, answers_control_requests) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  login(&x, 5);
  event(&x, NOVA_EVENT_ACCEPTED, 100, 0, NULL);
  event(&x, NOVA_EVENT_BYTES, 100, 1, "{\"do\":\"comm");
  cr_assert_str_empty(asked(&x));
  event(&x, NOVA_EVENT_BYTES, 100, 1,
        "and\",\"device_id\":\"" ID_A "\",\"command\":\"c\"}\nx\n");
  /* In order: both answers, and the command at the device. */
  const char *log = asked(&x);
  const char *yes = strstr(log, "send {\"ok\":true,\"command_id\":\"cmd-1-");
  const char *no =
      strstr(log, "send {\"ok\":false,\"error\":\"the request is not");
  const char *command = strstr(log, "send {\"type\":\"command\"");
  cr_assert(yes != NULL && no > yes && command > no, "%s", log);
  event(&x, NOVA_EVENT_SENT, 100, 1, NULL);
  event(&x, NOVA_EVENT_EOF, 100, 2, NULL);
  cr_assert_str_eq(asked(&x), "fin 100\n", "an answer is still to be sent");
  event(&x, NOVA_EVENT_SENT, 100, 3, NULL);
  cr_assert_str_eq(asked(&x), "close 100\n");
  scene_stop(&x);
}

Test(serve, limits_control_connections) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  for (uint64_t i = 0; i < NOVA_SERVE_CONTROLS; i++)
    event(&x, NOVA_EVENT_ACCEPTED, 100 + i, 0, NULL);
  cr_assert_str_empty(asked(&x));
  event(&x, NOVA_EVENT_ACCEPTED, 999, 0, NULL);
  cr_assert_str_eq(asked(&x), "rst 999\n");
  event(&x, NOVA_EVENT_RESET, 100, 0, NULL);
  (void)asked(&x);
  event(&x, NOVA_EVENT_ACCEPTED, 999, 0, NULL);
  cr_assert_str_empty(asked(&x));
  /* One that asks and never reads is dropped. */
  for (int i = 0; i < 100; i++)
    event(&x, NOVA_EVENT_BYTES, 101, 0, "x\n");
  cr_assert_null(strstr(asked(&x), "rst"));
  event(&x, NOVA_EVENT_BYTES, 101, 0, "x\nx\n");
  cr_assert_str_eq(asked(&x), "rst 101\n");
  scene_stop(&x);
}

Test(serve, refuses_a_control_request_that_is_too_long) {
  struct scene x;
  static char block[60001];
  memset(block, 'x', sizeof block - 1);
  scene_start(&x, NOVA_FAULTS);
  event(&x, NOVA_EVENT_ACCEPTED, 100, 0, NULL);
  for (int i = 0; i < 3; i++)
    event(&x, NOVA_EVENT_BYTES, 100, 0, block);
  event(&x, NOVA_EVENT_BYTES, 100, 0, "\n");
  cr_assert_str_eq(asked(&x),
                   "send {\"ok\":false,\"error\":\"the request is too  100\n");
  scene_stop(&x);
}

Test(serve, freeing_closes_everything) {
  struct scene x;
  scene_start(&x, NOVA_FAULTS);
  login(&x, 5);
  event(&x, NOVA_EVENT_ACCEPTED, 100, 0, NULL);
  nova_serve_free(x.v);
  const char *log = asked(&x);
  cr_assert(strstr(log, "close 5\n") && strstr(log, "close 100\n"));
  nova_server_free(x.s);
  nova_serve_free(NULL);
}

/* Every n-th allocation fails, of the glue and of the server alike. */
struct failing {
  struct nova_mem mem;
  size_t calls, fail_at;
  long live;
};

static void *fail_realloc(void *p, size_t n, void *user) {
  struct failing *f = user;
  if (++f->calls == f->fail_at)
    return NULL;
  f->live += p == NULL;
  return realloc(p, n);
}

static void fail_free(void *p, void *user) {
  ((struct failing *)user)->live -= p != NULL;
  free(p);
}

static void play(struct failing *f) {
  const char *why = NULL;
  struct scene x = {.t.base.ops = &fake_ops, .t.refuse_port = 1};
  struct nova_credential device = {{ID_A, sizeof ID_A - 1},
                                   {KEY_A, sizeof KEY_A - 1}};
  x.s = nova_server_new(&(struct nova_server_options){
      .mem = &f->mem, .devices = &device, .device_count = 1});
  if (x.s == NULL)
    return;
  x.v = nova_serve_new(
      &x.t.base, x.s,
      &(struct nova_serve_options){
          .mem = &f->mem, .host = "localhost", .control_host = "localhost"},
      &why);
  if (x.v != NULL) {
    for (uint64_t id = 5; id < 30; id++) {
      event(&x, NOVA_EVENT_ACCEPTED, id, 0, NULL);
      event(&x, NOVA_EVENT_BYTES, id, 0, AUTH(ID_A, KEY_A) "{\"type\"");
      event(&x, NOVA_EVENT_BYTES, id, 0, "}\n" PING(ID_A));
      event(&x, NOVA_EVENT_SENT, id, 0, NULL);
    }
    event(&x, NOVA_EVENT_ACCEPTED, 100, 0, NULL);
    event(&x, NOVA_EVENT_BYTES, 100, 0, "{\"do\":");
    event(&x, NOVA_EVENT_BYTES, 100, 0, "\"connections\"}\n");
    event(&x, NOVA_EVENT_EOF, 5, 0, NULL);
    x.t.base.handler.expire(x.t.base.handler.user, 180 * NOVA_SEC);
  } else {
    cr_assert_str_eq(why, "out of memory");
  }
  scene_stop(&x);
}

Test(serve, every_allocation_may_fail) {
  struct failing f = {.mem = {fail_realloc, fail_free, &f}};
  play(&f);
  cr_assert_eq(f.live, 0);
  size_t total = f.calls;
  for (size_t n = 1; n <= total; n++) {
    f.calls = 0;
    f.fail_at = n;
    play(&f);
    cr_assert_eq(f.live, 0, "allocation %zu of %zu leaked", n, total);
  }
}
