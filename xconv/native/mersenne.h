/* The Mersenne twister MT19937 (Matsumoto and Nishimura 1998), as torch's generator on a CPU seeds
   and reads it. Its 624 words are renewed at once, in loops that a compiler turns into vectors. */

#ifndef MERSENNE_H
#define MERSENNE_H

#include <stdint.h>
#include <string.h>

enum { WORDS = 624, OFFSET = 397 };

typedef struct {
    uint32_t state[WORDS];
    int64_t used; /* how many of these words have been taken */
} Stream;

static void start(Stream *stream, int64_t seed) {
    uint32_t *state = stream->state;
    state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < WORDS; i++)
        state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
    stream->used = WORDS;
}

static inline uint32_t twisted(uint32_t upper, uint32_t lower) {
    uint32_t both = (upper & 0x80000000u) | (lower & 0x7fffffffu);
    return (both >> 1) ^ (-(lower & 1u) & 0x9908b0dfu);
}

static inline uint32_t tempered(uint32_t word) {
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c5680u;
    word ^= (word << 15) & 0xefc60000u;
    return word ^ (word >> 18);
}

/* The number in [0, 1) that a word stands for. */
static inline float chance_of(uint32_t word) {
    return (float)(int32_t)(tempered(word) & 0xffffffu) * 0x1p-24f;
}

static void renew(Stream *stream) {
    uint32_t *state = stream->state;
    for (int i = 0; i < WORDS - OFFSET; i++)
        state[i] = state[i + OFFSET] ^ twisted(state[i], state[i + 1]);
    for (int i = WORDS - OFFSET; i < WORDS - 1; i++)
        state[i] = state[i + OFFSET - WORDS] ^ twisted(state[i], state[i + 1]);
    state[WORDS - 1] = state[OFFSET - 1] ^ twisted(state[WORDS - 1], state[0]);
    stream->used = 0;
}

/* Take some of the next `count` numbers of `per_number` words: return how many, and where they are.
   624 is even, so that no pair of words is ever torn. */
static inline int64_t take(Stream *stream, int64_t count, int64_t per_number, const uint32_t **words) {
    if (stream->used == WORDS)
        renew(stream);
    int64_t left = (WORDS - stream->used) / per_number, size = count < left ? count : left;
    *words = stream->state + stream->used;
    stream->used += size * per_number;
    return size;
}

#endif
