/* The lines that tell MQTT packets to a person. */
#include "sample.h"

#include "base/error.h"
#include "report/results_json.h"
#include "report/write.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* A conversation of a few entries. */
struct talk {
  struct nova_entry entry[64];
  struct nova_conversation_result c;
  struct nova_mask mask;
};

static void talk_init(struct talk *t) {
  *t = (struct talk){.c = {.id = "mqtt-x", .transport = "mqtt"}};
  t->c.transcript.entry = t->entry;
  nova_mask_init(&t->mask, NULL);
}

static struct nova_entry *put(struct talk *t, bool received,
                              struct nova_view bytes) {
  struct nova_entry *e = &t->entry[t->c.transcript.n++];
  *e = (struct nova_entry){.kind =
                               received ? NOVA_ENTRY_RECEIVED : NOVA_ENTRY_SENT,
                           .connection = 1,
                           .size = bytes.n,
                           .bytes = bytes};
  return e;
}

/* The lines of entry |i|, each with a line feed. */
static const char *lines(struct talk *t, size_t i) {
  static struct nova_buf b;
  struct nova__shown k;
  if (b.max == 0)
    nova_buf_init(&b, NULL, 1 << 24);
  nova_buf_clear(&b);
  cr_assert_eq(nova__shown_init(&k, &t->mask, &t->c, NULL), 0);
  for (size_t n = k.packets.first[i]; n < k.packets.first[i + 1]; n++) {
    struct nova_view line = nova__packets_line(&k.packets, n);
    nova_buf_append(&b, line.p, line.n);
    nova_buf_puts(&b, "\n");
  }
  nova__shown_free(&k);
  return nova_buf_cstr(&b);
}

/* One packet, whole. */
static void expect(struct nova_view packet, const char *want) {
  struct talk t;
  talk_init(&t);
  put(&t, false, packet);
  const char *got = lines(&t, 0);
  size_t n = strlen(want);
  cr_expect(strncmp(got, want, n) == 0 && strcmp(got + n, "\n") == 0,
            "wants %s\n gives %s", want, got);
  nova_mask_free(&t.mask);
}

Test(packets, every_type_is_told_by_what_matters_in_it) {
  expect(BYTES("\x10\x0d\0\4MQTT\4\2\0\x3c\0\1c"),
         "CONNECT client_id=c keep_alive=60");
  expect(BYTES("\x10\x0c\0\4MQTT\4\2\1\0\0\0"),
         "CONNECT client_id=\"\" keep_alive=256");
  expect(BYTES("\x10\x14\0\4MQTT\4\xc0\0\x0a\0\1c\0\1u\0\2pw"),
         "CONNECT client_id=c keep_alive=10 clean_session=0 username=u "
         "password=***");
  expect(BYTES("\x10\x12\0\4MQTT\4\xc2\0\x0a\0\1c\0\1u\0\0"),
         "CONNECT client_id=c keep_alive=10 username=u password=\"\"");
  expect(BYTES("\x10\x10\0\4MQTT\4\x82\0\x0a\0\1c\0\1u"),
         "CONNECT client_id=c keep_alive=10 username=u");
  expect(BYTES("\x10\x15\0\4MQTT\4\x36\0\x0a\0\1c\0\1t\0\3off"),
         "CONNECT client_id=c keep_alive=10 will=t qos 2 retain off");
  expect(BYTES("\x10\x12\0\4MQTT\4\x06\0\x0a\0\1c\0\1t\0\0"),
         "CONNECT client_id=c keep_alive=10 will=t qos 0 (empty)");
  expect(BYTES("\x20\2\1\0"), "CONNACK 0 connection accepted, session present");
  expect(BYTES("\x20\2\0\4"), "CONNACK 4 bad user name or password");
  expect(BYTES("\x30\4\0\1tx"), "PUBLISH t qos 0 x");
  expect(BYTES("\x3d\6\0\1t\1\2x"), "PUBLISH t qos 2 id 258 dup retain x");
  expect(BYTES("\x30\6\0\3a bx"), "PUBLISH \"a b\" qos 0 x");
  expect(BYTES("\x30\3\0\1t"), "PUBLISH t qos 0 (empty)");
  expect(BYTES("\x30\7\0\1t\xff\xfe\0z"), "PUBLISH t qos 0 0xfffe007a");
  expect(BYTES("\x30\7\0\1t\x1b\n\xc3\xa9"),
         "PUBLISH t qos 0 \\x1b\\n\xc3\xa9");
  expect(BYTES("\x40\2\0\7"), "PUBACK id 7");
  expect(BYTES("\x50\2\0\7"), "PUBREC id 7");
  expect(BYTES("\x62\2\0\7"), "PUBREL id 7");
  expect(BYTES("\x70\2\0\7"), "PUBCOMP id 7");
  expect(BYTES("\x82\x0a\0\1\0\1a\1\0\1b\0"),
         "SUBSCRIBE id 1 a qos 1, b qos 0");
  expect(BYTES("\x90\5\0\1\1\x80\0"), "SUBACK id 1 qos 1, failure, qos 0");
  expect(BYTES("\xa2\5\0\1\0\1a"), "UNSUBSCRIBE id 1 a");
  expect(BYTES("\xb0\2\0\7"), "UNSUBACK id 7");
  expect(BYTES("\xc0\0"), "PINGREQ");
  expect(BYTES("\xd0\0"), "PINGRESP");
  expect(BYTES("\xe0\0"), "DISCONNECT");
  expect(BYTES("\xc0\x80\x80\0"), "PINGREQ (remaining length in 3 bytes)");
}

