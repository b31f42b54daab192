/* The protocol of a device: guide 1.2, 3 and 5. No socket and no clock: bytes
 * and the time go in, bytes and a deadline come out, so that this file and
 * device.c run under any operating system or none, and can be tested without
 * waiting.
 *
 *   OFFLINE         device_connected              -> AUTHENTICATING
 *   AUTHENTICATING  auth_result success           -> ONLINE
 *                   auth_result failed            -> REFUSED
 *                   auth_timeout                  -> GIVING_UP
 *   ONLINE          auth_result failed            -> REFUSED
 *                   silence for idle_timeout      -> GIVING_UP
 *   any             device_disconnected           -> OFFLINE
 *
 * In GIVING_UP and REFUSED nothing is sent any more: the caller closes the
 * connection, and waits longer for the next one after REFUSED. */
#ifndef DEVICE_H
#define DEVICE_H

#include "actuators.h"

#include <base/time.h>
#include <base/view.h>
#include <codec/line.h>
#include <codec/message.h>

#include <stdbool.h>
#include <stdint.h>

/* Spans; none is 0. The strings outlive the device. */
struct device_config {
  const char *id, *key; /* guide 1.2; never written to a log */
  nova_ts heartbeat, idle_timeout, auth_timeout, data_interval, status_interval;
};

/* The two clocks that a device needs: |now| never jumps and measures spans;
 * |unix_s|, in seconds since 1970, stands in messages. */
struct device_time {
  nova_ts now;
  int64_t unix_s;
};

enum device_state {
  DEVICE_OFFLINE,
  DEVICE_AUTHENTICATING,
  DEVICE_ONLINE,
  DEVICE_GIVING_UP,
  DEVICE_REFUSED,
};

/* |state|, |why| and |commands| may be read, the rest is private. */
struct device {
  enum device_state state;
  const char *why; /* GIVING_UP, REFUSED: for a log; static */
  unsigned long commands;
  struct device_config config;
  struct actuators actuators;
  struct nova_json *json;
  struct nova_line line;
  nova_ts connected, heard; /* heard: the last message of the server */
  nova_ts next_ping, next_status, next_data;
  size_t head, len; /* of |out|: the bytes not yet sent */
  char out[2 * NOVA_LINE_LIMIT];
};

/* Allocates the scanner's tables, the only memory beside that of the framer,
 * which grows up to one message.
 * Returns 0, NOVA_ERR_NO_MEMORY, or what is wrong with the id or key:
 * NOVA_ERR_JSON_UTF8, NOVA_ERR_NO_SPACE (more than a few thousand characters).
 */
int device_init(struct device *d, const struct device_config *config);
void device_free(struct device *d);

/* A connection stands: auth is the output. */
void device_connected(struct device *d, struct device_time t);

/* The connection is gone, whoever closed it. */
void device_disconnected(struct device *d);

/* Takes what the server sent, in any pieces.
 * Returns how many bytes it took. Fewer than |n| where the answers already wait
 * for the server to read them: call again with the rest when some of the output
 * was sent. */
size_t device_receive(struct device *d, const char *p, size_t n,
                      struct device_time t);

/* Does what is due; to be called at device_deadline() and as often as you like.
 */
void device_tick(struct device *d, struct device_time t);

/* When device_tick() has something to do; NOVA_TS_NONE: not before something
 * comes in. */
nova_ts device_deadline(const struct device *d);

/* The bytes to send, valid until the next call; then say how many went out. */
struct nova_view device_output(const struct device *d);
void device_sent(struct device *d, size_t n);

#endif
