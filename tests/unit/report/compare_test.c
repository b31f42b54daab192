#include "sample.h"

#include "base/error.h"
#include "report/compare.h"
#include "report/results_json.h"

#include <criterion/criterion.h>

struct pair {
  struct sample a, b;
  struct nova_arena arena;
};

static void pair_init(struct pair *p) {
  sample_init(&p->a, true);
  sample_init(&p->b, true);
  nova_arena_init(&p->arena, NULL, 64 << 20);
}

static void pair_free(struct pair *p) {
  sample_free(&p->a);
  sample_free(&p->b);
  nova_arena_free(&p->arena);
}

static const struct nova_change *change_of(const struct nova_comparison *c,
                                           const char *id) {
  for (size_t i = 0; i < c->n; i++)
    if (strcmp(c->change[i].id, id) == 0)
      return &c->change[i];
  return NULL;
}

Test(compare, a_result_with_itself_has_no_change) {
  struct pair p;
  pair_init(&p);
  struct nova_comparison c;
  cr_assert_eq(nova_results_compare(&p.a.results, &p.b.results, &p.arena, &c),
               0);
  cr_assert_eq(c.n, 0);
  cr_assert_eq(c.worse, 0);
  struct nova_buf b;
  nova_buf_init(&b, NULL, NOVA_TERMINAL_SUMMARY);
  struct nova_terminal t = {0};
  nova_comparison_put(&t, &c, "a", "b", &b);
  cr_assert_str_eq(nova_buf_cstr(&b), "From a to b: NOT CONFORMANT -> NOT "
                                      "CONFORMANT\nNo verdict changed.\n");
  nova_buf_free(&b);
  pair_free(&p);
}

/* Every pair of verdicts. */
Test(compare, knows_better_from_worse) {
  static const enum nova_change_kind want[5][5] = {
      /* from pass */
      {NOVA_CHANGE_NEW, NOVA_CHANGE_WORSE, NOVA_CHANGE_WORSE, NOVA_CHANGE_WORSE,
       NOVA_CHANGE_OTHER},
      /* from fail */
      {NOVA_CHANGE_BETTER, NOVA_CHANGE_NEW, NOVA_CHANGE_OTHER,
       NOVA_CHANGE_OTHER, NOVA_CHANGE_OTHER},
      /* from inconclusive */
      {NOVA_CHANGE_BETTER, NOVA_CHANGE_WORSE, NOVA_CHANGE_NEW,
       NOVA_CHANGE_OTHER, NOVA_CHANGE_OTHER},
      /* from not_tested */
      {NOVA_CHANGE_BETTER, NOVA_CHANGE_WORSE, NOVA_CHANGE_OTHER,
       NOVA_CHANGE_NEW, NOVA_CHANGE_OTHER},
      /* from not_applicable */
      {NOVA_CHANGE_BETTER, NOVA_CHANGE_WORSE, NOVA_CHANGE_OTHER,
       NOVA_CHANGE_OTHER, NOVA_CHANGE_NEW},
  };
  struct pair p;
  pair_init(&p);
  for (unsigned a = 0; a < 5; a++)
    for (unsigned b = 0; b < 5; b++) {
      p.a.results.requirement[0].verdict = (enum nova_verdict)a;
      p.b.results.requirement[0].verdict = (enum nova_verdict)b;
      struct nova_comparison c;
      nova_results_compare(&p.a.results, &p.b.results, &p.arena, &c);
      cr_assert_eq(c.n, a != b, "%u %u", a, b);
      if (a == b)
        continue;
      cr_assert_eq(c.change[0].kind, want[a][b], "%u %u", a, b);
      cr_assert_eq(c.worse, want[a][b] == NOVA_CHANGE_WORSE);
    }
  pair_free(&p);
}

