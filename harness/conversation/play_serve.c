/* What a harness that is the server does besides its steps: it takes the
 * connections that a device opens, answers pings, refuses where a script says
 * so, and knows what its profile declares. */
#include "conversation/play.h"

#include "base/unreachable.h"
#include "codec/mqtt_json.h"

#include <stdio.h>

/* --- connections
 * --------------------------------------------------------------
 */

static bool ended(const struct nova__conn *c) {
  return c->link != NOVA__LINK_OPEN;
}

/* Room for one more: a place never used, or one whose connection is over and
 * that no step will take any more. */
static struct nova__conn *room(struct nova_player *p) {
  for (size_t i = NOVA_CONNECTIONS; i < NOVA_PLAY_CONNS; i++)
    if (p->conn[i].number == 0 || p->conn[i].link == NOVA__LINK_CLOSED)
      return &p->conn[i];
  for (size_t i = NOVA_CONNECTIONS; i < NOVA_PLAY_CONNS; i++)
    if (ended(&p->conn[i]) && p->conn[i].inbox == NULL)
      return &p->conn[i];
  return NULL;
}

static void clear(struct nova__conn *c) {
  nova__drop_inbox(c);
  nova__play_mqtt_drop(c);
  if (c->framing)
    nova_line_free(&c->line);
  *c = (struct nova__conn){.lost = NOVA_TS_NONE, .partial = NOVA_TS_NONE};
  c->tail = &c->inbox;
}

struct nova__conn *nova__accept(struct nova_player *p, unsigned number,
                                const struct nova_event *e) {
  if (number == 0 || nova__conn(p, number) != NULL)
    return NULL;
  p->accepted[p->accepted_n++ % NOVA_PLAY_ACCEPTED] = e->t;
  p->connected_ever = true;
  struct nova__conn *c = room(p);
  if (c == NULL) {
    /* It shows in the transcript, and is reset. */
    struct nova__conn none = {.number = number, .met = true};
    struct nova_entry entry = {.kind = NOVA_ENTRY_ACCEPTED,
                               .t = e->t,
                               .since = e->since,
                               .from = NOVA_ACTOR_DEVICE,
                               .connection = number};
    none.tail = &none.inbox;
    none.lost = none.partial = NOVA_TS_NONE;
    if (nova_transcript_add(&p->transcript, &entry) != 0)
      p->no_memory = true;
    nova__close(p, &none, 1);
    return NULL;
  }
  /* The device has ended it, the harness had not yet. */
  if (c->link == NOVA__LINK_EOF)
    nova__close(p, c, 0);
  clear(c);
  c->number = number;
  c->link = NOVA__LINK_OPEN;
  c->accepted = e->t;
  c->again = p->o.again || p->accepted_n > 1;
  c->moment = (struct nova__moment){e->since, e->t};
  c->asked = e->since;
  c->last_out = e->t;
  if (p->o.script->over == NOVA_OVER_TCP)
    c->framing = nova_line_init(&c->line, p->o.mem, NOVA_LINE_LIMIT) == 0;
  else
    nova__play_mqtt_begin(p, c);
  return c;
}

/* One that the device ended before it said anything is none to work with: a
 * port was only looked at. */
struct nova__conn *nova__visitor(struct nova_player *p) {
  struct nova__conn *first = NULL;
  for (size_t i = NOVA_CONNECTIONS; i < NOVA_PLAY_CONNS; i++) {
    struct nova__conn *c = &p->conn[i];
    if (c->number == 0 || c->closing || c->link == NOVA__LINK_CLOSED ||
        (ended(c) && !c->spoke) || (p->o.tls && c->secured != NOVA__SECURED))
      continue;
    if (first == NULL || c->number < first->number)
      first = c;
  }
  return first;
}

void nova__take_visitor(struct nova_player *p, const struct nova_step *s,
                        struct nova__conn *visitor) {
  struct nova__conn *c = &p->conn[s->slot];
  if (visitor == NULL)
    return;
  if (c->link == NOVA__LINK_OPEN || c->link == NOVA__LINK_EOF)
    nova__close(p, c, 0);
  nova__stop_repeats(p, s->slot);
  clear(c);
  *c = *visitor;
  if (c->inbox == NULL)
    c->tail = &c->inbox;
  *visitor = (struct nova__conn){.lost = NOVA_TS_NONE, .partial = NOVA_TS_NONE};
  visitor->tail = &visitor->inbox;
  p->bound_once = true;
}

/* --- pongs
 * --------------------------------------------------------------------
 */

