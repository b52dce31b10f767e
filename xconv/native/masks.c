/* One bit for each element, eight to the byte, the first lowest: the seven operators of saved.relu
   in one pass. */

#include "codes.h"
#include "masks.h"
#include "parallel.h"

enum { AT_A_TIME = 256 };

typedef struct {
    const float *input;
    float *output;
    uint8_t *packed;
    int64_t count;
} Passing;

/* Pack whether each number passes: it is not at most 0. */
static inline void pack_group(const float *input, uint8_t *packed, int64_t size) {
    uint8_t flags[AT_A_TIME] = {0};
    for (int64_t i = 0; i < size; i++)
        flags[i] = !(input[i] <= 0.0f);
    gather(flags, packed, size);
}

/* Find max(x, 0), NaN for NaN. Whole groups are stored by one copy, as quickly as memory takes them,
   though the output may be the input. */
static inline void rectify(const float *input, float *output, int64_t size) {
    float found[AT_A_TIME];
    for (int64_t i = 0; i < size; i++)
        found[i] = input[i] < 0.0f ? 0.0f : input[i];
    memcpy(output, found, size * sizeof *found);
}

static void pass_part(const void *work, int64_t part) {
    const Passing *all = work;
    int64_t end = end_of(part, all->count);
    for (int64_t first = start_of(part), size; first < end; first += size) {
        size = end - first < AT_A_TIME ? end - first : AT_A_TIME;
        const float *input = all->input + first;
        uint8_t *packed = all->packed + first / 8;
        if (size == AT_A_TIME) {
            pack_group(input, packed, AT_A_TIME);
            if (all->output)
                rectify(input, all->output + first, AT_A_TIME);
        } else {
            pack_group(input, packed, size);
            if (all->output)
                rectify(input, all->output + first, size);
        }
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
    for (int64_t first = start_of(part), end = end_of(part, all->count); first < end; first += AT_A_TIME) {
        uint8_t flags[AT_A_TIME];
        int64_t size = end - first < AT_A_TIME ? end - first : AT_A_TIME;
        unpack(all->packed + first / 8, flags, (size + 7) / 8 * 8, 1);
        for (int64_t i = 0; i < size; i++)
            target[first + i] = source[first + i] & -(uint32_t)flags[i];
    }
}

/* Write the elements of `source` whose bit is set, and 0 for the others. */
void mask_words(
    const uint32_t *source, const uint8_t *packed, uint32_t *target, int64_t count, int64_t threads
) {
    Masking all = {source, packed, target, count};
    in_parallel(mask_part, &all, parts_of(count), threads);
}
