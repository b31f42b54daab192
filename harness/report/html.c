#include "report/html.h"

#include "base/error.h"
#include "report/json_out.h"
#include "report/page.h"
#include "report/results_json.h"

#include <openssl/evp.h>

struct html {
  const struct nova_results *r;
  const struct nova_mask *m;
  const struct nova_mem *mem;
  const struct nova_sink *sink;
  enum nova_lang lang;
};

static int put(const struct html *h, const char *p, size_t n) {
  return n != 0 ? h->sink->write(h->sink->user, p, n) : 0;
}

/* JSON inside <script>: a "<" stands as \u003c, so that nothing in it ends the
 * element or starts a comment; ">" and "&" too, for whoever copies it
 * elsewhere. In JSON these three stand in strings only. Line separators are
 * escaped by the writer. */
static int put_json(void *user, const char *p, size_t n) {
  const struct nova_sink *sink = user;
  size_t from = 0;
  int err = 0;
  for (size_t i = 0; i < n && err == 0; i++) {
    const char *as = p[i] == '<'   ? "\\u003c"
                     : p[i] == '>' ? "\\u003e"
                     : p[i] == '&' ? "\\u0026"
                                   : NULL;
    if (as == NULL)
      continue;
    if (i > from)
      err = sink->write(sink->user, p + from, i - from);
    if (err == 0)
      err = sink->write(sink->user, as, 6);
    from = i + 1;
  }
  if (err == 0 && n > from)
    err = sink->write(sink->user, p + from, n - from);
  return err;
}

static int put_results(const struct html *h) {
  struct nova_sink inner = *h->sink;
  struct nova_sink outer = {put_json, &inner};
  return nova_results_write_json(h->r, h->m, h->mem, &outer);
}

static int put_phrases(const struct html *h) {
  struct nova_sink inner = *h->sink;
  struct nova_sink outer = {put_json, &inner};
  struct nova_json_out o;
  nova_jo_init(&o, &outer, NULL, h->mem);
  nova_jo_open(&o, '{', true);
  for (int lang = 0; lang < 2; lang++) {
    nova_jo_key(&o, lang == NOVA_LANG_EN ? "en" : "zh");
    nova_jo_open(&o, '{', true);
    for (unsigned p = 0; p < NOVA_TEXTS; p++) {
      nova_jo_key(&o, nova_phrase_name((enum nova_phrase)p));
      nova_jo_string(&o,
                     nova_phrase((enum nova_lang)lang, (enum nova_phrase)p));
    }
    nova_jo_close(&o, '}');
  }
  nova_jo_close(&o, '}');
  return nova_jo_end(&o);
}

/* " 'sha256-...'" of a text. */
static int put_hash(const struct html *h, struct nova_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  char base64[64];
  unsigned n = 0;
  if (EVP_Digest(text.p, text.n, digest, &n, EVP_sha256(), NULL) != 1)
    return NOVA_ERR_NO_MEMORY;
  int length = EVP_EncodeBlock((unsigned char *)base64, digest, (int)n);
  int err = put(h, " 'sha256-", 9);
  if (err == 0)
    err = put(h, base64, (size_t)length);
  return err == 0 ? put(h, "'", 1) : err;
}

/* Nothing may be loaded, and only this style and this script run. */
static int put_policy(const struct html *h) {
  static const char head[] = "default-src 'none'; base-uri 'none'; "
                             "form-action 'none'; style-src";
  static const char script[] = "; script-src";
  int err = put(h, head, sizeof head - 1);
  if (err == 0)
    err = put_hash(h, nova__page_style);
  if (err == 0)
    err = put(h, script, sizeof script - 1);
  return err == 0 ? put_hash(h, nova__page_script) : err;
}

static int put_place(const struct html *h, struct nova_view name) {
  if (nova_view_is(name, "lang"))
    return put(h, h->lang == NOVA_LANG_ZH ? "zh" : "en", 2);
  if (nova_view_is(name, "policy"))
    return put_policy(h);
  if (nova_view_is(name, "style"))
    return put(h, nova__page_style.p, nova__page_style.n);
  if (nova_view_is(name, "script"))
    return put(h, nova__page_script.p, nova__page_script.n);
  if (nova_view_is(name, "phrases"))
    return put_phrases(h);
  if (nova_view_is(name, "results"))
    return put_results(h);
  return NOVA_ERR_ARGUMENT; /* the template names something else: a test sees */
}

int nova_html_write(const struct nova_results *r, const struct nova_mask *m,
                    enum nova_lang lang, const struct nova_mem *mem,
                    const struct nova_sink *sink) {
  struct html h = {r, m, mem, sink, lang};
  struct nova_view t = nova__page_template;
  int err = 0;
  while (t.n != 0 && err == 0) {
    const char *open = memmem(t.p, t.n, "{{", 2);
    size_t before = open != NULL ? (size_t)(open - t.p) : t.n;
    err = put(&h, t.p, before);
    t.p += before;
    t.n -= before;
    const char *close = t.n != 0 ? memmem(t.p, t.n, "}}", 2) : NULL;
    if (err != 0 || close == NULL)
      break;
    size_t name = (size_t)(close - t.p) - 2;
    err = put_place(&h, (struct nova_view){t.p + 2, name});
    t.p += name + 4;
    t.n -= name + 4;
  }
  return err;
}
