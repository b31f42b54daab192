#include "device.h"

#include <base/error.h>

#include <string.h>

#define VERSION "1.0.0"

/* The longest auth, with all its escapes. The other messages but the answer to
 * a command are then as short. */
#define AUTH_MOST ((size_t)8192)

static size_t room(const struct device *d) {
  return sizeof d->out - d->len;
}

/* Queues one message. False where it has no room, or would be longer than the
 * guide allows (3.1). Its 128 KB are taken with the line feed: who sends keeps
 * to the narrower reading, who receives to the wider one. */
static bool queue(struct device *d, const struct nova_msg *message) {
  size_t tail = sizeof d->out - d->head - d->len, n;
  if (tail < NOVA_LINE_LIMIT) {
    memmove(d->out, d->out + d->head, d->len);
    d->head = 0;
    tail = room(d);
  }
  if (nova_msg_encode(message, d->out + d->head + d->len,
                      tail < NOVA_LINE_LIMIT ? tail : NOVA_LINE_LIMIT, &n) != 0)
    return false;
  d->len += n;
  return true;
}

/* The only place that changes the state. */
static void set_state(struct device *d, enum device_state state,
                      const char *why) {
  d->state = state;
  d->why = why;
  /* Guide 3.2: nothing is sent on a connection that was refused, nor what
   * waited for one that is gone. */
  if (state != DEVICE_ONLINE)
    d->head = d->len = 0;
}

/* --- what a device says ----------------------------------------------------
 */

/* Guide 3.2, step 2. */
static bool send_auth(struct device *d) {
  struct nova_msg m = {.kind = NOVA_MSG_AUTH, .present = NOVA_PRESENT_ALL};
  m.u.auth.device_id = nova_string_of(d->config.id);
  m.u.auth.device_key = nova_string_of(d->config.key);
  return queue(d, &m);
}

/* Guide 3.4, step 1. */
static void send_ping(struct device *d, struct device_time t) {
  struct nova_msg m = {.kind = NOVA_MSG_PING, .present = NOVA_PRESENT_ALL};
  m.u.ping.device_id = nova_string_of(d->config.id);
  m.u.ping.timestamp = t.unix_s;
  queue(d, &m);
}

/* Guide 3.3, status. */
static void send_status(struct device *d, struct device_time t) {
  struct nova_msg m = {.kind = NOVA_MSG_STATUS, .present = NOVA_PRESENT_ALL};
  m.u.status.device_id = nova_string_of(d->config.id);
  m.u.status.timestamp = t.unix_s;
  m.u.status.status = nova_string_of("online");
  m.u.status.info = nova_view_of("{\"version\":\"" VERSION "\"}");
  queue(d, &m);
}

/* Guide 3.3, data. */
static void send_data(struct device *d, struct device_time t) {
  char values[ACTUATORS_TEXT];
  struct nova_msg m = {.kind = NOVA_MSG_DATA, .present = NOVA_PRESENT_ALL};
  m.u.data.device_id = nova_string_of(d->config.id);
  m.u.data.timestamp = t.unix_s;
  m.u.data.values = sensors_read(t.now, values);
  queue(d, &m);
}

/* --- what it hears ---------------------------------------------------------
 */

/* Guide 3.2, step 3. Only `result` decides: the text and the time are for
 * people, and a server that leaves one out has still decided. */
static void on_auth_result(struct device *d, const struct nova_msg *m,
                           struct device_time t) {
  if ((m->present & NOVA_PRESENT(AUTH_RESULT, result)) == 0)
    return;
  if (nova_string_is(m->u.auth_result.result, nova_view_of("failed"))) {
    set_state(d, DEVICE_REFUSED, "the server refused the id or the key");
  } else if (d->state == DEVICE_AUTHENTICATING) {
    set_state(d, DEVICE_ONLINE, NULL);
    /* The platform shows the device at once; the first ping can wait, for
     * these messages say as much. */
    d->next_status = d->next_data = t.now;
    d->next_ping = nova_ts_add(t.now, d->config.heartbeat);
  }
}

