/* The reference device, commands: guide 3.3. */
#include "peer/device_state.h"

#include "base/utf8.h"

/* --- what is declared ------------------------------------------------------
 */

static int copy(struct nova_device *d, struct nova_view from,
                struct nova_view *to) {
  if (from.n == 0 || from.n > 255 || nova_utf8_check(from.p, from.n) != from.n)
    return NOVA_ERR_ARGUMENT;
  char *p = nova_mem_alloc(d->mem, from.n);
  if (p == NULL)
    return NOVA_ERR_NO_MEMORY;
  memcpy(p, from.p, from.n);
  *to = (struct nova_view){p, from.n};
  return 0;
}

static void put(struct nova__actuator *a, struct nova_json_value v) {
  memcpy(a->value, v.text.p, v.text.n);
  a->n = v.text.n;
  a->type = v.type;
}

/* A line feed within a value would end the message that holds it. */
static bool is_storable(struct nova_json_value v) {
  return v.text.n <= NOVA_DEVICE_VALUE_MAX &&
         memchr(v.text.p, '\n', v.text.n) == NULL;
}

static int add_actuator(struct nova_device *d,
                        const struct nova_device_actuator *from) {
  struct nova__actuator *a = &d->actuators[d->actuator_count];
  struct nova_json_value v;
  int err = nova_json_check(d->json, from->value.p, from->value.n, &v, NULL);
  if (err != 0 || !is_storable(v))
    return NOVA_ERR_ARGUMENT;
  /* Two members of one name would make the state no JSON. */
  for (size_t i = 0; i < d->actuator_count; i++)
    if (nova_view_eq(d->actuators[i].name, from->name))
      return NOVA_ERR_ARGUMENT;
  err = copy(d, from->name, &a->name);
  if (err != 0)
    return err;
  put(a, v);
  d->actuator_count++;
  return 0;
}

static int add_value_key(struct nova_device *d, struct nova_view key) {
  for (size_t i = 0; i < d->value_key_count; i++)
    if (nova_view_eq(d->value_keys[i], key))
      return NOVA_ERR_ARGUMENT;
  int err = copy(d, key, &d->value_keys[d->value_key_count]);
  d->value_key_count += err == 0;
  return err;
}

int nova__device_actuators_init(struct nova_device *d,
                                const struct nova_device_options *o) {
  static const struct nova_device_actuator guide[] = {
      {{"relay1", 6}, {"\"OFF\"", 5}}, {{"led_brightness", 14}, {"0", 1}}};
  static const struct nova_view measured[] = {
      {"temperature", 11}, {"humidity", 8}, {"light", 5}};
  const struct nova_device_actuator *from =
      o->actuators != NULL ? o->actuators : guide;
  size_t n = o->actuators != NULL ? o->actuator_count : 2;
  const struct nova_view *key =
      o->value_keys != NULL ? o->value_keys : measured;
  size_t keys = o->value_keys != NULL ? o->value_key_count : 3;
  if (n > NOVA_DEVICE_ACTUATORS_MAX || keys > NOVA_DEVICE_VALUE_KEYS_MAX)
    return NOVA_ERR_ARGUMENT;
  /* One more: no allocation of nothing. */
  d->actuators = nova_mem_zalloc(d->mem, (n + 1) * sizeof *d->actuators);
  d->value_keys = nova_mem_zalloc(d->mem, (keys + 1) * sizeof *d->value_keys);
  if (d->actuators == NULL || d->value_keys == NULL)
    return NOVA_ERR_NO_MEMORY;
  int err = 0;
  for (size_t i = 0; i < n && err == 0; i++)
    err = add_actuator(d, &from[i]);
  for (size_t i = 0; i < keys && err == 0; i++)
    err = add_value_key(d, key[i]);
  return err;
}

void nova__device_actuators_free(struct nova_device *d) {
  for (size_t i = 0; i < d->actuator_count; i++)
    nova_mem_free(d->mem, (void *)(uintptr_t)d->actuators[i].name.p);
  for (size_t i = 0; i < d->value_key_count; i++)
    nova_mem_free(d->mem, (void *)(uintptr_t)d->value_keys[i].p);
  nova_mem_free(d->mem, d->actuators);
  nova_mem_free(d->mem, d->value_keys);
}

/* --- set_actuator ----------------------------------------------------------
 */

