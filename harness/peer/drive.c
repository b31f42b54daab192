#include "peer/drive.h"

#include "base/error.h"

/* A connection that is being closed. */
struct closing {
  uint64_t id;
  size_t pending; /* sends that are not out */
  bool eof;       /* the server sends no more */
  nova_ts give_up;
};

struct nova_drive {
  struct nova_transport *t;
  struct nova_device *device;
  struct nova_drive_options options;
  uint64_t id; /* of the present connection, 0: none */
  uint64_t last_id;
  size_t pending;
  bool eof;
  nova_ts secure_by; /* NOVA_TS_NONE: it is not being secured */
  bool secured_once;
  struct closing closing[NOVA_DRIVE_CLOSING]; /* the oldest first */
  size_t closings;
  bool dead;
};

static void tell(struct nova_drive *v, enum nova_drive_news what,
                 struct nova_view text) {
  if (v->options.news != NULL)
    v->options.news(v->options.user, what, text);
}

static void over(struct nova_drive *v) {
  v->id = 0;
  tell(v, NOVA_DRIVE_ENDED, (struct nova_view){NULL, 0});
}

/* The connection, which is gone, never was one for the device. */
static void refuse(struct nova_drive *v, struct nova_view why, nova_ts now) {
  v->id = 0;
  v->secure_by = NOVA_TS_NONE;
  tell(v, NOVA_DRIVE_REFUSED, why);
  nova_device_refused(v->device, now);
}

/* --- TLS: guide 2.2 ---------------------------------------------------------
 */

static bool has(const struct nova_drive *v, enum nova_fault f) {
  return nova_device_has(v->device, f);
}

/* How it is secured, under the device's faults. */
static struct nova_tls tls_of(const struct nova_drive *v) {
  const struct nova_view none = {NULL, 0};
  struct nova_tls how = *v->options.tls;
  if (has(v, NOVA_FAULT_DM_TLS_ANYONE) ||
      has(v, NOVA_FAULT_DM_TLS_SELF_SIGNED) ||
      (has(v, NOVA_FAULT_DM_TLS_FIRST_ONLY) && v->secured_once))
    how.anyone = true;
  if (has(v, NOVA_FAULT_DM_TLS_NO_NAME))
    how.name = none;
  if (has(v, NOVA_FAULT_DM_TLS_ANY_TIME))
    how.any_time = true;
  if (has(v, NOVA_FAULT_DM_TLS_1_1))
    how.highest = NOVA_TLS_1_1;
  if (has(v, NOVA_FAULT_DM_TLS_1_1) || has(v, NOVA_FAULT_DM_TLS_OLD_TOO))
    how.lowest = NOVA_TLS_1_0;
  if (has(v, NOVA_FAULT_DM_TLS_NO_CERTIFICATE))
    how.own = (struct nova_pem){none, none};
  if (has(v, NOVA_FAULT_V_DM_TLS_1_2))
    how.highest = NOVA_TLS_1_2;
  if (has(v, NOVA_FAULT_V_DM_TLS_1_3))
    how.lowest = NOVA_TLS_1_3;
  return how;
}

static bool says(struct nova_view text, const char *what) {
  return text.n > 0 && memmem(text.p, text.n, what, strlen(what)) != NULL;
}

/* DM_TLS_SELF_SIGNED lets one kind of what does not verify pass. */
static bool is_let_pass(const struct nova_drive *v, struct nova_view about) {
  return !has(v, NOVA_FAULT_DM_TLS_SELF_SIGNED) ||
         !says(about, "\"unverified\"") || says(about, "signed by itself");
}

static void begin_tls(struct nova_drive *v, nova_ts now) {
  struct nova_tls how = tls_of(v);
  nova_ts timeout = v->options.connect_timeout;
  int err = v->t->ops->secure != NULL ? v->t->ops->secure(v->t, v->id, &how)
                                      : NOVA_ERR_STATE;
  v->secure_by = nova_ts_add(now, timeout != 0 ? timeout : 10 * NOVA_SEC);
  if (err == 0)
    return;
  v->t->ops->close(v->t, v->id, true);
  refuse(v,
         nova_view_of(err == NOVA_ERR_ARGUMENT
                          ? "TLS: the certificates, the key or the versions "
                            "cannot be used"
                          : "TLS: cannot begin"),
         now);
}

