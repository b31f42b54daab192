/* Masking a transcript: each direction of a connection is one text, however it
 * was cut into entries. */
#include "report/mask_find.h"

#include "base/error.h"
#include "report/packets.h"
#include "report/streams.h"

#include <stdio.h>
#include <stdlib.h>

/* A place before it is sorted to its entry. */
struct found {
  size_t entry;
  struct nova_masked place;
};

struct search {
  const struct nova_mask *m;
  struct nova_mask *learns; /* the set that grows; NULL when it is only used */
  const struct nova_conversation_result *c;
  const struct nova_mem *mem;
  bool hooks; /* the conversation has output of a hook */
  struct found *found;
  size_t n, cap;
};

static int by_entry(const void *a, const void *b) {
  const struct found *x = a, *y = b;
  if (x->entry != y->entry)
    return x->entry < y->entry ? -1 : 1;
  return x->place.at < y->place.at ? -1 : x->place.at > y->place.at;
}

static int add(struct search *s, size_t entry, struct nova_masked place) {
  if (s->n == s->cap) {
    size_t cap = s->cap == 0 ? 16 : s->cap * 2;
    struct found *p = nova_mem_realloc(s->mem, s->found, cap * sizeof *p);
    if (p == NULL)
      return NOVA_ERR_NO_MEMORY;
    s->found = p;
    s->cap = cap;
  }
  s->found[s->n++] = (struct found){entry, place};
  return 0;
}

static bool is_expected(const struct search *s, const struct nova__range *r) {
  const struct nova_conversation_result *c = s->c;
  const struct nova__secret *k = r->secret;
  if (k == NULL || k->of == NULL || r->form == NOVA_MASKED_ENCODED || c->kept)
    return false;
  if (c->device != NULL && strcmp(k->of, c->device) == 0)
    return k->generation >= nova_mask_generation(s->m, k->of, c->device_key);
  if (c->other != NULL && strcmp(k->of, c->other) == 0)
    return k->generation >= nova_mask_generation(s->m, k->of, c->other_key);
  return strcmp(k->of, "platform") == 0;
}

static struct nova_masked place_of(const struct search *s,
                                   const struct nova__range *r) {
  return (struct nova_masked){
      .length = r->n,
      .expected = is_expected(s, r),
      .of = r->secret != NULL ? r->secret->of : NULL,
      .generation = r->secret != NULL ? r->secret->generation : 0,
      .form = r->form,
      .secret = r->secret != NULL ? r->secret->bytes.n : 0,
      .whole = r->n,
  };
}

/* The bytes of pieces [0, n), one text; a place goes to every entry that has a
 * part of it. */
static int search_stream(struct search *s, const struct nova__piece *piece,
                         size_t n, enum nova__sort sort) {
  const struct nova_entry *entry = s->c->transcript.entry;
  struct nova_buf joined;
  nova_buf_init(&joined, s->mem, SIZE_MAX / 2);
  struct nova_view text = entry[piece[0].entry].bytes;
  int err = 0;
  if (n > 1) {
    for (size_t i = 0; i < n && err == 0; i++) {
      struct nova_view v = entry[piece[i].entry].bytes;
      err = nova_buf_append(&joined, v.p, v.n);
    }
    text = nova_buf_view(&joined);
  }
  struct nova__ranges v = {.mem = s->mem};
  if (err == 0)
    err = nova__mask_find(s->m, text, sort, &v);
  size_t i = 0, offset = 0; /* the item, and where it starts in the text */
  for (size_t k = 0; k < v.n && err == 0; k++) {
    size_t done = 0;
    while (done < v.r[k].n && err == 0) {
      size_t at = v.r[k].at + done;
      while (i + 1 < n && at >= offset + entry[piece[i].entry].bytes.n)
        offset += entry[piece[i++].entry].bytes.n;
      size_t here = offset + entry[piece[i].entry].bytes.n - at;
      if (here > v.r[k].n - done)
        here = v.r[k].n - done;
      struct nova_masked p = place_of(s, &v.r[k]);
      p.at = at - offset;
      p.length = here;
      p.part = done;
      err = add(s, piece[i].entry, p);
      done += here;
    }
  }
  nova_mem_free(s->mem, v.r);
  nova_buf_free(&joined);
  return err;
}

