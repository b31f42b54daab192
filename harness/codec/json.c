#include "codec/json.h"

#include "codec/json_internal.h"
#include "codec/json_keys.h"
#include "codec/json_marks.h"
#include "codec/json_scan.h"

#include "base/utf8.h"

struct nova_json {
  const struct nova_mem *mem;
  size_t max_text;
  unsigned max_depth;
  struct nova__keys keys;
  struct nova__marks marks;
  uint32_t *around; /* for each open container what is around it: an object's
                       serial number, 0 for an array or nothing */
};

struct nova_json *nova_json_new(const struct nova_mem *mem, size_t max_text,
                                unsigned max_depth) {
  if (max_text < 1 || max_text > (size_t)1 << 30 || max_depth < 1 ||
      max_depth > 65535)
    return NULL;
  size_t slots = nova__keys_slots(max_text);
  if (slots > SIZE_MAX / 2 / sizeof(struct nova__key))
    return NULL;
  struct nova_json *j = nova_mem_zalloc(mem, sizeof *j);
  struct nova__key *slot = nova_mem_zalloc(mem, slots * sizeof *slot);
  uint32_t *around = nova_mem_zalloc(mem, max_depth * sizeof *around);
  if (j == NULL || slot == NULL || around == NULL) {
    nova_mem_free(mem, around);
    nova_mem_free(mem, slot);
    nova_mem_free(mem, j);
    return NULL;
  }
  j->mem = mem;
  j->max_text = max_text;
  j->max_depth = max_depth;
  j->around = around;
  nova__keys_init(&j->keys, slot, slots);
  return j;
}

void nova_json_free(struct nova_json *j) {
  if (j == NULL)
    return;
  const struct nova_mem *mem = j->mem;
  nova_mem_free(mem, j->around);
  nova_mem_free(mem, j->keys.slot);
  nova_mem_free(mem, j);
}

/* --- what is wrong: called once, at the end of a bad text -------------------
 */

static bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A byte that no rule expects, at |q| < |end|, outside any string. */
static int stray(const char *q, const char *end) {
  if (*q == '\0')
    return NOVA_ERR_JSON_NUL;
  if ((unsigned char)*q >= 0x80 &&
      nova_utf8_char(q, (size_t)(end - q), NULL) == 0)
    return NOVA_ERR_JSON_UTF8;
  return NOVA_ERR_JSON_UNEXPECTED;
}

/* Something at |q| that does not begin a value. */
static int no_value(const char *q, const char *end, bool outermost) {
  if (letter(*q))
    return NOVA_ERR_JSON_LITERAL;
  if (*q == '+' || *q == '.')
    return NOVA_ERR_JSON_NUMBER;
  if (outermost && end - q >= 3 && memcmp(q, "\xef\xbb\xbf", 3) == 0)
    return NOVA_ERR_JSON_BOM;
  return stray(q, end);
}

/* Something at |q| that does not begin a member. */
static int no_key(const char *q, const char *end) {
  if (letter(*q) || nova__json_digit(*q) ||
      (*q != '\0' && strchr("-+.'[{_$", *q) != NULL))
    return NOVA_ERR_JSON_KEY;
  return stray(q, end);
}

/* Something at |q| that cannot follow a value. Where it touches a number or a
 * literal it spoils that one: "01", "1.5.2", "nullx". */
static int no_end(const char *text, const char *q, const char *end,
                  bool outermost) {
  if (*q == '\0')
    return NOVA_ERR_JSON_NUL;
  bool word = letter(*q) || nova__json_digit(*q) || *q == '_';
  if (q > text && nova__json_digit(q[-1]) &&
      (word || *q == '+' || *q == '-' || *q == '.'))
    return NOVA_ERR_JSON_NUMBER;
  if (q > text && letter(q[-1]) && word)
    return NOVA_ERR_JSON_LITERAL;
  return outermost ? NOVA_ERR_JSON_TRAILING : stray(q, end);
}

/* --- the scanner --------------------------------------------------------- */

