/* What the harness does: connect, send in segments, repeat, close, hooks. */
#include "conversation/play.h"

#include "base/error.h"
#include "base/unreachable.h"

#include <stdio.h>

/* Between segments when a script does not say: long enough that a receiver
 * reads them one by one, short enough for a line of a hundred bytes. */
#define PAUSE (2 * NOVA_MS)

#define WRITE_MOST (32u << 20)

static void push(struct nova_player *p, const struct nova_action *a,
                 const char *bytes, size_t n) {
  struct nova__queued *q = nova_mem_alloc(p->o.mem, sizeof *q + n);
  if (q == NULL) {
    p->no_memory = true;
    return;
  }
  q->next = NULL;
  q->action = *a;
  q->n = n;
  if (n != 0)
    memcpy(q->bytes, bytes, n);
  *p->queue_tail = q;
  p->queue_tail = &q->next;
}

void nova__send(struct nova_player *p, struct nova__conn *c, const char *bytes,
                size_t n, bool hazard) {
  struct nova_action a = {
      .kind = NOVA_ACTION_SEND, .connection = c->number, .hazard = hazard};
  push(p, &a, bytes, n);
  c->unsent++;
  c->last_out = p->now;
  nova__note(p, NOVA_ENTRY_SENT, c->number, bytes, n);
}

void nova__secure(struct nova_player *p, struct nova__conn *c,
                  const struct nova_tls_wish *wish) {
  struct nova_action a = {.kind = NOVA_ACTION_SECURE, .connection = c->number};
  if (wish != NULL)
    a.tls = *wish;
  push(p, &a, NULL, 0);
}

void nova__close(struct nova_player *p, struct nova__conn *c, int code) {
  struct nova_action a = {.kind = code == 2 ? NOVA_ACTION_HALF_CLOSE
                                            : NOVA_ACTION_CLOSE,
                          .connection = c->number,
                          .code = code};
  push(p, &a, NULL, 0);
  size_t at = nova__note(p, NOVA_ENTRY_CLOSED, c->number, NULL, 0);
  if (at < p->transcript.n)
    p->transcript.entry[at].code = code;
  if (code == 2) {
    c->half_closed = true;
  } else {
    nova__connection_over(p, c);
    nova__play_mqtt_over(p, c, false);
    c->link = NOVA__LINK_CLOSED;
    c->unsent = 0;
    /* What no step has ended may have said what a step looks for. */
    if (!c->closing)
      nova__drop_inbox(c);
  }
  c->moment = (struct nova__moment){p->now, p->now};
}

void nova__close_all(struct nova_player *p) {
  for (size_t i = 0; i < NOVA_PLAY_CONNS; i++) {
    struct nova__conn *c = &p->conn[i];
    if (c->link == NOVA__LINK_OPEN || c->link == NOVA__LINK_EOF ||
        c->link == NOVA__LINK_CONNECTING)
      nova__close(p, c, 0);
    else if (c->link == NOVA__LINK_RESET)
      c->link = NOVA__LINK_CLOSED;
  }
  p->sending.active = false;
  p->repeats = 0;
}

/* --- what is written
 * ----------------------------------------------------------
 */

/* The number that |to| stands for, 0 for none. */
static size_t pad_target(struct nova_player *p, const struct nova_pattern *to) {
  struct nova_scope scope = nova__scope(p);
  struct nova_buf json, why;
  nova_buf_init(&json, p->o.mem, 64);
  nova_buf_init(&why, p->o.mem, 256);
  size_t n = 0;
  if (nova_pattern_write(to, &scope, &json, &why) == 0) {
    struct nova_view v = nova_buf_view(&json);
    for (size_t i = 0; i < v.n && v.p[i] >= '0' && v.p[i] <= '9'; i++)
      n = n * 10 + (size_t)(v.p[i] - '0');
  }
  nova_buf_free(&json);
  nova_buf_free(&why);
  return n;
}

/* Appends |text| as one line, padded with JSON white space to |target| bytes in
 * all, its line feed included; 0 for no padding. */
