/* Placeholders of --spawn, and the environment that says the same. */
#include "run/command.h"

#include "base/buf.h"

#include <string.h>

#define VALUES 11

struct value {
  const char *name, *variable, *text;
};

/* What each stands for; text NULL: nothing was given. */
static size_t values(struct nova_arena *arena, const struct nova_profile *p,
                     enum nova_link_kind over, struct value out[VALUES]) {
  const struct nova_address *port[] = {&p->tcp, &p->mqtt, &p->mqtts};
  const char *number[3];
  for (size_t i = 0; i < 3; i++)
    number[i] = port[i]->host != NULL
                    ? nova_arena_printf(arena, "%u", port[i]->port)
                    : NULL;
  const struct nova_login none = {0};
  const struct nova_login *d = p->devices != 0 ? &p->device[0] : &none;
  const struct value all[VALUES] = {
      {"{host}", "NOVA_HOST", port[over]->host},
      {"{tcp_port}", "NOVA_TCP_PORT", number[0]},
      {"{mqtt_port}", "NOVA_MQTT_PORT", number[1]},
      {"{mqtts_port}", "NOVA_MQTTS_PORT", number[2]},
      {"{device_id}", "NOVA_DEVICE_ID", d->id},
      {"{device_key}", "NOVA_DEVICE_KEY", d->key},
      {"{ca_file}", "NOVA_CA_FILE", p->tls.ca_file},
      {"{client_cert_file}", "NOVA_CLIENT_CERT_FILE", p->tls.cert_file},
      {"{client_key_file}", "NOVA_CLIENT_KEY_FILE", p->tls.key_file},
      {"{transport}", "NOVA_TRANSPORT", nova_link_names[over]},
      {"{port}", "NOVA_PORT", number[over]}};
  memcpy(out, all, sizeof all);
  return VALUES;
}

const char *nova_command_word(struct nova_arena *arena,
                              const struct nova_profile *p,
                              enum nova_link_kind over, const char *word,
                              const char **why) {
  struct value v[VALUES];
  size_t n = values(arena, p, over, v);
  struct nova_buf out;
  nova_buf_init(&out, NULL, 1 << 20);
  int err = 0;
  *why = NULL;
  while (*word != '\0' && err == 0 && *why == NULL) {
    size_t i = 0;
    while (i < n && strncmp(word, v[i].name, strlen(v[i].name)) != 0)
      i++;
    if (i == n) {
      err = nova_buf_append(&out, word++, 1);
    } else if (v[i].text == NULL) {
      *why = nova_arena_printf(arena, "nothing was given for %s", v[i].name);
    } else {
      err = nova_buf_puts(&out, v[i].text);
      word += strlen(v[i].name);
    }
  }
  struct nova_view text = nova_buf_view(&out);
  const char *copy =
      err == 0 && *why == NULL
          ? nova_arena_copy(arena, text.n != 0 ? text.p : "", text.n)
          : NULL;
  nova_buf_free(&out);
  return copy;
}

const char **nova_command_env(struct nova_arena *arena,
                              const struct nova_profile *p,
                              enum nova_link_kind over) {
  struct value v[VALUES];
  size_t n = values(arena, p, over, v), k = 0;
  const char **env = NOVA_NEW_ARRAY(arena, const char *, n + 1);
  for (size_t i = 0; env != NULL && i < n; i++)
    if (v[i].text != NULL)
      env[k++] = nova_arena_printf(arena, "%s=%s", v[i].variable, v[i].text);
  return env;
}
