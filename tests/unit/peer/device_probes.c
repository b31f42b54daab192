#include "device_probes.h"

#include "codec/timestamp.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Bounds of the guide with the tolerance of requirements.yaml. */
#define AUTH_BY      (11 * NOVA_SEC)
#define ANSWER_BY    (5 * NOVA_SEC)
#define PING_BY      (66 * NOVA_SEC)
#define IDLE         (180 * NOVA_SEC)
#define IDLE_BY      (198 * NOVA_SEC)
#define RECONNECT_BY (60 * NOVA_SEC)

/* --- what every line is judged by ------------------------------------------
 */

static void fail(struct tally *t, const char *id) {
  if (!tally_has(t, nova_view_of(id)))
    t->failed[t->n++] = id;
}

static const char *requirement_of(enum nova_msg_kind kind) {
  switch (kind) {
  case NOVA_MSG_AUTH: return "TCP-AUTH-03";
  case NOVA_MSG_DATA: return "TCP-DATA-01";
  case NOVA_MSG_STATUS: return "TCP-STATUS-01";
  case NOVA_MSG_COMMAND_RESPONSE: return "TCP-CMD-07";
  case NOVA_MSG_PING: return "TCP-HB-02";
  case NOVA_MSG_UNKNOWN:
  case NOVA_MSG_AUTH_RESULT:
  case NOVA_MSG_COMMAND:
  case NOVA_MSG_PONG:
  case NOVA_MSG_KINDS: break;
  }
  return NULL;
}

static void judge_time(struct dev_rig *r, struct tally *t) {
  struct nova_json_value v =
      nova_json_get(r->msg.whole, nova_view_of("timestamp"));
  int64_t seconds = 0;
  if (v.type == NOVA_JSON_NONE)
    return;
  if (!nova_json_int64(v, &seconds) ||
      !nova_time_near(seconds, (int64_t)(DEV_UNIX + r->now / NOVA_SEC), 300))
    fail(t, "TCP-DATA-03");
}

static void judge_fields(struct dev_rig *r, struct tally *t) {
  struct nova_msg m = r->msg;
  enum nova_msg_kind kind = m.kind;
  if (kind == NOVA_MSG_UNKNOWN)
    kind = nova_msg_infer(&m, NOVA_SENDER_DEVICE);
  const char *id = requirement_of(kind);
  if (id == NULL)
    return;
  if (m.kind == NOVA_MSG_UNKNOWN)
    (void)nova_msg_survey(&m, kind, &m);
  const struct nova_msg_info *info = nova_msg_info(kind);
  for (size_t i = 0; i < m.defects; i++) {
    int field = m.defect[i].field;
    bool time = field >= 0 && info->field[field].type == NOVA_FIELD_TIME;
    if (!time || m.value[field].type == NOVA_JSON_NONE)
      fail(t, id);
  }
}

static void judge_keys(struct dev_rig *r, struct tally *t) {
  struct nova_json_iter it;
  struct nova_json_value key, v;
  v = nova_json_get(r->msg.whole, nova_view_of("values"));
  if (v.type != NOVA_JSON_OBJECT)
    return;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, &key, &v))
    if (!nova_json_string_is(key, nova_view_of("temperature")) &&
        !nova_json_string_is(key, nova_view_of("humidity")) &&
        !nova_json_string_is(key, nova_view_of("light")))
      fail(t, "TCP-DATA-06");
}

static void judge_id(struct dev_rig *r, struct tally *t) {
  struct nova_json_value id =
      nova_json_get(r->msg.whole, nova_view_of("device_id"));
  bool own = nova_json_string_is(id, nova_view_of(DEV_ID));
  if (r->msg.kind != NOVA_MSG_AUTH) {
    if (id.type == NOVA_JSON_STRING && !own)
      fail(t, "TCP-DATA-02");
    return;
  }
  char text[64] = "";
  size_t n = nova_json_string(id, text, sizeof text - 1);
  text[n < sizeof text ? n : 0] = '\0';
  if (strncmp(text, "DEV-", 4) != 0 ||
      strspn(text + 4, "0123456789") != strlen(text + 4))
    fail(t, "ID-02");
  if (!own || !nova_json_string_is(
                  nova_json_get(r->msg.whole, nova_view_of("device_key")),
                  nova_view_of(DEV_KEY)))
    fail(t, "TCP-AUTH-03");
}

