/* The reference device, messages to bytes: guide 3.1 to 3.4. Members are
 * written one by one, in the order of the guide, because the faults are about
 * single members; without a fault the bytes are those of nova_msg_encode(),
 * which a test holds it to. */
#include "peer/device_state.h"

#include "base/unreachable.h"
#include "peer/restyle.h"

#include <inttypes.h>

/* --- members ---------------------------------------------------------------
 */

static void note(struct nova_device *d, int err) {
  if (err != 0 && d->error == 0)
    d->error = err;
}

static void put(struct nova_device *d, const char *text) {
  note(d, nova_buf_puts(&d->text, text));
}

/* Begins a member: a comma unless it is the first, its name, a colon. */
static void put_name(struct nova_device *d, struct nova_view name) {
  struct nova_view v = nova_buf_view(&d->text);
  if (v.n > 0 && v.p[v.n - 1] != '{')
    put(d, ",");
  note(d, nova__put_string(&d->text, name));
  put(d, ":");
}

/* A member whose value is JSON already. */
static void put_json(struct nova_device *d, const char *name,
                     struct nova_view v) {
  put_name(d, nova_view_of(name));
  note(d, nova_buf_append(&d->text, v.p, v.n));
}

static void put_view(struct nova_device *d, const char *name,
                     struct nova_view v) {
  put_name(d, nova_view_of(name));
  note(d, nova__put_string(&d->text, v));
}

static void put_text(struct nova_device *d, const char *name, const char *v) {
  put_view(d, name, nova_view_of(v));
}

static void put_time(struct nova_device *d) {
  uint64_t ns = d->options.unix_base + d->now;
  put_name(d, nova_view_of("timestamp"));
  note(d, nova_buf_printf(&d->text, "%" PRIu64, ns / NOVA_SEC));
}

/* --- whole messages --------------------------------------------------------
 */

static void begin(struct nova_device *d, const char *type) {
  nova_buf_clear(&d->text);
  d->error = 0;
  put(d, "{");
  put_text(d, "type", type);
}

/* Sends the message in |d->text|. */
static void finish(struct nova_device *d) {
  put(d, "}\n");
  struct nova_view v = nova_buf_view(&d->text);
  if (d->error == NOVA_ERR_NO_MEMORY)
    nova__device_leave(d, NOVA_DEVICE_RESET, NOVA__DEVICE_LEFT);
  else if (d->error == 0 && v.n - 1 <= NOVA_LINE_LIMIT)
    nova__device_post(d, v.p, v.n, &(struct nova__device_how){0});
}

void nova__device_say_auth(struct nova_device *d) {
  begin(d, "auth");
  put_view(d, "device_id", d->options.id);
  put_view(d, "device_key", d->options.key);
  finish(d);
}

void nova__device_say_ping(struct nova_device *d) {
  begin(d, "ping");
  put_view(d, "device_id", d->options.id);
  put_time(d);
  finish(d);
}

void nova__device_say_status(struct nova_device *d) {
  begin(d, "status");
  put_view(d, "device_id", d->options.id);
  put_time(d);
  put_text(d, "status", "online");
  put_json(d, "info", nova_view_of("{\"version\":\"1.0.3\",\"rssi\":-65}"));
  finish(d);
}

/* What a sensor measures: one decimal, or a whole number. */
static void put_measured(struct nova_device *d, size_t i) {
  unsigned tenths = 200 + (unsigned)nova_rng_below(&d->rng, 100);
  note(d, i % 3 == 2
              ? nova_buf_printf(&d->text, "%u", tenths)
              : nova_buf_printf(&d->text, "%u.%u", tenths / 10, tenths % 10));
}

void nova__device_say_data(struct nova_device *d) {
  begin(d, "data");
  put_view(d, "device_id", d->options.id);
  put_time(d);
  put_json(d, "values", nova_view_of("{"));
  for (size_t i = 0; i < d->value_key_count; i++) {
    put_name(d, d->value_keys[i]);
    put_measured(d, i);
  }
  put(d, "}");
  finish(d);
}

void nova__device_say_response(struct nova_device *d, struct nova_view id,
                               bool success, bool state) {
  begin(d, "command_response");
  put_json(d, "command_id", id);
  put_view(d, "device_id", d->options.id);
  put_time(d);
  put_text(d, "result", success ? "success" : "failed");
  put_json(d, "data", nova_view_of("{"));
  for (size_t i = 0; i < d->actuator_count && state; i++) {
    put_name(d, d->actuators[i].name);
    note(d,
         nova_buf_append(&d->text, d->actuators[i].value, d->actuators[i].n));
  }
  put(d, "}");
  finish(d);
}
