#include "broker_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* --- CONNECT: 3.1 ----------------------------------------------------------
 */

Test(broker, accepts_and_answers) {
  struct br r;
  br_start(&r, NULL);
  br_connect(&r, 0, "a");
  BR_GOT(&r, 0, "CONNACK(0,0)");
  br_say(&r, 0, NOVA_MQTT_PINGREQ);
  BR_GOT(&r, 0, "PINGRESP");
  br_subscribe(&r, 0, "t", 1);
  BR_GOT(&r, 0, "SUBACK(7,1)");
  br_publish(&r, 0, "t", "x", 1, 9);
  BR_GOT(&r, 0, "PUBLISH(t=x,q1,#1) PUBACK(9)");
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 1);
  br_unsubscribe(&r, 0, "t");
  BR_GOT(&r, 0, "UNSUBACK(7)");
  br_publish(&r, 0, "t", "x", 0, 0);
  BR_GOT(&r, 0, "");
  br_say(&r, 0, NOVA_MQTT_DISCONNECT);
  BR_GOT(&r, 0, "CLOSED");
  br_stop(&r);
}

Test(broker, ids_are_made_up_where_they_may_be) {
  struct br r;
  struct nova_broker_client c, d;
  br_start(&r, NULL);
  br_connect(&r, 0, "");
  br_connect(&r, 1, "");
  BR_GOT(&r, 0, "CONNACK(0,0)");
  BR_GOT(&r, 1, "CONNACK(0,0)");
  cr_assert(nova_broker_client(r.b, 0, &c) && nova_broker_client(r.b, 1, &d));
  cr_assert_neq(c.client_id.n, 0);
  cr_assert_not(nova_view_eq(c.client_id, d.client_id));
  br_keep(&r, 2, "");
  BR_GOT(&r, 2, "CONNACK(2,0) CLOSED");
  br_stop(&r);
}

Test(broker, other_protocols_are_told_so) {
  struct br r;
  br_start(&r, NULL);
  br_connect_with(&r, 0,
                  &(struct nova_mqtt_connect){.protocol = {"MQTT", 4},
                                              .level = 9,
                                              .clean_session = true});
  BR_GOT(&r, 0, "CONNACK(1,0) CLOSED");
  br_connect_with(&r, 1,
                  &(struct nova_mqtt_connect){.protocol = {"MQIsdp", 6},
                                              .level = 3,
                                              .clean_session = true});
  BR_GOT(&r, 1, "CONNACK(1,0) CLOSED");
  br_connect_with(&r, 2,
                  &(struct nova_mqtt_connect){.protocol = {"HTTP", 4},
                                              .level = 4,
                                              .clean_session = true});
  BR_GOT(&r, 2, "CLOSED");
  br_stop(&r);
}

Test(broker, a_refusal_says_its_code_and_closes) {
  struct br r;
  br_start(&r, NULL);
  nova_broker_free(r.b);
  r.options.owner = br_owner(&r);
  r.b = nova_broker_new(&r.options);
  struct nova_mqtt_connect c = {.client_id = {"a", 1},
                                .clean_session = true,
                                .user_name = {"wrong", 5},
                                .will_topic = {"w", 1},
                                .will_message = {"x", 1}};
  br_connect(&r, 1, "watcher");
  br_subscribe(&r, 1, "#", 1);
  BR_GOT(&r, 1, "CONNACK(0,0) SUBACK(7,1)");
  br_connect_with(&r, 0, &c);
  BR_GOT(&r, 0, "CONNACK(4,0) CLOSED");
  cr_assert(r.client[0].told && r.client[0].how == NOVA_BROKER_REFUSED);
  cr_assert_eq(r.client[0].code, 4);
  BR_GOT(&r, 1, ""); /* and no will */
  br_stop(&r);
}

/* PUBLISH may come before CONNACK was read (3.1.4-5); any segmentation of the
 * whole is the same. */
Test(broker, packets_in_one_piece) {
  struct br r;
  br_start(&r, NULL);
  br_accept(&r, 0);
  BR_RAW(&r, 0,
         "\x10\x0d\0\x04MQTT\4\2\0\0\0\1a"
         "\x82\6\0\1\0\1t\0"
         "\x30\4\0\1tx"
         "\xc0\0\xe0\0"
         "\xc0\0");
  cr_assert_eq(r.client[0].writes, 1);
  BR_GOT(&r, 0, "CONNACK(0,0) SUBACK(1,0) PUBLISH(t=x,q0) PINGRESP CLOSED");
  br_stop(&r);
}

