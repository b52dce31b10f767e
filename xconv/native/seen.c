/* Output gradients against the probes of their image, by kernel offset: `seen` of
   xconv/schemes/single.py, for probes of random signs.

   The probes of an image lie pixel by pixel in a padded copy, so that what an output pixel sees
   through a row of the kernel is one line of numbers, to be added times the output gradient. */

#include "probes.h"

#include <stddef.h>
#include <string.h>

#include "parallel.h"

/* Outputs that are summed together, as the processor has registers, and pixels whose sums are. */
#if defined(__AVX__) && !defined(__AVX512F__)
enum { OUTPUTS = 4 };
#else
enum { OUTPUTS = 8 };
#endif
enum { PIXELS = 512 };

/* Sizes from the outermost dimension on; there are always three. */
typedef struct {
    int64_t image[3], output[3], kernel[3], stride[3], padding[3], dilation[3], padded[3];
} Shape;

typedef struct {
    Probes probes;
    Shape shape;
    const float *deltas;
    int64_t first, batch, outputs, columns, has_ones, last, slots, room;
    float *rooms, *seen;
} Seeing;

static inline int64_t volume(const int64_t sizes[3]) { return sizes[0] * sizes[1] * sizes[2]; }

/* Sum `vectors` lines times the gradients of some outputs, over all output pixels. A line begins at
   the place of its pixel. */
static inline __attribute__((always_inline)) void see_lines(
    const float *lines, const int32_t *places, int64_t pixels, const float *const deltas[OUTPUTS],
    int64_t step, int vectors, Vector sums[OUTPUTS][2]
) {
    for (int64_t first = 0; first < pixels; first += PIXELS) { /* short sums are more exact */
        int64_t end = pixels - first < PIXELS ? pixels : first + PIXELS;
        Vector own[OUTPUTS][2] = {{{0}}};
        for (int64_t pixel = first, at = first * step; pixel < end; pixel++, at += step)
            for (int v = 0; v < vectors; v++) {
                Vector numbers = *(const Vector *)(lines + places[pixel] + v * LANES);
                for (int o = 0; o < OUTPUTS; o++)
                    own[o][v] += deltas[o][at] * numbers;
            }
        for (int o = 0; o < OUTPUTS; o++)
            for (int v = 0; v < vectors; v++)
                sums[o][v] += own[o][v];
    }
}

/* Both are functions of their own, as a processor has few registers. */
static __attribute__((noinline)) void see_one(
    const float *lines, const int32_t *places, int64_t pixels, const float *const deltas[OUTPUTS],
    int64_t step, Vector sums[OUTPUTS][2]
) {
    see_lines(lines, places, pixels, deltas, step, 1, sums);
}

static __attribute__((noinline)) void see_two(
    const float *lines, const int32_t *places, int64_t pixels, const float *const deltas[OUTPUTS],
    int64_t step, Vector sums[OUTPUTS][2]
) {
    see_lines(lines, places, pixels, deltas, step, 2, sums);
}

/* Write what the outputs of an image see of all columns through one line of the kernel: `count`
   offsets from number `offset` on, whose first sees the line of pixels at `lines`. */
static void see_offsets(
    const Seeing *all, int64_t image, const float *lines, const int32_t *places, int64_t offset,
    int64_t count
) {
    const Shape *shape = &all->shape;
    int64_t pixels = volume(shape->output), step = all->last ? all->outputs : 1;
    int64_t offsets = volume(shape->kernel);
    int64_t width = all->columns + all->has_ones, length = count * width;
    for (int64_t first = 0; first < all->outputs; first += OUTPUTS) {
        const float *deltas[OUTPUTS];
        int64_t some = all->outputs - first < OUTPUTS ? all->outputs - first : OUTPUTS;
        for (int64_t o = 0; o < OUTPUTS; o++) {
            int64_t output = first + (o < some ? o : some - 1);
            deltas[o] = all->deltas + image * all->outputs * pixels + output * (all->last ? 1 : pixels);
        }
        for (int64_t lane = 0; lane < length; lane += 2 * LANES) {
            Vector sums[OUTPUTS][2] = {{{0}}};
            if (length - lane > LANES)
                see_two(lines + lane, places, pixels, deltas, step, sums);
            else
                see_one(lines + lane, places, pixels, deltas, step, sums);
            int64_t end = length - lane < 2 * LANES ? length - lane : 2 * LANES;
            for (int64_t o = 0; o < some; o++) {
                const float *own = (const float *)sums[o];
                int64_t row = (first + o) * offsets + offset + lane / width, column = lane % width;
                for (int64_t i = 0; i < end; row++, column = 0) {
                    float *target = all->seen + (row * all->batch + image) * width;
                    for (; column < width && i < end; column++)
                        target[column] = own[i++];
                }
            }
        }
    }
}

