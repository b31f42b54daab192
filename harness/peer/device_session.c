/* The reference device, what a line of the server does: guide 3.2 to 3.4. */
#include "peer/device_state.h"

#include "base/unreachable.h"
#include "peer/malformed.h"

/* --- faults of the parsing layer -------------------------------------------
 */

static bool throws_on_extra(const struct nova_device *d,
                            const struct nova_msg *m) {
  if (m->unknown == 0)
    return false;
  return (NOVA__DEVICE_HAS(d, D_CRASH_EXTRA_COMMAND) &&
          m->kind == NOVA_MSG_COMMAND) ||
         (NOVA__DEVICE_HAS(d, D_CRASH_EXTRA_PONG) &&
          m->kind == NOVA_MSG_PONG) ||
         (NOVA__DEVICE_HAS(d, D_CRASH_EXTRA_RESULT) &&
          m->kind == NOVA_MSG_AUTH_RESULT);
}

/* The status that the process ends with, 0 where it does not. */
static int crash(const struct nova_device *d, struct nova_view frame, int err,
                 const struct nova_msg *m) {
  bool object = m->whole.type == NOVA_JSON_OBJECT;
  struct nova_json_value params =
      nova_json_get(m->whole, nova_view_of("params"));
  if ((NOVA__DEVICE_HAS(d, D_CRASH_DEEP) && nova__depth_of(frame) > 200) ||
      (NOVA__DEVICE_HAS(d, D_CRASH_JSON) && nova__is_invalid_json(err)) ||
      (NOVA__DEVICE_HAS(d, D_CRASH_PARAMS) && m->kind == NOVA_MSG_COMMAND &&
       params.type != NOVA_JSON_OBJECT))
    return NOVA__DEVICE_CRASHED;
  if ((NOVA__DEVICE_HAS(d, D_CRASH_UTF8) && err == NOVA_ERR_JSON_UTF8) ||
      (NOVA__DEVICE_HAS(d, D_CRASH_ARRAY) &&
       m->whole.type == NOVA_JSON_ARRAY) ||
      (NOVA__DEVICE_HAS(d, D_CRASH_EMPTY) && err == NOVA_ERR_LINE_EMPTY) ||
      (NOVA__DEVICE_HAS(d, D_CRASH_TYPE) && object &&
       m->kind == NOVA_MSG_UNKNOWN) ||
      throws_on_extra(d, m))
    return NOVA__DEVICE_THREW;
  return 0;
}

static void on_malformed(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, D_MALFORMED_HANGS)) {
    nova__device_hang(d);
  } else if (NOVA__DEVICE_HAS(d, D_MALFORMED_GONE)) {
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
    nova__device_hang(d);
  } else if (NOVA__DEVICE_HAS(d, V_D_MALFORMED_CLOSES)) {
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
  } else if (NOVA__DEVICE_HAS(d, V_D_ERRORS) &&
             d->state == NOVA__DEVICE_SERVED) {
    nova__device_say_other(d, "error");
  }
  d->loses_next = NOVA__DEVICE_HAS(d, D_MALFORMED_LOSES_NEXT);
  d->deaf = d->deaf || NOVA__DEVICE_HAS(d, D_MALFORMED_DEAF);
}

/* --- authentication: guide 3.2 ---------------------------------------------
 */

static void on_failed(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, D_FAILED_GOODBYE))
    nova__device_say_status(d, "offline");
  if (NOVA__DEVICE_HAS(d, D_FAILED_AUTH_AGAIN) ||
      NOVA__DEVICE_HAS(d, D_FAILED_PING) ||
      NOVA__DEVICE_HAS(d, V_D_FAILED_STAYS))
    nova__device_enter(d, NOVA__DEVICE_REFUSED);
  else
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_FAILED);
}

static void on_auth_result(struct nova_device *d, const struct nova_msg *m) {
  struct nova_json_value result =
      nova_json_get(m->whole, nova_view_of("result"));
  if (result.type != NOVA_JSON_STRING)
    return;
  if (!nova_json_string_is(result, nova_view_of("success")) &&
      !NOVA__DEVICE_HAS(d, D_FAILED_IGNORED))
    on_failed(d);
  else if (d->state == NOVA__DEVICE_WAITING)
    nova__device_enter(d, NOVA__DEVICE_SERVED);
}

