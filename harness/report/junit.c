#include "report/junit.h"

#include "base/error.h"
#include "base/unreachable.h"
#include "report/finding.h"
#include "report/terminal.h"
#include "report/write.h"

#include <libxml/xmlwriter.h>
#include <stdio.h>

/* Of a transcript: the first and the last events, and the columns of each. */
#define HEAD    12
#define TAIL    28
#define COLUMNS 160

struct junit {
  const struct nova_results *r;
  const struct nova_mask *m;
  const struct nova_mem *mem;
  const struct nova_sink *sink;
  enum nova_lang lang;
  xmlTextWriterPtr xml;
  struct nova_buf text; /* what is put together for one node */
  int err;
};

static int to_sink(void *user, const char *p, int n) {
  struct junit *j = user;
  if (j->err == 0 && n > 0)
    j->err = j->sink->write(j->sink->user, p, (size_t)n);
  /* The error is kept; libxml2 would print one of its own. */
  return n;
}

static int no_close(void *user) {
  (void)user;
  return 0;
}

/* libxml2 fails here for want of memory only. */
static void check(struct junit *j, int result) {
  if (result < 0 && j->err == 0)
    j->err = NOVA_ERR_NO_MEMORY;
}

static void start(struct junit *j, const char *element) {
  check(j, xmlTextWriterStartElement(j->xml, BAD_CAST element));
}

static void end(struct junit *j) {
  check(j, xmlTextWriterEndElement(j->xml));
}

static void fail(struct junit *j, int err) {
  if (err != 0 && j->err == 0)
    j->err = err;
}

/* --- text: collected in j->text, then written ---------------------------- */

static void raw(struct junit *j, const char *s) {
  fail(j, nova_buf_puts(&j->text, s));
}

static void safe(struct junit *j, const char *s) {
  struct nova_buf masked;
  if (s == NULL)
    return;
  nova_buf_init(&masked, j->mem, NOVA_TERMINAL_LINE);
  fail(j, nova_mask_text(j->m, nova_view_of(s), &masked));
  fail(j, nova_safe_put(&j->text, nova_buf_view(&masked), 0));
  nova_buf_free(&masked);
}

static const xmlChar *collected(struct junit *j) {
  const char *s = nova_buf_cstr(&j->text);
  if (s == NULL)
    fail(j, NOVA_ERR_NO_MEMORY);
  return BAD_CAST(s != NULL && j->err == 0 ? s : "");
}

/* The attribute is what was collected. */
static void attribute_end(struct junit *j, const char *name) {
  check(j, xmlTextWriterWriteAttribute(j->xml, BAD_CAST name, collected(j)));
  nova_buf_clear(&j->text);
}

static void attribute(struct junit *j, const char *name, const char *value) {
  nova_buf_clear(&j->text);
  safe(j, value);
  attribute_end(j, name);
}

static void attribute_number(struct junit *j, const char *name, size_t n) {
  nova_buf_clear(&j->text);
  fail(j, nova_buf_printf(&j->text, "%zu", n));
  attribute_end(j, name);
}

static void attribute_time(struct junit *j, nova_ts t) {
  nova_buf_clear(&j->text);
  fail(j, nova_buf_printf(&j->text, "%llu.%06llu",
                          (unsigned long long)(t / NOVA_SEC),
                          (unsigned long long)(t % NOVA_SEC / 1000)));
  attribute_end(j, "time");
}

static void content(struct junit *j) {
  check(j, xmlTextWriterWriteString(j->xml, collected(j)));
  nova_buf_clear(&j->text);
}

/* --- a suite's head ------------------------------------------------------ */

struct counts {
  size_t tests, failures, errors, skipped;
};

static void count(struct counts *c, enum nova_verdict v, bool known) {
  c->tests++;
  switch (v) {
  case NOVA_VERDICT_PASS: break;
  case NOVA_VERDICT_FAIL:
    if (known)
      c->skipped++;
    else
      c->failures++;
    break;
  case NOVA_VERDICT_INCONCLUSIVE: c->errors++; break;
  case NOVA_VERDICT_NOT_TESTED:
  case NOVA_VERDICT_NOT_APPLICABLE: c->skipped++; break;
  }
}

static void attribute_counts(struct junit *j, const struct counts *c) {
  attribute_number(j, "tests", c->tests);
  attribute_number(j, "failures", c->failures);
  attribute_number(j, "errors", c->errors);
  attribute_number(j, "skipped", c->skipped);
}

static void property(struct junit *j, const char *name, const char *value) {
  start(j, "property");
  attribute(j, "name", name);
  attribute(j, "value", value);
  end(j);
}

static void properties(struct junit *j) {
  const struct nova_results *r = j->r;
  char text[32];
  start(j, "properties");
  property(j, "tool", "novaprobe");
  property(j, "version", r->tool_version);
  property(j, "subject", nova_role_names[r->subject]);
  property(j, "name", r->name);
  property(j, "outcome", nova_outcome_names[r->outcome]);
  snprintf(text, sizeof text, "%llu", (unsigned long long)r->seed);
  property(j, "seed", text);
  property(j, "interrupted", r->interrupted ? "true" : "false");
  end(j);
}

