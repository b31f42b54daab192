/* The reference device: the device's side of the TCP protocol and of MQTT, as
 * the guide says it (sections 1.2, 2, 3 and 5), as a sans-I/O state machine. It
 * does nothing by itself: what happens to its connection and the time go in,
 * and what is to be connected, sent or closed comes out. One connection at a
 * time.
 *
 *   start     .--- connection lost, refused, silent, no auth_result ---.
 *     |       v                                                        |
 *     '-> [ PAUSED ] --> [ CONNECTING ] --> [ WAITING ] -- success --> [ SERVED
 * ] back-off                            | auth_result failed      |
 *             ^--------- 10 s at least ---------'-------------------------'
 *
 * Where the guide is silent the device does this:
 * - It waits for auth_result as long as it has for auth itself (3.2: 10 s);
 *   after that it closes and connects again.
 * - Any string but "success" in auth_result is a failure. One that lacks
 *   `result` is a malformed message. A second success changes nothing.
 * - After a failed auth it closes: 3.2 has the server close, and a device that
 *   waits for it could wait for ever.
 * - The idle timer counts from the last complete line that is one JSON object,
 *   known or not, for 3.4 says "any message".
 * - Between attempts to connect it waits 1 s, doubled each time up to 30 s, and
 *   up to a quarter more at random, so that a thousand devices do not come back
 *   together (5: "a suitable way of reconnecting"). The wait starts anew after
 *   a connection that was authenticated for a heartbeat.
 * - A line that is no JSON object, a type that it does not know, a message that
 *   lacks what it needs and a line over the limit are skipped; members that it
 *   does not know are ignored.
 * - A command is answered if it has a command_id that is a string and does not
 *   name another device, each time that it comes. set_actuator sets all of its
 *   params or none: an unknown name, or a value of another JSON type than the
 *   present one's, is result failed. So is a command that it does not know.
 * - A command whose answer would be longer than 128 KB, because its id is,
 *   cannot be answered, and is not.
 * - Each message is one SEND: a server that takes one recv() for one message
 *   shall be able to.
 *
 * Over MQTT, WAITING is for CONNACK, and:
 * - Its client id ends in 8 random characters, the same for as long as it runs;
 *   its session is a clean one, and it subscribes on each connection.
 * - A CONNACK other than 0 is an auth that failed; it closes, for a server has
 *   to. So it does where a packet is malformed, none that a server sends, or
 *   comes before CONNACK, and where a PINGRESP does not come for a keep-alive.
 * - It sends PINGREQ when it has not sent anything for half of the keep-alive.
 * - It does not send a PUBLISH again that is not acknowledged.
 * - A SUBSCRIBE that failed is sent again after |refused_wait|.
 * - A command's payload that is no JSON object, has no command that is a
 * string, or is a set_actuator without an object of params is skipped. What is
 * no set_actuator is answered command_result, success false, with empty data.
 * - Messages on other topics than its command topic are ignored. */
#ifndef NOVA_PEER_DEVICE_H
#define NOVA_PEER_DEVICE_H

#include "base/mem.h"
#include "base/time.h"
#include "base/view.h"
#include "peer/fault.h"

struct nova_device;

enum nova_device_protocol { NOVA_DEVICE_TCP, NOVA_DEVICE_MQTT };

/* Something that set_actuator sets. */
struct nova_device_actuator {
  struct nova_view name;  /* UTF-8, 1 to 255 bytes */
  struct nova_view value; /* at the start: JSON, at most
                             NOVA_DEVICE_VALUE_MAX bytes */
};

#define NOVA_DEVICE_ACTUATORS_MAX  64
#define NOVA_DEVICE_VALUE_KEYS_MAX 64
#define NOVA_DEVICE_VALUE_MAX      1024 /* bytes of JSON, longer: failed */

