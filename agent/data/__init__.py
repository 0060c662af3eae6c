"""The room's data packets: the channel that they go through, and the topics they are about."""
