/* Writes what is made from message.def:
 *
 *     message_reference          docs/messages.md: every message, its fields,
 * and what goes over the wire: a line made by the encoder itself, a payload
 * that the decoder takes message_reference schema
 * specs/schemas/messages.schema.json */
#include "codec/line.h"
#include "codec/message.h"
#include "codec/payload.h"

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
      {"result", "success"},        {"response", "actuator_set"},
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

static const char *payload_type(enum nova_payload_type type) {
  switch (type) {
  case NOVA_PAYLOAD_TYPE_STRING: return of_type(NOVA_FIELD_STRING);
  case NOVA_PAYLOAD_TYPE_TIME: return of_type(NOVA_FIELD_TIME);
  case NOVA_PAYLOAD_TYPE_OBJECT: return of_type(NOVA_FIELD_OBJECT);
  case NOVA_PAYLOAD_TYPE_BOOLEAN: return "`true` or `false`";
  case NOVA_PAYLOAD_TYPE_OFFLINE: return "the string `offline`";
  case NOVA_PAYLOAD_TYPE_ZERO: return "the number 0";
  }
  return "";
}

/* A payload as the table has it; false where the decoder would not take it. */
static bool sample_payload(enum nova_payload_kind kind, char *out, size_t cap) {
  const struct nova_payload_info *info = nova_payload_info(kind);
  size_t n = 0;
  for (size_t i = 0; i < info->fields && n < cap; i++) {
    const struct nova_payload_field *f = &info->field[i];
    struct nova_view text = nova_view_of("0");
    bool quoted = false;
    switch (f->type) {
    case NOVA_PAYLOAD_TYPE_STRING:
      text = sample_string(f->name).raw;
      quoted = true;
      break;
    case NOVA_PAYLOAD_TYPE_OFFLINE:
      text = nova_view_of("offline");
      quoted = true;
      break;
    case NOVA_PAYLOAD_TYPE_TIME: text = nova_view_of("1651234567"); break;
    case NOVA_PAYLOAD_TYPE_OBJECT: text = sample_object(f->name); break;
    case NOVA_PAYLOAD_TYPE_BOOLEAN: text = nova_view_of("true"); break;
    case NOVA_PAYLOAD_TYPE_ZERO: break;
    }
    n += (size_t)snprintf(out + n, cap - n, "%c\"%s\":%s%.*s%s",
                          i == 0 ? '{' : ',', f->name, quoted ? "\"" : "",
                          (int)text.n, text.p, quoted ? "\"" : "");
  }
  if (n < cap)
    n += (size_t)snprintf(out + n, cap - n, "%s}",
                          kind == NOVA_PAYLOAD_DATA ? ",\"temperature\":25.5"
                                                    : "");
  struct nova_json *j = nova_json_new(NULL, cap, NOVA_JSON_DEPTH);
  struct nova_payload payload;
  bool good =
      j != NULL && n < cap &&
      nova_payload_decode(j, kind, (struct nova_view){out, n}, &payload) == 0;
  nova_json_free(j);
  return good;
}

static bool print_messages(void) {
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
      return false;
    printf("\n```json\n%.*s```\n", (int)n, line);
  }
  return true;
}

/* What a payload goes with: its topic, or the will of a CONNECT. */
static void print_place(enum nova_payload_kind kind) {
  const struct nova_payload_info *info = nova_payload_info(kind);
  char topic[NOVA_TOPIC_MAX];
  nova_topic_write(info->channel, nova_view_of("{device_id}"), topic,
                   sizeof topic);
  printf("%s`%s`", kind == NOVA_PAYLOAD_WILL ? "last will for " : "", topic);
}

