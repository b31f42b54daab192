/* Internal to codec/: where the bytes of a text stand that end the plain part
 * of a string: quotation marks, backslashes, control characters, other than
 * ASCII.
 *
 * They are looked up a chunk ahead, many bytes at once, without knowing what is
 * a string and what is not. The scanner then finds the end of a string in the
 * list instead of searching for it; the place where it goes on does not depend
 * on the result of a search, so that the processor need not wait for one. */
#ifndef NOVA_CODEC_JSON_MARKS_H
#define NOVA_CODEC_JSON_MARKS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that are looked at in one go; bounds the list too. A multiple of 64. */
#define NOVA__MARKS_CHUNK 2048

/* Behind the last mark of the list; no text is so long. */
#define NOVA__MARKS_END UINT32_MAX

struct nova__marks {
  const char *text;
  size_t n;
  size_t next;  /* the text is looked through up to here */
  size_t found; /* marks of the present list */
  uint32_t at[NOVA__MARKS_CHUNK + 1];
};

/* Begins a text: an empty list. */
void nova__marks_begin(struct nova__marks *m, const char *text, size_t n);

/* Makes a new list of the marks behind those of the last one, and not before
 * |from|. It is empty at the end of the text only. Returns its first mark. */
const uint32_t *nova__marks_more(struct nova__marks *m, size_t from);

/* Lists the marks of text[from..to), at most NOVA__MARKS_CHUNK bytes; returns
 * how many. The first takes the fastest way of the machine, the second any
 * machine's. */
size_t nova__marks_find(const char *text, size_t from, size_t to, uint32_t *at);
size_t nova__marks_find_words(const char *text, size_t from, size_t to,
                              uint32_t *at);

#endif
