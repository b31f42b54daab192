#include "unit/conversation/mqtt_rig.h"

#include "codec/mqtt_json.h"

#include <stdio.h>
#include <string.h>

#define REQ(id, who)                                                           \
  "- {id: " id ", section: '1', binds: " who ", level: must, basis: stated, "  \
  "en: a, zh: b, judge: c}\n"
#define MOST       512
#define SCAN_BYTES (8u << 20)

static const char requirements[] = "requirements:\n" REQ("D-0", "device")
    REQ("D-1", "device") REQ("D-2", "device") REQ("D-3", "device")
        REQ("D-4", "device") REQ("S-0", "server") REQ("S-1", "server")
            REQ("S-2", "server") REQ("S-3", "server") REQ("S-4", "server");

struct nova_profile mq_profile;
struct nova_player *mq_player;
bool mq_holds, mq_tls;

static struct nova_catalog catalog;
static struct nova_arena arena;
static struct nova_json *json;
static struct nova_buf sent[MOST];
static char how[MOST];
static unsigned held[MOST], shaken[MOST];
static nova_ts clock_;

static void load(const char *path, const char *text) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  struct nova_spec_file f = {path, text, strlen(text)};
  cr_assert_eq(nova_catalog_add(&catalog, &f, &diag), 0, "%s",
               nova_buf_cstr(&diag.text));
  nova_diag_free(&diag);
}

void mq_setup(void) {
  nova_catalog_init(&catalog, NULL);
  nova_arena_init(&arena, NULL, 1 << 20);
  nova_profile_init(&mq_profile, &arena);
  json = nova_json_new(NULL, SCAN_BYTES, 1024);
  load("requirements.yaml", requirements);
  for (size_t i = 0; i < MOST; i++) {
    nova_buf_init(&sent[i], NULL, 64 << 20);
    how[i] = '-';
    held[i] = shaken[i] = 0;
  }
  clock_ = 0;
  mq_holds = mq_tls = false;
  mq_player = NULL;
}

void mq_teardown(void) {
  nova_player_free(mq_player);
  nova_catalog_free(&catalog);
  nova_arena_free(&arena);
  nova_json_free(json);
  for (size_t i = 0; i < MOST; i++)
    nova_buf_free(&sent[i]);
}

void mq_rules(const char *list) {
  char text[4096];
  snprintf(text, sizeof text, "rules:\n%s", list);
  load("rules.yaml", text);
}

/* The packets of a write, as JSON; what is none as it is. */
static void note_sent(unsigned n, struct nova_view bytes) {
  struct nova_mqtt_stream s;
  struct nova_mqtt_out out;
  nova_mqtt_stream_init(&s, NULL, 1 << 20);
  for (size_t at = 0, used = 0; at < bytes.n; at += used) {
    struct nova_mqtt m;
    if (nova_mqtt_stream_feed(&s, bytes.p + at, bytes.n - at, &used, &out) !=
            NOVA_MQTT_PACKET ||
        nova_mqtt_decode(out.packet.p, out.packet.n, &m, NULL) != 0) {
      nova_buf_puts(&sent[n], "piece\n");
      break;
    }
    nova_mqtt_to_json(&m, json, &sent[n]);
    nova_buf_puts(&sent[n], "\n");
  }
  nova_mqtt_stream_free(&s);
}

static void drain(void) {
  struct nova_action a;
  while (nova_player_next_action(mq_player, 0, &a)) {
    cr_assert_lt(a.connection, MOST);
    struct nova_event e = {.kind = NOVA_EVENT_SENT,
                           .id = a.connection,
                           .t = clock_,
                           .since = clock_};
    switch (a.kind) {
    case NOVA_ACTION_SEND:
      cr_expect_eq(how[a.connection], '-', "sent on %u, which was ended",
                   a.connection);
      note_sent(a.connection, a.bytes);
      if (mq_holds)
        held[a.connection]++;
      else
        nova_player_feed(mq_player, &e);
      break;
    case NOVA_ACTION_CLOSE:
      cr_expect_eq(how[a.connection], '-', "%u was ended twice", a.connection);
      how[a.connection] = a.code == 1 ? 'R' : 'F';
      break;
    case NOVA_ACTION_SECURE: shaken[a.connection]++; break;
    case NOVA_ACTION_CONNECT: how[a.connection] = '-'; break;
    case NOVA_ACTION_HALF_CLOSE:
    case NOVA_ACTION_HOOK: break;
    }
  }
}

void mq_begin(enum nova_role harness, const char *head, const char *steps) {
  static const struct nova_login device = {"DEV-000001", "k1"};
  static const struct nova_login other = {"DEV-000002", "k2"};
  char text[8192];
  snprintf(text, sizeof text,
           "conversation: mqtt-x\ntitle: {en: a, zh: b}\n%s\nsteps:\n%s", head,
           steps);
  load("x.yaml", text);
  const struct nova_script *s = nova_catalog_script(&catalog, "mqtt-x");
  cr_assert(s->harness[harness], "the harness cannot play it");
  mq_profile.subject =
      harness == NOVA_ROLE_SERVER ? NOVA_ROLE_DEVICE : NOVA_ROLE_SERVER;
  mq_player = nova_player_new(
      &(struct nova_player_options){.script = s,
                                    .rules = catalog.rules,
                                    .profile = &mq_profile,
                                    .harness = harness,
                                    .device = &device,
                                    .other = &other,
                                    .seed = 1,
                                    .unix_ns = UINT64_C(1800000000) * NOVA_SEC,
                                    .patience = 30 * NOVA_SEC,
                                    .tls = mq_tls});
  drain();
}