static bool awaits_ping(const struct nova_player *p, const struct nova_step *s,
                        const struct nova__conn *c) {
  return s->verb == NOVA_VERB_SEND && !nova__by_harness(p, s) &&
         s->messages != NULL && c == &p->conn[s->slot] &&
         nova__wanted(s->messages).kind == NOVA_MSG_PING;
}

/* Whether the script has to answer a ping that comes now. */
static bool script_answers(const struct nova_player *p,
                           const struct nova__conn *c) {
  if (p->step == NULL)
    return false;
  if (p->step->verb != NOVA_VERB_ANY_OF)
    return awaits_ping(p, p->step, c);
  for (const struct nova_branch *b = p->step->branches; b != NULL; b = b->next)
    if (awaits_ping(p, b->steps, c))
      return true;
  return false;
}

void nova__pongs(struct nova_player *p) {
  if (p->o.harness != NOVA_ROLE_SERVER)
    return;
  for (size_t i = 0; i < NOVA_PLAY_CONNS; i++) {
    struct nova__conn *c = &p->conn[i];
    /* Nothing is written inside a line that is on its way in pieces. */
    bool busy =
        p->sending.active && p->step != NULL && c == &p->conn[p->step->slot];
    if (c->pongs_due == 0 || busy || c->link != NOVA__LINK_OPEN ||
        c->half_closed)
      continue;
    for (; c->pongs_due != 0; c->pongs_due--) {
      char line[128];
      struct nova_msg m = {.kind = NOVA_MSG_PONG, .present = 1};
      m.u.pong.timestamp = (int64_t)((p->o.unix_ns + p->now) / NOVA_SEC);
      size_t n = 0;
      if (nova_msg_encode(&m, line, sizeof line, &n) == 0)
        nova__send(p, c, line, n, false);
    }
  }
}

/* --- refusing
 * ------------------------------------------------------------------
 */

/* Its last words, and the end. */
static void turn_away(struct nova_player *p, struct nova__conn *c) {
  const struct nova_step *s = p->refusing;
  c->met |= !s->after_auth; /* it had no time to say anything */
  if (s->messages != NULL && c->link == NOVA__LINK_OPEN) {
    struct nova_scope scope = nova__scope(p);
    struct nova_buf json, why;
    nova_buf_init(&json, p->o.mem, 1u << 20);
    nova_buf_init(&why, p->o.mem, 256);
    int err = nova_pattern_write(s->messages, &scope, &json, &why);
    struct nova_buf packet;
    nova_buf_init(&packet, p->o.mem, 1u << 20);
    struct nova_json_value v;
    if (err == 0 && c->mqtt) {
      struct nova_view text = nova_buf_view(&json);
      err = nova_json_check(p->json, text.p, text.n, &v, NULL);
      if (err == 0)
        err = nova_mqtt_from_json(v, 0, 0, &packet, NULL);
      nova_buf_free(&json);
      json = packet;
    } else if (err == 0) {
      err = nova_buf_puts(&json, "\n");
    }
    if (err == 0)
      nova__send(p, c, json.data + json.head, json.len, false);
    nova_buf_free(&json);
    nova_buf_free(&why);
  }
  c->closing = true;
  nova__served(p, c);
}

void nova__served(struct nova_player *p, struct nova__conn *c) {
  if (!c->closing || c->unsent != 0 ||
      (c->link != NOVA__LINK_OPEN && c->link != NOVA__LINK_EOF))
    return;
  /* What it still has to be told goes out before. */
  if (c->mqtt && c->due.len != 0 && c->link == NOVA__LINK_OPEN &&
      !c->half_closed)
    return;
  /* No step did it: bounds do not count from it. */
  struct nova__moment last = c->moment;
  nova__close(p, c, 0);
  c->moment = last;
}

void nova__refuse(struct nova_player *p, const struct nova_step *s) {
  p->refusing = s;
  for (size_t i = NOVA_CONNECTIONS; i < NOVA_PLAY_CONNS; i++) {
    struct nova__conn *c = &p->conn[i];
    if (c->number != 0 && c->link == NOVA__LINK_OPEN && !c->closing &&
        (!s->after_auth || c->spoke))
      turn_away(p, c);
  }
}

void nova__serve_line(struct nova_player *p, struct nova__conn *c,
                      const struct nova__item *item) {
  c->spoke = true;
  if (p->o.harness != NOVA_ROLE_SERVER)
    return;
  nova__hear(p, c, item);
  bool visitor = c >= &p->conn[NOVA_CONNECTIONS];
  if (visitor && p->refusing != NULL && !c->closing)
    turn_away(p, c);
  if (c->mqtt)
    return;
  if (item->kind == NOVA_MSG_PING && !item->bad && c->authenticated &&
      !p->o.script->no_pongs && !script_answers(p, c) &&
      c->pongs_due < NOVA_PLAY_PONGS)
    c->pongs_due++;
}

