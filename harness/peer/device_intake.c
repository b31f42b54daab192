/* The reference device, bytes to lines: guide 3.1. */
#include "peer/device_state.h"

#include "base/utf8.h"

size_t nova__device_frame_limit(const struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, D_BUFFER_4096))
    return 4096;
  if (NOVA__DEVICE_HAS(d, D_BUFFER_65536))
    return 65536;
  /* What is 128 KB with its line feed has 131071 bytes before it. */
  if (NOVA__DEVICE_HAS(d, D_LIMIT_131070))
    return NOVA_LINE_LIMIT - 2;
  return NOVA_LINE_LIMIT;
}

/* Whether the connection of before is still the one that is read. */
static bool reads(const struct nova_device *d, unsigned connection) {
  return nova__device_is_open(d->state) && d->connections == connection;
}

static void lines(struct nova_device *d, const char *p, size_t n) {
  unsigned connection = d->connections;
  while (n > 0 && reads(d, connection)) {
    size_t used = 0;
    struct nova_line_out out;
    int event = nova_line_feed(&d->line, p, n, &used, &out);
    if (event < 0) {
      nova__device_give_up(d);
      return;
    }
    p += used;
    n -= used;
    if (event == NOVA_LINE_MORE)
      continue;
    if (out.length > 65536 && NOVA__DEVICE_HAS(d, D_OVERRUN))
      nova__device_exit(d, NOVA__DEVICE_CRASHED);
    else if (event == NOVA_LINE_FRAME)
      nova__device_line(d, out.frame);
    if (NOVA__DEVICE_HAS(d, D_REST_DROPPED))
      return;
    if (NOVA__DEVICE_HAS(d, D_SECOND_LINE_WAITS)) {
      if (n > 0 && nova_buf_append(&d->backlog, p, n) != 0)
        nova__device_give_up(d);
      return;
    }
  }
}

/* D_SECOND_LINE_WAITS: what was left is read before what is new. */
static void lines_with_backlog(struct nova_device *d, const char *p, size_t n) {
  struct nova_buf all = d->backlog;
  nova_buf_init(&d->backlog, d->mem, all.max);
  if (nova_buf_append(&all, p, n) != 0)
    nova__device_give_up(d);
  else
    lines(d, all.data + all.head, all.len);
  nova_buf_free(&all);
}

/* D_RECV_IS_MESSAGE */
static void one_message(struct nova_device *d, const char *p, size_t n) {
  while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r'))
    n--;
  if (n <= d->frame_limit)
    nova__device_line(d, (struct nova_view){p, n});
}

static void forget_line(struct nova_device *d) {
  nova_line_free(&d->line);
  (void)nova_line_init(&d->line, d->mem, d->frame_limit);
}

void nova__device_intake(struct nova_device *d, const char *p, size_t n) {
  bool late = d->now - d->heard > NOVA__DEVICE_LINE_WITHIN;
  d->heard = d->now;
  if (NOVA__DEVICE_HAS(d, D_LINE_TIMEOUT) && late)
    forget_line(d);
  if (NOVA__DEVICE_HAS(d, D_UTF8_PER_RECV) && nova_utf8_check(p, n) != n) {
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
    return;
  }
  if (NOVA__DEVICE_HAS(d, D_RECV_IS_MESSAGE))
    one_message(d, p, n);
  else if (d->backlog.len > 0)
    lines_with_backlog(d, p, n);
  else
    lines(d, p, n);
}
