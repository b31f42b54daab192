/* The measure of the harness: every conversation against every fault of the
 * reference peers, in virtual time. Each fault has to be caught by what it
 * breaks and blamed on nothing else; each variant, a server that is right and
 * other than the reference, has to be judged and never blamed; the conforming
 * pair under random segmentation, latency and jitter must never raise an alarm.
 *
 *     matrix conform           every requirement judged and passed
 *     matrix faults [NAME...]  all faults and variants, or these
 *     matrix table FILE        all faults, and what caught each, as a page
 *     matrix compare FILE      all faults, and whether that page is still true
 *     matrix seeds N [FIRST]   N random networks
 *     matrix variants N [FIRST]  every variant on N random networks
 */
#include "support/simrun.h"

#include "verdict/score.h"
#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool among(const char *list, const char *id) {
  size_t n = strlen(id);
  for (const char *at = list; (at = strstr(at, id)) != NULL; at += n)
    if ((at == list || at[-1] == ' ' || at[-1] == ':') &&
        (at[n] == ' ' || at[n] == '\0'))
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

#define OVER_TCP   (1u << NOVA_OVER_TCP)
#define OVER_MQTT  (1u << NOVA_OVER_MQTT)
#define OVER_MQTTS (1u << NOVA_OVER_MQTTS)
#define OVER_ALL   (OVER_TCP | OVER_MQTT | OVER_MQTTS)

static int conform(bool device, bool by_hand, unsigned over) {
  struct simrun *s =
      simrun_new(&(struct simrun_options){.catalog = simrun_catalog(),
                                          .device = device,
                                          .by_hand = by_hand,
                                          .over = over,
                                          .client_certificates = true,
                                          .seed = 1});
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
  printf("%s%s over%s%s%s: ", device ? "device" : "server",
         by_hand ? " by hand" : "", (over & OVER_TCP) != 0 ? " TCP" : "",
         (over & OVER_MQTT) != 0 ? " MQTT" : "",
         (over & OVER_MQTTS) != 0 ? " MQTTS" : "");
  printf(
      "conform: %zu requirements passed, %zu not; %zu conversations; the run "
      "took %.1f s of virtual time, its longest conversation %.1f s "
      "(%.3f)\n",
      passed, bad, r->conversations, (double)r->duration / 1e9,
      (double)longest / 1e9, (double)r->duration / (double)longest);
  show(r, false);
  show_conversations(r);
  /* Without the long ones of TCP it is the credentials that it waits for. */
  bool slow = !by_hand && (device || (over & OVER_TCP) != 0) &&
              (double)r->duration > 1.05 * (double)longest;
  if (slow)
    printf("conform: longer than the longest conversation plus 5 %%\n");
  simrun_free(s);
  return bad != 0 || slow;
}

/* What became of one fault or variant. */
struct outcome {
  bool done, caught, blamed;
  bool open;    /* a variant: something was not judged */
  bool missing; /* ... that its row does not name */
  bool other;   /* a variant: the run saw something of it */
  char by[120]; /* the requirements that failed; a variant: that are open */
};

/* What a fault is played over: its own transport, as far as the rest cannot be
 * touched by it. */
static unsigned over_of(enum nova_fault f) {
  const struct nova_fault_info *info = nova_fault_info(f);
  if (!nova_fault_is_mqtt(f))
    return OVER_TCP;
  if (info->side == NOVA_SIDE_SERVER)
    return OVER_MQTT | OVER_MQTTS;
  return among(info->needs, "tls") ? OVER_MQTTS : OVER_MQTT;
}

static struct outcome one_fault(enum nova_fault f, bool verbose) {
  const struct nova_fault_info *info = nova_fault_info(f);
  struct simrun_options o = {.catalog = simrun_catalog(),
                             .device = info->side == NOVA_SIDE_DEVICE,
                             .over = over_of(f),
                             .client_certificates = true,
                             .seed = 1};
  nova_fault_add(&o.faults, f);
  struct outcome out = {.done = true};
  struct simrun *s = simrun_new(&o);
  if (s == NULL)
    return out;
  const struct nova_results *r = simrun_results(s);
  char missed[256] = "", blamed[256] = "";
  for (size_t i = 0; i < r->requirements; i++) {
    const char *id = r->requirement[i].requirement->id;
    bool failed = r->requirement[i].verdict == NOVA_VERDICT_FAIL;
    bool breaks = among(info->breaks, id);
    /* Where a fault breaks several, one has to be caught: a garbled message can
     * be taken for a missing one, or the other way round. */
    out.caught |= breaks && failed;
    out.blamed |= failed && !breaks;
    char *to = failed ? (breaks ? out.by : blamed) : (breaks ? missed : NULL);
    size_t cap = to == out.by ? sizeof out.by : sizeof missed;
    if (to != NULL) {
      size_t n = strlen(to);
      snprintf(to + n, cap - n, "%s%s", n != 0 ? " " : "", id);
    }
  }
  if (!out.caught || out.blamed || verbose) {
    printf("%-42s breaks %s; caught by: %s; not by: %s; falsely blamed: %s\n",
           info->name, info->breaks, out.by, missed, blamed);
    if (verbose) {
      show(r, false);
      show_conversations(r);
    }
  }
  fflush(stdout);
  simrun_free(s);
  return out;
}