void mq_until(nova_ts t) {
  for (int guard = 0; !nova_player_done(mq_player); guard++) {
    cr_assert_lt(guard, 200000, "it goes round");
    nova_ts d = nova_player_next_deadline(mq_player);
    if (d > t || d == NOVA_TS_NONE)
      break;
    clock_ = d > clock_ ? d : clock_;
    nova_player_expire(mq_player, clock_);
    drain();
  }
  clock_ = t > clock_ ? t : clock_;
}

void mq_end(void) {
  for (int guard = 0; !nova_player_done(mq_player); guard++) {
    cr_assert_lt(guard, 10000, "it never ends");
    nova_ts d = nova_player_next_deadline(mq_player);
    cr_assert_neq(d, NOVA_TS_NONE, "it waits without a bound");
    mq_until(d);
  }
}

nova_ts mq_now(void) {
  return clock_;
}

static void feed(struct nova_event e) {
  mq_until(e.t);
  e.since = e.t;
  nova_player_feed(mq_player, &e);
  drain();
}

void mq_connects(nova_ts t, unsigned n) {
  feed((struct nova_event){.kind = NOVA_EVENT_ACCEPTED, .id = n, .t = t});
}

void mq_is_in(nova_ts t, unsigned n) {
  feed((struct nova_event){.kind = NOVA_EVENT_CONNECTED, .id = n, .t = t});
}

void mq_says_bytes(nova_ts t, unsigned n, const char *p, size_t size) {
  feed((struct nova_event){
      .kind = NOVA_EVENT_BYTES, .id = n, .t = t, .bytes = {p, size}});
}

static void put(struct nova_buf *out, const char *text) {
  struct nova_json_value v;
  struct nova_mqtt_json_fault fault = {.why = ""};
  cr_assert_eq(nova_json_check(json, text, strlen(text), &v, NULL), 0, "%s",
               text);
  cr_assert_eq(nova_mqtt_from_json(v, 0, 0, out, &fault), 0, "%s: %s %s", text,
               fault.member, fault.why);
}

void mq_says_all(nova_ts t, unsigned n, const char *const *list) {
  struct nova_buf out;
  nova_buf_init(&out, NULL, SCAN_BYTES);
  for (; *list != NULL; list++)
    put(&out, *list);
  struct nova_view v = nova_buf_view(&out);
  mq_says_bytes(t, n, v.p, v.n);
  nova_buf_free(&out);
}

void mq_says(nova_ts t, unsigned n, const char *text) {
  mq_says_all(t, n, (const char *const[]){text, NULL});
}

void mq_says_part(nova_ts t, unsigned n, const char *text, size_t from,
                  size_t size) {
  struct nova_buf out;
  nova_buf_init(&out, NULL, SCAN_BYTES);
  put(&out, text);
  struct nova_view v = nova_buf_view(&out);
  cr_assert_lt(from, v.n);
  mq_says_bytes(t, n, v.p + from, size < v.n - from ? size : v.n - from);
  nova_buf_free(&out);
}

void mq_closes(nova_ts t, unsigned n) {
  feed((struct nova_event){.kind = NOVA_EVENT_EOF, .id = n, .t = t});
}

void mq_shakes(nova_ts t, unsigned n, bool good, const char *told) {
  feed((struct nova_event){.kind =
                               good ? NOVA_EVENT_SECURED : NOVA_EVENT_INSECURE,
                           .id = n,
                           .t = t,
                           .bytes = nova_view_of(told)});
}

void mq_out(nova_ts t) {
  mq_until(t);
  for (unsigned i = 0; i < MOST; i++)
    for (; held[i] != 0; held[i]--)
      feed((struct nova_event){.kind = NOVA_EVENT_SENT, .id = i, .t = t});
}

const struct nova_check *mq_check(const char *id, enum nova_verdict v) {
  size_t n;
  const struct nova_check *c = nova_player_checks(mq_player, &n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(c[i].requirement, id) == 0 && c[i].verdict == v)
      return &c[i];
  return NULL;
}

const char *mq_verdict(const char *id) {
  static const enum nova_verdict order[] = {
      NOVA_VERDICT_FAIL, NOVA_VERDICT_INCONCLUSIVE, NOVA_VERDICT_NOT_TESTED,
      NOVA_VERDICT_NOT_APPLICABLE, NOVA_VERDICT_PASS};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (mq_check(id, order[i]) != NULL)
      return nova_verdict_names[order[i]];
  return "-";
}

bool mq_reason(const char *text) {
  const char *reason = NULL;
  nova_player_verdict(mq_player, &reason);
  return reason != NULL && strstr(reason, text) != NULL;
}

const char *mq_said(unsigned n) {
  return nova_buf_cstr(&sent[n]);
}

size_t mq_sent(unsigned n, const char *word) {
  size_t count = 0;
  for (const char *at = mq_said(n); (at = strstr(at, word)) != NULL; at++)
    count++;
  return count;
}

char mq_ended(unsigned n) {
  return how[n];
}

unsigned mq_handshakes(unsigned n) {
  return shaken[n];
}
