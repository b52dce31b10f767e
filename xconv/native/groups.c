/* Groups of numbers in a few bits: xconv.grouped's operators in one pass each. */

#include "groups.h"

enum { ROUNDED = 0, DITHERED = 1, BEST = 2, MOST_LANES = 16 };

/* Sum a group as torch does on a CPU with vectors of `lanes` numbers, whose order of additions
   decides the last bits: four vectors in turn, their sum, then one lane after the other. */
static float sum_in_order(const float *values, int64_t lanes) {
    float sums[4 * MOST_LANES] = {0};
    for (int64_t i = 0; i < GROUP; i += 4 * lanes)
        for (int64_t j = 0; j < 4 * lanes; j++)
            sums[j] += values[i + j];
    float total = 0;
    for (int64_t j = 0; j < lanes; j++)
        total += sums[j] + sums[lanes + j] + sums[2 * lanes + j] + sums[3 * lanes + j];
    return total;
}

void sum_groups(const float *values, float *sums, int64_t groups, int64_t lanes) {
    for (int64_t group = 0; group < groups; group++)
        sums[group] = sum_in_order(values + GROUP * group, lanes);
}

/* Return whether dither has the smaller variance: f (1 - f) against 1/12. */
static int is_better_dithered(const float *levels, int64_t lanes) {
    float fractions[GROUP], squares[GROUP];
    for (int i = 0; i < GROUP; i++) {
        fractions[i] = levels[i] - truncf(levels[i]);
        squares[i] = fractions[i] * fractions[i];
    }
    float energy = sum_in_order(squares, lanes);
    return sum_in_order(fractions, lanes) - energy > (float)(GROUP / 12.0);
}

void encode_groups(
    const float *values, uint8_t *packed, float *bounds, int64_t groups, int64_t bits, int64_t seed,
    int64_t way, int64_t lanes
) {
    Stream stream;
    start(&stream, seed);
    for (int64_t group = 0; group < groups; group++) {
        float low, high, levels[GROUP], chances[GROUP];
        find_bounds(values + GROUP * group, &low, &high);
        find_levels(values + GROUP * group, low, high, (float)((1 << bits) - 1), levels);
        int is_dithered = way == BEST ? is_better_dithered(levels, lanes) : way == DITHERED;
        draw_chances(&stream, chances);
        keep_group(
            levels, chances, low, high, bits, is_dithered, packed + GROUP * bits / 8 * group,
            bounds + 2 * group
        );
    }
}

void decode_groups(
    const uint8_t *packed, const float *bounds, float *values, int64_t groups, int64_t bits,
    int64_t seed, double scale
) {
    Stream stream;
    start(&stream, seed);
    float part = (float)(scale / ((1 << bits) - 1));
    for (int64_t group = 0; group < groups; group++) {
        float chances[GROUP];
        draw_chances(&stream, chances);
        restore_group(
            packed + GROUP * bits / 8 * group, bounds + 2 * group, chances, bits, (float)scale, part,
            values + GROUP * group
        );
    }
}
