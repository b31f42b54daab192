/* The player's core: events in, steps forward, checks out. What the harness
 * does is in play_do.c, what it awaits in play_await.c, the rules in
 * play_rules.c. */
#include "conversation/play.h"

#include "base/error.h"
#include "base/unreachable.h"
#include "conversation/catalog.h"

#include <stdarg.h>
#include <stdio.h>

/* Evidence of one conversation, and the sentences of its checks. */
#define EVIDENCE_MOST (2u << 20)
#define ARENA_MOST    (8u << 20)
/* The longest line that is decoded: the limit of the guide, and a hook's
 * output, and an MQTT packet with a payload of hexadecimal digits. No message
 * of the guide nests deeper than a few levels; what does is judged by its own
 * code. */
#define FRAME_MOST (640u << 10)
#define DEPTH_MOST 1024
/* A payload nests at least two levels less than the item that holds it. */
#define PAYLOAD_MOST  (304u << 10)
#define PAYLOAD_DEPTH 1000

void nova_player_scanners(const struct nova_mem *mem, struct nova_json **json,
                          struct nova_json **payloads) {
  *json = nova_json_new(mem, FRAME_MOST, DEPTH_MOST);
  *payloads = nova_json_new(mem, PAYLOAD_MOST, PAYLOAD_DEPTH);
}

/* Its own ones go where they are no longer needed. */
static void free_scanners(struct nova_player *p) {
  if (p->o.json == NULL) {
    nova_json_free(p->json);
    nova_json_free(p->payloads);
  }
  p->json = p->payloads = NULL;
}

struct nova_player *nova_player_new(const struct nova_player_options *o) {
  struct nova_player *p = nova_mem_zalloc(o->mem, sizeof *p);
  if (p == NULL)
    return NULL;
  p->o = *o;
  p->subject =
      o->harness == NOVA_ROLE_DEVICE ? NOVA_ROLE_SERVER : NOVA_ROLE_DEVICE;
  nova_arena_init(&p->arena, o->mem, ARENA_MOST);
  nova_transcript_init(&p->transcript, o->mem,
                       o->evidence != 0 ? o->evidence : EVIDENCE_MOST);
  nova_rng_init(&p->rng, o->seed);
  if (o->device != NULL)
    p->device = *o->device;
  if (o->other != NULL)
    p->other = *o->other;
  p->queue_tail = &p->queue;
  p->lost_at = p->hazard_at = p->job_keep = NOVA_TS_NONE;
  p->step = o->script->steps;
  for (size_t i = 0; i < NOVA_PLAY_CONNS; i++) {
    p->conn[i].tail = &p->conn[i].inbox;
    p->conn[i].lost = p->conn[i].partial = NOVA_TS_NONE;
    if (i < NOVA_CONNECTIONS && o->harness == NOVA_ROLE_DEVICE)
      p->conn[i].number = (unsigned)i + 1;
  }
  /* A harness that is the server sends commands itself. */
  if (o->harness == NOVA_ROLE_SERVER)
    p->o.hooks |= 1u << NOVA_HOOK_SEND_COMMAND;
  p->o.hooks |= nova_profile_declared(o->profile);
  nova_buf_init(&p->sending.bytes, o->mem, 32u << 20);
  size_t rules = 1;
  for (const struct nova_rule *r = o->rules; r != NULL; r = r->next)
    rules++;
  p->looked =
      NOVA_NEW_ARRAY(&p->arena, struct nova__looked, o->script->step_count + 1);
  p->rule = NOVA_NEW_ARRAY(&p->arena, struct nova__rule_count, rules);
  p->json = o->json;
  p->payloads = o->payloads;
  if (o->json == NULL)
    nova_player_scanners(o->mem, &p->json, &p->payloads);
  p->unknown_id =
      nova_arena_printf(&p->arena, "DEV-9%08llu",
                        (unsigned long long)nova_rng_below(&p->rng, 100000000));
  if (p->rule == NULL || p->looked == NULL || p->json == NULL ||
      p->payloads == NULL || p->unknown_id == NULL || !nova__play_mqtt_new(p)) {
    nova_player_free(p);
    return NULL;
  }
  return p;
}

