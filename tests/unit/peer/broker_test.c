#include "broker_rig.h"

#include <criterion/criterion.h>

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
