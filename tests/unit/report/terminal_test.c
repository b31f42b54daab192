#include "golden.h"
#include "sample.h"

#include "base/error.h"
#include "report/terminal.h"

#include <criterion/criterion.h>

static struct nova_buf buffer(void) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, NOVA_TERMINAL_SUMMARY);
  return b;
}

static void everything(const struct nova_terminal *t, struct sample *s,
                       struct nova_buf *b) {
  for (size_t i = 0; i < s->results.conversations; i++)
    cr_assert_eq(nova_terminal_conversation(t, &s->results.conversation[i], b),
                 0);
  cr_assert_eq(nova_terminal_summary(t, &s->results, "reports/x", b), 0);
}

Test(terminal, says_all_of_a_run_in_both_languages) {
  struct sample s;
  sample_init(&s, true);
  for (int lang = 0; lang < 2; lang++) {
    struct nova_buf b = buffer();
    struct nova_terminal t = {.lang = (enum nova_lang)lang,
                              .mask = &s.mask,
                              .verbosity = lang,
                              .width = 100};
    everything(&t, &s, &b);
    golden_compare(lang == 0 ? "terminal.en.txt" : "terminal.zh.txt",
                   nova_buf_view(&b));
    nova_buf_free(&b);
  }
  sample_free(&s);
}

/* Without colours nothing below a blank but line feeds; with them nothing but
 * our own SGR sequences; never a secret. */
Test(terminal, lets_no_byte_of_the_subject_act) {
  struct sample s;
  sample_init(&s, false);
  for (int color = 0; color < 2; color++) {
    struct nova_buf b = buffer();
    struct nova_terminal t = {
        .mask = &s.mask, .color = color != 0, .verbosity = 1};
    everything(&t, &s, &b);
    struct nova_conversation_result c = s.results.conversation[3];
    c.id = "id\x1b[31m\xc2\x9b"
           "1m\xe2\x80\xae\xe2\x81\xa6\xff\r\x7f";
    c.reason = "\x1b]0;title\x07 line\nfeed \xef\xbb\xbf\xe2\x80\xa8";
    cr_assert_eq(nova_terminal_conversation(&t, &c, &b), 0);
    const char *text = nova_buf_cstr(&b);
    cr_assert_not_null(
        strstr(text, "id\\x1b[31m\\u009b1m\\u202e\\u2066\\xff\\r\\x7f"));
    cr_assert_not_null(strstr(text, "\\x1b]0;title\\x07 line\\nfeed "
                                    "\\ufeff\\u2028"));
    for (const char *p = text; *p != '\0'; p++) {
      if ((unsigned char)*p >= 0x20 || *p == '\n')
        continue;
      cr_assert(color != 0 && *p == '\x1b' && p[1] == '[');
      cr_assert_eq(p[2 + strspn(p + 2, "0123456789;")], 'm');
    }
    cr_assert_null(strstr(text, "k7Qz"));
    nova_buf_free(&b);
  }
  sample_free(&s);
}

Test(terminal, quiet_shows_only_what_failed_and_the_outcome) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b = buffer();
  struct nova_terminal t = {.mask = &s.mask, .verbosity = -1};
  everything(&t, &s, &b);
  const char *text = nova_buf_cstr(&b);
  cr_assert_null(strstr(text, "tcp-auth-accepted"));
  cr_assert_null(strstr(text, "TLS-02"));
  cr_assert_not_null(strstr(text, "TCP-HB-09"));
  cr_assert_not_null(strstr(text, "NOT CONFORMANT: must requirements that "
                                  "failed: 2\n"));
  nova_buf_free(&b);
  sample_free(&s);
}

Test(terminal, a_known_failure_and_an_interrupted_run_say_so) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b = buffer();
  struct nova_terminal t = {.mask = &s.mask};
  for (size_t i = 0; i < s.results.requirements; i++)
    if (s.results.requirement[i].verdict == NOVA_VERDICT_FAIL) {
      s.results.requirement[i].expected_failure = true;
      s.results.requirement[i].expect_reason = "ticket 17";
    }
  s.results.interrupted = true;
  s.results.outcome = NOVA_OUTCOME_INCOMPLETE;
  everything(&t, &s, &b);
  const char *text = nova_buf_cstr(&b);
  cr_assert_null(strstr(text, "\nFailures"));
  cr_assert_not_null(strstr(text, "\nKnown failures (4)"));
  cr_assert_not_null(strstr(text, "known       ticket 17"));
  cr_assert_not_null(strstr(text, "could not be judged: 2\nthe run was "
                                  "interrupted"));
  s.results.outcome = NOVA_OUTCOME_CONFORMANT;
  nova_buf_clear(&b);
  nova_outcome_put(&b, NOVA_LANG_EN, &s.results);
  cr_assert_not_null(strstr(nova_buf_cstr(&b), "listed as a known failure"));
  s.results.outcome = NOVA_OUTCOME_NOT_CONFORMANT;
  nova_buf_clear(&b);
  nova_outcome_put(&b, NOVA_LANG_EN, &s.results);
  cr_assert_not_null(strstr(nova_buf_cstr(&b), "not true any more"));
  nova_buf_free(&b);
  sample_free(&s);
}

