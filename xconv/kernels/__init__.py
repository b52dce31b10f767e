"""Triton kernels that take the place of chains of operators on a GPU; each is held against these.

Only ``choice`` may be imported where Triton is not installed.
"""
