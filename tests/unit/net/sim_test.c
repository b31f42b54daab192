/* What only the simulated network has: its clock, chance, and accidents. */
#include "unit/net/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A trace of all that happens in a busy world, as one text. */

struct busy {
  struct world w;
  struct nova_buf trace;
  uint16_t port;
};

static struct busy *busy;

static void note(struct party *p, const struct nova_event *e) {
  char side = p == &busy->w.a ? 'a' : 'b';
  cr_assert_eq(nova_buf_printf(&busy->trace, "%c %d %llu %llu %zu\n", side,
                               (int)e->kind, (unsigned long long)e->id,
                               (unsigned long long)e->t, e->bytes.n),
               0);
}

static void busy_a(struct party *p, const struct nova_event *e) {
  note(p, e);
  if (e->kind == NOVA_EVENT_BYTES)
    cr_assert_eq(net_send(p, e->id, e->bytes.p, e->bytes.n), 0);
  else if (e->kind == NOVA_EVENT_EOF)
    net_close(p, e->id, false);
}

static void busy_b(struct party *p, const struct nova_event *e) {
  static const char text[] = "a line of some length, to be cut\n";
  note(p, e);
  if (e->kind == NOVA_EVENT_CONNECTED) {
    for (int i = 0; i < 4; i++)
      cr_assert_eq(net_send(p, e->id, text, sizeof text - 1), 0);
    cr_assert_eq(net_half_close(p, e->id), 0);
  } else if (e->kind == NOVA_EVENT_EOF) {
    net_close(p, e->id, false);
  }
}

static struct nova_buf trace_of(const struct nova_sim_options *options,
                                uint64_t connections) {
  struct busy b;
  busy = &b;
  nova_buf_init(&b.trace, NULL, (size_t)16 << 20);
  world_open_sim(&b.w, options);
  b.w.a.on_event = busy_a;
  b.w.b.on_event = busy_b;
  b.port = net_listen(&b.w.a, 1, "server", 0);
  for (uint64_t id = 1; id <= connections; id++)
    cr_assert_eq(net_connect(&b.w.b, id, "server", b.port, NOVA_SEC), 0);
  cr_assert_eq(nova_sim_run(b.w.net, NOVA_TS_NONE), NOVA_SIM_IDLE);
  cr_assert_eq(nova_sim_connections(b.w.net), 0, "a connection is left over");
  world_free(&b.w);
  return b.trace;
}

Test(sim, the_same_seed_gives_the_same_events) {
  struct nova_sim_options options = {.seed = 42,
                                     .latency_min = NOVA_MS / 10,
                                     .latency_max = 9 * NOVA_MS,
                                     .cut = NOVA_SIM_MIXED,
                                     .loss_ppm = 200000,
                                     .loss_after = 20 * NOVA_MS};
  struct nova_buf one = trace_of(&options, 50);
  struct nova_buf two = trace_of(&options, 50);
  cr_assert_gt(one.len, 1000);
  cr_assert(nova_view_eq(nova_buf_view(&one), nova_buf_view(&two)));
  options.seed = 43;
  struct nova_buf three = trace_of(&options, 50);
  cr_assert(!nova_view_eq(nova_buf_view(&one), nova_buf_view(&three)));
  nova_buf_free(&one);
  nova_buf_free(&two);
  nova_buf_free(&three);
}

/* The first connection's events are the same with others beside it. */
Test(sim, connections_do_not_disturb_each_other) {
  struct nova_sim_options options = {.seed = 5,
                                     .latency_min = NOVA_MS,
                                     .latency_max = 9 * NOVA_MS,
                                     .cut = NOVA_SIM_RANDOM};
  struct nova_buf alone = trace_of(&options, 1);
  struct nova_buf among = trace_of(&options, 20);
  /* b's lines of id 1 only: the ids of a depend on who comes first. */
  const char *rest = nova_buf_cstr(&among), *line = nova_buf_cstr(&alone);
  size_t lines = 0;
  for (; *line != '\0'; line = strchr(line, '\n') + 1) {
    int n = (int)(strchr(line, '\n') - line) + 1;
    if (line[0] != 'b')
      continue;
    char want[128];
    snprintf(want, sizeof want, "%.*s", n, line);
    rest = strstr(rest, want);
    cr_assert_not_null(rest, "missing: %s", want);
    lines++;
  }
  cr_assert_gt(lines, 5);
  nova_buf_free(&alone);
  nova_buf_free(&among);
}

