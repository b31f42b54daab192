#include "verdict/verdict.h"

#include "base/error.h"

#include <stdio.h>
#include <time.h>

const char *const nova_outcome_names[3] = {"conformant", "not_conformant",
                                           "incomplete"};

static bool starts(const char *s, const char *with) {
  return strncmp(s, with, strlen(with)) == 0;
}

/* --- what applies
 * -------------------------------------------------------------
 */

static bool has_transport(const struct nova_profile *p, unsigned which) {
  if (p->transports_given)
    return p->transport[which];
  const struct nova_address *a[] = {&p->tcp, &p->mqtt, &p->mqtts};
  return a[which]->host != NULL;
}

const char *nova_verdict_not_applicable(const struct nova_requirement *r,
                                        const struct nova_profile *p) {
  bool tcp = has_transport(p, 0), mqtt = has_transport(p, 1),
       mqtts = has_transport(p, 2);
  const char *absent =
      p->transports_given
          ? "the profile does not declare this transport"
          : "no address of this transport was given, and none is declared";
  if (starts(r->id, "TCP-") && !tcp)
    return absent;
  if (starts(r->id, "MQ-") && !mqtt && !mqtts)
    return absent;
  /* MQTT without TLS is open until the profile says that there is none. */
  if (starts(r->id, "TLS-") && !mqtts && (p->transports_given || !mqtt))
    return absent;
  for (size_t i = 0; i < r->needs_n; i++) {
    if (strcmp(r->needs[i], "declares:client_certificates") == 0 &&
        !p->client_certificates)
      return "client certificates are not declared";
    if (strcmp(r->needs[i], "declares:value_keys") == 0 &&
        p->value_keys == NULL)
      return "value_keys are not declared";
    if (strcmp(r->needs[i], "declares:actuators") == 0 && p->actuators == NULL)
      return "actuators are not declared";
  }
  return NULL;
}

const char *nova_verdict_lacks(const struct nova_requirement *r,
                               const struct nova_profile *p,
                               struct nova_arena *arena) {
  for (size_t i = 0; i < r->needs_n; i++) {
    const char *need = r->needs[i];
    if (strcmp(need, "second_device") == 0 && p->devices < 2 &&
        p->subject == NOVA_ROLE_SERVER)
      return "a second credential (--device ID:KEY)";
    if (strcmp(need, "platform") == 0 && p->platform.id == NULL)
      return "platform credentials in the profile";
    if (strcmp(need, "tls") == 0 && p->mqtts.host == NULL)
      return "a TLS address (--mqtts)";
    for (unsigned h = 0; h < NOVA_HOOKS; h++)
      if (starts(need, "hook:") && strcmp(need + 5, nova_hook_names[h]) == 0 &&
          p->hook[h] == NULL)
        return nova_arena_printf(arena, "hook:%s in the profile",
                                 nova_hook_names[h]);
  }
  bool mqtt = p->mqtt.host != NULL || p->mqtts.host != NULL;
  if (starts(r->id, "TCP-") && p->tcp.host == NULL)
    return "a TCP address (--tcp)";
  if (starts(r->id, "MQ-") && !mqtt)
    return "an MQTT address (--mqtt or --mqtts)";
  if (p->devices == 0 && p->subject == NOVA_ROLE_SERVER)
    return "a credential (--device ID:KEY)";
  return NULL;
}

/* --- one defect shows up as that defect
 * ---------------------------------------- */

struct judge {
  struct nova_results *r;
  bool *failed; /* by requirement: a check of it failed */
  bool *solid;  /* it failed by itself */
  bool *masked; /* its failures all follow from another's */
};

static size_t index_of(const struct nova_results *r, const char *id) {
  for (size_t i = 0; i < r->requirements; i++)
    if (strcmp(r->requirement[i].requirement->id, id) == 0)
      return i;
  return r->requirements;
}

/* Whether a failing check follows from something that failed elsewhere;
 * |which| gets its index. */
static bool follows(const struct judge *j, const struct nova_check *c,
                    size_t *which) {
  for (size_t k = 0; c->presupposes != NULL && k < c->presupposes->n; k++) {
    size_t p = index_of(j->r, c->presupposes->id[k]);
    if (p < j->r->requirements && (j->solid[p] || j->masked[p])) {
      *which = p;
      return true;
    }
  }
  return false;
}

/* Solid is what has a failing check that presupposes nothing that failed. Then
 * what follows from the solid is masked, step by step, so that a circle of
 * presuppositions masks nothing. */
