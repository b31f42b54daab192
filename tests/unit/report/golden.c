#include "golden.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

void golden_compare(const char *name, struct nova_view got) {
  char path[512];
  snprintf(path, sizeof path, "%s/tests/unit/report/golden/%s", NOVA_SOURCE_DIR,
           name);
  const char *mode = getenv("NOVA_GOLDEN");
  if (mode != NULL && strcmp(mode, "write") == 0) {
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    fwrite(got.p, 1, got.n, f);
    fclose(f);
    return;
  }
  FILE *f = fopen(path, "rb");
  cr_assert_not_null(f, "%s", path);
  static char want[1 << 20];
  size_t n = fread(want, 1, sizeof want, f);
  fclose(f);
  size_t same = 0, line = 1;
  while (same < n && same < got.n && want[same] == got.p[same])
    line += want[same++] == '\n';
  cr_assert(same == n && same == got.n,
            "%s differs in line %zu:\n wants %.120s\n gives %.120s", name, line,
            want + same, same < got.n ? got.p + same : "");
}
