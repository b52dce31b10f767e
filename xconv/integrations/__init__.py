"""Conversion as a part of trainers; a trainer's package is imported once it is asked for."""
