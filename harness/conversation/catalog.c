#include "conversation/load.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* All of specs/ is below 1 MiB; a hostile file gets no more than this. */
#define MOST_BYTES (64u << 20)
#define FILE_MOST  (1u << 20)

const char *const nova_hook_names[NOVA_HOOKS] = {
    "send_command", "reset_key", "deactivate", "activate", "read_data"};

static const struct {
  const char *name;
  uint32_t bit;
} other_needs[] = {
    {"declares:actuators", NOVA_NEED_ACTUATORS},
    {"declares:value_keys", NOVA_NEED_VALUE_KEYS},
    {"declares:client_certificates", NOVA_NEED_CLIENT_CERTIFICATES},
    {"platform", NOVA_NEED_PLATFORM},
};

const char *const nova_link_names[3] = {"tcp", "mqtt", "mqtts"};

const char *nova_need_name(uint32_t needs) {
  static const char *const hooks[NOVA_HOOKS] = {
      "hook:send_command", "hook:reset_key", "hook:deactivate", "hook:activate",
      "hook:read_data"};
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    if ((needs & 1u << h) != 0)
      return hooks[h];
  for (size_t i = 0; i < sizeof other_needs / sizeof *other_needs; i++)
    if ((needs & other_needs[i].bit) != 0)
      return other_needs[i].name;
  return "";
}
const char *const nova_level_names[3] = {"must", "should", "may"};
const char *const nova_role_names[2] = {"device", "server"};
const char *const nova_verdict_names[5] = {"pass", "fail", "inconclusive",
                                           "not_tested", "not_applicable"};

void nova_catalog_init(struct nova_catalog *c, const struct nova_mem *mem) {
  *c = (struct nova_catalog){0};
  nova_arena_init(&c->arena, mem, MOST_BYTES);
}

void nova_catalog_free(struct nova_catalog *c) {
  nova_arena_free(&c->arena);
  nova_catalog_init(c, c->arena.mem);
}

const struct nova_requirement *
nova_catalog_requirement(const struct nova_catalog *c, const char *id) {
  for (const struct nova_requirement *r = c->requirements; r != NULL;
       r = r->next)
    if (strcmp(r->id, id) == 0)
      return r;
  return NULL;
}

const struct nova_script *nova_catalog_script(const struct nova_catalog *c,
                                              const char *id) {
  for (const struct nova_script *s = c->scripts; s != NULL; s = s->next)
    if (strcmp(s->id, id) == 0)
      return s;
  return NULL;
}

bool nova_ids_have(const struct nova_ids *ids, const char *id) {
  for (size_t i = 0; i < ids->n; i++)
    if (strcmp(ids->id[i], id) == 0)
      return true;
  return false;
}

/* --- helpers of the loader
 * ----------------------------------------------------
 */

void nova__complain(struct nova_loader *l, const struct nova_node *at,
                    const char *format, ...) {
  char message[512];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  nova_diag_add(l->diag, l->file, at->line, at->column, "%s", message);
}

const char *nova__scalar(struct nova_loader *l, const struct nova_node *n,
                         const char *what) {
  if (n->kind == NOVA_NODE_SCALAR && n->len != 0)
    return n->text;
  nova__complain(l, n, "expected %s", what);
  return NULL;
}

bool nova__text(struct nova_loader *l, const struct nova_node *n,
                struct nova_text *out) {
  if (n->kind == NOVA_NODE_SCALAR) {
    out->en = n->text;
    return true;
  }
  static const char *const known[] = {"en", "zh", NULL};
  const struct nova_node *en = nova_node_get(n, "en");
  const struct nova_node *zh = nova_node_get(n, "zh");
  if (n->kind != NOVA_NODE_MAP || en == NULL) {
    nova__complain(l, n, "expected text, or {en: ..., zh: ...}");
    return false;
  }
  out->en = nova__scalar(l, en, "text");
  out->zh = zh != NULL ? nova__scalar(l, zh, "text") : NULL;
  return nova__known_keys(l, n, known) && out->en != NULL;
}

static bool one_id(struct nova_loader *l, const struct nova_node *n,
                   struct nova_ids *out) {
  const char *id = nova__scalar(l, n, "a requirement id");
  if (id == NULL)
    return false;
  const struct nova_requirement *r = nova_catalog_requirement(l->catalog, id);
  if (r == NULL) {
    nova__complain(l, n, "there is no requirement \"%s\"", id);
    return false;
  }
  if (!nova_ids_have(out, id))
    out->id[out->n++] = r->id;
  return true;
}