Test(packets, what_is_malformed_says_where_and_by_which_statement) {
  expect(BYTES("\x36\4\0\1tx"),
         "malformed PUBLISH: the QoS is 3 at byte 0 [MQTT-3.3.1-4]");
  expect(BYTES("\x80\2\0\1"),
         "malformed SUBSCRIBE: the flags of a SUBSCRIBE are not 0010 at byte 0 "
         "[MQTT-3.8.1-1]");
  expect(BYTES("\xf0\0"),
         "malformed packet: a packet type that is forbidden at byte 0");
  expect(BYTES("\x20\2\2\0"),
         "malformed CONNACK: reserved acknowledge flags are set at byte 2");
  /* The password of one that breaks the standard elsewhere. */
  struct talk t;
  talk_init(&t);
  put(&t, false, BYTES("\x10\x17\0\4MQTT\4\xc3\0\x0a\0\1c\0\1u\0\5hello"));
  const char *got = lines(&t, 0);
  cr_expect_not_null(strstr(got, "malformed CONNECT: the reserved connect"));
  cr_expect_null(strstr(got, "hello"));
  nova_mask_free(&t.mask);
}

/* A list and a payload without end make one line of bounded length. */
Test(packets, lines_are_short) {
  char list[3 + 2 + 20 * 4];
  memcpy(list, "\x82\x52\0\1", 4);
  for (size_t i = 0; i < 20; i++)
    memcpy(list + 4 + 4 * i, "\0\1f\1", 4);
  expect((struct nova_view){list, 84},
         "SUBSCRIBE id 1 f qos 1, f qos 1, f qos 1, f qos 1, f qos 1, f qos 1, "
         "f qos 1, f qos 1, 12 more");
  static char long_one[4 + 3 + 10000];
  for (int binary = 0; binary < 2; binary++) {
    memcpy(long_one, "\x30\x93\x4e\0\1t", 6);
    memset(long_one + 6, binary ? 0xfe : 'x', 10000);
    struct talk t;
    talk_init(&t);
    put(&t, false, (struct nova_view){long_one, 6 + 10000});
    const char *got = lines(&t, 0);
    cr_expect_eq(strlen(got),
                 strlen("PUBLISH t qos 0 \n") + 120 + (binary ? 2 : 0), "%s",
                 got);
    cr_expect_not_null(strstr(got, "...\n"));
    nova_mask_free(&t.mask);
  }
  /* A segment of nothing but pings. */
  static char pings[2 * 150];
  for (size_t i = 0; i < 150; i++)
    memcpy(pings + 2 * i, "\xc0", 2);
  struct talk t;
  talk_init(&t);
  put(&t, false, (struct nova_view){pings, sizeof pings});
  const char *got = lines(&t, 0);
  size_t n = 0;
  for (const char *p = got; (p = strchr(p, '\n')) != NULL; p++)
    n++;
  cr_expect_eq(n, NOVA__PACKET_LINES + 1);
  cr_expect_not_null(strstr(got, "\n(50 more)\n"));
  nova_mask_free(&t.mask);
}

