#include "cli/commands.h"
#include "cli/near.h"
#include "cli/setup.h"
#include "cli/steps.h"

#include "peer/fault.h"

#include <string.h>

#define OUTPUT_MOST ((size_t)32 << 20)

struct explain {
  const struct nova_catalog *c;
  enum nova_lang lang;
  struct nova_buf *out;
};

static void heading(struct explain *e, const char *en, const char *zh) {
  nova_buf_printf(e->out, "\n%s\n", e->lang == NOVA_LANG_ZH ? zh : en);
}

/* Below the name of what judges it. */
static void aside(struct explain *e, const char *en, const char *zh,
                  const struct nova_text *t) {
  if (t->en != NULL || t->zh != NULL)
    nova_buf_printf(e->out, "      %s %s\n", e->lang == NOVA_LANG_ZH ? zh : en,
                    nova_text_in(e->lang, t));
}

static void reasons(struct explain *e, const struct nova_text *why,
                    const struct nova_text *mend) {
  aside(e, "why: ", "缘由：", why);
  aside(e, "mend:", "修改：", mend);
}

/* "NAME" among words that are apart by one space. */
static bool among(const char *list, const char *id) {
  size_t n = strlen(id);
  for (const char *at = list; (at = strstr(at, id)) != NULL; at += n)
    if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
      return true;
  return false;
}

static void faults_of(struct explain *e, const char *id) {
  bool any = false;
  for (unsigned f = 0; f < NOVA_FAULTS; f++) {
    const struct nova_fault_info *i = nova_fault_info((enum nova_fault)f);
    if (!among(i->breaks, id))
      continue;
    if (!any)
      heading(e, "Named faults of the reference peers that break it:",
              "违反该要求的具名缺陷：");
    any = true;
    nova_buf_printf(e->out, "  %-40s %s\n", i->name, i->what);
  }
}

static void text_part(struct explain *e, const char *en, const char *zh,
                      const struct nova_text *t) {
  if (t->en == NULL && t->zh == NULL)
    return;
  heading(e, en, zh);
  nova_buf_printf(e->out, "  %s\n", nova_text_in(e->lang, t));
}

static void requirement(struct explain *e, const struct nova_requirement *r) {
  nova_buf_printf(e->out, "%s\n  %s\n  %s\n\n", r->id, r->text.en, r->text.zh);
  nova_buf_printf(e->out,
                  "  level    %s\n  basis    %s\n  section  %s\n"
                  "  binds    %s\n",
                  nova_level_names[r->level], r->basis, r->section,
                  nova_role_names[r->binds]);
  for (size_t i = 0; i < r->needs_n; i++)
    nova_buf_printf(e->out, "%s%s", i == 0 ? "  needs    " : ", ", r->needs[i]);
  nova_buf_puts(e->out, r->needs_n != 0 ? "\n" : "");
  heading(e, "How it is judged:", "判定方法：");
  nova_buf_printf(e->out, "  %s\n", r->judge);
  bool any = false;
  for (const struct nova_script *s = e->c->scripts; s != NULL; s = s->next) {
    if (!nova_ids_have(&s->verifies, r->id))
      continue;
    if (!any)
      heading(e, "Conversations that check it:", "检查该要求的会话：");
    any = true;
    nova_buf_printf(e->out, "  %-44s %s\n", s->id,
                    nova_text_in(e->lang, &s->title));
    /* The cases of one conversation say the same. */
    if (s->next == NULL || strcmp(s->next->base, s->base) != 0 ||
        !nova_ids_have(&s->next->verifies, r->id))
      reasons(e, &s->why, &s->mend);
  }
  bool rules = false;
  for (const struct nova_rule *u = e->c->rules; u != NULL; u = u->next) {
    if (strcmp(u->verifies, r->id) != 0)
      continue;
    if (!rules)
      heading(e, "Rules that check it, in every conversation:",
              "在每个会话中检查该要求的规则：");
    rules = true;
    nova_buf_printf(e->out, "  %-44s %s\n", u->id,
                    nova_text_in(e->lang, &u->title));
    reasons(e, &u->why, &u->mend);
  }
  if (!any && !rules)
    heading(e, "No conversation and no rule of this version checks it.",
            "本版本没有会话或规则检查该要求。");
  faults_of(e, r->id);
}