Test(sim, latency_is_kept) {
  struct nova_sim_options options = {
      .seed = 3, .latency_min = 2 * NOVA_MS, .latency_max = 5 * NOVA_MS};
  struct world w;
  world_open_sim(&w, &options);
  world_join(&w);
  const struct seen *c = party_last(&w.b, NOVA_EVENT_CONNECTED, 1);
  cr_assert(c->t - c->since >= 4 * NOVA_MS && c->t - c->since <= 10 * NOVA_MS);
  nova_ts low = NOVA_TS_NONE, high = 0;
  for (size_t i = 1; i <= 200; i++) {
    nova_ts sent = net_now(&w.b);
    cr_assert_eq(net_send(&w.b, 1, "x", 1), 0);
    world_await_bytes(&w, &w.a, i);
    nova_ts took = party_last(&w.a, NOVA_EVENT_BYTES, 0)->t - sent;
    low = took < low ? took : low;
    high = took > high ? took : high;
  }
  cr_assert_geq(low, 2 * NOVA_MS);
  cr_assert_leq(high, 5 * NOVA_MS);
  cr_assert_gt(high - low, NOVA_MS, "there is no jitter");
  world_free(&w);
}

Test(sim, a_reset_for_late_data_takes_a_round_trip) {
  struct nova_sim_options options = {.latency_min = 3 * NOVA_MS,
                                     .latency_max = 3 * NOVA_MS};
  struct world w;
  world_open_sim(&w, &options);
  uint64_t id = world_join(&w);
  net_close(&w.a, id, false);
  world_await(&w, &w.b, NOVA_EVENT_EOF, 1, 1);
  nova_ts sent = net_now(&w.b);
  cr_assert_eq(net_send(&w.b, 1, "x", 1), 0);
  world_await(&w, &w.b, NOVA_EVENT_RESET, 1, 1);
  cr_assert_eq(net_now(&w.b) - sent, 6 * NOVA_MS);
  world_free(&w);
}

/* How many events |n| bytes in one write come in; |pieces| gets their sizes. */
static size_t pieces_of(enum nova_sim_cut cut, uint64_t seed, size_t n,
                        size_t pieces[5000]) {
  struct nova_sim_options options = {.seed = seed, .cut = cut};
  struct world w;
  world_open_sim(&w, &options);
  world_join(&w);
  char *p = malloc(n);
  fill(p, n, 1);
  cr_assert_eq(net_send(&w.b, 1, p, n), 0);
  world_await_bytes(&w, &w.a, n);
  cr_assert_eq(memcmp(w.a.bytes.data, p, n), 0);
  size_t k = 0;
  for (size_t i = 0; i < w.a.n; i++)
    if (w.a.seen[i].kind == NOVA_EVENT_BYTES) {
      cr_assert_lt(k, 5000);
      pieces[k++] = w.a.seen[i].n;
    }
  free(p);
  world_free(&w);
  return k;
}

Test(sim, cuts_as_it_is_told) {
  static size_t piece[5000];
  cr_assert_eq(pieces_of(NOVA_SIM_WHOLE, 1, 65536, piece), 1);
  cr_assert_eq(pieces_of(NOVA_SIM_WHOLE, 1, 65537, piece), 2);
  cr_assert_eq(pieces_of(NOVA_SIM_BYTES, 1, 300, piece), 300);
  cr_assert_eq(pieces_of(NOVA_SIM_BYTES, 1, 4096, piece), 4096);
  /* Longer ones at their ends only. */
  cr_assert_eq(pieces_of(NOVA_SIM_BYTES, 1, 4097, piece), 4097);
  size_t k = pieces_of(NOVA_SIM_BYTES, 1, 131072, piece);
  cr_assert_eq(k, 4096 + 2);
  for (size_t i = 0; i < 2048; i++)
    cr_assert(piece[i] == 1 && piece[k - 1 - i] == 1);
  bool last_alone = false, cut_before = false;
  for (uint64_t seed = 1; seed <= 100; seed++) {
    k = pieces_of(NOVA_SIM_RANDOM, seed, 100, piece);
    cr_assert_leq(k, 8);
    cut_before |= k > 4;
    last_alone |= k > 1 && piece[k - 1] == 1;
    cr_assert_leq(pieces_of(NOVA_SIM_RANDOM, seed, 2, piece), 2);
    cr_assert_eq(pieces_of(NOVA_SIM_RANDOM, seed, 1, piece), 1);
  }
  cr_assert(last_alone);
  cr_assert(cut_before);
}