typedef int each_fn(struct search *s, const struct nova__piece *piece, size_t n,
                    enum nova__sort sort);

/* Calls |each| for every text by itself: what a hook printed, ... */
static int each_text(struct search *s, each_fn *each) {
  const struct nova_transcript *t = &s->c->transcript;
  int err = 0;
  for (size_t i = 0; i < t->n && err == 0; i++) {
    const struct nova_entry *e = &t->entry[i];
    struct nova__piece one = {.entry = i};
    if (e->kind != NOVA_ENTRY_SENT && e->kind != NOVA_ENTRY_RECEIVED &&
        e->bytes.n != 0 && e->masked_n == 0)
      err = each(s, &one, 1, NOVA__TEXT);
  }
  return err;
}

/* Calls |each| for every stretch of bytes that belong together: to the end of
 * the stream, to an entry whose bytes were not all kept, or to one that was
 * read back with its places. */
static int each_stream(struct search *s, each_fn *each) {
  const struct nova_entry *entry = s->c->transcript.entry;
  struct nova__piece *piece;
  size_t n;
  int err = nova__streams_of(&s->c->transcript, s->mem, &piece, &n);
  for (size_t i = 0, k; i < n && err == 0; i = k) {
    const struct nova_entry *e = &entry[piece[i].entry];
    k = i + 1;
    if (e->bytes.n == 0 || e->masked_n != 0)
      continue;
    for (; k < n && !piece[k].first && e->bytes.n == e->size; k++) {
      e = &entry[piece[k].entry];
      if (e->bytes.n == 0 || e->masked_n != 0)
        break;
    }
    err = each(s, piece + i, k - i,
               !piece[i].first       ? NOVA__TEXT
               : nova__is_mqtt(s->c) ? NOVA__PACKETS
                                     : NOVA__STREAM);
  }
  nova_mem_free(s->mem, piece);
  return err;
}

int nova_mask_transcript(const struct nova_mask *m,
                         const struct nova_conversation_result *c,
                         const struct nova_mem *mem, struct nova_masking *out) {
  *out = (struct nova_masking){.mem = mem};
  const struct nova_transcript *t = &c->transcript;
  struct search s = {.m = m, .c = c, .mem = mem};
  int err = m != NULL ? each_stream(&s, search_stream) : 0;
  if (m != NULL && err == 0)
    err = each_text(&s, search_stream);
  for (size_t i = 0; i < t->n && err == 0; i++)
    for (size_t k = 0; k < t->entry[i].masked_n && err == 0; k++)
      err = add(&s, i, t->entry[i].masked[k]);
  if (err == 0 && s.n != 0)
    qsort(s.found, s.n, sizeof *s.found, by_entry);
  if (err == 0) {
    out->first = nova_mem_alloc(mem, (t->n + 1) * sizeof *out->first);
    out->place = nova_mem_alloc(mem, (s.n + 1) * sizeof *out->place);
    if (out->first == NULL || out->place == NULL)
      err = NOVA_ERR_NO_MEMORY;
  }
  if (err == 0) {
    size_t k = 0;
    for (size_t i = 0; i <= t->n; i++) {
      out->first[i] = k;
      while (k < s.n && s.found[k].entry == i)
        out->place[k] = s.found[k].place, k++;
    }
    out->places = s.n;
  }
  nova_mem_free(mem, s.found);
  return err;
}

void nova_masking_free(struct nova_masking *k) {
  nova_mem_free(k->mem, k->place);
  nova_mem_free(k->mem, k->first);
  *k = (struct nova_masking){.mem = k->mem};
}

/* --- learning ------------------------------------------------------------ */

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether |a| begins or ends as |b| does, in any case, for 4 bytes or more. */
static bool related(struct nova_view a, struct nova_view b) {
  size_t least = a.n < b.n ? a.n : b.n;
  if (least < NOVA_MASK_SHORTEST)
    return false;
  size_t head = 0, tail = 0;
  for (size_t i = 0; i < NOVA_MASK_SHORTEST; i++) {
    head += lower(a.p[i]) == lower(b.p[i]);
    tail += lower(a.p[a.n - 1 - i]) == lower(b.p[b.n - 1 - i]);
  }
  return head == NOVA_MASK_SHORTEST || tail == NOVA_MASK_SHORTEST;
}

