#include "cli/session.h"

#include "cli/reports.h"
#include "cli/say.h"
#include "net/library.h"
#include "report/finding.h"
#include "verdict/verdict.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ACTIVE_MOST 64

/* --- the live line -----------------------------------------------------------
 */

static void draw(struct nova_session *s) {
  if (s->run == NULL || nova_run_over(s->run))
    return;
  const struct nova_script *active[ACTIVE_MOST];
  const char *name[ACTIVE_MOST];
  nova_ts left = NOVA_TS_NONE;
  size_t n = nova_run_active(s->run, active, ACTIVE_MOST, &left);
  for (size_t i = 0; i < n && i < ACTIVE_MOST; i++)
    name[i] = active[i]->id;
  nova_ts now = s->clock->ops->now(s->clock);
  nova_operator_look(&s->by_hand, s->run, &s->screen, s->planned, now);
  struct nova_live l = {.running = name,
                        .n = n < ACTIVE_MOST ? n : ACTIVE_MOST,
                        .done = s->ended - s->by_hand.never,
                        .total = s->planned - s->by_hand.never,
                        .left = left,
                        .wait = s->by_hand.live,
                        .waits = s->by_hand.n};
  nova_screen_live(&s->screen, &l, now);
}

static void tick(void *user, nova_ts now) {
  struct nova_session *s = user;
  draw(s);
  s->clock->ops->wake_at(s->clock, now + NOVA_SCREEN_EVERY);
}

static void nothing(void *user, const struct nova_event *e) {
  (void)user;
  (void)e;
}

/* --- news of the run ---------------------------------------------------------
 */

static void note_error(struct nova_session *s, const char *what, int error) {
  if (error == 0 || s->write_error != 0)
    return;
  s->write_error = error;
  snprintf(s->write_what, sizeof s->write_what, "%s", what);
}

/* A conversation is on disk as soon as it has ended: what kills the program
 * later does not take it away. */
static void keep(struct nova_session *s,
                 const struct nova_conversation_result *c) {
  struct nova_conversation_result copy = *c;
  copy.started += s->resume.spent;
  struct nova_results r = {.subject = s->setup->profile.subject,
                           .tool_version = NOVA_VERSION,
                           .name = s->setup->profile.name,
                           .seed = s->setup->seed,
                           .started_unix_ns = s->started_unix_ns,
                           .profile = &s->setup->profile,
                           .conversation = &copy,
                           .conversations = 1};
  if (nova_mask_results(&s->mask, &r) != 0) {
    note_error(s, c->id, ENOMEM);
    return;
  }
  if (c->transcript.n != 0) {
    char name[512];
    nova_outdir_transcript_name(c->id, name);
    note_error(s, name, nova_outdir_transcript(&s->out, &r, 0, &s->mask));
  }
}

/* How much of the run is done already. */
static void say_resumed(struct nova_session *s) {
  if (!s->resumed || s->resume_told)
    return;
  s->resume_told = true;
  nova_screen_line(&s->screen, "resumed: %zu of %zu were judged before",
                   s->kept, s->planned);
}

/* A device that ends before it connects is most often started in a wrong way:
 * what it printed is told, once. */
static void say_printed(struct nova_session *s,
                        const struct nova_conversation_result *c) {
  const struct nova_transcript *t = &c->transcript;
  if (s->printed_told || c->verdict != NOVA_VERDICT_NOT_TESTED || t->n == 0 ||
      t->entry[t->n - 1].kind != NOVA_ENTRY_EXITED)
    return;
  struct nova_check check = {.entry = t->n - 1};
  struct nova_finding f = {.check = &check, .in = c};
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_TERMINAL_LINE);
  if (nova_finding_event(&f, &s->mask, s->setup->lang, &text) == 0)
    nova_screen_line(&s->screen, "           %s", nova_buf_cstr(&text));
  nova_buf_free(&text);
  s->printed_told = true;
}

