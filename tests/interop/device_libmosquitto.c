/* An independent MQTT device for the NovaCloud device protocol, on libmosquitto
 * and cJSON, written from the device access guide alone: section 1.2
 * (credentials), section 2 (MQTT) and section 5 (reconnection). Nothing of the
 * harness is in it. README.md in this folder has its options.
 *
 * libmosquitto speaks MQTT and TLS; what is said, and when, is said here. One
 * thread: whatever happens, happens in turn().
 */
#include <cjson/cJSON.h>
#include <mosquitto.h>

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

/* All times are seconds. */
#define FIRST_PAUSE     0.5  /* before connecting again */
#define LONGEST_PAUSE   10.0 /* it doubles up to this */
#define OF_USE_AFTER    5.0  /* it starts anew after a connection of so long */
#define CONNECT_TIMEOUT 10.0 /* for the server to accept */
#define LONGEST_TURN    0.2

/* No command of the guide comes near these. */
#define COMMAND_MAX    (1024 * 1024)
#define NAME_BYTES_MAX 256

/* libmosquitto takes no keep-alive from 1 to 4. */
#define KEEP_ALIVE_MIN 5

struct options {
  const char *host, *id, *key, *ca, *cert, *key_file, *actuators, *value_keys;
  int port, keep_alive;
  double status_interval, data_interval;
};

struct device {
  struct options options;
  struct mosquitto *mosquitto;
  char *status_topic, *data_topic, *command_topic;
  cJSON *examples; /* actuator: array of values that it may be given */
  cJSON *state;    /* actuator: its value */
  bool accepted, refused;
  double accepted_at, next_status, next_data; /* INFINITY: never */
};

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
  (void)number;
  stopping = 1;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("device: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
}