/* --- what breaks the standard ----------------------------------------------
 */

static const struct broken {
  const char *name, *bytes;
  size_t n;
  int code;
  bool first; /* in place of CONNECT */
} broken[] = {
#define BROKEN(name, bytes, code)                                              \
  { name, bytes, sizeof bytes - 1, code, false }
#define FIRST(name, bytes, code)                                               \
  { name, bytes, sizeof bytes - 1, code, true }
    FIRST("PUBLISH first", "\x30\4\0\1tx", NOVA_ERR_STATE),
    FIRST("SUBSCRIBE first", "\x82\6\0\1\0\1t\0", NOVA_ERR_STATE),
    FIRST("PINGREQ first", "\xc0\0", NOVA_ERR_STATE),
    FIRST("DISCONNECT first", "\xe0\0", NOVA_ERR_STATE),
    FIRST("HTTP",
          "GET / HTTP/1.1\r\n\r\n" /* a PUBREC... of 69 bytes */
          "0123456789012345678901234567890123456789012345678901234567",
          NOVA_ERR_MQTT_FLAGS),
    FIRST("reserved connect flag", "\x10\x0d\0\4MQTT\4\3\0\0\0\1a",
          NOVA_ERR_MQTT_CONNECT_RESERVED),
    FIRST("flags of CONNECT", "\x11\x0d\0\4MQTT\4\2\0\0\0\1a",
          NOVA_ERR_MQTT_FLAGS),
    FIRST("no client id", "\x10\x0a\0\4MQTT\4\2\0\0",
          NOVA_ERR_MQTT_CLIENT_ID_MISSING),
    FIRST("will QoS 3", "\x10\x13\0\4MQTT\4\x1e\0\0\0\1a\0\1w\0\1x",
          NOVA_ERR_MQTT_WILL_QOS),
    FIRST("oversized", "\x10\x81\x80\x10", NOVA_ERR_MQTT_OVERSIZED),
    BROKEN("second CONNECT", "\x10\x0d\0\4MQTT\4\2\0\0\0\1a", NOVA_ERR_STATE),
    BROKEN("length of five bytes", "\x30\xff\xff\xff\xff\1",
           NOVA_ERR_MQTT_LENGTH),
    BROKEN("type 0", "\0\0", NOVA_ERR_MQTT_TYPE),
    BROKEN("type 15", "\xf0\0", NOVA_ERR_MQTT_TYPE),
    BROKEN("QoS 3", "\x36\6\0\1t\0\1x", NOVA_ERR_MQTT_QOS),
    BROKEN("wildcard", "\x32\6\0\1#\0\1x", NOVA_ERR_MQTT_PUBLISH_WILDCARD),
    BROKEN("topic not UTF-8", "\x32\6\0\1\xff\0\1x", NOVA_ERR_MQTT_UTF8),
    BROKEN("topic with NUL", "\x32\6\0\1\0\0\1x", NOVA_ERR_MQTT_NUL),
    BROKEN("no topic", "\x30\2\0\0", NOVA_ERR_MQTT_TOPIC_EMPTY),
    BROKEN("packet id 0", "\x32\6\0\1t\0\0x", NOVA_ERR_MQTT_PACKET_ID),
    BROKEN("DUP at QoS 0", "\x38\4\0\1tx", NOVA_ERR_MQTT_DUP),
    BROKEN("SUBSCRIBE flags", "\x80\6\0\1\0\1t\0",
           NOVA_ERR_MQTT_SUBSCRIBE_FLAGS),
    BROKEN("SUBSCRIBE id 0", "\x82\6\0\0\0\1t\0", NOVA_ERR_MQTT_PACKET_ID),
    BROKEN("SUBSCRIBE of nothing", "\x82\2\0\1", NOVA_ERR_MQTT_SUBSCRIBE_EMPTY),
    BROKEN("SUBSCRIBE QoS 3", "\x82\6\0\1\0\1t\3", NOVA_ERR_MQTT_SUBSCRIBE_QOS),
    BROKEN("filter a#", "\x82\7\0\1\0\2a#\0", NOVA_ERR_MQTT_FILTER_HASH),
    BROKEN("UNSUBSCRIBE flags", "\xa0\5\0\1\0\1t",
           NOVA_ERR_MQTT_UNSUBSCRIBE_FLAGS),
    BROKEN("UNSUBSCRIBE of nothing", "\xa2\2\0\1",
           NOVA_ERR_MQTT_UNSUBSCRIBE_EMPTY),
    BROKEN("PUBREL flags", "\x60\2\0\1", NOVA_ERR_MQTT_PUBREL_FLAGS),
    BROKEN("PUBACK id 0", "\x40\2\0\0", NOVA_ERR_MQTT_ACK_ID),
    BROKEN("PINGREQ flags", "\xc1\0", NOVA_ERR_MQTT_FLAGS),
    BROKEN("PINGREQ with more", "\xc0\1x", NOVA_ERR_MQTT_LEFTOVER),
    BROKEN("DISCONNECT flags", "\xe1\0", NOVA_ERR_MQTT_DISCONNECT_FLAGS),
    BROKEN("CONNACK of a client", "\x20\2\0\0", NOVA_ERR_STATE),
    BROKEN("SUBACK of a client", "\x90\3\0\1\0", NOVA_ERR_STATE),
    BROKEN("UNSUBACK of a client", "\xb0\2\0\1", NOVA_ERR_STATE),
    BROKEN("PINGRESP of a client", "\xd0\0", NOVA_ERR_STATE),
    BROKEN("over the limit", "\x30\x81\x80\x10", NOVA_ERR_MQTT_OVERSIZED),
};

