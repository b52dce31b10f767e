"""Measurements behind everything that is claimed of a GPU, by one command: ``make gpu``."""
