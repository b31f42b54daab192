#include "run/run.h"

#include "base/error.h"
#include "run/state.h"
#include "verdict/score.h"
#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>

/* One that is disturbed is tried again; one whose second try was disturbed too
 * is inconclusive. */
#define TRIES_MOST 3
/* From the end of a credential's conversation to its next one: a server that
 * allows a device one connection has to notice the end of the last. */
#define REST (100 * NOVA_MS)
/* So many conversations in a row that cannot connect: nobody is there. */
#define UNREACHED_MOST 5
#define HOOK_OUTPUT    (256u << 10)
/* Processes of devices are started one by one: sixty that start at once would
 * keep each other from answering in time. */
#define BETWEEN_STARTS (50 * NOVA_MS)
#define AT_ONCE        8
#define RESULTS_MOST   (64u << 20)
/* Evidence: of a run, and of one conversation. The last ones of a run whose
 * subject floods us get less, never nothing. */
#define EVIDENCE_RUN   ((size_t)16 << 20)
#define EVIDENCE_MOST  ((size_t)2 << 20)
#define EVIDENCE_LEAST ((size_t)64 << 10)

static void tell(struct nova_run *r, enum nova_run_news_kind kind,
                 const struct nova__planned *p, const char *reason) {
  if (r->o.news == NULL)
    return;
  struct nova_run_news n = {.kind = kind,
                            .script = p != NULL ? p->script : NULL,
                            .result = p != NULL ? &p->result : NULL,
                            .reason = reason,
                            .count = r->planned};
  r->o.news(r->o.user, &n);
}

/* --- starting
 * -----------------------------------------------------------------
 */

static bool met_any(const struct nova_run *r) {
  bool met = false;
  for (size_t i = 0; i < r->profile.devices; i++)
    met |= r->met[i];
  return met;
}

/* Whether it is about the handshake: it says what the harness presents. */
static bool presents(const struct nova_step *s) {
  for (; s != NULL; s = s->next) {
    if (s->verb == NOVA_VERB_PRESENT)
      return true;
    for (const struct nova_branch *b = s->branches; b != NULL; b = b->next)
      if (presents(b->steps)) /* the loader bounds the nesting */
        return true;
  }
  return false;
}

/* Why a conversation can never start with this profile; NULL where it can. */
static const char *impossible(struct nova_run *r,
                              const struct nova__planned *p) {
  const struct nova_script *s = p->script;
  uint32_t given = 0;
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    if (r->o.hook[h] != NULL)
      given |= 1u << h;
  given |= nova_profile_declared(&r->profile);
  /* A harness that is the server sends commands itself. */
  if (r->profile.subject == NOVA_ROLE_DEVICE)
    given |= 1u << NOVA_HOOK_SEND_COMMAND;
  if ((s->needs & ~given) != 0)
    return nova_arena_printf(&r->arena, "needs %s in the profile",
                             nova_need_name(s->needs & ~given));
  size_t alive = 0;
  for (size_t i = 0; i < r->profile.devices; i++)
    alive += !r->dead[i] && (r->absent[i] & 1u << p->over) == 0;
  if (nova__alone(r) && alive == 0 && r->profile.devices != 0)
    return met_any(r) ? "the device did not connect again"
                      : "the device never connected";
  if (r->by_hand && r->profile.devices > 1 && presents(s->steps))
    return "before a handshake several devices cannot be told apart: it needs "
           "a run with one credential";
  unsigned wanted = s->devices == 2 && s->other_preferred ? 1 : s->devices;
  /* A device under test has one, whether the script looks at it or not. */
  if (nova__alone(r) && wanted == 0)
    wanted = 1;
  if (alive < wanted)
    return r->profile.devices < wanted
               ? (wanted == 2 ? "needs a second credential (--device ID:KEY)"
                              : "needs a credential (--device ID:KEY)")
               : "needs a credential that is still active";
  if (r->profile.max_connections != 0 &&
      s->connections - s->platforms > r->profile.max_connections)
    return "needs more connections at once than max_connections allows";
  return NULL;
}

static size_t free_credential(const struct nova_run *r,
                              const struct nova__planned *p, size_t not_this) {
  for (size_t i = 0; i < r->profile.devices; i++)
    if (!r->leased[i] && !r->dead[i] && (r->absent[i] & 1u << p->over) == 0 &&
        r->rests_until[i] == 0 && i != not_this)
      return i;
  return SIZE_MAX;
}

