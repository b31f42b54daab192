/* What clients see of a broker, in words, under each of its faults: what the
 * fault says, and nothing else than without it. */
#include "broker_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* A scene: some clients do something, and what they got is one text. */
struct scene {
  const char *name;
  void (*play)(struct br *r, struct nova_buf *seen);
};

static void see(struct br *r, int c, struct nova_buf *seen) {
  const char *got = br_got(r, c);
  nova_buf_printf(seen, "%d:", c);
  /* Payloads of the scenes may be long, or have NULs. */
  size_t n = r->text.len;
  if (n > 400)
    nova_buf_printf(seen, "[%zu bytes, %08x]", n,
                    (unsigned)(got[n / 2] + got[n - 1]));
  else
    nova_buf_append(seen, got, n);
  nova_buf_puts(seen, "\n");
}

/* What of it came when, in seconds since |start|. */
static void see_for(struct br *r, int c, nova_ts start, nova_ts span,
                    struct nova_buf *seen) {
  if (r->client[c].in.len != 0) {
    nova_buf_puts(seen, "at once ");
    see(r, c, seen);
  }
  for (nova_ts end = start + span; r->now < end;) {
    bool closed = r->client[c].closed || r->client[c].reset;
    size_t had = r->client[c].in.len;
    br_run(r, r->now + 100 * NOVA_MS);
    bool ended = !closed && (r->client[c].closed || r->client[c].reset);
    if (r->client[c].in.len != had || ended) {
      nova_buf_printf(seen, "%.1f s ",
                      (double)(r->now - start) / (double)NOVA_SEC);
      see(r, c, seen);
    }
  }
}

static void connect_raw(struct br *r, int c, const char *bytes, size_t n) {
  br_accept(r, c);
  br_raw(r, c, bytes, n);
}

static void platform(struct br *r) {
  br_connect(r, 9, "platform");
  br_subscribe(r, 9, "dev/#", 1);
  br_run(r, r->now + 10 * NOVA_SEC);
  (void)br_got(r, 9);
}

static void device(struct br *r, int c, bool retain) {
  br_connect_with(
      r, c,
      &(struct nova_mqtt_connect){
          .client_id = {"device", 6},
          .clean_session = true,
          .keep_alive = 2,
          .will_topic = nova_view_of("dev/status"),
          .will_message = nova_view_of("{\"a\":\"x:\\\"y\",\"b\":[1,2]}"),
          .will_qos = 1,
          .will_retain = retain});
}

static void scene_connect(struct br *r, struct nova_buf *seen) {
  nova_ts start = r->now;
  br_connect(r, 0, "a");
  br_run(r, start + 10 * NOVA_MS);
  see(r, 0, seen);
  see_for(r, 0, start, 8 * NOVA_SEC, seen);
}

static void scene_level(struct br *r, struct nova_buf *seen) {
  connect_raw(r, 0, "\x10\x0d\0\4MQTT\x09\2\0\0\0\1a", 15);
  see(r, 0, seen);
}

static void scene_pings(struct br *r, struct nova_buf *seen) {
  br_connect(r, 0, "a");
  br_run(r, r->now + 5 * NOVA_SEC);
  nova_buf_clear(&r->client[0].in);
  for (int i = 0; i < 3; i++) {
    br_say(r, 0, NOVA_MQTT_PINGREQ);
    see(r, 0, seen);
  }
  see_for(r, 0, r->now, 6 * NOVA_SEC, seen);
}

static void scene_silence(struct br *r, struct nova_buf *seen) {
  nova_ts start = r->now;
  device(r, 0, false);
  br_run(r, start + 1500 * NOVA_MS);
  br_publish(r, 0, "other", "x", 0, 0);
  br_run(r, start + 2900 * NOVA_MS);
  nova_buf_clear(&r->client[0].in);
  see_for(r, 0, start, 40 * NOVA_SEC, seen);
}

static void scene_pinging(struct br *r, struct nova_buf *seen) {
  device(r, 0, false);
  br_run(r, r->now + 10 * NOVA_MS);
  for (int i = 0; i < 4; i++) {
    br_run(r, r->now + 1900 * NOVA_MS);
    br_say(r, 0, NOVA_MQTT_PINGREQ);
  }
  nova_buf_printf(seen, "%d\n", r->client[0].closed || r->client[0].reset);
}

