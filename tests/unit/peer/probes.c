#include "probes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* The profile's defaults. */
#define RESPONSE_TIMEOUT (5 * NOVA_SEC)
#define AUTH_TIMEOUT     (10 * NOVA_SEC)
#define IDLE_TIMEOUT     (180 * NOVA_SEC)

/* One run of a probe against a fresh server. */
struct probe {
  struct rig r;
  struct tally *t;
};

bool tally_has(const struct tally *t, struct nova_view id) {
  for (size_t i = 0; i < t->n; i++)
    if (nova_view_is(id, t->failed[i]))
      return true;
  return false;
}

static void fail(struct probe *p, const char *id) {
  if (tally_has(p->t, nova_view_of(id)))
    return;
  cr_assert_lt(p->t->n, sizeof p->t->failed / sizeof *p->t->failed);
  p->t->failed[p->t->n++] = id;
}

/* --- rules: judged on everything that the server sends ---------------------
 */

static bool near_now(const struct probe *p, int64_t t) {
  int64_t now = RIG_UNIX + (int64_t)(p->r.now / NOVA_SEC);
  return t >= now - 300 && t <= now + 300;
}

static void judge_line(struct probe *p) {
  const struct nova_msg *m = &p->r.msg;
  bool clean = m->defects == 0;
  if (m->whole.type != NOVA_JSON_OBJECT)
    fail(p, "TCP-FRAME-01");
  else if (m->kind == NOVA_MSG_AUTH_RESULT &&
           !(clean && near_now(p, m->u.auth_result.timestamp)))
    fail(p, "TCP-AUTH-05");
  else if (m->type.type == NOVA_JSON_NONE &&
           nova_json_get(m->whole, nova_view_of("result")).type !=
               NOVA_JSON_NONE)
    fail(p, "TCP-AUTH-05");
  else if (m->kind == NOVA_MSG_PONG &&
           !(clean && near_now(p, m->u.pong.timestamp)))
    fail(p, "TCP-HB-04");
  else if (m->kind == NOVA_MSG_COMMAND &&
           !(clean && near_now(p, m->u.command.timestamp)))
    fail(p, "TCP-CMD-01");
}

/* The next line that is not empty: an empty one is charged and hides nothing.
 */
static enum rig_got await(struct probe *p, size_t c, nova_ts span) {
  enum rig_got got;
  do {
    got = rig_await(&p->r, c, span);
    if (got == RIG_LINE)
      judge_line(p);
  } while (got == RIG_LINE && p->r.line.len == 0);
  return got;
}

/* Reads what is left and judges the end of the probe. */
static void finish(struct probe *p) {
  for (size_t c = 0; c < p->r.conns; c++) {
    while (await(p, c, 0) == RIG_LINE)
      continue;
    const struct rig_conn *conn = &p->r.conn[c];
    if (conn->in.len > 0 && !conn->closed)
      rig_run(&p->r, p->r.now + 2 * IDLE_TIMEOUT);
    if (conn->closed && !conn->reset && conn->in.len > 0)
      fail(p, "TCP-FRAME-01");
  }
  if (p->r.crashed)
    fail(p, "TCP-FRAME-07");
  rig_stop(&p->r);
}

/* --- steps -----------------------------------------------------------------
 */

static bool is_result(const struct probe *p, const char *result) {
  const struct nova_msg *m = &p->r.msg;
  return m->kind == NOVA_MSG_AUTH_RESULT &&
         nova_string_is(m->u.auth_result.result, nova_view_of(result));
}

static bool is_pong(const struct probe *p) {
  return p->r.msg.kind == NOVA_MSG_PONG;
}

static bool login_as(struct probe *p, size_t c, const char *auth) {
  rig_say(&p->r, c, auth);
  return await(p, c, RESPONSE_TIMEOUT) == RIG_LINE && is_result(p, "success");
}

/* A plain ping: whether it is answered. */
static bool pings(struct probe *p, size_t c, const char *ping) {
  while (await(p, c, 0) == RIG_LINE)
    continue;
  rig_say(&p->r, c, ping);
  bool answered = await(p, c, RESPONSE_TIMEOUT) == RIG_LINE && is_pong(p);
  while (await(p, c, 0) == RIG_LINE)
    continue;
  return answered;
}