/* Whether something of this kind is under way. */
static bool any_active(const struct nova_run *r, bool hazard, bool quiet) {
  for (size_t i = 0; i < r->planned; i++)
    if (r->plan[i].state == NOVA__ACTIVE &&
        ((hazard && r->plan[i].script->hazard) || (quiet && r->plan[i].quiet)))
      return true;
  return false;
}

/* From when on a process may be started: a few at once, then one by one. */
static nova_ts starts_at(const struct nova_run *r) {
  nova_ts few = (AT_ONCE - 1) * BETWEEN_STARTS;
  return r->next_start > few ? r->next_start - few : 0;
}

/* A device came another way while this one's door was watched: what can be
 * played with it goes first. */
static bool stands_back(const struct nova_run *r,
                        const struct nova__planned *p) {
  if (!r->by_hand || r->favoured[p->over])
    return false;
  for (size_t i = 0; i < r->planned; i++)
    if (r->plan[i].state == NOVA__WAITING && r->favoured[r->plan[i].over])
      return true;
  return false;
}

static bool may_start(struct nova_run *r, struct nova__planned *p) {
  const struct nova_script *s = p->script;
  if (stands_back(r, p))
    return false;
  if (r->o.jobs != 0 && r->active >= r->o.jobs)
    return false;
  if (nova__now(r) < starts_at(r))
    return false;
  if (r->profile.max_connections != 0 &&
      r->connections + s->connections - s->platforms >
          r->profile.max_connections)
    return false;
  /* What changes the platform for good waits for everything else. */
  if (s->last)
    for (size_t i = 0; i < r->planned; i++)
      if (r->plan[i].state == NOVA__ACTIVE ||
          (r->plan[i].state == NOVA__WAITING && !r->plan[i].script->last))
        return false;
  if (!nova__alone(r) && p->quiet && any_active(r, true, false))
    return false;
  /* One at a time, so that a crash is laid at the right door. */
  if (!nova__alone(r) && s->hazard && any_active(r, true, true))
    return false;
  if (s->devices == 0 && !nova__alone(r))
    return true;
  size_t first = free_credential(r, p, SIZE_MAX);
  if (first == SIZE_MAX)
    return false;
  size_t second = s->devices == 2 ? free_credential(r, p, first) : first;
  if (second == SIZE_MAX) {
    if (!s->other_preferred)
      return false;
    /* Another one is preferred: wait for it where there is one to come. */
    size_t alive = 0;
    for (size_t i = 0; i < r->profile.devices; i++)
      alive += !r->dead[i];
    if (alive > 1)
      return false;
    second = first;
  }
  p->device = first;
  p->other = s->devices == 2 ? second : SIZE_MAX;
  return true;
}

static void lease_one(struct nova_run *r, size_t device, bool on) {
  if (device == SIZE_MAX)
    return;
  r->leased[device] = on;
  r->rests_until[device] = on ? 0 : nova_ts_add(nova__now(r), REST);
}

static void lease(struct nova_run *r, struct nova__planned *p, bool on) {
  lease_one(r, p->device, on);
  lease_one(r, p->other, on);
  if (on)
    r->connections += p->script->connections - p->script->platforms;
  else
    r->connections -= p->script->connections - p->script->platforms;
}

/* How much evidence one more conversation may keep. */
static size_t evidence(const struct nova_run *r) {
  size_t used = 0;
  for (size_t i = 0; i < r->planned; i++)
    if (r->plan[i].player != NULL) {
      const struct nova_transcript *t =
          nova_player_transcript(r->plan[i].player);
      size_t entries = t->n * sizeof *t->entry;
      used += t->kept > entries ? t->kept : entries;
    }
  size_t share = used < EVIDENCE_RUN ? (EVIDENCE_RUN - used) / 4 : 0;
  return share > EVIDENCE_MOST    ? EVIDENCE_MOST
         : share < EVIDENCE_LEAST ? EVIDENCE_LEAST
                                  : share;
}

