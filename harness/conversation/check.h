/* A check: one thing that a conversation or a rule found out, charged to the
 * one requirement that it checks. */
#ifndef NOVA_CONVERSATION_CHECK_H
#define NOVA_CONVERSATION_CHECK_H

#include "conversation/script.h"

enum nova_verdict {
  NOVA_VERDICT_PASS,
  NOVA_VERDICT_FAIL,
  NOVA_VERDICT_INCONCLUSIVE, /* tried, and something else went wrong */
  NOVA_VERDICT_NOT_TESTED,   /* what it needs was not given, or it never came */
  NOVA_VERDICT_NOT_APPLICABLE, /* declared absent */
};

/* "pass", "fail", "inconclusive", "not_tested", "not_applicable". */
extern const char *const nova_verdict_names[5];

/* Strings are owned by whoever holds the check (the player's arena). */
struct nova_check {
  const char *requirement; /* id */
  enum nova_verdict verdict;
  unsigned step;        /* of the script, from 1; 0: a rule */
  const char *rule;     /* its id, NULL for a step */
  unsigned line;        /* of the script or rule file */
  const char *expected; /* FAIL: always set; else may be NULL */
  const char *observed; /* FAIL: always set */
  const char *reason;   /* one sentence that stands alone; set unless PASS
                           without anything to say */
  nova_ts t;            /* when it was decided, from the conversation's start */
  nova_ts measured;     /* a timing check's measured span, or NONE */
  nova_ts earliest, latest; /* its bounds, or NONE */
  nova_ts error;            /* the timing error that was allowed for */
  size_t entry;             /* index of the transcript's entry that shows it */
  const struct nova_ids *presupposes; /* may be NULL */
  bool observation;                   /* the requirement is only observed */
  bool retry; /* inconclusive for timing: worth another try */
};

#endif
