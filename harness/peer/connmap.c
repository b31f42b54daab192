#include "peer/connmap.h"

#include "base/error.h"

void nova__connmap_init(struct nova__connmap *m, const struct nova_mem *mem) {
  *m = (struct nova__connmap){.mem = mem};
}

void nova__connmap_free(struct nova__connmap *m) {
  nova_mem_free(m->mem, m->slot);
  nova__connmap_init(m, m->mem);
}

/* Connections are numbered in a row; the multiplication (2^64 divided by the
 * golden ratio) spreads them, and the high bits are the good ones. */
static size_t home(const struct nova__connmap *m, uint64_t conn) {
  return (size_t)(conn * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (m->cap - 1);
}

/* The slot of |conn|, or the free one where it would go. */
static size_t find(const struct nova__connmap *m, uint64_t conn) {
  size_t i = home(m, conn);
  while (m->slot[i].value != NULL && m->slot[i].conn != conn)
    i = (i + 1) & (m->cap - 1);
  return i;
}

static int grow(struct nova__connmap *m) {
  struct nova__connmap bigger = {.mem = m->mem,
                                 .cap = m->cap == 0 ? 16 : m->cap * 2};
  bigger.slot = nova_mem_zalloc(m->mem, bigger.cap * sizeof *bigger.slot);
  if (bigger.slot == NULL)
    return NOVA_ERR_NO_MEMORY;
  for (size_t i = 0; i < m->cap; i++)
    if (m->slot[i].value != NULL)
      bigger.slot[find(&bigger, m->slot[i].conn)] = m->slot[i];
  bigger.n = m->n;
  nova_mem_free(m->mem, m->slot);
  *m = bigger;
  return 0;
}

int nova__connmap_add(struct nova__connmap *m, uint64_t conn, void *value) {
  if (2 * (m->n + 1) > m->cap) {
    int err = grow(m);
    if (err != 0)
      return err;
  }
  m->slot[find(m, conn)] = (struct nova__connmap_slot){conn, value};
  m->n++;
  return 0;
}

void *nova__connmap_get(const struct nova__connmap *m, uint64_t conn) {
  return m->cap == 0 ? NULL : m->slot[find(m, conn)].value;
}

void nova__connmap_remove(struct nova__connmap *m, uint64_t conn) {
  if (m->cap == 0)
    return;
  size_t i = find(m, conn);
  if (m->slot[i].value == NULL)
    return;
  m->n--;
  /* Close the gap: move up every later one of the run that could stand here, so
   * that no search stops too early. */
  size_t mask = m->cap - 1;
  for (size_t j = (i + 1) & mask; m->slot[j].value != NULL;
       j = (j + 1) & mask) {
    size_t h = home(m, m->slot[j].conn);
    if (((j - h) & mask) >= ((j - i) & mask)) {
      m->slot[i] = m->slot[j];
      i = j;
    }
  }
  m->slot[i].value = NULL;
}