/* A number for all that came from the server, and when. */
static uint64_t print_of(const struct nova_results *r) {
  uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
  for (size_t i = 0; i < r->conversations; i++)
    for (size_t k = 0; k < r->conversation[i].transcript.n; k++) {
      const struct nova_entry *e = &r->conversation[i].transcript.entry[k];
      if (e->kind != NOVA_ENTRY_RECEIVED && e->kind != NOVA_ENTRY_EOF &&
          e->kind != NOVA_ENTRY_RESET && e->kind != NOVA_ENTRY_SECURED)
        continue;
      h = (h ^ (uint64_t)e->kind ^ e->t) * UINT64_C(0x100000001b3);
      for (size_t b = 0; b < e->bytes.n; b++)
        h = (h ^ (unsigned char)e->bytes.p[b]) * UINT64_C(0x100000001b3);
    }
  return h;
}

/* The reference peer's number. */
static uint64_t print_of_reference(const struct simrun_options *like) {
  static uint64_t known[4 * (OVER_ALL + 1)];
  uint64_t *at =
      &known[(like->devices == 1) + 2U * like->device + 4U * like->over];
  if (*at == 0) {
    struct simrun_options o = *like;
    memset(&o.faults, 0, sizeof o.faults);
    struct simrun *s = simrun_new(&o);
    *at = s != NULL ? print_of(simrun_results(s)) : 1;
    simrun_free(s);
  }
  return *at;
}

/* Quick enough that no variant's delay and the network's together are too long;
 * seed 0: the plain one. */
static struct nova_sim_options near_by(uint64_t seed) {
  struct nova_rng rng;
  nova_rng_init(&rng, nova_rng_derive(seed, "network"));
  nova_ts low = nova_rng_below(&rng, 20) * NOVA_MS;
  if (seed == 0)
    return (struct nova_sim_options){0};
  return (struct nova_sim_options){
      .seed = seed,
      .latency_min = low,
      .latency_max = low + nova_rng_below(&rng, 20) * NOVA_MS,
      .cut = NOVA_SIM_MIXED,
      .late_max = nova_rng_below(&rng, 5) * NOVA_MS,
      .job_delay = nova_rng_below(&rng, 200) * NOVA_MS};
}

/* A variant with |devices| credentials: nothing may fail, and with enough of
 * them nothing but what its row names may stay open. */
static void one_variant(enum nova_fault f, unsigned devices, uint64_t seed,
                        bool verbose, struct outcome *out) {
  const struct nova_fault_info *info = nova_fault_info(f);
  bool device = info->side == NOVA_SIDE_DEVICE;
  struct simrun_options o = {.catalog = simrun_catalog(),
                             .device = device,
                             .over = over_of(f),
                             .client_certificates = true,
                             .by_hand = device && devices == 1,
                             .net = near_by(seed),
                             .seed = seed + 1,
                             .devices = devices};
  nova_fault_add(&o.faults, f);
  struct simrun *s = simrun_new(&o);
  if (s == NULL)
    return;
  const struct nova_results *r = simrun_results(s);
  char failed[256] = "";
  bool blamed = false, missing = false;
  for (size_t i = 0; i < r->requirements; i++) {
    const char *id = r->requirement[i].requirement->id;
    enum nova_verdict v = r->requirement[i].verdict;
    bool fails = v == NOVA_VERDICT_FAIL;
    if (v == NOVA_VERDICT_PASS || v == NOVA_VERDICT_NOT_APPLICABLE ||
        (!fails && devices == 1 && !device))
      continue;
    blamed |= fails;
    missing |= !fails && !among(info->needs, id);
    out->open |= !fails;
    char *to = fails ? failed : out->by;
    size_t cap = fails ? sizeof failed : sizeof out->by, n = strlen(to);
    snprintf(to + n, cap - n, "%s%s", n != 0 ? " " : "", id);
  }
  if (seed == 0)
    out->other |= print_of(r) != print_of_reference(&o);
  out->blamed |= blamed;
  out->missing |= missing;
  out->done = true;
  if (blamed || missing || verbose) {
    printf("%-42s variant, %u credentials, network %llu; falsely blamed: %s; "
           "open: %s\n",
           info->name, devices, (unsigned long long)seed, failed,
           devices == 1 ? "-" : out->by);
    show(r, false);
    show_conversations(r);
  }
  fflush(stdout);
  simrun_free(s);
}

