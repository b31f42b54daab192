#include "sample.h"

#include "base/error.h"
#include "report/mask_find.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* |text| masked, for comparing. */
static const char *masked(struct nova_mask *m, struct nova_view text) {
  static struct nova_buf b;
  if (b.max == 0)
    nova_buf_init(&b, NULL, 1 << 22);
  nova_buf_clear(&b);
  cr_assert_eq(nova_mask_text(m, text, &b), 0);
  return nova_buf_cstr(&b);
}

static void expect(struct nova_mask *m, const char *text, const char *want) {
  const char *got = masked(m, nova_view_of(text));
  cr_expect_str_eq(got, want, "%s\n gives %s\n wants %s", text, got, want);
}

Test(mask, finds_a_key_in_its_encodings) {
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  nova_mask_add(&m, "DEV-1", nova_view_of("s3cret-key?>"));
  expect(&m, "the key s3cret-key?> is wrong", "the key *** is wrong");
  expect(&m, "s3cret-key?>s3cret-key?>", "******");
  expect(&m, "\\u0073\\u0033\\u0063ret-key?\\u003E.", "***.");
  expect(&m, "s3\\\\u0063ret-key\\u003f>", "***");
  expect(&m, "a=s3cret-key%3F%3e&b", "a=***&b");
  expect(&m, "%73%33%63%72%65%74%2d%6b%65%79%3f%3e", "***");
  expect(&m, "7333637265742d6b65793f3e", "***");
  expect(&m, "x7333637265742D6B65793F3Ex", "x***x");
  expect(&m, "czNjcmV0LWtleT8+", "***");
  expect(&m, "czNjcmV0LWtleT8-", "***");
  nova_mask_add(&m, "DEV-2", nova_view_of("padded--00"));
  expect(&m, "cGFkZGVkLS0wMA==", "***");
  expect(&m, "cGFkZGVkLS0wMA;", "***;");
  /* All but a character is no key, nor is another one. */
  expect(&m, "s3cret-key?", "s3cret-key?");
  expect(&m, "S3cret-key?>", "S3cret-key?>");
  expect(&m, "%73%33%6", "%73%33%6");
  nova_mask_free(&m);
}

Test(mask, looks_through_escaped_quotation_marks_and_backslashes) {
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  nova_mask_add(&m, "DEV-1", nova_view_of("\"a\\b\"c"));
  expect(&m, "x\"a\\b\"cx", "x***x");
  expect(&m, "x\\\"a\\\\b\\\"cx", "x***x");
  expect(&m, "x\\\\\\\"a\\\\\\\\b\\\\\\\"cx", "x***x");
  expect(&m, "\\u0022a\\u005cb\\u0022c", "***");
  nova_mask_add(&m, "DEV-2", nova_view_of("\xe5\xaf\x86\xf0\x9f\x94\x91/1"));
  expect(&m, "\\u5bc6\\ud83d\\udd11\\/1 \xe5\xaf\x86\xf0\x9f\x94\x91/1",
         "*** ***");
  /* A percent sign of the key itself. */
  nova_mask_add(&m, "DEV-3", nova_view_of("%41xyz"));
  expect(&m, "%41xyz %2541xyz Axyz", "*** *** Axyz");
  nova_mask_free(&m);
}

Test(mask, takes_the_longest_of_keys_with_one_beginning) {
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  nova_mask_add(&m, "DEV-1", nova_view_of("key-0001"));
  nova_mask_add(&m, "DEV-2", nova_view_of("key-00012345"));
  expect(&m, "key-00012345 key-0001 key-000", "*** *** key-000");
  nova_mask_free(&m);
}

Test(mask, short_keys_only_as_a_value_and_empty_ones_never) {
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  nova_mask_add(&m, "DEV-1", nova_view_of("k"));
  nova_mask_add(&m, "DEV-2", nova_view_of(""));
  expect(&m, "a k is a key {\"key\":\"k\",\"device_key\":\"\"}",
         "a k is a key {\"key\":\"***\",\"device_key\":\"\"}");
  nova_mask_free(&m);
}

