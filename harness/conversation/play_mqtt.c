/* MQTT in the player: packets instead of lines. What the subject sends is
 * decoded, judged by the rules and kept as an item, a JSON object
 * (codec/mqtt_json.h); what a script says is made a packet. A harness that is
 * the device speaks through a client of its own (peer/mqtt_client.h), one that
 * is the server through a broker (peer/broker.h): these answer by themselves
 * whatever the script does not want to. */
#include "conversation/play.h"

#include "base/error.h"
#include "codec/mqtt_json.h"
#include "conversation/wanted.h"

#include <stdio.h>

/* Packets up to the guide's 128 KB and a topic, with room to see longer ones.
 */
#define PACKET_MOST ((size_t)300 << 10)
/* An item: a payload of that size as hexadecimal digits, and the rest. */
#define ITEM_MOST ((size_t)640 << 10)
/* Answers that wait to be sent on one connection. */
#define DUE_MOST ((size_t)4 << 20)

/* --- connections
 * --------------------------------------------------------------
 */

void nova__play_mqtt_drop(struct nova__conn *c) {
  nova_mqtt_client_free(c->client);
  c->client = NULL;
  if (c->streaming)
    nova_mqtt_stream_free(&c->packets);
  c->streaming = false;
  if (c->mqtt)
    nova_buf_free(&c->due);
  c->mqtt = false;
}

void nova__play_mqtt_begin(struct nova_player *p, struct nova__conn *c) {
  nova__play_mqtt_drop(c);
  c->mqtt = true;
  nova_buf_init(&c->due, p->o.mem, DUE_MOST);
  c->packet_at = NOVA_TS_NONE;
  c->keep_alive = 0;
  c->in_session = c->disconnected = false;
  if (p->o.harness == NOVA_ROLE_DEVICE) {
    c->client = nova_mqtt_client_new(
        &(struct nova_mqtt_client_options){.mem = p->o.mem,
                                           .limit = PACKET_MOST,
                                           .withhold = p->o.script->withholds});
    p->no_memory |= c->client == NULL;
    return;
  }
  c->streaming = nova_mqtt_stream_init(&c->packets, p->o.mem, PACKET_MOST) == 0;
  if (nova_broker_accept(p->broker, c->number, p->now) != 0)
    p->no_memory = true;
  nova_broker_withhold(p->broker, c->number, p->o.script->withholds);
}

bool nova__play_mqtt_new(struct nova_player *p) {
  if (p->o.script->over == NOVA_OVER_TCP)
    return true;
  if (p->o.harness == NOVA_ROLE_DEVICE)
    return true;
  p->broker = nova_broker_new(
      &(struct nova_broker_options){.mem = p->o.mem,
                                    .packet_limit = PACKET_MOST,
                                    .connect_timeout = 24 * 3600 * NOVA_SEC,
                                    .no_keep_alive = true});
  return p->broker != NULL;
}

void nova__play_mqtt_free(struct nova_player *p) {
  for (size_t i = 0; i < NOVA_PLAY_CONNS; i++)
    nova__play_mqtt_drop(&p->conn[i]);
  nova_broker_free(p->broker);
  p->broker = NULL;
}

/* --- what it answers by itself
 * ------------------------------------------------ */

/* What the broker wants to be done. */
static void take_outputs(struct nova_player *p) {
  struct nova_broker_out out;
  while (p->broker != NULL && nova_broker_next_output(p->broker, &out)) {
    struct nova__conn *c = nova__conn(p, (unsigned)out.conn);
    if (c == NULL || !c->mqtt || c->link != NOVA__LINK_OPEN)
      continue;
    if (out.kind == NOVA_BROKER_SEND) {
      if (nova_buf_append(&c->due, out.bytes.p, out.bytes.n) != 0)
        p->no_memory = true;
      nova_broker_sent(p->broker, c->number);
    } else {
      c->closing = true;
    }
  }
}

