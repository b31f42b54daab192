#include "report/write.h"

#include "base/error.h"
#include "base/utf8.h"
#include "report/results_json.h"
#include "report/text.h"

#include <openssl/evp.h>

const char *nova__event_name(const struct nova_entry *e, const char **how) {
  *how = NULL;
  switch (e->kind) {
  case NOVA_ENTRY_CONNECTING: return "connecting";
  case NOVA_ENTRY_CONNECTED: return "connected";
  case NOVA_ENTRY_REFUSED: return "refused";
  case NOVA_ENTRY_ACCEPTED: return "accepted";
  case NOVA_ENTRY_SENT: return "sent";
  case NOVA_ENTRY_RECEIVED: return "received";
  case NOVA_ENTRY_EOF: *how = "fin"; return "closed";
  case NOVA_ENTRY_RESET: *how = "rst"; return "closed";
  case NOVA_ENTRY_CLOSED:
    *how = e->code == 0 ? "fin" : e->code == 1 ? "rst" : "half";
    return "closed";
  case NOVA_ENTRY_HOOK: return "hook";
  case NOVA_ENTRY_NOTE: return "note";
  case NOVA_ENTRY_LAG: return "lag";
  case NOVA_ENTRY_SECURED: return "secured";
  case NOVA_ENTRY_INSECURE: return "insecure";
  case NOVA_ENTRY_EXITED: return "exited";
  }
  return "note";
}

const char *nova__actor_name(const struct nova_entry *e,
                             enum nova_role subject) {
  /* A close is told apart by its side, so that must be right. */
  if (e->kind == NOVA_ENTRY_EOF || e->kind == NOVA_ENTRY_RESET)
    return nova_role_names[subject];
  if (e->kind == NOVA_ENTRY_CLOSED)
    return nova_role_names[subject == NOVA_ROLE_SERVER ? NOVA_ROLE_DEVICE
                                                       : NOVA_ROLE_SERVER];
  switch (e->from) {
  case NOVA_ACTOR_DEVICE: return "device";
  case NOVA_ACTOR_SERVER: return "server";
  case NOVA_ACTOR_PLATFORM: return "platform";
  case NOVA_ACTOR_NOBODY: break;
  }
  return "harness";
}

/* The bytes of |e| up to |cut| with its masked places, piece by piece. */
struct piece {
  struct nova_view bytes;
  bool masked;
};

struct pieces {
  const struct nova_entry *e;
  const struct nova_masked *place;
  size_t places, next, at, cut;
};

static bool next_piece(struct pieces *p, struct piece *out) {
  if (p->at >= p->cut)
    return false;
  size_t end = p->next < p->places ? p->place[p->next].at : p->cut;
  if (end > p->at) {
    if (end > p->cut)
      end = p->cut;
    *out = (struct piece){{p->e->bytes.p + p->at, end - p->at}, false};
    p->at = end;
    return true;
  }
  *out = (struct piece){nova_view_of(NOVA_MASK_TEXT), true};
  p->at += p->place[p->next++].length;
  return true;
}

/* Whether what is left of the bytes after masking is UTF-8. */
static bool is_text(struct pieces p) {
  struct piece piece;
  while (next_piece(&p, &piece))
    if (nova_utf8_check(piece.bytes.p, piece.bytes.n) != piece.bytes.n)
      return false;
  return true;
}

/* The digest of the payload as it stands in transcripts/: of the masked bytes,
 * for one of the bytes themselves would let a short key be guessed. */
static void write_digest(struct nova_json_out *o, struct pieces p) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool good = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
  struct piece piece;
  while (good && next_piece(&p, &piece))
    good = EVP_DigestUpdate(ctx, piece.bytes.p, piece.bytes.n) == 1;
  good = good && EVP_DigestFinal_ex(ctx, digest, &n) == 1;
  EVP_MD_CTX_free(ctx);
  if (!good) {
    o->err = o->err != 0 ? o->err : NOVA_ERR_NO_MEMORY;
    return;
  }
  nova_jo_key(o, "sha256");
  nova_jo_string_begin(o);
  nova_jo_string_hex(o, (struct nova_view){(char *)digest, n});
  nova_jo_string_end(o);
}

