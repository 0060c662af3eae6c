"""The token endpoint: whom it lets into which room, in LiveKit's standard form."""
