/* Numbers to round by, 256 at a time, as `chances` of xconv/random.py draws them: k 2^-16 + u 2^-24,
   with 16 bits k of each number's own and 8 bits u that all share. */

#ifndef CHANCES_H
#define CHANCES_H

#include "mersenne.h"

enum { GROUP = 256, QUARTER = GROUP / 4 };

static inline float chance_from(uint32_t own, float shared) {
    return (float)(int32_t)own * 0x1p-16f + shared;
}

/* Take a pair of words, the upper one first, for what is shared, and one for each four numbers: these
   lie a quarter of the group apart. */
static inline void draw_chances(Stream *stream, float *chances) {
    const uint32_t *words;
    take(stream, 1, 2, &words);
    float shared = (float)(int32_t)(tempered(words[1]) & 0xff) * 0x1p-24f;
    for (int64_t done = 0, size; done < QUARTER; done += size) {
        size = take(stream, QUARTER - done, 2, &words);
        float *first = chances + done;
        for (int64_t i = 0; i < size; i++) {
            uint32_t upper = tempered(words[2 * i]), lower = tempered(words[2 * i + 1]);
            first[i] = chance_from(lower & 0xffff, shared);
            first[QUARTER + i] = chance_from(lower >> 16, shared);
            first[2 * QUARTER + i] = chance_from(upper & 0xffff, shared);
            first[3 * QUARTER + i] = chance_from(upper >> 16, shared);
        }
    }
}

#endif
