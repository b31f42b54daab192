#include "cli/security.h"

#include "cli/say.h"
#include "net/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PEM_MOST ((size_t)1 << 20)

/* A file of the profile's tls:, whole. */
static int read_pem(const char *what, const char *path, struct nova_buf *out,
                    struct nova_view *view) {
  const char *why = NULL;
  if (path == NULL)
    return 0;
  if (nova_file_read(path, out, &why) != 0)
    return nova_wrong("tls: %s %s: %s", what, path, why);
  *view = nova_buf_view(out);
  return 0;
}

static int of_server(struct nova_security *k, const struct nova_profile *p,
                     struct nova_run_options *o) {
  int status = read_pem("ca_file", p->tls.ca_file, &k->ca, &o->ca);
  if (status == 0)
    status = read_pem("cert_file", p->tls.cert_file, &k->cert, &o->own.cert);
  if (status == 0)
    status = read_pem("key_file", p->tls.key_file, &k->key, &o->own.key);
  return status;
}

/* For nobody but this user. */
static int put_file(struct nova_security *k, unsigned i, const char *name,
                    struct nova_view pem) {
  snprintf(k->file[i], sizeof k->file[i], "%s/%s", k->folder, name);
  int error = nova_file_write(k->file[i], pem.p, pem.n);
  return error == 0 ? 0 : nova_broken("%s: %s", k->file[i], strerror(error));
}

static int of_device(struct nova_security *k, struct nova_profile *p,
                     struct nova_run_options *o) {
  /* All addresses are the loopback's to a device that is started here. */
  const char *host = p->mqtts.host;
  bool any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ||
             strcmp(host, "*") == 0 || host[0] == '\0';
  const char *names[5];
  size_t n = 0;
  if (!any)
    names[n++] = host;
  if (p->tls.server_name != NULL)
    names[n++] = p->tls.server_name;
  names[n++] = "localhost";
  names[n++] = "127.0.0.1";
  names[n++] = "::1";
  const char *why = NULL;
  k->made = nova_certs_new(names, n, (int64_t)time(NULL), &why);
  if (k->made == NULL)
    return nova_broken("the certificates could not be made: %s", why);
  o->certificates = nova_certs_get(k->made);
  const char *base = getenv("TMPDIR");
  snprintf(k->folder, sizeof k->folder, "%.3000s/novaprobe-XXXXXX",
           base != NULL && *base != '\0' ? base : "/tmp");
  if (mkdtemp(k->folder) == NULL) {
    int error = errno;
    int status = nova_broken("%s: %s", k->folder, strerror(error));
    k->folder[0] = '\0';
    return status;
  }
  int status = put_file(k, 0, "ca.pem", o->certificates->ca);
  if (status == 0)
    status = put_file(k, 1, "client.pem", o->certificates->client.cert);
  if (status == 0)
    status = put_file(k, 2, "client.key", o->certificates->client.key);
  p->tls.ca_file = o->ca_file = k->file[0];
  p->tls.cert_file = o->client_cert_file = k->file[1];
  p->tls.key_file = o->client_key_file = k->file[2];
  return status;
}

int nova_security_begin(struct nova_security *k, struct nova_profile *p,
                        struct nova_run_options *o) {
  *k = (struct nova_security){.folder = ""};
  nova_buf_init(&k->ca, NULL, PEM_MOST);
  nova_buf_init(&k->cert, NULL, PEM_MOST);
  nova_buf_init(&k->key, NULL, PEM_MOST);
  if (p->mqtts.host == NULL)
    return 0;
  k->tls = nova_tls_wrap(NULL, o->transport);
  if (k->tls == NULL)
    return nova_broken("out of memory");
  o->transport = k->tls;
  return p->subject == NOVA_ROLE_SERVER ? of_server(k, p, o)
                                        : of_device(k, p, o);
}

void nova_security_free(struct nova_security *k) {
  for (unsigned i = 0; i < 3 && k->folder[0] != '\0'; i++)
    if (k->file[i][0] != '\0')
      unlink(k->file[i]);
  if (k->folder[0] != '\0')
    rmdir(k->folder);
  nova_tls_unwrap(k->tls);
  nova_certs_free(k->made);
  nova_buf_free(&k->ca);
  nova_buf_free(&k->cert);
  nova_buf_free(&k->key);
  *k = (struct nova_security){.folder = ""};
}
