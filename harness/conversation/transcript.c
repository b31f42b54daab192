#include "conversation/transcript.h"

#include "base/error.h"

#define ENTRIES_LEAST 256

const char *const nova_entry_names[] = {
    "connecting", "connected", "refused", "accepted", "sent",
    "received",   "closed",    "reset",   "close",    "hook",
    "note",       "lag",       "secured", "insecure", "exited"};

void nova_transcript_init(struct nova_transcript *t, const struct nova_mem *mem,
                          size_t max) {
  *t = (struct nova_transcript){.mem = mem, .max = max};
}

void nova_transcript_free(struct nova_transcript *t) {
  for (size_t i = 0; i < t->n; i++)
    nova_mem_free(t->mem, (void *)(uintptr_t)t->entry[i].bytes.p);
  nova_mem_free(t->mem, t->entry);
  nova_transcript_init(t, t->mem, t->max);
}

int nova_transcript_add(struct nova_transcript *t, const struct nova_entry *e) {
  size_t most = t->max / sizeof *e;
  if (t->n == (most > ENTRIES_LEAST ? most : ENTRIES_LEAST)) {
    t->cut = true;
    return 0;
  }
  if (t->n == t->cap) {
    size_t cap = t->cap == 0 ? 32 : t->cap * 2;
    struct nova_entry *grown =
        nova_mem_realloc(t->mem, t->entry, cap * sizeof *grown);
    if (grown == NULL)
      return NOVA_ERR_NO_MEMORY;
    t->entry = grown;
    t->cap = cap;
  }
  struct nova_entry *to = &t->entry[t->n];
  *to = *e;
  to->bytes = (struct nova_view){NULL, 0};
  if (e->bytes.n != 0) {
    if (e->bytes.n > t->max - t->kept) {
      t->cut = true;
    } else {
      char *copy = nova_mem_alloc(t->mem, e->bytes.n);
      if (copy == NULL)
        return NOVA_ERR_NO_MEMORY;
      memcpy(copy, e->bytes.p, e->bytes.n);
      to->bytes = (struct nova_view){copy, e->bytes.n};
      t->kept += e->bytes.n;
    }
  }
  t->n++;
  return 0;
}