/* 0 in a field with a default means the default; spans are in ns. */
struct nova_device_options {
  const struct nova_mem *mem; /* NULL: the C library's */
  enum nova_device_protocol protocol;
  struct nova_view id;       /* copied; 1 to 255 bytes of UTF-8 */
  struct nova_view key;      /* copied; 1 to 1023 bytes of UTF-8 */
  nova_ts auth_timeout;      /* default 10 s */
  nova_ts heartbeat;         /* from ping to ping; default 60 s */
  nova_ts idle_timeout;      /* default 180 s */
  nova_ts response_timeout;  /* slow and late answers scale with it; default
                                5 s */
  nova_ts reconnect_timeout; /* the waits are at most half of it, and slow
                                reconnections scale with it; default 60 s */
  nova_ts late_tolerance;    /* slow pings scale with it; default the larger
                                of 1 s and 10 % of the heartbeat */
  nova_ts data_interval;     /* default 60 s; NOVA_TS_NONE: no data */
  nova_ts report_interval;   /* of status; default 300 s; NOVA_TS_NONE: none */
  nova_ts status_interval;   /* the same over MQTT; default 60 s */
  uint16_t keep_alive;       /* over MQTT, in seconds; default 60 */
  nova_ts first_status;      /* after auth_result; default 100 ms */
  nova_ts first_data;        /* the same; default 300 ms */
  nova_ts backoff_first;     /* default 1 s */
  nova_ts backoff_most;      /* default 30 s, or half of reconnect_timeout */
  nova_ts refused_wait;      /* after auth_result failed; default 10 s */
  uint64_t unix_base;        /* Unix time in ns at time 0 */
  uint64_t seed;             /* of waits and measured values */
  const struct nova_device_actuator *actuators; /* copied; NULL: relay1 "OFF"
                                                   and led_brightness 0 */
  size_t actuator_count;               /* up to NOVA_DEVICE_ACTUATORS_MAX */
  const struct nova_view *value_keys;  /* what it measures; copied; NULL:
                                          temperature, humidity, light */
  size_t value_key_count;              /* up to NOVA_DEVICE_VALUE_KEYS_MAX */
  const struct nova_fault_set *faults; /* copied; NULL: none. Those of servers
                                          and of the other protocol do nothing
                                        */
};

/* Makes a device. NULL without memory, or where an option is out of its range
 * (a value that is no JSON, text that is no UTF-8, a name that stands twice).
 */
struct nova_device *nova_device_new(const struct nova_device_options *options);

/* NULL is ignored. */
void nova_device_free(struct nova_device *d);

/* --- events. |now|: the time of the event; where it lies before that of an
 * earlier call it is taken for the same time. What is due by |now| happens
 * first. An event that does not fit (bytes without a connection) is ignored, as
 * everything is after EXIT. Where memory runs out the connection is reset and
 * tried again later. */

/* Begins: CONNECT comes out. A second call does nothing. */
void nova_device_start(struct nova_device *d, nova_ts now);

/* The CONNECT succeeded, or failed. */
void nova_device_connected(struct nova_device *d, nova_ts now);
void nova_device_refused(struct nova_device *d, nova_ts now);

/* Bytes of the server; not kept. */
void nova_device_feed(struct nova_device *d, const char *p, size_t n,
                      nova_ts now);

/* The server closed its sending side. */
void nova_device_eof(struct nova_device *d, nova_ts now);

/* The connection is gone. */
void nova_device_reset(struct nova_device *d, nova_ts now);

/* The oldest SEND of this connection that was not reported yet is out. More
 * than NOVA_DEVICE_UNSENT_MAX bytes that are not reset the connection. */
void nova_device_sent(struct nova_device *d);

#define NOVA_DEVICE_UNSENT_MAX ((size_t)4 << 20)

/* The time at which nova_device_expire() has something to do; NOVA_TS_NONE. */
nova_ts nova_device_next_deadline(const struct nova_device *d);

/* Does what is due at |now|; a call too early is harmless. */
void nova_device_expire(struct nova_device *d, nova_ts now);

/* --- results: to be taken after every call above until there is none. */

enum nova_device_out_kind {
  NOVA_DEVICE_CONNECT, /* to the server; the last connection is over */
  NOVA_DEVICE_SEND,    /* |bytes| are to be sent as one write */
  NOVA_DEVICE_CLOSE,   /* FIN after everything that was sent; no event of this
                          connection is to be reported any more */
  NOVA_DEVICE_RESET,   /* RST, now; the same */
  NOVA_DEVICE_EXIT,    /* the process ends with |code|; only faults do this.
                          The device ignores all events from now on */
};

struct nova_device_out {
  enum nova_device_out_kind kind;
  struct nova_view bytes; /* SEND; valid until the next call of any function */
  int code;               /* EXIT */
};

/* False where there is nothing. */
bool nova_device_next_output(struct nova_device *d,
                             struct nova_device_out *out);

/* Whether it has a fault: those of TLS are not the device's, but drive.h's. */
bool nova_device_has(const struct nova_device *d, enum nova_fault f);

/* Whether it is authenticated at present, as far as it knows. */
bool nova_device_is_served(const struct nova_device *d);

#endif
