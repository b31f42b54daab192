#include "broker_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void with_owner(struct br *r, struct nova_broker_options o) {
  br_start(r, &o);
  nova_broker_free(r->b);
  r->options.owner = br_owner(r);
  r->b = nova_broker_new(&r->options);
}

/* --- QoS 1 and 2: 4.3, 4.4 -------------------------------------------------
 */

Test(broker_flow, qos_2_comes_once) {
  struct br r;
  br_start(&r, NULL);
  br_connect(&r, 0, "p");
  br_connect(&r, 1, "s");
  br_subscribe(&r, 1, "t", 0);
  (void)br_got(&r, 0);
  (void)br_got(&r, 1);
  br_publish(&r, 0, "t", "1", 2, 9);
  br_publish(&r, 0, "t", "1", 2, 9);
  BR_GOT(&r, 0, "PUBREC(9) PUBREC(9)");
  BR_GOT(&r, 1, "PUBLISH(t=1,q0)");
  br_ack(&r, 0, NOVA_MQTT_PUBREL, 9);
  br_ack(&r, 0, NOVA_MQTT_PUBREL, 9);
  BR_GOT(&r, 0, "PUBCOMP(9) PUBCOMP(9)");
  br_publish(&r, 0, "t", "2", 2, 9);
  BR_GOT(&r, 1, "PUBLISH(t=2,q0)");
  br_stop(&r);
}

/* More ids than there is room for in the session itself. */
Test(broker_flow, many_ids_of_qos_2) {
  struct br r;
  br_start(&r, NULL);
  br_connect(&r, 0, "p");
  br_connect(&r, 1, "s");
  br_subscribe(&r, 1, "t", 0);
  (void)br_got(&r, 1);
  for (int round = 0; round < 3; round++) {
    for (uint16_t id = 1; id <= 40; id++) {
      br_publish(&r, 0, "t", "x", 2, id);
      br_publish(&r, 0, "t", "x", 2, id);
      BR_GOT(&r, 1, "PUBLISH(t=x,q0)");
    }
    for (uint16_t id = 1; id <= 40; id++)
      br_publish(&r, 0, "t", "x", 2, id);
    BR_GOT(&r, 1, "");
    for (uint16_t id = 1; id <= 40; id++)
      br_ack(&r, 0, NOVA_MQTT_PUBREL, (uint16_t)(41 - id));
  }
  br_stop(&r);
}

Test(broker_flow, qos_2_goes_once) {
  struct br r;
  struct nova_broker_client c;
  br_start(&r, NULL);
  br_keep(&r, 0, "s");
  br_subscribe(&r, 0, "t", 2);
  br_publish(&r, 0, "t", "x", 2, 1);
  BR_GOT(&r, 0, "CONNACK(0,0) SUBACK(7,2) PUBLISH(t=x,q2,#1) PUBREC(1)");
  br_ack(&r, 0, NOVA_MQTT_PUBREC, 1);
  br_ack(&r, 0, NOVA_MQTT_PUBREC, 1);
  BR_GOT(&r, 0, "PUBREL(1) PUBREL(1)");
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 1); /* does not fit */
  nova_broker_client(r.b, 0, &c);
  cr_assert_eq(c.inflight, 1);
  br_eof(&r, 0);
  br_keep(&r, 1, "s"); /* PUBREL again, not PUBLISH */
  BR_GOT(&r, 1, "CONNACK(0,1) PUBREL(1)");
  br_ack(&r, 1, NOVA_MQTT_PUBCOMP, 1);
  nova_broker_client(r.b, 1, &c);
  cr_assert_eq(c.inflight, 0);
  br_ack(&r, 1, NOVA_MQTT_PUBREC, 77); /* forgotten long ago */
  BR_GOT(&r, 1, "PUBREL(77)");
  br_ack(&r, 1, NOVA_MQTT_PUBCOMP, 77);
  br_ack(&r, 1, NOVA_MQTT_PUBACK, 77);
  BR_GOT(&r, 1, "");
  br_stop(&r);
}

Test(broker_flow, acknowledgements_that_do_not_fit) {
  struct br r;
  struct nova_broker_client c;
  br_start(&r, NULL);
  br_connect(&r, 0, "s");
  br_subscribe(&r, 0, "t", 2);
  br_publish(&r, 0, "t", "x", 1, 1);
  br_publish(&r, 0, "t", "y", 2, 2);
  (void)br_got(&r, 0);
  br_ack(&r, 0, NOVA_MQTT_PUBREC, 1);
  br_ack(&r, 0, NOVA_MQTT_PUBCOMP, 1);
  br_ack(&r, 0, NOVA_MQTT_PUBCOMP, 2);
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 2);
  BR_GOT(&r, 0, "");
  nova_broker_client(r.b, 0, &c);
  cr_assert_eq(c.inflight, 2);
  br_stop(&r);
}

