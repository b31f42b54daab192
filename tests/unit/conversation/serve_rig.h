/* A player that is the server, fed by hand: what the device does and when, what
 * the harness said, and what it charged. */
#ifndef TESTS_UNIT_CONVERSATION_SERVE_RIG_H
#define TESTS_UNIT_CONVERSATION_SERVE_RIG_H

#include "conversation/catalog.h"
#include "conversation/player.h"

#include <criterion/criterion.h>

#define AUTH                                                                   \
  "{\"type\":\"auth\",\"device_id\":\"DEV-000001\",\"device_key\":\"k1\"}\n"
#define PING                                                                   \
  "{\"type\":\"ping\",\"device_id\":\"DEV-000001\",\"timestamp\":1800000000}"  \
  "\n"
#define ANSWER(id)                                                             \
  "{\"type\":\"command_response\",\"command_id\":" id                          \
  ",\"device_id\":\"DEV-000001\",\"timestamp\":1800000000,"                    \
  "\"result\":\"success\",\"data\":{}}\n"

/* Steps: the device is let in on main. */
#define LET_IN                                                                 \
  "- {device: connect, as: opened}\n"                                          \
  "- device: send\n"                                                           \
  "  message: {type: auth}\n"                                                  \
  "  relies_on: PREPARED\n"                                                    \
  "- server: send\n"                                                           \
  "  as: accepted\n"                                                           \
  "  message: {type: auth_result, result: success, message: ok, timestamp: "   \
  "$unix_time}\n"
#define COMMAND(name, id)                                                      \
  "- server: send\n"                                                           \
  "  as: " name "\n"                                                           \
  "  message: {type: command, command_id: " id                                 \
  ", device_id: $device.id, timestamp: $unix_time, command: x, params: {}}\n"
#define AWAIT_ANSWER(name, id)                                                 \
  "- device: send\n"                                                           \
  "  message: {type: command_response, command_id: $" name ".command_id}\n"    \
  "  verifies: " id "\n"

extern struct nova_catalog rig_catalog;
extern struct nova_profile rig_profile;
extern struct nova_player *rig_player;
extern nova_ts rig_error;    /* the run's timing error */
extern nova_ts rig_patience; /* for the first connection */
extern bool rig_again;       /* the device had connected before */
extern bool rig_holds; /* what is sent is not out until rig_out() says so */

/* For Test(..., .init = rig_setup, .fini = rig_teardown). */
void rig_setup(void);
void rig_teardown(void);

/* Plays |steps| (YAML), |head| beside them at the top of the conversation. */
void rig_begin_with(const char *head, const char *steps);
void rig_begin(const char *steps);

/* What the device does at |t| on connection |n|. */
void rig_connects(nova_ts t, unsigned n);
void rig_says(nova_ts t, unsigned n, const char *text);
void rig_says_bytes(nova_ts t, unsigned n, const char *p, size_t size);
void rig_closes(nova_ts t, unsigned n);
void rig_resets(nova_ts t, unsigned n);
void rig_exits(nova_ts t, int code);
/* The sends that were held are out. */
void rig_out(nova_ts t);

/* Lets the time pass up to |t|, or to the end, which has to come. */
void rig_until(nova_ts t);
void rig_end(void);

/* The worst verdict of a requirement; "-" where there is none. */
const char *rig_verdict(const char *id);
/* The first check of a requirement that has this verdict, or NULL. */
const struct nova_check *rig_check(const char *id, enum nova_verdict v);
/* Whether the conversation's own reason has |text|. */
bool rig_reason(const char *text);
/* All that was sent on connection |n|, and how often |word| is in it. */
const char *rig_sent(unsigned n);
size_t rig_sent_count(unsigned n, const char *word);
/* How the harness ended connection |n|: '-', 'F' or 'R'. */
char rig_ended(unsigned n);

#define VERDICT(id, what) cr_expect_str_eq(rig_verdict(id), what, id)

#define SERVE_TEST(suite, name)                                                \
  Test(suite, name, .init = rig_setup, .fini = rig_teardown)

#endif
