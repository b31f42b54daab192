#include "mqtt_support.h"
#include "support.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the stream says, as text: P with place, size and a sum of the bytes for
 * a packet, O for one that is too long, E for the end; behind it what is
 * pending. */
struct log {
  char text[65536];
  size_t n;
};

#define LOG(log, ...)                                                          \
  do {                                                                         \
    (log)->n += (size_t)snprintf((log)->text + (log)->n,                       \
                                 sizeof(log)->text - (log)->n, __VA_ARGS__);   \
    cr_assert_lt((log)->n, sizeof(log)->text);                                 \
  } while (0)

static unsigned sum(struct nova_view v) {
  unsigned s = 7;
  for (size_t i = 0; i < v.n; i++)
    s = s * 31 + (unsigned char)v.p[i];
  return s;
}

static bool feed_segment(struct nova_mqtt_stream *s, struct nova_view segment,
                         struct log *log) {
  char *copy = exact_copy(segment);
  bool good = true;
  for (size_t at = 0; good;) {
    size_t used = SIZE_MAX;
    struct nova_mqtt_out out = {{"?", 1}, 99, 99, 99};
    int event =
        nova_mqtt_stream_feed(s, copy + at, segment.n - at, &used, &out);
    cr_assert_leq(used, segment.n - at);
    at += used;
    if (event == NOVA_MQTT_MORE) {
      cr_assert_eq(at, segment.n, "not all bytes were taken");
      break;
    }
    if (event == NOVA_MQTT_PACKET) {
      cr_assert_eq(out.packet.n, out.length);
      cr_assert_eq((unsigned char)out.packet.p[0], out.first);
      LOG(log, "P%" PRIu64 ":%zu:%x\n", out.offset, out.packet.n,
          sum(out.packet));
    } else if (event == NOVA_MQTT_OVERSIZED) {
      LOG(log, "O%" PRIu64 ":%" PRIu64 ":%x\n", out.offset, out.length,
          out.first);
    } else {
      cr_assert_eq(event, NOVA_ERR_MQTT_LENGTH);
      LOG(log, "E%" PRIu64 "\n", out.offset);
      good = false;
    }
  }
  free(copy);
  return good;
}

/* Feeds |stream| in segments: the next one ends where |cut| says, or at the
 * end. */
static void run(struct nova_view stream, size_t limit, const bool *cut,
                struct log *log) {
  struct nova_mqtt_stream s;
  struct counting_mem c;
  counting_mem_init(&c);
  cr_assert_eq(nova_mqtt_stream_init(&s, &c.mem, limit), 0);
  log->n = 0;
  log->text[0] = '\0';
  size_t from = 0;
  for (size_t i = 1; i <= stream.n; i++)
    if (i == stream.n || cut[i]) {
      struct nova_view segment = {stream.p + from, i - from};
      if (!feed_segment(&s, segment, log))
        break;
      from = i;
    }
  LOG(log, "pending %" PRIu64, nova_mqtt_stream_pending(&s));
  cr_assert_leq(c.most_bytes, limit + 5);
  nova_mqtt_stream_free(&s);
  cr_assert_eq(c.live, 0);
}

/* All samples one behind the other, with one in the middle that is over a limit
 * of 40, and a part of one more. Returns the size. */
static size_t make_stream(char *to) {
  size_t n = 0;
  for (const char *const *s = mqtt_samples; *s != NULL; s++) {
    struct nova_view v = bytes_of(*s);
    memcpy(to + n, v.p, v.n);
    n += v.n;
    if (s == mqtt_samples + 8) {
      to[n] = 0x30;
      to[n + 1] = (char)0xa9;
      to[n + 2] = 0;
      memset(to + n + 3, 0x20, 41);
      n += 44;
    }
  }
  memcpy(to + n, "\x30\x05\x00\x01", 4);
  return n + 4;
}

static struct log whole, piece;

