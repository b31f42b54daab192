/* The command that starts a peer under test: its placeholders ({host},
 * {tcp_port}, {device_id}, ...) and the environment that says the same. */
#ifndef NOVA_RUN_COMMAND_H
#define NOVA_RUN_COMMAND_H

#include "conversation/profile.h"

/* Replaces the placeholders of one word. |over|: what {transport} and {port}
 * say. Returns a copy in |arena|; NULL
 * without memory, or with |why|: a placeholder that has no value. */
const char *nova_command_word(struct nova_arena *arena,
                              const struct nova_profile *p,
                              enum nova_link_kind over, const char *word,
                              const char **why);

/* NOVA_HOST, NOVA_TCP_PORT and so on as "NAME=value", NULL-terminated, in
 * |arena|; what was not given is left out. NULL without memory. */
const char **nova_command_env(struct nova_arena *arena,
                              const struct nova_profile *p,
                              enum nova_link_kind over);

#endif
