#include "cli/commands.h"
#include "cli/near.h"
#include "cli/setup.h"

#include "peer/fault.h"
#include "report/json_out.h"

#include <string.h>

#define OUTPUT_MOST ((size_t)32 << 20)

struct list {
  const struct nova_catalog *c;
  enum nova_lang lang;
  struct nova_buf *out;
  struct nova_json_out *json; /* NULL: lines */
};

/* A list of words "A B C" as a JSON array. */
static void words(struct nova_json_out *j, const char *key, const char *text) {
  nova_jo_key(j, key);
  nova_jo_open(j, '[', true);
  while (*text != '\0') {
    size_t n = strcspn(text, " ");
    if (n != 0)
      nova_jo_view(j, (struct nova_view){text, n});
    text += n + (text[n] == ' ');
  }
  nova_jo_close(j, ']');
}

static void member(struct nova_json_out *j, const char *key,
                   const char *value) {
  nova_jo_key(j, key);
  nova_jo_string(j, value);
}

static void both(struct nova_json_out *j, const char *key,
                 const struct nova_text *t) {
  if (t->en == NULL)
    return;
  nova_jo_key(j, key);
  nova_jo_open(j, '{', true);
  member(j, "en", t->en);
  if (t->zh != NULL)
    member(j, "zh", t->zh);
  nova_jo_close(j, '}');
}

static void requirements(const struct list *l) {
  for (const struct nova_requirement *r = l->c->requirements; r != NULL;
       r = r->next) {
    if (l->json == NULL) {
      nova_buf_printf(l->out, "%-13s %-6s %-6s %-5s %s\n", r->id,
                      nova_level_names[r->level], nova_role_names[r->binds],
                      r->section, nova_text_in(l->lang, &r->text));
      continue;
    }
    nova_jo_open(l->json, '{', true);
    member(l->json, "id", r->id);
    member(l->json, "level", nova_level_names[r->level]);
    member(l->json, "basis", r->basis);
    member(l->json, "section", r->section);
    member(l->json, "binds", nova_role_names[r->binds]);
    nova_jo_key(l->json, "needs");
    nova_jo_open(l->json, '[', true);
    for (size_t i = 0; i < r->needs_n; i++)
      nova_jo_string(l->json, r->needs[i]);
    nova_jo_close(l->json, ']');
    both(l->json, "text", &r->text);
    member(l->json, "judge", r->judge);
    nova_jo_close(l->json, '}');
  }
}

/* Whose test it is: the harness plays the other side. */
static void subjects(const struct list *l, const struct nova_script *s) {
  const enum nova_role subject[] = {NOVA_ROLE_SERVER, NOVA_ROLE_DEVICE};
  nova_jo_key(l->json, "subjects");
  nova_jo_open(l->json, '[', true);
  for (size_t i = 0; i < 2; i++)
    if (s->harness[subject[1 - i]])
      nova_jo_string(l->json, nova_role_names[subject[i]]);
  nova_jo_close(l->json, ']');
}

static void conversations(const struct list *l) {
  for (const struct nova_script *s = l->c->scripts; s != NULL; s = s->next) {
    if (l->json == NULL) {
      bool server = s->harness[NOVA_ROLE_DEVICE];
      nova_buf_printf(l->out, "%-44s %-6s %s\n", s->id,
                      server && s->harness[NOVA_ROLE_SERVER] ? "both"
                      : server                               ? "server"
                                                             : "device",
                      nova_text_in(l->lang, &s->title));
      continue;
    }
    nova_jo_open(l->json, '{', true);
    member(l->json, "id", s->id);
    member(l->json, "transport", s->transport);
    member(l->json, "file", s->file);
    both(l->json, "title", &s->title);
    nova_jo_key(l->json, "verifies");
    nova_jo_open(l->json, '[', true);
    for (size_t i = 0; i < s->verifies.n; i++)
      nova_jo_string(l->json, s->verifies.id[i]);
    nova_jo_close(l->json, ']');
    subjects(l, s);
    nova_jo_key(l->json, "devices");
    nova_jo_uint(l->json, s->devices);
    nova_jo_key(l->json, "connections");
    nova_jo_uint(l->json, s->connections);
    nova_jo_close(l->json, '}');
  }
}

static void faults(const struct list *l) {
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    const struct nova_fault_info *i = nova_fault_info((enum nova_fault)f);
    const char *side = i->side == NOVA_SIDE_SERVER ? "server" : "device";
    if (l->json == NULL) {
      nova_buf_printf(l->out, "%-42s %-6s %s (%s)\n", i->name, side, i->what,
                      nova_fault_is_variant(i) ? "variant: breaks nothing"
                                               : i->breaks);
      continue;
    }
    nova_jo_open(l->json, '{', true);
    member(l->json, "name", i->name);
    member(l->json, "side", side);
    member(l->json, "what", i->what);
    words(l->json, "breaks", i->breaks);
    words(l->json, "needs", i->needs);
    nova_jo_close(l->json, '}');
  }
}

static const struct {
  const char *name;
  void (*fn)(const struct list *l);
} kinds[] = {{"requirements", requirements},
             {"conversations", conversations},
             {"faults", faults}};

static int print(const struct nova_options *o, const struct nova_catalog *c,
                 void (*fn)(const struct list *l)) {
  struct nova_buf out;
  nova_buf_init(&out, NULL, OUTPUT_MOST);
  struct nova_sink sink = nova_sink_buf(&out);
  struct nova_json_out json;
  bool as_json = o->opt[NOVA_OPT_JSON].n != 0;
  struct list l = {c, nova_setup_lang(o), &out, as_json ? &json : NULL};
  int err = 0;
  if (as_json) {
    nova_jo_init(&json, &sink, NULL, NULL);
    nova_jo_open(&json, '[', false);
  }
  fn(&l);
  if (as_json) {
    nova_jo_close(&json, ']');
    err = nova_jo_end(&json);
  }
  int status = err == 0 ? nova_put(out.data + out.head, out.len)
                        : nova_broken("out of memory");
  nova_buf_free(&out);
  return status;
}

int nova_cmd_list(const struct nova_options *o) {
  size_t k = 0;
  struct nova_near near;
  nova_near_init(&near, o->arg[0], strlen(o->arg[0]));
  while (k < 3 && strcmp(o->arg[0], kinds[k].name) != 0)
    nova_near_try(&near, kinds[k++].name);
  if (k == 3) {
    const char *best = nova_near_best(&near);
    return nova_wrong("list %s: expected requirements, conversations or "
                      "faults%s%s%s",
                      o->arg[0], best != NULL ? "; did you mean " : "",
                      best != NULL ? best : "", best != NULL ? "?" : "");
  }
  struct nova_specs specs;
  struct nova_catalog c = {0};
  int status = nova_specs_open(&specs, nova_options_last(o, NOVA_OPT_SPECS));
  if (status == 0)
    status = nova_specs_load(&specs, &c);
  if (status == 0)
    status = print(o, &c, kinds[k].fn);
  nova_catalog_free(&c);
  nova_specs_free(&specs);
  return status;
}