static void settle(struct judge *j) {
  struct nova_results *r = j->r;
  for (size_t i = 0; i < r->conversations; i++)
    for (size_t k = 0; k < r->conversation[i].checks; k++) {
      const struct nova_check *c = &r->conversation[i].check[k];
      size_t q = index_of(r, c->requirement);
      if (c->verdict == NOVA_VERDICT_FAIL && q < r->requirements)
        j->failed[q] = true;
    }
  for (size_t i = 0; i < r->conversations; i++)
    for (size_t k = 0; k < r->conversation[i].checks; k++) {
      const struct nova_check *c = &r->conversation[i].check[k];
      size_t q = index_of(r, c->requirement);
      if (c->verdict != NOVA_VERDICT_FAIL || q == r->requirements)
        continue;
      bool alone = true;
      for (size_t n = 0; c->presupposes != NULL && n < c->presupposes->n; n++) {
        size_t p = index_of(r, c->presupposes->id[n]);
        alone = alone && !(p < r->requirements && p != q && j->failed[p]);
      }
      j->solid[q] |= alone;
    }
  bool more = true;
  while (more) {
    more = false;
    for (size_t i = 0; i < r->conversations; i++)
      for (size_t k = 0; k < r->conversation[i].checks; k++) {
        const struct nova_check *c = &r->conversation[i].check[k];
        size_t q = index_of(r, c->requirement), which;
        if (c->verdict == NOVA_VERDICT_FAIL && q < r->requirements &&
            !j->solid[q] && !j->masked[q] && follows(j, c, &which))
          more = j->masked[q] = true;
      }
  }
}

static void apply(struct judge *j) {
  struct nova_results *r = j->r;
  for (size_t i = 0; i < r->conversations; i++) {
    struct nova_conversation_result *conv = &r->conversation[i];
    for (size_t k = 0; k < conv->checks; k++) {
      struct nova_check *c = &conv->check[k];
      size_t which;
      if (c->verdict != NOVA_VERDICT_FAIL || !follows(j, c, &which))
        continue;
      c->verdict = NOVA_VERDICT_INCONCLUSIVE;
      c->reason = nova_arena_printf(r->arena,
                                    "it presupposes %s, which failed; here: %s",
                                    r->requirement[which].requirement->id,
                                    c->reason != NULL ? c->reason : "");
    }
    if (conv->verdict != NOVA_VERDICT_FAIL)
      continue;
    conv->failure = NULL;
    for (size_t k = 0; k < conv->checks && conv->failure == NULL; k++)
      if (conv->check[k].verdict == NOVA_VERDICT_FAIL)
        conv->failure = &conv->check[k];
    if (conv->failure == NULL) {
      conv->verdict = NOVA_VERDICT_INCONCLUSIVE;
      for (size_t k = 0; k < conv->checks; k++)
        if (conv->check[k].verdict == NOVA_VERDICT_INCONCLUSIVE) {
          conv->reason = conv->check[k].reason;
          break;
        }
    }
  }
}

/* --- adding up
 * ----------------------------------------------------------------
 */

static int weight(enum nova_verdict v) {
  switch (v) {
  case NOVA_VERDICT_FAIL: return 5;
  case NOVA_VERDICT_INCONCLUSIVE: return 4;
  case NOVA_VERDICT_PASS: return 3;
  case NOVA_VERDICT_NOT_TESTED: return 2;
  case NOVA_VERDICT_NOT_APPLICABLE: return 1;
  }
  return 0;
}

static int add_up(struct nova_results *r, struct nova_requirement_result *q) {
  int best = 0;
  q->conversation = NOVA_NEW_ARRAY(r->arena, size_t, r->conversations + 1);
  if (q->conversation == NULL)
    return NOVA_ERR_NO_MEMORY;
  for (size_t i = 0; i < r->conversations; i++) {
    const struct nova_conversation_result *conv = &r->conversation[i];
    bool here = false;
    for (size_t k = 0; k < conv->checks; k++) {
      const struct nova_check *c = &conv->check[k];
      if (strcmp(c->requirement, q->requirement->id) != 0)
        continue;
      /* What is only noted is no verdict, but for what the guide leaves open.
       */
      if (c->observation && q->requirement->level != NOVA_LEVEL_MAY)
        continue;
      here = true;
      q->checks++;
      if (weight(c->verdict) > best) {
        best = weight(c->verdict);
        q->verdict = c->verdict;
        q->reason = c->reason;
      }
    }
    if (here)
      q->conversation[q->conversations++] = i;
  }
  return 0;
}

/* Nothing judged it: what it needs, or why it never came to it. */
static void explain_absence(struct nova_results *r,
                            const struct nova_catalog *c,
                            struct nova_requirement_result *q) {
  q->verdict = NOVA_VERDICT_NOT_TESTED;
  q->needs = nova_verdict_lacks(q->requirement, r->profile, r->arena);
  if (q->needs != NULL) {
    q->reason = nova_arena_printf(r->arena, "needs %s", q->needs);
    return;
  }
  if (q->reason != NULL)
    return;
  for (size_t i = 0; i < r->conversations; i++)
    if (nova_ids_have(&r->conversation[i].verifies, q->requirement->id) &&
        r->conversation[i].reason != NULL) {
      q->reason = r->conversation[i].reason;
      return;
    }
  bool known = false;
  for (const struct nova_script *s = c->scripts; s != NULL; s = s->next)
    known |= nova_ids_have(&s->verifies, q->requirement->id);
  for (const struct nova_rule *u = c->rules; u != NULL; u = u->next)
    if (strcmp(u->verifies, q->requirement->id) == 0) {
      q->reason = "the subject never sent what this judges";
      return;
    }
  q->reason = known ? "no conversation that checks it was run"
                    : "this version has no conversation for it";
}

