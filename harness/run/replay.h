/* Judging recorded conversations again: a player is fed what was recorded, in
 * the order in which it happened, and what it wants to do is dropped. With the
 * same scripts and rules it finds what it found live; with others, old evidence
 * is judged by them.
 *
 * Some of a record does not tell all, and then what was found live stands:
 * where the conversation was interrupted or never ran, where evidence was cut,
 * where its script is not there any more, or has become another one so that the
 * record ends in the middle of it (of such a one the rules are judged again).
 */
#ifndef NOVA_RUN_REPLAY_H
#define NOVA_RUN_REPLAY_H

#include "conversation/catalog.h"
#include "verdict/results.h"

struct nova_replay;

struct nova_replay_counts {
  size_t replayed; /* conversations that were judged again */
  size_t partly;   /* only the rules were */
  size_t stand;    /* the recorded verdict stands */
};

/* Judges all conversations of |r| again: their checks, verdict, reason and
 * failure are replaced. Then nova_verdict_judge() makes the verdicts of
 * requirements from them.
 * |mem|: NULL for the C library's. |catalog|: outlives the replay.
 * |r|: live, or read back with whole transcripts; r->profile is not NULL, and
 * r->arena, which takes sentences, neither.
 * |counts|: may be NULL.
 * Returns what holds the new checks: to be freed after |r| was last used. NULL
 * without memory; |r| is not to be used then. */
struct nova_replay *nova_replay_run(const struct nova_mem *mem,
                                    const struct nova_catalog *catalog,
                                    struct nova_results *r,
                                    struct nova_replay_counts *counts);

/* NULL is ignored. */
void nova_replay_free(struct nova_replay *v);

#endif
