/* The reference device over MQTT: payloads. Guide 2.4 to 2.6. Members are
 * written one by one, in the order of the guide, because the faults are about
 * single members. */
#include "peer/device_state.h"

#include "base/unreachable.h"
#include "peer/restyle.h"

#include <inttypes.h>

enum time_style { SECONDS, MILLISECONDS, STRING, FRACTION, ABSENT };

/* --- members ---------------------------------------------------------------
 */

static void note(struct nova_device *d, int err) {
  if (err != 0 && d->error == 0)
    d->error = err;
}

static void put_name(struct nova_device *d, const char *name) {
  note(d, nova__device_begin_member(&d->text, nova_view_of(name)));
}

/* A member whose value is JSON already. */
static void put_json(struct nova_device *d, const char *name,
                     struct nova_view v) {
  put_name(d, name);
  note(d, nova_buf_append(&d->text, v.p, v.n));
}

static void put_raw(struct nova_device *d, const char *name, const char *v) {
  put_json(d, name, nova_view_of(v));
}

static void put_view(struct nova_device *d, const char *name,
                     struct nova_view v) {
  put_name(d, name);
  note(d, nova__put_string(&d->text, v));
}

static void put_text(struct nova_device *d, const char *name, const char *v) {
  put_view(d, name, nova_view_of(v));
}

static void put_time(struct nova_device *d, enum time_style style) {
  uint64_t t = nova__device_unix_seconds(d);
  uint64_t ms = (d->options.unix_base + d->now) / NOVA_MS;
  struct nova_buf *b = &d->text;
  if (style == ABSENT)
    return;
  put_name(d, "timestamp");
  switch (style) {
  case SECONDS: note(d, nova_buf_printf(b, "%" PRIu64, t)); return;
  case MILLISECONDS: note(d, nova_buf_printf(b, "%" PRIu64, ms)); return;
  case STRING: note(d, nova_buf_printf(b, "\"%" PRIu64 "\"", t)); return;
  case FRACTION:
    note(d, nova_buf_printf(b, "%" PRIu64 ".%03" PRIu64, t, ms % 1000));
    return;
  case ABSENT: break;
  }
  nova_unreachable();
}

/* --- whole payloads --------------------------------------------------------
 */

static void begin(struct nova_device *d) {
  nova_buf_clear(&d->text);
  d->error = 0;
  note(d, nova_buf_puts(&d->text, "{"));
}

/* The payload as other serializers write |text|. */
static int dress(struct nova_device *d, bool adds) {
  struct nova_view v = nova_buf_view(&d->text);
  nova_buf_clear(&d->payload);
  if (NOVA__DEVICE_HAS(d, V_DM_PRETTY))
    return nova__put_indented(&d->payload, v);
  if (adds && NOVA__DEVICE_HAS(d, V_DM_MEMBERS_ADDED))
    return nova__add_members(&d->payload, v,
                             ",\"device\":{\"success\":0,\"timestamp\":0},"
                             "\"load\":[0.5,1e-3,null,true,false],"
                             "\"\":\"\",\"sequence\":12345678901");
  return nova_buf_append(&d->payload, v.p, v.n);
}

/* Ends the object and publishes it. |adds|: others may add members of theirs.
 */
static void finish(struct nova_device *d, bool adds,
                   const struct nova__device_publish *p) {
  note(d, nova_buf_puts(&d->text, "}"));
  note(d, dress(d, adds));
  /* Too long for the guide, as the name of an unknown command can make it, is
   * as if it were not there. */
  if (d->error == NOVA_ERR_NO_MEMORY)
    nova__device_give_up(d);
  else if (d->error == 0 && d->payload.len <= NOVA_LINE_LIMIT)
    nova__device_mqtt_publish(d, p, nova_buf_view(&d->payload));
}

/* --- last will: guide 2.6 --------------------------------------------------
 */

static const char *will_status(const struct nova_device *d) {
  return NOVA__DEVICE_HAS(d, DM_WILL_STATUS) ? "disconnected" : "offline";
}