/* DUP at resume only, in the order of the first time (4.4.0-1, 4.6.0-1). */
Test(broker_flow, resumed_sessions_send_again) {
  struct br r;
  struct nova_broker_client c;
  br_start(&r, NULL);
  br_keep(&r, 0, "s");
  br_subscribe(&r, 0, "t", 2);
  br_connect(&r, 1, "p");
  br_publish(&r, 1, "t", "1", 1, 1);
  br_publish(&r, 1, "t", "2", 2, 2);
  br_publish(&r, 1, "t", "3", 1, 3);
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 1);
  (void)br_got(&r, 0);
  br_run(&r, r.now + 1000 * NOVA_SEC);
  BR_GOT(&r, 0, "");
  br_say(&r, 0, NOVA_MQTT_DISCONNECT);
  br_publish(&r, 1, "t", "4", 1, 4);
  br_publish(&r, 1, "t", "5", 0, 0); /* not kept */
  br_publish(&r, 1, "t", "6", 2, 5);
  br_keep(&r, 2, "s");
  BR_GOT(&r, 2,
         "CONNACK(0,1) PUBLISH(t=2,q2,#2,dup) PUBLISH(t=3,q1,#3,dup) "
         "PUBLISH(t=4,q1,#4) PUBLISH(t=6,q2,#5)");
  cr_assert(nova_broker_client(r.b, 2, &c));
  cr_assert(c.resumed && !c.clean && c.subscriptions == 1 && c.inflight == 4);
  /* A clean session is another one (3.1.2-6). */
  br_say(&r, 2, NOVA_MQTT_DISCONNECT);
  br_connect(&r, 3, "s");
  BR_GOT(&r, 3, "CONNACK(0,0)");
  br_publish(&r, 1, "t", "7", 1, 6);
  BR_GOT(&r, 3, "");
  br_say(&r, 3, NOVA_MQTT_DISCONNECT);
  br_keep(&r, 4, "s");
  BR_GOT(&r, 4, "CONNACK(0,0)");
  br_stop(&r);
}

Test(broker_flow, what_waits_goes_when_there_is_room) {
  struct br r;
  char text[8];
  br_start(&r,
           &(struct nova_broker_options){.inflight_most = 2, .queued_most = 3});
  br_connect(&r, 0, "s");
  br_subscribe(&r, 0, "t", 1);
  br_connect(&r, 1, "p");
  (void)br_got(&r, 0);
  for (int i = 1; i <= 6; i++) { /* 1, 2 go; of 3 to 6 the oldest does not */
    snprintf(text, sizeof text, "%d", i);
    br_publish(&r, 1, "t", text, 1, 1);
  }
  br_publish(&r, 1, "t", "7", 0, 0); /* the queue is full */
  BR_GOT(&r, 0, "PUBLISH(t=1,q1,#1) PUBLISH(t=2,q1,#2)");
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 2); /* out of order */
  BR_GOT(&r, 0, "PUBLISH(t=4,q1,#3)");
  br_publish(&r, 1, "t", "8", 0, 0); /* behind what waits */
  BR_GOT(&r, 0, "");
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 1);
  BR_GOT(&r, 0, "PUBLISH(t=5,q1,#4)");
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 3);
  BR_GOT(&r, 0, "PUBLISH(t=6,q1,#5) PUBLISH(t=8,q0)");
  br_publish(&r, 1, "t", "9", 0, 0);
  BR_GOT(&r, 0, "PUBLISH(t=9,q0)");
  br_stop(&r);
}

/* Ids that are in use are passed over, also when all went round. */
Test(broker_flow, packet_ids_go_round) {
  struct br r;
  char got[40];
  br_start(&r, NULL);
  br_connect(&r, 0, "s");
  br_subscribe(&r, 0, "t", 1);
  br_publish(&r, 0, "t", "x", 1, 1); /* 1 stays */
  br_publish(&r, 0, "t", "x", 1, 1);
  br_publish(&r, 0, "t", "x", 1, 1); /* 3 stays */
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 2);
  (void)br_got(&r, 0);
  unsigned id = 4;
  for (int i = 0; i < 140000; i++) {
    br_publish(&r, 0, "t", "x", 1, 1);
    snprintf(got, sizeof got, "PUBLISH(t=x,q1,#%u) PUBACK(1)", id);
    BR_GOT(&r, 0, got);
    br_ack(&r, 0, NOVA_MQTT_PUBACK, (uint16_t)id);
    do
      id = id == 65535 ? 1 : id + 1;
    while (id == 1 || id == 3);
  }
  br_stop(&r);
}