void nova__play_mqtt_answers(struct nova_player *p) {
  if (p->o.script->over == NOVA_OVER_TCP)
    return;
  take_outputs(p);
  for (size_t i = 0; i < NOVA_PLAY_CONNS; i++) {
    struct nova__conn *c = &p->conn[i];
    /* Nothing is written inside a packet that is on its way in pieces. */
    bool busy =
        p->sending.active && p->step != NULL && c == &p->conn[p->step->slot];
    if (!c->mqtt || busy || c->link != NOVA__LINK_OPEN)
      continue;
    if (c->due.len != 0 && !c->half_closed)
      nova__send(p, c, c->due.data + c->due.head, c->due.len, false);
    nova_buf_clear(&c->due);
    if (c->closing)
      nova__served(p, c);
  }
}

void nova__play_mqtt_over(struct nova_player *p, struct nova__conn *c,
                          bool eof) {
  if (p->broker == NULL || !c->mqtt)
    return;
  if (eof)
    nova_broker_eof(p->broker, c->number, p->now);
  else
    nova_broker_reset(p->broker, c->number, p->now);
}

void nova__play_mqtt_ping(struct nova_player *p, struct nova__conn *c) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PINGREQ};
  char bytes[2];
  size_t n = 0;
  if (c->in_session &&
      nova_mqtt_encode(&m, NOVA_MQTT_STRICT, bytes, sizeof bytes, &n) == 0) {
    nova_mqtt_client_wrote(c->client, bytes, n, p->now);
    nova__send(p, c, bytes, n, false);
  }
}

/* --- judging
 * ------------------------------------------------------------------
 */

/* What a packet that is good by itself breaks by coming when it comes, of a
 * device; NULL where it may. |statement|: of the standard, with its section. */
static const char *out_of_order(const struct nova_player *p,
                                const struct nova__conn *c,
                                const struct nova_mqtt *m,
                                const char **statement) {
  if (p->subject != NOVA_ROLE_DEVICE)
    return NULL;
  if (c->disconnected) {
    *statement = "MQTT-3.14.4-2";
    return "came behind DISCONNECT";
  }
  if (!c->met && m->type != NOVA_MQTT_CONNECT) {
    *statement = "MQTT-3.1.0-1";
    return "was the first packet";
  }
  if (c->in_session && m->type == NOVA_MQTT_CONNECT) {
    *statement = "MQTT-3.1.0-2";
    return "was the second on its connection";
  }
  if (m->type == NOVA_MQTT_CONNACK || m->type == NOVA_MQTT_SUBACK ||
      m->type == NOVA_MQTT_UNSUBACK || m->type == NOVA_MQTT_PINGRESP) {
    *statement = "table 2.1";
    return "came from a client";
  }
  return NULL;
}

static void judge_packet(struct nova_player *p, const struct nova__conn *c,
                         const struct nova_mqtt *m,
                         const struct nova_fault_at *at, size_t size,
                         size_t entry) {
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_PACKET))
      continue;
    nova__judged(p, r);
    const char *statement = nova_mqtt_statement(at->code), *odd = NULL;
    if (at->code == 0)
      odd = out_of_order(p, c, m, &statement);
    if (at->code == 0 && odd == NULL)
      continue;
    char expected[160], observed[320];
    snprintf(expected, sizeof expected, "packets as MQTT 3.1.1 has them%s%s%s",
             statement[0] != '\0' ? " [" : "", statement,
             statement[0] != '\0' ? "]" : "");
    if (odd != NULL) {
      snprintf(observed, sizeof observed, "a %s %s",
               nova_mqtt_type_name(m->type), odd);
      nova__found(p, r, entry, expected, observed);
      continue;
    }
    snprintf(observed, sizeof observed,
             "%s at byte %zu of a %s of %zu bytes (section %s)",
             nova_error_text(at->code), at->offset,
             nova_mqtt_type_name(m->type), size, nova_mqtt_section(at->code));
    nova__found(p, r, entry, expected, observed);
  }
}

/* How long a client may say nothing: one and a half times its keep-alive, and
 * what the tolerance allows for the way. */
static nova_ts silence_most(const struct nova_player *p,
                            const struct nova__conn *c) {
  nova_ts most = c->keep_alive * NOVA_SEC * 3 / 2;
  return nova_ts_add(most, nova_timers_tolerance(&p->o.profile->timers, most));
}

