/* What one end is to do, as OpenSSL has it: contexts, certificates, versions,
 * verification. */
#include "net/tls_internal.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define ABOUT_MAX ((size_t)4 << 20) /* bytes of certificates of one context */

/* Certificates and keys are read from memory alone: a key with a password is
 * refused, nobody is asked for it. */
static int no_password(char *buf, int size, int writing, void *user) {
  (void)buf, (void)size, (void)writing, (void)user;
  return 0;
}

static BIO *bio_of(struct nova_view pem) {
  return pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

static bool use_chain(SSL_CTX *context, struct nova_view pem) {
  BIO *bio = bio_of(pem);
  X509 *cert =
      bio != NULL ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
  bool good = cert != NULL && SSL_CTX_use_certificate(context, cert) == 1;
  X509_free(cert);
  while (good &&
         (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
    good = SSL_CTX_add1_chain_cert(context, cert) == 1;
    X509_free(cert);
  }
  BIO_free(bio);
  return good;
}

static bool use_key(SSL_CTX *context, struct nova_view pem) {
  BIO *bio = bio_of(pem);
  EVP_PKEY *key = bio != NULL
                      ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)
                      : NULL;
  bool good = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1 &&
              SSL_CTX_check_private_key(context) == 1;
  EVP_PKEY_free(key);
  BIO_free(bio);
  return good;
}

/* Whom to trust. A server names them to its clients. */
static bool use_authorities(SSL_CTX *context, struct nova_view pem,
                            bool server) {
  BIO *bio = bio_of(pem);
  X509 *cert = NULL;
  size_t n = 0;
  bool good = bio != NULL;
  while (good &&
         (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
    good = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), cert) == 1 &&
           (!server || SSL_CTX_add_client_CA(context, cert) == 1);
    X509_free(cert);
    n++;
  }
  BIO_free(bio);
  return good && n != 0;
}

static bool check_nothing(const struct nova_tls *how) {
  return !how->server ? how->anyone : !how->required;
}

/* Notes the first reason against the other end's certificate. The answer says
 * whether that matters. */
static int note_verify(int good, X509_STORE_CTX *store, bool lenient) {
  SSL *ssl =
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct nova__tls_seen *seen = SSL_get_app_data(ssl);
  if (good)
    return 1;
  if (seen->verify == X509_V_OK)
    seen->verify = X509_STORE_CTX_get_error(store);
  return lenient;
}

static int verify_strictly(int good, X509_STORE_CTX *store) {
  return note_verify(good, store, false);
}

static int verify_leniently(int good, X509_STORE_CTX *store) {
  return note_verify(good, store, true);
}

/* The newest version of those that a supported_versions extension lists (RFC
 * 8446, 4.2.1), 0 for none that has a name. */
static int newest_listed(const unsigned char *p, size_t n) {
  int newest = 0;
  if (n == 0)
    return 0;
  for (size_t i = 1; i + 1 < n; i += 2) {
    int version = p[i] << 8 | p[i + 1];
    if (version >= SSL3_VERSION && version <= TLS1_3_VERSION &&
        version > newest)
      newest = version;
  }
  return newest;
}

