#include "report/mask_find.h"

#include "base/error.h"
#include "base/utf8.h"

#include <openssl/evp.h>

#define BUCKETS 16384
#define FILTER  ((size_t)1 << 18) /* bits */
#define HOLDS   ((size_t)64 << 20)

/* A text of this length may have been cut by whoever made it, without a sign.
 */
#define CUT_FROM 120

void nova_mask_init(struct nova_mask *m, const struct nova_mem *mem) {
  *m = (struct nova_mask){0};
  nova_arena_init(&m->arena, mem, HOLDS);
}

void nova_mask_free(struct nova_mask *m) {
  nova_arena_free(&m->arena);
  nova_mask_init(m, m->arena.mem);
}

static uint32_t hash_of(const char *p) {
  uint32_t h;
  memcpy(&h, p, sizeof h);
  return h * UINT32_C(2654435761);
}

static size_t bucket_of(const char *p) {
  return hash_of(p) >> 18; /* 14 bits: BUCKETS */
}

/* Whether a spelling may begin with these 4 bytes: most of a text is told apart
 * by one bit. */
static bool may_begin(const struct nova_mask *m, const char *p) {
  uint32_t bit = hash_of(p) >> 14; /* 18 bits: FILTER */
  return (m->filter[bit / 8] >> bit % 8 & 1) != 0;
}

/* --- adding -------------------------------------------------------------- */

/* Characters that may stand escaped in more ways than one prefix of 4 bytes in
 * the table covers. */
static bool hides(struct nova_view s) {
  for (size_t i = 0; i < NOVA_MASK_SHORTEST && i < s.n; i++)
    if (s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '%')
      return true;
  return false;
}

static int add_form(struct nova_mask *m, const struct nova__secret *secret,
                    struct nova_view text, bool escapes) {
  struct nova__form *f = NOVA_NEW(&m->arena, struct nova__form);
  if (f == NULL)
    return NOVA_ERR_NO_MEMORY;
  *f = (struct nova__form){text, secret, escapes, NULL};
  bool slow = escapes && hides(text);
  struct nova__form **head = slow ? &m->slow : &m->bucket[bucket_of(text.p)];
  if (!slow) {
    uint32_t bit = hash_of(text.p) >> 14;
    m->filter[bit / 8] = (unsigned char)(m->filter[bit / 8] | 1u << bit % 8);
  }
  f->next = *head;
  *head = f;
  return 0;
}

static int add_hex(struct nova_mask *m, const struct nova__secret *s,
                   const char *digits) {
  char *hex = nova_arena_alloc(&m->arena, s->bytes.n * 2);
  if (hex == NULL)
    return NOVA_ERR_NO_MEMORY;
  for (size_t i = 0; i < s->bytes.n; i++) {
    unsigned char c = (unsigned char)s->bytes.p[i];
    hex[2 * i] = digits[c >> 4];
    hex[2 * i + 1] = digits[c & 15];
  }
  return add_form(m, s, (struct nova_view){hex, s->bytes.n * 2}, false);
}