/* Up to |t| nothing came since the last packet. */
static void judge_gap(struct nova_player *p, const struct nova__conn *c,
                      nova_ts t, size_t entry) {
  if (c->packet_at == NOVA_TS_NONE || c->keep_alive == 0 ||
      p->subject != NOVA_ROLE_DEVICE)
    return;
  nova_ts gap = t > c->packet_at ? t - c->packet_at : 0;
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_KEEP_ALIVE))
      continue;
    nova__judged(p, r);
    if (gap <= nova_ts_add(silence_most(p, c), p->o.timing_error))
      continue;
    char expected[160], observed[160], span[32];
    snprintf(expected, sizeof expected,
             "no gap over one and a half times the keep-alive of %u s",
             c->keep_alive);
    snprintf(observed, sizeof observed, "nothing came for %s",
             nova_duration_print(gap / NOVA_MS * NOVA_MS, span));
    nova__found(p, r, entry, expected, observed);
  }
}

void nova__judge_keep_alive(struct nova_player *p, struct nova__conn *c,
                            nova_ts t, size_t entry) {
  /* The gap is over when a packet begins, however long that one takes. */
  if (c->streaming && nova_mqtt_stream_pending(&c->packets) != 0)
    t = c->partial;
  judge_gap(p, c, t, entry);
}

/* The members of a packet that a rule can find wrong, for the bits of
 * nova__item.flawed_packet. */
static const char *const members[] = {
    "protocol", "level",    "clean_session",  "keep_alive", "client_id",
    "username", "password", "will",           "topic",      "qos",
    "retain",   "dup",      "packet_id",      "payload",    "filters",
    "codes",    "code",     "session_present"};

static unsigned member_bit(const char *name) {
  for (size_t i = 0; i < sizeof members / sizeof *members; i++)
    if (strcmp(members[i], name) == 0)
      return 1u << i;
  return 0;
}

static unsigned field_bit(enum nova_payload_kind says, const char *name) {
  const struct nova_payload_info *info = nova_payload_info(says);
  for (size_t i = 0; info != NULL && i < info->fields; i++)
    if (strcmp(info->field[i].name, name) == 0)
      return 1u << i;
  return 0;
}

/* |v|: what has the members of the rule's message. */
static void judge_members(struct nova_player *p, const struct nova_rule *r,
                          struct nova__item *item, struct nova_json_value v) {
  struct nova_scope scope = nova__scope(p);
  const char *what =
      r->packet != NOVA_MQTT_NONE ? nova_mqtt_type_name(r->packet) : r->type;
  for (const struct nova_pattern *c = r->message->child; c != NULL;
       c = c->next) {
    struct nova_json_value is = nova_json_get(v, nova_view_of(c->member));
    struct nova_mismatch m = {0};
    snprintf(m.path, sizeof m.path, "%s", c->member);
    if (nova_pattern_match(c, is, &scope, &m))
      continue;
    if (r->packet != NOVA_MQTT_NONE)
      item->flawed_packet |= member_bit(c->member);
    else
      item->flawed |= field_bit(item->says, c->member);
    char expected[400], observed[400];
    snprintf(expected, sizeof expected, "%s of %s: %s", m.path, what,
             m.expected);
    snprintf(observed, sizeof observed, "%s was %s%s", m.path, m.observed,
             nova__unit_hint(is));
    nova__found(p, r, item->entry, expected, observed);
  }
}

/* A CONNECT of another version of MQTT cannot be read, but the rule on its
 * protocol is judged all the same. */
static void judge_protocol(struct nova_player *p, int code, size_t entry) {
  struct nova_scope scope = nova__scope(p);
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_MESSAGE) ||
        r->packet != NOVA_MQTT_CONNECT || r->when != NULL ||
        (nova__member(r->message, "protocol") == NULL &&
         nova__member(r->message, "level") == NULL))
      continue;
    nova__judged(p, r);
    char expected[256], observed[160];
    size_t n = (size_t)snprintf(expected, sizeof expected, "CONNECT with ");
    nova_pattern_print(r->message, &scope, expected + n, sizeof expected - n);
    snprintf(observed, sizeof observed, "%s", nova_error_text(code));
    nova__found(p, r, entry, expected, observed);
  }
}

