/* What base/transport.h promises, checked on the simulated network in each of
 * its ways to cut, and on the real one. */
#include "unit/net/tls_world.h"
#include "unit/net/world.h"

#include <stdlib.h>

/* A test that runs on both networks, in the clear and under TLS. */
#define ON_BOTH(name)                                                          \
  static void name(struct world *w);                                           \
  Test(simulated, name) {                                                      \
    on_sim(name);                                                              \
  }                                                                            \
  Test(real, name) {                                                           \
    on_loop(name);                                                             \
  }                                                                            \
  Test(secured_simulated, name) {                                              \
    on_secured_sim(name);                                                      \
  }                                                                            \
  Test(secured_real, name) {                                                   \
    on_secured_loop(name);                                                     \
  }                                                                            \
  static void name(struct world *w)

static void on_sim(void (*test)(struct world *w)) {
  for (int cut = NOVA_SIM_WHOLE; cut <= NOVA_SIM_MIXED; cut++)
    for (uint64_t seed = 1; seed <= 3; seed++) {
      struct nova_sim_options options = {.seed = seed,
                                         .latency_min = NOVA_MS,
                                         .latency_max = seed * NOVA_MS,
                                         .cut = (enum nova_sim_cut)cut};
      struct world w;
      world_open_sim(&w, &options);
      test(&w);
      world_free(&w);
    }
}

/* Under TLS a connection is as it is without. */
static void on_secured_sim(void (*test)(struct world *w)) {
  for (int cut = NOVA_SIM_WHOLE; cut <= NOVA_SIM_MIXED; cut += NOVA_SIM_MIXED) {
    struct nova_sim_options options = {.seed = 5,
                                       .latency_min = NOVA_MS,
                                       .latency_max = 2 * NOVA_MS,
                                       .cut = (enum nova_sim_cut)cut};
    struct tls_world w;
    tls_world_open_sim(&w, &options);
    test(&w.w);
    tls_world_free(&w);
  }
}

static void on_secured_loop(void (*test)(struct world *w)) {
  struct tls_world w;
  tls_world_open_loop(&w);
  test(&w.w);
  tls_world_free(&w);
}

static void on_loop(void (*test)(struct world *w)) {
  struct world w;
  world_open_loop(&w);
  test(&w);
  world_free(&w);
}

ON_BOTH(a_connection_carries_bytes_both_ways) {
  nova_ts begun = net_now(&w->b);
  uint64_t id = world_join(w);
  cr_assert_geq(id, UINT64_C(1) << 32, "a chosen id is in the user's range");
  const struct seen *accepted = party_last(&w->a, NOVA_EVENT_ACCEPTED, 0);
  const struct seen *connected = party_last(&w->b, NOVA_EVENT_CONNECTED, 1);
  cr_assert_eq(accepted->listener, 7);
  cr_assert_geq(connected->since, begun);
  cr_assert_leq(connected->since, connected->t);

  nova_ts before = net_now(&w->b);
  cr_assert_eq(net_send(&w->b, 1, "hello", 5), 0);
  world_await_bytes(w, &w->a, 5);
  world_await(w, &w->b, NOVA_EVENT_SENT, 1, 1);
  cr_assert(nova_view_is(nova_buf_view(&w->a.bytes), "hello"));
  const struct seen *sent = party_last(&w->b, NOVA_EVENT_SENT, 1);
  const struct seen *came = party_last(&w->a, NOVA_EVENT_BYTES, id);
  cr_assert_geq(sent->since, before);
  cr_assert_geq(came->t, sent->since, "bytes came before they were sent");

  cr_assert_eq(net_send(&w->a, id, "you too", 7), 0);
  world_await_bytes(w, &w->b, 7);
  cr_assert(nova_view_is(nova_buf_view(&w->b.bytes), "you too"));
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_BYTES, 1),
               party_count(&w->b, NOVA_EVENT_BYTES, 0));
}

