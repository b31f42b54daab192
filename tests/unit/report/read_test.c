#include "sample.h"

#include "base/error.h"
#include "base/rng.h"
#include "report/mask.h"
#include "report/results_json.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define ARENA ((size_t)256 << 20)

static struct nova_buf write_results(const struct nova_results *r,
                                     const struct nova_mask *m) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 64 << 20);
  struct nova_sink sink = nova_sink_buf(&b);
  cr_assert_eq(nova_results_write_json(r, m, NULL, &sink), 0);
  return b;
}

static struct nova_buf write_transcript(const struct nova_results *r, size_t i,
                                        const struct nova_mask *m) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 64 << 20);
  struct nova_sink sink = nova_sink_buf(&b);
  cr_assert_eq(nova_transcript_write_json(r, i, m, NULL, &sink), 0);
  return b;
}

static void same(struct nova_buf *a, struct nova_buf *b, const char *what) {
  struct nova_view x = nova_buf_view(a), y = nova_buf_view(b);
  size_t i = 0;
  while (i < x.n && i < y.n && x.p[i] == y.p[i])
    i++;
  size_t from = i > 60 ? i - 60 : 0;
  cr_assert(i == x.n && i == y.n, "%s at %zu:\n%.160s\n%.160s", what, i,
            nova_buf_cstr(a) + from, nova_buf_cstr(b) + from);
}

struct read {
  struct nova_arena arena;
  struct nova_results results;
};

static void read_back(struct read *k, struct nova_buf *b) {
  nova_arena_init(&k->arena, NULL, ARENA);
  struct nova_read_error error;
  int err = nova_results_read_json(nova_buf_view(b).p, b->len, &k->arena,
                                   &k->results, &error);
  cr_assert_eq(err, 0, "%s", error.text);
}

Test(read, writing_what_was_read_changes_nothing) {
  for (int clean = 0; clean < 2; clean++) {
    struct sample s;
    sample_init(&s, clean != 0);
    s.results.conversation[4].device_key = SAMPLE_NEW_KEY;
    s.results.interrupted = clean != 0;
    s.results.requirement[2].expected_failure = true;
    s.results.requirement[2].expect_reason = "ticket 17";
    nova_mask_results(&s.mask, &s.results);
    struct nova_buf first = write_results(&s.results, &s.mask);
    struct read k;
    read_back(&k, &first);
    struct nova_buf second = write_results(&k.results, NULL);
    same(&first, &second, "results.json");
    /* With the transcripts in place it is the same again, digests included. */
    for (size_t i = 0; i < s.results.conversations; i++) {
      struct nova_buf whole = write_transcript(&s.results, i, &s.mask);
      struct nova_read_error error;
      int err = nova_transcript_read_json(nova_buf_view(&whole).p, whole.len,
                                          &k.arena, &k.results, &error);
      cr_assert_eq(err, 0, "%s", error.text);
      struct nova_buf again = write_transcript(&k.results, i, NULL);
      same(&whole, &again, "a transcript");
      nova_buf_free(&whole);
      nova_buf_free(&again);
    }
    nova_buf_free(&second);
    second = write_results(&k.results, NULL);
    same(&first, &second, "results.json with transcripts");
    nova_buf_free(&first);
    nova_buf_free(&second);
    nova_arena_free(&k.arena);
    sample_free(&s);
  }
}

/* What a judge compares: a key in messages, packets and hook output is the key
 * of the profile, and as long as it was. */
