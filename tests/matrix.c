/* The measure of the harness: every conversation against every fault of the
 * reference peers, in virtual time. Each fault has to be caught by what it breaks
 * and blamed on nothing else; the conforming pair under random segmentation,
 * latency and jitter must never raise an alarm.
 *
 *     matrix conform           every requirement judged and passed
 *     matrix faults [NAME...]  all faults, or these
 *     matrix seeds N [FIRST]   N random networks
 */
#include "support/simrun.h"

#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool among(const char *list, const char *id) {
  size_t n = strlen(id);
  for (const char *at = list; (at = strstr(at, id)) != NULL; at += n)
    if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
      return true;
  return false;
}

static void show(const struct nova_results *r, bool all) {
  for (size_t i = 0; i < r->requirements; i++) {
    const struct nova_requirement_result *q = &r->requirement[i];
    if (q->verdict == NOVA_VERDICT_NOT_APPLICABLE ||
        (!all && q->verdict == NOVA_VERDICT_PASS))
      continue;
    printf("    %-13s %-12s %s\n", q->requirement->id,
           nova_verdict_names[q->verdict], q->reason != NULL ? q->reason : "");
  }
}

static void show_conversations(const struct nova_results *r) {
  for (size_t i = 0; i < r->conversations; i++) {
    const struct nova_conversation_result *c = &r->conversation[i];
    if (c->verdict != NOVA_VERDICT_PASS)
      printf("    %-44s %-12s %7.3f s %s\n", c->id,
             nova_verdict_names[c->verdict], (double)c->duration / 1e9,
             c->reason != NULL ? c->reason : "");
  }
}

/* What applies and was not passed. */
static size_t open_or_failed(const struct nova_results *r) {
  size_t n = 0;
  for (size_t i = 0; i < r->requirements; i++)
    n += r->requirement[i].verdict != NOVA_VERDICT_PASS &&
         r->requirement[i].verdict != NOVA_VERDICT_NOT_APPLICABLE;
  return n;
}

static int conform(void) {
  struct simrun *s = simrun_new(
      &(struct simrun_options){.catalog = simrun_catalog(), .seed = 1});
  if (s == NULL)
    return 1;
  const struct nova_results *r = simrun_results(s);
  size_t bad = open_or_failed(r), passed = 0;
  nova_ts longest = 0;
  for (size_t i = 0; i < r->requirements; i++)
    passed += r->requirement[i].verdict == NOVA_VERDICT_PASS;
  for (size_t i = 0; i < r->conversations; i++)
    if (r->conversation[i].duration > longest)
      longest = r->conversation[i].duration;
  printf("conform: %zu requirements passed, %zu not; %zu conversations; the run "
         "took %.1f s of virtual time, its longest conversation %.1f s "
         "(%.3f)\n",
         passed, bad, r->conversations, (double)r->duration / 1e9,
         (double)longest / 1e9, (double)r->duration / (double)longest);
  show(r, false);
  show_conversations(r);
  bool slow = (double)r->duration > 1.05 * (double)longest;
  if (slow)
    printf("conform: longer than the longest conversation plus 5 %%\n");
  simrun_free(s);
  return bad != 0 || slow;
}

/* One fault; 0 caught and nothing else blamed, 1 not caught, 2 falsely blamed. */
static int one_fault(enum nova_fault f, bool verbose) {
  const struct nova_fault_info *info = nova_fault_info(f);
  struct simrun_options o = {.catalog = simrun_catalog(), .seed = 1};
  nova_fault_add(&o.faults, f);
  struct simrun *s = simrun_new(&o);
  if (s == NULL)
    return 1;
  const struct nova_results *r = simrun_results(s);
  int result = 0;
  bool caught = false;
  char missed[512] = "", blamed[512] = "";
  for (size_t i = 0; i < r->requirements; i++) {
    const char *id = r->requirement[i].requirement->id;
    bool failed = r->requirement[i].verdict == NOVA_VERDICT_FAIL;
    bool breaks = among(info->breaks, id);
    size_t n;
    /* Where a fault breaks several, one has to be caught: a garbled message can
     * be taken for a missing one, or the other way round. */
    caught |= breaks && failed;
    if (breaks && !failed) {
      n = strlen(missed);
      snprintf(missed + n, sizeof missed - n, " %s", id);
    }
    if (failed && !breaks) {
      n = strlen(blamed);
      snprintf(blamed + n, sizeof blamed - n, " %s", id);
      result |= 2;
    }
  }
  if (!caught)
    result |= 1;
  if (result != 0 || verbose) {
    printf("%-42s breaks %s%s%s%s%s\n", info->name, info->breaks,
           missed[0] != '\0' ? "; not caught:" : "", missed,
           blamed[0] != '\0' ? "; falsely blamed:" : "", blamed);
    if (verbose) {
      show(r, false);
      show_conversations(r);
    }
  }
  fflush(stdout);
  simrun_free(s);
  return result;
}

