#include "report/compare.h"

#include "base/error.h"

#include <stdlib.h>

/* Worse is larger; what judged counts more than what did not. */
static unsigned rank(enum nova_verdict v) {
  static const enum nova_verdict order[] = {
      NOVA_VERDICT_NOT_APPLICABLE, NOVA_VERDICT_NOT_TESTED, NOVA_VERDICT_PASS,
      NOVA_VERDICT_INCONCLUSIVE, NOVA_VERDICT_FAIL};
  unsigned i = 0;
  while (order[i] != v)
    i++;
  return i;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Appends the conversations of run |number| (from 1); |sorted|: the ids of the
 * runs before it. */
static bool add_conversations(struct nova_results *out,
                              const struct nova_results *in, size_t number,
                              const char **sorted, size_t known) {
  uint64_t later = in->started_unix_ns - out->started_unix_ns;
  for (size_t i = 0; i < in->conversations; i++) {
    struct nova_conversation_result *c =
        &out->conversation[out->conversations++];
    *c = in->conversation[i];
    c->started = nova_ts_add(c->started, later);
    if (known != 0 &&
        bsearch(&c->id, sorted, known, sizeof *sorted, by_text) != NULL)
      c->id = nova_arena_printf(out->arena, "%s@%zu", c->id, number);
    if (c->id == NULL)
      return false;
  }
  return true;
}

static struct nova_requirement_result *find(struct nova_results *r,
                                            const char *id) {
  for (size_t i = 0; i < r->requirements; i++)
    if (strcmp(r->requirement[i].requirement->id, id) == 0)
      return &r->requirement[i];
  return NULL;
}

/* The conversations of both, those of |b| as they are numbered in the whole. */
static bool join(struct nova_requirement_result *a,
                 const struct nova_requirement_result *b, size_t offset,
                 struct nova_arena *arena) {
  size_t n = a->conversations;
  size_t *all = NOVA_NEW_ARRAY(arena, size_t, n + b->conversations + 1);
  if (all == NULL)
    return false;
  for (size_t i = 0; i < n; i++)
    all[i] = a->conversation[i];
  for (size_t i = 0; i < b->conversations; i++)
    all[n++] = offset + b->conversation[i];
  a->conversation = all;
  a->conversations = n;
  return true;
}

static bool add_requirement(struct nova_results *out,
                            const struct nova_requirement_result *b,
                            size_t offset) {
  struct nova_requirement_result *a = find(out, b->requirement->id);
  if (a == NULL) {
    a = &out->requirement[out->requirements++];
    *a = *b;
    a->conversation = NULL;
    a->conversations = 0;
    return join(a, b, offset, out->arena);
  }
  a->checks += b->checks;
  bool fails = a->verdict == NOVA_VERDICT_FAIL;
  if (rank(b->verdict) > rank(a->verdict)) {
    a->verdict = b->verdict;
    a->reason = b->reason;
    a->needs = b->needs;
    a->expected_failure = b->expected_failure;
    a->expect_reason = b->expect_reason;
  } else if (fails && b->verdict == NOVA_VERDICT_FAIL) {
    /* Known in one run is not known in all. */
    a->expected_failure = a->expected_failure && b->expected_failure;
  }
  return join(a, b, offset, out->arena);
}

static void sum_up(struct nova_results *r) {
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

/* Each once. */
static void add_rules(struct nova_results *out, const struct nova_results *in) {
  for (size_t i = 0; i < in->rules; i++) {
    size_t k = 0;
    while (k < out->rules && strcmp(out->rule[k].id, in->rule[i].id) != 0)
      k++;
    if (k == out->rules)
      out->rule[out->rules++] = in->rule[i];
  }
}

/* The head of the whole, and room for the lists. */
static bool begin(const struct nova_results *const *in, size_t n,
                  struct nova_arena *arena, struct nova_results *out) {
  size_t requirements = 0, conversations = 0, stales = 0, rules = 0;
  const struct nova_results *first = in[0];
  *out = (struct nova_results){
      .arena = arena,
      .tool_version = first->tool_version,
      .subject = first->subject,
      .name = first->name,
      .address = first->address,
      .seed = first->seed,
      .profile = first->profile,
      .faults = first->faults,
      .faults_caught = first->faults_caught,
      .faults_blamed = first->faults_blamed,
      .started_unix_ns = first->started_unix_ns,
  };
  for (size_t i = 0; i < n; i++) {
    requirements += in[i]->requirements;
    conversations += in[i]->conversations;
    stales += in[i]->stales;
    rules += in[i]->rules;
    out->duration = nova_ts_add(out->duration, in[i]->duration);
    out->interrupted |= in[i]->interrupted;
    if (in[i]->timing_error > out->timing_error)
      out->timing_error = in[i]->timing_error;
    if (in[i]->started_unix_ns < out->started_unix_ns)
      out->started_unix_ns = in[i]->started_unix_ns;
  }
  out->requirement =
      NOVA_NEW_ARRAY(arena, struct nova_requirement_result, requirements + 1);
  out->conversation =
      NOVA_NEW_ARRAY(arena, struct nova_conversation_result, conversations + 1);
  out->stale = NOVA_NEW_ARRAY(arena, const char *, stales + 1);
  out->rule = NOVA_NEW_ARRAY(arena, struct nova_rule_result, rules + 1);
  return out->requirement != NULL && out->conversation != NULL &&
         out->stale != NULL && out->rule != NULL;
}

int nova_results_merge(const struct nova_results *const *in, size_t n,
                       struct nova_arena *arena, struct nova_results *out) {
  for (size_t i = 1; i < n; i++)
    if (in[i]->subject != in[0]->subject)
      return NOVA_ERR_ARGUMENT;
  if (!begin(in, n, arena, out))
    return NOVA_ERR_NO_MEMORY;
  size_t most = 0;
  for (size_t i = 0; i < n; i++)
    most += in[i]->conversations;
  const char **sorted = NOVA_NEW_ARRAY(arena, const char *, most + 1);
  if (sorted == NULL)
    return NOVA_ERR_NO_MEMORY;
  for (size_t i = 0; i < n; i++) {
    size_t offset = out->conversations;
    for (size_t k = 0; k < offset; k++)
      sorted[k] = out->conversation[k].id;
    if (offset > 1)
      qsort(sorted, offset, sizeof *sorted, by_text);
    if (!add_conversations(out, in[i], i + 1, sorted, offset))
      return NOVA_ERR_NO_MEMORY;
    for (size_t k = 0; k < in[i]->requirements; k++)
      if (!add_requirement(out, &in[i]->requirement[k], offset))
        return NOVA_ERR_NO_MEMORY;
    add_rules(out, in[i]);
    for (size_t k = 0; k < in[i]->stales; k++)
      out->stale[out->stales++] = in[i]->stale[k];
  }
  sum_up(out);
  return 0;
}
