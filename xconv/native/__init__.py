"""Kernels in C for a CPU, each of which returns the same bits as torch's operators, sooner.

The C files lie beside the functions that call them. ``building`` compiles them on first use,
``library`` says whether they are used. Where there is no compiler, torch's operators are.
"""
