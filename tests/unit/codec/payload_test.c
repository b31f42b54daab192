/* Topics and MQTT payloads of the guide. */
#include "support.h"

#include "codec/payload.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* --- topics --------------------------------------------------------------- */

Test(payload, topics_are_read) {
  static const struct {
    const char *topic;
    enum nova_channel channel;
    const char *id;
  } cases[] = {
      {"novacloud/devices/DEV-123456/data", NOVA_CHANNEL_DATA, "DEV-123456"},
      {"novacloud/devices/DEV-123456/command", NOVA_CHANNEL_COMMAND,
       "DEV-123456"},
      {"novacloud/devices/DEV-123456/status", NOVA_CHANNEL_STATUS,
       "DEV-123456"},
      {"novacloud/devices/+/data", NOVA_CHANNEL_DATA, "+"},
      {"novacloud/devices/data/data", NOVA_CHANNEL_DATA, "data"},
      {"novacloud/devices//data", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/devices/data", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/devices/", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/devices", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/devices/a/b/data", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/devices/a/data/", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/devices/a/datas", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/devices/a/dat", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/devices/a/Data", NOVA_CHANNEL_NONE, NULL},
      {"/novacloud/devices/a/data", NOVA_CHANNEL_NONE, NULL},
      {"Novacloud/devices/a/data", NOVA_CHANNEL_NONE, NULL},
      {"novacloud/device/a/data", NOVA_CHANNEL_NONE, NULL},
      {"", NOVA_CHANNEL_NONE, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_view topic = nova_view_of(cases[i].topic), id = {"x", 1};
    char *copy = exact_copy(topic);
    struct nova_view given = {copy, topic.n};
    cr_assert_eq(nova_topic_read(given, &id), cases[i].channel, "%s",
                 cases[i].topic);
    cr_assert_eq(nova_topic_read(given, NULL), cases[i].channel);
    cr_assert(nova_view_is(id, cases[i].id), "%s", cases[i].topic);
    cr_assert_eq(id.p == NULL, cases[i].id == NULL);
    free(copy);
  }
  cr_assert_eq(nova_topic_read((struct nova_view){NULL, 0}, NULL),
               NOVA_CHANNEL_NONE);
}

Test(payload, topics_are_written) {
  char out[NOVA_TOPIC_MAX];
  struct nova_view id = nova_view_of("DEV-1");
  static const char *const expected[] = {
      NULL,
      "novacloud/devices/DEV-1/data",
      "novacloud/devices/DEV-1/command",
      "novacloud/devices/DEV-1/status",
  };
  cr_assert_eq(nova_topic_write(NOVA_CHANNEL_NONE, id, out, sizeof out), 0);
  for (int c = NOVA_CHANNEL_DATA; c <= NOVA_CHANNEL_STATUS; c++) {
    enum nova_channel channel = (enum nova_channel)c;
    size_t n = strlen(expected[c]);
    cr_assert_eq(nova_topic_write(channel, id, out, sizeof out), n);
    cr_assert_str_eq(out, expected[c]);
    /* The NUL needs its byte. */
    char *exact = malloc(n + 1);
    cr_assert_not_null(exact);
    cr_assert_eq(nova_topic_write(channel, id, exact, n + 1), n);
    cr_assert_str_eq(exact, expected[c]);
    for (size_t cap = 0; cap <= n; cap++)
      cr_assert_eq(nova_topic_write(channel, id, exact, cap), 0);
    free(exact);
  }
  cr_assert_eq(nova_topic_write(NOVA_CHANNEL_DATA, (struct nova_view){NULL, 0},
                                out, sizeof out),
               strlen("novacloud/devices//data"));
}

Test(payload, the_longest_topic_has_room) {
  char id[255], out[NOVA_TOPIC_MAX];
  memset(id, 'x', sizeof id);
  struct nova_view whole = {id, sizeof id}, back;
  size_t n = nova_topic_write(NOVA_CHANNEL_COMMAND, whole, out, sizeof out);
  cr_assert_eq(n, sizeof out - 1);
  cr_assert_eq(nova_topic_read((struct nova_view){out, n}, &back),
               NOVA_CHANNEL_COMMAND);
  cr_assert(nova_view_eq(back, whole));
}

/* --- the table ------------------------------------------------------------ */

Test(payload, the_table) {
  static const struct {
    enum nova_payload_kind kind;
    const char *name;
    enum nova_channel channel;
    enum nova_sender sender;
    size_t fields;
  } cases[] = {
      {NOVA_PAYLOAD_DATA, "data", NOVA_CHANNEL_DATA, NOVA_SENDER_DEVICE, 2},
      {NOVA_PAYLOAD_COMMAND, "command", NOVA_CHANNEL_COMMAND,
       NOVA_SENDER_SERVER, 3},
      {NOVA_PAYLOAD_ANSWER, "answer", NOVA_CHANNEL_DATA, NOVA_SENDER_DEVICE, 6},
      {NOVA_PAYLOAD_STATUS, "status", NOVA_CHANNEL_STATUS, NOVA_SENDER_DEVICE,
       4},
      {NOVA_PAYLOAD_WILL, "will", NOVA_CHANNEL_STATUS, NOVA_SENDER_DEVICE, 3},
  };
  cr_assert_eq(sizeof cases / sizeof *cases, NOVA_PAYLOAD_KINDS - 1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct nova_payload_info *info = nova_payload_info(cases[i].kind);
    cr_assert_not_null(info);
    cr_assert_str_eq(info->name, cases[i].name);
    cr_assert_eq(info->channel, cases[i].channel);
    cr_assert_eq(info->sender, cases[i].sender);
    cr_assert_eq(info->fields, cases[i].fields);
    cr_assert_eq(nova_payload_find(nova_view_of(info->name)), cases[i].kind);
  }
  cr_assert_null(nova_payload_info(NOVA_PAYLOAD_UNKNOWN));
  cr_assert_null(nova_payload_info(NOVA_PAYLOAD_KINDS));
  cr_assert_eq(nova_payload_find(nova_view_of("")), NOVA_PAYLOAD_UNKNOWN);
  cr_assert_eq(nova_payload_find(nova_view_of("Data")), NOVA_PAYLOAD_UNKNOWN);

  const struct nova_payload_info *status =
      nova_payload_info(NOVA_PAYLOAD_STATUS);
  size_t info = NOVA_PAYLOAD_INDEX(STATUS, info);
  cr_assert_str_eq(status->field[info].name, "info");
  cr_assert_not(status->field[info].required);
  cr_assert_eq(status->field[info].type, NOVA_PAYLOAD_TYPE_OBJECT);
  cr_assert_str_eq(status->field[info].section, "2.6");
  const struct nova_payload_info *answer =
      nova_payload_info(NOVA_PAYLOAD_ANSWER);
  size_t success = NOVA_PAYLOAD_INDEX(ANSWER, success);
  cr_assert_str_eq(answer->field[success].name, "success");
  cr_assert(answer->field[success].required);
}

Test(payload, kinds_by_channel_and_members) {
  static const struct {
    enum nova_channel channel;
    const char *payload;
    enum nova_payload_kind kind;
  } cases[] = {
      {NOVA_CHANNEL_DATA, "{}", NOVA_PAYLOAD_DATA},
      {NOVA_CHANNEL_DATA, "{'response':null}", NOVA_PAYLOAD_ANSWER},
      {NOVA_CHANNEL_DATA, "{'a':{},'command':1}", NOVA_PAYLOAD_ANSWER},
      {NOVA_CHANNEL_DATA, "{'\\u0063ommand':1}", NOVA_PAYLOAD_ANSWER},
      {NOVA_CHANNEL_DATA, "{'a':{'command':1}}", NOVA_PAYLOAD_DATA},
      {NOVA_CHANNEL_DATA, "{'Command':1,'responses':2}", NOVA_PAYLOAD_DATA},
      {NOVA_CHANNEL_DATA, "['command']", NOVA_PAYLOAD_DATA},
      {NOVA_CHANNEL_DATA, "'command'", NOVA_PAYLOAD_DATA},
      {NOVA_CHANNEL_DATA, "{'command':1", NOVA_PAYLOAD_DATA},
      {NOVA_CHANNEL_DATA, "", NOVA_PAYLOAD_DATA},
      {NOVA_CHANNEL_COMMAND, "{'response':1}", NOVA_PAYLOAD_COMMAND},
      {NOVA_CHANNEL_STATUS, "{'command':1}", NOVA_PAYLOAD_STATUS},
      {NOVA_CHANNEL_STATUS, "x", NOVA_PAYLOAD_STATUS},
      {NOVA_CHANNEL_NONE, "{'command':1}", NOVA_PAYLOAD_UNKNOWN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    cr_assert_eq(nova_payload_kind_of(scanner(), cases[i].channel,
                                      quoted(cases[i].payload)),
                 cases[i].kind, "%s", cases[i].payload);
}

/* --- payloads ------------------------------------------------------------- */

/* The guide's own, 2.4 to 2.6. */
static const struct {
  enum nova_payload_kind kind;
  const char *text;
  size_t unknown;
} guide[] = {
    {NOVA_PAYLOAD_DATA,
     "{'timestamp':1651234567,'device_id':'DEV-123456','temperature':25.5,"
     "'humidity':60.0,'light':500,'switch_status':'on'}",
     4},
    {NOVA_PAYLOAD_COMMAND,
     "{'command':'set_actuator','timestamp':1651234567,"
     "'params':{'relay1':'ON','led_brightness':80}}",
     0},
    {NOVA_PAYLOAD_ANSWER,
     "{'response':'actuator_set','command':'set_actuator',"
     "'timestamp':1651234570,'device_id':'DEV-123456','success':true,"
     "'data':{'relay1':'ON','led_brightness':80}}",
     0},
    {NOVA_PAYLOAD_STATUS,
     "{'status':'online','timestamp':1651234567,'device_id':'DEV-123456',"
     "'info':{'ip':'192.168.1.100','version':'1.0.3','rssi':-65}}",
     0},
    {NOVA_PAYLOAD_WILL,
     "{'status': 'offline', 'timestamp': 0, 'device_id': 'DEV-123456'}", 0},
};

Test(payload, the_guides_payloads) {
  for (size_t i = 0; i < sizeof guide / sizeof *guide; i++) {
    struct nova_payload p;
    struct nova_view text = quoted(guide[i].text);
    cr_assert_eq(nova_payload_decode(scanner(), guide[i].kind, text, &p), 0,
                 "%s", guide[i].text);
    const struct nova_payload_info *info = nova_payload_info(p.kind);
    cr_assert_eq(p.kind, guide[i].kind);
    cr_assert_eq(p.present, (1u << info->fields) - 1);
    cr_assert_eq(p.unknown, guide[i].unknown);
    cr_assert_eq(p.defects, 0);
    cr_assert(nova_view_eq(p.whole.text, text));
    for (size_t f = 0; f < info->fields; f++) {
      struct nova_json_value v =
          nova_json_get(p.whole, nova_view_of(info->field[f].name));
      cr_assert_neq(v.type, NOVA_JSON_NONE);
      cr_assert_eq(p.value[f].text.p, v.text.p);
      cr_assert_eq(p.value[f].text.n, v.text.n);
    }
  }
}

/* Each required member left out is one defect at the closing brace. */
Test(payload, members_that_are_missing) {
  for (size_t i = 0; i < sizeof guide / sizeof *guide; i++) {
    const struct nova_payload_info *info = nova_payload_info(guide[i].kind);
    for (size_t f = 0; f < info->fields; f++) {
      struct nova_payload p;
      struct nova_view text = quoted(guide[i].text);
      char *copy = exact_copy(text);
      nova_payload_decode(scanner(), guide[i].kind, text, &p);
      /* A name of the same length that is none of the table's. */
      size_t name = strlen(info->field[f].name);
      char wanted[32];
      snprintf(wanted, sizeof wanted, "\"%s\"", info->field[f].name);
      for (size_t at = 0; at + name + 2 <= text.n; at++)
        if (memcmp(copy + at, wanted, name + 2) == 0 &&
            copy[at + name + 2] == ':')
          copy[at + 1] = 'X';
      int expected = info->field[f].required ? NOVA_ERR_MSG_FIELD_MISSING : 0;
      cr_assert_eq(nova_payload_decode(scanner(), guide[i].kind,
                                       (struct nova_view){copy, text.n}, &p),
                   expected, "%s without %s", info->name, wanted);
      cr_assert_eq(p.present, ((1u << info->fields) - 1) & ~(1u << f));
      cr_assert_eq(p.value[f].type, NOVA_JSON_NONE);
      cr_assert_eq(p.unknown, guide[i].unknown + 1);
      cr_assert_eq(p.defects, expected != 0);
      if (expected != 0) {
        cr_assert_eq(p.defect[0].offset, text.n - 1);
        cr_assert_eq(p.defect[0].field, (int)f);
      }
      free(copy);
    }
  }
}

/* |text|: has the value of the field at a '@', which is put in for it. */
static int with_value(enum nova_payload_kind kind, const char *text,
                      const char *value, struct nova_payload *p,
                      size_t *offset) {
  static char joined[1024];
  const char *at = strchr(text, '@');
  cr_assert_not_null(at);
  *offset = (size_t)(at - text);
  int n = snprintf(joined, sizeof joined, "%.*s%s%s", (int)*offset, text, value,
                   at + 1);
  cr_assert(n > 0 && (size_t)n < sizeof joined);
  return nova_payload_decode(scanner(), kind, quoted(joined), p);
}

Test(payload, values_of_each_type) {
  static const char data[] = "{'timestamp':@,'device_id':'D'}";
  static const char id[] = "{'timestamp':1,'device_id':@}";
  static const char params[] = "{'command':'c','timestamp':1,'params':@}";
  static const char success[] = "{'response':'r','command':'c','timestamp':1,"
                                "'device_id':'D','success':@,'data':{}}";
  static const char status[] = "{'status':@,'timestamp':0,'device_id':'D'}";
  static const char zero[] =
      "{'status':'offline','timestamp':@,'device_id':'D'}";
  enum { TYPE = NOVA_ERR_MSG_FIELD_TYPE, RANGE = NOVA_ERR_MSG_FIELD_RANGE };
  static const struct {
    enum nova_payload_kind kind;
    const char *text, *value;
    int error, field;
  } cases[] = {
      {NOVA_PAYLOAD_DATA, data, "0", 0, 0},
      {NOVA_PAYLOAD_DATA, data, "9007199254740992", 0, 0},
      {NOVA_PAYLOAD_DATA, data, "9007199254740993", RANGE, 0},
      {NOVA_PAYLOAD_DATA, data, "99999999999999999999", RANGE, 0},
      {NOVA_PAYLOAD_DATA, data, "-1", RANGE, 0},
      {NOVA_PAYLOAD_DATA, data, "1.0", TYPE, 0},
      {NOVA_PAYLOAD_DATA, data, "1e3", TYPE, 0},
      {NOVA_PAYLOAD_DATA, data, "'1'", TYPE, 0},
      {NOVA_PAYLOAD_DATA, data, "null", TYPE, 0},
      {NOVA_PAYLOAD_DATA, id, "''", 0, 1},
      {NOVA_PAYLOAD_DATA, id, "7", TYPE, 1},
      {NOVA_PAYLOAD_DATA, id, "null", TYPE, 1},
      {NOVA_PAYLOAD_COMMAND, params, "{}", 0, 2},
      {NOVA_PAYLOAD_COMMAND, params, "[]", TYPE, 2},
      {NOVA_PAYLOAD_COMMAND, params, "null", TYPE, 2},
      {NOVA_PAYLOAD_ANSWER, success, "true", 0, 4},
      {NOVA_PAYLOAD_ANSWER, success, "false", 0, 4},
      {NOVA_PAYLOAD_ANSWER, success, "'true'", TYPE, 4},
      {NOVA_PAYLOAD_ANSWER, success, "1", TYPE, 4},
      {NOVA_PAYLOAD_WILL, status, "'offline'", 0, 0},
      {NOVA_PAYLOAD_WILL, status, "'off\\u006cine'", 0, 0},
      {NOVA_PAYLOAD_WILL, status, "'Offline'", RANGE, 0},
      {NOVA_PAYLOAD_WILL, status, "'online'", RANGE, 0},
      {NOVA_PAYLOAD_WILL, status, "0", TYPE, 0},
      {NOVA_PAYLOAD_STATUS, status, "'error'", 0, 0},
      {NOVA_PAYLOAD_WILL, zero, "-0", 0, 1},
      {NOVA_PAYLOAD_WILL, zero, "1", RANGE, 1},
      {NOVA_PAYLOAD_WILL, zero, "1651234567", RANGE, 1},
      {NOVA_PAYLOAD_WILL, zero, "99999999999999999999", RANGE, 1},
      {NOVA_PAYLOAD_WILL, zero, "0.0", TYPE, 1},
      {NOVA_PAYLOAD_WILL, zero, "'0'", TYPE, 1},
      {NOVA_PAYLOAD_WILL, zero, "false", TYPE, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_payload p;
    size_t offset;
    int error =
        with_value(cases[i].kind, cases[i].text, cases[i].value, &p, &offset);
    cr_assert_eq(error, cases[i].error, "%s with %s: %s", cases[i].text,
                 cases[i].value, nova_error_name(error));
    unsigned bit = 1u << cases[i].field;
    cr_assert_eq(p.present & bit, error == 0 ? bit : 0);
    cr_assert_neq(p.value[cases[i].field].type, NOVA_JSON_NONE);
    cr_assert_eq(p.defects, error != 0);
    if (error != 0) {
      cr_assert_eq(p.defect[0].code, error);
      cr_assert_eq(p.defect[0].offset, offset);
      cr_assert_eq(p.defect[0].field, cases[i].field);
    }
  }
}

Test(payload, every_defect_is_told) {
  struct nova_payload p;
  struct nova_view text = quoted(" {'success':0,'data':[],'x':1} ");
  cr_assert_eq(nova_payload_decode(scanner(), NOVA_PAYLOAD_ANSWER, text, &p),
               NOVA_ERR_MSG_FIELD_MISSING);
  cr_assert_eq(p.defects, 6);
  for (int i = 0; i < 4; i++) {
    cr_assert_eq(p.defect[i].code, NOVA_ERR_MSG_FIELD_MISSING);
    cr_assert_eq(p.defect[i].field, i);
    cr_assert_eq(p.defect[i].offset, text.n - 2);
  }
  cr_assert_eq(p.defect[4].code, NOVA_ERR_MSG_FIELD_TYPE);
  cr_assert_eq(p.defect[4].field, NOVA_PAYLOAD_INDEX(ANSWER, success));
  cr_assert_eq(p.defect[5].field, NOVA_PAYLOAD_INDEX(ANSWER, data));
  cr_assert_eq(p.present, 0);
  cr_assert_eq(p.unknown, 1);
}

/* Further members are what a data payload is for, and there may be many. */
Test(payload, members_behind_many_others) {
  char text[8192];
  size_t n = 1;
  text[0] = '{';
  for (int i = 0; i < 500; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "\"s%d\":%d,", i, i);
  n += (size_t)snprintf(text + n, sizeof text - n,
                        "\"device_id\":\"D\",\"times\\u0074amp\":1}");
  struct nova_payload p;
  cr_assert_eq(nova_payload_decode(scanner(), NOVA_PAYLOAD_DATA,
                                   (struct nova_view){text, n}, &p),
               0);
  cr_assert_eq(p.present, 3);
  cr_assert_eq(p.unknown, 500);
}

Test(payload, what_is_no_object) {
  static const struct {
    const char *text;
    int error;
    size_t offset;
  } cases[] = {
      {"", NOVA_ERR_JSON_EMPTY, 0},
      {"  ", NOVA_ERR_JSON_EMPTY, 2},
      {" [1]", NOVA_ERR_MSG_NOT_OBJECT, 1},
      {"null", NOVA_ERR_MSG_NOT_OBJECT, 0},
      {"{'a':1,'a':2}", NOVA_ERR_JSON_DUPLICATE_KEY, 7},
      {"{'timestamp':1,}", NOVA_ERR_JSON_UNEXPECTED, 15},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int k = NOVA_PAYLOAD_UNKNOWN; k < NOVA_PAYLOAD_KINDS; k++) {
      struct nova_payload p;
      int error = nova_payload_decode(scanner(), (enum nova_payload_kind)k,
                                      quoted(cases[i].text), &p);
      cr_assert_eq(error, cases[i].error, "%s: %s", cases[i].text,
                   nova_error_name(error));
      cr_assert_eq(p.kind, (enum nova_payload_kind)k);
      cr_assert_eq(p.defects, 1);
      cr_assert_eq(p.defect[0].offset, cases[i].offset);
      cr_assert_eq(p.defect[0].field, -1);
      cr_assert_eq(p.present, 0);
      cr_assert_eq(p.unknown, 0);
      cr_assert_eq(p.whole.type == NOVA_JSON_NONE,
                   error != NOVA_ERR_MSG_NOT_OBJECT);
    }
}

Test(payload, unknown_kinds_only_have_to_be_objects) {
  struct nova_payload p;
  cr_assert_eq(nova_payload_decode(scanner(), NOVA_PAYLOAD_UNKNOWN,
                                   quoted("{'a':1,'status':2}"), &p),
               0);
  cr_assert_eq(p.unknown, 2);
  cr_assert_eq(
      nova_payload_decode(scanner(), NOVA_PAYLOAD_KINDS, quoted("{}"), &p), 0);
  cr_assert_eq(p.kind, NOVA_PAYLOAD_UNKNOWN);
}

Test(payload, longer_than_the_scanner) {
  struct nova_json *j = nova_json_new(NULL, 8, 2);
  struct nova_payload p;
  cr_assert_eq(
      nova_payload_decode(j, NOVA_PAYLOAD_DATA, nova_view_of("{      }"), &p),
      NOVA_ERR_MSG_FIELD_MISSING);
  cr_assert_eq(
      nova_payload_decode(j, NOVA_PAYLOAD_DATA, nova_view_of("{       }"), &p),
      NOVA_ERR_LIMIT);
  nova_json_free(j);
}

/* Any bytes, in exact copies for the sanitizers; defects stay in their room. */
Test(payload, bytes_that_were_changed) {
  struct nova_rng r;
  nova_rng_init(&r, 5);
  for (int i = 0; i < 50000; i++) {
    size_t g = nova_rng_below(&r, sizeof guide / sizeof *guide);
    struct nova_view text = quoted(guide[g].text);
    text.n -= nova_rng_below(&r, 8) == 0 ? nova_rng_below(&r, text.n) : 0;
    char *copy = exact_copy(text);
    for (uint64_t k = nova_rng_below(&r, 3); text.n != 0 && k > 0; k--)
      copy[nova_rng_below(&r, text.n)] =
          "{}[]\",:0129-.eE\\tfn \xff"[nova_rng_below(&r, 22)];
    struct nova_payload p;
    int kind = (int)nova_rng_below(&r, NOVA_PAYLOAD_KINDS);
    int error = nova_payload_decode(scanner(), (enum nova_payload_kind)kind,
                                    (struct nova_view){copy, text.n}, &p);
    cr_assert_eq(error, p.defects != 0 ? p.defect[0].code : 0);
    cr_assert_leq(p.defects, NOVA_PAYLOAD_FIELDS);
    for (size_t d = 0; d < p.defects; d++)
      cr_assert_leq(p.defect[d].offset, text.n);
    free(copy);
  }
}
