/* Certificates against whoever looks at them: chain, name, time, versions. */
#include "unit/net/tls_rig.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* What becomes of a client that verifies, for each certificate. */
static const struct {
  enum nova_certificate certificate;
  const char *why; /* NULL: it is good */
  int alert;       /* that the server gets then */
  bool by_time;    /* good where time does not count */
} judged[] = {
    {NOVA_CERTIFICATE_GOOD, NULL, 0, false},
    {NOVA_CERTIFICATE_SELF_SIGNED, "signed by itself", 48, false},
    {NOVA_CERTIFICATE_UNKNOWN_CA, "of an authority that is not trusted", 48,
     false},
    {NOVA_CERTIFICATE_EXPIRED, "has expired", 45, true},
    {NOVA_CERTIFICATE_NOT_YET_VALID, "is not valid yet", 42, true},
    {NOVA_CERTIFICATE_WRONG_NAME, "does not carry the name localhost", 42,
     false},
};

enum { JUDGED = sizeof judged / sizeof *judged };

/* Opens a world anew for each of a test's cases. */
typedef void (*test_fn)(struct tls_rig *r, size_t i);

static void each(size_t n, test_fn fn) {
  for (size_t i = 0; i < n; i++) {
    struct tls_rig r;
    tls_open_sim(&r, NULL, NULL);
    fn(&r, i);
    tls_free(&r);
    tls_open_loop(&r, NULL);
    fn(&r, i);
    tls_free(&r);
  }
}

static void refused(struct tls_rig *r, size_t i) {
  char alert[32];
  tls_join(r, 1);
  snprintf(alert, sizeof alert, "\"alert\":%d,", judged[i].alert);
  cr_assert_eq(r->b.secured, 0, "%zu", i);
  cr_assert_eq(r->b.insecure, 1);
  cr_assert(tls_said(&r->b, "{\"result\":\"failed\",") &&
                tls_said(&r->b, "\"by\":\"us\"") &&
                tls_said(&r->b, judged[i].why),
            "%zu: %s", i, r->b.said);
  cr_assert_eq(r->a.secured, 0);
  cr_assert(tls_said(&r->a, "\"by\":\"peer\"") && tls_said(&r->a, alert),
            "%zu: %s", i, r->a.said);
  cr_assert_eq(net_send(&r->w.b, 1, "x", 1), NOVA_ERR_STATE);
  net_close(&r->w.b, 1, false);
  world_await(&r->w, &r->w.a, NOVA_EVENT_EOF, 0, 1);
  cr_assert_eq(r->w.a.bytes.len, 0);
}

static void verify(struct tls_rig *r, size_t i) {
  r->a.how.own = r->list->server[judged[i].certificate];
  if (judged[i].why != NULL) {
    refused(r, i);
    return;
  }
  tls_join_well(r, 1);
  cr_assert(tls_said(&r->b, "\"certificate\":\"verified\""), "%s", r->b.said);
}

Test(certs, a_client_that_verifies) {
  each(JUDGED, verify);
}

static void verify_1_2(struct tls_rig *r, size_t i) {
  r->a.how.highest = NOVA_TLS_1_2;
  verify(r, i);
}

Test(certs, a_client_that_verifies_with_1_2) {
  each(JUDGED, verify_1_2);
}

static void anyone(struct tls_rig *r, size_t i) {
  r->a.how.own = r->list->server[judged[i].certificate];
  r->b.how.anyone = true;
  tls_join_well(r, 1);
  if (judged[i].why == NULL)
    cr_assert(tls_said(&r->b, "\"certificate\":\"verified\""));
  else
    cr_assert(tls_said(&r->b, "\"certificate\":\"unverified\"") &&
                  tls_said(&r->b, judged[i].why),
              "%s", r->b.said);
}

Test(certs, a_client_that_takes_anyone) {
  each(JUDGED, anyone);
}

static void any_time(struct tls_rig *r, size_t i) {
  r->a.how.own = r->list->server[judged[i].certificate];
  r->b.how.any_time = true;
  if (judged[i].why != NULL && !judged[i].by_time) {
    refused(r, i);
    return;
  }
  tls_join_well(r, 1);
  cr_assert(tls_said(&r->b, "\"certificate\":\"verified\""), "%s", r->b.said);
}

Test(certs, a_client_without_a_clock) {
  each(JUDGED, any_time);
}

