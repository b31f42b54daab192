/* Packets as JSON objects and back. */
#include "mqtt_support.h"
#include "support.h"

#include "codec/mqtt_json.h"
#include "codec/payload.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* A scanner for what comes out. */
static struct nova_json *wide_scanner(void) {
  static struct nova_json *j;
  if (j == NULL)
    j = nova_json_new(NULL, NOVA_MQTT_JSON_MAX(1 << 20), 1024);
  cr_assert_not_null(j);
  return j;
}

/* The object of a packet, NUL-terminated; to be freed. It is checked. */
static char *object_of(const struct nova_mqtt *m, size_t size) {
  struct nova_buf out;
  struct nova_json_value v;
  struct nova_fault_at at;
  nova_buf_init(&out, NULL, (size_t)1 << 24);
  cr_assert_eq(nova_mqtt_to_json(m, scanner(), &out), 0);
  struct nova_view text = nova_buf_view(&out);
  cr_assert_leq(text.n, NOVA_MQTT_JSON_MAX(size));
  int error = nova_json_check(wide_scanner(), text.p, text.n, &v, &at);
  cr_assert_eq(error, 0, "%s at %zu: %.*s", nova_error_name(error), at.offset,
               (int)text.n, text.p);
  cr_assert_eq(v.type, NOVA_JSON_OBJECT);
  cr_assert_eq(v.text.n, text.n, "nothing around the object");
  char *copy = strdup(nova_buf_cstr(&out));
  nova_buf_free(&out);
  cr_assert_eq(strlen(copy), text.n, "no NUL in it");
  return copy;
}

/* The object of a packet in the notation, with ' for ". */
static void assert_object(const char *packet, const char *expected) {
  struct nova_view bytes = bytes_of(packet), text = quoted(expected);
  struct nova_mqtt m;
  cr_assert_eq(nova_mqtt_decode(bytes.p, bytes.n, &m, NULL), 0, "%s", packet);
  char *object = object_of(&m, bytes.n);
  cr_assert_eq(strlen(object), text.n, "%s", object);
  cr_assert_eq(memcmp(object, text.p, text.n), 0, "%s", object);
  free(object);
}

Test(mqtt_json, what_packets_say) {
  assert_object("10 0d 0004 'MQTT' 04 02 003c 0001 'a'",
                "{'packet':'CONNECT','protocol':'MQTT','level':4,"
                "'clean_session':true,'keep_alive':60,'client_id':'a'}");
}

