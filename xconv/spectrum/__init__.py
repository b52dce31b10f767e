"""Transform coding: blocks, transforms, rounding, and plans that divide the bits."""
