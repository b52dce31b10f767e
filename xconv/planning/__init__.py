"""Plans of what each module of a network keeps: measured, chosen and written to files."""