/* A connection that has authenticated as A and whose plain ping is answered;
 * false: the rest of the probe is inconclusive. */
static bool ready(struct probe *p, size_t *c) {
  *c = rig_accept(&p->r);
  return login_as(p, *c, AUTH(ID_A, KEY_A)) && pings(p, *c, PING(ID_A));
}

static bool ended(const struct probe *p, size_t c) {
  return p->r.conn[c].closed;
}

/* --- framing ---------------------------------------------------------------
 */

static void expect_pongs(struct probe *p, size_t c, int n, const char *id) {
  for (int i = 0; i < n; i++)
    if (await(p, c, RESPONSE_TIMEOUT) != RIG_LINE || !is_pong(p))
      fail(p, id);
}

static void joined_with_auth(struct probe *p) {
  size_t other;
  if (!ready(p, &other))
    return;
  size_t c = rig_accept(&p->r);
  rig_say(&p->r, c, AUTH(ID_A, KEY_A) PING(ID_A) PING(ID_A) PING(ID_A));
  if (await(p, c, RESPONSE_TIMEOUT) != RIG_LINE || !is_result(p, "success"))
    fail(p, "TCP-FRAME-03");
  else
    expect_pongs(p, c, 3, "TCP-FRAME-03");
}

static void joined_pings(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  rig_say(&p->r, c, PING(ID_A) PING(ID_A) PING(ID_A));
  expect_pongs(p, c, 3, "TCP-FRAME-03");
}

static void one_byte_a_segment(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  static const char ping[] = PING(ID_A);
  for (size_t i = 0; i < sizeof ping - 1; i++)
    rig_feed(&p->r, c, ping + i, 1);
  expect_pongs(p, c, 1, "TCP-FRAME-04");
}

static void split_character(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  rig_say(&p->r, c, "{\"type\":\"ping\",\"note\":\"\xc3");
  rig_say(&p->r, c, "\xa9\",\"device_id\":\"" ID_A "\",\"timestamp\":1}\n");
  expect_pongs(p, c, 1, "TCP-FRAME-04");
}

/* A ping of |n| bytes before its line feed, the white space before (0), inside
 * (1) or after (2) the object. */
static void say_padded(struct probe *p, size_t c, size_t n, int where) {
  static const char head[] = "{\"type\":\"ping\",";
  static const char rest[] =
      "\"device_id\":\"" ID_A "\",\"timestamp\":1700000000}";
  size_t pad = n - (sizeof head - 1) - (sizeof rest - 1);
  char *line = malloc(n + 1), *at = line;
  cr_assert_not_null(line);
  memset(line, ' ', n);
  at += where == 0 ? pad : 0;
  memcpy(at, head, sizeof head - 1);
  at += sizeof head - 1 + (where == 1 ? pad : 0);
  memcpy(at, rest, sizeof rest - 1);
  line[n] = '\n';
  for (size_t i = 0; i <= n; i += 65536)
    rig_feed(&p->r, c, line + i, n + 1 - i < 65536 ? n + 1 - i : 65536);
  free(line);
}

static void long_messages(struct probe *p) {
  static const size_t sizes[] = {65536, 131071, 131072};
  size_t c;
  if (!ready(p, &c))
    return;
  for (size_t i = 0; i < 3; i++) {
    say_padded(p, c, sizes[i] - 1, 1);
    expect_pongs(p, c, 1, "TCP-FRAME-05");
  }
}

static void too_long_messages(struct probe *p) {
  for (int i = 0; i < 6; i++) {
    size_t c;
    if (!ready(p, &c))
      return;
    say_padded(p, c, i % 2 == 0 ? 131073 : 262144, i / 2);
    while (await(p, c, RESPONSE_TIMEOUT) == RIG_LINE)
      if (is_pong(p))
        fail(p, "TCP-FRAME-06");
  }
}

static void extra_field(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  rig_say(&p->r, c,
          "{\"type\":\"ping\",\"device_id\":\"" ID_A
          "\",\"timestamp\":1,\"extra\":{\"a\":[1]}}\n");
  expect_pongs(p, c, 1, "TCP-FRAME-13");
}

