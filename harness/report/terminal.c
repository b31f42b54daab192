#include "report/terminal.h"

#include "report/ink.h"

#include "base/error.h"

#include <stdio.h>

/* --- one conversation ---------------------------------------------------- */

int nova_terminal_conversation(const struct nova_terminal *t,
                               const struct nova_conversation_result *c,
                               struct nova_buf *out) {
  if (t->verbosity < 0 && c->verdict == NOVA_VERDICT_PASS)
    return 0;
  struct nova__ink k;
  nova__ink_init(&k, t, out);
  char took[40];
  snprintf(took, sizeof took, "%llu.%03llu s",
           (unsigned long long)(c->duration / NOVA_SEC),
           (unsigned long long)(c->duration % NOVA_SEC / NOVA_MS));
  nova__ink_mark(&k, c->verdict, 8);
  size_t wide = strlen(took);
  nova__ink_blanks(&k, wide < 10 ? 10 - wide : 0);
  nova__ink_raw(&k, took);
  nova__ink_raw(&k, "  ");
  nova__ink_text(&k, c->id, 0);
  size_t column =
      10 + (wide < 10 ? 10 : wide) + nova_columns(nova_view_of(c->id));
  if (c->tries > 1) {
    char tries[24];
    size_t n = nova__ink_number(tries, c->tries);
    nova__ink_raw(&k, " x");
    nova__ink_raw(&k, tries);
    column += 2 + n;
  }
  if (c->reason != NULL) {
    nova__ink_raw(&k, "  ");
    size_t room = t->width == 0            ? 0
                  : t->width > column + 24 ? t->width - column - 3
                                           : 20;
    nova__ink_text(&k, c->reason, room);
  }
  nova__ink_raw(&k, "\n");
  return nova__ink_end(&k);
}

/* --- the line while it runs ---------------------------------------------- */

/* " about 2 min 10 s left" or " 3 of 40 done". */
static void live_tail(struct nova__ink *k, const struct nova_live *l) {
  char a[24], b[24];
  const char *both[] = {a, b};
  nova__ink_number(a, l->done);
  nova__ink_number(b, l->total);
  nova__ink_raw(k, "  ");
  nova__ink_say(k, NOVA_TEXT_DONE_OF, both, 2);
  if (l->left == NOVA_TS_NONE)
    return;
  struct nova_buf span;
  nova_buf_init(&span, NULL, 64);
  int err = nova_span_put(&span, k->t->lang, l->left);
  const char *left = nova_buf_cstr(&span);
  if (left == NULL || err != 0) {
    k->err = NOVA_ERR_NO_MEMORY;
  } else {
    nova__ink_raw(k, "  ");
    nova__ink_say(k, NOVA_TEXT_TIME_LEFT, &left, 1);
  }
  nova_buf_free(&span);
}

static void live_span(struct nova__ink *k, nova_ts t) {
  struct nova_buf span;
  nova_buf_init(&span, NULL, 64);
  const char *text =
      nova_span_put(&span, k->t->lang, t) == 0 ? nova_buf_cstr(&span) : NULL;
  if (text == NULL)
    k->err = NOVA_ERR_NO_MEMORY;
  else
    nova__ink_raw(k, text);
  nova_buf_free(&span);
}

/* "DEV-A: listening to its heartbeat, 12 s; DEV-B: ...", |most| of them, one
 * at the least. */
static void live_waits(struct nova__ink *k, const struct nova_live *l,
                       size_t most) {
  char n[24];
  const char *arg = n;
  most = most == 0 ? 1 : most;
  for (size_t i = 0; i < l->waits && i < most; i++) {
    const struct nova_live_wait *w = &l->wait[i];
    nova__ink_raw(k, i == 0 ? "" : "; ");
    if (w->device != NULL) {
      nova__ink_text(k, w->device, 0);
      nova__ink_raw(k, ": ");
    }
    nova__ink_text(k, w->text, 0);
    if (w->left != NOVA_TS_NONE) {
      nova__ink_raw(k, ", ");
      live_span(k, w->left);
    }
  }
  if (most < l->waits) {
    nova__ink_raw(k, "; ");
    nova__ink_number(n, l->waits - most);
    nova__ink_say(k, NOVA_TEXT_MORE, &arg, 1);
  }
}

