/* Columns, blocks of maps, read and written 16 at a time: a vector has the same pixel of each. */

#ifndef COLUMNS_H
#define COLUMNS_H

#include "lanes.h"
#include "transposing.h"

enum { AXES = 3 };

/* How maps lie in memory, in numbers, and how they are cut into blocks. */
typedef struct {
    int64_t channels, image_step, channel_step, steps[AXES], pixels[AXES];
    int64_t sides[AXES], counts[AXES];
} Maps;

/* A block of a map: where it begins, and how many of its pixels along each axis lie inside the map. */
typedef struct {
    int64_t image, channel, block[AXES], start, inside[AXES];
} Column;

static void place(const Maps *maps, Column *column) {
    column->start = column->image * maps->image_step + column->channel * maps->channel_step;
    for (int axis = 0; axis < AXES; axis++) {
        int64_t first = column->block[axis] * maps->sides[axis], left = maps->pixels[axis] - first;
        column->start += first * maps->steps[axis];
        column->inside[axis] = left < maps->sides[axis] ? left : maps->sides[axis];
    }
}

static Column column_of(const Maps *maps, int64_t number) {
    Column found;
    for (int axis = AXES - 1; axis >= 0; axis--) {
        found.block[axis] = number % maps->counts[axis];
        number /= maps->counts[axis];
    }
    found.image = number / maps->channels, found.channel = number % maps->channels;
    place(maps, &found);
    return found;
}

static void move_on(const Maps *maps, Column *column) {
    int axis = AXES - 1;
    while (axis >= 0 && ++column->block[axis] == maps->counts[axis])
        column->block[axis--] = 0;
    if (axis < 0 && ++column->channel == maps->channels)
        column->channel = 0, column->image++;
    place(maps, column);
}

static inline int64_t at_most(int64_t number, int64_t end) { return number < end ? number : end - 1; }

/* Read a column; beyond the edge of the map, its last pixel is repeated. */
static void read_column(const Maps *maps, const float *images, const Column *column, float *block) {
    const int64_t *sides = maps->sides, *steps = maps->steps, *inside = column->inside;
    for (int64_t z = 0; z < sides[0]; z++)
        for (int64_t y = 0; y < sides[1]; y++, block += sides[2] * LANES) {
            const float *line = images + column->start + at_most(z, inside[0]) * steps[0] +
                                at_most(y, inside[1]) * steps[1];
            for (int64_t x = 0; x < inside[2]; x++)
                block[x * LANES] = line[x * steps[2]];
            for (int64_t x = inside[2]; x < sides[2]; x++)
                block[x * LANES] = line[(inside[2] - 1) * steps[2]];
        }
}

/* Write a column, without the pixels beyond the edge. */
static void write_column(const Maps *maps, float *images, const Column *column, const float *block) {
    const int64_t *sides = maps->sides, *steps = maps->steps, *inside = column->inside;
    for (int64_t z = 0; z < inside[0]; z++)
        for (int64_t y = 0; y < inside[1]; y++) {
            float *line = images + column->start + z * steps[0] + y * steps[1];
            const float *from = block + (z * sides[1] + y) * sides[2] * LANES;
            for (int64_t x = 0; x < inside[2]; x++)
                line[x * steps[2]] = from[x * LANES];
        }
}

/* Return the end of images: what lies behind their last pixel. */
static const float *end_of_images(const float *images, const Maps *maps, int64_t columns) {
    int64_t last = 0;
    for (int axis = 0; axis < AXES; axis++) {
        columns /= maps->counts[axis];
        last += (maps->pixels[axis] - 1) * maps->steps[axis];
    }
    last += (maps->channels - 1) * maps->channel_step;
    return images + last + (columns / maps->channels - 1) * maps->image_step + 1;
}

/* Return whether all columns lie inside of their maps, with neighbours next to each other. */
static int are_whole(const Maps *maps, const Column *columns) {
    int are = maps->steps[AXES - 1] == 1;
    for (int64_t lane = 0; lane < LANES; lane++)
        for (int axis = 0; axis < AXES; axis++)
            are &= columns[lane].inside[axis] == maps->sides[axis];
    return are;
}

