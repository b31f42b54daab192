#include "report/read.h"

/* No key that anybody uses is longer. */
#define KEY_MOST ((uint64_t)1 << 20)

static struct nova_address read_address(struct nova__reader *r,
                                        struct nova_json_value v,
                                        const char *name) {
  struct nova_address out = {NULL, 0};
  const char *why = NULL, *text = nova__read_text(r, v, name, false);
  if (text != NULL &&
      nova_address_read(r->arena, nova_view_of(text), 0, &out, &why) != 0)
    nova__read_fail(r, name, "HOST:PORT");
  return out;
}

/* "***" and a length become a placeholder. */
static const char *read_secret(struct nova__reader *r, const char *of,
                               struct nova_json_value v,
                               struct nova_json_value length,
                               const char *name) {
  const char *text = nova__read_text(r, v, name, false);
  if (text == NULL || *text == '\0')
    return text;
  if (strcmp(text, NOVA_MASK_TEXT) != 0) {
    nova__read_fail(r, name, "***, a masked secret");
    return NULL;
  }
  size_t n = nova__read_uint(r, length, "the secret's length", true, KEY_MOST);
  return r->err == 0 ? nova__read_placeholder(r, of, 0, n) : NULL;
}

static void read_devices(struct nova__reader *r, struct nova_json_value v,
                         struct nova_profile *p) {
  static const char *const names[] = {"id", "key", "key_length", NULL};
  size_t n = nova__read_count(r, v, "devices", false);
  if (n > NOVA_DEVICES_MOST)
    nova__read_fail(r, "devices", "at most 4096");
  if (n == 0 || r->err != 0)
    return;
  p->device = NOVA_NEW_ARRAY(r->arena, struct nova_login, n);
  if (!nova__read_memory(r, p->device))
    return;
  struct nova_json_iter it;
  struct nova_json_value one, m[3];
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &one) && r->err == 0) {
    struct nova_login *c = &p->device[p->devices];
    nova__read_enter(r, "devices", p->devices++);
    if (nova__read_object(r, one, names, m)) {
      c->id = nova__read_text(r, m[0], "id", true);
      if (r->err == 0)
        c->key = read_secret(r, c->id, m[1], m[2], "key");
    }
    nova__read_leave(r);
  }
}

static void read_platform(struct nova__reader *r, struct nova_json_value v,
                          struct nova_profile *p) {
  static const char *const names[] = {"username", "password", "password_length",
                                      NULL};
  struct nova_json_value m[3];
  if (v.type == NOVA_JSON_NONE || !nova__read_object(r, v, names, m))
    return;
  nova__read_enter(r, "platform", SIZE_MAX);
  p->platform.id = nova__read_text(r, m[0], "username", true);
  p->platform.key = read_secret(r, "platform", m[1], m[2], "password");
  nova__read_leave(r);
}

static void read_timers(struct nova__reader *r, struct nova_json_value v,
                        struct nova_json_value given, struct nova_timers *t) {
  for (unsigned i = 0; i < NOVA_TIMERS && r->err == 0; i++) {
    const char *name = nova_timer_name((enum nova_timer)i);
    struct nova_json_value one = nova_json_get(v, nova_view_of(name));
    const char *text = nova__read_text(r, one, name, false);
    if (text != NULL &&
        nova_duration_parse(text, strlen(text), &t->span[i]) != 0)
      nova__read_fail(r, name, "a duration, such as 10s");
  }
  struct nova_ids set = nova__read_ids(r, given, "timers_given");
  for (size_t i = 0; i < set.n && r->err == 0; i++) {
    enum nova_timer one = nova_timer_find(nova_view_of(set.id[i]));
    if (one == NOVA_TIMERS)
      nova__read_fail(r, "timers_given", "names of timers");
    else
      t->set[one] = true;
  }
}

/* Values that are literals. */
static struct nova_pattern *read_values(struct nova__reader *r,
                                        struct nova_json_value v) {
  struct nova_pattern *first = NULL, **end = &first;
  struct nova_json_iter it;
  struct nova_json_value one;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, &one) && r->err == 0) {
    struct nova_pattern *p = NOVA_NEW(r->arena, struct nova_pattern);
    char *json = nova_arena_copy(r->arena, one.text.p, one.text.n);
    if (!nova__read_memory(r, p) || !nova__read_memory(r, json))
      break;
    p->kind = NOVA_PATTERN_LITERAL;
    p->json = (struct nova_view){json, one.text.n};
    *end = p;
    end = &p->next;
  }
  return first;
}

