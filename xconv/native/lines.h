/* Numbers in lines of equal length, each with statistics of its own: maps of a BatchNorm, rows of a
   LayerNorm. They lie one after the other and are kept in parts, whose groups of 256 begin anew. */

#ifndef LINES_H
#define LINES_H

#include "groups.h"
#include "parallel.h"

typedef struct {
    const int64_t *elements; /* where parts begin, and the end of the last */
    const int64_t *groups;   /* at which group */
    const int64_t *seeds;    /* of their random numbers */
} Parts;

/* Those from part `begin` on. */
static inline Parts parts_from(
    const int64_t *elements, const int64_t *groups, const int64_t *seeds, int64_t begin
) {
    return (Parts){elements + begin, groups + begin, seeds + begin};
}

/* The numbers of a group: `size` of them, from number `first`. */
#define FOR_GROUPS(parts, part)                                                          \
    for (int64_t group = parts.groups[part], first = parts.elements[part], size;         \
         size = parts.elements[part + 1] - first,                                        \
                 size = size < GROUP ? size : GROUP,                                     \
                 group < parts.groups[part + 1];                                         \
         group++, first += GROUP)

/* Runs of these numbers that lie in one `line`: `run` of them, from number `from` of the group. */
#define FOR_RUNS(length, first, size)                                                    \
    for (int64_t from = 0, line = first / length, run = length - first % length;         \
         run = run < size - from ? run : size - from, from < size;                       \
         from += run, line++, run = length)

#endif