static void start(struct nova_run *r, struct nova__planned *p) {
  const struct nova_script *s = p->script;
  p->state = NOVA__ACTIVE;
  p->tries++;
  r->active++;
  lease(r, p, true);
  p->t0 = nova__now(r);
  uint32_t hooks = 0;
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    if (r->o.hook[h] != NULL)
      hooks |= 1u << h;
  const struct nova_login *device =
      p->device != SIZE_MAX ? &r->profile.device[p->device] : NULL;
  const struct nova_login *other =
      p->other != SIZE_MAX ? &r->profile.device[p->other] : NULL;
  uint64_t seed = nova_rng_derive(r->o.seed, s->id);
  uint64_t unix_ns = r->o.transport->ops->unix_ns(r->o.transport);
  nova_ts error = r->o.timing_error != NULL ? r->o.timing_error(r->o.user) : 0;
  if (error > r->worst_error)
    r->worst_error = error;
  nova_player_free(p->player);
  p->player = NULL; /* evidence() below looks at every player there is */
  p->player = nova_player_new(&(struct nova_player_options){
      .mem = r->o.mem,
      .script = s,
      .rules = r->o.catalog->rules,
      .profile = &r->profile,
      .harness = r->profile.subject == NOVA_ROLE_SERVER ? NOVA_ROLE_DEVICE
                                                        : NOVA_ROLE_SERVER,
      .device = device,
      .other = other,
      .seed = seed,
      .unix_ns = unix_ns,
      .timing_error = error,
      .patience = r->patience,
      .again = p->device != SIZE_MAX && r->by_hand && r->met[p->device],
      .hooks = hooks,
      .json = r->json,
      .payloads = r->payloads,
      .tls = s->over == NOVA_OVER_MQTT && p->over == NOVA_OVER_MQTTS,
      .evidence = evidence(r)});
  p->result = (struct nova_conversation_result){
      .id = s->id,
      .title = s->title,
      .why = s->why,
      .mend = s->mend,
      .transport = s->transport,
      .verifies = s->verifies,
      .started = p->t0 - r->started,
      .device = device != NULL ? device->id : NULL,
      .other = other != NULL && other != device ? other->id : NULL,
      .device_key = device != NULL ? device->key : NULL,
      .other_key = other != NULL && other != device ? other->key : NULL,
      .seed = seed,
      .unix_ns = unix_ns,
      .timing_error = error,
      .tries = p->tries,
      .again = p->device != SIZE_MAX && r->by_hand && r->met[p->device]};
  memset(p->link, 0, sizeof p->link);
  p->accepted = 0;
  p->listener = p->job = 0;
  tell(r, NOVA_RUN_STARTED, p, NULL);
}

/* --- doing what players ask
 * ----------------------------------------------------
 */

/* The error bar of this moment. */
static void note_error(struct nova_run *r, struct nova__planned *p) {
  nova_ts error = r->o.timing_error != NULL ? r->o.timing_error(r->o.user) : 0;
  if (error > r->worst_error)
    r->worst_error = error;
  nova_player_set_timing_error(p->player, error);
}

struct nova__link *nova__link_of(struct nova__planned *p, uint64_t id) {
  for (size_t i = 0; id != 0 && i < NOVA__LINKS; i++)
    if (p->link[i].id == id)
      return &p->link[i];
  return NULL;
}

struct nova__link *nova__link_number(struct nova__planned *p, unsigned number) {
  for (size_t i = 0; i < NOVA__LINKS; i++)
    if (p->link[i].id != 0 && p->link[i].number == number)
      return &p->link[i];
  return NULL;
}

struct nova__link *nova__link_free(struct nova__planned *p) {
  for (size_t i = 0; i < NOVA__LINKS; i++)
    if (p->link[i].id == 0)
      return &p->link[i];
  return NULL;
}

void nova__feed(struct nova__planned *p, struct nova_event e, unsigned number) {
  e.id = number;
  e.t = e.t > p->t0 ? e.t - p->t0 : 0;
  e.since = e.since > p->t0 ? e.since - p->t0 : 0;
  nova_player_feed(p->player, &e);
}

static void do_hook(struct nova_run *r, struct nova__planned *p,
                    const struct nova_action *a) {
  struct nova_job job = {.argv = r->o.hook[a->hook],
                         .env = a->env,
                         .cwd = r->o.hook_folder,
                         .timeout =
                             r->profile.timers.span[NOVA_TIMER_hook_timeout],
                         .output_limit = HOOK_OUTPUT};
  p->job = r->next_id++;
  if (r->o.transport->ops->run(r->o.transport, p->job, &job) != 0) {
    p->job = 0;
    nova_ts t = nova__now(r);
    nova__feed(p,
               (struct nova_event){.kind = NOVA_EVENT_JOB,
                                   .t = t,
                                   .since = t,
                                   .code = NOVA_CODE_NOT_STARTED},
               0);
  }
}

/* libmosquitto compares a server's certificate with the host that it connects
 * to, and with no other name. */
static bool library_can(const struct nova_run *r,
                        const struct nova__planned *p) {
  const char *name = r->profile.tls.server_name;
  return r->o.library != NULL && (p->over != NOVA_OVER_MQTTS || name == NULL ||
                                  strcmp(name, r->profile.mqtts.host) == 0);
}

