/* The suite against the built-in reference server, in one process. The hooks
 * are real ones: this program, started as a vendor's hook would be. */
#include "cli/commands.h"
#include "cli/refserver.h"
#include "cli/session.h"

#include "base/rng.h"

#include <stdio.h>
#include <unistd.h>

#define DEVICES 16

struct demo {
  struct nova_setup u;
  struct nova_session s;
  struct nova_refserver server;
  char self[NOVA_PATH_MOST];
  char control[64];
  const char *word[NOVA_HOOKS][7];
};

static const char *const verbs[NOVA_HOOKS] = {"command", "reset", "deactivate",
                                              "activate", "data"};

/* The server as a process would crash: nobody listens any more. */
static void on_crash(void *user) {
  struct demo *d = user;
  struct nova_transport *t = d->server.transport;
  t->ops->unlisten(t, NOVA_SERVE_DEVICES);
  t->ops->unlisten(t, NOVA_SERVE_CONTROL);
  nova_screen_line(&d->s.screen, "the reference server has crashed");
}

/* Scaled timers, made-up credentials. */
static int prepare(struct demo *d) {
  struct nova_profile *p = &d->u.profile;
  if (d->u.o->opt[NOVA_OPT_REAL_TIME].n == 0) {
    static const struct {
      enum nova_timer timer;
      nova_ts span;
    } scaled[] = {{NOVA_TIMER_auth_timeout, NOVA_SEC},
                  {NOVA_TIMER_heartbeat, NOVA_SEC},
                  {NOVA_TIMER_idle_timeout, 3 * NOVA_SEC}};
    for (size_t i = 0; i < 3; i++)
      if (!p->timers.set[scaled[i].timer]) {
        p->timers.span[scaled[i].timer] = scaled[i].span;
        p->timers.set[scaled[i].timer] = true;
      }
  }
  p->name = "the built-in reference server";
  struct nova_rng rng;
  nova_rng_init(&rng, nova_rng_derive(d->u.seed, "demo"));
  for (unsigned i = 1; i <= DEVICES; i++) {
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ"
                                  "abcdefghijkmnopqrstuvwxyz23456789";
    char id[16], key[25] = "";
    const char *why;
    snprintf(id, sizeof id, "DEV-%06u", i);
    for (size_t k = 0; k + 1 < sizeof key; k++)
      key[k] = letters[nova_rng_below(&rng, sizeof letters - 1)];
    if (nova_profile_add_device(p, nova_view_of(id), nova_view_of(key), &why) !=
        0)
      return nova_broken("%s", why);
  }
  ssize_t n = readlink("/proc/self/exe", d->self, sizeof d->self - 1);
  if (n <= 0)
    return nova_broken("/proc/self/exe cannot be read");
  d->self[n] = '\0';
  return 0;
}

/* Hooks are words already: no path of ours has to be quoted. */
static void set_hooks(struct demo *d) {
  snprintf(d->control, sizeof d->control, "127.0.0.1:%u",
           nova_serve_control_port(d->server.serve));
  for (unsigned h = 0; h < NOVA_HOOKS; h++) {
    const char *words[] = {d->self,    "mock",   "ctl", "--control",
                           d->control, verbs[h], NULL};
    memcpy(d->word[h], words, sizeof words);
    d->u.profile.hook[h] =
        nova_arena_printf(&d->u.arena, "novaprobe mock ctl --control %s %s",
                          d->control, verbs[h]);
  }
}

static int serve(struct demo *d) {
  struct nova_refserver_options o = {.loop = d->s.loop,
                                     .profile = &d->u.profile,
                                     .at = {"127.0.0.1", 0},
                                     .control = {"127.0.0.1", 0},
                                     .seed = d->u.seed,
                                     .crashed = on_crash,
                                     .user = d};
  int status = nova_refserver_faults(d->u.o, &o.faults);
  if (status == 0)
    status = nova_refserver_start(&d->server, &o);
  if (status != 0)
    return status;
  d->u.profile.tcp =
      (struct nova_address){"127.0.0.1", nova_serve_port(d->server.serve)};
  set_hooks(d);
  nova_screen_line(&d->s.screen,
                   "the suite against the built-in reference "
                   "server on %s:%u%s",
                   d->u.profile.tcp.host, d->u.profile.tcp.port,
                   d->u.o->opt[NOVA_OPT_REAL_TIME].n != 0
                       ? ", with the timers of the guide"
                       : ", with scaled timers (auth_timeout 1s, heartbeat "
                         "1s, idle_timeout 3s; --real-time takes the guide's)");
  return 0;
}

int nova_cmd_demo(const struct nova_options *o) {
  struct demo d = {0};
  struct nova_fault_set faults;
  int status = nova_setup_read(&d.u, o, NOVA_ROLE_SERVER);
  if (status == 0) /* before a folder is made for nothing */
    status = nova_refserver_faults(o, &faults);
  if (status == 0)
    status = prepare(&d);
  bool opened = status == 0;
  if (status == 0)
    status = nova_session_open(&d.s, &d.u, "demo");
  if (status == 0)
    status = serve(&d);
  if (status == 0) {
    for (unsigned h = 0; h < NOVA_HOOKS; h++)
      d.s.hook[h] = d.word[h];
    status = nova_session_play(&d.s);
  }
  nova_refserver_stop(&d.server);
  if (opened)
    nova_session_free(&d.s);
  nova_setup_free(&d.u);
  return status;
}
