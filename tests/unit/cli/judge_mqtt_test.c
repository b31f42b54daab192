/* A recorded run over MQTT and TLS, written with its secrets masked, read back
 * and judged again, comes to the same checks. */
#include "run/replay.h"

#include "base/rng.h"
#include "report/results_json.h"
#include "support/simrun.h"
#include "verdict/verdict.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static bool same(const char *a, const char *b) {
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void compare(const char *what, const struct nova_conversation_result *a,
                    const struct nova_conversation_result *b) {
  cr_expect_eq(a->verdict, b->verdict, "%s: %s: %s live, %s judged again: %s",
               what, a->id, nova_verdict_names[a->verdict],
               nova_verdict_names[b->verdict],
               b->reason != NULL ? b->reason : "");
  cr_expect_eq(a->checks, b->checks, "%s: %s: %zu checks live, %zu again", what,
               a->id, a->checks, b->checks);
  for (size_t i = 0; i < a->checks && i < b->checks; i++) {
    const struct nova_check *x = &a->check[i], *y = &b->check[i];
    cr_expect(x->verdict == y->verdict && x->measured == y->measured &&
                  x->t == y->t && x->step == y->step && x->entry == y->entry &&
                  same(x->requirement, y->requirement) &&
                  same(x->rule, y->rule),
              "%s: %s: check %zu (%s): live %s at %llu: %s; again %s (%s) at "
              "%llu: %s",
              what, a->id, i, x->requirement, nova_verdict_names[x->verdict],
              (unsigned long long)x->t, x->reason != NULL ? x->reason : "",
              nova_verdict_names[y->verdict], y->requirement,
              (unsigned long long)y->t, y->reason != NULL ? y->reason : "");
  }
}

/* No key of the profile stands in |text|, nor one without its last character.
 */
static void no_secret(const char *what, const char *file,
                      const struct nova_profile *p, struct nova_view text) {
  for (size_t i = 0; i < p->devices; i++)
    cr_expect_null(
        memmem(text.p, text.n, p->device[i].key, strlen(p->device[i].key)),
        "%s: %s: %s", what, file, p->device[i].id);
  if (p->platform.key != NULL)
    cr_expect_null(
        memmem(text.p, text.n, p->platform.key, strlen(p->platform.key)),
        "%s: %s: platform", what, file);
}

/* |r| as its files say it. */
static void through_files(const char *what, const struct nova_results *r,
                          struct nova_arena *arena, struct nova_results *out) {
  cr_assert_gt(r->profile->devices, 0);
  struct nova_mask m;
  struct nova_buf b;
  struct nova_read_error error = {""};
  nova_mask_init(&m, NULL);
  nova_buf_init(&b, NULL, (size_t)256 << 20);
  cr_assert_eq(nova_mask_results(&m, r), 0);
  struct nova_sink sink = nova_sink_buf(&b);
  cr_assert_eq(nova_results_write_json(r, &m, NULL, &sink), 0);
  no_secret(what, "results.json", r->profile, nova_buf_view(&b));
  int err = nova_results_read_json(b.data + b.head, b.len, arena, out, &error);
  cr_assert_eq(err, 0, "%s: %s", what, error.text);
  for (size_t i = 0; i < r->conversations; i++) {
    if (r->conversation[i].transcript.n == 0)
      continue;
    nova_buf_clear(&b);
    cr_assert_eq(nova_transcript_write_json(r, i, &m, NULL, &sink), 0);
    no_secret(what, r->conversation[i].id, r->profile, nova_buf_view(&b));
    err = nova_transcript_read_json(b.data + b.head, b.len, arena, out, &error);
    cr_assert_eq(err, 0, "%s: %s", what, error.text);
  }
  nova_buf_free(&b);
  nova_mask_free(&m);
}

/* Returns how many conversations there were. */
static size_t again(const char *what, const struct simrun_options *o) {
  struct simrun *s = simrun_new(o);
  cr_assert_not_null(s);
  const struct nova_results *live = simrun_results(s);
  struct nova_arena arena;
  nova_arena_init(&arena, NULL, (size_t)512 << 20);
  struct nova_results r;
  through_files(what, live, &arena, &r);
  struct nova_replay_counts n;
  struct nova_replay *v = nova_replay_run(NULL, o->catalog, &r, &n);
  cr_assert_not_null(v);
  cr_assert_eq(nova_verdict_judge(&r, o->catalog, NULL), 0);
  cr_assert_eq(live->conversations, r.conversations);
  cr_expect_eq(n.partly, 0, "%s: %zu in part", what, n.partly);
  for (size_t i = 0; i < r.conversations; i++)
    compare(what, &live->conversation[i], &r.conversation[i]);
  for (size_t i = 0; i < r.requirements; i++)
    cr_expect_eq(live->requirement[i].verdict, r.requirement[i].verdict,
                 "%s: %s", what, r.requirement[i].requirement->id);
  size_t count = n.replayed;
  nova_replay_free(v);
  nova_arena_free(&arena);
  simrun_free(s);
  return count;
}

