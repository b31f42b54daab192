#include "support/simrun.h"

#include "net/certs.h"
#include "net/tls.h"
#include "peer/control.h"
#include "peer/drive.h"
#include "peer/serve.h"
#include "verdict/verdict.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

struct simrun {
  struct simrun_options o;
  struct nova_arena arena;
  struct nova_profile profile;
  struct nova_sim *sim;
  struct nova_transport *server_side, *harness_side; /* as they are attached */
  struct nova_transport *server_tls, *harness_tls;   /* with TLS on them */
  struct nova_server *server;
  struct nova_serve *serve;
  struct nova_run *run;
  const struct nova_results *results;
  nova_ts took;
  struct simdevice *fleet; /* devices under test */
};

/* Where each transport is listened on. */
static const uint16_t ports[3] = {9000, 1883, 8883};

/* Made once: they are for real time, which the library looks at. */
static const struct nova_certificates *certificates(void) {
  static struct nova_certs *made;
  if (made == NULL) {
    static const char *const names[] = {"server"};
    const char *why = NULL;
    made = nova_certs_new(names, 1, (int64_t)time(NULL), &why);
    if (made == NULL) {
      fprintf(stderr, "simrun: no certificates: %s\n", why);
      exit(1);
    }
  }
  return nova_certs_get(made);
}

static bool speaks(const struct simrun *s, enum nova_link_kind over) {
  return (s->o.over & 1u << over) != 0;
}

/* The one transport of a device under test. */
static enum nova_link_kind its_own(const struct simrun *s) {
  return speaks(s, NOVA_OVER_MQTTS)  ? NOVA_OVER_MQTTS
         : speaks(s, NOVA_OVER_MQTT) ? NOVA_OVER_MQTT
                                     : NOVA_OVER_TCP;
}

/* The profile has the addresses of the run's transports, and declares them. */
static void addresses(struct simrun *s, bool listened) {
  struct nova_address *all[] = {&s->profile.tcp, &s->profile.mqtt,
                                &s->profile.mqtts};
  s->profile.transports_given = true;
  for (unsigned k = 0; k < 3; k++) {
    s->profile.transport[k] = speaks(s, (enum nova_link_kind)k);
    if (s->profile.transport[k])
      *all[k] = (struct nova_address){"server", listened ? ports[k] : 0};
  }
}

#define UNIX_START (UINT64_C(1800000000) * NOVA_SEC)
#define FOR_EVER   (3600 * 24 * NOVA_SEC)

static const char *env_of(const struct nova_job *job, const char *name) {
  size_t n = strlen(name);
  for (size_t i = 0; job->env[i] != NULL; i++)
    if (strncmp(job->env[i], name, n) == 0 && job->env[i][n] == '=')
      return job->env[i] + n + 1;
  return "";
}

