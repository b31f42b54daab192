/* The rules: every line of the subject is framed, decoded and judged, whatever
 * the conversation is about, and then waits in the inbox for a step. */
#include "conversation/play.h"

#include "codec/timestamp.h"

#include <stdio.h>

/* Failures of one rule that a conversation records in full. */
#define TOLD 3

void nova__take(struct nova__conn *c, struct nova__item *item) {
  struct nova__item **link = &c->inbox;
  while (*link != NULL && *link != item)
    link = &(*link)->next;
  if (*link == NULL)
    return;
  *link = item->next;
  if (item->next == NULL)
    c->tail = link;
  c->items--;
  c->item_bytes -= item->n;
  nova_mem_free(item->mem, item);
}

void nova__drop_inbox(struct nova__conn *c) {
  while (c->inbox != NULL)
    nova__take(c, c->inbox);
}

void nova__drop_answers(struct nova__conn *c) {
  struct nova__item *next;
  for (struct nova__item *i = c->inbox; i != NULL; i = next) {
    next = i->next;
    if (i->bad || i->kind == NOVA_MSG_PONG || i->kind == NOVA_MSG_AUTH_RESULT ||
        i->packet == NOVA_MQTT_PINGRESP || i->packet == NOVA_MQTT_CONNACK)
      nova__take(c, i);
  }
}

/* --- findings
 * -----------------------------------------------------------------
 */

static size_t place(const struct nova_player *p, const struct nova_rule *rule) {
  size_t i = 0;
  for (const struct nova_rule *r = p->o.rules; r != rule; r = r->next)
    i++;
  return i;
}

void nova__found(struct nova_player *p, const struct nova_rule *rule,
                 size_t entry, const char *expected, const char *observed) {
  struct nova__rule_count *count = &p->rule[place(p, rule)];
  if (count->failed++ >= TOLD)
    return;
  struct nova_check *c =
      nova__check(p, rule->verifies,
                  rule->or_not_applicable ? NOVA_VERDICT_NOT_APPLICABLE
                                          : NOVA_VERDICT_FAIL);
  if (c == NULL)
    return;
  c->rule = rule->id;
  c->line = rule->line;
  c->entry = entry;
  c->expected = nova_arena_printf(&p->arena, "%s", expected);
  c->observed = nova_arena_printf(&p->arena, "%s", observed);
  c->reason =
      nova_arena_printf(&p->arena, "%s; expected: %s", observed, expected);
}

/* Rules of this kind on the subject that can be judged with this profile. */
bool nova__counts(const struct nova_player *p, const struct nova_rule *r,
                  enum nova_rule_every every) {
  return r->every == every && r->of == p->subject &&
         (r->needs & ~p->o.hooks) == 0;
}

void nova__judged(struct nova_player *p, const struct nova_rule *r) {
  p->rule[place(p, r)].judged++;
}

void nova__rules_end(struct nova_player *p) {
  for (size_t c = 0; c < NOVA_PLAY_CONNS; c++)
    nova__connection_over(p, &p->conn[c]);
  size_t i = 0;
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next, i++) {
    if (p->rule[i].judged == 0 || p->rule[i].failed != 0)
      continue;
    struct nova_check *c = nova__check(p, r->verifies, NOVA_VERDICT_PASS);
    if (c == NULL)
      return;
    c->rule = r->id;
    c->line = r->line;
  }
}

/* --- lines
 * --------------------------------------------------------------------
 */

static void judge_line(struct nova_player *p, int code, size_t offset,
                       struct nova_view frame, size_t entry) {
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_LINE) || r->longest != 0)
      continue;
    nova__judged(p, r);
    if (code == 0)
      continue;
    char observed[512];
    snprintf(observed, sizeof observed, "%s at byte %zu of the line %.*s%s",
             nova_error_text(code), offset,
             (int)(frame.n > 160 ? 160 : frame.n), frame.n != 0 ? frame.p : "",
             frame.n > 160 ? "..." : "");
    nova__found(p, r, entry, "each line is one JSON object (RFC 8259) in UTF-8",
                observed);
  }
}