Test(mqtt_stream, every_cut_in_two_gives_the_same) {
  char stream[512];
  bool cut[512] = {false};
  struct nova_view v = {stream, make_stream(stream)};
  run(v, 40, cut, &whole);
  cr_assert_not_null(strstr(whole.text, ":44:30\n"), "%s", whole.text);
  size_t packets = 0;
  for (const char *p = whole.text; (p = strchr(p, 'P')) != NULL; p++)
    packets++;
  cr_assert_eq(packets, 20);
  cr_assert_not_null(strstr(whole.text, "pending 4"));
  for (size_t at = 1; at < v.n; at++) {
    cut[at] = true;
    run(v, 40, cut, &piece);
    cr_assert_str_eq(piece.text, whole.text, "cut at %zu", at);
    cut[at] = false;
  }
}

Test(mqtt_stream, every_chunk_size_gives_the_same) {
  char stream[512];
  bool none[512] = {false};
  struct nova_view v = {stream, make_stream(stream)};
  run(v, 40, none, &whole);
  for (size_t size = 1; size < v.n; size++) {
    bool cut[512] = {false};
    for (size_t i = size; i < v.n; i += size)
      cut[i] = true;
    run(v, 40, cut, &piece);
    cr_assert_str_eq(piece.text, whole.text, "chunks of %zu", size);
  }
}

/* Random packets, random cuts; what comes out is what was put in. */
Test(mqtt_stream, random_packets_and_segments) {
  static char stream[400000];
  static bool cut[sizeof stream];
  struct nova_rng r;
  nova_rng_init(&r, 23);
  for (int round = 0; round < 20; round++) {
    struct nova_view v = {stream, 0};
    struct log want = {.n = 0};
    for (int i = 0; i < 200; i++) {
      struct nova_mqtt m = random_packet(&r);
      struct nova_view bytes = encoded(&m, NOVA_MQTT_STRICT);
      LOG(&want, "P%zu:%zu:%x\n", v.n, bytes.n, sum(bytes));
      memcpy(stream + v.n, bytes.p, bytes.n);
      v.n += bytes.n;
    }
    LOG(&want, "pending 0");
    uint64_t rare = 2 + nova_rng_below(&r, 200);
    for (size_t i = 0; i < v.n; i++)
      cut[i] = nova_rng_below(&r, rare) == 0;
    run(v, NOVA_MQTT_LIMIT, cut, &piece);
    cr_assert_str_eq(piece.text, want.text, "round %d", round);
  }
}

/* A packet in one piece is a view of the segment; nothing is allocated. */
Test(mqtt_stream, a_packet_within_the_segment_is_not_copied) {
  struct counting_mem c;
  counting_mem_init(&c);
  struct nova_mqtt_stream s;
  nova_mqtt_stream_init(&s, &c.mem, 100);
  struct nova_view v = bytes_of("40 02 0001 c0 00");
  size_t used;
  struct nova_mqtt_out out;
  cr_assert_eq(nova_mqtt_stream_feed(&s, v.p, v.n, &used, &out),
               NOVA_MQTT_PACKET);
  cr_assert(out.packet.p == v.p && used == 4 && out.offset == 0);
  cr_assert_eq(nova_mqtt_stream_feed(&s, v.p + 4, 2, &used, &out),
               NOVA_MQTT_PACKET);
  cr_assert(out.packet.p == v.p + 4 && used == 2 && out.offset == 4);
  cr_assert_eq(c.calls, 0, "the stream allocated");
  nova_mqtt_stream_free(&s);
}

/* 128 KB in one piece, in segments as they come from a network, and byte by
 * byte; the limit is exact. */
