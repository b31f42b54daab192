/* Internal: one MQTT packet as a line. */
#ifndef NOVA_REPORT_PACKETS_LINE_H
#define NOVA_REPORT_PACKETS_LINE_H

#include "report/mask.h"

/* Where a stream is masked. */
struct nova__veil {
  uint64_t at, end;
};

struct nova__packet {
  struct nova_view bytes; /* whole; what was not kept is zeros */
  uint64_t offset;        /* in its stream */
  uint64_t gap; /* where in the stream something begins that was not kept;
                   UINT64_MAX: nothing */
  const struct nova__veil *veil; /* sorted and apart; those that end before the
                                    packet may be missing */
  size_t veils;
};

/* Appends the line, without a line feed. Returns 0 or the buffer's errors. */
int nova__packet_put(const struct nova__packet *p, struct nova_buf *out);

#endif
