/* The reference device, bytes to lines: guide 3.1. */
#include "peer/device_state.h"

size_t nova__device_frame_limit(const struct nova_device *d) {
  (void)d;
  return NOVA_LINE_LIMIT;
}

void nova__device_intake(struct nova_device *d, const char *p, size_t n) {
  unsigned connection = d->connections;
  while (n > 0 && nova__device_is_open(d->state) &&
         d->connections == connection) {
    size_t used = 0;
    struct nova_line_out out;
    int event = nova_line_feed(&d->line, p, n, &used, &out);
    if (event < 0) {
      nova__device_leave(d, NOVA_DEVICE_RESET, NOVA__DEVICE_LEFT);
      return;
    }
    p += used;
    n -= used;
    if (event == NOVA_LINE_FRAME)
      nova__device_line(d, out.frame);
  }
}
