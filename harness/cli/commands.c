#include "cli/commands.h"

#include "base/error.h"
#include "cli/near.h"
#include "conversation/span.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIT(ID)  NOVA_OPT_BIT(ID)
#define TERMINAL (BIT(QUIET) | BIT(VERBOSE) | BIT(COLOR) | BIT(LANG))
#define RUN                                                                    \
  (BIT(PROFILE) | BIT(TCP) | BIT(MQTT) | BIT(MQTTS) | BIT(DEVICE) |            \
   BIT(TIMER) | BIT(SPAWN) | BIT(ONLY) | BIT(SKIP) | BIT(JOBS) | BIT(OUT) |    \
   BIT(SEED) | BIT(EXPECT) | BIT(ALLOW_INCOMPLETE) | BIT(SPECS) | TERMINAL)

static const char server_help[] =
    "Every transport with an address is tested: --tcp, --mqtt, --mqtts. What "
    "the\n"
    "profile has besides: tls: for --mqtts, platform: for what the platform "
    "sees over\n"
    "MQTT, hooks: for what makes the platform act.\n\n"
    "Exit status: 0 conformant; 1 a must failed; 2 the command line, profile "
    "or a\n"
    "specs file is wrong, nothing was sent; 3 no must failed, but one could "
    "not be\n"
    "judged; 4 novaprobe itself failed; 130, 143 interrupted.\n";

static const char device_help[] =
    "Every transport with an address is tested: --tcp, --mqtt, --mqtts. With "
    "--spawn\n"
    "each conversation starts a device of its own, with a port and a "
    "credential.\n"
    "Without it the device is operated by hand: novaprobe listens on these "
    "addresses\n"
    "and says what it waits for; power-cycle the device then. Each --device is "
    "a\n"
    "device that connects; how long it may take is the timer "
    "operator_timeout.\n\n"
    "Exit status: 0 conformant: every applicable must was judged and passed; 1 "
    "a must\n"
    "failed; 2 the command line, profile or a specs file is wrong; 3 no must "
    "failed,\n"
    "but one could not be judged; 4 novaprobe itself failed; 130, 143 "
    "interrupted.\n";

