#include "probes.h"

#include "peer/fault.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

/* The words of a space-separated list, one by one; n 0 at the end. */
static struct nova_view next_word(const char **list) {
  while (**list == ' ')
    (*list)++;
  struct nova_view v = {*list, strcspn(*list, " ")};
  *list += v.n;
  return v;
}

static bool list_has(const char *list, const char *word) {
  struct nova_view v;
  while ((v = next_word(&list)).n > 0)
    if (nova_view_is(v, word))
      return true;
  return false;
}

Test(fault, rows_are_complete) {
  size_t of_server = 0, variants = 0;
  for (unsigned i = 0; i < NOVA_FAULTS; i++) {
    const struct nova_fault_info *f = nova_fault_info((enum nova_fault)i);
    cr_assert_not_null(f);
    cr_assert_eq(nova_fault_find(nova_view_of(f->name)), i, "%s stands twice",
                 f->name);
    for (const char *p = f->name; *p != '\0'; p++)
      cr_assert(islower((unsigned char)*p) || isdigit((unsigned char)*p) ||
                    *p == '-',
                "%s", f->name);
    size_t n = strlen(f->what);
    cr_assert(n > 20 && f->what[n - 1] == '.', "%s: %s", f->name, f->what);
    bool variant = nova_fault_is_variant(f);
    cr_assert(variant || strlen(f->breaks) > 4, "%s", f->name);
    variants += variant;
    of_server += f->side == NOVA_SIDE_SERVER && !variant;
  }
  cr_assert_geq(variants, 20);
  cr_assert_geq(of_server, 50);
  cr_assert_null(nova_fault_info(NOVA_FAULTS));
  cr_assert_eq(nova_fault_find(nova_view_of("no-such")), NOVA_FAULTS);
  cr_assert_eq(nova_fault_find(nova_view_of("")), NOVA_FAULTS);
}

Test(fault, sets_hold_what_was_added) {
  struct nova_fault_set set = {{0}};
  for (unsigned i = 0; i < NOVA_FAULTS; i += 3)
    nova_fault_add(&set, (enum nova_fault)i);
  for (unsigned i = 0; i < NOVA_FAULTS; i++)
    cr_assert_eq(nova_fault_has(&set, (enum nova_fault)i), i % 3 == 0);
}

Test(fault, a_sound_server_fails_nothing) {
  struct tally t = {.n = 0};
  probe_all(NOVA_FAULTS, &t);
  cr_assert_eq(t.n, 0, "%s", t.failed[0]);
}

/* Whether the probes, which speak TCP, can see a fault. */
static bool is_of_tcp(const struct nova_fault_info *f) {
  return strncmp(f->breaks, "TCP-", 4) == 0;
}

/* Each fault is caught, by a requirement that it is said to break, and no
 * other requirement is failed. */
static void check_faults(unsigned part, unsigned parts) {
  for (unsigned i = part; i < NOVA_FAULTS; i += parts) {
    const struct nova_fault_info *f = nova_fault_info((enum nova_fault)i);
    if (f->side != NOVA_SIDE_SERVER || !is_of_tcp(f))
      continue;
    struct tally t = {.n = 0};
    probe_all((enum nova_fault)i, &t);
    cr_expect_gt(t.n, 0, "%s is not caught", f->name);
    for (size_t k = 0; k < t.n; k++)
      cr_expect(list_has(f->breaks, t.failed[k]), "%s fails %s, not only %s",
                f->name, t.failed[k], f->breaks);
    const char *list = f->breaks;
    struct nova_view first = next_word(&list);
    cr_expect(t.n == 0 || tally_has(&t, first), "%s does not fail %.*s",
              f->name, (int)first.n, first.p);
  }
}

Test(fault, each_breaks_what_it_says_1) {
  check_faults(0, 2);
}

Test(fault, each_breaks_what_it_says_2) {
  check_faults(1, 2);
}

/* A server that stood still goes on where it stopped: what came meanwhile is
 * handled, timers count from there, ends of streams are noticed. */
Test(fault, a_hang_ends) {
  static char block[60000];
  struct rig r;
  memset(block, 'x', sizeof block);
  rig_start(&r, NOVA_FAULT_HANGS_LONG_LINE);
  size_t other = rig_accept(&r), bad = rig_accept(&r);
  rig_say(&r, other, AUTH(ID_A, KEY_A));
  (void)rig_take(&r, other);
  rig_say(&r, bad, AUTH(ID_B, KEY_B));
  for (int i = 0; i < 9; i++)
    rig_feed(&r, bad, block, sizeof block);
  nova_ts until = r.now + NOVA_FAULT_HANGS_FOR;
  cr_assert_eq(nova_server_next_deadline(r.s), until);
  rig_say(&r, other, PING(ID_A) PING(ID_A));
  nova_server_eof(r.s, bad, r.now);
  size_t fresh = rig_accept(&r);
  rig_run(&r, until - 1);
  cr_assert_eq(r.conn[other].in.len, 0);
  cr_assert_not(r.conn[bad].closed);
  rig_run(&r, until);
  cr_assert_eq(rig_await(&r, other, 0), RIG_LINE);
  cr_assert_eq(rig_await(&r, other, 0), RIG_LINE);
  cr_assert(r.conn[bad].closed);
  rig_run(&r, until + 10 * NOVA_SEC);
  cr_assert_eq(r.conn[fresh].ended, until + 10 * NOVA_SEC);
  rig_stop(&r);
}

/* While a slow success is on its way nothing overtakes it. */
Test(fault, a_slow_auth_keeps_the_order) {
  struct rig r;
  rig_start(&r, NOVA_FAULT_AUTH_SLOW);
  size_t c = rig_accept(&r);
  rig_say(&r, c, AUTH(ID_A, KEY_A) PING(ID_A));
  rig_say(&r, c, PING(ID_A));
  nova_server_eof(r.s, c, r.now);
  rig_run(&r, 6 * NOVA_SEC - 1);
  cr_assert_eq(r.conn[c].in.len, 0);
  rig_run(&r, 6 * NOVA_SEC);
  static const enum nova_msg_kind order[] = {NOVA_MSG_AUTH_RESULT,
                                             NOVA_MSG_PONG, NOVA_MSG_PONG};
  for (size_t i = 0; i < 3; i++) {
    cr_assert_eq(rig_await(&r, c, 0), RIG_LINE);
    cr_assert_eq(r.msg.kind, order[i]);
  }
  cr_assert(r.conn[c].closed);
  rig_stop(&r);
}

/* How long late answers take is an option. */
Test(fault, late_is_an_option) {
  struct nova_fault_set set = {{0}};
  struct rig r;
  nova_fault_add(&set, NOVA_FAULT_PONG_LATE);
  rig_start_with(
      &r, &(struct nova_server_options){.faults = &set, .late = 2 * NOVA_SEC});
  size_t c = rig_accept(&r);
  rig_say(&r, c, AUTH(ID_A, KEY_A));
  (void)rig_take(&r, c);
  rig_say(&r, c, PING(ID_A));
  rig_run(&r, 2 * NOVA_SEC - 1);
  cr_assert_eq(r.conn[c].in.len, 0);
  rig_run(&r, 2 * NOVA_SEC);
  cr_assert_neq(r.conn[c].in.len, 0);
  rig_stop(&r);
}
