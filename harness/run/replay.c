#include "run/replay.h"

#include "conversation/player.h"
#include "run/plan.h"

#include <stdlib.h>

struct nova_replay {
  const struct nova_mem *mem;
  struct nova_player **player; /* by conversation, NULL where there is none */
  struct nova_check **check;   /* by conversation: of both, NULL for none */
  size_t n;
};

/* One event of a record. */
struct moment {
  const struct nova_entry *entry;
  size_t behind; /* how many entries stood there when it happened */
  size_t index;
  bool completes; /* a SENT: it stands where the sending began, and is told
                     where it ended */
};

/* In the order in which they were told. An entry's own event is what put it
 * there, so it comes before a sending that ended behind it. */
static int in_order(const void *a, const void *b) {
  const struct moment *x = a, *y = b;
  if (x->behind != y->behind)
    return x->behind < y->behind ? -1 : 1;
  if (x->completes != y->completes)
    return x->completes ? 1 : -1;
  if (x->entry->t != y->entry->t)
    return x->entry->t < y->entry->t ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

/* How long a device that never came was waited for stands in no record. */
static bool met(const struct nova_results *r, const struct nova_transcript *t) {
  bool met = r->subject == NOVA_ROLE_SERVER;
  for (size_t i = 0; i < t->n && !met; i++)
    met = t->entry[i].kind == NOVA_ENTRY_ACCEPTED;
  return met;
}

/* Whether the entries hold all that was fed. */
static bool whole(const struct nova_transcript *t) {
  if (t->cut)
    return false;
  for (size_t i = 0; i < t->n; i++) {
    const struct nova_entry *e = &t->entry[i];
    if ((e->kind == NOVA_ENTRY_RECEIVED || e->kind == NOVA_ENTRY_HOOK) &&
        e->bytes.n != e->size)
      return false;
  }
  return true;
}

/* The moments of a record. NULL without memory. */
static struct moment *moments(const struct nova_mem *mem,
                              const struct nova_transcript *t, size_t *n) {
  struct moment *list = nova_mem_alloc(mem, (t->n + 1) * sizeof *list);
  *n = 0;
  for (size_t i = 0; list != NULL && i < t->n; i++) {
    const struct nova_entry *e = &t->entry[i];
    struct moment m = {.entry = e, .index = i, .behind = i + 1};
    switch (e->kind) {
    case NOVA_ENTRY_SENT:
      if (e->code <= 0)
        continue; /* it was never out */
      m.behind = i + (size_t)e->code;
      m.completes = true;
      break;
    case NOVA_ENTRY_CONNECTED:
    case NOVA_ENTRY_REFUSED:
    case NOVA_ENTRY_ACCEPTED:
    case NOVA_ENTRY_RECEIVED:
    case NOVA_ENTRY_EOF:
    case NOVA_ENTRY_RESET:
    case NOVA_ENTRY_HOOK:
    case NOVA_ENTRY_EXITED:
    case NOVA_ENTRY_SECURED:
    case NOVA_ENTRY_INSECURE:
    case NOVA_ENTRY_LAG: break;
    case NOVA_ENTRY_CONNECTING:
    case NOVA_ENTRY_CLOSED:
    case NOVA_ENTRY_NOTE: continue; /* the player's own doing */
    }
    list[(*n)++] = m;
  }
  if (list != NULL)
    qsort(list, *n, sizeof *list, in_order);
  return list;
}

static enum nova_event_kind event_of(enum nova_entry_kind kind) {
  switch (kind) {
  case NOVA_ENTRY_CONNECTED: return NOVA_EVENT_CONNECTED;
  case NOVA_ENTRY_REFUSED: return NOVA_EVENT_REFUSED;
  case NOVA_ENTRY_ACCEPTED: return NOVA_EVENT_ACCEPTED;
  case NOVA_ENTRY_SENT: return NOVA_EVENT_SENT;
  case NOVA_ENTRY_RECEIVED: return NOVA_EVENT_BYTES;
  case NOVA_ENTRY_EOF: return NOVA_EVENT_EOF;
  case NOVA_ENTRY_RESET: return NOVA_EVENT_RESET;
  case NOVA_ENTRY_SECURED: return NOVA_EVENT_SECURED;
  case NOVA_ENTRY_INSECURE: return NOVA_EVENT_INSECURE;
  case NOVA_ENTRY_HOOK:
  case NOVA_ENTRY_EXITED:
  case NOVA_ENTRY_CONNECTING:
  case NOVA_ENTRY_CLOSED:
  case NOVA_ENTRY_NOTE:
  case NOVA_ENTRY_LAG: break;
  }
  return NOVA_EVENT_JOB;
}

/* What the player wants is done already. */
static void drop_actions(struct nova_player *p) {
  struct nova_action a;
  while (nova_player_next_action(p, 0, &a))
    ;
}

static void feed(struct nova_player *p, const struct nova_entry *e) {
  if (e->kind == NOVA_ENTRY_LAG) {
    nova_player_expire(p, nova_ts_add(e->t, 1));
    drop_actions(p);
    nova_player_set_timing_error(p, e->since);
    return;
  }
  struct nova_event event = {.kind = event_of(e->kind),
                             .id = e->connection,
                             .t = e->t,
                             .since = e->since,
                             .bytes = e->bytes,
                             .code = e->code};
  nova_player_feed(p, &event);
  drop_actions(p);
}

/* The credential of |id| with the key that was in force; false where there is
 * none. */
static bool login(const struct nova_profile *p, const char *id, const char *key,
                  struct nova_login *out) {
  for (size_t i = 0; id != NULL && i < p->devices; i++)
    if (strcmp(p->device[i].id, id) == 0) {
      *out = p->device[i];
      if (key != NULL)
        out->key = key;
      return true;
    }
  return false;
}

/* A script of MQTT was played over TLS: there was no other address, or the
 * record tells of handshakes. One that never ended does not stand there. */
static bool secured(const struct nova_profile *profile,
                    const struct nova_transcript *t) {
  enum nova_link_kind over = NOVA_OVER_MQTT;
  if (nova__address_for(profile, NOVA_OVER_MQTT, &over) != NULL &&
      over == NOVA_OVER_MQTTS)
    return true;
  for (size_t i = 0; i < t->n; i++)
    if (t->entry[i].kind == NOVA_ENTRY_SECURED ||
        t->entry[i].kind == NOVA_ENTRY_INSECURE)
      return true;
  return false;
}

static struct nova_player *play(const struct nova_mem *mem,
                                const struct nova_catalog *catalog,
                                const struct nova_script *script,
                                const struct nova_results *r,
                                const struct nova_conversation_result *c) {
  struct nova_login device = {0}, other = {0};
  bool has_device = login(r->profile, c->device, c->device_key, &device);
  bool has_other = login(r->profile, c->other, c->other_key, &other);
  /* One credential stood for both. */
  if (!has_other && script->devices == 2 && has_device) {
    other = device;
    has_other = true;
  }
  uint32_t hooks = 0;
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    if (r->profile->hook[h] != NULL)
      hooks |= 1u << h;
  struct nova_player *p = nova_player_new(&(struct nova_player_options){
      .mem = mem,
      .script = script,
      .rules = catalog->rules,
      .profile = r->profile,
      .harness =
          r->subject == NOVA_ROLE_SERVER ? NOVA_ROLE_DEVICE : NOVA_ROLE_SERVER,
      .device = has_device ? &device : NULL,
      .other = has_other ? &other : NULL,
      .seed = c->seed,
      .unix_ns = c->unix_ns,
      .timing_error = c->timing_error,
      .patience = NOVA_TS_NONE,
      .again = c->again,
      .hooks = hooks,
      .tls = script->over == NOVA_OVER_MQTT &&
             secured(r->profile, &c->transcript)});
  size_t n = 0;
  struct moment *list = moments(mem, &c->transcript, &n);
  if (p == NULL || list == NULL) {
    nova_player_free(p);
    nova_mem_free(mem, list);
    return NULL;
  }
  drop_actions(p);
  /* A process that ended behind its conversation is no part of it: one that was
   * interrupted is not played on up to there. */
  for (size_t i = 0; i < n && !nova_player_done(p); i++)
    if (list[i].entry->kind != NOVA_ENTRY_EXITED ||
        list[i].entry->t <= c->duration)
      feed(p, list[i].entry);
  nova_player_expire(p, c->duration);
  drop_actions(p);
  nova_mem_free(mem, list);
  return p;
}

/* --- from what the player found to the result --------------------------------
 */

static bool was_excused(const struct nova_conversation_result *c) {
  for (size_t i = 0; i < c->checks; i++)
    if (c->check[i].reason != NULL &&
        strncmp(c->check[i].reason, NOVA__EXCUSE, strlen(NOVA__EXCUSE)) == 0)
      return true;
  return false;
}

static void replace(struct nova_results *r, struct nova_conversation_result *c,
                    struct nova_player *p) {
  bool excused = was_excused(c);
  c->check = (struct nova_check *)(uintptr_t)nova_player_checks(p, &c->checks);
  if (excused)
    nova__excuse(r->arena, c->check, c->checks);
  c->verdict = nova_player_verdict(p, &c->reason);
  c->failure = nova__first_failure(c->check, c->checks);
}

/* The recorded checks of steps, and the new ones of rules. False without
 * memory. */
static bool mix(struct nova_replay *v, size_t at,
                struct nova_conversation_result *c, struct nova_player *p) {
  size_t found = 0, n = 0;
  const struct nova_check *fresh = nova_player_checks(p, &found);
  struct nova_check *list =
      nova_mem_alloc(v->mem, (c->checks + found + 1) * sizeof *list);
  if (list == NULL)
    return false;
  for (size_t i = 0; i < c->checks; i++)
    if (c->check[i].rule == NULL)
      list[n++] = c->check[i];
  for (size_t i = 0; i < found; i++)
    if (fresh[i].rule != NULL)
      list[n++] = fresh[i];
  v->check[at] = list;
  c->check = list;
  c->checks = n;
  c->failure = nova__first_failure(list, n);
  if (c->failure != NULL) {
    c->verdict = NOVA_VERDICT_FAIL;
    c->reason = c->failure->reason;
  } else if (c->verdict == NOVA_VERDICT_FAIL) {
    c->verdict = NOVA_VERDICT_INCONCLUSIVE;
    c->reason = "what had failed does not by the present rules, and the record "
                "ends before the conversation does";
  }
  return true;
}

static bool one(struct nova_replay *v, const struct nova_catalog *catalog,
                struct nova_results *r, size_t at,
                struct nova_replay_counts *counts) {
  struct nova_conversation_result *c = &r->conversation[at];
  const struct nova_script *script = nova_catalog_script(catalog, c->id);
  if (script == NULL || c->transcript.n == 0 || !whole(&c->transcript) ||
      !met(r, &c->transcript)) {
    counts->stand++;
    return true;
  }
  struct nova_player *p = play(v->mem, catalog, script, r, c);
  if (p == NULL)
    return false;
  v->player[at] = p;
  if (nova_player_done(p)) {
    replace(r, c, p);
    counts->replayed++;
    return true;
  }
  counts->partly++;
  nova_player_abort(p, "the record ends here");
  return mix(v, at, c, p);
}

struct nova_replay *nova_replay_run(const struct nova_mem *mem,
                                    const struct nova_catalog *catalog,
                                    struct nova_results *r,
                                    struct nova_replay_counts *counts) {
  struct nova_replay_counts ignored = {0};
  counts = counts != NULL ? counts : &ignored;
  *counts = ignored;
  struct nova_replay *v = nova_mem_zalloc(mem, sizeof *v);
  if (v == NULL)
    return NULL;
  v->mem = mem;
  v->n = r->conversations;
  v->player = nova_mem_zalloc(mem, (v->n + 1) * sizeof(struct nova_player *));
  v->check = nova_mem_zalloc(mem, (v->n + 1) * sizeof(struct nova_check *));
  bool good = v->player != NULL && v->check != NULL;
  for (size_t i = 0; i < v->n && good; i++)
    good = one(v, catalog, r, i, counts);
  if (good)
    return v;
  nova_replay_free(v);
  return NULL;
}

void nova_replay_free(struct nova_replay *v) {
  if (v == NULL)
    return;
  for (size_t i = 0; i < v->n; i++) {
    if (v->player != NULL)
      nova_player_free(v->player[i]);
    if (v->check != NULL)
      nova_mem_free(v->mem, v->check[i]);
  }
  nova_mem_free(v->mem, v->player);
  nova_mem_free(v->mem, v->check);
  nova_mem_free(v->mem, v);
}
