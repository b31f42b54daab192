/* The commands of the program. */
#ifndef NOVA_CLI_COMMANDS_H
#define NOVA_CLI_COMMANDS_H

#include "cli/options.h"
#include "cli/say.h"

struct nova_command {
  const char *name;  /* "server", "mock server" */
  const char *usage; /* what stands behind the name */
  const char *what;  /* one line */
  const char *help;  /* more, or NULL; whole lines */
  uint64_t options;
  int least, most;                          /* arguments; most -1: any number */
  int (*run)(const struct nova_options *o); /* returns the exit status */
};

extern const struct nova_command nova_commands[];
extern const size_t nova_commands_n;

/* Finds and runs the command of a command line. Returns the exit status. */
int nova_main(int argc, char **argv);

int nova_cmd_server(const struct nova_options *o);
int nova_cmd_device(const struct nova_options *o);
int nova_cmd_demo(const struct nova_options *o);
int nova_cmd_mock_server(const struct nova_options *o);
int nova_cmd_mock_device(const struct nova_options *o);
int nova_cmd_mock_ctl(const struct nova_options *o);
int nova_cmd_list(const struct nova_options *o);
int nova_cmd_explain(const struct nova_options *o);
int nova_cmd_check(const struct nova_options *o);
int nova_cmd_init(const struct nova_options *o);
int nova_cmd_judge(const struct nova_options *o);
int nova_cmd_report(const struct nova_options *o);
int nova_cmd_version(const struct nova_options *o);

#endif
