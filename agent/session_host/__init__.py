"""Remote sessions: moderators look into a room's conversation with LiveKit's own tools."""
