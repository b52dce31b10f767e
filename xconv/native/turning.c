/* Classes of coefficients, turned in groups and rounded to a few bits, and restored:
   xconv/spectrum/rounding.py says how. */

#include <float.h>
#include <math.h>

#include "turning.h"

#include "codes.h"
#include "parallel.h"

enum { GROUPS_OF_A_PART = 1536 };

typedef struct {
    float *numbers;
    int64_t count, bits;
    const float *matrix;
    uint8_t *codes;
    float *scales;
    float step;
} Class;

static inline int64_t groups_of(int64_t count) { return (count + TURNED - 1) / TURNED; }

/* Round a turned group to the nearest levels, half a step beside whole numbers, and pack their codes;
   that of NaN is 0. Return the scale that leaves the group's energy along itself. */
static float round_group(const float *turned, int64_t bits, float step, uint8_t *codes) {
    float half = (float)(1 << (bits - 1)), rounded[TURNED];
    lanes squares = all(0), products = all(0);
    for (int i = 0; i < TURNED; i += LANES)
        squares += load(turned + i) * load(turned + i);
    float norm = sqrtf(total(squares)), rate = 1 / ((norm > FLT_MIN ? norm : FLT_MIN) * step);
    for (int i = 0; i < TURNED; i++) {
        float level = floorf(turned[i] * rate);
        level = level < -half ? -half : level;
        rounded[i] = level > half - 1 ? half - 1 : level;
    }
    for (int i = 0; i < TURNED; i += LANES)
        products += load(turned + i) * (load(rounded + i) + all(0.5f));
    float product = total(products);
    if (bits == 16) {
        int16_t wide[TURNED];
        for (int i = 0; i < TURNED; i++)
            wide[i] = rounded[i] == rounded[i] ? (int16_t)(int32_t)rounded[i] : 0;
        memcpy(codes, wide, sizeof wide);
    } else {
        uint8_t narrow[TURNED];
        for (int i = 0; i < TURNED; i++)
            narrow[i] = rounded[i] == rounded[i] ? (uint8_t)(int32_t)(rounded[i] + half) : 0;
        pack(narrow, codes, TURNED, bits);
    }
    if (norm != norm)
        return norm;
    return norm * (norm / (product > FLT_MIN ? product : FLT_MIN)) * half;
}

static void restore_group(const uint8_t *codes, int64_t bits, float scale, float *numbers) {
    float half = (float)(1 << (bits - 1)), step = scale / half;
    if (bits == 16) {
        int16_t wide[TURNED];
        memcpy(wide, codes, sizeof wide);
        for (int i = 0; i < TURNED; i++)
            numbers[i] = ((float)wide[i] + 0.5f) * step;
        return;
    }
    uint8_t narrow[TURNED];
    unpack(codes, narrow, TURNED, bits);
    for (int i = 0; i < TURNED; i++)
        numbers[i] = ((float)narrow[i] - (half - 0.5f)) * step;
}

static void encode_part(const void *work, int64_t part) {
    const Class *class = work;
    int64_t groups = groups_of(class->count), end = (part + 1) * GROUPS_OF_A_PART;
    end = end < groups ? end : groups;
    float room[AT_ONCE * TURNED], turned[AT_ONCE * TURNED];
    for (int64_t first = part * GROUPS_OF_A_PART; first < end; first += AT_ONCE) {
        const float *numbers = class->numbers + TURNED * first;
        int64_t left = class->count - TURNED * first;
        if (left < AT_ONCE * TURNED) { /* zeros complete the last group */
            memset(room, 0, sizeof room);
            numbers = memcpy(room, numbers, left * sizeof *room);
        }
        turn(numbers, class->matrix, turned);
        for (int64_t g = 0; g < AT_ONCE && first + g < end; g++)
            class->scales[first + g] = round_group(
                turned + TURNED * g, class->bits, class->step,
                class->codes + TURNED / 8 * class->bits * (first + g)
            );
    }
}

static void decode_part(const void *work, int64_t part) {
    const Class *class = work;
    int64_t groups = groups_of(class->count), end = (part + 1) * GROUPS_OF_A_PART;
    end = end < groups ? end : groups;
    float levels[AT_ONCE * TURNED] = {0}, room[AT_ONCE * TURNED];
    for (int64_t first = part * GROUPS_OF_A_PART; first < end; first += AT_ONCE) {
        for (int64_t g = 0; g < AT_ONCE && first + g < end; g++)
            restore_group(
                class->codes + TURNED / 8 * class->bits * (first + g), class->bits,
                class->scales[first + g], levels + TURNED * g
            );
        int64_t left = class->count - TURNED * first;
        if (left < AT_ONCE * TURNED) {
            turn(levels, class->matrix, room);
            memcpy(class->numbers + TURNED * first, room, left * sizeof *room);
        } else
            turn(levels, class->matrix, class->numbers + TURNED * first);
    }
}

static void share(Task task, const Class *class, int64_t threads) {
    int64_t groups = groups_of(class->count);
    in_parallel(task, class, (groups + GROUPS_OF_A_PART - 1) / GROUPS_OF_A_PART, threads);
}

/* Write codes and scales of `count` numbers, turned by `rotation`. `step` is the distance of the
   levels over the norm of a group. */
void encode_turned(
    const float *numbers, int64_t count, int64_t bits, double step, const float *rotation,
    uint8_t *codes, float *scales, int64_t threads
) {
    float transposed[TURNED * TURNED]; /* a row of numbers times this is turned */
    for (int i = 0; i < TURNED; i++)
        for (int j = 0; j < TURNED; j++)
            transposed[TURNED * i + j] = rotation[TURNED * j + i];
    Class class = {(float *)numbers, count, bits, transposed, codes, scales, (float)step};
    share(encode_part, &class, threads);
}

/* Write `count` numbers from their codes and scales. */
void decode_turned(
    const uint8_t *codes, const float *scales, int64_t bits, const float *rotation, float *numbers,
    int64_t count, int64_t threads
) {
    Class class = {numbers, count, bits, rotation, (uint8_t *)codes, (float *)scales, 0};
    share(decode_part, &class, threads);
}

/* Make the Q of a square matrix of normal numbers, whose R has a positive diagonal, by the modified
   method of Gram and Schmidt in float64. */
void orthogonalize(const float *normal, float *rotation) {
    double rows[TURNED][TURNED];
    for (int i = 0; i < TURNED; i++)
        for (int k = 0; k < TURNED; k++)
            rows[i][k] = normal[TURNED * i + k];
    for (int j = 0; j < TURNED; j++) {
        double energy = 0, column[TURNED], products[TURNED] = {0};
        for (int i = 0; i < TURNED; i++)
            energy += rows[i][j] * rows[i][j];
        double norm = sqrt(energy);
        for (int i = 0; i < TURNED; i++) {
            column[i] = rows[i][j] / norm;
            rotation[TURNED * i + j] = (float)column[i];
        }
        int start = (j + 1) / 8 * 8; /* whole vectors; columns that are done do no harm */
        for (int i = 0; i < TURNED; i++)
            for (int k = start; k < TURNED; k++)
                products[k] += column[i] * rows[i][k];
        for (int i = 0; i < TURNED; i++)
            for (int k = start; k < TURNED; k++)
                rows[i][k] -= column[i] * products[k];
    }
}
