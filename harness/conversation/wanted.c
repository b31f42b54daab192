#include "conversation/wanted.h"

const struct nova_pattern *nova__member(const struct nova_pattern *object,
                                        const char *name) {
  for (const struct nova_pattern *c = object->child; c != NULL; c = c->next)
    if (c->member != NULL && strcmp(c->member, name) == 0)
      return c;
  return NULL;
}

enum nova_mqtt_type nova__packet_type(struct nova_view name) {
  for (unsigned t = NOVA_MQTT_CONNECT; t <= NOVA_MQTT_DISCONNECT; t++)
    if (nova_view_is(name, nova_mqtt_type_name((enum nova_mqtt_type)t)))
      return (enum nova_mqtt_type)t;
  return NOVA_MQTT_NONE;
}

/* The characters of a member that is a literal string, empty otherwise. */
static struct nova_view named(const struct nova_pattern *message,
                              const char *member) {
  const struct nova_pattern *c = nova__member(message, member);
  struct nova_view none = {NULL, 0};
  if (c == NULL || c->kind != NOVA_PATTERN_LITERAL || c->json.n < 2 ||
      c->json.p[0] != '"')
    return none;
  return (struct nova_view){c->json.p + 1, c->json.n - 2};
}

struct nova_wanted nova__wanted(const struct nova_pattern *message) {
  struct nova_wanted w = {NOVA_MSG_UNKNOWN, NOVA_MQTT_NONE,
                          NOVA_PAYLOAD_UNKNOWN};
  if (message == NULL || message->kind != NOVA_PATTERN_OBJECT)
    return w;
  w.kind = nova_msg_kind_of(named(message, "type"));
  w.packet = nova__packet_type(named(message, "packet"));
  w.says = nova_payload_find(named(message, "says"));
  return w;
}
