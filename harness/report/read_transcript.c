#include "report/read.h"

#include "base/error.h"

/* --- masked places ------------------------------------------------------- */

static void read_place(struct nova__reader *r, struct nova_json_value v,
                       size_t from, struct nova_masked *p) {
  static const char *const names[] = {
      "at",   "length",        "expected", "of",    "generation",
      "form", "secret_length", "part",     "whole", NULL};
  static const char *const forms[] = {"plain", "escaped", "number", "encoded"};
  struct nova_json_value m[9];
  if (!nova__read_object(r, v, names, m))
    return;
  p->at = nova__read_uint(r, m[0], "at", true, NOVA_RESULTS_FILE_MAX);
  p->length = nova__read_uint(r, m[1], "length", true, NOVA_RESULTS_FILE_MAX);
  p->expected = nova__read_bool(r, m[2], "expected");
  p->of = nova__read_text(r, m[3], "of", false);
  p->generation =
      (unsigned)nova__read_uint(r, m[4], "generation", false, UINT32_MAX);
  if (m[5].type != NOVA_JSON_NONE)
    p->form = (enum nova_masked_form)nova__read_pick(r, m[5], "form", forms, 4);
  p->secret = p->of != NULL ? p->length : 0;
  if (m[6].type != NOVA_JSON_NONE)
    p->secret =
        nova__read_uint(r, m[6], "secret_length", true, NOVA_RESULTS_FILE_MAX);
  p->whole = p->length;
  p->part = nova__read_uint(r, m[7], "part", false, NOVA_RESULTS_FILE_MAX);
  if (m[8].type != NOVA_JSON_NONE)
    p->whole = nova__read_uint(r, m[8], "whole", true, NOVA_RESULTS_FILE_MAX);
  if (r->err != 0)
    return;
  if (p->at < from)
    nova__read_fail(r, "at", "places in their order");
  else if (p->length == 0)
    nova__read_fail(r, "length", "1 or more");
  else if (p->part > p->whole || p->whole - p->part < p->length)
    nova__read_fail(r, "part", "a part of the whole");
}

static void read_places(struct nova__reader *r, struct nova_json_value v,
                        struct nova_entry *e) {
  size_t n = nova__read_count(r, v, "masked", false);
  if (n == 0)
    return;
  struct nova_masked *place = NOVA_NEW_ARRAY(r->arena, struct nova_masked, n);
  if (!nova__read_memory(r, place))
    return;
  struct nova_json_iter it;
  struct nova_json_value one;
  size_t i = 0, from = 0;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &one) && r->err == 0) {
    nova__read_enter(r, "masked", i);
    read_place(r, one, from, &place[i]);
    nova__read_leave(r);
    from = place[i].at + place[i].length;
    i++;
  }
  e->masked = place;
  e->masked_n = n;
}

/* --- payloads ------------------------------------------------------------ */

/* The next byte of a payload as it stands in the file; false at its end or at
 * what is none. */
struct source {
  struct nova_view text;
  size_t at;
  bool hex;
};

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool next_byte(struct source *s, char *out) {
  if (!s->hex) {
    if (s->at >= s->text.n)
      return false;
    *out = s->text.p[s->at++];
    return true;
  }
  if (s->text.n - s->at < 2)
    return false;
  int high = hex_digit(s->text.p[s->at]), low = hex_digit(s->text.p[s->at + 1]);
  if (high < 0 || low < 0)
    return false;
  *out = (char)(high << 4 | low);
  s->at += 2;
  return true;
}

/* Puts the payload of |kept| bytes together: the file's, and placeholders where
 * it is masked. */
static void join(struct nova__reader *r, struct source *s, size_t kept,
                 struct nova_entry *e) {
  static const char expected[] =
      "as many bytes as it says, and *** where it is "
      "masked";
  const char *name = s->hex ? "hex" : "text";
  /* What the file has bounds what is allocated, but for the placeholders. */
  char *out = nova_arena_alloc(r->arena, kept + 1);
  if (!nova__read_memory(r, out))
    return;
  size_t at = 0, next = 0;
  while (at < kept) {
    const struct nova_masked *p = next < e->masked_n ? &e->masked[next] : NULL;
    if (p == NULL || p->at != at) {
      if (!next_byte(s, &out[at++])) {
        nova__read_fail(r, name, expected);
        return;
      }
      continue;
    }
    if (s->text.n - s->at < 3 ||
        memcmp(s->text.p + s->at, NOVA_MASK_TEXT, 3) != 0 ||
        p->length > kept - at) {
      nova__read_fail(r, name, expected);
      return;
    }
    nova_mask_fill(p, out + at);
    s->at += 3;
    at += p->length;
    next++;
  }
  if (s->at != s->text.n || next != e->masked_n) {
    nova__read_fail(r, name, expected);
    return;
  }
  e->bytes = (struct nova_view){out, kept};
}