__attribute__((format(printf, 2, 3), noreturn)) static void
fail(int status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("device: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(status);
}

/* A program of a test that has no memory has no way on. */
static void *need(void *pointer) {
  if (pointer == NULL)
    fail(1, "out of memory");
  return pointer;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- Messages (guide 2.4 to 2.6) ------------------------------------------ */

static cJSON *new_message(const struct device *d, double timestamp) {
  cJSON *message = need(cJSON_CreateObject());
  need(cJSON_AddNumberToObject(message, "timestamp", timestamp));
  need(cJSON_AddStringToObject(message, "device_id", d->options.id));
  return message;
}

/* The text of MESSAGE, which is used up; free() it. */
static char *print(cJSON *message) {
  char *text = need(cJSON_PrintUnformatted(message));
  cJSON_Delete(message);
  return text;
}

static void publish(struct device *d, const char *topic, cJSON *message) {
  char *text = print(message);
  int rc = mosquitto_publish(d->mosquitto, NULL, topic, (int)strlen(text), text,
                             1, false);
  if (rc != MOSQ_ERR_SUCCESS)
    say("not published: %s", mosquitto_strerror(rc));
  free(text);
}

static void publish_status(struct device *d) {
  cJSON *message = new_message(d, (double)time(NULL));
  need(cJSON_AddStringToObject(message, "status", "online"));
  cJSON *info = need(cJSON_AddObjectToObject(message, "info"));
  need(cJSON_AddStringToObject(info, "version", "libmosquitto"));
  publish(d, d->status_topic, message);
}

static void publish_data(struct device *d) {
  static unsigned tenths;
  cJSON *message = new_message(d, (double)time(NULL));
  char *keys = need(strdup(d->options.value_keys)), *rest = keys, *key;
  while ((key = strtok_r(rest, ",", &rest)) != NULL)
    need(cJSON_AddNumberToObject(message, key, 20 + tenths++ % 100 / 10.0));
  free(keys);
  publish(d, d->data_topic, message);
}

/* --- Commands (guide 2.5) ------------------------------------------------- */

/* cJSON takes any bytes for a string; JSON is UTF-8 (RFC 3629). */
static bool is_utf8(const unsigned char *s, size_t n) {
  for (size_t i = 0; i < n;) {
    unsigned char first = s[i++];
    unsigned more = 0;
    uint32_t code = first, least = 0;
    if (first >= 0xF0 && first <= 0xF4)
      more = 3, code = first & 0x07U, least = 0x10000;
    else if (first >= 0xE0 && first < 0xF0)
      more = 2, code = first & 0x0FU, least = 0x800;
    else if (first >= 0xC0 && first < 0xE0)
      more = 1, code = first & 0x1FU, least = 0x80;
    else if (first >= 0x80)
      return false;
    if (more > n - i)
      return false;
    for (; more > 0; more--) {
      if ((s[i] & 0xC0U) != 0x80)
        return false;
      code = code << 6 | (s[i++] & 0x3FU);
    }
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
      return false;
  }
  return true;
}

/* The one JSON value in the N bytes, or NULL. cJSON ends a string at a NUL, and
 * so would take one name for another: no text with a NUL in it is read. Nor is
 * one with a byte order mark, which cJSON passes over. */
static cJSON *parse(const char *bytes, size_t n) {
  if (n > COMMAND_MAX || !is_utf8((const unsigned char *)bytes, n) ||
      memchr(bytes, 0, n) != NULL || memmem(bytes, n, "\\u0000", 6) != NULL ||
      (n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0))
    return NULL;
  const char *end = NULL;
  cJSON *value = cJSON_ParseWithLengthOpts(bytes, n, &end, false);
  if (value == NULL)
    return NULL;
  for (; end < bytes + n; end++)
    if (strchr(" \t\r\n", *end) == NULL) {
      cJSON_Delete(value);
      return NULL;
    }
  return value;
}

/* cJSON has a type of its own for each of true and false. */
static bool same_kind(const cJSON *a, const cJSON *b) {
  return cJSON_IsBool(a) ? cJSON_IsBool(b)
                         : (a->type & 0xFF) == (b->type & 0xFF);
}

static bool may_be(const struct device *d, const cJSON *param) {
  const cJSON *examples =
      cJSON_GetObjectItemCaseSensitive(d->examples, param->string);
  const cJSON *example;
  if (cJSON_IsNumber(param) && !isfinite(param->valuedouble))
    return false;
  cJSON_ArrayForEach(example, examples) {
    if (same_kind(example, param))
      return true;
  }
  return false;
}

/* Takes over all of PARAMS, or, if one of them cannot be, none. */
static bool set_actuators(struct device *d, const cJSON *params) {
  const cJSON *param;
  cJSON_ArrayForEach(param, params) {
    if (!may_be(d, param))
      return false;
  }
  cJSON_ArrayForEach(param, params) {
    cJSON *value = need(cJSON_Duplicate(param, true));
    cJSON_ReplaceItemInObjectCaseSensitive(d->state, param->string, value);
  }
  return true;
}

/* The answer to the command, or NULL if there is no command in it. */
static cJSON *answer(struct device *d, const cJSON *command) {
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(command, "command");
  const cJSON *params = cJSON_GetObjectItemCaseSensitive(command, "params");
  if (!cJSON_IsObject(command) || !cJSON_IsString(name) ||
      strlen(name->valuestring) > NAME_BYTES_MAX)
    return NULL;
  bool known = strcmp(name->valuestring, "set_actuator") == 0;
  if (known && !cJSON_IsObject(params))
    return NULL;
  bool success = known && set_actuators(d, params);
  cJSON *message = new_message(d, (double)time(NULL));
  need(cJSON_AddStringToObject(message, "response",
                               known ? "actuator_set" : "unknown_command"));
  need(cJSON_AddStringToObject(message, "command", name->valuestring));
  need(cJSON_AddBoolToObject(message, "success", success));
  cJSON_AddItemToObject(message, "data", need(cJSON_Duplicate(d->state, true)));
  return message;
}

/* --- What libmosquitto reports -------------------------------------------- */

static void on_connect(struct mosquitto *mosquitto, void *object, int code) {
  struct device *d = object;
  if (code != 0) {
    say("refused: %s", mosquitto_connack_string(code));
    d->refused = true;
    return;
  }
  mosquitto_subscribe(mosquitto, NULL, d->command_topic, 1);
  d->accepted = true;
  d->accepted_at = now();
  d->next_status = d->options.status_interval > 0 ? d->accepted_at : INFINITY;
  d->next_data = d->options.data_interval > 0 ? d->accepted_at : INFINITY;
  say("connected");
}

static void on_message(struct mosquitto *mosquitto, void *object,
                       const struct mosquitto_message *message) {
  struct device *d = object;
  (void)mosquitto;
  if (strcmp(message->topic, d->command_topic) != 0)
    return;
  cJSON *command = NULL, *message_back = NULL;
  if (message->payload != NULL && message->payloadlen > 0)
    command = parse(message->payload, (size_t)message->payloadlen);
  if (command != NULL)
    message_back = answer(d, command);
  if (message_back != NULL)
    publish(d, d->data_topic, message_back);
  else
    say("no command: %d bytes", message->payloadlen);
  cJSON_Delete(command);
}

/* --- The connection ------------------------------------------------------- */

static void pause_for(double seconds) {
  const struct timespec slice = {0, 50000000};
  for (double end = now() + seconds; !stopping && now() < end;)
    nanosleep(&slice, NULL);
}

static int wait_for(struct device *d, double seconds) {
  double wait = fmin(fmax(seconds, 0), LONGEST_TURN);
  return mosquitto_loop(d->mosquitto, (int)ceil(wait * 1000), 1);
}

/* One round of the loop; 0 while the connection lasts. */
static int turn(struct device *d, double deadline) {
  if (d->refused)
    return MOSQ_ERR_CONN_REFUSED;
  if (!d->accepted) {
    if (now() >= deadline)
      return MOSQ_ERR_CONN_LOST;
    return wait_for(d, LONGEST_TURN);
  }
  double at = now();
  if (at >= d->next_status) {
    publish_status(d);
    d->next_status = fmax(d->next_status + d->options.status_interval, at);
  }
  if (at >= d->next_data) {
    publish_data(d);
    d->next_data = fmax(d->next_data + d->options.data_interval, at);
  }
  return wait_for(d, fmin(d->next_status, d->next_data) - at);
}

static void converse(struct device *d, bool again) {
  d->accepted = d->refused = false;
  int rc = again ? mosquitto_reconnect(d->mosquitto)
                 : mosquitto_connect(d->mosquitto, d->options.host,
                                     d->options.port, d->options.keep_alive);
  double deadline = now() + CONNECT_TIMEOUT;
  while (rc == MOSQ_ERR_SUCCESS && !stopping)
    rc = turn(d, deadline);
  if (!stopping)
    say("no connection: %s",
        rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
}

static void run(struct device *d) {
  double wait = FIRST_PAUSE;
  for (bool again = false; !stopping; again = true) {
    converse(d, again);
    if (stopping)
      break;
    /* What we end ourselves is closed now and not when the pause is over. */
    if (mosquitto_socket(d->mosquitto) >= 0)
      shutdown(mosquitto_socket(d->mosquitto), SHUT_RDWR);
    if (d->accepted && now() - d->accepted_at >= OF_USE_AFTER)
      wait = FIRST_PAUSE;
    pause_for(wait);
    wait = fmin(2 * wait, LONGEST_PAUSE);
  }
  /* The DISCONNECT, after which the server publishes no will. */
  mosquitto_disconnect(d->mosquitto);
  double deadline = now() + 1;
  while (mosquitto_want_write(d->mosquitto) && now() < deadline)
    if (mosquitto_loop(d->mosquitto, 50, 1) != MOSQ_ERR_SUCCESS)
      break;
}

/* --- Options -------------------------------------------------------------- */

static long number(const char *text, long least, long most, const char *what) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (end == text || *end != 0 || errno != 0 || value < least || value > most)
    fail(2, "%s is a number from %ld to %ld", what, least, most);
  return value;
}

static double seconds(const char *text, const char *what) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end != 0 || !(value >= 0 && value < 1e9))
    fail(2, "%s is a number of seconds", what);
  return value;
}

