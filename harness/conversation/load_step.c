/* The loader of steps. */
#include "conversation/load.h"

#include "base/utf8.h"
#include "conversation/wanted.h"

#include <stdio.h>
#include <stdlib.h>

#define NESTING    4
#define STEPS_MOST 512
/* The player knows the times of so many connections, and one more. */
#define ATTEMPTS_MOST 255

/* Which keys a verb takes, for "unknown key" messages; the actor key and `on`
 * are allowed everywhere. */
static const struct {
  const char *name;
  enum nova_verb verb;
  const char *keys;
} verbs[] = {
    {"connect", NOVA_VERB_CONNECT, " as within not_before from tls "},
    {"send", NOVA_VERB_SEND,
     " as message messages raw pad segments pause not_after within not_before "
     "from hazard "},
    {"close", NOVA_VERB_CLOSE, " as how within not_before from "},
    {"half_close", NOVA_VERB_HALF_CLOSE, " as "},
    {"reset", NOVA_VERB_RESET, " as "},
    {"repeat", NOVA_VERB_REPEAT, " message raw every for from hazard "},
    {"stop", NOVA_VERB_STOP, " "},
    {"silent", NOVA_VERB_SILENT, " message for from attempts "},
    {"open", NOVA_VERB_OPEN, " for from "},
    {"attempts", NOVA_VERB_ATTEMPTS, " at_most for from "},
    {"refuse", NOVA_VERB_REFUSE, " after message "},
    {"secure", NOVA_VERB_SECURE, " as message within from "},
    {"insecure", NOVA_VERB_INSECURE, " as message within from "},
    {"present", NOVA_VERB_PRESENT, " certificate lowest highest asks "},
};

#define JUDGING                                                                \
  " on verifies early relies_on presupposes observes missing awaits probe "    \
  "needs unless given "

static bool listed(const char *keys, const char *key) {
  char padded[64];
  snprintf(padded, sizeof padded, " %s ", key);
  return strstr(keys, padded) != NULL;
}

static bool known(struct nova_loader *l, const struct nova_node *n,
                  const char *keys, const char *actor) {
  bool good = true;
  for (const struct nova_node *c = n->child; c != NULL; c = c->next)
    if (strcmp(c->key->text, actor) != 0 && !listed(keys, c->key->text) &&
        !listed(JUDGING, c->key->text)) {
      nova__complain(l, c->key, "\"%s\" does not go with this step",
                     c->key->text);
      good = false;
    }
  return good;
}

/* --- values
 * -------------------------------------------------------------------
 */

struct nova_span *nova__span(struct nova_loader *l, const struct nova_node *n) {
  const char *text = nova__scalar(l, n, "a span such as 2s or $idle_timeout");
  if (text == NULL)
    return NULL;
  size_t offset = 0;
  const char *why = NULL;
  struct nova_span *s =
      nova_span_read(l->arena, nova_view_of(text), &offset, &why);
  if (s == NULL)
    nova_diag_add(l->diag, l->file, n->line, n->column + (unsigned)offset, "%s",
                  why);
  return s;
}

