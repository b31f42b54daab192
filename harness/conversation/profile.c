#include "conversation/profile.h"

#include "base/error.h"
#include "base/utf8.h"
#include "conversation/load.h"

#include <stdio.h>
#include <stdlib.h>

void nova_profile_init(struct nova_profile *p, struct nova_arena *arena) {
  *p = (struct nova_profile){.arena = arena, .folder = "."};
  nova_timers_default(&p->timers);
}

int nova_address_read(struct nova_arena *arena, struct nova_view text,
                      unsigned lowest, struct nova_address *out,
                      const char **why) {
  *why = "expected HOST:PORT, for example 127.0.0.1:9000 or [::1]:9000";
  size_t colon = text.n;
  for (size_t i = 0; i < text.n; i++)
    if (text.p[i] == ':')
      colon = i;
  if (colon == text.n)
    return NOVA_ERR_ARGUMENT;
  struct nova_view host = {text.p, colon};
  struct nova_view port = {text.p + colon + 1, text.n - colon - 1};
  if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
    host.p++;
    host.n -= 2;
  } else {
    for (size_t i = 0; i < host.n; i++)
      if (host.p[i] == ':') {
        *why = "an IPv6 address stands in brackets: [::1]:9000";
        return NOVA_ERR_ARGUMENT;
      }
  }
  unsigned long value = 0;
  for (size_t i = 0; i < port.n; i++) {
    if (port.p[i] < '0' || port.p[i] > '9' || value > 65535) {
      value = 65536;
      break;
    }
    value = value * 10 + (unsigned long)(port.p[i] - '0');
  }
  if (port.n == 0 || value > 65535 || value < lowest) {
    *why = lowest == 0 ? "the port is a number from 0 to 65535"
                       : "the port is a number from 1 to 65535";
    return NOVA_ERR_ARGUMENT;
  }
  for (size_t i = 0; i < host.n; i++)
    if ((unsigned char)host.p[i] <= ' ') {
      *why = "the host has a blank or a control character";
      return NOVA_ERR_ARGUMENT;
    }
  out->host = host.n != 0 ? nova_arena_copy(arena, host.p, host.n) : "0.0.0.0";
  out->port = (uint16_t)value;
  *why = "out of memory";
  return out->host != NULL ? 0 : NOVA_ERR_NO_MEMORY;
}

int nova_profile_add_device(struct nova_profile *p, struct nova_view id,
                            struct nova_view key, const char **why) {
  if (id.n == 0 || key.n == 0) {
    *why = "a credential needs an id and a key";
    return NOVA_ERR_ARGUMENT;
  }
  if (id.n > 255 || key.n > 1023) {
    *why = "an id has at most 255 bytes and a key at most 1023";
    return NOVA_ERR_ARGUMENT;
  }
  if (nova_utf8_check(id.p, id.n) != id.n ||
      nova_utf8_check(key.p, key.n) != key.n || memchr(id.p, 0, id.n) != NULL ||
      memchr(key.p, 0, key.n) != NULL) {
    *why = "the id or the key is not valid UTF-8";
    return NOVA_ERR_ARGUMENT;
  }
  for (size_t i = 0; i < p->devices; i++)
    if (nova_view_is(id, p->device[i].id)) {
      *why = "this device stands here twice";
      return NOVA_ERR_ARGUMENT;
    }
  if (p->devices == NOVA_DEVICES_MOST) {
    *why = "more than 4096 devices";
    return NOVA_ERR_ARGUMENT;
  }
  /* Grows by powers of two; the arena keeps the old ones, which is little. */
  if ((p->devices & (p->devices - 1)) == 0) {
    struct nova_login *grown = NOVA_NEW_ARRAY(
        p->arena, struct nova_login, p->devices == 0 ? 1 : p->devices * 2);
    if (grown == NULL) {
      *why = "out of memory";
      return NOVA_ERR_NO_MEMORY;
    }
    if (p->devices != 0)
      memcpy(grown, p->device, p->devices * sizeof *grown);
    p->device = grown;
  }
  p->device[p->devices++] =
      (struct nova_login){nova_arena_copy(p->arena, id.p, id.n),
                          nova_arena_copy(p->arena, key.p, key.n)};
  *why = "out of memory";
  return p->arena->failed ? NOVA_ERR_NO_MEMORY : 0;
}

/* --- reading
 * -------------------------------------------------------------------
 */

struct reader {
  struct nova_loader l;
  struct nova_profile *p;
  const struct nova_profile_source *source;
};