bool nova__ids(struct nova_loader *l, const struct nova_node *n,
               struct nova_ids *out) {
  size_t count = n->kind == NOVA_NODE_LIST ? n->count : 1;
  out->id = NOVA_NEW_ARRAY(l->arena, const char *, count + 1);
  if (out->id == NULL)
    return false;
  if (n->kind != NOVA_NODE_LIST)
    return one_id(l, n, out);
  if (n->count == 0) {
    nova__complain(l, n, "expected at least one requirement id");
    return false;
  }
  for (const struct nova_node *c = n->child; c != NULL; c = c->next)
    if (!one_id(l, c, out))
      return false;
  return true;
}

bool nova__flag(struct nova_loader *l, const struct nova_node *n, bool *out) {
  if (n->kind == NOVA_NODE_SCALAR && n->plain) {
    if (strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0) {
      *out = n->text[0] == 't';
      return true;
    }
  }
  nova__complain(l, n, "expected true or false");
  return false;
}

static bool one_need(struct nova_loader *l, const struct nova_node *n,
                     uint32_t *out) {
  const char *s = nova__scalar(l, n, "hook:NAME or declares:NAME");
  if (s == NULL)
    return false;
  for (size_t i = 0; i < sizeof other_needs / sizeof *other_needs; i++)
    if (strcmp(s, other_needs[i].name) == 0) {
      *out |= other_needs[i].bit;
      return true;
    }
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    if (strncmp(s, "hook:", 5) == 0 && strcmp(s + 5, nova_hook_names[h]) == 0) {
      *out |= 1u << h;
      return true;
    }
  nova__complain(
      l, n,
      "expected hook:NAME with a hook of the profile, declares:actuators, "
      "declares:value_keys, declares:client_certificates or platform, not "
      "\"%s\"",
      s);
  return false;
}

bool nova__needs(struct nova_loader *l, const struct nova_node *n,
                 uint32_t *out) {
  if (n->kind == NOVA_NODE_SCALAR)
    return one_need(l, n, out);
  if (n->kind != NOVA_NODE_LIST) {
    nova__complain(l, n, "expected a list such as [hook:read_data]");
    return false;
  }
  for (const struct nova_node *c = n->child; c != NULL; c = c->next)
    if (!one_need(l, c, out))
      return false;
  return true;
}

bool nova__known_keys(struct nova_loader *l, const struct nova_node *map,
                      const char *const *known) {
  bool good = true;
  for (const struct nova_node *c = map->child; c != NULL; c = c->next) {
    size_t k = 0;
    while (known[k] != NULL && strcmp(known[k], c->key->text) != 0)
      k++;
    if (known[k] == NULL) {
      nova__complain(l, c->key, "unknown key \"%s\"", c->key->text);
      good = false;
    }
  }
  return good;
}

/* --- loading
 * ------------------------------------------------------------------
 */

int nova_catalog_add(struct nova_catalog *c, const struct nova_spec_file *file,
                     struct nova_diag *diag) {
  struct nova_loader l = {
      .file = nova_arena_copy(&c->arena, file->path, strlen(file->path)),
      .catalog = c,
      .arena = &c->arena,
      .diag = diag};
  if (l.file == NULL || file->n > FILE_MOST) {
    nova_diag_add(diag, file->path, 0, 0, "the file is larger than 1 MiB");
    return NOVA_ERR_ARGUMENT;
  }
  size_t before = diag->errors;
  struct nova_node *root =
      nova_yaml_read(l.file, file->text, file->n, &c->arena, diag);
  if (root == NULL)
    return NOVA_ERR_ARGUMENT;
  const char *source = nova_arena_copy(&c->arena, file->text, file->n);
  if (nova_node_get(root, "requirements") != NULL)
    nova__load_requirements(&l, root);
  else if (nova_node_get(root, "rules") != NULL)
    nova__load_rules(&l, root);
  else if (nova_node_get(root, "fragment") != NULL)
    nova__load_fragment(&l, root);
  else if (nova_node_get(root, "conversation") != NULL)
    nova__load_conversation(&l, root, source);
  else
    nova__complain(&l, root,
                   "expected one of the keys conversation, fragment, rules, "
                   "requirements");
  if (c->arena.failed && diag->errors == before)
    nova_diag_add(diag, l.file, 0, 0, "out of memory");
  return diag->errors == before ? 0 : NOVA_ERR_ARGUMENT;
}

/* Requirements first, then fragments, then what uses them. */
static int rank(const struct nova_spec_file *f) {
  if (strstr(f->path, "requirements") != NULL)
    return 0;
  return strstr(f->path, "fragments/") != NULL ? 1 : 2;
}