/* Write which columns of some pixels have the sign -1, from pixel `at` on: eight columns from the
   `first` on, a bit each. */
static void write_codes(
    const Seeing *all, int64_t image, int64_t first, int64_t at, int64_t size, uint8_t *codes
) {
    memset(codes, 0, size);
    for (int64_t j = 0; j < 8 && first + j < all->columns; j++) {
        Column own = column_of(&all->probes, all->first + image, first + j);
        const uint8_t *bytes;
        int bit;
        for (int64_t done = 0, run; done < size; done += run) {
            run = run_of(&own, at + done, size - done, &bytes, &bit);
            for (int64_t i = 0; i < run; i++)
                codes[done + i] |= (uint8_t)((bytes[i] >> bit & 1) << j);
        }
    }
}

/* Write the probes of an image, pixel by pixel, to their places in the padded copy, and ones. */
static void write_probes(
    const Seeing *all, int64_t image, const float table[256][8], float *room
) {
    const Shape *shape = &all->shape;
    int64_t width = all->columns + all->has_ones, length = shape->image[2];
    for (int64_t first = 0; first < all->columns; first += 8) {
        int64_t count = all->columns - first < 8 ? all->columns - first : 8;
        for (int64_t at = 0, size; at < all->probes.pixels; at += size) {
            uint8_t codes[PIXELS];
            size = all->probes.pixels - at < PIXELS ? all->probes.pixels - at : PIXELS;
            write_codes(all, image, first, at, size, codes);
            for (int64_t done = 0, run; done < size; done += run) {
                int64_t row = (at + done) / length, x = (at + done) % length;
                int64_t z = row / shape->image[1] + shape->padding[0];
                int64_t y = row % shape->image[1] + shape->padding[1];
                int64_t line = (z * shape->padded[1] + y) * shape->padded[2] + shape->padding[2];
                float *target = room + (line + x) * width + first;
                run = length - x < size - done ? length - x : size - done;
                if (count == 8)
                    for (int64_t i = 0; i < run; i++)
                        memcpy(target + i * width, table[codes[done + i]], sizeof table[0]);
                else
                    for (int64_t i = 0; i < run; i++)
                        memcpy(target + i * width, table[codes[done + i]], count * sizeof(float));
                for (int64_t i = 0; all->has_ones && i < run; i++)
                    target[i * width + all->columns - first] = 1;
            }
        }
    }
}