/* Plenty of credentials first; with one only, a device is on two connections
 * at once where a conversation takes what it can get. A device under test is
 * started for each conversation, and then left to connect as it likes. */
static struct outcome variant(enum nova_fault f, uint64_t seed, bool verbose) {
  struct outcome out = {.done = false};
  one_variant(f, 8, seed, verbose, &out);
  one_variant(f, 1, seed, verbose, &out);
  if (seed == 0 && !out.other)
    printf("%-42s variant, does what the reference does\n",
           nova_fault_info(f)->name);
  fflush(stdout);
  return out;
}

static bool is_variant(unsigned f) {
  return nova_fault_is_variant(nova_fault_info((enum nova_fault)f));
}

static int named_faults(char **names, int n) {
  int bad = 0;
  for (int i = 0; i < n; i++) {
    enum nova_fault f = nova_fault_find(nova_view_of(names[i]));
    if (f == NOVA_FAULTS) {
      fprintf(stderr, "no fault %s\n", names[i]);
      return 2;
    }
    struct outcome o = is_variant(f) ? variant(f, 0, true) : one_fault(f, true);
    bad |= (is_variant(f) ? !o.other : !o.caught) || o.blamed || o.missing;
  }
  return bad;
}

static enum nova_side side_of(unsigned f) {
  return nova_fault_info((enum nova_fault)f)->side;
}

/* Two processes share the faults: the machine that this runs on has two cores.
 */
static struct outcome *all_faults(double *seconds) {
  simrun_catalog();
  struct outcome *all =
      mmap(NULL, sizeof *all * NOVA_FAULTS, PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED)
    return NULL;
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  fflush(stdout);
  for (unsigned half = 0; half < 2; half++)
    if (fork() == 0) {
      for (unsigned f = half; f < NOVA_FAULTS; f += 2)
        all[f] = is_variant(f) ? variant((enum nova_fault)f, 0, false)
                               : one_fault((enum nova_fault)f, false);
      _exit(0);
    }
  while (wait(NULL) > 0) {
  }
  clock_gettime(CLOCK_MONOTONIC, &b);
  *seconds =
      (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
  return all;
}

/* What all of them came to. */
struct sum {
  int faults, caught, blamed, done;
  int variants, accused, open, missing, other;
};

static struct sum add_up(const struct outcome *all, enum nova_side side) {
  struct sum n = {0};
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    if (side_of(f) != side)
      continue;
    n.done += all[f].done;
    if (is_variant(f)) {
      n.variants++;
      n.accused += all[f].blamed;
      n.open += all[f].open;
      n.missing += all[f].missing;
      n.other += all[f].other;
    } else {
      n.faults++;
      n.caught += all[f].caught;
      n.blamed += all[f].blamed;
    }
  }
  return n;
}

static void page_variants(FILE *f, const struct outcome *all,
                          const struct sum *n, enum nova_side side) {
  fputs(side == NOVA_SIDE_SERVER
            ? "\n### Variants of the server\n\n"
              "Servers that keep to the guide and do otherwise than the "
              "reference where it is silent or leaves a choice.\nEach is "
              "played with eight credentials and with one. A run must not fail "
              "anything because of them.\n\n"
            : "\n### Variants of the device\n\n"
              "Devices that keep to the guide and do otherwise than the "
              "reference, slow, chatty and byte by byte ones among\nthem. Each "
              "is started for each conversation, and then as one that is "
              "operated by hand. A run must not fail\nanything because of "
              "them.\n\n",
        f);
  fprintf(f,
          "**%d variants, %d falsely blamed, %d not fully judged.**\n\n"
          "| variant | what it does | not judged |\n"
          "| --- | --- | --- |\n",
          n->variants, n->accused, n->open);
  for (unsigned i = 0; i < NOVA_FAULTS; i++)
    if (side_of(i) == side && is_variant(i)) {
      const struct nova_fault_info *info = nova_fault_info((enum nova_fault)i);
      fprintf(f, "| `%s` | %s | %s |\n", info->name, info->what, all[i].by);
    }
}