/* The system knows nobody of ours. */
static void system_ca(struct tls_rig *r, size_t i) {
  (void)i;
  r->b.how.ca = (struct nova_view){0};
  tls_join(r, 1);
  cr_assert(tls_said(&r->b, "not trusted"), "%s", r->b.said);
}

Test(certs, the_systems_authorities) {
  each(1, system_ca);
}

static const struct {
  const char *name;
  bool good;
} names[] = {
    {"localhost", true},    {"LOCALHOST", true},  {"device.example", true},
    {"127.0.0.1", true},    {"127.0.0.2", false}, {"device.example.x", false},
    {"ice.example", false}, {"example", false},   {"::1", false},
    {"[::1]", false},       {"", true},
};

static void named(struct tls_rig *r, size_t i) {
  r->b.how.name = nova_view_of(names[i].name);
  tls_join(r, 1);
  cr_assert_eq(r->b.secured == 1, names[i].good, "%s: %s", names[i].name,
               r->b.said);
  if (!names[i].good)
    cr_assert(tls_said(&r->b, "does not carry"), "%s", r->b.said);
}

Test(certs, names) {
  each(sizeof names / sizeof *names, named);
}

Test(certs, an_ipv6_address) {
  static const char *const list[] = {"[::1]", "fe80::2"};
  struct tls_rig r;
  const char *why = NULL;
  struct nova_certs *certs = nova_certs_new(list, 2, (int64_t)time(NULL), &why);
  cr_assert_not_null(certs, "%s", why);
  tls_open_sim(&r, NULL, NULL);
  r.a.how.own = nova_certs_get(certs)->server[NOVA_CERTIFICATE_GOOD];
  r.b.how.ca = nova_certs_get(certs)->ca;
  r.b.how.name = nova_view_of("[::1]");
  tls_join_well(&r, 1);
  tls_free(&r);
  nova_certs_free(certs);
}

Test(certs, names_that_no_certificate_can_carry) {
  static const char *const bad[] = {"", "a b", "\xc3\xa9", "[]"};
  char longer[300];
  const char *why = NULL;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    cr_assert_null(nova_certs_new(&bad[i], 1, 0, &why), "%zu", i);
    cr_assert_not_null(strstr(why, "name"));
  }
  memset(longer, 'a', sizeof longer);
  longer[sizeof longer - 1] = '\0';
  const char *one = longer;
  cr_assert_null(nova_certs_new(&one, 1, 0, &why));
  cr_assert_null(nova_certs_new(&one, 0, 0, &why));
  nova_certs_free(NULL);
}

/* No two certificates and keys are the same, within a run and between two. */
Test(certs, every_certificate_is_another) {
  static const char *const list[] = {"localhost"};
  struct nova_certs *c[2];
  const char *text[64];
  size_t n = 0;
  for (size_t i = 0; i < 2; i++) {
    const char *why = NULL;
    c[i] = nova_certs_new(list, 1, (int64_t)time(NULL), &why);
    const struct nova_certificates *l = nova_certs_get(c[i]);
    text[n++] = l->ca.p;
    text[n++] = l->client_ca.p;
    for (size_t k = 0; k < NOVA_CERTIFICATES; k++) {
      text[n++] = l->server[k].cert.p;
      text[n++] = l->server[k].key.p;
    }
    text[n++] = l->client.cert.p;
    text[n++] = l->client.key.p;
    text[n++] = l->client_of_another.cert.p;
    text[n++] = l->client_of_another.key.p;
  }
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < i; k++)
      cr_assert_str_neq(text[i], text[k]);
  nova_certs_free(c[0]);
  nova_certs_free(c[1]);
}

/* Certificates of clients. */

static const struct {
  bool required, own, another;
  const char *said;   /* by the server */
  const char *client; /* by the client with TLS 1.2, NULL: SECURED */
} clients[] = {
    {false, false, false, "\"certificate\":\"none\"", NULL},
    {false, true, false, "\"certificate\":\"verified\"", NULL},
    {false, false, true, "\"certificate\":\"unverified\",\"why\":\"", NULL},
    {true, true, false, "\"certificate\":\"verified\"", NULL},
    {true, false, false, "did not return a certificate", "\"alert\":40,"},
    {true, false, true, "not trusted", "\"alert\":48,"},
};