/* Return whether the same pixels of all columns are neighbours, as where channels come last. */
static int are_neighbours(const Maps *maps, const Column *columns) {
    int are = maps->steps[AXES - 1] > 1;
    for (int64_t lane = 0; lane < LANES; lane++)
        are &= columns[lane].start == columns[0].start + lane &&
               !memcmp(columns[lane].inside, columns[0].inside, sizeof columns->inside);
    return are;
}

static void read_neighbours(
    const Maps *maps, const float *images, const Column *column, lanes *block
) {
    const int64_t *sides = maps->sides, *steps = maps->steps, *inside = column->inside;
    for (int64_t z = 0; z < sides[0]; z++)
        for (int64_t y = 0; y < sides[1]; y++)
            for (int64_t x = 0; x < sides[2]; x++)
                *block++ = load(
                    images + column->start + at_most(z, inside[0]) * steps[0] +
                    at_most(y, inside[1]) * steps[1] + at_most(x, inside[2]) * steps[2]
                );
}

static void write_neighbours(
    const Maps *maps, float *images, const Column *column, const lanes *block
) {
    const int64_t *sides = maps->sides, *steps = maps->steps, *inside = column->inside;
    for (int64_t z = 0; z < inside[0]; z++)
        for (int64_t y = 0; y < inside[1]; y++)
            for (int64_t x = 0; x < inside[2]; x++)
                store(
                    images + column->start + z * steps[0] + y * steps[1] + x * steps[2],
                    block[(z * sides[1] + y) * sides[2] + x]
                );
}

/* Read 16 whole columns, some neighbours of each at a time; a line that has fewer than 16 ahead of
   the `end` of the images is read in no more than there are. */
static void read_whole(
    const Maps *maps, const float *images, const float *end, const Column *columns, lanes *block
) {
    const int64_t *sides = maps->sides;
    for (int64_t z = 0; z < sides[0]; z++)
        for (int64_t y = 0; y < sides[1]; y++)
            for (int64_t x = 0; x < sides[2]; x += LANES) {
                int64_t count = sides[2] - x < LANES ? sides[2] - x : LANES;
                lanes rows[LANES];
                for (int lane = 0; lane < LANES; lane++) {
                    const float *line = images + columns[lane].start + z * maps->steps[0] +
                                        y * maps->steps[1] + x;
                    if (end - line >= LANES) {
                        rows[lane] = load(line);
                    } else {
                        float room[LANES] = {0};
                        memcpy(room, line, count * sizeof *line);
                        rows[lane] = load(room);
                    }
                }
                transpose(rows);
                for (int64_t i = 0; i < count; i++)
                    block[(z * sides[1] + y) * sides[2] + x + i] = rows[i];
            }
}

static void write_whole(const Maps *maps, float *images, const Column *columns, const lanes *block) {
    const int64_t *sides = maps->sides;
    for (int64_t z = 0; z < sides[0]; z++)
        for (int64_t y = 0; y < sides[1]; y++)
            for (int64_t x = 0; x < sides[2]; x += LANES) {
                int64_t count = sides[2] - x < LANES ? sides[2] - x : LANES;
                lanes rows[LANES];
                for (int i = 0; i < LANES; i++)
                    rows[i] = block[(z * sides[1] + y) * sides[2] + x + (i < count ? i : 0)];
                transpose(rows);
                for (int lane = 0; lane < LANES; lane++)
                    store_some(
                        images + columns[lane].start + z * maps->steps[0] + y * maps->steps[1] + x,
                        rows[lane], count
                    );
            }
}

/* Read `count` columns, 16 at most. */
static inline void read_columns(
    const Maps *maps, const float *images, const float *end, const Column *columns, int64_t count,
    lanes *block
) {
    if (count == LANES && are_whole(maps, columns))
        read_whole(maps, images, end, columns, block);
    else if (count == LANES && are_neighbours(maps, columns))
        read_neighbours(maps, images, columns, block);
    else
        for (int64_t lane = 0; lane < count; lane++)
            read_column(maps, images, &columns[lane], (float *)block + lane);
}

static inline void write_columns(
    const Maps *maps, float *images, const Column *columns, int64_t count, const lanes *block
) {
    if (count == LANES && are_whole(maps, columns))
        write_whole(maps, images, columns, block);
    else if (count == LANES && are_neighbours(maps, columns))
        write_neighbours(maps, images, columns, block);
    else
        for (int64_t lane = 0; lane < count; lane++)
            write_column(maps, images, &columns[lane], (const float *)block + lane);
}

#endif
