/* The reference device inside: shared by device.c (events, timers, output),
 * device_intake.c (bytes to lines), device_session.c (what a line does),
 * device_command.c (commands) and device_say.c (messages to bytes). */
#ifndef NOVA_PEER_DEVICE_STATE_H
#define NOVA_PEER_DEVICE_STATE_H

#include "base/rng.h"
#include "codec/line.h"
#include "codec/message.h"
#include "peer/device.h"

enum nova__device_state {
  NOVA__DEVICE_OFF,        /* not started */
  NOVA__DEVICE_PAUSED,     /* waits before it connects */
  NOVA__DEVICE_CONNECTING, /* CONNECT is out */
  NOVA__DEVICE_WAITING,    /* connected; auth, then its result */
  NOVA__DEVICE_SERVED,     /* authenticated */
  NOVA__DEVICE_REFUSED,    /* auth failed; still connected under a variant */
  NOVA__DEVICE_GONE,       /* exited, or does nothing ever again */
};

enum nova__device_timer {
  NOVA__DEVICE_CONNECT_AGAIN,
  NOVA__DEVICE_AUTH,   /* when auth is sent */
  NOVA__DEVICE_RESULT, /* when waiting for auth_result is over */
  NOVA__DEVICE_IDLE,
  NOVA__DEVICE_LATE, /* the first of the late posts */
  NOVA__DEVICE_PING,
  NOVA__DEVICE_STATUS,
  NOVA__DEVICE_DATA,
  NOVA__DEVICE_EXTRA, /* of faults and variants, in WAITING and SERVED */
  NOVA__DEVICE_LEAVE, /* the same: when the connection is given up */
  NOVA__DEVICE_TIMERS
};

/* Why a connection ended: the wait before the next depends on it. */
enum nova__device_end {
  NOVA__DEVICE_NOT_CONNECTED, /* refused by the network */
  NOVA__DEVICE_LOST_FIN,
  NOVA__DEVICE_LOST_RST,
  NOVA__DEVICE_NO_RESULT,
  NOVA__DEVICE_FAILED, /* auth_result failed */
  NOVA__DEVICE_SILENT,
  NOVA__DEVICE_LEFT, /* by its own choice, or without memory */
};

/* One output on its way: in the queue, in the list of late ones, or sent and
 * waiting to be reported as such. */
struct nova__device_post {
  struct nova__device_post *next;
  enum nova_device_out_kind kind;
  int code;     /* EXIT */
  nova_ts when; /* late ones */
  size_t n;
  char *bytes; /* behind the struct */
};

struct nova__device_posts {
  struct nova__device_post *head, *tail;
};

struct nova__actuator {
  struct nova_view name; /* allocated */
  enum nova_json_type type;
  size_t n;
  char value[NOVA_DEVICE_VALUE_MAX]; /* JSON */
};

struct nova_device {
  const struct nova_mem *mem;
  struct nova_device_options options; /* id, key: allocated; spans: set */
  struct nova_fault_set faults;
  struct nova_json *json;
  size_t frame_limit;
  nova_ts now;
  enum nova__device_state state;
  nova_ts timer[NOVA__DEVICE_TIMERS]; /* NOVA_TS_NONE: not set */
  unsigned connections;               /* so far */
  unsigned attempts;                  /* the back-off's doublings */
  nova_ts served_since;
  struct nova_line line;
  struct nova__device_posts queue, late, in_flight;
  struct nova__device_post *handed_out;  /* freed by the next call */
  size_t unsent;                         /* bytes queued, late or in flight */
  struct nova__device_post end, connect; /* embedded: need no memory */
  struct nova_buf text;                  /* the message that is being written */
  struct nova_rng rng;
  int error; /* of the message that is being written */
  struct nova__actuator *actuators;
  size_t actuator_count;
  struct nova_view *value_keys; /* allocated */
  size_t value_key_count;
  struct nova_buf id_text; /* the command_id of an answer, as JSON */
};

#define NOVA__DEVICE_HAS(d, FAULT)                                             \
  nova_fault_has(&(d)->faults, NOVA_FAULT_##FAULT)

/* Whether |s| is a state with a connection. */
static inline bool nova__device_is_open(enum nova__device_state s) {
  return s == NOVA__DEVICE_WAITING || s == NOVA__DEVICE_SERVED ||
         s == NOVA__DEVICE_REFUSED;
}

/* --- device.c */

/* The only way to change the state; starts and stops its timers. */
void nova__device_enter(struct nova_device *d, enum nova__device_state state);

/* Ends the connection that is open, by CLOSE or RESET, and sets when the next
 * one is tried. */
void nova__device_leave(struct nova_device *d, enum nova_device_out_kind kind,
                        enum nova__device_end why);

/* The process ends. */
void nova__device_exit(struct nova_device *d, int code);

/* Starts the idle timer anew, from now. */
void nova__device_start_idle(struct nova_device *d);

/* How a message goes out. Zeroed: at once, as one write. */
struct nova__device_how {
  nova_ts late; /* a span */
};

/* Sends |n| bytes. Resets the connection where there is no memory or too much
 * is unsent. */
void nova__device_post(struct nova_device *d, const char *p, size_t n,
                       const struct nova__device_how *how);

/* Auth was accepted; |how| it ends when it is refused. */
void nova__device_accepted(struct nova_device *d);
void nova__device_failed(struct nova_device *d);

/* --- device_intake.c */

/* The frame limit under the device's faults. */
size_t nova__device_frame_limit(const struct nova_device *d);

/* Takes the bytes of one segment. */
void nova__device_intake(struct nova_device *d, const char *p, size_t n);

/* --- device_session.c */

/* Handles one line of an open connection. */
void nova__device_line(struct nova_device *d, struct nova_view frame);

/* --- device_command.c */

/* Copies what the options declare. Returns 0, NOVA_ERR_ARGUMENT or
 * NOVA_ERR_NO_MEMORY; what it made is freed by nova__device_actuators_free()
 * also after an error. */
int nova__device_actuators_init(struct nova_device *d,
                                const struct nova_device_options *o);
void nova__device_actuators_free(struct nova_device *d);

/* Carries out a command and answers it, if it can be answered. |m|: decoded,
 * its defects included. */
void nova__device_command(struct nova_device *d, const struct nova_msg *m);

/* --- device_say.c */

void nova__device_say_auth(struct nova_device *d);
void nova__device_say_ping(struct nova_device *d);
void nova__device_say_status(struct nova_device *d);
void nova__device_say_data(struct nova_device *d);

/* |id|: the command_id as a JSON string. The data are the actuators' state,
 * or empty unless |state|. */
void nova__device_say_response(struct nova_device *d, struct nova_view id,
                               bool success, bool state);

#endif
