/* Memory is handed in, so that running out of it is a path that tests walk. */
#ifndef NOVA_BASE_MEM_H
#define NOVA_BASE_MEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An allocator. |realloc| behaves as the C library's: NULL for |p| allocates,
 * NULL in return leaves |p| as it was. |free| takes NULL. |user| is passed
 * through. */
struct nova_mem {
  void *(*realloc)(void *p, size_t n, void *user);
  void (*free)(void *p, void *user);
  void *user;
};

/* The C library's allocator. Every function that takes a `const struct
 * nova_mem *` takes NULL for this one, and keeps the pointer: the allocator
 * outlives what was made with it. */
const struct nova_mem *nova_mem_default(void);

void *nova_mem_alloc(const struct nova_mem *mem, size_t n);
void *nova_mem_zalloc(const struct nova_mem *mem, size_t n);
void *nova_mem_realloc(const struct nova_mem *mem, void *p, size_t n);
void nova_mem_free(const struct nova_mem *mem, void *p);

#ifdef __cplusplus
}
#endif

#endif
