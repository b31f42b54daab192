#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void *libc_realloc(void *p, size_t n, void *user) {
  (void)user;
  return realloc(p, n);
}

static void libc_free(void *p, void *user) {
  (void)user;
  free(p);
}

const struct nova_mem *nova_mem_default(void) {
  static const struct nova_mem libc = {libc_realloc, libc_free, NULL};
  return &libc;
}

static const struct nova_mem *pick(const struct nova_mem *mem) {
  return mem != NULL ? mem : nova_mem_default();
}

void *nova_mem_realloc(const struct nova_mem *mem, void *p, size_t n) {
  mem = pick(mem);
  return mem->realloc(p, n, mem->user);
}

void *nova_mem_alloc(const struct nova_mem *mem, size_t n) {
  return nova_mem_realloc(mem, NULL, n);
}

void *nova_mem_zalloc(const struct nova_mem *mem, size_t n) {
  void *p = nova_mem_alloc(mem, n);
  if (p != NULL)
    memset(p, 0, n);
  return p;
}

void nova_mem_free(const struct nova_mem *mem, void *p) {
  mem = pick(mem);
  mem->free(p, mem->user);
}
