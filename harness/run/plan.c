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

static nova_ts steps_estimate(const struct nova_step *s,
                              const struct nova_timers *t) {
  nova_ts sum = 0;
  for (; s != NULL; s = s->next) {
    nova_ts v = 0;
    switch (s->verb) {
    case NOVA_VERB_SILENT:
    case NOVA_VERB_OPEN:
    case NOVA_VERB_WAIT: v = nova_span_value(s->duration, t); break;
    case NOVA_VERB_CLOSE:
      if (s->within != NULL)
        v = nova_span_value(s->within, t) - nova_span_slack(s->within, t);
      break;
    case NOVA_VERB_REPEAT:
      /* Listened to, it takes its time; done, it goes on in the background. */
      if (s->verifies.n != 0 && s->duration != NULL)
        v = nova_span_value(s->duration, t);
      break;
    case NOVA_VERB_ANY_OF: {
      v = NOVA_TS_NONE;
      for (const struct nova_branch *b = s->branches; b != NULL; b = b->next)
        v = nova_ts_min(v, steps_estimate(b->steps, t));
      break;
    }
    case NOVA_VERB_ATTEMPTS: v = nova_span_value(s->duration, t); break;
    case NOVA_VERB_HOOK: v = NOVA_SEC; break;
    case NOVA_VERB_EACH:
    case NOVA_VERB_CONNECT:
    case NOVA_VERB_SEND:
    case NOVA_VERB_HALF_CLOSE:
    case NOVA_VERB_RESET:
    case NOVA_VERB_REFUSE:
    case NOVA_VERB_STOP: break;
    }
    sum = nova_ts_add(sum, v == NOVA_TS_NONE ? 0 : v);
  }
  return sum;
}

nova_ts nova_run_estimate(const struct nova_script *s,
                          const struct nova_timers *t) {
  return steps_estimate(s->steps, t) + NOVA_SEC / 10;
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

struct nova__planned *nova__plan(const struct nova_run_options *o, size_t *n) {
  struct nova__planned *plan =
      nova_mem_zalloc(o->mem, sizeof *plan * (o->catalog->script_count + 1));
  *n = 0;
  if (plan == NULL)
    return NULL;
  /* The harness plays the other side than the subject's. */
  enum nova_role harness = o->profile->subject == NOVA_ROLE_SERVER
                               ? NOVA_ROLE_DEVICE
                               : NOVA_ROLE_SERVER;
  for (const struct nova_script *s = o->catalog->scripts; s != NULL;
       s = s->next) {
    if (!s->harness[harness])
      continue;
    if ((o->only != NULL && o->only[0] != NULL && !selects(o->only, s)) ||
        selects(o->skip, s))
      continue;
    plan[*n] = (struct nova__planned){
        .script = s,
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