static int put_line(struct nova_buf *out, struct nova_view text, size_t target,
                    enum nova_pad where) {
  size_t blanks = target > text.n + 1 ? target - text.n - 1 : 0;
  char spaces[1024];
  memset(spaces, ' ', sizeof spaces);
  size_t head = where == NOVA_PAD_BEFORE                  ? 0
                : where == NOVA_PAD_INSIDE && text.n != 0 ? 1
                                                          : text.n;
  int err = nova_buf_append(out, text.p, head);
  while (err == 0 && blanks != 0) {
    size_t n = blanks < sizeof spaces ? blanks : sizeof spaces;
    err = nova_buf_append(out, spaces, n);
    blanks -= n;
  }
  if (err == 0)
    err = nova_buf_append(out, text.p + head, text.n - head);
  return err != 0 ? err : nova_buf_append(out, "\n", 1);
}

/* All bytes of a sending step. |kept|: the JSON of its last message, in the
 * arena, where the step has a name. False: nothing can be sent, and why. */
static bool compose(struct nova_player *p, const struct nova_step *s,
                    struct nova_buf *out, const char **kept) {
  struct nova_scope scope = nova__scope(p);
  struct nova_buf json, why;
  nova_buf_init(&json, p->o.mem, WRITE_MOST);
  nova_buf_init(&why, p->o.mem, 1024);
  int err = 0;
  size_t target = s->pad_to != NULL ? pad_target(p, s->pad_to) : 0;
  const char *undone = NULL; /* why a packet is not to be sent now */
  for (const struct nova_pattern *m = s->messages; m != NULL && err == 0;
       m = m->next) {
    nova_buf_clear(&json);
    err = nova_pattern_write(m, &scope, &json, &why);
    if (err == 0 && p->o.script->over != NOVA_OVER_TCP) {
      const char *reason = NULL;
      err = nova__play_mqtt_compose(p, s, nova_buf_view(&json), target, out,
                                    kept, &reason);
      if (reason != NULL)
        undone = reason;
      continue;
    }
    if (err == 0)
      err = put_line(out, nova_buf_view(&json), target, s->pad);
    if (err == 0)
      nova__ordered(p, nova_buf_view(&json));
    if (err == 0 && s->as != NULL)
      *kept = nova_arena_copy(&p->arena, json.data + json.head, json.len);
  }
  for (const struct nova_raw *r = s->raw; r != NULL && err == 0; r = r->next)
    for (uint32_t i = 0; i < r->times && err == 0; i++)
      err = r->json != NULL ? nova_pattern_write(r->json, &scope, out, &why)
                            : nova_buf_append(out, r->bytes.p, r->bytes.n);
  if (err != 0 && undone != NULL) {
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE, "step %u: %s", s->number, undone);
  } else if (err == NOVA_ERR_ARGUMENT) {
    const char *text = nova_buf_cstr(&why);
    nova__break(p, NOVA_VERDICT_NOT_APPLICABLE, "step %u: %s", s->number,
                text != NULL ? text : "cannot be written");
  } else if (err != 0) {
    p->no_memory = true;
  }
  nova_buf_free(&json);
  nova_buf_free(&why);
  return err == 0;
}

/* --- segments
 * -----------------------------------------------------------------
 */

static void plan_cuts(struct nova__sending *out, const struct nova_step *s) {
  out->cuts = out->cut_next = 0;
  out->by_byte = s->cut == NOVA_CUT_BYTES;
  struct nova_view v = nova_buf_view(&out->bytes);
  if (s->cut == NOVA_CUT_AT) {
    for (size_t i = 0; i < s->cuts; i++)
      if (s->cut_at[i] < v.n)
        out->cut[out->cuts++] = s->cut_at[i];
  } else if (s->cut == NOVA_CUT_CHARACTER) {
    for (size_t i = 0; i < v.n; i++)
      if ((unsigned char)v.p[i] >= 0xc0) {
        out->cut[out->cuts++] = i + 1;
        break;
      }
  }
}

/* Hands out the next piece. */
static void send_piece(struct nova_player *p, const struct nova_step *s) {
  struct nova__sending *out = &p->sending;
  struct nova_view v = nova_buf_view(&out->bytes);
  size_t end = v.n;
  if (out->by_byte)
    end = out->at + 1;
  else if (out->cut_next < out->cuts)
    end = out->cut[out->cut_next++];
  nova__send(p, &p->conn[s->slot], v.p + out->at, end - out->at, s->hazard);
  out->at = end;
  out->next = NOVA_TS_NONE;
  out->waiting = true;
  out->give_up = nova_ts_add(
      p->now, p->o.profile->timers.span[NOVA_TIMER_response_timeout]);
}

