#include "rig.h"

#include "base/error.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define OK_START "{\"ok\":true"
#define NO_START "{\"ok\":false,\"error\":\""

static size_t login(struct rig *r, const char *auth) {
  size_t c = rig_accept(r);
  rig_say(r, c, auth);
  const char *got = rig_take(r, c);
  cr_assert_not_null(strstr(got, "success"), "%s", got);
  return c;
}

static bool begins(const char *s, const char *with) {
  return strncmp(s, with, strlen(with)) == 0;
}

Test(control, refuses_bad_requests) {
  static const struct {
    const char *request, *error;
  } bad[] = {
      {"", "not one JSON object"},
      {"{", "not one JSON object"},
      {"[]", "not one JSON object"},
      {"{}x", "not one JSON object"},
      {"{\"do\":\n\"connections\"}", "not one JSON object"},
      {"{}", "do is to be"},
      {"{\"do\":7}", "do is to be"},
      {"{\"do\":\"fly\"}", "do is to be"},
      {"{\"do\":\"data\"}", "device_id names no device"},
      {"{\"do\":\"data\",\"device_id\":1}", "device_id names no device"},
      {"{\"do\":\"data\",\"device_id\":\"DEV-9\"}",
       "device_id names no device"},
      {"{\"do\":\"command\",\"device_id\":\"" ID_A "\"}",
       "command is to be a string"},
      {"{\"do\":\"command\",\"device_id\":\"" ID_A "\",\"command\":1}",
       "command is to be a string"},
      {"{\"do\":\"command\",\"device_id\":\"" ID_A
       "\",\"command\":\"c\",\"params\":[]}",
       "params are to be an object"},
      {"{\"do\":\"command\",\"device_id\":\"" ID_A "\",\"command\":\"c\"}",
       "the device is not connected"},
  };
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  (void)login(&r, AUTH(ID_B, KEY_B));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *answer = rig_control(&r, bad[i].request);
    cr_assert(begins(answer, NO_START), "%s: %s", bad[i].request, answer);
    cr_assert_not_null(strstr(answer, bad[i].error), "%s: %s", bad[i].request,
                       answer);
    cr_assert_eq(strchr(answer, '\n'), answer + strlen(answer) - 1);
  }
  rig_stop(&r);
}

/* A command goes to the newest connection of its device; when that is gone, to
 * the one before; never to another device. */
Test(control, command_goes_to_the_newest_connection) {
  static const char request[] =
      "{\"do\":\"command\",\"device_id\":\"" ID_A
      "\",\"command\":\"set_actuator\",\"params\":{\"relay1\":\"ON\"}}";
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t a1 = login(&r, AUTH(ID_A, KEY_A)), a2 = login(&r, AUTH(ID_A, KEY_A));
  size_t a3 = login(&r, AUTH(ID_A, KEY_A)), b = login(&r, AUTH(ID_B, KEY_B));
  size_t nobody = rig_accept(&r);
  const size_t order[] = {a1, a3, a2};
  /* The first one authenticates anew and is the newest now. */
  rig_say(&r, a1, AUTH(ID_A, KEY_A));
  (void)rig_take(&r, a1);
  for (size_t i = 0; i < 3; i++) {
    char answer[128], id[64];
    snprintf(answer, sizeof answer, "%s", rig_control(&r, request));
    cr_assert_eq(
        sscanf(answer, "{\"ok\":true,\"command_id\":\"%63[^\"]\"}", id), 1,
        "%s", answer);
    for (size_t c = 0; c < r.conns; c++)
      cr_assert_eq(r.conn[c].in.len != 0, c == order[i], "command %zu", i);
    cr_assert_eq(rig_await(&r, order[i], 0), RIG_LINE);
    cr_assert_eq(r.msg.kind, NOVA_MSG_COMMAND);
    cr_assert_eq(r.msg.defects, 0);
    cr_assert(nova_string_is(r.msg.u.command.command_id, nova_view_of(id)));
    cr_assert(nova_string_is(r.msg.u.command.device_id, nova_view_of(ID_A)));
    cr_assert(
        nova_string_is(r.msg.u.command.command, nova_view_of("set_actuator")));
    cr_assert(nova_view_is(r.msg.u.command.params, "{\"relay1\":\"ON\"}"));
    cr_assert_eq(r.msg.u.command.timestamp, RIG_UNIX);
    nova_server_reset(r.s, order[i], r.now);
  }
  cr_assert(begins(rig_control(&r, request), NO_START));
  cr_assert_eq(r.conn[b].in.len + r.conn[nobody].in.len, 0);
  rig_stop(&r);
}

