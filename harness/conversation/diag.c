#include "conversation/diag.h"

#include <stdarg.h>
#include <stdio.h>

/* More than a screenful helps nobody, and a hostile file gets no more. */
#define MOST_BYTES (256 * 1024)

void nova_diag_init(struct nova_diag *d, const struct nova_mem *mem) {
  nova_buf_init(&d->text, mem, MOST_BYTES);
  d->errors = 0;
}

void nova_diag_free(struct nova_diag *d) {
  nova_buf_free(&d->text);
  d->errors = 0;
}

void nova_diag_add(struct nova_diag *d, const char *file, unsigned line,
                   unsigned column, const char *format, ...) {
  char message[1024];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  d->errors++;
  /* A message quotes the file; a control character in it must not reach a
   * terminal. */
  for (char *c = message; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?';
  if (line == 0)
    nova_buf_printf(&d->text, "%s: %s\n", file, message);
  else
    nova_buf_printf(&d->text, "%s:%u:%u: %s\n", file, line, column, message);
}