/* Without the padding, which a reader may leave out. */
static int add_base64(struct nova_mask *m, const struct nova__secret *s) {
  size_t room = (s->bytes.n + 2) / 3 * 4 + 1;
  char *text = nova_arena_alloc(&m->arena, room);
  char *url = nova_arena_alloc(&m->arena, room);
  if (text == NULL || url == NULL)
    return NOVA_ERR_NO_MEMORY;
  int n = EVP_EncodeBlock((unsigned char *)text,
                          (const unsigned char *)s->bytes.p, (int)s->bytes.n);
  while (n > 0 && text[n - 1] == '=')
    n--;
  bool differs = false;
  for (int i = 0; i < n; i++) {
    url[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    differs |= url[i] != text[i];
  }
  int err = add_form(m, s, (struct nova_view){text, (size_t)n}, false);
  if (err == 0 && differs)
    err = add_form(m, s, (struct nova_view){url, (size_t)n}, false);
  return err;
}

static bool same_owner(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

int nova_mask_add(struct nova_mask *m, const char *of,
                  struct nova_view secret) {
  if (secret.n == 0)
    return 0;
  if (m->filter == NULL) {
    m->bucket = NOVA_NEW_ARRAY(&m->arena, struct nova__form *, BUCKETS);
    m->filter = NOVA_NEW_ARRAY(&m->arena, unsigned char, FILTER / 8);
    if (m->bucket == NULL || m->filter == NULL)
      return NOVA_ERR_NO_MEMORY;
  }
  unsigned generation = 0;
  for (struct nova__secret *s = m->secrets; s != NULL; s = s->next) {
    if (nova_view_eq(s->bytes, secret) && (of == NULL || same_owner(s->of, of)))
      return 0;
    if (of != NULL && same_owner(s->of, of) && s->generation >= generation)
      generation = s->generation + 1;
  }
  struct nova__secret *s = NOVA_NEW(&m->arena, struct nova__secret);
  char *bytes = nova_arena_copy(&m->arena, secret.p, secret.n);
  char *owner = of != NULL ? nova_arena_copy(&m->arena, of, strlen(of)) : NULL;
  if (s == NULL || bytes == NULL || (of != NULL && owner == NULL))
    return NOVA_ERR_NO_MEMORY;
  *s = (struct nova__secret){.bytes = {bytes, secret.n},
                             .of = owner,
                             .generation = generation,
                             .next = m->secrets};
  m->secrets = s;
  m->n++;
  if (secret.n < NOVA_MASK_SHORTEST) {
    s->next_short = m->shorts;
    m->shorts = s;
    return 0;
  }
  int err = add_form(m, s, s->bytes, true);
  if (err == 0)
    err = add_hex(m, s, "0123456789abcdef");
  if (err == 0)
    err = add_hex(m, s, "0123456789ABCDEF");
  if (err == 0 && secret.n < (1u << 20))
    err = add_base64(m, s);
  return err;
}

size_t nova__mask_first(const struct nova_mask *m, const char *of) {
  const struct nova__secret *s = m != NULL ? m->secrets : NULL;
  for (; s != NULL; s = s->next)
    if (s->of != NULL && s->generation == 0 && same_owner(s->of, of))
      return s->bytes.n;
  return 0;
}

int nova_mask_profile(struct nova_mask *m, const struct nova_profile *p) {
  int err = 0;
  for (size_t i = 0; i < p->devices && err == 0; i++)
    err = nova_mask_add(m, p->device[i].id, nova_view_of(p->device[i].key));
  if (err == 0 && p->platform.key != NULL)
    err = nova_mask_add(m, "platform", nova_view_of(p->platform.key));
  return err;
}

/* --- a secret behind escapes --------------------------------------------- */

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

static bool hex_number(struct nova_view t, size_t i, unsigned digits,
                       uint32_t *out) {
  if (i > t.n || t.n - i < digits)
    return false;
  uint32_t v = 0;
  for (unsigned k = 0; k < digits; k++) {
    int d = hex_digit(t.p[i + k]);
    if (d < 0)
      return false;
    v = v << 4 | (uint32_t)d;
  }
  *out = v;
  return true;
}

static size_t run_of_backslashes(struct nova_view t, size_t i) {
  size_t n = 0;
  while (i + n < t.n && t.p[i + n] == '\\')
    n++;
  return n;
}

size_t nova__escape_at(struct nova_view t, size_t i, char out[4], size_t *n) {
  uint32_t v;
  if (t.p[i] == '%' && hex_number(t, i + 1, 2, &v)) {
    out[0] = (char)v;
    *n = 1;
    return 3;
  }
  size_t run = run_of_backslashes(t, i);
  if (run == 0 || run > 8 || i + run >= t.n)
    return 0;
  char c = t.p[i + run];
  if (c == 'u' && hex_number(t, i + run + 1, 4, &v)) {
    size_t used = run + 5;
    if (v >= 0xd800 && v < 0xdc00) {
      size_t second = run_of_backslashes(t, i + used);
      uint32_t low;
      size_t at = i + used + second;
      if (second == 0 || at >= t.n || t.p[at] != 'u' ||
          !hex_number(t, at + 1, 4, &low) || low < 0xdc00 || low > 0xdfff)
        return 0;
      v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
      used += second + 5;
    } else if (v >= 0xdc00 && v <= 0xdfff) {
      return 0;
    }
    *n = nova_utf8_put(v, out);
    return used;
  }
  static const char from[] = "nrtbf/'", to[] = "\n\r\t\b\f/'";
  const char *known = strchr(from, c);
  if (c == '\0' || known == NULL)
    return 0;
  out[0] = to[known - from];
  *n = 1;
  return run + 1;
}

/* A run of backslashes and a quotation mark of the secret, escaped k times: r
 * backslashes before a mark become 2^k (r + 1) - 1, without one 2^k r. */
static size_t special_at(struct nova_view t, size_t i, struct nova_view s,
                         size_t k, size_t *took, bool *escaped) {
  size_t r = run_of_backslashes(s, k);
  size_t q = k + r < s.n && s.p[k + r] == '"' ? 1 : 0;
  if (r + q == 0 || r > 64)
    return 0;
  size_t run = run_of_backslashes(t, i);
  for (size_t times = 1; times <= 8; times *= 2) {
    if (run != times * (r + q) - q)
      continue;
    if (q != 0 && (i + run >= t.n || t.p[i + run] != '"'))
      continue;
    *took = r + q;
    *escaped |= times != 1;
    return run + q;
  }
  return 0;
}

size_t nova__secret_at(struct nova_view text, size_t i, struct nova_view s,
                       bool *escaped, size_t *matched) {
  *escaped = false;
  *matched = 0;
  if (text.n - i >= s.n && memcmp(text.p + i, s.p, s.n) == 0) {
    *matched = s.n;
    return s.n;
  }
  size_t at = i, k = 0;
  while (k < s.n && at < text.n) {
    char c[4];
    size_t took = 0, n = 0;
    if (text.p[at] == '\\' || text.p[at] == '%')
      n = nova__escape_at(text, at, c, &took);
    if (n != 0 && took <= s.n - k && memcmp(c, s.p + k, took) == 0)
      *escaped = true;
    else
      n = special_at(text, at, s, k, &took, escaped);
    if (n == 0 && text.p[at] == s.p[k])
      n = took = 1;
    if (n == 0)
      break;
    at += n;
    k += took;
  }
  *matched = k;
  return k == s.n ? at - i : 0;
}

/* The first 4 bytes at text[i] with escapes looked through. */
static bool canonical(struct nova_view t, size_t i,
                      char out[NOVA_MASK_SHORTEST]) {
  size_t have = 0;
  while (have < NOVA_MASK_SHORTEST && i < t.n) {
    char c[4] = {t.p[i]};
    size_t took = 1, n = 0;
    if (t.p[i] == '\\' || t.p[i] == '%')
      n = nova__escape_at(t, i, c, &took);
    if (n == 0) {
      n = took = 1;
      c[0] = t.p[i];
    }
    for (size_t k = 0; k < took && have < NOVA_MASK_SHORTEST; k++)
      out[have++] = c[k];
    i += n;
  }
  return have == NOVA_MASK_SHORTEST;
}

/* Whether the text goes on at |i| as one that was cut there. */
static bool is_cut(struct nova_view t, size_t i) {
  return (t.n - i >= 3 && (memcmp(t.p + i, "...", 3) == 0 ||
                           memcmp(t.p + i, "\xe2\x80\xa6", 3) == 0)) ||
         (i == t.n && t.n >= CUT_FROM);
}

static void try_form(const struct nova__form *f, struct nova_view t, size_t i,
                     struct nova__range *best) {
  if (!f->escapes) {
    size_t n = f->text.n;
    if (t.n - i < n || n <= best->n || memcmp(t.p + i, f->text.p, n) != 0)
      return;
    while (i + n < t.n && n < f->text.n + 2 && t.p[i + n] == '=')
      n++;
    *best = (struct nova__range){i, n, f->secret, NOVA_MASKED_ENCODED};
    return;
  }
  bool escaped;
  size_t matched;
  size_t n = nova__secret_at(t, i, f->text, &escaped, &matched);
  if (n > best->n || (n != 0 && n == best->n && best->secret != NULL &&
                      best->secret->of == NULL)) {
    *best = (struct nova__range){
        i, n, f->secret, escaped ? NOVA_MASKED_ESCAPED : NOVA_MASKED_PLAIN};
    return;
  }
  /* Its beginning, before the end of a text that was cut. */
  if (n == 0 && matched >= NOVA_MASK_SHORTEST && matched > best->n &&
      !escaped && is_cut(t, i + matched))
    *best = (struct nova__range){i, matched, NULL, NOVA_MASKED_PLAIN};
}

struct nova__range nova__mask_known(const struct nova_mask *m,
                                    struct nova_view t, size_t i) {
  struct nova__range best = {.at = i};
  if (m == NULL || m->filter == NULL || t.n - i < NOVA_MASK_SHORTEST)
    return best;
  size_t literal = bucket_of(t.p + i);
  if (may_begin(m, t.p + i))
    for (struct nova__form *f = m->bucket[literal]; f != NULL; f = f->next)
      try_form(f, t, i, &best);
  bool escapes = false;
  for (size_t k = 0; k < NOVA_MASK_SHORTEST; k++)
    escapes |= t.p[i + k] == '\\' || t.p[i + k] == '%';
  char head[NOVA_MASK_SHORTEST];
  if (escapes && canonical(t, i, head) && bucket_of(head) != literal)
    for (struct nova__form *f = m->bucket[bucket_of(head)]; f != NULL;
         f = f->next)
      try_form(f, t, i, &best);
  for (struct nova__form *f = m->slow; f != NULL; f = f->next)
    if (escapes || t.p[i] == f->text.p[0])
      try_form(f, t, i, &best);
  return best;
}

/* --- all of a text ------------------------------------------------------- */

int nova__ranges_add(struct nova__ranges *v, struct nova__range r) {
  if (r.n == 0)
    return 0;
  if (v->n == v->cap) {
    size_t cap = v->cap == 0 ? 16 : v->cap * 2;
    struct nova__range *p = nova_mem_realloc(v->mem, v->r, cap * sizeof *p);
    if (p == NULL)
      return NOVA_ERR_NO_MEMORY;
    v->r = p;
    v->cap = cap;
  }
  v->r[v->n++] = r;
  return 0;
}

/* Whose the whole place is, if it is a known secret. */
static void identify(const struct nova_mask *m, struct nova_view t,
                     struct nova__range *r) {
  if (m == NULL)
    return;
  struct nova_view place = {t.p + r->at, r->n};
  struct nova__range k = nova__mask_known(m, place, 0);
  if (k.n == r->n && k.secret != NULL) {
    r->secret = k.secret;
    if (r->form == NOVA_MASKED_PLAIN)
      r->form = k.form;
    return;
  }
  for (struct nova__secret *s = m->shorts; s != NULL; s = s->next_short) {
    bool escaped;
    size_t matched;
    if (nova__secret_at(place, 0, s->bytes, &escaped, &matched) != r->n)
      continue;
    r->secret = s;
    if (escaped && r->form == NOVA_MASKED_PLAIN)
      r->form = NOVA_MASKED_ESCAPED;
    return;
  }
}

int nova__mask_find(const struct nova_mask *m, struct nova_view text,
                    enum nova__sort sort, struct nova__ranges *out) {
  struct nova__ranges places = {.mem = out->mem};
  int err = nova__mask_places(text, sort, &places);
  size_t next = 0;
  for (size_t i = 0; i < text.n && err == 0;) {
    if (next < places.n && places.r[next].at == i) {
      struct nova__range r = places.r[next++];
      identify(m, text, &r);
      err = nova__ranges_add(out, r);
      i += r.n;
      continue;
    }
    struct nova__range r = nova__mask_known(m, text, i);
    if (r.n == 0) {
      i++;
      continue;
    }
    if (next < places.n && r.at + r.n > places.r[next].at) {
      r.n = places.r[next].at - r.at;
      r.secret = NULL;
      r.form = NOVA_MASKED_PLAIN;
    }
    err = nova__ranges_add(out, r);
    i += r.n;
  }
  nova_mem_free(places.mem, places.r);
  return err;
}

int nova_mask_text(const struct nova_mask *m, struct nova_view text,
                   struct nova_buf *out) {
  if (m == NULL)
    return nova_buf_append(out, text.p, text.n);
  struct nova__ranges v = {.mem = out->mem};
  int err = nova__mask_find(m, text, NOVA__TEXT, &v);
  size_t from = 0;
  for (size_t i = 0; i < v.n && err == 0; i++) {
    err = nova_buf_append(out, text.p + from, v.r[i].at - from);
    if (err == 0)
      err = nova_buf_puts(out, NOVA_MASK_TEXT);
    from = v.r[i].at + v.r[i].n;
  }
  if (err == 0)
    err = nova_buf_append(out, text.p + from, text.n - from);
  nova_mem_free(v.mem, v.r);
  return err;
}
