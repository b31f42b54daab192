#include "cli/commands.h"

int main(int argc, char **argv) {
  return nova_main(argc, argv);
}
