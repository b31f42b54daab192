/* The result of a run: plain data, made by verdict/ and run/, written and read
 * by report/. Everything is owned by one arena. */
#ifndef NOVA_VERDICT_RESULTS_H
#define NOVA_VERDICT_RESULTS_H

#include "conversation/check.h"
#include "conversation/transcript.h"

enum nova_outcome {
  NOVA_OUTCOME_CONFORMANT,
  NOVA_OUTCOME_NOT_CONFORMANT,
  NOVA_OUTCOME_INCOMPLETE,
};

/* "conformant", "not_conformant", "incomplete". */
extern const char *const nova_outcome_names[3];

struct nova_conversation_result {
  const char *id;
  struct nova_text title;
  struct nova_text why, mend; /* of the script; may be NULL */
  const char *transport;      /* "tcp"; may be NULL */
  enum nova_verdict verdict;
  const char *reason; /* why it is no pass; NULL for a pass */
  struct nova_ids verifies;
  nova_ts started, duration; /* started: from the run's start */
  const char *device;        /* id, NULL for none */
  const char *other;         /* id, NULL for none */
  /* Their keys in force at its start, NULL: the profile's. Never written as
   * they are; they tell what has to be masked after a reset_key hook. */
  const char *device_key, *other_key;
  bool kept; /* judged in an earlier part of the run and read back: its keys are
                placeholders (report/mask.h) */
  uint64_t seed;
  uint64_t unix_ns; /* Unix time at its start */
  nova_ts timing_error;
  unsigned tries; /* 1 unless it was tried again */
  bool again; /* a device under test that had connected in this run before */
  struct nova_check *check;
  size_t checks;
  const struct nova_check *failure;  /* the first FAIL in |check|, or NULL */
  struct nova_transcript transcript; /* times from the conversation's start */
};

struct nova_requirement_result {
  const struct nova_requirement *requirement;
  enum nova_verdict verdict;
  const char *reason;        /* NULL only for a plain pass */
  const char *needs;         /* NOT_TESTED: what it needs, NULL otherwise */
  bool expected_failure;     /* listed in --expect and failed */
  const char *expect_reason; /* from that list */
  size_t checks;             /* how many were made for it */
  size_t *conversation; /* indices into the conversations that checked it */
  size_t conversations;
};

/* A rule that found something, as it explains itself. */
struct nova_rule_result {
  const char *id;
  struct nova_text title, why, mend; /* may be empty */
};

struct nova_tally {
  size_t by[5]; /* by enum nova_verdict */
};

struct nova_results {
  struct nova_arena *arena;
  const char *tool_version;
  enum nova_role subject;
  const char *name;
  const char *address; /* what was tested, for a person */
  uint64_t seed;
  uint64_t started_unix_ns;
  nova_ts duration;
  bool interrupted;
  nova_ts timing_error; /* the largest of the run */
  const struct nova_profile *profile;
  enum nova_outcome outcome;
  struct nova_tally tally[3]; /* by enum nova_level */
  struct nova_requirement_result *requirement;
  size_t requirements;
  struct nova_conversation_result *conversation;
  size_t conversations;
  struct nova_rule_result *rule;
  size_t rules;
  /* What the reference peers' named faults say about the suite: how many there
   * are, were caught, were charged to another requirement too. 0 faults: not
   * known. */
  size_t faults, faults_caught, faults_blamed;
  const char **stale; /* complaints about --expect: passed or expired entries */
  size_t stales;
};

#endif
