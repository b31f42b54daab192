#include "bench.h"

#include <simdjson.h>

static simdjson::dom::parser *parser;

void simd_begin(void) {
  parser = new simdjson::dom::parser;
}

void simd_end(void) {
  delete parser;
}

/* The parser keeps the tree in buffers of its own, from run to run. */
void *simd_run(struct nova_view doc) {
  simdjson::dom::element element;
  if (parser->parse(doc.p, doc.n).get(element) != simdjson::SUCCESS)
    return nullptr;
  return parser;
}