static void judge_line(struct dev_rig *r, struct nova_view line) {
  struct tally *t = r->user;
  if (line.n > NOVA_LINE_LIMIT)
    fail(t, "TCP-FRAME-11");
  if (r->msg.whole.type != NOVA_JSON_OBJECT) {
    fail(t, "TCP-FRAME-02");
    return;
  }
  judge_fields(r, t);
  judge_time(r, t);
  judge_id(r, t);
  if (r->msg.kind == NOVA_MSG_DATA)
    judge_keys(r, t);
}

/* --- tools of the probes ---------------------------------------------------
 */

static void start(struct dev_rig *r, enum nova_fault fault, struct tally *t) {
  dev_start(r, fault);
  r->watch = judge_line;
  r->user = t;
}

/* Whether the last line that the device began has no end. */
static bool is_cut(const struct dev_rig *r) {
  struct nova_view v = nova_buf_view(&r->in);
  return v.n > 0 && v.p[v.n - 1] != '\n';
}

static void stop(struct dev_rig *r) {
  if (is_cut(r) && (r->closed || (r->open && r->now - r->last_send > AUTH_BY)))
    fail(r->user, "TCP-FRAME-02");
  dev_stop(r);
}

/* What |line| gets within the time that an answer may take. */
static bool answered(struct dev_rig *r, const char *line) {
  dev_say(r, line);
  return dev_await_kind(r, NOVA_MSG_COMMAND_RESPONSE, ANSWER_BY);
}

#define PLAIN(id) DEV_SET(id, "{\"led_brightness\":1}")

/* --- authentication --------------------------------------------------------
 */

/* One connection up to its auth_result, held back for 2 s. */
static bool auth(struct dev_rig *r, struct tally *t, bool again) {
  if (!dev_accept(r, 200 * NOVA_SEC))
    return false;
  enum dev_got got = dev_await(r, AUTH_BY);
  bool is_auth = got == DEV_LINE && r->msg.kind == NOVA_MSG_AUTH;
  if (!is_auth && again)
    fail(t, "TCP-AUTH-14");
  if (got != DEV_LINE) {
    fail(t, "TCP-AUTH-01");
    dev_wait(r, AUTH_BY);
    return false;
  }
  if (!is_auth) {
    fail(t, "TCP-AUTH-02");
    if (!dev_await_kind(r, NOVA_MSG_AUTH, AUTH_BY)) {
      fail(t, "TCP-AUTH-01");
      return false;
    }
  }
  while (dev_await(r, 2 * NOVA_SEC) == DEV_LINE)
    fail(t, "TCP-AUTH-02");
  dev_say(r, DEV_SUCCESS);
  return r->open;
}

static void probe_auth(enum nova_fault fault, struct tally *t) {
  struct dev_rig r;
  start(&r, fault, t);
  if (auth(&r, t, false)) {
    bool data = false, status = false;
    nova_ts until = r.now + 61 * NOVA_SEC;
    while (dev_await(&r, until - r.now) == DEV_LINE) {
      data |= r.msg.kind == NOVA_MSG_DATA;
      status |= r.msg.kind == NOVA_MSG_STATUS;
    }
    if (!data)
      fail(t, "TCP-DATA-01");
    if (!status)
      fail(t, "TCP-STATUS-01");
    dev_fin(&r);
    (void)auth(&r, t, true);
  }
  stop(&r);
}

static void probe_failed(enum nova_fault fault, struct tally *t) {
  struct dev_rig r;
  start(&r, fault, t);
  if (dev_accept(&r, NOVA_SEC) && dev_await_kind(&r, NOVA_MSG_AUTH, AUTH_BY)) {
    while (dev_await(&r, 0) == DEV_LINE)
      continue;
    dev_say(&r, DEV_FAILED);
    while (dev_await(&r, 2 * NOVA_SEC) == DEV_LINE)
      fail(t, "TCP-AUTH-13");
  }
  stop(&r);
  start(&r, fault, t);
  unsigned n = 0;
  nova_ts first = NOVA_TS_NONE;
  while (dev_accept(&r, 5 * NOVA_SEC)) {
    if (first != NOVA_TS_NONE && r.now - first <= 5 * NOVA_SEC)
      n++;
    if (!dev_await_kind(&r, NOVA_MSG_AUTH, AUTH_BY) || n > 3)
      break;
    if (first == NOVA_TS_NONE)
      first = r.now;
    dev_say(&r, DEV_FAILED);
    dev_fin(&r);
  }
  if (n > 3)
    fail(t, "TCP-AUTH-15");
  stop(&r);
}

