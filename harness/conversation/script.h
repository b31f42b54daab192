/* A conversation as plain data: who says what, in the order of the guide. The
 * notation is specs/README.md; the loader (load.h) makes this tree from it, and
 * the player plays it from either side. */
#ifndef NOVA_CONVERSATION_SCRIPT_H
#define NOVA_CONVERSATION_SCRIPT_H

#include "base/tls.h"
#include "codec/mqtt.h"
#include "codec/payload.h"
#include "conversation/pattern.h"
#include "conversation/span.h"

enum nova_role { NOVA_ROLE_DEVICE, NOVA_ROLE_SERVER };

/* Who acts in a step. */
enum nova_actor {
  NOVA_ACTOR_DEVICE,
  NOVA_ACTOR_SERVER,
  NOVA_ACTOR_PLATFORM, /* the operator's side of the server: a hook, or an MQTT
                          client with the platform's credentials, which the
                          harness is */
  NOVA_ACTOR_NOBODY,   /* wait, any_of */
};

/* What a step is. The first group is done by the actor: where that is the
 * harness it is done, where it is the subject it is awaited. */
enum nova_verb {
  NOVA_VERB_CONNECT,
  NOVA_VERB_SEND,  /* messages or raw bytes */
  NOVA_VERB_CLOSE, /* |how| for an awaited one */
  /* the harness's side only */
  NOVA_VERB_HALF_CLOSE,
  NOVA_VERB_RESET,
  NOVA_VERB_REPEAT, /* starts sending the messages or bytes again and again,
                       while the conversation goes on */
  NOVA_VERB_STOP,   /* ends the repeating */
  /* the subject's side only */
  NOVA_VERB_SILENT, /* sends nothing (that matches) for a time; closing is fine
                     */
  NOVA_VERB_OPEN,   /* does not close for a time, whatever it sends */
  NOVA_VERB_ATTEMPTS, /* opens at most so many connections in a time */
  /* of the TLS handshake of a connection; awaited whichever side the harness
   * plays */
  NOVA_VERB_SECURE,   /* it ends well */
  NOVA_VERB_INSECURE, /* it does not */
  /* the server's, where the harness is it */
  NOVA_VERB_REFUSE,  /* ends every new connection from now on */
  NOVA_VERB_PRESENT, /* a certificate, to every new connection from now on */
  /* neither */
  NOVA_VERB_HOOK,
  NOVA_VERB_WAIT,
  NOVA_VERB_ANY_OF,
  NOVA_VERB_EACH, /* the steps of its one branch once for each of something */
};

/* What EACH goes through. */
enum nova_each {
  NOVA_EACH_ACTUATOR, /* of the profile */
  NOVA_EACH_VALUE,    /* the actuator's example values but the last */
};

/* What the hooks of a profile are called there. */
enum nova_hook {
  NOVA_HOOK_SEND_COMMAND,
  NOVA_HOOK_RESET_KEY,
  NOVA_HOOK_DEACTIVATE,
  NOVA_HOOK_ACTIVATE,
  NOVA_HOOK_READ_DATA,
  NOVA_HOOKS
};

extern const char *const nova_hook_names[NOVA_HOOKS];

/* What a conversation or a step needs, as bits of a set: 1 << enum nova_hook,
 * and what a vendor declares. */
#define NOVA_NEED_ACTUATORS           (1u << 16)
#define NOVA_NEED_VALUE_KEYS          (1u << 17)
#define NOVA_NEED_PLATFORM            (1u << 18) /* its username and password */
#define NOVA_NEED_CLIENT_CERTIFICATES (1u << 19)

/* "hook:send_command", "declares:actuators": the lowest need of a set that is
 * not empty. */
const char *nova_need_name(uint32_t needs);

enum nova_link_kind { NOVA_OVER_TCP, NOVA_OVER_MQTT, NOVA_OVER_MQTTS };

extern const char *const nova_link_names[3]; /* "tcp", "mqtt", "mqtts" */

/* What a connection's TLS is to be like. */
struct nova_tls_wish {
  enum nova_tls_version lowest, highest; /* ANY: as usual */
  enum nova_certificate certificate;     /* of a harness that is the server */
  bool asks;   /* ... which asks for a certificate of the device's */
  bool no_own; /* a harness that is the device presents none */
  bool anyone; /* ... and takes the server's whatever it is */
};

