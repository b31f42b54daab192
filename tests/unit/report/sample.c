#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct nova_requirement catalog[] = {
    {.id = "ID-01",
     .section = "1.2",
     .basis = "stated",
     .text = {"Serves no connection that has not authenticated.",
              "未通过认证的连接不得获得任何服务。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_MUST},
    {.id = "TCP-AUTH-04",
     .section = "3.2",
     .basis = "stated",
     .text = {"Answers a valid auth with auth_result success.",
              "对有效的 auth 回复 auth_result success。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_MUST},
    {.id = "TCP-AUTH-07",
     .section = "3.2",
     .basis = "implied",
     .text = {"Refuses a key that is only the beginning of the right one.",
              "拒绝仅为正确密钥前缀的密钥。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_MUST},
    {.id = "TCP-HB-09",
     .section = "3.4",
     .basis = "stated",
     .text = {"Does not close a silent connection before 180 s.",
              "静默连接在 180 秒之前不得被关闭。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_MUST},
    {.id = "TCP-ERR-02",
     .section = "3.6",
     .basis = "implied",
     .text = {"Survives bytes that are no UTF-8.", "能承受非 UTF-8 的字节。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_MUST},
    {.id = "TCP-CMD-01",
     .section = "3.5",
     .basis = "stated",
     .text = {"Delivers a command to the device.", "将命令下发到设备。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_MUST,
     .needs = {"hook:send_command"},
     .needs_n = 1},
    {.id = "TLS-02",
     .section = "2.2",
     .basis = "stated",
     .text = {"Offers TLS 1.2 or later.", "提供 TLS 1.2 或更高版本。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_SHOULD,
     .needs = {"tls"},
     .needs_n = 1},
    {.id = "MQ-RET-01",
     .section = "2.4",
     .basis = "stated",
     .text = {"Keeps no retained data message.", "数据消息不保留。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_MAY},
    {.id = "MQ-DATA-06",
     .section = "2.4",
     .basis = "stated",
     .text = {"Acknowledges every PUBLISH of QoS 1 by its packet id.",
              "对每个 QoS 1 的 PUBLISH 以其报文标识符确认。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_SHOULD},
    {.id = "TLS-01",
     .section = "2.1",
     .basis = "stated",
     .text = {"Serves MQTT over TLS.", "提供基于 TLS 的 MQTT。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_MAY},
    {.id = "MQ-PUB-03",
     .section = "2.4",
     .basis = "stated",
     .text = {"Acknowledges a QoS 1 publish.", "确认 QoS 1 的发布。"},
     .binds = NOVA_ROLE_SERVER,
     .level = NOVA_LEVEL_SHOULD},
};

static struct nova_ids ids(struct nova_arena *a, const char *one,
                           const char *two) {
  const char **id = NOVA_NEW_ARRAY(a, const char *, 2);
  id[0] = one;
  id[1] = two;
  return (struct nova_ids){id, two != NULL ? 2 : 1};
}

struct writer {
  struct nova_arena *arena;
  struct nova_conversation_result *c;
};

static struct nova_entry *event(struct writer *w, nova_ts t,
                                enum nova_entry_kind kind, enum nova_actor from,
                                struct nova_view bytes) {
  struct nova_transcript *tr = &w->c->transcript;
  if (tr->entry == NULL)
    tr->entry = NOVA_NEW_ARRAY(w->arena, struct nova_entry, 64);
  struct nova_entry *e = &tr->entry[tr->n++];
  *e = (struct nova_entry){
      .kind = kind,
      .t = t,
      .since = t,
      .from = from,
      .connection = kind == NOVA_ENTRY_HOOK || kind == NOVA_ENTRY_NOTE ? 0 : 1,
      .size = bytes.n,
      .bytes = {nova_arena_copy(w->arena, bytes.p, bytes.n), bytes.n}};
  return e;
}

static struct nova_entry *sent(struct writer *w, nova_ts t, const char *text) {
  return event(w, t, NOVA_ENTRY_SENT, NOVA_ACTOR_DEVICE, nova_view_of(text));
}

static struct nova_entry *got(struct writer *w, nova_ts t, const char *text) {
  return event(w, t, NOVA_ENTRY_RECEIVED, NOVA_ACTOR_SERVER,
               nova_view_of(text));
}

/* The key as the harness writes it. */
#define KEY_JSON   "k7Qz-\\\"9\\\\secret/31"
#define WRONG_JSON "k7Qz-\\\"9\\\\secret/3"

static void connected(struct writer *w) {
  struct nova_view none = {NULL, 0};
  event(w, 0, NOVA_ENTRY_CONNECTING, NOVA_ACTOR_DEVICE, none)->step = 1;
  event(w, 412345, NOVA_ENTRY_CONNECTED, NOVA_ACTOR_DEVICE, none)->since = 1;
}

static void authenticated(struct writer *w) {
  connected(w);
  struct nova_entry *e =
      sent(w, 2100000,
           "{\"type\":\"auth\",\"device_id\":\"DEV-000001\",\"device_key\":"
           "\"" KEY_JSON "\"}\n");
  e->since = 2000001;
  e->step = 2;
  got(w, 3000000,
      "{\"type\":\"auth_result\",\"result\":\"success\",\"message\":"
      "\"认证成功\","
      "\"timestamp\":1795442400}\n");
}

static struct nova_check pass(const char *requirement, unsigned step, nova_ts t,
                              size_t entry) {
  return (struct nova_check){.requirement = requirement,
                             .verdict = NOVA_VERDICT_PASS,
                             .step = step,
                             .line = 10 + step,
                             .t = t,
                             .measured = NOVA_TS_NONE,
                             .earliest = NOVA_TS_NONE,
                             .latest = NOVA_TS_NONE,
                             .entry = entry};
}

static void checks(struct writer *w, size_t n) {
  w->c->check = NOVA_NEW_ARRAY(w->arena, struct nova_check, n);
  w->c->checks = n;
}

static void accepted(struct writer *w) {
  w->c->id = "tcp-auth-accepted";
  w->c->title =
      (struct nova_text){"A valid credential is accepted", "有效凭证通过认证"};
  w->c->transport = "tcp";
  w->c->verdict = NOVA_VERDICT_PASS;
  w->c->verifies = ids(w->arena, "TCP-AUTH-04", NULL);
  w->c->duration = 3500000;
  authenticated(w);
  event(w, 3400000, NOVA_ENTRY_CLOSED, NOVA_ACTOR_DEVICE,
        (struct nova_view){NULL, 0});
  checks(w, 1);
  w->c->check[0] = pass("TCP-AUTH-04", 3, 3000000, 3);
  w->c->check[0].measured = 900000;
  w->c->check[0].latest = 5 * NOVA_SEC;
}

static void prefix(struct writer *w) {
  w->c->id = "tcp-auth-wrong-key.prefix";
  w->c->title =
      (struct nova_text){"A prefix of the key is refused", "密钥前缀被拒绝"};
  w->c->transport = "tcp";
  w->c->mend = (struct nova_text){
      "Compare keys over their full length, with a function whose time does "
      "not "
      "depend on where they differ.",
      "对密钥做全长比较，并使用与差异位置无关的恒定时间函数。"};
  w->c->verdict = NOVA_VERDICT_FAIL;
  w->c->reason = "auth_result success for the wrong key " SAMPLE_WRONG;
  w->c->verifies = ids(w->arena, "TCP-AUTH-07", NULL);
  w->c->started = 2 * NOVA_SEC;
  w->c->duration = 70 * NOVA_MS;
  connected(w);
  sent(w, 2100000,
       "{\"type\":\"auth\",\"device_id\":\"DEV-000001\",\"device_key\":"
       "\"" WRONG_JSON "\"}\n")
      ->step = 2;
  got(w, 3000000,
      "{\"type\":\"auth_result\",\"result\":\"success\",\"message\":\"welcome "
      "" WRONG_JSON "\",\"timestamp\":1795442402}\n");
  checks(w, 1);
  w->c->check[0] = (struct nova_check){
      .requirement = "TCP-AUTH-07",
      .verdict = NOVA_VERDICT_FAIL,
      .step = 3,
      .line = 18,
      .expected = "auth_result failed, a close or silence",
      .observed = "{\"type\":\"auth_result\",\"result\":\"success\","
                  "\"message\":\"welcome " WRONG_JSON "\"}",
      .reason = "a key that is cut by one character was accepted",
      .t = 3000000,
      .measured = NOVA_TS_NONE,
      .earliest = NOVA_TS_NONE,
      .latest = NOVA_TS_NONE,
      .entry = 3};
  w->c->failure = &w->c->check[0];
}

static void idle(struct writer *w) {
  w->c->id = "tcp-idle-timeout";
  w->c->title = (struct nova_text){"Silence ends a connection after 180 s",
                                   "静默 180 秒后连接关闭"};
  w->c->transport = "tcp";
  w->c->mend = (struct nova_text){
      "Restart the idle timer on every message, not on pings only.",
      "任何消息都应重置空闲计时器，而不仅是 ping。"};
  w->c->verdict = NOVA_VERDICT_FAIL;
  w->c->reason = "closed after 121.0 s of silence; not before 180 s expected";
  w->c->verifies = ids(w->arena, "TCP-HB-09", "TCP-AUTH-04");
  w->c->started = 1;
  w->c->duration = UINT64_C(121100000001);
  authenticated(w);
  event(w, UINT64_C(121003000007), NOVA_ENTRY_EOF, NOVA_ACTOR_SERVER,
        (struct nova_view){NULL, 0});
  checks(w, 2);
  w->c->check[0] = pass("TCP-AUTH-04", 3, 3000000, 3);
  w->c->check[1] = (struct nova_check){
      .requirement = "TCP-HB-09",
      .verdict = NOVA_VERDICT_FAIL,
      .step = 4,
      .line = 22,
      .expected = "no close before 180 s of silence",
      .observed = "closed (FIN) after 121.000 s of silence",
      .reason = "closed after 121.0 s of silence; not before 180 s expected",
      .t = UINT64_C(121003000007),
      .measured = UINT64_C(121000900000),
      .earliest = 180 * NOVA_SEC,
      .latest = NOVA_TS_NONE,
      .error = 450000,
      .entry = 4,
      .presupposes = NULL};
  w->c->failure = &w->c->check[1];
}

static void binary(struct writer *w, bool clean) {
  w->c->id = "tcp-error-not-utf8";
  w->c->title = (struct nova_text){"Bytes that are no UTF-8", NULL};
  w->c->transport = "tcp";
  w->c->verdict = NOVA_VERDICT_INCONCLUSIVE;
  w->c->reason = "the connection was reset before the bytes were sent";
  w->c->verifies = ids(w->arena, "TCP-ERR-02", NULL);
  w->c->started = 3 * NOVA_SEC;
  w->c->duration = 2 * NOVA_SEC;
  w->c->timing_error = 12345;
  authenticated(w);
  event(w, 4 * NOVA_MS, NOVA_ENTRY_SENT, NOVA_ACTOR_DEVICE,
        BYTES("{\"type\":\"ping\",\xff\xfe\x00" SAMPLE_OTHER "}\n"));
  if (!clean)
    got(w, 5 * NOVA_MS,
        "{\"type\":\"error\",\"message\":\"</script><script>document.title='"
        "owned'</script><img src=x onerror=\\\"document.title='owned'\\\">"
        "\x1b[31mred\x1b[0m \xe2\x80\xae"
        "drow \xc2\x9b"
        "31m <!-- ]]> & \"}\n");
  event(w, NOVA_SEC, NOVA_ENTRY_RESET, NOVA_ACTOR_SERVER,
        (struct nova_view){NULL, 0});
  event(w, NOVA_SEC + 1, NOVA_ENTRY_REFUSED, NOVA_ACTOR_DEVICE,
        nova_view_of("connection refused"))
      ->code = -1;
  event(w, NOVA_SEC + 2, NOVA_ENTRY_LAG, NOVA_ACTOR_NOBODY,
        (struct nova_view){NULL, 0})
      ->since = 750000;
  checks(w, 1);
  w->c->check[0] = pass("TCP-ERR-02", 4, NOVA_SEC, 5);
  w->c->check[0].verdict = NOVA_VERDICT_INCONCLUSIVE;
  w->c->check[0].presupposes = &w->c->verifies;
  w->c->check[0].retry = true;
  w->c->check[0].reason =
      clean ? "reset (RST) by the server before the point was reached"
            : "reset </script><script>alert(1)</script> \x1b]0;owned\x07 by "
              "the server";
}

/* A key in one-byte segments, a new key from a hook, a payload of 200 KB, MQTT.
 */
static void dressed(struct writer *w) {
  w->c->id = "mqtt-publish-acknowledged";
  w->c->title = (struct nova_text){"A QoS 1 publish is acknowledged",
                                   "QoS 1 发布得到确认"};
  w->c->transport = "mqtt";
  w->c->verdict = NOVA_VERDICT_PASS;
  w->c->verifies = ids(w->arena, "MQ-PUB-03", NULL);
  w->c->started = 4 * NOVA_SEC;
  w->c->duration = 9 * NOVA_SEC;
  w->c->other = "DEV-000002";
  w->c->tries = 2;
  connected(w);
  struct nova_buf p;
  nova_buf_init(&p, NULL, 1 << 20);
  /* CONNECT: client id "c", user name, password = the second device's key. */
  nova_buf_append(&p, "\x10\x31\0\4MQTT\4\xc2\0\x3c\0\1c\0\12DEV-000002\0\26",
                  29);
  nova_buf_puts(&p, SAMPLE_OTHER);
  struct nova_view all = nova_buf_view(&p);
  for (size_t i = 0; i < all.n; i += 9)
    event(w, 2 * NOVA_MS + i, NOVA_ENTRY_SENT, NOVA_ACTOR_DEVICE,
          (struct nova_view){all.p + i, all.n - i < 9 ? all.n - i : 9})
        ->step = 2;
  event(w, 3 * NOVA_MS, NOVA_ENTRY_RECEIVED, NOVA_ACTOR_SERVER,
        BYTES("\x20\x02\0\0"));
  nova_buf_clear(&p);
  nova_buf_puts(&p, "{\"message\": \"");
  for (size_t i = 0; i < 20000; i++)
    nova_buf_puts(&p, "数据 0123 ");
  nova_buf_puts(&p, SAMPLE_OTHER "\"}");
  event(w, 4 * NOVA_MS, NOVA_ENTRY_RECEIVED, NOVA_ACTOR_SERVER,
        nova_buf_view(&p));
  nova_buf_free(&p);
  event(w, 5 * NOVA_MS, NOVA_ENTRY_HOOK, NOVA_ACTOR_PLATFORM,
        nova_view_of(SAMPLE_NEW_KEY));
  sent(w, 6 * NOVA_MS,
       "{\"device_key\": \"" SAMPLE_NEW_KEY "\", \"key\": \"abc\"}");
  event(w, 7 * NOVA_MS, NOVA_ENTRY_NOTE, NOVA_ACTOR_NOBODY,
        nova_view_of("evidence was cut here"));
  struct nova_entry *cut =
      event(w, 8 * NOVA_MS, NOVA_ENTRY_RECEIVED, NOVA_ACTOR_SERVER,
            nova_view_of("only the beginning"));
  cut->size = 5000000;
  w->c->transcript.cut = true;
  struct nova_entry *gone =
      event(w, 9 * NOVA_MS, NOVA_ENTRY_EXITED, NOVA_ACTOR_DEVICE,
            nova_view_of("key " SAMPLE_OTHER "\r\x1b]0;pwned\x07"
                         "<img src=y onerror=z>\xe2\x80\xae\n"));
  gone->code = -5;
  event(w, 10 * NOVA_MS, NOVA_ENTRY_EXITED, NOVA_ACTOR_DEVICE, BYTES(""));
  checks(w, 1);
  w->c->check[0] = pass("MQ-PUB-03", 3, 4 * NOVA_MS, 8);
}

static void mqtt(struct writer *w, nova_ts t, bool received,
                 struct nova_view packet) {
  event(w, t, received ? NOVA_ENTRY_RECEIVED : NOVA_ENTRY_SENT,
        received ? NOVA_ACTOR_SERVER : NOVA_ACTOR_DEVICE, packet);
}

/* Over TLS: a CONNECT in two segments with a will and a password that nobody
 * knows, packets that share a segment, one that is malformed, one that is never
 * finished. */
static void packets(struct writer *w) {
  w->c->id = "mqtts-publish-order";
  w->c->title = (struct nova_text){"A PUBLISH over TLS is acknowledged",
                                   "通过 TLS 的发布得到确认"};
  w->c->transport = "mqtts";
  w->c->verdict = NOVA_VERDICT_FAIL;
  w->c->reason = "PUBACK of the wrong packet id";
  w->c->verifies = ids(w->arena, "MQ-DATA-06", NULL);
  w->c->started = 5 * NOVA_SEC;
  w->c->duration = 2 * NOVA_SEC;
  w->c->other = "DEV-000002";
  connected(w);
  event(w, NOVA_MS, NOVA_ENTRY_SECURED, NOVA_ACTOR_SERVER,
        nova_view_of("{\"result\":\"secured\",\"version\":\"1.3\",\"cipher\":"
                     "\"TLS_AES_256_GCM_SHA384\",\"certificate\":"
                     "\"unverified\",\"why\":\"the certificate has "
                     "expired\"}"));
  mqtt(w, 2 * NOVA_MS, false,
       BYTES("\x10\x59\0\4MQTT\4\xee\0\x3c\0\5dev 1"
             "\0\x1e"
             "novacloud/devices/DEV-2/status\0\7offline"));
  mqtt(w, 3 * NOVA_MS, false, BYTES("\0\5DEV-2\0\x16" SAMPLE_UNKNOWN));
  mqtt(w, 4 * NOVA_MS, true, BYTES("\x20\2\0\0"));
  mqtt(w, 5 * NOVA_MS, false,
       BYTES("\x32\x49\0\x1c"
             "novacloud/devices/DEV-2/data\0\7{\"device_key\":\"" SAMPLE_OTHER
             "\"}\n\x1b\xc0\0\x36\3\0\1a"));
  mqtt(w, 6 * NOVA_MS, true, BYTES("\x40\2\0\x09\xd0\0\x30\x20\0\1a"));
  event(w, 7 * NOVA_MS, NOVA_ENTRY_EOF, NOVA_ACTOR_SERVER,
        (struct nova_view){NULL, 0});
  event(w, 8 * NOVA_MS, NOVA_ENTRY_INSECURE, NOVA_ACTOR_SERVER,
        nova_view_of("{\"result\":\"failed\",\"by\":\"peer\",\"alert\":48,"
                     "\"why\":\"unknown CA\"}"))
      ->connection = 2;
  checks(w, 2);
  w->c->check[0] = pass("MQ-DATA-06", 3, 6 * NOVA_MS, 7);
  w->c->check[0].verdict = NOVA_VERDICT_FAIL;
  w->c->check[0].expected = "PUBACK id 7";
  w->c->check[0].observed = "PUBACK id 9";
  w->c->check[0].reason = "PUBACK of the wrong packet id";
  w->c->check[1] = pass("TLS-01", 4, 8 * NOVA_MS, 9);
  w->c->check[1].verdict = NOVA_VERDICT_FAIL;
  w->c->check[1].expected = "the handshake is completed";
  w->c->check[1].observed = "the handshake failed";
  w->c->check[1].reason = "unknown CA";
  w->c->failure = &w->c->check[0];
}

static void unmet(struct writer *w) {
  w->c->id = "tcp-command";
  w->c->title = (struct nova_text){"A command arrives", "命令到达"};
  w->c->transport = "tcp";
  w->c->verdict = NOVA_VERDICT_NOT_TESTED;
  w->c->reason = "needs the hook send_command";
  w->c->device = NULL;
  w->c->verifies = ids(w->arena, "TCP-CMD-01", NULL);
}

void sample_tally(struct nova_results *r) {
  memset(r->tally, 0, sizeof r->tally);
  for (size_t i = 0; i < r->requirements; i++) {
    const struct nova_requirement_result *q = &r->requirement[i];
    r->tally[q->requirement->level].by[q->verdict]++;
  }
}

static void profile_init(struct nova_profile *p, struct nova_arena *a) {
  *p = (struct nova_profile){
      .arena = a, .subject = NOVA_ROLE_SERVER, .subject_given = true};
  nova_timers_default(&p->timers);
  p->timers.span[NOVA_TIMER_response_timeout] = 2500 * NOVA_MS;
  p->timers.set[NOVA_TIMER_response_timeout] = true;
  p->name = "Gateway 2.1";
  p->tcp = (struct nova_address){"127.0.0.1", 9000};
  p->mqtt = (struct nova_address){"::1", 1883};
  p->devices = 3;
  p->device = NOVA_NEW_ARRAY(a, struct nova_login, 3);
  p->device[0] = (struct nova_login){"DEV-000001", SAMPLE_KEY};
  p->device[1] = (struct nova_login){"DEV-000002", SAMPLE_OTHER};
  p->device[2] = (struct nova_login){"DEV-000003", SAMPLE_SHORT};
  p->platform = (struct nova_login){"platform", SAMPLE_PASSWORD};
  p->max_connections = 8;
  p->transports_given = true;
  p->transport[0] = p->transport[1] = true;
  static const char *keys[] = {"temperature", "湿度"};
  p->value_keys = keys;
  p->value_keys_n = 2;
  struct nova_actuator *relay = NOVA_NEW(a, struct nova_actuator);
  struct nova_pattern *on = NOVA_NEW(a, struct nova_pattern);
  struct nova_pattern *off = NOVA_NEW(a, struct nova_pattern);
  on->json = nova_view_of("\"ON\"");
  off->json = nova_view_of("80");
  on->next = off;
  *relay = (struct nova_actuator){"relay1", on, NULL};
  p->actuators = relay;
  p->hook[NOVA_HOOK_RESET_KEY] = "./ctl --pass='" SAMPLE_PASSWORD "' reset";
}

void sample_init(struct sample *s, bool clean) {
  *s = (struct sample){0};
  struct nova_arena *a = &s->arena;
  nova_arena_init(a, NULL, 64 << 20);
  profile_init(&s->profile, a);
  struct nova_results *r = &s->results;
  r->arena = a;
  r->tool_version = "0.1.0";
  r->subject = NOVA_ROLE_SERVER;
  r->name = clean ? "Gateway 2.1" : "Gateway </script> \x1b[2J 2.1";
  r->address = "tcp 127.0.0.1:9000, mqtt [::1]:1883";
  r->seed = UINT64_C(18446744073709551557);
  r->started_unix_ns = UINT64_C(1795442400) * NOVA_SEC;
  r->duration = UINT64_C(216400000123);
  r->timing_error = 450000;
  r->profile = &s->profile;
  r->outcome = NOVA_OUTCOME_NOT_CONFORMANT;
  r->faults = 90;
  r->faults_caught = 89;
  r->faults_blamed = 1;
  r->conversations = 7;
  r->conversation = NOVA_NEW_ARRAY(a, struct nova_conversation_result, 7);
  for (size_t i = 0; i < 7; i++) {
    struct nova_conversation_result *c = &r->conversation[i];
    c->device = "DEV-000001";
    c->tries = 1;
    c->seed = UINT64_C(9007199254740993) + i;
    c->unix_ns = r->started_unix_ns + i * 1000000001;
    c->timing_error = 1000;
    struct writer w = {a, c};
    switch (i) {
    case 0: accepted(&w); break;
    case 1: prefix(&w); break;
    case 2: idle(&w); break;
    case 3: binary(&w, clean); break;
    case 4: dressed(&w); break;
    case 5: unmet(&w); break;
    default: packets(&w);
    }
  }
  static const struct {
    enum nova_verdict verdict;
    const char *reason, *needs;
    size_t conversation;
  } found[] = {
      {NOVA_VERDICT_PASS, NULL, NULL, 0},
      {NOVA_VERDICT_PASS, NULL, NULL, 0},
      {NOVA_VERDICT_FAIL, "a key that is cut by one character was accepted",
       NULL, 1},
      {NOVA_VERDICT_FAIL,
       "closed after 121.0 s of silence; not before 180 s expected", NULL, 2},
      {NOVA_VERDICT_INCONCLUSIVE,
       "the connection was reset before the bytes were sent", NULL, 3},
      {NOVA_VERDICT_NOT_TESTED, "needs the hook send_command",
       "hook:send_command", 5},
      {NOVA_VERDICT_NOT_TESTED, "no MQTT address with TLS was given", "tls",
       SIZE_MAX},
      {NOVA_VERDICT_NOT_APPLICABLE, "not declared", NULL, SIZE_MAX},
      {NOVA_VERDICT_FAIL, "PUBACK of the wrong packet id", NULL, 6},
      {NOVA_VERDICT_FAIL, "unknown CA", NULL, 6},
      {NOVA_VERDICT_PASS, NULL, NULL, 4},
  };
  r->requirements = sizeof catalog / sizeof *catalog;
  r->requirement =
      NOVA_NEW_ARRAY(a, struct nova_requirement_result, r->requirements);
  for (size_t i = 0; i < r->requirements; i++) {
    struct nova_requirement_result *q = &r->requirement[i];
    q->requirement = &catalog[i];
    q->verdict = found[i].verdict;
    q->reason = found[i].reason;
    q->needs = found[i].needs;
    if (found[i].conversation == SIZE_MAX)
      continue;
    q->conversation = NOVA_NEW_ARRAY(a, size_t, 1);
    q->conversation[0] = found[i].conversation;
    q->conversations = 1;
    q->checks = 1;
  }
  r->requirement[2].expected_failure = false;
  static const char *stale[] = {"MQ-PUB-03 is listed as a known failure and "
                                "passed"};
  if (!clean) {
    r->stale = stale;
    r->stales = 1;
  }
  static struct nova_rule_result rule = {
      "server-pong",
      {"The members of pong", "pong 的字段"},
      {"Devices set their clock by it.", "设备用它校准时钟。"},
      {"Send whole seconds.", "发送整数秒。"}};
  r->rule = &rule;
  r->rules = 1;
  sample_tally(r);
  nova_mask_init(&s->mask, NULL);
  nova_mask_results(&s->mask, r);
}

void sample_free(struct sample *s) {
  nova_mask_free(&s->mask);
  nova_arena_free(&s->arena);
}

void sample_keep(const char *name, struct nova_view v) {
  const char *folder = getenv("NOVA_REPORT_OUT");
  if (folder == NULL)
    return;
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  if (f == NULL)
    abort();
  fwrite(v.p, 1, v.n, f);
  fclose(f);
}