/* Two processes share the faults: the machine that this runs on has two cores. */
static int faults(char **names, int n) {
  if (n != 0) {
    int worst = 0;
    for (int i = 0; i < n; i++) {
      enum nova_fault f = nova_fault_find(nova_view_of(names[i]));
      if (f == NOVA_FAULTS) {
        fprintf(stderr, "no fault %s\n", names[i]);
        return 2;
      }
      worst |= one_fault(f, true);
    }
    return worst;
  }
  simrun_catalog();
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  int pipes[2];
  if (pipe(pipes) != 0)
    return 2;
  fflush(stdout);
  pid_t child[2];
  for (int half = 0; half < 2; half++) {
    child[half] = fork();
    if (child[half] == 0) {
      for (unsigned f = (unsigned)half; f < NOVA_FAULTS; f += 2) {
        if (nova_fault_info((enum nova_fault)f)->side != NOVA_SIDE_SERVER)
          continue;
        char verdict = (char)one_fault((enum nova_fault)f, false);
        if (write(pipes[1], &verdict, 1) != 1)
          _exit(2);
      }
      _exit(0);
    }
  }
  close(pipes[1]);
  int all = 0, caught = 0, blamed = 0, crashed = 0;
  char verdict;
  while (read(pipes[0], &verdict, 1) == 1) {
    all++;
    caught += (verdict & 1) == 0;
    blamed += (verdict & 2) != 0;
  }
  for (int half = 0; half < 2; half++) {
    int status = 0;
    waitpid(child[half], &status, 0);
    crashed += status != 0;
  }
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("faults: %d, caught %d, falsely blamed %d; %.1f s\n", all, caught,
         blamed,
         (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
  return crashed != 0 || all == 0 || caught != all || blamed != 0;
}

static int one_seed(uint64_t seed) {
  struct nova_rng rng;
  nova_rng_init(&rng, nova_rng_derive(seed, "network"));
  nova_ts low = nova_rng_below(&rng, 40) * NOVA_MS;
  struct simrun_options o = {
      .catalog = simrun_catalog(),
      .seed = seed,
      .devices = (unsigned)(1 + nova_rng_below(&rng, 10)),
      .net = {.seed = seed,
              .latency_min = low,
              .latency_max = low + nova_rng_below(&rng, 80) * NOVA_MS,
              .cut = NOVA_SIM_MIXED,
              .late_max = nova_rng_below(&rng, 5) * NOVA_MS,
              .job_delay = nova_rng_below(&rng, 200) * NOVA_MS}};
  struct simrun *s = simrun_new(&o);
  if (s == NULL)
    return 1;
  const struct nova_results *r = simrun_results(s);
  size_t bad = 0;
  for (size_t i = 0; i < r->requirements; i++) {
    const struct nova_requirement_result *q = &r->requirement[i];
    bool needs_two = q->verdict == NOVA_VERDICT_NOT_TESTED && o.devices == 1;
    bad += q->verdict != NOVA_VERDICT_PASS &&
           q->verdict != NOVA_VERDICT_NOT_APPLICABLE && !needs_two;
  }
  if (bad != 0) {
    printf("seed %llu: %zu requirements not passed (%u devices)\n",
           (unsigned long long)seed, bad, o.devices);
    show(r, false);
    show_conversations(r);
    fflush(stdout);
  }
  simrun_free(s);
  return bad != 0;
}

static int seeds(uint64_t n, uint64_t first) {
  simrun_catalog();
  fflush(stdout);
  pid_t child[2];
  for (unsigned half = 0; half < 2; half++) {
    child[half] = fork();
    if (child[half] == 0) {
      int bad = 0;
      for (uint64_t i = half; i < n; i += 2)
        bad += one_seed(first + i);
      _exit(bad > 100 ? 100 : bad);
    }
  }
  int alarms = 0;
  bool crashed = false;
  for (unsigned half = 0; half < 2; half++) {
    int status = 0;
    waitpid(child[half], &status, 0);
    crashed |= !WIFEXITED(status);
    alarms += WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  }
  printf("seeds: %llu, false alarms %d\n", (unsigned long long)n, alarms);
  return crashed || alarms != 0;
}

int main(int argc, char **argv) {
  if (argc >= 2 && strcmp(argv[1], "conform") == 0)
    return conform();
  if (argc >= 2 && strcmp(argv[1], "faults") == 0)
    return faults(argv + 2, argc - 2);
  if (argc >= 3 && strcmp(argv[1], "seeds") == 0)
    return seeds(strtoull(argv[2], NULL, 10),
                 argc >= 4 ? strtoull(argv[3], NULL, 10) : 1);
  fprintf(stderr, "matrix conform | faults [NAME...] | seeds N [FIRST]\n");
  return 2;
}
