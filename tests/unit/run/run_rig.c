#include "unit/run/run_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define REQ(id)                                                                \
  "- {id: " id ", section: '1', binds: device, level: must, basis: stated, "   \
  "en: a, zh: b, judge: c}\n"
#define MOST 4000

struct nova_sim *rig_sim;
struct nova_transport *rig_harness, *rig_device;
struct nova_catalog rig_catalog;
struct nova_profile rig_profile;
struct nova_run_options rig_options;
struct nova_run *rig_run;
struct rig_job rig_job[RIG_JOBS];
size_t rig_jobs;
unsigned rig_times[8];
void (*rig_on_job)(const struct rig_job *job);

static struct nova_arena arena;
static struct nova_results *results;
static char state[MOST];
static bool let_in[MOST];
static char *words[MOST];

static void on_event(void *user, const struct nova_event *e) {
  (void)user;
  if (e->id >= MOST)
    return;
  switch (e->kind) {
  case NOVA_EVENT_CONNECTED:
    state[e->id] = 'C';
    if (words[e->id] != NULL)
      rig_say((unsigned)e->id, words[e->id]);
    return;
  case NOVA_EVENT_REFUSED: state[e->id] = 'X'; return;
  case NOVA_EVENT_EOF: state[e->id] = 'F'; return;
  case NOVA_EVENT_RESET: state[e->id] = 'R'; return;
  case NOVA_EVENT_BYTES:
    let_in[e->id] |= memmem(e->bytes.p, e->bytes.n, "success", 7) != NULL;
    return;
  case NOVA_EVENT_ACCEPTED:
  case NOVA_EVENT_SENT:
  case NOVA_EVENT_SECURED:
  case NOVA_EVENT_INSECURE:
  case NOVA_EVENT_JOB: return;
  }
}

static void on_expire(void *user, nova_ts now) {
  (void)user;
  (void)now;
}

static const char *env_of(const struct nova_job *job, const char *name) {
  size_t n = strlen(name);
  for (size_t i = 0; job->env[i] != NULL; i++)
    if (strncmp(job->env[i], name, n) == 0 && job->env[i][n] == '=')
      return job->env[i] + n + 1;
  return "";
}

static void on_job(void *user, const struct nova_job *job,
                   struct nova_sim_result *result) {
  (void)user;
  cr_assert_lt(rig_jobs, RIG_JOBS);
  struct rig_job *j = &rig_job[rig_jobs++];
  snprintf(j->id, sizeof j->id, "%s", env_of(job, "NOVA_DEVICE_ID"));
  snprintf(j->key, sizeof j->key, "%s", env_of(job, "NOVA_DEVICE_KEY"));
  j->port = (uint16_t)atoi(env_of(job, "NOVA_TCP_PORT"));
  j->party = result->party;
  j->job = result->id;
  result->duration = NOVA_TS_NONE;
  if (rig_on_job != NULL)
    rig_on_job(j);
}

static void on_news(void *user, const struct nova_run_news *n) {
  (void)user;
  rig_times[n->kind]++;
  if (n->kind == NOVA_RUN_OVER)
    nova_sim_stop(rig_sim);
}

void rig_load(const char *path, const char *text) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  struct nova_spec_file f = {path, text, strlen(text)};
  cr_assert_eq(nova_catalog_add(&rig_catalog, &f, &diag), 0, "%s",
               nova_buf_cstr(&diag.text));
  nova_diag_free(&diag);
}

void rig_conversation(const char *id, const char *device) {
  char text[1024];
  snprintf(text, sizeof text,
           "conversation: %s\ntitle: {en: a, zh: b}\ntransport: tcp\nsteps:\n"
           "- device: connect\n"
           "- {device: send, message: {type: auth, device_id: '$one_of(%s, "
           "$any)'}, within: 20s, relies_on: R-1}\n"
           "- {server: send, message: {type: auth_result, result: success}}\n"
           "- {device: send, message: {type: ping}, verifies: R-2}\n",
           id, device);
  rig_load("x.yaml", text);
}

