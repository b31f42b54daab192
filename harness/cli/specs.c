#include "cli/specs.h"

#include "base/error.h"
#include "cli/files.h"
#include "cli/say.h"
#include "cli/specs_embedded.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILES_MOST 2048
#define DEPTH_MOST 8
#define BYTES_MOST ((size_t)64 << 20)

struct walk {
  struct nova_specs *s;
  struct nova_spec_file *file;
  const char *root;
};

static int add(struct walk *w, const char *full, const char *below) {
  struct nova_specs *s = w->s;
  if (s->n == FILES_MOST)
    return nova_wrong("%s: more than %d files", w->root, FILES_MOST);
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_SOURCE_MOST);
  const char *why = NULL;
  if (nova_file_read(full, &text, &why) != 0) {
    nova_buf_free(&text);
    return nova_wrong("%s: %s", full, why);
  }
  struct nova_view v = nova_buf_view(&text);
  struct nova_spec_file *f = &w->file[s->n];
  f->path = nova_arena_copy(&s->arena, below, strlen(below));
  f->text = nova_arena_copy(&s->arena, v.p != NULL ? v.p : "", v.n);
  f->n = v.n;
  nova_buf_free(&text);
  if (f->path == NULL || f->text == NULL)
    return nova_broken("out of memory");
  s->n++;
  return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* The files below |w->root|/|below|, in the order of their names. */
static int gather(struct walk *w, const char *below, unsigned depth) {
  char path[NOVA_PATH_MOST];
  if (snprintf(path, sizeof path, "%s%s%s", w->root,
               below[0] != '\0' ? "/" : "", below) >= (int)sizeof path ||
      depth == DEPTH_MOST)
    return nova_wrong("%s: nested too deep", w->root);
  struct dirent **list = NULL;
  int n = scandir(path, &list, NULL, by_name);
  if (n < 0)
    return nova_wrong("%s: %s", path, strerror(errno));
  int status = 0;
  for (int i = 0; i < n; i++) {
    const char *name = list[i]->d_name;
    char rel[NOVA_PATH_MOST], full[2 * NOVA_PATH_MOST];
    struct stat st;
    snprintf(rel, sizeof rel, "%.2000s%s%.255s", below,
             below[0] != '\0' ? "/" : "", name);
    snprintf(full, sizeof full, "%s/%s", w->root, rel);
    size_t len = strlen(name);
    if (status != 0 || name[0] == '.' || stat(full, &st) != 0) {
    } else if (S_ISDIR(st.st_mode)) {
      status = gather(w, rel, depth + 1);
    } else if (len > 5 && strcmp(name + len - 5, ".yaml") == 0) {
      status = add(w, full, rel);
    }
    free(list[i]);
  }
  free(list);
  return status;
}

int nova_specs_open(struct nova_specs *s, const char *dir) {
  *s = (struct nova_specs){.file = nova__specs_embedded,
                           .n = nova__specs_embedded_n};
  nova_arena_init(&s->arena, NULL, BYTES_MOST);
  if (dir == NULL)
    return 0;
  struct walk w = {.s = s, .root = dir};
  w.file = NOVA_NEW_ARRAY(&s->arena, struct nova_spec_file, FILES_MOST);
  if (w.file == NULL)
    return nova_broken("out of memory");
  s->file = w.file;
  s->n = 0;
  snprintf(s->before, sizeof s->before, "%.4090s/", dir);
  int status = gather(&w, "", 0);
  if (status == 0 && s->n == 0)
    return nova_wrong("%s: no .yaml file there", dir);
  return status;
}

void nova_specs_free(struct nova_specs *s) {
  nova_arena_free(&s->arena);
}

int nova_specs_load(const struct nova_specs *s, struct nova_catalog *c) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  nova_catalog_init(c, NULL);
  int status = 0;
  if (nova_catalog_load(c, s->file, s->n, &diag) != 0)
    status = nova_say_diag(&diag, s->before);
  nova_diag_free(&diag);
  return status;
}