static void page_side(FILE *f, const struct outcome *all, const struct sum *n,
                      enum nova_side side) {
  fprintf(f,
          "\n## %s\n\n**%d faults, %d caught, %d falsely blamed.**\n\n"
          "| fault | what the developer did wrong | caught by |\n"
          "| --- | --- | --- |\n",
          side == NOVA_SIDE_SERVER ? "The server" : "The device", n->faults,
          n->caught, n->blamed);
  for (unsigned i = 0; i < NOVA_FAULTS; i++)
    if (side_of(i) == side && !is_variant(i)) {
      const struct nova_fault_info *info = nova_fault_info((enum nova_fault)i);
      fprintf(f, "| `%s` | %s | %s |\n", info->name, info->what, all[i].by);
    }
  page_variants(f, all, n, side);
}

/* The page for readers: docs/fault-matrix.md. */
static char *page(const struct outcome *all, const struct sum sum[2]) {
  char *text = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&text, &n);
  if (f == NULL)
    return NULL;
  fprintf(f,
          "# Fault matrix\n\n"
          "Every conversation is played against the reference peers with each "
          "of their named faults, on\nthe simulated network. This page is "
          "written by `matrix table` and compared in `make test`.\n"
          "Conforming peers on %d random networks (segmentation, latency, "
          "jitter) raise %d false alarms.\n",
          NOVA_SCORE_NETWORKS, NOVA_SCORE_FALSE_ALARMS);
  page_side(f, all, &sum[0], NOVA_SIDE_SERVER);
  page_side(f, all, &sum[1], NOVA_SIDE_DEVICE);
  fclose(f);
  return text;
}

static bool same_as_file(const char *path, const char *text) {
  FILE *f = fopen(path, "rb");
  if (f == NULL)
    return false;
  size_t n = strlen(text);
  char *old = calloc(1, n + 2);
  size_t got = old != NULL ? fread(old, 1, n + 1, f) : 0;
  fclose(f);
  bool same = old != NULL && got == n && memcmp(old, text, n) == 0;
  free(old);
  return same;
}

static int faults(const char *mode, const char *path) {
  double seconds = 0;
  struct outcome *all = all_faults(&seconds);
  if (all == NULL)
    return 2;
  struct sum n[2] = {add_up(all, NOVA_SIDE_SERVER),
                     add_up(all, NOVA_SIDE_DEVICE)};
  static const int expected[2][5] = {
      {NOVA_SCORE_SERVER_FAULTS, NOVA_SCORE_SERVER_CAUGHT,
       NOVA_SCORE_SERVER_FALSELY_BLAMED, NOVA_SCORE_SERVER_VARIANTS,
       NOVA_SCORE_VARIANTS_FALSELY_BLAMED},
      {NOVA_SCORE_DEVICE_FAULTS, NOVA_SCORE_DEVICE_CAUGHT,
       NOVA_SCORE_DEVICE_FALSELY_BLAMED, NOVA_SCORE_DEVICE_VARIANTS,
       NOVA_SCORE_VARIANTS_FALSELY_BLAMED}};
  bool bad = false;
  for (unsigned i = 0; i < 2; i++) {
    const struct sum *m = &n[i];
    printf("%s: faults %d, caught %d, falsely blamed %d; variants %d, falsely "
           "blamed %d, not fully judged %d\n",
           i == 0 ? "server" : "device", m->faults, m->caught, m->blamed,
           m->variants, m->accused, m->open);
    const int measured[5] = {m->faults, m->caught, m->blamed, m->variants,
                             m->accused};
    bad |= m->done != m->faults + m->variants || m->caught != m->faults ||
           m->blamed != 0 || m->accused != 0 || m->missing != 0 ||
           m->other != m->variants;
    if (memcmp(measured, expected[i], sizeof measured) != 0) {
      printf("harness/verdict/score.h says otherwise\n");
      bad = true;
    }
  }
  printf("%.1f s\n", seconds);
  if (path != NULL) {
    char *text = page(all, n);
    FILE *f =
        text != NULL && strcmp(mode, "table") == 0 ? fopen(path, "wb") : NULL;
    if (f != NULL) {
      bad |= fputs(text, f) == EOF;
      bad |= fclose(f) != 0;
    } else if (text == NULL || !same_as_file(path, text)) {
      printf("%s is not what was measured: matrix table %s\n", path, path);
      bad = true;
    }
    free(text);
  }
  munmap(all, sizeof *all * NOVA_FAULTS);
  return bad;
}

