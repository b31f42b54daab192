#include "codec/message.h"
#include "support.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* The guide's examples, in one line each, and what stands in them. */
/* clang-format off */
static const char *const examples[NOVA_MSG_KINDS] = {
  [NOVA_MSG_AUTH] =
    "{'type':'auth','device_id':'DEV-123456','device_key':'k3y/+='}",
  [NOVA_MSG_AUTH_RESULT] =
    "{'type':'auth_result','result':'success','message':'\xe8\xae\xa4\xe8\xaf\x81','timestamp':1651234567}",
  [NOVA_MSG_DATA] =
    "{'type':'data','device_id':'DEV-123456','timestamp':1651234567,"
    "'values':{'temperature':25.5,'humidity':60.0,'light':500}}",
  [NOVA_MSG_STATUS] =
    "{'type':'status','device_id':'DEV-123456','timestamp':1651234567,'status':'online',"
    "'info':{'battery':85}}",
  [NOVA_MSG_COMMAND] =
    "{'type':'command','command_id':'CMD-1','device_id':'DEV-123456','timestamp':1651234567,"
    "'command':'set_led','params':{'led':1}}",
  [NOVA_MSG_COMMAND_RESPONSE] =
    "{'type':'command_response','command_id':'CMD-1','device_id':'DEV-123456','timestamp':1651234567,"
    "'result':'success','data':{}}",
  [NOVA_MSG_PING] =
    "{'type':'ping','device_id':'DEV-123456','timestamp':1651234567}",
  [NOVA_MSG_PONG] =
    "{'type':'pong','timestamp':1651234567}",
};
/* clang-format on */

#define EACH_KIND(k)                                                           \
  for (enum nova_msg_kind k = NOVA_MSG_UNKNOWN + 1; k < NOVA_MSG_KINDS; k++)

/* Decodes an exact copy, which is kept to the end of the test. */
static int decode(struct nova_view text, struct nova_msg *msg) {
  static char *kept[16];
  static size_t next;
  free(kept[next % 16]);
  char *p = kept[next++ % 16] = exact_copy(text);
  memset(msg, 0xa5, sizeof *msg);
  int err = nova_msg_decode(scanner(), p, text.n, msg);
  cr_assert_eq(msg->frame, p);
  cr_assert_eq(err, msg->defects != 0 ? msg->defect[0].code : 0);
  return err;
}

static int decode_s(const char *s, struct nova_msg *msg) {
  return decode(quoted(s), msg);
}