ON_BOTH(many_sends_keep_their_order) {
  uint64_t id = world_join(w);
  enum { SENDS = 200 };
  struct nova_buf all;
  nova_buf_init(&all, NULL, (size_t)4 << 20);
  char piece[6000];
  for (uint32_t i = 0; i < SENDS; i++) {
    size_t n = 1 + i * 29 % 5999;
    fill(piece, n, i);
    cr_assert_eq(net_send(&w->b, 1, piece, n), 0);
    cr_assert_eq(nova_buf_append(&all, piece, n), 0);
  }
  world_await_bytes(w, &w->a, all.len);
  world_await(w, &w->b, NOVA_EVENT_SENT, 1, SENDS);
  world_run(w, 20 * NOVA_MS);
  cr_assert(nova_view_eq(nova_buf_view(&w->a.bytes), nova_buf_view(&all)));
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_SENT, 1), SENDS);
  /* A send begins when the one before it is out. */
  nova_ts out = 0;
  for (size_t i = 0; i < w->b.n; i++)
    if (w->b.seen[i].kind == NOVA_EVENT_SENT) {
      cr_assert_geq(w->b.seen[i].since, out);
      out = w->b.seen[i].t;
    }
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_RESET, id), 0);
  nova_buf_free(&all);
}

ON_BOTH(a_megabyte_arrives_whole_in_both_directions_at_once) {
  uint64_t id = world_join(w);
  size_t n = (size_t)1 << 20;
  char *p = malloc(n), *q = malloc(n);
  fill(p, n, 1);
  fill(q, n, 2);
  cr_assert_eq(net_send(&w->b, 1, p, n), 0);
  cr_assert_eq(net_send(&w->a, id, q, n), 0);
  world_await_bytes(w, &w->a, n);
  world_await_bytes(w, &w->b, n);
  cr_assert(nova_view_eq(nova_buf_view(&w->a.bytes), (struct nova_view){p, n}));
  cr_assert(nova_view_eq(nova_buf_view(&w->b.bytes), (struct nova_view){q, n}));
  world_await(w, &w->a, NOVA_EVENT_SENT, id, 1);
  world_await(w, &w->b, NOVA_EVENT_SENT, 1, 1);
  for (size_t i = 0; i < w->a.n; i++)
    cr_assert_leq(w->a.seen[i].n, 65536, "a piece beyond the read buffer");
  free(p);
  free(q);
}

ON_BOTH(an_empty_send_is_reported) {
  world_join(w);
  cr_assert_eq(net_send(&w->b, 1, NULL, 0), 0);
  world_await(w, &w->b, NOVA_EVENT_SENT, 1, 1);
  world_run(w, 20 * NOVA_MS);
  cr_assert_eq(w->a.bytes.len, 0);
}

ON_BOTH(a_half_closed_end_still_reads) {
  uint64_t id = world_join(w);
  char big[100000];
  fill(big, sizeof big, 3);
  cr_assert_eq(net_send(&w->b, 1, big, sizeof big), 0);
  cr_assert_eq(net_half_close(&w->b, 1), 0);
  cr_assert_eq(net_send(&w->b, 1, "x", 1), NOVA_ERR_STATE);
  cr_assert_eq(net_half_close(&w->b, 1), NOVA_ERR_STATE);
  world_await(w, &w->a, NOVA_EVENT_EOF, id, 1);
  cr_assert_eq(w->a.bytes.len, sizeof big, "EOF stands before the data's end");
  cr_assert_eq(net_send(&w->a, id, "answer", 6), 0);
  world_await_bytes(w, &w->b, 6);
  cr_assert_eq(net_half_close(&w->a, id), 0);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_EOF, id), 1);
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_RESET, 0), 0);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_RESET, 0), 0);
  /* Both ends are at an end and still theirs: the ids are in use. */
  cr_assert_eq(net_connect(&w->b, 1, w->host, 1, NOVA_SEC), NOVA_ERR_ARGUMENT);
  net_close(&w->b, 1, false);
  net_close(&w->a, id, false);
}

ON_BOTH(the_accepting_end_may_half_close_first) {
  uint64_t id = world_join(w);
  cr_assert_eq(net_half_close(&w->a, id), 0);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  cr_assert_eq(net_send(&w->b, 1, "still here", 10), 0);
  world_await_bytes(w, &w->a, 10);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_RESET, 0), 0);
}

