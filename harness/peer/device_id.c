/* The reference device, ids: that of the device and those of commands, as its
 * messages have them. */
#include "peer/device_state.h"

#include "peer/restyle.h"

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

char *nova__device_shown_id(const struct nova_device *d, size_t *n) {
  struct nova_view id = d->options.id;
  if (NOVA__DEVICE_HAS(d, D_ID_NO_PREFIX) && id.n > 4 &&
      memcmp(id.p, "DEV-", 4) == 0)
    id = (struct nova_view){id.p + 4, id.n - 4};
  char *shown = nova_mem_alloc(d->mem, id.n);
  if (shown == NULL)
    return NULL;
  for (size_t i = 0; i < id.n; i++)
    shown[i] = NOVA__DEVICE_HAS(d, D_ID_LOWER_CASE) ||
                       NOVA__DEVICE_HAS(d, DM_USERNAME_LOWER)
                   ? lower(id.p[i])
                   : id.p[i];
  *n = id.n;
  return shown;
}

/* --- command ids -----------------------------------------------------------
 */

/* How many bytes a fault leaves of |id|; whole characters. */
static size_t cut(const struct nova_device *d, struct nova_view id) {
  size_t most = id.n;
  if (NOVA__DEVICE_HAS(d, D_ID_31))
    most = 31;
  else if (NOVA__DEVICE_HAS(d, D_ID_63))
    most = 63;
  else if (NOVA__DEVICE_HAS(d, D_ID_127))
    most = 127;
  else if (NOVA__DEVICE_HAS(d, D_ID_254))
    most = 254;
  if (most >= id.n)
    most = id.n;
  while (most < id.n && most > 0 && ((unsigned char)id.p[most] & 0xc0) == 0x80)
    most--;
  const char *space = NOVA__DEVICE_HAS(d, D_ID_TO_SPACE) && most > 0
                          ? memchr(id.p, ' ', most)
                          : NULL;
  return space != NULL ? (size_t)(space - id.p) : most;
}

/* One byte of the id as a fault spells it. */
static int spell_byte(const struct nova_device *d, struct nova_buf *b, char c) {
  unsigned char u = (unsigned char)c;
  char two[2] = {(char)(0xc0 | u >> 6), (char)(0x80 | (u & 0x3f))};
  if (NOVA__DEVICE_HAS(d, D_ID_LOWER))
    c = lower(c);
  if (u >= 0x80 && NOVA__DEVICE_HAS(d, D_ID_LATIN1))
    return nova_buf_append(b, two, 2);
  if (u >= 0x80 && NOVA__DEVICE_HAS(d, D_ID_ASCII)) {
    if ((u & 0xc0) == 0x80)
      return 0;
    c = '?';
  }
  return nova_buf_append(b, &c, 1);
}

/* The id's characters, as a fault has them. */
static int spell(const struct nova_device *d, struct nova_json_value id,
                 struct nova_buf *out) {
  struct nova_buf plain;
  size_t n = nova_json_string(id, NULL, 0);
  nova_buf_init(&plain, d->mem, n + 1);
  char *room = nova_buf_reserve(&plain, n + 1);
  int err = room != NULL ? 0 : NOVA_ERR_NO_MEMORY;
  if (err == 0) {
    (void)nova_json_string(id, room, n);
    n = cut(d, (struct nova_view){room, n});
    for (size_t i = 0; i < n && err == 0; i++)
      err = spell_byte(d, out, room[i]);
  }
  nova_buf_free(&plain);
  return err;
}

/* D_ID_ESCAPES_KEPT, D_ID_ESCAPES_LOST: from the text as it stands. */
static int spell_raw(const struct nova_device *d, struct nova_json_value id,
                     struct nova_buf *out) {
  int err = 0;
  for (size_t i = 1; i + 1 < id.text.n && err == 0; i++)
    if (id.text.p[i] != '\\' || NOVA__DEVICE_HAS(d, D_ID_ESCAPES_KEPT))
      err = nova_buf_append(out, id.text.p + i, 1);
  return err;
}

static bool changes_ids(const struct nova_device *d) {
  return NOVA__DEVICE_HAS(d, D_ID_31) || NOVA__DEVICE_HAS(d, D_ID_63) ||
         NOVA__DEVICE_HAS(d, D_ID_127) || NOVA__DEVICE_HAS(d, D_ID_254) ||
         NOVA__DEVICE_HAS(d, D_ID_TO_SPACE) ||
         NOVA__DEVICE_HAS(d, D_ID_LOWER) || NOVA__DEVICE_HAS(d, D_ID_ASCII) ||
         NOVA__DEVICE_HAS(d, D_ID_LATIN1) ||
         NOVA__DEVICE_HAS(d, D_ID_UNESCAPED);
}

static int write_id(struct nova_device *d, struct nova_json_value id) {
  struct nova_buf *to = &d->id_text, b;
  bool raw = NOVA__DEVICE_HAS(d, D_ID_ESCAPES_KEPT) ||
             NOVA__DEVICE_HAS(d, D_ID_ESCAPES_LOST);
  if (NOVA__DEVICE_HAS(d, D_ID_OWN))
    return nova_buf_printf(to, "\"%llu\"", (unsigned long long)d->commands);
  /* The text as it stands is the same string, whatever its escapes. */
  if (!raw && !changes_ids(d))
    return nova_buf_append(to, id.text.p, id.text.n);
  nova_buf_init(&b, d->mem, to->max);
  int err = raw ? spell_raw(d, id, &b) : spell(d, id, &b);
  struct nova_view v = nova_buf_view(&b);
  if (err == 0 && !NOVA__DEVICE_HAS(d, D_ID_UNESCAPED)) {
    err = nova__put_string(to, v);
  } else if (err == 0) {
    err = nova_buf_puts(to, "\"");
    if (err == 0)
      err = nova_buf_append(to, v.p, v.n);
    if (err == 0)
      err = nova_buf_puts(to, "\"");
  }
  nova_buf_free(&b);
  return err;
}

int nova__device_spell_id(struct nova_device *d, struct nova_json_value id) {
  struct nova_buf before = d->id_before;
  nova_buf_clear(&d->id_text);
  int err = write_id(d, id);
  if (err != 0 || !NOVA__DEVICE_HAS(d, D_ID_STALE))
    return err;
  /* The first answer has its own, which is the one that it starts with. */
  if (before.len == 0)
    return nova_buf_append(&d->id_before, d->id_text.data + d->id_text.head,
                           d->id_text.len);
  d->id_before = d->id_text;
  d->id_text = before;
  return 0;
}
