/* The transpose of 16 vectors: number j of vector i becomes number i of vector j. */

#ifndef TRANSPOSING_H
#define TRANSPOSING_H

#include "lanes.h"

typedef int32_t places __attribute__((vector_size(4 * LANES)));

#if defined(__clang__)
#define PICKED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICKED(a, b, ...) __builtin_shuffle(a, b, (places){__VA_ARGS__})
#endif

#define SIXTEEN(PLACE, step)                                                                \
    PLACE(0, step), PLACE(1, step), PLACE(2, step), PLACE(3, step), PLACE(4, step),         \
        PLACE(5, step), PLACE(6, step), PLACE(7, step), PLACE(8, step), PLACE(9, step),     \
        PLACE(10, step), PLACE(11, step), PLACE(12, step), PLACE(13, step), PLACE(14, step), \
        PLACE(15, step)
#define FIRST(p, step) ((p) & (step) ? LANES + (p) - (step) : (p))
#define SECOND(p, step) ((p) & (step) ? LANES + (p) : (p) + (step))

/* Exchange squares of `step` numbers on each side of the diagonal. */
#define EXCHANGE(rows, step)                                              \
    for (int i = 0; i < LANES; i++)                                       \
        if (!(i & (step))) {                                              \
            lanes a = rows[i], b = rows[i + (step)];                      \
            rows[i] = PICKED(a, b, SIXTEEN(FIRST, step));                 \
            rows[i + (step)] = PICKED(a, b, SIXTEEN(SECOND, step));       \
        }

static inline void transpose(lanes *rows) {
    EXCHANGE(rows, 1)
    EXCHANGE(rows, 2)
    EXCHANGE(rows, 4)
    EXCHANGE(rows, 8)
}

/* Write the first `count` numbers. */
static inline void store_some(float *to, lanes numbers, int64_t count) {
    float from[LANES];
    int64_t done = 0;
    store(from, numbers);
    for (int64_t size = LANES; size; size /= 2)
        if (count & size) {
            switch (size) {
            case 16: memcpy(to + done, from + done, 64); break;
            case 8: memcpy(to + done, from + done, 32); break;
            case 4: memcpy(to + done, from + done, 16); break;
            case 2: memcpy(to + done, from + done, 8); break;
            default: to[done] = from[done];
            }
            done += size;
        }
}

#endif