Test(read, placeholders_compare_as_the_secrets_did) {
  struct sample s;
  sample_init(&s, true);
  s.results.conversation[4].device = "DEV-000001";
  s.results.conversation[5].device = "DEV-000001";
  s.results.conversation[5].device_key = SAMPLE_NEW_KEY;
  nova_mask_free(&s.mask);
  nova_mask_init(&s.mask, NULL);
  nova_mask_results(&s.mask, &s.results);
  /* As after the hook: the profile has the new key, the file means the first.
   */
  s.profile.device[0].key = SAMPLE_NEW_KEY;
  struct nova_buf b = write_results(&s.results, &s.mask);
  struct read k;
  read_back(&k, &b);
  const struct nova_profile *p = k.results.profile;
  cr_assert_eq(p->devices, 3);
  const char *key = p->device[0].key;
  cr_assert_eq(strlen(key), strlen(SAMPLE_KEY));
  cr_assert_eq(strlen(p->device[1].key), strlen(SAMPLE_OTHER));
  cr_assert_str_neq(p->device[1].key, SAMPLE_OTHER);
  cr_assert_eq(strlen(p->platform.key), strlen(SAMPLE_PASSWORD));

  /* The escaped key of a message, unescaped. */
  struct nova_view line = k.results.conversation[0].transcript.entry[2].bytes;
  struct nova_json *j = nova_json_new(NULL, 1 << 20, 8);
  struct nova_json_value v;
  cr_assert_eq(nova_json_check(j, line.p, line.n, &v, NULL), 0);
  cr_assert_eq(line.n, s.results.conversation[0].transcript.entry[2].bytes.n);
  cr_assert(nova_json_string_is(nova_json_get(v, nova_view_of("device_key")),
                                nova_view_of(key)));
  /* A wrong one is another, as long. */
  line = k.results.conversation[1].transcript.entry[2].bytes;
  cr_assert_eq(nova_json_check(j, line.p, line.n, &v, NULL), 0);
  cr_assert_not(nova_json_string_is(
      nova_json_get(v, nova_view_of("device_key")), nova_view_of(key)));
  nova_json_free(j);

  /* The password of a CONNECT packet in segments. */
  const struct nova_transcript *t = &k.results.conversation[4].transcript;
  char packet[64];
  size_t n = 0;
  for (size_t i = 2; t->entry[i].kind == NOVA_ENTRY_SENT; i++) {
    memcpy(packet + n, t->entry[i].bytes.p, t->entry[i].bytes.n);
    n += t->entry[i].bytes.n;
  }
  cr_assert_eq(n, 51);
  cr_assert_eq(memcmp(packet + 29, p->device[1].key, strlen(SAMPLE_OTHER)), 0);

  /* The new key: the hook's output is the key in force afterwards. */
  const struct nova_entry *hook = t->entry;
  while (hook->kind != NOVA_ENTRY_HOOK)
    hook++;
  const char *now = k.results.conversation[5].device_key;
  cr_assert_not_null(now);
  cr_assert(nova_view_is(hook->bytes, now));
  cr_assert_str_neq(now, key);
  nova_buf_free(&b);
  nova_arena_free(&k.arena);
  sample_free(&s);
}

Test(read, keeps_the_profile) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b = write_results(&s.results, &s.mask);
  struct read k;
  read_back(&k, &b);
  const struct nova_profile *p = k.results.profile;
  cr_assert_str_eq(p->tcp.host, "127.0.0.1");
  cr_assert_eq(p->tcp.port, 9000);
  cr_assert_str_eq(p->mqtt.host, "::1");
  cr_assert_null(p->mqtts.host);
  cr_assert_eq(p->timers.span[NOVA_TIMER_response_timeout], 2500 * NOVA_MS);
  cr_assert(p->timers.set[NOVA_TIMER_response_timeout]);
  cr_assert_not(p->timers.set[NOVA_TIMER_heartbeat]);
  cr_assert_eq(p->timers.span[NOVA_TIMER_late_tolerance], NOVA_TS_NONE);
  cr_assert(p->transport[0] && p->transport[1] && !p->transport[2]);
  cr_assert_eq(p->value_keys_n, 2);
  cr_assert_str_eq(p->value_keys[1], "湿度");
  cr_assert_str_eq(p->actuators->name, "relay1");
  cr_assert(nova_view_is(p->actuators->values->json, "\"ON\""));
  cr_assert(nova_view_is(p->actuators->values->next->json, "80"));
  cr_assert_str_eq(p->hook[NOVA_HOOK_RESET_KEY], "./ctl --pass='***' reset");
  cr_assert_eq(k.results.conversation[3].transcript.entry[7].kind,
               NOVA_ENTRY_LAG);
  cr_assert_eq(k.results.conversation[3].transcript.entry[7].since, 750000);
  nova_buf_free(&b);
  nova_arena_free(&k.arena);
  sample_free(&s);
}

/* --- what is refused ----------------------------------------------------- */