/* Guide 3.3: every command is answered, also one that cannot be carried out, or
 * the platform would wait for it. */
static void on_command(struct device *d, const struct nova_msg *m,
                       struct device_time t) {
  const struct nova_msg_command *c = &m->u.command;
  /* Without an id there is nothing that an answer could refer to. */
  if ((m->present & NOVA_PRESENT(COMMAND, command_id)) == 0)
    return;
  bool mine = m->value[NOVA_INDEX(COMMAND, device_id)].type == NOVA_JSON_NONE ||
              nova_string_is(c->device_id, nova_view_of(d->config.id));
  /* A field that is missing or of a wrong type is not |present|; an unknown
   * member is none of our business. Add your own commands here. */
  bool done = mine && (m->present & NOVA_PRESENT(COMMAND, params)) != 0 &&
              nova_string_is(c->command, nova_view_of("set_actuator")) &&
              actuators_set(&d->actuators, c->params);
  char state[ACTUATORS_TEXT];
  struct nova_msg answer = {.kind = NOVA_MSG_COMMAND_RESPONSE,
                            .present = NOVA_PRESENT_ALL};
  struct nova_msg_command_response *r = &answer.u.command_response;
  /* Copied as it stands in the frame, escapes and all: it comes back as it
   * came, however long it is and whatever is in it. */
  r->command_id = c->command_id;
  r->device_id = nova_string_of(d->config.id);
  r->timestamp = t.unix_s;
  r->result = nova_string_of(done ? "success" : "failed");
  r->data = actuators_state(&d->actuators, state);
  /* device_receive() made room. What can fail is an id so long that its answer
   * would pass 128 KB; one with another id would be worse than none. */
  if (queue(d, &answer))
    d->commands++;
}

static void on_line(struct device *d, struct nova_view frame,
                    struct device_time t) {
  struct nova_msg m;
  /* The status is not asked for: of a message with a defect the fields that
   * are good are |present|, and one that is no JSON or of no known type is
   * UNKNOWN. Neither ends the connection. */
  (void)nova_msg_decode(d->json, frame.p, frame.n, &m);
  switch (m.kind) {
  case NOVA_MSG_AUTH_RESULT: on_auth_result(d, &m, t); break;
  case NOVA_MSG_COMMAND:
    /* Guide 3.2: before auth_result a device says nothing but auth. */
    if (d->state == DEVICE_ONLINE)
      on_command(d, &m, t);
    break;
  case NOVA_MSG_PONG: /* it was heard, which is all that it is for */
  case NOVA_MSG_UNKNOWN:
  case NOVA_MSG_AUTH:
  case NOVA_MSG_DATA:
  case NOVA_MSG_STATUS:
  case NOVA_MSG_COMMAND_RESPONSE:
  case NOVA_MSG_PING:
  case NOVA_MSG_KINDS: break;
  }
}

size_t device_receive(struct device *d, const char *p, size_t n,
                      struct device_time t) {
  size_t taken = 0;
  /* A line is only read while its answer has room. A server that sends and does
   * not read fills its own buffers then, and not this device's memory. */
  while (taken < n && room(d) >= NOVA_LINE_LIMIT &&
         (d->state == DEVICE_AUTHENTICATING || d->state == DEVICE_ONLINE)) {
    struct nova_line_out line;
    size_t used;
    int event = nova_line_feed(&d->line, p + taken, n - taken, &used, &line);
    if (event < 0) {
      set_state(d, DEVICE_GIVING_UP, nova_error_text(event));
      break;
    }
    taken += used;
    if (event == NOVA_LINE_MORE)
      continue;
    /* Guide 3.4, step 3: any message counts, not only pong, and also one that
     * is longer than allowed or makes no sense: the server is alive. */
    d->heard = t.now;
    if (event == NOVA_LINE_FRAME)
      on_line(d, line.frame, t);
  }
  return taken;
}

