/* The loader of conversations and fragments. */
#include "conversation/load.h"

#include "base/error.h"
#include "conversation/wanted.h"

#include <stdarg.h>
#include <stdio.h>

/* --- substitution
 * -------------------------------------------------------------
 */

static bool name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Replaces every |prefix|NAME in a text by its value, as far as these are
 * scalars. */
static bool replace(struct nova_loader *l, struct nova_node *n,
                    const char *prefix, const struct nova_node *values) {
  size_t skip = strlen(prefix);
  const char *at;
  while ((at = strstr(n->text, prefix)) != NULL) {
    size_t before = (size_t)(at - n->text), name = before + skip, end = name;
    while (end < n->len && name_char(n->text[end]))
      end++;
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)(end - name), n->text + name);
    const struct nova_node *v = nova_node_get(values, key);
    if (v == NULL || v->kind != NOVA_NODE_SCALAR ||
        strstr(v->text, prefix) != NULL) {
      nova__complain(l, n, "%s%s %s", prefix, key,
                     v == NULL ? "is not given here" : "is no plain text");
      return false;
    }
    n->text = nova_arena_printf(l->arena, "%.*s%s%s", (int)before, n->text,
                                v->text, n->text + end);
    if (n->text == NULL)
      return false;
    n->len = strlen(n->text);
  }
  return true;
}

/* Nothing but a name. */
static bool whole(const char *name) {
  while (name_char(*name))
    name++;
  return *name == '\0';
}

/* Recursion is bounded by the depth that the YAML reader allows. */
struct nova_node *nova__substitute(struct nova_loader *l,
                                   const struct nova_node *n,
                                   const char *prefix,
                                   const struct nova_node *values) {
  size_t skip = strlen(prefix);
  if (n->kind == NOVA_NODE_SCALAR && strncmp(n->text, prefix, skip) == 0) {
    /* The whole scalar is one name: the value itself, whatever it is. */
    const struct nova_node *v = nova_node_get(values, n->text + skip);
    if (v != NULL) {
      struct nova_node *copy = NOVA_NEW(l->arena, struct nova_node);
      if (copy == NULL)
        return NULL;
      *copy = *v;
      copy->key = n->key;
      copy->next = NULL;
      copy->line = n->line;
      copy->column = n->column;
      return copy;
    }
  }
  struct nova_node *copy = NOVA_NEW(l->arena, struct nova_node);
  if (copy == NULL)
    return NULL;
  *copy = *n;
  copy->next = NULL;
  if (n->kind == NOVA_NODE_SCALAR)
    return replace(l, copy, prefix, values) ? copy : NULL;
  struct nova_node **link = &copy->child;
  copy->child = NULL;
  for (const struct nova_node *c = n->child; c != NULL; c = c->next) {
    /* A member whose value is not given is left out: an optional argument. */
    if (c->kind == NOVA_NODE_SCALAR && c->key != NULL &&
        strncmp(c->text, prefix, skip) == 0 && strcmp(prefix, "$arg.") == 0 &&
        nova_node_get(values, c->text + skip) == NULL && whole(c->text + skip))
      continue;
    *link = nova__substitute(l, c, prefix, values);
    if (*link == NULL)
      return NULL;
    link = &(*link)->next;
  }
  return copy;
}

