/* The reference server's control connection: what an operator of the platform
 * would click, one JSON object a line in, one a line out. Hooks of a profile
 * talk to it. */
#ifndef NOVA_PEER_CONTROL_H
#define NOVA_PEER_CONTROL_H

#include "peer/server.h"

/* Handles one request. `do` is one of
 *
 *   {"do":"command","device_id":ID,"command":NAME,"params":{...},
 *    "transport":"tcp" or "mqtt"}
 *       sends a command, params {} where absent; {"ok":true,"command_id":"..."}
 *       over TCP, {"ok":true} over MQTT, where the device has to be connected
 *       and to have subscribed to its command topic. Without a transport: TCP
 *       where the device is connected so, else MQTT
 *   {"do":"reset","device_id":ID}
 *       makes a new key: {"ok":true,"key":"..."}; open connections stay
 *   {"do":"deactivate","device_id":ID}, {"do":"activate","device_id":ID}
 *       {"ok":true}; binds new auths, open connections stay
 *   {"do":"data","device_id":ID}
 *       what the device last reported, over whatever transport:
 *       {"ok":true,"values":{...},"status":"..."}; {} and null where it has
 *       not. Of data over MQTT the values are the members but timestamp and
 *       device_id
 *   {"do":"connections"}
 *       {"ok":true,"count":N,"connections":[{"connection":NUMBER,
 *       "device_id":"...","transport":"tcp" or "mqtt"},...]}, those over TCP
 *       first, of each transport the newest first; device_id null before auth
 *       or CONNECT, and for the platform's own login
 *
 * Anything else, and what cannot be done, gets {"ok":false,"error":"..."}.
 *
 * |line|, |n|: the request without its line feed.
 * |now|: as in server.h; outputs may come out of the server afterwards.
 * |out|: one line is appended, line feed included.
 * Returns 0, NOVA_ERR_NO_MEMORY or NOVA_ERR_LIMIT (|out| cannot hold even an
 * error); |out| is unchanged by an error. */
int nova_server_control(struct nova_server *s, const char *line, size_t n,
                        nova_ts now, struct nova_buf *out);

#endif