/* A scalar with ${NAME} replaced from the environment. */
static const char *word(struct reader *r, const struct nova_node *n,
                        const char *what) {
  const char *text = nova__scalar(&r->l, n, what);
  if (text == NULL)
    return NULL;
  struct nova_buf out;
  nova_buf_init(&out, r->l.arena->mem, 64 << 10);
  const char *result = text;
  bool good = true;
  while (good) {
    const char *at = strstr(text, "${");
    const char *end = at != NULL ? strchr(at, '}') : NULL;
    if (at == NULL)
      break;
    if (end == NULL) {
      nova__complain(&r->l, n, "\"${\" without its \"}\"");
      good = false;
      break;
    }
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(end - at - 2), at + 2);
    const char *v = r->source->env(r->source->user, name);
    if (v == NULL) {
      nova__complain(&r->l, n, "the environment variable %s is not set", name);
      good = false;
      break;
    }
    nova_buf_append(&out, text, (size_t)(at - text));
    nova_buf_puts(&out, v);
    text = end + 1;
    result = NULL;
  }
  if (result == NULL && good) {
    nova_buf_puts(&out, text);
    result = nova_arena_copy(r->l.arena, out.data + out.head, out.len);
  }
  nova_buf_free(&out);
  return good ? result : NULL;
}

static const char *path(struct reader *r, const struct nova_node *n) {
  const char *w = word(r, n, "a file's path");
  if (w == NULL || w[0] == '/')
    return w;
  return nova_arena_printf(r->l.arena, "%s/%s", r->p->folder, w);
}

static void address(struct reader *r, const struct nova_node *n,
                    struct nova_address *out) {
  const char *w = word(r, n, "HOST:PORT");
  const char *why = NULL;
  if (w != NULL &&
      nova_address_read(r->l.arena, nova_view_of(w), 0, out, &why) != 0)
    nova__complain(&r->l, n, "%s", why);
}

/* id and key or key_file. */
static const char *key_of(struct reader *r, const struct nova_node *n,
                          const char *key_name, const char *file_name) {
  const struct nova_node *key = nova_node_get(n, key_name);
  const struct nova_node *file = nova_node_get(n, file_name);
  if ((key == NULL) == (file == NULL)) {
    nova__complain(&r->l, n, "expected either %s: or %s:", key_name, file_name);
    return NULL;
  }
  if (key != NULL)
    return word(r, key, "a key");
  const char *name = path(r, file);
  if (name == NULL)
    return NULL;
  const char *why = "it cannot be read";
  const char *text = r->source->file(r->source->user, r->l.arena, name, &why);
  if (text == NULL)
    nova__complain(&r->l, file, "%s: %s", name, why);
  return text;
}

static void devices(struct reader *r, const struct nova_node *list) {
  static const char *const known[] = {"id", "key", "key_file", NULL};
  if (list->kind != NOVA_NODE_LIST) {
    nova__complain(&r->l, list, "expected a list of {id: ..., key: ...}");
    return;
  }
  for (const struct nova_node *n = list->child; n != NULL; n = n->next) {
    const struct nova_node *id = nova_node_get(n, "id");
    if (n->kind != NOVA_NODE_MAP || id == NULL) {
      nova__complain(&r->l, n, "expected {id: ..., key: ...}");
      continue;
    }
    if (!nova__known_keys(&r->l, n, known))
      continue;
    const char *name = word(r, id, "a device id");
    const char *key = key_of(r, n, "key", "key_file");
    const char *why = NULL;
    if (name != NULL && key != NULL &&
        nova_profile_add_device(r->p, nova_view_of(name), nova_view_of(key),
                                &why) != 0)
      nova__complain(&r->l, n, "%s", why);
  }
}

static void platform(struct reader *r, const struct nova_node *n) {
  static const char *const known[] = {"username", "password", "password_file",
                                      NULL};
  const struct nova_node *name = nova_node_get(n, "username");
  if (n->kind != NOVA_NODE_MAP || name == NULL) {
    nova__complain(&r->l, n, "expected {username: ..., password: ...}");
    return;
  }
  if (!nova__known_keys(&r->l, n, known))
    return;
  r->p->platform.id = word(r, name, "a user name");
  r->p->platform.key = key_of(r, n, "password", "password_file");
}

static void tls(struct reader *r, const struct nova_node *n) {
  static const char *const known[] = {"ca_file", "server_name", "cert_file",
                                      "key_file", NULL};
  if (n->kind != NOVA_NODE_MAP) {
    nova__complain(&r->l, n, "expected {ca_file: ..., ...}");
    return;
  }
  nova__known_keys(&r->l, n, known);
  const struct nova_node *c;
  if ((c = nova_node_get(n, "ca_file")) != NULL)
    r->p->tls.ca_file = path(r, c);
  if ((c = nova_node_get(n, "server_name")) != NULL)
    r->p->tls.server_name = word(r, c, "a name");
  if ((c = nova_node_get(n, "cert_file")) != NULL)
    r->p->tls.cert_file = path(r, c);
  if ((c = nova_node_get(n, "key_file")) != NULL)
    r->p->tls.key_file = path(r, c);
}

