"""Few bits for many numbers: blocks, transforms, rounding and the plan that divides the bits."""
