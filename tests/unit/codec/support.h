/* What the tests of codec/ share. */
#ifndef NOVA_TESTS_CODEC_SUPPORT_H
#define NOVA_TESTS_CODEC_SUPPORT_H

#include "base/mem.h"
#include "base/view.h"
#include "codec/json.h"

/* A copy on the heap of exactly its size, so that reading one byte more is seen
 * by the address sanitizer. To be freed; never NULL. */
char *exact_copy(struct nova_view v);

/* The text with each ' turned into ", for JSON within C. Static storage, good
 * until the eighth call from now. */
struct nova_view quoted(const char *s);

/* A scanner for 128 KB and 64 levels, made once. */
struct nova_json *scanner(void);

/* Checks an exact copy. */
int check_copy(struct nova_json *j, struct nova_view text,
               struct nova_fault_at *at);

/* Checks |text|, which has to be right, and keeps it: the value's views stay
 * good to the end of the test. */
struct nova_json_value value_of_text(struct nova_view text);

/* An allocator that counts, and fails from its |fail_at|-th allocation on (0:
 * never). */
struct counting_mem {
  struct nova_mem mem;
  size_t calls, fail_at, live, bytes, most_bytes;
};
void counting_mem_init(struct counting_mem *c);

#endif
