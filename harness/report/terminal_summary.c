/* The end of a run: what failed and why, what could not be judged, what was not
 * tested and what that needs, the tallies, the outcome. */
#include "report/finding.h"
#include "report/ink.h"

#define INDENT "      "
#define LABEL  12

static void heading(struct nova__ink *k, enum nova_phrase p, size_t n) {
  char count[24];
  nova__ink_number(count, n);
  nova__ink_raw(k, "\n");
  nova__ink_bold(k, p);
  nova__ink_raw(k, " (");
  nova__ink_raw(k, count);
  nova__ink_raw(k, ")\n");
}

/* "      expected    no close before 180 s". */
static void label(struct nova__ink *k, enum nova_phrase p) {
  nova__ink_raw(k, INDENT);
  nova__ink_color(k, "2");
  nova__ink_cell(k, p, LABEL, false);
  nova__ink_color(k, NULL);
}

static void field(struct nova__ink *k, enum nova_phrase p, const char *text) {
  if (text == NULL || *text == '\0')
    return;
  label(k, p);
  nova__ink_text(k, text, 0);
  nova__ink_raw(k, "\n");
}

/* "FAIL    TCP-HB-09  must, guide 3.4". */
static void title(struct nova__ink *k,
                  const struct nova_requirement_result *q) {
  const struct nova_requirement *d = q->requirement;
  nova__ink_mark(k, NOVA_VERDICT_FAIL, 8);
  nova__ink_color(k, "1");
  nova__ink_text(k, d->id, 0);
  nova__ink_color(k, NULL);
  nova__ink_raw(k, "  ");
  nova__ink_say(k, nova_phrase_level(d->level), NULL, 0);
  if (d->basis != NULL && strcmp(d->basis, "implied") == 0) {
    nova__ink_raw(k, " (");
    nova__ink_say(k, NOVA_TEXT_IMPLIED, NULL, 0);
    nova__ink_raw(k, ")");
  }
  nova__ink_raw(k, ", ");
  nova__ink_say(k, NOVA_TEXT_GUIDE, &d->section, 1);
  nova__ink_raw(k, "\n" INDENT);
  nova__ink_text(k, nova_text_in(k->t->lang, &d->text), 0);
  nova__ink_raw(k, "\n");
}

static void measured(struct nova__ink *k, const struct nova_check *c) {
  if (c->measured == NOVA_TS_NONE)
    return;
  char text[40];
  const char *arg = text;
  label(k, NOVA_TEXT_MEASURED);
  nova__ink_raw(k, nova_seconds(c->measured, text));
  if (c->earliest != NOVA_TS_NONE) {
    nova_seconds(c->earliest, text);
    nova__ink_raw(k, "; ");
    nova__ink_say(k, NOVA_TEXT_ALLOWED_FROM, &arg, 1);
  }
  if (c->latest != NOVA_TS_NONE) {
    nova_seconds(c->latest, text);
    nova__ink_raw(k, "; ");
    nova__ink_say(k, NOVA_TEXT_ALLOWED_TO, &arg, 1);
  }
  if (c->error != 0) {
    nova_seconds(c->error, text);
    nova__ink_raw(k, "; ");
    nova__ink_say(k, NOVA_TEXT_TIMING_ERROR, &arg, 1);
  }
  nova__ink_raw(k, "\n");
}

static void found_by(struct nova__ink *k, const struct nova_finding *f) {
  const struct nova_check *c = f->check;
  const struct nova_conversation_result *in = f->in;
  char n[24];
  const char *arg = n;
  label(k, NOVA_TEXT_FOUND_BY);
  nova__ink_text(k, in->id, 0);
  enum nova_phrase over = nova_phrase_over(in);
  if (over != NOVA_TEXTS) {
    nova__ink_raw(k, " (");
    nova__ink_say(k, over, NULL, 0);
    nova__ink_raw(k, ")");
  }
  nova__ink_raw(k, ", ");
  if (c->rule != NULL) {
    arg = c->rule;
    nova__ink_say(k, NOVA_TEXT_RULE, &arg, 1);
    arg = n;
  } else {
    nova__ink_number(n, c->step);
    nova__ink_say(k, NOVA_TEXT_STEP, &arg, 1);
  }
  nova__ink_raw(k, ", ");
  nova__ink_number(n, c->entry + 1);
  nova__ink_say(k, NOVA_TEXT_EVENT, &arg, 1);
  if (f->conversations > 1) {
    nova__ink_raw(k, "; ");
    nova__ink_number(n, f->conversations);
    nova__ink_say(k, NOVA_TEXT_IN_ALL, &arg, 1);
  }
  nova__ink_raw(k, "\n");
  if (c->t == NOVA_TS_NONE)
    return;
  char seconds[40];
  arg = nova_seconds(c->t, seconds);
  label(k, NOVA_TEXT_AFTER);
  nova__ink_say(k, NOVA_TEXT_FROM_START, &arg, 1);
  nova__ink_raw(k, "\n");
}

