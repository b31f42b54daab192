/* TLS: data and ends of connections that are secured. */
#include "unit/net/tls_rig.h"

#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

TLS_ON_BOTH(bytes_go_both_ways) {
  tls_join_well(r, 1);
  cr_assert(tls_said(&r->a, "{\"result\":\"secured\",\"version\":\"1.3\","
                            "\"cipher\":\"TLS_"),
            "%s", r->a.said);
  cr_assert(tls_said(&r->a, "\"certificate\":\"none\""), "%s", r->a.said);
  cr_assert(tls_said(&r->a, "\"offers\":\"1.3\"}"), "%s", r->a.said);
  cr_assert(tls_said(&r->b, "\"certificate\":\"verified\"}"), "%s", r->b.said);
  cr_assert_eq(net_send(&r->w.b, 1, "hello", 5), 0);
  world_await_bytes(&r->w, &r->w.a, 5);
  cr_assert_eq(memcmp(r->w.a.bytes.data, "hello", 5), 0);
  cr_assert_eq(net_send(&r->w.a, r->id, "good day", 8), 0);
  world_await_bytes(&r->w, &r->w.b, 8);
  cr_assert_eq(memcmp(r->w.b.bytes.data, "good day", 8), 0);
  world_await(&r->w, &r->w.b, NOVA_EVENT_SENT, 1, 1);
  world_await(&r->w, &r->w.a, NOVA_EVENT_SENT, r->id, 1);
  world_run(&r->w, 20 * NOVA_MS);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_SENT, 0), 1,
               "SENT of what nobody sent");
  cr_assert_eq(party_count(&r->w.b, NOVA_EVENT_SENT, 0), 1);
}

/* Ends. */

TLS_ON_BOTH(half_close_is_close_notify_and_fin) {
  tls_join_well(r, 1);
  cr_assert_eq(net_send(&r->w.b, 1, "last", 4), 0);
  cr_assert_eq(net_half_close(&r->w.b, 1), 0);
  cr_assert_eq(net_half_close(&r->w.b, 1), NOVA_ERR_STATE);
  cr_assert_eq(net_send(&r->w.b, 1, "x", 1), NOVA_ERR_STATE);
  world_await(&r->w, &r->w.a, NOVA_EVENT_EOF, r->id, 1);
  cr_assert_eq(r->w.a.bytes.len, 4);
  /* The other direction goes on. */
  cr_assert_eq(net_send(&r->w.a, r->id, "answer", 6), 0);
  world_await_bytes(&r->w, &r->w.b, 6);
  net_close(&r->w.a, r->id, false);
  world_await(&r->w, &r->w.b, NOVA_EVENT_EOF, 1, 1);
  world_run(&r->w, 20 * NOVA_MS);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_EOF, 0), 1);
  cr_assert_eq(party_count(&r->w.b, NOVA_EVENT_EOF, 0), 1);
  cr_assert_eq(party_count(&r->w.b, NOVA_EVENT_RESET, 0), 0);
}

static void half_close_on_eof(struct party *p, const struct nova_event *e) {
  if (e->kind != NOVA_EVENT_EOF)
    return;
  cr_assert_eq(net_send(p, e->id, "bye", 3), 0);
  cr_assert_eq(net_half_close(p, e->id), 0);
}

TLS_ON_BOTH(both_directions_end) {
  r->a.on_event = half_close_on_eof;
  tls_join_well(r, 1);
  cr_assert_eq(net_half_close(&r->w.b, 1), 0);
  world_await(&r->w, &r->w.b, NOVA_EVENT_EOF, 1, 1);
  world_run(&r->w, 30 * NOVA_MS);
  cr_assert_eq(r->w.b.bytes.len, 3);
  /* The ids are in use until they are closed. */
  cr_assert_eq(net_connect(&r->w.b, 1, r->w.host, r->port, NOVA_SEC),
               NOVA_ERR_ARGUMENT);
  net_close(&r->w.b, 1, false);
  net_close(&r->w.a, r->id, false);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_RESET, 0), 0);
  cr_assert_eq(party_count(&r->w.b, NOVA_EVENT_RESET, 0), 0);
  cr_assert_eq(net_connect(&r->w.b, 1, r->w.host, r->port, NOVA_SEC), 0);
}

