/* Internal to the reader of results.json: members of validated JSON with a path
 * for what is wrong. The first error stays; after it everything is empty. */
#ifndef NOVA_REPORT_READ_H
#define NOVA_REPORT_READ_H

#include "codec/json.h"
#include "report/mask.h"
#include "report/results_json.h"

#define NOVA__READ_DEPTH 8

struct nova__reader {
  struct nova_arena *arena;
  struct nova_read_error *error;
  int err;
  enum nova_role subject;
  struct {
    const char *name; /* static */
    size_t index;     /* SIZE_MAX: none */
  } path[NOVA__READ_DEPTH];
  size_t depth;
};

/* Into a member, or an element of one, and back. |name|: static. */
void nova__read_enter(struct nova__reader *r, const char *name, size_t index);
void nova__read_leave(struct nova__reader *r);

/* Notes that the member |name| (NULL: where the path is) is not |expected|. */
void nova__read_fail(struct nova__reader *r, const char *name,
                     const char *expected);

/* Checks an allocation; false without memory. */
bool nova__read_memory(struct nova__reader *r, const void *p);

/* The members that |names| (NULL at its end) names, in one pass; NONE for those
 * that are not there. */
void nova__read_members(struct nova_json_value v, const char *const *names,
                        struct nova_json_value *out);

/* An object's members; fails where |v| is none. */
bool nova__read_object(struct nova__reader *r, struct nova_json_value v,
                       const char *const *names, struct nova_json_value *out);

/* The elements of an array |name|: their number. One that is not there has
 * none, and is an error where it is |required|. */
size_t nova__read_count(struct nova__reader *r, struct nova_json_value v,
                        const char *name, bool required);

/* Values. Of one that is not there: NULL, 0, false, the |otherwise|; an error
 * where it is |required|. */
const char *nova__read_text(struct nova__reader *r, struct nova_json_value v,
                            const char *name, bool required);
uint64_t nova__read_uint(struct nova__reader *r, struct nova_json_value v,
                         const char *name, bool required, uint64_t most);
nova_ts nova__read_seconds(struct nova__reader *r, struct nova_json_value v,
                           const char *name, bool required, nova_ts otherwise);
bool nova__read_bool(struct nova__reader *r, struct nova_json_value v,
                     const char *name);
/* The index of the string among |names|. */
unsigned nova__read_pick(struct nova__reader *r, struct nova_json_value v,
                         const char *name, const char *const *names,
                         unsigned n);
/* An array of strings. */
struct nova_ids nova__read_ids(struct nova__reader *r, struct nova_json_value v,
                               const char *name);
struct nova_text nova__read_both(struct nova__reader *r,
                                 struct nova_json_value v, const char *name);

/* Checks the text and its format and version; |root| is the document, whose
 * strings lie in |p|. False with the error noted. */
bool nova__read_start(struct nova__reader *r, const char *p, size_t n,
                      const char *format, struct nova_json_value *root);

/* A conversation as it stands in results.json; |transcript|: with its events,
 * which are required then. */
void nova__read_conversation(struct nova__reader *r, struct nova_json_value v,
                             bool transcript,
                             struct nova_conversation_result *c);

/* The events of a transcript. */
void nova__read_transcript(struct nova__reader *r, struct nova_json_value v,
                           struct nova_transcript *out);

struct nova_profile *nova__read_profile(struct nova__reader *r,
                                        struct nova_json_value v);

/* "RFC 3339, in UTC" as nanoseconds of Unix time. */
uint64_t nova__read_time(struct nova__reader *r, struct nova_json_value v,
                         const char *name);

/* The placeholder of a key as a string of the arena. */
const char *nova__read_placeholder(struct nova__reader *r, const char *of,
                                   unsigned generation, size_t n);

#endif
