"""Files: what people send, what the model gets of it, and what the agent sends."""