/* Closed without a word, the will published, nothing behind it handled. */
Test(broker, broken_connections_are_closed) {
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    for (int cut = 0; cut < 2; cut++) {
      const struct broken *k = &broken[i];
      struct br r;
      struct nova_rng cuts;
      nova_rng_init(&cuts, i);
      br_start(&r, &(struct nova_broker_options){.owner = {.user = NULL}});
      nova_broker_free(r.b);
      r.options.owner = br_owner(&r);
      r.b = nova_broker_new(&r.options);
      br_connect(&r, 1, "watcher");
      br_subscribe(&r, 1, "#", 1);
      (void)br_got(&r, 1);
      if (k->first) {
        br_accept(&r, 0);
      } else {
        br_connect_with(&r, 0,
                        &(struct nova_mqtt_connect){.client_id = {"a", 1},
                                                    .clean_session = true,
                                                    .will_topic = {"w", 1},
                                                    .will_message = {"x", 1}});
        BR_GOT(&r, 0, "CONNACK(0,0)");
      }
      r.cuts = cut != 0 ? &cuts : NULL;
      char *all = malloc(k->n + 2);
      memcpy(all, k->bytes, k->n);
      memcpy(all + k->n, "\xc0\0", 2); /* a PINGREQ */
      br_raw(&r, 0, all, k->n + 2);
      free(all);
      const char *got = br_got(&r, 0);
      cr_expect_str_eq(got, "CLOSED", "%s: %s", k->name, got);
      cr_expect(r.client[0].told && r.client[0].how == NOVA_BROKER_MALFORMED,
                "%s", k->name);
      cr_expect_eq(r.client[0].code, k->code, "%s: %s", k->name,
                   nova_error_text(r.client[0].code));
      got = br_got(&r, 1);
      cr_expect_str_eq(got, k->first ? "" : "PUBLISH(w=x,q0)", "%s: %s",
                       k->name, got);
      br_stop(&r);
    }
  }
}

/* --- subscriptions: 3.8, 4.7 -----------------------------------------------
 */

Test(broker, filters_match_as_the_standard_has_it) {
  static const char *filters[] = {
      "a",   "a/b",   "a/+",   "a/#",  "#",    "+",   "+/+",     "/+", "/#",
      "+/b", "a/+/c", "+/+/#", "$S/#", "$S/+", "a//", "a/b/c/#", "+/", "//+"};
  static const char *topics[] = {"a",  "a/b",       "a/b/c", "/", "/a",
                                 "a/", "$S",        "$S/x",  "b", "a//",
                                 "//", "a/b/c/d/e", "//x",   "$"};
  for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
    struct br r;
    br_start(&r, NULL);
    for (size_t k = 0; k < sizeof filters / sizeof *filters; k++) {
      char id[8];
      snprintf(id, sizeof id, "c%zu", k);
      br_connect(&r, (int)k, id);
      br_subscribe(&r, (int)k, filters[k], 0);
      (void)br_got(&r, (int)k);
    }
    br_connect(&r, 30, "p");
    br_publish(&r, 30, topics[i], "x", 0, 0);
    for (size_t k = 0; k < sizeof filters / sizeof *filters; k++) {
      uint8_t qos;
      bool want =
          nova_mqtt_match(nova_view_of(filters[k]), nova_view_of(topics[i]));
      cr_expect_eq(*br_got(&r, (int)k) != '\0', want, "%s to %s", topics[i],
                   filters[k]);
      cr_expect_eq(
          nova_broker_subscribed(r.b, k, nova_view_of(topics[i]), &qos), want);
    }
    br_stop(&r);
  }
}

