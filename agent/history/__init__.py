"""Messages, stored in SQLite or Postgres. Knows nothing of rooms or of LiveKit."""