/* As the guide's text has it, white space included. */
int nova__device_mqtt_will(struct nova_device *d) {
  struct nova_buf *b = &d->payload;
  uint64_t t =
      NOVA__DEVICE_HAS(d, DM_WILL_TIME_NOW) ? nova__device_unix_seconds(d) : 0;
  struct nova_view id = NOVA__DEVICE_HAS(d, DM_WILL_PLACEHOLDER)
                            ? nova_view_of("{device_id}")
                            : d->options.id;
  nova_buf_clear(b);
  if (NOVA__DEVICE_HAS(d, DM_WILL_TEXT))
    return nova_buf_puts(b, "offline");
  if (NOVA__DEVICE_HAS(d, V_DM_WILL_SPELLED)) {
    int err = nova_buf_puts(b, " {\"device_id\":");
    if (err == 0)
      err = nova__put_string(b, id);
    return err != 0 ? err
                    : nova_buf_puts(b, ",\n\t\"timestamp\" : 0,"
                                       "\"status\":\"\\u006Fffline\"}\r\n");
  }
  int err = nova_buf_printf(b, "{\"status\": \"%s\", \"timestamp\": %" PRIu64,
                            will_status(d), t);
  if (err == 0 && !NOVA__DEVICE_HAS(d, DM_WILL_NO_ID)) {
    err = nova_buf_puts(b, ", \"device_id\": ");
    if (err == 0)
      err = nova__put_string(b, id);
  }
  if (err == 0 && NOVA__DEVICE_HAS(d, V_DM_WILL_MORE))
    err = nova_buf_puts(b, ", \"info\": {\"reason\": \"lost\"}");
  return err != 0 ? err : nova_buf_puts(b, "}");
}

/* --- data: guide 2.4 -------------------------------------------------------
 */

/* The record as a fault writes it, from |payload| to |text|. */
static int spoil(struct nova_device *d) {
  struct nova_buf *b = &d->text;
  struct nova_view v = nova_buf_view(&d->payload);
  bool array = NOVA__DEVICE_HAS(d, DM_DATA_ARRAY);
  bool quotes = NOVA__DEVICE_HAS(d, DM_DATA_QUOTES);
  nova_buf_clear(b);
  int err = array ? nova_buf_puts(b, "[") : 0;
  for (size_t i = 0; i < v.n && err == 0; i++)
    err = nova_buf_append(b, quotes && v.p[i] == '"' ? "'" : &v.p[i], 1);
  if (err == 0 && array)
    err = nova_buf_puts(b, "]");
  if (err == 0 && NOVA__DEVICE_HAS(d, DM_DATA_NUL))
    err = nova_buf_append(b, "", 1);
  return err;
}

static enum time_style data_time(const struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, DM_TIME_MS))
    return MILLISECONDS;
  if (NOVA__DEVICE_HAS(d, DM_TIME_STRING))
    return STRING;
  if (NOVA__DEVICE_HAS(d, DM_TIME_FRACTION))
    return FRACTION;
  return NOVA__DEVICE_HAS(d, DM_TIME_MISSING) ? ABSENT : SECONDS;
}

static struct nova__device_publish on_data_topic(const struct nova_device *d) {
  struct nova__device_publish p = {
      .id = d->options.id, .name = "data", .qos = 1};
  return p;
}

static void put_values(struct nova_device *d) {
  bool nested = NOVA__DEVICE_HAS(d, DM_KEYS_NESTED);
  if (nested)
    put_raw(d, "values", "{");
  nova__device_put_measurements(d);
  if (nested)
    note(d, nova_buf_puts(&d->text, "}"));
}

void nova__device_mqtt_data(struct nova_device *d) {
  struct nova__device_publish p = on_data_topic(d);
  p.of_data = true;
  if (NOVA__DEVICE_HAS(d, DM_TOPIC_CASE))
    p.prefix = "NovaCloud/devices/";
  if (NOVA__DEVICE_HAS(d, DM_TOPIC_NO_PREFIX))
    p.prefix = "devices/";
  if (NOVA__DEVICE_HAS(d, DM_TOPIC_SLASH))
    p.prefix = "/novacloud/devices/";
  if (NOVA__DEVICE_HAS(d, DM_TOPIC_CLIENT_ID))
    p.id = d->client_id;
  if (NOVA__DEVICE_HAS(d, DM_QOS_0))
    p.qos = 0;
  if (NOVA__DEVICE_HAS(d, DM_QOS_2))
    p.qos = 2;
  p.retain = NOVA__DEVICE_HAS(d, DM_RETAIN);
  begin(d);
  put_time(d, data_time(d));
  if (NOVA__DEVICE_HAS(d, DM_ID_OTHER))
    put_text(d, "device_id", "DEV-900001");
  else if (!NOVA__DEVICE_HAS(d, DM_ID_MISSING))
    put_view(d, "device_id", d->options.id);
  put_values(d);
  note(d, nova_buf_puts(&d->text, "}"));
  note(d, dress(d, false));
  note(d, spoil(d));
  if (d->error == NOVA_ERR_NO_MEMORY)
    nova__device_give_up(d);
  else if (d->error == 0)
    nova__device_mqtt_publish(d, &p, nova_buf_view(&d->text));
}

/* --- status: guide 2.6 -----------------------------------------------------
 */

