/* Programs that the loop runs: what they say, and that each of them ends. */
#include "unit/net/world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct nova_job spec_of(const char *const *argv) {
  return (struct nova_job){
      .argv = argv, .timeout = 20 * NOVA_SEC, .output_limit = 65536};
}

static int run_job(struct world *w, uint64_t id, const struct nova_job *spec) {
  w->inside = true;
  int err = w->a.t->ops->run(w->a.t, id, spec);
  w->inside = false;
  return err;
}

/* Runs |spec| under id 1 and waits for it. */
static const struct seen *run_to_end(struct world *w,
                                     const struct nova_job *spec) {
  size_t before = party_count(&w->a, NOVA_EVENT_JOB, 1);
  cr_assert_eq(run_job(w, 1, spec), 0);
  world_await(w, &w->a, NOVA_EVENT_JOB, 1, before + 1);
  return party_last(&w->a, NOVA_EVENT_JOB, 1);
}

static const struct seen *run_shell(struct world *w, const char *script) {
  const char *const argv[] = {"/bin/sh", "-c", script, NULL};
  struct nova_job spec = spec_of(argv);
  return run_to_end(w, &spec);
}

static const char *output(struct world *w) {
  return nova_buf_cstr(&w->a.text);
}

static const char *errors(struct world *w) {
  return nova_buf_cstr(&w->a.errors);
}

/* Whether the process runs; one that only waits to be reaped does not. */
static bool is_alive(long pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  FILE *f = fopen(path, "r");
  if (f == NULL)
    return false;
  const char *got = fgets(line, sizeof line, f);
  fclose(f);
  const char *p = got != NULL ? strrchr(got, ')') : NULL;
  return p != NULL && p[2] != 'Z' && p[2] != 'X';
}

static bool dies_soon(long pid) {
  for (int i = 0; i < 100 && is_alive(pid); i++)
    usleep(20000);
  return !is_alive(pid);
}

#define JOB_TEST(name)                                                         \
  static void name(struct world *w);                                           \
  Test(job, name) {                                                            \
    struct world w;                                                            \
    world_open_loop(&w);                                                       \
    name(&w);                                                                  \
    world_free(&w);                                                            \
  }                                                                            \
  static void name(struct world *w)

JOB_TEST(says_what_the_program_said) {
  nova_ts before = net_now(&w->a);
  const struct seen *e = run_shell(w, "echo out; echo err >&2; exit 3");
  cr_assert_eq(e->code, 3);
  cr_assert_str_eq(output(w), "out\n");
  cr_assert_str_eq(errors(w), "err\n");
  cr_assert_geq(e->since, before);
  cr_assert_leq(e->t, net_now(&w->a));
  cr_assert_eq(run_shell(w, ":")->code, 0, "the id is free again");
  cr_assert_str_eq(output(w), "");
}

JOB_TEST(no_shell_comes_between) {
  const char *const argv[] = {"printf", "%s|", "$HOME", "a;b",
                              "* `x`",  "",    NULL};
  struct nova_job spec = spec_of(argv);
  cr_assert_eq(run_to_end(w, &spec)->code, 0);
  cr_assert_str_eq(output(w), "$HOME|a;b|* `x`||");
}

static size_t times_in(const char *text, const char *word) {
  size_t n = 0;
  for (; (text = strstr(text, word)) != NULL; text++)
    n++;
  return n;
}

JOB_TEST(the_environment_is_ours_and_what_is_added) {
  setenv("NOVA_TEST_KEPT", "kept", 1);
  setenv("NOVA_TEST_OLD", "old", 1);
  setenv("NOVA_TEST_OLDER", "older", 1);
  const char *const argv[] = {"env", NULL};
  const char *const env[] = {"NOVA_TEST_OLD=replaced", "NOVA_TEST_NEW=a=b",
                             NULL};
  struct nova_job spec = spec_of(argv);
  spec.env = env;
  cr_assert_eq(run_to_end(w, &spec)->code, 0);
  cr_assert_eq(times_in(output(w), "NOVA_TEST_KEPT=kept\n"), 1);
  cr_assert_eq(times_in(output(w), "NOVA_TEST_OLD="), 1);
  cr_assert_eq(times_in(output(w), "NOVA_TEST_OLD=replaced\n"), 1);
  cr_assert_eq(times_in(output(w), "NOVA_TEST_OLDER=older\n"), 1);
  cr_assert_eq(times_in(output(w), "NOVA_TEST_NEW=a=b\n"), 1);
  cr_assert_geq(times_in(output(w), "PATH="), 1);
}

