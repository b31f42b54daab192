/* Where a secret stands by its place: members of JSON objects, whole or broken
 * ones, plain or quoted inside another string, and MQTT CONNECT packets. */
#include "report/mask_find.h"

/* --- JSON ---------------------------------------------------------------- */

static bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

static size_t backslashes_before(struct nova_view t, size_t i, size_t from) {
  size_t n = 0;
  while (i - n > from && t.p[i - n - 1] == '\\')
    n++;
  return n;
}

/* The mark that ends the string whose content starts at |from| and whose marks
 * have |level| backslashes before them (0; 1 inside a string; 3 inside a string
 * inside a string): a mark with r backslashes ends it if they are an even
 * number once that level is taken off, or fewer than the level (an outer end).
 * |after|: behind the mark. Returns the content's end; a line feed or the
 * text's end also ends it. */
static size_t string_end(struct nova_view t, size_t from, size_t level,
                         size_t *after) {
  size_t i = from;
  for (; i < t.n && t.p[i] != '\n'; i++) {
    if (t.p[i] != '"')
      continue;
    size_t r = backslashes_before(t, i, from);
    if (r >= level && (r - level) / (level + 1) % 2 != 0)
      continue;
    *after = i + 1;
    return i - (r < level ? r : level);
  }
  *after = i;
  return i;
}

static size_t skip_blanks(struct nova_view t, size_t i) {
  while (i < t.n && blank(t.p[i]))
    i++;
  return i;
}

/* Whether a name follows the mark before |i| that is |name| in any case, with
 * its end mark, a colon and a value. |value|: where the value starts. */
static bool name_at(struct nova_view t, size_t i, size_t level,
                    const char *name, size_t *value) {
  for (; *name != '\0'; name++) {
    if (i >= t.n)
      return false;
    char one = *name;
    struct nova_view s = {&one, 1};
    bool escaped;
    size_t matched, n = nova__secret_at(t, i, s, &escaped, &matched);
    if (n == 0 && one >= 'a' && one <= 'z') {
      one = (char)(one - 'a' + 'A');
      n = nova__secret_at(t, i, s, &escaped, &matched);
    }
    if (n == 0)
      return false;
    i += n;
  }
  for (size_t k = 0; k < level; k++, i++)
    if (i >= t.n || t.p[i] != '\\')
      return false;
  if (i >= t.n || t.p[i] != '"')
    return false;
  i = skip_blanks(t, i + 1);
  if (i >= t.n || t.p[i] != ':')
    return false;
  *value = skip_blanks(t, i + 1);
  return *value < t.n;
}

static bool number_char(char c) {
  return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' ||
         c == 'e' || c == 'E';
}

/* A string or number at |i|. |stop|: behind it. Returns false for neither. */
static bool scalar_at(struct nova_view t, size_t i, struct nova__range *r,
                      size_t *stop) {
  size_t mark = i;
  while (mark < t.n && t.p[mark] == '\\')
    mark++;
  if (mark < t.n && t.p[mark] == '"') {
    size_t end = string_end(t, mark + 1, mark - i, stop);
    *r =
        (struct nova__range){mark + 1, end - mark - 1, NULL, NOVA_MASKED_PLAIN};
    return true;
  }
  if ((t.p[i] >= '0' && t.p[i] <= '9') || t.p[i] == '-') {
    size_t end = i;
    while (end < t.n && number_char(t.p[end]))
      end++;
    *r = (struct nova__range){i, end - i, NULL, NOVA_MASKED_NUMBER};
    *stop = end;
    return true;
  }
  return false;
}

/* The value at |i|: a scalar, or each scalar inside a container of one line,
 * the names of members left out. |stop|: behind it. */
static int value_at(struct nova_view t, size_t i, struct nova__ranges *out,
                    size_t *stop) {
  size_t depth = 0;
  int err = 0;
  do {
    char c = t.p[i];
    struct nova__range r;
    if (c == '\n')
      break;
    if (c == '[' || c == '{') {
      depth++;
      i++;
    } else if (c == ']' || c == '}') {
      if (depth != 0)
        depth--;
      i++;
    } else if (scalar_at(t, i, &r, &i)) {
      size_t behind = skip_blanks(t, i);
      if (depth == 0 || behind >= t.n || t.p[behind] != ':')
        err = nova__ranges_add(out, r);
    } else {
      i++;
    }
  } while (depth != 0 && i < t.n && err == 0);
  *stop = i;
  return err;
}

static const char *const names[] = {"device_key", "key", "password"};

#define NAMES (sizeof names / sizeof *names)

static bool ends_with(struct nova_view t, const char *word) {
  size_t n = strlen(word);
  return t.n >= n && memcmp(t.p + t.n - n, word, n) == 0;
}

