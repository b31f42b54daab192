/* UTF-8 as RFC 3629 defines it: no overlong form, no surrogate, at most
 * U+10FFFF. */
#ifndef NOVA_BASE_UTF8_H
#define NOVA_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The length (1 to 4) of the well-formed character at p[0], 0 where none
 * stands; reads at most |n| bytes. |cp|: its code point, may be NULL. */
size_t nova_utf8_char(const char *p, size_t n, uint32_t *cp);

/* The offset of the first byte that is no part of a well-formed character, or
 * |n| where all is well. */
size_t nova_utf8_check(const char *p, size_t n);

/* Writes |cp| (0 to 0x10FFFF, no surrogate) to |out|; returns its length. */
size_t nova_utf8_put(uint32_t cp, char out[4]);

#ifdef __cplusplus
}
#endif

#endif
