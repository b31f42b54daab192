#include "cli/steps.h"

#include "base/unreachable.h"

#include <stdio.h>

struct words {
  struct nova_buf *out;
  enum nova_lang lang;
  const struct nova_script *script;
  struct nova_timers timers;
};

static bool nothing(void *user, const char *name, struct nova_buf *out) {
  (void)user;
  (void)name;
  (void)out;
  return false;
}

static void say(struct words *w, const char *en, const char *zh) {
  nova_buf_puts(w->out, w->lang == NOVA_LANG_ZH ? zh : en);
}

static void actor(struct words *w, enum nova_actor a) {
  switch (a) {
  case NOVA_ACTOR_DEVICE: say(w, "the device", "设备"); return;
  case NOVA_ACTOR_SERVER: say(w, "the server", "服务器"); return;
  case NOVA_ACTOR_PLATFORM: say(w, "the platform", "平台"); return;
  case NOVA_ACTOR_NOBODY: return;
  }
  nova_unreachable();
}

static void span(struct words *w, const struct nova_span *s) {
  char text[32];
  nova_buf_puts(w->out,
                nova_duration_print(nova_span_value(s, &w->timers), text));
}

static void pattern(struct words *w, const struct nova_pattern *p) {
  struct nova_rng rng;
  nova_rng_init(&rng, 0);
  struct nova_scope scope = {.lookup = nothing, .rng = &rng};
  char text[1024];
  nova_buf_puts(w->out, nova_pattern_print(p, &scope, text, sizeof text));
}

static void raw(struct words *w, const struct nova_raw *r) {
  size_t n = 0;
  bool made_up = false;
  for (; r != NULL; r = r->next) {
    n += r->bytes.n * r->times;
    made_up |= r->json != NULL;
  }
  if (made_up)
    say(w, "bytes of its own", "自行构造的字节");
  else
    nova_buf_printf(w->out,
                    w->lang == NOVA_LANG_ZH ? "%zu 个字节" : "%zu bytes", n);
}

static void messages(struct words *w, const struct nova_step *s) {
  if (s->messages == NULL && s->raw == NULL) {
    say(w, "anything", "任何内容");
    return;
  }
  for (const struct nova_pattern *m = s->messages; m != NULL; m = m->next) {
    pattern(w, m);
    if (m->next != NULL)
      say(w, " and in the same write ", " 并在同一次写入中发送 ");
  }
  if (s->raw != NULL)
    raw(w, s->raw);
  if (s->pad_to != NULL) {
    say(w, ", padded with white space to a line of ",
        "，用空白填充至整行长度 ");
    pattern(w, s->pad_to);
    say(w, " bytes", " 字节");
  }
  switch (s->cut) {
  case NOVA_CUT_NONE: break;
  case NOVA_CUT_BYTES: say(w, ", byte by byte", "，逐字节发送"); break;
  case NOVA_CUT_CHARACTER:
    say(w, ", cut inside a character", "，在一个字符中间切开");
    break;
  case NOVA_CUT_AT: say(w, ", in pieces", "，分段发送"); break;
  }
}

static void hook(struct words *w, const struct nova_step *s) {
  static const char *const en[NOVA_HOOKS] = {
      "sends a command to ", "resets the key of ", "deactivates ", "activates ",
      "is asked for the data of "};
  static const char *const zh[NOVA_HOOKS] = {"下发命令给 ", "重置密钥：",
                                             "停用 ", "启用 ", "查询数据："};
  nova_buf_puts(w->out, w->lang == NOVA_LANG_ZH ? zh[s->hook] : en[s->hook]);
  nova_buf_printf(w->out, "$%s", s->device != NULL ? s->device : "device");
  if (s->command != NULL) {
    nova_buf_puts(w->out, ": ");
    pattern(w, s->command);
    nova_buf_puts(w->out, " ");
    pattern(w, s->params);
  }
  if (s->output != NULL) {
    say(w, ", which shows ", "，其中应有 ");
    pattern(w, s->output);
  }
}

static void how(struct words *w, enum nova_how h) {
  if (h == NOVA_HOW_FIN)
    say(w, " with FIN", "（FIN）");
  else if (h == NOVA_HOW_RST)
    say(w, " with RST", "（RST）");
}

/* What a connect offers of TLS, or what a server presents. */
static void tls(struct words *w, const struct nova_tls_wish *t) {
  for (unsigned high = 0; high < 2; high++) {
    unsigned v = high ? t->highest : t->lowest;
    if (v == NOVA_TLS_ANY)
      continue;
    say(w, high ? ", with TLS up to 1." : ", with TLS from 1.",
        high ? "，TLS 版本至多 1." : "，TLS 版本至少 1.");
    nova_buf_printf(w->out, "%u", v - NOVA_TLS_1_0);
  }
  if (t->asks)
    say(w, ", and asks for the device's certificate", "，并要求设备证书");
  if (t->no_own)
    say(w, ", without a certificate of its own", "，不出示自身证书");
}

