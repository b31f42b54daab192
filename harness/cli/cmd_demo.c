/* Both suites against the built-in reference peers, one after the other. The
 * server is in this process and its hooks are real ones: this program, started
 * as a vendor's hook would be. The devices are processes: this program, too. */
#include "cli/commands.h"
#include "cli/refserver.h"
#include "cli/session.h"

#include "base/rng.h"

#include <stdio.h>
#include <unistd.h>

#define DEVICES 40

#define BOTH_SIDES (1u << NOVA_SIDE_SERVER | 1u << NOVA_SIDE_DEVICE)

struct demo {
  struct nova_setup u;
  struct nova_session s;
  struct nova_refserver server;
  char self[NOVA_PATH_MOST];
  char control[64];
  const char *word[NOVA_HOOKS][7];
  char ca_file[NOVA_PATH_MOST]; /* "": none was written */
};

static const char *const verbs[NOVA_HOOKS] = {"command", "reset", "deactivate",
                                              "activate", "data"};

/* The server as a process would crash: nobody listens any more. */
static void on_crash(void *user) {
  struct demo *d = user;
  struct nova_transport *t = d->server.transport;
  t->ops->unlisten(t, NOVA_SERVE_DEVICES);
  t->ops->unlisten(t, NOVA_SERVE_MQTT);
  t->ops->unlisten(t, NOVA_SERVE_MQTTS);
  t->ops->unlisten(t, NOVA_SERVE_CONTROL);
  nova_screen_line(&d->s.screen, "the reference server has crashed");
}

static const struct {
  enum nova_timer timer;
  nova_ts span;
} scaled[] = {{NOVA_TIMER_auth_timeout, NOVA_SEC},
              {NOVA_TIMER_heartbeat, NOVA_SEC},
              {NOVA_TIMER_idle_timeout, 3 * NOVA_SEC},
              {NOVA_TIMER_status_interval, 2 * NOVA_SEC}};

#define SCALED (sizeof scaled / sizeof *scaled)

static void scale(struct nova_setup *u) {
  struct nova_timers *t = &u->profile.timers;
  for (size_t i = 0; u->o->opt[NOVA_OPT_REAL_TIME].n == 0 && i < SCALED; i++)
    if (!t->set[scaled[i].timer]) {
      t->span[scaled[i].timer] = scaled[i].span;
      t->set[scaled[i].timer] = true;
    }
}

static const char *which_timers(const struct nova_setup *u) {
  return u->o->opt[NOVA_OPT_REAL_TIME].n != 0
             ? ", with the timers of the guide"
             : ", with scaled timers (auth_timeout 1s, heartbeat 1s, "
               "idle_timeout 3s, status_interval 2s; --real-time takes the "
               "guide's)";
}

static int find_self(char out[NOVA_PATH_MOST]) {
  ssize_t n = readlink("/proc/self/exe", out, NOVA_PATH_MOST - 1);
  if (n <= 0)
    return nova_broken("/proc/self/exe cannot be read");
  out[n] = '\0';
  return 0;
}

