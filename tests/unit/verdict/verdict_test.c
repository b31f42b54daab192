/* How checks add up. */
#include "verdict/verdict.h"

#include "base/error.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define REQ(id, level, more)                                                   \
  "- {id: " id ", section: '1', binds: server, level: " level                  \
  ", basis: stated, en: a, zh: b, judge: c" more "}\n"

static const char requirements[] = "requirements:\n" REQ("A", "must", "")
    REQ("B", "must", "") REQ("C", "must", "") REQ("S", "should", "")
        REQ("TCP-X", "must", ", needs: [second_device]")
            REQ("MQ-X", "must", "");

static struct nova_catalog catalog;
static struct nova_arena arena;
static struct nova_profile profile;
static struct nova_results results;
static struct nova_check check[8];
static struct nova_conversation_result conversation[8];
static struct nova_ids ids[8];
static const char *id_text[8][2];

static void setup(void) {
  nova_catalog_init(&catalog, NULL);
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  struct nova_spec_file f = {"requirements.yaml", requirements,
                             sizeof requirements - 1};
  cr_assert_eq(nova_catalog_add(&catalog, &f, &diag), 0, "%s",
               nova_buf_cstr(&diag.text));
  nova_arena_init(&arena, NULL, 1 << 20);
  nova_profile_init(&profile, &arena);
  profile.subject = NOVA_ROLE_SERVER;
  profile.tcp.host = "h";
  results =
      (struct nova_results){.arena = &arena,
                            .subject = NOVA_ROLE_SERVER,
                            .profile = &profile,
                            .started_unix_ns = UINT64_C(1800000000) * NOVA_SEC,
                            .conversation = conversation};
}

static void teardown(void) {
  nova_catalog_free(&catalog);
  nova_arena_free(&arena);
}

/* Each check in a conversation of its own; |presupposes| may be NULL. */
static void add(const char *id, enum nova_verdict v, const char *presupposes) {
  size_t i = results.conversations++;
  id_text[i][0] = presupposes;
  ids[i] = (struct nova_ids){id_text[i], presupposes != NULL};
  check[i] = (struct nova_check){.requirement = id,
                                 .verdict = v,
                                 .step = 1,
                                 .reason = "because",
                                 .presupposes = &ids[i]};
  conversation[i] = (struct nova_conversation_result){
      .id = id, .verdict = v, .check = &check[i], .checks = 1};
}

static void judge(const struct nova_expect *expect) {
  cr_assert_eq(nova_verdict_judge(&results, &catalog, expect), 0);
}

static enum nova_verdict of(const char *id) {
  for (size_t i = 0; i < results.requirements; i++)
    if (strcmp(results.requirement[i].requirement->id, id) == 0)
      return results.requirement[i].verdict;
  cr_assert_fail("no requirement %s", id);
  return NOVA_VERDICT_NOT_TESTED;
}

static const char *reason_of(const char *id) {
  for (size_t i = 0; i < results.requirements; i++)
    if (strcmp(results.requirement[i].requirement->id, id) == 0)
      return results.requirement[i].reason;
  return NULL;
}

Test(verdict, the_worst_check_counts, .init = setup, .fini = teardown) {
  add("A", NOVA_VERDICT_PASS, NULL);
  add("A", NOVA_VERDICT_FAIL, NULL);
  add("A", NOVA_VERDICT_INCONCLUSIVE, NULL);
  add("B", NOVA_VERDICT_PASS, NULL);
  add("B", NOVA_VERDICT_INCONCLUSIVE, NULL);
  add("C", NOVA_VERDICT_NOT_TESTED, NULL);
  add("C", NOVA_VERDICT_PASS, NULL);
  judge(NULL);
  cr_expect_eq(of("A"), NOVA_VERDICT_FAIL);
  cr_expect_eq(of("B"), NOVA_VERDICT_INCONCLUSIVE);
  cr_expect_eq(of("C"), NOVA_VERDICT_PASS);
  cr_expect_eq(results.outcome, NOVA_OUTCOME_NOT_CONFORMANT);
  cr_expect_eq(nova_verdict_exit(&results, true), 1);
}

Test(verdict, what_follows_is_inconclusive, .init = setup, .fini = teardown) {
  add("A", NOVA_VERDICT_FAIL, NULL);
  add("B", NOVA_VERDICT_FAIL, "A");
  add("C", NOVA_VERDICT_FAIL, "B");
  judge(NULL);
  cr_expect_eq(of("A"), NOVA_VERDICT_FAIL);
  cr_expect_eq(of("B"), NOVA_VERDICT_INCONCLUSIVE);
  cr_expect_eq(of("C"), NOVA_VERDICT_INCONCLUSIVE, "a chain");
  cr_expect_eq(conversation[1].verdict, NOVA_VERDICT_INCONCLUSIVE);
  cr_expect_null(conversation[1].failure);
  cr_expect_not_null(strstr(reason_of("B"), "presupposes A"));
}

