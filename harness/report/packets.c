#include "report/packets.h"

#include "base/error.h"
#include "codec/mqtt.h"
#include "report/packets_line.h"
#include "report/streams.h"

#include <stdlib.h>

/* A longer packet is told by its type and size only. */
#define PACKET_MOST ((size_t)1 << 20)

/* Of lines in all that are made for a transcript; a run keeps less evidence. */
#define TEXT_MOST ((size_t)64 << 20)

bool nova__is_mqtt(const struct nova_conversation_result *c) {
  return c->transport != NULL && (strcmp(c->transport, "mqtt") == 0 ||
                                  strcmp(c->transport, "mqtts") == 0);
}

/* A line before it is sorted to its entry. */
struct told {
  size_t entry, from, end; /* in the text */
};

/* One stream, followed from its first entry to its last. */
struct follow {
  const struct nova_mask *m;
  const struct nova_conversation_result *c;
  const struct nova_masking *places;
  const struct nova_mem *mem;
  struct nova_buf text, line;
  struct told *told;
  size_t n, cap;
  /* the present stream */
  struct nova_mqtt_stream stream;
  struct nova__veil *veil;
  size_t veils, veil_cap, passed;
  uint64_t pos, start, skip_end; /* fed; the present packet; that is skipped */
  uint64_t gap;
  bool lost;
  size_t lines; /* of the present entry */
  int err;
};

static int by_entry(const void *a, const void *b) {
  const struct told *x = a, *y = b;
  if (x->entry != y->entry)
    return x->entry < y->entry ? -1 : 1;
  return x->from < y->from ? -1 : x->from > y->from;
}

/* An array that doubles. False without memory. */
static bool room(const struct nova_mem *mem, void **p, size_t n, size_t *cap,
                 size_t size) {
  if (n < *cap)
    return true;
  size_t more = *cap == 0 ? 32 : *cap * 2;
  void *q = nova_mem_realloc(mem, *p, more * size);
  if (q == NULL)
    return false;
  *p = q;
  *cap = more;
  return true;
}

static void tell(struct follow *f, size_t entry) {
  void *told = f->told;
  if (f->text.len > TEXT_MOST)
    return;
  if (!room(f->mem, &told, f->n, &f->cap, sizeof *f->told)) {
    f->err = NOVA_ERR_NO_MEMORY;
    return;
  }
  f->told = told;
  size_t from = f->text.len;
  f->err = nova_mask_text(f->m, nova_buf_view(&f->line), &f->text);
  f->told[f->n++] = (struct told){entry, from, f->text.len};
}

/* What is in |line| becomes one of the entry's, unless it has enough. */
static void add(struct follow *f, size_t entry) {
  if (f->err == 0 && f->lines < NOVA__PACKET_LINES)
    tell(f, entry);
  f->lines++;
  nova_buf_clear(&f->line);
}

/* The places of the entry that begins at |pos|. */
static void veil(struct follow *f, size_t entry) {
  const struct nova_masking *k = f->places;
  for (size_t i = k->first[entry]; i < k->first[entry + 1] && f->err == 0;
       i++) {
    void *p = f->veil;
    if (!room(f->mem, &p, f->veils, &f->veil_cap, sizeof *f->veil)) {
      f->err = NOVA_ERR_NO_MEMORY;
      return;
    }
    f->veil = p;
    uint64_t at = f->pos + k->place[i].at;
    f->veil[f->veils++] = (struct nova__veil){at, at + k->place[i].length};
  }
}

static void packet(struct follow *f, const struct nova_mqtt_out *out,
                   size_t entry) {
  while (f->passed < f->veils && f->veil[f->passed].end <= out->offset)
    f->passed++;
  struct nova__packet p = {out->packet, out->offset, f->gap,
                           f->veil != NULL ? f->veil + f->passed : NULL,
                           f->veils - f->passed};
  /* A packet that nobody will see is not written out. */
  if (f->lines < NOVA__PACKET_LINES)
    f->err = nova__packet_put(&p, &f->line);
  f->start = out->offset + out->length;
  f->gap = UINT64_MAX;
  add(f, entry);
}

static void oversized(struct follow *f, const struct nova_mqtt_out *out,
                      size_t entry) {
  f->err = nova_buf_printf(
      &f->line, "%s of %llu bytes",
      nova_mqtt_type_name((enum nova_mqtt_type)(out->first >> 4)),
      (unsigned long long)out->length);
  f->skip_end = out->offset + out->length;
  f->start = f->skip_end;
  f->gap = UINT64_MAX;
  add(f, entry);
}

static void broken(struct follow *f, size_t entry) {
  f->err = nova_buf_printf(
      &f->line, "malformed packet: %s at byte 4; no packet can be found behind",
      nova_error_text(NOVA_ERR_MQTT_LENGTH));
  f->lost = true;
  add(f, entry);
}

static void feed(struct follow *f, const char *p, size_t n, size_t entry) {
  struct nova_mqtt_out out;
  size_t used;
  for (size_t at = 0; at < n && f->err == 0 && !f->lost; at += used) {
    int event = nova_mqtt_stream_feed(&f->stream, p + at, n - at, &used, &out);
    f->pos += used;
    if (event == NOVA_MQTT_PACKET)
      packet(f, &out, entry);
    else if (event == NOVA_MQTT_OVERSIZED)
      oversized(f, &out, entry);
    else if (event == NOVA_ERR_MQTT_LENGTH)
      broken(f, entry);
    else if (event < 0)
      f->err = event;
  }
}