TLS_ON_BOTH(a_reset_is_a_reset) {
  tls_join_well(r, 1);
  net_close(&r->w.b, 1, true);
  world_await(&r->w, &r->w.a, NOVA_EVENT_RESET, r->id, 1);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_EOF, 0), 0);
  cr_assert_eq(net_send(&r->w.a, r->id, "x", 1), NOVA_ERR_STATE);
  /* Both ids are free. */
  tls_join(r, 1);
  cr_assert_eq(r->a.secured, 2);
  cr_assert_eq(r->b.secured, 2);
}

static void reset_in_handshake(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_CONNECTED)
    net_wake_at(p, net_now(p) + 5 * NOVA_MS);
}

/* A server that says nothing, and then goes. */
static void mute(struct tls_rig *r, bool rst) {
  r->a.plain = true;
  r->b.on_event = reset_in_handshake;
  cr_assert_eq(net_connect(&r->w.b, 1, r->w.host, r->port, NOVA_SEC), 0);
  world_await_bytes(&r->w, &r->w.a, 100); /* the ClientHello, stalled */
  world_run(&r->w, 100 * NOVA_MS);
  cr_assert_eq(r->w.b.expired, 1, "the user's timers go on");
  cr_assert_eq(r->b.secured + r->b.insecure, 0);
  cr_assert_eq((unsigned char)r->w.a.bytes.data[0], 0x16);
  net_close(&r->w.a, r->id, rst);
}

TLS_ON_BOTH(an_end_without_a_word_of_tls) {
  mute(r, false);
  world_await(&r->w, &r->w.b, NOVA_EVENT_EOF, 1, 1);
  cr_assert_eq(r->b.insecure, 0);
  net_close(&r->w.b, 1, false);
}

TLS_ON_BOTH(a_reset_without_a_word_of_tls) {
  mute(r, true);
  world_await(&r->w, &r->w.b, NOVA_EVENT_RESET, 1, 1);
  cr_assert_eq(r->b.insecure, 0);
  cr_assert_eq(net_send(&r->w.b, 1, "x", 1), NOVA_ERR_STATE);
}

/* b speaks |n| bytes in the clear to a server that secures. */
static void say_clear(struct tls_rig *r, const char *p, size_t n) {
  size_t before = party_count(&r->w.b, NOVA_EVENT_CONNECTED, 1);
  r->b.plain = true;
  cr_assert_eq(net_connect(&r->w.b, 1, r->w.host, r->port, NOVA_SEC), 0);
  world_await(&r->w, &r->w.b, NOVA_EVENT_CONNECTED, 1, before + 1);
  cr_assert_eq(net_send(&r->w.b, 1, p, n), 0);
}

TLS_ON_BOTH(mqtt_in_the_clear) {
  static const char connect[] = "\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03"
                                "abc";
  say_clear(r, connect, sizeof connect - 1);
  world_await(&r->w, &r->w.a, NOVA_EVENT_INSECURE, 0, 1);
  cr_assert(tls_said(&r->a, "\"by\":\"us\"") &&
                tls_said(&r->a, "an MQTT CONNECT in the clear"),
            "%s", r->a.said);
  cr_assert_not(tls_said(&r->a, "offers"));
  /* More of it is not heard. */
  cr_assert_eq(net_send(&r->w.b, 1, connect, sizeof connect - 1), 0);
  world_run(&r->w, 20 * NOVA_MS);
  cr_assert_eq(r->a.insecure, 1);
  cr_assert_eq(r->w.a.bytes.len, 0);
  net_close(&r->w.b, 1, false);
  world_await(&r->w, &r->w.a, NOVA_EVENT_EOF, r->id, 1);
}

