"""The decider of a bare machine: perceive, then decide by rules read from the instruction, in English and Chinese."""
