/* Writes docs/messages.md from message.def: every message, its fields, and a
 * line as it goes over the wire, made by the encoder itself. */
#include "codec/line.h"
#include "codec/message.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const senders[] = {"device", "server"};

static const char *of_type(enum nova_field_type type) {
  switch (type) {
  case NOVA_FIELD_STRING: return "string";
  case NOVA_FIELD_RESULT: return "string, `success` or `failed`";
  case NOVA_FIELD_TIME: return "integer, Unix time in seconds, 0 to 2^53";
  case NOVA_FIELD_OBJECT: return "object, any members";
  }
  return "";
}

/* A member of every message: what stands in its example. */
#define SAMPLE_STRING(field) sample_string(#field)
#define SAMPLE_RESULT(field) nova_string_of("success")
#define SAMPLE_TIME(field)   INT64_C(1651234567)
#define SAMPLE_OBJECT(field) sample_object(#field)

static struct nova_string sample_string(const char *field) {
  static const char *const sample[][2] = {
      {"device_id", "DEV-123456"},  {"device_key", "4f1c..."},
      {"message", "Authenticated"}, {"status", "online"},
      {"command_id", "cmd_789"},    {"command", "set_actuator"},
      {"result", "success"},
  };
  for (size_t i = 0; i < sizeof sample / sizeof *sample; i++)
    if (strcmp(field, sample[i][0]) == 0)
      return nova_string_of(sample[i][1]);
  return nova_string_of("...");
}

static struct nova_view sample_object(const char *field) {
  static const char *const sample[][2] = {
      {"values", "{\"temperature\":25.5,\"humidity\":60}"},
      {"info", "{\"version\":\"1.0.3\",\"rssi\":-65}"},
      {"params", "{\"relay1\":\"ON\",\"led_brightness\":80}"},
      {"data", "{\"relay1\":\"ON\",\"led_brightness\":80}"},
  };
  for (size_t i = 0; i < sizeof sample / sizeof *sample; i++)
    if (strcmp(field, sample[i][0]) == 0)
      return (struct nova_view){sample[i][1], strlen(sample[i][1])};
  return (struct nova_view){"{}", 2};
}

static struct nova_msg sample(enum nova_msg_kind kind) {
  struct nova_msg msg = {.kind = kind};
  msg.present = (1u << nova_msg_info(kind)->fields) - 1;
#define NOVA_MSG(KIND, name, sender, section)
#define NOVA_FIELD(KIND, name, field, type, presence, section)                 \
  if (kind == NOVA_MSG_##KIND)                                                 \
    msg.u.name.field = SAMPLE_##type(field);
#include "codec/message.def"
#undef NOVA_MSG
#undef NOVA_FIELD
  return msg;
}

int main(void) {
  printf("# The messages\n\n"
         "Made from `harness/codec/message.def` by `make docs`; do not edit. "
         "A test compares the two.\n\n"
         "Each message is one JSON object on a line of its own, in UTF-8, at "
         "most %d bytes before the line feed. Every one has a member `type`, "
         "the string that names it here. Members that are not listed are "
         "allowed and ignored. Sections are those of the guide.\n\n"
         "| message | sent by | section |\n| --- | --- | --- |\n",
         NOVA_LINE_LIMIT);
  for (int k = NOVA_MSG_UNKNOWN + 1; k < NOVA_MSG_KINDS; k++) {
    const struct nova_msg_info *info = nova_msg_info((enum nova_msg_kind)k);
    printf("| [%s](#%s) | %s | %s |\n", info->name, info->name,
           senders[info->sender], info->section);
  }
  for (int k = NOVA_MSG_UNKNOWN + 1; k < NOVA_MSG_KINDS; k++) {
    const struct nova_msg_info *info = nova_msg_info((enum nova_msg_kind)k);
    printf("\n## %s\n\nSent by the %s, section %s.\n\n"
           "| field | type | | section |\n| --- | --- | --- | --- |\n",
           info->name, senders[info->sender], info->section);
    for (size_t i = 0; i < info->fields; i++)
      printf("| `%s` | %s | %s | %s |\n", info->field[i].name,
             of_type(info->field[i].type),
             info->field[i].required ? "required" : "optional",
             info->field[i].section);
    struct nova_msg msg = sample((enum nova_msg_kind)k);
    char line[512];
    size_t n;
    if (nova_msg_encode(&msg, line, sizeof line, &n) != 0)
      return EXIT_FAILURE;
    printf("\n```json\n%.*s```\n", (int)n, line);
  }
  return EXIT_SUCCESS;
}