static inline size_t skip_space(const char *text, size_t i, size_t n) {
  while (i < n && nova__json_space(text[i]))
    i++;
  return i;
}

/* The index of the closing quotation mark of the string that begins at |open|,
 * where the list of marks ends, or is behind, or the string is not plain.
 * |mark|: the next mark; moved on. Returns NONE with |at| set where the string
 * is wrong. */
#define NONE SIZE_MAX

static __attribute__((noinline)) size_t find_close(struct nova__marks *m,
                                                   const uint32_t **mark_,
                                                   size_t open, bool *escaped,
                                                   struct nova_fault_at *at) {
  const uint32_t *mark = *mark_;
  /* Marks outside of strings, line feeds for example, are of no interest. */
  for (;;) {
    while (*mark < open)
      mark++;
    if (*mark != NOVA__MARKS_END)
      break;
    mark = nova__marks_more(m, open);
  }
  mark++;
  if (*mark == NOVA__MARKS_END)
    mark = nova__marks_more(m, open + 1);
  *mark_ = mark;
  size_t next = *mark < m->n ? *mark : m->n;
  if (next < m->n && m->text[next] == '"') {
    *mark_ = mark + 1;
    return next;
  }
  const char *close =
      nova__json_string(m->text, m->text + next, m->text + m->n, escaped, at);
  return close != NULL ? (size_t)(close - m->text) : NONE;
}

static __attribute__((noinline)) size_t
long_number(const char *text, size_t i, size_t n, struct nova_fault_at *at) {
  const char *end = nova__json_number(text, text + i, text + n, at);
  return end != NULL ? (size_t)(end - text) : NONE;
}

/* The end of the literal |word| at |i|. */
static inline size_t literal(const char *text, size_t i, size_t n,
                             const char *word, size_t word_n,
                             struct nova_fault_at *at) {
  if (n - i >= word_n && memcmp(text + i, word, word_n) == 0)
    return i + word_n;
  for (; i < n && text[i] == *word; i++)
    word++;
  at->code = i == n            ? NOVA_ERR_JSON_TRUNCATED
             : text[i] == '\0' ? NOVA_ERR_JSON_NUL
                               : NOVA_ERR_JSON_LITERAL;
  at->offset = i;
  return NONE;
}

static inline struct nova_json_value
value_of(enum nova_json_type type, const char *text, size_t start, size_t end) {
  return (struct nova_json_value){type, {text + start, end - start}};
}

/* A text of fewer bytes is never taken for guarded, see scan(). */
#define GUARDED 32

/* Where a run of members left off. */
struct run {
  const uint32_t *mark;
  size_t i;
  bool ended; /* a value has ended in front of |i|; otherwise a key begins there
               */
};

/* A number without any fault, seen at once; 0 for one that is left to
 * nova__json_number(). */
static inline size_t fast_number(const char *text, size_t i, size_t n) {
  size_t length = nova__json_short_number(text, i, n);
  return length != 0 ? length : nova__json_medium_number(text, i, n);
}

/* Passes over members of an object that are like "key":12.5 or "key":"text",
 * without escapes and white space, the bulk of what devices send, as long as
 * there are such. It knows nothing of errors: whatever else there is is left to
 * scan(). |members|: not NULL where they are recorded; those that may be wanted
 * are left too. */
static __attribute__((noinline)) struct run
run_members(struct nova__keys *k, const char *text, size_t i, size_t n,
            uint32_t object, const uint32_t *mark,
            struct nova__json_members *members) {
  for (;;) {
    struct run here = {mark, i, false};
    size_t close = mark[1], end;
    if (mark[0] != i || close >= n || text[close] != '"' ||
        text[close + 1] != ':')
      return here;
    if (members != NULL && members->wanted(text + i + 1, close - i - 1, false))
      return here;
    size_t value = close + 2;
    if (__builtin_expect(text[value] == ' ', 0))
      value++;
    if (text[value] == '"') {
      end = mark[3];
      if (mark[2] != value || end >= n || text[end] != '"')
        return here;
      end++;
      mark += 4;
    } else {
      end = value + fast_number(text, value, n);
      if (end == value)
        return here;
      mark += 2;
    }
    /* A duplicate is left too: scan() finds it again. */
    if (!nova__keys_add(k, object, text, i + 1, close - i - 1, false))
      return here;
    if (members != NULL)
      members->total++;
    if (text[end] != ',')
      return (struct run){mark, end, true};
    i = end + 1;
    if (__builtin_expect(text[i] == ' ', 0))
      i++;
    if (text[i] != '"')
      return (struct run){mark, end, true};
  }
}