static enum time_style status_time(const struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, DM_STATUS_TIME_MS))
    return MILLISECONDS;
  return NOVA__DEVICE_HAS(d, DM_STATUS_TIME_MISSING) ? ABSENT : SECONDS;
}

static void put_info(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, V_DM_NO_INFO))
    return;
  if (NOVA__DEVICE_HAS(d, DM_INFO_STRING))
    put_text(d, "info", "1.0.3");
  else
    put_raw(d, "info", "{\"version\":\"1.0.3\",\"rssi\":-65}");
}

/* DM_TOPIC_LOG */
static void say_log(struct nova_device *d) {
  struct nova__device_publish p = {
      .id = d->options.id, .name = "log", .qos = 1};
  begin(d);
  put_time(d, SECONDS);
  put_view(d, "device_id", d->options.id);
  put_text(d, "log", "status sent");
  finish(d, false, &p);
}

void nova__device_mqtt_status(struct nova_device *d) {
  struct nova__device_publish p = {
      .id = d->options.id, .name = "status", .qos = 1};
  d->statuses++;
  if (NOVA__DEVICE_HAS(d, DM_TOPIC_STATE))
    p.name = "state";
  if (NOVA__DEVICE_HAS(d, DM_STATUS_QOS_0))
    p.qos = 0;
  p.retain = NOVA__DEVICE_HAS(d, DM_STATUS_RETAIN);
  if (NOVA__DEVICE_HAS(d, DM_STATUS_TEXT)) {
    nova__device_mqtt_publish(d, &p, nova_view_of("online"));
    return;
  }
  begin(d);
  if (NOVA__DEVICE_HAS(d, DM_STATUS_NUMBER))
    put_raw(d, "status", "1");
  else
    put_text(d, "status", "online");
  put_time(d, status_time(d));
  if (!NOVA__DEVICE_HAS(d, DM_STATUS_NO_ID))
    put_view(d, "device_id", d->options.id);
  put_info(d);
  finish(d, true, &p);
  if (NOVA__DEVICE_HAS(d, DM_TOPIC_LOG))
    say_log(d);
}

/* --- answers: guide 2.5 ----------------------------------------------------
 */

static const char *response_name(const struct nova_device *d,
                                 const struct nova__device_answer *a) {
  if (NOVA__DEVICE_HAS(d, DM_ANSWER_RESPONSE))
    return "command_response";
  return a->known ? "actuator_set" : "command_result";
}

static enum time_style answer_time(const struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, DM_ANSWER_TIME_MS))
    return MILLISECONDS;
  return NOVA__DEVICE_HAS(d, DM_ANSWER_NO_TIME) ? ABSENT : SECONDS;
}

static void put_success(struct nova_device *d, bool done) {
  const char *text = done ? "true" : "false";
  if (NOVA__DEVICE_HAS(d, DM_RESULT))
    put_text(d, "result", done ? "success" : "failed");
  else if (NOVA__DEVICE_HAS(d, DM_SUCCESS_STRING))
    put_text(d, "success", text);
  else if (!NOVA__DEVICE_HAS(d, DM_NO_SUCCESS))
    put_raw(d, "success", text);
}

static struct nova__device_publish answer_topic(const struct nova_device *d) {
  struct nova__device_publish p = on_data_topic(d);
  if (NOVA__DEVICE_HAS(d, DM_ANSWER_ON_STATUS))
    p.name = "status";
  if (NOVA__DEVICE_HAS(d, DM_ANSWER_ON_RESPONSE))
    p.name = "response";
  p.late = nova__device_answer_wait(d);
  return p;
}

void nova__device_mqtt_answer(struct nova_device *d, struct nova_view command,
                              const struct nova__device_answer *a) {
  struct nova__device_publish p = answer_topic(d);
  bool empty = !a->known || NOVA__DEVICE_HAS(d, DM_STATE_EMPTY);
  begin(d);
  put_text(d, "response", response_name(d, a));
  if (NOVA__DEVICE_HAS(d, DM_ANSWER_COMMAND))
    put_text(d, "command", response_name(d, a));
  else
    put_json(d, "command", command);
  put_time(d, answer_time(d));
  if (!NOVA__DEVICE_HAS(d, DM_ANSWER_NO_ID))
    put_view(d, "device_id", d->options.id);
  put_success(d, a->done);
  if (!NOVA__DEVICE_HAS(d, DM_ANSWER_NO_DATA))
    put_json(d, "data",
             empty ? nova_view_of("{}") : nova_buf_view(&d->state_text));
  /* nova__device_post() keeps answers back under a fault. */
  d->kind = NOVA_MSG_COMMAND_RESPONSE;
  finish(d, true, &p);
  d->kind = NOVA_MSG_UNKNOWN;
}