/* Wherever a stream is cut, each packet is told once, where it ends. */
Test(packets, follow_a_stream_through_its_segments) {
  static const char stream[] = "\xc0\0\x32\x8a\0\0\1t\0\7hello\x40\2\0\7";
  size_t n = sizeof stream - 1;
  static const size_t ends[] = {2, 15, 19};
  static const char *const heads[] = {"PINGREQ\n", "PUBLISH t qos 1 id 7 hello",
                                      "PUBACK id 7\n"};
  for (size_t a = 1; a < n; a++) {
    struct talk t;
    talk_init(&t);
    put(&t, false, (struct nova_view){stream, a});
    /* The other direction and another connection come between. */
    put(&t, true, BYTES("\xd0\0\xd0"));
    put(&t, false, BYTES("\x10"))->connection = 2;
    put(&t, false, (struct nova_view){stream + a, n - a});
    char first[512];
    snprintf(first, sizeof first, "%s", lines(&t, 0));
    cr_expect_str_eq(lines(&t, 1), "PINGRESP\n(a packet, 1 bytes so far)\n");
    cr_expect_str_eq(lines(&t, 2), "(a packet, 1 bytes so far)\n");
    const char *second = lines(&t, 3);
    for (size_t i = 0; i < 3; i++) {
      bool early = ends[i] <= a;
      cr_expect_eq(strstr(first, heads[i]) != NULL, early, "%zu %zu: %s", a, i,
                   first);
      cr_expect_eq(strstr(second, heads[i]) != NULL, !early, "%zu %zu: %s", a,
                   i, second);
    }
    bool inside = a != 2 && a != 15;
    cr_expect_eq(strstr(first, "bytes so far") != NULL, inside, "%zu: %s", a,
                 first);
    cr_expect_null(strstr(second, "so far"));
    nova_mask_free(&t.mask);
  }
}

/* The number of a connection that is over is given to another one. */
Test(packets, a_connect_begins_new_streams) {
  static const enum nova_entry_kind kinds[] = {
      NOVA_ENTRY_CONNECTING, NOVA_ENTRY_CONNECTED, NOVA_ENTRY_ACCEPTED};
  for (size_t i = 0; i < 3; i++) {
    struct talk t;
    talk_init(&t);
    put(&t, false, BYTES("\x30\xff\xff\xff\xff\1"));
    put(&t, true, BYTES("\xd0"));
    put(&t, false, BYTES(""))->kind = kinds[i];
    put(&t, false, BYTES("\xc0\0"));
    put(&t, true, BYTES("\xd0\0"));
    cr_expect_str_eq(lines(&t, 3), "PINGREQ\n");
    cr_expect_str_eq(lines(&t, 4), "PINGRESP\n");
    nova_mask_free(&t.mask);
    /* Another connection's changes nothing. */
    t.entry[2].connection = 2;
    nova_mask_init(&t.mask, NULL);
    cr_expect_str_eq(lines(&t, 3), "");
    nova_mask_free(&t.mask);
  }
}

