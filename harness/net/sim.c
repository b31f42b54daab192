/* The simulated world: its clock, parties, listeners and jobs. Connections are
 * in sim_conn.c. */
#include "net/sim_world.h"

#include "base/error.h"
#include "base/unreachable.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
  DEFAULT_WINDOW = 256 * 1024,
  STUCK = 10 * 1000 * 1000, /* events at one point in time */
  JOB_OUTPUT_MAX = 16 * 1024 * 1024,
  JOB_ERRORS_MAX = 4096 /* as much as the real loop keeps */
};

struct nova_sim *nova_sim_new(const struct nova_mem *mem,
                              const struct nova_sim_options *options) {
  struct nova_sim *sim = nova_mem_zalloc(mem, sizeof *sim);
  if (sim == NULL)
    return NULL;
  sim->mem = mem;
  if (options != NULL)
    sim->options = *options;
  if (sim->options.window == 0)
    sim->options.window = DEFAULT_WINDOW;
  nova__heap_init(&sim->heap, mem);
  return sim;
}

void nova_sim_free(struct nova_sim *sim) {
  if (sim == NULL)
    return;
  while (sim->parties != NULL)
    nova_sim_detach(&sim->parties->base);
  while (sim->conns != NULL)
    nova__sim_conn_free(sim->conns);
  nova__heap_free(&sim->heap);
  nova_mem_free(sim->mem, sim);
}

/* Time. */

static nova_ts op_now(struct nova_transport *t) {
  return nova__sim_party(t)->sim->now;
}

static uint64_t op_unix_ns(struct nova_transport *t) {
  const struct nova_sim *sim = nova__sim_party(t)->sim;
  return sim->options.unix_start_ns + sim->now;
}

static void op_wake_at(struct nova_transport *t, nova_ts when) {
  struct nova__sim_party *party = nova__sim_party(t);
  struct nova_sim *sim = party->sim;
  if (when == NOVA_TS_NONE || party->crashed) {
    nova__heap_remove(&sim->heap, &party->wake);
    return;
  }
  if (when < sim->now)
    when = sim->now;
  if (sim->options.late_max != 0)
    when = nova_ts_add(when,
                       nova_rng_below(&party->rng, sim->options.late_max + 1));
  nova__heap_set(&sim->heap, &party->wake, when);
}

/* Listeners. */

static bool is_wildcard(const char *host) {
  return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ||
         strcmp(host, "*") == 0;
}

struct nova__sim_listener *
nova__sim_find_listener(struct nova_sim *sim, const char *host, uint16_t port) {
  struct nova__sim_listener *any = NULL;
  for (struct nova__sim_listener *l = sim->listeners; l != NULL; l = l->next) {
    if (l->port != port)
      continue;
    if (strcasecmp(l->host, host) == 0)
      return l;
    if (is_wildcard(l->host))
      any = l;
  }
  return any;
}

/* Whether |host|:|port| cannot be listened on, because somebody does. */
static bool taken(const struct nova_sim *sim, const char *host, uint16_t port) {
  for (const struct nova__sim_listener *l = sim->listeners; l != NULL;
       l = l->next)
    if (l->port == port && (strcasecmp(l->host, host) == 0 ||
                            is_wildcard(l->host) || is_wildcard(host)))
      return true;
  return false;
}

/* A port that nobody listens on with that host, 0 for none. */
static uint16_t free_port(const struct nova_sim *sim, const char *host) {
  for (unsigned port = 49152; port <= 65535; port++)
    if (!taken(sim, host, (uint16_t)port))
      return (uint16_t)port;
  return 0;
}

