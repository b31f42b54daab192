#include "codec/json.h"

#include "codec/json_internal.h"
#include "codec/json_keys.h"
#include "codec/json_scan.h"

#include "base/utf8.h"

struct nova_json {
  const struct nova_mem *mem;
  size_t max_text;
  unsigned max_depth;
  struct nova__keys keys;
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

/* --- the scanner ------------------------------------------------------------
 */

static const char *skip_space(const char *q, const char *end) {
  while (q < end && nova__json_space(*q))
    q++;
  return q;
}

/* The end of a string whose first character is at |q|; NULL with |at| set. */
static inline const char *string(const char *text, const char *q,
                                 const char *end, bool *escaped,
                                 struct nova_fault_at *at) {
  *escaped = false;
  q = nova__json_skip_plain(q, end);
  if (q < end && *q == '"')
    return q;
  return nova__json_string(text, q, end, escaped, at);
}

static inline const char *number(const char *text, const char *q,
                                 const char *end, struct nova_fault_at *at) {
  const char *e = nova__json_short_number(q, end);
  return e != NULL ? e : nova__json_number(text, q, end, at);
}

/* The end of the literal |word| at |q|; NULL with |at| set. */
static inline const char *literal(const char *text, const char *q,
                                  const char *end, const char *word, size_t n,
                                  struct nova_fault_at *at) {
  if ((size_t)(end - q) >= n && memcmp(q, word, n) == 0)
    return q + n;
  for (; q < end && *q == *word; q++)
    word++;
  at->code = q == end     ? NOVA_ERR_JSON_TRUNCATED
             : *q == '\0' ? NOVA_ERR_JSON_NUL
                          : NOVA_ERR_JSON_LITERAL;
  at->offset = (size_t)(q - text);
  return NULL;
}

static enum nova_json_type type_of(char first) {
  switch (first) {
  case '"': return NOVA_JSON_STRING;
  case '{': return NOVA_JSON_OBJECT;
  case '[': return NOVA_JSON_ARRAY;
  case 't': return NOVA_JSON_TRUE;
  case 'f': return NOVA_JSON_FALSE;
  case 'n': return NOVA_JSON_NULL;
  default: return NOVA_JSON_NUMBER;
  }
}

static struct nova_json_value value_at(const char *start, const char *end) {
  return (struct nova_json_value){type_of(*start),
                                  {start, (size_t)(end - start)}};
}

/* The whole grammar. |members|: a constant NULL or never NULL, so that the two
 * copies of this function each do only what they have to. */
static inline __attribute__((always_inline)) int
scan(struct nova_json *j, const char *text, size_t n,
     struct nova_json_value *value, struct nova_fault_at *at,
     struct nova__json_members *members) {
  const char *q = text, *const end = text + n;
  const char *start;   /* of the present value */
  const char *top;     /* of the outermost one */
  const char *nested;  /* of the one at depth 2 while it is open */
  uint32_t object = 0; /* around the present place; 0: an array or nothing */
  unsigned depth = 0;
  bool escaped = false;
  struct nova__json_member m = {0};
  int code;