static void suite(struct junit *j, const char *name, const struct counts *c,
                  nova_ts time) {
  char started[32];
  nova__rfc3339(j->r->started_unix_ns, started);
  started[strlen(started) - 1] = '\0'; /* the format knows no zone: UTC */
  start(j, "testsuite");
  attribute(j, "name", name);
  attribute_counts(j, c);
  attribute_time(j, time);
  attribute(j, "timestamp", started);
  properties(j);
}

/* --- what a test case says ----------------------------------------------- */

static void line(struct junit *j, const char *label, const char *text) {
  if (text == NULL || *text == '\0')
    return;
  raw(j, label);
  raw(j, ": ");
  safe(j, text);
  raw(j, "\n");
}

static void line_time(struct junit *j, const char *label, nova_ts t) {
  char text[40];
  if (t != NOVA_TS_NONE)
    line(j, label, nova_seconds(t, text));
}

/* What the guide asks, where it is not said already. */
static void asked(struct junit *j, const struct nova_check *c) {
  for (size_t i = 0; i < j->r->requirements; i++) {
    const struct nova_requirement *q = j->r->requirement[i].requirement;
    if (strcmp(q->id, c->requirement) != 0)
      continue;
    line(j, "asked", nova_text_in(j->lang, &q->text));
    line(j, "guide", q->section);
    return;
  }
}

static void failed_check(struct junit *j, const struct nova_finding *f) {
  const struct nova_check *c = f->check;
  const struct nova_conversation_result *in = f->in;
  char step[24];
  line(j, "expected", c->expected);
  line(j, "observed", c->observed);
  line_time(j, "measured", c->measured);
  if (c->measured != NOVA_TS_NONE) {
    line_time(j, "not before", c->earliest);
    line_time(j, "by", c->latest);
  }
  line(j, "requirement", c->requirement);
  line(j, "conversation", in->id);
  line(j, "transport", in->transport);
  snprintf(step, sizeof step, "%u", c->step);
  line(j, c->rule != NULL ? "rule" : "step", c->rule != NULL ? c->rule : step);
  snprintf(step, sizeof step, "%zu", f->conversations);
  line(j, "conversations", f->conversations > 1 ? step : NULL);
  line_time(j, "when", c->t);
  if (c->entry < in->transcript.n) {
    raw(j, "shown by: ");
    fail(j, nova_finding_event(f, j->m, j->lang, &j->text));
    raw(j, "\n");
  }
  line(j, "why", nova_text_in(j->lang, f->why));
  line(j, "mend", nova_text_in(j->lang, f->mend));
}

/* Opens <failure>, <error> or <skipped> with its message; false for a pass. */
static bool verdict(struct junit *j, enum nova_verdict v, bool known,
                    const char *type, const char *reason) {
  const char *message = reason != NULL ? reason : nova_verdict_names[v];
  switch (v) {
  case NOVA_VERDICT_PASS: return false;
  case NOVA_VERDICT_FAIL:
    start(j, known ? "skipped" : "failure");
    nova_buf_clear(&j->text);
    raw(j, known ? "known failure: " : "");
    safe(j, message);
    attribute_end(j, "message");
    if (!known)
      attribute(j, "type", type);
    return true;
  case NOVA_VERDICT_INCONCLUSIVE:
    start(j, "error");
    attribute(j, "message", message);
    attribute(j, "type", "inconclusive");
    return true;
  case NOVA_VERDICT_NOT_TESTED:
    start(j, "skipped");
    nova_buf_clear(&j->text);
    raw(j, "not tested: ");
    safe(j, message);
    attribute_end(j, "message");
    return true;
  case NOVA_VERDICT_NOT_APPLICABLE:
    start(j, "skipped");
    nova_buf_clear(&j->text);
    raw(j, "not applicable: ");
    safe(j, message);
    attribute_end(j, "message");
    return true;
  }
  nova_unreachable();
}

static void requirement(struct junit *j,
                        const struct nova_requirement_result *q) {
  const struct nova_requirement *d = q->requirement;
  start(j, "testcase");
  nova_buf_clear(&j->text);
  raw(j, "novaprobe.");
  raw(j, nova_role_names[j->r->subject]);
  raw(j, ".requirements");
  attribute_end(j, "classname");
  attribute(j, "name", d->id);
  attribute(j, "time", "0.000000");
  if (verdict(j, q->verdict, q->expected_failure, nova_level_names[d->level],
              q->expected_failure ? q->expect_reason : q->reason)) {
    nova_buf_clear(&j->text);
    safe(j, nova_text_in(j->lang, &d->text));
    raw(j, "\n");
    line(j, "guide", d->section);
    struct nova_finding f;
    if (q->verdict == NOVA_VERDICT_FAIL && nova_finding_first(j->r, q, &f))
      failed_check(j, &f);
    line(j, "needs", q->needs);
    content(j);
    end(j);
  }
  end(j);
}

