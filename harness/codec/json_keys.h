/* Internal to codec/: finds duplicate keys in linear time.
 *
 * One open-addressing table serves all objects of a text. An object has a
 * serial number that no other object of this scanner has; a slot belongs to the
 * object whose number it carries, and is free if the number is older than the
 * text. So nothing has to be cleared between texts or objects.
 *
 * The table is as large as the beginning of the text lets expect. If it proves
 * too small, the text is scanned once more with the largest that it can need.
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
  uint32_t mask;  /* of the part that this text uses */
  uint32_t most;  /* slots that it can need */
  uint32_t count; /* of its keys so far */
  bool crowded;   /* the part is too small */
  unsigned shift;
  uint32_t base; /* slots with an older number are free; 0 while sorting */
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

/* Begins a text.
 * |expected|: about how many keys it has; SIZE_MAX: as many as it can have. */
void nova__keys_begin(struct nova__keys *k, const char *text, size_t n,
                      size_t expected);

/* The number of a new object. */
static inline uint32_t nova__keys_object(struct nova__keys *k) {
  return ++k->last;
}

/* The slow half of nova__keys_add(). */
bool nova__keys_collide(struct nova__keys *k, struct nova__key key, size_t n,
                        uint32_t at);
uint64_t nova__keys_hash_escaped(uint64_t h, const char *key);

/* The last duplicate check of a text whose keys are collected. Returns whether
 * there is one and sets the offset of the first character of the first key
 * that repeats an earlier one. */
bool nova__keys_finish(struct nova__keys *k, size_t *offset);

/* Multiply-shift: the upper bits of the result are the good ones, and they
 * depend most on the lower halves of the words. Keys mostly differ at their
 * end, so that this is where the end of |b| is put: numbered keys then hardly
 * ever meet. */
static inline uint64_t nova__keys_mix(uint64_t h, uint64_t a, uint64_t b) {
  return (h ^ a) * UINT64_C(0x9e3779b97f4a7c15) +
         (b >> 32 | b << 32) * UINT64_C(0xd6e8feb86659fd93);
}

static inline uint64_t nova__keys_load8(const char *p) {
  uint64_t w;
  memcpy(&w, p, 8);
  return w;
}

static inline uint32_t nova__keys_load4(const char *p) {
  uint32_t w;
  memcpy(&w, p, 4);
  return w;
}

/* Mixes in the |n| bytes at |p|, in pieces of 16; the last one overlaps the one
 * before it, so that nothing around the key is read. */
static inline uint64_t nova__keys_hash(uint64_t h, const char *p, size_t n) {
  if (n >= 8) {
    const char *last = p + n - 8, *first = p;
    if (n > 16) {
      for (; n > 16; p += 16, n -= 16) {
        h = nova__keys_mix(h, nova__keys_load8(p), nova__keys_load8(p + 8));
        h ^= h >> 32;
      }
      first = last - 8;
    }
    return nova__keys_mix(h, nova__keys_load8(first), nova__keys_load8(last));
  }
  if (n >= 4)
    return nova__keys_mix(h, nova__keys_load4(p),
                          (uint64_t)nova__keys_load4(p + n - 4) << 32);
  if (n == 0)
    return nova__keys_mix(h, 0, 0);
  /* One to three: all of them. */
  return nova__keys_mix(h,
                        (uint64_t)(unsigned char)p[0] |
                            (uint64_t)(unsigned char)p[n / 2] << 8 |
                            (uint64_t)(unsigned char)p[n - 1] << 16,
                        0);
}

/* Adds a key of an object.
 * |text|: what nova__keys_begin() was given.
 * |key|, |n|: where in it the key's characters stand.
 * Returns false if the object has it already, or if the table is |crowded|. */
static inline __attribute__((always_inline)) bool
nova__keys_add(struct nova__keys *k, uint32_t object, const char *text,
               size_t key, size_t n, bool escaped) {
  uint64_t h;
  struct nova__key new = {object, (uint32_t)key};
  if (!escaped) {
    h = nova__keys_hash(object, text + key, n);
  } else {
    h = nova__keys_hash_escaped(object, text + key);
    new.offset |= NOVA__KEY_ESCAPED;
  }
  uint32_t at = (uint32_t)(h >> k->shift);
  if (k->slot[at].object >= k->base)
    return nova__keys_collide(k, new, n, at);
  k->slot[at] = new;
  k->count++;
  return true;
}

#endif