/* --- what faults and variants say unasked ----------------------------------
 */

static void extra_in_waiting(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, D_PING_BEFORE_RESULT))
    nova__device_say_ping(d);
  if (NOVA__DEVICE_HAS(d, D_DATA_TIMER_RUNS_ON))
    nova__device_say_data(d);
  if (NOVA__DEVICE_HAS(d, D_AUTH_TWICE))
    nova__device_say_auth(d);
}

static void extra_in_served(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, V_D_HELLO))
    nova__device_say_other(d, "hello");
  if (NOVA__DEVICE_HAS(d, D_HISTORY_140000))
    nova__device_say_history(d, 140000);
  if (NOVA__DEVICE_HAS(d, D_HISTORY_131073))
    nova__device_say_history(d, NOVA_LINE_LIMIT + 1);
  if (NOVA__DEVICE_HAS(d, V_D_HISTORY))
    nova__device_say_history(d, NOVA_LINE_LIMIT);
  if (!NOVA__DEVICE_HAS(d, V_D_CHATTY))
    return;
  nova__device_say_data(d);
  nova__device_say_status(d, "online");
  if (d->state == NOVA__DEVICE_SERVED)
    nova__device_set(d, NOVA__DEVICE_EXTRA, NOVA__DEVICE_CHATS_EVERY);
}

void nova__device_extra(struct nova_device *d) {
  if (d->state == NOVA__DEVICE_WAITING)
    extra_in_waiting(d);
  else if (d->state == NOVA__DEVICE_SERVED)
    extra_in_served(d);
  else if (NOVA__DEVICE_HAS(d, D_FAILED_AUTH_AGAIN))
    nova__device_say_auth(d);
  else if (NOVA__DEVICE_HAS(d, D_FAILED_PING))
    nova__device_say_ping(d);
}

/* --- lines -----------------------------------------------------------------
 */

/* Whether a message restarts the idle timer: all do. */
static bool is_sign_of_life(const struct nova_device *d,
                            enum nova_msg_kind kind) {
  return !NOVA__DEVICE_HAS(d, D_IDLE_NEVER_RESTARTED) &&
         !(NOVA__DEVICE_HAS(d, D_IDLE_PONG_ONLY) && kind != NOVA_MSG_PONG) &&
         !(NOVA__DEVICE_HAS(d, D_IDLE_NOT_COMMAND) && kind == NOVA_MSG_COMMAND);
}

/* Does what a message of the server asks for. */
static void dispatch(struct nova_device *d, const struct nova_msg *m) {
  switch (m->kind) {
  case NOVA_MSG_AUTH_RESULT: on_auth_result(d, m); return;
  case NOVA_MSG_COMMAND:
    if (d->state == NOVA__DEVICE_SERVED && !d->deaf)
      nova__device_command(d, m);
    return;
  /* A pong's being there is all that it says; unknown types and messages of
   * devices are ignored. */
  case NOVA_MSG_PONG:
  case NOVA_MSG_UNKNOWN:
  case NOVA_MSG_AUTH:
  case NOVA_MSG_DATA:
  case NOVA_MSG_STATUS:
  case NOVA_MSG_COMMAND_RESPONSE:
  case NOVA_MSG_PING:
  case NOVA_MSG_KINDS: return;
  }
  nova_unreachable();
}

void nova__device_line(struct nova_device *d, struct nova_view frame) {
  struct nova_msg m;
  if (d->loses_next) {
    d->loses_next = false;
    return;
  }
  int err = nova_msg_decode(d->json, frame.p, frame.n, &m);
  int code = crash(d, frame, err, &m);
  if (code != 0) {
    nova__device_exit(d, code);
    return;
  }
  if (d->state == NOVA__DEVICE_REFUSED)
    return;
  if (m.whole.type != NOVA_JSON_OBJECT) {
    on_malformed(d);
    return;
  }
  if (d->state == NOVA__DEVICE_SERVED && is_sign_of_life(d, m.kind))
    nova__device_set(d, NOVA__DEVICE_IDLE, nova__device_idle_span(d));
  if (NOVA__DEVICE_HAS(d, D_AUTH_WAITS) && d->state == NOVA__DEVICE_WAITING &&
      !d->began)
    nova__device_set(d, NOVA__DEVICE_AUTH, 0);
  dispatch(d, &m);
}