static void event(struct junit *j, const struct nova__shown *k, size_t i) {
  const struct nova_entry *e = &k->c->transcript.entry[i];
  const char *how, *name = nova__event_name(e, &how);
  fail(j, nova_buf_printf(&j->text, "%llu.%06llu  %-8s %s%s%s",
                          (unsigned long long)(e->t / NOVA_SEC),
                          (unsigned long long)(e->t % NOVA_SEC / 1000),
                          nova__actor_name(e, j->r->subject), name,
                          how != NULL ? " " : "", how != NULL ? how : ""));
  bool handshake =
      e->kind == NOVA_ENTRY_SECURED || e->kind == NOVA_ENTRY_INSECURE;
  if (e->size != 0) {
    raw(j, "  ");
    if (!handshake)
      fail(j, nova_buf_printf(&j->text, "%zu bytes  ", e->size));
    fail(j, nova__entry_text(k, i, j->lang, COLUMNS, &j->text));
  }
  raw(j, "\n");
}

static void transcript(struct junit *j,
                       const struct nova_conversation_result *c) {
  const struct nova_transcript *t = &c->transcript;
  struct nova__shown k;
  int err = nova__shown_init(&k, j->m, c, j->mem);
  fail(j, err);
  start(j, "system-out");
  nova_buf_clear(&j->text);
  for (size_t i = 0; i < t->n && err == 0; i++) {
    if (i == HEAD && t->n > HEAD + TAIL) {
      fail(j, nova_buf_printf(&j->text, "... %zu events are left out\n",
                              t->n - HEAD - TAIL));
      i = t->n - TAIL;
    }
    event(j, &k, i);
  }
  content(j);
  end(j);
  nova__shown_free(&k);
}

/* The level of what a conversation's failure is charged to. */
static const char *failure_type(const struct nova_results *r,
                                const struct nova_check *f, bool *known) {
  *known = false;
  for (size_t i = 0; f != NULL && i < r->requirements; i++)
    if (strcmp(r->requirement[i].requirement->id, f->requirement) == 0) {
      *known = r->requirement[i].expected_failure;
      return nova_level_names[r->requirement[i].requirement->level];
    }
  return "fail";
}

static void conversation(struct junit *j,
                         const struct nova_conversation_result *c) {
  bool known;
  const char *type = failure_type(j->r, c->failure, &known);
  start(j, "testcase");
  nova_buf_clear(&j->text);
  raw(j, "novaprobe.");
  raw(j, nova_role_names[j->r->subject]);
  raw(j, ".conversations");
  attribute_end(j, "classname");
  attribute(j, "name", c->id);
  attribute_time(j, c->duration);
  if (verdict(j, c->verdict, known, type, c->reason)) {
    nova_buf_clear(&j->text);
    if (c->failure != NULL) {
      struct nova_finding f = nova_finding_of(j->r, c, c->failure);
      asked(j, c->failure);
      failed_check(j, &f);
    }
    content(j);
    end(j);
    if (c->transcript.n != 0)
      transcript(j, c);
  }
  end(j);
}

static void document(struct junit *j) {
  const struct nova_results *r = j->r;
  struct counts q = {0}, c = {0};
  for (size_t i = 0; i < r->requirements; i++)
    count(&q, r->requirement[i].verdict, r->requirement[i].expected_failure);
  for (size_t i = 0; i < r->conversations; i++) {
    bool known;
    failure_type(r, r->conversation[i].failure, &known);
    count(&c, r->conversation[i].verdict, known);
  }
  struct counts all = {q.tests + c.tests, q.failures + c.failures,
                       q.errors + c.errors, q.skipped + c.skipped};
  check(j, xmlTextWriterSetIndent(j->xml, 1));
  check(j, xmlTextWriterStartDocument(j->xml, NULL, "UTF-8", NULL));
  start(j, "testsuites");
  attribute(j, "name", "novaprobe");
  attribute_counts(j, &all);
  attribute_time(j, r->duration);
  suite(j, "requirements", &q, 0);
  for (size_t i = 0; i < r->requirements && j->err == 0; i++)
    requirement(j, &r->requirement[i]);
  end(j);
  suite(j, "conversations", &c, r->duration);
  for (size_t i = 0; i < r->conversations && j->err == 0; i++)
    conversation(j, &r->conversation[i]);
  end(j);
  end(j);
  check(j, xmlTextWriterEndDocument(j->xml));
}

int nova_junit_write(const struct nova_results *r, const struct nova_mask *m,
                     enum nova_lang lang, const struct nova_mem *mem,
                     const struct nova_sink *sink) {
  struct junit j = {.r = r, .m = m, .mem = mem, .sink = sink, .lang = lang};
  nova_buf_init(&j.text, mem, NOVA_TERMINAL_LINE);
  xmlOutputBufferPtr out = xmlOutputBufferCreateIO(to_sink, no_close, &j, NULL);
  j.xml = out != NULL ? xmlNewTextWriter(out) : NULL;
  if (j.xml == NULL) {
    if (out != NULL)
      xmlOutputBufferClose(out);
    return NOVA_ERR_NO_MEMORY;
  }
  document(&j);
  xmlFreeTextWriter(j.xml); /* writes what is left */
  nova_buf_free(&j.text);
  return j.err;
}