Test(control, command_ids_differ) {
  enum { N = 200 };
  static char id[N][64];
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  (void)login(&r, AUTH(ID_A, KEY_A));
  for (size_t i = 0; i < N; i++) {
    const char *answer =
        rig_control(&r, "{\"do\":\"command\",\"device_id\":\"" ID_A
                        "\",\"command\":\"c\"}");
    cr_assert_eq(
        sscanf(answer, "{\"ok\":true,\"command_id\":\"%63[^\"]\"}", id[i]), 1);
    for (size_t k = 0; k < i; k++)
      cr_assert_str_neq(id[i], id[k]);
  }
  rig_stop(&r);
}

Test(control, commands_stay_within_128_kb) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r, AUTH(ID_A, KEY_A));
  /* Find the longest that passes: its line is exactly 131072 bytes. */
  static char request[140000];
  int head = snprintf(request, sizeof request,
                      "{\"do\":\"command\",\"device_id\":\"" ID_A
                      "\",\"command\":\"c\",\"params\":{\"p\":\"");
  size_t longest = 0;
  for (size_t n = 130600; n < 130980; n++) {
    memset(request + head, 'x', n);
    strcpy(request + head + n, "\"}}");
    if (begins(rig_control(&r, request), OK_START)) {
      longest = r.conn[c].in.len;
      (void)rig_take(&r, c);
    } else {
      cr_assert_eq(longest, 131072, "%zu", longest);
      cr_assert_eq(r.conn[c].in.len, 0);
      rig_stop(&r);
      return;
    }
  }
  cr_assert_fail("no command was too long");
}

Test(control, a_new_key_replaces_the_old_one) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t open = login(&r, AUTH(ID_A, KEY_A));
  char keys[2][64], auth[256];
  for (int i = 0; i < 2; i++) {
    const char *answer =
        rig_control(&r, "{\"do\":\"reset\",\"device_id\":\"" ID_A "\"}");
    cr_assert_eq(sscanf(answer, "{\"ok\":true,\"key\":\"%63[^\"]\"}", keys[i]),
                 1);
    cr_assert_eq(strlen(keys[i]), 32);
  }
  cr_assert_str_neq(keys[0], keys[1]);
  const char *const refused[] = {KEY_A, keys[0]};
  for (int i = 0; i < 2; i++) {
    snprintf(auth, sizeof auth, AUTH(ID_A, "%s"), refused[i]);
    size_t c = rig_accept(&r);
    rig_say(&r, c, auth);
    cr_assert_not_null(strstr(rig_take(&r, c), "failed"));
  }
  snprintf(auth, sizeof auth, AUTH(ID_A, "%s"), keys[1]);
  (void)login(&r, auth);
  (void)login(&r, AUTH(ID_B, KEY_B));
  /* The open connection stays. */
  rig_say(&r, open, PING(ID_A));
  cr_assert_not_null(strstr(rig_take(&r, open), "pong"));
  rig_stop(&r);
}

Test(control, a_deactivated_device_is_refused) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t open = login(&r, AUTH(ID_A, KEY_A));
  cr_assert_str_eq(
      rig_control(&r, "{\"do\":\"deactivate\",\"device_id\":\"" ID_A "\"}"),
      OK_START "}\n");
  size_t c = rig_accept(&r);
  rig_say(&r, c, AUTH(ID_A, KEY_A));
  const char *got = rig_take(&r, c);
  cr_assert(strstr(got, "failed") && strstr(got, "not activated"), "%s", got);
  cr_assert(r.conn[c].closed);
  /* A stranger is not told. */
  c = rig_accept(&r);
  rig_say(&r, c, AUTH(ID_A, "wrong"));
  cr_assert_null(strstr(rig_take(&r, c), "not activated"));
  (void)login(&r, AUTH(ID_B, KEY_B));
  rig_say(&r, open, PING(ID_A));
  cr_assert_not_null(strstr(rig_take(&r, open), "pong"));
  cr_assert_str_eq(
      rig_control(&r, "{\"do\":\"activate\",\"device_id\":\"" ID_A "\"}"),
      OK_START "}\n");
  (void)login(&r, AUTH(ID_A, KEY_A));
  rig_stop(&r);
}