void nova_player_free(struct nova_player *p) {
  if (p == NULL)
    return;
  for (size_t i = 0; i < NOVA_PLAY_CONNS; i++) {
    nova__drop_inbox(&p->conn[i]);
    if (p->conn[i].framing)
      nova_line_free(&p->conn[i].line);
  }
  nova__play_mqtt_free(p);
  while (p->queue != NULL) {
    struct nova__queued *next = p->queue->next;
    nova_mem_free(p->o.mem, p->queue);
    p->queue = next;
  }
  nova_mem_free(p->o.mem, p->handed);
  nova_mem_free(p->o.mem, p->check);
  nova_buf_free(&p->sending.bytes);
  free_scanners(p);
  nova_transcript_free(&p->transcript);
  nova_arena_free(&p->arena);
  nova_mem_free(p->o.mem, p);
}

/* --- what the files share
 * -----------------------------------------------------
 */

struct nova__conn *nova__conn(struct nova_player *p, unsigned number) {
  for (size_t i = 0; number != 0 && i < NOVA_PLAY_CONNS; i++)
    if (p->conn[i].number == number)
      return &p->conn[i];
  return NULL;
}

bool nova__by_harness(const struct nova_player *p, const struct nova_step *s) {
  if (s->verb == NOVA_VERB_SECURE || s->verb == NOVA_VERB_INSECURE)
    return false;
  return p->o.harness == NOVA_ROLE_DEVICE
             ? s->actor == NOVA_ACTOR_DEVICE || s->actor == NOVA_ACTOR_PLATFORM
             : s->actor == NOVA_ACTOR_SERVER;
}

const char *nova__span_text(struct nova_player *p, nova_ts t) {
  p->span_at = (p->span_at + 1) % 8;
  return nova_duration_print(t, p->span[p->span_at]);
}

struct nova_check *nova__check(struct nova_player *p, const char *requirement,
                               enum nova_verdict verdict) {
  if (p->checks == p->check_cap) {
    size_t cap = p->check_cap == 0 ? 16 : p->check_cap * 2;
    struct nova_check *grown =
        nova_mem_realloc(p->o.mem, p->check, cap * sizeof *grown);
    if (grown == NULL) {
      p->no_memory = true;
      return NULL;
    }
    p->check = grown;
    p->check_cap = cap;
  }
  struct nova_check *c = &p->check[p->checks++];
  *c = (struct nova_check){.requirement = requirement,
                           .verdict = verdict,
                           .t = p->now,
                           .measured = NOVA_TS_NONE,
                           .earliest = NOVA_TS_NONE,
                           .latest = NOVA_TS_NONE,
                           .error = p->o.timing_error,
                           .entry =
                               p->transcript.n != 0 ? p->transcript.n - 1 : 0};
  return c;
}

size_t nova__note(struct nova_player *p, enum nova_entry_kind kind,
                  unsigned connection, const char *bytes, size_t n) {
  struct nova_entry e = {.kind = kind,
                         .t = p->now,
                         .since = p->now,
                         .from = p->o.harness == NOVA_ROLE_DEVICE
                                     ? NOVA_ACTOR_DEVICE
                                     : NOVA_ACTOR_SERVER,
                         .connection = connection,
                         .step = p->step != NULL ? p->step->number : 0,
                         .size = n,
                         .bytes = {bytes, n}};
  size_t at = p->transcript.n;
  if (nova_transcript_add(&p->transcript, &e) != 0)
    p->no_memory = true;
  return at;
}

void nova__name(struct nova_player *p, const struct nova_step *s,
                struct nova__moment moment, const char *json) {
  if (s->as == NULL || p->names == NOVA_PLAY_NAMES)
    return;
  size_t i = 0;
  while (i < p->names && strcmp(p->named[i].name, s->as) != 0)
    i++;
  if (i == p->names)
    p->names++;
  p->named[i] = (struct nova__named){s->as, moment, json};
}

const struct nova__named *nova__find(const struct nova_player *p,
                                     const char *name) {
  for (size_t i = 0; i < p->names; i++)
    if (strcmp(p->named[i].name, name) == 0)
      return &p->named[i];
  return NULL;
}

/* Whether |id| is already judged by this conversation's own steps. */
static bool judged(const struct nova_player *p, const char *id) {
  for (size_t i = 0; i < p->checks; i++)
    if (p->check[i].step != 0 && strcmp(p->check[i].requirement, id) == 0)
      return true;
  return false;
}

