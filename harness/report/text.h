/* The phrases of text.def, and text that is safe to show. */
#ifndef NOVA_REPORT_TEXT_H
#define NOVA_REPORT_TEXT_H

#include "base/buf.h"
#include "base/time.h"
#include "verdict/results.h"

enum nova_lang { NOVA_LANG_EN, NOVA_LANG_ZH };

enum nova_phrase {
#define NOVA_TEXT(name, en, zh) NOVA_TEXT_##name,
#include "report/text.def"
#undef NOVA_TEXT
  NOVA_TEXTS
};

/* The phrase as it stands in the list, and its name ("PASS"). Static. */
const char *nova_phrase(enum nova_lang lang, enum nova_phrase p);
const char *nova_phrase_name(enum nova_phrase p);

enum nova_phrase nova_phrase_verdict(enum nova_verdict v);
enum nova_phrase nova_phrase_mark(enum nova_verdict v);
enum nova_phrase nova_phrase_level(enum nova_level l);
enum nova_phrase nova_phrase_outcome(enum nova_outcome o);
enum nova_phrase nova_phrase_role(enum nova_role r);

/* The text in |lang|, in the other one where it is missing; "" for neither. */
const char *nova_text_in(enum nova_lang lang, const struct nova_text *t);

/* Appends the phrase with {1}, {2}, ... replaced with |arg|, made safe.
 * |arg|: |args| strings, NULL for none. Returns the buffer's errors. */
int nova_phrase_put(struct nova_buf *b, enum nova_lang lang, enum nova_phrase p,
                    const char *const *arg, size_t args);

/* Appends |v| so that it does nothing to a terminal: control characters,
 * overrides of the writing direction and bytes that are no UTF-8 as \n, \x1b,
 * \u202e. |columns|: at most so many, ending in "..." where it is cut; 0: no
 * bound. Returns the buffer's errors. */
int nova_safe_put(struct nova_buf *b, struct nova_view v, size_t columns);

/* Columns that the safe form of |v| takes: 2 for a wide character, 0 for a
 * combining one. */
size_t nova_columns(struct nova_view v);

/* "2 min 10 s", "35 s". */
int nova_span_put(struct nova_buf *b, enum nova_lang lang, nova_ts t);

/* Seconds as the reports show them: "121.003 s", at least 3 decimals, as many
 * as the first 3 that are not 0 take. At most 39 bytes. */
char *nova_seconds(nova_ts t, char out[40]);

#endif
