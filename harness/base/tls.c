#include "base/tls.h"

const char *const nova_certificate_names[NOVA_CERTIFICATES] = {
    "good",    "self_signed",   "unknown_ca",
    "expired", "not_yet_valid", "wrong_name"};
