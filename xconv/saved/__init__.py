"""Modules and functions that keep less of what else a network saves for its backward pass."""
