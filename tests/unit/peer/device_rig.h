/* A reference device driven by hand: the server is the test, and the clock a
 * variable. What the device sends is cut into lines, each with its time. */
#ifndef TESTS_UNIT_PEER_DEVICE_RIG_H
#define TESTS_UNIT_PEER_DEVICE_RIG_H

#include "base/buf.h"
#include "codec/line.h"
#include "codec/message.h"
#include "peer/device.h"

/* Unix time at the rig's time 0, in seconds. */
#define DEV_UNIX 1700000000

#define DEV_ID  "DEV-000042"
#define DEV_KEY "kEy-0123456789-abc"

#define DEV_SUCCESS                                                            \
  "{\"type\":\"auth_result\",\"result\":\"success\",\"message\":\"ok\","       \
  "\"timestamp\":1700000000}\n"
#define DEV_FAILED                                                             \
  "{\"type\":\"auth_result\",\"result\":\"failed\",\"message\":\"no\","        \
  "\"timestamp\":1700000000}\n"
#define DEV_PONG "{\"type\":\"pong\",\"timestamp\":1700000000}\n"

/* A command; |id| is what stands between the quotation marks. */
#define DEV_COMMAND(id, name, params)                                          \
  "{\"type\":\"command\",\"command_id\":\"" id "\",\"device_id\":\"" DEV_ID    \
  "\",\"timestamp\":1700000000,\"command\":\"" name "\",\"params\":" params    \
  "}\n"
#define DEV_SET(id, params) DEV_COMMAND(id, "set_actuator", params)

struct dev_rig {
  struct nova_device *d;
  nova_ts now;
  struct nova_json *json;
  struct nova_buf in;   /* of this connection, not yet taken */
  struct nova_buf line; /* the one that dev_await() returned */
  struct nova_msg msg;  /* it, decoded */
  int err;              /* of that */
  nova_ts sent;         /* when its last byte was sent */
  nova_ts last_send;    /* when the device sent last */
  size_t sends;         /* writes, so far */
  unsigned connects;    /* CONNECT, so far */
  nova_ts asked;        /* when the last of them came */
  bool asks;            /* one is not answered yet */
  bool open;
  bool closed, reset; /* how the device ended the last connection */
  nova_ts ended;      /* when */
  bool exited;
  int code;
  bool held; /* sends are not reported as sent */
  /* Every line that is taken. May be NULL. */
  void (*watch)(struct dev_rig *r, struct nova_view line);
  void *user;
};

/* A device with the credential above and, where |fault| < NOVA_FAULTS, that
 * fault; started. */
void dev_start(struct dev_rig *r, enum nova_fault fault);
void dev_start_with(struct dev_rig *r,
                    const struct nova_device_options *options);
void dev_stop(struct dev_rig *r);

/* Moves the clock on to |to|, or by |span|, from deadline to deadline. */
void dev_run(struct dev_rig *r, nova_ts to);
void dev_wait(struct dev_rig *r, nova_ts span);

/* Waits up to |span| until it asks for a connection, and gives it one. */
bool dev_accept(struct dev_rig *r, nova_ts span);

/* One segment; nothing where it is not connected. */
void dev_feed(struct dev_rig *r, const char *p, size_t n);
void dev_say(struct dev_rig *r, const char *text);

/* The server closes, or resets. */
void dev_fin(struct dev_rig *r);
void dev_rst(struct dev_rig *r);

/* What came of dev_await(). */
enum dev_got { DEV_NOTHING, DEV_LINE, DEV_ENDED };

/* The next line, waiting up to |span|; decoded in r->msg. */
enum dev_got dev_await(struct dev_rig *r, nova_ts span);

/* The next line of |kind|; others are taken and dropped. */
bool dev_await_kind(struct dev_rig *r, enum nova_msg_kind kind, nova_ts span);

/* Connects, takes auth, says success. False where it does not come to that. */
bool dev_serve(struct dev_rig *r);

/* The characters of a member of r->msg, valid until the next call. */
const char *dev_member(struct dev_rig *r, const char *name);

#endif
