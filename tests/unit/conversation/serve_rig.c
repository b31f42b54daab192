#include "unit/conversation/serve_rig.h"

#include <stdio.h>

#define REQ(id)                                                                \
  "- {id: " id ", section: '1', binds: device, level: must, basis: stated, "   \
  "en: a, zh: b, judge: c}\n"

static const char requirements[] = "requirements:\n" REQ("PREPARED") REQ("ONE")
    REQ("TWO") REQ("THREE") REQ("FRAME") REQ("LENGTH") REQ("INTIME")
        REQ("FIRST") REQ("AGAIN") REQ("FIELDS") REQ("ANSWERS") REQ("IDS");

static const char rules[] =
    "rules:\n"
    "- {rule: lines, of: device, every: line, verifies: FRAME}\n"
    "- {rule: rest, of: device, every: stream, verifies: FRAME}\n"
    "- {rule: length, of: device, every: line, longest: 131072, verifies: "
    "LENGTH}\n"
    "- {rule: in-time, of: device, every: connection, type: auth, within: "
    "$late($auth_timeout), verifies: INTIME}\n"
    "- {rule: first, of: device, every: connection, type: auth, which: first, "
    "verifies: FIRST}\n"
    "- {rule: again, of: device, every: connection, type: auth, which: again, "
    "verifies: AGAIN}\n"
    "- {rule: answer, of: device, every: answer, type: command_response, "
    "verifies: ANSWERS}\n"
    "- {rule: pings, of: device, every: message, type: ping, message: "
    "{timestamp: $unix_time}, verifies: FIELDS}\n"
    "- {rule: id, of: device, every: message, type: ping, message: {device_id: "
    "'$one_of($absent, $authenticated_id)'}, verifies: IDS}\n";

#define CONNECTIONS 4608

struct nova_catalog rig_catalog;
struct nova_profile rig_profile;
struct nova_player *rig_player;
nova_ts rig_error, rig_patience;
bool rig_again, rig_holds;

static struct nova_arena arena;
static struct nova_buf sent[CONNECTIONS];
static char how[CONNECTIONS];
static unsigned held[CONNECTIONS];
static nova_ts clock_;

static void load(const char *path, const char *text) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  struct nova_spec_file f = {path, text, strlen(text)};
  cr_assert_eq(nova_catalog_add(&rig_catalog, &f, &diag), 0, "%s",
               nova_buf_cstr(&diag.text));
  nova_diag_free(&diag);
}

static void clear(void) {
  nova_player_free(rig_player);
  rig_player = NULL;
  rig_catalog.scripts = NULL;
  for (size_t i = 0; i < CONNECTIONS; i++) {
    nova_buf_free(&sent[i]);
    nova_buf_init(&sent[i], NULL, 64 << 20);
    how[i] = '-';
    held[i] = 0;
  }
  clock_ = 0;
}

void rig_setup(void) {
  nova_catalog_init(&rig_catalog, NULL);
  nova_arena_init(&arena, NULL, 1 << 20);
  nova_profile_init(&rig_profile, &arena);
  rig_profile.subject = NOVA_ROLE_DEVICE;
  load("requirements.yaml", requirements);
  load("rules.yaml", rules);
  rig_error = 0;
  rig_patience = 30 * NOVA_SEC;
  rig_again = rig_holds = false;
  clear();
}

void rig_teardown(void) {
  clear();
  nova_catalog_free(&rig_catalog);
  nova_arena_free(&arena);
}

static void drain(void) {
  struct nova_action a;
  while (nova_player_next_action(rig_player, 0, &a)) {
    cr_assert_lt(a.connection, CONNECTIONS);
    struct nova_event e = {.kind = NOVA_EVENT_SENT,
                           .id = a.connection,
                           .t = clock_,
                           .since = clock_};
    switch (a.kind) {
    case NOVA_ACTION_SEND:
      cr_expect_eq(how[a.connection], '-', "sent on %u, which was ended",
                   a.connection);
      nova_buf_append(&sent[a.connection], a.bytes.p, a.bytes.n);
      if (rig_holds)
        held[a.connection]++;
      else
        nova_player_feed(rig_player, &e);
      break;
    case NOVA_ACTION_CLOSE:
      cr_expect_eq(how[a.connection], '-', "%u was ended twice", a.connection);
      how[a.connection] = a.code == 1 ? 'R' : 'F';
      break;
    case NOVA_ACTION_HALF_CLOSE: break;
    case NOVA_ACTION_CONNECT:
    case NOVA_ACTION_SECURE:
    case NOVA_ACTION_HOOK: cr_assert_fail("a server does not do this");
    }
  }
}

