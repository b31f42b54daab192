/* What a line of a device does: guide 3.2 to 3.4. */
#include "peer/server_state.h"

#include "base/unreachable.h"
#include "peer/malformed.h"

/* A member of the message as it stands. */
static struct nova_json_value member(const struct nova_msg *m,
                                     const char *name) {
  return nova_json_get(m->whole, nova_view_of(name));
}

/* --- faults of the parsing layer -------------------------------------------
 */

static bool crashes(const struct nova_server *s, const struct nova__session *c,
                    struct nova_view frame, int err, const struct nova_msg *m) {
  bool array = m->whole.type == NOVA_JSON_ARRAY;
  if (NOVA__HAS(s, CRASH_DEEP_NESTING) && nova__depth_of(frame) > 5000)
    return true;
  if (NOVA__HAS(s, CRASH_INVALID_JSON) && nova__is_invalid_json(err))
    return true;
  if (NOVA__HAS(s, CRASH_INVALID_UTF8) && err == NOVA_ERR_JSON_UTF8)
    return true;
  if (NOVA__HAS(s, CRASH_ARRAY) && array)
    return true;
  if (NOVA__HAS(s, CRASH_NUL) && frame.n > 0 && memchr(frame.p, 0, frame.n))
    return true;
  if (NOVA__HAS(s, CRASH_EMPTY_LINE) && err == NOVA_ERR_LINE_EMPTY)
    return true;
  if (NOVA__HAS(s, CRASH_AUTH_NUMBER_KEY) && m->kind == NOVA_MSG_AUTH &&
      member(m, "device_key").type == NOVA_JSON_NUMBER)
    return true;
  return NOVA__HAS(s, CRASH_MALFORMED_BEFORE_AUTH) &&
         c->state == NOVA__WAITING && m->whole.type != NOVA_JSON_OBJECT;
}

/* What a line does to a server with a fault of its parsing layer. True where
 * nothing is left to be done with the line. */
static bool suffer(struct nova_server *s, struct nova__session *c,
                   struct nova_view frame, int err, const struct nova_msg *m) {
  if (crashes(s, c, frame, err, m)) {
    nova__crash(s);
    return true;
  }
  if (NOVA__HAS(s, RESTART_INVALID_JSON) && nova__is_invalid_json(err)) {
    nova__end_all(s, NOVA__POST_RESET);
    return true;
  }
  if (m->whole.type == NOVA_JSON_OBJECT)
    return false;
  if (NOVA__HAS(s, STOPS_ACCEPTING))
    s->deaf = true;
  if (NOVA__HAS(s, MALFORMED_CLOSES_ALL)) {
    nova__end_all(s, NOVA__POST_CLOSE);
    return true;
  }
  return false;
}

/* --- authentication: guide 3.2 ---------------------------------------------
 */

static void accept_auth(struct nova_server *s, struct nova__session *c,
                        struct nova__account *a) {
  struct nova__session *older = a != NULL ? a->newest : NULL;
  while (NOVA__HAS(s, V_TAKES_OVER) && older != NULL) {
    struct nova__session *next = older->older;
    if (older != c)
      nova__end(s, older, NOVA__POST_CLOSE);
    older = next;
  }
  nova__enter(s, c, NOVA__SERVED);
  nova__bind_account(s, c, a);
  s->anybody = true;
  struct nova__how how = {.last = NOVA__HAS(s, CLOSES_AFTER_AUTH)};
  if (NOVA__HAS(s, AUTH_SLOW)) {
    how.late = s->options.late;
    how.resumes = true;
  }
  nova__say_auth_result(s, c, true, "Authenticated", &how);
  if (c->state == NOVA__SERVED)
    nova__chat(s, c);
}

static const char *reason(enum nova__credentials why) {
  switch (why) {
  case NOVA__GOOD: break;
  /* One text for both: it tells a stranger nothing about which ids exist. */
  case NOVA__UNKNOWN_DEVICE:
  case NOVA__WRONG_KEY: return "unknown device or wrong key";
  case NOVA__NOT_ACTIVE: return "the device is not activated";
  case NOVA__IN_USE: return "the device is connected already";
  case NOVA__MALFORMED: return "a valid auth message is required";
  }
  nova_unreachable();
}

