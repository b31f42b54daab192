#include "golden.h"
#include "sample.h"

#include "base/error.h"
#include "report/junit.h"

#include <criterion/criterion.h>
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>

static void silent(void *user, const char *format, ...) {
  (void)user;
  (void)format;
}

static struct nova_buf junit(struct sample *s) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 16 << 20);
  struct nova_sink sink = nova_sink_buf(&b);
  cr_assert_eq(
      nova_junit_write(&s->results, &s->mask, NOVA_LANG_EN, NULL, &sink), 0);
  return b;
}

/* 0: valid; -1: not even well-formed. */
static int validate(struct nova_view v) {
  xmlSchemaParserCtxtPtr p =
      xmlSchemaNewParserCtxt(NOVA_SOURCE_DIR "/tests/unit/report/junit.xsd");
  xmlSchemaPtr schema = xmlSchemaParse(p);
  cr_assert_not_null(schema);
  xmlSchemaValidCtxtPtr ctx = xmlSchemaNewValidCtxt(schema);
  xmlSchemaSetValidErrors(ctx, silent, silent, NULL);
  xmlDocPtr doc =
      xmlReadMemory(v.p, (int)v.n, "junit.xml", NULL,
                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
  int result = doc != NULL ? xmlSchemaValidateDoc(ctx, doc) : -1;
  xmlFreeDoc(doc);
  xmlSchemaFreeValidCtxt(ctx);
  xmlSchemaFree(schema);
  xmlSchemaFreeParserCtxt(p);
  return result;
}

Test(junit, is_as_before) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b = junit(&s);
  golden_compare("junit.xml", nova_buf_view(&b));
  nova_buf_free(&b);
  sample_free(&s);
}

Test(junit, is_valid_whatever_the_subject_sent) {
  struct sample s;
  sample_init(&s, false);
  s.results.conversation[3].reason =
      "\x01\x1b]]>&<\xff\xef\xbf\xbe\xed\xa0\x80";
  struct nova_buf b = junit(&s);
  sample_keep("junit.xml", nova_buf_view(&b));
  cr_assert_eq(validate(nova_buf_view(&b)), 0);
  const char *text = nova_buf_cstr(&b);
  cr_assert_not_null(
      strstr(text, "\\x01\\x1b]]&gt;&amp;&lt;\\xff\\ufffe\\xed"));
  cr_assert_null(strstr(text, "k7Qz"));
  cr_assert_null(strstr(text, "<img"));
  nova_buf_free(&b);
  sample_free(&s);
}

/* That the schema refuses what it should: otherwise the test above is worth
 * nothing. */
Test(junit, the_schema_refuses_other_shapes) {
  static const char *const bad[] = {
      "<testsuites/>",
      "<testsuites name='a' tests='0' failures='0' errors='0' skipped='0' "
      "time='-1'/>",
      "<testsuites name='a' tests='0' failures='0' errors='0' skipped='0' "
      "time='1'><testcase/></testsuites>",
      "<testsuites",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_assert_neq(validate(nova_view_of(bad[i])), 0, "%s", bad[i]);
}

static size_t occurrences(const char *text, const char *what) {
  size_t n = 0;
  for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what))
    n++;
  return n;
}

Test(junit, shows_nothing_as_passed_that_was_not_judged) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b = junit(&s);
  const char *text = nova_buf_cstr(&b);
  cr_assert_eq(occurrences(text, "<testcase "), 18);
  cr_assert_eq(occurrences(text, "<failure "), 7);
  cr_assert_eq(occurrences(text, "<error "), 2);
  cr_assert_eq(occurrences(text, "<skipped "), 4);
  cr_assert_eq(occurrences(text, "time=\"0.000000\"/>") +
                   occurrences(text, "time=\"0.003500\"/>") +
                   occurrences(text, "time=\"9.000000\"/>"),
               5);
  cr_assert_not_null(
      strstr(text, "<testsuites name=\"novaprobe\" tests=\"18\" failures=\"7\" "
                   "errors=\"2\" skipped=\"4\" time=\"216.400000\">"));
  nova_buf_free(&b);
  /* A known failure is skipped, for its conversation too. */
  s.results.requirement[2].expected_failure = true;
  s.results.requirement[2].expect_reason = "ticket 17";
  b = junit(&s);
  text = nova_buf_cstr(&b);
  cr_assert_eq(occurrences(text, "<failure "), 5);
  cr_assert_eq(occurrences(text, "\"known failure: "), 2);
  cr_assert_eq(validate(nova_buf_view(&b)), 0);
  nova_buf_free(&b);
  sample_free(&s);
}

static int refuse(void *user, const char *p, size_t n) {
  (void)user;
  (void)p;
  (void)n;
  return NOVA_ERR_LIMIT;
}

Test(junit, gives_back_the_sinks_error) {
  struct sample s;
  sample_init(&s, true);
  struct nova_sink sink = {refuse, NULL};
  cr_assert_eq(nova_junit_write(&s.results, &s.mask, NOVA_LANG_EN, NULL, &sink),
               NOVA_ERR_LIMIT);
  sample_free(&s);
}