JOB_TEST(it_runs_in_its_directory) {
  const char *const argv[] = {"pwd", NULL};
  struct nova_job spec = spec_of(argv);
  spec.cwd = "/";
  cr_assert_eq(run_to_end(w, &spec)->code, 0);
  cr_assert_str_eq(output(w), "/\n");
  spec.cwd = "/no/such/place";
  cr_assert_eq(run_to_end(w, &spec)->code, NOVA_CODE_NOT_STARTED);
  cr_assert_not_null(strstr(errors(w), "the directory /no/such/place"));
}

JOB_TEST(a_program_that_is_not_there) {
  const char *const argv[] = {"nova-no-such-program", "x", NULL};
  struct nova_job spec = spec_of(argv);
  cr_assert_eq(run_to_end(w, &spec)->code, NOVA_CODE_NOT_STARTED);
  cr_assert_str_eq(errors(w), "nova-no-such-program cannot be started: no such "
                              "file or directory");
  const char *const directory[] = {"/tmp", NULL};
  spec = spec_of(directory);
  cr_assert_eq(run_to_end(w, &spec)->code, NOVA_CODE_NOT_STARTED);
  cr_assert_not_null(strstr(errors(w), "permission denied"));
}

/* Nothing of the harness leaks into the program: no open sockets, no ignored
 * signals, no terminal to read from. */
JOB_TEST(it_starts_clean) {
  world_join(w);
  const char *const argv[] = {"sleep", "0.3", NULL};
  struct nova_job spec = spec_of(argv);
  cr_assert_eq(run_job(w, 2, &spec), 0);
  /* Sockets, epoll, or the reading end of this or the other job's pipe. (The
   * test's own framework leaves descriptors of other kinds open.) */
  run_shell(w, "ls -l /proc/self/fd |"
               "grep -E 'socket:|eventpoll|eventfd|lr-x.*pipe:'");
  cr_assert_str_eq(output(w), "");
  /* Signals 32 and 33 are the C library's own: what make starts inherits them
   * ignored. */
  run_shell(w, "grep -E 'SigIgn|SigBlk' /proc/self/status |"
               "sed -E 's/\\t0{7}[01][08]//' | tr -d '0\\t\\n'");
  cr_assert_str_eq(output(w), "SigBlk:SigIgn:");
  cr_assert_eq(run_shell(w, "cat")->code, 0);
  cr_assert_str_eq(output(w), "");
  /* Sockets in place of pipes would not allow this. */
  run_shell(w, "echo x > /dev/stderr");
  cr_assert_str_eq(errors(w), "x\n");
  run_shell(w, "set -- $(cat /proc/$$/stat); test $5 = $$ && echo leader");
  cr_assert_str_eq(output(w), "leader\n");
}

JOB_TEST(a_signal_is_no_exit_status) {
  cr_assert_eq(run_shell(w, "kill -KILL $$")->code, NOVA_CODE_SIGNAL);
}

JOB_TEST(its_time_is_bounded) {
  const char *const argv[] = {"sleep", "100", NULL};
  struct nova_job spec = spec_of(argv);
  spec.timeout = 100 * NOVA_MS;
  const struct seen *e = run_to_end(w, &spec);
  cr_assert_eq(e->code, NOVA_CODE_TIMEOUT);
  cr_assert_geq(e->t - e->since, 100 * NOVA_MS);
  cr_assert_lt(e->t - e->since, 1500 * NOVA_MS, "SIGTERM did not end it");
}

JOB_TEST(who_ignores_sigterm_is_killed_with_its_children) {
  const char *const argv[] = {
      "/bin/sh", "-c",
      "trap '' TERM; sleep 100 & echo $!; while :; do sleep 100; done", NULL};
  struct nova_job spec = spec_of(argv);
  spec.timeout = 100 * NOVA_MS;
  const struct seen *e = run_to_end(w, &spec);
  cr_assert_eq(e->code, NOVA_CODE_TIMEOUT);
  cr_assert_geq(e->t - e->since, 2050 * NOVA_MS, "it was given no 2 s");
  cr_assert_lt(e->t - e->since, 4 * NOVA_SEC);
  cr_assert(dies_soon(atol(output(w))), "its child lives on");
}

JOB_TEST(a_child_that_keeps_the_pipe_does_not_hold_it_up) {
  nova_ts begun = net_now(&w->a);
  const struct seen *e = run_shell(w, "sleep 100 & echo $!");
  cr_assert_eq(e->code, 0);
  cr_assert_lt(net_now(&w->a) - begun, 1500 * NOVA_MS);
  /* It ended when the program did, not when the pipe was given up. */
  cr_assert_lt(e->t - begun, 190 * NOVA_MS);
  cr_assert(dies_soon(atol(output(w))), "the child lives on");
}

JOB_TEST(what_comes_late_through_the_pipe_is_kept) {
  cr_assert_eq(run_shell(w, "(sleep 0.05; echo late) & echo early")->code, 0);
  cr_assert_str_eq(output(w), "early\nlate\n");
}