#define HEAD                                                                   \
  "{\"format\": \"novaprobe-results\", \"version\": 1, \"tool\": {\"name\": "  \
  "\"novaprobe\", \"version\": \"0\"}, \"subject\": \"server\", \"name\": "    \
  "\"x\", \"seed\": 1, \"started\": \"2026-02-03T04:05:06Z\", "                \
  "\"duration_s\": 1.5, \"interrupted\": false, "
#define TALLY                                                                  \
  "{\"pass\": 0, \"fail\": 0, \"inconclusive\": 0, \"not_tested\": 0, "        \
  "\"not_applicable\": 0}"
#define SUMMARY                                                                \
  "\"summary\": {\"outcome\": \"conformant\", \"must\": " TALLY                \
  ", \"should\": " TALLY ", \"may\": " TALLY "}, "
#define TALK(transcript)                                                       \
  HEAD SUMMARY "\"requirements\": [], \"conversations\": [{\"id\": \"c\", "    \
               "\"verdict\": \"pass\", \"started_s\": 0, \"duration_s\": 0, "  \
               "\"transcript\": [" transcript "]}]}"
#define EVENT "{\"t\": 1, \"from\": \"device\", \"event\": \"sent\", "

static int try_text(const char *text, struct nova_read_error *error) {
  struct nova_arena arena;
  struct nova_results r;
  nova_arena_init(&arena, NULL, 1 << 20);
  int err = nova_results_read_json(text, strlen(text), &arena, &r, error);
  nova_arena_free(&arena);
  return err;
}

Test(read, takes_the_least_that_the_interface_names) {
  struct nova_read_error error;
  cr_assert_eq(try_text(TALK(EVENT "\"bytes\": 1, \"text\": \"a\"}"), &error),
               0, "%s", error.text);
}

/* A sending stands where it began, with the time at which it was out. */
Test(read, takes_a_sending_that_was_out_late) {
  struct nova_read_error error;
  cr_assert_eq(
      try_text(TALK(EVENT "\"bytes\": 0, \"text\": \"\"}, {\"t\": 0.5, "
                          "\"from\": \"device\", \"event\": \"note\"}"),
               &error),
      0, "%s", error.text);
}