Test(mqtt_json, what_other_packets_say) {
  assert_object("10 1d 0004 'MQTT' 04 f6 003c 0001 'a' 0003 'w/t' 0001 'm' "
                "0002 'us' 0002 'pw'",
                "{'packet':'CONNECT','protocol':'MQTT','level':4,"
                "'clean_session':true,'keep_alive':60,'client_id':'a',"
                "'username':'us','password':'pw',"
                "'will':{'topic':'w/t','qos':2,'retain':true,"
                "'payload_text':'m'}}");
  assert_object("10 19 0004 'MQTT' 04 c4 0000 0000 0001 't' 0002 '17' 0000 "
                "0002 ff0a",
                "{'packet':'CONNECT','protocol':'MQTT','level':4,"
                "'clean_session':false,'keep_alive':0,'client_id':'',"
                "'username':'','password_hex':'ff0a',"
                "'will':{'topic':'t','qos':0,'retain':false,'payload':17}}");
  assert_object("10 11 0004 'MQTT' 04 c2 003c 0000 0001 'u' 0000",
                "{'packet':'CONNECT','protocol':'MQTT','level':4,"
                "'clean_session':true,'keep_alive':60,'client_id':'',"
                "'username':'u','password':''}");
  assert_object("20 02 01 00",
                "{'packet':'CONNACK','session_present':true,'code':0}");
  assert_object("20 02 00 05",
                "{'packet':'CONNACK','session_present':false,'code':5}");
  assert_object("3b 07 0001 'a' ffff 'x' 09",
                "{'packet':'PUBLISH','says':'other','dup':true,'qos':1,"
                "'retain':true,'packet_id':65535,'topic':'a',"
                "'payload_text':'x\\t','payload_size':2}");
  assert_object("30 03 0001 'a'",
                "{'packet':'PUBLISH','says':'other','dup':false,'qos':0,"
                "'retain':false,'topic':'a','payload_size':0}");
  assert_object("40 02 0001", "{'packet':'PUBACK','packet_id':1}");
  assert_object("50 02 8000", "{'packet':'PUBREC','packet_id':32768}");
  assert_object("62 02 0100", "{'packet':'PUBREL','packet_id':256}");
  assert_object("70 02 ffff", "{'packet':'PUBCOMP','packet_id':65535}");
  assert_object("b0 02 0001", "{'packet':'UNSUBACK','packet_id':1}");
  assert_object("82 0e 0002 0003 'a/b' 02 0003 '+/#' 00",
                "{'packet':'SUBSCRIBE','packet_id':2,'filters':["
                "{'filter':'a/b','qos':2},{'filter':'+/#','qos':0}]}");
  assert_object("90 06 0002 00 01 02 80",
                "{'packet':'SUBACK','packet_id':2,'codes':[0,1,2,128]}");
  assert_object("a2 09 0003 0001 '#' 0002 '/+'",
                "{'packet':'UNSUBSCRIBE','packet_id':3,"
                "'filters':['#','/+']}");
  assert_object("c0 00", "{'packet':'PINGREQ'}");
  assert_object("d0 00", "{'packet':'PINGRESP'}");
  assert_object("e0 00", "{'packet':'DISCONNECT'}");
}

/* Appends what the object of a packet says; it has to be one. */
static void append_packet(const char *object, size_t n, struct nova_buf *out) {
  struct nova_json_value v;
  struct nova_mqtt_json_fault fault;
  cr_assert_eq(nova_json_check(wide_scanner(), object, n, &v, NULL), 0);
  int error = nova_mqtt_from_json(v, 0, 0, out, &fault);
  cr_assert_eq(error, 0, "%s: %s %s: %.*s", nova_error_name(error),
               fault.member, fault.why, (int)n, object);
  cr_assert_str_eq(fault.why, "");
}

Test(mqtt_json, packets_come_back_as_they_were) {
  struct nova_rng r;
  nova_rng_init(&r, 17);
  for (int i = 0; i < 20000; i++) {
    struct nova_mqtt m = random_packet(&r);
    struct nova_view bytes = encoded(&m, NOVA_MQTT_STRICT);
    struct nova_buf out;
    nova_buf_init(&out, NULL, (size_t)1 << 20);
    cr_assert_eq(nova_mqtt_decode(bytes.p, bytes.n, &m, NULL), 0);
    char *object = object_of(&m, bytes.n);
    append_packet(object, strlen(object), &out);
    cr_assert(nova_view_eq(nova_buf_view(&out), bytes), "%s", object);
    free(object);
    nova_buf_free(&out);
  }
}

/* The object of a PUBLISH. */
static char *published(struct nova_view topic, struct nova_view payload) {
  struct nova_mqtt m = {
      .type = NOVA_MQTT_PUBLISH,
      .u.publish = {.qos = 1,
                    .packet_id = 7,
                    .topic = topic,
                    .payload = payload},
  };
  return object_of(&m, 16 + topic.n + payload.n);
}

/* |members|: of a PUBLISH with that payload, from behind its topic on, with '
 * for ". */
static void assert_payload(struct nova_view payload, const char *members) {
  char *object = published(nova_view_of("t"), payload);
  struct nova_view text = quoted(members);
  const char *behind = strstr(object, "\"topic\":\"t\"");
  cr_assert_not_null(behind);
  behind += strlen("\"topic\":\"t\"");
  cr_assert_eq(strlen(behind), text.n, "%s", object);
  cr_assert_eq(memcmp(behind, text.p, text.n), 0, "%s", object);
  free(object);
}

