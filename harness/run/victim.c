/* Who suffered from whom: whether what ended a conversation may have been the
 * doing of another one. */
#include "run/state.h"

/* A loss this soon after a hazard may be its doing. */
#define HAZARD_WINDOW (5 * NOVA_SEC)
/* Losses this close together have one cause. */
#define TOGETHER (500 * NOVA_MS)

static const struct nova_step *step_of(const struct nova_step *s,
                                       unsigned number) {
  for (; s != NULL; s = s->next) {
    if (s->number == number)
      return s;
    for (const struct nova_branch *b = s->branches; b != NULL; b = b->next) {
      const struct nova_step *found = step_of(b->steps, number);
      if (found != NULL)
        return found;
    }
  }
  return NULL;
}

/* Whether a step failed; what a rule found is nobody else's doing. */
static bool step_failed(const struct nova__planned *p) {
  for (size_t i = 0; i < p->result.checks; i++)
    if (p->result.check[i].verdict == NOVA_VERDICT_FAIL &&
        p->result.check[i].step != 0)
      return true;
  return false;
}

/* Whether its own probe found that the subject did not survive: that is what it
 * was there to find, whoever else was at work. */
static bool probe_failed(const struct nova__planned *p) {
  for (size_t i = 0; i < p->result.checks; i++) {
    const struct nova_check *c = &p->result.check[i];
    if (c->verdict != NOVA_VERDICT_FAIL || c->step == 0)
      continue;
    const struct nova_step *s = step_of(p->script->steps, c->step);
    if (s != NULL && s->probe)
      return true;
  }
  return false;
}

/* When the other one sent what may crash a careless subject; NONE for never. */
static nova_ts hazard_of(const struct nova__planned *o) {
  if (o->state != NOVA__ACTIVE)
    return o->hazard_at;
  nova_ts h = nova_player_hazard_at(o->player);
  return h != NOVA_TS_NONE ? h + o->t0 : o->hazard_at;
}

bool nova__victim(const struct nova_run *r, const struct nova__planned *p) {
  bool failed = step_failed(p);
  if (nova__alone(r) || probe_failed(p) ||
      (!failed && p->lost_at == NOVA_TS_NONE))
    return false;
  nova_ts end = p->t0 + p->result.duration;
  for (size_t i = 0; i < r->planned; i++) {
    const struct nova__planned *o = &r->plan[i];
    nova_ts hazard = hazard_of(o);
    if (o == p || hazard == NOVA_TS_NONE || hazard > end + TOGETHER)
      continue;
    if (p->lost_at != NOVA_TS_NONE && hazard <= p->lost_at + TOGETHER &&
        p->lost_at <= hazard + HAZARD_WINDOW)
      return true;
    bool judged = o->state == NOVA__ENDED;
    if (failed && (judged ? probe_failed(o) : end <= hazard + HAZARD_WINDOW))
      return true;
  }
  return false;
}

void nova__excuse_all(struct nova_run *r, struct nova__planned *p) {
  nova__excuse(&r->arena, p->result.check, p->result.checks);
  p->result.verdict = nova_player_verdict(p->player, &p->result.reason);
  p->result.failure = nova__first_failure(p->result.check, p->result.checks);
}

bool nova__wants_retry(const struct nova__planned *p) {
  for (size_t i = 0; i < p->result.checks; i++)
    if (p->result.check[i].retry)
      return true;
  return false;
}
