/* A reference server driven by hand: connections that are plain byte queues, a
 * clock that is a variable. */
#ifndef TESTS_UNIT_PEER_RIG_H
#define TESTS_UNIT_PEER_RIG_H

#include "base/buf.h"
#include "codec/message.h"
#include "peer/control.h"
#include "peer/server.h"

#define RIG_CONNS 32

/* Unix time at the rig's time 0, in seconds. */
#define RIG_UNIX 1700000000

/* Two devices are registered. */
#define ID_A  "DEV-000001"
#define KEY_A "kEy-one-0123456789"
#define ID_B  "DEV-000002"
#define KEY_B "kEy-two-9876543210"

#define AUTH(id, key)                                                          \
  "{\"type\":\"auth\",\"device_id\":\"" id "\",\"device_key\":\"" key "\"}\n"
#define PING(id)                                                               \
  "{\"type\":\"ping\",\"device_id\":\"" id "\",\"timestamp\":1700000000}\n"
#define DATA(id, values)                                                       \
  "{\"type\":\"data\",\"device_id\":\"" id "\",\"timestamp\":1700000000,"      \
  "\"values\":" values "}\n"
#define STATUS(id, more)                                                       \
  "{\"type\":\"status\",\"device_id\":\"" id "\",\"timestamp\":1700000000,"    \
  "\"status\":\"online\"" more "}\n"
#define RESPONSE(id)                                                           \
  "{\"type\":\"command_response\",\"command_id\":\"c\",\"device_id\":\"" id    \
  "\",\"timestamp\":1700000000,\"result\":\"success\",\"data\":{}}\n"

/* One connection, seen by the device. */
struct rig_conn {
  struct nova_buf in; /* received and not yet taken */
  size_t sends;       /* how many writes the server made */
  bool closed, reset;
  nova_ts ended; /* when */
};

struct rig {
  struct nova_server *s;
  nova_ts now;
  bool crashed;
  size_t conns;
  struct rig_conn conn[RIG_CONNS];
  struct nova_buf line;   /* the one that rig_await() returned */
  struct nova_json *json; /* for what the server sends */
  struct nova_msg msg;    /* rig_await(): the line, decoded */
  bool held;              /* sends are not reported as sent */
  bool bad_line;          /* a line was no JSON object */
};

/* A server with the devices above and, where |fault| < NOVA_FAULTS, that fault.
 */
void rig_start(struct rig *r, enum nova_fault fault);
void rig_start_with(struct rig *r, const struct nova_server_options *options);
void rig_stop(struct rig *r);

/* A new connection; its number is also the one the server gets. */
size_t rig_accept(struct rig *r);

/* One segment. */
void rig_feed(struct rig *r, size_t conn, const char *p, size_t n);
void rig_say(struct rig *r, size_t conn, const char *text);

/* Moves the clock on to |to|, from deadline to deadline. */
void rig_run(struct rig *r, nova_ts to);

/* Takes what the server wants done; all of the above do. */
void rig_pump(struct rig *r);

/* What came of rig_await(). */
enum rig_got { RIG_NOTHING, RIG_LINE, RIG_ENDED };

/* The next line of |conn|, waiting up to |span|; decoded in r->msg. */
enum rig_got rig_await(struct rig *r, size_t conn, nova_ts span);

/* What was received on |conn|, as text; forgets it. */
const char *rig_take(struct rig *r, size_t conn);

/* A control request; the answer as text, valid until the next one. */
const char *rig_control(struct rig *r, const char *line);

#endif