Test(message, table_has_every_kind) {
  cr_assert_null(nova_msg_info(NOVA_MSG_UNKNOWN));
  cr_assert_null(nova_msg_info(NOVA_MSG_KINDS));
  EACH_KIND(k) {
    const struct nova_msg_info *info = nova_msg_info(k);
    cr_assert_not_null(info);
    cr_assert_eq(nova_msg_kind_of(nova_view_of(info->name)), k);
    cr_assert(info->fields >= 1 && info->fields <= NOVA_MSG_FIELDS);
    for (size_t i = 0; i < info->fields; i++) {
      cr_assert_not_null(info->field[i].name);
      cr_assert_eq(strncmp(info->field[i].section, "3.", 2), 0);
    }
  }
  static const char *const others[] = {"",     "dat",      "data ",
                                       "Data", "pingpong", "command_"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    cr_assert_eq(nova_msg_kind_of(nova_view_of(others[i])), NOVA_MSG_UNKNOWN);
  const struct nova_msg_info *status = nova_msg_info(NOVA_MSG_STATUS);
  cr_assert_str_eq(status->field[3].name, "info");
  cr_assert_eq(status->field[3].type, NOVA_FIELD_OBJECT);
  cr_assert_not(status->field[3].required);
  cr_assert_eq(status->sender, NOVA_SENDER_DEVICE);
  cr_assert_eq(nova_msg_info(NOVA_MSG_COMMAND)->sender, NOVA_SENDER_SERVER);
}

Test(message, decodes_the_guides_examples) {
  struct nova_msg m;
  struct nova_string s;
  cr_assert_eq(decode_s(examples[NOVA_MSG_AUTH], &m), 0);
  cr_assert_eq(m.kind, NOVA_MSG_AUTH);
  cr_assert_eq(m.present, 3);
  cr_assert(nova_view_is(m.u.auth.device_id.raw, "DEV-123456"));
  cr_assert(nova_view_is(m.u.auth.device_key.raw, "k3y/+="));
  cr_assert_not(m.u.auth.device_key.escaped);

  cr_assert_eq(decode_s(examples[NOVA_MSG_AUTH_RESULT], &m), 0);
  cr_assert(nova_view_is(m.u.auth_result.result.raw, "success"));
  s = m.u.auth_result.message;
  cr_assert(nova_string_is(s, nova_view_of("\xe8\xae\xa4\xe8\xaf\x81")));
  cr_assert_eq(m.u.auth_result.timestamp, 1651234567);

  cr_assert_eq(decode_s(examples[NOVA_MSG_DATA], &m), 0);
  cr_assert_eq(m.present, 7);
  cr_assert(nova_view_is(m.u.data.device_id.raw, "DEV-123456"));
  cr_assert_eq(m.u.data.timestamp, 1651234567);
  cr_assert(
      nova_view_is(m.u.data.values,
                   "{\"temperature\":25.5,\"humidity\":60.0,\"light\":500}"));
  cr_assert_eq(m.unknown, 0);
  cr_assert_eq(m.whole.type, NOVA_JSON_OBJECT);
  cr_assert_eq(m.whole.text.p, m.frame);
  cr_assert(nova_view_is(m.type.text, "\"data\""));
  cr_assert(nova_view_is(m.value[1].text, "1651234567"));
  cr_assert_eq(m.value[1].type, NOVA_JSON_NUMBER);
  cr_assert_eq(m.value[3].type, NOVA_JSON_NONE);
  cr_assert_eq(m.value[4].type, NOVA_JSON_NONE);

  cr_assert_eq(decode_s(examples[NOVA_MSG_STATUS], &m), 0);
  cr_assert(nova_view_is(m.u.status.status.raw, "online"));
  cr_assert(nova_view_is(m.u.status.info, "{\"battery\":85}"));

  cr_assert_eq(decode_s(examples[NOVA_MSG_COMMAND], &m), 0);
  cr_assert(nova_view_is(m.u.command.command_id.raw, "CMD-1"));
  cr_assert(nova_view_is(m.u.command.command.raw, "set_led"));
  cr_assert(nova_view_is(m.u.command.params, "{\"led\":1}"));

  cr_assert_eq(decode_s(examples[NOVA_MSG_COMMAND_RESPONSE], &m), 0);
  cr_assert(nova_view_is(m.u.command_response.result.raw, "success"));
  cr_assert(nova_view_is(m.u.command_response.data, "{}"));

  cr_assert_eq(decode_s(examples[NOVA_MSG_PING], &m), 0);
  cr_assert_eq(m.u.ping.timestamp, 1651234567);
  cr_assert_eq(decode_s(examples[NOVA_MSG_PONG], &m), 0);
  cr_assert_eq(m.u.pong.timestamp, 1651234567);
}

static struct nova_string string(const char *s) {
  return nova_string_of(s);
}

Test(message, encodes_golden_bytes) {
  struct nova_msg m = {.kind = NOVA_MSG_DATA, .present = 7};
  m.u.data.device_id = string("DEV-123456");
  m.u.data.timestamp = 1651234567;
  m.u.data.values =
      nova_view_of("{\"temperature\":25.5,\"humidity\":60.0,\"light\":500}");
  char out[400];
  size_t len = 0;
  cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), 0);
  struct nova_view want = quoted(examples[NOVA_MSG_DATA]);
  cr_assert_eq(len, want.n + 1);
  cr_assert_eq(memcmp(out, want.p, want.n), 0);
  cr_assert_eq(out[want.n], '\n');

  m = (struct nova_msg){.kind = NOVA_MSG_STATUS, .present = 7};
  m.u.status.device_id = string("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9");
  m.u.status.timestamp = -5;
  m.u.status.status = (struct nova_string){nova_view_of("\\u0041\\n"), true};
  cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), 0);
  static const char golden[] =
      "{\"type\":\"status\",\"device_id\":\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001"
      "\\u001f\x7f\xc3\xa9\",\"timestamp\":-5,\"status\":\"\\u0041\\n\"}\n";
  cr_assert_eq(len, sizeof golden - 1);
  cr_assert_eq(memcmp(out, golden, len), 0, "%.*s", (int)len, out);
}

/* Encoding what was decoded gives the bytes back; decoding them, the message.
 */
