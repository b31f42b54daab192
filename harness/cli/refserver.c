#include "cli/refserver.h"

#include "cli/near.h"
#include "cli/say.h"
#include "net/tls.h"

#include <stdlib.h>

int nova_ref_faults(const struct nova_options *o, unsigned sides,
                    struct nova_fault_set *out) {
  *out = (struct nova_fault_set){0};
  for (size_t i = 0; i < o->opt[NOVA_OPT_FAULT].n; i++) {
    const char *name = o->opt[NOVA_OPT_FAULT].value[i];
    enum nova_fault f = nova_fault_find(nova_view_of(name));
    if (f == NOVA_FAULTS) {
      struct nova_near near;
      nova_near_init(&near, name, strlen(name));
      for (unsigned k = 0; k < NOVA_FAULTS; k++)
        if ((1u << nova_fault_info((enum nova_fault)k)->side & sides) != 0)
          nova_near_try(&near, nova_fault_info((enum nova_fault)k)->name);
      const char *best = nova_near_best(&near);
      return best != NULL
                 ? nova_wrong("--fault %s: there is no such fault; did you "
                              "mean %s?",
                              name, best)
                 : nova_wrong("--fault %s: there is no such fault; novaprobe "
                              "list faults names them",
                              name);
    }
    enum nova_side side = nova_fault_info(f)->side;
    if ((1u << side & sides) == 0)
      return nova_wrong("--fault %s: this is a fault of the reference %s", name,
                        side == NOVA_SIDE_DEVICE ? "device" : "server");
    nova_fault_add(out, f);
  }
  return 0;
}

int nova_refserver_faults(const struct nova_options *o,
                          struct nova_fault_set *out) {
  return nova_ref_faults(o, 1u << NOVA_SIDE_SERVER, out);
}

/* The names that a client on this machine may call the server. */
static int make_certificates(struct nova_refserver *r, const char *host) {
  const char *names[4] = {host}, *why = NULL;
  static const char *const own[] = {"localhost", "127.0.0.1", "::1"};
  size_t n = 1;
  for (size_t i = 0; i < 3; i++)
    if (strcmp(own[i], host) != 0)
      names[n++] = own[i];
  const struct nova_transport_ops *ops = r->transport->ops;
  int64_t now = (int64_t)(ops->unix_ns(r->transport) / NOVA_SEC);
  r->made = nova_certs_new(names, n, now, &why);
  if (r->made == NULL)
    return nova_broken("cannot make certificates: %s",
                       why != NULL ? why : "out of memory");
  r->certificates = nova_certs_get(r->made);
  return 0;
}

static int begin_tls(struct nova_refserver *r,
                     const struct nova_refserver_options *o,
                     struct nova_tls *tls) {
  r->certificates = o->certificates;
  int status =
      r->certificates == NULL ? make_certificates(r, o->mqtts.host) : 0;
  if (status != 0)
    return status;
  r->tls = nova_tls_wrap(NULL, r->transport);
  if (r->tls == NULL)
    return nova_broken("out of memory");
  *tls = (struct nova_tls){
      .server = true, .own = r->certificates->server[NOVA_CERTIFICATE_GOOD]};
  if (o->client_certificates) {
    tls->ca = r->certificates->client_ca;
    tls->required = true;
  }
  return 0;
}

static int make_server(struct nova_refserver *r,
                       const struct nova_refserver_options *o) {
  const struct nova_profile *p = o->profile;
  struct nova_credential *list =
      calloc(p->devices + 1, sizeof(struct nova_credential));
  if (list == NULL)
    return nova_broken("out of memory");
  for (size_t i = 0; i < p->devices; i++)
    list[i] = (struct nova_credential){nova_view_of(p->device[i].id),
                                       nova_view_of(p->device[i].key)};
  const struct nova_transport_ops *ops = r->transport->ops;
  struct nova_server_options so = {
      .auth_timeout = p->timers.span[NOVA_TIMER_auth_timeout],
      .idle_timeout = p->timers.span[NOVA_TIMER_idle_timeout],
      .unix_base = ops->unix_ns(r->transport) - ops->now(r->transport),
      .seed = o->seed,
      .devices = list,
      .device_count = p->devices,
      .platform = {nova_view_of(p->platform.id), nova_view_of(p->platform.key)},
      .faults = &o->faults};
  r->server = nova_server_new(&so);
  free(list);
  return r->server != NULL ? 0 : nova_broken("out of memory");
}

int nova_refserver_start(struct nova_refserver *r,
                         const struct nova_refserver_options *o) {
  *r = (struct nova_refserver){.transport = nova_loop_attach(o->loop)};
  struct nova_tls tls = {.server = true};
  if (r->transport == NULL)
    return nova_broken("out of memory");
  int status = make_server(r, o);
  if (status == 0 && o->mqtts.host != NULL)
    status = begin_tls(r, o, &tls);
  if (status != 0)
    return status;
  struct nova_serve_options vo = {.host = o->at.host,
                                  .port = o->at.port,
                                  .mqtt_host = o->mqtt.host,
                                  .mqtt_port = o->mqtt.port,
                                  .mqtts_host = o->mqtts.host,
                                  .mqtts_port = o->mqtts.port,
                                  .tls = &tls,
                                  .certificates = r->certificates,
                                  .control_host = o->control.host,
                                  .control_port = o->control.port,
                                  .crashed = o->crashed,
                                  .user = o->user};
  const char *why = NULL;
  r->serve = nova_serve_new(r->tls != NULL ? r->tls : r->transport, r->server,
                            &vo, &why);
  if (r->serve == NULL)
    return nova_wrong("cannot listen: %s", why != NULL ? why : "?");
  return 0;
}

void nova_refserver_stop(struct nova_refserver *r) {
  nova_serve_free(r->serve);
  nova_server_free(r->server);
  nova_tls_unwrap(r->tls);
  if (r->transport != NULL)
    nova_loop_detach(r->transport);
  nova_certs_free(r->made);
  *r = (struct nova_refserver){0};
}