Test(mqtt_json, payloads_in_the_form_that_fits) {
  assert_payload(nova_view_of("{\"a\": 1,\n \"b\":[ ]}"),
                 ",'payload':{'a': 1,\n 'b':[ ]},'payload_size':18}");
  assert_payload(nova_view_of(" \"x\"\r\n"),
                 ",'payload':'x','payload_size':6}");
  assert_payload(nova_view_of("null"), ",'payload':null,'payload_size':4}");
  assert_payload(nova_view_of("1e999"),
                 ",'payload_text':'1e999','payload_size':5}");
  assert_payload(nova_view_of("{\"a\":1,\"a\":2}"),
                 ",'payload_text':'{\\'a\\':1,\\'a\\':2}','payload_size':13}");
  assert_payload(nova_view_of(" "), ",'payload_text':' ','payload_size':1}");
  assert_payload(nova_view_of("\xc3\xa9\\"),
                 ",'payload_text':'\xc3\xa9\\\\','payload_size':3}");
  assert_payload((struct nova_view){"\xef\xbb\xbf{}", 5},
                 ",'payload_text':'\xef\xbb\xbf{}','payload_size':5}");
  assert_payload((struct nova_view){"\xff\x00{", 3},
                 ",'payload_hex':'ff007b','payload_size':3}");
  assert_payload((struct nova_view){"\xed\xa0\x80", 3},
                 ",'payload_hex':'eda080','payload_size':3}");
  assert_payload((struct nova_view){NULL, 0}, ",'payload_size':0}");
}

/* Escapes of six bytes against digits of two for each. */
Test(mqtt_json, text_that_is_mostly_control_characters_is_digits) {
  assert_payload((struct nova_view){"\0abcd", 5},
                 ",'payload_text':'\\u0000abcd','payload_size':5}");
  assert_payload((struct nova_view){"\0abc", 4},
                 ",'payload_hex':'00616263','payload_size':4}");
}

Test(mqtt_json, long_digits) {
  char payload[1000], digits[2 * sizeof payload + 1];
  for (size_t i = 0; i < sizeof payload; i++) {
    payload[i] = (char)(i * 7 | 0x80);
    snprintf(digits + 2 * i, 3, "%02x", (unsigned char)payload[i]);
  }
  char *object =
      published(nova_view_of("t"), (struct nova_view){payload, sizeof payload});
  cr_assert_not_null(strstr(object, digits));
  free(object);
}