static void timers(struct reader *r, const struct nova_node *n) {
  if (n->kind != NOVA_NODE_MAP) {
    nova__complain(&r->l, n, "expected {auth_timeout: 10s, ...}");
    return;
  }
  for (const struct nova_node *c = n->child; c != NULL; c = c->next) {
    enum nova_timer t = nova_timer_find(nova_view_of(c->key->text));
    if (t == NOVA_TIMERS) {
      nova__complain(&r->l, c->key, "there is no timer \"%s\"", c->key->text);
      continue;
    }
    const char *w = word(r, c, "a duration such as 250ms, 10s or 3min");
    nova_ts span = 0;
    if (w == NULL)
      continue;
    bool never_fits =
        t == NOVA_TIMER_data_interval || t == NOVA_TIMER_report_interval;
    if (nova_duration_parse(w, strlen(w), &span) != 0 ||
        (span == NOVA_TS_NONE && !never_fits) || span == 0) {
      nova__complain(&r->l, c,
                     "expected a duration such as 250ms, 10s or 3min, not "
                     "\"%s\"",
                     w);
      continue;
    }
    r->p->timers.span[t] = span;
    r->p->timers.set[t] = true;
  }
}

static void transports(struct reader *r, const struct nova_node *n) {
  static const char *const names[] = {"tcp", "mqtt", "mqtts"};
  r->p->transports_given = true;
  if (n->kind != NOVA_NODE_LIST) {
    nova__complain(&r->l, n, "expected a list such as [tcp, mqtt, mqtts]");
    return;
  }
  for (const struct nova_node *c = n->child; c != NULL; c = c->next) {
    unsigned i = 0;
    while (i < 3 && strcmp(c->text, names[i]) != 0)
      i++;
    if (i == 3)
      nova__complain(&r->l, c, "expected tcp, mqtt or mqtts");
    else
      r->p->transport[i] = true;
  }
}

static void declares(struct reader *r, const struct nova_node *n) {
  static const char *const known[] = {"transports", "value_keys", "actuators",
                                      "client_certificates", NULL};
  if (n->kind != NOVA_NODE_MAP) {
    nova__complain(&r->l, n, "expected {transports: [...], ...}");
    return;
  }
  nova__known_keys(&r->l, n, known);
  const struct nova_node *c;
  if ((c = nova_node_get(n, "transports")) != NULL)
    transports(r, c);
  if ((c = nova_node_get(n, "client_certificates")) != NULL)
    nova__flag(&r->l, c, &r->p->client_certificates);
  if ((c = nova_node_get(n, "value_keys")) != NULL) {
    if (c->kind != NOVA_NODE_LIST) {
      nova__complain(&r->l, c, "expected a list of names");
    } else {
      r->p->value_keys = NOVA_NEW_ARRAY(r->l.arena, const char *, c->count + 1);
      for (const struct nova_node *k = c->child;
           k != NULL && r->p->value_keys != NULL; k = k->next)
        if (nova__scalar(&r->l, k, "a name") != NULL)
          r->p->value_keys[r->p->value_keys_n++] = k->text;
    }
  }
  if ((c = nova_node_get(n, "actuators")) == NULL)
    return;
  if (c->kind != NOVA_NODE_MAP) {
    nova__complain(&r->l, c, "expected {name: value or [values], ...}");
    return;
  }
  struct nova_actuator **link = &r->p->actuators;
  for (const struct nova_node *k = c->child; k != NULL; k = k->next) {
    struct nova_actuator *a = NOVA_NEW(r->l.arena, struct nova_actuator);
    if (a == NULL)
      return;
    a->name = k->key->text;
    const struct nova_node *v = k->kind == NOVA_NODE_LIST ? k->child : k;
    struct nova_pattern **value = &a->values;
    for (; v != NULL; v = k->kind == NOVA_NODE_LIST ? v->next : NULL) {
      *value = nova_pattern_compile(v, r->l.file, r->l.arena, r->l.diag);
      if (*value == NULL)
        return;
      value = &(*value)->next;
    }
    if (a->values == NULL)
      nova__complain(&r->l, k, "expected at least one value");
    *link = a;
    link = &a->next;
  }
}