Test(packets, say_how_far_one_came_that_never_ended) {
  struct talk t;
  talk_init(&t);
  put(&t, false, BYTES("\x30\x20\0\1t"));
  put(&t, false, BYTES("abc"));
  cr_expect_str_eq(lines(&t, 0), "(PUBLISH, 5 of 34 bytes so far)\n");
  cr_expect_str_eq(lines(&t, 1), "(PUBLISH, 8 of 34 bytes so far)\n");
  nova_mask_free(&t.mask);
}

Test(packets, nothing_is_told_behind_a_length_without_end) {
  struct talk t;
  talk_init(&t);
  put(&t, false, BYTES("\xc0\0\x30\xff\xff\xff\xff\1\xc0\0"));
  put(&t, false, BYTES("\xc0\0"));
  cr_expect_str_eq(lines(&t, 0),
                   "PINGREQ\nmalformed packet: the remaining length has more "
                   "than four bytes at byte 4; no packet can be found "
                   "behind\n");
  cr_expect_str_eq(lines(&t, 1), "");
  nova_mask_free(&t.mask);
}

/* --- bytes that were not kept -------------------------------------------- */

Test(packets, a_gap_inside_a_payload_hides_only_what_it_hides) {
  struct talk t;
  talk_init(&t);
  put(&t, false, BYTES("\x30\x64\0\1thello"))->size = 50;
  struct nova_entry *e = put(&t, false, BYTES(""));
  e->size = 52;
  put(&t, false, BYTES("\xc0\0"));
  cr_expect_str_eq(lines(&t, 0), "(PUBLISH, 50 of 102 bytes so far)\n");
  cr_expect_str_eq(lines(&t, 1), "PUBLISH t qos 0 hello...\n");
  cr_expect_str_eq(lines(&t, 2), "PINGREQ\n");
  nova_mask_free(&t.mask);
}

Test(packets, a_gap_before_a_payload_leaves_the_type_and_the_size) {
  struct talk t;
  talk_init(&t);
  put(&t, false, BYTES("\x10\x64\0\4MQTT"))->size = 102;
  put(&t, false, BYTES("\xc0\0"));
  cr_expect_str_eq(lines(&t, 0),
                   "CONNECT of 102 bytes, not all of them kept\n");
  cr_expect_str_eq(lines(&t, 1), "PINGREQ\n");
  nova_mask_free(&t.mask);
}

Test(packets, a_gap_over_the_end_of_a_packet_ends_what_can_be_told) {
  struct talk t;
  talk_init(&t);
  put(&t, false, BYTES("\x30\x64\0\1thello"))->size = 103;
  put(&t, false, BYTES("\xc0\0"));
  cr_expect_str_eq(lines(&t, 0),
                   "93 bytes were not kept: no packet can be found behind\n");
  cr_expect_str_eq(lines(&t, 1), "");
  nova_mask_free(&t.mask);
  talk_init(&t);
  put(&t, false, BYTES(""))->size = 7;
  put(&t, false, BYTES("\xc0\0"));
  cr_expect_str_eq(lines(&t, 0),
                   "7 bytes were not kept: no packet can be found behind\n");
  cr_expect_str_eq(lines(&t, 1), "");
  nova_mask_free(&t.mask);
}

/* One that says that it is huge takes no memory for it. */
Test(packets, a_huge_packet_is_told_by_its_size) {
  struct talk t;
  talk_init(&t);
  put(&t, false, BYTES("\x30\xff\xff\xff\x7f\0\1t"))->size =
      (size_t)268435455 + 5;
  put(&t, false, BYTES("\xc0\0"));
  cr_expect_str_eq(lines(&t, 0), "PUBLISH of 268435460 bytes\n");
  cr_expect_str_eq(lines(&t, 1), "PINGREQ\n");
  nova_mask_free(&t.mask);
}

/* --- whose lines --------------------------------------------------------- */