static void connect_to(struct nova_run *r, struct nova__planned *p,
                       const struct nova_action *a) {
  /* What it cannot do is done by the harness's own client. */
  bool library = library_can(r, p) && (a->platform || p->script->library);
  struct nova_transport *t = library ? r->o.library : r->o.transport;
  const struct nova_address *at = nova__address_at(&r->profile, p->over);
  struct nova__link *link = nova__link_free(p);
  int err = NOVA_ERR_LIMIT;
  if (link != NULL) {
    *link = (struct nova__link){t, r->next_id++, a->connection, false};
    err = t->ops->connect(t, link->id, at->host, at->port,
                          r->profile.timers.span[NOVA_TIMER_response_timeout]);
  }
  if (err == 0)
    return;
  if (link != NULL)
    link->id = 0;
  nova_ts now = nova__now(r);
  nova__feed(p,
             (struct nova_event){.kind = NOVA_EVENT_REFUSED,
                                 .t = now,
                                 .since = now,
                                 .code = NOVA_CODE_OTHER,
                                 .bytes = nova_view_of(nova_error_text(err))},
             a->connection);
}

void nova__begin_tls(struct nova_run *r, struct nova__planned *p,
                     const struct nova_action *a) {
  struct nova__link *link = nova__link_number(p, a->connection);
  if (link == NULL || link->shaken)
    return; /* it is gone again, or secured before it was known whose it is */
  const struct nova_tls_wish *wish = &a->tls;
  const struct nova_profile *profile = &r->profile;
  struct nova_tls tls = {.server = nova__alone(r),
                         .lowest = wish->lowest,
                         .highest = wish->highest};
  if (!tls.server) {
    tls.ca = r->o.ca;
    tls.name =
        nova_view_of(profile->tls.server_name != NULL ? profile->tls.server_name
                                                      : profile->mqtts.host);
    tls.anyone = wish->anyone;
    if (!wish->no_own)
      tls.own = r->o.own;
  } else if (r->o.certificates != NULL) {
    tls.own = r->o.certificates->server[wish->certificate];
    if (wish->asks)
      tls.ca = r->o.certificates->client_ca;
  }
  struct nova_transport *t = link->via;
  int err = t->ops->secure == NULL || (tls.server && tls.own.cert.n == 0)
                ? NOVA_ERR_STATE
                : t->ops->secure(t, link->id, &tls);
  if (err != 0)
    nova_player_abort(
        p->player,
        err == NOVA_ERR_ARGUMENT
            ? "the harness's TLS library cannot do what this asks for"
            : "the harness could not begin TLS on the connection");
}

int nova__begin_tls_at(struct nova_run *r, uint64_t id) {
  struct nova_transport *t = r->o.transport;
  struct nova_tls tls = {.server = true};
  if (t->ops->secure == NULL || r->o.certificates == NULL)
    return NOVA_ERR_STATE;
  tls.own = r->o.certificates->server[NOVA_CERTIFICATE_GOOD];
  return t->ops->secure(t, id, &tls);
}

static void act(struct nova_run *r, struct nova__planned *p,
                const struct nova_action *a) {
  struct nova__link *link = nova__link_number(p, a->connection);
  struct nova_transport *t = link != NULL ? link->via : r->o.transport;
  nova_ts at = nova__now(r);
  switch (a->kind) {
  case NOVA_ACTION_CONNECT: connect_to(r, p, a); return;
  case NOVA_ACTION_SECURE: nova__begin_tls(r, p, a); return;
  case NOVA_ACTION_SEND:
    if (link == NULL || t->ops->send(t, link->id, a->bytes.p, a->bytes.n) != 0)
      /* The connection is gone: the player hears so by itself; what it waits
       * for is only that the sending is over. */
      nova__feed(
          p, (struct nova_event){.kind = NOVA_EVENT_SENT, .t = at, .since = at},
          a->connection);
    return;
  case NOVA_ACTION_CLOSE:
    if (link != NULL) {
      t->ops->close(t, link->id, a->code == 1);
      link->id = 0;
    }
    return;
  case NOVA_ACTION_HALF_CLOSE:
    if (link != NULL)
      t->ops->half_close(t, link->id);
    return;
  case NOVA_ACTION_HOOK: do_hook(r, p, a); return;
  }
}

