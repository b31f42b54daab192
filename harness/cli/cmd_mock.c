#include "cli/commands.h"
#include "cli/files.h"
#include "cli/refdevice.h"
#include "cli/refserver.h"
#include "cli/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* The CA that a client is to trust. */
static int write_ca(const struct nova_options *o,
                    const struct nova_refserver *r) {
  const char *file = nova_options_last(o, NOVA_OPT_CA_FILE);
  if (r->certificates == NULL || file == NULL)
    return 0;
  struct nova_view pem = r->certificates->ca;
  int error = nova_file_write(file, pem.p, pem.n);
  if (error == 0 && chmod(file, 0644) != 0)
    error = errno;
  return error == 0 ? 0 : nova_wrong("--ca-file %s: %s", file, strerror(error));
}

static void put_address(struct nova_buf *b, const char *before,
                        const char *host, uint16_t port) {
  char at[300];
  if (host != NULL)
    (void)nova_buf_printf(b, "%s%s%s", b->len > 13 ? ", " : "", before,
                          address(host, port, at, sizeof at));
}

/* Where it listens: "listening on HOST:PORT, mqtt HOST:PORT, mqtts HOST:PORT
 * (control HOST:PORT)", as far as it does. */
static int tell(const struct nova_refserver_options *o,
                const struct nova_refserver *r) {
  char at[300];
  struct nova_buf b;
  nova_buf_init(&b, NULL, 4096);
  (void)nova_buf_puts(&b, "listening on ");
  put_address(&b, "", o->at.host, nova_serve_port(r->serve));
  put_address(&b, "mqtt ", o->mqtt.host, nova_serve_mqtt_port(r->serve));
  put_address(&b, "mqtts ", o->mqtts.host, nova_serve_mqtts_port(r->serve));
  if (o->control.host != NULL)
    (void)nova_buf_printf(&b, " (control %s)",
                          address(o->control.host,
                                  nova_serve_control_port(r->serve), at,
                                  sizeof at));
  int err = nova_buf_puts(&b, "\n");
  int status = err == 0 ? nova_put(b.data + b.head, b.len)
                        : nova_broken("out of memory");
  nova_buf_free(&b);
  return status;
}

static int serve(const struct nova_options *o, struct nova_loop *loop,
                 const struct nova_refserver_options *ro) {
  struct nova_refserver r;
  int status = nova_refserver_start(&r, ro);
  if (status == 0 && nova_loop_on_signal(loop, on_signal, loop) != 0)
    status = nova_broken("out of memory");
  if (status == 0)
    status = write_ca(o, &r);
  if (status == 0)
    status = tell(ro, &r);
  if (status == 0)
    nova_loop_run(loop);
  nova_refserver_stop(&r);
  return status;
}

/* --platform over the profile's. */
static int platform(struct nova_setup *u, const struct nova_options *o) {
  const char *text = nova_options_last(o, NOVA_OPT_PLATFORM);
  if (text == NULL)
    return 0;
  const char *colon = strchr(text, ':');
  if (colon == NULL || colon == text)
    return nova_wrong("--platform: expected USER:PASSWORD, with a colon "
                      "between them");
  u->profile.platform.id =
      nova_arena_copy(&u->arena, text, (size_t)(colon - text));
  u->profile.platform.key = colon + 1;
  return u->profile.platform.id != NULL ? 0 : nova_broken("out of memory");
}

/* Whether there is something to serve. */
static int check_server(const struct nova_profile *p,
                        const struct nova_options *o) {
  if (p->tcp.host == NULL && p->mqtt.host == NULL && p->mqtts.host == NULL)
    return nova_wrong("where to listen? --tcp, --mqtt or --mqtts HOST:PORT "
                      "(port 0: any free one)");
  if (p->mqtts.host != NULL && nova_options_last(o, NOVA_OPT_CA_FILE) == NULL)
    return nova_wrong("--mqtts needs --ca-file FILE, to write the CA to that "
                      "clients are to trust");
  if (p->devices == 0)
    return nova_wrong("a server without a device serves nobody: --device "
                      "ID:KEY");
  return 0;
}

