/* The reference device, messages: guide 3.2 to 3.4. Members are written one by
 * one, in the order of the guide, because the faults are about single members;
 * without a fault the bytes are those of nova_msg_encode(), which a test holds
 * it to. */
#include "peer/device_state.h"

#include "base/unreachable.h"
#include "peer/restyle.h"

#include <inttypes.h>
#include <stdio.h>

/* How a timestamp is written. */
enum time_style {
  SECONDS, /* as the guide says */
  MILLISECONDS,
  STRING,
  DATE,
  FRACTION,
  EXPONENT,
  LOCAL_TIME,
  ZERO,
  ABSENT,
};

/* --- members ---------------------------------------------------------------
 */

static void note(struct nova_device *d, int err) {
  if (err != 0 && d->error == 0)
    d->error = err;
}

static void put(struct nova_device *d, const char *text) {
  note(d, nova_buf_puts(&d->text, text));
}

int nova__device_begin_member(struct nova_buf *b, struct nova_view name) {
  struct nova_view v = nova_buf_view(b);
  int err = v.n > 0 && v.p[v.n - 1] != '{' ? nova_buf_puts(b, ",") : 0;
  if (err == 0)
    err = nova__put_string(b, name);
  return err != 0 ? err : nova_buf_puts(b, ":");
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

static void put_id(struct nova_device *d) {
  put_view(d, "device_id", d->shown_id);
}

/* --- timestamps ------------------------------------------------------------
 */

static enum time_style time_style(const struct nova_device *d) {
  bool data = d->kind == NOVA_MSG_DATA, status = d->kind == NOVA_MSG_STATUS;
  bool ping = d->kind == NOVA_MSG_PING;
  bool response = d->kind == NOVA_MSG_COMMAND_RESPONSE;
  if ((data && NOVA__DEVICE_HAS(d, D_DATA_NO_TIME)) ||
      (status && NOVA__DEVICE_HAS(d, D_STATUS_NO_TIME)) ||
      (ping && NOVA__DEVICE_HAS(d, D_PING_NO_TIME)) ||
      (response && NOVA__DEVICE_HAS(d, D_RESPONSE_NO_TIME)))
    return ABSENT;
  if (data && NOVA__DEVICE_HAS(d, D_TIME_MS))
    return MILLISECONDS;
  if (data && NOVA__DEVICE_HAS(d, D_TIME_EXPONENT))
    return EXPONENT;
  if (status && NOVA__DEVICE_HAS(d, D_TIME_STRING))
    return STRING;
  if (status && NOVA__DEVICE_HAS(d, D_TIME_ISO))
    return DATE;
  if (status && NOVA__DEVICE_HAS(d, D_TIME_ZERO))
    return ZERO;
  if (ping && NOVA__DEVICE_HAS(d, D_TIME_FRACTION))
    return FRACTION;
  return response && NOVA__DEVICE_HAS(d, D_TIME_LOCAL) ? LOCAL_TIME : SECONDS;
}

uint64_t nova__device_unix_seconds(const struct nova_device *d) {
  uint64_t t = (d->options.unix_base + d->now) / NOVA_SEC;
  if (NOVA__DEVICE_HAS(d, D_TIME_UPTIME))
    return d->now / NOVA_SEC;
  if (NOVA__DEVICE_HAS(d, V_D_CLOCK_AHEAD) ||
      NOVA__DEVICE_HAS(d, V_DM_CLOCK_AHEAD))
    return t + 290;
  return NOVA__DEVICE_HAS(d, V_D_CLOCK_BEHIND) && t > 290 ? t - 290 : t;
}

/* A day of the Gregorian calendar, from days since 1970-01-01. */
static void put_date(struct nova_device *d, uint64_t t) {
  uint64_t days = t / 86400 + 719468, era = days / 146097;
  uint64_t of_era = days % 146097;
  uint64_t year =
      (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  uint64_t month = (5 * of_year + 2) / 153; /* from March */
  uint64_t day = of_year - (153 * month + 2) / 5 + 1;
  year += era * 400 + (month >= 10);
  month = month < 10 ? month + 3 : month - 9;
  note(d,
       nova_buf_printf(&d->text,
                       "\"%" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T%02" PRIu64
                       ":%02" PRIu64 ":%02" PRIu64 "Z\"",
                       year, month, day, t / 3600 % 24, t / 60 % 60, t % 60));
}

static void put_time(struct nova_device *d) {
  enum time_style style = time_style(d);
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
  case DATE: put_date(d, t); return;
  case FRACTION:
    note(d, nova_buf_printf(b, "%" PRIu64 ".%03" PRIu64, t, ms % 1000));
    return;
  case EXPONENT: note(d, nova_buf_printf(b, "%.9e", (double)t)); return;
  case LOCAL_TIME:
    note(d, nova_buf_printf(b, "%" PRIu64, t + UINT64_C(8) * 3600));
    return;
  case ZERO: put(d, "0"); return;
  case ABSENT: break;
  }
  nova_unreachable();
}

/* --- whole messages --------------------------------------------------------
 */

static void begin(struct nova_device *d, enum nova_msg_kind kind,
                  const char *type) {
  nova_buf_clear(&d->text);
  d->error = 0;
  d->kind = kind;
  put(d, "{");
  if (type != NULL)
    put_text(d, "type", type);
}

static void finish(struct nova_device *d, nova_ts late) {
  put(d, "}");
  if (d->error == NOVA_ERR_NO_MEMORY)
    nova__device_give_up(d);
  else if (d->error == 0)
    nova__device_send(d, late);
}

/* --- auth: guide 3.2 -------------------------------------------------------
 */

static void put_number_of_id(struct nova_device *d) {
  struct nova_view id = d->options.id;
  size_t first = id.n;
  while (first > 0 && id.p[first - 1] >= '0' && id.p[first - 1] <= '9')
    first--;
  while (first < id.n && id.p[first] == '0') /* no number begins with it */
    first++;
  put_name(d, "device_id");
  note(d, first < id.n ? nova_buf_append(&d->text, id.p + first, id.n - first)
                       : nova_buf_puts(&d->text, "0"));
}

static void put_key(struct nova_device *d) {
  struct nova_view key = d->options.key;
  if (NOVA__DEVICE_HAS(d, D_AUTH_KEY_EXAMPLE))
    key = nova_view_of("your_device_key_here");
  if (NOVA__DEVICE_HAS(d, D_AUTH_KEY_CUT))
    do
      key.n--;
    while (key.n > 0 && ((unsigned char)key.p[key.n] & 0xc0) == 0x80);
  put_view(d, NOVA__DEVICE_HAS(d, D_AUTH_KEY_MEMBER) ? "key" : "device_key",
           key);
}

void nova__device_say_auth(struct nova_device *d) {
  begin(d, NOVA_MSG_AUTH, NOVA__DEVICE_HAS(d, D_AUTH_NO_TYPE) ? NULL : "auth");
  if (NOVA__DEVICE_HAS(d, D_AUTH_ID_NUMBER))
    put_number_of_id(d);
  else
    put_id(d);
  put_key(d);
  finish(d, 0);
}

/* --- ping: guide 3.4 -------------------------------------------------------
 */

static const char *ping_type(const struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, D_PING_TYPE))
    return "heartbeat";
  return NOVA__DEVICE_HAS(d, D_PING_CAPITALS) ? "PING" : "ping";
}

