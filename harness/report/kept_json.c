#include "report/kept_json.h"

#include "report/read.h"
#include "report/write.h"

int nova_run_write_json(const struct nova_results *r, const char *specs,
                        const struct nova_mask *m, const struct nova_mem *mem,
                        const struct nova_sink *sink) {
  struct nova_json_out o;
  nova_jo_init(&o, sink, m, mem);
  nova_jo_open(&o, '{', false);
  nova__write_head(&o, r, NOVA_RUN_FORMAT);
  nova_jo_key(&o, "specs");
  nova_jo_string(&o, specs);
  nova_jo_key(&o, "profile");
  nova__write_profile(&o, r->profile);
  nova_jo_close(&o, '}');
  return nova_jo_end(&o);
}

/* The members of nova__write_head(). */
static void read_head(struct nova__reader *r, struct nova_json_value root,
                      struct nova_results *out) {
  enum { TOOL, SUBJECT, NAME, ADDRESS, SEED, STARTED, MEMBERS };
  static const char *const names[MEMBERS + 1] = {
      "tool", "subject", "name", "address", "seed", "started", NULL};
  struct nova_json_value m[MEMBERS];
  nova__read_members(root, names, m);
  out->tool_version = nova__read_text(
      r, nova_json_get(m[TOOL], nova_view_of("version")), "tool.version", true);
  out->subject = (enum nova_role)nova__read_pick(r, m[SUBJECT], "subject",
                                                 nova_role_names, 2);
  r->subject = out->subject;
  out->name = nova__read_text(r, m[NAME], "name", true);
  out->address = nova__read_text(r, m[ADDRESS], "address", false);
  out->seed = nova__read_uint(r, m[SEED], "seed", true, UINT64_MAX);
  if (r->err == 0)
    out->started_unix_ns = nova__read_time(r, m[STARTED], "started");
}

int nova_run_read_json(const char *p, size_t n, struct nova_arena *arena,
                       struct nova_results *out, const char **specs,
                       struct nova_read_error *error) {
  static const char *const names[] = {"specs", "profile", NULL};
  struct nova__reader r = {.arena = arena, .error = error};
  struct nova_json_value root, m[2];
  *out = (struct nova_results){.arena = arena};
  *specs = NULL;
  if (!nova__read_start(&r, p, n, NOVA_RUN_FORMAT, &root))
    return r.err;
  read_head(&r, root, out);
  nova__read_members(root, names, m);
  *specs = nova__read_text(&r, m[0], "specs", true);
  nova__read_enter(&r, "profile", SIZE_MAX);
  if (r.err == 0)
    out->profile = nova__read_profile(&r, m[1]);
  nova__read_leave(&r);
  return r.err;
}

int nova_kept_read_json(const char *p, size_t n, struct nova_arena *arena,
                        struct nova_results *head,
                        struct nova_conversation_result *out,
                        struct nova_read_error *error) {
  static const char *const names[] = {"conversation", "result", "transcript",
                                      NULL};
  struct nova__reader r = {.arena = arena, .error = error};
  struct nova_json_value root, m[3];
  *head = (struct nova_results){.arena = arena};
  *out = (struct nova_conversation_result){.kept = true};
  if (!nova__read_start(&r, p, n, NOVA_TRANSCRIPT_FORMAT, &root))
    return r.err;
  read_head(&r, root, head);
  nova__read_members(root, names, m);
  const char *id = nova__read_text(&r, m[0], "conversation", true);
  nova__read_enter(&r, "result", SIZE_MAX);
  nova__read_conversation(&r, m[1], false, out);
  nova__read_leave(&r);
  if (r.err == 0 && strcmp(id, out->id) != 0)
    nova__read_fail(&r, "conversation", "the id of the result");
  if (r.err == 0)
    nova__read_transcript(&r, m[2], &out->transcript);
  for (size_t i = 0; r.err == 0 && i < out->checks; i++)
    if (out->check[i].entry > out->transcript.n)
      nova__read_fail(&r, "result", "checks of events that there are");
  return r.err;
}
