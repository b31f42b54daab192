/* Every fault and variant of the platform over MQTT, judged by what the
 * requirements say: each fault breaks what its row says and nothing else, each
 * variant breaks nothing and shows. TLS is tried where there is one,
 * tests/unit/net. */
#include "mqtt_server_rig.h"

#include "peer/fault.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define DATA_A TOPIC(ID_A, "data")
#define ASK_A  TOPIC(ID_A, "command")
#define ASK_B  TOPIC(ID_B, "command")

static const enum nova_fault rows[] = {
#define NOVA_FAULT(ID, name, side, what, breaks, needs) NOVA_FAULT_##ID,
#include "peer/mqtt_faults.def"
#undef NOVA_FAULT
};
#define ROWS (sizeof rows / sizeof *rows)

/* --- the requirements ------------------------------------------------------
 */

/* Never CONNACK 0, and closed within 2 s. */
static bool refuses(struct mrig *m, const char *user, const char *password) {
  size_t c = mrig_open(m);
  uint8_t code = mrig_connect(m, c, user, password);
  rig_run(&m->r, m->r.now + 2 * NOVA_SEC);
  return code != NOVA_MQTT_CODE_ACCEPTED && m->r.conn[c].closed;
}

static bool conn_06(struct mrig *m) {
  return refuses(m, ID_A, "wrong") && refuses(m, ID_A, "") &&
         refuses(m, ID_A, "kEy-one-012345678x") &&
         refuses(m, ID_A, "kEy-one-0123") &&
         refuses(m, ID_A, "KEY-ONE-0123456789");
}

static bool conn_07(struct mrig *m) {
  return refuses(m, NULL, NULL) && refuses(m, ID_A, NULL);
}

static bool conn_08(struct mrig *m) {
  return refuses(m, "DEV-999999", KEY_A) && refuses(m, "dev-000001", KEY_A);
}

static size_t observer(struct mrig *m) {
  size_t all = mrig_login(m, PLATFORM, PLATFORM_KEY);
  cr_assert_eq(mrig_subscribe(m, all, "novacloud/#", 1), 1);
  return all;
}

static bool conn_09(struct mrig *m) {
  static const char *const filters[] = {ASK_A, "#", TOPIC("+", "command")};
  size_t all = observer(m), a = mrig_login(m, ID_A, KEY_A);
  size_t b = mrig_login(m, ID_B, KEY_B);
  size_t console = mrig_login(m, PLATFORM, PLATFORM_KEY);
  (void)mrig_say(m, b, DATA_A, "{\"t\":1}");
  if (*mrig_got(m, all) != '\0')
    return false;
  size_t spies[3];
  for (size_t i = 0; i < 3; i++) {
    spies[i] = mrig_login(m, ID_B, KEY_B);
    (void)mrig_subscribe(m, spies[i], filters[i], 1);
  }
  (void)mrig_say(m, console, ASK_A, "{\"command\":\"c\"}");
  (void)mrig_say(m, a, DATA_A, "{\"t\":2}");
  for (size_t i = 0; i < 3; i++)
    if (*mrig_got(m, spies[i]) != '\0')
      return false;
  return true;
}

static bool data_07(struct mrig *m) {
  static char text[131072];
  static const size_t sizes[] = {2, 1024, sizeof text};
  size_t all = observer(m), a = mrig_login(m, ID_A, KEY_A);
  for (size_t i = 0; i < 3; i++) {
    memset(text, ' ', sizeof text);
    text[0] = '{';
    if (i > 0)
      memcpy(text, "{\"timestamp\":1,\"t\":1", 20);
    text[sizes[i] - 1] = '}';
    struct nova_view v = {text, sizes[i]};
    (void)mrig_publish(m, a, DATA_A, v);
    if (!mrig_next(m, all) || !nova_view_eq(m->packet.u.publish.payload, v) ||
        mrig_next(m, all))
      return false;
  }
  return true;
}

static bool cmd_10(struct mrig *m) {
  size_t a = mrig_login(m, ID_A, KEY_A);
  (void)mrig_login(m, ID_B, KEY_B);
  cr_assert_eq(mrig_subscribe(m, a, TOPIC(ID_A, "#"), 1), 1);
  rig_run(&m->r, m->r.now + 5 * NOVA_SEC);
  cr_assert_not_null(
      strstr(mrig_control(m, "{\"do\":\"command\",\"device_id\":\"" ID_A
                             "\",\"command\":\"set_actuator\","
                             "\"params\":{\"led\":80}}"),
             "\"ok\":true"));
  if (!mrig_next(m, a))
    return false;
  struct nova_mqtt_publish p = m->packet.u.publish;
  struct nova_json_value whole, t, params;
  if (!nova_view_is(p.topic, ASK_A) ||
      nova_json_check(m->r.json, p.payload.p, p.payload.n, &whole, NULL) != 0)
    return false;
  t = nova_json_get(whole, nova_view_of("timestamp"));
  params = nova_json_get(whole, nova_view_of("params"));
  int64_t at = t.type == NOVA_JSON_NUMBER && nova_json_is_integer(t)
                   ? strtoll(t.text.p, NULL, 10)
                   : 0;
  return nova_json_string_is(nova_json_get(whole, nova_view_of("command")),
                             nova_view_of("set_actuator")) &&
         at > RIG_UNIX - 300 && at < RIG_UNIX + 5 + 300 &&
         params.type == NOVA_JSON_OBJECT &&
         nova_view_is(params.text, "{\"led\":80}");
}