/* A hook: what `mock ctl` would ask the control address. */
static void hook(void *user, const struct nova_job *job,
                 struct nova_sim_result *result) {
  struct simrun *s = user;
  static const char *const words[NOVA_HOOKS] = {
      "command", "reset", "deactivate", "activate", "data"};
  unsigned h = (unsigned)atoi(job->argv[1]);
  struct nova_buf request, answer;
  nova_buf_init(&request, NULL, 1 << 20);
  nova_buf_init(&answer, NULL, 1 << 20);
  nova_buf_printf(&request, "{\"do\":\"%s\",\"device_id\":", words[h]);
  const char *id = env_of(job, "NOVA_DEVICE_ID");
  nova_json_quote(&request, id, strlen(id));
  if (h == NOVA_HOOK_SEND_COMMAND) {
    const char *command = env_of(job, "NOVA_COMMAND");
    nova_buf_puts(&request, ",\"command\":");
    nova_json_quote(&request, command, strlen(command));
    nova_buf_printf(&request, ",\"params\":%s,\"transport\":\"%s\"",
                    env_of(job, "NOVA_PARAMS"),
                    strcmp(env_of(job, "NOVA_TRANSPORT"), "tcp") == 0 ? "tcp"
                                                                      : "mqtt");
  }
  nova_buf_puts(&request, "}");
  nova_ts now = nova_sim_now(s->sim);
  nova_server_control(s->server, request.data, request.len, now, &answer);
  /* What the server sends because of it goes out with its next event. */
  nova_serve_expire(s->serve, now);
  struct nova_json *json = nova_json_new(NULL, 1 << 20, 64);
  struct nova_json_value v;
  while (answer.len != 0 && answer.data[answer.len - 1] == '\n')
    answer.len--;
  if (nova_json_check(json, answer.data, answer.len, &v, NULL) != 0 ||
      nova_json_get(v, nova_view_of("ok")).type != NOVA_JSON_TRUE) {
    result->exit_code = 1;
    nova_buf_append(result->errors, answer.data, answer.len);
  } else if (h == NOVA_HOOK_RESET_KEY) {
    char key[256];
    size_t n = nova_json_string(nova_json_get(v, nova_view_of("key")), key,
                                sizeof key);
    nova_buf_append(result->output, key, n);
    nova_buf_puts(result->output, "\n");
  } else if (h == NOVA_HOOK_READ_DATA) {
    struct nova_json_value values = nova_json_get(v, nova_view_of("values"));
    nova_buf_append(result->output, values.text.p, values.text.n);
    nova_buf_puts(result->output, "\n");
  }
  nova_json_free(json);
  nova_buf_free(&request);
  nova_buf_free(&answer);
}

static void crashed(void *user) {
  struct simrun *s = user;
  nova_sim_crash(s->sim, s->server_side);
}

/* --- devices under test
 * ------------------------------------------------------- */

/* One process. */
struct simdevice {
  struct simdevice *next;
  struct nova_transport *side, *tls;
  struct nova_tls how;
  struct nova_device *device;
  struct nova_drive *drive;
  struct nova_transport *starter; /* NULL: nobody waits for its end */
  uint64_t job;
  nova_ts dead_since; /* 0: it runs */
  struct simrun *run;
  char id[64];
};

/* An operator gives it power again after a while. */
#define AGAIN_AFTER (20 * NOVA_SEC)

static void device_exited(void *user, int code) {
  struct simdevice *d = user;
  if (d->starter != NULL)
    nova_sim_exit(d->starter, d->job, code);
  else
    d->dead_since = nova_sim_now(d->run->sim);
}

static struct simdevice *device_start(struct simrun *s, const char *id,
                                      const char *key, uint16_t port) {
  struct simdevice *d = calloc(1, sizeof *d);
  if (d == NULL)
    return NULL;
  snprintf(d->id, sizeof d->id, "%s", id);
  d->side = nova_sim_attach(s->sim);
  d->tls = nova_tls_wrap(NULL, d->side);
  const struct nova_certificates *c = certificates();
  d->how = (struct nova_tls){
      .ca = c->ca, .own = c->client, .name = nova_view_of("server")};
  enum nova_link_kind over = its_own(s);
  d->device = nova_device_new(&(struct nova_device_options){
      .protocol = over == NOVA_OVER_TCP ? NOVA_DEVICE_TCP : NOVA_DEVICE_MQTT,
      .id = nova_view_of(id),
      .key = nova_view_of(key),
      .unix_base = UNIX_START,
      .seed = nova_rng_derive(s->o.seed, id),
      .faults = &s->o.faults});
  d->drive = nova_drive_new(d->tls, d->device,
                            &(struct nova_drive_options){
                                .host = "server",
                                .port = port,
                                .tls = over == NOVA_OVER_MQTTS ? &d->how : NULL,
                                .exited = device_exited,
                                .user = d});
  d->run = s;
  d->next = s->fleet;
  s->fleet = d;
  return d;
}

static void device_free(struct simdevice *d) {
  nova_drive_free(d->drive);
  nova_device_free(d->device);
  nova_tls_unwrap(d->tls);
  nova_sim_detach(d->side);
  free(d);
}

/* The process of that device is gone. */
static void device_end(struct simrun *s, const char *id) {
  struct simdevice **link = &s->fleet;
  while (*link != NULL && (id == NULL || strcmp((*link)->id, id) != 0))
    link = &(*link)->next;
  struct simdevice *d = *link;
  if (d == NULL)
    return;
  *link = d->next;
  device_free(d);
}