ON_BOTH(close_ends_with_fin) {
  uint64_t id = world_join(w);
  cr_assert_eq(net_send(&w->a, id, "bye", 3), 0);
  world_await(w, &w->a, NOVA_EVENT_SENT, id, 1);
  net_close(&w->a, id, false);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  cr_assert(nova_view_is(nova_buf_view(&w->b.bytes), "bye"));
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_RESET, 0), 0);
  cr_assert_eq(net_send(&w->a, id, "x", 1), NOVA_ERR_STATE);
}

/* What had come and was not read must not turn the FIN into an RST. */
ON_BOTH(close_ends_with_fin_although_bytes_are_unread) {
  uint64_t id = world_join(w);
  net_pause(&w->a, id, true);
  cr_assert_eq(net_send(&w->b, 1, "unread", 6), 0);
  world_await(w, &w->b, NOVA_EVENT_SENT, 1, 1);
  world_run(w, 50 * NOVA_MS);
  net_close(&w->a, id, false);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_RESET, 0), 0);
  cr_assert_eq(w->a.bytes.len, 0);
}

ON_BOTH(close_ends_with_rst_if_asked) {
  uint64_t id = world_join(w);
  net_close(&w->b, 1, true);
  world_await(w, &w->a, NOVA_EVENT_RESET, id, 1);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_EOF, 0), 0);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_RESET, 0), 0, "of its own RST");
  cr_assert_eq(net_send(&w->a, id, "x", 1), NOVA_ERR_STATE, "after RESET");
}

ON_BOTH(data_before_a_reset_is_not_lost) {
  uint64_t id = world_join(w);
  net_pause(&w->a, id, true);
  cr_assert_eq(net_send(&w->b, 1, "last words", 10), 0);
  world_await(w, &w->b, NOVA_EVENT_SENT, 1, 1);
  world_run(w, 50 * NOVA_MS);
  net_close(&w->b, 1, true);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_BYTES, 0), 0, "while paused");
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_RESET, 0), 0, "while paused");
  net_pause(&w->a, id, false);
  world_await(w, &w->a, NOVA_EVENT_RESET, id, 1);
  cr_assert(nova_view_is(nova_buf_view(&w->a.bytes), "last words"));
}

ON_BOTH(a_paused_end_learns_of_a_reset_when_it_sends) {
  uint64_t id = world_join(w);
  net_pause(&w->a, id, true);
  net_close(&w->b, 1, true);
  world_run(w, 50 * NOVA_MS);
  int err = net_send(&w->a, id, "x", 1);
  cr_assert(err == 0 || err == NOVA_ERR_STATE);
  world_await(w, &w->a, NOVA_EVENT_RESET, id, 1);
}

ON_BOTH(sending_to_a_closed_peer_gives_a_reset) {
  uint64_t id = world_join(w);
  net_close(&w->a, id, false);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  cr_assert_eq(net_send(&w->b, 1, "anybody?", 8), 0);
  world_await(w, &w->b, NOVA_EVENT_RESET, 1, 1);
  cr_assert_eq(net_send(&w->b, 1, "anybody?", 8), NOVA_ERR_STATE);
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_BYTES, 0), 0);
}

ON_BOTH(at_an_end_in_both_directions_nothing_more_is_heard) {
  uint64_t id = world_join(w);
  net_close(&w->a, id, false);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  cr_assert_eq(net_send(&w->b, 1, "anybody?", 8), 0);
  cr_assert_eq(net_half_close(&w->b, 1), 0);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_SENT, 1), 1);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_RESET, 1), 0);
  cr_assert_eq(net_send(&w->b, 1, "x", 1), NOVA_ERR_STATE);
}

ON_BOTH(a_reset_behind_the_end_is_seen_without_sending) {
  uint64_t id = world_join(w);
  cr_assert_eq(net_half_close(&w->a, id), 0);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  world_run(w, 20 * NOVA_MS);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_RESET, 1), 0);
  net_close(&w->a, id, true);
  world_await(w, &w->b, NOVA_EVENT_RESET, 1, 1);
}

