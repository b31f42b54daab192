#include "base/buf.h"

#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void nova_buf_init(struct nova_buf *b, const struct nova_mem *mem, size_t max) {
  *b = (struct nova_buf){.mem = mem, .max = max};
}

void nova_buf_free(struct nova_buf *b) {
  nova_mem_free(b->mem, b->data);
  nova_buf_init(b, b->mem, b->max);
}

/* Makes room for |n| more bytes behind the content. */
static int grow(struct nova_buf *b, size_t n) {
  if (n > b->max - b->len)
    return NOVA_ERR_LIMIT;
  if (b->data != NULL && b->cap - b->head - b->len >= n)
    return 0;
  if (b->data != NULL && b->cap - b->len >= n && b->head >= b->len) {
    /* Half or more is dead: move instead of growing, amortised free. */
    memmove(b->data, b->data + b->head, b->len);
    b->head = 0;
    return 0;
  }
  size_t cap = b->cap < 64 ? 64 : b->cap;
  while (cap < b->len + n)
    cap *= 2;
  if (cap > b->max && b->len + n <= b->max)
    cap = b->max;
  if (b->head != 0) {
    memmove(b->data, b->data + b->head, b->len);
    b->head = 0;
    if (b->cap - b->len >= n)
      return 0;
  }
  char *p = nova_mem_realloc(b->mem, b->data, cap);
  if (p == NULL)
    return NOVA_ERR_NO_MEMORY;
  b->data = p;
  b->cap = cap;
  return 0;
}

int nova_buf_append(struct nova_buf *b, const void *p, size_t n) {
  if (n == 0)
    return 0;
  int err = grow(b, n);
  if (err != 0)
    return err;
  memcpy(b->data + b->head + b->len, p, n);
  b->len += n;
  return 0;
}

int nova_buf_puts(struct nova_buf *b, const char *s) {
  return nova_buf_append(b, s, strlen(s));
}

int nova_buf_printf(struct nova_buf *b, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(NULL, 0, format, ap);
  va_end(ap);
  if (n < 0)
    return NOVA_ERR_ARGUMENT;
  if ((size_t)n > b->max - b->len)
    return NOVA_ERR_LIMIT;
  /* One more for vsnprintf's NUL, which may stand beyond max only in capacity:
   * print into a scratch of exact size where the buffer cannot hold it. */
  char *p = nova_buf_reserve(b, (size_t)n + 1);
  if (p != NULL) {
    va_start(ap, format);
    vsnprintf(p, (size_t)n + 1, format, ap);
    va_end(ap);
    nova_buf_commit(b, (size_t)n);
    return 0;
  }
  char *scratch = nova_mem_alloc(b->mem, (size_t)n + 1);
  if (scratch == NULL)
    return NOVA_ERR_NO_MEMORY;
  va_start(ap, format);
  vsnprintf(scratch, (size_t)n + 1, format, ap);
  va_end(ap);
  int err = nova_buf_append(b, scratch, (size_t)n);
  nova_mem_free(b->mem, scratch);
  return err;
}

char *nova_buf_reserve(struct nova_buf *b, size_t n) {
  if (grow(b, n) != 0)
    return NULL;
  return b->data + b->head + b->len;
}

void nova_buf_commit(struct nova_buf *b, size_t n) {
  assert(n <= b->cap - b->head - b->len);
  b->len += n;
}

void nova_buf_consume(struct nova_buf *b, size_t n) {
  assert(n <= b->len);
  b->head += n;
  b->len -= n;
  if (b->len == 0)
    b->head = 0;
}

void nova_buf_clear(struct nova_buf *b) {
  b->head = b->len = 0;
}

const char *nova_buf_cstr(struct nova_buf *b) {
  char *p = nova_buf_reserve(b, 1);
  if (p == NULL)
    return NULL;
  *p = '\0';
  return b->data + b->head;
}