/* One broken packet, on a connection that is connected but for the first ones;
 * closed within 2 s or not. */
static void broken(struct br *r, struct nova_buf *seen, const char *name,
                   bool connected, const char *bytes, size_t n) {
  if (connected)
    br_connect(r, 1, "broken");
  else
    br_accept(r, 1);
  br_run(r, r->now + 5 * NOVA_SEC);
  nova_buf_clear(&r->client[1].in);
  br_raw(r, 1, bytes, n);
  br_run(r, r->now + 2 * NOVA_SEC);
  nova_buf_printf(seen, "%s ", name);
  see(r, 1, seen);
  if (!r->client[1].closed && !r->client[1].reset) {
    br_eof(r, 1);
    br_run(r, r->now + 9 * NOVA_SEC);
  }
}

static void scene_broken(struct br *r, struct nova_buf *seen) {
#define BROKEN(name, connected, bytes)                                         \
  broken(r, seen, name, connected, bytes, sizeof bytes - 1)
  BROKEN("first", false, "\xc0\0");
  BROKEN("first subscribe", false, "\x82\6\0\1\0\1t\0");
  BROKEN("second", true, "\x10\x0d\0\4MQTT\4\2\0\0\0\1a");
  BROKEN("subscribe", true, "\x80\6\0\1\0\1t\0");
  BROKEN("reserved", false, "\x10\x0d\0\4MQTT\4\3\0\0\0\1a");
  BROKEN("length", true, "\x30\xff\xff\xff\xff\1");
  BROKEN("qos", true, "\x36\6\0\1t\0\1x");
  BROKEN("wildcard", true, "\x32\6\0\1#\0\1x");
  BROKEN("utf8", true, "\x32\6\0\1\xff\0\1x");
  BROKEN("ping", true, "\xc1\0");
}

static void scene_publish(struct br *r, struct nova_buf *seen) {
  char text[8];
  br_connect(r, 0, "a");
  br_run(r, r->now + 10 * NOVA_SEC);
  nova_buf_clear(&r->client[0].in);
  for (uint16_t i = 1; i <= 12; i++) {
    snprintf(text, sizeof text, "%d", i);
    br_publish(r, 0, "t", text, 1, (uint16_t)(i + 0x100));
  }
  br_run(r, r->now + 5 * NOVA_SEC);
  see(r, 0, seen);
}

static void scene_deliver(struct br *r, struct nova_buf *seen) {
  nova_ts start;
  char text[8];
  platform(r);
  br_connect(r, 0, "a");
  br_connect(r, 1, "b");
  br_subscribe(r, 1, "b/command", 1);
  br_run(r, r->now + 10 * NOVA_SEC);
  (void)br_got(r, 1);
  start = r->now;
  for (int i = 1; i <= 4; i++) {
    snprintf(text, sizeof text, "%d", i);
    br_publish(r, 0, "dev/data", text, 1, 1);
  }
  see_for(r, 9, start, 5 * NOVA_SEC, seen);
  see(r, 1, seen);
}

static void scene_big(struct br *r, struct nova_buf *seen) {
  static char big[131073];
  memset(big, 'x', sizeof big - 1);
  platform(r);
  br_connect(r, 0, "a");
  br_publish(r, 0, "dev/data", big, 1, 1);
  br_run(r, r->now + 5 * NOVA_SEC);
  nova_buf_printf(seen, "%d\n", r->client[0].closed || r->client[0].reset);
  see(r, 9, seen);
}

static void scene_will_eof(struct br *r, struct nova_buf *seen) {
  platform(r);
  device(r, 0, false);
  br_run(r, r->now + 10 * NOVA_MS);
  nova_ts start = r->now;
  br_eof(r, 0);
  see_for(r, 9, start, 5 * NOVA_SEC, seen);
  br_connect(r, 2, "late");
  br_subscribe(r, 2, "dev/#", 1);
  br_run(r, r->now + 5 * NOVA_SEC);
  see(r, 2, seen);
}

static void scene_will_reset(struct br *r, struct nova_buf *seen) {
  platform(r);
  device(r, 0, false);
  nova_ts start = r->now;
  br_lost(r, 0);
  see_for(r, 9, start, 5 * NOVA_SEC, seen);
}

static void scene_will_silent(struct br *r, struct nova_buf *seen) {
  platform(r);
  nova_ts start = r->now;
  device(r, 0, false);
  see_for(r, 9, start, 30 * NOVA_SEC, seen);
}