static void leave_open(struct nova_player *p, const struct nova_ids *ids,
                       const struct nova_step *s, enum nova_verdict as) {
  for (size_t i = 0; i < ids->n; i++) {
    if (judged(p, ids->id[i]))
      continue;
    struct nova_check *c = nova__check(p, ids->id[i], as);
    if (c == NULL)
      return;
    c->step = s->number;
    c->line = s->line;
    c->reason = p->broken;
    c->retry = p->again_wanted;
  }
}

static void leave_steps(struct nova_player *p, const struct nova_step *s,
                        enum nova_verdict as) {
  for (; s != NULL; s = s->next) {
    leave_open(p, &s->verifies, s, as);
    leave_open(p, &s->early, s, as);
    leave_open(p, &s->missing, s, as);
    leave_open(p, &s->awaits, s, as);
    for (const struct nova_branch *b = s->branches; b != NULL; b = b->next)
      leave_steps(p, b->steps, as);
  }
}

static void finish(struct nova_player *p) {
  if (p->done)
    return;
  nova__close_all(p);
  nova__rules_end(p);
  for (size_t i = 0; i < NOVA_PLAY_CONNS; i++)
    nova__drop_inbox(&p->conn[i]);
  /* A finished player is kept for its evidence alone. */
  free_scanners(p);
  nova__play_mqtt_free(p);
  nova_buf_free(&p->sending.bytes);
  p->step = NULL;
  p->done = true;
}

void nova__break(struct nova_player *p, enum nova_verdict as,
                 const char *format, ...) {
  if (p->broken != NULL || p->done)
    return;
  char text[1024];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  p->broken = nova_arena_printf(&p->arena, "%s", text);
  if (p->broken == NULL)
    p->broken = "out of memory";
  p->broken_as = as;
  /* Every requirement that a step could still have checked is open now. */
  leave_steps(p, p->o.script->steps, as);
  finish(p);
}

/* --- references
 * ---------------------------------------------------------------
 */

static bool quoted(struct nova_buf *out, const char *s) {
  return s != NULL && nova_json_quote(out, s, strlen(s)) == 0;
}

/* "novacloud/devices/ID/data" as JSON. */
static bool topic(const char *id, enum nova_channel channel,
                  struct nova_buf *out) {
  char text[NOVA_TOPIC_MAX];
  size_t n = id != NULL ? nova_topic_write(channel, nova_view_of(id), text,
                                           sizeof text)
                        : 0;
  return n != 0 && nova_json_quote(out, text, n) == 0;
}

/* The guide's "device_{device_id}_{random}", the same all along. */
static bool client_id(struct nova_player *p, size_t which, const char *id,
                      struct nova_buf *out) {
  if (id != NULL && p->client_id[which] == NULL)
    p->client_id[which] = nova_arena_printf(
        &p->arena, "%s_%s_%08llx", which == 2 ? "novaprobe" : "device", id,
        (unsigned long long)nova_rng_below(&p->rng, UINT64_C(1) << 32));
  return quoted(out, p->client_id[which]);
}

/* What MQTT has of a credential: topics, client ids, the will. */
static bool lookup_mqtt(struct nova_player *p, const char *name,
                        struct nova_buf *out) {
  const struct nova_login *platform = &p->o.profile->platform;
  if (strcmp(name, "platform.username") == 0)
    return quoted(out, platform->id);
  if (strcmp(name, "platform.password") == 0)
    return quoted(out, platform->key);
  if (strcmp(name, "platform.client_id") == 0)
    return client_id(p, 2, platform->id, out);
  bool first = strncmp(name, "device.", 7) == 0;
  if (!first && strncmp(name, "other.", 6) != 0)
    return false;
  const char *id = first ? p->device.id : p->other.id;
  const char *what = strchr(name, '.') + 1;
  static const struct {
    const char *name;
    enum nova_channel channel;
  } topics[] = {{"data_topic", NOVA_CHANNEL_DATA},
                {"command_topic", NOVA_CHANNEL_COMMAND},
                {"status_topic", NOVA_CHANNEL_STATUS}};
  for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
    if (strcmp(what, topics[i].name) == 0)
      return topic(id, topics[i].channel, out);
  if (strcmp(what, "client_id") == 0)
    return client_id(p, first ? 0 : 1, id, out);
  return id != NULL && strcmp(what, "will") == 0 &&
         nova_buf_puts(out, "{\"status\":\"offline\",\"timestamp\":0,"
                            "\"device_id\":") == 0 &&
         quoted(out, id) && nova_buf_puts(out, "}") == 0;
}