JOB_TEST(closed_pipes_are_not_waited_for) {
  const struct seen *e = run_shell(w, "echo x; exec >&- 2>&-; sleep 0.05");
  cr_assert_lt(net_now(&w->a) - e->t, 150 * NOVA_MS);
  cr_assert_str_eq(output(w), "x\n");
}

JOB_TEST(a_service_that_it_starts_lives_on) {
  nova_ts begun = net_now(&w->a);
  run_shell(w, "sleep 100 >/dev/null 2>&1 & echo $!");
  cr_assert_lt(net_now(&w->a) - begun, 190 * NOVA_MS, "it waited for nothing");
  long pid = atol(output(w));
  usleep(50000);
  cr_assert(is_alive(pid));
  kill((pid_t)pid, SIGKILL);
}

JOB_TEST(a_flood_ends_it) {
  const char *const argv[] = {"yes", NULL};
  struct nova_job spec = spec_of(argv);
  spec.output_limit = 1001;
  const struct seen *e = run_to_end(w, &spec);
  cr_assert_eq(e->code, NOVA_CODE_LIMIT);
  cr_assert_eq(e->n, 1001);
  cr_assert_eq(strncmp(output(w), "y\ny\n", 4), 0);
  cr_assert_lt(e->t - e->since, 1500 * NOVA_MS);
  /* The limit itself is allowed, and 0 is a limit. */
  const char *const four[] = {"printf", "abcd", NULL};
  spec = spec_of(four);
  spec.output_limit = 4;
  cr_assert_eq(run_to_end(w, &spec)->code, 0);
  cr_assert_str_eq(output(w), "abcd");
  spec.output_limit = 0;
  e = run_to_end(w, &spec);
  cr_assert_eq(e->code, NOVA_CODE_LIMIT);
  cr_assert_eq(e->n, 0);
}

JOB_TEST(a_flood_may_be_drained) {
  const char *const argv[] = {"/bin/sh", "-c",
                              "printf start; head -c 5000000 /dev/zero", NULL};
  struct nova_job spec = spec_of(argv);
  spec.output_limit = 5;
  spec.drain = true;
  const struct seen *e = run_to_end(w, &spec);
  cr_assert_eq(e->code, 0);
  cr_assert_eq(e->n, 5);
  cr_assert_str_eq(output(w), "start");
}

JOB_TEST(the_end_of_its_errors_is_kept) {
  run_shell(w, "i=0; while test $i -lt 3000; do echo line $i >&2;"
               "i=$((i+1)); done; echo the last >&2");
  const char *s = errors(w);
  cr_assert_eq(strlen(s), 4096);
  cr_assert_str_eq(s + 4096 - 19, "line 2999\nthe last\n");
  run_shell(w, "head -c 100000 /dev/zero | tr '\\0' x >&2; printf end >&2");
  s = errors(w);
  cr_assert_eq(strlen(s), 4096);
  cr_assert_str_eq(s + 4096 - 5, "xxend");
}

JOB_TEST(it_can_be_stopped) {
  const char *const argv[] = {
      "/bin/sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done",
      NULL};
  struct nova_job spec = spec_of(argv);
  spec.timeout = NOVA_TS_NONE;
  cr_assert_eq(run_job(w, 1, &spec), 0);
  cr_assert_eq(run_job(w, 1, &spec), NOVA_ERR_ARGUMENT, "the id is in use");
  world_run(w, 100 * NOVA_MS);
  cr_assert_eq(w->a.n, 0);
  w->a.t->ops->stop(w->a.t, 2); /* no such job */
  w->inside = true;
  w->a.t->ops->stop(w->a.t, 1);
  w->inside = false;
  world_await(w, &w->a, NOVA_EVENT_JOB, 1, 1);
  cr_assert_eq(party_last(&w->a, NOVA_EVENT_JOB, 1)->code, 7);
  w->a.t->ops->stop(w->a.t, 1);
  const char *const sleeper[] = {"sleep", "100", NULL};
  spec = spec_of(sleeper);
  cr_assert_eq(run_job(w, 1, &spec), 0);
  w->a.t->ops->stop(w->a.t, 1);
  world_await(w, &w->a, NOVA_EVENT_JOB, 1, 2);
  cr_assert_eq(party_last(&w->a, NOVA_EVENT_JOB, 1)->code, NOVA_CODE_SIGNAL);
}

JOB_TEST(many_at_once) {
  const char *const argv[] = {"/bin/sh", "-c", "sleep 0.1; echo x; exit 5",
                              NULL};
  struct nova_job spec = spec_of(argv);
  for (uint64_t id = 1; id <= 60; id++)
    cr_assert_eq(run_job(w, id, &spec), 0);
  world_await(w, &w->a, NOVA_EVENT_JOB, 0, 60);
  for (size_t i = 0; i < w->a.n; i++) {
    cr_assert_eq(w->a.seen[i].code, 5);
    cr_assert_eq(w->a.seen[i].n, 2);
  }
}