Test(broker, one_message_however_many_filters) {
  struct br r;
  uint8_t qos;
  br_start(&r, NULL);
  br_connect(&r, 0, "a");
  br_subscribe(&r, 0, "t/+", 0);
  br_subscribe(&r, 0, "t/x", 2);
  br_subscribe(&r, 0, "#", 1);
  (void)br_got(&r, 0);
  cr_assert(nova_broker_subscribed(r.b, 0, nova_view_of("t/x"), &qos));
  cr_assert_eq(qos, 2);
  br_connect(&r, 1, "b");
  (void)br_got(&r, 1);
  br_publish(&r, 1, "t/x", "1", 2, 5);
  BR_GOT(&r, 1, "PUBREC(5)");
  BR_GOT(&r, 0, "PUBLISH(t/x=1,q2,#1)");
  br_publish(&r, 1, "t/x", "2", 1, 6);
  BR_GOT(&r, 0, "PUBLISH(t/x=2,q1,#2)");
  br_publish(&r, 1, "t/y", "3", 2, 7);
  BR_GOT(&r, 0, "PUBLISH(t/y=3,q1,#3)");
  br_publish(&r, 1, "t/x", "4", 0, 0);
  BR_GOT(&r, 0, "PUBLISH(t/x=4,q0)");
  br_stop(&r);
}

Test(broker, a_filter_that_is_there_is_replaced) {
  struct br r;
  struct nova_broker_client c;
  br_start(&r, NULL);
  br_connect(&r, 0, "a");
  br_subscribe(&r, 0, "t", 0);
  br_subscribe(&r, 0, "t", 1);
  BR_GOT(&r, 0, "CONNACK(0,0) SUBACK(7,0) SUBACK(7,1)");
  cr_assert(nova_broker_client(r.b, 0, &c));
  cr_assert_eq(c.subscriptions, 1);
  br_publish(&r, 0, "t", "x", 1, 1);
  BR_GOT(&r, 0, "PUBLISH(t=x,q1,#1) PUBACK(1)");
  br_unsubscribe(&r, 0, "t");
  br_unsubscribe(&r, 0, "t");
  br_unsubscribe(&r, 0, "never/was");
  BR_GOT(&r, 0, "UNSUBACK(7) UNSUBACK(7) UNSUBACK(7)");
  br_publish(&r, 0, "t", "x", 1, 1);
  BR_GOT(&r, 0, "PUBACK(1)");
  cr_assert(nova_broker_client(r.b, 0, &c));
  cr_assert_eq(c.subscriptions, 0);
  br_stop(&r);
}

Test(broker, many_filters_in_one_packet) {
  struct br r;
  struct nova_mqtt_entry e[4] = {{nova_view_of("a"), 0},
                                 {nova_view_of("forbidden/b"), 1},
                                 {nova_view_of("c/#"), 2},
                                 {nova_view_of("d"), 1}};
  struct nova_mqtt m = {.type = NOVA_MQTT_SUBSCRIBE,
                        .u.list = {.packet_id = 300, .count = 4, .entry = e}};
  br_start(&r, &(struct nova_broker_options){.subscriptions_most = 2});
  nova_broker_free(r.b);
  r.options.owner = br_owner(&r);
  r.b = nova_broker_new(&r.options);
  br_connect(&r, 0, "a");
  br_send(&r, 0, &m);
  BR_GOT(&r, 0, "CONNACK(0,0) SUBACK(300,0,128,2,128)");
  br_publish(&r, 0, "forbidden/b", "x", 1, 1);
  br_publish(&r, 0, "c", "y", 2, 2);
  br_publish(&r, 0, "c", "secret", 2, 3);
  BR_GOT(&r, 0, "PUBACK(1) PUBLISH(c=y,q2,#1) PUBREC(2) PUBREC(3)");
  cr_assert_str_eq(r.log, "connect(0,a) subscribe(0,a) subscribe(0,forbidden/b)"
                          " subscribe(0,c/#) subscribe(0,d)"
                          " publish(0,forbidden/b) publish(0,c) deliver(0,c)"
                          " publish(0,c) deliver(0,c)");
  br_stop(&r);
}

