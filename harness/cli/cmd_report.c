#include "cli/commands.h"
#include "cli/loaded.h"
#include "cli/screen.h"
#include "cli/setup.h"

#include "report/compare.h"
#include "report/html.h"
#include "report/junit.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum format { TEXT, JSON, JUNIT, HTML };

struct report {
  const struct nova_options *o;
  struct nova_loaded *loaded;
  size_t n;
  struct nova_arena arena;
  struct nova_results merged;
  const struct nova_results *results;
  struct nova_screen screen;
};

static int render(const struct report *p, enum format f,
                  const struct nova_sink *sink) {
  switch (f) {
  case JSON: return nova_results_write_json(p->results, NULL, NULL, sink);
  case JUNIT:
    return nova_junit_write(p->results, NULL, p->screen.t.lang, NULL, sink);
  case HTML:
    return nova_html_write(p->results, NULL, p->screen.t.lang, NULL, sink);
  case TEXT: break;
  }
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_TERMINAL_SUMMARY);
  int err = nova_terminal_summary(&p->screen.t, p->results, NULL, &text);
  if (err == 0)
    err = sink->write(sink->user, text.data + text.head, text.len);
  nova_buf_free(&text);
  return err;
}

static int write_out(void *user, const char *p, size_t n) {
  (void)user;
  return nova_put(p, n) == 0 ? 0 : NOVA_ERR_STATE;
}

/* To a file, or where it is NULL or "-" to standard output. */
static int save(const struct report *p, enum format f, const char *path) {
  if (path == NULL || strcmp(path, "-") == 0) {
    struct nova_sink sink = {write_out, NULL};
    return render(p, f, &sink) == 0 ? 0 : NOVA_EXIT_BROKEN;
  }
  struct nova_writer w;
  if (nova_writer_open(&w, path) != 0)
    return nova_wrong("%s: %s", path, strerror(w.error));
  struct nova_sink sink = nova_writer_sink(&w);
  int err = render(p, f, &sink);
  if (nova_writer_close(&w, err == 0) == 0 && err == 0)
    return 0;
  return nova_broken("%s: %s", path,
                     w.error != 0 ? strerror(w.error) : "out of memory");
}

static int compare(struct report *p) {
  if (p->n != 2)
    return nova_wrong("--compare takes two results: from which one, to which");
  const struct nova_results *a = &p->loaded[0].results,
                            *b = &p->loaded[1].results;
  struct nova_comparison c;
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_TERMINAL_SUMMARY);
  int status = 0;
  if (nova_results_compare(a, b, &p->arena, &c) != 0 ||
      nova_comparison_put(&p->screen.t, &c, p->loaded[0].path,
                          p->loaded[1].path, &text) != 0)
    status = nova_broken("out of memory");
  const char *path = nova_options_last(p->o, NOVA_OPT_OUTPUT);
  if (status == 0 && path != NULL && strcmp(path, "-") != 0) {
    int error = nova_file_write(path, text.data + text.head, text.len);
    if (error != 0)
      status = nova_wrong("%s: %s", path, strerror(error));
  } else if (status == 0) {
    status = nova_put(text.data + text.head, text.len);
  }
  nova_buf_free(&text);
  if (status == 0 && c.worse != 0)
    status = NOVA_EXIT_FAILED;
  return status;
}

static int merge(struct report *p) {
  p->results = &p->loaded[0].results;
  if (p->n == 1)
    return 0;
  const struct nova_results **in =
      NOVA_NEW_ARRAY(&p->arena, const struct nova_results *, p->n);
  for (size_t i = 0; in != NULL && i < p->n; i++)
    in[i] = &p->loaded[i].results;
  int err = in != NULL ? nova_results_merge(in, p->n, &p->arena, &p->merged)
                       : NOVA_ERR_NO_MEMORY;
  p->results = &p->merged;
  if (err == NOVA_ERR_ARGUMENT)
    return nova_wrong("results of a server and of a device make no one result");
  return err == 0 ? 0 : nova_broken("out of memory");
}

static int write_all(const struct report *p) {
  const char *junit = nova_options_last(p->o, NOVA_OPT_JUNIT);
  const char *html = nova_options_last(p->o, NOVA_OPT_HTML);
  const char *format = nova_options_last(p->o, NOVA_OPT_FORMAT);
  const char *path = nova_options_last(p->o, NOVA_OPT_OUTPUT);
  static const char *const names[] = {"text", "json", "junit", "html"};
  unsigned f = TEXT;
  while (format != NULL && f < 4 && strcmp(format, names[f]) != 0)
    f++;
  if (f == 4)
    return nova_wrong("--format %s: expected junit, html, text or json",
                      format);
  int status = 0;
  if (junit != NULL)
    status = save(p, JUNIT, junit);
  if (status == 0 && html != NULL)
    status = save(p, HTML, html);
  if (status == 0 &&
      (format != NULL || path != NULL || (junit == NULL && html == NULL)))
    status = save(p, (enum format)f, path);
  return status;
}

int nova_cmd_report(const struct nova_options *o) {
  struct report p = {.o = o};
  nova_arena_init(&p.arena, NULL, NOVA_RESULTS_FILE_MAX);
  nova_screen_init(&p.screen, o, nova_setup_lang(o), NULL);
  p.loaded = nova_arena_alloc(&p.arena, sizeof *p.loaded * (o->args + 1));
  int status =
      p.loaded != NULL ? nova_setup_choices(o) : nova_broken("out of memory");
  while (status == 0 && p.n < o->args) {
    status = nova_loaded_read(&p.loaded[p.n], o->arg[p.n]);
    p.n++;
  }
  if (status == 0 && o->opt[NOVA_OPT_COMPARE].n != 0) {
    status = compare(&p);
  } else if (status == 0) {
    status = merge(&p);
    if (status == 0)
      status = write_all(&p);
  }
  for (size_t i = 0; i < p.n; i++)
    nova_loaded_free(&p.loaded[i]);
  nova_arena_free(&p.arena);
  return status;
}