static bool lookup(void *user, const char *name, struct nova_buf *out) {
  struct nova_player *p = user;
  if (strcmp(name, "unknown_id") == 0)
    return quoted(out, p->unknown_id);
  if (strcmp(name, "device.id") == 0)
    return quoted(out, p->device.id);
  if (strcmp(name, "device.key") == 0)
    return quoted(out, p->device.key);
  if (strcmp(name, "device.old_key") == 0)
    return quoted(out, p->old_key);
  if (strcmp(name, "other.id") == 0)
    return quoted(out, p->other.id);
  if (strcmp(name, "other.key") == 0)
    return quoted(out, p->other.key);
  if (nova__declared(p, name, out) || lookup_mqtt(p, name, out))
    return true;
  size_t n = strcspn(name, ".");
  char head[64];
  snprintf(head, sizeof head, "%.*s", (int)n, name);
  const struct nova__named *named = nova__find(p, head);
  if (named == NULL || named->json == NULL)
    return false;
  struct nova_json_value v;
  if (nova_json_check(p->json, named->json, strlen(named->json), &v, NULL) != 0)
    return false;
  const char *rest = name + n;
  while (*rest == '.') {
    size_t len = strcspn(++rest, ".");
    v = nova_json_get(v, (struct nova_view){rest, len});
    if (v.type == NOVA_JSON_NONE)
      return false;
    rest += len;
  }
  return nova_buf_append(out, v.text.p, v.text.n) == 0;
}

struct nova_scope nova__scope(struct nova_player *p) {
  return (struct nova_scope){.lookup = lookup,
                             .user = p,
                             .rng = &p->rng,
                             .unix_ns = p->o.unix_ns + p->now,
                             .mem = p->o.mem};
}

/* --- steps
 * --------------------------------------------------------------------
 */

static void next_step(struct nova_player *p) {
  p->step = p->step->next;
  while (p->step == NULL && p->depth != 0) {
    const struct nova_step *back = p->back[--p->depth];
    p->step = back->verb == NOVA_VERB_EACH ? back : back->next;
  }
  p->begun = false;
  if (p->step == NULL)
    finish(p);
}

/* A branch was chosen; its first step is over. */
static void enter(struct nova_player *p, const struct nova_step *any,
                  const struct nova_branch *b) {
  if (p->depth == NOVA_PLAY_NESTING) {
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE, "nested too deep");
    return;
  }
  p->back[p->depth++] = any;
  p->step = b->steps;
}

/* Lacking a hook, a step is left out and what it would have checked is open.
 * One that only stands in for a hook is left out where there is that hook. */
static bool lacks(struct nova_player *p, const struct nova_step *s) {
  if ((s->unless & p->o.hooks) != 0)
    return true;
  uint32_t missing = s->needs & ~p->o.hooks;
  bool moot = false;
  if (missing == 0 && s->given != NULL) {
    struct nova_buf value;
    nova_buf_init(&value, p->o.mem, FRAME_MOST);
    moot = !lookup(p, s->given->name, &value);
    nova_buf_free(&value);
  }
  if (missing == 0 && !moot)
    return false;
  for (size_t i = 0; i < s->verifies.n; i++) {
    struct nova_check *c =
        nova__check(p, s->verifies.id[i], NOVA_VERDICT_NOT_TESTED);
    if (c == NULL)
      return true;
    c->step = s->number;
    c->line = s->line;
    c->reason = moot ? nova_arena_printf(
                           &p->arena, "it did not come to it: there is no $%s",
                           s->given->name)
                     : nova_arena_printf(&p->arena, "needs %s in the profile",
                                         nova_need_name(missing));
  }
  return true;
}

