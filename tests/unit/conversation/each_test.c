/* Rounds, and what a profile declares. */
#include "unit/conversation/serve_rig.h"

#include <stdio.h>

static void profile(const char *text) {
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  cr_assert_eq(
      nova_profile_read(&rig_profile, "p", text, strlen(text), NULL, &diag), 0,
      "%s", nova_buf_cstr(&diag.text));
  nova_diag_free(&diag);
}

static const char rounds[] =
    LET_IN "- each: actuator\n"
           "  steps:\n"
           "  - each: value\n"
           "    steps:\n"
           "    - {server: send, message: {set: $actuator.value}}\n"
           "  - {server: send, message: {last: $actuator.last}}\n"
           "- {server: send, message: {all: $actuators}}\n"
           "- {device: send, message: {type: ping}, verifies: ONE}\n";

static void come_in(void) {
  rig_connects(0, 1);
  rig_says(0, 1, AUTH);
}

/* What the harness said behind its auth_result. */
static const char *said(void) {
  const char *end = strchr(rig_sent(1), '\n');
  cr_assert_not_null(end);
  return end + 1;
}

SERVE_TEST(each, every_actuator_and_value) {
  profile("novaprobe: 1\n"
          "declares:\n"
          "  actuators: {relay: [\"ON\", \"OFF\", \"ON\"], led: 80}\n");
  rig_begin(rounds);
  come_in();
  cr_expect_str_eq(said(), "{\"set\":{\"relay\":\"ON\"}}\n"
                           "{\"set\":{\"relay\":\"OFF\"}}\n"
                           "{\"last\":{\"relay\":\"ON\"}}\n"
                           "{\"last\":{\"led\":80}}\n"
                           "{\"all\":{\"relay\":\"ON\",\"led\":80}}\n");
  rig_says(NOVA_SEC, 1, PING);
  VERDICT("ONE", "pass");
}

SERVE_TEST(each, no_actuators_no_rounds) {
  rig_begin(rounds);
  come_in();
  cr_expect_eq(rig_sent_count(1, "set"), 0);
  cr_expect_eq(rig_sent_count(1, "last"), 0);
  cr_expect_not_null(strstr(said(), "{\"all\":{\"relay1\":\"ON\","
                                    "\"led_brightness\":80}}\n"));
}

/* The same rounds twice, and a failure in the middle of them. */
SERVE_TEST(each, begins_anew_and_can_fail) {
  profile("novaprobe: 1\ndeclares: {actuators: {a: 1, b: 2}}\n");
  rig_begin(LET_IN
            "- {each: actuator, steps: [{server: send, message: {x: "
            "$actuator.last}}]}\n"
            "- each: actuator\n"
            "  steps:\n" //
            "  - {server: send, message: {y: $actuator.last}}\n"
            "  - {device: send, message: {type: ping}, within: 2s, verifies: "
            "ONE}\n"
            "- {device: open, for: 1s, verifies: TWO}\n");
  come_in();
  rig_says(NOVA_SEC, 1, PING);
  rig_end();
  cr_expect_str_eq(said(), "{\"x\":{\"a\":1}}\n{\"x\":{\"b\":2}}\n"
                           "{\"y\":{\"a\":1}}\n{\"y\":{\"b\":2}}\n");
  cr_expect_not_null(rig_check("ONE", NOVA_VERDICT_PASS));
  VERDICT("ONE", "fail");
  VERDICT("TWO", "inconclusive");
}

SERVE_TEST(each, a_name_is_given_anew) {
  profile("novaprobe: 1\ndeclares: {actuators: {a: 1, b: 2}}\n");
  rig_begin(LET_IN
            "- each: actuator\n"
            "  steps:\n" //
            "  - {server: send, as: order, message: {x: $actuator.last}}\n"
            "  - {device: send, message: {y: $order.x}, within: 2s, verifies: "
            "ONE}\n");
  come_in();
  rig_says(NOVA_SEC, 1, "{\"y\":{\"a\":1}}\n");
  rig_says(2 * NOVA_SEC, 1, "{\"y\":{\"b\":2}}\n");
  VERDICT("ONE", "pass");
}
