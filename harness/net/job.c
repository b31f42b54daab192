/* Programs: hooks, and peers under test. Each is the leader of a session and a
 * process group of its own, so that what it starts can be ended with it.
 *
 *   RUNNING --timeout, stop(), output limit--> ENDING --2 s--> KILLED --2 s--+
 *      |                                         |                |          |
 *      +------------- it exits ------------------+----------------+          |
 *      v                                                                     v
 *   DRAINING --both pipes at their end, or 200 ms--> JOB is told <-----------+
 *
 * A child that keeps the pipes open does not hold the job up: after the 200 ms
 * they are closed and the group is killed. Where the whole group is the job
 * (LEFT) it goes on until the last one of it has ended. */
#include "net/loop_world.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ERRORS_KEPT = 4096 };

#define TERM_WAIT  (2 * NOVA_SEC)
#define KILL_WAIT  (2 * NOVA_SEC)
#define PIPES_WAIT (200 * NOVA_MS)
/* How often it is looked whether a group has gone. */
#define GROUP_EVERY (100 * NOVA_MS)

#define CONTAINER(p, type, member)                                             \
  ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* LEFT: the program is gone, others of its group are not. */
enum job_state { RUNNING, LEFT, ENDING, KILLED, DRAINING };

/* Why we ended it, if we did. */
enum job_reason { BY_ITSELF, STOPPED, TOO_LONG, TOO_MUCH };

/* The process in libuv's keeping; it may outlive the job, to be reaped. */
struct process {
  uv_process_t handle;
  struct nova_loop *loop;
  struct job *job; /* NULL: nobody waits for it */
};

struct job {
  struct nova_loop *loop;
  struct nova__user *user; /* NULL: dropped */
  uint64_t id;
  struct process *process; /* until it was reaped */
  struct nova__sock *out, *err;
  struct nova__alarm *alarm;
  struct nova__later later; /* JOB is to be told */
  struct nova_buf output;
  size_t output_limit;
  char errors[ERRORS_KEPT];
  size_t errors_n;
  nova_ts begun, ended;
  nova_ts deadline; /* while others of its group are left, NONE */
  enum job_state state;
  enum job_reason reason;
  int pid, code;
  bool drain, whole_group;
};

/* Sends |number| to the group; to the process alone if there is none yet. */
static void send_signal(const struct job *job, int number) {
  if (job->pid > 0 && kill(-job->pid, number) != 0 && job->process != NULL)
    (void)uv_process_kill(&job->process->handle, number);
}

static void free_process(uv_handle_t *handle) {
  struct process *p = handle->data;
  p->loop->processes--;
  nova_mem_free(p->loop->mem, p);
}

/* Ends it without an event: the pipes are closed, the process is left to be
 * reaped. */
static void job_free(struct job *job) {
  if (job->user != NULL)
    nova__idmap_remove(&job->user->jobs, job->id);
  if (job->process != NULL)
    job->process->job = NULL;
  nova__sock_close(job->out);
  nova__sock_close(job->err);
  nova__alarm_free(job->alarm);
  nova__later_cancel(&job->later);
  nova_buf_free(&job->output);
  nova_mem_free(job->loop->mem, job);
}

void nova__job_drop(void *job) {
  struct job *j = job;
  send_signal(j, SIGKILL);
  job_free(j);
}

/* Tells JOB. */
static void finish(struct job *job) {
  struct nova__user *user = job->user;
  struct nova_event event = {.kind = NOVA_EVENT_JOB,
                             .id = job->id,
                             .t = job->ended,
                             .since = job->begun,
                             .bytes = nova_buf_view(&job->output),
                             .errors = {job->errors, job->errors_n},
                             .code = job->code};
  switch (job->reason) {
  case BY_ITSELF:
  case STOPPED: break;
  case TOO_LONG: event.code = NOVA_CODE_TIMEOUT; break;
  case TOO_MUCH: event.code = NOVA_CODE_LIMIT; break;
  }
  if (event.bytes.n > job->output_limit)
    event.bytes.n = job->output_limit;
  /* Whoever holds the pipes still, and whoever is left of a job that was not to
   * end by itself. What a job left behind on purpose (a service with output of
   * its own) stays. */
  if (job->out != NULL || job->err != NULL || job->reason != BY_ITSELF)
    send_signal(job, SIGKILL);
  nova__idmap_remove(&user->jobs, job->id);
  job->user = NULL;
  nova__tell(user, &event);
  job_free(job);
}

