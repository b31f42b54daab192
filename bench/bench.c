#include "bench.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CONTENDERS 8
#define ROUNDS     51
#define BATCH      256
#define ROUND_NS   2000000

/* Time that this program used, so that others on the machine count little. */
static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Nanoseconds for one run, from as many as fill a round. */
static double measure(const struct contender *c, struct nova_view doc) {
  void *result[BATCH];
  size_t batch = doc.n < 4096 ? BATCH : 4, runs = 0;
  uint64_t spent = 0;
  while (spent < ROUND_NS) {
    uint64_t start = now();
    for (size_t i = 0; i < batch; i++)
      result[i] = c->run(doc);
    spent += now() - start;
    runs += batch;
    for (size_t i = 0; i < batch; i++) {
      if (result[i] == NULL) {
        fprintf(stderr, "%s failed\n", c->name);
        exit(1);
      }
      if (c->drop != NULL)
        c->drop(result[i]);
    }
  }
  return (double)spent / (double)runs;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(const double *x) {
  double sorted[ROUNDS];
  memcpy(sorted, x, sizeof sorted);
  qsort(sorted, ROUNDS, sizeof *sorted, ascending);
  return sorted[ROUNDS / 2];
}

bool bench_job(const char *title, struct nova_view doc, double target,
               const struct contender *c, size_t n) {
  return bench_items(title, doc, 0, target, c, n);
}

bool bench_items(const char *title, struct nova_view doc, size_t items,
                 double target, const struct contender *c, size_t n) {
  static double ns[CONTENDERS][ROUNDS];
  for (size_t i = 0; i < n; i++)
    if (c[i].begin != NULL)
      c[i].begin();
  for (size_t i = 0; i < n; i++)
    measure(&c[i], doc); /* warms up */
  for (size_t r = 0; r < ROUNDS; r++)
    for (size_t i = 0; i < n; i++)
      ns[i][r] = measure(&c[i], doc);
  for (size_t i = 0; i < n; i++)
    if (c[i].end != NULL)
      c[i].end();

  printf("%s, %zu bytes\n", title, doc.n);
  double reached = 0;
  for (size_t i = 0; i < n; i++) {
    /* The ratio within a round is not disturbed by what else the machine did
     * from round to round. */
    double ratio[ROUNDS];
    for (size_t r = 0; r < ROUNDS; r++)
      ratio[r] = ns[i][r] / ns[0][r];
    double m = median(ns[i]);
    printf("  %-12s %11.1f ns %9.1f MB/s %8.2f x   %s", c[i].name, m,
           (double)doc.n * 1e3 / m, median(ratio), c[i].does);
    if (items != 0)
      printf("; %.0f messages/s", (double)items * 1e9 / m);
    putchar('\n');
    if (i == 1)
      reached = median(ratio);
  }
  bool good = reached >= target;
  printf("  %s against %s: %.2f, at least %.2f asked: %s\n\n", c[0].name,
         c[1].name, reached, target, good ? "reached" : "MISSED");
  return good;
}

int main(void) {
  printf("Medians of %d rounds in turns. Column 4: how many times the first "
         "one's time.\n\n",
         ROUNDS);
  bool frames = bench_frames();
  bool packets = bench_packets();
  bool parsers = bench_parsers();
  documents_free();
  return frames && packets && parsers ? 0 : 1;
}
