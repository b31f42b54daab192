#include "cli/resume.h"

#include "base/error.h"
#include "base/rng.h"
#include "cli/say.h"
#include "conversation/span.h"
#include "report/kept_json.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define KEPT_MOST ((size_t)512 << 20)
#define DIFF_MOST ((size_t)64 << 10)
/* Damaged files that are told one by one. */
#define TOLD_MOST 8

/* --- which run it is ---------------------------------------------------------
 */

/* Of the names and texts of the specs in force, against a mistake, not against
 * an attack: FNV-1a. */
static const char *digest(const struct nova_specs *s, char out[32]) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < s->n; i++) {
    const struct nova_view part[] = {nova_view_of(s->file[i].path),
                                     {"", 1},
                                     {s->file[i].text, s->file[i].n},
                                     {"", 1}};
    for (size_t k = 0; k < 4; k++)
      for (size_t b = 0; b < part[k].n; b++)
        h = (h ^ (unsigned char)part[k].p[b]) * UINT64_C(1099511628211);
  }
  snprintf(out, 32, "fnv1a64:%016llx", (unsigned long long)h);
  return out;
}

struct note {
  const struct nova_results *r;
  const char *specs;
  const struct nova_mask *mask;
};

static int write_note(const struct nova_sink *sink, void *user) {
  const struct note *n = user;
  return nova_run_write_json(n->r, n->specs, n->mask, NULL, sink);
}

int nova_resume_note(const struct nova_outdir *d, const struct nova_setup *u,
                     uint64_t started_unix_ns, const struct nova_mask *mask) {
  char specs[32];
  struct nova_results r = {.tool_version = NOVA_VERSION,
                           .subject = u->profile.subject,
                           .name = u->profile.name,
                           .seed = u->seed,
                           .started_unix_ns = started_unix_ns,
                           .profile = &u->profile};
  struct note n = {&r, digest(&u->specs, specs), mask};
  return nova_outdir_write(d, "run.json", write_note, &n);
}

/* --- what differs ------------------------------------------------------------
 */

struct diff {
  struct nova_buf *out;
  bool any;
  int err;
};

static void differ(struct diff *d, const char *what, const char *was,
                   const char *is) {
  if (d->err == 0)
    d->err = nova_buf_printf(d->out, "%s%s was %s and is %s",
                             d->any ? "; " : "", what, was, is);
  d->any = true;
}

