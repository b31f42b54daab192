#include "base/error.h"

#include <criterion/criterion.h>
#include <string.h>

static const int codes[] = {
#define NOVA_E(name, number, klass, text) number,
#include "base/error.def"
#undef NOVA_E
};

/* Results and corpora name the numbers: each belongs to one error for good. */
Test(error, numbers_are_negative_and_unique) {
  size_t n = sizeof codes / sizeof *codes;
  for (size_t i = 0; i < n; i++) {
    cr_assert_lt(codes[i], 0);
    for (size_t k = 0; k < i; k++)
      cr_assert_neq(codes[i], codes[k]);
  }
}

Test(error, has_name_text_and_class) {
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    const char *name = nova_error_name(codes[i]);
    const char *text = nova_error_text(codes[i]);
    cr_assert_str_neq(name, "UNKNOWN");
    cr_assert_gt(strlen(text), 0);
    cr_assert_neq(text[strlen(text) - 1], '.', "%s", text);
    cr_assert_neq(nova_error_class(codes[i]), NOVA_CLASS_NONE);
  }
  cr_assert_str_eq(nova_error_name(NOVA_ERR_JSON_UTF8), "JSON_UTF8");
  cr_assert_str_eq(nova_error_text(NOVA_ERR_JSON_UTF8), "invalid UTF-8");
  cr_assert_eq(nova_error_class(NOVA_ERR_JSON_UTF8), NOVA_CLASS_PEER);
  cr_assert_eq(nova_error_class(NOVA_ERR_NO_MEMORY), NOVA_CLASS_RESOURCE);
  cr_assert_eq(nova_error_class(NOVA_ERR_ARGUMENT), NOVA_CLASS_LOCAL);
}

Test(error, other_numbers_are_none_of_ours) {
  cr_assert_str_eq(nova_error_name(0), "OK");
  static const int others[] = {1, -100000, 7};
  for (size_t i = 0; i < 3; i++) {
    cr_assert_str_eq(nova_error_name(others[i]), "UNKNOWN");
    cr_assert_not_null(nova_error_text(others[i]));
    cr_assert_eq(nova_error_class(others[i]), NOVA_CLASS_NONE);
  }
  cr_assert_eq(nova_error_class(0), NOVA_CLASS_NONE);
}
