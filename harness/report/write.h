/* Internal to the writer of results.json. */
#ifndef NOVA_REPORT_WRITE_H
#define NOVA_REPORT_WRITE_H

#include "report/json_out.h"
#include "verdict/results.h"

/* The members that every file begins with: format, version, tool, subject,
 * name, address, seed, started. */
void nova__write_head(struct nova_json_out *o, const struct nova_results *r,
                      const char *format);

/* The array of events of |c|. |whole|: payloads are not shortened. */
void nova__write_transcript(struct nova_json_out *o,
                            const struct nova_conversation_result *c,
                            enum nova_role subject, const struct nova_mem *mem,
                            bool whole);

/* The profile as an object, secrets as "***" with their length. */
void nova__write_profile(struct nova_json_out *o, const struct nova_profile *p);

/* A duration that the profile reads back to the same value: "10s", "never". At
 * most 31 bytes. */
char *nova__duration(nova_ts t, char out[32]);

/* "2026-11-22T14:00:00Z". */
char *nova__rfc3339(uint64_t unix_ns, char out[32]);

/* Appends the payload of an entry for a person: masked, as text that is safe to
 * show or as hexadecimal digits, of at most |columns| columns.
 * |place|, |places|: of this entry. */
int nova__entry_text(const struct nova_entry *e,
                     const struct nova_masked *place, size_t places,
                     size_t columns, struct nova_buf *out);

/* Whose event it is: "device", "server", "platform", "harness". */
const char *nova__actor_name(const struct nova_entry *e,
                             enum nova_role subject);

/* What an event is called in the file. |how|: of a "closed", else NULL. */
const char *nova__event_name(const struct nova_entry *e, const char **how);

#endif
