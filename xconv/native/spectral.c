/* Coefficients of blocks, picked and put back by frequency, and rounded: xconv/spectrum says how.

   A map of blocks is a line of `size` numbers. The number of a block and a frequency lies at the sum
   of two offsets. Kept are the numbers of each frequency in turn, of all maps and all blocks. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "codes.h"

enum { TURNED = 64 };

/* Write the coefficients of the frequencies, each times its weight. */
void pick_frequencies(
    const float *maps, float *kept, int64_t count, int64_t size, const int64_t *of_blocks,
    int64_t blocks, const int64_t *of_frequencies, int64_t frequencies, const float *weights
) {
    for (int64_t map = 0; map < count; map++)
        for (int64_t f = 0; f < frequencies; f++) {
            const float *from = maps + size * map + of_frequencies[f];
            float *to = kept + blocks * (count * f + map), weight = weights[f];
            for (int64_t block = 0; block < blocks; block++)
                to[block] = from[of_blocks[block]] * weight;
        }
}

/* Write maps that have these coefficients at the frequencies, and 0 at all others. */
void put_frequencies(
    const float *kept, float *maps, int64_t count, int64_t size, const int64_t *of_blocks,
    int64_t blocks, const int64_t *of_frequencies, int64_t frequencies
) {
    memset(maps, 0, count * size * sizeof *maps);
    for (int64_t map = 0; map < count; map++)
        for (int64_t f = 0; f < frequencies; f++) {
            const float *from = kept + blocks * (count * f + map);
            float *to = maps + size * map + of_frequencies[f];
            for (int64_t block = 0; block < blocks; block++)
                to[of_blocks[block]] = from[block];
        }
}

/* Round turned groups to the nearest levels, half a step beside whole numbers, and pack their codes.
   That of NaN is 0. */
void round_turned(
    const float *turned, const float *units, float *levels, uint8_t *packed, int64_t groups,
    int64_t bits
) {
    float half = (float)(1 << (bits - 1));
    for (int64_t group = 0; group < groups; group++) {
        const float *own = turned + TURNED * group;
        float *rounded = levels + TURNED * group, unit = units[group];
        uint8_t codes[TURNED];
        for (int i = 0; i < TURNED; i++) {
            float level = floorf(own[i] / unit);
            level = level < -half ? -half : level;
            level = level > half - 1 ? half - 1 : level;
            rounded[i] = level + 0.5f;
            codes[i] = level == level ? (uint8_t)(int32_t)(level + half) : 0;
        }
        pack(codes, packed + TURNED / 8 * bits * group, TURNED, bits);
    }
}

/* Write the levels of packed codes, times the scales of their groups. */
void restore_turned(
    const uint8_t *packed, const float *scales, float *numbers, int64_t groups, int64_t bits
) {
    float half = (float)(1 << (bits - 1));
    for (int64_t group = 0; group < groups; group++) {
        float *own = numbers + TURNED * group, scale = scales[group] / half;
        uint8_t codes[TURNED];
        unpack(packed + TURNED / 8 * bits * group, codes, TURNED, bits);
        for (int i = 0; i < TURNED; i++)
            own[i] = ((float)codes[i] - (half - 0.5f)) * scale;
    }
}