static void shown_by(struct nova__ink *k, const struct nova_finding *f) {
  if (f->check->entry >= f->in->transcript.n)
    return;
  label(k, NOVA_TEXT_EVIDENCE);
  if (k->err == 0)
    k->err = nova_finding_event(f, k->t->mask, k->t->lang, k->out);
  nova__ink_raw(k, "\n");
}

static void see(struct nova__ink *k, const struct nova_requirement_result *q,
                const struct nova_conversation_result *in, const char *folder) {
  label(k, NOVA_TEXT_SEE);
  if (folder != NULL && in != NULL) {
    nova__ink_text(k, folder, 0);
    nova__ink_raw(k, "/transcripts/");
    nova__ink_text(k, in->id, 0);
    nova__ink_raw(k, ".json; ");
  }
  nova__ink_say(k, NOVA_TEXT_EXPLAIN, &q->requirement->id, 1);
  nova__ink_raw(k, "\n");
}

static void failure(struct nova__ink *k, const struct nova_results *r,
                    const struct nova_requirement_result *q,
                    const char *folder) {
  struct nova_finding f = {.in = NULL};
  title(k, q);
  if (!nova_finding_first(r, q, &f)) {
    field(k, NOVA_TEXT_REASON, q->reason);
  } else {
    field(k, NOVA_TEXT_EXPECTED, f.check->expected);
    field(k, NOVA_TEXT_OBSERVED, f.check->observed);
    measured(k, f.check);
    found_by(k, &f);
    shown_by(k, &f);
    field(k, NOVA_TEXT_WHY, nova_text_in(k->t->lang, f.why));
    field(k, NOVA_TEXT_MEND, nova_text_in(k->t->lang, f.mend));
  }
  if (q->expected_failure)
    field(k, NOVA_TEXT_KNOWN, q->expect_reason);
  see(k, q, f.in, folder);
}

static size_t count(const struct nova_results *r, enum nova_verdict v,
                    bool expected) {
  size_t n = 0;
  for (size_t i = 0; i < r->requirements; i++)
    n += r->requirement[i].verdict == v &&
         r->requirement[i].expected_failure == expected;
  return n;
}

static void failures(struct nova__ink *k, const struct nova_results *r,
                     const char *folder, bool expected) {
  size_t n = count(r, NOVA_VERDICT_FAIL, expected);
  if (n == 0)
    return;
  heading(k, expected ? NOVA_TEXT_KNOWN_FAILURES : NOVA_TEXT_FAILURES, n);
  for (size_t i = 0; i < r->requirements; i++) {
    const struct nova_requirement_result *q = &r->requirement[i];
    if (q->verdict == NOVA_VERDICT_FAIL && q->expected_failure == expected)
      failure(k, r, q, folder);
  }
}

static void stales(struct nova__ink *k, const struct nova_results *r) {
  if (r->stales == 0)
    return;
  heading(k, NOVA_TEXT_STALE, r->stales);
  for (size_t i = 0; i < r->stales; i++) {
    nova__ink_raw(k, INDENT);
    nova__ink_text(k, r->stale[i], 0);
    nova__ink_raw(k, "\n");
  }
}

/* What it needs, if its reason says so; else NULL. */
static const char *needs_of(const struct nova_requirement_result *q) {
  if (q->needs != NULL || q->verdict != NOVA_VERDICT_NOT_TESTED)
    return q->needs;
  return q->reason != NULL && strncmp(q->reason, "needs ", 6) == 0
             ? q->reason + 6
             : NULL;
}