/* Ends a connection that did not become secure. */
static void give_up_tls(struct nova_drive *v, struct nova_view why,
                        nova_ts now) {
  v->t->ops->close(v->t, v->id, false);
  refuse(v, why, now);
}

static void on_secured(struct nova_drive *v, const struct nova_event *e) {
  if (!is_let_pass(v, e->bytes)) {
    give_up_tls(v, e->bytes, e->t);
    return;
  }
  v->secure_by = NOVA_TS_NONE;
  v->secured_once = true;
  tell(v, NOVA_DRIVE_CONNECTED, e->bytes);
  nova_device_connected(v->device, e->t);
}

/* While it is being secured; true where there is nothing else to be done. */
static bool tls_event(struct nova_drive *v, const struct nova_event *e) {
  if (v->secure_by == NOVA_TS_NONE)
    return false;
  switch (e->kind) {
  case NOVA_EVENT_SECURED: on_secured(v, e); return true;
  case NOVA_EVENT_INSECURE: give_up_tls(v, e->bytes, e->t); return true;
  case NOVA_EVENT_EOF:
    give_up_tls(v, nova_view_of("TLS: the server closed"), e->t);
    return true;
  case NOVA_EVENT_RESET:
    refuse(v, nova_view_of("TLS: the server reset the connection"), e->t);
    return true;
  case NOVA_EVENT_CONNECTED:
  case NOVA_EVENT_REFUSED:
  case NOVA_EVENT_ACCEPTED:
  case NOVA_EVENT_BYTES:
  case NOVA_EVENT_SENT:
  case NOVA_EVENT_JOB: return true;
  }
  return true;
}

/* --- connections that are being closed -------------------------------------
 */

/* Nothing of it is worth waiting for any more. */
static void drop(struct nova_drive *v, size_t i) {
  v->t->ops->close(v->t, v->closing[i].id, false);
  v->closings--;
  memmove(&v->closing[i], &v->closing[i + 1],
          (v->closings - i) * sizeof *v->closing);
}

static void begin_close(struct nova_drive *v, nova_ts now) {
  if (v->closings == NOVA_DRIVE_CLOSING)
    drop(v, 0);
  (void)v->t->ops->half_close(v->t, v->id);
  v->closing[v->closings++] =
      (struct closing){.id = v->id,
                       .pending = v->pending,
                       .eof = v->eof,
                       .give_up = nova_ts_add(now, NOVA_DRIVE_LINGER)};
  if (v->eof && v->pending == 0)
    drop(v, v->closings - 1);
  over(v);
}

static void closing_event(struct nova_drive *v, const struct nova_event *e) {
  size_t i = 0;
  while (i < v->closings && v->closing[i].id != e->id)
    i++;
  if (i == v->closings)
    return;
  struct closing *c = &v->closing[i];
  if (e->kind == NOVA_EVENT_EOF)
    c->eof = true;
  else if (e->kind == NOVA_EVENT_SENT && c->pending > 0)
    c->pending--;
  if (e->kind == NOVA_EVENT_RESET || (c->eof && c->pending == 0))
    drop(v, i);
}

/* --- the device's outputs --------------------------------------------------
 */

static void begin_connect(struct nova_drive *v, nova_ts now) {
  nova_ts timeout = v->options.connect_timeout;
  v->id = ++v->last_id;
  v->pending = 0;
  v->eof = false;
  v->secure_by = NOVA_TS_NONE;
  int err = v->t->ops->connect(v->t, v->id, v->options.host, v->options.port,
                               timeout != 0 ? timeout : 10 * NOVA_SEC);
  if (err == 0)
    return;
  refuse(v, nova_view_of("cannot connect"), now);
}

static void transmit(struct nova_drive *v, struct nova_view bytes,
                     nova_ts now) {
  if (v->id == 0)
    return;
  if (v->t->ops->send(v->t, v->id, bytes.p, bytes.n) == 0) {
    v->pending++;
    return;
  }
  v->t->ops->close(v->t, v->id, true);
  over(v);
  nova_device_reset(v->device, now);
}

static void close_all(struct nova_drive *v) {
  while (v->closings > 0)
    drop(v, 0);
  if (v->id != 0)
    v->t->ops->close(v->t, v->id, false);
  v->id = 0;
}

static void end_process(struct nova_drive *v, int code) {
  v->dead = true;
  close_all(v);
  v->t->ops->wake_at(v->t, NOVA_TS_NONE);
  if (v->options.exited != NULL)
    v->options.exited(v->options.user, code);
}