/* --- commands
 * -----------------------------------------------------------------
 */

void nova__ordered(struct nova_player *p, struct nova_view json) {
  struct nova_json_value v;
  if (p->o.harness != NOVA_ROLE_SERVER || json.n > 1u << 20 ||
      nova_json_check(p->json, json.p, json.n, &v, NULL) != 0 ||
      v.type != NOVA_JSON_OBJECT ||
      !nova_json_string_is(nova_json_get(v, nova_view_of("type")),
                           nova_view_of("command")))
    return;
  struct nova_json_value id = nova_json_get(v, nova_view_of("command_id"));
  if (id.type != NOVA_JSON_STRING)
    return;
  if (p->orders == NOVA_PLAY_ORDERS) {
    memmove(p->order, p->order + 1, sizeof p->order - sizeof p->order[0]);
    p->orders--;
  }
  const char *copy = nova_arena_copy(&p->arena, id.text.p, id.text.n);
  if (copy != NULL)
    p->order[p->orders++] = (struct nova__order){.json = copy};
}

/* --- the profile
 * ---------------------------------------------------------------
 */

/* The last one of the values, or the first. */
static const struct nova_pattern *value_of(const struct nova_actuator *a,
                                           bool last) {
  const struct nova_pattern *v = a->values;
  while (last && v->next != NULL)
    v = v->next;
  return v;
}

static bool put_member(struct nova_player *p, const char *name,
                       const struct nova_pattern *value, struct nova_buf *out) {
  struct nova_scope scope = nova__scope(p);
  struct nova_buf why;
  nova_buf_init(&why, p->o.mem, 256);
  bool good = nova_json_quote(out, name, strlen(name)) == 0 &&
              nova_buf_puts(out, ":") == 0 &&
              nova_pattern_write(value, &scope, out, &why) == 0;
  nova_buf_free(&why);
  return good;
}

bool nova__declared(struct nova_player *p, const char *name,
                    struct nova_buf *out) {
  const struct nova_profile *profile = p->o.profile;
  bool good = true;
  /* The id that the device authenticated with, its own where it did not. */
  if (strcmp(name, "authenticated_id") == 0) {
    const char *id = p->judging != NULL ? p->judging->auth_id : NULL;
    return id != NULL
               ? nova_buf_puts(out, id) == 0
               : nova_json_quote(out, p->device.id, strlen(p->device.id)) == 0;
  }
  if (strcmp(name, "value_keys") == 0) {
    if (profile->value_keys == NULL)
      return false;
    for (size_t i = 0; i < profile->value_keys_n && good; i++)
      good = nova_buf_puts(out, i == 0 ? "[" : ",") == 0 &&
             nova_json_quote(out, profile->value_keys[i],
                             strlen(profile->value_keys[i])) == 0;
    return good &&
           nova_buf_puts(out, profile->value_keys_n == 0 ? "[]" : "]") == 0;
  }
  if (strcmp(name, "actuators") == 0) {
    if (profile->actuators == NULL)
      return nova_buf_puts(out, "{\"relay1\":\"ON\",\"led_brightness\":80}") ==
             0;
    for (const struct nova_actuator *a = profile->actuators; a != NULL && good;
         a = a->next)
      good = nova_buf_puts(out, a == profile->actuators ? "{" : ",") == 0 &&
             put_member(p, a->name, value_of(a, false), out);
    return good && nova_buf_puts(out, "}") == 0;
  }
  bool last = strcmp(name, "actuator.last") == 0;
  if (p->actuator == NULL || (!last && strcmp(name, "actuator.value") != 0))
    return false;
  const struct nova_pattern *value =
      last || p->value == NULL ? value_of(p->actuator, last) : p->value;
  return nova_buf_puts(out, "{") == 0 &&
         put_member(p, p->actuator->name, value, out) &&
         nova_buf_puts(out, "}") == 0;
}

bool nova__round(struct nova_player *p, const struct nova_step *s) {
  switch (s->each) {
  case NOVA_EACH_ACTUATOR:
    p->actuator =
        p->actuator == NULL ? p->o.profile->actuators : p->actuator->next;
    p->value = NULL;
    return p->actuator != NULL;
  case NOVA_EACH_VALUE: {
    if (p->actuator == NULL)
      return false;
    const struct nova_pattern *next =
        p->value == NULL ? p->actuator->values : p->value->next;
    p->value = next != NULL && next->next != NULL ? next : NULL;
    return p->value != NULL;
  }
  }
  nova_unreachable();
}
