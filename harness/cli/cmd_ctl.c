/* `mock ctl`: a client of the reference server's control address
 * (peer/control.h), with the environment of a hook. */
#include "cli/commands.h"

#include "base/arena.h"
#include "codec/json.h"
#include "conversation/pattern.h"
#include "conversation/profile.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MOST ((size_t)8 << 20)
#define WAIT_S      10

/* Every failure: one line, status 1, as a hook reports it. */
#define FAIL(...) (nova_say(__VA_ARGS__), NOVA_EXIT_FAILED)

static const char *given(const struct nova_options *o, enum nova_option id,
                         const char *variable) {
  const char *v = nova_options_last(o, id);
  return v != NULL ? v : getenv(variable);
}

/* "mqtts" is MQTT to the control address: it is the same command. */
static int put_transport(const struct nova_options *o, struct nova_buf *out) {
  const char *transport = given(o, NOVA_OPT_TRANSPORT, "NOVA_TRANSPORT");
  if (transport == NULL || *transport == '\0')
    return 0;
  bool mqtt = strcmp(transport, "mqtt") == 0 || strcmp(transport, "mqtts") == 0;
  if (!mqtt && strcmp(transport, "tcp") != 0)
    return FAIL("mock ctl: the transport is tcp or mqtt, not %s", transport);
  return nova_buf_printf(out, ",\"transport\":\"%s\"", mqtt ? "mqtt" : "tcp") !=
                 0
             ? FAIL("mock ctl: out of memory")
             : 0;
}

static int compose(const struct nova_options *o, struct nova_buf *out) {
  const char *what = o->arg[0];
  static const char *const known[] = {"command", "reset", "deactivate",
                                      "activate", "data"};
  size_t i = 0;
  while (i < 5 && strcmp(known[i], what) != 0)
    i++;
  if (i == 5)
    return FAIL("mock ctl: expected command, reset, deactivate, activate or "
                "data, not %s",
                what);
  const char *id = given(o, NOVA_OPT_DEVICE_ID, "NOVA_DEVICE_ID");
  if (id == NULL || *id == '\0')
    return FAIL("mock ctl: which device? --device-id ID or NOVA_DEVICE_ID");
  int err = nova_buf_printf(out, "{\"do\":\"%s\",\"device_id\":", what);
  if (err == 0)
    err = nova_json_quote(out, id, strlen(id));
  if (err == 0 && i == 0) {
    const char *command = given(o, NOVA_OPT_COMMAND, "NOVA_COMMAND");
    const char *params = given(o, NOVA_OPT_PARAMS, "NOVA_PARAMS");
    if (command == NULL || *command == '\0')
      return FAIL("mock ctl: which command? --command NAME or NOVA_COMMAND");
    if (params == NULL || *params == '\0')
      params = "{}";
    struct nova_json *json = nova_json_new(NULL, 1 << 20, 1024);
    struct nova_json_value v = {0};
    bool good = json != NULL &&
                nova_json_check(json, params, strlen(params), &v, NULL) == 0 &&
                v.type == NOVA_JSON_OBJECT;
    nova_json_free(json);
    if (!good)
      return FAIL("mock ctl: the parameters are no JSON object");
    err = nova_buf_puts(out, ",\"command\":");
    if (err == 0)
      err = nova_json_quote(out, command, strlen(command));
    if (err == 0)
      err = nova_buf_puts(out, ",\"params\":");
    /* One request is one line. */
    for (const char *c = params; *c != '\0' && err == 0; c++)
      err = nova_buf_append(out, *c == '\n' || *c == '\r' ? " " : c, 1);
    int status = err == 0 ? put_transport(o, out) : 0;
    if (status != 0)
      return status;
  }
  if (err == 0)
    err = nova_buf_puts(out, "}\n");
  return err != 0 ? FAIL("mock ctl: out of memory") : 0;
}

static int dial(const char *text, int *fd) {
  struct nova_arena arena;
  nova_arena_init(&arena, NULL, 4096);
  struct nova_address a = {0};
  const char *why = NULL;
  if (nova_address_read(&arena, nova_view_of(text), 1, &a, &why) != 0) {
    nova_arena_free(&arena);
    return nova_wrong("--control %s: %s", text, why);
  }
  char port[8];
  snprintf(port, sizeof port, "%u", a.port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  int err = getaddrinfo(a.host, port, &hints, &list);
  int error = 0;
  *fd = -1;
  struct timeval wait = {.tv_sec = WAIT_S};
  for (struct addrinfo *i = list; i != NULL && *fd < 0; i = i->ai_next) {
    *fd = socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
      continue;
    setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(*fd, i->ai_addr, i->ai_addrlen) != 0) {
      error = errno;
      close(*fd);
      *fd = -1;
    }
  }
  if (list != NULL)
    freeaddrinfo(list);
  nova_arena_free(&arena);
  if (*fd >= 0)
    return 0;
  return FAIL("mock ctl: %s: %s", text,
              err != 0 ? gai_strerror(err) : strerror(error));
}