Test(sim, joins_what_is_on_its_way_together) {
  struct nova_sim_options options = {
      .latency_min = NOVA_MS, .latency_max = NOVA_MS, .cut = NOVA_SIM_JOIN};
  struct world w;
  world_open_sim(&w, &options);
  uint64_t id = world_join(&w);
  char big[60000];
  fill(big, sizeof big, 1);
  cr_assert_eq(net_send(&w.b, 1, "one ", 4), 0);
  world_run(&w, NOVA_MS / 2);
  cr_assert_eq(net_send(&w.b, 1, "two ", 4), 0);
  cr_assert_eq(net_send(&w.b, 1, "three", 5), 0);
  cr_assert_eq(net_half_close(&w.b, 1), 0);
  world_await(&w, &w.a, NOVA_EVENT_EOF, id, 1);
  cr_assert_eq(party_count(&w.a, NOVA_EVENT_BYTES, id), 1);
  cr_assert(nova_view_is(nova_buf_view(&w.a.bytes), "one two three"));
  /* Never more than one read takes. */
  cr_assert_eq(net_send(&w.a, id, big, sizeof big), 0);
  cr_assert_eq(net_send(&w.a, id, big, sizeof big), 0);
  world_await_bytes(&w, &w.b, 2 * sizeof big);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_BYTES, 1), 2);
  world_free(&w);
}

Test(sim, the_window_holds_back_what_is_not_read) {
  struct nova_sim_options options = {
      .latency_min = NOVA_MS, .latency_max = NOVA_MS, .window = 100};
  struct world w;
  world_open_sim(&w, &options);
  uint64_t id = world_join(&w);
  net_pause(&w.a, id, true);
  char text[60];
  fill(text, sizeof text, 1);
  for (int i = 0; i < 3; i++)
    cr_assert_eq(net_send(&w.b, 1, text, sizeof text), 0);
  world_run(&w, NOVA_SEC);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_SENT, 1), 1);
  nova_ts resumed = net_now(&w.a);
  net_pause(&w.a, id, false);
  world_await(&w, &w.b, NOVA_EVENT_SENT, 1, 3);
  const struct seen *sent = party_last(&w.b, NOVA_EVENT_SENT, 1);
  cr_assert_geq(sent->since, resumed, "it began before there was room");
  world_await_bytes(&w, &w.a, 3 * sizeof text);
  world_free(&w);
}

Test(sim, connections_are_lost_when_told) {
  struct nova_sim_loss loss[] = {{1, 500 * NOVA_MS}, {2, 0}};
  struct nova_sim_options options = {.latency_min = NOVA_MS,
                                     .latency_max = NOVA_MS,
                                     .loss = loss,
                                     .losses = 2};
  struct world w;
  world_open_sim(&w, &options);
  uint16_t port = net_listen(&w.a, 1, "s", 0);
  for (uint64_t id = 10; id < 13; id++)
    cr_assert_eq(net_connect(&w.b, id, "s", port, NOVA_SEC), 0);
  world_run(&w, 499 * NOVA_MS);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_CONNECTED, 0), 3);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_RESET, 0), 1);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_RESET, 12), 1);
  world_run(&w, NOVA_SEC);
  const struct seen *e = party_last(&w.b, NOVA_EVENT_RESET, 11);
  cr_assert_not_null(e);
  cr_assert_eq(e->t, 500 * NOVA_MS);
  cr_assert_eq(party_last(&w.a, NOVA_EVENT_RESET, 0)->t, 500 * NOVA_MS);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_RESET, 10), 0);
  cr_assert_eq(nova_sim_connections(w.net), 1);
  world_free(&w);
}

