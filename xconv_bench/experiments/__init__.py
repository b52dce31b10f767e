"""The experiments: one file an experiment, a sweep becomes configurations, these become rows."""
