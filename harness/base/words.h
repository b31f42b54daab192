/* Command lines from profiles, split into words without a shell. */
#ifndef NOVA_BASE_WORDS_H
#define NOVA_BASE_WORDS_H

#include "base/mem.h"

#include <stddef.h>

#define NOVA_WORDS_MAX       1024
#define NOVA_WORDS_BYTES_MAX ((size_t)128 << 10)

/* Splits |s| as a POSIX shell splits words: at spaces, tabs and newlines;
 * 'single quotes' keep everything, "double quotes" everything but a backslash
 * before one of $ ` " \ and newline, a backslash elsewhere keeps the next
 * character, and with a newline behind it vanishes together with it. Nothing is
 * expanded and there are no operators and no comments: | & ; < > ( ) $ ` * ? [
 * ~ # are characters like others.
 *
 * |mem|: the allocator, NULL for the C library's.
 * |s|, |n|: the text, not NUL-terminated, at most NOVA_WORDS_BYTES_MAX bytes.
 * |argv|: on success the words, each NUL-terminated, and NULL behind the last;
 * to be freed with nova_words_free(). An empty text has no words.
 * |argc|: how many. May be NULL.
 * |offset|: on an error, the byte that it is about, from 0. May be NULL.
 *
 * Returns 0 or
 *   NOVA_ERR_ARGUMENT: a quote that does not end (|offset|: where it begins), a
 *     backslash at the very end, or a NUL byte
 *   NOVA_ERR_LIMIT: more than NOVA_WORDS_MAX words, or too many bytes
 *   NOVA_ERR_NO_MEMORY */
int nova_words_split(const struct nova_mem *mem, const char *s, size_t n,
                     char ***argv, size_t *argc, size_t *offset);

/* Frees what nova_words_split() made; NULL is ignored. */
void nova_words_free(const struct nova_mem *mem, char **argv);

#endif