static void outcome(struct nova_results *r) {
  bool failed = r->stales != 0, open = r->interrupted;
  for (size_t i = 0; i < r->requirements; i++) {
    const struct nova_requirement_result *q = &r->requirement[i];
    r->tally[q->requirement->level].by[q->verdict]++;
    if (q->requirement->level != NOVA_LEVEL_MUST)
      continue;
    failed |= q->verdict == NOVA_VERDICT_FAIL && !q->expected_failure;
    open |= q->verdict == NOVA_VERDICT_INCONCLUSIVE ||
            q->verdict == NOVA_VERDICT_NOT_TESTED;
  }
  r->outcome = failed ? NOVA_OUTCOME_NOT_CONFORMANT
               : open ? NOVA_OUTCOME_INCOMPLETE
                      : NOVA_OUTCOME_CONFORMANT;
}

/* The day of the run, for excuses that end. */
static void day_of(uint64_t unix_ns, char out[16]) {
  time_t t = (time_t)(unix_ns / NOVA_SEC);
  struct tm tm;
  if (gmtime_r(&t, &tm) == NULL || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
    snprintf(out, 16, "9999-12-31");
}

static void apply_expect(struct nova_results *r,
                         const struct nova_expect *expect) {
  char today[16];
  day_of(r->started_unix_ns, today);
  size_t n = 0;
  for (const struct nova_expected *x = expect->first; x != NULL; x = x->next)
    n++;
  r->stale = NOVA_NEW_ARRAY(r->arena, const char *, n + 1);
  if (r->stale == NULL)
    return;
  for (const struct nova_expected *x = expect->first; x != NULL; x = x->next) {
    size_t i = index_of(r, x->id);
    if (i == r->requirements)
      continue; /* it binds the other side */
    struct nova_requirement_result *q = &r->requirement[i];
    q->expect_reason = x->reason;
    const char *complaint = NULL;
    if (nova_expected_expired(x, today))
      complaint = nova_arena_printf(r->arena, "%s: the excuse ended on %s",
                                    x->id, x->until);
    else if (q->verdict == NOVA_VERDICT_PASS)
      complaint = nova_arena_printf(
          r->arena, "%s passes, though it is listed as a known failure", x->id);
    else
      q->expected_failure = q->verdict == NOVA_VERDICT_FAIL;
    if (complaint != NULL)
      r->stale[r->stales++] = complaint;
  }
}

int nova_verdict_judge(struct nova_results *r, const struct nova_catalog *c,
                       const struct nova_expect *expect) {
  size_t n = 0;
  for (const struct nova_requirement *q = c->requirements; q != NULL;
       q = q->next)
    n += q->binds == r->subject;
  r->requirement =
      NOVA_NEW_ARRAY(r->arena, struct nova_requirement_result, n + 1);
  struct judge j = {.r = r,
                    .failed = NOVA_NEW_ARRAY(r->arena, bool, n + 1),
                    .solid = NOVA_NEW_ARRAY(r->arena, bool, n + 1),
                    .masked = NOVA_NEW_ARRAY(r->arena, bool, n + 1)};
  if (r->requirement == NULL || j.failed == NULL || j.solid == NULL ||
      j.masked == NULL)
    return NOVA_ERR_NO_MEMORY;
  r->requirements = r->stales = 0; /* results may be judged again */
  memset(r->tally, 0, sizeof r->tally);
  for (const struct nova_requirement *q = c->requirements; q != NULL;
       q = q->next)
    if (q->binds == r->subject)
      r->requirement[r->requirements++].requirement = q;
  settle(&j);
  apply(&j);
  for (size_t i = 0; i < r->requirements; i++) {
    struct nova_requirement_result *q = &r->requirement[i];
    int err = add_up(r, q);
    if (err != 0)
      return err;
    bool judged = q->checks != 0 && q->verdict != NOVA_VERDICT_NOT_TESTED &&
                  q->verdict != NOVA_VERDICT_NOT_APPLICABLE;
    const char *absent =
        nova_verdict_not_applicable(q->requirement, r->profile);
    if (!judged && absent != NULL) {
      q->verdict = NOVA_VERDICT_NOT_APPLICABLE;
      q->reason = absent;
    } else if (!judged &&
               (q->checks == 0 || q->verdict == NOVA_VERDICT_NOT_TESTED)) {
      explain_absence(r, c, q);
    }
  }
  if (expect != NULL)
    apply_expect(r, expect);
  outcome(r);
  int err = nova_verdict_rules(r, c);
  if (err != 0)
    return err;
  return r->arena->failed ? NOVA_ERR_NO_MEMORY : 0;
}

int nova_verdict_exit(const struct nova_results *r, bool allow_incomplete) {
  if (r->outcome == NOVA_OUTCOME_NOT_CONFORMANT)
    return 1;
  return r->outcome == NOVA_OUTCOME_INCOMPLETE && !allow_incomplete ? 3 : 0;
}
