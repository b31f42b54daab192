/* Characters that do something to whoever shows them. */
#ifndef NOVA_REPORT_TEXT_SAFE_H
#define NOVA_REPORT_TEXT_SAFE_H

#include <stdbool.h>
#include <stdint.h>

/* C0 and C1 controls, DEL, line and paragraph separators, marks and overrides
 * of the writing direction, the byte order mark, tag characters and
 * noncharacters of the BMP. */
static inline bool nova_text_is_unsafe(uint32_t cp) {
  return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x061c ||
         cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
         (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff ||
         (cp >= 0xfff9 && cp <= 0xfffb) || (cp >= 0xfdd0 && cp <= 0xfdef) ||
         cp == 0xfffe || cp == 0xffff || (cp >= 0xe0000 && cp <= 0xe007f);
}

#endif
