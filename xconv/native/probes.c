/* Sketches by independent probes of random signs, and what is formed of them again:
   xconv/schemes/independent.py says how. An image is (channels, pixels), or (pixels, channels) if
   its channels are last. */

#include "probes.h"

#include <string.h>

#include "mersenne.h"
#include "parallel.h"

enum { COLUMNS = 8, TILE = 512 };

void words_of_64_bits(uint64_t *target, int64_t count, int64_t seed);

/* Return the seed of a stream: `mixed` of xconv/random.py. */
static int64_t mixed(int64_t seed, int64_t stream) {
    uint64_t sum = (uint64_t)seed + (uint64_t)stream * 0x9e3779b97f4a7c15u;
    return (int64_t)(sum & (((uint64_t)1 << 62) - 1));
}

/* Draw the bits of all parts, each from its own stream. */
static void draw(const Probes *all, int64_t number, int64_t seed, uint64_t *bits) {
    for (const Part *part = all->parts; part < all->parts + number; part++) {
        int64_t count = count_of(part, all->pixels, all->is_shared);
        words_of_64_bits(bits + part->word, (count + 63) / 64, mixed(seed, part->stream));
    }
}

/* Write signs of `count` columns, from pixel `at` on, to lines of a tile, and zeros elsewhere up to
   the end of a vector. */
static void write_tile(
    const Probes *probes, int64_t image, int64_t column, int64_t count, int64_t at, int64_t size,
    float tile[COLUMNS][TILE]
) {
    int64_t end = (size + LANES - 1) / LANES * LANES;
    for (int64_t j = 0; j < COLUMNS; j++) {
        int64_t begun = j < count ? size : 0;
        memset(tile[j] + begun, 0, (size_t)(end - begun) * sizeof tile[j][0]);
    }
    for (int64_t j = 0; j < count; j++) {
        Column own = column_of(probes, image, column + j);
        const uint8_t *bytes;
        int bit;
        for (int64_t done = 0, run; done < size; done += run) {
            run = run_of(&own, at + done, size - done, &bytes, &bit);
            for (int64_t i = 0; i < run; i++)
                tile[j][done + i] = (float)(1 - 2 * (bytes[i] >> bit & 1));
        }
    }
}

/* Return the sum of the signs of a column. */
static float total_of(const Probes *probes, int64_t image, int64_t column) {
    Column own = column_of(probes, image, column);
    const uint8_t *bytes;
    int64_t ones = 0;
    int bit;
    for (int64_t done = 0, run; done < probes->pixels; done += run) {
        run = run_of(&own, done, probes->pixels - done, &bytes, &bit);
        int32_t some = 0;
        for (int64_t i = 0; i < run; i++)
            some += bytes[i] >> bit & 1;
        ones += some;
    }
    return (float)(probes->pixels - 2 * ones);
}

/* Add rows, each times its factor, to `sums`. */
static void add_rows(
    float *restrict sums, int64_t length, const float *restrict factors, int64_t step,
    const float *restrict rows, int64_t stride, int64_t count
) {
    for (; count >= 8; count -= 8, factors += 8 * step, rows += 8 * stride)
        for (int64_t i = 0; i < length; i++) {
            float sum = sums[i];
            for (int64_t k = 0; k < 8; k++)
                sum += factors[k * step] * rows[k * stride + i];
            sums[i] = sum;
        }
    for (; count > 0; count--, factors += step, rows += stride)
        for (int64_t i = 0; i < length; i++)
            sums[i] += *factors * rows[i];
}

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

/* Add the products of a line with all lines of a tile to `sums`. */
static __attribute__((noinline)) void add_products(
    const float *line, int64_t size, float tile[COLUMNS][TILE], float *sums
) {
    Vector own[COLUMNS] = {{0}};
    float rest[LANES] = {0};
    int64_t whole = size / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < COLUMNS; j++)
            own[j] += *(const Vector *)(line + i) * *(const Vector *)(tile[j] + i);
    if (whole < size) {
        memcpy(rest, line + whole, (size - whole) * sizeof *rest);
        for (int j = 0; j < COLUMNS; j++)
            own[j] += *(const Vector *)rest * *(const Vector *)(tile[j] + whole);
    }
    for (int j = 0; j < COLUMNS; j++) {
        Four some = *(const Four *)&own[j];
        for (int i = 4; i < LANES; i += 4)
            some += *(const Four *)((const float *)&own[j] + i);
        sums[j] += (some[0] + some[1]) + (some[2] + some[3]);
    }
}

