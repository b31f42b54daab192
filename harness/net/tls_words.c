/* What became of a handshake, in words. */
#include "net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

static const char *version_name(int version) {
  switch (version) {
  case SSL3_VERSION: return "ssl3";
  case TLS1_VERSION: return "1.0";
  case TLS1_1_VERSION: return "1.1";
  case TLS1_2_VERSION: return "1.2";
  case TLS1_3_VERSION: return "1.3";
  default: return NULL; /* whatever a peer wrote */
  }
}

/* RFC 8446 section 6; those that only older versions have: RFC 5246. */
static const char *alert_name(int alert) {
  switch (alert) {
  case 0: return "close notify";
  case 10: return "unexpected message";
  case 20: return "bad record MAC";
  case 21: return "decryption failed";
  case 22: return "record overflow";
  case 30: return "decompression failure";
  case 40: return "handshake failure";
  case 41: return "no certificate";
  case 42: return "bad certificate";
  case 43: return "unsupported certificate";
  case 44: return "certificate revoked";
  case 45: return "certificate expired";
  case 46: return "certificate unknown";
  case 47: return "illegal parameter";
  case 48: return "unknown CA";
  case 49: return "access denied";
  case 50: return "decode error";
  case 51: return "decrypt error";
  case 60: return "export restriction";
  case 70: return "protocol version";
  case 71: return "insufficient security";
  case 80: return "internal error";
  case 86: return "inappropriate fallback";
  case 90: return "user canceled";
  case 100: return "no renegotiation";
  case 109: return "missing extension";
  case 110: return "unsupported extension";
  case 111: return "certificate unobtainable";
  case 112: return "unrecognized name";
  case 113: return "bad certificate status response";
  case 114: return "bad certificate hash value";
  case 115: return "unknown PSK identity";
  case 116: return "certificate required";
  case 120: return "no application protocol";
  default: return "an alert without a name"; /* whatever a peer wrote */
  }
}

static const char *verify_reason(char *out, size_t n,
                                 const struct nova__tls_seen *seen) {
  switch (seen->verify) {
  case X509_V_ERR_CERT_HAS_EXPIRED: return "the certificate has expired";
  case X509_V_ERR_CERT_NOT_YET_VALID: return "the certificate is not valid yet";
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    return "the certificate is signed by itself";
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    return "the chain ends in an authority that is not trusted";
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    return "the certificate is of an authority that is not trusted";
  case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    return "the certificate's signature is wrong";
  case X509_V_ERR_INVALID_PURPOSE:
    return seen->server ? "the certificate is not one for clients"
                        : "the certificate is not one for servers";
  case X509_V_ERR_HOSTNAME_MISMATCH:
    snprintf(out, n, "the certificate does not carry the name %s", seen->name);
    return out;
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    snprintf(out, n, "the certificate does not carry the address %s",
             seen->name);
    return out;
  default: return X509_verify_cert_error_string(seen->verify);
  }
}

/* Puts |s| behind what |out| has, as a JSON string's content: what cannot stand
 * there as it is becomes '?'. */
static size_t put(char *out, size_t at, const char *s) {
  for (; *s != '\0' && at < NOVA__TLS_TEXT - 3; s++) {
    char c = *s;
    if (c == '"' || c == '\\')
      c = '\'';
    else if (c < ' ' || c > '~')
      c = '?';
    out[at++] = c;
  }
  out[at] = '\0';
  return at;
}

/* A member that is a string; none for NULL. */
static size_t member(char *out, size_t at, const char *key, const char *value) {
  char head[32];
  if (value == NULL || at + strlen(key) + 8 > NOVA__TLS_TEXT)
    return at;
  int n = snprintf(head, sizeof head, "%s\"%s\":\"", at > 1 ? "," : "", key);
  memcpy(out + at, head, (size_t)n + 1);
  at = put(out, at + (size_t)n, value);
  out[at++] = '"';
  out[at] = '\0';
  return at;
}

