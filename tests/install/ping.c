/* Reads lines of a server from standard input and writes what they are: what
 * the first lines of a device on libnovacodec look like. */
#include "codec/line.h"
#include "codec/message.h"

#include <stdio.h>

int main(void) {
  struct nova_msg ping = {.kind = NOVA_MSG_PING, .present = 3};
  ping.u.ping.device_id = nova_string_of("DEV-000001");
  ping.u.ping.timestamp = 1700000000;
  char text[256];
  size_t length;
  if (nova_msg_encode(&ping, text, sizeof text, &length) != 0)
    return 1;
  printf("%.*s", (int)length, text);

  struct nova_json *json =
      nova_json_new(NULL, NOVA_LINE_LIMIT, NOVA_JSON_DEPTH);
  struct nova_line line;
  if (json == NULL || nova_line_init(&line, NULL, NOVA_LINE_LIMIT) != 0)
    return 1;
  size_t n;
  while ((n = fread(text, 1, 7, stdin)) > 0)
    for (size_t at = 0, used; at < n; at += used) {
      struct nova_line_out out;
      if (nova_line_feed(&line, text + at, n - at, &used, &out) !=
          NOVA_LINE_FRAME)
        continue;
      struct nova_msg msg;
      int error = nova_msg_decode(json, out.frame.p, out.frame.n, &msg);
      if (error == 0)
        printf("%s\n", nova_msg_info(msg.kind)->name);
      else
        printf("%s at byte %zu\n", nova_error_text(error),
               msg.defect[0].offset);
    }
  nova_line_free(&line);
  nova_json_free(json);
  return 0;
}
