"""Any Transformers image-text-to-text checkpoint as a decider, with the KV cache kept across seconds."""