static void on_news(void *user, const struct nova_run_news *n) {
  struct nova_session *s = user;
  struct nova_buf text;
  if (n->kind != NOVA_RUN_PLANNED && n->kind != NOVA_RUN_KEPT)
    say_resumed(s);
  nova_operator_news(&s->by_hand, n);
  switch (n->kind) {
  case NOVA_RUN_PLANNED: s->planned = n->count; return;
  case NOVA_RUN_KEPT:
    s->ended++;
    s->kept++;
    return;
  case NOVA_RUN_STARTED:
    if (s->screen.t.verbosity > 0)
      nova_screen_line(&s->screen, "start              %s", n->script->id);
    return;
  case NOVA_RUN_POSTPONED: return;
  case NOVA_RUN_AGAIN:
    nova_screen_line(&s->screen, "again              %s: %s", n->script->id,
                     n->reason);
    return;
  case NOVA_RUN_ENDED:
    s->ended++;
    keep(s, n->result);
    nova_buf_init(&text, NULL, NOVA_TERMINAL_LINE);
    if (nova_terminal_conversation(&s->screen.t, n->result, &text) == 0 &&
        text.len != 0)
      nova_screen_print(&s->screen, text.data + text.head, text.len);
    nova_buf_free(&text);
    say_printed(s, n->result);
    return;
  case NOVA_RUN_OVER:
    /* Where all was judged before, it is over before the loop begins. */
    if (s->looping)
      nova_loop_stop(s->loop);
    return;
  }
}

static nova_ts timing_error(void *user) {
  struct nova_session *s = user;
  return nova_loop_lag(s->loop).recent;
}

/* --- signals -----------------------------------------------------------------
 */

static void on_signal(void *user, int number) {
  struct nova_session *s = user;
  if (s->signal != 0) {
    /* The second one: at once. A subject that was spawned goes with us. */
    nova_screen_clear(&s->screen);
    if (s->on_signal != NULL)
      s->on_signal(s);
    _exit(128 + number);
  }
  s->signal = number;
  nova_screen_clear(&s->screen);
  nova_say("interrupted; writing the reports of what was done so far");
  if (s->run != NULL)
    nova_run_interrupt(s->run, "the run was interrupted");
  nova_loop_stop(s->loop);
}

/* --- the whole
 * ---------------------------------------------------------------- */

/* A new folder, or that of the run that is taken up again. */
static int open_folder(struct nova_session *s, const char *name) {
  const struct nova_options *o = s->setup->o;
  const char *again = nova_options_last(o, NOVA_OPT_RESUME);
  const char *dir = s->setup->out != NULL ? s->setup->out
                                          : nova_options_last(o, NOVA_OPT_OUT);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  s->started_unix_ns = (uint64_t)now.tv_sec * NOVA_SEC + (uint64_t)now.tv_nsec;
  if (again == NULL)
    return nova_outdir_open(&s->out, dir, name, (uint64_t)now.tv_sec);
  if (dir != NULL)
    return nova_wrong("--resume goes on in its own folder: leave --out away");
  s->resumed = true;
  int status = nova_resume_read(&s->resume, s->setup, again);
  if (status == 0)
    status = nova_outdir_again(&s->out, again);
  if (status == 0)
    s->started_unix_ns = s->resume.run.started_unix_ns;
  return status;
}

int nova_session_open(struct nova_session *s, struct nova_setup *setup,
                      const char *name) {
  *s = (struct nova_session){.setup = setup};
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    s->hook[h] = (const char *const *)setup->hook[h];
  nova_mask_init(&s->mask, NULL);
  nova_screen_init(&s->screen, setup->o, setup->lang, &s->mask);
  int status = open_folder(s, name);
  if (status != 0)
    return status;
  s->loop = nova_loop_new(NULL);
  if (s->loop == NULL || (s->clock = nova_loop_attach(s->loop)) == NULL ||
      nova_mask_profile(&s->mask, &setup->profile) != 0 ||
      nova_loop_on_signal(s->loop, on_signal, s) != 0)
    return nova_broken("no memory or file descriptors for the event loop");
  s->clock->handler =
      (struct nova_handler){.event = nothing, .expire = tick, .user = s};
  if (s->resumed)
    return 0;
  int error = nova_resume_note(&s->out, setup, s->started_unix_ns, &s->mask);
  return error == 0 ? 0
                    : nova_broken("%s/run.json could not be written: %s",
                                  s->out.path, strerror(error));
}