JOB_TEST(it_ends_with_its_user) {
  struct party c;
  party_open(w, &c);
  const char *const argv[] = {
      "/bin/sh", "-c", "echo $$ > /tmp/nova_job_test.$PPID; sleep 100", NULL};
  char path[64];
  snprintf(path, sizeof path, "/tmp/nova_job_test.%ld", (long)getpid());
  struct nova_job spec = spec_of(argv);
  cr_assert_eq(c.t->ops->run(c.t, 1, &spec), 0);
  long pid = 0;
  for (int i = 0; i < 100 && pid == 0; i++) {
    world_run(w, 20 * NOVA_MS);
    FILE *f = fopen(path, "r");
    if (f != NULL && fscanf(f, "%ld", &pid) != 1)
      pid = 0;
    if (f != NULL)
      fclose(f);
  }
  remove(path);
  cr_assert_gt(pid, 0);
  cr_assert(is_alive(pid));
  nova_loop_detach(c.t);
  cr_assert(dies_soon(pid));
  /* Reaped, too. */
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(kill((pid_t)pid, 0), -1);
  cr_assert_eq(c.n, 0);
  party_free(&c);
}

static void run_again(struct party *p, const struct nova_event *e) {
  if (e->kind != NOVA_EVENT_JOB || e->code != 1)
    return;
  const char *const argv[] = {"/bin/sh", "-c", "exit 2", NULL};
  struct nova_job spec = spec_of(argv);
  cr_assert_eq(p->t->ops->run(p->t, e->id, &spec), 0);
}

JOB_TEST(the_id_is_free_inside_the_event) {
  w->a.on_event = run_again;
  run_shell(w, "exit 1");
  world_await(w, &w->a, NOVA_EVENT_JOB, 1, 2);
  cr_assert_eq(party_last(&w->a, NOVA_EVENT_JOB, 1)->code, 2);
}

/* The simulated world's programs. */

static void answer(void *user, const struct nova_job *job,
                   struct nova_sim_result *result) {
  ++*(int *)user;
  result->exit_code = 4;
  if (strcmp(job->argv[0], "forever") == 0)
    result->duration = NOVA_TS_NONE;
  (void)nova_buf_puts(result->output, "said ");
  (void)nova_buf_puts(result->output, job->argv[0]);
  (void)nova_buf_puts(result->errors, "oops");
}

Test(job, simulated) {
  struct nova_sim_options options = {.job_delay = 30 * NOVA_MS};
  struct world w;
  int calls = 0;
  world_open_sim(&w, &options);
  const char *const argv[] = {"hook", NULL};
  struct nova_job spec = spec_of(argv);
  cr_assert_eq(run_to_end(&w, &spec)->code, NOVA_CODE_NOT_STARTED);
  cr_assert_neq(w.a.errors.len, 0);
  nova_sim_set_job(w.net, answer, &calls);
  const struct seen *e = run_to_end(&w, &spec);
  cr_assert_eq(e->code, 4);
  cr_assert_eq(e->t - e->since, 30 * NOVA_MS);
  cr_assert_str_eq(output(&w), "said hook");
  cr_assert_str_eq(errors(&w), "oops");
  cr_assert_eq(calls, 1);

  spec.output_limit = 4;
  cr_assert_eq(run_to_end(&w, &spec)->code, NOVA_CODE_LIMIT);
  cr_assert_str_eq(output(&w), "said");
  spec.drain = true;
  cr_assert_eq(run_to_end(&w, &spec)->code, 4);
  cr_assert_str_eq(output(&w), "said");
  spec.timeout = 10 * NOVA_MS;
  e = run_to_end(&w, &spec);
  cr_assert_eq(e->code, NOVA_CODE_TIMEOUT);
  cr_assert_eq(e->t - e->since, 10 * NOVA_MS);

  const char *const forever[] = {"forever", NULL};
  spec = spec_of(forever);
  spec.timeout = NOVA_TS_NONE;
  size_t n = w.a.n;
  cr_assert_eq(run_job(&w, 1, &spec), 0);
  cr_assert_eq(run_job(&w, 1, &spec), NOVA_ERR_ARGUMENT);
  world_run(&w, 1000 * NOVA_SEC);
  cr_assert_eq(w.a.n, n);
  w.a.t->ops->stop(w.a.t, 1);
  cr_assert_eq(w.a.n, n, "from inside the call");
  world_run(&w, 0);
  cr_assert_eq(w.a.n, n + 1);
  cr_assert_eq(w.a.seen[n].code, NOVA_CODE_SIGNAL);
  world_free(&w);
}
