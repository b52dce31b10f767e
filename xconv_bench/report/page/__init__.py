"""The report on runs: one HTML page or a Markdown comment, from the tables and nothing else."""