/* Sends the |which|-th bad input; false where there is none. */
static bool say_bad(struct probe *p, size_t c, int which) {
  enum { BLOCK = 50000 };
  char block[BLOCK];
  switch (which) {
  case 0:
    memset(block, 'x', BLOCK);
    for (int i = 0; i < 21; i++)
      rig_feed(&p->r, c, block, BLOCK);
    return true;
  case 1: rig_say(&p->r, c, "{\"type\":\"ping\",\n"); return true;
  case 2: rig_say(&p->r, c, "{\"type\":\"\xff\"}\n"); return true;
  case 3: rig_say(&p->r, c, "[1,2]\n"); return true;
  case 4:
    memset(block, '[', BLOCK);
    rig_feed(&p->r, c, block, BLOCK);
    rig_feed(&p->r, c, block, BLOCK);
    rig_say(&p->r, c, "\n");
    return true;
  case 5: rig_feed(&p->r, c, "\0\0\0\n", 4); return true;
  case 6: rig_say(&p->r, c, "\n"); return true;
  default: return false;
  }
}

static void others_are_served(struct probe *p, int which, bool authenticated) {
  size_t other;
  if (!ready(p, &other))
    return;
  size_t c = rig_accept(&p->r);
  if (authenticated && !login_as(p, c, AUTH(ID_B, KEY_B)))
    return;
  (void)say_bad(p, c, which);
  if (!pings(p, other, PING(ID_A)))
    fail(p, "TCP-FRAME-07");
  c = rig_accept(&p->r);
  if (!login_as(p, c, AUTH(ID_B, KEY_B)) || !pings(p, other, PING(ID_A)))
    fail(p, "TCP-FRAME-07");
}

/* --- authentication --------------------------------------------------------
 */

static void valid_auth(struct probe *p) {
  size_t c = rig_accept(&p->r);
  rig_say(&p->r, c, AUTH(ID_A, KEY_A));
  enum rig_got got = await(p, c, RESPONSE_TIMEOUT);
  if (p->r.bad_line || p->r.conn[c].in.len > 0)
    return;
  if (got != RIG_LINE || !is_result(p, "success"))
    fail(p, "TCP-AUTH-04");
  else if (!pings(p, c, PING(ID_A)) && ended(p, c))
    fail(p, "TCP-AUTH-04");
}

static void expect_failed(struct probe *p, const char *auth, const char *id) {
  size_t other, c;
  if (!ready(p, &other))
    return;
  c = rig_accept(&p->r);
  rig_say(&p->r, c, auth);
  enum rig_got got = await(p, c, RESPONSE_TIMEOUT);
  if (!p->r.bad_line && (got != RIG_LINE || !is_result(p, "failed")))
    fail(p, id);
}

static const char *const wrong_keys[] = {
    AUTH(ID_A, "wrong"),
    AUTH(ID_A, ""),
    AUTH(ID_A, "kEy-one-012345678X"),
    AUTH(ID_A, "KEY-ONE-0123456789"),
    AUTH(ID_A, "kEy-one-012"),
    AUTH(ID_A, KEY_A "x"),
    AUTH(ID_A, KEY_A "\\u0000"),
};

static const char *const unknown_ids[] = {
    AUTH("DEV-999999", KEY_A),
    AUTH("dev-000001", KEY_A),
};

static void closes_after_failed(struct probe *p) {
  size_t other, c;
  if (!ready(p, &other))
    return;
  c = rig_accept(&p->r);
  rig_say(&p->r, c, AUTH(ID_A, "wrong"));
  if (await(p, c, RESPONSE_TIMEOUT) != RIG_LINE || !is_result(p, "failed"))
    return;
  rig_say(&p->r, c, PING(ID_A));
  enum rig_got got;
  while ((got = await(p, c, 2 * NOVA_SEC)) == RIG_LINE)
    fail(p, "TCP-AUTH-08");
  if (got != RIG_ENDED)
    fail(p, "TCP-AUTH-08");
}

static void silent_before_auth(struct probe *p) {
  size_t c = rig_accept(&p->r);
  rig_run(&p->r, AUTH_TIMEOUT + NOVA_SEC);
  if (!ended(p, c))
    fail(p, "TCP-AUTH-09");
  else if (p->r.conn[c].ended < AUTH_TIMEOUT)
    fail(p, "TCP-AUTH-10");
}