static size_t number(char *out, size_t at, const char *key, int value) {
  if (value < 0 || at + strlen(key) + 20 > NOVA__TLS_TEXT)
    return at;
  return at + (size_t)snprintf(out + at, 32, ",\"%s\":%d", key, value);
}

static char *finish(char *out, size_t at) {
  out[at] = '}';
  out[at + 1] = '\0';
  return out;
}

static size_t begin(char *out, const char *result, SSL *ssl) {
  const SSL_CIPHER *cipher = NULL;
  out[0] = '{';
  size_t at = member(out, 1, "result", result);
  if (ssl != NULL && (cipher = SSL_get_current_cipher(ssl)) == NULL)
    cipher = SSL_get_pending_cipher(ssl);
  if (cipher != NULL) { /* then the version is agreed on too */
    at = member(out, at, "version", version_name(SSL_version(ssl)));
    at = member(out, at, "cipher", SSL_CIPHER_get_name(cipher));
  }
  return at;
}

static size_t offers(char *out, size_t at, const struct nova__tls_seen *seen) {
  return seen->server && seen->offered != 0
             ? member(out, at, "offers", version_name(seen->offered))
             : at;
}

char *nova__tls_secured(char out[NOVA__TLS_TEXT], SSL *ssl,
                        const struct nova__tls_seen *seen) {
  char room[320];
  size_t at = begin(out, "secured", ssl);
  X509 *peer = SSL_get0_peer_certificate(ssl);
  if (peer == NULL) {
    at = member(out, at, "certificate", "none");
  } else if (seen->verify == X509_V_OK) {
    at = member(out, at, "certificate", "verified");
  } else {
    at = member(out, at, "certificate", "unverified");
    at = member(out, at, "why", verify_reason(room, sizeof room, seen));
  }
  return finish(out, offers(out, at, seen));
}

char *nova__tls_failed(char out[NOVA__TLS_TEXT], SSL *ssl,
                       const struct nova__tls_seen *seen, enum nova__tls_by by,
                       const char *why) {
  static const char *const names[] = {"peer", "us", "end"};
  char room[320];
  unsigned long error = ERR_peek_last_error();
  size_t at = begin(out, "failed", ssl);
  at = member(out, at, "by", names[by]);
  if (by == NOVA__TLS_PEER) {
    at = number(out, at, "alert", seen->alert_in);
    if (why == NULL)
      why = alert_name(seen->alert_in);
  } else if (by == NOVA__TLS_US) {
    at = number(out, at, "sent", seen->alert_out);
    if (why == NULL && seen->verify != X509_V_OK &&
        ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
      why = verify_reason(room, sizeof room, seen);
    if (why == NULL && error != 0)
      why = ERR_reason_error_string(error);
    if (why == NULL)
      why = "the library gives no reason";
  } else if (why == NULL) {
    why = "the connection ended during the handshake";
  }
  ERR_clear_error();
  at = member(out, at, "why", why);
  return finish(out, offers(out, at, seen));
}

const char *nova__tls_stranger(char out[128], unsigned char first,
                               bool server) {
  /* Handshake and alert records; a ClientHello as SSL 2 framed it. */
  if (first == 0x16 || first == 0x15 || (server && first >= 0x80))
    return NULL;
  const char *what = NULL;
  if (server && first == 0x10)
    what = "an MQTT CONNECT in the clear";
  else if (!server && first == 0x20)
    what = "an MQTT CONNACK in the clear";
  else if (first == '{')
    what = "JSON in the clear";
  else if (first >= ' ' && first <= '~')
    what = "text in the clear";
  if (what != NULL)
    snprintf(out, 128,
             "the other end does not speak TLS: by its first byte it "
             "sent %s",
             what);
  else
    snprintf(out, 128,
             "the other end does not speak TLS: its first byte was "
             "0x%02x",
             (unsigned)first);
  return out;
}
