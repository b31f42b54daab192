/* Runs the scanner over files of the JSONTestSuite (tools/json-suite): y_ has
 * to be accepted, n_ refused, i_ is left open by RFC 8259 and only listed. */
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT ((size_t)1 << 20)

/* RFC 8259 calls what happens with a key that is there twice unpredictable; a
 * message with one is refused here. */
static bool twice(const char *name) {
  return strncmp(name, "y_object_duplicated_key", 23) == 0;
}

int main(int argc, char **argv) {
  static const char kinds[] = "yni";
  char *text = malloc(LIMIT);
  struct nova_json *json = nova_json_new(NULL, LIMIT, NOVA_JSON_DEPTH);
  unsigned count[3] = {0}, wrong = 0;
  if (text == NULL || json == NULL)
    return EXIT_FAILURE;
  for (int i = 1; i < argc; i++) {
    FILE *f = fopen(argv[i], "rb");
    if (f == NULL) {
      perror(argv[i]);
      return EXIT_FAILURE;
    }
    size_t n = fread(text, 1, LIMIT, f);
    fclose(f);
    const char *slash = strrchr(argv[i], '/');
    const char *name = slash != NULL ? slash + 1 : argv[i];
    const char *kind = strchr(kinds, name[0]);
    if (kind == NULL || name[0] == '\0')
      continue;
    struct nova_fault_at at = {0};
    int error = nova_json_check(json, text, n, NULL, &at);
    count[kind - kinds]++;
    if (name[0] == 'i' && error != 0)
      printf("open: %s: refused, %s at byte %zu\n", name,
             nova_error_text(error), at.offset);
    else if (name[0] == 'i')
      printf("open: %s: accepted\n", name);
    else if ((name[0] == 'y' && !twice(name)) != (error == 0)) {
      printf("WRONG: %s: %s\n", name,
             error == 0 ? "accepted" : nova_error_text(error));
      wrong++;
    }
  }
  printf("%u to accept, %u to refuse, %u left open: %u wrong\n", count[0],
         count[1], count[2], wrong);
  nova_json_free(json);
  free(text);
  return wrong == 0 && count[0] != 0 && count[1] != 0 ? EXIT_SUCCESS
                                                      : EXIT_FAILURE;
}