static void auth_late_in_time(struct probe *p) {
  size_t other;
  if (!ready(p, &other))
    return;
  nova_ts from = p->r.now;
  size_t c = rig_accept(&p->r);
  rig_run(&p->r, from + AUTH_TIMEOUT / 10 * 9);
  if (!login_as(p, c, AUTH(ID_A, KEY_A)))
    fail(p, "TCP-AUTH-10");
}

static void trickling_auth(struct probe *p) {
  static const char auth[] = AUTH(ID_A, KEY_A);
  size_t c = rig_accept(&p->r);
  for (size_t i = 0; i <= 10; i++) {
    rig_feed(&p->r, c, auth + i, 1);
    rig_run(&p->r, (i + 1) * NOVA_SEC);
  }
  if (!ended(p, c))
    fail(p, "TCP-AUTH-11");
}

#define PART(id, rest)                                                         \
  "{\"type\":\"auth\",\"device_id\":" id ",\"device_key\":" rest "}\n"
#define QUOTED(s) "\"" s "\""

static const char *const malformed_auths[] = {
    "{\"type\":\"auth\",\"device_id\":\"" ID_A "\"}\n",
    "{\"type\":\"auth\",\"device_key\":\"" KEY_A "\"}\n",
    PART(QUOTED(ID_A), "123456"),
    PART(QUOTED(ID_A), "true"),
    PART(QUOTED(ID_A), "null"),
    PART(QUOTED(ID_A), "[\"" KEY_A "\"]"),
    PART("1", QUOTED(KEY_A)),
    "[{\"type\":\"auth\",\"device_id\":\"" ID_A "\",\"device_key\":\"" KEY_A
    "\"}]\n",
    "type=auth&device_id=" ID_A "\n",
};

static void malformed_auth(struct probe *p, const char *auth) {
  size_t other;
  if (!ready(p, &other))
    return;
  nova_ts from = p->r.now;
  size_t c = rig_accept(&p->r);
  rig_say(&p->r, c, auth);
  enum rig_got got = await(p, c, AUTH_TIMEOUT + NOVA_SEC);
  if (p->r.bad_line)
    return;
  if (got == RIG_LINE && is_result(p, "success")) {
    fail(p, "TCP-AUTH-12");
    return;
  }
  if (got == RIG_LINE)
    rig_run(&p->r, p->r.now + 2 * NOVA_SEC);
  else
    rig_run(&p->r, from + AUTH_TIMEOUT + NOVA_SEC);
  if (!ended(p, c))
    fail(p, "TCP-AUTH-12");
}

/* --- identity --------------------------------------------------------------
 */

static bool data_holds(struct probe *p, const char *id, const char *part) {
  char request[128];
  snprintf(request, sizeof request, "{\"do\":\"data\",\"device_id\":\"%s\"}",
           id);
  return strstr(rig_control(&p->r, request), part) != NULL;
}

static void nothing_before_auth(struct probe *p) {
  size_t other, c;
  if (!ready(p, &other))
    return;
  c = rig_accept(&p->r);
  rig_say(&p->r, c, PING(ID_A));
  while (await(p, c, RESPONSE_TIMEOUT) == RIG_LINE)
    if (is_pong(p))
      fail(p, "ID-01");
  c = rig_accept(&p->r);
  rig_say(&p->r, c, DATA(ID_A, "{\"secret\":1}"));
  rig_say(&p->r, c, PING(ID_A));
  while (await(p, c, RESPONSE_TIMEOUT) == RIG_LINE)
    if (is_pong(p))
      fail(p, "ID-01");
  if (data_holds(p, ID_A, "secret"))
    fail(p, "ID-01");
}

static void key_reset(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  const char *answer =
      rig_control(&p->r, "{\"do\":\"reset\",\"device_id\":\"" ID_A "\"}");
  char key[64];
  cr_assert_eq(sscanf(answer, "{\"ok\":true,\"key\":\"%63[^\"]\"}", key), 1);
  c = rig_accept(&p->r);
  if (login_as(p, c, AUTH(ID_A, KEY_A)))
    fail(p, "ID-03");
  char auth[256];
  snprintf(auth, sizeof auth, AUTH(ID_A, "%s"), key);
  c = rig_accept(&p->r);
  if (!login_as(p, c, auth))
    fail(p, "ID-03");
}

static void deactivated(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  (void)rig_control(&p->r,
                    "{\"do\":\"deactivate\",\"device_id\":\"" ID_A "\"}");
  c = rig_accept(&p->r);
  if (login_as(p, c, AUTH(ID_A, KEY_A)))
    fail(p, "ID-04");
}

