/* Objects that say packets, right and wrong ones. */
#include "mqtt_support.h"
#include "support.h"

#include "codec/mqtt_json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Appends what the object says, from an exact copy of it. ' stands for ". */
static int read_object(const char *object, uint16_t packet_id, size_t pad,
                       struct nova_buf *out,
                       struct nova_mqtt_json_fault *fault) {
  struct nova_view text = quoted(object);
  struct nova_json_value v;
  char *copy = exact_copy(text);
  struct nova_fault_at at;
  int error = nova_json_check(scanner(), copy, text.n, &v, &at);
  cr_assert_eq(error, 0, "%s at %zu: %s", nova_error_name(error), at.offset,
               object);
  error = nova_mqtt_from_json(v, packet_id, pad, out, fault);
  if (fault != NULL && fault->name.n != 0)
    cr_assert(fault->name.p >= copy &&
              fault->name.p + fault->name.n <= copy + text.n);
  free(copy);
  return error;
}

/* |expected|: in the notation of bytes_of(). */
static void assert_bytes(const char *object, const char *expected) {
  struct nova_buf out;
  struct nova_mqtt_json_fault fault = {NULL, NULL, {NULL, 0}};
  struct nova_view bytes = bytes_of(expected);
  nova_buf_init(&out, NULL, 4096);
  cr_assert_eq(nova_buf_puts(&out, "x"), 0);
  int error = read_object(object, 0x1234, 0, &out, &fault);
  cr_assert_eq(error, 0, "%s: %s %s: %s", nova_error_name(error), fault.member,
               fault.why, object);
  cr_assert_str_eq(fault.member, "");
  cr_assert_str_eq(fault.why, "");
  cr_assert_eq(fault.name.n, 0);
  nova_buf_consume(&out, 1);
  struct nova_view got = nova_buf_view(&out);
  cr_assert_eq(got.n, bytes.n, "%zu bytes: %s", got.n, object);
  for (size_t i = 0; i < got.n; i++)
    cr_assert_eq(got.p[i], bytes.p[i], "byte %zu: %02x: %s", i,
                 (unsigned char)got.p[i], object);
  nova_buf_free(&out);
}

Test(mqtt_json_read, what_is_left_out) {
  assert_bytes("{'packet':'CONNECT'}", "10 0c 0004 'MQTT' 04 02 003c 0000");
  assert_bytes("{'packet':'CONNECT','will':{'topic':'t'}}",
               "10 11 0004 'MQTT' 04 06 003c 0000 0001 't' 0000");
  assert_bytes("{'packet':'CONNACK'}", "20 02 00 00");
  assert_bytes("{'packet':'PUBLISH','topic':'t'}", "30 03 0001 't'");
  assert_bytes("{'packet':'PUBLISH','topic':'t','qos':2}",
               "34 05 0001 't' 1234");
  assert_bytes("{'packet':'PUBACK'}", "40 02 1234");
  assert_bytes("{'packet':'PUBREC'}", "50 02 1234");
  assert_bytes("{'packet':'PUBREL'}", "62 02 1234");
  assert_bytes("{'packet':'PUBCOMP'}", "70 02 1234");
  assert_bytes("{'packet':'SUBSCRIBE','filters':[{'filter':'a'}]}",
               "82 06 1234 0001 'a' 00");
  assert_bytes("{'packet':'SUBACK','codes':[1]}", "90 03 1234 01");
  assert_bytes("{'packet':'UNSUBSCRIBE','filters':['a']}",
               "a2 05 1234 0001 'a'");
  assert_bytes("{'packet':'UNSUBACK'}", "b0 02 1234");
  assert_bytes("{'packet':'PINGREQ'}", "c0 00");
  assert_bytes("{'packet':'PINGRESP'}", "d0 00");
  assert_bytes("{'packet':'DISCONNECT'}", "e0 00");
}