/* Whether the step authenticates as the other device. */
static bool auth_of_other(const struct nova_step *s) {
  bool auth = false, other = false;
  for (const struct nova_pattern *m = s->messages; m != NULL; m = m->next)
    for (const struct nova_pattern *c = m->child; c != NULL; c = c->next) {
      if (c->member == NULL)
        continue;
      auth |= strcmp(c->member, "type") == 0 &&
              c->kind == NOVA_PATTERN_LITERAL &&
              nova_view_is(c->json, "\"auth\"");
      other |= c->kind == NOVA_PATTERN_REF && strcmp(c->name, "other.id") == 0;
    }
  return auth && other;
}

/* Whether the step says that the device is authenticated. */
static bool lets_in(const struct nova_step *s) {
  bool result = false, success = false;
  for (const struct nova_pattern *m = s->messages; m != NULL; m = m->next) {
    result |= nova__wanted(m).kind == NOVA_MSG_AUTH_RESULT;
    for (const struct nova_pattern *c = m->child; c != NULL; c = c->next)
      success |= c->member != NULL && strcmp(c->member, "result") == 0 &&
                 c->kind == NOVA_PATTERN_LITERAL &&
                 nova_view_is(c->json, "\"success\"");
  }
  return result && success;
}

/* The subject ended the connection: nothing more can be sent on it. */
static bool gone(const struct nova__conn *c) {
  return c->link == NOVA__LINK_RESET || c->link == NOVA__LINK_NONE ||
         c->link == NOVA__LINK_CLOSED;
}

static bool late_send(struct nova_player *p, const struct nova_step *s) {
  if (s->not_after == NULL)
    return false;
  const struct nova__named *from =
      s->from != NULL ? nova__find(p, s->from) : NULL;
  nova_ts start = from != NULL ? from->moment.since : p->begun_at;
  nova_ts limit = nova_span_value(s->not_after, &p->o.profile->timers);
  if (p->sending.moment.t - start <= limit)
    return false;
  p->again_wanted = true;
  nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
              "the harness itself was late: step %u was done after %s, %s at "
              "the most",
              s->number, nova__span_text(p, p->sending.moment.t - start),
              nova__span_text(p, limit));
  return true;
}

static bool do_send(struct nova_player *p, const struct nova_step *s) {
  struct nova__sending *out = &p->sending;
  struct nova__conn *c = &p->conn[s->slot];
  if (!p->begun) {
    p->begun = true;
    nova_buf_clear(&out->bytes);
    const char *kept = NULL;
    if (!compose(p, s, &out->bytes, &kept))
      return false;
    if (gone(c)) /* the next step that awaits something here tells it */
      return true;
    nova__name(p, s, (struct nova__moment){p->now, p->now}, kept);
    nova__drop_answers(c);
    c->as_other |= auth_of_other(s);
    c->authenticated |= p->o.harness == NOVA_ROLE_SERVER && lets_in(s);
    out->at = 0;
    out->pause = s->pause != NULL
                     ? nova_span_value(s->pause, &p->o.profile->timers)
                     : PAUSE;
    plan_cuts(out, s);
    out->active = true;
    out->moment = (struct nova__moment){NOVA_TS_NONE, p->now};
    c->asked = p->now;
    if (s->hazard)
      p->hazard_at = p->now;
    if (out->bytes.len == 0)
      out->at = 0;
    else
      send_piece(p, s);
  }
  bool all_out = out->at == out->bytes.len && !out->waiting;
  if (!all_out && !gone(c) && out->active)
    return false;
  out->active = false;
  if (out->moment.since == NOVA_TS_NONE)
    out->moment.since = p->now;
  c->moment = out->moment;
  const struct nova__named *named = s->as != NULL ? nova__find(p, s->as) : NULL;
  nova__name(p, s, out->moment, named != NULL ? named->json : NULL);
  return !late_send(p, s);
}

