#include "cli/commands.h"
#include "cli/session.h"
#include "cli/spawn.h"

/* A spawned subject dies with us, whatever we die of by a signal. */
static struct nova_spawn *spawned;

static void kill_subject(struct nova_session *s) {
  (void)s;
  nova_spawn_kill(spawned);
}

static int run(struct nova_setup *u) {
  struct nova_session s;
  int status = nova_session_open(&s, u, "server");
  s.on_signal = kill_subject;
  if (status == 0 && u->spawn != NULL)
    status = nova_spawn_start(&s, &spawned);
  if (status == 0)
    status = nova_session_play(&s);
  nova_spawn_end(spawned);
  spawned = NULL;
  nova_session_free(&s);
  return status;
}

int nova_cmd_server(const struct nova_options *o) {
  struct nova_setup u;
  int status = nova_setup_read(&u, o, NOVA_ROLE_SERVER);
  const struct nova_profile *p = &u.profile;
  if (status == 0 && p->tcp.host == NULL && p->mqtt.host == NULL &&
      p->mqtts.host == NULL && u.spawn == NULL)
    status = nova_wrong("no address: give --tcp, --mqtt or --mqtts HOST:PORT, "
                        "or the like in the profile");
  if (status == 0 && ((p->tcp.host != NULL && p->tcp.port == 0) ||
                      (p->mqtt.host != NULL && p->mqtt.port == 0) ||
                      (p->mqtts.host != NULL && p->mqtts.port == 0)))
    status = nova_wrong("the server's port is a number from 1 to 65535");
  if (status == 0)
    status = run(&u);
  nova_setup_free(&u);
  return status;
}
