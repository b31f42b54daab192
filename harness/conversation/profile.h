/* The profile: what is tested, with which credentials, timers and hooks
 * (docs/profile.md). */
#ifndef NOVA_CONVERSATION_PROFILE_H
#define NOVA_CONVERSATION_PROFILE_H

#include "conversation/script.h"

#define NOVA_DEVICES_MOST 4096

struct nova_address {
  const char *host; /* NULL: not given */
  uint16_t port;
};

struct nova_login {
  const char *id;
  const char *key;
};

struct nova_actuator {
  const char *name;
  struct nova_pattern *values; /* one or more literals */
  struct nova_actuator *next;
};

struct nova_profile {
  struct nova_arena *arena; /* holds every string */
  enum nova_role subject;
  bool subject_given;
  const char *name;
  struct nova_address tcp, mqtt, mqtts;
  struct {
    const char *ca_file, *server_name, *cert_file, *key_file;
  } tls;
  struct nova_login *device;
  size_t devices;
  struct nova_login platform; /* id NULL: not given */
  unsigned max_connections;   /* 0: not given */
  struct nova_timers timers;
  bool transports_given;
  bool transport[3]; /* tcp, mqtt, mqtts */
  const char **value_keys;
  size_t value_keys_n; /* with value_keys NULL: not declared */
  struct nova_actuator *actuators;
  bool client_certificates;
  const char *hook[NOVA_HOOKS]; /* the command line, NULL: not given */
  const char *expect;
  const char *folder; /* relative paths start here */
};

/* Where ${NAME} and key_file come from: the program's environment and files,
 * which this folder does not touch. */
struct nova_profile_source {
  /* The variable's value, or NULL where it is not set. */
  const char *(*env)(void *user, const char *name);
  /* The file's text without its last line feed, NUL-terminated, in |arena|;
   * NULL with a reason in |why| (static or valid until the next call). */
  const char *(*file)(void *user, struct nova_arena *arena, const char *path,
                      const char **why);
  void *user;
};

/* The defaults: all timers of the guide, nothing else. */
void nova_profile_init(struct nova_profile *p, struct nova_arena *arena);

/* What the vendor declares, as a set of needs (NOVA_NEED_ACTUATORS, ...). */
uint32_t nova_profile_declared(const struct nova_profile *p);

/* Reads a profile over |p|. Every string lives in p->arena.
 * |file|, |text|, |n|: its name (for messages and p->folder) and text.
 * Returns 0, or NOVA_ERR_ARGUMENT with every error in |diag|. */
int nova_profile_read(struct nova_profile *p, const char *file,
                      const char *text, size_t n,
                      const struct nova_profile_source *source,
                      struct nova_diag *diag);

/* "HOST:PORT", "[::1]:9000", ":9000" (all addresses). |lowest|: the smallest
 * port allowed, 0 where any free one may be asked for.
 * Returns 0, or NOVA_ERR_ARGUMENT with static text in |why|. */
int nova_address_read(struct nova_arena *arena, struct nova_view text,
                      unsigned lowest, struct nova_address *out,
                      const char **why);

/* "ID:KEY"; the id ends at the first colon. Adds a device.
 * Returns 0, or NOVA_ERR_ARGUMENT (no colon, empty, given twice, too many). */
int nova_profile_add_device(struct nova_profile *p, struct nova_view id,
                            struct nova_view key, const char **why);

#endif