/* The whole grammar, from the first byte of a value on.
 *
 * |guarded|: a constant. The value begins with a bracket and the text's last
 * byte but for white space is a closing one, and it has GUARDED bytes or more.
 * Then no step but the one over a closing bracket can arrive at the end of the
 * text, and the others need not look out for it. Every text that is right and
 * of interest is like that; all others take the copy of this function that
 * looks out. |members|: NULL if they need not be recorded. */
static inline __attribute__((always_inline)) int
scan(struct nova_json *j, const char *const text, size_t i, const size_t n,
     const unsigned outer, struct nova_json_value *value,
     struct nova_fault_at *at, struct nova__json_members *members,
     const bool guarded) {
  const size_t first = i;
  size_t start, nested = i; /* of the present value; of the one at depth 2 */
  size_t key = i, close;    /* the quotation marks of the last string */
  bool escaped = false;     /* that one holds an escape */
  bool key_escaped = false;
  size_t key_n = 0;
  enum nova_json_type type;  /* of the value that ended last */
  uint32_t object = 0;       /* around the present place; 0: not in one */
  uint32_t top = UINT32_MAX; /* the outermost one, if it is to be recorded */
  unsigned depth = outer;
  const uint32_t *mark = j->marks.at;
  struct nova__json_member *m = NULL;
  int code;

/* Whether a byte that has to be there is not. */
#define ENDS (!guarded && i == n)
/* To the next byte that is no white space; mostly it is the present one. */
#define SKIP_SPACE                                                             \
  do {                                                                         \
    if (guarded ? (unsigned char)text[i] <= ' ' : true)                        \
      i = skip_space(text, i, n);                                              \
  } while (0)
/* From the opening quotation mark at |i| to the closing one. */
#define STRING                                                                 \
  do {                                                                         \
    escaped = false;                                                           \
    close = mark[1];                                                           \
    if (mark[0] == i && close < n && text[close] == '"') {                     \
      mark += 2;                                                               \
    } else {                                                                   \
      const uint32_t *moved = mark;                                            \
      bool slow_escaped = false;                                               \
      close = find_close(&j->marks, &moved, i, &slow_escaped, at);             \
      mark = moved;                                                            \
      escaped = slow_escaped;                                                  \
      if (close == NONE)                                                       \
        return at->code;                                                       \
    }                                                                          \
  } while (0)

  if (members != NULL) {
    m = members->m;
    if (text[i] == '{')
      top = j->keys.last + 1;
  }

value: /* white space has been passed over */
  if (ENDS)
    goto truncated;
  start = i;
  if (nova__json_digit(text[i]) || text[i] == '-') {
    size_t length = guarded ? fast_number(text, i, n) : 0;
    i = length != 0 ? i + length : long_number(text, i, n, at);
    type = NOVA_JSON_NUMBER;
    goto scalar;
  }
  if (text[i] == '"') {
    STRING;
    i = close + 1;
    type = NOVA_JSON_STRING;
    goto scalar;
  }
  switch (text[i]) {
  case '{':
  case '[':
    if (depth == j->max_depth)
      goto too_deep;
    if (object == top) {
      nested = i;
      m->key = text + key + 1;
      m->key_n = key_n;
      m->key_escaped = key_escaped;
    }
    j->around[depth++] = object;
    object = text[i] == '{' ? nova__keys_object(&j->keys) : 0;
    i++;
    SKIP_SPACE;
    if (!ENDS && text[i] == (object != 0 ? '}' : ']'))
      goto closing;
    if (object != 0)
      goto key;
    goto value;
  case 't':
    i = literal(text, i, n, "true", 4, at);
    type = NOVA_JSON_TRUE;
    break;
  case 'f':
    i = literal(text, i, n, "false", 5, at);
    type = NOVA_JSON_FALSE;
    break;
  case 'n':
    i = literal(text, i, n, "null", 4, at);
    type = NOVA_JSON_NULL;
    break;
  default: code = no_value(text + i, text + n, i == first); goto failed;
  }

scalar: /* one that has no others inside has ended in front of |i| */
  if (i == NONE)
    return at->code;
  if (object == top) {
    m->key = text + key + 1;
    m->key_n = key_n;
    m->key_escaped = key_escaped;
    m->value = value_of(type, text, start, i);
    m->value_escaped = escaped;
    m = nova__json_record(members, m);
  }
  if (!guarded && depth == outer)
    goto finish;

next: /* a value has ended in front of |i|, and there is a container around it
       */
  SKIP_SPACE;
  if (ENDS)
    goto truncated;
  if (text[i] == ',') {
    i++;
    SKIP_SPACE;
    if (object != 0)
      goto key;
    goto value;
  }
  if (text[i] == (object != 0 ? '}' : ']'))
    goto closing;
  code = no_end(text, text + i, text + n, false);
  goto failed;

key: /* white space has been passed over */
  if (ENDS)
    goto truncated;
  if (text[i] != '"') {
    code = no_key(text + i, text + n);
    goto failed;
  }
  if (guarded && (object != top || members->kept >= NOVA__JSON_FIRST)) {
    struct run run = run_members(&j->keys, text, i, n, object, mark,
                                 object == top ? members : NULL);
    mark = run.mark;
    i = run.i;
    if (run.ended)
      goto next;
  }
  STRING;
  key = i;
  key_n = close - i - 1;
  key_escaped = escaped;
  if (!nova__keys_add(&j->keys, object, text, key + 1, key_n, escaped)) {
    code = NOVA_ERR_JSON_DUPLICATE_KEY;
    goto failed;
  }
  i = close + 1;
  SKIP_SPACE;
  if (ENDS)
    goto truncated;
  if (text[i] != ':') {
    code = stray(text + i, text + n);
    goto failed;
  }
  i++;
  SKIP_SPACE;
  goto value;

closing: /* at a closing bracket */
  type = object != 0 ? NOVA_JSON_OBJECT : NOVA_JSON_ARRAY;
  i++;
  object = j->around[--depth];
  if (depth == outer) {
    start = first;
    goto finish;
  }
  if (object == top) {
    m->value = value_of(type, text, nested, i);
    m->value_escaped = false;
    m = nova__json_record(members, m);
  }
  /* Here even a guarded text can end: "[[] ". */
  i = skip_space(text, i, n);
  if (i == n)
    goto truncated;
  goto next;

finish:
  *value = value_of(type, text, start, i);
  return 0;

truncated:
  *at = (struct nova_fault_at){NOVA_ERR_JSON_TRUNCATED, n};
  return at->code;
too_deep:
  code = NOVA_ERR_JSON_DEPTH;
failed:
  *at = (struct nova_fault_at){code, i};
  return code;
#undef ENDS
#undef SKIP_SPACE
#undef STRING
}

