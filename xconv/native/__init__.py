"""Kernels in C for a CPU, each of which returns the same numbers as torch's operators, sooner.

Every bit is the same, but for the sign of a bound that is zero, and for sums of products and powers
(``probes``, ``spectral``), which agree to float32's rounding.

The C files lie beside the functions that call them. ``building`` compiles them on first use,
``library`` says whether they are used. Where there is no compiler, torch's operators are.
"""