/* Events that are told behind later ones stand so in the files. */
Test(judge_mqtt, what_was_told_late, .timeout = 300) {
  for (int device = 0; device < 2; device++)
    for (uint64_t seed = 1; seed <= 3; seed++) {
      struct simrun_options o = {
          .catalog = simrun_catalog(),
          .device = device != 0,
          .by_hand = seed == 2,
          .over = 1u << (seed % 2 ? NOVA_OVER_MQTT : NOVA_OVER_MQTTS),
          .seed = seed,
          .net = {.seed = seed,
                  .latency_min = seed * 7 * NOVA_MS,
                  .latency_max = seed * 19 * NOVA_MS,
                  .cut = NOVA_SIM_MIXED,
                  .late_max = 3 * NOVA_MS,
                  .job_delay = 100 * NOVA_MS}};
      again(device ? "late device" : "late server", &o);
    }
}

/* A record whose times mean nothing is judged somehow, and nothing breaks. */
Test(judge_mqtt, times_that_mean_nothing, .timeout = 300) {
  for (int device = 0; device < 2; device++) {
    struct simrun_options o = {.catalog = simrun_catalog(),
                               .device = device != 0,
                               .over = 1u << NOVA_OVER_MQTTS,
                               .seed = 4};
    struct simrun *s = simrun_new(&o);
    cr_assert_not_null(s);
    struct nova_results *r =
        (struct nova_results *)(uintptr_t)simrun_results(s);
    struct nova_rng rng;
    nova_rng_init(&rng, 17);
    for (size_t i = 0; i < r->conversations; i++) {
      struct nova_transcript *t = &r->conversation[i].transcript;
      for (size_t k = 1; k < t->n; k++) {
        struct nova_entry *a = &t->entry[k],
                          *b = &t->entry[nova_rng_below(&rng, k)];
        nova_ts swap = a->t;
        a->t = b->t;
        b->t = swap;
      }
    }
    struct nova_replay *v = nova_replay_run(NULL, o.catalog, r, NULL);
    cr_assert_not_null(v);
    cr_assert_eq(nova_verdict_judge(r, o.catalog, NULL), 0);
    nova_replay_free(v);
    simrun_free(s);
  }
}

static const unsigned ways[] = {1u << NOVA_OVER_MQTT, 1u << NOVA_OVER_MQTTS};

/* A right password, wrong ones of every kind, an empty one, none; in pieces and
 * byte by byte. */
Test(judge_mqtt, a_server, .timeout = 300) {
  for (size_t way = 0; way < 2; way++)
    for (int cut = 0; cut < 2; cut++) {
      struct simrun_options o = {
          .catalog = simrun_catalog(),
          .over = ways[way],
          .seed = 3 + (uint64_t)cut,
          .net = {.cut = cut ? NOVA_SIM_MIXED : NOVA_SIM_WHOLE}};
      cr_expect_gt(again(way ? "server, TLS" : "server", &o), 10);
    }
}

Test(judge_mqtt, faults_of_a_server_in_what_is_secret, .timeout = 300) {
  static const char *const words[] = {"password", "login", "credential",
                                      "auth",     "key",   "connect"};
  size_t tried = 0;
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    const struct nova_fault_info *i = nova_fault_info((enum nova_fault)f);
    bool of = false;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
      of |= strstr(i->name, words[k]) != NULL;
    if (i->side != NOVA_SIDE_SERVER ||
        !nova_fault_is_mqtt((enum nova_fault)f) || !of)
      continue;
    struct simrun_options o = {
        .catalog = simrun_catalog(), .over = ways[tried++ % 2], .seed = 1};
    nova_fault_add(&o.faults, (enum nova_fault)f);
    again(i->name, &o);
  }
  cr_expect_gt(tried, 2);
}

Test(judge_mqtt, a_device, .timeout = 300) {
  for (size_t way = 0; way < 2; way++)
    for (int by_hand = 0; by_hand < 2; by_hand++) {
      struct simrun_options o = {.catalog = simrun_catalog(),
                                 .device = true,
                                 .by_hand = by_hand != 0,
                                 .over = ways[way],
                                 .net = {.cut = NOVA_SIM_MIXED},
                                 .seed = 5};
      cr_expect_gt(again(way ? "device, TLS" : "device", &o), 10);
    }
}

/* The password that it sends: none, empty, one of an example, the beginning of
 * the right one, the right one in another place, in a CONNECT that is no
 * packet. */
Test(judge_mqtt, faults_of_a_device_in_what_is_secret, .timeout = 300) {
  static const char *const words[] = {"password", "login", "connect",
                                      "username"};
  size_t tried = 0;
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    const struct nova_fault_info *i = nova_fault_info((enum nova_fault)f);
    bool of = false;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
      of |= strstr(i->name, words[k]) != NULL;
    if (i->side != NOVA_SIDE_DEVICE ||
        !nova_fault_is_mqtt((enum nova_fault)f) || !of)
      continue;
    struct simrun_options o = {
        .catalog = simrun_catalog(),
        .device = true,
        .by_hand = tried % 3 == 2,
        .over = ways[tried % 2],
        .net = {.cut = tried % 2 ? NOVA_SIM_MIXED : NOVA_SIM_WHOLE},
        .seed = 1};
    tried++;
    nova_fault_add(&o.faults, (enum nova_fault)f);
    again(i->name, &o);
  }
  cr_expect_gt(tried, 6);
}