static struct nova__actuator *find(struct nova_device *d,
                                   struct nova_json_value name) {
  for (size_t i = 0; i < d->actuator_count; i++)
    if (nova_json_string_is(name, d->actuators[i].name))
      return &d->actuators[i];
  return NULL;
}

static bool is_boolean(enum nova_json_type t) {
  return t == NOVA_JSON_TRUE || t == NOVA_JSON_FALSE;
}

/* Whether |a| can be set to |v|. One that was declared null takes anything. */
static bool takes(const struct nova__actuator *a, struct nova_json_value v) {
  if (a == NULL || !is_storable(v))
    return false;
  return a->type == NOVA_JSON_NULL || a->type == v.type ||
         (is_boolean(a->type) && is_boolean(v.type));
}

/* All or nothing, but for V_D_UNKNOWN_ACTUATOR. */
bool nova__device_set_actuators(struct nova_device *d,
                                struct nova_json_value params) {
  struct nova_json_iter it;
  struct nova_json_value name, v;
  if (params.type != NOVA_JSON_OBJECT)
    return false;
  nova_json_iter_init(&it, params);
  while (nova_json_next(&it, &name, &v)) {
    struct nova__actuator *a = find(d, name);
    if (!takes(a, v) &&
        !(a == NULL && NOVA__DEVICE_HAS(d, V_D_UNKNOWN_ACTUATOR)))
      return false;
  }
  nova_json_iter_init(&it, params);
  while (nova_json_next(&it, &name, &v)) {
    struct nova__actuator *a = find(d, name);
    if (a != NULL && !NOVA__DEVICE_HAS(d, D_STATE_NOT_SET))
      put(a, v);
  }
  return true;
}

/* --- the command -----------------------------------------------------------
 */

static struct nova_json_value member(const struct nova_msg *m,
                                     const char *name) {
  return nova_json_get(m->whole, nova_view_of(name));
}

bool nova__device_misses_command(const struct nova_device *d) {
  size_t waiting = 0;
  for (const struct nova__device_post *p = d->late.head; p != NULL; p = p->next)
    waiting++;
  return (waiting >= 1 && (NOVA__DEVICE_HAS(d, D_ONE_AT_A_TIME) ||
                           NOVA__DEVICE_HAS(d, DM_ONE_AT_A_TIME))) ||
         (waiting >= 4 && NOVA__DEVICE_HAS(d, D_QUEUE_OF_FOUR));
}

/* Whether a fault keeps the answer back. */
static bool is_kept_back(const struct nova_device *d,
                         const struct nova__device_answer *a) {
  return NOVA__DEVICE_HAS(d, D_NO_RESPONSES) ||
         (NOVA__DEVICE_HAS(d, D_UNKNOWN_IGNORED) && !a->known) ||
         (NOVA__DEVICE_HAS(d, D_FAILED_NOT_ANSWERED) && a->known && !a->done);
}

static int carry_out(struct nova_device *d, const struct nova_msg *m,
                     struct nova__device_answer *a) {
  bool old = NOVA__DEVICE_HAS(d, D_STATE_OLD);
  a->params = member(m, "params");
  a->known =
      nova_json_string_is(member(m, "command"), nova_view_of("set_actuator"));
  int err = old ? nova__device_put_state(d) : 0;
  a->done = a->known && nova__device_set_actuators(d, a->params);
  return old ? err : nova__device_put_state(d);
}

void nova__device_command(struct nova_device *d, const struct nova_msg *m) {
  struct nova_json_value id = member(m, "command_id");
  struct nova_json_value device = member(m, "device_id");
  struct nova__device_answer a;
  if (id.type != NOVA_JSON_STRING ||
      (device.type == NOVA_JSON_STRING &&
       !nova_json_string_is(device, d->options.id)) ||
      nova__device_misses_command(d))
    return;
  d->commands++;
  if (NOVA__DEVICE_HAS(d, D_PING_STOPS_AFTER_COMMAND))
    d->timer[NOVA__DEVICE_PING] = NOVA_TS_NONE;
  if (carry_out(d, m, &a) != 0 || nova__device_spell_id(d, id) != 0) {
    nova__device_give_up(d);
    return;
  }
  if (is_kept_back(d, &a))
    return;
  if (NOVA__DEVICE_HAS(d, V_D_STATUS_FIRST))
    nova__device_say_status(d, "online");
  nova__device_say_response(d, &a);
}