static void answer_clear(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_ACCEPTED)
    cr_assert_eq(net_send(p, e->id, "\x20\x02\0\x05", 4), 0);
}

TLS_ON_BOTH(a_server_that_answers_in_the_clear) {
  r->a.plain = true;
  r->a.on_event = answer_clear;
  cr_assert_eq(net_connect(&r->w.b, 1, r->w.host, r->port, NOVA_SEC), 0);
  world_await(&r->w, &r->w.b, NOVA_EVENT_INSECURE, 1, 1);
  cr_assert(tls_said(&r->b, "an MQTT CONNACK in the clear"), "%s", r->b.said);
}

static const struct {
  const char *text;
  size_t n;
  const char *said;
} junk[] = {
    {"GET / HTTP/1.1\r\n\r\n", 18, "text in the clear"},
    {"{\"type\":\"auth\"}\n", 16, "JSON in the clear"},
    {"\0\0\0\0\0\0", 6, "0x00"},
    {"\x16\x03\x01\xff\xff\x01\0\0\0", 9, "\"by\":\"us\""},
    {"\x16\x07\x01\0\x05\x01\0\0\0\0", 10, "\"by\":\"us\""},
    {"\x16\x03\x01\0\x05\x09\0\0\x01\0", 10, "\"by\":\"us\""},
    {"\x15\x03\x01\0\x02\x02\x28", 7, "unexpected message"},
    {"\x80\x09\x09\x03\x01", 5, "\"by\":\"us\""},
};

TLS_ON_BOTH(garbage_instead_of_a_handshake) {
  for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
    size_t before = r->a.insecure;
    say_clear(r, junk[i].text, junk[i].n);
    world_await(&r->w, &r->w.a, NOVA_EVENT_INSECURE, 0, before + 1);
    cr_assert(tls_said(&r->a, junk[i].said), "%zu: %s", i, r->a.said);
    net_close(&r->w.a, r->id, false);
    net_close(&r->w.b, 1, false);
  }
}

static void answer_alert(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_BYTES)
    cr_assert_eq(net_send(p, e->id, "\x15\x03\x03\0\x02\x02\x28", 7), 0);
}

TLS_ON_BOTH(an_alert_instead_of_an_answer) {
  r->a.plain = true;
  r->a.on_event = answer_alert;
  cr_assert_eq(net_connect(&r->w.b, 1, r->w.host, r->port, NOVA_SEC), 0);
  world_await(&r->w, &r->w.b, NOVA_EVENT_INSECURE, 1, 1);
  cr_assert_str_eq(r->b.said,
                   "{\"result\":\"failed\",\"by\":\"peer\",\"alert\":40,"
                   "\"why\":\"handshake failure\"}");
}

TLS_ON_BOTH(an_end_inside_of_a_handshake) {
  for (int rst = 0; rst < 2; rst++) {
    say_clear(r, "\x16\x03\x01\x02\0\x01\0", 7);
    world_run(&r->w, 20 * NOVA_MS);
    net_close(&r->w.b, 1, rst);
    world_await(&r->w, &r->w.a, rst ? NOVA_EVENT_RESET : NOVA_EVENT_EOF, r->id,
                1);
    cr_assert_eq(r->a.insecure, (size_t)rst + 1);
    cr_assert(tls_said(&r->a, "\"by\":\"end\""), "%s", r->a.said);
    cr_assert(tls_said(&r->a, rst ? "reset during the handshake"
                                  : "ended during the handshake"),
              "%s", r->a.said);
    const struct seen *last = &r->w.a.seen[r->w.a.n - 1];
    const struct seen *before = last - 1;
    cr_assert_eq(before->kind, NOVA_EVENT_INSECURE);
    cr_assert_eq(last->kind, rst ? NOVA_EVENT_RESET : NOVA_EVENT_EOF);
    net_close(&r->w.a, r->id, false);
  }
}

