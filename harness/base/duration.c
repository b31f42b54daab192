#include "base/time.h"

#include "base/error.h"
#include "base/view.h"

#include <stdio.h>

/* Ten years: more is a typing error, and keeps every sum far from the edge. */
#define LONGEST (NOVA_SEC * 3600 * 24 * 3653)

static const struct {
  const char *name;
  uint64_t ns;
} units[] = {
    {"ns", 1},       {"us", 1000},           {"ms", NOVA_MS},
    {"s", NOVA_SEC}, {"min", NOVA_SEC * 60}, {"h", NOVA_SEC * 3600},
};

int nova_duration_parse(const char *s, size_t n, nova_ts *out) {
  struct nova_view text = {s, n};
  if (nova_view_is(text, "never")) {
    *out = NOVA_TS_NONE;
    return 0;
  }
  size_t i = 0;
  uint64_t whole = 0, fraction = 0, scale = 1;
  for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
    if (whole > LONGEST)
      return NOVA_ERR_ARGUMENT;
    whole = whole * 10 + (uint64_t)(s[i] - '0');
  }
  if (i == 0)
    return NOVA_ERR_ARGUMENT;
  if (i < n && s[i] == '.') {
    size_t first = ++i;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
      if (scale < NOVA_SEC) { /* finer than 1e-9 of a unit is cut */
        fraction = fraction * 10 + (uint64_t)(s[i] - '0');
        scale *= 10;
      }
    }
    if (i == first)
      return NOVA_ERR_ARGUMENT;
  }
  struct nova_view unit = {s + i, n - i};
  for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
    if (!nova_view_is(unit, units[u].name))
      continue;
    if (whole > LONGEST / units[u].ns)
      return NOVA_ERR_ARGUMENT;
    /* fraction < scale <= 1e9 and a unit is at most 3.6e12 ns: the product
     * fits into 64 bits only when divided first for the large units. */
    uint64_t part = units[u].ns >= scale ? fraction * (units[u].ns / scale)
                                         : fraction * units[u].ns / scale;
    *out = whole * units[u].ns + part;
    return 0;
  }
  return NOVA_ERR_ARGUMENT;
}

char *nova_duration_print(nova_ts t, char buf[32]) {
  if (t == NOVA_TS_NONE)
    snprintf(buf, 32, "never");
  else if (t < NOVA_SEC && t % NOVA_MS == 0)
    snprintf(buf, 32, "%llu ms", (unsigned long long)(t / NOVA_MS));
  else if (t < NOVA_SEC)
    snprintf(buf, 32, "%.3f ms", (double)t / 1e6);
  else if (t % NOVA_SEC == 0)
    snprintf(buf, 32, "%llu s", (unsigned long long)(t / NOVA_SEC));
  else if (t % (NOVA_SEC / 10) == 0)
    snprintf(buf, 32, "%.1f s", (double)t / 1e9);
  else
    snprintf(buf, 32, "%.3f s", (double)t / 1e9);
  return buf;
}
