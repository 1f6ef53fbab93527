"""Who decides: one file or folder a decider, all behind ports.Decider."""