ON_BOTH(nobody_listens) {
  uint16_t port = net_listen(&w->a, 1, w->host, 0);
  w->a.t->ops->unlisten(w->a.t, 1);
  cr_assert_eq(net_connect(&w->b, 5, w->host, port, 5 * NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_REFUSED, 5, 1);
  const struct seen *e = party_last(&w->b, NOVA_EVENT_REFUSED, 5);
  cr_assert_eq(e->code, NOVA_CODE_REFUSED);
  cr_assert_not_null(strstr(nova_buf_cstr(&w->b.text), "nobody listens"));
  /* The id is free again. */
  cr_assert_eq(net_connect(&w->b, 5, w->host, port, 5 * NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_REFUSED, 5, 2);
}

ON_BOTH(a_name_that_is_not_found) {
  cr_assert_eq(net_connect(&w->b, 5, "nowhere.invalid", 9000, 20 * NOVA_SEC),
               0);
  world_await(w, &w->b, NOVA_EVENT_REFUSED, 5, 1);
  cr_assert_eq(party_last(&w->b, NOVA_EVENT_REFUSED, 5)->code,
               NOVA_CODE_UNREACHABLE);
  cr_assert_not_null(strstr(nova_buf_cstr(&w->b.text), "nowhere.invalid"));
}

ON_BOTH(wrong_calls_are_refused) {
  uint64_t id = world_join(w);
  uint16_t port = net_listen(&w->a, 8, w->host, 0);
  cr_assert_eq(net_connect(&w->b, 1, w->host, port, NOVA_SEC),
               NOVA_ERR_ARGUMENT, "the id is in use");
  cr_assert_eq(net_connect(&w->b, UINT64_C(1) << 32, w->host, port, NOVA_SEC),
               NOVA_ERR_ARGUMENT, "the id is the transport's");
  cr_assert_eq(net_connect(&w->b, 2, NULL, port, NOVA_SEC), NOVA_ERR_ARGUMENT);
  cr_assert_eq(net_send(&w->b, 99, "x", 1), NOVA_ERR_STATE);
  cr_assert_eq(net_send(&w->b, id, "x", 1), NOVA_ERR_STATE, "a's id, not b's");
  cr_assert_eq(net_half_close(&w->b, 99), NOVA_ERR_STATE);
  net_close(&w->b, 99, false);
  net_pause(&w->b, 99, true);
  /* Not yet connected. */
  cr_assert_eq(net_connect(&w->b, 3, w->host, port, NOVA_SEC), 0);
  cr_assert_eq(net_send(&w->b, 3, "x", 1), NOVA_ERR_STATE);
  cr_assert_eq(net_half_close(&w->b, 3), NOVA_ERR_STATE);
  /* Given up before it came to anything: no event, the id is free. */
  net_close(&w->b, 3, false);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_CONNECTED, 3), 0);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_REFUSED, 3), 0);
  cr_assert_eq(net_connect(&w->b, 3, w->host, port, NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_CONNECTED, 3, 1);
}

static int try_listen(struct party *p, uint64_t id, const char *host,
                      uint16_t port, const char **why) {
  uint16_t bound = 0;
  *why = NULL;
  return p->t->ops->listen(p->t, id, host, port, &bound, why);
}

ON_BOTH(listening_fails_with_a_sentence) {
  const char *why;
  uint16_t port = net_listen(&w->a, 1, w->host, 0);
  cr_assert_eq(try_listen(&w->b, 1, w->host, port, &why), NOVA_ERR_ARGUMENT);
  cr_assert_not_null(strstr(why, "in use"), "%s", why);
  cr_assert_eq(try_listen(&w->a, 1, w->host, 0, &why), NOVA_ERR_ARGUMENT);
  cr_assert_not_null(strstr(why, "id"), "%s", why);
  uint16_t second = net_listen(&w->a, 2, w->host, 0);
  cr_assert_neq(second, port);
  /* Free again. */
  w->a.t->ops->unlisten(w->a.t, 1);
  w->a.t->ops->unlisten(w->a.t, 1234);
  cr_assert_eq(net_listen(&w->b, 1, w->host, port), port);
}