/* RFC 8259 only says that names SHOULD be unique: of an object with one twice
 * nobody is blamed, but what it says is not known either. */
static bool has_duplicate_key(struct nova_player *p,
                              struct nova_json_value packet) {
  struct nova_json_value text =
      nova_json_get(packet, nova_view_of("payload_text"));
  if (text.type != NOVA_JSON_STRING)
    return false;
  size_t n = nova_json_string(text, NULL, 0);
  char *payload = nova_mem_alloc(p->o.mem, n + 1);
  if (payload == NULL) {
    p->no_memory = true;
    return false;
  }
  struct nova_json_value v;
  nova_json_string(text, payload, n);
  bool twice = nova_json_check(p->json, payload, n, &v, NULL) ==
               NOVA_ERR_JSON_DUPLICATE_KEY;
  nova_mem_free(p->o.mem, payload);
  return twice;
}

static void judge_message(struct nova_player *p, struct nova__item *item) {
  struct nova_json_value v = nova__packet_value(item);
  struct nova_scope scope = nova__scope(p);
  struct nova_json_value payload = nova_json_get(v, nova_view_of("payload"));
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    bool about = r->packet != NOVA_MQTT_NONE ? r->packet == item->packet
                                             : r->says == item->says;
    if (!nova__counts(p, r, NOVA_RULE_MESSAGE) || !r->mqtt || !about ||
        (r->packet == NOVA_MQTT_NONE && item->says == NOVA_PAYLOAD_UNKNOWN) ||
        (r->when != NULL && !nova_pattern_match(r->when, v, &scope, NULL)))
      continue;
    if (r->packet == NOVA_MQTT_NONE && has_duplicate_key(p, v))
      continue;
    nova__judged(p, r);
    if (r->packet != NOVA_MQTT_NONE) {
      judge_members(p, r, item, v);
    } else if (payload.type == NOVA_JSON_OBJECT) {
      judge_members(p, r, item, payload);
    } else {
      item->flawed = ~0u;
      char observed[320];
      snprintf(observed, sizeof observed, "the payload was %.*s%s",
               (int)(item->n > 240 ? 240 : item->n), item->text,
               item->n > 240 ? "..." : "");
      nova__found(p, r, item->entry, "a payload that is one JSON object",
                  observed);
    }
  }
}

/* --- packets of the subject
 * ------------------------------------------------------
 */

static struct nova__item *make_item(struct nova_player *p,
                                    const struct nova_mqtt *m,
                                    const struct nova_fault_at *at) {
  struct nova_buf text;
  nova_buf_init(&text, p->o.mem, ITEM_MOST);
  int err = 0;
  bool huge = false;
  if (at->code == 0) {
    err = nova_mqtt_to_json(m, p->payloads, &text);
    /* Escapes have made it longer than can be looked at: what it is stays. */
    huge = err == NOVA_ERR_LIMIT;
    if (huge)
      err = nova_buf_printf(&text, "{\"packet\":\"%s\",\"cut\":true}",
                            nova_mqtt_type_name(m->type));
  } else
    err = nova_buf_printf(&text, "{\"malformed\":\"%s, %s\"}",
                          nova_mqtt_type_name(m->type),
                          nova_error_text(at->code));
  struct nova__item *item =
      err == 0 ? nova_mem_alloc(p->o.mem, sizeof *item + text.len + 1) : NULL;
  if (item == NULL) {
    p->no_memory = true;
  } else {
    *item = (struct nova__item){.mem = p->o.mem,
                                .packet = m->type,
                                .bad = at->code != 0,
                                .huge = huge,
                                .n = text.len};
    memcpy(item->text, text.data + text.head, text.len);
    item->text[text.len] = '\0';
  }
  nova_buf_free(&text);
  return item;
}

