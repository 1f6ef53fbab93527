"""What outlives a session: sessions, events, searchable passages and key frames, in SQLite or PostgreSQL."""