static const char *address(const struct nova_address *a, char out[300]) {
  if (a->host == NULL)
    return "not given";
  snprintf(out, 300, strchr(a->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
           a->host, a->port);
  return out;
}

static bool same(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void addresses(struct diff *d, const struct nova_profile *was,
                      const struct nova_profile *is) {
  const struct nova_address *a[] = {&was->tcp, &was->mqtt, &was->mqtts};
  const struct nova_address *b[] = {&is->tcp, &is->mqtt, &is->mqtts};
  static const char *const names[] = {"tcp", "mqtt", "mqtts"};
  char x[300], y[300];
  for (size_t i = 0; i < 3; i++) {
    const char *old = address(a[i], x), *new = address(b[i], y);
    if (!same(old, new))
      differ(d, names[i], old, new);
  }
}

static void timers(struct diff *d, const struct nova_profile *was,
                   const struct nova_profile *is) {
  for (unsigned i = 0; i < NOVA_TIMERS; i++) {
    nova_ts a = was->timers.span[i], b = is->timers.span[i];
    char x[32], y[32];
    if (a != b)
      differ(d, nova_timer_name((enum nova_timer)i),
             a == NOVA_TS_NONE ? "never" : nova_duration_print(a, x),
             b == NOVA_TS_NONE ? "never" : nova_duration_print(b, y));
  }
}

static void devices(struct diff *d, const struct nova_profile *was,
                    const struct nova_profile *is) {
  char x[32], y[32];
  snprintf(x, sizeof x, "%zu", was->devices);
  snprintf(y, sizeof y, "%zu", is->devices);
  if (was->devices != is->devices) {
    differ(d, "the number of devices", x, y);
    return;
  }
  for (size_t i = 0; i < was->devices; i++) {
    snprintf(x, sizeof x, "device %zu", i + 1);
    if (!same(was->device[i].id, is->device[i].id))
      differ(d, x, was->device[i].id, is->device[i].id);
  }
}

/* Two lists that are not the same. */
static void lists(struct diff *d, const char *what, bool was, bool is) {
  differ(d, what,
         !was ? "not declared"
         : is ? "one list"
              : "declared",
         !is   ? "not declared"
         : was ? "another"
               : "declared");
}

static void declared(struct diff *d, const struct nova_profile *was,
                     const struct nova_profile *is) {
  static const char *const yes[] = {"not declared", "declared"};
  bool keys = was->value_keys_n == is->value_keys_n &&
              (was->value_keys == NULL) == (is->value_keys == NULL);
  for (size_t i = 0; keys && i < was->value_keys_n; i++)
    keys = same(was->value_keys[i], is->value_keys[i]);
  if (!keys)
    lists(d, "value_keys", was->value_keys != NULL, is->value_keys != NULL);
  const struct nova_actuator *a = was->actuators, *b = is->actuators;
  while (a != NULL && b != NULL && same(a->name, b->name)) {
    a = a->next;
    b = b->next;
  }
  if (a != NULL || b != NULL)
    lists(d, "actuators", was->actuators != NULL, is->actuators != NULL);
  bool transports = was->transports_given == is->transports_given;
  for (size_t i = 0; transports && was->transports_given && i < 3; i++)
    transports = was->transport[i] == is->transport[i];
  if (!transports)
    lists(d, "transports", was->transports_given, is->transports_given);
  if (was->client_certificates != is->client_certificates)
    differ(d, "client_certificates", yes[was->client_certificates],
           yes[is->client_certificates]);
}

int nova_resume_differences(const struct nova_profile *was,
                            const struct nova_profile *is,
                            struct nova_buf *out) {
  struct diff d = {.out = out};
  addresses(&d, was, is);
  devices(&d, was, is);
  timers(&d, was, is);
  declared(&d, was, is);
  return d.err;
}

static int compare(const struct nova_resume *r, const struct nova_setup *u,
                   const char *specs, const char *dir) {
  if (r->run.subject != u->profile.subject)
    return nova_wrong("--resume %s: it is a run of a %s: novaprobe %s --resume",
                      dir, nova_role_names[r->run.subject],
                      nova_role_names[r->run.subject]);
  if (nova_options_last(u->o, NOVA_OPT_SEED) != NULL && u->seed != r->run.seed)
    return nova_wrong("--resume %s: its seed is %llu, not %llu (it need not be "
                      "given)",
                      dir, (unsigned long long)r->run.seed,
                      (unsigned long long)u->seed);
  struct nova_buf text;
  nova_buf_init(&text, NULL, DIFF_MOST);
  int status = 0;
  if (nova_resume_differences(r->run.profile, &u->profile, &text) != 0)
    status = nova_broken("out of memory");
  else if (text.len != 0)
    status = nova_wrong("--resume %s: this is another run: %s", dir,
                        nova_buf_cstr(&text));
  nova_buf_free(&text);
  char now[32];
  if (status == 0 && strcmp(specs, digest(&u->specs, now)) != 0)
    status =
        nova_wrong("--resume %s: it was played with other conversations or "
                   "rules (novaprobe %s; this is %s)",
                   dir, r->run.tool_version, NOVA_VERSION);
  return status;
}

static int read_run(struct nova_resume *r, struct nova_setup *u,
                    const char *dir) {
  char path[NOVA_PATH_MOST];
  if (*dir == '\0' ||
      snprintf(path, sizeof path, "%s/run.json", dir) >= (int)sizeof path - 600)
    return nova_wrong("--resume: the folder's name is %s",
                      *dir == '\0' ? "empty" : "too long");
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_RESULTS_FILE_MAX);
  const char *why = NULL, *specs = NULL;
  struct nova_read_error error = {""};
  int status = 0;
  if (nova_file_read(path, &text, &why) != 0) {
    status =
        nova_wrong("--resume: %s: %s; there is no run to take up", path, why);
  } else {
    struct nova_view v = nova_buf_view(&text);
    if (nova_run_read_json(v.p != NULL ? v.p : "", v.n, &r->arena, &r->run,
                           &specs, &error) != 0)
      status = nova_wrong("--resume: %s: %s", path, error.text);
  }
  nova_buf_free(&text);
  return status != 0 ? status : compare(r, u, specs, dir);
}

/* --- what was judged ---------------------------------------------------------
 */

/* NULL, or why the file is no part of this run. */
static const char *strange(const struct nova_resume *r,
                           const struct nova_setup *u,
                           const struct nova_script *s,
                           const struct nova_results *head,
                           const struct nova_conversation_result *c) {
  if (strcmp(c->id, s->id) != 0)
    return "it is of another conversation";
  if (strcmp(head->tool_version, NOVA_VERSION) != 0)
    return "it is of another version of novaprobe";
  if (head->subject != r->run.subject || head->seed != r->run.seed ||
      c->seed != nova_rng_derive(r->run.seed, c->id))
    return "it is of another run";
  for (size_t i = 0; i < c->checks; i++)
    if (nova_catalog_requirement(&u->catalog, c->check[i].requirement) == NULL)
      return "it checks a requirement that there is not";
  return NULL;
}

static bool stands(enum nova_verdict v) {
  return v == NOVA_VERDICT_PASS || v == NOVA_VERDICT_FAIL ||
         v == NOVA_VERDICT_NOT_APPLICABLE;
}

static void take(struct nova_resume *r, const struct nova_script *s,
                 const struct nova_conversation_result *c) {
  nova_ts end = nova_ts_add(c->started, c->duration);
  if (end != NOVA_TS_NONE && end > r->spent)
    r->spent = end;
  if (c->timing_error > r->timing_error)
    r->timing_error = c->timing_error;
  if (c->device != NULL && (s->needs & 1u << NOVA_HOOK_RESET_KEY) != 0)
    nova_say("%s has changed the key of %s: --device has to give the present "
             "one",
             c->id, c->device);
  if (!stands(c->verdict))
    return;
  r->kept[r->n] = *c;
  /* What the script says of itself is the same, and in both languages. */
  r->kept[r->n].verifies = s->verifies;
  r->n++;
}

static int read_one(struct nova_resume *r, const struct nova_setup *u,
                    const struct nova_script *s, const char *dir,
                    size_t *damaged) {
  char name[512], path[2 * NOVA_PATH_MOST];
  nova_outdir_transcript_name(s->id, name);
  snprintf(path, sizeof path, "%s/%s", dir, name);
  struct stat st;
  if (stat(path, &st) != 0)
    return 0;
  struct nova_buf text;
  nova_buf_init(&text, NULL, NOVA_RESULTS_FILE_MAX);
  const char *why = NULL;
  struct nova_read_error error = {""};
  struct nova_results head = {0};
  struct nova_conversation_result c = {0};
  int err = nova_file_read(path, &text, &why);
  if (err == 0) {
    struct nova_view v = nova_buf_view(&text);
    err = nova_kept_read_json(v.p != NULL ? v.p : "", v.n, &r->arena, &head, &c,
                              &error);
    why = err != 0 ? error.text : strange(r, u, s, &head, &c);
  }
  nova_buf_free(&text);
  if (err == NOVA_ERR_NO_MEMORY)
    return nova_broken("out of memory");
  if (why == NULL) {
    take(r, s, &c);
    return 0;
  }
  if (++*damaged <= TOLD_MOST)
    nova_say("%s cannot be used, %s is played again: %s", path, s->id, why);
  return 0;
}

int nova_resume_read(struct nova_resume *r, struct nova_setup *u,
                     const char *dir) {
  *r = (struct nova_resume){.n = 0};
  nova_arena_init(&r->arena, NULL, KEPT_MOST);
  int status = read_run(r, u, dir);
  if (status != 0)
    return status;
  u->seed = r->run.seed;
  r->kept = NOVA_NEW_ARRAY(&r->arena, struct nova_conversation_result,
                           u->catalog.script_count + 1);
  if (r->kept == NULL)
    return nova_broken("out of memory");
  size_t damaged = 0;
  for (const struct nova_script *s = u->catalog.scripts;
       s != NULL && status == 0; s = s->next)
    status = read_one(r, u, s, dir, &damaged);
  if (damaged > TOLD_MOST)
    nova_say("%zu more of %s/transcripts cannot be used", damaged - TOLD_MOST,
             dir);
  return status;
}

void nova_resume_free(struct nova_resume *r) {
  nova_arena_free(&r->arena);
}
