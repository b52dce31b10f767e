"""Measure what training convolutional networks in less memory costs."""

__version__ = "0.1.0"
