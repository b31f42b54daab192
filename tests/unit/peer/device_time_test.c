/* When the reference device does what it does: guide 3.2, 3.4 and 5. */
#include "device_rig.h"

#include <criterion/criterion.h>

static void start_with(struct dev_rig *r, struct nova_device_options o) {
  dev_start_with(r, &o);
  nova_device_start(r->d, r->now);
  struct nova_device_out out;
  cr_assert(nova_device_next_output(r->d, &out));
  cr_assert_eq(out.kind, NOVA_DEVICE_CONNECT);
  r->asks = true;
}

/* --- reports and pings -----------------------------------------------------
 */

/* The times of |kind| after auth_result, with pongs. */
static size_t times_of(struct dev_rig *r, enum nova_msg_kind kind,
                       nova_ts *when, size_t most, nova_ts span) {
  nova_ts from = r->now;
  size_t n = 0;
  while (r->now < from + span &&
         dev_await(r, from + span - r->now) == DEV_LINE) {
    if (r->msg.kind == kind && n < most)
      when[n++] = r->sent - from;
    if (r->msg.kind == NOVA_MSG_PING)
      dev_say(r, DEV_PONG);
  }
  return n;
}

Test(device_time, reports_and_pings_keep_their_intervals) {
  static const struct {
    enum nova_msg_kind kind;
    nova_ts first, interval;
  } row[] = {
      {NOVA_MSG_PING, 60 * NOVA_SEC, 60 * NOVA_SEC},
      {NOVA_MSG_STATUS, 100 * NOVA_MS, 300 * NOVA_SEC},
      {NOVA_MSG_DATA, 300 * NOVA_MS, 60 * NOVA_SEC},
  };
  for (size_t k = 0; k < 3; k++) {
    struct dev_rig r;
    nova_ts when[70];
    dev_start(&r, NOVA_FAULTS);
    cr_assert(dev_serve(&r));
    size_t n = times_of(&r, row[k].kind, when, 70, 3600 * NOVA_SEC);
    cr_assert_eq(n, (3600 * NOVA_SEC - row[k].first) / row[k].interval + 1);
    for (size_t i = 0; i < n; i++)
      cr_assert_eq(when[i], row[k].first + i * row[k].interval);
    dev_stop(&r);
  }
}

Test(device_time, intervals_are_options) {
  struct dev_rig r;
  nova_ts when[70];
  start_with(&r, (struct nova_device_options){.heartbeat = NOVA_SEC,
                                              .report_interval = NOVA_TS_NONE,
                                              .data_interval = 500 * NOVA_MS,
                                              .first_data = 50 * NOVA_MS});
  cr_assert(dev_serve(&r));
  cr_assert_eq(times_of(&r, NOVA_MSG_DATA, when, 70, 10 * NOVA_SEC), 20);
  cr_assert_eq(when[0], 50 * NOVA_MS);
  cr_assert_eq(when[1], 550 * NOVA_MS);
  cr_assert_eq(times_of(&r, NOVA_MSG_STATUS, when, 70, 10 * NOVA_SEC), 0);
  cr_assert_eq(times_of(&r, NOVA_MSG_PING, when, 70, 10 * NOVA_SEC), 10);
  dev_stop(&r);
}

/* A device that was held up goes on with one message, not with all that it
 * missed. */
Test(device_time, no_burst_after_a_pause) {
  struct dev_rig r;
  start_with(&r,
             (struct nova_device_options){.idle_timeout = NOVA_TS_NONE - 1});
  cr_assert(dev_serve(&r));
  dev_wait(&r, NOVA_SEC);
  size_t sends = r.sends;
  r.now += 1000 * NOVA_SEC;
  nova_device_expire(r.d, r.now);
  struct nova_device_out out;
  size_t n = 0;
  while (nova_device_next_output(r.d, &out))
    n++;
  cr_assert_eq(n, 3, "a ping, a status and a data message");
  cr_assert_eq(r.sends, sends);
  cr_assert_gt(nova_device_next_deadline(r.d), r.now);
  dev_stop(&r);
}

