/* Slopes of activations as codes of a few bits, and gradients times the slopes that these stand
   for: xconv/saved/slopes.py and codes.py. */

#include <math.h>

#include "chances.h"
#include "codes.h"
#include "masks.h"
#include "parallel.h"

enum { AT_A_TIME = GROUP };

static inline int64_t smaller(int64_t one, int64_t other) { return one < other ? one : other; }

static inline int any_nan(const float *numbers, int64_t size) {
    int32_t most = 0;
    for (int64_t i = 0; i < size; i++) {
        int32_t word;
        memcpy(&word, numbers + i, sizeof word);
        word &= INT32_MAX;
        most = word > most ? word : most;
    }
    return most > 0x7f800000; /* infinity */
}

/* Write a bit for each number: whether `holds` for x, `low` and `high`. The flag becomes NaN if any x
   is: torch's answer depends on its place then. */
#define WHERE(name, holds)                                                                         \
    void name(                                                                                     \
        const float *input, uint8_t *packed, float *flag, int64_t count, double least, double most \
    ) {                                                                                            \
        float low = (float)least, high = (float)most;                                              \
        for (int64_t begin = 0; begin < count; begin += AT_A_TIME) {                               \
            uint8_t flags[AT_A_TIME] = {0};                                                        \
            int64_t size = smaller(count - begin, AT_A_TIME);                                      \
            for (int64_t i = 0; i < size; i++) {                                                   \
                float x = input[begin + i];                                                        \
                flags[i] = holds;                                                                  \
            }                                                                                      \
            gather(flags, packed + begin / 8, size);                                               \
            if (any_nan(input + begin, size))                                                      \
                *flag = NAN;                                                                       \
        }                                                                                          \
    }

WHERE(pack_inside, (x > low) & (x < high))
WHERE(pack_outside, (x < low) | (x > high))
WHERE(pack_up_to, (x <= low) & (x <= high))

/* Find positions slope * scale + below, 0 to top, and 0 for NaN. */
static inline void find_positions(
    const float *slopes, float *positions, float scale, float below, float top
) {
    for (int i = 0; i < AT_A_TIME; i++) {
        float position = slopes[i] * scale + below;
        position = position > 0.0f ? position : 0.0f;
        positions[i] = position < top ? position : top;
    }
}

static inline void find_slopes_of_hardswish(const float *input, float *slopes) {
    for (int i = 0; i < AT_A_TIME; i++) {
        float x = input[i], slope = x / 3.0f + 0.5f;
        slope = x >= 3.0f ? 1.0f : slope;
        slopes[i] = x <= -3.0f ? 0.0f : slope;
    }
}

/* Round positions down, or up with a chance of what is cut off. */
static inline void round_positions(const float *positions, const float *chances, uint8_t *codes) {
    for (int i = 0; i < AT_A_TIME; i++) {
        float lower = floorf(positions[i]);
        codes[i] = (uint8_t)((int32_t)lower + (chances[i] < positions[i] - lower));
    }
}

typedef struct {
    Stream stream;
    int64_t bits;
    int32_t is_hardswish;
    float scale, below, top, *flag;
} Rounding;

/* Round a group of slopes, or of inputs, to codes. The flag becomes NaN if any slope is. */
static inline void round_group(Rounding *how, const float *source, uint8_t *codes) {
    float slopes[AT_A_TIME], positions[AT_A_TIME], chances[AT_A_TIME];
    if (how->is_hardswish)
        find_slopes_of_hardswish(source, slopes);
    const float *found = how->is_hardswish ? slopes : source;
    if (any_nan(found, AT_A_TIME))
        *how->flag = NAN;
    find_positions(found, positions, how->scale, how->below, how->top);
    draw_chances(&how->stream, chances);
    round_positions(positions, chances, codes);
}