static void on_later(struct nova__later *later) {
  finish(CONTAINER(later, struct job, later));
}

static void tell_soon(struct job *job) {
  nova__alarm_set(job->alarm, NOVA_TS_NONE);
  nova__later_ask(job->loop, &job->later);
}

static void set_state(struct job *job, enum job_state state, nova_ts wait) {
  job->state = state;
  nova__alarm_set(job->alarm, nova_ts_add(uv_hrtime(), wait));
}

static bool group_lives(const struct job *job) {
  return job->pid > 0 && kill(-job->pid, 0) == 0;
}

static void begin_ending(struct job *job, enum job_reason reason) {
  if (job->state != RUNNING && job->state != LEFT)
    return;
  job->reason = reason;
  set_state(job, ENDING, TERM_WAIT);
  send_signal(job, SIGTERM);
}

/* The pipes are read to their end, and the process is gone: that was it. */
static void check_end(struct job *job) {
  if (job->state == DRAINING && job->out == NULL && job->err == NULL)
    tell_soon(job);
}

static void on_alarm(void *owner) {
  struct job *job = owner;
  switch (job->state) {
  case RUNNING: begin_ending(job, TOO_LONG); return;
  case LEFT:
    job->ended = uv_hrtime();
    if (!group_lives(job)) {
      set_state(job, DRAINING, PIPES_WAIT);
      check_end(job);
    } else if (job->ended >= job->deadline) {
      begin_ending(job, TOO_LONG);
    } else {
      set_state(job, LEFT, GROUP_EVERY);
    }
    return;
  case ENDING:
    send_signal(job, SIGKILL);
    if (job->process == NULL) { /* only others of its group were left */
      job->ended = uv_hrtime();
      set_state(job, DRAINING, PIPES_WAIT);
      check_end(job);
      return;
    }
    set_state(job, KILLED, KILL_WAIT);
    return;
  case KILLED:
    /* It does not even die: waiting for a disk, perhaps. */
    job->ended = uv_hrtime();
    job->code = NOVA_CODE_SIGNAL;
    tell_soon(job);
    return;
  case DRAINING: tell_soon(job); return;
  }
}

static void on_exit_of(uv_process_t *handle, int64_t status, int number) {
  struct process *p = handle->data;
  struct job *job = p->job;
  uv_close((uv_handle_t *)handle, free_process);
  if (job == NULL)
    return;
  job->process = NULL;
  job->ended = uv_hrtime();
  job->code = number != 0 ? NOVA_CODE_SIGNAL : (int)status;
  if (job->whole_group && job->reason == BY_ITSELF && group_lives(job)) {
    set_state(job, LEFT, GROUP_EVERY);
    return;
  }
  set_state(job, DRAINING, PIPES_WAIT);
  check_end(job);
}

/* Reads a pipe once, into the loop's buffer. Returns the number of bytes, 0 for
 * none now; at the end, or by an error, the pipe is closed. */
static size_t read_pipe(struct job *job, struct nova__sock **sock) {
  struct nova_loop *loop = job->loop;
  ssize_t n = read((*sock)->fd, loop->buffer, sizeof loop->buffer);
  if (n > 0)
    return (size_t)n;
  if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    nova__sock_close(*sock);
    *sock = NULL;
    check_end(job);
  }
  return 0;
}