/* See all images that have a number of their own among the slots' turns. */
static void see_images(const void *work, int64_t slot) {
    const Seeing *all = work;
    const Shape *shape = &all->shape;
    const int64_t *padded = shape->padded, *kernel = shape->kernel, *dilation = shape->dilation;
    int64_t width = all->columns + all->has_ones;
    float *room = all->rooms + slot * all->room, table[256][8];
    for (int code = 0; code < 256; code++)
        for (int j = 0; j < 8; j++)
            table[code][j] = code >> j & 1 ? -1.0f : 1.0f;
    int32_t *places = (int32_t *)(room + volume(padded) * width + 2 * LANES), *next = places;
    memset(room, 0, (volume(padded) * width + 2 * LANES) * sizeof *room);
    for (int64_t z = 0; z < shape->output[0]; z++)
        for (int64_t y = 0; y < shape->output[1]; y++)
            for (int64_t x = 0; x < shape->output[2]; x++) {
                int64_t line = z * shape->stride[0] * padded[1] + y * shape->stride[1];
                *next++ = (int32_t)((line * padded[2] + x * shape->stride[2]) * width);
            }
    for (int64_t image = slot; image < all->batch; image += all->slots) {
        write_probes(all, image, table, room);
        int64_t count = dilation[2] == 1 ? kernel[2] : 1;
        for (int64_t z = 0, offset = 0; z < kernel[0]; z++)
            for (int64_t y = 0; y < kernel[1]; y++)
                for (int64_t x = 0; x < kernel[2]; x += count, offset += count) {
                    int64_t place = (z * dilation[0] * padded[1] + y * dilation[1]) * padded[2];
                    see_offsets(
                        all, image, room + (place + x * dilation[2]) * width, places, offset, count
                    );
                }
    }
}

/* Write what outputs see of the probes of `batch` images from the `first` on, whose gradients are
   `deltas`: (outputs, offsets, batch, columns and ones). Each slot has `room` numbers
   of `rooms`: the padded probes of an image, some more for the last line, and a place for each
   output pixel. */
void see_probes(
    const Part *parts, int64_t pixels, int64_t is_shared, int64_t piece, const uint64_t *bits,
    const Shape *shape, const float *deltas, int64_t first, int64_t batch, int64_t outputs,
    int64_t columns, int64_t has_ones, int64_t last, int64_t slots, int64_t room, float *rooms,
    float *seen
) {
    Probes probes = {parts, bits, pixels, piece, is_shared};
    Seeing all = {probes, *shape, deltas, first, batch, outputs, columns, has_ones, last, slots,
                  room, rooms, seen};
    in_parallel(see_images, &all, slots, slots);
}

typedef struct {
    const float *seen, *coefficients;
    int64_t rows, offsets, inner, channels;
    float *result;
} Contracting;

static void contract_rows(const void *work, int64_t part) {
    const Contracting *all = work;
    int64_t inner = all->inner, channels = all->channels, first = part * OUTPUTS;
    int64_t some = all->rows - first < OUTPUTS ? all->rows - first : OUTPUTS;
    int32_t places[PIXELS];
    for (int64_t i = 0; i < PIXELS; i++)
        places[i] = (int32_t)(i * channels);
    for (int64_t c = 0; c < channels; c += 2 * LANES) {
        Vector sums[OUTPUTS][2] = {{{0}}};
        for (int64_t at = 0; at < inner; at += PIXELS) {
            int64_t size = inner - at < PIXELS ? inner - at : PIXELS;
            const float *rows[OUTPUTS];
            for (int64_t o = 0; o < OUTPUTS; o++)
                rows[o] = all->seen + (first + (o < some ? o : some - 1)) * inner + at;
            const float *lines = all->coefficients + at * channels + c;
            if (channels - c > LANES)
                see_two(lines, places, size, rows, 1, sums);
            else
                see_one(lines, places, size, rows, 1, sums);
        }
        int64_t size = channels - c < 2 * LANES ? channels - c : 2 * LANES;
        for (int64_t o = 0; o < some; o++) {
            int64_t output = (first + o) / all->offsets, offset = (first + o) % all->offsets;
            float *target = all->result + (output * channels + c) * all->offsets + offset;
            for (int64_t i = 0; i < size; i++)
                target[i * all->offsets] += ((const float *)sums[o])[i];
        }
    }
}

/* Add the product of what was seen, (outputs, offsets, inner), and coefficients, (inner, channels),
   which a vector may read beyond, to `result`, (outputs, channels, offsets). */
void contract_seen(
    const float *seen, const float *coefficients, int64_t outputs, int64_t offsets, int64_t inner,
    int64_t channels, float *result, int64_t threads
) {
    Contracting all = {seen, coefficients, outputs * offsets, offsets, inner, channels, result};
    in_parallel(contract_rows, &all, (all.rows + OUTPUTS - 1) / OUTPUTS, threads);
}