static void close_at_once(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_SECURED || e->kind == NOVA_EVENT_INSECURE)
    net_close(p, e->id, false);
}

TLS_ON_BOTH(closing_from_inside_secured_and_insecure) {
  r->a.on_event = close_at_once;
  tls_join_well(r, 1);
  world_await(&r->w, &r->w.b, NOVA_EVENT_EOF, 1, 1);
  net_close(&r->w.b, 1, false);
  say_clear(r, "GET / HTTP/1.1\r\n", 16);
  world_await(&r->w, &r->w.b, NOVA_EVENT_EOF, 1, 2);
  cr_assert_eq(r->a.insecure, 1);
  net_close(&r->w.b, 1, false);
  /* INSECURE by RESET, closed inside: no RESET behind it. */
  say_clear(r, "\x16\x03\x01\x02\0\x01\0", 7);
  world_run(&r->w, 20 * NOVA_MS);
  net_close(&r->w.b, 1, true);
  world_await(&r->w, &r->w.a, NOVA_EVENT_INSECURE, r->id, 1);
  world_run(&r->w, 20 * NOVA_MS);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_RESET, 0), 0);
}

TLS_ON_BOTH(half_close_inside_of_a_handshake) {
  r->a.plain = true;
  cr_assert_eq(net_connect(&r->w.b, 1, r->w.host, r->port, NOVA_SEC), 0);
  world_await_bytes(&r->w, &r->w.a, 100);
  cr_assert_eq(net_send(&r->w.b, 1, "x", 1), NOVA_ERR_STATE);
  cr_assert_eq(net_half_close(&r->w.b, 1), 0);
  world_await(&r->w, &r->w.a, NOVA_EVENT_EOF, r->id, 1);
  net_close(&r->w.a, r->id, false);
  world_await(&r->w, &r->w.b, NOVA_EVENT_EOF, 1, 1);
  cr_assert_eq(r->b.secured + r->b.insecure, 0);
}

static void pause_first(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_ACCEPTED || e->kind == NOVA_EVENT_CONNECTED)
    net_pause(p, e->id, true);
}

/* A pause is of what is inside of TLS; the handshake is not. */
TLS_ON_BOTH(a_pause_before_the_handshake) {
  r->a.on_event = r->b.on_event = pause_first;
  tls_join_well(r, 1);
  cr_assert_eq(net_send(&r->w.b, 1, "hello", 5), 0);
  world_run(&r->w, 30 * NOVA_MS);
  cr_assert_eq(r->w.a.bytes.len, 0);
  net_pause(&r->w.a, r->id, false);
  world_await_bytes(&r->w, &r->w.a, 5);
}

/* The end of a paused connection waits behind what came before it. */
TLS_ON_BOTH(a_paused_end_is_told_in_order) {
  tls_join_well(r, 1);
  net_pause(&r->w.a, r->id, true);
  cr_assert_eq(net_send(&r->w.b, 1, "last words", 10), 0);
  net_close(&r->w.b, 1, false);
  world_run(&r->w, 30 * NOVA_MS);
  cr_assert_eq(r->w.a.bytes.len, 0);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_EOF, 0), 0);
  net_pause(&r->w.a, r->id, false);
  world_await(&r->w, &r->w.a, NOVA_EVENT_EOF, r->id, 1);
  cr_assert_eq(r->w.a.bytes.len, 10);
}

/* Data. */