Test(mask, values_of_secret_members_known_or_not) {
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  static const char *const pairs[][2] = {
      {"{\"device_key\":\"unknown\",\"a\":\"b\"}",
       "{\"device_key\":\"***\",\"a\":\"b\"}"},
      {"{\"PASSWORD\" : \"a\\\"b\\\\\", \"x\":1}",
       "{\"PASSWORD\" : \"***\", \"x\":1}"},
      {"{\"key\":-12.5e3}", "{\"key\":***}"},
      {"{\"key\":null,\"k\":true}", "{\"key\":null,\"k\":true}"},
      {"{\"key\":[\"a\",{\"n\":\"b\",\"m\":7},false],\"x\":\"y\"}",
       "{\"key\":[\"***\",{\"n\":\"***\",\"m\":***},false],\"x\":\"y\"}"},
      {"{\"device\\u005fkey\":\"abc\"}", "{\"device\\u005fkey\":\"***\"}"},
      /* Quoted inside a string, and inside one inside that. */
      {"\"bad: {\\\"device_key\\\":\\\"a\\\\\\\"b\\\",\\\"n\\\":1}\"",
       "\"bad: {\\\"device_key\\\":\\\"***\\\",\\\"n\\\":1}\""},
      {"{\\\\\\\"key\\\\\\\":\\\\\\\"abc\\\\\\\"}",
       "{\\\\\\\"key\\\\\\\":\\\\\\\"***\\\\\\\"}"},
      /* Broken text: to the line's end. */
      {"{\"device_key\":\"abc\n{\"x\":1}", "{\"device_key\":\"***\n{\"x\":1}"},
      {"{\"device_key\":\"abc", "{\"device_key\":\"***"},
      {"{\"device_key\":[\"abc\n", "{\"device_key\":[\"***\n"},
      {"{\"device_key\":", "{\"device_key\":"},
      {"{\"device_key\"", "{\"device_key\""},
      {"\"monkey\":\"a\" \"key\"\"b\"", "\"monkey\":\"a\" \"key\"\"b\""},
      {"{\"device_key\":\"***\"}", "{\"device_key\":\"***\"}"},
      /* As a finding tells it. */
      {"password was \"abc\\\"d\"; expected: <the device key>",
       "password was \"***\"; expected: <the device key>"},
      {"device_key was \"abc", "device_key was \"***"},
      {"{\"observed\":\"auth.key was \\\"abc\\\"; \\\"x\\\"\"}",
       "{\"observed\":\"auth.key was \\\"***\\\"; \\\"x\\\"\"}"},
      {"password was \"\"; it was \"abc\"",
       "password was \"\"; it was \"abc\""},
      {"username was \"abc\"", "username was \"abc\""},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    expect(&m, pairs[i][0], pairs[i][1]);
  nova_mask_free(&m);
}

Test(mask, the_beginning_of_a_key_in_a_text_that_was_cut) {
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  nova_mask_add(&m, "DEV-1", nova_view_of("0123456789"));
  expect(&m, "expected 0123456...", "expected ***...");
  expect(&m, "expected 01234567\xe2\x80\xa6", "expected ***\xe2\x80\xa6");
  expect(&m, "expected 012...", "expected 012...");
  expect(&m, "expected 012345", "expected 012345");
  char longer[200];
  memset(longer, 'x', sizeof longer);
  memcpy(longer + 190, "012345678", 10);
  cr_assert_str_eq(masked(&m, nova_view_of(longer)) + 188, "xx***");
  nova_mask_free(&m);
}

Test(mask, finds_one_of_four_thousand_keys_quickly_and_all_of_them) {
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  char key[32], id[32];
  for (unsigned i = 0; i < 4096; i++) {
    snprintf(key, sizeof key, "key-%u-x", i * 7919u);
    snprintf(id, sizeof id, "DEV-%06u", i);
    cr_assert_eq(nova_mask_add(&m, id, nova_view_of(key)), 0);
  }
  cr_assert_eq(m.n, 4096);
  for (unsigned i = 0; i < 4096; i += 101) {
    snprintf(key, sizeof key, "key-%u-x", i * 7919u);
    expect(&m, key, "***");
  }
  nova_mask_free(&m);
}

static void *no_more(void *p, size_t n, void *user) {
  size_t *left = user;
  if (*left == 0)
    return NULL;
  --*left;
  return nova_mem_realloc(NULL, p, n);
}

static void no_free(void *p, void *user) {
  (void)user;
  nova_mem_free(NULL, p);
}

Test(mask, says_when_memory_runs_out) {
  for (size_t n = 0; n < 40; n++) {
    size_t left = n;
    struct nova_mem mem = {no_more, no_free, &left};
    struct sample s;
    sample_init(&s, true);
    struct nova_mask m;
    nova_mask_init(&m, &mem);
    int err = nova_mask_results(&m, &s.results);
    cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
    struct nova_masking k;
    if (err == 0) {
      err = nova_mask_transcript(&m, &s.results.conversation[4], &mem, &k);
      cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY);
      nova_masking_free(&k);
    }
    nova_mask_free(&m);
    sample_free(&s);
  }
}

