"""The meters: one file a meter, each with a start, a stop, and what was read in between."""