/* Two that need the same, so that it is said once. */
static bool same_needs(const struct nova_requirement_result *a,
                       const struct nova_requirement_result *b) {
  const char *x = needs_of(a) != NULL ? needs_of(a) : a->reason;
  const char *y = needs_of(b) != NULL ? needs_of(b) : b->reason;
  return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

static void needs(struct nova__ink *k,
                  const struct nova_requirement_result *q) {
  nova__ink_raw(k, INDENT);
  if (needs_of(q) == NULL && q->reason != NULL) {
    nova__ink_text(k, q->reason, 0);
  } else {
    nova__ink_say(k, NOVA_TEXT_NEEDS, NULL, 0);
    nova__ink_raw(k, " ");
    if (k->err == 0)
      k->err = nova_needs_put(k->out, k->t->lang, needs_of(q));
  }
  nova__ink_raw(k, "\n");
}

/* The requirements of a verdict, by what they need or why it was given. */
static void grouped(struct nova__ink *k, const struct nova_results *r,
                    enum nova_verdict v, enum nova_phrase head) {
  size_t n = count(r, v, false);
  if (n == 0)
    return;
  heading(k, head, n);
  for (size_t i = 0; i < r->requirements; i++) {
    const struct nova_requirement_result *q = &r->requirement[i];
    bool first = q->verdict == v;
    for (size_t j = 0; j < i && first; j++)
      first =
          r->requirement[j].verdict != v || !same_needs(&r->requirement[j], q);
    if (!first)
      continue;
    needs(k, q);
    for (size_t j = i; j < r->requirements; j++) {
      const struct nova_requirement_result *p = &r->requirement[j];
      if (p->verdict != v || !same_needs(p, q))
        continue;
      nova__ink_raw(k, INDENT "  ");
      nova__ink_text(k, p->requirement->id, 0);
      nova__ink_raw(k, "  ");
      nova__ink_say(k, nova_phrase_level(p->requirement->level), NULL, 0);
      nova__ink_raw(k, "  ");
      nova__ink_text(k, nova_text_in(k->t->lang, &p->requirement->text),
                     k->t->width > 50 ? k->t->width - 28 : 0);
      nova__ink_raw(k, "\n");
    }
  }
}

static void all(struct nova__ink *k, const struct nova_results *r) {
  heading(k, NOVA_TEXT_REQUIREMENTS, r->requirements);
  for (size_t i = 0; i < r->requirements; i++) {
    const struct nova_requirement_result *q = &r->requirement[i];
    nova__ink_mark(k, q->verdict, 8);
    nova__ink_text(k, q->requirement->id, 0);
    nova__ink_raw(k, "  ");
    nova__ink_text(k, nova_text_in(k->t->lang, &q->requirement->text), 0);
    nova__ink_raw(k, "\n");
  }
}

static void tallies(struct nova__ink *k, const struct nova_results *r) {
  static const enum nova_verdict order[] = {
      NOVA_VERDICT_PASS, NOVA_VERDICT_FAIL, NOVA_VERDICT_INCONCLUSIVE,
      NOVA_VERDICT_NOT_TESTED, NOVA_VERDICT_NOT_APPLICABLE};
  nova__ink_raw(k, "\n        ");
  for (size_t i = 0; i < 5; i++)
    nova__ink_cell(k, nova_phrase_verdict(order[i]), 16, true);
  for (size_t level = 0; level < 3; level++) {
    nova__ink_raw(k, "\n");
    nova__ink_cell(k, nova_phrase_level((enum nova_level)level), 8, false);
    for (size_t i = 0; i < 5; i++) {
      size_t v = r->tally[level].by[order[i]];
      char text[24];
      size_t n = nova__ink_number(text, v);
      nova__ink_blanks(k, n < 16 ? 16 - n : 1);
      if (v != 0)
        nova__ink_color(k, nova__ink_verdict_color(order[i]));
      nova__ink_raw(k, text);
      if (v != 0)
        nova__ink_color(k, NULL);
    }
  }
  nova__ink_raw(k, "\n");
}

static void outcome(struct nova__ink *k, const struct nova_results *r) {
  char a[24], b[24], c[24];
  const char *arg[] = {a, b, c};
  nova__ink_raw(k, "\n");
  nova__ink_color(k, r->outcome == NOVA_OUTCOME_CONFORMANT       ? "1;32"
                     : r->outcome == NOVA_OUTCOME_NOT_CONFORMANT ? "1;31"
                                                                 : "1;33");
  nova__ink_say(k, nova_phrase_outcome(r->outcome), NULL, 0);
  nova__ink_color(k, NULL);
  nova__ink_raw(k, ": ");
  if (k->err == 0)
    k->err = nova_outcome_put(k->out, k->t->lang, r);
  nova__ink_raw(k, "\n");
  if (r->interrupted) {
    nova__ink_say(k, NOVA_TEXT_WHY_INTERRUPTED, NULL, 0);
    nova__ink_raw(k, "\n");
  }
  if (k->t->verbosity < 0)
    return;
  if (r->faults != 0) {
    nova__ink_number(a, r->faults_caught);
    nova__ink_number(b, r->faults);
    nova__ink_number(c, r->faults_blamed);
    nova__ink_say(k, NOVA_TEXT_SELF_TEST, arg, 3);
    nova__ink_raw(k, "\n");
  }
  nova__ink_number(a, r->seed);
  nova__ink_say(k, NOVA_TEXT_REPEAT, arg, 1);
  nova__ink_raw(k, "\n");
}

int nova_terminal_summary(const struct nova_terminal *t,
                          const struct nova_results *r, const char *folder,
                          struct nova_buf *out) {
  struct nova__ink k;
  nova__ink_init(&k, t, out);
  if (t->verbosity > 0)
    all(&k, r);
  failures(&k, r, folder, false);
  if (t->verbosity >= 0)
    failures(&k, r, folder, true);
  stales(&k, r);
  if (t->verbosity >= 0) {
    grouped(&k, r, NOVA_VERDICT_INCONCLUSIVE, NOVA_TEXT_INCONCLUSIVES);
    grouped(&k, r, NOVA_VERDICT_NOT_TESTED, NOVA_TEXT_NOT_TESTEDS);
    tallies(&k, r);
  }
  outcome(&k, r);
  return nova__ink_end(&k);
}
