#include "report/results_json.h"

#include "report/write.h"

static const char *const tally_names[3] = {"must", "should", "may"};

static void member(struct nova_json_out *o, const char *key,
                   const char *value) {
  if (value == NULL)
    return;
  nova_jo_key(o, key);
  nova_jo_text(o, value);
}

static void number(struct nova_json_out *o, const char *key, uint64_t v) {
  nova_jo_key(o, key);
  nova_jo_uint(o, v);
}

static void seconds(struct nova_json_out *o, const char *key, nova_ts t) {
  if (t == NOVA_TS_NONE)
    return;
  nova_jo_key(o, key);
  nova_jo_seconds(o, t);
}

static void ids(struct nova_json_out *o, const char *key,
                const struct nova_ids *v) {
  nova_jo_key(o, key);
  nova_jo_open(o, '[', true);
  for (size_t i = 0; i < v->n; i++)
    nova_jo_string(o, v->id[i]);
  nova_jo_close(o, ']');
}

static void both(struct nova_json_out *o, const char *key,
                 const struct nova_text *t) {
  if (t->en == NULL && t->zh == NULL)
    return;
  nova_jo_key(o, key);
  nova_jo_open(o, '{', true);
  member(o, "en", t->en);
  member(o, "zh", t->zh);
  nova_jo_close(o, '}');
}

static void write_summary(struct nova_json_out *o,
                          const struct nova_results *r) {
  nova_jo_key(o, "summary");
  nova_jo_open(o, '{', false);
  nova_jo_key(o, "outcome");
  nova_jo_string(o, nova_outcome_names[r->outcome]);
  for (size_t i = 0; i < 3; i++) {
    nova_jo_key(o, tally_names[i]);
    nova_jo_open(o, '{', true);
    for (size_t k = 0; k < 5; k++)
      number(o, nova_verdict_names[k], r->tally[i].by[k]);
    nova_jo_close(o, '}');
  }
  nova_jo_close(o, '}');
}

static void write_requirement(struct nova_json_out *o,
                              const struct nova_results *r,
                              const struct nova_requirement_result *q) {
  const struct nova_requirement *d = q->requirement;
  nova_jo_open(o, '{', false);
  member(o, "id", d->id);
  nova_jo_key(o, "level");
  nova_jo_string(o, nova_level_names[d->level]);
  member(o, "basis", d->basis != NULL ? d->basis : "stated");
  member(o, "section", d->section != NULL ? d->section : "");
  nova_jo_key(o, "binds");
  nova_jo_string(o, nova_role_names[d->binds]);
  both(o, "text", &d->text);
  nova_jo_key(o, "verdict");
  nova_jo_string(o, nova_verdict_names[q->verdict]);
  member(o, "reason", q->reason);
  member(o, "needs", q->needs);
  if (q->expected_failure) {
    nova_jo_key(o, "expected_failure");
    nova_jo_bool(o, true);
  }
  member(o, "expect_reason", q->expect_reason);
  number(o, "checks", q->checks);
  nova_jo_key(o, "conversations");
  nova_jo_open(o, '[', true);
  for (size_t i = 0; i < q->conversations; i++)
    if (q->conversation[i] < r->conversations)
      nova_jo_text(o, r->conversation[q->conversation[i]].id);
  nova_jo_close(o, ']');
  nova_jo_close(o, '}');
}

static void write_check(struct nova_json_out *o, const struct nova_check *c) {
  nova_jo_open(o, '{', true);
  member(o, "requirement", c->requirement);
  nova_jo_key(o, "verdict");
  nova_jo_string(o, nova_verdict_names[c->verdict]);
  if (c->step != 0)
    number(o, "step", c->step);
  member(o, "rule", c->rule);
  if (c->line != 0)
    number(o, "line", c->line);
  member(o, "expected", c->expected);
  member(o, "observed", c->observed);
  member(o, "reason", c->reason);
  seconds(o, "t", c->t);
  seconds(o, "measured_s", c->measured);
  seconds(o, "earliest_s", c->earliest);
  seconds(o, "latest_s", c->latest);
  if (c->error != 0)
    seconds(o, "error_s", c->error);
  number(o, "event", c->entry);
  if (c->presupposes != NULL && c->presupposes->n != 0)
    ids(o, "presupposes", c->presupposes);
  if (c->observation) {
    nova_jo_key(o, "observation");
    nova_jo_bool(o, true);
  }
  if (c->retry) {
    nova_jo_key(o, "retry");
    nova_jo_bool(o, true);
  }
  nova_jo_close(o, '}');
}

