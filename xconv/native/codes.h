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

/* Push the upper half of every lane of 2 * `lane` bits down to its lower half, or up again. */
static inline uint64_t pushed(uint64_t word, int lane, int bits) {
    int width = bits * lane / 8;
    uint64_t upper = word >> lane & every(2 * lane, width);
    return word - (upper << lane) + (upper << width);
}

static inline uint64_t pulled(uint64_t word, int lane, int bits) {
    int width = bits * lane / 8;
    uint64_t upper = word >> width & every(2 * lane, width);
    return word + (upper << lane) - (upper << width);
}

/* Do `STEP(bits, type)` with the number of bits as a constant, as a compiler needs it to use vectors,
   and with the smallest type that holds the eight codes. */
#define FOR_BITS(bits, STEP)                  \
    switch (bits) {                           \
    case 1: STEP(1, uint8_t) break;           \
    case 2: STEP(2, uint16_t) break;          \
    case 3: STEP(3, uint64_t) break;          \
    case 4: STEP(4, uint32_t) break;          \
    case 5: STEP(5, uint64_t) break;          \
    case 6: STEP(6, uint64_t) break;          \
    case 7: STEP(7, uint64_t) break;          \
    default: memcpy(to, from, count);         \
    }

/* Pack all codes of a byte at once: two or four. */
#define PACK_BYTES(type, byte)                                                               \
    for (int64_t i = 0; i < count / (int64_t)sizeof(type); i++) {                            \
        type codes;                                                                          \
        memcpy(&codes, from + sizeof codes * i, sizeof codes);                               \
        to[i] = (uint8_t)(byte);                                                             \
    }

/* Pack `count` codes, a multiple of eight, on a machine that reads the lowest byte first. */
static inline void pack(const uint8_t *restrict from, uint8_t *restrict to, int64_t count, int64_t bits) {
#define PACK(bits, type)                                                                     \
    for (int64_t i = 0; i < count / 8; i++) {                                                \
        uint64_t word;                                                                       \
        memcpy(&word, from + 8 * i, 8);                                                      \
        type codes = (type)pushed(pushed(pushed(word, 8, bits), 16, bits), 32, bits);        \
        memcpy(to + bits * i, &codes, bits);                                                 \
    }
    if (bits == 2)
        PACK_BYTES(uint32_t, codes | codes >> 6 | codes >> 12 | codes >> 18)
    else if (bits == 4)
        PACK_BYTES(uint16_t, codes | codes >> 4)
    else
        FOR_BITS(bits, PACK)
}

static inline void unpack(const uint8_t *restrict from, uint8_t *restrict to, int64_t count, int64_t bits) {
#define UNPACK(bits, type)                                                                   \
    for (int64_t i = 0; i < count / 8; i++) {                                                \
        type codes = 0;                                                                      \
        memcpy(&codes, from + bits * i, bits);                                               \
        uint64_t word = pulled(pulled(pulled(codes, 32, bits), 16, bits), 8, bits);          \
        memcpy(to + 8 * i, &word, 8);                                                        \
    }
    FOR_BITS(bits, UNPACK)
}

#endif
