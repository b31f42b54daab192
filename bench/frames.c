#include "bench.h"

#include "codec/line.h"

static struct nova_line framer;
static char done;

static void framer_begin(void) {
  nova_line_init(&framer, NULL, NOVA_LINE_LIMIT);
}

static void framer_end(void) {
  nova_line_free(&framer);
}

static void *framer_run(struct nova_view doc) {
  size_t sum = 0, used;
  struct nova_line_out out;
  while (doc.n != 0) {
    if (nova_line_feed(&framer, doc.p, doc.n, &used, &out) != NOVA_LINE_FRAME)
      return NULL;
    sum += out.frame.n;
    doc.p += used;
    doc.n -= used;
  }
  return sum != 0 ? &done : NULL;
}

static void *memchr_run(struct nova_view doc) {
  size_t sum = 0;
  while (doc.n != 0) {
    const char *lf = memchr(doc.p, '\n', doc.n);
    if (lf == NULL)
      return NULL;
    size_t line = (size_t)(lf - doc.p);
    sum += line;
    doc.p += line + 1;
    doc.n -= line + 1;
  }
  return sum != 0 ? &done : NULL;
}

bool bench_frames(void) {
  static const struct contender contenders[] = {
      {"framer", "lines with offsets, limit, state across segments",
       framer_begin, framer_run, NULL, framer_end},
      {"memchr", "a bare loop that adds up the lengths", NULL, memchr_run, NULL,
       NULL},
  };
  bool a = bench_job("Lines of 121 bytes", document_lines(121, 121 * 2048), 0.5,
                     contenders, 2);
  bool b = bench_job("Lines of 128 KB",
                     document_lines(NOVA_LINE_LIMIT, NOVA_LINE_LIMIT * 8), 0.5,
                     contenders, 2);
  return a && b;
}
