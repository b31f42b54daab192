#include "device_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

void dev_start_with(struct dev_rig *r,
                    const struct nova_device_options *options) {
  struct nova_device_options o = *options;
  o.id = nova_view_of(DEV_ID);
  o.key = nova_view_of(DEV_KEY);
  o.unix_base = DEV_UNIX * NOVA_SEC;
  if (o.seed == 0)
    o.seed = 1;
  *r = (struct dev_rig){.d = nova_device_new(&o)};
  r->json = nova_json_new(NULL, 4 * NOVA_LINE_LIMIT, NOVA_JSON_DEPTH);
  nova_buf_init(&r->in, NULL, (size_t)1 << 24);
  nova_buf_init(&r->line, NULL, (size_t)1 << 24);
  cr_assert_not_null(r->d);
  cr_assert_not_null(r->json);
}

static void end(struct dev_rig *r, bool reset) {
  cr_assert(r->open, "there is no connection to end");
  r->open = false;
  r->closed = !reset;
  r->reset = reset;
  r->ended = r->now;
}

static void take(struct dev_rig *r, const struct nova_device_out *out) {
  cr_assert_not(r->exited, "something follows its end");
  switch (out->kind) {
  case NOVA_DEVICE_CONNECT:
    cr_assert_not(r->open, "it connects while it is connected");
    r->connects++;
    r->asks = true;
    r->asked = r->now;
    return;
  case NOVA_DEVICE_SEND:
    cr_assert(r->open, "it sends without a connection");
    cr_assert_gt(out->bytes.n, 0);
    cr_assert_eq(nova_buf_append(&r->in, out->bytes.p, out->bytes.n), 0);
    r->sends++;
    r->last_send = r->now;
    if (!r->held)
      nova_device_sent(r->d);
    return;
  case NOVA_DEVICE_CLOSE: end(r, false); return;
  case NOVA_DEVICE_RESET: end(r, true); return;
  case NOVA_DEVICE_EXIT:
    r->exited = true;
    r->code = out->code;
    if (r->open)
      end(r, false);
    return;
  }
}

static void pump(struct dev_rig *r) {
  struct nova_device_out out;
  while (nova_device_next_output(r->d, &out))
    take(r, &out);
}

void dev_start(struct dev_rig *r, enum nova_fault fault) {
  struct nova_fault_set faults = {{0}};
  if (fault < NOVA_FAULTS)
    nova_fault_add(&faults, fault);
  dev_start_with(r, &(struct nova_device_options){.faults = &faults});
  nova_device_start(r->d, r->now);
  pump(r);
}

void dev_stop(struct dev_rig *r) {
  nova_device_free(r->d);
  nova_buf_free(&r->in);
  nova_buf_free(&r->line);
  nova_json_free(r->json);
}

void dev_run(struct dev_rig *r, nova_ts to) {
  for (;;) {
    nova_ts when = nova_device_next_deadline(r->d);
    if (when > to)
      break;
    r->now = when > r->now ? when : r->now;
    nova_device_expire(r->d, r->now);
    pump(r);
    /* What is due must be done, or a loop would spin. */
    cr_assert_gt(nova_device_next_deadline(r->d), r->now);
  }
  r->now = to > r->now ? to : r->now;
}

void dev_wait(struct dev_rig *r, nova_ts span) {
  dev_run(r, r->now + span);
}

bool dev_accept(struct dev_rig *r, nova_ts span) {
  nova_ts until = r->now + span;
  while (!r->asks && nova_device_next_deadline(r->d) <= until)
    dev_run(r, nova_device_next_deadline(r->d));
  if (!r->asks) {
    dev_run(r, until);
    return false;
  }
  r->asks = false;
  r->open = true;
  r->closed = r->reset = false;
  nova_buf_clear(&r->in);
  nova_device_connected(r->d, r->now);
  pump(r);
  return true;
}

void dev_feed(struct dev_rig *r, const char *p, size_t n) {
  if (!r->open)
    return;
  nova_device_feed(r->d, p, n, r->now);
  pump(r);
}

void dev_say(struct dev_rig *r, const char *text) {
  dev_feed(r, text, strlen(text));
}

void dev_fin(struct dev_rig *r) {
  if (!r->open)
    return;
  nova_device_eof(r->d, r->now);
  pump(r);
}

void dev_rst(struct dev_rig *r) {
  if (!r->open)
    return;
  r->open = false;
  r->ended = r->now;
  nova_device_reset(r->d, r->now);
  pump(r);
}

/* Moves one line from the connection to r->line. */
static bool take_line(struct dev_rig *r) {
  struct nova_view v = nova_buf_view(&r->in);
  const char *feed = v.n > 0 ? memchr(v.p, '\n', v.n) : NULL;
  if (feed == NULL)
    return false;
  size_t n = (size_t)(feed - v.p);
  nova_buf_clear(&r->line);
  cr_assert_eq(nova_buf_append(&r->line, v.p, n), 0);
  nova_buf_consume(&r->in, n + 1);
  v = nova_buf_view(&r->line);
  r->err = nova_msg_decode(r->json, v.n > 0 ? v.p : "", v.n, &r->msg);
  r->sent = r->last_send;
  if (r->watch != NULL)
    r->watch(r, v);
  return true;
}

enum dev_got dev_await(struct dev_rig *r, nova_ts span) {
  nova_ts until = r->now + span;
  for (;;) {
    if (take_line(r))
      return DEV_LINE;
    if (!r->open)
      return DEV_ENDED;
    nova_ts when = nova_device_next_deadline(r->d);
    if (when > until || r->now >= until) {
      dev_run(r, until);
      return take_line(r) ? DEV_LINE : r->open ? DEV_NOTHING : DEV_ENDED;
    }
    dev_run(r, when);
  }
}

bool dev_await_kind(struct dev_rig *r, enum nova_msg_kind kind, nova_ts span) {
  nova_ts until = r->now + span;
  while (dev_await(r, until - r->now) == DEV_LINE)
    if (r->msg.kind == kind)
      return true;
  return false;
}

bool dev_serve(struct dev_rig *r) {
  if (!dev_accept(r, 300 * NOVA_SEC) ||
      !dev_await_kind(r, NOVA_MSG_AUTH, 30 * NOVA_SEC))
    return false;
  dev_say(r, DEV_SUCCESS);
  return r->open;
}

const char *dev_member(struct dev_rig *r, const char *name) {
  static char text[1 << 18];
  struct nova_json_value v = nova_json_get(r->msg.whole, nova_view_of(name));
  if (v.type != NOVA_JSON_STRING) {
    snprintf(text, sizeof text, "%.*s", (int)v.text.n,
             v.text.p != NULL ? v.text.p : "");
    return text;
  }
  size_t n = nova_json_string(v, text, sizeof text - 1);
  text[n < sizeof text ? n : 0] = '\0';
  return text;
}