/* Acknowledged in random order: nothing is lost, no id is given twice. */
Test(broker_flow, random_acknowledgements) {
  struct br r;
  struct nova_rng rng;
  struct nova_broker_client c;
  uint16_t open[50];
  size_t n = 0;
  bool used[65536] = {false};
  nova_rng_init(&rng, 3);
  br_start(&r, NULL);
  br_connect(&r, 0, "s");
  br_subscribe(&r, 0, "t", 1);
  (void)br_got(&r, 0);
  for (int i = 0; i < 20000; i++) {
    if (n < 50 && nova_rng_below(&rng, 2) == 0) {
      unsigned id;
      br_publish(&r, 0, "t", "x", 1, 1);
      cr_assert_eq(sscanf(br_got(&r, 0), "PUBLISH(t=x,q1,#%u)", &id), 1);
      cr_assert(id >= 1 && id <= 65535 && !used[id]);
      used[id] = true;
      open[n++] = (uint16_t)id;
    } else if (n != 0) {
      size_t k = (size_t)nova_rng_below(&rng, n);
      br_ack(&r, 0, NOVA_MQTT_PUBACK, open[k]);
      used[open[k]] = false;
      open[k] = open[--n];
    }
    nova_broker_client(r.b, 0, &c);
    cr_assert_eq(c.inflight, n);
  }
  br_stop(&r);
}

/* --- sessions --------------------------------------------------------------
 */

Test(broker_flow, an_id_that_connects_again_takes_over) {
  struct br r;
  with_owner(&r, (struct nova_broker_options){.inflight_most = 0});
  br_connect(&r, 5, "watcher");
  br_subscribe(&r, 5, "w", 1);
  (void)br_got(&r, 5);
  br_connect_with(&r, 0,
                  &(struct nova_mqtt_connect){.client_id = {"a", 1},
                                              .will_topic = {"w", 1},
                                              .will_message = {"x", 1},
                                              .will_qos = 1});
  br_subscribe(&r, 0, "t", 1);
  (void)br_got(&r, 0);
  br_keep(&r, 1, "a");
  BR_GOT(&r, 0, "CLOSED");
  BR_GOT(&r, 1, "CONNACK(0,1)");
  BR_GOT(&r, 5, "PUBLISH(w=x,q1,#1)");
  cr_assert(r.client[0].told && r.client[0].how == NOVA_BROKER_TAKEN_OVER);
  br_publish(&r, 1, "t", "y", 1, 1);
  BR_GOT(&r, 1, "PUBLISH(t=y,q1,#1) PUBACK(1)");
  br_connect(&r, 2, "a"); /* clean */
  BR_GOT(&r, 1, "CLOSED");
  BR_GOT(&r, 2, "CONNACK(0,0)");
  br_connect(&r, 3, "a"); /* of a clean one */
  BR_GOT(&r, 2, "CLOSED");
  BR_GOT(&r, 3, "CONNACK(0,0)");
  br_stop(&r);
}

Test(broker_flow, kept_sessions_have_a_limit) {
  struct br r;
  char id[8];
  br_start(&r, &(struct nova_broker_options){.max_sessions = 3});
  for (int i = 0; i < 5; i++) {
    snprintf(id, sizeof id, "s%d", i);
    br_keep(&r, i, id);
    br_subscribe(&r, i, "t", 1);
    br_eof(&r, i);
  }
  for (int i = 0; i < 5; i++) {
    snprintf(id, sizeof id, "s%d", i);
    br_keep(&r, i, id);
    BR_GOT(&r, i, i < 2 ? "CONNACK(0,0)" : "CONNACK(0,1)");
  }
  br_stop(&r);
}

/* Each of many is found again, with what waited for it. */
Test(broker_flow, many_sessions) {
  struct br r;
  char id[16], want[80];
  br_start(&r, NULL);
  for (int i = 0; i < 400; i++) {
    snprintf(id, sizeof id, "s%d", i);
    br_keep(&r, 0, id);
    br_subscribe(&r, 0, id, 1);
    br_subscribe(&r, 0, "all", 1);
    br_say(&r, 0, NOVA_MQTT_DISCONNECT);
  }
  br_connect(&r, 1, "p");
  for (int i = 0; i < 400; i++) {
    snprintf(id, sizeof id, "s%d", i);
    br_publish(&r, 1, id, id, 1, 1);
  }
  br_publish(&r, 1, "all", "x", 2, 1);
  for (int i = 399; i >= 0; i--) {
    snprintf(id, sizeof id, "s%d", i);
    snprintf(want, sizeof want,
             "CONNACK(0,1) PUBLISH(s%d=s%d,q1,#1) PUBLISH(all=x,q1,#2)", i, i);
    br_keep(&r, 0, id);
    BR_GOT(&r, 0, want);
    br_eof(&r, 0);
  }
  br_stop(&r);
}

/* What waits for who is not there is asked for when it is. */
Test(broker_flow, the_owner_is_asked_when_it_goes_out) {
  struct br r;
  with_owner(&r, (struct nova_broker_options){.inflight_most = 0});
  br_keep(&r, 0, "s");
  br_subscribe(&r, 0, "t", 1);
  br_eof(&r, 0);
  br_connect(&r, 1, "p");
  br_publish(&r, 1, "t", "secret", 1, 1);
  br_publish(&r, 1, "t", "open", 1, 2);
  cr_assert_null(strstr(r.log, "deliver"));
  br_keep(&r, 2, "s");
  BR_GOT(&r, 2, "CONNACK(0,1) PUBLISH(t=open,q1,#1)");
  cr_assert_not_null(strstr(r.log, "deliver(2,t) deliver(2,t)"));
  br_stop(&r);
}