static int op_listen(struct nova_transport *t, uint64_t id, const char *host,
                     uint16_t port, uint16_t *bound, const char **why) {
  struct nova__sim_party *party = nova__sim_party(t);
  struct nova_sim *sim = party->sim;
  *why = "out of memory";
  if (party->crashed) {
    *why = "the party is down";
    return NOVA_ERR_STATE;
  }
  if (host == NULL || *host == '\0' || strlen(host) > 255) {
    *why = "a host to listen on is a name of 1 to 255 bytes";
    return NOVA_ERR_ARGUMENT;
  }
  for (struct nova__sim_listener *l = sim->listeners; l != NULL; l = l->next)
    if (l->party == party && l->id == id) {
      *why = "the listener's id is in use";
      return NOVA_ERR_ARGUMENT;
    }
  if (port == 0)
    port = free_port(sim, host);
  if (port == 0 || taken(sim, host, port)) {
    snprintf(sim->why, sizeof sim->why, "%s:%u is already in use", host,
             (unsigned)port);
    *why = sim->why;
    return NOVA_ERR_ARGUMENT;
  }
  size_t n = strlen(host) + 1;
  struct nova__sim_listener *l = nova_mem_zalloc(sim->mem, sizeof *l + n);
  if (l == NULL)
    return NOVA_ERR_NO_MEMORY;
  memcpy(l->host, host, n);
  l->party = party;
  l->id = id;
  l->port = port;
  l->next = sim->listeners;
  sim->listeners = l;
  *bound = port;
  *why = NULL;
  return 0;
}

/* Removes the listeners of |party|: all of them, or the one with |id|. */
static void remove_listeners(struct nova__sim_party *party, bool all,
                             uint64_t id) {
  struct nova__sim_listener **p = &party->sim->listeners;
  while (*p != NULL) {
    struct nova__sim_listener *l = *p;
    if (l->party == party && (all || l->id == id)) {
      *p = l->next;
      nova_mem_free(party->sim->mem, l);
    } else {
      p = &l->next;
    }
  }
}

static void op_unlisten(struct nova_transport *t, uint64_t listener) {
  remove_listeners(nova__sim_party(t), false, listener);
}

/* Jobs. */

static void job_free(struct nova__sim_job *job) {
  struct nova_sim *sim = job->party->sim;
  nova__idmap_remove(&job->party->jobs, job->id);
  nova__heap_remove(&sim->heap, &job->node);
  nova__heap_release(&sim->heap, 1);
  nova_buf_free(&job->output);
  nova_buf_free(&job->errors);
  nova_mem_free(sim->mem, job);
}

/* Lets the job's function answer, applies the limits of |spec|, and sets when
 * the job ends. */
static void job_answer(struct nova__sim_job *job, const struct nova_job *spec) {
  struct nova_sim *sim = job->party->sim;
  struct nova_sim_result result = {.duration = sim->options.job_delay,
                                   .output = &job->output,
                                   .errors = &job->errors,
                                   .party = &job->party->base,
                                   .id = job->id};
  if (sim->job_fn != NULL) {
    sim->job_fn(sim->job_user, spec, &result);
  } else {
    result.exit_code = NOVA_CODE_NOT_STARTED;
    result.duration = 0;
    (void)nova_buf_puts(&job->errors, "no program can be started here");
  }
  job->code = result.exit_code;
  if (job->output.len > spec->output_limit) {
    job->output.len = spec->output_limit;
    if (!spec->drain)
      job->code = NOVA_CODE_LIMIT;
  }
  if (spec->timeout < result.duration) {
    job->code = NOVA_CODE_TIMEOUT;
    result.duration = spec->timeout;
  }
  if (result.duration != NOVA_TS_NONE)
    nova__heap_set(&sim->heap, &job->node,
                   nova_ts_add(sim->now, result.duration));
}

