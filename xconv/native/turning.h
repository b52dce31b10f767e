/* Groups of 64 numbers, turned by a rotation, as xconv/spectrum/rounding.py says. */

#ifndef TURNING_H
#define TURNING_H

#include "lanes.h"

enum { TURNED = 64 };

/* Groups to multiply at a time: as many as the processor has registers for their sums. */
#if defined(__AVX512F__)
enum { AT_ONCE = 6 };
#else
enum { AT_ONCE = 1 };
#endif

/* Set turned[g][j] to the sum over i of numbers[g][i] matrix[i][j]. */
static inline void turn(const float *numbers, const float *matrix, float *turned) {
    lanes sums[AT_ONCE][TURNED / LANES] = {0};
    for (int i = 0; i < TURNED; i++)
        for (int g = 0; g < AT_ONCE; g++) {
            lanes number = all(numbers[TURNED * g + i]);
            for (int j = 0; j < TURNED / LANES; j++)
                sums[g][j] += number * load(matrix + TURNED * i + LANES * j);
        }
    for (int g = 0; g < AT_ONCE; g++)
        for (int j = 0; j < TURNED / LANES; j++)
            store(turned + TURNED * g + LANES * j, sums[g][j]);
}

#endif