Test(sim, connections_are_lost_by_chance) {
  static const struct {
    uint32_t ppm;
    size_t low, high;
  } cases[] = {{0, 0, 0}, {100000, 60, 140}, {1000000, 1000, 1000}};
  for (size_t k = 0; k < 3; k++) {
    struct nova_sim_options options = {.seed = 4,
                                       .latency_min = NOVA_MS,
                                       .latency_max = NOVA_MS,
                                       .loss_ppm = cases[k].ppm,
                                       .loss_after = NOVA_SEC};
    struct world w;
    world_open_sim(&w, &options);
    uint16_t port = net_listen(&w.a, 1, "s", 0);
    for (uint64_t id = 1; id <= 1000; id++)
      cr_assert_eq(net_connect(&w.b, id, "s", port, NOVA_SEC), 0);
    nova_sim_run(w.net, NOVA_TS_NONE);
    size_t lost = party_count(&w.b, NOVA_EVENT_RESET, 0);
    cr_assert(lost >= cases[k].low && lost <= cases[k].high, "%zu", lost);
    if (lost != 0)
      cr_assert_leq(party_last(&w.b, NOVA_EVENT_RESET, 0)->t, NOVA_SEC);
    world_free(&w);
  }
}

Test(sim, a_crash_takes_everything) {
  struct nova_sim_options options = {
      .latency_min = NOVA_MS, .latency_max = NOVA_MS, .job_delay = 5 * NOVA_MS};
  struct world w;
  world_open_sim(&w, &options);
  uint64_t id = world_join(&w);
  uint16_t port = net_listen(&w.a, 8, "s", 9000);
  const char *const argv[] = {"x", NULL};
  struct nova_job job = {.argv = argv, .timeout = NOVA_SEC};
  cr_assert_eq(w.a.t->ops->run(w.a.t, 1, &job), 0);
  net_wake_at(&w.a, net_now(&w.a) + NOVA_MS);
  cr_assert_eq(net_send(&w.a, id, "last", 4), 0);
  size_t n = w.a.n;
  nova_sim_crash(w.net, w.a.t);
  cr_assert_eq(net_connect(&w.b, 2, "s", port, NOVA_SEC), 0);
  world_await(&w, &w.b, NOVA_EVENT_RESET, 1, 1);
  cr_assert(nova_view_is(nova_buf_view(&w.b.bytes), "last"));
  world_await(&w, &w.b, NOVA_EVENT_REFUSED, 2, 1);
  world_run(&w, NOVA_SEC);
  cr_assert_eq(w.a.n, n, "it heard something after its crash");
  cr_assert_eq(w.a.expired, 0);
  cr_assert_eq(net_connect(&w.a, 5, "s", port, NOVA_SEC), NOVA_ERR_STATE);
  cr_assert_eq(net_send(&w.a, id, "x", 1), NOVA_ERR_STATE);
  cr_assert_eq(w.a.t->ops->run(w.a.t, 1, &job), NOVA_ERR_STATE);
  net_wake_at(&w.a, net_now(&w.a));
  world_run(&w, NOVA_SEC);
  cr_assert_eq(w.a.expired, 0);

  nova_sim_revive(w.net, w.a.t);
  cr_assert_eq(net_connect(&w.b, 2, "s", port, NOVA_SEC), 0);
  world_await(&w, &w.b, NOVA_EVENT_REFUSED, 2, 2);
  cr_assert_eq(net_listen(&w.a, 8, "s", port), port);
  cr_assert_eq(net_connect(&w.b, 2, "s", port, NOVA_SEC), 0);
  world_await(&w, &w.b, NOVA_EVENT_CONNECTED, 2, 1);
  world_free(&w);
}

/* Between the two parts of the handshake there is nobody left to accept. */
Test(sim, a_crash_during_the_handshake_resets) {
  struct nova_sim_options options = {.latency_min = NOVA_MS,
                                     .latency_max = NOVA_MS};
  struct world w;
  world_open_sim(&w, &options);
  uint16_t port = net_listen(&w.a, 1, "s", 0);
  cr_assert_eq(net_connect(&w.b, 1, "s", port, NOVA_SEC), 0);
  world_run(&w, NOVA_MS + NOVA_MS / 2);
  nova_sim_crash(w.net, w.a.t);
  world_await(&w, &w.b, NOVA_EVENT_RESET, 1, 1);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_CONNECTED, 1), 1);
  cr_assert_eq(nova_sim_connections(w.net), 0);
  world_free(&w);
}

