/* Packets as JSON objects and back. */
#include "mqtt_support.h"
#include "support.h"

#include "codec/mqtt_json.h"

#include <criterion/criterion.h>
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
