"""What was said in rooms, kept in a database; knows nothing of LiveKit or the rest of the agent."""
