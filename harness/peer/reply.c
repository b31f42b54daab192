/* Messages to bytes: guide 3.1 to 3.4. Members are written one by one, in the
 * order of the guide, because the faults are about single members; without a
 * fault the bytes are those of nova_msg_encode(), which a test holds it to. */
#include "peer/server_state.h"

#include "base/unreachable.h"

#include <inttypes.h>
#include <stdio.h>

/* How a timestamp is written. */
enum time_style {
  SECONDS, /* as the guide says */
  MILLISECONDS,
  STRING,
  FRACTION,
  UPTIME,
  LOCAL_TIME,
  ABSENT,
};

/* --- members ---------------------------------------------------------------
 */

static void note(struct nova_server *s, int err) {
  if (err != 0 && s->error == 0)
    s->error = err;
}

/* Begins a member: a comma unless it is the first, its name, a colon. */
static void put_name(struct nova_server *s, const char *name) {
  struct nova_view v = nova_buf_view(&s->text);
  bool first = v.n > 0 && v.p[v.n - 1] == '{';
  note(s, nova_buf_printf(&s->text, "%s\"%s\":", first ? "" : ",", name));
}

static void put_text(struct nova_server *s, const char *name, const char *v) {
  put_name(s, name);
  note(s, nova__put_string(&s->text, nova_view_of(v)));
}

/* A member whose value is JSON already. */
static void put_json(struct nova_server *s, const char *name,
                     struct nova_view v) {
  put_name(s, name);
  note(s, nova_buf_append(&s->text, v.p, v.n));
}

static uint64_t unix_seconds(const struct nova_server *s) {
  return (s->options.unix_base + s->now) / NOVA_SEC;
}

static void put_time(struct nova_server *s, enum time_style style) {
  uint64_t t = unix_seconds(s);
  uint64_t ms = (s->options.unix_base + s->now) / NOVA_MS;
  if (NOVA__HAS(s, V_CLOCK_AHEAD))
    t += 290;
  else if (NOVA__HAS(s, V_CLOCK_BEHIND) && t > 290)
    t -= 290;
  if (style == ABSENT)
    return;
  put_name(s, "timestamp");
  switch (style) {
  case SECONDS: note(s, nova_buf_printf(&s->text, "%" PRIu64, t)); return;
  case MILLISECONDS: note(s, nova_buf_printf(&s->text, "%" PRIu64, ms)); return;
  case STRING: note(s, nova_buf_printf(&s->text, "\"%" PRIu64 "\"", t)); return;
  case FRACTION:
    note(s, nova_buf_printf(&s->text, "%" PRIu64 ".%03" PRIu64, t, ms % 1000));
    return;
  case UPTIME:
    note(s, nova_buf_printf(&s->text, "%" PRIu64, s->now / NOVA_SEC));
    return;
  case LOCAL_TIME:
    note(s, nova_buf_printf(&s->text, "%" PRIu64, t + UINT64_C(8) * 3600));
    return;
  case ABSENT: break;
  }
  nova_unreachable();
}

/* --- whole messages --------------------------------------------------------
 */

static void begin(struct nova_server *s) {
  nova_buf_clear(&s->text);
  note(s, nova_buf_puts(&s->text, "{"));
}

/* SINGLE_QUOTES */
static int quote_single(struct nova_buf *b, struct nova_view v) {
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0; i++)
    err = nova_buf_append(b, v.p[i] == '"' ? "'" : &v.p[i], 1);
  return err;
}

/* Sends the message in |s->text| on |c|, which is where the faults of the
 * output layer sit. */
