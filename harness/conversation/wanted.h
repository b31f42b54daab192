/* What kind of message a pattern means, by the members that name it: `type`
 * over TCP, `packet` and `says` over MQTT. */
#ifndef NOVA_CONVERSATION_WANTED_H
#define NOVA_CONVERSATION_WANTED_H

#include "conversation/script.h"

/* |message|: an object, NULL names nothing. */
struct nova_wanted nova__wanted(const struct nova_pattern *message);

/* The child of an object pattern, NULL where it has none. */
const struct nova_pattern *nova__member(const struct nova_pattern *object,
                                        const char *name);

/* "CONNECT": its type; NONE for what is none. */
enum nova_mqtt_type nova__packet_type(struct nova_view name);

#endif