Test(verdict, a_presupposition_that_holds_hides_nothing, .init = setup,
     .fini = teardown) {
  add("A", NOVA_VERDICT_PASS, NULL);
  add("A", NOVA_VERDICT_INCONCLUSIVE, NULL);
  add("B", NOVA_VERDICT_FAIL, "A");
  judge(NULL);
  cr_expect_eq(of("B"), NOVA_VERDICT_FAIL);
}

Test(verdict, a_circle_hides_nothing, .init = setup, .fini = teardown) {
  add("A", NOVA_VERDICT_FAIL, "B");
  add("B", NOVA_VERDICT_FAIL, "A");
  judge(NULL);
  cr_expect_eq(of("A"), NOVA_VERDICT_FAIL);
  cr_expect_eq(of("B"), NOVA_VERDICT_FAIL);
}

Test(verdict, what_is_open_is_incomplete, .init = setup, .fini = teardown) {
  profile.device = NOVA_NEW_ARRAY(&arena, struct nova_login, 1);
  profile.devices = 1;
  add("A", NOVA_VERDICT_PASS, NULL);
  add("B", NOVA_VERDICT_PASS, NULL);
  add("C", NOVA_VERDICT_PASS, NULL);
  judge(NULL);
  cr_expect_eq(of("MQ-X"), NOVA_VERDICT_NOT_APPLICABLE);
  cr_expect_eq(of("TCP-X"), NOVA_VERDICT_NOT_TESTED);
  cr_expect_str_eq(reason_of("TCP-X"),
                   "needs a second credential (--device ID:KEY)");
  cr_expect_eq(results.outcome, NOVA_OUTCOME_INCOMPLETE);
  cr_expect_eq(nova_verdict_exit(&results, false), 3);
  cr_expect_eq(nova_verdict_exit(&results, true), 0);
  cr_expect_eq(results.tally[NOVA_LEVEL_MUST].by[NOVA_VERDICT_PASS], 3);
  cr_expect_eq(results.tally[NOVA_LEVEL_SHOULD].by[NOVA_VERDICT_NOT_TESTED], 1);
}

Test(verdict, a_should_fails_no_run, .init = setup, .fini = teardown) {
  add("A", NOVA_VERDICT_PASS, NULL);
  add("B", NOVA_VERDICT_PASS, NULL);
  add("C", NOVA_VERDICT_PASS, NULL);
  add("TCP-X", NOVA_VERDICT_PASS, NULL);
  add("S", NOVA_VERDICT_FAIL, NULL);
  judge(NULL);
  cr_expect_eq(of("S"), NOVA_VERDICT_FAIL);
  cr_expect_eq(results.outcome, NOVA_OUTCOME_CONFORMANT);
  cr_expect_eq(nova_verdict_exit(&results, false), 0);
}

static void expect_file(struct nova_expect *e, const char *text) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  cr_assert_eq(
      nova_expect_read(e, &arena, &catalog, "known", text, strlen(text), &diag),
      0, "%s", nova_buf_cstr(&diag.text));
}

Test(verdict, known_failures, .init = setup, .fini = teardown) {
  struct nova_expect e;
  expect_file(&e, "# known\nA  the old firmware  until 2999-01-01\n\nS odd\n");
  add("A", NOVA_VERDICT_FAIL, NULL);
  add("B", NOVA_VERDICT_PASS, NULL);
  add("C", NOVA_VERDICT_PASS, NULL);
  add("TCP-X", NOVA_VERDICT_PASS, NULL);
  add("S", NOVA_VERDICT_FAIL, NULL);
  judge(&e);
  cr_expect_eq(results.outcome, NOVA_OUTCOME_CONFORMANT);
  cr_expect_eq(results.stales, 0);
}

Test(verdict, a_known_failure_that_passes_or_expired, .init = setup,
     .fini = teardown) {
  struct nova_expect e;
  expect_file(&e, "A fixed?\nB old until 2020-02-29\n");
  add("A", NOVA_VERDICT_PASS, NULL);
  add("B", NOVA_VERDICT_FAIL, NULL);
  judge(&e);
  cr_expect_eq(results.stales, 2);
  cr_expect_eq(nova_verdict_exit(&results, true), 1);
}

Test(verdict, a_known_failures_file_that_is_wrong, .init = setup,
     .fini = teardown) {
  static const struct {
    const char *text, *message;
  } bad[] = {
      {"Q why\n", "known:1:1: there is no requirement \"Q\"\n"},
      {"\n  A\n", "known:2:4: why? expected a reason after A\n"},
      {"A x\nA y\n", "known:2:1: A stands here twice\n"},
      {"A until 2027-01-01\n", "known:1:2: why? expected a reason after A\n"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct nova_expect e;
    struct nova_diag diag;
    nova_diag_init(&diag, NULL);
    cr_expect_eq(nova_expect_read(&e, &arena, &catalog, "known", bad[i].text,
                                  strlen(bad[i].text), &diag),
                 NOVA_ERR_ARGUMENT);
    cr_expect_str_eq(nova_buf_cstr(&diag.text), bad[i].message);
    nova_diag_free(&diag);
  }
}