/* The length of a line, its line feed not counted. */
static void judge_length(struct nova_player *p, uint64_t n, size_t entry) {
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_LINE) || r->longest == 0)
      continue;
    nova__judged(p, r);
    if (n <= r->longest)
      continue;
    char expected[96], observed[96];
    snprintf(expected, sizeof expected,
             "at most %zu bytes before the line feed", r->longest);
    snprintf(observed, sizeof observed, "a line of %llu bytes",
             (unsigned long long)n);
    nova__found(p, r, entry, expected, observed);
  }
}

/* --- connections and answers
 * ---------------------------------------------------- */

/* The first JSON object of a connection came. */
static void judge_first(struct nova_player *p, struct nova__conn *c,
                        const struct nova__item *item) {
  if (c->met)
    return;
  c->met = true;
  const struct nova_msg_info *info = nova_msg_info(item->kind);
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_CONNECTION))
      continue;
    bool fits = info != NULL && strcmp(info->name, r->type) == 0;
    char expected[160], observed[320], span[32];
    if (r->within != NULL) {
      if (!fits)
        continue; /* judged by what came instead */
      nova_ts within = nova_span_value(r->within, &p->o.profile->timers);
      nova_ts took = item->t - c->accepted;
      nova__judged(p, r);
      if (took <= within)
        continue;
      snprintf(expected, sizeof expected, "%s within %s of connecting", r->type,
               nova_duration_print(within, span));
      snprintf(observed, sizeof observed, "%s came after %s", r->type,
               nova_duration_print(took / NOVA_MS * NOVA_MS, span));
      nova__found(p, r, item->entry, expected, observed);
      continue;
    }
    if ((r->which == NOVA_WHICH_AGAIN) != c->again)
      continue;
    nova__judged(p, r);
    if (fits)
      continue;
    snprintf(expected, sizeof expected, "%s is the first message of %s",
             r->type, c->again ? "every new connection" : "the connection");
    snprintf(observed, sizeof observed, "it was %.*s%s",
             (int)(item->n > 200 ? 200 : item->n), item->text,
             item->n > 200 ? "..." : "");
    nova__found(p, r, item->entry, expected, observed);
  }
}

/* The first message never came, though there was time enough. */
static void judge_missing(struct nova_player *p, const struct nova__conn *c) {
  nova_ts until = c->lost != NOVA_TS_NONE ? c->lost : p->now;
  nova_ts took = until - c->accepted;
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_CONNECTION) || r->within == NULL ||
        took <= nova_span_value(r->within, &p->o.profile->timers))
      continue;
    /* That a later connection stays without one is another's matter. */
    const struct nova_rule *to = r;
    for (const struct nova_rule *o = p->o.rules; c->again && o != NULL;
         o = o->next)
      if (nova__counts(p, o, NOVA_RULE_CONNECTION) &&
          o->which == NOVA_WHICH_AGAIN && strcmp(o->type, r->type) == 0)
        to = o;
    nova__judged(p, to);
    char expected[160], observed[160], span[32];
    snprintf(expected, sizeof expected, "%s within %s of connecting", r->type,
             nova_duration_print(
                 nova_span_value(r->within, &p->o.profile->timers), span));
    snprintf(observed, sizeof observed, "%s came for %s",
             nova_line_pending(&c->line) != 0 ? "no whole message" : "nothing",
             nova_duration_print(took / NOVA_MS * NOVA_MS, span));
    nova__found(p, to, p->transcript.n != 0 ? p->transcript.n - 1 : 0, expected,
                observed);
  }
}