/* The branches of any_of: the first that comes true is entered. */
static bool choose(struct nova_player *p, const struct nova_step *s) {
  const struct nova_branch *best = NULL;
  struct nova__await at = {0}, worst = {0};
  bool pending = false;
  for (const struct nova_branch *b = s->branches; b != NULL; b = b->next) {
    struct nova__await a;
    nova__eval(p, b->steps, &a);
    if (a.state == NOVA__DONE && (best == NULL || a.t < at.t)) {
      best = b;
      at = a;
    } else if (a.state == NOVA__FAILED && a.fatal) {
      worst = a;
      pending = false;
      best = NULL;
      break;
    } else if (a.state == NOVA__FAILED) {
      worst = a;
    }
    pending |= a.state == NOVA__PENDING;
  }
  if (best != NULL) {
    enter(p, s, best);
    return nova__await(p, best->steps);
  }
  if (pending)
    return false;
  /* None can come true any more: charged to the any_of itself. */
  enum nova_verdict v =
      worst.explained != NULL ? NOVA_VERDICT_INCONCLUSIVE : NOVA_VERDICT_FAIL;
  bool excused = worst.lost && nova__harness_late(p);
  if (excused) {
    v = NOVA_VERDICT_INCONCLUSIVE;
    p->again_wanted = true;
  }
  if (worst.lost)
    p->lost_at = p->now;
  if (worst.unfinished)
    nova__judge_unfinished(p, &p->conn[s->branches->steps->slot], worst.entry);
  for (size_t i = 0; i < s->verifies.n; i++) {
    struct nova_check *c = nova__check(p, s->verifies.id[i], v);
    if (c == NULL)
      break;
    c->step = s->number;
    c->line = s->line;
    c->expected = nova_arena_printf(&p->arena, "%s", worst.expected);
    c->observed = nova_arena_printf(&p->arena, "%s", worst.observed);
    c->reason = nova_arena_printf(&p->arena, "%s; %s expected", worst.observed,
                                  worst.expected);
    c->presupposes = &s->presupposes;
    c->entry = worst.entry;
    c->retry = excused;
  }
  nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
              "step %u did not go as expected: %s", s->number, worst.observed);
  return false;
}

static bool wait_over(const struct nova_player *p, const struct nova_step *s) {
  const struct nova__named *from =
      s->from != NULL ? nova__find(p, s->from) : NULL;
  nova_ts start = from != NULL ? from->moment.t : p->begun_at;
  return p->now >= nova_ts_add(start, nova_span_value(s->duration,
                                                      &p->o.profile->timers));
}

/* Moves on as far as it goes now. */
static void advance(struct nova_player *p) {
  while (!p->done && p->step != NULL) {
    const struct nova_step *s = p->step;
    if (p->no_memory) {
      nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                  "the harness ran out of memory");
      return;
    }
    if (!p->begun) {
      if (lacks(p, s)) {
        next_step(p);
        continue;
      }
      p->begun_at = p->now;
      p->epoch++;
    }
    bool over = false;
    nova__pongs(p);
    nova__play_mqtt_answers(p);
    switch (s->verb) {
    case NOVA_VERB_EACH:
      if (nova__round(p, s)) {
        enter(p, s, s->branches);
        p->begun = false;
        continue;
      }
      over = true;
      break;
    case NOVA_VERB_ANY_OF:
      p->begun = true;
      over = choose(p, s);
      break;
    case NOVA_VERB_WAIT:
      p->begun = true;
      over = wait_over(p, s);
      if (over)
        nova__name(p, s, (struct nova__moment){p->now, p->now}, NULL);
      break;
    case NOVA_VERB_CONNECT:
    case NOVA_VERB_SEND:
    case NOVA_VERB_CLOSE:
    case NOVA_VERB_HALF_CLOSE:
    case NOVA_VERB_RESET:
    case NOVA_VERB_REPEAT:
    case NOVA_VERB_STOP:
    case NOVA_VERB_SILENT:
    case NOVA_VERB_OPEN:
    case NOVA_VERB_ATTEMPTS:
    case NOVA_VERB_REFUSE:
    case NOVA_VERB_SECURE:
    case NOVA_VERB_INSECURE:
    case NOVA_VERB_PRESENT:
    case NOVA_VERB_HOOK:
      if (nova__by_harness(p, s) || s->verb == NOVA_VERB_HOOK) {
        over = nova__do(p, s);
      } else {
        p->begun = true;
        over = nova__await(p, s);
      }
      break;
    }
    if (p->done || !over)
      return;
    next_step(p);
  }
}

/* --- events
 * -------------------------------------------------------------------
 */

