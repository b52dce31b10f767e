/* Scales of groups in 8 or 16 bits, and frequencies drawn with their probabilities:
   xconv/spectrum/rounding.py and sampling.py say how. */

#include <float.h>
#include <math.h>

#include "mersenne.h"

enum { OCTAVES = 16, FEW = 256 };

static float level_of(int64_t code, int64_t top) {
    return code > 0 ? exp2f((float)(code - top) * ((float)OCTAVES / (float)(top + 1))) : 0;
}

/* Write the levels of all codes of 8 bits. */
static void find_levels(float *levels) {
    for (int code = 0; code < FEW; code++)
        levels[code] = level_of(code, FEW - 1);
}

/* Round scales, relative to the largest, up or down at random to levels; write their codes. */
void encode_scales(
    const float *scales, int64_t count, const float *largest, int64_t bits, int64_t seed,
    uint8_t *codes
) {
    Stream stream;
    const uint32_t *words;
    float few[FEW], most = *largest > FLT_MIN ? *largest : FLT_MIN;
    int64_t top = (1 << bits) - 1;
    float octave = (float)((top + 1) / OCTAVES), last = (float)(top - 1);
    find_levels(few);
    start(&stream, seed);
    for (int64_t done = 0, size; done < count; done += size) {
        size = take(&stream, count - done, 1, &words);
        for (int64_t i = 0; i < size; i++) {
            float relative = scales[done + i] / most;
            float place = floorf(log2f(relative) * octave + (float)top);
            place = place > 0 ? place : 0; /* also for NaN */
            int64_t code = (int64_t)(place < last ? place : last);
            float low = bits == 8 ? few[code] : level_of(code, top);
            float high = bits == 8 ? few[code + 1] : level_of(code + 1, top);
            code += chance_of(words[i]) < (relative - low) / (high - low);
            if (bits == 8) {
                codes[done + i] = (uint8_t)code;
            } else {
                int16_t shifted = (int16_t)(code - (1 << 15));
                memcpy(codes + 2 * (done + i), &shifted, 2);
            }
        }
    }
}

void decode_scales(
    const uint8_t *codes, int64_t count, const float *largest, int64_t bits, float *scales
) {
    float few[FEW], most = *largest;
    int64_t top = (1 << bits) - 1;
    find_levels(few);
    for (int64_t i = 0; i < count; i++) {
        if (bits == 8) {
            scales[i] = few[codes[i]] * most;
        } else {
            int16_t shifted;
            memcpy(&shifted, codes + 2 * i, 2);
            scales[i] = level_of(shifted + (1 << 15), top) * most;
        }
    }
}

/* Write the `count` frequencies that one random number draws, and the inverse of the probability of
   each. Probabilities sum to `count`. */
void draw_frequencies(
    const double *probabilities, const int64_t *order, int64_t size, int64_t count, int64_t seed,
    int16_t *frequencies, float *weights
) {
    Stream stream;
    const uint32_t *words;
    start(&stream, seed);
    take(&stream, 1, 2, &words);
    uint64_t word = (uint64_t)tempered(words[0]) << 32 | tempered(words[1]);
    double chance = (double)(word & ((1ull << 53) - 1)) * 0x1p-53, end = probabilities[0];
    for (int64_t k = 0, f = 0; k < count; k++) {
        double tick = (double)k + chance;
        tick = tick < (double)count - 1e-9 ? tick : (double)count - 1e-9;
        while (f < size - 1 && end <= tick)
            end += probabilities[++f];
        frequencies[k] = (int16_t)order[f];
        weights[k] = (float)(1 / probabilities[f]);
    }
}