/* --- time ------------------------------------------------------------------
 */

/* When the server has been silent for too long. An auth_result has its time
 * from the connection on, whatever else comes in meanwhile. */
static nova_ts patience(const struct device *d) {
  return d->state == DEVICE_AUTHENTICATING
             ? nova_ts_add(d->connected, d->config.auth_timeout)
             : nova_ts_add(d->heard, d->config.idle_timeout);
}

/* Whether |*next| has come; moves it on by |interval|. Counted from when it was
 * due and not from now, so that no delay adds up; times that were slept through
 * are left out. */
static bool due(nova_ts *next, nova_ts interval, nova_ts now) {
  if (now < *next)
    return false;
  *next = nova_ts_add(*next, interval);
  if (*next <= now)
    *next = nova_ts_add(now, interval);
  return true;
}

void device_tick(struct device *d, struct device_time t) {
  if ((d->state == DEVICE_AUTHENTICATING || d->state == DEVICE_ONLINE) &&
      t.now >= patience(d))
    set_state(d, DEVICE_GIVING_UP,
              d->state == DEVICE_ONLINE ? "the server has been silent"
                                        : "no auth_result came");
  if (d->state != DEVICE_ONLINE)
    return;
  /* A report that finds no room is left out: the next one is newer. */
  if (due(&d->next_status, d->config.status_interval, t.now))
    send_status(d, t);
  if (due(&d->next_data, d->config.data_interval, t.now))
    send_data(d, t);
  if (due(&d->next_ping, d->config.heartbeat, t.now))
    send_ping(d, t);
}

nova_ts device_deadline(const struct device *d) {
  switch (d->state) {
  case DEVICE_AUTHENTICATING: return patience(d);
  case DEVICE_ONLINE:
    return nova_ts_min(nova_ts_min(patience(d), d->next_ping),
                       nova_ts_min(d->next_status, d->next_data));
  case DEVICE_OFFLINE:
  case DEVICE_GIVING_UP:
  case DEVICE_REFUSED: break;
  }
  return NOVA_TS_NONE;
}

/* --- the rest --------------------------------------------------------------
 */

int device_init(struct device *d, const struct device_config *config) {
  *d = (struct device){.config = *config};
  actuators_init(&d->actuators);
  /* Tried once here, the messages cannot fail later. */
  struct nova_msg m = {.kind = NOVA_MSG_AUTH, .present = NOVA_PRESENT_ALL};
  m.u.auth.device_id = nova_string_of(config->id);
  m.u.auth.device_key = nova_string_of(config->key);
  size_t n;
  int err = nova_msg_encode(&m, d->out, AUTH_MOST, &n);
  if (err != 0)
    return err;
  d->json = nova_json_new(NULL, NOVA_LINE_LIMIT, NOVA_JSON_DEPTH);
  return d->json != NULL ? nova_line_init(&d->line, NULL, NOVA_LINE_LIMIT)
                         : NOVA_ERR_NO_MEMORY;
}

void device_free(struct device *d) {
  nova_line_free(&d->line);
  nova_json_free(d->json);
  d->json = NULL;
}

void device_connected(struct device *d, struct device_time t) {
  set_state(d, DEVICE_AUTHENTICATING, NULL);
  d->connected = d->heard = t.now;
  /* Guide 3.2: again on every connection. */
  send_auth(d);
}

void device_disconnected(struct device *d) {
  set_state(d, DEVICE_OFFLINE, NULL);
  /* Half a line of this connection is no beginning of the next one's. The
   * arguments were good in device_init(). */
  nova_line_free(&d->line);
  (void)nova_line_init(&d->line, NULL, NOVA_LINE_LIMIT);
}

struct nova_view device_output(const struct device *d) {
  return (struct nova_view){d->out + d->head, d->len};
}

void device_sent(struct device *d, size_t n) {
  d->len -= n;
  d->head = d->len != 0 ? d->head + n : 0;
}
