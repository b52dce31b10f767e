/* Cosine coefficients of blocks of maps, picked by frequency, and maps made of such coefficients:
   xconv/spectrum/blocks.py and coding.py say how.

   A column is one block of one map. Blocks of 16 columns are transformed at a time, in vectors that
   hold the same pixel, or the same frequency, of each. */

#include "columns.h"
#include "parallel.h"

enum { LONGEST = 64, LARGEST = 512, COLUMNS_OF_A_PART = 512 };

typedef struct {
    const Maps *maps;
    const float *cosines; /* for each axis a square matrix, a row for each frequency */
    const int16_t *frequencies;
    const float *weights;
    float *images, *kept;
    const float *end;
    int64_t columns, kept_frequencies;
} Work;

/* Set four sums to those of numbers[k] times cosines[k * step + j * apart], j from 0 to 3. */
static inline void four_sums(
    const lanes *numbers, int64_t count, const float *cosines, int64_t step, int64_t apart, lanes *sums
) {
    lanes a = all(0), b = all(0), c = all(0), d = all(0);
    for (int64_t k = 0; k < count; k++, cosines += step) {
        a += numbers[k] * all(cosines[0]);
        b += numbers[k] * all(cosines[apart]);
        c += numbers[k] * all(cosines[2 * apart]);
        d += numbers[k] * all(cosines[3 * apart]);
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}

/* Transform a line of `side` vectors, `after` apart. A cosine is even or odd about the middle of the
   line, as its frequency is, so sums and differences of opposite points are enough. `cosines` have
   rows to spare: their number is a multiple of eight. */
static void transform_line(lanes *line, int64_t side, int64_t after, const float *cosines) {
    lanes halves[2][LONGEST / 2 + 1], sums[4];
    int64_t half = side / 2, middle = side % 2;
    for (int64_t p = 0; p < half; p++) {
        lanes one = line[p * after], other = line[(side - 1 - p) * after];
        halves[0][p] = one + other;
        halves[1][p] = one - other;
    }
    if (middle)
        halves[0][half] = line[half * after];
    for (int64_t parity = 0; parity < 2; parity++)
        for (int64_t f = parity; f < side; f += 8) {
            int64_t count = half + (parity ? 0 : middle);
            four_sums(halves[parity], count, cosines + f * side, 1, 2 * side, sums);
            for (int64_t j = 0; j < 4 && f + 2 * j < side; j++)
                line[(f + 2 * j) * after] = sums[j];
        }
}

/* Undo `transform_line`. */
static void restore_line(lanes *line, int64_t side, int64_t after, const float *cosines) {
    lanes halves[2][LONGEST / 2 + 1], even[4], odd[4];
    int64_t counts[2] = {(side + 1) / 2, side / 2};
    for (int64_t f = 0; f < side; f++)
        halves[f % 2][f / 2] = line[f * after];
    for (int64_t p = 0; p < counts[0]; p += 4) {
        four_sums(halves[0], counts[0], cosines + p, 2 * side, 1, even);
        four_sums(halves[1], counts[1], cosines + side + p, 2 * side, 1, odd);
        for (int64_t j = 0; j < 4 && p + j < counts[0]; j++) {
            line[(side - 1 - p - j) * after] = even[j] - odd[j];
            line[(p + j) * after] = even[j] + odd[j];
        }
    }
}

typedef void (*Transform)(lanes *, int64_t, int64_t, const float *);

static inline int64_t size_of_table(int64_t side) { return (side + 7) / 8 * 8 * side; }

static void along_all(lanes *block, const Maps *maps, const float *cosines, Transform transform) {
    int64_t size = maps->sides[0] * maps->sides[1] * maps->sides[2], after = size;
    for (int axis = 0; axis < AXES; axis++) {
        int64_t side = maps->sides[axis], before = size / after;
        after /= side;
        if (side > 1)
            for (int64_t line = 0; line < before * after; line++)
                transform(block + line / after * side * after + line % after, side, after, cosines);
        cosines += size_of_table(side);
    }
}

static void pick_part(const void *work, int64_t part) {
    const Work *all_of = work;
    int64_t end = (part + 1) * COLUMNS_OF_A_PART;
    end = end < all_of->columns ? end : all_of->columns;
    lanes block[LARGEST];
    memset(block, 0, sizeof block); /* lanes without a column */
    Column columns[LANES], column = column_of(all_of->maps, part * COLUMNS_OF_A_PART);
    for (int64_t first = part * COLUMNS_OF_A_PART; first < end; first += LANES) {
        int64_t count = end - first < LANES ? end - first : LANES;
        for (int64_t lane = 0; lane < count; lane++, move_on(all_of->maps, &column))
            columns[lane] = column;
        read_columns(all_of->maps, all_of->images, all_of->end, columns, count, block);
        along_all(block, all_of->maps, all_of->cosines, transform_line);
        for (int64_t f = 0; f < all_of->kept_frequencies; f++) {
            lanes found = block[all_of->frequencies[f]] * all(all_of->weights[f]);
            memcpy(all_of->kept + all_of->columns * f + first, &found, count * sizeof(float));
        }
    }
}

static void put_part(const void *work, int64_t part) {
    const Work *all_of = work;
    const int64_t *sides = all_of->maps->sides;
    int64_t end = (part + 1) * COLUMNS_OF_A_PART;
    end = end < all_of->columns ? end : all_of->columns;
    lanes block[LARGEST];
    Column columns[LANES], column = column_of(all_of->maps, part * COLUMNS_OF_A_PART);
    for (int64_t first = part * COLUMNS_OF_A_PART; first < end; first += LANES) {
        int64_t count = end - first < LANES ? end - first : LANES;
        memset(block, 0, sides[0] * sides[1] * sides[2] * sizeof *block);
        for (int64_t f = 0; f < all_of->kept_frequencies; f++)
            memcpy(
                block + all_of->frequencies[f], all_of->kept + all_of->columns * f + first,
                count * sizeof(float)
            );
        along_all(block, all_of->maps, all_of->cosines, restore_line);
        for (int64_t lane = 0; lane < count; lane++, move_on(all_of->maps, &column))
            columns[lane] = column;
        write_columns(all_of->maps, all_of->images, columns, count, block);
    }
}

/* Write the coefficients of all columns at the frequencies, each times its weight: those of the
   first frequency, then the next. */
void pick_frequencies(
    const float *images, float *kept, int64_t columns, const Maps *maps, const float *cosines,
    const int16_t *frequencies, int64_t kept_frequencies, const float *weights, int64_t threads
) {
    const float *end = end_of_images(images, maps, columns);
    Work work = {
        maps, cosines, frequencies, weights, (float *)images, kept, end, columns, kept_frequencies
    };
    in_parallel(pick_part, &work, (columns + COLUMNS_OF_A_PART - 1) / COLUMNS_OF_A_PART, threads);
}

/* Write images that have these coefficients at the frequencies, and 0 at all others. */
void put_frequencies(
    const float *kept, float *images, int64_t columns, const Maps *maps, const float *cosines,
    const int16_t *frequencies, int64_t kept_frequencies, int64_t threads
) {
    Work work = {maps, cosines, frequencies, 0, images, (float *)kept, 0, columns, kept_frequencies};
    in_parallel(put_part, &work, (columns + COLUMNS_OF_A_PART - 1) / COLUMNS_OF_A_PART, threads);
}