static void find_means(
    const float *image, int64_t channels, int64_t pixels, int64_t last, float *means
) {
    for (int64_t first = 0, count; first < channels; first += count) {
        double sums[64] = {0};
        count = channels - first < 64 ? channels - first : 64;
        if (last)
            for (int64_t p = 0; p < pixels; p++)
                for (int64_t i = 0; i < count; i++)
                    sums[i] += image[p * channels + first + i];
        else
            for (int64_t i = 0; i < count; i++) {
                const float *line = image + (first + i) * pixels;
                double sum = 0;
#pragma omp simd reduction(+ : sum)
                for (int64_t p = 0; p < pixels; p++)
                    sum += line[p];
                sums[i] = sum;
            }
        for (int64_t i = 0; i < count; i++)
            means[first + i] = (float)(sums[i] / (double)pixels);
    }
}

typedef struct {
    Probes probes;
    const float *images;
    int64_t channels, columns, last;
    float *means, *sums;
} Sketching;

/* Write the sketch of an image, (columns rounded up to 8s, channels) or transposed. */
static void sketch_image(const void *work, int64_t image) {
    const Sketching *all = work;
    int64_t channels = all->channels, pixels = all->probes.pixels;
    int64_t columns = (all->columns + COLUMNS - 1) / COLUMNS * COLUMNS;
    const float *own = all->images + image * channels * pixels;
    float *sums = all->sums + image * channels * columns, tile[COLUMNS][TILE];
    float *means = all->means ? all->means + image * channels : NULL;
    if (means)
        find_means(own, channels, pixels, all->last, means);
    for (int64_t i = 0; i < channels * columns; i++)
        sums[i] = 0;
    for (int64_t at = 0, size; at < pixels; at += size) {
        size = pixels - at < TILE ? pixels - at : TILE;
        for (int64_t j = 0; j < columns; j += COLUMNS) {
            int64_t count = all->columns - j < COLUMNS ? all->columns - j : COLUMNS;
            write_tile(&all->probes, image, j, count, at, size, tile);
            if (all->last)
                for (int64_t k = 0; k < count; k++)
                    add_rows(
                        sums + (j + k) * channels, channels, tile[k], 1, own + at * channels,
                        channels, size
                    );
            else
                for (int64_t c = 0; c < channels; c++)
                    add_products(own + c * pixels + at, size, tile, sums + c * columns + j);
        }
    }
    for (int64_t j = 0; means && j < columns; j += COLUMNS) {
        float totals[COLUMNS] = {0};
        for (int64_t k = 0; k < COLUMNS && j + k < all->columns; k++)
            totals[k] = total_of(&all->probes, image, j + k);
        for (int64_t c = 0; c < channels; c++)
            for (int64_t k = 0; k < COLUMNS; k++)
                sums[all->last ? (j + k) * channels + c : c * columns + j + k] -= means[c] * totals[k];
    }
}

/* Round some numbers to bfloat16 at random, with the same mean: xconv/narrowing.py says how. */
static void narrow(
    Stream *stream, const float *numbers, int64_t step, int64_t count, uint16_t *target
) {
    const uint32_t *words;
    for (int64_t size; count > 0; count -= size, numbers += size * step, target += size) {
        size = take(stream, count, 2, &words);
        for (int64_t i = 0; i < size; i++) {
            uint32_t bits;
            memcpy(&bits, &numbers[i * step], sizeof bits);
            target[i] = (uint16_t)((bits + (tempered(words[2 * i + 1]) & 0xffff)) >> 16);
        }
    }
}

/* Draw probes. Write means of channels, unless nobody wants them, and the sketch in bfloat16. */
void sketch_probes(
    const Part *parts, int64_t pixels, int64_t is_shared, int64_t piece, uint64_t *bits,
    int64_t number, int64_t seed, int64_t rounding, const float *images, int64_t batch,
    int64_t channels, int64_t columns, int64_t last, float *means, float *sums, uint16_t *sketch,
    int64_t threads
) {
    Probes probes = {parts, bits, pixels, piece, is_shared};
    draw(&probes, number, seed, bits);
    Sketching all = {probes, images, channels, columns, last, means, sums};
    in_parallel(sketch_image, &all, batch, threads);
    Stream stream;
    start(&stream, mixed(seed, rounding));
    int64_t width = (columns + COLUMNS - 1) / COLUMNS * COLUMNS;
    if (!last && width == columns)
        narrow(&stream, sums, 1, batch * channels * columns, sketch);
    else
        for (int64_t line = 0; line < batch * channels; line++) {
            int64_t image = line / channels * channels, c = line - image;
            const float *own = sums + image * width + c * (last ? 1 : width);
            narrow(&stream, own, last ? channels : 1, columns, sketch + line * columns);
        }
}

