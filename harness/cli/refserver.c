#include "cli/refserver.h"

#include "cli/near.h"
#include "cli/say.h"

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

int nova_refserver_start(struct nova_refserver *r,
                         const struct nova_refserver_options *o) {
  *r = (struct nova_refserver){.transport = nova_loop_attach(o->loop)};
  const struct nova_profile *p = o->profile;
  struct nova_credential *list =
      calloc(p->devices + 1, sizeof(struct nova_credential));
  if (r->transport == NULL || list == NULL) {
    free(list);
    return nova_broken("out of memory");
  }
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
      .faults = &o->faults};
  r->server = nova_server_new(&so);
  free(list);
  if (r->server == NULL)
    return nova_broken("out of memory");
  struct nova_serve_options vo = {.host = o->at.host,
                                  .port = o->at.port,
                                  .control_host = o->control.host,
                                  .control_port = o->control.port,
                                  .crashed = o->crashed,
                                  .user = o->user};
  const char *why = NULL;
  r->serve = nova_serve_new(r->transport, r->server, &vo, &why);
  if (r->serve == NULL)
    return nova_wrong("cannot listen: %s", why != NULL ? why : "?");
  return 0;
}

void nova_refserver_stop(struct nova_refserver *r) {
  nova_serve_free(r->serve);
  nova_server_free(r->server);
  if (r->transport != NULL)
    nova_loop_detach(r->transport);
  *r = (struct nova_refserver){0};
}
