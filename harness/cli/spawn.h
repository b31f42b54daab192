/* The subject of `server --spawn`: one process for the run. */
#ifndef NOVA_CLI_SPAWN_H
#define NOVA_CLI_SPAWN_H

#include "cli/session.h"

/* How long it may take until its port accepts. */
#define NOVA_SPAWN_WAIT (30 * NOVA_SEC)

/* What of its output is kept. */
#define NOVA_SPAWN_OUTPUT ((size_t)1 << 20)

struct nova_spawn;

/* Starts setup->spawn, its placeholders replaced, and waits until the address
 * of the subject accepts a connection, the process ends, the time is over or a
 * signal comes; all but the first are said, and the run tells the rest. Without
 * an address a free port of 127.0.0.1 is taken, and the profile has it then.
 * |out|: set also where it was started in vain; NULL otherwise.
 * Returns 0, or an exit status with a line said: it could not be started. */
int nova_spawn_start(struct nova_session *s, struct nova_spawn **out);

/* Ends it (SIGTERM, after 2 s SIGKILL, its whole process group) and writes
 * DIR/subject.log. NULL is ignored. */
void nova_spawn_end(struct nova_spawn *p);

/* Kills it at once. NULL is ignored. */
void nova_spawn_kill(struct nova_spawn *p);

#endif
