#include "sample.h"

#include "base/error.h"
#include "report/kept_json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA ((size_t)256 << 20)

static struct nova_buf transcript(const struct nova_results *r, size_t i,
                                  const struct nova_mask *m) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 64 << 20);
  struct nova_sink sink = nova_sink_buf(&b);
  cr_assert_eq(nova_transcript_write_json(r, i, m, NULL, &sink), 0);
  return b;
}

static struct nova_buf run_file(const struct nova_results *r,
                                const struct nova_mask *m) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 1 << 20);
  struct nova_sink sink = nova_sink_buf(&b);
  cr_assert_eq(
      nova_run_write_json(r, "fnv1a64:0123456789abcdef", m, NULL, &sink), 0);
  return b;
}

static void no_secret(struct nova_buf *b, const char *what) {
  static const char *const secrets[] = {SAMPLE_OTHER, SAMPLE_NEW_KEY,
                                        "secret/31", SAMPLE_PASSWORD};
  for (size_t i = 0; i < 4; i++)
    cr_assert_null(strstr(nova_buf_cstr(b), secrets[i]), "%s: %s", what,
                   secrets[i]);
}

/* With the mask of a run that has taken it up again, which does not know the
 * keys that were in force. */
Test(kept, a_conversation_comes_back_as_it_was) {
  struct sample s;
  sample_init(&s, false);
  s.results.conversation[4].device_key = SAMPLE_NEW_KEY;
  cr_assert_eq(nova_mask_results(&s.mask, &s.results), 0);
  for (size_t i = 0; i < s.results.conversations; i++) {
    struct nova_buf first = transcript(&s.results, i, &s.mask);
    no_secret(&first, s.results.conversation[i].id);
    struct nova_arena arena;
    nova_arena_init(&arena, NULL, ARENA);
    struct nova_results head;
    struct nova_conversation_result c;
    struct nova_read_error error;
    cr_assert_eq(nova_kept_read_json(first.data + first.head, first.len, &arena,
                                     &head, &c, &error),
                 0, "%s", error.text);
    cr_assert(c.kept);
    cr_assert_str_eq(c.id, s.results.conversation[i].id);
    cr_assert_eq(c.verdict, s.results.conversation[i].verdict);
    cr_assert_eq(head.seed, s.results.seed);
    struct nova_mask other;
    nova_mask_init(&other, NULL);
    struct nova_results again = s.results;
    again.conversation = &c;
    again.conversations = 1;
    cr_assert_eq(nova_mask_results(&other, &again), 0);
    struct nova_buf second = transcript(&again, 0, &other);
    cr_assert_str_eq(nova_buf_cstr(&first), nova_buf_cstr(&second));
    nova_buf_free(&first);
    nova_buf_free(&second);
    nova_mask_free(&other);
    nova_arena_free(&arena);
  }
  sample_free(&s);
}

Test(kept, a_placeholder_is_no_new_key) {
  struct sample s;
  sample_init(&s, true);
  char holder[24] = "";
  const char *id = s.results.conversation[4].device;
  nova_mask_placeholder(id, 1, 20, holder);
  struct nova_conversation_result *c = &s.results.conversation[4];
  c->kept = true;
  c->device_key = holder;
  cr_assert_eq(nova_mask_results(&s.mask, &s.results), 0);
  cr_assert_eq(nova_mask_generation(&s.mask, id, holder), 0);
  struct nova_buf b = transcript(&s.results, 4, &s.mask);
  cr_assert_not_null(strstr(nova_buf_cstr(&b), "\"generation\": 1"));
  nova_buf_free(&b);
  sample_free(&s);
}

Test(kept, the_run_comes_back) {
  struct sample s;
  sample_init(&s, false);
  cr_assert_eq(nova_mask_profile(&s.mask, &s.profile), 0);
  struct nova_buf b = run_file(&s.results, &s.mask);
  sample_keep("run.json", nova_buf_view(&b));
  no_secret(&b, "run.json");
  struct nova_arena arena;
  nova_arena_init(&arena, NULL, ARENA);
  struct nova_results out;
  const char *specs = NULL;
  struct nova_read_error error;
  cr_assert_eq(
      nova_run_read_json(b.data + b.head, b.len, &arena, &out, &specs, &error),
      0, "%s", error.text);
  cr_assert_str_eq(specs, "fnv1a64:0123456789abcdef");
  cr_assert_eq(out.seed, s.results.seed);
  cr_assert_eq(out.subject, s.results.subject);
  cr_assert_eq(out.profile->devices, s.profile.devices);
  for (unsigned i = 0; i < NOVA_TIMERS; i++)
    cr_assert_eq(out.profile->timers.span[i], s.profile.timers.span[i]);
  nova_buf_free(&b);
  nova_arena_free(&arena);
  sample_free(&s);
}

/* Whatever a kill or a full disk leaves is an error, and no crash: exact
 * copies, so that a read past the end is seen. */
Test(kept, a_file_that_ends_early_is_refused) {
  struct sample s;
  sample_init(&s, true);
  cr_assert_eq(nova_mask_results(&s.mask, &s.results), 0);
  struct nova_buf whole = transcript(&s.results, 1, &s.mask);
  size_t last = whole.len;
  while (last != 0 && whole.data[whole.head + last - 1] == '\n')
    last--;
  for (size_t n = 0; n < last; n += n < 2000 ? 1 : 37) {
    char *copy = malloc(n + 1);
    memcpy(copy, whole.data + whole.head, n);
    struct nova_arena arena;
    nova_arena_init(&arena, NULL, ARENA);
    struct nova_results head;
    struct nova_conversation_result c;
    struct nova_read_error error = {""};
    cr_assert_neq(nova_kept_read_json(copy, n, &arena, &head, &c, &error), 0);
    cr_assert(error.text[0] != '\0');
    nova_arena_free(&arena);
    free(copy);
  }
  nova_buf_free(&whole);
  sample_free(&s);
}

/* A file of before results stood in it, of another conversation, or with a
 * check of an event that is not there. */
Test(kept, what_does_not_fit_is_refused) {
  static const char *const change[][2] = {
      {"\"result\":", "\"resulT\":"},
      {"\"conversation\": \"", "\"conversation\": \"x"},
      {"\"event\": 0", "\"event\": 99999"},
      {"\"duration_s\":", "\"duration\":"},
      {"novaprobe-transcript", "novaprobe-results"},
      {"\"version\": 1", "\"version\": 2"},
  };
  struct sample s;
  sample_init(&s, true);
  cr_assert_eq(nova_mask_results(&s.mask, &s.results), 0);
  s.results.conversation[1].check[0].entry = 0;
  struct nova_buf whole = transcript(&s.results, 1, &s.mask);
  for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
    const char *text = nova_buf_cstr(&whole);
    const char *at = strstr(text, change[i][0]);
    cr_assert_not_null(at, "%s", change[i][0]);
    struct nova_buf b;
    nova_buf_init(&b, NULL, 64 << 20);
    nova_buf_append(&b, text, (size_t)(at - text));
    nova_buf_puts(&b, change[i][1]);
    nova_buf_puts(&b, at + strlen(change[i][0]));
    struct nova_arena arena;
    nova_arena_init(&arena, NULL, ARENA);
    struct nova_results head;
    struct nova_conversation_result c;
    struct nova_read_error error = {""};
    cr_assert_eq(
        nova_kept_read_json(b.data + b.head, b.len, &arena, &head, &c, &error),
        NOVA_ERR_ARGUMENT, "%s", change[i][1]);
    nova_arena_free(&arena);
    nova_buf_free(&b);
  }
  nova_buf_free(&whole);
  sample_free(&s);
}
