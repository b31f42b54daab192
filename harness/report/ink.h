/* Internal: writing for a terminal. Errors stay: ask once at the end. */
#ifndef NOVA_REPORT_INK_H
#define NOVA_REPORT_INK_H

#include "report/terminal.h"

struct nova__ink {
  const struct nova_terminal *t;
  struct nova_buf *out, scratch;
  int err;
};

void nova__ink_init(struct nova__ink *k, const struct nova_terminal *t,
                    struct nova_buf *out);
int nova__ink_end(struct nova__ink *k);

/* Text of the program, as it is. */
void nova__ink_raw(struct nova__ink *k, const char *s);
void nova__ink_blanks(struct nova__ink *k, size_t n);

/* Text from elsewhere: masked and made safe, at most |columns| (0: no bound).
 */
void nova__ink_text(struct nova__ink *k, const char *s, size_t columns);

void nova__ink_say(struct nova__ink *k, enum nova_phrase p,
                   const char *const *arg, size_t args);

/* A phrase in bold. */
void nova__ink_bold(struct nova__ink *k, enum nova_phrase p);

/* The mark of a verdict in its colour, filled up to |columns|. */
void nova__ink_mark(struct nova__ink *k, enum nova_verdict v, size_t columns);

/* A phrase filled up to |columns|, on the left of what follows or on the right.
 */
void nova__ink_cell(struct nova__ink *k, enum nova_phrase p, size_t columns,
                    bool right);

/* Starts and ends a colour: an SGR code such as "31"; NULL ends. */
void nova__ink_color(struct nova__ink *k, const char *code);
const char *nova__ink_verdict_color(enum nova_verdict v);

/* The decimal digits; returns how many. */
size_t nova__ink_number(char out[24], uint64_t v);

#endif
