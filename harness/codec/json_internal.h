/* Internal to codec/: what the files of the JSON scanner share. */
#ifndef NOVA_CODEC_JSON_INTERNAL_H
#define NOVA_CODEC_JSON_INTERNAL_H

#include "codec/json.h"

/* One member of the text's outermost object. */
struct nova__json_member {
  const char *key; /* without the quotation marks */
  size_t key_n;
  struct nova_json_value value;
  bool key_escaped, value_escaped; /* they hold a backslash */
};

/* The members of the outermost object, recorded while the text is scanned.
 * The first NOVA__JSON_FIRST are kept whatever they are, later ones only if
 * |wanted| says so; |wanted| may accept at most NOVA__JSON_WANTED names, and
 * names are unique, so that the room always suffices. */
#define NOVA__JSON_FIRST  8
#define NOVA__JSON_WANTED 32

struct nova__json_members {
  bool (*wanted)(const struct nova__json_member *m);
  size_t kept, total;
  struct nova__json_member m[NOVA__JSON_FIRST + NOVA__JSON_WANTED];
};

/* Keeps the member that now is complete, if it may be wanted. */
static inline void nova__json_record(struct nova__json_members *members,
                                     const struct nova__json_member *m) {
  members->total++;
  if (members->kept < NOVA__JSON_FIRST ||
      (members->kept < NOVA__JSON_FIRST + NOVA__JSON_WANTED &&
       members->wanted(m)))
    members->m[members->kept++] = *m;
}

/* nova_json_check() that records the members too. */
int nova__json_scan(struct nova_json *j, const char *p, size_t n,
                    struct nova_json_value *value, struct nova_fault_at *at,
                    struct nova__json_members *members);

/* Passes over the rest of a string, from |q| within it. Returns its closing
 * quotation mark; NULL with |at| set where it is wrong. Sets |escaped| where a
 * backslash is met and else leaves it. */
const char *nova__json_string(const char *text, const char *q, const char *end,
                              bool *escaped, struct nova_fault_at *at);

/* The same for a number, from its first byte. */
const char *nova__json_number(const char *text, const char *q, const char *end,
                              struct nova_fault_at *at);

/* Reads one character of a validated string at |*q| (no closing quotation mark
 * stands there) as UTF-8; moves |*q| behind it. Returns 1 to 4. */
size_t nova__json_char(const char **q, char out[4]);

/* Compares two validated strings from behind their opening quotation marks,
 * by their characters: negative, 0 or positive. */
int nova__json_compare(const char *a, const char *b);

/* The closing quotation mark of a validated string, from |q| within it. */
const char *nova__json_close(const char *q, const char *end);

/* Whether the characters between quotation marks |s| are |utf8|. */
bool nova__json_text_is(struct nova_view s, bool escaped,
                        struct nova_view utf8);

/* nova_json_string() for the characters between quotation marks. */
size_t nova__json_text_copy(struct nova_view s, char *out, size_t cap);

#endif
