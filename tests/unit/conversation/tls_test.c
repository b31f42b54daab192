/* The player and TLS: handshakes that are awaited, those that are none of the
 * script's business, and whoever fails them in a storm. */
#include "unit/conversation/mqtt_rig.h"

#include <stdio.h>
#include <string.h>

#define OVER    "transport: mqtts"
#define GOOD    "{\"result\":\"secured\",\"version\":\"1.3\",\"offers\":\"1.3\"}"
#define REFUSED "{\"result\":\"failed\",\"by\":\"peer\",\"alert\":48}"

static void serve(const char *steps) {
  mq_begin(NOVA_ROLE_SERVER, OVER, steps);
}

MQTT_TEST(tls, a_handshake_that_is_awaited) {
  serve("- {device: connect}\n"
        "- {device: secure, message: {version: '1.3'}, verifies: D-1}\n");
  mq_connects(0, 1);
  cr_expect_eq(mq_handshakes(1), 1);
  mq_shakes(NOVA_SEC, 1, true, GOOD);
  mq_end();
  IS("D-1", "pass");
}

MQTT_TEST(tls, a_handshake_that_is_none) {
  serve("- {device: connect}\n"
        "- {device: secure, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_end();
  IS("D-1", "fail");
  cr_expect(mq_reason("no handshake was over"));
}

MQTT_TEST(tls, of_another_version) {
  serve("- {device: connect}\n"
        "- {device: secure, message: {version: '1.2'}, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_shakes(NOVA_SEC, 1, true, GOOD);
  mq_end();
  IS("D-1", "fail");
  cr_expect(mq_reason("another version"));
}

MQTT_TEST(tls, failed_and_good_where_the_other_is_awaited) {
  serve("- {device: connect}\n- {device: secure, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_shakes(NOVA_SEC, 1, false, REFUSED);
  IS("D-1", "fail");
  mq_teardown();
  mq_setup();
  serve("- {device: connect}\n- {device: insecure, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_shakes(NOVA_SEC, 1, true, GOOD);
  IS("D-1", "fail");
}

/* The harness ends it: what is late counts from the device's step all the
 * same. */
MQTT_TEST(tls, a_late_failure) {
  serve("- {device: connect}\n"
        "- {device: insecure, within: 1s, verifies: D-1}\n"
        "- {device: connect, on: b, verifies: D-2}\n");
  mq_connects(0, 1);
  mq_shakes(1200 * NOVA_MS, 1, false, REFUSED);
  IS("D-1", "fail");
  cr_expect_eq(mq_ended(1), 'F');
  mq_connects(2 * NOVA_SEC, 2);
  IS("D-2", "pass");
}

/* A port was only looked at: that tells nothing of what it would offer. */
MQTT_TEST(tls, not_a_word_of_it) {
  serve("- {device: connect}\n"
        "- {device: insecure, message: {offers: '1.2'}, verifies: D-1}\n");
  mq_connects(0, 1);
  mq_closes(NOVA_SEC, 1);
  mq_end();
  IS("D-1", "inconclusive");
  mq_teardown();
  mq_setup();
  serve("- {device: connect}\n"
        "- {device: insecure, message: {by: '$one_of(\"peer\", \"end\")'}, "
        "verifies: D-1}\n");
  mq_connects(0, 1);
  mq_closes(NOVA_SEC, 1);
  mq_end();
  IS("D-1", "pass");
}

MQTT_TEST(tls, is_observed) {
  serve("- {device: connect}\n"
        "- {device: secure, observes: D-1}\n"
        "- {device: connect, on: b, relies_on: D-0}\n"
        "- {device: insecure, on: b, observes: D-2}\n"
        "- {device: connect, on: c, relies_on: D-0}\n"
        "- {device: secure, on: c, observes: D-3}\n");
  mq_connects(0, 1);
  mq_shakes(NOVA_SEC, 1, true, GOOD);
  mq_connects(2 * NOVA_SEC, 2);
  mq_shakes(2500 * NOVA_MS, 2, false, REFUSED);
  mq_connects(3 * NOVA_SEC, 3);
  mq_end();
  static const char *const id[] = {"D-1", "D-2", "D-3"};
  for (size_t i = 0; i < 3; i++) {
    const struct nova_check *c = mq_check(id[i], NOVA_VERDICT_PASS);
    cr_assert_not_null(c, "%s is %s", id[i], mq_verdict(id[i]));
    cr_expect(c->observation);
  }
  cr_expect_not_null(strstr(mq_check("D-2", NOVA_VERDICT_PASS)->reason,
                            "the handshake failed after 0.500 s"),
                     "%s", mq_check("D-2", NOVA_VERDICT_PASS)->reason);
}

/* A client is done before its server: what was good may yet fail. */
MQTT_TEST(tls, that_fails_behind_its_end) {
  mq_begin(NOVA_ROLE_DEVICE, OVER,
           "- {device: connect, tls: {own: false}}\n"
           "- any_of:\n"
           "  - - {server: secure, relies_on: S-0}\n"
           "  - - {server: insecure, relies_on: S-0}\n"
           "- {device: send, message: {packet: CONNECT, client_id: a}}\n"
           "- {server: silent, message: {packet: CONNACK, code: 0}, for: 5s, "
           "verifies: S-1}\n");
  mq_is_in(0, 1);
  mq_shakes(NOVA_MS, 1, true, GOOD);
  mq_shakes(2 * NOVA_MS, 1, false, REFUSED);
  mq_closes(3 * NOVA_MS, 1);
  mq_end();
  IS("S-1", "pass");
}

/* --- mqtt over TLS
 * -------------------------------------------------------------- */

static void served_over_tls(void) {
  mq_tls = true;
  mq_begin(NOVA_ROLE_DEVICE, "transport: mqtt",
           "- {device: connect, verifies: S-1}\n"
           "- {device: send, message: {packet: CONNECT, client_id: a}}\n"
           "- {server: send, message: {packet: CONNACK}, verifies: S-2}\n");
  mq_is_in(NOVA_SEC, 1);
  cr_expect_eq(mq_handshakes(1), 1);
  cr_expect_eq(mq_sent(1, "CONNECT"), 0, "not before it is secured");
}

MQTT_TEST(under_tls, connect_is_over_with_the_handshake) {
  served_over_tls();
  mq_shakes(2 * NOVA_SEC, 1, true, GOOD);
  cr_expect_eq(mq_sent(1, "CONNECT"), 1);
  mq_says(2100 * NOVA_MS, 1, "{\"packet\":\"CONNACK\"}");
  mq_end();
  IS("S-1", "pass");
  IS("S-2", "pass");
}

MQTT_TEST(under_tls, a_server_that_never_shakes_hands) {
  served_over_tls();
  mq_end();
  IS("S-1", "fail");
  IS("S-2", "inconclusive");
  cr_expect_eq(mq_now(), 6 * NOVA_SEC + 1, "%llu",
               (unsigned long long)mq_now());
}

MQTT_TEST(under_tls, a_server_that_goes) {
  served_over_tls();
  mq_closes(2 * NOVA_SEC, 1);
  mq_end();
  IS("S-1", "fail");
}

MQTT_TEST(under_tls, a_handshake_that_fails) {
  served_over_tls();
  mq_shakes(2 * NOVA_SEC, 1, false, REFUSED);
  mq_end();
  IS("S-1", "fail");
  cr_expect(mq_check("S-1", NOVA_VERDICT_FAIL)->reason != NULL &&
            strstr(mq_check("S-1", NOVA_VERDICT_FAIL)->reason, "TLS") != NULL);
}

/* Only who is secured is a device that has come. */
MQTT_TEST(under_tls, devices_that_fail_are_none) {
  mq_tls = true;
  mq_begin(NOVA_ROLE_SERVER, "transport: mqtt",
           "- {device: connect}\n"
           "- {device: send, message: {packet: CONNECT}, verifies: D-1}\n");
  for (unsigned i = 1; i <= 200; i++) {
    mq_connects(i * NOVA_MS, i);
    if (i % 3 == 0)
      mq_closes(i * NOVA_MS, i);
    else if (i % 3 == 1)
      mq_shakes(i * NOVA_MS, i, false, REFUSED);
    else
      mq_says_bytes(i * NOVA_MS, i, "", 0);
  }
  unsigned reset = 0, ended = 0;
  for (unsigned i = 1; i <= 200; i++) {
    reset += mq_ended(i) == 'R';
    ended += mq_ended(i) == 'F';
  }
  /* Those that only wait take what room there is; whoever failed or has no
   * room is let go. */
  cr_expect_geq(ended + reset, 118, "%u and %u", ended, reset);
  mq_shakes(300 * NOVA_MS, 2, true, GOOD);
  mq_says(301 * NOVA_MS, 2, CONNECT);
  mq_end();
  IS("D-1", "pass");
}

MQTT_TEST(tls, a_storm_of_failures_leaves_room) {
  serve("- {device: connect}\n"
        "- {device: secure, relies_on: D-0}\n"
        "- {wait: 5s}\n"
        "- {device: connect, on: b, verifies: D-1}\n"
        "- {device: send, on: b, message: {packet: CONNECT}, verifies: D-2}\n");
  mq_connects(0, 1);
  mq_shakes(0, 1, true, GOOD);
  for (unsigned i = 2; i < 400; i++) {
    mq_connects(i * NOVA_MS, i);
    mq_shakes(i * NOVA_MS, i, false, REFUSED);
    mq_closes(i * NOVA_MS, i);
    cr_expect_eq(mq_ended(i), 'F', "%u", i);
  }
  mq_connects(NOVA_SEC, 400);
  mq_shakes(NOVA_SEC, 400, true, GOOD);
  mq_says(NOVA_SEC, 400, CONNECT);
  mq_end();
  IS("D-1", "pass");
  IS("D-2", "pass");
}

/* --- silence everywhere
 * --------------------------------------------------------- */

#define SILENT                                                                 \
  "- {device: connect}\n"                                                      \
  "- {server: present, certificate: expired}\n"                                \
  "- {server: close, as: closed}\n"                                            \
  "- {device: connect, on: bad, as: tried, relies_on: D-0}\n"                  \
  "- {device: silent, on: every, message: {packet: CONNECT}, attempts: 2, "    \
  "for: 5s, from: tried, verifies: D-1}\n"                                     \
  "- {wait: 1ms}\n"

MQTT_TEST(everywhere, is_over_with_its_attempts) {
  serve(SILENT);
  mq_connects(0, 1);
  for (unsigned i = 2; i <= 4; i++) {
    IS("D-1", "-");
    mq_connects(i * NOVA_SEC / 10, i);
    mq_shakes(i * NOVA_SEC / 10, i, false, REFUSED);
  }
  IS("D-1", "-");
  mq_connects(NOVA_SEC, 5);
  IS("D-1", "pass");
  cr_expect_lt(mq_now(), 2 * NOVA_SEC);
}

MQTT_TEST(everywhere, is_over_with_its_time) {
  serve(SILENT);
  mq_connects(0, 1);
  mq_connects(NOVA_SEC, 2);
  mq_shakes(NOVA_SEC, 2, false, REFUSED);
  mq_until(5900 * NOVA_MS);
  IS("D-1", "-");
  mq_end();
  IS("D-1", "pass");
}

MQTT_TEST(everywhere, is_broken_on_any_connection) {
  serve(SILENT);
  mq_connects(0, 1);
  mq_connects(NOVA_SEC, 2);
  mq_shakes(NOVA_SEC, 2, false, REFUSED);
  mq_connects(2 * NOVA_SEC, 3);
  mq_shakes(2 * NOVA_SEC, 3, true, GOOD);
  mq_says(2 * NOVA_SEC, 3, CONNECT);
  mq_end();
  IS("D-1", "fail");
}

/* ... also where the same segment ends that connection. */
MQTT_TEST(everywhere, is_broken_by_one_that_is_ended) {
  mq_begin(NOVA_ROLE_SERVER, OVER "\nwithholds: [CONNACK]", SILENT);
  mq_connects(0, 1);
  mq_connects(NOVA_SEC, 2);
  mq_shakes(NOVA_SEC, 2, false, REFUSED);
  mq_connects(2 * NOVA_SEC, 3);
  mq_shakes(2 * NOVA_SEC, 3, true, GOOD);
  mq_says_all(
      2 * NOVA_SEC, 3,
      (const char *const[]){CONNECT, "{\"packet\":\"DISCONNECT\"}", NULL});
  mq_end();
  IS("D-1", "fail");
}

/* --- refusing
 * ------------------------------------------------------------------- */

MQTT_TEST(refusing, who_says_connect) {
  mq_begin(NOVA_ROLE_SERVER, "transport: mqtt",
           "- {device: connect}\n"
           "- {server: refuse, after: auth, message: {packet: CONNACK, code: "
           "3}}\n"
           "- {server: close, as: closed}\n"
           "- {device: attempts, at_most: 2, for: 5s, from: closed, verifies: "
           "D-1}\n");
  mq_connects(0, 1);
  mq_connects(NOVA_SEC, 2);
  cr_expect_eq(mq_ended(2), '-');
  mq_says_all(NOVA_SEC, 2, (const char *const[]){CONNECT, PINGREQ, NULL});
  cr_expect_eq(mq_sent(2, "CONNACK"), 1, "%s", mq_said(2));
  cr_expect_eq(mq_sent(2, "\"code\":3"), 1, "%s", mq_said(2));
  cr_expect_eq(mq_sent(2, "PINGRESP"), 0, "%s", mq_said(2));
  cr_expect_eq(mq_ended(2), 'F');
  mq_end();
  IS("D-1", "pass");
}
