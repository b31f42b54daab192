/* A growing byte buffer that has its maximum from birth. */
#ifndef NOVA_BASE_BUF_H
#define NOVA_BASE_BUF_H

#include "base/mem.h"
#include "base/view.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes data[head] to data[head + len - 1]; grows by doubling, never beyond
 * |max|. Fields are read-only for users. */
struct nova_buf {
  const struct nova_mem *mem;
  char *data;
  size_t head, len, cap, max;
};

/* An empty buffer that allocates nothing until bytes come.
 * |mem|: the allocator, NULL for the C library's.
 * |max|: the most bytes that it ever holds, 1 to SIZE_MAX / 2. */
void nova_buf_init(struct nova_buf *b, const struct nova_mem *mem, size_t max);

/* Frees the bytes; |b| is empty and usable again, with the same maximum. */
void nova_buf_free(struct nova_buf *b);

/* Appends |n| bytes. All or nothing.
 * Returns 0, NOVA_ERR_LIMIT (the maximum would be passed) or
 * NOVA_ERR_NO_MEMORY; the buffer is unchanged by an error. Views of the buffer
 * are void after it. */
int nova_buf_append(struct nova_buf *b, const void *p, size_t n);

/* Appends the bytes of a NUL-terminated string. */
int nova_buf_puts(struct nova_buf *b, const char *s);

/* Appends formatted text, as printf does. Same errors. */
int nova_buf_printf(struct nova_buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for |n| more bytes to be written by the caller, who then says how many
 * with nova_buf_commit(). NULL where the maximum or the memory does not allow
 * it. */
char *nova_buf_reserve(struct nova_buf *b, size_t n);
void nova_buf_commit(struct nova_buf *b, size_t n);

/* Drops the first |n| bytes, n <= len. Moves nothing. */
void nova_buf_consume(struct nova_buf *b, size_t n);

/* Drops everything, keeps the memory. */
void nova_buf_clear(struct nova_buf *b);

/* The content; valid until the next call that changes the buffer. */
static inline struct nova_view nova_buf_view(const struct nova_buf *b) {
  struct nova_view v = {b->data != NULL ? b->data + b->head : NULL, b->len};
  return v;
}

/* The content with a NUL behind it (which does not count), NULL without memory
 * or room for the NUL. */
const char *nova_buf_cstr(struct nova_buf *b);

#ifdef __cplusplus
}
#endif

#endif