int nova__load_fragment(struct nova_loader *l, const struct nova_node *root) {
  static const char *const known[] = {"fragment", "arguments", "why", "steps",
                                      NULL};
  struct nova_fragment *f = NOVA_NEW(l->arena, struct nova_fragment);
  if (f == NULL)
    return NOVA_ERR_NO_MEMORY;
  f->file = l->file;
  f->line = root->line;
  f->name = nova__scalar(l, nova_node_get(root, "fragment"), "a name");
  f->arguments = nova_node_get(root, "arguments");
  f->steps = nova_node_get(root, "steps");
  if (!nova__known_keys(l, root, known) || f->name == NULL)
    return NOVA_ERR_ARGUMENT;
  if (f->steps == NULL || f->steps->kind != NOVA_NODE_LIST) {
    nova__complain(l, root, "expected steps: and a list");
    return NOVA_ERR_ARGUMENT;
  }
  for (const struct nova_fragment *o = l->catalog->fragments; o != NULL;
       o = o->next)
    if (strcmp(o->name, f->name) == 0) {
      nova__complain(l, root, "the fragment %s stands twice", f->name);
      return NOVA_ERR_ARGUMENT;
    }
  f->next = l->catalog->fragments;
  l->catalog->fragments = f;
  return 0;
}

/* --- what a script as a whole has to keep
 * ------------------------------------- */

struct checker {
  struct nova_loader *l;
  struct nova_script *script;
  const char *names[64]; /* of steps, by `as` */
  size_t named;
  struct nova_ids *all;
  size_t all_cap;
  bool uses[2]; /* $device, $other */
  bool good;
};

static void complain(struct checker *c, const struct nova_step *s,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct checker *c, const struct nova_step *s,
                     const char *format, ...) {
  char message[256];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  nova_diag_add(c->l->diag, c->l->file, s->line, s->column, "%s", message);
  c->good = false;
}

static void check_ref(void *user, const struct nova_pattern *ref) {
  struct checker *c = user;
  static const char *const known[] = {"device.id",
                                      "device.key",
                                      "other.id",
                                      "other.key",
                                      "device.old_key",
                                      "unknown_id",
                                      "actuators",
                                      "actuator.value",
                                      "actuator.last",
                                      "authenticated_id",
                                      "device.client_id",
                                      "device.data_topic",
                                      "device.command_topic",
                                      "device.status_topic",
                                      "device.will",
                                      "other.client_id",
                                      "other.data_topic",
                                      "other.command_topic",
                                      "other.status_topic",
                                      "other.will",
                                      "platform.username",
                                      "platform.password",
                                      "platform.client_id"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(ref->name, known[i]) == 0) {
      c->uses[0] |= strncmp(ref->name, "device.", 7) == 0;
      c->uses[1] |= ref->name[0] == 'o';
      if (strncmp(ref->name, "platform.", 9) == 0)
        c->script->needs |= NOVA_NEED_PLATFORM;
      return;
    }
  size_t n = strcspn(ref->name, ".");
  for (size_t i = 0; i < c->named; i++)
    if (strlen(c->names[i]) == n && strncmp(c->names[i], ref->name, n) == 0)
      return;
  nova_diag_add(c->l->diag, c->l->file, ref->line, ref->column,
                "$%s means nothing here: neither a credential nor a step "
                "before this one",
                ref->name);
  c->good = false;
}

static void check_refs(struct checker *c, const struct nova_pattern *p) {
  for (; p != NULL; p = p->next)
    nova_pattern_refs(p, check_ref, c);
}

static void charge(struct checker *c, const struct nova_ids *ids) {
  for (size_t i = 0; i < ids->n; i++)
    if (!nova_ids_have(c->all, ids->id[i]) && c->all->n < c->all_cap)
      c->all->id[c->all->n++] = ids->id[i];
}

static void check_binds(struct checker *c, const struct nova_step *s,
                        const struct nova_ids *ids, enum nova_role role) {
  for (size_t i = 0; i < ids->n; i++)
    if (nova_catalog_requirement(c->l->catalog, ids->id[i])->binds != role)
      complain(c, s, "%s does not bind the %s", ids->id[i],
               nova_role_names[role]);
}

