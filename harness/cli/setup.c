#include "cli/setup.h"

#include "base/error.h"
#include "base/words.h"
#include "cli/files.h"
#include "cli/near.h"
#include "cli/say.h"
#include "run/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define ARENA_MOST ((size_t)64 << 20)
#define KEY_MOST   ((size_t)64 << 10)

/* --- where a profile's parts come from -------------------------------------
 */

static const char *from_env(void *user, const char *name) {
  (void)user;
  return getenv(name);
}

static const char *from_file(void *user, struct nova_arena *arena,
                             const char *path, const char **why) {
  (void)user;
  struct nova_buf text;
  nova_buf_init(&text, NULL, KEY_MOST);
  const char *copy = NULL;
  if (nova_file_read(path, &text, why) == 0) {
    struct nova_view v = nova_buf_view(&text);
    if (v.n != 0 && v.p[v.n - 1] == '\n')
      v.n--;
    *why = v.n == 0 ? "the file is empty" : "it holds a NUL byte";
    if (v.n != 0 && memchr(v.p, 0, v.n) == NULL) {
      copy = nova_arena_copy(arena, v.p, v.n);
      *why = "out of memory";
    }
  }
  nova_buf_free(&text);
  return copy;
}

int nova_setup_profile_text(struct nova_profile *p, const char *file,
                            const char *text, size_t n,
                            struct nova_diag *diag) {
  static const struct nova_profile_source source = {from_env, from_file, NULL};
  return nova_profile_read(p, file, text, n, &source, diag);
}

static int read_profile(struct nova_setup *s, const char *file) {
  struct nova_buf text;
  struct nova_diag diag;
  nova_buf_init(&text, NULL, NOVA_SOURCE_MOST);
  nova_diag_init(&diag, NULL);
  const char *why = NULL;
  int status = 0;
  if (nova_file_read(file, &text, &why) != 0) {
    status = nova_wrong("%s: %s", file, why);
  } else {
    struct nova_view v = nova_buf_view(&text);
    if (nova_setup_profile_text(&s->profile, file, v.p != NULL ? v.p : "", v.n,
                                &diag) != 0)
      status = nova_say_diag(&diag, "");
  }
  nova_buf_free(&text);
  nova_diag_free(&diag);
  s->profile_file = file;
  return status;
}

/* --- options over the profile ----------------------------------------------
 */

static int address(struct nova_setup *s, enum nova_option id, unsigned lowest,
                   struct nova_address *out) {
  const char *text = nova_options_last(s->o, id), *why = NULL;
  if (text == NULL)
    return 0;
  if (nova_address_read(&s->arena, nova_view_of(text), lowest, out, &why) != 0)
    return nova_wrong("--%s %s: %s", nova_option_table[id].name, text, why);
  return 0;
}

static int device(struct nova_setup *s, const char *text) {
  const char *colon = strchr(text, ':'), *why = NULL;
  if (colon == NULL)
    return nova_wrong("--device: expected ID:KEY, with a colon between them");
  struct nova_view id = {text, (size_t)(colon - text)};
  struct nova_view key = nova_view_of(colon + 1);
  struct nova_profile *p = &s->profile;
  /* An option overrides the profile's key of the same device. */
  for (size_t i = 0; i < p->devices; i++)
    if (nova_view_is(id, p->device[i].id) && key.n != 0 && key.n <= 1023) {
      p->device[i].key = nova_arena_copy(&s->arena, key.p, key.n);
      return p->device[i].key != NULL ? 0 : nova_broken("out of memory");
    }
  /* The message names no key. */
  if (nova_profile_add_device(p, id, key, &why) != 0)
    return nova_wrong("--device %.*s:...: %s", (int)(id.n > 255 ? 255 : id.n),
                      id.p, why);
  return 0;
}

static int timer(struct nova_setup *s, const char *text) {
  size_t n = strcspn(text, "=");
  enum nova_timer t = nova_timer_find((struct nova_view){text, n});
  if (t == NOVA_TIMERS) {
    struct nova_near near;
    nova_near_init(&near, text, n);
    for (unsigned i = 0; i < NOVA_TIMERS; i++)
      nova_near_try(&near, nova_timer_name((enum nova_timer)i));
    const char *best = nova_near_best(&near);
    return nova_wrong("--timer %s: there is no timer \"%.*s\"%s%s%s", text,
                      (int)n, text, best != NULL ? "; did you mean " : "",
                      best != NULL ? best : "", best != NULL ? "?" : "");
  }
  const char *value = text[n] == '=' ? text + n + 1 : "";
  nova_ts span = 0;
  bool may_be_never =
      t == NOVA_TIMER_data_interval || t == NOVA_TIMER_report_interval;
  if (nova_duration_parse(value, strlen(value), &span) != 0 || span == 0 ||
      (span == NOVA_TS_NONE && !may_be_never))
    return nova_wrong("--timer %s: expected NAME=DURATION, such as %s=10s, "
                      "250ms or 3min",
                      text, nova_timer_name(t));
  s->profile.timers.span[t] = span;
  s->profile.timers.set[t] = true;
  return 0;
}