static __attribute__((noinline)) int
scan_guarded(struct nova_json *j, const char *text, size_t i, size_t n,
             unsigned outer, struct nova_json_value *value,
             struct nova_fault_at *at, struct nova__json_members *members) {
  return scan(j, text, i, n, outer, value, at, members, true);
}

static __attribute__((noinline)) int
scan_any(struct nova_json *j, const char *text, size_t i, size_t n,
         struct nova_json_value *value, struct nova_fault_at *at,
         struct nova__json_members *members) {
  return scan(j, text, i, n, 0, value, at, members, false);
}

/* Begins the value at text[i]. |again|: the table of keys was too small. */
static void begin(struct nova_json *j, const char *text, size_t n, size_t i,
                  bool again) {
  nova__marks_begin(&j->marks, text, n);
  nova__marks_more(&j->marks, i);
  /* If all marks in it were those of keys, and the rest were like it. */
  size_t expected = j->marks.found / 2;
  if (j->marks.next < n)
    expected *= (n - i) / NOVA__MARKS_CHUNK + 1;
  nova__keys_begin(&j->keys, text, n, again ? SIZE_MAX : expected);
}

static int fail(struct nova_fault_at *at, int code, size_t offset) {
  *at = (struct nova_fault_at){code, offset};
  return code;
}

