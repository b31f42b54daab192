#include "codec/line.h"

int nova_line_init(struct nova_line *l, const struct nova_mem *mem,
                   size_t limit) {
  *l = (struct nova_line){.limit = limit};
  nova_buf_init(&l->held, mem, limit);
  return limit >= 1 && limit <= SIZE_MAX / 4 ? 0 : NOVA_ERR_ARGUMENT;
}

void nova_line_free(struct nova_line *l) {
  nova_buf_free(&l->held);
}

/* The present line ends: its length is |length|. The next one begins behind its
 * line feed. */
static void end_line(struct nova_line *l, uint64_t length,
                     struct nova_line_out *out) {
  out->length = length;
  out->offset = l->offset;
  l->offset += length + 1;
  l->pending = 0;
}

/* A segment that holds no line feed, or ends a line that began before it.
 * |line|: the bytes up to the line feed or the end of the segment. */
static __attribute__((noinline)) int collect(struct nova_line *l, const char *p,
                                             size_t line, bool ends,
                                             size_t *used,
                                             struct nova_line_out *out) {
  *used = 0;
  if (l->handed_out) {
    nova_buf_clear(&l->held);
    l->handed_out = false;
  }
  uint64_t length = l->pending + line;
  if (length > l->limit) {
    /* The beginning is of no use any more: the line is only counted. */
    nova_buf_clear(&l->held);
    l->pending = length;
  } else if (!ends || l->pending != 0) {
    if (nova_buf_append(&l->held, p, line) != 0)
      return NOVA_ERR_NO_MEMORY;
    l->pending = length;
  }
  if (!ends) {
    *used = line;
    return NOVA_LINE_MORE;
  }
  *used = line + 1;
  if (length > l->limit) {
    end_line(l, length, out);
    return NOVA_LINE_OVERSIZED;
  }
  if (l->pending != 0) {
    out->frame = nova_buf_view(&l->held);
    l->handed_out = true;
  } else {
    out->frame = (struct nova_view){p, line};
  }
  end_line(l, length, out);
  return NOVA_LINE_FRAME;
}

int nova_line_feed(struct nova_line *l, const char *p, size_t n, size_t *used,
                   struct nova_line_out *out) {
  const char *lf = n != 0 ? memchr(p, '\n', n) : NULL;
  size_t line = lf != NULL ? (size_t)(lf - p) : n;
  if (lf == NULL || (l->pending | l->handed_out) != 0 || line > l->limit)
    return collect(l, p, line, lf != NULL, used, out);
  /* The usual case is kept short: a line within the segment, nothing held. */
  *used = line + 1;
  out->frame = (struct nova_view){p, line};
  out->length = line;
  out->offset = l->offset;
  l->offset += line + 1;
  return NOVA_LINE_FRAME;
}

uint64_t nova_line_pending(const struct nova_line *l) {
  return l->pending;
}

struct nova_view nova_line_held(const struct nova_line *l) {
  if (l->handed_out)
    return (struct nova_view){NULL, 0};
  return nova_buf_view(&l->held);
}
