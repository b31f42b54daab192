#include "bench.h"

#include "codec/message.h"

#include <cjson/cJSON.h>
#include <jansson.h>

static struct nova_json *scanner;
static struct nova_msg message;
static char done;

static void nova_begin(void) {
  scanner = nova_json_new(NULL, 131072, NOVA_JSON_DEPTH);
}

static void nova_end(void) {
  nova_json_free(scanner);
}

static void *decode_run(struct nova_view doc) {
  return nova_msg_decode(scanner, doc.p, doc.n, &message) == 0 ? &done : NULL;
}

static void *check_run(struct nova_view doc) {
  return nova_json_check(scanner, doc.p, doc.n, NULL, NULL) == 0 ? &done : NULL;
}

static void *cjson_run(struct nova_view doc) {
  return cJSON_ParseWithLength(doc.p, doc.n);
}

static void cjson_drop(void *result) {
  cJSON_Delete(result);
}

static void *jansson_run(struct nova_view doc) {
  return json_loadb(doc.p, doc.n, JSON_REJECT_DUPLICATES, NULL);
}

static void jansson_drop(void *result) {
  json_decref(result);
}

#define OTHERS                                                                 \
  {"cJSON",    "tree; no UTF-8, duplicates or range checked",                  \
   NULL,       cjson_run,                                                      \
   cjson_drop, NULL},                                                          \
      {"jansson",    "tree; UTF-8 and duplicates checked",                     \
       NULL,         jansson_run,                                              \
       jansson_drop, NULL},                                                    \
      {"json-c",    "tree; UTF-8 checked, the last duplicate wins",            \
       jsonc_begin, jsonc_run,                                                 \
       jsonc_drop,  jsonc_end},                                                \
  {                                                                            \
    "simdjson",                                                                \
        "tape (DOM API, copy of the text for its padding); UTF-8 "             \
        "checked, duplicates not",                                             \
        simd_begin, simd_run, NULL, simd_end                                   \
  }

bool bench_parsers(void) {
  static const struct contender typed[] = {
      {"novaprobe",
       "typed message, no allocation; UTF-8, duplicates, range, depth checked",
       nova_begin, decode_run, NULL, nova_end},
      OTHERS};
  static const struct contender checked[] = {
      {"novaprobe",
       "checked span, no allocation; UTF-8, duplicates, range, depth checked",
       nova_begin, check_run, NULL, nova_end},
      OTHERS};
  bool a = bench_job("The guide's data message", document_guide(), 7, typed, 5);
  bool b = bench_job("A data message with 128 KB of numbers", document_values(),
                     7, typed, 5);
  bool c =
      bench_job("A 128 KB object of numbers", document_object(), 7, checked, 5);
  return a && b && c;
}