/* --- framing ---------------------------------------------------------------
 */

static void probe_pieces(enum nova_fault fault, struct tally *t) {
  static const char odd[] =
      DEV_COMMAND("\xe6\xb8\xa9\xe5\xba\xa6", "set_actuator",
                  "{\"relay1\":\"\xf0\x9f\x92\xa1\"}");
  struct dev_rig r;
  start(&r, fault, t);
  if (!dev_serve(&r) || !answered(&r, PLAIN("plain"))) {
    stop(&r);
    return;
  }
  dev_wait(&r, NOVA_SEC);
  for (size_t i = 0; i + 1 < sizeof odd; i++)
    dev_feed(&r, odd + i, 1);
  if (!dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, ANSWER_BY))
    fail(t, "TCP-FRAME-09");
  dev_wait(&r, NOVA_SEC);
  dev_feed(&r, odd, 30);
  dev_wait(&r, 300 * NOVA_MS);
  dev_feed(&r, odd + 30, sizeof odd - 1 - 30);
  if (!dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, ANSWER_BY))
    fail(t, "TCP-FRAME-09");
  dev_wait(&r, NOVA_SEC);
  dev_say(&r, PLAIN("one") PLAIN("two"));
  for (int i = 0; i < 2; i++)
    if (!dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, ANSWER_BY))
      fail(t, "TCP-FRAME-09");
  stop(&r);
}

static void probe_long(enum nova_fault fault, struct tally *t) {
  static char line[NOVA_LINE_LIMIT];
  static const char plain[] = PLAIN("long");
  struct dev_rig r;
  memset(line, ' ', sizeof line);
  memcpy(line, plain, sizeof plain - 2);
  line[NOVA_LINE_LIMIT - 1] = '\n';
  start(&r, fault, t);
  if (dev_serve(&r) && answered(&r, PLAIN("plain"))) {
    dev_feed(&r, line, 65000);
    dev_wait(&r, 300 * NOVA_MS);
    dev_feed(&r, line + 65000, sizeof line - 65000);
    if (!dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, ANSWER_BY))
      fail(t, "TCP-FRAME-10");
  }
  stop(&r);
}

static const char *deep(void) {
  static char text[4100];
  size_t n = (size_t)snprintf(text, 100,
                              "{\"type\":\"pong\",\"timestamp\":1,"
                              "\"x\":");
  memset(text + n, '[', 1000);
  memset(text + n + 1000, ']', 1000);
  memcpy(text + n + 2000, "}\n", 3);
  return text;
}

/* A device that has been sent |bad| answers the next command, or comes back and
 * answers it then. */
static void survives(enum nova_fault fault, struct tally *t, const char *bad) {
  struct dev_rig r;
  start(&r, fault, t);
  if (dev_serve(&r) && answered(&r, PLAIN("before"))) {
    dev_say(&r, bad);
    dev_wait(&r, NOVA_SEC);
    if (!answered(&r, PLAIN("after")) &&
        !(!r.open && dev_serve(&r) && answered(&r, PLAIN("again"))))
      fail(t, "TCP-FRAME-12");
  }
  stop(&r);
}

