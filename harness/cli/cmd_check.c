/* `check`: the files that people write, checked as a compiler would. */
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { REQUIREMENTS, FRAGMENT, CONVERSATION, RULES, PROFILE, NONE };

struct source {
  const char *path;
  struct nova_buf text;
  enum kind kind;
  const char *fragment; /* FRAGMENT: its name */
};

struct check {
  const struct nova_options *o;
  struct nova_specs specs;
  struct nova_catalog catalog;
  struct nova_arena arena; /* of profiles and names */
  struct source *file;
  size_t files;
  struct nova_diag diag;
};

/* --- the whole set
 * -------------------------------------------------------------- */

static bool covered(const struct nova_catalog *c, const char *id) {
  for (const struct nova_script *s = c->scripts; s != NULL; s = s->next)
    if (nova_ids_have(&s->verifies, id))
      return true;
  for (const struct nova_rule *u = c->rules; u != NULL; u = u->next)
    if (strcmp(u->verifies, id) == 0)
      return true;
  /* What is only observed is looked at, too. */
  for (const struct nova_script *s = c->scripts; s != NULL; s = s->next)
    for (const struct nova_step *t = s->steps; t != NULL; t = t->next)
      if (nova_ids_have(&t->observes, id))
        return true;
  return false;
}

static int check_all(struct check *k) {
  int status = nova_specs_load(&k->specs, &k->catalog);
  if (status != 0)
    return status;
  size_t all[2] = {0}, good[2] = {0}; /* by enum nova_role */
  for (const struct nova_requirement *r = k->catalog.requirements; r != NULL;
       r = r->next) {
    all[r->binds]++;
    if (covered(&k->catalog, r->id))
      good[r->binds]++;
    else
      nova_diag_add(&k->diag, r->file, r->line, 1,
                    "no conversation and no rule verifies %s", r->id);
  }
  if (k->diag.errors != 0)
    status = nova_say_diag(&k->diag, k->specs.before);
  if (k->o->opt[NOVA_OPT_QUIET].n == 0)
    printf("%zu requirements, %zu conversations, %zu rules; %zu of the %zu "
           "requirements that bind a server are verified, and %zu of the %zu "
           "that bind a device\n",
           k->catalog.requirement_count, k->catalog.script_count,
           k->catalog.rule_count, good[NOVA_ROLE_SERVER], all[NOVA_ROLE_SERVER],
           good[NOVA_ROLE_DEVICE], all[NOVA_ROLE_DEVICE]);
  fflush(stdout);
  return status;
}

/* --- single files
 * --------------------------------------------------------------- */

/* What a file is says its first key. */
static void classify(struct check *k, struct source *f) {
  f->kind = NONE;
  struct nova_arena arena;
  nova_arena_init(&arena, NULL, (size_t)64 << 20);
  struct nova_view v = nova_buf_view(&f->text);
  struct nova_node *root =
      nova_yaml_read(f->path, v.p != NULL ? v.p : "", v.n, &arena, &k->diag);
  static const struct {
    const char *key;
    enum kind kind;
  } keys[] = {{"requirements", REQUIREMENTS},
              {"fragment", FRAGMENT},
              {"conversation", CONVERSATION},
              {"rules", RULES},
              {"novaprobe", PROFILE}};
  for (size_t i = 0; root != NULL && i < 5; i++) {
    const struct nova_node *n =
        root->kind == NOVA_NODE_MAP ? nova_node_get(root, keys[i].key) : NULL;
    if (n == NULL)
      continue;
    f->kind = keys[i].kind;
    if (f->kind == FRAGMENT && n->kind == NOVA_NODE_SCALAR)
      f->fragment = nova_arena_copy(&k->arena, n->text, n->len);
    break;
  }
  if (root != NULL && f->kind == NONE)
    nova_diag_add(&k->diag, f->path, root->line, root->column,
                  "expected one of the keys conversation, fragment, rules, "
                  "requirements, novaprobe");
  nova_arena_free(&arena);
}

static bool given(const struct check *k, enum kind kind, const char *fragment) {
  for (size_t i = 0; i < k->files; i++)
    if (k->file[i].kind == kind &&
        (fragment == NULL || (k->file[i].fragment != NULL &&
                              strcmp(k->file[i].fragment, fragment) == 0)))
      return true;
  return false;
}

