#include "cli/commands.h"

int nova_cmd_version(const struct nova_options *o) {
  (void)o;
  static const char text[] = "novaprobe " NOVA_VERSION "\n";
  return nova_put(text, sizeof text - 1);
}