/* auth_result failed and a close, in that order: guide 3.2, step 4. */
static void refuse(struct nova_server *s, struct nova__session *c,
                   enum nova__credentials why) {
  static const struct nova__how close_now = {.last = true}, keep = {0};
  const char *text = reason(why);
  nova__bind_account(s, c, NULL);
  if (why == NOVA__MALFORMED && NOVA__HAS(s, V_BAD_AUTH_WAITS)) {
    if (c->state != NOVA__WAITING)
      nova__enter(s, c, NOVA__WAITING);
    return;
  }
  if (why == NOVA__MALFORMED && NOVA__HAS(s, V_BAD_AUTH_CLOSES)) {
    nova__end(s, c, NOVA__POST_CLOSE);
    return;
  }
  if (why == NOVA__MALFORMED && !NOVA__HAS(s, V_FAILED_CLOSES_LATER)) {
    bool stays = NOVA__HAS(s, NO_CLOSE_MALFORMED);
    nova__enter(s, c, NOVA__REFUSED);
    nova__say_auth_result(s, c, false, text, stays ? &keep : &close_now);
    return;
  }
  if (NOVA__HAS(s, FAILED_NO_RESULT) ||
      (NOVA__HAS(s, UNKNOWN_NO_RESULT) && why == NOVA__UNKNOWN_DEVICE)) {
    nova__end(s, c, NOVA__POST_CLOSE);
    return;
  }
  if (NOVA__HAS(s, RETRY_AFTER_FAILED)) {
    if (c->state != NOVA__WAITING)
      nova__enter(s, c, NOVA__WAITING);
    nova__say_auth_result(s, c, false, text, &keep);
    return;
  }
  nova__enter(s, c,
              NOVA__HAS(s, SERVES_AFTER_FAILED) ? NOVA__SERVED : NOVA__REFUSED);
  struct nova__how how = close_now;
  nova_ts close_later = 0;
  if (NOVA__HAS(s, FAILED_LATE))
    how.late = s->options.late;
  if (NOVA__HAS(s, NO_CLOSE_FAILED))
    how.last = false;
  if (NOVA__HAS(s, SERVES_AFTER_FAILED))
    close_later = NOVA_FAULT_SERVES_FOR;
  if (NOVA__HAS(s, CLOSE_LATE))
    close_later = NOVA_FAULT_CLOSE_LATE_BY;
  if (NOVA__HAS(s, V_FAILED_CLOSES_LATER))
    close_later = NOVA_VARIANT_CLOSES_LATER_BY;
  if (close_later > 0)
    how.last = false;
  nova__say_auth_result(s, c, false, text, &how);
  if (close_later > 0)
    nova__post(s, c, NULL, 0,
               &(struct nova__how){.late = close_later, .last = true});
}

static void authenticate(struct nova_server *s, struct nova__session *c,
                         const struct nova_msg *m) {
  struct nova__account *a = NULL;
  enum nova__credentials found = nova__credentials_check(s, m, &a);
  if (found == NOVA__GOOD && NOVA__HAS(s, V_SECOND_REFUSED) && a != NULL &&
      a->newest != NULL && a->newest != c)
    found = NOVA__IN_USE;
  if (found == NOVA__GOOD)
    accept_auth(s, c, a);
  else
    refuse(s, c, found);
}

/* --- data and status: guide 3.3 --------------------------------------------
 */

/* DATA_AS_STRINGS: every number of |v| in quotation marks. */
static int put_numbers_as_strings(struct nova_buf *b, struct nova_view v) {
  bool string = false, number = false;
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0; i++) {
    char ch = v.p[i];
    bool part = !string && (ch == '-' || ch == '+' || ch == '.' || ch == 'e' ||
                            ch == 'E' || (ch >= '0' && ch <= '9'));
    /* The e of true and false is part of no number: one starts with a digit or
     * a sign. */
    if (part && !number && (ch == 'e' || ch == 'E'))
      part = false;
    if (part != number)
      err = nova_buf_puts(b, "\"");
    number = part;
    if (err == 0)
      err = nova_buf_append(b, &ch, 1);
    if (string && ch == '\\' && i + 1 < v.n && err == 0)
      err = nova_buf_append(b, &v.p[++i], 1);
    else if (ch == '"')
      string = !string;
  }
  return err;
}

/* Keeps |v| in place of what |kept| held; all or nothing. */
static void keep(struct nova_server *s, struct nova__session *c,
                 struct nova_buf *kept, struct nova_view v, bool as_strings) {
  struct nova_buf b;
  nova_buf_init(&b, s->mem, 4 * s->frame_limit);
  int err = as_strings ? put_numbers_as_strings(&b, v)
                       : nova_buf_append(&b, v.p, v.n);
  if (err != 0) {
    nova_buf_free(&b);
    s->error = NOVA_ERR_NO_MEMORY;
    nova__end(s, c, NOVA__POST_RESET);
    return;
  }
  nova_buf_free(kept);
  *kept = b;
}

