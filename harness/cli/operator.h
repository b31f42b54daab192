/* Whoever operates a device by hand is told what to do, when it is time, and
 * how long there is; calmly: a line only for what is still awaited after a
 * while, everything else in the live line. */
#ifndef NOVA_CLI_OPERATOR_H
#define NOVA_CLI_OPERATOR_H

#include "cli/screen.h"
#include "run/run.h"

#define NOVA_OPERATOR_WAITS 16
/* What lasts no longer is no news. */
#define NOVA_OPERATOR_PATIENCE (2 * NOVA_SEC)
/* A device that has come once comes again by itself, after its back-off. */
#define NOVA_OPERATOR_BACK_OFF (10 * NOVA_SEC)

/* A conversation under way. */
struct nova_operator_wait {
  const struct nova_script *script; /* NULL: free */
  size_t number;                    /* of how many */
  char text[160];
  nova_ts since;
  bool told;
};

struct nova_operator {
  struct nova_operator_wait under_way[NOVA_OPERATOR_WAITS];
  struct nova_live_wait live[NOVA_OPERATOR_WAITS];
  struct nova_run_wait now[NOVA_OPERATOR_WAITS];
  const char *met[NOVA_OPERATOR_WAITS]; /* devices that came once */
  size_t n;                             /* of |live| and |now| */
  size_t begun; /* conversations, those that were judged before among them */
  size_t never; /* those that were given up without being begun */
};

/* News of the run. */
void nova_operator_news(struct nova_operator *op,
                        const struct nova_run_news *n);

/* Where the device has to connect, and how much there is to do; nothing for a
 * device that is spawned, here and below. |total|: conversations. */
void nova_operator_greet(const struct nova_operator *op, struct nova_run *run,
                         struct nova_screen *screen,
                         const struct nova_profile *profile, size_t total);

/* What is waited for at |now|: lines for what is news, and |live| for the live
 * line. */
void nova_operator_look(struct nova_operator *op, const struct nova_run *run,
                        struct nova_screen *screen, size_t total, nova_ts now);

#endif
