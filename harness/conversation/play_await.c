/* What the subject is waited for, and how it is judged. */
#include "conversation/play.h"

#include "base/unreachable.h"

#include <stdarg.h>
#include <stdio.h>

static void say(char *out, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(char *out, size_t cap, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vsnprintf(out, cap, format, ap);
  va_end(ap);
}

static const char *subject_name(const struct nova_player *p) {
  return nova_role_names[p->subject];
}

struct nova__moment nova__reference(const struct nova_player *p,
                                    const struct nova_step *s) {
  if (s->from != NULL) {
    const struct nova__named *named = nova__find(p, s->from);
    if (named != NULL)
      return named->moment;
  }
  const struct nova__conn *c = &p->conn[s->slot];
  if (s->verb == NOVA_VERB_CONNECT || c->link == NOVA__LINK_NONE)
    return (struct nova__moment){p->begun_at, p->begun_at};
  return c->moment;
}

static nova_ts value(const struct nova_player *p, const struct nova_span *s) {
  return s != NULL ? nova_span_value(s, &p->o.profile->timers) : NOVA_TS_NONE;
}

/* Until when a step may take: what it says, else the answer's timeout. */
static nova_ts bound(const struct nova_player *p, const struct nova_step *s) {
  switch (s->verb) {
  case NOVA_VERB_SILENT:
  case NOVA_VERB_ATTEMPTS:
  case NOVA_VERB_OPEN: return value(p, s->duration);
  case NOVA_VERB_REPEAT: {
    /* A beat may be late by the tolerance of its span. */
    nova_ts every = value(p, s->every);
    return nova_ts_add(every,
                       nova_timers_tolerance(&p->o.profile->timers, every));
  }
  case NOVA_VERB_CONNECT:
    if (s->within != NULL)
      return value(p, s->within);
    return p->bound_once
               ? p->o.profile->timers.span[NOVA_TIMER_reconnect_timeout]
               : p->o.patience;
  case NOVA_VERB_SEND:
  case NOVA_VERB_SECURE:
  case NOVA_VERB_INSECURE:
  case NOVA_VERB_CLOSE:
    return s->within != NULL
               ? value(p, s->within)
               : p->o.profile->timers.span[NOVA_TIMER_response_timeout];
  case NOVA_VERB_HALF_CLOSE:
  case NOVA_VERB_RESET:
  case NOVA_VERB_REFUSE:
  case NOVA_VERB_PRESENT:
  case NOVA_VERB_STOP:
  case NOVA_VERB_HOOK:
  case NOVA_VERB_WAIT:
  case NOVA_VERB_ANY_OF:
  case NOVA_VERB_EACH: break;
  }
  nova_unreachable();
}

/* --- messages
 * -----------------------------------------------------------------
 */

bool nova__of_kind(const struct nova_wanted *wanted,
                   const struct nova__item *item) {
  if (wanted->packet != NOVA_MQTT_NONE)
    return item->packet == wanted->packet &&
           (wanted->says == NOVA_PAYLOAD_UNKNOWN || item->says == wanted->says);
  return wanted->kind == NOVA_MSG_UNKNOWN || item->kind == wanted->kind;
}

/* A message of this kind that is not the one that was expected ends the
 * waiting: it is sent once, as an answer. Others come when they like. */
static bool answers_once(const struct nova_wanted *w) {
  return w->packet == NOVA_MQTT_CONNACK || w->kind == NOVA_MSG_AUTH ||
         w->kind == NOVA_MSG_AUTH_RESULT;
}

static bool must_follow(const struct nova_wanted *w) {
  return w->packet == NOVA_MQTT_CONNACK || w->packet == NOVA_MQTT_PINGRESP ||
         w->kind == NOVA_MSG_AUTH_RESULT || w->kind == NOVA_MSG_PONG;
}

static unsigned field_bit(enum nova_msg_kind kind, const char *name) {
  const struct nova_msg_info *info = nova_msg_info(kind);
  for (size_t i = 0; info != NULL && i < info->fields; i++)
    if (strcmp(info->field[i].name, name) == 0)
      return 1u << i;
  return 0;
}

/* An item against a pattern: FLAWED where it differs only in what a rule has
 * charged already. */
static enum nova__fit fits(struct nova_player *p,
                           const struct nova_pattern *message,
                           const struct nova__item *item,
                           struct nova_mismatch *m) {
  if (item->packet != NOVA_MQTT_NONE)
    return nova__play_mqtt_fits(p, message, item, m);
  struct nova_json_value v;
  if (nova_json_check(p->json, item->text, item->n, &v, NULL) != 0)
    return NOVA__MISFIT;
  struct nova_scope scope = nova__scope(p);
  enum nova_msg_kind kind = nova__wanted(message).kind;
  enum nova__fit result = NOVA__FIT;
  for (const struct nova_pattern *c = message->child; c != NULL; c = c->next) {
    if (strcmp(c->member, "type") == 0 && kind != NOVA_MSG_UNKNOWN)
      continue; /* the kind was compared, a wrong type is a rule's */
    struct nova_mismatch here = {0};
    snprintf(here.path, sizeof here.path, "%s", c->member);
    snprintf(here.field, sizeof here.field, "%s", c->member);
    struct nova_json_value is = nova_json_get(v, nova_view_of(c->member));
    /* What it says of the command that it answers was judged by its rule. */
    if (item->answers != NULL && strcmp(c->member, "command_id") == 0)
      is = (struct nova_json_value){NOVA_JSON_STRING,
                                    nova_view_of(item->answers)};
    if (nova_pattern_match(c, is, &scope, &here))
      continue;
    if ((item->flawed & field_bit(item->kind, c->member)) != 0) {
      if (here.kind)
        continue;
      *m = here;
      result = NOVA__FLAWED;
      continue;
    }
    *m = here;
    return NOVA__MISFIT;
  }
  return result;
}

static void expect_message(struct nova_player *p, const struct nova_step *s,
                           nova_ts within, struct nova__await *out) {
  struct nova_scope scope = nova__scope(p);
  char pattern[256];
  nova_pattern_print(s->messages, &scope, pattern, sizeof pattern);
  say(out->expected, sizeof out->expected, "the %s sends %s within %s",
      subject_name(p), pattern, nova__span_text(p, within));
}

static const char *seconds(nova_ts t, char buf[32]) {
  snprintf(buf, 32, "%llu.%03llu s", (unsigned long long)(t / NOVA_SEC),
           (unsigned long long)(t % NOVA_SEC / NOVA_MS));
  return buf;
}

/* The connection ended while something else was awaited on it. */
static void ended(struct nova_player *p, const struct nova__conn *c,
                  nova_ts since, struct nova__await *out) {
  char span[32];
  out->state = NOVA__FAILED;
  out->lost = true;
  out->entry = c->lost_entry;
  out->t = c->lost;
  say(out->observed, sizeof out->observed, "the %s %s the connection after %s",
      subject_name(p), c->link == NOVA__LINK_RESET ? "reset" : "closed",
      seconds(c->lost > since ? c->lost - since : 0, span));
}

/* Whether a requirement of the subject's is about malformed packets. */
static bool judges_packets(const struct nova_player *p) {
  for (const struct nova_rule *r = p->o.rules; r != NULL; r = r->next)
    if (nova__counts(p, r, NOVA_RULE_PACKET))
      return true;
  return false;
}

/* Whether nothing has changed since the step was looked at, and in vain;
 * |since| is what its bounds count from. */
static bool seen(const struct nova_player *p, const struct nova_step *s,
                 nova_ts since) {
  const struct nova__looked *l = &p->looked[s->number];
  return l->epoch == p->epoch && l->epoch != 0 && l->items == p->items &&
         l->since == since;
}

static void look_away(struct nova_player *p, const struct nova_step *s,
                      nova_ts since) {
  p->looked[s->number] = (struct nova__looked){p->epoch, p->items, since};
}

static void eval_send(struct nova_player *p, const struct nova_step *s,
                      struct nova__await *out) {
  struct nova__conn *c = &p->conn[s->slot];
  struct nova__moment ref = nova__reference(p, s);
  nova_ts within = bound(p, s);
  struct nova_wanted wanted = s->wanted;
  enum nova_msg_kind kind = wanted.kind;
  struct nova_mismatch m = {0};
  const struct nova__item *near_miss = NULL, *bad = NULL;
  bool flawed = false;
  nova_ts due = nova_ts_add(ref.t, within);
  nova_ts end = nova_ts_add(due, NOVA_PLAY_GRACE);
  out->t = p->now < due ? due : end;
  bool open = c->lost == NOVA_TS_NONE && p->now < end &&
              c->link != NOVA__LINK_NONE && c->link != NOVA__LINK_CLOSED;
  if (open && seen(p, s, c->asked))
    return; /* pending, as before */
  for (struct nova__item *i = c->inbox; i != NULL; i = i->next) {
    if (must_follow(&wanted) && i->t < c->asked)
      continue;
    if (i->bad) {
      if (!i->empty && bad == NULL)
        bad = i;
      continue;
    }
    if (!nova__of_kind(&wanted, i))
      continue;
    struct nova_mismatch here = {0};
    enum nova__fit f = fits(p, s->messages, i, &here);
    if (f == NOVA__FIT) {
      out->state = NOVA__DONE;
      out->t = i->t;
      out->item = i;
      out->entry = i->entry;
      return;
    }
    /* The platform hears of other devices too: these are no near misses. */
    if (p->o.script->platform[s->slot] && strcmp(here.path, "topic") == 0)
      continue;
    near_miss = i;
    m = here;
    flawed = f == NOVA__FLAWED;
    if (answers_once(&wanted) || flawed)
      break;
  }
  bool finally = near_miss != NULL && (answers_once(&wanted) || flawed);
  if (!finally && bad == NULL && open) {
    look_away(p, s, c->asked);
    return; /* pending */
  }
  expect_message(p, s, within, out);
  out->state = NOVA__FAILED;
  out->none = near_miss == NULL;
  /* Something that is never sent may have been sent under another name. */
  if (near_miss == NULL && s->awaits.n != 0)
    for (const struct nova__item *i = c->inbox; i != NULL; i = i->next)
      if (i->like == kind && kind != NOVA_MSG_UNKNOWN) {
        out->alike = true;
        out->entry = i->entry;
        say(out->observed, sizeof out->observed,
            "only a message of another type came: %.*s%s",
            (int)(i->n > 160 ? 160 : i->n), i->text, i->n > 160 ? "..." : "");
        return;
      }
  out->entry = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  if (near_miss != NULL) {
    out->entry = near_miss->entry;
    out->fatal = finally;
    say(out->observed, sizeof out->observed, "%s was %s, expected %s",
        m.path[0] != '\0' ? m.path : "the message", m.observed, m.expected);
    if (flawed)
      out->explained = "the message itself is flawed, which is judged by its "
                       "own requirement";
  } else if (bad != NULL) {
    out->fatal = true;
    out->entry = bad->entry;
    if (c->mqtt) {
      say(out->observed, sizeof out->observed, "it sent a malformed packet: %s",
          bad->text);
      if (judges_packets(p))
        out->explained = "which is judged by its own requirement";
    } else {
      say(out->observed, sizeof out->observed,
          "a line that is no JSON object, or has a duplicate key, came "
          "instead");
      out->explained = "which is judged by the framing requirement";
    }
  } else if (c->lost != NOVA_TS_NONE) {
    ended(p, c, ref.t, out);
  } else if (c->link == NOVA__LINK_NONE || c->link == NOVA__LINK_CLOSED) {
    say(out->observed, sizeof out->observed, "there is no connection");
    out->explained = "there is no connection";
  } else {
    say(out->observed, sizeof out->observed,
        "nothing of the kind came within %s", nova__span_text(p, within));
    if (nova__unfinished(p, c)) {
      out->unfinished = true;
      out->explained = "an unfinished line was waiting, which is judged by the "
                       "framing requirement";
    }
  }
}

/* --- closing, silence, staying
 * ------------------------------------------------- */

static void eval_close(struct nova_player *p, const struct nova_step *s,
                       struct nova__await *out) {
  const struct nova__conn *c = &p->conn[s->slot];
  struct nova__moment ref = nova__reference(p, s);
  nova_ts within = bound(p, s);
  if (c->lost != NOVA_TS_NONE) {
    bool how = s->how == NOVA_HOW_ANY ||
               (s->how == NOVA_HOW_FIN) == (c->link == NOVA__LINK_EOF);
    out->state = how ? NOVA__DONE : NOVA__FAILED;
    out->t = c->lost;
    out->entry = c->lost_entry;
    if (!how) {
      say(out->expected, sizeof out->expected, "the %s closes with %s",
          subject_name(p), s->how == NOVA_HOW_FIN ? "FIN" : "RST");
      say(out->observed, sizeof out->observed, "it closed with %s",
          c->link == NOVA__LINK_EOF ? "FIN" : "RST");
    }
    return;
  }
  nova_ts due = nova_ts_add(ref.t, within);
  nova_ts end = nova_ts_add(due, NOVA_PLAY_GRACE);
  out->t = p->now < due ? due : end;
  if (p->now < end && c->link != NOVA__LINK_NONE)
    return;
  out->state = NOVA__FAILED;
  out->entry = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  say(out->expected, sizeof out->expected,
      "the %s closes the connection within %s", subject_name(p),
      nova__span_text(p, within));
  say(out->observed, sizeof out->observed, "it was still open after %s",
      nova__span_text(p, p->now - ref.t));
}

/* Connections that the device opened behind |t|, as far as they are known. */
static size_t attempts_behind(const struct nova_player *p, nova_ts t) {
  size_t kept =
      p->accepted_n < NOVA_PLAY_ACCEPTED ? p->accepted_n : NOVA_PLAY_ACCEPTED;
  size_t n = 0;
  for (size_t i = 0; i < kept; i++)
    n += p->accepted[i] > t;
  return n;
}

/* What breaks a silence on one connection, NULL where nothing does. */
static const struct nova__item *breaks_silence(struct nova_player *p,
                                               const struct nova_step *s,
                                               const struct nova__conn *c,
                                               nova_ts since, nova_ts end) {
  struct nova_scope scope = nova__scope(p);
  struct nova_wanted wanted = s->wanted;
  for (const struct nova__item *i = c->inbox; i != NULL; i = i->next) {
    if (i->t < since || i->t > end)
      continue;
    struct nova_json_value v = nova__packet_value(i);
    bool hit = s->messages == NULL;
    bool named =
        wanted.kind != NOVA_MSG_UNKNOWN || wanted.packet != NOVA_MQTT_NONE;
    if (!hit && !i->bad && (!c->mqtt || nova__of_kind(&wanted, i)) &&
        (c->mqtt || nova_json_check(p->json, i->text, i->n, &v, NULL) == 0))
      hit = nova_pattern_match(s->messages, v, &scope, NULL) ||
            (named && nova__of_kind(&wanted, i) &&
             s->messages->child->next == NULL);
    if (hit)
      return i;
  }
  return NULL;
}

static void eval_silent(struct nova_player *p, const struct nova_step *s,
                        struct nova__await *out) {
  const struct nova__conn *c = &p->conn[s->slot];
  struct nova__moment ref = nova__reference(p, s);
  nova_ts end = nova_ts_add(ref.t, value(p, s->duration));
  struct nova_scope scope = nova__scope(p);
  char span[32];
  const struct nova__item *hit = NULL;
  if (!seen(p, s, ref.since)) {
    if (!s->everywhere)
      hit = breaks_silence(p, s, c, ref.since, end);
    for (size_t i = 0; s->everywhere && i < NOVA_PLAY_CONNS && hit == NULL; i++)
      hit = breaks_silence(p, s, &p->conn[i], ref.since, end);
    if (hit == NULL)
      look_away(p, s, ref.since);
  }
  if (hit != NULL) {
    char pattern[256] = "anything";
    if (s->messages != NULL)
      nova_pattern_print(s->messages, &scope, pattern, sizeof pattern);
    out->state = NOVA__FAILED;
    out->fatal = true;
    out->entry = hit->entry;
    out->measured = hit->t - ref.since;
    say(out->expected, sizeof out->expected, "the %s does not send %s",
        subject_name(p), pattern);
    say(out->observed, sizeof out->observed, "it sent %.*s%s after %s",
        (int)(hit->n > 200 ? 200 : hit->n), hit->text,
        hit->n > 200 ? "..." : "",
        seconds(hit->t > ref.t ? hit->t - ref.t : 0, span));
    return;
  }
  out->entry = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  bool ended_early =
      !s->everywhere && (c->lost != NOVA_TS_NONE || c->link != NOVA__LINK_OPEN);
  if (s->everywhere && s->at_most != 0)
    ended_early = attempts_behind(p, ref.t) > s->at_most;
  if (ended_early || p->now >= end) {
    out->state = NOVA__DONE;
    out->t = !s->everywhere && c->lost != NOVA_TS_NONE ? c->lost : p->now;
    return;
  }
  out->t = end;
}

static void eval_open(struct nova_player *p, const struct nova_step *s,
                      struct nova__await *out) {
  const struct nova__conn *c = &p->conn[s->slot];
  struct nova__moment ref = nova__reference(p, s);
  nova_ts end = nova_ts_add(ref.t, value(p, s->duration));
  out->entry = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  out->t = end;
  if (c->lost != NOVA_TS_NONE && c->lost < end) {
    say(out->expected, sizeof out->expected,
        "the %s keeps the connection open for %s", subject_name(p),
        nova__span_text(p, end - ref.t));
    ended(p, c, ref.since, out);
    out->measured = c->lost - ref.since;
  } else if (p->now >= end) {
    out->state = NOVA__DONE;
  }
}

/* A subject that is the device: its connection. */
static void eval_connect(struct nova_player *p, const struct nova_step *s,
                         struct nova__await *out) {
  nova_ts within = bound(p, s);
  nova_ts due = nova_ts_add(nova__reference(p, s).t, within);
  const struct nova__conn *c = nova__visitor(p);
  if (c != NULL) {
    out->state = NOVA__DONE;
    out->t = c->accepted;
    return;
  }
  nova_ts end = nova_ts_add(due, NOVA_PLAY_GRACE);
  out->t = p->now < due ? due : end;
  /* Where its process is gone nothing is to be waited for. */
  if (p->now < end && !p->exited)
    return;
  out->state = NOVA__FAILED;
  out->none = true;
  out->entry = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  say(out->expected, sizeof out->expected, "the %s connects within %s",
      subject_name(p), nova__span_text(p, within));
  if (p->exited && p->exit_code >= 0)
    say(out->observed, sizeof out->observed,
        "it did not connect: its process had ended with exit status %d",
        p->exit_code);
  else if (p->exited)
    say(out->observed, sizeof out->observed,
        p->exit_code == NOVA_CODE_NOT_STARTED
            ? "it did not connect: its process could not be started"
            : "it did not connect: its process had been ended by a signal");
  else
    say(out->observed, sizeof out->observed, "it did not connect");
}

/* The handshake of a connection. */
static void eval_secure(struct nova_player *p, const struct nova_step *s,
                        struct nova__await *out) {
  const struct nova__conn *c = &p->conn[s->slot];
  struct nova__moment ref = nova__reference(p, s);
  nova_ts within = bound(p, s);
  bool wanted = s->verb == NOVA_VERB_SECURE;
  const char *what =
      wanted ? "completes a TLS handshake" : "completes no TLS handshake";
  struct nova_scope scope = nova__scope(p);
  char pattern[200] = "";
  if (s->messages != NULL)
    nova_pattern_print(s->messages, &scope, pattern, sizeof pattern);
  say(out->expected, sizeof out->expected, "the %s %s%s%s", subject_name(p),
      what, pattern[0] != '\0' ? ": " : "", pattern);
  nova_ts due = nova_ts_add(ref.t, within);
  nova_ts end = nova_ts_add(due, NOVA_PLAY_GRACE);
  out->t = p->now < due ? due : end;
  out->entry = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  if (c->secured != NOVA__PLAIN) {
    struct nova_json_value v;
    struct nova_mismatch m = {0};
    out->t = c->secured_at;
    out->entry = c->handshake_entry;
    bool good = (c->secured == NOVA__SECURED) == wanted;
    if (good && s->messages != NULL && c->handshake != NULL &&
        nova_json_check(p->json, c->handshake, strlen(c->handshake), &v,
                        NULL) == 0)
      good = nova_pattern_match(s->messages, v, &scope, &m);
    /* Not fatal: of two reactions the other one may have come true. */
    out->state = good ? NOVA__DONE : NOVA__FAILED;
    say(out->observed, sizeof out->observed, "%s%s%s: %.300s",
        c->secured == NOVA__SECURED ? "the handshake was completed"
                                    : "the handshake failed",
        m.path[0] != '\0' ? ", with another " : "", m.path,
        c->handshake != NULL ? c->handshake : "");
  } else if (c->lost != NOVA_TS_NONE && wanted) {
    ended(p, c, ref.t, out);
  } else if (c->lost != NOVA_TS_NONE) {
    static const char told[] = "{\"result\":\"failed\",\"by\":\"end\"}";
    struct nova_json_value v;
    bool good =
        s->messages == NULL ||
        (nova_json_check(p->json, told, sizeof told - 1, &v, NULL) == 0 &&
         nova_pattern_match(s->messages, v, &scope, NULL));
    out->state = good ? NOVA__DONE : NOVA__FAILED;
    out->t = c->lost;
    out->entry = c->lost_entry;
    out->explained = "it ended without a word of TLS, which tells nothing";
    say(out->observed, sizeof out->observed, "the %s %s the connection",
        subject_name(p), c->link == NOVA__LINK_RESET ? "reset" : "closed");
  } else if (p->now >= end || c->link == NOVA__LINK_NONE ||
             c->link == NOVA__LINK_CLOSED) {
    out->state = NOVA__FAILED;
    out->none = true;
    say(out->observed, sizeof out->observed, "no handshake was over within %s",
        nova__span_text(p, within));
  }
}

/* How many connections the device opened behind the moment, and up to the end.
 */
static void eval_attempts(struct nova_player *p, const struct nova_step *s,
                          struct nova__await *out) {
  struct nova__moment ref = nova__reference(p, s);
  nova_ts end = nova_ts_add(ref.t, value(p, s->duration));
  size_t kept =
      p->accepted_n < NOVA_PLAY_ACCEPTED ? p->accepted_n : NOVA_PLAY_ACCEPTED;
  size_t n = 0;
  nova_ts last = ref.t;
  for (size_t i = 0; i < kept; i++)
    if (p->accepted[i] > ref.t && p->accepted[i] <= end) {
      n++;
      if (p->accepted[i] > last)
        last = p->accepted[i];
    }
  out->entry = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  out->t = end;
  if (n > s->at_most) {
    char span[32];
    out->state = NOVA__FAILED;
    out->fatal = true;
    out->measured = last - ref.t;
    say(out->expected, sizeof out->expected,
        "the %s opens at most %u connections within %s", subject_name(p),
        s->at_most, nova__span_text(p, end - ref.t));
    say(out->observed, sizeof out->observed, "it opened %zu within %s", n,
        seconds(last - ref.t, span));
  } else if (p->now >= end) {
    out->state = NOVA__DONE;
  }
}

/* --- a beat
 * -------------------------------------------------------------------- */

void nova__hear(struct nova_player *p, const struct nova__conn *c,
                const struct nova__item *item) {
  struct nova__beat *b = &p->beat;
  if (b->step == NULL || c != &p->conn[b->step->slot] || item->bad ||
      item->t < b->last)
    return;
  struct nova_wanted wanted = b->step->wanted;
  if (!nova__of_kind(&wanted, item))
    return;
  if (item->t - b->last > bound(p, b->step) && b->gap == NOVA_TS_NONE)
    b->gap = item->t - b->last;
  b->last = item->t;
  b->entry = item->entry;
}

static void eval_repeat(struct nova_player *p, const struct nova_step *s,
                        struct nova__await *out) {
  const struct nova__conn *c = &p->conn[s->slot];
  struct nova__moment ref = nova__reference(p, s);
  nova_ts end = nova_ts_add(ref.t, value(p, s->duration));
  nova_ts every = bound(p, s);
  struct nova__beat *b = &p->beat;
  if (b->step != s) {
    *b = (struct nova__beat){.step = s, .last = ref.t, .gap = NOVA_TS_NONE};
    for (const struct nova__item *i = c->inbox; i != NULL; i = i->next)
      nova__hear(p, c, i);
  }
  nova_ts until = p->now < end ? p->now : end;
  /* Silence is judged when one that is only late would have been heard: how
   * late it is tells whether that can be the harness's own lateness. */
  nova_ts never =
      nova_ts_add(every, p->o.timing_error > NOVA_PLAY_GRACE ? p->o.timing_error
                                                             : NOVA_PLAY_GRACE);
  nova_ts allowed = p->now < end ? never : every;
  if (b->gap == NOVA_TS_NONE && until > b->last && until - b->last > allowed)
    b->gap = until - b->last;
  out->entry = p->transcript.n != 0 ? p->transcript.n - 1 : 0;
  if (b->gap != NOVA_TS_NONE) {
    struct nova_scope scope = nova__scope(p);
    char pattern[128], span[32];
    nova_pattern_print(s->messages, &scope, pattern, sizeof pattern);
    out->state = NOVA__FAILED;
    out->fatal = out->late = true;
    out->measured = b->gap;
    say(out->expected, sizeof out->expected,
        "the %s sends %s at least every %s", subject_name(p), pattern,
        nova__span_text(p, every));
    say(out->observed, sizeof out->observed, "none came for %s%s",
        seconds(b->gap, span),
        b->last == until || b->entry != 0 ? "" : " from the start");
  } else if (c->lost != NOVA_TS_NONE && c->lost < end) {
    say(out->expected, sizeof out->expected,
        "the %s keeps the connection open for %s", subject_name(p),
        nova__span_text(p, end - ref.t));
    ended(p, c, ref.since, out);
  } else if (p->now >= end) {
    out->state = NOVA__DONE;
  }
  out->t = nova_ts_min(end, nova_ts_add(nova_ts_add(b->last, never), 1));
}

void nova__eval(struct nova_player *p, const struct nova_step *s,
                struct nova__await *out) {
  *out = (struct nova__await){
      .state = NOVA__PENDING, .t = NOVA_TS_NONE, .measured = NOVA_TS_NONE};
  out->began = nova__reference(p, s).t;
  p->judging = &p->conn[s->slot];
  switch (s->verb) {
  case NOVA_VERB_CONNECT: eval_connect(p, s, out); return;
  case NOVA_VERB_SEND: eval_send(p, s, out); return;
  case NOVA_VERB_CLOSE: eval_close(p, s, out); return;
  case NOVA_VERB_SILENT: eval_silent(p, s, out); return;
  case NOVA_VERB_OPEN: eval_open(p, s, out); return;
  case NOVA_VERB_REPEAT: eval_repeat(p, s, out); return;
  case NOVA_VERB_ATTEMPTS: eval_attempts(p, s, out); return;
  case NOVA_VERB_SECURE:
  case NOVA_VERB_INSECURE: eval_secure(p, s, out); return;
  case NOVA_VERB_HALF_CLOSE:
  case NOVA_VERB_RESET:
  case NOVA_VERB_REFUSE:
  case NOVA_VERB_PRESENT:
  case NOVA_VERB_STOP:
  case NOVA_VERB_HOOK:
  case NOVA_VERB_WAIT:
  case NOVA_VERB_ANY_OF:
  case NOVA_VERB_EACH: break;
  }
  nova_unreachable();
}

nova_ts nova__await_deadline(struct nova_player *p, const struct nova_step *s) {
  struct nova__await a;
  nova__eval(p, s, &a);
  return a.state == NOVA__PENDING ? a.t : p->now;
}

/* --- settling
 * -----------------------------------------------------------------
 */

/* A probe says that the subject did not survive: nothing before it was a pass.
 */
static void downgrade(struct nova_player *p, const struct nova_step *s) {
  for (size_t i = 0; i < p->checks; i++)
    if (p->check[i].verdict == NOVA_VERDICT_PASS && p->check[i].step != 0 &&
        p->check[i].step < s->number) {
      p->check[i].verdict = NOVA_VERDICT_INCONCLUSIVE;
      p->check[i].reason = "it proves nothing: the probe that has to "
                           "follow it was not served";
    }
}

static void charge(struct nova_player *p, const struct nova_step *s,
                   const struct nova_ids *ids, enum nova_verdict verdict,
                   const struct nova__await *a, nova_ts earliest,
                   nova_ts latest, const char *reason) {
  for (size_t i = 0; i < ids->n; i++) {
    struct nova_check *c = nova__check(p, ids->id[i], verdict);
    if (c == NULL)
      return;
    c->step = s->number;
    c->line = s->line;
    c->entry = a->entry;
    c->measured = a->measured;
    c->earliest = earliest;
    c->latest = latest;
    c->presupposes = &s->presupposes;
    c->reason = reason;
    if (verdict == NOVA_VERDICT_FAIL) {
      c->expected = nova_arena_printf(&p->arena, "%s", a->expected);
      c->observed = nova_arena_printf(&p->arena, "%s", a->observed);
      if (c->expected == NULL || c->observed == NULL)
        p->no_memory = true;
    }
  }
}

static const char *because(struct nova_player *p, const struct nova__await *a) {
  const char *text = nova_arena_printf(&p->arena, "%s; expected: %s",
                                       a->observed, a->expected);
  return text != NULL ? text : "out of memory";
}

bool nova__harness_late(const struct nova_player *p) {
  const nova_ts *span = p->o.profile->timers.span;
  nova_ts least =
      nova_ts_min(span[NOVA_TIMER_auth_timeout], span[NOVA_TIMER_idle_timeout]);
  return p->o.harness == NOVA_ROLE_SERVER && p->o.timing_error > least / 4;
}

static bool settle_failure(struct nova_player *p, const struct nova_step *s,
                           struct nova__await *a) {
  /* What is only observed never stops a conversation. */
  if (s->observes.n != 0) {
    charge(p, s, &s->observes, NOVA_VERDICT_PASS, a, NOVA_TS_NONE, NOVA_TS_NONE,
           nova_arena_printf(&p->arena, "observed: %s", a->observed));
    for (size_t i = 0; i < s->observes.n && i < p->checks; i++)
      p->check[p->checks - 1 - i].observation = true;
    return true;
  }
  if (s->verb == NOVA_VERB_CONNECT && !p->bound_once) {
    nova__break(p, NOVA_VERDICT_NOT_TESTED, "the device %s%s",
                p->o.again ? "did not connect again" : "never connected",
                strstr(a->observed, ": ") != NULL
                    ? strstr(a->observed, ": ")
                    : ", within the time that it had");
    return false;
  }
  if (s->awaits.n != 0 && a->alike) {
    charge(p, s, &s->awaits, NOVA_VERDICT_FAIL, a, NOVA_TS_NONE, NOVA_TS_NONE,
           because(p, a));
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                "step %u did not go as expected: %s", s->number, a->observed);
    return false;
  }
  if (s->awaits.n != 0 && a->none && !a->lost) {
    nova__break(p, NOVA_VERDICT_NOT_TESTED,
                "the subject never did it: %s; %s expected", a->observed,
                a->expected);
    return false;
  }
  if (a->lost)
    p->lost_at = a->t;
  if (a->unfinished)
    nova__judge_unfinished(p, &p->conn[s->slot], a->entry);
  const char *reason = because(p, a);
  enum nova_verdict v =
      a->explained != NULL ? NOVA_VERDICT_INCONCLUSIVE : NOVA_VERDICT_FAIL;
  if (a->explained != NULL)
    reason = nova_arena_printf(&p->arena, "%s (%s)", a->observed, a->explained);
  /* Missed by less than the run's timing error: tried again. */
  bool within_error = a->late && v == NOVA_VERDICT_FAIL &&
                      a->measured - bound(p, s) <= p->o.timing_error;
  if (a->lost && nova__harness_late(p)) {
    within_error = true;
    p->again_wanted = true;
    reason = nova_arena_printf(
        &p->arena,
        "%s (the harness itself was late, by up to %s, and the %s "
        "may have had reason to)",
        reason, nova__span_text(p, p->o.timing_error), subject_name(p));
  }
  if (within_error)
    v = NOVA_VERDICT_INCONCLUSIVE;
  /* Something of the kind did come. */
  if (!a->none)
    charge(p, s, &s->missing, NOVA_VERDICT_PASS, a, NOVA_TS_NONE, NOVA_TS_NONE,
           NULL);
  size_t first = p->checks;
  charge(p, s, a->none && s->missing.n != 0 ? &s->missing : &s->verifies, v, a,
         NOVA_TS_NONE, bound(p, s), reason);
  for (size_t i = first; i < p->checks; i++)
    p->check[i].retry = within_error;
  if (s->probe)
    downgrade(p, s);
  if (s->verifies.n != 0)
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                "step %u did not go as expected: %s", s->number, a->observed);
  else
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                "step %u, a precondition (%s), did not go as expected: %s",
                s->number,
                s->relies_on.n != 0 ? s->relies_on.id[0]
                : s->awaits.n != 0  ? s->awaits.id[0]
                                    : "-",
                a->observed);
  return false;
}

