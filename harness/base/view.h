/* A view: bytes that somebody else owns. Not NUL-terminated. */
#ifndef NOVA_BASE_VIEW_H
#define NOVA_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes p[0] to p[n - 1]; p may be NULL when n is 0. Valid as long as the
 * owner keeps the bytes, which the function that hands a view out states. */
struct nova_view {
  const char *p;
  size_t n;
};

/* The view of a NUL-terminated string; NULL gives the empty view. */
static inline struct nova_view nova_view_of(const char *s) {
  struct nova_view v = {s, s != NULL ? strlen(s) : 0};
  return v;
}

static inline bool nova_view_eq(struct nova_view a, struct nova_view b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool nova_view_is(struct nova_view a, const char *s) {
  return nova_view_eq(a, nova_view_of(s));
}

#ifdef __cplusplus
}
#endif

#endif