Test(sim, names_and_wildcards) {
  struct world w;
  world_open_sim(&w, NULL);
  net_listen(&w.a, 1, "Server", 9000);
  net_listen(&w.a, 2, "0.0.0.0", 9001);
  cr_assert_eq(net_connect(&w.b, 1, "server", 9000, NOVA_SEC), 0);
  cr_assert_eq(net_connect(&w.b, 2, "any.name", 9001, NOVA_SEC), 0);
  cr_assert_eq(net_connect(&w.b, 3, "other", 9000, NOVA_SEC), 0);
  world_run(&w, NOVA_SEC);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_CONNECTED, 0), 2);
  cr_assert_eq(party_count(&w.b, NOVA_EVENT_REFUSED, 3), 1);
  cr_assert_eq(party_last(&w.a, NOVA_EVENT_ACCEPTED, 0)->listener, 2);
  world_free(&w);
}

Test(sim, silence_lasts_until_the_timeout) {
  struct world w;
  world_open_sim(&w, NULL);
  cr_assert_eq(net_connect(&w.b, 1, "192.0.2.7", 9000, 5 * NOVA_SEC), 0);
  world_await(&w, &w.b, NOVA_EVENT_REFUSED, 1, 1);
  const struct seen *e = party_last(&w.b, NOVA_EVENT_REFUSED, 1);
  cr_assert_eq(e->code, NOVA_CODE_TIMEOUT);
  cr_assert_eq(e->t - e->since, 5 * NOVA_SEC);
  cr_assert_not_null(strstr(nova_buf_cstr(&w.b.text), "does not answer"));
  world_free(&w);

  /* So does a way that is too long; what comes back later meets nobody. */
  struct nova_sim_options options = {.latency_min = NOVA_SEC,
                                     .latency_max = NOVA_SEC};
  world_open_sim(&w, &options);
  uint16_t port = net_listen(&w.a, 1, "s", 0);
  cr_assert_eq(net_connect(&w.b, 1, "s", port, NOVA_SEC), 0);
  world_run(&w, 10 * NOVA_SEC);
  cr_assert_eq(party_last(&w.b, NOVA_EVENT_REFUSED, 1)->code,
               NOVA_CODE_TIMEOUT);
  cr_assert_eq(w.a.n, 0);
  cr_assert_eq(nova_sim_connections(w.net), 0);
  world_free(&w);
}

Test(sim, timers_may_be_late_but_not_early) {
  struct nova_sim_options options = {.seed = 9, .late_max = 10 * NOVA_MS};
  struct world w;
  world_open_sim(&w, &options);
  nova_ts low = NOVA_TS_NONE, high = 0;
  for (size_t i = 0; i < 100; i++) {
    nova_ts when = net_now(&w.a) + 180 * NOVA_SEC;
    net_wake_at(&w.a, when);
    cr_assert_eq(nova_sim_run(w.net, NOVA_TS_NONE), NOVA_SIM_IDLE);
    cr_assert_eq(w.a.expired, i + 1);
    cr_assert_geq(w.a.expired_at, when);
    nova_ts late = w.a.expired_at - when;
    low = late < low ? late : low;
    high = late > high ? late : high;
  }
  cr_assert(low < 2 * NOVA_MS && high > 8 * NOVA_MS && high <= 10 * NOVA_MS);
  world_free(&w);
}

static void always_again(void *user, nova_ts now) {
  struct party *p = user;
  p->t->ops->wake_at(p->t, now);
}

static void stop_after_ten(void *user, nova_ts now) {
  struct party *p = user;
  p->t->ops->wake_at(p->t, now + NOVA_MS);
  if (++p->expired == 10)
    nova_sim_stop(p->world->net);
}

Test(sim, a_run_ends_as_it_says) {
  struct nova_sim_options options = {.unix_start_ns = 1000};
  struct world w;
  world_open_sim(&w, &options);
  cr_assert_eq(nova_sim_run(w.net, 5), NOVA_SIM_IDLE);
  cr_assert_eq(nova_sim_now(w.net), 5);
  cr_assert_eq(w.a.t->ops->unix_ns(w.a.t), 1005);
  net_wake_at(&w.a, 100);
  cr_assert_eq(nova_sim_run(w.net, 99), NOVA_SIM_UNTIL);
  cr_assert_eq(w.a.expired, 0);
  cr_assert_eq(nova_sim_run(w.net, 100), NOVA_SIM_IDLE);
  cr_assert_eq(w.a.expired, 1);
  w.a.expired = 0;
  w.a.t->handler.expire = stop_after_ten;
  net_wake_at(&w.a, 0);
  cr_assert_eq(nova_sim_run(w.net, NOVA_TS_NONE), NOVA_SIM_STOPPED);
  cr_assert_eq(w.a.expired, 10);
  cr_assert_eq(nova_sim_now(w.net), 100 + 9 * NOVA_MS);
  w.a.t->handler.expire = always_again;
  cr_assert_eq(nova_sim_run(w.net, NOVA_TS_NONE), NOVA_SIM_STUCK);
  world_free(&w);
}