/* --- silence: guide 3.4 ----------------------------------------------------
 */

/* The time from the last feed to the device's close. */
static nova_ts closes_after(struct dev_rig *r) {
  nova_ts from = r->now;
  dev_run(r, from + 1000 * NOVA_SEC);
  cr_assert(r->closed);
  return r->ended - from;
}

Test(device_time, closes_after_180_s_of_silence) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  cr_assert_eq(closes_after(&r), 180 * NOVA_SEC);
  cr_assert(r.asks, "and connects again");
  dev_stop(&r);
}

static void restarts(const char *line, bool does) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_serve(&r));
  dev_wait(&r, 179 * NOVA_SEC);
  dev_say(&r, line);
  cr_assert_eq(closes_after(&r), does ? 180 * NOVA_SEC : NOVA_SEC, "%s", line);
  dev_stop(&r);
}

Test(device_time, any_message_restarts_the_180_s) {
  restarts(DEV_PONG, true);
  restarts(DEV_SUCCESS, true);
  restarts(DEV_SET("c", "{}"), true);
  restarts(DEV_COMMAND("c", "unknown", "{}"), true);
  restarts("{\"type\":\"unheard_of\"}\n", true);
  restarts("{\"type\":\"pong\"}\n", true);
  restarts("{}\n", true);
  restarts(
      "{\"type\":\"command\",\"command_id\":\"x\",\"device_id\":\"other\"}\n",
      true);
  restarts("\n", false);
  restarts("nonsense\n", false);
  restarts("[]\n", false);
  restarts("{\"type\":\"pong\",\"timestamp\":1}", false);
}

Test(device_time, its_own_messages_do_not_count) {
  struct dev_rig r;
  start_with(&r, (struct nova_device_options){.data_interval = NOVA_SEC,
                                              .report_interval = NOVA_SEC,
                                              .heartbeat = NOVA_SEC});
  cr_assert(dev_serve(&r));
  cr_assert_eq(closes_after(&r), 180 * NOVA_SEC);
  dev_stop(&r);
}

Test(device_time, a_demo_has_short_timers) {
  struct dev_rig r;
  start_with(&r, (struct nova_device_options){.heartbeat = NOVA_SEC,
                                              .idle_timeout = 3 * NOVA_SEC,
                                              .auth_timeout = NOVA_SEC});
  cr_assert(dev_serve(&r));
  cr_assert_eq(closes_after(&r), 3 * NOVA_SEC);
  cr_assert(dev_accept(&r, 0) || dev_accept(&r, 2 * NOVA_SEC));
  cr_assert_eq(closes_after(&r), NOVA_SEC, "no auth_result");
  dev_stop(&r);
}

/* --- auth: guide 3.2 -------------------------------------------------------
 */

Test(device_time, waits_10_s_for_auth_result) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_accept(&r, 0));
  dev_wait(&r, 10 * NOVA_SEC - 1);
  cr_assert(r.open);
  /* Nothing but the result counts. */
  dev_say(&r, DEV_PONG);
  dev_wait(&r, 1);
  cr_assert(r.closed);
  dev_stop(&r);
}

Test(device_time, a_result_at_the_last_moment_counts) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULTS);
  cr_assert(dev_accept(&r, 0));
  dev_wait(&r, 10 * NOVA_SEC - 1);
  dev_say(&r, DEV_SUCCESS);
  dev_wait(&r, NOVA_SEC);
  cr_assert(r.open);
  dev_stop(&r);
}

/* --- reconnecting: guide 5 -------------------------------------------------
 */

/* Refuses |n| attempts and writes down the waits. */
static void waits(struct dev_rig *r, nova_ts *wait, size_t n) {
  for (size_t i = 0; i < n; i++) {
    cr_assert(r->asks);
    r->asks = false;
    nova_ts from = r->now;
    nova_device_refused(r->d, r->now);
    while (!r->asks)
      dev_run(r, nova_device_next_deadline(r->d));
    wait[i] = r->now - from;
  }
}

