/* Internal: the streams of a transcript: what one side sent on one connection,
 * however it was cut into entries. The number of a connection that is over is
 * given again, so each connect begins new ones. */
#ifndef NOVA_REPORT_STREAMS_H
#define NOVA_REPORT_STREAMS_H

#include "conversation/transcript.h"

/* An entry of a stream. */
struct nova__piece {
  unsigned connection;
  bool received; /* else sent */
  bool first;    /* of its stream */
  size_t entry;
};

/* The SENT and RECEIVED entries with a size, stream by stream, each in its
 * order.
 * |out|: the caller frees it; |n|: how many.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__streams_of(const struct nova_transcript *t,
                     const struct nova_mem *mem, struct nova__piece **out,
                     size_t *n);

#endif
