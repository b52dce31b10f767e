/* One bit for each element, eight to the byte, the first lowest: the seven operators of saved.relu
   in one pass. */

#include "masks.h"

enum { AT_A_TIME = 256 };

/* Write for each element of `values` whether it is not at most 0; so it is for NaN. */
void pack_passing(const float *values, uint8_t *packed, int64_t count) {
    for (int64_t first = 0; first < count; first += AT_A_TIME) {
        uint8_t flags[AT_A_TIME] = {0};
        int64_t size = count - first < AT_A_TIME ? count - first : AT_A_TIME;
        for (int64_t i = 0; i < size; i++)
            flags[i] = !(values[first + i] <= 0.0f);
        gather(flags, packed + first / 8, size);
    }
}

/* Write the elements of `source` whose bit is set, and 0 for the others. */
void mask_words(const uint32_t *source, const uint8_t *packed, uint32_t *target, int64_t count) {
    int64_t whole = count / 8;
    for (int64_t byte = 0; byte < whole; byte++)
        for (int bit = 0; bit < 8; bit++)
            target[8 * byte + bit] = source[8 * byte + bit] & -(uint32_t)(packed[byte] >> bit & 1);
    for (int64_t i = 8 * whole; i < count; i++)
        target[i] = source[i] & -(uint32_t)(packed[i / 8] >> i % 8 & 1);
}