enum nova_how { NOVA_HOW_ANY, NOVA_HOW_FIN, NOVA_HOW_RST };

/* One piece of raw bytes, |times| times. */
struct nova_raw {
  struct nova_view bytes;
  struct nova_pattern *json; /* not NULL: a value, in place of |bytes| */
  uint32_t times;
  struct nova_raw *next;
};

enum nova_pad {
  NOVA_PAD_NONE,
  NOVA_PAD_BEFORE,
  NOVA_PAD_INSIDE,
  NOVA_PAD_AFTER
};

enum nova_cut {
  NOVA_CUT_NONE,      /* one write */
  NOVA_CUT_BYTES,     /* a write for each byte */
  NOVA_CUT_CHARACTER, /* inside the first character of several bytes */
  NOVA_CUT_AT,        /* at the offsets that are given */
};

/* What a message is, by the members that name it (wanted.h). */
struct nova_wanted {
  enum nova_msg_kind kind;     /* over TCP; UNKNOWN: none is named */
  enum nova_mqtt_type packet;  /* over MQTT; NONE likewise */
  enum nova_payload_kind says; /* of a PUBLISH; UNKNOWN likewise */
};

/* A list of requirement ids. */
struct nova_ids {
  const char **id;
  size_t n;
};

struct nova_step {
  unsigned line, column;
  unsigned number; /* from 1, in the order of the file, branches included */
  enum nova_actor actor;
  enum nova_verb verb;
  const char *on; /* the connection's name; "main" unless given */
  size_t slot;    /* its index in the script's connections */
  const char *as; /* name under which what happened is kept; NULL for none */

  /* what is sent or awaited */
  struct nova_pattern
      *messages;             /* several: joined in one write; awaited: one */
  struct nova_wanted wanted; /* of the first message */
  struct nova_raw *raw;
  const struct nova_pattern *pad_to; /* bytes in all, the line feed included */
  enum nova_pad pad;
  enum nova_cut cut;
  uint32_t cut_at[8];
  size_t cuts;
  struct nova_span *pause; /* between segments */
  enum nova_how how;
  enum nova_hook hook;
  const char *device;           /* HOOK: "device" or "other" */
  struct nova_pattern *command; /* HOOK send_command */
  struct nova_pattern *params;
  struct nova_pattern *output; /* HOOK: what it has to print, as JSON */

  /* when */
  struct nova_span *within;     /* awaited: by then */
  struct nova_span *not_before; /* awaited: not earlier */
  struct nova_span *duration;   /* SILENT, OPEN, WAIT, REPEAT: `for` */
  struct nova_span *every;      /* REPEAT */
  struct nova_span *not_after;  /* SEND: done by then, or it proves nothing */
  const char *from;             /* the step whose time counts; NULL: the one
                                   before on this connection */
  uint32_t at_most;             /* ATTEMPTS; SILENT everywhere: over when so
                                   many connections were tried and one more */
  bool everywhere;              /* SILENT: on every connection of the device */
  struct nova_tls_wish tls;     /* CONNECT, PRESENT */
  struct nova_pattern *given;   /* a reference: without a value the step is left
                                   out */
  bool after_auth;              /* REFUSE: when a line has come */
  enum nova_each each;          /* EACH */

  /* what it proves */
  struct nova_ids verifies;  /* charged when it does not happen as written */
  struct nova_ids early;     /* charged when it comes before |not_before| */
  struct nova_ids relies_on; /* a precondition: nothing is charged, the rest of
                                the conversation is inconclusive */
  struct nova_ids presupposes; /* where one of these failed in the run, a
                                  failure here is inconclusive */
  struct nova_ids observes;    /* noted, never a failure */
  struct nova_ids missing;     /* SEND: charged in place of |verifies| where no
                                  message of the kind came at all */
  struct nova_ids awaits; /* where it does not come, these are not tested, and
                             nothing fails */
  bool probe;  /* asks whether the subject survived what came before: if not, no
                  earlier check of the conversation counts as passed */
  bool hazard; /* sends what may crash a careless subject */
  uint32_t needs;  /* a set of needs: skipped where one is not given */
  uint32_t unless; /* likewise: skipped where one is given */