void nova__connection_over(struct nova_player *p, struct nova__conn *c) {
  if (c->mqtt && c->link == NOVA__LINK_OPEN)
    nova__judge_keep_alive(p, c, c->lost != NOVA_TS_NONE ? c->lost : p->now,
                           p->transcript.n != 0 ? p->transcript.n - 1 : 0);
  if (c->mqtt)
    c->packet_at = NOVA_TS_NONE;
  if (c->mqtt || c->number == 0 || c->link == NOVA__LINK_NONE ||
      c->link == NOVA__LINK_CLOSED || p->o.harness != NOVA_ROLE_SERVER)
    return;
  const struct nova_timers *t = &p->o.profile->timers;
  nova_ts most =
      nova_ts_add(t->span[NOVA_TIMER_auth_timeout],
                  nova_timers_tolerance(t, t->span[NOVA_TIMER_auth_timeout]));
  if (c->framing && nova_line_pending(&c->line) != 0) {
    /* Cut off by the harness, it proves nothing unless it had waited long for
     * the rest; what comes byte by byte may only be too late. */
    if (c->lost == NOVA_TS_NONE && p->now - c->heard > most)
      nova__judge_unfinished(p, c,
                             p->transcript.n != 0 ? p->transcript.n - 1 : 0);
    else if (c->lost == NOVA_TS_NONE && !c->met)
      judge_missing(p, c);
  } else if (!c->met) {
    judge_missing(p, c);
  }
  c->met = true;
}

/* Which command a command_response answers, whatever id it gives. */
static void judge_answer(struct nova_player *p, struct nova__item *item,
                         const struct nova_msg *msg) {
  struct nova_json_value id =
      nova_json_get(msg->whole, nova_view_of("command_id"));
  struct nova__order *oldest = NULL, *named = NULL;
  for (size_t i = 0; i < p->orders; i++) {
    struct nova__order *o = &p->order[i];
    struct nova_json_value own = {NOVA_JSON_STRING, nova_view_of(o->json)};
    if (named == NULL && id.type == NOVA_JSON_STRING &&
        nova_json_equal(own, id))
      named = o;
    if (oldest == NULL && !o->answered)
      oldest = o;
  }
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    /* Without a command in this conversation it may answer one of before; an id
     * that is no string is judged with the message. */
    if (!nova__counts(p, r, NOVA_RULE_ANSWER) || p->orders == 0 ||
        id.type != NOVA_JSON_STRING)
      continue;
    nova__judged(p, r);
    if (named != NULL)
      continue;
    char observed[320];
    snprintf(observed, sizeof observed, "command_id was %.*s%s",
             (int)(id.text.n > 200 ? 200 : id.text.n), id.text.p,
             id.text.n > 200 ? "..." : "");
    nova__found(p, r, item->entry, "the command_id of a command that was sent",
                observed);
  }
  struct nova__order *o = named != NULL ? named : oldest;
  if (o != NULL) {
    o->answered = true;
    item->answers = o->json;
  }
}

/* What a timestamp looks like, for the finding's wording. */
const char *nova__unit_hint(struct nova_json_value v) {
  int64_t t = 0;
  if (!nova_json_int64(v, &t))
    return "";
  switch (nova_time_unit(t)) {
  case NOVA_TIME_MILLISECONDS: return " (these are milliseconds)";
  case NOVA_TIME_MICROSECONDS: return " (these are microseconds)";
  case NOVA_TIME_NANOSECONDS: return " (these are nanoseconds)";
  case NOVA_TIME_SECONDS:
  case NOVA_TIME_ODD: break;
  }
  return "";
}

static void judge_message(struct nova_player *p, struct nova__item *item,
                          const struct nova_msg *msg) {
  const struct nova_msg_info *info = nova_msg_info(item->kind);
  if (info == NULL)
    return;
  struct nova_scope scope = nova__scope(p);
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_MESSAGE) || r->mqtt ||
        strcmp(r->type, info->name) != 0)
      continue;
    nova__judged(p, r);
    for (const struct nova_pattern *c = r->message->child; c != NULL;
         c = c->next) {
      struct nova_json_value v =
          nova_json_get(msg->whole, nova_view_of(c->member));
      struct nova_mismatch m = {0};
      snprintf(m.path, sizeof m.path, "%s", c->member);
      if (nova_pattern_match(c, v, &scope, &m))
        continue;
      for (size_t f = 0; f < info->fields; f++)
        if (strcmp(info->field[f].name, c->member) == 0)
          item->flawed |= 1u << f;
      if (strcmp(c->member, "type") == 0)
        item->flawed |= 1u << 31;
      char expected[512], observed[512];
      snprintf(expected, sizeof expected, "in %s, %s is %s", info->name, m.path,
               m.expected);
      snprintf(observed, sizeof observed, "%s was %s%s", m.path, m.observed,
               nova__unit_hint(v));
      nova__found(p, r, item->entry, expected, observed);
    }
  }
}

