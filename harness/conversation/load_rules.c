/* The loader of rules. */
#include "conversation/load.h"

#include "base/error.h"
#include "conversation/wanted.h"

#include <stdlib.h>

/* What a rule on messages and on connections has besides. */
static bool about_messages(struct nova_loader *l, const struct nova_node *n,
                           struct nova_rule *r) {
  const struct nova_node *m = nova_node_get(n, "message");
  const struct nova_node *which = nova_node_get(n, "which");
  const struct nova_node *within = nova_node_get(n, "within");
  r->type = nova__word(l, n, "type");
  if (r->type == NULL)
    return false;
  const struct nova_node *transport = nova_node_get(n, "transport");
  const struct nova_node *when = nova_node_get(n, "when");
  if (transport != NULL) {
    if (nova__pick(l, n, "transport", nova_link_names, 2) < 0)
      return false;
    r->mqtt = strcmp(transport->text, "mqtt") == 0;
  }
  if (r->mqtt && r->every == NOVA_RULE_MESSAGE) {
    r->packet = nova__packet_type(nova_view_of(r->type));
    r->says = nova_payload_find(nova_view_of(r->type));
    if (r->packet == NOVA_MQTT_NONE &&
        (r->says == NOVA_PAYLOAD_UNKNOWN || r->says == NOVA_PAYLOAD_WILL)) {
      nova__complain(l, nova_node_get(n, "type"),
                     "expected an MQTT packet (CONNECT, ...), or data, "
                     "command, answer, status");
      return false;
    }
  }
  if (when != NULL && (!r->mqtt || r->every != NOVA_RULE_MESSAGE ||
                       (r->when = nova_pattern_compile(when, l->file, l->arena,
                                                       l->diag)) == NULL)) {
    nova__complain(l, when, "when: goes with messages of MQTT");
    return false;
  }
  if (r->every == NOVA_RULE_MESSAGE) {
    if (m == NULL || m->kind != NOVA_NODE_MAP) {
      nova__complain(l, n,
                     "a rule on messages needs type: and message: "
                     "(a map of its members)");
      return false;
    }
    r->message = nova_pattern_compile(m, l->file, l->arena, l->diag);
    return r->message != NULL;
  }
  if (r->every == NOVA_RULE_ANSWER) {
    if (strcmp(r->type, "command_response") == 0)
      return true;
    nova__complain(l, n,
                   "only a command_response answers: expected type: "
                   "command_response");
    return false;
  }
  if ((which != NULL) == (within != NULL)) {
    nova__complain(l, n, "a rule on connections needs which: or within:");
    return false;
  }
  if (within != NULL)
    return (r->within = nova__span(l, within)) != NULL;
  bool first =
      which->kind == NOVA_NODE_SCALAR && strcmp(which->text, "first") == 0;
  bool again =
      which->kind == NOVA_NODE_SCALAR && strcmp(which->text, "again") == 0;
  if (!first && !again) {
    nova__complain(l, which, "expected first or again");
    return false;
  }
  r->which = first ? NOVA_WHICH_FIRST : NOVA_WHICH_AGAIN;
  return true;
}

static bool longest(struct nova_loader *l, const struct nova_node *n,
                    struct nova_rule *r) {
  char *end = NULL;
  unsigned long v =
      n->kind == NOVA_NODE_SCALAR ? strtoul(n->text, &end, 10) : 0;
  if (r->every != NOVA_RULE_LINE || end == NULL || *end != '\0' || v == 0 ||
      v > 1u << 24) {
    nova__complain(l, n,
                   "longest: goes with every: line and is a number of "
                   "bytes");
    return false;
  }
  r->longest = v;
  return true;
}

