/* How checks add up to verdicts. A verdict is a pure function of the
 * conversations' checks, the profile and the rules. */
#ifndef NOVA_VERDICT_VERDICT_H
#define NOVA_VERDICT_VERDICT_H

#include "conversation/catalog.h"
#include "conversation/profile.h"
#include "verdict/expect.h"
#include "verdict/results.h"

/* Fills requirement, rule, tally and outcome of |r| from r->conversation.
 *
 * Per requirement that binds the subject: any failing check makes it fail, else
 * any inconclusive one inconclusive, else one pass suffices. A failing check
 * that presupposes a requirement which itself failed in the run is
 * inconclusive: one defect shows up as that defect. What no check judged is
 * not_tested, with what it needs, or not_applicable where the profile declares
 * it absent.
 *
 * |expect|: the known failures; may be NULL.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova_verdict_judge(struct nova_results *r, const struct nova_catalog *c,
                       const struct nova_expect *expect);

/* Fills rule of |r|: those by which a check failed. nova_verdict_judge() does
 * so. 0 or NOVA_ERR_NO_MEMORY. */
int nova_verdict_rules(struct nova_results *r, const struct nova_catalog *c);

/* Whether the profile's transports include the requirement's: NULL where they
 * do, else the sentence that says why not. */
const char *nova_verdict_not_applicable(const struct nova_requirement *r,
                                        const struct nova_profile *p);

/* What a requirement needs that the profile does not give: "hook:reset_key", "a
 * second credential (--device)"; NULL where all is there. Static text or from
 * |arena|. */
const char *nova_verdict_lacks(const struct nova_requirement *r,
                               const struct nova_profile *p,
                               struct nova_arena *arena);

/* The exit status of the program (INTERFACE.md): 0, 1 or 3. */
int nova_verdict_exit(const struct nova_results *r, bool allow_incomplete);

#endif