static void probe_malformed(enum nova_fault fault, struct tally *t) {
  static const char *const bad[] = {
      "{\"type\":\"firmware_offer\",\"url\":\"x\"}\n",
      "{\"type\":\"command\",\"command_id\":\"c\",\"device_id\":\"" DEV_ID
      "\",\"timestamp\":1700000000,\"command\":\"set_actuator\","
      "\"params\":{},\"priority\":[1]}\n",
      "{\"type\":\"pong\",\"timestamp\":1700000000,\"load\":{}}\n",
      "\n",
      "{\"type\":\"pong\",,}\n",
      "{\"type\":\"pong\",\"x\":\"\xff\"}\n",
      "[1,2,3]\n",
      "{\"type\":\"command\",\"command_id\":\"c\",\"device_id\":\"" DEV_ID
      "\",\"timestamp\":1700000000,\"command\":\"set_actuator\"}\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    survives(fault, t, bad[i]);
  survives(fault, t, deep());
  struct dev_rig r;
  start(&r, fault, t);
  if (dev_accept(&r, NOVA_SEC) && dev_await_kind(&r, NOVA_MSG_AUTH, AUTH_BY)) {
    dev_say(&r, "{\"type\":\"auth_result\",\"result\":\"success\",\"message\":"
                "\"ok\",\"timestamp\":1700000000,\"session\":{\"id\":1}}\n");
    if (r.exited)
      fail(t, "TCP-FRAME-12");
  }
  stop(&r);
}

/* --- commands --------------------------------------------------------------
 */

static void probe_ids(enum nova_fault fault, struct tally *t) {
  static char forms[4][2][600] = {{"a", "a"},
                                  {"Cmd-0f:2_3.4 \\\"b\\\\c-\xe6\xb8\xa9",
                                   "Cmd-0f:2_3.4 \"b\\c-\xe6\xb8\xa9"}};
  memset(forms[2][0], 'k', 64);
  memset(forms[2][1], 'k', 64);
  memset(forms[3][0], 'Z', 255);
  memset(forms[3][1], 'Z', 255);
  struct dev_rig r;
  start(&r, fault, t);
  bool ok = dev_serve(&r);
  for (size_t i = 0; i < 4 && ok; i++) {
    char line[6000];
    snprintf(
        line, sizeof line,
        "{\"type\":\"command\",\"command_id\":\"%s\",\"device_id\":\"" DEV_ID
        "\",\"timestamp\":1700000000,\"command\":\"set_actuator\","
        "\"params\":{\"relay1\":\"ON\"}}\n",
        forms[i][0]);
    if (!answered(&r, line)) {
      fail(t, "TCP-CMD-05");
      ok = false;
    } else if (strcmp(dev_member(&r, "command_id"), forms[i][1]) != 0) {
      fail(t, "TCP-CMD-06");
    }
  }
  stop(&r);
}

/* Whether the answer's data have |json| as |name|, numbers by value. */
static bool shows(struct dev_rig *r, const char *name, const char *json) {
  struct nova_json_value want, have;
  have = nova_json_get(nova_json_get(r->msg.whole, nova_view_of("data")),
                       nova_view_of(name));
  char copy[4096];
  size_t n = have.text.n;
  if (have.type == NOVA_JSON_NONE || n >= sizeof copy)
    return false;
  memcpy(copy, have.text.p, n);
  return nova_json_check(r->json, json, strlen(json), &want, NULL) == 0 &&
         nova_json_check(r->json, copy, n, &have, NULL) == 0 &&
         nova_json_equal(want, have);
}

static void judge_set(struct dev_rig *r, struct tally *t) {
  struct nova_json_value result =
      nova_json_get(r->msg.whole, nova_view_of("result"));
  if (!shows(r, "relay1", "\"ON\""))
    fail(t, "TCP-CMD-08");
  if (result.type == NOVA_JSON_STRING &&
      !nova_json_string_is(result, nova_view_of("success")))
    fail(t, "TCP-CMD-07");
}

static void probe_set(enum nova_fault fault, struct tally *t) {
  struct dev_rig r;
  start(&r, fault, t);
  if (dev_serve(&r)) {
    bool ok = answered(&r, DEV_SET("s1", "{\"relay1\":\"ON\"}"));
    if (ok)
      judge_set(&r, t);
    ok = ok && answered(&r, DEV_SET("s2", "{\"led_brightness\":80}"));
    if (ok && !shows(&r, "led_brightness", "80"))
      fail(t, "TCP-CMD-08");
    ok = ok && answered(&r, DEV_COMMAND("u", "novaprobe_unknown", "{}"));
    if (ok && strcmp(dev_member(&r, "result"), "success") == 0)
      fail(t, "TCP-CMD-09");
    if (!ok || !answered(&r, DEV_SET("w", "{\"nonsuch\":1}")))
      fail(t, "TCP-CMD-05");
  }
  stop(&r);
}

static void probe_several(enum nova_fault fault, struct tally *t) {
  static const char *const line[] = {PLAIN("m0"), PLAIN("m1"), PLAIN("m2"),
                                     PLAIN("m3"), PLAIN("m4")};
  struct dev_rig r;
  start(&r, fault, t);
  if (dev_serve(&r)) {
    unsigned seen = 0, n = 0;
    for (size_t i = 0; i < 5; i++)
      dev_say(&r, line[i]);
    nova_ts until = r.now + ANSWER_BY;
    while (n < 5 &&
           dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, until - r.now)) {
      const char *id = dev_member(&r, "command_id");
      if (id[0] == 'm' && id[1] >= '0' && id[1] <= '4')
        seen |= 1u << (id[1] - '0');
      n++;
    }
    if (n == 0)
      fail(t, "TCP-CMD-05");
    else if (n < 5)
      fail(t, "TCP-CMD-10");
    else if (seen != 31)
      fail(t, "TCP-CMD-06");
  }
  stop(&r);
}