static int op_run(struct nova_transport *t, uint64_t id,
                  const struct nova_job *spec) {
  struct nova__sim_party *party = nova__sim_party(t);
  struct nova_sim *sim = party->sim;
  if (party->crashed)
    return NOVA_ERR_STATE;
  if (spec->argv == NULL || spec->argv[0] == NULL ||
      nova__idmap_get(&party->jobs, id) != NULL)
    return NOVA_ERR_ARGUMENT;
  struct nova__sim_job *job = nova_mem_zalloc(sim->mem, sizeof *job);
  if (job == NULL)
    return NOVA_ERR_NO_MEMORY;
  if (nova__heap_promise(&sim->heap, 1) != 0) {
    nova_mem_free(sim->mem, job);
    return NOVA_ERR_NO_MEMORY;
  }
  if (nova__idmap_add(&party->jobs, id, job) != 0) {
    nova__heap_release(&sim->heap, 1);
    nova_mem_free(sim->mem, job);
    return NOVA_ERR_NO_MEMORY;
  }
  job->node.kind = NOVA__SIM_JOB;
  job->party = party;
  job->id = id;
  job->begun = sim->now;
  nova_buf_init(&job->output, sim->mem, JOB_OUTPUT_MAX);
  nova_buf_init(&job->errors, sim->mem, JOB_ERRORS_MAX);
  job_answer(job, spec);
  return 0;
}

static void op_stop(struct nova_transport *t, uint64_t id) {
  struct nova__sim_party *party = nova__sim_party(t);
  struct nova__sim_job *job = nova__idmap_get(&party->jobs, id);
  if (job == NULL)
    return;
  job->code = NOVA_CODE_SIGNAL;
  nova__heap_set(&party->sim->heap, &job->node, party->sim->now);
}

void nova_sim_exit(struct nova_transport *t, uint64_t id, int code) {
  struct nova__sim_party *party = nova__sim_party(t);
  struct nova__sim_job *job = nova__idmap_get(&party->jobs, id);
  if (job == NULL)
    return;
  job->code = code;
  nova__heap_set(&party->sim->heap, &job->node, party->sim->now);
}

static void job_end(struct nova__sim_job *job) {
  struct nova_sim *sim = job->party->sim;
  struct nova_handler handler = job->party->base.handler;
  struct nova_event event = {.kind = NOVA_EVENT_JOB,
                             .id = job->id,
                             .t = sim->now,
                             .since = job->begun,
                             .bytes = nova_buf_view(&job->output),
                             .errors = nova_buf_view(&job->errors),
                             .code = job->code};
  /* The handler may start another job under the id, or take the party away:
   * the buffers are moved out of both's reach. */
  struct nova_buf output = job->output, errors = job->errors;
  nova_buf_init(&job->output, sim->mem, 1);
  nova_buf_init(&job->errors, sim->mem, 1);
  job_free(job);
  if (handler.event != NULL)
    handler.event(handler.user, &event);
  nova_buf_free(&output);
  nova_buf_free(&errors);
}

/* Parties. */

static const struct nova_transport_ops ops = {
    .now = op_now,
    .unix_ns = op_unix_ns,
    .connect = nova__sim_connect,
    .listen = op_listen,
    .send = nova__sim_send,
    .half_close = nova__sim_half_close,
    .close = nova__sim_close,
    .pause = nova__sim_pause,
    .run = op_run,
    .stop = op_stop,
    .wake_at = op_wake_at,
    .unlisten = op_unlisten,
};

struct nova_transport *nova_sim_attach(struct nova_sim *sim) {
  struct nova__sim_party *party = nova_mem_zalloc(sim->mem, sizeof *party);
  if (party == NULL)
    return NULL;
  if (nova__heap_promise(&sim->heap, 1) != 0) {
    nova_mem_free(sim->mem, party);
    return NULL;
  }
  party->base.ops = &ops;
  party->sim = sim;
  party->wake.kind = NOVA__SIM_WAKE;
  party->next_id = UINT64_C(1) << 32;
  nova_rng_init(&party->rng, nova_rng_derive(sim->options.seed, "party") ^
                                 ++sim->party_count);
  nova__idmap_init(&party->sides, sim->mem);
  nova__idmap_init(&party->jobs, sim->mem);
  party->next = sim->parties;
  if (party->next != NULL)
    party->next->prev = party;
  sim->parties = party;
  return &party->base;
}

