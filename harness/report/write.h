/* Internal to the writer of results.json. */
#ifndef NOVA_REPORT_WRITE_H
#define NOVA_REPORT_WRITE_H

#include "report/json_out.h"
#include "report/packets.h"
#include "report/text.h"
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

/* What a transcript is shown with. */
struct nova__shown {
  const struct nova_conversation_result *c;
  struct nova_masking masking;
  struct nova__packets packets;
};

/* |k|: need not be initialised; free it, after an error too.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__shown_init(struct nova__shown *k, const struct nova_mask *m,
                     const struct nova_conversation_result *c,
                     const struct nova_mem *mem);
void nova__shown_free(struct nova__shown *k);

/* Appends the payload of entry |i| for a person: masked, as the lines of its
 * packets, what a handshake told in words, text that is safe to show, or
 * hexadecimal digits, of at most |columns| columns. */
int nova__entry_text(const struct nova__shown *k, size_t i, enum nova_lang lang,
                     size_t columns, struct nova_buf *out);

/* Appends what the JSON object of a SECURED or INSECURE entry (base/tls.h)
 * tells, in words. Nothing where it is no such object. */
int nova__handshake_put(struct nova_view json, enum nova_lang lang,
                        struct nova_buf *out);

/* Whose event it is: "device", "server", "platform", "harness". */
const char *nova__actor_name(const struct nova_entry *e,
                             enum nova_role subject);

/* What an event is called in the file. |how|: of a "closed", else NULL. */
const char *nova__event_name(const struct nova_entry *e, const char **how);

#endif
