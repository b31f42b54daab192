#include "net/idmap.h"

#include "base/error.h"

void nova__idmap_init(struct nova__idmap *m, const struct nova_mem *mem) {
  *m = (struct nova__idmap){.mem = mem};
}

void nova__idmap_free(struct nova__idmap *m) {
  nova_mem_free(m->mem, m->slot);
  nova__idmap_init(m, m->mem);
}

/* Ids count up from some start, so that a multiplication by an odd number with
 * well mixed high bits (2^64 / golden ratio) spreads them enough. */
static size_t home(const struct nova__idmap *m, uint64_t id) {
  return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (m->cap - 1);
}

static void place(struct nova__idmap *m, uint64_t id, void *value) {
  size_t i = home(m, id);
  while (m->slot[i].value != NULL)
    i = (i + 1) & (m->cap - 1);
  m->slot[i] = (struct nova__idmap_slot){id, value};
}

int nova__idmap_add(struct nova__idmap *m, uint64_t id, void *value) {
  if ((m->n + 1) * 2 > m->cap) {
    struct nova__idmap grown = {.mem = m->mem, .n = m->n};
    grown.cap = m->cap == 0 ? 16 : m->cap * 2;
    grown.slot = nova_mem_zalloc(m->mem, grown.cap * sizeof *grown.slot);
    if (grown.slot == NULL)
      return NOVA_ERR_NO_MEMORY;
    for (size_t i = 0; i < m->cap; i++)
      if (m->slot[i].value != NULL)
        place(&grown, m->slot[i].id, m->slot[i].value);
    nova_mem_free(m->mem, m->slot);
    *m = grown;
  }
  place(m, id, value);
  m->n++;
  return 0;
}

/* The slot of |id|, or NULL. */
static struct nova__idmap_slot *find(const struct nova__idmap *m, uint64_t id) {
  if (m->cap == 0)
    return NULL;
  for (size_t i = home(m, id); m->slot[i].value != NULL;
       i = (i + 1) & (m->cap - 1))
    if (m->slot[i].id == id)
      return &m->slot[i];
  return NULL;
}

void *nova__idmap_get(const struct nova__idmap *m, uint64_t id) {
  const struct nova__idmap_slot *s = find(m, id);
  return s != NULL ? s->value : NULL;
}

void nova__idmap_remove(struct nova__idmap *m, uint64_t id) {
  struct nova__idmap_slot *s = find(m, id);
  if (s == NULL)
    return;
  m->n--;
  /* Closes the gap: a later entry of the same run moves into it unless it
   * stands between its home and the gap already. */
  size_t mask = m->cap - 1, gap = (size_t)(s - m->slot);
  for (size_t i = (gap + 1) & mask; m->slot[i].value != NULL;
       i = (i + 1) & mask) {
    if (((i - home(m, m->slot[i].id)) & mask) >= ((i - gap) & mask)) {
      m->slot[gap] = m->slot[i];
      gap = i;
    }
  }
  m->slot[gap].value = NULL;
}

void *nova__idmap_any(const struct nova__idmap *m) {
  if (m->n != 0)
    for (size_t i = 0; i < m->cap; i++)
      if (m->slot[i].value != NULL)
        return m->slot[i].value;
  return NULL;
}
