/* The reference device over MQTT: commands. Guide 2.5. */
#include "peer/device_state.h"

#include "peer/malformed.h"

/* The status that the process ends with under a fault, 0 where it does not. */
static int crash(const struct nova_device *d, struct nova_view payload, int err,
                 struct nova_json_value whole) {
  struct nova_json_value params = nova_json_get(whole, nova_view_of("params"));
  bool object = whole.type == NOVA_JSON_OBJECT;
  bool none = params.type == NOVA_JSON_NONE;
  if ((NOVA__DEVICE_HAS(d, DM_CRASH_LONG) && payload.n > 65536) ||
      (NOVA__DEVICE_HAS(d, DM_CRASH_NO_PARAMS) && object && none) ||
      (NOVA__DEVICE_HAS(d, DM_CRASH_PARAMS) && object && !none &&
       params.type != NOVA_JSON_OBJECT))
    return NOVA__DEVICE_CRASHED;
  if ((NOVA__DEVICE_HAS(d, DM_CRASH_JSON) && err != 0 &&
       err != NOVA_ERR_JSON_UTF8) ||
      (NOVA__DEVICE_HAS(d, DM_CRASH_UTF8) && err == NOVA_ERR_JSON_UTF8) ||
      (NOVA__DEVICE_HAS(d, DM_CRASH_ARRAY) && whole.type == NOVA_JSON_ARRAY))
    return NOVA__DEVICE_THREW;
  return 0;
}

static void answer(struct nova_device *d, struct nova_json_value command,
                   const struct nova__device_answer *a) {
  struct nova_view name =
      command.type == NOVA_JSON_STRING ? command.text : nova_view_of("\"\"");
  nova__device_mqtt_answer(d, name, a);
}

/* V_DM_MALFORMED_ANSWERED. |command|: its name as far as there is one. */
static void complain(struct nova_device *d, struct nova_json_value command,
                     const struct nova__device_answer *a) {
  if (nova__device_put_state(d) != 0)
    nova__device_give_up(d);
  else
    answer(d, command, a);
}

static void on_malformed(struct nova_device *d, struct nova_json_value command,
                         const struct nova__device_answer *a) {
  if (NOVA__DEVICE_HAS(d, DM_MALFORMED_HANGS)) {
    nova__device_hang(d);
  } else if (NOVA__DEVICE_HAS(d, V_DM_MALFORMED_CLOSES)) {
    nova__device_mqtt_bare(d, NOVA_MQTT_DISCONNECT);
    nova__device_leave(d, NOVA_DEVICE_CLOSE, NOVA__DEVICE_LEFT);
  } else if (NOVA__DEVICE_HAS(d, V_DM_MALFORMED_ANSWERED)) {
    complain(d, command, a);
  }
  d->deaf = d->deaf || NOVA__DEVICE_HAS(d, DM_MALFORMED_DEAF);
}

static void carry_out(struct nova_device *d, struct nova_json_value command,
                      struct nova__device_answer *a) {
  bool old = NOVA__DEVICE_HAS(d, DM_STATE_OLD);
  int err = old ? nova__device_put_state(d) : 0;
  a->done = a->known && nova__device_set_actuators(d, a->params);
  if (!old)
    err = nova__device_put_state(d);
  if (err != 0)
    nova__device_give_up(d);
  else if (!NOVA__DEVICE_HAS(d, DM_NO_ANSWER))
    answer(d, command, a);
}

void nova__device_mqtt_command(struct nova_device *d,
                               struct nova_view payload) {
  struct nova_json_value whole = {.type = NOVA_JSON_NONE};
  int err = nova_json_check(d->json, payload.n > 0 ? payload.p : "", payload.n,
                            &whole, NULL);
  if (err != 0)
    whole.type = NOVA_JSON_NONE;
  int code = crash(d, payload, err, whole);
  if (code != 0) {
    nova__device_exit(d, code);
    return;
  }
  if (nova__device_misses_command(d))
    return;
  struct nova_json_value command =
      nova_json_get(whole, nova_view_of("command"));
  struct nova__device_answer a = {
      .params = nova_json_get(whole, nova_view_of("params")),
      .known = nova_json_string_is(command, nova_view_of("set_actuator"))};
  if (command.type != NOVA_JSON_STRING ||
      (a.known && a.params.type != NOVA_JSON_OBJECT))
    on_malformed(d, command, &a);
  else
    carry_out(d, command, &a);
  if (NOVA__DEVICE_HAS(d, V_DM_STATUS_AFTER_COMMAND) &&
      nova__device_is_open(d->state))
    nova__device_mqtt_status(d);
}
