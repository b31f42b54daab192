/* A player of MQTT, of either side and with TLS where it is asked for, fed by
 * hand: packets are written as the JSON objects of scripts, and what the
 * harness said is read as such. */
#ifndef TESTS_UNIT_CONVERSATION_MQTT_RIG_H
#define TESTS_UNIT_CONVERSATION_MQTT_RIG_H

#include "conversation/catalog.h"
#include "conversation/player.h"

#include <criterion/criterion.h>

/* A CONNECT of DEV-000001 with that keep-alive. */
#define WITH_KEEP_ALIVE(s)                                                     \
  "{\"packet\":\"CONNECT\",\"client_id\":\"c\",\"username\":\"DEV-000001\","   \
  "\"password\":\"k1\",\"keep_alive\":" s "}"
#define CONNECT WITH_KEEP_ALIVE("60")
#define SUBSCRIBE                                                              \
  "{\"packet\":\"SUBSCRIBE\",\"packet_id\":1,\"filters\":[{\"filter\":"        \
  "\"novacloud/devices/DEV-000001/command\",\"qos\":1}]}"
#define DATA(payload)                                                          \
  "{\"packet\":\"PUBLISH\",\"topic\":\"novacloud/devices/DEV-000001/"          \
  "data\"," payload "}"
#define STATUS(payload)                                                        \
  "{\"packet\":\"PUBLISH\",\"topic\":\"novacloud/devices/DEV-000001/"          \
  "status\"," payload "}"
#define PINGREQ "{\"packet\":\"PINGREQ\"}"

extern struct nova_profile mq_profile;
extern struct nova_player *mq_player;
extern bool mq_holds; /* what is sent is not out until mq_out() */
extern bool mq_tls;   /* a script of mqtt is played over TLS */

void mq_setup(void);
void mq_teardown(void);
#define MQTT_TEST(suite, name)                                                 \
  Test(suite, name, .init = mq_setup, .fini = mq_teardown)

/* Requirements are D-0 to D-4 of the device and S-0 to S-4 of the server. */
void mq_rules(const char *list);
/* |head|: transport: and what stands beside it. */
void mq_begin(enum nova_role harness, const char *head, const char *steps);

/* What the subject does at |t| on connection |n|. Returns the bytes' number. */
void mq_connects(nova_ts t, unsigned n); /* a harness that is the server */
void mq_is_in(nova_ts t, unsigned n);    /* ... that is the device: CONNECTED */
void mq_says(nova_ts t, unsigned n, const char *json);
/* As one segment; NULL ends the list. */
void mq_says_all(nova_ts t, unsigned n, const char *const *json);
/* Its bytes from |from| on, |size| of them. */
void mq_says_part(nova_ts t, unsigned n, const char *json, size_t from,
                  size_t size);
void mq_says_bytes(nova_ts t, unsigned n, const char *p, size_t size);
void mq_closes(nova_ts t, unsigned n);
void mq_shakes(nova_ts t, unsigned n, bool good, const char *told);
void mq_out(nova_ts t);

void mq_until(nova_ts t);
void mq_end(void);
nova_ts mq_now(void);

const char *mq_verdict(const char *id);
const struct nova_check *mq_check(const char *id, enum nova_verdict v);
bool mq_reason(const char *text);
/* How often |word| is in what was sent on |n|, each packet as JSON. */
size_t mq_sent(unsigned n, const char *word);
const char *mq_said(unsigned n);
/* '-', 'F' or 'R'; how often TLS was begun. */
char mq_ended(unsigned n);
unsigned mq_handshakes(unsigned n);

#define IS(id, what)                                                           \
  cr_expect_str_eq(mq_verdict(id), what, "%s is %s, not %s", id,               \
                   mq_verdict(id), what)

#endif