static const char *from_environment(const char *name) {
  const char *value = getenv(name);
  return value != NULL && *value != 0 ? value : NULL;
}

static struct options parse_options(int argc, char **argv) {
  static const struct option names[] = {
      {"host", required_argument, NULL, 'h'},
      {"port", required_argument, NULL, 'p'},
      {"id", required_argument, NULL, 'i'},
      {"key", required_argument, NULL, 'k'},
      {"ca", required_argument, NULL, 'c'},
      {"cert", required_argument, NULL, 'e'},
      {"key-file", required_argument, NULL, 'f'},
      {"status-interval", required_argument, NULL, 's'},
      {"data-interval", required_argument, NULL, 'd'},
      {"keep-alive", required_argument, NULL, 'a'},
      {"actuators", required_argument, NULL, 'A'},
      {"value-keys", required_argument, NULL, 'v'},
      {NULL, 0, NULL, 0}};
  struct options o = {
      .host = from_environment("NOVA_HOST"),
      .id = from_environment("NOVA_DEVICE_ID"),
      .key = from_environment("NOVA_DEVICE_KEY"),
      .ca = from_environment("NOVA_CA_FILE"),
      .actuators = "{\"relay1\":[\"OFF\",\"ON\"],\"led_brightness\":[0,80]}",
      .value_keys = "temperature,humidity",
      .keep_alive = 60,
      .status_interval = 60,
      .data_interval = 60};
  const char *port = from_environment("NOVA_MQTT_PORT"), *keep_alive = NULL;
  for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
    switch (c) {
    case 'h': o.host = optarg; break;
    case 'p': port = optarg; break;
    case 'i': o.id = optarg; break;
    case 'k': o.key = optarg; break;
    case 'c': o.ca = *optarg != 0 ? optarg : NULL; break;
    case 'e': o.cert = optarg; break;
    case 'f': o.key_file = optarg; break;
    case 's': o.status_interval = seconds(optarg, "--status-interval"); break;
    case 'd': o.data_interval = seconds(optarg, "--data-interval"); break;
    case 'a': keep_alive = optarg; break;
    case 'A': o.actuators = optarg; break;
    case 'v': o.value_keys = optarg; break;
    default: exit(2);
    }
  if (optind != argc || o.host == NULL || port == NULL || o.id == NULL ||
      o.key == NULL)
    fail(2, "--host, --port, --id and --key are needed");
  o.port = (int)number(port, 1, 65535, "--port");
  if (keep_alive != NULL)
    o.keep_alive =
        (int)number(keep_alive, KEEP_ALIVE_MIN, 65535, "--keep-alive");
  return o;
}

