#include "sample.h"

#include "base/error.h"
#include "report/results_json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const char *written(struct sample *s, struct nova_buf *b, int whole) {
  nova_buf_init(b, NULL, 64 << 20);
  struct nova_sink sink = nova_sink_buf(b);
  int err = whole < 0
                ? nova_results_write_json(&s->results, &s->mask, NULL, &sink)
                : nova_transcript_write_json(&s->results, (size_t)whole,
                                             &s->mask, NULL, &sink);
  cr_assert_eq(err, 0, "%s", nova_error_name(err));
  return nova_buf_cstr(b);
}

Test(results_json, holds_no_secret_in_any_dress) {
  static const char *const secrets[] = {
      "secret/31",         "secret/3",    "secret\\\\/3",  "k7Qz",
      "second-device-key", "rotated-key", "platform%pass", "somebody",
      "736f6d65",          "6b37517a", /* hexadecimal k7Qz */
      "7365636f6e64",      "73 65 63",    "a2Q3",
  };
  struct sample s;
  sample_init(&s, false);
  for (int file = -1; file < 7; file++) {
    struct nova_buf b;
    const char *text = written(&s, &b, file);
    char name[32];
    if (file < 0)
      snprintf(name, sizeof name, "results.json");
    else
      snprintf(name, sizeof name, "transcript-%d.json", file);
    sample_keep(name, nova_buf_view(&b));
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
      const char *at = strstr(text, secrets[i]);
      cr_expect_null(at, "%s in file %d: %.80s", secrets[i], file,
                     at != NULL ? at : "");
    }
    nova_buf_free(&b);
  }
  sample_free(&s);
}

Test(results_json, writes_what_the_interface_shows) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b;
  const char *text = written(&s, &b, -1);
  static const char *const parts[] = {
      "{\n  \"format\": \"novaprobe-results\",\n  \"version\": 1,\n  \"tool\": "
      "{\"name\": \"novaprobe\", \"version\": \"0.1.0\"},\n  \"subject\": "
      "\"server\",\n  \"name\": \"Gateway 2.1\",",
      "\"seed\": 18446744073709551557,",
      "\"started\": \"2026-11-23T14:00:00Z\",\n  \"duration_s\": "
      "216.400000123,\n  \"interrupted\": false,",
      "{\"id\": \"DEV-000001\", \"key\": \"***\", \"key_length\": 17}",
      "\"must\": {\"pass\": 2, \"fail\": 2, \"inconclusive\": 1, "
      "\"not_tested\": 1, \"not_applicable\": 0}",
      "\"response_timeout\": \"2500ms\"",
      "\"timers_given\": [\"response_timeout\"]",
      "{\"t\": 0.002100, \"since\": 0.002000001, \"from\": \"device\", "
      "\"event\": \"sent\", \"connection\": 1, \"step\": 2, \"bytes\": 76, "
      "\"text\": \"{\\\"type\\\":\\\"auth\\\",\\\"device_id\\\":"
      "\\\"DEV-000001\\\",\\\"device_key\\\":\\\"***\\\"}\\n\", \"masked\": "
      "[{\"at\": 54, \"length\": 19, \"expected\": true, \"of\": "
      "\"DEV-000001\", \"form\": \"escaped\", \"secret_length\": 17}]}",
      "{\"t\": 121.003000007, \"from\": \"server\", \"event\": \"closed\", "
      "\"connection\": 1, \"how\": \"fin\"}",
      "\"hex\": \"7b2274797065223a2270696e67222cfffe00***7d0a\"",
      "\"event\": \"refused\", \"connection\": 1, \"code\": -1, \"bytes\": 18, "
      "\"text\": \"connection refused\"",
      "\"bytes\": 5000000, \"kept\": 18, \"text\": \"only the beginning\"",
      "\"text\": \"\\u0000\\u0016***\"",
      "\"transcript_cut\": true",
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    cr_expect_not_null(strstr(text, parts[i]), "%s", parts[i]);
  nova_buf_free(&b);
  sample_free(&s);
}

/* What is cut in results.json: whole characters, its length and a digest of
 * what stands in the transcript file. */
Test(results_json, cuts_long_payloads_with_their_digest) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b;
  const char *text = written(&s, &b, -1);
  const char *cut = strstr(text, "\"bytes\": 240037, \"kept\": 40");
  cr_assert_not_null(cut);
  cr_assert_not_null(strstr(cut, "\"sha256\": \""));
  nova_buf_free(&b);
  text = written(&s, &b, 4);
  cut = strstr(text, "\"bytes\": 240037, \"text\": \"{\\\"message\\\": \\\"");
  cr_assert_not_null(cut);
  cr_assert_null(strstr(text, "sha256"));
  nova_buf_free(&b);
  sample_free(&s);
}

static int refuse(void *user, const char *p, size_t n) {
  (void)p;
  (void)n;
  ++*(int *)user;
  return NOVA_ERR_LIMIT;
}

Test(results_json, stops_at_the_first_error_of_the_sink) {
  struct sample s;
  sample_init(&s, true);
  int calls = 0;
  struct nova_sink sink = {refuse, &calls};
  cr_assert_eq(nova_results_write_json(&s.results, &s.mask, NULL, &sink),
               NOVA_ERR_LIMIT);
  cr_assert_eq(calls, 1);
  sample_free(&s);
}
