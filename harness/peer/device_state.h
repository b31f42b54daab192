/* The reference device inside: shared by device.c (events, timers, output),
 * device_pace.c (spans), device_intake.c (bytes to lines), device_session.c
 * (what a line does), device_command.c, device_id.c (command ids),
 * device_say.c (messages) and device_dress.c (messages to bytes). Over MQTT:
 * device_mqtt.c (connections, timers, packets that come in), device_mqtt_say.c
 * (payloads), device_mqtt_send.c (packets) and device_mqtt_command.c. */
#ifndef NOVA_PEER_DEVICE_STATE_H
#define NOVA_PEER_DEVICE_STATE_H

#include "base/rng.h"
#include "codec/line.h"
#include "codec/message.h"
#include "peer/device.h"
#include "peer/mqtt_client.h"

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
  /* Of faults and variants. */
  NOVA__DEVICE_EXTRA,  /* when it says what it should not, or need not */
  NOVA__DEVICE_LEAVE,  /* when it gives up a connection that was refused */
  NOVA__DEVICE_HELD,   /* when answers that were held back go out */
  NOVA__DEVICE_GATHER, /* when what was gathered goes out */
  /* Over MQTT. */
  NOVA__DEVICE_SUBSCRIBE,
  NOVA__DEVICE_KEEP,     /* when PINGREQ is sent */
  NOVA__DEVICE_PINGRESP, /* when waiting for PINGRESP is over */
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
  struct nova__device_post *handed_out; /* freed by the next call */
  size_t unsent;                        /* bytes queued, late or in flight */
  struct nova__device_post end, connect, exit; /* embedded: need no memory */
  struct nova_buf text; /* the message that is being written */
  struct nova_rng rng;
  int error; /* of the message that is being written */
  struct nova__actuator *actuators;
  size_t actuator_count;
  struct nova_view *value_keys; /* allocated */
  size_t value_key_count;
  struct nova_buf id_text;    /* the command_id of an answer, as JSON */
  struct nova_buf state_text; /* the actuators' state, as a JSON object */

  /* State of faults and variants. */
  enum nova_msg_kind kind;   /* of the message that is being written */
  struct nova_view shown_id; /* as its messages have it */
  unsigned pings;            /* on this connection */
  bool authenticated;        /* once, on any connection */
  bool began;                /* something was sent on this connection */
  bool owes_line_feed;
  bool deaf;         /* carries no commands out any more */
  bool loses_next;   /* the next line is lost */
  nova_ts heard;     /* when bytes came last */
  uint64_t commands; /* so far */
  struct nova__device_posts held;
  struct nova_buf gathered;
  struct nova_buf backlog;     /* bytes that wait for more bytes */
  struct nova_buf status_text; /* that waits for data to be sent with it */
  struct nova_buf id_before;   /* of the command before, as JSON */

  /* Over MQTT. */
  struct nova_mqtt_client *mqtt; /* of this connection, or the last */
  struct nova_view client_id;    /* allocated */
  struct nova_buf payload;       /* as serializers write |text| */
  struct nova_buf packet;        /* one that the client would not write */
  unsigned statuses;             /* on this connection */
  bool subscribed;               /* SUBSCRIBE was sent on this connection */
};

/* Spans of faults and variants that follow no option. */
#define NOVA__DEVICE_PINGS_EVERY   (100 * NOVA_MS) /* V_DM_PINGS */
#define NOVA__DEVICE_HISTORY_AFTER (200 * NOVA_MS) /* auth_result */
#define NOVA__DEVICE_BUSY_FOR      (50 * NOVA_MS)
#define NOVA__DEVICE_EXTRA_AFTER   (100 * NOVA_MS)
#define NOVA__DEVICE_AGAIN_AFTER   (200 * NOVA_MS) /* D_AUTH_TWICE */
#define NOVA__DEVICE_FAILED_AFTER  (500 * NOVA_MS) /* speaks after failed */
#define NOVA__DEVICE_STAYS_FOR     (60 * NOVA_SEC) /* V_D_FAILED_STAYS */
#define NOVA__DEVICE_CHATS_EVERY   (50 * NOVA_MS)
#define NOVA__DEVICE_GATHERS_FOR   (250 * NOVA_MS)
#define NOVA__DEVICE_LINE_WITHIN   (200 * NOVA_MS) /* D_LINE_TIMEOUT */

/* What its process ends with. */
#define NOVA__DEVICE_CRASHED 139 /* as by a signal */
#define NOVA__DEVICE_THREW   1

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

/* It does nothing any more, and its connection stays as it is. */
void nova__device_hang(struct nova_device *d);

/* Sets a timer to |span| from now; NOVA_TS_NONE stops it. */
void nova__device_set(struct nova_device *d, enum nova__device_timer t,
                      nova_ts span);

/* Sets a timer that came at |when| for its next time: no drift, and no burst
 * after a device was held up. */
void nova__device_again(struct nova_device *d, enum nova__device_timer t,
                        nova_ts when, nova_ts span);

/* Sends |n| bytes as one write, |late| from now. Resets the connection where
 * there is no memory or too much is unsent. */
void nova__device_post(struct nova_device *d, const char *p, size_t n,
                       nova_ts late);

/* Memory ran out, or something else that a connection does not survive. */
void nova__device_give_up(struct nova_device *d);

/* --- device_pace.c: spans under the device's faults; NOVA_TS_NONE: never */

nova_ts nova__device_auth_wait(const struct nova_device *d);
nova_ts nova__device_idle_span(const struct nova_device *d);
nova_ts nova__device_ping_span(const struct nova_device *d);
nova_ts nova__device_data_span(const struct nova_device *d);
nova_ts nova__device_answer_wait(const struct nova_device *d);

