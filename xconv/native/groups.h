/* A group of 256 numbers rounded to a few bits each, as xconv/grouped.py says:

       q = floor((x - low) / (high - low) * top + r),  top = 2^bits - 1,  r uniform in [0, 1),
       restored  low + (q - r + 1/2) step  if dithered, low + q step  if not.

   Every operation rounds to float32, in the order of torch's operators. */

#ifndef GROUPS_H
#define GROUPS_H

#include <float.h>
#include <math.h>

#include "chances.h"
#include "codes.h"

/* A whole number for the bits of a float32, in the order of the numbers: NaN lies outside of the
   infinities. The same words, read as one and the other, make each from the other. */
static inline int32_t ordered(int32_t bits) { return bits ^ (bits >> 31 & 0x7fffffff); }

/* Find the least and the largest number, NaN for both if there is any. */
static inline void find_bounds(const float *values, float *low, float *high) {
    int32_t words[GROUP], least = INT32_MAX, most = INT32_MIN;
    memcpy(words, values, sizeof words);
    for (int i = 0; i < GROUP; i++) {
        int32_t word = ordered(words[i]);
        least = word < least ? word : least;
        most = word > most ? word : most;
    }
    least = ordered(least), most = ordered(most);
    memcpy(low, &least, sizeof least);
    memcpy(high, &most, sizeof most);
    if (*low != *low || *high != *high)
        *low = *high = NAN;
}

static inline void find_levels(const float *values, float low, float high, float top, float *levels) {
    float span = high - low;
    span = span < FLT_MIN ? FLT_MIN : span;
    for (int i = 0; i < GROUP; i++)
        levels[i] = (values[i] - low) / span * top;
}

/* Round levels up or down by their chances; NaN becomes 0. */
static inline void round_levels(const float *levels, const float *chances, float top, uint8_t *codes) {
    for (int i = 0; i < GROUP; i++) {
        float code = floorf(levels[i] + chances[i]);
        code = code > 0.0f ? code : 0.0f;
        code = code < top ? code : top;
        codes[i] = (uint8_t)(int32_t)code;
    }
}

/* Keep a group: its packed codes, and its bounds, the larger one first if it is dithered. */
static inline void keep_group(
    const float *levels, const float *chances, float low, float high, int64_t bits,
    int is_dithered, uint8_t *packed, float *bounds
) {
    uint8_t codes[GROUP];
    round_levels(levels, chances, (float)((1 << bits) - 1), codes);
    pack(codes, packed, GROUP, bits);
    bounds[0] = is_dithered ? high : low;
    bounds[1] = is_dithered ? low : high;
}

/* Restore a group, times a scale; `part` is the scale over 2^bits - 1. */
static inline void restore_group(
    const uint8_t *packed, const float *bounds, const float *restrict chances, int64_t bits,
    float scale, float part, float *restrict values
) {
    uint8_t codes[GROUP];
    unpack(packed, codes, GROUP, bits);
    float first = bounds[0], second = bounds[1];
    float shifted = first > second ? 1.0f : 0.0f, step = fabsf(second - first) * part;
    float low = (second < first ? second : first) * scale;
    for (int i = 0; i < GROUP; i++)
        values[i] = ((float)codes[i] - (chances[i] - 0.5f) * shifted) * step + low;
}

#endif