void nova__sent(struct nova_player *p, struct nova__conn *c,
                const struct nova_event *e) {
  unsigned connection = c->number;
  if (c->unsent != 0)
    c->unsent--;
  /* The recorded time of the entry is the real one. */
  for (size_t i = p->transcript.n; i-- > 0;) {
    struct nova_entry *entry = &p->transcript.entry[i];
    if (entry->kind == NOVA_ENTRY_SENT && entry->connection == connection &&
        entry->code == 0) {
      /* The oldest that was not reported yet is wanted. */
      size_t oldest = i;
      for (size_t k = i; k-- > 0 && i - k < 64;)
        if (p->transcript.entry[k].kind == NOVA_ENTRY_SENT &&
            p->transcript.entry[k].connection == connection &&
            p->transcript.entry[k].code == 0)
          oldest = k;
      p->transcript.entry[oldest].since = e->since;
      p->transcript.entry[oldest].t = e->t;
      p->transcript.entry[oldest].code = (int)(p->transcript.n - oldest);
      break;
    }
  }
  nova__served(p, c);
  struct nova__sending *out = &p->sending;
  if (!out->active || p->step == NULL || &p->conn[p->step->slot] != c ||
      c->unsent != 0)
    return;
  /* Only what came after the first byte was out can be its answer; a timer of
   * the subject counts from the last byte. */
  if (out->moment.since == NOVA_TS_NONE && c->asked < e->since)
    c->asked = e->since;
  out->moment = (struct nova__moment){e->since, e->t};
  out->waiting = false;
  if (out->at < out->bytes.len)
    out->next = nova_ts_add(e->t, out->pause);
}

/* --- repeating
 * ----------------------------------------------------------------
 */

static void repeat_once(struct nova_player *p, struct nova__repeat *r) {
  const struct nova_step *s = r->step;
  struct nova__conn *c = &p->conn[s->slot];
  if (gone(c) || c->link == NOVA__LINK_EOF) {
    r->next = NOVA_TS_NONE;
    return;
  }
  struct nova_buf bytes;
  nova_buf_init(&bytes, p->o.mem, WRITE_MOST);
  const char *kept = NULL;
  if (compose(p, s, &bytes, &kept) && bytes.len != 0) {
    if (s->raw != NULL) {
      nova__send(p, c, bytes.data + r->at % bytes.len, 1, s->hazard);
      r->at++;
    } else {
      nova__send(p, c, bytes.data, bytes.len, s->hazard);
    }
  }
  nova_buf_free(&bytes);
  r->next =
      nova_ts_add(p->now, nova_span_value(s->every, &p->o.profile->timers));
  if (r->next > r->until)
    r->next = NOVA_TS_NONE;
}

static bool do_repeat(struct nova_player *p, const struct nova_step *s) {
  if (p->repeats == NOVA_PLAY_REPEATS) {
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE, "too many things repeat at once");
    return false;
  }
  const struct nova_timers *t = &p->o.profile->timers;
  nova_ts every = nova_span_value(s->every, t);
  struct nova__repeat *r = &p->repeat[p->repeats++];
  *r = (struct nova__repeat){
      .step = s,
      .next = nova_ts_add(p->now, every == 0 ? NOVA_MS : every),
      .until = s->duration != NULL
                   ? nova_ts_add(p->now, nova_span_value(s->duration, t))
                   : NOVA_TS_NONE};
  return true;
}

/* --- hooks
 * --------------------------------------------------------------------
 */

/* The pattern as it stands in an environment variable: a string bare, all else
 * as JSON. */
static const char *env_value(struct nova_player *p,
                             const struct nova_pattern *pattern, bool bare) {
  struct nova_scope scope = nova__scope(p);
  struct nova_buf json, why;
  nova_buf_init(&json, p->o.mem, 1u << 20);
  nova_buf_init(&why, p->o.mem, 256);
  const char *text = NULL;
  if (nova_pattern_write(pattern, &scope, &json, &why) == 0) {
    struct nova_json_value v;
    if (bare &&
        nova_json_check(p->json, json.data + json.head, json.len, &v, NULL) ==
            0 &&
        v.type == NOVA_JSON_STRING) {
      size_t n = nova_json_string(v, NULL, 0);
      char *copy = nova_arena_alloc(&p->arena, n + 1);
      if (copy != NULL)
        nova_json_string(v, copy, n);
      text = copy;
    } else {
      text = nova_arena_copy(&p->arena, json.data + json.head, json.len);
    }
  }
  nova_buf_free(&json);
  nova_buf_free(&why);
  return text;
}