TLS_ON_BOTH(sizes_from_nothing_to_a_megabyte) {
  static const size_t sizes[] = {1,           0,     2,     16383, 16384,
                                 16385,       65535, 65536, 65537, 100000,
                                 131072 + 11, 1,     0,     7,     1 << 20};
  enum { N = sizeof sizes / sizeof *sizes };
  size_t total = 0, at = 0;
  char *p = malloc(1 << 20);
  tls_join_well(r, 1);
  for (size_t i = 0; i < N; i++) {
    fill(p, sizes[i], (uint32_t)i);
    nova_ts before = net_now(&r->w.b);
    cr_assert_eq(net_send(&r->w.b, 1, p, sizes[i]), 0);
    total += sizes[i];
    world_await(&r->w, &r->w.b, NOVA_EVENT_SENT, 1, i + 1);
    const struct seen *sent = party_last(&r->w.b, NOVA_EVENT_SENT, 1);
    cr_assert_geq(sent->since, before);
    cr_assert_leq(sent->t, net_now(&r->w.b));
  }
  world_await_bytes(&r->w, &r->w.a, total);
  cr_assert_eq(r->w.a.bytes.len, total);
  for (size_t i = 0; i < N; at += sizes[i++]) {
    fill(p, sizes[i], (uint32_t)i);
    cr_assert(sizes[i] == 0 || memcmp(r->w.a.bytes.data + at, p, sizes[i]) == 0,
              "%zu", i);
  }
  free(p);
}

/* The oldest version cuts its records otherwise. */
TLS_ON_BOTH(a_megabyte_with_1_0) {
  char *p = malloc(1 << 20);
  r->a.how.lowest = r->b.how.lowest = NOVA_TLS_1_0;
  r->a.how.highest = r->b.how.highest = NOVA_TLS_1_0;
  tls_join_well(r, 1);
  fill(p, 1 << 20, 3);
  cr_assert_eq(net_send(&r->w.a, r->id, p, 1 << 20), 0);
  world_await_bytes(&r->w, &r->w.b, 1 << 20);
  cr_assert_eq(memcmp(r->w.b.bytes.data, p, 1 << 20), 0);
  free(p);
}

Test(tls, every_way_to_cut_the_segments) {
  for (int cut = NOVA_SIM_WHOLE; cut <= NOVA_SIM_MIXED; cut++)
    for (uint64_t seed = 1; seed <= 5; seed++) {
      struct nova_sim_options options = {.seed = seed,
                                         .latency_min = NOVA_MS,
                                         .latency_max = 3 * NOVA_MS,
                                         .cut = (enum nova_sim_cut)cut,
                                         .late_max = NOVA_MS};
      struct tls_rig r;
      char *p = malloc(200000);
      tls_open_sim(&r, NULL, &options);
      tls_join_well(&r, 1);
      fill(p, 200000, (uint32_t)seed);
      for (size_t at = 0, n = 1; at < 200000; at += n, n = n * 3 + seed) {
        if (n > 200000 - at)
          n = 200000 - at;
        cr_assert_eq(net_send(&r.w.b, 1, p + at, n), 0);
        cr_assert_eq(net_send(&r.w.a, r.id, p + at, n), 0);
      }
      cr_assert_eq(net_half_close(&r.w.b, 1), 0);
      world_await(&r.w, &r.w.a, NOVA_EVENT_EOF, 0, 1);
      world_await_bytes(&r.w, &r.w.b, 200000);
      cr_assert_eq(r.w.a.bytes.len, 200000);
      cr_assert_eq(memcmp(r.w.a.bytes.data, p, 200000), 0);
      cr_assert_eq(memcmp(r.w.b.bytes.data, p, 200000), 0);
      tls_free(&r);
      free(p);
    }
}

/* The time of what is inside of TLS is that of the segment, on the virtual
 * clock to the nanosecond. */
Test(tls, times_are_those_of_the_wire) {
  struct nova_sim_options options = {.latency_min = 7 * NOVA_MS,
                                     .latency_max = 7 * NOVA_MS};
  struct tls_rig r;
  tls_open_sim(&r, NULL, &options);
  tls_join_well(&r, 1);
  world_run(&r.w, NOVA_SEC);
  nova_ts before = net_now(&r.w.b);
  cr_assert_eq(net_send(&r.w.b, 1, "hello", 5), 0);
  world_await_bytes(&r.w, &r.w.a, 5);
  world_await(&r.w, &r.w.b, NOVA_EVENT_SENT, 1, 1);
  cr_assert_eq(party_last(&r.w.b, NOVA_EVENT_SENT, 1)->since, before);
  cr_assert_eq(party_last(&r.w.b, NOVA_EVENT_SENT, 1)->t, before);
  cr_assert_eq(party_last(&r.w.a, NOVA_EVENT_BYTES, 0)->t,
               before + 7 * NOVA_MS);
  tls_free(&r);
}

