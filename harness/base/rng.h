/* Everything random comes from a seed that the caller hands in, so that the
 * same seed repeats a run. Not for secrets. */
#ifndef NOVA_BASE_RNG_H
#define NOVA_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nova_rng {
  uint64_t s;
};

/* Starts at |seed|; any value is good. */
void nova_rng_init(struct nova_rng *r, uint64_t seed);

/* A seed for a named part of the run: independent streams from one seed, so
 * that the order in which conversations start changes none of them.
 * |name|: NUL-terminated. */
uint64_t nova_rng_derive(uint64_t seed, const char *name);

/* 64 random bits. */
uint64_t nova_rng_next(struct nova_rng *r);

/* A number from 0 to n - 1; 0 for n = 0. */
uint64_t nova_rng_below(struct nova_rng *r, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif
