#include "report/read.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

/* results.json nests less than that, but for what a profile declares. */
#define DEPTH 64

/* More than any run has; what looks at results may take time that grows with
 * the square of them. */
#define REQUIREMENTS_MOST  8192
#define CONVERSATIONS_MOST 65536

static const char *const outcomes[] = {"conformant", "not_conformant",
                                       "incomplete"};

/* --- checks and conversations -------------------------------------------- */

static void read_check(struct nova__reader *r, struct nova_json_value v,
                       struct nova_check *c) {
  enum {
    REQUIREMENT,
    VERDICT,
    STEP,
    RULE,
    LINE,
    EXPECTED,
    OBSERVED,
    REASON,
    T,
    MEASURED,
    EARLIEST,
    LATEST,
    ERROR_S,
    EVENT,
    PRESUPPOSES,
    OBSERVATION,
    RETRY,
    MEMBERS
  };
  static const char *const names[MEMBERS + 1] = {
      "requirement", "verdict",  "step",    "rule",  "line",
      "expected",    "observed", "reason",  "t",     "measured_s",
      "earliest_s",  "latest_s", "error_s", "event", "presupposes",
      "observation", "retry",    NULL};
  struct nova_json_value m[MEMBERS];
  if (!nova__read_object(r, v, names, m))
    return;
  c->requirement = nova__read_text(r, m[REQUIREMENT], "requirement", true);
  c->verdict = (enum nova_verdict)nova__read_pick(r, m[VERDICT], "verdict",
                                                  nova_verdict_names, 5);
  c->step = (unsigned)nova__read_uint(r, m[STEP], "step", false, UINT32_MAX);
  c->rule = nova__read_text(r, m[RULE], "rule", false);
  c->line = (unsigned)nova__read_uint(r, m[LINE], "line", false, UINT32_MAX);
  bool fail = c->verdict == NOVA_VERDICT_FAIL;
  c->expected = nova__read_text(r, m[EXPECTED], "expected", fail);
  c->observed = nova__read_text(r, m[OBSERVED], "observed", fail);
  c->reason = nova__read_text(r, m[REASON], "reason", false);
  c->t = nova__read_seconds(r, m[T], "t", false, NOVA_TS_NONE);
  c->measured =
      nova__read_seconds(r, m[MEASURED], "measured_s", false, NOVA_TS_NONE);
  c->earliest =
      nova__read_seconds(r, m[EARLIEST], "earliest_s", false, NOVA_TS_NONE);
  c->latest = nova__read_seconds(r, m[LATEST], "latest_s", false, NOVA_TS_NONE);
  c->error = nova__read_seconds(r, m[ERROR_S], "error_s", false, 0);
  c->entry = nova__read_uint(r, m[EVENT], "event", false, UINT32_MAX);
  c->observation = nova__read_bool(r, m[OBSERVATION], "observation");
  c->retry = nova__read_bool(r, m[RETRY], "retry");
  struct nova_ids presupposes =
      nova__read_ids(r, m[PRESUPPOSES], "presupposes");
  if (presupposes.n != 0) {
    struct nova_ids *kept = NOVA_NEW(r->arena, struct nova_ids);
    if (nova__read_memory(r, kept)) {
      *kept = presupposes;
      c->presupposes = kept;
    }
  }
}

/* A conversation's failure; one that no check stands for becomes a check. */
static void read_failure(struct nova__reader *r, struct nova_json_value v,
                         struct nova_conversation_result *c) {
  static const char *const names[] = {"step",     "rule",     "requirement",
                                      "expected", "observed", NULL};
  struct nova_json_value m[5];
  for (size_t i = 0; i < c->checks && c->failure == NULL; i++)
    if (c->check[i].verdict == NOVA_VERDICT_FAIL)
      c->failure = &c->check[i];
  if (v.type == NOVA_JSON_NONE || r->err != 0)
    return;
  nova__read_enter(r, "failure", SIZE_MAX);
  if (nova__read_object(r, v, names, m)) {
    struct nova_check k = {.verdict = NOVA_VERDICT_FAIL,
                           .t = NOVA_TS_NONE,
                           .measured = NOVA_TS_NONE,
                           .earliest = NOVA_TS_NONE,
                           .latest = NOVA_TS_NONE};
    k.step = (unsigned)nova__read_uint(r, m[0], "step", true, UINT32_MAX);
    k.rule = nova__read_text(r, m[1], "rule", false);
    k.requirement = nova__read_text(r, m[2], "requirement", true);
    k.expected = nova__read_text(r, m[3], "expected", true);
    k.observed = nova__read_text(r, m[4], "observed", true);
    if (c->failure == NULL && r->err == 0) {
      struct nova_check *all =
          NOVA_NEW_ARRAY(r->arena, struct nova_check, c->checks + 1);
      if (nova__read_memory(r, all)) {
        for (size_t i = 0; i < c->checks; i++)
          all[i] = c->check[i];
        all[c->checks] = k;
        c->check = all;
        c->failure = &all[c->checks++];
      }
    }
  }
  nova__read_leave(r);
}

static const char *read_key(struct nova__reader *r, struct nova_json_value v,
                            const char *name, const char *of) {
  static const char *const names[] = {"generation", "length", NULL};
  struct nova_json_value m[2];
  if (v.type == NOVA_JSON_NONE || of == NULL)
    return NULL;
  nova__read_enter(r, name, SIZE_MAX);
  const char *key = NULL;
  if (nova__read_object(r, v, names, m)) {
    unsigned generation =
        (unsigned)nova__read_uint(r, m[0], "generation", true, UINT32_MAX);
    size_t n = nova__read_uint(r, m[1], "length", true, 1u << 20);
    if (r->err == 0)
      key = nova__read_placeholder(r, of, generation, n);
  }
  nova__read_leave(r);
  return key;
}

static void read_checks(struct nova__reader *r, struct nova_json_value v,
                        struct nova_conversation_result *c) {
  size_t n = nova__read_count(r, v, "checks", false);
  if (n == 0)
    return;
  c->check = NOVA_NEW_ARRAY(r->arena, struct nova_check, n);
  if (!nova__read_memory(r, c->check))
    return;
  struct nova_json_iter it;
  struct nova_json_value one;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &one) && r->err == 0) {
    nova__read_enter(r, "checks", c->checks);
    read_check(r, one, &c->check[c->checks++]);
    nova__read_leave(r);
  }
}

void nova__read_conversation(struct nova__reader *r, struct nova_json_value v,
                             bool transcript,
                             struct nova_conversation_result *c) {
  enum {
    ID,
    TITLE,
    WHY,
    MEND,
    TRANSPORT,
    VERDICT,
    REASON,
    VERIFIES,
    STARTED,
    DURATION,
    DEVICE,
    OTHER,
    DEVICE_KEY,
    OTHER_KEY,
    SEED,
    UNIX,
    ERROR_S,
    TRIES,
    AGAIN,
    FAILURE,
    CHECKS,
    CUT,
    TRANSCRIPT,
    MEMBERS
  };
  static const char *const names[MEMBERS + 1] = {
      "id",        "title",          "why",        "mend",      "transport",
      "verdict",   "reason",         "verifies",   "started_s", "duration_s",
      "device",    "other",          "device_key", "other_key", "seed",
      "unix_time", "timing_error_s", "tries",      "again",     "failure",
      "checks",    "transcript_cut", "transcript", NULL};
  struct nova_json_value m[MEMBERS];
  if (!nova__read_object(r, v, names, m))
    return;
  c->id = nova__read_text(r, m[ID], "id", true);
  c->title = nova__read_both(r, m[TITLE], "title");
  c->why = nova__read_both(r, m[WHY], "why");
  c->mend = nova__read_both(r, m[MEND], "mend");
  c->transport = nova__read_text(r, m[TRANSPORT], "transport", false);
  c->verdict = (enum nova_verdict)nova__read_pick(r, m[VERDICT], "verdict",
                                                  nova_verdict_names, 5);
  c->reason = nova__read_text(r, m[REASON], "reason", false);
  c->verifies = nova__read_ids(r, m[VERIFIES], "verifies");
  c->started = nova__read_seconds(r, m[STARTED], "started_s", true, 0);
  c->duration = nova__read_seconds(r, m[DURATION], "duration_s", true, 0);
  c->device = nova__read_text(r, m[DEVICE], "device", false);
  c->other = nova__read_text(r, m[OTHER], "other", false);
  c->device_key = read_key(r, m[DEVICE_KEY], "device_key", c->device);
  c->other_key = read_key(r, m[OTHER_KEY], "other_key", c->other);
  c->seed = nova__read_uint(r, m[SEED], "seed", false, UINT64_MAX);
  c->unix_ns = nova__read_seconds(r, m[UNIX], "unix_time", false, 0);
  c->timing_error =
      nova__read_seconds(r, m[ERROR_S], "timing_error_s", false, 0);
  c->tries = 1;
  if (m[TRIES].type != NOVA_JSON_NONE)
    c->tries =
        (unsigned)nova__read_uint(r, m[TRIES], "tries", true, UINT32_MAX);
  c->again = nova__read_bool(r, m[AGAIN], "again");
  read_checks(r, m[CHECKS], c);
  read_failure(r, m[FAILURE], c);
  c->transcript.cut = nova__read_bool(r, m[CUT], "transcript_cut");
  if (transcript)
    nova__read_transcript(r, m[TRANSCRIPT], &c->transcript);
}

/* --- requirements -------------------------------------------------------- */

static int by_id(const void *a, const void *b) {
  const struct nova_conversation_result *const *x = a, *const *y = b;
  return strcmp((*x)->id, (*y)->id);
}

static int id_is(const void *key, const void *element) {
  const struct nova_conversation_result *const *c = element;
  return strcmp(key, (*c)->id);
}

/* Conversations by their ids. */
struct index {
  const struct nova_conversation_result **sorted;
  size_t n;
};

static struct index index_of(struct nova__reader *r,
                             const struct nova_results *all) {
  struct index out = {NULL, 0};
  out.sorted = NOVA_NEW_ARRAY(r->arena, const struct nova_conversation_result *,
                              all->conversations + 1);
  if (!nova__read_memory(r, out.sorted))
    return out;
  for (size_t i = 0; i < all->conversations; i++)
    out.sorted[out.n++] = &all->conversation[i];
  if (out.n > 1)
    qsort(out.sorted, out.n, sizeof *out.sorted, by_id);
  return out;
}

static void read_requirement(struct nova__reader *r, struct nova_json_value v,
                             const struct nova_results *all,
                             const struct index *index,
                             struct nova_requirement_result *q) {
  enum {
    ID,
    LEVEL,
    BASIS,
    SECTION,
    BINDS,
    TEXT,
    VERDICT,
    REASON,
    NEEDS,
    EXPECTED,
    WHY,
    CHECKS,
    CONVERSATIONS,
    MEMBERS
  };
  static const char *const names[MEMBERS + 1] = {"id",
                                                 "level",
                                                 "basis",
                                                 "section",
                                                 "binds",
                                                 "text",
                                                 "verdict",
                                                 "reason",
                                                 "needs",
                                                 "expected_failure",
                                                 "expect_reason",
                                                 "checks",
                                                 "conversations",
                                                 NULL};
  struct nova_json_value m[MEMBERS];
  struct nova_requirement *d = NOVA_NEW(r->arena, struct nova_requirement);
  if (!nova__read_memory(r, d) || !nova__read_object(r, v, names, m))
    return;
  q->requirement = d;
  d->id = nova__read_text(r, m[ID], "id", true);
  d->level = (enum nova_level)nova__read_pick(r, m[LEVEL], "level",
                                              nova_level_names, 3);
  d->basis = nova__read_text(r, m[BASIS], "basis", true);
  d->section = nova__read_text(r, m[SECTION], "section", true);
  d->binds =
      (enum nova_role)nova__read_pick(r, m[BINDS], "binds", nova_role_names, 2);
  d->text = nova__read_both(r, m[TEXT], "text");
  q->verdict = (enum nova_verdict)nova__read_pick(r, m[VERDICT], "verdict",
                                                  nova_verdict_names, 5);
  q->reason = nova__read_text(r, m[REASON], "reason", false);
  q->needs = nova__read_text(r, m[NEEDS], "needs", false);
  q->expected_failure = nova__read_bool(r, m[EXPECTED], "expected_failure");
  q->expect_reason = nova__read_text(r, m[WHY], "expect_reason", false);
  q->checks = nova__read_uint(r, m[CHECKS], "checks", false, UINT32_MAX);
  struct nova_ids ids = nova__read_ids(r, m[CONVERSATIONS], "conversations");
  if (ids.n > all->conversations)
    nova__read_fail(r, "conversations", "each conversation once");
  q->conversation = NOVA_NEW_ARRAY(r->arena, size_t, ids.n + 1);
  if (!nova__read_memory(r, q->conversation))
    return;
  for (size_t i = 0; i < ids.n; i++) {
    const struct nova_conversation_result **found = bsearch(
        ids.id[i], index->sorted, index->n, sizeof *index->sorted, id_is);
    if (found == NULL) {
      nova__read_fail(r, "conversations", "ids of conversations of this file");
      return;
    }
    q->conversation[q->conversations++] = (size_t)(*found - all->conversation);
  }
}

/* --- the whole ----------------------------------------------------------- */

static void read_summary(struct nova__reader *r, struct nova_json_value v,
                         struct nova_results *out) {
  static const char *const names[] = {"outcome", "must", "should", "may", NULL};
  struct nova_json_value m[4];
  nova__read_enter(r, "summary", SIZE_MAX);
  if (nova__read_object(r, v, names, m)) {
    out->outcome =
        (enum nova_outcome)nova__read_pick(r, m[0], "outcome", outcomes, 3);
    for (size_t i = 0; i < 3; i++) {
      nova__read_enter(r, names[i + 1], SIZE_MAX);
      for (size_t k = 0; k < 5; k++)
        out->tally[i].by[k] = nova__read_uint(
            r, nova_json_get(m[i + 1], nova_view_of(nova_verdict_names[k])),
            nova_verdict_names[k], true, UINT32_MAX);
      nova__read_leave(r);
    }
  }
  nova__read_leave(r);
}

static void read_self_test(struct nova__reader *r, struct nova_json_value v,
                           struct nova_results *out) {
  static const char *const names[] = {"faults", "caught", "blamed", NULL};
  struct nova_json_value m[3];
  if (v.type == NOVA_JSON_NONE || !nova__read_object(r, v, names, m))
    return;
  out->faults = nova__read_uint(r, m[0], "faults", true, UINT32_MAX);
  out->faults_caught = nova__read_uint(r, m[1], "caught", true, UINT32_MAX);
  out->faults_blamed = nova__read_uint(r, m[2], "blamed", true, UINT32_MAX);
}

static void read_rules(struct nova__reader *r, struct nova_json_value v,
                       struct nova_results *out) {
  static const char *const names[] = {"id", "title", "why", "mend", NULL};
  struct nova_json_iter it;
  struct nova_json_value one, m[4];
  size_t n = nova__read_count(r, v, "rules", false);
  if (n > REQUIREMENTS_MOST)
    nova__read_fail(r, "rules", "at most 8192");
  if (n == 0 || r->err != 0)
    return;
  out->rule = NOVA_NEW_ARRAY(r->arena, struct nova_rule_result, n);
  if (!nova__read_memory(r, out->rule))
    return;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &one) && r->err == 0) {
    struct nova_rule_result *u = &out->rule[out->rules];
    nova__read_enter(r, "rules", out->rules++);
    if (nova__read_object(r, one, names, m)) {
      u->id = nova__read_text(r, m[0], "id", true);
      u->title = nova__read_both(r, m[1], "title");
      u->why = nova__read_both(r, m[2], "why");
      u->mend = nova__read_both(r, m[3], "mend");
    }
    nova__read_leave(r);
  }
}

