#include "report/compare.h"

#include "base/error.h"
#include "report/ink.h"

#include <stdlib.h>

/* A requirement or conversation, for both are compared alike. */
struct item {
  const char *id, *reason;
  enum nova_verdict verdict;
  size_t checks, order;
};

static int by_id(const void *a, const void *b) {
  const struct item *x = a, *y = b;
  int order = strcmp(x->id, y->id);
  return order != 0 ? order : x->order < y->order ? -1 : x->order > y->order;
}

/* The items of |r|, sorted by id. */
static struct item *items_of(const struct nova_results *r, bool conversations,
                             struct nova_arena *arena, size_t *n) {
  *n = conversations ? r->conversations : r->requirements;
  struct item *all = NOVA_NEW_ARRAY(arena, struct item, *n + 1);
  if (all == NULL)
    return NULL;
  for (size_t i = 0; i < *n; i++) {
    if (conversations) {
      const struct nova_conversation_result *c = &r->conversation[i];
      all[i] = (struct item){c->id, c->reason, c->verdict, c->checks, i};
    } else {
      const struct nova_requirement_result *q = &r->requirement[i];
      all[i] = (struct item){q->requirement->id, q->reason, q->verdict,
                             q->checks, i};
    }
  }
  if (*n > 1)
    qsort(all, *n, sizeof *all, by_id);
  return all;
}

static bool judged(enum nova_verdict v) {
  return v == NOVA_VERDICT_PASS || v == NOVA_VERDICT_FAIL;
}

static enum nova_change_kind kind_of(enum nova_verdict a, enum nova_verdict b) {
  if (b == NOVA_VERDICT_FAIL)
    return NOVA_CHANGE_WORSE;
  if (b == NOVA_VERDICT_PASS)
    return NOVA_CHANGE_BETTER;
  if (a == NOVA_VERDICT_PASS && b != NOVA_VERDICT_NOT_APPLICABLE)
    return NOVA_CHANGE_WORSE;
  return NOVA_CHANGE_OTHER;
}

static void add(struct nova_comparison *c, enum nova_change_kind kind,
                bool conversation, const struct item *a, const struct item *b) {
  struct nova_change *k = &c->change[c->n++];
  *k = (struct nova_change){.kind = kind, .conversation = conversation};
  if (a != NULL) {
    k->id = a->id;
    k->before = a->verdict;
    k->checks_before = a->checks;
  }
  if (b != NULL) {
    k->id = b->id;
    k->after = b->verdict;
    k->checks_after = b->checks;
    k->reason = b->reason;
  }
  c->worse += kind == NOVA_CHANGE_WORSE || kind == NOVA_CHANGE_GONE ||
              kind == NOVA_CHANGE_FEWER;
}

static void compare_pair(struct nova_comparison *c, bool conversation,
                         const struct item *a, const struct item *b) {
  if (a->verdict != b->verdict)
    add(c, kind_of(a->verdict, b->verdict), conversation, a, b);
  else if (judged(a->verdict) && b->checks < a->checks)
    add(c, NOVA_CHANGE_FEWER, conversation, a, b);
}

static int compare_lists(struct nova_comparison *c, bool conversations,
                         struct nova_arena *arena) {
  size_t na, nb, i = 0, k = 0;
  struct item *a = items_of(c->from, conversations, arena, &na);
  struct item *b = items_of(c->to, conversations, arena, &nb);
  if (a == NULL || b == NULL)
    return NOVA_ERR_NO_MEMORY;
  while (i < na || k < nb) {
    int order = i == na ? 1 : k == nb ? -1 : strcmp(a[i].id, b[k].id);
    if (order == 0)
      compare_pair(c, conversations, &a[i++], &b[k++]);
    else if (order < 0)
      add(c, NOVA_CHANGE_GONE, conversations, &a[i++], NULL);
    else
      add(c, NOVA_CHANGE_NEW, conversations, NULL, &b[k++]);
  }
  return 0;
}

int nova_results_compare(const struct nova_results *from,
                         const struct nova_results *to,
                         struct nova_arena *arena,
                         struct nova_comparison *out) {
  size_t most = from->requirements + to->requirements + from->conversations +
                to->conversations;
  *out = (struct nova_comparison){.from = from, .to = to};
  out->change = NOVA_NEW_ARRAY(arena, struct nova_change, most + 1);
  if (out->change == NULL)
    return NOVA_ERR_NO_MEMORY;
  int err = compare_lists(out, false, arena);
  return err == 0 ? compare_lists(out, true, arena) : err;
}