static void write_places(struct nova_json_out *o, const struct pieces *p) {
  nova_jo_key(o, "masked");
  nova_jo_open(o, '[', true);
  for (size_t i = 0; i < p->places && p->place[i].at < p->cut; i++) {
    const struct nova_masked *k = &p->place[i];
    static const char *const forms[] = {"plain", "escaped", "number",
                                        "encoded"};
    nova_jo_open(o, '{', true);
    nova_jo_key(o, "at");
    nova_jo_uint(o, k->at);
    nova_jo_key(o, "length");
    nova_jo_uint(o, k->length);
    nova_jo_key(o, "expected");
    nova_jo_bool(o, k->expected);
    if (k->of != NULL) {
      nova_jo_key(o, "of");
      nova_jo_text(o, k->of);
    }
    if (k->generation != 0) {
      nova_jo_key(o, "generation");
      nova_jo_uint(o, k->generation);
    }
    if (k->form != NOVA_MASKED_PLAIN) {
      nova_jo_key(o, "form");
      nova_jo_string(o, forms[k->form]);
    }
    if (k->of != NULL && k->secret != k->length) {
      nova_jo_key(o, "secret_length");
      nova_jo_uint(o, k->secret);
    }
    if (k->whole != k->length) {
      nova_jo_key(o, "part");
      nova_jo_uint(o, k->part);
      nova_jo_key(o, "whole");
      nova_jo_uint(o, k->whole);
    }
    nova_jo_close(o, '}');
  }
  nova_jo_close(o, ']');
}

/* Where a payload is cut: at most |max| bytes, between characters of a text and
 * outside of masked places. */
static size_t cut_at(const struct pieces *p, size_t max, bool text) {
  size_t cut = max;
  bool apart = true; /* not where a masked place begins */
  for (size_t i = 0; i < p->places; i++) {
    if (p->place[i].at < cut && p->place[i].at + p->place[i].length > cut)
      cut = p->place[i].at;
    apart &= p->place[i].at != cut;
  }
  if (text && apart)
    for (size_t k = 0; k < 3 && cut != 0; k++) {
      if (((unsigned char)p->e->bytes.p[cut] & 0xc0) != 0x80)
        break;
      cut--;
    }
  return cut;
}

static void write_payload(struct nova_json_out *o, const struct nova_entry *e,
                          const struct nova_masked *place, size_t places,
                          bool whole) {
  struct pieces all = {e, place, places, 0, 0, e->bytes.n};
  bool text = is_text(all);
  struct pieces some = all;
  if (!whole && e->bytes.n > NOVA_RESULTS_PAYLOAD)
    some.cut = cut_at(&all, NOVA_RESULTS_PAYLOAD, text);
  nova_jo_key(o, "bytes");
  nova_jo_uint(o, e->size);
  if (some.cut != e->size) {
    nova_jo_key(o, "kept");
    nova_jo_uint(o, some.cut);
  }
  if (some.cut != all.cut) {
    write_digest(o, all);
  } else if (e->digest != NULL) {
    nova_jo_key(o, "sha256");
    nova_jo_string(o, e->digest);
  }
  nova_jo_key(o, text ? "text" : "hex");
  nova_jo_string_begin(o);
  struct pieces p = some;
  struct piece piece;
  while (next_piece(&p, &piece)) {
    if (text || piece.masked)
      nova_jo_string_piece(o, piece.bytes);
    else
      nova_jo_string_hex(o, piece.bytes);
  }
  nova_jo_string_end(o);
  if (places != 0 && place[0].at < some.cut)
    write_places(o, &some);
}

/* An entry's bytes as they are, masked. */
static int put_bytes(const struct nova_entry *e,
                     const struct nova_masked *place, size_t places,
                     size_t columns, struct nova_buf *out) {
  struct pieces p = {e, place, places, 0, 0, e->bytes.n};
  /* What a process printed is text, however badly it is spelt. */
  bool text = e->kind == NOVA_ENTRY_EXITED || is_text(p);
  /* No character takes more than 4 bytes a column, combining ones apart. */
  if (p.cut > 4 * columns)
    p.cut = cut_at(&p, 4 * columns, text);
  struct nova_buf all;
  nova_buf_init(&all, out->mem, 16 * columns + 16 * places + 64);
  int err = 0;
  struct piece piece;
  while (err == 0 && next_piece(&p, &piece)) {
    if (text || piece.masked)
      err = nova_buf_append(&all, piece.bytes.p, piece.bytes.n);
    for (size_t i = 0; !text && !piece.masked && i < piece.bytes.n; i++)
      err = nova_buf_printf(&all, "%02x", (unsigned char)piece.bytes.p[i]);
  }
  if (err == 0 && p.cut < e->size)
    err = nova_buf_puts(&all, "...");
  if (err == 0)
    err = nova_safe_put(out, nova_buf_view(&all), columns);
  nova_buf_free(&all);
  return err;
}

