/* Internal to the masking: secrets, and where they stand in a text. */
#ifndef NOVA_REPORT_MASK_FIND_H
#define NOVA_REPORT_MASK_FIND_H

#include "report/mask.h"

struct nova__secret {
  struct nova_view bytes;
  const char *of;
  unsigned generation;
  struct nova__secret *next;       /* all */
  struct nova__secret *next_short; /* under NOVA_MASK_SHORTEST */
};

/* A spelling of a secret. */
struct nova__form {
  struct nova_view text;
  const struct nova__secret *secret;
  bool escapes; /* the bytes themselves: escapes are looked through */
  struct nova__form *next;
};

/* The length of the first key of |of|; 0 where there is none or |m| is NULL. */
size_t nova__mask_first(const struct nova_mask *m, const char *of);

/* A place in a text. */
struct nova__range {
  size_t at, n;
  const struct nova__secret *secret; /* NULL: unknown */
  enum nova_masked_form form;
};

/* Ranges, sorted and apart; at most one a byte of the text. */
struct nova__ranges {
  const struct nova_mem *mem;
  struct nova__range *r;
  size_t n, cap;
};

/* Adds a range behind all others; one of 0 bytes is left out.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__ranges_add(struct nova__ranges *v, struct nova__range r);

/* The character that the escape at text[i] stands for, as UTF-8 in |out|: %XX,
 * \uXXXX, \n and the like. More than one backslash is an escape inside an
 * escaped text. A quotation mark or backslash is none here. Returns the bytes
 * of text, 0 for no escape. */
size_t nova__escape_at(struct nova_view t, size_t i, char out[4], size_t *n);

/* Whether the secret |s| stands at text[i], escapes looked through; the longest
 * spelling is found. |escaped|: whether any were. |matched|: how many bytes of
 * the secret fit before the text ended or went on otherwise. Returns the bytes
 * of text, 0 where it does not stand there as a whole. */
size_t nova__secret_at(struct nova_view text, size_t i, struct nova_view s,
                       bool *escaped, size_t *matched);

/* The longest spelling of a known secret at text[i]; 0 bytes where there is
 * none. */
struct nova__range nova__mask_known(const struct nova_mask *m,
                                    struct nova_view text, size_t i);

/* What a text is. */
enum nova__sort {
  NOVA__TEXT,
  NOVA__STREAM, /* what one side sent from a connection's first byte on */
  NOVA__PACKETS /* ... and it is MQTT, or should be */
};

/* The values of secret members and CONNECT passwords in |text|, appended to
 * |out| without an owner. */
int nova__mask_places(struct nova_view text, enum nova__sort sort,
                      struct nova__ranges *out);

/* All that is to be masked in |text|. */
int nova__mask_find(const struct nova_mask *m, struct nova_view text,
                    enum nova__sort sort, struct nova__ranges *out);

#endif