static nova_ts step_deadline(struct nova_player *p) {
  const struct nova_step *s = p->step;
  if (s == NULL || p->done)
    return NOVA_TS_NONE;
  if (!p->begun)
    return p->now;
  if (s->verb == NOVA_VERB_WAIT) {
    const struct nova__named *from =
        s->from != NULL ? nova__find(p, s->from) : NULL;
    nova_ts start = from != NULL ? from->moment.t : p->begun_at;
    return nova_ts_add(start,
                       nova_span_value(s->duration, &p->o.profile->timers));
  }
  if (s->verb == NOVA_VERB_ANY_OF) {
    nova_ts first = NOVA_TS_NONE;
    for (const struct nova_branch *b = s->branches; b != NULL; b = b->next) {
      nova_ts d = nova__await_deadline(p, b->steps);
      if (d > p->now)
        first = nova_ts_min(first, d);
    }
    return first;
  }
  if (s->verb == NOVA_VERB_HOOK || s->verb == NOVA_VERB_EACH)
    return NOVA_TS_NONE;
  if (!nova__by_harness(p, s))
    return nova__await_deadline(p, s);
  if (s->verb == NOVA_VERB_CONNECT)
    return nova__handshake_due(p, &p->conn[s->slot]);
  return s->verb == NOVA_VERB_SILENT || s->verb == NOVA_VERB_OPEN
             ? nova_ts_add(nova__reference(p, s).t,
                           nova_span_value(s->duration, &p->o.profile->timers))
             : NOVA_TS_NONE;
}

/* When something is due; NOVA_TS_NONE for never. */
static nova_ts due(struct nova_player *p) {
  return p->done ? NOVA_TS_NONE
                 : nova_ts_min(step_deadline(p), nova__do_deadline(p));
}

/* What is due at t is dealt with behind the events of t, in a live run as in a
 * recorded one, and so a nanosecond later. */
nova_ts nova_player_next_deadline(const struct nova_player *p) {
  /* Evaluating an awaited step changes nothing that is seen from outside. */
  return nova_ts_add(due((struct nova_player *)(uintptr_t)p), 1);
}

/* Deals with the deadlines up to |until| at their own times. */
static void expire_to(struct nova_player *p, nova_ts until) {
  for (unsigned guard = 0; !p->done && guard < 1000000; guard++) {
    nova_ts d = due(p);
    if (d == NOVA_TS_NONE || d > until)
      return;
    if (d > p->now)
      p->now = d;
    nova__do_expire(p, p->now);
    advance(p);
  }
}

void nova_player_set_timing_error(struct nova_player *p, nova_ts error) {
  error = (error + NOVA_MS - 1) / NOVA_MS * NOVA_MS;
  if (error <= p->o.timing_error || p->done)
    return;
  p->o.timing_error = error;
  size_t at = nova__note(p, NOVA_ENTRY_LAG, 0, NULL, 0);
  if (at < p->transcript.n)
    p->transcript.entry[at].since = error;
}

void nova_player_expire(struct nova_player *p, nova_ts now) {
  if (now == 0)
    return;
  expire_to(p, now - 1);
  if (!p->done && now - 1 > p->now)
    p->now = now - 1;
}

bool nova_player_next_action(struct nova_player *p, nova_ts now,
                             struct nova_action *out) {
  if (now > p->now)
    nova_player_expire(p, now);
  if (!p->begun && !p->done)
    advance(p);
  nova_mem_free(p->o.mem, p->handed);
  p->handed = p->queue;
  if (p->queue == NULL)
    return false;
  p->queue = p->queue->next;
  if (p->queue == NULL)
    p->queue_tail = &p->queue;
  *out = p->handed->action;
  if (out->kind == NOVA_ACTION_SEND)
    out->bytes = (struct nova_view){p->handed->bytes, p->handed->n};
  return true;
}

static void lost(struct nova_player *p, struct nova__conn *c,
                 const struct nova_event *e, size_t entry) {
  if (c->link != NOVA__LINK_OPEN && c->link != NOVA__LINK_EOF)
    return;
  bool first = c->link == NOVA__LINK_OPEN;
  c->link = e->kind == NOVA_EVENT_EOF ? NOVA__LINK_EOF : NOVA__LINK_RESET;
  if (first) {
    c->lost = e->t;
    c->lost_entry = entry;
    if (e->kind == NOVA_EVENT_EOF)
      nova__stream_ended(p, c, entry);
    /* It is over for MQTT when it is judged: the gap up to its end counts. */
    if (c->mqtt && c->packet_at != NOVA_TS_NONE)
      nova__judge_keep_alive(p, c, e->t, entry);
    nova__connection_over(p, c);
    nova__play_mqtt_over(p, c, e->kind == NOVA_EVENT_EOF);
  }
}

/* Begins TLS where the script has it. */
static void begin_tls(struct nova_player *p, struct nova__conn *c,
                      const struct nova_tls_wish *wish) {
  c->secured = NOVA__PLAIN;
  c->handshake = NULL;
  if (!p->o.tls && p->o.script->over != NOVA_OVER_MQTTS)
    return;
  nova__secure(p, c, wish);
}