static void client_1_2(struct tls_rig *r, size_t i) {
  if (clients[i].own)
    r->b.how.own = r->list->client;
  if (clients[i].another)
    r->b.how.own = r->list->client_of_another;
  r->a.how.ca = r->list->client_ca;
  r->a.how.required = clients[i].required;
  r->a.how.highest = NOVA_TLS_1_2;
  tls_join(r, 1);
  cr_assert(tls_said(&r->a, clients[i].said), "%zu: %s", i, r->a.said);
  cr_assert_eq(r->a.secured == 1, clients[i].client == NULL);
  cr_assert_eq(r->b.secured == 1, clients[i].client == NULL, "%s", r->b.said);
  if (clients[i].client != NULL)
    cr_assert(tls_said(&r->b, clients[i].client), "%s", r->b.said);
}

Test(certs, clients_with_1_2) {
  each(sizeof clients / sizeof *clients, client_1_2);
}

/* With 1.3 a client is ready before the server has seen its certificate: the
 * alert comes after SECURED. */
static void client_1_3(struct tls_rig *r, size_t i) {
  if (clients[i].own)
    r->b.how.own = r->list->client;
  if (clients[i].another)
    r->b.how.own = r->list->client_of_another;
  r->a.how.ca = r->list->client_ca;
  r->a.how.required = clients[i].required;
  tls_join(r, 1);
  cr_assert(tls_said(&r->a, clients[i].said), "%zu: %s", i, r->a.said);
  cr_assert_eq(r->a.secured == 1, clients[i].client == NULL);
  if (clients[i].client == NULL)
    return;
  world_await(&r->w, &r->w.b, NOVA_EVENT_INSECURE, 1, 1);
  cr_assert_eq(r->b.secured, 1);
  cr_assert(
      tls_said(&r->b, clients[i].another ? "\"alert\":48," : "\"alert\":116,"),
      "%s", r->b.said);
  cr_assert_eq(net_send(&r->w.b, 1, "x", 1), NOVA_ERR_STATE);
}

Test(certs, clients_with_1_3) {
  each(sizeof clients / sizeof *clients, client_1_3);
}

/* Versions: what each side is bound to, and what comes of it. */

#define ANY NOVA_TLS_ANY
#define V10 NOVA_TLS_1_0
#define V11 NOVA_TLS_1_1
#define V12 NOVA_TLS_1_2
#define V13 NOVA_TLS_1_3

static const struct {
  enum nova_tls_version a_low, a_high, b_low, b_high;
  const char *version; /* NULL: none in common */
  const char *offers;
} versions[] = {
    {ANY, ANY, ANY, ANY, "1.3", "1.3"}, {ANY, ANY, V12, V12, "1.2", "1.2"},
    {V12, V12, ANY, ANY, "1.2", "1.3"}, {V13, V13, ANY, ANY, "1.3", "1.3"},
    {ANY, ANY, V13, V13, "1.3", "1.3"}, {V12, V12, V13, V13, NULL, "1.3"},
    {V13, V13, V12, V12, NULL, "1.2"},  {ANY, ANY, V11, V11, NULL, "1.1"},
    {ANY, ANY, V10, V10, NULL, "1.0"},  {ANY, V11, ANY, ANY, NULL, "1.3"},
    {V10, V11, V10, ANY, "1.1", "1.3"}, {V10, ANY, V10, V10, "1.0", "1.0"},
    {V11, V11, V11, V11, "1.1", "1.1"}, {V10, V10, V10, V13, "1.0", "1.3"},
    {V10, ANY, V11, V11, "1.1", "1.1"}, {V11, V11, V10, V10, NULL, "1.0"},
};