/* Plays to the end. 0 or an exit status. */
static int play(struct nova_session *s) {
  struct nova_setup *u = s->setup;
  struct nova_run_options o = {
      .catalog = &u->catalog,
      .profile = &u->profile,
      .transport = nova_loop_transport(s->loop),
      .seed = u->seed,
      .only = u->o->opt[NOVA_OPT_ONLY].n != 0 ? u->o->opt[NOVA_OPT_ONLY].value
                                              : NULL,
      .skip = u->o->opt[NOVA_OPT_SKIP].n != 0 ? u->o->opt[NOVA_OPT_SKIP].value
                                              : NULL,
      .jobs = u->jobs,
      .spawn = u->profile.subject == NOVA_ROLE_DEVICE
                   ? (const char *const *)u->spawn
                   : NULL,
      .kept = s->resume.kept,
      .kept_n = s->resume.n,
      .hook_folder = u->hook_folder,
      .timing_error = timing_error,
      .news = on_news,
      .user = s};
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    o.hook[h] = s->hook[h];
  int status = nova_security_begin(&s->security, &u->profile, &o);
  if (status != 0)
    return status;
  if (u->profile.subject == NOVA_ROLE_SERVER &&
      (u->profile.mqtt.host != NULL || u->profile.mqtts.host != NULL)) {
    s->library = nova_library_new(NULL, s->loop);
    o.library = s->library;
  }
  s->run = nova_run_new(&o);
  if (s->run == NULL)
    return nova_broken("out of memory");
  nova_screen_line(&s->screen, "seed %llu, reports in %s",
                   (unsigned long long)u->seed, s->out.path);
  const char *why = NULL;
  if (nova_run_start(s->run, &why) != 0)
    return nova_wrong("%s", why);
  say_resumed(s);
  nova_operator_greet(&s->by_hand, s->run, &s->screen, &u->profile, s->planned);
  /* It is made anew in each run: the device has to be given it before. */
  if (o.ca_file != NULL && o.spawn == NULL)
    nova_screen_line(&s->screen,
                     u->lang == NOVA_LANG_ZH ? "设备须信任的 CA 证书：%s"
                                             : "the CA that the device has to "
                                               "trust over TLS: %s",
                     o.ca_file);
  if (s->signal != 0)
    nova_run_interrupt(s->run, "the run was interrupted");
  tick(s, s->clock->ops->now(s->clock));
  s->looping = true;
  while (!nova_run_over(s->run))
    nova_loop_run(s->loop);
  s->clock->ops->wake_at(s->clock, NOVA_TS_NONE);
  nova_screen_clear(&s->screen);
  return 0;
}

/* The parts of a run that was taken up again, as one. */
static void join(const struct nova_session *s, struct nova_results *r) {
  /* Port 0 is nobody's address. */
  const struct nova_profile *p = &s->setup->profile;
  const struct nova_address *all[] = {&p->tcp, &p->mqtt, &p->mqtts};
  const char *text = "";
  bool free_ports = false;
  for (unsigned k = 0; k < 3 && text != NULL; k++) {
    if (all[k]->host == NULL)
      continue;
    free_ports |= all[k]->port == 0;
    text = nova_arena_printf(r->arena, "%s%s%s %s, a free port for each device",
                             text, *text != '\0' ? "; " : "",
                             nova_link_names[k], all[k]->host);
  }
  if (r->subject == NOVA_ROLE_DEVICE && s->setup->spawn != NULL && free_ports)
    r->address = text;
  r->started_unix_ns = s->started_unix_ns;
  r->duration += s->resume.spent;
  if (s->resume.timing_error > r->timing_error)
    r->timing_error = s->resume.timing_error;
  for (size_t i = 0; i < r->conversations; i++)
    if (!r->conversation[i].kept)
      r->conversation[i].started += s->resume.spent;
}

int nova_session_play(struct nova_session *s) {
  struct nova_setup *u = s->setup;
  int status = play(s);
  if (status != 0)
    return status;
  struct nova_results *r =
      nova_run_results(s->run, u->expecting ? &u->expect : NULL);
  if (r == NULL || nova_mask_results(&s->mask, r) != 0)
    return nova_broken("out of memory");
  r->tool_version = NOVA_VERSION;
  join(s, r);
  const char *what = NULL;
  int error = nova_reports_write(&s->out, r, &s->mask, u->lang, &what);
  note_error(s, what != NULL ? what : "", error);
  nova_outdir_link(&s->out);
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_TERMINAL_SUMMARY);
  if (nova_terminal_summary(&s->screen.t, r, s->out.path, &text) == 0)
    nova_screen_print(&s->screen, text.data + text.head, text.len);
  nova_buf_free(&text);
  if (s->write_error != 0)
    return nova_broken("%s/%s could not be written: %s", s->out.path,
                       s->write_what, strerror(s->write_error));
  if (s->signal != 0)
    return 128 + s->signal;
  return nova_verdict_exit(r, u->o->opt[NOVA_OPT_ALLOW_INCOMPLETE].n != 0);
}

void nova_session_kill(struct nova_session *s) {
  nova_loop_detach(nova_loop_transport(s->loop));
}

void nova_session_free(struct nova_session *s) {
  nova_screen_clear(&s->screen);
  nova_run_free(s->run);
  nova_library_free(s->library);
  nova_security_free(&s->security);
  nova_loop_free(s->loop);
  nova_mask_free(&s->mask);
  nova_resume_free(&s->resume);
}