/* Scaled timers, made-up credentials. */
static int prepare(struct demo *d) {
  struct nova_profile *p = &d->u.profile;
  scale(&d->u);
  p->name = "the built-in reference server";
  p->platform = (struct nova_login){"platform", "the-demo-s-platform"};
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
  return find_self(d->self);
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

/* The CA of the server's certificates goes to the reports: it is no secret. */
static int trust(struct demo *d) {
  struct nova_view pem = d->server.certificates->ca;
  nova_outdir_path(&d->s.out, "ca.pem", d->ca_file);
  int error = nova_file_write(d->ca_file, pem.p, pem.n);
  d->u.profile.tls.ca_file = d->ca_file;
  return error == 0 ? 0 : nova_broken("%s: %s", d->ca_file, strerror(error));
}

static int serve(struct demo *d) {
  struct nova_refserver_options o = {.loop = d->s.loop,
                                     .profile = &d->u.profile,
                                     .at = {"127.0.0.1", 0},
                                     .mqtt = {"127.0.0.1", 0},
                                     .mqtts = {"127.0.0.1", 0},
                                     .control = {"127.0.0.1", 0},
                                     .seed = d->u.seed,
                                     .crashed = on_crash,
                                     .user = d};
  /* Those of the device do nothing here. */
  int status = nova_ref_faults(d->u.o, BOTH_SIDES, &o.faults);
  if (status == 0)
    status = nova_refserver_start(&d->server, &o);
  if (status != 0)
    return status;
  struct nova_profile *p = &d->u.profile;
  const struct nova_serve *v = d->server.serve;
  p->tcp = (struct nova_address){"127.0.0.1", nova_serve_port(v)};
  p->mqtt = (struct nova_address){"127.0.0.1", nova_serve_mqtt_port(v)};
  p->mqtts = (struct nova_address){"127.0.0.1", nova_serve_mqtts_port(v)};
  set_hooks(d);
  nova_screen_line(&d->s.screen,
                   "the suite against the built-in reference server on "
                   "127.0.0.1: TCP %u, MQTT %u, MQTTS %u%s",
                   p->tcp.port, p->mqtt.port, p->mqtts.port,
                   which_timers(&d->u));
  return trust(d);
}

/* Whether --only and --skip leave anything of that subject's suite. */
static bool wanted(const struct nova_setup *u, enum nova_role subject) {
  const struct nova_options *o = u->o;
  return nova_run_any(
      &u->catalog, subject,
      o->opt[NOVA_OPT_ONLY].n != 0 ? o->opt[NOVA_OPT_ONLY].value : NULL,
      o->opt[NOVA_OPT_SKIP].n != 0 ? o->opt[NOVA_OPT_SKIP].value : NULL);
}

/* A suite of which nothing was asked for. */
#define PASSED_OVER (-1)

/* |folder|: gets the reports' folder. */
static int server_suite(const struct nova_options *o, uint64_t *seed,
                        char folder[NOVA_PATH_MOST]) {
  struct demo d = {0};
  struct nova_fault_set faults;
  int status = nova_setup_read(&d.u, o, NOVA_ROLE_SERVER);
  if (status == 0) /* before a folder is made for nothing */
    status = nova_ref_faults(o, BOTH_SIDES, &faults);
  if (status == 0 && !wanted(&d.u, NOVA_ROLE_SERVER) &&
      wanted(&d.u, NOVA_ROLE_DEVICE))
    status = PASSED_OVER;
  *seed = d.u.seed;
  if (status == 0)
    status = prepare(&d);
  bool opened = status == 0;
  if (status == 0)
    status = nova_session_open(&d.s, &d.u, "demo");
  if (opened)
    snprintf(folder, NOVA_PATH_MOST, "%s", d.s.out.path);
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

/* --- the devices
 * ---------------------------------------------------------------- */

/* What --spawn would say: `mock device` with the timers and faults of the demo.
 */
static char **device_command(struct nova_setup *u, const char *self) {
  const struct nova_options *o = u->o;
  static const char *const first[] = {"mock",
                                      "device",
                                      "-q",
                                      "--{transport}",
                                      "{host}:{port}",
                                      "--ca-file",
                                      "{ca_file}",
                                      "--cert-file",
                                      "{client_cert_file}",
                                      "--key-file",
                                      "{client_key_file}",
                                      "--device",
                                      "{device_id}:{device_key}"};
  size_t faults = o->opt[NOVA_OPT_FAULT].n, n = 0;
  char **words =
      NOVA_NEW_ARRAY(&u->arena, char *, 16 + 2 * (SCALED + faults) + 1);
  if (words == NULL)
    return NULL;
  words[n++] = (char *)(uintptr_t)self;
  for (size_t i = 0; i < sizeof first / sizeof *first; i++)
    words[n++] = (char *)(uintptr_t)first[i];
  for (size_t i = 0; i < SCALED; i++) {
    words[n++] = (char *)(uintptr_t) "--timer";
    words[n++] = (char *)(uintptr_t)nova_arena_printf(
        &u->arena, "%s=%llums", nova_timer_name(scaled[i].timer),
        (unsigned long long)(u->profile.timers.span[scaled[i].timer] /
                             NOVA_MS));
  }
  for (size_t i = 0; i < faults; i++) {
    const char *name = o->opt[NOVA_OPT_FAULT].value[i];
    enum nova_fault f = nova_fault_find(nova_view_of(name));
    if (nova_fault_info(f)->side != NOVA_SIDE_DEVICE)
      continue;
    words[n++] = (char *)(uintptr_t) "--fault";
    words[n++] = (char *)(uintptr_t)name;
  }
  return words;
}

/* What the reference device has. */
static const char declares[] =
    "novaprobe: 1\n"
    "name: the built-in reference device\n"
    "declares:\n"
    "  client_certificates: true\n"
    "  value_keys: [temperature, humidity, light]\n"
    "  actuators: {relay1: [\"ON\", \"OFF\", \"ON\"], led_brightness: 80}\n";

static int device_suite(const struct nova_options *o, uint64_t seed,
                        const char *folder) {
  struct nova_setup u;
  struct nova_session s;
  struct nova_diag diag;
  char self[NOVA_PATH_MOST], below[NOVA_PATH_MOST];
  int status = nova_setup_read(&u, o, NOVA_ROLE_DEVICE);
  if (status == 0 && !wanted(&u, NOVA_ROLE_DEVICE))
    status = PASSED_OVER;
  nova_diag_init(&diag, NULL);
  if (status == 0 &&
      nova_setup_profile_text(&u.profile, "the demo's profile", declares,
                              sizeof declares - 1, &diag) != 0)
    status = nova_say_diag(&diag, "");
  nova_diag_free(&diag);
  if (status == 0)
    status = find_self(self);
  bool opened = status == 0;
  if (status == 0) {
    scale(&u);
    snprintf(below, sizeof below, "%.*s/device", NOVA_PATH_MOST - 16, folder);
    u.seed = seed;
    u.out = *folder != '\0' ? below : NULL;
    u.profile.tcp = (struct nova_address){"127.0.0.1", 0};
    u.profile.mqtt = u.profile.mqtts = u.profile.tcp;
    u.profile.subject = NOVA_ROLE_DEVICE;
    u.spawn = device_command(&u, self);
    status = u.spawn != NULL ? nova_session_open(&s, &u, "demo")
                             : nova_broken("out of memory");
  }
  if (status == 0) {
    s.on_signal = nova_session_kill;
    nova_screen_line(&s.screen,
                     "the suite against the built-in reference device, one "
                     "process for each conversation%s",
                     which_timers(&u));
    status = nova_session_play(&s);
  }
  if (opened)
    nova_session_free(&s);
  u.spawn = NULL; /* its words are the arena's */
  nova_setup_free(&u);
  return status;
}

/* The worst of both: broken, wrong, interrupted, failed, incomplete. */
static int worse(int a, int b) {
  static const int order[] = {
      NOVA_EXIT_BROKEN, NOVA_EXIT_WRONG, 130, 143, 1, 3};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (a == order[i] || b == order[i])
      return order[i];
  return a != 0 ? a : b;
}

int nova_cmd_demo(const struct nova_options *o) {
  char folder[NOVA_PATH_MOST] = "";
  uint64_t seed = 0;
  int status = server_suite(o, &seed, folder);
  bool on = status == PASSED_OVER || status == 0 || status == 1 || status == 3;
  if (!on)
    return status;
  int other = device_suite(o, seed, folder);
  return other == PASSED_OVER    ? status
         : status == PASSED_OVER ? other
                                 : worse(status, other);
}