void nova__keep(struct nova_player *p, struct nova__conn *c,
                struct nova__item *item) {
  p->items++;
  *c->tail = item;
  c->tail = &item->next;
  c->items++;
  c->item_bytes += item->n;
  while (c->items > NOVA_PLAY_INBOX_ITEMS ||
         (c->item_bytes > NOVA_PLAY_INBOX_BYTES && c->items > 1))
    nova__take(c, c->inbox);
}

static void take_line(struct nova_player *p, struct nova__conn *c,
                      struct nova_view frame, nova_ts t, size_t entry) {
  struct nova__item *item =
      nova_mem_alloc(p->o.mem, sizeof *item + frame.n + 1);
  if (item == NULL) {
    p->no_memory = true;
    return;
  }
  *item = (struct nova__item){
      .mem = p->o.mem, .t = t, .entry = entry, .n = frame.n};
  if (frame.n != 0)
    memcpy(item->text, frame.p, frame.n);
  item->text[frame.n] = '\0';
  judge_length(p, frame.n, entry);
  struct nova_msg msg;
  int err = nova_msg_decode(p->json, item->text, item->n, &msg);
  /* White space around the object is no defect, a CR before the line feed an
   * observation. */
  bool object = msg.whole.type == NOVA_JSON_OBJECT;
  if (err == NOVA_ERR_JSON_DUPLICATE_KEY) {
    /* RFC 8259 only says that names SHOULD be unique: nobody is blamed, but
     * what the line says is not known either. */
    item->bad = true;
    judge_line(p, 0, 0, frame, entry);
    static const char note[] = "a line with a duplicate key: which of the two "
                               "counts is open, so it proves nothing";
    nova__note(p, NOVA_ENTRY_NOTE, 0, note, sizeof note - 1);
  } else if (!object) {
    item->bad = true;
    item->empty = err == NOVA_ERR_LINE_EMPTY;
    judge_line(p, err != 0 ? err : NOVA_ERR_MSG_NOT_OBJECT,
               msg.defects != 0 ? msg.defect[0].offset : 0, frame, entry);
  } else {
    judge_line(p, 0, 0, frame, entry);
    enum nova_sender sender = p->subject == NOVA_ROLE_SERVER
                                  ? NOVA_SENDER_SERVER
                                  : NOVA_SENDER_DEVICE;
    /* One with a type of its own is no known message, however much its members
     * look like one's: the guide does not forbid others. */
    item->kind = msg.kind != NOVA_MSG_UNKNOWN ? msg.kind
                 : msg.type.type == NOVA_JSON_STRING
                     ? nova_msg_infer_name(&msg, sender)
                     : nova_msg_infer(&msg, sender);
    /* Only an auth tells a key, whatever it calls itself. */
    if (item->kind == NOVA_MSG_UNKNOWN && sender == NOVA_SENDER_DEVICE &&
        nova_json_get(msg.whole, nova_view_of("device_key")).type !=
            NOVA_JSON_NONE)
      item->kind = NOVA_MSG_AUTH;
    if (msg.kind == NOVA_MSG_UNKNOWN && item->kind == NOVA_MSG_UNKNOWN)
      item->like = nova_msg_infer(&msg, sender);
    struct nova_json_value id =
        nova_json_get(msg.whole, nova_view_of("device_id"));
    if (item->kind == NOVA_MSG_AUTH && id.type == NOVA_JSON_STRING)
      c->auth_id = nova_arena_copy(&p->arena, id.text.p, id.text.n);
    p->judging = c;
    judge_first(p, c, item);
    judge_message(p, item, &msg);
    if (p->subject == NOVA_ROLE_DEVICE &&
        item->kind == NOVA_MSG_COMMAND_RESPONSE)
      judge_answer(p, item, &msg);
    if (p->subject == NOVA_ROLE_SERVER && item->kind == NOVA_MSG_AUTH_RESULT &&
        nova_json_string_is(nova_json_get(msg.whole, nova_view_of("result")),
                            nova_view_of("success")))
      c->authenticated = true;
  }
  /* What is no JSON object says nothing of which message came first. */
  if (item->bad && !item->empty)
    c->met = true;
  nova__serve_line(p, c, item);
  nova__keep(p, c, item);
}