/* The answer's line. */
static int ask(int fd, struct nova_view request, struct nova_buf *answer) {
  while (request.n != 0) {
    ssize_t n = send(fd, request.p, request.n, MSG_NOSIGNAL);
    if (n <= 0)
      return FAIL("mock ctl: sending: %s", strerror(errno));
    request.p += n;
    request.n -= (size_t)n;
  }
  for (;;) {
    char piece[65536];
    ssize_t n = recv(fd, piece, sizeof piece, 0);
    if (n < 0)
      return FAIL("mock ctl: no answer: %s", strerror(errno));
    if (n == 0)
      return FAIL("mock ctl: the server closed without an answer");
    char *lf = memchr(piece, '\n', (size_t)n);
    size_t take = lf != NULL ? (size_t)(lf - piece) : (size_t)n;
    if (nova_buf_append(answer, piece, take) != 0)
      return FAIL("mock ctl: the answer is too long");
    if (lf != NULL)
      return 0;
  }
}

/* A JSON string's text. */
static int text_of(struct nova_json_value v, struct nova_buf *out) {
  size_t n = nova_json_string(v, NULL, 0);
  char *room = nova_buf_reserve(out, n + 1);
  if (room == NULL)
    return -1;
  nova_json_string(v, room, n);
  nova_buf_commit(out, n);
  return 0;
}

static int show(const char *what, struct nova_view answer) {
  struct nova_json *json = nova_json_new(NULL, ANSWER_MOST, 1024);
  struct nova_json_value v = {0};
  struct nova_buf out;
  nova_buf_init(&out, NULL, ANSWER_MOST);
  int status = 0;
  if (json == NULL ||
      nova_json_check(json, answer.p, answer.n, &v, NULL) != 0 ||
      v.type != NOVA_JSON_OBJECT) {
    status = FAIL("mock ctl: the answer is no JSON object");
  } else if (nova_json_get(v, nova_view_of("ok")).type != NOVA_JSON_TRUE) {
    struct nova_json_value error = nova_json_get(v, nova_view_of("error"));
    if (error.type == NOVA_JSON_STRING)
      (void)text_of(error, &out);
    status = FAIL("mock ctl: %.*s", (int)out.len,
                  out.len != 0 ? out.data + out.head : "the server refused");
  } else if (strcmp(what, "reset") == 0) {
    struct nova_json_value key = nova_json_get(v, nova_view_of("key"));
    if (key.type != NOVA_JSON_STRING || text_of(key, &out) != 0 ||
        nova_buf_puts(&out, "\n") != 0)
      status = FAIL("mock ctl: the answer has no key");
    else
      status = nova_put(out.data + out.head, out.len);
  } else if (strcmp(what, "data") == 0) {
    struct nova_json_value data = nova_json_get(v, nova_view_of("values"));
    if (data.type != NOVA_JSON_OBJECT ||
        nova_buf_append(&out, data.text.p, data.text.n) != 0 ||
        nova_buf_puts(&out, "\n") != 0)
      status = FAIL("mock ctl: the answer has no values");
    else
      status = nova_put(out.data + out.head, out.len);
  }
  nova_buf_free(&out);
  nova_json_free(json);
  return status;
}

int nova_cmd_mock_ctl(const struct nova_options *o) {
  const char *control = nova_options_last(o, NOVA_OPT_CONTROL);
  if (control == NULL)
    return nova_wrong("mock ctl: where? --control HOST:PORT, as the server "
                      "printed it");
  struct nova_buf request, answer;
  nova_buf_init(&request, NULL, ANSWER_MOST);
  nova_buf_init(&answer, NULL, ANSWER_MOST);
  int fd = -1;
  int status = compose(o, &request);
  if (status == 0)
    status = dial(control, &fd);
  if (status == 0)
    status = ask(fd, nova_buf_view(&request), &answer);
  if (status == 0)
    status = show(o->arg[0], nova_buf_view(&answer));
  if (fd >= 0)
    close(fd);
  nova_buf_free(&request);
  nova_buf_free(&answer);
  return status;
}
