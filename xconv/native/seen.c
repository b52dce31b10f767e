/* Output gradients against the probes of their image, by kernel offset: `seen` of
   xconv/schemes/single.py, for probes of random signs.

   The probes of an image lie pixel by pixel in a padded copy, so that what an output pixel sees
   through a row of the kernel is one line of numbers, to be added times the output gradient. */

#include "probes.h"

#include <stddef.h>
#include <string.h>

#include "parallel.h"

#if defined(__AVX512F__)
enum { LANES = 16, OUTPUTS = 8 };
#elif defined(__AVX__)
enum { LANES = 8, OUTPUTS = 4 };
#else
enum { LANES = 4, OUTPUTS = 8 };
#endif
enum { PIXELS = 512 };
typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4)));

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

/* Sum `vectors` lines times the gradients of some outputs, over all output pixels. */
static inline __attribute__((always_inline)) void see_lines(
    const Seeing *all, const float *lines, const float *const deltas[OUTPUTS], int vectors,
    Vector sums[OUTPUTS][2]
) {
    const Shape *shape = &all->shape;
    int64_t width = all->columns + all->has_ones, step = all->last ? all->outputs : 1;
    int64_t rows = shape->output[0] * shape->output[1], length = shape->output[2];
    int64_t together = (PIXELS + length - 1) / length; /* short sums are more exact */
    for (int64_t first = 0; first < rows; first += together) {
        Vector own[OUTPUTS][2] = {{{0}}};
        for (int64_t row = first; row < rows && row < first + together; row++) {
            int64_t z = row / shape->output[1], y = row % shape->output[1];
            int64_t place = z * shape->stride[0] * shape->padded[1] + y * shape->stride[1];
            const float *line = lines + place * shape->padded[2] * width;
            for (int64_t x = row * length; x < (row + 1) * length; x++) {
                for (int v = 0; v < vectors; v++) {
                    Vector numbers = *(const Vector *)(line + v * LANES);
                    for (int o = 0; o < OUTPUTS; o++)
                        own[o][v] += deltas[o][x * step] * numbers;
                }
                line += shape->stride[2] * width;
            }
        }
        for (int o = 0; o < OUTPUTS; o++)
            for (int v = 0; v < vectors; v++)
                sums[o][v] += own[o][v];
    }
}

/* Write what the outputs of an image see of all columns through one line of the kernel: `count`
   offsets from number `offset` on, whose first sees the line of pixels at `lines`. */
static void see_offsets(
    const Seeing *all, int64_t image, const float *lines, int64_t offset, int64_t count
) {
    const Shape *shape = &all->shape;
    int64_t pixels = shape->output[0] * shape->output[1] * shape->output[2];
    int64_t offsets = shape->kernel[0] * shape->kernel[1] * shape->kernel[2];
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
                see_lines(all, lines + lane, deltas, 2, sums);
            else
                see_lines(all, lines + lane, deltas, 1, sums);
            for (int64_t o = 0; o < some; o++)
                for (int64_t i = lane; i < length && i < lane + 2 * LANES; i++) {
                    int64_t row = (first + o) * offsets + offset + i / width;
                    all->seen[(row * all->batch + image) * width + i % width] =
                        sums[o][(i - lane) / LANES][(i - lane) % LANES];
                }
        }
    }
}

/* Write the signs of a line of pixels, and ones after them. */
static void write_pixels(
    const Seeing *all, int64_t image, int64_t at, const float table[256][8], float *target
) {
    int64_t width = all->columns + all->has_ones, size = all->shape.image[2];
    uint8_t codes[256];
    for (int64_t begun = 0, some; begun < size; begun += some, target += some * width) {
        some = size - begun < 256 ? size - begun : 256;
        for (int64_t first = 0; first < all->columns; first += 8) {
            int64_t count = all->columns - first < 8 ? all->columns - first : 8;
            memset(codes, 0, sizeof codes);
            for (int64_t j = 0; j < count; j++) {
                Column own = column_of(&all->probes, all->first + image, first + j);
                const uint8_t *bytes;
                int bit;
                for (int64_t done = 0, run; done < some; done += run) {
                    run = run_of(&own, at + begun + done, some - done, &bytes, &bit);
                    for (int64_t i = 0; i < run; i++)
                        codes[done + i] |= (uint8_t)((bytes[i] >> bit & 1) << j);
                }
            }
            for (int64_t i = 0; i < some; i++)
                if (count == 8)
                    memcpy(target + i * width + first, table[codes[i]], sizeof table[0]);
                else
                    for (int64_t j = 0; j < count; j++)
                        target[i * width + first + j] = table[codes[i]][j];
        }
        for (int64_t i = 0; all->has_ones && i < some; i++)
            target[i * width + all->columns] = 1;
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
    memset(room, 0, all->room * sizeof *room);
    for (int64_t image = slot; image < all->batch; image += all->slots) {
        for (int64_t z = 0; z < shape->image[0]; z++)
            for (int64_t y = 0; y < shape->image[1]; y++) {
                int64_t place = (z + shape->padding[0]) * padded[1] + y + shape->padding[1];
                write_pixels(
                    all, image, (z * shape->image[1] + y) * shape->image[2], table,
                    room + (place * padded[2] + shape->padding[2]) * width
                );
            }
        int64_t count = dilation[2] == 1 ? kernel[2] : 1;
        for (int64_t z = 0, offset = 0; z < kernel[0]; z++)
            for (int64_t y = 0; y < kernel[1]; y++)
                for (int64_t x = 0; x < kernel[2]; x += count, offset += count) {
                    int64_t place = (z * dilation[0] * padded[1] + y * dilation[1]) * padded[2];
                    see_offsets(all, image, room + (place + x * dilation[2]) * width, offset, count);
                }
    }
}

/* Write what outputs see of the probes of `batch` images from the `first` on, whose gradients are
   `deltas`: (outputs, offsets, batch, columns and ones). Each slot has `room` numbers
   of `rooms` for the padded probes of an image, some more for the last line. */
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
