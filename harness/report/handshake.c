/* What a TLS handshake came to, in words. */
#include "report/write.h"

#include "base/error.h"
#include "codec/json.h"

#include <stdio.h>

/* Longer than any that the program writes. */
#define TEXT_MOST 4096

/* One part of the sentence. */
struct words {
  struct nova_json_value v;
  struct nova_buf *out;
  enum nova_lang lang;
  size_t start;
  int err;
};

static void comma(struct words *w) {
  if (w->err == 0 && w->out->len != w->start)
    w->err = nova_buf_puts(w->out, ", ");
}

static void phrase(struct words *w, enum nova_phrase p, const char *arg) {
  comma(w);
  if (w->err == 0)
    w->err = nova_phrase_put(w->out, w->lang, p, &arg, arg != NULL ? 1 : 0);
}

/* A member's characters; false where there is no such string. */
static bool member(const struct words *w, const char *name, char out[512]) {
  struct nova_json_value v = nova_json_get(w->v, nova_view_of(name));
  size_t n = nova_json_string(v, out, 511);
  if (v.type != NOVA_JSON_STRING || n > 511)
    return false;
  out[n] = '\0';
  return true;
}

static void text(struct words *w, const char *s) {
  comma(w);
  if (w->err == 0)
    w->err = nova_safe_put(w->out, nova_view_of(s), 0);
}

/* "TLS 1.3", "SSL 3". */
static void version(char out[520], const char *of) {
  if (strcmp(of, "ssl3") == 0)
    of = "SSL 3";
  snprintf(out, 520, "%s%s", *of == 'S' ? "" : "TLS ", of);
}

/* The phrase that stands for a member's value, where it has one. */
static void choice(struct words *w, const char *name, const char *const *values,
                   const enum nova_phrase *phrases) {
  char value[512];
  if (!member(w, name, value))
    return;
  for (size_t i = 0; i < 3; i++)
    if (strcmp(value, values[i]) == 0)
      phrase(w, phrases[i], NULL);
}

static void alert(struct words *w, const char *name, enum nova_phrase p) {
  int64_t n;
  char digits[24];
  if (!nova_json_int64(nova_json_get(w->v, nova_view_of(name)), &n))
    return;
  snprintf(digits, sizeof digits, "%lld", (long long)n);
  phrase(w, p, digits);
}

static void sentence(struct words *w) {
  static const char *const certificates[] = {"verified", "unverified", "none"};
  static const enum nova_phrase certificate[] = {
      NOVA_TEXT_TLS_CERTIFICATE_VERIFIED, NOVA_TEXT_TLS_CERTIFICATE_UNVERIFIED,
      NOVA_TEXT_TLS_CERTIFICATE_NONE};
  static const char *const ends[] = {"peer", "us", "end"};
  static const enum nova_phrase end[] = {
      NOVA_TEXT_TLS_BY_PEER, NOVA_TEXT_TLS_BY_US, NOVA_TEXT_TLS_BY_END};
  char value[512], name[520];
  if (member(w, "version", value)) {
    version(name, value);
    text(w, name);
  }
  if (member(w, "cipher", value))
    text(w, value);
  choice(w, "certificate", certificates, certificate);
  choice(w, "by", ends, end);
  if (member(w, "why", value))
    text(w, value);
  alert(w, "alert", NOVA_TEXT_TLS_ALERT);
  alert(w, "sent", NOVA_TEXT_TLS_SENT);
  if (member(w, "offers", value)) {
    version(name, value);
    phrase(w, NOVA_TEXT_TLS_OFFERS, name);
  }
}

int nova__handshake_put(struct nova_view json, enum nova_lang lang,
                        struct nova_buf *out) {
  struct words w = {.out = out, .lang = lang, .start = out->len};
  if (json.n > TEXT_MOST)
    return 0;
  struct nova_json *j = nova_json_new(out->mem, TEXT_MOST, 4);
  if (j == NULL)
    return NOVA_ERR_NO_MEMORY;
  if (nova_json_check(j, json.p, json.n, &w.v, NULL) == 0 &&
      w.v.type == NOVA_JSON_OBJECT)
    sentence(&w);
  nova_json_free(j);
  return w.err;
}
