#include "cli/commands.h"
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char head[] =
    "# A profile of novaprobe: what is tested, and with what. Everything but "
    "the\n"
    "# first line may be left out. Options of the command line override it.\n"
    "# Durations: 250ms, 10s, 3min. ${NAME} is taken from the environment, so "
    "that\n"
    "# no key has to stand here. Relative paths start at this file's folder.\n"
    "novaprobe: 1\n";

static const char server[] =
    "subject: server\n"
    "name: My server 1.0            # shown in the report\n"
    "\n"
    "# Where it listens. One run tests every transport that has an address.\n"
    "tcp: 127.0.0.1:9000\n"
    "# mqtt: 127.0.0.1:1883         # MQTT\n"
    "# mqtts: 127.0.0.1:8883        # MQTT over TLS\n"
    "\n"
    "# For mqtts: the CA that the server's certificate is of (left out: those "
    "of the\n"
    "# system) and the name in it, where it is not the host above; a client\n"
    "# certificate and its key, where the server asks for one.\n"
    "# tls:\n"
    "#   ca_file: ca.pem\n"
    "#   server_name: broker.example\n"
    "#   cert_file: client.pem\n"
    "#   key_file: client.key\n"
    "\n"
    "# A login over MQTT that sees all devices' topics and may publish "
    "commands. "
    "With\n"
    "# it commands, data, status and wills are tested without a hook.\n"
    "# platform: {username: platform, password: \"${PLATFORM_PASSWORD}\"}\n"
    "\n"
    "# Credentials that it knows. With one almost everything can be tested, "
    "with\n"
    "# several the run is as short as its longest conversation.\n"
    "devices:\n"
    "  - {id: DEV-000001, key: change-me-1}\n"
    "  - {id: DEV-000002, key: change-me-2}\n"
    "  # - {id: DEV-000003, key: \"${KEY_3}\"}     # from the environment\n"
    "  # - {id: DEV-000004, key_file: key4.txt}  # from a file\n"
    "\n"
    "# How many connections it tolerates at once; left out: any number.\n"
    "# max_connections: 8\n"
    "\n"
    "# Timers other than the guide's, where a test build has shorter ones.\n"
    "# timers: {auth_timeout: 10s, heartbeat: 60s, idle_timeout: 180s,\n"
    "#          response_timeout: 5s, hook_timeout: 10s, late_tolerance: 1s}\n"
    "\n"
    "# What it has.\n"
    "# declares:\n"
    "#   # The transports, where they are not those with an address above. "
    "MQTT\n"
    "#   # without TLS: [mqtt].\n"
    "#   transports: [tcp]\n"
    "#   # It asks for client certificates over TLS.\n"
    "#   client_certificates: true\n"
    "\n"
    "# Commands that make the platform act, started without a shell in this "
    "file's\n"
    "# folder; their environment has NOVA_DEVICE_ID and, for send_command,\n"
    "# NOVA_TRANSPORT (tcp or mqtt), NOVA_COMMAND and NOVA_PARAMS (JSON). What "
    "needs\n"
    "# one that is not given is reported as not tested.\n"
    "# hooks:\n"
    "#   send_command: ./ctl command\n"
    "#   reset_key: ./ctl reset       # prints the new key\n"
    "#   deactivate: ./ctl deactivate\n"
    "#   activate: ./ctl activate\n"
    "#   read_data: ./ctl data        # prints the last values, a JSON object\n"
    "\n"
    "# Known failures: requirement id, reason and, if wanted, 'until "
    "2027-03-31'.\n"
    "# expect: known-failures.txt\n";