Test(compare, notices_what_silently_stopped) {
  struct pair p;
  pair_init(&p);
  /* A requirement that still passes, with fewer checks; one that is gone; a
   * conversation that is gone; a new one. */
  p.a.results.requirement[0].checks = 5;
  p.b.results.requirement[0].checks = 3;
  p.b.results.requirements--;
  p.b.results.conversation[0].id = "tcp-new";
  struct nova_comparison c;
  nova_results_compare(&p.a.results, &p.b.results, &p.arena, &c);
  cr_assert_eq(c.n, 4);
  cr_assert_eq(c.worse, 3);
  cr_assert_eq(change_of(&c, "ID-01")->kind, NOVA_CHANGE_FEWER);
  cr_assert_eq(change_of(&c, "MQ-PUB-03")->kind, NOVA_CHANGE_GONE);
  cr_assert_eq(change_of(&c, "tcp-auth-accepted")->kind, NOVA_CHANGE_GONE);
  cr_assert(change_of(&c, "tcp-auth-accepted")->conversation);
  cr_assert_eq(change_of(&c, "tcp-new")->kind, NOVA_CHANGE_NEW);
  /* More checks are no change. */
  p.b.results.requirement[0].checks = 9;
  nova_results_compare(&p.a.results, &p.b.results, &p.arena, &c);
  cr_assert_null(change_of(&c, "ID-01"));
  pair_free(&p);
}

Test(compare, says_it) {
  struct pair p;
  pair_init(&p);
  p.a.results.requirement[0].checks = 5;
  p.b.results.requirement[1].verdict = NOVA_VERDICT_NOT_TESTED;
  p.b.results.requirement[1].reason = "it never \x1b[2J answered";
  p.b.results.requirement[3].verdict = NOVA_VERDICT_PASS;
  p.b.results.requirement[3].reason = NULL;
  p.b.results.conversation[0].id = "tcp-new";
  p.b.results.outcome = NOVA_OUTCOME_INCOMPLETE;
  struct nova_comparison c;
  nova_results_compare(&p.a.results, &p.b.results, &p.arena, &c);
  struct nova_buf b;
  nova_buf_init(&b, NULL, NOVA_TERMINAL_SUMMARY);
  struct nova_terminal t = {0};
  nova_comparison_put(&t, &c, "old.json", "new\x1b.json", &b);
  cr_assert_str_eq(
      nova_buf_cstr(&b),
      "From old.json to new\\x1b.json: NOT CONFORMANT -> INCOMPLETE\n"
      "\nWorse\n"
      "  TCP-AUTH-04  pass -> not tested  it never \\x1b[2J answered\n"
      "\nChecks that are not made any more\n"
      "  ID-01: 5 checks before, 1 now\n"
      "  tcp-auth-accepted  not there any more\n"
      "\nBetter\n"
      "  TCP-HB-09  fail -> pass\n"
      "\nChanged\n"
      "  tcp-new  new: pass\n",
      "%s", nova_buf_cstr(&b));
  nova_buf_free(&b);
  pair_free(&p);
}

/* --- merge --------------------------------------------------------------- */

Test(merge, takes_the_worst_that_was_judged) {
  /* pass, fail, inconclusive, not_tested, not_applicable */
  static const enum nova_verdict want[5][5] = {{0, 1, 2, 0, 0},
                                               {1, 1, 1, 1, 1},
                                               {2, 1, 2, 2, 2},
                                               {0, 1, 2, 3, 3},
                                               {0, 1, 2, 3, 4}};
  struct pair p;
  pair_init(&p);
  const struct nova_results *in[] = {&p.a.results, &p.b.results};
  for (unsigned a = 0; a < 5; a++)
    for (unsigned b = 0; b < 5; b++) {
      p.a.results.requirement[0].verdict = (enum nova_verdict)a;
      p.b.results.requirement[0].verdict = (enum nova_verdict)b;
      p.a.results.requirement[0].reason = "a";
      p.b.results.requirement[0].reason = "b";
      struct nova_results r;
      cr_assert_eq(nova_results_merge(in, 2, &p.arena, &r), 0);
      cr_assert_eq(r.requirement[0].verdict, want[a][b], "%u %u", a, b);
      cr_assert_str_eq(r.requirement[0].reason,
                       want[a][b] == (enum nova_verdict)a ? "a" : "b");
      cr_assert_eq(r.requirements, p.a.results.requirements);
    }
  pair_free(&p);
}