Test(device_time, backs_off_up_to_30_s) {
  static const nova_ts base[] = {1, 2, 4, 8, 16, 30, 30, 30};
  nova_ts a[8], b[8], c[8];
  struct dev_rig r;
  bool differs = false;
  start_with(&r, (struct nova_device_options){.seed = 1});
  waits(&r, a, 8);
  for (size_t i = 0; i < 8; i++) {
    cr_assert_geq(a[i], base[i] * NOVA_SEC);
    cr_assert_leq(a[i], base[i] * NOVA_SEC / 4 * 5);
  }
  dev_stop(&r);
  start_with(&r, (struct nova_device_options){.seed = 1});
  waits(&r, b, 8);
  dev_stop(&r);
  start_with(&r, (struct nova_device_options){.seed = 2});
  waits(&r, c, 8);
  dev_stop(&r);
  for (size_t i = 0; i < 8; i++) {
    cr_assert_eq(a[i], b[i], "one seed, one run");
    differs |= a[i] != c[i];
  }
  cr_assert(differs, "devices do not come back together");
}

Test(device_time, waits_no_longer_than_half_of_what_it_has) {
  struct dev_rig r;
  nova_ts wait[8];
  start_with(&r,
             (struct nova_device_options){.reconnect_timeout = 8 * NOVA_SEC});
  waits(&r, wait, 8);
  for (size_t i = 0; i < 8; i++)
    cr_assert_leq(wait[i], 5 * NOVA_SEC);
  dev_stop(&r);
}

/* The wait after a connection that is lost |after| auth_result. */
static nova_ts wait_after(struct dev_rig *r, nova_ts after, bool reset) {
  cr_assert(dev_serve(r));
  nova_ts until = r->now + after;
  while (r->now < until && dev_await(r, until - r->now) == DEV_LINE)
    if (r->msg.kind == NOVA_MSG_PING)
      dev_say(r, DEV_PONG);
  nova_ts from = r->now;
  if (reset)
    dev_rst(r);
  else
    dev_fin(r);
  cr_assert_not(r->open);
  cr_assert_not(r->asks, "at once");
  while (!r->asks)
    dev_run(r, nova_device_next_deadline(r->d));
  return r->now - from;
}

Test(device_time, only_a_connection_that_lasted_ends_the_back_off) {
  for (int reset = 0; reset < 2; reset++) {
    struct dev_rig r;
    dev_start(&r, NOVA_FAULTS);
    cr_assert_leq(wait_after(&r, 0, reset), 2 * NOVA_SEC);
    cr_assert_geq(wait_after(&r, NOVA_SEC, reset), 2 * NOVA_SEC);
    cr_assert_geq(wait_after(&r, 59 * NOVA_SEC, reset), 4 * NOVA_SEC);
    cr_assert_leq(wait_after(&r, 60 * NOVA_SEC, reset), 2 * NOVA_SEC);
    cr_assert_geq(wait_after(&r, NOVA_SEC, reset), 2 * NOVA_SEC);
    dev_stop(&r);
  }
}

Test(device_time, a_refused_device_waits_10_s_and_longer) {
  struct dev_rig r;
  nova_ts wait = 0;
  dev_start(&r, NOVA_FAULTS);
  for (int i = 0; i < 8; i++) {
    cr_assert(dev_accept(&r, 60 * NOVA_SEC));
    nova_ts from = r.now;
    dev_say(&r, DEV_FAILED);
    cr_assert(r.closed);
    cr_assert_not(dev_accept(&r, 10 * NOVA_SEC - 1));
    while (!r.asks)
      dev_run(&r, nova_device_next_deadline(r.d));
    wait = r.now - from;
  }
  cr_assert_geq(wait, 30 * NOVA_SEC, "the back-off goes on");
  dev_stop(&r);
}

/* --- what the server does not read -----------------------------------------
 */