/* What --spawn starts. */
static void device_job(void *user, const struct nova_job *job,
                       struct nova_sim_result *result) {
  struct simrun *s = user;
  static const char *const port[] = {"NOVA_TCP_PORT", "NOVA_MQTT_PORT",
                                     "NOVA_MQTTS_PORT"};
  struct simdevice *d = device_start(
      s, env_of(job, "NOVA_DEVICE_ID"), env_of(job, "NOVA_DEVICE_KEY"),
      (uint16_t)atoi(env_of(job, port[its_own(s)])));
  if (d == NULL)
    return;
  d->starter = result->party;
  d->job = result->id;
  result->duration = NOVA_TS_NONE;
  nova_buf_puts(result->output, "started\n");
}

static const char declared[] =
    "novaprobe: 1\n"
    "subject: device\n"
    "declares:\n"
    "  value_keys: [temperature, humidity, light]\n"
    "  client_certificates: true\n"
    "  actuators: {relay1: [\"ON\", \"OFF\", \"ON\"], led_brightness: 80}\n";

static void news(void *user, const struct nova_run_news *n) {
  struct simrun *s = user;
  if (n->kind == NOVA_RUN_ENDED && s->o.device && !s->o.by_hand)
    device_end(s, n->result->device);
  if (n->kind == NOVA_RUN_AGAIN && s->o.device && !s->o.by_hand)
    device_end(s, n->result->device);
  if (s->o.news != NULL)
    s->o.news(s->o.user, n);
  if (n->kind == NOVA_RUN_OVER)
    nova_sim_stop(s->sim);
}

/* What a good operator does with devices that have died. */
static void power_cycle(struct simrun *s) {
  for (struct simdevice *d = s->fleet; d != NULL; d = d->next) {
    if (d->dead_since == 0 ||
        nova_sim_now(s->sim) < d->dead_since + AGAIN_AFTER)
      continue;
    const char *id = NULL, *key = NULL;
    for (size_t i = 0; i < s->profile.devices; i++)
      if (strcmp(s->profile.device[i].id, d->id) == 0) {
        id = s->profile.device[i].id;
        key = s->profile.device[i].key;
      }
    device_end(s, d->id);
    device_start(s, id, key, ports[its_own(s)]);
    return; /* the list is another one now; the rest has its turn in a second */
  }
}

/* Runs to the end, and judges. */
static void play(struct simrun *s) {
  const char *why = NULL;
  if (nova_run_start(s->run, &why) != 0) {
    fprintf(stderr, "simrun: %s\n", why);
    exit(1);
  }
  for (size_t i = 0; s->o.by_hand && i < s->profile.devices; i++)
    device_start(s, s->profile.device[i].id, s->profile.device[i].key,
                 ports[its_own(s)]);
  while (!nova_run_over(s->run) && nova_sim_now(s->sim) < FOR_EVER) {
    nova_sim_run(s->sim,
                 s->o.by_hand ? nova_sim_now(s->sim) + NOVA_SEC : FOR_EVER);
    power_cycle(s);
  }
  s->took = nova_sim_now(s->sim);
  if (!nova_run_over(s->run)) {
    fprintf(stderr, "simrun: the run did not end\n");
    nova_run_interrupt(s->run, "the run did not end");
  }
  s->results = nova_run_results(s->run, NULL);
}