static void carry_out(struct nova_drive *v, const struct nova_device_out *out,
                      nova_ts now) {
  switch (out->kind) {
  case NOVA_DEVICE_CONNECT: begin_connect(v, now); return;
  case NOVA_DEVICE_SEND: transmit(v, out->bytes, now); return;
  case NOVA_DEVICE_CLOSE:
    if (v->id != 0)
      begin_close(v, now);
    return;
  case NOVA_DEVICE_RESET:
    if (v->id != 0) {
      v->t->ops->close(v->t, v->id, true);
      over(v);
    }
    return;
  case NOVA_DEVICE_EXIT: end_process(v, out->code); return;
  }
}

/* Carries out what the device wants and sets the clock for what it will. */
static void pump(struct nova_drive *v, nova_ts now) {
  struct nova_device_out out;
  while (!v->dead && nova_device_next_output(v->device, &out))
    carry_out(v, &out, now);
  if (v->dead)
    return;
  nova_ts when = nova_device_next_deadline(v->device);
  if (v->closings > 0)
    when = nova_ts_min(when, v->closing[0].give_up);
  if (v->id != 0)
    when = nova_ts_min(when, v->secure_by);
  v->t->ops->wake_at(v->t, when);
}

/* --- events ----------------------------------------------------------------
 */

static void on_event(struct nova_drive *v, const struct nova_event *e) {
  if (tls_event(v, e))
    return;
  switch (e->kind) {
  case NOVA_EVENT_CONNECTED:
    if (v->options.tls != NULL) {
      begin_tls(v, e->t);
      return;
    }
    tell(v, NOVA_DRIVE_CONNECTED, e->bytes);
    nova_device_connected(v->device, e->t);
    return;
  case NOVA_EVENT_REFUSED: refuse(v, e->bytes, e->t); return;
  case NOVA_EVENT_BYTES:
    nova_device_feed(v->device, e->bytes.p, e->bytes.n, e->t);
    return;
  case NOVA_EVENT_SENT:
    if (v->pending > 0)
      v->pending--;
    nova_device_sent(v->device);
    return;
  case NOVA_EVENT_EOF:
    v->eof = true;
    nova_device_eof(v->device, e->t);
    return;
  case NOVA_EVENT_RESET:
    over(v);
    nova_device_reset(v->device, e->t);
    return;
  case NOVA_EVENT_INSECURE: /* after SECURED: nothing goes any more */
    v->t->ops->close(v->t, v->id, true);
    over(v);
    nova_device_reset(v->device, e->t);
    return;
  case NOVA_EVENT_ACCEPTED:
  case NOVA_EVENT_SECURED:
  case NOVA_EVENT_JOB: return;
  }
}

void nova_drive_event(struct nova_drive *v, const struct nova_event *e) {
  if (v->dead)
    return;
  if (v->id != 0 && e->id == v->id)
    on_event(v, e);
  else
    closing_event(v, e);
  pump(v, e->t);
}

void nova_drive_expire(struct nova_drive *v, nova_ts now) {
  if (v->dead)
    return;
  if (v->id != 0 && v->secure_by <= now)
    give_up_tls(v, nova_view_of("TLS: no answer"), now);
  nova_device_expire(v->device, now);
  while (v->closings > 0 && v->closing[0].give_up <= now)
    drop(v, 0);
  pump(v, now);
}

static void handle_event(void *user, const struct nova_event *event) {
  nova_drive_event(user, event);
}

static void handle_expire(void *user, nova_ts now) {
  nova_drive_expire(user, now);
}

/* --- the whole -------------------------------------------------------------
 */

struct nova_drive *nova_drive_new(struct nova_transport *transport,
                                  struct nova_device *device,
                                  const struct nova_drive_options *options) {
  struct nova_drive *v = nova_mem_zalloc(options->mem, sizeof *v);
  if (v == NULL)
    return NULL;
  v->t = transport;
  v->device = device;
  v->options = *options;
  v->secure_by = NOVA_TS_NONE;
  transport->handler = (struct nova_handler){handle_event, handle_expire, v};
  nova_ts now = transport->ops->now(transport);
  nova_device_start(device, now);
  pump(v, now);
  return v;
}

void nova_drive_free(struct nova_drive *v) {
  if (v == NULL)
    return;
  close_all(v);
  v->t->ops->wake_at(v->t, NOVA_TS_NONE);
  nova_mem_free(v->options.mem, v);
}