/* Over MQTT a message names its packet. */
static void check_message(struct checker *c, const struct nova_step *s) {
  for (const struct nova_pattern *m = s->messages; m != NULL; m = m->next) {
    struct nova_wanted w = nova__wanted(m);
    if (c->script->over == NOVA_OVER_TCP || s->verb == NOVA_VERB_SECURE ||
        s->verb == NOVA_VERB_INSECURE)
      continue;
    if (w.packet == NOVA_MQTT_NONE)
      complain(c, s,
               "which packet is it? expected packet: CONNECT, CONNACK, "
               "PUBLISH, ...");
    else if (nova__member(m, "says") != NULL &&
             (w.packet != NOVA_MQTT_PUBLISH || w.says == NOVA_PAYLOAD_UNKNOWN ||
              w.says == NOVA_PAYLOAD_WILL))
      complain(c, s,
               "says: goes with packet: PUBLISH, and is one of data, "
               "command, answer, status");
  }
}

/* Whether a packet can be made of it: what it is about has to be said. */
static bool can_be_sent(const struct nova_pattern *m) {
  struct nova_wanted w = nova__wanted(m);
  const struct nova_pattern *will = nova__member(m, "will");
  return nova_pattern_makes(m) &&
         (w.packet != NOVA_MQTT_PUBLISH || nova__member(m, "topic") != NULL) &&
         (w.packet != NOVA_MQTT_SUBSCRIBE ||
          nova__member(m, "filters") != NULL) &&
         (w.packet != NOVA_MQTT_SUBACK || nova__member(m, "codes") != NULL) &&
         (will == NULL || will->kind != NOVA_PATTERN_OBJECT ||
          nova__member(will, "topic") != NULL);
}

/* The platform's and the device's steps are those of a harness that is the
 * device. */
static enum nova_role side_of(const struct nova_step *s) {
  return s->actor == NOVA_ACTOR_SERVER ? NOVA_ROLE_SERVER : NOVA_ROLE_DEVICE;
}

static enum nova_role other_side(const struct nova_step *s) {
  return side_of(s) == NOVA_ROLE_DEVICE ? NOVA_ROLE_SERVER : NOVA_ROLE_DEVICE;
}

