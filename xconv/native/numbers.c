/* Random numbers of each kind as torch makes them of 32-bit words.

   A number of 32 or 64 bits takes two words, the upper half first; a number in [0, 1) takes one and
   keeps its lowest 24 bits, as many as float32 holds. */

#include "mersenne.h"

enum { AT_A_TIME = 512 };

#define EACH(type, per_number, number)                                              \
    Stream stream;                                                                  \
    uint32_t words[AT_A_TIME * per_number];                                         \
    start(&stream, seed);                                                           \
    for (int64_t first = 0; first < count; first += AT_A_TIME) {                    \
        int64_t size = count - first < AT_A_TIME ? count - first : AT_A_TIME;       \
        draw(&stream, words, size * per_number);                                    \
        type *own = target + first;                                                 \
        for (int64_t i = 0; i < size; i++)                                          \
            own[i] = number;                                                        \
    }

void words_of_32_bits(uint32_t *target, int64_t count, int64_t seed) {
    EACH(uint32_t, 2, words[2 * i + 1] ^ 0x80000000u)
}

void words_of_64_bits(uint64_t *target, int64_t count, int64_t seed) {
    EACH(uint64_t, 2, (uint64_t)words[2 * i] << 32 | words[2 * i + 1])
}

void uniform(float *target, int64_t count, int64_t seed) {
    EACH(float, 1, (float)(int32_t)(words[i] & 0xffffffu) * 0x1p-24f)
}

/* Write `count` signs, 1 or -1, of the bits of `bytes`: all highest bits in turn, then the next. */
void signs(float *target, int64_t count, const uint8_t *bytes, int64_t length) {
    for (int bit = 7; bit >= 0 && count > 0; bit--) {
        int64_t size = count < length ? count : length;
        for (int64_t i = 0; i < size; i++)
            target[i] = bytes[i] >> bit & 1 ? -1.0f : 1.0f;
        target += size;
        count -= size;
    }
}
