"""Speech to text: one file an engine."""