static void conversation(struct explain *e, const struct nova_script *s) {
  nova_buf_printf(e->out, "%s\n  %s\n", s->id,
                  nova_text_in(e->lang, &s->title));
  text_part(e, "Why:", "缘由：", &s->why);
  text_part(e, "How to mend it:", "修改建议：", &s->mend);
  heading(e, "Steps (times of the guide):", "步骤（采用指南的时间）：");
  nova_steps_put(e->out, e->lang, s);
  heading(e, "It verifies:", "验证的要求：");
  for (size_t i = 0; i < s->verifies.n; i++) {
    const struct nova_requirement *r =
        nova_catalog_requirement(e->c, s->verifies.id[i]);
    nova_buf_printf(e->out, "  %-13s %s\n", s->verifies.id[i],
                    r != NULL ? nova_text_in(e->lang, &r->text) : "");
  }
  bool any = false;
  for (const struct nova_script *o = e->c->scripts; o != NULL; o = o->next)
    if (strcmp(o->base, s->base) == 0 && o != s) {
      if (!any)
        heading(e, "Other cases of it:", "其他用例：");
      any = true;
      nova_buf_printf(e->out, "  %-44s %s\n", o->id,
                      nova_text_in(e->lang, &o->title));
    }
  nova_buf_printf(e->out, "\n%s:\n\n%s", s->file, s->source);
}

static void rule(struct explain *e, const struct nova_rule *u) {
  nova_buf_printf(e->out,
                  "%s\n  %s\n\n  judged on every %s of the %s, in every "
                  "conversation; verifies %s\n  %s:%u\n",
                  u->id, nova_text_in(e->lang, &u->title),
                  u->every == NOVA_RULE_LINE      ? "line"
                  : u->every == NOVA_RULE_MESSAGE ? u->type
                                                  : "stream",
                  nova_role_names[u->of], u->verifies, u->file, u->line);
  text_part(e, "Why:", "缘由：", &u->why);
  text_part(e, "How to mend it:", "修改建议：", &u->mend);
  const struct nova_requirement *r =
      nova_catalog_requirement(e->c, u->verifies);
  if (r != NULL) {
    heading(e, "What the guide asks:", "指南的要求：");
    nova_buf_printf(e->out, "  %s  %s  %s\n", r->id, r->section,
                    nova_text_in(e->lang, &r->text));
  }
}

static void fault(struct explain *e, const struct nova_fault_info *i) {
  bool variant = nova_fault_is_variant(i);
  nova_buf_printf(e->out, "%s\n  a %s of the reference %s: %s\n  breaks %s\n",
                  i->name, variant ? "variant" : "fault",
                  i->side == NOVA_SIDE_SERVER ? "server" : "device", i->what,
                  variant ? "nothing: the guide allows it" : i->breaks);
  if (*i->needs != '\0')
    nova_buf_printf(e->out, "  to be seen it needs %s\n", i->needs);
}

static int find(struct explain *e, const char *id) {
  struct nova_near near;
  nova_near_init(&near, id, strlen(id));
  for (const struct nova_requirement *r = e->c->requirements; r != NULL;
       r = r->next) {
    if (strcmp(r->id, id) == 0) {
      requirement(e, r);
      return 0;
    }
    nova_near_try(&near, r->id);
  }
  const struct nova_script *s = nova_catalog_script(e->c, id);
  for (const struct nova_script *o = e->c->scripts; o != NULL; o = o->next) {
    if (s == NULL && strcmp(o->base, id) == 0)
      s = o;
    nova_near_try(&near, o->base);
    nova_near_try(&near, o->id);
  }
  if (s != NULL) {
    conversation(e, s);
    return 0;
  }
  for (const struct nova_rule *u = e->c->rules; u != NULL; u = u->next) {
    if (strcmp(u->id, id) == 0) {
      rule(e, u);
      return 0;
    }
    nova_near_try(&near, u->id);
  }
  enum nova_fault f = nova_fault_find(nova_view_of(id));
  if (f != NOVA_FAULTS) {
    fault(e, nova_fault_info(f));
    return 0;
  }
  for (unsigned k = 0; k < NOVA_FAULTS; k++)
    nova_near_try(&near, nova_fault_info((enum nova_fault)k)->name);
  const char *best = nova_near_best(&near);
  return nova_wrong("explain %s: no requirement, conversation, rule or fault "
                    "is called so%s%s%s",
                    id, best != NULL ? "; did you mean " : "",
                    best != NULL ? best : "", best != NULL ? "?" : "");
}

int nova_cmd_explain(const struct nova_options *o) {
  struct nova_specs specs;
  struct nova_catalog c = {0};
  struct nova_buf out;
  nova_buf_init(&out, NULL, OUTPUT_MOST);
  struct explain e = {&c, nova_setup_lang(o), &out};
  int status = nova_specs_open(&specs, nova_options_last(o, NOVA_OPT_SPECS));
  if (status == 0)
    status = nova_specs_load(&specs, &c);
  if (status == 0)
    status = find(&e, o->arg[0]);
  if (status == 0)
    status = nova_put(out.data + out.head, out.len);
  nova_buf_free(&out);
  nova_catalog_free(&c);
  nova_specs_free(&specs);
  return status;
}