ON_BOTH(connections_outlive_their_listener) {
  uint64_t id = world_join(w);
  w->a.t->ops->unlisten(w->a.t, 7);
  cr_assert_eq(net_send(&w->b, 1, "hello", 5), 0);
  world_await_bytes(w, &w->a, 5);
  cr_assert_eq(net_send(&w->a, id, "hello", 5), 0);
  world_await_bytes(w, &w->b, 5);
}

ON_BOTH(nothing_of_a_closed_id_is_heard) {
  uint64_t id = world_join(w);
  char big[50000];
  fill(big, sizeof big, 9);
  for (int i = 0; i < 20; i++)
    cr_assert_eq(net_send(&w->a, id, big, sizeof big), 0);
  cr_assert_eq(net_send(&w->b, 1, "x", 1), 0);
  size_t n = w->b.n;
  net_close(&w->b, 1, false);
  world_run(w, 100 * NOVA_MS);
  cr_assert_eq(w->b.n, n, "%zu events after close()", w->b.n - n);
  /* Nobody is there any more for what a writes now. */
  int err = net_send(&w->a, id, "x", 1);
  cr_assert(err == 0 || err == NOVA_ERR_STATE);
  world_await(w, &w->a, NOVA_EVENT_RESET, id, 1);
}

static void close_on_bytes(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_BYTES)
    net_close(p, e->id, false);
}

ON_BOTH(a_connection_may_be_closed_from_inside_its_event) {
  world_join(w);
  w->a.on_event = close_on_bytes;
  cr_assert_eq(net_send(&w->b, 1, "stop", 4), 0);
  cr_assert_eq(net_send(&w->b, 1, "it", 2), 0);
  world_await(w, &w->b, NOVA_EVENT_EOF, 1, 1);
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_BYTES, 0), 1);
}

static void close_on_accept(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_ACCEPTED)
    net_close(p, e->id, true);
}

ON_BOTH(a_connection_may_be_reset_as_it_is_accepted) {
  uint16_t port = net_listen(&w->a, 1, w->host, 0);
  w->a.on_event = close_on_accept;
  cr_assert_eq(net_connect(&w->b, 1, w->host, port, NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_RESET, 1, 1);
}

static void echo(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_BYTES)
    cr_assert_eq(net_send(p, e->id, e->bytes.p, e->bytes.n), 0);
  else if (e->kind == NOVA_EVENT_EOF)
    net_close(p, e->id, false);
}

static void hang_up_on_answer(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_CONNECTED) {
    cr_assert_eq(net_send(p, e->id, "question", 8), 0);
    cr_assert_eq(net_half_close(p, e->id), 0);
  } else if (e->kind == NOVA_EVENT_EOF) {
    net_close(p, e->id, false);
  }
}

ON_BOTH(two_thousand_connections) {
  enum { N = 2000 };
  uint16_t port = net_listen(&w->a, 1, w->host, 0);
  w->a.on_event = echo;
  w->b.on_event = hang_up_on_answer;
  for (uint64_t id = 1; id <= N; id++)
    cr_assert_eq(net_connect(&w->b, id, w->host, port, 30 * NOVA_SEC), 0);
  world_await_bytes(w, &w->b, (size_t)N * 8);
  world_run(w, 100 * NOVA_MS);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_CONNECTED, 0), N);
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_ACCEPTED, 0), N);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_EOF, 0), N);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_RESET, 0), 0);
  cr_assert_eq(w->b.bytes.len, (size_t)N * 8);
}