/* A conversation of a dozen messages, each answered, then the next one. */
static const char question[] = "{\"type\":\"ping\",\"timestamp\":1700000000}\n";

static void converse(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_BYTES) {
    if (++p->expired % 12 == 0) {
      net_close(p, e->id, false);
      return;
    }
  } else if (e->kind != NOVA_EVENT_CONNECTED) {
    return;
  }
  net_wake_at(p, net_now(p) + 180 * NOVA_SEC);
  cr_assert_eq(net_send(p, e->id, question, sizeof question - 1), 0);
}

static void reply(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_BYTES)
    cr_assert_eq(net_send(p, e->id, e->bytes.p, e->bytes.n), 0);
  else if (e->kind == NOVA_EVENT_EOF)
    net_close(p, e->id, false);
}

Test(sim, thousands_of_conversations_take_no_time) {
  clock_t begun = clock();
  for (uint64_t i = 0; i < 3500; i++) {
    struct nova_sim_options options = {
        .seed = i, .latency_min = NOVA_MS, .latency_max = 2 * NOVA_MS};
    struct world w;
    world_open_sim(&w, &options);
    w.a.on_event = reply;
    w.b.on_event = converse;
    uint16_t port = net_listen(&w.a, 1, "s", 0);
    cr_assert_eq(net_connect(&w.b, 1, "s", port, NOVA_SEC), 0);
    nova_sim_run(w.net, NOVA_TS_NONE);
    cr_assert_eq(w.a.bytes.len, 12 * (sizeof question - 1));
    cr_assert_eq(nova_sim_connections(w.net), 0);
    world_free(&w);
  }
  double took = (double)(clock() - begun) / CLOCKS_PER_SEC;
  cr_assert_lt(took, 10, "%.1f s", took);
}

/* Every allocation fails once: nothing crashes, nothing is lost, and who asks
 * is told. */

static int allocations_left;

static void *scarce(void *p, size_t n, void *user) {
  (void)user;
  return allocations_left-- == 0 ? NULL : realloc(p, n);
}

static void give_back(void *p, void *user) {
  (void)user;
  free(p);
}

static void scarce_event(void *user, const struct nova_event *e) {
  struct nova_transport *t = user;
  if (e->kind == NOVA_EVENT_CONNECTED || e->kind == NOVA_EVENT_BYTES)
    (void)t->ops->send(t, e->id, "0123456789", 10);
  if (e->kind == NOVA_EVENT_BYTES)
    t->ops->close(t, e->id, false);
}

Test(sim, survives_without_memory) {
  static const struct nova_mem mem = {scarce, give_back, NULL};
  bool whole = false;
  for (int n = 0; !whole; n++) {
    cr_assert_lt(n, 1000);
    allocations_left = n;
    struct nova_sim *sim = nova_sim_new(&mem, NULL);
    struct nova_transport *a = sim != NULL ? nova_sim_attach(sim) : NULL;
    struct nova_transport *b = a != NULL ? nova_sim_attach(sim) : NULL;
    if (b != NULL) {
      uint16_t port;
      const char *why = NULL;
      a->handler = (struct nova_handler){scarce_event, NULL, a};
      b->handler = (struct nova_handler){scarce_event, NULL, b};
      int err = a->ops->listen(a, 1, "s", 9000, &port, &why);
      cr_assert(err == 0 || (err == NOVA_ERR_NO_MEMORY && why != NULL));
      for (uint64_t id = 1; id <= 40; id++) {
        err = b->ops->connect(b, id, "s", 9000, NOVA_SEC);
        cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
      }
      const char *const argv[] = {"x", NULL};
      struct nova_job job = {.argv = argv, .timeout = NOVA_SEC};
      err = b->ops->run(b, 1, &job);
      cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
      nova_sim_run(sim, NOVA_TS_NONE);
    }
    nova_sim_free(sim);
    whole = allocations_left > 0;
  }
}
