#include "report/finding.h"

#include "base/transport.h"
#include "report/write.h"

#include <stdio.h>

static bool same(const char *a, const char *b) {
  return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool says(const struct nova_text *t) {
  return t->en != NULL || t->zh != NULL;
}

static bool is_of(const struct nova_check *c, const struct nova_check *like) {
  return c->verdict == NOVA_VERDICT_FAIL &&
         same(c->requirement, like->requirement) &&
         (like->rule == NULL || same(c->rule, like->rule));
}

static size_t count(const struct nova_results *r,
                    const struct nova_check *check) {
  size_t n = 0;
  for (size_t i = 0; i < r->conversations; i++) {
    const struct nova_conversation_result *c = &r->conversation[i];
    size_t k = 0;
    while (k < c->checks && !is_of(&c->check[k], check))
      k++;
    n += k < c->checks;
  }
  return n;
}

struct nova_finding nova_finding_of(const struct nova_results *r,
                                    const struct nova_conversation_result *c,
                                    const struct nova_check *check) {
  struct nova_finding f = {check, c, &c->why, &c->mend, count(r, check)};
  for (size_t i = 0; check->rule != NULL && i < r->rules; i++) {
    const struct nova_rule_result *u = &r->rule[i];
    if (!same(u->id, check->rule))
      continue;
    /* What a conversation is about says nothing of what a rule found in it. */
    f.why = &u->why;
    f.mend = &u->mend;
    if (!says(f.why) && !says(f.mend)) {
      f.why = &c->why;
      f.mend = &c->mend;
    }
  }
  return f;
}

/* Where it is told best: by a rule, else by the conversation that is about the
 * least besides. */
static size_t remoteness(const struct nova_conversation_result *c,
                         const struct nova_check *check) {
  return check->rule != NULL ? 0 : c->verifies.n + 1;
}

bool nova_finding_first(const struct nova_results *r,
                        const struct nova_requirement_result *q,
                        struct nova_finding *out) {
  const struct nova_conversation_result *in = NULL;
  const struct nova_check *best = NULL;
  for (size_t i = 0; i < q->conversations; i++) {
    if (q->conversation[i] >= r->conversations)
      continue;
    const struct nova_conversation_result *c =
        &r->conversation[q->conversation[i]];
    for (size_t n = 0; n < c->checks; n++)
      if (c->check[n].verdict == NOVA_VERDICT_FAIL &&
          same(c->check[n].requirement, q->requirement->id) &&
          (best == NULL ||
           remoteness(c, &c->check[n]) < remoteness(in, best))) {
        in = c;
        best = &c->check[n];
      }
  }
  if (best != NULL)
    *out = nova_finding_of(r, in, best);
  return best != NULL;
}

enum nova_phrase nova_phrase_over(const struct nova_conversation_result *c) {
  if (!nova__is_mqtt(c))
    return same(c->transport, "tcp") ? NOVA_TEXT_OVER_TCP : NOVA_TEXTS;
  bool tls = same(c->transport, "mqtts");
  for (size_t i = 0; i < c->transcript.n && !tls; i++) {
    const struct nova_entry *e = &c->transcript.entry[i];
    tls = e->kind == NOVA_ENTRY_SECURED || e->kind == NOVA_ENTRY_INSECURE;
  }
  return tls ? NOVA_TEXT_OVER_MQTTS : NOVA_TEXT_OVER_MQTT;
}

static enum nova_phrase phrase(const struct nova_entry *e) {
  switch (e->kind) {
  case NOVA_ENTRY_CONNECTING: return NOVA_TEXT_CONNECTING;
  case NOVA_ENTRY_CONNECTED: return NOVA_TEXT_CONNECTED;
  case NOVA_ENTRY_REFUSED: return NOVA_TEXT_REFUSED;
  case NOVA_ENTRY_ACCEPTED: return NOVA_TEXT_ACCEPTED;
  case NOVA_ENTRY_SENT: return NOVA_TEXT_SENT;
  case NOVA_ENTRY_RECEIVED: return NOVA_TEXT_RECEIVED;
  case NOVA_ENTRY_EOF: return NOVA_TEXT_CLOSED_FIN;
  case NOVA_ENTRY_RESET: return NOVA_TEXT_CLOSED_RST;
  case NOVA_ENTRY_CLOSED:
    return e->code == 0   ? NOVA_TEXT_CLOSED_FIN
           : e->code == 1 ? NOVA_TEXT_CLOSED_RST
                          : NOVA_TEXT_CLOSED_HALF;
  case NOVA_ENTRY_HOOK: return NOVA_TEXT_HOOK;
  case NOVA_ENTRY_NOTE: return NOVA_TEXT_NOTE;
  case NOVA_ENTRY_LAG: return NOVA_TEXT_LAG;
  case NOVA_ENTRY_SECURED: return NOVA_TEXT_SECURED;
  case NOVA_ENTRY_INSECURE: return NOVA_TEXT_INSECURE;
  case NOVA_ENTRY_EXITED:
    return e->code == NOVA_CODE_SIGNAL        ? NOVA_TEXT_EXITED_SIGNAL
           : e->code == NOVA_CODE_NOT_STARTED ? NOVA_TEXT_EXITED_NEVER
           : e->code < 0                      ? NOVA_TEXT_EXITED_ENDED
                                              : NOVA_TEXT_EXITED;
  }
  return NOVA_TEXT_NOTE;
}

int nova_event_put(struct nova_buf *out, enum nova_lang lang,
                   const struct nova_entry *e) {
  char code[16];
  const char *arg = code;
  snprintf(code, sizeof code, "%d", e->code);
  return nova_phrase_put(out, lang, phrase(e), &arg, 1);
}

/* Its payload; what a handshake told is no bytes that anybody sent. */
static int put_payload(const struct nova__shown *k, size_t i,
                       enum nova_lang lang, struct nova_buf *out) {
  const struct nova_entry *e = &k->c->transcript.entry[i];
  char size[24];
  const char *arg = size;
  snprintf(size, sizeof size, "%zu", e->size);
  int err = 0;
  if (e->kind != NOVA_ENTRY_SECURED && e->kind != NOVA_ENTRY_INSECURE) {
    err = nova_buf_puts(out, ", ");
    if (err == 0)
      err = nova_phrase_put(out, lang, NOVA_TEXT_BYTES, &arg, 1);
  }
  if (err == 0)
    err = nova_buf_puts(out, ": ");
  return err == 0 ? nova__entry_text(k, i, lang, NOVA_FINDING_COLUMNS, out)
                  : err;
}

int nova_finding_event(const struct nova_finding *f, const struct nova_mask *m,
                       enum nova_lang lang, struct nova_buf *out) {
  const struct nova_transcript *t = &f->in->transcript;
  size_t at = f->check->entry;
  if (at >= t->n)
    return 0;
  struct nova__shown k;
  int err = nova__shown_init(&k, m, f->in, out->mem);
  if (err == 0)
    err = nova_event_put(out, lang, &t->entry[at]);
  if (err == 0 && t->entry[at].bytes.n != 0)
    err = put_payload(&k, at, lang, out);
  nova__shown_free(&k);
  return err;
}