Test(broker_flow, connections_have_a_limit) {
  struct br r;
  br_start(&r, &(struct nova_broker_options){.max_connections = 2});
  br_connect(&r, 0, "a");
  br_connect(&r, 1, "b");
  cr_assert_eq(nova_broker_accept(r.b, 2, r.now), NOVA_ERR_LIMIT);
  cr_assert_eq(nova_broker_accept(r.b, 1, r.now), NOVA_ERR_STATE);
  br_eof(&r, 0);
  cr_assert_eq(nova_broker_accept(r.b, 2, r.now), 0);
  br_stop(&r);
}

/* --- wills: 3.1.2.5 --------------------------------------------------------
 */

static void with_will(struct br *r, int c, bool retain) {
  br_connect_with(r, c,
                  &(struct nova_mqtt_connect){.client_id = {"w", 1},
                                              .clean_session = true,
                                              .keep_alive = 2,
                                              .will_topic = {"will/w", 6},
                                              .will_message = {"\0x", 2},
                                              .will_qos = 1,
                                              .will_retain = retain});
}

Test(broker_flow, wills_are_published_however_it_ends) {
  for (int how = 0; how < 6; how++) {
    struct br r;
    with_owner(&r, (struct nova_broker_options){.unsent_limit = 4000});
    br_connect(&r, 1, "watcher");
    br_subscribe(&r, 1, "will/#", 2);
    (void)br_got(&r, 1);
    with_will(&r, 0, how == 5);
    (void)br_got(&r, 0);
    enum nova_broker_end want = NOVA_BROKER_EOF;
    if (how == 0) {
      br_eof(&r, 0);
    } else if (how == 1) {
      want = NOVA_BROKER_LOST;
      br_lost(&r, 0);
    } else if (how == 2) {
      want = NOVA_BROKER_CLOSED;
      nova_broker_close(r.b, 0, r.now);
      br_pump(&r);
    } else if (how == 3) {
      want = NOVA_BROKER_KEEP_ALIVE;
      br_run(&r, r.now + 3 * NOVA_SEC - 1);
      BR_GOT(&r, 1, "");
      br_run(&r, r.now + 1);
    } else if (how == 4) {
      want = NOVA_BROKER_LOST; /* it does not read */
      r.held = true;
      br_subscribe(&r, 0, "#", 0);
      for (int i = 0; i < 40 && !r.client[0].reset; i++)
        br_publish(&r, 1, "t",
                   "0123456789012345678901234567890123456789012345678901234567"
                   "890123456789012345678901234567890123456789012345678901234",
                   0, 0);
      cr_assert(r.client[0].reset);
    } else {
      br_eof(&r, 0);
    }
    cr_assert(r.client[0].told);
    cr_assert_eq(r.client[0].how, want);
    const char *got = br_got(&r, 1);
    cr_assert_eq(memcmp(got, "PUBLISH(will/w=\0x,q1,#1)", 25), 0);
    cr_assert_eq(strstr(r.log, "will(0,will/w)") != NULL, true);
    cr_assert(strstr(r.log, "will(0") < strstr(r.log, "ended(0"));
    br_connect(&r, 2, "late");
    br_subscribe(&r, 2, "will/#", 2);
    got = br_got(&r, 2);
    cr_assert_eq(memcmp(got, "CONNACK(0,0) SUBACK(7,2) PUBLISH(", 33) == 0,
                 how == 5);
    br_stop(&r);
  }
}

Test(broker_flow, no_will_after_disconnect) {
  struct br r;
  with_owner(&r, (struct nova_broker_options){.unsent_limit = 0});
  br_connect(&r, 1, "watcher");
  br_subscribe(&r, 1, "#", 2);
  (void)br_got(&r, 1);
  with_will(&r, 0, true);
  br_say(&r, 0, NOVA_MQTT_DISCONNECT);
  BR_GOT(&r, 0, "CONNACK(0,0) CLOSED");
  cr_assert_eq(r.client[0].how, NOVA_BROKER_DISCONNECTED);
  br_run(&r, r.now + 100 * NOVA_SEC);
  BR_GOT(&r, 1, "");
  br_stop(&r);
}

Test(broker_flow, forbidden_wills_are_not_published) {
  struct br r;
  with_owner(&r, (struct nova_broker_options){.unsent_limit = 0});
  br_connect(&r, 1, "watcher");
  br_subscribe(&r, 1, "#", 2);
  (void)br_got(&r, 1);
  br_connect_with(
      &r, 0,
      &(struct nova_mqtt_connect){.client_id = {"w", 1},
                                  .clean_session = true,
                                  .will_topic = nova_view_of("forbidden/w"),
                                  .will_message = {"x", 1}});
  br_eof(&r, 0);
  BR_GOT(&r, 1, "");
  br_stop(&r);
}