/* D_PING_ID_LOWER */
static void put_lower_id(struct nova_device *d) {
  put_name(d, "device_id");
  put(d, "\"");
  for (size_t i = 0; i < d->shown_id.n; i++) {
    char c = d->shown_id.p[i];
    if (c >= 'A' && c <= 'Z')
      c = (char)(c - 'A' + 'a');
    note(d, nova_buf_append(&d->text, &c, 1));
  }
  put(d, "\"");
}

void nova__device_say_ping(struct nova_device *d) {
  begin(d, NOVA_MSG_PING, ping_type(d));
  if (NOVA__DEVICE_HAS(d, D_PING_ID_LOWER))
    put_lower_id(d);
  else if (!NOVA__DEVICE_HAS(d, D_PING_NO_ID))
    put_id(d);
  put_time(d);
  if (NOVA__DEVICE_HAS(d, D_TRAILING_COMMA))
    put(d, ",");
  finish(d, 0);
}

/* --- status: guide 3.3 -----------------------------------------------------
 */

static void put_status(struct nova_device *d, const char *status) {
  if (NOVA__DEVICE_HAS(d, D_STATUS_NUMBER))
    put_raw(d, "status", "1");
  else if (NOVA__DEVICE_HAS(d, D_STATUS_BOOLEAN))
    put_raw(d, "status", "true");
  else
    put_text(d, NOVA__DEVICE_HAS(d, D_STATUS_MEMBER) ? "state" : "status",
             status);
}

/* D_STATUS_LOG */
static void put_log(struct nova_device *d) {
  put_name(d, "info");
  put(d, "{\"log\":\"");
  for (int i = 0; i < 20000; i++)
    put(d, "no change ");
  put(d, "\"}");
}

static void put_info(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, V_D_NO_INFO))
    return;
  if (NOVA__DEVICE_HAS(d, D_STATUS_LOG))
    put_log(d);
  else if (NOVA__DEVICE_HAS(d, D_INFO_STRING))
    put_text(d, "info", "1.0.3");
  else if (NOVA__DEVICE_HAS(d, D_INFO_NULL))
    put_raw(d, "info", "null");
  else if (NOVA__DEVICE_HAS(d, D_LATIN1))
    put_raw(d, "info", "{\"site\":\"M\xfcnchen\"}");
  else
    put_raw(d, "info", "{\"version\":\"1.0.3\",\"rssi\":-65}");
}

