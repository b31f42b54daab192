/* Secrets never leave the program: each key and password, and what it obviously
 * becomes on the way, is replaced with "***" in every text.
 *
 * What is found:
 *   - a known secret of 4 bytes or more, anywhere: as it is, with JSON escapes
 *     (\uXXXX too, at any nesting), percent-encoded, as hexadecimal digits, in
 *     base64 (both alphabets). At the end of a text, or before "...", 4 bytes
 * of its beginning are enough: texts are cut;
 *   - the value of a member named device_key, key or password, known or not:
 * the harness sends wrong keys that are made from the right one. Its type and
 *     length are kept. An empty string stays;
 *   - the password of an MQTT CONNECT packet, known or not;
 *   - a wrong key that the harness sent, wherever it stands, if it begins or
 * ends as a secret does; and a value printed by a hook and then sent as a key.
 *
 * What is not: a secret under 4 bytes outside of such a member or packet (a key
 * "k" would mask every k), other encodings (reversed, base64 at another
 * alignment, hashes), a secret inside a compressed or encrypted text, and a
 * part of a secret that stands alone. An empty secret is none.
 *
 * A transcript is searched as the stream that it is: a key that came in five
 * segments is masked in five entries. */
#ifndef NOVA_REPORT_MASK_H
#define NOVA_REPORT_MASK_H

#include "base/arena.h"
#include "base/buf.h"
#include "conversation/profile.h"
#include "verdict/results.h"

#define NOVA_MASK_TEXT     "***"
#define NOVA_MASK_SHORTEST 4

enum nova_masked_form {
  NOVA_MASKED_PLAIN,   /* bytes as they are */
  NOVA_MASKED_ESCAPED, /* with JSON or percent escapes */
  NOVA_MASKED_NUMBER,  /* a JSON number */
  NOVA_MASKED_ENCODED, /* hexadecimal digits, base64 */
};

/* A masked place of an entry's bytes. */
struct nova_masked {
  size_t at, length; /* in the original bytes */
  bool expected;     /* a key in force of a device of the conversation, or the
                        platform's password, whole and not ENCODED */
  const char *of;    /* whose secret it is: a device id, "platform"; NULL for an
                        unknown value */
  unsigned generation; /* 0: the profile's, 1: the first new key, ... */
  enum nova_masked_form form;
  size_t secret;      /* length of the secret itself; 0 for an unknown one */
  size_t part, whole; /* the entry has bytes part to part + length of a place of
                         |whole| bytes that lies in several entries; otherwise 0
                         and |length| */
};

struct nova__secret;
struct nova__form;

/* The secrets of a run. Fields are private. */
struct nova_mask {
  struct nova_arena arena;
  struct nova__secret *secrets; /* newest first */
  struct nova__form **bucket;   /* by their first 4 bytes */
  unsigned char *filter;        /* bits of the first 4 bytes */
  struct nova__form *slow;      /* those that escapes may hide from the table */
  struct nova__secret *shorts;
  size_t n;
};

/* |mem|: NULL for the C library's. Holds at most 64 MiB. */
void nova_mask_init(struct nova_mask *m, const struct nova_mem *mem);
void nova_mask_free(struct nova_mask *m);

/* Adds a secret; one that is known already for the same owner, or is empty, is
 * no error. Generations count up for each |of|.
 * |of|: device id, "platform", or NULL for a secret of nobody; copied.
 * |secret|: any bytes, copied.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova_mask_add(struct nova_mask *m, const char *of, struct nova_view secret);

/* All credentials of a profile. Same errors. */
int nova_mask_profile(struct nova_mask *m, const struct nova_profile *p);

/* The profile's, the conversations' new keys, and what can be learned from what
 * was sent. Call it before any part of |r| is written. Same errors. */
int nova_mask_results(struct nova_mask *m, const struct nova_results *r);

/* Which of the keys of |of| |key| is: 0 for the profile's or an unknown one.
 * |m|: NULL for results that were read back, whose keys are placeholders. */
unsigned nova_mask_generation(const struct nova_mask *m, const char *of,
                              const char *key);

/* Appends |text| masked. |m| may be NULL: nothing is masked.
 * Returns 0 or the buffer's errors. */
int nova_mask_text(const struct nova_mask *m, struct nova_view text,
                   struct nova_buf *out);

/* The places of a transcript. */
struct nova_masking {
  const struct nova_mem *mem;
  struct nova_masked *place; /* by entry, sorted inside one */
  size_t places, cap;
  size_t *first; /* by entry, and one more: place[first[i]] to [first[i + 1]) */
};

/* Finds what is to be masked in the entries of |c|. Entries that were read back
 * keep their own places and are not searched.
 * |m|: NULL finds nothing.
 * |out|: need not be initialised; nova_masking_free() it, after an error too.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova_mask_transcript(const struct nova_mask *m,
                         const struct nova_conversation_result *c,
                         const struct nova_mem *mem, struct nova_masking *out);
void nova_masking_free(struct nova_masking *k);

/* Stands for a secret when a transcript is read back: another one for each
 * owner and generation as far as the length allows, fit for JSON and MQTT as it
 * is, and the same in profile, hook output and messages, so that they compare
 * as the secrets did. |of|: as in struct nova_masked; NULL gives asterisks.
 * |n|: bytes to write to |out|; no NUL is added. */
void nova_mask_placeholder(const char *of, unsigned generation, size_t n,
                           char *out);

/* The placeholder in the form of a masked place: p->length bytes to |out|. */
void nova_mask_fill(const struct nova_masked *p, char *out);

#endif
