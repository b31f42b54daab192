/* The line framer: bytes to lines. Guide 3.1: a frame ends with one line feed,
 * and a message is at most 128 KB.
 *
 *            feed, no LF            feed, no LF, limit passed
 *      .---> [ COLLECTING ] ------------------> [ SKIPPING ]
 *      |        | LF: FRAME                         | LF: OVERSIZED
 *      '--------'<----------------------------------'
 *
 * Framing does not depend on how the bytes were cut into segments. A line that
 * lies whole inside one segment is handed out as a view of that segment,
 * without a copy; one that spans segments is collected in the framer's buffer,
 * which never holds more than the limit. */
#ifndef NOVA_CODEC_LINE_H
#define NOVA_CODEC_LINE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/view.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes before the line feed. The guide leaves open whether its 128 KB count
 * the line feed; the harness takes the lenient reading (see
 * specs/ambiguities.yaml, TCP-FRAME-08). */
#define NOVA_LINE_LIMIT 131072

enum nova_line_event {
  NOVA_LINE_MORE,      /* all bytes are taken, no line is complete */
  NOVA_LINE_FRAME,     /* |frame| is one line without its line feed */
  NOVA_LINE_OVERSIZED, /* a line of |length| bytes was skipped, its line feed
                          included in the skip but not in the length */
};

/* What one call found. */
struct nova_line_out {
  struct nova_view frame; /* FRAME only; valid until the next call */
  uint64_t length;        /* FRAME, OVERSIZED: bytes before the line feed */
  uint64_t offset;        /* FRAME, OVERSIZED: where the line starts in the
                             stream, 0-based */
};

/* Fields are private. */
struct nova_line {
  struct nova_buf held; /* the beginning of a line that spans segments */
  size_t limit;
  uint64_t offset;  /* in the stream, of the present line's first byte */
  uint64_t pending; /* bytes of the present line so far */
  bool handed_out;  /* |held| was handed out and is to be cleared */
};

/* Starts at the beginning of a stream; allocates nothing.
 * |mem|: NULL for the C library's; outlives the framer.
 * |limit|: bytes before the line feed, 1 to SIZE_MAX / 4.
 * Returns 0 or NOVA_ERR_ARGUMENT. */
int nova_line_init(struct nova_line *l, const struct nova_mem *mem,
                   size_t limit);

void nova_line_free(struct nova_line *l);

/* Takes bytes up to the end of the next line, or all of them.
 * |p|, |n|: the segment; has to stay for as long as the frame is used.
 * |used|: how many bytes were taken; the caller goes on with the rest.
 * |out|: set for FRAME and OVERSIZED.
 * Returns an enum nova_line_event, or NOVA_ERR_NO_MEMORY (nothing was taken).
 */
int nova_line_feed(struct nova_line *l, const char *p, size_t n, size_t *used,
                   struct nova_line_out *out);

/* Bytes of a line that has not ended yet: 0 between lines. At the end of the
 * stream anything but 0 is NOVA_ERR_LINE_UNTERMINATED, which the caller judges.
 */
uint64_t nova_line_pending(const struct nova_line *l);

/* The unfinished line as far as it is kept (at most the limit; empty while an
 * oversized line is skipped). Valid until the next call. */
struct nova_view nova_line_held(const struct nova_line *l);

#ifdef __cplusplus
}
#endif

#endif
