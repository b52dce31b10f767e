"""Triton kernels that replace chains of operators on a GPU; tests hold each against the operators.

Only ``choice`` may be imported where Triton is not installed.
"""