Test(message, round_trip) {
  EACH_KIND(k) {
    struct nova_msg m, again;
    char out[400];
    size_t len;
    struct nova_view text = quoted(examples[k]);
    cr_assert_eq(decode(text, &m), 0);
    cr_assert_eq(m.kind, k);
    cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), 0);
    cr_assert_eq(len, text.n + 1);
    cr_assert_eq(memcmp(out, text.p, text.n), 0);
    cr_assert_eq(decode((struct nova_view){out, len - 1}, &again), 0);
    cr_assert_eq(again.present, m.present);
    for (size_t i = 0; i < NOVA_MSG_FIELDS; i++)
      cr_assert(nova_view_eq(again.value[i].text, m.value[i].text));
  }
}

Test(message, encodes_into_exactly_the_space_that_it_needs) {
  struct nova_msg m;
  cr_assert_eq(decode_s(examples[NOVA_MSG_COMMAND], &m), 0);
  size_t need = 0;
  cr_assert_eq(nova_msg_encode(&m, NULL, 0, &need), NOVA_ERR_NO_SPACE);
  for (size_t cap = 0; cap <= need + 1; cap++) {
    char out[400];
    memset(out, '#', sizeof out);
    size_t len = 7;
    cr_assert_eq(nova_msg_encode(&m, out + 8, cap, &len),
                 cap < need ? NOVA_ERR_NO_SPACE : 0);
    cr_assert_eq(len, need);
    for (size_t i = 0; i < 8; i++)
      cr_assert_eq(out[i], '#');
    for (size_t i = 8 + cap; i < sizeof out; i++)
      cr_assert_eq(out[i], '#', "wrote beyond %zu bytes", cap);
  }
}

Test(message, encode_refuses) {
  struct nova_msg m;
  char out[400];
  size_t len = 7;
  m = (struct nova_msg){.kind = NOVA_MSG_UNKNOWN};
  cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), NOVA_ERR_ARGUMENT);
  EACH_KIND(k) {
    for (size_t i = 0; i < nova_msg_info(k)->fields; i++) {
      cr_assert_eq(decode_s(examples[k], &m), 0);
      m.present &= ~(1u << i);
      int want = nova_msg_info(k)->field[i].required ? NOVA_ERR_ARGUMENT : 0;
      cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), want);
    }
  }
  m = (struct nova_msg){.kind = NOVA_MSG_PING, .present = 3};
  m.u.ping.device_id = string("a\xff");
  cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), NOVA_ERR_JSON_UTF8);
  m.u.ping.device_id.escaped = true;
  cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), NOVA_ERR_JSON_UTF8);
  /* A line feed would end the line. */
  m.u.ping.device_id.raw = nova_view_of("a\nb");
  cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), NOVA_ERR_ARGUMENT);
  m = (struct nova_msg){.kind = NOVA_MSG_DATA, .present = 7};
  m.u.data.values = nova_view_of("{\n}");
  cr_assert_eq(nova_msg_encode(&m, out, sizeof out, &len), NOVA_ERR_ARGUMENT);
}

Test(message, every_truncation_fails) {
  EACH_KIND(k) {
    struct nova_view text = quoted(examples[k]);
    for (size_t n = 0; n < text.n; n++) {
      struct nova_msg m;
      cr_assert_eq(decode((struct nova_view){text.p, n}, &m),
                   n == 0 ? NOVA_ERR_LINE_EMPTY : NOVA_ERR_JSON_TRUNCATED);
      cr_assert_eq(m.kind, NOVA_MSG_UNKNOWN);
      cr_assert_eq(m.present, 0);
      cr_assert_eq(m.defects, 1);
      cr_assert_eq(m.defect[0].offset, n);
      cr_assert_eq(m.defect[0].field, -1);
      cr_assert_eq(m.whole.type, NOVA_JSON_NONE);
    }
  }
}

Test(message, white_space_around_is_allowed) {
  static const char *const good[] = {
      "{'type':'pong','timestamp':1}\r", " {'type':'pong','timestamp':1}\t ",
      "{ 'type' : 'pong' , 'timestamp' : 1 }",
      "{'type':'data','device_id':'D','timestamp':1,'values':{}}\r"};
  struct nova_msg m;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    cr_assert_eq(decode_s(good[i], &m), 0, "%s", good[i]);
    cr_assert_eq(m.whole.text.p[m.whole.text.n - 1], '}');
    cr_assert_eq(m.whole.text.p[0], '{');
  }
  static const char *const empty[] = {"", " ", "\r", "\t \r"};
  for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
    cr_assert_eq(decode_s(empty[i], &m), NOVA_ERR_LINE_EMPTY);
}

