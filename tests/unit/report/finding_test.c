#include "sample.h"

#include "report/finding.h"

#include <criterion/criterion.h>

/* The sample with a second failure of a requirement, by a rule. */
static void with_rule(struct sample *s) {
  sample_init(s, true);
  struct nova_results *r = &s->results;
  struct nova_requirement_result *q = &r->requirement[2];
  static struct nova_check by_rule;
  by_rule = r->conversation[1].check[0];
  by_rule.requirement = q->requirement->id;
  by_rule.verdict = NOVA_VERDICT_FAIL;
  by_rule.rule = "server-pong";
  by_rule.step = 0;
  by_rule.expected = "e";
  by_rule.observed = "o";
  r->conversation[4].check = &by_rule;
  r->conversation[4].checks = 1;
  q->conversation = NOVA_NEW_ARRAY(&s->arena, size_t, 2);
  q->conversation[0] = 1;
  q->conversation[1] = 4;
  q->conversations = 2;
}

Test(finding, a_rule_speaks_for_itself) {
  struct sample s;
  with_rule(&s);
  struct nova_finding f;
  cr_assert(nova_finding_first(&s.results, &s.results.requirement[2], &f));
  cr_assert_str_eq(f.check->rule, "server-pong");
  cr_assert_str_eq(f.why->en, "Devices set their clock by it.");
  cr_assert_str_eq(f.mend->zh, "发送整数秒。");
  cr_assert_eq(f.conversations, 1, "the step's is another finding");
  /* A rule that says nothing leaves it to the conversation. */
  struct nova_rule_result mute = {.id = "server-pong"};
  s.results.rule = &mute;
  f = nova_finding_of(&s.results, &s.results.conversation[1], f.check);
  cr_assert_eq(f.mend, &s.results.conversation[1].mend);
  sample_free(&s);
}

Test(finding, a_rule_is_counted_over_the_conversations) {
  struct sample s;
  with_rule(&s);
  for (size_t i = 0; i < 2; i++) {
    s.results.conversation[2 + i].check = s.results.conversation[4].check;
    s.results.conversation[2 + i].checks = 1;
  }
  struct nova_finding f;
  cr_assert(nova_finding_first(&s.results, &s.results.requirement[2], &f));
  cr_assert_eq(f.conversations, 3);
  sample_free(&s);
}

static const char *event_of(const struct sample *s, size_t conversation,
                            size_t entry, struct nova_buf *b) {
  struct nova_check c = {.verdict = NOVA_VERDICT_FAIL,
                         .requirement = "TCP-AUTH-04",
                         .entry = entry};
  struct nova_finding f =
      nova_finding_of(&s->results, &s->results.conversation[conversation], &c);
  nova_buf_clear(b);
  cr_assert_eq(nova_finding_event(&f, &s->mask, NOVA_LANG_EN, b), 0);
  return nova_buf_cstr(b);
}

Test(finding, its_event_is_masked_harmless_and_short) {
  struct sample s;
  sample_init(&s, false);
  struct nova_buf b;
  nova_buf_init(&b, NULL, 1 << 20);
  for (size_t i = 0; i < s.results.conversations; i++) {
    const struct nova_transcript *t = &s.results.conversation[i].transcript;
    for (size_t k = 0; k <= t->n; k++) {
      const char *text = event_of(&s, i, k, &b);
      cr_assert_eq(*text == '\0', k == t->n);
      cr_assert_null(strstr(text, SAMPLE_OTHER));
      for (const char *p = text; *p != '\0'; p++)
        cr_assert((unsigned char)*p >= ' ' && *p != 0x7f, "%s", text);
      cr_assert_leq(nova_columns(nova_buf_view(&b)), NOVA_FINDING_COLUMNS + 60);
    }
  }
  size_t n = s.results.conversation[4].transcript.n;
  cr_assert_not_null(
      strstr(event_of(&s, 4, n - 2, &b), "its process was ended by a signal"));
  cr_assert_not_null(strstr(nova_buf_cstr(&b), "key ***\\r\\x1b]0;"));
  cr_assert_str_eq(event_of(&s, 4, n - 1, &b),
                   "its process ended with status 0");
  nova_buf_free(&b);
  sample_free(&s);
}
