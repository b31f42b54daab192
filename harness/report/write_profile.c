#include "report/mask_find.h"
#include "report/write.h"

#include <stdio.h>

char *nova__duration(nova_ts t, char out[32]) {
  static const struct {
    nova_ts ns;
    const char *unit;
  } units[] = {{NOVA_SEC, "s"}, {NOVA_MS, "ms"}, {1000, "us"}, {1, "ns"}};
  if (t == NOVA_TS_NONE) {
    snprintf(out, 32, "never");
    return out;
  }
  size_t i = 0;
  while (t % units[i].ns != 0)
    i++;
  snprintf(out, 32, "%llu%s", (unsigned long long)(t / units[i].ns),
           units[i].unit);
  return out;
}

char *nova__rfc3339(uint64_t unix_ns, char out[32]) {
  /* Civil date from days (proleptic Gregorian), counted in years that start in
   * March, so that a leap day is the last day of one. */
  uint64_t s = unix_ns / NOVA_SEC;
  uint64_t days = s / 86400 + 719468, rest = s % 86400;
  uint64_t era = days / 146097, doe = days % 146097;
  uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  uint64_t mp = (5 * doy + 2) / 153;
  uint64_t day = doy - (153 * mp + 2) / 5 + 1;
  uint64_t month = mp < 10 ? mp + 3 : mp - 9;
  uint64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(year % 10000),
           (unsigned)(month % 100), (unsigned)(day % 100),
           (unsigned)(rest / 3600 % 24), (unsigned)(rest / 60 % 60),
           (unsigned)(rest % 60));
  return out;
}

static void text_member(struct nova_json_out *o, const char *key,
                        const char *value) {
  if (value == NULL)
    return;
  nova_jo_key(o, key);
  nova_jo_text(o, value);
}

static void address_member(struct nova_json_out *o, const char *key,
                           const struct nova_address *a) {
  if (a->host == NULL)
    return;
  nova_buf_clear(&o->scratch);
  bool six = strchr(a->host, ':') != NULL;
  int err =
      nova_buf_printf(&o->scratch, six ? "[%s]:%u" : "%s:%u", a->host, a->port);
  if (err != 0 && o->err == 0)
    o->err = err;
  nova_jo_key(o, key);
  nova_jo_view(o, nova_buf_view(&o->scratch));
}

/* "***" and the length; an empty one stays. After a reset_key hook the profile
 * may hold a new key, but the one that it started with is meant. */
static void secret_member(struct nova_json_out *o, const char *of,
                          const char *key, const char *length,
                          const char *value) {
  if (value == NULL)
    return;
  size_t n = nova__mask_first(o->mask, of);
  if (n == 0)
    n = strlen(value);
  nova_jo_key(o, key);
  nova_jo_string(o, *value != '\0' ? NOVA_MASK_TEXT : "");
  nova_jo_key(o, length);
  nova_jo_uint(o, n);
}

static void write_devices(struct nova_json_out *o,
                          const struct nova_profile *p) {
  nova_jo_key(o, "devices");
  nova_jo_open(o, '[', false);
  for (size_t i = 0; i < p->devices; i++) {
    nova_jo_open(o, '{', true);
    text_member(o, "id", p->device[i].id);
    secret_member(o, p->device[i].id, "key", "key_length", p->device[i].key);
    nova_jo_close(o, '}');
  }
  nova_jo_close(o, ']');
  if (p->platform.id == NULL)
    return;
  nova_jo_key(o, "platform");
  nova_jo_open(o, '{', true);
  text_member(o, "username", p->platform.id);
  secret_member(o, "platform", "password", "password_length", p->platform.key);
  nova_jo_close(o, '}');
}

static void write_timers(struct nova_json_out *o, const struct nova_timers *t) {
  char text[32];
  nova_jo_key(o, "timers");
  nova_jo_open(o, '{', false);
  for (unsigned i = 0; i < NOVA_TIMERS; i++) {
    if (t->span[i] == NOVA_TS_NONE && !t->set[i])
      continue; /* its default, which is another thing than "never" for one */
    nova_jo_key(o, nova_timer_name((enum nova_timer)i));
    nova_jo_string(o, nova__duration(t->span[i], text));
  }
  nova_jo_close(o, '}');
  nova_jo_key(o, "timers_given");
  nova_jo_open(o, '[', true);
  for (unsigned i = 0; i < NOVA_TIMERS; i++)
    if (t->set[i])
      nova_jo_string(o, nova_timer_name((enum nova_timer)i));
  nova_jo_close(o, ']');
}

static void write_actuators(struct nova_json_out *o,
                            const struct nova_profile *p) {
  if (p->actuators == NULL)
    return;
  nova_jo_key(o, "actuators");
  nova_jo_open(o, '{', false);
  for (const struct nova_actuator *a = p->actuators; a != NULL; a = a->next) {
    nova_jo_key(o, a->name);
    nova_jo_open(o, '[', true);
    for (const struct nova_pattern *v = a->values; v != NULL; v = v->next)
      if (v->kind == NOVA_PATTERN_LITERAL)
        nova_jo_raw(o, v->json);
    nova_jo_close(o, ']');
  }
  nova_jo_close(o, '}');
}

static void write_declares(struct nova_json_out *o,
                           const struct nova_profile *p) {
  static const char *const transports[] = {"tcp", "mqtt", "mqtts"};
  nova_jo_key(o, "declares");
  nova_jo_open(o, '{', false);
  if (p->transports_given) {
    nova_jo_key(o, "transports");
    nova_jo_open(o, '[', true);
    for (size_t i = 0; i < 3; i++)
      if (p->transport[i])
        nova_jo_string(o, transports[i]);
    nova_jo_close(o, ']');
  }
  if (p->value_keys != NULL) {
    nova_jo_key(o, "value_keys");
    nova_jo_open(o, '[', true);
    for (size_t i = 0; i < p->value_keys_n; i++)
      nova_jo_text(o, p->value_keys[i]);
    nova_jo_close(o, ']');
  }
  write_actuators(o, p);
  nova_jo_key(o, "client_certificates");
  nova_jo_bool(o, p->client_certificates);
  nova_jo_close(o, '}');
}

void nova__write_profile(struct nova_json_out *o,
                         const struct nova_profile *p) {
  nova_jo_open(o, '{', false);
  nova_jo_key(o, "novaprobe");
  nova_jo_uint(o, 1);
  nova_jo_key(o, "subject");
  nova_jo_string(o, nova_role_names[p->subject]);
  text_member(o, "name", p->name);
  address_member(o, "tcp", &p->tcp);
  address_member(o, "mqtt", &p->mqtt);
  address_member(o, "mqtts", &p->mqtts);
  nova_jo_key(o, "tls");
  nova_jo_open(o, '{', true);
  text_member(o, "ca_file", p->tls.ca_file);
  text_member(o, "server_name", p->tls.server_name);
  text_member(o, "cert_file", p->tls.cert_file);
  text_member(o, "key_file", p->tls.key_file);
  nova_jo_close(o, '}');
  write_devices(o, p);
  if (p->max_connections != 0) {
    nova_jo_key(o, "max_connections");
    nova_jo_uint(o, p->max_connections);
  }
  write_timers(o, &p->timers);
  write_declares(o, p);
  nova_jo_key(o, "hooks");
  nova_jo_open(o, '{', false);
  for (unsigned i = 0; i < NOVA_HOOKS; i++)
    text_member(o, nova_hook_names[i], p->hook[i]);
  nova_jo_close(o, '}');
  text_member(o, "expect", p->expect);
  nova_jo_close(o, '}');
}
