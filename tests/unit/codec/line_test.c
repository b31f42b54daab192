#include "codec/line.h"
#include "support.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the framer says about a stream, as text: F and the line for a frame, O
 * and the length for one too long, both with their place; at the end what is
 * pending. */
struct log {
  char text[8192];
  size_t n;
};

#define LOG(log, ...)                                                          \
  do {                                                                         \
    (log)->n += (size_t)snprintf((log)->text + (log)->n,                       \
                                 sizeof(log)->text - (log)->n, __VA_ARGS__);   \
    cr_assert_lt((log)->n, sizeof(log)->text);                                 \
  } while (0)

static void feed_one_segment(struct nova_line *l, struct nova_view segment,
                             struct log *log) {
  char *copy = exact_copy(segment);
  const char *p = copy;
  size_t n = segment.n;
  for (;;) {
    size_t used = SIZE_MAX;
    struct nova_line_out out = {{"?", 1}, 99, 99};
    int event = nova_line_feed(l, p, n, &used, &out);
    cr_assert_leq(used, n);
    p += used;
    n -= used;
    if (event == NOVA_LINE_MORE) {
      cr_assert_eq(n, 0, "not all bytes were taken");
      break;
    }
    if (event == NOVA_LINE_FRAME) {
      cr_assert_eq(out.frame.n, out.length);
      LOG(log, "F%" PRIu64 ":%.*s\n", out.offset, (int)out.frame.n,
          out.frame.n != 0 ? out.frame.p : "");
    } else {
      cr_assert_eq(event, NOVA_LINE_OVERSIZED);
      LOG(log, "O%" PRIu64 ":%" PRIu64 "\n", out.offset, out.length);
    }
  }
  free(copy);
}

static void end(struct nova_line *l, struct log *log) {
  struct nova_view held = nova_line_held(l);
  LOG(log, "pending %" PRIu64 " held %.*s", nova_line_pending(l), (int)held.n,
      held.n != 0 ? held.p : "");
  nova_line_free(l);
}

/* Cuts |stream| at each place for which cut[i] is set. */
static struct log run(struct nova_view stream, size_t limit, const bool *cut) {
  struct nova_line l;
  struct log log = {.n = 0};
  cr_assert_eq(nova_line_init(&l, NULL, limit), 0);
  size_t from = 0;
  for (size_t i = 1; i <= stream.n; i++)
    if (i == stream.n || cut[i]) {
      feed_one_segment(&l, (struct nova_view){stream.p + from, i - from}, &log);
      from = i;
    }
  end(&l, &log);
  return log;
}

static const char sample[] = "{\"a\":1}\n\nexactly10!\neleven bytes\nx\r\n"
                             "a line that is far too long\nshort\nopen";
static const char expected[] = "F0:{\"a\":1}\nF8:\nF9:exactly10!\nO20:12\n"
                               "F33:x\r\nO36:27\nF64:short\n"
                               "pending 4 held open";

Test(line, frames_a_stream_in_one_segment) {
  bool cut[128] = {false};
  struct log log = run(nova_view_of(sample), 10, cut);
  cr_assert_str_eq(log.text, expected, "%s", log.text);
}

Test(line, every_chunk_size_gives_the_same_frames) {
  struct nova_view s = nova_view_of(sample);
  for (size_t size = 1; size <= s.n; size++) {
    bool cut[128] = {false};
    for (size_t i = size; i < s.n; i += size)
      cut[i] = true;
    struct log log = run(s, 10, cut);
    cr_assert_str_eq(log.text, expected, "chunks of %zu: %s", size, log.text);
  }
}

Test(line, every_cut_in_two_gives_the_same_frames) {
  struct nova_view s = nova_view_of(sample);
  for (size_t at = 1; at < s.n; at++) {
    bool cut[128] = {false};
    cut[at] = true;
    struct log log = run(s, 10, cut);
    cr_assert_str_eq(log.text, expected, "cut at %zu: %s", at, log.text);
  }
}

Test(line, random_segments_give_the_same_frames) {
  struct nova_view s = nova_view_of(sample);
  struct nova_rng r;
  nova_rng_init(&r, 7);
  for (int round = 0; round < 2000; round++) {
    bool cut[128];
    for (size_t i = 0; i < sizeof cut; i++)
      cut[i] = nova_rng_below(&r, 4) == 0;
    struct log log = run(s, 10, cut);
    cr_assert_str_eq(log.text, expected, "round %d: %s", round, log.text);
  }
}

Test(line, a_line_within_the_segment_is_not_copied) {
  struct counting_mem c;
  counting_mem_init(&c);
  struct nova_line l;
  nova_line_init(&l, &c.mem, 100);
  const char *segment = "one\ntwo\n";
  size_t used;
  struct nova_line_out out;
  cr_assert_eq(nova_line_feed(&l, segment, 8, &used, &out), NOVA_LINE_FRAME);
  cr_assert_eq(out.frame.p, segment);
  cr_assert_eq(used, 4);
  cr_assert_eq(nova_line_feed(&l, segment + 4, 4, &used, &out),
               NOVA_LINE_FRAME);
  cr_assert_eq(out.frame.p, segment + 4);
  cr_assert_eq(out.offset, 4);
  cr_assert_eq(c.calls, 0, "the framer allocated");
  nova_line_free(&l);
}

/* The limit counts the bytes before the line feed: n - 1 and n pass, n + 1 does
 * not; whole and cut right before and behind the limit. */