int nova_cmd_mock_server(const struct nova_options *o) {
  struct nova_setup u;
  struct nova_refserver_options ro = {.crashed = on_crash, .seed = 1};
  int status = nova_setup_read_profile(&u, o, NOVA_ROLE_SERVER, 0);
  if (status == 0)
    status = nova_refserver_faults(o, &ro.faults);
  if (status == 0)
    status = platform(&u, o);
  if (status == 0)
    status = check_server(&u.profile, o);
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
    ro.mqtt = u.profile.mqtt;
    ro.mqtts = u.profile.mqtts;
    status = loop != NULL ? serve(o, loop, &ro)
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
  struct nova_tls tls; /* over MQTTS */
  struct nova_buf ca, cert, key;
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
  const char *how = o->protocol == NOVA_DEVICE_TCP ? ""
                    : o->tls == NULL               ? "mqtt "
                                                   : "mqtts ";
  snprintf(line, sizeof line, "device %.255s of %s%s\n",
           u->profile.device[0].id, how,
           address(o->at.host, o->at.port, at, sizeof at));
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

/* The one address. */
static int where_to(const struct nova_profile *p,
                    struct nova_refdevice_options *ro) {
  const struct nova_address *at[] = {&p->tcp, &p->mqtt, &p->mqtts};
  size_t n = 0;
  for (size_t i = 0; i < 3; i++)
    if (at[i]->host != NULL) {
      ro->at = *at[i];
      ro->protocol = i == 0 ? NOVA_DEVICE_TCP : NOVA_DEVICE_MQTT;
      n++;
    }
  if (n == 0)
    return nova_wrong("which server to connect to? --tcp, --mqtt or --mqtts "
                      "HOST:PORT");
  return n == 1 ? 0
                : nova_wrong("a device connects to one address: --tcp, --mqtt "
                             "or --mqtts");
}

/* A fault of the other protocol would do nothing. */
static int check_faults(const struct nova_options *o,
                        const struct nova_refdevice_options *ro) {
  bool mqtt = ro->protocol == NOVA_DEVICE_MQTT;
  for (size_t i = 0; i < o->opt[NOVA_OPT_FAULT].n; i++) {
    const char *name = o->opt[NOVA_OPT_FAULT].value[i];
    if (nova_fault_is_mqtt(nova_fault_find(nova_view_of(name))) != mqtt)
      return nova_wrong("--fault %s: this is a fault %s", name,
                        mqtt ? "over TCP" : "over MQTT");
  }
  return 0;
}

/* A file of PEM text, from the option |id| or else the profile; none is fine.
 */
static int read_pem(const struct nova_options *o, enum nova_option id,
                    const char *of_profile, struct nova_buf *text,
                    struct nova_view *out) {
  const char *file = nova_options_last(o, id), *why = NULL;
  nova_buf_init(text, NULL, NOVA_SOURCE_MOST);
  if (file == NULL)
    file = of_profile;
  if (file != NULL && nova_file_read(file, text, &why) != 0)
    return nova_wrong("%s: %s", file, why);
  if (file != NULL && text->len == 0)
    return nova_wrong("%s: the file is empty", file);
  *out = nova_buf_view(text);
  return 0;
}

static int read_tls(struct mock_device *m, const struct nova_options *o,
                    const struct nova_profile *p) {
  struct nova_tls *t = &m->tls;
  int status = read_pem(o, NOVA_OPT_CA_FILE, p->tls.ca_file, &m->ca, &t->ca);
  if (status == 0)
    status = read_pem(o, NOVA_OPT_CERT_FILE, p->tls.cert_file, &m->cert,
                      &t->own.cert);
  if (status == 0)
    status =
        read_pem(o, NOVA_OPT_KEY_FILE, p->tls.key_file, &m->key, &t->own.key);
  if (status == 0 && (t->own.cert.n == 0) != (t->own.key.n == 0))
    status = nova_wrong("--cert-file and --key-file go together");
  t->name = nova_view_of(p->tls.server_name != NULL ? p->tls.server_name
                                                    : p->mqtts.host);
  return status;
}

int nova_cmd_mock_device(const struct nova_options *o) {
  struct nova_setup u;
  struct mock_device m = {.quiet = o->opt[NOVA_OPT_QUIET].n != 0};
  struct nova_refdevice_options ro = {
      .seed = 1, .exited = on_exit_of_device, .news = on_news, .user = &m};
  int status = nova_setup_read_profile(&u, o, NOVA_ROLE_DEVICE, 1);
  if (status == 0)
    status = nova_refdevice_faults(o, &ro.faults);
  if (status == 0)
    status = where_to(&u.profile, &ro);
  if (status == 0)
    status = check_faults(o, &ro);
  if (status == 0 && u.profile.mqtts.host != NULL) {
    status = read_tls(&m, o, &u.profile);
    ro.tls = &m.tls;
  }
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
    status = m.loop != NULL ? drive(&u, &m, &ro)
                            : nova_broken("no memory or file descriptors");
    nova_loop_free(m.loop);
  }
  nova_buf_free(&m.ca);
  nova_buf_free(&m.cert);
  nova_buf_free(&m.key);
  nova_setup_free(&u);
  return status;
}