Test(read, says_where_and_what_it_wants) {
  static const struct {
    const char *text, *error;
  } all[] = {
      {"", "no value at byte 0"},
      {"{\"a\": \xff}", "invalid UTF-8 at byte 6"},
      {"[]", "expected an object"},
      {"{}", "format: expected one of novaprobe-results"},
      {"{\"format\": \"novaprobe-results\"}",
       "version: expected a whole number in its range"},
      {"{\"format\": \"novaprobe-results\", \"version\": 2}",
       "version: expected a whole number in its range"},
      {HEAD "\"x\": 1}", "summary: expected an object"},
      {HEAD SUMMARY "\"conversations\": []}",
       "requirements: expected an array"},
      {HEAD SUMMARY "\"conversations\": [], \"requirements\": [1]}",
       "requirements[0]: expected an object"},
      {HEAD SUMMARY
       "\"conversations\": [], \"requirements\": [{\"id\": \"R\", \"level\": "
       "\"must\", \"basis\": \"stated\", \"section\": \"1\", \"binds\": "
       "\"server\", \"verdict\": \"pass\", \"conversations\": [\"c\"]}]}",
       "requirements[0].conversations: expected each conversation once"},
      {HEAD SUMMARY
       "\"conversations\": [], \"requirements\": [{\"id\": \"R\", \"level\": "
       "\"perhaps\"}]}",
       "requirements[0].level: expected one of must, should, may"},
      {TALK("{\"t\": -1}"), "conversations[0].transcript[0].t: expected "
                            "seconds with at most 9 decimals"},
      {TALK("{\"t\": 1e3}"), "conversations[0].transcript[0].t: expected "
                             "seconds with at most 9 decimals"},
      {TALK("{\"t\": 1.0000000001}"),
       "conversations[0].transcript[0].t: expected seconds with at most 9 "
       "decimals"},
      {TALK("{\"t\": 99999999999999999999}"),
       "conversations[0].transcript[0].t: expected seconds with at most 9 "
       "decimals"},
      {TALK(EVENT "\"bytes\": 1}"),
       "conversations[0].transcript[0].text: expected text or hex"},
      {TALK(EVENT "\"text\": \"a\"}"),
       "conversations[0].transcript[0].bytes: expected the length of the "
       "payload"},
      {TALK(EVENT "\"bytes\": 2, \"text\": \"a\"}"),
       "conversations[0].transcript[0].text: expected as many bytes as it "
       "says, "
       "and *** where it is masked"},
      {TALK(EVENT "\"bytes\": 1, \"text\": \"ab\"}"),
       "conversations[0].transcript[0].text: expected as many bytes as it "
       "says, "
       "and *** where it is masked"},
      {TALK(EVENT "\"bytes\": 1, \"hex\": \"0g\"}"),
       "conversations[0].transcript[0].hex: expected as many bytes as it says, "
       "and *** where it is masked"},
      {TALK(EVENT "\"bytes\": 8, \"text\": \"**\", \"masked\": [{\"at\": 0, "
                  "\"length\": 8}]}"),
       "conversations[0].transcript[0].text: expected as many bytes as it "
       "says, "
       "and *** where it is masked"},
      {TALK(EVENT "\"bytes\": 8, \"text\": \"***\", \"masked\": [{\"at\": 0, "
                  "\"length\": 9}]}"),
       "conversations[0].transcript[0].text: expected as many bytes as it "
       "says, "
       "and *** where it is masked"},
      {TALK(EVENT "\"bytes\": 8, \"text\": \"***a***\", \"masked\": [{\"at\": "
                  "4, \"length\": 1}, {\"at\": 1, \"length\": 2}]}"),
       "conversations[0].transcript[0].masked[1].at: expected places in their "
       "order"},
      {TALK(EVENT "\"bytes\": 8, \"text\": \"***\", \"masked\": [{\"at\": 0, "
                  "\"length\": 8, \"part\": 3, \"whole\": 10}]}"),
       "conversations[0].transcript[0].masked[0].part: expected a part of the "
       "whole"},
      {TALK("{\"t\": 1, \"from\": \"server\", \"event\": \"closed\", \"how\": "
            "\"half\"}"),
       "conversations[0].transcript[0].how: expected fin or rst of the "
       "subject"},
      {TALK("{\"t\": 1, \"from\": \"nobody\", \"event\": \"closed\"}"),
       "conversations[0].transcript[0].from: expected one of device, server, "
       "platform, harness"},
      {HEAD "\"profile\": {\"devices\": [{\"id\": \"D\", \"key\": "
            "\"plain\"}]}}",
       "profile.devices[0].key: expected ***, a masked secret"},
      {HEAD "\"profile\": {\"tcp\": \"nowhere\"}}",
       "profile.tcp: expected HOST:PORT"},
      {HEAD "\"profile\": {\"timers\": {\"heartbeat\": \"soon\"}}}",
       "profile.heartbeat: expected a duration, such as 10s"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    struct nova_read_error error = {""};
    cr_expect_neq(try_text(all[i].text, &error), 0, "%s", all[i].text);
    cr_expect_str_eq(error.text, all[i].error, "%s\n%s", error.text,
                     all[i].error);
  }
}

/* They stand as they were told; two transports tell by themselves. */
Test(read, takes_events_that_were_told_late) {
  struct nova_read_error error = {""};
  cr_expect_eq(
      try_text(
          TALK("{\"t\": 1, \"from\": \"device\", \"event\": \"note\"}, {\"t\": "
               "0.5, \"from\": \"device\", \"event\": \"note\"}"),
          &error),
      0, "%s", error.text);
}

Test(read, refuses_more_lists_than_a_run_has) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 1 << 20);
  nova_buf_puts(&b, HEAD SUMMARY "\"conversations\": [], \"requirements\": [0");
  for (size_t i = 0; i < 8192; i++)
    nova_buf_puts(&b, ",0");
  nova_buf_puts(&b, "]}");
  struct nova_read_error error;
  cr_assert_eq(try_text(nova_buf_cstr(&b), &error), NOVA_ERR_ARGUMENT);
  cr_assert_str_eq(error.text, "requirements: expected at most 8192");
  nova_buf_free(&b);
}