/* What a PUBLISH says, by its topic and payload. */
static enum nova_payload_kind says(struct nova_player *p,
                                   const struct nova_mqtt *m) {
  if (m->type != NOVA_MQTT_PUBLISH)
    return NOVA_PAYLOAD_UNKNOWN;
  enum nova_channel channel = nova_topic_read(m->u.publish.topic, NULL);
  return nova_payload_kind_of(p->json, channel, m->u.publish.payload);
}

/* A CONNECT of a device under test. */
static void met_client(struct nova_player *p, struct nova__conn *c,
                       const struct nova__item *item,
                       const struct nova_mqtt *m) {
  c->keep_alive = m->u.connect.keep_alive;
  c->in_session = true;
  struct nova_json_value v = nova__packet_value(item);
  struct nova_json_value name = nova_json_get(v, nova_view_of("username"));
  if (name.type == NOVA_JSON_STRING)
    c->auth_id = nova_arena_copy(&p->arena, name.text.p, name.text.n);
}

static void take_packet(struct nova_player *p, struct nova__conn *c,
                        const struct nova_mqtt *m,
                        const struct nova_fault_at *at, size_t size,
                        nova_ts began, nova_ts t, size_t entry) {
  p->judging = c;
  judge_packet(p, c, m, at, size, entry);
  c->disconnected |= m->type == NOVA_MQTT_DISCONNECT;
  if (at->code == NOVA_ERR_MQTT_PROTOCOL_NAME ||
      at->code == NOVA_ERR_MQTT_PROTOCOL_31 ||
      at->code == NOVA_ERR_MQTT_PROTOCOL_LEVEL)
    judge_protocol(p, at->code, entry);
  struct nova__item *item = make_item(p, m, at);
  if (item == NULL)
    return;
  item->t = t;
  item->entry = entry;
  judge_gap(p, c, began, entry);
  c->packet_at = t;
  if (!item->bad) {
    item->says = says(p, m);
    if (m->type == NOVA_MQTT_CONNECT)
      met_client(p, c, item, m);
    if (m->type == NOVA_MQTT_CONNACK && m->u.connack.code == 0)
      c->in_session = true;
    if (!item->huge)
      judge_message(p, item);
  }
  c->met = true;
  nova__serve_line(p, c, item);
  nova__keep(p, c, item);
}

/* A harness that is the server: packets are looked at here, and answered by the
 * broker, which gets the same bytes. */
static void received_by_broker(struct nova_player *p, struct nova__conn *c,
                               const struct nova_event *e, size_t entry) {
  size_t at = 0;
  while (at < e->bytes.n && !p->no_memory && c->streaming) {
    size_t used = 0;
    struct nova_mqtt_out out;
    if (nova_mqtt_stream_pending(&c->packets) == 0)
      c->partial = e->t;
    int got = nova_mqtt_stream_feed(&c->packets, e->bytes.p + at,
                                    e->bytes.n - at, &used, &out);
    at += used;
    struct nova_mqtt m = {.type = NOVA_MQTT_NONE};
    struct nova_fault_at wrong = {0, 0};
    if (got == NOVA_ERR_NO_MEMORY) {
      p->no_memory = true;
    } else if (got == NOVA_MQTT_PACKET) {
      nova_mqtt_decode(out.packet.p, out.packet.n, &m, &wrong);
      take_packet(p, c, &m, &wrong, out.packet.n, c->partial, e->t, entry);
    } else if (got < 0) {
      wrong = (struct nova_fault_at){got, 0};
      take_packet(p, c, &m, &wrong, 0, c->partial, e->t, entry);
      break;
    } else if (got == NOVA_MQTT_OVERSIZED) {
      char text[128];
      snprintf(text, sizeof text,
               "a packet of %llu bytes began, longer than is looked at",
               (unsigned long long)out.length);
      nova__note(p, NOVA_ENTRY_NOTE, c->number, text, strlen(text));
      judge_gap(p, c, c->partial, entry);
      c->packet_at = c->packet_at != NOVA_TS_NONE ? e->t : NOVA_TS_NONE;
    }
  }
  /* Who is being sent away is not let in before. */
  if (!c->closing)
    nova_broker_feed(p->broker, c->number, e->bytes.p, e->bytes.n, p->now);
}

