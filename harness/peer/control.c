#include "peer/control.h"

#include "peer/server_state.h"

#include <inttypes.h>

struct request {
  struct nova_server *s;
  struct nova_json_value whole;
  struct nova__account *account; /* NULL where the request names no device */
  struct nova_buf *out;
};

static int refuse(struct nova_buf *out, const char *why) {
  nova_buf_clear(out);
  return nova_buf_printf(out, "{\"ok\":false,\"error\":\"%s\"}\n", why);
}

static struct nova_json_value get(const struct request *r, const char *name) {
  return nova_json_get(r->whole, nova_view_of(name));
}

static int do_command(struct request *r) {
  struct nova_json_value name = get(r, "command"), params = get(r, "params");
  if (name.type != NOVA_JSON_STRING)
    return refuse(r->out, "command is to be a string");
  if (params.type == NOVA_JSON_NONE)
    params = (struct nova_json_value){NOVA_JSON_OBJECT, nova_view_of("{}")};
  if (params.type != NOVA_JSON_OBJECT)
    return refuse(r->out, "params are to be an object");
  struct nova_json_value transport = get(r, "transport");
  bool tcp = nova_json_string_is(transport, nova_view_of("tcp"));
  bool mqtt = nova_json_string_is(transport, nova_view_of("mqtt"));
  if (transport.type != NOVA_JSON_NONE && !tcp && !mqtt)
    return refuse(r->out, "transport is to be tcp or mqtt");
  char id[64] = "";
  int err =
      mqtt || (!tcp && r->account->newest == NULL)
          ? nova__mqtt_command(r->s, r->account, name.text, params.text)
          : nova__say_command(r->s, r->account, name.text, params.text, id);
  r->s->error = 0;
  if (err == NOVA_ERR_STATE)
    return refuse(r->out, mqtt ? "the device is not connected over MQTT, or "
                                 "did not subscribe to its command topic"
                               : "the device is not connected");
  if (err == NOVA_ERR_LIMIT)
    return refuse(r->out, "the command would be longer than 128 KB");
  if (err != 0)
    return err;
  if (id[0] == '\0')
    return nova_buf_puts(r->out, "{\"ok\":true}\n");
  return nova_buf_printf(r->out, "{\"ok\":true,\"command_id\":\"%s\"}\n", id);
}

/* The connections of a device whose credential has changed. */
static void end_sessions(struct request *r) {
  while (r->account->newest != NULL)
    nova__end(r->s, r->account->newest, NOVA__POST_CLOSE);
}

static int do_reset(struct request *r) {
  /* The answer first gets its memory: a new key that nobody was told would lock
   * the device out. */
  if (nova_buf_reserve(r->out, 256) == NULL)
    return NOVA_ERR_NO_MEMORY;
  nova__account_reset(r->s, r->account);
  if (NOVA__HAS(r->s, V_RESET_CLOSES))
    end_sessions(r);
  int err = nova_buf_puts(r->out, "{\"ok\":true,\"key\":");
  struct nova_view key = {r->account->key, r->account->key_n};
  if (err == 0)
    err = nova__put_string(r->out, key);
  return err != 0 ? err : nova_buf_puts(r->out, "}\n");
}

static int do_deactivate(struct request *r) {
  r->account->active = false;
  return nova_buf_puts(r->out, "{\"ok\":true}\n");
}

static int do_activate(struct request *r) {
  r->account->active = true;
  return nova_buf_puts(r->out, "{\"ok\":true}\n");
}

static int do_data(struct request *r) {
  struct nova_view values = nova_buf_view(&r->account->values);
  struct nova_view status = nova_buf_view(&r->account->status);
  if (values.n == 0)
    values = nova_view_of("{}");
  if (status.n == 0)
    status = nova_view_of("null");
  int err = nova_buf_puts(r->out, "{\"ok\":true,\"values\":");
  if (err == 0)
    err = nova_buf_append(r->out, values.p, values.n);
  if (err == 0)
    err = nova_buf_puts(r->out, ",\"status\":");
  if (err == 0)
    err = nova_buf_append(r->out, status.p, status.n);
  return err != 0 ? err : nova_buf_puts(r->out, "}\n");
}

/* |id|: NULL where nobody has logged in. */
static int put_connection(struct request *r, bool *first, uint64_t conn,
                          const struct nova_view *id, const char *transport) {
  int err = nova_buf_printf(
      r->out, "%s{\"connection\":%" PRIu64 ",\"device_id\":", *first ? "" : ",",
      conn);
  *first = false;
  if (err == 0)
    err = id != NULL ? nova__put_string(r->out, *id)
                     : nova_buf_puts(r->out, "null");
  return err != 0
             ? err
             : nova_buf_printf(r->out, ",\"transport\":\"%s\"}", transport);
}

static int do_connections(struct request *r) {
  bool first = true;
  int err =
      nova_buf_printf(r->out, "{\"ok\":true,\"count\":%zu,\"connections\":[",
                      nova_server_connections(r->s));
  for (struct nova__session *c = r->s->sessions; c != NULL && err == 0;
       c = c->next)
    err = put_connection(r, &first, c->conn,
                         c->account != NULL ? &c->account->id : NULL, "tcp");
  for (struct nova__mqtt *m = r->s->mqtt; m != NULL && err == 0; m = m->next)
    err =
        put_connection(r, &first, m->conn, m->id.n > 0 ? &m->id : NULL, "mqtt");
  return err != 0 ? err : nova_buf_puts(r->out, "]}\n");
}

static const struct action {
  const char *name;
  int (*run)(struct request *r);
  bool device; /* needs device_id */
} actions[] = {
    {"command", do_command, true},
    {"reset", do_reset, true},
    {"deactivate", do_deactivate, true},
    {"activate", do_activate, true},
    {"data", do_data, true},
    {"connections", do_connections, false},
};

static int handle(struct request *r) {
  struct nova_json_value what = get(r, "do"), id = get(r, "device_id");
  const struct action *action = NULL;
  for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
    if (nova_json_string_is(what, nova_view_of(actions[i].name)))
      action = &actions[i];
  if (action == NULL)
    return refuse(r->out, "do is to be command, reset, deactivate, activate, "
                          "data or connections");
  if (action->device) {
    char bytes[NOVA_DEVICE_ID_MAX];
    size_t n = nova_json_string(id, bytes, sizeof bytes);
    if (id.type == NOVA_JSON_STRING && n <= sizeof bytes)
      r->account = nova__account_find(r->s, (struct nova_view){bytes, n});
    if (r->account == NULL)
      return refuse(r->out, "device_id names no device");
  }
  return action->run(r);
}

int nova_server_control(struct nova_server *s, const char *line, size_t n,
                        nova_ts now, struct nova_buf *out) {
  struct nova_buf answer;
  nova_buf_init(&answer, s->mem,
                out->max - out->len > 0 ? out->max - out->len : 1);
  struct request r = {.s = s, .out = &answer};
  int err;
  if (!nova__settle(s, now))
    err = refuse(&answer, "the server has crashed");
  else if (nova_json_check(s->json, line, n, &r.whole, NULL) != 0 ||
           r.whole.type != NOVA_JSON_OBJECT || memchr(line, '\n', n) != NULL)
    err = refuse(&answer, "the request is not one JSON object");
  else
    err = handle(&r);
  if (err == NOVA_ERR_LIMIT)
    err = refuse(&answer, "the answer is too long");
  if (err == 0) {
    struct nova_view v = nova_buf_view(&answer);
    err = nova_buf_append(out, v.p, v.n);
  }
  nova_buf_free(&answer);
  return err;
}