static void write_failure(struct nova_json_out *o, const struct nova_check *f) {
  nova_jo_key(o, "failure");
  nova_jo_open(o, '{', false);
  number(o, "step", f->step);
  member(o, "rule", f->rule);
  member(o, "requirement", f->requirement);
  member(o, "expected", f->expected != NULL ? f->expected : "");
  member(o, "observed", f->observed != NULL ? f->observed : "");
  nova_jo_close(o, '}');
}

/* The key in force at the conversation's start. |always|: where it is the
 * profile's too; what was read back says what it said before. */
static void write_key(struct nova_json_out *o, const char *name, const char *of,
                      const char *key, bool kept, bool always) {
  if (of == NULL || key == NULL)
    return;
  unsigned generation = nova_mask_generation(kept ? NULL : o->mask, of, key);
  if (generation == 0 && !kept && !always && o->mask != NULL)
    return;
  nova_jo_key(o, name);
  nova_jo_open(o, '{', true);
  number(o, "generation", generation);
  number(o, "length", strlen(key));
  nova_jo_close(o, '}');
}

/* What is known of a conversation but its transcript. |always|: write_key().
 */
static void write_members(struct nova_json_out *o,
                          const struct nova_conversation_result *c,
                          bool always) {
  member(o, "id", c->id);
  both(o, "title", &c->title);
  both(o, "why", &c->why);
  both(o, "mend", &c->mend);
  member(o, "transport", c->transport);
  nova_jo_key(o, "verdict");
  nova_jo_string(o, nova_verdict_names[c->verdict]);
  member(o, "reason", c->reason);
  ids(o, "verifies", &c->verifies);
  seconds(o, "started_s", c->started);
  seconds(o, "duration_s", c->duration);
  member(o, "device", c->device);
  member(o, "other", c->other);
  write_key(o, "device_key", c->device, c->device_key, c->kept, always);
  write_key(o, "other_key", c->other, c->other_key, c->kept, always);
  number(o, "seed", c->seed);
  seconds(o, "unix_time", c->unix_ns);
  seconds(o, "timing_error_s", c->timing_error);
  number(o, "tries", c->tries);
  if (c->again) {
    nova_jo_key(o, "again");
    nova_jo_bool(o, true);
  }
  if (c->failure != NULL)
    write_failure(o, c->failure);
  nova_jo_key(o, "checks");
  nova_jo_open(o, '[', false);
  for (size_t i = 0; i < c->checks; i++)
    write_check(o, &c->check[i]);
  nova_jo_close(o, ']');
  if (c->transcript.cut) {
    nova_jo_key(o, "transcript_cut");
    nova_jo_bool(o, true);
  }
}

static void write_conversation(struct nova_json_out *o,
                               const struct nova_results *r,
                               const struct nova_conversation_result *c,
                               const struct nova_mem *mem) {
  nova_jo_open(o, '{', false);
  write_members(o, c, false);
  nova_jo_key(o, "transcript");
  nova__write_transcript(o, c, r->subject, mem, false);
  nova_jo_close(o, '}');
}