void nova__device_say_status(struct nova_device *d, const char *status) {
  begin(d, NOVA_MSG_STATUS, "status");
  if (!NOVA__DEVICE_HAS(d, D_STATUS_NO_ID))
    put_id(d);
  put_time(d);
  put_status(d, status);
  put_info(d);
  finish(d, 0);
}

/* --- data: guide 3.3 -------------------------------------------------------
 */

/* A number as a variant writes it. */
static int put_number(const struct nova_device *d, struct nova_buf *b,
                      struct nova_view v) {
  bool whole = true;
  for (size_t i = 0; i < v.n; i++)
    whole = whole && (v.p[i] == '-' || (v.p[i] >= '0' && v.p[i] <= '9'));
  if (NOVA__DEVICE_HAS(d, V_D_EXPONENTS))
    return nova__put_exponents(b, v);
  int err = nova_buf_append(b, v.p, v.n);
  if (err == 0 && whole && NOVA__DEVICE_HAS(d, V_D_INTEGERS_AS_REALS))
    err = nova_buf_puts(b, ".0");
  return err;
}

/* What a sensor measures: one decimal, or a whole number. */
static void put_measured(struct nova_device *d, size_t i) {
  unsigned tenths = 200 + (unsigned)nova_rng_below(&d->rng, 100);
  char text[16];
  if (i == 0 &&
      (NOVA__DEVICE_HAS(d, D_NAN) || NOVA__DEVICE_HAS(d, DM_DATA_NAN))) {
    put(d, "nan");
    return;
  }
  if (i % 3 == 2)
    snprintf(text, sizeof text, "%u", tenths);
  else
    snprintf(text, sizeof text, "%u.%u", tenths / 10, tenths % 10);
  note(d, put_number(d, &d->text, nova_view_of(text)));
}

static void put_key_of(struct nova_device *d, struct nova_view key) {
  char name[300];
  size_t n = key.n < 255 ? key.n : 255;
  memcpy(name, key.p, n);
  if (NOVA__DEVICE_HAS(d, D_KEYS_CAPITAL) && name[0] >= 'a' && name[0] <= 'z')
    name[0] = (char)(name[0] - 'a' + 'A');
  if (NOVA__DEVICE_HAS(d, D_KEYS_UNIT) || NOVA__DEVICE_HAS(d, DM_KEYS_UNIT)) {
    memcpy(name + n, "_si", 3);
    n += 3;
  }
  note(d, nova__device_begin_member(&d->text, (struct nova_view){name, n}));
}

void nova__device_put_measurements(struct nova_device *d) {
  for (size_t i = 0; i < d->value_key_count; i++) {
    put_key_of(d, d->value_keys[i]);
    put_measured(d, i);
  }
  if (NOVA__DEVICE_HAS(d, D_KEYS_MORE) || NOVA__DEVICE_HAS(d, DM_KEYS_MORE)) {
    put_name(d, "uptime_ms");
    note(d, nova_buf_printf(&d->text, "%" PRIu64, d->now / NOVA_MS));
  }
}

static void put_values(struct nova_device *d) {
  if (NOVA__DEVICE_HAS(d, D_VALUES_FLAT)) {
    nova__device_put_measurements(d);
  } else if (NOVA__DEVICE_HAS(d, D_VALUES_NULL)) {
    put_raw(d, "values", "null");
  } else if (NOVA__DEVICE_HAS(d, D_VALUES_STRING)) {
    put_text(d, "values", "{\"temperature\":25.5}");
  } else if (NOVA__DEVICE_HAS(d, D_VALUES_ARRAY)) {
    put_raw(d, "values", "[[\"temperature\",25.5]]");
  } else {
    put_raw(d, "values", "{");
    nova__device_put_measurements(d);
    put(d, "}");
  }
}

static void begin_data(struct nova_device *d) {
  begin(d, NOVA_MSG_DATA,
        NOVA__DEVICE_HAS(d, D_DATA_TYPE) ? "telemetry" : "data");
  if (NOVA__DEVICE_HAS(d, D_DATA_OTHER_ID))
    put_text(d, "device_id", "DEV-900001");
  else if (!NOVA__DEVICE_HAS(d, D_DATA_NO_ID))
    put_id(d);
  put_time(d);
}

void nova__device_say_data(struct nova_device *d) {
  begin_data(d);
  put_values(d);
  finish(d, 0);
}

void nova__device_say_history(struct nova_device *d, size_t n) {
  begin_data(d);
  put_raw(d, "values", "{");
  nova__device_put_measurements(d);
  put(d, "}");
  /* White space makes it as long as it shall be. */
  while (d->error == 0 && d->text.len + 1 < n)
    put(d, " ");
  finish(d, 0);
}

