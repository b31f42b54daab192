/* Two results side by side, and several made one. */
#ifndef NOVA_REPORT_COMPARE_H
#define NOVA_REPORT_COMPARE_H

#include "report/terminal.h"

enum nova_change_kind {
  NOVA_CHANGE_WORSE,  /* to fail; or from pass to what was not judged */
  NOVA_CHANGE_BETTER, /* to pass */
  NOVA_CHANGE_OTHER,
  NOVA_CHANGE_GONE, /* is not in the second result at all */
  NOVA_CHANGE_NEW,
  NOVA_CHANGE_FEWER, /* the same verdict, but from fewer checks */
};

struct nova_change {
  enum nova_change_kind kind;
  bool conversation; /* or a requirement */
  const char *id;
  enum nova_verdict before, after; /* not for GONE and NEW, one of them */
  size_t checks_before, checks_after;
  const char *reason; /* of the second, may be NULL */
};

/* Strings are those of the results. */
struct nova_comparison {
  const struct nova_results *from, *to;
  struct nova_change *change;
  size_t n;
  size_t worse; /* WORSE, GONE and FEWER: what a CI job wants to fail for */
};

/* What changed from one result to another: verdicts of requirements and
 * conversations, and what silently stopped being checked.
 * |arena|: holds the list.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova_results_compare(const struct nova_results *from,
                         const struct nova_results *to,
                         struct nova_arena *arena, struct nova_comparison *out);

/* The comparison as text.
 * |from|, |to|: what to call them, such as their files.
 * Returns the buffer's errors. */
int nova_comparison_put(const struct nova_terminal *t,
                        const struct nova_comparison *c, const char *from,
                        const char *to, struct nova_buf *out);

/* Makes one result of several runs of the same kind of subject. A requirement
 * has the worst verdict that a run judged: fail, inconclusive, pass; only if
 * none did, not_tested or not_applicable. Conversations are those of all runs;
 * an id that an earlier run has becomes "id@2", by the number of its run. Name,
 * seed, profile and version are the first run's.
 *
 * |in|: |n| results, 1 or more, that outlive |out|.
 * |arena|: holds what is new.
 * Returns 0, NOVA_ERR_ARGUMENT (a server's and a device's result), or
 * NOVA_ERR_NO_MEMORY. */
int nova_results_merge(const struct nova_results *const *in, size_t n,
                       struct nova_arena *arena, struct nova_results *out);

#endif
