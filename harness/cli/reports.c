#include "cli/reports.h"

#include "report/html.h"
#include "report/junit.h"
#include "report/results_json.h"

struct job {
  const struct nova_results *r;
  const struct nova_mask *m;
  enum nova_lang lang;
};

static int results(const struct nova_sink *sink, void *user) {
  const struct job *j = user;
  return nova_results_write_json(j->r, j->m, NULL, sink);
}

static int junit(const struct nova_sink *sink, void *user) {
  const struct job *j = user;
  return nova_junit_write(j->r, j->m, j->lang, NULL, sink);
}

static int html(const struct nova_sink *sink, void *user) {
  const struct job *j = user;
  return nova_html_write(j->r, j->m, j->lang, NULL, sink);
}

int nova_reports_write(const struct nova_outdir *d,
                       const struct nova_results *r, const struct nova_mask *m,
                       enum nova_lang lang, const char **what) {
  static const struct {
    const char *name;
    int (*fn)(const struct nova_sink *sink, void *user);
  } all[] = {
      {"results.json", results}, {"junit.xml", junit}, {"report.html", html}};
  struct job j = {r, m, lang};
  int first = 0;
  /* Once more: a key that was learned late is masked early, too. */
  for (size_t i = 0; i < r->conversations; i++) {
    if (r->conversation[i].transcript.n == 0 || r->conversation[i].kept)
      continue;
    int error = nova_outdir_transcript(d, r, i, m);
    if (error != 0 && first == 0) {
      first = error;
      *what = "transcripts";
    }
  }
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    int error = nova_outdir_write(d, all[i].name, all[i].fn, &j);
    if (error != 0 && first == 0) {
      first = error;
      *what = all[i].name;
    }
  }
  return first;
}