static bool print_payloads(void) {
  printf("\n# The MQTT payloads\n\n"
         "Each payload is one JSON object. What it is, its topic says; on the "
         "data topic an object with a member `response` or `command` is an "
         "answer, any other one data. Members that are not listed are allowed; "
         "in data they are the measured values.\n\n"
         "| payload | sent by | topic | section |\n"
         "| --- | --- | --- | --- |\n");
  for (int k = NOVA_PAYLOAD_UNKNOWN + 1; k < NOVA_PAYLOAD_KINDS; k++) {
    enum nova_payload_kind kind = (enum nova_payload_kind)k;
    const struct nova_payload_info *info = nova_payload_info(kind);
    printf("| [%s](#mqtt-%s) | %s | ", info->name, info->name,
           senders[info->sender]);
    print_place(kind);
    printf(" | %s |\n", info->section);
  }
  for (int k = NOVA_PAYLOAD_UNKNOWN + 1; k < NOVA_PAYLOAD_KINDS; k++) {
    enum nova_payload_kind kind = (enum nova_payload_kind)k;
    const struct nova_payload_info *info = nova_payload_info(kind);
    printf("\n## MQTT %s\n\nSent by the %s, section %s: ", info->name,
           senders[info->sender], info->section);
    print_place(kind);
    printf(".\n\n| field | type | | section |\n"
           "| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < info->fields; i++)
      printf("| `%s` | %s | %s | %s |\n", info->field[i].name,
             payload_type(info->field[i].type),
             info->field[i].required ? "required" : "optional",
             info->field[i].section);
    char text[512];
    if (!sample_payload(kind, text, sizeof text))
      return false;
    printf("\n```json\n%s\n```\n", text);
  }
  return true;
}

/* --- the schema ----------------------------------------------------------- */

static const char *schema_type(enum nova_field_type type) {
  switch (type) {
  case NOVA_FIELD_STRING: return "\"type\": \"string\"";
  case NOVA_FIELD_RESULT: return "\"enum\": [\"success\", \"failed\"]";
  case NOVA_FIELD_TIME:
    return "\"type\": \"integer\", \"minimum\": 0, "
           "\"maximum\": 9007199254740992";
  case NOVA_FIELD_OBJECT: return "\"type\": \"object\"";
  }
  return "";
}

static const char *schema_payload_type(enum nova_payload_type type) {
  switch (type) {
  case NOVA_PAYLOAD_TYPE_STRING: return schema_type(NOVA_FIELD_STRING);
  case NOVA_PAYLOAD_TYPE_TIME: return schema_type(NOVA_FIELD_TIME);
  case NOVA_PAYLOAD_TYPE_OBJECT: return schema_type(NOVA_FIELD_OBJECT);
  case NOVA_PAYLOAD_TYPE_BOOLEAN: return "\"type\": \"boolean\"";
  case NOVA_PAYLOAD_TYPE_OFFLINE: return "\"const\": \"offline\"";
  case NOVA_PAYLOAD_TYPE_ZERO: return "\"const\": 0";
  }
  return "";
}

static void open_schema(const char *protocol, const char *name,
                        enum nova_sender sender, const char *section,
                        bool first) {
  printf("%s\n    \"%s.%s\": {\n      \"description\": \"Sent by the %s, "
         "section %s.\",\n      \"type\": \"object\",\n"
         "      \"required\": [",
         first ? "" : ",", protocol, name, senders[sender], section);
}

static void print_schema(void) {
  printf("{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
         "  \"title\": \"The messages of the guide\",\n"
         "  \"description\": \"Made from harness/codec/message.def by make "
         "docs; do not edit. tcp.* are lines of the TCP protocol, mqtt.* are "
         "payloads. Members that are not listed are allowed.\",\n"
         "  \"definitions\": {");
  for (int k = NOVA_MSG_UNKNOWN + 1; k < NOVA_MSG_KINDS; k++) {
    const struct nova_msg_info *info = nova_msg_info((enum nova_msg_kind)k);
    open_schema("tcp", info->name, info->sender, info->section,
                k == NOVA_MSG_UNKNOWN + 1);
    printf("\"type\"");
    for (size_t i = 0; i < info->fields; i++)
      if (info->field[i].required)
        printf(", \"%s\"", info->field[i].name);
    printf("],\n      \"properties\": {\n        \"type\": {\"const\": "
           "\"%s\"}",
           info->name);
    for (size_t i = 0; i < info->fields; i++)
      printf(",\n        \"%s\": {%s}", info->field[i].name,
             schema_type(info->field[i].type));
    printf("\n      }\n    }");
  }
  for (int k = NOVA_PAYLOAD_UNKNOWN + 1; k < NOVA_PAYLOAD_KINDS; k++) {
    const struct nova_payload_info *info =
        nova_payload_info((enum nova_payload_kind)k);
    const char *comma = "";
    open_schema("mqtt", info->name, info->sender, info->section, false);
    for (size_t i = 0; i < info->fields; i++)
      if (info->field[i].required) {
        printf("%s\"%s\"", comma, info->field[i].name);
        comma = ", ";
      }
    printf("],\n      \"properties\": {");
    for (size_t i = 0; i < info->fields; i++)
      printf("%s\n        \"%s\": {%s}", i == 0 ? "" : ",", info->field[i].name,
             schema_payload_type(info->field[i].type));
    printf("\n      }\n    }");
  }
  printf("\n  }\n}\n");
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "schema") == 0) {
    print_schema();
    return EXIT_SUCCESS;
  }
  if (argc != 1) {
    fputs("message_reference [schema]\n", stderr);
    return EXIT_FAILURE;
  }
  return print_messages() && print_payloads() ? EXIT_SUCCESS : EXIT_FAILURE;
}
