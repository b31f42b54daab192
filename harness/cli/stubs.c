#include "cli/commands.h"
int nova_cmd_judge(const struct nova_options *o) {
  (void)o;
  return nova_broken("not yet");
}
int nova_cmd_report(const struct nova_options *o) {
  (void)o;
  return nova_broken("not yet");
}