/* Two hundred connections at a time, each with a word. */
static void greet(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_SECURED)
    cr_assert_eq(net_send(p, e->id, "hello", 5), 0);
}

TLS_ON_BOTH(two_hundred_connections) {
  enum { N = 200 };
  r->a.on_event = r->b.on_event = greet;
  for (uint64_t id = 1; id <= N; id++)
    cr_assert_eq(net_connect(&r->w.b, id, r->w.host, r->port, NOVA_SEC), 0);
  world_await_bytes(&r->w, &r->w.a, (size_t)N * 5);
  world_await_bytes(&r->w, &r->w.b, (size_t)N * 5);
  cr_assert_eq(r->a.secured, N);
  cr_assert_eq(r->b.secured, N);
}

/* What goes wrong. */

/* Somebody in the middle: what comes from the client is handed to the server,
 * and back, with one bit of the client's byte number |flip| changed. */
static struct {
  struct tls_rig *r;
  struct party middle;
  uint64_t from, to;
  size_t bytes, flip;
} relay;

static void pass(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_ACCEPTED) {
    relay.from = e->id;
    relay.to = 1;
    cr_assert_eq(net_connect(p, 1, "x", relay.r->port, NOVA_SEC), 0);
    net_pause(p, e->id, true);
  } else if (e->kind == NOVA_EVENT_CONNECTED) {
    net_pause(p, relay.from, false);
  } else if (e->kind == NOVA_EVENT_BYTES) {
    static char copy[65536];
    bool up = e->id == relay.from;
    memcpy(copy, e->bytes.p, e->bytes.n);
    if (up && relay.flip >= relay.bytes &&
        relay.flip < relay.bytes + e->bytes.n)
      copy[relay.flip - relay.bytes] ^= 0x40;
    if (up)
      relay.bytes += e->bytes.n;
    (void)net_send(p, up ? relay.to : relay.from, copy, e->bytes.n);
  } else if (e->kind == NOVA_EVENT_EOF) {
    (void)net_half_close(p, e->id == relay.from ? relay.to : relay.from);
  } else if (e->kind == NOVA_EVENT_RESET) {
    net_close(p, e->id == relay.from ? relay.to : relay.from, true);
  }
}

static void close_insecure(struct party *p, const struct nova_event *e) {
  if (e->kind == NOVA_EVENT_INSECURE || e->kind == NOVA_EVENT_EOF)
    net_close(p, e->id, false);
  if (e->kind == NOVA_EVENT_SECURED && p == &relay.r->w.b)
    cr_assert_eq(net_send(p, e->id, "secret", 6), 0);
}

/* One changed bit anywhere from the ClientHello to the data is noticed: nothing
 * that b sent comes out at a, and both learn of it. */
Test(tls, no_bit_can_be_changed, .timeout = 120) {
  for (size_t flip = 0; flip < 900; flip += flip < 20 ? 1 : 13) {
    struct tls_rig r;
    tls_open_sim(&r, NULL, NULL);
    r.w.host = "x";
    relay.r = &r;
    relay.bytes = 0;
    relay.flip = flip;
    party_open(&r.w, &relay.middle);
    relay.middle.on_event = pass;
    uint16_t port = net_listen(&relay.middle, 1, "x", 0);
    r.a.on_event = r.b.on_event = close_insecure;
    r.port = net_listen(&r.w.a, 8, "x", 0);
    cr_assert_eq(net_connect(&r.w.b, 1, "x", port, NOVA_SEC), 0);
    world_run(&r.w, 10 * NOVA_SEC);
    if (flip < relay.bytes && flip != 1 && flip != 2) {
      cr_assert_eq(r.w.a.bytes.len, 0, "byte %zu was changed", flip);
      /* A length that was made greater makes the server wait for more. */
      cr_assert(r.a.insecure + r.b.insecure != 0 || r.a.secured == 0,
                "byte %zu", flip);
    }
    tls_free(&r);
    party_free(&relay.middle);
  }
}

