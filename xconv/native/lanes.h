/* Vectors of 16 float32 numbers, as many as the widest registers hold; compilers divide them for
   processors with narrower ones. */

#ifndef LANES_H
#define LANES_H

#include "contraction.h"

#include <stdint.h>
#include <string.h>

enum { LANES = 16 };

typedef float lanes __attribute__((vector_size(4 * LANES)));

static inline lanes load(const float *from) {
    lanes found;
    memcpy(&found, from, sizeof found);
    return found;
}

static inline void store(float *to, lanes numbers) { memcpy(to, &numbers, sizeof numbers); }

static inline lanes all(float x) {
    return (lanes){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

/* The sum of all lanes: halves are added until four numbers are left. */
static inline float total(lanes numbers) {
    typedef float half __attribute__((vector_size(2 * LANES)));
    typedef float quarter __attribute__((vector_size(LANES)));
    half halves[2];
    memcpy(halves, &numbers, sizeof halves);
    half sums = halves[0] + halves[1];
    quarter quarters[2];
    memcpy(quarters, &sums, sizeof quarters);
    quarter last = quarters[0] + quarters[1];
    return (last[0] + last[1]) + (last[2] + last[3]);
}

#endif