static bool do_hook(struct nova_player *p, const struct nova_step *s) {
  if (p->o.harness == NOVA_ROLE_SERVER)
    return true; /* its next step sends the command */
  if (p->begun)
    return !p->job_pending;
  p->begun = true;
  const struct nova_login *who =
      strcmp(s->device, "device") == 0 ? &p->device : &p->other;
  size_t n = 0;
  p->env[n++] =
      nova_arena_printf(&p->arena, "NOVA_TRANSPORT=%s", p->o.script->transport);
  p->env[n++] = nova_arena_printf(&p->arena, "NOVA_DEVICE_ID=%s",
                                  who->id != NULL ? who->id : "");
  if (s->command != NULL) {
    const char *command = env_value(p, s->command, true);
    const char *params = env_value(p, s->params, false);
    if (command == NULL || params == NULL) {
      nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                  "step %u: the hook's parameters have no value", s->number);
      return false;
    }
    p->env[n++] = nova_arena_printf(&p->arena, "NOVA_COMMAND=%s", command);
    p->env[n++] = nova_arena_printf(&p->arena, "NOVA_PARAMS=%s", params);
  }
  p->env[n] = NULL;
  struct nova_action a = {
      .kind = NOVA_ACTION_HOOK, .hook = s->hook, .env = p->env};
  push(p, &a, NULL, 0);
  p->job_pending = true;
  p->job_moment = (struct nova__moment){p->now, NOVA_TS_NONE};
  /* A message that the hook causes may come before the hook ends. */
  for (size_t i = 0; i < NOVA_CONNECTIONS; i++)
    p->conn[i].asked = p->now;
  p->job_keep =
      nova_ts_add(p->now, p->o.profile->timers.span[NOVA_TIMER_heartbeat] / 2);
  return false;
}

static void take_new_key(struct nova_player *p, const struct nova_step *s,
                         struct nova_view text) {
  bool first = strcmp(s->device, "device") == 0;
  struct nova_login *who = first ? &p->device : &p->other;
  p->old_key = who->key;
  who->key = nova_arena_copy(&p->arena, text.p, text.n);
  if (who->key == NULL)
    who->key = p->old_key;
  p->new_key = who->key;
  p->new_key_device = who->id;
}

/* The hook's output against output:. */
static void judge_output(struct nova_player *p, const struct nova_step *s,
                         struct nova_view text) {
  struct nova_json_value v;
  struct nova_fault_at at;
  if (nova_json_check(p->json, text.p, text.n, &v, &at) != 0) {
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                "the hook %s printed no JSON: %s at byte %zu",
                nova_hook_names[s->hook], nova_error_text(at.code), at.offset);
    return;
  }
  struct nova_scope scope = nova__scope(p);
  struct nova_mismatch m = {0};
  bool good = nova_pattern_match(s->output, v, &scope, &m);
  for (size_t i = 0; i < s->verifies.n; i++) {
    struct nova_check *c = nova__check(
        p, s->verifies.id[i], good ? NOVA_VERDICT_PASS : NOVA_VERDICT_FAIL);
    if (c == NULL)
      return;
    c->step = s->number;
    c->line = s->line;
    c->presupposes = &s->presupposes;
    if (good)
      continue;
    c->expected =
        nova_arena_printf(&p->arena, "the platform's data shows %s%s%s", m.path,
                          m.path[0] != '\0' ? " = " : "", m.expected);
    c->observed = nova_arena_printf(&p->arena, "it shows %s", m.observed);
    c->reason = nova_arena_printf(&p->arena, "%s; %s expected", c->observed,
                                  m.expected);
  }
  if (!good)
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                "step %u did not go as expected: the platform's data shows %s, "
                "not %s",
                s->number, m.observed, m.expected);
}

