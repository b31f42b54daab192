/* Errors: one list (error.def), three views of it: code, name, text. */
#ifndef NOVA_BASE_ERROR_H
#define NOVA_BASE_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 is success in every function that returns a status; every error is
 * negative and one of these. */
enum nova_error {
  NOVA_OK = 0,
#define NOVA_E(name, number, klass, text) NOVA_ERR_##name = (number),
#include "base/error.def"
#undef NOVA_E
};

enum nova_error_class {
  NOVA_CLASS_NONE, /* NOVA_OK, or a number that is no error of ours */
  NOVA_CLASS_PEER,
  NOVA_CLASS_LOCAL,
  NOVA_CLASS_RESOURCE,
};

/* Where something went wrong in a text: the code and the byte offset from the
 * text's first byte (0-based) at which it was noticed. */
struct nova_fault_at {
  int code;
  size_t offset;
};

/* The error's name ("JSON_UTF8"), static; "OK" for 0, "UNKNOWN" for a number
 * that is not in the list. Never NULL. */
const char *nova_error_name(int code);

/* The error's text ("invalid UTF-8"), static, without a full stop; never NULL.
 */
const char *nova_error_text(int code);

/* Who is at fault. */
enum nova_error_class nova_error_class(int code);

#ifdef __cplusplus
}
#endif

#endif