/* Stores a report of the session's device or, under a fault, of the device that
 * it names. */
static void store(struct nova_server *s, struct nova__session *c,
                  struct nova__account *a, const struct nova_msg *m) {
  if (a == NULL) {
    char id[NOVA_DEVICE_ID_MAX];
    size_t n = nova_json_string(member(m, "device_id"), id, sizeof id);
    if (n <= sizeof id)
      a = nova__account_find(s, (struct nova_view){id, n});
    if (a == NULL)
      return;
  }
  if (m->kind == NOVA_MSG_STATUS) {
    keep(s, c, &a->status, member(m, "status").text, false);
    return;
  }
  c->reports++;
  if (NOVA__HAS(s, DATA_NOT_STORED) ||
      (NOVA__HAS(s, DATA_EIGHT) && c->reports > 8))
    return;
  keep(s, c, &a->values, m->u.data.values, NOVA__HAS(s, DATA_AS_STRINGS));
}

/* --- messages of an authenticated device: guide 3.3, 3.4 --------------------
 */

/* Whether a message restarts the idle timer: all do. */
static bool is_sign_of_life(const struct nova_server *s,
                            enum nova_msg_kind kind) {
  if (NOVA__HAS(s, IDLE_NEVER_RESTARTED) ||
      (NOVA__HAS(s, IDLE_PING_ONLY) && kind != NOVA_MSG_PING))
    return false;
  return !(NOVA__HAS(s, IDLE_NOT_PING) && kind == NOVA_MSG_PING) &&
         !(NOVA__HAS(s, IDLE_NOT_DATA) && kind == NOVA_MSG_DATA) &&
         !(NOVA__HAS(s, IDLE_NOT_STATUS) && kind == NOVA_MSG_STATUS) &&
         !(NOVA__HAS(s, IDLE_NOT_RESPONSE) &&
           kind == NOVA_MSG_COMMAND_RESPONSE);
}

static void on_ping(struct nova_server *s, struct nova__session *c) {
  c->pings++;
  if (NOVA__HAS(s, NO_PONG) ||
      (NOVA__HAS(s, TENTH_PING_LOST) && c->pings % 10 == 0))
    return;
  nova__say_pong(s, c);
  if (NOVA__HAS(s, PONG_TWICE))
    nova__say_pong(s, c);
}

/* Does what a valid message of the device asks for. */
static void dispatch(struct nova_server *s, struct nova__session *c,
                     const struct nova_msg *m) {
  bool closes = false;
  switch (m->kind) {
  case NOVA_MSG_PING: on_ping(s, c); break;
  case NOVA_MSG_DATA:
    store(s, c, c->account, m);
    if (NOVA__HAS(s, PONG_PER_DATA))
      nova__say_pong(s, c);
    closes = NOVA__HAS(s, DATA_CLOSES);
    break;
  case NOVA_MSG_STATUS:
    store(s, c, c->account, m);
    closes = member(m, "info").type == NOVA_JSON_NONE
                 ? NOVA__HAS(s, STATUS_NO_INFO_CLOSES)
                 : NOVA__HAS(s, STATUS_INFO_CLOSES);
    break;
  case NOVA_MSG_COMMAND_RESPONSE: closes = NOVA__HAS(s, RESPONSE_CLOSES); break;
  /* Messages of the server's own and unknown ones: ignored. */
  case NOVA_MSG_AUTH_RESULT:
  case NOVA_MSG_COMMAND:
  case NOVA_MSG_PONG:
  case NOVA_MSG_UNKNOWN:
  case NOVA_MSG_AUTH: /* was handled before */
  case NOVA_MSG_KINDS: break;
  }
  if (NOVA__HAS(s, V_ACKS) &&
      (m->kind == NOVA_MSG_DATA || m->kind == NOVA_MSG_STATUS ||
       m->kind == NOVA_MSG_COMMAND_RESPONSE))
    nova__say_other(s, c, "ack", "received", &(struct nova__how){0});
  if (closes && c->state != NOVA__ENDED)
    nova__end(s, c, NOVA__POST_CLOSE);
}

