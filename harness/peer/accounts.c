/* Devices and credentials: guide 1.2 and 5. */
#include "peer/server_state.h"

/* Devices that UNKNOWN_ACCEPTED registers by itself, at most. */
#define NOVA__REGISTERED_MAX 1000

static size_t bucket_of(const struct nova_server *s, struct nova_view id) {
  uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
  for (size_t i = 0; i < id.n; i++)
    h = (h ^ (unsigned char)id.p[i]) * UINT64_C(0x100000001b3);
  return (size_t)(h ^ h >> 32) % s->bucket_count;
}

/* NULL without memory or where the id is taken or a length out of its range. */
static struct nova__account *add(struct nova_server *s, struct nova_view id,
                                 struct nova_view key) {
  if (id.n == 0 || id.n > NOVA_DEVICE_ID_MAX || key.n == 0 ||
      key.n > NOVA_DEVICE_KEY_MAX || nova__account_find(s, id) != NULL)
    return NULL;
  struct nova__account *a = nova_mem_zalloc(s->mem, sizeof *a + id.n);
  if (a == NULL)
    return NULL;
  memcpy(a->id_bytes, id.p, id.n);
  a->id = (struct nova_view){a->id_bytes, id.n};
  memcpy(a->key, key.p, key.n);
  a->key_n = key.n;
  a->active = true;
  nova_buf_init(&a->values, s->mem, s->frame_limit);
  nova_buf_init(&a->status, s->mem, s->frame_limit);
  struct nova__account **bucket = &s->buckets[bucket_of(s, id)];
  a->bucket_next = *bucket;
  *bucket = a;
  a->next = s->accounts;
  s->accounts = a;
  s->account_count++;
  return a;
}

int nova__accounts_init(struct nova_server *s) {
  s->bucket_count = s->options.device_count + 16;
  s->buckets = nova_mem_zalloc(s->mem, s->bucket_count * sizeof *s->buckets);
  if (s->buckets == NULL)
    return NOVA_ERR_NO_MEMORY;
  for (size_t i = 0; i < s->options.device_count; i++)
    if (add(s, s->options.devices[i].id, s->options.devices[i].key) == NULL)
      return NOVA_ERR_ARGUMENT;
  return 0;
}

void nova__accounts_free(struct nova_server *s) {
  while (s->accounts != NULL) {
    struct nova__account *a = s->accounts;
    s->accounts = a->next;
    nova_buf_free(&a->values);
    nova_buf_free(&a->status);
    nova_mem_free(s->mem, a);
  }
  nova_mem_free(s->mem, s->buckets);
}

static char lower(char ch) {
  return ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch;
}

bool nova__same_but_case(struct nova_view a, struct nova_view b) {
  if (a.n != b.n)
    return false;
  for (size_t i = 0; i < a.n; i++)
    if (lower(a.p[i]) != lower(b.p[i]))
      return false;
  return true;
}

struct nova__account *nova__account_exact(const struct nova_server *s,
                                          struct nova_view id) {
  struct nova__account *a = s->buckets[bucket_of(s, id)];
  while (a != NULL && !nova_view_eq(a->id, id))
    a = a->bucket_next;
  return a;
}

struct nova__account *nova__account_find(struct nova_server *s,
                                         struct nova_view id) {
  struct nova__account *a = nova__account_exact(s, id);
  if (a == NULL && NOVA__HAS(s, ID_CASE)) {
    a = s->accounts;
    while (a != NULL && !nova__same_but_case(a->id, id))
      a = a->next;
  }
  return a;
}

/* Whether |sent| is the key |stored|. */
static bool key_equals(const struct nova_server *s, struct nova_view stored,
                       struct nova_view sent) {
  if (NOVA__HAS(s, KEY_NOT_COMPARED) ||
      (NOVA__HAS(s, EMPTY_KEY) && sent.n == 0))
    return true;
  if (NOVA__HAS(s, KEY_CUT_AT_NUL))
    sent.n = strnlen(sent.p, sent.n);
  if (NOVA__HAS(s, KEY_BY_PREFIX) && sent.n < stored.n)
    stored.n = sent.n;
  if (NOVA__HAS(s, KEY_TO_ITS_LENGTH) && sent.n > stored.n)
    sent.n = stored.n;
  if (NOVA__HAS(s, KEY_LAST_IGNORED) && sent.n == stored.n && sent.n > 0)
    stored.n = sent.n = sent.n - 1;
  return NOVA__HAS(s, KEY_CASE) ? nova__same_but_case(stored, sent)
                                : nova_view_eq(stored, sent);
}