/* Guide 3.4: the idle timeout is three heartbeats. Whoever names only the idle
 * timeout means a heartbeat that goes with it; one that is no shorter would
 * blame a good server for closing. */
static int heartbeat(struct nova_setup *s) {
  struct nova_timers *t = &s->profile.timers;
  nova_ts idle = t->span[NOVA_TIMER_idle_timeout];
  if (!t->set[NOVA_TIMER_heartbeat] && t->set[NOVA_TIMER_idle_timeout])
    t->span[NOVA_TIMER_heartbeat] = idle / 3 != 0 ? idle / 3 : 1;
  if (t->span[NOVA_TIMER_heartbeat] < idle)
    return 0;
  char a[32], b[32];
  return nova_wrong("the timer heartbeat (%s) has to be shorter than "
                    "idle_timeout (%s)",
                    nova_duration_print(t->span[NOVA_TIMER_heartbeat], a),
                    nova_duration_print(idle, b));
}

int nova_setup_read_profile(struct nova_setup *s, const struct nova_options *o,
                            enum nova_role subject, unsigned lowest) {
  *s = (struct nova_setup){.o = o};
  nova_arena_init(&s->arena, NULL, ARENA_MOST);
  nova_catalog_init(&s->catalog, NULL);
  nova_profile_init(&s->profile, &s->arena);
  s->profile.subject = subject;
  int status = 0;
  const char *file = nova_options_last(o, NOVA_OPT_PROFILE);
  if (file != NULL)
    status = read_profile(s, file);
  if (status == 0 && s->profile.subject != subject)
    status = nova_wrong("%s: its subject is a %s: run novaprobe %s", file,
                        nova_role_names[s->profile.subject],
                        nova_role_names[s->profile.subject]);
  if (status == 0)
    status = address(s, NOVA_OPT_TCP, lowest, &s->profile.tcp);
  if (status == 0)
    status = address(s, NOVA_OPT_MQTT, lowest, &s->profile.mqtt);
  if (status == 0)
    status = address(s, NOVA_OPT_MQTTS, lowest, &s->profile.mqtts);
  for (size_t i = 0; i < o->opt[NOVA_OPT_DEVICE].n && status == 0; i++)
    status = device(s, o->opt[NOVA_OPT_DEVICE].value[i]);
  for (size_t i = 0; i < o->opt[NOVA_OPT_TIMER].n && status == 0; i++)
    status = timer(s, o->opt[NOVA_OPT_TIMER].value[i]);
  return status == 0 ? heartbeat(s) : status;
}

/* --- the rest ---------------------------------------------------------------
 */

enum nova_lang nova_setup_lang(const struct nova_options *o) {
  const char *lang = nova_options_last(o, NOVA_OPT_LANG);
  if (lang != NULL)
    return strcmp(lang, "zh") == 0 ? NOVA_LANG_ZH : NOVA_LANG_EN;
  static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
  for (size_t i = 0; i < 3; i++) {
    const char *v = getenv(names[i]);
    if (v != NULL && *v != '\0')
      return strncmp(v, "zh", 2) == 0 ? NOVA_LANG_ZH : NOVA_LANG_EN;
  }
  return NOVA_LANG_EN;
}

bool nova_setup_number(const char *text, uint64_t most, uint64_t *out) {
  uint64_t v = 0;
  if (*text == '\0')
    return false;
  for (const char *c = text; *c != '\0'; c++) {
    uint64_t digit = (uint64_t)(*c - '0');
    if (*c < '0' || *c > '9' || v > (most - digit) / 10)
      return false;
    v = v * 10 + digit;
  }
  *out = v;
  return true;
}

static int numbers(struct nova_setup *s) {
  const char *jobs = nova_options_last(s->o, NOVA_OPT_JOBS);
  const char *seed = nova_options_last(s->o, NOVA_OPT_SEED);
  uint64_t n = 0;
  if (jobs != NULL && (!nova_setup_number(jobs, 100000, &n) || n == 0))
    return nova_wrong("--jobs %s: expected a number from 1 to 100000", jobs);
  s->jobs = (unsigned)n;
  if (seed != NULL) {
    if (!nova_setup_number(seed, UINT64_MAX, &s->seed))
      return nova_wrong("--seed %s: expected a number from 0 to %llu", seed,
                        (unsigned long long)UINT64_MAX);
    return 0;
  }
  /* Short enough to be typed; a person repeats it. */
  uint32_t random = 0;
  if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
    return nova_broken("no random number: %s", strerror(errno));
  s->seed = random;
  return 0;
}

static int words(struct nova_setup *s, const char *what, const char *text,
                 char ***out) {
  (void)s;
  size_t n = 0, offset = 0;
  int err = nova_words_split(NULL, text, strlen(text), out, &n, &offset);
  if (err == NOVA_ERR_ARGUMENT)
    return nova_wrong("%s: a quotation mark or backslash without its end at "
                      "byte %zu: %s",
                      what, offset + 1, text);
  if (err != 0)
    return err == NOVA_ERR_NO_MEMORY
               ? nova_broken("out of memory")
               : nova_wrong("%s: the command is too long", what);
  if (n == 0)
    return nova_wrong("%s: the command is empty", what);
  return 0;
}