Test(mqtt_json_read, what_is_given) {
  assert_bytes("{'will':{'payload':{'a' : 1},'retain':true,'qos':1,"
               "'topic':'w'},'password':'p','username':'u','client_id':'c',"
               "'keep_alive':65535,'clean_session':false,'level':4,"
               "'protocol':'MQTT','packet':'CONNECT'}",
               "10 21 0004 'MQTT' 04 ec ffff 0001 'c' 0001 'w' 0009 "
               "'{\x22"
               "a\x22 : 1}' 0001 'u' 0001 'p'");
  assert_bytes("{'packet':'CONNECT','protocol':'MQIsdp','level':3,"
               "'username':'','password_hex':'00fF'}",
               "10 14 0006 'MQIsdp' 03 c2 003c 0000 0000 0002 00ff");
  assert_bytes("{'packet':'CONNACK','session_present':true,'code':255}",
               "20 02 01 ff");
  assert_bytes("{'packet':'PUBLISH','says':7,'device_id':[],'dup':true,"
               "'qos':1,'retain':true,'packet_id':1,'topic':'t',"
               "'payload': [1, 2] ,'payload_size':'x'}",
               "3b 0b 0001 't' 0001 '[1, 2]'");
  assert_bytes("{'packet':'PUBLISH','topic':'t','payload_text':'\\u00e9\\n'}",
               "30 06 0001 't' c3a9 0a");
  assert_bytes("{'packet':'PUBLISH','topic':'t','payload_hex':'0aFf'}",
               "30 05 0001 't' 0aff");
  assert_bytes("{'packet':'PUBLISH','topic':'t','payload_hex':''}",
               "30 03 0001 't'");
  assert_bytes("{'packet':'PUBLISH','topic':'t','payload':''}",
               "30 05 0001 't' 2222");
  assert_bytes("{'packet':'PUBACK','packet_id':7}", "40 02 0007");
  assert_bytes("{'packet':'SUBSCRIBE','packet_id':7,'filters':["
               "{'qos':1,'filter':'a/\\u002b'},{'filter':''}]}",
               "82 0b 0007 0003 'a/+' 01 0000 00");
  assert_bytes("{'packet':'SUBACK','packet_id':7,'codes':[0,128,255]}",
               "90 05 0007 00 80 ff");
  assert_bytes("{'packet':'UNSUBSCRIBE','packet_id':7,"
               "'filters':['\\u00e9','b']}",
               "a2 09 0007 0002 c3a9 0001 'b'");
}

/* What the decoder refuses can be said all the same. */
Test(mqtt_json_read, wrong_packets) {
  assert_bytes("{'packet':'CONNECT','password':'p','will':{'topic':'#',"
               "'qos':3}}",
               "10 14 0004 'MQTT' 04 5e 003c 0000 0001 '#' 0000 0001 'p'");
  assert_bytes("{'packet':'PUBLISH','topic':'','dup':true}", "38 02 0000");
  assert_bytes("{'packet':'PUBLISH','topic':'+','qos':3}",
               "36 05 0001 '+' 1234");
  assert_bytes("{'packet':'PUBLISH','topic':'\\u0000','qos':1,'packet_id':0}",
               "32 05 0001 00 0000");
  assert_bytes("{'packet':'PUBLISH','topic':'t','packet_id':5}",
               "30 03 0001 't'");
  assert_bytes("{'packet':'SUBSCRIBE','filters':[]}", "82 02 1234");
  assert_bytes("{'packet':'SUBSCRIBE','filters':[{'filter':'a#','qos':255}]}",
               "82 07 1234 0002 'a#' ff");
  assert_bytes("{'packet':'SUBACK','codes':[]}", "90 02 1234");
  assert_bytes("{'packet':'UNSUBSCRIBE','filters':[]}", "a2 02 1234");
}