static void read_lists(struct nova__reader *r,
                       struct nova_json_value requirements,
                       struct nova_json_value conversations,
                       struct nova_results *out) {
  struct nova_json_iter it;
  struct nova_json_value one;
  size_t n = nova__read_count(r, conversations, "conversations", true);
  if (n > CONVERSATIONS_MOST)
    nova__read_fail(r, "conversations", "at most 65536");
  if (r->err != 0)
    return;
  out->conversation =
      NOVA_NEW_ARRAY(r->arena, struct nova_conversation_result, n + 1);
  if (!nova__read_memory(r, out->conversation))
    return;
  if (n != 0)
    nova_json_iter_init(&it, conversations);
  while (n != 0 && nova_json_next(&it, NULL, &one) && r->err == 0) {
    size_t i = out->conversations++;
    nova__read_enter(r, "conversations", i);
    nova__read_conversation(r, one, true, &out->conversation[i]);
    nova__read_leave(r);
  }
  if (r->err != 0)
    return;
  struct index index = index_of(r, out);
  n = nova__read_count(r, requirements, "requirements", true);
  if (n > REQUIREMENTS_MOST)
    nova__read_fail(r, "requirements", "at most 8192");
  if (r->err != 0)
    return;
  out->requirement =
      NOVA_NEW_ARRAY(r->arena, struct nova_requirement_result, n + 1);
  if (!nova__read_memory(r, out->requirement))
    return;
  if (n != 0)
    nova_json_iter_init(&it, requirements);
  while (n != 0 && nova_json_next(&it, NULL, &one) && r->err == 0) {
    size_t i = out->requirements++;
    nova__read_enter(r, "requirements", i);
    read_requirement(r, one, out, &index, &out->requirement[i]);
    nova__read_leave(r);
  }
}

bool nova__read_start(struct nova__reader *r, const char *p, size_t n,
                      const char *format, struct nova_json_value *root) {
  static const char *const names[] = {"format", "version", NULL};
  struct nova_json_value m[2];
  if (r->error != NULL)
    r->error->text[0] = '\0';
  struct nova_json *j = n <= NOVA_RESULTS_FILE_MAX
                            ? nova_json_new(r->arena->mem, n + 1, DEPTH)
                            : NULL;
  struct nova_fault_at at = {
      n > NOVA_RESULTS_FILE_MAX ? NOVA_ERR_LIMIT : NOVA_ERR_NO_MEMORY, 0};
  r->err = j != NULL ? nova_json_check(j, p, n, root, &at) : at.code;
  nova_json_free(j);
  if (r->err != 0) {
    if (r->error != NULL)
      snprintf(r->error->text, sizeof r->error->text, "%s at byte %zu",
               nova_error_text(r->err), at.offset);
    return false;
  }
  if (!nova__read_object(r, *root, names, m))
    return false;
  nova__read_pick(r, m[0], "format", &format, 1);
  nova__read_uint(r, m[1], "version", true, NOVA_RESULTS_VERSION);
  return r->err == 0;
}