Test(line, the_limit_is_exact) {
  enum { LIMIT = 131072 };
  static char line[LIMIT + 2];
  memset(line, 'x', sizeof line);
  for (size_t n = LIMIT - 1; n <= LIMIT + 1; n++) {
    for (size_t cut = 0; cut <= 2; cut++) {
      struct nova_line l;
      nova_line_init(&l, NULL, LIMIT);
      line[n] = '\n';
      size_t used = 0, first = cut == 0 ? 0 : n + 1 - cut;
      struct nova_line_out out;
      if (first != 0) {
        cr_assert_eq(nova_line_feed(&l, line, first, &used, &out),
                     NOVA_LINE_MORE);
        cr_assert_eq(nova_line_pending(&l), first);
      }
      int event = nova_line_feed(&l, line + first, n + 1 - first, &used, &out);
      cr_assert_eq(event, n <= LIMIT ? NOVA_LINE_FRAME : NOVA_LINE_OVERSIZED,
                   "%zu bytes, cut %zu", n, cut);
      cr_assert_eq(out.length, n);
      cr_assert_eq(used, n + 1 - first);
      if (n <= LIMIT)
        cr_assert(nova_view_eq(out.frame, (struct nova_view){line, n}));
      nova_line_free(&l);
      line[n] = 'x';
    }
  }
}

Test(line, an_endless_line_costs_no_memory_and_is_reported_once) {
  struct counting_mem c;
  counting_mem_init(&c);
  struct nova_line l;
  nova_line_init(&l, &c.mem, 1000);
  static char chunk[700];
  memset(chunk, 'x', sizeof chunk);
  size_t used;
  struct nova_line_out out;
  for (int i = 0; i < 10000; i++) {
    cr_assert_eq(nova_line_feed(&l, chunk, sizeof chunk, &used, &out),
                 NOVA_LINE_MORE);
    cr_assert_eq(used, sizeof chunk);
    cr_assert_leq(nova_line_held(&l).n, 1000);
  }
  cr_assert_leq(c.most_bytes, 1000);
  cr_assert_eq(nova_line_pending(&l), 7000000);
  cr_assert_eq(nova_line_held(&l).n, 0);
  cr_assert_eq(nova_line_feed(&l, "yy\nok\n", 6, &used, &out),
               NOVA_LINE_OVERSIZED);
  cr_assert_eq(used, 3);
  cr_assert_eq(out.length, 7000002);
  cr_assert_eq(out.offset, 0);
  cr_assert_eq(nova_line_feed(&l, "ok\n", 3, &used, &out), NOVA_LINE_FRAME);
  cr_assert_eq(out.offset, 7000003);
  cr_assert_eq(nova_line_pending(&l), 0);
  nova_line_free(&l);
  cr_assert_eq(c.live, 0);
}

Test(line, an_empty_segment_changes_nothing) {
  struct nova_line l;
  nova_line_init(&l, NULL, 10);
  size_t used = 5;
  struct nova_line_out out;
  cr_assert_eq(nova_line_feed(&l, NULL, 0, &used, &out), NOVA_LINE_MORE);
  cr_assert_eq(used, 0);
  nova_line_feed(&l, "ab", 2, &used, &out);
  cr_assert_eq(nova_line_feed(&l, NULL, 0, &used, &out), NOVA_LINE_MORE);
  cr_assert_eq(nova_line_pending(&l), 2);
  nova_line_free(&l);
}

/* The frame of a line that was collected is good until the next call, and what
 * is held then is the next line only. */
Test(line, a_collected_line_is_given_back_at_the_next_call) {
  struct nova_line l;
  nova_line_init(&l, NULL, 10);
  size_t used;
  struct nova_line_out out;
  nova_line_feed(&l, "ab", 2, &used, &out);
  cr_assert_eq(nova_line_feed(&l, "c\nd", 3, &used, &out), NOVA_LINE_FRAME);
  cr_assert(nova_view_is(out.frame, "abc"));
  cr_assert_eq(nova_line_pending(&l), 0);
  cr_assert_eq(nova_line_held(&l).n, 0);
  cr_assert(nova_view_is(out.frame, "abc"));
  nova_line_feed(&l, "d", 1, &used, &out);
  cr_assert(nova_view_is(nova_line_held(&l), "d"));
  cr_assert_eq(nova_line_feed(&l, "\n", 1, &used, &out), NOVA_LINE_FRAME);
  cr_assert(nova_view_is(out.frame, "d"));
  nova_line_free(&l);
}

Test(line, without_memory_nothing_is_taken) {
  struct counting_mem c;
  counting_mem_init(&c);
  struct nova_line l;
  nova_line_init(&l, &c.mem, 1000);
  char big[500];
  memset(big, 'x', sizeof big);
  size_t used;
  struct nova_line_out out;
  cr_assert_eq(nova_line_feed(&l, "ab", 2, &used, &out), NOVA_LINE_MORE);
  for (c.fail_at = 1; c.fail_at < 3; c.fail_at++) {
    c.calls = 1;
    used = 9;
    cr_assert_eq(nova_line_feed(&l, big, sizeof big, &used, &out),
                 NOVA_ERR_NO_MEMORY);
    cr_assert_eq(used, 0);
    cr_assert_eq(nova_line_pending(&l), 2);
    cr_assert(nova_view_is(nova_line_held(&l), "ab"));
  }
  c.fail_at = 0;
  cr_assert_eq(nova_line_feed(&l, "c\n", 2, &used, &out), NOVA_LINE_FRAME);
  cr_assert(nova_view_is(out.frame, "abc"));
  nova_line_free(&l);
  cr_assert_eq(c.live, 0);
}

Test(line, the_limit_is_checked) {
  struct nova_line l;
  cr_assert_eq(nova_line_init(&l, NULL, 0), NOVA_ERR_ARGUMENT);
  cr_assert_eq(nova_line_init(&l, NULL, SIZE_MAX / 4 + 1), NOVA_ERR_ARGUMENT);
  cr_assert_eq(nova_line_init(&l, NULL, SIZE_MAX / 4), 0);
  nova_line_free(&l);
}
