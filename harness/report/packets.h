/* Internal: what the bytes of an MQTT conversation say, in lines for a person,
 * one for each packet:
 *
 *     CONNECT client_id=dev_1 keep_alive=60 username=DEV-1 password=***
 *     PUBLISH novacloud/devices/DEV-1/data qos 1 id 7 {"data_type":"sensor",...
 *     malformed PUBLISH: the QoS is 3 at byte 0 [MQTT-3.3.1-4]
 *
 * It stands at the entry that has the packet's last byte; an entry that ends
 * inside a packet has a line that says how far it came. The bytes stay the
 * evidence. */
#ifndef NOVA_REPORT_PACKETS_H
#define NOVA_REPORT_PACKETS_H

#include "report/mask.h"

/* The most columns of a payload, topic or name in a line, and the most packets
 * of an entry that have one. */
#define NOVA__PACKET_COLUMNS 120
#define NOVA__PACKET_LINES   100

struct nova__span {
  size_t from, end;
};

struct nova__packets {
  const struct nova_mem *mem;
  struct nova_buf text;    /* all lines */
  struct nova__span *line; /* where they are in it */
  size_t *first; /* by entry, and one more: it has the lines first[i] to
                    first[i + 1] - 1 */
};

/* Makes the lines; a transcript of another protocol has none.
 * |m|: masks every line as a whole besides; may be NULL.
 * |places|: of this transcript: what is masked in its bytes is "***" here. A
 * password is left out whether it is masked or not.
 * |out|: need not be initialised; free it, after an error too.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova__packets_of(const struct nova_mask *m,
                     const struct nova_conversation_result *c,
                     const struct nova_masking *places,
                     const struct nova_mem *mem, struct nova__packets *out);
void nova__packets_free(struct nova__packets *k);

/* Line |i|: UTF-8 that is safe to show. */
struct nova_view nova__packets_line(const struct nova__packets *k, size_t i);

/* Whether the bytes that |c| exchanged are MQTT. */
bool nova__is_mqtt(const struct nova_conversation_result *c);

#endif
