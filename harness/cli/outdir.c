#include "cli/outdir.h"

#include "base/error.h"
#include "cli/say.h"
#include "report/results_json.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOME "reports"

void nova_outdir_path(const struct nova_outdir *d, const char *name,
                      char out[NOVA_PATH_MOST]) {
  snprintf(out, NOVA_PATH_MOST, "%.*s/%s", NOVA_PATH_MOST - 600, d->path, name);
}

/* A new folder whose name tells when and what. */
static int open_default(struct nova_outdir *d, const char *subject,
                        uint64_t unix_s) {
  time_t t = (time_t)unix_s;
  struct tm tm;
  char when[32];
  if (gmtime_r(&t, &tm) == NULL ||
      strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm) == 0)
    snprintf(when, sizeof when, "undated");
  if (nova_folder_make(HOME) != 0)
    return nova_wrong("%s: %s (--out DIR names another folder)", HOME,
                      strerror(errno));
  for (unsigned i = 1; i <= 1000; i++) {
    if (i == 1)
      snprintf(d->path, sizeof d->path, HOME "/%s-%s", when, subject);
    else
      snprintf(d->path, sizeof d->path, HOME "/%s-%s-%u", when, subject, i);
    if (mkdir(d->path, 0777) == 0) {
      d->linked = true;
      return 0;
    }
    if (errno != EEXIST)
      break;
  }
  return nova_wrong("%s: %s (--out DIR names another folder)", d->path,
                    strerror(errno));
}

/* Files of an earlier run would pass for this one's if it is killed. */
static void sweep(const struct nova_outdir *d) {
  static const char *const ours[] = {"run.json", "results.json", "junit.xml",
                                     "report.html", "subject.log"};
  char path[NOVA_PATH_MOST];
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
    nova_outdir_path(d, ours[i], path);
    unlink(path);
  }
  nova_outdir_path(d, "transcripts", path);
  DIR *dir = opendir(path);
  if (dir == NULL)
    return;
  struct dirent *e;
  while ((e = readdir(dir)) != NULL) {
    size_t n = strlen(e->d_name);
    if (n > 5 && strcmp(e->d_name + n - 5, ".json") == 0)
      unlinkat(dirfd(dir), e->d_name, 0);
  }
  closedir(dir);
}

/* What a program that was killed had begun to write: "NAME.part.PID". */
static void sweep_parts(const char *path) {
  DIR *dir = opendir(path);
  struct dirent *e;
  while (dir != NULL && (e = readdir(dir)) != NULL) {
    const char *part = strstr(e->d_name, ".json.part.");
    if (part != NULL && strspn(part + 11, "0123456789") == strlen(part + 11))
      unlinkat(dirfd(dir), e->d_name, 0);
  }
  if (dir != NULL)
    closedir(dir);
}

/* Makes DIR/transcripts and tries that both can be written. */
static int make(const struct nova_outdir *d) {
  char path[NOVA_PATH_MOST];
  nova_outdir_path(d, "transcripts", path);
  if (nova_folder_make(path) != 0)
    return nova_wrong("%s: %s", path, strerror(errno));
  static const char *const probes[] = {"results.json.try",
                                       "transcripts/try.json.try"};
  for (size_t i = 0; i < 2; i++) {
    nova_outdir_path(d, probes[i], path);
    int error = nova_file_write(path, "", 0);
    if (error != 0)
      return nova_wrong("%s cannot be written: %s", d->path, strerror(error));
    unlink(path);
  }
  return 0;
}

int nova_outdir_again(struct nova_outdir *d, const char *dir) {
  d->linked = false;
  if (strlen(dir) >= sizeof d->path - 600)
    return nova_wrong("--resume: the path is too long");
  memcpy(d->path, dir, strlen(dir) + 1);
  int status = make(d);
  if (status != 0)
    return status;
  char path[NOVA_PATH_MOST];
  sweep_parts(d->path);
  nova_outdir_path(d, "transcripts", path);
  sweep_parts(path);
  return 0;
}

int nova_outdir_open(struct nova_outdir *d, const char *dir,
                     const char *subject, uint64_t unix_s) {
  d->linked = false;
  if (dir == NULL) {
    int status = open_default(d, subject, unix_s);
    if (status != 0)
      return status;
  } else if (*dir == '\0') {
    return nova_wrong("--out: the folder's name is empty");
  } else if (strlen(dir) >= sizeof d->path - 600) {
    return nova_wrong("--out: the path is too long");
  } else {
    memcpy(d->path, dir, strlen(dir) + 1);
  }
  int status = make(d);
  if (status == 0)
    sweep(d);
  return status;
}

void nova_outdir_link(const struct nova_outdir *d) {
  if (!d->linked)
    return;
  const char *name = strrchr(d->path, '/') + 1;
  unlink(HOME "/latest.part");
  if (symlink(name, HOME "/latest.part") == 0 &&
      rename(HOME "/latest.part", HOME "/latest") != 0)
    unlink(HOME "/latest.part");
}

void nova_outdir_transcript_name(const char *id, char out[512]) {
  snprintf(out, 512, "transcripts/%.400s.json", id);
  /* An id of ours is a name; one from a file that was read is anything. */
  for (char *c = out + sizeof "transcripts/" - 1; *c != '\0'; c++)
    if ((unsigned char)*c <= ' ' || *c == '/' || *c == 0x7f)
      *c = '_';
}

int nova_outdir_write(const struct nova_outdir *d, const char *name,
                      int (*fn)(const struct nova_sink *sink, void *user),
                      void *user) {
  char path[NOVA_PATH_MOST];
  nova_outdir_path(d, name, path);
  struct nova_writer w;
  if (nova_writer_open(&w, path) != 0)
    return w.error;
  struct nova_sink sink = nova_writer_sink(&w);
  int err = fn(&sink, user);
  if (nova_writer_close(&w, err == 0) == 0 && err == 0)
    return 0;
  return w.error != 0 ? w.error : ENOMEM;
}

struct one {
  const struct nova_results *r;
  size_t index;
  const struct nova_mask *m;
};

static int write_one(const struct nova_sink *sink, void *user) {
  const struct one *o = user;
  return nova_transcript_write_json(o->r, o->index, o->m, NULL, sink);
}

int nova_outdir_transcript(const struct nova_outdir *d,
                           const struct nova_results *r, size_t index,
                           const struct nova_mask *m) {
  char name[512];
  nova_outdir_transcript_name(r->conversation[index].id, name);
  struct one o = {r, index, m};
  return nova_outdir_write(d, name, write_one, &o);
}