Test(device_time, a_server_that_does_not_read_costs_the_connection) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULT_V_D_CHATTY);
  cr_assert(dev_serve(&r));
  r.held = true;
  for (int i = 0; i < 100000 && r.open; i++) {
    dev_wait(&r, 50 * NOVA_MS);
    dev_say(&r, DEV_PONG);
  }
  cr_assert(r.reset);
  cr_assert_leq(r.in.len, NOVA_DEVICE_UNSENT_MAX);
  cr_assert_geq(r.in.len, NOVA_DEVICE_UNSENT_MAX - 1000);
  /* The next one starts with nothing unsent. */
  r.held = false;
  cr_assert(dev_serve(&r));
  dev_wait(&r, 10 * NOVA_SEC);
  cr_assert(r.open);
  dev_stop(&r);
}

/* --- faults that end it ----------------------------------------------------
 */

Test(device_time, an_exit_is_the_end) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULT_D_CRASH_ARRAY);
  cr_assert(dev_serve(&r));
  dev_say(&r, DEV_SET("c", "{}") "[]\n" DEV_SET("d", "{}"));
  cr_assert(r.exited);
  cr_assert_eq(r.code, 1);
  cr_assert_eq(nova_device_next_deadline(r.d), NOVA_TS_NONE);
  /* What was answered before went out. */
  cr_assert_eq(dev_await(&r, 0), DEV_LINE);
  cr_assert_str_eq(dev_member(&r, "command_id"), "c");
  cr_assert_eq(dev_await(&r, 0), DEV_ENDED);
  nova_device_start(r.d, r.now);
  nova_device_connected(r.d, r.now);
  struct nova_device_out out;
  cr_assert_not(nova_device_next_output(r.d, &out));
  dev_stop(&r);
  dev_start(&r, NOVA_FAULT_D_CRASH_JSON);
  cr_assert(dev_serve(&r));
  dev_say(&r, "{nonsense\n");
  cr_assert_eq(r.code, 139);
  dev_stop(&r);
  dev_start(&r, NOVA_FAULT_D_FIN_EXITS);
  cr_assert(dev_serve(&r));
  dev_fin(&r);
  cr_assert(r.exited);
  cr_assert_eq(r.code, 0);
  dev_stop(&r);
}

Test(device_time, a_hang_leaves_the_connection_open) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULT_D_MALFORMED_HANGS);
  cr_assert(dev_serve(&r));
  dev_say(&r, "{nonsense\n");
  size_t sends = r.sends;
  dev_say(&r, DEV_SET("c", "{}"));
  dev_wait(&r, 1000 * NOVA_SEC);
  cr_assert(r.open);
  cr_assert_eq(r.sends, sends);
  cr_assert_not(r.exited);
  dev_stop(&r);
}

/* --- variants take their time ----------------------------------------------
 */

Test(device_time, the_slow_one_stays_within_every_bound) {
  struct dev_rig r;
  dev_start(&r, NOVA_FAULT_V_D_SLOW);
  cr_assert(dev_accept(&r, 0));
  cr_assert_eq(dev_await(&r, 20 * NOVA_SEC), DEV_LINE);
  cr_assert_eq(r.sent, 9 * NOVA_SEC);
  dev_say(&r, DEV_SUCCESS);
  nova_ts from = r.now;
  dev_say(&r, DEV_SET("c", "{}"));
  cr_assert(dev_await_kind(&r, NOVA_MSG_COMMAND_RESPONSE, 10 * NOVA_SEC));
  cr_assert_eq(r.sent - from, 4500 * NOVA_MS);
  cr_assert(dev_await_kind(&r, NOVA_MSG_PING, 100 * NOVA_SEC));
  cr_assert_eq(r.sent - from, 65400 * NOVA_MS);
  (void)closes_after(&r);
  cr_assert_eq(r.ended - from, 196200 * NOVA_MS);
  cr_assert(dev_accept(&r, 54 * NOVA_SEC));
  cr_assert_eq(r.asked - r.ended, 54 * NOVA_SEC);
  dev_stop(&r);
}
