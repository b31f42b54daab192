#include "codec/json_keys.h"

#include "codec/json_internal.h"

size_t nova__keys_slots(size_t n) {
  if (n <= 32)
    return 16;
  /* The next power of two from n / 2 on, n / 2 rounded up. */
  return (size_t)1 << (64 - __builtin_clzll((n + 1) / 2 - 1));
}

void nova__keys_init(struct nova__keys *k, struct nova__key *slot,
                     size_t slots) {
  *k = (struct nova__keys){.slot = slot, .slots = slots, .last = 1};
}

void nova__keys_begin(struct nova__keys *k, const char *text, size_t n,
                      size_t expected) {
  /* An object takes two bytes, so that n / 2 bounds the numbers of a text. */
  if (k->last > UINT32_MAX - n / 2 - 2) {
    memset(k->slot, 0, k->slots * sizeof *k->slot);
    k->last = 1;
  }
  size_t most = nova__keys_slots(n), slots = 16;
  if (expected > 4)
    /* Four times as many, and up to a power of two. */
    slots = expected < most / 4
                ? (size_t)1 << (64 - __builtin_clzll(4 * expected - 1))
                : most;
  k->text = text;
  k->n = n;
  k->most = (uint32_t)most;
  k->mask = (uint32_t)slots - 1;
  k->shift = 64 - (unsigned)__builtin_ctzll(slots);
  k->base = k->last + 1;
  k->count = 0;
  k->budget = 256 + 2 * n;
  k->sorting = k->crowded = false;
}

/* Gives what nova__keys_hash() gives for the unescaped characters. */
uint64_t nova__keys_hash_escaped(uint64_t h, const char *key) {
  char piece[36];
  size_t n = 0;
  while (*key != '"') {
    n += nova__json_char(&key, piece + n);
    if (n > 32) {
      /* More than 16 follow the first 16: they are no part of the last ones. */
      h = nova__keys_mix(h, nova__keys_load8(piece),
                         nova__keys_load8(piece + 8));
      h ^= h >> 32;
      memmove(piece, piece + 16, n - 16);
      n -= 16;
    }
  }
  return nova__keys_hash(h, piece, n);
}

static const char *characters(const struct nova__keys *k, struct nova__key e) {
  return k->text + (e.offset & ~NOVA__KEY_ESCAPED);
}

/* From the table to a plain list, for the sort. */
static void collect(struct nova__keys *k) {
  size_t n = 0;
  for (size_t i = 0; i <= k->mask; i++)
    if (k->slot[i].object >= k->base)
      k->slot[n++] = k->slot[i];
  k->collected = n;
  k->sorting = true;
  k->base = 0;
}

/* Equal keys are few in the table: without escapes they are equal byte for byte
 * up to the closing quotation mark. |n|: the length of |b|, which stands behind
 * |a| in the text, so that |n| + 1 bytes of |a| are there. */
static bool same(const struct nova__keys *k, struct nova__key a,
                 struct nova__key b, size_t n) {
  if (((a.offset | b.offset) & NOVA__KEY_ESCAPED) == 0)
    return memcmp(characters(k, a), characters(k, b), n + 1) == 0;
  return nova__json_compare(characters(k, a), characters(k, b)) == 0;
}

bool nova__keys_collide(struct nova__keys *k, struct nova__key key, size_t n,
                        uint32_t at) {
  if (k->count > k->mask / 4 * 3 && k->mask + 1 < k->most) {
    k->crowded = true;
    return false;
  }
  while (!k->sorting) {
    if (k->slot[at].object < k->base) {
      k->slot[at] = key;
      k->count++;
      return true;
    }
    size_t cost = 1;
    if (k->slot[at].object == key.object) {
      if (same(k, k->slot[at], key, n))
        return false;
      cost += n / 8;
    }
    if (cost > k->budget) {
      collect(k);
      break;
    }
    k->budget -= cost;
    at = (at + 1) & k->mask;
  }
  k->slot[k->collected++] = key;
  return true;
}

/* By object, then by characters, then by place. */
static bool before(const struct nova__keys *k, struct nova__key a,
                   struct nova__key b) {
  if (a.object != b.object)
    return a.object < b.object;
  int order = nova__json_compare(characters(k, a), characters(k, b));
  if (order != 0)
    return order < 0;
  return characters(k, a) < characters(k, b);
}

/* Merges from[a..b) and from[b..c), each sorted, to to[a..c). */
static void merge(const struct nova__keys *k, const struct nova__key *from,
                  struct nova__key *to, size_t a, size_t b, size_t c) {
  for (size_t i = a, l = a, r = b; i < c; i++)
    if (r == c || (l < b && before(k, from[l], from[r])))
      to[i] = from[l++];
    else
      to[i] = from[r++];
}

/* Sorts the collected keys, with the other half of the table as the second
 * place; returns where the result stands. */
static const struct nova__key *sort(struct nova__keys *k) {
  size_t n = k->collected;
  struct nova__key *from = k->slot, *to = k->slot + k->slots / 2;
  for (size_t run = 1; run < n; run *= 2) {
    for (size_t a = 0; a < n; a += 2 * run) {
      size_t b = a + run < n ? a + run : n;
      size_t c = b + run < n ? b + run : n;
      merge(k, from, to, a, b, c);
    }
    struct nova__key *swap = from;
    from = to;
    to = swap;
  }
  return from;
}

bool nova__keys_finish(struct nova__keys *k, size_t *offset) {
  const struct nova__key *key = sort(k);
  bool found = false;
  for (size_t i = 1; i < k->collected; i++) {
    struct nova__key a = key[i - 1], b = key[i];
    size_t at = b.offset & ~NOVA__KEY_ESCAPED;
    if (a.object == b.object && (!found || at < *offset) &&
        nova__json_compare(characters(k, a), characters(k, b)) == 0) {
      found = true;
      *offset = at;
    }
  }
  /* The table holds a list now, and no slot of it may pass for a free one of a
   * later text by accident: all numbers are older than the next base. */
  return found;
}
