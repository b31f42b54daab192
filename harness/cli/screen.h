/* The terminal: whole lines, and below them, where standard output is a
 * terminal, one line that shows what is going on. */
#ifndef NOVA_CLI_SCREEN_H
#define NOVA_CLI_SCREEN_H

#include "base/time.h"
#include "cli/options.h"
#include "report/terminal.h"

/* Between two drawings of the live line: at most 4 a second. */
#define NOVA_SCREEN_EVERY (250 * NOVA_MS)

struct nova_screen {
  struct nova_terminal t; /* for report/terminal.h */
  bool live;              /* a live line may be shown */
  bool shown;             /* one stands there now */
  nova_ts drawn;
};

/* |mask|: outlives the screen; may be NULL. */
void nova_screen_init(struct nova_screen *s, const struct nova_options *o,
                      enum nova_lang lang, const struct nova_mask *mask);

/* Prints text of whole lines; a live line makes room. */
void nova_screen_print(struct nova_screen *s, const char *p, size_t n);

/* One line of the program's own words, masked, without a line feed at its end.
 * Not shown with -q. */
void nova_screen_line(struct nova_screen *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Draws the live line, unless it was drawn less than NOVA_SCREEN_EVERY ago. */
void nova_screen_live(struct nova_screen *s, const struct nova_live *l,
                      nova_ts now);

/* Takes the live line away. */
void nova_screen_clear(struct nova_screen *s);

#endif
