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
 * names are unique, so that the room always suffices, with one place more for
 * the member that is being read. */
#define NOVA__JSON_FIRST  8
#define NOVA__JSON_WANTED 32

struct nova__json_members {
  bool (*wanted)(const char *key, size_t n, bool escaped);
  size_t kept, total;
  struct nova__json_member m[NOVA__JSON_FIRST + NOVA__JSON_WANTED + 1];
};

/* Keeps the member that was written to |m|, behind those kept so far, if it may
 * be wanted. Returns the place for the next one. */
static inline struct nova__json_member *
nova__json_record(struct nova__json_members *members,
                  struct nova__json_member *m) {
  members->total++;
  if (members->kept >= NOVA__JSON_FIRST &&
      !members->wanted(m->key, m->key_n, m->key_escaped))
    return m;
  members->kept++;
  return m + 1;
}

/* nova_json_check() that records the members too. */
int nova__json_scan(struct nova_json *j, const char *p, size_t n,
                    struct nova_json_value *value, struct nova_fault_at *at,
                    struct nova__json_members *members);

/* Whether the scanner takes texts of |n| bytes. */
bool nova__json_fits(const struct nova_json *j, size_t n);

/* Passes over the object that begins at text[i] and stands inside another one.
 * |n|: fits; the last byte of the text is '}' and is none of the object's.
 * Returns the index behind it, or 0 where it is wrong: nova__json_scan() of
 * the whole text then tells what and where. */
size_t nova__json_object(struct nova_json *j, const char *text, size_t n,
                         size_t i);

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

/* Whether two validated numbers are equal as decimals. */
bool nova__json_same_number(struct nova_view a, struct nova_view b);

/* The closing quotation mark of a validated string, from |q| within it. */
const char *nova__json_close(const char *q, const char *end);

/* Whether the characters between quotation marks |s| are |utf8|. */
bool nova__json_text_is(struct nova_view s, bool escaped,
                        struct nova_view utf8);

/* nova_json_string() for the characters between quotation marks. */
size_t nova__json_text_copy(struct nova_view s, char *out, size_t cap);

#endif
