/* What is told of a failure, the same in every report: the check, how often it
 * was seen, the event that shows it, its likely cause and how to mend it. */
#ifndef NOVA_REPORT_FINDING_H
#define NOVA_REPORT_FINDING_H

#include "report/mask.h"
#include "report/text.h"

/* The columns of an event's bytes in a finding. */
#define NOVA_FINDING_COLUMNS 200

struct nova_finding {
  const struct nova_check *check;
  const struct nova_conversation_result *in;
  /* Of the rule where one found it and says so, else of the conversation. May
   * be empty, never NULL. */
  const struct nova_text *why, *mend;
  size_t conversations; /* in which it failed; by that rule, if by one */
};

/* The failed check of a requirement that tells most: one that a rule found,
 * else that of the conversation that verifies the fewest; the first of them.
 * False where there is none. */
bool nova_finding_first(const struct nova_results *r,
                        const struct nova_requirement_result *q,
                        struct nova_finding *out);

/* The finding of a failed check of |c|; |check| is one of c->check or the
 * failure of |c|. */
struct nova_finding nova_finding_of(const struct nova_results *r,
                                    const struct nova_conversation_result *c,
                                    const struct nova_check *check);

/* Appends the event that shows a finding, "received, 65 bytes: {...}", masked
 * and safe, its bytes in at most NOVA_FINDING_COLUMNS. Nothing where there is
 * no such event.
 * |m|: NULL for results that were read back. Returns 0 or the buffer's errors.
 */
int nova_finding_event(const struct nova_finding *f, const struct nova_mask *m,
                       enum nova_lang lang, struct nova_buf *out);

/* How the conversation was played: "TCP", "MQTT", "MQTT over TLS" (a script of
 * MQTT is, where there is no other address); NOVA_TEXTS where it does not say.
 */
enum nova_phrase nova_phrase_over(const struct nova_conversation_result *c);

/* What an event is called: "received", "ended with status 3". */
int nova_event_put(struct nova_buf *out, enum nova_lang lang,
                   const struct nova_entry *e);

#endif