static void read_actuators(struct nova__reader *r, struct nova_json_value v,
                           struct nova_profile *p) {
  if (v.type == NOVA_JSON_NONE)
    return;
  if (v.type != NOVA_JSON_OBJECT) {
    nova__read_fail(r, "actuators", "an object");
    return;
  }
  struct nova_actuator **end = &p->actuators;
  struct nova_json_iter it;
  struct nova_json_value key, value;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, &key, &value) && r->err == 0) {
    struct nova_actuator *a = NOVA_NEW(r->arena, struct nova_actuator);
    if (!nova__read_memory(r, a))
      return;
    a->name = nova__read_text(r, key, "actuators", true);
    if (value.type != NOVA_JSON_ARRAY)
      nova__read_fail(r, "actuators", "an array of values for each");
    else
      a->values = read_values(r, value);
    *end = a;
    end = &a->next;
  }
}

static void read_declares(struct nova__reader *r, struct nova_json_value v,
                          struct nova_profile *p) {
  static const char *const names[] = {"transports", "value_keys", "actuators",
                                      "client_certificates", NULL};
  static const char *const transports[] = {"tcp", "mqtt", "mqtts"};
  struct nova_json_value m[4];
  if (v.type == NOVA_JSON_NONE || !nova__read_object(r, v, names, m))
    return;
  nova__read_enter(r, "declares", SIZE_MAX);
  p->transports_given = m[0].type != NOVA_JSON_NONE;
  struct nova_ids given = nova__read_ids(r, m[0], "transports");
  for (size_t i = 0; i < given.n && r->err == 0; i++) {
    size_t k = 0;
    while (k < 3 && strcmp(given.id[i], transports[k]) != 0)
      k++;
    if (k == 3)
      nova__read_fail(r, "transports", "tcp, mqtt or mqtts");
    else
      p->transport[k] = true;
  }
  struct nova_ids keys = nova__read_ids(r, m[1], "value_keys");
  p->value_keys = keys.id;
  p->value_keys_n = keys.n;
  if (m[1].type != NOVA_JSON_NONE && keys.id == NULL && r->err == 0) {
    /* Declared, and empty: not the same as not declared. */
    p->value_keys = NOVA_NEW(r->arena, const char *);
    nova__read_memory(r, p->value_keys);
  }
  read_actuators(r, m[2], p);
  p->client_certificates = nova__read_bool(r, m[3], "client_certificates");
  nova__read_leave(r);
}

struct nova_profile *nova__read_profile(struct nova__reader *r,
                                        struct nova_json_value v) {
  enum {
    NAME,
    TCP,
    MQTT,
    MQTTS,
    TLS,
    DEVICES,
    PLATFORM,
    CONNECTIONS,
    TIMERS,
    GIVEN,
    DECLARES,
    HOOKS,
    EXPECT,
    MEMBERS
  };
  static const char *const names[MEMBERS + 1] = {"name",     "tcp",
                                                 "mqtt",     "mqtts",
                                                 "tls",      "devices",
                                                 "platform", "max_connections",
                                                 "timers",   "timers_given",
                                                 "declares", "hooks",
                                                 "expect",   NULL};
  static const char *const files[] = {"ca_file", "server_name", "cert_file",
                                      "key_file", NULL};
  struct nova_json_value m[MEMBERS], f[4];
  struct nova_profile *p = NOVA_NEW(r->arena, struct nova_profile);
  if (!nova__read_memory(r, p) || !nova__read_object(r, v, names, m))
    return NULL;
  p->arena = r->arena;
  p->subject = r->subject;
  p->subject_given = true;
  nova_timers_default(&p->timers);
  p->name = nova__read_text(r, m[NAME], "name", false);
  p->tcp = read_address(r, m[TCP], "tcp");
  p->mqtt = read_address(r, m[MQTT], "mqtt");
  p->mqtts = read_address(r, m[MQTTS], "mqtts");
  if (m[TLS].type != NOVA_JSON_NONE && nova__read_object(r, m[TLS], files, f)) {
    p->tls.ca_file = nova__read_text(r, f[0], files[0], false);
    p->tls.server_name = nova__read_text(r, f[1], files[1], false);
    p->tls.cert_file = nova__read_text(r, f[2], files[2], false);
    p->tls.key_file = nova__read_text(r, f[3], files[3], false);
  }
  read_devices(r, m[DEVICES], p);
  read_platform(r, m[PLATFORM], p);
  p->max_connections = (unsigned)nova__read_uint(
      r, m[CONNECTIONS], "max_connections", false, UINT32_MAX);
  read_timers(r, m[TIMERS], m[GIVEN], &p->timers);
  read_declares(r, m[DECLARES], p);
  for (unsigned i = 0; i < NOVA_HOOKS; i++)
    p->hook[i] = nova__read_text(
        r, nova_json_get(m[HOOKS], nova_view_of(nova_hook_names[i])),
        nova_hook_names[i], false);
  p->expect = nova__read_text(r, m[EXPECT], "expect", false);
  return p;
}