static void verb(struct words *w, const struct nova_step *s) {
  switch (s->verb) {
  case NOVA_VERB_CONNECT:
    say(w, " connects", "建立连接");
    tls(w, &s->tls);
    return;
  case NOVA_VERB_SECURE:
  case NOVA_VERB_INSECURE:
    if (s->verb == NOVA_VERB_SECURE)
      say(w, " completes the TLS handshake", "完成 TLS 握手");
    else
      say(w, " does not complete the TLS handshake", "不完成 TLS 握手");
    if (s->messages != NULL)
      say(w, ": ", "：");
    if (s->messages != NULL)
      messages(w, s);
    return;
  case NOVA_VERB_PRESENT:
    say(w, " from now on presents the certificate ", "从此出示的证书：");
    nova_buf_puts(w->out, nova_certificate_names[s->tls.certificate]);
    tls(w, &s->tls);
    return;
  case NOVA_VERB_SEND:
    say(w, " sends ", "发送 ");
    messages(w, s);
    return;
  case NOVA_VERB_CLOSE:
    say(w, " closes the connection", "关闭连接");
    how(w, s->how);
    return;
  case NOVA_VERB_HALF_CLOSE:
    say(w, " closes its sending side", "关闭发送方向");
    return;
  case NOVA_VERB_RESET: say(w, " resets the connection", "重置连接"); return;
  case NOVA_VERB_REPEAT:
    say(w, " from now on sends ", "从此重复发送 ");
    messages(w, s);
    say(w, " every ", "，间隔 ");
    span(w, s->every);
    return;
  case NOVA_VERB_STOP: say(w, " stops repeating", "停止重复发送"); return;
  case NOVA_VERB_SILENT:
    say(w, " does not send ", "不发送 ");
    messages(w, s);
    if (s->everywhere)
      say(w, " on any connection", "（任何连接上）");
    return;
  case NOVA_VERB_OPEN: say(w, " keeps the connection open", "保持连接"); return;
  case NOVA_VERB_ATTEMPTS:
    nova_buf_printf(w->out,
                    w->lang == NOVA_LANG_ZH ? "至多新建 %u 个连接"
                                            : " opens at most %u connections",
                    s->at_most);
    return;
  case NOVA_VERB_REFUSE:
    say(w, " from now on ends every new connection", "从此结束每个新连接");
    if (s->after_auth)
      say(w, " when auth has come", "，在收到 auth 之后");
    if (s->messages != NULL) {
      say(w, ", and sends before that ", "，并在此前发送 ");
      messages(w, s);
    }
    return;
  case NOVA_VERB_HOOK:
    nova_buf_puts(w->out, w->lang == NOVA_LANG_ZH ? "" : " ");
    hook(w, s);
    return;
  case NOVA_VERB_WAIT: say(w, "time passes", "等待"); return;
  case NOVA_VERB_ANY_OF: say(w, "one of these:", "以下之一："); return;
  case NOVA_VERB_EACH:
    if (s->each == NOVA_EACH_ACTUATOR)
      say(w, "for each declared actuator:", "对每个声明的执行器：");
    else
      say(w, "for each of its example values but the last:",
          "对其除最后一个之外的每个示例值：");
    return;
  }
  nova_unreachable();
}

static void ids(struct words *w, const char *en, const char *zh,
                const struct nova_ids *list) {
  for (size_t i = 0; i < list->n; i++) {
    if (i == 0)
      say(w, en, zh);
    nova_buf_printf(w->out, " %s", list->id[i]);
  }
}

static void conditions(struct words *w, const struct nova_step *s) {
  bool main = s->on == NULL || strcmp(s->on, "main") == 0;
  if (!main) {
    say(w, ", on the connection ", "，连接 ");
    nova_buf_puts(w->out, s->on);
  }
  if (s->not_before != NULL) {
    say(w, ", not before ", "，不早于 ");
    span(w, s->not_before);
  }
  if (s->within != NULL) {
    say(w, ", within ", "，最迟 ");
    span(w, s->within);
  }
  if (s->duration != NULL) {
    say(w, ", for ", "，持续 ");
    span(w, s->duration);
  }
  if (s->from != NULL) {
    say(w, ", counted from ", "，计时起点 ");
    nova_buf_puts(w->out, s->from);
  }
  if (s->as != NULL) {
    say(w, " (called ", "（记为 ");
    nova_buf_puts(w->out, s->as);
    say(w, ")", "）");
  }
  ids(w, "; verifies", "；验证", &s->verifies);
  ids(w, "; too early breaks", "；过早则违反", &s->early);
  ids(w, "; where nothing comes breaks", "；完全没有则违反", &s->missing);
  ids(w, "; awaited for", "；等待以便判定", &s->awaits);
  ids(w, "; relies on", "；前提", &s->relies_on);
  ids(w, "; only observed:", "；仅观察：", &s->observes);
  if (s->needs != 0) {
    say(w, "; needs ", "；需要 ");
    nova_buf_puts(w->out, nova_need_name(s->needs));
  }
}

static void steps(struct words *w, const struct nova_step *s, int indent) {
  for (; s != NULL; s = s->next) {
    nova_buf_printf(w->out, "%*s%2u. ", indent, "", s->number);
    actor(w, s->actor);
    verb(w, s);
    conditions(w, s);
    nova_buf_puts(w->out, "\n");
    for (const struct nova_branch *b = s->branches; b != NULL; b = b->next) {
      if (s->verb == NOVA_VERB_ANY_OF) {
        nova_buf_printf(w->out, "%*s- ", indent + 4, "");
        say(w, "either\n", "或者\n");
      }
      steps(w, b->steps, indent + 6); /* the loader bounds the nesting */
    }
  }
}

int nova_steps_put(struct nova_buf *out, enum nova_lang lang,
                   const struct nova_script *s) {
  struct words w = {.out = out, .lang = lang, .script = s};
  nova_timers_default(&w.timers);
  steps(&w, s->steps, 2);
  return nova_buf_puts(out, "");
}