void nova__job_done(struct nova_player *p, const struct nova_event *e) {
  struct nova_view text = e->bytes;
  if (text.n != 0 && text.p[text.n - 1] == '\n')
    text.n--;
  size_t at = nova__note(p, NOVA_ENTRY_HOOK, 0, text.p, text.n);
  if (at < p->transcript.n) {
    p->transcript.entry[at].code = e->code;
    p->transcript.entry[at].since = e->since;
    p->transcript.entry[at].from = NOVA_ACTOR_PLATFORM;
  }
  const struct nova_step *s = p->step;
  if (!p->job_pending || s == NULL || s->verb != NOVA_VERB_HOOK)
    return;
  p->job_pending = false;
  p->job_keep = NOVA_TS_NONE;
  p->job_moment.t = e->t;
  if (e->code != 0) {
    nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                "the hook %s failed (%s %d)%s%.*s", nova_hook_names[s->hook],
                e->code > 0 ? "exit status" : "code", e->code,
                e->errors.n != 0 ? ": " : "",
                (int)(e->errors.n > 300 ? 300 : e->errors.n),
                e->errors.n != 0 ? e->errors.p : "");
    return;
  }
  for (size_t i = 0; i < NOVA_CONNECTIONS; i++)
    if (p->conn[i].link == NOVA__LINK_OPEN)
      p->conn[i].moment = p->job_moment;
  const char *kept =
      s->as != NULL ? nova_arena_copy(&p->arena, text.p, text.n) : NULL;
  nova__name(p, s, p->job_moment, kept);
  if (s->hook == NOVA_HOOK_RESET_KEY) {
    if (text.n == 0 || memchr(text.p, '\n', text.n) != NULL) {
      nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
                  "the hook reset_key has to print the new key on one line");
      return;
    }
    take_new_key(p, s, text);
  }
  if (s->output != NULL)
    judge_output(p, s, text);
}

/* A connection that waits for a hook is kept alive with pings. */
static void ping_all(struct nova_player *p) {
  for (size_t i = 0; i < NOVA_CONNECTIONS; i++) {
    struct nova__conn *c = &p->conn[i];
    if (c->mqtt && c->link == NOVA__LINK_OPEN && !c->half_closed)
      nova__play_mqtt_ping(p, c);
    if (c->link != NOVA__LINK_OPEN || !c->authenticated || c->half_closed)
      continue;
    char line[512];
    struct nova_msg m = {.kind = NOVA_MSG_PING, .present = 3};
    m.u.ping.device_id =
        nova_string_of(c->as_other ? p->other.id : p->device.id);
    m.u.ping.timestamp = (int64_t)((p->o.unix_ns + p->now) / NOVA_SEC);
    size_t n = 0;
    if (nova_msg_encode(&m, line, sizeof line, &n) == 0)
      nova__send(p, c, line, n, false);
  }
  p->job_keep =
      nova_ts_add(p->now, p->o.profile->timers.span[NOVA_TIMER_heartbeat] / 2);
}

/* --- the step
 * -----------------------------------------------------------------
 */

void nova__stop_repeats(struct nova_player *p, size_t slot) {
  for (size_t i = 0; i < p->repeats; i++)
    if (p->repeat[i].step->slot == slot)
      p->repeat[i].next = NOVA_TS_NONE;
}

nova_ts nova__handshake_due(const struct nova_player *p,
                            const struct nova__conn *c) {
  if (!p->o.tls || c->link != NOVA__LINK_OPEN || c->secured != NOVA__PLAIN)
    return NOVA_TS_NONE;
  return nova_ts_add(c->moment.t,
                     p->o.profile->timers.span[NOVA_TIMER_response_timeout]);
}

static bool do_connect(struct nova_player *p, const struct nova_step *s) {
  struct nova__conn *c = &p->conn[s->slot];
  unsigned number = c->number;
  if (!p->begun) {
    p->begun = true;
    if (c->link == NOVA__LINK_OPEN || c->link == NOVA__LINK_EOF)
      nova__close(p, c, 0);
    nova__drop_inbox(c);
    nova__stop_repeats(p, s->slot);
    c->link = NOVA__LINK_CONNECTING;
    c->refused = false;
    nova__note(p, NOVA_ENTRY_CONNECTING, number, NULL, 0);
    struct nova_action a = {.kind = NOVA_ACTION_CONNECT,
                            .connection = number,
                            .platform = s->actor == NOVA_ACTOR_PLATFORM};
    push(p, &a, NULL, 0);
    return false;
  }
  nova_ts due = nova__handshake_due(p, c);
  if (c->link == NOVA__LINK_CONNECTING || (due != NOVA_TS_NONE && p->now < due))
    return false;
  bool good = !c->refused && !(p->o.tls && c->secured != NOVA__SECURED);
  for (size_t i = 0; i < s->verifies.n; i++) {
    struct nova_check *k = nova__check(
        p, s->verifies.id[i], good ? NOVA_VERDICT_PASS : NOVA_VERDICT_FAIL);
    if (k == NULL)
      break;
    k->step = s->number;
    k->line = s->line;
    k->presupposes = &s->presupposes;
    if (!good) {
      k->expected = "a new connection is accepted";
      k->observed = c->refused ? "it was refused" : "TLS was not completed";
      k->reason = c->refused
                      ? "a new connection was refused; it has to be accepted"
                      : "TLS was not completed on a new connection; it has to "
                        "be accepted";
    }
  }
  if (good) {
    nova__name(p, s, c->moment, NULL);
    return true;
  }
  p->lost_at = p->now;
  if (s->probe)
    for (size_t i = 0; i < p->checks; i++)
      if (p->check[i].verdict == NOVA_VERDICT_PASS && p->check[i].step != 0 &&
          p->check[i].step < s->number) {
        p->check[i].verdict = NOVA_VERDICT_INCONCLUSIVE;
        p->check[i].reason = "the subject did not survive it: a new connection "
                             "was refused afterwards";
      }
  nova__break(p, NOVA_VERDICT_INCONCLUSIVE,
              "step %u: no %s to the peer could be made%s%s", s->number,
              c->refused ? "connection" : "TLS connection",
              c->refused || c->handshake == NULL ? "" : ": ",
              c->refused || c->handshake == NULL ? "" : c->handshake);
  return false;
}

