#include "base/error.h"
#include "verdict/verdict.h"

static bool found_something(const struct nova_results *r, const char *rule) {
  for (size_t i = 0; i < r->conversations; i++)
    for (size_t k = 0; k < r->conversation[i].checks; k++) {
      const struct nova_check *c = &r->conversation[i].check[k];
      if (c->verdict == NOVA_VERDICT_FAIL && c->rule != NULL &&
          strcmp(c->rule, rule) == 0)
        return true;
    }
  return false;
}

int nova_verdict_rules(struct nova_results *r, const struct nova_catalog *c) {
  size_t n = 0;
  for (const struct nova_rule *u = c->rules; u != NULL; u = u->next)
    n++;
  r->rules = 0;
  r->rule = NOVA_NEW_ARRAY(r->arena, struct nova_rule_result, n + 1);
  if (r->rule == NULL)
    return NOVA_ERR_NO_MEMORY;
  for (const struct nova_rule *u = c->rules; u != NULL; u = u->next)
    if (found_something(r, u->id))
      r->rule[r->rules++] =
          (struct nova_rule_result){u->id, u->title, u->why, u->mend};
  return 0;
}
