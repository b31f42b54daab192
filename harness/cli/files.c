#include "cli/files.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, struct nova_buf *out, const char **why) {
  char piece[65536];
  for (;;) {
    ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      *why = strerror(errno);
      return NOVA_ERR_STATE;
    }
    if (n == 0)
      return 0;
    int err = nova_buf_append(out, piece, (size_t)n);
    if (err != 0) {
      *why = err == NOVA_ERR_LIMIT ? "the file is too large" : "out of memory";
      return err;
    }
  }
}

int nova_file_read(const char *path, struct nova_buf *out, const char **why) {
  if (strcmp(path, "-") == 0)
    return read_all(STDIN_FILENO, out, why);
  /* A FIFO without a writer must not keep us waiting. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) {
    *why = strerror(errno);
    if (fd >= 0)
      close(fd);
    return NOVA_ERR_STATE;
  }
  int err = NOVA_ERR_STATE;
  if (S_ISDIR(st.st_mode))
    *why = "it is a folder";
  else
    err = read_all(fd, out, why);
  close(fd);
  return err;
}

int nova_folder_make(const char *path) {
  char head[NOVA_PATH_MOST];
  size_t n = strlen(path);
  if (n == 0 || n >= sizeof head) {
    errno = n == 0 ? ENOENT : ENAMETOOLONG;
    return -1;
  }
  memcpy(head, path, n + 1);
  for (size_t i = 1; i <= n; i++) {
    if (head[i] != '/' && head[i] != '\0')
      continue;
    char c = head[i];
    head[i] = '\0';
    if (mkdir(head, 0777) != 0 && errno != EEXIST && errno != EISDIR)
      return -1;
    head[i] = c;
  }
  struct stat st;
  if (stat(path, &st) != 0)
    return -1;
  if (!S_ISDIR(st.st_mode)) {
    errno = ENOTDIR;
    return -1;
  }
  return 0;
}

static int fail(struct nova_writer *w, int error) {
  if (w->error == 0)
    w->error = error;
  return -1;
}

int nova_writer_open(struct nova_writer *w, const char *path) {
  w->file = NULL;
  w->error = 0;
  if (strlen(path) >= sizeof w->path)
    return fail(w, ENAMETOOLONG);
  memcpy(w->path, path, strlen(path) + 1);
  snprintf(w->temporary, sizeof w->temporary, "%s.part.%ld", path,
           (long)getpid());
  int fd = open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0)
    return fail(w, errno);
  w->file = fdopen(fd, "w");
  if (w->file == NULL) {
    int error = errno;
    close(fd);
    unlink(w->temporary);
    return fail(w, error);
  }
  return 0;
}

static int write_some(void *user, const char *p, size_t n) {
  struct nova_writer *w = user;
  if (fwrite(p, 1, n, w->file) == n)
    return 0;
  fail(w, errno != 0 ? errno : EIO);
  return NOVA_ERR_STATE;
}

struct nova_sink nova_writer_sink(struct nova_writer *w) {
  return (struct nova_sink){write_some, w};
}

int nova_writer_close(struct nova_writer *w, bool keep) {
  if (w->file == NULL)
    return -1;
  if (fclose(w->file) != 0)
    fail(w, errno);
  w->file = NULL;
  if (keep && w->error == 0 && rename(w->temporary, w->path) == 0)
    return 0;
  if (keep && w->error == 0)
    fail(w, errno);
  unlink(w->temporary);
  return keep ? -1 : 0;
}

int nova_file_write(const char *path, const char *p, size_t n) {
  struct nova_writer w;
  if (nova_writer_open(&w, path) != 0)
    return w.error;
  struct nova_sink sink = nova_writer_sink(&w);
  bool good = n == 0 || sink.write(sink.user, p, n) == 0;
  return nova_writer_close(&w, good) == 0 && good ? 0 : w.error;
}