Test(mqtt_json_read, the_wire) {
  assert_bytes("{'packet':'SUBSCRIBE','filters':[],'wire':{'flags':0}}",
               "80 02 1234");
  assert_bytes("{'wire':{'flags':15},'packet':'PUBLISH','topic':'t'}",
               "3f 03 0001 't'");
  assert_bytes("{'packet':'CONNECT','wire':{'reserved':true}}",
               "10 0c 0004 'MQTT' 04 03 003c 0000");
  assert_bytes("{'packet':'CONNECT','protocol':'M','wire':"
               "{'reserved':true,'width':2}}",
               "10 8900 0001 'M' 04 03 003c 0000");
  assert_bytes("{'packet':'CONNECT','wire':{'reserved':false}}",
               "10 0c 0004 'MQTT' 04 02 003c 0000");
  assert_bytes("{'packet':'PINGREQ','wire':{'width':1}}", "c0 00");
  assert_bytes("{'packet':'PINGREQ','wire':{'width':4}}", "c0 80808000");
  assert_bytes("{'packet':'PUBACK','wire':{'width':5}}", "40 8280808000 1234");
  assert_bytes("{'packet':'PUBLISH','topic':'t','wire':{'topic_tail':'c3'}}",
               "30 04 0002 't' c3");
  assert_bytes("{'packet':'PUBLISH','topic':'\\u00e9','payload':1,"
               "'wire':{'topic_tail':'00','flags':2}}",
               "32 06 0003 c3a9 00 '1'");
  assert_bytes("{'packet':'PUBACK','wire':{'cut':1}}", "40 02 12");
  assert_bytes("{'packet':'PUBACK','wire':{'cut':3}}", "40");
  assert_bytes("{'packet':'PUBACK','wire':{'cut':0,'tail':''}}", "40 02 1234");
  assert_bytes("{'packet':'PINGREQ','wire':{'tail':'0102'}}", "c0 02 0102");
  assert_bytes("{'packet':'DISCONNECT','wire':{'tail':'0102','cut':1,"
               "'width':2,'flags':1}}",
               "e1 8200 01");
  assert_bytes("{'packet':'PINGREQ','wire':{}}", "c0 00");
}

/* The tail is what makes the length take another byte. */
Test(mqtt_json_read, a_tail_that_widens_the_length) {
  char object[1024] = "{'packet':'PUBACK','wire':{'tail':'";
  for (int i = 0; i < 126; i++)
    strcat(object, "ab");
  strcat(object, "'}}");
  struct nova_buf out;
  nova_buf_init(&out, NULL, 131);
  cr_assert_eq(read_object(object, 0x1234, 0, &out, NULL), 0);
  struct nova_view got = nova_buf_view(&out);
  cr_assert_eq(got.n, 3 + 2 + 126);
  cr_assert_eq(memcmp(got.p, "\x40\x80\x01\x12\x34\xab", 6), 0);
  cr_assert_eq(got.p[got.n - 1], (char)0xab);
  nova_buf_free(&out);
}