void rig_begin_with(const char *head, const char *steps) {
  static const struct nova_login login = {"DEV-000001", "k1"};
  clear();
  char text[8192];
  snprintf(text, sizeof text,
           "conversation: tcp-x\ntitle: {en: a, zh: b}\ntransport: tcp\n"
           "%ssteps:\n%s",
           head, steps);
  load("x.yaml", text);
  const struct nova_script *s = nova_catalog_script(&rig_catalog, "tcp-x");
  cr_assert(s->harness[NOVA_ROLE_SERVER], "the harness cannot play it");
  rig_player = nova_player_new(
      &(struct nova_player_options){.script = s,
                                    .rules = rig_catalog.rules,
                                    .profile = &rig_profile,
                                    .harness = NOVA_ROLE_SERVER,
                                    .device = &login,
                                    .other = &login,
                                    .seed = 1,
                                    .unix_ns = UINT64_C(1800000000) * NOVA_SEC,
                                    .patience = rig_patience,
                                    .again = rig_again,
                                    .timing_error = rig_error});
  drain();
}

void rig_begin(const char *steps) {
  rig_begin_with("", steps);
}

void rig_until(nova_ts t) {
  for (int guard = 0; !nova_player_done(rig_player); guard++) {
    cr_assert_lt(guard, 200000, "it goes round");
    nova_ts d = nova_player_next_deadline(rig_player);
    if (d > t || d == NOVA_TS_NONE)
      break;
    clock_ = d > clock_ ? d : clock_;
    nova_player_expire(rig_player, clock_);
    drain();
  }
  clock_ = t > clock_ ? t : clock_;
}

static void feed(struct nova_event e) {
  rig_until(e.t);
  e.since = e.t;
  nova_player_feed(rig_player, &e);
  drain();
}

void rig_connects(nova_ts t, unsigned n) {
  feed((struct nova_event){.kind = NOVA_EVENT_ACCEPTED, .id = n, .t = t});
}

void rig_says_bytes(nova_ts t, unsigned n, const char *p, size_t size) {
  feed((struct nova_event){
      .kind = NOVA_EVENT_BYTES, .id = n, .t = t, .bytes = {p, size}});
}

void rig_says(nova_ts t, unsigned n, const char *text) {
  rig_says_bytes(t, n, text, strlen(text));
}

void rig_closes(nova_ts t, unsigned n) {
  feed((struct nova_event){.kind = NOVA_EVENT_EOF, .id = n, .t = t});
}

void rig_resets(nova_ts t, unsigned n) {
  feed((struct nova_event){.kind = NOVA_EVENT_RESET, .id = n, .t = t});
}

void rig_exits(nova_ts t, int code) {
  feed((struct nova_event){.kind = NOVA_EVENT_JOB, .t = t, .code = code});
}

void rig_out(nova_ts t) {
  rig_until(t);
  for (unsigned i = 0; i < CONNECTIONS; i++)
    for (; held[i] != 0; held[i]--)
      feed((struct nova_event){.kind = NOVA_EVENT_SENT, .id = i, .t = t});
}

void rig_end(void) {
  for (int guard = 0; !nova_player_done(rig_player); guard++) {
    cr_assert_lt(guard, 10000, "it never ends");
    nova_ts d = nova_player_next_deadline(rig_player);
    cr_assert_neq(d, NOVA_TS_NONE, "it waits without a bound");
    rig_until(d);
  }
}

const struct nova_check *rig_check(const char *id, enum nova_verdict v) {
  size_t n;
  const struct nova_check *c = nova_player_checks(rig_player, &n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(c[i].requirement, id) == 0 && c[i].verdict == v)
      return &c[i];
  return NULL;
}

const char *rig_verdict(const char *id) {
  static const enum nova_verdict order[] = {
      NOVA_VERDICT_FAIL, NOVA_VERDICT_INCONCLUSIVE, NOVA_VERDICT_NOT_TESTED,
      NOVA_VERDICT_NOT_APPLICABLE, NOVA_VERDICT_PASS};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
    const struct nova_check *c = rig_check(id, order[i]);
    if (c == NULL)
      continue;
    if (c->verdict == NOVA_VERDICT_FAIL) {
      cr_expect_not_null(c->expected, "a failure without expectation");
      cr_expect_not_null(c->observed, "a failure without observation");
    }
    return nova_verdict_names[order[i]];
  }
  return "-";
}

bool rig_reason(const char *text) {
  const char *reason = NULL;
  nova_player_verdict(rig_player, &reason);
  return reason != NULL && strstr(reason, text) != NULL;
}

const char *rig_sent(unsigned n) {
  return nova_buf_cstr(&sent[n]);
}

size_t rig_sent_count(unsigned n, const char *word) {
  size_t count = 0;
  for (const char *at = rig_sent(n); (at = strstr(at, word)) != NULL; at++)
    count++;
  return count;
}

char rig_ended(unsigned n) {
  return how[n];
}
