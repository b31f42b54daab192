#include "cli/commands.h"
#include "cli/loaded.h"
#include "cli/reports.h"
#include "cli/screen.h"
#include "cli/setup.h"

#include "report/compare.h"
#include "run/replay.h"
#include "verdict/verdict.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct judge {
  const struct nova_options *o;
  struct nova_loaded l;
  struct nova_specs specs;
  struct nova_catalog catalog;
  struct nova_expect expect;
  bool expecting;
  struct nova_replay *replay;
  struct nova_screen screen;
};

/* The known failures of the run, or those of --expect. */
static int expectations(struct judge *j) {
  const char *file = nova_options_last(j->o, NOVA_OPT_EXPECT);
  if (file == NULL)
    file = j->l.results.profile->expect;
  if (file == NULL)
    return 0;
  return nova_setup_expect(&j->expect, &j->l.arena, &j->catalog, file,
                           &j->expecting);
}

/* What came out otherwise than it stands in the file. */
static int differences(struct judge *j, const struct nova_results *before) {
  struct nova_comparison c;
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_TERMINAL_SUMMARY);
  int err = nova_results_compare(before, &j->l.results, &j->l.arena, &c);
  if (err == 0)
    err = nova_comparison_put(&j->screen.t, &c, j->l.path, "the rules of today",
                              &text);
  if (err == 0 && c.n != 0)
    nova_screen_print(&j->screen, text.data + text.head, text.len);
  else if (err == 0)
    nova_screen_line(&j->screen, "No verdict changed.");
  nova_buf_free(&text);
  return err == 0 ? 0 : nova_broken("out of memory");
}

static int write_reports(struct judge *j) {
  const char *dir = nova_options_last(j->o, NOVA_OPT_OUT), *what = NULL;
  if (dir == NULL)
    return 0;
  struct nova_outdir out;
  int status = nova_outdir_open(&out, dir, "judge", (uint64_t)time(NULL));
  if (status != 0)
    return status;
  int error =
      nova_reports_write(&out, &j->l.results, NULL, j->screen.t.lang, &what);
  return error == 0 ? 0
                    : nova_broken("%s/%s could not be written: %s", dir, what,
                                  strerror(error));
}

static int judge(struct judge *j) {
  struct nova_results *r = &j->l.results, before = *r;
  before.conversation = NOVA_NEW_ARRAY(
      &j->l.arena, struct nova_conversation_result, r->conversations + 1);
  struct nova_replay_counts n;
  if (before.conversation == NULL)
    return nova_broken("out of memory");
  if (r->conversations != 0)
    memcpy(before.conversation, r->conversation,
           r->conversations * sizeof *r->conversation);
  j->replay = nova_replay_run(NULL, &j->catalog, r, &n);
  if (j->replay == NULL ||
      nova_verdict_judge(r, &j->catalog, j->expecting ? &j->expect : NULL) != 0)
    return nova_broken("out of memory");
  r->tool_version = NOVA_VERSION;
  nova_screen_line(&j->screen,
                   "%zu conversations judged again, %zu by the rules alone, of "
                   "%zu the recorded verdict stands",
                   n.replayed, n.partly, n.stand);
  int status = differences(j, &before);
  if (status == 0)
    status = write_reports(j);
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_TERMINAL_SUMMARY);
  if (status == 0 &&
      nova_terminal_summary(&j->screen.t, r,
                            nova_options_last(j->o, NOVA_OPT_OUT), &text) == 0)
    nova_screen_print(&j->screen, text.data + text.head, text.len);
  nova_buf_free(&text);
  return status != 0 ? status
                     : nova_verdict_exit(
                           r, j->o->opt[NOVA_OPT_ALLOW_INCOMPLETE].n != 0);
}

int nova_cmd_judge(const struct nova_options *o) {
  struct judge *j = calloc(1, sizeof *j);
  if (j == NULL)
    return nova_broken("out of memory");
  j->o = o;
  nova_screen_init(&j->screen, o, nova_setup_lang(o), NULL);
  int status = nova_setup_choices(o);
  if (status == 0)
    status = nova_loaded_read(&j->l, o->arg[0]);
  if (status == 0)
    status = nova_loaded_transcripts(&j->l);
  if (status == 0 && j->l.results.profile == NULL)
    status = nova_wrong("%s: it has no profile, by which to judge", j->l.path);
  if (status == 0)
    status = nova_specs_open(&j->specs, nova_options_last(o, NOVA_OPT_SPECS));
  if (status == 0)
    status = nova_specs_load(&j->specs, &j->catalog);
  if (status == 0)
    status = expectations(j);
  if (status == 0)
    status = judge(j);
  nova_replay_free(j->replay);
  nova_catalog_free(&j->catalog);
  nova_specs_free(&j->specs);
  nova_loaded_free(&j->l);
  free(j);
  return status;
}
