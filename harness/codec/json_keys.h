/* Internal to codec/: finds duplicate keys in linear time.
 *
 * One open-addressing table serves all objects of a text. An object has a
 * serial number that no other object of this scanner has; a slot belongs to the
 * object whose number it carries, and is free if the number is older than the
 * text. So nothing has to be cleared between texts or objects.
 *
 * A text that is made so that many keys meet in one place of the table cannot
 * make it slow. Every step beyond the first, and every eight bytes that are
 * compared, draw on a budget that is linear in the length of the text. When it
 * is used up, the keys are only collected from there on, and at the end sorted
 * and compared with their neighbours. The sort merges: a comparison costs at
 * most the length of the key that it moves, and so a round at most the length
 * of the text, and there are log2(keys) rounds. O(n log n) at worst, whatever
 * the keys are. */
#ifndef NOVA_CODEC_JSON_KEYS_H
#define NOVA_CODEC_JSON_KEYS_H

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct nova__key {
  uint32_t object; /* serial number */
  uint32_t offset; /* of the key's first character; the top bit is set where the
                      key holds an escape */
};

#define NOVA__KEY_ESCAPED UINT32_C(0x80000000)

struct nova__keys {
  struct nova__key *slot;
  size_t slots; /* a power of two */
  const char *text;
  size_t n;
  uint32_t mask; /* of the part that this text uses */
  unsigned shift;
  uint32_t base; /* slots with an older number are free */
  uint32_t last; /* the number given out last */
  size_t budget;
  bool sorting;
  size_t collected; /* while sorting: slot[0..collected) are the keys */
};

/* How many slots a text of |n| bytes needs: twice the number of keys that it
 * can hold. A key takes four bytes of it ("":1) but the last one, which may be
 * cut off, three. */
size_t nova__keys_slots(size_t n);

/* |slot|: |slots| of them, all zero. */
void nova__keys_init(struct nova__keys *k, struct nova__key *slot,
                     size_t slots);

/* Begins a text. */
void nova__keys_begin(struct nova__keys *k, const char *text, size_t n);

/* The number of a new object. */
static inline uint32_t nova__keys_object(struct nova__keys *k) {
  return ++k->last;
}

/* The slow half of nova__keys_add(). */
bool nova__keys_collide(struct nova__keys *k, struct nova__key key, size_t n,
                        uint32_t at);
uint64_t nova__keys_hash_escaped(uint64_t h, const char *key, const char *end);

/* The last duplicate check of a text whose keys are collected. Returns whether
 * there is one and sets the offset of the first character of the first key
 * that repeats an earlier one. */
bool nova__keys_finish(struct nova__keys *k, size_t *offset);

static inline uint64_t nova__keys_mix(uint64_t h, uint64_t a, uint64_t b) {
  h = (h ^ a) * UINT64_C(0x9e3779b97f4a7c15);
  h ^= h >> 32;
  h = (h ^ b) * UINT64_C(0xd6e8feb86659fd93);
  return h ^ h >> 32;
}

/* Mixes in |n| bytes in pieces of 16, the last one filled up with zeros. Reads
 * only bytes before |end|. */
static inline uint64_t nova__keys_hash(uint64_t h, const char *key, size_t n,
                                       const char *end) {
  static const unsigned char keep[32] = {255, 255, 255, 255, 255, 255,
                                         255, 255, 255, 255, 255, 255,
                                         255, 255, 255, 255};
  uint64_t w[2], m[2];
  for (; n > 16; key += 16, n -= 16) {
    memcpy(w, key, 16);
    h = nova__keys_mix(h, w[0], w[1]);
  }
  if (end - key >= 16) {
    memcpy(w, key, 16);
    memcpy(m, keep + 16 - n, 16);
    return nova__keys_mix(h, w[0] & m[0], w[1] & m[1]);
  }
  w[0] = w[1] = 0;
  memcpy(w, key, n);
  return nova__keys_mix(h, w[0], w[1]);
}

/* Adds a key of an object.
 * |key|, |n|: its characters as they stand in the text.
 * Returns false if the object has it already. */
static inline bool nova__keys_add(struct nova__keys *k, uint32_t object,
                                  const char *key, size_t n, bool escaped) {
  uint64_t h = object * UINT64_C(0xa0761d6478bd642f);
  if (escaped)
    h = nova__keys_hash_escaped(h, key, k->text + k->n);
  else
    h = nova__keys_hash(h, key, n, k->text + k->n);
  uint32_t at = (uint32_t)(h >> k->shift);
  struct nova__key new = {object, (uint32_t)(key - k->text) |
                                      (escaped ? NOVA__KEY_ESCAPED : 0)};
  if (k->slot[at].object >= k->base || k->sorting)
    return nova__keys_collide(k, new, n, at);
  k->slot[at] = new;
  return true;
}

#endif
