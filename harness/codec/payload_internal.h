/* Internal to codec/: what a payload is, once it is known to be JSON. */
#ifndef NOVA_CODEC_PAYLOAD_INTERNAL_H
#define NOVA_CODEC_PAYLOAD_INTERNAL_H

#include "codec/payload.h"

/* nova_payload_kind_of() for a payload that was scanned. |whole|: NONE for one
 * that is no JSON. */
enum nova_payload_kind nova__payload_kind(enum nova_channel channel,
                                          struct nova_json_value whole);

#endif
