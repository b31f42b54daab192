/* A recorded run judged again comes to the same verdicts, check by check. */
#include "run/replay.h"

#include "support/simrun.h"
#include "verdict/verdict.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* What has to come out again. */
struct kept {
  enum nova_verdict verdict, *check_verdict;
  size_t checks;
  nova_ts *measured, *t;
  char **reason, *own_reason;
};

static char *copy(const char *s) {
  return s != NULL ? strdup(s) : NULL;
}

static bool same(const char *a, const char *b) {
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct kept keep(const struct nova_conversation_result *c) {
  struct kept k = {.verdict = c->verdict, .checks = c->checks};
  k.check_verdict = calloc(c->checks + 1, sizeof *k.check_verdict);
  k.measured = calloc(c->checks + 1, sizeof *k.measured);
  k.t = calloc(c->checks + 1, sizeof *k.t);
  k.reason = calloc(c->checks + 1, sizeof *k.reason);
  k.own_reason = copy(c->reason);
  for (size_t i = 0; i < c->checks; i++) {
    k.check_verdict[i] = c->check[i].verdict;
    k.measured[i] = c->check[i].measured;
    k.t[i] = c->check[i].t;
    k.reason[i] = copy(c->check[i].reason);
  }
  return k;
}

static void compare(const char *what, const struct kept *k,
                    const struct nova_conversation_result *c) {
  cr_expect_eq(k->verdict, c->verdict, "%s: %s: %s live, %s replayed", what,
               c->id, nova_verdict_names[k->verdict],
               nova_verdict_names[c->verdict]);
  cr_expect_eq(k->checks, c->checks, "%s: %s: %zu checks live, %zu replayed",
               what, c->id, k->checks, c->checks);
  for (size_t i = 0; i < k->checks && i < c->checks; i++) {
    const struct nova_check *n = &c->check[i];
    cr_expect(
        k->check_verdict[i] == n->verdict && k->measured[i] == n->measured &&
            k->t[i] == n->t && same(k->reason[i], n->reason),
        "%s: %s: check %zu (%s): live %s at %llu (%llu) %s; replayed %s "
        "at %llu (%llu) %s",
        what, c->id, i, n->requirement, nova_verdict_names[k->check_verdict[i]],
        (unsigned long long)k->t[i], (unsigned long long)k->measured[i],
        k->reason[i] != NULL ? k->reason[i] : "",
        nova_verdict_names[n->verdict], (unsigned long long)n->t,
        (unsigned long long)n->measured, n->reason != NULL ? n->reason : "");
  }
}

static void let_go(struct kept *k) {
  for (size_t i = 0; i < k->checks; i++)
    free(k->reason[i]);
  free(k->reason);
  free(k->own_reason);
  free(k->check_verdict);
  free(k->measured);
  free(k->t);
}

/* Runs, replays, compares. */
static void round_trip(const char *what, const struct simrun_options *o) {
  struct simrun *s = simrun_new(o);
  cr_assert_not_null(s);
  struct nova_results *r = (struct nova_results *)(uintptr_t)simrun_results(s);
  struct kept *k = calloc(r->conversations, sizeof *k);
  enum nova_verdict *verdict = calloc(r->requirements, sizeof *verdict);
  for (size_t i = 0; i < r->conversations; i++)
    k[i] = keep(&r->conversation[i]);
  for (size_t i = 0; i < r->requirements; i++)
    verdict[i] = r->requirement[i].verdict;
  enum nova_outcome outcome = r->outcome;

  struct nova_replay_counts n;
  struct nova_replay *v = nova_replay_run(NULL, o->catalog, r, &n);
  cr_assert_not_null(v);
  cr_expect_eq(n.partly, 0, "%s: %zu replayed in part", what, n.partly);
  cr_assert_eq(nova_verdict_judge(r, o->catalog, NULL), 0);
  for (size_t i = 0; i < r->conversations; i++) {
    compare(what, &k[i], &r->conversation[i]);
    let_go(&k[i]);
  }
  for (size_t i = 0; i < r->requirements; i++)
    cr_expect_eq(verdict[i], r->requirement[i].verdict, "%s: %s: %s live, %s",
                 what, r->requirement[i].requirement->id,
                 nova_verdict_names[verdict[i]],
                 nova_verdict_names[r->requirement[i].verdict]);
  cr_expect_eq(outcome, r->outcome, "%s: outcome", what);
  size_t counted = 0;
  for (size_t level = 0; level < 3; level++)
    for (size_t as = 0; as < 5; as++)
      counted += r->tally[level].by[as];
  cr_expect_eq(counted, r->requirements, "%s: counted twice", what);
  nova_replay_free(v);
  free(k);
  free(verdict);
  simrun_free(s);
}

Test(replay, a_conforming_run_comes_out_again) {
  struct simrun_options o = {.catalog = simrun_catalog(), .seed = 3};
  round_trip("conforming", &o);
}

Test(replay, a_rough_network_changes_nothing) {
  for (uint64_t seed = 1; seed <= 6; seed++) {
    struct simrun_options o = {.catalog = simrun_catalog(),
                               .seed = seed,
                               .devices = (unsigned)seed,
                               .net = {.seed = seed,
                                       .latency_min = seed * 7 * NOVA_MS,
                                       .latency_max = seed * 19 * NOVA_MS,
                                       .cut = NOVA_SIM_MIXED,
                                       .late_max = 3 * NOVA_MS,
                                       .job_delay = 100 * NOVA_MS}};
    round_trip("rough network", &o);
  }
}

Test(replay, every_fault_is_found_again) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    const struct nova_fault_info *i = nova_fault_info((enum nova_fault)f);
    if (i->side != NOVA_SIDE_SERVER || nova_fault_is_mqtt((enum nova_fault)f))
      continue;
    struct simrun_options o = {.catalog = simrun_catalog(), .seed = 1};
    nova_fault_add(&o.faults, (enum nova_fault)f);
    round_trip(i->name, &o);
  }
}