/* 4 GB of placeholders in 100 bytes of text. */
Test(read, a_small_file_cannot_take_much_memory) {
  struct nova_read_error error;
  cr_assert_eq(
      try_text(TALK(EVENT "\"bytes\": 400000000, \"text\": \"***\", "
                          "\"masked\": [{\"at\": 0, \"length\": 400000000, "
                          "\"expected\": true, \"of\": \"D\"}]}"),
               &error),
      NOVA_ERR_NO_MEMORY);
}

/* Whatever is changed, it is read or refused, and nothing else happens. */
Test(read, survives_changed_files) {
  struct sample s;
  sample_init(&s, false);
  /* The large payload would only slow it down. */
  s.results.conversation[4].transcript.n = 8;
  struct nova_buf b = write_results(&s.results, &s.mask);
  const char *text = nova_buf_cstr(&b);
  size_t n = b.len, read = 0;
  char *copy = nova_mem_alloc(NULL, n);
  struct nova_rng rng;
  nova_rng_init(&rng, 4);
  for (unsigned i = 0; i < 3000; i++) {
    memcpy(copy, text, n);
    size_t size = n;
    switch (nova_rng_below(&rng, 3)) {
    case 0:
      copy[nova_rng_below(&rng, n)] ^= (char)(1 << nova_rng_below(&rng, 7));
      break;
    case 1: size = nova_rng_below(&rng, n); break;
    default: { /* digits change: counts, offsets, lengths */
      size_t at = nova_rng_below(&rng, n);
      while (at < n && (copy[at] < '0' || copy[at] > '9'))
        at++;
      if (at < n)
        copy[at] = (char)('0' + nova_rng_below(&rng, 10));
    }
    }
    struct nova_arena arena;
    struct nova_results r;
    struct nova_read_error error;
    nova_arena_init(&arena, NULL, ARENA);
    int err = nova_results_read_json(copy, size, &arena, &r, &error);
    cr_assert(err == 0 || error.text[0] != '\0');
    if (err == 0) {
      struct nova_buf again = write_results(&r, NULL);
      nova_buf_free(&again);
      read++;
    }
    nova_arena_free(&arena);
  }
  cr_assert_gt(read, 100);
  nova_mem_free(NULL, copy);
  nova_buf_free(&b);
  sample_free(&s);
}

Test(read, a_transcript_must_belong_to_the_results) {
  struct sample s;
  sample_init(&s, true);
  struct nova_buf b = write_results(&s.results, &s.mask);
  struct nova_buf t = write_transcript(&s.results, 0, &s.mask);
  struct read k;
  read_back(&k, &b);
  struct nova_read_error error;
  k.results.conversation[0].id = "another";
  cr_assert_eq(nova_transcript_read_json(nova_buf_view(&t).p, t.len, &k.arena,
                                         &k.results, &error),
               NOVA_ERR_ARGUMENT);
  cr_assert_str_eq(error.text,
                   "conversation: expected one that results.json has");
  k.results.conversation[0].id = "tcp-auth-accepted";
  k.results.conversation[0].transcript.n--;
  cr_assert_eq(nova_transcript_read_json(nova_buf_view(&t).p, t.len, &k.arena,
                                         &k.results, &error),
               NOVA_ERR_ARGUMENT);
  cr_assert_str_eq(error.text,
                   "transcript: expected as many events as results.json has");
  cr_assert_eq(nova_transcript_read_json(nova_buf_view(&b).p, b.len, &k.arena,
                                         &k.results, &error),
               NOVA_ERR_ARGUMENT);
  nova_buf_free(&b);
  nova_buf_free(&t);
  nova_arena_free(&k.arena);
  sample_free(&s);
}

Test(read, every_day_comes_back) {
  struct sample s;
  sample_init(&s, true);
  for (uint64_t day = 0; day < 60000; day += 61) {
    s.results.started_unix_ns = (day * 86400 + day) * NOVA_SEC;
    s.results.conversations = s.results.requirements = 0;
    struct nova_buf b = write_results(&s.results, &s.mask);
    struct read k;
    read_back(&k, &b);
    cr_assert_eq(k.results.started_unix_ns, s.results.started_unix_ns);
    nova_buf_free(&b);
    nova_arena_free(&k.arena);
  }
  sample_free(&s);
}
