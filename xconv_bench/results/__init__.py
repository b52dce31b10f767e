"""Results of a run on disk: its directory, its tables, the record of its environment."""