static void read_actuators(struct device *d) {
  const char *text = d->options.actuators;
  cJSON *given = parse(text, strlen(text)), *item;
  d->examples = need(cJSON_CreateObject());
  d->state = need(cJSON_CreateObject());
  if (!cJSON_IsObject(given))
    fail(2, "--actuators is no JSON object");
  cJSON_ArrayForEach(item, given) {
    cJSON *values = need(cJSON_Duplicate(item, true));
    if (!cJSON_IsArray(values)) { /* One value alone is a list of one. */
      cJSON *list = need(cJSON_CreateArray());
      cJSON_AddItemToArray(list, values);
      values = list;
    }
    if (values->child == NULL)
      fail(2, "--actuators: %s has no value", item->string);
    cJSON_AddItemToObject(d->state, item->string,
                          need(cJSON_Duplicate(values->child, true)));
    cJSON_AddItemToObject(d->examples, item->string, values);
  }
  cJSON_Delete(given);
}

static char *topic(const struct device *d, const char *kind) {
  char *text;
  if (asprintf(&text, "novacloud/devices/%s/%s", d->options.id, kind) < 0)
    fail(1, "out of memory");
  return text;
}

static void make_client(struct device *d) {
  static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";
  unsigned char random[9] = {0};
  if (getrandom(random, 8, 0) != 8)
    fail(1, "no random bytes");
  for (size_t i = 0; i < 8; i++)
    random[i] = (unsigned char)digits[random[i] % 32];
  char *client_id;
  if (asprintf(&client_id, "device_%s_%s", d->options.id, (char *)random) < 0)
    fail(1, "out of memory");
  d->mosquitto = need(mosquitto_new(client_id, true, d));
  free(client_id);

  mosquitto_connect_callback_set(d->mosquitto, on_connect);
  mosquitto_message_callback_set(d->mosquitto, on_message);
  int rc =
      mosquitto_username_pw_set(d->mosquitto, d->options.id, d->options.key);
  cJSON *will = new_message(d, 0);
  need(cJSON_AddStringToObject(will, "status", "offline"));
  char *text = print(will);
  if (rc == MOSQ_ERR_SUCCESS)
    rc = mosquitto_will_set(d->mosquitto, d->status_topic, (int)strlen(text),
                            text, 1, false);
  free(text);
  /* libmosquitto checks the chain and the name unless told otherwise. */
  if (rc == MOSQ_ERR_SUCCESS && d->options.ca != NULL)
    rc = mosquitto_tls_set(d->mosquitto, d->options.ca, NULL, d->options.cert,
                           d->options.key_file, NULL);
  if (rc == MOSQ_ERR_SUCCESS && d->options.ca != NULL)
    rc = mosquitto_tls_opts_set(d->mosquitto, 1, "tlsv1.2", NULL);
  if (rc != MOSQ_ERR_SUCCESS)
    fail(2, "libmosquitto: %s", mosquitto_strerror(rc));
}

int main(int argc, char **argv) {
  struct device d = {.options = parse_options(argc, argv)};
  /* Without SA_RESTART: a call that waits ends with the signal. */
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);

  read_actuators(&d);
  d.status_topic = topic(&d, "status");
  d.data_topic = topic(&d, "data");
  d.command_topic = topic(&d, "command");
  mosquitto_lib_init();
  make_client(&d);
  run(&d);

  mosquitto_destroy(d.mosquitto);
  mosquitto_lib_cleanup();
  cJSON_Delete(d.examples);
  cJSON_Delete(d.state);
  free(d.status_topic);
  free(d.data_topic);
  free(d.command_topic);
  return 0;
}