/* --- transcripts --------------------------------------------------------- */

static struct nova_masking places(struct sample *s, size_t conversation) {
  struct nova_masking k;
  cr_assert_eq(nova_mask_transcript(
                   &s->mask, &s->results.conversation[conversation], NULL, &k),
               0);
  return k;
}

Test(mask_transcript, says_whose_key_it_is_and_whether_it_was_expected) {
  struct sample s;
  sample_init(&s, true);
  struct nova_masking k = places(&s, 0);
  cr_assert_eq(k.places, 1);
  cr_assert_eq(k.first[2], 0);
  cr_assert_eq(k.first[3], 1);
  const char *line = s.results.conversation[0].transcript.entry[2].bytes.p;
  cr_assert_eq(k.place[0].at, (size_t)(strstr(line, "k7Qz") - line));
  cr_assert_eq(k.place[0].length, strlen(SAMPLE_KEY) + 2);
  cr_assert_eq(k.place[0].secret, strlen(SAMPLE_KEY));
  cr_assert_eq(k.place[0].form, NOVA_MASKED_ESCAPED);
  cr_assert(k.place[0].expected);
  cr_assert_str_eq(k.place[0].of, "DEV-000001");
  nova_masking_free(&k);
  /* A wrong key that is made from the right one, and its echo. */
  k = places(&s, 1);
  cr_assert_eq(k.places, 2);
  for (size_t i = 0; i < 2; i++) {
    cr_assert(!k.place[i].expected);
    cr_assert_null(k.place[i].of);
    cr_assert_eq(k.place[i].length, strlen(SAMPLE_WRONG) + 2);
  }
  nova_masking_free(&k);
  sample_free(&s);
}

Test(mask_transcript, follows_a_stream_through_its_segments) {
  struct sample s;
  sample_init(&s, true);
  const struct nova_transcript *t = &s.results.conversation[4].transcript;
  struct nova_masking k = places(&s, 4);
  /* The password: byte 27 of 49, in segments of 9: 27 to 36, 36 to 45, 45. */
  static const struct {
    size_t entry, at, length, part;
  } want[] = {{5, 2, 7, 0}, {6, 0, 9, 7}, {7, 0, 6, 16}};
  cr_assert_eq(t->entry[5].bytes.n, 9);
  for (size_t i = 0; i < 3; i++) {
    size_t n = k.first[want[i].entry];
    cr_assert_eq(k.first[want[i].entry + 1], n + 1, "%zu", i);
    cr_assert_eq(k.place[n].at, want[i].at, "%zu: %zu", i, k.place[n].at);
    cr_assert_eq(k.place[n].length, want[i].length);
    cr_assert_eq(k.place[n].part, want[i].part);
    cr_assert_eq(k.place[n].whole, strlen(SAMPLE_OTHER));
    cr_assert_str_eq(k.place[n].of, "DEV-000002");
    cr_assert(k.place[n].expected);
    char fill[16], all[32];
    nova_mask_fill(&k.place[n], fill);
    nova_mask_placeholder("DEV-000002", 0, strlen(SAMPLE_OTHER), all);
    cr_assert_eq(memcmp(fill, all + want[i].part, want[i].length), 0);
  }
  nova_masking_free(&k);
  sample_free(&s);
}