/* How late what is due after |span| may be. */
nova_ts nova__device_tolerance(const struct nova_device *d, nova_ts span);

/* Also counts the attempt. |was_served|: the connection was authenticated. */
nova_ts nova__device_reconnect_wait(struct nova_device *d,
                                    enum nova__device_end why, bool was_served);

/* --- device_intake.c */

/* The frame limit under the device's faults. */
size_t nova__device_frame_limit(const struct nova_device *d);

/* Takes the bytes of one segment. */
void nova__device_intake(struct nova_device *d, const char *p, size_t n);

/* --- device_session.c */

/* Handles one line of an open connection. */
void nova__device_line(struct nova_device *d, struct nova_view frame);

/* The time of EXTRA has come. */
void nova__device_extra(struct nova_device *d);

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

/* set_actuator: all or nothing. Whether it was done. */
bool nova__device_set_actuators(struct nova_device *d,
                                struct nova_json_value params);

/* Whether a fault lets a command go by, as too many wait for their answers. */
bool nova__device_misses_command(const struct nova_device *d);

/* --- device_id.c */

/* Writes the command_id of the answer to |id_text|. Errors as
 * nova_buf_append(). */
int nova__device_spell_id(struct nova_device *d, struct nova_json_value id);

/* The device id as its messages show it, allocated. NULL without memory. */
char *nova__device_shown_id(const struct nova_device *d, size_t *n);

/* --- device_say.c */

void nova__device_say_auth(struct nova_device *d);
void nova__device_say_ping(struct nova_device *d);
void nova__device_say_status(struct nova_device *d, const char *status);
void nova__device_say_data(struct nova_device *d);

/* A data message of |n| bytes before its line feed. */
void nova__device_say_history(struct nova_device *d, size_t n);

/* A message of a |type| that the guide does not name. */
void nova__device_say_other(struct nova_device *d, const char *type);

/* What came of a command. */
struct nova__device_answer {
  bool known; /* it is set_actuator */
  bool done;
  struct nova_json_value params;
};

/* Answers the command whose id is in |id_text|; the data of one that is known
 * are in |state_text|. */
void nova__device_say_response(struct nova_device *d,
                               const struct nova__device_answer *a);

/* Writes the state of all actuators to |state_text|. Errors as
 * nova_buf_append(). */
int nova__device_put_state(struct nova_device *d);

/* A comma, unless an object begins, a name and a colon. */
int nova__device_begin_member(struct nova_buf *b, struct nova_view name);

/* The members that were measured, into |text|. */
void nova__device_put_measurements(struct nova_device *d);

/* Its clock. */
uint64_t nova__device_unix_seconds(const struct nova_device *d);

/* --- device_dress.c */

/* Ends the message in |d->text|, an object without its line feed, as the
 * faults and variants of the output layer have it, and sends it, |late| from
 * now. */
void nova__device_send(struct nova_device *d, nova_ts late);

/* --- device_mqtt.c */

static inline bool nova__device_is_mqtt(const struct nova_device *d) {
  return d->options.protocol == NOVA_DEVICE_MQTT;
}

/* What device.c does when it is made, connected, and CONNACK 0 came. */
int nova__device_mqtt_init(struct nova_device *d);
void nova__device_mqtt_free(struct nova_device *d);
void nova__device_mqtt_open(struct nova_device *d);
void nova__device_mqtt_serve(struct nova_device *d);

/* The time of a timer has come; false where it is device.c that knows it. */
bool nova__device_mqtt_fire(struct nova_device *d, enum nova__device_timer t,
                            nova_ts when);

/* Takes the bytes of one segment. */
void nova__device_mqtt_intake(struct nova_device *d, const char *p, size_t n);

/* The keep-alive of its CONNECT, in seconds. */
uint16_t nova__device_mqtt_keep_alive(const struct nova_device *d);

/* Something was sent, or came in: sets the timers of the keep-alive. */
void nova__device_mqtt_sent(struct nova_device *d);
void nova__device_mqtt_heard(struct nova_device *d);

/* --- device_mqtt_send.c: packets. Each is one write. */

/* Hands out what the client wrote. */
void nova__device_mqtt_flush(struct nova_device *d, nova_ts late);

void nova__device_mqtt_connect(struct nova_device *d);
void nova__device_mqtt_subscribe(struct nova_device *d);
void nova__device_mqtt_unsubscribe(struct nova_device *d);
void nova__device_mqtt_puback(struct nova_device *d, uint16_t id, nova_ts late);

/* PINGREQ, DISCONNECT. */
void nova__device_mqtt_bare(struct nova_device *d, enum nova_mqtt_type type);

/* Publishes a payload on the topic "novacloud/devices/" |id| "/" |name|. */
struct nova__device_publish {
  const char *prefix; /* NULL: as above */
  struct nova_view id;
  const char *name;
  uint8_t qos;
  bool retain;
  bool of_data; /* faults of the packets of data */
  nova_ts late;
};
void nova__device_mqtt_publish(struct nova_device *d,
                               const struct nova__device_publish *p,
                               struct nova_view payload);

/* --- device_mqtt_say.c: payloads */

/* The last will's, in |payload|. Errors as nova_buf_append(). */
int nova__device_mqtt_will(struct nova_device *d);
void nova__device_mqtt_data(struct nova_device *d);
void nova__device_mqtt_status(struct nova_device *d);

/* The answer to a command. |command|: its name as JSON. */
void nova__device_mqtt_answer(struct nova_device *d, struct nova_view command,
                              const struct nova__device_answer *a);

/* --- device_mqtt_command.c */

/* What a message on its command topic asks for. */
void nova__device_mqtt_command(struct nova_device *d, struct nova_view payload);

#endif
