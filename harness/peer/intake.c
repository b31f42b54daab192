/* Bytes to lines: guide 3.1. */
#include "peer/server_state.h"

#include "base/utf8.h"

size_t nova__frame_limit(const struct nova_server *s) {
  size_t limit = s->options.line_limit;
  size_t huge = limit > (size_t)1 << 22 ? limit : (size_t)1 << 22;
  if (NOVA__HAS(s, NO_LIMIT) || NOVA__HAS(s, LIMIT_AFTER_TRIM) ||
      NOVA__HAS(s, LONG_LINE_IN_PIECES))
    return huge;
  if (NOVA__HAS(s, LIMIT_65536))
    return 65536;
  if (NOVA__HAS(s, V_LIMIT_WITH_LINE_FEED))
    return limit > 1 ? limit - 1 : limit;
  /* 128 KB with the line feed are 131071 bytes before it. */
  if (NOVA__HAS(s, LIMIT_131071))
    return 131070;
  return NOVA__HAS(s, LIMIT_262144) ? 262144 : limit;
}

static bool reads(const struct nova_server *s, const struct nova__session *c) {
  return c->state != NOVA__ENDED && !c->blocked &&
         s->hung_until == NOVA_TS_NONE && !s->dead;
}

/* Puts bytes back for later; only faults do. */
static void hold(struct nova_server *s, struct nova__session *c, const char *p,
                 size_t n) {
  if (c->state == NOVA__ENDED)
    return;
  int err = nova_buf_append(&c->backlog, p, n);
  if (err == 0)
    return;
  s->error = err == NOVA_ERR_NO_MEMORY ? err : s->error;
  nova__end(s, c, NOVA__POST_RESET);
}

static struct nova_view trim(struct nova_view v) {
  static const char white[] = " \t\r";
  while (v.n > 0 && memchr(white, v.p[v.n - 1], 3) != NULL)
    v.n--;
  while (v.n > 0 && memchr(white, v.p[0], 3) != NULL) {
    v.p++;
    v.n--;
  }
  return v;
}

/* One line is complete. */
static void take(struct nova_server *s, struct nova__session *c,
                 struct nova_view frame) {
  size_t limit = s->options.line_limit;
  if (NOVA__HAS(s, LIMIT_AFTER_TRIM) && trim(frame).n > limit) {
    nova__line_oversized(s, c);
    return;
  }
  if (NOVA__HAS(s, LONG_LINE_IN_PIECES)) {
    while (frame.n > limit && reads(s, c)) {
      nova__line(s, c, (struct nova_view){frame.p, limit});
      frame.p += limit;
      frame.n -= limit;
    }
  }
  if (c->state != NOVA__ENDED)
    nova__line(s, c, frame);
}

static void lines(struct nova_server *s, struct nova__session *c, const char *p,
                  size_t n) {
  while (n > 0 && c->state != NOVA__ENDED) {
    if (!reads(s, c)) {
      hold(s, c, p, n);
      return;
    }
    size_t used = 0;
    struct nova_line_out out;
    int event = nova_line_feed(&c->line, p, n, &used, &out);
    if (event < 0) {
      s->error = NOVA_ERR_NO_MEMORY;
      nova__end(s, c, NOVA__POST_RESET);
      return;
    }
    p += used;
    n -= used;
    if (event == NOVA_LINE_MORE)
      continue;
    if (event == NOVA_LINE_FRAME)
      take(s, c, out.frame);
    else
      nova__line_oversized(s, c);
    if (NOVA__HAS(s, ONE_MESSAGE_PER_SEGMENT))
      return;
    if (NOVA__HAS(s, SECOND_MESSAGE_WAITS)) {
      hold(s, c, p, n);
      return;
    }
  }
}

/* SEGMENT_LAST_FIRST: what the segment completes is handled from its end. */
static void lines_last_first(struct nova_server *s, struct nova__session *c,
                             const char *p, size_t n) {
  const char *feed = memchr(p, '\n', n);
  size_t head = feed != NULL ? (size_t)(feed - p) + 1 : n, tail = n;
  while (tail > head && p[tail - 1] != '\n')
    tail--;
  for (size_t stop = tail; stop > head && c->state != NOVA__ENDED;) {
    size_t begin = stop - 1;
    while (begin > head && p[begin - 1] != '\n')
      begin--;
    if (stop - 1 - begin > s->frame_limit)
      nova__line_oversized(s, c);
    else
      take(s, c, (struct nova_view){p + begin, stop - 1 - begin});
    stop = begin;
  }
  lines(s, c, p, head);
  lines(s, c, p + tail, n - tail);
}

/* FRAME_NEEDS_ONE_SEGMENT: what a read leaves unfinished is lost. */
static void lines_per_read(struct nova_server *s, struct nova__session *c,
                           const char *p, size_t n) {
  while (n > 0 && c->state != NOVA__ENDED) {
    size_t piece = n < 4096 ? n : 4096;
    lines(s, c, p, piece);
    nova_line_free(&c->line);
    (void)nova_line_init(&c->line, s->mem, s->frame_limit);
    p += piece;
    n -= piece;
  }
}

/* What long unfinished lines do to a server that has such a fault. */
static void suffer_long_line(struct nova_server *s, struct nova__session *c) {
  if (c->state == NOVA__ENDED || s->dead ||
      nova_line_pending(&c->line) < NOVA_FAULT_LONG_LINE)
    return;
  if (NOVA__HAS(s, CRASH_LONG_LINE))
    nova__crash(s);
  else if (NOVA__HAS(s, HANGS_LONG_LINE))
    s->hung_until = nova_ts_add(s->now, NOVA_FAULT_HANGS_FOR);
}

static void intake(struct nova_server *s, struct nova__session *c,
                   const char *p, size_t n) {
  if (NOVA__HAS(s, FRAME_NEEDS_ONE_SEGMENT))
    lines_per_read(s, c, p, n);
  else if (NOVA__HAS(s, SEGMENT_LAST_FIRST))
    lines_last_first(s, c, p, n);
  else
    lines(s, c, p, n);
  nova__flush_joined(s, c);
  if (c->state != NOVA__ENDED && nova_line_pending(&c->line) > s->frame_limit)
    nova__line_passes_limit(s, c);
  suffer_long_line(s, c);
}

void nova__intake_resume(struct nova_server *s, struct nova__session *c) {
  struct nova_buf held = c->backlog;
  nova_buf_init(&c->backlog, s->mem, held.max);
  if (held.len > 0)
    intake(s, c, held.data + held.head, held.len);
  nova_buf_free(&held);
  if (c->eof && reads(s, c))
    nova__end(s, c, NOVA__POST_CLOSE);
}

void nova__intake(struct nova_server *s, struct nova__session *c, const char *p,
                  size_t n) {
  if (c->state == NOVA__WAITING && NOVA__HAS(s, AUTH_TIMER_BYTES))
    nova__start_auth(s, c);
  if (c->state == NOVA__WAITING && NOVA__HAS(s, AUTH_TIMER_STOPPED))
    nova__timer_stop(&c->auth);
  if (c->state == NOVA__SERVED && NOVA__HAS(s, IDLE_BYTES))
    nova__start_idle(s, c);
  if (NOVA__HAS(s, UTF8_PER_SEGMENT) && nova_utf8_check(p, n) != n) {
    nova__end(s, c, NOVA__POST_CLOSE);
    return;
  }
  if (!reads(s, c) || c->backlog.len > 0) {
    hold(s, c, p, n);
    if (reads(s, c))
      nova__intake_resume(s, c);
    return;
  }
  intake(s, c, p, n);
}
