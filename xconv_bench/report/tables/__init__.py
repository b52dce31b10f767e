"""Tables as people read them in a terminal: a description for each, and one engine for all.

Each ``print_…`` takes rows as ``Table.rows`` returns them and prints to ``file``, which is standard
output where None is given.
"""