ON_BOTH(a_peer_that_does_not_read_stops_the_sender) {
  uint64_t id = world_join(w);
  net_pause(&w->a, id, true);
  size_t n = (size_t)256 << 10, sends = 0;
  char *p = malloc(n);
  int err = 0;
  /* 64 MiB is more than any system takes in for a connection. */
  while (sends < 256) {
    fill(p, n, (uint32_t)sends);
    err = net_send(&w->b, 1, p, n);
    if (err != 0)
      break;
    sends++;
    if (sends % 8 == 0)
      world_run(w, 10 * NOVA_MS);
  }
  cr_assert_eq(err, NOVA_ERR_LIMIT, "after %zu sends: %d", sends, err);
  cr_assert_geq(sends * n, NOVA_SEND_QUEUE_MAX);
  world_run(w, 50 * NOVA_MS);
  size_t out = party_count(&w->b, NOVA_EVENT_SENT, 1);
  cr_assert_lt(out, sends, "all was sent although nobody reads");
  cr_assert_eq(w->a.bytes.len, 0);
  /* It goes on where it stopped. */
  net_pause(&w->a, id, false);
  world_await_bytes(w, &w->a, sends * n);
  world_await(w, &w->b, NOVA_EVENT_SENT, 1, sends);
  for (size_t i = 0; i < sends; i++) {
    fill(p, n, (uint32_t)i);
    cr_assert_eq(memcmp(w->a.bytes.data + i * n, p, n), 0, "in write %zu", i);
  }
  free(p);
}

ON_BOTH(one_send_beyond_the_limit_is_refused_whole) {
  world_join(w);
  char *p = calloc(1, NOVA_SEND_QUEUE_MAX + 1);
  cr_assert_eq(net_send(&w->b, 1, p, NOVA_SEND_QUEUE_MAX + 1), NOVA_ERR_LIMIT);
  world_run(w, 20 * NOVA_MS);
  cr_assert_eq(w->a.bytes.len, 0);
  cr_assert_eq(party_count(&w->b, NOVA_EVENT_SENT, 0), 0);
  cr_assert_eq(net_send(&w->b, 1, p, NOVA_SEND_QUEUE_MAX), 0);
  world_await_bytes(w, &w->a, NOVA_SEND_QUEUE_MAX);
  free(p);
}

/* What was not handed over when the end is closed is dropped, then FIN. */
ON_BOTH(close_drops_what_waits) {
  uint64_t id = world_join(w);
  net_pause(&w->a, id, true);
  size_t n = (size_t)1 << 20, sends = 0;
  char *p = malloc(n);
  fill(p, n, 4);
  while (sends < 64 && net_send(&w->b, 1, p, n) == 0) {
    sends++;
    world_run(w, 5 * NOVA_MS);
  }
  net_close(&w->b, 1, false);
  net_pause(&w->a, id, false);
  world_await(w, &w->a, NOVA_EVENT_EOF, id, 1);
  cr_assert_lt(w->a.bytes.len, sends * n);
  for (size_t i = 0; i < w->a.bytes.len; i++)
    cr_assert_eq(w->a.bytes.data[i], p[i % n]);
  free(p);
}

ON_BOTH(wake_at_calls_once_and_not_early) {
  nova_ts now = net_now(&w->a);
  nova_ts when = now + 30 * NOVA_MS;
  net_wake_at(&w->a, now + 5 * NOVA_MS);
  net_wake_at(&w->a, when); /* the last call counts */
  net_wake_at(&w->b, now + 10 * NOVA_MS);
  net_wake_at(&w->b, NOVA_TS_NONE);
  world_run(w, 100 * NOVA_MS);
  cr_assert_eq(w->a.expired, 1);
  cr_assert_geq(w->a.expired_at, when);
  cr_assert_leq(w->a.expired_at, when + 50 * NOVA_MS);
  cr_assert_eq(w->b.expired, 0, "taken away");
  /* A time that is over already is as soon as can be. */
  net_wake_at(&w->a, now);
  cr_assert_eq(w->a.expired, 1);
  world_run(w, 20 * NOVA_MS);
  cr_assert_eq(w->a.expired, 2);
}

ON_BOTH(time_goes_on_and_unix_time_with_it) {
  nova_ts t = net_now(&w->a);
  uint64_t u = w->a.t->ops->unix_ns(w->a.t);
  world_run(w, 30 * NOVA_MS);
  nova_ts dt = net_now(&w->a) - t;
  uint64_t du = w->a.t->ops->unix_ns(w->a.t) - u;
  cr_assert_geq(dt, 30 * NOVA_MS);
  cr_assert_leq(dt, 10 * NOVA_SEC);
  cr_assert(du + 20 * NOVA_MS >= dt && du <= dt + 20 * NOVA_MS);
}

