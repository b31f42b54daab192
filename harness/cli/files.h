/* Files: read whole, written so that one is there whole or not at all. */
#ifndef NOVA_CLI_FILES_H
#define NOVA_CLI_FILES_H

#include "report/sink.h"

#include <stdbool.h>
#include <stdio.h>

#define NOVA_PATH_MOST 4096

/* The most of a file that people write. */
#define NOVA_SOURCE_MOST ((size_t)1 << 20)

/* Reads |path|, or standard input where it is "-", into |out|, whose maximum
 * bounds it.
 * Returns 0, or an error of error.def with |why|: a reason for a person, static
 * or valid until the next call. */
int nova_file_read(const char *path, struct nova_buf *out, const char **why);

/* Makes a folder and those above it. 0, or -1 with errno. */
int nova_folder_make(const char *path);

/* A file being written under a temporary name beside its own. */
struct nova_writer {
  char path[NOVA_PATH_MOST], temporary[NOVA_PATH_MOST + 32];
  FILE *file;
  int error; /* errno of what failed first */
};

/* Opens it. 0, or -1 with w->error. */
int nova_writer_open(struct nova_writer *w, const char *path);

/* Where its bytes go; the errors of the sink are NOVA_ERR_STATE. */
struct nova_sink nova_writer_sink(struct nova_writer *w);

/* Ends it: |keep| gives it its name, replacing what had it; otherwise, and
 * where anything failed, it is removed. 0, or -1 with w->error. */
int nova_writer_close(struct nova_writer *w, bool keep);

/* |n| bytes to |path|, in one go. 0, or the errno. */
int nova_file_write(const char *path, const char *p, size_t n);

#endif
