/* The benchmark: contenders that do a comparable job on the same bytes, timed
 * in turns within one process. */
#ifndef NOVA_BENCH_BENCH_H
#define NOVA_BENCH_BENCH_H

#include "base/view.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One way to do a job. */
struct contender {
  const char *name;
  const char *does; /* what it does and what it leaves out */
  void (*begin)(void);
  /* The timed work; its result is dropped outside the measured time. */
  void *(*run)(struct nova_view doc);
  void (*drop)(void *result); /* NULL: nothing to drop */
  void (*end)(void);
};

/* One row of the table per contender. The first one is ours, the second one is
 * what it is measured against. |target|: the least ratio of their speeds that
 * is asked for. Returns whether it is reached. */
bool bench_job(const char *title, struct nova_view doc, double target,
               const struct contender *c, size_t n);

/* The same for a document of |items| messages, whose rate is printed too. */
bool bench_items(const char *title, struct nova_view doc, size_t items,
                 double target, const struct contender *c, size_t n);

/* Jobs. */
bool bench_frames(void);
bool bench_packets(void);
bool bench_parsers(void);

/* Documents, made up once and kept until the end. */
struct nova_view document_guide(void);  /* the guide's data message */
struct nova_view document_values(void); /* 128 KB, numbers within "values" */
struct nova_view document_object(void); /* 128 KB, a plain object of numbers */
struct nova_view document_lines(size_t length, size_t total);
void documents_free(void);

/* jsonc.c */
void jsonc_begin(void);
void *jsonc_run(struct nova_view doc);
void jsonc_drop(void *result);
void jsonc_end(void);

/* simd.cpp */
void simd_begin(void);
void *simd_run(struct nova_view doc);
void simd_end(void);

#ifdef __cplusplus
}
#endif

#endif