Test(mqtt_json, what_the_guide_calls_a_payload) {
  static const struct {
    const char *topic, *payload, *says, *id;
  } cases[] = {
      {"novacloud/devices/DEV-1/data", "{'timestamp':1}", "data", "DEV-1"},
      {"novacloud/devices/DEV-1/data", "{'command':1}", "answer", "DEV-1"},
      {"novacloud/devices/DEV-1/data", "{'a':1,'response':1}", "answer",
       "DEV-1"},
      {"novacloud/devices/DEV-1/data", "['command']", "data", "DEV-1"},
      {"novacloud/devices/DEV-1/data", "{'command':", "data", "DEV-1"},
      {"novacloud/devices/DEV-1/data", "", "data", "DEV-1"},
      {"novacloud/devices/\x01/command", "{}", "command", "\\u0001"},
      {"novacloud/devices/DEV-1/status", "{'command':1}", "status", "DEV-1"},
      {"novacloud/devices/DEV-1/other", "{'command':1}", "other", NULL},
      {"novacloud/devices//data", "{'command':1}", "other", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *object =
        published(nova_view_of(cases[i].topic), quoted(cases[i].payload));
    char expected[128];
    snprintf(expected, sizeof expected,
             "{\"packet\":\"PUBLISH\",\"says\":\"%s\",\"d", cases[i].says);
    cr_assert_eq(strncmp(object, expected, strlen(expected)), 0, "%s", object);
    if (cases[i].id != NULL) {
      snprintf(expected, sizeof expected,
               ",\"device_id\":\"%s\",\"dup\":", cases[i].id);
      cr_assert_not_null(strstr(object, expected), "%s", object);
    } else {
      cr_assert_null(strstr(object, "device_id"), "%s", object);
    }
    free(object);
  }
}

/* A device's timestamps and the like are looked for as JSON: depth and size of
 * the scanner decide what is. */
Test(mqtt_json, the_scanner_says_what_is_json) {
  struct nova_json *j = nova_json_new(NULL, 10, 2);
  static const struct {
    const char *payload;
    bool is;
  } cases[] = {{"[[1,2,34]]", true}, {"[[1,2,345]]", false}, {"[[[]]]", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct nova_buf out;
    struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH};
    m.u.publish.topic = nova_view_of("t");
    m.u.publish.payload = nova_view_of(cases[i].payload);
    nova_buf_init(&out, NULL, 4096);
    cr_assert_eq(nova_mqtt_to_json(&m, j, &out), 0);
    cr_assert_eq(strstr(nova_buf_cstr(&out), "\"payload\":") != NULL,
                 cases[i].is, "%s", cases[i].payload);
    nova_buf_free(&out);
  }
  nova_json_free(j);
}

/* As for the encoder: no protocol is MQTT. Strings that are no UTF-8 do not
 * spoil the object. */
Test(mqtt_json, packets_that_nobody_decoded) {
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNECT};
  m.u.connect.client_id = (struct nova_view){"a\xff\xc3\xa9\xc3", 5};
  m.u.connect.will_message = (struct nova_view){"", 0};
  char *object = object_of(&m, 32);
  struct nova_view expected =
      quoted("{'packet':'CONNECT','protocol':'MQTT','level':4,"
             "'clean_session':false,'keep_alive':0,"
             "'client_id':'a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd',"
             "'will':{'topic':'','qos':0,'retain':false}}");
  cr_assert_eq(strlen(object), expected.n, "%s", object);
  cr_assert_eq(memcmp(object, expected.p, expected.n), 0, "%s", object);
  free(object);
  m = (struct nova_mqtt){.type = NOVA_MQTT_NONE};
  object = object_of(&m, 2);
  cr_assert_str_eq(object, "{\"packet\":\"forbidden type\"}");
  free(object);
  m = (struct nova_mqtt){.type = NOVA_MQTT_SUBACK};
  object = object_of(&m, 4);
  cr_assert_str_eq(object,
                   "{\"packet\":\"SUBACK\",\"packet_id\":0,\"codes\":[]}");
  free(object);
}

/* Whatever comes in, what is told of it is one object; and what can be decoded
 * comes back, but for longer lengths and white space around a payload. */
Test(mqtt_json, bytes_that_were_changed) {
  struct nova_rng r;
  size_t good = 0;
  nova_rng_init(&r, 23);
  for (int i = 0; i < 60000; i++) {
    struct nova_mqtt m = random_packet(&r), again;
    struct nova_view bytes = encoded(&m, NOVA_MQTT_STRICT);
    char *copy = exact_copy(bytes);
    for (uint64_t k = 1 + nova_rng_below(&r, 3); k > 0; k--)
      copy[nova_rng_below(&r, bytes.n)] = (char)nova_rng_next(&r);
    int error = nova_mqtt_decode(copy, bytes.n, &m, NULL);
    char *object = object_of(&m, bytes.n);
    if (error == 0 && (m.saw & NOVA_MQTT_SAW_LONG_LENGTH) == 0) {
      struct nova_buf out;
      nova_buf_init(&out, NULL, (size_t)1 << 20);
      append_packet(object, strlen(object), &out);
      struct nova_view back = nova_buf_view(&out);
      cr_assert_eq(nova_mqtt_decode(back.p, back.n, &again, NULL), 0);
      if (back.n == bytes.n) {
        cr_assert(same_packet(&m, &again), "%s", object);
        cr_assert(memcmp(back.p, copy, back.n) == 0, "%s", object);
        good++;
      } else {
        cr_assert(m.type == NOVA_MQTT_PUBLISH || m.type == NOVA_MQTT_CONNECT);
        cr_assert_not_null(strstr(object, "\"payload\":"), "%s", object);
      }
      nova_buf_free(&out);
    }
    free(object);
    free(copy);
  }
  cr_assert_gt(good, 3000, "%zu", good);
}