static void check_steps(struct checker *c, const struct nova_step *s) {
  for (; s != NULL; s = s->next) {
    bool names =
        s->verifies.n + s->relies_on.n + s->observes.n + s->awaits.n != 0;
    bool harness_only = false;
    switch (s->verb) {
    case NOVA_VERB_HALF_CLOSE:
    case NOVA_VERB_RESET:
    case NOVA_VERB_REFUSE:
    case NOVA_VERB_PRESENT:
    case NOVA_VERB_STOP: harness_only = true; break;
    case NOVA_VERB_SECURE:
    case NOVA_VERB_INSECURE:
      if (!names)
        complain(c, s,
                 "which requirement does this check? expected "
                 "verifies, relies_on or observes");
      c->script->harness[side_of(s)] = false;
      break;
    case NOVA_VERB_REPEAT:
      /* One that names a requirement is a beat that can be listened to. */
      harness_only = !names;
      if (names && (s->raw != NULL || s->duration == NULL)) {
        complain(c, s, "what is checked has a message: and for:");
        harness_only = false;
      }
      break;
    case NOVA_VERB_SILENT:
    case NOVA_VERB_OPEN:
    case NOVA_VERB_ATTEMPTS:
      if (!names)
        complain(c, s,
                 "which requirement does this check? expected "
                 "verifies, relies_on or observes");
      /* A harness that is this side is silent, and stays, by itself; it cannot
       * be the one whose connections are counted. */
      if (s->verb == NOVA_VERB_ATTEMPTS)
        c->script->harness[NOVA_ROLE_DEVICE] = false;
      break;
    case NOVA_VERB_SEND:
      harness_only = s->raw != NULL || s->pad != NOVA_PAD_NONE ||
                     s->cut != NOVA_CUT_NONE || s->not_after != NULL ||
                     (s->messages != NULL && s->messages->next != NULL);
      break;
    case NOVA_VERB_HOOK:
      /* The platform is on the server's side: only a harness that plays the
       * device asks it to act. One that is the server sends commands itself. */
      if (s->hook != NOVA_HOOK_SEND_COMMAND || s->output != NULL)
        c->script->harness[NOVA_ROLE_SERVER] = false;
      if (s->output != NULL && !names)
        complain(c, s, "output: needs verifies or relies_on");
      if (strcmp(s->device, "device") == 0)
        c->uses[0] = true;
      else
        c->uses[1] = true;
      break;
    case NOVA_VERB_CLOSE:
      if (s->within != NULL || s->not_before != NULL || s->how != NOVA_HOW_ANY)
        c->script->harness[side_of(s)] = false;
      break;
    case NOVA_VERB_CONNECT:
    case NOVA_VERB_WAIT:
    case NOVA_VERB_ANY_OF:
    case NOVA_VERB_EACH: break;
    }
    if (harness_only) {
      if (names)
        complain(c, s, "the harness does this itself: nothing is checked");
      c->script->harness[other_side(s)] = false;
    } else if (s->verb == NOVA_VERB_SEND || s->verb == NOVA_VERB_CLOSE) {
      /* Without a requirement it cannot be judged, so only the harness can do
       * it. */
      if (!names)
        c->script->harness[other_side(s)] = false;
    }
    if (s->actor == NOVA_ACTOR_PLATFORM && s->verb != NOVA_VERB_HOOK) {
      c->script->harness[NOVA_ROLE_SERVER] = false;
      c->script->needs |= NOVA_NEED_PLATFORM;
    }
    check_message(c, s);
    /* What only checks is for the side that does not send it. */
    for (const struct nova_pattern *m = s->messages;
         m != NULL && s->verb == NOVA_VERB_SEND &&
         c->script->over != NOVA_OVER_TCP;
         m = m->next)
      if (!can_be_sent(m))
        c->script->harness[side_of(s)] = false;
    /* What any_of itself charges is the side's whose reactions it lists. */
    enum nova_actor reacts =
        s->verb == NOVA_VERB_ANY_OF ? s->branches->steps->actor : s->actor;
    enum nova_role judged =
        reacts == NOVA_ACTOR_DEVICE ? NOVA_ROLE_DEVICE : NOVA_ROLE_SERVER;
    /* That it is accepted is the server's part of a connect: a harness that is
     * the server has nothing to judge there. */
    if (s->verb == NOVA_VERB_CONNECT && s->verifies.n != 0 &&
        nova_catalog_requirement(c->l->catalog, s->verifies.id[0])->binds ==
            NOVA_ROLE_SERVER) {
      judged = NOVA_ROLE_SERVER;
      c->script->harness[NOVA_ROLE_SERVER] = false;
    }
    check_binds(c, s, &s->verifies, judged);
    check_binds(c, s, &s->early, judged);
    check_binds(c, s, &s->observes, judged);
    check_binds(c, s, &s->missing, judged);
    check_binds(c, s, &s->awaits, judged);
    charge(c, &s->missing);
    charge(c, &s->awaits);
    charge(c, &s->verifies);
    charge(c, &s->early);
    charge(c, &s->observes);
    check_refs(c, s->messages);
    check_refs(c, s->given);
    check_refs(c, s->pad_to);
    for (const struct nova_raw *r = s->raw; r != NULL; r = r->next)
      check_refs(c, r->json);
    check_refs(c, s->command);
    check_refs(c, s->params);
    check_refs(c, s->output);
    if (s->from != NULL) {
      size_t i = 0;
      while (i < c->named && strcmp(c->names[i], s->from) != 0)
        i++;
      if (i == c->named)
        complain(c, s, "from: no step before this one has as: %s", s->from);
    }
    if (s->as != NULL) {
      if (c->named < sizeof c->names / sizeof *c->names)
        c->names[c->named++] = s->as;
      else
        complain(c, s, "too many named steps");
    }
    c->script->hazard |= s->hazard;
    for (const struct nova_branch *b = s->branches; b != NULL; b = b->next)
      check_steps(c, b->steps);
  }
}