void rig_profile_read(const char *text) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  cr_assert_eq(
      nova_profile_read(&rig_profile, "p", text, strlen(text), NULL, &diag), 0,
      "%s", nova_buf_cstr(&diag.text));
  nova_diag_free(&diag);
}

void rig_credential(const char *id, const char *key) {
  const char *why;
  cr_assert_eq(nova_profile_add_device(&rig_profile, nova_view_of(id),
                                       nova_view_of(key), &why),
               0);
}

void rig_setup(void) {
  rig_sim =
      nova_sim_new(NULL, &(struct nova_sim_options){
                             .unix_start_ns = UINT64_C(1800000000) * NOVA_SEC});
  rig_harness = nova_sim_attach(rig_sim);
  rig_device = nova_sim_attach(rig_sim);
  rig_device->handler =
      (struct nova_handler){.event = on_event, .expire = on_expire};
  nova_sim_set_job(rig_sim, on_job, NULL);
  nova_catalog_init(&rig_catalog, NULL);
  nova_arena_init(&arena, NULL, 1 << 20);
  nova_profile_init(&rig_profile, &arena);
  rig_profile.subject = NOVA_ROLE_DEVICE;
  rig_profile.tcp = (struct nova_address){"server", RIG_PORT};
  rig_load("requirements.yaml",
           "requirements:\n" REQ("R-1") REQ("R-2") REQ("R-3") REQ("R-4"));
  rig_options = (struct nova_run_options){.catalog = &rig_catalog,
                                          .profile = &rig_profile,
                                          .transport = rig_harness,
                                          .seed = 1,
                                          .news = on_news};
  rig_run = NULL;
  results = NULL;
  rig_jobs = 0;
  rig_on_job = NULL;
  memset(rig_times, 0, sizeof rig_times);
  memset(state, '-', sizeof state);
}

void rig_teardown(void) {
  nova_run_free(rig_run);
  nova_sim_free(rig_sim);
  nova_catalog_free(&rig_catalog);
  nova_arena_free(&arena);
  for (size_t i = 0; i < MOST; i++) {
    free(words[i]);
    words[i] = NULL;
    let_in[i] = false;
  }
  rig_run = NULL;
}

bool rig_start(bool spawn, const char **why) {
  static const char *const argv[] = {"device", NULL};
  rig_options.spawn = spawn ? argv : NULL;
  rig_run = nova_run_new(&rig_options);
  cr_assert_not_null(rig_run);
  return nova_run_start(rig_run, why) == 0;
}

void rig_pass(nova_ts span) {
  nova_sim_run(rig_sim, nova_sim_now(rig_sim) + span);
}

void rig_to_the_end(void) {
  nova_sim_run(rig_sim, nova_sim_now(rig_sim) + 24 * 3600 * NOVA_SEC);
  cr_assert(nova_run_over(rig_run), "the run does not end");
}

void rig_connect(unsigned n, uint16_t port, const char *text) {
  cr_assert_lt(n, MOST);
  free(words[n]);
  words[n] = text != NULL ? strdup(text) : NULL;
  rig_device->ops->connect(rig_device, n, "server", port, 5 * NOVA_SEC);
}

void rig_say(unsigned n, const char *text) {
  rig_device->ops->send(rig_device, n, text, strlen(text));
}

void rig_close(unsigned n, bool rst) {
  rig_device->ops->close(rig_device, n, rst);
}

char rig_state(unsigned n) {
  return state[n];
}

bool rig_let_in(unsigned n) {
  return let_in[n];
}

const struct nova_conversation_result *rig_result(const char *id) {
  if (results == NULL)
    results = nova_run_results(rig_run, NULL);
  cr_assert_not_null(results);
  size_t i = 0;
  while (i < results->conversations &&
         strcmp(results->conversation[i].id, id) != 0)
    i++;
  cr_assert_lt(i, results->conversations, "no conversation %s", id);
  return &results->conversation[i];
}
