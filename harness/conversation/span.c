#include "conversation/span.h"

#include "base/error.h"

/* A sum of terms; a term is factor * base, with or without the tolerance, or
 * the smaller of two. */
struct nova_span {
  enum nova_timer timer; /* NOVA_TIMERS: |fixed| is the base */
  nova_ts fixed;
  uint64_t milli; /* the factor in thousandths */
  bool late;
  struct nova_span *or_less; /* $least(): this one where it is smaller */
  struct nova_span *next;
};

static const struct {
  const char *name, *what;
  nova_ts span;
} table[NOVA_TIMERS] = {
#define NOVA_TIMER(name, span, what) {#name, what, span},
#include "conversation/timers.def"
#undef NOVA_TIMER
};

void nova_timers_default(struct nova_timers *t) {
  for (size_t i = 0; i < NOVA_TIMERS; i++) {
    t->span[i] = table[i].span;
    t->set[i] = false;
  }
}

enum nova_timer nova_timer_find(struct nova_view name) {
  for (size_t i = 0; i < NOVA_TIMERS; i++)
    if (nova_view_is(name, table[i].name))
      return (enum nova_timer)i;
  return NOVA_TIMERS;
}

const char *nova_timer_name(enum nova_timer t) {
  return table[t].name;
}

const char *nova_timer_what(enum nova_timer t) {
  return table[t].what;
}

nova_ts nova_timers_tolerance(const struct nova_timers *t, nova_ts span) {
  if (t->span[NOVA_TIMER_late_tolerance] != NOVA_TS_NONE)
    return t->span[NOVA_TIMER_late_tolerance];
  return span / 10 > NOVA_SEC ? span / 10 : NOVA_SEC;
}

/* --- reading ----------------------------------------------------------------
 */

struct cursor {
  struct nova_view text;
  size_t at;
  const char *why;
  struct nova_arena *arena;
  unsigned depth; /* of $least() in this span */
};

static void blanks(struct cursor *c) {
  while (c->at < c->text.n && c->text.p[c->at] == ' ')
    c->at++;
}

static bool eat(struct cursor *c, char ch) {
  blanks(c);
  if (c->at < c->text.n && c->text.p[c->at] == ch) {
    c->at++;
    return true;
  }
  return false;
}

static bool word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static struct nova_view word(struct cursor *c) {
  size_t first = c->at;
  while (c->at < c->text.n &&
         (word_char(c->text.p[c->at]) || c->text.p[c->at] == '.'))
    c->at++;
  return (struct nova_view){c->text.p + first, c->at - first};
}

/* "0.6" in thousandths; false for anything else. */
static bool factor(struct nova_view w, uint64_t *milli) {
  uint64_t value = 0, scale = 0;
  for (size_t i = 0; i < w.n; i++) {
    if (w.p[i] == '.' && scale == 0 && i != 0) {
      scale = 1;
    } else if (w.p[i] >= '0' && w.p[i] <= '9' && value < 1000000 &&
               scale < 1000) {
      value = value * 10 + (uint64_t)(w.p[i] - '0');
      scale *= 10;
    } else {
      return false;
    }
  }
  if (w.n == 0 || scale == 1)
    return false;
  *milli = scale == 0 ? value * 1000 : value * (1000 / scale);
  return true;
}

static bool term(struct cursor *c, struct nova_span *s);

/* "(A, B)" of $least; |s| is the term that becomes the smaller one. */
static bool least(struct cursor *c, struct nova_span *s) {
  static const char expected[] =
      "expected $least(SPAN, SPAN), neither nested nor multiplied";
  struct nova_span *other = NOVA_NEW(c->arena, struct nova_span);
  bool plain = s->milli == 1000 && !s->late;
  if (!plain || other == NULL || !eat(c, '(')) {
    c->why = expected;
    return false;
  }
  if (!term(c, s))
    return false;
  if (!eat(c, ',')) {
    c->why = expected;
    return false;
  }
  if (!term(c, other))
    return false;
  if (s->late || s->or_less != NULL || other->late || other->or_less != NULL ||
      !eat(c, ')')) {
    c->why = expected;
    return false;
  }
  s->or_less = other;
  return true;
}