static bool cmd_11(struct mrig *m) {
  size_t console = mrig_login(m, PLATFORM, PLATFORM_KEY);
  size_t a = mrig_login(m, ID_A, KEY_A);
  size_t b = mrig_login(m, ID_B, KEY_B);
  cr_assert_eq(mrig_subscribe(m, a, ASK_A, 1), 1);
  cr_assert_eq(mrig_subscribe(m, b, ASK_B, 1), 1);
  (void)mrig_say(m, console, ASK_A, "{\"command\":\"a\"}");
  bool good = strcmp(mrig_got(m, a), "1 " ASK_A " {\"command\":\"a\"}") == 0 &&
              *mrig_got(m, a) == '\0' && *mrig_got(m, b) == '\0';
  (void)mrig_say(m, console, ASK_B, "{\"command\":\"b\"}");
  return good &&
         strcmp(mrig_got(m, b), "1 " ASK_B " {\"command\":\"b\"}") == 0 &&
         *mrig_got(m, b) == '\0' && *mrig_got(m, a) == '\0';
}

static const struct {
  const char *id;
  bool (*holds)(struct mrig *m);
} requirements[] = {
    {"MQ-CONN-06", conn_06}, {"MQ-CONN-07", conn_07}, {"MQ-CONN-08", conn_08},
    {"MQ-CONN-09", conn_09}, {"MQ-DATA-07", data_07}, {"MQ-CMD-10", cmd_10},
    {"MQ-CMD-11", cmd_11},
};
#define REQUIREMENTS (sizeof requirements / sizeof *requirements)

/* Whether a list of words has this one; its first, where |first|. */
static bool has(const char *list, const char *word, bool first) {
  size_t n = strlen(word);
  const char *at = strstr(list, word);
  return at != NULL && (at[n] == ' ' || at[n] == '\0') &&
         (!first || at == list);
}

/* How many requirements a server with this fault breaks; its row names each of
 * them. |primary|: whether the first that the row names is among them. */
static size_t broken(enum nova_fault f, bool *primary) {
  const struct nova_fault_info *info = nova_fault_info(f);
  size_t n = 0;
  *primary = false;
  for (size_t i = 0; i < REQUIREMENTS; i++) {
    struct mrig m;
    mrig_start(&m, f);
    if (!requirements[i].holds(&m)) {
      n++;
      cr_expect(info != NULL && has(info->breaks, requirements[i].id, false),
                "%s breaks %s", info != NULL ? info->name : "a sound server",
                requirements[i].id);
      *primary = *primary ||
                 (info != NULL && has(info->breaks, requirements[i].id, true));
    }
    mrig_stop(&m);
  }
  return n;
}

Test(mqtt_server_fault, a_sound_server_breaks_nothing) {
  bool primary;
  cr_assert_eq(broken(NOVA_FAULTS, &primary), 0);
}

Test(mqtt_server_fault, each_breaks_what_it_says) {
  size_t faults = 0, variants = 0;
  for (size_t i = 0; i < ROWS; i++) {
    const struct nova_fault_info *info = nova_fault_info(rows[i]);
    bool primary, of_tls = strncmp(info->breaks, "TLS-", 4) == 0;
    bool variant = nova_fault_is_variant(info);
    size_t n = broken(rows[i], &primary);
    cr_assert_eq(info->side, NOVA_SIDE_SERVER);
    cr_assert(nova_fault_is_mqtt(rows[i]));
    cr_expect_eq(primary, !variant && !of_tls, "%s", info->name);
    cr_expect(!of_tls || n == 0, "%s", info->name);
    faults += !variant;
    variants += variant;
  }
  cr_assert_geq(faults, 20);
  cr_assert_geq(variants, 6);
}

/* A server that breaks MQTT knows nothing of TCP, and the other way round. */
Test(mqtt_server_fault, the_faults_of_tcp_do_not_show) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    const struct nova_fault_info *info = nova_fault_info((enum nova_fault)f);
    if (info->side != NOVA_SIDE_SERVER ||
        nova_fault_is_mqtt((enum nova_fault)f))
      continue;
    bool primary;
    cr_expect_eq(broken((enum nova_fault)f, &primary), 0, "%s", info->name);
  }
}

/* --- variants show ---------------------------------------------------------
 */