/* Whether a hook of the conversation printed |v|. */
static bool printed(const struct search *s, struct nova_view v) {
  const struct nova_transcript *t = &s->c->transcript;
  for (size_t i = 0; s->hooks && i < t->n; i++)
    if (t->entry[i].kind == NOVA_ENTRY_HOOK && v.n >= NOVA_MASK_SHORTEST &&
        t->entry[i].bytes.n >= v.n &&
        memmem(t->entry[i].bytes.p, t->entry[i].bytes.n, v.p, v.n) != NULL)
      return true;
  return false;
}

/* The characters of a JSON string's content in |out|; what is no escape stays
 * as it is. */
static int unescape(struct nova_view v, struct nova_buf *out) {
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0;) {
    char c[4] = {v.p[i]};
    size_t n = 1, used = 1;
    if (v.p[i] == '\\' && i + 1 < v.n &&
        (v.p[i + 1] == '"' || v.p[i + 1] == '\\')) {
      c[0] = v.p[i + 1];
      used = 2;
    } else if (v.p[i] == '\\') {
      used = nova__escape_at(v, i, c, &n);
      if (used == 0)
        used = n = 1;
    }
    err = nova_buf_append(out, c, n);
    i += used;
  }
  return err;
}

/* Adds the value if it is made from a secret or was printed by a hook. */
static int learn(struct search *s, struct nova_view value) {
  struct nova_mask *m = s->learns;
  bool secret = printed(s, value);
  for (struct nova__secret *o = m->secrets; o != NULL; o = o->next) {
    if (nova_view_eq(value, o->bytes))
      return 0;
    secret |= o->of != NULL && related(value, o->bytes);
  }
  return secret ? nova_mask_add(m, NULL, value) : 0;
}

static int learn_stream(struct search *s, const struct nova__piece *piece,
                        size_t n, enum nova__sort sort) {
  const struct nova_entry *entry = s->c->transcript.entry;
  if (entry[piece[0].entry].kind != NOVA_ENTRY_SENT)
    return 0;
  struct nova_buf joined, value;
  nova_buf_init(&joined, s->mem, SIZE_MAX / 2);
  nova_buf_init(&value, s->mem, SIZE_MAX / 2);
  int err = 0;
  for (size_t i = 0; i < n && err == 0; i++)
    err = nova_buf_append(&joined, entry[piece[i].entry].bytes.p,
                          entry[piece[i].entry].bytes.n);
  struct nova_view text = nova_buf_view(&joined);
  struct nova__ranges v = {.mem = s->mem};
  if (err == 0)
    err = nova__mask_places(text, sort, &v);
  for (size_t k = 0; k < v.n && err == 0; k++) {
    nova_buf_clear(&value);
    err = unescape((struct nova_view){text.p + v.r[k].at, v.r[k].n}, &value);
    if (err == 0)
      err = learn(s, nova_buf_view(&value));
  }
  nova_mem_free(s->mem, v.r);
  nova_buf_free(&value);
  nova_buf_free(&joined);
  return err;
}

int nova_mask_results(struct nova_mask *m, const struct nova_results *r) {
  int err = r->profile != NULL ? nova_mask_profile(m, r->profile) : 0;
  for (size_t i = 0; i < r->conversations && err == 0; i++) {
    const struct nova_conversation_result *c = &r->conversation[i];
    if (c->kept)
      continue; /* what it held was masked when it was written */
    if (c->device != NULL && c->device_key != NULL)
      err = nova_mask_add(m, c->device, nova_view_of(c->device_key));
    if (err == 0 && c->other != NULL && c->other_key != NULL)
      err = nova_mask_add(m, c->other, nova_view_of(c->other_key));
  }
  for (size_t i = 0; i < r->conversations && err == 0; i++) {
    if (r->conversation[i].kept)
      continue;
    struct search s = {
        .learns = m, .c = &r->conversation[i], .mem = m->arena.mem};
    for (size_t k = 0; k < s.c->transcript.n && !s.hooks; k++)
      s.hooks = s.c->transcript.entry[k].kind == NOVA_ENTRY_HOOK;
    err = each_stream(&s, learn_stream);
  }
  return err;
}