Test(packets, only_mqtt_has_them) {
  static const struct {
    const char *transport;
    bool mqtt;
  } all[] = {{"mqtt", true}, {"mqtts", true}, {"tcp", false}, {NULL, false}};
  for (size_t i = 0; i < 4; i++) {
    struct talk t;
    talk_init(&t);
    t.c.transport = all[i].transport;
    put(&t, false, BYTES("\xc0\0"));
    struct nova_entry *e = put(&t, false, BYTES("\xc0\0"));
    e->kind = NOVA_ENTRY_HOOK;
    cr_expect_eq(strlen(lines(&t, 0)) != 0, all[i].mqtt);
    cr_expect_str_eq(lines(&t, 1), "");
    nova_mask_free(&t.mask);
  }
}

/* --- secrets ------------------------------------------------------------- */

/* A secret in a topic, a client id, a will, a payload; whole, cut into segments
 * and cut off by a line's length. */
Test(packets, hold_no_secret) {
  char publish[512];
  const char *key = "s3cret-key-of-DEV-1";
  struct nova_buf b;
  nova_buf_init(&b, NULL, 4096);
  nova_buf_append(&b, "\0\4MQTT\4\xc6\0\x3c", 10);
  const char *parts[] = {key, "t", key, key, "not-known-to-anybody"};
  for (size_t i = 0; i < 5; i++) {
    char length[2] = {0, (char)strlen(parts[i])};
    nova_buf_append(&b, length, 2);
    nova_buf_puts(&b, parts[i]);
  }
  char head[2] = {0x10, (char)b.len};
  for (size_t cut = 1; cut < b.len; cut++) {
    struct talk t;
    talk_init(&t);
    nova_mask_add(&t.mask, "DEV-1", nova_view_of(key));
    put(&t, false, (struct nova_view){head, 2});
    put(&t, false, (struct nova_view){b.data, cut});
    put(&t, false, (struct nova_view){b.data + cut, b.len - cut});
    cr_expect_str_eq(lines(&t, 2),
                     "CONNECT client_id=*** keep_alive=60 username=*** "
                     "password=*** will=t qos 0 ***\n",
                     "%zu: %s", cut, lines(&t, 2));
    nova_mask_free(&t.mask);
  }
  nova_buf_free(&b);
  for (size_t at = 60; at < 125; at++) {
    struct talk t;
    talk_init(&t);
    nova_mask_add(&t.mask, "DEV-1", nova_view_of(key));
    memcpy(publish, "\x30\xcb\1\0\1t", 6);
    memset(publish + 6, 'x', 200);
    memcpy(publish + 6 + at, key, strlen(key));
    put(&t, false, (struct nova_view){publish, 206});
    cr_expect_null(strstr(lines(&t, 0), "s3c"), "%zu: %s", at, lines(&t, 0));
    nova_mask_free(&t.mask);
  }
}

/* What was read back has placeholders where secrets were: they are masked as
 * the secrets were. */
Test(packets, are_the_same_when_they_are_read_back_and_written_again) {
  struct sample s;
  sample_init(&s, false);
  struct nova_buf first, second;
  nova_buf_init(&first, NULL, 64 << 20);
  nova_buf_init(&second, NULL, 64 << 20);
  struct nova_sink sink = nova_sink_buf(&first);
  cr_assert_eq(nova_results_write_json(&s.results, &s.mask, NULL, &sink), 0);
  struct nova_results again;
  struct nova_read_error error;
  int err = nova_results_read_json(nova_buf_view(&first).p, first.len, &s.arena,
                                   &again, &error);
  cr_assert_eq(err, 0, "%s", error.text);
  sink = nova_sink_buf(&second);
  cr_assert_eq(nova_results_write_json(&again, NULL, NULL, &sink), 0);
  const char *a = nova_buf_cstr(&first), *b = nova_buf_cstr(&second);
  size_t n = 0;
  while ((a = strstr(a, "\"packets\": [")) != NULL) {
    b = strstr(b, "\"packets\": [");
    cr_assert_not_null(b);
    size_t length = strcspn(a, "\n");
    cr_assert_eq(length, strcspn(b, "\n"), "%.300s\n%.300s", a, b);
    cr_assert_eq(memcmp(a, b, length), 0, "%.300s\n%.300s", a, b);
    a += length;
    b += length;
    n++;
  }
  cr_assert_null(strstr(b, "\"packets\""));
  cr_assert_gt(n, 10);
  nova_buf_free(&first);
  nova_buf_free(&second);
  sample_free(&s);
}