Test(mqtt_json_read, what_is_refused) {
  static const struct {
    const char *object, *member, *why;
  } cases[] = {
      {"[]", "", "is no object"},
      {"7", "", "is no object"},
      {"{}", "packet", "is missing"},
      {"{'packet':7}", "packet", "names no packet"},
      {"{'packet':'connect'}", "packet", "names no packet"},
      {"{'packet':'forbidden type'}", "packet", "names no packet"},
      {"{'packet':'CONNECT','protocol':null}", "protocol", "is no string"},
      {"{'packet':'CONNECT','level':256}", "level",
       "is no whole number from 0 to 255"},
      {"{'packet':'CONNECT','level':-1}", "level",
       "is no whole number from 0 to 255"},
      {"{'packet':'CONNECT','clean_session':1}", "clean_session",
       "is neither true nor false"},
      {"{'packet':'CONNECT','keep_alive':65536}", "keep_alive",
       "is no whole number from 0 to 65535"},
      {"{'packet':'CONNECT','keep_alive':1.0}", "keep_alive",
       "is no whole number from 0 to 65535"},
      {"{'packet':'CONNECT','keep_alive':99999999999999999999}", "keep_alive",
       "is no whole number from 0 to 65535"},
      {"{'packet':'CONNECT','username':1}", "username", "is no string"},
      {"{'packet':'CONNECT','password':'','password_hex':''}", "password",
       "is given in more than one form"},
      {"{'packet':'CONNECT','password_hex':'a'}", "password_hex",
       "is not pairs of hexadecimal digits"},
      {"{'packet':'CONNECT','password_hex':'ag'}", "password_hex",
       "is not pairs of hexadecimal digits"},
      {"{'packet':'CONNECT','password_hex':'/0'}", "password_hex",
       "is not pairs of hexadecimal digits"},
      {"{'packet':'CONNECT','will':[]}", "will", "is no object"},
      {"{'packet':'CONNECT','will':{}}", "will.topic", "is missing"},
      {"{'packet':'CONNECT','will':{'topic':1}}", "will.topic", "is no string"},
      {"{'packet':'CONNECT','will':{'topic':'t','qos':4}}", "will.qos",
       "is no whole number from 0 to 3"},
      {"{'packet':'CONNECT','will':{'topic':'t','retain':'no'}}", "will.retain",
       "is neither true nor false"},
      {"{'packet':'CONNECT','will':{'topic':'t','payload':1,"
       "'payload_hex':''}}",
       "will.payload", "is given in more than one form"},
      {"{'packet':'CONNACK','session_present':0}", "session_present",
       "is neither true nor false"},
      {"{'packet':'CONNACK','code':256}", "code",
       "is no whole number from 0 to 255"},
      {"{'packet':'PUBLISH'}", "topic", "is missing"},
      {"{'packet':'PUBLISH','topic':'t','qos':4}", "qos",
       "is no whole number from 0 to 3"},
      {"{'packet':'PUBLISH','topic':'t','dup':0}", "dup",
       "is neither true nor false"},
      {"{'packet':'PUBLISH','topic':'t','packet_id':65536}", "packet_id",
       "is no whole number from 0 to 65535"},
      {"{'packet':'PUBLISH','topic':'t','payload_text':{}}", "payload_text",
       "is no string"},
      {"{'packet':'PUBLISH','topic':'t','payload_hex':'0'}", "payload_hex",
       "is not pairs of hexadecimal digits"},
      {"{'packet':'PUBLISH','topic':'t','payload_text':'','payload_hex':''}",
       "payload", "is given in more than one form"},
      {"{'packet':'PUBACK','packet_id':'1'}", "packet_id",
       "is no whole number from 0 to 65535"},
      {"{'packet':'SUBSCRIBE'}", "filters", "is missing"},
      {"{'packet':'SUBSCRIBE','filters':{}}", "filters", "is no array"},
      {"{'packet':'SUBSCRIBE','filters':['a']}", "filters",
       "has an entry that is no object"},
      {"{'packet':'SUBSCRIBE','filters':[{}]}", "filters.filter", "is missing"},
      {"{'packet':'SUBSCRIBE','filters':[{'filter':1}]}", "filters.filter",
       "is no string"},
      {"{'packet':'SUBSCRIBE','filters':[{'filter':'a','qos':256}]}",
       "filters.qos", "is no whole number from 0 to 255"},
      {"{'packet':'SUBSCRIBE','packet_id':-1,'filters':[]}", "packet_id",
       "is no whole number from 0 to 65535"},
      {"{'packet':'UNSUBSCRIBE','filters':[{}]}", "filters",
       "has an entry that is no string"},
      {"{'packet':'SUBACK'}", "codes", "is missing"},
      {"{'packet':'SUBACK','codes':[256]}", "codes",
       "has an entry that is no whole number from 0 to 255"},
      {"{'packet':'SUBACK','codes':['0']}", "codes",
       "has an entry that is no whole number from 0 to 255"},
      {"{'packet':'PINGREQ','wire':7}", "wire", "is no object"},
      {"{'packet':'PINGREQ','wire':{'flags':16}}", "wire.flags",
       "is no whole number from 0 to 15"},
      {"{'packet':'PINGREQ','wire':{'width':0}}", "wire.width",
       "is no whole number from 1 to 5"},
      {"{'packet':'PINGREQ','wire':{'width':6}}", "wire.width",
       "is no whole number from 1 to 5"},
      {"{'packet':'CONNECT','wire':{'reserved':1}}", "wire.reserved",
       "is neither true nor false"},
      {"{'packet':'PINGREQ','wire':{'cut':2}}", "wire.cut",
       "leaves nothing of the packet"},
      {"{'packet':'PINGREQ','wire':{'cut':-1}}", "wire.cut",
       "is no whole number from 0 to 268435455"},
      {"{'packet':'PINGREQ','wire':{'tail':'0'}}", "wire.tail",
       "is not pairs of hexadecimal digits"},
      {"{'packet':'PUBLISH','topic':'t','wire':{'topic_tail':7}}",
       "wire.topic_tail", "is no string"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_mqtt_json_fault fault;
    struct nova_buf out;
    nova_buf_init(&out, NULL, 4096);
    cr_assert_eq(read_object(cases[i].object, 1, 0, &out, &fault),
                 NOVA_ERR_ARGUMENT, "%s", cases[i].object);
    cr_assert_str_eq(fault.member, cases[i].member, "%s: %s", cases[i].object,
                     fault.member);
    cr_assert_str_eq(fault.why, cases[i].why, "%s: %s", cases[i].object,
                     fault.why);
    cr_assert_eq(fault.name.n, 0);
    cr_assert_eq(out.len, 0);
    cr_assert_eq(read_object(cases[i].object, 1, 0, &out, NULL),
                 NOVA_ERR_ARGUMENT);
    nova_buf_free(&out);
  }
}

Test(mqtt_json_read, members_that_do_not_belong_there) {
  static const struct {
    const char *object, *member, *name;
  } cases[] = {
      {"{'packet':'CONNECT','keepalive':1}", "", "keepalive"},
      {"{'packet':'CONNECT','topic':'t'}", "", "topic"},
      {"{'packet':'PINGREQ','packet_id':1}", "", "packet_id"},
      {"{'packet':'CONNACK','packet_id':1}", "", "packet_id"},
      {"{'packet':'PUBACK','qos':1}", "", "qos"},
      {"{'packet':'SUBSCRIBE','filters':[],'codes':[]}", "", "codes"},
      {"{'packet':'SUBACK','filters':[],'codes':[]}", "", "filters"},
      {"{'packet':'CONNECT','will':{'topic':'t','dup':true}}", "will", "dup"},
      {"{'packet':'SUBSCRIBE','filters':[{'filter':'a','packet':1}]}",
       "filters", "packet"},
      {"{'packet':'PINGREQ','wire':{'reserved':true}}", "wire", "reserved"},
      {"{'packet':'CONNECT','wire':{'topic_tail':''}}", "wire", "topic_tail"},
      {"{'packet':'CONNECT','wire':{'wire':{}}}", "wire", "wire"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_mqtt_json_fault fault;
    struct nova_json_value v = value_of_text(quoted(cases[i].object));
    struct nova_buf out;
    nova_buf_init(&out, NULL, 4096);
    cr_assert_eq(nova_mqtt_from_json(v, 1, 0, &out, &fault), NOVA_ERR_ARGUMENT,
                 "%s", cases[i].object);
    cr_assert_str_eq(fault.member, cases[i].member, "%s", cases[i].object);
    cr_assert_str_eq(fault.why, "has a member that does not belong there");
    cr_assert_eq(fault.name.n, strlen(cases[i].name) + 2);
    cr_assert_eq(memcmp(fault.name.p + 1, cases[i].name, fault.name.n - 2), 0);
    nova_buf_free(&out);
  }
  struct nova_json_value none = {NOVA_JSON_NONE, {NULL, 0}};
  struct nova_buf out;
  nova_buf_init(&out, NULL, 16);
  cr_assert_eq(nova_mqtt_from_json(none, 1, 0, &out, NULL), NOVA_ERR_ARGUMENT);
}

/* --- padding -------------------------------------------------------------- */

static void assert_padded(const char *members, size_t pad,
                          const char *payload) {
  char object[256];
  struct nova_buf out;
  struct nova_mqtt m;
  nova_buf_init(&out, NULL, 4096);
  snprintf(object, sizeof object, "{'packet':'PUBLISH','topic':'\\u0074'%s}",
           members);
  cr_assert_eq(read_object(object, 1, pad, &out, NULL), 0);
  struct nova_view got = nova_buf_view(&out), expected = quoted(payload);
  cr_assert_eq(nova_mqtt_decode(got.p, got.n, &m, NULL), 0);
  cr_assert(nova_view_is(m.u.publish.topic, "t"));
  cr_assert(nova_view_eq(m.u.publish.payload, expected), "%s", object);
  nova_buf_free(&out);
}

Test(mqtt_json_read, padding) {
  assert_padded(",'payload':{'a':1}", 12, "{'a':1     }");
  assert_padded(",'payload':{'a':1}", 8, "{'a':1 }");
  assert_padded(",'payload':{'a':1}", 7, "{'a':1}");
  assert_padded(",'payload':{'a':1}", 6, "{'a':1}");
  assert_padded(",'payload':[]", 4, "[  ]");
  assert_padded(",'payload':'a'", 5, "'a'  ");
  assert_padded(",'payload':17", 4, "17  ");
  assert_padded(",'payload_text':'{\\u0061}'", 6, "{a   }");
  assert_padded(",'payload_hex':'7d'", 3, "  }");
  assert_padded("", 2, "  ");
}

Test(mqtt_json_read, padding_is_for_publish_and_has_its_limit) {
  struct nova_mqtt_json_fault fault;
  struct nova_buf out;
  nova_buf_init(&out, NULL, 64);
  cr_assert_eq(read_object("{'packet':'CONNECT','will':{'topic':'t'}}", 1, 50,
                           &out, NULL),
               0);
  cr_assert_eq(out.len, 19);
  nova_buf_clear(&out);
  cr_assert_eq(read_object("{'packet':'PINGREQ'}", 1,
                           (size_t)NOVA_MQTT_REMAINING_MAX + 1, &out, &fault),
               NOVA_ERR_ARGUMENT);
  cr_assert_str_eq(fault.member, "payload");
  cr_assert_eq(
      read_object("{'packet':'PUBLISH','topic':'t'}", 1, 100, &out, &fault),
      NOVA_ERR_LIMIT);
  cr_assert_eq(out.len, 0);
  nova_buf_free(&out);
}

/* --- limits --------------------------------------------------------------- */

/* An object with a text of |n| bytes at its '@'. */
static int with_length(const char *object, size_t n,
                       struct nova_mqtt_json_fault *fault, size_t *size) {
  struct nova_view text = quoted(object);
  const char *at = memchr(text.p, '@', text.n);
  size_t before = (size_t)(at - text.p), after = text.n - before - 1;
  char *whole = malloc(text.n + n);
  cr_assert_not_null(whole);
  memcpy(whole, text.p, before);
  memset(whole + before, '7', n);
  memcpy(whole + before + n, at + 1, after);
  struct nova_json *j = nova_json_new(NULL, 1 << 20, 8);
  struct nova_json_value v;
  struct nova_buf out;
  nova_buf_init(&out, NULL, 1 << 20);
  cr_assert_eq(nova_json_check(j, whole, before + n + after, &v, NULL), 0);
  int error = nova_mqtt_from_json(v, 1, 0, &out, fault);
  *size = out.len;
  nova_buf_free(&out);
  nova_json_free(j);
  free(whole);
  return error;
}

/* One byte more than 65535 has no length; a PUBLISH's payload has none of its
 * own. */
Test(mqtt_json_read, strings_as_long_as_they_can_be) {
  static const struct {
    const char *object, *member;
    size_t most;
  } cases[] = {
      {"{'packet':'CONNECT','protocol':'@'}", "protocol", 65535},
      {"{'packet':'CONNECT','client_id':'@'}", "client_id", 65535},
      {"{'packet':'CONNECT','username':'@'}", "username", 65535},
      {"{'packet':'CONNECT','password':'@'}", "password", 65535},
      {"{'packet':'CONNECT','password_hex':'00@'}", "password_hex", 131068},
      {"{'packet':'CONNECT','will':{'topic':'@'}}", "will.topic", 65535},
      {"{'packet':'CONNECT','will':{'topic':'t','payload':'@'}}",
       "will.payload", 65533},
      {"{'packet':'CONNECT','will':{'topic':'t','payload_text':'@'}}",
       "will.payload_text", 65535},
      {"{'packet':'PUBLISH','topic':'@'}", "topic", 65535},
      {"{'packet':'PUBLISH','topic':'a','wire':{'topic_tail':'@'}}",
       "wire.topic_tail", 131068},
      {"{'packet':'SUBSCRIBE','filters':[{'filter':'@'}]}", "filters.filter",
       65535},
      {"{'packet':'UNSUBSCRIBE','filters':['@']}", "filters", 65535},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_mqtt_json_fault fault;
    size_t size;
    cr_assert_eq(with_length(cases[i].object, cases[i].most, &fault, &size), 0,
                 "%s: %s %s", cases[i].object, fault.member, fault.why);
    cr_assert_gt(size, 65535);
    cr_assert_eq(with_length(cases[i].object, cases[i].most + 2, &fault, &size),
                 NOVA_ERR_ARGUMENT, "%s", cases[i].object);
    cr_assert_str_eq(fault.member, cases[i].member, "%s: %s", cases[i].object,
                     fault.member);
    cr_assert_not_null(strstr(fault.why, "65535 bytes"));
    cr_assert_eq(size, 0);
  }
  size_t size;
  cr_assert_eq(with_length("{'packet':'PUBLISH','topic':'t','payload':'@'}",
                           70000, NULL, &size),
               0);
  cr_assert_eq(size, 4 + 3 + 70002);
}

Test(mqtt_json_read, a_length_that_is_too_narrow) {
  struct nova_mqtt_json_fault fault;
  size_t size;
  static const char object[] =
      "{'packet':'PUBLISH','topic':'t','payload_text':'@','wire':{'width':1}}";
  cr_assert_eq(with_length(object, 124, &fault, &size), 0);
  cr_assert_eq(size, 2 + 127);
  cr_assert_eq(with_length(object, 125, &fault, &size), NOVA_ERR_ARGUMENT);
  cr_assert_str_eq(fault.member, "wire.width");
  cr_assert_str_eq(fault.why, "has no room for the packet's length");
}

Test(mqtt_json_read, no_room_and_no_memory) {
  static const char object[] =
      "{'packet':'PUBLISH','topic':'\\u0074','payload':1}";
  struct nova_mqtt_json_fault fault;
  struct nova_buf out;
  nova_buf_init(&out, NULL, 5);
  cr_assert_eq(read_object(object, 1, 0, &out, &fault), NOVA_ERR_LIMIT);
  cr_assert_str_eq(fault.why, "");
  nova_buf_free(&out);
  nova_buf_init(&out, NULL, 6);
  cr_assert_eq(read_object(object, 1, 0, &out, &fault), 0);
  nova_buf_free(&out);

  struct counting_mem mem;
  for (size_t fail_at = 1;; fail_at++) {
    counting_mem_init(&mem);
    mem.fail_at = fail_at;
    nova_buf_init(&out, &mem.mem, 4096);
    int error = read_object(object, 1, 0, &out, &fault);
    size_t len = out.len;
    nova_buf_free(&out);
    cr_assert_eq(mem.live, 0);
    if (error == 0) {
      cr_assert_eq(fail_at, 3, "a scratch and the buffer");
      break;
    }
    cr_assert_eq(error, NOVA_ERR_NO_MEMORY);
    cr_assert_eq(len, 0);
  }
}

/* Any object is either a packet or refused, and nothing is read beside it. */
Test(mqtt_json_read, objects_that_were_changed) {
  static const char *const objects[] = {
      "{'packet':'CONNECT','username':'\\u0061','password_hex':'00ff','will':{"
      "'topic':'t\\n','qos':1,'payload':{'a':[1]}},'wire':{'reserved':true}}",
      "{'packet':'PUBLISH','qos':1,'topic':'\\u0000','payload_text':'\\t',"
      "'wire':{'topic_tail':'ff','cut':3,'width':5,'tail':'00'}}",
      "{'packet':'SUBSCRIBE','packet_id':7,'filters':[{'filter':'a\\\\',"
      "'qos':1},{'filter':'\\u00e9'}],'wire':{'flags':7}}",
      "{'packet':'SUBACK','packet_id':7,'codes':[0,1,128]}",
      "{'packet':'UNSUBSCRIBE','filters':['a','\\ud83d\\ude00']}",
  };
  struct nova_rng r;
  size_t read = 0;
  nova_rng_init(&r, 99);
  for (int i = 0; i < 60000; i++) {
    struct nova_view text = quoted(objects[nova_rng_below(&r, 5)]);
    char *copy = exact_copy(text);
    for (uint64_t k = nova_rng_below(&r, 3); k > 0; k--)
      copy[nova_rng_below(&r, text.n)] =
          "{}[]\",:0129-.eE\\tfu \xc3"[nova_rng_below(&r, 22)];
    struct nova_json_value v;
    struct nova_buf out;
    nova_buf_init(&out, NULL, 512);
    if (nova_json_check(scanner(), copy, text.n, &v, NULL) == 0) {
      struct nova_mqtt_json_fault fault;
      int error =
          nova_mqtt_from_json(v, 1, nova_rng_below(&r, 200), &out, &fault);
      cr_assert(error == 0 || error == NOVA_ERR_ARGUMENT);
      cr_assert_eq(error == 0, *fault.why == '\0');
      cr_assert_eq(error == 0, out.len != 0);
      read += error == 0;
    }
    nova_buf_free(&out);
    free(copy);
  }
  cr_assert_gt(read, 20000, "%zu", read);
}
