/* Signs of independent probes, read from the bits that torch's generator gives: as
   xconv/schemes/independent.py draws them, part by part, and as `signs` of numbers.c writes them. */

#ifndef PROBES_H
#define PROBES_H

#include "contraction.h"

#include <stdint.h>

/* As many numbers as the processor takes at once. */
#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* Columns `start` to `stop` of the probes of images `first` to `beyond`; their bits begin at
   `word`. */
typedef struct {
    int64_t first, beyond, start, stop, stream, word;
} Part;

typedef struct {
    const Part *parts;
    const uint64_t *bits;
    int64_t pixels, piece, is_shared;
} Probes;

/* One column of an image: its signs are those from number `from` of the `count` of its part. */
typedef struct {
    const uint8_t *bytes;
    int64_t count, piece, from;
} Column;

static inline int64_t count_of(const Part *part, int64_t pixels, int64_t is_shared) {
    return (is_shared ? 1 : part->beyond - part->first) * (part->stop - part->start) * pixels;
}

static inline Column column_of(const Probes *all, int64_t image, int64_t column) {
    const Part *part = all->parts;
    while (image >= part->beyond || column >= part->stop)
        part++;
    int64_t own = all->is_shared ? 0 : image - part->first;
    own = own * (part->stop - part->start) + column - part->start;
    return (Column){(const uint8_t *)(all->bits + part->word),
                    count_of(part, all->pixels, all->is_shared), all->piece, own * all->pixels};
}

/* Find signs of a column, from pixel `at` on, that lie at one `bit` of consecutive `bytes`; return
   their number, at most `wanted`. */
static inline int64_t run_of(
    const Column *column, int64_t at, int64_t wanted, const uint8_t **bytes, int *bit
) {
    int64_t number = column->from + at, start = number / column->piece * column->piece;
    int64_t size = column->count - start < column->piece ? column->count - start : column->piece;
    int64_t length = (size + 63) / 64 * 8, place = (number - start) % length;
    *bytes = column->bytes + start / 8 + place;
    *bit = 7 - (int)((number - start) / length);
    return length - place < wanted ? length - place : wanted;
}

#endif