static void *no_more(void *p, size_t n, void *user) {
  size_t *left = user;
  if (*left == 0)
    return NULL;
  --*left;
  return nova_mem_realloc(NULL, p, n);
}

static void no_free(void *p, void *user) {
  (void)user;
  nova_mem_free(NULL, p);
}

Test(packets, say_when_memory_runs_out) {
  struct sample s;
  sample_init(&s, false);
  size_t failed = 0, good = 0;
  for (size_t n = 0; n < 400 && good < 2; n++)
    for (size_t c = 4; c <= 6; c += 2) {
      size_t left = n;
      struct nova_mem mem = {no_more, no_free, &left};
      struct nova__shown k;
      int err = nova__shown_init(&k, &s.mask, &s.results.conversation[c], &mem);
      cr_assert(err == 0 || err == NOVA_ERR_NO_MEMORY, "%d", err);
      good += err == 0;
      failed += err != 0;
      nova__shown_free(&k);
    }
  cr_assert_geq(good, 2);
  cr_assert_gt(failed, 20);
  sample_free(&s);
}

/* --- handshakes ---------------------------------------------------------- */

static void handshake(const char *json, const char *en, const char *zh) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, 4096);
  for (int lang = 0; lang < 2; lang++) {
    nova_buf_clear(&b);
    cr_assert_eq(
        nova__handshake_put(nova_view_of(json), (enum nova_lang)lang, &b), 0);
    const char *got = nova_buf_cstr(&b), *want = lang == 0 ? en : zh;
    cr_expect_str_eq(got, want, "wants %s\n gives %s", want, got);
  }
  nova_buf_free(&b);
}

Test(handshake, is_told_in_words) {
  handshake("{\"result\":\"secured\",\"version\":\"1.3\",\"cipher\":\"TLS_A\","
            "\"certificate\":\"verified\"}",
            "TLS 1.3, TLS_A, the certificate of the other end verified",
            "TLS 1.3, TLS_A, 对端证书验证通过");
  handshake("{\"result\":\"secured\",\"version\":\"1.2\",\"certificate\":"
            "\"none\",\"offers\":\"ssl3\"}",
            "TLS 1.2, no certificate of the other end, the other end offers up "
            "to SSL 3",
            "TLS 1.2, 对端没有证书, 对端最高支持 SSL 3");
  handshake("{\"result\":\"failed\",\"by\":\"peer\",\"alert\":48,\"why\":"
            "\"unknown CA\"}",
            "the other end refused, unknown CA, alert 48 came",
            "对端拒绝, unknown CA, 收到警报 48");
  handshake("{\"result\":\"failed\",\"by\":\"us\",\"sent\":70,\"why\":"
            "\"no \\u001b[31m\",\"offers\":\"1.1\"}",
            "this end refused, no \\x1b[31m, alert 70 was sent, the other end "
            "offers up to TLS 1.1",
            "本端拒绝, no \\x1b[31m, 已发送警报 70, 对端最高支持 TLS 1.1");
  handshake("{\"result\":\"failed\",\"by\":\"end\"}", "the connection ended",
            "连接中断");
  /* What is no such object is shown as it is, by others. */
  handshake("", "", "");
  handshake("[]", "", "");
  handshake("{\"version\":", "", "");
  handshake("{\"version\":3,\"by\":\"nobody\",\"alert\":\"x\"}", "", "");
}