/* --- heartbeat -------------------------------------------------------------
 */

static void each_ping_one_pong(struct probe *p) {
  size_t c = rig_accept(&p->r);
  if (!login_as(p, c, AUTH(ID_A, KEY_A)))
    return;
  for (int i = 0; i < 10; i++) {
    rig_say(&p->r, c, PING(ID_A));
    enum rig_got got = await(p, c, RESPONSE_TIMEOUT);
    if (got == RIG_ENDED || p->r.bad_line)
      return;
    if (got != RIG_LINE || !is_pong(p)) {
      fail(p, "TCP-HB-03");
      return;
    }
  }
  rig_say(&p->r, c, DATA(ID_A, "{\"t\":1}"));
  while (await(p, c, RESPONSE_TIMEOUT) == RIG_LINE)
    if (is_pong(p))
      fail(p, "TCP-HB-03");
}

static void silent_after_ping(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  nova_ts from = p->r.now;
  rig_run(&p->r, from + IDLE_TIMEOUT * 11 / 10);
  if (!ended(p, c))
    fail(p, "TCP-HB-08");
  else if (p->r.conn[c].ended < from + IDLE_TIMEOUT)
    fail(p, "TCP-HB-09");
}

static void trickling_message(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  nova_ts from = p->r.now;
  for (int i = 1; i <= 19; i++) {
    rig_run(&p->r, from + (nova_ts)i * 10 * NOVA_SEC);
    rig_say(&p->r, c, " ");
  }
  rig_run(&p->r, from + IDLE_TIMEOUT * 11 / 10);
  if (!ended(p, c))
    fail(p, "TCP-HB-08");
}

static const char *const any_message[] = {
    DATA(ID_A, "{\"t\":1}"),
    STATUS(ID_A, ""),
    STATUS(ID_A, ",\"info\":{}"),
    RESPONSE(ID_A),
};

static void any_message_counts(struct probe *p, const char *message) {
  size_t c;
  if (!ready(p, &c))
    return;
  nova_ts from = p->r.now;
  rig_run(&p->r, from + IDLE_TIMEOUT * 6 / 10);
  if (ended(p, c)) {
    fail(p, "TCP-HB-09");
    return;
  }
  rig_say(&p->r, c, message);
  rig_run(&p->r, from + IDLE_TIMEOUT * 12 / 10);
  if (!pings(p, c, PING(ID_A)))
    fail(p, "TCP-HB-10");
}

static void pinging_connection_stays(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  nova_ts from = p->r.now;
  for (nova_ts t = 1; t <= 3; t++) {
    rig_run(&p->r, from + t * IDLE_TIMEOUT / 3);
    if (t == 1 && ended(p, c))
      fail(p, "TCP-HB-09");
    rig_say(&p->r, c, PING(ID_A));
  }
  rig_run(&p->r, from + IDLE_TIMEOUT * 12 / 10);
  if (ended(p, c))
    fail(p, "TCP-HB-11");
}

/* --- data, status, commands ------------------------------------------------
 */

static void ten_reports(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  for (int i = 1; i <= 10; i++) {
    char data[160];
    snprintf(data, sizeof data, DATA(ID_A, "{\"n\":%d,\"t\":-25.5e0}"), i);
    rig_say(&p->r, c, data);
  }
  if (!pings(p, c, PING(ID_A)) ||
      !data_holds(p, ID_A, "{\"n\":10,\"t\":-25.5e0}"))
    fail(p, "TCP-DATA-04");
}

static void data_of_another(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  rig_say(&p->r, c, DATA(ID_B, "{\"forged\":1}"));
  if (data_holds(p, ID_B, "forged"))
    fail(p, "TCP-DATA-05");
}

static void status_message(struct probe *p, const char *status) {
  size_t c;
  if (!ready(p, &c))
    return;
  rig_say(&p->r, c, status);
  if (!pings(p, c, PING(ID_A)))
    fail(p, "TCP-STATUS-02");
}

static void response_message(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  rig_say(&p->r, c, RESPONSE(ID_A));
  if (!pings(p, c, PING(ID_A)))
    fail(p, "TCP-CMD-04");
}

#define PARAMS "{\"relay1\":\"ON\",\"level\":25.5,\"name\":\"\xc3\xa9\"}"