/* The harness's own silence, or its staying. */
static bool time_passes(struct nova_player *p, const struct nova_step *s) {
  p->begun = true;
  return p->now >=
         nova_ts_add(nova__reference(p, s).t,
                     nova_span_value(s->duration, &p->o.profile->timers));
}

bool nova__do(struct nova_player *p, const struct nova_step *s) {
  struct nova__conn *c = &p->conn[s->slot];
  switch (s->verb) {
  case NOVA_VERB_CONNECT: return do_connect(p, s);
  case NOVA_VERB_SEND: return do_send(p, s);
  case NOVA_VERB_HOOK: return do_hook(p, s);
  case NOVA_VERB_REPEAT: return do_repeat(p, s);
  case NOVA_VERB_STOP: nova__stop_repeats(p, s->slot); return true;
  case NOVA_VERB_CLOSE:
  case NOVA_VERB_RESET:
  case NOVA_VERB_HALF_CLOSE:
    if (c->link == NOVA__LINK_OPEN || c->link == NOVA__LINK_EOF)
      nova__close(p, c,
                  s->verb == NOVA_VERB_CLOSE   ? 0
                  : s->verb == NOVA_VERB_RESET ? 1
                                               : 2);
    else if (c->link == NOVA__LINK_RESET && s->verb != NOVA_VERB_HALF_CLOSE)
      c->link = NOVA__LINK_CLOSED;
    nova__name(p, s, (struct nova__moment){p->now, p->now}, NULL);
    return true;
  case NOVA_VERB_SILENT:
  case NOVA_VERB_OPEN: return time_passes(p, s);
  case NOVA_VERB_REFUSE: nova__refuse(p, s); return true;
  case NOVA_VERB_PRESENT: p->presents = s; return true;
  case NOVA_VERB_SECURE:
  case NOVA_VERB_INSECURE:
  case NOVA_VERB_ATTEMPTS:
  case NOVA_VERB_WAIT:
  case NOVA_VERB_ANY_OF:
  case NOVA_VERB_EACH: break;
  }
  nova_unreachable();
}

nova_ts nova__do_deadline(const struct nova_player *p) {
  nova_ts d = p->job_pending ? p->job_keep : NOVA_TS_NONE;
  if (p->sending.active && p->sending.waiting)
    d = nova_ts_min(d, p->sending.give_up);
  else if (p->sending.active && p->sending.at < p->sending.bytes.len)
    d = nova_ts_min(d, p->sending.next);
  for (size_t i = 0; i < p->repeats; i++)
    d = nova_ts_min(d, p->repeat[i].next);
  return d;
}

void nova__do_expire(struct nova_player *p, nova_ts now) {
  if (p->job_pending && p->job_keep <= now)
    ping_all(p);
  struct nova__sending *out = &p->sending;
  /* A subject that does not read holds nothing up: what is awaited next tells
   * what becomes of it. */
  if (out->active && out->waiting && out->give_up <= now) {
    out->active = false;
    out->moment.t = now;
  }
  if (out->active && !out->waiting && out->at < out->bytes.len &&
      out->next <= now && p->step != NULL)
    send_piece(p, p->step);
  for (size_t i = 0; i < p->repeats; i++)
    if (p->repeat[i].next <= now)
      repeat_once(p, &p->repeat[i]);
}
