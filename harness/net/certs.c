/* Certificates of one run: keys on P-256, which every TLS version of today can
 * use and which cost a fraction of a millisecond to make. */
#include "net/certs.h"

#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
  NAME_MAX_BYTES = 253, /* of a DNS name */
  CN_MAX = 64,          /* ub-common-name, RFC 5280 appendix A.1 */
  SERIAL_BITS = 127     /* positive, and at most 20 bytes long */
};

#define MINE_MAX 24 /* PEM texts: two for each pair, one for each authority */

struct nova_certs {
  struct nova_certificates list;
  char *text[MINE_MAX];
  size_t texts;
};

/* One end of a signature. */
struct signer {
  EVP_PKEY *key;
  X509 *cert;
};

/* What a certificate is to be. Days count from the present. */
struct wanted {
  const char *common;       /* common name */
  const char *const *names; /* subjectAltName */
  size_t n;
  const char *usage; /* extended key usage, NULL: an authority */
  int from, to;
};

static void signer_free(struct signer *s) {
  X509_free(s->cert);
  EVP_PKEY_free(s->key);
  *s = (struct signer){0};
}

/* |name| without the brackets of an IPv6 address. Returns false for what can be
 * no name. */
static bool bare(const char *name, char out[NAME_MAX_BYTES + 1]) {
  size_t n = name != NULL ? strlen(name) : 0;
  if (n >= 2 && name[0] == '[' && name[n - 1] == ']') {
    name++;
    n -= 2;
  }
  if (n == 0 || n > NAME_MAX_BYTES)
    return false;
  for (size_t i = 0; i < n; i++)
    if (name[i] <= ' ' || name[i] > '~')
      return false;
  memcpy(out, name, n);
  out[n] = '\0';
  return true;
}

/* One subjectAltName, NULL on failure. */
static GENERAL_NAME *alternative(const char *name) {
  char text[NAME_MAX_BYTES + 1];
  if (!bare(name, text))
    return NULL;
  GENERAL_NAME *general = GENERAL_NAME_new();
  if (general == NULL)
    return NULL;
  ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
  if (address != NULL) {
    GENERAL_NAME_set0_value(general, GEN_IPADD, address);
    return general;
  }
  ASN1_IA5STRING *dns = ASN1_IA5STRING_new();
  if (dns == NULL || ASN1_STRING_set(dns, text, -1) != 1) {
    ASN1_IA5STRING_free(dns);
    GENERAL_NAME_free(general);
    return NULL;
  }
  GENERAL_NAME_set0_value(general, GEN_DNS, dns);
  return general;
}

static bool add_names(X509 *cert, const char *const *names, size_t n) {
  GENERAL_NAMES *list = GENERAL_NAMES_new();
  bool good = list != NULL;
  for (size_t i = 0; good && i < n; i++) {
    GENERAL_NAME *one = alternative(names[i]);
    good = one != NULL && sk_GENERAL_NAME_push(list, one) > 0;
    if (!good)
      GENERAL_NAME_free(one);
  }
  good = good && X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0) == 1;
  GENERAL_NAMES_free(list);
  return good;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid,
                          const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  bool good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return good;
}

static bool set_serial(X509 *cert) {
  BIGNUM *number = BN_new();
  bool good =
      number != NULL &&
      BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
  BN_free(number);
  return good;
}

static bool set_subject(X509 *cert, const char *common) {
  X509_NAME *name = X509_get_subject_name(cert);
  size_t n = strlen(common);
  return X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_ASC,
                                    (const unsigned char *)"novaprobe", -1, -1,
                                    0) == 1 &&
         X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                    (const unsigned char *)common,
                                    n < CN_MAX ? (int)n : CN_MAX, -1, 0) == 1;
}

static bool set_times(X509 *cert, const struct wanted *w, int64_t now) {
  time_t base = (time_t)now;
  return ASN1_TIME_adj(X509_getm_notBefore(cert), base, w->from, 0) != NULL &&
         ASN1_TIME_adj(X509_getm_notAfter(cert), base, w->to, 0) != NULL;
}

