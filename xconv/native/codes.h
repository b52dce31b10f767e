/* Whole numbers of 1 to 8 bits, packed without gaps: eight of them, the first lowest, take `bits`
   bytes. Three steps push neighbours together, in lanes of 2, 4 and 8 bytes, as in packing.py. */

#ifndef CODES_H
#define CODES_H

#include <stdint.h>
#include <string.h>

/* A word with the lowest `width` bits of every lane of `lane` bits set. */
static inline uint64_t every(int lane, int width) {
    uint64_t ones = lane == 64 ? 1 : UINT64_MAX / ((1ull << lane) - 1);
    return ones * ((1ull << width) - 1);
}

static inline uint64_t pressed(uint64_t word, int bits) {
    for (int lane = 8; lane < 64; lane *= 2) {
        int width = bits * lane / 8;
        uint64_t upper = word >> lane & every(2 * lane, width);
        word -= (upper << lane) - (upper << width);
    }
    return word;
}

static inline uint64_t spread(uint64_t word, int bits) {
    for (int lane = 32; lane > 4; lane /= 2) {
        int width = bits * lane / 8;
        uint64_t upper = word >> width & every(2 * lane, width);
        word += (upper << lane) - (upper << width);
    }
    return word;
}

/* Write `count` codes, a multiple of eight, to `count * bits / 8` bytes. */
static inline void pack_constant(const uint8_t *codes, uint8_t *packed, int64_t count, int bits) {
    for (int64_t i = 0; i < count / 8; i++) {
        uint64_t word;
        memcpy(&word, codes + 8 * i, 8);
        word = pressed(word, bits);
        memcpy(packed + bits * i, &word, bits); /* machines that read the lowest byte first */
    }
}

static inline void unpack_constant(const uint8_t *packed, uint8_t *codes, int64_t count, int bits) {
    for (int64_t i = 0; i < count / 8; i++) {
        uint64_t word = 0;
        memcpy(&word, packed + bits * i, bits);
        word = spread(word, bits);
        memcpy(codes + 8 * i, &word, 8);
    }
}

/* Do `step` with the number of bits as a constant, which a compiler needs. */
#define FOR_BITS(step, from, to, count, bits)                          \
    switch (bits) {                                                    \
    case 1: step(from, to, count, 1); break;                           \
    case 2: step(from, to, count, 2); break;                           \
    case 3: step(from, to, count, 3); break;                           \
    case 4: step(from, to, count, 4); break;                           \
    case 5: step(from, to, count, 5); break;                           \
    case 6: step(from, to, count, 6); break;                           \
    case 7: step(from, to, count, 7); break;                           \
    default: memcpy(to, from, count);                                  \
    }

static inline void pack(const uint8_t *codes, uint8_t *packed, int64_t count, int64_t bits) {
    FOR_BITS(pack_constant, codes, packed, count, bits)
}

static inline void unpack(const uint8_t *packed, uint8_t *codes, int64_t count, int64_t bits) {
    FOR_BITS(unpack_constant, packed, codes, count, bits)
}

#endif
