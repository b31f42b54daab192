#include "sample.h"

#include "base/error.h"
#include "report/html.h"
#include "report/page.h"

#include <criterion/criterion.h>

static struct nova_buf page(struct sample *s, enum nova_lang lang) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 64 << 20);
  struct nova_sink sink = nova_sink_buf(&b);
  cr_assert_eq(nova_html_write(&s->results, &s->mask, lang, NULL, &sink), 0);
  return b;
}

static size_t occurrences(const char *text, const char *what) {
  size_t n = 0;
  for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what))
    n++;
  return n;
}

Test(html, holds_the_results_and_lets_nothing_break_out) {
  struct sample s;
  sample_init(&s, false);
  struct nova_buf b = page(&s, NOVA_LANG_EN);
  const char *text = nova_buf_cstr(&b);
  cr_assert_eq(occurrences(text, "<script"), 3 + 0);
  cr_assert_eq(occurrences(text, "</script"), 3);
  cr_assert_eq(occurrences(text, "<style"), 1);
  cr_assert_null(strstr(text, "<img"));
  cr_assert_null(strstr(text, "<!--"));
  cr_assert_null(strstr(text, "{{"));
  cr_assert_not_null(strstr(text, "\\u003c/script\\u003e"));
  cr_assert_not_null(strstr(text, "default-src 'none'; base-uri 'none'; "
                                  "form-action 'none'; style-src 'sha256-"));
  cr_assert_null(strstr(text, "unsafe"));
  cr_assert_null(strstr(text, "k7Qz"));
  /* No control character that would stand in the file but tabs and line feeds.
   */
  for (size_t i = 0; i < b.len; i++)
    cr_assert((unsigned char)text[i] >= 0x20 || text[i] == '\n', "%zu", i);
  sample_keep("report.html", nova_buf_view(&b));
  nova_buf_free(&b);
  sample_free(&s);
}

Test(html, starts_in_the_language_that_was_asked_for) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b = page(&s, NOVA_LANG_ZH);
  cr_assert_not_null(strstr(nova_buf_cstr(&b), "<html lang=\"zh\">"));
  nova_buf_free(&b);
  sample_free(&s);
}

/* The page itself may hold nothing that would turn data into markup, and load
 * nothing. */
Test(html, the_page_has_no_way_to_make_markup_of_data) {
  static const char *const words[] = {
      "innerHTML", "outerHTML", "document.write", "insertAdjacent", "eval(",
      "Function(", "http:",     "https:",         "@import",        "url("};
  const struct nova_view all[] = {nova__page_template, nova__page_style,
                                  nova__page_script};
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
      cr_assert_null(memmem(all[i].p, all[i].n, words[k], strlen(words[k])),
                     "%s", words[k]);
  cr_assert_null(
      memmem(nova__page_script.p, nova__page_script.n, "</script", 8));
}

/* Every phrase that the page names is in the list. */
Test(html, the_page_says_only_phrases_that_exist) {
  const char *p = nova__page_script.p, *end = p + nova__page_script.n;
  size_t found = 0;
  while ((p = memmem(p, (size_t)(end - p), "say(\"", 5)) != NULL) {
    p += 5;
    size_t n = strcspn(p, "\"");
    if (p[n - 1] == '_')
      continue; /* the rest is added */
    bool known = false;
    for (unsigned k = 0; k < NOVA_TEXTS; k++)
      known |= nova_view_is((struct nova_view){p, n},
                            nova_phrase_name((enum nova_phrase)k));
    cr_expect(known, "%.*s", (int)n, p);
    found++;
  }
  cr_assert_gt(found, 30);
}

static int later(void *user, const char *p, size_t n) {
  (void)p;
  (void)n;
  return --*(int *)user < 0 ? NOVA_ERR_LIMIT : 0;
}

Test(html, gives_back_the_sinks_error_wherever_it_comes) {
  struct sample s;
  sample_init(&s, true);
  int calls = 0, err = NOVA_ERR_LIMIT;
  for (; err != 0 && calls < 1000; calls++) {
    int left = calls;
    struct nova_sink sink = {later, &left};
    err = nova_html_write(&s.results, &s.mask, NOVA_LANG_EN, NULL, &sink);
    cr_assert(err == 0 || (err == NOVA_ERR_LIMIT && left == -1));
  }
  cr_assert(calls > 20 && calls < 1000, "%d", calls);
  sample_free(&s);
}