Test(merge, joins_runs_that_can_be_written_and_read) {
  struct pair p;
  pair_init(&p);
  p.b.results.started_unix_ns += 3600 * NOVA_SEC;
  p.b.results.interrupted = true;
  p.b.results.conversation[5].id = "tcp-command-hook";
  p.b.results.requirement[5].verdict = NOVA_VERDICT_PASS;
  p.b.results.requirement[5].reason = NULL;
  p.b.results.requirement[5].needs = NULL;
  const struct nova_results *in[] = {&p.a.results, &p.b.results};
  struct nova_results r;
  cr_assert_eq(nova_results_merge(in, 2, &p.arena, &r), 0);
  cr_assert_eq(r.conversations, 14);
  cr_assert_str_eq(r.conversation[0].id, "tcp-auth-accepted");
  cr_assert_str_eq(r.conversation[7].id, "tcp-auth-accepted@2");
  cr_assert_str_eq(r.conversation[12].id, "tcp-command-hook");
  cr_assert_eq(r.conversation[7].started, 3600 * NOVA_SEC);
  cr_assert_eq(r.requirement[5].verdict, NOVA_VERDICT_PASS);
  cr_assert_null(r.requirement[5].needs);
  cr_assert_eq(r.requirement[5].conversations, 2);
  cr_assert_eq(r.requirement[5].conversation[1], 12);
  cr_assert_eq(r.requirement[3].checks, 2);
  cr_assert_eq(r.tally[NOVA_LEVEL_MUST].by[NOVA_VERDICT_PASS], 3);
  cr_assert(r.interrupted);
  cr_assert_eq(r.duration, 2 * p.a.results.duration);
  cr_assert_eq(r.outcome, NOVA_OUTCOME_NOT_CONFORMANT);

  struct nova_buf b;
  nova_buf_init(&b, NULL, 64 << 20);
  struct nova_sink sink = nova_sink_buf(&b);
  cr_assert_eq(nova_results_write_json(&r, &p.a.mask, NULL, &sink), 0);
  struct nova_results again;
  struct nova_read_error error;
  int err = nova_results_read_json(nova_buf_view(&b).p, b.len, &p.arena, &again,
                                   &error);
  cr_assert_eq(err, 0, "%s", error.text);
  cr_assert_eq(again.conversations, 14);
  cr_assert_eq(again.requirement[5].conversation[1], 12);
  nova_buf_free(&b);
  pair_free(&p);
}

Test(merge, a_known_failure_must_be_known_in_every_run) {
  struct pair p;
  pair_init(&p);
  const struct nova_results *in[] = {&p.a.results, &p.b.results};
  struct nova_results r;
  for (size_t i = 2; i < 4; i++) {
    p.a.results.requirement[i].expected_failure = true;
    p.b.results.requirement[i].expected_failure = i == 2;
  }
  nova_results_merge(in, 2, &p.arena, &r);
  cr_assert(r.requirement[2].expected_failure);
  cr_assert_not(r.requirement[3].expected_failure);
  pair_free(&p);
}

Test(merge, refuses_a_server_and_a_device) {
  struct pair p;
  pair_init(&p);
  p.b.results.subject = NOVA_ROLE_DEVICE;
  const struct nova_results *in[] = {&p.a.results, &p.b.results};
  struct nova_results r;
  cr_assert_eq(nova_results_merge(in, 2, &p.arena, &r), NOVA_ERR_ARGUMENT);
  cr_assert_eq(nova_results_merge(in, 1, &p.arena, &r), 0);
  pair_free(&p);
}
