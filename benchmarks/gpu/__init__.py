"""Everything that is claimed of a GPU, measured by one command: ``make gpu``."""