const struct nova_command nova_commands[] = {
    {"server", "[options]", "test a server: the harness plays the devices",
     server_help, RUN | BIT(RESUME), 0, 0, nova_cmd_server},
    {"device", "[options]", "test a device: the harness plays the server",
     device_help, RUN | BIT(RESUME), 0, 0, nova_cmd_device},
    {"demo", "[options]",
     "test the built-in reference server and device, on loopback",
     "One suite after the other, each over TCP, MQTT and MQTT over TLS. The "
     "reports\n"
     "of the server are in the run's folder, those of the device in device/ "
     "below it.\n"
     "The timers are scaled (auth_timeout 1s, heartbeat 1s, idle_timeout 3s,\n"
     "status_interval 2s), so that it takes less than a minute; --real-time "
     "takes the\n"
     "guide's. --fault breaks the peer that it belongs to in a named way, to "
     "see a\n"
     "report of failures.\n",
     BIT(ONLY) | BIT(SKIP) | BIT(JOBS) | BIT(OUT) | BIT(SEED) | BIT(EXPECT) |
         BIT(ALLOW_INCOMPLETE) | BIT(SPECS) | BIT(FAULT) | BIT(REAL_TIME) |
         BIT(TIMER) | TERMINAL,
     0, 0, nova_cmd_demo},
    {"mock server", "--tcp|--mqtt|--mqtts HOST:PORT --device ID:KEY [options]",
     "run the reference server for development; no verdicts",
     "Serves until SIGINT or SIGTERM. Prints \"listening on HOST:PORT, mqtt "
     "HOST:PORT,\n"
     "mqtts HOST:PORT (control HOST:PORT)\" when it is ready, as far as they "
     "were\n"
     "asked for. --mqtts makes its certificates anew and needs --ca-file. A "
     "fault that\n"
     "crashes it ends it with status 70.\n",
     BIT(PROFILE) | BIT(TCP) | BIT(MQTT) | BIT(MQTTS) | BIT(DEVICE) |
         BIT(PLATFORM) | BIT(CA_FILE) | BIT(TIMER) | BIT(FAULT) | BIT(CONTROL) |
         BIT(SEED),
     0, 0, nova_cmd_mock_server},
    {"mock ctl", "--control HOST:PORT command|reset|deactivate|activate|data",
     "what an operator does on the reference server; made for hooks",
     "The parameters come from options or from the environment of a hook. "
     "reset\n"
     "prints the new key, data the last values as a JSON object.\n",
     BIT(CONTROL) | BIT(DEVICE_ID) | BIT(COMMAND) | BIT(PARAMS) |
         BIT(TRANSPORT),
     1, 1, nova_cmd_mock_ctl},
    {"mock device", "--tcp|--mqtt|--mqtts HOST:PORT --device ID:KEY [options]",
     "run the reference device for development; no verdicts",
     "Connects, and connects again, until SIGINT or SIGTERM. Prints a line for "
     "each\n"
     "connection, unless -q. It speaks to one address. Over TLS the server is "
     "verified\n"
     "against --ca-file, or else the CAs of the system, and by its name; "
     "--cert-file and\n"
     "--key-file are shown to one that asks. The keep-alive is the timer "
     "heartbeat, in\n"
     "whole seconds. A fault that ends the device ends it with the fault's "
     "status.\n",
     BIT(PROFILE) | BIT(TCP) | BIT(MQTT) | BIT(MQTTS) | BIT(DEVICE) |
         BIT(CA_FILE) | BIT(CERT_FILE) | BIT(KEY_FILE) | BIT(TIMER) |
         BIT(FAULT) | BIT(SEED) | BIT(QUIET),
     0, 0, nova_cmd_mock_device},
    {"report", "RESULTS... [options]",
     "render, merge or compare results.json files",
     "Several results are merged into one; --compare shows what changed from "
     "the\n"
     "first to the second, and exits 1 where something became worse.\n",
     BIT(JUNIT) | BIT(HTML) | BIT(FORMAT) | BIT(OUTPUT) | BIT(COMPARE) |
         BIT(QUIET) | BIT(VERBOSE) | BIT(COLOR) | BIT(LANG),
     1, -1, nova_cmd_report},
    {"judge", "RESULTS.json",
     "judge the recorded transcripts again, with the rules of today",
     "Reads the transcripts/ beside RESULTS.json; nothing is sent. --out DIR\n"
     "writes the new reports there.\n",
     BIT(OUT) | BIT(SPECS) | BIT(EXPECT) | BIT(ALLOW_INCOMPLETE) | TERMINAL, 1,
     1, nova_cmd_judge},
    {"list", "requirements|conversations|faults", "what there is, one a line",
     NULL, BIT(JSON) | BIT(SPECS) | BIT(LANG), 1, 1, nova_cmd_list},
    {"explain", "ID",
     "a requirement or conversation: what, why, how it is judged, how to mend "
     "it",
     NULL, BIT(SPECS) | BIT(LANG), 1, 1, nova_cmd_explain},
    {"check", "[FILE...]", "check conversation, requirement and profile files",
     "Errors are FILE:LINE:COLUMN: message on standard error. Without a FILE: "
     "the\n"
     "conversations and rules of the program, or of --specs, and whether "
     "every\n"
     "requirement is verified by one.\n",
     BIT(SPECS) | BIT(QUIET), 0, -1, nova_cmd_check},
    {"init", "server|device", "write a commented profile to start from", NULL,
     BIT(OUTPUT), 1, 1, nova_cmd_init},
    {"version", "", "the version", NULL, 0, 0, 0, nova_cmd_version},
};
const size_t nova_commands_n = sizeof nova_commands / sizeof *nova_commands;

/* --- help
 * ---------------------------------------------------------------------- */

static int help_all(void) {
  struct nova_buf out;
  nova_buf_init(&out, NULL, 1 << 20);
  nova_buf_printf(&out,
                  "novaprobe: conformance harness for the NovaCloud device "
                  "protocol\n\n  novaprobe COMMAND [options]\n\n");
  for (size_t i = 0; i < nova_commands_n; i++)
    nova_buf_printf(&out, "  %-12s %s\n", nova_commands[i].name,
                    nova_commands[i].what);
  nova_buf_printf(&out, "\n  novaprobe COMMAND --help\n\nStart with: novaprobe "
                        "demo\n");
  int status = nova_put(out.data + out.head, out.len);
  nova_buf_free(&out);
  return status;
}

static int help_one(const struct nova_command *c) {
  struct nova_buf out;
  nova_buf_init(&out, NULL, 1 << 20);
  nova_buf_printf(&out, "novaprobe %s %s\n\n%s\n", c->name, c->usage, c->what);
  if (c->help != NULL)
    nova_buf_printf(&out, "\n%s", c->help);
  nova_buf_puts(&out, "\n");
  for (unsigned i = 0; i < NOVA_OPTS; i++) {
    const struct nova_option_info *o = &nova_option_table[i];
    if ((c->options >> i & 1) == 0 && i != NOVA_OPT_HELP)
      continue;
    char name[80];
    int n = o->letter != 0 ? snprintf(name, sizeof name, "-%c, ", o->letter)
                           : snprintf(name, sizeof name, "    ");
    snprintf(name + n, sizeof name - (size_t)n, "--%s%s%s", o->name,
             o->argument != NULL ? " " : "",
             o->argument != NULL ? o->argument : "");
    nova_buf_printf(&out, "  %-30s%s%s%s\n", name,
                    strlen(name) >= 30 ? "\n                                "
                                       : "",
                    o->help, o->many ? "; may be repeated" : "");
  }
  if ((c->options & BIT(TIMER)) != 0) {
    nova_buf_puts(&out, "\nTimers:\n");
    for (unsigned i = 0; i < NOVA_TIMERS; i++)
      nova_buf_printf(&out, "  %-18s %s\n", nova_timer_name((enum nova_timer)i),
                      nova_timer_what((enum nova_timer)i));
  }
  if ((c->options & BIT(SPAWN)) != 0)
    nova_buf_puts(
        &out,
        "\nIn --spawn these are replaced, and stand in the environment as "
        "NOVA_HOST and\n"
        "so on: {host} {transport} {port} {tcp_port} {mqtt_port} {mqtts_port} "
        "{device_id}\n"
        "{device_key} {ca_file} {client_cert_file} {client_key_file}. "
        "{transport} is tcp,\n"
        "mqtt or mqtts, and {port} the port of that one: of a device, what "
        "the\n"
        "conversation is about that the process is started for. It is started "
        "without a\n"
        "shell.\n");
  int status = nova_put(out.data + out.head, out.len);
  nova_buf_free(&out);
  return status;
}

