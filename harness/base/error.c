#include "base/error.h"

const char *nova_error_name(int code) {
  switch (code) {
  case NOVA_OK: return "OK";
#define NOVA_E(name, number, klass, text)                                      \
  case NOVA_ERR_##name:                                                        \
    return #name;
#include "base/error.def"
#undef NOVA_E
  }
  return "UNKNOWN";
}

const char *nova_error_text(int code) {
  switch (code) {
  case NOVA_OK: return "no error";
#define NOVA_E(name, number, klass, text)                                      \
  case NOVA_ERR_##name:                                                        \
    return text;
#include "base/error.def"
#undef NOVA_E
  }
  return "an unknown error";
}

enum nova_error_class nova_error_class(int code) {
  switch (code) {
#define NOVA_E(name, number, klass, text)                                      \
  case NOVA_ERR_##name:                                                        \
    return NOVA_CLASS_##klass;
#include "base/error.def"
#undef NOVA_E
  }
  return NOVA_CLASS_NONE;
}