/* The handshake is over, one way or the other. */
static void secured(struct nova_player *p, struct nova__conn *c,
                    const struct nova_event *e, size_t entry) {
  c->secured = e->kind == NOVA_EVENT_SECURED ? NOVA__SECURED : NOVA__INSECURE;
  c->secured_at = e->t;
  c->handshake_entry = entry;
  c->handshake = nova_arena_copy(&p->arena, e->bytes.p, e->bytes.n);
  c->last_out = e->t;
  c->spoke |= c->secured == NOVA__INSECURE;
  /* What a connection of a script without TLS steps counts from. */
  if (p->o.tls && c->secured == NOVA__SECURED) {
    c->moment = (struct nova__moment){e->since, e->t};
    c->asked = e->since;
  }
  /* A device that is not to be talked to has nothing to wait for. */
  if (c->secured == NOVA__INSECURE && p->o.harness == NOVA_ROLE_SERVER)
    c->closing = true;
}

/* The process of the device under test is gone. */
static void exited(struct nova_player *p, const struct nova_event *e) {
  struct nova_entry entry = {.kind = NOVA_ENTRY_EXITED,
                             .t = e->t,
                             .since = e->since,
                             .from = NOVA_ACTOR_DEVICE,
                             .code = e->code,
                             .bytes = e->bytes,
                             .size = e->bytes.n};
  if (nova_transcript_add(&p->transcript, &entry) != 0)
    p->no_memory = true;
  p->exited = true;
  p->exit_code = e->code;
}

/* An event is told that is older than what was dealt with: the record has to
 * tell how far that was, or it is judged in another order again. */
static void note_present(struct nova_player *p) {
  expire_to(p, p->now);
  if (p->done || p->noted == p->now)
    return;
  p->noted = p->now;
  size_t at = nova__note(p, NOVA_ENTRY_LAG, 0, NULL, 0);
  if (at < p->transcript.n)
    p->transcript.entry[at].since = p->o.timing_error;
}

void nova_player_feed(struct nova_player *p, const struct nova_event *e) {
  if (e->t != 0)
    expire_to(p, e->t - 1);
  /* A device connects when it likes, and libmosquitto tells its own times. */
  if ((p->o.harness == NOVA_ROLE_SERVER ||
       p->o.script->over != NOVA_OVER_TCP) &&
      e->t < p->now && e->kind != NOVA_EVENT_SENT)
    note_present(p);
  bool process = e->kind == NOVA_EVENT_JOB && p->o.harness == NOVA_ROLE_SERVER;
  if (process && p->done)
    exited(p, e);
  if (p->done)
    return;
  if (e->t > p->now)
    p->now = e->t;
  if (e->kind == NOVA_EVENT_JOB) {
    if (process)
      exited(p, e);
    else
      nova__job_done(p, e);
    advance(p);
    return;
  }
  unsigned number = e->id <= UINT32_MAX ? (unsigned)e->id : 0;
  struct nova__conn *c = e->kind == NOVA_EVENT_ACCEPTED
                             ? nova__accept(p, number, e)
                             : nova__conn(p, number);
  if (c == NULL)
    return;
  enum nova_actor subject =
      p->subject == NOVA_ROLE_SERVER ? NOVA_ACTOR_SERVER : NOVA_ACTOR_DEVICE;
  struct nova_entry entry = {.t = e->t,
                             .since = e->since,
                             .from = subject,
                             .connection = number,
                             .code = e->code};
  switch (e->kind) {
  case NOVA_EVENT_ACCEPTED:
    entry.kind = NOVA_ENTRY_ACCEPTED;
    begin_tls(p, c, p->presents != NULL ? &p->presents->tls : NULL);
    break;
  case NOVA_EVENT_SECURED:
  case NOVA_EVENT_INSECURE:
    entry.kind = e->kind == NOVA_EVENT_SECURED ? NOVA_ENTRY_SECURED
                                               : NOVA_ENTRY_INSECURE;
    entry.bytes = e->bytes;
    entry.size = e->bytes.n;
    break;
  case NOVA_EVENT_CONNECTED:
    entry.kind = NOVA_ENTRY_CONNECTED;
    c->link = NOVA__LINK_OPEN;
    c->moment = (struct nova__moment){e->since, e->t};
    c->asked = e->since;
    c->last_out = e->t;
    c->lost = c->partial = NOVA_TS_NONE;
    c->refused = c->authenticated = c->as_other = c->half_closed = false;
    p->connected_ever = true;
    if (c->framing)
      nova_line_free(&c->line);
    c->framing = false;
    c->closing = c->spoke = false;
    if (p->o.script->over == NOVA_OVER_TCP)
      c->framing = nova_line_init(&c->line, p->o.mem, NOVA_LINE_LIMIT) == 0;
    else
      nova__play_mqtt_begin(p, c);
    begin_tls(p, c,
              p->step != NULL && p->step->verb == NOVA_VERB_CONNECT
                  ? &p->step->tls
                  : NULL);
    break;
  case NOVA_EVENT_REFUSED:
    entry.kind = NOVA_ENTRY_REFUSED;
    entry.bytes = e->bytes;
    entry.size = e->bytes.n;
    c->link = NOVA__LINK_NONE;
    c->refused = true;
    p->refused_ever = true;
    break;
  case NOVA_EVENT_BYTES:
    entry.kind = NOVA_ENTRY_RECEIVED;
    entry.bytes = e->bytes;
    entry.size = e->bytes.n;
    break;
  case NOVA_EVENT_EOF: entry.kind = NOVA_ENTRY_EOF; break;
  case NOVA_EVENT_RESET: entry.kind = NOVA_ENTRY_RESET; break;
  case NOVA_EVENT_SENT:
    nova__sent(p, c, e);
    advance(p);
    return;
  case NOVA_EVENT_JOB: return;
  }
  bool live = c->link == NOVA__LINK_OPEN || c->link == NOVA__LINK_EOF ||
              e->kind == NOVA_EVENT_REFUSED;
  if (!live)
    return; /* of a connection that the harness has closed */
  if (nova_transcript_add(&p->transcript, &entry) != 0)
    p->no_memory = true;
  size_t at = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  if (e->kind == NOVA_EVENT_BYTES)
    nova__received(p, c, e, at);
  else if (e->kind == NOVA_EVENT_EOF || e->kind == NOVA_EVENT_RESET)
    lost(p, c, e, at);
  else if (e->kind == NOVA_EVENT_SECURED || e->kind == NOVA_EVENT_INSECURE)
    secured(p, c, e, at);
  else if (e->kind == NOVA_EVENT_ACCEPTED && p->refusing != NULL)
    nova__refuse(p, p->refusing);
  advance(p);
}

