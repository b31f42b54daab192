/* Patterns: one notation that writes a value when its side sends and checks one
 * when it receives (specs/README.md, "Patterns").
 *
 *     25.5  "on"  true  {a: 1}  [1, 2]      literal; an object may have more
 *                                           members than are named
 *     $string $integer $number $boolean $object $array $any $unix_time
 *                                           a kind: makes one up, accepts any
 *     $absent                               in an object: the member is not
 * there $device.id  $other.key  $name.field   a reference $not(x) $one_of(x, y)
 * alternatives (for checking) $prefix(x) $last_changed(x) $other_case(x)
 * $with(x, "tail") $string(n)                            made from another
 * value
 *     $like("DEV-#")                        a string; # is one or more digits
 *     $has(x)                               an object with x's members, at
 * least $declared_values                      an object of declared value keys
 *     $join(x, y, ...)                      strings, one behind the other
 *     $starts_with(x)                       a string that begins so and goes on
 *     $verbatim(x)                          the same JSON text, byte for byte
 *     $covers(x)                            an MQTT filter that matches the
 *                                           topic x and stays within the topics
 *                                           of its device
 *     $declared_members                     like $declared_values, but for
 *                                           timestamp and device_id
 *     {$exactly: VALUE}                     equal as JSON: no member more
 *     {$contains: VALUE}                    an array with such an element
 *     $$text                                the string "$text" */
#ifndef NOVA_CONVERSATION_PATTERN_H
#define NOVA_CONVERSATION_PATTERN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rng.h"
#include "base/time.h"
#include "codec/json.h"
#include "conversation/yaml.h"

enum nova_pattern_kind {
  NOVA_PATTERN_LITERAL, /* |json| is it */
  NOVA_PATTERN_OBJECT,
  NOVA_PATTERN_LIST,
  NOVA_PATTERN_KIND, /* |name|: string, integer, ... */
  NOVA_PATTERN_REF,  /* |name|: "device.id" */
  NOVA_PATTERN_CALL, /* |name|: not, one_of, ...; arguments in |child| */
};

struct nova_pattern {
  enum nova_pattern_kind kind;
  const char *name;
  struct nova_view json;      /* LITERAL */
  const char *member;         /* in an OBJECT: this child's key */
  struct nova_pattern *child; /* members, elements, arguments */
  struct nova_pattern *next;
  unsigned line, column;
};

/* What references mean. */
struct nova_scope {
  /* Appends the JSON text of |name| to |out|; false where there is no such
   * thing (yet). */
  bool (*lookup)(void *user, const char *name, struct nova_buf *out);
  void *user;
  struct nova_rng *rng; /* for what is made up */
  uint64_t unix_ns;     /* now, for $unix_time */
  const struct nova_mem *mem;
};

/* How far a $unix_time may be from the harness's clock, in seconds. */
#define NOVA_CLOCK_TOLERANCE 300

/* Compiles a node of a script. NULL with messages in |diag|. */
struct nova_pattern *nova_pattern_compile(const struct nova_node *node,
                                          const char *file,
                                          struct nova_arena *arena,
                                          struct nova_diag *diag);

/* Calls |fn| for each reference in |p| ("device.key"), for the loader's checks.
 */
void nova_pattern_refs(const struct nova_pattern *p,
                       void (*fn)(void *user, const struct nova_pattern *ref),
                       void *user);

/* Whether a value can be made of it: it holds nothing that only checks. */
bool nova_pattern_makes(const struct nova_pattern *p);

/* Writes a value of the pattern as JSON.
 * |why|: a buffer that takes the reason on failure.
 * Returns 0, NOVA_ERR_ARGUMENT (a reference that means nothing, a pattern that
 * only checks), NOVA_ERR_LIMIT or NOVA_ERR_NO_MEMORY. */
int nova_pattern_write(const struct nova_pattern *p, struct nova_scope *scope,
                       struct nova_buf *out, struct nova_buf *why);

/* The first difference between a value and a pattern. */
struct nova_mismatch {
  char field[64];     /* the member of the outermost object, "" for the whole */
  char path[128];     /* "params.relay1" */
  char expected[256]; /* for a person, cut where it is long */
  char observed[256];
  bool kind; /* the pattern there was a kind ($string): rules judge the same */
};

/* Whether |v| is a value of the pattern. |m| is set where it is not; may be
 * NULL. A reference that means nothing matches nothing. */
bool nova_pattern_match(const struct nova_pattern *p, struct nova_json_value v,
                        struct nova_scope *scope, struct nova_mismatch *m);

/* The pattern as a person reads it, cut at |cap| - 1. Returns |out|. */
char *nova_pattern_print(const struct nova_pattern *p, struct nova_scope *scope,
                         char *out, size_t cap);

/* Appends a string as JSON, quotation marks included. |p| is UTF-8. */
int nova_json_quote(struct nova_buf *out, const char *p, size_t n);

#endif