static bool key_matches(const struct nova_server *s,
                        const struct nova__account *a, struct nova_view sent) {
  struct nova_view key = {a->key, a->key_n};
  struct nova_view old_key = {a->old_key, a->old_key_n};
  bool was_reset = a->old_key_n > 0;
  if (was_reset && NOVA__HAS(s, NEW_KEY_REFUSED))
    return key_equals(s, old_key, sent);
  if (was_reset && NOVA__HAS(s, OLD_KEY) && key_equals(s, old_key, sent))
    return true;
  return key_equals(s, key, sent);
}

static struct nova__account *find_by_key(const struct nova_server *s,
                                         struct nova_view key) {
  struct nova__account *a = s->accounts;
  while (a != NULL && !key_matches(s, a, key))
    a = a->next;
  return a;
}

/* Whether a fault lets a device_key of this type, which is no string, pass. */
static bool takes_key(const struct nova_server *s, enum nova_json_type type) {
  switch (type) {
  case NOVA_JSON_NONE: return NOVA__HAS(s, AUTH_NO_KEY);
  case NOVA_JSON_NUMBER: return NOVA__HAS(s, AUTH_NUMBER_KEY);
  case NOVA_JSON_TRUE: return NOVA__HAS(s, AUTH_TRUE_KEY);
  case NOVA_JSON_NULL: return NOVA__HAS(s, AUTH_NULL_KEY);
  case NOVA_JSON_ARRAY: return NOVA__HAS(s, AUTH_ARRAY_KEY);
  case NOVA_JSON_FALSE:
  case NOVA_JSON_STRING:
  case NOVA_JSON_OBJECT: break;
  }
  return false;
}

/* Whether a fault looks for the device by its key, the id being no string. */
static bool takes_id(const struct nova_server *s, enum nova_json_type type) {
  return (type == NOVA_JSON_NONE && NOVA__HAS(s, AUTH_NO_ID)) ||
         (type == NOVA_JSON_NUMBER && NOVA__HAS(s, AUTH_NUMBER_ID));
}

enum nova__credentials nova__credentials_check(struct nova_server *s,
                                               const struct nova_msg *auth,
                                               struct nova__account **account) {
  struct nova_json_value id_value =
      nova_json_get(auth->whole, nova_view_of("device_id"));
  struct nova_json_value key_value =
      nova_json_get(auth->whole, nova_view_of("device_key"));
  bool has_key = key_value.type == NOVA_JSON_STRING;
  bool has_id = id_value.type == NOVA_JSON_STRING;
  if ((!has_key && !takes_key(s, key_value.type)) ||
      (!has_id && !takes_id(s, id_value.type)))
    return NOVA__MALFORMED;

  char id_bytes[NOVA_DEVICE_ID_MAX], key_bytes[NOVA_DEVICE_KEY_MAX + 1];
  struct nova_view id = {id_bytes, 0}, key = {key_bytes, 0};
  id.n = nova_json_string(id_value, id_bytes, sizeof id_bytes);
  key.n = nova_json_string(key_value, key_bytes, sizeof key_bytes);
  if (id.n > sizeof id_bytes)
    return NOVA__UNKNOWN_DEVICE;
  bool too_long = key.n > sizeof key_bytes; /* no device has such a key */
  if (too_long)
    key.n = 0;

  struct nova__account *a =
      has_id ? nova__account_find(s, id) : find_by_key(s, key);
  if (a == NULL && has_id && has_key && NOVA__HAS(s, UNKNOWN_ACCEPTED) &&
      s->account_count < s->options.device_count + NOVA__REGISTERED_MAX)
    a = add(s, id, key);
  if (a == NULL)
    return NOVA__UNKNOWN_DEVICE;
  if (has_key && (too_long || !key_matches(s, a, key)))
    return NOVA__WRONG_KEY;
  if (!a->active && !NOVA__HAS(s, DEACTIVATED))
    return NOVA__NOT_ACTIVE;
  *account = a;
  return NOVA__GOOD;
}

void nova__account_reset(struct nova_server *s, struct nova__account *a) {
  static const char digits[] = "0123456789abcdef";
  memcpy(a->old_key, a->key, a->key_n);
  a->old_key_n = a->key_n;
  a->key_n = 32;
  for (size_t i = 0; i < a->key_n; i++)
    a->key[i] = digits[nova_rng_below(&s->rng, 16)];
}