/* A will that resets the next one, whose will resets the next one, ... */
Test(broker_flow, wills_in_a_row) {
  static char big[900];
  struct br r;
  char id[8];
  memset(big, 'x', sizeof big);
  br_start(&r, &(struct nova_broker_options){.unsent_limit = 1000});
  r.held = true;
  for (int i = 0; i < 30; i++) {
    snprintf(id, sizeof id, "c%d", i);
    br_connect_with(
        &r, i,
        &(struct nova_mqtt_connect){.client_id = nova_view_of(id),
                                    .clean_session = i % 2 == 0,
                                    .will_topic = nova_view_of(id),
                                    .will_message = {big, sizeof big}});
    snprintf(id, sizeof id, "c%d", i - 1);
    br_subscribe(&r, i, id, 0);
    br_say(&r, i, NOVA_MQTT_PINGREQ);
    for (int k = 0; k < 50; k++)
      br_say(&r, i, NOVA_MQTT_PINGREQ);
  }
  br_eof(&r, 0);
  for (int i = 1; i < 30; i++)
    cr_assert(r.client[i].reset, "%d", i);
  br_stop(&r);
}

/* --- time ------------------------------------------------------------------
 */

Test(broker_flow, keep_alive_counts_from_the_last_packet) {
  struct br r;
  br_start(&r, NULL);
  br_connect_with(&r, 0,
                  &(struct nova_mqtt_connect){.client_id = {"a", 1},
                                              .clean_session = true,
                                              .keep_alive = 2});
  br_connect(&r, 1, "for ever");
  for (int i = 0; i < 5; i++) {
    br_run(&r, r.now + 2900 * NOVA_MS);
    if (i % 2 == 0)
      br_publish(&r, 0, "t", "x", 0, 0);
    else
      br_say(&r, 0, NOVA_MQTT_PINGREQ);
  }
  BR_RAW(&r, 0, "\xc0"); /* no packet yet */
  nova_ts last = r.now;
  br_run(&r, last + 2 * NOVA_SEC);
  BR_RAW(&r, 0, "");
  br_publish(&r, 1, "t", "x", 0, 0);
  br_run(&r, last + 3 * NOVA_SEC - 1);
  cr_assert_not(r.client[0].closed);
  br_run(&r, last + 100 * NOVA_SEC);
  cr_assert(r.client[0].closed);
  cr_assert_eq(r.client[0].ended, last + 3 * NOVA_SEC);
  cr_assert_not(r.client[1].closed);
  cr_assert_eq(nova_broker_next_deadline(r.b), NOVA_TS_NONE);
  br_stop(&r);
}

Test(broker_flow, connect_has_its_time) {
  struct br r;
  with_owner(&r, (struct nova_broker_options){.connect_timeout = 0});
  br_accept(&r, 0);
  BR_RAW(&r, 0, "\x10\x0d\0\4MQ");
  br_accept(&r, 1);
  br_run(&r, r.now + 10 * NOVA_SEC - 1);
  cr_assert_not(r.client[0].closed);
  br_connect(&r, 2, "late but there");
  br_run(&r, r.now + 1);
  cr_assert(r.client[0].closed && r.client[1].closed);
  cr_assert_eq(r.client[0].how, NOVA_BROKER_KEEP_ALIVE);
  br_run(&r, r.now + 1000 * NOVA_SEC);
  cr_assert_not(r.client[2].closed);
  br_stop(&r);
}

/* Many clients with keep-alives of their own, each dropped in its time. */
Test(broker_flow, many_keep_alives) {
  struct br r;
  struct nova_rng rng;
  nova_ts due[BR_CLIENTS] = {0};
  char id[8];
  nova_rng_init(&rng, 9);
  br_start(&r, NULL);
  for (int i = 0; i < BR_CLIENTS; i++) {
    uint16_t s = (uint16_t)(1 + nova_rng_below(&rng, 60));
    snprintf(id, sizeof id, "c%d", i);
    br_connect_with(&r, i,
                    &(struct nova_mqtt_connect){.client_id = nova_view_of(id),
                                                .clean_session = true,
                                                .keep_alive = s});
    due[i] = r.now + s * 1500 * NOVA_MS;
    br_run(&r, r.now + 7 * NOVA_MS);
  }
  nova_broker_eof(r.b, 7, r.now);
  br_pump(&r);
  due[7] = r.now;
  for (int k = 0; k < 200; k++) {
    br_run(&r, r.now + 500 * NOVA_MS);
    for (int i = 0; i < BR_CLIENTS; i++) {
      cr_assert_eq(r.client[i].closed, r.now >= due[i], "%d", i);
      if (r.client[i].closed)
        cr_assert_eq(r.client[i].ended, due[i]);
    }
  }
  br_stop(&r);
}

