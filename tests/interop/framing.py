"""Cuts the byte stream of a connection into lines (guide, section 3.1).

A message is a JSON text that ends with a line feed (byte 10), and it has at
most 128 KB.  The guide does not say whether the line feed is counted or
whether KB means 1000 or 1024 bytes; here the message may have 131072 bytes
and its line feed comes on top.
"""

MAX_MESSAGE_BYTES = 128 * 1024

LINE_FEED = b"\n"

# ``LineSplitter.feed`` yields this object instead of a line, once for every
# line that is too long.
TOO_LONG = object()


class LineSplitter:
    """Collects segments of any size and gives out complete lines.

    A segment of TCP has no meaning of its own: it may hold a part of a
    message, a whole one, or several.  No more than ``limit`` bytes are ever
    kept.  As soon as a line exceeds them, it is reported as ``TOO_LONG``,
    what was kept of it is dropped, and the rest of it is skipped up to its
    line feed; the next line is an ordinary line again.
    """

    def __init__(self, limit=MAX_MESSAGE_BYTES):
        self._limit = limit
        self._kept = bytearray()
        self._skipping = False

    @property
    def kept_bytes(self):
        """How many bytes of an unfinished line are kept."""
        return len(self._kept)

    def feed(self, segment):
        """Yield every line that ``segment`` completes, without its line feed."""
        start = 0
        while start < len(segment):
            # Only the new bytes are searched, never those already kept, so a
            # line that comes byte by byte costs no more than any other.
            end = segment.find(LINE_FEED, start)
            complete = end >= 0
            if not complete:
                end = len(segment)

            if not self._skipping:
                if len(self._kept) + (end - start) > self._limit:
                    self._kept.clear()
                    self._skipping = True
                    yield TOO_LONG
                else:
                    self._kept += segment[start:end]

            if complete:
                if self._skipping:
                    self._skipping = False
                else:
                    line = bytes(self._kept)
                    self._kept.clear()
                    yield line
            start = end + 1