void nova__drain(struct nova_run *r, struct nova__planned *p) {
  struct nova_action a;
  /* The clock stays at the last event: others that are as old may wait to be
   * fed, and only on_expire() is called with none left. */
  while (p->state == NOVA__ACTIVE && nova_player_next_action(p->player, 0, &a))
    act(r, p, &a);
  if (p->state != NOVA__ACTIVE || !nova_player_done(p->player))
    return;
  /* How long its process takes to end is no part of the conversation. */
  p->result.duration = nova__now(r) - p->t0;
  if (nova__alone(r) && nova__device_end(r, p))
    p->state = NOVA__LEAVING;
  else
    nova__conclude(r, p);
}

/* --- ending
 * ---------------------------------------------------------------------
 */

static void take_result(struct nova__planned *p) {
  size_t n = 0;
  const struct nova_check *checks = nova_player_checks(p->player, &n);
  struct nova_conversation_result *res = &p->result;
  /* The player outlives the results, which may downgrade its checks. */
  res->check = (struct nova_check *)(uintptr_t)checks;
  res->checks = n;
  res->transcript = *nova_player_transcript(p->player);
  res->verdict = nova_player_verdict(p->player, &res->reason);
  res->failure = nova__first_failure(checks, n);
}

/* Whether it leaves its device deactivated. */
static bool uses_up(const struct nova_run *r, const struct nova_script *s) {
  bool deactivates = (s->needs & 1u << NOVA_HOOK_DEACTIVATE) != 0;
  for (const struct nova_step *k = s->steps; k != NULL; k = k->next)
    deactivates |= k->verb == NOVA_VERB_HOOK && k->hook == NOVA_HOOK_DEACTIVATE;
  return deactivates && r->o.hook[NOVA_HOOK_ACTIVATE] == NULL;
}

/* A new key, and credentials that a conversation has used up. */
static void take_credentials(struct nova_run *r, struct nova__planned *p) {
  const char *id = NULL;
  const char *key = nova_player_new_key(p->player, &id);
  for (size_t i = 0; key != NULL && i < r->profile.devices; i++)
    if (strcmp(r->profile.device[i].id, id) == 0) {
      /* The player that has it goes where the conversation is tried again. */
      const char *copy = nova_arena_copy(&r->arena, key, strlen(key));
      if (copy != NULL)
        r->profile.device[i].key = copy;
    }
  if (p->device != SIZE_MAX && uses_up(r, p->script))
    r->dead[p->device] = true;
}

/* Its device, operated by hand, never came: one that is not there is not waited
 * for again. True where another one may come for the conversation. */
static bool is_for_another(struct nova_run *r, const struct nova__planned *p) {
  if (!r->by_hand || r->interrupted || p->device == SIZE_MAX ||
      nova_player_met(p->player))
    return false;
  r->absent[p->device] |= (uint8_t)(1u << p->over);
  size_t others = 0;
  for (size_t i = 0; i < r->profile.devices; i++)
    others += !r->dead[i] && (r->absent[i] & 1u << p->over) == 0;
  return others >= (p->script->other_preferred ? 1 : p->script->devices) &&
         others != 0;
}

void nova__conclude(struct nova_run *r, struct nova__planned *p) {
  if (is_for_another(r, p)) {
    nova__put_back(r, p);
    return;
  }
  take_result(p);
  lease(r, p, false);
  r->active--;
  nova_ts hazard = nova_player_hazard_at(p->player);
  nova_ts lost = nova_player_lost_at(p->player);
  p->hazard_at = hazard != NOVA_TS_NONE ? hazard + p->t0 : NOVA_TS_NONE;
  p->lost_at = lost != NOVA_TS_NONE ? lost + p->t0 : NOVA_TS_NONE;
  bool unreached = nova_player_unreached(p->player);
  if (nova__alone(r) && p->device != SIZE_MAX) {
    r->met[p->device] |= nova_player_met(p->player);
  }
  r->reached |= !unreached;
  r->unreached = unreached ? r->unreached + 1 : 0;
  take_credentials(r, p);
  p->state = NOVA__ENDED;
  r->replan = true;
  const char *again = NULL;
  p->disturbed = !p->quiet && nova__victim(r, p);
  bool possible =
      !r->interrupted && r->unreached < UNREACHED_MOST && p->tries < TRIES_MOST;
  if (p->disturbed && possible)
    again = "it may have suffered from a conversation that tests the subject "
            "hard";
  else if (possible && nova__wants_retry(p))
    again = "a bound was missed by less than the run's timing error";
  if (again != NULL) {
    p->state = NOVA__WAITING;
    p->quiet = true;
    p->lost_at = NOVA_TS_NONE;
    tell(r, NOVA_RUN_AGAIN, p, again);
    return;
  }
  if (p->disturbed)
    nova__excuse_all(r, p);
  tell(r, NOVA_RUN_ENDED, p, NULL);
}