/* One answer in two ways: a frame in the guide's form, and the same with a
 * space in front, which is decoded the general way. */
static void same_both_ways(struct nova_view text) {
  char spaced[600];
  spaced[0] = ' ';
  memcpy(spaced + 1, text.p, text.n);
  struct nova_msg a, b;
  int ea = decode(text, &a);
  int eb = decode((struct nova_view){spaced, text.n + 1}, &b);
#define SAME(x) cr_assert_eq(a.x, b.x, #x " differs: %.*s", (int)text.n, text.p)
#define SAME_VIEW(x)                                                           \
  do {                                                                         \
    SAME(x.n);                                                                 \
    if (a.x.p != NULL || b.x.p != NULL)                                        \
      cr_assert_eq(a.x.p - a.frame + 1, b.x.p - b.frame, #x " differs: %.*s",  \
                   (int)text.n, text.p);                                       \
  } while (0)
  cr_assert_eq(ea, eb, "%s %s: %.*s", nova_error_name(ea), nova_error_name(eb),
               (int)text.n, text.p);
  SAME(kind);
  SAME(present);
  SAME(unknown);
  SAME(whole.type);
  SAME_VIEW(whole.text);
  SAME(type.type);
  SAME_VIEW(type.text);
  SAME(defects);
  for (size_t i = 0; i < a.defects; i++) {
    SAME(defect[i].code);
    SAME(defect[i].field);
    cr_assert_eq(a.defect[i].offset + 1, b.defect[i].offset);
  }
  for (size_t i = 0; i < NOVA_MSG_FIELDS; i++) {
    SAME(value[i].type);
    SAME_VIEW(value[i].text);
  }
  if (a.kind == NOVA_MSG_STATUS) {
    SAME_VIEW(u.status.info);
    if (a.present & 1) {
      SAME_VIEW(u.status.device_id.raw);
      SAME(u.status.device_id.escaped);
    }
    if (a.present & 2)
      SAME(u.status.timestamp);
  }
  if (a.kind == NOVA_MSG_AUTH_RESULT) {
    if (a.present & 1)
      SAME_VIEW(u.auth_result.result.raw);
    if (a.present & 4)
      SAME(u.auth_result.timestamp);
  }
}