static struct nova_rule *rule(struct nova_loader *l,
                              const struct nova_node *n) {
  static const char *const known[] = {
      "rule",  "title",     "why",       "mend",  "of",     "every",
      "type",  "message",   "longest",   "which", "within", "verifies",
      "needs", "otherwise", "transport", "when",  NULL};
  static const char *const every[] = {"line",       "message", "stream",
                                      "connection", "answer",  "packet",
                                      "keep_alive"};
  struct nova_rule *r = NOVA_NEW(l->arena, struct nova_rule);
  if (r == NULL)
    return NULL;
  r->file = l->file;
  r->line = n->line;
  r->column = n->column;
  bool good = nova__known_keys(l, n, known);
  r->id = nova__word(l, n, "rule");
  int of = nova__pick(l, n, "of", nova_role_names, 2);
  int kind = nova__pick(l, n, "every", every, sizeof every / sizeof *every);
  const struct {
    const char *key;
    struct nova_text *to;
  } texts[] = {{"title", &r->title}, {"why", &r->why}, {"mend", &r->mend}};
  for (size_t i = 0; i < 3; i++) {
    const struct nova_node *t = nova_node_get(n, texts[i].key);
    good = good && (t == NULL || nova__text(l, t, texts[i].to));
  }
  struct nova_ids ids = {0};
  const struct nova_node *v = nova_node_get(n, "verifies");
  if (v == NULL || v->kind != NOVA_NODE_SCALAR) {
    nova__complain(l, n, "expected verifies: and one requirement id");
    return NULL;
  }
  if (!good || r->id == NULL || of < 0 || kind < 0 || !nova__ids(l, v, &ids))
    return NULL;
  r->of = (enum nova_role)of;
  r->every = (enum nova_rule_every)kind;
  r->verifies = ids.id[0];
  if (nova_catalog_requirement(l->catalog, r->verifies)->binds != r->of) {
    nova__complain(l, v, "%s does not bind the %s", r->verifies,
                   nova_role_names[of]);
    return NULL;
  }
  const struct nova_node *of_mqtt = nova_node_get(n, "transport");
  const struct nova_node *when = nova_node_get(n, "when");
  if (r->every != NOVA_RULE_MESSAGE && (of_mqtt != NULL || when != NULL)) {
    nova__complain(l, of_mqtt != NULL ? of_mqtt : when,
                   "transport: and when: go with every: message");
    return NULL;
  }
  const struct nova_node *needs = nova_node_get(n, "needs");
  const struct nova_node *most = nova_node_get(n, "longest");
  const struct nova_node *otherwise = nova_node_get(n, "otherwise");
  if (otherwise != NULL) {
    r->or_not_applicable = otherwise->kind == NOVA_NODE_SCALAR &&
                           strcmp(otherwise->text, "not_applicable") == 0;
    if (!r->or_not_applicable) {
      nova__complain(l, otherwise, "expected not_applicable");
      return NULL;
    }
  }
  bool messages = r->every == NOVA_RULE_MESSAGE ||
                  r->every == NOVA_RULE_CONNECTION ||
                  r->every == NOVA_RULE_ANSWER;
  return (needs == NULL || nova__needs(l, needs, &r->needs)) &&
                 (most == NULL || longest(l, most, r)) &&
                 (!messages || about_messages(l, n, r))
             ? r
             : NULL;
}

int nova__load_rules(struct nova_loader *l, const struct nova_node *root) {
  const struct nova_node *list = nova_node_get(root, "rules");
  if (list->kind != NOVA_NODE_LIST) {
    nova__complain(l, list, "expected a list of rules");
    return NOVA_ERR_ARGUMENT;
  }
  struct nova_rule **link = &l->catalog->rules;
  while (*link != NULL)
    link = &(*link)->next;
  for (const struct nova_node *n = list->child; n != NULL; n = n->next) {
    if (n->kind != NOVA_NODE_MAP) {
      nova__complain(l, n, "expected a rule");
      continue;
    }
    struct nova_rule *r = rule(l, n);
    if (r == NULL)
      continue;
    for (const struct nova_rule *o = l->catalog->rules; o != NULL; o = o->next)
      if (strcmp(o->id, r->id) == 0)
        nova__complain(l, n, "the rule %s stands twice", r->id);
    *link = r;
    link = &r->next;
    l->catalog->rule_count++;
  }
  return 0;
}