ON_BOTH(parties_have_ids_of_their_own) {
  uint16_t port = net_listen(&w->a, 1, w->host, 0);
  struct party c;
  party_open(w, &c);
  cr_assert_eq(net_connect(&w->b, 1, w->host, port, NOVA_SEC), 0);
  cr_assert_eq(net_connect(&c, 1, w->host, port, NOVA_SEC), 0);
  world_await(w, &w->a, NOVA_EVENT_ACCEPTED, 0, 2);
  world_await(w, &w->b, NOVA_EVENT_CONNECTED, 1, 1);
  world_await(w, &c, NOVA_EVENT_CONNECTED, 1, 1);
  cr_assert_eq(net_send(&w->b, 1, "b", 1), 0);
  world_await_bytes(w, &w->a, 1);
  uint64_t of_b = party_last(&w->a, NOVA_EVENT_BYTES, 0)->id;
  cr_assert_eq(net_send(&c, 1, "c", 1), 0);
  world_await_bytes(w, &w->a, 2);
  uint64_t of_c = party_last(&w->a, NOVA_EVENT_BYTES, 0)->id;
  cr_assert_neq(of_b, of_c);
  net_close(&c, 1, false);
  world_await(w, &w->a, NOVA_EVENT_EOF, of_c, 1);
  cr_assert_eq(party_count(&w->a, NOVA_EVENT_EOF, of_b), 0);
  party_free(&c);
}

static void leave_on_bytes(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_BYTES)
    p->world->detach(p->t);
}

ON_BOTH(a_party_may_leave_from_inside_its_own_event) {
  struct party c;
  party_open(w, &c);
  uint16_t port = net_listen(&c, 1, w->host, 0);
  for (uint64_t id = 1; id <= 3; id++)
    cr_assert_eq(net_connect(&w->b, id, w->host, port, NOVA_SEC), 0);
  world_await(w, &c, NOVA_EVENT_ACCEPTED, 0, 3);
  c.on_event = leave_on_bytes;
  net_wake_at(&c, net_now(&c) + 20 * NOVA_MS);
  for (uint64_t id = 1; id <= 3; id++)
    cr_assert_eq(net_send(&w->b, id, "leave", 5), 0);
  world_await(w, &w->b, NOVA_EVENT_EOF, 0, 3);
  world_run(w, 50 * NOVA_MS);
  cr_assert_eq(party_count(&c, NOVA_EVENT_BYTES, 0), 1);
  cr_assert_eq(c.expired, 0);
  cr_assert_eq(net_connect(&w->b, 9, w->host, port, NOVA_SEC), 0);
  world_await(w, &w->b, NOVA_EVENT_REFUSED, 9, 1);
  party_free(&c);
}

static void pause_and_count(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_BYTES)
    net_pause(p, e->id, true);
}

/* A reader that pauses after each piece gets the pieces, and loses none. */
ON_BOTH(pausing_from_inside_the_event_holds_at_once) {
  uint64_t id = world_join(w);
  size_t n = 300000;
  char *p = malloc(n);
  fill(p, n, 6);
  w->a.on_event = pause_and_count;
  cr_assert_eq(net_send(&w->b, 1, p, n), 0);
  cr_assert_eq(net_half_close(&w->b, 1), 0);
  size_t pieces = 0;
  while (w->a.bytes.len < n) {
    world_await(w, &w->a, NOVA_EVENT_BYTES, id, ++pieces);
    world_run(w, pieces < 5 ? 10 * NOVA_MS : 0);
    cr_assert_eq(party_count(&w->a, NOVA_EVENT_BYTES, id), pieces);
    cr_assert_eq(party_count(&w->a, NOVA_EVENT_EOF, id), 0);
    net_pause(&w->a, id, false);
  }
  world_await(w, &w->a, NOVA_EVENT_EOF, id, 1);
  cr_assert(nova_view_eq(nova_buf_view(&w->a.bytes), (struct nova_view){p, n}));
  free(p);
}
