/* What is wrong with a message: every defect, its code, its place, its field.
 */
#include "codec/message.h"
#include "support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* The defects as text: "FIELD_TYPE@12/1 ..." */
static const char *defects_of(const struct nova_msg *m) {
  static char text[512];
  size_t n = 0;
  text[0] = '\0';
  for (size_t i = 0; i < m->defects; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s@%zu/%d",
                          i != 0 ? " " : "", nova_error_name(m->defect[i].code),
                          m->defect[i].offset, m->defect[i].field);
  return text;
}

/* clang-format off */
static const struct {
  const char *text;
  const char *defects;
  enum nova_msg_kind kind;
  unsigned present;
  size_t unknown;
} cases[] = {
  {"[]", "MSG_NOT_OBJECT@0/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {" 'data'", "MSG_NOT_OBJECT@1/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"12", "MSG_NOT_OBJECT@0/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"null", "MSG_NOT_OBJECT@0/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"{}", "MSG_NO_TYPE@1/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"{'a':1,'b':2 }", "MSG_NO_TYPE@13/-1", NOVA_MSG_UNKNOWN, 0, 2},
  {"{'type':1}", "MSG_NO_TYPE@8/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"{'x':0,'type':null}", "MSG_NO_TYPE@14/-1", NOVA_MSG_UNKNOWN, 0, 1},
  {"{'type':'Data'}", "MSG_UNKNOWN_TYPE@8/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"{'type':''}", "MSG_UNKNOWN_TYPE@8/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"{'type':'dat\\u0061\\u0000'}", "MSG_UNKNOWN_TYPE@8/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"{'Type':'ping'}", "MSG_NO_TYPE@14/-1", NOVA_MSG_UNKNOWN, 0, 1},
  {"{'a':{'type':'ping'}}", "MSG_NO_TYPE@20/-1", NOVA_MSG_UNKNOWN, 0, 1},
  {"{'type':'ping'}", "MSG_FIELD_MISSING@14/0 MSG_FIELD_MISSING@14/1", NOVA_MSG_PING, 0, 0},
  {"{'type':'ping','device_id':'D','timestamp':1} \r", "", NOVA_MSG_PING, 3, 0},
  {"{'t\\u0079pe':'p\\u0069ng','device\\u005fid':'D','timestamp':1}", "", NOVA_MSG_PING, 3, 0},
  {"{'timestamp':1,'device_id':'D','type':'ping'}", "", NOVA_MSG_PING, 3, 0},
  {"{'type':'ping','device_id':'D','timestamp':1,'seq':[1,{}],'a':0}", "", NOVA_MSG_PING, 3, 2},
  {"{'type':'ping','device_id':5,'timestamp':'1'}",
   "MSG_FIELD_TYPE@27/0 MSG_FIELD_TYPE@41/1", NOVA_MSG_PING, 0, 0},
  {"{'timestamp':true,'type':'ping','device_id':null}",
   "MSG_FIELD_TYPE@44/0 MSG_FIELD_TYPE@13/1", NOVA_MSG_PING, 0, 0},
  {"{'type':'pong','timestamp':1.0}", "MSG_FIELD_TYPE@27/0", NOVA_MSG_PONG, 0, 0},
  {"{'type':'pong','timestamp':1e3}", "MSG_FIELD_TYPE@27/0", NOVA_MSG_PONG, 0, 0},
  {"{'type':'pong','timestamp':-1}", "MSG_FIELD_RANGE@27/0", NOVA_MSG_PONG, 0, 0},
  {"{'type':'pong','timestamp':-0}", "", NOVA_MSG_PONG, 1, 0},
  {"{'type':'pong','timestamp':0}", "", NOVA_MSG_PONG, 1, 0},
  {"{'type':'pong','timestamp':9007199254740991}", "", NOVA_MSG_PONG, 1, 0},
  {"{'type':'pong','timestamp':9007199254740992}", "", NOVA_MSG_PONG, 1, 0},
  {"{'type':'pong','timestamp':9007199254740993}", "MSG_FIELD_RANGE@27/0", NOVA_MSG_PONG, 0, 0},
  {"{'type':'pong','timestamp':9223372036854775807}", "MSG_FIELD_RANGE@27/0", NOVA_MSG_PONG, 0, 0},
  {"{'type':'pong','timestamp':9223372036854775808}", "MSG_FIELD_RANGE@27/0", NOVA_MSG_PONG, 0, 0},
  {"{'type':'pong','timestamp':99999999999999999999999}", "MSG_FIELD_RANGE@27/0", NOVA_MSG_PONG, 0, 0},
  {"{'type':'auth_result','result':'ok','message':'','timestamp':1}",
   "MSG_FIELD_RANGE@31/0", NOVA_MSG_AUTH_RESULT, 6, 0},
  {"{'type':'auth_result','result':'Success','message':'','timestamp':1}",
   "MSG_FIELD_RANGE@31/0", NOVA_MSG_AUTH_RESULT, 6, 0},
  {"{'type':'auth_result','result':'success','message':'','timestamp':1}",
   "", NOVA_MSG_AUTH_RESULT, 7, 0},
  {"{'type':'auth_result','result':'\\u0066ailed','message':'','timestamp':1}",
   "", NOVA_MSG_AUTH_RESULT, 7, 0},
  {"{'type':'auth_result','result':true,'message':'','timestamp':1}",
   "MSG_FIELD_TYPE@31/0", NOVA_MSG_AUTH_RESULT, 6, 0},
  /* In a response the guide does not say which results there are. */
  {"{'type':'command_response','command_id':'C','device_id':'D','timestamp':1,'result':'x','data':{}}",
   "", NOVA_MSG_COMMAND_RESPONSE, 31, 0},
  {"{'type':'data','device_id':'D','timestamp':1,'values':[]}",
   "MSG_FIELD_TYPE@54/2", NOVA_MSG_DATA, 3, 0},
  {"{'type':'data','device_id':'D','timestamp':1,'values':'{}'}",
   "MSG_FIELD_TYPE@54/2", NOVA_MSG_DATA, 3, 0},
  {"{'type':'data','values':{'timestamp':1,'device_id':'D'}}",
   "MSG_FIELD_MISSING@55/0 MSG_FIELD_MISSING@55/1", NOVA_MSG_DATA, 4, 0},
  {"{'type':'status','device_id':'D','timestamp':1,'status':'on'}", "", NOVA_MSG_STATUS, 7, 0},
  {"{'type':'status','device_id':'D','timestamp':1,'status':'on','info':null}",
   "MSG_FIELD_TYPE@68/3", NOVA_MSG_STATUS, 7, 0},
  {"{'type':'command'}",
   "MSG_FIELD_MISSING@17/0 MSG_FIELD_MISSING@17/1 MSG_FIELD_MISSING@17/2 "
   "MSG_FIELD_MISSING@17/3 MSG_FIELD_MISSING@17/4", NOVA_MSG_COMMAND, 0, 0},
  /* Bad JSON: one defect, nothing else. */
  {"{'type':'ping','device_id':'D','timestamp':01}", "JSON_NUMBER@44/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"{'type':'ping','type':'ping'}", "JSON_DUPLICATE_KEY@15/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"\xef\xbb\xbf{'type':'ping'}", "JSON_BOM@0/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"{'type':'ping'}{", "JSON_TRAILING@15/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {"", "LINE_EMPTY@0/-1", NOVA_MSG_UNKNOWN, 0, 0},
  {" \r", "LINE_EMPTY@2/-1", NOVA_MSG_UNKNOWN, 0, 0},
};
/* clang-format on */

Test(message_defect, every_one_is_listed) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_view t = quoted(cases[i].text);
    char *p = exact_copy(t);
    struct nova_msg m;
    memset(&m, 0xa5, sizeof m);
    int err = nova_msg_decode(scanner(), p, t.n, &m);
    cr_expect_str_eq(defects_of(&m), cases[i].defects, "%s: %s", cases[i].text,
                     defects_of(&m));
    cr_expect_eq(err, m.defects != 0 ? m.defect[0].code : 0);
    cr_expect_eq(m.kind, cases[i].kind, "%s", cases[i].text);
    cr_expect_eq(m.present, cases[i].present, "%s: %x", cases[i].text,
                 m.present);
    cr_expect_eq(m.unknown, cases[i].unknown, "%s: %zu", cases[i].text,
                 m.unknown);
    free(p);
  }
}

/* Thousands of unknown members in front of those that count, some of a length
 * that a known one has. */
Test(message_defect, members_are_found_behind_any_number_of_others) {
  static char text[131072];
  size_t n = (size_t)snprintf(text, sizeof text, "{");
  for (int i = 0; i < 6000; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "\"m%d\":%d,", i, i);
  n += (size_t)snprintf(
      text + n, sizeof text - n,
      "\"timestamp\":\"x\",\"result\":1,\"messag\\u0065\":\"hi\","
      "\"params\":1,\"more\":2,\"type\":\"auth_result\"}");
  struct nova_msg m;
  cr_assert_eq(nova_msg_decode(scanner(), text, n, &m),
               NOVA_ERR_MSG_FIELD_TYPE);
  cr_assert_eq(m.kind, NOVA_MSG_AUTH_RESULT);
  cr_assert_eq(m.unknown, 6002);
  cr_assert_eq(m.defects, 2);
  cr_assert_eq(m.present, 2);
  cr_assert(nova_string_is(m.u.auth_result.message, nova_view_of("hi")));
}

/* All names that any message has, and "type", behind eight others. */
Test(message_defect, all_known_members_at_once) {
  char text[2000];
  size_t n = (size_t)snprintf(text, sizeof text,
                              "{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,"
                              "\"6\":0,\"7\":0,\"8\":0,\"9\":0");
  const char *seen[64];
  size_t names = 0;
  for (enum nova_msg_kind k = 1; k < NOVA_MSG_KINDS; k++)
    for (size_t i = 0; i < nova_msg_info(k)->fields; i++) {
      const char *name = nova_msg_info(k)->field[i].name;
      bool before = false;
      for (size_t s = 0; s < names; s++)
        before |= strcmp(seen[s], name) == 0;
      if (before)
        continue;
      seen[names++] = name;
      n += (size_t)snprintf(text + n, sizeof text - n, ",\"%s\":\"\"", name);
    }
  n += (size_t)snprintf(text + n, sizeof text - n, ",\"type\":\"auth\"}");
  struct nova_msg m;
  cr_assert_eq(nova_msg_decode(scanner(), text, n, &m), 0);
  cr_assert_eq(m.present, 3);
  cr_assert_eq(m.unknown, names - 2 + 9);
}

Test(message_defect, survey_reads_an_object_as_another_kind) {
  static const struct {
    const char *text;
    enum nova_msg_kind as;
    const char *defects;
    unsigned present;
    size_t unknown;
  } surveys[] = {
      {"{'timestamp':1}", NOVA_MSG_PONG, "MSG_NO_TYPE@14/-1", 1, 0},
      {" {'timestamp':1}", NOVA_MSG_PONG, "MSG_NO_TYPE@15/-1", 1, 0},
      {"{'type':7,'timestamp':'x'}", NOVA_MSG_PONG,
       "MSG_NO_TYPE@8/-1 MSG_FIELD_TYPE@22/0", 0, 0},
      {"{'type':'Pong','timestamp':1,'x':1}", NOVA_MSG_PONG,
       "MSG_UNKNOWN_TYPE@8/-1", 1, 1},
      {"{'type':'pong','timestamp':1}", NOVA_MSG_PONG, "", 1, 0},
      {"{'type':'pong','timestamp':1}", NOVA_MSG_PING,
       "MSG_UNKNOWN_TYPE@8/-1 MSG_FIELD_MISSING@28/0", 2, 0},
      {"{'result':'ok','message':'\\u0041','timestamp':-1}",
       NOVA_MSG_AUTH_RESULT,
       "MSG_NO_TYPE@48/-1 MSG_FIELD_RANGE@10/0 MSG_FIELD_RANGE@46/2", 2, 0},
      {"[1]", NOVA_MSG_PONG, "MSG_NOT_OBJECT@0/-1", 0, 0},
      {"{'a'", NOVA_MSG_PONG, "JSON_TRUNCATED@4/-1", 0, 0},
      {"{'timestamp':1}", NOVA_MSG_UNKNOWN, "MSG_NO_TYPE@14/-1", 0, 1},
  };
  for (size_t i = 0; i < sizeof surveys / sizeof *surveys; i++) {
    struct nova_view t = quoted(surveys[i].text);
    char *p = exact_copy(t);
    struct nova_msg in, out;
    nova_msg_decode(scanner(), p, t.n, &in);
    int err = nova_msg_survey(&in, surveys[i].as, &out);
    cr_expect_str_eq(defects_of(&out), surveys[i].defects, "%s: %s",
                     surveys[i].text, defects_of(&out));
    cr_expect_eq(err, out.defects != 0 ? out.defect[0].code : 0);
    cr_expect_eq(out.present, surveys[i].present);
    cr_expect_eq(out.unknown, surveys[i].unknown);
    if (in.whole.type == NOVA_JSON_OBJECT && surveys[i].as != NOVA_MSG_UNKNOWN)
      cr_expect_eq(out.kind, surveys[i].as);
    /* In place as well. */
    cr_expect_eq(nova_msg_survey(&in, surveys[i].as, &in), err);
    cr_expect_str_eq(defects_of(&in), surveys[i].defects);
    free(p);
  }
}

/* A survey as the kind that it is gives what decoding gave. */
Test(message_defect, survey_agrees_with_decode) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_view t = quoted(cases[i].text);
    struct nova_msg m, s;
    nova_msg_decode(scanner(), t.p, t.n, &m);
    nova_msg_survey(&m, m.kind, &s);
    cr_expect_str_eq(defects_of(&s), cases[i].defects, "%s", cases[i].text);
    cr_expect_eq(s.present, m.present);
    cr_expect_eq(s.unknown, m.unknown);
    cr_expect_eq(s.kind, m.kind);
  }
}

Test(message_defect, infer_tells_what_is_meant) {
#define S NOVA_SENDER_SERVER
#define D NOVA_SENDER_DEVICE
  static const struct {
    const char *text;
    enum nova_sender sender;
    enum nova_msg_kind kind;
  } meant[] = {
      /* by name */
      {"{'type':'PONG'}", S, NOVA_MSG_PONG},
      {"{'type':' pong\\t'}", S, NOVA_MSG_PONG},
      {"{'type':'Auth-Result'}", S, NOVA_MSG_AUTH_RESULT},
      {"{'type':'command-response'}", D, NOVA_MSG_COMMAND_RESPONSE},
      {"{'type':'DATA','device_id':'D','device_key':'K'}", D, NOVA_MSG_DATA},
      {"{'type':'pongs'}", S, NOVA_MSG_UNKNOWN},
      {"{'type':'PONG'}", D, NOVA_MSG_UNKNOWN},
      {"{'type':'auth result'}", S, NOVA_MSG_UNKNOWN},
      /* known as it is */
      {"{'type':'pong'}", S, NOVA_MSG_PONG},
      /* by members */
      {"{'result':'success','message':'','timestamp':1}", S,
       NOVA_MSG_AUTH_RESULT},
      {"{'type':'login','result':'success','message':''}", S,
       NOVA_MSG_AUTH_RESULT},
      {"{'timestamp':1}", S, NOVA_MSG_PONG},
      {"{'type':'heartbeat','timestamp':1}", S, NOVA_MSG_PONG},
      {"{'type':null,'timestamp':1,'seq':4}", S, NOVA_MSG_PONG},
      {"{'command_id':'C','command':'x','params':{}}", S, NOVA_MSG_COMMAND},
      {"{'command_id':'C','device_id':'D','timestamp':1,'command':'x'}", S,
       NOVA_MSG_COMMAND},
      {"{'device_id':'D','device_key':'K'}", D, NOVA_MSG_AUTH},
      {"{'device_id':'D','timestamp':1}", D, NOVA_MSG_PING},
      {"{'device_id':'D','timestamp':1,'values':{}}", D, NOVA_MSG_DATA},
      {"{'timestamp':1,'values':{},'a':1,'b':2,'c':3}", D, NOVA_MSG_DATA},
      {"{'device_id':'D','timestamp':1,'status':'on'}", D, NOVA_MSG_STATUS},
      {"{'device_id':'D','timestamp':1,'status':'on','info':{}}", D,
       NOVA_MSG_STATUS},
      {"{'command_id':'C','device_id':'D','timestamp':1,'result':'x'}", D,
       NOVA_MSG_COMMAND_RESPONSE},
      /* not clear */
      {"{}", S, NOVA_MSG_UNKNOWN},
      {"{}", D, NOVA_MSG_UNKNOWN},
      {"{'device_id':'D'}", D, NOVA_MSG_UNKNOWN},
      {"{'foo':1}", S, NOVA_MSG_UNKNOWN},
      {"{'error':'x','code':5,'timestamp':1}", S, NOVA_MSG_UNKNOWN},
      {"{'command_id':'C'}", S, NOVA_MSG_UNKNOWN},
      {"[{'timestamp':1}]", S, NOVA_MSG_UNKNOWN},
      {"{'timestamp':1", S, NOVA_MSG_UNKNOWN},
  };
  for (size_t i = 0; i < sizeof meant / sizeof *meant; i++) {
    struct nova_view t = quoted(meant[i].text);
    struct nova_msg m;
    nova_msg_decode(scanner(), t.p, t.n, &m);
    enum nova_msg_kind kind = nova_msg_infer(&m, meant[i].sender);
    cr_expect_eq(kind, meant[i].kind, "%s: %s", meant[i].text,
                 kind != NOVA_MSG_UNKNOWN ? nova_msg_info(kind)->name : "-");
  }
  /* A type of any length. */
  static char text[5000] = "{\"type\":\"";
  memset(text + 9, 'x', 4000);
  memcpy(text + 4009, "\"}", 3);
  struct nova_msg m;
  nova_msg_decode(scanner(), text, strlen(text), &m);
  cr_expect_eq(nova_msg_infer(&m, S), NOVA_MSG_UNKNOWN);
}
