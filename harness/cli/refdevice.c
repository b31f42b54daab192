#include "cli/refdevice.h"

#include "cli/refserver.h"
#include "cli/say.h"
#include "net/library.h"
#include "net/tls.h"

int nova_refdevice_faults(const struct nova_options *o,
                          struct nova_fault_set *out) {
  return nova_ref_faults(o, 1u << NOVA_SIDE_DEVICE, out);
}

/* The first example value of each actuator is what it starts with. Returns
 * false where there is none that is a plain value. */
static bool actuators(const struct nova_profile *p,
                      struct nova_device_actuator *list, size_t *n) {
  *n = 0;
  for (const struct nova_actuator *a = p->actuators; a != NULL; a = a->next) {
    if (*n == NOVA_DEVICE_ACTUATORS_MAX || a->values == NULL ||
        a->values->kind != NOVA_PATTERN_LITERAL)
      return false;
    list[*n].name = nova_view_of(a->name);
    list[(*n)++].value = a->values->json;
  }
  return true;
}

/* An interval that was not given is the device's default. */
static nova_ts interval(const struct nova_timers *t, enum nova_timer which) {
  return t->set[which] ? t->span[which] : 0;
}

/* In whole seconds, as CONNECT has it. |least|: libmosquitto takes none below
 * 5 s. */
static uint16_t keep_alive(const struct nova_timers *t, nova_ts least) {
  nova_ts seconds = (t->span[NOVA_TIMER_heartbeat] + NOVA_SEC - 1) / NOVA_SEC;
  if (seconds < least)
    seconds = least;
  return seconds < UINT16_MAX ? (uint16_t)seconds : UINT16_MAX;
}

static int make(struct nova_refdevice *r,
                const struct nova_refdevice_options *o) {
  const struct nova_profile *p = o->profile;
  const struct nova_transport_ops *ops = r->transport->ops;
  struct nova_device_actuator list[NOVA_DEVICE_ACTUATORS_MAX];
  struct nova_view keys[NOVA_DEVICE_VALUE_KEYS_MAX];
  size_t n = 0;
  if (!actuators(p, list, &n))
    return nova_wrong("the reference device has at most %d actuators, each "
                      "with a plain example value",
                      NOVA_DEVICE_ACTUATORS_MAX);
  if (p->value_keys_n > NOVA_DEVICE_VALUE_KEYS_MAX)
    return nova_wrong("the reference device has at most %d value_keys",
                      NOVA_DEVICE_VALUE_KEYS_MAX);
  for (size_t i = 0; i < p->value_keys_n; i++)
    keys[i] = nova_view_of(p->value_keys[i]);
  const struct nova_timers *t = &p->timers;
  struct nova_device_options d = {
      .protocol = o->protocol,
      .id = nova_view_of(p->device[0].id),
      .key = nova_view_of(p->device[0].key),
      .auth_timeout = t->span[NOVA_TIMER_auth_timeout],
      .heartbeat = t->span[NOVA_TIMER_heartbeat],
      .idle_timeout = t->span[NOVA_TIMER_idle_timeout],
      .response_timeout = t->span[NOVA_TIMER_response_timeout],
      .reconnect_timeout = t->span[NOVA_TIMER_reconnect_timeout],
      .late_tolerance = interval(t, NOVA_TIMER_late_tolerance),
      .data_interval = interval(t, NOVA_TIMER_data_interval),
      .report_interval = interval(t, NOVA_TIMER_report_interval),
      .status_interval = t->span[NOVA_TIMER_status_interval],
      .keep_alive = keep_alive(t, r->library != NULL ? 5 : 1),
      .unix_base = ops->unix_ns(r->transport) - ops->now(r->transport),
      .seed = o->seed,
      .actuators = n != 0 ? list : NULL,
      .actuator_count = n,
      .value_keys = p->value_keys != NULL ? keys : NULL,
      .value_key_count = p->value_keys_n,
      .faults = &o->faults};
  r->device = nova_device_new(&d);
  return r->device != NULL
             ? 0
             : nova_wrong("the reference device cannot have this credential, "
                          "these actuators or these value_keys: too long, or "
                          "not fit for a topic");
}

/* Over MQTT the device of libmosquitto is an independent one: what the harness
 * says of it does not rest on the harness's own client alone. With faults it
 * has to say what no library says. */
static bool takes_library(const struct nova_refdevice_options *o) {
  bool faults = false;
  for (unsigned f = 0; f < NOVA_FAULTS; f++)
    faults |= nova_fault_has(&o->faults, (enum nova_fault)f);
  return o->protocol == NOVA_DEVICE_MQTT && !faults;
}

int nova_refdevice_start(struct nova_refdevice *r,
                         const struct nova_refdevice_options *o) {
  *r = (struct nova_refdevice){.transport = nova_loop_attach(o->loop)};
  if (r->transport == NULL)
    return nova_broken("out of memory");
  bool library = takes_library(o);
  if (library && (r->library = nova_library_new(NULL, o->loop)) == NULL)
    return nova_broken("out of memory");
  if (!library && o->tls != NULL &&
      (r->tls = nova_tls_wrap(NULL, r->transport)) == NULL)
    return nova_broken("out of memory");
  int status = make(r, o);
  if (status != 0)
    return status;
  struct nova_drive_options v = {.host = o->at.host,
                                 .port = o->at.port,
                                 .tls = o->tls,
                                 .exited = o->exited,
                                 .news = o->news,
                                 .user = o->user};
  r->drive = nova_drive_new(library          ? r->library
                            : r->tls != NULL ? r->tls
                                             : r->transport,
                            r->device, &v);
  return r->drive != NULL ? 0 : nova_broken("out of memory");
}

void nova_refdevice_stop(struct nova_refdevice *r) {
  nova_drive_free(r->drive);
  nova_device_free(r->device);
  nova_tls_unwrap(r->tls);
  nova_library_free(r->library);
  if (r->transport != NULL)
    nova_loop_detach(r->transport);
  *r = (struct nova_refdevice){0};
}