Test(mqtt_stream, the_limit_is_exact) {
  enum { LIMIT = 131072 };
  static char packet[LIMIT + 5];
  for (size_t n = LIMIT - 1; n <= LIMIT + 1; n++) {
    size_t header = nova_mqtt_put_header(0x30, (uint32_t)n, 0, packet);
    struct nova_view v = {packet, header + n};
    memset(packet + header, 'x', n);
    static const size_t steps[] = {1, 1460, LIMIT / 2, LIMIT + 100};
    for (size_t i = 0; i < 4; i++) {
      struct nova_mqtt_stream s;
      nova_mqtt_stream_init(&s, NULL, LIMIT);
      size_t used, reports = 0;
      struct nova_mqtt_out out;
      for (size_t at = 0; at < v.n; at += used) {
        size_t step = v.n - at < steps[i] ? v.n - at : steps[i];
        int event = nova_mqtt_stream_feed(&s, v.p + at, step, &used, &out);
        if (event == NOVA_MQTT_MORE) {
          cr_assert_eq(nova_mqtt_stream_pending(&s), (at + used) % v.n);
          continue;
        }
        cr_assert_eq(event, n > LIMIT ? NOVA_MQTT_OVERSIZED : NOVA_MQTT_PACKET);
        cr_assert_eq(out.length, v.n);
        cr_assert(n > LIMIT || nova_view_eq(out.packet, v));
        reports++;
      }
      cr_assert_eq(reports, 1);
      cr_assert_eq(nova_mqtt_stream_pending(&s), 0);
      nova_mqtt_stream_free(&s);
    }
  }
}

/* The longest packet that can be said: told at once, skipped without memory,
 * and the next one comes out. */
Test(mqtt_stream, the_longest_packet_costs_nothing) {
  struct counting_mem c;
  counting_mem_init(&c);
  struct nova_mqtt_stream s;
  nova_mqtt_stream_init(&s, &c.mem, 1000);
  struct nova_view head = bytes_of("3d ffffff7f");
  size_t used;
  struct nova_mqtt_out out;
  cr_assert_eq(nova_mqtt_stream_feed(&s, head.p, 3, &used, &out),
               NOVA_MQTT_MORE);
  cr_assert_eq(nova_mqtt_stream_feed(&s, head.p + 3, 2, &used, &out),
               NOVA_MQTT_OVERSIZED);
  cr_assert(used == 2 && out.first == 0x3d && out.offset == 0);
  cr_assert_eq(out.length, 5 + (uint64_t)NOVA_MQTT_REMAINING_MAX);
  static char chunk[1048576];
  uint64_t left = NOVA_MQTT_REMAINING_MAX;
  while (left > sizeof chunk - 2) {
    cr_assert_eq(
        nova_mqtt_stream_feed(&s, chunk, sizeof chunk - 2, &used, &out),
        NOVA_MQTT_MORE);
    cr_assert_eq(used, sizeof chunk - 2);
    left -= used;
    cr_assert_eq(nova_mqtt_stream_held(&s).n, 0);
    cr_assert_eq(nova_mqtt_stream_pending(&s), out.length - left);
  }
  memcpy(chunk + left, "\xc0\x00", 2);
  cr_assert_eq(nova_mqtt_stream_feed(&s, chunk, left + 2, &used, &out),
               NOVA_MQTT_PACKET);
  cr_assert(used == left + 2 && out.length == 2);
  cr_assert_eq(out.offset, 5 + (uint64_t)NOVA_MQTT_REMAINING_MAX);
  cr_assert_leq(c.most_bytes, 1005);
  nova_mqtt_stream_free(&s);
  cr_assert_eq(c.live, 0);
}

/* Behind a length without an end no packet can be found: wherever it is cut. */
Test(mqtt_stream, a_fifth_byte_of_length_is_the_end) {
  struct nova_view v = bytes_of("c0 00 40 82 80 80 80 00 c0 00");
  for (size_t at = 1; at < v.n; at++) {
    bool cut[16] = {false};
    cut[at] = true;
    run(v, 100, cut, &piece);
    cr_assert_eq(strncmp(piece.text, "P0:2:", 5), 0);
    cr_assert_not_null(strstr(piece.text, "\nE2\n"), "cut at %zu: %s", at,
                       piece.text);
  }
  struct nova_mqtt_stream s;
  nova_mqtt_stream_init(&s, NULL, 100);
  size_t used;
  struct nova_mqtt_out out;
  nova_mqtt_stream_feed(&s, v.p + 2, 5, &used, &out);
  for (int i = 0; i < 3; i++)
    cr_assert_eq(nova_mqtt_stream_feed(&s, "\xc0\x00", 2, &used, &out),
                 NOVA_ERR_MQTT_LENGTH, "it does not stay so");
  nova_mqtt_stream_free(&s);
}