/* What is due happens first; times that go back are the last one. */
Test(broker_flow, time_does_not_go_back) {
  struct br r;
  br_start(&r, NULL);
  br_connect_with(&r, 0,
                  &(struct nova_mqtt_connect){.client_id = {"a", 1},
                                              .clean_session = true,
                                              .keep_alive = 2});
  (void)br_got(&r, 0);
  nova_ts start = r.now;
  r.now = start + 2 * NOVA_SEC;
  br_say(&r, 0, NOVA_MQTT_PINGREQ);
  r.now = 0;
  br_say(&r, 0, NOVA_MQTT_PINGREQ);
  r.now = start + 5 * NOVA_SEC - 1;
  br_say(&r, 0, NOVA_MQTT_PINGREQ);
  r.now = start + 9 * NOVA_SEC;
  br_say(&r, 0, NOVA_MQTT_PINGREQ); /* too late */
  BR_GOT(&r, 0, "PINGRESP PINGRESP PINGRESP CLOSED");
  br_stop(&r);
}

Test(broker_flow, without_keep_alive) {
  struct br r;
  br_start(&r, &(struct nova_broker_options){.no_keep_alive = true});
  br_connect_with(&r, 0,
                  &(struct nova_mqtt_connect){.client_id = {"a", 1},
                                              .clean_session = true,
                                              .keep_alive = 1});
  br_run(&r, r.now + 1000 * NOVA_SEC);
  cr_assert_not(r.client[0].closed);
  br_stop(&r);
}

/* --- the owner -------------------------------------------------------------
 */

Test(broker_flow, the_owner_publishes) {
  struct br r;
  struct nova_broker_message m = {{"t", 1}, {"x", 1}, 1, false};
  br_start(&r, NULL);
  br_connect(&r, 0, "a");
  br_subscribe(&r, 0, "t", 1);
  (void)br_got(&r, 0);
  cr_assert_eq(nova_broker_publish(r.b, &m, r.now), 0);
  br_pump(&r);
  BR_GOT(&r, 0, "PUBLISH(t=x,q1,#1)");
  m.qos = 3;
  cr_assert_eq(nova_broker_publish(r.b, &m, r.now), NOVA_ERR_ARGUMENT);
  m.qos = 0;
  m.topic.n = 0;
  cr_assert_eq(nova_broker_publish(r.b, &m, r.now), NOVA_ERR_ARGUMENT);
  br_stop(&r);
}

Test(broker_flow, packets_are_composed_for_the_owner) {
  struct br r;
  struct nova_broker_client c;
  struct nova_buf out;
  struct nova_mqtt p;
  struct nova_broker_message m = {{"t", 1}, {"x", 1}, 2, true};
  uint8_t qos;
  uint16_t id;
  br_start(&r, &(struct nova_broker_options){.inflight_most = 1});
  nova_buf_init(&out, NULL, 1000);
  br_accept(&r, 0);
  cr_assert_eq(nova_broker_compose(r.b, 0, &m, &out, &qos, &id, r.now),
               NOVA_ERR_STATE);
  br_eof(&r, 0);
  br_keep(&r, 0, "a");
  cr_assert_eq(nova_broker_compose(r.b, 0, &m, &out, &qos, &id, r.now),
               NOVA_ERR_STATE);
  br_subscribe(&r, 0, "t", 1);
  (void)br_got(&r, 0);
  cr_assert_eq(nova_broker_compose(r.b, 0, &m, &out, &qos, &id, r.now), 0);
  cr_assert(qos == 1 && id == 1);
  cr_assert_eq(nova_mqtt_decode(out.data, out.len, &p, NULL), 0);
  cr_assert(p.u.publish.packet_id == 1 && p.u.publish.qos == 1);
  cr_assert_not(p.u.publish.retain || p.u.publish.dup);
  BR_GOT(&r, 0, "");
  cr_assert_eq(nova_broker_compose(r.b, 0, &m, &out, &qos, &id, r.now),
               NOVA_ERR_LIMIT);
  nova_broker_client(r.b, 0, &c);
  cr_assert_eq(c.inflight, 1);
  br_eof(&r, 0);
  br_keep(&r, 1, "a"); /* it is the broker's from then on */
  BR_GOT(&r, 1, "CONNACK(0,1) PUBLISH(t=x,q1,#1,dup)");
  br_ack(&r, 1, NOVA_MQTT_PUBACK, 1);
  m.qos = 0;
  nova_buf_clear(&out);
  cr_assert_eq(nova_broker_compose(r.b, 1, &m, &out, &qos, &id, r.now), 0);
  cr_assert(qos == 0 && id == 0 && out.len == 6);
  m.qos = 3;
  cr_assert_eq(nova_broker_compose(r.b, 1, &m, &out, &qos, &id, r.now),
               NOVA_ERR_ARGUMENT);
  nova_buf_free(&out);
  br_stop(&r);
}

