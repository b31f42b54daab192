/* What the parsing layers with faults of both reference peers ask about a line.
 */
#ifndef NOVA_PEER_MALFORMED_H
#define NOVA_PEER_MALFORMED_H

#include "base/view.h"

/* How deep brackets nest, whatever else the text is. */
size_t nova__depth_of(struct nova_view v);

/* Whether |err| of the decoder says that a text is no JSON, but for the defects
 * that have faults of their own: UTF-8, NUL, depth, an empty line. */
bool nova__is_invalid_json(int err);

#endif