/* $timer, $late($timer), $late(2 * $timer), 10s; each after "F *"; and
 * $least(A, B). Recursion ends with the second function. */
static bool term(struct cursor *c, struct nova_span *s) {
  blanks(c);
  s->timer = NOVA_TIMERS;
  s->milli = 1000;
  if (c->at < c->text.n && c->text.p[c->at] != '$') {
    size_t first = c->at;
    struct nova_view w = word(c);
    if (nova_duration_parse(w.p, w.n, &s->fixed) == 0)
      return true;
    if (!factor(w, &s->milli)) {
      c->at = first;
      c->why = "expected a span such as 2s, $idle_timeout or 0.6 * "
               "$idle_timeout";
      return false;
    }
    if (!eat(c, '*')) {
      c->why = "expected \" * \" and a timer after the factor, or a unit";
      return false;
    }
    blanks(c);
  }
  size_t first = c->at;
  if (!eat(c, '$')) {
    c->why = "expected a span such as 2s, $idle_timeout or 0.6 * "
             "$idle_timeout";
    return false;
  }
  struct nova_view w = word(c);
  if (nova_view_is(w, "late")) {
    uint64_t outer = s->milli;
    if (s->late || outer != 1000 || !eat(c, '(')) {
      c->at = first;
      c->why = "expected $late(SPAN), neither nested nor multiplied";
      return false;
    }
    s->late = true;
    if (!term(c, s))
      return false;
    if (!eat(c, ')')) {
      c->why = "expected \")\"";
      return false;
    }
    return true;
  }
  if (nova_view_is(w, "least") && c->depth < 2) {
    c->depth++;
    bool good = least(c, s);
    c->depth--;
    return good;
  }
  s->timer = nova_timer_find(w);
  if (s->timer == NOVA_TIMERS) {
    c->at = first;
    c->why = "no such timer (see timers in specs/README.md)";
    return false;
  }
  return true;
}

struct nova_span *nova_span_read(struct nova_arena *arena,
                                 struct nova_view text, size_t *offset,
                                 const char **why) {
  struct cursor c = {.text = text, .arena = arena, .why = "out of memory"};
  struct nova_span *first = NULL, **link = &first;
  do {
    struct nova_span *s = NOVA_NEW(arena, struct nova_span);
    if (s == NULL || !term(&c, s)) {
      *offset = c.at;
      *why = c.why;
      return NULL;
    }
    *link = s;
    link = &s->next;
  } while (eat(&c, '+'));
  blanks(&c);
  if (c.at != text.n) {
    *offset = c.at;
    *why = "something follows the span";
    return NULL;
  }
  return first;
}

static nova_ts one_value(const struct nova_span *s,
                         const struct nova_timers *t) {
  nova_ts v = s->timer == NOVA_TIMERS ? s->fixed : t->span[s->timer];
  if (v == NOVA_TS_NONE)
    return v;
  /* At most ten years times 1e6: divide first where the product is large. */
  return v > UINT64_MAX / s->milli ? v / 1000 * s->milli : v * s->milli / 1000;
}

static nova_ts base_value(const struct nova_span *s,
                          const struct nova_timers *t) {
  nova_ts v = one_value(s, t);
  return s->or_less != NULL ? nova_ts_min(v, one_value(s->or_less, t)) : v;
}

bool nova_span_uses(const struct nova_span *s, enum nova_timer timer) {
  for (; s != NULL; s = s->next)
    if (s->timer == timer || (s->or_less != NULL && s->or_less->timer == timer))
      return true;
  return false;
}

nova_ts nova_span_slack(const struct nova_span *s,
                        const struct nova_timers *t) {
  nova_ts sum = 0;
  for (; s != NULL; s = s->next) {
    nova_ts v = base_value(s, t);
    if (s->late && v != NOVA_TS_NONE)
      sum = nova_ts_add(sum, nova_timers_tolerance(t, v));
  }
  return sum;
}

nova_ts nova_span_value(const struct nova_span *s,
                        const struct nova_timers *t) {
  nova_ts sum = nova_span_slack(s, t);
  for (; s != NULL; s = s->next)
    sum = nova_ts_add(sum, base_value(s, t));
  return sum;
}
