/* One JSON object in the bytes of other serializers, for the variants of both
 * reference peers. */
#ifndef NOVA_PEER_RESTYLE_H
#define NOVA_PEER_RESTYLE_H

#include "base/buf.h"

enum nova__style {
  NOVA__STYLE_PLAIN,
  NOVA__STYLE_WHITE_SPACE,     /* around it and between its parts */
  NOVA__STYLE_ASCII_ONLY,      /* all else escaped, and / too */
  NOVA__STYLE_LETTERS_ESCAPED, /* in names and in strings */
  NOVA__STYLE_REORDERED,       /* the last member first */
};

/* Appends the object |v|, which has no white space outside of strings, in
 * |style|. Errors as nova_buf_append(). */
int nova__restyle_as(enum nova__style style, struct nova_buf *b,
                     struct nova_view v);

/* Appends the object |v| and |members| (",\"a\":1") before its last brace. */
int nova__add_members(struct nova_buf *b, struct nova_view v,
                      const char *members);

/* Appends the JSON |v|, every number with an exponent. */
int nova__put_exponents(struct nova_buf *b, struct nova_view v);

/* Appends the JSON |v| with a line feed and two spaces for each level. */
int nova__put_indented(struct nova_buf *b, struct nova_view v);

/* Appends |v|, valid UTF-8, as a JSON string. Errors as nova_buf_append(). */
int nova__put_string(struct nova_buf *b, struct nova_view v);

#endif