/* --- as text ------------------------------------------------------------- */

static void fewer(struct nova__ink *k, const struct nova_change *c) {
  char before[24], after[24];
  const char *arg[] = {c->id, before, after};
  nova__ink_number(before, c->checks_before);
  nova__ink_number(after, c->checks_after);
  nova__ink_say(k, NOVA_TEXT_FEWER, arg, 3);
}

static void change(struct nova__ink *k, const struct nova_change *c) {
  nova__ink_raw(k, "  ");
  switch (c->kind) {
  case NOVA_CHANGE_FEWER: fewer(k, c); break;
  case NOVA_CHANGE_GONE:
    nova__ink_text(k, c->id, 0);
    nova__ink_raw(k, "  ");
    nova__ink_say(k, NOVA_TEXT_GONE, NULL, 0);
    break;
  case NOVA_CHANGE_NEW:
    nova__ink_text(k, c->id, 0);
    nova__ink_raw(k, "  ");
    nova__ink_say(k, NOVA_TEXT_NEW, NULL, 0);
    nova__ink_raw(k, ": ");
    nova__ink_say(k, nova_phrase_verdict(c->after), NULL, 0);
    break;
  case NOVA_CHANGE_WORSE:
  case NOVA_CHANGE_BETTER:
  case NOVA_CHANGE_OTHER:
    nova__ink_text(k, c->id, 0);
    nova__ink_raw(k, "  ");
    nova__ink_say(k, nova_phrase_verdict(c->before), NULL, 0);
    nova__ink_raw(k, " -> ");
    nova__ink_color(k, nova__ink_verdict_color(c->after));
    nova__ink_say(k, nova_phrase_verdict(c->after), NULL, 0);
    nova__ink_color(k, NULL);
    if (c->reason != NULL) {
      nova__ink_raw(k, "  ");
      nova__ink_text(k, c->reason, 0);
    }
    break;
  }
  nova__ink_raw(k, "\n");
}

/* The changes of one heading, requirements before conversations. */
static void group(struct nova__ink *k, const struct nova_comparison *c,
                  enum nova_phrase heading, unsigned kinds) {
  bool first = true;
  for (size_t i = 0; i < c->n; i++) {
    if ((kinds & 1u << c->change[i].kind) == 0)
      continue;
    if (first) {
      nova__ink_raw(k, "\n");
      nova__ink_bold(k, heading);
      nova__ink_raw(k, "\n");
    }
    first = false;
    change(k, &c->change[i]);
  }
}

int nova_comparison_put(const struct nova_terminal *t,
                        const struct nova_comparison *c, const char *from,
                        const char *to, struct nova_buf *out) {
  static const struct {
    enum nova_phrase heading;
    unsigned kinds;
  } groups[] = {
      {NOVA_TEXT_WORSE, 1u << NOVA_CHANGE_WORSE},
      {NOVA_TEXT_STOPPED, 1u << NOVA_CHANGE_GONE | 1u << NOVA_CHANGE_FEWER},
      {NOVA_TEXT_BETTER, 1u << NOVA_CHANGE_BETTER},
      {NOVA_TEXT_OTHERWISE, 1u << NOVA_CHANGE_OTHER | 1u << NOVA_CHANGE_NEW},
  };
  const char *names[] = {from, to};
  struct nova__ink k;
  nova__ink_init(&k, t, out);
  nova__ink_say(&k, NOVA_TEXT_COMPARED, names, 2);
  nova__ink_raw(&k, ": ");
  nova__ink_say(&k, nova_phrase_outcome(c->from->outcome), NULL, 0);
  nova__ink_raw(&k, " -> ");
  nova__ink_say(&k, nova_phrase_outcome(c->to->outcome), NULL, 0);
  nova__ink_raw(&k, "\n");
  if (c->from->subject != c->to->subject) {
    nova__ink_say(&k, NOVA_TEXT_OTHER_SUBJECT, NULL, 0);
    nova__ink_raw(&k, "\n");
  }
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
    group(&k, c, groups[i].heading, groups[i].kinds);
  if (c->n == 0) {
    nova__ink_say(&k, NOVA_TEXT_SAME, NULL, 0);
    nova__ink_raw(&k, "\n");
  }
  return nova__ink_end(&k);
}
