/* Where text goes: the caller's function, so that nothing here knows a file and
 * a large result never stands in memory as a whole. */
#ifndef NOVA_REPORT_SINK_H
#define NOVA_REPORT_SINK_H

#include "base/buf.h"

/* |write| takes all |n| bytes (1 or more) or returns an error, 0 for success.
 * After an error it is not called again by the function that got it, which
 * returns that error. */
struct nova_sink {
  int (*write)(void *user, const char *p, size_t n);
  void *user;
};

/* A sink that appends to |b|; its errors are nova_buf_append()'s. */
static inline int nova_sink_buf_write(void *user, const char *p, size_t n) {
  return nova_buf_append((struct nova_buf *)user, p, n);
}

static inline struct nova_sink nova_sink_buf(struct nova_buf *b) {
  return (struct nova_sink){nova_sink_buf_write, b};
}

#endif
