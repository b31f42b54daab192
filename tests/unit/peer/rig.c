#include "rig.h"

#include <criterion/criterion.h>

void rig_start_with(struct rig *r, const struct nova_server_options *options) {
  static const struct nova_credential devices[] = {
      {{ID_A, sizeof ID_A - 1}, {KEY_A, sizeof KEY_A - 1}},
      {{ID_B, sizeof ID_B - 1}, {KEY_B, sizeof KEY_B - 1}},
  };
  struct nova_server_options o = *options;
  if (o.devices == NULL) {
    o.devices = devices;
    o.device_count = 2;
  }
  o.unix_base = RIG_UNIX * NOVA_SEC;
  o.seed = 1;
  *r = (struct rig){.s = nova_server_new(&o)};
  r->json = nova_json_new(NULL, 2 * NOVA_LINE_LIMIT, NOVA_JSON_DEPTH);
  nova_buf_init(&r->line, NULL, (size_t)1 << 24);
  cr_assert_not_null(r->s);
  cr_assert_not_null(r->json);
}

void rig_start(struct rig *r, enum nova_fault fault) {
  struct nova_fault_set faults = {{0}};
  if (fault < NOVA_FAULTS)
    nova_fault_add(&faults, fault);
  rig_start_with(r, &(struct nova_server_options){.faults = &faults});
}

void rig_stop(struct rig *r) {
  nova_server_free(r->s);
  for (size_t i = 0; i < r->conns; i++)
    nova_buf_free(&r->conn[i].in);
  nova_buf_free(&r->line);
  nova_json_free(r->json);
}

static void end(struct rig *r, struct rig_conn *c, bool reset) {
  if (c->closed)
    return;
  c->closed = true;
  c->reset = reset;
  c->ended = r->now;
}

void rig_pump(struct rig *r) {
  struct nova_server_out out;
  while (nova_server_next_output(r->s, &out)) {
    if (out.kind == NOVA_SERVER_CRASH) {
      r->crashed = true;
      for (size_t i = 0; i < r->conns; i++)
        end(r, &r->conn[i], true);
      continue;
    }
    cr_assert_lt(out.conn, r->conns);
    struct rig_conn *c = &r->conn[out.conn];
    cr_assert_not(c->closed, "something follows the end of a connection");
    if (out.kind == NOVA_SERVER_SEND) {
      cr_assert_eq(nova_buf_append(&c->in, out.bytes.p, out.bytes.n), 0);
      c->sends++;
      if (!r->held)
        nova_server_sent(r->s, out.conn);
    } else {
      end(r, c, out.kind == NOVA_SERVER_RESET);
    }
  }
}

size_t rig_accept(struct rig *r) {
  cr_assert_lt(r->conns, RIG_CONNS);
  size_t conn = r->conns++;
  nova_buf_init(&r->conn[conn].in, NULL, (size_t)1 << 24);
  cr_assert_eq(nova_server_accept(r->s, conn, r->now), 0);
  rig_pump(r);
  return conn;
}

void rig_feed(struct rig *r, size_t conn, const char *p, size_t n) {
  if (r->conn[conn].closed)
    return;
  cr_assert_eq(nova_server_feed(r->s, conn, p, n, r->now), 0);
  rig_pump(r);
}

void rig_say(struct rig *r, size_t conn, const char *text) {
  rig_feed(r, conn, text, strlen(text));
}

void rig_run(struct rig *r, nova_ts to) {
  for (;;) {
    nova_ts when = nova_server_next_deadline(r->s);
    if (when > to)
      break;
    r->now = when > r->now ? when : r->now;
    nova_server_expire(r->s, r->now);
    rig_pump(r);
    /* What is due must be done, or a loop would spin. */
    cr_assert_gt(nova_server_next_deadline(r->s), r->now);
  }
  r->now = to;
}

/* Moves one line from the connection to r->line. */
static bool take_line(struct rig *r, struct rig_conn *c) {
  struct nova_view v = nova_buf_view(&c->in);
  const char *feed = v.n > 0 ? memchr(v.p, '\n', v.n) : NULL;
  if (feed == NULL)
    return false;
  size_t n = (size_t)(feed - v.p);
  nova_buf_clear(&r->line);
  cr_assert_eq(nova_buf_append(&r->line, v.p, n), 0);
  nova_buf_consume(&c->in, n + 1);
  v = nova_buf_view(&r->line);
  (void)nova_msg_decode(r->json, v.p, v.n, &r->msg);
  if (r->msg.whole.type != NOVA_JSON_OBJECT)
    r->bad_line = true;
  return true;
}

enum rig_got rig_await(struct rig *r, size_t conn, nova_ts span) {
  struct rig_conn *c = &r->conn[conn];
  nova_ts until = r->now + span;
  for (;;) {
    if (take_line(r, c))
      return RIG_LINE;
    if (c->closed)
      return RIG_ENDED;
    nova_ts when = nova_server_next_deadline(r->s);
    if (when > until || r->now >= until) {
      rig_run(r, until);
      return take_line(r, c) ? RIG_LINE : c->closed ? RIG_ENDED : RIG_NOTHING;
    }
    rig_run(r, when > r->now ? when : r->now);
  }
}

const char *rig_take(struct rig *r, size_t conn) {
  struct nova_view v = nova_buf_view(&r->conn[conn].in);
  nova_buf_clear(&r->line);
  cr_assert_eq(nova_buf_append(&r->line, v.p, v.n), 0);
  nova_buf_clear(&r->conn[conn].in);
  const char *text = nova_buf_cstr(&r->line);
  cr_assert_not_null(text);
  return text;
}

const char *rig_control(struct rig *r, const char *line) {
  nova_buf_clear(&r->line);
  cr_assert_eq(nova_server_control(r->s, line, strlen(line), r->now, &r->line),
               0);
  rig_pump(r);
  return nova_buf_cstr(&r->line);
}