/* Round all. Codes fill up to a multiple of eight. */
static void round_all(
    Rounding *how, const float *source, uint8_t *packed, int64_t count, int64_t seed
) {
    uint8_t codes[AT_A_TIME];
    int64_t rest = count % AT_A_TIME, whole = count - rest, bits = how->bits;
    start(&how->stream, seed);
    for (int64_t begin = 0; begin < whole; begin += AT_A_TIME) {
        round_group(how, source + begin, codes);
        pack(codes, packed + begin / 8 * bits, AT_A_TIME, bits);
    }
    if (rest > 0) {
        float padded[AT_A_TIME] = {0};
        memcpy(padded, source + whole, rest * sizeof *padded);
        round_group(how, padded, codes);
        memset(codes + rest, 0, AT_A_TIME - rest);
        pack(codes, packed + whole / 8 * bits, (rest + 7) / 8 * 8, bits);
    }
}

void round_slopes(
    const float *slopes, uint8_t *packed, float *flag, int64_t count, int64_t bits, int64_t seed,
    double scale, double below
) {
    Rounding how = {.bits = bits, .scale = (float)scale, .below = (float)below,
                    .top = (float)((1 << bits) - 1), .flag = flag};
    round_all(&how, slopes, packed, count, seed);
}

/* Do the same with the slopes of Hardswish at an input, in pieces with a seed each. */
void round_hardswish(
    const float *input, uint8_t *packed, float *flag, int64_t count, int64_t bits,
    const int64_t *seeds, int64_t piece, double scale, double below
) {
    Rounding how = {.bits = bits, .is_hardswish = 1, .scale = (float)scale, .below = (float)below,
                    .top = (float)((1 << bits) - 1), .flag = flag};
    for (int64_t begin = 0; begin < count; begin += piece, seeds++)
        round_all(
            &how, input + begin, packed + begin / 8 * bits, smaller(count - begin, piece), *seeds
        );
}

/* Factors that lie evenly, (code - zero) / scale with a whole scale, are computed, as long as a table
   is looked into one by one. A scale of 0 says that they do not, to the last bit. */
typedef struct {
    float zero, scale;
} Even;

static Even find_even(const float *factors, int64_t count) {
    Even even = {0, 0};
    while (even.zero < count && factors[(int64_t)even.zero] != 0.0f)
        even.zero++;
    even.scale = rintf(((float)(count - 1) - even.zero) / factors[count - 1]);
    for (int64_t code = 0; code < count; code++)
        if (((float)code - even.zero) / even.scale != factors[code])
            even.scale = 0;
    return even;
}

/* Write the factor that each code stands for. */
static inline void look_up(
    const uint8_t *codes, const float *factors, Even even, float *own, int64_t bits
) {
    float first = factors[0], second = factors[1], zero = even.zero, scale = even.scale;
    if (bits == 1)
        for (int64_t i = 0; i < AT_A_TIME; i++)
            own[i] = codes[i] ? second : first;
    else if (scale != 0.0f)
        for (int64_t i = 0; i < AT_A_TIME; i++)
            own[i] = ((float)codes[i] - zero) / scale;
    else
        for (int64_t i = 0; i < AT_A_TIME; i++)
            own[i] = factors[codes[i]];
}

/* Multiply, but let a factor of 0 give 0. Bits are masked, as a compiler would else mask what is stored,
   which some processors do slowly. */
static inline void multiply_or_zero(
    const float *restrict source, const float *factors, float *restrict target, int64_t size
) {
    for (int64_t i = 0; i < size; i++) {
        float product = source[i] * factors[i];
        uint32_t word;
        memcpy(&word, &product, sizeof word);
        word &= -(uint32_t)(factors[i] != 0.0f);
        memcpy(target + i, &word, sizeof word);
    }
}

typedef struct {
    const float *source;
    const uint8_t *packed;
    const float *factors;
    Even even;
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
        int64_t size = smaller(end - begin, AT_A_TIME);
        unpack(all->packed + begin / 8 * all->bits, codes, (size + 7) / 8 * 8, all->bits);
        look_up(codes, all->factors, all->even, own, all->bits);
        if (all->zero_stays)
            multiply_or_zero(source + begin, own, target + begin, size);
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
    Scaling all = {source, packed, factors, find_even(factors, 1 << bits), target, count, bits, zero_stays};
    in_parallel(scale_part, &all, parts_of(count), threads);
}
