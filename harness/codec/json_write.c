#include "codec/json_write.h"

#include "codec/json_scan.h"

#include "base/utf8.h"

void nova__json_put_number(struct nova__json_writer *w, int64_t number) {
  char digits[20], *p = digits + sizeof digits;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do {
    *--p = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (number < 0)
    *--p = '-';
  nova__json_put(w, p, (size_t)(digits + sizeof digits - p));
}

static void put_escaped(struct nova__json_writer *w, unsigned char c) {
  static const char digits[] = "0123456789abcdef";
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *f = memchr(from, c, sizeof from - 1);
  if (f != NULL) {
    nova__json_put(w, (char[]){'\\', to[f - from]}, 2);
  } else {
    nova__json_put_text(w, "\\u00");
    nova__json_put(w, (char[]){digits[c >> 4], digits[c & 15]}, 2);
  }
}

void nova__json_put_string(struct nova__json_writer *w, struct nova_view utf8) {
  const char *p = utf8.n != 0 ? utf8.p : "", *end = p + utf8.n, *from = p;
  nova__json_put(w, "\"", 1);
  while (p < end) {
    p = nova__json_skip_plain(p, end);
    if (p == end)
      break;
    size_t n = (unsigned char)*p >= 0x80
                   ? nova_utf8_char(p, (size_t)(end - p), NULL)
                   : 0;
    if (n != 0) {
      p += n;
      continue;
    }
    nova__json_put(w, from, (size_t)(p - from));
    if ((unsigned char)*p >= 0x80)
      nova__json_put_text(w, "\xef\xbf\xbd");
    else
      put_escaped(w, (unsigned char)*p);
    from = ++p;
  }
  nova__json_put(w, from, (size_t)(end - from));
  nova__json_put(w, "\"", 1);
}
