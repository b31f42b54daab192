/* TLS: data and ends of connections that are secured. */
#include "unit/net/tls_rig.h"

#include <stdlib.h>
#include <string.h>

TLS_ON_BOTH(bytes_go_both_ways) {
  tls_join_well(r, 1);
  cr_assert(tls_said(&r->a, "{\"result\":\"secured\",\"version\":\"1.3\","
                            "\"cipher\":\"TLS_"),
            "%s", r->a.said);
  cr_assert(tls_said(&r->a, "\"certificate\":\"none\""), "%s", r->a.said);
  cr_assert(tls_said(&r->a, "\"offers\":\"1.3\"}"), "%s", r->a.said);
  cr_assert(tls_said(&r->b, "\"certificate\":\"verified\"}"), "%s", r->b.said);
  cr_assert_eq(net_send(&r->w.b, 1, "hello", 5), 0);
  world_await_bytes(&r->w, &r->w.a, 5);
  cr_assert_eq(memcmp(r->w.a.bytes.data, "hello", 5), 0);
  cr_assert_eq(net_send(&r->w.a, r->id, "good day", 8), 0);
  world_await_bytes(&r->w, &r->w.b, 8);
  cr_assert_eq(memcmp(r->w.b.bytes.data, "good day", 8), 0);
  world_await(&r->w, &r->w.b, NOVA_EVENT_SENT, 1, 1);
  world_await(&r->w, &r->w.a, NOVA_EVENT_SENT, r->id, 1);
  world_run(&r->w, 20 * NOVA_MS);
  cr_assert_eq(party_count(&r->w.a, NOVA_EVENT_SENT, 0), 1,
               "SENT of what nobody sent");
  cr_assert_eq(party_count(&r->w.b, NOVA_EVENT_SENT, 0), 1);
}
