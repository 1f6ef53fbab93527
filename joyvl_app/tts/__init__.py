"""Text to speech: one file an engine."""