uint32_t nova_profile_declared(const struct nova_profile *p) {
  return (p->actuators != NULL ? NOVA_NEED_ACTUATORS : 0) |
         (p->value_keys != NULL ? NOVA_NEED_VALUE_KEYS : 0) |
         (p->client_certificates ? NOVA_NEED_CLIENT_CERTIFICATES : 0) |
         (p->platform.id != NULL ? NOVA_NEED_PLATFORM : 0);
}

static void hooks(struct reader *r, const struct nova_node *n) {
  if (n->kind != NOVA_NODE_MAP) {
    nova__complain(&r->l, n, "expected {send_command: COMMAND, ...}");
    return;
  }
  for (const struct nova_node *c = n->child; c != NULL; c = c->next) {
    unsigned h = 0;
    while (h < NOVA_HOOKS && strcmp(c->key->text, nova_hook_names[h]) != 0)
      h++;
    if (h == NOVA_HOOKS)
      nova__complain(&r->l, c->key, "there is no hook \"%s\"", c->key->text);
    else
      r->p->hook[h] = word(r, c, "a command");
  }
}

static void whole(struct reader *r, const struct nova_node *root) {
  static const char *const known[] = {
      "novaprobe", "subject",  "name",    "tcp",      "mqtt",
      "mqtts",     "tls",      "devices", "platform", "max_connections",
      "timers",    "declares", "hooks",   "expect",   NULL};
  struct nova_profile *p = r->p;
  if (root->kind != NOVA_NODE_MAP) {
    nova__complain(&r->l, root, "expected a profile: novaprobe: 1, ...");
    return;
  }
  nova__known_keys(&r->l, root, known);
  const struct nova_node *n = nova_node_get(root, "novaprobe");
  if (n == NULL || n->kind != NOVA_NODE_SCALAR || strcmp(n->text, "1") != 0)
    nova__complain(&r->l, n != NULL ? n : root,
                   "expected novaprobe: 1, the version of the format");
  if ((n = nova_node_get(root, "subject")) != NULL) {
    bool server = n->kind == NOVA_NODE_SCALAR && strcmp(n->text, "server") == 0;
    if (!server &&
        (n->kind != NOVA_NODE_SCALAR || strcmp(n->text, "device") != 0))
      nova__complain(&r->l, n, "expected server or device");
    p->subject = server ? NOVA_ROLE_SERVER : NOVA_ROLE_DEVICE;
    p->subject_given = true;
  }
  if ((n = nova_node_get(root, "name")) != NULL)
    p->name = word(r, n, "a name");
  if ((n = nova_node_get(root, "tcp")) != NULL)
    address(r, n, &p->tcp);
  if ((n = nova_node_get(root, "mqtt")) != NULL)
    address(r, n, &p->mqtt);
  if ((n = nova_node_get(root, "mqtts")) != NULL)
    address(r, n, &p->mqtts);
  if ((n = nova_node_get(root, "tls")) != NULL)
    tls(r, n);
  if ((n = nova_node_get(root, "devices")) != NULL)
    devices(r, n);
  if ((n = nova_node_get(root, "platform")) != NULL)
    platform(r, n);
  if ((n = nova_node_get(root, "timers")) != NULL)
    timers(r, n);
  if ((n = nova_node_get(root, "declares")) != NULL)
    declares(r, n);
  if ((n = nova_node_get(root, "hooks")) != NULL)
    hooks(r, n);
  if ((n = nova_node_get(root, "expect")) != NULL)
    p->expect = path(r, n);
  if ((n = nova_node_get(root, "max_connections")) != NULL) {
    char *end = NULL;
    unsigned long v =
        n->kind == NOVA_NODE_SCALAR ? strtoul(n->text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || v == 0 || v > 100000 ||
        n->text[0] == '-')
      nova__complain(&r->l, n, "expected a number from 1 to 100000");
    else
      p->max_connections = (unsigned)v;
  }
}

int nova_profile_read(struct nova_profile *p, const char *file,
                      const char *text, size_t n,
                      const struct nova_profile_source *source,
                      struct nova_diag *diag) {
  size_t before = diag->errors;
  struct reader r = {.l = {.file = file, .arena = p->arena, .diag = diag},
                     .p = p,
                     .source = source};
  const char *slash = strrchr(file, '/');
  p->folder = slash == NULL ? "."
              : slash == file
                  ? "/"
                  : nova_arena_copy(p->arena, file, (size_t)(slash - file));
  struct nova_node *root = nova_yaml_read(file, text, n, p->arena, diag);
  if (root != NULL)
    whole(&r, root);
  if (p->arena->failed && diag->errors == before)
    nova_diag_add(diag, file, 0, 0, "out of memory");
  return diag->errors == before ? 0 : NOVA_ERR_ARGUMENT;
}