static bool set_extensions(X509 *cert, X509 *issuer, const struct wanted *w) {
  bool authority = w->usage == NULL;
  if (!add_extension(cert, issuer, NID_basic_constraints,
                     authority ? "critical,CA:TRUE,pathlen:0"
                               : "critical,CA:FALSE") ||
      !add_extension(cert, issuer, NID_key_usage,
                     authority ? "critical,keyCertSign,cRLSign"
                               : "critical,digitalSignature") ||
      !add_extension(cert, issuer, NID_subject_key_identifier, "hash") ||
      !add_extension(cert, issuer, NID_authority_key_identifier, "keyid"))
    return false;
  if (w->usage != NULL &&
      !add_extension(cert, issuer, NID_ext_key_usage, w->usage))
    return false;
  return w->n == 0 || add_names(cert, w->names, w->n);
}

/* A key and a certificate for it, signed by |by| or, where that is NULL, by
 * itself. */
static bool issue(struct signer *out, const struct signer *by,
                  const struct wanted *w, int64_t now) {
  *out = (struct signer){.key = EVP_EC_gen("P-256"), .cert = X509_new()};
  X509 *issuer = by != NULL ? by->cert : out->cert;
  bool good =
      out->key != NULL && out->cert != NULL &&
      X509_set_version(out->cert, X509_VERSION_3) == 1 &&
      set_serial(out->cert) && set_subject(out->cert, w->common) &&
      X509_set_issuer_name(out->cert, X509_get_subject_name(issuer)) == 1 &&
      set_times(out->cert, w, now) &&
      X509_set_pubkey(out->cert, out->key) == 1 &&
      set_extensions(out->cert, issuer, w) &&
      X509_sign(out->cert, by != NULL ? by->key : out->key, EVP_sha256()) != 0;
  if (!good)
    signer_free(out);
  return good;
}

/* Takes what was written as text that lasts as long as |c|. */
static bool keep(struct nova_certs *c, BIO *bio, struct nova_view *out) {
  char *p;
  long n = BIO_get_mem_data(bio, &p);
  if (n <= 0 || c->texts == MINE_MAX)
    return false;
  char *text = nova_mem_alloc(NULL, (size_t)n + 1);
  if (text == NULL)
    return false;
  memcpy(text, p, (size_t)n);
  text[n] = '\0';
  c->text[c->texts++] = text;
  *out = (struct nova_view){text, (size_t)n};
  return true;
}

static bool keep_cert(struct nova_certs *c, const struct signer *s,
                      struct nova_view *out) {
  BIO *bio = BIO_new(BIO_s_mem());
  bool good =
      bio != NULL && PEM_write_bio_X509(bio, s->cert) == 1 && keep(c, bio, out);
  BIO_free(bio);
  return good;
}

static bool keep_key(struct nova_certs *c, const struct signer *s,
                     struct nova_view *out) {
  BIO *bio = BIO_new(BIO_s_secmem());
  bool good =
      bio != NULL &&
      PEM_write_bio_PrivateKey(bio, s->key, NULL, NULL, 0, NULL, NULL) == 1 &&
      keep(c, bio, out);
  BIO_free(bio);
  return good;
}

/* A certificate of |by| (NULL: of its own), as text. */
static bool make(struct nova_certs *c, const struct signer *by,
                 const struct wanted *w, int64_t now, struct nova_pem *out) {
  struct signer s;
  if (!issue(&s, by, w, now))
    return false;
  bool good = keep_cert(c, &s, &out->cert) && keep_key(c, &s, &out->key);
  signer_free(&s);
  return good;
}