static const char device[] =
    "subject: device\n"
    "name: My device 1.0            # shown in the report\n"
    "\n"
    "# Where novaprobe listens. A device that --spawn starts gets a port of "
    "its own\n"
    "# each time; one that is operated by hand is configured to connect here.\n"
    "# 0.0.0.0 lets it come from another machine. One run tests every "
    "transport that\n"
    "# has an address.\n"
    "tcp: 127.0.0.1:9000\n"
    "# mqtt: 127.0.0.1:1883         # MQTT\n"
    "# mqtts: 127.0.0.1:8883        # MQTT over TLS: certificates are made for "
    "each\n"
    "#                              # run; --spawn has them as {ca_file} and "
    "so "
    "on\n"
    "\n"
    "# The name by which the device knows the server, where it is not the host "
    "above:\n"
    "# the good certificate carries it as well.\n"
    "# tls: {server_name: broker.example}\n"
    "\n"
    "# The credentials with which it connects. By hand: one for each device on "
    "the\n"
    "# bench; several work side by side, so that the run is shorter. With "
    "--spawn\n"
    "# leave this list out: each process gets one that is made up, and a "
    "single one\n"
    "# here would let only one process run at a time.\n"
    "# devices:\n"
    "#   - {id: DEV-000001, key: change-me-1}\n"
    "#   - {id: DEV-000002, key: \"${KEY_2}\"}     # from the environment\n"
    "#   - {id: DEV-000003, key_file: key3.txt}  # from a file\n"
    "\n"
    "# Its timers, where they are not the guide's, and how long to wait for "
    "what it\n"
    "# does by itself.\n"
    "# timers:\n"
    "#   heartbeat: 60s            # from ping to ping, over TCP\n"
    "#   idle_timeout: 180s        # silence of the server after which it "
    "closes\n"
    "#   auth_timeout: 10s         # it sends auth within this time\n"
    "#   status_interval: 60s      # from status to status, over MQTT\n"
    "#   reconnect_timeout: 60s    # it connects again within this time\n"
    "#   response_timeout: 5s      # it answers a command within this time\n"
    "#   late_tolerance: 1s        # how much later is still in time\n"
    "#   operator_timeout: 10min   # by hand: it connects within this time\n"
    "#   data_interval: 5min       # its first data comes within this time, or "
    "never\n"
    "#   report_interval: 5min     # its first status message, or never\n"
    "\n"
    "# What it has. What is not declared is not tested of it, or only in its "
    "form.\n"
    "# declares:\n"
    "#   # The transports, where they are not those with an address above. "
    "Over MQTT\n"
    "#   # without TLS: [mqtt].\n"
    "#   transports: [tcp]\n"
    "#   # It shows a client certificate over TLS where it is asked for one.\n"
    "#   client_certificates: true\n"
    "#   # The names under which it reports values: all others are a mistake.\n"
    "#   value_keys: [temperature, humidity]\n"
    "#   # The actuators that set_actuator sets, each with one or more values "
    "that\n"
    "#   # it takes. Without them the conversations about actuators do not "
    "apply.\n"
    "#   actuators: {relay1: [\"OFF\", \"ON\"], led_brightness: [0, 80]}\n"
    "\n"
    "# Known failures: requirement id, reason and, if wanted, 'until "
    "2027-03-31'.\n"
    "# expect: known-failures.txt\n";

/* A new file; one that is there is not touched. */
static int create(const char *path, const char *body) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0)
    return errno == EEXIST
               ? nova_wrong("%s is there already; it was not changed", path)
               : nova_wrong("%s: %s", path, strerror(errno));
  bool good = write(fd, head, sizeof head - 1) == (ssize_t)sizeof head - 1 &&
              write(fd, body, strlen(body)) == (ssize_t)strlen(body);
  int error = errno;
  if (close(fd) == 0 && good)
    return 0;
  unlink(path);
  return nova_broken("%s: %s", path, strerror(error));
}

int nova_cmd_init(const struct nova_options *o) {
  const char *what = o->arg[0];
  const char *body = strcmp(what, "server") == 0   ? server
                     : strcmp(what, "device") == 0 ? device
                                                   : NULL;
  if (body == NULL)
    return nova_wrong("init %s: expected server or device", what);
  const char *path = nova_options_last(o, NOVA_OPT_OUTPUT);
  if (path != NULL && strcmp(path, "-") != 0)
    return create(path, body);
  int status = nova_put(head, sizeof head - 1);
  return status != 0 ? status : nova_put(body, strlen(body));
}