static void received_by_client(struct nova_player *p, struct nova__conn *c,
                               const struct nova_event *e, size_t entry) {
  size_t at = 0;
  while (at < e->bytes.n && !p->no_memory && c->client != NULL) {
    size_t used = 0;
    struct nova_mqtt_news news;
    int got = nova_mqtt_client_feed(c->client, e->bytes.p + at, e->bytes.n - at,
                                    e->t, &used, &news);
    at += used;
    if (got < 0) {
      p->no_memory = true;
    } else if (got == 1 && news.kind == NOVA_MQTT_NEWS_OVERSIZED) {
      static const char text[] = "a packet came that is longer than is looked "
                                 "at";
      nova__note(p, NOVA_ENTRY_NOTE, c->number, text, sizeof text - 1);
    } else if (got == 1) {
      struct nova_fault_at none = {0, 0};
      take_packet(p, c, &news.packet,
                  news.kind == NOVA_MQTT_NEWS_MALFORMED ? &news.at : &none,
                  news.bytes.n, e->t, e->t, entry);
    } else if (used == 0) {
      break; /* nothing can be read any more */
    }
    struct nova_view answer;
    while (c->client != NULL &&
           nova_mqtt_client_next_output(c->client, &answer))
      if (nova_buf_append(&c->due, answer.p, answer.n) != 0)
        p->no_memory = true;
  }
}

void nova__play_mqtt_received(struct nova_player *p, struct nova__conn *c,
                              const struct nova_event *e, size_t entry) {
  c->heard = e->t;
  if (c->client != NULL)
    received_by_client(p, c, e, entry);
  else
    received_by_broker(p, c, e, entry);
}

/* --- packets of the script
 * -----------------------------------------------------
 */

static uint64_t number_at(struct nova_json_value v, const char *name) {
  int64_t n = 0;
  struct nova_json_value m = nova_json_get(v, nova_view_of(name));
  return m.type == NOVA_JSON_NUMBER && nova_json_int64(m, &n) && n > 0
             ? (uint64_t)n
             : 0;
}

/* A message of the platform goes to the device as it has subscribed to it.
 * Returns 0, or an error with |why|. */
static int compose_delivery(struct nova_player *p, struct nova__conn *c,
                            const struct nova_mqtt *m, struct nova_buf *out,
                            const char **why) {
  uint8_t qos = 0;
  uint16_t id = 0;
  struct nova_broker_message message = {.topic = m->u.publish.topic,
                                        .payload = m->u.publish.payload,
                                        .qos = m->u.publish.qos,
                                        .retain = m->u.publish.retain};
  int err = nova_broker_compose(p->broker, c->number, &message, out, &qos, &id,
                                p->now);
  if (err == NOVA_ERR_STATE)
    *why = "the device has not subscribed to the topic";
  else if (err == NOVA_ERR_LIMIT)
    *why = "too many messages wait for the device's acknowledgement";
  return err;
}