static void post_text(struct nova_server *s, struct nova__session *c,
                      const struct nova__how *how) {
  struct nova_buf line;
  struct nova_view v = nova_buf_view(&s->text);
  nova_buf_init(&line, s->mem, s->text.max);
  if (!c->began && NOVA__HAS(s, BOM_FIRST))
    note(s, nova_buf_puts(&line, "\xef\xbb\xbf"));
  if (c->owes_line_feed)
    note(s, nova_buf_puts(&line, "\n"));
  if (NOVA__HAS(s, PRETTY_PRINTED))
    note(s, nova__put_indented(&line, v));
  else if (NOVA__HAS(s, SINGLE_QUOTES))
    note(s, quote_single(&line, v));
  else
    note(s, nova__restyle(s, &line, v));
  if (NOVA__HAS(s, V_CRLF))
    note(s, nova_buf_puts(&line, "\r"));
  if (NOVA__HAS(s, MISSING_LINE_FEED))
    c->owes_line_feed = true;
  else
    note(s, nova_buf_puts(&line, "\n"));
  if (NOVA__HAS(s, EMPTY_LINE_AFTER))
    note(s, nova_buf_puts(&line, "\n"));
  if (NOVA__HAS(s, NUL_AFTER))
    note(s, nova_buf_append(&line, "", 1));
  c->began = true;
  v = nova_buf_view(&line);
  if (s->error == 0)
    nova__post(s, c, v.p, v.n, how);
  else if (c->state != NOVA__ENDED)
    nova__end(s, c, NOVA__POST_RESET);
  nova_buf_free(&line);
}

/* --- auth_result: guide 3.2 ------------------------------------------------
 */

static enum time_style auth_result_time(const struct nova_server *s) {
  if (NOVA__HAS(s, RESULT_NO_TIME))
    return ABSENT;
  if (NOVA__HAS(s, RESULT_TIME_MS))
    return MILLISECONDS;
  return NOVA__HAS(s, RESULT_TIME_STRING) ? STRING : SECONDS;
}

static void put_result(struct nova_server *s, bool success) {
  if (success && NOVA__HAS(s, RESULT_BOOLEAN))
    put_json(s, "result", nova_view_of("true"));
  else if (success)
    put_text(s, "result", NOVA__HAS(s, RESULT_OK) ? "ok" : "success");
  else
    put_text(s, "result", NOVA__HAS(s, RESULT_ERROR) ? "error" : "failed");
}

static void put_message(struct nova_server *s, bool success,
                        const char *message) {
  if (NOVA__HAS(s, RESULT_NO_MESSAGE) ||
      (!success && NOVA__HAS(s, FAILED_NO_MESSAGE)))
    return;
  if (NOVA__HAS(s, RESULT_MESSAGE_NULL))
    put_json(s, "message", nova_view_of("null"));
  else if (success && NOVA__HAS(s, LATIN1_MESSAGE))
    put_json(s, "message", nova_view_of("\"Authentifi\xe9\""));
  else if (!success && NOVA__HAS(s, RAW_TAB))
    put_json(s, "message", nova_view_of("\"refused:\tunknown\""));
  else
    put_text(s, "message", NOVA__HAS(s, V_EMPTY_TEXT) ? "" : message);
}

void nova__say_auth_result(struct nova_server *s, struct nova__session *c,
                           bool success, const char *message,
                           const struct nova__how *how) {
  begin(s);
  if (!success || !NOVA__HAS(s, RESULT_NO_TYPE))
    put_text(s, "type", "auth_result");
  put_result(s, success);
  put_message(s, success, message);
  put_time(s, auth_result_time(s));
  note(s, nova_buf_puts(&s->text, "}"));
  post_text(s, c, how);
}

/* --- pong: guide 3.4 -------------------------------------------------------
 */

static enum time_style pong_time(const struct nova_server *s) {
  if (NOVA__HAS(s, PONG_NO_TIME))
    return ABSENT;
  if (NOVA__HAS(s, PONG_TIME_MS))
    return MILLISECONDS;
  if (NOVA__HAS(s, PONG_TIME_STRING))
    return STRING;
  if (NOVA__HAS(s, PONG_TIME_FRACTION))
    return FRACTION;
  if (NOVA__HAS(s, PONG_TIME_UPTIME))
    return UPTIME;
  return NOVA__HAS(s, PONG_TIME_LOCAL) ? LOCAL_TIME : SECONDS;
}

