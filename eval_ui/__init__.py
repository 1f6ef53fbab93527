"""The rating page: people compare two assistants side by side, blind; results with error bars."""