static void versioned(struct tls_rig *r, size_t i) {
  char want[64];
  r->a.how.lowest = versions[i].a_low;
  r->a.how.highest = versions[i].a_high;
  r->b.how.lowest = versions[i].b_low;
  r->b.how.highest = versions[i].b_high;
  tls_join(r, 1);
  snprintf(want, sizeof want, "\"offers\":\"%s\"}", versions[i].offers);
  cr_assert(tls_said(&r->a, want), "%zu: %s, not %s", i, r->a.said, want);
  if (versions[i].version == NULL) {
    cr_assert_eq(r->a.secured, 0);
    cr_assert_eq(r->b.secured, 0);
    cr_assert_eq(r->a.insecure, 1);
    cr_assert_eq(r->b.insecure, 1);
    cr_assert(tls_said(&r->b, "\"alert\":70,\"why\":\"protocol version\"}") ||
                  tls_said(&r->b, "unsupported protocol"),
              "%zu: %s", i, r->b.said);
    return;
  }
  cr_assert_eq(r->a.secured, 1, "%zu: %s", i, r->a.said);
  cr_assert_eq(r->b.secured, 1, "%zu: %s", i, r->b.said);
  snprintf(want, sizeof want, "\"version\":\"%s\",", versions[i].version);
  cr_assert(tls_said(&r->a, want), "%zu: %s", i, r->a.said);
  cr_assert(tls_said(&r->b, want), "%zu: %s", i, r->b.said);
  cr_assert_eq(net_send(&r->w.b, 1, "hello", 5), 0);
  world_await_bytes(&r->w, &r->w.a, 5);
}

Test(certs, versions) {
  cr_assert(nova_tls_can(NOVA_TLS_ANY));
  cr_assert(nova_tls_can(NOVA_TLS_1_0));
  cr_assert(nova_tls_can(NOVA_TLS_1_1));
  cr_assert(nova_tls_can(NOVA_TLS_1_2));
  cr_assert(nova_tls_can(NOVA_TLS_1_3));
  cr_assert_not(nova_tls_can((enum nova_tls_version)0x0300));
  cr_assert_not(nova_tls_can((enum nova_tls_version)0x0305));
  each(sizeof versions / sizeof *versions, versioned);
}

/* What secure() refuses. */

static int try_secure(struct tls_rig *r, const struct nova_tls *how) {
  return r->w.b.t->ops->secure(r->w.b.t, 1, how);
}

TLS_ON_BOTH(what_cannot_be_secured) {
  struct nova_pem good = r->list->server[NOVA_CERTIFICATE_GOOD];
  struct nova_pem other = r->list->server[NOVA_CERTIFICATE_EXPIRED];
  struct nova_view junk = nova_view_of("-----BEGIN CERTIFICATE-----\nAAAA\n");
  const struct nova_tls bad[] = {
      {.server = true},
      {.server = true, .own = {good.cert, other.key}},
      {.server = true, .own = {good.cert, {0}}},
      {.server = true, .own = {good.key, good.key}},
      {.server = true, .own = {junk, good.key}},
      {.server = true, .own = good, .ca = junk},
      {.ca = junk},
      {.ca = {good.cert.p, good.cert.n / 2}},
      {.ca = r->list->ca, .lowest = NOVA_TLS_1_3, .highest = NOVA_TLS_1_2},
      {.ca = r->list->ca, .lowest = (enum nova_tls_version)0x0300},
      {.ca = r->list->ca, .highest = (enum nova_tls_version)0x0305},
      {.ca = r->list->ca, .name = {"a\0b", 3}},
  };
  r->a.plain = r->b.plain = true;
  cr_assert_eq(try_secure(r, &r->b.how), NOVA_ERR_STATE, "no connection");
  cr_assert_eq(net_connect(&r->w.b, 1, r->w.host, r->port, NOVA_SEC), 0);
  cr_assert_eq(try_secure(r, &r->b.how), NOVA_ERR_STATE, "not open yet");
  world_await(&r->w, &r->w.b, NOVA_EVENT_CONNECTED, 1, 1);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_assert_eq(try_secure(r, &bad[i]), NOVA_ERR_ARGUMENT, "%zu", i);
  /* It is as it was: in the clear, until a byte has gone. */
  cr_assert_eq(net_send(&r->w.b, 1, "clear", 5), 0);
  world_await_bytes(&r->w, &r->w.a, 5);
  cr_assert_eq(try_secure(r, &r->b.how), NOVA_ERR_STATE, "bytes have gone");
  cr_assert_eq(r->w.a.t->ops->secure(r->w.a.t, r->id, &r->a.how),
               NOVA_ERR_STATE, "bytes have come");
  cr_assert_eq(memcmp(r->w.a.bytes.data, "clear", 5), 0);
}

TLS_ON_BOTH(a_connection_is_secured_once) {
  tls_join_well(r, 1);
  cr_assert_eq(try_secure(r, &r->b.how), NOVA_ERR_STATE);
  cr_assert_eq(net_send(&r->w.b, 1, "hello", 5), 0);
  world_await_bytes(&r->w, &r->w.a, 5);
}
