#include "bench.h"

#include "base/buf.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>

#define SIZE 131072

static struct nova_buf made[8];
static size_t count;

static struct nova_buf *make(size_t max) {
  struct nova_buf *b = &made[count++];
  nova_buf_init(b, NULL, max);
  return b;
}

static void add(struct nova_buf *b, const char *s) {
  if (nova_buf_puts(b, s) != 0) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
}

struct nova_view document_guide(void) {
  return nova_view_of(
      "{\"type\":\"data\",\"device_id\":\"DEV-123456\",\"timestamp\":"
      "1651234567,"
      "\"values\":{\"temperature\":25.5,\"humidity\":60.0,\"light\":500}}");
}

/* Members with numbers of one to five digits, half of them with a fraction, as
 * sensors have them, up to |room| bytes. */
static void numbers(struct nova_buf *b, size_t room) {
  struct nova_rng r;
  nova_rng_init(&r, 1);
  for (unsigned i = 0;; i++) {
    char s[64];
    unsigned whole = (unsigned)nova_rng_below(&r, 100000);
    whole >>= nova_rng_below(&r, 14);
    int n =
        nova_rng_below(&r, 2) != 0
            ? snprintf(s, sizeof s, "%s\"sensor_%u\":%u.%u", i != 0 ? "," : "",
                       i, whole, (unsigned)nova_rng_below(&r, 100))
            : snprintf(s, sizeof s, "%s\"sensor_%u\":%u", i != 0 ? "," : "", i,
                       whole);
    if (b->len + (size_t)n > room)
      return;
    add(b, s);
  }
}

struct nova_view document_values(void) {
  struct nova_buf *b = make(SIZE);
  add(b, "{\"type\":\"data\",\"device_id\":\"DEV-123456\","
         "\"timestamp\":1651234567,\"values\":{");
  numbers(b, SIZE - 2);
  add(b, "}}");
  return nova_buf_view(b);
}

struct nova_view document_object(void) {
  struct nova_buf *b = make(SIZE);
  add(b, "{");
  numbers(b, SIZE - 1);
  add(b, "}");
  return nova_buf_view(b);
}

struct nova_view document_lines(size_t length, size_t total) {
  struct nova_buf *b = make(total);
  char *p = nova_buf_reserve(b, total);
  if (p == NULL) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
  memset(p, 'x', total);
  for (size_t i = length - 1; i < total; i += length)
    p[i] = '\n';
  nova_buf_commit(b, total);
  return nova_buf_view(b);
}

void documents_free(void) {
  while (count > 0)
    nova_buf_free(&made[--count]);
}