Test(tls, random_bytes, .timeout = 120) {
  struct nova_rng rng;
  nova_rng_init(&rng, 7);
  struct tls_rig r;
  tls_open_sim(&r, NULL, NULL);
  for (int turn = 0; turn < 600; turn++) {
    char p[400];
    size_t n = 1 + (size_t)nova_rng_below(&rng, sizeof p - 1);
    for (size_t i = 0; i < n; i++)
      p[i] = (char)nova_rng_below(&rng, 256);
    if (turn % 2 != 0) { /* a record of the handshake */
      memcpy(p, "\x16\x03\x01\0", n < 4 ? n : 4);
      if (n > 12) {
        p[4] = (char)(n - 5);
        memcpy(p + 5, "\x01\0\0", 3);
        p[8] = (char)(n - 9);
        p[9] = p[10] = 3;
      }
    }
    bool server = turn % 3 != 0;
    r.a.plain = !server;
    r.b.plain = server;
    cr_assert_eq(net_connect(&r.w.b, 1, r.w.host, r.port, NOVA_SEC), 0);
    world_run(&r.w, NOVA_MS);
    if (server)
      cr_assert_eq(net_send(&r.w.b, 1, p, n), 0);
    else
      cr_assert_eq(net_send(&r.w.a, r.id, p, n), 0);
    world_run(&r.w, NOVA_MS);
    cr_assert_eq(r.a.secured + r.b.secured, 0);
    net_close(&r.w.b, 1, turn % 5 == 0);
    world_run(&r.w, NOVA_MS);
    net_close(&r.w.a, r.id, false);
    world_run(&r.w, NOVA_MS);
  }
  tls_free(&r);
}

/* Memory that ends after |left| allocations. */
static void *scarce(void *p, size_t n, void *user) {
  size_t *left = user;
  if (*left == 0)
    return NULL;
  --*left;
  return realloc(p, n);
}

static void scarce_free(void *p, void *user) {
  (void)user;
  free(p);
}

Test(tls, memory_ends) {
  size_t left = SIZE_MAX;
  const struct nova_mem mem = {scarce, scarce_free, &left};
  for (size_t n = 0; n < 60; n++) {
    struct tls_rig r;
    char *p = malloc(300000);
    left = SIZE_MAX;
    tls_open_sim(&r, &mem, NULL);
    left = n;
    int err = net_connect(&r.w.b, 1, r.w.host, r.port, NOVA_SEC);
    cr_assert_eq(err, 0);
    world_run(&r.w, 100 * NOVA_MS);
    cr_assert(r.b.err == 0 || r.b.err == NOVA_ERR_NO_MEMORY ||
              r.b.err == NOVA_ERR_STATE);
    fill(p, 300000, 1);
    size_t sent = 0;
    if (r.b.secured == 1)
      for (int i = 0; i < 3; i++) {
        err = net_send(&r.w.b, 1, p, 300000);
        cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
        sent += err == 0 ? 300000 : 0;
      }
    /* What was taken arrives once there is memory again. */
    world_run(&r.w, 10 * NOVA_MS);
    left = SIZE_MAX;
    if (r.b.secured == 1 && r.a.secured == 1)
      world_await_bytes(&r.w, &r.w.a, sent);
    if (r.a.err == 0)
      cr_assert_leq(r.w.a.bytes.len, sent);
    tls_free(&r);
    free(p);
  }
  left = 0;
  struct world w;
  world_open_sim(&w, NULL);
  cr_assert_null(nova_tls_wrap(&mem, w.a.t));
  nova_tls_unwrap(NULL);
  world_free(&w);
}
