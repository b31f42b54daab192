/* What people read while a run goes on and at its end. Everything is text into
 * a buffer; nothing that a subject sent does anything to the terminal. */
#ifndef NOVA_REPORT_TERMINAL_H
#define NOVA_REPORT_TERMINAL_H

#include "report/mask.h"
#include "report/text.h"

struct nova_terminal {
  enum nova_lang lang;
  bool color;
  unsigned width;               /* columns; 0: not a terminal, no line is cut */
  int verbosity;                /* -1: -q, 0, 1: -v */
  const struct nova_mask *mask; /* NULL for results that were read back */
};

/* A buffer of this maximum takes any of the texts below but the summary, one of
 * the other size the summary. What does not fit is NOVA_ERR_LIMIT. */
#define NOVA_TERMINAL_LINE    ((size_t)1 << 20)
#define NOVA_TERMINAL_SUMMARY ((size_t)64 << 20)

/* One line for a conversation that has ended: mark, id, duration, reason. With
 * -q only one that did not pass. */
int nova_terminal_conversation(const struct nova_terminal *t,
                               const struct nova_conversation_result *c,
                               struct nova_buf *out);

/* What a conversation with a device that is operated by hand waits for. */
struct nova_live_wait {
  const char *device; /* NULL for none */
  const char *text;
  nova_ts left; /* how long at the most, or NONE */
};

/* What goes on. */
struct nova_live {
  const char *const *running; /* ids */
  size_t n;
  size_t done, total;                /* conversations */
  nova_ts left;                      /* an estimate, or NONE */
  const struct nova_live_wait *wait; /* to an operator; NULL: there is none */
  size_t waits;
};

/* One line without its line feed, shorter than the terminal is wide (80 where
 * the width is not known). */
int nova_terminal_live(const struct nova_terminal *t, const struct nova_live *l,
                       struct nova_buf *out);

/* The end of a run.
 * |folder|: where the reports are, for "see"; NULL where there are none. */
int nova_terminal_summary(const struct nova_terminal *t,
                          const struct nova_results *r, const char *folder,
                          struct nova_buf *out);

/* What a requirement that was not tested needs, for a person. |needs|: as in
 * the requirements ("hook:send_command"), or a sentence, which stays; NULL:
 * nothing that could be given. */
int nova_needs_put(struct nova_buf *b, enum nova_lang lang, const char *needs);

/* Why the outcome is what it is. */
int nova_outcome_put(struct nova_buf *b, enum nova_lang lang,
                     const struct nova_results *r);

#endif
