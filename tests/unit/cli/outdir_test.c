#include "cli/outdir.h"

#include "cli/say.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/nova-outdir-XXXXXX";

static void setup(void) {
  cr_assert_not_null(mkdtemp(root));
  cr_assert_eq(chdir(root), 0);
}

static void teardown(void) {
  char command[200];
  snprintf(command, sizeof command, "rm -rf %s", root);
  cr_expect_eq(system(command), 0);
}

TestSuite(outdir, .init = setup, .fini = teardown);

static bool there(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

static int good(const struct nova_sink *sink, void *user) {
  return sink->write(sink->user, user, strlen(user));
}

static int bad(const struct nova_sink *sink, void *user) {
  sink->write(sink->user, user, strlen(user));
  return -1;
}

Test(outdir, a_default_name_tells_when_and_what) {
  struct nova_outdir d;
  cr_assert_eq(nova_outdir_open(&d, NULL, "server", UINT64_C(1800000000)), 0);
  cr_expect_str_eq(d.path, "reports/20270115T080000Z-server");
  cr_expect(there("reports/20270115T080000Z-server/transcripts"));
  nova_outdir_link(&d);
  char to[100] = "";
  cr_assert_gt(readlink("reports/latest", to, sizeof to - 1), 0);
  cr_expect_str_eq(to, "20270115T080000Z-server");
}

Test(outdir, two_runs_of_one_second_have_two_folders) {
  struct nova_outdir a, b;
  cr_assert_eq(nova_outdir_open(&a, NULL, "demo", 5), 0);
  cr_assert_eq(nova_outdir_open(&b, NULL, "demo", 5), 0);
  cr_expect_str_neq(a.path, b.path);
  nova_outdir_link(&a);
  nova_outdir_link(&b);
  char to[100] = "";
  cr_assert_gt(readlink("reports/latest", to, sizeof to - 1), 0);
  cr_expect_str_eq(to, strrchr(b.path, '/') + 1);
}

Test(outdir, what_an_earlier_run_left_goes) {
  struct nova_outdir d;
  cr_assert_eq(nova_outdir_open(&d, "a/b", "server", 5), 0);
  cr_assert_eq(nova_file_write("a/b/results.json", "old", 3), 0);
  cr_assert_eq(nova_file_write("a/b/transcripts/old.json", "old", 3), 0);
  cr_assert_eq(nova_file_write("a/b/mine.txt", "mine", 4), 0);
  cr_assert_eq(nova_outdir_open(&d, "a/b", "server", 5), 0);
  cr_expect(!there("a/b/results.json"));
  cr_expect(!there("a/b/transcripts/old.json"));
  cr_expect(there("a/b/mine.txt"));
  nova_outdir_link(&d);
  cr_expect(!there("reports"), "--out leaves reports/ alone");
}

Test(outdir, a_file_is_there_whole_or_not_at_all) {
  struct nova_outdir d;
  char first[] = "first", second[] = "second";
  cr_assert_eq(nova_outdir_open(&d, "r", "server", 5), 0);
  cr_expect_eq(nova_outdir_write(&d, "x.txt", good, first), 0);
  cr_expect_neq(nova_outdir_write(&d, "x.txt", bad, second), 0);
  struct nova_buf text;
  const char *why = NULL;
  nova_buf_init(&text, NULL, 100);
  cr_assert_eq(nova_file_read("r/x.txt", &text, &why), 0);
  cr_expect_str_eq(nova_buf_cstr(&text), "first");
  nova_buf_free(&text);
  cr_expect_eq(system("test -z \"$(find r -name '*part*')\""), 0);
}

Test(outdir, no_folder_no_run) {
  struct nova_outdir d;
  cr_assert_eq(nova_file_write("file", "", 0), 0);
  cr_expect_eq(nova_outdir_open(&d, "file", "server", 5), NOVA_EXIT_WRONG);
  cr_expect_eq(nova_outdir_open(&d, "file/x", "server", 5), NOVA_EXIT_WRONG);
  cr_expect_eq(nova_outdir_open(&d, "", "server", 5), NOVA_EXIT_WRONG);
}

Test(outdir, names_of_transcripts_stay_in_their_folder) {
  char name[512];
  nova_outdir_transcript_name("../../etc/passwd", name);
  cr_expect_str_eq(name, "transcripts/.._.._etc_passwd.json");
  nova_outdir_transcript_name("tcp-auth-accepted", name);
  cr_expect_str_eq(name, "transcripts/tcp-auth-accepted.json");
}

Test(outdir, what_is_read_is_bounded) {
  struct nova_buf text;
  const char *why = NULL;
  cr_assert_eq(nova_file_write("ten", "0123456789", 10), 0);
  nova_buf_init(&text, NULL, 9);
  cr_expect_neq(nova_file_read("ten", &text, &why), 0);
  cr_expect_str_eq(why, "the file is too large");
  nova_buf_free(&text);
  nova_buf_init(&text, NULL, 10);
  cr_expect_eq(nova_file_read("ten", &text, &why), 0);
  cr_expect_eq(text.len, 10);
  nova_buf_free(&text);
  cr_expect_neq(nova_file_read("/", &text, &why), 0);
  cr_expect_str_eq(why, "it is a folder");
}