Test(terminal, the_live_line_tells_an_operator_what_is_awaited) {
  static const struct nova_live_wait waits[] = {
      {"DEV-1", "waiting for it to connect", 75 * NOVA_SEC},
      {"DEV-2\x1b[2J", "listening to its heartbeat", NOVA_TS_NONE},
      {NULL, "数据", NOVA_SEC}};
  static const char *const running[] = {"tcp-x"};
  struct nova_live l = {running, 1, 2, 9, 130 * NOVA_SEC, waits, 3};
  struct nova_terminal t = {.width = 200};
  struct nova_buf b = buffer();
  cr_assert_eq(nova_terminal_live(&t, &l, &b), 0);
  cr_assert_str_eq(
      nova_buf_cstr(&b),
      "DEV-1: waiting for it to connect, 1 min 15 s; "
      "DEV-2\\x1b[2J: listening to its heartbeat; 数据, 1 s  2 of 9 "
      "done  about 2 min 10 s left");
  t.width = 80;
  nova_buf_clear(&b);
  cr_assert_eq(nova_terminal_live(&t, &l, &b), 0);
  cr_assert_not_null(strstr(nova_buf_cstr(&b), "DEV-1: waiting"));
  cr_assert_null(strstr(nova_buf_cstr(&b), "DEV-2"));
  for (t.width = 1; t.width < 200; t.width++) {
    nova_buf_clear(&b);
    cr_assert_eq(nova_terminal_live(&t, &l, &b), 0);
    cr_assert_lt(nova_columns(nova_buf_view(&b)), t.width);
  }
  nova_buf_free(&b);
}

Test(terminal, the_live_line_fits_every_width) {
  static const char *const running[] = {"tcp-idle-timeout", "mqtt-数据上报",
                                        "c", "d\x1b[2J", "e"};
  struct nova_live l = {running, 5, 12, 140, 130 * NOVA_SEC, NULL, 0};
  struct nova_terminal t = {0};
  for (int lang = 0; lang < 2; lang++)
    for (t.width = 1; t.width < 140; t.width++) {
      t.lang = (enum nova_lang)lang;
      struct nova_buf b = buffer();
      cr_assert_eq(nova_terminal_live(&t, &l, &b), 0);
      cr_assert_lt(nova_columns(nova_buf_view(&b)), t.width);
      cr_assert_null(memchr(nova_buf_cstr(&b), '\x1b', b.len));
      nova_buf_free(&b);
    }
  struct nova_buf b = buffer();
  t = (struct nova_terminal){.width = 93};
  nova_terminal_live(&t, &l, &b);
  cr_assert_str_eq(nova_buf_cstr(&b),
                   "running 5: tcp-idle-timeout, mqtt-数据上报, c, 2 more  12 "
                   "of 140 done  about 2 min 10 s left",
                   "%s", nova_buf_cstr(&b));
  nova_buf_clear(&b);
  l.left = NOVA_TS_NONE;
  l.n = 0;
  nova_terminal_live(&t, &l, &b);
  cr_assert_str_eq(nova_buf_cstr(&b), "running 0:   12 of 140 done");
  nova_buf_free(&b);
}

Test(terminal, a_reason_is_cut_to_the_terminal) {
  struct nova_conversation_result c = {.id = "一二三四五六七八九十",
                                       .verdict = NOVA_VERDICT_FAIL};
  c.reason = "原因原因原因原因原因原因原因原因原因原因原因原因原因原因原因";
  struct nova_terminal t = {.width = 80, .lang = NOVA_LANG_ZH};
  struct nova_buf b = buffer();
  nova_terminal_conversation(&t, &c, &b);
  size_t columns =
      nova_columns((struct nova_view){nova_buf_view(&b).p, b.len - 1});
  cr_assert(columns <= 80 && columns > 74, "%zu", columns);
  cr_assert_not_null(strstr(nova_buf_cstr(&b), "...\n"));
  nova_buf_free(&b);
}

Test(terminal, every_need_of_a_requirement_is_told_how_to_meet) {
  static const char *const pairs[][2] = {
      {"hook:reset_key", "the hook reset_key: a command of that name under "
                         "hooks in the profile"},
      {"hook:reset_key in the profile", "the hook reset_key: a command of that "
                                        "name under hooks in the profile"},
      {"second_device", "another credential: --device ID:KEY once more"},
      {"platform", "the platform's MQTT credentials: platform in the profile"},
      {"tls", "a TLS address: --mqtts HOST:PORT"},
      {"declares:value_keys",
       "value_keys declared by the vendor: declares in the profile"},
      {"a full \x1b moon", "a full \\x1b moon"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    struct nova_buf b = buffer();
    nova_needs_put(&b, NOVA_LANG_EN, pairs[i][0]);
    cr_expect_str_eq(nova_buf_cstr(&b), pairs[i][1], "%s", nova_buf_cstr(&b));
    nova_buf_free(&b);
  }
}

Test(text, has_every_phrase_with_the_same_places_in_both_languages) {
  for (unsigned p = 0; p < NOVA_TEXTS; p++)
    for (char k = '1'; k <= '4'; k++) {
      char place[] = {'{', k, '}', '\0'};
      const char *en = nova_phrase(NOVA_LANG_EN, (enum nova_phrase)p);
      const char *zh = nova_phrase(NOVA_LANG_ZH, (enum nova_phrase)p);
      cr_expect_neq(*en, '\0');
      cr_expect_eq(strstr(en, place) != NULL, strstr(zh, place) != NULL,
                   "%s: %s", nova_phrase_name((enum nova_phrase)p), place);
    }
}

Test(text, seconds_keep_what_is_small) {
  static const struct {
    nova_ts t;
    const char *text;
  } all[] = {
      {0, "0.000 s"},
      {1, "0.000000001 s"},
      {450000, "0.000450 s"},
      {2 * NOVA_MS, "0.00200 s"},
      {123456789, "0.123 s"},
      {UINT64_C(121000900000), "121.000 s"},
      {NOVA_TS_NONE - 1, "18446744073.709 s"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    char out[40];
    cr_expect_str_eq(nova_seconds(all[i].t, out), all[i].text, "%s", out);
  }
}
