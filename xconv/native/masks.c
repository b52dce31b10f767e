/* One bit for each element, eight to the byte, the first lowest: the seven operators of saved.relu
   in one pass. */

#include "masks.h"
#include "parallel.h"

enum { AT_A_TIME = 256 };

typedef struct {
    const float *input;
    float *output;
    uint8_t *packed;
    int64_t count;
} Passing;

/* Write max(x, 0) of each element, NaN for NaN, unless nobody wants it, and whether it passes: it is
   not at most 0. */
static void pass_part(const void *work, int64_t part) {
    const Passing *all = work;
    for (int64_t first = start_of(part), end = end_of(part, all->count); first < end; first += AT_A_TIME) {
        uint8_t flags[AT_A_TIME] = {0};
        int64_t size = end - first < AT_A_TIME ? end - first : AT_A_TIME;
        const float *input = all->input + first;
        for (int64_t i = 0; i < size; i++)
            flags[i] = !(input[i] <= 0.0f);
        if (all->output) {
            float *output = all->output + first;
            for (int64_t i = 0; i < size; i++)
                output[i] = input[i] < 0.0f ? 0.0f : input[i];
        }
        gather(flags, all->packed + first / 8, size);
    }
}

/* `output` may be `input`, or none. */
void pack_passing(const float *input, float *output, uint8_t *packed, int64_t count, int64_t threads) {
    Passing all = {input, output, packed, count};
    in_parallel(pass_part, &all, parts_of(count), threads);
}

typedef struct {
    const uint32_t *source;
    const uint8_t *packed;
    uint32_t *target;
    int64_t count;
} Masking;

static void mask_part(const void *work, int64_t part) {
    const Masking *all = work;
    const uint32_t *restrict source = all->source;
    uint32_t *restrict target = all->target;
    int64_t start = start_of(part), end = end_of(part, all->count), whole = end / 8;
    for (int64_t byte = start / 8; byte < whole; byte++)
        for (int bit = 0; bit < 8; bit++)
            target[8 * byte + bit] = source[8 * byte + bit] & -(uint32_t)(all->packed[byte] >> bit & 1);
    for (int64_t i = 8 * whole; i < end; i++)
        target[i] = source[i] & -(uint32_t)(all->packed[i / 8] >> i % 8 & 1);
}

/* Write the elements of `source` whose bit is set, and 0 for the others. */
void mask_words(
    const uint32_t *source, const uint8_t *packed, uint32_t *target, int64_t count, int64_t threads
) {
    Masking all = {source, packed, target, count};
    in_parallel(mask_part, &all, parts_of(count), threads);
}
