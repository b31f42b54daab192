#include "run/plan.h"

#include <stdlib.h>

/* Iterative, linear in practice: the last star is the only one that can need
 * another try. */
bool nova_glob(const char *glob, const char *text) {
  const char *star = NULL, *resume = NULL;
  while (*text != '\0') {
    if (*glob == '*') {
      star = glob++;
      resume = text;
    } else if (*glob == '?' || *glob == *text) {
      glob++;
      text++;
    } else if (star != NULL) {
      glob = star + 1;
      text = ++resume;
    } else {
      return false;
    }
  }
  while (*glob == '*')
    glob++;
  return *glob == '\0';
}

static bool selects(const char *const *globs, const struct nova_script *s) {
  for (; globs != NULL && *globs != NULL; globs++) {
    if (nova_glob(*globs, s->id) || nova_glob(*globs, s->base))
      return true;
    for (size_t i = 0; i < s->verifies.n; i++)
      if (nova_glob(*globs, s->verifies.id[i]))
        return true;
  }
  return false;
}

/* Where a conversation is, as far as its script tells. */
struct timeline {
  const struct nova_timers *timers;
  nova_ts now;
  struct {
    const char *name;
    nova_ts t;
  } named[64];
  size_t names;
};

/* How long a step takes at least. */
static nova_ts span_of(const struct timeline *l, const struct nova_step *s) {
  const struct nova_timers *t = l->timers;
  switch (s->verb) {
  case NOVA_VERB_SILENT:
  case NOVA_VERB_OPEN:
  case NOVA_VERB_WAIT:
  case NOVA_VERB_ATTEMPTS: return nova_span_value(s->duration, t);
  case NOVA_VERB_REPEAT:
    /* Listened to, it takes its time; done, it goes on in the background. */
    return s->verifies.n != 0 && s->duration != NULL
               ? nova_span_value(s->duration, t)
               : 0;
  case NOVA_VERB_CLOSE:
    return s->within != NULL
               ? nova_span_value(s->within, t) - nova_span_slack(s->within, t)
               : 0;
  case NOVA_VERB_HOOK: return NOVA_SEC;
  case NOVA_VERB_EACH:
  case NOVA_VERB_CONNECT:
  case NOVA_VERB_SEND:
  case NOVA_VERB_HALF_CLOSE:
  case NOVA_VERB_RESET:
  case NOVA_VERB_REFUSE:
  case NOVA_VERB_SECURE:
  case NOVA_VERB_INSECURE:
  case NOVA_VERB_PRESENT:
  case NOVA_VERB_ANY_OF:
  case NOVA_VERB_STOP: break;
  }
  return 0;
}

static void follow(struct timeline *l, const struct nova_step *s) {
  for (; s != NULL; s = s->next) {
    if (s->verb == NOVA_VERB_ANY_OF) {
      /* The quickest of its branches. */
      struct timeline best = *l;
      best.now = NOVA_TS_NONE;
      for (const struct nova_branch *b = s->branches; b != NULL; b = b->next) {
        struct timeline other = *l;
        follow(&other, b->steps); /* the loader bounds the nesting */
        if (other.now < best.now)
          best = other;
      }
      *l = best;
      continue;
    }
    nova_ts from = l->now;
    for (size_t i = 0; s->from != NULL && i < l->names; i++)
      if (strcmp(l->named[i].name, s->from) == 0)
        from = l->named[i].t;
    nova_ts span = span_of(l, s);
    nova_ts end = span != NOVA_TS_NONE ? nova_ts_add(from, span) : from;
    if (end > l->now)
      l->now = end;
    if (s->as != NULL && l->names < 64) {
      l->named[l->names].name = s->as;
      l->named[l->names++].t = l->now;
    }
  }
}

nova_ts nova_run_estimate(const struct nova_script *s,
                          const struct nova_timers *t) {
  struct timeline l = {.timers = t};
  follow(&l, s->steps);
  return l.now + NOVA_SEC / 10;
}

