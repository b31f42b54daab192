#include "cli/operator.h"

#include <stdio.h>

static struct nova_operator_wait *slot(struct nova_operator *op,
                                       const struct nova_script *s) {
  for (size_t i = 0; i < NOVA_OPERATOR_WAITS; i++)
    if (op->under_way[i].script == s)
      return &op->under_way[i];
  return NULL;
}

void nova_operator_news(struct nova_operator *op,
                        const struct nova_run_news *n) {
  struct nova_operator_wait *w;
  switch (n->kind) {
  case NOVA_RUN_STARTED:
    op->begun += n->result->tries == 1;
    w = slot(op, NULL);
    if (w != NULL)
      *w =
          (struct nova_operator_wait){.script = n->script, .number = op->begun};
    return;
  case NOVA_RUN_POSTPONED:
    op->begun--;
    w = slot(op, n->script);
    if (w != NULL)
      w->script = NULL;
    return;
  case NOVA_RUN_AGAIN:
  case NOVA_RUN_ENDED:
    op->never += n->kind == NOVA_RUN_ENDED && n->result->tries == 0;
    w = slot(op, n->script);
    if (w != NULL)
      w->script = NULL;
    return;
  case NOVA_RUN_KEPT: op->begun++; return;
  case NOVA_RUN_PLANNED:
  case NOVA_RUN_OVER: return;
  }
}

/* A phrase with strings put in, as a line. */
static void say(struct nova_screen *screen, enum nova_phrase p,
                const char *const *arg, size_t n) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, NOVA_TERMINAL_LINE);
  if (nova_phrase_put(&b, screen->t.lang, p, arg, n) == 0)
    nova_screen_line(screen, "%s", nova_buf_cstr(&b));
  nova_buf_free(&b);
}

static char *span(enum nova_lang lang, nova_ts t, char *out, size_t cap) {
  struct nova_buf b;
  nova_buf_init(&b, NULL, cap - 1);
  const char *text = nova_span_put(&b, lang, t) == 0 ? nova_buf_cstr(&b) : NULL;
  snprintf(out, cap, "%s", text != NULL ? text : "");
  nova_buf_free(&b);
  return out;
}

void nova_operator_greet(const struct nova_operator *op, struct nova_run *run,
                         struct nova_screen *screen,
                         const struct nova_profile *profile, size_t total) {
  char where[900] = "", count[24], ids[512] = "", left[64];
  const struct nova_address *all[] = {&profile->tcp, &profile->mqtt,
                                      &profile->mqtts};
  for (unsigned k = 0; k < 3; k++) {
    uint16_t port = nova_run_port(run, (enum nova_link_kind)k);
    if (port == 0)
      continue;
    const char *host = all[k]->host;
    size_t n = strlen(where);
    snprintf(where + n, sizeof where - n,
             strchr(host, ':') != NULL ? "%s%s%s[%s]:%u" : "%s%s%s%s:%u",
             n != 0 ? ", " : "", k != NOVA_OVER_TCP ? nova_link_names[k] : "",
             k != NOVA_OVER_TCP ? " " : "", host, port);
  }
  if (where[0] == '\0')
    return;
  for (size_t i = 0, n = 0; i < profile->devices && n < sizeof ids; i++)
    n += (size_t)snprintf(ids + n, sizeof ids - n, "%s%s", i != 0 ? ", " : "",
                          profile->device[i].id);
  snprintf(count, sizeof count, "%zu", total - op->never);
  nova_ts rest = NOVA_TS_NONE;
  nova_run_active(run, NULL, 0, &rest);
  span(screen->t.lang, rest == NOVA_TS_NONE ? 0 : rest, left, sizeof left);
  const char *arg[] = {where, ids, count, left};
  say(screen, NOVA_TEXT_LISTENING, arg, 4);
}

/* "[3/41] tcp-x: DEV-A has to connect ...". */
static void tell(struct nova_screen *screen, const struct nova_operator_wait *u,
                 const struct nova_run_wait *w, size_t total) {
  char head[512], left[64];
  snprintf(head, sizeof head, "[%zu/%zu] %.400s", u->number, total,
           u->script->id);
  span(screen->t.lang, w->left, left, sizeof left);
  const char *device = w->device != NULL ? w->device : "";
  const char *arg[] = {head, device, w->act ? left : w->text, left};
  say(screen, w->act ? NOVA_TEXT_ACT : NOVA_TEXT_AWAITED, arg, 4);
}

/* First what somebody may have to help with: the line is short. */
static void live(struct nova_operator *op, enum nova_lang lang) {
  size_t k = 0;
  for (int act = 1; act >= 0; act--)
    for (size_t i = 0; i < op->n; i++) {
      const struct nova_run_wait *w = &op->now[i];
      if (w->act == (act == 1))
        op->live[k++] = (struct nova_live_wait){
            .device = w->device,
            .text = w->act ? nova_phrase(lang, NOVA_TEXT_TO_CONNECT) : w->text,
            .left = w->left};
    }
}

static bool has_met(const struct nova_operator *op, const char *device) {
  for (size_t i = 0; i < NOVA_OPERATOR_WAITS && op->met[i] != NULL; i++)
    if (op->met[i] == device)
      return true;
  return false;
}

/* |w->device| is the profile's, so that it is known by its address. */
static void meet(struct nova_operator *op, const struct nova_run_wait *w) {
  size_t i = 0;
  while (i < NOVA_OPERATOR_WAITS && op->met[i] != NULL)
    i++;
  if (!w->act && w->device != NULL && i < NOVA_OPERATOR_WAITS &&
      !has_met(op, w->device))
    op->met[i] = w->device;
}

void nova_operator_look(struct nova_operator *op, const struct nova_run *run,
                        struct nova_screen *screen, size_t total, nova_ts now) {
  op->n = 0;
  bool doors = false;
  for (unsigned k = 0; k < 3; k++)
    doors |= nova_run_port(run, (enum nova_link_kind)k) != 0;
  if (!doors)
    return;
  size_t n = nova_run_waits(run, screen->t.lang == NOVA_LANG_ZH, op->now,
                            NOVA_OPERATOR_WAITS);
  op->n = n < NOVA_OPERATOR_WAITS ? n : NOVA_OPERATOR_WAITS;
  live(op, screen->t.lang);
  for (size_t i = 0; i < op->n; i++) {
    const struct nova_run_wait *w = &op->now[i];
    struct nova_operator_wait *u = slot(op, w->script);
    if (u == NULL)
      continue;
    if (strcmp(u->text, w->text) != 0) {
      snprintf(u->text, sizeof u->text, "%s", w->text);
      u->since = now;
      u->told = false;
    }
    meet(op, w);
    nova_ts patience = w->act && has_met(op, w->device)
                           ? NOVA_OPERATOR_BACK_OFF
                           : NOVA_OPERATOR_PATIENCE;
    /* On a terminal the live line tells all but what there is to do. */
    if (u->told || now < u->since + patience || (screen->live && !w->act) ||
        w->left == NOVA_TS_NONE || (w->left < NOVA_SEC && !w->act))
      continue;
    u->told = true;
    tell(screen, u, w, total - op->never);
  }
}