/* From the argument check to the check for duplicates that may have been put
 * off. */
static int scan_all(struct nova_json *j, const char *text, size_t n,
                    struct nova_json_value *value, struct nova_fault_at *at,
                    struct nova__json_members *members) {
  if (n > j->max_text)
    return fail(at, NOVA_ERR_LIMIT, j->max_text);
  size_t first = skip_space(text, 0, n), last = n, offset;
  if (first == n)
    return fail(at, NOVA_ERR_JSON_EMPTY, n);
  while (nova__json_space(text[last - 1]))
    last--;
  bool guarded = n >= GUARDED && (text[first] == '{' || text[first] == '[') &&
                 (text[last - 1] == '}' || text[last - 1] == ']');
  int err;
  bool again = false;
  do {
    begin(j, text, n, first, again);
    *at = (struct nova_fault_at){0, 0};
    if (members != NULL)
      members->kept = members->total = 0;
    err = guarded ? scan_guarded(j, text, first, n, 0, value, at, members)
                  : scan_any(j, text, first, n, value, at, members);
    again = j->keys.crowded;
  } while (again);
  /* All keys stand before whatever else was found. */
  if (j->keys.sorting && nova__keys_finish(&j->keys, &offset))
    return fail(at, NOVA_ERR_JSON_DUPLICATE_KEY, offset - 1);
  if (err != 0)
    return err;
  size_t end = (size_t)(value->text.p - text) + value->text.n;
  end = skip_space(text, end, n);
  if (end < n)
    return fail(at, no_end(text, text + end, text + n, true), end);
  return 0;
}

bool nova__json_fits(const struct nova_json *j, size_t n) {
  return n <= j->max_text;
}

size_t nova__json_object(struct nova_json *j, const char *text, size_t n,
                         size_t i) {
  struct nova_json_value value;
  struct nova_fault_at at;
  size_t offset;
  if (n < GUARDED || j->max_depth < 2)
    return 0;
  begin(j, text, n, i, false);
  if (j->marks.next == n && text[i + 1] == '"') {
    /* In a short text it mostly is one run of members. */
    struct run run =
        run_members(&j->keys, text, i + 1, n, nova__keys_object(&j->keys),
                    j->marks.at, NULL);
    if (run.ended && text[run.i] == '}' && !j->keys.sorting)
      return run.i + 1;
    begin(j, text, n, i, false);
  }
  if (scan_guarded(j, text, i, n, 1, &value, &at, NULL) != 0) {
    if (!j->keys.crowded)
      return 0;
    begin(j, text, n, i, true);
    if (scan_guarded(j, text, i, n, 1, &value, &at, NULL) != 0)
      return 0;
  }
  if (j->keys.sorting && nova__keys_finish(&j->keys, &offset))
    return 0;
  return i + value.text.n;
}

static const struct nova_json_value none = {NOVA_JSON_NONE, {NULL, 0}};

int nova__json_scan(struct nova_json *j, const char *p, size_t n,
                    struct nova_json_value *value, struct nova_fault_at *at,
                    struct nova__json_members *members) {
  int err = scan_all(j, p, n, value, at, members);
  if (err != 0)
    *value = none;
  return err;
}

int nova_json_check(struct nova_json *j, const char *p, size_t n,
                    struct nova_json_value *value, struct nova_fault_at *at) {
  struct nova_json_value v;
  struct nova_fault_at f = {0, 0};
  int err = nova__json_scan(j, p, n, &v, &f, NULL);
  if (value != NULL)
    *value = v;
  if (at != NULL)
    *at = f;
  return err;
}