/* The timers of data and status that the steps wait for. */
static unsigned timers_of(const struct nova_step *s) {
  unsigned set = 0;
  for (; s != NULL; s = s->next) {
    if (nova_span_uses(s->within, NOVA_TIMER_data_interval))
      set |= NOVA__WAITS_DATA;
    if (nova_span_uses(s->within, NOVA_TIMER_report_interval))
      set |= NOVA__WAITS_STATUS;
    for (const struct nova_branch *b = s->branches; b != NULL; b = b->next)
      set |= timers_of(b->steps); /* the loader bounds the nesting */
  }
  return set;
}

/* Last ones last, hazards after the harmless, the longest first; by name where
 * all else is equal, so that a run is planned the same way every time. */
static int compare(const void *a, const void *b) {
  const struct nova__planned *x = a, *y = b;
  if (x->script->last != y->script->last)
    return x->script->last ? 1 : -1;
  if (x->script->hazard != y->script->hazard)
    return x->script->hazard ? 1 : -1;
  if (x->estimate != y->estimate)
    return x->estimate < y->estimate ? 1 : -1;
  return strcmp(x->script->id, y->script->id);
}

const struct nova_address *nova__address_for(const struct nova_profile *p,
                                             enum nova_link_kind wanted,
                                             enum nova_link_kind *over) {
  const struct nova_address *all[] = {&p->tcp, &p->mqtt, &p->mqtts};
  /* What is inside of TLS is the same MQTT. */
  enum nova_link_kind last =
      wanted == NOVA_OVER_MQTT ? NOVA_OVER_MQTTS : wanted;
  for (enum nova_link_kind k = wanted; k <= last; k++) {
    if (all[k]->host == NULL || (p->transports_given && !p->transport[k]))
      continue;
    *over = k;
    return all[k];
  }
  return NULL;
}

/* Whether the options select it for a subject of that side. */
static bool chosen(const struct nova_script *s, enum nova_role subject,
                   const char *const *only, const char *const *skip) {
  /* The harness plays the other side than the subject's. */
  enum nova_role harness =
      subject == NOVA_ROLE_SERVER ? NOVA_ROLE_DEVICE : NOVA_ROLE_SERVER;
  return s->harness[harness] &&
         (only == NULL || only[0] == NULL || selects(only, s)) &&
         !selects(skip, s);
}

bool nova_run_any(const struct nova_catalog *c, enum nova_role subject,
                  const char *const *only, const char *const *skip) {
  for (const struct nova_script *s = c->scripts; s != NULL; s = s->next)
    if (chosen(s, subject, only, skip))
      return true;
  return false;
}

struct nova__planned *nova__plan(const struct nova_run_options *o, size_t *n) {
  struct nova__planned *plan =
      nova_mem_zalloc(o->mem, sizeof *plan * (o->catalog->script_count + 1));
  *n = 0;
  if (plan == NULL)
    return NULL;
  for (const struct nova_script *s = o->catalog->scripts; s != NULL;
       s = s->next) {
    enum nova_link_kind over = s->over;
    if (!chosen(s, o->profile->subject, o->only, o->skip) ||
        nova__address_for(o->profile, s->over, &over) == NULL)
      continue;
    plan[*n] = (struct nova__planned){
        .script = s,
        .over = over,
        .estimate = nova_run_estimate(s, &o->profile->timers),
        .device = SIZE_MAX,
        .other = SIZE_MAX,
        .timers = timers_of(s->steps),
        .hazard_at = NOVA_TS_NONE,
        .lost_at = NOVA_TS_NONE};
    ++*n;
  }
  qsort(plan, *n, sizeof *plan, compare);
  return plan;
}

void nova__excuse(struct nova_arena *arena, struct nova_check *check,
                  size_t n) {
  for (size_t i = 0; i < n; i++) {
    struct nova_check *c = &check[i];
    if (c->verdict != NOVA_VERDICT_FAIL || c->step == 0)
      continue;
    c->verdict = NOVA_VERDICT_INCONCLUSIVE;
    c->reason = nova_arena_printf(arena, "%s%s", NOVA__EXCUSE,
                                  c->reason != NULL ? c->reason : "");
    if (c->reason == NULL)
      c->reason = NOVA__EXCUSE;
  }
}

const struct nova_check *nova__first_failure(const struct nova_check *check,
                                             size_t n) {
  for (size_t i = 0; i < n; i++)
    if (check[i].verdict == NOVA_VERDICT_FAIL)
      return &check[i];
  return NULL;
}