/* --- which one
 * ------------------------------------------------------------------ */

/* The command that |argv| begins with; |words|: how many words its name has. */
static const struct nova_command *find(int argc, char **argv, int *words) {
  for (size_t i = 0; i < nova_commands_n; i++) {
    const char *name = nova_commands[i].name, *blank = strchr(name, ' ');
    *words = blank != NULL ? 2 : 1;
    size_t n = blank != NULL ? (size_t)(blank - name) : strlen(name);
    if (argc < *words || strlen(argv[0]) != n || memcmp(argv[0], name, n) != 0)
      continue;
    if (blank == NULL || strcmp(argv[1], blank + 1) == 0)
      return &nova_commands[i];
  }
  return NULL;
}

static int unknown(int argc, char **argv) {
  bool mock = strcmp(argv[0], "mock") == 0;
  if (mock && (argc < 2 || argv[1][0] == '-'))
    return nova_wrong("mock needs to know what: novaprobe mock "
                      "server|device|ctl");
  const char *word = mock ? argv[1] : argv[0];
  struct nova_near near;
  nova_near_init(&near, word, strlen(word));
  for (size_t i = 0; i < nova_commands_n; i++) {
    const char *name = nova_commands[i].name, *blank = strchr(name, ' ');
    if (mock == (blank != NULL))
      nova_near_try(&near, mock && blank != NULL ? blank + 1 : name);
  }
  if (!mock)
    nova_near_try(&near, "mock");
  const char *best = nova_near_best(&near);
  if (best != NULL)
    return nova_wrong("unknown command %s%s; did you mean %s%s?",
                      mock ? "mock " : "", word, mock ? "mock " : "", best);
  return nova_wrong("unknown command %s%s; novaprobe --help lists them",
                    mock ? "mock " : "", word);
}

static int run(const struct nova_command *c, int argc, char **argv) {
  struct nova_options o;
  char why[512];
  int err = nova_options_read(&o, argc, argv, c->options | BIT(HELP), why,
                              sizeof why);
  int status;
  if (err == NOVA_ERR_NO_MEMORY)
    status = nova_broken("out of memory");
  else if (err != 0)
    status = nova_wrong("%s (novaprobe %s --help)", why, c->name);
  else if (o.opt[NOVA_OPT_HELP].n != 0)
    status = help_one(c);
  else if (o.args < (size_t)c->least)
    status = nova_wrong("%s needs more: novaprobe %s %s", c->name, c->name,
                        c->usage);
  else if (c->most >= 0 && o.args > (size_t)c->most)
    status = nova_wrong("unexpected argument %s (novaprobe %s --help)",
                        o.arg[c->most], c->name);
  else
    status = c->run(&o);
  nova_options_free(&o);
  return status;
}

/* What is opened later must not take the place of a standard stream that we
 * were started without. */
static void fill_streams(void) {
  int fd;
  do
    fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= 2);
  if (fd > 2)
    close(fd);
}

int nova_main(int argc, char **argv) {
  fill_streams();
  /* A reader that went away is no reason to lose the reports. */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* nor is a file that may grow no further */
  argc--;
  argv++;
  if (argc <= 0) {
    help_all();
    return NOVA_EXIT_WRONG;
  }
  if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
    return help_all();
  if (strcmp(argv[0], "--version") == 0)
    return nova_cmd_version(NULL);
  int words = 0;
  if (strcmp(argv[0], "help") == 0) {
    const struct nova_command *c = find(argc - 1, argv + 1, &words);
    return c != NULL  ? help_one(c)
           : argc > 1 ? unknown(argc - 1, argv + 1)
                      : help_all();
  }
  if (strcmp(argv[0], "mock") == 0 && argc > 1 &&
      (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
    return help_all();
  const struct nova_command *c = find(argc, argv, &words);
  if (c != NULL)
    return run(c, argc - words, argv + words);
  if (argv[0][0] == '-')
    return nova_wrong("expected a command before %s; novaprobe --help lists "
                      "them",
                      argv[0]);
  return unknown(argc, argv);
}