static bool make_servers(struct nova_certs *c, const struct signer *ca,
                         const struct signer *unknown, struct wanted w,
                         int64_t now) {
  static const char *const another[] = {"another-server.invalid"};
  struct nova_pem *out = c->list.server;
  if (!make(c, ca, &w, now, &out[NOVA_CERTIFICATE_GOOD]) ||
      !make(c, NULL, &w, now, &out[NOVA_CERTIFICATE_SELF_SIGNED]) ||
      !make(c, unknown, &w, now, &out[NOVA_CERTIFICATE_UNKNOWN_CA]))
    return false;
  struct wanted other = w;
  other.from = -30;
  other.to = -1;
  if (!make(c, ca, &other, now, &out[NOVA_CERTIFICATE_EXPIRED]))
    return false;
  other.from = 1;
  other.to = 30;
  if (!make(c, ca, &other, now, &out[NOVA_CERTIFICATE_NOT_YET_VALID]))
    return false;
  other = w;
  other.common = another[0];
  other.names = another;
  other.n = 1;
  return make(c, ca, &other, now, &out[NOVA_CERTIFICATE_WRONG_NAME]);
}

static bool make_all(struct nova_certs *c, const char *const *names, size_t n,
                     int64_t now) {
  enum { CA, UNKNOWN, CLIENT_CA, UNKNOWN_CLIENT_CA, AUTHORITIES };
  static const char *const called[AUTHORITIES] = {
      "novaprobe test CA", "novaprobe CA that nobody knows",
      "novaprobe client CA", "novaprobe client CA that nobody knows"};
  struct signer authority[AUTHORITIES] = {{0}};
  bool good = true;
  for (size_t i = 0; good && i < AUTHORITIES; i++) {
    struct wanted w = {.common = called[i], .from = -400, .to = 400};
    good = issue(&authority[i], NULL, &w, now);
  }
  char common[NAME_MAX_BYTES + 1];
  good = good && bare(names[0], common);
  if (good) {
    struct wanted server = {.common = common,
                            .names = names,
                            .n = n,
                            .usage = "serverAuth",
                            .from = -2,
                            .to = 365};
    struct wanted client = {.common = "novaprobe client",
                            .usage = "clientAuth",
                            .from = -2,
                            .to = 365};
    good = keep_cert(c, &authority[CA], &c->list.ca) &&
           keep_cert(c, &authority[CLIENT_CA], &c->list.client_ca) &&
           make_servers(c, &authority[CA], &authority[UNKNOWN], server, now) &&
           make(c, &authority[CLIENT_CA], &client, now, &c->list.client) &&
           make(c, &authority[UNKNOWN_CLIENT_CA], &client, now,
                &c->list.client_of_another);
  }
  for (size_t i = 0; i < AUTHORITIES; i++)
    signer_free(&authority[i]);
  return good;
}

struct nova_certs *nova_certs_new(const char *const *names, size_t n,
                                  int64_t unix_seconds, const char **why) {
  char room[NAME_MAX_BYTES + 1];
  const char *reason = NULL;
  if (n == 0)
    reason = "a certificate needs a name";
  for (size_t i = 0; i < n; i++)
    if (!bare(names[i], room))
      reason = "a certificate cannot carry a name that is empty, longer than "
               "253 bytes or not printable ASCII";
  struct nova_certs *c =
      reason == NULL ? nova_mem_zalloc(NULL, sizeof *c) : NULL;
  if (c != NULL) {
    ERR_clear_error();
    if (make_all(c, names, n, unix_seconds))
      return c;
    reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    nova_certs_free(c);
  }
  if (why != NULL)
    *why = reason != NULL ? reason : "out of memory";
  return NULL;
}

void nova_certs_free(struct nova_certs *c) {
  if (c == NULL)
    return;
  for (size_t i = 0; i < c->texts; i++) {
    OPENSSL_cleanse(c->text[i], strlen(c->text[i]));
    nova_mem_free(NULL, c->text[i]);
  }
  nova_mem_free(NULL, c);
}

const struct nova_certificates *nova_certs_get(const struct nova_certs *c) {
  return &c->list;
}