  q = skip_space(q, end);
  if (q == end) {
    *at = (struct nova_fault_at){NOVA_ERR_JSON_EMPTY, n};
    return at->code;
  }
  top = nested = q;

value: /* white space has been passed over */
  if (q == end)
    goto truncated;
  start = q;
  switch (*q) {
  case '"':
    q = string(text, q + 1, end, &escaped, at);
    if (q == NULL)
      return at->code;
    q++;
    goto done;
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9':
    q = number(text, q, end, at);
    if (q == NULL)
      return at->code;
    goto done;
  case '{':
    if (depth == j->max_depth)
      goto too_deep;
    if (members != NULL && depth == 1)
      nested = q;
    j->around[depth++] = object;
    object = nova__keys_object(&j->keys);
    q = skip_space(q + 1, end);
    if (q < end && *q == '}')
      goto close;
    goto key;
  case '[':
    if (depth == j->max_depth)
      goto too_deep;
    if (members != NULL && depth == 1)
      nested = q;
    j->around[depth++] = object;
    object = 0;
    q = skip_space(q + 1, end);
    if (q < end && *q == ']')
      goto close;
    goto value;
  case 't':
    q = literal(text, q, end, "true", 4, at);
    if (q == NULL)
      return at->code;
    goto done;
  case 'f':
    q = literal(text, q, end, "false", 5, at);
    if (q == NULL)
      return at->code;
    goto done;
  case 'n':
    q = literal(text, q, end, "null", 4, at);
    if (q == NULL)
      return at->code;
    goto done;
  default: code = no_value(q, end, depth == 0); goto failed;
  }

key : { /* white space has been passed over */
  if (q == end)
    goto truncated;
  if (*q != '"') {
    code = no_key(q, end);
    goto failed;
  }
  const char *key = q + 1;
  q = string(text, key, end, &escaped, at);
  if (q == NULL)
    return at->code;
  size_t key_n = (size_t)(q - key);
  if (!nova__keys_add(&j->keys, object, key, key_n, escaped)) {
    code = NOVA_ERR_JSON_DUPLICATE_KEY;
    q = key - 1;
    goto failed;
  }
  if (members != NULL && depth == 1) {
    m.key = key;
    m.key_n = key_n;
    m.key_escaped = escaped;
  }
  q++;
  if (q < end && *q != ':')
    q = skip_space(q, end);
  if (q == end)
    goto truncated;
  if (*q != ':') {
    code = stray(q, end);
    goto failed;
  }
  q = skip_space(q + 1, end);
  goto value;
}

close: /* at the closing bracket */
  q++;
  object = j->around[--depth];
  start = nested;

done: /* a value has ended in front of |q| */
  if (members != NULL && depth == 1 && object != 0) {
    m.value = value_at(start, q);
    m.value_escaped = escaped;
    nova__json_record(members, &m);
  }
  q = skip_space(q, end);
  if (depth == 0)
    goto finish;
  if (q == end)
    goto truncated;
  if (*q == ',') {
    q = skip_space(q + 1, end);
    if (object != 0)
      goto key;
    goto value;
  }
  if (*q == (object != 0 ? '}' : ']'))
    goto close;
  code = no_end(text, q, end, false);
  goto failed;

finish:
  if (q < end) {
    code = no_end(text, q, end, true);
    goto failed;
  }
  /* White space at the end belongs to nobody. */
  while (nova__json_space(q[-1]))
    q--;
  *value = value_at(top, q);
  return 0;

truncated:
  *at = (struct nova_fault_at){NOVA_ERR_JSON_TRUNCATED, n};
  return at->code;
too_deep:
  code = NOVA_ERR_JSON_DEPTH;
failed:
  *at = (struct nova_fault_at){code, (size_t)(q - text)};
  return code;
}

/* Both kinds of scan, from the argument check to the check for duplicates that
 * may have been put off. */
static inline __attribute__((always_inline)) int
scan_all(struct nova_json *j, const char *p, size_t n,
         struct nova_json_value *value, struct nova_fault_at *at,
         struct nova__json_members *members) {
  struct nova_json_value v = {NOVA_JSON_NONE, {NULL, 0}};
  struct nova_fault_at f = {0, 0};
  int err;
  if (n > j->max_text) {
    f = (struct nova_fault_at){NOVA_ERR_LIMIT, j->max_text};
    err = f.code;
  } else {
    nova__keys_begin(&j->keys, p, n);
    err = scan(j, n != 0 ? p : "", n, &v, &f, members);
    size_t offset;
    if (j->keys.sorting && nova__keys_finish(&j->keys, &offset)) {
      /* All keys stand before whatever else was found. */
      f = (struct nova_fault_at){NOVA_ERR_JSON_DUPLICATE_KEY, offset - 1};
      err = f.code;
      v = (struct nova_json_value){NOVA_JSON_NONE, {NULL, 0}};
    }
  }
  if (value != NULL)
    *value = v;
  if (at != NULL)
    *at = f;
  return err;
}

int nova_json_check(struct nova_json *j, const char *p, size_t n,
                    struct nova_json_value *value, struct nova_fault_at *at) {
  return scan_all(j, p, n, value, at, NULL);
}

int nova__json_scan(struct nova_json *j, const char *p, size_t n,
                    struct nova_json_value *value, struct nova_fault_at *at,
                    struct nova__json_members *members) {
  members->kept = members->total = 0;
  return scan_all(j, p, n, value, at, members);
}