static int one_run(uint64_t seed, bool device, bool by_hand, unsigned over) {
  struct nova_rng rng;
  nova_rng_init(&rng, nova_rng_derive(seed, "network"));
  nova_ts low = nova_rng_below(&rng, 40) * NOVA_MS;
  struct simrun_options o = {
      .catalog = simrun_catalog(),
      .seed = seed,
      .device = device,
      .by_hand = by_hand,
      .over = over,
      .client_certificates = true,
      .devices = (unsigned)(1 + nova_rng_below(&rng, by_hand ? 3 : 10)),
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
    bool needs_two =
        !device && q->verdict == NOVA_VERDICT_NOT_TESTED && o.devices == 1;
    /* Before a handshake nothing tells which of them it is. */
    bool needs_one = by_hand && over == OVER_MQTTS && o.devices > 1 &&
                     q->verdict == NOVA_VERDICT_NOT_TESTED &&
                     strncmp(q->requirement->id, "TLS-", 4) == 0;
    bad += q->verdict != NOVA_VERDICT_PASS &&
           q->verdict != NOVA_VERDICT_NOT_APPLICABLE && !needs_two &&
           !needs_one;
  }
  if (bad != 0) {
    printf("seed %llu, %s%s: %zu requirements not passed (%u devices)\n",
           (unsigned long long)seed, device ? "device" : "server",
           by_hand ? " by hand" : "", bad, o.devices);
    show(r, false);
    show_conversations(r);
    fflush(stdout);
  }
  simrun_free(s);
  return bad != 0;
}

/* Each side as the subject, and devices that connect as they like. */
static int one_seed(uint64_t seed) {
  static const unsigned device_over[] = {OVER_TCP, OVER_MQTT, OVER_MQTTS};
  unsigned over = device_over[seed / 8 % 3];
  return one_run(seed, false, false, OVER_ALL) +
         one_run(seed, true, false, OVER_TCP) +
         one_run(seed, true, false, OVER_MQTT) +
         one_run(seed, true, false, OVER_MQTTS) +
         (seed % 8 == 0 ? one_run(seed, true, true, over) : 0);
}

static int one_network(uint64_t seed) {
  int bad = 0;
  for (unsigned f = 0; f < NOVA_FAULTS; f++)
    if (is_variant(f)) {
      struct outcome o = variant((enum nova_fault)f, seed, false);
      bad += o.blamed || o.missing;
    }
  return bad;
}

/* Has two processes share |n| seeds and adds up what |one| finds. */
static int seeds(int (*one)(uint64_t seed), uint64_t n, uint64_t first) {
  simrun_catalog();
  fflush(stdout);
  pid_t child[2];
  for (unsigned half = 0; half < 2; half++) {
    child[half] = fork();
    if (child[half] == 0) {
      int bad = 0;
      for (uint64_t i = half; i < n; i += 2)
        bad += one(first + i);
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
    return conform(false, false, OVER_ALL) | conform(false, false, OVER_MQTTS) |
           conform(true, false, OVER_TCP) | conform(true, false, OVER_MQTT) |
           conform(true, false, OVER_MQTTS) | conform(true, true, OVER_TCP) |
           conform(true, true, OVER_MQTT) | conform(true, true, OVER_MQTTS);
  if (argc > 2 && strcmp(argv[1], "faults") == 0)
    return named_faults(argv + 2, argc - 2);
  if (argc == 2 && strcmp(argv[1], "faults") == 0)
    return faults(argv[1], NULL);
  if (argc == 3 &&
      (strcmp(argv[1], "table") == 0 || strcmp(argv[1], "compare") == 0))
    return faults(argv[1], argv[2]);
  if (argc >= 3 && strcmp(argv[1], "seeds") == 0)
    return seeds(one_seed, strtoull(argv[2], NULL, 10),
                 argc >= 4 ? strtoull(argv[3], NULL, 10) : 1);
  if (argc >= 3 && strcmp(argv[1], "variants") == 0)
    return seeds(one_network, strtoull(argv[2], NULL, 10),
                 argc >= 4 ? strtoull(argv[3], NULL, 10) : 1);
  fprintf(stderr, "matrix conform | faults [NAME...] | table FILE | "
                  "compare FILE | seeds N [FIRST] | variants N [FIRST]\n");
  return 2;
}