void nova__put_back(struct nova_run *r, struct nova__planned *p) {
  nova_player_free(p->player);
  p->player = NULL;
  lease(r, p, false);
  if (p->device != SIZE_MAX)
    r->rests_until[p->device] = 0;
  r->active--;
  /* What an earlier try has found is gone with its player. */
  p->tries = 0;
  p->disturbed = false;
  p->state = NOVA__WAITING;
  r->replan = true;
  tell(r, NOVA_RUN_POSTPONED, p, NULL);
}

static void give_up(struct nova_run *r, struct nova__planned *p,
                    enum nova_verdict verdict, const char *reason) {
  const struct nova_script *s = p->script;
  p->state = NOVA__ENDED;
  r->replan = true;
  if (p->tries != 0) {
    /* Its last try is its result, as far as that proves anything. */
    if (p->disturbed)
      nova__excuse_all(r, p);
    tell(r, NOVA_RUN_ENDED, p, NULL);
    return;
  }
  p->result = (struct nova_conversation_result){.id = s->id,
                                                .title = s->title,
                                                .why = s->why,
                                                .mend = s->mend,
                                                .transport = s->transport,
                                                .verifies = s->verifies,
                                                .verdict = verdict,
                                                .reason = reason};
  p->result.check =
      NOVA_NEW_ARRAY(&r->arena, struct nova_check, s->verifies.n + 1);
  for (size_t i = 0; p->result.check != NULL && i < s->verifies.n; i++)
    p->result.check[p->result.checks++] =
        (struct nova_check){.requirement = s->verifies.id[i],
                            .verdict = verdict,
                            .line = s->line,
                            .reason = reason,
                            .measured = NOVA_TS_NONE,
                            .earliest = NOVA_TS_NONE,
                            .latest = NOVA_TS_NONE};
  tell(r, NOVA_RUN_ENDED, p, NULL);
}

/* --- the loop
 * --------------------------------------------------------------------
 */

static void start_waiting(struct nova_run *r) {
  for (size_t i = 0; i < r->planned; i++) {
    struct nova__planned *p = &r->plan[i];
    if (p->state != NOVA__WAITING)
      continue;
    const char *why = nova__alone(r) ? nova__device_exempt(r, p) : NULL;
    if (why != NULL) {
      give_up(r, p, NOVA_VERDICT_NOT_APPLICABLE, why);
      continue;
    }
    why = impossible(r, p);
    if (why != NULL) {
      give_up(r, p, NOVA_VERDICT_NOT_TESTED, why);
    } else if (r->unreached >= UNREACHED_MOST) {
      give_up(r, p, NOVA_VERDICT_INCONCLUSIVE, "the peer could not be reached");
    } else if (r->interrupted) {
      give_up(r, p, NOVA_VERDICT_NOT_TESTED, "the run was interrupted");
    } else if (may_start(r, p)) {
      start(r, p);
      why = p->player == NULL ? "the harness ran out of memory"
            : nova__alone(r)  ? nova__device_begin(r, p)
                              : NULL;
      if (why != NULL) {
        lease(r, p, false);
        r->active--;
        p->tries = 0;
        give_up(r, p, NOVA_VERDICT_INCONCLUSIVE, why);
      } else {
        if (p->job != 0 && nova__alone(r))
          r->next_start =
              (nova__now(r) > r->next_start ? nova__now(r) : r->next_start) +
              BETWEEN_STARTS;
        nova__drain(r, p);
      }
    }
  }
}

static void pump(struct nova_run *r) {
  if (r->pumping || r->over)
    return;
  r->pumping = true;
  while (r->replan) {
    r->replan = false;
    start_waiting(r);
    nova__lobby_sort(r);
  }
  nova_ts next = NOVA_TS_NONE;
  bool left = false, waiting = false;
  for (size_t i = 0; i < r->planned; i++) {
    struct nova__planned *p = &r->plan[i];
    left |= p->state != NOVA__ENDED;
    waiting |= p->state == NOVA__WAITING;
    if (p->state != NOVA__ACTIVE)
      continue;
    nova_ts d = nova_player_next_deadline(p->player);
    if (d != NOVA_TS_NONE)
      next = nova_ts_min(next, nova_ts_add(d, p->t0));
  }
  for (size_t i = 0; waiting && i < r->profile.devices; i++)
    if (r->rests_until[i] != 0)
      next = nova_ts_min(next, r->rests_until[i]);
  if (waiting && starts_at(r) > nova__now(r))
    next = nova_ts_min(next, starts_at(r));
  next = nova_ts_min(next, nova__lobby_deadline(r));
  next = nova_ts_min(next, nova__aside_deadline(r));
  r->pumping = false;
  if (!left) {
    r->over = true;
    r->ended = nova__now(r);
    r->o.transport->ops->wake_at(r->o.transport, NOVA_TS_NONE);
    for (unsigned k = 0; k < NOVA__DOORS; k++)
      if (r->port[k] != 0)
        r->o.transport->ops->unlisten(r->o.transport, NOVA__DOOR + k);
    nova__lobby_free(r);
    nova__aside_close(r);
    tell(r, NOVA_RUN_OVER, NULL, NULL);
    return;
  }
  r->o.transport->ops->wake_at(r->o.transport, next);
}