int nova_results_read_json(const char *p, size_t n, struct nova_arena *arena,
                           struct nova_results *out,
                           struct nova_read_error *error) {
  enum {
    TOOL,
    SUBJECT,
    NAME,
    ADDRESS,
    SEED,
    STARTED,
    DURATION,
    INTERRUPTED,
    ERROR_S,
    PROFILE,
    SUMMARY,
    SELF_TEST,
    STALE,
    RULES,
    REQUIREMENTS,
    CONVERSATIONS,
    MEMBERS
  };
  static const char *const names[MEMBERS + 1] = {"tool",
                                                 "subject",
                                                 "name",
                                                 "address",
                                                 "seed",
                                                 "started",
                                                 "duration_s",
                                                 "interrupted",
                                                 "timing_error_s",
                                                 "profile",
                                                 "summary",
                                                 "self_test",
                                                 "stale_expectations",
                                                 "rules",
                                                 "requirements",
                                                 "conversations",
                                                 NULL};
  struct nova__reader r = {.arena = arena, .error = error};
  struct nova_json_value root, m[MEMBERS];
  *out = (struct nova_results){.arena = arena};
  if (!nova__read_start(&r, p, n, NOVA_RESULTS_FORMAT, &root))
    return r.err;
  nova__read_members(root, names, m);
  out->tool_version =
      nova__read_text(&r, nova_json_get(m[TOOL], nova_view_of("version")),
                      "tool.version", true);
  out->subject = (enum nova_role)nova__read_pick(&r, m[SUBJECT], "subject",
                                                 nova_role_names, 2);
  r.subject = out->subject;
  out->name = nova__read_text(&r, m[NAME], "name", true);
  out->address = nova__read_text(&r, m[ADDRESS], "address", false);
  out->seed = nova__read_uint(&r, m[SEED], "seed", true, UINT64_MAX);
  if (r.err == 0)
    out->started_unix_ns = nova__read_time(&r, m[STARTED], "started");
  out->duration = nova__read_seconds(&r, m[DURATION], "duration_s", true, 0);
  out->interrupted = nova__read_bool(&r, m[INTERRUPTED], "interrupted");
  out->timing_error =
      nova__read_seconds(&r, m[ERROR_S], "timing_error_s", false, 0);
  if (m[PROFILE].type != NOVA_JSON_NONE) {
    nova__read_enter(&r, "profile", SIZE_MAX);
    out->profile = nova__read_profile(&r, m[PROFILE]);
    nova__read_leave(&r);
  }
  read_summary(&r, m[SUMMARY], out);
  read_self_test(&r, m[SELF_TEST], out);
  struct nova_ids stale = nova__read_ids(&r, m[STALE], "stale_expectations");
  out->stale = stale.id;
  out->stales = stale.n;
  read_rules(&r, m[RULES], out);
  read_lists(&r, m[REQUIREMENTS], m[CONVERSATIONS], out);
  return r.err;
}

int nova_transcript_read_json(const char *p, size_t n, struct nova_arena *arena,
                              struct nova_results *results,
                              struct nova_read_error *error) {
  static const char *const names[] = {"subject", "conversation", "transcript",
                                      NULL};
  struct nova__reader r = {.arena = arena, .error = error};
  struct nova_json_value root, m[3];
  if (!nova__read_start(&r, p, n, NOVA_TRANSCRIPT_FORMAT, &root))
    return r.err;
  nova__read_members(root, names, m);
  r.subject =
      (enum nova_role)nova__read_pick(&r, m[0], "subject", nova_role_names, 2);
  if (r.err == 0 && r.subject != results->subject)
    nova__read_fail(&r, "subject", "the subject of results.json");
  const char *id = nova__read_text(&r, m[1], "conversation", true);
  struct nova_conversation_result *c = NULL;
  for (size_t i = 0; id != NULL && i < results->conversations; i++)
    if (strcmp(results->conversation[i].id, id) == 0)
      c = &results->conversation[i];
  if (c == NULL)
    nova__read_fail(&r, "conversation", "one that results.json has");
  struct nova_transcript whole = {.cut = c != NULL && c->transcript.cut};
  if (r.err == 0)
    nova__read_transcript(&r, m[2], &whole);
  if (r.err == 0 && whole.n != c->transcript.n)
    nova__read_fail(&r, "transcript", "as many events as results.json has");
  if (r.err == 0)
    c->transcript = whole;
  return r.err;
}