int nova__play_mqtt_compose(struct nova_player *p, const struct nova_step *s,
                            struct nova_view json, size_t target,
                            struct nova_buf *out, const char **kept,
                            const char **why) {
  struct nova__conn *c = &p->conn[s->slot];
  struct nova_json_value object;
  if (nova_json_check(p->json, json.p, json.n, &object, NULL) != 0) {
    *why = "the packet is too large";
    return NOVA_ERR_ARGUMENT;
  }
  struct nova_json_value name = nova_json_get(object, nova_view_of("packet"));
  /* Of what the device has ended the broker knows nothing any more. */
  bool open = c->link == NOVA__LINK_OPEN;
  bool publish = nova_json_string_is(name, nova_view_of("PUBLISH"));
  bool listed = nova_json_string_is(name, nova_view_of("SUBSCRIBE")) ||
                nova_json_string_is(name, nova_view_of("UNSUBSCRIBE"));
  bool own_id =
      nova_json_get(object, nova_view_of("packet_id")).type != NOVA_JSON_NONE;
  uint16_t id = 0;
  if (c->client != NULL && !own_id &&
      (listed || (publish && number_at(object, "qos") != 0)))
    id = nova_mqtt_client_take_id(c->client);
  /* The broker gives it another one. */
  if (p->broker != NULL && publish)
    id = 1;
  struct nova_buf packet;
  struct nova_mqtt_json_fault fault = {.member = "", .why = ""};
  nova_buf_init(&packet, p->o.mem, ITEM_MOST);
  int err = nova_mqtt_from_json(object, id, target, &packet, &fault);
  if (err == NOVA_ERR_ARGUMENT)
    *why = nova_arena_printf(&p->arena, "%s%.*s %s", fault.member,
                             (int)fault.name.n,
                             fault.name.n != 0 ? fault.name.p : "", fault.why);
  struct nova_view bytes = nova_buf_view(&packet);
  struct nova_mqtt m = {.type = NOVA_MQTT_NONE};
  bool right = err == 0 && nova_mqtt_decode(bytes.p, bytes.n, &m, NULL) == 0;
  size_t before = out->len;
  if (err == 0 && right && publish && p->broker != NULL && open)
    err = compose_delivery(p, c, &m, out, why);
  else if (err == 0)
    err = nova_buf_append(out, bytes.p, bytes.n);
  if (err == 0) {
    bytes =
        (struct nova_view){out->data + out->head + before, out->len - before};
    if (c->client != NULL)
      nova_mqtt_client_wrote(c->client, bytes.p, bytes.n, p->now);
    right = nova_mqtt_decode(bytes.p, bytes.n, &m, NULL) == 0;
  }
  if (err == 0 && s->as != NULL) {
    struct nova_buf text;
    nova_buf_init(&text, p->o.mem, ITEM_MOST);
    bool told = right && nova_mqtt_to_json(&m, p->payloads, &text) == 0;
    struct nova_view keep = told ? nova_buf_view(&text) : json;
    *kept = nova_arena_copy(&p->arena, keep.p, keep.n);
    nova_buf_free(&text);
  }
  nova_buf_free(&packet);
  return err;
}

/* --- fitting
 * ------------------------------------------------------------------
 */

enum nova__fit nova__play_mqtt_fits(struct nova_player *p,
                                    const struct nova_pattern *message,
                                    const struct nova__item *item,
                                    struct nova_mismatch *m) {
  struct nova_json_value v = nova__packet_value(item);
  struct nova_scope scope = nova__scope(p);
  enum nova__fit result = NOVA__FIT;
  for (const struct nova_pattern *c = message->child; c != NULL; c = c->next) {
    if (strcmp(c->member, "packet") == 0 || strcmp(c->member, "says") == 0)
      continue; /* the kind was compared */
    bool inside = strcmp(c->member, "payload") == 0 &&
                  c->kind == NOVA_PATTERN_OBJECT &&
                  item->says != NOVA_PAYLOAD_UNKNOWN;
    struct nova_json_value from =
        inside ? nova_json_get(v, nova_view_of("payload")) : v;
    for (const struct nova_pattern *k = inside ? c->child : c; k != NULL;
         k = inside ? k->next : NULL) {
      struct nova_mismatch here = {0};
      snprintf(here.path, sizeof here.path, "%s%s", inside ? "payload." : "",
               k->member);
      snprintf(here.field, sizeof here.field, "%s", k->member);
      if (nova_pattern_match(k, nova_json_get(from, nova_view_of(k->member)),
                             &scope, &here))
        continue;
      bool flawed = inside ? (item->flawed & field_bit(item->says, k->member))
                           : (item->flawed_packet & member_bit(k->member));
      /* A payload that is no object was charged as a whole. */
      flawed |= item->flawed == ~0u &&
                (inside || strncmp(k->member, "payload", 7) == 0);
      *m = here;
      if (!flawed)
        return NOVA__MISFIT;
      if (!here.kind)
        result = NOVA__FLAWED;
    }
  }
  return result;
}