/* The lines of its packets, one behind the other. */
static int put_packets(const struct nova__packets *k, size_t i, size_t columns,
                       struct nova_buf *out) {
  struct nova_buf all;
  nova_buf_init(&all, out->mem, SIZE_MAX / 2);
  int err = 0;
  for (size_t n = k->first[i]; n < k->first[i + 1] && err == 0; n++) {
    struct nova_view line = nova__packets_line(k, n);
    if (n != k->first[i])
      err = nova_buf_puts(&all, " | ");
    if (err == 0)
      err = nova_buf_append(&all, line.p, line.n);
  }
  if (err == 0)
    err = nova_safe_put(out, nova_buf_view(&all), columns);
  nova_buf_free(&all);
  return err;
}

int nova__shown_init(struct nova__shown *k, const struct nova_mask *m,
                     const struct nova_conversation_result *c,
                     const struct nova_mem *mem) {
  *k = (struct nova__shown){.c = c};
  int err = nova_mask_transcript(m, c, mem, &k->masking);
  return err == 0 ? nova__packets_of(m, c, &k->masking, mem, &k->packets) : err;
}

void nova__shown_free(struct nova__shown *k) {
  nova__packets_free(&k->packets);
  nova_masking_free(&k->masking);
}

int nova__entry_text(const struct nova__shown *k, size_t i, enum nova_lang lang,
                     size_t columns, struct nova_buf *out) {
  const struct nova_entry *e = &k->c->transcript.entry[i];
  if (k->packets.first[i + 1] != k->packets.first[i])
    return put_packets(&k->packets, i, columns, out);
  size_t before = out->len, places = k->masking.first[i + 1];
  places -= k->masking.first[i];
  int err = 0;
  if (places == 0 &&
      (e->kind == NOVA_ENTRY_SECURED || e->kind == NOVA_ENTRY_INSECURE))
    err = nova__handshake_put(e->bytes, lang, out);
  if (err != 0 || out->len != before)
    return err;
  return put_bytes(e, k->masking.place + k->masking.first[i], places, columns,
                   out);
}

static void write_packets(struct nova_json_out *o,
                          const struct nova__packets *k, size_t i) {
  if (k->first[i] == k->first[i + 1])
    return;
  nova_jo_key(o, "packets");
  nova_jo_open(o, '[', true);
  for (size_t n = k->first[i]; n < k->first[i + 1]; n++)
    nova_jo_view(o, nova__packets_line(k, n));
  nova_jo_close(o, ']');
}

static void write_entry(struct nova_json_out *o, const struct nova__shown *k,
                        size_t i, enum nova_role subject, bool whole) {
  const struct nova_entry *e = &k->c->transcript.entry[i];
  const char *how, *event = nova__event_name(e, &how);
  nova_jo_open(o, '{', true);
  nova_jo_key(o, "t");
  nova_jo_seconds(o, e->t);
  if (e->since != e->t || e->kind == NOVA_ENTRY_LAG) {
    nova_jo_key(o, e->kind == NOVA_ENTRY_LAG ? "error_s" : "since");
    nova_jo_seconds(o, e->since);
  }
  nova_jo_key(o, "from");
  nova_jo_string(o, nova__actor_name(e, subject));
  nova_jo_key(o, "event");
  nova_jo_string(o, event);
  if (e->connection != 0) {
    nova_jo_key(o, "connection");
    nova_jo_uint(o, e->connection);
  }
  if (e->step != 0) {
    nova_jo_key(o, "step");
    nova_jo_uint(o, e->step);
  }
  if (how != NULL) {
    nova_jo_key(o, "how");
    nova_jo_string(o, how);
  } else if (e->code != 0 || e->kind == NOVA_ENTRY_HOOK ||
             e->kind == NOVA_ENTRY_EXITED) {
    nova_jo_key(o, "code");
    nova_jo_int(o, e->code);
  }
  if (e->size != 0 || e->kind == NOVA_ENTRY_SENT ||
      e->kind == NOVA_ENTRY_RECEIVED)
    write_payload(o, e, k->masking.place + k->masking.first[i],
                  k->masking.first[i + 1] - k->masking.first[i], whole);
  write_packets(o, &k->packets, i);
  nova_jo_close(o, '}');
}

void nova__write_transcript(struct nova_json_out *o,
                            const struct nova_conversation_result *c,
                            enum nova_role subject, const struct nova_mem *mem,
                            bool whole) {
  struct nova__shown k;
  int err = nova__shown_init(&k, o->mask, c, mem);
  nova_jo_open(o, '[', false);
  for (size_t i = 0; i < c->transcript.n && err == 0; i++)
    write_entry(o, &k, i, subject, whole);
  nova_jo_close(o, ']');
  nova__shown_free(&k);
  if (err != 0 && o->err == 0)
    o->err = err;
}
