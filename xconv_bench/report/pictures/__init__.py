"""Describe the pictures of each table: which rows, which axes, which curves, which words."""