static int on_client_hello(SSL *ssl, int *alert, void *user) {
  struct nova__tls_seen *seen = SSL_get_app_data(ssl);
  const unsigned char *p;
  size_t n;
  (void)alert, (void)user;
  if (seen == NULL)
    return SSL_CLIENT_HELLO_SUCCESS;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &n))
    seen->offered = newest_listed(p, n);
  if (seen->offered == 0) {
    /* Without the extension the field says it, up to 1.2. */
    int legacy = (int)SSL_client_hello_get0_legacy_version(ssl);
    seen->offered = legacy > TLS1_2_VERSION ? TLS1_2_VERSION
                    : legacy < TLS1_VERSION ? SSL3_VERSION
                                            : legacy;
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

/* Alerts as they come and go. */
static void on_info(const SSL *ssl, int where, int value) {
  struct nova__tls_seen *seen = SSL_get_app_data(ssl);
  if (seen == NULL || (where & SSL_CB_ALERT) == 0)
    return;
  bool fatal = value >> 8 == SSL3_AL_FATAL;
  if (!fatal && (value & 0xff) != SSL_AD_CLOSE_NOTIFY)
    return;
  *((where & SSL_CB_READ) != 0 ? &seen->alert_in : &seen->alert_out) =
      value & 0xff;
}

static bool set_versions(SSL_CTX *context, const struct nova_tls *how) {
  int lowest = how->lowest != NOVA_TLS_ANY ? (int)how->lowest : TLS1_2_VERSION;
  int highest = (int)how->highest;
  if (highest != 0 && how->lowest == NOVA_TLS_ANY && highest < lowest)
    lowest = highest; /* "no bound" does not forbid what is asked for */
  if (lowest < TLS1_VERSION || (highest != 0 && highest < lowest) ||
      highest > TLS1_3_VERSION)
    return false;
  /* Below 1.2 signatures are made with SHA-1, which no higher level allows. */
  if (lowest < TLS1_2_VERSION) {
    SSL_CTX_set_security_level(context, 0);
    if (SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0") != 1)
      return false;
  }
  return SSL_CTX_set_min_proto_version(context, lowest) == 1 &&
         SSL_CTX_set_max_proto_version(context, highest) == 1;
}

static bool set_verification(SSL_CTX *context, const struct nova_tls *how) {
  int mode = SSL_VERIFY_PEER;
  if (how->server && how->ca.n == 0) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    return true;
  }
  if (how->ca.n != 0 ? !use_authorities(context, how->ca, how->server)
                     : SSL_CTX_set_default_verify_paths(context) != 1)
    return false;
  if (how->server && how->required)
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode,
                     check_nothing(how) ? verify_leniently : verify_strictly);
  if (how->any_time)
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
                                X509_V_FLAG_NO_CHECK_TIME);
  return true;
}

static SSL_CTX *context_new(const struct nova_tls *how) {
  SSL_CTX *context =
      SSL_CTX_new(how->server ? TLS_server_method() : TLS_client_method());
  if (context == NULL)
    return NULL;
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_info_callback(context, on_info);
  bool good = set_versions(context, how) && set_verification(context, how);
  if (how->server) {
    SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
    good = good && SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_session_id_context(
               context, (const unsigned char *)"novaprobe", 9) == 1 &&
           how->own.cert.n != 0;
  }
  if (good && how->own.cert.n != 0)
    good = use_chain(context, how->own.cert) && use_key(context, how->own.key);
  if (!good) {
    SSL_CTX_free(context);
    return NULL;
  }
  return context;
}

/* Everything of |how| that makes a context what it is, as bytes. */
static int describe(struct nova_buf *out, const struct nova_tls *how) {
  const struct nova_view *text[] = {&how->own.cert, &how->own.key, &how->ca};
  int err = nova_buf_printf(out, "%d %d %d %d %d %d %zu %zu %zu:", how->server,
                            (int)how->lowest, (int)how->highest, how->anyone,
                            how->any_time, how->required, how->own.cert.n,
                            how->own.key.n, how->ca.n);
  for (size_t i = 0; err == 0 && i < 3; i++)
    err = nova_buf_append(out, text[i]->p, text[i]->n);
  return err;
}

static void drop(struct nova__tls_kept *kept) {
  SSL_CTX_free(kept->context);
  kept->context = NULL;
  if (kept->about.data != NULL)
    OPENSSL_cleanse(kept->about.data, kept->about.cap);
  nova_buf_free(&kept->about);
}

void nova__tls_contexts_init(struct nova__tls_contexts *c,
                             const struct nova_mem *mem) {
  *c = (struct nova__tls_contexts){.next = 0};
  for (size_t i = 0; i < NOVA__TLS_KEPT; i++)
    nova_buf_init(&c->kept[i].about, mem, ABOUT_MAX);
}

void nova__tls_contexts_free(struct nova__tls_contexts *c) {
  for (size_t i = 0; i < NOVA__TLS_KEPT; i++)
    drop(&c->kept[i]);
}