void nova__say_pong(struct nova_server *s, struct nova__session *c) {
  struct nova__how how = {.late =
                              NOVA__HAS(s, PONG_LATE) ? s->options.late : 0};
  begin(s);
  put_text(s, "type", NOVA__HAS(s, PONG_CAPITALS) ? "PONG" : "pong");
  put_time(s, pong_time(s));
  if (NOVA__HAS(s, NAN_IN_MESSAGE))
    put_json(s, "load", nova_view_of("NaN"));
  if (NOVA__HAS(s, TRAILING_COMMA))
    note(s, nova_buf_puts(&s->text, ","));
  note(s, nova_buf_puts(&s->text, "}"));
  if (NOVA__HAS(s, TWO_OBJECTS_PER_LINE))
    note(s,
         nova_buf_append(&s->joined, s->text.data + s->text.head, s->text.len));
  else
    post_text(s, c, &how);
}

void nova__flush_joined(struct nova_server *s, struct nova__session *c) {
  if (s->joined.len == 0)
    return;
  nova_buf_clear(&s->text);
  note(s, nova_buf_append(&s->text, s->joined.data + s->joined.head,
                          s->joined.len));
  nova_buf_clear(&s->joined);
  if (c->state != NOVA__ENDED)
    post_text(s, c, &(struct nova__how){0});
}

/* --- command: guide 3.3 ----------------------------------------------------
 */

/* PARAMS_ROUNDED: no number keeps a fraction or an exponent. */
static int round_numbers(struct nova_buf *b, struct nova_view v) {
  bool string = false, cut = false;
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0; i++) {
    char ch = v.p[i];
    bool digit = ch >= '0' && ch <= '9';
    bool after_digit = i > 0 && v.p[i - 1] >= '0' && v.p[i - 1] <= '9';
    if (!string && after_digit && (ch == '.' || ch == 'e' || ch == 'E'))
      cut = true;
    else if (!digit && ch != '+' && ch != '-' && ch != 'e' && ch != 'E')
      cut = false;
    if (!cut)
      err = nova_buf_append(b, &ch, 1);
    if (string && ch == '\\' && i + 1 < v.n && err == 0)
      err = nova_buf_append(b, &v.p[++i], 1);
    else if (ch == '"')
      string = !string;
  }
  return err;
}

/* PARAMS_ASCII */
static int keep_ascii(struct nova_buf *b, struct nova_view v) {
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0; i++)
    err = nova_buf_append(b, (unsigned char)v.p[i] < 0x80 ? &v.p[i] : "?", 1);
  return err;
}

static void put_params(struct nova_server *s, struct nova_view params) {
  if (NOVA__HAS(s, COMMAND_NO_PARAMS))
    return;
  put_name(s, "params");
  if (NOVA__HAS(s, PARAMS_STRING))
    note(s, nova__put_string(&s->text, params));
  else if (NOVA__HAS(s, PARAMS_ROUNDED))
    note(s, round_numbers(&s->text, params));
  else if (NOVA__HAS(s, PARAMS_ASCII))
    note(s, keep_ascii(&s->text, params));
  else if (NOVA__HAS(s, V_NUMBERS_REWRITTEN))
    note(s, nova__put_exponents(&s->text, params));
  else
    note(s, nova_buf_append(&s->text, params.p, params.n));
}

/* "cmd-" as in the guide's example, a number of this server's, and something
 * that tells it from other servers and earlier runs. */
static void make_command_id(struct nova_server *s, char *id) {
  uint64_t n = ++s->commands;
  if (NOVA__HAS(s, COMMAND_ID_CONSTANT))
    snprintf(id, 64, "cmd-12345");
  else if (NOVA__HAS(s, COMMAND_ID_SECONDS))
    snprintf(id, 64, "cmd-%" PRIu64, unix_seconds(s));
  else if (NOVA__HAS(s, COMMAND_ID_NUMBER))
    snprintf(id, 64, "%" PRIu64, n);
  else
    snprintf(id, 64, "cmd-%" PRIu64 "-%08" PRIx64, n,
             nova_rng_next(&s->rng) & UINT64_C(0xffffffff));
}

/* Some 200 characters that have to be escaped, or that a careless reader cuts.
 */
static void put_odd_id(struct nova_server *s, const char *id) {
  char odd[256];
  snprintf(odd, sizeof odd,
           "%s \"quoted\" back\\slash \xe5\x91\xbd\xe4\xbb\xa4 "
           "%0140d",
           id, 0);
  put_text(s, "command_id", odd);
}

