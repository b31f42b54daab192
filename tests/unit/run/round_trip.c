#include "unit/run/round_trip.h"

#include "run/replay.h"
#include "verdict/verdict.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct kept {
  struct nova_check *check;
  size_t checks;
  char **reason;
  enum nova_verdict verdict;
};

static struct kept keep(const struct nova_conversation_result *c) {
  struct kept k = {.checks = c->checks, .verdict = c->verdict};
  k.check = calloc(c->checks + 1, sizeof *k.check);
  k.reason = calloc(c->checks + 1, sizeof *k.reason);
  for (size_t i = 0; i < c->checks; i++) {
    k.check[i] = c->check[i];
    k.reason[i] =
        c->check[i].reason != NULL ? strdup(c->check[i].reason) : NULL;
  }
  return k;
}

static bool same(const char *a, const char *b) {
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void compare(const char *what, struct kept *k,
                    const struct nova_conversation_result *c) {
  cr_expect_eq(k->verdict, c->verdict, "%s: %s: %s live, %s replayed", what,
               c->id, nova_verdict_names[k->verdict],
               nova_verdict_names[c->verdict]);
  cr_expect_eq(k->checks, c->checks, "%s: %s: %zu checks live, %zu replayed",
               what, c->id, k->checks, c->checks);
  for (size_t i = 0; i < k->checks && i < c->checks; i++) {
    const struct nova_check *a = &k->check[i], *b = &c->check[i];
    cr_expect(a->verdict == b->verdict && a->measured == b->measured &&
                  a->t == b->t && a->step == b->step && a->entry == b->entry &&
                  same(a->requirement, b->requirement) &&
                  same(a->rule, b->rule) && same(k->reason[i], b->reason),
              "%s: %s: check %zu (%s): live %s at %llu: %s; replayed %s (%s) "
              "at %llu: %s",
              what, c->id, i, a->requirement, nova_verdict_names[a->verdict],
              (unsigned long long)a->t,
              k->reason[i] != NULL ? k->reason[i] : "",
              nova_verdict_names[b->verdict], b->requirement,
              (unsigned long long)b->t, b->reason != NULL ? b->reason : "");
  }
  for (size_t i = 0; i < k->checks; i++)
    free(k->reason[i]);
  free(k->reason);
  free(k->check);
}

void round_trip(const char *what, const struct simrun_options *o) {
  struct simrun *s = simrun_new(o);
  cr_assert_not_null(s);
  struct nova_results *r = (struct nova_results *)(uintptr_t)simrun_results(s);
  struct kept *k = calloc(r->conversations, sizeof *k);
  enum nova_verdict *verdict = calloc(r->requirements, sizeof *verdict);
  for (size_t i = 0; i < r->conversations; i++)
    k[i] = keep(&r->conversation[i]);
  for (size_t i = 0; i < r->requirements; i++)
    verdict[i] = r->requirement[i].verdict;
  struct nova_replay *v = nova_replay_run(NULL, o->catalog, r, NULL);
  cr_assert_not_null(v);
  cr_assert_eq(nova_verdict_judge(r, o->catalog, NULL), 0);
  for (size_t i = 0; i < r->conversations; i++)
    compare(what, &k[i], &r->conversation[i]);
  for (size_t i = 0; i < r->requirements; i++)
    cr_expect_eq(verdict[i], r->requirement[i].verdict, "%s: %s: %s live, %s",
                 what, r->requirement[i].requirement->id,
                 nova_verdict_names[verdict[i]],
                 nova_verdict_names[r->requirement[i].verdict]);
  nova_replay_free(v);
  free(k);
  free(verdict);
  simrun_free(s);
}
