/* What a run tells: its results, and what it is at. */
#include "run/state.h"

#include "verdict/score.h"
#include "verdict/verdict.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b) {
  const struct nova_conversation_result *x = a, *y = b;
  return strcmp(x->id, y->id);
}

struct nova_results *nova_run_results(struct nova_run *r,
                                      const struct nova_expect *expect) {
  struct nova_results *res = &r->results;
  *res = (struct nova_results){.arena = &r->arena,
                               .subject = r->profile.subject,
                               .name = r->profile.name,
                               .seed = r->o.seed,
                               .started_unix_ns = r->started_unix,
                               .duration = r->ended - r->started,
                               .interrupted = r->interrupted,
                               .timing_error = r->worst_error,
                               .profile = &r->profile};
  if (res->subject == NOVA_ROLE_SERVER) {
    res->faults = NOVA_SCORE_SERVER_FAULTS;
    res->faults_caught = NOVA_SCORE_SERVER_CAUGHT;
    res->faults_blamed = NOVA_SCORE_SERVER_FALSELY_BLAMED;
  } else {
    res->faults = NOVA_SCORE_DEVICE_FAULTS;
    res->faults_caught = NOVA_SCORE_DEVICE_CAUGHT;
    res->faults_blamed = NOVA_SCORE_DEVICE_FALSELY_BLAMED;
  }
  const char *address = "";
  for (unsigned k = 0; k < 3 && address != NULL; k++) {
    const struct nova_address *a =
        nova__address_at(&r->profile, (enum nova_link_kind)k);
    if (a->host != NULL)
      address = nova_arena_printf(&r->arena, "%s%s%s %s:%u", address,
                                  address[0] != '\0' ? ", " : "",
                                  nova_link_names[k], a->host, a->port);
  }
  res->address = address;
  res->conversation = NOVA_NEW_ARRAY(&r->arena, struct nova_conversation_result,
                                     r->planned + 1);
  if (res->conversation == NULL)
    return NULL;
  for (size_t i = 0; i < r->planned; i++)
    res->conversation[res->conversations++] = r->plan[i].result;
  if (res->conversations != 0)
    qsort(res->conversation, res->conversations, sizeof *res->conversation,
          by_id);
  return nova_verdict_judge(res, r->o.catalog, expect) == 0 ? res : NULL;
}

size_t nova_run_waits(const struct nova_run *r, bool chinese,
                      struct nova_run_wait *out, size_t cap) {
  size_t n = 0;
  nova_ts t = nova__now(r);
  for (size_t i = 0; i < r->planned; i++) {
    const struct nova__planned *p = &r->plan[i];
    if (p->state != NOVA__ACTIVE)
      continue;
    if (n < cap) {
      nova_ts until;
      out[n] = (struct nova_run_wait){.script = p->script,
                                      .device = p->result.device,
                                      .act = r->by_hand &&
                                             !nova_player_met(p->player)};
      nova_player_waits_for(p->player, chinese, out[n].text, sizeof out[n].text,
                            &until);
      until = nova_ts_add(until, p->t0);
      out[n].left = until == NOVA_TS_NONE ? until : until > t ? until - t : 0;
    }
    n++;
  }
  return n;
}

size_t nova_run_active(const struct nova_run *r, const struct nova_script **out,
                       size_t cap, nova_ts *left) {
  size_t n = 0;
  nova_ts longest = 0, sum = 0;
  nova_ts t = r->o.transport->ops->now(r->o.transport);
  for (size_t i = 0; i < r->planned; i++) {
    const struct nova__planned *p = &r->plan[i];
    nova_ts rest = 0;
    if (p->state == NOVA__ACTIVE || p->state == NOVA__LEAVING) {
      if (n < cap)
        out[n] = p->script;
      n++;
      nova_ts spent = t - p->t0;
      rest = p->estimate > spent ? p->estimate - spent : 0;
    } else if (p->state == NOVA__WAITING) {
      rest = p->estimate;
    }
    sum += rest;
    if (rest > longest)
      longest = rest;
  }
  nova_ts shared = n != 0 ? sum / n : sum;
  *left = shared > longest ? shared : longest;
  return n;
}