/* The context for |how|, the list's; NULL with |err| set. */
static SSL_CTX *find_context(struct nova__tls_contexts *c,
                             const struct nova_tls *how, int *err) {
  struct nova_buf about;
  nova_buf_init(&about, c->kept[0].about.mem, ABOUT_MAX);
  *err = describe(&about, how);
  if (*err == NOVA_ERR_LIMIT)
    *err = NOVA_ERR_ARGUMENT;
  if (*err != 0) {
    nova_buf_free(&about);
    return NULL;
  }
  for (size_t i = 0; i < NOVA__TLS_KEPT; i++) {
    if (c->kept[i].context != NULL &&
        nova_view_eq(nova_buf_view(&c->kept[i].about), nova_buf_view(&about))) {
      OPENSSL_cleanse(about.data, about.cap);
      nova_buf_free(&about);
      return c->kept[i].context;
    }
  }
  SSL_CTX *context = context_new(how);
  if (context == NULL) {
    bool memory = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
    *err = memory ? NOVA_ERR_NO_MEMORY : NOVA_ERR_ARGUMENT;
    OPENSSL_cleanse(about.data, about.cap);
    nova_buf_free(&about);
    return NULL;
  }
  struct nova__tls_kept *kept = &c->kept[c->next];
  c->next = (c->next + 1) % NOVA__TLS_KEPT;
  drop(kept);
  *kept = (struct nova__tls_kept){context, about};
  return context;
}

/* Compares the server's certificate with |name|, and sends it where that is
 * allowed: RFC 6066, section 3, has no addresses there. */
static bool set_name(SSL *ssl, struct nova_view name) {
  char text[256];
  unsigned char address[sizeof(struct in6_addr)];
  if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
    name = (struct nova_view){name.p + 1, name.n - 2};
  if (name.n == 0 || name.n >= sizeof text ||
      memchr(name.p, '\0', name.n) != NULL)
    return false;
  memcpy(text, name.p, name.n);
  text[name.n] = '\0';
  X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
  if (inet_pton(AF_INET, text, address) == 1 ||
      inet_pton(AF_INET6, text, address) == 1)
    return X509_VERIFY_PARAM_set1_ip_asc(param, text) == 1;
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(param, text, name.n) == 1 &&
         SSL_set_tlsext_host_name(ssl, text) == 1;
}

int nova__tls_new(struct nova__tls_contexts *c, const struct nova_tls *how,
                  SSL **out) {
  int err = 0;
  ERR_clear_error();
  SSL_CTX *context = find_context(c, how, &err);
  if (context == NULL) {
    ERR_clear_error();
    return err;
  }
  SSL *ssl = SSL_new(context);
  if (ssl == NULL) {
    ERR_clear_error();
    return NOVA_ERR_NO_MEMORY;
  }
  if (!how->server && how->name.n != 0 && !set_name(ssl, how->name)) {
    ERR_clear_error();
    SSL_free(ssl);
    return NOVA_ERR_ARGUMENT;
  }
  if (how->server)
    SSL_set_accept_state(ssl);
  else
    SSL_set_connect_state(ssl);
  *out = ssl;
  return 0;
}

bool nova_tls_can(enum nova_tls_version version) {
  struct nova__tls_seen seen = {.alert_in = -1, .alert_out = -1};
  struct nova_tls how = {.lowest = version, .highest = version, .anyone = true};
  bool can = false;
  SSL *ssl = NULL;
  ERR_clear_error();
  if (version == NOVA_TLS_ANY)
    return true;
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  /* Whether it gets as far as a ClientHello: what is built in, what the
   * system's settings forbid, and whether there is a cipher left. */
  if (context != NULL && set_versions(context, &how) &&
      (ssl = SSL_new(context)) != NULL) {
    BIO *in = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
    if (in != NULL && to != NULL) {
      BIO_set_mem_eof_return(in, -1);
      SSL_set_app_data(ssl, &seen);
      SSL_set_connect_state(ssl);
      SSL_set_bio(ssl, in, to);
      (void)SSL_do_handshake(ssl);
      can = BIO_pending(to) > 0 && seen.alert_out < 0;
    } else {
      BIO_free(in);
      BIO_free(to);
    }
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
  ERR_clear_error();
  return can;
}