static bool spans(struct nova_loader *l, const struct nova_node *n,
                  struct nova_step *s) {
  const struct {
    const char *key;
    struct nova_span **to;
  } all[] = {
      {"within", &s->within},       {"not_before", &s->not_before},
      {"for", &s->duration},        {"every", &s->every},
      {"not_after", &s->not_after}, {"pause", &s->pause},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    const struct nova_node *c = nova_node_get(n, all[i].key);
    if (c != NULL && (*all[i].to = nova__span(l, c)) == NULL)
      return false;
  }
  return true;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "ff 00": pairs of hexadecimal digits, white space between pairs. */
static bool hex(struct nova_loader *l, const struct nova_node *n,
                struct nova_view *out) {
  char *bytes = nova_arena_alloc(l->arena, n->len / 2 + 1);
  if (bytes == NULL)
    return false;
  size_t k = 0;
  for (size_t i = 0; i < n->len;) {
    if (n->text[i] == ' ') {
      i++;
      continue;
    }
    int high = hex_digit(n->text[i]);
    int low = i + 1 < n->len ? hex_digit(n->text[i + 1]) : -1;
    if (high < 0 || low < 0) {
      nova_diag_add(l->diag, l->file, n->line, n->column + (unsigned)i,
                    "expected pairs of hexadecimal digits");
      return false;
    }
    bytes[k++] = (char)(high << 4 | low);
    i += 2;
  }
  *out = (struct nova_view){bytes, k};
  return true;
}

static bool number_of(struct nova_loader *l, const struct nova_node *n,
                      unsigned long most, uint32_t *out) {
  char *end = NULL;
  unsigned long v = n->kind == NOVA_NODE_SCALAR && n->len != 0 &&
                            n->text[0] >= '0' && n->text[0] <= '9'
                        ? strtoul(n->text, &end, 10)
                        : 0;
  if (end == NULL || *end != '\0' || v > most) {
    nova__complain(l, n, "expected a number from 0 to %lu", most);
    return false;
  }
  *out = (uint32_t)v;
  return true;
}

static struct nova_pattern *pattern(struct nova_loader *l,
                                    const struct nova_node *n) {
  return nova_pattern_compile(n, l->file, l->arena, l->diag);
}

/* One piece: text, {text: ..., times: n}, {hex: ..., times: n} or
 * {json: ..., times: n}. */
static struct nova_raw *raw_piece(struct nova_loader *l,
                                  const struct nova_node *n) {
  static const char *const keys[] = {"text", "hex", "json", "times", NULL};
  struct nova_raw *r = NOVA_NEW(l->arena, struct nova_raw);
  if (r == NULL)
    return NULL;
  r->times = 1;
  if (n->kind == NOVA_NODE_SCALAR) {
    r->bytes = (struct nova_view){n->text, n->len};
    return r;
  }
  const struct nova_node *text = nova_node_get(n, "text");
  const struct nova_node *bytes = nova_node_get(n, "hex");
  const struct nova_node *json = nova_node_get(n, "json");
  const struct nova_node *times = nova_node_get(n, "times");
  if (n->kind != NOVA_NODE_MAP ||
      (text != NULL) + (bytes != NULL) + (json != NULL) != 1) {
    nova__complain(l, n,
                   "expected text, {text: ...}, {hex: ...} or "
                   "{json: ...}, each with times: if wanted");
    return NULL;
  }
  if (!nova__known_keys(l, n, keys) ||
      (times != NULL && !number_of(l, times, 16u << 20, &r->times)))
    return NULL;
  if (bytes != NULL)
    return hex(l, bytes, &r->bytes) ? r : NULL;
  if (json != NULL)
    return (r->json = pattern(l, json)) != NULL ? r : NULL;
  r->bytes = (struct nova_view){text->text, text->len};
  return r;
}

static bool raw(struct nova_loader *l, const struct nova_node *n,
                struct nova_step *s) {
  if (n->kind != NOVA_NODE_LIST)
    return (s->raw = raw_piece(l, n)) != NULL;
  struct nova_raw **link = &s->raw;
  for (const struct nova_node *c = n->child; c != NULL; c = c->next) {
    *link = raw_piece(l, c);
    if (*link == NULL)
      return false;
    link = &(*link)->next;
  }
  return true;
}

static bool messages(struct nova_loader *l, const struct nova_node *n,
                     struct nova_step *s) {
  const struct nova_node *one = nova_node_get(n, "message");
  const struct nova_node *many = nova_node_get(n, "messages");
  const struct nova_node *bytes = nova_node_get(n, "raw");
  if ((one != NULL) + (many != NULL) + (bytes != NULL) > 1) {
    nova__complain(l, n, "only one of message, messages and raw");
    return false;
  }
  if (bytes != NULL)
    return raw(l, bytes, s);
  if (one != NULL) {
    if (one->kind != NOVA_NODE_MAP) {
      nova__complain(l, one, "expected the message's members");
      return false;
    }
    s->messages = pattern(l, one);
    s->wanted = nova__wanted(s->messages);
    return s->messages != NULL;
  }
  if (many == NULL)
    return true;
  if (many->kind != NOVA_NODE_LIST || many->count == 0) {
    nova__complain(l, many, "expected a list of messages");
    return false;
  }
  struct nova_pattern **link = &s->messages;
  for (const struct nova_node *c = many->child; c != NULL; c = c->next) {
    *link = pattern(l, c);
    if (*link == NULL)
      return false;
    link = &(*link)->next;
  }
  s->wanted = nova__wanted(s->messages);
  return true;
}

/* pad: {to: BYTES, where: before|inside|after} */
static bool pad(struct nova_loader *l, const struct nova_node *n,
                struct nova_step *s) {
  static const char *const keys[] = {"to", "where", NULL};
  const struct nova_node *to = nova_node_get(n, "to");
  const struct nova_node *where = nova_node_get(n, "where");
  if (n->kind != NOVA_NODE_MAP || to == NULL || where == NULL ||
      !nova__known_keys(l, n, keys)) {
    nova__complain(l, n,
                   "expected {to: BYTES, where: before, inside or after}");
    return false;
  }
  static const char *const names[] = {"before", "inside", "after"};
  for (unsigned i = 0; i < 3; i++)
    if (where->kind == NOVA_NODE_SCALAR && strcmp(where->text, names[i]) == 0)
      s->pad = (enum nova_pad)(NOVA_PAD_BEFORE + i);
  if (s->pad == NOVA_PAD_NONE) {
    nova__complain(l, where, "expected before, inside or after");
    return false;
  }
  return (s->pad_to = pattern(l, to)) != NULL;
}

/* "1.0" to "1.3" */
static bool version(struct nova_loader *l, const struct nova_node *map,
                    const char *key, enum nova_tls_version *out) {
  static const char *const names[] = {"1.0", "1.1", "1.2", "1.3"};
  if (nova_node_get(map, key) == NULL)
    return true;
  int i = nova__pick(l, map, key, names, 4);
  *out = (enum nova_tls_version)(NOVA_TLS_1_0 + i);
  return i >= 0;
}

/* lowest: and highest: of a map. */
static bool versions(struct nova_loader *l, const struct nova_node *map,
                     struct nova_tls_wish *out) {
  if (!version(l, map, "lowest", &out->lowest) ||
      !version(l, map, "highest", &out->highest))
    return false;
  enum nova_tls_version lowest =
      out->lowest != NOVA_TLS_ANY ? out->lowest : NOVA_TLS_1_2;
  if (out->highest == NOVA_TLS_ANY || lowest <= out->highest)
    return true;
  nova__complain(l, nova_node_get(map, "highest"),
                 "lowest: is above highest: (it is \"1.2\" where it is left "
                 "out)");
  return false;
}

/* lowest:, highest:, certificate:, asks: of present */
static bool presents(struct nova_loader *l, const struct nova_node *n,
                     struct nova_step *s) {
  const struct nova_node *asks = nova_node_get(n, "asks");
  int which = nova_node_get(n, "certificate") != NULL
                  ? nova__pick(l, n, "certificate", nova_certificate_names,
                               NOVA_CERTIFICATES)
                  : 0;
  s->tls.certificate =
      (enum nova_certificate)(which >= 0 ? which : NOVA_CERTIFICATE_GOOD);
  return which >= 0 && versions(l, n, &s->tls) &&
         (asks == NULL || nova__flag(l, asks, &s->tls.asks));
}

/* tls: {lowest: "1.2", highest: "1.2", own: false, anyone: true} of connect */
static bool tls(struct nova_loader *l, const struct nova_node *n,
                struct nova_step *s) {
  static const char *const keys[] = {"lowest", "highest", "own", "anyone",
                                     NULL};
  if (n->kind != NOVA_NODE_MAP) {
    nova__complain(l, n,
                   "expected {lowest: ..., highest: ..., own: ..., "
                   "anyone: ...}");
    return false;
  }
  const struct nova_node *own = nova_node_get(n, "own");
  const struct nova_node *anyone = nova_node_get(n, "anyone");
  bool has = true;
  if (!nova__known_keys(l, n, keys) || !versions(l, n, &s->tls) ||
      (own != NULL && !nova__flag(l, own, &has)) ||
      (anyone != NULL && !nova__flag(l, anyone, &s->tls.anyone)))
    return false;
  s->tls.no_own = !has;
  return true;
}

/* segments: bytes | inside_character | [offset, ...] */
static bool segments(struct nova_loader *l, const struct nova_node *n,
                     struct nova_step *s) {
  if (n->kind == NOVA_NODE_SCALAR && strcmp(n->text, "bytes") == 0) {
    s->cut = NOVA_CUT_BYTES;
    return true;
  }
  if (n->kind == NOVA_NODE_SCALAR && strcmp(n->text, "inside_character") == 0) {
    s->cut = NOVA_CUT_CHARACTER;
    return true;
  }
  if (n->kind != NOVA_NODE_LIST || n->count == 0 || n->count > 8) {
    nova__complain(l, n,
                   "expected bytes, inside_character or a list of at "
                   "most 8 offsets");
    return false;
  }
  s->cut = NOVA_CUT_AT;
  for (const struct nova_node *c = n->child; c != NULL; c = c->next) {
    if (!number_of(l, c, 16u << 20, &s->cut_at[s->cuts]))
      return false;
    if (s->cuts != 0 && s->cut_at[s->cuts] <= s->cut_at[s->cuts - 1]) {
      nova__complain(l, c, "the offsets have to rise");
      return false;
    }
    s->cuts++;
  }
  return true;
}

static bool how(struct nova_loader *l, const struct nova_node *n,
                struct nova_step *s) {
  static const char *const names[] = {"any", "fin", "rst"};
  for (unsigned i = 0; i < 3; i++)
    if (n->kind == NOVA_NODE_SCALAR && strcmp(n->text, names[i]) == 0) {
      s->how = (enum nova_how)i;
      return true;
    }
  nova__complain(l, n, "expected any, fin or rst");
  return false;
}

/* --- judging
 * ------------------------------------------------------------------
 */

static bool judging(struct nova_loader *l, const struct nova_node *n,
                    struct nova_step *s) {
  const struct {
    const char *key;
    struct nova_ids *to;
  } all[] = {
      {"verifies", &s->verifies},       {"early", &s->early},
      {"relies_on", &s->relies_on},     {"observes", &s->observes},
      {"presupposes", &s->presupposes}, {"missing", &s->missing},
      {"awaits", &s->awaits},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    const struct nova_node *c = nova_node_get(n, all[i].key);
    if (c != NULL && !nova__ids(l, c, all[i].to))
      return false;
  }
  const struct nova_node *probe = nova_node_get(n, "probe");
  const struct nova_node *hazard = nova_node_get(n, "hazard");
  const struct nova_node *needs = nova_node_get(n, "needs");
  const struct nova_node *unless = nova_node_get(n, "unless");
  const struct nova_node *given = nova_node_get(n, "given");
  if (given != NULL) {
    s->given = pattern(l, given);
    if (s->given == NULL)
      return false;
    if (s->given->kind != NOVA_PATTERN_REF) {
      nova__complain(l, given, "expected a reference such as $order.packet_id");
      return false;
    }
  }
  return (probe == NULL || nova__flag(l, probe, &s->probe)) &&
         (hazard == NULL || nova__flag(l, hazard, &s->hazard)) &&
         (needs == NULL || nova__needs(l, needs, &s->needs)) &&
         (unless == NULL || nova__needs(l, unless, &s->unless));
}

/* The connection's index, a new one where it was not named before. */
static bool slot(struct nova_loader *l, const struct nova_node *n,
                 struct nova_script *script, struct nova_step *s) {
  const struct nova_node *on = nova_node_get(n, "on");
  if (s->verb == NOVA_VERB_SILENT && on != NULL &&
      on->kind == NOVA_NODE_SCALAR && strcmp(on->text, "every") == 0) {
    s->everywhere = true;
    return true;
  }
  if (s->verb == NOVA_VERB_ATTEMPTS || s->verb == NOVA_VERB_REFUSE ||
      s->verb == NOVA_VERB_PRESENT) {
    if (on == NULL)
      return true;
    nova__complain(l, on, "this is about every connection: no on:");
    return false;
  }
  s->on = on != NULL ? nova__scalar(l, on, "a connection's name") : "main";
  if (s->on == NULL)
    return false;
  size_t i = 0;
  while (i < script->connections && strcmp(script->connection[i], s->on) != 0)
    i++;
  if (i == NOVA_CONNECTIONS) {
    nova__complain(l, on, "more than %d connections", NOVA_CONNECTIONS);
    return false;
  }
  if (i == script->connections) {
    if (s->verb != NOVA_VERB_CONNECT) {
      nova__complain(l, on != NULL ? on : n,
                     "the connection \"%s\" was not opened before", s->on);
      return false;
    }
    script->connection[script->connections++] = s->on;
    script->platform[i] = s->actor == NOVA_ACTOR_PLATFORM;
    script->platforms += script->platform[i];
  }
  s->slot = i;
  if (s->actor != NOVA_ACTOR_SERVER &&
      script->platform[i] != (s->actor == NOVA_ACTOR_PLATFORM)) {
    nova__complain(l, on != NULL ? on : n, "the connection \"%s\" is the %s's",
                   s->on, script->platform[i] ? "platform" : "device");
    return false;
  }
  return true;
}

/* What a step of this shape has to say. */
static bool complete(struct nova_loader *l, const struct nova_node *n,
                     const struct nova_step *s) {
  bool spoken = s->messages != NULL || s->raw != NULL;
  if ((s->verb == NOVA_VERB_SEND || s->verb == NOVA_VERB_REPEAT) && !spoken) {
    nova__complain(l, n, "what is sent? expected message, messages or raw");
    return false;
  }
  if ((s->verb == NOVA_VERB_SILENT || s->verb == NOVA_VERB_OPEN ||
       s->verb == NOVA_VERB_WAIT || s->verb == NOVA_VERB_ATTEMPTS) &&
      s->duration == NULL) {
    nova__complain(l, n, "for how long? expected for: SPAN");
    return false;
  }
  if (s->verb == NOVA_VERB_SILENT && !s->everywhere &&
      nova_node_get(n, "attempts") != NULL) {
    nova__complain(l, nova_node_get(n, "attempts"),
                   "attempts: goes with on: every");
    return false;
  }
  if (s->verb == NOVA_VERB_REPEAT && s->every == NULL) {
    nova__complain(l, n, "how often? expected every: SPAN");
    return false;
  }
  if (s->early.n != 0 && s->not_before == NULL) {
    nova__complain(l, n, "early: needs not_before:");
    return false;
  }
  if (s->missing.n != 0 && (s->verb != NOVA_VERB_SEND || s->verifies.n == 0)) {
    nova__complain(l, n, "missing: goes with verifies: of a send");
    return false;
  }
  if (s->verb == NOVA_VERB_ATTEMPTS &&
      (s->from == NULL || nova_node_get(n, "at_most") == NULL)) {
    nova__complain(l, n,
                   "how many, and since when? expected at_most: and "
                   "from:");
    return false;
  }
  return true;
}

static bool is_hook(const char *name) {
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    if (strcmp(name, nova_hook_names[h]) == 0)
      return true;
  return false;
}

static bool hook(struct nova_loader *l, const struct nova_node *n,
                 const char *name, struct nova_step *s) {
  s->verb = NOVA_VERB_HOOK;
  unsigned h = 0;
  while (h < NOVA_HOOKS && strcmp(name, nova_hook_names[h]) != 0)
    h++;
  if (h == NOVA_HOOKS) {
    nova__complain(l, n, "there is no hook \"%s\"", name);
    return false;
  }
  s->hook = (enum nova_hook)h;
  s->needs |= 1u << h;
  const struct nova_node *device = nova_node_get(n, "device");
  const struct nova_node *command = nova_node_get(n, "command");
  const struct nova_node *params = nova_node_get(n, "params");
  const struct nova_node *output = nova_node_get(n, "output");
  s->device = device != NULL ? device->text : "";
  if (strcmp(s->device, "$device") != 0 && strcmp(s->device, "$other") != 0) {
    nova__complain(l, device != NULL ? device : n,
                   "expected device: $device or $other");
    return false;
  }
  s->device++;
  if (h == NOVA_HOOK_SEND_COMMAND && (command == NULL || params == NULL)) {
    nova__complain(l, n, "send_command needs command: and params:");
    return false;
  }
  return (command == NULL || (s->command = pattern(l, command)) != NULL) &&
         (params == NULL || (s->params = pattern(l, params)) != NULL) &&
         (output == NULL || (s->output = pattern(l, output)) != NULL);
}

static bool branches(struct nova_loader *l, const struct nova_node *list,
                     struct nova_script *script, struct nova_step *s,
                     unsigned *number, unsigned depth) {
  s->verb = NOVA_VERB_ANY_OF;
  if (list->kind != NOVA_NODE_LIST || list->count < 2 || list->count > 8) {
    nova__complain(l, list, "expected 2 to 8 branches, each a list of steps");
    return false;
  }
  struct nova_branch **link = &s->branches;
  for (const struct nova_node *c = list->child; c != NULL; c = c->next) {
    struct nova_branch *b = NOVA_NEW(l->arena, struct nova_branch);
    if (b == NULL)
      return false;
    if (c->kind != NOVA_NODE_LIST || c->count == 0) {
      nova__complain(l, c, "expected a branch: a list of steps");
      return false;
    }
    if (!nova__steps(l, c, script, &b->steps, number, depth + 1))
      return false;
    enum nova_verb first = b->steps->verb;
    if ((first != NOVA_VERB_SEND && first != NOVA_VERB_CLOSE &&
         first != NOVA_VERB_SILENT && first != NOVA_VERB_CONNECT &&
         first != NOVA_VERB_SECURE && first != NOVA_VERB_INSECURE) ||
        b->steps->actor == NOVA_ACTOR_NOBODY) {
      nova__complain(l, c,
                     "a branch has to begin with what is awaited: send, "
                     "close, connect, silent, secure or insecure");
      return false;
    }
    *link = b;
    link = &b->next;
  }
  return true;
}

/* each: actuator, with the steps of one round. */
static bool each(struct nova_loader *l, const struct nova_node *n,
                 struct nova_script *script, struct nova_step *s,
                 unsigned *number, unsigned depth) {
  static const char *const keys[] = {"each", "steps", NULL};
  static const char *const names[] = {"actuator", "value"};
  const struct nova_node *steps = nova_node_get(n, "steps");
  int which = nova__pick(l, n, "each", names, 2);
  s->verb = NOVA_VERB_EACH;
  if (which < 0 || !nova__known_keys(l, n, keys))
    return false;
  s->each = (enum nova_each)which;
  /* There is one actuator at a time, and one value of it. */
  if (which == NOVA_EACH_ACTUATOR ? l->rounds != 0
                                  : l->rounds != 1u << NOVA_EACH_ACTUATOR) {
    nova__complain(l, n,
                   which == NOVA_EACH_ACTUATOR
                       ? "each: actuator does not stand in another round"
                       : "each: value stands in the rounds of an actuator");
    return false;
  }
  s->branches = NOVA_NEW(l->arena, struct nova_branch);
  if (steps == NULL || steps->kind != NOVA_NODE_LIST || s->branches == NULL) {
    nova__complain(l, n, "expected steps: and a list");
    return false;
  }
  l->rounds |= 1u << which;
  bool good =
      nova__steps(l, steps, script, &s->branches->steps, number, depth + 1);
  l->rounds &= ~(1u << which);
  return good;
}

/* after: auth */
static bool after(struct nova_loader *l, const struct nova_node *n,
                  struct nova_step *s) {
  s->after_auth = n->kind == NOVA_NODE_SCALAR && strcmp(n->text, "auth") == 0;
  if (!s->after_auth)
    nova__complain(l, n, "expected auth");
  return s->after_auth;
}

static struct nova_step *step(struct nova_loader *l, const struct nova_node *n,
                              struct nova_script *script, unsigned *number,
                              unsigned depth) {
  struct nova_step *s = NOVA_NEW(l->arena, struct nova_step);
  if (s == NULL)
    return NULL;
  s->line = n->line;
  s->column = n->column;
  s->number = ++*number;
  if (s->number > STEPS_MOST) {
    nova__complain(l, n, "more than %d steps", STEPS_MOST);
    return NULL;
  }
  const struct nova_node *device = nova_node_get(n, "device");
  const struct nova_node *server = nova_node_get(n, "server");
  const struct nova_node *platform = nova_node_get(n, "platform");
  const struct nova_node *wait = nova_node_get(n, "wait");
  const struct nova_node *any = nova_node_get(n, "any_of");
  const struct nova_node *as = nova_node_get(n, "as");
  const struct nova_node *from = nova_node_get(n, "from");
  if (as != NULL && (s->as = nova__scalar(l, as, "a name")) == NULL)
    return NULL;
  if (from != NULL &&
      (s->from = nova__scalar(l, from, "a step's name")) == NULL)
    return NULL;
  if (!spans(l, n, s) || !judging(l, n, s))
    return NULL;
  if (platform != NULL) {
    s->actor = NOVA_ACTOR_PLATFORM;
    const char *name = nova__scalar(l, platform, "a hook's name");
    if (name == NULL)
      return NULL;
    if (script->over == NOVA_OVER_TCP || is_hook(name))
      return known(l, n, " as device command params output from ",
                   "platform") &&
                     hook(l, n, name, s)
                 ? s
                 : NULL;
  }
  if (any != NULL) {
    s->actor = NOVA_ACTOR_NOBODY;
    return known(l, n, "", "any_of") &&
                   branches(l, any, script, s, number, depth)
               ? s
               : NULL;
  }
  if (nova_node_get(n, "each") != NULL) {
    s->actor = NOVA_ACTOR_NOBODY;
    return each(l, n, script, s, number, depth) ? s : NULL;
  }
  if (wait != NULL) {
    s->actor = NOVA_ACTOR_NOBODY;
    s->verb = NOVA_VERB_WAIT;
    s->duration = nova__span(l, wait);
    return s->duration != NULL && known(l, n, " as from ", "wait") ? s : NULL;
  }
  const struct nova_node *who = device != NULL   ? device
                                : server != NULL ? server
                                                 : platform;
  if (who == NULL ||
      (device != NULL) + (server != NULL) + (platform != NULL) != 1) {
    nova__complain(l, n,
                   "who acts? expected one of device, server, platform, "
                   "wait, any_of, each, play");
    return NULL;
  }
  s->actor = device != NULL   ? NOVA_ACTOR_DEVICE
             : server != NULL ? NOVA_ACTOR_SERVER
                              : NOVA_ACTOR_PLATFORM;
  const char *name = nova__scalar(l, who, "what is done");
  size_t v = 0;
  while (name != NULL && v < sizeof verbs / sizeof *verbs &&
         strcmp(name, verbs[v].name) != 0)
    v++;
  if (name == NULL || v == sizeof verbs / sizeof *verbs) {
    nova__complain(l, who,
                   "expected connect, send, close, half_close, reset, "
                   "repeat, stop, silent, open, attempts, refuse, secure, "
                   "insecure or present");
    return NULL;
  }
  s->verb = verbs[v].verb;
  if (s->verb == NOVA_VERB_CONNECT && s->actor == NOVA_ACTOR_SERVER) {
    nova__complain(l, who, "the device connects, never the server");
    return NULL;
  }
  if ((s->verb == NOVA_VERB_ATTEMPTS && s->actor != NOVA_ACTOR_DEVICE) ||
      ((s->verb == NOVA_VERB_REFUSE || s->verb == NOVA_VERB_PRESENT) &&
       s->actor != NOVA_ACTOR_SERVER)) {
    nova__complain(l, who, "the server refuses what the device attempts");
    return NULL;
  }
  if (s->actor == NOVA_ACTOR_PLATFORM && s->verb != NOVA_VERB_CONNECT &&
      s->verb != NOVA_VERB_SEND && s->verb != NOVA_VERB_CLOSE &&
      s->verb != NOVA_VERB_RESET) {
    nova__complain(l, who,
                   "the platform does hooks, and connect, send, close, reset");
    return NULL;
  }
  bool handshake = s->verb == NOVA_VERB_SECURE ||
                   s->verb == NOVA_VERB_INSECURE ||
                   s->verb == NOVA_VERB_PRESENT || nova_node_get(n, "tls");
  if (handshake && script->over != NOVA_OVER_MQTTS) {
    nova__complain(l, who, "this is of TLS: expected transport: mqtts");
    return NULL;
  }
  const struct nova_node *c;
  bool good =
      known(l, n, verbs[v].keys,
            device != NULL   ? "device"
            : server != NULL ? "server"
                             : "platform") &&
      slot(l, n, script, s) && messages(l, n, s) &&
      ((c = nova_node_get(n, "pad")) == NULL || pad(l, c, s)) &&
      ((c = nova_node_get(n, "segments")) == NULL || segments(l, c, s)) &&
      ((c = nova_node_get(n, "how")) == NULL || how(l, c, s)) &&
      ((c = nova_node_get(n, "after")) == NULL || after(l, c, s)) &&
      ((c = nova_node_get(n, "tls")) == NULL || tls(l, c, s)) &&
      (s->verb != NOVA_VERB_PRESENT || presents(l, n, s)) &&
      ((c = nova_node_get(n, "attempts")) == NULL ||
       number_of(l, c, ATTEMPTS_MOST, &s->at_most)) &&
      ((c = nova_node_get(n, "at_most")) == NULL ||
       number_of(l, c, ATTEMPTS_MOST, &s->at_most)) &&
      complete(l, n, s);
  return good ? s : NULL;
}

/* play: FRAGMENT with: {...}: its steps stand here. */
static const struct nova_node *played(struct nova_loader *l,
                                      const struct nova_node *n) {
  static const char *const keys[] = {"play", "with", NULL};
  const char *name = nova__scalar(l, nova_node_get(n, "play"), "a fragment");
  if (name == NULL || !nova__known_keys(l, n, keys))
    return NULL;
  const struct nova_fragment *f = l->catalog->fragments;
  while (f != NULL && strcmp(f->name, name) != 0)
    f = f->next;
  if (f == NULL) {
    nova__complain(l, n, "there is no fragment \"%s\"", name);
    return NULL;
  }
  const struct nova_node *with = nova_node_get(n, "with");
  for (const struct nova_node *c = with != NULL ? with->child : NULL; c != NULL;
       c = c->next) {
    const struct nova_node *a =
        f->arguments != NULL ? f->arguments->child : NULL;
    while (a != NULL && strcmp(a->text, c->key->text) != 0)
      a = a->next;
    if (a == NULL) {
      nova__complain(l, c->key, "the fragment %s has no argument \"%s\"", name,
                     c->key->text);
      return NULL;
    }
  }
  static const struct nova_node nothing = {.kind = NOVA_NODE_MAP};
  return nova__substitute(l, f->steps, "$arg.", with != NULL ? with : &nothing);
}

bool nova__steps(struct nova_loader *l, const struct nova_node *list,
                 struct nova_script *script, struct nova_step **first,
                 unsigned *number, unsigned depth) {
  if (list->kind != NOVA_NODE_LIST || list->count == 0 || depth > NESTING) {
    nova__complain(l, list, "expected a list of steps, nested at most %d deep",
                   NESTING);
    return false;
  }
  bool good = true;
  struct nova_step **link = first;
  for (const struct nova_node *n = list->child; n != NULL; n = n->next) {
    if (n->kind != NOVA_NODE_MAP) {
      nova__complain(l, n, "expected a step");
      good = false;
      continue;
    }
    if (nova_node_get(n, "play") != NULL) {
      const struct nova_node *steps = played(l, n);
      if (steps == NULL ||
          !nova__steps(l, steps, script, link, number, depth + 1)) {
        good = false;
        continue;
      }
    } else if ((*link = step(l, n, script, number, depth)) == NULL) {
      good = false;
      continue;
    }
    while (*link != NULL)
      link = &(*link)->next;
  }
  return good;
}