Test(mqtt_server_fault, refusals_have_their_variants) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULT_M_V_CODE_5);
  cr_assert_eq(mrig_connect(&m, mrig_open(&m), ID_A, "wrong"),
               NOVA_MQTT_CODE_AUTHORIZED);
  mrig_stop(&m);

  mrig_start(&m, NOVA_FAULT_M_V_NO_CONNACK);
  size_t c = mrig_open(&m);
  cr_assert_eq(mrig_connect(&m, c, ID_A, "wrong"), NO_CONNACK);
  cr_assert(m.r.conn[c].closed);
  (void)mrig_login(&m, ID_A, KEY_A);
  mrig_stop(&m);

  mrig_start(&m, NOVA_FAULT_M_V_CLOSES_LATER);
  c = mrig_open(&m);
  cr_assert_eq(mrig_connect(&m, c, ID_A, "wrong"), NOVA_MQTT_CODE_CREDENTIALS);
  size_t other = mrig_open(&m), gone = mrig_open(&m);
  (void)mrig_connect(&m, other, ID_A, "wrong");
  (void)mrig_connect(&m, gone, ID_A, "wrong");
  nova_server_reset(m.r.s, gone, m.r.now);
  rig_run(&m.r, 1500 * NOVA_MS - 1);
  cr_assert_not(m.r.conn[c].closed);
  /* Whoever ends it itself need not wait. */
  nova_server_eof(m.r.s, other, m.r.now);
  rig_pump(&m.r);
  cr_assert(m.r.conn[other].closed);
  rig_run(&m.r, 1500 * NOVA_MS);
  cr_assert(m.r.conn[c].closed);
  cr_assert_not(m.r.conn[gone].closed);
  cr_assert_eq(nova_server_connections(m.r.s), 0);
  mrig_stop(&m);
}

Test(mqtt_server_fault, a_refused_connection_that_stays_ends_with_its_device) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULT_M_REFUSED_STAYS);
  size_t c = mrig_open(&m);
  cr_assert_eq(mrig_connect(&m, c, ID_A, "wrong"), NOVA_MQTT_CODE_CREDENTIALS);
  rig_run(&m.r, 3600 * NOVA_SEC);
  rig_feed(&m.r, c, "\xc0\0", 2);
  cr_assert_not(m.r.conn[c].closed);
  cr_assert_eq(m.r.conn[c].in.len, 0);
  nova_server_eof(m.r.s, c, m.r.now);
  rig_pump(&m.r);
  cr_assert(m.r.conn[c].closed);
  mrig_stop(&m);
}

Test(mqtt_server_fault, what_is_forbidden_has_its_variants) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULT_M_V_SUBSCRIBE_CLOSES);
  size_t a = mrig_login(&m, ID_A, KEY_A);
  cr_assert_eq(mrig_subscribe(&m, a, ASK_A, 1), 1);
  cr_assert(mrig_say(&m, a, ASK_B, "{}"));
  cr_assert_not(m.r.conn[a].closed);
  (void)mrig_subscribe(&m, a, "#", 1);
  cr_assert(m.r.conn[a].closed);
  mrig_stop(&m);

  mrig_start(&m, NOVA_FAULT_M_V_SUBSCRIBE_SILENT);
  a = mrig_login(&m, ID_A, KEY_A);
  cr_assert_eq(mrig_subscribe(&m, a, "#", 1), 1);
  mrig_stop(&m);

  mrig_start(&m, NOVA_FAULT_M_V_PUBLISH_CLOSES);
  a = mrig_login(&m, ID_A, KEY_A);
  cr_assert(mrig_say(&m, a, DATA_A, "{}"));
  cr_assert_eq(mrig_subscribe(&m, a, "#", 1), 0x80);
  cr_assert_not(m.r.conn[a].closed);
  (void)mrig_say(&m, a, ASK_B, "{}");
  cr_assert(m.r.conn[a].closed);
  mrig_stop(&m);
}

static const char *command_of(struct mrig *m) {
  size_t a = mrig_login(m, ID_A, KEY_A);
  cr_assert_eq(mrig_subscribe(m, a, ASK_A, 1), 1);
  cr_assert_str_eq(mrig_control(m,
                                "{\"do\":\"command\",\"device_id\":\"" ID_A
                                "\",\"command\":\"c\",\"params\":{\"a\":1}}"),
                   "{\"ok\":true}\n");
  return mrig_got(m, a);
}

Test(mqtt_server_fault, commands_have_their_variants) {
  struct mrig m;
  mrig_start(&m, NOVA_FAULT_M_V_COMMAND_MORE);
  cr_assert_str_eq(command_of(&m),
                   "1 " ASK_A " {\"command\":\"c\",\"timestamp\":1700000000,"
                   "\"command_id\":\"cmd-1\",\"params\":{\"a\":1}}");
  mrig_stop(&m);
  mrig_start(&m, NOVA_FAULT_M_V_COMMAND_REORDERED);
  cr_assert_str_eq(command_of(&m),
                   "1 " ASK_A " {\"params\":{\"a\":1},\"command\":\"c\","
                   "\"timestamp\":1700000000}");
  mrig_stop(&m);
  mrig_start(&m, NOVA_FAULT_M_V_CLOCK_AHEAD);
  cr_assert_str_eq(command_of(&m),
                   "1 " ASK_A " {\"command\":\"c\",\"timestamp\":1700000290,"
                   "\"params\":{\"a\":1}}");
  mrig_stop(&m);
}
