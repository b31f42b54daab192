/* Known failures: a file of one requirement a line: id, reason, and, where it
 * is wanted, the date on which the excuse ends.
 *
 *     TCP-HB-09  the old gateway closes at 120 s  until 2027-03-31
 *     # a comment */
#ifndef NOVA_VERDICT_EXPECT_H
#define NOVA_VERDICT_EXPECT_H

#include "conversation/catalog.h"
#include "conversation/diag.h"

struct nova_expected {
  const char *id;
  const char *reason;
  const char *until; /* "2027-03-31", NULL: without end */
  unsigned line;
  struct nova_expected *next;
};

struct nova_expect {
  struct nova_expected *first;
};

/* Reads the file.
 * |today|: "YYYY-MM-DD", not used for reading but for nova_expect_expired().
 * Returns 0, or NOVA_ERR_ARGUMENT with messages: an unknown id, an id twice, no
 * reason, a date that is none. */
int nova_expect_read(struct nova_expect *e, struct nova_arena *arena,
                     const struct nova_catalog *c, const char *file,
                     const char *text, size_t n, struct nova_diag *diag);

const struct nova_expected *nova_expect_find(const struct nova_expect *e,
                                             const char *id);

/* Whether the excuse ended before the day |today| ("YYYY-MM-DD"). */
bool nova_expected_expired(const struct nova_expected *e, const char *today);

#endif