/* The packets that grow most stay below what is promised (object_of() looks).
 */
Test(mqtt_json, what_grows_most) {
  static char text[65535];
  memset(text, 1, sizeof text);
  struct nova_view full = {text, sizeof text};
  struct nova_mqtt m = {.type = NOVA_MQTT_CONNECT};
  m.u.connect = (struct nova_mqtt_connect){.client_id = full,
                                           .will_topic = full,
                                           .will_message = full,
                                           .user_name = full,
                                           .password = full};
  size_t size;
  cr_assert_eq(nova_mqtt_size(&m, NOVA_MQTT_STRICT, &size), 0);
  free(object_of(&m, size));

  static char topic[65535];
  memset(topic, 1, sizeof topic);
  memcpy(topic, NOVA_TOPIC_PREFIX, sizeof NOVA_TOPIC_PREFIX - 1);
  memcpy(topic + sizeof topic - 5, "/data", 5);
  m = (struct nova_mqtt){.type = NOVA_MQTT_PUBLISH};
  m.u.publish.topic = (struct nova_view){topic, sizeof topic};
  m.u.publish.payload = full;
  cr_assert_eq(nova_mqtt_size(&m, NOVA_MQTT_STRICT, &size), 0);
  free(object_of(&m, size));

  static struct nova_mqtt_entry entry[60000];
  for (size_t i = 0; i < sizeof entry / sizeof *entry; i++)
    entry[i] = (struct nova_mqtt_entry){{"\x01", 1}, 2};
  m = (struct nova_mqtt){.type = NOVA_MQTT_SUBSCRIBE};
  m.u.list = (struct nova_mqtt_list){
      .packet_id = 1, .count = sizeof entry / sizeof *entry, .entry = entry};
  cr_assert_eq(nova_mqtt_size(&m, NOVA_MQTT_STRICT, &size), 0);
  free(object_of(&m, size));
}

/* All or nothing, behind what the buffer already holds. */
Test(mqtt_json, no_room_and_no_memory) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PINGREQ};
  struct nova_buf out;
  const size_t n = strlen("{\"packet\":\"PINGREQ\"}");
  nova_buf_init(&out, NULL, n + 1);
  cr_assert_eq(nova_buf_puts(&out, "ab"), 0);
  cr_assert_eq(nova_mqtt_to_json(&m, scanner(), &out), NOVA_ERR_LIMIT);
  cr_assert(nova_view_is(nova_buf_view(&out), "ab"));
  nova_buf_consume(&out, 1);
  cr_assert_eq(nova_mqtt_to_json(&m, scanner(), &out), 0);
  cr_assert(nova_view_is(nova_buf_view(&out), "b{\"packet\":\"PINGREQ\"}"));
  nova_buf_free(&out);

  struct counting_mem mem;
  counting_mem_init(&mem);
  mem.fail_at = 1;
  nova_buf_init(&out, &mem.mem, 4096);
  cr_assert_eq(nova_mqtt_to_json(&m, scanner(), &out), NOVA_ERR_NO_MEMORY);
  cr_assert_eq(out.len, 0);
  nova_buf_free(&out);
}
