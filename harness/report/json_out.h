/* Writes JSON, member by member. Errors stay: ask once at the end. */
#ifndef NOVA_REPORT_JSON_OUT_H
#define NOVA_REPORT_JSON_OUT_H

#include "base/time.h"
#include "report/mask.h"
#include "report/sink.h"

#include <stdint.h>

struct nova_json_out {
  const struct nova_sink *sink;
  const struct nova_mask
      *mask; /* for nova_jo_text(); NULL: nothing is masked */
  struct nova_buf scratch;
  int err;
  unsigned depth, inline_from; /* inside this depth all is on one line; 0: no */
  bool comma, named;           /* a value came before; a name came just now */
  char out[8192];
  size_t n;
};

void nova_jo_init(struct nova_json_out *o, const struct nova_sink *sink,
                  const struct nova_mask *mask, const struct nova_mem *mem);

/* Ends with a line feed; returns 0 or the first error. |o| is freed. */
int nova_jo_end(struct nova_json_out *o);

/* |open|: '{' or '['; |one_line|: it and what is in it. */
void nova_jo_open(struct nova_json_out *o, char open, bool one_line);
void nova_jo_close(struct nova_json_out *o, char close);
void nova_jo_key(struct nova_json_out *o, const char *key);

/* Characters as JSON, invalid UTF-8 as the four characters \xNN. */
void nova_jo_view(struct nova_json_out *o, struct nova_view v);
void nova_jo_string(struct nova_json_out *o, const char *s); /* NULL: null */
void nova_jo_text(struct nova_json_out *o, const char *s);   /* masked first */
void nova_jo_uint(struct nova_json_out *o, uint64_t v);
void nova_jo_int(struct nova_json_out *o, int64_t v);
void nova_jo_bool(struct nova_json_out *o, bool v);
/* Seconds, exact: 6 to 9 decimals. NONE: null. */
void nova_jo_seconds(struct nova_json_out *o, nova_ts t);
/* JSON text as it is. */
void nova_jo_raw(struct nova_json_out *o, struct nova_view json);

/* A string in pieces: begin, any number of pieces, end. */
void nova_jo_string_begin(struct nova_json_out *o);
void nova_jo_string_piece(struct nova_json_out *o, struct nova_view v);
void nova_jo_string_hex(struct nova_json_out *o, struct nova_view v);
void nova_jo_string_end(struct nova_json_out *o);

#endif
