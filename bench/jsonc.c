#include "bench.h"

/* In a file of its own: its header and jansson's declare the same names. */
#include <json-c/json.h>

static struct json_tokener *tokener;

void jsonc_begin(void) {
  tokener = json_tokener_new();
  json_tokener_set_flags(tokener,
                         JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
}

void jsonc_end(void) {
  json_tokener_free(tokener);
}

void *jsonc_run(struct nova_view doc) {
  json_tokener_reset(tokener);
  return json_tokener_parse_ex(tokener, doc.p, (int)doc.n);
}

void jsonc_drop(void *result) {
  json_object_put(result);
}