/* Takes all that the party has. */
static void strip(struct nova__sim_party *party, bool rst) {
  void *p;
  party->crashed = true;
  while ((p = nova__idmap_any(&party->sides)) != NULL)
    nova__sim_leave(p, rst);
  while ((p = nova__idmap_any(&party->jobs)) != NULL)
    job_free(p);
  remove_listeners(party, true, 0);
  nova__heap_remove(&party->sim->heap, &party->wake);
}

void nova_sim_crash(struct nova_sim *sim, struct nova_transport *transport) {
  (void)sim;
  strip(nova__sim_party(transport), true);
}

void nova_sim_revive(struct nova_sim *sim, struct nova_transport *transport) {
  (void)sim;
  nova__sim_party(transport)->crashed = false;
}

void nova_sim_detach(struct nova_transport *transport) {
  struct nova__sim_party *party = nova__sim_party(transport);
  struct nova_sim *sim = party->sim;
  strip(party, false);
  nova__heap_release(&sim->heap, 1);
  nova__idmap_free(&party->sides);
  nova__idmap_free(&party->jobs);
  *(party->prev != NULL ? &party->prev->next : &sim->parties) = party->next;
  if (party->next != NULL)
    party->next->prev = party->prev;
  nova_mem_free(sim->mem, party);
}

void nova_sim_set_job(struct nova_sim *sim,
                      void (*fn)(void *user, const struct nova_job *job,
                                 struct nova_sim_result *result),
                      void *user) {
  sim->job_fn = fn;
  sim->job_user = user;
}

/* The run. */

#define CONTAINER(node, type, member)                                          \
  ((type *)(void *)((char *)(node)-offsetof(type, member)))

static void wake(struct nova__sim_party *party) {
  if (party->base.handler.expire != NULL)
    party->base.handler.expire(party->base.handler.user, party->sim->now);
}

static void process(struct nova__heap_node *node) {
  switch ((enum nova__sim_node)node->kind) {
  case NOVA__SIM_ARRIVAL:
    nova__sim_arrive(CONTAINER(node, struct nova__sim_dir, node));
    return;
  case NOVA__SIM_SENT:
    nova__sim_report_sent(CONTAINER(node, struct nova__sim_side, sent_node));
    return;
  case NOVA__SIM_FATE:
    nova__sim_meet_fate(CONTAINER(node, struct nova__sim_conn, fate));
    return;
  case NOVA__SIM_WAKE:
    wake(CONTAINER(node, struct nova__sim_party, wake));
    return;
  case NOVA__SIM_JOB:
    job_end(CONTAINER(node, struct nova__sim_job, node));
    return;
  }
  nova_unreachable();
}

enum nova_sim_end nova_sim_run(struct nova_sim *sim, nova_ts until) {
  struct nova__heap_node *node;
  nova_ts t;
  sim->stopped = false;
  while ((node = nova__heap_pop(&sim->heap, until, &t)) != NULL) {
    if (t != sim->now)
      sim->same_time = 0;
    sim->now = t;
    sim->events++;
    process(node);
    if (sim->stopped)
      return NOVA_SIM_STOPPED;
    if (++sim->same_time >= STUCK)
      return NOVA_SIM_STUCK;
  }
  if (until != NOVA_TS_NONE && until > sim->now)
    sim->now = until;
  return sim->heap.n == 0 ? NOVA_SIM_IDLE : NOVA_SIM_UNTIL;
}

void nova_sim_stop(struct nova_sim *sim) {
  sim->stopped = true;
}

nova_ts nova_sim_now(const struct nova_sim *sim) {
  return sim->now;
}

uint64_t nova_sim_events(const struct nova_sim *sim) {
  return sim->events;
}

size_t nova_sim_connections(const struct nova_sim *sim) {
  return sim->conn_count;
}
