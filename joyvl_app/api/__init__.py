"""The HTTP API of the public servers of this model family: OpenAI chat completions with a session."""