Test(replay, lacking_hooks_are_lacking_again) {
  struct simrun_options o = {
      .catalog = simrun_catalog(), .seed = 1, .devices = 1, .no_hooks = true};
  round_trip("one device, no hooks", &o);
}

/* Whoever judges by what was not recorded would not notice this. */
Test(replay, a_changed_record_changes_the_verdict) {
  static const char *const only[] = {"tcp-auth-accepted", NULL};
  struct simrun_options o = {
      .catalog = simrun_catalog(), .seed = 1, .only = only};
  struct simrun *s = simrun_new(&o);
  cr_assert_not_null(s);
  struct nova_results *r = (struct nova_results *)(uintptr_t)simrun_results(s);
  cr_assert_eq(r->conversations, 1);
  cr_assert_eq(r->conversation[0].verdict, NOVA_VERDICT_PASS);
  struct nova_transcript *t = &r->conversation[0].transcript;
  bool changed = false;
  for (size_t i = 0; i < t->n && !changed; i++) {
    if (t->entry[i].kind != NOVA_ENTRY_RECEIVED)
      continue;
    char *at = memmem(t->entry[i].bytes.p, t->entry[i].bytes.n, "success", 7);
    changed = at != NULL;
    if (changed)
      memcpy(at, "failed!", 7);
  }
  cr_assert(changed);
  struct nova_replay *v = nova_replay_run(NULL, o.catalog, r, NULL);
  cr_assert_not_null(v);
  cr_expect_eq(r->conversation[0].verdict, NOVA_VERDICT_FAIL);
  cr_assert_not_null(r->conversation[0].failure);
  nova_replay_free(v);
  simrun_free(s);
}

Test(replay, what_was_cut_stands) {
  static const char *const only[] = {"tcp-auth-accepted", NULL};
  struct simrun_options o = {
      .catalog = simrun_catalog(), .seed = 1, .only = only};
  struct simrun *s = simrun_new(&o);
  cr_assert_not_null(s);
  struct nova_results *r = (struct nova_results *)(uintptr_t)simrun_results(s);
  r->conversation[0].transcript.cut = true;
  r->conversation[0].verdict = NOVA_VERDICT_NOT_TESTED;
  struct nova_replay_counts n;
  struct nova_replay *v = nova_replay_run(NULL, o.catalog, r, &n);
  cr_assert_not_null(v);
  cr_expect_eq(n.stand, 1);
  cr_expect_eq(r->conversation[0].verdict, NOVA_VERDICT_NOT_TESTED);
  nova_replay_free(v);
  simrun_free(s);
}
