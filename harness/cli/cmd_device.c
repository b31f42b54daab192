#include "cli/commands.h"
#include "cli/session.h"
#include "run/command.h"

#include <stdlib.h>
#include <unistd.h>

/* Whether the program exists, in the path where it has no slash: to be told
 * before anything is started, not once for each conversation. */
static bool startable(const char *program) {
  if (strchr(program, '/') != NULL)
    return access(program, X_OK) == 0;
  const char *path = getenv("PATH");
  path = path != NULL ? path : "/usr/bin:/bin";
  while (*path != '\0') {
    size_t n = strcspn(path, ":");
    char full[NOVA_PATH_MOST];
    int len = snprintf(full, sizeof full, "%.*s/%s", n != 0 ? (int)n : 1,
                       n != 0 ? path : ".", program);
    if (len > 0 && (size_t)len < sizeof full && access(full, X_OK) == 0)
      return true;
    path += n;
    path += *path == ':';
  }
  return false;
}

/* Whether every placeholder has a value: each process gets a port and a
 * credential, but no more. */
static int placeholders(struct nova_setup *u) {
  struct nova_login someone = {"DEV-000000", "key"};
  struct nova_profile p = u->profile;
  p.device = &someone;
  p.devices = 1;
  if (p.mqtts.host != NULL)
    p.tls.ca_file = p.tls.cert_file = p.tls.key_file = "file";
  enum nova_link_kind over = p.tcp.host != NULL    ? NOVA_OVER_TCP
                             : p.mqtt.host != NULL ? NOVA_OVER_MQTT
                                                   : NOVA_OVER_MQTTS;
  for (char **word = u->spawn; word != NULL && *word != NULL; word++) {
    const char *why = NULL;
    if (nova_command_word(&u->arena, &p, over, *word, &why) == NULL)
      return why != NULL ? nova_wrong("--spawn: %s", why)
                         : nova_broken("out of memory");
  }
  return 0;
}

/* Whether the command has a placeholder. */
static bool asks_for(const struct nova_setup *u, const char *placeholder) {
  for (char **word = u->spawn; word != NULL && *word != NULL; word++)
    if (strstr(*word, placeholder) != NULL)
      return true;
  return false;
}

/* Without an address a spawned device gets what its command asks for. */
static void choose_addresses(struct nova_setup *u) {
  struct nova_profile *p = &u->profile;
  const struct nova_address any = {"127.0.0.1", 0};
  if (asks_for(u, "{mqtt_port}"))
    p->mqtt = any;
  if (asks_for(u, "{mqtts_port}"))
    p->mqtts = any;
  if (asks_for(u, "{tcp_port}") ||
      (p->mqtt.host == NULL && p->mqtts.host == NULL))
    p->tcp = any;
}

static int check(struct nova_setup *u) {
  struct nova_profile *p = &u->profile;
  if (u->spawn != NULL && u->spawn[0] != NULL && !startable(u->spawn[0]))
    return nova_wrong("--spawn: %s: no such program", u->spawn[0]);
  if (p->tcp.host == NULL && u->spawn != NULL && p->mqtt.host == NULL &&
      p->mqtts.host == NULL)
    choose_addresses(u);
  if (p->tcp.host == NULL && p->mqtt.host == NULL && p->mqtts.host == NULL)
    return nova_wrong("no address to listen on: give --tcp, --mqtt or --mqtts "
                      "HOST:PORT, or the like in the profile");
  if (u->spawn == NULL && p->devices == 0)
    return nova_wrong("which device will connect? give --device ID:KEY, or "
                      "--spawn COMMAND to have devices started");
  return placeholders(u);
}

static int run(struct nova_setup *u) {
  struct nova_session s;
  int status = nova_session_open(&s, u, "device");
  s.on_signal = nova_session_kill;
  if (status == 0)
    status = nova_session_play(&s);
  nova_session_free(&s);
  return status;
}

int nova_cmd_device(const struct nova_options *o) {
  struct nova_setup u;
  int status = nova_setup_read(&u, o, NOVA_ROLE_DEVICE);
  if (status == 0)
    status = check(&u);
  if (status == 0)
    status = run(&u);
  nova_setup_free(&u);
  return status;
}
