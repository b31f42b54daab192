#include "base/rng.h"

void nova_rng_init(struct nova_rng *r, uint64_t seed) {
  r->s = seed;
}

/* FNV-1a over the name, started from the seed. */
uint64_t nova_rng_derive(uint64_t seed, const char *name) {
  uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;
  for (; *name != '\0'; name++)
    h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
  struct nova_rng r = {h};
  return nova_rng_next(&r);
}

/* SplitMix64 (Steele, Lea, Flood 2014): one word of state, passes BigCrush. */
uint64_t nova_rng_next(struct nova_rng *r) {
  uint64_t z = (r->s += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

uint64_t nova_rng_below(struct nova_rng *r, uint64_t n) {
  /* The bias of the modulo is below 2^-32 for every n that is used here. */
  return n == 0 ? 0 : nova_rng_next(r) % n;
}
