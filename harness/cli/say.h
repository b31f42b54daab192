/* What the program says when it cannot go on: one line on standard error, and
 * the exit status that belongs to it (docs/interface.md). */
#ifndef NOVA_CLI_SAY_H
#define NOVA_CLI_SAY_H

#include "conversation/diag.h"

enum {
  NOVA_EXIT_OK = 0,
  NOVA_EXIT_FAILED = 1,
  NOVA_EXIT_WRONG = 2, /* command line, profile, specs */
  NOVA_EXIT_INCOMPLETE = 3,
  NOVA_EXIT_BROKEN = 4, /* the harness itself */
};

/* "novaprobe: ...", control characters made harmless, cut at 2000 bytes. */
void nova_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same; returns NOVA_EXIT_WRONG. */
int nova_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same; returns NOVA_EXIT_BROKEN. */
int nova_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The messages of |d|, each a line of its own. |before|: put in front of each,
 * for file names that lack their folder; "" for nothing. Returns
 * NOVA_EXIT_WRONG. */
int nova_say_diag(struct nova_diag *d, const char *before);

/* Standard output, whole: NOVA_EXIT_OK, or NOVA_EXIT_BROKEN with a line where
 * it could not be written. */
int nova_put(const char *p, size_t n);

#endif