/* --- results
 * ------------------------------------------------------------------
 */

bool nova_player_done(const struct nova_player *p) {
  return p->done && p->queue == NULL;
}

void nova_player_abort(struct nova_player *p, const char *reason) {
  nova__break(p, NOVA_VERDICT_INCONCLUSIVE, "%s", reason);
}

const struct nova_check *nova_player_checks(const struct nova_player *p,
                                            size_t *n) {
  *n = p->checks;
  return p->check;
}

const struct nova_transcript *
nova_player_transcript(const struct nova_player *p) {
  return &p->transcript;
}

enum nova_verdict nova_player_verdict(const struct nova_player *p,
                                      const char **reason) {
  /* The worst first; a part that needs a hook makes no conversation incomplete
   * that was judged otherwise. */
  static const enum nova_verdict order[] = {
      NOVA_VERDICT_FAIL, NOVA_VERDICT_INCONCLUSIVE, NOVA_VERDICT_PASS,
      NOVA_VERDICT_NOT_TESTED};
  for (size_t o = 0; o < sizeof order / sizeof *order; o++)
    for (size_t i = 0; i < p->checks; i++)
      if (p->check[i].verdict == order[o] &&
          (order[o] != NOVA_VERDICT_PASS || p->check[i].step != 0)) {
        *reason = p->check[i].reason;
        return order[o];
      }
  *reason = p->broken;
  return p->broken != NULL ? p->broken_as : NOVA_VERDICT_NOT_TESTED;
}

nova_ts nova_player_lost_at(const struct nova_player *p) {
  return p->lost_at;
}

bool nova_player_unreached(const struct nova_player *p) {
  return p->refused_ever && !p->connected_ever;
}

nova_ts nova_player_hazard_at(const struct nova_player *p) {
  return p->hazard_at;
}

const char *nova_player_new_key(const struct nova_player *p,
                                const char **device_id) {
  *device_id = p->new_key_device;
  return p->new_key;
}

bool nova_player_met(const struct nova_player *p) {
  return p->accepted_n != 0;
}
