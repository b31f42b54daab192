#include "cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void line(const char *format, va_list ap)
    __attribute__((format(printf, 1, 0)));

static void line(const char *format, va_list ap) {
  char text[2048];
  int n = vsnprintf(text, sizeof text, format, ap);
  if (n > 2000)
    memcpy(text + 1997, "...", 4);
  for (char *c = text; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?';
  fprintf(stderr, "novaprobe: %s\n", text);
}

void nova_say(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  line(format, ap);
  va_end(ap);
}

int nova_wrong(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  line(format, ap);
  va_end(ap);
  return NOVA_EXIT_WRONG;
}

int nova_broken(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  line(format, ap);
  va_end(ap);
  return NOVA_EXIT_BROKEN;
}

int nova_say_diag(struct nova_diag *d, const char *before) {
  struct nova_view v = nova_buf_view(&d->text);
  while (v.n != 0) {
    const char *lf = memchr(v.p, '\n', v.n);
    size_t n = lf != NULL ? (size_t)(lf - v.p) : v.n;
    fprintf(stderr, "%s%.*s\n", before, (int)n, v.p);
    n += lf != NULL;
    v.p += n;
    v.n -= n;
  }
  return NOVA_EXIT_WRONG;
}

int nova_put(const char *p, size_t n) {
  static bool told;
  fflush(stdout);
  while (n != 0) {
    ssize_t done = write(STDOUT_FILENO, p, n);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0) {
      if (errno == EPIPE) /* nobody wants to read on */
        return NOVA_EXIT_OK;
      if (!told)
        nova_say("standard output: %s", strerror(errno));
      told = true;
      return NOVA_EXIT_BROKEN;
    }
    p += done;
    n -= (size_t)done;
  }
  return NOVA_EXIT_OK;
}
