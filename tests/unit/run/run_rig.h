/* A run against devices that are moved by hand, on the simulated network. */
#ifndef TESTS_UNIT_RUN_RUN_RIG_H
#define TESTS_UNIT_RUN_RUN_RIG_H

#include "conversation/catalog.h"
#include "net/sim.h"
#include "run/run.h"
#include "verdict/results.h"

#include <criterion/criterion.h>

#define RIG_PORT 9000
#define RIG_JOBS 64

/* What a process was started with. */
struct rig_job {
  char id[64], key[128];
  uint16_t port;
  struct nova_transport *party;
  uint64_t job;
};

extern struct nova_sim *rig_sim;
extern struct nova_transport *rig_harness, *rig_device;
extern struct nova_catalog rig_catalog;
extern struct nova_profile rig_profile;
extern struct nova_run_options rig_options;
extern struct nova_run *rig_run;
extern struct rig_job rig_job[RIG_JOBS];
extern size_t rig_jobs;
extern unsigned rig_times[8]; /* by enum nova_run_news_kind */
extern void (*rig_on_job)(const struct rig_job *job);

void rig_setup(void);
void rig_teardown(void);

/* Loads a file; requirements of devices are there. */
void rig_load(const char *path, const char *text);
/* A conversation: the device is let in and pings. */
void rig_conversation(const char *id, const char *device);
void rig_profile_read(const char *text);
void rig_credential(const char *id, const char *key);

/* With |spawn| a process for each conversation. False: |why| it cannot start.
 */
bool rig_start(bool spawn, const char **why);
/* Lets the time pass: |span| of it, or until the run is over, a day at most. */
void rig_pass(nova_ts span);
void rig_to_the_end(void);

/* The hand-moved device: connection |n| (below 4000) connects and says |text|.
 */
void rig_connect(unsigned n, uint16_t port, const char *text);
void rig_say(unsigned n, const char *text);
void rig_close(unsigned n, bool rst);
/* What became of it: '-' nothing yet, 'C' connected, 'X' refused, 'F' ended by
 * FIN, 'R' reset. */
char rig_state(unsigned n);
/* Whether the harness let it in. */
bool rig_let_in(unsigned n);

const struct nova_conversation_result *rig_result(const char *id);

#endif
