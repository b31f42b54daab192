#include "cli/commands.h"
int nova_cmd_list(const struct nova_options *o) {
  (void)o;
  return nova_broken("not yet");
}
int nova_cmd_explain(const struct nova_options *o) {
  (void)o;
  return nova_broken("not yet");
}
int nova_cmd_check(const struct nova_options *o) {
  (void)o;
  return nova_broken("not yet");
}
int nova_cmd_init(const struct nova_options *o) {
  (void)o;
  return nova_broken("not yet");
}
int nova_cmd_judge(const struct nova_options *o) {
  (void)o;
  return nova_broken("not yet");
}
int nova_cmd_report(const struct nova_options *o) {
  (void)o;
  return nova_broken("not yet");
}
