#include "cli/commands.h"
#include "cli/refdevice.h"
#include "cli/refserver.h"
#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a process ends with that a fault has crashed. */
#define CRASHED 70

static void on_signal(void *user, int number) {
  (void)number;
  nova_loop_stop(user);
}

static void on_crash(void *user) {
  (void)user;
  nova_say("the reference server has crashed, as its fault says");
  _exit(CRASHED);
}

static const char *address(const char *host, uint16_t port, char *out,
                           size_t cap) {
  snprintf(out, cap, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
           port);
  return out;
}

static int serve(const struct nova_setup *u, struct nova_loop *loop,
                 const struct nova_refserver_options *o) {
  struct nova_refserver r;
  int status = nova_refserver_start(&r, o);
  if (status == 0 && nova_loop_on_signal(loop, on_signal, loop) != 0)
    status = nova_broken("out of memory");
  if (status == 0) {
    char at[300], control[300], line[700];
    address(u->profile.tcp.host, nova_serve_port(r.serve), at, sizeof at);
    if (o->control.host != NULL)
      snprintf(line, sizeof line, "listening on %s (control %s)\n", at,
               address(o->control.host, nova_serve_control_port(r.serve),
                       control, sizeof control));
    else
      snprintf(line, sizeof line, "listening on %s\n", at);
    status = nova_put(line, strlen(line));
  }
  if (status == 0)
    nova_loop_run(loop);
  nova_refserver_stop(&r);
  return status;
}

int nova_cmd_mock_server(const struct nova_options *o) {
  struct nova_setup u;
  struct nova_refserver_options ro = {.crashed = on_crash, .seed = 1};
  int status = nova_setup_read_profile(&u, o, NOVA_ROLE_SERVER, 0);
  if (status == 0)
    status = nova_refserver_faults(o, &ro.faults);
  if (status == 0 && u.profile.tcp.host == NULL)
    status = nova_wrong("where to listen? --tcp HOST:PORT (port 0: any free "
                        "one)");
  if (status == 0 && u.profile.devices == 0)
    status = nova_wrong("a server without a device serves nobody: --device "
                        "ID:KEY");
  const char *control = nova_options_last(o, NOVA_OPT_CONTROL), *why = NULL;
  if (status == 0 && control != NULL &&
      nova_address_read(&u.arena, nova_view_of(control), 0, &ro.control,
                        &why) != 0)
    status = nova_wrong("--control %s: %s", control, why);
  const char *seed = nova_options_last(o, NOVA_OPT_SEED);
  if (status == 0 && seed != NULL &&
      !nova_setup_number(seed, UINT64_MAX, &ro.seed))
    status = nova_wrong("--seed %s: expected a number", seed);
  if (status == 0) {
    struct nova_loop *loop = nova_loop_new(NULL);
    ro.loop = loop;
    ro.profile = &u.profile;
    ro.at = u.profile.tcp;
    status = loop != NULL ? serve(&u, loop, &ro)
                          : nova_broken("no memory or file descriptors");
    nova_loop_free(loop);
  }
  nova_setup_free(&u);
  return status;
}

/* --- the device ------------------------------------------------------------
 */

struct mock_device {
  struct nova_loop *loop;
  bool quiet;
  int status;
};

/* Its own end, as only a fault brings it, is the process's end. */
static void on_exit_of_device(void *user, int code) {
  struct mock_device *m = user;
  m->status = code;
  nova_loop_stop(m->loop);
}

static void on_news(void *user, enum nova_drive_news what,
                    struct nova_view text) {
  struct mock_device *m = user;
  char line[300];
  int n = 0;
  if (m->quiet)
    return;
  switch (what) {
  case NOVA_DRIVE_CONNECTED:
    n = snprintf(line, sizeof line, "connected\n");
    break;
  case NOVA_DRIVE_ENDED:
    n = snprintf(line, sizeof line, "disconnected\n");
    break;
  case NOVA_DRIVE_REFUSED:
    n = snprintf(line, sizeof line, "not connected: %.*s\n",
                 text.n < 200 ? (int)text.n : 200, text.p);
    break;
  }
  /* A log that nobody can read stops no device. */
  (void)nova_put(line, (size_t)n);
}

static int drive(const struct nova_setup *u, struct mock_device *m,
                 struct nova_refdevice_options *o) {
  struct nova_refdevice r = {0};
  char at[300], line[700];
  snprintf(line, sizeof line, "device %.255s of %s\n", u->profile.device[0].id,
           address(u->profile.tcp.host, u->profile.tcp.port, at, sizeof at));
  int status = nova_put(line, strlen(line));
  if (status == 0 && nova_loop_on_signal(m->loop, on_signal, m->loop) != 0)
    status = nova_broken("out of memory");
  if (status == 0)
    status = nova_refdevice_start(&r, o);
  if (status == 0)
    nova_loop_run(m->loop);
  nova_refdevice_stop(&r);
  return status != 0 ? status : m->status;
}

int nova_cmd_mock_device(const struct nova_options *o) {
  struct nova_setup u;
  struct mock_device m = {.quiet = o->opt[NOVA_OPT_QUIET].n != 0};
  struct nova_refdevice_options ro = {
      .seed = 1, .exited = on_exit_of_device, .news = on_news, .user = &m};
  int status = nova_setup_read_profile(&u, o, NOVA_ROLE_DEVICE, 1);
  if (status == 0)
    status = nova_refdevice_faults(o, &ro.faults);
  if (status == 0 && u.profile.tcp.host == NULL)
    status = nova_wrong("which server to connect to? --tcp HOST:PORT");
  if (status == 0 && u.profile.devices != 1)
    status = nova_wrong("a device has one credential: --device ID:KEY");
  const char *seed = nova_options_last(o, NOVA_OPT_SEED);
  if (status == 0 && seed != NULL &&
      !nova_setup_number(seed, UINT64_MAX, &ro.seed))
    status = nova_wrong("--seed %s: expected a number", seed);
  if (status == 0) {
    m.loop = nova_loop_new(NULL);
    ro.loop = m.loop;
    ro.profile = &u.profile;
    ro.at = u.profile.tcp;
    status = m.loop != NULL ? drive(&u, &m, &ro)
                            : nova_broken("no memory or file descriptors");
    nova_loop_free(m.loop);
  }
  nova_setup_free(&u);
  return status;
}