Test(mqtt_stream, an_empty_segment_changes_nothing) {
  struct nova_mqtt_stream s;
  nova_mqtt_stream_init(&s, NULL, 0);
  size_t used = 5;
  struct nova_mqtt_out out;
  for (int i = 0; i < 3; i++) {
    cr_assert_eq(nova_mqtt_stream_feed(&s, NULL, 0, &used, &out),
                 NOVA_MQTT_MORE);
    cr_assert_eq(used, 0);
  }
  nova_mqtt_stream_feed(&s, "\xc0", 1, &used, &out);
  nova_mqtt_stream_feed(&s, NULL, 0, &used, &out);
  cr_assert_eq(nova_mqtt_stream_pending(&s), 1);
  cr_assert_eq(nova_mqtt_stream_held(&s).n, 1);
  cr_assert_eq(nova_mqtt_stream_feed(&s, "\x00", 1, &used, &out),
               NOVA_MQTT_PACKET);
  cr_assert_eq(nova_mqtt_stream_held(&s).n, 0);
  cr_assert_eq(nova_mqtt_stream_pending(&s), 0);
  cr_assert_eq(nova_mqtt_stream_feed(&s, "\xc0\x01x", 3, &used, &out),
               NOVA_MQTT_OVERSIZED);
  cr_assert_eq(used, 2);
  nova_mqtt_stream_free(&s);
}

Test(mqtt_stream, the_limit_has_a_range) {
  struct nova_mqtt_stream s;
  cr_assert_eq(nova_mqtt_stream_init(&s, NULL, NOVA_MQTT_REMAINING_MAX), 0);
  cr_assert_eq(
      nova_mqtt_stream_init(&s, NULL, (size_t)NOVA_MQTT_REMAINING_MAX + 1),
      NOVA_ERR_ARGUMENT);
}

/* Each allocation fails once: the call can be made again. */
Test(mqtt_stream, running_out_of_memory_loses_nothing) {
  static char packet[5000];
  size_t header = nova_mqtt_put_header(0x30, 4990, 0, packet);
  struct nova_view v = {packet, header + 4990};
  for (size_t fail_at = 1; fail_at < 12; fail_at++) {
    struct counting_mem c;
    counting_mem_init(&c);
    struct nova_mqtt_stream s;
    nova_mqtt_stream_init(&s, &c.mem, 5000);
    c.fail_at = fail_at;
    size_t used, packets = 0;
    struct nova_mqtt_out out;
    for (size_t at = 0; at < v.n; at += used) {
      size_t step = v.n - at < 100 ? v.n - at : 100;
      int event = nova_mqtt_stream_feed(&s, v.p + at, step, &used, &out);
      if (event == NOVA_ERR_NO_MEMORY) {
        cr_assert_eq(used, 0);
        c.fail_at = 0;
      }
      packets += event == NOVA_MQTT_PACKET && nova_view_eq(out.packet, v);
    }
    cr_assert_eq(packets, 1, "failing at %zu", fail_at);
    nova_mqtt_stream_free(&s);
    cr_assert_eq(c.live, 0);
  }
}

/* Whatever comes, all of it is taken and no more is held than the limit. */
Test(mqtt_stream, random_bytes_do_no_harm) {
  struct nova_rng r;
  nova_rng_init(&r, 29);
  for (int round = 0; round < 3000; round++) {
    char text[200];
    bool cut[200];
    for (size_t i = 0; i < sizeof text; i++) {
      text[i] = (char)(nova_rng_below(&r, 2) ? nova_rng_next(&r)
                                             : nova_rng_below(&r, 4));
      cut[i] = nova_rng_below(&r, 9) == 0;
    }
    bool none[200] = {false};
    struct nova_view v = {text, sizeof text};
    run(v, 30, none, &whole);
    run(v, 30, cut, &piece);
    /* Cuts change nothing but what an early end leaves pending. */
    if (strchr(whole.text, 'E') == NULL)
      cr_assert_str_eq(piece.text, whole.text, "round %d", round);
    else
      cr_assert_eq(
          strncmp(piece.text, whole.text,
                  (size_t)(strstr(whole.text, "pending") - whole.text)),
          0);
  }
}