static void on_out(void *owner, int status, int events) {
  struct job *job = owner;
  (void)events;
  size_t n = read_pipe(job, &job->out);
  if (job->out != NULL && status < 0)
    nova__sock_want(job->out, UV_READABLE);
  size_t room = job->output_limit - job->output.len;
  size_t keep = n < room ? n : room;
  int err = nova_buf_append(&job->output, job->loop->buffer, keep);
  if ((err != 0 || n > room) && !job->drain) {
    /* Closing the pipe helps to end it: writing brings SIGPIPE. */
    nova__sock_close(job->out);
    job->out = NULL;
    if (job->state == DRAINING)
      job->reason = TOO_MUCH;
    else
      begin_ending(job, TOO_MUCH);
    check_end(job);
  }
}

static void on_err(void *owner, int status, int events) {
  struct job *job = owner;
  (void)events;
  size_t n = read_pipe(job, &job->err);
  if (job->err != NULL && status < 0)
    nova__sock_want(job->err, UV_READABLE);
  const char *from = job->loop->buffer;
  if (n > ERRORS_KEPT) {
    from += n - ERRORS_KEPT;
    n = ERRORS_KEPT;
  }
  size_t old = job->errors_n;
  if (old > ERRORS_KEPT - n) {
    old = ERRORS_KEPT - n;
    memmove(job->errors, job->errors + job->errors_n - old, old);
  }
  memcpy(job->errors + old, from, n);
  job->errors_n = old + n;
}

/* Starting. */

static bool names_equal(const char *a, const char *b) {
  size_t n = strcspn(a, "=");
  return n == strcspn(b, "=") && memcmp(a, b, n) == 0;
}

/* Our environment with |added| in place of what it has under the same names.
 * One allocation of pointers; NULL without memory. */
static const char **make_environment(struct nova_loop *loop,
                                     const char *const *added) {
  size_t n = 0, extra = 0, k = 0;
  while (environ[n] != NULL)
    n++;
  while (added != NULL && added[extra] != NULL)
    extra++;
  const char **env = nova_mem_alloc(loop->mem, (n + extra + 1) * sizeof *env);
  if (env == NULL)
    return NULL;
  for (size_t i = 0; i < n; i++) {
    bool replaced = false;
    for (size_t j = 0; j < extra && !replaced; j++)
      replaced = names_equal(environ[i], added[j]);
    if (!replaced)
      env[k++] = environ[i];
  }
  for (size_t j = 0; j < extra; j++)
    env[k++] = added[j];
  env[k] = NULL;
  return env;
}

/* The program could not be started: why goes where its errors would. */
static void not_started(struct job *job, const struct nova_job *spec,
                        int error) {
  struct stat st;
  int n;
  if (spec->cwd != NULL && stat(spec->cwd, &st) != 0)
    n = snprintf(job->errors, sizeof job->errors,
                 "%s cannot be started: the directory %s: %s", spec->argv[0],
                 spec->cwd, strerror(errno));
  else
    n = snprintf(job->errors, sizeof job->errors, "%s cannot be started: %s",
                 spec->argv[0], uv_strerror(error));
  job->errors_n = n < 0             ? 0
                  : n < ERRORS_KEPT ? (size_t)n
                                    : (size_t)ERRORS_KEPT - 1;
  job->ended = uv_hrtime();
  job->code = NOVA_CODE_NOT_STARTED;
  tell_soon(job);
}

/* A pipe whose end for us is watched. Returns the end for the program, or a
 * negative error of libuv's. */
