#include "cli/loaded.h"

#include "cli/outdir.h"
#include "cli/say.h"

#include <string.h>
#include <sys/stat.h>

int nova_loaded_read(struct nova_loaded *l, const char *path) {
  nova_arena_init(&l->arena, NULL, NOVA_RESULTS_FILE_MAX);
  l->results = (struct nova_results){0};
  struct stat st;
  bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
  if (snprintf(l->path, sizeof l->path, "%s%s", path,
               folder ? "/results.json" : "") >= (int)sizeof l->path)
    return nova_wrong("the path is too long");
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_RESULTS_FILE_MAX);
  const char *why = NULL;
  struct nova_read_error error = {""};
  int status = 0;
  if (nova_file_read(l->path, &text, &why) != 0) {
    status = nova_wrong("%s: %s", l->path, why);
  } else {
    struct nova_view v = nova_buf_view(&text);
    if (nova_results_read_json(v.p != NULL ? v.p : "", v.n, &l->arena,
                               &l->results, &error) != 0)
      status = nova_wrong("%s: %s", l->path, error.text);
  }
  nova_buf_free(&text);
  return status;
}

int nova_loaded_transcripts(struct nova_loaded *l) {
  const char *slash = strrchr(l->path, '/');
  int head = slash != NULL ? (int)(slash - l->path) + 1 : 0;
  int status = 0;
  for (size_t i = 0; i < l->results.conversations && status == 0; i++) {
    char name[512], path[2 * NOVA_PATH_MOST];
    nova_outdir_transcript_name(l->results.conversation[i].id, name);
    snprintf(path, sizeof path, "%.*s%s", head, l->path, name);
    struct stat st;
    if (stat(path, &st) != 0)
      continue;
    struct nova_buf text;
    nova_buf_init(&text, NULL, NOVA_RESULTS_FILE_MAX);
    const char *why = NULL;
    struct nova_read_error error = {""};
    if (nova_file_read(path, &text, &why) != 0) {
      status = nova_wrong("%s: %s", path, why);
    } else {
      struct nova_view v = nova_buf_view(&text);
      if (nova_transcript_read_json(v.p != NULL ? v.p : "", v.n, &l->arena,
                                    &l->results, &error) != 0)
        status = nova_wrong("%s: %s", path, error.text);
    }
    nova_buf_free(&text);
  }
  return status;
}

void nova_loaded_free(struct nova_loaded *l) {
  nova_arena_free(&l->arena);
}