static bool check_script(struct nova_loader *l, struct nova_script *s,
                         const struct nova_node *root) {
  struct checker c = {.l = l, .script = s, .all = &s->verifies, .good = true};
  c.all_cap = l->catalog->requirement_count;
  s->verifies.id = NOVA_NEW_ARRAY(l->arena, const char *, c.all_cap + 1);
  if (s->verifies.id == NULL)
    return false;
  s->harness[NOVA_ROLE_DEVICE] = s->harness[NOVA_ROLE_SERVER] = true;
  check_steps(&c, s->steps);
  s->devices = c.uses[1] ? 2 : c.uses[0] ? 1 : 0;
  if (c.good && !s->harness[0] && !s->harness[1]) {
    nova__complain(
        l, root,
        "no side can play this: a step of each side is for the "
        "harness only, or awaits something and names no requirement");
    return false;
  }
  return c.good;
}

/* --- conversations
 * ------------------------------------------------------------
 */

/* withholds: [CONNACK, PUBACK] */
static bool withholds(struct nova_loader *l, const struct nova_node *list,
                      struct nova_script *s) {
  if (list->kind != NOVA_NODE_LIST || s->over == NOVA_OVER_TCP) {
    nova__complain(l, list, "expected a list of MQTT packets");
    return false;
  }
  for (const struct nova_node *n = list->child; n != NULL; n = n->next) {
    enum nova_mqtt_type t =
        n->kind == NOVA_NODE_SCALAR
            ? nova__packet_type((struct nova_view){n->text, n->len})
            : NOVA_MQTT_NONE;
    if (t == NOVA_MQTT_NONE || t == NOVA_MQTT_CONNECT ||
        t == NOVA_MQTT_PUBLISH || t == NOVA_MQTT_SUBSCRIBE ||
        t == NOVA_MQTT_UNSUBSCRIBE || t == NOVA_MQTT_PINGREQ ||
        t == NOVA_MQTT_DISCONNECT) {
      nova__complain(l, n, "expected an answer, such as CONNACK or PUBACK");
      return false;
    }
    s->withholds |= 1u << t;
  }
  return true;
}

static struct nova_script *script(struct nova_loader *l,
                                  const struct nova_node *root,
                                  const char *source, const char *suffix) {
  struct nova_script *s = NOVA_NEW(l->arena, struct nova_script);
  if (s == NULL)
    return NULL;
  s->base = nova__scalar(l, nova_node_get(root, "conversation"), "an id");
  const struct nova_node *transport = nova_node_get(root, "transport");
  const struct nova_node *title = nova_node_get(root, "title");
  const struct nova_node *why = nova_node_get(root, "why");
  const struct nova_node *mend = nova_node_get(root, "mend");
  const struct nova_node *other = nova_node_get(root, "other");
  const struct nova_node *last = nova_node_get(root, "last");
  const struct nova_node *needs = nova_node_get(root, "needs");
  const struct nova_node *pongs = nova_node_get(root, "pongs");
  const struct nova_node *steps = nova_node_get(root, "steps");
  if (s->base == NULL || title == NULL || transport == NULL || steps == NULL) {
    nova__complain(l, root,
                   "a conversation needs conversation, title, "
                   "transport and steps");
    return NULL;
  }
  s->id = suffix != NULL ? nova_arena_printf(l->arena, "%s-%s", s->base, suffix)
                         : s->base;
  s->file = l->file;
  s->line = root->line;
  s->source = source;
  s->transport = nova__scalar(l, transport, "tcp, mqtt or mqtts");
  if (s->transport == NULL || s->id == NULL)
    return NULL;
  int over = nova__pick(l, root, "transport", nova_link_names, 3);
  if (over < 0)
    return NULL;
  s->over = (enum nova_link_kind)over;
  const struct nova_node *held = nova_node_get(root, "withholds");
  const struct nova_node *client = nova_node_get(root, "client");
  if (held != NULL && !withholds(l, held, s))
    return NULL;
  if (client != NULL) {
    s->library = client->kind == NOVA_NODE_SCALAR &&
                 strcmp(client->text, "libmosquitto") == 0;
    if (!s->library || s->over == NOVA_OVER_TCP) {
      nova__complain(l, client, "expected libmosquitto, over MQTT");
      return NULL;
    }
  }
  if (!nova__text(l, title, &s->title) ||
      (why != NULL && !nova__text(l, why, &s->why)) ||
      (mend != NULL && !nova__text(l, mend, &s->mend)) ||
      (last != NULL && !nova__flag(l, last, &s->last)) ||
      (needs != NULL && !nova__needs(l, needs, &s->needs)))
    return NULL;
  if (pongs != NULL) {
    bool answered = true;
    if (!nova__flag(l, pongs, &answered))
      return NULL;
    s->no_pongs = !answered;
  }
  if (other != NULL) {
    if (other->kind != NOVA_NODE_SCALAR ||
        strcmp(other->text, "preferred") != 0) {
      nova__complain(l, other, "expected preferred");
      return NULL;
    }
    s->other_preferred = true;
  }
  unsigned number = 0;
  if (!nova__steps(l, steps, s, &s->steps, &number, 0))
    return NULL;
  s->step_count = number;
  return check_script(l, s, root) ? s : NULL;
}

