/* The reference device, what a line of the server does: guide 3.2 to 3.4. */
#include "peer/device_state.h"

#include "base/unreachable.h"

static void on_auth_result(struct nova_device *d, const struct nova_msg *m) {
  struct nova_json_value result =
      nova_json_get(m->whole, nova_view_of("result"));
  if (result.type != NOVA_JSON_STRING)
    return;
  if (!nova_json_string_is(result, nova_view_of("success")))
    nova__device_failed(d);
  else if (d->state == NOVA__DEVICE_WAITING)
    nova__device_accepted(d);
}

/* Does what a message of the server asks for. */
static void dispatch(struct nova_device *d, const struct nova_msg *m) {
  switch (m->kind) {
  case NOVA_MSG_AUTH_RESULT: on_auth_result(d, m); return;
  case NOVA_MSG_COMMAND:
    if (d->state == NOVA__DEVICE_SERVED)
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
  (void)nova_msg_decode(d->json, frame.p, frame.n, &m);
  if (d->state == NOVA__DEVICE_REFUSED || m.whole.type != NOVA_JSON_OBJECT)
    return;
  if (d->state == NOVA__DEVICE_SERVED)
    nova__device_start_idle(d);
  dispatch(d, &m);
}