  /* ANY_OF, EACH */
  struct nova_branch *branches;

  struct nova_step *next;
};

struct nova_branch {
  struct nova_step *steps; /* the first one is awaited and decides */
  struct nova_branch *next;
};

/* Text in both languages; |zh| may be NULL. */
struct nova_text {
  const char *en, *zh;
};

#define NOVA_CONNECTIONS 4

struct nova_script {
  const char *id;   /* "tcp-auth-wrong-key.prefix": with its case */
  const char *base; /* "tcp-auth-wrong-key" */
  const char *file;
  unsigned line;
  struct nova_text title, why, mend;
  const char *transport;    /* "tcp", "mqtt", "mqtts" */
  enum nova_link_kind over; /* the same */
  bool harness[2];          /* by enum nova_role: may the harness play it */
  unsigned devices;         /* credentials that it uses: 0, 1 or 2 */
  bool other_preferred;     /* `$other` may be the same device where there is
                               one credential only */
  unsigned connections;     /* open at once at most */
  const char *connection[NOVA_CONNECTIONS];
  bool platform[NOVA_CONNECTIONS]; /* it is the platform's */
  unsigned platforms;              /* how many of them are */
  unsigned withholds; /* packets that the harness sends only where a step says
                         so: bits 1 << enum nova_mqtt_type */
  bool library;       /* its devices are clients of libmosquitto, where there is
                         a network for it */
  uint32_t needs;     /* as in nova_step */
  bool no_pongs; /* a harness that is the server answers no ping by itself */
  bool last;     /* changes the platform for good: after all else */
  bool hazard;   /* one of its steps is */
  struct nova_step *steps;
  size_t step_count;
  struct nova_ids verifies; /* all that its steps can charge */
  const char *source;       /* its text, for `explain` */
  struct nova_script *next;
};

/* --- rules: judged on every message of a side in every conversation ----------
 */

enum nova_rule_every {
  NOVA_RULE_LINE,       /* framing and JSON of each line, or its length */
  NOVA_RULE_MESSAGE,    /* a message of |type| against |message| */
  NOVA_RULE_STREAM,     /* what is left when the stream ends */
  NOVA_RULE_CONNECTION, /* the first message of a connection, or when it came */
  NOVA_RULE_ANSWER,     /* the command_id of a command_response */
  NOVA_RULE_PACKET,     /* an MQTT packet against the standard */
  NOVA_RULE_KEEP_ALIVE, /* the time between two packets of a client */
};

enum nova_rule_which {
  NOVA_WHICH_ANY,
  NOVA_WHICH_FIRST, /* the subject's first connection */
  NOVA_WHICH_AGAIN, /* every later one */
};

struct nova_rule {
  const char *id;
  const char *file;
  unsigned line, column;
  struct nova_text title, why, mend; /* the latter two may be NULL */
  enum nova_role of;                 /* whose messages */
  enum nova_rule_every every;
  bool mqtt;                    /* MESSAGE: of MQTT, of these: */
  enum nova_mqtt_type packet;   /* NONE: */
  enum nova_payload_kind says;  /* a PUBLISH by what it says */
  struct nova_pattern *when;    /* MESSAGE of MQTT: judged only where the packet
                                   is like this */
  const char *type;             /* MESSAGE, CONNECTION, ANSWER */
  struct nova_pattern *message; /* MESSAGE: object of fields */
  size_t longest;               /* LINE: bytes before the line feed, 0: any */
  enum nova_rule_which which;   /* CONNECTION */
  struct nova_span *within;     /* CONNECTION: how late the message may come */
  uint32_t needs;               /* judged only where these are given */
  bool or_not_applicable; /* what does not fit is not applicable, no failure */
  const char *verifies;
  struct nova_rule *next;
};

/* --- requirements
 * -------------------------------------------------------------- */

enum nova_level { NOVA_LEVEL_MUST, NOVA_LEVEL_SHOULD, NOVA_LEVEL_MAY };

struct nova_requirement {
  const char *id, *section, *basis, *judge;
  struct nova_text text;
  enum nova_role binds;
  enum nova_level level;
  const char *needs[4];
  size_t needs_n;
  unsigned line;
  const char *file;
  struct nova_requirement *next;
};

extern const char *const nova_level_names[3];
extern const char *const nova_role_names[2];

#endif