static void read_payload(struct nova__reader *r, struct nova_json_value bytes,
                         struct nova_json_value kept,
                         struct nova_json_value text,
                         struct nova_json_value hex,
                         struct nova_json_value digest, struct nova_entry *e) {
  if (bytes.type == NOVA_JSON_NONE) {
    if (e->kind == NOVA_ENTRY_SENT || e->kind == NOVA_ENTRY_RECEIVED)
      nova__read_fail(r, "bytes", "the length of the payload");
    return;
  }
  e->size = nova__read_uint(r, bytes, "bytes", true, (uint64_t)1 << 48);
  size_t n = e->size;
  if (kept.type != NOVA_JSON_NONE)
    n = nova__read_uint(r, kept, "kept", true, e->size);
  e->digest = nova__read_text(r, digest, "sha256", false);
  bool is_hex = text.type == NOVA_JSON_NONE;
  struct nova_json_value v = is_hex ? hex : text;
  if (v.type != NOVA_JSON_STRING) {
    nova__read_fail(r, "text", "text or hex");
    return;
  }
  size_t length = nova_json_string(v, NULL, 0);
  char *raw = nova_arena_alloc(r->arena, length + 1);
  if (!nova__read_memory(r, raw))
    return;
  nova_json_string(v, raw, length);
  struct source s = {{raw, length}, 0, is_hex};
  join(r, &s, n, e);
}

/* --- events -------------------------------------------------------------- */

enum {
  T,
  SINCE,
  ERROR_S,
  FROM,
  EVENT,
  CONNECTION,
  STEP,
  CODE,
  HOW,
  BYTES,
  KEPT,
  SHA256,
  TEXT,
  HEX,
  MASKED,
  MEMBERS
};

static const char *const members[MEMBERS + 1] = {
    "t",    "since", "error_s", "from",  "event", "connection",
    "step", "code",  "how",     "bytes", "kept",  "sha256",
    "text", "hex",   "masked",  NULL};

static const char *const actors[] = {"device", "server", "platform", "harness"};
static const char *const events[] = {
    "connecting", "connected", "refused", "accepted", "sent",
    "received",   "hook",      "note",    "lag",      "closed",
    "exited",     "secured",   "insecure"};
static const enum nova_entry_kind kinds[] = {
    NOVA_ENTRY_CONNECTING, NOVA_ENTRY_CONNECTED, NOVA_ENTRY_REFUSED,
    NOVA_ENTRY_ACCEPTED,   NOVA_ENTRY_SENT,      NOVA_ENTRY_RECEIVED,
    NOVA_ENTRY_HOOK,       NOVA_ENTRY_NOTE,      NOVA_ENTRY_LAG,
    NOVA_ENTRY_CLOSED,     NOVA_ENTRY_EXITED,    NOVA_ENTRY_SECURED,
    NOVA_ENTRY_INSECURE};

/* Who closed, and how, tells the three kinds apart. */
static void read_close(struct nova__reader *r, struct nova_json_value v,
                       struct nova_entry *e) {
  static const char *const hows[] = {"fin", "rst", "half"};
  unsigned how = nova__read_pick(r, v, "how", hows, 3);
  bool subject =
      e->from ==
      (r->subject == NOVA_ROLE_SERVER ? NOVA_ACTOR_SERVER : NOVA_ACTOR_DEVICE);
  if (!subject) {
    e->code = (int)how;
    return;
  }
  if (how == 2)
    nova__read_fail(r, "how", "fin or rst of the subject");
  e->kind = how == 0 ? NOVA_ENTRY_EOF : NOVA_ENTRY_RESET;
}

static void read_event(struct nova__reader *r, struct nova_json_value v,
                       struct nova_entry *e) {
  struct nova_json_value m[MEMBERS];
  if (!nova__read_object(r, v, members, m))
    return;
  e->t = nova__read_seconds(r, m[T], "t", true, 0);
  e->since = nova__read_seconds(r, m[SINCE], "since", false, e->t);
  e->from = (enum nova_actor)nova__read_pick(r, m[FROM], "from", actors, 4);
  e->kind = kinds[nova__read_pick(r, m[EVENT], "event", events,
                                  sizeof events / sizeof *events)];
  e->connection = (unsigned)nova__read_uint(r, m[CONNECTION], "connection",
                                            false, UINT32_MAX);
  e->step = (unsigned)nova__read_uint(r, m[STEP], "step", false, UINT32_MAX);
  if (e->kind == NOVA_ENTRY_LAG)
    e->since = nova__read_seconds(r, m[ERROR_S], "error_s", true, 0);
  if (e->kind == NOVA_ENTRY_CLOSED)
    read_close(r, m[HOW], e);
  if (m[CODE].type != NOVA_JSON_NONE) {
    int64_t code = 0;
    if (!nova_json_int64(m[CODE], &code) || code < INT32_MIN ||
        code > INT32_MAX)
      nova__read_fail(r, "code", "a whole number");
    e->code = (int)code;
  }
  read_places(r, m[MASKED], e);
  if (r->err == 0)
    read_payload(r, m[BYTES], m[KEPT], m[TEXT], m[HEX], m[SHA256], e);
}

/* Events stand in the order in which they were told, which need not be that of
 * their times: what came first may have been heard of last. */
void nova__read_transcript(struct nova__reader *r, struct nova_json_value v,
                           struct nova_transcript *out) {
  size_t n = nova__read_count(r, v, "transcript", true);
  *out = (struct nova_transcript){.cut = out->cut};
  if (n == 0)
    return;
  out->entry = NOVA_NEW_ARRAY(r->arena, struct nova_entry, n);
  if (!nova__read_memory(r, out->entry))
    return;
  struct nova_json_iter it;
  struct nova_json_value one;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &one) && r->err == 0) {
    struct nova_entry *e = &out->entry[out->n];
    nova__read_enter(r, "transcript", out->n++);
    read_event(r, one, e);
    nova__read_leave(r);
    out->kept += e->bytes.n;
  }
  out->cap = out->n;
  out->max = out->kept;
}