static struct simrun *device_run(struct simrun *s) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  if (nova_profile_read(&s->profile, "profile", declared, strlen(declared),
                        NULL, &diag) != 0) {
    fprintf(stderr, "%s", nova_buf_cstr(&diag.text));
    exit(1);
  }
  nova_diag_free(&diag);
  addresses(s, s->o.by_hand);
  for (unsigned i = 0; s->o.by_hand && i < (s->o.devices ? s->o.devices : 1);
       i++) {
    const char *why;
    const char *id = nova_arena_printf(&s->arena, "DEV-%06u", i + 1);
    const char *key = nova_arena_printf(&s->arena, "made-Up-kEy-%u", i + 1);
    nova_profile_add_device(&s->profile, nova_view_of(id), nova_view_of(key),
                            &why);
  }
  struct nova_sim_options net = s->o.net;
  net.unix_start_ns = UNIX_START;
  s->sim = nova_sim_new(NULL, &net);
  s->harness_side = nova_sim_attach(s->sim);
  s->harness_tls = nova_tls_wrap(NULL, s->harness_side);
  nova_sim_set_job(s->sim, device_job, s);
  static const char *const spawn[] = {"device", NULL};
  s->run = nova_run_new(
      &(struct nova_run_options){.catalog = s->o.catalog,
                                 .profile = &s->profile,
                                 .transport = s->harness_tls,
                                 .seed = s->o.seed,
                                 .only = s->o.only,
                                 .certificates = certificates(),
                                 .ca_file = "ca.pem",
                                 .client_cert_file = "client.pem",
                                 .client_key_file = "client.key",
                                 .spawn = s->o.by_hand ? NULL : spawn,
                                 .news = news,
                                 .user = s});
  if (s->run == NULL) {
    simrun_free(s);
    return NULL;
  }
  play(s);
  return s;
}

struct simrun *simrun_new(const struct simrun_options *o) {
  struct simrun *s = calloc(1, sizeof *s);
  if (s == NULL)
    return NULL;
  s->o = *o;
  if (s->o.over == 0)
    s->o.over = 1u << NOVA_OVER_TCP;
  nova_arena_init(&s->arena, NULL, 16 << 20);
  nova_profile_init(&s->profile, &s->arena);
  if (o->device)
    return device_run(s);
  s->profile.subject = NOVA_ROLE_SERVER;
  addresses(s, true);
  s->profile.platform = (struct nova_login){"platform", "pLatform-pAssword"};
  s->profile.client_certificates = s->o.client_certificates;
  const struct nova_certificates *certs = certificates();
  unsigned n = o->devices != 0 ? o->devices : 8;
  struct nova_credential list[64];
  for (unsigned i = 0; i < n && i < 64; i++) {
    const char *id = nova_arena_printf(&s->arena, "DEV-%06u", i + 1);
    const char *key = nova_arena_printf(&s->arena, "made-Up-kEy-%u-%c", i + 1,
                                        'a' + (int)i % 26);
    const char *why;
    nova_profile_add_device(&s->profile, nova_view_of(id), nova_view_of(key),
                            &why);
    list[i] = (struct nova_credential){nova_view_of(id), nova_view_of(key)};
  }
  struct nova_sim_options net = o->net;
  net.unix_start_ns = UNIX_START;
  s->sim = nova_sim_new(NULL, &net);
  s->server_side = nova_sim_attach(s->sim);
  s->harness_side = nova_sim_attach(s->sim);
  s->server_tls = nova_tls_wrap(NULL, s->server_side);
  s->harness_tls = nova_tls_wrap(NULL, s->harness_side);
  nova_sim_set_job(s->sim, hook, s);
  s->server = nova_server_new(&(struct nova_server_options){
      .unix_base = UNIX_START,
      .seed = o->seed,
      .devices = list,
      .device_count = n,
      .platform = {nova_view_of("platform"), nova_view_of("pLatform-"
                                                          "pAssword")},
      .faults = &s->o.faults});
  const char *why = NULL;
  struct nova_tls tls = {.server = true,
                         .own = certs->server[NOVA_CERTIFICATE_GOOD]};
  if (o->client_certificates) {
    tls.ca = certs->client_ca;
    tls.required = true;
  }
  s->serve = nova_serve_new(
      s->server_tls, s->server,
      &(struct nova_serve_options){
          .host = speaks(s, NOVA_OVER_TCP) ? "server" : NULL,
          .port = ports[NOVA_OVER_TCP],
          .mqtt_host = speaks(s, NOVA_OVER_MQTT) ? "server" : NULL,
          .mqtt_port = ports[NOVA_OVER_MQTT],
          .mqtts_host = speaks(s, NOVA_OVER_MQTTS) ? "server" : NULL,
          .mqtts_port = ports[NOVA_OVER_MQTTS],
          .tls = &tls,
          .certificates = certs,
          .crashed = crashed,
          .user = s},
      &why);
  struct nova_run_options ro = {.catalog = o->catalog,
                                .profile = &s->profile,
                                .transport = s->harness_tls,
                                .seed = o->seed,
                                .only = o->only,
                                .ca = certs->ca,
                                .own = certs->client,
                                .news = news,
                                .user = s};
  static const char *const argv[NOVA_HOOKS][3] = {{"hook", "0", NULL},
                                                  {"hook", "1", NULL},
                                                  {"hook", "2", NULL},
                                                  {"hook", "3", NULL},
                                                  {"hook", "4", NULL}};
  for (unsigned h = 0; h < NOVA_HOOKS && !o->no_hooks; h++)
    if (o->hooks == 0 || (o->hooks & 1u << h) != 0) {
      ro.hook[h] = argv[h];
      s->profile.hook[h] = "hook";
    }
  s->run = nova_run_new(&ro);
  if (s->serve == NULL || s->run == NULL) {
    fprintf(stderr, "simrun: %s\n", why != NULL ? why : "out of memory");
    simrun_free(s);
    return NULL;
  }
  play(s);
  return s;
}