void nova__device_say_other(struct nova_device *d, const char *type) {
  begin(d, NOVA_MSG_UNKNOWN, type);
  put_text(d, "model", "NV-1");
  put_text(d, "firmware", "1.0.3");
  finish(d, 0);
}

/* --- command_response: guide 3.3 -------------------------------------------
 */

static int put_state_of(const struct nova_device *d, struct nova_buf *b,
                        const struct nova__actuator *a) {
  struct nova_view v = {a->value, a->n};
  if (a->type != NOVA_JSON_NUMBER)
    return nova_buf_append(b, v.p, v.n);
  return NOVA__DEVICE_HAS(d, D_STATE_STRINGS) ? nova__put_string(b, v)
                                              : put_number(d, b, v);
}

int nova__device_put_state(struct nova_device *d) {
  struct nova_buf *b = &d->state_text;
  bool capitals = NOVA__DEVICE_HAS(d, D_STATE_NAMES);
  nova_buf_clear(b);
  int err = nova_buf_puts(b, "{");
  for (size_t i = 0; i < d->actuator_count && err == 0; i++) {
    const struct nova__actuator *a = &d->actuators[i];
    char name[256];
    memcpy(name, a->name.p, a->name.n);
    if (capitals && name[0] >= 'a' && name[0] <= 'z')
      name[0] = (char)(name[0] - 'a' + 'A');
    err = nova__device_begin_member(b, (struct nova_view){name, a->name.n});
    if (err == 0)
      err = put_state_of(d, b, a);
  }
  return err != 0 ? err : nova_buf_puts(b, "}");
}

static void put_result(struct nova_device *d,
                       const struct nova__device_answer *a) {
  bool success = a->done || NOVA__DEVICE_HAS(d, D_UNKNOWN_SUCCESS);
  const char *failed =
      NOVA__DEVICE_HAS(d, V_D_RESULT_ERROR) ? "error" : "failed";
  if (NOVA__DEVICE_HAS(d, D_SET_FAILED))
    success = false;
  if (NOVA__DEVICE_HAS(d, D_RESULT_BOOLEAN))
    put_raw(d, "result", success ? "true" : "false");
  else if (NOVA__DEVICE_HAS(d, D_RESULT_NUMBER))
    put_raw(d, "result", success ? "0" : "-1");
  else if (NOVA__DEVICE_HAS(d, D_RESULT_MISSING))
    put_raw(d, "success", success ? "true" : "false");
  else
    put_text(d, "result", success ? "success" : failed);
}

static void put_data(struct nova_device *d,
                     const struct nova__device_answer *a) {
  struct nova_view state = nova_buf_view(&d->state_text);
  bool empty = !a->known || NOVA__DEVICE_HAS(d, D_STATE_EMPTY);
  if (NOVA__DEVICE_HAS(d, D_DATA_MISSING))
    return;
  if (NOVA__DEVICE_HAS(d, D_DATA_NULL))
    put_raw(d, "data", "null");
  else if (NOVA__DEVICE_HAS(d, D_DATA_ARRAY))
    put_raw(d, "data", "[]");
  else if (NOVA__DEVICE_HAS(d, D_DATA_STRING))
    put_view(d, "data", state);
  else if (!a->done && NOVA__DEVICE_HAS(d, V_D_RESULT_ERROR))
    put_raw(d, "data", "{\"reason\":\"not possible\",\"code\":-7}");
  else if (a->done && NOVA__DEVICE_HAS(d, V_D_PARAMS_ECHOED))
    put_json(d, "data", a->params.text);
  else if (empty)
    put_raw(d, "data", "{}");
  else
    put_json(d, "data", state);
}

/* D_RESPONSE_OTHER_ID: the guide's, or another if it is that. */
static const char *example_id(const struct nova_device *d) {
  return nova_view_is(d->options.id, "DEV-123456") ? "DEV-654321"
                                                   : "DEV-123456";
}

void nova__device_say_response(struct nova_device *d,
                               const struct nova__device_answer *a) {
  begin(d, NOVA_MSG_COMMAND_RESPONSE,
        NOVA__DEVICE_HAS(d, D_RESPONSE_TYPE) ? "response" : "command_response");
  if (!NOVA__DEVICE_HAS(d, D_RESPONSE_NO_COMMAND_ID))
    put_json(d, "command_id", nova_buf_view(&d->id_text));
  if (NOVA__DEVICE_HAS(d, D_RESPONSE_OTHER_ID))
    put_text(d, "device_id", example_id(d));
  else if (!NOVA__DEVICE_HAS(d, D_RESPONSE_NO_ID))
    put_id(d);
  put_time(d);
  put_result(d, a);
  put_data(d, a);
  finish(d, nova__device_answer_wait(d));
}
