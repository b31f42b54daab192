/* The strict JSON scanner: RFC 8259, nothing more. No allocation while it
 * scans, no recursion on the input.
 *
 * nova_json_check() validates a whole text in one pass: grammar, UTF-8, escapes
 * and surrogates, duplicate keys (compared unescaped), depth, number range.
 * Everything below it reads text that was validated, and so cannot fail. */
#ifndef NOVA_CODEC_JSON_H
#define NOVA_CODEC_JSON_H

#include "base/error.h"
#include "base/mem.h"
#include "base/view.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Containers inside containers: "[[1]]" has depth 2. */
#define NOVA_JSON_DEPTH 64

enum nova_json_type {
  NOVA_JSON_NONE, /* no value: a member that is absent */
  NOVA_JSON_NULL,
  NOVA_JSON_FALSE,
  NOVA_JSON_TRUE,
  NOVA_JSON_NUMBER,
  NOVA_JSON_STRING,
  NOVA_JSON_ARRAY,
  NOVA_JSON_OBJECT,
};

/* A validated value: its bytes from the first to the last (quotation marks and
 * brackets included, no white space around), a view of the caller's text. */
struct nova_json_value {
  enum nova_json_type type;
  struct nova_view text;
};

/* Scratch for duplicate keys and nesting, allocated once. One scanner serves
 * one text at a time. */
struct nova_json;

/* |mem|: NULL for the C library's.
 * |max_text|: the longest text in bytes, 1 to 2^30.
 * |max_depth|: 1 to 65535; NOVA_JSON_DEPTH is the default of the program.
 * Returns NULL without memory or with a bad argument. */
struct nova_json *nova_json_new(const struct nova_mem *mem, size_t max_text,
                                unsigned max_depth);
void nova_json_free(struct nova_json *j);

/* Checks that |p[0..n)| is exactly one value with white space around it.
 * |value|: the value, set on success; may be NULL.
 * |at|: on failure the code and the offset of the first offending byte (for
 *       JSON_TRUNCATED and JSON_EMPTY: n; for a duplicate key: its opening
 *       quotation mark; for an escape: its backslash; for a number: its first
 *       offending byte, for its range: its first byte). May be NULL.
 * Returns 0, one of NOVA_ERR_JSON_*, or NOVA_ERR_LIMIT (n > max_text). */
int nova_json_check(struct nova_json *j, const char *p, size_t n,
                    struct nova_json_value *value, struct nova_fault_at *at);

/* --- reading validated text ----------------------------------------------- */

/* Walks over the members of an object or the elements of an array. */
struct nova_json_iter {
  const char *p, *end;
  bool object;
};

void nova_json_iter_init(struct nova_json_iter *it, struct nova_json_value v);

/* The next member or element; |key| (a STRING value, quotation marks included)
 * is NONE in an array and may be NULL. False at the end. */
bool nova_json_next(struct nova_json_iter *it, struct nova_json_value *key,
                    struct nova_json_value *value);

/* The member |key| (compared unescaped) of an object; NONE where there is none
 * or |v| is no object. */
struct nova_json_value nova_json_get(struct nova_json_value v,
                                     struct nova_view key);

/* A string's characters, unescaped, as UTF-8. Never longer than text.n - 2.
 * |out|, |cap|: NULL and 0 to only ask for the length. Writes nothing when the
 *               length exceeds |cap|. No NUL is added; \u0000 gives a NUL byte.
 * Returns the length; 0 for a value that is no string. */
size_t nova_json_string(struct nova_json_value v, char *out, size_t cap);

/* Whether |v| is a string of exactly these characters; allocates nothing. */
bool nova_json_string_is(struct nova_json_value v, struct nova_view utf8);

/* Whether |v| is a number without fraction and exponent ("1", "-0"; not "1.0",
 * "1e3"). */
bool nova_json_is_integer(struct nova_json_value v);

/* The number as a 64-bit integer; false for one that is no integer in the sense
 * above or does not fit. */
bool nova_json_int64(struct nova_json_value v, int64_t *out);

/* The number as a double, correctly rounded; false for no number. */
bool nova_json_double(struct nova_json_value v, double *out);

/* Equality as JSON: numbers by exact decimal value (1, 1.0 and 10e-1 are equal,
 * 9007199254740992 and 9007199254740993 are not; digits are compared, nothing
 * is rounded), strings by characters, arrays in order, objects in any order.
 *
 * Objects in the same order are compared in linear time. From where the order
 * differs on, the members of |b| are sorted 1024 at a time, and those of |a|
 * searched among them: n / 1024 passes over |a|, some tens of milliseconds for
 * 128 KB of members in the worst order.
 *
 * Takes 8 KB of stack and about 100 bytes for each level of nesting, which the
 * |max_depth| of the check limits. */
bool nova_json_equal(struct nova_json_value a, struct nova_json_value b);

#ifdef __cplusplus
}
#endif

#endif