/* |names| of the running ones, and how many more there are. */
static void live_line(struct nova__ink *k, const struct nova_live *l,
                      size_t names) {
  char n[24];
  if (l->waits != 0) {
    live_waits(k, l, names);
    live_tail(k, l);
    return;
  }
  const char *arg = n;
  nova__ink_number(n, l->n);
  nova__ink_say(k, NOVA_TEXT_RUNNING, &arg, 1);
  for (size_t i = 0; i < names; i++) {
    nova__ink_raw(k, i == 0 ? "" : ", ");
    nova__ink_text(k, l->running[i], 0);
  }
  if (names < l->n) {
    nova__ink_number(n, l->n - names);
    nova__ink_raw(k, names == 0 ? "" : ", ");
    nova__ink_say(k, NOVA_TEXT_MORE, &arg, 1);
  }
  live_tail(k, l);
}

int nova_terminal_live(const struct nova_terminal *t, const struct nova_live *l,
                       struct nova_buf *out) {
  /* Less than the whole width: the last column makes some terminals wrap. */
  size_t most = (t->width == 0 ? 80 : t->width) - 1;
  struct nova_buf line;
  nova_buf_init(&line, NULL, NOVA_TERMINAL_LINE);
  int err;
  size_t all = l->waits != 0 ? l->waits : l->n;
  size_t names = all < 16 ? all : 16;
  for (;; names--) {
    nova_buf_clear(&line);
    struct nova__ink k;
    nova__ink_init(&k, t, &line);
    live_line(&k, l, names);
    err = nova__ink_end(&k);
    if (err != 0 || names == 0 || nova_columns(nova_buf_view(&line)) <= most)
      break;
  }
  if (err == 0 && most != 0)
    err = nova_safe_put(out, nova_buf_view(&line), most);
  nova_buf_free(&line);
  return err;
}

/* --- what both reports ask ----------------------------------------------- */

static bool begins(const char *s, const char *with) {
  return strncmp(s, with, strlen(with)) == 0;
}

int nova_needs_put(struct nova_buf *b, enum nova_lang lang, const char *needs) {
  if (needs == NULL)
    return nova_phrase_put(b, lang, NOVA_TEXT_NEEDS_NOTHING, NULL, 0);
  if (begins(needs, "second_device") || begins(needs, "a second credential"))
    return nova_phrase_put(b, lang, NOVA_TEXT_NEEDS_SECOND_DEVICE, NULL, 0);
  if (begins(needs, "platform"))
    return nova_phrase_put(b, lang, NOVA_TEXT_NEEDS_PLATFORM, NULL, 0);
  if (strcmp(needs, "tls") == 0 || begins(needs, "a TLS address"))
    return nova_phrase_put(b, lang, NOVA_TEXT_NEEDS_TLS, NULL, 0);
  bool hook = begins(needs, "hook:");
  if (!hook && !begins(needs, "declares:"))
    return nova_safe_put(b, nova_view_of(needs), 0);
  const char *name = strchr(needs, ':') + 1;
  char word[64];
  size_t n = strcspn(name, " ");
  if (n >= sizeof word)
    n = sizeof word - 1;
  memcpy(word, name, n);
  word[n] = '\0';
  const char *arg = word;
  return nova_phrase_put(
      b, lang, hook ? NOVA_TEXT_NEEDS_HOOK : NOVA_TEXT_NEEDS_DECLARES, &arg, 1);
}

int nova_outcome_put(struct nova_buf *b, enum nova_lang lang,
                     const struct nova_results *r) {
  size_t failed = 0, known = 0, open = 0;
  for (size_t i = 0; i < r->requirements; i++) {
    const struct nova_requirement_result *q = &r->requirement[i];
    if (q->requirement->level != NOVA_LEVEL_MUST)
      continue;
    if (q->verdict == NOVA_VERDICT_FAIL && q->expected_failure)
      known++;
    else if (q->verdict == NOVA_VERDICT_FAIL)
      failed++;
    else if (q->verdict == NOVA_VERDICT_INCONCLUSIVE ||
             q->verdict == NOVA_VERDICT_NOT_TESTED)
      open++;
  }
  enum nova_phrase p = NOVA_TEXT_WHY_CONFORMANT;
  size_t count = 0;
  switch (r->outcome) {
  case NOVA_OUTCOME_CONFORMANT:
    if (known != 0)
      p = NOVA_TEXT_WHY_KNOWN_FAILURES;
    break;
  case NOVA_OUTCOME_NOT_CONFORMANT:
    p = failed != 0 ? NOVA_TEXT_WHY_NOT_CONFORMANT : NOVA_TEXT_WHY_STALE;
    count = failed;
    break;
  case NOVA_OUTCOME_INCOMPLETE:
    p = r->interrupted && open == 0 ? NOVA_TEXT_WHY_INTERRUPTED
                                    : NOVA_TEXT_WHY_INCOMPLETE;
    count = open;
    break;
  }
  char n[24];
  const char *arg = n;
  nova__ink_number(n, count);
  return nova_phrase_put(b, lang, p, &arg, 1);
}
