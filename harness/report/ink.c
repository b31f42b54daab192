#include "report/ink.h"

#include "base/unreachable.h"

#include <stdio.h>

void nova__ink_init(struct nova__ink *k, const struct nova_terminal *t,
                    struct nova_buf *out) {
  *k = (struct nova__ink){.t = t, .out = out};
  nova_buf_init(&k->scratch, out->mem, NOVA_TERMINAL_LINE);
}

int nova__ink_end(struct nova__ink *k) {
  nova_buf_free(&k->scratch);
  return k->err;
}

void nova__ink_raw(struct nova__ink *k, const char *s) {
  if (k->err == 0)
    k->err = nova_buf_puts(k->out, s);
}

void nova__ink_blanks(struct nova__ink *k, size_t n) {
  for (size_t i = 0; i < n; i++)
    nova__ink_raw(k, " ");
}

void nova__ink_text(struct nova__ink *k, const char *s, size_t columns) {
  if (s == NULL || k->err != 0)
    return;
  nova_buf_clear(&k->scratch);
  k->err = nova_mask_text(k->t->mask, nova_view_of(s), &k->scratch);
  if (k->err == 0)
    k->err = nova_safe_put(k->out, nova_buf_view(&k->scratch), columns);
}

void nova__ink_say(struct nova__ink *k, enum nova_phrase p,
                   const char *const *arg, size_t args) {
  if (k->err == 0)
    k->err = nova_phrase_put(k->out, k->t->lang, p, arg, args);
}

void nova__ink_color(struct nova__ink *k, const char *code) {
  if (!k->t->color)
    return;
  nova__ink_raw(k, "\x1b[");
  nova__ink_raw(k, code != NULL ? code : "0");
  nova__ink_raw(k, "m");
}

void nova__ink_bold(struct nova__ink *k, enum nova_phrase p) {
  nova__ink_color(k, "1");
  nova__ink_say(k, p, NULL, 0);
  nova__ink_color(k, NULL);
}

const char *nova__ink_verdict_color(enum nova_verdict v) {
  switch (v) {
  case NOVA_VERDICT_PASS: return "32";
  case NOVA_VERDICT_FAIL: return "1;31";
  case NOVA_VERDICT_INCONCLUSIVE: return "33";
  case NOVA_VERDICT_NOT_TESTED: return "35";
  case NOVA_VERDICT_NOT_APPLICABLE: return "2";
  }
  nova_unreachable();
}

void nova__ink_cell(struct nova__ink *k, enum nova_phrase p, size_t columns,
                    bool right) {
  size_t n = nova_columns(nova_view_of(nova_phrase(k->t->lang, p)));
  size_t fill = n < columns ? columns - n : 0;
  if (right)
    nova__ink_blanks(k, fill);
  nova__ink_say(k, p, NULL, 0);
  if (!right)
    nova__ink_blanks(k, fill);
}

void nova__ink_mark(struct nova__ink *k, enum nova_verdict v, size_t columns) {
  nova__ink_color(k, nova__ink_verdict_color(v));
  nova__ink_cell(k, nova_phrase_mark(v), columns, false);
  nova__ink_color(k, NULL);
}

size_t nova__ink_number(char out[24], uint64_t v) {
  return (size_t)snprintf(out, 24, "%llu", (unsigned long long)v);
}
