#include "codec/json_marks.h"

#include "codec/json_scan.h"

void nova__marks_begin(struct nova__marks *m, const char *text, size_t n) {
  m->text = text;
  m->n = n;
  m->next = m->found = 0;
  m->at[0] = NOVA__MARKS_END;
}

/* Byte by byte; the way for what is left at the end. */
static size_t find_bytes(const char *text, size_t from, size_t to,
                         uint32_t *at) {
  size_t n = 0;
  for (size_t i = from; i < to; i++)
    if (!nova__json_plain(text[i]))
      at[n++] = (uint32_t)i;
  return n;
}

size_t nova__marks_find_words(const char *text, size_t from, size_t to,
                              uint32_t *at) {
  size_t n = 0;
  for (; to - from >= 8; from += 8) {
    uint64_t w;
    memcpy(&w, text + from, 8);
    if (!nova__json_plain_word(w))
      n += find_bytes(text, from, from + 8, at + n);
  }
  return n + find_bytes(text, from, to, at + n);
}

#if NOVA__SSE2

/* One bit for each of 16 bytes that is a mark. */
static inline uint64_t marks16(const char *p) {
  return nova__json_not_plain(
      _mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline uint32_t *put(uint32_t *at, size_t base, uint64_t marks) {
  for (; marks != 0; marks &= marks - 1)
    *at++ = (uint32_t)(base + (unsigned)__builtin_ctzll(marks));
  return at;
}

size_t nova__marks_find(const char *text, size_t from, size_t to,
                        uint32_t *at) {
  uint32_t *end = at;
  for (; to - from >= 64; from += 64) {
    const char *p = text + from;
    end = put(end, from,
              marks16(p) | marks16(p + 16) << 16 | marks16(p + 32) << 32 |
                  marks16(p + 48) << 48);
  }
  uint64_t rest = 0;
  size_t base = from;
  for (; to - from >= 16; from += 16)
    rest |= marks16(text + from) << (from - base);
  if (from < to && to >= 16) {
    /* The last ones: 16 bytes that end with them, without those before. */
    size_t seen = 16 - (to - from);
    rest |= marks16(text + to - 16) >> seen << (from - base);
    from = to;
  }
  end = put(end, base, rest);
  return (size_t)(end - at) + find_bytes(text, from, to, end);
}

#else

size_t nova__marks_find(const char *text, size_t from, size_t to,
                        uint32_t *at) {
  return nova__marks_find_words(text, from, to, at);
}

#endif

const uint32_t *nova__marks_more(struct nova__marks *m, size_t from) {
  size_t n = 0;
  if (m->next < from)
    m->next = from;
  while (n == 0 && m->next < m->n) {
    size_t to = m->n - m->next <= NOVA__MARKS_CHUNK
                    ? m->n
                    : m->next + NOVA__MARKS_CHUNK;
    n = nova__marks_find(m->text, m->next, to, m->at);
    m->next = to;
  }
  m->at[n] = NOVA__MARKS_END;
  m->found = n;
  return m->at;
}
