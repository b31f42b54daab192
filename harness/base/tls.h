/* TLS as data: what one end of a connection is to do. net/tls.h does it, with
 * OpenSSL; certificates are made at run time by net/certs.h.
 *
 * What SECURED and INSECURE tell is a JSON object:
 *
 *   {"result":"secured","version":"1.3","cipher":"TLS_AES_256_GCM_SHA384",
 *    "certificate":"verified"}
 *   {"result":"failed","by":"peer","alert":48,"why":"unknown CA"}
 *
 *   result: "secured" or "failed"
 *   version: "1.0" to "1.3", once it is agreed on
 *   cipher: likewise
 *   certificate: of the other end: "verified" (chain and, for a server's,
 *     name), "none", or "unverified" with `why`; on the client's side a server
 *     that does not verify makes the handshake fail, unless |anyone|
 *   offers: on the server's side: the newest version that the ClientHello
 *     offers ("1.2"), "ssl3" for one below 1.0; absent where no ClientHello
 *     came
 *   by: of a failure: "peer" (an alert came), "us" (this end refused: `why`),
 *     "end" (the connection ended)
 *   alert: the number of the alert that came, where one did
 *   sent: the number of the alert that this end sent, where it did
 *   why: a plain sentence or the library's reason, ASCII */
#ifndef NOVA_BASE_TLS_H
#define NOVA_BASE_TLS_H

#include "base/view.h"

#include <stdbool.h>

/* Versions as on the wire. */
enum nova_tls_version {
  NOVA_TLS_ANY = 0, /* no bound on this side */
  NOVA_TLS_1_0 = 0x0301,
  NOVA_TLS_1_1 = 0x0302,
  NOVA_TLS_1_2 = 0x0303,
  NOVA_TLS_1_3 = 0x0304,
};

/* A certificate (with its chain) and its key, each PEM text; empty: none. */
struct nova_pem {
  struct nova_view cert, key;
};

/* One end. Views outlive the call that takes it. */
struct nova_tls {
  bool server;                   /* the side that this end plays */
  enum nova_tls_version lowest;  /* offered or accepted; ANY: 1.2 */
  enum nova_tls_version highest; /* ANY: the library's newest. Versions below
                                    1.2 are allowed for as asked, with the
                                    security level that they need */
  struct nova_pem own;           /* server: has to be there */
  struct nova_view ca;   /* PEM: whom the other end has to be of. Client:
                            empty means the system's; server: empty
                            means that no certificate is asked for */
  struct nova_view name; /* client: the name or address that the server's
                            certificate has to carry, also sent as SNI where
                            it is a name; empty: not compared */
  bool anyone;   /* client: a server that does not verify is SECURED all the
                    same, as "unverified" */
  bool any_time; /* the time of the other end's certificate does not count */
  bool required; /* server with |ca|: a client without a certificate that
                    verifies is refused */
};

/* The certificates of a harness or reference server, and what they are for. */
enum nova_certificate {
  NOVA_CERTIFICATE_GOOD,
  NOVA_CERTIFICATE_SELF_SIGNED,   /* good name, by nobody */
  NOVA_CERTIFICATE_UNKNOWN_CA,    /* good name, of a CA that nobody knows */
  NOVA_CERTIFICATE_EXPIRED,       /* good but for its time: ended a day ago */
  NOVA_CERTIFICATE_NOT_YET_VALID, /* begins in a day */
  NOVA_CERTIFICATE_WRONG_NAME,    /* of the trusted CA, for another name */
  NOVA_CERTIFICATES
};

/* "good", "self_signed", ...: as scripts call them. */
extern const char *const nova_certificate_names[NOVA_CERTIFICATES];

/* Everything that one run needs, made at run time (net/certs.h). */
struct nova_certificates {
  struct nova_view ca; /* PEM of the trusted CA */
  struct nova_pem server[NOVA_CERTIFICATES];
  struct nova_view client_ca;        /* whom clients' certificates are of */
  struct nova_pem client;            /* a good client certificate */
  struct nova_pem client_of_another; /* one of an unknown CA */
};

#endif
