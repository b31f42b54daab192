#include "codec/mqtt_internal.h"

#include "base/unreachable.h"

/* Laid out by hand: clang-format takes an #include behind a case for a part of
 * the macro above it. */
/* clang-format off */

const char *nova_mqtt_type_name(enum nova_mqtt_type type) {
  switch (type) {
#define NOVA_MQTT_TYPE(NAME, number, flags, error)                             \
  case NOVA_MQTT_##NAME: return #NAME;
#include "codec/mqtt.def"
  case NOVA_MQTT_NONE: break;
  }
  return "forbidden type";
}

uint8_t nova__mqtt_flags(enum nova_mqtt_type type, int *error) {
  switch (type) {
#define NOVA_MQTT_TYPE(NAME, number, flags, error_)                            \
  case NOVA_MQTT_##NAME:                                                       \
    *error = NOVA_ERR_##error_;                                                \
    return (flags);
#include "codec/mqtt.def"
  case NOVA_MQTT_NONE: break;
  }
  nova_unreachable();
}

const char *nova_mqtt_code_text(unsigned code) {
  switch (code) {
#define NOVA_MQTT_CODE(NAME, number, text)                                     \
  case number: return text;
#include "codec/mqtt.def"
  }
  return "a reserved return code";
}

const char *nova_mqtt_saw_text(unsigned bit) {
  switch (bit) {
#define NOVA_MQTT_SAW(NAME, number, text, statement)                           \
  case 1U << (number): return text;
#include "codec/mqtt.def"
  }
  return "";
}

const char *nova_mqtt_saw_statement(unsigned bit) {
  switch (bit) {
#define NOVA_MQTT_SAW(NAME, number, text, statement)                           \
  case 1U << (number): return statement;
#include "codec/mqtt.def"
  }
  return "";
}

const char *nova_mqtt_statement(int code) {
  switch (code) {
#define NOVA_E(name, number, klass, text)
#define NOVA_E_MQTT(name, number, text, statement, section)                    \
  case NOVA_ERR_MQTT_##name:                                                   \
    return statement;
#include "base/error.def"
#undef NOVA_E
  }
  return "";
}

const char *nova_mqtt_section(int code) {
  switch (code) {
#define NOVA_E(name, number, klass, text)
#define NOVA_E_MQTT(name, number, text, statement, section)                    \
  case NOVA_ERR_MQTT_##name:                                                   \
    return section;
#include "base/error.def"
#undef NOVA_E
  }
  return "";
}
/* clang-format on */