/* --- placeholders -------------------------------------------------------- */

void nova_mask_placeholder(const char *of, unsigned generation, size_t n,
                           char *out) {
  if (of == NULL) {
    memset(out, '*', n);
    return;
  }
  /* FNV-1a of the owner, in digits behind solidi: a solidus is the one
   * character of JSON that may stand alone, with one backslash or as \u002f, so
   * that an escaped secret's length can be met. */
  uint32_t h = UINT32_C(2166136261);
  for (const char *p = of; *p != '\0'; p++)
    h = (h ^ (unsigned char)*p) * UINT32_C(16777619);
  h = (h ^ generation) * UINT32_C(16777619);
  memset(out, '/', n);
  for (size_t i = 0; i < n && i < 6; i++, h /= 32)
    out[n - 1 - i] = "0123456789abcdefghijklmnopqrstuv"[h % 32];
}

/* More keys than that no run gives a device. */
#define GENERATIONS 64

unsigned nova_mask_generation(const struct nova_mask *m, const char *of,
                              const char *key) {
  if (key == NULL)
    return 0;
  size_t n = strlen(key);
  const struct nova__secret *s = m != NULL ? m->secrets : NULL;
  for (; s != NULL; s = s->next)
    if (s->of != NULL && strcmp(s->of, of) == 0 && nova_view_is(s->bytes, key))
      return s->generation;
  char holder[64];
  for (unsigned g = 0; m == NULL && n <= sizeof holder && g < GENERATIONS;
       g++) {
    nova_mask_placeholder(of, g, n, holder);
    if (memcmp(holder, key, n) == 0)
      return g;
  }
  return 0;
}

/* A placeholder of |n| bytes, the last |digits| of them |tail| and solidi
 * before them: first |brief| with a backslash, then |full| as \u00XX, the rest
 * bare. */
struct spelling {
  size_t n, digits, brief, full;
  char tail[6];
};

static char character(const struct spelling *s, size_t i) {
  return i < s->n - s->digits ? '/' : s->tail[i - (s->n - s->digits)];
}

static char spelled(const struct spelling *s, size_t at) {
  if (at < 2 * s->brief)
    return at % 2 == 0 ? '\\' : '/';
  at -= 2 * s->brief;
  if (at < 6 * s->full) {
    char text[8];
    snprintf(text, sizeof text, "\\u%04x",
             (unsigned)character(s, s->brief + at / 6));
    return text[at % 6];
  }
  size_t i = s->brief + s->full + at - 6 * s->full;
  return i < s->n ? character(s, i) : '*';
}

void nova_mask_fill(const struct nova_masked *p, char *out) {
  if (p->form == NOVA_MASKED_NUMBER) {
    memset(out, '1', p->length);
    return;
  }
  if (p->of == NULL || p->form == NOVA_MASKED_ENCODED) {
    memset(out, '*', p->length);
    return;
  }
  if (p->form == NOVA_MASKED_PLAIN && p->whole == p->length) {
    nova_mask_placeholder(p->of, p->generation, p->length, out);
    return;
  }
  /* Where each byte stands follows from the counts, so that a part costs no
   * more than its length. */
  struct spelling s = {.n =
                           p->form == NOVA_MASKED_PLAIN ? p->whole : p->secret};
  s.digits = s.n < sizeof s.tail ? s.n : sizeof s.tail;
  nova_mask_placeholder(p->of, p->generation, s.digits, s.tail);
  size_t extra = p->whole > s.n ? p->whole - s.n : 0;
  s.brief = extra % 5 < s.n - s.digits ? extra % 5 : s.n - s.digits;
  s.full = extra / 5 < s.n - s.brief ? extra / 5 : s.n - s.brief;
  for (size_t i = 0; i < p->length; i++)
    out[i] = spelled(&s, p->part + i);
}