/* The tree of filters gives all its memory back: clients come and go. */
Test(broker, subscriptions_come_and_go) {
  struct br r;
  char filter[64];
  struct nova_rng rng;
  nova_rng_init(&rng, 5);
  br_start(&r, NULL);
  for (int round = 0; round < 20; round++) {
    br_connect(&r, 0, "a");
    for (unsigned i = 0; i < 300; i++) {
      snprintf(filter, sizeof filter, "%u/%s/%u%s", i % 7,
               i % 3 != 0 ? "+" : "x", i % 50, i % 4 != 0 ? "/#" : "");
      br_subscribe(&r, 0, filter, 0);
      if (nova_rng_below(&rng, 3) == 0)
        br_unsubscribe(&r, 0, filter);
    }
    br_eof(&r, 0);
    (void)br_got(&r, 0);
  }
  br_stop(&r);
}

/* --- retained messages: 3.3.1.3 --------------------------------------------
 */

Test(broker, retained_messages) {
  struct br r;
  br_start(&r, NULL);
  br_connect(&r, 0, "p");
  br_connect(&r, 1, "early");
  br_subscribe(&r, 1, "t/+", 1);
  br_retained(&r, 0, "t/1", "old", 1, 1);
  br_retained(&r, 0, "t/1", "new", 1, 2);
  br_retained(&r, 0, "t/2", "two", 0, 0);
  br_retained(&r, 0, "$S/3", "three", 0, 0);
  br_publish(&r, 0, "t/1", "live", 1, 3);
  /* Live ones do not say retain (3.3.1-9). */
  BR_GOT(&r, 1,
         "CONNACK(0,0) SUBACK(7,1) PUBLISH(t/1=old,q1,#1) "
         "PUBLISH(t/1=new,q1,#2) PUBLISH(t/2=two,q0) PUBLISH(t/1=live,q1,#3)");
  br_connect(&r, 2, "late");
  br_subscribe(&r, 2, "#", 1);
  BR_GOT(&r, 2,
         "CONNACK(0,0) SUBACK(7,1) PUBLISH(t/1=new,q1,#1,retain) "
         "PUBLISH(t/2=two,q0,retain)");
  br_subscribe(&r, 2, "t/1", 0);
  BR_GOT(&r, 2, "SUBACK(7,0) PUBLISH(t/1=new,q0,retain)");
  br_retained(&r, 0, "t/1", "", 1, 4);
  BR_GOT(&r, 2, "PUBLISH(t/1=,q1,#2)");
  br_subscribe(&r, 2, "t/+", 0);
  BR_GOT(&r, 2, "SUBACK(7,0) PUBLISH(t/2=two,q0,retain)");
  br_subscribe(&r, 2, "$S/#", 0);
  BR_GOT(&r, 2, "SUBACK(7,0) PUBLISH($S/3=three,q0,retain)");
  br_retained(&r, 0, "no/such", "", 1, 5);
  br_stop(&r);
}

Test(broker, retained_messages_have_a_limit) {
  struct br r;
  br_start(&r, &(struct nova_broker_options){.retained_most = 2});
  br_connect(&r, 0, "p");
  br_retained(&r, 0, "1", "a", 0, 0);
  br_retained(&r, 0, "2", "b", 0, 0);
  br_retained(&r, 0, "1", "c", 0, 0);
  br_retained(&r, 0, "3", "d", 0, 0);
  br_subscribe(&r, 0, "#", 0);
  BR_GOT(&r, 0,
         "CONNACK(0,0) SUBACK(7,0) PUBLISH(2=b,q0,retain) "
         "PUBLISH(3=d,q0,retain)");
  br_stop(&r);
}

Test(broker, many_retained_messages_are_found) {
  struct br r;
  char topic[32];
  br_start(&r, NULL);
  br_connect(&r, 0, "p");
  for (int i = 0; i < 500; i++) {
    snprintf(topic, sizeof topic, "t/%d", i);
    br_retained(&r, 0, topic, topic, 0, 0);
  }
  for (int i = 0; i < 500; i += 2) {
    snprintf(topic, sizeof topic, "t/%d", i);
    br_retained(&r, 0, topic, "", 0, 0);
  }
  (void)br_got(&r, 0);
  for (int i = 0; i < 500; i++) {
    char want[120] = "SUBACK(7,0)";
    snprintf(topic, sizeof topic, "t/%d", i);
    if (i % 2 != 0)
      snprintf(want, sizeof want, "SUBACK(7,0) PUBLISH(%s=%s,q0,retain)", topic,
               topic);
    br_subscribe(&r, 0, topic, 0);
    BR_GOT(&r, 0, want);
  }
  br_stop(&r);
}