/* It happened: was it in time? Early bounds count from the earliest moment at
 * which the subject's timer can have started and so are judged strictly; late
 * ones from the latest. What arrives is never stamped too early, so only a miss
 * can be the harness's own lateness: by less than its measured error it is
 * inconclusive, and tried again. */
static bool settle_time(struct nova_player *p, const struct nova_step *s,
                        struct nova__await *a) {
  struct nova__moment ref = nova__reference(p, s);
  bool watched = s->verb == NOVA_VERB_SILENT || s->verb == NOVA_VERB_OPEN ||
                 s->verb == NOVA_VERB_ATTEMPTS || s->verb == NOVA_VERB_REPEAT;
  nova_ts latest = watched ? NOVA_TS_NONE : bound(p, s);
  nova_ts earliest = value(p, s->not_before);
  nova_ts error = p->o.timing_error;
  char span[32];
  a->measured = a->t > ref.since ? a->t - ref.since : 0;
  const char *what = s->verb == NOVA_VERB_CLOSE ? "closed" : "came";
  if (earliest != NOVA_TS_NONE && a->measured < earliest) {
    bool within_error = earliest - a->measured <= error;
    const char *early = nova_arena_printf(
        &p->arena, "%s after %s; not before %s expected%s", what,
        seconds(a->measured, span), nova__span_text(p, earliest),
        within_error ? " (missed by less than the run's timing error)" : "");
    say(a->expected, sizeof a->expected, "not before %s",
        nova__span_text(p, earliest));
    say(a->observed, sizeof a->observed, "%s after %s", what,
        seconds(a->measured, span));
    const struct nova_ids *to = s->early.n != 0 ? &s->early : &s->verifies;
    size_t first = p->checks;
    charge(p, s, to,
           within_error ? NOVA_VERDICT_INCONCLUSIVE : NOVA_VERDICT_FAIL, a,
           earliest, latest, early);
    for (size_t i = first; i < p->checks; i++)
      p->check[i].retry = within_error;
    if (s->verb == NOVA_VERB_CLOSE)
      p->lost_at = a->t;
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE, "step %u: %s", s->number, early);
    return false;
  }
  if (earliest != NOVA_TS_NONE && s->early.n != 0)
    charge(p, s, &s->early, NOVA_VERDICT_PASS, a, earliest, NOVA_TS_NONE, NULL);
  nova_ts late = a->t > ref.t ? a->t - ref.t : 0;
  charge(p, s, &s->missing, NOVA_VERDICT_PASS, a, earliest, latest, NULL);
  charge(p, s, &s->awaits, NOVA_VERDICT_PASS, a, earliest, latest, NULL);
  if (latest == NOVA_TS_NONE || late <= latest) {
    charge(p, s, &s->verifies, NOVA_VERDICT_PASS, a, earliest, latest, NULL);
    return true;
  }
  bool within_error = late - latest <= error;
  const char *reason = nova_arena_printf(
      &p->arena, "%s after %s; by %s expected%s", what, seconds(late, span),
      nova__span_text(p, latest),
      within_error ? " (missed by less than the run's timing error)" : "");
  say(a->expected, sizeof a->expected, "by %s", nova__span_text(p, latest));
  say(a->observed, sizeof a->observed, "%s after %s", what,
      seconds(late, span));
  a->measured = late;
  size_t first = p->checks;
  charge(p, s, &s->verifies,
         within_error ? NOVA_VERDICT_INCONCLUSIVE : NOVA_VERDICT_FAIL, a,
         earliest, latest, reason);
  for (size_t i = first; i < p->checks; i++)
    p->check[i].retry = within_error;
  /* It did come: what follows can still be tried. */
  return true;
}