Test(control, data_is_the_last_report_of_the_device) {
  static const char ask_a[] = "{\"do\":\"data\",\"device_id\":\"" ID_A "\"}";
  static const char ask_b[] = "{\"do\":\"data\",\"device_id\":\"" ID_B "\"}";
  static const char none[] = OK_START ",\"values\":{},\"status\":null}\n";
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  size_t c = login(&r, AUTH(ID_A, KEY_A));
  cr_assert_str_eq(rig_control(&r, ask_a), none);
  rig_say(&r, c, DATA(ID_A, "{\"t\":1,\"old\":true}"));
  rig_say(&r, c, DATA(ID_A, "{ \"t\": 2.50 }") STATUS(ID_A, ""));
  rig_say(&r, c, DATA(ID_B, "{\"t\":3}"));
  rig_say(&r, c, DATA(ID_A, "7"));
  cr_assert_str_eq(rig_control(&r, ask_a),
                   OK_START ",\"values\":{ \"t\": 2.50 },"
                            "\"status\":\"online\"}\n");
  cr_assert_str_eq(rig_control(&r, ask_b), none);
  /* It outlives the connection. */
  nova_server_reset(r.s, c, 0);
  cr_assert_neq(strcmp(rig_control(&r, ask_a), none), 0);
  rig_stop(&r);
}

Test(control, lists_connections) {
  struct rig r;
  rig_start(&r, NOVA_FAULTS);
  cr_assert_str_eq(rig_control(&r, "{\"do\":\"connections\"}"),
                   OK_START ",\"count\":0,\"connections\":[]}\n");
  (void)login(&r, AUTH(ID_A, KEY_A));
  (void)rig_accept(&r);
  cr_assert_str_eq(rig_control(&r, "{\"do\":\"connections\"}"),
                   OK_START ",\"count\":2,\"connections\":["
                            "{\"connection\":1,\"device_id\":null,"
                            "\"transport\":\"tcp\"},"
                            "{\"connection\":0,\"device_id\":\"" ID_A "\","
                            "\"transport\":\"tcp\"}]}\n");
  rig_stop(&r);
}

Test(control, answers_fit_the_buffer_or_say_so) {
  static const char ask[] = "{\"do\":\"connections\"}";
  struct rig r;
  struct nova_buf out;
  rig_start(&r, NOVA_FAULTS);
  for (int i = 0; i < 20; i++)
    (void)rig_accept(&r);
  nova_buf_init(&out, NULL, 200);
  cr_assert_eq(nova_server_control(r.s, ask, sizeof ask - 1, 0, &out), 0);
  cr_assert_str_eq(nova_buf_cstr(&out), NO_START "the answer is too long\"}\n");
  nova_buf_free(&out);
  nova_buf_init(&out, NULL, 10);
  cr_assert_eq(nova_server_control(r.s, ask, sizeof ask - 1, 0, &out),
               NOVA_ERR_LIMIT);
  cr_assert_eq(out.len, 0);
  nova_buf_free(&out);
  rig_stop(&r);
}

Test(control, says_when_the_server_has_crashed) {
  struct rig r;
  rig_start(&r, NOVA_FAULT_CRASH_EMPTY_LINE);
  size_t c = login(&r, AUTH(ID_A, KEY_A));
  rig_say(&r, c, "\n");
  cr_assert(r.crashed);
  cr_assert_not_null(
      strstr(rig_control(&r, "{\"do\":\"connections\"}"), "crashed"));
  cr_assert_eq(nova_server_accept(r.s, 9, 0), 0);
  struct nova_server_out out;
  cr_assert_not(nova_server_next_output(r.s, &out));
  cr_assert_eq(nova_server_next_deadline(r.s), NOVA_TS_NONE);
  rig_stop(&r);
}
