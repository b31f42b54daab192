/* Jobs that last as long as anybody of their process group: a device may go on
 * in the background. */
#include "unit/net/world.h"

#include <signal.h>
#include <stdlib.h>

/* "sh" prints its id, leaves somebody behind and ends with |status|. */
static void start(struct world *w, const char *script, nova_ts timeout,
                  bool whole_group) {
  const char *const argv[] = {"/bin/sh", "-c", script, NULL};
  struct nova_job spec = {.argv = argv,
                          .timeout = timeout,
                          .output_limit = 4096,
                          .drain = true,
                          .whole_group = whole_group};
  cr_assert_eq(w->a.t->ops->run(w->a.t, 1, &spec), 0);
}

static const struct seen *end(struct world *w) {
  world_await(w, &w->a, NOVA_EVENT_JOB, 1, 1);
  return party_last(&w->a, NOVA_EVENT_JOB, 1);
}

/* Its group is gone, but for what nobody has reaped yet. */
static bool group_gone(struct world *w) {
  long pid = atol(nova_buf_cstr(&w->a.text));
  cr_assert_gt(pid, 1);
  for (int i = 0; i < 500 && kill((pid_t)-pid, 0) == 0; i++)
    world_run(w, 20 * NOVA_MS);
  return kill((pid_t)-pid, 0) != 0;
}

#define GROUP_TEST(name)                                                       \
  static void name(struct world *w);                                           \
  Test(job_group, name) {                                                      \
    struct world w;                                                            \
    world_open_loop(&w);                                                       \
    name(&w);                                                                  \
    world_free(&w);                                                            \
  }                                                                            \
  static void name(struct world *w)

GROUP_TEST(lasts_until_the_last_one_has_ended) {
  start(w, "echo $$; (sleep 0.6; echo late) & exit 3", NOVA_TS_NONE, true);
  world_run(w, 400 * NOVA_MS);
  cr_assert_eq(w->a.n, 0, "one is left");
  const struct seen *e = end(w);
  cr_expect_eq(e->code, 3, "the leader's own: %d", e->code);
  cr_expect_geq(e->t - e->since, 600 * NOVA_MS);
  cr_expect_not_null(strstr(nova_buf_cstr(&w->a.text), "late"),
                     "what was said last is heard");
}

GROUP_TEST(closed_pipes_are_no_end) {
  start(w, "echo $$; (exec >&- 2>&-; sleep 0.6) & exit 0", NOVA_TS_NONE, true);
  const struct seen *e = end(w);
  cr_expect_eq(e->code, 0);
  cr_expect_geq(e->t - e->since, 600 * NOVA_MS);
}

GROUP_TEST(only_where_it_is_asked_for) {
  start(w, "echo $$; (exec >&- 2>&-; sleep 0.6) & exit 4", NOVA_TS_NONE, false);
  const struct seen *e = end(w);
  cr_expect_eq(e->code, 4);
  cr_expect_lt(e->t - e->since, 500 * NOVA_MS);
}

GROUP_TEST(that_leaves_nobody_ends_at_once) {
  start(w, "echo $$; exit 5", NOVA_TS_NONE, true);
  const struct seen *e = end(w);
  cr_expect_eq(e->code, 5);
  cr_expect_lt(e->t - e->since, 500 * NOVA_MS);
}

GROUP_TEST(stop_ends_those_that_are_left) {
  start(w, "echo $$; sleep 100 & exit 6", NOVA_TS_NONE, true);
  world_run(w, 300 * NOVA_MS);
  cr_assert_eq(w->a.n, 0);
  w->a.t->ops->stop(w->a.t, 1);
  w->a.t->ops->stop(w->a.t, 1);
  const struct seen *e = end(w);
  cr_expect_eq(e->code, 6);
  cr_expect(group_gone(w));
}

GROUP_TEST(stop_ends_one_that_does_not_listen) {
  start(w, "echo $$; (trap '' TERM; sleep 100; sleep 100) & exit 0",
        NOVA_TS_NONE, true);
  world_run(w, 300 * NOVA_MS);
  w->a.t->ops->stop(w->a.t, 1);
  end(w);
  cr_expect(group_gone(w));
}

/* Its time is over for those that are left, too. */
GROUP_TEST(the_time_is_that_of_the_whole_group) {
  start(w, "echo $$; sleep 100 & exit 0", 400 * NOVA_MS, true);
  const struct seen *e = end(w);
  cr_expect_eq(e->code, NOVA_CODE_TIMEOUT);
  cr_expect_geq(e->t - e->since, 400 * NOVA_MS);
  cr_expect(group_gone(w));
}

GROUP_TEST(ends_with_its_user) {
  struct party c;
  party_open(w, &c);
  const char *const argv[] = {"/bin/sh", "-c", "sleep 100 & exit 0", NULL};
  struct nova_job spec = {.argv = argv,
                          .timeout = NOVA_TS_NONE,
                          .output_limit = 10,
                          .whole_group = true};
  cr_assert_eq(c.t->ops->run(c.t, 1, &spec), 0);
  world_run(w, 300 * NOVA_MS);
  cr_expect_eq(c.n, 0);
  party_free(&c);
}

/* --- the simulated world's
 * ------------------------------------------------------ */

static struct nova_sim_result started;

static void forever(void *user, const struct nova_job *job,
                    struct nova_sim_result *result) {
  (void)user;
  (void)job;
  result->duration = NOVA_TS_NONE;
  (void)nova_buf_puts(result->output, "hello");
  started = *result;
}

Test(job_group, simulated_exit) {
  struct world w;
  world_open_sim(&w, NULL);
  nova_sim_set_job(w.net, forever, NULL);
  start(&w, "x", NOVA_TS_NONE, true);
  cr_expect_eq(started.party, w.a.t);
  cr_expect_eq(started.id, 1);
  world_run(&w, 50 * NOVA_SEC);
  cr_assert_eq(w.a.n, 0);
  nova_sim_exit(started.party, 2, 9); /* unknown */
  nova_sim_exit(started.party, started.id, 7);
  cr_expect_eq(w.a.n, 0, "from inside the call");
  world_run(&w, 0);
  const struct seen *e = party_last(&w.a, NOVA_EVENT_JOB, 1);
  cr_assert_not_null(e);
  cr_expect_eq(e->code, 7);
  cr_expect_eq(e->t - e->since, 50 * NOVA_SEC);
  cr_expect_str_eq(nova_buf_cstr(&w.a.text), "hello");
  nova_sim_exit(started.party, started.id, 8); /* gone */
  world_run(&w, NOVA_SEC);
  cr_expect_eq(w.a.n, 1);
  /* The id is free, and a second process is another one. */
  start(&w, "x", NOVA_SEC, true);
  nova_sim_exit(started.party, started.id, NOVA_CODE_SIGNAL);
  world_run(&w, 5 * NOVA_SEC);
  cr_expect_eq(w.a.n, 2, "no timeout behind it");
  cr_expect_eq(party_last(&w.a, NOVA_EVENT_JOB, 1)->code, NOVA_CODE_SIGNAL);
  world_free(&w);
}
