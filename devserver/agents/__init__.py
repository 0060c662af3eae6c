"""Agent workers: who they are, what they are offered, and which job goes where."""
