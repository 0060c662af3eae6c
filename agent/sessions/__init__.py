"""Conversations that a livekit Agent leads: an AgentSession each. Imported on demand."""