static void scene_leave(struct br *r, struct nova_buf *seen) {
  platform(r);
  device(r, 0, false);
  br_run(r, r->now + 10 * NOVA_MS);
  (void)br_got(r, 0);
  nova_ts start = r->now;
  br_say(r, 0, NOVA_MQTT_DISCONNECT);
  see(r, 0, seen);
  see_for(r, 9, start, 3 * NOVA_SEC, seen);
}

static const struct scene scenes[] = {
    {"connect", scene_connect},
    {"level", scene_level},
    {"pings", scene_pings},
    {"silence", scene_silence},
    {"pinging", scene_pinging},
    {"broken", scene_broken},
    {"publish", scene_publish},
    {"deliver", scene_deliver},
    {"big", scene_big},
    {"will_eof", scene_will_eof},
    {"will_reset", scene_will_reset},
    {"will_silent", scene_will_silent},
    {"leave", scene_leave},
};
#define SCENES (sizeof scenes / sizeof *scenes)

/* Which scenes look other than without the fault, and a part of what one of
 * them shows then. */
static const struct expected {
  enum nova_fault fault;
  const char *differ; /* apart by one space */
  const char *shows;  /* in the first of them */
} expected[] = {
#define F(ID) NOVA_FAULT_##ID
    {F(B_CONNACK_MISSING), "connect *", "0:\n"},
    {F(B_CONNACK_LATE), "connect *", "6.0 s 0:CONNACK(0,0)"},
    {F(B_CONNACK_OF_5), "connect *", "?CONNACK"},
    {F(B_LEVEL_5_ONLY), "connect *", "CONNACK(1,0) CLOSED"},
    {F(B_PINGRESP_MISSING), "pings", "0:\n0:\n0:\n"},
    {F(B_PINGRESP_ONCE), "pings", "0:PINGRESP\n0:\n0:\n"},
    {F(B_KEEP_ALIVE_EXACT), "silence will_silent", "3.5 s 0:CLOSED"},
    {F(B_KEEP_ALIVE_TENFOLD), "silence will_silent", "21.5 s 0:CLOSED"},
    {F(B_KEEP_ALIVE_NEVER), "silence will_silent", ""},
    {F(B_KEEP_ALIVE_FROM_CONNECT), "silence pinging", "3.0 s 0:CLOSED"},
    {F(B_KEEP_ALIVE_PING_ONLY), "silence", "3.0 s 0:CLOSED"},
    {F(B_KEEP_ALIVE_NOT_PING), "pinging", "1\n"},
    {F(B_FIRST_SKIPPED), "broken", "first 1:\nfirst subscribe 1:\nsecond"},
    {F(B_FIRST_SERVED), "broken", "first 1:PINGRESP\nfirst subscribe 1:SUBACK"},
    {F(B_SECOND_CONNECT), "broken", "second 1:CONNACK(0,0)\n"},
    {F(B_SUBSCRIBE_FLAGS), "broken", "subscribe 1:SUBACK(1,0)\n"},
    {F(B_CONNECT_RESERVED), "broken", "reserved 1:CONNACK(0,0)\n"},
    {F(B_LENGTH_OF_5), "broken", "length 1:\n"},
    {F(B_QOS_3), "broken", "qos 1:PUBACK(1)\n"},
    {F(B_TOPIC_WILDCARD), "broken", "wildcard 1:PUBACK(1)\n"},
    {F(B_TOPIC_BYTES), "broken", "utf8 1:PUBACK(1)\n"},
    {F(B_LEVEL_IGNORED), "level", "0:CONNACK(0,0)\n"},
    {F(B_MALFORMED_SKIPPED), "broken",
     "subscribe 1:\nreserved 1:\nlength 1:\n"
     "qos 1:\n"},
    {F(B_MALFORMED_LATE), "broken",
     "first 1:\nfirst subscribe 1:\nsecond 1:\n"},
    {F(B_PUBACK_MISSING), "publish", "0:\n"},
    {F(B_PUBACK_TENTH_MISSING), "publish", "PUBACK(265) PUBACK(267)"},
    {F(B_PUBACK_SWAPPED), "publish", "PUBACK(513) PUBACK(769)"},
    {F(B_PUBACK_TWICE), "publish", "PUBACK(257) PUBACK(257) PUBACK(258)"},
    {F(B_PUBACK_LAST_ONLY), "publish", "0:PUBACK(268)\n"},
    {F(B_PUBACK_LATE), "publish", "0:\n"},
    {F(B_PUBACK_AS_PUBREC), "publish", "0:PUBREC(257)"},
    {F(B_PAYLOAD_CUT), "big", "65"},
    {F(B_PAYLOAD_DROPPED), "big", "9:\n"},
    {F(B_LIMIT_64_KB), "big", "1\n9:\n"},
    {F(B_PAYLOAD_NUL), "deliver big", NULL},
    {F(B_DELIVERED_TWICE), "deliver big",
     "=1,q1,#1) PUBLISH(dev/data=1,q1,#2)"},
    {F(B_SECOND_LOST), "deliver", "=1,q1,#1) PUBLISH(dev/data=3,q1,#2)\n"},
    {F(B_ORDER_REVERSED), "deliver", "=4,q1,#1) PUBLISH(dev/data=3,q1,#2)"},
    {F(B_DELIVERY_LATE), "deliver big", "1:\n"},
    {F(B_QOS_DOWNGRADED), "deliver big", "=1,q0) "},
    {F(B_BROADCAST), "deliver", "1:PUBLISH(dev/data=1,q1,#1)"},
    {F(B_WILL_NEVER), "will_eof will_reset will_silent", "2:CONNACK"},
    {F(B_WILL_NOT_ON_EOF), "will_eof", "2:CONNACK"},
    {F(B_WILL_NOT_ON_RESET), "will_reset", ""},
    {F(B_WILL_NOT_ON_KEEP_ALIVE), "will_silent", ""},
    {F(B_WILL_AFTER_DISCONNECT), "leave", "9:PUBLISH(dev/status="},
    {F(B_WILL_RETAINED), "will_eof", ",retain)"},
    {F(B_WILL_TWICE), "will_eof will_reset will_silent", "q1,#2)\n"},
    {F(B_WILL_QOS_0), "will_eof will_reset will_silent", ",q0)\n"},
    {F(B_WILL_RESERIALISED), "will_eof will_reset will_silent",
     "={\"a\": \"x:\\\"y\", \"b\": [1, 2]},q1"},
    {F(B_WILL_EMPTY), "will_eof will_reset will_silent", "dev/status=,q1"},
    {F(B_WILL_LATE), "will_eof will_reset will_silent", "2:CONNACK"},
    {F(V_B_ACKS_SLOW), "connect *", "4.0 s 0:CONNACK(0,0)"},
    {F(V_B_GATHERED), "connect *", "0.2 s 0:CONNACK(0,0)"},
    {F(V_B_BYTES), "", NULL},
    {F(V_B_CLOSES_LATER), "", NULL},
    {F(V_B_SENT_AGAIN), "deliver *", "=1,q1,#1) PUBLISH(dev/data=1,q1,#1,dup)"},
    {F(V_B_IDS_DOWN), "deliver *",
     "=1,q1,#65535) PUBLISH(dev/data=2,q1,#65534)"},
    {F(V_B_LEVEL_CLOSED), "level", "0:CLOSED\n"},
    {F(V_B_KEEP_ALIVE_LATE), "silence will_silent", "6.5 s 0:CLOSED"},
    {F(V_B_RST), "level *", "CONNACK(1,0) RESET"},
    {F(V_B_DISCONNECT_STAYS), "leave", "0:\n"},
    {F(V_B_WILL_SLOW), "will_eof will_reset will_silent", "4.0 s 9:PUBLISH"},
    {F(V_B_PING_FLAGS), "broken", "ping 1:PINGRESP\n"},
#undef F
};

