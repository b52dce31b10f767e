/* Whole numbers of 1 to 8 bits, packed and unpacked: see codes.h. */

#include "codes.h"

void pack_codes(const uint8_t *codes, uint8_t *packed, int64_t count, int64_t bits) {
    pack(codes, packed, count, bits);
}

void unpack_codes(const uint8_t *packed, uint8_t *codes, int64_t count, int64_t bits) {
    unpack(packed, codes, count, bits);
}