static void settle_item(struct nova_player *p, const struct nova_step *s,
                        const struct nova__await *a) {
  struct nova__conn *c = &p->conn[s->slot];
  const char *json = NULL;
  if (a->item != NULL) {
    if (s->as != NULL)
      json = nova_arena_copy(&p->arena, a->item->text, a->item->n);
    nova__take(c, a->item);
  }
  struct nova__moment at = {a->t, a->t};
  if (s->verb == NOVA_VERB_ATTEMPTS) {
    nova__name(p, s, at, NULL);
    return;
  }
  if (s->verb == NOVA_VERB_CONNECT)
    nova__take_visitor(p, s, nova__visitor(p));
  if (s->verb != NOVA_VERB_SILENT && s->verb != NOVA_VERB_OPEN &&
      s->verb != NOVA_VERB_CONNECT && s->verb != NOVA_VERB_REPEAT)
    c->moment = at;
  if (s->verb == NOVA_VERB_REPEAT)
    p->beat.step = NULL;
  nova__name(p, s, s->verb == NOVA_VERB_CONNECT ? c->moment : at, json);
}

bool nova__await(struct nova_player *p, const struct nova_step *s) {
  struct nova__await a;
  nova__eval(p, s, &a);
  if (a.state == NOVA__PENDING)
    return false;
  if (a.state == NOVA__FAILED)
    return settle_failure(p, s, &a);
  if (s->observes.n != 0) {
    char span[32];
    const char *what =
        s->verb == NOVA_VERB_SEND       ? "it was answered"
        : s->verb == NOVA_VERB_CLOSE    ? "it closed"
        : s->verb == NOVA_VERB_SILENT   ? "nothing came"
        : s->verb == NOVA_VERB_CONNECT  ? "it connected"
        : s->verb == NOVA_VERB_SECURE   ? "the handshake was completed"
        : s->verb == NOVA_VERB_INSECURE ? "the handshake failed"
        : s->verb == NOVA_VERB_ATTEMPTS ? "it opened no more connections"
        : s->verb == NOVA_VERB_REPEAT   ? "it went on"
                                        : "it stayed open";
    charge(p, s, &s->observes, NOVA_VERDICT_PASS, &a, NOVA_TS_NONE,
           NOVA_TS_NONE,
           nova_arena_printf(&p->arena, "observed: %s after %s", what,
                             seconds(a.t > a.began ? a.t - a.began : 0, span)));
    for (size_t i = 0; i < s->observes.n && i < p->checks; i++)
      p->check[p->checks - 1 - i].observation = true;
    settle_item(p, s, &a);
    return true;
  }
  bool good = settle_time(p, s, &a);
  if (good)
    settle_item(p, s, &a);
  return good;
}