Test(mask_transcript, learns_a_new_key_from_a_hook_that_was_used) {
  struct sample s;
  sample_init(&s, true);
  const struct nova_transcript *t = &s.results.conversation[4].transcript;
  struct nova_masking k = places(&s, 4);
  size_t hook = 0;
  while (t->entry[hook].kind != NOVA_ENTRY_HOOK)
    hook++;
  cr_assert_eq(k.first[hook + 1] - k.first[hook], 1);
  /* The message after it: the new key, and a short one of another device. */
  const struct nova_masked *p = &k.place[k.first[hook + 1]];
  cr_assert_eq(k.first[hook + 2] - k.first[hook + 1], 2);
  cr_assert_eq(p[1].length, 3);
  cr_assert_str_eq(p[1].of, "DEV-000003");
  cr_assert(!p[1].expected);
  nova_masking_free(&k);
  /* Named by the run: it is the device's, of another generation. */
  nova_mask_free(&s.mask);
  nova_mask_init(&s.mask, NULL);
  s.results.conversation[5].device = "DEV-000001";
  s.results.conversation[5].device_key = SAMPLE_NEW_KEY;
  nova_mask_results(&s.mask, &s.results);
  k = places(&s, 4);
  p = &k.place[k.first[hook]];
  cr_assert_str_eq(p->of, "DEV-000001");
  cr_assert_eq(p->generation, 1);
  nova_masking_free(&k);
  sample_free(&s);
}

/* A CONNECT packet of one to 127 bytes behind the header. */
static void connect_packet(struct nova_buf *b, int flags, const char *password,
                           unsigned char first) {
  nova_buf_clear(b);
  size_t n = 16 + (password != NULL ? 2 + strlen(password) : 0);
  char head[] = {(char)first, (char)n,     0, 4, 'M', 'Q', 'T', 'T',
                 4,           (char)flags, 0, 9, 0,   1,   'c'};
  nova_buf_append(b, head, sizeof head);
  nova_buf_append(b, "\0\1u", 3);
  if (password == NULL)
    return;
  char length[] = {0, (char)strlen(password)};
  nova_buf_append(b, length, 2);
  nova_buf_puts(b, password);
}

/* Right, wrong, short, empty and absent, wherever the stream is cut and
 * whatever comes before it on an MQTT connection. */
Test(mask_transcript, finds_every_password_of_mqtt) {
  static const struct {
    const char *password;
    bool known, expected;
  } all[] = {{"right-password", true, true},
             {"wrong", false, false},
             {"abc", true, false}, /* of another device */
             {"x", false, false},
             {"", false, false},
             {NULL, false, false}};
  static const char before[] = "\xc0\0";
  struct nova_buf b, stream;
  nova_buf_init(&b, NULL, 256);
  nova_buf_init(&stream, NULL, 256);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    for (int ping = 0; ping < 2; ping++)
      for (int flawed = 0; flawed < 2; flawed++) {
        const char *pw = all[i].password;
        connect_packet(&b, pw != NULL ? 0xc2 : 0x82, pw, flawed ? 0x13 : 0x10);
        nova_buf_clear(&stream);
        if (ping)
          nova_buf_append(&stream, before, 2);
        nova_buf_append(&stream, b.data + b.head, b.len);
        nova_buf_append(&stream, before, 2);
        for (size_t cut = 1; cut < stream.len; cut++) {
          struct nova_entry e[2] = {
              {.kind = NOVA_ENTRY_RECEIVED,
               .connection = 1,
               .size = cut,
               .bytes = {stream.data, cut}},
              {.kind = NOVA_ENTRY_RECEIVED,
               .connection = 1,
               .size = stream.len - cut,
               .bytes = {stream.data + cut, stream.len - cut}}};
          struct nova_conversation_result c = {
              .id = "c", .transport = "mqtt", .device = "DEV-1"};
          c.transcript.entry = e;
          c.transcript.n = 2;
          struct nova_mask m;
          nova_mask_init(&m, NULL);
          nova_mask_add(&m, "DEV-1", nova_view_of("right-password"));
          nova_mask_add(&m, "DEV-3", nova_view_of("abc"));
          struct nova_masking k;
          cr_assert_eq(nova_mask_transcript(&m, &c, NULL, &k), 0);
          size_t masked = 0;
          for (size_t p = 0; p < k.places; p++) {
            masked += k.place[p].length;
            cr_expect_eq(k.place[p].of != NULL, all[i].known);
            cr_expect_eq(k.place[p].expected, all[i].expected);
          }
          cr_expect_eq(masked, pw != NULL ? strlen(pw) : 0, "%s %d %d %zu: %zu",
                       pw, ping, flawed, cut, masked);
          nova_masking_free(&k);
          nova_mask_free(&m);
        }
      }
  nova_buf_free(&stream);
  nova_buf_free(&b);
}