void nova__write_head(struct nova_json_out *o, const struct nova_results *r,
                      const char *format) {
  char text[32];
  nova_jo_key(o, "format");
  nova_jo_string(o, format);
  number(o, "version", NOVA_RESULTS_VERSION);
  nova_jo_key(o, "tool");
  nova_jo_open(o, '{', true);
  nova_jo_key(o, "name");
  nova_jo_string(o, "novaprobe");
  member(o, "version", r->tool_version != NULL ? r->tool_version : "");
  nova_jo_close(o, '}');
  nova_jo_key(o, "subject");
  nova_jo_string(o, nova_role_names[r->subject]);
  member(o, "name", r->name != NULL ? r->name : "");
  member(o, "address", r->address);
  number(o, "seed", r->seed);
  nova_jo_key(o, "started");
  nova_jo_string(o, nova__rfc3339(r->started_unix_ns, text));
}

static void write_rule(struct nova_json_out *o,
                       const struct nova_rule_result *u) {
  nova_jo_open(o, '{', false);
  member(o, "id", u->id);
  both(o, "title", &u->title);
  both(o, "why", &u->why);
  both(o, "mend", &u->mend);
  nova_jo_close(o, '}');
}

int nova_results_write_json(const struct nova_results *r,
                            const struct nova_mask *m,
                            const struct nova_mem *mem,
                            const struct nova_sink *sink) {
  struct nova_json_out o;
  nova_jo_init(&o, sink, m, mem);
  nova_jo_open(&o, '{', false);
  nova__write_head(&o, r, NOVA_RESULTS_FORMAT);
  seconds(&o, "duration_s", r->duration);
  nova_jo_key(&o, "interrupted");
  nova_jo_bool(&o, r->interrupted);
  seconds(&o, "timing_error_s", r->timing_error);
  if (r->profile != NULL) {
    nova_jo_key(&o, "profile");
    nova__write_profile(&o, r->profile);
  }
  write_summary(&o, r);
  if (r->faults != 0) {
    nova_jo_key(&o, "self_test");
    nova_jo_open(&o, '{', true);
    number(&o, "faults", r->faults);
    number(&o, "caught", r->faults_caught);
    number(&o, "blamed", r->faults_blamed);
    nova_jo_close(&o, '}');
  }
  if (r->stales != 0) {
    nova_jo_key(&o, "stale_expectations");
    nova_jo_open(&o, '[', false);
    for (size_t i = 0; i < r->stales; i++)
      nova_jo_text(&o, r->stale[i]);
    nova_jo_close(&o, ']');
  }
  if (r->rules != 0) {
    nova_jo_key(&o, "rules");
    nova_jo_open(&o, '[', false);
    for (size_t i = 0; i < r->rules && o.err == 0; i++)
      write_rule(&o, &r->rule[i]);
    nova_jo_close(&o, ']');
  }
  nova_jo_key(&o, "requirements");
  nova_jo_open(&o, '[', false);
  for (size_t i = 0; i < r->requirements && o.err == 0; i++)
    write_requirement(&o, r, &r->requirement[i]);
  nova_jo_close(&o, ']');
  nova_jo_key(&o, "conversations");
  nova_jo_open(&o, '[', false);
  for (size_t i = 0; i < r->conversations && o.err == 0; i++)
    write_conversation(&o, r, &r->conversation[i], mem);
  nova_jo_close(&o, ']');
  nova_jo_close(&o, '}');
  return nova_jo_end(&o);
}

int nova_transcript_write_json(const struct nova_results *r, size_t index,
                               const struct nova_mask *m,
                               const struct nova_mem *mem,
                               const struct nova_sink *sink) {
  const struct nova_conversation_result *c = &r->conversation[index];
  struct nova_json_out o;
  nova_jo_init(&o, sink, m, mem);
  nova_jo_open(&o, '{', false);
  nova__write_head(&o, r, NOVA_TRANSCRIPT_FORMAT);
  member(&o, "conversation", c->id);
  nova_jo_key(&o, "verdict");
  nova_jo_string(&o, nova_verdict_names[c->verdict]);
  nova_jo_key(&o, "result");
  nova_jo_open(&o, '{', false);
  write_members(&o, c, true);
  nova_jo_close(&o, '}');
  nova_jo_key(&o, "transcript");
  nova__write_transcript(&o, c, r->subject, mem, true);
  nova_jo_close(&o, '}');
  return nova_jo_end(&o);
}