/* The conversation that an event is about; |number|: its connection there. */
static struct nova__planned *
concerned(struct nova_run *r, const struct nova_event *e, unsigned *number) {
  *number = 0;
  for (size_t i = 0; i < r->planned; i++) {
    struct nova__planned *p = &r->plan[i];
    if (p->state != NOVA__ACTIVE && p->state != NOVA__LEAVING)
      continue;
    if (e->kind == NOVA_EVENT_JOB) {
      if (p->job == e->id && e->id != 0)
        return p;
      continue;
    }
    const struct nova__link *link = nova__link_of(p, e->id);
    if (link == NULL)
      continue;
    *number = link->number;
    return p;
  }
  return NULL;
}

static void on_event(void *user, const struct nova_event *e) {
  struct nova_run *r = user;
  unsigned number = 0;
  if (e->kind == NOVA_EVENT_ACCEPTED) {
    nova__device_accept(r, e);
    pump(r);
    return;
  }
  if (nova__lobby_event(r, e) || nova__aside_event(r, e)) {
    pump(r);
    return;
  }
  struct nova__planned *p = concerned(r, e, &number);
  /* One that nobody listened to. */
  if (p == NULL && e->kind == NOVA_EVENT_EOF)
    r->o.transport->ops->close(r->o.transport, e->id, false);
  if (p != NULL && e->kind == NOVA_EVENT_JOB && nova__alone(r)) {
    nova__device_gone(r, p, e);
  } else if (p != NULL && p->state == NOVA__ACTIVE) {
    if (e->kind == NOVA_EVENT_JOB)
      p->job = 0;
    note_error(r, p);
    nova__feed(p, *e, number);
    struct nova__link *link = nova__link_number(p, number);
    if (link != NULL &&
        (e->kind == NOVA_EVENT_REFUSED || e->kind == NOVA_EVENT_RESET))
      link->id = 0; /* the transport has let go of it */
    nova__drain(r, p);
  }
  pump(r);
}

static void on_expire(void *user, nova_ts t) {
  struct nova_run *r = user;
  for (size_t i = 0; i < r->planned; i++) {
    struct nova__planned *p = &r->plan[i];
    if (p->state != NOVA__ACTIVE)
      continue;
    nova_ts d = nova_player_next_deadline(p->player);
    if (d != NOVA_TS_NONE && nova_ts_add(d, p->t0) <= t) {
      note_error(r, p);
      nova_player_expire(p->player, t - p->t0);
      nova__drain(r, p);
    }
  }
  nova__aside_expire(r, t);
  nova__lobby_sort(r);
  r->replan |= r->next_start != 0 && starts_at(r) <= t;
  for (size_t i = 0; i < r->profile.devices; i++)
    if (r->rests_until[i] != 0 && r->rests_until[i] <= t) {
      r->rests_until[i] = 0;
      r->replan = true;
    }
  pump(r);
}

/* --- from outside
 * ---------------------------------------------------------------
 */

static void keep_one(struct nova_run *r, struct nova__planned *p,
                     const struct nova_conversation_result *c) {
  p->state = NOVA__ENDED;
  p->result = *c;
  for (size_t i = 0; c->device != NULL && i < r->profile.devices; i++)
    if (strcmp(r->profile.device[i].id, c->device) == 0)
      r->dead[i] |= uses_up(r, p->script);
}

/* What was judged before stands. */
static void keep_old(struct nova_run *r) {
  for (size_t k = 0; k < r->o.kept_n; k++)
    for (size_t i = 0; i < r->planned; i++)
      if (strcmp(r->plan[i].script->id, r->o.kept[k].id) == 0)
        keep_one(r, &r->plan[i], &r->o.kept[k]);
}

