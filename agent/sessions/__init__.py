"""Conversations that a livekit Agent leads: an AgentSession each. Imported where there is one."""
