"""What a run leaves on disk: its directory, its tables, the record of its environment."""
