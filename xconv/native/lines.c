/* A normalised input in a few bits, and the gradients found from it: xconv/saved/maps.py says how.

   Operations are those of torch's operators there, in their order, in one pass each. */

#include "lines.h"

typedef struct {
    Parts parts;
    const float *values, *shift, *scale;
    int64_t length, bits;
    uint8_t *packed;
    float *bounds;
} Keeping;

static void keep_part(const void *work, int64_t part) {
    const Keeping *all = work;
    Stream stream;
    start(&stream, all->parts.seeds[part]);
    FOR_GROUPS(all->parts, part) {
        float numbers[GROUP], levels[GROUP], chances[GROUP], low, high;
        FOR_RUNS(all->length, first, size) {
            const float *own = all->values + first + from;
            float shift = all->shift[line], scale = all->scale[line];
            for (int64_t i = 0; i < run; i++)
                numbers[from + i] = (own[i] - shift) * scale;
        }
        for (int64_t i = size; i < GROUP; i++)
            numbers[i] = numbers[size - 1];
        find_bounds(numbers, &low, &high);
        find_levels(numbers, low, high, (float)((1 << all->bits) - 1), levels);
        draw_chances(&stream, chances);
        keep_group(
            levels, chances, low, high, all->bits, 1, all->packed + GROUP * all->bits / 8 * group,
            all->bounds + 2 * group
        );
    }
}

/* Keep (value - shift) * scale of each number, dithered. */
void keep_lines(
    const float *values, const float *shift, const float *scale, int64_t length, uint8_t *packed,
    float *bounds, int64_t bits, const int64_t *elements, const int64_t *groups,
    const int64_t *seeds, int64_t begin, int64_t count, int64_t threads
) {
    Keeping all = {parts_from(elements, groups, seeds, begin), values, shift, scale, length, bits,
                   packed, bounds};
    in_parallel(keep_part, &all, count, threads);
}

typedef struct {
    Parts parts;
    const uint8_t *packed;
    const float *bounds, *deltas;
    int64_t bits;
    float *numbers, *products;
} Restoring;

static inline void multiply(
    const float *restrict one, const float *restrict other, float *restrict products, int64_t size
) {
    for (int64_t i = 0; i < size; i++)
        products[i] = one[i] * other[i];
}

static void restore_part(const void *work, int64_t part) {
    const Restoring *all = work;
    Stream stream;
    start(&stream, all->parts.seeds[part]);
    float share = (float)(1.0 / ((1 << all->bits) - 1));
    float *products = all->products - all->parts.elements[0];
    FOR_GROUPS(all->parts, part) {
        float room[GROUP], chances[GROUP];
        int is_direct = all->numbers && size == GROUP;
        float *numbers = is_direct ? all->numbers + first : room;
        draw_chances(&stream, chances);
        restore_group(
            all->packed + GROUP * all->bits / 8 * group, all->bounds + 2 * group, chances,
            all->bits, 1.0f, share, numbers
        );
        multiply(numbers, all->deltas + first, products + first, size);
        if (all->numbers && !is_direct)
            memcpy(all->numbers + first, numbers, size * sizeof *numbers);
    }
}

/* Restore numbers, unless nobody wants them, and their products with `deltas`. The first of the
   products is that of the first part. */
void restore_lines(
    const uint8_t *packed, const float *bounds, const float *deltas, float *numbers,
    float *products, int64_t bits, const int64_t *elements, const int64_t *groups,
    const int64_t *seeds, int64_t begin, int64_t count, int64_t threads
) {
    Restoring all = {parts_from(elements, groups, seeds, begin), packed, bounds, deltas, bits, numbers,
                     products};
    in_parallel(restore_part, &all, count, threads);
}

typedef struct {
    Parts parts;
    const float *bounds, *deltas, *gain, *shift, *scale;
    int64_t length, bits, is_fused;
    float count, *result;
} Finishing;

static void finish_part(const void *work, int64_t part) {
    const Finishing *all = work;
    FOR_GROUPS(all->parts, part) {
        const float *bounds = all->bounds + 2 * group;
        float step = (bounds[1] - bounds[0]) / (float)((1 << all->bits) - 1);
        float factor = step * step / 12.0f / all->count + 1.0f;
        FOR_RUNS(all->length, first, size) {
            const float *deltas = all->deltas + first + from;
            float *result = all->result + first + from;
            float gain = all->gain[line], shift = all->shift[line], scale = all->scale[line];
            if (all->is_fused)
                for (int64_t i = 0; i < run; i++)
                    result[i] = fmaf(-result[i], scale, factor * deltas[i] * gain - shift);
            else
                for (int64_t i = 0; i < run; i++)
                    result[i] = factor * deltas[i] * gain - shift - result[i] * scale;
        }
    }
}

/* Turn restored numbers in `result` into the gradient: delta (1 + v / count) gain - shift - number
   scale, with v the variance of the number's group. The last product and difference are rounded as
   one if `is_fused`. */
void finish_lines(
    const float *bounds, const float *deltas, float *result, const float *gain, const float *shift,
    const float *scale, int64_t length, double numbers, int64_t is_fused, int64_t bits,
    const int64_t *elements, const int64_t *groups, const int64_t *seeds, int64_t begin,
    int64_t count, int64_t threads
) {
    Finishing all = {parts_from(elements, groups, seeds, begin), bounds, deltas, gain, shift, scale,
                     length, bits, is_fused, (float)numbers, result};
    in_parallel(finish_part, &all, count, threads);
}

typedef struct {
    Parts parts;
    const float *bounds, *deltas, *numbers, *shift, *scale, *spread;
    int64_t length, bits, is_fused;
    float *result;
} FinishingRows;

static void finish_rows_part(const void *work, int64_t part) {
    const FinishingRows *all = work;
    FOR_GROUPS(all->parts, part) {
        const float *bounds = all->bounds + 2 * group;
        float step = (bounds[1] - bounds[0]) / (float)((1 << all->bits) - 1);
        float factor = step * step / 12.0f / (float)all->length + 1.0f;
        FOR_RUNS(all->length, first, size) {
            const float *deltas = all->deltas + first + from, *numbers = all->numbers + first + from;
            float *result = all->result + first + from;
            float shift = all->shift[line], scale = all->scale[line], spread = all->spread[line];
            if (all->is_fused)
                for (int64_t i = 0; i < run; i++)
                    result[i] = fmaf(-numbers[i], scale, factor * deltas[i] - shift) * spread;
            else
                for (int64_t i = 0; i < run; i++)
                    result[i] = (factor * deltas[i] - shift - numbers[i] * scale) * spread;
        }
    }
}

/* Write the gradient (delta (1 + v / length) - shift - number scale) spread, where a line is a row
   whose numbers share statistics. */
void finish_rows(
    const float *bounds, const float *deltas, const float *numbers, float *result,
    const float *shift, const float *scale, const float *spread, int64_t length, int64_t is_fused,
    int64_t bits, const int64_t *elements, const int64_t *groups, const int64_t *seeds,
    int64_t begin, int64_t count, int64_t threads
) {
    FinishingRows all = {parts_from(elements, groups, seeds, begin), bounds, deltas, numbers, shift,
                         scale, spread, length, bits, is_fused, result};
    in_parallel(finish_rows_part, &all, count, threads);
}
