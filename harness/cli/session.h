/* One run from its first line to its reports: the loop, the run, the terminal,
 * signals, and what is written. */
#ifndef NOVA_CLI_SESSION_H
#define NOVA_CLI_SESSION_H

#include "cli/operator.h"
#include "cli/outdir.h"
#include "cli/resume.h"
#include "cli/screen.h"
#include "cli/security.h"
#include "cli/setup.h"
#include "net/loop.h"
#include "run/run.h"

struct nova_session {
  struct nova_setup *setup;
  struct nova_loop *loop;
  struct nova_transport *clock; /* redraws the live line */
  struct nova_run *run;
  struct nova_security security;
  struct nova_transport *library; /* NULL: no MQTT of a server under test */
  struct nova_outdir out;
  struct nova_screen screen;
  struct nova_mask mask;
  size_t planned, ended, kept;
  bool resumed, resume_told, looping, printed_told;
  struct nova_resume resume;
  uint64_t started_unix_ns; /* of the run's first part */
  struct nova_operator by_hand;
  const char *const *hook[NOVA_HOOKS]; /* words; the setup's unless changed */
  int signal;                          /* the first that came, 0 for none */
  int write_error; /* errno of the first file that could not be written */
  char write_what[512];
  /* Called with the first signal while no run is under way; NULL: none. */
  void (*on_signal)(struct nova_session *s);
};

/* Makes the reports' folder, then the loop, and takes SIGINT and SIGTERM.
 * |name|: what the folder is called by default. |setup|: outlives the session.
 * Returns 0 or an exit status, with a line said; nova_session_free() it in
 * either case. */
int nova_session_open(struct nova_session *s, struct nova_setup *setup,
                      const char *name);

/* Plays the conversations, writes everything and prints the summary.
 * Returns the exit status of the program. */
int nova_session_play(struct nova_session *s);

/* For on_signal: kills at once what the run has started (processes of devices,
 * hooks), which is to die with us whatever we die of by a signal. */
void nova_session_kill(struct nova_session *s);

/* Ends and frees everything but the setup. */
void nova_session_free(struct nova_session *s);

#endif
