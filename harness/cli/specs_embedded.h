/* The files of specs/, generated at build time by cmake/embed.cmake. */
#ifndef NOVA_CLI_SPECS_EMBEDDED_H
#define NOVA_CLI_SPECS_EMBEDDED_H

#include "conversation/catalog.h"

extern const struct nova_spec_file nova__specs_embedded[];
extern const size_t nova__specs_embedded_n;

#endif
