#include "cli/screen.h"

#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool has(const char *name) {
  const char *v = getenv(name);
  return v != NULL && *v != '\0';
}

static unsigned columns(void) {
  struct winsize w;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20)
    return w.ws_col;
  return 80;
}

void nova_screen_init(struct nova_screen *s, const struct nova_options *o,
                      enum nova_lang lang, const struct nova_mask *mask) {
  const char *term = getenv("TERM");
  bool terminal = isatty(STDOUT_FILENO) == 1;
  bool able = terminal && term != NULL && strcmp(term, "dumb") != 0;
  const char *color = nova_options_last(o, NOVA_OPT_COLOR);
  bool quiet = o->opt[NOVA_OPT_QUIET].n != 0;
  *s = (struct nova_screen){.t = {.lang = lang,
                                  .color = able && !has("NO_COLOR"),
                                  .width = terminal ? columns() : 0,
                                  .verbosity = quiet ? -1
                                               : o->opt[NOVA_OPT_VERBOSE].n != 0
                                                   ? 1
                                                   : 0,
                                  .mask = mask},
                            .live = able && !quiet};
  if (color != NULL && strcmp(color, "auto") != 0)
    s->t.color = strcmp(color, "always") == 0;
}

void nova_screen_clear(struct nova_screen *s) {
  if (!s->shown)
    return;
  static const char away[] = "\r\x1b[K";
  (void)nova_put(away, sizeof away - 1);
  s->shown = false;
}

void nova_screen_print(struct nova_screen *s, const char *p, size_t n) {
  nova_screen_clear(s);
  (void)nova_put(p, n);
}

void nova_screen_line(struct nova_screen *s, const char *format, ...) {
  if (s->t.verbosity < 0)
    return;
  char text[4096];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  struct nova_buf masked, safe;
  nova_buf_init(&masked, NULL, NOVA_TERMINAL_LINE);
  nova_buf_init(&safe, NULL, NOVA_TERMINAL_LINE);
  if (nova_mask_text(s->t.mask, nova_view_of(text), &masked) == 0 &&
      nova_safe_put(&safe, nova_buf_view(&masked), 0) == 0 &&
      nova_buf_puts(&safe, "\n") == 0)
    nova_screen_print(s, safe.data + safe.head, safe.len);
  nova_buf_free(&masked);
  nova_buf_free(&safe);
}

void nova_screen_live(struct nova_screen *s, const struct nova_live *l,
                      nova_ts now) {
  if (!s->live || (s->drawn != 0 && now < s->drawn + NOVA_SCREEN_EVERY))
    return;
  s->drawn = now;
  s->t.width = columns();
  struct nova_buf out;
  nova_buf_init(&out, NULL, NOVA_TERMINAL_LINE);
  if (nova_buf_puts(&out, "\r\x1b[K") == 0 &&
      nova_terminal_live(&s->t, l, &out) == 0) {
    (void)nova_put(out.data + out.head, out.len);
    s->shown = true;
  }
  nova_buf_free(&out);
}