Test(message, the_guides_form_and_any_other_decode_alike) {
  static const char *const more[] = {
      "{'type':'status','device_id':'D','timestamp':0,'status':'on'}",
      "{'type':'status','device_id':'D','timestamp':01,'status':'on'}",
      "{'type':'status','device_id':'D','timestamp':-1,'status':'on'}",
      "{'type':'status','device_id':'D','timestamp':12345678,'status':'on'}",
      "{'type':'status','device_id':'D','timestamp':1234567,'status':'on'}",
      "{'type':'status','device_id':'D','timestamp':123456789012345,'status':'"
      "x'}",
      "{'type':'status','device_id':'D','timestamp':9007199254740992,'status':'"
      "x'}",
      "{'type':'status','device_id':'D','timestamp':9007199254740993,'status':'"
      "x'}",
      "{'type':'status','device_id':'D','timestamp':00007199254740993,'status':"
      "'x'}",
      "{'type':'status','device_id':'D','timestamp':12345678901234567,'status':"
      "'x'}",
      "{'type':'status','device_id':'D','timestamp':1651234567.0,'status':'on'"
      "}",
      "{'type':'status','device_id':'D','timestamp':1651234567e0,'status':'on'"
      "}",
      "{'type':'status','device_id':'D','timestamp':'1651234567','status':'on'"
      "}",
      "{'type':'status','device_id':'D\\n','timestamp':1651234567,'status':'on'"
      "}",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on','"
      "info':{}}",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on','"
      "info':[]}",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on','"
      "info':null}",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on','"
      "info':{'a':1,'a':2}}",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on','"
      "info':{'a':1}",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on','"
      "x':{'a':1}}",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on'}}",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on'}x",
      "{'type':'status','device_id':'D','timestamp':1651234567,'status':'on',}",
      "{'type':'status','device_id':'D','device_id':'D','timestamp':1,'status':"
      "'on'}",
      "{'type':'status','timestamp':1651234567,'device_id':'D','status':'on'}",
      "{'type':'statu\\u0073','timestamp':1651234567,'device_id':'D','status':'"
      "on'}",
      "{'type':'auth_result','result':'maybe','message':'x','timestamp':"
      "1651234567}",
      "{'type':'auth_result','result':'faile\\u0064','message':'','timestamp':"
      "1651234567}",
      "{'type':'auth_result','result':'failed','message':'','timestamp':"
      "1651234567}",
      "{'type':'nothing like "
      "it','result':'failed','message':'','timestamp':1651234567}",
  };
  EACH_KIND(k) {
    struct nova_view text = quoted(examples[k]);
    same_both_ways(text);
    /* The same with a blank behind colons and commas. */
    char spaced[512];
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
      spaced[n++] = text.p[i];
      if (text.p[i] == ':' || text.p[i] == ',')
        spaced[n++] = ' ';
    }
    same_both_ways((struct nova_view){spaced, n});
    struct nova_msg m;
    cr_assert_eq(decode((struct nova_view){spaced, n}, &m), 0);
    cr_assert_eq(m.kind, k);
  }
  for (size_t i = 0; i < sizeof more / sizeof *more; i++)
    same_both_ways(quoted(more[i]));
  /* Damaged at every byte with what might go unnoticed. */
  EACH_KIND(k) {
    struct nova_view text = quoted(examples[k]);
    for (size_t i = 0; i < text.n; i++)
      for (const char *c = "\"\\{}[]:,0.e-x \n\x7f\x80"; *c != '\0'; c++) {
        char damaged[512];
        memcpy(damaged, text.p, text.n);
        damaged[i] = *c;
        same_both_ways((struct nova_view){damaged, text.n});
        /* inserted, and removed */
        memmove(damaged + i + 1, text.p + i, text.n - i);
        same_both_ways((struct nova_view){damaged, text.n + 1});
        memmove(damaged + i, text.p + i + 1, text.n - i - 1);
        same_both_ways((struct nova_view){damaged, text.n - 1});
      }
  }
}

Test(message, frames_up_to_the_scanners_limit) {
  struct nova_view text = quoted(examples[NOVA_MSG_PING]);
  for (size_t limit = text.n - 1; limit <= text.n + 1; limit++) {
    struct nova_json *j = nova_json_new(NULL, limit, 64);
    struct nova_msg m;
    cr_assert_eq(nova_msg_decode(j, text.p, text.n, &m),
                 limit < text.n ? NOVA_ERR_LIMIT : 0);
    nova_json_free(j);
  }
}

Test(message, decode_allocates_nothing) {
  struct counting_mem c;
  counting_mem_init(&c);
  struct nova_json *j = nova_json_new(&c.mem, 131072, 64);
  size_t calls = c.calls;
  EACH_KIND(k) {
    struct nova_view text = quoted(examples[k]);
    struct nova_msg m;
    cr_assert_eq(nova_msg_decode(j, text.p, text.n, &m), 0);
    nova_msg_decode(j, text.p, text.n - 1, &m);
  }
  cr_assert_eq(c.calls, calls);
  nova_json_free(j);
}

Test(message, strings_are_read_unescaped) {
  struct nova_msg m;
  cr_assert_eq(
      decode_s("{'type':'auth','device_id':'\\u0044\\n','device_key':''}", &m),
      0);
  cr_assert(m.u.auth.device_id.escaped);
  cr_assert_not(m.u.auth.device_key.escaped);
  cr_assert(nova_string_is(m.u.auth.device_id, nova_view_of("D\n")));
  cr_assert_not(nova_string_is(m.u.auth.device_id, nova_view_of("D")));
  cr_assert(nova_string_is(m.u.auth.device_key, nova_view_of("")));
  char out[8] = "########";
  cr_assert_eq(nova_string_copy(m.u.auth.device_id, out, 2), 2);
  cr_assert_eq(memcmp(out, "D\n######", 8), 0);
  cr_assert_eq(nova_string_copy(m.u.auth.device_id, out, 1), 2);
  cr_assert_eq(nova_string_copy(string("abc"), NULL, 0), 3);
  cr_assert_eq(nova_string_copy(string("abc"), out, 3), 3);
  cr_assert_eq(memcmp(out, "abc#####", 8), 0);
}