/* A packet that never ended, and a CONNECT of the next connection, which has
 * the same number. */
Test(mask_transcript, a_new_connection_is_a_new_stream) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 256);
  connect_packet(&b, 0xc2, "x", 0x10);
  struct nova_entry e[] = {{.kind = NOVA_ENTRY_RECEIVED,
                            .connection = 1,
                            .size = 3,
                            .bytes = BYTES("\x30\x7f\0")},
                           {.kind = NOVA_ENTRY_ACCEPTED, .connection = 1},
                           {.kind = NOVA_ENTRY_RECEIVED,
                            .connection = 1,
                            .size = b.len,
                            .bytes = nova_buf_view(&b)}};
  struct nova_conversation_result c = {.id = "c", .transport = "mqtts"};
  c.transcript.entry = e;
  c.transcript.n = 3;
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  for (int again = 0; again < 2; again++) {
    struct nova_masking k;
    cr_assert_eq(nova_mask_transcript(&m, &c, NULL, &k), 0);
    cr_expect_eq(k.places, again ? 0 : 1);
    cr_expect_eq(k.first[2], 0);
    nova_masking_free(&k);
    e[1].connection = 2; /* it is still the same one */
  }
  nova_mask_free(&m);
  nova_buf_free(&b);
}

/* Two entries of one connection with a gap between are two texts, and two
 * connections are two. */
Test(mask_transcript, does_not_join_what_is_apart) {
  struct nova_entry e[] = {
      {.kind = NOVA_ENTRY_SENT,
       .connection = 1,
       .size = 6,
       .bytes = BYTES("xx0123")},
      {.kind = NOVA_ENTRY_SENT,
       .connection = 2,
       .size = 6,
       .bytes = BYTES("4567xx")},
      {.kind = NOVA_ENTRY_RECEIVED,
       .connection = 1,
       .size = 9,
       .bytes = BYTES("xx0123")},
      {.kind = NOVA_ENTRY_RECEIVED,
       .connection = 1,
       .size = 6,
       .bytes = BYTES("4567xx")},
      {.kind = NOVA_ENTRY_SENT,
       .connection = 1,
       .size = 6,
       .bytes = BYTES("4567xx")},
  };
  struct nova_conversation_result c = {.id = "c"};
  c.transcript.entry = e;
  c.transcript.n = 5;
  struct nova_mask m;
  nova_mask_init(&m, NULL);
  nova_mask_add(&m, "DEV-1", nova_view_of("01234567"));
  struct nova_masking k;
  cr_assert_eq(nova_mask_transcript(&m, &c, NULL, &k), 0);
  cr_assert_eq(k.places, 2);
  cr_assert_eq(k.first[1], 1);
  cr_assert_eq(k.first[4], 1);
  cr_assert_eq(k.first[5], 2);
  nova_masking_free(&k);
  nova_mask_free(&m);
}

Test(mask_fill, keeps_length_and_value_of_an_escaped_key) {
  for (size_t n = 1; n < 12; n++)
    for (size_t length = n; length <= 6 * n; length++) {
      struct nova_masked p = {.length = length,
                              .of = "DEV-1",
                              .secret = n,
                              .whole = length,
                              .form = NOVA_MASKED_ESCAPED};
      char out[80];
      memset(out, '#', sizeof out);
      nova_mask_fill(&p, out);
      cr_assert_eq(out[length], '#');
      cr_assert_null(memchr(out, '#', length));
      char all[80] = "";
      nova_mask_placeholder("DEV-1", 0, n, all);
      bool escaped;
      size_t matched;
      /* Digits have no escape of two bytes, so a few lengths cannot be met. */
      size_t brief = (length - n) % 5, full = (length - n) / 5;
      if (brief <= (n < 6 ? 0 : n - 6) && brief + full <= n)
        cr_assert_eq(nova__secret_at((struct nova_view){out, length}, 0,
                                     (struct nova_view){all, n}, &escaped,
                                     &matched),
                     length);
    }
}