Test(broker_flow, answers_are_withheld) {
  struct br r;
  struct nova_broker_client c;
  br_start(&r, NULL);
  br_accept(&r, 0);
  nova_broker_withhold(r.b, 0,
                       1u << NOVA_MQTT_CONNACK | 1u << NOVA_MQTT_SUBACK |
                           1u << NOVA_MQTT_PUBACK);
  BR_RAW(&r, 0, "\x10\x0d\0\4MQTT\4\2\0\0\0\1a");
  br_subscribe(&r, 0, "t", 1);
  br_publish(&r, 0, "t", "x", 1, 1);
  br_say(&r, 0, NOVA_MQTT_PINGREQ);
  BR_GOT(&r, 0, "PUBLISH(t=x,q1,#1) PINGRESP");
  nova_broker_withhold(r.b, 0, 1u << NOVA_MQTT_PINGRESP);
  br_say(&r, 0, NOVA_MQTT_PINGREQ);
  br_publish(&r, 0, "t", "x", 1, 1);
  BR_GOT(&r, 0, "PUBLISH(t=x,q1,#2) PUBACK(1)");
  cr_assert(nova_broker_client(r.b, 0, &c) && c.connected);
  br_stop(&r);
}

Test(broker_flow, what_is_known_of_a_client) {
  struct br r;
  struct nova_broker_client c;
  br_start(&r, NULL);
  cr_assert_not(nova_broker_client(r.b, 0, &c));
  br_accept(&r, 0);
  cr_assert(nova_broker_client(r.b, 0, &c) && !c.connected);
  br_eof(&r, 0);
  br_connect_with(&r, 0,
                  &(struct nova_mqtt_connect){.client_id = {"abc", 3},
                                              .user_name = {"u", 1},
                                              .keep_alive = 77});
  cr_assert(nova_broker_client(r.b, 0, &c) && c.connected);
  cr_assert(nova_view_is(c.client_id, "abc") && nova_view_is(c.user_name, "u"));
  cr_assert(c.keep_alive == 77 && !c.clean && !c.resumed);
  br_stop(&r);
}

Test(broker_flow, options_have_their_ranges) {
  cr_assert_null(
      nova_broker_new(&(struct nova_broker_options){.inflight_most = 65536}));
  cr_assert_null(nova_broker_new(&(struct nova_broker_options){
      .packet_limit = NOVA_MQTT_REMAINING_MAX + 1u}));
  nova_broker_free(NULL);
}

/* --- output ----------------------------------------------------------------
 */

/* What one event brings for one connection is one write. */
Test(broker_flow, outputs_are_joined) {
  struct br r;
  struct nova_buf many;
  br_start(&r, NULL);
  br_connect(&r, 0, "a");
  br_connect(&r, 1, "b");
  br_subscribe(&r, 1, "t", 1);
  (void)br_got(&r, 0);
  (void)br_got(&r, 1);
  nova_buf_init(&many, NULL, 1000);
  for (int i = 0; i < 100; i++)
    nova_buf_append(&many, "\x32\6\0\1t\0\1x", 8);
  br_raw(&r, 0, many.data, many.len);
  cr_assert_eq(r.client[0].writes, 1);
  cr_assert_eq(r.client[0].in.len, 400);
  cr_assert_eq(r.client[1].writes, 1);
  cr_assert_eq(r.client[1].in.len, 800);
  nova_buf_free(&many);
  br_stop(&r);
}

/* QoS 1 waits for a client that reads slowly, and nothing is lost. */
Test(broker_flow, slow_readers_get_all_of_qos_1) {
  static char big[60001];
  struct br r;
  memset(big, 'x', sizeof big - 1);
  br_start(&r, &(struct nova_broker_options){.unsent_limit = 300000});
  br_connect(&r, 0, "slow");
  br_subscribe(&r, 0, "t", 1);
  br_connect(&r, 1, "p");
  (void)br_got(&r, 0);
  r.held = true;
  for (int i = 0; i < 30; i++)
    br_publish(&r, 1, "t", big, 1, 1);
  size_t some = r.client[0].in.len;
  cr_assert(some > 100000 && some < 300000);
  for (int i = 0; i < 60 && r.client[0].in.len < 30 * 60000; i++) {
    nova_broker_sent(r.b, 0);
    br_pump(&r);
  }
  cr_assert_eq(r.client[0].in.len, 30 * (60000 + 4 + 2 + 1 + 2));
  cr_assert_not(r.client[0].reset);
  br_stop(&r);
}

/* More is to be sent again than may wait at once: it comes bit by bit, in
 * order, and what is new behind it. */