static int commands(struct nova_setup *s) {
  int status = 0;
  for (unsigned h = 0; h < NOVA_HOOKS && status == 0; h++) {
    char what[64];
    snprintf(what, sizeof what, "the hook %s", nova_hook_names[h]);
    if (s->profile.hook[h] != NULL)
      status = words(s, what, s->profile.hook[h], &s->hook[h]);
  }
  s->hook_folder = s->profile_file != NULL ? s->profile.folder : NULL;
  const char *spawn = nova_options_last(s->o, NOVA_OPT_SPAWN);
  if (status == 0 && spawn != NULL)
    status = words(s, "--spawn", spawn, &s->spawn);
  return status;
}

int nova_setup_expect(struct nova_expect *e, struct nova_arena *arena,
                      const struct nova_catalog *c, const char *file,
                      bool *expecting) {
  struct nova_buf text;
  struct nova_diag diag;
  nova_buf_init(&text, NULL, NOVA_SOURCE_MOST);
  nova_diag_init(&diag, NULL);
  const char *why = NULL;
  int status = 0;
  if (nova_file_read(file, &text, &why) != 0) {
    status = nova_wrong("%s: %s", file, why);
  } else {
    struct nova_view v = nova_buf_view(&text);
    if (nova_expect_read(e, arena, c, file, v.p != NULL ? v.p : "", v.n,
                         &diag) != 0)
      status = nova_say_diag(&diag, "");
  }
  *expecting = status == 0;
  nova_buf_free(&text);
  nova_diag_free(&diag);
  return status;
}

static int expectations(struct nova_setup *s) {
  const char *file = nova_options_last(s->o, NOVA_OPT_EXPECT);
  if (file == NULL)
    file = s->profile.expect;
  if (file == NULL)
    return 0;
  return nova_setup_expect(&s->expect, &s->arena, &s->catalog, file,
                           &s->expecting);
}

/* A glob that matches nothing is a mistake, and a run of nothing would look
 * like one that is in order. */
static int globs(const struct nova_setup *s, enum nova_option id) {
  for (size_t i = 0; i < s->o->opt[id].n; i++) {
    const char *glob = s->o->opt[id].value[i];
    bool hit = false;
    struct nova_near near;
    nova_near_init(&near, glob, strlen(glob));
    for (const struct nova_script *c = s->catalog.scripts; c != NULL;
         c = c->next) {
      hit |= nova_glob(glob, c->id) || nova_glob(glob, c->base);
      nova_near_try(&near, c->id);
    }
    for (const struct nova_requirement *r = s->catalog.requirements; r != NULL;
         r = r->next) {
      hit |= nova_glob(glob, r->id);
      nova_near_try(&near, r->id);
    }
    if (hit)
      continue;
    const char *best = nova_near_best(&near);
    return nova_wrong(
        "--%s %s: no conversation or requirement is called so%s%s%s",
        nova_option_table[id].name, glob, best != NULL ? "; did you mean " : "",
        best != NULL ? best : "", best != NULL ? "?" : "");
  }
  return 0;
}

int nova_setup_choices(const struct nova_options *o) {
  const char *lang = nova_options_last(o, NOVA_OPT_LANG);
  const char *color = nova_options_last(o, NOVA_OPT_COLOR);
  if (lang != NULL && strcmp(lang, "en") != 0 && strcmp(lang, "zh") != 0)
    return nova_wrong("--lang %s: expected en or zh", lang);
  if (color != NULL && strcmp(color, "auto") != 0 &&
      strcmp(color, "always") != 0 && strcmp(color, "never") != 0)
    return nova_wrong("--color %s: expected auto, always or never", color);
  return 0;
}

int nova_setup_read(struct nova_setup *s, const struct nova_options *o,
                    enum nova_role subject) {
  int status = nova_setup_read_profile(s, o, subject,
                                       subject == NOVA_ROLE_DEVICE ? 0 : 1);
  if (status == 0)
    status = nova_setup_choices(o);
  if (status == 0)
    status = numbers(s);
  if (status == 0)
    status = commands(s);
  if (status == 0)
    status = nova_specs_open(&s->specs, nova_options_last(o, NOVA_OPT_SPECS));
  if (status == 0)
    status = nova_specs_load(&s->specs, &s->catalog);
  if (status == 0)
    status = globs(s, NOVA_OPT_ONLY);
  if (status == 0)
    status = globs(s, NOVA_OPT_SKIP);
  if (status == 0)
    status = expectations(s);
  s->lang = nova_setup_lang(o);
  if (status == 0 && s->arena.failed)
    status = nova_broken("out of memory");
  return status;
}

void nova_setup_free(struct nova_setup *s) {
  for (unsigned h = 0; h < NOVA_HOOKS; h++)
    nova_words_free(NULL, s->hook[h]);
  nova_words_free(NULL, s->spawn);
  nova_catalog_free(&s->catalog);
  nova_specs_free(&s->specs);
  nova_arena_free(&s->arena);
}
