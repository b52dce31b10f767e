/* Eight flags to the byte, the first lowest. */

#ifndef MASKS_H
#define MASKS_H

#include <stdint.h>
#include <string.h>

/* Pack `count` bytes of 0 or 1, filled up with 0 to a multiple of eight: in a word of eight, byte i
   moves to bit 56 + i, and nothing carries. */
static inline void gather(const uint8_t *flags, uint8_t *packed, int64_t count) {
    for (int64_t i = 0; 8 * i < count; i++) {
        uint64_t word;
        memcpy(&word, flags + 8 * i, sizeof word);
        packed[i] = word * 0x0102040810204080u >> 56;
    }
}

#endif
