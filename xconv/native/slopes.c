/* Slopes of activations as codes of a few bits, and gradients times the slopes that these stand
   for: xconv/saved/slopes.py and codes.py. */

#include <math.h>

#include "chances.h"
#include "codes.h"
#include "masks.h"
#include "parallel.h"

enum { AT_A_TIME = GROUP };

static inline int64_t least(int64_t one, int64_t other) { return one < other ? one : other; }

/* Write whether each slope differs from `first`. */
void pack_unequal(const float *slopes, double first, uint8_t *packed, int64_t count) {
    float value = (float)first;
    for (int64_t begin = 0; begin < count; begin += AT_A_TIME) {
        uint8_t flags[AT_A_TIME] = {0};
        int64_t size = least(count - begin, AT_A_TIME);
        for (int64_t i = 0; i < size; i++)
            flags[i] = slopes[begin + i] != value;
        gather(flags, packed + begin / 8, size);
    }
}

/* Round positions down, or up with a chance of what is cut off. The flag becomes NaN if any position
   is not finite; it is rounded to 0. Codes fill up to a multiple of eight. */
void round_positions(
    const float *positions, uint8_t *packed, float *flag, int64_t count, int64_t bits, int64_t seed
) {
    Stream stream;
    start(&stream, seed);
    for (int64_t begin = 0; begin < count; begin += AT_A_TIME) {
        float chances[AT_A_TIME];
        uint8_t codes[AT_A_TIME] = {0};
        int64_t size = least(count - begin, AT_A_TIME);
        int32_t strange = 0;
        draw_chances(&stream, chances);
        for (int64_t i = 0; i < size; i++) {
            float position = positions[begin + i];
            int32_t is_strange = !(position - position == 0.0f);
            strange |= is_strange;
            position = is_strange ? 0.0f : position;
            float lower = floorf(position);
            codes[i] = (uint8_t)((int32_t)lower + (chances[i] < position - lower));
        }
        if (strange)
            *flag = NAN;
        pack(codes, packed + begin / 8 * bits, (size + 7) / 8 * 8, bits);
    }
}

/* Write the factor that each code stands for. */
static inline void look_up(const uint8_t *codes, const float *factors, float *own, int64_t bits) {
    float first = factors[0], second = factors[1];
    if (bits == 1)
        for (int64_t i = 0; i < AT_A_TIME; i++)
            own[i] = codes[i] ? second : first;
    else
        for (int64_t i = 0; i < AT_A_TIME; i++)
            own[i] = factors[codes[i]];
}

typedef struct {
    const float *source;
    const uint8_t *packed;
    const float *factors;
    float *target;
    int64_t count, bits, zero_stays;
} Scaling;

static void scale_part(const void *work, int64_t part) {
    const Scaling *all = work;
    const float *restrict source = all->source;
    float *restrict target = all->target;
    for (int64_t begin = start_of(part), end = end_of(part, all->count); begin < end; begin += AT_A_TIME) {
        float own[AT_A_TIME];
        uint8_t codes[AT_A_TIME] = {0};
        int64_t size = least(end - begin, AT_A_TIME);
        unpack(all->packed + begin / 8 * all->bits, codes, (size + 7) / 8 * 8, all->bits);
        look_up(codes, all->factors, own, all->bits);
        if (all->zero_stays)
            for (int64_t i = 0; i < size; i++)
                target[begin + i] = own[i] == 0.0f ? 0.0f : source[begin + i] * own[i];
        else
            for (int64_t i = 0; i < size; i++)
                target[begin + i] = source[begin + i] * own[i];
    }
}

/* Multiply each number by the factor that its code stands for; a factor of 0 gives 0 even for NaN if
   `zero_stays`. */
void scale_by_codes(
    const float *source, const uint8_t *packed, const float *factors, float *target, int64_t count,
    int64_t bits, int64_t zero_stays, int64_t threads
) {
    Scaling all = {source, packed, factors, target, count, bits, zero_stays};
    in_parallel(scale_part, &all, parts_of(count), threads);
}
