/* Internal to codec/: JSON text, counted first and then written. */
#ifndef NOVA_CODEC_JSON_WRITE_H
#define NOVA_CODEC_JSON_WRITE_H

#include "base/view.h"

#include <stdint.h>

/* Writes as far as there is room and counts on: with a |cap| of 0 it only
 * counts. */
struct nova__json_writer {
  char *out;
  size_t cap, n;
};

static inline void nova__json_put(struct nova__json_writer *w, const char *p,
                                  size_t n) {
  if (n != 0 && w->n <= w->cap && n <= w->cap - w->n)
    memcpy(w->out + w->n, p, n);
  w->n += n;
}

static inline void nova__json_put_text(struct nova__json_writer *w,
                                       const char *s) {
  nova__json_put(w, s, strlen(s));
}

/* A whole number. */
void nova__json_put_number(struct nova__json_writer *w, int64_t number);

/* A string in its quotation marks, with escapes where they are needed. What is
 * no UTF-8 is U+FFFD, one for each byte. */
void nova__json_put_string(struct nova__json_writer *w, struct nova_view utf8);

#endif