typedef struct {
    Probes probes;
    const uint16_t *sketch;
    const float *means;
    int64_t channels, columns;
    float *coefficients;
} Restoring;

static void restore_image(const void *work, int64_t image) {
    const Restoring *all = work;
    int64_t channels = all->channels, columns = all->columns, rows = columns + (all->means != NULL);
    const uint16_t *sketch = all->sketch + image * channels * columns;
    float *own = all->coefficients + image * channels * rows, *constants = own + columns * channels;
    for (int64_t c = 0; all->means && c < channels; c++)
        constants[c] = all->means[image * channels + c];
    for (int64_t j = 0; j < columns; j++) {
        float *line = own + j * channels;
        for (int64_t c = 0; c < channels; c++) {
            uint32_t bits = (uint32_t)sketch[c * columns + j] << 16;
            memcpy(&line[c], &bits, sizeof bits);
            line[c] *= 1 / (float)columns;
        }
        if (!all->means)
            continue;
        float mean = total_of(&all->probes, image, j) / (float)all->probes.pixels;
        for (int64_t c = 0; c < channels; c++)
            constants[c] -= mean * line[c];
    }
}

/* Draw probes. Write what to multiply each column by, (batch, columns, channels), and last, if there
   are means, what to add to each channel. */
void restore_coefficients(
    const Part *parts, int64_t pixels, int64_t is_shared, int64_t piece, uint64_t *bits,
    int64_t number, int64_t seed, const uint16_t *sketch, const float *means, int64_t batch, int64_t channels, int64_t columns,
    float *coefficients, int64_t threads
) {
    Probes probes = {parts, bits, pixels, piece, is_shared};
    draw(&probes, number, seed, bits);
    Restoring all = {probes, sketch, means, channels, columns, coefficients};
    in_parallel(restore_image, &all, batch, threads);
}

typedef struct {
    Probes probes;
    int64_t first;
    const float *coefficients;
    int64_t channels, columns, has_constants, last;
    float *images;
} Expanding;

static void expand_image(const void *work, int64_t number) {
    const Expanding *all = work;
    int64_t channels = all->channels, pixels = all->probes.pixels, image = all->first + number;
    const float *own = all->coefficients + image * channels * (all->columns + all->has_constants);
    const float *constants = all->has_constants ? own + all->columns * channels : NULL;
    float *target = all->images + number * channels * pixels, tile[COLUMNS][TILE];
    for (int64_t at = 0, size; at < pixels; at += size) {
        size = pixels - at < TILE ? pixels - at : TILE;
        int64_t lines = all->last ? size : channels, length = all->last ? channels : size;
        int64_t stride = all->last ? channels : pixels;
        float *corner = target + at * (all->last ? channels : 1);
        for (int64_t line = 0; line < lines; line++)
            for (int64_t i = 0; i < length; i++)
                corner[line * stride + i] = constants ? constants[all->last ? i : line] : 0;
        for (int64_t j = 0; j < all->columns; j += COLUMNS) {
            int64_t count = all->columns - j < COLUMNS ? all->columns - j : COLUMNS;
            const float *factors = own + j * channels;
            write_tile(&all->probes, image, j, count, at, size, tile);
            for (int64_t line = 0; line < lines; line++)
                if (all->last)
                    add_rows(corner + line * stride, length, tile[0] + line, TILE, factors, channels, count);
                else
                    add_rows(corner + line * stride, length, factors + line, channels, tile[0], TILE, count);
        }
    }
}

/* Write the stand-ins of `number` images from the `first` on. */
void expand_probes(
    const Part *parts, int64_t pixels, int64_t is_shared, int64_t piece, const uint64_t *bits,
    int64_t first, int64_t number, const float *coefficients, int64_t channels, int64_t columns,
    int64_t has_constants, int64_t last, float *images, int64_t threads
) {
    Probes probes = {parts, bits, pixels, piece, is_shared};
    Expanding all = {probes, first, coefficients, channels, columns, has_constants, last, images};
    in_parallel(expand_image, &all, number, threads);
}
