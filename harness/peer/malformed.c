#include "peer/malformed.h"

#include "base/error.h"

size_t nova__depth_of(struct nova_view v) {
  size_t depth = 0, deepest = 0;
  for (size_t i = 0; i < v.n; i++) {
    if (v.p[i] == '[' || v.p[i] == '{')
      depth++;
    else if ((v.p[i] == ']' || v.p[i] == '}') && depth > 0)
      depth--;
    deepest = depth > deepest ? depth : deepest;
  }
  return deepest;
}

bool nova__is_invalid_json(int err) {
  return err <= NOVA_ERR_JSON_BOM && err >= NOVA_ERR_JSON_NUL &&
         err != NOVA_ERR_JSON_UTF8 && err != NOVA_ERR_JSON_NUL &&
         err != NOVA_ERR_JSON_DEPTH;
}
