/* Devices out of their minds: the run ends all the same, and what was found is
 * found again in the record. */
#include "unit/run/run_rig.h"

#include "base/rng.h"
#include "run/replay.h"
#include "verdict/verdict.h"

#include <stdlib.h>

#define AUTH(id) "{\"type\":\"auth\",\"device_id\":\"" id "\"}\n"

static const char *const words[] = {AUTH("DEV-1"),
                                    AUTH("DEV-2"),
                                    AUTH("nobody"),
                                    "{\"type\":\"ping\"}\n",
                                    "{\"type\":\"ping\"}\n{\"type\":",
                                    "\"status\"}\n",
                                    "no json\n",
                                    "{",
                                    "\n"};

static const char script[] =
    "conversation: tcp-z\ntitle: {en: a, zh: b}\ntransport: tcp\nsteps:\n"
    "- device: connect\n"
    "- {device: send, message: {type: auth, device_id: '$one_of($device.id, "
    "$any)'}, within: 11s, relies_on: R-1}\n"
    "- {server: send, as: in, message: {type: auth_result, result: success}}\n"
    "- any_of:\n"
    "  - - {device: close, within: 3s, verifies: R-2}\n"
    "  - - {device: send, message: {type: status}, within: 9s, verifies: R-2}\n"
    "  verifies: R-2\n"
    "- {server: close, as: closed}\n"
    "- {device: connect, from: closed, within: 5s, verifies: R-3}\n"
    "- {device: attempts, at_most: 5, for: 9s, from: closed, verifies: R-4}\n";

static const char rules[] =
    "rules:\n"
    "- {rule: lines, of: device, every: line, verifies: R-1}\n"
    "- {rule: rest, of: device, every: stream, verifies: R-1}\n"
    "- {rule: time, of: device, every: connection, type: auth, within: "
    "$late($auth_timeout), verifies: R-2}\n"
    "- {rule: first, of: device, every: connection, type: auth, which: first, "
    "verifies: R-3}\n"
    "- {rule: again, of: device, every: connection, type: auth, which: again, "
    "verifies: R-4}\n";

struct found {
  enum nova_verdict verdict;
  nova_ts t;
};

static void act(struct nova_rng *rng, unsigned *next, bool spawned) {
  unsigned n = 1 + (unsigned)nova_rng_below(rng, *next);
  uint16_t port = RIG_PORT;
  if (spawned && rig_jobs != 0)
    port = rig_job[nova_rng_below(rng, rig_jobs)].port;
  const char *text = words[nova_rng_below(rng, sizeof words / sizeof *words)];
  switch (nova_rng_below(rng, 8)) {
  case 0:
  case 1:
  case 2:
    rig_connect((*next)++, port, nova_rng_below(rng, 3) ? text : NULL);
    break;
  case 3: rig_close(n, false); break;
  case 4: rig_close(n, true); break;
  case 5:
    if (spawned && rig_jobs != 0 && nova_rng_below(rng, 10) == 0)
      nova_sim_exit(rig_job[0].party, rig_job[0].job, 1);
    break;
  default: rig_say(n, text); break;
  }
}

static void compare(uint64_t seed) {
  struct nova_results *r = nova_run_results(rig_run, NULL);
  cr_assert_not_null(r);
  static struct found live[512];
  size_t n = 0;
  for (size_t i = 0; i < r->conversations; i++)
    for (size_t k = 0; k < r->conversation[i].checks && n < 512; k++) {
      const struct nova_check *c = &r->conversation[i].check[k];
      live[n].verdict = c->verdict;
      live[n++].t = c->t;
    }
  struct nova_replay *v = nova_replay_run(NULL, &rig_catalog, r, NULL);
  cr_assert_not_null(v);
  size_t m = 0;
  for (size_t i = 0; i < r->conversations; i++)
    for (size_t k = 0; k < r->conversation[i].checks && m < n; k++, m++) {
      const struct nova_check *c = &r->conversation[i].check[k];
      cr_expect(live[m].verdict == c->verdict && live[m].t == c->t,
                "seed %llu: %s: check %zu of %s: live %s at %llu, now %s at "
                "%llu: %s",
                (unsigned long long)seed, r->conversation[i].id, k,
                c->requirement, nova_verdict_names[live[m].verdict],
                (unsigned long long)live[m].t, nova_verdict_names[c->verdict],
                (unsigned long long)c->t, c->reason != NULL ? c->reason : "");
    }
  cr_expect_eq(m, n);
  nova_replay_free(v);
}

static void storm(uint64_t seed, bool spawned, unsigned devices) {
  rig_setup();
  rig_load("rules.yaml", rules);
  rig_load("z.yaml", script);
  rig_conversation("tcp-a", "$device.id");
  if (!spawned) {
    rig_credential("DEV-1", "k");
    if (devices > 1)
      rig_credential("DEV-2", "k");
  }
  rig_profile_read("novaprobe: 1\nsubject: device\n"
                   "timers: {operator_timeout: 60s}\n");
  const char *why = NULL;
  cr_assert(rig_start(spawned, &why), "%s", why);
  struct nova_rng rng;
  nova_rng_init(&rng, seed);
  unsigned next = 1;
  bool interrupted = false;
  for (unsigned i = 0; i < 300 && !nova_run_over(rig_run); i++) {
    act(&rng, &next, spawned);
    if (nova_rng_below(&rng, 2) == 0)
      rig_pass(nova_rng_below(&rng, 400) * NOVA_MS);
    if (nova_rng_below(&rng, 3000) == 0) {
      nova_run_interrupt(rig_run, "interrupted");
      interrupted = true;
    }
  }
  if (!nova_run_over(rig_run))
    rig_to_the_end();
  /* The record of one that was interrupted is judged in part. */
  if (!interrupted)
    compare(seed);
  rig_teardown();
}

Test(storm, of_one_that_is_started) {
  for (uint64_t seed = 1; seed <= 250; seed++)
    storm(seed, true, 0);
}

Test(storm, of_one_by_hand) {
  for (uint64_t seed = 1; seed <= 250; seed++)
    storm(seed, false, 1);
}

Test(storm, of_two_by_hand) {
  for (uint64_t seed = 1; seed <= 250; seed++)
    storm(seed, false, 2);
}
