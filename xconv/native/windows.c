/* Places of maxima in their windows, and back: xconv/saved/windows.py for images of two dimensions.

   Quotients are products with an inverse: (a + 1/2) / d lies at least 1/2d away from a whole number, and
   a double is more precise than that for all a below 2^31. */

#include <stdint.h>

static inline int32_t quotient(int32_t number, double inverse) {
    return (int32_t)(((double)number + 0.5) * inverse);
}

/* Write the position of each index, which counts the pixels of an image, in its window. */
void find_positions(
    const int64_t *indices, uint8_t *positions, int64_t maps, const int64_t *row_starts, int64_t rows,
    int64_t row_step, const int64_t *column_starts, int64_t columns, int64_t column_step,
    int64_t extent, int64_t width
) {
    double by_width = 1.0 / (double)width, by_row = 1.0 / (double)row_step;
    double by_column = 1.0 / (double)column_step;
    for (int64_t line = 0; line < maps * rows; line++) {
        int32_t top = (int32_t)row_starts[line % rows];
        for (int64_t i = 0; i < columns; i++) {
            int32_t index = (int32_t)indices[line * columns + i], row = quotient(index, by_width);
            int32_t column = index - row * (int32_t)width - (int32_t)column_starts[i];
            int32_t position = quotient(row - top, by_row) * (int32_t)extent;
            positions[line * columns + i] = (uint8_t)(position + quotient(column, by_column));
        }
    }
}

/* Write the index that each position stands for. */
void find_indices(
    const uint8_t *positions, int64_t *indices, int64_t maps, const int64_t *row_starts, int64_t rows,
    int64_t row_step, const int64_t *column_starts, int64_t columns, int64_t column_step,
    int64_t extent, int64_t width
) {
    double by_extent = 1.0 / (double)extent;
    for (int64_t line = 0; line < maps * rows; line++) {
        int64_t top = row_starts[line % rows];
        for (int64_t i = 0; i < columns; i++) {
            int32_t position = positions[line * columns + i], down = quotient(position, by_extent);
            int64_t column = column_starts[i] + (position - down * (int32_t)extent) * column_step;
            indices[line * columns + i] = (top + down * row_step) * width + column;
        }
    }
}