static bool id_text(const char *id) {
  for (; *id != '\0'; id++)
    if (!((*id >= 'a' && *id <= 'z') || (*id >= '0' && *id <= '9') ||
          *id == '-'))
      return false;
  return true;
}

int nova__load_conversation(struct nova_loader *l, const struct nova_node *root,
                            const char *source) {
  static const char *const known[] = {
      "conversation", "title", "why",   "mend",  "transport", "other",  "cases",
      "needs",        "last",  "pongs", "steps", "withholds", "client", NULL};
  if (!nova__known_keys(l, root, known))
    return NOVA_ERR_ARGUMENT;
  const struct nova_node *name = nova_node_get(root, "conversation");
  const struct nova_node *cases = nova_node_get(root, "cases");
  if (name->kind != NOVA_NODE_SCALAR || name->len == 0 ||
      !id_text(name->text)) {
    nova__complain(l, name, "an id has small letters, digits and hyphens");
    return NOVA_ERR_ARGUMENT;
  }
  if (cases != NULL && (cases->kind != NOVA_NODE_MAP || cases->count == 0)) {
    nova__complain(l, cases, "expected cases: and a map of them");
    return NOVA_ERR_ARGUMENT;
  }
  const struct nova_node *each = cases != NULL ? cases->child : NULL;
  do {
    const struct nova_node *body = root;
    if (each != NULL) {
      if (!id_text(each->key->text) || each->kind != NOVA_NODE_MAP) {
        nova__complain(l, each,
                       "a case has a name of small letters, digits and "
                       "hyphens, and a map of values");
        return NOVA_ERR_ARGUMENT;
      }
      body = nova__substitute(l, root, "$case.", each);
      if (body == NULL)
        return NOVA_ERR_ARGUMENT;
    }
    struct nova_script *s =
        script(l, body, source, each != NULL ? each->key->text : NULL);
    if (s == NULL)
      return NOVA_ERR_ARGUMENT;
    if (nova_catalog_script(l->catalog, s->id) != NULL) {
      nova__complain(l, root, "the conversation %s stands twice", s->id);
      return NOVA_ERR_ARGUMENT;
    }
    struct nova_script **link = &l->catalog->scripts;
    while (*link != NULL)
      link = &(*link)->next;
    *link = s;
    l->catalog->script_count++;
    each = each != NULL ? each->next : NULL;
  } while (each != NULL);
  return 0;
}