/* Whether what is to come is the value of such a member told in a sentence, as
 * findings do: password was "...". */
static bool told_before(struct nova_view t, size_t i) {
  static const char was[] = " was ";
  t.n = i;
  if (!ends_with(t, was))
    return false;
  t.n -= sizeof was - 1;
  for (size_t k = 0; k < NAMES; k++)
    if (ends_with(t, names[k]))
      return true;
  return false;
}

static int json_places(struct nova_view t, size_t from, size_t to,
                       struct nova__ranges *out) {
  t.n = to;
  int err = 0;
  for (size_t i = from; i < t.n && err == 0; i++) {
    const char *mark = memchr(t.p + i, '"', t.n - i);
    if (mark == NULL)
      break;
    i = (size_t)(mark - t.p);
    size_t level = backslashes_before(t, i, from);
    if (told_before((struct nova_view){t.p + from, t.n - from},
                    i - level - from)) {
      size_t stop;
      err = value_at(t, i - level, out, &stop);
      i = stop > i + 1 ? stop - 1 : i;
      continue;
    }
    for (size_t k = 0; k < NAMES; k++) {
      size_t value, stop;
      if (!name_at(t, i + 1, level, names[k], &value))
        continue;
      err = value_at(t, value, out, &stop);
      i = stop > i + 1 ? stop - 1 : i;
      break;
    }
  }
  return err;
}

/* --- MQTT ---------------------------------------------------------------- */

static size_t string16(struct nova_view p, size_t i) {
  if (i > p.n || p.n - i < 2)
    return SIZE_MAX;
  size_t n = (size_t)(unsigned char)p.p[i] << 8 | (unsigned char)p.p[i + 1];
  return n <= p.n - i - 2 ? i + 2 + n : SIZE_MAX;
}

/* The password of a CONNECT packet whose variable header starts at |i|
 * [MQTT-3.1]; |p| ends with the packet or with what is known of it. A password
 * that is cut off counts as far as it goes. */
static struct nova__range password_of(struct nova_view p, size_t i) {
  struct nova__range none = {0};
  i = string16(p, i); /* protocol name */
  if (i == SIZE_MAX || p.n - i < 4)
    return none;
  unsigned char flags = (unsigned char)p.p[i + 1];
  i = string16(p, i + 4); /* client id, behind level, flags and keep alive */
  if ((flags & 0x04) != 0 && i != SIZE_MAX) {
    i = string16(p, i); /* will topic and message */
    if (i != SIZE_MAX)
      i = string16(p, i);
  }
  if ((flags & 0x80) != 0 && i != SIZE_MAX)
    i = string16(p, i);
  if ((flags & 0x40) == 0 || i == SIZE_MAX || p.n - i < 3)
    return none;
  size_t n = (size_t)(unsigned char)p.p[i] << 8 | (unsigned char)p.p[i + 1];
  if (n > p.n - i - 2)
    n = p.n - i - 2;
  return (struct nova__range){i + 2, n, NULL, NOVA_MASKED_PLAIN};
}

/* A fixed header at |i|: |body| where the packet goes on, |end| behind it, at
 * most the end of the text. False for none. */
static bool packet_at(struct nova_view t, size_t i, size_t *body, size_t *end) {
  size_t length = 0;
  for (unsigned k = 0; k < 4; k++) {
    if (i + 1 + k >= t.n)
      return false;
    unsigned char c = (unsigned char)t.p[i + 1 + k];
    length |= (size_t)(c & 0x7f) << (7 * k);
    if ((c & 0x80) != 0)
      continue;
    *body = i + 2 + k;
    *end = length < t.n - *body ? *body + length : t.n;
    return true;
  }
  return false;
}

int nova__mask_places(struct nova_view text, enum nova__sort sort,
                      struct nova__ranges *out) {
  /* An MQTT client's stream starts with CONNECT; no JSON text starts so. */
  bool packets = sort == NOVA__PACKETS ||
                 (sort == NOVA__STREAM && text.n != 0 && text.p[0] == 0x10);
  if (!packets)
    return json_places(text, 0, text.n, out);
  size_t i = 0, body, end;
  int err = 0;
  while (i < text.n && err == 0 && packet_at(text, i, &body, &end)) {
    struct nova__range r = {0};
    if ((text.p[i] & 0xf0) == 0x10)
      r = password_of((struct nova_view){text.p, end}, body);
    if (r.n != 0) {
      err = json_places(text, i, r.at, out);
      if (err == 0)
        err = nova__ranges_add(out, r);
      i = r.at + r.n;
    }
    if (err == 0)
      err = json_places(text, i, end, out);
    i = end;
  }
  if (err == 0)
    err = json_places(text, i, text.n, out);
  return err;
}