/* --- heartbeat -------------------------------------------------------------
 */

/* Over three intervals, with a command in the first. */
static void probe_pings(enum nova_fault fault, struct tally *t) {
  struct dev_rig r;
  start(&r, fault, t);
  if (dev_serve(&r)) {
    nova_ts last = r.now, until = r.now + 195 * NOVA_SEC;
    bool asked = false, bad = false;
    while (r.now < until && r.open) {
      if (!asked && r.now > last + 2 * NOVA_SEC) {
        asked = true;
        dev_say(&r, PLAIN("meanwhile"));
      }
      if (dev_await(&r, 5 * NOVA_SEC) != DEV_LINE ||
          r.msg.kind != NOVA_MSG_PING)
        continue;
      bad |= r.now - last > PING_BY;
      last = r.now;
      dev_say(&r, DEV_PONG);
    }
    if (bad || r.now - last > PING_BY || r.now < until)
      fail(t, "TCP-HB-01");
  }
  stop(&r);
}

/* Runs up to the device's own close, taking its lines. */
static nova_ts own_close(struct dev_rig *r, nova_ts until) {
  while (r->open && r->now < until)
    (void)dev_await(r, until - r->now);
  if (r->closed && is_cut(r))
    fail(r->user, "TCP-FRAME-02");
  return r->open ? NOVA_TS_NONE : r->ended;
}

static void probe_silence(enum nova_fault fault, struct tally *t) {
  struct dev_rig r;
  bool early = false;
  start(&r, fault, t);
  if (dev_serve(&r)) {
    nova_ts from = r.now, when = own_close(&r, from + IDLE_BY);
    early = when < from + IDLE;
    if (early || when == NOVA_TS_NONE)
      fail(t, "TCP-HB-05");
    if (when != NOVA_TS_NONE && !dev_accept(&r, RECONNECT_BY))
      fail(t, "TCP-HB-06");
  }
  stop(&r);
  start(&r, fault, t);
  if (!early && dev_serve(&r)) {
    nova_ts from = r.now;
    (void)own_close(&r, from + IDLE / 10 * 6);
    dev_say(&r, PLAIN("alive"));
    if (own_close(&r, from + IDLE / 10 * 12) != NOVA_TS_NONE)
      fail(t, "TCP-HB-07");
  }
  stop(&r);
}

static void probe_loss(enum nova_fault fault, struct tally *t) {
  struct dev_rig r;
  for (int reset = 0; reset < 2; reset++) {
    start(&r, fault, t);
    if (dev_serve(&r)) {
      dev_wait(&r, NOVA_SEC);
      if (reset != 0)
        dev_rst(&r);
      else
        dev_fin(&r);
      if (r.open || !dev_accept(&r, RECONNECT_BY))
        fail(t, "TCP-HB-12");
    }
    stop(&r);
  }
}

/* How many connections come in the 5 s after the first close. */
static void probe_storm(enum nova_fault fault, struct tally *t) {
  for (int after_auth = 0; after_auth < 2; after_auth++) {
    struct dev_rig r;
    unsigned n = 0;
    nova_ts first = NOVA_TS_NONE;
    start(&r, fault, t);
    while (n <= 5 && dev_accept(&r, 5 * NOVA_SEC)) {
      if (first != NOVA_TS_NONE && r.now - first <= 5 * NOVA_SEC)
        n++;
      if (after_auth != 0 && !dev_await_kind(&r, NOVA_MSG_AUTH, AUTH_BY))
        break;
      dev_fin(&r);
      if (first == NOVA_TS_NONE)
        first = r.now;
    }
    if (n > 5)
      fail(t, "TCP-HB-13");
    stop(&r);
  }
}

void device_probe_all(enum nova_fault fault, struct tally *t) {
  probe_auth(fault, t);
  probe_failed(fault, t);
  probe_pieces(fault, t);
  probe_long(fault, t);
  probe_malformed(fault, t);
  probe_ids(fault, t);
  probe_set(fault, t);
  probe_several(fault, t);
  probe_pings(fault, t);
  probe_silence(fault, t);
  probe_loss(fault, t);
  probe_storm(fault, t);
}