static int open_pipe(struct nova_loop *loop, struct nova__sock **sock,
                     void (*fn)(void *, int, int), struct job *job) {
  int fd[2];
  /* A pipe and not the pair of sockets that libuv would make: programs open
   * /dev/stdout, which sockets do not allow. */
  if (pipe2(fd, O_CLOEXEC) != 0)
    return uv_translate_sys_error(errno);
  (void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
  *sock = nova__sock_new(loop, fd[0], fn, job);
  if (*sock == NULL) {
    close(fd[1]);
    return UV_ENOMEM;
  }
  nova__sock_want(*sock, UV_READABLE);
  return fd[1];
}

/* Starts the process. Returns 0 or an error of libuv's. */
static int spawn(struct job *job, const struct nova_job *spec, int out,
                 int err) {
  struct nova_loop *loop = job->loop;
  struct process *p = nova_mem_zalloc(loop->mem, sizeof *p);
  const char **env = make_environment(loop, spec->env);
  if (p == NULL || env == NULL) {
    nova_mem_free(loop->mem, p);
    nova_mem_free(loop->mem, env);
    return UV_ENOMEM;
  }
  uv_stdio_container_t stdio[3] = {
      {.flags = UV_IGNORE},
      {.flags = UV_INHERIT_FD, .data.fd = out},
      {.flags = UV_INHERIT_FD, .data.fd = err},
  };
  /* libuv's fields lack const; it changes neither. */
  uv_process_options_t options = {.exit_cb = on_exit_of,
                                  .file = spec->argv[0],
                                  .args = (char **)(uintptr_t)spec->argv,
                                  .env = (char **)(uintptr_t)env,
                                  .cwd = spec->cwd,
                                  .flags = UV_PROCESS_DETACHED,
                                  .stdio_count = 3,
                                  .stdio = stdio};
  p->loop = loop;
  p->handle.data = p;
  loop->processes++;
  job->begun = uv_hrtime();
  int error = uv_spawn(&loop->uv, &p->handle, &options);
  nova_mem_free(loop->mem, env);
  if (error != 0) {
    uv_close((uv_handle_t *)&p->handle, free_process);
    return error;
  }
  p->job = job;
  job->process = p;
  job->pid = p->handle.pid;
  return 0;
}

static void start(struct job *job, const struct nova_job *spec) {
  int out = open_pipe(job->loop, &job->out, on_out, job);
  int err = out < 0 ? out : open_pipe(job->loop, &job->err, on_err, job);
  int error = err < 0 ? err : spawn(job, spec, out, err);
  if (out >= 0)
    close(out);
  if (err >= 0)
    close(err);
  if (error == 0) {
    job->deadline = nova_ts_add(job->begun, spec->timeout);
    set_state(job, RUNNING, spec->timeout);
    return;
  }
  nova__sock_close(job->out);
  nova__sock_close(job->err);
  job->out = job->err = NULL;
  not_started(job, spec, error);
}

int nova__loop_run(struct nova_transport *t, uint64_t id,
                   const struct nova_job *spec) {
  struct nova__user *user = nova__user(t);
  struct nova_loop *loop = user->loop;
  if (spec->argv == NULL || spec->argv[0] == NULL ||
      spec->output_limit > SIZE_MAX / 2 ||
      nova__idmap_get(&user->jobs, id) != NULL)
    return NOVA_ERR_ARGUMENT;
  struct job *job = nova_mem_zalloc(loop->mem, sizeof *job);
  if (job == NULL)
    return NOVA_ERR_NO_MEMORY;
  job->loop = loop;
  job->id = id;
  job->output_limit = spec->output_limit;
  job->drain = spec->drain;
  job->whole_group = spec->whole_group;
  job->begun = uv_hrtime();
  nova_buf_init(&job->output, loop->mem,
                spec->output_limit != 0 ? spec->output_limit : 1);
  nova__later_init(&job->later, on_later);
  job->alarm = nova__alarm_new(loop, on_alarm, job);
  if (job->alarm == NULL || nova__idmap_add(&user->jobs, id, job) != 0) {
    job_free(job);
    return NOVA_ERR_NO_MEMORY;
  }
  job->user = user;
  start(job, spec);
  return 0;
}

void nova__loop_stop_job(struct nova_transport *t, uint64_t id) {
  struct job *job = nova__idmap_get(&nova__user(t)->jobs, id);
  if (job != NULL && (job->process != NULL || job->state == LEFT))
    begin_ending(job, STOPPED);
}