/* A line of an authenticated device that is no JSON object. */
static void on_malformed(struct nova_server *s, struct nova__session *c) {
  if (NOVA__HAS(s, V_MALFORMED_ANSWERED))
    nova__say_other(s, c, "error", "malformed", &(struct nova__how){0});
  else if (NOVA__HAS(s, V_MALFORMED_CLOSES))
    nova__end(s, c, NOVA__POST_CLOSE);
  else if (NOVA__HAS(s, V_MALFORMED_RESETS))
    nova__end(s, c, NOVA__POST_RESET);
}

/* A message that names another device. */
static void on_foreign(struct nova_server *s, struct nova__session *c, int err,
                       const struct nova_msg *m) {
  if (NOVA__HAS(s, OTHER_DEVICE) && m->kind == NOVA_MSG_DATA && err == 0)
    store(s, c, NULL, m);
  if (c->state == NOVA__ENDED)
    return;
  if (NOVA__HAS(s, V_FOREIGN_ANSWERED))
    nova__say_other(s, c, "error", "another device", &(struct nova__how){0});
  else if (NOVA__HAS(s, V_FOREIGN_CLOSES))
    nova__end(s, c, NOVA__POST_CLOSE);
}

/* Whether the message names a device that is not the session's. */
static bool names_another(const struct nova__session *c,
                          const struct nova_msg *m) {
  struct nova_json_value id = member(m, "device_id");
  return c->account != NULL && id.type == NOVA_JSON_STRING &&
         !nova_json_string_is(id, c->account->id);
}

static void on_served(struct nova_server *s, struct nova__session *c, int err,
                      const struct nova_msg *m) {
  if (m->whole.type != NOVA_JSON_OBJECT) {
    on_malformed(s, c);
    return;
  }
  if (m->kind != NOVA_MSG_AUTH && names_another(c, m)) {
    on_foreign(s, c, err, m);
    return;
  }
  if (is_sign_of_life(s, m->kind))
    nova__start_idle(s, c);
  if (NOVA__HAS(s, EXTRA_FIELDS_REFUSED) && m->unknown > 0)
    return;
  if (m->kind == NOVA_MSG_AUTH)
    authenticate(s, c, m);
  else if (err == 0)
    dispatch(s, c, m);
}

/* Nothing but auth is served before auth: guide 1.2. */
static void on_waiting(struct nova_server *s, struct nova__session *c, int err,
                       const struct nova_msg *m) {
  bool object = m->whole.type == NOVA_JSON_OBJECT;
  if (m->kind == NOVA_MSG_AUTH) {
    authenticate(s, c, m);
    return;
  }
  if ((NOVA__HAS(s, SERVES_BEFORE_AUTH) && object) ||
      (NOVA__HAS(s, GLOBAL_FLAG) && s->anybody)) {
    if (err == 0)
      dispatch(s, c, m);
    return;
  }
  if (NOVA__HAS(s, DATA_BEFORE_AUTH) && m->kind == NOVA_MSG_DATA && err == 0)
    store(s, c, NULL, m);
  if (c->state == NOVA__ENDED)
    return;
  if (object && NOVA__HAS(s, V_NO_AUTH_ANSWERED))
    nova__say_auth_result(s, c, false, reason(NOVA__MALFORMED),
                          &(struct nova__how){0});
  else
    refuse(s, c, NOVA__MALFORMED);
}

void nova__line(struct nova_server *s, struct nova__session *c,
                struct nova_view frame) {
  struct nova_msg m;
  int err = nova_msg_decode(s->json, frame.p, frame.n, &m);
  if (suffer(s, c, frame, err, &m))
    return;
  switch (c->state) {
  case NOVA__WAITING: on_waiting(s, c, err, &m); return;
  case NOVA__SERVED: on_served(s, c, err, &m); return;
  case NOVA__REFUSED: return;
  case NOVA__ENDED: return;
  }
  nova_unreachable();
}

void nova__line_passes_limit(struct nova_server *s, struct nova__session *c) {
  if (NOVA__HAS(s, V_OVERSIZED_CLOSES))
    nova__end(s, c, NOVA__POST_CLOSE);
  else if (NOVA__HAS(s, V_OVERSIZED_RESETS))
    nova__end(s, c, NOVA__POST_RESET);
}

void nova__line_oversized(struct nova_server *s, struct nova__session *c) {
  nova__line_passes_limit(s, c);
  if (c->state == NOVA__SERVED && NOVA__HAS(s, V_OVERSIZED_ANSWERED))
    nova__say_other(s, c, "error", "too long", &(struct nova__how){0});
  if (c->state == NOVA__WAITING)
    refuse(s, c, NOVA__MALFORMED);
}