static void send_command(struct probe *p) {
  (void)rig_control(&p->r,
                    "{\"do\":\"command\",\"device_id\":\"" ID_A
                    "\",\"command\":\"set_actuator\",\"params\":" PARAMS "}");
}

static bool is_command(const struct probe *p) {
  return p->r.msg.kind == NOVA_MSG_COMMAND;
}

static void command_arrives(struct probe *p) {
  size_t c;
  if (!ready(p, &c))
    return;
  send_command(p);
  if (await(p, c, RESPONSE_TIMEOUT) != RIG_LINE || !is_command(p)) {
    fail(p, "TCP-CMD-01");
    return;
  }
  const struct nova_msg *m = &p->r.msg;
  if (m->defects > 0 ||
      !nova_string_is(m->u.command.device_id, nova_view_of(ID_A)) ||
      !nova_string_is(m->u.command.command, nova_view_of("set_actuator")) ||
      !nova_view_is(m->u.command.params, PARAMS))
    fail(p, "TCP-CMD-01");
}

static void three_ids(struct probe *p) {
  char id[3][64] = {"", "", ""};
  size_t c;
  if (!ready(p, &c))
    return;
  for (int i = 0; i < 3; i++) {
    send_command(p);
    if (await(p, c, RESPONSE_TIMEOUT) != RIG_LINE || !is_command(p))
      return;
    struct nova_json_value v =
        nova_json_get(p->r.msg.whole, nova_view_of("command_id"));
    snprintf(id[i], sizeof id[i], "%.*s", (int)v.text.n, v.text.p);
  }
  if (strcmp(id[0], id[1]) == 0 || strcmp(id[0], id[2]) == 0 ||
      strcmp(id[1], id[2]) == 0)
    fail(p, "TCP-CMD-02");
}

static void command_to_one(struct probe *p) {
  size_t a, b;
  if (!ready(p, &a))
    return;
  b = rig_accept(&p->r);
  if (!login_as(p, b, AUTH(ID_B, KEY_B)))
    return;
  send_command(p);
  if (await(p, a, RESPONSE_TIMEOUT) != RIG_LINE || !is_command(p))
    fail(p, "TCP-CMD-03");
  while (await(p, b, RESPONSE_TIMEOUT) == RIG_LINE)
    if (is_command(p))
      fail(p, "TCP-CMD-03");
}

/* --- all of them -----------------------------------------------------------
 */

static void start(struct probe *p, enum nova_fault fault) {
  rig_start(&p->r, fault);
}

void probe_all(enum nova_fault fault, struct tally *t) {
  static void (*const plain[])(struct probe *) = {
      joined_with_auth,    joined_pings,      one_byte_a_segment,
      split_character,     long_messages,     too_long_messages,
      extra_field,         valid_auth,        closes_after_failed,
      silent_before_auth,  auth_late_in_time, trickling_auth,
      nothing_before_auth, key_reset,         deactivated,
      each_ping_one_pong,  silent_after_ping, trickling_message,
      ten_reports,         data_of_another,   pinging_connection_stays,
      response_message,    command_arrives,   three_ids,
      command_to_one,
  };
  /* The probes that are there for a list of messages. */
  struct probe p = {.t = t};
#define EACH(list, call)                                                       \
  for (size_t i = 0; i < sizeof(list) / sizeof *(list); i++) {                 \
    start(&p, fault);                                                          \
    call;                                                                      \
    finish(&p);                                                                \
  }
  EACH(plain, plain[i](&p))
  EACH(wrong_keys, expect_failed(&p, wrong_keys[i], "TCP-AUTH-06"))
  EACH(unknown_ids, expect_failed(&p, unknown_ids[i], "TCP-AUTH-07"))
  EACH(malformed_auths, malformed_auth(&p, malformed_auths[i]))
  EACH(any_message, any_message_counts(&p, any_message[i]))
  static const char *const statuses[] = {
      STATUS(ID_A, ""), STATUS(ID_A, ",\"info\":{\"rssi\":-65}")};
  EACH(statuses, status_message(&p, statuses[i]))
#undef EACH
  for (int i = 0; i < 14; i++) {
    start(&p, fault);
    others_are_served(&p, i / 2, i % 2 == 0);
    finish(&p);
  }
}