static void play(size_t scene, enum nova_fault fault, struct nova_buf *seen) {
  struct br r;
  nova_buf_init(seen, NULL, 1 << 20);
  br_start_faulty(&r, fault);
  scenes[scene].play(&r, seen);
  br_stop(&r);
}

static bool holds(struct nova_view text, const char *part) {
  return text.n != 0 && memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static void check(const struct expected *x) {
  const char *name = nova_fault_info(x->fault)->name;
  bool first = true, any = strchr(x->differ, '*') != NULL;
  for (size_t i = 0; i < SCENES; i++) {
    struct nova_buf sound, faulty;
    play(i, NOVA_FAULTS, &sound);
    play(i, x->fault, &faulty);
    bool differs = !nova_view_eq(nova_buf_view(&sound), nova_buf_view(&faulty));
    bool named = holds(nova_view_of(x->differ), scenes[i].name);
    cr_expect(differs == named || (differs && any), "%s: %s %s\n%.*s\n--\n%.*s",
              name, scenes[i].name, differs ? "differs" : "does not differ",
              (int)sound.len, sound.data, (int)faulty.len, faulty.data);
    if (named && first && x->shows != NULL)
      cr_expect(x->shows[0] == '\0' || holds(nova_buf_view(&faulty), x->shows),
                "%s: %s shows\n%.*s", name, scenes[i].name, (int)faulty.len,
                faulty.data);
    first = first && !named;
    nova_buf_free(&sound);
    nova_buf_free(&faulty);
  }
}

Test(broker_fault, each_shows_and_nothing_else) {
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
    check(&expected[i]);
}

/* No row is without its test. */
Test(broker_fault, all_are_expected) {
  for (unsigned f = NOVA_FAULT_B_CONNACK_MISSING;
       f <= NOVA_FAULT_V_B_PING_FLAGS; f++) {
    size_t i = 0;
    while (i < sizeof expected / sizeof *expected && expected[i].fault != f)
      i++;
    cr_expect(i < sizeof expected / sizeof *expected, "%s",
              nova_fault_info((enum nova_fault)f)->name);
  }
}

/* A variant, too, is what it says. */
Test(broker_fault, bytes_go_one_by_one) {
  struct br r;
  br_start_faulty(&r, NOVA_FAULT_V_B_BYTES);
  br_connect(&r, 0, "a");
  cr_assert_eq(r.client[0].writes, 4);
  BR_GOT(&r, 0, "CONNACK(0,0)");
  br_say(&r, 0, NOVA_MQTT_PINGREQ);
  BR_RAW(&r, 0, "\xf0\0");
  BR_GOT(&r, 0, "PINGRESP CLOSED");
  br_stop(&r);
}

Test(broker_fault, malformed_is_closed_after_a_while) {
  struct br r;
  br_start_faulty(&r, NOVA_FAULT_V_B_CLOSES_LATER);
  br_connect(&r, 0, "a");
  nova_ts start = r.now;
  BR_RAW(&r, 0, "\xf0\0\xc0\0");
  br_say(&r, 0, NOVA_MQTT_PINGREQ);
  br_run(&r, start + 5 * NOVA_SEC);
  BR_GOT(&r, 0, "CONNACK(0,0) CLOSED");
  cr_assert_eq(r.client[0].ended, start + NOVA_BROKER_CLOSES_LATER_BY);
  br_stop(&r);
}

Test(broker_fault, ids_that_go_down_are_acknowledged) {
  struct br r;
  struct nova_broker_client c;
  br_start_faulty(&r, NOVA_FAULT_V_B_IDS_DOWN);
  br_connect(&r, 0, "a");
  br_subscribe(&r, 0, "t", 2);
  br_publish(&r, 0, "t", "x", 1, 1);
  br_publish(&r, 0, "t", "y", 2, 2);
  br_ack(&r, 0, NOVA_MQTT_PUBACK, 65535);
  br_ack(&r, 0, NOVA_MQTT_PUBREC, 65534);
  br_ack(&r, 0, NOVA_MQTT_PUBCOMP, 65534);
  BR_GOT(&r, 0,
         "CONNACK(0,0) SUBACK(7,2) PUBLISH(t=x,q1,#65535) PUBACK(1) "
         "PUBLISH(t=y,q2,#65534) PUBREC(2) PUBREL(65534)");
  nova_broker_client(r.b, 0, &c);
  cr_assert_eq(c.inflight, 0);
  br_stop(&r);
}

/* What late ones wait for is an option. */
Test(broker_fault, late_is_an_option) {
  struct br r;
  struct nova_fault_set set = {{0}};
  nova_fault_add(&set, NOVA_FAULT_B_CONNACK_LATE);
  br_start(&r, &(struct nova_broker_options){.faults = &set, .late = NOVA_SEC});
  br_connect(&r, 0, "a");
  br_run(&r, r.now + NOVA_SEC - 1);
  BR_GOT(&r, 0, "");
  br_run(&r, r.now + 1);
  BR_GOT(&r, 0, "CONNACK(0,0)");
  br_stop(&r);
}