static void put_command_id(struct nova_server *s, const char *id) {
  if (NOVA__HAS(s, COMMAND_NO_ID))
    return;
  if (NOVA__HAS(s, COMMAND_ID_NUMBER))
    put_json(s, "command_id", nova_view_of(id));
  else if (NOVA__HAS(s, V_IDS_ODD))
    put_odd_id(s, id);
  else
    put_text(s, "command_id", id);
}

/* Sends the command in |s->text| to whoever is to get it. */
static int deliver(struct nova_server *s, struct nova__session *to) {
  struct nova__how how = {.late =
                              NOVA__HAS(s, COMMAND_LATE) ? s->options.late : 0};
  if (NOVA__HAS(s, COMMAND_LOST))
    return 0;
  if (NOVA__HAS(s, COMMAND_TO_ALL)) {
    for (struct nova__session *c = s->sessions; c != NULL; c = c->next)
      if (c->state == NOVA__SERVED)
        post_text(s, c, &how);
    return s->error;
  }
  if (NOVA__HAS(s, COMMAND_TO_LATEST) && s->latest != NULL)
    to = s->latest;
  post_text(s, to, &how);
  if (s->error != 0)
    return s->error;
  return to->state == NOVA__ENDED ? NOVA_ERR_STATE : 0;
}

int nova__say_command(struct nova_server *s, struct nova__account *a,
                      struct nova_view name, struct nova_view params,
                      char *command_id) {
  struct nova__session *to = a->newest;
  if (to == NULL)
    return NOVA_ERR_STATE;
  make_command_id(s, command_id);
  begin(s);
  put_text(s, "type", "command");
  put_command_id(s, command_id);
  if (!NOVA__HAS(s, COMMAND_NO_DEVICE)) {
    put_name(s, "device_id");
    note(s, nova__put_string(&s->text, a->id));
  }
  if (NOVA__HAS(s, COMMAND_TIME_MS))
    put_time(s, MILLISECONDS);
  else
    put_time(s, NOVA__HAS(s, COMMAND_TIME_STRING) ? STRING : SECONDS);
  put_json(s, "command", name);
  put_params(s, params);
  note(s, nova_buf_puts(&s->text, "}"));
  if (s->error != 0)
    return s->error;
  /* With its line feed no longer than 128 KB: the stricter reading of 3.1,
   * which every device has to accept. */
  return s->text.len + 1 > NOVA_LINE_LIMIT ? NOVA_ERR_LIMIT : deliver(s, to);
}

/* --- what only variants say ------------------------------------------------
 */

void nova__say_other(struct nova_server *s, struct nova__session *c,
                     const char *type, const char *message,
                     const struct nova__how *how) {
  begin(s);
  put_text(s, "type", type);
  if (message != NULL)
    put_text(s, "message", message);
  put_time(s, SECONDS);
  note(s, nova_buf_puts(&s->text, "}"));
  post_text(s, c, how);
}

void nova__chat(struct nova_server *s, struct nova__session *c) {
  static const struct nova__how now = {0};
  nova_ts again = 0;
  s->error = 0;
  if (NOVA__HAS(s, V_NOTICES)) {
    again = 3 * NOVA_SEC;
    nova__say_other(s, c, "notice", "maintenance at night", &now);
  } else if (NOVA__HAS(s, V_OWN_PINGS)) {
    again = 5 * NOVA_SEC;
    nova__say_other(s, c, c->said++ % 2 == 0 ? "ping" : "heartbeat", NULL,
                    &now);
  } else if (NOVA__HAS(s, V_OWN_COMMANDS)) {
    char id[64];
    again = 2 * NOVA_SEC;
    if (c->account != NULL && c->account->newest == c)
      (void)nova__say_command(s, c->account, nova_view_of("\"sync_clock\""),
                              nova_view_of("{\"relay1\":\"ON\"}"), id);
  }
  if (again > 0 && c->state == NOVA__SERVED)
    nova__timer_set(&s->chat, &c->chat, nova_ts_add(s->now, again));
  else
    nova__timer_stop(&c->chat);
}
