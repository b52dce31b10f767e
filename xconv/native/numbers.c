/* Random numbers of each kind as torch makes them of 32-bit words.

   A number of 32 or 64 bits takes two words, the upper half first; a number in [0, 1) takes one and
   keeps its lowest 24 bits, as many as float32 holds. */

#include "chances.h"

#define EACH(per_number, number)                                            \
    Stream stream;                                                          \
    const uint32_t *words;                                                  \
    start(&stream, seed);                                                   \
    while (count > 0) {                                                     \
        int64_t size = take(&stream, count, per_number, &words);            \
        for (int64_t i = 0; i < size; i++)                                  \
            target[i] = number;                                             \
        target += size;                                                     \
        count -= size;                                                      \
    }

void words_of_32_bits(uint32_t *target, int64_t count, int64_t seed) {
    EACH(2, tempered(words[2 * i + 1]) ^ 0x80000000u)
}

void words_of_64_bits(uint64_t *target, int64_t count, int64_t seed) {
    EACH(2, (uint64_t)tempered(words[2 * i]) << 32 | tempered(words[2 * i + 1]))
}

void uniform(float *target, int64_t count, int64_t seed) {
    EACH(1, chance_of(words[i]))
}

void chances(float *target, int64_t count, int64_t seed) {
    Stream stream;
    start(&stream, seed);
    for (; count > 0; target += GROUP, count -= GROUP) {
        float found[GROUP];
        draw_chances(&stream, found);
        memcpy(target, found, (count < GROUP ? count : GROUP) * sizeof *found);
    }
}

/* Write `count` signs, 1 or -1, of the bits of `bytes`: all highest bits in turn, then the next. */
static void signs(float *target, int64_t count, const uint8_t *bytes, int64_t length) {
    for (int bit = 7; bit >= 0 && count > 0; bit--) {
        int64_t size = count < length ? count : length;
        for (int64_t i = 0; i < size; i++)
            target[i] = bytes[i] >> bit & 1 ? -1.0f : 1.0f;
        target += size;
        count -= size;
    }
}

/* Draw `bits`, and write `count` signs of them, piece by piece. */
void random_signs(float *target, int64_t count, int64_t piece, uint64_t *bits, int64_t seed) {
    words_of_64_bits(bits, (count + 63) / 64, seed);
    for (int64_t first = 0; first < count; first += piece) {
        int64_t size = count - first < piece ? count - first : piece;
        signs(target + first, size, (const uint8_t *)bits + first / 8, (size + 63) / 64 * 8);
    }
}

/* Round `count` numbers of float32 to bfloat16 at random: xconv/narrowing.py says how. */
void narrow_numbers(uint16_t *target, const uint32_t *numbers, int64_t count, int64_t seed) {
    const uint32_t *end = numbers + count;
    EACH(2, (uint16_t)((end[i - count] + (tempered(words[2 * i + 1]) & 0xffff)) >> 16))
}