struct nova_run *nova_run_new(const struct nova_run_options *o) {
  if (o->profile->tcp.host == NULL && o->profile->mqtt.host == NULL &&
      o->profile->mqtts.host == NULL)
    return NULL;
  struct nova_run *r = nova_mem_zalloc(o->mem, sizeof *r);
  if (r == NULL)
    return NULL;
  r->o = *o;
  nova_arena_init(&r->arena, o->mem, RESULTS_MOST);
  r->profile = *o->profile;
  r->next_id = 1;
  r->replan = true;
  r->guest_tail = &r->guest;
  r->patience = NOVA_TS_NONE;
  nova_player_scanners(o->mem, &r->json, &r->payloads);
  r->plan = nova__plan(o, &r->planned);
  /* Where there are no credentials each process of a device gets one. */
  size_t n = o->profile->devices + r->planned;
  r->profile.device = NOVA_NEW_ARRAY(&r->arena, struct nova_login, n + 1);
  r->leased = NOVA_NEW_ARRAY(&r->arena, bool, n + 1);
  r->dead = NOVA_NEW_ARRAY(&r->arena, bool, n + 1);
  r->met = NOVA_NEW_ARRAY(&r->arena, bool, n + 1);
  r->absent = NOVA_NEW_ARRAY(&r->arena, uint8_t, n + 1);
  r->rests_until = NOVA_NEW_ARRAY(&r->arena, nova_ts, n + 1);
  if (r->profile.device == NULL || r->leased == NULL || r->dead == NULL ||
      r->met == NULL || r->absent == NULL || r->rests_until == NULL ||
      r->plan == NULL || r->json == NULL || r->payloads == NULL) {
    nova_run_free(r);
    return NULL;
  }
  if (o->profile->devices != 0)
    memcpy(r->profile.device, o->profile->device,
           o->profile->devices * sizeof *r->profile.device);
  if (nova__alone(r) && nova__device_prepare(r) != 0) {
    nova_run_free(r);
    return NULL;
  }
  keep_old(r);
  return r;
}

void nova_run_free(struct nova_run *r) {
  if (r == NULL)
    return;
  nova__lobby_free(r);
  nova__aside_free(r);
  for (size_t i = 0; r->plan != NULL && i < r->planned; i++)
    nova_player_free(r->plan[i].player);
  nova_mem_free(r->o.mem, r->plan);
  nova_json_free(r->json);
  nova_json_free(r->payloads);
  nova_arena_free(&r->arena);
  nova_mem_free(r->o.mem, r);
}

int nova_run_start(struct nova_run *r, const char **why) {
  *why = NULL;
  r->o.transport->handler =
      (struct nova_handler){.event = on_event, .expire = on_expire, .user = r};
  if (r->o.library != NULL)
    r->o.library->handler = r->o.transport->handler;
  for (unsigned k = 0; r->by_hand && k < NOVA__DOORS; k++) {
    struct nova_address *a =
        nova__address_at(&r->profile, (enum nova_link_kind)k);
    if (a->host == NULL)
      continue;
    int err = r->o.transport->ops->listen(r->o.transport, NOVA__DOOR + k,
                                          a->host, a->port, &r->port[k], why);
    if (err != 0) {
      *why = nova_arena_printf(&r->arena, "%s:%u cannot be listened on: %s",
                               a->host, a->port, *why != NULL ? *why : "?");
      return err;
    }
    a->port = r->port[k];
  }
  r->started = nova__now(r);
  r->started_unix = r->o.transport->ops->unix_ns(r->o.transport);
  tell(r, NOVA_RUN_PLANNED, NULL, NULL);
  for (size_t i = 0; i < r->planned; i++)
    if (r->plan[i].state == NOVA__ENDED)
      tell(r, NOVA_RUN_KEPT, &r->plan[i], NULL);
  pump(r);
  return 0;
}

uint16_t nova_run_port(const struct nova_run *r, enum nova_link_kind over) {
  return r->port[over];
}

bool nova_run_over(const struct nova_run *r) {
  return r->over;
}

void nova_run_interrupt(struct nova_run *r, const char *reason) {
  if (r->over)
    return;
  r->interrupted = true;
  r->replan = true;
  for (size_t i = 0; i < r->planned; i++) {
    struct nova__planned *p = &r->plan[i];
    if (p->state != NOVA__ACTIVE)
      continue;
    nova_player_abort(p->player, reason);
    if (p->job != 0 && !nova__alone(r))
      r->o.transport->ops->stop(r->o.transport, p->job);
    nova__drain(r, p);
  }
  pump(r);
}