/* Where the present packet ends, as far as its header is there. */
static bool end_of_packet(const struct follow *f, uint64_t *end) {
  struct nova_mqtt_header h;
  struct nova_view held = nova_mqtt_stream_held(&f->stream);
  if (f->skip_end > f->pos) {
    *end = f->skip_end;
    return true;
  }
  if (held.n == 0 ||
      nova_mqtt_header_read(held.p, held.n, &h) != NOVA_MQTT_PACKET)
    return false;
  *end = f->start + h.size + h.remaining;
  return true;
}

/* |n| bytes that were not kept: they are nothing but a packet's inside, or what
 * follows cannot be told. */
static void miss(struct follow *f, uint64_t n, size_t entry) {
  static const char zeros[4096];
  uint64_t end;
  if (f->lost || f->err != 0)
    return;
  if (!end_of_packet(f, &end) || n > end - f->pos) {
    f->err = nova_buf_printf(
        &f->line, "%llu bytes were not kept: no packet can be found behind",
        (unsigned long long)n);
    f->lost = true;
    add(f, entry);
    return;
  }
  if (f->gap == UINT64_MAX && f->pos >= f->skip_end)
    f->gap = f->pos;
  while (n != 0 && f->err == 0 && !f->lost) {
    size_t some = n < sizeof zeros ? (size_t)n : sizeof zeros;
    feed(f, zeros, some, entry);
    n -= some;
  }
}

/* How far a packet came that the entry does not end. */
static void unfinished(struct follow *f, size_t entry) {
  uint64_t end, have = f->pos - f->start;
  struct nova_view held = nova_mqtt_stream_held(&f->stream);
  if (f->lost || f->err != 0 || held.n == 0)
    return; /* one that is skipped was told */
  if (end_of_packet(f, &end))
    f->err = nova_buf_printf(&f->line, "(%s, %llu of %llu bytes so far)",
                             nova_mqtt_type_name((enum nova_mqtt_type)(
                                 (unsigned char)held.p[0] >> 4)),
                             (unsigned long long)have,
                             (unsigned long long)(end - f->start));
  else
    f->err = nova_buf_printf(&f->line, "(a packet, %llu bytes so far)",
                             (unsigned long long)have);
  add(f, entry);
}

static void entry(struct follow *f, size_t i) {
  const struct nova_entry *e = &f->c->transcript.entry[i];
  f->lines = 0;
  veil(f, i);
  if (f->err == 0)
    feed(f, e->bytes.p, e->bytes.n, i);
  if (e->size > e->bytes.n)
    miss(f, e->size - e->bytes.n, i);
  unfinished(f, i);
  if (f->err != 0 || f->lines <= NOVA__PACKET_LINES)
    return;
  f->err =
      nova_buf_printf(&f->line, "(%zu more)", f->lines - NOVA__PACKET_LINES);
  if (f->err == 0)
    tell(f, i);
  nova_buf_clear(&f->line);
}

/* Entries [0, n) of one stream. */
static void stream(struct follow *f, const struct nova__piece *piece,
                   size_t n) {
  nova_mqtt_stream_init(&f->stream, f->mem, PACKET_MOST);
  f->pos = f->start = f->skip_end = 0;
  f->veils = f->passed = 0;
  f->gap = UINT64_MAX;
  f->lost = false;
  for (size_t i = 0; i < n && f->err == 0; i++)
    entry(f, piece[i].entry);
  nova_mqtt_stream_free(&f->stream);
}

static void streams(struct follow *f) {
  struct nova__piece *piece;
  size_t n;
  f->err = nova__streams_of(&f->c->transcript, f->mem, &piece, &n);
  for (size_t i = 0, k; i < n && f->err == 0; i = k) {
    for (k = i + 1; k < n && !piece[k].first; k++)
      ;
    stream(f, piece + i, k - i);
  }
  nova_mem_free(f->mem, piece);
}

/* The lines in the order of their entries. */
static int sort(struct follow *f, struct nova__packets *out) {
  const struct nova_transcript *t = &f->c->transcript;
  out->first = nova_mem_alloc(f->mem, (t->n + 1) * sizeof *out->first);
  out->line = nova_mem_alloc(f->mem, (f->n + 1) * sizeof *out->line);
  if (out->first == NULL || out->line == NULL)
    return NOVA_ERR_NO_MEMORY;
  if (f->n > 1)
    qsort(f->told, f->n, sizeof *f->told, by_entry);
  size_t k = 0;
  for (size_t i = 0; i <= t->n; i++) {
    out->first[i] = k;
    while (k < f->n && f->told[k].entry == i) {
      out->line[k] = (struct nova__span){f->told[k].from, f->told[k].end};
      k++;
    }
  }
  return 0;
}

int nova__packets_of(const struct nova_mask *m,
                     const struct nova_conversation_result *c,
                     const struct nova_masking *places,
                     const struct nova_mem *mem, struct nova__packets *out) {
  struct follow f = {.m = m, .c = c, .places = places, .mem = mem};
  *out = (struct nova__packets){.mem = mem};
  nova_buf_init(&f.text, mem, SIZE_MAX / 2);
  nova_buf_init(&f.line, mem, (size_t)1 << 20);
  if (nova__is_mqtt(c))
    streams(&f);
  int err = f.err != 0 ? f.err : sort(&f, out);
  out->text = f.text;
  nova_buf_free(&f.line);
  nova_mem_free(mem, f.veil);
  nova_mem_free(mem, f.told);
  return err;
}

void nova__packets_free(struct nova__packets *k) {
  nova_buf_free(&k->text);
  nova_mem_free(k->mem, k->line);
  nova_mem_free(k->mem, k->first);
  *k = (struct nova__packets){.mem = k->mem};
}

struct nova_view nova__packets_line(const struct nova__packets *k, size_t i) {
  struct nova_view all = nova_buf_view(&k->text);
  return (struct nova_view){all.p + k->line[i].from,
                            k->line[i].end - k->line[i].from};
}