void simrun_free(struct simrun *s) {
  if (s == NULL)
    return;
  nova_run_free(s->run);
  while (s->fleet != NULL) {
    struct simdevice *next = s->fleet->next;
    device_free(s->fleet);
    s->fleet = next;
  }
  nova_serve_free(s->serve);
  nova_server_free(s->server);
  nova_tls_unwrap(s->server_tls);
  nova_tls_unwrap(s->harness_tls);
  if (s->sim != NULL)
    nova_sim_free(s->sim);
  nova_arena_free(&s->arena);
  free(s);
}

const struct nova_results *simrun_results(const struct simrun *s) {
  return s->results;
}

nova_ts simrun_virtual_time(const struct simrun *s) {
  return s->took;
}

/* --- the catalog
 * --------------------------------------------------------------
 */

struct list {
  struct nova_spec_file file[256];
  size_t n;
};

static void gather(struct list *l, const char *root, const char *below) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", root, below);
  DIR *d = opendir(path);
  if (d == NULL)
    return;
  struct dirent *e;
  while ((e = readdir(d)) != NULL && l->n < 256) {
    if (e->d_name[0] == '.')
      continue;
    char rel[512], full[1600];
    snprintf(rel, sizeof rel, "%s%s%s", below, below[0] != '\0' ? "/" : "",
             e->d_name);
    snprintf(full, sizeof full, "%s/%s", root, rel);
    struct stat st;
    size_t n = strlen(rel);
    if (stat(full, &st) == 0 && S_ISDIR(st.st_mode)) {
      gather(l, root, rel);
    } else if (n > 5 && strcmp(rel + n - 5, ".yaml") == 0) {
      FILE *f = fopen(full, "rb");
      char *text = malloc((size_t)st.st_size + 1);
      if (f != NULL && text != NULL) {
        size_t got = fread(text, 1, (size_t)st.st_size, f);
        l->file[l->n++] = (struct nova_spec_file){strdup(rel), text, got};
      }
      if (f != NULL)
        fclose(f);
    }
  }
  closedir(d);
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const struct nova_spec_file *)a)->path,
                ((const struct nova_spec_file *)b)->path);
}

const struct nova_catalog *simrun_catalog(void) {
  static struct nova_catalog catalog;
  static struct list list;
  if (list.n != 0)
    return &catalog;
  const char *dir = getenv("NOVA_SPECS");
  gather(&list, dir != NULL ? dir : NOVA_SOURCE_DIR "/specs", "");
  qsort(list.file, list.n, sizeof list.file[0], by_path);
  nova_catalog_init(&catalog, NULL);
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  if (nova_catalog_load(&catalog, list.file, list.n, &diag) != 0) {
    fprintf(stderr, "%s", nova_buf_cstr(&diag.text));
    exit(1);
  }
  nova_diag_free(&diag);
  return &catalog;
}