/* Files of specs/ that are no part of the catalog. */
static bool foreign(const char *path) {
  size_t n = strlen(path);
  return n < 5 || strcmp(path + n - 5, ".yaml") != 0 ||
         strstr(path, "ambiguities") != NULL ||
         strstr(path, "sentences") != NULL;
}

int nova_catalog_load(struct nova_catalog *c,
                      const struct nova_spec_file *files, size_t n,
                      struct nova_diag *diag) {
  size_t before = diag->errors;
  for (int wanted = 0; wanted < 3; wanted++)
    for (size_t i = 0; i < n; i++)
      if (!foreign(files[i].path) && rank(&files[i]) == wanted)
        nova_catalog_add(c, &files[i], diag);
  return diag->errors == before ? 0 : NOVA_ERR_ARGUMENT;
}

void nova_catalog_check_coverage(const struct nova_catalog *c,
                                 struct nova_diag *diag) {
  for (const struct nova_requirement *r = c->requirements; r != NULL;
       r = r->next) {
    bool covered = false;
    for (const struct nova_script *s = c->scripts; s != NULL && !covered;
         s = s->next)
      covered = nova_ids_have(&s->verifies, r->id);
    for (const struct nova_rule *u = c->rules; u != NULL && !covered;
         u = u->next)
      covered = strcmp(u->verifies, r->id) == 0;
    if (!covered)
      nova_diag_add(diag, r->file, r->line, 1,
                    "no conversation and no rule verifies %s", r->id);
  }
}

/* --- requirements
 * -------------------------------------------------------------
 */

const char *nova__word(struct nova_loader *l, const struct nova_node *map,
                       const char *key) {
  const struct nova_node *n = nova_node_get(map, key);
  if (n == NULL) {
    nova__complain(l, map, "the key \"%s\" is missing", key);
    return NULL;
  }
  return nova__scalar(l, n, "a word");
}

int nova__pick(struct nova_loader *l, const struct nova_node *map,
               const char *key, const char *const *names, size_t n) {
  const char *w = nova__word(l, map, key);
  if (w == NULL)
    return -1;
  for (size_t i = 0; i < n; i++)
    if (strcmp(w, names[i]) == 0)
      return (int)i;
  nova__complain(l, nova_node_get(map, key), "unknown %s \"%s\"", key, w);
  return -1;
}

int nova__load_requirements(struct nova_loader *l,
                            const struct nova_node *root) {
  static const char *const known[] = {"id",    "section", "binds", "level",
                                      "basis", "needs",   "en",    "zh",
                                      "judge", NULL};
  const struct nova_node *list = nova_node_get(root, "requirements");
  if (list->kind != NOVA_NODE_LIST) {
    nova__complain(l, list, "expected a list of requirements");
    return NOVA_ERR_ARGUMENT;
  }
  struct nova_requirement **link = &l->catalog->requirements;
  while (*link != NULL)
    link = &(*link)->next;
  for (const struct nova_node *n = list->child; n != NULL; n = n->next) {
    if (n->kind != NOVA_NODE_MAP) {
      nova__complain(l, n, "expected a requirement with id, section, ...");
      continue;
    }
    struct nova_requirement *r = NOVA_NEW(l->arena, struct nova_requirement);
    if (r == NULL)
      return NOVA_ERR_NO_MEMORY;
    r->file = l->file;
    r->line = n->line;
    bool good = nova__known_keys(l, n, known);
    r->id = nova__word(l, n, "id");
    r->section = nova__word(l, n, "section");
    r->basis = nova__word(l, n, "basis");
    r->judge = nova__word(l, n, "judge");
    r->text.en = nova__word(l, n, "en");
    r->text.zh = nova__word(l, n, "zh");
    int binds = nova__pick(l, n, "binds", nova_role_names, 2);
    int level = nova__pick(l, n, "level", nova_level_names, 3);
    const struct nova_node *needs = nova_node_get(n, "needs");
    for (const struct nova_node *c = needs != NULL ? needs->child : NULL;
         c != NULL; c = c->next) {
      if (r->needs_n == 4) {
        nova__complain(l, c, "more than 4 needs");
        good = false;
        break;
      }
      r->needs[r->needs_n++] = c->text;
    }
    if (!good || r->id == NULL || r->section == NULL || r->basis == NULL ||
        r->judge == NULL || r->text.en == NULL || binds < 0 || level < 0)
      continue;
    if (nova_catalog_requirement(l->catalog, r->id) != NULL) {
      nova__complain(l, n, "the requirement %s stands twice", r->id);
      continue;
    }
    r->binds = (enum nova_role)binds;
    r->level = (enum nova_level)level;
    *link = r;
    link = &r->next;
    l->catalog->requirement_count++;
  }
  return 0;
}
