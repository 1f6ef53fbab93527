"""The seeded renderer: a screenplay becomes a clip whose events have exact times."""