void nova__received(struct nova_player *p, struct nova__conn *c,
                    const struct nova_event *e, size_t entry) {
  if (c->mqtt) {
    nova__play_mqtt_received(p, c, e, entry);
    return;
  }
  if (!c->framing)
    return;
  size_t at = 0;
  c->heard = e->t;
  while (at < e->bytes.n && !p->no_memory && c->framing) {
    size_t used = 0;
    struct nova_line_out out;
    nova_ts since = c->partial;
    int got =
        nova_line_feed(&c->line, e->bytes.p + at, e->bytes.n - at, &used, &out);
    at += used;
    if (got < 0) {
      p->no_memory = true;
      return;
    }
    c->partial = NOVA_TS_NONE;
    if (got == NOVA_LINE_FRAME) {
      take_line(p, c, out.frame, e->t, entry);
    } else if (got == NOVA_LINE_OVERSIZED) {
      char text[128];
      snprintf(text, sizeof text,
               "a line of %llu bytes came, longer than the 128 KB of the guide",
               (unsigned long long)out.length);
      nova__note(p, NOVA_ENTRY_NOTE, c->number, text, strlen(text));
      if (!c->overlong)
        judge_length(p, out.length, entry);
      c->overlong = false;
      c->met = true;
    } else {
      c->partial = since;
      break;
    }
  }
  uint64_t pending = c->framing ? nova_line_pending(&c->line) : 0;
  if (pending == 0)
    c->partial = NOVA_TS_NONE;
  else if (c->partial == NOVA_TS_NONE)
    c->partial = e->t;
  /* One that never ends is too long as well. */
  if (pending > NOVA_LINE_LIMIT && !c->overlong) {
    c->overlong = true;
    judge_length(p, pending, entry);
  }
}

static void judge_rest(struct nova_player *p, const struct nova__conn *c,
                       size_t entry, const char *observed) {
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next) {
    if (!nova__counts(p, r, NOVA_RULE_STREAM))
      continue;
    nova__judged(p, r);
    if (observed == NULL)
      continue;
    struct nova_view held = nova_line_held(&c->line);
    char text[512];
    snprintf(text, sizeof text, "%s: %llu bytes without a line feed: %.*s%s",
             observed, (unsigned long long)nova_line_pending(&c->line),
             (int)(held.n > 160 ? 160 : held.n), held.n != 0 ? held.p : "",
             held.n > 160 ? "..." : "");
    nova__found(p, r, entry, "every message ends with a line feed", text);
  }
}

void nova__stream_ended(struct nova_player *p, struct nova__conn *c,
                        size_t entry) {
  if (c->framing)
    judge_rest(p, c, entry,
               nova_line_pending(&c->line) != 0 ? "the connection was closed"
                                                : NULL);
}

bool nova__unfinished(const struct nova_player *p, const struct nova__conn *c) {
  return c->framing && nova_line_pending(&c->line) != 0 &&
         (c->overlong || p->now - c->heard >= NOVA_PLAY_GRACE);
}

void nova__judge_unfinished(struct nova_player *p, struct nova__conn *c,
                            size_t entry) {
  judge_rest(p, c, entry, "a line stayed unfinished");
}