Test(broker_flow, much_is_sent_again) {
  static char big[60001];
  struct br r;
  char got[16];
  struct nova_broker_client c;
  memset(big, 'x', sizeof big - 1);
  br_start(&r, &(struct nova_broker_options){.unsent_limit = 300000});
  br_keep(&r, 0, "slow");
  br_subscribe(&r, 0, "t", 1);
  br_connect(&r, 1, "p");
  for (int i = 0; i < 20; i++) {
    big[0] = (char)('a' + i);
    br_publish(&r, 1, "t", big, 1, 1);
  }
  nova_broker_client(r.b, 0, &c);
  cr_assert_eq(c.inflight, 20);
  br_eof(&r, 0);
  (void)br_got(&r, 0);
  r.held = true;
  br_keep(&r, 0, "slow");
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 2);  /* was sent again */
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 19); /* was not */
  big[0] = 'z';
  br_publish(&r, 1, "t", big, 1, 1);
  cr_assert_lt(r.client[0].in.len, 300000);
  for (int i = 0; i < 60; i++) {
    nova_broker_sent(r.b, 0);
    br_pump(&r);
  }
  const char *all = br_got(&r, 0);
  cr_assert_not(r.client[0].reset);
  for (int i = 0; i < 21; i++) {
    if (i == 18)
      continue; /* the 19th */
    char first = i < 20 ? (char)('a' + i) : 'z';
    snprintf(got, sizeof got, "=%cx", first);
    const char *here = strstr(all, got);
    cr_assert_not_null(here, "%c", first);
    all = here;
    snprintf(got, sizeof got, "#%d%s", i + 1, i < 20 ? ",dup)" : ")");
    here = strstr(all, got);
    cr_assert_not_null(here, "%c", first);
    cr_assert_eq(here, strchr(all, '#'));
    all = here;
  }
  br_stop(&r);
}

/* More writes than are counted one by one: their bytes come back. */
Test(broker_flow, writes_are_given_back) {
  struct br r;
  br_start(&r, &(struct nova_broker_options){.unsent_limit = 200});
  br_connect(&r, 0, "a");
  for (int round = 0; round < 50; round++) {
    r.held = true;
    for (int i = 0; i < 90; i++)
      br_say(&r, 0, NOVA_MQTT_PINGREQ);
    cr_assert_not(r.client[0].reset);
    for (int i = 0; i < 95; i++)
      nova_broker_sent(r.b, 0);
    r.held = false;
    (void)br_got(&r, 0);
  }
  r.held = true;
  for (int i = 0; i < 101; i++)
    br_say(&r, 0, NOVA_MQTT_PINGREQ);
  cr_assert(r.client[0].reset);
  br_stop(&r);
}

/* Of many writes only those that are out count as out. */
Test(broker_flow, writes_that_are_not_out_count) {
  struct br r;
  br_start(&r, &(struct nova_broker_options){.unsent_limit = 200});
  br_connect(&r, 0, "a");
  r.held = true;
  for (int i = 0; i < 90; i++)
    br_say(&r, 0, NOVA_MQTT_PINGREQ);
  for (int i = 0; i < 5; i++)
    nova_broker_sent(r.b, 0);
  for (int i = 0; i < 16; i++)
    br_say(&r, 0, NOVA_MQTT_PINGREQ);
  cr_assert(r.client[0].reset);
  br_stop(&r);
}

/* A reset does not wait for what was to be sent. */
Test(broker_flow, a_reset_has_no_last_words) {
  struct br r;
  char pings[200];
  for (size_t i = 0; i < sizeof pings; i += 2)
    memcpy(pings + i, "\xc0\0", 2);
  br_start(&r, &(struct nova_broker_options){.unsent_limit = 100});
  br_connect(&r, 0, "a");
  (void)br_got(&r, 0);
  br_raw(&r, 0, pings, sizeof pings);
  BR_GOT(&r, 0, "RESET");
  br_stop(&r);
}

Test(broker_flow, unknown_connections_are_ignored) {
  struct br r;
  struct nova_broker_out out;
  uint8_t qos;
  br_start(&r, NULL);
  cr_assert_eq(nova_broker_feed(r.b, 9, "x", 1, r.now), 0);
  nova_broker_eof(r.b, 9, r.now);
  nova_broker_reset(r.b, 9, r.now);
  nova_broker_close(r.b, 9, r.now);
  nova_broker_sent(r.b, 9);
  nova_broker_withhold(r.b, 9, 1);
  cr_assert_not(nova_broker_subscribed(r.b, 9, nova_view_of("t"), &qos));
  cr_assert_not(nova_broker_next_output(r.b, &out));
  br_stop(&r);
}

/* A broker that is freed in the middle of everything. */
Test(broker_flow, freed_at_any_time) {
  struct br r;
  br_start(&r, NULL);
  br_keep(&r, 0, "a");
  br_subscribe(&r, 0, "#", 2);
  br_retained(&r, 0, "t", "x", 2, 1);
  with_will(&r, 1, true);
  br_accept(&r, 2);
  BR_RAW(&r, 2, "\x10");
  nova_broker_feed(r.b, 0, "\xc0\0", 2, r.now);
  nova_broker_eof(r.b, 1, r.now);
  nova_broker_reset(r.b, 2, r.now);
  struct nova_broker_out out;
  cr_assert(nova_broker_next_output(r.b, &out));
  br_stop(&r);
}