/* The name of the fragment that a file of the program's specs holds; NULL. */
static const char *fragment_of(struct check *k,
                               const struct nova_spec_file *f) {
  if (strstr(f->path, "fragments/") == NULL)
    return NULL;
  struct nova_arena arena;
  struct nova_diag diag;
  nova_arena_init(&arena, NULL, (size_t)64 << 20);
  nova_diag_init(&diag, NULL);
  struct nova_node *root =
      nova_yaml_read(f->path, f->text, f->n, &arena, &diag);
  const struct nova_node *n = root != NULL && root->kind == NOVA_NODE_MAP
                                  ? nova_node_get(root, "fragment")
                                  : NULL;
  const char *name =
      n != NULL ? nova_arena_copy(&k->arena, n->text, n->len) : NULL;
  nova_diag_free(&diag);
  nova_arena_free(&arena);
  return name;
}

/* The requirements and fragments that the files may use, less those that they
 * bring themselves. */
static int surroundings(struct check *k) {
  nova_catalog_init(&k->catalog, NULL);
  struct nova_diag diag;
  nova_diag_init(&diag, NULL);
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < k->specs.n; i++) {
      const struct nova_spec_file *f = &k->specs.file[i];
      bool requirements = strstr(f->path, "requirements") != NULL;
      const char *fragment = requirements ? NULL : fragment_of(k, f);
      if (pass == 0 ? requirements && !given(k, REQUIREMENTS, NULL)
                    : fragment != NULL && !given(k, FRAGMENT, fragment))
        nova_catalog_add(&k->catalog, f, &diag);
    }
  int status = diag.errors != 0 ? nova_say_diag(&diag, k->specs.before) : 0;
  nova_diag_free(&diag);
  return status;
}

static void check_one(struct check *k, const struct source *f) {
  struct nova_view v = nova_buf_view(&f->text);
  struct nova_spec_file spec = {f->path, v.p != NULL ? v.p : "", v.n};
  if (f->kind != PROFILE) {
    nova_catalog_add(&k->catalog, &spec, &k->diag);
    return;
  }
  struct nova_profile p;
  nova_profile_init(&p, &k->arena);
  (void)nova_setup_profile_text(&p, spec.path, spec.text, spec.n, &k->diag);
}

static int check_files(struct check *k) {
  int status = 0;
  for (size_t i = 0; i < k->files && status == 0; i++) {
    struct source *f = &k->file[i];
    const char *why = NULL;
    f->path = k->o->arg[i];
    nova_buf_init(&f->text, NULL, NOVA_SOURCE_MOST);
    if (nova_file_read(f->path, &f->text, &why) != 0)
      status = nova_wrong("%s: %s", f->path, why);
    else
      classify(k, f);
  }
  if (status == 0)
    status = surroundings(k);
  for (enum kind kind = REQUIREMENTS; kind <= PROFILE && status == 0; kind++)
    for (size_t i = 0; i < k->files; i++)
      if (k->file[i].kind == kind)
        check_one(k, &k->file[i]);
  if (status == 0 && k->diag.errors != 0)
    status = nova_say_diag(&k->diag, "");
  if (status == 0 && k->o->opt[NOVA_OPT_QUIET].n == 0) {
    printf("%zu file%s in order\n", k->files, k->files == 1 ? "" : "s");
    fflush(stdout);
  }
  for (size_t i = 0; i < k->files; i++)
    if (k->file[i].path != NULL)
      nova_buf_free(&k->file[i].text);
  return status;
}

int nova_cmd_check(const struct nova_options *o) {
  struct check k = {.o = o, .files = o->args};
  nova_arena_init(&k.arena, NULL, (size_t)64 << 20);
  nova_diag_init(&k.diag, NULL);
  k.file = calloc(o->args + 1, sizeof *k.file);
  int status = k.file != NULL ? 0 : nova_broken("out of memory");
  if (status == 0)
    status = nova_specs_open(&k.specs, nova_options_last(o, NOVA_OPT_SPECS));
  if (status == 0)
    status = o->args == 0 ? check_all(&k) : check_files(&k);
  free(k.file);
  nova_catalog_free(&k.catalog);
  nova_specs_free(&k.specs);
  nova_arena_free(&k.arena);
  nova_diag_free(&k.diag);
  return status;
}
